//! Own OGMs, and the queue of those that leave. Source: "B.A.T.M.A.N. V" section 3.

use crate::config::LinkId;
use crate::counters::Drop;
use crate::mesh::Mesh;
use crate::time::{Duration, Instant};
use alloc::vec::Vec;
use packet::MacAddr;
use packet::consts::AGGREGATE_BYTES;
use packet::ogm2::{Ogm2Header, Ogm2s};
use zerocopy::IntoBytes;

/// Own OGMs leave up to this much earlier or later. Source: "Constants".
const JITTER: Duration = Duration::from_millis(20);
/// OGMs wait for company for up to this long: the kernel's timer runs every 100 ms, so that the
/// wait is anything between.
const COLLECT: Duration = Duration::from_millis(100);

impl Mesh {
    /// Sends what is due: hellos, own OGMs, collected ones.
    pub(crate) fn run_v_timers(&mut self, now: Instant) {
        let ids: Vec<LinkId> = self.links.keys().copied().collect();
        for &id in &ids {
            if self.links.get(&id).is_some_and(|l| l.v.next_elp <= now) {
                self.send_elp(id, now);
            }
        }
        if self.v.next_ogm <= now && self.primary.is_some() {
            self.send_own_ogm2(now);
        }
        for &id in &ids {
            if self.links.get(&id).is_some_and(|l| l.v.flush_at.is_some_and(|at| at <= now)) {
                self.flush_ogm2s(id);
            }
        }
    }

    /// When [`Mesh::run_v_timers`] has something to do next.
    pub(crate) fn next_v_timer(&self) -> Instant {
        let links = self.links.values().flat_map(|l| [Some(l.v.next_elp), l.v.flush_at].into_iter().flatten());
        let own = self.primary.map(|_| self.v.next_ogm);
        links.chain(own).min().unwrap_or(Instant::FAR_FUTURE)
    }

    /// Sends our OGM at once.
    pub(crate) fn send_last_ogm2(&mut self, now: Instant) {
        if self.primary.is_none() {
            return;
        }
        self.send_own_ogm2(now);
        let ids: Vec<LinkId> = self.links.keys().copied().collect();
        for id in ids {
            self.flush_ogm2s(id);
        }
    }

    fn send_own_ogm2(&mut self, now: Instant) {
        let jitter = self.rng.below(2 * JITTER);
        let wait = (self.cfg.orig_interval + jitter).saturating_sub(JITTER);
        let base = if now.since(self.v.next_ogm) < self.cfg.orig_interval { self.v.next_ogm } else { now };
        self.v.next_ogm = base + wait;
        let tvlvs = self.own_tvlvs(Ogm2Header::LEN);
        let mut header = Ogm2Header::new(self.own_orig(), self.v.seqno);
        self.v.seqno = self.v.seqno.wrapping_add(1);
        // The room for TVLVs is far below 64 KiB, see `own_tvlvs`.
        header.tvlv_len = (tvlvs.len() as u16).into();
        let mut ogm = header.as_bytes().to_vec();
        ogm.extend_from_slice(&tvlvs);
        let ids: Vec<LinkId> = self.links.values().filter(|l| !l.neighbors.is_empty()).map(|l| l.id).collect();
        for id in ids {
            self.queue_ogm2(id, &ogm, now);
        }
    }

    /// Lets an OGM leave a hard interface, with others if aggregation is on.
    pub(super) fn queue_ogm2(&mut self, id: LinkId, ogm: &[u8], now: Instant) {
        let wait = self.rng.below(COLLECT);
        let collect = self.cfg.aggregation;
        let Some(link) = self.links.get_mut(&id) else { return };
        let mtu = link.cfg.mtu;
        if ogm.len() > mtu {
            return self.counters.drop(Drop::TooBig);
        }
        if link.v.pending.len() + ogm.len() > mtu.min(AGGREGATE_BYTES) && !link.v.pending.is_empty() {
            self.flush_ogm2s(id);
        }
        let Some(link) = self.links.get_mut(&id) else { return };
        link.v.pending.extend_from_slice(ogm);
        if collect {
            link.v.flush_at.get_or_insert(now + wait);
        } else {
            self.flush_ogm2s(id);
        }
    }

    /// Takes waiting OGMs of these originators out: what they say is not true any more.
    pub(crate) fn take_back_ogm2s(&mut self, origs: &[MacAddr]) {
        for link in self.links.values_mut() {
            let mut kept = Vec::with_capacity(link.v.pending.len());
            for ogm in Ogm2s::new(&link.v.pending).filter(|o| !origs.contains(&o.header.orig)) {
                kept.extend_from_slice(ogm.header.as_bytes());
                kept.extend_from_slice(ogm.tvlvs);
            }
            link.v.pending = kept;
        }
    }

    fn flush_ogm2s(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.v.flush_at = None;
        let mut packet = core::mem::take(&mut link.v.pending);
        if packet.is_empty() {
            return;
        }
        self.broadcast_ogms(id, &packet);
        packet.clear();
        if let Some(link) = self.links.get_mut(&id) {
            // The buffer is used again.
            link.v.pending = packet;
        }
    }
}
