//! Our own container: what only Meshwork nodes understand. Kernel nodes skip it unread and carry
//! it along in OGMs, so it reaches every node of the mesh.
//!
//! ```text
//! off 0  4  magic "Mwk1", so that another user of the number is not mistaken for us
//! off 4  2  flags, see below
//! off 6  …  facts, now and then, see `facts`; a reader that does not know them ignores them
//! ```

use super::MESHWORK_MAGIC;
use crate::{Error, head};
use zerocopy::byteorder::network_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Version of the layout.
pub const VERSION: u8 = 1;

/// The node's island is about to run B.A.T.M.A.N. IV.
pub const FOLLOW_IV: u16 = 0x0001;
/// The node's island is about to run B.A.T.M.A.N. V.
pub const FOLLOW_V: u16 = 0x0002;
/// The node follows its neighbours from one algorithm to the other.
pub const AUTO: u16 = 0x0004;

/// Value of the container, 6 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct Meshwork {
    /// [`MESHWORK_MAGIC`].
    pub magic: [u8; 4],
    /// [`FOLLOW_IV`] and so on; what is not defined is zero when sent and ignored when received.
    pub flags: U16,
}
const _: () = assert!(size_of::<Meshwork>() == 6);

impl Meshwork {
    /// A value as it is sent.
    pub fn new(flags: u16) -> Self {
        Self { magic: MESHWORK_MAGIC, flags: flags.into() }
    }

    /// Reads the value of a container.
    ///
    /// # Errors
    /// [`Error::Short`] below 6 bytes, [`Error::Field`] if the magic is not ours.
    pub fn parse(value: &[u8]) -> Result<&Self, Error> {
        let (meshwork, _): (&Self, _) = head(value)?;
        if meshwork.magic == MESHWORK_MAGIC { Ok(meshwork) } else { Err(Error::Field("magic")) }
    }
}
