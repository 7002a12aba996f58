//! Who was carried for, and who carried for us, as the hot path sees it. The shell makes a ledger of it.

use crate::fib::Seeded;
use hashbrown::HashMap;
use packet::MacAddr;

/// Most neighbours and most originators that are told apart between two looks; bytes of further ones count for
/// nobody in particular.
const CAP: usize = 512;

/// Bytes that have to do with a neighbour, by its hard interface.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WithNeighbor {
    /// It handed them to us and we carried them on.
    pub handed: u64,
    /// It carried them on to us; another node sent them.
    pub brought: u64,
    /// It sent them itself, and they end here.
    pub direct: u64,
}

/// Bytes that have to do with an originator.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WithOriginator {
    /// Carried for it: it sent them, or a gateway sent them to it.
    pub carried: u64,
    /// Sent from here to it.
    pub sent: u64,
}

/// What happened since the last look.
#[derive(Debug, Clone)]
pub struct Book {
    neighbors: HashMap<u64, WithNeighbor, Seeded>,
    originators: HashMap<u64, WithOriginator, Seeded>,
}

impl Book {
    /// An empty one; `seed` is any unpredictable number.
    pub fn new(seed: u64) -> Self {
        Self {
            neighbors: HashMap::with_hasher(Seeded::new(seed)),
            originators: HashMap::with_hasher(Seeded::new(seed)),
        }
    }

    /// By neighbour; the zero address stands for all that found no room.
    pub fn neighbors(&self) -> impl Iterator<Item = (MacAddr, &WithNeighbor)> {
        self.neighbors.iter().map(|(key, sum)| (mac(*key), sum))
    }

    /// By originator; the zero address stands for all that found no room.
    pub fn originators(&self) -> impl Iterator<Item = (MacAddr, &WithOriginator)> {
        self.originators.iter().map(|(key, sum)| (mac(*key), sum))
    }

    /// Forgets what was looked at.
    pub fn clear(&mut self) {
        self.neighbors.clear();
        self.originators.clear();
    }

    /// A packet was carried on for `served`, that `neigh` handed to us.
    pub(crate) fn carried(&mut self, neigh: MacAddr, served: MacAddr, len: usize) {
        self.neighbor(neigh).handed += len as u64;
        self.originator(served).carried += len as u64;
    }

    /// A packet came here to stay; `relayed`: `neigh` carried it on for another node.
    pub(crate) fn received(&mut self, neigh: MacAddr, relayed: bool, len: usize) {
        let sum = self.neighbor(neigh);
        *(if relayed { &mut sum.brought } else { &mut sum.direct }) += len as u64;
    }

    /// A packet of ours left for `dest`.
    pub(crate) fn sent(&mut self, dest: MacAddr, len: usize) {
        self.originator(dest).sent += len as u64;
    }

    fn neighbor(&mut self, of: MacAddr) -> &mut WithNeighbor {
        let key = key(of, self.neighbors.len(), |key| self.neighbors.contains_key(&key));
        self.neighbors.entry(key).or_default()
    }

    fn originator(&mut self, of: MacAddr) -> &mut WithOriginator {
        let key = key(of, self.originators.len(), |key| self.originators.contains_key(&key));
        self.originators.entry(key).or_default()
    }
}

fn key(of: MacAddr, len: usize, known: impl Fn(u64) -> bool) -> u64 {
    let key = of.to_u64();
    if len < CAP || known(key) { key } else { 0 }
}

fn mac(key: u64) -> MacAddr {
    let [_, _, a, b, c, d, e, f] = key.to_be_bytes();
    MacAddr([a, b, c, d, e, f])
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn adds_up_and_stays_small() {
        let mut book = Book::new(1);
        let node = |n: u16| MacAddr([2, 0, 0, 0, (n >> 8) as u8, n as u8]);
        for n in 0..2000 {
            book.carried(node(1), node(n), 10);
            book.sent(node(n), 1);
        }
        book.received(node(1), true, 7);
        book.received(node(1), false, 5);
        let with = WithNeighbor { handed: 20_000, brought: 7, direct: 5 };
        assert_eq!(book.neighbors().collect::<Vec<_>>(), [(node(1), &with)]);
        assert_eq!(book.originators().count(), CAP + 1, "and one for the rest");
        assert_eq!(
            book.originators().map(|(_, o)| (o.carried, o.sent)).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1)),
            (20_000, 2000)
        );
        book.clear();
        assert_eq!(book.originators().count() + book.neighbors().count(), 0);
    }
}
