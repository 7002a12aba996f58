//! The owner's line to the Internet, shared: measures it, and sets how much of it guests may have.
//!
//! The rules are the core's ([`mesh_core::wan`]); here are the counters of the interface, the questions and answers,
//! and what this machine hands on. Nothing is set up in the system, so nothing is left behind: guests wait in this
//! program, between mesh and mesh interface.

mod hosts;
mod icmp;

use crate::io::gates::Gates;
use crate::netlink::{LinkTable, Watcher};
use crate::uplink::route;
use hosts::{Host, Search};
use icmp::{Icmp, What};
use mesh_core::wan::line::{Line, State};
use mesh_core::wan::{Control, TICK};
use mesh_core::{Duration, Instant, LineNews};
use std::fs::File;
use std::net::Ipv4Addr;
use std::os::unix::fs::FileExt as _;
use std::task::Context;

/// Time between two looks while guests send nothing.
const IDLE_TICK: Duration = Duration::from_secs(1);
/// Guests that sent nothing for so long are idle.
const IDLE: Duration = Duration::from_secs(10);
/// Time between two questions while guests are idle.
const IDLE_ASK: Duration = Duration::from_secs(5);
/// Time between two looks at interfaces and routes.
const LOOK: Duration = Duration::from_secs(3);
/// Time until hosts are searched for again where none answers.
const SEARCH_AGAIN: Duration = Duration::from_secs(30);
/// Nobody answers for so long while we ask: others are searched for.
const DEAF: Duration = Duration::from_secs(5);
/// A rate that changed by less is not told again: one part in so many.
const NEWS_PART: u64 = 4;
/// A rate is told once it has changed by no more than one part in so many ...
const STEADY_PART: u64 = 8;
/// ... for so long.
const STEADY: Duration = Duration::from_secs(2);
/// Whether somebody answers is said when they had so long to.
const ANSWERS_AFTER: Duration = Duration::from_secs(3);

/// How the line is shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WanSetup {
    /// The interface of the line, `None` to go by the default route.
    pub interface: Option<String>,
    /// Most that guests get from the Internet, in units of 100 kbit/s.
    pub down: Option<u32>,
    /// Most that guests get towards it, in units of 100 kbit/s.
    pub up: Option<u32>,
    /// Who is asked; empty to find out.
    pub ask: Vec<Ipv4Addr>,
}

/// What is known of one direction, rates in kbit/s.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DirectionView {
    /// What the line can carry, `None` while no queue ever stood.
    pub line: Option<u64>,
    /// What guests may have now.
    pub allowed: u64,
    /// What passes, of guests.
    pub guests: u64,
    /// What passes, of the owner.
    pub owner: u64,
    /// `free`, `full` or `blind`.
    pub state: &'static str,
    /// How long packets wait in the line, in microseconds; `None` while unknown.
    pub waits: Option<u32>,
    /// Guests' frames that wait here.
    pub waiting: usize,
    /// Guests' frames that were dropped here.
    pub dropped: u64,
}

/// What is known of the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WanView {
    /// Its interface.
    pub interface: String,
    /// From the Internet.
    pub down: DirectionView,
    /// Towards it.
    pub up: DirectionView,
    /// Who is asked.
    pub hosts: Vec<Ipv4Addr>,
    /// The directions are told apart.
    pub split: bool,
    /// Somebody else shapes what goes out by the interface, with this.
    pub qdisc: Option<String>,
}

/// The counters of an interface.
struct Counter {
    rx: File,
    tx: File,
}

impl Counter {
    fn open(interface: &str) -> std::io::Result<Self> {
        let open = |what| File::open(format!("/sys/class/net/{interface}/statistics/{what}_bytes"));
        Ok(Self { rx: open("rx")?, tx: open("tx")? })
    }

    /// Received and sent; `None` once the interface is gone.
    fn read(&self) -> Option<(u64, u64)> {
        let read = |file: &File| {
            let mut text = [0; 24];
            let n = file.read_at(&mut text, 0).ok()?;
            std::str::from_utf8(text.get(..n)?).ok()?.trim().parse().ok()
        };
        Some((read(&self.rx)?, read(&self.tx)?))
    }
}

/// An interface that is watched.
struct Open {
    name: String,
    counter: Counter,
    icmp: Icmp,
    search: Option<Search>,
    hosts: Vec<Host>,
    turn: usize,
    number: u16,
    next_ask: Instant,
    search_at: Instant,
    /// Since when everybody is asked and nobody answers.
    deaf: Option<Instant>,
    qdisc: Option<String>,
}

/// The shared line.
pub struct Wan {
    setup: WanSetup,
    mesh: String,
    control: Control,
    open: Option<Open>,
    look_at: Instant,
    tick_at: Instant,
    /// When guests were seen last, and since when they are.
    used: Instant,
    woken: Instant,
    /// The rates that were told, and those since when no others were seen.
    told: (u64, u64),
    steady: ((u64, u64), Instant),
    answers: Option<bool>,
    news: Vec<LineNews>,
}

impl Wan {
    /// Begins to share; `mesh` is the name of the mesh interface.
    pub fn new(setup: WanSetup, mesh: &str) -> Self {
        Self {
            setup,
            mesh: mesh.to_owned(),
            control: Control::default(),
            open: None,
            look_at: Instant::ZERO,
            tick_at: Instant::ZERO,
            used: Instant::ZERO,
            woken: Instant::ZERO,
            told: (0, 0),
            steady: ((0, 0), Instant::ZERO),
            answers: None,
            news: Vec::new(),
        }
    }

    /// When [`Wan::tick`] is due.
    pub fn next(&self) -> Instant {
        let search = self.open.as_ref().and_then(|o| o.search.as_ref()).map_or(Instant::FAR_FUTURE, Search::next);
        self.look_at.min(self.tick_at).min(search)
    }

    /// Takes in answers that have come. The task is woken when more come.
    pub fn poll(&mut self, cx: &mut Context<'_>, now: Instant) {
        let Self { open: Some(open), control, .. } = self else { return };
        let Open { icmp, search, .. } = open;
        icmp.poll(cx, |heard| {
            if let Some(search) = search {
                search.heard(heard, now);
            }
            match heard.what {
                What::Echo => drop(control.delay.answered(heard.number, None, now)),
                What::Stamp(skew) => drop(control.delay.answered(heard.number, skew, now)),
                What::NoFurther => {}
            }
        });
    }

    /// Guests send something: what was put off is done now.
    pub fn wake(&mut self, now: Instant) {
        if now.since(self.used) > IDLE {
            (self.tick_at, self.woken) = (now, now);
            if let Some(open) = &mut self.open {
                open.next_ask = now;
            }
        }
        self.used = now;
    }

    /// Does what is due, and sets the gates.
    pub fn tick(&mut self, gates: &mut Gates, watcher: &mut Watcher, host: u32, now: Instant) {
        if std::mem::take(&mut gates.used) {
            self.wake(now);
        }
        if now >= self.look_at {
            self.look_at = now + LOOK;
            self.look(gates, watcher, host, now);
        }
        let active = now.since(self.used) <= IDLE;
        if let Some(open) = &mut self.open {
            open.search(&mut self.control, &self.setup.ask, now);
            open.ask(&mut self.control, active, now);
        }
        if now < self.tick_at {
            return;
        }
        self.tick_at = now + if active { TICK } else { IDLE_TICK };
        let Some((rx, tx)) = self.open.as_ref().and_then(|o| o.counter.read()) else {
            // Without an interface nothing is known and nothing passes; the next look finds out.
            gates.down.set_rate(None, now);
            gates.up.set_rate(None, now);
            return;
        };
        let (down, up) = (gates.down.at_arrival(rx), gates.up.at_leave(tx));
        self.control.tick(down, up, now);
        let cap = |units: Option<u32>| units.map_or(u64::MAX, |u| u64::from(u) * 12_500);
        gates.down.set_rate(Some(self.control.down.allowed().min(cap(self.setup.down))), now);
        gates.up.set_rate(Some(self.control.up.allowed().min(cap(self.setup.up))), now);
        self.tell(active, now);
    }

    /// News since the last call.
    pub fn take_news(&mut self) -> Vec<LineNews> {
        std::mem::take(&mut self.news)
    }

    /// What is known of the line; `None` without one.
    pub fn view(&mut self, gates: &Gates, now: Instant) -> Option<WanView> {
        let open = self.open.as_ref()?;
        let queues = self.control.delay.queues(now);
        let view = |line: &Line, gate: &mesh_core::wan::gate::Gate, waits: Option<u32>| {
            let (all, guests) = line.passing();
            let dropped = gate.counts().late + gate.counts().full;
            DirectionView {
                line: line.rate().map(kbit),
                allowed: gate.rate().map_or(0, kbit),
                guests: kbit(guests),
                owner: kbit(all.saturating_sub(guests)),
                state: line.state().name(),
                waits,
                waiting: gate.len(),
                dropped,
            }
        };
        Some(WanView {
            interface: open.name.clone(),
            down: view(&self.control.down, &gates.down, queues.map(|q| q.down)),
            up: view(&self.control.up, &gates.up, queues.map(|q| q.up)),
            hosts: open.hosts.iter().map(|h| h.ip).collect(),
            split: self.control.delay.split(),
            qdisc: open.qdisc.clone(),
        })
    }

    /// Looks at the interface, its routes, and who else shapes it.
    fn look(&mut self, gates: &mut Gates, watcher: &mut Watcher, host: u32, now: Instant) {
        let name = self.setup.interface.clone();
        let name = name.or_else(|| route::default_interface(false, &self.mesh));
        let name = name.or_else(|| route::default_interface(true, &self.mesh));
        let index = name.as_deref().and_then(|n| watcher.table().by_name(n)).map(|l| l.index);
        let (Some(name), Some(index)) = (name, index) else {
            if let Some(old) = self.open.take() {
                tracing::info!(interface = old.name, "the line to the Internet is gone");
            }
            gates.reach.own.clear();
            return;
        };
        // An interface that went and came has other counters.
        let same = self.open.as_ref().is_some_and(|o| o.name == name && o.counter.read().is_some());
        if !same {
            match Open::new(&name, now) {
                Ok(open) => {
                    tracing::info!(interface = name, "guests get what the owner leaves of this line");
                    self.open = Some(open);
                    self.control = Control::default();
                    (self.told, self.answers) = ((0, 0), None);
                }
                Err(error) => {
                    tracing::debug!(interface = name, %error, "cannot watch the line to the Internet");
                    self.open = None;
                }
            }
        }
        gates.reach.own = own_macs(host, watcher.table());
        gates.reach.near = route::near(&name);
        let qdisc = watcher.requests().root_qdisc(index).ok().flatten().filter(|kind| shapes(kind));
        if let Some(open) = self.open.as_mut().filter(|o| o.qdisc != qdisc) {
            if let Some(kind) = &qdisc {
                self.news.push(LineNews::Shaper(kind.clone()));
            }
            open.qdisc = qdisc;
        }
    }

    /// Tells what changed, but not each step.
    fn tell(&mut self, active: bool, now: Instant) {
        let rates = (self.control.down.rate(), self.control.up.rate());
        let here = (rates.0.unwrap_or(0), rates.1.unwrap_or(0));
        let differs = |old: u64, new: u64, part: u64| new.abs_diff(old) * part > old;
        // While it is being searched for it changes all the time.
        let (seen, since) = self.steady;
        if differs(seen.0, here.0, STEADY_PART) || differs(seen.1, here.1, STEADY_PART) {
            self.steady = (here, now);
        } else if now.since(since) >= STEADY
            && (differs(self.told.0, here.0, NEWS_PART) || differs(self.told.1, here.1, NEWS_PART))
        {
            self.told = here;
            self.news.push(LineNews::Rate { down: rates.0.map(kbit), up: rates.1.map(kbit) });
        }
        let blind = self.control.down.state() == State::Blind;
        let asked = active && now.since(self.woken) > ANSWERS_AFTER;
        if asked && self.open.as_ref().is_some_and(|o| o.search.is_none()) && self.answers != Some(!blind) {
            // From the start that somebody answers is as it should be.
            if blind || self.answers.is_some() {
                self.news.push(if blind { LineNews::Silent } else { LineNews::Answers });
            }
            self.answers = Some(!blind);
        }
    }
}

impl Open {
    fn new(name: &str, now: Instant) -> std::io::Result<Self> {
        Ok(Self {
            name: name.to_owned(),
            counter: Counter::open(name)?,
            icmp: Icmp::open(name)?,
            search: None,
            hosts: Vec::new(),
            turn: 0,
            number: 0,
            next_ask: now,
            search_at: now,
            deaf: None,
            qdisc: None,
        })
    }

    /// Searches for hosts where there are none.
    fn search(&mut self, control: &mut Control, named: &[Ipv4Addr], now: Instant) {
        if self.search.is_none() && self.hosts.is_empty() && now >= self.search_at {
            self.search = Some(Search::new(named, now));
        }
        let Some(found) = self.search.as_mut().and_then(|s| s.step(&self.icmp, now)) else { return };
        self.search = None;
        self.search_at = now + SEARCH_AGAIN;
        tracing::debug!(interface = self.name, hosts = ?found, "these are asked how long the line's queues are");
        self.hosts = found;
        self.deaf = None;
        control.delay.begin(self.hosts.len());
    }

    /// Asks the next host, when it is time to.
    fn ask(&mut self, control: &mut Control, active: bool, now: Instant) {
        if now < self.next_ask || self.hosts.is_empty() {
            return;
        }
        // A timer that is a little late does not make the questions fewer.
        let pace = if active { TICK } else { IDLE_ASK };
        self.next_ask = (self.next_ask + pace).max(now + pace / 2);
        self.turn = (self.turn + 1) % self.hosts.len();
        self.number = (self.number + 1) % 0xf000;
        let Some(host) = self.hosts.get(self.turn) else { return };
        control.delay.ask(self.number, self.turn, now);
        if let Err(error) = self.icmp.ask(host.ask, host.ip, self.number, 64) {
            tracing::trace!(%error, "question not sent");
        }
        let heard = control.delay.answering(now) > 0;
        let deaf = *self.deaf.get_or_insert(now);
        if heard || !active {
            self.deaf = None;
        } else if now.since(deaf) > DEAF && now >= self.search_at {
            self.hosts.clear();
        }
    }
}

/// MACs of this machine where the mesh is: of the mesh interface, of VLANs on it, of bridges around them.
fn own_macs(host: u32, table: &LinkTable) -> Vec<packet::MacAddr> {
    let mut indexes = vec![host];
    // A VLAN on the mesh interface in a bridge, and a VLAN on that bridge, is as deep as it goes.
    for _ in 0..4 {
        for link in table.iter() {
            let above = link.below.is_some_and(|b| indexes.contains(&b));
            let around = table.iter().any(|l| l.master == Some(link.index) && indexes.contains(&l.index));
            if (above || around) && !indexes.contains(&link.index) {
                indexes.push(link.index);
            }
        }
    }
    let mut macs: Vec<_> = indexes.iter().filter_map(|i| table.by_index(*i)).map(|l| l.mac).collect();
    macs.sort();
    macs.dedup();
    macs
}

/// True for a qdisc that somebody has put there to decide who goes first or how much goes out.
fn shapes(kind: &str) -> bool {
    !matches!(kind, "noqueue" | "pfifo_fast" | "pfifo" | "bfifo" | "fq_codel" | "fq" | "mq" | "noop")
}

/// Of bytes a second.
fn kbit(bytes: u64) -> u64 {
    bytes / 125
}
