//! Clients of other nodes. Source: "Translation table" sections 1, 3 and 6.

use super::Key;
use crate::border::Output;
use crate::counters::Drop;
use crate::fib::{ClientAt, FibChange};
use crate::isolation::{MARKS, Scope};
use crate::sorted::{SortedMap, SortedSet};
use crate::time::{Duration, Instant};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use packet::tvlv::tt::{TtChange, client, entry_crc};
use packet::{MacAddr, Vid};

/// A client that left, or that was only seen in a packet, is forgotten after this.
const TIMEOUT: Duration = Duration::from_secs(600);

/// An old node announces that a client left within this time.
const SETTLES: Duration = Duration::from_secs(3);

/// The table of who says that a client came to it shows it within this time, or the client was
/// never there. Source: "Pitfalls" B 7.
const PROOF: Duration = Duration::from_secs(10);

/// One client.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Originators that serve it; more than one when several nodes share a LAN.
    pub(crate) at: Vec<At>,
    /// It is known to have moved on.
    pub(crate) roam: bool,
    /// Seen in a packet, not announced.
    pub(crate) temp: bool,
    roam_at: Instant,
    added_at: Instant,
    /// Only a roaming advertisement says that the client is there.
    unproven: Option<Unproven>,
    published: Option<ClientAt>,
    /// What the data plane was told of its marks.
    marked: u8,
}

impl Entry {
    /// Its marks, by whichever originator says so.
    pub(crate) fn marks(&self) -> u8 {
        self.at.iter().fold(0, |bits, at| bits | at.sync) & MARKS
    }
}

/// A roaming advertisement that its sender's table has to confirm.
#[derive(Debug, Clone, Copy)]
struct Unproven {
    /// The sender.
    orig: MacAddr,
    since: Instant,
    /// The client was ours before.
    was_ours: bool,
}

/// One originator that serves a client.
#[derive(Debug, Clone, Copy)]
pub(crate) struct At {
    pub(crate) orig: MacAddr,
    /// Table version with which it was learned.
    pub(crate) ttvn: u8,
    /// [`client::SYNC`] flags as this originator announces them.
    pub(crate) sync: u8,
}

/// What we know of one originator's table.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(crate) ttvn: u8,
    /// A table was received since the originator appeared.
    pub(crate) known: bool,
    vlans: SortedMap<Vid, Vlan>,
    /// The last diff, to answer others on its behalf.
    pub(crate) last_diff: Vec<TtChange>,
    pub(crate) keys: SortedSet<Key>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Vlan {
    /// Clients listed.
    count: usize,
    /// Those of them that are announced: neither roaming nor only seen in a packet.
    announced: usize,
    /// CRC of the announced ones.
    crc: u32,
}

impl Table {
    /// CRC of a VLAN's clients; 0 without any.
    pub(crate) fn crc(&self, vid: Vid) -> u32 {
        self.vlans.get(&vid).map_or(0, |v| v.crc)
    }

    /// True if an announced client is in the VLAN.
    pub(crate) fn announces(&self, vid: Vid) -> bool {
        self.vlans.get(&vid).is_some_and(|v| v.announced > 0)
    }

    /// VLANs with announced clients.
    pub(crate) fn vlan_count(&self) -> usize {
        self.vlans.values().filter(|v| v.announced > 0).count()
    }
}

/// How good the way to an originator is, 0 without one.
pub(crate) type Metric<'a> = &'a dyn Fn(MacAddr) -> u32;

/// What is said about a client.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claim {
    pub(crate) key: Key,
    pub(crate) orig: MacAddr,
    /// Flags of the change record.
    pub(crate) flags: u8,
    pub(crate) ttvn: u8,
    /// Seen in a packet only.
    pub(crate) temp: bool,
}

/// All clients of other nodes. At the bounds newcomers are refused.
#[derive(Debug)]
pub(crate) struct Global {
    pub(crate) entries: SortedMap<Key, Entry>,
    pub(crate) tables: SortedMap<MacAddr, Table>,
    pub(crate) cap: usize,
    pub(crate) cap_per_originator: usize,
    /// The data plane wants to know how clients are marked.
    pub(crate) isolating: Scope,
}

impl Global {
    pub(crate) fn new(cap: usize, cap_per_originator: usize) -> Self {
        Self { entries: SortedMap::new(), tables: SortedMap::new(), cap, cap_per_originator, isolating: Scope::Nowhere }
    }

    /// Takes in that an originator serves a client. Returns false where a weaker claim changes
    /// nothing (a packet was seen of a client that is announced elsewhere).
    ///
    /// # Errors
    /// [`Drop::UnknownClient`] at a bound.
    pub(crate) fn add(
        &mut self,
        claim: Claim,
        metric: Metric<'_>,
        now: Instant,
        out: &mut VecDeque<Output>,
    ) -> Result<bool, Drop> {
        let Claim { key, orig, flags, ttvn, temp } = claim;
        let group = key.0.is_multicast();
        let roam = flags & client::ROAM != 0 && !group;
        let listed = self.tables.get(&orig).map_or(0, |t| t.keys.len());
        let is_listed = self.tables.get(&orig).is_some_and(|t| t.keys.contains(&key));
        if (!self.entries.contains_key(&key) && self.entries.len() >= self.cap)
            || (!is_listed && listed >= self.cap_per_originator)
        {
            return Err(Drop::UnknownClient);
        }
        let created = !self.entries.contains_key(&key);
        if let Some(e) = self.entries.get(&key) {
            if temp && (!e.temp || e.at.iter().any(|a| a.orig == orig)) {
                return Ok(false);
            }
            let forget = (temp || e.temp) || roam || e.roam;
            self.unweigh(key);
            if forget {
                self.unlist_all(key);
            }
            if let Some(e) = self.entries.get_mut(&key) {
                e.temp = temp;
                e.roam = false;
            }
        } else {
            let entry = Entry {
                at: Vec::new(),
                roam: false,
                temp,
                roam_at: now,
                added_at: now,
                unproven: None,
                published: None,
                marked: 0,
            };
            self.entries.insert(key, entry);
        }
        let sync = if group { 0 } else { flags & client::SYNC };
        self.list(key, At { orig, ttvn, sync });
        if let Some(e) = self.entries.get_mut(&key) {
            if flags & client::ROAM == 0 && !temp && e.unproven.is_some_and(|u| u.orig == orig) {
                e.unproven = None;
            }
            // Only where nothing else was known: an existing entry just moves.
            e.roam = roam && created;
            e.roam_at = now;
        }
        self.weigh(key);
        self.publish(key, metric, out);
        Ok(true)
    }

    /// Takes in that an originator does not serve a client any more, because it roams if the claim
    /// says so. `here` says that the client is with us now.
    pub(crate) fn remove(
        &mut self,
        claim: Claim,
        here: bool,
        metric: Metric<'_>,
        now: Instant,
        out: &mut VecDeque<Output>,
    ) {
        let Claim { key, orig, flags, .. } = claim;
        let roaming = flags & client::ROAM != 0;
        let Some(e) = self.entries.get(&key) else { return };
        let alone = e.at.len() == 1 && e.at.iter().all(|a| a.orig == orig);
        self.unweigh(key);
        match (roaming, here, alone) {
            (true, true, _) => self.unlist_all(key),
            (true, false, true) => {
                if let Some(e) = self.entries.get_mut(&key) {
                    (e.roam, e.roam_at) = (true, now);
                }
            }
            _ => self.unlist(key, orig),
        }
        self.weigh(key);
        self.publish(key, metric, out);
    }

    /// The client is with us now, but its old node does not know yet: packets of others are still
    /// to be redirected.
    pub(crate) fn mark_roaming(&mut self, key: Key, metric: Metric<'_>, now: Instant, out: &mut VecDeque<Output>) {
        self.unweigh(key);
        if let Some(e) = self.entries.get_mut(&key) {
            (e.roam, e.roam_at) = (true, now);
        }
        self.weigh(key);
        self.publish(key, metric, out);
    }

    /// True if the client moved to us so lately that its old node may not have said so yet.
    pub(crate) fn moved_lately(&self, key: Key, now: Instant) -> bool {
        self.entries.get(&key).is_some_and(|e| e.roam && now.since(e.roam_at) < SETTLES)
    }

    /// True if a client of the originator moved to us lately: its table cannot agree with its own
    /// checksum then.
    pub(crate) fn lost_lately(&self, orig: MacAddr, now: Instant) -> bool {
        self.tables.get(&orig).is_some_and(|t| t.keys.iter().any(|key| self.moved_lately(*key, now)))
    }

    /// Forgets a client altogether.
    pub(crate) fn forget(&mut self, key: Key, metric: Metric<'_>, out: &mut VecDeque<Output>) {
        self.unweigh(key);
        self.unlist_all(key);
        self.publish(key, metric, out);
    }

    /// Forgets the clients of an originator; its version is kept. With `announced_only` those stay
    /// that a table of the originator does not speak of: the roaming and the only seen.
    pub(crate) fn forget_originator(
        &mut self,
        orig: MacAddr,
        announced_only: bool,
        metric: Metric<'_>,
        out: &mut VecDeque<Output>,
    ) {
        let Some(table) = self.tables.get_mut(&orig) else { return };
        table.known = false;
        table.last_diff.clear();
        let keys: Vec<Key> = table.keys.iter().copied().collect();
        for key in keys {
            if announced_only && self.entries.get(&key).is_some_and(|e| e.roam || e.temp) {
                continue;
            }
            self.unweigh(key);
            self.unlist(key, orig);
            self.weigh(key);
            self.publish(key, metric, out);
        }
    }

    /// Forgets the clients of an originator in one VLAN.
    pub(crate) fn forget_vlan(&mut self, orig: MacAddr, vid: Vid, metric: Metric<'_>, out: &mut VecDeque<Output>) {
        let Some(table) = self.tables.get(&orig) else { return };
        let keys: Vec<Key> = table.keys.iter().filter(|k| k.1 == vid).copied().collect();
        for key in keys {
            self.unweigh(key);
            self.unlist(key, orig);
            self.weigh(key);
            self.publish(key, metric, out);
        }
    }

    /// Notes that an advertisement brought the client to `orig`.
    pub(crate) fn doubt(&mut self, key: Key, orig: MacAddr, was_ours: bool, now: Instant) {
        if let Some(e) = self.entries.get_mut(&key).filter(|e| e.at.iter().any(|a| a.orig == orig)) {
            // Who repeats the advertisement gains no time by it.
            let since = e.unproven.filter(|u| u.orig == orig).map_or(now, |u| u.since);
            let was_ours = was_ours || e.unproven.is_some_and(|u| u.was_ours);
            e.unproven = Some(Unproven { orig, since, was_ours });
        }
    }

    /// Forgets clients that an advertisement moved and no table confirmed. Returns those that were
    /// ours before.
    pub(crate) fn forget_unproven(
        &mut self,
        metric: Metric<'_>,
        now: Instant,
        out: &mut VecDeque<Output>,
    ) -> Vec<(Key, MacAddr)> {
        let old = |e: &Entry| e.unproven.filter(|u| now.since(u.since) >= PROOF);
        let late: Vec<(Key, Unproven)> = self.entries.iter().filter_map(|(k, e)| Some((*k, old(e)?))).collect();
        for (key, _) in &late {
            self.forget(*key, metric, out);
        }
        late.into_iter().filter(|(_, u)| u.was_ours).map(|(key, u)| (key, u.orig)).collect()
    }

    /// Forgets clients that left or that were never announced.
    pub(crate) fn age(&mut self, metric: Metric<'_>, now: Instant, out: &mut VecDeque<Output>) {
        let old =
            |e: &Entry| (e.roam && now.since(e.roam_at) >= TIMEOUT) || (e.temp && now.since(e.added_at) >= TIMEOUT);
        let keys: Vec<Key> = self.entries.iter().filter(|(_, e)| old(e)).map(|(k, _)| *k).collect();
        for key in keys {
            self.forget(key, metric, out);
        }
    }

    /// Chooses anew among several originators of a client, after metrics changed.
    pub(crate) fn choose_again(&mut self, metric: Metric<'_>, out: &mut VecDeque<Output>) {
        let keys: Vec<Key> = self.entries.iter().filter(|(_, e)| e.at.len() > 1).map(|(k, _)| *k).collect();
        for key in keys {
            self.publish(key, metric, out);
        }
    }

    /// The table of an originator, created empty.
    pub(crate) fn table_mut(&mut self, orig: MacAddr) -> &mut Table {
        self.tables.entry(orig).or_default()
    }

    /// The best originator of a client.
    pub(crate) fn best(&self, key: Key) -> Option<ClientAt> {
        self.entries.get(&key)?.published
    }

    /// Takes an entry's share out of the checksums of its originators, before it changes.
    fn unweigh(&mut self, key: Key) {
        self.weigh_as(key, false);
    }

    /// Takes an entry's share into the checksums of its originators. Clients that roam or were
    /// never announced do not count. Source: section 3.
    fn weigh(&mut self, key: Key) {
        self.weigh_as(key, true);
    }

    fn weigh_as(&mut self, key: Key, counts: bool) {
        let Some(e) = self.entries.get(&key).filter(|e| !e.roam && !e.temp) else { return };
        for at in &e.at {
            if let Some(v) = self.tables.get_mut(&at.orig).and_then(|t| t.vlans.get_mut(&key.1)) {
                // XOR undoes itself.
                v.crc ^= entry_crc(key.0, key.1, at.sync);
                v.announced = if counts { v.announced + 1 } else { v.announced - 1 };
            }
        }
    }

    fn list(&mut self, key: Key, at: At) {
        let table = self.tables.entry(at.orig).or_default();
        if table.keys.insert(key) {
            table.vlans.entry(key.1).or_default().count += 1;
        }
        let Some(e) = self.entries.get_mut(&key) else { return };
        match e.at.iter_mut().find(|a| a.orig == at.orig) {
            Some(old) => *old = at,
            None => e.at.push(at),
        }
    }

    fn unlist(&mut self, key: Key, orig: MacAddr) {
        if let Some(e) = self.entries.get_mut(&key) {
            e.at.retain(|a| a.orig != orig);
        }
        let Some(table) = self.tables.get_mut(&orig) else { return };
        if table.keys.remove(&key)
            && let Some(v) = table.vlans.get_mut(&key.1)
        {
            v.count -= 1;
            if v.count == 0 {
                table.vlans.remove(&key.1);
            }
        }
    }

    /// Tells the data plane how all clients are marked.
    pub(crate) fn publish_marks(&mut self, out: &mut VecDeque<Output>) {
        for ((addr, vid), e) in &mut self.entries {
            e.marked = if self.isolating.covers(*vid) { e.marks() } else { 0 };
            if e.marked != 0 {
                out.push_back(Output::Fib(FibChange::Marked { addr: *addr, vid: *vid, own: false, bits: e.marked }));
            }
        }
    }

    fn unlist_all(&mut self, key: Key) {
        let origs: Vec<MacAddr> =
            self.entries.get(&key).map(|e| e.at.iter().map(|a| a.orig).collect()).unwrap_or_default();
        for orig in origs {
            self.unlist(key, orig);
        }
    }

    /// Tells the data plane where the client is, if that changed; drops an entry that nobody
    /// serves.
    fn publish(&mut self, key: Key, metric: Metric<'_>, out: &mut VecDeque<Output>) {
        let Some(e) = self.entries.get_mut(&key) else { return };
        let best = match e.at.as_slice() {
            [] => None,
            [only] => Some(only.orig),
            several => several.iter().map(|a| a.orig).max_by_key(|o| (metric(*o), core::cmp::Reverse(*o))),
        };
        let at = best.map(|orig| ClientAt { orig, roaming: e.roam });
        if at != e.published {
            e.published = at;
            out.push_back(Output::Fib(FibChange::Client { addr: key.0, vid: key.1, at }));
        }
        let bits = if self.isolating.covers(key.1) { e.marks() } else { 0 };
        if bits != e.marked {
            e.marked = bits;
            out.push_back(Output::Fib(FibChange::Marked { addr: key.0, vid: key.1, own: false, bits }));
        }
        if at.is_none() {
            self.entries.remove(&key);
        }
    }

    /// True if counts, lists and checksums agree with the entries.
    pub(crate) fn is_consistent(&self) -> bool {
        let mut vlans: SortedMap<(MacAddr, Vid), (usize, usize, u32)> = SortedMap::new();
        for (key, e) in &self.entries {
            if e.at.is_empty() {
                return false;
            }
            for at in &e.at {
                if !self.tables.get(&at.orig).is_some_and(|t| t.keys.contains(key)) {
                    return false;
                }
                let v = vlans.entry((at.orig, key.1)).or_default();
                v.0 += 1;
                if !e.roam && !e.temp {
                    v.1 += 1;
                    v.2 ^= entry_crc(key.0, key.1, at.sync);
                }
            }
        }
        let listed: usize = self.entries.values().map(|e| e.at.len()).sum();
        listed == self.tables.values().map(|t| t.keys.len()).sum::<usize>()
            && self.tables.iter().all(|(orig, t)| {
                t.vlans.iter().all(|(vid, v)| vlans.remove(&(*orig, *vid)) == Some((v.count, v.announced, v.crc)))
            })
            && vlans.is_empty()
    }
}
