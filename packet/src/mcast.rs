//! Multicast client frames with the list of their receivers. Source: "Wire format" section 8.

use crate::consts::{TTL, VERSION, packet_type};
use crate::{Error, head, head_mut};
use zerocopy::byteorder::network_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Multicast header, 6 bytes; `tvlv_len` bytes of TVLVs follow (a [`crate::tvlv::tracker`]), then
/// the client frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct McastHeader {
    /// 0x05.
    pub packet_type: u8,
    /// 15.
    pub version: u8,
    /// 50 at the origin.
    pub ttl: u8,
    /// Zero when sent, ignored when received.
    pub reserved: u8,
    /// Bytes of TVLVs that follow, even.
    pub tvlv_len: U16,
}
const _: () = assert!(size_of::<McastHeader>() == McastHeader::LEN);

impl McastHeader {
    /// Bytes of the header.
    pub const LEN: usize = 6;

    /// A header as its originator sends it.
    pub fn new(tvlv_len: u16) -> Self {
        Self { packet_type: packet_type::MCAST, version: VERSION, ttl: TTL, reserved: 0, tvlv_len: tvlv_len.into() }
    }

    /// Header, TVLV bytes and client frame.
    ///
    /// # Errors
    /// [`Error::Short`] below 6 bytes, [`Error::Length`] if the TVLVs are odd or do not fit.
    pub fn parse(bytes: &[u8]) -> Result<(&Self, &[u8], &[u8]), Error> {
        let (header, rest): (&Self, _) = head(bytes)?;
        let found = usize::from(header.tvlv_len.get());
        match rest.split_at_checked(found) {
            Some((tvlvs, frame)) if found.is_multiple_of(2) => Ok((header, tvlvs, frame)),
            _ => Err(Error::Length { found, allowed: rest.len() }),
        }
    }

    /// Writable header and what follows it.
    ///
    /// # Errors
    /// [`Error::Short`] below 6 bytes.
    pub fn parse_mut(bytes: &mut [u8]) -> Result<(&mut Self, &mut [u8]), Error> {
        head_mut(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths() {
        let packet = [5, 15, 50, 0, 0, 4, 1, 2, 3, 4, 5, 6];
        let (header, tvlvs, frame) = McastHeader::parse(&packet).unwrap();
        assert_eq!((header, tvlvs, frame), (&McastHeader::new(4), &[1, 2, 3, 4][..], &[5, 6][..]));
        assert_eq!(McastHeader::parse(&[5, 15, 50, 0, 0, 3, 1, 2, 3]), Err(Error::Length { found: 3, allowed: 3 }));
        assert_eq!(McastHeader::parse(&[5, 15, 50, 0, 0, 4, 1, 2]), Err(Error::Length { found: 4, allowed: 2 }));
        assert_eq!(McastHeader::parse(&packet[..5]), Err(Error::Short { need: 6, have: 5 }));
    }
}
