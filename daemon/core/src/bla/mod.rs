//! Bridge loop avoidance: several nodes on one LAN agree who handles which client of the mesh, so
//! that no frame goes round between LAN and mesh, and none arrives twice.
//!
//! ```text
//!      LAN   ───┬──────────────────────┬───   claims, announcements, requests: ARP replies
//!             mesh0                  mesh0
//!            gateway A             gateway B
//!      mesh  ───┴──────────┬───────────┴───   client c behind some node; A claims it
//! ```
//! What comes over the mesh from a client that nobody claims is claimed by whoever delivers it.
//! Frames for groups pass only at the gateway that claims their source; frames for one station
//! pass anywhere, and take the claim along. Gateways compare checksums every ten seconds.
//!
//! All of it sleeps while the mesh interface is no port of a bridge: nothing is said, claimed or
//! waited for. Only flooded frames that two gateways took in are recognized by every node.
//!
//! The data plane decides alone about frames whose source is ours, see [`FibChange::Claim`].
//! Source: "Payload plane" section 7; "Pitfalls" A 31 to 33, B 11 to 13.

mod duplicate;
mod hold;
mod patience;
mod receive;
mod table;
mod work;

use crate::border::{Event, Output};
use crate::client::{Arrival, Via};
use crate::counters::{Count, Drop};
use crate::fib::FibChange;
use crate::frame::Frame;
use crate::mesh::Mesh;
use crate::time::{Duration, Instant};
use crate::tt::Key;
use alloc::collections::VecDeque;
use duplicate::Duplicates;
use hold::Held;
use packet::bla::{ClaimFrame, Kind, LOOP_DETECT_MAGIC};
use packet::crc::crc16;
use packet::eth::{ClientFrame, ETHERTYPE_VLAN};
use packet::{MacAddr, Vid};
use table::Claims;

/// Announcements, aging, loop detection: once in this time. Source: "Constants".
const PERIOD: Duration = Duration::from_secs(10);
/// Periods without groups after we became a gateway somewhere.
const WAIT_PERIODS: u8 = 3;
/// A client of ours that is heard on the LAN within this time is no client that moved there.
pub(crate) const RACE: Duration = Duration::from_millis(100);
/// A gateway does not take the same client over twice within this time.
const TAKE_AGAIN: Duration = Duration::from_secs(1);

/// State of bridge loop avoidance.
#[derive(Debug, Default)]
pub(crate) struct Bla {
    /// Our address as a gateway; `None` while there is nothing to do.
    own: Option<MacAddr>,
    /// Gateways of one LAN share it.
    group: u16,
    claims: Claims,
    held: VecDeque<Held>,
    duplicates: Duplicates,
    next_work: Instant,
    works: u32,
    /// Source of the loop detection frames of this minute, and when they left.
    probe: Option<(MacAddr, Instant)>,
    /// A loop was last found, and in which VLAN.
    last_loop: Option<(Instant, Vid)>,
}

impl Bla {
    /// True while there is a LAN to take care of.
    pub(crate) fn is_active(&self) -> bool {
        self.own.is_some()
    }

    /// True if checksums, counts and bounds hold.
    pub(crate) fn is_consistent(&self) -> bool {
        self.claims.is_consistent() && self.holds_few() && self.duplicates.is_bounded()
    }
}

/// What becomes of a frame from the mesh.
enum Fate {
    Pass(Frame),
    /// It waits for another gateway to claim its source.
    Hold(Frame, Duration),
}

impl Mesh {
    /// A frame from the LAN, before anything else looks at it. `None` if it was for us.
    /// Source: section 7.6.
    pub(crate) fn bla_from_lan(&mut self, frame: Frame, now: Instant) -> Result<Option<Frame>, Drop> {
        let Some(own) = self.bla.own else { return Ok(Some(frame)) };
        let inner = ClientFrame::parse(frame.bytes()).map_err(|_| Drop::Short)?;
        let key = (inner.src, inner.vid);
        match ClaimFrame::parse(frame.bytes()).map(|c| (c.kind(), c)) {
            Ok((Kind::LoopDetect, _)) => self.bla_check_probe(key, now)?,
            Ok((Kind::Claim | Kind::Unclaim | Kind::Announce | Kind::Request, claim)) => {
                self.counters.add(Count::BlaRx, 1);
                self.receive_claim(own, &claim, now)?;
                return Ok(None);
            }
            // What is behind a second tag is nothing that gateways say.
            Err(_) if is_deeper_claim(&inner, frame.bytes()) => return Err(Drop::ClaimFrame),
            Ok((Kind::Unknown(_), _)) | Err(_) => {}
        }
        self.bla_enter(inner.vid, now);
        let group = inner.dst.is_multicast();
        if group && self.bla_blocks(inner.vid, now) {
            return Err(Drop::BlaBlocked);
        }
        // Our own host is never a client of somebody else.
        if inner.src == self.cfg.host_mac {
            return Ok(Some(frame));
        }
        match self.bla.claims.get(key) {
            Some(c) if c.gateway == own && now.since(c.last_used) < RACE => return Err(Drop::ClaimRace),
            // It moved from the mesh to the LAN.
            Some(c) if c.gateway == own => self.bla_unclaim(own, key),
            Some(_) if group => return Err(Drop::Claimed),
            // It may have moved, or the LAN floods frames that another gateway brought. Who speaks
            // to nobody in the mesh has not shown that it moved.
            Some(_) if self.global.best((inner.dst, inner.vid)).is_none() => return Err(Drop::Claimed),
            Some(_) | None => {}
        }
        if group && self.bla_came_round(frame.bytes(), inner.vid, now) {
            return Err(Drop::Looped);
        }
        if group {
            self.bla.duplicates.note(frame.bytes(), own, now);
        }
        Ok(Some(frame))
    }

    /// A client frame from the mesh, just before it goes to the LAN. `None` if it waits.
    /// Source: section 7.7.
    pub(crate) fn bla_to_lan(&mut self, frame: Frame, arrival: Arrival, now: Instant) -> Result<Option<Frame>, Drop> {
        if !self.cfg.bridge_loop_avoidance {
            return Ok(Some(frame));
        }
        let inner = ClientFrame::parse(frame.bytes()).map_err(|_| Drop::Short)?;
        let one_by_one = !matches!(arrival.via, Via::Broadcast | Via::Unicast4(_));
        if one_by_one && inner.dst.is_multicast() && self.bla_is_duplicate(frame.bytes(), MacAddr::ZERO, now) {
            return Err(Drop::Duplicate);
        }
        match self.bla_decide(frame, arrival, true, now)? {
            Fate::Pass(frame) => Ok(Some(frame)),
            Fate::Hold(frame, wait) => {
                self.bla_hold(Held { at: now + wait, frame, arrival })?;
                Ok(None)
            }
        }
    }

    /// The rules for frames from the mesh. `may_hold` is false for those that waited already.
    fn bla_decide(&mut self, frame: Frame, arrival: Arrival, may_hold: bool, now: Instant) -> Result<Fate, Drop> {
        let Some(own) = self.bla.own else { return Ok(Fate::Pass(frame)) };
        let inner = ClientFrame::parse(frame.bytes()).map_err(|_| Drop::Short)?;
        let key = (inner.src, inner.vid);
        self.bla_check_probe(key, now)?;
        // Claims belong to the LAN. Source: "Pitfalls" A 31.
        let said = ClaimFrame::parse(frame.bytes()).map(|c| c.kind());
        if matches!(said, Ok(Kind::Claim | Kind::Unclaim | Kind::Announce | Kind::Request)) {
            return Err(Drop::ClaimFrame);
        }
        // A gateway that does not know us yet brought what our own host said on the LAN.
        if inner.src == self.cfg.host_mac {
            return Err(Drop::OwnSource);
        }
        self.bla_enter(inner.vid, now);
        // DHCP is sent to one node each, so it is not held to the rules for groups.
        let group = inner.dst.is_multicast() && !matches!(arrival.via, Via::Unicast4(_));
        if group && self.bla_blocks(inner.vid, now) {
            return Err(Drop::BlaBlocked);
        }
        match self.bla.claims.get(key) {
            Some(c) if c.gateway == own => self.bla.claims.touch(key, now),
            Some(_) if group => return Err(Drop::Claimed),
            Some(c) if now.since(c.since) < TAKE_AGAIN => {}
            Some(_) => {
                self.bla_claim(own, key, now);
            }
            None => {
                let wait = if group && may_hold { self.bla_turn(own, inner.vid) } else { Duration::ZERO };
                if wait > Duration::ZERO {
                    return Ok(Fate::Hold(frame, wait));
                }
                // Without a claim two gateways may both deliver it.
                if !self.bla_claim(own, key, now) && group {
                    return Err(Drop::Claimed);
                }
            }
        }
        Ok(Fate::Pass(frame))
    }

    /// True if an originator is on the same LAN as we, in this VLAN: what it sent is there already.
    pub(crate) fn is_backbone_gateway(&self, orig: MacAddr, vid: Vid) -> bool {
        self.bla.own.is_some() && self.bla.claims.gateway(vid, orig).is_some()
    }

    /// True if another gateway of our LAN has claimed the client: it speaks for it there, we do not.
    pub(crate) fn bla_claimed_by_other(&self, client: MacAddr, vid: Vid) -> bool {
        self.bla.own.is_some_and(|own| self.bla.claims.get((client, vid)).is_some_and(|c| c.gateway != own))
    }

    /// True if another originator just flooded the same client frame.
    pub(crate) fn bla_is_duplicate(&mut self, inner: &[u8], orig: MacAddr, now: Instant) -> bool {
        self.cfg.bridge_loop_avoidance && self.bla.duplicates.is_repeated(inner, orig, now)
    }

    /// True for the source of loop detection frames, which is no client.
    pub(crate) fn is_loop_probe(src: MacAddr) -> bool {
        src.0.starts_with(&LOOP_DETECT_MAGIC)
    }

    /// Starts, stops, or goes by another address, as settings, bridge and hard interfaces say.
    fn bla_follow(&mut self, now: Instant) {
        let orig = self.own_orig();
        let wanted = (self.cfg.bridge_loop_avoidance && self.host.bridged && orig != MacAddr::ZERO).then_some(orig);
        let (caps, before) = (self.cfg.caps, self.bla.own);
        match (before, wanted) {
            _ if before == wanted => return,
            (Some(own), None) => self.bla_stop(own),
            (None, Some(new)) => {
                self.bla.claims = Claims::new(new, caps.claims, caps.vlans + 1);
                self.bla.next_work = now + PERIOD;
            }
            (Some(_), Some(new)) => self.bla.claims.rename(new),
            (None, None) => return,
        }
        self.bla.own = wanted;
        self.bla.group = wanted.map_or(0, |own| crc16(&own.0));
        match (before, wanted) {
            (Some(_), Some(own)) => self.bla_announce_all(own),
            // The kernel waits for the first frame, and then blocks it. VLANs that show up later are
            // entered with their first frame.
            (None, Some(_)) => self.bla_enter(Vid::UNTAGGED, now),
            (_, None) => {}
        }
        self.publish_snoop();
    }

    /// The node ends: other gateways may have its clients at once. A kernel node says nothing, so that
    /// its claims block the LAN for the minute that it is waited for. Source: measured.
    pub(crate) fn bla_leave(&mut self) {
        self.host.bridged = false;
        if let Some(own) = self.bla.own {
            self.bla_stop(own);
        }
    }

    /// Gives all claims back and forgets the LAN.
    fn bla_stop(&mut self, own: MacAddr) {
        for key in self.bla.claims.own_claims() {
            self.bla_unclaim(own, key);
        }
        let duplicates = core::mem::take(&mut self.bla.duplicates);
        let (works, last_loop) = (self.bla.works, self.bla.last_loop);
        self.bla = Bla { duplicates, works, last_loop, ..Bla::default() };
    }

    /// We are a gateway in a VLAN in which a frame passes, after a while of listening. Of too many VLANs, one that was silent for a minute gives way.
    fn bla_enter(&mut self, vid: Vid, now: Instant) {
        if let Some(lan) = self.bla.claims.lan_mut(vid) {
            lan.last_used = now;
            return;
        }
        let Some(own) = self.bla.own else { return };
        if self.bla.claims.enter(vid, WAIT_PERIODS, now).is_err() {
            let idle = self.bla.claims.lans().min_by_key(|(_, l)| l.last_used).map(|(v, l)| (v, l.last_used));
            match idle.filter(|(_, used)| now.since(*used) >= VLAN_IDLE) {
                Some((old, _)) => {
                    for key in self.bla.claims.of(old, own) {
                        self.bla_unclaim(own, key);
                    }
                    self.bla.claims.leave(old);
                    if self.bla.claims.enter(vid, WAIT_PERIODS, now).is_err() {
                        return;
                    }
                }
                None => return self.table_full("VLANs of the LAN", now),
            }
        }
        self.bla_announce(own, vid);
    }

    /// True while frames for groups are kept out of a VLAN: we are new there, or have not heard all
    /// claims of another gateway yet. A VLAN that we cannot keep book about stays blocked.
    fn bla_blocks(&mut self, vid: Vid, now: Instant) -> bool {
        let unsynced = self.bla.claims.gateways_in(vid).find(|(_, g)| g.unsynced).map(|(mac, _)| mac);
        let Some(lan) = self.bla.claims.lan_mut(vid) else { return true };
        let ran_out = lan.patience.note(unsynced.is_some(), now);
        let blocks = lan.wait > 0 || lan.patience.blocks();
        if let Some(gateway) = unsynced.filter(|_| ran_out) {
            self.event(Event::BackboneDistrusted { gateway, vid });
        }
        blocks
    }

    /// Claims a client and says so. False if there is no room.
    fn bla_claim(&mut self, own: MacAddr, key: Key, now: Instant) -> bool {
        match self.bla.claims.assign(key, own, now) {
            Ok(true) => {
                self.bla_say(ClaimFrame::claim(own, key.0, self.bla.group, key.1));
                self.bla_publish(key, true);
                true
            }
            Ok(false) => true,
            Err(_) => {
                self.table_full("claimed clients", now);
                false
            }
        }
    }

    /// Gives a client of ours up and says so.
    fn bla_unclaim(&mut self, own: MacAddr, key: Key) {
        if self.bla.claims.release(key).is_some() {
            self.bla_publish(key, false);
        }
        self.bla_say(ClaimFrame::unclaim(own, key.0, self.bla.group, key.1));
    }

    /// Tells the data plane whether a client is ours.
    fn bla_publish(&mut self, key: Key, ours: bool) {
        self.out.push_back(Output::Fib(FibChange::Claim { addr: key.0, vid: key.1, ours }));
    }

    /// Says something on the LAN.
    fn bla_say(&mut self, claim: ClaimFrame) {
        let mut bytes = [0; ClaimFrame::TAGGED_LEN];
        let Some(said) = claim.emit(&mut bytes).ok().and_then(|len| bytes.get(..len)) else { return };
        self.counters.add(Count::BlaTx, 1);
        self.out.push_back(Output::HostTx(Frame::copy_of(said)));
    }

    /// A loop detection frame of ours must not come back, over the mesh or over the LAN.
    fn bla_check_probe(&mut self, key: Key, now: Instant) -> Result<(), Drop> {
        let Some((_, sent)) = self.bla.probe.filter(|(mac, _)| *mac == key.0) else { return Ok(()) };
        // Later it may be a coincidence, or somebody who plays it back.
        if now.since(sent) < PROBE_WINDOW {
            self.bla.last_loop = Some((now, key.1));
            self.event(Event::LoopDetected { vid: key.1 });
            // Once per frame sent is enough.
            self.bla.probe = Some((key.0, sent - PROBE_WINDOW));
        }
        Err(Drop::LoopDetect)
    }

    /// True if the LAN brings a frame that just came over the mesh, from somebody who is not on the
    /// LAN: another gateway let it through that does not know the claims. Its source is in the mesh
    /// and must not become a client of ours. Source: "Pitfalls", "Seen live".
    fn bla_came_round(&self, frame: &[u8], vid: Vid, now: Instant) -> bool {
        let from = self.bla.duplicates.brought_by(frame, now);
        from.is_some_and(|orig| Some(orig) != self.bla.own && !self.is_backbone_gateway(orig, vid))
    }
}

/// A VLAN that is silent this long gives way to another one.
const VLAN_IDLE: Duration = Duration::from_secs(60);
/// A loop detection frame that comes back within this time shows a loop.
const PROBE_WINDOW: Duration = Duration::from_secs(3);

/// True for a claim frame behind two tags or more.
fn is_deeper_claim(inner: &ClientFrame, frame: &[u8]) -> bool {
    if inner.ethertype != ETHERTYPE_VLAN {
        return false;
    }
    let (head, mut rest) = frame.split_at_checked(TAG_AT).unwrap_or_default();
    while let Some(([0x81, 0, _, _], behind)) = rest.split_first_chunk() {
        rest = behind;
    }
    ClaimFrame::parse(&[head, rest].concat()).is_ok()
}

/// Where a tag stands in a frame.
const TAG_AT: usize = 12;
