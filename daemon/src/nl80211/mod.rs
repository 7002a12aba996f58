//! What the drivers of radios say, and what they are told: nl80211.
//!
//! Pure readers of attributes beside the few requests that need them. Units are the kernel's;
//! every field says which. Source: linux/nl80211.h.

pub mod air;
pub mod channel;
pub mod consts;
pub mod interface;
pub mod network;
pub mod news;
pub mod regulatory;
pub mod scan;
pub mod station;
pub mod survey;
pub mod wiphy;

pub use channel::Channel;
pub use interface::{Kind, RadioInterface, radio_below};
pub use news::{News, RadioNews};
pub use scan::Bss;
pub use station::{PeerState, StationInfo};
pub use wiphy::Wiphy;

use crate::netlink::GenericSocket;
use std::io;

/// A socket for requests to the drivers of radios.
///
/// # Errors
/// `NotFound` where the kernel has no Wi-Fi.
pub fn open() -> io::Result<GenericSocket> {
    GenericSocket::open("nl80211")
}
