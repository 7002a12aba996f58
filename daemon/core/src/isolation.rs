//! AP isolation: clients that are marked as Wi-Fi clients do not reach each other by unicast, and
//! neither do clients marked as isolated. Source: "Payload plane" sections 1.2 and 1.6,
//! "Translation table" section 1.
//!
//! Marks come from the translation table. A TAP device shows neither the bridge port nor the mark of
//! a frame, so ours are set by configuration for all own clients, or by what the bridge knows: who is
//! behind a port that is a radio, and who behind an isolated one. For the same reason broadcasts of
//! isolated clients cannot be handed out with a mark, as the kernel does: they are delivered like
//! others.

use crate::border::Output;
use crate::fib::FibChange;
use crate::mesh::Mesh;
use crate::time::Instant;
use crate::tt::Key;
use crate::tt::local::{Entry, is_group};
use alloc::vec::Vec;
use packet::tvlv::tt::client;
use packet::{MacAddr, Vid};

/// The VLANs in which clients are kept apart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Scope {
    /// In none.
    #[default]
    Nowhere,
    /// In all.
    Everywhere,
    /// In these.
    In(Vec<Vid>),
}

impl Scope {
    /// True if it holds in a VLAN.
    pub(crate) fn covers(&self, vid: Vid) -> bool {
        match self {
            Self::Nowhere => false,
            Self::Everywhere => true,
            Self::In(vlans) => vlans.contains(&vid),
        }
    }
}

/// Marks that keep clients apart from others with the same mark.
pub(crate) const MARKS: u8 = client::WIFI | client::ISOLA;

impl Mesh {
    /// What an own client is announced with. The node's own addresses have no mark.
    pub(crate) fn marks_of(&self, addr: MacAddr) -> u8 {
        if addr == self.cfg.host_mac || self.host.vlans.iter().any(|(own, _)| *own == addr) {
            return 0;
        }
        let behind = self.host.marked.get(&addr).copied().unwrap_or_default();
        let wifi = if self.cfg.wifi_clients || behind.wifi { client::WIFI } else { 0 };
        let isolated = if self.cfg.isolated_clients || behind.isolated { client::ISOLA } else { 0 };
        wifi | isolated
    }

    /// Announces clients anew whose marks are others than before.
    pub(crate) fn refresh_marks(&mut self, now: Instant) {
        let stale = |(key, e): (&Key, &Entry)| {
            let stays = e.permanent || e.pending || e.roam || is_group(key.0) || e.sync == self.marks_of(key.0);
            (!stays).then_some((*key, e.last_seen))
        };
        let keys: Vec<(Key, Instant)> = self.local.entries.iter().filter_map(stale).collect();
        let bounds = self.local_bounds();
        for (key, last_seen) in keys {
            let marks = self.marks_of(key.0);
            // Known clients are never refused.
            let _ = self.local.add(key, false, marks, bounds, last_seen.min(now), &mut self.out);
        }
    }

    /// True if an own client and one of another node are kept apart.
    pub(crate) fn is_isolated(&self, own: Key, other: Key) -> bool {
        let vid = own.1;
        let own = self.local.entries.get(&own).map_or(0, |e| e.sync);
        let other = self.global.entries.get(&other).map_or(0, |e| e.marks());
        self.local.isolating.covers(vid) && own & other & MARKS != 0
    }

    /// Tells the data plane who is marked, or that it does not matter any more.
    pub(crate) fn publish_isolation(&mut self) {
        let scope = match (self.cfg.ap_isolation, &*self.cfg.isolation_vlans) {
            (false, _) => Scope::Nowhere,
            (true, []) => Scope::Everywhere,
            (true, vlans) => Scope::In(vlans.to_vec()),
        };
        if scope == self.local.isolating {
            return;
        }
        let on = scope != Scope::Nowhere;
        (self.local.isolating, self.global.isolating) = (scope.clone(), scope);
        // Switched on anew the data plane has no marks.
        self.out.push_back(Output::Fib(FibChange::Isolation(on)));
        if on {
            self.local.publish_marks(&mut self.out);
            self.global.publish_marks(&mut self.out);
        }
    }
}
