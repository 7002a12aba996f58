//! Multicast capability container: which multicast frames an originator wants to see.
//! Source: "Wire format" section 13.5.

use crate::{Error, head};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Version of the layout; version 1 is from before 2016.3 and ignored.
pub const VERSION: u8 = 2;

/// Flags of the value.
pub mod flags {
    /// Wants all of 224.0.0.0/24 and ff02::1.
    pub const WANT_ALL_UNSNOOPABLES: u8 = 0x01;
    /// Wants every IPv4 multicast frame.
    pub const WANT_ALL_IPV4: u8 = 0x02;
    /// Wants every IPv6 multicast frame.
    pub const WANT_ALL_IPV6: u8 = 0x04;
    /// Has no IPv4 multicast router. The sense is inverted: 0 attracts all routable multicast.
    pub const WANT_NO_RTR4: u8 = 0x08;
    /// Has no IPv6 multicast router.
    pub const WANT_NO_RTR6: u8 = 0x10;
    /// Understands packet type 0x05, and all its hard interfaces carry 1280 bytes.
    pub const HAVE_MC_PTYPE_CAPA: u8 = 0x20;
}

/// Value of the container, 4 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct McastCapability {
    /// See [`flags`].
    pub flags: u8,
    /// Zero when sent, ignored when received.
    pub reserved: [u8; 3],
}
const _: () = assert!(size_of::<McastCapability>() == 4);

impl McastCapability {
    /// A value as it is sent.
    pub const fn new(flags: u8) -> Self {
        Self { flags, reserved: [0; 3] }
    }

    /// Reads the value of a version 2 container.
    ///
    /// # Errors
    /// [`Error::Short`] below 4 bytes.
    pub fn parse(value: &[u8]) -> Result<&Self, Error> {
        head(value).map(|(capability, _)| capability)
    }
}
