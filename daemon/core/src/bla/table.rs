//! Who claims which client on the LAN, and the checksums by which gateways compare their views.
//! Source: "Payload plane" section 7.3.

use super::patience::Patience;
use crate::sorted::SortedMap;
use crate::time::Instant;
use crate::tt::Key;
use alloc::vec::Vec;
use packet::crc::crc16;
use packet::{MacAddr, Vid};

/// Most records of other gateways, one per gateway and VLAN.
pub(crate) const GATEWAYS: usize = 256;

/// Who handles a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Claim {
    /// Its gateway, by originator address; our own address if that is us.
    pub(crate) gateway: MacAddr,
    /// A frame of the client last came by the gateway, as far as known here.
    pub(crate) last_used: Instant,
    /// It has been this gateway's since then.
    pub(crate) since: Instant,
}

/// Another gateway of our LAN, in one VLAN.
#[derive(Debug, Clone)]
pub(crate) struct Gateway {
    pub(crate) last_seen: Instant,
    /// XOR of the checksums of its claims.
    pub(crate) crc: u16,
    /// Number of its claims.
    pub(crate) claims: usize,
    /// Its announced checksum is not ours; it was asked for its claims.
    pub(crate) unsynced: bool,
    pub(crate) asked_at: Option<Instant>,
}

/// Ourselves in one VLAN.
#[derive(Debug, Clone)]
pub(crate) struct Lan {
    /// XOR of the checksums of our claims.
    pub(crate) crc: u16,
    /// Number of our claims.
    pub(crate) claims: usize,
    /// Periods left in which groups are blocked because we are new here.
    pub(crate) wait: u8,
    /// A frame last passed.
    pub(crate) last_used: Instant,
    /// How long others may still block it.
    pub(crate) patience: Patience,
    pub(crate) answered_at: Option<Instant>,
    /// When the next answer to a request is due.
    pub(crate) answer_at: Option<Instant>,
}

/// There is no room for another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

/// All claims, gateways and VLANs. Newcomers are refused at the bounds: a client that cannot be
/// claimed gets no frames for groups through us.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    /// Our own address as a gateway.
    own: MacAddr,
    clients: SortedMap<Key, Claim>,
    gateways: SortedMap<(Vid, MacAddr), Gateway>,
    lans: SortedMap<Vid, Lan>,
    /// Most claims; one gateway has at most half of them.
    cap: usize,
    /// Most VLANs.
    vlans: usize,
}

impl Claims {
    pub(crate) fn new(own: MacAddr, cap: usize, vlans: usize) -> Self {
        Self { own, cap, vlans, ..Self::default() }
    }

    /// Who claims a client.
    pub(crate) fn get(&self, key: Key) -> Option<&Claim> {
        self.clients.get(&key)
    }

    /// A frame of the client came by its gateway.
    pub(crate) fn touch(&mut self, key: Key, now: Instant) {
        if let Some(c) = self.clients.get_mut(&key) {
            c.last_used = now;
        }
    }

    /// Gives a client to a gateway that is known, or to us. True if that changed anything.
    ///
    /// # Errors
    /// [`Full`] at a bound, or if the gateway is not known in this VLAN; nothing changed then.
    pub(crate) fn assign(&mut self, key: Key, gateway: MacAddr, now: Instant) -> Result<bool, Full> {
        if let Some(c) = self.clients.get_mut(&key).filter(|c| c.gateway == gateway) {
            c.last_used = now;
            return Ok(false);
        }
        let new = !self.clients.contains_key(&key);
        let full = new && self.clients.len() >= self.cap;
        let cap = self.cap / 2;
        match self.share(key.1, gateway) {
            Some((crc, claims)) if !full && *claims < cap => {
                *crc ^= crc16(&key.0.0);
                *claims += 1;
            }
            _ => return Err(Full),
        }
        let before = self.clients.insert(key, Claim { gateway, last_used: now, since: now });
        if let Some(before) = before {
            self.weigh_out(key, before.gateway);
        }
        Ok(true)
    }

    /// Nobody claims the client any more.
    pub(crate) fn release(&mut self, key: Key) -> Option<Claim> {
        let claim = self.clients.remove(&key)?;
        self.weigh_out(key, claim.gateway);
        Some(claim)
    }

    /// Forgets what a gateway claims in a VLAN; returns the clients.
    pub(crate) fn release_all(&mut self, vid: Vid, gateway: MacAddr) -> Vec<Key> {
        let keys = self.of(vid, gateway);
        for key in &keys {
            self.release(*key);
        }
        keys
    }

    /// Clients that a gateway claims in a VLAN. O(claims).
    pub(crate) fn of(&self, vid: Vid, gateway: MacAddr) -> Vec<Key> {
        self.clients.iter().filter(|(k, c)| k.1 == vid && c.gateway == gateway).map(|(k, _)| *k).collect()
    }

    /// Our own claims that no frame used since `before`.
    pub(crate) fn own_unused_since(&self, before: Instant) -> Vec<Key> {
        let old = |c: &Claim| c.gateway == self.own && c.last_used < before;
        self.clients.iter().filter(|(_, c)| old(c)).map(|(k, _)| *k).collect()
    }

    /// All our own claims.
    pub(crate) fn own_claims(&self) -> Vec<Key> {
        self.clients.iter().filter(|(_, c)| c.gateway == self.own).map(|(k, _)| *k).collect()
    }

    /// Another gateway is heard in a VLAN. True if it is new there.
    ///
    /// # Errors
    /// [`Full`] at [`GATEWAYS`].
    pub(crate) fn gateway_seen(&mut self, vid: Vid, gateway: MacAddr, now: Instant) -> Result<bool, Full> {
        if let Some(g) = self.gateways.get_mut(&(vid, gateway)) {
            g.last_seen = now;
            return Ok(false);
        }
        if self.gateways.len() >= GATEWAYS {
            return Err(Full);
        }
        let g = Gateway { last_seen: now, crc: 0, claims: 0, unsynced: false, asked_at: None };
        self.gateways.insert((vid, gateway), g);
        Ok(true)
    }

    /// Forgets a gateway with its claims.
    pub(crate) fn gateway_gone(&mut self, vid: Vid, gateway: MacAddr) {
        self.release_all(vid, gateway);
        self.gateways.remove(&(vid, gateway));
    }

    pub(crate) fn gateway(&self, vid: Vid, gateway: MacAddr) -> Option<&Gateway> {
        self.gateways.get(&(vid, gateway))
    }

    pub(crate) fn gateway_mut(&mut self, vid: Vid, gateway: MacAddr) -> Option<&mut Gateway> {
        self.gateways.get_mut(&(vid, gateway))
    }

    /// Other gateways, in all VLANs.
    pub(crate) fn gateways(&self) -> impl Iterator<Item = (Vid, MacAddr, &Gateway)> {
        self.gateways.iter().map(|((vid, mac), g)| (*vid, *mac, g))
    }

    /// Other gateways in one VLAN.
    pub(crate) fn gateways_in(&self, vid: Vid) -> impl Iterator<Item = (MacAddr, &Gateway)> {
        let range = (vid, MacAddr::ZERO)..=(vid, MacAddr::BROADCAST);
        self.gateways.range(range).map(|((_, mac), g)| (*mac, g))
    }

    /// Ourselves in a VLAN.
    pub(crate) fn lan(&self, vid: Vid) -> Option<&Lan> {
        self.lans.get(&vid)
    }

    pub(crate) fn lan_mut(&mut self, vid: Vid) -> Option<&mut Lan> {
        self.lans.get_mut(&vid)
    }

    /// VLANs that we are a gateway in.
    pub(crate) fn lans(&self) -> impl Iterator<Item = (Vid, &Lan)> {
        self.lans.iter().map(|(vid, lan)| (*vid, lan))
    }

    /// We become a gateway in a VLAN, for `wait` periods without groups.
    ///
    /// # Errors
    /// [`Full`] with as many VLANs as there may be.
    pub(crate) fn enter(&mut self, vid: Vid, wait: u8, now: Instant) -> Result<(), Full> {
        if self.lans.len() >= self.vlans {
            return Err(Full);
        }
        let lan = Lan {
            crc: 0,
            claims: 0,
            wait,
            last_used: now,
            patience: Patience::new(now),
            answered_at: None,
            answer_at: None,
        };
        self.lans.insert(vid, lan);
        Ok(())
    }

    /// We are no gateway in the VLAN any more. Our claims there have to be gone already.
    pub(crate) fn leave(&mut self, vid: Vid) {
        self.release_all(vid, self.own);
        self.lans.remove(&vid);
    }

    /// We go by another address from now on; our claims stay ours.
    pub(crate) fn rename(&mut self, own: MacAddr) {
        let gone: Vec<Vid> = self.gateways.keys().filter(|(_, mac)| *mac == own).map(|(vid, _)| *vid).collect();
        for vid in gone {
            self.gateway_gone(vid, own);
        }
        for c in self.clients.values_mut().filter(|c| c.gateway == self.own) {
            c.gateway = own;
        }
        self.own = own;
    }

    /// All claims.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, &Claim)> {
        self.clients.iter().map(|(k, c)| (*k, c))
    }

    /// Checksum and number of a gateway's claims.
    fn share(&mut self, vid: Vid, gateway: MacAddr) -> Option<(&mut u16, &mut usize)> {
        if gateway == self.own {
            return self.lans.get_mut(&vid).map(|l| (&mut l.crc, &mut l.claims));
        }
        self.gateways.get_mut(&(vid, gateway)).map(|g| (&mut g.crc, &mut g.claims))
    }

    fn weigh_out(&mut self, key: Key, gateway: MacAddr) {
        if let Some((crc, claims)) = self.share(key.1, gateway) {
            *crc ^= crc16(&key.0.0);
            *claims -= 1;
        }
    }

    /// True if all checksums and counts are those of the claims, and all bounds hold.
    pub(crate) fn is_consistent(&self) -> bool {
        let mut shares: SortedMap<(Vid, MacAddr), (u16, usize)> = SortedMap::new();
        for (key, c) in &self.clients {
            let share = shares.entry((key.1, c.gateway)).or_default();
            share.0 ^= crc16(&key.0.0);
            share.1 += 1;
        }
        let own = |vid: &Vid, l: &Lan| shares.remove(&(*vid, self.own)).unwrap_or_default() == (l.crc, l.claims);
        let mut own = own;
        let lans = self.lans.iter().all(|(vid, l)| own(vid, l));
        let others = self.gateways.iter().all(|(id, g)| shares.remove(id).unwrap_or_default() == (g.crc, g.claims));
        lans && others
            && shares.is_empty()
            && self.clients.len() <= self.cap
            && self.gateways.len() <= GATEWAYS
            && self.lans.len() <= self.vlans
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
    const OTHER: MacAddr = MacAddr([2, 0, 0, 0, 0, 2]);
    const NOW: Instant = Instant::ZERO;
    const VID: Vid = Vid::UNTAGGED;

    fn client(n: u8) -> Key {
        (MacAddr([2, 0xaa, 0, 0, 0, n]), VID)
    }

    fn two() -> Claims {
        let mut c = Claims::new(OWN, 8, 2);
        c.enter(VID, 0, NOW).unwrap();
        assert_eq!(c.gateway_seen(VID, OTHER, NOW), Ok(true));
        c
    }

    #[test]
    fn checksums_follow_claims() {
        let mut c = two();
        assert_eq!(c.assign(client(1), OWN, NOW), Ok(true));
        assert_eq!(c.assign(client(1), OWN, NOW), Ok(false), "it is ours already");
        assert_eq!(c.assign(client(2), OTHER, NOW), Ok(true));
        assert_eq!(c.lan(VID).map(|l| (l.crc, l.claims)), Some((crc16(&client(1).0.0), 1)));
        assert_eq!(c.assign(client(1), OTHER, NOW), Ok(true));
        assert_eq!(c.lan(VID).map(|l| (l.crc, l.claims)), Some((0, 0)));
        let both = crc16(&client(1).0.0) ^ crc16(&client(2).0.0);
        assert_eq!(c.gateway(VID, OTHER).map(|g| (g.crc, g.claims)), Some((both, 2)));
        assert_eq!(c.release(client(2)).map(|c| c.gateway), Some(OTHER));
        assert!(c.is_consistent());
        c.gateway_gone(VID, OTHER);
        assert_eq!((c.iter().count(), c.is_consistent()), (0, true));
    }

    #[test]
    fn bounds_refuse_newcomers() {
        let mut c = two();
        for n in 0..4 {
            assert_eq!(c.assign(client(n), OTHER, NOW), Ok(true));
        }
        assert_eq!(c.assign(client(4), OTHER, NOW), Err(Full), "half of all for one gateway");
        for n in 4..8 {
            assert_eq!(c.assign(client(n), OWN, NOW), Ok(true));
        }
        assert_eq!(c.assign(client(8), OWN, NOW), Err(Full));
        assert_eq!(c.assign((client(1).0, Vid::tagged(5)), OWN, NOW), Err(Full), "no gateway there");
        assert_eq!(c.enter(Vid::tagged(5), 0, NOW), Ok(()));
        assert_eq!(c.enter(Vid::tagged(6), 0, NOW), Err(Full));
        for n in 1..GATEWAYS {
            assert_eq!(c.gateway_seen(VID, MacAddr([6, 0, 0, 0, (n >> 8) as u8, n as u8]), NOW), Ok(true));
        }
        assert_eq!(c.gateway_seen(VID, MacAddr([6, 1, 0, 0, 0, 0]), NOW), Err(Full));
        assert!(c.is_consistent());
    }

    #[test]
    fn a_new_name_keeps_our_claims() {
        let mut c = two();
        c.assign(client(1), OWN, NOW).unwrap();
        c.assign(client(2), OTHER, NOW).unwrap();
        c.rename(OTHER);
        assert_eq!(c.get(client(1)).map(|c| c.gateway), Some(OTHER));
        assert_eq!(c.get(client(2)), None, "whoever went by that name before is gone");
        assert!(c.is_consistent() && c.gateways().next().is_none());
    }
}
