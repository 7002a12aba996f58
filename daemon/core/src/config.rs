//! Settings of the core, already checked by whoever fills them in.

use crate::time::Duration;
use packet::MacAddr;

/// Number of a hard interface, chosen by the shell; small and stable while the interface lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u8);

/// Most hard interfaces of one node.
pub const MAX_LINKS: usize = 32;

/// Settings of a node. Defaults are the kernel module's where it has the setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeshConfig {
    /// MAC of the mesh interface; the node's own permanent client.
    pub host_mac: MacAddr,
    /// Time between own OGMs; at least 40 ms.
    pub orig_interval: Duration,
    /// Subtracted per hop from the transmit quality, of 255.
    pub hop_penalty: u8,
    /// Collect OGMs for up to 100 ms into one frame.
    pub aggregation: bool,
    /// Cut packets that do not fit a link.
    pub fragmentation: bool,
    /// Extra link-sensing OGMs at start and for new neighbours, among Meshwork nodes only.
    pub fast_start: bool,
    /// Clients behind this node are marked as Wi-Fi clients.
    pub wifi_clients: bool,
    /// Upper bounds of all tables.
    pub caps: Caps,
}

/// Upper bounds of all tables; what happens at the bound is said at each table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caps {
    /// Originators, own interfaces of other nodes included.
    pub originators: usize,
    /// Neighbours per hard interface.
    pub neighbors: usize,
    /// Clients of other nodes, all together.
    pub clients: usize,
    /// Clients of one other node.
    pub clients_per_originator: usize,
    /// Own clients; the protocol's own limit of a 20160-byte table comes on top.
    pub local_clients: usize,
    /// VLANs with own clients.
    pub vlans: usize,
    /// Bytes of all incomplete fragments.
    pub fragment_bytes: usize,
}

impl Default for Caps {
    fn default() -> Self {
        Self {
            originators: 2048,
            neighbors: 256,
            clients: 16384,
            clients_per_originator: 2048,
            local_clients: 1600,
            vlans: 32,
            fragment_bytes: 512 * 1024,
        }
    }
}

impl MeshConfig {
    /// The defaults for a node whose mesh interface has this MAC.
    pub fn new(host_mac: MacAddr) -> Self {
        Self {
            host_mac,
            orig_interval: Duration::from_millis(1000),
            hop_penalty: 30,
            aggregation: true,
            fragmentation: true,
            fast_start: true,
            wifi_clients: false,
            caps: Caps::default(),
        }
    }
}

/// A hard interface as the shell sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkConfig {
    /// Its name, for people.
    pub name: alloc::string::String,
    /// Its MAC.
    pub mac: MacAddr,
    /// Largest mesh packet it carries, Ethernet header excluded.
    pub mtu: usize,
    /// A radio: half-duplex penalty, broadcasts sent three times.
    pub wifi: bool,
    /// Extra penalty for what comes in here, of 255.
    pub hop_penalty: u8,
}

/// Sequence numbers that survive a restart, so that peers do not take it for a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seqnos {
    /// First OGM sequence number of every hard interface.
    pub ogm: u32,
    /// Last broadcast sequence number used.
    pub bcast: u32,
}
