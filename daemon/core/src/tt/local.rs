//! Our own clients, and the diffs and checksums that announce them.
//! Source: "Translation table" sections 2 to 4.

use super::Key;
use crate::border::Output;
use crate::counters::Drop;
use crate::fib::{FibChange, LocalState};
use crate::isolation::{MARKS, Scope};
use crate::sorted::{SortedMap, SortedSet};
use crate::time::{Duration, Instant};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use packet::consts::REASSEMBLED_BYTES;
use packet::tvlv::tt::{Tt, TtChange, TtHeader, TtVlan, client, entry_crc, flags};
use packet::{MacAddr, Vid};
use zerocopy::IntoBytes;

/// A client that is silent this long is removed.
const TIMEOUT: Duration = Duration::from_secs(600);
/// In a full table, who was heard for no longer than this ...
const PASSING: Duration = Duration::from_secs(20);
/// ... and is silent for this long gives way: so many at once, so often. Source: "Pitfalls" B 9.
const PASSED: Duration = Duration::from_secs(60);
const ROOM_AT_ONCE: usize = 16;
const ROOM_EVERY: Duration = Duration::from_secs(1);
/// A diff rides in this many OGMs after the first.
const REPEAT: u8 = 3;
/// Header of the packet that carries a whole table, and its container header.
const ENVELOPE: usize = 24;

/// One own client.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    since: Instant,
    pub(crate) last_seen: Instant,
    /// Never aged out, never given away.
    pub(crate) permanent: bool,
    /// Not announced yet.
    pub(crate) new: bool,
    /// Removal is announced with the next commit.
    pub(crate) pending: bool,
    /// Moved to another node.
    pub(crate) roam: bool,
    /// [`client::WIFI`], [`client::ISOLA`].
    pub(crate) sync: u8,
}

impl Entry {
    fn state(&self) -> LocalState {
        match (self.roam, self.pending) {
            (true, _) => LocalState::Roamed,
            (false, true) => LocalState::Pending,
            (false, false) => LocalState::Active,
        }
    }
}

/// Announced clients of one VLAN.
#[derive(Debug, Clone, Copy, Default)]
struct Vlan {
    count: usize,
    crc: u32,
}

/// The table of own clients.
#[derive(Debug, Default)]
pub(crate) struct Local {
    pub(crate) entries: SortedMap<Key, Entry>,
    vlans: SortedMap<Vid, Vlan>,
    pub(crate) ttvn: u8,
    /// What the next commit announces: flags with or without [`client::DEL`].
    events: SortedMap<Key, u8>,
    /// The last committed diff; empty if it was too long to be sent.
    changeset: Vec<TtChange>,
    repeat: u8,
    /// When room was made last.
    room_at: Instant,
    tvlv: Vec<u8>,
    /// The data plane wants to know how clients are marked.
    pub(crate) isolating: Scope,
}

/// Bounds of the table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) clients: usize,
    pub(crate) vlans: usize,
    /// Largest packet that can be sent, fragmented or not.
    pub(crate) packet: usize,
}

/// What adding a client found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Added {
    Known,
    New,
    /// It had left and its leaving was not announced yet, or it had been given away.
    Back,
}

impl Local {
    /// Adds a client or keeps it alive.
    ///
    /// # Errors
    /// [`Drop::LocalClientsFull`] at a bound; nothing changed then.
    pub(crate) fn add(
        &mut self,
        key: Key,
        permanent: bool,
        sync: u8,
        bounds: Bounds,
        now: Instant,
        out: &mut VecDeque<Output>,
    ) -> Result<Added, Drop> {
        if let Some(e) = self.entries.get_mut(&key) {
            e.last_seen = now;
            e.permanent |= permanent;
            let (was_pending, was_roam, was_sync, new) = (e.pending, e.roam, e.sync, e.new);
            (e.pending, e.roam, e.sync) = (false, false, sync);
            if !(was_pending || was_roam || was_sync != sync) {
                return Ok(Added::Known);
            }
            if was_pending {
                // Its removal was never announced: unsay it, or announce what changed with it.
                self.events.remove(&key);
            }
            if was_sync != sync {
                self.events.insert(key, sync);
                if let Some(v) = self.vlans.get_mut(&key.1).filter(|_| !new) {
                    v.crc ^= entry_crc(key.0, key.1, was_sync) ^ entry_crc(key.0, key.1, sync);
                }
            }
            publish(key, Some(LocalState::Active), out);
            self.mark(key, sync, out);
            return Ok(if was_pending || was_roam { Added::Back } else { Added::Known });
        }
        let mut fresh: SortedSet<Vid> = self.events.keys().map(|(_, vid)| *vid).collect();
        fresh.insert(key.1);
        let vlans = self.vlans.len() + fresh.iter().filter(|vid| !self.vlans.contains_key(vid)).count();
        let size = ENVELOPE + Tt::len_of(vlans, self.entries.len() + 1);
        if !permanent
            && (self.entries.len() >= bounds.clients
                || vlans > bounds.vlans
                || size > bounds.packet.min(REASSEMBLED_BYTES))
        {
            self.make_room(now, out);
            return Err(Drop::LocalClientsFull);
        }
        let entry = Entry { since: now, last_seen: now, permanent, new: true, pending: false, roam: false, sync };
        self.entries.insert(key, entry);
        self.events.insert(key, sync);
        publish(key, Some(LocalState::Active), out);
        self.mark(key, sync, out);
        Ok(Added::New)
    }

    /// Gives up some who only passed by, so that a flood of invented clients does not keep real ones
    /// out for as long as a silent client is kept. There is room after the next commit.
    fn make_room(&mut self, now: Instant, out: &mut VecDeque<Output>) {
        if now.since(self.room_at) < ROOM_EVERY {
            return;
        }
        self.room_at = now;
        let passed = |k: &Key, e: &Entry| {
            !e.permanent
                && !e.pending
                && !is_group(k.0)
                && e.last_seen.since(e.since) < PASSING
                && now.since(e.last_seen) >= PASSED
        };
        let keys: Vec<Key> =
            self.entries.iter().filter(|(k, e)| passed(k, e)).map(|(k, _)| *k).take(ROOM_AT_ONCE).collect();
        for key in keys {
            self.remove(key, false, out);
        }
    }

    /// Removes a client; with `roaming` because it is with another node now. Permanent clients
    /// stay: nobody can take our own address away. Source: "Pitfalls" B 7.
    pub(crate) fn remove(&mut self, key: Key, roaming: bool, out: &mut VecDeque<Output>) -> Option<u8> {
        let e = self.entries.get_mut(&key).filter(|e| !e.permanent)?;
        let sync = e.sync;
        if e.new {
            self.entries.remove(&key);
            self.events.remove(&key);
            publish(key, None, out);
            self.mark(key, 0, out);
            return Some(sync);
        }
        e.pending = true;
        e.roam |= roaming;
        publish(key, Some(e.state()), out);
        self.events.insert(key, sync | client::DEL | if roaming { client::ROAM } else { 0 });
        Some(sync)
    }

    /// Makes a client permanent.
    pub(crate) fn keep(&mut self, key: Key) {
        if let Some(e) = self.entries.get_mut(&key) {
            e.permanent = true;
        }
    }

    /// True if the client is with us.
    pub(crate) fn serves(&self, key: Key) -> bool {
        self.entries.get(&key).is_some_and(|e| !e.pending && !e.roam)
    }

    /// Tells the data plane how a client is marked.
    fn mark(&self, (addr, vid): Key, sync: u8, out: &mut VecDeque<Output>) {
        if self.isolating.covers(vid) {
            let bits = sync & MARKS;
            out.push_back(Output::Fib(FibChange::Marked { addr, vid, own: true, bits }));
        }
    }

    /// Tells the data plane how all clients are marked.
    pub(crate) fn publish_marks(&self, out: &mut VecDeque<Output>) {
        for (key, e) in &self.entries {
            self.mark(*key, e.sync, out);
        }
    }

    /// Removes clients that are silent too long; groups are never heard and stay.
    pub(crate) fn age(&mut self, now: Instant, out: &mut VecDeque<Output>) {
        let old =
            |k: &Key, e: &Entry| !e.permanent && !is_group(k.0) && !e.pending && now.since(e.last_seen) >= TIMEOUT;
        let keys: Vec<Key> = self.entries.iter().filter(|(k, e)| old(k, e)).map(|(k, _)| *k).collect();
        for key in keys {
            self.remove(key, false, out);
        }
    }

    /// Makes pending changes official and prepares what the next OGM carries; called once per own
    /// primary OGM. A diff longer than `room` bytes is left out: receivers then ask for the table.
    /// Returns true if the table's version changed. Source: section 4.
    pub(crate) fn commit(&mut self, room: usize, out: &mut VecDeque<Output>) -> bool {
        if self.events.is_empty() {
            if self.repeat > 0 {
                self.repeat -= 1;
            } else {
                self.tvlv = self.head(flags::OGM_DIFF, &[]);
            }
            return false;
        }
        for (key, e) in &mut self.entries {
            if e.new {
                e.new = false;
                let v = self.vlans.entry(key.1).or_default();
                v.count += 1;
                v.crc ^= entry_crc(key.0, key.1, e.sync);
            }
        }
        let gone: Vec<Key> = self.entries.iter().filter(|(_, e)| e.pending).map(|(k, _)| *k).collect();
        for key in gone {
            let Some(e) = self.entries.remove(&key) else { continue };
            if let Some(v) = self.vlans.get_mut(&key.1) {
                v.count -= 1;
                v.crc ^= entry_crc(key.0, key.1, e.sync);
                if v.count == 0 {
                    self.vlans.remove(&key.1);
                }
            }
            publish(key, None, out);
            self.mark(key, 0, out);
        }
        self.ttvn = self.ttvn.wrapping_add(1);
        self.repeat = REPEAT;
        let events = core::mem::take(&mut self.events);
        self.changeset = events.into_iter().map(|((mac, vid), f)| TtChange::new(mac, vid, f)).collect();
        if Tt::len_of(self.vlans.len(), self.changeset.len()) > room {
            self.changeset.clear();
        }
        self.tvlv = self.head(flags::OGM_DIFF, &self.changeset);
        true
    }

    /// Value of the container for the next OGM.
    pub(crate) fn tvlv(&self) -> &[u8] {
        &self.tvlv
    }

    /// Value of the answer to a request: the last diff if it was asked for `ttvn` and will do,
    /// else the whole table. Source: section 9.
    pub(crate) fn answer(&self, ttvn: u8, full: bool) -> Vec<u8> {
        if !full && ttvn == self.ttvn && !self.changeset.is_empty() {
            return self.head(flags::RESPONSE, &self.changeset);
        }
        let all: Vec<TtChange> = self
            .entries
            .iter()
            .filter(|(_, e)| !e.new)
            .map(|((mac, vid), e)| TtChange::new(*mac, *vid, e.sync | if e.roam { client::ROAM } else { 0 }))
            .collect();
        self.head(flags::RESPONSE | flags::FULL, &all)
    }

    fn head(&self, flags: u8, changes: &[TtChange]) -> Vec<u8> {
        // At most 4096 VLANs exist.
        let head = TtHeader { flags, ttvn: self.ttvn, num_vlan: (self.vlans.len() as u16).into() };
        let mut value = head.as_bytes().to_vec();
        for (vid, v) in &self.vlans {
            let vlan = TtVlan { crc: v.crc.into(), vid: vid.to_wire().into(), reserved: 0.into() };
            value.extend_from_slice(vlan.as_bytes());
        }
        value.extend_from_slice(changes.as_bytes());
        value
    }

    /// CRC of the announced clients of a VLAN.
    pub(crate) fn crc(&self, vid: Vid) -> u32 {
        self.vlans.get(&vid).map_or(0, |v| v.crc)
    }

    /// True if the checksums and counts are those of the entries.
    pub(crate) fn is_consistent(&self) -> bool {
        let mut vlans: SortedMap<Vid, (usize, u32)> = SortedMap::new();
        for ((mac, vid), e) in self.entries.iter().filter(|(_, e)| !e.new) {
            let v = vlans.entry(*vid).or_default();
            v.0 += 1;
            v.1 ^= entry_crc(*mac, *vid, e.sync);
        }
        vlans.len() == self.vlans.len()
            && vlans.iter().all(|(vid, want)| self.vlans.get(vid).is_some_and(|v| (v.count, v.crc) == *want))
    }
}

fn publish(key: Key, state: Option<LocalState>, out: &mut VecDeque<Output>) {
    out.push_back(Output::Fib(FibChange::Local { addr: key.0, vid: key.1, state }));
}

/// True for addresses that stand for groups; they are announced but never roam.
pub(crate) fn is_group(mac: MacAddr) -> bool {
    mac.is_multicast()
}
