//! Plays a mesh into one cable: a neighbour with many originators behind it, each with clients.
//!
//! What a node on the other end sees is what a real neighbour would send: the neighbour echoes
//! its OGMs, relays one OGM per originator and second with its translation table, and answers
//! table requests. Sources: protocol notes, "B.A.T.M.A.N. IV" sections 3 to 8, "Translation
//! table" sections 4 and 9.

use anyhow::{Context, Result, bail};
use packet::consts::{AGGREGATE_BYTES, AGGREGATE_OGMS, ETHERTYPE, TTL, packet_type};
use packet::eth::EthHeader;
use packet::ogm::{DIRECTLINK, OgmHeader, Ogms};
use packet::tvlv::tt::{self, Tt, TtChange, TtHeader, TtVlan};
use packet::tvlv::{self, ContainerHeader, Containers, kind};
use packet::unicast::UnicastTvlvHeader;
use packet::{MacAddr, Vid};
use pnet_datalink::{Channel, Config, DataLinkReceiver, DataLinkSender};
use std::collections::HashMap;
use std::io::ErrorKind;
use std::time::{Duration, Instant};
use zerocopy::IntoBytes;

/// Time between two OGMs of one originator, as the kernel module has it.
const INTERVAL: Duration = Duration::from_millis(1000);
/// OGMs that carry the first changes, as the kernel module does it.
const CHANGES_IN_OGMS: u32 = 4;
/// Table version of everybody: the first one.
const TTVN: u8 = 1;
/// What is left of the transmit quality of those behind the neighbour.
const RELAYED_TQ: u8 = 225;
/// First sequence number; any would do.
const FIRST_SEQNO: u32 = 1000;

/// Plays `originators` (the neighbour is one of them) with `clients` spread over them, for ever.
pub(crate) fn play(interface: &str, originators: usize, clients: usize) -> Result<()> {
    let found = pnet_datalink::interfaces().into_iter().find(|i| i.name == interface);
    let found = found.with_context(|| format!("no interface {interface}"))?;
    let own = found.mac.context("the interface has no MAC")?;
    let config = Config {
        read_timeout: Some(Duration::from_millis(5)),
        channel_type: pnet_datalink::ChannelType::Layer2,
        ..Config::default()
    };
    let Channel::Ethernet(tx, rx) = pnet_datalink::channel(&found, config)? else {
        bail!("{interface} is no Ethernet");
    };
    let crowd = Crowd::new(MacAddr(own.octets()), originators, clients);
    Player { crowd, tx }.run(rx)
}

/// Everybody who is played.
#[derive(Debug)]
struct Crowd {
    members: Vec<Member>,
    by_address: HashMap<MacAddr, usize>,
}

#[derive(Debug)]
struct Member {
    address: MacAddr,
    clients: Vec<MacAddr>,
    seqno: u32,
    sent: u32,
}

impl Crowd {
    fn new(neighbor: MacAddr, originators: usize, clients: usize) -> Self {
        let mut members: Vec<Member> = (0..originators)
            .map(|n| Member {
                address: if n == 0 { neighbor } else { numbered(0x0b, n) },
                clients: Vec::new(),
                seqno: FIRST_SEQNO,
                sent: 0,
            })
            .collect();
        for n in 0..clients {
            members[n % originators].clients.push(numbered(0x0c, n));
        }
        let by_address = members.iter().enumerate().map(|(n, m)| (m.address, n)).collect();
        Self { members, by_address }
    }

    /// The next OGM of a member as the neighbour sends it: its own, or relayed.
    fn ogm(&mut self, n: usize) -> Vec<u8> {
        let neighbor = self.members[0].address;
        let member = &mut self.members[n];
        let with_changes = member.sent < CHANGES_IN_OGMS;
        let table = member.table(tt::flags::OGM_DIFF, with_changes);
        let mut header = OgmHeader::new(member.address, member.seqno, TTL);
        header.tvlv_len = (table.len() as u16).into();
        if n > 0 {
            header.ttl = TTL - 1;
            header.tq = RELAYED_TQ;
            header.prev_sender = numbered(0x0b, 0xffff);
            debug_assert_ne!(header.prev_sender, neighbor);
        }
        member.seqno += 1;
        member.sent += 1;
        [header.as_bytes(), &table].concat()
    }

    /// The answer to a table request, if it is for somebody who is played.
    fn answer(&self, request: &UnicastTvlvHeader, tvlvs: &[u8]) -> Option<Vec<u8>> {
        let member = &self.members[*self.by_address.get(&request.dst)?];
        let asked = Containers::new(tvlvs).find(|c| c.kind == kind::TT)?;
        let asked = Tt::parse(asked.value).ok()?;
        if asked.header.flags & tt::flags::KIND != tt::flags::REQUEST {
            return None;
        }
        let table = member.table(tt::flags::RESPONSE | tt::flags::FULL, true);
        let header = UnicastTvlvHeader::new(request.src, member.address, table.len() as u16);
        Some([header.as_bytes(), &table].concat())
    }
}

impl Member {
    /// Its translation table as a TVLV container.
    fn table(&self, flags: u8, with_changes: bool) -> Vec<u8> {
        let crc = self.clients.iter().fold(0, |crc, c| crc ^ tt::entry_crc(*c, Vid::UNTAGGED, 0));
        let mut value = TtHeader { flags, ttvn: TTVN, num_vlan: 1.into() }.as_bytes().to_vec();
        value.extend(TtVlan { crc: crc.into(), vid: 0.into(), reserved: 0.into() }.as_bytes());
        if with_changes {
            value.extend(self.clients.iter().flat_map(|c| TtChange::new(*c, Vid::UNTAGGED, 0).as_bytes().to_vec()));
        }
        let mut container = vec![0; ContainerHeader::LEN + value.len()];
        tvlv::emit(&mut container, kind::TT, 1, &value).expect("an even value in a buffer of its size");
        container
    }
}

struct Player {
    crowd: Crowd,
    tx: Box<dyn DataLinkSender>,
}

impl Player {
    /// Sends everybody's OGMs evenly over the interval and answers in between.
    fn run(mut self, mut rx: Box<dyn DataLinkReceiver>) -> Result<()> {
        let start = Instant::now();
        let count = self.crowd.members.len() as u128;
        let mut sent = 0u128;
        loop {
            let due = start.elapsed().as_micros() * count / INTERVAL.as_micros();
            self.send_ogms(sent, due)?;
            sent = due;
            match rx.next() {
                Ok(frame) => {
                    let frame = frame.to_vec();
                    self.heard(&frame)?;
                }
                Err(e) if matches!(e.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(e) => return Err(e.into()),
            }
        }
    }

    fn send_ogms(&mut self, from: u128, to: u128) -> Result<()> {
        let count = self.crowd.members.len() as u128;
        let mut aggregate: Vec<u8> = Vec::new();
        let mut members = 0;
        for turn in from..to {
            let ogm = self.crowd.ogm((turn % count) as usize);
            if members == AGGREGATE_OGMS || (members > 0 && aggregate.len() + ogm.len() > AGGREGATE_BYTES) {
                self.send(MacAddr::BROADCAST, &aggregate)?;
                aggregate.clear();
                members = 0;
            }
            aggregate.extend(ogm);
            members += 1;
        }
        if members > 0 { self.send(MacAddr::BROADCAST, &aggregate) } else { Ok(()) }
    }

    fn heard(&mut self, frame: &[u8]) -> Result<()> {
        let Ok((eth, packet)) = EthHeader::parse(frame) else { return Ok(()) };
        let own = self.crowd.members[0].address;
        if eth.ethertype.get() != ETHERTYPE || eth.src == own {
            return Ok(());
        }
        match packet.first() {
            Some(&packet_type::OGM) => {
                for ogm in Ogms::new(packet) {
                    // Only its own; what it relays of ours came from here.
                    if ogm.header.orig == eth.src && ogm.header.ttl > 1 {
                        let mut echo = *ogm.header;
                        echo.ttl -= 1;
                        echo.flags |= DIRECTLINK;
                        echo.prev_sender = eth.src;
                        self.send(MacAddr::BROADCAST, &[echo.as_bytes(), ogm.tvlvs].concat())?;
                    }
                }
                Ok(())
            }
            Some(&packet_type::UNICAST_TVLV) => {
                let Ok((header, tvlvs)) = UnicastTvlvHeader::parse(packet) else { return Ok(()) };
                match self.crowd.answer(header, tvlvs) {
                    Some(answer) => self.send(eth.src, &answer),
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    fn send(&mut self, dst: MacAddr, packet: &[u8]) -> Result<()> {
        let header = EthHeader { dst, src: self.crowd.members[0].address, ethertype: ETHERTYPE.into() };
        let frame = [header.as_bytes(), packet].concat();
        // A full queue loses an OGM, as on any link.
        let _ = self.tx.send_to(&frame, None).context("the channel takes no frame")?;
        Ok(())
    }
}

/// A locally administered address of one of our ranges.
fn numbered(range: u8, n: usize) -> MacAddr {
    let [.., hi, lo] = (n as u64).to_be_bytes();
    MacAddr([2, range, 0, 0, hi, lo])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crowd() -> Crowd {
        Crowd::new(MacAddr([2, 0, 0, 0, 0, 9]), 100, 500)
    }

    #[test]
    fn ogms_carry_their_clients_at_first_and_a_matching_checksum_always() {
        let mut crowd = crowd();
        for round in 0..CHANGES_IN_OGMS + 2 {
            let bytes = crowd.ogm(7);
            let mut all = Ogms::new(&bytes);
            let ogm = all.next().unwrap();
            assert!(all.next().is_none() && all.rest().is_empty());
            assert_eq!(ogm.header.seqno.get(), FIRST_SEQNO + round);
            let container = Containers::new(ogm.tvlvs).next().unwrap();
            let table = Tt::parse(container.value).unwrap();
            assert_eq!(table.changes.len(), if round < CHANGES_IN_OGMS { 5 } else { 0 });
            let crc = crowd.members[7].clients.iter().fold(0, |crc, c| crc ^ tt::entry_crc(*c, Vid::UNTAGGED, 0));
            assert_eq!(table.vlans[0].crc.get(), crc);
        }
    }

    #[test]
    fn a_request_gets_the_whole_table() {
        let mut asker = crowd();
        let dst = asker.members[3].address;
        let asker = std::mem::take(&mut asker.members[0].address);
        let value = TtHeader { flags: tt::flags::REQUEST | tt::flags::FULL, ttvn: TTVN, num_vlan: 0.into() };
        let mut tvlvs = vec![0; 8];
        tvlv::emit(&mut tvlvs, kind::TT, 1, value.as_bytes()).unwrap();
        let answer = crowd().answer(&UnicastTvlvHeader::new(dst, asker, 8), &tvlvs).unwrap();
        let (header, tvlvs) = UnicastTvlvHeader::parse(&answer).unwrap();
        assert_eq!((header.src, header.dst), (dst, asker));
        let table = Tt::parse(Containers::new(tvlvs).next().unwrap().value).unwrap();
        assert_eq!((table.header.flags, table.changes.len()), (tt::flags::RESPONSE | tt::flags::FULL, 5));
        assert!(crowd().answer(&UnicastTvlvHeader::new(asker, dst, 8), tvlvs).is_none());
    }
}
