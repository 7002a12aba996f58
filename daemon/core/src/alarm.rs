//! Signs that somebody lies, or that two devices share an address, for people to look at.
//!
//! Nothing in the protocol proves who sent a message, so some lies cannot be prevented. What can
//! be done is to bound what they bring and to say that they happen. A sign counts once per second:
//! late copies of honest messages, of which there are many after a restart, are over within
//! seconds. Source: "Pitfalls" B 1, 2, 3 and 6.

use crate::border::Event;
use crate::config::LinkId;
use crate::fib::{NextHop, Table};
use crate::iv::tq::apply_hop_penalty;
use crate::mesh::Mesh;
use crate::time::{Duration, Instant};
use crate::window::{WINDOW, distance};
use packet::MacAddr;
use packet::consts::{TQ_MAX, TTL};

/// Different seconds with a sign before people are told ...
const SECONDS: u8 = 6;
/// ... all of them within this time.
const WITHIN: Duration = Duration::from_secs(60);
/// A liar is told of once in this time.
const AGAIN: Duration = Duration::from_secs(300);
/// An originator's numbers may be this far behind the newest one without being another node's.
const LATE: Duration = Duration::from_secs(5);
/// Own messages of an earlier life are over this long after a start.
const FORMER_LIFE: Duration = Duration::from_secs(15);
/// An own number older than this is none of ours that is still on its way.
const ANCIENT: i32 = -4096;
/// V: no link that a relay can have is faster, in units of 100 kbit/s: 1 Tbit/s.
const FASTEST: u32 = 10_000_000;

/// How often something was heard that does not fit.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Doubt {
    since: Instant,
    last: Instant,
    seconds: u8,
    told: Option<Instant>,
}

impl Doubt {
    /// Notes a sign; true if people should be told now.
    pub(crate) fn note(&mut self, now: Instant) -> bool {
        if self.seconds > 0 && now.since(self.since) > WITHIN {
            self.seconds = 0;
        }
        if self.seconds == 0 {
            self.since = now;
        } else if now.since(self.last) < Duration::from_secs(1) {
            return false;
        }
        self.last = now;
        self.seconds = self.seconds.saturating_add(1);
        let tell = self.seconds >= SECONDS && self.told.is_none_or(|at| now.since(at) >= AGAIN);
        if tell {
            self.told = Some(now);
        }
        tell
    }
}

impl Mesh {
    /// The next hop to an originator, if it was heard of that way within the last seconds: then a
    /// restart of the originator is heard there as well, and elsewhere it is not believed.
    pub(crate) fn steady_hop(&self, orig: MacAddr, now: Instant) -> Option<NextHop> {
        let o = self.originators.get(&orig)?;
        let hop = o.router(Table::Host)?;
        o.way(hop).filter(|w| w.metric(Table::Host) > 0 && now.since(w.last_seen) < LATE).map(|_| hop)
    }

    /// An originator's messages are numbered in two ways at once.
    pub(crate) fn doubt_numbers(&mut self, orig: MacAddr, hop: NextHop, now: Instant) {
        if self.originators.get_mut(&orig).is_some_and(|o| o.doubt.note(now)) {
            self.event(Event::AddressTwice { orig, link: hop.link, neigh: hop.neigh });
        }
    }

    /// True if a number is so far behind the newest one that it cannot be late.
    pub(crate) fn is_far_behind(&self, diff: i32) -> bool {
        let interval = self.cfg.orig_interval.as_millis().max(1);
        let late = i32::try_from(LATE.as_millis() / interval).unwrap_or(i32::MAX);
        diff <= -late.max(5)
    }

    /// A message in the name of one of our interfaces was heard: is it one that we sent?
    /// `next` is the number that our next one gets.
    pub(crate) fn doubt_own(&mut self, orig: MacAddr, next: u32, seqno: u32, hop: NextHop, now: Instant) {
        let diff = distance(next, seqno);
        if (ANCIENT..0).contains(&diff) || now.since(self.started) < FORMER_LIFE {
            return;
        }
        if self.links.get_mut(&hop.link).is_some_and(|l| l.twin.note(now)) {
            self.event(Event::AddressTwice { orig, link: hop.link, neigh: hop.neigh });
        }
    }

    /// IV: the same for an OGM, which may be a link-sensing one.
    pub(crate) fn doubt_own_ogm(&mut self, orig: MacAddr, seqno: u32, hop: NextHop, now: Instant) {
        let Some(link) = self.links.values().find(|l| l.cfg.mac == orig) else { return };
        let sense = distance(link.sense_seqno, seqno);
        if !(-(WINDOW as i32)..0).contains(&sense) {
            self.doubt_own(orig, link.seqno, seqno, hop, now);
        }
    }

    /// IV: a relay announces a quality that no way of that many hops has, even where others take
    /// half the penalty per hop that we take. Penalties may differ, so that it is only told.
    pub(crate) fn doubt_quality(&mut self, orig: MacAddr, hop: NextHop, tq: u8, ttl: u8, now: Instant) {
        let relays = TTL.saturating_sub(ttl);
        let best = (0..relays).fold(TQ_MAX, |best, _| apply_hop_penalty(best, self.cfg.hop_penalty / 2));
        if tq > best {
            self.doubt_neighbor(orig, hop, now);
        }
    }

    /// V: a relay announces a throughput that no link has.
    pub(crate) fn doubt_throughput(&mut self, orig: MacAddr, hop: NextHop, throughput: u32, now: Instant) {
        if throughput > FASTEST {
            self.doubt_neighbor(orig, hop, now);
        }
    }

    fn doubt_neighbor(&mut self, orig: MacAddr, hop: NextHop, now: Instant) {
        let neighbor = self.links.get_mut(&hop.link).and_then(|l| l.neighbors.get_mut(&hop.neigh));
        if neighbor.is_some_and(|n| n.doubt.note(now)) {
            self.event(Event::MetricImplausible { orig, link: hop.link, neigh: hop.neigh });
        }
    }

    /// A neighbour passes for a further interface of an originator. Who is an originator itself is
    /// none.
    pub(crate) fn doubt_primary(&mut self, orig: MacAddr, link: LinkId, neigh: MacAddr, now: Instant) {
        let own = self.links.get(&link).and_then(|l| l.neighbors.get(&neigh)).and_then(|n| n.originator);
        if orig != neigh && own == Some(neigh) {
            self.doubt_numbers(orig, NextHop { link, neigh }, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn at(ms: u64) -> Instant {
        Instant::from_micros(ms * 1000)
    }

    #[test]
    fn many_signs_in_a_moment_are_one() {
        let mut d = Doubt::default();
        assert!((0..4900).all(|ms| !d.note(at(ms))), "late copies after a restart");
        assert!(!d.note(at(120_000)));
        let told: Vec<u64> = (0..400).filter(|s| d.note(at(120_000 + s * 1000))).collect();
        assert_eq!(told, [5, 310]);
    }

    #[test]
    fn rare_signs_are_no_sign() {
        let mut d = Doubt::default();
        assert!((0..100).all(|n| !d.note(at(n * 15_000))));
    }
}
