//! The I/O shell against the real kernel: packet sockets, the mesh interface, netlink, and a whole
//! node, each test in a network namespace of its own.
//!
//! Needs root; without it every test says so and passes, except in CI, where it fails.

#![allow(clippy::unwrap_used, reason = "in a test, that is a failed test")]

mod link;
mod mesh_interface;
mod node;
mod port;
mod world;
