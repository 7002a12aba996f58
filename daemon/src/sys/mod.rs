//! The only unsafe code of the project: system calls that no crate in use wraps.
//!
//! What goes in and out is borrowed descriptors, slices and [`mesh_core::Frame`]s; no raw pointer
//! leaves this folder.
#![allow(unsafe_code, reason = "system calls that neither nix nor socket2 wraps; kept in one place")]

pub mod clock;
pub mod ethtool;
pub mod fault;
#[cfg(feature = "lab")]
pub mod lab;
pub mod mmsg;
pub mod netlink;
pub mod packet;
pub mod ready;
pub mod tun;
