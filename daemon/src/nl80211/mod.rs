//! What the drivers of radios say, and what they are told: nl80211.
//!
//! Pure readers of attributes beside the few requests that need them. Units are the kernel's;
//! every field says which. Source: linux/nl80211.h.

pub mod consts;
pub mod interface;
pub mod news;
pub mod station;

pub use interface::{RadioInterface, radio_below};
pub use news::{News, RadioNews};
pub use station::{PeerState, StationInfo};

use crate::netlink::GenericSocket;
use std::io;

/// A socket for requests to the drivers of radios.
///
/// # Errors
/// `NotFound` where the kernel has no Wi-Fi.
pub fn open() -> io::Result<GenericSocket> {
    GenericSocket::open("nl80211")
}
