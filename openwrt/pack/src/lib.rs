//! Writes Meshwork's packages: .ipk and .apk for OpenWrt, .deb for Debian, the same bytes every time.
//!
//! Nothing but this program is needed: neither a package manager nor a build root.

mod adb;
pub mod apk;
mod archive;
mod control;
pub mod deb;
pub mod feed;
pub mod ipk;
pub mod manifest;
pub mod offer;
mod openwrt;
pub mod package;
pub mod sign;
pub mod tree;
pub mod usign;
