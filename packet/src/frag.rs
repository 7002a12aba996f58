//! Pieces of packets that do not fit a link. Source: "Wire format" section 9.

use crate::consts::{TTL, VERSION, packet_type};
use crate::{Error, MacAddr, head};
use zerocopy::byteorder::network_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Fragment header, 20 bytes; a piece of the original packet follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct FragHeader {
    /// 0x41.
    pub packet_type: u8,
    /// 15.
    pub version: u8,
    /// 50 at the origin.
    pub ttl: u8,
    /// Bits 7 to 4 the number, bits 3 to 1 the priority.
    pub number: u8,
    /// Originator that the whole packet is for.
    pub dest: MacAddr,
    /// Originator that cut it.
    pub orig: MacAddr,
    /// The same in all pieces of one packet.
    pub seqno: U16,
    /// Bytes of the whole packet, Ethernet header excluded.
    pub total_size: U16,
}
const _: () = assert!(size_of::<FragHeader>() == FragHeader::LEN);

impl FragHeader {
    /// Bytes of the header.
    pub const LEN: usize = 20;

    /// The header of piece `no` (0 is the tail of the packet) with 802.1p `priority`.
    pub fn new(dest: MacAddr, orig: MacAddr, seqno: u16, total_size: u16, no: u8, priority: u8) -> Self {
        Self {
            packet_type: packet_type::FRAG,
            version: VERSION,
            ttl: TTL,
            number: (no << 4) | ((priority & 7) << 1),
            dest,
            orig,
            seqno: seqno.into(),
            total_size: total_size.into(),
        }
    }

    /// Which piece this is, 0 for the tail.
    pub const fn no(&self) -> u8 {
        self.number >> 4
    }

    /// 802.1p priority of the whole packet, 0 to 7.
    pub const fn priority(&self) -> u8 {
        (self.number >> 1) & 7
    }

    /// Header and piece.
    ///
    /// # Errors
    /// [`Error::Short`] below 20 bytes.
    pub fn parse(bytes: &[u8]) -> Result<(&Self, &[u8]), Error> {
        head(bytes)
    }
}
