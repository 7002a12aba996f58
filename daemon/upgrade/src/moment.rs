//! When a node takes an upgrade.
//!
//! All nodes learn of an upgrade at about the same time. If it is bad, or if only the moment without a node is, the
//! mesh should not feel it everywhere at once. So each node waits for a time of its own, which its MAC and the serial
//! give, within the hours of the manifest. Leaf nodes go in the first two fifths, nodes that others depend on in the
//! last two; the fifth between them covers that nodes look for news at different times. The wait is counted in
//! seconds of running, so nobody needs a clock.
//!
//! A leaf is a node that no neighbour needs to reach anybody. Its own table of ways tells: a neighbour that has a way
//! of its own to a third node announces it. If it announces none, it reaches that node through us.

use crate::Sha256;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A way of a node's own table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way {
    /// The node that it leads to: its originator address.
    pub to: [u8; 6],
    /// The neighbour that it goes through: its originator address too.
    pub via: [u8; 6],
    /// The way in use.
    pub best: bool,
    /// How good it is: transmit quality under B.A.T.M.A.N. IV, throughput in any unit under V.
    pub metric: u64,
}

/// What others have of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Every neighbour can do without it.
    Leaf,
    /// Others depend on it.
    Relay,
}

impl Role {
    /// The role of the node whose table `ways` is; `hop_penalty` is what it takes off per hop, of 255.
    ///
    /// In doubt a relay: then the node only waits longer. What a neighbour announces may be our own way, heard back
    /// over one or more hops. So it counts as the neighbour's own only if it is better than what would be left of ours
    /// after two.
    pub fn of(ways: &[Way], hop_penalty: u8) -> Self {
        let kept = u64::from(255 - hop_penalty);
        let best: BTreeMap<[u8; 6], &Way> = ways.iter().filter(|w| w.best).map(|w| (w.to, w)).collect();
        let neighbors: BTreeSet<[u8; 6]> = ways.iter().map(|w| w.via).collect();
        let own: BTreeSet<([u8; 6], [u8; 6])> = ways
            .iter()
            .filter(|way| {
                let ours = best.get(&way.to).map_or(0, |b| b.metric);
                way.metric.saturating_mul(255 * 255) > ours.saturating_mul(kept * kept)
            })
            .map(|way| (way.to, way.via))
            .collect();
        let needed = best
            .values()
            .any(|way| neighbors.iter().any(|&n| n != way.to && n != way.via && !own.contains(&(way.to, n))));
        if needed { Self::Relay } else { Self::Leaf }
    }

    /// Its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Leaf => "leaf",
            Self::Relay => "relay",
        }
    }
}

/// How long a node waits after it first saw the manifest: 0 to 2/5 of `spread` for a leaf, 3/5 to all of it for a relay.
pub fn wait(mac: [u8; 6], serial: u32, spread: Duration, role: Role) -> Duration {
    let mut hash = Sha256::default();
    hash.update(&mac);
    hash.update(&serial.to_be_bytes());
    let [a, b, c, d, ..] = hash.finish();
    let share = u64::from(u32::from_be_bytes([a, b, c, d]));
    let fifth = u64::try_from(spread.as_millis()).unwrap_or(u64::MAX) / 5;
    let within = ((u128::from(share) * u128::from(fifth) * 2) >> 32) as u64;
    let start = if role == Role::Leaf { 0 } else { fifth.saturating_mul(3) };
    Duration::from_millis(start.saturating_add(within))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn node(n: u8) -> [u8; 6] {
        [2, 0, 0, 0, 0, n]
    }

    /// Ways as (to, via, metric); the first to a node is the one in use.
    fn ways(list: &[(u8, u8, u64)]) -> Vec<Way> {
        let mut seen = BTreeSet::new();
        list.iter()
            .map(|&(to, via, metric)| Way { to: node(to), via: node(via), best: seen.insert(to), metric })
            .collect()
    }

    #[test]
    fn who_is_a_leaf() {
        let role = |list| Role::of(&ways(list), 30);
        assert_eq!(role(&[]), Role::Leaf, "alone");
        assert_eq!(role(&[(1, 1, 225), (2, 1, 225), (3, 1, 225)]), Role::Leaf, "the end of a line");
        assert_eq!(role(&[(1, 1, 225), (2, 2, 225)]), Role::Relay, "between two that do not hear each other");
        assert_eq!(role(&[(1, 1, 225), (2, 2, 225), (1, 2, 225), (2, 1, 225)]), Role::Leaf, "two that hear each other");
        assert_eq!(
            role(&[(1, 1, 225), (2, 2, 225), (1, 2, 225)]),
            Role::Relay,
            "one of them reaches the other through us"
        );
        // 3 is behind 1, and 2 knows no other way there than through us.
        assert_eq!(role(&[(1, 1, 225), (2, 2, 225), (1, 2, 225), (2, 1, 225), (3, 1, 225)]), Role::Relay);
        assert_eq!(role(&[(1, 1, 225), (2, 2, 225), (1, 2, 225), (2, 1, 225), (3, 1, 225), (3, 2, 225)]), Role::Leaf);
    }

    #[test]
    fn our_own_way_heard_back_is_nobodys() {
        let role = |list| Role::of(&ways(list), 30);
        // 100 through us: 88 announced by the neighbour, 77 as we see it.
        assert_eq!(role(&[(1, 1, 100), (2, 2, 100), (1, 2, 77), (2, 1, 77)]), Role::Relay);
        assert_eq!(role(&[(1, 1, 100), (2, 2, 100), (1, 2, 88), (2, 1, 88)]), Role::Leaf);
        assert_eq!(role(&[(1, 1, 100), (2, 2, 100), (1, 2, 50), (2, 1, 88)]), Role::Relay, "half as much: in doubt");
    }

    #[test]
    fn leaves_are_done_before_relays_begin() {
        let waits = |role| (0..=255).map(move |n| wait(node(n), 7, DAY, role));
        let (leaf, relay) = (waits(Role::Leaf).max().unwrap(), waits(Role::Relay).min().unwrap());
        assert!(leaf <= DAY * 2 / 5 && relay >= DAY * 3 / 5, "{leaf:?} {relay:?}");
        assert!(waits(Role::Relay).max().unwrap() <= DAY);
        // Spread, not in a bunch: every tenth of the window has some of 256 nodes.
        for tenth in 0..10 {
            let from = DAY * 2 / 5 / 10 * tenth;
            let some = waits(Role::Leaf).filter(|w| (from..from + DAY / 25).contains(w)).count();
            assert!((8..60).contains(&some), "{some} in tenth {tenth}");
        }
    }

    #[test]
    fn the_same_for_a_node_and_a_serial_another_for_the_next() {
        assert_eq!(wait(node(1), 7, DAY, Role::Leaf), wait(node(1), 7, DAY, Role::Leaf));
        assert_ne!(wait(node(1), 7, DAY, Role::Leaf), wait(node(1), 8, DAY, Role::Leaf));
        assert_ne!(wait(node(1), 7, DAY, Role::Leaf), wait(node(2), 7, DAY, Role::Leaf));
        assert_eq!(wait(node(1), 7, Duration::ZERO, Role::Relay), Duration::ZERO);
    }
}
