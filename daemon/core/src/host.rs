//! What the shell tells about the host's side of the mesh interface.

use crate::sorted::SortedMap;
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
    /// Stations on the bridge of which there is more to say, in all VLANs.
    pub marked: SortedMap<MacAddr, Behind>,
}

/// The bridge port that a station is behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Behind {
    /// It is a radio.
    pub wifi: bool,
    /// The bridge keeps it from other isolated ports.
    pub isolated: bool,
    /// Who is there is a guest, not the owner of this node.
    pub guest: bool,
}
