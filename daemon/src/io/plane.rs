//! The portable data plane: packet sockets and a TAP device around the core's hot path.

use crate::io::counters::{IoCounters, PortCounters};
use crate::io::gates::Gates;
use crate::io::outlet::Outlet;
use crate::io::port::{BATCH, Gear, Port};
use crate::io::tally::Tally;
use crate::io::tap::Tap;
use mesh_core::book::Book;
use mesh_core::config::MAX_LINKS;
use mesh_core::fib::{NextHop, Table};
use mesh_core::queue::{Class, QueueCounts};
use mesh_core::{Counters, DataPlane, Drop, Duration, Fib, FibChange, Frame, Input, Instant, LinkId, Plane, PlaneSink};
use packet::MacAddr;
use std::task::{Context, Poll};

/// Most punted frames of one round; a flood of them must not grow without bound.
const MOST_PUNTED: usize = 1024;

/// Ports, mesh interface and hot path.
pub struct PortablePlane {
    plane: Plane,
    /// Names the random numbers of the next queue.
    seed: u64,
    /// Frames wait in order of class where an interface does not take all.
    queue: bool,
    /// The part of the sending time that others get, in percent.
    part: Option<u8>,
    /// What is carried for others goes out as background traffic.
    background: bool,
    io: Io,
    inbox: Vec<Frame>,
}

/// What was seen of a hard interface since it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Bytes sent for the owner.
    pub owner: u64,
    /// Bytes sent at all.
    pub all: u64,
    /// Bytes a second that it took while frames waited.
    pub line: Option<u64>,
}

/// The owner's waiting is looked at so often.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// Everything a decision of the hot path may touch.
struct Io {
    /// Time of this round.
    now: Instant,
    links: Vec<Option<Outlet>>,
    tap: Option<Tap>,
    /// Where guests wait for the Internet behind this machine.
    gates: Option<Box<Gates>>,
    to_host: Vec<Frame>,
    gear: Gear,
    punted: Vec<Input>,
    lost_punts: u64,
    /// When the control side is told next whether the owner waits.
    ask_at: Instant,
    dropped: Counters,
    tally: Tally,
    /// Counters of ports that are closed.
    past: Vec<(String, PortCounters, QueueCounts)>,
}

impl PortablePlane {
    /// A plane without ports, for frames of up to `frame_len` bytes; `seed` is any unpredictable
    /// number.
    pub fn new(seed: u64, frame_len: usize) -> Self {
        Self {
            plane: Plane::new(seed),
            seed,
            queue: false,
            part: None,
            background: false,
            io: Io {
                now: Instant::ZERO,
                links: std::iter::repeat_with(|| None).take(MAX_LINKS).collect(),
                tap: None,
                gates: None,
                to_host: Vec::new(),
                gear: Gear::new(frame_len),
                punted: Vec::new(),
                ask_at: Instant::ZERO,
                lost_punts: 0,
                dropped: Counters::default(),
                tally: Tally::default(),
                past: Vec::new(),
            },
            inbox: Vec::with_capacity(2 * BATCH),
        }
    }

    /// Takes the mesh interface in.
    pub fn set_tap(&mut self, tap: Tap) {
        self.io.tap = Some(tap);
    }

    /// Lets guests wait for the Internet behind this machine, or not; those that wait pass then.
    pub fn set_gates(&mut self, on: bool) {
        self.seed = next_seed(self.seed);
        if on {
            self.io.gates.get_or_insert_with(|| Box::new(Gates::new(self.seed)));
        } else if let Some(gates) = &mut self.io.gates {
            gates.down.set_rate(None, self.io.now);
            gates.up.set_rate(None, self.io.now);
            self.pass_gates();
            self.io.gates = None;
        }
    }

    /// Where guests wait; `None` while they need not.
    pub fn gates(&mut self) -> Option<&mut Gates> {
        self.io.gates.as_deref_mut()
    }

    /// When one of them has its turn.
    pub fn gates_next(&self) -> Instant {
        self.io.gates.as_ref().map_or(Instant::FAR_FUTURE, |g| g.next())
    }

    /// Lets those pass whose turn it is.
    fn pass_gates(&mut self) {
        let Self { plane, io, .. } = self;
        let now = io.now;
        while let Some(frame) = io.gates.as_mut().and_then(|g| g.down.pop(now, |old| io.gear.pool.put(old))) {
            plane.host_rx(frame, false, now, io);
        }
        io.flush(plane.fib());
    }

    /// Frames wait in order of class where an interface does not take all, or as they come.
    pub fn set_queue(&mut self, on: bool) {
        self.queue = on;
        self.plane.put_owner_first(on);
        let now = self.io.now;
        for link in self.io.links.iter_mut().flatten() {
            self.seed = next_seed(self.seed);
            link.set_queue(on.then_some(self.seed), &mut self.io.gear, now);
        }
    }

    /// Makes room for frames of up to `frame_len` bytes, Ethernet header included.
    pub fn grow_to(&mut self, frame_len: usize) {
        self.io.gear.grow_to(frame_len);
    }

    /// Takes a hard interface in; one with this number is closed.
    pub fn open_link(&mut self, link: LinkId, name: &str, port: Box<dyn Port>) {
        self.close_link(link);
        if let Some(slot) = self.io.links.get_mut(usize::from(link.0)) {
            self.seed = next_seed(self.seed);
            let mut outlet = Outlet::new(name, port, self.queue.then_some(self.seed));
            outlet.set_part(self.part);
            outlet.set_background(self.background);
            *slot = Some(outlet);
        }
    }

    /// A hard interface has another MAC now.
    pub fn set_link_mac(&mut self, link: LinkId, mac: MacAddr) {
        if let Some(Some(open)) = self.io.links.get_mut(usize::from(link.0)) {
            open.port().set_mac(mac);
        }
    }

    /// Closes a hard interface.
    pub fn close_link(&mut self, link: LinkId) {
        let Some(mut gone) = self.io.links.get_mut(usize::from(link.0)).and_then(Option::take) else { return };
        let (last, (classes, _)) = (gone.counters(), gone.classes());
        match self.io.past.iter_mut().find(|(name, ..)| *name == gone.name) {
            Some((_, sum, by_class)) => {
                sum.merge(&last);
                by_class.merge(&classes);
            }
            None => self.io.past.push((gone.name, last, classes)),
        }
    }

    /// Ready when a port has something to do; the task is woken when that changes.
    pub fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut ready = self.io.tap.as_mut().is_some_and(|tap| tap.poll_ready(cx));
        for link in self.io.links.iter_mut().flatten() {
            ready |= link.poll_ready(self.io.now, cx);
        }
        if ready { Poll::Ready(()) } else { Poll::Pending }
    }

    /// The hot loop: fetches at most one batch from every port, decides, and sends. True when
    /// there was anything; what the plane leaves to the control side is in
    /// [`PortablePlane::take_punted`].
    pub fn round(&mut self, now: Instant) -> bool {
        self.io.now = now;
        let Self { plane, io, inbox, .. } = self;
        let mut busy = false;
        for i in 0..io.links.len() {
            let Some(Some(link)) = io.links.get_mut(i) else { continue };
            link.port().recv(&mut io.gear, inbox);
            let Ok(id) = u8::try_from(i).map(LinkId) else { break };
            busy |= !inbox.is_empty();
            for frame in inbox.drain(..) {
                io.tally.came(id, &frame, plane.fib().own());
                plane.link_rx(id, frame, now, io);
            }
        }
        if let Some(tap) = &mut io.tap {
            tap.recv(&mut io.gear, inbox);
            busy |= !inbox.is_empty();
            for mut frame in inbox.drain(..) {
                if let Some(gates) = &mut io.gates {
                    let Some(passes) = gates.push_down(frame, &mut io.gear.pool, now) else { continue };
                    frame = passes;
                }
                plane.host_rx(frame, false, now, io);
            }
        }
        self.pass_gates();
        if now >= self.io.ask_at {
            self.io.ask_at = now + ASK_EVERY;
            self.io.ask_for_air();
        }
        busy
    }

    /// What the last rounds left to the control side, oldest first; `into` must be empty.
    pub fn take_punted(&mut self, into: &mut Vec<Input>) {
        std::mem::swap(&mut self.io.punted, into);
    }

    /// Sends everything that waits, as far as the ports take it.
    pub fn flush(&mut self) {
        self.io.flush(self.plane.fib());
    }

    /// Bytes that went through a hard interface so far, both ways.
    pub fn link_bytes(&mut self, link: LinkId) -> Option<u64> {
        let port = self.io.links.get_mut(usize::from(link.0))?.as_mut()?.counters();
        Some(port.rx_bytes + port.tx_bytes)
    }

    /// What went over which link, and how many ways changed, since this was asked last.
    pub fn tally(&mut self) -> &mut Tally {
        &mut self.io.tally
    }

    /// Who was carried for, and who carried for us, since this was forgotten last.
    pub fn book(&mut self) -> &mut Book {
        self.plane.book()
    }

    /// What left by all hard interfaces so far, by class.
    pub fn classes(&self) -> QueueCounts {
        let mut all = QueueCounts::default();
        self.io.past.iter().for_each(|(_, _, counts)| all.merge(counts));
        self.io.links.iter().flatten().for_each(|link| all.merge(&link.classes().0));
        all
    }

    /// What was seen of one hard interface.
    pub fn seen_of(&self, link: LinkId) -> Option<Seen> {
        let outlet = self.io.links.get(usize::from(link.0))?.as_ref()?;
        let counts = outlet.classes().0;
        let all = Class::ALL.iter().map(|&c| counts.of(c).bytes).sum();
        Some(Seen { owner: counts.of(Class::Owner).bytes, all, line: outlet.line() })
    }

    /// What is carried for others, and guests' frames, go out as background traffic, or like all else.
    pub fn set_background(&mut self, on: bool) {
        self.background = on;
        for link in self.io.links.iter_mut().flatten() {
            link.set_background(on);
        }
    }

    /// Others get at most this part of the time that interfaces send, in percent; `None`: all that is left.
    pub fn set_part(&mut self, percent: Option<u8>) {
        self.part = percent;
        for link in self.io.links.iter_mut().flatten() {
            link.set_part(percent);
        }
    }

    /// Counters of all ports.
    pub fn io_counters(&mut self) -> IoCounters {
        let host = self.io.tap.as_ref().map(Tap::counters).unwrap_or_default();
        let mut links: Vec<_> = self.io.past.iter().map(|(name, ports, _)| (name.clone(), *ports)).collect();
        let mut queues: Vec<_> = self.io.past.iter().map(|(name, _, classes)| (name.clone(), *classes, 0)).collect();
        for link in self.io.links.iter_mut().flatten() {
            let (now, (classes, waiting)) = (link.counters(), link.classes());
            match links.iter_mut().find(|(name, _)| *name == link.name) {
                Some((_, sum)) => sum.merge(&now),
                None => links.push((link.name.clone(), now)),
            }
            match queues.iter_mut().find(|(name, ..)| *name == link.name) {
                Some((_, sum, waits)) => {
                    sum.merge(&classes);
                    *waits = waiting;
                }
                None => queues.push((link.name.clone(), classes, waiting)),
            }
        }
        IoCounters { host, links, queues, punts_lost: self.io.lost_punts }
    }
}

impl DataPlane for PortablePlane {
    fn apply(&mut self, change: &FibChange) {
        if let FibChange::Route { orig, table: Table::Host, next } = *change
            && let Some(before) = self.plane.fib().route(orig, Table::Host)
            && next != Some(before)
        {
            self.io.tally.way_changed(before, next);
        }
        if let FibChange::Yield(link, until) = *change
            && let Some(Some(to)) = self.io.links.get_mut(usize::from(link.0))
        {
            to.hold_others(until);
        }
        self.plane.apply(change);
    }

    fn inject_link(&mut self, link: LinkId, frame: Frame) {
        self.io.link_tx(link, frame, self.plane.fib());
    }

    fn inject_host(&mut self, frame: Frame) {
        self.io.host_tx(frame);
    }

    fn again_link(&mut self, link: LinkId, frame: Frame) {
        self.plane.link_again(link, frame, self.io.now, &mut self.io);
    }

    fn again_host(&mut self, frame: Frame) {
        self.plane.host_rx(frame, true, self.io.now, &mut self.io);
    }

    fn counters(&self) -> Counters {
        let mut all = self.plane.counters().clone();
        all.merge(&self.io.dropped);
        all
    }
}

impl Io {
    /// The control side is told where the owner waits.
    fn ask_for_air(&mut self) {
        for (i, link) in self.links.iter().enumerate() {
            if let (Some(link), Ok(id)) = (link, u8::try_from(i))
                && link.owner_waits(self.now)
            {
                self.punted.push(Input::OwnerWaits(LinkId(id)));
            }
        }
    }
}

impl PlaneSink for Io {
    #[inline]
    fn link_tx(&mut self, link: LinkId, frame: Frame, fib: &Fib) {
        let Some(Some(to)) = self.links.get_mut(usize::from(link.0)) else {
            self.dropped.drop(Drop::LinkDown);
            self.gear.pool.put(frame);
            return;
        };
        self.tally.sent(link, &frame, fib.own());
        to.push(frame, fib, &mut self.gear, self.now);
    }

    #[inline]
    fn host_tx(&mut self, mut frame: Frame) {
        if let Some(gates) = &mut self.gates {
            let Some(passes) = gates.push_up(frame, &mut self.gear.pool, self.now) else { return };
            frame = passes;
        }
        self.to_host.push(frame);
        if self.to_host.len() >= BATCH {
            self.flush_host();
        }
    }

    fn punt_link(&mut self, link: LinkId, frame: Frame) {
        self.punt(Input::LinkRx(link, frame));
    }

    fn punt_host(&mut self, frame: Frame) {
        self.punt(Input::HostRx(frame));
    }

    fn flow(&mut self, next: NextHop, dest: MacAddr) {
        self.punt(Input::Flow(next, dest));
    }

    #[inline]
    fn recycle(&mut self, frame: Frame) {
        self.gear.pool.put(frame);
    }
}

impl Io {
    fn punt(&mut self, input: Input) {
        if self.punted.len() < MOST_PUNTED {
            self.punted.push(input);
        } else {
            self.lost_punts += 1;
        }
    }

    fn flush(&mut self, fib: &Fib) {
        if let Some(gates) = &mut self.gates {
            while let Some(frame) = gates.up.pop(self.now, |old| self.gear.pool.put(old)) {
                self.to_host.push(frame);
            }
        }
        self.flush_host();
        for link in self.links.iter_mut().flatten() {
            link.flush(fib, &mut self.gear, self.now);
        }
    }

    fn flush_host(&mut self) {
        if let Some(tap) = &mut self.tap {
            tap.send(&mut self.gear, &mut self.to_host);
        } else {
            self.to_host.clear();
        }
    }
}

/// Every queue hashes in its own way.
const fn next_seed(seed: u64) -> u64 {
    seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1)
}
