//! The tables: what the mesh does in worlds that everybody can build again.
//!
//! Every figure runs at [`SEEDS`] seeds and gives a value that tests hold to its bar, and a table
//! for people.

pub mod convergence;
pub mod cut;
pub mod cuts;
pub mod distance;
pub mod flood;
pub mod fragments;
pub mod hosts;
pub mod loss;
pub mod lossy;
pub mod mobility;
pub mod radio;
pub mod restart;
pub mod roaming;
pub mod storm;

use crate::report::Table;

/// Seeds of every figure.
pub const SEEDS: u64 = 5;

/// The seeds that follow from the first one.
pub fn seeds(first: u64) -> impl Iterator<Item = u64> {
    first..first + SEEDS
}

/// Makes one of the tables from the first of its seeds.
pub type Maker = fn(u64) -> Table;

/// All tables by name.
pub const ALL: &[(&str, Maker)] = &[
    ("convergence", |seed| convergence::measure(seed).1),
    ("distance", |seed| distance::measure(seed).1),
    ("cut", |seed| cut::measure(seed).1),
    ("cuts", |seed| cuts::measure(seed).1),
    ("roaming", |seed| roaming::measure(seed).1),
    ("restart", |seed| restart::measure(seed).1),
    ("loss", |seed| loss::measure(seed).1),
    ("lossy", |seed| lossy::measure(seed).1),
    ("radio", |seed| radio::measure(seed).1),
    ("flood", |seed| flood::measure(seed).1),
    ("hosts", |seed| hosts::measure(seed).1),
    ("fragments", |seed| fragments::measure(seed).1),
    ("mobility", |seed| mobility::measure(seed).1),
];
