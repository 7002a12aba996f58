//! Type-version-length-value containers. Source: "Wire format" section 13.

pub mod dat;
pub mod facts;
pub mod gateway;
pub mod mcast;
pub mod meshwork;
pub mod roam;
pub mod tracker;
pub mod tt;
mod value;

pub use value::Value;

use crate::{Error, head};
use zerocopy::byteorder::network_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Container types.
pub mod kind {
    /// Gateway bandwidth, version 1.
    pub const GATEWAY: u8 = 1;
    /// Distributed ARP table capability, version 1.
    pub const DAT: u8 = 2;
    /// Network coding capability, obsolete.
    pub const NC: u8 = 3;
    /// Translation table, version 1.
    pub const TT: u8 = 4;
    /// Roaming advertisement, version 1.
    pub const ROAM: u8 = 5;
    /// Multicast capability, version 2.
    pub const MCAST: u8 = 6;
    /// Receivers of a multicast packet, version 1.
    pub const MCAST_TRACKER: u8 = 7;
    /// Our own facts: kernel nodes carry them unread. The value begins with [`super::MESHWORK_MAGIC`].
    pub const MESHWORK: u8 = 0xb7;
}

/// First bytes of the value of a [`kind::MESHWORK`] container; foreign values lack it.
pub const MESHWORK_MAGIC: [u8; 4] = *b"Mwk1";

/// Container header, 4 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct ContainerHeader {
    /// See [`kind`].
    pub kind: u8,
    /// Version of the value's layout.
    pub version: u8,
    /// Bytes of the value, even.
    pub len: U16,
}
const _: () = assert!(size_of::<ContainerHeader>() == ContainerHeader::LEN);

impl ContainerHeader {
    /// Bytes of the header.
    pub const LEN: usize = 4;
}

/// One container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Container<'a> {
    /// See [`kind`].
    pub kind: u8,
    /// Version of the value's layout.
    pub version: u8,
    /// The value.
    pub value: &'a [u8],
}

/// Walks containers; stops at the first that is odd in length or does not fit, as the kernel
/// does. What came before stays valid.
#[derive(Clone, Debug)]
pub struct Containers<'a> {
    rest: &'a [u8],
}

impl<'a> Containers<'a> {
    /// Starts at the first container.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What was not consumed yet; after the end: whatever could not be read.
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Containers<'a> {
    type Item = Container<'a>;

    fn next(&mut self) -> Option<Container<'a>> {
        let (header, rest): (&ContainerHeader, _) = head(self.rest).ok()?;
        let len = usize::from(header.len.get());
        if len % 2 != 0 {
            return None;
        }
        let (value, rest) = rest.split_at_checked(len)?;
        self.rest = rest;
        Some(Container { kind: header.kind, version: header.version, value })
    }
}

/// Writes a container into `out` and returns the bytes behind it.
///
/// # Errors
/// [`Error::Short`] if it does not fit, [`Error::Length`] if the value is odd or over 65535 bytes.
pub fn emit<'o>(out: &'o mut [u8], kind: u8, version: u8, value: &[u8]) -> Result<&'o mut [u8], Error> {
    let len = match u16::try_from(value.len()) {
        Ok(len) if len % 2 == 0 => len,
        _ => return Err(Error::Length { found: value.len(), allowed: 0xfffe }),
    };
    let need = ContainerHeader::LEN + value.len();
    let have = out.len();
    let (mine, rest) = out.split_at_mut_checked(need).ok_or(Error::Short { need, have })?;
    let (head, body) = mine.split_at_mut(ContainerHeader::LEN);
    head.copy_from_slice(ContainerHeader { kind, version, len: len.into() }.as_bytes());
    body.copy_from_slice(value);
    Ok(rest)
}
