//! The Ethernet frame around a packet, and the client frame inside one.

use crate::{Error, MacAddr, Vid, head, head_mut};
use zerocopy::byteorder::network_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// 802.1Q tag.
pub const ETHERTYPE_VLAN: u16 = 0x8100;
/// 802.1ad outer tag.
pub const ETHERTYPE_QINQ: u16 = 0x88a8;
/// ARP.
pub const ETHERTYPE_ARP: u16 = 0x0806;
/// IPv4.
pub const ETHERTYPE_IPV4: u16 = 0x0800;
/// IPv6.
pub const ETHERTYPE_IPV6: u16 = 0x86dd;

/// Ethernet II header, 14 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct EthHeader {
    /// Destination address.
    pub dst: MacAddr,
    /// Source address.
    pub src: MacAddr,
    /// Ethertype, or the tag protocol.
    pub ethertype: U16,
}
const _: () = assert!(size_of::<EthHeader>() == 14);

impl EthHeader {
    /// Header and payload.
    ///
    /// # Errors
    /// [`Error::Short`] below 14 bytes.
    #[inline]
    pub fn parse(frame: &[u8]) -> Result<(&Self, &[u8]), Error> {
        head(frame)
    }

    /// Writable header and payload.
    ///
    /// # Errors
    /// [`Error::Short`] below 14 bytes.
    #[inline]
    pub fn parse_mut(frame: &mut [u8]) -> Result<(&mut Self, &mut [u8]), Error> {
        head_mut(frame)
    }
}

/// What the mesh needs to know of a client frame: its addresses, VLAN and inner ethertype.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientFrame {
    /// Destination client.
    pub dst: MacAddr,
    /// Source client.
    pub src: MacAddr,
    /// VLAN of the outermost 802.1Q tag.
    pub vid: Vid,
    /// Ethertype behind that tag.
    pub ethertype: u16,
    /// Offset of the payload behind that tag.
    pub payload: usize,
    /// 802.1p priority of that tag.
    pub pcp: Option<u8>,
}

impl ClientFrame {
    /// Reads the head of a client frame.
    ///
    /// # Errors
    /// [`Error::Short`] if the header or an announced tag is cut off.
    #[inline]
    pub fn parse(frame: &[u8]) -> Result<Self, Error> {
        let (eth, rest) = EthHeader::parse(frame)?;
        let ethertype = eth.ethertype.get();
        if ethertype != ETHERTYPE_VLAN {
            return Ok(Self { dst: eth.dst, src: eth.src, vid: Vid::UNTAGGED, ethertype, payload: 14, pcp: None });
        }
        let &[hi, lo, t0, t1, ..] = rest else {
            return Err(Error::Short { need: 18, have: frame.len() });
        };
        Ok(Self {
            dst: eth.dst,
            src: eth.src,
            vid: Vid::tagged(u16::from_be_bytes([hi, lo])),
            ethertype: u16::from_be_bytes([t0, t1]),
            payload: 18,
            pcp: Some(hi >> 5),
        })
    }

    /// The 802.1p priority, 0 to 7: from the tag, else from the upper three bits of the DSCP or
    /// traffic class. Source: protocol notes, "Payload plane" section 1.5.
    pub fn priority(&self, frame: &[u8]) -> u8 {
        if let Some(pcp) = self.pcp {
            return pcp;
        }
        match (self.ethertype, frame.get(self.payload), frame.get(self.payload + 1)) {
            (ETHERTYPE_IPV4, Some(_), Some(tos)) => tos >> 5,
            (ETHERTYPE_IPV6, Some(first), _) => (first & 0x0f) >> 1,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tag_and_priority() {
        let mut frame = [0u8; 60];
        frame[12..18].copy_from_slice(&[0x81, 0, 0xa0, 5, 8, 0]);
        let inner = ClientFrame::parse(&frame).unwrap();
        assert_eq!((inner.vid, inner.ethertype, inner.priority(&frame)), (Vid::tagged(5), 0x0800, 5));
        assert!(ClientFrame::parse(&frame[..16]).is_err());
        frame[12..16].copy_from_slice(&[8, 0, 0x45, 0xb8]);
        assert_eq!(ClientFrame::parse(&frame).unwrap().priority(&frame), 5);
    }
}
