//! Hostile messages: a test for each row of the protocol notes' "Pitfalls", part B. All of them
//! stand in a mesh that works, go on for a while, and end in the question whether it still works.
//!
//! Rows that have their test elsewhere: 10 in `src/dat/tests.rs` (forged answers, ARP and leases,
//! floods of addresses, each with its event), 11 and a part of 12 in `tests/bla.rs` (forged
//! checksums, claims of strangers), 16 in `tests/multicast.rs` (long lists of receivers).
#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

#[path = "../chain/mod.rs"]
mod chain;
#[path = "../lan/mod.rs"]
mod lan;
#[path = "../side/mod.rs"]
mod side;

mod attacker;
mod clients;
mod courtesy;
mod losses;
mod parsers;
mod routes;
mod services;
