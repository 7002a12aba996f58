//! Settings of the core, already checked by whoever fills them in.

use crate::time::Duration;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use packet::{MacAddr, Vid};

/// Number of a hard interface, chosen by the shell; small and stable while the interface lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u8);

/// Most hard interfaces of one node.
pub const MAX_LINKS: usize = 32;

/// Which routing algorithm a node is to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// Listen, and follow the neighbours; alone, V.
    Auto,
    /// This one.
    Fixed(Algorithm),
}

/// A routing algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// B.A.T.M.A.N. IV: counts OGMs, the metric is the transmit quality.
    Iv,
    /// B.A.T.M.A.N. V: the metric is the throughput.
    V,
}

impl Algorithm {
    /// The name people know it by, `IV` or `V`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Iv => "IV",
            Self::V => "V",
        }
    }

    /// The other one.
    pub const fn other(self) -> Self {
        match self {
            Self::Iv => Self::V,
            Self::V => Self::Iv,
        }
    }
}

/// What a node tells of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Publish {
    /// Its name, at most 24 bytes; empty to tell none.
    pub name: String,
    /// Version of the program, at most 12 bytes; empty to tell none.
    pub version: String,
}

/// Settings of a node. Defaults are the kernel module's where it has the setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeshConfig {
    /// MAC of the mesh interface; the node's own permanent client.
    pub host_mac: MacAddr,
    /// Which routing algorithm to run.
    pub algorithm: Choice,
    /// Tell other Meshwork nodes what we are, in a container that kernel nodes carry unread. Without
    /// it nothing that only Meshwork nodes understand is sent, link sensing aside.
    pub extensions: bool,
    /// Tell all Meshwork nodes who we are and our neighbours; `None` to tell nothing. Needs `extensions`.
    pub publish: Option<Box<Publish>>,
    /// Find neighbours that announce ways and do not forward. Needs `extensions`.
    pub verify_forwarding: bool,
    /// V: time between two hellos (ELP) on an interface; at least 20 ms.
    pub elp_interval: Duration,
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
    /// Take part in the distributed ARP table.
    pub dat: bool,
    /// Use links that are about as good as the best one in turn.
    pub bonding: bool,
    /// Keep clients apart that have the same mark, Wi-Fi or isolated.
    pub ap_isolation: bool,
    /// The VLANs in which they are kept apart; in all of them if none is named.
    pub isolation_vlans: Vec<Vid>,
    /// Clients behind this node are marked as isolated.
    pub isolated_clients: bool,
    /// Answer throughput tests of other nodes.
    pub meter: bool,
    /// Take care that no frame goes round where several nodes share a LAN; sleeps while the mesh
    /// interface is no port of a bridge.
    pub bridge_loop_avoidance: bool,
    /// Internet for others, or from others.
    pub gateway: GatewayConfig,
    /// Flood all multicast frames, whoever wants them.
    pub multicast_forceflood: bool,
    /// Stations that are here or nowhere: no other node can take them over.
    pub protected_clients: alloc::vec::Vec<MacAddr>,
    /// Most receivers that a multicast frame is sent to one by one, where it cannot be sent as one
    /// packet with a list; beyond it is flooded.
    pub multicast_fanout: usize,
    /// Upper bounds of all tables.
    pub caps: Caps,
}

/// What a node does about gateways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GatewayMode {
    /// Nothing.
    Off,
    /// Choose one; DHCP of own clients goes there.
    Client,
    /// Be one.
    Server,
}

impl GatewayMode {
    /// The word for it, `batctl`'s.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

/// Internet for others, or from others. Bandwidths in units of 100 kbit/s.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayConfig {
    /// What to do.
    pub mode: GatewayMode,
    /// Offered towards clients, as a server.
    pub down: u32,
    /// Offered towards the Internet, as a server.
    pub up: u32,
    /// Selection class of B.A.T.M.A.N. IV: 1 looks at the bandwidth too and stays, 2 stays, 3 moves
    /// to any better one, more moves to one that is better by so much transmit quality.
    pub class: u8,
    /// V: move to a gateway that gives so much more throughput.
    pub advantage: u32,
    /// The only gateways to choose from, by originator; all where it is empty.
    pub allowed: alloc::vec::Vec<MacAddr>,
    /// Offers beyond this are not believed.
    pub plausible: u32,
    /// As a client: router advertisements only from behind the selected gateway.
    pub steer_routers: bool,
    /// Own clients do not configure others, and others ours: DHCP answers and router advertisements pass from
    /// gateways only.
    pub guard: bool,
}

impl Default for GatewayConfig {
    fn default() -> Self {
        Self {
            mode: GatewayMode::Off,
            down: 100,
            up: 20,
            class: 20,
            advantage: 50,
            allowed: alloc::vec::Vec::new(),
            plausible: 100_000,
            steer_routers: true,
            guard: false,
        }
    }
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
    /// Addresses in the ARP cache, and as many in that of neighbour discovery.
    pub addresses: usize,
    /// Clients claimed by gateways of our LAN, ourselves included; one gateway has at most half.
    pub claims: usize,
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
            addresses: 4096,
            claims: 8192,
            fragment_bytes: 512 * 1024,
        }
    }
}

impl MeshConfig {
    /// The defaults for a node whose mesh interface has this MAC.
    pub fn new(host_mac: MacAddr) -> Self {
        Self {
            host_mac,
            algorithm: Choice::Fixed(Algorithm::Iv),
            extensions: true,
            publish: None,
            verify_forwarding: true,
            elp_interval: Duration::from_millis(500),
            orig_interval: Duration::from_millis(1000),
            hop_penalty: 30,
            aggregation: true,
            fragmentation: true,
            fast_start: true,
            wifi_clients: false,
            dat: true,
            bonding: false,
            ap_isolation: false,
            isolation_vlans: Vec::new(),
            isolated_clients: false,
            meter: true,
            bridge_loop_avoidance: true,
            gateway: GatewayConfig::default(),
            multicast_forceflood: false,
            protected_clients: alloc::vec::Vec::new(),
            multicast_fanout: 16,
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
    /// V: throughput of every link here as configured, in units of 100 kbit/s; `None` to find out.
    pub throughput: Option<u32>,
    /// V: whether we measure how fast links are.
    pub measure: Measure,
    /// How often a broadcast is sent here; `None` for the usual number, three on radios and one
    /// elsewhere.
    pub broadcast_copies: Option<u8>,
}

/// Whether we measure how fast links are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Measure {
    /// Where neither configuration nor driver tell.
    #[default]
    Blind,
    /// Also where the driver tells; then the measurement holds.
    Always,
    /// No.
    Never,
}

/// What the system says about the speed of a wired hard interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkSpeed {
    /// In units of 100 kbit/s; `None` where the driver does not tell.
    pub throughput: Option<u32>,
    /// Sends and receives at the same time.
    pub full_duplex: bool,
}

/// What the driver of a radio says about a neighbour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Station {
    /// Its rates. Source: "B.A.T.M.A.N. V" section 2.
    Rate {
        /// Throughput that the driver expects for payload, in units of 100 kbit/s.
        expected: Option<u32>,
        /// Rate of the last frame sent, in units of 100 kbit/s.
        tx_bitrate: Option<u32>,
    },
    /// The driver lost it: no station of that address is there any more.
    Gone,
    /// Frames to it were not acknowledged, so many since this was said last.
    Failed(u32),
}

/// Sequence numbers that survive a restart, so that peers do not take it for a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seqnos {
    /// First OGM sequence number of every hard interface.
    pub ogm: u32,
    /// Last broadcast sequence number used.
    pub bcast: u32,
    /// The algorithm that ran, to begin with where it is chosen by listening.
    pub algorithm: Option<Algorithm>,
}
