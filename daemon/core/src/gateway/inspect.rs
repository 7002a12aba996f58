//! What gateways look for in client frames: DHCP and router messages. Where they are steered, extension
//! headers of IPv6 are not walked, as in the kernel; where they are kept out ([`voice`]) they are.

use crate::snoop::is_extension;
use packet::MacAddr;
use packet::eth::{ClientFrame, ETHERTYPE_IPV4, ETHERTYPE_IPV6};

const UDP: u8 = 17;
const ICMPV6: u8 = 58;
/// Server port of DHCP for IPv4.
const DHCP_SERVER: u16 = 67;
/// Server port of DHCP for IPv6.
const DHCPV6_SERVER: u16 = 547;
/// Where clients of DHCP listen, IPv4 and IPv6. A server may send from any port.
const DHCP_CLIENT: u16 = 68;
const DHCPV6_CLIENT: u16 = 546;
const UDP_HEADER: usize = 8;
/// Longest chain of extension headers that is walked. Who hides a message behind more is not heard by hosts either.
const EXTENSIONS: usize = 8;
pub(super) const IPV6_HEADER: usize = 40;
/// Router solicitation and advertisement. Source: RFC 4861.
pub(super) const SOLICITATION: u8 = 133;
pub(super) const ADVERTISEMENT: u8 = 134;

/// Where a DHCP message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dhcp {
    ToServer,
    /// To the client of that hardware address.
    ToClient(MacAddr),
}

/// A DHCP message of either IP version. Answers of DHCPv6 do not name the client's hardware
/// address and are never multicast, so they are none of ours. Source: section 5.
pub(super) fn dhcp(inner: &ClientFrame, frame: &[u8]) -> Option<Dhcp> {
    let ip = frame.get(inner.payload..)?;
    let (udp, server) = match inner.ethertype {
        ETHERTYPE_IPV4 => {
            let first = *ip.first()?;
            let fragment = u16::from_be_bytes([*ip.get(6)?, *ip.get(7)?]) & 0x1fff;
            if first >> 4 != 4 || *ip.get(9)? != UDP || fragment != 0 {
                return None;
            }
            (ip.get(usize::from(first & 0x0f) * 4..)?, DHCP_SERVER)
        }
        ETHERTYPE_IPV6 if *ip.get(6)? == UDP => (ip.get(IPV6_HEADER..)?, DHCPV6_SERVER),
        _ => return None,
    };
    let &[s0, s1, d0, d1, ..] = udp else { return None };
    if u16::from_be_bytes([d0, d1]) == server {
        return Some(Dhcp::ToServer);
    }
    if inner.ethertype != ETHERTYPE_IPV4 || u16::from_be_bytes([s0, s1]) != server {
        return None;
    }
    // op, htype, hlen, ..., chaddr at 28. Source: RFC 2131.
    let message = udp.get(UDP_HEADER..)?;
    let (1, 6) = (*message.get(1)?, *message.get(2)?) else { return None };
    let chaddr = MacAddr(message.get(28..34)?.try_into().ok()?);
    chaddr.is_unicast().then_some(Dhcp::ToClient(chaddr))
}

/// Type of a router message.
pub(super) fn router_message(inner: &ClientFrame, frame: &[u8]) -> Option<u8> {
    if inner.ethertype != ETHERTYPE_IPV6 {
        return None;
    }
    let ip = frame.get(inner.payload..)?;
    if *ip.get(6)? != ICMPV6 {
        return None;
    }
    ip.get(IPV6_HEADER).copied().filter(|t| [SOLICITATION, ADVERTISEMENT].contains(t))
}

/// What only whoever serves others may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Voice {
    /// A DHCP message to a client, of either IP version.
    Dhcp,
    /// A router advertisement.
    Router,
}

/// Tells if a client frame is meant to configure others. Extension headers of IPv6 are walked, as a rogue router
/// can stand behind some (RFC 7113). Of a fragmented packet the first piece tells.
pub(super) fn voice(inner: &ClientFrame, frame: &[u8]) -> Option<Voice> {
    let ip = frame.get(inner.payload..)?;
    let (protocol, transport, client) = match inner.ethertype {
        ETHERTYPE_IPV4 => {
            let first = *ip.first()?;
            let fragment = u16::from_be_bytes([*ip.get(6)?, *ip.get(7)?]) & 0x1fff;
            if first >> 4 != 4 || fragment != 0 {
                return None;
            }
            (*ip.get(9)?, ip.get(usize::from(first & 0x0f) * 4..)?, DHCP_CLIENT)
        }
        ETHERTYPE_IPV6 => {
            let (next, payload) = transport6(ip)?;
            (next, payload, DHCPV6_CLIENT)
        }
        _ => return None,
    };
    match protocol {
        UDP => {
            let &[_, _, d0, d1, ..] = transport else { return None };
            (u16::from_be_bytes([d0, d1]) == client).then_some(Voice::Dhcp)
        }
        ICMPV6 if inner.ethertype == ETHERTYPE_IPV6 => (*transport.first()? == ADVERTISEMENT).then_some(Voice::Router),
        _ => None,
    }
}

/// The first header of an IPv6 packet that is no extension, and what it begins with.
fn transport6(ip: &[u8]) -> Option<(u8, &[u8])> {
    const FRAGMENT: u8 = 44;
    const AUTHENTICATION: u8 = 51;
    let (mut next, mut rest) = (*ip.get(6)?, ip.get(IPV6_HEADER..)?);
    for _ in 0..EXTENSIONS {
        if !is_extension(next) {
            return Some((next, rest));
        }
        let length = usize::from(*rest.get(1)?);
        let bytes = match next {
            FRAGMENT if u16::from_be_bytes([*rest.get(2)?, *rest.get(3)?]) >> 3 != 0 => return None,
            FRAGMENT => 8,
            AUTHENTICATION => (length + 2) * 4,
            _ => (length + 1) * 8,
        };
        (next, rest) = (*rest.first()?, rest.get(bytes..)?);
    }
    None
}
