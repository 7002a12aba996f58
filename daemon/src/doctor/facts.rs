//! What the doctor knows. Plain values, so that every finding can be tested from made-up ones.

use crate::netlink::LinkTable;
use crate::nl80211::Kind;
use mesh_core::sorted::{SortedMap, SortedSet};
use packet::MacAddr;
use std::net::IpAddr;
use std::time::Duration;

/// Everything that was found out.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Name of the mesh interface.
    pub mesh: String,
    /// For how long the air was listened to; zero for not at all.
    pub listened: Duration,
    /// The node that runs, or why there is no answer.
    pub node: Node,
    /// The configuration file.
    pub config: Config,
    /// Rights of the doctor itself.
    pub rights: Rights,
    /// What the kernel offers.
    pub kernel: Kernel,
    /// All interfaces of the machine.
    pub links: LinkTable,
    /// Names of the hard interfaces that are looked at.
    pub wanted: Vec<String>,
    /// Hard interfaces that count as radios.
    pub radios: SortedSet<String>,
    /// Radios that are switched off, with "a switch on the device" or "software".
    pub switched_off: Vec<(String, &'static str)>,
    /// Radios under the hard interfaces, as their drivers tell.
    pub radio: Vec<Radio>,
    /// What was heard, one for each hard interface that was listened on.
    pub air: Vec<Air>,
    /// Hard interfaces that could not be listened on, with the reason.
    pub deaf: Vec<(String, String)>,
    /// Packet filters.
    pub firewall: Firewall,
    /// IP addresses of all interfaces.
    pub addresses: Vec<Address>,
    /// Switches of the kernel.
    pub switches: Switches,
    /// The clock.
    pub clock: Clock,
    /// Memory that programs can still get, in bytes, where the system tells.
    pub memory_available: Option<u64>,
}

/// The node, as far as it answers.
#[derive(Debug, Clone, Default)]
pub enum Node {
    /// Nobody listens at the control socket; names of other meshes whose nodes do.
    #[default]
    Absent,
    /// Nobody listens for this mesh, but for these.
    Others(Vec<String>),
    /// The control socket may not be used by this user.
    Denied,
    /// It does not answer as it should.
    Silent(String),
    /// It runs.
    Running(Box<Running>),
}

/// What a running node says of itself.
#[derive(Debug, Clone, Default)]
pub struct Running {
    /// Process id.
    pub pid: u32,
    /// It runs in another network namespace than the doctor.
    pub elsewhere: bool,
    /// Its version.
    pub version: String,
    /// True for B.A.T.M.A.N. V.
    pub five: bool,
    /// Own originator address.
    pub originator: Option<MacAddr>,
    /// MAC of the mesh interface.
    pub host_mac: MacAddr,
    /// Time since it started.
    pub uptime: Duration,
    /// MTU of the mesh interface.
    pub mesh_mtu: u32,
    /// Packets are cut to the link.
    pub fragmentation: bool,
    /// Time between own OGMs.
    pub orig_interval: Duration,
    /// Hard interfaces, with the reason where one is not used.
    pub interfaces: Vec<(String, Option<String>)>,
    /// Who it hears.
    pub neighbors: Vec<Neighbor>,
    /// Originators with a way there.
    pub originators: usize,
    /// Own clients that are also announced by another node, with that node.
    pub clients_elsewhere: Vec<(MacAddr, MacAddr)>,
    /// Frames dropped while the doctor listened, by reason.
    pub drops: SortedMap<String, u64>,
    /// Counters of sockets that rose while the doctor listened: interface, counter, by how much.
    pub sockets: Vec<(String, String, u64)>,
    /// Frames lost between data plane and control side while the doctor listened.
    pub punts_lost: u64,
    /// Names of events that happened while the doctor listened, and of those of the last quarter of
    /// an hour that somebody should look at, with what a person reads.
    pub events: Vec<(String, String)>,
    /// Why the last reload of the configuration was refused.
    pub reload_error: Option<String>,
}

/// A neighbour of the node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbor {
    /// Its hard interface address.
    pub mac: MacAddr,
    /// Where it is heard.
    pub interface: String,
    /// B.A.T.M.A.N. IV: own OGMs out of the last 64 that it echoed.
    pub echo_count: u8,
    /// B.A.T.M.A.N. IV: its OGMs out of the last 64 that were heard.
    pub receive_count: u8,
}

/// The configuration file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Config {
    /// There is none.
    #[default]
    Missing,
    /// It is good and names these hard interfaces.
    Good {
        /// The file.
        file: String,
        /// Hard interfaces.
        interfaces: Vec<String>,
    },
    /// It is wrong.
    Bad {
        /// The file.
        file: String,
        /// What is wrong, line by line.
        errors: String,
    },
}

/// Rights of the doctor itself, which a node needs as well.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rights {
    /// CAP_NET_ADMIN.
    pub net_admin: bool,
    /// CAP_NET_RAW.
    pub net_raw: bool,
}

/// Whether the kernel lets something be done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Ability {
    /// It does.
    #[default]
    Fine,
    /// The kernel lacks it.
    Missing,
    /// This user may not.
    Denied,
    /// It fails for another reason.
    Broken(String),
}

/// What the kernel offers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kernel {
    /// `/dev/net/tun`.
    pub tun: Ability,
    /// Packet sockets.
    pub packet: Ability,
    /// Version of the batman-adv kernel module, if it is loaded.
    pub batman_adv: Option<String>,
}

/// What was heard on one hard interface.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Air {
    /// Its name.
    pub interface: String,
    /// Mesh frames that came in.
    pub incoming: u64,
    /// Mesh frames that this machine sent.
    pub outgoing: u64,
    /// Mesh frames that came in and reached an ordinary socket, as a node has.
    pub delivered: u64,
    /// Frames of client traffic flooded through the mesh that came in.
    pub flooded: u64,
    /// Frames that came in were sent by this very interface shortly before.
    pub own_back: u64,
    /// Frames that came in bear this interface's MAC, but this interface never sent them.
    pub own_mac: u64,
    /// Mesh frames with an outer VLAN tag, which the mesh never has.
    pub tagged: u64,
    /// Who was heard, by MAC.
    pub stations: Vec<Station>,
    /// Originators that number their messages in two ways at once: two nodes with one address.
    pub twins: Vec<MacAddr>,
}

/// Who was heard.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Station {
    /// Its MAC.
    pub mac: MacAddr,
    /// Frames.
    pub frames: u64,
    /// It spoke B.A.T.M.A.N. IV.
    pub iv: bool,
    /// It spoke B.A.T.M.A.N. V.
    pub five: bool,
    /// Compat versions other than 15 that it spoke.
    pub versions: SortedSet<u8>,
}

/// A radio under a hard interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Radio {
    /// Name of the hard interface.
    pub interface: String,
    /// What it is.
    pub kind: Kind,
    /// Name of its network, where the driver tells; it does not for meshes of 802.11s.
    pub name: Option<String>,
    /// Frequency of its channel in MHz, while it is in a network.
    pub freq: Option<u32>,
    /// It has a key for frames to everybody; `None` where that cannot be read.
    pub keyed: Option<bool>,
    /// Share of the time that its channel is busy, in percent, where the driver measures it.
    pub busy_percent: Option<u8>,
    /// Stations that it knows.
    pub peers: Vec<Peer>,
    /// What the configuration says of it.
    pub plan: Option<RadioPlan>,
    /// Meshes that it heard when it looked around; `None` if it did not.
    pub in_reach: Option<Vec<InReach>>,
}

/// A station of a radio.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Its address.
    pub mac: MacAddr,
    /// Frames pass.
    pub established: bool,
}

/// What the configuration says of a radio.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RadioPlan {
    /// Name of the mesh.
    pub name: String,
    /// It is ad-hoc.
    pub adhoc: bool,
    /// Frequency of its channel in MHz.
    pub freq: Option<u32>,
    /// It has a passphrase.
    pub secured: bool,
}

/// A mesh that a radio heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InReach {
    /// Its name.
    pub name: String,
    /// It is ad-hoc.
    pub adhoc: bool,
    /// Frequency of its channel in MHz.
    pub freq: u32,
    /// It has a key.
    pub secured: bool,
}

/// Packet filters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Firewall {
    /// Why they could not be read.
    pub unread: Option<String>,
    /// Chains of nftables that are hooked in somewhere.
    pub chains: Vec<Chain>,
    /// Queueing disciplines that stand in the way of frames: interface and kind.
    pub queues: Vec<(String, String)>,
}

/// A chain of nftables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// Family: `ip`, `ip6`, `inet`, `arp`, `bridge`, `netdev`.
    pub family: &'static str,
    /// Its table.
    pub table: String,
    /// Its name.
    pub name: String,
    /// Where it is hooked in, `ingress`.
    pub hook: &'static str,
    /// The interfaces of a `netdev` chain.
    pub devices: Vec<String>,
    /// What no rule decides is dropped.
    pub drop_policy: bool,
    /// Rules of its table that drop or reject.
    pub drops: usize,
}

/// An IP address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Number of the interface.
    pub ifindex: u32,
    /// The address.
    pub ip: IpAddr,
    /// Length of the network part in bits.
    pub prefix: u8,
}

/// Switches of the kernel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Switches {
    /// IP packets are forwarded between interfaces.
    pub ip_forward: bool,
    /// Reverse path filter of the mesh interface, 0 to 2, where the system tells.
    pub rp_filter: Option<u8>,
    /// Frames in a bridge pass the IP packet filter too.
    pub bridge_calls_iptables: bool,
}

/// The clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Clock {
    /// Seconds since 1970.
    pub now: u64,
    /// By how many seconds it ran ahead of, or behind, the time that really passed while the
    /// doctor listened.
    pub jump: i64,
}

impl Facts {
    /// The node, if it runs.
    pub fn running(&self) -> Option<&Running> {
        if let Node::Running(running) = &self.node { Some(running) } else { None }
    }
}
