//! Asking for a translation table and giving one, our own or on behalf of others.
//! Source: "Translation table" section 9.

use crate::counters::{Count, Drop};
use crate::fib::Table;
use crate::mesh::Mesh;
use crate::sorted::SortedMap;
use crate::time::{Duration, Instant};
use alloc::vec::Vec;
use packet::tvlv::tt::{Tt, TtChange, TtHeader, TtVlan, client, entry_crc, flags};
use packet::tvlv::{self, ContainerHeader, kind};
use packet::unicast::UnicastTvlvHeader;
use packet::{MacAddr, Vid};
use zerocopy::IntoBytes;

/// Shortest time between two requests to one originator.
const RETRY: Duration = Duration::from_secs(3);
/// Requests at that rate before they grow rarer; the mesh is not to be flooded because somebody's
/// table cannot be agreed on. Source: "Pitfalls" B 8.
const PATIENCE: u32 = 5;
/// Longest time between two requests.
const RETRY_MAX: Duration = Duration::from_secs(60);

/// A request that is on its way.
#[derive(Debug)]
pub(crate) struct Request {
    at: Instant,
    tries: u32,
    open: bool,
    /// The version that was asked for, and its checksums.
    ttvn: u8,
    vlans: Vec<TtVlan>,
}

/// So many wrong tables are refused before one is taken as it is: its node may not agree with
/// itself, and somebody must be able to talk to its clients.
const WRONG: u32 = 3;
/// An answer may be newer than the request by so many versions; the table changed meanwhile.
const NEWER: u8 = 8;

impl Mesh {
    /// Asks an originator for its table, or for the diff to the announced version.
    pub(super) fn request_table(&mut self, orig: MacAddr, tt: &Tt<'_>, full: bool, now: Instant) {
        let tries = match self.requests.get(&orig) {
            Some(r) => {
                let wait = (RETRY * 2u32.pow(r.tries.saturating_sub(PATIENCE).min(5))).min(RETRY_MAX);
                if now.since(r.at) < wait {
                    return;
                }
                r.tries + 1
            }
            None => 1,
        };
        let header = TtHeader {
            flags: flags::REQUEST | if full { flags::FULL } else { 0 },
            ttvn: tt.header.ttvn,
            num_vlan: tt.header.num_vlan,
        };
        let mut value = header.as_bytes().to_vec();
        for vlan in tt.vlans {
            value.extend_from_slice(TtVlan { reserved: 0.into(), ..*vlan }.as_bytes());
        }
        if self.send_tvlv(orig, self.own_orig(), kind::TT, &value) {
            self.counters.add(Count::TtRequestTx, 1);
            let (ttvn, vlans) = (tt.header.ttvn, tt.vlans.to_vec());
            self.requests.insert(orig, Request { at: now, tries, open: true, ttvn, vlans });
        }
    }

    /// A request passes by or is for us. True if it was answered here.
    pub(crate) fn receive_tt_request(&mut self, dst: MacAddr, src: MacAddr, tt: &Tt<'_>, now: Instant) -> bool {
        let full = tt.header.flags & flags::FULL != 0;
        if self.is_own(dst) {
            self.counters.add(Count::TtRequestRx, 1);
            if !self.table_budget.take(now) {
                self.counters.drop(Drop::RateLimit);
                return true;
            }
            let value = self.local.answer(tt.header.ttvn, full);
            if self.send_tvlv(src, self.own_orig(), kind::TT, &value) {
                self.counters.add(Count::TtResponseTx, 1);
            }
            return true;
        }
        // Beyond the budget the request just passes by.
        let Some(value) = self.answer_for(dst, tt, full).filter(|_| self.table_budget.take(now)) else { return false };
        self.counters.add(Count::TtRequestRx, 1);
        if self.send_tvlv(src, dst, kind::TT, &value) {
            self.counters.add(Count::TtResponseTx, 1);
        }
        true
    }

    /// The answer in the name of `dst`, if we know exactly the table that is asked for.
    fn answer_for(&mut self, dst: MacAddr, tt: &Tt<'_>, full: bool) -> Option<Vec<u8>> {
        let table = self.global.tables.get(&dst).filter(|t| t.known && t.ttvn == tt.header.ttvn)?;
        let same =
            tt.vlans.iter().all(|v| Vid::from_wire(v.vid.get()).is_some_and(|vid| table.crc(vid) == v.crc.get()));
        if !same || tt.vlans.len() < table.vlan_count() {
            return None;
        }
        let full = full || table.last_diff.is_empty();
        let changes: Vec<TtChange> = if full {
            let entry = |key: &(MacAddr, Vid)| {
                let e = self.global.entries.get(key).filter(|e| !e.roam && !e.temp)?;
                let at = e.at.iter().find(|a| a.orig == dst)?;
                Some(TtChange::new(key.0, key.1, at.sync))
            };
            table.keys.iter().filter_map(entry).collect()
        } else {
            table.last_diff.clone()
        };
        let header = TtHeader {
            flags: flags::RESPONSE | if full { flags::FULL } else { 0 },
            ttvn: tt.header.ttvn,
            num_vlan: tt.header.num_vlan,
        };
        let mut value = header.as_bytes().to_vec();
        value.extend_from_slice(tt.vlans.as_bytes());
        value.extend_from_slice(changes.as_bytes());
        Some(value)
    }

    /// An answer to a request of ours; `src` is the originator that it describes. Answers that
    /// nobody asked for are refused. Source: "Pitfalls" B 5.
    pub(crate) fn receive_tt_response(&mut self, src: MacAddr, tt: &Tt<'_>, now: Instant) -> Result<(), Drop> {
        match self.requests.get_mut(&src) {
            Some(r) if r.open => {
                // The true answer may still come.
                if r.tries <= WRONG && !answers(r, tt) {
                    return Err(Drop::WrongTable);
                }
                r.open = false;
                // Once per interval is enough if the answer helps; if not, the next try waits.
                r.at = if r.tries < PATIENCE { now - RETRY } else { r.at };
            }
            _ => return Err(Drop::UnaskedResponse),
        }
        self.counters.add(Count::TtResponseRx, 1);
        if tt.header.flags & flags::FULL != 0 {
            let mut all = tt.changes.to_vec();
            if all.len() >= self.global.cap_per_originator {
                // Who was there before stays; newcomers may find no room. Source: "Pitfalls" B 9.
                let known = &self.global.table_mut(src).keys;
                all.sort_by_key(|c| !Vid::from_wire(c.vid.get()).is_some_and(|vid| known.contains(&(c.addr, vid))));
            }
            self.forget_clients(src, true);
            self.apply_changes(src, &all, tt.header.ttvn, true, now);
            self.global.table_mut(src).last_diff.clear();
        } else {
            self.apply_changes(src, tt.changes, tt.header.ttvn, true, now);
            self.global.table_mut(src).last_diff = tt.changes.to_vec();
        }
        self.set_ttvn(src, tt.header.ttvn);
        Ok(())
    }

    /// Sends one container to an originator in the name of `src`. False without a route.
    pub(super) fn send_tvlv(&mut self, dst: MacAddr, src: MacAddr, kind: u8, value: &[u8]) -> bool {
        let len = ContainerHeader::LEN + value.len();
        let Ok(tvlv_len) = u16::try_from(len) else { return false };
        let mut packet = alloc::vec![0; UnicastTvlvHeader::LEN + len];
        let (head, rest) = packet.split_at_mut(UnicastTvlvHeader::LEN);
        head.copy_from_slice(UnicastTvlvHeader::new(dst, src, tvlv_len).as_bytes());
        if tvlv::emit(rest, kind, 1, value).is_err() {
            return false;
        }
        self.send_to(dst, Table::Host, &packet)
    }

    /// Forgets requests to originators that are gone.
    pub(crate) fn purge_requests(&mut self) {
        let known = &self.originators;
        self.requests.retain(|orig, _| known.contains_key(orig));
    }
}

/// True if a whole table is the one that was asked for, or one that agrees with itself and is newer
/// than the request. What a diff leads to is seen when the next OGM tells its checksums.
fn answers(asked: &Request, tt: &Tt<'_>) -> bool {
    let newer = tt.header.ttvn.wrapping_sub(asked.ttvn);
    if newer > NEWER {
        return false;
    }
    if tt.header.flags & flags::FULL == 0 {
        return true;
    }
    let vlans = if newer == 0 { asked.vlans.as_slice() } else { tt.vlans };
    let mut sums: SortedMap<u16, u32> = SortedMap::new();
    for c in tt.changes.iter().filter(|c| c.flags & client::DEL == 0) {
        if let Some(vid) = Vid::from_wire(c.vid.get()) {
            *sums.entry(vid.to_wire()).or_default() ^= entry_crc(c.addr, vid, c.flags & client::SYNC);
        }
    }
    vlans.iter().all(|v| sums.remove(&v.vid.get()).unwrap_or(0) == v.crc.get()) && sums.values().all(|crc| *crc == 0)
}
