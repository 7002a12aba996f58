//! Sockets, the mesh interface, and the portable data plane between them.

pub mod counters;

pub use counters::{IoCounters, PortCounters};
