//! Internet checksums (RFC 1071) of TCP and UDP that a sender left to its hardware.
//!
//! A frame between two virtual interfaces may arrive with such a checksum unfinished: the kernel
//! takes it for granted that no wire was in between. Passed on to a real wire it would be lost,
//! so it is finished here.

use packet::consts::{ETH_LEN, packet_type};
use packet::eth::{ClientFrame, ETHERTYPE_IPV4, ETHERTYPE_IPV6};

/// Finishes the transport checksum of the client frame inside a mesh frame, Ethernet header
/// included. False, and nothing written, if there is none to finish.
pub fn complete_mesh_frame(frame: &mut [u8]) -> bool {
    let header = match frame.get(ETH_LEN) {
        Some(&packet_type::UNICAST) => 10,
        Some(&packet_type::UNICAST_4ADDR) => 18,
        Some(&packet_type::BCAST) => 14,
        _ => return false,
    };
    frame.get_mut(ETH_LEN + header..).is_some_and(complete_client_frame)
}

/// Finishes the transport checksum of a client frame. False, and nothing written, if it carries
/// neither TCP nor UDP over IP, or is cut off.
pub fn complete_client_frame(frame: &mut [u8]) -> bool {
    let Ok(client) = ClientFrame::parse(frame) else { return false };
    let Some(ip) = frame.get_mut(client.payload..) else { return false };
    let Some(segment) = Segment::locate(client.ethertype, ip) else { return false };
    let Some(bytes) = ip.get_mut(segment.start..segment.end) else { return false };
    let Some(field) = bytes.get_mut(segment.checksum..segment.checksum + 2) else { return false };
    // What a sender leaves there is a sum over the pseudo header; it may be of the whole of
    // several segments, so it is made anew.
    field.copy_from_slice(&fold(segment.pseudo_sum).to_be_bytes());
    complete(bytes, 0, segment.checksum)
}

/// Sums everything from `start` on, the sum over the pseudo header at `field` included, and puts
/// the result there. False, and nothing written, if the field lies outside.
pub fn complete(bytes: &mut [u8], start: usize, field: usize) -> bool {
    let Some(counted) = bytes.get(start..) else { return false };
    // Zero would mean "no checksum" in UDP (RFC 768); in TCP the two forms of zero are equal.
    let value = match !fold(sum(counted)) {
        0 => 0xffff_u16,
        value => value,
    };
    let Some(field) = bytes.get_mut(field..field + 2) else { return false };
    field.copy_from_slice(&value.to_be_bytes());
    true
}

/// Where a transport segment lies in an IP packet.
struct Segment {
    start: usize,
    end: usize,
    /// Offset of the checksum field from `start`.
    checksum: usize,
    pseudo_sum: u64,
}

impl Segment {
    fn locate(ethertype: u16, ip: &[u8]) -> Option<Self> {
        let (start, end, protocol, addresses) = match ethertype {
            ETHERTYPE_IPV4 => {
                let start = usize::from(ip.first()? & 0x0f) * 4;
                let end = usize::from(u16::from_be_bytes([*ip.get(2)?, *ip.get(3)?]));
                // Anything but the first fragment has no transport header, and a first fragment
                // alone cannot be summed.
                if start < 20 || u16::from_be_bytes([*ip.get(6)?, *ip.get(7)?]) & 0x3fff != 0 {
                    return None;
                }
                (start, end, *ip.get(9)?, ip.get(12..20)?)
            }
            ETHERTYPE_IPV6 => {
                let end = 40 + usize::from(u16::from_be_bytes([*ip.get(4)?, *ip.get(5)?]));
                let (mut at, mut protocol) = (40, *ip.get(6)?);
                // Hop-by-hop, routing and destination options: next header, length in 8 bytes.
                while matches!(protocol, 0 | 43 | 60) {
                    protocol = *ip.get(at)?;
                    at += 8 + 8 * usize::from(*ip.get(at + 1)?);
                }
                (at, end, protocol, ip.get(8..40)?)
            }
            _ => return None,
        };
        let checksum = match protocol {
            TCP => 16,
            UDP => 6,
            _ => return None,
        };
        let len = end.checked_sub(start).filter(|_| end <= ip.len())?;
        let pseudo_sum = sum(addresses) + u64::from(protocol) + len as u64;
        Some(Self { start, end, checksum, pseudo_sum })
    }
}

/// Sum of the 16-bit big-endian words of `bytes`, an odd last byte padded with zero; fold it with
/// [`fold`] after adding up all parts. Every part but the last must have an even length.
pub fn sum(bytes: &[u8]) -> u64 {
    // In the machine's own order, which compilers turn into vector code; the result is swapped
    // once. RFC 1071 section 2 (B).
    let (words, tail) = bytes.as_chunks::<4>();
    let mut total: u64 = words.iter().map(|w| u64::from(u32::from_ne_bytes(*w))).sum();
    let mut last = [0; 4];
    if let Some(to) = last.get_mut(..tail.len()) {
        to.copy_from_slice(tail);
    }
    total += u64::from(u32::from_ne_bytes(last));
    u64::from(u16::from_be_bytes(fold(total).to_ne_bytes()))
}

/// Folds the carries of a sum into 16 bits.
pub const fn fold(mut sum: u64) -> u16 {
    while sum >> 16 != 0 {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    sum as u16
}

const TCP: u8 = 6;
const UDP: u8 = 17;

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 1071 word by word, as slow and plain as can be.
    fn reference(bytes: &[u8]) -> u16 {
        let mut total = 0u32;
        for pair in bytes.chunks(2) {
            total += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
            total = (total & 0xffff) + (total >> 16);
        }
        u16::try_from(total).unwrap()
    }

    fn udp_in_ipv4(payload: &[u8]) -> Vec<u8> {
        let mut f = vec![0x02; 12];
        f.extend([0x08, 0x00, 0x45, 0]);
        f.extend(u16::try_from(28 + payload.len()).unwrap().to_be_bytes());
        f.extend([0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0x30, 0x39, 0, 53]);
        f.extend(u16::try_from(8 + payload.len()).unwrap().to_be_bytes());
        f.extend([0xde, 0xad]);
        f.extend(payload);
        f
    }

    #[test]
    fn sums_match_the_plain_form() {
        let bytes: Vec<u8> = (0..1501u32).map(|i| (i * 7 + i / 3) as u8).collect();
        for len in [0, 1, 2, 3, 4, 5, 7, 63, 64, 1500, 1501] {
            assert_eq!(fold(sum(&bytes[..len])), reference(&bytes[..len]), "{len} bytes");
        }
    }

    #[test]
    fn finished_udp_verifies() {
        for payload in [&b"odd"[..], b"even", b""] {
            let mut frame = udp_in_ipv4(payload);
            // Ethernet pads short frames; padding is not summed.
            frame.resize(frame.len().max(60), 0xaa);
            assert!(complete_client_frame(&mut frame));
            let len = 8 + payload.len();
            let mut pseudo = frame[26..34].to_vec();
            pseudo.extend([0, 17]);
            pseudo.extend(u16::try_from(len).unwrap().to_be_bytes());
            pseudo.extend(&frame[34..34 + len]);
            assert_eq!(reference(&pseudo), 0xffff, "sum over everything is all ones");
        }
    }

    #[test]
    fn mesh_headers_are_skipped_and_strangers_left_alone() {
        let inner = udp_in_ipv4(b"payload");
        let mut mesh = vec![0x02; 12];
        mesh.extend([0x43, 0x05, 0x40, 15, 50, 1, 2, 2, 2, 2, 2, 2]);
        mesh.extend(&inner);
        assert!(complete_mesh_frame(&mut mesh));
        assert_ne!(mesh[24 + 40..24 + 42], [0xde, 0xad]);
        for (at, byte) in [(14, 0x41), (24 + 12, 0x86), (24 + 23, 1), (24 + 20, 0x20), (24 + 16, 0xff)] {
            let mut other = mesh.clone();
            other[at] = byte;
            let before = other.clone();
            assert!(!complete_mesh_frame(&mut other), "byte {at} = {byte:#x}");
            assert_eq!(other, before);
        }
        for len in 0..mesh.len() {
            complete_mesh_frame(&mut mesh[..len].to_vec());
        }
    }
}
