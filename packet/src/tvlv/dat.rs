//! Distributed ARP table container: its presence says that the originator takes part, its value
//! is empty. Source: "Wire format" section 13.2.

use super::{Container, kind};

/// Version of the layout.
pub const VERSION: u8 = 1;

/// The container as it is sent.
pub const CONTAINER: Container<'static> = Container { kind: kind::DAT, version: VERSION, value: &[] };

/// True if the container announces the capability; bytes in the value are ignored.
pub const fn announces(container: &Container<'_>) -> bool {
    container.kind == kind::DAT && container.version == VERSION
}
