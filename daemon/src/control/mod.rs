//! The control socket: how commands and programs ask a running node.
//!
//! A unix stream socket. Each line from the asker is one [`Request`], each line back one
//! [`Response`], both JSON objects:
//!
//! ```text
//! → {"format":1,"ask":"originators"}
//! ← {"format":1,"node":{"version":"0.1.0","mesh_ifname":"mesh0",...},"originators":[{...},...]}
//! → {"format":1,"id":7,"ask":{"translate":{"address":"02:00:00:00:00:05"}}}
//! ← {"format":1,"id":7,"error":"no node of the mesh has the client 02:00:00:00:00:05"}
//! ```
//!
//! `format` is [`protocol::FORMAT`]; a request with another number is refused. Within a format
//! keys are only added. Answers come in the order of the requests; after `events` the node sends
//! a line for each event until the asker closes.
//!
//! The main loop never waits for an asker: the server has a bounded number of them, bounded
//! lines, and closes those that do not read.

pub mod client;
pub mod history;
pub mod json;
pub mod protocol;
pub mod request;
pub mod server;
pub mod socket;
pub mod view;

pub use client::Client;
pub use protocol::{Ask, FORMAT, Request, Response};
pub use server::{About, Server};
pub use socket::ControlSocket;
