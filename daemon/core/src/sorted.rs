//! Tables in the order of their keys.
//!
//! They do what `alloc`'s B-trees do, in a tenth of the code: a router has no flash for one tree per type. A table is
//! one sorted vector of keys, each beside a box with its value. A look-up is a binary search over keys that lie side by
//! side; an entry that comes or goes moves at most a few bytes per entry behind it, which the caps of all tables bound.

use alloc::boxed::Box;
use alloc::vec::{self, Vec};
use core::borrow::Borrow;
use core::fmt;
use core::ops::{Bound, RangeBounds};
use core::slice;

/// A map in the order of its keys.
#[derive(Clone, PartialEq, Eq)]
pub struct SortedMap<K, V>(Vec<(K, Box<V>)>);

/// A set in order.
#[derive(Clone, PartialEq, Eq)]
pub struct SortedSet<K>(Vec<K>);

impl<K, V> SortedMap<K, V> {
    /// An empty map; takes no memory.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// There is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Removes all entries.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// All entries in order.
    #[must_use]
    pub fn iter(&self) -> Iter<'_, K, V> {
        Iter(self.0.iter())
    }

    /// All entries in order, to be changed.
    pub fn iter_mut(&mut self) -> IterMut<'_, K, V> {
        IterMut(self.0.iter_mut())
    }

    /// All keys in order.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &K> + ExactSizeIterator + Clone {
        self.0.iter().map(|(k, _)| k)
    }

    /// All values in the order of their keys.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &V> + ExactSizeIterator + Clone {
        self.0.iter().map(|(_, v)| &**v)
    }

    /// All values in the order of their keys, to be changed.
    pub fn values_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut V> + ExactSizeIterator {
        self.0.iter_mut().map(|(_, v)| &mut **v)
    }

    /// All keys in order, by value.
    pub fn into_keys(self) -> impl DoubleEndedIterator<Item = K> {
        self.0.into_iter().map(|(k, _)| k)
    }

    /// All values in the order of their keys, by value.
    pub fn into_values(self) -> impl DoubleEndedIterator<Item = V> {
        self.0.into_iter().map(|(_, v)| *v)
    }

    /// The first entry.
    #[must_use]
    pub fn first_key_value(&self) -> Option<(&K, &V)> {
        self.iter().next()
    }

    /// The last entry.
    #[must_use]
    pub fn last_key_value(&self) -> Option<(&K, &V)> {
        self.iter().next_back()
    }

    /// Keeps the entries that `keep` says so of, asked in order.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &mut V) -> bool) {
        self.0.retain_mut(|(k, v)| keep(k, v));
    }
}

impl<K: Ord, V> SortedMap<K, V> {
    #[inline(never)]
    fn find<Q: Ord + ?Sized>(&self, key: &Q) -> Result<usize, usize>
    where
        K: Borrow<Q>,
    {
        self.0.binary_search_by(|(k, _)| k.borrow().cmp(key))
    }

    /// The value of a key.
    #[must_use]
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let (_, v) = self.0.get(self.find(key).ok()?)?;
        Some(v)
    }

    /// The value of a key, to be changed.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let at = self.find(key).ok()?;
        let (_, v) = self.0.get_mut(at)?;
        Some(v)
    }

    /// There is an entry with this key.
    #[must_use]
    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.find(key).is_ok()
    }

    /// Sets the value of a key; gives the one it had.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.find(&key) {
            Ok(at) => self.0.get_mut(at).map(|(_, v)| core::mem::replace(&mut **v, value)),
            Err(at) => {
                self.0.insert(at, (key, Box::new(value)));
                None
            }
        }
    }

    /// Removes a key; gives the value it had.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let at = self.find(key).ok()?;
        Some(*self.0.remove(at).1)
    }

    /// Removes the first entry.
    pub fn pop_first(&mut self) -> Option<(K, V)> {
        if self.0.is_empty() {
            return None;
        }
        let (k, v) = self.0.remove(0);
        Some((k, *v))
    }

    /// Removes the last entry.
    pub fn pop_last(&mut self) -> Option<(K, V)> {
        self.0.pop().map(|(k, v)| (k, *v))
    }

    /// The place of a key, taken or free.
    pub fn entry(&mut self, key: K) -> Entry<'_, K, V> {
        Entry { at: self.find(&key), map: self, key }
    }

    /// The entries with keys in a range, in order.
    pub fn range(&self, keys: impl RangeBounds<K>) -> Iter<'_, K, V> {
        let (from, to) = bounds(&keys, |k| self.find(k), self.0.len());
        Iter(self.0.get(from..to).unwrap_or_default().iter())
    }
}

/// First and behind the last place of a range of keys.
fn bounds<K>(keys: &impl RangeBounds<K>, find: impl Fn(&K) -> Result<usize, usize>, len: usize) -> (usize, usize) {
    let from = match keys.start_bound() {
        Bound::Included(k) => find(k).unwrap_or_else(|at| at),
        Bound::Excluded(k) => find(k).map_or_else(|at| at, |at| at + 1),
        Bound::Unbounded => 0,
    };
    let to = match keys.end_bound() {
        Bound::Included(k) => find(k).map_or_else(|at| at, |at| at + 1),
        Bound::Excluded(k) => find(k).unwrap_or_else(|at| at),
        Bound::Unbounded => len,
    };
    (from, to)
}

/// The place of a key in a map, taken or free.
pub struct Entry<'a, K, V> {
    map: &'a mut SortedMap<K, V>,
    at: Result<usize, usize>,
    key: K,
}

impl<'a, K: Ord, V> Entry<'a, K, V> {
    /// The value there, made by `value` if there was none.
    pub fn or_insert_with(self, value: impl FnOnce() -> V) -> &'a mut V {
        let at = match self.at {
            Ok(at) => at,
            Err(at) => {
                self.map.0.insert(at, (self.key, Box::new(value())));
                at
            }
        };
        #[expect(clippy::indexing_slicing, reason = "there is an entry at this place: found, or just put there")]
        &mut self.map.0[at].1
    }

    /// The value there, or this one.
    pub fn or_insert(self, value: V) -> &'a mut V {
        self.or_insert_with(|| value)
    }

    /// The value there, or the usual one.
    pub fn or_default(self) -> &'a mut V
    where
        V: Default,
    {
        self.or_insert_with(V::default)
    }
}

impl<K, V> Default for SortedMap<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for SortedMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<K: Ord, V> Extend<(K, V)> for SortedMap<K, V> {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        for (k, v) in entries {
            self.insert(k, v);
        }
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for SortedMap<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut map = Self::new();
        map.extend(entries);
        map
    }
}

impl<K: Ord, V, const N: usize> From<[(K, V); N]> for SortedMap<K, V> {
    fn from(entries: [(K, V); N]) -> Self {
        entries.into_iter().collect()
    }
}

impl<'a, K, V> IntoIterator for &'a SortedMap<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = Iter<'a, K, V>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a, K, V> IntoIterator for &'a mut SortedMap<K, V> {
    type Item = (&'a K, &'a mut V);
    type IntoIter = IterMut<'a, K, V>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter_mut()
    }
}

impl<K, V> IntoIterator for SortedMap<K, V> {
    type Item = (K, V);
    type IntoIter = IntoIter<K, V>;
    fn into_iter(self) -> Self::IntoIter {
        IntoIter(self.0.into_iter())
    }
}

/// Entries of a map in order.
pub struct Iter<'a, K, V>(slice::Iter<'a, (K, Box<V>)>);

impl<K, V> Clone for Iter<'_, K, V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<'a, K, V> Iterator for Iter<'a, K, V> {
    type Item = (&'a K, &'a V);
    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(k, v)| (k, &**v))
    }
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl<K, V> DoubleEndedIterator for Iter<'_, K, V> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.0.next_back().map(|(k, v)| (k, &**v))
    }
}

impl<K, V> ExactSizeIterator for Iter<'_, K, V> {}

/// Entries of a map in order, to be changed.
pub struct IterMut<'a, K, V>(slice::IterMut<'a, (K, Box<V>)>);

impl<'a, K, V> Iterator for IterMut<'a, K, V> {
    type Item = (&'a K, &'a mut V);
    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(k, v)| (&*k, &mut **v))
    }
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

/// Entries of a map in order, by value.
pub struct IntoIter<K, V>(vec::IntoIter<(K, Box<V>)>);

impl<K, V> Iterator for IntoIter<K, V> {
    type Item = (K, V);
    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(k, v)| (k, *v))
    }
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl<K> SortedSet<K> {
    /// An empty set; takes no memory.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Number of members.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// There is no member.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Removes all members.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// All members in order.
    pub fn iter(&self) -> slice::Iter<'_, K> {
        self.0.iter()
    }

    /// The first member.
    #[must_use]
    pub fn first(&self) -> Option<&K> {
        self.0.first()
    }

    /// The last member.
    #[must_use]
    pub fn last(&self) -> Option<&K> {
        self.0.last()
    }

    /// Keeps the members that `keep` says so of, asked in order.
    pub fn retain(&mut self, keep: impl FnMut(&K) -> bool) {
        self.0.retain(keep);
    }
}

impl<K: Ord> SortedSet<K> {
    #[inline(never)]
    fn find<Q: Ord + ?Sized>(&self, key: &Q) -> Result<usize, usize>
    where
        K: Borrow<Q>,
    {
        self.0.binary_search_by(|k| k.borrow().cmp(key))
    }

    /// It is a member.
    #[must_use]
    pub fn contains<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.find(key).is_ok()
    }

    /// Adds a member; whether it is new.
    pub fn insert(&mut self, key: K) -> bool {
        let Err(at) = self.find(&key) else { return false };
        self.0.insert(at, key);
        true
    }

    /// Removes a member; whether it was one.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        let Ok(at) = self.find(key) else { return false };
        self.0.remove(at);
        true
    }

    /// Removes the first member.
    pub fn pop_first(&mut self) -> Option<K> {
        (!self.0.is_empty()).then(|| self.0.remove(0))
    }

    /// Removes the last member.
    pub fn pop_last(&mut self) -> Option<K> {
        self.0.pop()
    }

    /// The members in a range, in order.
    pub fn range(&self, keys: impl RangeBounds<K>) -> slice::Iter<'_, K> {
        let (from, to) = bounds(&keys, |k| self.find(k), self.0.len());
        self.0.get(from..to).unwrap_or_default().iter()
    }

    /// It has no member of `other`.
    #[must_use]
    pub fn is_disjoint(&self, other: &Self) -> bool {
        !self.0.iter().any(|k| other.contains(k))
    }

    /// The members that `other` does not have, in order.
    pub fn difference<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'a K> {
        self.0.iter().filter(|k| !other.contains(*k))
    }
}

impl<K> Default for SortedSet<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: fmt::Debug> fmt::Debug for SortedSet<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(&self.0).finish()
    }
}

impl<K: Ord> Extend<K> for SortedSet<K> {
    fn extend<I: IntoIterator<Item = K>>(&mut self, members: I) {
        for k in members {
            self.insert(k);
        }
    }
}

impl<'a, K: Ord + Copy + 'a> Extend<&'a K> for SortedSet<K> {
    fn extend<I: IntoIterator<Item = &'a K>>(&mut self, members: I) {
        self.extend(members.into_iter().copied());
    }
}

impl<K: Ord> FromIterator<K> for SortedSet<K> {
    fn from_iter<I: IntoIterator<Item = K>>(members: I) -> Self {
        let mut set = Self::new();
        set.extend(members);
        set
    }
}

impl<K: Ord, const N: usize> From<[K; N]> for SortedSet<K> {
    fn from(members: [K; N]) -> Self {
        members.into_iter().collect()
    }
}

impl<'a, K> IntoIterator for &'a SortedSet<K> {
    type Item = &'a K;
    type IntoIter = slice::Iter<'a, K>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<K> IntoIterator for SortedSet<K> {
    type Item = K;
    type IntoIter = vec::IntoIter<K>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::{BTreeMap, BTreeSet};
    use proptest::prelude::*;

    fn same(sorted: &SortedMap<u8, u32>, tree: &BTreeMap<u8, u32>) {
        assert!(sorted.iter().eq(tree.iter()));
        assert!(sorted.iter().rev().eq(tree.iter().rev()));
        assert!(sorted.keys().eq(tree.keys()) && sorted.values().eq(tree.values()));
        assert_eq!((sorted.len(), sorted.is_empty()), (tree.len(), tree.is_empty()));
        assert_eq!(sorted.first_key_value(), tree.first_key_value());
        assert_eq!(sorted.last_key_value(), tree.last_key_value());
    }

    proptest! {
        #[test]
        fn a_map_does_what_a_tree_does(steps in proptest::collection::vec((0u8..9, 0u8..20, 0u32..9), 0..200)) {
            let (mut sorted, mut tree) = (SortedMap::new(), BTreeMap::new());
            for (step, k, v) in steps {
                match step {
                    0..=2 => assert_eq!(sorted.insert(k, v), tree.insert(k, v)),
                    3 | 4 => assert_eq!(sorted.remove(&k), tree.remove(&k)),
                    5 => assert_eq!(sorted.pop_first(), tree.pop_first()),
                    6 => assert_eq!(sorted.pop_last(), tree.pop_last()),
                    7 => assert_eq!(sorted.entry(k).or_insert(v), tree.entry(k).or_insert(v)),
                    _ => {
                        sorted.retain(|key, _| key % 3 != k % 3);
                        tree.retain(|key, _| key % 3 != k % 3);
                    }
                }
                same(&sorted, &tree);
                assert_eq!((sorted.get(&k), sorted.contains_key(&k)), (tree.get(&k), tree.contains_key(&k)));
                assert!(sorted.range(k..).eq(tree.range(k..)) && sorted.range(..=k).eq(tree.range(..=k)));
                assert!(sorted.range(3..k.max(3)).eq(tree.range(3..k.max(3))));
            }
        }

        #[test]
        fn a_set_does_what_a_tree_does(steps in proptest::collection::vec((0u8..5, 0u8..20), 0..200)) {
            let (mut sorted, mut tree) = (SortedSet::new(), BTreeSet::new());
            for (step, k) in steps {
                match step {
                    0..=2 => assert_eq!(sorted.insert(k), tree.insert(k)),
                    3 => assert_eq!(sorted.remove(&k), tree.remove(&k)),
                    _ => assert_eq!(sorted.pop_last(), tree.pop_last()),
                }
                assert!(sorted.iter().eq(tree.iter()) && sorted.contains(&k) == tree.contains(&k));
                assert!(sorted.range(k..).eq(tree.range(k..)) && sorted.range(..k).eq(tree.range(..k)));
                assert_eq!((sorted.first(), sorted.last()), (tree.first(), tree.last()));
            }
            let other: SortedSet<u8> = (0..10).collect();
            assert_eq!(sorted.is_disjoint(&other), tree.iter().all(|k| *k >= 10));
            assert!(sorted.difference(&other).eq(tree.iter().filter(|k| **k >= 10)));
        }
    }
}
