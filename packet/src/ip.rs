//! The heads of IP packets inside client frames, as far as services read them.
//! Source: RFC 791, RFC 768.

use core::net::Ipv4Addr;

const UDP: u8 = 17;
const UDP_HEADER: usize = 8;

/// A UDP datagram in an IPv4 packet that is whole, not a fragment of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Udp4<'a> {
    /// Address of the sender.
    pub src: Ipv4Addr,
    /// Address of the receiver.
    pub dst: Ipv4Addr,
    /// Port of the sender.
    pub src_port: u16,
    /// Port of the receiver.
    pub dst_port: u16,
    /// What it carries; Ethernet padding is cut off.
    pub payload: &'a [u8],
}

impl<'a> Udp4<'a> {
    /// Reads an IPv4 packet; `None` if it is no UDP datagram, a fragment, or cut off. Checksums
    /// are not looked at: the receiver does that.
    pub fn parse(ip: &'a [u8]) -> Option<Self> {
        let (head, _) = ip.split_first_chunk::<20>()?;
        let [v, _, l0, l1, _, _, f0, f1, _, protocol, _, _, s0, s1, s2, s3, d0, d1, d2, d3] = *head;
        let header = usize::from(v & 0x0f) * 4;
        // More fragments, or not the first one.
        if v >> 4 != 4 || header < 20 || protocol != UDP || u16::from_be_bytes([f0, f1]) & 0x3fff != 0 {
            return None;
        }
        let datagram = ip.get(header..usize::from(u16::from_be_bytes([l0, l1])))?;
        let (&[p0, p1, q0, q1, n0, n1, _, _], _) = datagram.split_first_chunk::<UDP_HEADER>()?;
        Some(Self {
            src: [s0, s1, s2, s3].into(),
            dst: [d0, d1, d2, d3].into(),
            src_port: u16::from_be_bytes([p0, p1]),
            dst_port: u16::from_be_bytes([q0, q1]),
            payload: datagram.get(UDP_HEADER..usize::from(u16::from_be_bytes([n0, n1])))?,
        })
    }
}

/// The Internet checksum over several pieces, all but the last of even length; 0 if a checksum
/// among the bytes is right. Source: RFC 1071.
pub fn checksum(pieces: &[&[u8]]) -> u16 {
    let words = pieces.iter().flat_map(|p| p.chunks(2));
    // 65536 words do not overflow: that is more than a packet has.
    let mut sum = words.fold(0u32, |sum, w| match *w {
        [hi, lo] => sum.wrapping_add(u32::from(u16::from_be_bytes([hi, lo]))),
        [hi] => sum.wrapping_add(u32::from(hi) << 8),
        _ => sum,
    });
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn datagram() -> Vec<u8> {
        let mut ip = std::vec![0x45, 0, 0, 31, 0, 0, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        ip.extend([0, 67, 0, 68, 0, 11, 0, 0, 1, 2, 3, 0, 0]);
        ip
    }

    #[test]
    fn reads_ports_and_cuts_padding() {
        let ip = datagram();
        let udp = Udp4::parse(&ip).unwrap();
        assert_eq!((udp.src_port, udp.dst_port, udp.payload), (67, 68, &[1, 2, 3][..]));
        assert_eq!((udp.src, udp.dst), ([10, 0, 0, 1].into(), [10, 0, 0, 2].into()));
    }

    #[test]
    fn refuses_what_is_not_whole() {
        // Version, header length, total length past the end, fragment, protocol, UDP length past the end.
        for (at, byte) in [(0, 0x65), (0, 0x44), (2, 1), (6, 0x20), (7, 1), (9, 6), (25, 12), (25, 7)] {
            let mut ip = datagram();
            ip[at] = byte;
            assert_eq!(Udp4::parse(&ip), None, "{at} {byte}");
        }
        for len in 0..31 {
            assert_eq!(Udp4::parse(&datagram()[..len]), None);
        }
    }

    #[test]
    fn checksums() {
        // The example of RFC 1071, section 3.
        assert_eq!(checksum(&[&[0, 1, 0xf2, 3], &[0xf4, 0xf5, 0xf6, 0xf7]]), !0xddf2);
        assert_eq!(checksum(&[&[0xff, 0xff], &[1]]), !0x0100);
    }
}
