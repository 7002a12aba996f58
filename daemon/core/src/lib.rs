//! The routing core of Meshwork: B.A.T.M.A.N. as a pure state machine.
//!
//! No clock, no socket, no thread, no tokio: time, randomness and frames come in as arguments,
//! and the same seed and inputs give the same outputs, byte for byte. So a thousand nodes run in
//! one test and every bug replays.
//!
//! Two halves with the forwarding table between them:
//! - [`Mesh`] is the control side. It learns originators, routes and clients, floods, answers
//!   requests, and publishes [`FibChange`]s.
//! - [`Plane`] is the hot path. It decides about client frames and packets in transit by the
//!   [`Fib`] alone and leaves the rest to the control side.
//!
//! A shell drains [`Mesh::poll_output`] after every [`Mesh::handle`], then sleeps until
//! [`Mesh::poll_timeout`]; early ticks do nothing. [`drive`] does the draining.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub(crate) mod alarm;
pub(crate) mod auto;
pub(crate) mod bla;
pub(crate) mod bond;
pub mod book;
pub mod border;
pub(crate) mod client;
pub mod config;
pub mod counters;
pub(crate) mod dat;
pub mod facts;
pub mod fib;
pub(crate) mod flood;
pub mod fragment;
pub mod frame;
pub(crate) mod gateway;
pub mod host;
pub(crate) mod icmp;
pub mod invariants;
pub(crate) mod isolation;
pub mod iv;
pub(crate) mod link;
pub mod mesh;
pub(crate) mod meter;
pub mod multicast;
pub(crate) mod neighbor;
pub(crate) mod originator;
pub mod plane;
pub mod queue;
pub(crate) mod react;
pub mod rng;
pub(crate) mod share;
pub mod snapshot;
pub mod snoop;
pub mod sorted;
pub mod time;
pub(crate) mod tt;
pub(crate) mod tvlvs;
pub(crate) mod v;
pub(crate) mod verify;
pub(crate) mod view;
pub mod wan;
pub mod window;

pub use border::{
    DataPlane, Echo, EchoAnswer, Event, GatewayNews, Input, LineNews, Meter, MeterEnd, MeterReport, Output,
};
pub use config::{
    Algorithm, Caps, Choice, GatewayConfig, GatewayMode, LinkConfig, LinkId, LinkSpeed, Measure, MeshConfig, Publish,
    Seqnos, Station,
};
pub use counters::{Count, Counters, Drop};
pub use fib::{Fib, FibChange};
pub use frame::Frame;
pub use host::{Behind, HostInfo};
pub use mesh::{Mesh, drive};
pub use multicast::Listeners;
pub use plane::{Plane, PlaneSink};
pub use share::OwnerUse;
pub use snapshot::Snapshot;
pub use time::{Duration, Instant};
