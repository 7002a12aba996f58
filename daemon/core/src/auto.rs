//! Which routing algorithm runs, and how it is changed.

use crate::border::Event;
use crate::config::{Algorithm, LinkId};
use crate::mesh::Mesh;
use crate::time::Instant;
use crate::window::distance;
use alloc::vec::Vec;
use packet::MacAddr;

impl Mesh {
    /// Runs another algorithm from now on. Everything learned by the old one is forgotten; own
    /// clients and their table stay.
    pub(crate) fn change_algorithm(&mut self, to: Algorithm, why: &'static str, now: Instant) {
        if self.algorithm == to {
            return;
        }
        self.algorithm = to;
        let origs: Vec<MacAddr> = self.originators.keys().copied().collect();
        for orig in origs {
            self.remove_originator(orig);
        }
        let ids: Vec<LinkId> = self.links.keys().copied().collect();
        for id in ids {
            self.ogm_queue.forget(id);
            let Some(link) = self.links.get_mut(&id) else { continue };
            let gone = core::mem::take(&mut link.neighbors);
            link.v.pending.clear();
            link.v.flush_at = None;
            // Both algorithms count on from where the other one was.
            if distance(link.seqno, self.v.seqno) > 0 {
                link.seqno = self.v.seqno;
            } else if self.primary == Some(id) {
                self.v.seqno = link.seqno;
            }
            link.restart(&self.cfg, &mut self.rng, now);
            for neigh in gone.into_keys() {
                self.event(Event::NeighborGone { link: id, neigh });
            }
        }
        self.v.next_ogm = now + self.cfg.orig_interval;
        self.event(Event::AlgorithmChanged { to, why });
    }
}
