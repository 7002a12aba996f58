//! Packets with the list of their receivers: at every hop one copy for each next hop, with the
//! receivers behind it. Source: "Payload plane" section 4.4, "Wire format" sections 8 and 13.6.
//!
//! ```text
//!  to A, B, C ──▶ node ──▶ next hop 1: to A, C
//!                   └────▶ next hop 2: to B
//! ```

use super::TRACKED_MTU;
use crate::border::Output;
use crate::client::{Arrival, Via};
use crate::config::LinkId;
use crate::counters::{Count, Drop};
use crate::fib::{NextHop, Table};
use crate::frame::Frame;
use crate::mesh::Mesh;
use crate::queue::Class;
use crate::sorted::SortedSet;
use crate::time::Instant;
use alloc::vec::Vec;
use packet::MacAddr;
use packet::consts::{ETH_LEN, ETHERTYPE, TTL};
use packet::eth::{ClientFrame, EthHeader};
use packet::mcast::McastHeader;
use packet::tvlv::tracker::{self, Tracker};
use packet::tvlv::{self, ContainerHeader, Containers, kind};
use zerocopy::IntoBytes;

/// Where a tracked packet comes from.
#[derive(Debug, Clone, Copy)]
pub(super) enum Leg<'a> {
    /// It starts here.
    First,
    /// It is passed on, with this TTL and these containers, of which the tracker is replaced.
    Further { ttl: u8, tvlvs: &'a [u8] },
}

/// Bytes of a tracked packet, Ethernet header excluded.
pub(super) const fn packet_len(dests: usize, frame: usize) -> usize {
    McastHeader::LEN + ContainerHeader::LEN + Tracker::len_of(dests) + frame
}

impl Mesh {
    /// A multicast packet with its list of receivers.
    pub(crate) fn receive_multicast(&mut self, link: LinkId, mut frame: Frame, now: Instant) -> Result<(), Drop> {
        let port = self.links.get(&link).ok_or(Drop::LinkDown)?.cfg.mac;
        let (eth, packet) = EthHeader::parse(frame.bytes()).map_err(|_| Drop::Short)?;
        let neigh = eth.src;
        if neigh.is_multicast() || !eth.dst.is_unicast() {
            return Err(Drop::BadAddress);
        }
        if eth.dst != port {
            return Err(Drop::NotForUs);
        }
        if self.is_own(neigh) {
            return Err(Drop::OwnSource);
        }
        // Nobody may send longer ones; it also bounds the list. Source: "Pitfalls" B 16.
        if packet.len() > TRACKED_MTU {
            return Err(Drop::TooBig);
        }
        self.counters.frame(Count::McastRx, frame.len());
        let (header, tvlvs, client) = McastHeader::parse(packet).map_err(|_| Drop::BadTvlv)?;
        // A TTL above what any node sends only feeds loops. Source: "Pitfalls" B 19.
        let ttl = header.ttl.min(TTL);
        if ttl < 2 {
            return Err(Drop::Ttl);
        }
        let inner = ClientFrame::parse(client).map_err(|_| Drop::Short)?;
        let mut slots = None;
        for c in Containers::new(tvlvs) {
            if (c.kind, c.version) == (kind::MCAST_TRACKER, tracker::VERSION) && slots.is_none() {
                slots = Some(Tracker::parse(c.value).map_err(|_| Drop::BadTvlv)?);
            }
        }
        let slots = slots.ok_or(Drop::BadTvlv)?;
        // Named twice is served once.
        let mut seen = SortedSet::new();
        let mut dests: Vec<MacAddr> = slots.destinations().filter(|&dest| seen.insert(dest)).collect();
        let listed = dests.len();
        dests.retain(|&dest| !self.is_own(dest));
        let for_us = dests.len() < listed;
        if !dests.is_empty() && self.gives {
            let mut rest = Frame::copy_of(client);
            rest.priority = inner.priority(client);
            self.send_tracked(dests, Leg::Further { ttl: ttl - 1, tvlvs }, &rest);
        }
        if !for_us {
            return Ok(());
        }
        let head = frame.len() - client.len();
        self.counters.frame(Count::McastRxLocal, frame.len());
        frame.pull_front(head);
        self.deliver(frame, Arrival { via: Via::Multicast, orig: None, neigh, link }, now)
    }

    /// Sends a client frame to all `dests`, one packet for each next hop.
    pub(super) fn send_tracked(&mut self, dests: Vec<MacAddr>, leg: Leg<'_>, client: &Frame) {
        let mut legs: Vec<(NextHop, Vec<MacAddr>)> = Vec::new();
        for dest in dests {
            let Some(hop) = self.originators.get(&dest).and_then(|o| o.router(Table::Host)) else {
                self.counters.drop(Drop::NoRoute);
                continue;
            };
            match legs.iter_mut().find(|(next, _)| *next == hop) {
                Some((_, behind)) => behind.push(dest),
                None => legs.push((hop, alloc::vec![dest])),
            }
        }
        for (hop, behind) in legs {
            let Some(port) = self.links.get(&hop.link) else { continue };
            let eth = EthHeader { dst: hop.neigh, src: port.cfg.mac, ethertype: ETHERTYPE.into() };
            let Some(mut frame) = emit(&eth, &behind, leg, client.bytes()) else {
                debug_assert!(false, "lists and lengths are bounded by a frame");
                continue;
            };
            if frame.len() - ETH_LEN > port.cfg.mtu {
                self.counters.drop(Drop::TooBig);
                continue;
            }
            frame.priority = client.priority;
            let what = match leg {
                Leg::First => {
                    frame.class = Some(client.class.unwrap_or(Class::Owner));
                    Count::McastTx
                }
                Leg::Further { .. } => Count::McastFwd,
            };
            self.counters.frame(what, frame.len());
            self.out.push_back(Output::LinkTx(hop.link, frame));
        }
    }
}

/// The frame for one next hop. `None` if it cannot be written down.
fn emit(eth: &EthHeader, dests: &[MacAddr], leg: Leg<'_>, client: &[u8]) -> Option<Frame> {
    let (ttl, carried) = match leg {
        Leg::First => (TTL, &[][..]),
        Leg::Further { ttl, tvlvs } => (ttl, tvlvs),
    };
    let mut list = alloc::vec![0; Tracker::len_of(dests.len())];
    Tracker::emit(dests, &mut list).ok()?;
    let is_tracker = |c: &tvlv::Container<'_>| (c.kind, c.version) == (kind::MCAST_TRACKER, tracker::VERSION);
    let others = || Containers::new(carried).filter(|c| !is_tracker(c));
    let size = |value: &[u8]| ContainerHeader::LEN + value.len();
    let tvlvs = size(&list) + others().map(|c| size(c.value)).sum::<usize>();
    let header = McastHeader { ttl, ..McastHeader::new(u16::try_from(tvlvs).ok()?) };

    let mut frame = Frame::zeroed(ETH_LEN + McastHeader::LEN + tvlvs + client.len());
    let (to_eth, rest) = frame.bytes_mut().split_at_mut_checked(ETH_LEN)?;
    to_eth.copy_from_slice(eth.as_bytes());
    let (to_header, rest) = rest.split_at_mut_checked(McastHeader::LEN)?;
    to_header.copy_from_slice(header.as_bytes());
    let mut rest = tvlv::emit(rest, kind::MCAST_TRACKER, tracker::VERSION, &list).ok()?;
    for c in others() {
        rest = tvlv::emit(rest, c.kind, c.version, c.value).ok()?;
    }
    rest.copy_from_slice(client);
    Some(frame)
}
