//! Client frames on the control side: the way from the mesh interface into the mesh and back, and
//! which service looks at them in which order. Source: "Payload plane" section 1.

use crate::border::Output;
use crate::config::LinkId;
use crate::counters::{Count, Drop};
use crate::frame::Frame;
use crate::mesh::Mesh;
use crate::time::Instant;
use packet::MacAddr;
use packet::consts::{ETH_LEN, ETHERTYPE};
use packet::eth::{ClientFrame, EthHeader};
use packet::unicast::{Unicast4Header, UnicastHeader, subtype};

/// In what kind of packet a client frame came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Via {
    /// A packet to one originator.
    Unicast,
    /// The same with its sender's name and a purpose, see [`subtype`].
    Unicast4(u8),
    /// A flooded one.
    Broadcast,
    /// One with a list of receivers.
    Multicast,
}

/// How a client frame came to us over the mesh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arrival {
    pub(crate) via: Via,
    /// The originator that took it in, where the packet says so.
    pub(crate) orig: Option<MacAddr>,
    /// The neighbour that it came from, by hard interface address.
    pub(crate) neigh: MacAddr,
    /// The hard interface that it came in on.
    pub(crate) link: LinkId,
}

impl Mesh {
    /// A client frame that the data plane could not decide: its source is unknown, it is for a
    /// group, or a service wants to see it. Source: section 1.1.
    pub(crate) fn host_rx(&mut self, frame: Frame, now: Instant) -> Result<(), Drop> {
        let done = self.host_frame(frame, now);
        if done.is_err() {
            self.counters.add(Count::TxDropped, 1);
        }
        done
    }

    fn host_frame(&mut self, frame: Frame, now: Instant) -> Result<(), Drop> {
        let inner = ClientFrame::parse(frame.bytes()).map_err(|_| Drop::Short)?;
        if !inner.src.is_unicast() {
            return Err(Drop::BadClientSource);
        }
        let Some(frame) = self.bla_from_lan(frame, now)? else { return Ok(()) };
        if !Self::is_loop_probe(inner.src) {
            self.learn_local((inner.src, inner.vid), now)?;
        }
        self.gateway_admits(&inner, frame.bytes())?;
        self.dat_overhears_host(&frame, now);
        if !inner.dst.is_multicast() {
            if let Some(frame) = self.dat_from_host(frame, now)? {
                self.out.push_back(Output::HostAgain(frame));
            }
            return Ok(());
        }
        let Some(frame) = self.gateway_from_host(frame, now)? else { return Ok(()) };
        let Some(frame) = self.dat_from_host(frame, now)? else { return Ok(()) };
        if inner.dst.is_broadcast() { self.flood_own(frame, now) } else { self.multicast_from_host(frame, now) }
    }

    /// A packet for us with a client frame that a service wants to see.
    pub(crate) fn receive_unicast(&mut self, link: LinkId, mut frame: Frame, now: Instant) -> Result<(), Drop> {
        let (eth, packet) = EthHeader::parse(frame.bytes()).map_err(|_| Drop::Short)?;
        UnicastHeader::parse(packet).map_err(|_| Drop::Short)?;
        let arrival = Arrival { via: Via::Unicast, orig: None, neigh: eth.src, link };
        frame.pull_front(ETH_LEN + UnicastHeader::LEN);
        let Some(frame) = self.verify_from_mesh(frame, arrival, now)? else { return Ok(()) };
        self.deliver(frame, arrival, now)
    }

    /// A packet for us with a client frame and the name of its sender.
    pub(crate) fn receive_4addr(&mut self, link: LinkId, mut frame: Frame, now: Instant) -> Result<(), Drop> {
        let (eth, packet) = EthHeader::parse(frame.bytes()).map_err(|_| Drop::Short)?;
        let (header, _) = Unicast4Header::parse(packet).map_err(|_| Drop::Short)?;
        let arrival = Arrival { via: Via::Unicast4(header.subtype), orig: Some(header.src), neigh: eth.src, link };
        frame.pull_front(ETH_LEN + Unicast4Header::LEN);
        self.deliver(frame, arrival, now)
    }

    /// Hands a client frame to the mesh interface, unless a service takes it. Source: sections 1.3
    /// and 1.6.
    pub(crate) fn deliver(&mut self, frame: Frame, arrival: Arrival, now: Instant) -> Result<(), Drop> {
        let inner = ClientFrame::parse(frame.bytes()).map_err(|_| Drop::Short)?;
        if inner.ethertype == ETHERTYPE {
            return Err(Drop::MeshInMesh);
        }
        // Where the packet does not name its originator, the last hop has to do.
        let sender = arrival.orig.unwrap_or_else(|| self.originator_of(arrival.neigh));
        // A list of receivers leaves out those on its sender's LAN, and says nothing of the last hop.
        if arrival.via != Via::Multicast && self.is_backbone_gateway(sender, inner.vid) {
            return Err(Drop::Backbone);
        }
        let Some(frame) = self.dat_from_mesh(frame, arrival, now)? else { return Ok(()) };
        if arrival.via == Via::Unicast4(subtype::DAT_PUT) && !self.cfg.dat {
            // Nothing is stored here, and to a client it would be an answer nobody asked for.
            return Err(Drop::Unsupported);
        }
        let Some(frame) = self.bla_to_lan(frame, arrival, now)? else { return Ok(()) };
        self.hand_out(frame, arrival, now)
    }

    /// The last steps of a client frame that may pass.
    pub(crate) fn hand_out(&mut self, frame: Frame, arrival: Arrival, now: Instant) -> Result<(), Drop> {
        let inner = ClientFrame::parse(frame.bytes()).map_err(|_| Drop::Short)?;
        if let (Via::Broadcast | Via::Unicast4(subtype::DATA), Some(orig)) = (arrival.via, arrival.orig) {
            self.learn_temporary((inner.src, inner.vid), orig, now);
        }
        let Some(frame) = self.gateway_to_host(frame, arrival, now)? else { return Ok(()) };
        if !inner.dst.is_multicast() && self.is_isolated((inner.dst, inner.vid), (inner.src, inner.vid)) {
            return Err(Drop::Isolated);
        }
        self.counters.frame(Count::Rx, frame.len());
        self.out.push_back(Output::HostTx(frame));
        Ok(())
    }
}
