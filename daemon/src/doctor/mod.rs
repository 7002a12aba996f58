//! What is wrong with a node, in plain words, worst first.
//!
//! ```text
//! gather ──▶ Facts ──▶ check ──▶ Report
//! ```
//! [`gather`] asks the running node, the kernel and the air, with or without a node, a
//! configuration or rights; it changes nothing and sends nothing. [`check`] is pure: every finding
//! has a test that makes up the facts it comes from.

pub mod check;
pub mod facts;
pub mod finding;
pub mod gather;

pub use check::examine;
pub use facts::Facts;
pub use finding::{Finding, Report, Severity};
