//! Deterministic simulator of Meshwork: many nodes of the real routing core in virtual time.
//!
//! One thread, no clock, no randomness but from the seed: the same seed gives the same frames on
//! the air, byte for byte. A figure that changed shows as a diff in `snapshots/`; a failure names
//! its seed, and `SIM_SEED` plays it again.
//!
//! ```text
//!   host (ARP, TCP)   light client        oracle: follows forwarding tables, compares with truth
//!          \           /                    |
//!        mesh interface                     |
//!     node: Mesh + Plane of the core  <-----+
//!          hard interfaces
//!              |  stations
//!        medium: wire (a channel per direction) or radio (shared air)
//! ```
//!
//! - [`world::World`] owns everything and the queue of events; [`plan::Plan`] builds it from a
//!   [`topology`] graph.
//! - [`medium`], [`channel`]: loss, bursts, delay, rate, half-duplex air, hidden stations.
//! - [`client`], [`host`]: who sends; [`oracle`], [`traffic`]: who looks.
//! - [`record`]: what one node was told and did, in files, and again.
//! - [`figures`]: the tables that the tests hold to their bars.
#![forbid(unsafe_code)]

pub mod channel;
pub mod client;
pub mod figures;
pub mod host;
pub mod medium;
pub mod motion;
pub mod node;
pub mod oracle;
pub mod plan;
pub mod record;
pub mod report;
pub mod topology;
pub mod traffic;
pub mod world;

pub use channel::{Loss, Quality};
pub use plan::Plan;
pub use world::World;
