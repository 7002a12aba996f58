//! What a file means, and that it can be written down again.

use config::checked::{Io, Level, Link, Measure, Wifi};
use config::{Config, Http, Listen, Override, Overrides, keys};
use proptest::prelude::*;
use std::path::PathBuf;
use std::time::Duration;

fn parse(text: &str) -> Config {
    Config::parse("m.toml", text, &Overrides::default()).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn an_empty_file_is_the_defaults() {
    assert_eq!(parse(""), Config::default());
    assert_eq!(parse("[mesh]\n[limits]\n[control]\n[log]\n"), Config::default());
    assert_eq!(Config::default().socket(), PathBuf::from("/run/meshwork/mesh0.sock"));
}

#[test]
fn every_setting() {
    let config = parse(EVERYTHING);
    assert_eq!(config.mesh.name, "bat0");
    assert_eq!(config.mesh.mac, Some("02:00:00:00:00:01".parse().unwrap()));
    assert_eq!(config.mesh.mtu, Some(1400));
    assert!(!config.mesh.up && !config.mesh.aggregation && !config.mesh.fragmentation && !config.mesh.fast_start);
    assert!(config.mesh.wifi_clients && !config.mesh.distributed_arp_table);
    assert!(!config.mesh.bridge_loop_avoidance);
    assert!(config.mesh.multicast_forceflood);
    assert_eq!(config.mesh.protected_clients.len(), 1);
    assert_eq!(config.mesh.multicast_fanout, 4);
    assert_eq!(config.mesh.hop_penalty, 15);
    assert_eq!(config.mesh.orig_interval, Duration::from_millis(2500));
    assert_eq!(config.mesh.state_dir, None);
    assert_eq!(
        config.links,
        [
            Link {
                interface: "wlan0".into(),
                hop_penalty: 5,
                throughput: Some(540),
                measure: Measure::Auto,
                broadcast_copies: Some(2),
                wifi: Wifi::Yes,
                io: Io::Portable
            },
            Link {
                interface: "eth0.3".into(),
                hop_penalty: 0,
                throughput: None,
                measure: Measure::Auto,
                broadcast_copies: None,
                wifi: Wifi::No,
                io: Io::Packet
            },
            Link {
                interface: "mesh1".into(),
                hop_penalty: 0,
                throughput: None,
                measure: Measure::Auto,
                broadcast_copies: None,
                wifi: Wifi::Auto,
                io: Io::Packet
            },
        ]
    );
    assert_eq!(config.limits.originators, 100);
    assert_eq!(config.limits.addresses, 500);
    assert_eq!(config.limits.fragment_memory, 1024 * 1024);
    assert_eq!(config.socket(), PathBuf::from("/tmp/mesh \"quoted\".sock"));
    assert_eq!(
        config.http,
        Http {
            listen: vec![Listen::Address([10, 0, 0, 1].into()), Listen::Interface("br-lan".into()), Listen::Mesh],
            port: 80,
            hosts: vec!["roof.example.org".into(), "*.mesh".into()],
            token_file: Some("/etc/mesh.token".into()),
            respondd: false,
        }
    );
    assert_eq!(config.control.group.as_deref(), Some("mesh"));
    assert_eq!(config.control.user.as_deref(), Some("nobody"));
    assert_eq!(config.log.level, Level::Warn);
    assert_eq!(config.log.parts, [("netlink".to_owned(), Level::Debug), ("io".to_owned(), Level::Trace)]);
}

/// Says something other than the default about every setting but the algorithm.
const EVERYTHING: &str = r#"
[mesh]
name = "bat0"
mac = "02:00:00:00:00:01"
mtu = 1400
up = false
hop_penalty = 15
orig_interval = "2.5s"
aggregation = false
fragmentation = false
fast_start = false
distributed_arp_table = false
bridge_loop_avoidance = false
wifi_clients = true
protected_clients = ["02:00:00:00:00:07"]
multicast_forceflood = true
multicast_fanout = 4
algorithm = "IV"
node_name = "roof"
state_dir = ""

[[link]]
interface = "wlan0"
throughput = "54Mbit"
broadcast_copies = 2
hop_penalty = 5
wifi = true
io = "portable"

[[link]]
interface = "eth0.3"
wifi = false

[[link]]
interface = "mesh1"
wifi = "auto"

[gateway]
mode = "server"
download = "50Mbit"
upload = "1.5Mbit"
class = 1
advantage = "10Mbit"
allowed = ["02:00:00:00:00:05", "02:00:00:00:00:06"]
plausible = "2Gbit"
router_advertisements = false
guard = true
check = ["ping:9.9.9.9", "tcp:[2620:fe::fe]:443", "dns:1.1.1.1"]
check_interval = "30s"
check_needed = 2
check_rounds = 5
check_interface = "wan"
wan = "eth5"
wan_down = "20Mbit"
wan_up = "4Mbit"

[share]
air = "yield"
give = "80%"
give_hours = ["22:00-06:00"]
give_budget = "50GiB"

[limits]
originators = 100
neighbors = 10
clients = 200
clients_per_originator = 50
local_clients = 20
vlans = 2
addresses = 500
fragment_memory = "1MiB"

[http]
listen = ["10.0.0.1", "br-lan", "mesh"]
port = 80
hosts = ["roof.example.org", "*.mesh"]
token_file = "/etc/mesh.token"
respondd = false

[control]
socket = '/tmp/mesh "quoted".sock'
group = "mesh"
user = "nobody"

[log]
level = "warn,netlink=debug,io=trace"
"#;

#[test]
fn the_printed_form_says_the_same() {
    for text in ["", EVERYTHING, "[[link]]\ninterface = \"a\"\n"] {
        let config = parse(text);
        assert_eq!(parse(&config.to_string()), config);
    }
}

#[test]
fn the_printed_form_is_complete() {
    let radios = "[[radio]]\ninterface = \"wlan3\"\nphy = \"phy0\"\nmesh_id = \"a\"\nchannel = 36\nwidth = 40\n\
                  country = \"DE\"\npassphrase_file = \"/etc/mesh.key\"\n\
                  [[radio]]\ninterface = \"wlan4\"\nmode = \"adhoc\"\nmesh_id = \"b\"\nchannel = 1\n\
                  bssid = \"02:ca:ff:ee:00:01\"\n";
    let printed = parse(&format!("{EVERYTHING}\n{radios}")).to_string();
    for key in keys::KEYS {
        assert!(printed.contains(&format!("\n{} = ", key.name)), "{} is missing in\n{printed}", key.name);
    }
}

#[test]
fn the_printed_defaults() {
    assert_eq!(
        Config::default().to_string(),
        "\
[mesh]
name = \"mesh0\"
# mac: chosen by the node
# mtu: chosen by the node
up = true
hop_penalty = 30
orig_interval = \"1s\"
aggregation = true
fragmentation = true
fast_start = true
distributed_arp_table = true
bridge_loop_avoidance = true
wifi_clients = false
multicast_forceflood = false
multicast_fanout = 16
algorithm = \"auto\"
elp_interval = \"500ms\"
extensions = true
publish = true
# node_name: chosen by the node
verify_forwarding = true
bonding = false
ap_isolation = false
ap_isolation_vlans = []
isolated_clients = false
protected_clients = []
throughput_meter = true
state_dir = \"/var/lib/meshwork\"

[gateway]
mode = \"off\"
download = \"10Mbit\"
upload = \"2Mbit\"
class = 20
advantage = \"5Mbit\"
allowed = []
plausible = \"10Gbit\"
router_advertisements = true
guard = false
check = []
check_interval = \"10s\"
check_needed = 1
check_rounds = 3
# check_interface: chosen by the node
wan = \"auto\"
# wan_down: chosen by the node
# wan_up: chosen by the node

[limits]
originators = 2048
neighbors = 256
clients = 16384
clients_per_originator = 2048
local_clients = 1600
vlans = 32
addresses = 4096
claims = 8192
fragment_memory = \"512KiB\"

[share]
queue = true
guests = []
air = \"equal\"
give = \"all\"
give_hours = []
# give_budget: chosen by the node

[http]
listen = [\"localhost\", \"mesh\"]
port = 4305
hosts = []
# token_file: chosen by the node
respondd = true

[control]
# socket: chosen by the node
# group: chosen by the node
# user: chosen by the node

[log]
level = \"info\"
"
    );
}

#[test]
fn the_command_line_goes_first() {
    let set = |key, value: &str, flag| Override { key, value: value.into(), flag };
    let overrides = Overrides {
        settings: vec![
            set("mesh.hop_penalty", "7", "--hop-penalty"),
            set("mesh.fast_start", "off", "--no-fast-start"),
            set("mesh.orig_interval", "200ms", "--orig-interval"),
            set("link.io", "packet", "--io"),
            set("mesh.hop_penalty", "8", "--hop-penalty"),
        ],
        interfaces: vec!["eth9".into(), "wlan0".into(), "eth9".into()],
    };
    let config = Config::parse("m.toml", EVERYTHING, &overrides).unwrap();
    // The last flag of several wins, as everywhere.
    assert_eq!(config.mesh.hop_penalty, 8);
    assert!(!config.mesh.fast_start);
    assert_eq!(config.mesh.orig_interval, Duration::from_millis(200));
    assert_eq!(config.mesh.mtu, Some(1400));
    assert_eq!(
        config.links,
        [
            Link::new("eth9"),
            Link {
                interface: "wlan0".into(),
                hop_penalty: 5,
                throughput: Some(540),
                measure: Measure::Auto,
                broadcast_copies: Some(2),
                wifi: Wifi::Yes,
                io: Io::Packet
            }
        ]
    );
}

proptest! {
    /// No text makes the reader panic, and what it takes it takes again from its own print.
    #[test]
    fn any_text(text in r#"(\[{1,2}(mesh|link|log)\]{1,2}\n|(name|mtu|level|interface|wifi|x) ?= ?(-?[0-9]{1,6}|"[a-z/ü0-9]{0,17}"|true|\[1\])\n|.{0,12}\n){0,8}"#) {
        if let Ok(config) = Config::parse("m.toml", &text, &Overrides::default()) {
            prop_assert_eq!(Config::parse("m.toml", &config.to_string(), &Overrides::default()).unwrap(), config);
        }
    }

    /// Errors can be printed wherever they are.
    #[test]
    fn any_place(text in ".{0,40}\\n{0,2}.{0,10}") {
        if let Err(errors) = Config::parse("m.toml", &text, &Overrides::default()) {
            prop_assert!(errors.to_string().starts_with("m.toml:"));
            for problem in errors.problems() {
                prop_assert!(errors.position(problem).is_some());
            }
        }
    }
}
