//! Client frames that go to one gateway, or come from one. Source: "Payload plane" section 5.

use super::inspect::{self, Dhcp, Voice};
use crate::border::{Event, GatewayNews};
use crate::client::Arrival;
use crate::config::GatewayMode;
use crate::counters::{Count, Drop};
use crate::fib::Table;
use crate::frame::Frame;
use crate::mesh::Mesh;
use crate::time::Instant;
use crate::tt::Key;
use packet::MacAddr;
use packet::eth::ClientFrame;
use packet::unicast::{Unicast4Header, UnicastHeader, subtype};
use zerocopy::IntoBytes;

impl Mesh {
    /// True if neighbour discovery is to be seen by the control side: router advertisements are
    /// sorted.
    pub(crate) fn gateway_wants_nd(&self) -> bool {
        self.cfg.gateway.mode == GatewayMode::Client && self.cfg.gateway.steer_routers
    }

    /// True if frames that configure others are to be seen by the control side, however deep they hide.
    pub(crate) const fn gateway_guards(&self) -> bool {
        self.cfg.gateway.guard
    }

    /// A client frame from the mesh interface. Of our own clients none serves others; whether we do ourselves is
    /// known, and what a gateway's own LAN says is sorted before it gets here.
    ///
    /// # Errors
    /// [`Drop::RogueServer`].
    pub(crate) fn gateway_admits(&self, inner: &ClientFrame, frame: &[u8]) -> Result<(), Drop> {
        if self.cfg.gateway.guard && self.gateway_announced().is_none() && inspect::voice(inner, frame).is_some() {
            return Err(Drop::RogueServer);
        }
        Ok(())
    }

    /// A frame for a group from the mesh interface. `None` if it was sent or dropped here: DHCP
    /// goes to one gateway, and so do questions for an IPv6 router.
    pub(crate) fn gateway_from_host(&mut self, frame: Frame, now: Instant) -> Result<Option<Frame>, Drop> {
        let mode = self.cfg.gateway.mode;
        if mode == GatewayMode::Off {
            return Ok(Some(frame));
        }
        let inner = ClientFrame::parse(frame.bytes()).map_err(|_| Drop::Short)?;
        match inspect::dhcp(&inner, frame.bytes()) {
            // Our own LAN has its own server.
            Some(Dhcp::ToServer) if mode == GatewayMode::Server => return Err(Drop::DhcpAtServer),
            Some(Dhcp::ToServer) => {
                let Some(gateway) = self.reachable_gateway(now) else {
                    if !core::mem::replace(&mut self.gateway.told_none, true) {
                        self.event(Event::Gateway(GatewayNews::Missing));
                    }
                    return Err(Drop::NoGateway);
                };
                return self.send_to_gateway(gateway, frame, &inner).map(|()| None);
            }
            Some(Dhcp::ToClient(client)) => {
                return self.send_to_client((client, inner.vid), frame, &inner).map(|()| None);
            }
            None => {}
        }
        if self.gateway_wants_nd()
            && inspect::router_message(&inner, frame.bytes()) == Some(inspect::SOLICITATION)
            && let Some(gateway) = self.reachable_gateway(now)
        {
            return self.send_to_gateway(gateway, frame, &inner).map(|()| None);
        }
        Ok(Some(frame))
    }

    /// A client frame from the mesh before it is delivered. `None` if it is not wanted here. While
    /// a gateway is selected, only routers behind it may speak to our clients: anybody else's
    /// address prefix leads nowhere, and a gateway that withdrew often goes on advertising.
    pub(crate) fn gateway_to_host(
        &mut self,
        frame: Frame,
        arrival: Arrival,
        now: Instant,
    ) -> Result<Option<Frame>, Drop> {
        if !self.gateway_wants_nd() && !self.cfg.gateway.guard {
            return Ok(Some(frame));
        }
        let inner = ClientFrame::parse(frame.bytes()).map_err(|_| Drop::Short)?;
        if self.cfg.gateway.guard {
            let from = |gateway: &MacAddr| self.is_behind((inner.src, inner.vid), arrival, *gateway);
            let trusted = match inspect::voice(&inner, frame.bytes()) {
                None => true,
                // A client may still have its address from a gateway that it was steered to before.
                Some(Voice::Dhcp) => self.gateway.known.keys().any(from),
                Some(Voice::Router) => self.gateway.selected.as_ref().is_some_and(from),
            };
            if !trusted {
                return Err(Drop::RogueServer);
            }
        }
        if inspect::router_message(&inner, frame.bytes()) != Some(inspect::ADVERTISEMENT) {
            return Ok(Some(frame));
        }
        if let Some(gateway) = self.gateway.selected
            && !self.is_behind((inner.src, inner.vid), arrival, gateway)
        {
            return Err(Drop::OtherRouter);
        }
        self.gateway.routers.note(&inner, frame.bytes(), now);
        Ok(Some(frame))
    }

    /// True if a client frame comes from behind an originator. The packet says so itself where it
    /// was flooded; otherwise the translation table knows, which also counts where several nodes
    /// share the router's LAN.
    fn is_behind(&self, client: Key, arrival: Arrival, orig: MacAddr) -> bool {
        arrival.orig == Some(orig)
            || self.global.entries.get(&client).is_some_and(|e| e.at.iter().any(|at| at.orig == orig))
    }

    /// The gateway in use; another one if no way leads there any more.
    fn reachable_gateway(&mut self, now: Instant) -> Option<MacAddr> {
        let has_way = |orig: &MacAddr| self.originators.get(orig).is_some_and(|o| o.router(Table::Host).is_some());
        if !self.gateway.selected.as_ref().is_some_and(has_way) {
            self.gateway_elect(false, now);
        }
        self.gateway.selected
    }

    /// Sends a client frame to a gateway, in a packet that names us, so that it learns where the
    /// client is.
    pub(super) fn send_to_gateway(&mut self, gateway: MacAddr, frame: Frame, inner: &ClientFrame) -> Result<(), Drop> {
        let ttvn = self.global.tables.get(&gateway).map_or(0, |t| t.ttvn);
        let header = Unicast4Header::new(gateway, self.own_orig(), ttvn, subtype::DATA);
        self.counters.add(Count::GatewayTx, 1);
        self.send_client_frame(gateway, frame, inner, header.as_bytes())
    }

    /// Sends a server's answer only to where the client is.
    fn send_to_client(&mut self, client: Key, frame: Frame, inner: &ClientFrame) -> Result<(), Drop> {
        let at = self.global.best(client).ok_or(Drop::UnknownClient)?;
        let ttvn = self.global.tables.get(&at.orig).map_or(0, |t| t.ttvn);
        let header = UnicastHeader::new(at.orig, ttvn.wrapping_sub(u8::from(at.roaming)));
        self.send_client_frame(at.orig, frame, inner, header.as_bytes())
    }

    fn send_client_frame(
        &mut self,
        dest: MacAddr,
        mut frame: Frame,
        inner: &ClientFrame,
        header: &[u8],
    ) -> Result<(), Drop> {
        let len = frame.len();
        frame.priority = inner.priority(frame.bytes());
        if let Some(room) = frame.push_front(header.len()).get_mut(..header.len()) {
            room.copy_from_slice(header);
        }
        if !self.send_frame(dest, Table::Host, frame) {
            return Err(Drop::NoRoute);
        }
        self.counters.frame(Count::Tx, len);
        Ok(())
    }
}
