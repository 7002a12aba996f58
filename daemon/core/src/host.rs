//! What the shell tells about the host's side of the mesh interface.

use alloc::vec::Vec;
use packet::{MacAddr, Vid};

/// The system around the mesh interface. Told at start and whenever any of it changed; the default is
/// a mesh interface with nothing on it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HostInfo {
    /// The mesh interface, or a VLAN on it, is a port of a bridge: a LAN is behind it, and other nodes
    /// may be on that LAN.
    pub bridged: bool,
    /// Address and number of each VLAN on the mesh interface.
    pub vlans: Vec<(MacAddr, Vid)>,
}
