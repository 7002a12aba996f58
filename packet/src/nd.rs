//! IPv6 neighbour discovery: who has an address, and the answer. Source: RFC 4861.
//!
//! ```text
//!  0        40       44       48              64
//!  | IPv6   | type   | flags  | target        | options: 1 source MAC, 2 target MAC
//! ```

use crate::ip::checksum;
use crate::{Error, MacAddr};
use core::net::Ipv6Addr;

const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;
const ICMPV6: u8 = 58;
/// Routers never forward these messages: whatever arrives with less was not sent on this link.
const HOP_LIMIT: u8 = 255;
const IPV6: usize = 40;
const BODY: usize = 24;
const SOURCE_MAC: u8 = 1;
const TARGET_MAC: u8 = 2;

const ROUTER: u8 = 0x80;
const SOLICITED: u8 = 0x40;
const OVERRIDE: u8 = 0x20;

/// A solicitation or an advertisement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbor {
    /// Which of the two.
    pub kind: Kind,
    /// Address of the sender; unspecified where it is only about to take `target`.
    pub src: Ipv6Addr,
    /// Address it is sent to.
    pub dst: Ipv6Addr,
    /// The address in question.
    pub target: Ipv6Addr,
    /// The MAC told with it: the sender's in a solicitation, the target's in an advertisement.
    pub mac: Option<MacAddr>,
}

/// What a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Who has the target?
    Solicitation,
    /// The target is here.
    Advertisement {
        /// It is a router.
        router: bool,
        /// It was asked for.
        solicited: bool,
        /// It goes before what was known.
        replaces: bool,
    },
}

impl Neighbor {
    /// Bytes of an IPv6 packet with one of our own advertisements.
    pub const ADVERTISEMENT_LEN: usize = IPV6 + BODY + 8;

    /// Reads an IPv6 packet. `None` if it is something else, or wrong: RFC 4861 sections 7.1.1
    /// and 7.1.2 say what is, the checksum included.
    pub fn parse(ip: &[u8]) -> Option<Self> {
        let (head, rest) = ip.split_first_chunk::<IPV6>()?;
        let [v, _, _, _, l0, l1, next, hops, addresses @ ..] = head;
        if v >> 4 != 6 || *next != ICMPV6 || *hops != HOP_LIMIT {
            return None;
        }
        let message = rest.get(..usize::from(u16::from_be_bytes([*l0, *l1])))?;
        let (body, options) = message.split_first_chunk::<BODY>()?;
        let [kind, code, _, _, flags, _, _, _, target @ ..] = body;
        if *code != 0 || !matches!(*kind, SOLICITATION | ADVERTISEMENT) {
            return None;
        }
        let pseudo = [0, 0, *l0, *l1, 0, 0, 0, ICMPV6];
        if checksum(&[addresses, &pseudo, message]) != 0 {
            return None;
        }
        let (src, dst) = addresses.split_first_chunk::<16>()?;
        let (src, dst) = (Ipv6Addr::from(*src), Ipv6Addr::from(*dst.first_chunk::<16>()?));
        let target = Ipv6Addr::from(*target);
        let wanted = if *kind == SOLICITATION { SOURCE_MAC } else { TARGET_MAC };
        let mac = mac_option(options, wanted).ok()?;
        let kind = if *kind == SOLICITATION {
            // Whoever has no address yet asks the group of the target, and has no MAC to tell.
            if src.is_unspecified() && (mac.is_some() || dst != solicited_node(target)) {
                return None;
            }
            Kind::Solicitation
        } else {
            let solicited = flags & SOLICITED != 0;
            if (solicited && dst.is_multicast()) || src.is_unspecified() {
                return None;
            }
            Kind::Advertisement { router: flags & ROUTER != 0, solicited, replaces: flags & OVERRIDE != 0 }
        };
        if target.is_multicast() || target.is_unspecified() || src.is_multicast() {
            return None;
        }
        Some(Self { kind, src, dst, target, mac })
    }

    /// Writes the IPv6 packet of an advertisement: `target` is at `mac`, for `dst` who asked. It
    /// does not claim to go before what was known, as fits whoever speaks for another.
    ///
    /// # Errors
    /// [`Error::Short`] if it does not fit.
    pub fn emit_answer(
        out: &mut [u8],
        target: Ipv6Addr,
        mac: MacAddr,
        router: bool,
        dst: Ipv6Addr,
    ) -> Result<(), Error> {
        let (need, have) = (Self::ADVERTISEMENT_LEN, out.len());
        let out = out.first_chunk_mut::<{ Self::ADVERTISEMENT_LEN }>().ok_or(Error::Short { need, have })?;
        let len = (BODY + 8) as u8;
        let [m0, m1, m2, m3, m4, m5] = mac.0;
        let flags = SOLICITED | if router { ROUTER } else { 0 };
        let head = [0x60, 0, 0, 0, 0, len, ICMPV6, HOP_LIMIT];
        let (src, dst) = (target.octets(), dst.octets());
        let option = [TARGET_MAC, 1, m0, m1, m2, m3, m4, m5];
        let pseudo = [0, 0, 0, len, 0, 0, 0, ICMPV6];
        let sum = checksum(&[&src, &dst, &pseudo, &[ADVERTISEMENT, 0, 0, 0, flags, 0, 0, 0], &src, &option]);
        let [c0, c1] = sum.to_be_bytes();
        let body = [ADVERTISEMENT, 0, c0, c1, flags, 0, 0, 0];
        let bytes = [&head[..], &src, &dst, &body, &src, &option].into_iter().flatten();
        out.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        Ok(())
    }
}

/// The group that whoever has `address` listens to.
pub fn solicited_node(address: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b, c] = address.octets();
    [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a, b, c].into()
}

/// The MAC in the first option of that kind.
fn mac_option(options: &[u8], wanted: u8) -> Result<Option<MacAddr>, Error> {
    let mut rest = options;
    let mut mac = None;
    while let [kind, len, ..] = *rest {
        // In units of eight bytes; none is a fault of the whole message.
        let len = usize::from(len) * 8;
        let option = rest.get(..len).filter(|o| !o.is_empty()).ok_or(Error::Field("option"))?;
        if let [_, _, m @ ..] = option
            && kind == wanted
            && mac.is_none()
        {
            mac = m.first_chunk::<6>().copied().map(MacAddr);
        }
        rest = rest.get(len..).unwrap_or_default();
    }
    if rest.is_empty() { Ok(mac) } else { Err(Error::Field("option")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 7]);

    fn ip(last: u16) -> Ipv6Addr {
        Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0xff, 0xfe00, last)
    }

    /// A message with a right checksum.
    fn packet(kind: u8, src: Ipv6Addr, dst: Ipv6Addr, target: Ipv6Addr, options: &[u8]) -> Vec<u8> {
        let len = (24 + options.len()) as u8;
        let mut p = std::vec![0x60, 0, 0, 0, 0, len, 58, 255];
        p.extend(src.octets().into_iter().chain(dst.octets()));
        p.extend([kind, 0, 0, 0, 0, 0, 0, 0]);
        p.extend(target.octets());
        p.extend(options);
        seal(&mut p);
        p
    }

    fn seal(p: &mut [u8]) {
        p[42..44].fill(0);
        let pseudo = [0, 0, p[4], p[5], 0, 0, 0, 58];
        let sum = checksum(&[&p[8..40], &pseudo, &p[40..]]);
        p[42..44].copy_from_slice(&sum.to_be_bytes());
    }

    const OPTION: [u8; 8] = [1, 1, 2, 0, 0, 0, 0, 7];

    #[test]
    fn reads_a_question() {
        let mut p = packet(135, ip(7), solicited_node(ip(9)), ip(9), &OPTION);
        let n = Neighbor::parse(&p).unwrap();
        assert_eq!((n.kind, n.src, n.target, n.mac), (Kind::Solicitation, ip(7), ip(9), Some(MAC)));
        p.extend([0; 6]);
        assert_eq!(Neighbor::parse(&p), Some(n), "Ethernet padding");
        // Duplicate address detection.
        let dad = packet(135, Ipv6Addr::UNSPECIFIED, solicited_node(ip(9)), ip(9), &[]);
        assert!(Neighbor::parse(&dad).unwrap().src.is_unspecified());
        let odd = packet(135, Ipv6Addr::UNSPECIFIED, solicited_node(ip(9)), ip(9), &OPTION);
        assert_eq!(Neighbor::parse(&odd), None);
    }

    #[test]
    fn an_answer_reads_as_written() {
        let mut out = [0; 80];
        for router in [false, true] {
            Neighbor::emit_answer(&mut out, ip(9), MAC, router, ip(7)).unwrap();
            let n = Neighbor::parse(&out).unwrap();
            assert_eq!(n.kind, Kind::Advertisement { router, solicited: true, replaces: false });
            assert_eq!((n.src, n.dst, n.target, n.mac), (ip(9), ip(7), ip(9), Some(MAC)));
        }
        assert!(Neighbor::emit_answer(&mut out[..71], ip(9), MAC, true, ip(7)).is_err());
    }

    #[test]
    fn refuses_what_is_wrong() {
        let good = packet(136, ip(9), ip(7), ip(9), &[2, 1, 2, 0, 0, 0, 0, 7]);
        assert!(Neighbor::parse(&good).is_some());
        // Version, hop limit, next header, code, type, target a group, option of no length.
        for (at, byte) in [(0, 0x40), (7, 254), (6, 17), (41, 1), (40, 137), (48, 0xff), (65, 0), (65, 2)] {
            let mut p = good.clone();
            p[at] = byte;
            seal(&mut p);
            assert_eq!(Neighbor::parse(&p), None, "{at} {byte}");
        }
        let mut p = good.clone();
        p[70] ^= 1;
        assert_eq!(Neighbor::parse(&p), None, "checksum");
        for len in 0..good.len() {
            assert_eq!(Neighbor::parse(&good[..len]), None);
        }
        let solicited_group = {
            let mut p = packet(136, ip(9), "ff02::1".parse().unwrap(), ip(9), &[2, 1, 2, 0, 0, 0, 0, 7]);
            p[44] = SOLICITED;
            seal(&mut p);
            p
        };
        assert_eq!(Neighbor::parse(&solicited_group), None);
    }
}
