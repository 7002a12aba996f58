//! Questions to originators beyond a neighbour, and answers: the frames.

use super::Mesh;
use crate::border::Output;
use crate::client::{Arrival, Via};
use crate::counters::{Count, Drop};
use crate::fib::{NextHop, Table};
use crate::frame::Frame;
use crate::queue::Class;
use crate::time::Instant;
use alloc::vec::Vec;
use packet::MacAddr;
use packet::consts::{ETH_LEN, ETHERTYPE, OVERHEAD, TTL};
use packet::eth::EthHeader;
use packet::icmp::IcmpHeader;
use packet::meshwork::say;
use packet::unicast::UnicastHeader;
use packet::verify::VerifyFrame;
use zerocopy::IntoBytes;

/// The largest question: what carries a client frame of 1500 bytes.
const LONGEST: usize = 1500 + OVERHEAD;
/// Names our echo requests among all of this node.
const ECHO_UID: u8 = 0xb8;
/// Bytes of a nonce.
const NONCE: usize = 8;
/// Every node that a long echo passes writes itself down, there and back, and drops it after 16 of
/// them. Whoever may be further away is asked with a short one, which nobody writes in. Source: "Payload plane"
/// section 8.
const ECHO_HOPS: u8 = 7;

impl Mesh {
    /// Asks an originator through a neighbour, on behalf of the case of `hop`: through `hop` itself,
    /// or through another one.
    pub(super) fn ask_beyond(&mut self, hop: NextHop, orig: MacAddr, other: Option<NextHop>, now: Instant) {
        let nonce = self.verify.nonce();
        let jitter = (self.verify.rng.next_u32() >> 24) as u8;
        let via = other.unwrap_or(hop);
        let Some(mtu) = self.links.get(&via.link).map(|l| l.cfg.mtu) else { return };
        let Some(o) = self.originators.get(&orig) else { return };
        let ttvn = self.global.tables.get(&orig).map_or(0, |t| t.ttvn);
        let packet = if o.features.meshwork.is_some() {
            let frame = VerifyFrame::new(self.cfg.host_mac, self.own_orig(), say::ASK, nonce);
            in_unicast(orig, ttvn, &frame, mtu.min(LONGEST))
        } else {
            let far = TTL.saturating_sub(o.last_ttl) >= ECHO_HOPS;
            echo(orig, self.own_orig(), nonce, if far { IcmpHeader::LEN + NONCE } else { mtu.min(LONGEST) })
        };
        if let Some(case) = self.verify.case(hop, orig) {
            case.sent(nonce, other, jitter, now);
        }
        self.counters.frame(Count::VerifyTx, ETH_LEN + packet.len());
        self.send_by(via, &packet);
    }

    /// Sends a packet to a neighbour, whatever the routes say.
    fn send_by(&mut self, via: NextHop, packet: &[u8]) {
        let Some(link) = self.links.get(&via.link) else { return };
        let eth = EthHeader { dst: via.neigh, src: link.cfg.mac, ethertype: ETHERTYPE.into() };
        let mut frame = Frame::zeroed(ETH_LEN);
        frame.bytes_mut().copy_from_slice(eth.as_bytes());
        frame.extend(packet);
        frame.class = Some(Class::Owner);
        self.out.push_back(Output::LinkTx(via.link, frame));
    }

    /// A client frame came for us: if it is a question, it is answered; if it is an answer, it is
    /// taken in. Anything else is left alone.
    pub(crate) fn verify_from_mesh(
        &mut self,
        frame: Frame,
        arrival: Arrival,
        now: Instant,
    ) -> Result<Option<Frame>, Drop> {
        let Ok(said) = VerifyFrame::parse(frame.bytes()) else { return Ok(Some(frame)) };
        if arrival.via != Via::Unicast || !self.cfg.extensions {
            return Ok(Some(frame));
        }
        let (src, nonce) = (said.src, said.nonce.get());
        match said.what {
            say::ASK => self.answer_question(frame.len(), src, nonce, arrival, now)?,
            say::ANSWER => self.take_answer(src, nonce, now)?,
            _ => return Err(Drop::Unsupported),
        }
        Ok(None)
    }

    /// Answers along the link that the question came by, and along our own best way: what came
    /// through a good neighbour shall not get lost in a bad one on the way back. All together no
    /// more bytes than were asked with. Who floods us with questions takes answers from those who
    /// come through the same neighbour only.
    fn answer_question(
        &mut self,
        asked: usize,
        src: MacAddr,
        nonce: u64,
        arrival: Arrival,
        now: Instant,
    ) -> Result<(), Drop> {
        let back = NextHop { link: arrival.link, neigh: arrival.neigh };
        let n = self.links.get_mut(&back.link).and_then(|l| l.neighbors.get_mut(&back.neigh));
        if !n.ok_or(Drop::NotForUs)?.questions.take(now) {
            return Err(Drop::RateLimit);
        }
        self.note_question_of(src, now);
        let o = self.originators.get(&src).ok_or(Drop::UnknownOriginator)?;
        let own = o.router(Table::Host);
        // Only who leads there is given the answer.
        let back = o.way(back).filter(|w| w.metric(Table::Host) > 0).map(|w| w.hop);
        let mut hops: Vec<NextHop> = back.or(own).into_iter().collect();
        if UnicastHeader::LEN + asked >= 2 * (UnicastHeader::LEN + VerifyFrame::LEN) {
            hops.extend(own.filter(|own| !hops.contains(own)));
        }
        if hops.is_empty() {
            return Err(Drop::NoRoute);
        }
        let ttvn = self.global.tables.get(&src).map_or(0, |t| t.ttvn);
        let frame = VerifyFrame::new(self.cfg.host_mac, self.own_orig(), say::ANSWER, nonce);
        let packet = in_unicast(src, ttvn, &frame, 0);
        for hop in hops {
            self.counters.add(Count::VerifyAnswerTx, 1);
            self.send_by(hop, &packet);
        }
        Ok(())
    }

    /// An echo reply that answers a question of ours.
    pub(crate) fn take_verify_echo(&mut self, packet: &[u8], from: MacAddr, now: Instant) -> bool {
        let Ok((header, _)) = IcmpHeader::parse(packet) else { return false };
        if header.uid != ECHO_UID {
            return false;
        }
        let at = nonce_at(packet.len());
        let Some(nonce) = packet.get(at..).and_then(|b| b.first_chunk()) else { return false };
        self.take_answer(from, u64::from_be_bytes(*nonce), now).is_ok()
    }

    fn take_answer(&mut self, from: MacAddr, nonce: u64, now: Instant) -> Result<(), Drop> {
        let mut cases = self.verify.cases.iter_mut().filter(|c| c.orig == from);
        if !cases.any(|c| c.answered(nonce, now)) {
            // The second copy, or nobody asked.
            return Err(Drop::UnaskedResponse);
        }
        self.counters.add(Count::VerifyAnswerRx, 1);
        Ok(())
    }
}

/// A client frame in a packet to an originator, filled up to `size` bytes.
fn in_unicast(dest: MacAddr, ttvn: u8, frame: &VerifyFrame, size: usize) -> Vec<u8> {
    let mut packet = UnicastHeader::new(dest, ttvn).as_bytes().to_vec();
    packet.extend_from_slice(frame.as_bytes());
    packet.resize(packet.len().max(size), 0);
    packet
}

/// An echo request of at least 28 bytes, 124 or more where it is a long one.
fn echo(dest: MacAddr, own: MacAddr, nonce: u64, size: usize) -> Vec<u8> {
    let mut packet = IcmpHeader::echo_request(dest, own, ECHO_UID, 0).as_bytes().to_vec();
    let long = size >= IcmpHeader::RECORD_ROUTE_LEN + NONCE;
    packet.resize(if long { size } else { IcmpHeader::LEN + NONCE }, 0);
    let at = nonce_at(packet.len());
    if let Some(room) = packet.get_mut(at..at + NONCE) {
        room.copy_from_slice(&nonce.to_be_bytes());
    }
    packet
}

/// Where the nonce of an echo stands: behind the record of its route, if it has one.
const fn nonce_at(len: usize) -> usize {
    if len >= IcmpHeader::RECORD_ROUTE_LEN { IcmpHeader::RECORD_ROUTE_LEN } else { IcmpHeader::LEN }
}
