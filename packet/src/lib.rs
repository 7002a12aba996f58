//! Wire formats of batman-adv, compat version 15.
//!
//! Every header is a packed, unaligned struct that is laid over the received bytes: parsing
//! checks a length, copies nothing and allocates nothing. Multi-byte integers are big endian.
//! Offsets count from the first byte after the Ethernet header.
//!
//! What this crate promises, and what its tests hold it to:
//! - `parse` never panics, whatever the bytes are;
//! - `parse(emit(x)) == x`;
//! - bytes that were accepted emit back unchanged, reserved fields included.
//!
//! The rooms: one file per packet type, [`tvlv`] for what rides inside OGMs and unicast TVLV
//! packets, [`eth`] for the frame around them, [`bla`] for the claim frames on the LAN side, [`arp`],
//! [`nd`], [`dhcp`] and [`ip`] for what services read in client frames,
//! [`Packet`] for "whatever this is", [`pretty`] for the one-line human form, [`pcap`] for
//! capture files. [`crc`] and [`dat`] are the arithmetic that nodes must agree on.
//!
//! ```
//! use packet::unicast::UnicastHeader;
//! use packet::{MacAddr, Packet};
//!
//! let header = UnicastHeader::new(MacAddr([2, 0, 0, 0, 0, 1]), 7);
//! let packet = Packet::Unicast(&header, b"client frame");
//! let mut bytes = [0; 64];
//! let len = packet.emit(&mut bytes)?;
//! assert_eq!(bytes.get(..len).map(Packet::parse), Some(Ok(packet)));
//! # Ok::<(), packet::Error>(())
//! ```
//!
//! Source: protocol notes, "Wire format".
#![no_std]
#![forbid(unsafe_code)]
#![warn(clippy::indexing_slicing)]
#![cfg_attr(test, allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails where it stands"))]

#[cfg(test)]
extern crate std;

pub mod arp;
pub mod bcast;
pub mod bla;
pub mod consts;
pub mod crc;
pub mod dat;
pub mod dhcp;
pub mod elp;
pub mod error;
pub mod eth;
pub mod frag;
pub mod icmp;
pub mod ip;
pub mod mac;
pub mod mcast;
pub mod meshwork;
pub mod nd;
pub mod ogm;
pub mod ogm2;
pub mod packet;
pub mod pcap;
pub mod pretty;
pub mod tvlv;
pub mod unicast;
pub mod verify;

pub use error::Error;
pub use mac::{MacAddr, Vid};
pub use packet::Packet;
pub use pretty::Pretty;

/// Splits a header of type `T` off the front of `bytes`.
pub(crate) fn head<T>(bytes: &[u8]) -> Result<(&T, &[u8]), Error>
where
    T: zerocopy::FromBytes + zerocopy::Unaligned + zerocopy::KnownLayout + zerocopy::Immutable,
{
    T::ref_from_prefix(bytes).map_err(|_| Error::Short { need: size_of::<T>(), have: bytes.len() })
}

/// Splits a writable header of type `T` off the front of `bytes`.
pub(crate) fn head_mut<T>(bytes: &mut [u8]) -> Result<(&mut T, &mut [u8]), Error>
where
    T: zerocopy::FromBytes + zerocopy::IntoBytes + zerocopy::Unaligned + zerocopy::KnownLayout + zerocopy::Immutable,
{
    let have = bytes.len();
    T::mut_from_prefix(bytes).map_err(|_| Error::Short { need: size_of::<T>(), have })
}
