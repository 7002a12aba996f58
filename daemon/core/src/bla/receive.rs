//! What other gateways say on the LAN. Source: "Payload plane" sections 7.1, 7.2 and 7.5.

use super::{Bla, RACE};
use crate::border::Event;
use crate::counters::Drop;
use crate::mesh::Mesh;
use crate::time::{Duration, Instant};
use crate::tt::Key;
use packet::bla::{ClaimFrame, Kind};
use packet::{MacAddr, Vid};

/// One gateway is asked for its claims once in this time, and one VLAN of ours is told of once.
const ASK_AGAIN: Duration = Duration::from_secs(1);

impl Mesh {
    /// A claim frame from the LAN.
    pub(super) fn receive_claim(&mut self, own: MacAddr, frame: &ClaimFrame, now: Instant) -> Result<(), Drop> {
        let vid = frame.vid();
        let gateway = frame.gateway().filter(|g| g.is_unicast()).ok_or(Drop::ClaimFrame)?;
        // The LAN brings back what we said. It is not to go into the mesh as payload.
        if gateway == own {
            return Err(Drop::OwnSource);
        }
        // Whoever is not of our mesh may do on its LAN what it likes. Source: "Pitfalls" B 12.
        if !self.originators.contains_key(&gateway) && self.bla.claims.gateway(vid, gateway).is_none() {
            return Err(Drop::UnknownOriginator);
        }
        self.bla.group = self.bla.group.max(frame.group());
        self.bla_enter(vid, now);
        match frame.kind() {
            Kind::Claim => self.receive_claimed(own, gateway, (frame.src, vid), now),
            Kind::Unclaim => self.receive_unclaimed(gateway, (frame.arp.hw_src, vid), now),
            Kind::Announce => {
                let crc = frame.crc().ok_or(Drop::ClaimFrame)?;
                self.receive_announce(own, gateway, vid, crc, now)
            }
            Kind::Request => self.receive_request(own, frame, vid, now),
            Kind::LoopDetect | Kind::Unknown(_) => Err(Drop::ClaimFrame),
        }
    }

    fn receive_claimed(&mut self, own: MacAddr, gateway: MacAddr, client: Key, now: Instant) -> Result<(), Drop> {
        if !client.0.is_unicast() {
            return Err(Drop::ClaimFrame);
        }
        self.backbone_seen(gateway, client.1, now)?;
        let before = self.bla.claims.get(client).copied();
        let was_ours = before.is_some_and(|c| c.gateway == own);
        // Both of us claimed it at once, and each takes the other's word now. Among Meshwork nodes
        // the lower address keeps it, as it would have gone first; a kernel node gives in to us as
        // we to it, so it is free again for both.
        let crossed = was_ours && before.is_some_and(|c| now.since(c.since) < RACE);
        if crossed && own < gateway && self.is_meshwork(gateway) {
            self.bla_say(ClaimFrame::claim(own, client.0, self.bla.group, client.1));
            return Ok(());
        }
        if self.bla.claims.assign(client, gateway, now).is_err() {
            self.table_full("claimed clients", now);
            return Err(Drop::ClaimFrame);
        }
        if was_ours {
            self.bla_publish(client, false);
        }
        if crossed && !self.is_meshwork(gateway) {
            self.bla_say(ClaimFrame::unclaim(own, client.0, self.bla.group, client.1));
        }
        // We just took it over from a node of the mesh, because the LAN brought its frames before
        // it brought this claim: it is in the mesh after all. Source: "Pitfalls", "Seen live".
        if self.roams.contains_key(&client) {
            self.local.remove(client, false, &mut self.out);
        }
        Ok(())
    }

    fn receive_unclaimed(&mut self, gateway: MacAddr, client: Key, now: Instant) -> Result<(), Drop> {
        if self.bla.claims.gateway(client.1, gateway).is_none() {
            return Err(Drop::ClaimFrame);
        }
        self.backbone_seen(gateway, client.1, now)?;
        // Nobody gives away what is another one's.
        if self.bla.claims.get(client).is_some_and(|c| c.gateway == gateway) {
            self.bla.claims.release(client);
        }
        Ok(())
    }

    fn receive_announce(
        &mut self,
        own: MacAddr,
        gateway: MacAddr,
        vid: Vid,
        crc: u16,
        now: Instant,
    ) -> Result<(), Drop> {
        self.backbone_seen(gateway, vid, now)?;
        let Some(g) = self.bla.claims.gateway_mut(vid, gateway) else { return Ok(()) };
        let asks = g.crc != crc && g.asked_at.is_none_or(|at| now.since(at) >= ASK_AGAIN);
        g.unsynced = g.crc != crc;
        if asks {
            g.asked_at = Some(now);
            self.bla.claims.release_all(vid, gateway);
            self.bla_say(ClaimFrame::request(own, gateway, self.bla.group, vid));
        }
        self.bla_blocks(vid, now);
        Ok(())
    }

    fn receive_request(&mut self, own: MacAddr, frame: &ClaimFrame, vid: Vid, now: Instant) -> Result<(), Drop> {
        if frame.dst != frame.arp.hw_src {
            return Err(Drop::ClaimFrame);
        }
        let Some(lan) = self.bla.claims.lan_mut(vid).filter(|_| frame.dst == own) else { return Ok(()) };
        // Answers are for all who listen. Those who ask meanwhile get the next one.
        match lan.answered_at {
            Some(at) if now.since(at) < ASK_AGAIN => lan.answer_at = Some(at + ASK_AGAIN),
            _ => self.bla_answer(own, vid, now),
        }
        Ok(())
    }

    /// Tells all our claims in a VLAN.
    pub(super) fn bla_answer(&mut self, own: MacAddr, vid: Vid, now: Instant) {
        for (client, _) in self.bla.claims.of(vid, own) {
            self.bla_say(ClaimFrame::claim(own, client, self.bla.group, vid));
        }
        if let Some(lan) = self.bla.claims.lan_mut(vid) {
            (lan.answered_at, lan.answer_at) = (Some(now), None);
        }
        self.bla_announce(own, vid);
    }

    /// "I am here, and this is the checksum of my claims."
    pub(super) fn bla_announce(&mut self, own: MacAddr, vid: Vid) {
        let crc = self.bla.claims.lan(vid).map_or(0, |l| l.crc);
        self.bla_say(ClaimFrame::announce(own, crc, self.bla.group, vid));
    }

    pub(super) fn bla_announce_all(&mut self, own: MacAddr) {
        for vid in self.bla.vids() {
            self.bla_announce(own, vid);
        }
    }

    /// Another gateway is heard. A new one: its clients are on our LAN, and no longer behind it.
    fn backbone_seen(&mut self, gateway: MacAddr, vid: Vid, now: Instant) -> Result<(), Drop> {
        match self.bla.claims.gateway_seen(vid, gateway, now) {
            Ok(false) => {}
            Ok(true) => {
                self.forget_clients_in(gateway, vid, now);
                self.event(Event::BackboneNew { gateway, vid });
            }
            Err(_) => {
                self.table_full("gateways of the LAN", now);
                return Err(Drop::ClaimFrame);
            }
        }
        Ok(())
    }
}

impl Bla {
    /// VLANs that we are a gateway in.
    pub(super) fn vids(&self) -> alloc::vec::Vec<Vid> {
        self.claims.lans().map(|(vid, _)| vid).collect()
    }
}
