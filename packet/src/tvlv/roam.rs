//! Roaming advertisement: "this client is with me now". Source: "Wire format" section 13.4.

use crate::{Error, MacAddr, head};
use zerocopy::byteorder::network_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Value of the container, 8 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct Roam {
    /// The client that moved.
    pub client: MacAddr,
    /// Its VLAN as on the wire, see [`crate::Vid::from_wire`].
    pub vid: U16,
}
const _: () = assert!(size_of::<Roam>() == 8);

impl Roam {
    /// Reads the value of a container.
    ///
    /// # Errors
    /// [`Error::Short`] below 8 bytes.
    pub fn parse(value: &[u8]) -> Result<&Self, Error> {
        head(value).map(|(roam, _)| roam)
    }
}
