//! Hard interfaces and the neighbours heard on them.

use crate::config::{LinkConfig, LinkId, MeshConfig};
use crate::iv::HELLO_OGMS;
use crate::rng::Rng;
use crate::sorted::SortedMap;
use crate::time::{Duration, Instant};
use crate::window::{WINDOW, Watch};
use alloc::collections::VecDeque;
use packet::MacAddr;

/// The first link-sensing OGM or hello leaves this soon after an interface comes up.
const FIRST_SENSE: Duration = Duration::from_millis(20);
/// Link-sensing OGMs are numbered this far from the regular ones.
const SENSE_SEQNO: u32 = 0x4000_0000;
/// Neighbours that may ask for link sensing at once, and per second after that.
const BURSTS: (u32, u32) = (16, 1);
/// Unknown neighbours that may appear on an interface at once, and per second after that.
const NEW_NEIGHBORS: (u32, u32) = (64, 8);

/// An active hard interface.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) id: LinkId,
    pub(crate) cfg: LinkConfig,
    /// Sequence number of the next own OGM.
    pub(crate) seqno: u32,
    /// Sequence number of the next link-sensing OGM; far away from the others.
    pub(crate) sense_seqno: u32,
    /// The last 64 numbers sent, newest first.
    pub(crate) sent: VecDeque<Sent>,
    /// When the next own OGM leaves.
    pub(crate) next_ogm: Instant,
    /// Extra OGMs of the fast start.
    pub(crate) fast: FastStart,
    /// Neighbours by hard interface address.
    pub(crate) neighbors: SortedMap<MacAddr, Neighbor>,
    /// How many more unknown neighbours may appear now.
    pub(crate) newcomers: Bucket,
    /// Somebody else speaks in our name here.
    pub(crate) twin: crate::alarm::Doubt,
    /// How busy the owner keeps it.
    pub(crate) load: crate::share::Load,
    /// V: hellos, and OGMs waiting to leave here.
    pub(crate) v: crate::v::LinkState,
    /// Requests for the air.
    pub(crate) courtesy: crate::react::Courtesy,
}

/// A neighbour on one hard interface.
#[derive(Debug)]
pub(crate) struct Neighbor {
    pub(crate) last_seen: Instant,
    /// Its originator address, known once its primary OGM was heard from it directly.
    pub(crate) originator: Option<MacAddr>,
    /// It runs Meshwork: it sent link-sensing OGMs.
    pub(crate) meshwork: bool,
    /// Own OGMs of this interface that it echoed; link-sensing ones count if it runs Meshwork.
    pub(crate) echoes: Watch,
    /// How many more link-sensing OGMs of it are taken now.
    pub(crate) senses: Bucket,
    /// How many more unknown originators it may bring now.
    pub(crate) originators: Bucket,
    /// How many more messages about broken ways are taken from it now.
    pub(crate) news: Bucket,
    /// How many more of its losses are believed now.
    pub(crate) losses: Bucket,
    /// It announces ways that cannot be.
    pub(crate) doubt: crate::alarm::Doubt,
    /// How many more questions that come through it are answered now, see `verify`.
    pub(crate) questions: Bucket,
    /// Whether it is still there.
    pub(crate) life: crate::react::Life,
    /// V: its hellos and how fast the link to it is.
    pub(crate) v: crate::v::NeighborState,
}

/// Extra link-sensing OGMs still to send.
#[derive(Debug)]
pub(crate) struct FastStart {
    pub(crate) remaining: u8,
    pub(crate) next: Instant,
    /// How many more neighbours may ask for extra ones now.
    pub(crate) bursts: Bucket,
}

/// A number that was sent on a hard interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) seqno: u32,
    /// In a link-sensing OGM, which only Meshwork nodes count.
    pub(crate) sense: bool,
}

/// A token bucket: `burst` at once, then `rate` per second.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bucket {
    tokens_us: u64,
    last: Instant,
    burst: u32,
    rate: u32,
}

impl Bucket {
    /// A full bucket.
    pub(crate) const fn new(burst: u32, rate: u32, now: Instant) -> Self {
        Self { tokens_us: burst as u64 * 1_000_000, last: now, burst, rate }
    }

    /// Takes one token, if there is one.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        self.take_many(1, now)
    }

    /// Takes `n` tokens, if there are so many.
    pub(crate) fn take_many(&mut self, n: u32, now: Instant) -> bool {
        let cost = u64::from(n) * 1_000_000;
        let gained = (now.since(self.last).as_micros() as u64).saturating_mul(u64::from(self.rate));
        self.last = now;
        self.tokens_us = self.tokens_us.saturating_add(gained).min(u64::from(self.burst) * 1_000_000);
        if self.tokens_us < cost {
            return false;
        }
        self.tokens_us -= cost;
        true
    }
}

impl Link {
    /// A hard interface that just came up, its first own OGM numbered `seqno`.
    pub(crate) fn new(id: LinkId, cfg: LinkConfig, seqno: u32, mesh: &MeshConfig, rng: &mut Rng, now: Instant) -> Self {
        let mut link = Self {
            id,
            cfg,
            seqno,
            sense_seqno: seqno.wrapping_add(SENSE_SEQNO),
            sent: VecDeque::new(),
            next_ogm: now,
            fast: FastStart { remaining: 0, next: now, bursts: Bucket::new(BURSTS.0, BURSTS.1, now) },
            neighbors: SortedMap::new(),
            newcomers: Bucket::new(NEW_NEIGHBORS.0, NEW_NEIGHBORS.1, now),
            twin: crate::alarm::Doubt::default(),
            load: crate::share::Load::default(),
            courtesy: crate::react::Courtesy::new(now),
            v: crate::v::LinkState::new(rng.next_u32(), now),
        };
        link.restart(mesh, rng, now);
        link
    }

    /// Begins to sense the links anew.
    pub(crate) fn restart(&mut self, mesh: &MeshConfig, rng: &mut Rng, now: Instant) {
        self.sent.clear();
        self.fast.remaining = if mesh.fast_start { HELLO_OGMS } else { 0 };
        self.fast.next = now + rng.below(FIRST_SENSE);
        // As late as the kernel's, so that neither side counts more than the other.
        self.next_ogm = now + mesh.orig_interval - FIRST_SENSE + rng.below(2 * FIRST_SENSE);
        self.v.next_elp = now + rng.below(FIRST_SENSE);
    }

    /// Notes that an own OGM leaves; the echo windows of those who count it move along.
    pub(crate) fn note_sent(&mut self, sent: Sent) {
        self.sent.truncate(WINDOW as usize - 1);
        self.sent.push_front(sent);
        for n in self.neighbors.values_mut().filter(|n| n.meshwork || !sent.sense) {
            n.echoes.slide(1, false);
        }
    }

    /// A neighbour echoed an own OGM.
    pub(crate) fn note_echo(&mut self, neigh: MacAddr, seqno: u32) {
        let Some(n) = self.neighbors.get_mut(&neigh) else { return };
        let counted = self.sent.iter().filter(|s| n.meshwork || !s.sense);
        // At most 64 numbers are kept.
        if let Some(back) = counted.enumerate().find(|(_, s)| s.seqno == seqno).map(|(i, _)| i as u32) {
            n.echoes.mark(back);
        }
    }
}

/// Time after which a silent neighbour is given up. Source: "B.A.T.M.A.N. IV" section 11.
pub(crate) const PURGE_AFTER: Duration = Duration::from_secs(200);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_refills() {
        let mut b = Bucket::new(2, 1, Instant::ZERO);
        assert!(b.take(Instant::ZERO) && b.take(Instant::ZERO) && !b.take(Instant::ZERO));
        assert!(!b.take(Instant::from_micros(900_000)));
        assert!(b.take(Instant::from_micros(1_000_000)));
    }
}
