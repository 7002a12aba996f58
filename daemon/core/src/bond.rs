//! Bonding: links that are about as good as the best one are used in turn, by packets that start
//! here. Source: "B.A.T.M.A.N. IV" section 10, "B.A.T.M.A.N. V" section 5.
//!
//! The kernel chooses among the next hops of its routing tables. Those of different tables differ
//! only where a half-duplex penalty makes them, that is on radios; so here links to the very
//! neighbour that is the next hop count too, and two wires between two nodes carry twice as much.
//! Under V the kernel compares the wrong way round (it takes any link that is not much better);
//! here a link must be worth three quarters of the best one.

use crate::border::Output;
use crate::config::Algorithm;
use crate::fib::{Bond, FibChange, NextHop, Table};
use crate::mesh::Mesh;
use alloc::vec::Vec;
use packet::MacAddr;

/// IV: a link that is worse by less than this is as good. Source: "Constants".
const SIMILAR_TQ: u32 = 50;

impl Mesh {
    /// Tells the data plane the links that packets to an originator take in turn, if they changed.
    pub(crate) fn refresh_bond(&mut self, orig: MacAddr) {
        let bond = if self.cfg.bonding { self.bond_of(orig) } else { None };
        let Some(o) = self.originators.get_mut(&orig) else { return };
        if o.bond != bond {
            o.bond = bond;
            self.out.push_back(Output::Fib(FibChange::Bond { orig, bond }));
        }
    }

    /// The same for all originators: qualities change with every OGM.
    pub(crate) fn refresh_bonds(&mut self) {
        let origs: Vec<MacAddr> = self.originators.keys().copied().collect();
        for orig in origs {
            self.refresh_bond(orig);
        }
    }

    fn bond_of(&self, orig: MacAddr) -> Option<Bond> {
        let o = self.originators.get(&orig)?;
        let best = o.router(Table::Host)?;
        let worth = o.way(best)?.metric(Table::Host);
        let node = self.node_behind(best);
        let mut hops = alloc::vec![best];
        let fits = |hop: NextHop, table: Table| {
            let Some(way) = o.way(hop).filter(|_| self.links.contains_key(&hop.link)) else { return false };
            match self.algorithm {
                Algorithm::Iv => way.metric(table) > 0 && way.metric(table) + SIMILAR_TQ > worth,
                Algorithm::V => !way.lags(table, o.last_seqno) && way.metric(table) > worth - worth / 4,
            }
        };
        let routers = self.tables.iter().filter_map(|&table| Some((o.router(table)?, table)));
        let parallel = o.ways.iter().map(|w| w.hop).filter(|hop| self.node_behind(*hop) == node);
        for (hop, table) in routers.chain(parallel.map(|hop| (hop, Table::Host))) {
            if !hops.contains(&hop) && fits(hop, table) {
                hops.push(hop);
            }
        }
        hops.sort_by_key(|hop| (hop.link, hop.neigh));
        Bond::new(&hops)
    }

    /// The originator that a next hop belongs to.
    fn node_behind(&self, hop: NextHop) -> MacAddr {
        let neighbor = self.links.get(&hop.link).and_then(|l| l.neighbors.get(&hop.neigh));
        neighbor.and_then(|n| n.originator).unwrap_or(hop.neigh)
    }
}
