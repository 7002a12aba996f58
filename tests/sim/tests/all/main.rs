//! The bars that a mesh of many nodes has to clear, and the snapshots of its figures.
//!
//! `SIM_SEED=n` plays everything with another seed, `SIM_ACCEPT=1` writes snapshots and
//! recordings anew, `SIM_STORMS=n` plays more random stories.
#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

mod auto;
mod facts;
mod figures;
mod hole;
mod leaves;
mod recordings;
mod share;
mod storms;
mod world;
