//! The status endpoint: the mesh as this node sees it, over HTTP, for browsers and programs. It only shows; nothing
//! can be changed through it.
//!
//! ```text
//!                      ┌─ connection ─┐            at most once a second
//!  127.0.0.1:4305 ─────┤              ├──▶ Site ──── Snapshot ────▶ main loop
//!  [fe80::…%mesh0] ────┤  one task    │     │
//!  mesh0.http (unix) ──┤  each        │     └ bodies, made once per picture for all readers
//!                      └──────────────┘
//! ```
//! It lives on a thread of its own without any rights, so that neither a slow reader nor a long table ever delays a
//! frame. What it holds is bounded: connections, bytes per head, bytes of all bodies, time for everything.
//!
//! The protocol is a small part of HTTP/1.1: GET and HEAD without a body. The crate `httparse` takes heads apart;
//! hyper would do the same and cost 148 kB of flash instead of 4 (x86-64, size profile).

mod answer;
mod events;
mod json;
mod maps;
mod metrics;
mod netjson;
mod page;
mod places;
mod privacy;
mod request;
mod respondd;
mod server;
mod site;

pub use server::{MAX_CONNECTIONS, Server, socket_path};
