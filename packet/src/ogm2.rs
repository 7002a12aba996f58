//! B.A.T.M.A.N. V originator messages, alone or in aggregates. Source: "Wire format" section 4.

use crate::consts::{THROUGHPUT_MAX, TTL, VERSION, packet_type};
use crate::{Error, MacAddr, head, head_mut};
use zerocopy::byteorder::network_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// OGM2 header, 20 bytes; `tvlv_len` bytes of TVLVs follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct Ogm2Header {
    /// 0x04; not checked again in the further members of an aggregate.
    pub packet_type: u8,
    /// 15.
    pub version: u8,
    /// 50 at the origin.
    pub ttl: u8,
    /// Zero.
    pub flags: u8,
    /// Counts per node.
    pub seqno: U32,
    /// Originator that this OGM2 speaks for.
    pub orig: MacAddr,
    /// Bytes of TVLVs that follow.
    pub tvlv_len: U16,
    /// Throughput of the path so far, in units of 100 kbit/s; [`THROUGHPUT_MAX`] at the origin.
    pub throughput: U32,
}
const _: () = assert!(size_of::<Ogm2Header>() == Ogm2Header::LEN);

impl Ogm2Header {
    /// Bytes of the header.
    pub const LEN: usize = 20;

    /// An OGM2 as its originator sends it, without TVLVs.
    pub fn new(orig: MacAddr, seqno: u32) -> Self {
        Self {
            packet_type: packet_type::OGM2,
            version: VERSION,
            ttl: TTL,
            flags: 0,
            seqno: seqno.into(),
            orig,
            tvlv_len: 0.into(),
            throughput: THROUGHPUT_MAX.into(),
        }
    }

    /// Header and what follows it.
    ///
    /// # Errors
    /// [`Error::Short`] below 20 bytes.
    pub fn parse(bytes: &[u8]) -> Result<(&Self, &[u8]), Error> {
        head(bytes)
    }

    /// Writable header and what follows it.
    ///
    /// # Errors
    /// [`Error::Short`] below 20 bytes.
    pub fn parse_mut(bytes: &mut [u8]) -> Result<(&mut Self, &mut [u8]), Error> {
        head_mut(bytes)
    }
}

/// One OGM2 of an aggregate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ogm2<'a> {
    /// Its header.
    pub header: &'a Ogm2Header,
    /// Its TVLV containers, see [`crate::tvlv::Containers`].
    pub tvlvs: &'a [u8],
}

/// Walks the OGM2s of one packet. Stops at fewer than 20 bytes, an odd or oversized TVLV length.
/// Ethernet padding reads as members of zeros: those are skipped. Members with throughput 0 that
/// are not all zero do come out; receivers drop them.
#[derive(Clone, Debug)]
pub struct Ogm2s<'a> {
    rest: &'a [u8],
}

impl<'a> Ogm2s<'a> {
    /// Starts at the first byte behind the Ethernet header.
    pub const fn new(packet: &'a [u8]) -> Self {
        Self { rest: packet }
    }

    /// What was not consumed yet; after the end: padding or whatever could not be read.
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Ogm2s<'a> {
    type Item = Ogm2<'a>;

    fn next(&mut self) -> Option<Ogm2<'a>> {
        loop {
            let (header, rest) = Ogm2Header::parse(self.rest).ok()?;
            let len = usize::from(header.tvlv_len.get());
            if len % 2 != 0 {
                return None;
            }
            let (tvlvs, rest) = rest.split_at_checked(len)?;
            self.rest = rest;
            if header.as_bytes().iter().any(|&byte| byte != 0) {
                return Some(Ogm2 { header, tvlvs });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn padding_is_no_member() {
        let mut header = Ogm2Header::new(MacAddr([2, 0, 0, 0, 0, 1]), 9);
        header.tvlv_len = 4.into();
        let mut packet = header.as_bytes().to_vec();
        packet.extend([2, 1, 0, 0]);
        packet.resize(46, 0);
        let members: Vec<_> = Ogm2s::new(&packet).collect();
        assert_eq!(members, [Ogm2 { header: &header, tvlvs: &[2, 1, 0, 0] }]);
    }

    #[test]
    fn stops_at_impossible_lengths() {
        let mut header = Ogm2Header::new(MacAddr([2, 0, 0, 0, 0, 1]), 9);
        for len in [1, 3, 2] {
            header.tvlv_len = len.into();
            let mut ogm2s = Ogm2s::new(header.as_bytes());
            assert_eq!(ogm2s.next(), None);
            assert_eq!(ogm2s.rest().len(), 20);
        }
    }
}
