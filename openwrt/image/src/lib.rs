//! Makes firmware images with Meshwork in them: drives an ImageBuilder of OpenWrt that is already on disk.
//!
//! Nothing is asked from the network, unless the caller allows it. Everything that can be known before the builder
//! runs is checked before: its checksum, its version and target, the packages, the community file, the room.

pub mod builder;
pub mod community;
pub mod devices;
pub mod inside;
pub mod legal;
pub mod room;
pub mod shelf;
