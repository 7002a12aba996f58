//! What the daemons say about the mesh, put together: who hears whom, and which way leads where.

use packet::MacAddr;
use std::collections::BTreeMap;

/// How good a link or a way is; more is better. A lab runs one algorithm, so that kinds never meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Metric {
    /// B.A.T.M.A.N. IV: transmit quality, 0 to 255.
    Tq(u8),
    /// B.A.T.M.A.N. V: throughput in kbit/s.
    Kbits(u64),
}

impl Metric {
    /// What a daemon tells of one of its links or ways.
    pub(crate) fn of(tq: Option<u8>, throughput: Option<u64>) -> Self {
        tq.map_or(Self::Kbits(throughput.unwrap_or(0)), Self::Tq)
    }

    pub(crate) fn tq(self) -> Option<u8> {
        if let Self::Tq(tq) = self { Some(tq) } else { None }
    }

    pub(crate) fn kbits(self) -> Option<u64> {
        if let Self::Kbits(kbits) = self { Some(kbits) } else { None }
    }
}

/// What one daemon said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// How good the links to its neighbours are, by their hard interface addresses.
    pub(crate) neighbors: BTreeMap<MacAddr, Metric>,
    /// Its routes by originator address.
    pub(crate) routes: BTreeMap<MacAddr, Route>,
    /// Resident memory of the process.
    pub(crate) rss_bytes: u64,
}

/// A route of one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Route {
    /// Hard interface address of the next hop.
    pub(crate) next: MacAddr,
    /// How good the whole way is.
    pub(crate) metric: Metric,
}

/// What all daemons said last, by the places of their nodes.
#[derive(Debug, Default)]
pub(crate) struct Picture {
    seen: BTreeMap<usize, Seen>,
    /// Next hop and quality by destination, for each node: what was seen, in places.
    routes: BTreeMap<usize, BTreeMap<usize, (usize, Metric)>>,
    owners: BTreeMap<MacAddr, usize>,
}

impl Picture {
    /// Takes note of whose address is whose.
    pub(crate) fn set_owners(&mut self, owners: BTreeMap<MacAddr, usize>) {
        self.owners = owners;
    }

    /// A daemon answered.
    pub(crate) fn update(&mut self, place: usize, seen: Seen) {
        let mut routes = BTreeMap::new();
        for (to, route) in &seen.routes {
            let (Some(to), Some(next)) = (self.owners.get(to), self.owners.get(&route.next)) else { continue };
            // A node with several hard interfaces is known by each; the best stands for it.
            let known = routes.entry(*to).or_insert((*next, route.metric));
            if route.metric > known.1 {
                *known = (*next, route.metric);
            }
        }
        routes.remove(&place);
        self.routes.insert(place, routes);
        self.seen.insert(place, seen);
    }

    /// A daemon ended; nothing it said holds any more.
    pub(crate) fn forget(&mut self, place: usize) {
        self.seen.remove(&place);
        self.routes.remove(&place);
    }

    /// What a daemon said last.
    pub(crate) fn seen(&self, place: usize) -> Option<&Seen> {
        self.seen.get(&place)
    }

    /// How good a link is as the node at `from` sees it, the neighbour being known by `address`.
    pub(crate) fn link(&self, from: usize, address: MacAddr) -> Option<Metric> {
        self.seen.get(&from)?.neighbors.get(&address).copied()
    }

    /// Routes of a node: destination, next hop, how good it is; in order of places.
    pub(crate) fn routes(&self, from: usize) -> impl Iterator<Item = (usize, usize, Metric)> {
        self.routes.get(&from).into_iter().flatten().map(|(to, (next, metric))| (*to, *next, *metric))
    }

    /// The nodes a packet passes, both ends included; `None` where some node has no route, or
    /// where the routes lead in a circle at this moment.
    pub(crate) fn way(&self, from: usize, to: usize) -> Option<Vec<usize>> {
        let mut way = vec![from];
        while let Some(at) = way.last().copied().filter(|at| *at != to) {
            let (next, _) = *self.routes.get(&at)?.get(&to)?;
            if way.contains(&next) {
                return None;
            }
            way.push(next);
        }
        Some(way)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mac(n: u8) -> MacAddr {
        MacAddr([2, 0, 0, 0, 0, n])
    }

    /// Nodes 0, 1, 2 in a line; node n has address n. Node 2 has a second interface, 12.
    fn line() -> Picture {
        let mut picture = Picture::default();
        picture.set_owners([(mac(0), 0), (mac(1), 1), (mac(2), 2), (mac(12), 2)].into());
        let route = |next, tq| Route { next: mac(next), metric: Metric::Tq(tq) };
        let seen = |neighbors: &[(u8, u8)], routes: &[(u8, Route)]| Seen {
            neighbors: neighbors.iter().map(|(n, tq)| (mac(*n), Metric::Tq(*tq))).collect(),
            routes: routes.iter().map(|(n, route)| (mac(*n), *route)).collect(),
            rss_bytes: 0,
        };
        picture.update(0, seen(&[(1, 250)], &[(1, route(1, 250)), (2, route(1, 200)), (12, route(1, 190))]));
        picture.update(1, seen(&[(0, 240), (12, 255)], &[(0, route(0, 240)), (2, route(12, 255))]));
        picture.update(2, seen(&[], &[]));
        picture
    }

    #[test]
    fn a_way_follows_the_next_hops() {
        let picture = line();
        assert_eq!(picture.way(0, 2), Some(vec![0, 1, 2]));
        assert_eq!(picture.way(1, 1), Some(vec![1]));
        assert_eq!(picture.way(2, 0), None, "node 2 has no route");
        assert_eq!(picture.routes(0).collect::<Vec<_>>(), [(1, 1, Metric::Tq(250)), (2, 1, Metric::Tq(200))]);
        assert_eq!(picture.link(1, mac(12)), Some(Metric::Tq(255)));
        assert_eq!(picture.link(2, mac(1)), None);
    }

    #[test]
    fn ways_of_v_are_judged_by_throughput() {
        let mut picture = line();
        let route = |next, kbits| Route { next: mac(next), metric: Metric::of(None, Some(kbits)) };
        let routes = [(mac(2), route(1, 9_000)), (mac(12), route(1, 12_500))];
        picture.update(0, Seen { routes: routes.into(), ..Seen::default() });
        assert_eq!(picture.routes(0).collect::<Vec<_>>(), [(2, 1, Metric::Kbits(12_500))]);
        assert_eq!(Metric::of(Some(7), None).tq(), Some(7));
        assert_eq!(Metric::of(None, None).kbits(), Some(0));
    }

    #[test]
    fn a_circle_is_no_way() {
        let mut picture = line();
        let mut seen = picture.seen(1).unwrap().clone();
        seen.routes.insert(mac(2), Route { next: mac(0), metric: Metric::Tq(100) });
        picture.update(1, seen);
        assert_eq!(picture.way(0, 2), None);
        picture.forget(1);
        assert_eq!(picture.way(0, 2), None);
    }
}
