//! Translation table container: which clients an originator serves. Source: "Wire format" section 13.3.

use crate::{Error, MacAddr, Vid, head};
use zerocopy::byteorder::network_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Flags of the container.
pub mod flags {
    /// Changes since the last version; rides in OGMs.
    pub const OGM_DIFF: u8 = 0x01;
    /// Asks for a table.
    pub const REQUEST: u8 = 0x02;
    /// Answers a request.
    pub const RESPONSE: u8 = 0x04;
    /// The whole table is asked for or given.
    pub const FULL: u8 = 0x10;
    /// Which of the three kinds a container is.
    pub const KIND: u8 = 0x0f;
}

/// Flags of one client.
pub mod client {
    /// The client is gone.
    pub const DEL: u8 = 0x01;
    /// It moved to another originator.
    pub const ROAM: u8 = 0x02;
    /// It is attached by Wi-Fi.
    pub const WIFI: u8 = 0x10;
    /// It is isolated.
    pub const ISOLA: u8 = 0x20;
    /// Flags that both sides keep and that the CRC covers.
    pub const SYNC: u8 = 0xf0;
}

/// Head of the container, 4 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct TtHeader {
    /// See [`flags`].
    pub flags: u8,
    /// Version of the table.
    pub ttvn: u8,
    /// Number of VLAN records.
    pub num_vlan: U16,
}
const _: () = assert!(size_of::<TtHeader>() == 4);

/// One VLAN's checksum, 8 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct TtVlan {
    /// CRC of the VLAN's clients, see [`entry_crc`].
    pub crc: U32,
    /// The VLAN as on the wire.
    pub vid: U16,
    /// Zero when sent, ignored when received.
    pub reserved: U16,
}
const _: () = assert!(size_of::<TtVlan>() == 8);

/// One client added or removed, 12 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct TtChange {
    /// See [`client`].
    pub flags: u8,
    /// Zero when sent, ignored when received.
    pub reserved: [u8; 3],
    /// The client.
    pub addr: MacAddr,
    /// Its VLAN as on the wire.
    pub vid: U16,
}
const _: () = assert!(size_of::<TtChange>() == 12);

impl TtChange {
    /// A record as it is sent.
    pub fn new(addr: MacAddr, vid: Vid, flags: u8) -> Self {
        Self { flags, reserved: [0; 3], addr, vid: vid.to_wire().into() }
    }
}

/// The value of a translation table container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tt<'a> {
    /// Kind and version.
    pub header: &'a TtHeader,
    /// Checksums, one per VLAN with clients.
    pub vlans: &'a [TtVlan],
    /// Clients added or removed.
    pub changes: &'a [TtChange],
}

impl<'a> Tt<'a> {
    /// Reads the value of a container; bytes behind the last whole change record are ignored.
    ///
    /// # Errors
    /// [`Error::Short`] below 4 bytes, [`Error::Length`] if the VLAN records do not fit.
    pub fn parse(value: &'a [u8]) -> Result<Self, Error> {
        let (header, rest): (&TtHeader, _) = head(value)?;
        let n = usize::from(header.num_vlan.get());
        let (vlans, rest) = <[TtVlan]>::ref_from_prefix_with_elems(rest, n)
            .map_err(|_| Error::Length { found: n, allowed: rest.len() / size_of::<TtVlan>() })?;
        let k = rest.len() / size_of::<TtChange>();
        let (changes, _) =
            <[TtChange]>::ref_from_prefix_with_elems(rest, k).map_err(|_| Error::Length { found: k, allowed: k })?;
        Ok(Self { header, vlans, changes })
    }

    /// Bytes of a value with this many records.
    pub const fn len_of(vlans: usize, changes: usize) -> usize {
        size_of::<TtHeader>() + vlans * size_of::<TtVlan>() + changes * size_of::<TtChange>()
    }
}

/// CRC of one client; a VLAN's CRC is the XOR over its clients.
///
/// Source: protocol notes, "Translation table" section 3.
pub fn entry_crc(addr: MacAddr, vid: Vid, flags: u8) -> u32 {
    let [hi, lo] = vid.to_wire().to_be_bytes();
    let crc = crate::crc::crc32c_raw(0, &[hi, lo, flags & client::SYNC]);
    crate::crc::crc32c_raw(crc, &addr.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc_vectors() {
        let one = MacAddr([2, 0, 0, 0, 0, 1]);
        let two = MacAddr([2, 0, 0, 0, 0, 2]);
        assert_eq!(entry_crc(one, Vid::UNTAGGED, 0), 0x29e7_23c0);
        assert_eq!(entry_crc(one, Vid::UNTAGGED, 0x12), 0xb5bc_d966);
        assert_eq!(entry_crc(one, Vid::tagged(1), 0), 0xc6b3_5b0c);
        assert_eq!(entry_crc(one, Vid::UNTAGGED, 0) ^ entry_crc(two, Vid::UNTAGGED, 0x10), 0x8f0b_0952);
    }
}
