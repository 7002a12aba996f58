//! IPv6 neighbour discovery: questions of our own clients, answered out of what passed by.
//!
//! Nothing is sent over the mesh for it and nobody else is answered, so other nodes cannot tell.
//! A question is answered only if it goes to a group; one to a single station tests whether that
//! station is alive. Duplicate address detection is never answered. Whether the one asked for is
//! a router is told as it told it, and an entry that does not know gives no answer: a router that
//! is said to be none would lose its place with every host. The override flag stays off, as for
//! everybody who speaks for another. Source: RFC 4861 sections 7.2.3 to 7.2.5.

use super::arp::head;
use super::cache::Claim;
use crate::border::Output;
use crate::client::Arrival;
use crate::counters::Count;
use crate::frame::Frame;
use crate::mesh::Mesh;
use crate::time::Instant;
use core::net::Ipv6Addr;
use packet::eth::{ClientFrame, ETHERTYPE_IPV6};
use packet::nd::{Kind, Neighbor};
use packet::{MacAddr, Vid};

impl Mesh {
    /// `None` if an answer was given or is not needed.
    pub(super) fn nd_from_host(&mut self, frame: Frame, inner: ClientFrame, now: Instant) -> Option<Frame> {
        let Some(n) = parse(&frame, inner) else { return Some(frame) };
        self.learn_neighbor(&n, inner, None, now);
        if n.kind != Kind::Solicitation || n.src.is_unspecified() {
            return Some(frame);
        }
        let key = (n.target, inner.vid);
        if !n.dst.is_multicast() || !inner.dst.is_multicast() {
            self.dat.nd.note_probe(key);
            return Some(frame);
        }
        let known = self.dat.nd.usable(key, now).filter(|e| self.is_reachable(e.mac, inner.vid));
        let asker = n.mac.unwrap_or(inner.src);
        let Some(entry) = known.filter(|e| e.mac != asker) else { return Some(frame) };
        if self.is_client_here(entry.mac, inner.vid) || self.bla_claimed_by_other(entry.mac, inner.vid) {
            return None;
        }
        let Some(answer) = entry.router.and_then(|router| answer(&n, asker, entry.mac, router, inner.vid)) else {
            return Some(frame);
        };
        self.counters.frame(Count::Rx, answer.len());
        self.counters.add(Count::NdHostReply, 1);
        self.out.push_back(Output::HostTx(answer));
        None
    }

    pub(super) fn nd_from_mesh(&mut self, frame: &Frame, inner: ClientFrame, arrival: Arrival, now: Instant) {
        if let Some(n) = parse(frame, inner) {
            let from = self.said_by(arrival);
            self.learn_neighbor(&n, inner, from, now);
        }
    }

    /// Takes in what the sender says of itself. An advertisement without a MAC confirms what is
    /// known of the frame's sender.
    fn learn_neighbor(&mut self, n: &Neighbor, inner: ClientFrame, from: Option<MacAddr>, now: Instant) {
        let key = (n.target, inner.vid);
        let (ip, claim) = match (n.kind, n.mac) {
            (Kind::Solicitation, Some(mac)) => (n.src, Claim::of(mac)),
            // Without the override flag it is one answer of several: anycast, or somebody who
            // speaks for another.
            (Kind::Advertisement { router, replaces, .. }, Some(mac)) => {
                (n.target, Claim { replaces, router: Some(router), ..Claim::of(mac) })
            }
            (Kind::Advertisement { router, .. }, None) if self.dat.nd.mac(key) == Some(inner.src) => {
                (n.target, Claim { router: Some(router), ..Claim::of(inner.src) })
            }
            (_, None) => return,
        };
        if is_host(ip) && claim.mac.is_unicast() {
            self.learn_ipv6(ip, inner.vid, claim, from, now);
        }
    }
}

fn parse(frame: &Frame, inner: ClientFrame) -> Option<Neighbor> {
    Neighbor::parse(frame.bytes().get(inner.payload..)?)
}

/// An address that one host can have.
fn is_host(ip: Ipv6Addr) -> bool {
    !ip.is_multicast() && !ip.is_unspecified() && !ip.is_loopback()
}

/// The frame that answers a question.
fn answer(n: &Neighbor, asker: MacAddr, mac: MacAddr, router: bool, vid: Vid) -> Option<Frame> {
    let mut frame = head(asker, mac, vid, ETHERTYPE_IPV6);
    let mut packet = [0; Neighbor::ADVERTISEMENT_LEN];
    Neighbor::emit_answer(&mut packet, n.target, mac, router, n.src).ok()?;
    frame.extend(&packet);
    Some(frame)
}
