//! Checks over the whole state, run by the simulator and the fuzzers after every step.

use crate::fib::Table;
use crate::mesh::Mesh;

impl Mesh {
    /// The first thing that is wrong with the state, if anything is: a bound that was passed, a
    /// next hop that is no known way, a checksum that does not fit its table. O(whole state).
    pub fn broken_invariant(&self) -> Option<&'static str> {
        let caps = &self.cfg.caps;
        let checks = [
            (self.originators.len() <= caps.originators, "more originators than the cap"),
            (self.links.values().all(|l| l.neighbors.len() <= caps.neighbors), "more neighbours than the cap"),
            (self.global.entries.len() <= caps.clients, "more clients than the cap"),
            (
                self.global.tables.values().all(|t| t.keys.len() <= caps.clients_per_originator),
                "more clients of one originator than the cap",
            ),
            (self.local.entries.len() <= caps.local_clients + 1, "more own clients than the cap"),
            (self.fragments.bytes() <= caps.fragment_bytes, "more fragment bytes than the cap"),
            (self.next_hops_are_ways(), "a next hop that is no way"),
            (self.global.tables.keys().all(|o| self.originators.contains_key(o)), "a table without originator"),
            (self.local.is_consistent(), "own table does not fit its checksums"),
            (self.global.is_consistent(), "clients do not fit their lists and checksums"),
            (self.links.is_empty() || self.primary.is_some(), "no primary hard interface"),
            (self.bla.is_consistent(), "claims do not fit their checksums and bounds"),
            (self.multicast_is_consistent(), "who wants which groups does not fit the originators"),
            (self.tables.len() == self.links.len() + 1, "a routing table without hard interface"),
        ];
        checks.into_iter().find(|(fine, _)| !fine).map(|(_, what)| what).or_else(|| self.dat_broken_invariant())
    }

    fn next_hops_are_ways(&self) -> bool {
        self.originators.values().all(|o| {
            self.tables.iter().all(|&t| o.router(t).is_none_or(|hop| o.way(hop).is_some()))
                && o.router(Table::Host).is_none_or(|hop| self.links.contains_key(&hop.link))
        })
    }
}
