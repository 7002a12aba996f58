//! The hot path: client frames and packets in transit, decided by the forwarding table alone.
//!
//! Everything here is one or two hash lookups and a header written in place. What needs a control
//! structure (floods, requests, echoes, reassembly, unknown clients) is punted.
//! Source: protocol notes, "Payload plane" sections 1 and 2.

use crate::bla::RACE;
use crate::book::Book;
use crate::config::LinkId;
use crate::counters::{Count, Counters, Drop};
use crate::fib::{Fib, FibChange, LocalState, NextHop, Table};
use crate::fragment;
use crate::frame::Frame;
use crate::queue::Class;
use crate::queue::inlet::Inlet;
use crate::time::{Duration, Instant};
use alloc::vec::Vec;
use packet::consts::{ETH_LEN, ETHERTYPE, TTL, VERSION, packet_type};
use packet::eth::{ClientFrame, ETHERTYPE_ARP, EthHeader};
use packet::frag::FragHeader;
use packet::unicast::{Unicast4Header, UnicastHeader};
use packet::{MacAddr, Vid, verify};
use zerocopy::IntoBytes;

/// How often one frame of a busy own client goes to the control side, which ages clients after
/// 600 s.
const REPORT_EVERY: Duration = Duration::from_secs(20);

/// Where a [`Plane`] puts the frames it has decided about.
pub trait PlaneSink {
    /// Send out of a hard interface, Ethernet header included. The table tells whose frame it is, should
    /// it have to wait.
    fn link_tx(&mut self, link: LinkId, frame: Frame, fib: &Fib);
    /// Deliver to the mesh interface.
    fn host_tx(&mut self, frame: Frame);
    /// Give to the control side as [`crate::Input::LinkRx`].
    fn punt_link(&mut self, link: LinkId, frame: Frame);
    /// Give to the control side as [`crate::Input::HostRx`].
    fn punt_host(&mut self, frame: Frame);
    /// A frame to an originator leaves for a watched neighbour; give it to the control side as
    /// [`crate::Input::Flow`].
    fn flow(&mut self, _next: NextHop, _dest: MacAddr) {}
    /// The frame was dropped and counted; take its buffer back.
    fn recycle(&mut self, frame: Frame);
}

/// The portable hot path: pure, no I/O of its own.
#[derive(Debug)]
pub struct Plane {
    fib: Fib,
    counters: Counters,
    frag_seqno: u16,
    /// Neighbours whose next frame is reported.
    watched: Vec<NextHop>,
    /// What comes in for the owner and for others; `None`: whoever comes first.
    inlet: Option<Inlet>,
    book: Book,
    /// The frame in hand was put together from pieces that are in the book already.
    booked: bool,
}

/// Frames up to this size pass in any case: acknowledgements, questions, speech.
const ALWAYS_PASSES: usize = 256;

/// Neighbours watched at once; more are not reported.
const MOST_WATCHED: usize = 64;

/// What to do with a packet after its header was looked at.
enum Verdict {
    Forward(MacAddr),
    /// It was for us, or for a client that is elsewhere now: it starts here anew.
    Redirect(MacAddr),
    Deliver,
    Punt,
    Drop(Drop),
}

impl Plane {
    /// An empty plane; `seed` is any unpredictable number.
    pub fn new(seed: u64) -> Self {
        Self {
            fib: Fib::new(seed),
            counters: Counters::default(),
            frag_seqno: (seed >> 17) as u16,
            watched: Vec::new(),
            inlet: None,
            book: Book::new(seed),
            booked: false,
        }
    }

    /// Whether carried frames are held back while the owner receives the same way.
    pub fn put_owner_first(&mut self, on: bool) {
        if on != self.inlet.is_some() {
            self.inlet = on.then(Inlet::default);
        }
    }

    /// Takes a change of the forwarding table in.
    pub fn apply(&mut self, change: &FibChange) {
        match change {
            FibChange::Watch(next) if self.watched.len() < MOST_WATCHED && !self.watched.contains(next) => {
                self.watched.push(*next);
            }
            _ => self.fib.apply(change),
        }
    }

    /// The forwarding table, for tests and people.
    pub fn fib(&self) -> &Fib {
        &self.fib
    }

    /// What was counted here.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Who was carried for, and who carried for us, since this was forgotten last.
    pub fn book(&mut self) -> &mut Book {
        &mut self.book
    }

    /// As [`Plane::link_rx`], for a packet that was put together from pieces.
    pub fn link_again(&mut self, link: LinkId, frame: Frame, now: Instant, sink: &mut impl PlaneSink) {
        self.booked = true;
        self.link_rx(link, frame, now, sink);
        self.booked = false;
    }

    /// Decides about a frame heard on a hard interface, Ethernet header included.
    pub fn link_rx(&mut self, link: LinkId, mut frame: Frame, now: Instant, sink: &mut impl PlaneSink) {
        let verdict = self.classify(link, frame.bytes_mut(), now);
        if self.inlet.is_some() && self.holds_back(&verdict, link, &frame, now) {
            return self.discard(Drop::HeldBack, frame, sink);
        }
        match verdict {
            Verdict::Forward(_) if !self.fib.carries => self.discard(Drop::NotGiven, frame, sink),
            Verdict::Forward(dest) => self.forward(Table::Link(link), dest, frame, sink),
            Verdict::Redirect(dest) => {
                // V keeps no way back over an interface whose only neighbour is the one ahead. The
                // kernel drops such a packet; as its destination is new, no loop can come of it.
                let table = Table::Link(link);
                let known = self.fib.route(dest, table).is_some();
                self.forward(if known { table } else { Table::Host }, dest, frame, sink);
            }
            Verdict::Deliver => self.deliver(frame, sink),
            Verdict::Punt => sink.punt_link(link, frame),
            Verdict::Drop(why) => self.discard(why, frame, sink),
        }
    }

    /// Counts a frame for whom it is; true if it is not let pass now.
    fn holds_back(&mut self, verdict: &Verdict, link: LinkId, frame: &Frame, now: Instant) -> bool {
        let (Some(inlet), Ok((eth, packet))) = (&mut self.inlet, EthHeader::parse(frame.bytes())) else { return false };
        match verdict {
            Verdict::Forward(_) | Verdict::Redirect(_) => {
                !inlet.lets_pass(link, eth.src, frame.len(), now) && frame.len() > ALWAYS_PASSES
            }
            Verdict::Deliver => {
                let inner = packet.get(UnicastHeader::LEN..).and_then(|inner| ClientFrame::parse(inner).ok());
                if inner.is_some_and(|inner| self.fib.class_of(inner.dst) == Class::Owner) {
                    inlet.for_owner(link, eth.src, frame.len(), now);
                } else {
                    inlet.lets_pass(link, eth.src, frame.len(), now);
                }
                false
            }
            Verdict::Punt | Verdict::Drop(_) => false,
        }
    }

    /// Decides about a client frame from the mesh interface. `known` says that the control side
    /// has seen it and knows its source.
    pub fn host_rx(&mut self, frame: Frame, known: bool, now: Instant, sink: &mut impl PlaneSink) {
        let Ok(inner) = ClientFrame::parse(frame.bytes()) else {
            return self.discard_host(Drop::Short, frame, sink);
        };
        if inner.ethertype == ETHERTYPE {
            return self.discard_host(Drop::MeshInMesh, frame, sink);
        }
        if !inner.src.is_unicast() {
            return self.discard_host(Drop::BadClientSource, frame, sink);
        }
        if is_link_local(inner.dst) {
            return self.discard_host(Drop::LinkLocal, frame, sink);
        }
        if !known && self.fib.snoop.claims {
            if is_claim_frame(&inner, frame.bytes()) {
                return sink.punt_host(frame);
            }
            match self.fib.claim_age(inner.src, inner.vid, now) {
                None => {}
                Some(age) if age < RACE => return self.discard_host(Drop::ClaimRace, frame, sink),
                Some(_) => return sink.punt_host(frame),
            }
        }
        if !known {
            let fresh = match self.fib.local_mut(inner.src, inner.vid) {
                Some(local) if local.state == LocalState::Active && now < local.report_at => true,
                Some(local) => {
                    local.report_at = now + REPORT_EVERY;
                    false
                }
                None => false,
            };
            let snoop = &self.fib.snoop;
            if !fresh || inner.dst.is_multicast() || snoop.wants(&inner, frame.bytes()) {
                return sink.punt_host(frame);
            }
        }
        self.encapsulate(inner, frame, sink);
    }

    /// Looks at a mesh frame; may rewrite where a unicast packet goes.
    fn classify(&mut self, link: LinkId, bytes: &mut [u8], now: Instant) -> Verdict {
        let Ok((eth, packet)) = EthHeader::parse_mut(bytes) else { return Verdict::Drop(Drop::Short) };
        let (Some(&kind), Some(&version)) = (packet.first(), packet.get(1)) else {
            return Verdict::Drop(Drop::Short);
        };
        if eth.ethertype.get() != ETHERTYPE {
            return Verdict::Drop(Drop::OuterTag);
        }
        if version != VERSION {
            return Verdict::Drop(Drop::Version);
        }
        match kind {
            packet_type::OGM | packet_type::BCAST | packet_type::ELP | packet_type::OGM2 | packet_type::MCAST => {
                return Verdict::Punt;
            }
            packet_type::UNICAST_MIN..=packet_type::UNICAST_MAX => {}
            _ => return Verdict::Drop(Drop::UnknownType),
        }
        let Some(port) = self.fib.link(link) else { return Verdict::Drop(Drop::LinkDown) };
        if eth.src.is_multicast() || !eth.dst.is_unicast() {
            return Verdict::Drop(Drop::BadAddress);
        }
        if eth.dst != port.mac {
            return Verdict::Drop(Drop::NotForUs);
        }
        let have = packet.len();
        let Ok((head, rest)) = UnicastHeader::parse_mut(packet) else { return Verdict::Drop(Drop::Short) };
        // A TTL above what any node sends only feeds loops. Source: "Pitfalls" B 19.
        head.ttl = head.ttl.min(TTL);
        let payload = matches!(kind, packet_type::UNICAST | packet_type::UNICAST_4ADDR | packet_type::FRAG);
        if payload && !self.booked && self.fib.is_own(head.dest) {
            self.book.received(eth.src, head.ttl < TTL, ETH_LEN + have);
        }
        match kind {
            packet_type::UNICAST => self.client_packet(head, rest, now),
            packet_type::UNICAST_4ADDR => {
                let Some(inner) = rest.get(Unicast4Header::LEN - UnicastHeader::LEN..) else {
                    return Verdict::Drop(Drop::Short);
                };
                match self.client_packet(head, inner, now) {
                    // Its receiver may learn from it; that is the control side's work.
                    Verdict::Deliver => Verdict::Punt,
                    other => other,
                }
            }
            packet_type::FRAG => {
                if have < FragHeader::LEN {
                    return Verdict::Drop(Drop::Short);
                }
                if self.fib.is_own(head.dest) { Verdict::Punt } else { self.fragment_in_transit(link, head.dest, have) }
            }
            packet_type::ICMP | packet_type::UNICAST_TVLV => Verdict::Punt,
            packet_type::MESHWORK if self.fib.is_own(head.dest) => Verdict::Punt,
            _ if self.fib.is_own(head.dest) => Verdict::Drop(Drop::UnknownForUs),
            _ => Verdict::Forward(head.dest),
        }
    }

    /// A fragment goes on untouched if it fits the next link; otherwise the control side puts the
    /// packet together and it is cut again.
    fn fragment_in_transit(&self, link: LinkId, dest: MacAddr, len: usize) -> Verdict {
        let fits = self
            .fib
            .route(dest, Table::Link(link))
            .and_then(|next| self.fib.link(next.link))
            .is_none_or(|out| len <= out.mtu);
        if fits { Verdict::Forward(dest) } else { Verdict::Punt }
    }

    /// The table version check of a packet with a client frame inside.
    /// Source: "Payload plane" section 1.3.
    fn client_packet(&mut self, head: &mut UnicastHeader, frame: &[u8], now: Instant) -> Verdict {
        let Ok(inner) = ClientFrame::parse(frame) else { return Verdict::Drop(Drop::Short) };
        let mine = self.fib.is_own(head.dest);
        let meant = head.dest;
        if !inner.dst.is_multicast() {
            let local = self.fib.local(inner.dst, inner.vid);
            if local == Some(LocalState::Roamed) {
                self.readdress(head, inner.dst, inner.vid, local);
            }
            let current = if self.fib.is_own(head.dest) { Some(self.fib.ttvn) } else { self.fib.ttvn_of(head.dest) };
            let Some(current) = current else { return Verdict::Drop(Drop::UnknownOriginator) };
            let outdated = head.ttvn.wrapping_sub(current) > 128;
            if outdated && !self.readdress(head, inner.dst, inner.vid, local) {
                if mine && local == Some(LocalState::Active) {
                    (head.dest, head.ttvn) = (self.fib.own, current);
                } else {
                    return Verdict::Drop(Drop::OutdatedClient);
                }
            }
        }
        if !self.fib.is_own(head.dest) {
            return if head.dest == meant { Verdict::Forward(meant) } else { Verdict::Redirect(head.dest) };
        }
        let snoop = self.fib.snoop;
        let group = inner.dst.is_multicast() && (snoop.groups || snoop.claims || inner.dst == verify::GROUP);
        let unclaimed = snoop.claims && !self.fib.use_claim(inner.src, inner.vid, now);
        if group || unclaimed || snoop.wants(&inner, frame) { Verdict::Punt } else { Verdict::Deliver }
    }

    /// Sends the packet to where the client is now; false if that is unknown.
    ///
    /// The kernel drops an outdated packet whose client is still where it goes, or has announced
    /// its leaving but not its arrival. We let it pass: in the first case the destination is right,
    /// in the second the old node knows best.
    fn readdress(&self, head: &mut UnicastHeader, client: MacAddr, vid: Vid, local: Option<LocalState>) -> bool {
        if local == Some(LocalState::Active) {
            (head.dest, head.ttvn) = (self.fib.own, self.fib.ttvn);
            return true;
        }
        let Some(at) = self.fib.client(client, vid) else { return false };
        if at.orig == head.dest && at.roaming {
            return true;
        }
        let Some(ttvn) = self.fib.ttvn_of(at.orig) else { return false };
        (head.dest, head.ttvn) = (at.orig, ttvn);
        true
    }

    fn forward(&mut self, table: Table, dest: MacAddr, mut frame: Frame, sink: &mut impl PlaneSink) {
        let Some(kind) = prepare_hop(&mut frame) else { return self.discard(Drop::Ttl, frame, sink) };
        let Some(next) = self.fib.route(dest, table) else {
            let why = if self.fib.ttvn_of(dest).is_some() { Drop::NoRoute } else { Drop::UnknownOriginator };
            return self.discard(why, frame, sink);
        };
        let what = if kind == packet_type::FRAG { Count::FragFwd } else { Count::Forward };
        self.counters.frame(what, frame.len());
        if let Ok((eth, packet)) = EthHeader::parse(frame.bytes()) {
            let served = self.served(kind, packet, dest);
            self.book.carried(eth.src, served, frame.len());
        }
        self.send(next, dest, frame, sink);
    }

    /// For whom a packet to `dest` is carried, as far as it can be told.
    fn served(&self, kind: u8, packet: &[u8], dest: MacAddr) -> MacAddr {
        let sender = match kind {
            packet_type::UNICAST => {
                let inner = ClientFrame::parse(packet.get(UnicastHeader::LEN..).unwrap_or_default());
                inner.ok().and_then(|c| self.fib.client(c.src, c.vid)).map(|at| at.orig)
            }
            packet_type::UNICAST_4ADDR => Unicast4Header::parse(packet).ok().map(|(head, _)| head.src),
            packet_type::FRAG => FragHeader::parse(packet).ok().map(|(head, _)| head.orig),
            _ => None,
        };
        sender.map_or(dest, |from| self.fib.served(from, dest))
    }

    /// Strips the mesh headers of a plain unicast packet and hands the client frame out.
    fn deliver(&mut self, mut frame: Frame, sink: &mut impl PlaneSink) {
        frame.pull_front(ETH_LEN + UnicastHeader::LEN);
        let Ok(inner) = ClientFrame::parse(frame.bytes()) else { return self.discard(Drop::Short, frame, sink) };
        if inner.ethertype == ETHERTYPE {
            return self.discard(Drop::MeshInMesh, frame, sink);
        }
        if self.fib.is_isolated(inner.dst, inner.src, inner.vid) {
            return self.discard(Drop::Isolated, frame, sink);
        }
        self.counters.frame(Count::Rx, frame.len());
        sink.host_tx(frame);
    }

    fn encapsulate(&mut self, inner: ClientFrame, mut frame: Frame, sink: &mut impl PlaneSink) {
        let Some(at) = self.fib.client(inner.dst, inner.vid) else {
            return self.discard_host(Drop::UnknownClient, frame, sink);
        };
        if self.fib.is_isolated(inner.src, inner.dst, inner.vid) {
            return self.discard_host(Drop::Isolated, frame, sink);
        }
        let (Some(ttvn), Some(next)) = (self.fib.ttvn_of(at.orig), self.fib.next_from_host(at.orig)) else {
            return self.discard_host(Drop::NoRoute, frame, sink);
        };
        frame.priority = inner.priority(frame.bytes());
        frame.class = Some(self.fib.class_of(inner.src));
        self.counters.frame(Count::Tx, frame.len());
        self.book.sent(at.orig, ETH_LEN + UnicastHeader::LEN + frame.len());
        let ttvn = ttvn.wrapping_sub(u8::from(at.roaming));
        let head = UnicastHeader::new(at.orig, ttvn);
        let bytes = frame.push_front(ETH_LEN + UnicastHeader::LEN);
        if let Some(room) = bytes.get_mut(ETH_LEN..ETH_LEN + UnicastHeader::LEN) {
            room.copy_from_slice(head.as_bytes());
        }
        self.send(next, at.orig, frame, sink);
    }

    /// Puts the Ethernet header on and sends, in pieces if the link needs it. The frame has room
    /// for the Ethernet header in front of the packet.
    fn send(&mut self, next: NextHop, dest: MacAddr, mut frame: Frame, sink: &mut impl PlaneSink) {
        let Some(port) = self.fib.link(next.link).copied() else { return self.discard(Drop::LinkDown, frame, sink) };
        if let Some(i) = self.watched.iter().position(|w| *w == next) {
            self.watched.swap_remove(i);
            sink.flow(next, dest);
        }
        let eth = EthHeader { dst: next.neigh, src: port.mac, ethertype: ETHERTYPE.into() };
        if let Some(room) = frame.bytes_mut().get_mut(..ETH_LEN) {
            room.copy_from_slice(eth.as_bytes());
        }
        if frame.len() - ETH_LEN <= port.mtu {
            return sink.link_tx(next.link, frame, &self.fib);
        }
        if !self.fib.fragmentation {
            return self.discard(Drop::TooBig, frame, sink);
        }
        self.frag_seqno = self.frag_seqno.wrapping_add(1);
        let Some(pieces) = fragment::split(&eth, &frame, self.fib.own, self.frag_seqno, port.mtu) else {
            return self.discard(Drop::TooBig, frame, sink);
        };
        for piece in pieces {
            self.counters.frame(Count::FragTx, piece.len());
            sink.link_tx(next.link, piece, &self.fib);
        }
        sink.recycle(frame);
    }

    fn discard(&mut self, why: Drop, frame: Frame, sink: &mut impl PlaneSink) {
        self.counters.drop(why);
        sink.recycle(frame);
    }

    fn discard_host(&mut self, why: Drop, frame: Frame, sink: &mut impl PlaneSink) {
        self.counters.add(Count::TxDropped, 1);
        self.discard(why, frame, sink);
    }
}

/// Spanning tree and loopback-test frames stay on their wire. Source: "Payload plane" 1.1.
fn is_link_local(dst: MacAddr) -> bool {
    dst == MacAddr([0x01, 0x80, 0xc2, 0, 0, 0]) || dst == MacAddr([0xcf, 0, 0, 0, 0, 0])
}

/// True for what gateways of one LAN say to each other, which no client may say.
fn is_claim_frame(inner: &ClientFrame, frame: &[u8]) -> bool {
    let target = inner.payload + ARP_TARGET;
    inner.ethertype == ETHERTYPE_ARP && frame.get(target..).is_some_and(|t| t.starts_with(&packet::bla::MAGIC))
}

/// Offset of the target's MAC in an ARP packet.
const ARP_TARGET: usize = 18;

/// Takes one off the TTL and notes the priority of what is inside. Returns the packet type, or
/// `None` if the TTL ran out.
fn prepare_hop(frame: &mut Frame) -> Option<u8> {
    let bytes = frame.bytes_mut();
    let (head, rest) = UnicastHeader::parse_mut(bytes.get_mut(ETH_LEN..)?).ok()?;
    if head.ttl < 2 {
        return None;
    }
    head.ttl -= 1;
    let kind = head.packet_type;
    let skip = match kind {
        packet_type::UNICAST => 0,
        packet_type::UNICAST_4ADDR => Unicast4Header::LEN - UnicastHeader::LEN,
        packet_type::FRAG => {
            frame.priority = (head.ttvn >> 1) & 7;
            return Some(kind);
        }
        _ => return Some(kind),
    };
    if let Some(inner) = rest.get(skip..) {
        let priority = ClientFrame::parse(inner).map_or(0, |c| c.priority(inner));
        frame.priority = priority;
    }
    Some(kind)
}
