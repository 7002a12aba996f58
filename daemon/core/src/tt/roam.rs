//! Clients that move between nodes. Source: "Translation table" sections 2 and 7.

use super::Key;
use super::global::Claim;
use super::local::{Added, Bounds};
use super::receive::metric;
use crate::border::Event;
use crate::counters::{Count, Drop};
use crate::mesh::Mesh;
use crate::time::{Duration, Instant};
use alloc::vec::Vec;
use packet::consts::REASSEMBLED_BYTES;
use packet::tvlv::kind;
use packet::tvlv::roam::Roam;
use packet::tvlv::tt::client;
use packet::{MacAddr, Vid};
use zerocopy::IntoBytes;

/// Advertisements for one client within [`LIMIT_TIME`].
const LIMIT: u8 = 5;
const LIMIT_TIME: Duration = Duration::from_secs(20);
/// So many times within it nobody walks to and fro: somebody else has, or says to have, the client.
const CONTESTED: u8 = 4;
/// People are told of a client once in this time.
const TOLD_AGAIN: Duration = Duration::from_secs(300);
/// Clients that people are told of within that time.
const CONTESTS: usize = 256;

/// How often a client moved lately.
#[derive(Debug)]
pub(crate) struct RoamLimit {
    since: Instant,
    count: u8,
}

impl Mesh {
    /// A client frame came from the mesh interface: its source is with us.
    ///
    /// # Errors
    /// [`Drop::LocalClientsFull`]: the frame must not enter the mesh.
    pub(crate) fn learn_local(&mut self, key: Key, now: Instant) -> Result<(), Drop> {
        let own = key.0 == self.cfg.host_mac;
        let sync = self.marks_of(key.0);
        let bounds = self.local_bounds();
        let added = self.local.add(key, own, sync, bounds, now, &mut self.out).inspect_err(|_| {
            self.local_full = true;
        })?;
        // A client seen in a packet or announced by others is with us now: tell them.
        let Some(e) = self.global.entries.get(&key) else { return Ok(()) };
        if !e.roam {
            let others: Vec<MacAddr> = e.at.iter().map(|a| a.orig).collect();
            if added == Added::Back {
                self.global.forget(key, &metric(&self.originators, now), &mut self.out);
            } else {
                self.global.mark_roaming(key, &metric(&self.originators, now), now, &mut self.out);
            }
            for orig in others {
                self.advertise_roaming(key, orig, now);
            }
            self.event(Event::ClientRoamed { client: key.0, vid: key.1, to_us: true });
        } else if added == Added::Back {
            self.global.forget(key, &metric(&self.originators, now), &mut self.out);
        }
        Ok(())
    }

    pub(crate) fn local_bounds(&self) -> Bounds {
        let mtu = self.links.values().map(|l| l.cfg.mtu).min().unwrap_or(1500);
        let packet = if self.cfg.fragmentation { REASSEMBLED_BYTES } else { mtu };
        Bounds { clients: self.cfg.caps.local_clients, vlans: self.cfg.caps.vlans, packet }
    }

    fn advertise_roaming(&mut self, key: Key, orig: MacAddr, now: Instant) {
        let limit = self.roams.entry(key).or_insert(RoamLimit { since: now, count: 0 });
        if now.since(limit.since) >= LIMIT_TIME {
            *limit = RoamLimit { since: now, count: 0 };
        }
        if limit.count >= LIMIT {
            return;
        }
        limit.count += 1;
        if limit.count == CONTESTED {
            self.contested_client(key, orig, false, now);
        }
        let value = Roam { client: key.0, vid: key.1.to_wire().into() };
        if self.send_tvlv(orig, self.own_orig(), kind::ROAM, value.as_bytes()) {
            self.counters.add(Count::TtRoamAdvTx, 1);
        }
    }

    /// Another node says that a client of ours is with it now.
    pub(crate) fn receive_roam(&mut self, src: MacAddr, roam: &Roam, now: Instant) -> Result<(), Drop> {
        let vid = Vid::from_wire(roam.vid.get()).ok_or(Drop::BadRoam)?;
        let key = (roam.client, vid);
        let known = self.originators.contains_key(&src);
        let protected = self.local.entries.get(&key).is_some_and(|e| e.permanent);
        if !known || protected || !roam.client.is_unicast() {
            return Err(Drop::BadRoam);
        }
        if !self.originators.get_mut(&src).is_some_and(|o| o.roams.take(now)) {
            return Err(Drop::RateLimit);
        }
        self.counters.add(Count::TtRoamAdvRx, 1);
        let was_ours = self.local.serves(key);
        let ttvn = self.global.table_mut(src).ttvn.wrapping_add(1);
        self.add_client(Claim { key, orig: src, flags: client::ROAM, ttvn, temp: false }, now);
        self.global.doubt(key, src, was_ours, now);
        Ok(())
    }

    /// Another node announces a client that is ours.
    pub(super) fn contested_client(&mut self, key: Key, orig: MacAddr, refused: bool, now: Instant) {
        let told = self.contested.get(&key.0).is_some_and(|&at| now.since(at) < TOLD_AGAIN);
        if !told && self.contested.len() < CONTESTS {
            self.contested.insert(key.0, now);
            self.event(Event::ClientContested { client: key.0, vid: key.1, orig, refused });
        }
    }

    /// A client of ours was said to be with another node, which never announced it: it is ours.
    pub(super) fn take_back(&mut self, key: Key, orig: MacAddr, now: Instant) {
        let bounds = self.local_bounds();
        let sync = self.marks_of(key.0);
        if self.local.add(key, false, sync, bounds, now, &mut self.out).is_ok() {
            self.contested_client(key, orig, true, now);
        }
    }

    /// Learns where a client is from a packet that names the originator which took it in
    /// ("speedy join"). Source: "Translation table" section 8.
    pub(crate) fn learn_temporary(&mut self, key: Key, orig: MacAddr, now: Instant) {
        if !key.0.is_unicast() || !self.originators.contains_key(&orig) || self.is_own(orig) {
            return;
        }
        let ttvn = self.global.table_mut(orig).ttvn;
        self.add_client(Claim { key, orig, flags: 0, ttvn, temp: true }, now);
    }

    /// Forgets how often clients moved.
    pub(crate) fn purge_roams(&mut self, now: Instant) {
        self.roams.retain(|_, r| now.since(r.since) < LIMIT_TIME);
        self.contested.retain(|_, at| now.since(*at) < TOLD_AGAIN);
    }
}
