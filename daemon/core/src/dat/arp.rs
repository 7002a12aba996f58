//! ARP: questions answered, passed on to those who keep the answer, or flooded in the end.
//! Source: "Payload plane" sections 6.2 and 6.4 to 6.6.
//!
//! Where we differ from the kernel, because hosts lose something by it:
//! - An announcement (sender and target address are the same) asks nothing. It is learned and goes
//!   its way; the kernel takes it for a question that it can answer, and nobody else hears of an
//!   address that moved.
//! - A question to one station that the cache cannot answer goes to that station; the kernel asks
//!   the table only.
//! - An answer that a client still waits for is delivered although it is known already, and a
//!   question that became answerable while it waited is answered.
//! - No answer is given with a MAC that frames would not arrive at.

use super::cache::{Claim, Key};
use super::{DELAY, MAX_WAITING, Waiting};
use crate::border::Output;
use crate::client::{Arrival, Via};
use crate::counters::{Count, Drop};
use crate::fib::Table;
use crate::frame::Frame;
use crate::mesh::Mesh;
use crate::time::Instant;
use alloc::vec::Vec;
use core::net::Ipv4Addr;
use packet::arp::{Arp, opcode};
use packet::consts::ETH_LEN;
use packet::dat;
use packet::eth::{ClientFrame, ETHERTYPE_ARP, ETHERTYPE_VLAN, EthHeader};
use packet::unicast::{Unicast4Header, UnicastHeader, subtype};
use packet::{MacAddr, Vid};
use zerocopy::IntoBytes;

/// An ARP message that makes sense.
#[derive(Debug, Clone, Copy)]
struct Message {
    is_reply: bool,
    sender: (Ipv4Addr, MacAddr),
    target: (Ipv4Addr, MacAddr),
}

impl Message {
    /// `None` for what the table leaves alone. Source: section 6.2.
    fn parse(frame: &[u8], inner: &ClientFrame) -> Option<Self> {
        let arp = Arp::parse(frame.get(inner.payload..)?).ok()?;
        let (sender, target) = (arp.sender(), arp.target());
        let is_reply = match arp.opcode.get() {
            opcode::REQUEST => false,
            opcode::REPLY => true,
            _ => return None,
        };
        let fine =
            is_host(sender.0) && is_host(target.0) && sender.1.is_unicast() && (!is_reply || target.1.is_unicast());
        fine.then_some(Self { is_reply, sender, target })
    }

    /// It only tells everybody the sender's address.
    fn is_announcement(&self) -> bool {
        self.sender.0 == self.target.0
    }
}

/// An address that one host can have.
pub(super) fn is_host(ip: Ipv4Addr) -> bool {
    let [first, ..] = ip.octets();
    first != 0 && !ip.is_loopback() && !ip.is_multicast() && !ip.is_broadcast()
}

impl Mesh {
    pub(super) fn arp_from_host(
        &mut self,
        frame: Frame,
        inner: ClientFrame,
        now: Instant,
    ) -> Result<Option<Frame>, Drop> {
        let Some(m) = Message::parse(frame.bytes(), &inner) else { return Ok(Some(frame)) };
        let vid = inner.vid;
        self.learn_ipv4(m.sender.0, vid, Claim::of(m.sender.1), None, now);
        if m.is_announcement() {
            return Ok(Some(frame));
        }
        if !m.is_reply {
            return Ok(self.question_from_host(frame, inner, m, now));
        }
        if !inner.dst.is_multicast() {
            self.learn_ipv4(m.target.0, vid, Claim::of(m.target.1), None, now);
            self.put(frame.bytes(), [m.sender.0, m.target.0], vid);
        }
        Ok(Some(frame))
    }

    fn question_from_host(&mut self, frame: Frame, inner: ClientFrame, m: Message, now: Instant) -> Option<Frame> {
        let key = (m.target.0, inner.vid);
        if let Some(mac) = self.known_ipv4(key, now).filter(|mac| *mac != m.sender.1) {
            self.answer_host(mac, inner, m);
            return None;
        }
        if !inner.dst.is_broadcast() || self.ask(frame.bytes(), subtype::DAT_GET, key) == 0 {
            return Some(frame);
        }
        if self.dat.waiting.len() >= MAX_WAITING {
            return Some(frame);
        }
        self.dat.waiting.push_back(Waiting { at: now + DELAY, key, answered: false, frame });
        None
    }

    /// Answers a client on our side, unless the one asked for hears the question itself: it is on
    /// the same LAN, through us or through another gateway.
    fn answer_host(&mut self, mac: MacAddr, inner: ClientFrame, m: Message) {
        if self.is_client_here(mac, inner.vid) || self.bla_claimed_by_other(mac, inner.vid) {
            return;
        }
        let answer = reply_frame((m.target.0, mac), m.sender, inner.vid);
        self.counters.frame(Count::Rx, answer.len());
        self.counters.add(Count::DatHostReply, 1);
        self.out.push_back(Output::HostTx(answer));
    }

    /// The time for an answer is over.
    pub(super) fn end_waiting(&mut self, w: Waiting, now: Instant) {
        let Some(mac) = self.known_ipv4(w.key, now) else { return self.flood_question(w.frame, now) };
        self.counters.add(Count::DatFloodSaved, 1);
        // The answer became known in another way than by answering this client.
        if !w.answered
            && let Ok(inner) = ClientFrame::parse(w.frame.bytes())
            && let Some(m) = Message::parse(w.frame.bytes(), &inner)
        {
            self.answer_host(mac, inner, m);
        }
    }

    pub(super) fn flood_question(&mut self, frame: Frame, now: Instant) {
        if let Err(why) = self.flood_own(frame, now) {
            self.counters.drop(why);
            self.counters.add(Count::TxDropped, 1);
        }
    }

    pub(super) fn arp_from_mesh(
        &mut self,
        frame: Frame,
        inner: ClientFrame,
        arrival: Arrival,
        now: Instant,
    ) -> Result<Option<Frame>, Drop> {
        match arrival.via {
            Via::Unicast4(subtype::DAT_GET) => self.counters.add(Count::DatGetRx, 1),
            Via::Unicast4(subtype::DAT_PUT) => self.counters.add(Count::DatPutRx, 1),
            _ => {}
        }
        let Some(m) = Message::parse(frame.bytes(), &inner) else {
            return match arrival.via {
                Via::Unicast4(subtype::DAT_GET | subtype::DAT_PUT) => Err(Drop::BadArp),
                _ => Ok(Some(frame)),
            };
        };
        let (vid, from) = (inner.vid, self.said_by(arrival));
        let was_known = m.is_reply && self.known_ipv4((m.sender.0, vid), now) == Some(m.sender.1);
        let claim = match arrival.via {
            Via::Unicast4(subtype::DAT_CACHE_REPLY) => Claim::hearsay,
            _ => Claim::of,
        };
        self.learn_ipv4(m.sender.0, vid, claim(m.sender.1), from, now);
        match (m.is_announcement(), m.is_reply) {
            (true, _) => Ok(Some(frame)),
            (false, false) => Ok(self.question_from_mesh(frame, inner, m, arrival, now)),
            (false, true) => {
                self.learn_ipv4(m.target.0, vid, claim(m.target.1), from, now);
                self.reply_from_mesh(frame, vid, m, was_known)
            }
        }
    }

    /// Answers for somebody who is known; `None` if it did.
    fn question_from_mesh(
        &mut self,
        frame: Frame,
        inner: ClientFrame,
        m: Message,
        arrival: Arrival,
        now: Instant,
    ) -> Option<Frame> {
        let vid = inner.vid;
        let known = self.known_ipv4((m.target.0, vid), now).filter(|mac| *mac != m.sender.1);
        let Some(mac) = known else { return Some(frame) };
        if self.bla_claimed_by_other(mac, vid) {
            return Some(frame);
        }
        // Where the one who asked is: as announced, or with whoever took the question in.
        let at = self.global.best((m.sender.1, vid));
        let orig = at.map(|at| at.orig).or(arrival.orig);
        let Some(orig) = orig.filter(|o| !self.is_own(*o)) else { return Some(frame) };
        let answer = reply_frame((m.target.0, mac), m.sender, vid);
        let sent = match arrival.via {
            Via::Unicast4(_) => self.send_4addr(orig, answer.bytes(), subtype::DAT_CACHE_REPLY),
            // Whoever floods a question may know nothing of the table. Measured at module 2024.2.
            Via::Unicast | Via::Broadcast | Via::Multicast => {
                let ttvn = self.ttvn_at(orig).wrapping_sub(u8::from(at.is_some_and(|at| at.roaming)));
                self.dat_send(orig, UnicastHeader::new(orig, ttvn).as_bytes(), answer.bytes())
            }
        };
        if !sent {
            return Some(frame);
        }
        self.counters.add(Count::DatCachedReplyTx, 1);
        None
    }

    /// Delivers an answer to the client that asked, once.
    fn reply_from_mesh(&mut self, frame: Frame, vid: Vid, m: Message, was_known: bool) -> Result<Option<Frame>, Drop> {
        let key = (m.sender.0, vid);
        let mut awaited = false;
        for w in self.dat.waiting.iter_mut().filter(|w| w.key == key && !w.answered) {
            let asker = ClientFrame::parse(w.frame.bytes()).ok().and_then(|i| Message::parse(w.frame.bytes(), &i));
            if asker.is_some_and(|asker| asker.sender.1 == m.target.1) {
                (w.answered, awaited) = (true, true);
            }
        }
        if was_known && !awaited {
            return Err(Drop::ArpDuplicate);
        }
        let elsewhere = self.bla_claimed_by_other(m.target.1, vid)
            || !self.is_client_here(m.target.1, vid)
            || self.is_client_here(m.sender.1, vid);
        if elsewhere { Err(Drop::ArpElsewhere) } else { Ok(Some(frame)) }
    }

    /// MAC of an address, if questions can be answered with it.
    fn known_ipv4(&self, key: Key<Ipv4Addr>, now: Instant) -> Option<MacAddr> {
        self.dat.arp.usable(key, now).map(|e| e.mac).filter(|mac| self.is_reachable(*mac, key.1))
    }

    /// Gives an answer to those who keep it, for both addresses in it.
    pub(super) fn put(&mut self, frame: &[u8], ips: [Ipv4Addr; 2], vid: Vid) {
        for ip in ips {
            self.ask(frame, subtype::DAT_PUT, (ip, vid));
        }
    }

    /// Sends a frame to those who keep an address; returns to how many. Those without a route are
    /// left out and not replaced. Source: section 6.1.
    fn ask(&mut self, frame: &[u8], subtype: u8, key: Key<Ipv4Addr>) -> u64 {
        let mut sent = 0;
        for orig in self.dat.ring.candidates(dat::key(key.0, key.1)) {
            // A gateway of our LAN heard the question there. A kernel's, asked over another node, would
            // put it on the LAN once more, which then looks for the asker at the wrong port.
            if subtype == subtype::DAT_GET && self.is_backbone_gateway(orig, key.1) {
                continue;
            }
            sent += u64::from(self.send_4addr(orig, frame, subtype));
        }
        let what = if subtype == subtype::DAT_GET { Count::DatGetTx } else { Count::DatPutTx };
        self.counters.add(what, sent);
        sent
    }

    /// Sends a client frame to an originator, with our name and a purpose. False without a route.
    fn send_4addr(&mut self, orig: MacAddr, frame: &[u8], subtype: u8) -> bool {
        let header = Unicast4Header::new(orig, self.own_orig(), self.ttvn_at(orig), subtype);
        self.dat_send(orig, header.as_bytes(), frame)
    }

    fn dat_send(&mut self, orig: MacAddr, header: &[u8], frame: &[u8]) -> bool {
        let mut packet = Vec::with_capacity(header.len() + frame.len());
        packet.extend_from_slice(header);
        packet.extend_from_slice(frame);
        self.send_to(orig, Table::Host, &packet)
    }

    fn ttvn_at(&self, orig: MacAddr) -> u8 {
        self.global.tables.get(&orig).map_or(0, |t| t.ttvn)
    }
}

/// A frame with an ARP reply from `sender` to `target`.
pub(super) fn reply_frame(sender: (Ipv4Addr, MacAddr), target: (Ipv4Addr, MacAddr), vid: Vid) -> Frame {
    let mut frame = head(target.1, sender.1, vid, ETHERTYPE_ARP);
    frame.extend(Arp::reply(sender, target).as_bytes());
    frame
}

/// The head of a client frame, tagged if the VLAN is.
pub(super) fn head(dst: MacAddr, src: MacAddr, vid: Vid, ethertype: u16) -> Frame {
    let mut frame = Frame::zeroed(0);
    let outer = if vid.id().is_some() { ETHERTYPE_VLAN } else { ethertype };
    frame.extend(EthHeader { dst, src, ethertype: outer.into() }.as_bytes());
    if let Some(id) = vid.id() {
        frame.extend(&id.to_be_bytes());
        frame.extend(&ethertype.to_be_bytes());
    }
    debug_assert!(frame.len() >= ETH_LEN, "a head");
    frame
}
