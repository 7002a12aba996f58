//! What carries frames between hard interfaces: a wire with any number of stations, or a radio
//! whose stations share the air.
//!
//! On a wire every direction between two stations is its own channel: full duplex, no collisions,
//! a station is heard by all in reach. Two stations make a point-to-point link.
//!
//! On a radio one frame is on the air around a station at a time. A station sends when it hears
//! nobody (with a random back-off); two frames that overlap at a receiver spoil each other, as
//! happens when their senders do not hear each other; who sends hears nothing. Unicast frames are
//! acknowledged and repeated up to [`RETRIES`] times, broadcasts go once at the basic rate.

use crate::channel::{Channel, Quality, air_time};
use mesh_core::rng::Rng;
use mesh_core::{Duration, Instant, LinkId};
use packet::MacAddr;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

/// Times that a radio repeats a unicast frame that was not acknowledged. Source: IEEE 802.11, short retry limit.
pub const RETRIES: u32 = 7;
/// Frames that wait at a radio at most.
pub const RADIO_QUEUE: usize = 256;
const SLOT_US: u64 = 9;
const GAP_US: u64 = 34;
const ACK_US: u64 = 50;

/// Number of a station on its medium.
pub type StationId = usize;

/// A shared frame on its way.
pub type Bytes = Rc<[u8]>;

/// Rates of a radio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Air {
    /// Bits per second of unicast frames.
    pub unicast: u64,
    /// Bits per second of broadcast frames.
    pub basic: u64,
    /// Preamble and headers of every frame.
    pub overhead: Duration,
}

impl Default for Air {
    fn default() -> Self {
        Self { unicast: 26_000_000, basic: 6_000_000, overhead: Duration::from_micros(100) }
    }
}

/// A hard interface on a medium.
#[derive(Debug)]
pub struct Station {
    /// Node that it belongs to.
    pub node: usize,
    /// Which of its hard interfaces.
    pub link: LinkId,
    /// Its MAC; a frame for another station's MAC is not handed up.
    pub mac: MacAddr,
    reach: BTreeMap<StationId, Channel>,
    queue: VecDeque<Pending>,
    sending: bool,
    contending: bool,
    hears: Vec<Hearing>,
}

#[derive(Debug)]
struct Pending {
    bytes: Bytes,
    tries: u32,
    arrived: bool,
}

#[derive(Debug)]
struct Hearing {
    transmission: u64,
    until: Instant,
    spoiled: bool,
}

#[derive(Debug)]
struct Transmission {
    sender: StationId,
    frame: Pending,
    heard_by: Vec<StationId>,
}

/// Something that a medium wants to be reminded of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reminder {
    /// This station tries to send.
    Contend(StationId),
    /// This transmission ends.
    End(u64),
}

/// What follows from a frame sent or a reminder.
#[derive(Debug)]
pub enum Effect {
    /// The frame arrives at the station.
    Deliver(Instant, StationId, Bytes),
    /// Call [`Medium::remind`] then.
    Remind(Instant, Reminder),
}

/// A wire or a radio.
#[derive(Debug)]
pub struct Medium {
    air: Option<Air>,
    stations: Vec<Station>,
    on_air: BTreeMap<u64, Transmission>,
    transmissions: u64,
    /// Receptions spoiled by an overlapping frame.
    pub collisions: u64,
    /// Unicast frames given up after [`RETRIES`] repetitions, and frames that found a queue full.
    pub given_up: u64,
    /// Microseconds of sending, all stations together.
    pub air_us: u64,
}

impl Medium {
    /// A wire without stations.
    pub fn wire() -> Self {
        Self::new(None)
    }

    /// A radio without stations.
    pub fn radio(air: Air) -> Self {
        Self::new(Some(air))
    }

    fn new(air: Option<Air>) -> Self {
        Self {
            air,
            stations: Vec::new(),
            on_air: BTreeMap::new(),
            transmissions: 0,
            collisions: 0,
            given_up: 0,
            air_us: 0,
        }
    }

    /// Attaches a hard interface; nobody hears it yet.
    pub fn attach(&mut self, node: usize, link: LinkId, mac: MacAddr) -> StationId {
        self.stations.push(Station {
            node,
            link,
            mac,
            reach: BTreeMap::new(),
            queue: VecDeque::new(),
            sending: false,
            contending: false,
            hears: Vec::new(),
        });
        self.stations.len() - 1
    }

    /// Lets `to` hear `from`, or no more.
    pub fn set_reach(&mut self, from: StationId, to: StationId, quality: Option<Quality>) {
        let reach = &mut self.stations[from].reach;
        match (quality, reach.get_mut(&to)) {
            (Some(quality), Some(channel)) => channel.quality = quality,
            (Some(quality), None) => {
                reach.insert(to, Channel::new(quality));
            }
            (None, _) => {
                reach.remove(&to);
            }
        }
    }

    /// The channel from one station to another, if it is in reach.
    pub fn channel(&self, from: StationId, to: StationId) -> Option<&Channel> {
        self.stations[from].reach.get(&to)
    }

    /// Writable form of [`Medium::channel`].
    pub fn channel_mut(&mut self, from: StationId, to: StationId) -> Option<&mut Channel> {
        self.stations[from].reach.get_mut(&to)
    }

    /// Stations in reach of `from` by channels that are not cut.
    pub fn heard_by(&self, from: StationId) -> impl Iterator<Item = StationId> + '_ {
        self.stations[from].reach.iter().filter(|(_, c)| !c.cut).map(|(id, _)| *id)
    }

    /// A station.
    pub fn station(&self, id: StationId) -> &Station {
        &self.stations[id]
    }

    /// All stations.
    pub fn stations(&self) -> &[Station] {
        &self.stations
    }

    /// True if the stations share the air.
    pub fn is_radio(&self) -> bool {
        self.air.is_some()
    }

    /// Forgets what waits at a station, as when its node loses power.
    pub fn silence(&mut self, station: StationId) {
        self.stations[station].queue.clear();
    }

    /// A station sends a frame.
    pub fn send(&mut self, now: Instant, from: StationId, bytes: Bytes, rng: &mut Rng, out: &mut Vec<Effect>) {
        if self.air.is_some() {
            let station = &mut self.stations[from];
            if station.queue.len() >= RADIO_QUEUE {
                self.given_up += 1;
                return;
            }
            station.queue.push_back(Pending { bytes, tries: 0, arrived: false });
            self.contend_later(now, from, 0, rng, out);
            return;
        }
        let dst = destination(&bytes);
        let mut reach = core::mem::take(&mut self.stations[from].reach);
        for (&to, channel) in &mut reach {
            let arrives = channel.carry(now, bytes.len(), rng);
            if let Some(at) = arrives
                && self.takes(to, dst)
            {
                out.push(Effect::Deliver(at, to, bytes.clone()));
            }
        }
        self.stations[from].reach = reach;
    }

    /// The moment that an [`Effect::Remind`] named has come.
    pub fn remind(&mut self, now: Instant, what: Reminder, rng: &mut Rng, out: &mut Vec<Effect>) {
        match what {
            Reminder::Contend(station) => self.contend(now, station, rng, out),
            Reminder::End(transmission) => self.end(now, transmission, rng, out),
        }
    }

    fn takes(&self, station: StationId, dst: MacAddr) -> bool {
        dst.is_multicast() || dst == self.stations[station].mac
    }

    fn contend_later(&mut self, from: Instant, station: StationId, tries: u32, rng: &mut Rng, out: &mut Vec<Effect>) {
        let s = &mut self.stations[station];
        if s.contending || s.sending || s.queue.is_empty() {
            return;
        }
        s.contending = true;
        let window = (16_u64 << tries.min(6)) - 1;
        let slots = rng.next_u64() % (window + 1);
        let wait = Duration::from_micros(GAP_US + SLOT_US * slots);
        out.push(Effect::Remind(from + wait, Reminder::Contend(station)));
    }

    fn contend(&mut self, now: Instant, station: StationId, rng: &mut Rng, out: &mut Vec<Effect>) {
        let Some(air) = self.air else { return };
        let s = &mut self.stations[station];
        s.contending = false;
        if s.sending {
            return;
        }
        let busy = s.hears.iter().filter(|h| h.until > now).map(|h| h.until).max();
        let tries = s.queue.front().map_or(0, |f| f.tries);
        if let Some(until) = busy {
            self.contend_later(until, station, tries, rng, out);
            return;
        }
        let Some(frame) = s.queue.pop_front() else { return };
        s.sending = true;
        let rate = if destination(&frame.bytes).is_multicast() { air.basic } else { air.unicast };
        let takes = air.overhead + air_time(frame.bytes.len(), rate);
        self.air_us += takes.as_micros() as u64;
        let until = now + takes;
        self.transmissions += 1;
        let id = self.transmissions;
        let heard_by: Vec<StationId> = self.heard_by(station).collect();
        for &to in &heard_by {
            let r = &mut self.stations[to];
            let overlaps = r.hears.iter().any(|h| h.until > now);
            if overlaps {
                self.collisions += 1;
                for h in &mut r.hears {
                    h.spoiled |= h.until > now;
                }
            }
            r.hears.push(Hearing { transmission: id, until, spoiled: overlaps || r.sending });
        }
        self.on_air.insert(id, Transmission { sender: station, frame, heard_by });
        out.push(Effect::Remind(until, Reminder::End(id)));
    }

    fn end(&mut self, now: Instant, id: u64, rng: &mut Rng, out: &mut Vec<Effect>) {
        let Some(Transmission { sender, mut frame, heard_by }) = self.on_air.remove(&id) else { return };
        let dst = destination(&frame.bytes);
        let mut acknowledged = dst.is_multicast();
        for to in heard_by {
            let r = &mut self.stations[to];
            let Some(i) = r.hears.iter().position(|h| h.transmission == id) else { continue };
            let spoiled = r.hears.swap_remove(i).spoiled || r.sending;
            let Some(channel) = self.stations[sender].reach.get_mut(&to) else { continue };
            let delay = channel.quality.delay;
            if spoiled || channel.loses(rng) || !self.takes(to, dst) {
                continue;
            }
            if !frame.arrived {
                out.push(Effect::Deliver(now + delay, to, frame.bytes.clone()));
            }
            if dst.is_unicast() {
                frame.arrived = true;
                acknowledged = self.stations[to].reach.get_mut(&sender).is_some_and(|c| !c.loses(rng));
            }
        }
        let tries = frame.tries + 1;
        self.stations[sender].sending = false;
        if !acknowledged {
            if tries <= RETRIES {
                self.stations[sender].queue.push_front(Pending { tries, ..frame });
            } else {
                self.given_up += 1;
            }
        }
        let next = self.stations[sender].queue.front().map_or(0, |f| f.tries);
        self.contend_later(now + Duration::from_micros(ACK_US), sender, next, rng, out);
    }
}

fn destination(bytes: &[u8]) -> MacAddr {
    bytes.first_chunk().map_or(MacAddr::ZERO, |b: &[u8; 6]| MacAddr(*b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::Loss;

    fn mac(n: usize) -> MacAddr {
        MacAddr([2, 0, 0, 0, 0, n as u8])
    }

    fn frame(dst: MacAddr, len: usize) -> Bytes {
        let mut bytes = vec![0; len];
        bytes[..6].copy_from_slice(&dst.0);
        bytes.into()
    }

    /// Runs a medium alone until nothing is left to do; returns who got how many frames, and when it ended.
    fn run(medium: &mut Medium, sends: &[(u64, StationId, Bytes)]) -> (Vec<usize>, u64) {
        let mut rng = Rng::new(3);
        let mut queue: BTreeMap<(Instant, usize), Option<Reminder>> = BTreeMap::new();
        let mut frames = BTreeMap::new();
        for (i, (at, from, bytes)) in sends.iter().enumerate() {
            queue.insert((Instant::from_micros(*at), i), None);
            frames.insert(i, (*from, bytes.clone()));
        }
        let mut serial = sends.len();
        let mut got = vec![0; medium.stations.len()];
        let mut last = 0;
        while let Some(((now, id), what)) = queue.pop_first() {
            let mut out = Vec::new();
            match what {
                None => medium.send(now, frames[&id].0, frames[&id].1.clone(), &mut rng, &mut out),
                Some(what) => medium.remind(now, what, &mut rng, &mut out),
            }
            for effect in out {
                match effect {
                    Effect::Deliver(at, to, _) => {
                        got[to] += 1;
                        last = last.max(at.as_micros());
                    }
                    Effect::Remind(at, what) => {
                        serial += 1;
                        queue.insert((at, serial), Some(what));
                    }
                }
            }
        }
        (got, last)
    }

    fn connect(medium: &mut Medium, pairs: &[(StationId, StationId)], quality: Quality) {
        for &(a, b) in pairs {
            medium.set_reach(a, b, Some(quality));
            medium.set_reach(b, a, Some(quality));
        }
    }

    #[test]
    fn a_wire_is_heard_by_all_in_reach_only() {
        let mut wire = Medium::wire();
        for n in 0..4 {
            wire.attach(n, LinkId(0), mac(n));
        }
        connect(&mut wire, &[(0, 1), (0, 2), (2, 3)], Quality::WIRE);
        let (got, _) = run(
            &mut wire,
            &[(0, 0, frame(MacAddr::BROADCAST, 100)), (10, 0, frame(mac(2), 100)), (20, 0, frame(mac(3), 100))],
        );
        assert_eq!(got, [0, 1, 2, 0]);
        wire.channel_mut(0, 1).unwrap().cut = true;
        let (got, _) = run(&mut wire, &[(0, 0, frame(MacAddr::BROADCAST, 100))]);
        assert_eq!(got, [0, 0, 1, 0]);
    }

    #[test]
    fn stations_that_hear_each_other_share_the_air() {
        let mut radio = Medium::radio(Air::default());
        for n in 0..4 {
            radio.attach(n, LinkId(0), mac(n));
        }
        connect(&mut radio, &[(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)], Quality::WIRE);
        let sends: Vec<_> = (0..60).map(|i| (i as u64 / 3, i % 3, frame(MacAddr::BROADCAST, 750))).collect();
        let (got, last) = run(&mut radio, &sends);
        assert_eq!(got[3], 60, "no frame is lost while all hear each other");
        assert!(last >= 60 * 1100, "60 frames of 1.1 ms one after the other, took {last} us");
        assert_eq!(radio.collisions, 0);
    }

    #[test]
    fn hidden_stations_collide_and_unicast_repeats() {
        let mut radio = Medium::radio(Air::default());
        for n in 0..3 {
            radio.attach(n, LinkId(0), mac(n));
        }
        connect(&mut radio, &[(0, 1), (1, 2)], Quality::WIRE);
        let storm: Vec<_> =
            (0..100).flat_map(|i| [0, 2].map(|s| (i * 1000, s, frame(MacAddr::BROADCAST, 750)))).collect();
        let (got, _) = run(&mut radio, &storm);
        assert!(radio.collisions > 20, "{}", radio.collisions);
        assert!(got[1] < 120, "{got:?}");

        let gentle: Vec<_> = (0..100).flat_map(|i| [0, 2].map(|s| (i * 10_000, s, frame(mac(1), 750)))).collect();
        let (got, _) = run(&mut radio, &gentle);
        assert!(got[1] >= 195, "retries save them: {got:?}");
    }

    #[test]
    fn retries_hide_loss_without_duplicates() {
        let mut radio = Medium::radio(Air::default());
        for n in 0..2 {
            radio.attach(n, LinkId(0), mac(n));
        }
        connect(&mut radio, &[(0, 1)], Quality::WIRE.with_loss(Loss::percent(30)));
        let sends: Vec<_> = (0..500).map(|i| (i * 10_000, 0, frame(mac(1), 100))).collect();
        let (got, _) = run(&mut radio, &sends);
        assert!((498..=500).contains(&got[1]), "{got:?}");
        let sends: Vec<_> = (0..500).map(|i| (i * 10_000, 0, frame(MacAddr::BROADCAST, 100))).collect();
        let (got, _) = run(&mut radio, &sends);
        assert!((310..390).contains(&got[1]), "{got:?}");
    }
}
