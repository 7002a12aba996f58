//! The shell around the routing core: sockets, the mesh interface, netlink, and the main loop.
//!
//! [`run`] owns all state and never blocks; everything else turns the kernel into inputs of the
//! core and its outputs into system calls.

pub mod io;
pub mod run;
