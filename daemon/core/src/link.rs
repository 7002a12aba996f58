//! Hard interfaces and the neighbours heard on them.

use crate::config::{LinkConfig, LinkId};
use crate::time::{Duration, Instant};
use crate::window::{WINDOW, Watch};
use alloc::collections::{BTreeMap, VecDeque};
use packet::MacAddr;

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
    pub(crate) neighbors: BTreeMap<MacAddr, Neighbor>,
    /// How many more unknown neighbours may appear now.
    pub(crate) newcomers: Bucket,
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
        let gained = (now.since(self.last).as_micros() as u64).saturating_mul(u64::from(self.rate));
        self.last = now;
        self.tokens_us = self.tokens_us.saturating_add(gained).min(u64::from(self.burst) * 1_000_000);
        if self.tokens_us < 1_000_000 {
            return false;
        }
        self.tokens_us -= 1_000_000;
        true
    }
}

impl Link {
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
