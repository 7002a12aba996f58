//! A read-only picture of a node, for people and programs.

use crate::config::{Algorithm, GatewayMode, LinkId};
use crate::counters::Counters;
pub use crate::multicast::Querier;
use crate::time::Duration;
pub use crate::v::rate::RateSource;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;
use packet::{MacAddr, Vid};

/// Everything that status, tables and metrics are made of.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Own originator address, zero while no hard interface is up.
    pub originator: MacAddr,
    /// MAC of the mesh interface.
    pub host_mac: MacAddr,
    /// Routing algorithm that runs.
    pub algorithm: Algorithm,
    /// True if it was chosen by listening, false if it was set.
    pub algorithm_auto: bool,
    /// Neighbours that speak the other algorithm, and how long ago they were heard.
    pub others: Vec<(LinkId, MacAddr, Duration)>,
    /// Own translation table version.
    pub ttvn: u8,
    /// Time since the core started.
    pub uptime: Duration,
    /// Hard interfaces.
    pub links: Vec<LinkView>,
    /// Neighbours on all hard interfaces.
    pub neighbors: Vec<NeighborView>,
    /// Originators, with all neighbours that lead to them.
    pub originators: Vec<OriginatorView>,
    /// Own clients.
    pub local_clients: Vec<LocalClientView>,
    /// Clients of other nodes.
    pub global_clients: Vec<GlobalClientView>,
    /// Addresses of clients as the distributed ARP table and neighbour discovery know them.
    pub addresses: Vec<AddressView>,
    /// Bridge loop avoidance.
    pub bla: BlaView,
    /// Originators that offer Internet.
    pub gateways: Vec<GatewayView>,
    /// What we do about gateways.
    pub gateway_mode: GatewayMode,
    /// What we offer ourselves, down and up, in units of 100 kbit/s.
    pub gateway_announced: Option<(u32, u32)>,
    /// What this node wants of multicast.
    pub multicast: MulticastView,
    /// Counters of the control side; the shell adds those of the data plane.
    pub counters: Counters,
}

/// An address of a client.
#[derive(Debug, Clone)]
pub struct AddressView {
    /// The address.
    pub ip: IpAddr,
    /// Its VLAN.
    pub vid: Vid,
    /// Who has it.
    pub mac: MacAddr,
    /// Time since it was confirmed.
    pub last_seen: Duration,
    /// Others claim it too; no question is answered with it now.
    pub contested: bool,
    /// IPv6: it says that it is a router.
    pub router: bool,
}

/// What this node wants of multicast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MulticastView {
    /// Flags that it announces, see [`packet::tvlv::mcast::flags`].
    pub flags: u8,
    /// It knows who listens; without, it asks for everything.
    pub known: bool,
    /// The mesh interface is the port of a bridge.
    pub bridged: bool,
    /// Who makes IPv4 listeners on the bridge speak up.
    pub querier4: Querier,
    /// The same of IPv6.
    pub querier6: Querier,
}

/// A hard interface.
#[derive(Debug, Clone)]
pub struct LinkView {
    /// Its number.
    pub id: LinkId,
    /// Its name.
    pub name: String,
    /// Its MAC.
    pub mac: MacAddr,
    /// Largest mesh packet it carries.
    pub mtu: usize,
    /// Treated as a radio.
    pub wifi: bool,
    /// Gives the originator address.
    pub primary: bool,
    /// How busy its owner keeps it, sent and received, as others are told: in thousandths.
    pub owner_load: (u32, u32),
    /// Next own OGM sequence number.
    pub seqno: u32,
}

/// A neighbour on a hard interface.
#[derive(Debug, Clone)]
pub struct NeighborView {
    /// Where it is heard.
    pub link: LinkId,
    /// Name of that hard interface.
    pub link_name: String,
    /// Its hard interface address.
    pub addr: MacAddr,
    /// Its originator address, if an OGM told it.
    pub originator: Option<MacAddr>,
    /// Time since it was heard.
    pub last_seen: Duration,
    /// Own OGMs out of the last 64 that it echoed.
    pub echo_count: u8,
    /// Its OGMs out of the last 64 that were heard.
    pub receive_count: u8,
    /// IV: transmit quality of the link itself, 0 to 255.
    pub tq: u8,
    /// V: average throughput of the link, in units of 100 kbit/s; 0 under IV.
    pub throughput: u32,
    /// V: where that comes from.
    pub rate_source: RateSource,
    /// V: time between its hellos, as it says; zero under IV.
    pub elp_interval: Duration,
    /// It runs Meshwork.
    pub meshwork: bool,
    /// It was left because it fell silent, and was not heard since.
    pub dead: bool,
    /// It missed more of its own rhythm than losses explain, by a chance of one in a thousand: probably gone.
    pub quiet: bool,
    /// Originators that frames do not reach through it.
    pub distrust: Vec<DistrustView>,
}

/// An originator that frames do not reach through a neighbour that announces a way there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DistrustView {
    /// The originator.
    pub orig: MacAddr,
    /// Time since that was found.
    pub since: Duration,
    /// Questions through the neighbour in a row that were not answered then.
    pub lost: u32,
    /// The neighbour through which the same originator answered.
    pub other: MacAddr,
    /// Questions that went another way ...
    pub other_asked: u32,
    /// ... and how many of them were answered.
    pub other_answered: u32,
    /// How many of the last 16 questions through it were answered; its way is worth as many
    /// sixteenths of its metric.
    pub share: u8,
}

/// An originator.
#[derive(Debug, Clone)]
pub struct OriginatorView {
    /// Its address.
    pub addr: MacAddr,
    /// Time since it was heard of.
    pub last_seen: Duration,
    /// Best next hop first, then the alternatives, in the default table.
    pub paths: Vec<PathView>,
    /// Version of its translation table.
    pub ttvn: u8,
    /// Number of its clients.
    pub clients: usize,
    /// Multicast flags that it announces, with what they imply; `None` if it says nothing of
    /// multicast.
    pub multicast: Option<u8>,
    /// It runs Meshwork.
    pub meshwork: bool,
    /// What it told of itself last, and how long ago.
    pub facts: Option<(crate::facts::Known, Duration)>,
}

/// One neighbour that leads to an originator.
#[derive(Debug, Clone)]
pub struct PathView {
    /// The neighbour.
    pub neigh: MacAddr,
    /// The hard interface it is heard on.
    pub link: LinkId,
    /// Name of that hard interface.
    pub link_name: String,
    /// IV: average transmit quality of the way, 0 to 255; 0 under V.
    pub tq: u8,
    /// V: throughput of the way, in units of 100 kbit/s; 0 under IV.
    pub throughput: u32,
    /// Packets go this way.
    pub best: bool,
    /// Frames get lost beyond the neighbour: its metric is worth so many sixteenths of what it was.
    pub share: Option<u8>,
}

/// Bridge loop avoidance.
#[derive(Debug, Clone, Default)]
pub struct BlaView {
    /// There is a LAN to take care of: it is switched on, and the mesh interface is bridged.
    pub active: bool,
    /// Group of gateways that share the LAN.
    pub group: u16,
    /// Time since a loop was last found, and its VLAN.
    pub last_loop: Option<(Duration, Vid)>,
    /// Who handles which client.
    pub claims: Vec<ClaimView>,
    /// Gateways of the LAN, ourselves first.
    pub backbones: Vec<BackboneView>,
}

/// A client of the mesh and its gateway.
#[derive(Debug, Clone)]
pub struct ClaimView {
    /// The client.
    pub client: MacAddr,
    /// Its VLAN.
    pub vid: Vid,
    /// Who handles it.
    pub gateway: MacAddr,
    /// That is us.
    pub own: bool,
    /// Time since it was used, or since its gateway said so.
    pub last_used: Duration,
    /// Checksum of all claims of that gateway.
    pub crc: u16,
}

/// A gateway of our LAN, in one VLAN.
#[derive(Debug, Clone)]
pub struct BackboneView {
    /// Its originator address.
    pub gateway: MacAddr,
    /// The VLAN.
    pub vid: Vid,
    /// That is us.
    pub own: bool,
    /// Time since it was heard.
    pub last_seen: Duration,
    /// Checksum of its claims.
    pub crc: u16,
    /// Number of its claims.
    pub claims: usize,
    /// We know all its claims; nothing is blocked because of it.
    pub synced: bool,
    /// It was waited for too long, and is not any more.
    pub distrusted: bool,
    /// Ourselves: time until frames for groups pass.
    pub wait: Option<Duration>,
}

/// An originator that offers Internet.
#[derive(Debug, Clone)]
pub struct GatewayView {
    /// Its address.
    pub addr: MacAddr,
    /// DHCP of own clients goes there.
    pub selected: bool,
    /// The way there, `None` without one.
    pub path: Option<PathView>,
    /// Offered towards clients, in units of 100 kbit/s.
    pub down: u32,
    /// Offered towards the Internet, in units of 100 kbit/s.
    pub up: u32,
    /// It may be chosen.
    pub allowed: bool,
    /// It was heard of as often as usual.
    pub fresh: bool,
    /// Time since it was heard of.
    pub last_seen: Duration,
}

/// An own client.
#[derive(Debug, Clone)]
pub struct LocalClientView {
    /// Its MAC.
    pub addr: MacAddr,
    /// Its VLAN.
    pub vid: Vid,
    /// Time since it was heard; zero for permanent ones.
    pub last_seen: Duration,
    /// Never aged out.
    pub permanent: bool,
    /// Not announced yet.
    pub new: bool,
    /// Removal not announced yet.
    pub pending: bool,
    /// Moved to another node.
    pub roamed: bool,
    /// Wi-Fi client.
    pub wifi: bool,
    /// Isolated client.
    pub isolated: bool,
    /// CRC of its VLAN.
    pub crc: u32,
}

/// A client of another node.
#[derive(Debug, Clone)]
pub struct GlobalClientView {
    /// Its MAC.
    pub addr: MacAddr,
    /// Its VLAN.
    pub vid: Vid,
    /// An originator that serves it.
    pub originator: MacAddr,
    /// The originator that packets go to.
    pub best: bool,
    /// Table version with which it was learned.
    pub ttvn: u8,
    /// Current table version of the originator.
    pub last_ttvn: u8,
    /// CRC of its VLAN at the originator.
    pub crc: u32,
    /// Moved on.
    pub roaming: bool,
    /// Learned from a packet, not announced yet.
    pub temporary: bool,
    /// Wi-Fi client.
    pub wifi: bool,
    /// Isolated client.
    pub isolated: bool,
}
