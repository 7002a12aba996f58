//! When the gateway changes, own clients should leave its IPv6 router at once and not when its
//! last advertisement runs out, half an hour later. We keep that advertisement, and when another
//! gateway is selected we say it again with all lifetimes at their end, as the router itself does
//! before it shuts down (RFC 4861, 6.2.5). Then the new gateway's router is asked to speak.
//!
//! Only our own clients hear this: it goes out of the mesh interface and not into the mesh.

use super::inspect::{IPV6_HEADER, SOLICITATION};
use crate::border::Output;
use crate::frame::Frame;
use crate::mesh::Mesh;
use crate::sorted::SortedMap;
use crate::time::{Duration, Instant};
use alloc::vec::Vec;
use packet::eth::{ClientFrame, ETHERTYPE_IPV6, EthHeader};
use packet::{MacAddr, Vid};
use zerocopy::IntoBytes;

/// Routers remembered; at the bound the one that spoke longest ago gives way.
const CAP: usize = 8;
/// An advertisement is no longer than this.
const LEN_MAX: usize = 1600;
/// Where hop limit, flags and lifetimes of an advertisement end and options begin.
const ADVERTISEMENT_HEADER: usize = 16;
/// All nodes and all routers of a link. Source: RFC 4291.
const ALL_NODES: [u8; 16] = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
const ALL_ROUTERS: [u8; 16] = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];
const ALL_NODES_MAC: MacAddr = MacAddr([0x33, 0x33, 0, 0, 0, 1]);
const ALL_ROUTERS_MAC: MacAddr = MacAddr([0x33, 0x33, 0, 0, 0, 2]);
const ICMPV6: u8 = 58;
const HOP_LIMIT: u8 = 255;

/// Options with a lifetime, and where it stands: prefix (the preferred one), route, DNS servers,
/// DNS search list. Source: RFC 4861, 4191, 8106.
const LIFETIMES: &[(u8, usize)] = &[(3, 8), (24, 4), (25, 4), (31, 4)];

/// The last advertisement of each router that own clients may use.
#[derive(Debug, Default)]
pub(super) struct Routers(SortedMap<(MacAddr, Vid), Heard>);

#[derive(Debug)]
struct Heard {
    frame: Vec<u8>,
    payload: usize,
    until: Instant,
}

impl Routers {
    /// Takes in an advertisement that is about to be delivered.
    pub(super) fn note(&mut self, inner: &ClientFrame, frame: &[u8], now: Instant) {
        let key = (inner.src, inner.vid);
        let lifetime = frame
            .get(inner.payload + IPV6_HEADER + 6..)
            .and_then(|rest| rest.first_chunk())
            .map_or(0, |l: &[u8; 2]| u16::from_be_bytes(*l));
        if lifetime == 0 || frame.len() > LEN_MAX {
            self.0.remove(&key);
            return;
        }
        if self.0.len() >= CAP && !self.0.contains_key(&key) {
            let oldest = self.0.iter().min_by_key(|(_, h)| h.until).map(|(k, _)| *k);
            if let Some(oldest) = oldest {
                self.0.remove(&oldest);
            }
        }
        let until = now + Duration::from_secs(u64::from(lifetime));
        self.0.insert(key, Heard { frame: frame.to_vec(), payload: inner.payload, until });
    }
}

impl Mesh {
    /// Takes the routers of the gateway before away from own clients, and asks the new one's.
    pub(super) fn hand_over_routers(&mut self, to: Option<MacAddr>, now: Instant) {
        // With none left the old router is no worse than no router.
        let (Some(to), true) = (to, self.gateway_wants_nd()) else { return };
        for ((src, vid), heard) in core::mem::take(&mut self.gateway.routers.0) {
            // The new gateway may share the router with the old one.
            let shared = self.global.entries.get(&(src, vid)).is_some_and(|e| e.at.iter().any(|at| at.orig == to));
            if heard.until < now || shared {
                continue;
            }
            if let Some(farewell) = farewell(&heard.frame, heard.payload) {
                self.out.push_back(Output::HostTx(Frame::copy_of(&farewell)));
            }
            let question = solicitation(self.cfg.host_mac, heard.frame.get(12..heard.payload).unwrap_or_default());
            if let Ok(inner) = ClientFrame::parse(&question) {
                // Without a way there the router's own rhythm has to do.
                let _ = self.send_to_gateway(to, Frame::copy_of(&question), &inner);
            }
        }
    }
}

/// An advertisement to all nodes that ends everything the given one promised; `None` if it cannot
/// be read.
fn farewell(frame: &[u8], payload: usize) -> Option<Vec<u8>> {
    let length = usize::from(u16::from_be_bytes(*frame.get(payload + 4..)?.first_chunk()?));
    let mut out = frame.get(..payload + IPV6_HEADER + length)?.to_vec();
    out.get_mut(..6)?.copy_from_slice(&ALL_NODES_MAC.0);
    out.get_mut(payload + 24..payload + IPV6_HEADER)?.copy_from_slice(&ALL_NODES);
    let message = out.get_mut(payload + IPV6_HEADER..)?;
    message.get_mut(6..8)?.fill(0);
    let mut options = message.get_mut(ADVERTISEMENT_HEADER..)?;
    while let &mut [kind, units, ..] = options {
        let (option, rest) = options.split_at_mut_checked(usize::from(units) * 8).filter(|_| units > 0)?;
        if let Some(&(_, at)) = LIFETIMES.iter().find(|(k, _)| *k == kind) {
            option.get_mut(at..at + 4)?.fill(0);
        }
        options = rest;
    }
    set_checksum(out.get_mut(payload..)?)?;
    Some(out)
}

/// A question for a router without an own address (so that all clients hear the answer), behind
/// the given tag and ethertype.
fn solicitation(from: MacAddr, ethertypes: &[u8]) -> Vec<u8> {
    let mut out = EthHeader { dst: ALL_ROUTERS_MAC, src: from, ethertype: ETHERTYPE_IPV6.into() }.as_bytes().to_vec();
    out.truncate(12);
    out.extend_from_slice(ethertypes);
    let payload = out.len();
    out.extend_from_slice(&[0x60, 0, 0, 0, 0, 8, ICMPV6, HOP_LIMIT]);
    out.extend_from_slice(&[0; 16]);
    out.extend_from_slice(&ALL_ROUTERS);
    out.extend_from_slice(&[SOLICITATION, 0, 0, 0, 0, 0, 0, 0]);
    let summed = out.get_mut(payload..).and_then(set_checksum);
    debug_assert!(summed.is_some(), "it was just built");
    out
}

/// Computes the ICMPv6 checksum of an IPv6 packet without extension headers. Source: RFC 4443, 2.3.
fn set_checksum(ip: &mut [u8]) -> Option<()> {
    ip.get_mut(IPV6_HEADER + 2..IPV6_HEADER + 4)?.fill(0);
    let message = ip.get(IPV6_HEADER..)?;
    let mut sum = u32::from(ICMPV6) + u32::try_from(message.len()).ok()?;
    for pair in ip.get(8..)?.chunks(2) {
        sum += u32::from(pair.first().copied().unwrap_or(0)) << 8 | u32::from(pair.get(1).copied().unwrap_or(0));
    }
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    ip.get_mut(IPV6_HEADER + 2..IPV6_HEADER + 4)?.copy_from_slice(&(!(sum as u16)).to_be_bytes());
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An advertisement with a prefix, DNS servers and an MTU, behind a tag of VLAN 5.
    fn advertisement() -> Vec<u8> {
        let mut f = std::vec![0x02, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 0x81, 0, 0, 5, 0x86, 0xdd];
        let prefix = [&[3u8, 4, 64, 0xc0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0xfd][..], &[0; 15]].concat();
        let dns = [&[25u8, 3, 0, 0, 0, 0, 7, 8, 0xfd][..], &[0; 15]].concat();
        let length = 16 + prefix.len() + dns.len() + 8;
        f.extend([0x60, 0, 0, 0, 0, length as u8, ICMPV6, HOP_LIMIT]);
        f.extend([0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        f.extend([0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
        f.extend([134, 0, 0, 0, 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0]);
        f.extend(prefix);
        f.extend(dns);
        f.extend([5, 1, 0, 0, 0, 0, 5, 0xdc]);
        f
    }

    #[test]
    fn a_farewell_ends_what_was_promised_and_nothing_else() {
        let f = advertisement();
        let bye = farewell(&f, 18).unwrap();
        assert_eq!(bye.len(), f.len());
        assert_eq!(bye[..6], ALL_NODES_MAC.0);
        assert_eq!(bye[6..18], f[6..18], "the router says it, in its VLAN");
        let m = &bye[58..];
        assert_eq!(m[..2], [134, 0]);
        assert_eq!(m[6..8], [0, 0], "no router");
        assert_eq!(m[16 + 4..16 + 8], [0, 0, 2, 0], "addresses stay valid");
        assert_eq!(m[16 + 8..16 + 12], [0; 4], "but are not preferred");
        assert_eq!(m[48 + 4..48 + 8], [0; 4], "no DNS server");
        assert_eq!(m[72..], [5, 1, 0, 0, 0, 0, 5, 0xdc], "an MTU has no end");
        // Over everything with its own checksum the sum is all ones.
        let mut sum = u32::from(ICMPV6) + m.len() as u32;
        sum += bye[26..].chunks(2).map(|p| u32::from(p[0]) << 8 | u32::from(p[1])).sum::<u32>();
        assert_eq!((sum >> 16) + (sum & 0xffff), 0xffff);
    }

    #[test]
    fn broken_advertisements_have_no_farewell() {
        let f = advertisement();
        for cut in 0..f.len() {
            assert_eq!(farewell(&f[..cut], 18), None, "cut at {cut}");
        }
        let mut zero = f;
        zero[58 + 16 + 1] = 0;
        assert_eq!(farewell(&zero, 18), None, "an option without length");
    }

    #[test]
    fn routers_are_bounded_and_leave_by_their_own_word() {
        let mut routers = Routers::default();
        let mut f = advertisement();
        for n in 0..20 {
            f[11] = n;
            routers.note(&ClientFrame::parse(&f).unwrap(), &f, Instant::from_micros(u64::from(n)));
        }
        assert_eq!(routers.0.len(), CAP);
        f[58 + 6..58 + 8].fill(0);
        routers.note(&ClientFrame::parse(&f).unwrap(), &f, Instant::ZERO);
        assert_eq!(routers.0.len(), CAP - 1);
    }
}
