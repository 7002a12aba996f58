//! The configuration with units and ranges proven.

use crate::error::{Errors, LoadError, Place, Problem};
use crate::gateway::Gateway;
use crate::giving::{Give, Hours};
use crate::http::Http;
use crate::radio::Radio;
use crate::raw::{self, Table};
use crate::{DEFAULT_FILE, check};
use packet::{MacAddr, Vid};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Everything a node can be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The node and its mesh interface.
    pub mesh: Mesh,
    /// Hard interfaces, each name once, at most [`MAX_LINKS`].
    pub links: Vec<Link>,
    /// Radios to bring into a mesh; the interface of each is one of the hard interfaces.
    pub radios: Vec<Radio>,
    /// Internet for others, or from others.
    pub gateway: Gateway,
    /// Upper bounds of all tables.
    pub limits: Limits,
    /// How the air time is shared.
    pub share: Share,
    /// The status endpoint.
    pub http: Http,
    /// The control socket.
    pub control: Control,
    /// What is logged.
    pub log: Log,
}

/// The node and its mesh interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mesh {
    /// Name of the mesh interface.
    pub name: String,
    /// MAC of the mesh interface, `None` to derive a stable one.
    pub mac: Option<MacAddr>,
    /// MTU of the mesh interface in bytes, `None` to choose by the hard interfaces.
    pub mtu: Option<u32>,
    /// Set the mesh interface up.
    pub up: bool,
    /// Subtracted per hop from the transmit quality, of 255.
    pub hop_penalty: u8,
    /// Time between own OGMs, 40 ms to 60 s.
    pub orig_interval: Duration,
    /// Collect OGMs into larger frames.
    pub aggregation: bool,
    /// Cut packets that do not fit a link.
    pub fragmentation: bool,
    /// Extra link-sensing OGMs at start and for new neighbours.
    pub fast_start: bool,
    /// Take part in the distributed ARP table.
    pub distributed_arp_table: bool,
    /// Avoid loops where several nodes share a LAN.
    pub bridge_loop_avoidance: bool,
    /// Announce the own clients as Wi-Fi clients.
    pub wifi_clients: bool,
    /// Flood all multicast frames.
    pub multicast_forceflood: bool,
    /// Stations that no other node can take over.
    pub protected_clients: Vec<MacAddr>,
    /// Most receivers that a multicast frame is sent to one by one.
    pub multicast_fanout: usize,
    /// Routing algorithm.
    pub algorithm: Algorithm,
    /// V: time between two hellos on a hard interface, 20 ms to 60 s.
    pub elp_interval: Duration,
    /// Speak with other Meshwork nodes about what kernel nodes do not understand.
    pub extensions: bool,
    /// Tell all Meshwork nodes name, version and neighbours.
    pub publish: bool,
    /// Name of the node for them, `None` for that of the machine.
    pub node_name: Option<String>,
    /// Find neighbours that announce ways and do not forward.
    pub verify_forwarding: bool,
    /// Use links that are about as good as the best one in turn.
    pub bonding: bool,
    /// Keep clients with the same mark apart.
    pub ap_isolation: bool,
    /// The VLANs in which they are kept apart, all if none is named.
    pub ap_isolation_vlans: Vec<Vid>,
    /// Announce the own clients as isolated.
    pub isolated_clients: bool,
    /// Answer throughput tests of other nodes.
    pub throughput_meter: bool,
    /// Where sequence numbers survive a restart, `None` to keep none.
    pub state_dir: Option<PathBuf>,
}

/// Routing algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// Listen, and follow the neighbours; alone, V.
    Auto,
    /// B.A.T.M.A.N. IV.
    Iv,
    /// B.A.T.M.A.N. V.
    V,
}

impl Algorithm {
    /// All of them.
    pub const ALL: &'static [Self] = &[Self::Auto, Self::Iv, Self::V];

    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Iv => "IV",
            Self::V => "V",
        }
    }
}

/// A hard interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Name of the interface.
    pub interface: String,
    /// Extra penalty for what comes in here, of 255.
    pub hop_penalty: u8,
    /// V: throughput of the links here, in units of 100 kbit/s; `None` to find out.
    pub throughput: Option<u32>,
    /// V: whether to measure the links here.
    pub measure: Measure,
    /// How often a broadcast is sent, 1 to 3; `None` for the usual number.
    pub broadcast_copies: Option<u8>,
    /// Whether it is a radio.
    pub wifi: Wifi,
    /// How frames are read and written.
    pub io: Io,
}

/// Whether to measure how fast links are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Where neither configuration nor driver tell.
    Auto,
    /// Also where the driver tells.
    Yes,
    /// Never.
    No,
}

/// Whether a hard interface is a radio.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wifi {
    /// Ask the system.
    Auto,
    /// It is.
    Yes,
    /// It is not.
    No,
}

/// How frames of a hard interface are read and written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Io {
    /// Packet sockets, many frames per system call.
    Packet,
    /// One frame per system call, for kernels that cannot do better.
    Portable,
}

/// Whose traffic goes first, and how much others get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// Frames that an interface does not take at once wait in order: the owner's first, then fair between
    /// those that this node carries for.
    pub queue: bool,
    /// Ports of the bridge of the mesh interface, or the bridge itself for all of them, behind which are guests.
    pub guests: Vec<String>,
    /// On radios what is carried for others goes out in the background access category.
    pub background: bool,
    /// How much of the sending time others get.
    pub give: Give,
    /// In these hours of the day alone; empty: always.
    pub give_hours: Vec<Hours>,
    /// Until so many bytes were given in a month; `None` without end.
    pub give_budget: Option<u64>,
}

/// Upper bounds of all tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Originators.
    pub originators: usize,
    /// Neighbours per hard interface.
    pub neighbors: usize,
    /// Clients of other nodes.
    pub clients: usize,
    /// Clients of one other node.
    pub clients_per_originator: usize,
    /// Own clients.
    pub local_clients: usize,
    /// VLANs with own clients.
    pub vlans: usize,
    /// IP addresses of clients, IPv4 and IPv6 each.
    pub addresses: usize,
    /// Clients claimed by nodes that share our LAN.
    pub claims: usize,
    /// Bytes of all incomplete fragments.
    pub fragment_memory: usize,
}

/// The control socket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Control {
    /// Where it is; `None` for the usual place.
    pub socket: Option<PathBuf>,
    /// Group that may use it besides the owner.
    pub group: Option<String>,
    /// User that the node becomes once it has its first sockets; `None` to stay who it is.
    pub user: Option<String>,
}

/// What is logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// From this level on.
    pub level: Level,
    /// Parts of the program with a level of their own.
    pub parts: Vec<(String, Level)>,
}

/// Weight of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Cannot go on.
    Error,
    /// A human should look.
    Warn,
    /// Link up, neighbour gone.
    Info,
    /// Small state changes, client addresses.
    Debug,
    /// Every frame.
    Trace,
}

/// Most hard interfaces of one node.
pub const MAX_LINKS: usize = 32;

/// What the command line says; it goes before the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Single settings.
    pub settings: Vec<Override>,
    /// Hard interfaces. If there are any, only they are used; what the file says about them holds.
    pub interfaces: Vec<String>,
}

/// A setting from the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// Full name, `mesh.mtu`; `link.io` holds for every hard interface.
    pub key: &'static str,
    /// The value.
    pub value: String,
    /// The flag that said it, for error messages.
    pub flag: &'static str,
}

impl Config {
    /// Reads a file, or with `None` the usual one if it exists.
    ///
    /// # Errors
    /// The file cannot be read, or something in it or in `overrides` is wrong.
    pub fn load(path: Option<&Path>, overrides: &Overrides) -> Result<Self, LoadError> {
        let file = path.unwrap_or(Path::new(DEFAULT_FILE));
        let source = match std::fs::read_to_string(file) {
            Ok(source) => source,
            Err(e) if path.is_none() && e.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(e) => return Err(LoadError::Read(file.to_owned(), e)),
        };
        Self::parse(&file.to_string_lossy(), &source, overrides).map_err(LoadError::Bad)
    }

    /// Checks the text of a file called `name`.
    ///
    /// # Errors
    /// Everything that is wrong, in one go.
    pub fn parse(name: &str, source: &str, overrides: &Overrides) -> Result<Self, Errors> {
        match raw::from_toml(source) {
            Ok(table) => Self::check(&table, overrides).map_err(|problems| Errors::new(name, source, problems)),
            Err(e) => {
                let place = Place::File(e.span);
                let text = format!("not readable as TOML: {}", e.text);
                Err(Errors::new(name, source, vec![Problem { place, key: String::new(), text }]))
            }
        }
    }

    /// Checks a tree of values, whatever it was read from.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn check(table: &Table, overrides: &Overrides) -> Result<Self, Vec<Problem>> {
        check::run(table, overrides)
    }

    /// Path of the control socket.
    pub fn socket(&self) -> PathBuf {
        self.control.socket.clone().unwrap_or_else(|| Control::usual_socket(&self.mesh.name))
    }
}

impl Control {
    /// Where the control socket of a mesh is unless somebody says otherwise.
    pub fn usual_socket(mesh: &str) -> PathBuf {
        runtime_dir().join(format!("{mesh}.sock"))
    }
}

/// The folder for what lasts until the machine stops: `/run/meshwork`.
///
/// OpenWrt has `/var/run` alone in some releases and both in others. Its service makes `/var/run/meshwork`, and
/// mounts it into the jail that the node may run in, so that one goes first: node and commands have to agree.
pub fn runtime_dir() -> PathBuf {
    choose_runtime_dir(|path| Path::new(path).is_dir())
}

fn choose_runtime_dir(is_dir: impl Fn(&str) -> bool) -> PathBuf {
    let (new, old) = ("/run/meshwork", "/var/run/meshwork");
    PathBuf::from(if !is_dir(old) && is_dir("/run") { new } else { old })
}

impl Level {
    /// All levels, most important first.
    pub const ALL: &'static [Self] = &[Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace];

    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|level| level.name() == word)
    }
}

impl Log {
    /// Reads `"info"` or `"warn,netlink=debug,io=trace"`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut log = Self { parts: Vec::new(), ..Self::default() };
        for (i, item) in text.split(',').enumerate() {
            match item.split_once('=') {
                None if i == 0 => log.level = Level::parse(item)?,
                None => return None,
                Some((part, level)) => {
                    if part.is_empty() || !part.chars().all(|c| c.is_ascii_alphanumeric() || "_-:".contains(c)) {
                        return None;
                    }
                    log.parts.push((part.to_owned(), Level::parse(level)?));
                }
            }
        }
        Some(log)
    }
}

/// Says why a name cannot be that of a network interface. Source: the kernel's `dev_valid_name`.
///
/// # Errors
/// The reason, as a sentence's end.
pub fn check_interface(name: &str) -> Result<(), &'static str> {
    if name.is_empty() {
        Err("the name is empty")
    } else if name.len() > 15 {
        Err("the name is longer than 15 bytes")
    } else if name == "." || name == ".." || name.contains(['/', ':']) || name.contains(char::is_whitespace) {
        Err("a name has no \"/\", no \":\" and no blank, and is not \".\" or \"..\"")
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_and_commands_find_the_same_folder() {
        let dir = |there: &[&str]| choose_runtime_dir(|path| there.contains(&path));
        assert_eq!(dir(&["/run"]), Path::new("/run/meshwork"));
        assert_eq!(dir(&["/run", "/run/meshwork"]), Path::new("/run/meshwork"));
        // A router with its service, and one where somebody starts the program by hand.
        assert_eq!(dir(&["/run", "/var/run/meshwork"]), Path::new("/var/run/meshwork"));
        assert_eq!(dir(&[]), Path::new("/var/run/meshwork"));
    }
}
