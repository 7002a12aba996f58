//! Flooded client frames: duplicate windows, rebroadcast, repetition.
//! Source: protocol notes, "Payload plane" section 3.

use crate::border::Output;
use crate::client::{Arrival, Via};
use crate::config::LinkId;
use crate::counters::{Count, Drop};
use crate::fib::Table;
use crate::frame::Frame;
use crate::link::Link;
use crate::mesh::Mesh;
use crate::time::{Duration, Instant};
use crate::window::Verdict;
use alloc::vec::Vec;
use packet::MacAddr;
use packet::bcast::BcastHeader;
use packet::consts::{ETH_LEN, ETHERTYPE, TTL};
use packet::eth::{ClientFrame, EthHeader};
use zerocopy::IntoBytes;

/// Copies sent on a radio, where nobody acknowledges a broadcast.
const RADIO_COPIES: u8 = 3;
/// Time between copies.
const SPACING: Duration = Duration::from_millis(5);
/// Most frames whose further copies wait.
const CAP: usize = 256;

/// A frame with copies still to send.
#[derive(Debug)]
struct Repeat {
    at: Instant,
    link: LinkId,
    left: u8,
    frame: Frame,
}

/// Copies waiting to be sent.
#[derive(Debug, Default)]
pub(crate) struct Flood {
    repeats: Vec<Repeat>,
}

impl Flood {
    /// When the next copy is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.repeats.iter().map(|r| r.at).min()
    }

    /// Drops copies for an interface that is gone.
    pub(crate) fn forget(&mut self, link: LinkId) {
        self.repeats.retain(|r| r.link != link);
    }
}

impl Mesh {
    /// Floods a client frame from the mesh interface.
    pub(crate) fn flood_own(&mut self, mut frame: Frame, now: Instant) -> Result<(), Drop> {
        if self.primary.is_none() {
            return Err(Drop::LinkDown);
        }
        self.counters.frame(Count::Tx, frame.len());
        self.bcast_seqno = self.bcast_seqno.wrapping_add(1);
        let header = BcastHeader::new(self.own_orig(), self.bcast_seqno);
        frame.priority = ClientFrame::parse(frame.bytes()).map_or(0, |c| c.priority(frame.bytes()));
        if let Some(room) = frame.push_front(BcastHeader::LEN).get_mut(..BcastHeader::LEN) {
            room.copy_from_slice(header.as_bytes());
        }
        self.flood(&frame, None, now);
        Ok(())
    }

    /// A flooded frame was heard: pass it on, and deliver it.
    pub(crate) fn receive_bcast(&mut self, link: LinkId, mut frame: Frame, now: Instant) -> Result<(), Drop> {
        let (eth, packet) = EthHeader::parse(frame.bytes()).map_err(|_| Drop::Short)?;
        let neigh = eth.src;
        if !eth.dst.is_broadcast() || !neigh.is_unicast() {
            return Err(Drop::BadAddress);
        }
        let (header, rest) = BcastHeader::parse(packet).map_err(|_| Drop::Short)?;
        let (orig, seqno, ttl) = (header.orig, header.seqno.get(), header.ttl.min(TTL));
        let inner = ClientFrame::parse(rest).map_err(|_| Drop::Short)?;
        if self.is_own(neigh) || self.is_own(orig) {
            return Err(Drop::OwnSource);
        }
        if ttl < 2 {
            return Err(Drop::Ttl);
        }
        let o = self.originators.get_mut(&orig).ok_or(Drop::UnknownOriginator)?;
        let trusted = o.router(Table::Host).is_none_or(|hop| hop.neigh == neigh);
        match o.bcasts.take(seqno, trusted, now) {
            Verdict::New => {}
            Verdict::Duplicate => return Err(Drop::Duplicate),
            Verdict::Protected => return Err(Drop::SeqnoProtected),
        }
        self.counters.add(Count::BcastRx, 1);
        if self.bla_is_duplicate(rest, orig, now) {
            return Err(Drop::Duplicate);
        }
        frame.priority = inner.priority(rest);
        frame.pull_front(ETH_LEN);
        if let Ok((header, _)) = BcastHeader::parse_mut(frame.bytes_mut()) {
            header.ttl = ttl - 1;
        }
        if self.gives {
            self.flood(&frame, Some((orig, neigh)), now);
        }
        frame.pull_front(BcastHeader::LEN);
        self.deliver(frame, Arrival { via: Via::Broadcast, orig: Some(orig), neigh, link }, now)
    }

    /// Sends a broadcast packet out of every hard interface where it can be news. `from` is the
    /// originator and the neighbour that a foreign one came from.
    fn flood(&mut self, packet: &Frame, from: Option<(MacAddr, MacAddr)>, now: Instant) {
        let copied = match from.and_then(|(orig, _)| self.originators.get_mut(&orig)) {
            Some(o) => o.copies.take(now),
            None => self.copies.take(now),
        };
        let mut tx = Vec::new();
        for link in self.links.values() {
            if is_useless(link, from, |neigh| self.originator_of(neigh)) {
                continue;
            }
            if packet.len() > link.cfg.mtu {
                self.counters.drop(Drop::TooBig);
                continue;
            }
            let eth = EthHeader { dst: MacAddr::BROADCAST, src: link.cfg.mac, ethertype: ETHERTYPE.into() };
            let mut frame = Frame::copy_of(packet.bytes());
            frame.priority = packet.priority;
            if let Some(room) = frame.push_front(ETH_LEN).get_mut(..ETH_LEN) {
                room.copy_from_slice(eth.as_bytes());
            }
            let usual = if link.cfg.wifi { RADIO_COPIES } else { 1 };
            let copies = link.cfg.broadcast_copies.unwrap_or(usual);
            tx.push((link.id, copies, frame));
        }
        for (link, copies, frame) in tx {
            if copies > 1 {
                if copied && self.flood.repeats.len() < CAP {
                    let repeat = Repeat { at: now + SPACING, link, left: copies - 1, frame: frame.clone() };
                    self.flood.repeats.push(repeat);
                } else {
                    self.counters.drop(Drop::BcastQueueFull);
                }
            }
            self.counters.add(Count::BcastTx, 1);
            self.out.push_back(Output::LinkTx(link, frame));
        }
    }

    /// Sends copies that are due.
    pub(crate) fn run_flood_timers(&mut self, now: Instant) {
        let mut i = 0;
        while let Some(r) = self.flood.repeats.get_mut(i) {
            if r.at > now {
                i += 1;
                continue;
            }
            r.left -= 1;
            r.at += SPACING;
            let (link, left) = (r.link, r.left);
            let frame = if left > 0 { r.frame.clone() } else { self.flood.repeats.swap_remove(i).frame };
            self.counters.add(Count::BcastTx, 1);
            self.out.push_back(Output::LinkTx(link, frame));
            if left > 0 {
                i += 1;
            }
        }
    }

    /// The originator whose hard interface this is, as far as known.
    pub(crate) fn originator_of(&self, neigh: MacAddr) -> MacAddr {
        let found = self.links.values().find_map(|l| l.neighbors.get(&neigh)?.originator);
        found.unwrap_or(neigh)
    }
}

/// True if nobody behind the interface can need the frame: nobody is there, or only the one whom
/// it came from. Source: section 3.
fn is_useless(link: &Link, from: Option<(MacAddr, MacAddr)>, originator_of: impl Fn(MacAddr) -> MacAddr) -> bool {
    let mut neighbors = link.neighbors.iter();
    match (neighbors.next(), neighbors.next()) {
        (None, _) => true,
        (Some((mac, n)), None) => {
            let there = n.originator.unwrap_or(*mac);
            from.is_some_and(|(orig, neigh)| there == orig || there == originator_of(neigh))
        }
        _ => false,
    }
}
