//! Nobody else has our address: announced, watched, and given up where somebody has the better right. Source: RFC 5227.
//!
//! Of two nodes with one address the one with the higher MAC moves on, whoever came first: so both say the same when
//! two islands that grew apart meet.

use packet::MacAddr;
use packet::arp::Arp;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

/// Announcements at the start, from each one to the next; then [`EVERY`]. For its first half minute in a bridge, loop
/// avoidance lets none out.
const FIRST: [Duration; 5] =
    [Duration::ZERO, Duration::from_secs(2), Duration::from_secs(10), Duration::from_secs(30), Duration::from_secs(60)];
const EVERY: Duration = Duration::from_secs(600);
/// Time between two answers to somebody who has to move.
const DEFEND: Duration = Duration::from_secs(2);
/// Most moves in [`MOVES_IN`]: who claims every address pushes nobody through all of them.
const MOVES: u32 = 8;
const MOVES_IN: Duration = Duration::from_secs(3600);

/// Our address, and how it stands.
#[derive(Debug)]
pub(super) struct Claim {
    mac: MacAddr,
    address: Ipv4Addr,
    announced: usize,
    next: Instant,
    defended: Option<Instant>,
    moves: u32,
    moves_since: Instant,
}

/// What to do about a frame.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing.
    Pass,
    /// Say again whose the address is.
    Announce,
    /// Move on.
    Yield,
    /// Somebody has our address, and we moved too often.
    Stuck,
}

impl Claim {
    pub(super) const fn new(mac: MacAddr, address: Ipv4Addr, now: Instant) -> Self {
        Self { mac, address, announced: 0, next: now, defended: None, moves: 0, moves_since: now }
    }

    pub(super) const fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// When [`Claim::due`] has something to say.
    pub(super) const fn next(&self) -> Instant {
        self.next
    }

    /// True if it is time to announce the address.
    pub(super) fn due(&mut self, now: Instant) -> bool {
        if now < self.next {
            return false;
        }
        self.announced += 1;
        self.next = now + FIRST.get(self.announced).copied().unwrap_or(EVERY);
        true
    }

    /// Others came whom we never heard: two islands have met.
    pub(super) fn met(&mut self, now: Instant) {
        self.announced = self.announced.min(1);
        self.next = self.next.min(now + FIRST.get(1).copied().unwrap_or(EVERY));
    }

    /// Somebody said something.
    pub(super) fn hear(&mut self, arp: &Arp, now: Instant) -> Verdict {
        let ours = self.address.octets();
        // Who only asks whether the address is free is answered by the system.
        if arp.sender_ip != ours || arp.sender_mac == self.mac || !arp.sender_mac.is_unicast() {
            return Verdict::Pass;
        }
        if self.mac < arp.sender_mac {
            if self.defended.is_some_and(|at| now.duration_since(at) < DEFEND) {
                return Verdict::Pass;
            }
            self.defended = Some(now);
            return Verdict::Announce;
        }
        if now.duration_since(self.moves_since) > MOVES_IN {
            (self.moves, self.moves_since) = (0, now);
        }
        self.moves += 1;
        if self.moves > MOVES { Verdict::Stuck } else { Verdict::Yield }
    }

    /// We have another address.
    pub(super) fn moved(&mut self, address: Ipv4Addr, now: Instant) {
        (self.address, self.announced, self.next) = (address, 0, now);
    }

    /// The announcement: a question for our own address.
    pub(super) fn announcement(&self) -> Arp {
        Arp::request((self.address, self.mac), self.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOW: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
    const HIGH: MacAddr = MacAddr([2, 0, 0, 0, 0, 2]);
    const IP: Ipv4Addr = Ipv4Addr::new(10, 64, 4, 1);

    #[test]
    fn the_higher_one_moves() {
        let now = Instant::now();
        let (mut low, mut high) = (Claim::new(LOW, IP, now), Claim::new(HIGH, IP, now));
        assert_eq!(low.hear(&high.announcement(), now), Verdict::Announce);
        assert_eq!(low.hear(&high.announcement(), now), Verdict::Pass, "not twice at once");
        assert_eq!(high.hear(&low.announcement(), now), Verdict::Yield);
        let next = Ipv4Addr::new(10, 64, 8, 1);
        high.moved(next, now);
        assert_eq!(low.hear(&high.announcement(), now), Verdict::Pass);
        assert!(high.due(now), "the new one is announced");
    }

    #[test]
    fn nobody_is_pushed_around_for_ever() {
        let now = Instant::now();
        let mut high = Claim::new(HIGH, IP, now);
        let rogue = Claim::new(LOW, IP, now).announcement();
        let verdicts: Vec<Verdict> = (0..10).map(|_| high.hear(&rogue, now)).collect();
        assert_eq!(verdicts[7..], [Verdict::Yield, Verdict::Stuck, Verdict::Stuck]);
        assert_eq!(high.hear(&rogue, now + MOVES_IN * 2), Verdict::Yield);
    }

    #[test]
    fn probes_and_our_own_words_are_no_claim() {
        let now = Instant::now();
        let mut c = Claim::new(HIGH, IP, now);
        assert_eq!(c.hear(&Arp::request((Ipv4Addr::UNSPECIFIED, LOW), IP), now), Verdict::Pass);
        assert_eq!(c.hear(&c.announcement(), now), Verdict::Pass);
        assert_eq!(c.hear(&Arp::request((IP, MacAddr([0xff; 6])), IP), now), Verdict::Pass);
    }

    #[test]
    fn announced_often_at_first_and_when_islands_meet() {
        let start = Instant::now();
        let mut c = Claim::new(LOW, IP, start);
        let mut now = start;
        let mut at = Vec::new();
        while at.len() < 7 {
            now = now.max(c.next());
            assert!(c.due(now));
            assert!(!c.due(now));
            at.push(now.duration_since(start).as_secs());
        }
        assert_eq!(at, [0, 2, 12, 42, 102, 702, 1302]);
        c.met(now);
        assert_eq!(c.next().duration_since(now).as_secs(), 2);
    }
}
