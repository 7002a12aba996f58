//! OpenWrt's message bus: the node as an object `meshwork`, so that LuCI, scripts and other packages see it.
//!
//! No C library: ubus is a stream of small binary messages over a unix socket ([`message`]), its values are typed
//! ([`blob`]). What is asked goes to the control socket's own desk, and its JSON is turned into ubus's form
//! ([`value`]), so that both always say the same.
//!
//! ```text
//! ubusd ──INVOKE neighbors──▶ client ──{"ask":"neighbors"}──▶ desk ──▶ main loop
//!       ◀──DATA, STATUS─────         ◀──{"neighbors":[…]}────
//! ```
//! Everything happens in one task beside the main loop, which never waits for it.
//!
//! Source: shared notes on OpenWrt, section 8, checked with the real ubusd.

mod blob;
mod client;
mod message;
mod value;

pub use client::serve;
