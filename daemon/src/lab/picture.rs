//! What the daemons say about the mesh, put together: who hears whom, and which way leads where.

use packet::MacAddr;
use std::collections::BTreeMap;

/// What one daemon said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Quality of the links to its neighbours, 0 to 255, by their hard interface addresses.
    pub(crate) neighbors: BTreeMap<MacAddr, u8>,
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
    /// Quality of the whole way, 0 to 255.
    pub(crate) tq: u8,
}

/// What all daemons said last, by the places of their nodes.
#[derive(Debug, Default)]
pub(crate) struct Picture {
    seen: BTreeMap<usize, Seen>,
    /// Next hop and quality by destination, for each node: what was seen, in places.
    routes: BTreeMap<usize, BTreeMap<usize, (usize, u8)>>,
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
            let known = routes.entry(*to).or_insert((*next, route.tq));
            if route.tq > known.1 {
                *known = (*next, route.tq);
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

    /// Quality of a link as the node at `from` sees it, the neighbour being known by `address`.
    pub(crate) fn link_tq(&self, from: usize, address: MacAddr) -> Option<u8> {
        self.seen.get(&from)?.neighbors.get(&address).copied()
    }

    /// Routes of a node: destination, next hop, quality; in order of places.
    pub(crate) fn routes(&self, from: usize) -> impl Iterator<Item = (usize, usize, u8)> {
        self.routes.get(&from).into_iter().flatten().map(|(to, (next, tq))| (*to, *next, *tq))
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
        let route = |next, tq| Route { next: mac(next), tq };
        let seen = |neighbors: &[(u8, u8)], routes: &[(u8, Route)]| Seen {
            neighbors: neighbors.iter().map(|(n, tq)| (mac(*n), *tq)).collect(),
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
        assert_eq!(picture.routes(0).collect::<Vec<_>>(), [(1, 1, 250), (2, 1, 200)]);
        assert_eq!(picture.link_tq(1, mac(12)), Some(255));
        assert_eq!(picture.link_tq(2, mac(1)), None);
    }

    #[test]
    fn a_circle_is_no_way() {
        let mut picture = line();
        let mut seen = picture.seen(1).unwrap().clone();
        seen.routes.insert(mac(2), Route { next: mac(0), tq: 100 });
        picture.update(1, seen);
        assert_eq!(picture.way(0, 2), None);
        picture.forget(1);
        assert_eq!(picture.way(0, 2), None);
    }
}
