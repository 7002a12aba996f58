//! Sockets, the mesh interface, and the portable data plane between them.

pub mod checksum;
pub mod counters;
pub mod drain;
pub mod filter;
pub mod gates;
pub mod outlet;
pub mod packet_port;
pub mod plane;
pub mod pnet_port;
pub mod pool;
pub mod port;
pub mod tally;
pub mod tap;
pub mod tcp;
pub mod vnet;

pub use counters::{IoCounters, PortCounters};
pub use packet_port::PacketPort;
pub use plane::{PortablePlane, Seen};
pub use pnet_port::PnetPort;
pub use port::Port;
pub use tally::{Tally, Traffic};
pub use tap::Tap;
