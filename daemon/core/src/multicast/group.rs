//! Groups: what kind a frame is for, and the link-layer addresses that stand for IP groups.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use packet::MacAddr;
use packet::eth::{ClientFrame, ETHERTYPE_IPV4, ETHERTYPE_IPV6};

/// An IP version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ip {
    V4,
    V6,
}

/// How far frames of a group reach, and whether switches can know who listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// 224.0.0.0/24 and ff02::1: listeners need not say so.
    Unsnoopable,
    /// Other groups of link-local scope.
    Link,
    /// Multicast routers pass it on.
    Routable,
}

/// What a multicast frame is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) ip: Ip,
    pub(crate) reach: Reach,
}

/// Reach of a group; `None` for an address that is none, or that never leaves its host.
pub(crate) fn reach(group: IpAddr) -> Option<Reach> {
    match group {
        IpAddr::V4(a) if !a.is_multicast() => None,
        IpAddr::V4(a) if a.octets().starts_with(&[224, 0, 0]) => Some(Reach::Unsnoopable),
        IpAddr::V4(_) => Some(Reach::Routable),
        IpAddr::V6(a) if !a.is_multicast() => None,
        IpAddr::V6(ALL_NODES) => Some(Reach::Unsnoopable),
        IpAddr::V6(a) => match a.octets()[1] & 0x0f {
            0..LINK_SCOPE => None,
            LINK_SCOPE => Some(Reach::Link),
            _ => Some(Reach::Routable),
        },
    }
}

/// The link-layer address that an IP group is sent to. Source: RFC 1112 section 6.4, RFC 2464
/// section 7.
pub(crate) fn mac(group: IpAddr) -> MacAddr {
    match group {
        IpAddr::V4(a) => {
            let [_, b, c, d] = a.octets();
            MacAddr([0x01, 0x00, 0x5e, b & 0x7f, c, d])
        }
        IpAddr::V6(a) => {
            let [.., w, x, y, z] = a.octets();
            MacAddr([0x33, 0x33, w, x, y, z])
        }
    }
}

/// The IP version whose groups a link-layer address may stand for.
pub(crate) fn ip_of(mac: MacAddr) -> Option<Ip> {
    match mac.0 {
        [0x01, 0x00, 0x5e, b, ..] if b & 0x80 == 0 => Some(Ip::V4),
        [0x33, 0x33, ..] => Some(Ip::V6),
        _ => None,
    }
}

impl Group {
    /// What a frame for a group is for. `None` for what everybody has to get: other protocols,
    /// frames in a VLAN (groups are announced without), reports of listeners, and whatever is
    /// addressed oddly. Source: section 4.3, 1.
    pub(crate) fn of(inner: &ClientFrame, frame: &[u8]) -> Option<Self> {
        if inner.pcp.is_some() {
            return None;
        }
        let packet = frame.get(inner.payload..)?;
        let (ip, group, report) = match inner.ethertype {
            ETHERTYPE_IPV4 => (Ip::V4, IpAddr::V4(ipv4_destination(packet)?), is_igmp_report(packet)),
            ETHERTYPE_IPV6 => (Ip::V6, IpAddr::V6(ipv6_destination(packet)?), is_mld_report(packet)),
            _ => return None,
        };
        let reach = reach(group)?;
        // A group address on the wire that is not that of the IP group: nobody announces such.
        (!report && mac(group) == inner.dst).then_some(Self { ip, reach })
    }
}

fn ipv4_destination(packet: &[u8]) -> Option<Ipv4Addr> {
    let &[first, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, a, b, c, d, ..] = packet else { return None };
    (first >> 4 == 4).then(|| Ipv4Addr::new(a, b, c, d))
}

fn ipv6_destination(packet: &[u8]) -> Option<Ipv6Addr> {
    let octets: [u8; 16] = packet.get(24..IPV6_HEADER)?.try_into().ok()?;
    (*packet.first()? >> 4 == 6).then(|| Ipv6Addr::from(octets))
}

/// IGMP membership reports of all versions. Source: RFC 3376 section 4.
fn is_igmp_report(packet: &[u8]) -> bool {
    let len = usize::from(packet.first().copied().unwrap_or(0) & 0x0f) * 4;
    packet.get(9) == Some(&IGMP) && matches!(packet.get(len), Some(0x12 | 0x16 | 0x22))
}

/// MLD reports of both versions; a router alert stands before them. Source: RFC 3810 section 5.
fn is_mld_report(packet: &[u8]) -> bool {
    let (mut next, mut at) = (packet.get(6).copied(), IPV6_HEADER);
    if next == Some(HOP_BY_HOP) {
        let (Some(&n), Some(&len)) = (packet.get(at), packet.get(at + 1)) else { return false };
        (next, at) = (Some(n), at + 8 + 8 * usize::from(len));
    }
    next == Some(ICMPV6) && matches!(packet.get(at), Some(131 | 143))
}

const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const LINK_SCOPE: u8 = 2;
const IPV6_HEADER: usize = 40;
const IGMP: u8 = 2;
const ICMPV6: u8 = 58;
const HOP_BY_HOP: u8 = 0;

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn frame(group: IpAddr, protocol: u8, payload: &[u8]) -> Vec<u8> {
        let mut f = mac(group).0.to_vec();
        f.extend([2, 0, 0, 0, 0, 1]);
        match group {
            IpAddr::V4(a) => {
                f.extend([8, 0, 0x45, 0, 0, 0, 0, 0, 0, 0, 1, protocol, 0, 0, 10, 0, 0, 1]);
                f.extend(a.octets());
            }
            IpAddr::V6(a) => {
                f.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, 0, protocol, 1]);
                f.extend([0; 16]);
                f.extend(a.octets());
            }
        }
        f.extend(payload);
        f
    }

    fn of(f: &[u8]) -> Option<Group> {
        Group::of(&ClientFrame::parse(f).unwrap(), f)
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn reach_of_groups() {
        for (group, want) in [
            ("224.0.0.251", Some(Reach::Unsnoopable)),
            ("224.0.1.1", Some(Reach::Routable)),
            ("239.255.255.250", Some(Reach::Routable)),
            ("10.0.0.1", None),
            ("255.255.255.255", None),
            ("ff02::1", Some(Reach::Unsnoopable)),
            ("ff02::fb", Some(Reach::Link)),
            ("ff32::1", Some(Reach::Link)),
            ("ff05::2", Some(Reach::Routable)),
            ("ff3e::1", Some(Reach::Routable)),
            ("ff01::1", None),
            ("ff00::1", None),
            ("fe80::1", None),
        ] {
            assert_eq!(reach(ip(group)), want, "{group}");
        }
    }

    #[test]
    fn groups_of_frames() {
        let udp = |group: &str| of(&frame(ip(group), 17, &[0; 8])).map(|g| (g.ip, g.reach));
        assert_eq!(udp("239.1.2.3"), Some((Ip::V4, Reach::Routable)));
        assert_eq!(udp("224.0.0.251"), Some((Ip::V4, Reach::Unsnoopable)));
        assert_eq!(udp("ff02::fb"), Some((Ip::V6, Reach::Link)));
        assert_eq!(udp("ff05::5"), Some((Ip::V6, Reach::Routable)));
        assert_eq!(udp("ff01::1"), None, "below link scope");
        assert_eq!(mac(ip("239.129.2.3")), MacAddr([1, 0, 0x5e, 1, 2, 3]), "the ninth bit is lost");
        assert_eq!(ip_of(mac(ip("239.129.2.3"))), Some(Ip::V4));
        assert_eq!(ip_of(mac(ip("ff02::1:ff00:1"))), Some(Ip::V6));
        assert_eq!(ip_of(MacAddr([0x01, 0x80, 0xc2, 0, 0, 0])), None);
    }

    #[test]
    fn what_everybody_gets() {
        for report in [0x12, 0x16, 0x22] {
            assert_eq!(of(&frame(ip("239.1.2.3"), IGMP, &[report])), None);
        }
        assert!(of(&frame(ip("224.0.0.2"), IGMP, &[0x17])).is_some(), "leaving is no report");
        assert!(of(&frame(ip("224.0.0.1"), IGMP, &[0x11])).is_some(), "nor is a query");
        assert_eq!(of(&frame(ip("ff02::16"), HOP_BY_HOP, &[ICMPV6, 0, 5, 2, 0, 0, 0, 0, 143])), None);
        assert_eq!(of(&frame(ip("ff02::fb"), ICMPV6, &[131])), None);
        assert!(of(&frame(ip("ff02::1"), HOP_BY_HOP, &[ICMPV6, 0, 5, 2, 0, 0, 0, 0, 130])).is_some());
        assert_eq!(of(&frame(ip("ff02::16"), HOP_BY_HOP, &[ICMPV6])), Some(Group { ip: Ip::V6, reach: Reach::Link }));

        let mut tagged = frame(ip("239.1.2.3"), 17, &[0; 8]);
        tagged.splice(12..12, [0x81, 0, 0, 5]);
        assert_eq!(of(&tagged), None, "groups are announced without VLAN");
        let mut odd = frame(ip("239.1.2.3"), 17, &[0; 8]);
        odd[5] = 9;
        assert_eq!(of(&odd), None, "another group's address");
        let mut other = frame(ip("239.1.2.3"), 17, &[0; 8]);
        other[12..14].copy_from_slice(&[0x88, 0xb5]);
        assert_eq!(of(&other), None, "not IP");
        let whole = frame(ip("ff02::1"), 17, &[]);
        for len in 14..whole.len() {
            assert_eq!(of(&whole[..len]), None);
        }
    }
}
