//! Packets for one originator: plain unicast, 4-address unicast, unicast TVLV, and the prefix
//! that all types 0x40 to 0x7f share. Source: "Wire format" sections 5, 6, 10.

use crate::consts::{TTL, VERSION, packet_type};
use crate::{Error, MacAddr, head, head_mut};
use zerocopy::byteorder::network_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Unicast header, 10 bytes, and the shared prefix of all forwardable types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct UnicastHeader {
    /// 0x40, or any type from 0x40 to 0x7f when used as prefix.
    pub packet_type: u8,
    /// 15.
    pub version: u8,
    /// 50 at the origin.
    pub ttl: u8,
    /// Version of the destination's translation table as the sender knows it. In other types of
    /// the class this byte means something else.
    pub ttvn: u8,
    /// Originator that the packet is for.
    pub dest: MacAddr,
}
const _: () = assert!(size_of::<UnicastHeader>() == UnicastHeader::LEN);

impl UnicastHeader {
    /// Bytes of the header.
    pub const LEN: usize = 10;

    /// A client frame's header as its originator sends it.
    pub const fn new(dest: MacAddr, ttvn: u8) -> Self {
        Self { packet_type: packet_type::UNICAST, version: VERSION, ttl: TTL, ttvn, dest }
    }

    /// Header and client frame.
    ///
    /// # Errors
    /// [`Error::Short`] below 10 bytes.
    #[inline]
    pub fn parse(bytes: &[u8]) -> Result<(&Self, &[u8]), Error> {
        head(bytes)
    }

    /// Writable header and client frame.
    ///
    /// # Errors
    /// [`Error::Short`] below 10 bytes.
    #[inline]
    pub fn parse_mut(bytes: &mut [u8]) -> Result<(&mut Self, &mut [u8]), Error> {
        head_mut(bytes)
    }
}

/// Subtypes of the 4-address packet.
pub mod subtype {
    /// A client frame.
    pub const DATA: u8 = 1;
    /// Question to the distributed ARP table.
    pub const DAT_GET: u8 = 2;
    /// Answer stored in the distributed ARP table.
    pub const DAT_PUT: u8 = 3;
    /// Answer out of a node's ARP cache.
    pub const DAT_CACHE_REPLY: u8 = 4;
}

/// 4-address unicast header, 18 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct Unicast4Header {
    /// The first ten bytes, with type 0x42.
    pub unicast: UnicastHeader,
    /// Originator that took the frame in.
    pub src: MacAddr,
    /// See [`subtype`].
    pub subtype: u8,
    /// Zero when sent, ignored when received.
    pub reserved: u8,
}
const _: () = assert!(size_of::<Unicast4Header>() == Unicast4Header::LEN);

impl Unicast4Header {
    /// Bytes of the header.
    pub const LEN: usize = 18;

    /// A header as its originator sends it.
    pub const fn new(dest: MacAddr, src: MacAddr, ttvn: u8, subtype: u8) -> Self {
        let unicast = UnicastHeader { packet_type: packet_type::UNICAST_4ADDR, version: VERSION, ttl: TTL, ttvn, dest };
        Self { unicast, src, subtype, reserved: 0 }
    }

    /// Header and client frame.
    ///
    /// # Errors
    /// [`Error::Short`] below 18 bytes.
    pub fn parse(bytes: &[u8]) -> Result<(&Self, &[u8]), Error> {
        head(bytes)
    }
}

/// Unicast TVLV header, 20 bytes; `tvlv_len` bytes of TVLVs follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct UnicastTvlvHeader {
    /// 0x44.
    pub packet_type: u8,
    /// 15.
    pub version: u8,
    /// 50 at the origin.
    pub ttl: u8,
    /// Zero when sent, ignored when received.
    pub reserved: u8,
    /// Originator that the containers are for.
    pub dst: MacAddr,
    /// Originator that they speak for.
    pub src: MacAddr,
    /// Bytes of TVLVs that follow.
    pub tvlv_len: U16,
    /// Zero when sent, ignored when received.
    pub align: U16,
}
const _: () = assert!(size_of::<UnicastTvlvHeader>() == UnicastTvlvHeader::LEN);

impl UnicastTvlvHeader {
    /// Bytes of the header.
    pub const LEN: usize = 20;

    /// A header as its originator sends it.
    pub fn new(dst: MacAddr, src: MacAddr, tvlv_len: u16) -> Self {
        Self {
            packet_type: packet_type::UNICAST_TVLV,
            version: VERSION,
            ttl: TTL,
            reserved: 0,
            dst,
            src,
            tvlv_len: tvlv_len.into(),
            align: 0.into(),
        }
    }

    /// Header and its TVLV bytes, cut to the announced length.
    ///
    /// # Errors
    /// [`Error::Short`] below 20 bytes, [`Error::Length`] if the TVLVs do not fit.
    pub fn parse(bytes: &[u8]) -> Result<(&Self, &[u8]), Error> {
        let (header, rest): (&Self, _) = head(bytes)?;
        let found = usize::from(header.tvlv_len.get());
        let tvlvs = rest.get(..found).ok_or(Error::Length { found, allowed: rest.len() })?;
        Ok((header, tvlvs))
    }
}
