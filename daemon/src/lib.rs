//! The shell around the routing core: sockets, the mesh interface, netlink, and the main loop.
//!
//! [`run`] owns all state and never blocks; everything else turns the kernel into inputs of the
//! core and its outputs into system calls.

pub mod args;
pub mod cli;
pub mod control;
pub mod doctor;
pub mod history;
pub mod home;
pub mod http;
pub mod io;
#[cfg(feature = "lab")]
pub mod lab;
pub mod ledger;
pub mod netlink;
pub mod nl80211;
pub mod privilege;
pub mod radio;
pub mod run;
pub mod setup;
pub mod state;
pub mod sys;
pub mod telemetry;
#[cfg(feature = "ubus")]
pub mod ubus;
pub mod upgrades;
pub mod uplink;
pub mod wan;
