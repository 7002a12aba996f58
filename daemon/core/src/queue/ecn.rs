//! Congestion told without a loss: where both ends of a connection understand it, the packet in a frame is
//! marked instead of dropped. Source: RFC 3168 section 5; that a fair queue does, RFC 8290 section 5.2.6.
//!
//! The kernel's fq_codel sees mesh frames from outside only and drops what batman-adv carries: eight TCP flows through it
//! sent as many segments again with ECN as without (tests/RESULTS.md).

use crate::frame::Frame;
use packet::consts::{ETH_LEN, ETHERTYPE, packet_type};
use packet::eth::{ClientFrame, ETHERTYPE_IPV4, ETHERTYPE_IPV6, EthHeader};
use packet::unicast::{Unicast4Header, UnicastHeader};

/// Both ends do not understand it.
const NOT_CAPABLE: u8 = 0b00;
/// Congestion experienced.
const CE: u8 = 0b11;

/// Marks the IP packet of a client in a frame, mesh frame or not. False where it cannot be marked: no IP, ends that
/// do not understand it, a fragment of a mesh packet, a broadcast.
pub(super) fn mark(frame: &mut Frame) -> bool {
    let bytes = frame.bytes_mut();
    let Some(inner) = client_at(bytes).and_then(|at| bytes.get_mut(at..)) else { return false };
    let Ok(client) = ClientFrame::parse(inner) else { return false };
    let Some(ip) = inner.get_mut(client.payload..) else { return false };
    match client.ethertype {
        ETHERTYPE_IPV4 => mark_v4(ip),
        ETHERTYPE_IPV6 => mark_v6(ip),
        _ => false,
    }
}

/// Where the client frame begins.
fn client_at(bytes: &[u8]) -> Option<usize> {
    let (eth, packet) = EthHeader::parse(bytes).ok()?;
    if eth.ethertype.get() != ETHERTYPE {
        return Some(0);
    }
    match packet.first() {
        Some(&packet_type::UNICAST) => Some(ETH_LEN + UnicastHeader::LEN),
        Some(&packet_type::UNICAST_4ADDR) => Some(ETH_LEN + Unicast4Header::LEN),
        _ => None,
    }
}

fn mark_v4(ip: &mut [u8]) -> bool {
    let Some((&mut [first, ref mut tos, .., ref mut hi, ref mut lo], _)) = ip.split_first_chunk_mut::<12>() else {
        return false;
    };
    // A damaged header stays as it is: its receiver finds out by the checksum.
    if first >> 4 != 4 || first & 0x0f < 5 || *tos & CE == NOT_CAPABLE {
        return false;
    }
    let before = u16::from_be_bytes([first, *tos]);
    *tos |= CE;
    let after = u16::from_be_bytes([first, *tos]);
    [*hi, *lo] = adjusted(u16::from_be_bytes([*hi, *lo]), before, after).to_be_bytes();
    true
}

fn mark_v6(ip: &mut [u8]) -> bool {
    // The traffic class lies across two bytes; nothing sums it up.
    let [first, second, ..] = ip else { return false };
    if *first >> 4 != 6 || (*second >> 4) & CE == NOT_CAPABLE {
        return false;
    }
    *second |= CE << 4;
    true
}

/// The Internet checksum when one word it covers changes. Source: RFC 1624 section 3, equation 3.
fn adjusted(sum: u16, before: u16, after: u16) -> u16 {
    let wide = u32::from(!sum) + u32::from(!before) + u32::from(after);
    let once = (wide & 0xffff) + (wide >> 16);
    // At most 0xffff + 2 was there, so one more turn takes the last carry in.
    !((once & 0xffff) + (once >> 16)) as u16
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;

    fn sum(header: &[u8]) -> u16 {
        let words = header.chunks(2).map(|w| u32::from(u16::from_be_bytes([w[0], w[1]])));
        let wide: u32 = words.sum();
        let once = (wide & 0xffff) + (wide >> 16);
        ((once & 0xffff) + (once >> 16)) as u16
    }

    fn v4(tos: u8, id: u16) -> Vec<u8> {
        let mut ip = vec![0x45, tos, 0, 40, 0, 0, 0x40, 0, 64, 6, 0, 0, 10, 9, 0, 1, 10, 9, 0, 2];
        ip[4..6].copy_from_slice(&id.to_be_bytes());
        let sum = !sum(&ip);
        ip[10..12].copy_from_slice(&sum.to_be_bytes());
        ip
    }

    fn frame(ethertype: u16, tag: bool, ip: &[u8]) -> Vec<u8> {
        let mut bytes = vec![2; 12];
        if tag {
            bytes.extend([0x81, 0, 0, 5]);
        }
        bytes.extend(ethertype.to_be_bytes());
        bytes.extend(ip);
        bytes
    }

    fn carried(packet_type: u8, head: usize, client: &[u8]) -> Frame {
        let mut bytes = vec![2; 12];
        bytes.extend(ETHERTYPE.to_be_bytes());
        bytes.extend([packet_type, 15, 50, 0]);
        bytes.extend(vec![0; head - 4]);
        bytes.extend(client);
        Frame::copy_of(&bytes)
    }

    #[test]
    fn capable_ipv4_is_marked_and_its_checksum_holds() {
        for id in 0..=u16::MAX {
            for tos in [0xb9, 0x02, 0x03] {
                let mut f = Frame::copy_of(&frame(ETHERTYPE_IPV4, false, &v4(tos, id)));
                assert!(mark(&mut f));
                let ip = &f.bytes()[14..];
                assert_eq!((ip[1], sum(&ip[..20])), (tos | 3, 0xffff), "id {id}");
            }
        }
    }

    #[test]
    fn others_stay_as_they_are() {
        for bytes in [
            frame(ETHERTYPE_IPV4, false, &v4(0xb8, 1)),
            frame(ETHERTYPE_IPV4, false, &[0x45, 1]),
            frame(ETHERTYPE_IPV4, false, &[0x42, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            frame(ETHERTYPE_IPV6, false, &[0x60, 0, 0, 0]),
            frame(ETHERTYPE_IPV6, false, &[0x60]),
            frame(0x0806, false, &[0; 28]),
            vec![0; 13],
            Vec::new(),
        ] {
            let mut f = Frame::copy_of(&bytes);
            assert!(!mark(&mut f));
            assert_eq!(f.bytes(), bytes);
        }
    }

    #[test]
    fn the_packet_is_found_in_mesh_frames_and_behind_tags() {
        let six = [0x60, 0x20, 0, 1, 0, 0, 59, 64];
        for tag in [false, true] {
            let client = frame(ETHERTYPE_IPV6, tag, &six);
            for (kind, head) in
                [(packet_type::UNICAST, UnicastHeader::LEN), (packet_type::UNICAST_4ADDR, Unicast4Header::LEN)]
            {
                let mut f = carried(kind, head, &client);
                assert!(mark(&mut f));
                assert_eq!(f.bytes()[f.len() - 8..][..4], [0x60, 0x30, 0, 1]);
            }
            assert!(!mark(&mut carried(packet_type::FRAG, 20, &client)));
            assert!(!mark(&mut carried(packet_type::BCAST, 14, &client)));
        }
    }
}
