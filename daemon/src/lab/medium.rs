//! The air between the nodes, as a pure state machine: time and frames in, deliveries out.
//!
//! All radios share one channel. What is modelled:
//! - reach and loss per direction of every link, rate per direction,
//! - one transmission at a time in reach of sender and hearers: a radio sends only when the air is
//!   free at itself and at everyone who would hear it, else it defers, then waits a random number
//!   of slots (CSMA with perfect protection: frames never collide, capacity is shared),
//! - group frames at the basic rate, sent once and never acknowledged,
//! - unicast frames at the link's rate, acknowledged, sent again up to [`RETRIES`] times with a
//!   growing window; loss of the acknowledgement is loss of the way back,
//! - a short queue per radio for each of the two, the group queue first, as a fair queue treats
//!   sparse flows,
//! - air time: how long each radio sent, and how long the air was taken where it is.
//!
//! Not modelled: capture, collisions, rate control, frame aggregation, propagation delay.
//!
//! Wakes at [`Medium::poll_timeout`]; drain [`Medium::poll`] to `None` then. The same seed and
//! inputs give the same deliveries. Times: IEEE 802.11-2020, 17.4.4 (OFDM in 20 MHz).

use mesh_core::rng::Rng;
use mesh_core::{Duration, Instant};
use packet::MacAddr;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::sync::Arc;

/// A radio of the medium, numbered in the order of [`Medium::add_radio`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RadioId(pub(crate) usize);

/// One direction of a link.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Path {
    /// Share of frames that are not heard, 0.0 to 1.0.
    pub(crate) loss: f64,
    /// Rate of unicast frames, kbit/s.
    pub(crate) rate_kbps: u32,
}

/// A frame that a radio heard and that is for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Delivery {
    /// Who heard it.
    pub(crate) to: RadioId,
    /// The Ethernet frame.
    pub(crate) frame: Arc<[u8]>,
}

/// What a radio did and saw since it was added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Time it sent, acknowledgements of its frames included.
    pub(crate) sending: Duration,
    /// Time the air around it was taken, own sending included.
    pub(crate) busy: Duration,
    /// Frames sent with success or to a group.
    pub(crate) sent: u64,
    /// Unicast frames sent again.
    pub(crate) retries: u64,
    /// Unicast frames given up after the last retry.
    pub(crate) unacknowledged: u64,
    /// Frames turned away at a full queue.
    pub(crate) queue_full: u64,
    /// Frames heard and delivered.
    pub(crate) heard: u64,
    /// Frames in reach that loss took.
    pub(crate) lost: u64,
}

/// The shared channel.
#[derive(Debug)]
pub(crate) struct Medium {
    radios: Vec<Radio>,
    by_mac: BTreeMap<MacAddr, RadioId>,
    events: BinaryHeap<Reverse<(Instant, u64, Event)>>,
    order: u64,
    ready: VecDeque<Delivery>,
    basic_rate_kbps: u32,
    rng: Rng,
}

impl Medium {
    /// A channel without radios. Group frames and acknowledgements go at `basic_rate_kbps`.
    pub(crate) fn new(seed: u64, basic_rate_kbps: u32) -> Self {
        Self {
            radios: Vec::new(),
            by_mac: BTreeMap::new(),
            events: BinaryHeap::new(),
            order: 0,
            ready: VecDeque::new(),
            basic_rate_kbps: basic_rate_kbps.max(1),
            rng: Rng::new(seed),
        }
    }

    /// A new radio, switched on, in reach of nobody.
    pub(crate) fn add_radio(&mut self, mac: MacAddr) -> RadioId {
        let id = RadioId(self.radios.len());
        self.radios.push(Radio { powered: true, ..Radio::default() });
        self.by_mac.insert(mac, id);
        id
    }

    /// Sets how `to` hears `from`; `None` puts it out of reach.
    pub(crate) fn set_path(&mut self, from: RadioId, to: RadioId, path: Option<Path>) {
        if from == to || to.0 >= self.radios.len() {
            return;
        }
        let Some(radio) = self.radios.get_mut(from.0) else { return };
        match path {
            Some(path) => radio.hearers.insert(to, path),
            None => radio.hearers.remove(&to),
        };
    }

    /// Switches a radio on or off. Off, it sends, hears and acknowledges nothing; its queues are
    /// emptied.
    pub(crate) fn set_power(&mut self, radio: RadioId, on: bool) {
        let Some(radio) = self.radios.get_mut(radio.0) else { return };
        radio.powered = on;
        if !on {
            radio.groups.clear();
            radio.unicasts.clear();
        }
    }

    /// What a radio did so far.
    pub(crate) fn usage(&self, radio: RadioId) -> Usage {
        self.radios.get(radio.0).map(|r| r.usage).unwrap_or_default()
    }

    /// A radio's node wants an Ethernet frame sent. Too short ones and those of a radio that is
    /// off vanish; a full queue turns it away and counts.
    pub(crate) fn send(&mut self, from: RadioId, frame: &[u8], now: Instant) {
        let Some(radio) = self.radios.get_mut(from.0) else { return };
        let Some(dst) = destination(frame) else { return };
        if !radio.powered {
            return;
        }
        let (queue, limit) = match dst.is_multicast() {
            true => (&mut radio.groups, GROUP_QUEUE),
            false => (&mut radio.unicasts, UNICAST_QUEUE),
        };
        if queue.len() >= limit {
            radio.usage.queue_full += 1;
            return;
        }
        queue.push_back(Arc::from(frame));
        if radio.state == State::Idle {
            self.attempt_at(from, now + DIFS);
        }
    }

    /// A radio's hardware takes another frame without losing it.
    pub(crate) fn has_room(&self, radio: RadioId) -> bool {
        self.radios.get(radio.0).is_none_or(|r| r.groups.len().max(r.unicasts.len()) < HARDWARE)
    }

    /// The next delivery that is due at `now`, oldest first.
    pub(crate) fn poll(&mut self, now: Instant) -> Option<Delivery> {
        loop {
            if let Some(delivery) = self.ready.pop_front() {
                return Some(delivery);
            }
            let Reverse((at, _, event)) = self.events.peek()?;
            if *at > now {
                return None;
            }
            let (at, event) = (*at, *event);
            self.events.pop();
            match event {
                Event::Attempt(radio) => self.attempt(radio, at),
                Event::End(radio) => self.end(radio, at),
            }
        }
    }

    /// When [`Medium::poll`] has something to do, `None` while all radios are silent.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        match self.ready.is_empty() {
            true => self.events.peek().map(|Reverse((at, ..))| *at),
            false => Some(Instant::ZERO),
        }
    }

    fn schedule(&mut self, at: Instant, event: Event) {
        self.order += 1;
        self.events.push(Reverse((at, self.order, event)));
    }

    fn attempt_at(&mut self, id: RadioId, at: Instant) {
        self.radios[id.0].state = State::Waiting;
        self.schedule(at, Event::Attempt(id));
    }

    /// The radio's turn to send, if the air is free.
    fn attempt(&mut self, id: RadioId, at: Instant) {
        let radio = &mut self.radios[id.0];
        if radio.current.is_none() {
            radio.current = radio.groups.pop_front().or_else(|| radio.unicasts.pop_front());
        }
        let Some(frame) = radio.current.clone() else {
            radio.state = State::Idle;
            return;
        };
        let taken_until = self.taken_until(id);
        if taken_until + DIFS > at && taken_until > Instant::ZERO {
            self.defer(id, taken_until);
            return;
        }
        self.radios[id.0].deferrals = 0;
        let time = air_time(&frame, self.rate_of(id, &frame), self.basic_rate_kbps);
        let end = at + time;
        for heard_at in self.around(id) {
            let radio = &mut self.radios[heard_at.0];
            radio.taken_until = end;
            radio.usage.busy += time;
        }
        let radio = &mut self.radios[id.0];
        radio.usage.sending += time;
        radio.state = State::Sending;
        self.schedule(end, Event::End(id));
    }

    /// Waits for free air, then for some slots: fewer every time, so that whoever waits long comes
    /// first, even between neighbours that are busy at different times.
    fn defer(&mut self, id: RadioId, taken_until: Instant) {
        let radio = &mut self.radios[id.0];
        radio.deferrals += 1;
        let window = contention_window(radio.tries) >> radio.deferrals.min(4);
        let slots = self.slots(window);
        self.attempt_at(id, taken_until + DIFS + slots);
    }

    /// Until when the air is taken at the radio or at one of its hearers.
    fn taken_until(&self, id: RadioId) -> Instant {
        self.around(id).into_iter().map(|r| self.radios[r.0].taken_until).max().unwrap_or(Instant::ZERO)
    }

    /// The radio and all in its reach.
    fn around(&self, id: RadioId) -> Vec<RadioId> {
        let hearers = &self.radios[id.0].hearers;
        let mut all = Vec::with_capacity(hearers.len() + 1);
        all.push(id);
        all.extend(hearers.keys());
        all
    }

    fn rate_of(&self, from: RadioId, frame: &[u8]) -> Option<u32> {
        let dst = destination(frame).filter(|dst| !dst.is_multicast())?;
        let path = self.by_mac.get(&dst).and_then(|to| self.radios[from.0].hearers.get(to));
        Some(path.map_or(self.basic_rate_kbps, |p| p.rate_kbps))
    }

    /// A transmission is over: who heard it, and what the sender does next.
    fn end(&mut self, id: RadioId, at: Instant) {
        let Some(frame) = self.radios[id.0].current.clone() else { return };
        let outcome = match destination(&frame) {
            Some(dst) if !dst.is_multicast() => self.end_unicast(id, dst, &frame),
            _ => self.end_group(id, &frame),
        };
        let radio = &mut self.radios[id.0];
        let again = match outcome {
            Outcome::Again if radio.tries < RETRIES && radio.powered => {
                radio.tries += 1;
                radio.usage.retries += 1;
                true
            }
            Outcome::Again => {
                radio.usage.unacknowledged += 1;
                false
            }
            Outcome::Sent => {
                radio.usage.sent += 1;
                false
            }
        };
        if !again {
            radio.current = None;
            radio.tries = 0;
            radio.arrived = false;
        }
        if radio.current.is_none() && radio.groups.is_empty() && radio.unicasts.is_empty() {
            radio.state = State::Idle;
            return;
        }
        let window = contention_window(radio.tries);
        let slots = self.slots(window);
        self.attempt_at(id, at + DIFS + slots);
    }

    fn end_group(&mut self, id: RadioId, frame: &Arc<[u8]>) -> Outcome {
        if !self.radios[id.0].powered {
            return Outcome::Sent;
        }
        let hearers: Vec<_> = self.radios[id.0].hearers.iter().map(|(to, path)| (*to, path.loss)).collect();
        for (to, loss) in hearers {
            if self.hears(to, loss) {
                self.deliver(to, frame);
            }
        }
        Outcome::Sent
    }

    fn end_unicast(&mut self, id: RadioId, dst: MacAddr, frame: &Arc<[u8]>) -> Outcome {
        let Some(to) = self.by_mac.get(&dst).copied() else { return Outcome::Again };
        let Some(path) = self.radios[id.0].hearers.get(&to).copied() else { return Outcome::Again };
        if !self.radios[id.0].powered || !self.hears(to, path.loss) {
            return Outcome::Again;
        }
        // A copy that was sent again because only its acknowledgement was lost is not passed up.
        if !self.radios[id.0].arrived {
            self.radios[id.0].arrived = true;
            self.deliver(to, frame);
        }
        let back = self.radios[to.0].hearers.get(&id).map_or(1.0, |p| p.loss);
        match self.lost(back) {
            true => Outcome::Again,
            false => Outcome::Sent,
        }
    }

    fn hears(&mut self, to: RadioId, loss: f64) -> bool {
        if !self.radios[to.0].powered {
            return false;
        }
        let lost = self.lost(loss);
        self.radios[to.0].usage.lost += u64::from(lost);
        !lost
    }

    fn deliver(&mut self, to: RadioId, frame: &Arc<[u8]>) {
        self.radios[to.0].usage.heard += 1;
        self.ready.push_back(Delivery { to, frame: Arc::clone(frame) });
    }

    fn lost(&mut self, loss: f64) -> bool {
        f64::from(self.rng.next_u32()) < loss * 4_294_967_296.0
    }

    fn slots(&mut self, window: u32) -> Duration {
        SLOT * (self.rng.next_u32() % (window + 1))
    }
}

/// Air time of a frame: `rate` of a unicast frame, `None` for a group frame.
fn air_time(frame: &[u8], rate_kbps: Option<u32>, basic_kbps: u32) -> Duration {
    let bits = |bytes: usize, kbps: u32| {
        let bits = u64::try_from(bytes).unwrap_or(u64::MAX).saturating_mul(8);
        Duration::from_micros(bits.saturating_mul(1000).div_ceil(u64::from(kbps.max(1))))
    };
    let on_air = frame.len() - ETHERNET_HEADER + WIFI_HEADERS;
    match rate_kbps {
        None => PREAMBLE + bits(on_air, basic_kbps),
        Some(rate) => PREAMBLE + bits(on_air, rate) + SIFS + PREAMBLE + bits(ACK, basic_kbps),
    }
}

fn contention_window(tries: u32) -> u32 {
    ((CW_MIN + 1) << tries.min(6)) - 1
}

fn destination(frame: &[u8]) -> Option<MacAddr> {
    if frame.len() < ETHERNET_HEADER {
        return None;
    }
    frame.first_chunk().map(|mac| MacAddr(*mac))
}

#[derive(Debug, Default)]
struct Radio {
    powered: bool,
    hearers: BTreeMap<RadioId, Path>,
    groups: VecDeque<Arc<[u8]>>,
    unicasts: VecDeque<Arc<[u8]>>,
    current: Option<Arc<[u8]>>,
    /// The current unicast frame reached its receiver already.
    arrived: bool,
    tries: u32,
    deferrals: u32,
    taken_until: Instant,
    state: State,
    usage: Usage,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Idle,
    Waiting,
    Sending,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Attempt(RadioId),
    End(RadioId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Sent,
    Again,
}

/// Times a unicast frame is sent again before it is given up (dot11ShortRetryLimit).
const RETRIES: u32 = 7;
/// Frames that a radio takes from its node before some of them are sent; what comes later waits in the
/// node's interface. As many as two aggregates of a real one.
const HARDWARE: usize = 16;
const GROUP_QUEUE: usize = 64;
const UNICAST_QUEUE: usize = 128;
const SLOT: Duration = Duration::from_micros(9);
const SIFS: Duration = Duration::from_micros(16);
const DIFS: Duration = Duration::from_micros(34);
const PREAMBLE: Duration = Duration::from_micros(20);
const CW_MIN: u32 = 15;
const ACK: usize = 14;
const ETHERNET_HEADER: usize = 14;
/// MAC header 24, LLC/SNAP 8, checksum 4.
const WIFI_HEADERS: usize = 36;

#[cfg(test)]
mod tests {
    use super::*;

    const CLEAR: Path = Path { loss: 0.0, rate_kbps: 54_000 };

    fn mac(n: usize) -> MacAddr {
        MacAddr([2, 0, 0, 0, 0, u8::try_from(n).unwrap()])
    }

    fn frame(to: MacAddr, from: usize, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        bytes[..6].copy_from_slice(&to.0);
        bytes[6..12].copy_from_slice(&mac(from).0);
        bytes
    }

    fn both_ways(medium: &mut Medium, a: usize, b: usize, path: Path) {
        medium.set_path(RadioId(a), RadioId(b), Some(path));
        medium.set_path(RadioId(b), RadioId(a), Some(path));
    }

    fn line(n: usize, path: Path, seed: u64) -> Medium {
        let mut medium = Medium::new(seed, 6_000);
        for i in 0..n {
            medium.add_radio(mac(i));
        }
        for i in 1..n {
            both_ways(&mut medium, i - 1, i, path);
        }
        medium
    }

    /// Runs until silence; deliveries as (microsecond, receiver, sender).
    fn run(medium: &mut Medium) -> Vec<(u64, usize, u8)> {
        let mut out = Vec::new();
        while let Some(at) = medium.poll_timeout() {
            while let Some(d) = medium.poll(at) {
                out.push((at.as_micros(), d.to.0, d.frame[11]));
            }
        }
        out
    }

    #[test]
    fn a_group_frame_reaches_all_in_reach_and_nobody_else() {
        let mut m = line(4, CLEAR, 1);
        m.send(RadioId(1), &frame(MacAddr::BROADCAST, 1, 114), Instant::ZERO);
        // 20 us preamble and 136 bytes at 6 Mbit/s, after 34 us of free air.
        assert_eq!(run(&mut m), [(34 + 20 + 182, 0, 1), (34 + 20 + 182, 2, 1)]);
        assert_eq!(m.usage(RadioId(1)).sending, Duration::from_micros(202));
        assert_eq!(m.usage(RadioId(2)).busy, Duration::from_micros(202));
        assert_eq!(m.usage(RadioId(3)).busy, Duration::ZERO);
    }

    #[test]
    fn a_unicast_frame_reaches_its_receiver_only() {
        let mut m = line(3, CLEAR, 1);
        m.send(RadioId(1), &frame(mac(2), 1, 1514), Instant::ZERO);
        // 1536 bytes at 54 Mbit/s are 228 us; the acknowledgement ends 16 + 20 + 19 us later.
        assert_eq!(run(&mut m), [(34 + 20 + 228 + 55, 2, 1)]);
        assert_eq!(m.usage(RadioId(0)).heard, 0);
        assert_eq!(m.usage(RadioId(0)).busy, m.usage(RadioId(1)).sending);
    }

    #[test]
    fn loss_differs_by_direction_and_retries_hide_it_from_unicast() {
        let mut m = line(2, CLEAR, 7);
        m.set_path(RadioId(0), RadioId(1), Some(Path { loss: 0.3, ..CLEAR }));
        let (mut there, mut back, mut unicast) = (0, 0, 0);
        for i in 0..2000 {
            let now = Instant::from_micros(i * 100_000);
            m.send(RadioId(0), &frame(MacAddr::BROADCAST, 0, 60), now);
            there += run(&mut m).len();
            m.send(RadioId(1), &frame(MacAddr::BROADCAST, 1, 60), now);
            back += run(&mut m).len();
            m.send(RadioId(0), &frame(mac(1), 0, 60), now);
            unicast += run(&mut m).len();
        }
        assert!((1300..1500).contains(&there), "{there}");
        assert_eq!(back, 2000);
        assert!(unicast >= 1998, "{unicast}");
        let retries = m.usage(RadioId(0)).retries;
        assert!((750..970).contains(&retries), "0.3 / 0.7 of 2000: {retries}");
    }

    #[test]
    fn a_lost_acknowledgement_costs_air_but_no_duplicate() {
        let mut m = line(2, CLEAR, 3);
        m.set_path(RadioId(1), RadioId(0), None);
        m.send(RadioId(0), &frame(mac(1), 0, 100), Instant::ZERO);
        assert_eq!(run(&mut m).len(), 1);
        let usage = m.usage(RadioId(0));
        assert_eq!((usage.retries, usage.unacknowledged, usage.sent), (7, 1, 0));
    }

    #[test]
    fn nobody_answers_from_out_of_reach_or_switched_off() {
        let mut m = line(3, CLEAR, 3);
        m.set_power(RadioId(1), false);
        for to in [mac(1), mac(2), mac(9)] {
            m.send(RadioId(0), &frame(to, 0, 100), Instant::ZERO);
        }
        m.send(RadioId(1), &frame(mac(2), 1, 100), Instant::ZERO);
        assert_eq!(run(&mut m), []);
        assert_eq!(m.usage(RadioId(0)).unacknowledged, 3);
    }

    #[test]
    fn the_air_is_shared_and_never_taken_twice() {
        let mut m = Medium::new(5, 6_000);
        for i in 0..5 {
            m.add_radio(mac(i));
        }
        for (a, b) in (0..5).flat_map(|a| (0..a).map(move |b| (a, b))) {
            both_ways(&mut m, a, b, CLEAR);
        }
        for i in 0..5 {
            for _ in 0..50 {
                m.send(RadioId(i), &frame(mac((i + 1) % 5), i, 1514), Instant::ZERO);
            }
        }
        let deliveries = run(&mut m);
        assert_eq!(deliveries.len(), 250);
        let last = deliveries.last().unwrap().0;
        let busy = m.usage(RadioId(0)).busy;
        assert_eq!(busy, (0..5).map(|i| m.usage(RadioId(i)).sending).sum());
        assert!(busy < Duration::from_micros(last), "{busy:?} of {last} us");
        assert!(busy > Duration::from_micros(last) * 3 / 4, "{busy:?} of {last} us");
        // Fair: half way through, everybody has sent about a fifth of what is through.
        let half = &deliveries[..125];
        for i in 0..5u8 {
            let share = half.iter().filter(|d| d.2 == i).count();
            assert!((15..=35).contains(&share), "{i}: {share} of 125");
        }
    }

    #[test]
    fn far_neighbours_use_the_air_at_the_same_time() {
        let mut m = line(6, CLEAR, 5);
        for _ in 0..100 {
            m.send(RadioId(1), &frame(mac(0), 1, 1514), Instant::ZERO);
            m.send(RadioId(4), &frame(mac(5), 4, 1514), Instant::ZERO);
        }
        let apart = run(&mut m).last().unwrap().0;
        let mut m = line(4, CLEAR, 5);
        for _ in 0..100 {
            m.send(RadioId(1), &frame(mac(0), 1, 1514), Instant::ZERO);
            m.send(RadioId(2), &frame(mac(3), 2, 1514), Instant::ZERO);
        }
        let close = run(&mut m).last().unwrap().0;
        assert!(close > apart * 3 / 2, "close {close} us, apart {apart} us");
    }

    #[test]
    fn a_radio_between_two_busy_ones_gets_its_turn() {
        // 1 and 5 do not hear each other and keep the air around 3 taken, each at its own times.
        let mut m = line(7, CLEAR, 11);
        let mut heard = 0;
        let end = Instant::from_micros(1_000_000);
        let mut now = Instant::ZERO;
        while now < end {
            for _ in 0..4 {
                m.send(RadioId(1), &frame(mac(0), 1, 1514), now);
                m.send(RadioId(5), &frame(mac(6), 5, 1400), now);
            }
            m.send(RadioId(3), &frame(MacAddr::BROADCAST, 3, 200), now);
            now += Duration::from_micros(1000);
            while let Some(d) = m.poll(now) {
                heard += usize::from(d.frame[11] == 3 && d.to == RadioId(2));
            }
        }
        assert!(heard >= 250, "{heard} frames in one second");
    }

    #[test]
    fn a_full_queue_turns_frames_away() {
        let mut m = line(2, CLEAR, 1);
        for _ in 0..200 {
            m.send(RadioId(0), &frame(mac(1), 0, 1514), Instant::ZERO);
            m.send(RadioId(0), &frame(MacAddr::BROADCAST, 0, 100), Instant::ZERO);
        }
        assert_eq!(run(&mut m).len(), UNICAST_QUEUE + GROUP_QUEUE);
        assert_eq!(m.usage(RadioId(0)).queue_full, 400 - 192);
    }

    #[test]
    fn the_same_seed_gives_the_same_air() {
        let air = |seed| {
            let mut m = line(5, Path { loss: 0.2, rate_kbps: 12_000 }, seed);
            for i in 0..200 {
                m.send(RadioId(i % 5), &frame(mac((i + 1) % 5), i % 5, 300), Instant::from_micros(i as u64));
                m.send(RadioId(i % 5), &frame(MacAddr::BROADCAST, i % 5, 90), Instant::from_micros(i as u64));
            }
            run(&mut m)
        };
        assert_eq!(air(42), air(42));
        assert_ne!(air(42), air(43));
    }

    #[test]
    fn short_frames_vanish() {
        let mut m = line(2, CLEAR, 1);
        m.send(RadioId(0), &[0xff; 13], Instant::ZERO);
        assert_eq!(run(&mut m), []);
    }
}
