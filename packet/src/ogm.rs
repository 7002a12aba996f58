//! B.A.T.M.A.N. IV originator messages, alone or in aggregates. Source: "Wire format" section 2.

use crate::consts::{TQ_MAX, VERSION, packet_type};
use crate::{Error, MacAddr, head, head_mut};
use zerocopy::byteorder::network_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Set by a relay that is not the best next hop; only the originator may look at such a copy.
pub const NOT_BEST_NEXT_HOP: u8 = 0x01;
/// Unused since 2014.1; kept as received.
pub const PRIMARIES_FIRST_HOP: u8 = 0x02;
/// The relay heard this OGM directly from its originator on this hard interface.
pub const DIRECTLINK: u8 = 0x04;

/// OGM header, 24 bytes; `tvlv_len` bytes of TVLVs follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct OgmHeader {
    /// 0x00.
    pub packet_type: u8,
    /// 15.
    pub version: u8,
    /// 50 from the primary hard interface, 2 from the others.
    pub ttl: u8,
    /// [`NOT_BEST_NEXT_HOP`], [`DIRECTLINK`].
    pub flags: u8,
    /// Counts per hard interface.
    pub seqno: U32,
    /// The hard interface that this OGM speaks for.
    pub orig: MacAddr,
    /// From whom the relay got it; at the origin the same as `orig`.
    pub prev_sender: MacAddr,
    /// Zero when sent, ignored when received.
    pub reserved: u8,
    /// Transmit quality so far, 255 at the origin.
    pub tq: u8,
    /// Bytes of TVLVs that follow.
    pub tvlv_len: U16,
}
const _: () = assert!(size_of::<OgmHeader>() == OgmHeader::LEN);

impl OgmHeader {
    /// Bytes of the header.
    pub const LEN: usize = 24;

    /// An OGM as its originator sends it, without TVLVs.
    pub fn new(orig: MacAddr, seqno: u32, ttl: u8) -> Self {
        Self {
            packet_type: packet_type::OGM,
            version: VERSION,
            ttl,
            flags: 0,
            seqno: seqno.into(),
            orig,
            prev_sender: orig,
            reserved: 0,
            tq: TQ_MAX,
            tvlv_len: 0.into(),
        }
    }

    /// Header and what follows it.
    ///
    /// # Errors
    /// [`Error::Short`] below 24 bytes.
    pub fn parse(bytes: &[u8]) -> Result<(&Self, &[u8]), Error> {
        head(bytes)
    }

    /// Writable header and what follows it.
    ///
    /// # Errors
    /// [`Error::Short`] below 24 bytes.
    pub fn parse_mut(bytes: &mut [u8]) -> Result<(&mut Self, &mut [u8]), Error> {
        head_mut(bytes)
    }
}

/// One OGM of an aggregate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ogm<'a> {
    /// Its header.
    pub header: &'a OgmHeader,
    /// Its TVLV containers, see [`crate::tvlv::Containers`].
    pub tvlvs: &'a [u8],
}

/// Walks the OGMs of one packet. Stops where the kernel stops: at fewer than 24 bytes, an odd or
/// oversized TVLV length; skips members whose type byte is not 0. Source: "Wire format" section 2.
#[derive(Clone, Debug)]
pub struct Ogms<'a> {
    rest: &'a [u8],
}

impl<'a> Ogms<'a> {
    /// Starts at the first byte behind the Ethernet header.
    pub const fn new(packet: &'a [u8]) -> Self {
        Self { rest: packet }
    }

    /// What was not consumed yet; after the end: padding or whatever could not be read.
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Ogms<'a> {
    type Item = Ogm<'a>;

    fn next(&mut self) -> Option<Ogm<'a>> {
        loop {
            let (header, rest) = OgmHeader::parse(self.rest).ok()?;
            let len = usize::from(header.tvlv_len.get());
            if len % 2 != 0 {
                return None;
            }
            let (tvlvs, rest) = rest.split_at_checked(len)?;
            self.rest = rest;
            if header.packet_type == packet_type::OGM {
                return Some(Ogm { header, tvlvs });
            }
        }
    }
}
