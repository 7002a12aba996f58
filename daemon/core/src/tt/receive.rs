//! Announcements of clients in OGMs. Source: "Translation table" sections 5 and 6.

use super::global::Claim;
use crate::border::Output;
use crate::counters::Drop;
use crate::fib::{FibChange, Table};
use crate::mesh::Mesh;
use crate::originator::Originators;
use crate::time::{Duration, Instant};
use packet::tvlv::tt::{Tt, TtChange, client};
use packet::{MacAddr, Vid};

/// An originator that is silent this long comes last where several serve a client: its node may go
/// by another address now.
const SILENT: Duration = Duration::from_secs(4);

/// Quality of the way to an originator, for choosing between several.
pub(super) fn metric(originators: &Originators, now: Instant) -> impl Fn(MacAddr) -> u32 + '_ {
    move |orig| {
        let heard = originators.get(&orig).filter(|o| now.since(o.last_seen) < SILENT);
        heard.map_or(0, |o| o.metric(Table::Host))
    }
}

impl Mesh {
    /// Follows what an originator announces.
    pub(crate) fn receive_tt(&mut self, orig: MacAddr, tt: &Tt<'_>, now: Instant) {
        let v = tt.header.ttvn;
        let table = self.global.table_mut(orig);
        let (known, last) = (table.known, table.ttvn);
        // Plain integers on purpose: from 255 to 0 there is no diff. Source: "Pitfalls" A 5.
        if (!known && v == 1) || u16::from(v) == u16::from(last) + 1 {
            if tt.changes.is_empty() {
                return self.request_table(orig, tt, false, now);
            }
            self.apply_changes(orig, tt.changes, v, false, now);
            self.global.table_mut(orig).last_diff = tt.changes.to_vec();
            self.set_ttvn(orig, v);
            if !self.agrees(orig, tt) {
                self.request_table(orig, tt, true, now);
            }
        } else if !known || v != last || !self.agrees(orig, tt) {
            // The answer would be the table with the client that just came to us.
            let expected = known && v == last && self.global.lost_lately(orig, now);
            if !expected {
                self.request_table(orig, tt, true, now);
            }
        } else {
            self.requests.remove(&orig);
        }
    }

    /// True if our view of the originator's clients has the announced checksums. Kinder than the
    /// kernel in one point: a VLAN without clients may be announced or not.
    pub(super) fn agrees(&mut self, orig: MacAddr, tt: &Tt<'_>) -> bool {
        self.global.table_mut(orig);
        let Some(table) = self.global.tables.get(&orig) else { return false };
        let mut matched = 0;
        for vlan in tt.vlans {
            let Some(vid) = Vid::from_wire(vlan.vid.get()) else { return false };
            // Its clients there are on our LAN; nothing of them is kept. Source: "Pitfalls" A 33.
            if self.is_backbone_gateway(orig, vid) {
                continue;
            }
            if table.crc(vid) != vlan.crc.get() {
                return false;
            }
            matched += usize::from(table.announces(vid));
        }
        table.vlan_count() <= matched
    }

    /// Applies change records, those of an OGM or of an answer, in order; stops where one is refused.
    pub(super) fn apply_changes(&mut self, orig: MacAddr, changes: &[TtChange], ttvn: u8, answer: bool, now: Instant) {
        for change in changes {
            let Some(vid) = Vid::from_wire(change.vid.get()) else { continue };
            let key = (change.addr, vid);
            let claim = Claim { key, orig, flags: change.flags, ttvn, temp: false };
            if change.flags & client::DEL != 0 {
                let here = self.local.entries.contains_key(&key);
                let metric = metric(&self.originators, now);
                self.global.remove(claim, here, &metric, now, &mut self.out);
            } else if answer && self.local.serves(key) && self.global.moved_lately(key, now) {
                // The answer was given before its sender knew that the client is here now.
            } else if !self.add_client(claim, now) {
                break;
            }
        }
        self.global.table_mut(orig).known = true;
    }

    /// Takes in that a client is with an originator; it is not ours any more then. False at a
    /// bound.
    pub(super) fn add_client(&mut self, claim: Claim, now: Instant) -> bool {
        let key = claim.key;
        if self.is_backbone_gateway(claim.orig, key.1) {
            return true;
        }
        if self.cfg.protected_clients.contains(&key.0) {
            self.counters.drop(Drop::ProtectedClient);
            self.contested_client(key, claim.orig, true, now);
            return true;
        }
        if self.local.entries.get(&key).is_some_and(|e| if claim.temp { !e.new } else { false }) {
            return true;
        }
        let added = self.global.add(claim, &metric(&self.originators, now), now, &mut self.out);
        match added {
            Err(why) => {
                self.counters.drop(why);
                self.table_full("clients", now);
                false
            }
            Ok(changed) => {
                if changed && !super::local::is_group(key.0) {
                    let roaming = claim.flags & client::ROAM != 0;
                    if self.local.remove(key, roaming, &mut self.out).is_some() && roaming {
                        self.event(crate::Event::ClientRoamed { client: key.0, vid: key.1, to_us: false });
                    }
                }
                true
            }
        }
    }

    pub(super) fn set_ttvn(&mut self, orig: MacAddr, ttvn: u8) {
        self.global.table_mut(orig).ttvn = ttvn;
        if self.originators.contains_key(&orig) {
            self.out.push_back(Output::Fib(FibChange::Originator { orig, ttvn }));
        }
    }

    /// The way to an originator is lost: so are its clients, until it is heard again.
    pub(crate) fn forget_clients_of(&mut self, orig: MacAddr) {
        self.forget_clients(orig, false);
    }

    /// An originator's own OGM came with the TTL of a secondary hard interface: whatever clients
    /// it announced when it was its node's primary one are announced elsewhere now.
    pub(crate) fn forget_clients_of_secondary(&mut self, orig: MacAddr) {
        if self.global.tables.get(&orig).is_some_and(|t| !t.keys.is_empty()) {
            self.forget_clients(orig, false);
        }
    }

    /// An originator is on our LAN, so that its clients of this VLAN are not reached through it.
    pub(crate) fn forget_clients_in(&mut self, orig: MacAddr, vid: Vid, now: Instant) {
        let metric = metric(&self.originators, now);
        self.global.forget_vlan(orig, vid, &metric, &mut self.out);
    }

    pub(super) fn forget_clients(&mut self, orig: MacAddr, announced_only: bool) {
        // Which originator takes over a client is settled when its own announcement is heard.
        let metric = metric(&self.originators, Instant::ZERO);
        self.global.forget_originator(orig, announced_only, &metric, &mut self.out);
    }

    /// Ages clients.
    pub(crate) fn age_clients(&mut self, now: Instant) {
        self.local.age(now, &mut self.out);
        let metric = metric(&self.originators, now);
        self.global.age(&metric, now, &mut self.out);
        let back = self.global.forget_unproven(&metric, now, &mut self.out);
        drop(metric);
        for (key, orig) in back {
            self.take_back(key, orig, now);
        }
    }

    /// Chooses anew for clients whom several originators serve.
    pub(crate) fn choose_originators(&mut self, now: Instant) {
        self.global.choose_again(&metric(&self.originators, now), &mut self.out);
    }

    /// Commits changes of our own table; once per own primary OGM.
    pub(crate) fn commit_local(&mut self, room: usize) {
        if self.local.commit(room, &mut self.out) {
            self.publish_own();
        }
    }
}
