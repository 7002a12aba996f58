//! Leases: whoever a server gives an address has it. Source: "Payload plane" section 6.6.

use super::arp::{is_host, reply_frame};
use super::cache::Claim;
use crate::client::Arrival;
use crate::frame::Frame;
use crate::mesh::Mesh;
use crate::time::Instant;
use core::net::Ipv4Addr;
use packet::MacAddr;
use packet::dhcp::{Dhcp, SERVER_PORT};
use packet::eth::ClientFrame;
use packet::ip::Udp4;

/// A confirmed lease: who gave it to whom.
struct Lease {
    server: (Ipv4Addr, MacAddr),
    client: (Ipv4Addr, MacAddr),
}

impl Lease {
    fn parse(frame: &[u8], inner: &ClientFrame) -> Option<Self> {
        let udp = Udp4::parse(frame.get(inner.payload..)?)?;
        if udp.src_port != SERVER_PORT {
            return None;
        }
        let client = Dhcp::parse(udp.payload).ok()?.lease()?;
        let server = (udp.src, inner.src);
        [server, client].iter().all(|(ip, mac)| is_host(*ip) && mac.is_unicast()).then_some(Self { server, client })
    }
}

impl Mesh {
    pub(super) fn dhcp_from_host(&mut self, frame: &Frame, inner: ClientFrame, now: Instant) {
        let Some(lease) = Lease::parse(frame.bytes(), &inner) else { return };
        for (ip, mac) in [lease.client, lease.server] {
            self.learn_ipv4(ip, inner.vid, Claim::of(mac), None, now);
        }
        let answer = reply_frame(lease.server, lease.client, inner.vid);
        self.put(answer.bytes(), [lease.client.0, lease.server.0], inner.vid);
    }

    pub(super) fn dhcp_from_mesh(&mut self, frame: &Frame, inner: ClientFrame, arrival: Arrival, now: Instant) {
        let Some(lease) = Lease::parse(frame.bytes(), &inner) else { return };
        let from = self.said_by(arrival);
        for (ip, mac) in [lease.client, lease.server] {
            self.learn_ipv4(ip, inner.vid, Claim::of(mac), from, now);
        }
    }
}
