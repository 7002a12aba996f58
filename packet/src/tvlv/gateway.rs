//! Gateway container: the bandwidth that an Internet gateway offers. Source: "Wire format" section 13.1.

use crate::{Error, head};
use zerocopy::byteorder::network_endian::U32;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Version of the layout.
pub const VERSION: u8 = 1;

/// Value of the container, 8 bytes, both in units of 100 kbit/s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct Gateway {
    /// Towards the clients.
    pub down: U32,
    /// Towards the Internet.
    pub up: U32,
}
const _: () = assert!(size_of::<Gateway>() == 8);

impl Gateway {
    /// A value as it is sent; units of 100 kbit/s.
    pub fn new(down: u32, up: u32) -> Self {
        Self { down: down.into(), up: up.into() }
    }

    /// Reads the value of a container.
    ///
    /// # Errors
    /// [`Error::Short`] below 8 bytes: then the sender is no gateway.
    pub fn parse(value: &[u8]) -> Result<&Self, Error> {
        head(value).map(|(gateway, _)| gateway)
    }

    /// True if it offers something in both directions; otherwise the sender is no gateway.
    pub fn is_offer(&self) -> bool {
        self.down.get() != 0 && self.up.get() != 0
    }
}
