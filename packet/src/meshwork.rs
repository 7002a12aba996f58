//! Messages that only Meshwork nodes send and understand, in a number of the unicast class that
//! nobody uses. They go to nodes that announced themselves as Meshwork (see
//! [`crate::tvlv::meshwork`]); a kernel node on the way passes them on unread.
//!
//! ```text
//! off  0   1  type 0x4d
//! off  1   1  version, 15
//! off  2   1  TTL, 50; what arrives with less was forwarded and is not from a neighbour
//! off  3   1  what it says, see [`say`]
//! off  4   6  node that it is for
//! off 10   4  magic "Mwk1", so that another user of the number is not mistaken for us
//! off 14   6  node that says it
//! off 20   2  number that an answer repeats
//! off 22   2  number of entries that follow
//! off 24  10  per entry: originator address (6), metric (4)
//! …           readers ignore the rest: filler of a probe, additions of later versions
//! ```

use crate::consts::{VERSION, packet_type};
use crate::tvlv::MESHWORK_MAGIC;
use crate::unicast::UnicastHeader;
use crate::{Error, MacAddr, head};
use zerocopy::byteorder::network_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// What a message says.
pub mod say {
    /// "My way to these originators broke": do not send me what is for them until I announce them
    /// again. Metrics are zero.
    pub const LOST: u8 = 1;
    /// "I have a way to these originators", with the metric that an OGM of mine would carry now:
    /// transmit quality under B.A.T.M.A.N. IV, throughput under V.
    pub const HAVE: u8 = 2;
    /// "Do my frames reach you?" Never in a message of this type, see [`crate::verify`].
    pub const ASK: u8 = 3;
    /// "They do", the same way.
    pub const ANSWER: u8 = 4;
    /// "My owner waits for the air that we share": hold back what you carry for others, for as many
    /// milliseconds as the number says. No entries.
    pub const YIELD: u8 = 5;
}

/// The 24 bytes that all Meshwork messages begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct MessageHeader {
    /// 0x4d, version and TTL; `ttvn` is what the message says, see [`say`].
    pub unicast: UnicastHeader,
    /// [`MESHWORK_MAGIC`].
    pub magic: [u8; 4],
    /// Node that says it.
    pub src: MacAddr,
    /// Chosen by the sender, repeated in an answer.
    pub number: U16,
    /// Entries that follow.
    pub count: U16,
}
const _: () = assert!(size_of::<MessageHeader>() == MessageHeader::LEN);

/// An originator and a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct Entry {
    /// The originator.
    pub orig: MacAddr,
    /// See [`say`].
    pub metric: U32,
}
const _: () = assert!(size_of::<Entry>() == Entry::LEN);

impl Entry {
    /// Bytes of an entry.
    pub const LEN: usize = 10;
}

impl MessageHeader {
    /// Bytes of the header.
    pub const LEN: usize = 24;

    /// A header as it is sent; `count` entries follow.
    pub fn new(dest: MacAddr, src: MacAddr, ttl: u8, what: u8, number: u16, count: u16) -> Self {
        let unicast = UnicastHeader { packet_type: packet_type::MESHWORK, version: VERSION, ttl, ttvn: what, dest };
        Self { unicast, magic: MESHWORK_MAGIC, src, number: number.into(), count: count.into() }
    }

    /// What it says, see [`say`].
    pub const fn what(&self) -> u8 {
        self.unicast.ttvn
    }

    /// Header and entries.
    ///
    /// # Errors
    /// [`Error::Short`] below 24 bytes, [`Error::Field`] if the magic is not ours,
    /// [`Error::Length`] if the entries do not fit.
    pub fn parse(bytes: &[u8]) -> Result<(&Self, &[Entry]), Error> {
        let (header, rest): (&Self, &[u8]) = head(bytes)?;
        if header.magic != MESHWORK_MAGIC {
            return Err(Error::Field("magic"));
        }
        let found = usize::from(header.count.get()) * Entry::LEN;
        let short = Error::Length { found, allowed: rest.len() };
        let list = rest.get(..found).ok_or(short)?;
        let list = <[Entry]>::ref_from_bytes(list).map_err(|_| short)?;
        Ok((header, list))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn comes_back_as_it_left() {
        let (dest, src) = (MacAddr([2; 6]), MacAddr([4; 6]));
        let header = MessageHeader::new(dest, src, 1, say::HAVE, 0x1234, 2);
        let list = [Entry { orig: src, metric: 7.into() }, Entry { orig: dest, metric: u32::MAX.into() }];
        let mut bytes: Vec<u8> = header.as_bytes().to_vec();
        bytes.extend_from_slice(list.as_bytes());
        assert_eq!(bytes[..4], [0x4d, 15, 1, 2]);
        assert_eq!(&bytes[10..14], b"Mwk1");
        bytes.extend_from_slice(b"filler");
        assert_eq!(MessageHeader::parse(&bytes), Ok((&header, &list[..])));
        assert_eq!(MessageHeader::parse(&bytes).unwrap().0.what(), say::HAVE);
    }

    #[test]
    fn foreign_and_cut_ones_are_refused() {
        let header = MessageHeader::new(MacAddr([2; 6]), MacAddr([4; 6]), 1, say::LOST, 0, 1);
        let mut bytes: Vec<u8> = header.as_bytes().to_vec();
        assert_eq!(MessageHeader::parse(&bytes), Err(Error::Length { found: 10, allowed: 0 }));
        bytes.extend_from_slice(&[0; 10]);
        assert!(MessageHeader::parse(&bytes).is_ok());
        assert!(MessageHeader::parse(&bytes[..23]).is_err());
        bytes[10] = b'X';
        assert_eq!(MessageHeader::parse(&bytes), Err(Error::Field("magic")));
    }
}
