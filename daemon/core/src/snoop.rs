//! Which client frames the data plane leaves to the control side although it could decide about
//! them: those that a service reads or answers.

use packet::eth::{ClientFrame, ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6};

/// What services want to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Snoop {
    /// ARP, for the distributed ARP table.
    pub arp: bool,
    /// DHCP of both IP versions.
    pub dhcp: bool,
    /// IPv6 neighbour discovery, router messages included.
    pub nd: bool,
    /// IPv6 packets with extension headers: what a service looks for may stand behind them.
    pub extended: bool,
    /// Frames for groups that come in packets to one node.
    pub groups: bool,
    /// What bridge loop avoidance has to see: claim frames, what comes from a client in the mesh that
    /// we did not claim, and what the LAN brings from one that we did.
    pub claims: bool,
}

const UDP: u8 = 17;
const ICMPV6: u8 = 58;
/// Server and client ports of DHCP for IPv4.
const BOOTP: core::ops::RangeInclusive<u16> = 67..=68;
/// Client and server ports of DHCP for IPv6.
const DHCPV6: core::ops::RangeInclusive<u16> = 546..=547;
/// Router solicitation to redirect. Source: RFC 4861.
const ND_TYPES: core::ops::RangeInclusive<u8> = 133..=137;
const IPV6_HEADER: usize = 40;

/// True if another header follows the one of that number: hop-by-hop, routing, fragment, authentication and
/// destination options. Source: RFC 8200, RFC 4302.
pub(crate) const fn is_extension(next: u8) -> bool {
    matches!(next, 0 | 43 | 44 | 51 | 60)
}

impl Snoop {
    /// True if a service wants to see this client frame, apart from those of bridge loop avoidance.
    #[inline]
    pub fn wants(&self, inner: &ClientFrame, frame: &[u8]) -> bool {
        match inner.ethertype {
            ETHERTYPE_ARP => self.arp,
            ETHERTYPE_IPV4 if self.dhcp => frame
                .get(inner.payload..)
                .and_then(udp4_ports)
                .is_some_and(|p| BOOTP.contains(&p.0) || BOOTP.contains(&p.1)),
            ETHERTYPE_IPV6 if self.dhcp || self.nd || self.extended => {
                frame.get(inner.payload..).is_some_and(|ip| self.wants_ipv6(ip))
            }
            _ => false,
        }
    }

    #[inline]
    fn wants_ipv6(&self, ip: &[u8]) -> bool {
        let Some((&[_, _, _, _, _, _, next, ..], payload)) = ip.split_first_chunk::<IPV6_HEADER>() else {
            return false;
        };
        match next {
            ICMPV6 => self.nd && payload.first().is_some_and(|t| ND_TYPES.contains(t)),
            UDP => self.dhcp && ports(payload).is_some_and(|p| DHCPV6.contains(&p.0) || DHCPV6.contains(&p.1)),
            next => self.extended && is_extension(next),
        }
    }
}

/// Source and destination port of an IPv4 packet, if it carries the head of a UDP datagram. One
/// look decides about everything else: this is on the hot path.
#[inline]
fn udp4_ports(ip: &[u8]) -> Option<(u16, u16)> {
    let &[first, _, _, _, _, _, f0, f1, _, protocol, ..] = ip.first_chunk::<28>()?;
    if protocol != UDP || first >> 4 != 4 || u16::from_be_bytes([f0, f1]) & 0x1fff != 0 {
        return None;
    }
    ports(ip.get(usize::from(first & 0x0f) * 4..)?)
}

#[inline]
fn ports(udp: &[u8]) -> Option<(u16, u16)> {
    let &[s0, s1, d0, d1, ..] = udp else { return None };
    Some((u16::from_be_bytes([s0, s1]), u16::from_be_bytes([d0, d1])))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn frame(ethertype: u16, ip: &[u8]) -> Vec<u8> {
        let mut f = std::vec![2u8; 12];
        f.extend(ethertype.to_be_bytes());
        f.extend(ip);
        f.resize(f.len().max(60), 0);
        f
    }

    fn wants(s: Snoop, f: &[u8]) -> bool {
        s.wants(&ClientFrame::parse(f).unwrap(), f)
    }

    #[test]
    fn finds_what_services_read() {
        let all = Snoop { arp: true, dhcp: true, nd: true, ..Snoop::default() };
        let mut ip4 = [0u8; 28];
        (ip4[0], ip4[9]) = (0x45, UDP);
        ip4[20..24].copy_from_slice(&[0, 67, 0, 68]);
        let mut ip6 = [0u8; 48];
        (ip6[0], ip6[6], ip6[40]) = (0x60, ICMPV6, 135);
        let (arp, dhcp, nd) = (frame(0x0806, &[]), frame(0x0800, &ip4), frame(0x86dd, &ip6));
        assert!(wants(all, &arp) && wants(all, &dhcp) && wants(all, &nd));
        let none = Snoop::default();
        assert!(!wants(none, &arp) && !wants(none, &dhcp) && !wants(none, &nd));
        ip6[6] = 60;
        let hidden = frame(0x86dd, &ip6);
        assert!(!wants(all, &hidden) && wants(Snoop { extended: true, ..none }, &hidden));
        ip6[6] = ICMPV6;
        ip4[7] = 9;
        assert!(!wants(all, &frame(0x0800, &ip4)), "no head of a datagram");
        ip6[40] = 128;
        assert!(!wants(all, &frame(0x86dd, &ip6)), "a ping is nobody's business");
        assert!(!wants(all, &frame(0x0800, &[])[..15]));
    }
}
