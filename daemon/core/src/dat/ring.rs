//! Who keeps which answer: originators that take part, in the order of the ring.
//! Source: "Payload plane" section 6.1.

use crate::sorted::SortedSet;
use alloc::vec::Vec;
use packet::MacAddr;
use packet::dat::{CANDIDATES, dat_addr};

/// Originators with the capability, by their place.
#[derive(Debug, Default)]
pub(crate) struct Ring(SortedSet<(u16, MacAddr)>);

impl Ring {
    /// An originator takes part, or no longer does.
    pub(crate) fn set(&mut self, orig: MacAddr, takes_part: bool) {
        let place = (dat_addr(orig), orig);
        if takes_part {
            self.0.insert(place);
        } else {
            self.0.remove(&place);
        }
    }

    /// Who keeps the answers for a key, the best one first. Closeness falls with the place, from
    /// the key upwards and around; equal places go by address.
    pub(crate) fn candidates(&self, key: u16) -> Vec<MacAddr> {
        let from = (key, MacAddr::ZERO);
        self.0.range(from..).chain(self.0.range(..from)).take(CANDIDATES).map(|(_, orig)| *orig).collect()
    }

    pub(crate) fn contains(&self, orig: MacAddr) -> bool {
        self.0.contains(&(dat_addr(orig), orig))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use packet::dat::candidate_order;
    use proptest::prelude::*;

    proptest! {
        /// The ring's walk gives what sorting by closeness gives, which is checked against the
        /// kernel where it is defined.
        #[test]
        fn walks_as_the_kernel_sorts(nodes in proptest::collection::btree_set(any::<[u8; 6]>(), 0..40), key in 0u16..65535) {
            let mut ring = Ring::default();
            let mut all: Vec<MacAddr> = nodes.into_iter().map(MacAddr).collect();
            all.iter().for_each(|n| ring.set(*n, true));
            all.sort_by(|a, b| candidate_order(key, *a, *b));
            all.truncate(CANDIDATES);
            prop_assert_eq!(ring.candidates(key), all);
        }
    }

    #[test]
    fn only_those_who_take_part() {
        let mut ring = Ring::default();
        let nodes: Vec<MacAddr> = (1..=5).map(|n| MacAddr([2, 0, 0, 0, 0, n])).collect();
        nodes.iter().for_each(|n| ring.set(*n, true));
        let first = ring.candidates(7)[0];
        ring.set(first, false);
        assert!(!ring.candidates(7).contains(&first));
        assert_eq!((ring.candidates(7).len(), ring.len(), ring.contains(first)), (3, 4, false));
    }

    #[test]
    fn places_that_are_equal() {
        // Two addresses with one place: the lower one comes first.
        let place = |n: u32| dat_addr(MacAddr([2, 0, (n >> 24) as u8, (n >> 16) as u8, (n >> 8) as u8, n as u8]));
        let mut seen = crate::sorted::SortedMap::new();
        let (a, b) = (0..2000).find_map(|n| Some((seen.insert(place(n), n)?, n))).unwrap();
        let mac = |n: u32| MacAddr([2, 0, (n >> 24) as u8, (n >> 16) as u8, (n >> 8) as u8, n as u8]);
        let mut ring = Ring::default();
        ring.set(mac(b), true);
        ring.set(mac(a), true);
        assert_eq!(ring.candidates(place(a)), [mac(a), mac(b)]);
        assert_eq!(ring.candidates(place(a).wrapping_add(1)), [mac(a), mac(b)]);
    }
}
