//! The table of commands and flags.

/// A command, or a command of a command (`config check`).
#[derive(Debug)]
pub struct Command {
    /// What to run.
    pub id: Id,
    /// Its word.
    pub name: &'static str,
    /// Other words for it, `batctl`'s short ones among them.
    pub aliases: &'static [&'static str],
    /// One line for the list of commands, without a full stop.
    pub summary: &'static str,
    /// Paragraphs for its own help and the manual page, separated by empty lines.
    pub about: &'static str,
    /// What follows the flags.
    pub operands: &'static [Operand],
    /// Its flags, in groups that commands share.
    pub flags: &'static [&'static [Flag]],
    /// Commands below it.
    pub commands: &'static [Self],
}

/// Which command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the command of the same name")]
pub enum Id {
    Top,
    Run,
    Status,
    Neighbors,
    Originators,
    Clients,
    LocalClients,
    GlobalClients,
    Interfaces,
    Dat,
    Claims,
    Backbones,
    Gateways,
    Multicast,
    Statistics,
    Share,
    Ping,
    Traceroute,
    Translate,
    Throughput,
    Monitor,
    Events,
    Scan,
    Join,
    Setup,
    Home,
    Doctor,
    Explain,
    History,
    Config,
    ConfigCheck,
    ImportUci,
    Upgrade,
    UpgradeCheck,
    UpgradeApply,
    UpgradeConfirm,
    UpgradeBack,
    UpgradeService,
    Json,
    Batctl,
    #[cfg(feature = "desk")]
    Live,
    #[cfg(feature = "lab")]
    Lab,
    #[cfg(feature = "lab")]
    LabAsk,
    Man,
    Completions,
    Version,
    Help,
}

/// What follows the flags of a command.
#[derive(Debug)]
pub struct Operand {
    /// Its name in the usage line, upper case.
    pub name: &'static str,
    /// What it is.
    pub help: &'static str,
    /// It may be left out.
    pub optional: bool,
    /// What a shell can offer.
    pub value: Value,
}

/// A flag.
#[derive(Debug)]
pub struct Flag {
    /// Its long name, without dashes.
    pub long: &'static str,
    /// Its short name.
    pub short: Option<char>,
    /// Name of its value, upper case; `None` for a flag that is there or not.
    pub takes: Option<Takes>,
    /// What holds without it, as it would be written; empty where nothing holds.
    pub default: &'static str,
    /// What it does, without a full stop.
    pub help: &'static str,
}

/// The value of a flag.
#[derive(Debug, Clone, Copy)]
pub struct Takes {
    /// Name in the usage line, upper case.
    pub name: &'static str,
    /// The flag may stand without it.
    pub optional: bool,
    /// The flag may be given several times.
    pub repeats: bool,
    /// What a shell can offer.
    pub value: Value,
}

/// What a value is, for shell completions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value {
    /// Nothing to offer.
    Any,
    /// A file.
    File,
    /// A directory.
    Directory,
    /// A network interface.
    Interface,
    /// One of these words.
    Words(&'static [&'static str]),
}

impl Command {
    /// Its flags.
    pub fn all_flags(&self) -> impl Iterator<Item = &'static Flag> {
        self.flags.iter().flat_map(|group| group.iter())
    }

    /// The command below it that `word` names.
    pub fn find(&self, word: &str) -> Option<&'static Self> {
        self.commands.iter().find(|c| c.name == word || c.aliases.contains(&word))
    }
}

const fn switch(long: &'static str, short: Option<char>, help: &'static str) -> Flag {
    Flag { long, short, takes: None, default: "", help }
}

const fn value(long: &'static str, short: Option<char>, name: &'static str, help: &'static str) -> Flag {
    let takes = Takes { name, optional: false, repeats: false, value: Value::Any };
    Flag { long, short, takes: Some(takes), default: "", help }
}

impl Flag {
    const fn default(mut self, text: &'static str) -> Self {
        self.default = text;
        self
    }

    const fn offers(mut self, value: Value) -> Self {
        if let Some(takes) = &mut self.takes {
            takes.value = value;
        }
        self
    }

    const fn repeats(mut self) -> Self {
        if let Some(takes) = &mut self.takes {
            takes.repeats = true;
        }
        self
    }

    const fn optional(mut self) -> Self {
        if let Some(takes) = &mut self.takes {
            takes.optional = true;
        }
        self
    }
}

const fn operand(name: &'static str, help: &'static str) -> Operand {
    Operand { name, help, optional: false, value: Value::Any }
}

/// Flags of every command.
pub const COMMON: &[Flag] = &[switch("help", Some('h'), "print this help")];

const TOP: &[Flag] = &[switch("version", Some('V'), "print the version")];

/// Flags of all commands that talk to a running node.
const CONNECT: &[Flag] = &[
    value("mesh", Some('m'), "NAME", "the node's mesh interface").default("mesh0").offers(Value::Interface),
    value("socket", None, "PATH", "the node's control socket; goes before --mesh")
        .default("/run/meshwork/NAME.sock")
        .offers(Value::File),
];

const JSON: &[Flag] = &[switch("json", Some('j'), "print one line of JSON instead")];

const TABLE: &[Flag] = &[
    switch("json", Some('j'), "print one line of JSON instead, one for each round with --watch"),
    value("watch", Some('w'), "SECONDS", "print again and again, every second unless said otherwise").optional(),
    switch("no-header", Some('H'), "leave the header lines out"),
];

const NAMES: &[Flag] = &[switch("numeric", Some('n'), "print addresses, not their names from bat-hosts files")];

const ONE_LINK: &[Flag] =
    &[value("interface", Some('i'), "IF", "only what goes by this hard interface").offers(Value::Interface)];

const CLIENT_KIND: &[Flag] = &[
    switch("unicast", Some('u'), "only clients that are single stations"),
    switch("multicast", Some('M'), "only multicast addresses"),
];

const HISTORY: &[Flag] = &[value(
    "scale",
    Some('s'),
    "SCALE",
    "which points: hour (every 10 s), days (two, every 5 min) or month (every hour)",
)
.default("hour")
.offers(Value::Words(&["hour", "days", "month"]))];

const ECHO: &[Flag] = &[
    switch("numeric", Some('n'), "print addresses, not their names from bat-hosts files"),
    switch("no-translate", Some('T'), "take the address as an originator's, do not look for the client behind it"),
];

const SEARCH: &[Flag] = &[
    value("phy", None, "NAME", "only this radio, as \"iw phy\" calls it"),
    switch("all-channels", None, "leave the channel of an access point for moments, which its clients notice"),
];

const CONFIG_FILE: &[Flag] =
    &[value("config", Some('c'), "FILE", "the configuration file").default(config::DEFAULT_FILE).offers(Value::File)];

/// OpenWrt's configuration instead of a file of our own.
const UCI: &[Flag] = &[
    value("uci", None, "MESH", "OpenWrt: take the configuration of this mesh from UCI instead"),
    UCI_DIR,
    value("uci-devices", None, "DIR", "OpenWrt: one file for each interface that netifd set up, its device in it")
        .default("/var/run/meshwork/devices")
        .offers(Value::Directory),
];

const UBUS: &[Flag] = &[value("ubus", None, "PATH", "OpenWrt: where ubusd listens, at which the node is published")
    .default("/var/run/ubus/ubus.sock")
    .offers(Value::File)];

const UCI_DIR: Flag = value("uci-dir", None, "DIR", "OpenWrt: where the files meshwork and network lie")
    .default("/etc/config")
    .offers(Value::Directory);

/// Levels of the log, most important first.
const LEVELS: Value = Value::Words(&["error", "warn", "info", "debug", "trace"]);

/// Flags of `run` that say what the configuration file says too. The defaults in the help are
/// those of the file; a test holds them together.
const SETTINGS: &[Flag] = &[
    value("interface", Some('i'), "IF", "use this hard interface, and only those named so; may be repeated")
        .offers(Value::Interface)
        .repeats(),
    value("mesh", Some('m'), "NAME", "name of the mesh interface").default("mesh0"),
    value("mac", None, "MAC", "MAC of the mesh interface").default("derived from a hard interface"),
    value("mtu", None, "BYTES", "MTU of the mesh interface").default("chosen by the hard interfaces"),
    value("hop-penalty", None, "N", "what each hop takes off the transmit quality, of 255").default("30"),
    value("orig-interval", None, "TIME", "time between two own originator messages").default("1s"),
    value("algorithm", None, "NAME", "routing algorithm: auto, IV or V").default("auto").offers(Value::Words(&["auto", "IV", "V"])),
    switch("no-extensions", None, "nothing for Meshwork nodes that kernel nodes do not understand"),
    switch("no-dat", None, "no distributed ARP table: every ARP request is flooded"),
    switch("no-bla", None, "no bridge loop avoidance, although the mesh interface is in a bridge"),
    switch("no-fast-start", None, "no extra link-sensing messages at start and for new neighbours"),
    switch("no-aggregation", None, "one originator message for each frame"),
    switch("no-fragmentation", None, "drop packets that do not fit a hard interface"),
    switch("portable-io", None, "read and write frames one by one"),
    value("socket", None, "PATH", "the control socket").default("/run/meshwork/NAME.sock").offers(Value::File),
    value("user", None, "NAME", "become this user, with rights over the network alone, once the first sockets are open"),
    value("state-dir", None, "DIR", "where sequence numbers are kept over a restart; \"\" for nowhere")
        .default("/var/lib/meshwork")
        .offers(Value::Directory),
    value("log", None, "LEVEL", "log from this level on: error, warn, info, debug, trace; parts of the program can have their own: info,netlink=debug")
        .default("info")
        .offers(LEVELS),
];

/// For each flag of `run` that is a setting, dashes included, the setting of the file that it stands for, and
/// what it says if it takes no value. `--interface` is not here, it makes `[[link]]`s.
pub const OVERRIDES: &[(&str, &str, Option<&str>)] = &[
    ("--mesh", "mesh.name", None),
    ("--mac", "mesh.mac", None),
    ("--mtu", "mesh.mtu", None),
    ("--hop-penalty", "mesh.hop_penalty", None),
    ("--orig-interval", "mesh.orig_interval", None),
    ("--algorithm", "mesh.algorithm", None),
    ("--no-extensions", "mesh.extensions", Some("false")),
    ("--no-dat", "mesh.distributed_arp_table", Some("false")),
    ("--no-bla", "mesh.bridge_loop_avoidance", Some("false")),
    ("--no-fast-start", "mesh.fast_start", Some("false")),
    ("--no-aggregation", "mesh.aggregation", Some("false")),
    ("--no-fragmentation", "mesh.fragmentation", Some("false")),
    ("--portable-io", "link.io", Some("portable")),
    ("--socket", "control.socket", None),
    ("--user", "control.user", None),
    ("--state-dir", "mesh.state_dir", None),
    ("--log", "log.level", None),
];

const NONE: Command = Command {
    id: Id::Top,
    name: "",
    aliases: &[],
    summary: "",
    about: "",
    operands: &[],
    flags: &[COMMON],
    commands: &[],
};

/// The program itself.
pub static PROGRAM: Command = Command {
    id: Id::Top,
    name: "meshwork",
    summary: "a B.A.T.M.A.N. mesh node in user space",
    about: "Meshwork turns a Linux machine into a full node of a batman-adv mesh (compat version 15), without a kernel \
            module. \"meshwork run -i wlan0\" is a whole node: its mesh interface mesh0 is one port of a switch that \
            spans the mesh.\n\n\
            All other commands ask a running node, over its control socket. They take batctl's short names too: n, o, \
            tl, tg, dc, s, p, tr, td.",
    flags: &[TOP, TABLE, CONNECT, COMMON],
    commands: COMMANDS,
    ..NONE
};

const COMMANDS: &[Command] = &[
    Command {
        id: Id::Run,
        name: "run",
        summary: "be a node until told to stop",
        about: "Starts a node with the hard interfaces of the configuration file, or with those given by -i. What the \
                command line says goes before the file. Interfaces that do not exist yet are waited for.\n\n\
                Needs CAP_NET_ADMIN and CAP_NET_RAW and drops everything else. Logs to standard error. SIGHUP reads \
                the configuration again; if the new one is wrong, the node goes on as it was, and the log and \
                \"meshwork status\" say so. SIGTERM and SIGINT end the node and leave the system as it was.",
        flags: &[SETTINGS, CONFIG_FILE, UCI, UBUS, COMMON],
        ..NONE
    },
    Command {
        id: Id::Status,
        name: "status",
        aliases: &["st"],
        summary: "how the node is doing, on one page",
        about: "Hard interfaces with the reason why one is not used, neighbours, originators, clients, traffic, what was \
                dropped and why, and whether the last reload of the configuration went well.",
        flags: &[TABLE, CONNECT, COMMON],
        ..NONE
    },
    Command {
        id: Id::Neighbors,
        name: "neighbors",
        aliases: &["n"],
        summary: "who is heard directly",
        about: "One line for each neighbour and hard interface.\n\n\
                B.A.T.M.A.N. IV, beyond what batctl shows: the transmit quality of the link itself (#/255), how many of \
                our last 64 originator messages it echoed (EQ) and how many of its own we heard (RQ).\n\n\
                B.A.T.M.A.N. V: the throughput of the link in Mbit/s and where it comes from. \"expected\" and \
                \"bitrate\" are the radio driver's, \"wire\" is the speed of the cable, \"measured\" our own \
                measurement, \"configured\" the setting; \"assumed\" means that nobody knows and 1 Mbit/s is taken.",
        flags: &[TABLE, NAMES, ONE_LINK, CONNECT, COMMON],
        ..NONE
    },
    Command {
        id: Id::Originators,
        name: "originators",
        aliases: &["o"],
        summary: "all nodes of the mesh and the ways there",
        about: "One line for each way to each node; the star marks the one in use. Under B.A.T.M.A.N. IV a way has a \
                transmit quality (#/255), under V a throughput in Mbit/s.",
        flags: &[
            TABLE,
            NAMES,
            ONE_LINK,
            &[value("timeout", Some('t'), "SECONDS", "leave out those not heard of for so long")],
            CONNECT,
            COMMON,
        ],
        ..NONE
    },
    Command {
        id: Id::Clients,
        name: "clients",
        aliases: &["cl"],
        summary: "all clients of the mesh and the nodes they are at",
        about: "First the own clients, then those of other nodes, in batctl's translocal and transglobal form.\n\n\
                Flags of own clients: R roamed away, P permanent, N new, X removal pending, W Wi-Fi, I isolated. \
                Flags of others: R moved on, W Wi-Fi, I isolated, T temporary.",
        flags: &[TABLE, NAMES, CLIENT_KIND, CONNECT, COMMON],
        ..NONE
    },
    Command {
        id: Id::LocalClients,
        name: "translocal",
        aliases: &["tl"],
        summary: "own clients only",
        about: "The first half of \"meshwork clients\".",
        flags: &[TABLE, NAMES, CLIENT_KIND, CONNECT, COMMON],
        ..NONE
    },
    Command {
        id: Id::GlobalClients,
        name: "transglobal",
        aliases: &["tg"],
        summary: "clients of other nodes only",
        about: "The second half of \"meshwork clients\".",
        flags: &[TABLE, NAMES, CLIENT_KIND, CONNECT, COMMON],
        ..NONE
    },
    Command {
        id: Id::Interfaces,
        name: "interfaces",
        aliases: &["if", "interface"],
        summary: "hard interfaces of the node",
        about: "One line for each: whether it is used, its MAC and MTU, whether it counts as a radio. Interfaces \
                that cannot be used are listed with the reason.",
        flags: &[TABLE, CONNECT, COMMON],
        ..NONE
    },
    Command {
        id: Id::Dat,
        name: "dat",
        aliases: &["dc", "dat_cache"],
        summary: "IP addresses of clients, as the distributed ARP table knows them",
        about: "IPv4 addresses that this node can answer ARP for, in batctl's dat_cache form, then IPv6 addresses that \
                it can answer its own clients for. An entry lives for five minutes after it was last confirmed. \
                \"contested\" marks an address that several stations claim: questions for it go to the stations \
                themselves, and \"meshwork events\" says who they are.",
        flags: &[TABLE, NAMES, CONNECT, COMMON],
        ..NONE
    },
    Command {
        id: Id::Claims,
        name: "claims",
        aliases: &["claimtable"],
        summary: "who handles which client of the mesh on our LAN",
        about: "For nodes that share a LAN: each client of the mesh that was heard lately, and the node that hands its \
                frames to the LAN, in batctl's claimtable form; the star marks our own. Empty while the mesh interface \
                is in no bridge.",
        flags: &[TABLE, NAMES, CONNECT, COMMON],
        ..NONE
    },
    Command {
        id: Id::Backbones,
        name: "backbones",
        aliases: &["bbt", "backbonetable"],
        summary: "the nodes that share our LAN",
        about: "One line for each and each VLAN, in batctl's backbonetable form, this node included. Behind it: how \
                many clients it claims, and what is in the way. \"waiting\" is the time until broadcasts pass after \
                this node was bridged, \"asking\" a node whose claims are not all known yet, \"distrusted\" one that \
                was waited for too long.",
        flags: &[TABLE, NAMES, CONNECT, COMMON],
        ..NONE
    },
    Command {
        id: Id::Gateways,
        name: "gateways",
        aliases: &["gwl"],
        summary: "nodes that offer Internet, and the one in use",
        about: "One line for each gateway with the way there and what it offers, down and up; the star marks the one \
                that DHCP of own clients goes to, which only a client (gateway.mode) has. Beyond what batctl shows: \
                gateways that are heard of less often than usual, and those that the settings do not allow.",
        flags: &[TABLE, NAMES, CONNECT, COMMON],
        ..NONE
    },
    Command {
        id: Id::Multicast,
        name: "multicast",
        aliases: &["mf", "mcast_flags"],
        summary: "who wants which multicast frames",
        about: "One line for each node, in batctl's mcast_flags form. Frames for a group go to its listeners, which \
                \"meshwork clients --multicast\" shows, and to nodes that want more: U all that listeners need not \
                ask for, 4 and 6 all of IPv4 and IPv6, R4 and R6 all that a router would pass on. P marks a node that \
                does not understand packets with a list of receivers; with one of them in the mesh there are copies \
                instead. A node that says nothing (-) gets everything. Above the list: what this node wants, and \
                what it knows of the bridge above its mesh interface. A bridge where nobody asks for listeners (no \
                querier) wants everything.",
        flags: &[TABLE, NAMES, CONNECT, COMMON],
        ..NONE
    },
    Command {
        id: Id::Statistics,
        name: "statistics",
        aliases: &["s"],
        summary: "counters",
        about: "Names are batctl's where it has them. \"drop_\" counters say why frames went no further; those that \
                are zero are left out unless --all is given.",
        flags: &[TABLE, &[switch("all", Some('a'), "print counters that are zero too")], CONNECT, COMMON],
        ..NONE
    },
    Command {
        id: Id::Share,
        name: "share",
        summary: "what this node gives to others and gets from them",
        about: "By day: what was carried for other nodes and sent for guests, what neighbors carried for this one, and \
                what interfaces could have sent beyond that. By month and node: for whom, and who. It is an account; \
                nothing is refused because of it. How much is given is said by give in [share].",
        flags: &[TABLE, &[switch("all", Some('a'), "print all days and all nodes")], CONNECT, COMMON],
        ..NONE
    },
    Command {
        id: Id::Ping,
        name: "ping",
        aliases: &["p"],
        summary: "mesh echo to another node",
        about: "Asks another node to answer, below IP. The host can be the MAC of a node or of a client, a name from a \
                bat-hosts file, or the IP address or host name of a client. Ends with 0 if any answer came.",
        operands: &[operand("HOST", "whom to ask")],
        flags: &[
            &[
                value("count", Some('c'), "N", "stop after so many requests"),
                value("interval", Some('i'), "SECONDS", "time between two requests").default("1"),
                value("timeout", Some('t'), "SECONDS", "how long to wait for an answer").default("1"),
                switch("record-route", Some('R'), "have every hop write its address down"),
            ],
            ECHO,
            JSON,
            CONNECT,
            COMMON,
        ],
        ..NONE
    },
    Command {
        id: Id::Traceroute,
        name: "traceroute",
        aliases: &["tr"],
        summary: "the nodes on the way to another node",
        about: "Three requests for each hop, one hop further each time. HOST is what \"meshwork ping\" takes.",
        operands: &[operand("HOST", "where the way leads")],
        flags: &[
            &[value("timeout", Some('t'), "SECONDS", "how long to wait for an answer").default("2")],
            ECHO,
            JSON,
            CONNECT,
            COMMON,
        ],
        ..NONE
    },
    Command {
        id: Id::Translate,
        name: "translate",
        aliases: &["t"],
        summary: "the node that a client is at",
        about: "HOST is what \"meshwork ping\" takes.",
        operands: &[operand("HOST", "the client")],
        flags: &[JSON, CONNECT, COMMON],
        ..NONE
    },
    Command {
        id: Id::Throughput,
        name: "throughput",
        aliases: &["throughputmeter", "tp"],
        summary: "how much gets through to another node",
        about: "Sends to another node for some seconds, as fast as it gets through, and prints how much arrived, without \
                any client at either end. Kernel nodes answer, too. It takes what the links have: others wait \
                meanwhile. Ctrl-C ends it and prints what arrived until then.\n\n\
                HOST is what \"meshwork ping\" takes. Called throughputmeter or tp, a TIME without a unit is in \
                milliseconds, as for batctl.",
        operands: &[operand("HOST", "who receives")],
        flags: &[
            &[value("time", Some('t'), "TIME", "how long to send: seconds, or with a unit like 500ms").default("10s")],
            ECHO,
            JSON,
            CONNECT,
            COMMON,
        ],
        ..NONE
    },
    Command {
        id: Id::Monitor,
        name: "monitor",
        aliases: &["td", "tcpdump"],
        summary: "show mesh frames, live or from a file",
        about: "One line for each frame with everything it says. Without -i it listens on all hard interfaces of the \
                running node, sent frames included. Needs CAP_NET_RAW unless it reads a file.\n\n\
                TYPES is a list like \"ogm,icmp\", or the sum of batctl's numbers: ogm 1, ogm2 2, elp 4, icmp 8, \
                unicast 16, broadcast 32, tvlv 64, fragment 128, other 256, coded 512, multicast 1024.",
        flags: &[
            &[
                value("interface", Some('i'), "IF", "listen here; may be repeated").offers(Value::Interface).repeats(),
                value("read", Some('r'), "FILE", "show the frames of a pcap file instead").offers(Value::File),
                value("only", Some('p'), "TYPES", "only frames of these types").offers(FRAME_TYPES),
                value("except", Some('x'), "TYPES", "no frames of these types").offers(FRAME_TYPES),
                value("count", Some('c'), "N", "stop after so many frames"),
            ],
            NAMES,
            CONNECT,
            COMMON,
        ],
        ..NONE
    },
    Command {
        id: Id::Events,
        name: "events",
        aliases: &["e", "event"],
        summary: "what changes, as it happens",
        about: "One line for each, until the node stops: neighbours, nodes and gateways that come and go, clients that \
                roam, a routing algorithm that changes, and what somebody should look at: tables that are full, loops, \
                addresses that two devices use, ways and offers that cannot be. With --json a line of JSON for each.",
        flags: &[JSON, NAMES, CONNECT, COMMON],
        ..NONE
    },
    Command {
        id: Id::Explain,
        name: "explain",
        summary: "which way traffic to a node or client goes, and why",
        about: "Shows every way there with its numbers, the one in use first, why it is in use, and what is weak about \
                its first hop. DEST is what \"meshwork ping\" takes.",
        operands: &[operand("DEST", "whom to reach")],
        flags: &[ECHO, JSON, CONNECT, COMMON],
        ..NONE
    },
    Command {
        id: Id::History,
        name: "history",
        summary: "how a link or this node was, for an hour, two days or a month",
        about: "Shows, for this node or for one of its neighbours, how well each heard the other, what the link carried \
                for whom, and how often ways changed, one bar per step. DEST is what \"meshwork ping\" takes.\n\n\
                A node keeps this for itself and 24 neighbours in 497 kB of memory, and over a restart; it writes to \
                flash once a day at most.",
        operands: &[Operand {
            name: "DEST",
            help: "a neighbour; this node without it",
            optional: true,
            value: Value::Any,
        }],
        flags: &[HISTORY, ECHO, JSON, CONNECT, COMMON],
        ..NONE
    },
    Command {
        id: Id::Doctor,
        name: "doctor",
        aliases: &["dr"],
        summary: "what is wrong, and what to do about it",
        about: "Looks at everything that keeps a mesh from working: the node, its configuration, its hard interfaces, \
                who is heard on them and what they speak, loops and MACs that are there twice, the kernel module, rights, \
                packet filters, addresses, and for radios their kind, channel, key and stations. Says in plain words \
                what is wrong, worst first, and what to do. It needs no running node, changes nothing and sends nothing; \
                as root it sees more. A radio that meets nobody waits for beacons on all channels, some seconds more.\n\n\
                Ends with 0 if there are hints at most, with 3 for warnings, with 4 for errors.",
        flags: &[
            &[
                value(
                    "interface",
                    Some('i'),
                    "IF",
                    "look at this hard interface instead of the node's; may be repeated",
                )
                .offers(Value::Interface)
                .repeats(),
                value("time", Some('t'), "SECONDS", "how long to listen to the air").default("5"),
            ],
            CONFIG_FILE,
            JSON,
            CONNECT,
            COMMON,
        ],
        ..NONE
    },
    Command {
        id: Id::Scan,
        name: "scan",
        summary: "which meshes the radios hear, and which can be joined",
        about: "One line for each mesh of 802.11s and each ad-hoc network: channel, strength of the strongest node, \
                which routing algorithm was heard, and whether this machine can join it, or why not. Needs no running \
                node, but CAP_NET_ADMIN and CAP_NET_RAW.\n\n\
                A radio that serves an access point only looks at that channel, unless --all-channels says otherwise.",
        flags: &[
            SEARCH,
            &[
                value("listen", None, "SECONDS", "listen for the algorithm so long on each channel; 0 not at all")
                    .default("2.2"),
                switch("json", Some('j'), "print one line of JSON instead"),
            ],
            COMMON,
        ],
        ..NONE
    },
    Command {
        id: Id::Join,
        name: "join",
        summary: "join a mesh by its name, with no file written beforehand",
        about: "Looks for the mesh, checks that a radio can join it, writes what it uses into the configuration file, \
                and brings the radio up. Says within ten seconds who the neighbours are. If a node runs already with \
                that file, it takes the radio in; else this command is the node from then on, until it is told to \
                stop, and later \"meshwork run\" is the same node.\n\n\
                A mesh that nobody is heard of is founded if --channel says where. The country must be known to the \
                system, or said with --country. A radio that another service looks after is left alone, and a channel \
                on which it serves an access point stays as it is.",
        operands: &[operand("NAME", "name of the mesh (mesh id), or of the ad-hoc network")],
        flags: &[
            SEARCH,
            &[
                value("channel", None, "N", "only look on this channel, and found the mesh there if it is not heard"),
                value("width", None, "MHZ", "width of the channel of a mesh to be founded").default("20"),
                value("mode", None, "MODE", "only a mesh of 802.11s (mesh), or an ad-hoc network (adhoc)")
                    .offers(Value::Words(&["mesh", "adhoc"])),
                value("country", None, "CC", "the country that the radio is in, like DE; said to all radios"),
                value("passphrase-file", None, "FILE", "file with the passphrase of a mesh protected by SAE")
                    .offers(Value::File),
                value("interface", Some('i'), "IF", "the interface to make, or to use").default("wmesh0"),
                switch("write-only", None, "write the configuration and start nothing"),
                switch("json", Some('j'), "print one line of JSON instead"),
            ],
            CONFIG_FILE,
            CONNECT,
            COMMON,
        ],
        ..NONE
    },
    Command {
        id: Id::Setup,
        name: "setup",
        summary: "which mesh a fresh router is to be in, and why not another",
        about: "Listens on all radios and decides: the mesh that the community file names is joined where it is heard and \
                founded where it is not; without such a file those in reach are offered, and where there are none, one is \
                founded. Two of the same name melt together when they meet. Changes nothing: on OpenWrt \
                /usr/lib/meshwork/setup acts on it, elsewhere \"meshwork join\". What keeps a mesh from being joined is \
                named: channel, key, version, algorithm, country, wpad or radio.",
        operands: &[Operand {
            name: "NAME",
            help: "the mesh to be in, by its mesh id, whatever the file names",
            optional: true,
            value: Value::Any,
        }],
        flags: &[
            &[
                value("community", None, "FILE", "the community file")
                    .default(config::COMMUNITY_FILE)
                    .offers(Value::File),
                switch("json", Some('j'), "print one line of JSON instead"),
                switch("shell", None, "print the decision for a shell, with the passphrase"),
            ],
            SEARCH,
            COMMON,
        ],
        ..NONE
    },
    Command {
        id: Id::Home,
        name: "home",
        summary: "look after addresses and names of clients, beside a node",
        about: "For routers, started by the system there. Keeps the IPv4 address of the node its own, which is the \
                first of the pool that it hands out by DHCP: from the name of the mesh follow the networks of all \
                nodes, from its own MAC the order in which a node tries the pools, and of two nodes that have the \
                same the one with the higher MAC moves on. Answers for names of nodes and clients, on port 4306 of \
                the loopback interface as DNS and among nodes by multicast. Runs a program when clients get or lose \
                a gateway, and when the address changes.\n\n\
                With --print or --json it only says which addresses the node takes.",
        operands: &[operand("MESH", "name of the mesh, by which its nodes agree on networks")],
        flags: &[
            &[
                value("interface", Some('i'), "IF", "interface of clients").default("br-mesh").offers(Value::Interface),
                value("mac", None, "MAC", "its MAC address, where it is not there yet"),
                value("address", None, "ADDRESS", "IPv4 address that the node has already"),
                value("network", None, "NETWORK", "IPv4 network of the whole mesh instead of that of its name"),
                value("name", None, "NAME", "the node's own name, one word").default("node"),
                value("domain", None, "DOMAIN", "where names of the mesh end").default("mesh"),
                value("leases", None, "FILE", "dnsmasq's list of leases")
                    .default("/tmp/dhcp.leases.mesh")
                    .offers(Value::File),
                value("hook", None, "FILE", "program to run: \"gateway on\", \"gateway off\", \"address NEW\"")
                    .offers(Value::File),
                switch("print", Some('p'), "print the addresses for a shell, and end"),
                switch("json", Some('j'), "print the addresses as one line of JSON, and end"),
            ],
            CONNECT,
            COMMON,
        ],
        ..NONE
    },
    Command {
        id: Id::Config,
        name: "config",
        summary: "check the configuration file",
        about: "",
        flags: &[COMMON],
        commands: &[Command {
            id: Id::ConfigCheck,
            name: "check",
            summary: "say what is wrong with a configuration file",
            about: "Names everything that is wrong with line, column, what was found and what is allowed, and ends \
                    with 2. With --print it prints what holds in the end, every setting written out. With --uci it reads \
                    OpenWrt's files as a node does: what is wrong is named, and its default holds.",
            operands: &[Operand {
                name: "FILE",
                help: "the file; without it the usual one",
                optional: true,
                value: Value::File,
            }],
            flags: &[&[switch("print", Some('p'), "print the configuration that holds")], UCI, COMMON],
            ..NONE
        }],
        ..NONE
    },
    Command {
        id: Id::ImportUci,
        name: "import-uci",
        summary: "OpenWrt: take an existing batman-adv configuration over",
        about: "Hands the batman-adv interfaces of /etc/config/network to Meshwork, by changing their protocol and \
                nothing else. Without --write it only says what would change. With --undo it goes the other way. The \
                file as it was stays beside it as network.before-meshwork.",
        flags: &[
            &[
                switch("write", Some('w'), "change the file"),
                switch("undo", Some('u'), "hand Meshwork's interfaces back to batman-adv"),
                switch("json", Some('j'), "print one line of JSON instead"),
                UCI_DIR,
            ],
            COMMON,
        ],
        ..NONE
    },
    UPGRADE,
    #[cfg(feature = "desk")]
    Command {
        id: Id::Live,
        name: "top",
        summary: "neighbours, ways and traffic, live in the terminal",
        about: "Looks once a second. What leaves is shown by class: control messages, the owner's frames, guests', and \
                those carried for others. Ways are sorted by quality, the weakest first. q ends it.",
        flags: &[NAMES, CONNECT, COMMON],
        ..NONE
    },
    Command {
        id: Id::Batctl,
        name: "batctl",
        summary: "a command line of batctl, as scripts have it",
        about: "What follows is read as batctl reads it: \"meshwork batctl meshif bat0 o\" prints the table of originators, \
                \"meshwork batctl nj\" the list of neighbours, \"meshwork batctl gw_mode\" a setting. A link to this program \
                that is called batctl does the same. Settings are printed, not changed: that is done in the configuration. \
                There is no bisect_iv, loglevel, throughput_override and vlan_json.",
        operands: &[
            Operand { name: "COMMAND", help: "batctl's command, or a setting", optional: false, value: Value::Any },
            Operand { name: "VALUE", help: "what follows it", optional: true, value: Value::Any },
        ],
        flags: &[CONNECT, COMMON],
        ..NONE
    },
    Command {
        id: Id::Json,
        name: "json",
        aliases: &[
            "mesh_json",
            "mj",
            "hardifs_json",
            "hj",
            "neighbors_json",
            "nj",
            "originators_json",
            "oj",
            "gateways_json",
            "gwj",
            "transtable_local_json",
            "tlj",
            "transtable_global_json",
            "tgj",
            "dat_cache_json",
            "dcj",
            "bla_claim_json",
            "clj",
            "bla_backbone_json",
            "bbj",
            "mcast_flags_json",
            "mfj",
        ],
        summary: "the bare lists that batctl's *_json commands print",
        about: "For scripts that were written for batctl: neighbors_json (nj), originators_json (oj), gateways_json (gwj), \
                transtable_local_json (tlj), transtable_global_json (tgj), dat_cache_json (dcj), bla_claim_json (clj), bla_backbone_json (bbj), mcast_flags_json (mfj), hardifs_json (hj) and mesh_json (mj) are \
                commands of their own too and print what batctl prints, without the envelope of --json.",
        operands: &[Operand {
            name: "LIST",
            help: "which list",
            optional: true,
            value: Value::Words(&[
                "mesh_json",
                "hardifs_json",
                "neighbors_json",
                "originators_json",
                "gateways_json",
                "transtable_local_json",
                "transtable_global_json",
                "dat_cache_json",
                "bla_claim_json",
                "bla_backbone_json",
                "mcast_flags_json",
            ]),
        }],
        flags: &[CONNECT, COMMON],
        ..NONE
    },
    #[cfg(feature = "lab")]
    LAB,
    #[cfg(feature = "desk")]
    Command {
        id: Id::Man,
        name: "man",
        summary: "print the manual page",
        about: "In the form that man(1) reads: meshwork man > meshwork.8; man -l meshwork.8",
        ..NONE
    },
    #[cfg(feature = "desk")]
    Command {
        id: Id::Completions,
        name: "completions",
        summary: "print the completions for a shell",
        about: "For bash: meshwork completions bash > /etc/bash_completion.d/meshwork",
        operands: &[Operand {
            name: "SHELL",
            help: "bash, zsh or fish",
            optional: false,
            value: Value::Words(&["bash", "zsh", "fish"]),
        }],
        ..NONE
    },
    Command {
        id: Id::Version,
        name: "version",
        summary: "print the version",
        about: "With --json the versions of protocol and control socket too.",
        flags: &[JSON, COMMON],
        ..NONE
    },
    Command {
        id: Id::Help,
        name: "help",
        summary: "print the help of a command",
        about: "The same as the --help of that command.",
        operands: &[Operand { name: "COMMAND", help: "which command", optional: true, value: Value::Any }],
        ..NONE
    },
];

/// Where the files of an upgrade lie.
const UPGRADE_FILES: &[Flag] = &[
    value("settings", None, "FILE", "whom to believe and where to look")
        .default("/etc/config/meshwork-upgrade")
        .offers(Value::File),
    value("root", None, "DIR", "the folder that all files are taken from, for tests and images")
        .default("/")
        .offers(Value::Directory),
];

const UPGRADE_SOURCE: &[Operand] = &[Operand {
    name: "SOURCE",
    help: "a folder or an address with a meshwork.manifest; without it that of the settings",
    optional: true,
    value: Value::Directory,
}];

const UPGRADE: Command = Command {
    id: Id::Upgrade,
    name: "upgrade",
    summary: "signed upgrades that go back by themselves",
    about: "Without a word behind it: what runs, whom this node believes, what waits and what is on trial.\n\n\
            An upgrade is a manifest that enough signers have signed, with a serial that grows, and the images that it \
            names. After one the node has ten minutes to see a neighbour again, if it saw one before; else the former \
            program comes back. No clock is needed. Once the service is enabled in /etc/config/meshwork-upgrade, each \
            node waits for a moment of its own, leaf nodes before those that others depend on.",
    flags: &[JSON, UPGRADE_FILES, COMMON],
    commands: &[
        Command {
            id: Id::UpgradeCheck,
            name: "check",
            summary: "say what is offered, and why this node would refuse it",
            operands: UPGRADE_SOURCE,
            flags: &[JSON, UPGRADE_FILES, COMMON],
            ..NONE
        },
        Command {
            id: Id::UpgradeApply,
            name: "apply",
            summary: "install what is offered now, without waiting",
            about: "Checks everything first; nothing is changed when something is wrong. A firmware goes through \
                    sysupgrade. Where the device has no room for two of them it is installed only with \
                    --without-way-back.",
            operands: UPGRADE_SOURCE,
            flags: &[
                &[switch("without-way-back", None, "install a firmware although nothing leads back from it")],
                UPGRADE_FILES,
                COMMON,
            ],
            ..NONE
        },
        Command {
            id: Id::UpgradeConfirm,
            name: "confirm",
            summary: "keep what is on trial without waiting for a neighbour",
            flags: &[UPGRADE_FILES, COMMON],
            ..NONE
        },
        Command {
            id: Id::UpgradeBack,
            name: "back",
            summary: "go back to the former version while the new one is on trial",
            flags: &[UPGRADE_FILES, COMMON],
            ..NONE
        },
        Command {
            id: Id::UpgradeService,
            name: "service",
            summary: "look after what is on trial, then for upgrades",
            about: "What /etc/init.d/meshwork-upgrade runs. It ends when nothing is on trial and looking for upgrades \
                    is not enabled.",
            flags: &[UPGRADE_FILES, COMMON],
            ..NONE
        },
    ],
    ..NONE
};

/// Frame types of `monitor`, with batctl's number for each.
pub const FRAME_TYPE_NAMES: &[(&str, u32)] = &[
    ("ogm", 1),
    ("ogm2", 2),
    ("elp", 4),
    ("icmp", 8),
    ("unicast", 16),
    ("broadcast", 32),
    ("tvlv", 64),
    ("fragment", 128),
    ("other", 256),
    ("coded", 512),
    ("multicast", 1024),
];

const FRAME_TYPES: Value = Value::Words(&[
    "ogm",
    "ogm2",
    "elp",
    "icmp",
    "unicast",
    "broadcast",
    "tvlv",
    "fragment",
    "other",
    "coded",
    "multicast",
]);

#[cfg(feature = "lab")]
const LAB_DIR: &[Flag] = &[value("dir", None, "DIR", "folder of sockets and logs")
    .default("/run/meshwork-lab, or meshwork-lab in $XDG_RUNTIME_DIR")
    .offers(Value::Directory)];

#[cfg(feature = "lab")]
const LAB: Command = Command {
    id: Id::Lab,
    name: "lab",
    summary: "build a whole mesh on this machine and watch it",
    about: "Every node is the real daemon in its own network namespace, joined by a simulated radio; clients behind \
            some of them ping each other and transfer data. Runs as root, and where the system allows user \
            namespaces as an ordinary user.\n\n\
            Without --for it runs until q is pressed. With --for it ends by itself with a summary, and with 0 only if \
            every pair of clients was reachable, else 1; 130 when it was interrupted. The commands below talk to the \
            lab that runs, from another terminal.",
    flags: &[
        &[
            value("nodes", None, "N", "nodes of the default shape, a ladder").default("6"),
            value(
                "topology",
                Some('t'),
                "SHAPE",
                "line:N, ring:N, ladder:N, grid:COLUMNSxROWS, tree:N, random:N, full:N, or a NetJSON file",
            ),
            value("clients", None, "N", "nodes with a client behind them, as far apart as possible, or \"all\"")
                .default("4"),
            value("medium", None, "KIND", "radio: a simulated radio channel; veth: veth pairs, for speed")
                .default("radio")
                .offers(Value::Words(&["radio", "veth"])),
            value("loss", None, "SHARE", "frames lost per link and direction, 0.0 to 1.0").default("0.05"),
            value("rate", None, "MBIT", "rate of unicast frames").default("54"),
            value("seed", None, "N", "seed of loss, back-off and random shapes").default("1"),
            value("for", None, "TIME", "end after this time, like 30s"),
            switch("json", Some('j'), "print the summary as JSON; progress goes to standard error"),
            value("stagger", None, "TIME", "time between the starts of two nodes").default("0s"),
            value("hop-penalty", None, "N", "hop penalty of all nodes; lower it beyond 30 hops").default("30"),
            value("algorithm", None, "NAME", "routing algorithm: auto, IV or V")
                .default("IV")
                .offers(Value::Words(&["auto", "IV", "V"])),
            switch("no-fast-start", None, "without the daemon's fast start"),
            switch("no-tcp", None, "without TCP transfers"),
        ],
        LAB_DIR,
        COMMON,
    ],
    commands: &[
        lab_command("cut", "cut the link between two nodes, silently, as a wall would", &[NODE_A, NODE_B], LAB_PLAIN),
        lab_command("heal", "undo a cut", &[NODE_A, NODE_B], LAB_PLAIN),
        lab_command(
            "add",
            "add a node with a client",
            &[],
            &[&[value("to", None, "A,B", "in reach of these nodes").default("the last one")], LAB_DIR, COMMON],
        ),
        lab_command("kill", "kill -9 a node's daemon and switch its radio off", &[NODE], LAB_PLAIN),
        lab_command("restart", "start a killed node again", &[NODE], LAB_PLAIN),
        lab_command(
            "tcp",
            "run a TCP transfer",
            &[
                Operand { optional: true, ..operand("FROM", "node of the sending client") },
                Operand { optional: true, ..operand("TO", "node of the receiving client") },
            ],
            LAB_PLAIN,
        ),
        lab_command("status", "what the lab shows, once", &[], &[JSON, LAB_DIR, COMMON]),
        lab_command("stop", "end the lab", &[], LAB_PLAIN),
    ],
    ..NONE
};

#[cfg(feature = "lab")]
const NODE_A: Operand = operand("A", "one node");
#[cfg(feature = "lab")]
const NODE_B: Operand = operand("B", "the other node");
#[cfg(feature = "lab")]
const NODE: Operand = operand("NODE", "the node");
#[cfg(feature = "lab")]
const LAB_PLAIN: &[&[Flag]] = &[LAB_DIR, COMMON];

#[cfg(feature = "lab")]
const fn lab_command(
    name: &'static str,
    summary: &'static str,
    operands: &'static [Operand],
    flags: &'static [&'static [Flag]],
) -> Command {
    Command { id: Id::LabAsk, name, summary, operands, flags, ..NONE }
}
