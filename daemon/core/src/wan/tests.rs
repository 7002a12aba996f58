//! A model of a line with a queue at each end, TCP flows that fill it, and the real gates and control.

use super::delay::MOST_HOSTS;
use super::gate::{Gate, KEPT_DOWN, KEPT_UP};
use super::line::State;
use super::{Control, TICK};
use crate::frame::Frame;
use crate::time::{Duration, Instant};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use std::eprintln;

const FRAME: usize = 1514;
const ACK: usize = 66;
/// Bytes that a modem's queue takes: 100 ms of 20 Mbit/s, much more of a slow one.
const BUFFER: usize = 250_000;
const MBIT: f64 = 125.0; // bytes a millisecond

#[derive(Clone, Copy, Debug, PartialEq)]
enum What {
    Data,
    Ack,
    Probe(u16),
}

#[derive(Clone, Copy, Debug)]
struct Packet {
    flow: usize,
    what: What,
    len: usize,
    /// When it was sent by its TCP; probes: when it entered this direction.
    sent: u64,
}

/// One direction: a tail-drop queue before a wire.
struct Pipe {
    rate: f64,
    credit: f64,
    queue: VecDeque<Packet>,
    bytes: usize,
    /// Bytes as the interface of the gateway counts them.
    counted: u64,
}

impl Pipe {
    fn new(rate: f64) -> Self {
        Self { rate, credit: 0.0, queue: VecDeque::new(), bytes: 0, counted: 0 }
    }
    fn push(&mut self, p: Packet, buffer: usize) -> bool {
        let fits = self.bytes + p.len <= buffer;
        if fits {
            self.bytes += p.len;
            self.queue.push_back(p);
        }
        fits
    }
    fn run(&mut self, mut out: impl FnMut(Packet)) {
        self.credit = (self.credit + self.rate).min(self.rate.max(FRAME as f64) * 2.0);
        while self.queue.front().is_some_and(|p| p.len as f64 <= self.credit) {
            let p = self.queue.pop_front().unwrap();
            self.credit -= p.len as f64;
            self.bytes -= p.len;
            out(p);
        }
    }
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Kind {
    /// CUBIC that always has something to send.
    Tcp,
    /// So many Mbit/s, whatever is lost.
    Steady(f64),
}

struct Flow {
    guest: bool,
    down: bool,
    kind: Kind,
    from: u64,
    until: u64,
    cwnd: f64,
    ssthresh: f64,
    wmax: f64,
    epoch: u64,
    inflight: f64,
    /// No second answer to losses before this.
    recover: u64,
    owed: f64,
    /// Bytes that arrived, by 100 ms.
    got: Vec<f64>,
}

impl Flow {
    fn new(guest: bool, down: bool, kind: Kind, from: u64, until: u64) -> Self {
        let (cwnd, ssthresh) = (10.0, 1e9);
        let (inflight, owed, got) = (0.0, 0.0, Vec::new());
        Self { guest, down, kind, from, until, cwnd, ssthresh, wmax: 0.0, epoch: 0, inflight, recover: 0, owed, got }
    }
    fn acked(&mut self, rtt: u64, now: u64) {
        self.inflight -= 1.0;
        if self.cwnd < self.ssthresh {
            self.cwnd += 1.0;
            // HyStart: leaves slow start once the way takes longer.
            if rtt > 45 && self.cwnd > 16.0 {
                self.ssthresh = self.cwnd;
                (self.wmax, self.epoch) = (self.cwnd, now);
            }
            return;
        }
        let k = (self.wmax * 0.3 / 0.4).cbrt();
        let t = (now - self.epoch) as f64 / 1000.0 + rtt as f64 / 1000.0;
        let target = 0.4 * (t - k).powi(3) + self.wmax;
        let friendly = self.wmax * 0.7 + 0.53 * t / (rtt.max(1) as f64 / 1000.0);
        let target = target.max(friendly).min(self.cwnd * 1.5);
        if target > self.cwnd {
            self.cwnd += (target - self.cwnd) / self.cwnd;
        }
    }
    fn lost(&mut self, sent: u64, now: u64) {
        self.inflight -= 1.0;
        if sent >= self.recover {
            self.recover = now;
            self.wmax = if self.cwnd < self.wmax { self.cwnd * 0.85 } else { self.cwnd };
            self.cwnd = (self.cwnd * 0.7).max(2.0);
            self.ssthresh = self.cwnd;
            self.epoch = now;
        }
    }
}

enum Event {
    /// At the far end of its direction.
    Arrive(Packet, bool),
    /// Into the far queue of the direction down.
    EnterDown(Packet),
    /// Into the up direction at the gateway: by the gate if it is a guest's.
    EnterUp(Packet),
    Lost(Packet),
    Answer(u16, i32),
}

struct World {
    now: u64,
    pipes: [Pipe; 2],
    buffer: usize,
    rtt: u64,
    flows: Vec<Flow>,
    events: Vec<VecDeque<Event>>,
    gates: Option<[Gate; 2]>,
    control: Control,
    one_way: bool,
    number: u16,
    sent_at: [u64; 65536 / 256],
    went_up: [u64; 256],
    /// Longest queue of each direction by 100 ms, in ms.
    queues: Vec<[f64; 2]>,
    log: bool,
}

const RING: usize = 1024;

impl World {
    fn new(shaped: bool, flows: Vec<Flow>) -> Self {
        let mut control = Control::default();
        control.delay.begin(1.min(MOST_HOSTS));
        Self {
            now: 0,
            pipes: [Pipe::new(50.0 * MBIT), Pipe::new(10.0 * MBIT)],
            buffer: BUFFER,
            rtt: 20,
            flows,
            events: core::iter::repeat_with(VecDeque::new).take(RING).collect(),
            gates: shaped.then(|| [Gate::new(1, KEPT_DOWN), Gate::new(2, KEPT_UP)]),
            control,
            one_way: true,
            number: 0,
            sent_at: [0; 256],
            went_up: [0; 256],
            queues: Vec::new(),
            log: false,
        }
    }

    fn at(&mut self, after: u64, e: Event) {
        let slot = ((self.now + after.max(1)) as usize) % RING;
        self.events[slot].push_back(e);
    }

    fn instant(&self) -> Instant {
        Instant::from_micros(self.now * 1000)
    }

    /// The gateway has it, on its way to a host inside.
    fn came_down(&mut self, p: Packet) {
        self.pipes[0].counted += p.len as u64;
        if let What::Probe(n) = p.what {
            // Clocks that tell milliseconds, one of them wrong by a minute.
            let up = self.went_up[usize::from(n % 256)] as i64 - self.sent_at[usize::from(n % 256)] as i64 + 60_000;
            let down = self.now as i64 - self.went_up[usize::from(n % 256)] as i64 - 60_000;
            let e = Event::Answer(n, ((up - down) * 1000) as i32);
            return self.at(1, e);
        }
        if self.flows[p.flow].guest && self.gates.is_some() {
            self.through_gate(0, p);
        } else {
            self.at(1, Event::Arrive(p, true));
        }
    }

    fn through_gate(&mut self, side: usize, p: Packet) {
        let now = self.instant();
        let Some(gates) = &mut self.gates else { return };
        let mut frame = Frame::zeroed(p.len);
        let b = frame.bytes_mut();
        b[0] = p.flow as u8;
        b[1] = u8::from(p.what == What::Ack);
        b[2..10].copy_from_slice(&p.sent.to_be_bytes());
        let mut lost = Vec::new();
        let who = p.flow as u64 % 4;
        let passed = gates[side]
            .push(frame, who, p.flow as u64 * 2 + u64::from(p.what == What::Ack), now, |f| lost.push(packet(&f)));
        for p in lost {
            self.at(self.rtt, Event::Lost(p));
        }
        if let Some(f) = passed {
            self.out_of_gate(side, packet(&f));
        }
    }

    fn out_of_gate(&mut self, side: usize, p: Packet) {
        if side == 0 {
            self.at(2, Event::Arrive(p, true));
        } else {
            self.go_up(p);
        }
    }

    fn go_up(&mut self, p: Packet) {
        self.pipes[1].counted += p.len as u64;
        if !self.pipes[1].push(p, self.buffer) && p.what == What::Data {
            self.at(self.rtt, Event::Lost(p));
        }
    }

    fn step(&mut self) {
        self.now += 1;
        let now = self.now;
        // Events of this millisecond.
        let slot = (now as usize) % RING;
        for e in core::mem::take(&mut self.events[slot]) {
            match e {
                Event::EnterDown(p) => {
                    if !self.pipes[0].push(p, self.buffer) && p.what == What::Data {
                        self.at(self.rtt, Event::Lost(p));
                    }
                }
                Event::EnterUp(p) => {
                    if self.flows[p.flow].guest && self.gates.is_some() {
                        self.through_gate(1, p)
                    } else {
                        self.go_up(p)
                    }
                }
                Event::Arrive(p, down) => match p.what {
                    What::Data => {
                        let at = (now / 100) as usize;
                        let flow = &mut self.flows[p.flow];
                        flow.got.resize(flow.got.len().max(at + 1), 0.0);
                        flow.got[at] += p.len as f64;
                        if flow.kind == Kind::Tcp {
                            let ack = Packet { what: What::Ack, len: ACK, ..p };
                            let e = if down { Event::EnterUp(ack) } else { Event::EnterDown(ack) };
                            self.at(1, e);
                        }
                    }
                    What::Ack => {
                        let rtt = now - p.sent;
                        self.flows[p.flow].acked(rtt, now);
                    }
                    What::Probe(_) => {}
                },
                Event::Lost(p) => {
                    let flow = &mut self.flows[p.flow];
                    if flow.kind == Kind::Tcp {
                        if p.what == What::Data {
                            flow.lost(p.sent, now);
                        } else {
                            // The next one says the same.
                            flow.inflight -= 1.0;
                        }
                    }
                }
                Event::Answer(n, skew) => {
                    let at = self.instant();
                    self.control.delay.answered(n, self.one_way.then_some(skew), at);
                }
            }
        }
        // Senders.
        for i in 0..self.flows.len() {
            loop {
                let flow = &mut self.flows[i];
                if now < flow.from || now >= flow.until {
                    break;
                }
                match flow.kind {
                    Kind::Tcp if flow.inflight + 1.0 > flow.cwnd => break,
                    Kind::Tcp => flow.inflight += 1.0,
                    Kind::Steady(mbit) => {
                        if flow.owed <= 0.0 {
                            flow.owed += mbit * MBIT;
                            if flow.owed <= 0.0 {
                                break;
                            }
                        }
                        flow.owed -= FRAME as f64;
                    }
                }
                let p = Packet { flow: i, what: What::Data, len: FRAME, sent: now };
                if self.flows[i].down {
                    self.at(self.rtt / 2 - 1, Event::EnterDown(p));
                } else {
                    self.at(1, Event::EnterUp(p));
                }
                if matches!(self.flows[i].kind, Kind::Steady(_)) && self.flows[i].owed <= 0.0 {
                    break;
                }
            }
        }
        // Gates.
        for side in 0..2 {
            loop {
                let at = self.instant();
                let Some(gates) = &mut self.gates else { break };
                let mut lost = Vec::new();
                let out = gates[side].pop(at, |f| lost.push(packet(&f)));
                for p in lost {
                    self.at(self.rtt, Event::Lost(p));
                }
                let Some(f) = out else { break };
                self.out_of_gate(side, packet(&f));
            }
        }
        // The wires.
        let mut out = Vec::new();
        self.pipes[0].run(|p| out.push(p));
        for p in out.drain(..) {
            self.came_down(p);
        }
        self.pipes[1].run(|p| out.push(p));
        let far = self.rtt / 2 - 1;
        for p in out {
            match p.what {
                What::Data => self.at(far, Event::Arrive(p, false)),
                What::Ack => self.at(far, Event::Arrive(p, false)),
                What::Probe(n) => {
                    self.went_up[usize::from(n % 256)] = now + far;
                    self.at(far, Event::EnterDown(p));
                }
            }
        }
        let at = (now / 100) as usize;
        self.queues.resize(self.queues.len().max(at + 1), [0.0; 2]);
        for side in 0..2 {
            let ms = self.pipes[side].bytes as f64 / self.pipes[side].rate;
            self.queues[at][side] = self.queues[at][side].max(ms);
        }
        // Control.
        if now.is_multiple_of(50) && self.gates.is_some() {
            self.number = self.number.wrapping_add(1);
            let (n, at) = (self.number, self.instant());
            self.sent_at[usize::from(n % 256)] = now;
            self.control.delay.ask(n, 0, at);
            self.go_up(Packet { flow: 0, what: What::Probe(n), len: 98, sent: now });
            assert_eq!(TICK, Duration::from_millis(50));
            let (counted_down, counted_up) = (self.pipes[0].counted, self.pipes[1].counted);
            if let Some([down, up]) = &mut self.gates {
                self.control.tick(down.at_arrival(counted_down), up.at_leave(counted_up), at);
                down.set_rate(Some(self.control.down.allowed()), at);
                up.set_rate(Some(self.control.up.allowed()), at);
            }
            if self.log && now.is_multiple_of(100) {
                let c = &mut self.control;
                let q = c.delay.queues(at);
                let (d, u) = (&c.down, &c.up);
                eprintln!(
                    "{:6} q {:?} real {:.0}/{:.0} ms | down {} rate {:.1} allowed {:.1} all {:.1} guests {:.1} | up {} rate {:.1} allowed {:.1} all {:.1} guests {:.1}",
                    now,
                    q.map(|q| (q.both / 1000, q.down / 1000, q.up / 1000)),
                    self.pipes[0].bytes as f64 / self.pipes[0].rate,
                    self.pipes[1].bytes as f64 / self.pipes[1].rate,
                    d.state().name(),
                    mb(d.rate().unwrap_or(0)),
                    mb(d.allowed()),
                    mb(d.passing().0),
                    mb(d.passing().1),
                    u.state().name(),
                    mb(u.rate().unwrap_or(0)),
                    mb(u.allowed()),
                    mb(u.passing().0),
                    mb(u.passing().1),
                );
            }
        }
    }

    fn run(&mut self, until_ms: u64) {
        while self.now < until_ms {
            self.step();
        }
    }

    /// Mbit/s of some flows over a time.
    fn rate(&self, guest: bool, down: bool, from: u64, until: u64) -> f64 {
        let all = self.flows.iter().filter(|f| f.guest == guest && f.down == down);
        let bytes: f64 = all
            .map(|f| f.got.iter().skip((from / 100) as usize).take(((until - from) / 100) as usize).sum::<f64>())
            .sum();
        bytes / (until - from) as f64 / MBIT
    }
}

fn mb(bytes: u64) -> f64 {
    bytes as f64 / 125_000.0
}

fn packet(f: &Frame) -> Packet {
    let b = f.bytes();
    let sent = u64::from_be_bytes(b[2..10].try_into().unwrap());
    let what = if b[1] == 1 { What::Ack } else { What::Data };
    Packet { flow: usize::from(b[0]), what, len: b.len(), sent }
}

/// Four guests' flows in one direction, from the start.
fn guests(down: bool, until: u64) -> Vec<Flow> {
    (0..4).map(|i| Flow::new(true, down, Kind::Tcp, 500 + i * 20, until)).collect()
}

const SPEEDS: [(f64, f64); 3] = [(50.0, 10.0), (20.0, 4.0), (50.0, 10.0)];

/// The line of 50/10 Mbit/s that drops to 20/4 and returns.
fn dropping(w: &mut World, each: u64) {
    for (i, (down, up)) in SPEEDS.into_iter().enumerate() {
        w.pipes[0].rate = down * MBIT;
        w.pipes[1].rate = up * MBIT;
        w.run(each * (i as u64 + 1));
    }
}

/// What the owner gets of what it gets alone, and guests of what the owner leaves, 5 s after each change and later.
fn shares(name: &str, one_way: bool, down: bool, owner: Option<Kind>) -> Vec<[f64; 2]> {
    let each = 20_000;
    let owner: Vec<Kind> = owner.into_iter().collect();
    let owner = || owner.iter().map(|&kind| Flow::new(false, down, kind, 500, each * 3));
    let mut alone = World::new(false, owner().collect());
    dropping(&mut alone, each);
    let mut both = World::new(true, guests(down, each * 3).into_iter().chain(owner()).collect());
    both.one_way = one_way;
    both.log = std::env::var("WAN_LOG").is_ok();
    dropping(&mut both, each);
    let mut out = Vec::new();
    for (i, speeds) in SPEEDS.into_iter().enumerate() {
        let speed = if down { speeds.0 } else { speeds.1 };
        let (from, until) = (each * i as u64 + 5_000, each * (i as u64 + 1));
        let rates = |w: &World, guest| w.rate(guest, down, from, until).abs();
        let (a, o, g) = (rates(&alone, false), rates(&both, false), rates(&both, true));
        let waits = |w: &World| {
            let q = w.queues.iter().skip(from as usize / 100).take((until - from) as usize / 100);
            q.map(|q| q[usize::from(!down)]).sum::<f64>() / ((until - from) / 100) as f64
        };
        let share = [if a > 0.0 { o / a } else { 1.0 }, g / (speed - o).max(0.05 * speed)];
        eprintln!(
            "{name}, {}, {} {speed}: owner {o:.2} of {a:.2} = {:.3}, guests {g:.2} = {:.3} of what is left, queue {:.0} ms, alone {:.0}",
            if one_way { "clocks" } else { "no clocks" },
            if down { "down" } else { "up" },
            share[0],
            share[1],
            waits(&both),
            waits(&alone)
        );
        out.push(share);
    }
    out
}

fn each_way(name: &str, owner: impl Fn(f64) -> Option<Kind>, check: impl Fn([f64; 2]) -> bool) {
    let ways = [(true, true), (true, false), (false, true), (false, false)];
    let all: Vec<_> =
        ways.map(|(one_way, down)| shares(name, one_way, down, owner(if down { 1.0 } else { 0.2 }))).into();
    assert!(all.iter().flatten().all(|s| check(*s)), "{all:?}");
}

#[test]
fn an_idle_line_is_the_guests() {
    each_way("idle", |_| None, |[_, guests]| guests > 0.8);
}

#[test]
fn the_owner_fills_the_line() {
    each_way("fills", |_| Some(Kind::Tcp), |[owner, _]| owner > 0.9);
}

#[test]
fn the_owner_uses_a_part() {
    each_way("part", |x| Some(Kind::Steady(8.0 * x)), |[owner, guests]| owner > 0.9 && guests > 0.8);
}

#[test]
fn states_have_names() {
    assert_eq!([State::Blind, State::Free, State::Full].map(State::name), ["blind", "free", "full"]);
}
