//! What is known of addresses: which MAC has them, how sure that is, and for how long.
//!
//! Nobody can prove whose an address is. What is done instead: an entry that was confirmed lately
//! is not overwritten. If somebody else claims the address meanwhile, the entry is *contested*: no
//! question is answered out of it, questions go to the stations themselves as without any cache,
//! and people are told. So a forged message gains no more than it does on a plain wire, and an
//! address that really moved works at once. Source: "Pitfalls" B 10.

use crate::sorted::{SortedMap, SortedSet};
use crate::time::{Duration, Instant};
use packet::{MacAddr, Vid};

/// An entry that nobody confirms is forgotten. Source: "Payload plane" section 6.3.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(300);
/// An entry that was confirmed within this time is not overwritten, and another claim makes it
/// doubtful for as long.
const YOUNG: Duration = Duration::from_secs(30);
/// An entry that was confirmed this long after it came is worth keeping at the cap.
const PROVEN: Duration = Duration::from_secs(10);
/// People are told of claims to one address once in this time.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// An address in its VLAN.
pub(crate) type Key<A> = (A, Vid);

/// One address.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) mac: MacAddr,
    /// When this MAC came.
    since: Instant,
    /// When it was last confirmed.
    pub(crate) confirmed: Instant,
    contested: Option<Instant>,
    told: Option<Instant>,
    /// Confirmed long enough after it came.
    proven: bool,
    /// A unicast question to it passed, and no answer since.
    probed: bool,
    /// Neighbour discovery: whether it is a router; `None` as long as it did not say.
    pub(crate) router: Option<bool>,
}

impl Entry {
    /// Several stations claim the address.
    pub(crate) fn is_contested(&self, now: Instant) -> bool {
        self.contested.is_some_and(|at| now.since(at) < YOUNG)
    }

    fn is_usable(&self, now: Instant) -> bool {
        !self.is_contested(now) && !self.probed && now.since(self.confirmed) <= TIMEOUT
    }
}

/// What a message says about an address.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claim {
    pub(crate) mac: MacAddr,
    /// An entry with this MAC is known to be right. Not so if it is out of another node's cache.
    pub(crate) confirms: bool,
    /// An entry with another MAC may be replaced.
    pub(crate) replaces: bool,
    /// Neighbour discovery: the owner says so itself, and whether it is a router.
    pub(crate) router: Option<bool>,
}

impl Claim {
    /// Said by the station itself.
    pub(crate) fn of(mac: MacAddr) -> Self {
        Self { mac, confirms: true, replaces: true, router: None }
    }

    /// Said by a node that remembers it.
    pub(crate) fn hearsay(mac: MacAddr) -> Self {
        Self { confirms: false, replaces: false, ..Self::of(mac) }
    }
}

/// What came of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Learned {
    /// Nothing that people have to know.
    Quietly,
    /// Another MAC had the address. It was replaced, or both claim it now and nobody is believed.
    Flip { old: MacAddr, replaced: bool },
    /// The cache is full of entries that proved good.
    Full,
}

/// Addresses of one kind. At the cap the newest entry that never proved good gives way; if there
/// is none, the newcomer is refused. Without an entry questions are flooded, which is slower and
/// nothing worse.
#[derive(Debug)]
pub(crate) struct Cache<A> {
    entries: SortedMap<Key<A>, Entry>,
    /// Entries that are not proven, by the time they came.
    unproven: SortedSet<(Instant, Key<A>)>,
}

impl<A: Ord + Copy> Default for Cache<A> {
    fn default() -> Self {
        Self { entries: SortedMap::new(), unproven: SortedSet::new() }
    }
}

impl<A: Ord + Copy> Cache<A> {
    /// Takes in that an address is claimed. At most `cap` entries are kept.
    pub(crate) fn learn(&mut self, key: Key<A>, claim: Claim, cap: usize, now: Instant) -> Learned {
        let Some(e) = self.entries.get_mut(&key) else {
            if !self.make_room(cap) {
                return Learned::Full;
            }
            self.insert(key, claim, None, now);
            return Learned::Quietly;
        };
        if e.mac == claim.mac {
            if claim.confirms {
                e.confirmed = now;
                e.probed = false;
                e.router = claim.router.or(e.router);
                if !e.proven && now.since(e.since) >= PROVEN {
                    e.proven = true;
                    self.unproven.remove(&(e.since, key));
                }
            }
            return Learned::Quietly;
        }
        let old = e.mac;
        let tell = e.told.is_none_or(|at| now.since(at) >= TELL_EVERY);
        let told = if tell { Some(now) } else { e.told };
        let replaced = claim.replaces && now.since(e.confirmed) >= YOUNG;
        if replaced {
            let since = e.since;
            self.unproven.remove(&(since, key));
            self.insert(key, claim, told, now);
        } else {
            (e.contested, e.told) = (Some(now), told);
        }
        if tell { Learned::Flip { old, replaced } } else { Learned::Quietly }
    }

    fn insert(&mut self, key: Key<A>, claim: Claim, told: Option<Instant>, now: Instant) {
        let entry = Entry {
            mac: claim.mac,
            since: now,
            confirmed: now,
            contested: None,
            told,
            proven: false,
            probed: false,
            router: claim.router,
        };
        self.unproven.insert((now, key));
        self.entries.insert(key, entry);
    }

    fn make_room(&mut self, cap: usize) -> bool {
        while self.entries.len() >= cap.max(1) {
            let Some((_, victim)) = self.unproven.pop_last() else { return false };
            self.entries.remove(&victim);
        }
        true
    }

    /// A question went to the station itself: until it answers, nobody answers for it.
    pub(crate) fn note_probe(&mut self, key: Key<A>) {
        if let Some(e) = self.entries.get_mut(&key) {
            e.probed = true;
        }
    }

    /// Forgets what is too old.
    pub(crate) fn purge(&mut self, now: Instant) {
        let unproven = &mut self.unproven;
        self.entries.retain(|key, e| {
            let stays = now.since(e.confirmed) <= TIMEOUT;
            if !stays {
                unproven.remove(&(e.since, *key));
            }
            stays
        });
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The entry that a question can be answered from.
    pub(crate) fn usable(&self, key: Key<A>, now: Instant) -> Option<Entry> {
        self.entries.get(&key).filter(|e| e.is_usable(now)).copied()
    }

    /// The MAC that an address has or had.
    pub(crate) fn mac(&self, key: Key<A>) -> Option<MacAddr> {
        self.entries.get(&key).map(|e| e.mac)
    }

    /// All entries.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Key<A>, &Entry)> {
        self.entries.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// True if the list of unproven entries is that of the entries.
    pub(crate) fn is_consistent(&self) -> bool {
        let unproven = self.entries.iter().filter(|(_, e)| !e.proven);
        unproven.clone().count() == self.unproven.len()
            && unproven.map(|(k, e)| (e.since, *k)).all(|k| self.unproven.contains(&k))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::Ipv4Addr;

    const A: MacAddr = MacAddr([2, 0, 0, 0, 0, 0xa]);
    const B: MacAddr = MacAddr([2, 0, 0, 0, 0, 0xb]);

    fn key(n: u32) -> Key<Ipv4Addr> {
        (Ipv4Addr::from(0x0a00_0000 + n), Vid::UNTAGGED)
    }

    fn at(secs: u64) -> Instant {
        Instant::from_micros(secs * 1_000_000)
    }

    fn mac(c: &Cache<Ipv4Addr>, secs: u64) -> Option<MacAddr> {
        c.usable(key(1), at(secs)).map(|e| e.mac)
    }

    #[test]
    fn five_minutes_since_the_last_word() {
        let mut c = Cache::default();
        c.learn(key(1), Claim::of(A), 9, at(0));
        assert_eq!((mac(&c, 300), mac(&c, 301)), (Some(A), None));
        c.learn(key(1), Claim::of(A), 9, at(200));
        c.purge(at(500));
        assert_eq!(mac(&c, 500), Some(A));
        // What another node remembers confirms nothing.
        c.learn(key(1), Claim::hearsay(A), 9, at(400));
        c.purge(at(501));
        assert_eq!((c.len(), c.is_consistent()), (0, true));
    }

    #[test]
    fn a_young_entry_is_not_overwritten() {
        let mut c = Cache::default();
        c.learn(key(1), Claim::of(A), 9, at(0));
        let flip = Learned::Flip { old: A, replaced: false };
        assert_eq!(c.learn(key(1), Claim::of(B), 9, at(20)), flip);
        assert_eq!(mac(&c, 20), None, "nobody is believed");
        assert_eq!(c.learn(key(1), Claim::of(B), 9, at(21)), Learned::Quietly, "people were told");
        // The owner goes on, the forger stops: 30 s after its last claim all is as it was.
        c.learn(key(1), Claim::of(A), 9, at(45));
        assert_eq!((mac(&c, 50), mac(&c, 51)), (None, Some(A)));
    }

    #[test]
    fn an_address_that_moved() {
        let mut c = Cache::default();
        c.learn(key(1), Claim::of(A), 9, at(0));
        c.learn(key(1), Claim::of(B), 9, at(10));
        // Its old owner is silent for long enough.
        assert_eq!(c.learn(key(1), Claim::of(B), 9, at(30)), Learned::Quietly);
        assert_eq!((mac(&c, 30), c.is_consistent()), (Some(B), true));
        // After a while of silence a move is taken in at once, and told.
        assert_eq!(c.learn(key(1), Claim::of(A), 9, at(100)), Learned::Flip { old: B, replaced: true });
        assert_eq!(mac(&c, 100), Some(A));
    }

    #[test]
    fn hearsay_replaces_nothing() {
        let mut c = Cache::default();
        c.learn(key(1), Claim::of(A), 9, at(0));
        let hearsay = Claim::hearsay(B);
        assert_eq!(c.learn(key(1), hearsay, 9, at(100)), Learned::Flip { old: A, replaced: false });
        assert_eq!((mac(&c, 100), mac(&c, 130)), (None, Some(A)));
    }

    #[test]
    fn invented_addresses_push_out_no_good_ones() {
        let mut c = Cache::default();
        for n in 0..4 {
            c.learn(key(n), Claim::of(A), 8, at(0));
        }
        for n in 0..4 {
            c.learn(key(n), Claim::of(A), 8, at(10));
        }
        for n in 100..1000 {
            c.learn(key(n), Claim::of(B), 8, at(11));
        }
        assert_eq!((c.len(), c.is_consistent()), (8, true));
        assert!((0..4).all(|n| c.usable(key(n), at(11)).is_some()));
        for n in 100..1000 {
            c.learn(key(n), Claim::of(B), 8, at(22));
        }
        assert_eq!(c.learn(key(5), Claim::of(B), 4, at(22)), Learned::Full);
        assert!(c.is_consistent());
    }

    #[test]
    fn nobody_answers_for_a_station_that_does_not() {
        let mut c = Cache::default();
        c.learn(key(1), Claim::of(A), 9, at(0));
        c.note_probe(key(1));
        assert_eq!(mac(&c, 1), None);
        c.learn(key(1), Claim::hearsay(A), 9, at(2));
        assert_eq!(mac(&c, 2), None);
        c.learn(key(1), Claim::of(A), 9, at(3));
        assert_eq!(mac(&c, 3), Some(A));
    }
}
