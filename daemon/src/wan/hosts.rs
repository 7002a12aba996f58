//! Who is asked how long the queues of the line are: somebody behind it, and near.
//!
//! Nobody has to be named. Packets that live for one hop, two hops and so on are sent towards the Internet; the
//! routers on the way say that they came no further, and so who they are. Those are asked directly then. The
//! farthest of them that answer are taken, as the nearest ones stand before the line: a modem, another router
//! at home.

use super::icmp::{Ask, Heard, Icmp, What};
use mesh_core::{Duration, Instant};
use std::net::Ipv4Addr;

/// Where packets that never arrive are sent to: a root name server (k), which is routed everywhere.
const FAR: Ipv4Addr = Ipv4Addr::new(193, 0, 14, 129);
/// They live for so many hops at most.
const HOPS: u8 = 8;
/// Most hosts that are tried.
const TRIED: usize = 12;
/// Most that are taken.
const TAKEN: usize = 3;
/// Time between two questions.
const PACE: Duration = Duration::from_millis(40);
/// Time for answers.
const PATIENCE: Duration = Duration::from_millis(1500);
/// Numbers of the questions here begin with this.
const FIRST: u16 = 0xf000;

/// A host behind the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Host {
    pub(super) ip: Ipv4Addr,
    pub(super) ask: Ask,
}

#[derive(Debug, Clone, Copy)]
struct Tried {
    ip: Ipv4Addr,
    /// Hops away; those that were named have none.
    hops: Option<u8>,
    echo: bool,
    stamp: bool,
    took: Duration,
}

enum Step {
    /// The next number of hops to try.
    Trace(u8),
    /// The next of those tried, twice in turns.
    Ask(usize),
    Wait,
}

/// A search for hosts.
pub(super) struct Search {
    named: bool,
    tried: Vec<Tried>,
    step: Step,
    next: Instant,
    sent: Vec<Instant>,
}

impl Search {
    /// Begins; `named` are asked and nobody else, if there are any.
    pub(super) fn new(named: &[Ipv4Addr], now: Instant) -> Self {
        let tried = |&ip: &Ipv4Addr| Tried { ip, hops: None, echo: false, stamp: false, took: Duration::ZERO };
        let tried: Vec<Tried> = named.iter().take(TAKEN).map(tried).collect();
        let step = if tried.is_empty() { Step::Trace(0) } else { Step::Ask(0) };
        Self { named: !tried.is_empty(), tried, step, next: now, sent: Vec::new() }
    }

    /// When it wants to go on.
    pub(super) fn next(&self) -> Instant {
        self.next
    }

    /// Goes on; the hosts when it is done, none if nobody answered.
    pub(super) fn step(&mut self, icmp: &Icmp, now: Instant) -> Option<Vec<Host>> {
        if now < self.next {
            return None;
        }
        self.next = now + PACE;
        match self.step {
            Step::Trace(n) if n < 2 * HOPS => {
                let hops = n % HOPS + 1;
                let _ = icmp.ask(Ask::Echo, FAR, FIRST + u16::from(hops), u32::from(hops));
                self.step = Step::Trace(n + 1);
                if n + 1 == 2 * HOPS {
                    self.next = now + PATIENCE;
                }
            }
            Step::Trace(_) => self.step = Step::Ask(0),
            Step::Ask(n) if n < 4 * self.tried.len() => {
                let ask = if n < 2 * self.tried.len() { Ask::Echo } else { Ask::Stamp };
                if let Some(host) = self.tried.get(n % self.tried.len()) {
                    let _ = icmp.ask(ask, host.ip, FIRST + 256 + self.sent.len() as u16, 64);
                }
                self.sent.push(now);
                self.step = Step::Ask(n + 1);
                if n + 1 == 4 * self.tried.len() {
                    self.next = now + PATIENCE;
                }
            }
            Step::Ask(_) => {
                self.step = Step::Wait;
                return Some(choose(&self.tried, self.named));
            }
            Step::Wait => {}
        }
        None
    }

    /// Takes an answer in.
    pub(super) fn heard(&mut self, heard: Heard, now: Instant) {
        let Some(number) = heard.number.checked_sub(FIRST) else { return };
        if let Some(asked) = number.checked_sub(256) {
            let Some(host) = self.tried.iter_mut().find(|t| t.ip == heard.from) else { return };
            match heard.what {
                What::Echo => host.echo = true,
                What::Stamp(skew) => host.stamp |= skew.is_some(),
                What::NoFurther => return,
            }
            if let Some(sent) = self.sent.get(usize::from(asked)) {
                let took = now.since(*sent);
                host.took = if host.took.is_zero() { took } else { host.took.min(took) };
            }
        } else if self.tried.len() < TRIED && self.tried.iter().all(|t| t.ip != heard.from) {
            let hops = u8::try_from(number).ok();
            self.tried.push(Tried { ip: heard.from, hops, echo: false, stamp: false, took: Duration::ZERO });
        }
    }
}

/// The farthest that answer, and none that answers much sooner than those: it stands before the line.
fn choose(tried: &[Tried], named: bool) -> Vec<Host> {
    let mut good: Vec<&Tried> = tried.iter().filter(|t| t.echo || t.stamp).collect();
    good.sort_by_key(|t| std::cmp::Reverse(t.hops));
    good.truncate(TAKEN);
    let longest = good.iter().map(|t| t.took).max().unwrap_or_default();
    if !named {
        good.retain(|t| t.took * 2 >= longest);
    }
    good.iter().map(|t| Host { ip: t.ip, ask: if t.stamp { Ask::Stamp } else { Ask::Echo } }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_modem_is_not_asked() {
        let host = |n: u8, echo, stamp, ms| Tried {
            ip: Ipv4Addr::new(10, 0, 0, n),
            hops: Some(n),
            echo,
            stamp,
            took: Duration::from_millis(ms),
        };
        let all = [host(1, true, true, 1), host(3, true, false, 12), host(2, true, true, 9), host(4, false, false, 0)];
        let taken = choose(&all, false);
        let expected = [(3, Ask::Echo), (2, Ask::Stamp)];
        assert_eq!(taken, expected.map(|(n, ask)| Host { ip: Ipv4Addr::new(10, 0, 0, n), ask }));
        assert_eq!(choose(&all[..1], false).len(), 1, "better than nobody");
        assert_eq!(choose(&all, true).len(), 3, "who was named is asked");
        assert_eq!(choose(&[], false), []);
    }
}
