//! OGMs waiting to be sent, collected into shared frames. Source: "B.A.T.M.A.N. IV" section 8.

use crate::config::LinkId;
use crate::time::{Duration, Instant};
use alloc::vec::Vec;
use packet::MacAddr;
use packet::consts::{AGGREGATE_BYTES, AGGREGATE_OGMS};
use packet::ogm::Ogms;
use zerocopy::IntoBytes;

/// Longest wait for company.
pub(crate) const COLLECT: Duration = Duration::from_millis(100);
/// Most frames waiting. Beyond, forwarding is skipped.
const CAP: usize = 256;

/// One frame being filled.
#[derive(Debug)]
struct Pending {
    send_at: Instant,
    link: LinkId,
    bytes: Vec<u8>,
    ogms: usize,
}

/// Frames being filled with OGMs of others.
#[derive(Debug, Default)]
pub(crate) struct OgmQueue {
    pending: Vec<Pending>,
}

impl OgmQueue {
    /// Adds an OGM that may leave `link` from `earliest` on. With `collect` it waits up to 100 ms
    /// for company, or joins what already waits. False if the queue is full.
    pub(crate) fn add(&mut self, link: LinkId, ogm: &[u8], mtu: usize, earliest: Instant, collect: bool) -> bool {
        if collect {
            let latest = earliest + COLLECT;
            let open = self.pending.iter_mut().find(|p| {
                p.link == link
                    && p.send_at >= earliest
                    && p.send_at <= latest
                    && p.ogms < AGGREGATE_OGMS
                    && p.bytes.len() + ogm.len() <= mtu.min(AGGREGATE_BYTES)
            });
            if let Some(p) = open {
                p.bytes.extend_from_slice(ogm);
                p.ogms += 1;
                return true;
            }
        }
        if self.pending.len() >= CAP {
            return false;
        }
        let send_at = if collect { earliest + COLLECT } else { earliest };
        self.pending.push(Pending { send_at, link, bytes: ogm.to_vec(), ogms: 1 });
        true
    }

    /// Appends waiting OGMs behind `ogms` others that leave `link` now, as far as they fit.
    pub(crate) fn ride_along(&mut self, link: LinkId, packet: &mut Vec<u8>, mut ogms: usize, mtu: usize) {
        self.pending.retain(|p| {
            let fits = p.link == link
                && ogms + p.ogms <= AGGREGATE_OGMS
                && packet.len() + p.bytes.len() <= mtu.min(AGGREGATE_BYTES);
            if fits {
                packet.extend_from_slice(&p.bytes);
                ogms += p.ogms;
            }
            !fits
        });
    }

    /// Takes a frame that is due, and says how many OGMs are in it.
    pub(crate) fn due(&mut self, now: Instant) -> Option<(LinkId, Vec<u8>, usize)> {
        let i = self.pending.iter().position(|p| p.send_at <= now)?;
        let p = self.pending.remove(i);
        Some((p.link, p.bytes, p.ogms))
    }

    /// When the next frame is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.pending.iter().map(|p| p.send_at).min()
    }

    /// Takes OGMs of these originators out: what they say is not true any more.
    pub(crate) fn take_back(&mut self, origs: &[MacAddr]) {
        for p in &mut self.pending {
            let mut kept = Vec::with_capacity(p.bytes.len());
            let mut ogms = 0;
            for ogm in Ogms::new(&p.bytes).filter(|o| !origs.contains(&o.header.orig)) {
                kept.extend_from_slice(ogm.header.as_bytes());
                kept.extend_from_slice(ogm.tvlvs);
                ogms += 1;
            }
            (p.bytes, p.ogms) = (kept, ogms);
        }
        self.pending.retain(|p| p.ogms > 0);
    }

    /// Drops what waits for an interface that is gone.
    pub(crate) fn forget(&mut self, link: LinkId) {
        self.pending.retain(|p| p.link != link);
    }
}
