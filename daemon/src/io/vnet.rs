//! The header that a TAP device with offloads puts in front of every frame: which checksum is
//! still to be finished, and whether the frame stands for several.
//!
//! ```text
//! | flags 1 | kind 1 | header length 2 | segment size 2 | checksum start 2 | checksum offset 2 |
//! ```
//! Numbers are in the machine's byte order. Source: linux/virtio_net.h, `struct virtio_net_hdr`.

/// Length of the header.
pub const VNET_LEN: usize = 10;
/// Longest frame that stands for several: 64 KiB of IP packet behind an Ethernet header and tag.
pub const LONGEST: usize = 65535 + 18;

/// A frame's offload header.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Vnet {
    /// A checksum is to be finished: over everything from `start` on, stored at `start + offset`,
    /// where a sum over the pseudo header is already.
    pub checksum: Option<Checksum>,
    /// The frame stands for several TCP segments with this many bytes of payload each.
    pub segment: Option<u16>,
    /// The segments are in IPv6.
    pub v6: bool,
    /// Length of all headers of a frame that stands for several.
    pub header_len: u16,
}

/// Where a checksum is to be finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checksum {
    /// First byte that counts.
    pub start: u16,
    /// Place of the result from there.
    pub offset: u16,
}

impl Vnet {
    /// Reads the header; `None` for an offload that was never allowed.
    pub fn parse(bytes: [u8; VNET_LEN]) -> Option<Self> {
        let [flags, kind, l0, l1, s0, s1, c0, c1, o0, o1] = bytes;
        let checksum = (flags & NEEDS_CSUM != 0)
            .then_some(Checksum { start: u16::from_ne_bytes([c0, c1]), offset: u16::from_ne_bytes([o0, o1]) });
        let size = u16::from_ne_bytes([s0, s1]);
        let (segment, v6) = match kind {
            GSO_NONE => (None, false),
            GSO_TCPV4 => (Some(size), false),
            GSO_TCPV6 => (Some(size), true),
            _ => return None,
        };
        Some(Self { checksum, segment, v6, header_len: u16::from_ne_bytes([l0, l1]) })
    }

    /// The header as bytes.
    pub fn emit(self) -> [u8; VNET_LEN] {
        let flags = if self.checksum.is_some() { NEEDS_CSUM } else { 0 };
        let kind = match (self.segment, self.v6) {
            (None, _) => GSO_NONE,
            (Some(_), false) => GSO_TCPV4,
            (Some(_), true) => GSO_TCPV6,
        };
        let [l0, l1] = self.header_len.to_ne_bytes();
        let [s0, s1] = self.segment.unwrap_or(0).to_ne_bytes();
        let Checksum { start, offset } = self.checksum.unwrap_or(Checksum { start: 0, offset: 0 });
        let ([c0, c1], [o0, o1]) = (start.to_ne_bytes(), offset.to_ne_bytes());
        [flags, kind, l0, l1, s0, s1, c0, c1, o0, o1]
    }
}

const NEEDS_CSUM: u8 = 1;
const GSO_NONE: u8 = 0;
const GSO_TCPV4: u8 = 1;
const GSO_TCPV6: u8 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip() {
        let checksum = Some(Checksum { start: 34, offset: 16 });
        for header in [
            Vnet::default(),
            Vnet { checksum, ..Vnet::default() },
            Vnet { checksum, segment: Some(1448), v6: false, header_len: 66 },
            Vnet { checksum, segment: Some(1428), v6: true, header_len: 86 },
        ] {
            assert_eq!(Vnet::parse(header.emit()), Some(header));
        }
        assert_eq!(Vnet::parse([0, 3, 0, 0, 0, 0, 0, 0, 0, 0]), None, "UDP fragments were never allowed");
    }
}
