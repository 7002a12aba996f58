//! Requests and responses, and the JSON form of everything that a node shows.
//!
//! Keys of lists are those of batctl's JSON where it has them (`uapi/linux/batman_adv.h`), so that
//! scripts go on working. As there, a mark that is off (`best`, `active`) is left out. What batctl
//! does not have is added behind.

use super::json::{objects, words};
use mesh_core::sorted::SortedMap;
use packet::MacAddr;
use serde::{Serialize, Serializer};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Version of the whole protocol. Keys are added without raising it.
pub const FORMAT: u32 = 1;

/// Longest line that a node reads, in bytes.
pub const MAX_REQUEST: usize = 4096;

/// One line from the asker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// [`FORMAT`].
    pub format: u32,
    /// Comes back in the response; 0 is left out.
    pub id: u64,
    /// What is asked.
    pub ask: Ask,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// [`Response::status`].
    Status,
    /// [`Response::mesh`].
    Mesh,
    /// [`Response::interfaces`].
    Interfaces,
    /// [`Response::neighbors`].
    Neighbors,
    /// [`Response::originators`].
    Originators,
    /// [`Response::local_clients`] and [`Response::global_clients`].
    Clients,
    /// [`Response::dat_cache`] and [`Response::nd_cache`].
    Dat,
    /// [`Response::bla_claims`] and [`Response::bla_backbones`].
    Bla,
    /// [`Response::gateways`].
    Gateways,
    /// [`Response::multicast`] and [`Response::mcast_flags`].
    Multicast,
    /// [`Response::statistics`].
    Statistics,
    /// [`Response::history`].
    History {
        /// A neighbour, by its own or its originator address; `None` for the node itself.
        of: Option<Mac>,
        /// `hour`, `days` or `month`.
        scale: String,
    },
    /// [`Response::share`].
    Share,
    /// [`Response::translation`].
    Translate {
        /// An originator, a hard interface of a neighbour, or a client.
        address: Mac,
    },
    /// [`Response::echo`]; missing there if no answer came in time.
    Echo {
        /// The originator asked.
        address: Mac,
        /// TTL of the request.
        ttl: u8,
        /// Counts requests.
        seqno: u16,
        /// Have every hop write its address down.
        record_route: bool,
        /// How long to wait, at most [`MAX_ECHO_WAIT_MSECS`].
        timeout_msecs: u64,
    },
    /// [`Response::throughput`], a line once a second and one at the end. Whatever the asker says
    /// meanwhile stops the test; so does leaving.
    Throughput {
        /// The originator that receives.
        address: Mac,
        /// How long, at most [`MAX_TEST_MSECS`].
        test_msecs: u64,
    },
    /// [`Response::event`], line after line.
    Events,
}

/// Longest wait for the answer to an echo request.
pub const MAX_ECHO_WAIT_MSECS: u64 = 60_000;

/// Longest throughput test.
pub const MAX_TEST_MSECS: u64 = 3_600_000;

/// One line from the node. Exactly what was asked for is there, beside `node`; or `error`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Response {
    /// [`FORMAT`].
    pub format: u32,
    /// As in the request; 0 is left out.
    pub id: u64,
    /// Why there is no answer, a sentence.
    pub error: Option<String>,
    /// Who answers.
    pub node: Option<Node>,
    /// The node on one page.
    pub status: Option<Status>,
    /// Settings of the mesh.
    pub mesh: Option<MeshView>,
    /// Hard interfaces, those that cannot be used included.
    pub interfaces: Option<Vec<Interface>>,
    /// Who is heard directly.
    pub neighbors: Option<Vec<Neighbor>>,
    /// One entry for each way to each originator.
    pub originators: Option<Vec<Originator>>,
    /// Own clients.
    pub local_clients: Option<Vec<LocalClient>>,
    /// Clients of other nodes.
    pub global_clients: Option<Vec<GlobalClient>>,
    /// IPv4 addresses of clients.
    pub dat_cache: Option<Vec<DatEntry>>,
    /// IPv6 addresses of clients.
    pub nd_cache: Option<Vec<NdEntry>>,
    /// Who handles which client on our LAN.
    pub bla_claims: Option<Vec<BlaClaim>>,
    /// Nodes on our LAN.
    pub bla_backbones: Option<Vec<BlaBackbone>>,
    /// Who offers Internet.
    pub gateways: Option<Vec<Gateway>>,
    /// The line to the Internet that this node shares; with [`Ask::Gateways`].
    pub line: Option<LineView>,
    /// What this node gives to others and gets from them.
    pub share: Option<ShareView>,
    /// What this node wants of multicast.
    pub multicast: Option<Multicast>,
    /// What other nodes want of multicast; batctl's `mcast_flags_json`.
    pub mcast_flags: Option<Vec<McastOriginator>>,
    /// Counters.
    pub statistics: Option<Statistics>,
    /// How it was.
    pub history: Option<HistoryView>,
    /// Where an address is.
    pub translation: Option<Translation>,
    /// Answer to an echo request.
    pub echo: Option<EchoView>,
    /// How far a throughput test has come.
    pub throughput: Option<ThroughputView>,
    /// Something that happened.
    pub event: Option<EventView>,
}

/// Who answers; what batctl prints in the header line.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Program version.
    pub version: String,
    /// `BATMAN_IV`.
    pub algo_name: String,
    /// Name of the mesh interface.
    pub mesh_ifname: String,
    /// Its MAC.
    pub mesh_address: Mac,
    /// Name of the primary hard interface, missing while there is none.
    pub hard_ifname: Option<String>,
    /// Its MAC, which is the originator address.
    pub hard_address: Option<Mac>,
    /// Own translation table version.
    pub tt_ttvn: u8,
}

/// The node on one page.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// Process id.
    pub pid: u32,
    /// Time since the node started.
    pub uptime_msecs: u64,
    /// Resident memory, 0 where the system does not tell.
    pub rss_bytes: u64,
    /// MTU of the mesh interface.
    pub mesh_mtu: u32,
    /// The routing algorithm was chosen by listening, not set.
    pub algo_auto: bool,
    /// Number of neighbours.
    pub neighbors: usize,
    /// Number of originators with a way there.
    pub originators: usize,
    /// Number of own clients.
    pub local_clients: usize,
    /// Number of clients of other nodes.
    pub global_clients: usize,
    /// The configuration.
    pub config: ConfigView,
    /// Hard interfaces.
    pub interfaces: Vec<Interface>,
    /// What happened in the last quarter of an hour that somebody should look at, oldest first.
    pub alarms: Vec<EventView>,
    /// The line to the Internet that this node shares, missing without one.
    pub line: Option<LineView>,
    /// Counters.
    pub statistics: Statistics,
}

/// Where the configuration comes from and how the last reload went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConfigView {
    /// The file, missing when the node runs without.
    pub file: Option<String>,
    /// What of it was passed over because it makes no sense, one sentence each; OpenWrt's configuration only.
    pub complaints: Vec<String>,
    /// The last reload, missing before the first.
    pub reload: Option<Reload>,
}

/// A reload of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reload {
    /// Seconds since 1970.
    pub at: u64,
    /// What changed, one sentence each.
    pub changes: Vec<String>,
    /// Why nothing changed: the node goes on as before.
    pub error: Option<String>,
}

/// Settings of the mesh; the answer of batctl's `mesh_json`. What this node does not have is off.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own in batctl's answer too")]
pub struct MeshView {
    /// Who.
    pub node: Node,
    /// Own OGMs are collected.
    pub aggregated_ogms_enabled: bool,
    /// Clients are kept apart.
    pub ap_isolation_enabled: bool,
    /// Several links to one neighbour are used at once.
    pub bonding_enabled: bool,
    /// Loops over bridged networks are cut.
    pub bridge_loop_avoidance_enabled: bool,
    /// ARP is answered from a table.
    pub distributed_arp_table_enabled: bool,
    /// Packets are cut to the link.
    pub fragmentation_enabled: bool,
    /// `off`, `client` or `server`.
    pub gw_mode: String,
    /// Offered towards clients as a server, in units of 100 kbit/s.
    pub gw_bandwidth_down: u32,
    /// Offered towards the Internet as a server, in units of 100 kbit/s.
    pub gw_bandwidth_up: u32,
    /// Selection class of the algorithm that runs.
    pub gw_sel_class: u32,
    /// A server that offers nothing now because its own Internet does not work.
    pub gw_withdrawn: bool,
    /// Taken off the transmit quality per hop.
    pub hop_penalty: u8,
    /// What this node wants of multicast.
    pub mcast_flags: McastFlags,
    /// Why it wants that.
    pub mcast_flags_priv: McastFlagsPriv,
    /// Multicast frames are flooded.
    pub multicast_forceflood_enabled: bool,
    /// Most receivers of a multicast frame that get a copy each.
    pub multicast_fanout: usize,
    /// Time between own OGMs in ms.
    pub orig_interval: u32,
    /// Extra link-sensing OGMs.
    pub fast_start_enabled: bool,
}

/// A hard interface.
#[derive(Debug, Clone, PartialEq)]
pub struct Interface {
    /// Name of the mesh interface.
    pub mesh_ifname: String,
    /// Its name.
    pub hard_ifname: String,
    /// Its MAC, missing when it is not used.
    pub hard_address: Option<Mac>,
    /// It is used.
    pub active: bool,
    /// Penalty of what comes in here, missing when it is not used.
    pub hop_penalty: Option<u8>,
    /// Largest mesh packet it carries.
    pub mtu: Option<usize>,
    /// It counts as a radio.
    pub wifi: bool,
    /// Share of the time that its channel is busy, in percent, where the driver measures it.
    pub channel_busy_percent: Option<u8>,
    /// It gives the originator address.
    pub primary: bool,
    /// Frames that wait in front of it now.
    pub waiting: usize,
    /// What left by it, by class (`control`, `owner`, `guest`, `relay`): `frames` and `bytes` that left, frames dropped
    /// because they waited too long (`late`) or for want of room (`full`), how many were marked instead of dropped
    /// (`marked`, ECN), and how long those that left waited in all
    /// (`waited_us`).
    pub classes: SortedMap<String, SortedMap<String, u64>>,
    /// Why it is not used.
    pub reason: Option<String>,
}

/// A neighbour on a hard interface.
#[derive(Debug, Clone, PartialEq)]
pub struct Neighbor {
    /// Where it is heard.
    pub hard_ifname: String,
    /// Time since it was heard.
    pub last_seen_msecs: u64,
    /// Its hard interface address.
    pub neigh_address: Mac,
    /// Its originator address, if known.
    pub orig_address: Option<Mac>,
    /// IV: transmit quality of the link, 0 to 255.
    pub tq: Option<u8>,
    /// V: throughput of the link in kbit/s.
    pub throughput: Option<u64>,
    /// V: where that comes from: `assumed`, `configured`, `expected`, `bitrate`, `wire`, `measured`, `gone`.
    pub throughput_source: Option<String>,
    /// Own OGMs out of the last 64 that it echoed.
    pub echo_count: u8,
    /// Its OGMs out of the last 64 that were heard.
    pub receive_count: u8,
    /// It runs Meshwork.
    pub meshwork: bool,
    /// Nodes that frames do not reach through it although it announces a way.
    pub distrusted: Vec<Distrusted>,
}

/// A node that frames do not reach through a neighbour.
#[derive(Debug, Clone, PartialEq)]
pub struct Distrusted {
    /// The node.
    pub orig_address: Mac,
    /// Time since that was found.
    pub since_msecs: u64,
    /// Questions through the neighbour in a row, none of them answered, that showed it.
    pub lost: u32,
    /// The neighbour through which the same node answered.
    pub other_address: Mac,
    /// Questions that went another way at the time ...
    pub other_asked: u32,
    /// ... and how many of them were answered.
    pub other_answered: u32,
    /// How many of the last 16 questions were answered; the way is worth as many sixteenths.
    pub share: u8,
}

/// A way to an originator.
#[derive(Debug, Clone, PartialEq)]
pub struct Originator {
    /// Hard interface that the way leaves by.
    pub hard_ifname: String,
    /// The originator.
    pub orig_address: Mac,
    /// The way in use.
    pub best: bool,
    /// Time since the originator was heard of.
    pub last_seen_msecs: u64,
    /// Next hop.
    pub neigh_address: Mac,
    /// IV: transmit quality, 0 to 255.
    pub tq: Option<u8>,
    /// V: throughput in kbit/s.
    pub throughput: Option<u64>,
    /// Version of its translation table.
    pub tt_ttvn: u8,
    /// Number of its clients.
    pub clients: usize,
    /// It runs Meshwork.
    pub meshwork: bool,
    /// Frames get lost beyond the next hop: the metric is so many sixteenths of what it was.
    pub share: Option<u8>,
}

/// An originator that offers Internet.
#[derive(Debug, Clone, PartialEq)]
pub struct Gateway {
    /// System's index of the hard interface, missing without a way or when the interface just went.
    pub hard_ifindex: Option<u32>,
    /// Hard interface that the way leaves by, missing without a way.
    pub hard_ifname: Option<String>,
    /// The gateway.
    pub orig_address: Mac,
    /// DHCP of own clients goes there.
    pub best: bool,
    /// IV: transmit quality of the way, 0 to 255.
    pub tq: Option<u8>,
    /// V: throughput of the way, in units of 100 kbit/s.
    pub throughput: Option<u32>,
    /// Next hop, missing without a way.
    pub router: Option<Mac>,
    /// Offered towards clients, in units of 100 kbit/s.
    pub bandwidth_down: u32,
    /// Offered towards the Internet, in units of 100 kbit/s.
    pub bandwidth_up: u32,
    /// Time since it was heard of.
    pub last_seen_msecs: u64,
    /// It was heard of less often than usual, so that another one is preferred.
    pub silent: bool,
    /// The settings do not allow it.
    pub forbidden: bool,
}

/// The line to the Internet that this node shares: guests get what its owner leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineView {
    /// Its interface.
    pub ifname: String,
    /// From the Internet.
    pub down: LineWay,
    /// Towards it.
    pub up: LineWay,
    /// Who is asked how long its queues are.
    pub asked: Vec<Ipv4Addr>,
    /// Those tell the directions apart.
    pub split: bool,
    /// Somebody else decides what goes out by the interface, with this queueing discipline.
    pub qdisc: Option<String>,
}

/// One direction of a shared line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineWay {
    /// What it can carry, missing while that is not known.
    pub line_kbits: Option<u64>,
    /// What guests may have now.
    pub allowed_kbits: u64,
    /// What they have.
    pub guests_kbits: u64,
    /// What the owner has.
    pub owner_kbits: Option<u64>,
    /// `free`, `full` or, while nobody answers, `blind`.
    pub state: String,
    /// How long packets wait in its queue, missing while nobody answers.
    pub waits_usecs: Option<u32>,
    /// Guests' frames that wait in this node.
    pub waiting: usize,
    /// Guests' frames that this node dropped, as they waited too long or too many did.
    pub dropped: u64,
}

/// What a node announces to want of multicast. Keys as in batctl.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a key of its own in batctl's answer too")]
pub struct McastFlags {
    /// All frames that listeners need not ask for.
    pub all_unsnoopables: bool,
    /// All frames of IPv4.
    pub want_all_ipv4: bool,
    /// All frames of IPv6.
    pub want_all_ipv6: bool,
    /// It has no multicast router of IPv4.
    pub want_no_rtr_ipv4: bool,
    /// It has no multicast router of IPv6.
    pub want_no_rtr_ipv6: bool,
    /// It passes on packets with a list of receivers.
    pub have_mc_ptype_capa: bool,
    /// The byte on the wire.
    pub raw: u32,
}

/// What this node knows of the bridge above its mesh interface. Keys as in batctl.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a key of its own in batctl's answer too")]
pub struct McastFlagsPriv {
    /// There is one.
    pub bridged: bool,
    /// Somebody makes IPv4 listeners there speak up.
    pub querier_ipv4_exists: bool,
    /// The same for IPv6.
    pub querier_ipv6_exists: bool,
    /// Reports of IPv4 listeners go another way and not by here.
    pub querier_ipv4_shadowing: bool,
    /// The same for IPv6.
    pub querier_ipv6_shadowing: bool,
    /// All of it as one number, from bit 0 on in this order.
    pub raw: u32,
}

/// What this node wants of multicast, and how it sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Multicast {
    /// What it announces.
    pub mcast_flags: McastFlags,
    /// Why.
    pub mcast_flags_priv: McastFlagsPriv,
    /// It cannot know who listens, and so asks for everything.
    pub listeners_unknown: bool,
    /// It floods all multicast frames of its own clients.
    pub multicast_forceflood_enabled: bool,
    /// Most receivers of a frame that get a copy each.
    pub multicast_fanout: usize,
}

/// What another node wants of multicast.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct McastOriginator {
    /// Who.
    pub orig_address: Mac,
    /// Missing if it says nothing of multicast: then it gets everything.
    pub mcast_flags: Option<McastFlags>,
}

/// An own client.
#[derive(Debug, Clone, PartialEq)]
pub struct LocalClient {
    /// Its MAC.
    pub tt_address: Mac,
    /// CRC of its VLAN.
    pub tt_crc32: u32,
    /// Its VLAN, -1 without.
    pub tt_vid: i32,
    /// Marks.
    pub tt_flags: ClientFlags,
    /// Time since it was heard, missing for permanent ones.
    pub last_seen_msecs: Option<u64>,
}

/// A client of another node.
#[derive(Debug, Clone, PartialEq)]
pub struct GlobalClient {
    /// A node that it is at.
    pub orig_address: Mac,
    /// Its MAC.
    pub tt_address: Mac,
    /// Table version with which it was learned.
    pub tt_ttvn: u8,
    /// Current table version of the node.
    pub tt_last_ttvn: u8,
    /// CRC of its VLAN there.
    pub tt_crc32: u32,
    /// Its VLAN, -1 without.
    pub tt_vid: i32,
    /// Marks.
    pub tt_flags: ClientFlags,
    /// Packets go to this node.
    pub best: bool,
}

/// An IPv4 address in the distributed ARP table.
#[derive(Debug, Clone, PartialEq)]
pub struct DatEntry {
    /// Time since it was confirmed.
    pub last_seen_msecs: u64,
    /// The address.
    pub dat_cache_ip4address: Ipv4Addr,
    /// Who has it.
    pub dat_cache_hwaddress: Mac,
    /// Its VLAN, -1 without.
    pub dat_cache_vid: i32,
    /// Several stations claim it; nobody is answered with it for now.
    pub contested: bool,
}

/// An IPv6 address that neighbour discovery told.
#[derive(Debug, Clone, PartialEq)]
pub struct NdEntry {
    /// Time since it was confirmed.
    pub last_seen_msecs: u64,
    /// The address.
    pub nd_cache_ip6address: Ipv6Addr,
    /// Who has it.
    pub nd_cache_hwaddress: Mac,
    /// Its VLAN, -1 without.
    pub nd_cache_vid: i32,
    /// It says that it is a router.
    pub router: bool,
    /// Several stations claim it; nobody is answered with it for now.
    pub contested: bool,
}

/// A client of the mesh, and the node that handles it for our LAN.
#[derive(Debug, Clone, PartialEq)]
pub struct BlaClaim {
    /// The client.
    pub bla_address: Mac,
    /// Its VLAN, -1 without.
    pub bla_vid: i32,
    /// The node, by originator address.
    pub bla_backbone: Mac,
    /// Checksum of all claims of that node.
    pub bla_crc: u16,
    /// That is us.
    pub bla_own: bool,
}

/// A node on our LAN, in one VLAN.
#[derive(Debug, Clone, PartialEq)]
pub struct BlaBackbone {
    /// The node, by originator address.
    pub bla_backbone: Mac,
    /// The VLAN, -1 without.
    pub bla_vid: i32,
    /// Checksum of its claims.
    pub bla_crc: u16,
    /// That is us.
    pub bla_own: bool,
    /// Time since it was heard.
    pub last_seen_msecs: u64,
    /// Number of its claims.
    pub claims: usize,
    /// Nothing is blocked because of it.
    pub synced: bool,
    /// It was waited for too long.
    pub distrusted: bool,
    /// Ourselves: time until broadcasts pass.
    pub wait_msecs: Option<u64>,
}

/// Marks of a client.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a bit of the protocol and a key of batctl's JSON")]
pub struct ClientFlags {
    /// Removed; never shown by this node.
    pub del: bool,
    /// Moved to another node.
    pub roam: bool,
    /// Wi-Fi client.
    pub wifi: bool,
    /// Isolated.
    pub isolated: bool,
    /// Never aged out.
    pub nopurge: bool,
    /// Not announced yet.
    pub new: bool,
    /// Removal not announced yet.
    pub pending: bool,
    /// Learned from a packet, not announced yet.
    pub temp: bool,
    /// All of them as the kernel numbers them.
    pub raw: u32,
}

/// Counters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Statistics {
    /// What the node did; names of `batctl statistics` where it has them.
    pub counters: SortedMap<String, u64>,
    /// Frames that went no further, by reason. Reasons that never occurred are there with 0.
    pub drops: SortedMap<String, u64>,
    /// Sockets of hard interfaces and the mesh interface, by name.
    pub interfaces: SortedMap<String, SortedMap<String, u64>>,
    /// Frames lost between data plane and control side because too many came at once.
    pub punts_lost: u64,
}

/// Where an address is.
#[derive(Debug, Clone, PartialEq)]
pub struct Translation {
    /// What was asked for.
    pub address: Mac,
    /// What it is.
    pub kind: AddressKind,
    /// The node that it belongs to.
    pub orig_address: Mac,
}

/// What an address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressKind {
    /// The asked node itself, or one of its own clients.
    Own,
    /// An originator.
    Originator,
    /// A hard interface of a neighbour that is not its originator address.
    Neighbor,
    /// A client of another node.
    Client,
}

/// Answer to an echo request.
#[derive(Debug, Clone, PartialEq)]
pub struct EchoView {
    /// Who answered.
    pub orig_address: Mac,
    /// As in the request.
    pub seqno: u16,
    /// TTL left in the answer.
    pub ttl: u8,
    /// The request's TTL ran out there.
    pub ttl_exceeded: bool,
    /// Time between request and answer in µs.
    pub rtt_usecs: u64,
    /// Hops written down, in order.
    pub route: Vec<Mac>,
}

/// How far a throughput test has come, or how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThroughputView {
    /// Who receives.
    pub orig_address: Mac,
    /// Time since the start.
    pub elapsed_msecs: u64,
    /// Bytes that the receiver acknowledged.
    pub bytes: u64,
    /// Times that something was sent again.
    pub repeated: u64,
    /// How it ended: `complete`, `cancelled`, `unreachable`, `already_ongoing`, `cannot_send` or
    /// `too_many_sessions`; missing while it runs.
    pub result: Option<String>,
    /// The kernel's number for that.
    pub code: Option<u8>,
}

/// How it was: one list for each figure, all of the same length, oldest first. What is not known is `null`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HistoryView {
    /// Neighbour that it is about; missing for the node itself.
    pub of: Option<Mac>,
    /// Hard interface on which the neighbour is heard.
    pub hard_ifname: Option<String>,
    /// `hour`, `days` or `month`.
    pub scale: String,
    /// Time between two points.
    pub step_msecs: u64,
    /// Time since the newest point.
    pub newest_msecs: u64,
    /// IV: share of messages that reach the neighbour, in percent.
    pub to_percent: Vec<Option<u64>>,
    /// IV: share of its messages that reach this node, in percent.
    pub from_percent: Vec<Option<u64>>,
    /// V: throughput of the link in kbit/s.
    pub throughput: Vec<Option<u64>>,
    /// To and from own clients.
    pub owner_bytes_per_second: Vec<Option<u64>>,
    /// Sent for others.
    pub relay_bytes_per_second: Vec<Option<u64>>,
    /// What is left, in kbit/s.
    pub spare: Vec<Option<u64>>,
    /// Ways that changed during the step; for a neighbour those that it gained or lost.
    pub route_changes: Vec<Option<u64>>,
    /// What there is a history of.
    pub series: Vec<SeriesView>,
}

/// Something there is a history of.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesView {
    /// The neighbour; missing for the node itself.
    pub neigh_address: Option<Mac>,
    /// Its originator address, if known.
    pub orig_address: Option<Mac>,
    /// Hard interface on which it is heard.
    pub hard_ifname: Option<String>,
    /// Time since it was there.
    pub last_seen_msecs: u64,
}

/// What this node gives to others and gets from them. Bytes are those of mesh frames, all headers included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareView {
    /// What the settings give: `all`, `off` or a share like `80%`.
    pub give: String,
    /// What holds now.
    pub give_now: String,
    /// Why it is less than the settings give: `hours` or `budget`.
    pub why: Option<String>,
    /// Bytes that may be given in a month.
    pub budget_bytes: Option<u64>,
    /// Bytes given this month: carried for others, and sent for guests.
    pub month_bytes: u64,
    /// Days, oldest first; the last is today or the last one that the node ran.
    pub days: Vec<ShareDay>,
    /// By month and node; missing for those who may not see it.
    pub nodes: Option<Vec<ShareNode>>,
    /// How busy the owner keeps hard interfaces; missing for those who may not see it.
    pub owner: Option<Vec<ShareLink>>,
}

/// How busy the owner keeps a hard interface, in thousandths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareLink {
    /// Its name.
    pub hard_ifname: String,
    /// Of its time for sending, as others are told: ways through here are announced as so much worse.
    pub told_sent: u32,
    /// Of its time for receiving.
    pub told_received: u32,
    /// Of a radio's time, what passed beside the mesh in the last second: a home network on the same radio.
    pub beside: Option<u32>,
}

/// A day of the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareDay {
    /// `2026-11-23`, by the machine's clock.
    pub date: String,
    /// Sent for other nodes: what came from one and went on to another.
    pub carried_bytes: u64,
    /// Sent for guests of this node.
    pub guest_bytes: u64,
    /// Sent for the owner; like all that tells of the owner, missing for those who may not see it.
    pub sent_bytes: Option<u64>,
    /// Came here to stay.
    pub received_bytes: Option<u64>,
    /// Of what was sent from here, what a neighbour carried on.
    pub used_sent_bytes: Option<u64>,
    /// Of what came here, what a neighbour had carried on.
    pub used_received_bytes: Option<u64>,
    /// What hard interfaces could have sent beyond all that, where it is known how fast they are.
    pub spare_bytes: u64,
    /// How long the node ran.
    pub running_secs: u64,
}

/// A month's account with one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareNode {
    /// `2026-11`.
    pub month: String,
    /// Its originator address; missing for all that are not told apart.
    pub orig_address: Option<Mac>,
    /// It is heard directly now.
    pub neighbor: bool,
    /// Carried for it: it sent them, or a gateway sent them to it.
    pub carried_bytes: u64,
    /// It handed them to us as a neighbour, and we carried them on.
    pub handed_bytes: u64,
    /// It carried them on for us as a neighbour, both ways.
    pub used_bytes: u64,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub struct EventView {
    /// What: `neighbor_new`, `neighbor_gone`, `neighbor_silent`, `neighbor_back`,
    /// `not_forwarding`, `forwards_again`,
    /// `originator_new`, `originator_gone`,
    /// `client_roamed`, `address_flip`, `other_algorithm`, `table_full`, `no_link`, `backbone_new`,
    /// `backbone_gone`, `backbone_distrusted`, `loop_detected`, `address_twice`,
    /// `metric_implausible`, `client_contested`, `other`.
    pub what: String,
    /// Milliseconds since 1970.
    pub at_msecs: u64,
    /// Hard interface.
    pub hard_ifname: Option<String>,
    /// Neighbour.
    pub neigh_address: Option<Mac>,
    /// Originator.
    pub orig_address: Option<Mac>,
    /// Client.
    pub tt_address: Option<Mac>,
    /// VLAN of the client, -1 without.
    pub tt_vid: Option<i32>,
    /// The client moved to this node.
    pub to_us: Option<bool>,
    /// Name of a table.
    pub table: Option<String>,
    /// Routing algorithm, `BATMAN_IV` or `BATMAN_V`.
    pub algo_name: Option<String>,
    /// Originator that was in use before.
    pub orig_before: Option<Mac>,
    /// Offered towards clients, in units of 100 kbit/s.
    pub bandwidth_down: Option<u32>,
    /// Offered towards the Internet, in units of 100 kbit/s.
    pub bandwidth_up: Option<u32>,
    /// Why it happened.
    pub why: Option<String>,
    /// IP address that two stations claim.
    pub ip_address: Option<IpAddr>,
    /// Client that had it before; the one that claims it is `tt_address`.
    pub old_tt_address: Option<Mac>,
    /// The old one was silent and is given up.
    pub replaced: Option<bool>,
    /// The other node's claim to a client was not believed.
    pub refused: Option<bool>,
    /// Questions through the neighbour in a row that were not answered.
    pub lost: Option<u32>,
    /// Neighbour through which the same originator answered.
    pub other_address: Option<Mac>,
    /// Questions that went another way ...
    pub other_asked: Option<u32>,
    /// ... and how many of them were answered.
    pub other_answered: Option<u32>,
}

impl Response {
    /// A response that says why there is none.
    pub fn error(text: impl Into<String>) -> Self {
        Self { format: FORMAT, error: Some(text.into()), ..Self::default() }
    }
}

objects! {
    Response { format, id "?", error, node, status, mesh, interfaces, neighbors, originators, local_clients, global_clients, dat_cache, nd_cache, bla_claims, bla_backbones, gateways, line, share, multicast, mcast_flags, statistics, history, translation, echo, throughput, event }
    Node { version, algo_name, mesh_ifname, mesh_address, hard_ifname, hard_address, tt_ttvn }
    Status { pid, uptime_msecs, rss_bytes, mesh_mtu, algo_auto "?", neighbors, originators, local_clients, global_clients, config, interfaces, alarms "?", line, statistics }
    ConfigView { file, complaints "?", reload }
    Reload { at, changes "?", error }
    MeshView { node "*", aggregated_ogms_enabled, ap_isolation_enabled, bonding_enabled, bridge_loop_avoidance_enabled, distributed_arp_table_enabled, fragmentation_enabled, gw_mode, gw_bandwidth_down, gw_bandwidth_up, gw_sel_class, gw_withdrawn "?", hop_penalty, mcast_flags, mcast_flags_priv, multicast_forceflood_enabled, multicast_fanout, orig_interval, fast_start_enabled }
    Interface { mesh_ifname, hard_ifname, hard_address, active "?", hop_penalty, mtu, wifi "?", channel_busy_percent, primary "?", waiting "?", classes "?", reason }
    Neighbor { hard_ifname, last_seen_msecs, neigh_address, orig_address, tq, throughput, throughput_source, echo_count, receive_count, meshwork "?", distrusted "?" }
    Distrusted { orig_address, since_msecs, lost, other_address, other_asked, other_answered, share }
    Originator { hard_ifname, orig_address, best "?", last_seen_msecs, neigh_address, tq, throughput, tt_ttvn, clients, meshwork "?", share }
    Gateway { hard_ifindex, hard_ifname, orig_address, best "?", tq, throughput, router, bandwidth_down, bandwidth_up, last_seen_msecs, silent "?", forbidden "?" }
    LineView { ifname, down, up, asked, split "?", qdisc }
    LineWay { line_kbits, allowed_kbits, guests_kbits, owner_kbits, state, waits_usecs, waiting, dropped }
    McastFlags { all_unsnoopables, want_all_ipv4, want_all_ipv6, want_no_rtr_ipv4, want_no_rtr_ipv6, have_mc_ptype_capa, raw }
    McastFlagsPriv { bridged, querier_ipv4_exists, querier_ipv6_exists, querier_ipv4_shadowing, querier_ipv6_shadowing, raw }
    Multicast { mcast_flags, mcast_flags_priv, listeners_unknown "?", multicast_forceflood_enabled, multicast_fanout }
    McastOriginator { orig_address, mcast_flags }
    LocalClient { tt_address, tt_crc32, tt_vid, tt_flags, last_seen_msecs }
    GlobalClient { orig_address, tt_address, tt_ttvn, tt_last_ttvn, tt_crc32, tt_vid, tt_flags, best "?" }
    DatEntry { last_seen_msecs, dat_cache_ip4address, dat_cache_hwaddress, dat_cache_vid, contested "?" }
    NdEntry { last_seen_msecs, nd_cache_ip6address, nd_cache_hwaddress, nd_cache_vid, router "?", contested "?" }
    BlaClaim { bla_address, bla_vid, bla_backbone, bla_crc, bla_own }
    BlaBackbone { bla_backbone, bla_vid, bla_crc, bla_own, last_seen_msecs, claims, synced, distrusted "?", wait_msecs }
    ClientFlags { del, roam, wifi, isolated, nopurge, new, pending, temp, raw }
    Statistics { counters, drops, interfaces, punts_lost }
    HistoryView { of, hard_ifname, scale, step_msecs, newest_msecs, to_percent, from_percent, throughput, owner_bytes_per_second "?", relay_bytes_per_second "?", spare "?", route_changes, series }
    SeriesView { neigh_address, orig_address, hard_ifname, last_seen_msecs }
    Translation { address, kind, orig_address }
    EchoView { orig_address, seqno, ttl, ttl_exceeded "?", rtt_usecs, route "?" }
    ThroughputView { orig_address, elapsed_msecs, bytes, repeated, result, code }
    ShareView { give, give_now, why, budget_bytes, month_bytes, days, nodes, owner }
    ShareLink { hard_ifname, told_sent, told_received, beside }
    ShareDay { date, carried_bytes, guest_bytes, sent_bytes, received_bytes, used_sent_bytes, used_received_bytes, spare_bytes, running_secs }
    ShareNode { month, orig_address, neighbor "?", carried_bytes, handed_bytes, used_bytes }
    EventView { what, at_msecs, hard_ifname, neigh_address, orig_address, tt_address, tt_vid, to_us, table, algo_name, orig_before, bandwidth_down, bandwidth_up, why, ip_address, old_tt_address, replaced, refused, lost, other_address, other_asked, other_answered }
}

words!(AddressKind, Own { Own "own", Originator "originator", Neighbor "neighbor", Client "client" });

/// A MAC address that is text in JSON.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub MacAddr);

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Mac {
    type Err = packet::mac::BadMac;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl Serialize for Mac {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&self.0)
    }
}
