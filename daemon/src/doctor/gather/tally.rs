//! Counts what was heard on one hard interface. Pure; the caller reads the frames.

use crate::doctor::facts::{Air, Station};
use mesh_core::sorted::SortedMap;
use packet::MacAddr;
use packet::consts::{ETH_LEN, VERSION, packet_type};
use packet::eth::EthHeader;
use packet::ogm::Ogms;
use packet::ogm2::Ogm2s;
use std::collections::hash_map::DefaultHasher;
use std::collections::{HashSet, VecDeque};
use std::hash::{Hash, Hasher};

/// Most stations, and most originators, that are told apart; further ones are not looked at.
const MOST: usize = 512;
/// Own frames that are remembered in order to know them again.
const OWN: usize = 4096;
/// Two numbers that are further apart than this belong to two counters: a node that sends every
/// 40 ms would have been silent for minutes.
const FAR: u32 = 5_000;

/// What is counted so far.
#[derive(Debug)]
pub(super) struct Tally {
    air: Air,
    mac: MacAddr,
    stations: SortedMap<MacAddr, Station>,
    own: HashSet<u64>,
    own_order: VecDeque<u64>,
    counters: SortedMap<MacAddr, Numbers>,
}

/// The numbers of one originator's messages: the two places where they were seen, and how often
/// they changed between them.
#[derive(Debug, Clone, Copy)]
struct Numbers {
    last: u32,
    other: Option<u32>,
    returns: u32,
}

impl Tally {
    /// Nothing yet, on the interface with this MAC.
    pub(super) fn new(interface: &str, mac: MacAddr) -> Self {
        Self {
            air: Air { interface: interface.to_owned(), ..Air::default() },
            mac,
            stations: SortedMap::new(),
            own: HashSet::new(),
            own_order: VecDeque::new(),
            counters: SortedMap::new(),
        }
    }

    /// A mesh frame that this machine sent.
    pub(super) fn sent(&mut self, frame: &[u8]) {
        self.air.outgoing += 1;
        let hash = hash(frame);
        if self.own.insert(hash) {
            self.own_order.push_back(hash);
        }
        if self.own_order.len() > OWN
            && let Some(oldest) = self.own_order.pop_front()
        {
            self.own.remove(&oldest);
        }
    }

    /// A mesh frame with an outer VLAN tag that came in.
    pub(super) fn tagged(&mut self) {
        self.air.tagged += 1;
    }

    /// A mesh frame that reached an ordinary socket.
    pub(super) fn delivered(&mut self) {
        self.air.delivered += 1;
    }

    /// A mesh frame that came in.
    pub(super) fn heard(&mut self, frame: &[u8]) {
        self.air.incoming += 1;
        let Ok((eth, packet)) = EthHeader::parse(frame) else { return };
        if eth.src == self.mac {
            if self.own.contains(&hash(frame)) {
                self.air.own_back += 1;
            } else {
                self.air.own_mac += 1;
            }
            return;
        }
        let &[kind, version, ..] = packet else { return };
        if !self.stations.contains_key(&eth.src) && self.stations.len() >= MOST {
            return;
        }
        let station = self.stations.entry(eth.src).or_insert_with(|| Station { mac: eth.src, ..Station::default() });
        station.frames += 1;
        if version != VERSION {
            station.versions.insert(version);
            return;
        }
        match kind {
            packet_type::OGM => {
                station.iv = true;
                // Only what a neighbour says of itself: copies of others' come late and twice.
                for ogm in Ogms::new(packet).filter(|o| o.header.orig == eth.src && o.header.prev_sender == eth.src) {
                    self.number(ogm.header.orig, ogm.header.seqno.get());
                }
            }
            packet_type::ELP => station.five = true,
            packet_type::OGM2 => {
                station.five = true;
                for ogm in Ogm2s::new(packet).filter(|o| o.header.orig == eth.src) {
                    self.number(ogm.header.orig, ogm.header.seqno.get());
                }
            }
            packet_type::BCAST => self.air.flooded += 1,
            _ => {}
        }
    }

    fn number(&mut self, orig: MacAddr, seqno: u32) {
        let near = |a: u32| a.wrapping_sub(seqno).min(seqno.wrapping_sub(a)) < FAR;
        let full = self.counters.len() >= MOST;
        match self.counters.get_mut(&orig) {
            None if full => {}
            None => {
                self.counters.insert(orig, Numbers { last: seqno, other: None, returns: 0 });
            }
            Some(n) if near(n.last) => n.last = seqno,
            Some(n) => {
                // A restart goes there once; only two counters go there and back again.
                if n.other.is_some_and(near) {
                    n.returns += 1;
                }
                n.other = Some(std::mem::replace(&mut n.last, seqno));
            }
        }
    }

    /// What was heard.
    pub(super) fn finish(mut self) -> Air {
        self.air.stations = self.stations.into_values().collect();
        self.air.twins = self.counters.iter().filter(|(_, n)| n.returns > 0).map(|(orig, _)| *orig).collect();
        self.air
    }
}

/// Short frames are padded on their way, so only what is surely theirs counts.
fn hash(frame: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    let shortest = ETH_LEN + 20;
    frame.get(..shortest.min(frame.len())).hash(&mut hasher);
    // Of longer frames, more than the first header is told apart.
    frame.get(60..).filter(|_| frame.len() > 60).map(|rest| rest.get(..256).unwrap_or(rest)).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use packet::elp::ElpHeader;

    const US: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
    const THEM: MacAddr = MacAddr([2, 0, 0, 0, 0, 2]);

    fn frame(src: MacAddr, packet: &[u8]) -> Vec<u8> {
        let mut frame = vec![0xff; 6];
        frame.extend(src.0);
        frame.extend([0x43, 0x05]);
        frame.extend(packet);
        frame
    }

    fn ogm(orig: MacAddr, seqno: u32) -> Vec<u8> {
        // Type, version, TTL, flags; number, originator, sender; reserved, TQ, no TVLVs.
        let packet = [&[0, 15, 50, 0][..], &seqno.to_be_bytes(), &orig.0, &orig.0, &[0, 255, 0, 0]].concat();
        frame(orig, &packet)
    }

    #[test]
    fn who_speaks_what() {
        let mut tally = Tally::new("eth0", US);
        tally.heard(&ogm(THEM, 1));
        let third = MacAddr([2, 0, 0, 0, 0, 3]);
        tally.heard(&frame(third, &ElpHeader::new(third, 1, 500).hello()));
        let old = MacAddr([2, 0, 0, 0, 0, 4]);
        tally.heard(&frame(old, &[0, 14, 0, 0]));
        tally.heard(&frame(old, &[0]));
        tally.heard(&[0; 5]);
        let air = tally.finish();
        assert_eq!((air.incoming, air.outgoing, air.own_back, air.own_mac), (5, 0, 0, 0));
        let spoken: Vec<_> = air
            .stations
            .iter()
            .map(|s| (s.mac.0[5], s.iv, s.five, s.versions.iter().copied().collect::<Vec<_>>()))
            .collect();
        assert_eq!(spoken, [(2, true, false, vec![]), (3, false, true, vec![]), (4, false, false, vec![14])]);
    }

    #[test]
    fn a_loop_is_not_a_second_device() {
        let mut tally = Tally::new("eth0", US);
        tally.sent(&ogm(US, 1));
        tally.heard(&{
            let mut padded = ogm(US, 1);
            padded.resize(60, 0);
            padded
        });
        tally.heard(&ogm(US, 77));
        let air = tally.finish();
        assert_eq!((air.own_back, air.own_mac, air.outgoing), (1, 1, 1));
        assert!(air.stations.is_empty());
    }

    #[test]
    fn two_counters_of_one_originator() {
        let twins = |numbers: &[u32]| {
            let mut tally = Tally::new("eth0", US);
            numbers.iter().for_each(|&n| tally.heard(&ogm(THEM, n)));
            tally.finish().twins
        };
        assert_eq!(twins(&[100, 900_000, 101, 900_001]), [THEM]);
        assert_eq!(twins(&[100, 101, 900_000, 900_001]), [], "a restart");
        assert_eq!(twins(&[u32::MAX, 0, 1]), [], "numbers wrap");
        assert_eq!(twins(&[100, 103, 99, 104]), [], "late copies");
    }

    #[test]
    fn tables_are_bounded() {
        let mut tally = Tally::new("eth0", US);
        for i in 0..10_000u32 {
            let [_, _, a, b] = i.to_be_bytes();
            tally.heard(&ogm(MacAddr([6, 0, 0, 0, a, b]), i));
            tally.sent(&ogm(US, i));
        }
        assert_eq!((tally.counters.len(), tally.own.len()), (MOST, OWN));
        assert_eq!(tally.finish().stations.len(), MOST);
    }
}
