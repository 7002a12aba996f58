//! What a frame is and who it is for, read from its bytes when it has to wait.

use super::flows::Place;
use crate::fib::Fib;
use crate::frame::Frame;
use packet::bcast::BcastHeader;
use packet::consts::{ETH_LEN, packet_type};
use packet::eth::{ClientFrame, ETHERTYPE_IPV4, ETHERTYPE_IPV6, EthHeader};
use packet::frag::FragHeader;
use packet::icmp::{IcmpHeader, msg_type};
use packet::unicast::{Unicast4Header, UnicastHeader};

/// Whose frame it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Class {
    /// What nodes tell each other.
    Control,
    /// To or from the owner of this node.
    Owner,
    /// To or from a guest of this node.
    Guest,
    /// Carried for others.
    Relay,
}

impl Class {
    /// All, in the order of the numbers.
    pub const ALL: &'static [Self] = &[Self::Control, Self::Owner, Self::Guest, Self::Relay];

    /// The name shown to people and programs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::Owner => "owner",
            Self::Guest => "guest",
            Self::Relay => "relay",
        }
    }

    /// Others than the owner are served by it: guests here and those carried for.
    #[inline]
    pub const fn is_for_others(self) -> bool {
        matches!(self, Self::Guest | Self::Relay)
    }
}

/// A frame's class and place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tag {
    /// Its class.
    pub class: Class,
    /// Its place among those of its class.
    pub place: Place,
}

/// Who a guest's frame is carried for: all guests of this node are one.
const GUESTS: u64 = 1 << 50;

impl Class {
    /// The class of a mesh frame, Ethernet header included, that is about to leave: what [`Tag::of`] says,
    /// without a look at who it is for.
    #[inline]
    pub fn of(frame: &Frame, fib: &Fib) -> Self {
        let packet = frame.bytes().get(ETH_LEN..).unwrap_or_default();
        match packet.first() {
            Some(&packet_type::BCAST) => match BcastHeader::parse(packet) {
                Ok((head, _)) if head.orig != fib.own => Self::Relay,
                _ => frame.class.unwrap_or(Self::Owner),
            },
            Some(&packet_type::UNICAST | &packet_type::MCAST | &packet_type::FRAG) => {
                frame.class.unwrap_or(Self::Relay)
            }
            Some(&packet_type::UNICAST_4ADDR) => match Unicast4Header::parse(packet) {
                Ok((head, _)) if head.src == fib.own => frame.class.unwrap_or(Self::Owner),
                _ => frame.class.unwrap_or(Self::Relay),
            },
            Some(&packet_type::ICMP) if packet.get(3) == Some(&msg_type::TP) => Self::Relay,
            _ => Self::Control,
        }
    }
}

impl Tag {
    /// Reads a mesh frame, Ethernet header included, that is about to leave. Whoever made the frame from
    /// one of a client of ours has put its class on it.
    pub fn of(frame: &Frame, fib: &Fib) -> Self {
        let bytes = frame.bytes();
        let Ok((eth, packet)) = EthHeader::parse(bytes) else { return Self::new(Class::Control, 0, 0, 0) };
        let hop = eth.dst.to_u64();
        let own = fib.own.to_u64();
        let relay_of = |served: u64, flow: u64| Self::new(Class::Relay, served, hop, flow);
        // Without a mark the control side made it, of a client's frame or for itself.
        let made_here =
            |client: Option<ClientFrame>, flow: u64| match frame.class.or_else(|| Some(fib.class_of(client?.src))) {
                Some(Class::Guest) => Self::new(Class::Guest, GUESTS, hop, flow),
                _ => Self::new(Class::Owner, own, hop, flow),
            };
        let started_here = |flow: u64| made_here(None, flow);
        let tag = match packet.first() {
            Some(&packet_type::BCAST) => match BcastHeader::parse(packet) {
                Ok((head, _)) if head.orig != fib.own => relay_of(head.orig.to_u64(), 0),
                Ok((_, inner)) => made_here(ClientFrame::parse(inner).ok(), 0),
                Err(_) => started_here(0),
            },
            // Who sent a group packet is said by the client frame in it, far inside.
            Some(&packet_type::MCAST) if frame.class.is_none() => relay_of(0, 0),
            Some(&packet_type::MCAST) => started_here(0),
            Some(&packet_type::UNICAST) => {
                let inner = packet.get(UnicastHeader::LEN..).unwrap_or_default();
                let (flow, client) = flow_of(inner);
                let ours = client.is_some_and(|c| fib.local(c.src, c.vid).is_some());
                if ours || frame.class.is_some() {
                    made_here(client, flow)
                } else {
                    let from = client.and_then(|c| fib.client(c.src, c.vid)).map(|at| at.orig);
                    let to = dest_of(packet);
                    // Without the sender's node there is still the receiver's.
                    relay_of(fib.served(from.unwrap_or(to), to).to_u64(), flow).near_if(to.to_u64())
                }
            }
            Some(&packet_type::UNICAST_4ADDR) => {
                let (flow, client) = flow_of(packet.get(Unicast4Header::LEN..).unwrap_or_default());
                match Unicast4Header::parse(packet) {
                    Ok((head, _)) if head.src != fib.own && frame.class.is_none() => {
                        let to = head.unicast.dest;
                        relay_of(fib.served(head.src, to).to_u64(), flow).near_if(to.to_u64())
                    }
                    _ => made_here(client, flow),
                }
            }
            Some(&packet_type::FRAG) => match FragHeader::parse(packet) {
                // Whoever cuts a packet puts its own name on the pieces, also if it is another's.
                Ok((head, _)) if frame.class.is_none() => {
                    let from = if head.orig == fib.own { head.dest } else { head.orig };
                    relay_of(fib.served(from, head.dest).to_u64(), 0).near_if(head.dest.to_u64())
                }
                _ => started_here(0),
            },
            // A throughput test is payload, and no reason to hold anybody's control messages up.
            Some(&packet_type::ICMP) => match IcmpHeader::parse(packet) {
                Ok((head, _)) if head.msg_type == msg_type::TP => relay_of(head.orig.to_u64(), 0),
                _ => Self::new(Class::Control, 0, hop, 0),
            },
            _ => Self::new(Class::Control, 0, hop, 0),
        };
        if eth.dst.is_multicast() { Self { place: Place { near: false, ..tag.place }, ..tag } } else { tag }
    }

    const fn new(class: Class, served: u64, hop: u64, flow: u64) -> Self {
        Self { class, place: Place { served, hop, near: false, flow } }
    }

    /// Marks what ends at the next hop.
    const fn near_if(mut self, dest: u64) -> Self {
        self.place.near = dest == self.place.hop;
        self
    }
}

fn dest_of(packet: &[u8]) -> packet::MacAddr {
    UnicastHeader::parse(packet).map_or(packet::MacAddr::ZERO, |(head, _)| head.dest)
}

/// Hash of addresses, protocol and ports of a client frame.
pub fn flow_hash(frame: &[u8]) -> u64 {
    flow_of(frame).0
}

/// Hash of addresses, protocol and ports of a client frame; and its head.
fn flow_of(inner: &[u8]) -> (u64, Option<ClientFrame>) {
    let Ok(client) = ClientFrame::parse(inner) else { return (0, None) };
    let ip = inner.get(client.payload..).unwrap_or_default();
    let (addresses, proto, head) = match client.ethertype {
        ETHERTYPE_IPV4 => {
            let head = usize::from(ip.first().copied().unwrap_or(0) & 0x0f) * 4;
            // Later pieces of a packet carry no ports: then the addresses alone are the flow.
            let piece = ip.get(6..8).is_some_and(|b| b != [0x40, 0] && b != [0, 0]);
            (ip.get(12..20), ip.get(9).copied(), if piece { usize::MAX } else { head })
        }
        ETHERTYPE_IPV6 => (ip.get(8..40), ip.get(6).copied(), 40),
        _ => (inner.get(..12), None, usize::MAX),
    };
    let mut hash = mix(client.src.to_u64(), client.dst.to_u64());
    for word in addresses.unwrap_or_default().chunks(8) {
        hash = mix(hash, word.iter().fold(0, |sum, &b| sum << 8 | u64::from(b)));
    }
    if matches!(proto, Some(6 | 17 | 33 | 132 | 136))
        && let Some(&[a, b, c, d]) = head.checked_add(4).and_then(|end| ip.get(head..end))
    {
        hash = mix(hash, u64::from(u32::from_be_bytes([a, b, c, d])));
    }
    (mix(hash, u64::from(proto.unwrap_or(0))), Some(client))
}

/// Two numbers made one, well stirred.
pub(super) const fn mix(a: u64, b: u64) -> u64 {
    let x = (a ^ b).wrapping_mul(0xff51_afd7_ed55_8ccd);
    x ^ (x >> 31)
}
