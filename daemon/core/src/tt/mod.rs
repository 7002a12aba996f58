//! The translation table: which client is behind which originator.
//!
//! [`local`] holds our own clients and what of them is announced, [`global`] everybody else's.
//! `own` are the
//! addresses of the node itself, `receive` follows announcements, `request` asks for and gives whole tables, `roam` handles
//! clients that move. Source: protocol notes, "Translation table".

pub(crate) mod global;
pub(crate) mod local;
mod own;
mod receive;
mod request;
mod roam;

pub(crate) use request::Request;
pub(crate) use roam::RoamLimit;

use packet::{MacAddr, Vid};

/// A client: its address and VLAN.
pub(crate) type Key = (MacAddr, Vid);
