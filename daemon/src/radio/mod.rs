//! Bringing radios into a mesh: mesh points of 802.11s, and ad-hoc networks.
//!
//! ```text
//!  [[radio]] ──▶ keeper (a thread) ──▶ up: checks, then makes the interface and joins
//!                     │                 └── supplicant: wpa_supplicant, for SAE
//!                     └── at the end: as it was found
//! ```
//! A radio that another service owns is left alone, and a channel on which it serves an access
//! point, or is a client of one, stays as it is.

pub mod discover;
pub mod keeper;
pub mod listen;
pub mod owner;
pub mod plan;
mod supplicant;
pub mod up;

pub use keeper::{Keeper, RadioState};
pub use plan::Wanted;
