//! The one list of all settings: what they are called, what may stand there, what they do.

use crate::checked::{Config, Io, Link, Log, Measure, Wifi};
use crate::radio::Radio;
use crate::units;

/// A setting.
#[derive(Debug)]
pub struct Key {
    /// Its table, `mesh`; `link` stands for every `[[link]]`, `radio` for every `[[radio]]`.
    pub table: &'static str,
    /// Its name in the table.
    pub name: &'static str,
    /// What may stand there.
    pub value: &'static str,
    /// A running node takes a new value only after a restart.
    pub restart: bool,
    /// What it does; one or two sentences.
    pub help: &'static str,
    pub(crate) show: Show,
}

/// How to write a value down as TOML; `None` where the node chooses by itself.
#[derive(Debug)]
pub(crate) enum Show {
    Node(fn(&Config) -> Option<String>),
    Link(fn(&Link) -> Option<String>),
    Radio(fn(&Radio) -> Option<String>),
}

impl Key {
    /// The default as it would stand in a file, `None` where the node chooses by itself or where
    /// there is none.
    pub fn default(&self) -> Option<String> {
        match self.show {
            Show::Node(show) => show(&Config::default()),
            Show::Link(_) if self.name == "interface" => None,
            Show::Link(show) => show(&Link::new("")),
            Show::Radio(show) if self.name == "mode" || self.name == "width" => show(&Radio::new("", "", 1)),
            Show::Radio(_) => None,
        }
    }
}

/// Settings of one table.
pub fn of(table: &str) -> impl Iterator<Item = &'static Key> {
    KEYS.iter().filter(move |k| k.table == table)
}

/// Names of the tables, in the order of the file.
pub fn tables() -> impl Iterator<Item = &'static str> {
    let mut last = "";
    KEYS.iter().map(|k| k.table).filter(move |&table| std::mem::replace(&mut last, table) != table)
}

const fn node(
    table: &'static str,
    name: &'static str,
    value: &'static str,
    show: fn(&Config) -> Option<String>,
    help: &'static str,
) -> Key {
    Key { table, name, value, restart: false, help, show: Show::Node(show) }
}

const fn link(name: &'static str, value: &'static str, show: fn(&Link) -> Option<String>, help: &'static str) -> Key {
    Key { table: "link", name, value, restart: false, help, show: Show::Link(show) }
}

const fn radio(name: &'static str, value: &'static str, show: fn(&Radio) -> Option<String>, help: &'static str) -> Key {
    Key { table: "radio", name, value, restart: false, help, show: Show::Radio(show) }
}

const fn restart(key: Key) -> Key {
    Key { restart: true, ..key }
}

/// All settings, in the order of the file.
pub const KEYS: &[Key] = &[
    restart(node(
        "mesh",
        "name",
        "interface name",
        |c| Some(quoted(&c.mesh.name)),
        "Name of the mesh interface, and of the control socket.",
    )),
    node(
        "mesh",
        "mac",
        "MAC address",
        |c| c.mesh.mac.map(|m| quoted(&m.to_string())),
        "MAC of the mesh interface. Without it a stable one is derived from the first hard interface.",
    ),
    node(
        "mesh",
        "mtu",
        "68 to 65535",
        |c| c.mesh.mtu.map(|m| m.to_string()),
        "MTU of the mesh interface in bytes. Without it the node chooses by its hard interfaces and logs why.",
    ),
    node("mesh", "up", "true or false", |c| Some(c.mesh.up.to_string()), "Set the mesh interface up at start."),
    node(
        "mesh",
        "hop_penalty",
        "0 to 255",
        |c| Some(c.mesh.hop_penalty.to_string()),
        "What each hop takes off the transmit quality, of 255. Lower it in meshes of more than 20 hops.",
    ),
    node(
        "mesh",
        "orig_interval",
        "time, 40ms to 60s",
        |c| Some(quoted(&units::format_duration(c.mesh.orig_interval))),
        "Time between two own originator messages.",
    ),
    node(
        "mesh",
        "aggregation",
        "true or false",
        |c| Some(c.mesh.aggregation.to_string()),
        "Collect originator messages for up to 100 ms into one frame.",
    ),
    node(
        "mesh",
        "fragmentation",
        "true or false",
        |c| Some(c.mesh.fragmentation.to_string()),
        "Cut packets that do not fit a hard interface.",
    ),
    node(
        "mesh",
        "fast_start",
        "true or false",
        |c| Some(c.mesh.fast_start.to_string()),
        "Send at most 40 extra link-sensing messages at start and for new neighbours, so that routes exist within seconds.",
    ),
    node(
        "mesh",
        "distributed_arp_table",
        "true or false",
        |c| Some(c.mesh.distributed_arp_table.to_string()),
        "Answer ARP from a table that all nodes keep together, and IPv6 neighbour discovery from what passed by, so that questions are rarely flooded.",
    ),
    node(
        "mesh",
        "bridge_loop_avoidance",
        "true or false",
        |c| Some(c.mesh.bridge_loop_avoidance.to_string()),
        "Avoid loops and double frames where several nodes share a LAN. At work while the mesh interface is in a bridge, and nothing is said or waited for otherwise.",
    ),
    node(
        "mesh",
        "wifi_clients",
        "true or false",
        |c| Some(c.mesh.wifi_clients.to_string()),
        "Announce all own clients as Wi-Fi clients. Without it those are that the bridge around the mesh interface has behind a radio.",
    ),
    node(
        "mesh",
        "multicast_forceflood",
        "true or false",
        |c| Some(c.mesh.multicast_forceflood.to_string()),
        "Flood all multicast frames of own clients. With false they go to those who listen.",
    ),
    node(
        "mesh",
        "multicast_fanout",
        "0 to 256",
        |c| Some(c.mesh.multicast_fanout.to_string()),
        "Most receivers that a multicast frame is sent to one by one, where one packet for all will not do. With more it is flooded.",
    ),
    node(
        "mesh",
        "algorithm",
        "\"auto\", \"IV\" or \"V\"",
        |c| Some(quoted(c.mesh.algorithm.name())),
        "Routing algorithm, B.A.T.M.A.N. IV or V. They do not mix; \"auto\" follows the neighbours.",
    ),
    node(
        "mesh",
        "elp_interval",
        "time, 20ms to 60s",
        |c| Some(quoted(&units::format_duration(c.mesh.elp_interval))),
        "B.A.T.M.A.N. V: time between two hellos on a hard interface.",
    ),
    node(
        "mesh",
        "extensions",
        "true or false",
        |c| Some(c.mesh.extensions.to_string()),
        "Tell other Meshwork nodes what kernel nodes do not understand; those carry it along unread.",
    ),
    node(
        "mesh",
        "publish",
        "true or false",
        |c| Some(c.mesh.publish.to_string()),
        "Tell all Meshwork nodes name, version and direct neighbours, so that each can show the whole mesh. Nothing of \
         clients. Needs extensions.",
    ),
    node(
        "mesh",
        "node_name",
        "name of 1 to 24 bytes",
        |c| c.mesh.node_name.as_deref().map(quoted),
        "What others call this node. Without it the name of the machine.",
    ),
    node(
        "mesh",
        "verify_forwarding",
        "true or false",
        |c| Some(c.mesh.verify_forwarding.to_string()),
        "Find neighbors that announce ways and do not forward: while frames flow, nodes beyond a neighbor are asked through it and another way. Needs extensions.",
    ),
    node(
        "mesh",
        "bonding",
        "true or false",
        |c| Some(c.mesh.bonding.to_string()),
        "Send by all links that are about as good as the best one in turn, what starts here. Packets may overtake each other.",
    ),
    node(
        "mesh",
        "ap_isolation",
        "true or false",
        |c| Some(c.mesh.ap_isolation.to_string()),
        "Keep clients apart that are both announced as Wi-Fi clients, or both as isolated. Broadcasts pass.",
    ),
    node(
        "mesh",
        "ap_isolation_vlans",
        "list of VLANs",
        |c| {
            let all = c.mesh.ap_isolation_vlans.iter().map(|vid| vid.id().unwrap_or(0).to_string());
            Some(format!("[{}]", all.collect::<Vec<_>>().join(", ")))
        },
        "The VLANs that ap_isolation is for, 0 for frames without tag. Empty: all.",
    ),
    node(
        "mesh",
        "isolated_clients",
        "true or false",
        |c| Some(c.mesh.isolated_clients.to_string()),
        "Announce all own clients as isolated; nodes with AP isolation keep them from each other. Without it those are that the bridge around the mesh interface has on ports set to isolated.",
    ),
    node(
        "mesh",
        "protected_clients",
        "list of MAC addresses",
        |c| Some(list(&c.mesh.protected_clients)),
        "Stations that are here or nowhere, like the site's router: no other node can take them over.",
    ),
    node(
        "mesh",
        "throughput_meter",
        "true or false",
        |c| Some(c.mesh.throughput_meter.to_string()),
        "Answer throughput tests of other nodes, at most five at a time.",
    ),
    node(
        "mesh",
        "state_dir",
        "absolute path or \"\"",
        |c| Some(c.mesh.state_dir.as_ref().map_or_else(|| quoted(""), |p| quoted(&p.to_string_lossy()))),
        "Where sequence numbers are kept, so that neighbours do not take a restart for a replay. Empty: nowhere.",
    ),
    link("interface", "interface name", |l| Some(quoted(&l.interface)), "The hard interface. It may appear later."),
    link(
        "hop_penalty",
        "0 to 255",
        |l| Some(l.hop_penalty.to_string()),
        "Extra penalty for what comes in here, of 255. Raise it to use a link only when nothing better is left.",
    ),
    link(
        "throughput",
        "rate, 100kbit to 400Gbit",
        |l| l.throughput.map(|t| quoted(&units::format_rate(u64::from(t) * 100))),
        "B.A.T.M.A.N. V: throughput of the links here. Without it the node asks the driver, or measures.",
    ),
    link(
        "measure",
        "true, false or \"auto\"",
        |l| {
            Some(match l.measure {
                Measure::Auto => quoted("auto"),
                Measure::Yes => true.to_string(),
                Measure::No => false.to_string(),
            })
        },
        "B.A.T.M.A.N. V: measure the links here with short trains of frames, less than 1 % of the time. \"auto\": where neither you nor the driver tell.",
    ),
    link(
        "broadcast_copies",
        "1 to 3",
        |l| l.broadcast_copies.map(|n| n.to_string()),
        "How often a broadcast is sent here. Without it three times on a radio, where nobody acknowledges it, and once elsewhere.",
    ),
    link(
        "wifi",
        "true, false or \"auto\"",
        |l| {
            Some(match l.wifi {
                Wifi::Auto => quoted("auto"),
                Wifi::Yes => true.to_string(),
                Wifi::No => false.to_string(),
            })
        },
        "Treat it as a radio: broadcasts are sent three times, and relaying on it costs more.",
    ),
    link(
        "io",
        "\"packet\" or \"portable\"",
        |l| {
            Some(match l.io {
                Io::Packet => quoted("packet"),
                Io::Portable => quoted("portable"),
            })
        },
        "How frames are read and written: many per system call, or one by one.",
    ),
    radio(
        "interface",
        "interface name",
        |r| Some(quoted(&r.interface)),
        "The interface that the node makes for the mesh and takes away at its end. It is a hard interface by itself. \
         One that exists already and is down is used, and left as it was found.",
    ),
    radio(
        "phy",
        "name of a radio",
        |r| r.phy.as_ref().map(|p| quoted(p)),
        "The radio, as \"iw phy\" calls it. Without it the only one there is.",
    ),
    radio(
        "mode",
        "\"mesh\" or \"adhoc\"",
        |r| Some(quoted(r.mode.name())),
        "Mesh point of 802.11s, whose own forwarding is switched off, or ad-hoc (IBSS).",
    ),
    radio("mesh_id", "1 to 32 bytes", |r| Some(quoted(&r.mesh_id)), "Name of the mesh, or of the ad-hoc network."),
    radio(
        "channel",
        "1 to 14, 32 to 177",
        |r| Some(r.channel.to_string()),
        "Its channel; 1 to 14 are of the 2.4 GHz band, the others of that of 5 GHz.",
    ),
    radio("width", "20, 40, 80 or 160", |r| Some(r.width.to_string()), "Its width in MHz."),
    radio(
        "country",
        "two letters",
        |r| r.country.as_ref().map(|c| quoted(c)),
        "Where the radio stands, like \"DE\"; said to all radios of the machine. Without it the system must know.",
    ),
    radio(
        "passphrase_file",
        "absolute path",
        |r| r.passphrase_file.as_ref().map(|p| quoted(&p.to_string_lossy())),
        "File whose first line is the passphrase of a mesh protected by SAE; needs wpa_supplicant. Without it the \
         mesh is open.",
    ),
    radio(
        "bssid",
        "MAC address",
        |r| r.bssid.map(|b| quoted(&b.to_string())),
        "Ad-hoc: the address that all cells of the network share. Without it the first one heard.",
    ),
    node(
        "gateway",
        "mode",
        "\"off\", \"client\" or \"server\"",
        |c| Some(quoted(c.gateway.mode.name())),
        "Internet: a server offers it, a client chooses a server and sends DHCP there, off floods DHCP to all.",
    ),
    node(
        "gateway",
        "download",
        "rate, 100kbit to 400Gbit",
        |c| Some(rate(c.gateway.download)),
        "As a server: bandwidth offered towards clients.",
    ),
    node(
        "gateway",
        "upload",
        "rate, 100kbit to 400Gbit",
        |c| Some(rate(c.gateway.upload)),
        "As a server: bandwidth offered towards the Internet.",
    ),
    node(
        "gateway",
        "class",
        "1 to 255",
        |c| Some(c.gateway.class.to_string()),
        "As a client of B.A.T.M.A.N. IV: 1 takes the best by quality and bandwidth and stays, 2 the best by quality and \
         stays, 3 moves to any better one, more moves to one that is better by so much quality.",
    ),
    node(
        "gateway",
        "advantage",
        "rate, 100kbit to 400Gbit",
        |c| Some(rate(c.gateway.advantage)),
        "As a client of B.A.T.M.A.N. V: move to a gateway that gives so much more throughput.",
    ),
    node(
        "gateway",
        "allowed",
        "list of MAC addresses",
        |c| Some(list(&c.gateway.allowed)),
        "As a client: the only gateways to choose from, by originator. Empty: all.",
    ),
    node(
        "gateway",
        "plausible",
        "rate, 100kbit to 400Gbit",
        |c| Some(rate(c.gateway.plausible)),
        "Offers beyond this count as this much, and are told to the operator.",
    ),
    node(
        "gateway",
        "router_advertisements",
        "true or false",
        |c| Some(c.gateway.router_advertisements.to_string()),
        "As a client: let IPv6 router advertisements in from behind the selected gateway only, and ask only there for one.",
    ),
    node(
        "gateway",
        "guard",
        "true or false",
        |c| Some(c.gateway.guard.to_string()),
        "Keep rogue servers out: DHCP answers and IPv6 router advertisements of own clients are dropped, and those from \
         the mesh unless a gateway sent them.",
    ),
    node(
        "gateway",
        "check",
        "list of targets",
        |c| Some(list(&c.gateway.check)),
        "As a server: who must be reachable, like [\"ping:9.9.9.9\", \"tcp:1.1.1.1:443\", \"dns:[2620:fe::fe]:53\"]. While \
         too few are, nothing is offered. Empty: nothing is checked.",
    ),
    node(
        "gateway",
        "check_interval",
        "time, 1s to 1h",
        |c| Some(quoted(&units::format_duration(c.gateway.check_interval))),
        "Time between two rounds of the check.",
    ),
    node(
        "gateway",
        "check_needed",
        "1 to 16",
        |c| Some(c.gateway.check_needed.to_string()),
        "A round is good when so many targets answer.",
    ),
    node(
        "gateway",
        "check_rounds",
        "1 to 100",
        |c| Some(c.gateway.check_rounds.to_string()),
        "So many bad rounds in a row withdraw the offer, so many good ones renew it.",
    ),
    node(
        "gateway",
        "check_interface",
        "interface name",
        |c| c.gateway.check_interface.as_deref().map(quoted),
        "The interface that leads to the Internet. Without it that of the default route, never the mesh's own.",
    ),
    node(
        "gateway",
        "wan",
        "\"auto\", \"off\" or interface name",
        |c| Some(quoted(&c.gateway.wan.to_string())),
        "As a server: guests get what the owner leaves of the line to the Internet. auto: the line is behind the default \
         route, never the mesh's own; or name its interface; off: guests get as much as the owner.",
    ),
    node(
        "gateway",
        "wan_down",
        "rate, 100kbit to 400Gbit",
        |c| c.gateway.wan_down.map(rate),
        "As a server: guests get no more than this from the Internet. Without it what the line has left, which is found out.",
    ),
    node(
        "gateway",
        "wan_up",
        "rate, 100kbit to 400Gbit",
        |c| c.gateway.wan_up.map(rate),
        "As a server: guests get no more than this towards the Internet. Without it what the line has left, which is found \
         out.",
    ),
    node("limits", "originators", "16 to 65536", |c| Some(c.limits.originators.to_string()), "Most originators."),
    node(
        "limits",
        "neighbors",
        "4 to 4096",
        |c| Some(c.limits.neighbors.to_string()),
        "Most neighbours on one hard interface.",
    ),
    node("limits", "clients", "16 to 1000000", |c| Some(c.limits.clients.to_string()), "Most clients of other nodes."),
    node(
        "limits",
        "clients_per_originator",
        "16 to 16384",
        |c| Some(c.limits.clients_per_originator.to_string()),
        "Most clients of one other node.",
    ),
    node(
        "limits",
        "local_clients",
        "1 to 1677",
        |c| Some(c.limits.local_clients.to_string()),
        "Most own clients. The protocol itself carries no more than 1677.",
    ),
    node("limits", "vlans", "1 to 4095", |c| Some(c.limits.vlans.to_string()), "Most VLANs with own clients."),
    node(
        "limits",
        "addresses",
        "16 to 65536",
        |c| Some(c.limits.addresses.to_string()),
        "Most IP addresses of clients that are remembered, IPv4 and IPv6 each.",
    ),
    node(
        "limits",
        "claims",
        "64 to 65536",
        |c| Some(c.limits.claims.to_string()),
        "Most clients of the mesh that nodes on one LAN claim; one node has at most half of them.",
    ),
    node(
        "limits",
        "fragment_memory",
        "size, 32KiB to 64MiB",
        |c| u64::try_from(c.limits.fragment_memory).ok().map(|n| quoted(&units::format_size(n))),
        "Memory for packets of which not all fragments are here yet.",
    ),
    node(
        "share",
        "queue",
        "true or false",
        |c| Some(c.share.queue.to_string()),
        "Frames that an interface does not take at once wait here, the owner's first, then fair between those that this \
         node carries for. Without it they wait in the driver, as they came.",
    ),
    node(
        "share",
        "guests",
        "list of interfaces",
        |c| Some(list(&c.share.guests)),
        "Ports of the mesh interface's bridge behind which are guests, not the owner: an open access point, say. The \
         bridge itself stands for all its ports. Without it everybody here counts as owner.",
    ),
    node(
        "share",
        "air",
        "\"equal\" or \"yield\"",
        |c| Some(quoted(if c.share.background { "yield" } else { "equal" })),
        "On radios: what is carried for others takes its turn like all else, or gives way to everybody in the air, \
         neighbours' home networks too (802.11 access category background). With yield little may be left for others.",
    ),
    node(
        "share",
        "give",
        "\"all\", \"off\" or a share like \"80%\"",
        |c| Some(quoted(&c.share.give.to_string())),
        "How much others get of what the owner leaves: all, at most a share of the time that an interface sends, or \
         nothing. With off the node uses the mesh and is no way through for others.",
    ),
    node(
        "share",
        "give_hours",
        "list of hours like \"22:00-06:00\"",
        |c| Some(list(&c.share.give_hours)),
        "Give in these hours of the day alone, by the machine's clock. Empty: always. While the clock is not set, always.",
    ),
    node(
        "share",
        "give_budget",
        "size, from 1MiB on",
        |c| c.share.give_budget.map(|n| quoted(&units::format_size(n))),
        "Give until so much was carried for others and sent for guests in a month; the rest of the month counts as off. \
         Without it there is no end.",
    ),
    node(
        "http",
        "listen",
        "list of places",
        |c| Some(list(&c.http.listen)),
        "Where the status endpoint listens: \"localhost\", \"mesh\" (link-local addresses of the mesh interface and its \
         bridge), an address, or an interface with all its addresses. Empty: only at its unix socket, beside the \
         control socket.",
    ),
    node("http", "port", "1 to 65535", |c| Some(c.http.port.to_string()), "TCP port of the status endpoint."),
    node(
        "http",
        "hosts",
        "list of names",
        |c| Some(list(&c.http.hosts)),
        "Names of this node that a browser may use besides numbers and the node's own; \"*.mesh\" stands for all below. \
         Others are refused, so that no web site can read the mesh through your browser.",
    ),
    node(
        "http",
        "token_file",
        "absolute path",
        |c| c.http.token_file.as_ref().map(|p| quoted(&p.to_string_lossy())),
        "File whose first line, 16 characters or more, is the token that sees all, also clients: \
         \"Authorization: Bearer TOKEN\". Without it only the unix socket does.",
    ),
    node(
        "http",
        "respondd",
        "true or false",
        |c| Some(c.http.respondd.to_string()),
        "Map servers that ask by respondd, UDP port 1001 in the mesh, are answered; and while somebody looks at the map, \
         nodes of other programs are asked the same way. Switched on again only by a restart.",
    ),
    restart(node(
        "control",
        "socket",
        "absolute path",
        |c| c.control.socket.as_ref().map(|p| quoted(&p.to_string_lossy())),
        "The control socket. Without it /run/meshwork/NAME.sock, NAME being that of the mesh interface.",
    )),
    restart(node(
        "control",
        "group",
        "group name",
        |c| c.control.group.as_ref().map(|g| quoted(g)),
        "Group that may use the control socket besides root.",
    )),
    restart(node(
        "control",
        "user",
        "user name",
        |c| c.control.user.as_ref().map(|u| quoted(u)),
        "User that a node started by root becomes; of root's rights it keeps those over the network alone.",
    )),
    node(
        "log",
        "level",
        "error, warn, info, debug or trace",
        |c| Some(quoted(&c.log.to_string())),
        "From which level on the log is written. Parts can have their own: \"info,netlink=debug\".",
    ),
];

impl std::fmt::Display for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.level.name())?;
        self.parts.iter().try_for_each(|(part, level)| write!(f, ",{part}={}", level.name()))
    }
}

/// Units of 100 kbit/s, as they are written.
fn rate(units: u32) -> String {
    quoted(&units::format_rate(u64::from(units) * 100))
}

/// A TOML array of strings.
fn list(items: &[impl ToString]) -> String {
    let items: Vec<String> = items.iter().map(|i| quoted(&i.to_string())).collect();
    format!("[{}]", items.join(", "))
}

/// A TOML basic string.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
