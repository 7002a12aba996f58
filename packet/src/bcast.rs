//! Flooded client frames. Source: "Wire format" section 7.

use crate::consts::{TTL, VERSION, packet_type};
use crate::{Error, MacAddr, head, head_mut};
use zerocopy::byteorder::network_endian::U32;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Broadcast header, 14 bytes; the client frame follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct BcastHeader {
    /// 0x01.
    pub packet_type: u8,
    /// 15.
    pub version: u8,
    /// 49 on the first transmission: decremented before it leaves.
    pub ttl: u8,
    /// Zero when sent, ignored when received.
    pub reserved: u8,
    /// Counts per node.
    pub seqno: U32,
    /// Originator that took the frame in.
    pub orig: MacAddr,
}
const _: () = assert!(size_of::<BcastHeader>() == BcastHeader::LEN);

impl BcastHeader {
    /// Bytes of the header.
    pub const LEN: usize = 14;

    /// A header as its originator sends it.
    pub fn new(orig: MacAddr, seqno: u32) -> Self {
        Self { packet_type: packet_type::BCAST, version: VERSION, ttl: TTL - 1, reserved: 0, seqno: seqno.into(), orig }
    }

    /// Header and client frame.
    ///
    /// # Errors
    /// [`Error::Short`] below 14 bytes.
    pub fn parse(bytes: &[u8]) -> Result<(&Self, &[u8]), Error> {
        head(bytes)
    }

    /// Writable header and client frame.
    ///
    /// # Errors
    /// [`Error::Short`] below 14 bytes.
    pub fn parse_mut(bytes: &mut [u8]) -> Result<(&mut Self, &mut [u8]), Error> {
        head_mut(bytes)
    }
}
