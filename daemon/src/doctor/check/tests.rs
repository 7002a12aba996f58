//! Every finding, from made-up facts.

use super::super::facts::*;
use super::super::finding::{Finding, Severity};
use super::examine;
use crate::netlink::{LinkInfo, LinkTable};
use crate::nl80211::Kind;
use packet::MacAddr;
use std::net::IpAddr;
use std::time::Duration;

fn mac(last: u8) -> MacAddr {
    MacAddr([2, 0, 0, 0, 0, last])
}

fn link(index: u32, name: &str) -> LinkInfo {
    LinkInfo {
        index,
        name: name.to_owned(),
        mac: mac(u8::try_from(index).unwrap()),
        mtu: 1532,
        up: true,
        carrier: true,
        hardware: 1,
        ..LinkInfo::default()
    }
}

fn links() -> Vec<LinkInfo> {
    vec![
        link(3, "wlan0"),
        LinkInfo { kind: "bridge".into(), ..link(5, "br-lan") },
        LinkInfo { kind: "tun".into(), mtu: 1500, ..link(9, "mesh0") },
    ]
}

/// A node on `wlan0` with one neighbour, and nothing wrong with it.
fn healthy() -> Facts {
    let running = Running {
        pid: 42,
        host_mac: mac(9),
        uptime: Duration::from_secs(100),
        mesh_mtu: 1500,
        fragmentation: true,
        orig_interval: Duration::from_secs(1),
        interfaces: vec![("wlan0".into(), None)],
        neighbors: vec![Neighbor { mac: mac(50), interface: "wlan0".into(), echo_count: 60, receive_count: 61 }],
        originators: 1,
        ..Running::default()
    };
    Facts {
        mesh: "mesh0".into(),
        listened: Duration::from_secs(5),
        node: Node::Running(Box::new(running)),
        rights: Rights { net_admin: true, net_raw: true },
        links: links().into_iter().collect(),
        wanted: vec!["wlan0".into()],
        air: vec![Air {
            interface: "wlan0".into(),
            incoming: 5,
            outgoing: 5,
            delivered: 5,
            stations: vec![Station { mac: mac(50), frames: 5, iv: true, ..Station::default() }],
            ..Air::default()
        }],
        addresses: vec![Address { ifindex: 9, ip: IpAddr::from([10, 0, 0, 1]), prefix: 24 }],
        clock: Clock { now: 1_800_000_000, jump: 0 },
        memory_available: Some(30 << 20),
        ..Facts::default()
    }
}

/// The same machine without a node.
fn idle() -> Facts {
    let mut facts = healthy();
    facts.node = Node::Absent;
    facts.links = links().into_iter().filter(|l| l.name != "mesh0").collect();
    facts
}

fn node(facts: &mut Facts) -> &mut Running {
    let Node::Running(running) = &mut facts.node else { panic!("no node") };
    running
}

fn change_link(facts: &mut Facts, name: &str, change: impl Fn(&mut LinkInfo)) {
    let mut all: Vec<LinkInfo> = facts.links.iter().cloned().collect();
    change(all.iter_mut().find(|l| l.name == name).unwrap());
    facts.links = all.into_iter().collect();
}

/// The one finding of this name; all others must not be worse than a hint.
#[track_caller]
fn only(facts: &Facts, code: &str) -> Finding {
    let report = examine(facts);
    let (found, others): (Vec<_>, Vec<_>) = report.findings.iter().cloned().partition(|f| f.code == code);
    assert_eq!(found.len(), 1, "{code}: {:#?}", report.findings);
    assert!(others.iter().all(|f| f.severity == Severity::Hint), "{code} and {others:#?}");
    found[0].clone()
}

#[track_caller]
fn finds(facts: &Facts, code: &str, severity: Severity, words: &str) -> Finding {
    let finding = only(facts, code);
    assert_eq!(finding.severity, severity, "{finding:?}");
    let all = format!("{} -> {}", finding.text, finding.advice);
    assert!(all.contains(words), "{all:?} should contain {words:?}");
    finding
}

#[test]
fn nothing_is_wrong_with_a_good_node() {
    let report = examine(&healthy());
    assert_eq!(report.findings, []);
    assert_eq!(
        report.fine,
        [
            "the node runs: process 42, B.A.T.M.A.N. IV, 1 neighbor, 1 originator",
            "wlan0 is up, a wire, MAC 02:00:00:00:00:03, MTU 1532",
            "on wlan0 5 mesh frames came in within 5 s, from 1 neighbor with B.A.T.M.A.N. IV",
        ]
    );
    assert_eq!((report.exit_code(), report.unseen.len()), (0, 0));
}

#[test]
fn worst_comes_first() {
    let mut facts = healthy();
    facts.clock.now = 100;
    facts.memory_available = Some(1000);
    change_link(&mut facts, "wlan0", |l| (l.master, l.master_kind) = (Some(5), "bridge".into()));
    let severities: Vec<_> = examine(&facts).findings.iter().map(|f| f.severity).collect();
    assert_eq!(severities, [Severity::Error, Severity::Warning, Severity::Hint]);
    assert_eq!(examine(&facts).exit_code(), 4);
}

#[test]
fn exit_codes() {
    let mut facts = healthy();
    facts.clock.now = 100;
    assert_eq!(examine(&facts).exit_code(), 0);
    facts.memory_available = Some(1000);
    assert_eq!(examine(&facts).exit_code(), 3);
}

#[test]
fn without_a_node() {
    let mut facts = idle();
    finds(&facts, "no_node", Severity::Error, "meshwork run -i wlan0");
    facts.wanted.clear();
    finds(&facts, "no_node", Severity::Error, "run -i INTERFACE");
    assert!(examine(&facts).unseen[0].contains("(wlan0 could be used)"), "{:?}", examine(&facts).unseen);
    facts.wanted = vec!["wlan0".into()];
    facts.config = Config::Good { file: "/etc/meshwork.toml".into(), interfaces: vec!["wlan0".into()] };
    assert_eq!(only(&facts, "no_node").advice, "Start it: meshwork run");
    facts.node = Node::Others(vec!["bat1".into()]);
    finds(&facts, "no_node", Severity::Error, "--mesh bat1");
}

#[test]
fn a_node_that_does_not_talk() {
    let mut facts = idle();
    facts.node = Node::Silent("it takes too long".into());
    finds(&facts, "node_silent", Severity::Error, "it takes too long");
    facts.node = Node::Denied;
    let report = examine(&facts);
    assert_eq!((report.findings.len(), report.unseen.len()), (0, 1));
    let mut facts = healthy();
    node(&mut facts).elsewhere = true;
    facts.air.clear();
    finds(&facts, "other_namespace", Severity::Error, "nsenter --net -t 42");
}

#[test]
fn configurations() {
    let mut facts = idle();
    facts.config = Config::Bad { file: "m.toml".into(), errors: "m.toml:1:1: nonsense".into() };
    let report = examine(&facts);
    assert!(report.has("bad_config") && report.worst() == Some(Severity::Error), "{report:?}");
    let mut facts = healthy();
    facts.config = Config::Bad { file: "m.toml".into(), errors: "m.toml:1:1: nonsense".into() };
    finds(&facts, "bad_config", Severity::Warning, "m.toml:1:1: nonsense");
    let mut facts = healthy();
    node(&mut facts).reload_error = Some("m.toml:2:2: more of it".into());
    finds(&facts, "reload_refused", Severity::Warning, "m.toml:2:2");
    let mut facts = idle();
    facts.wanted.clear();
    facts.config = Config::Good { file: "m.toml".into(), interfaces: vec![] };
    assert!(examine(&facts).has("no_interface"));
}

#[test]
fn a_node_that_is_alone() {
    let mut facts = healthy();
    node(&mut facts).neighbors.clear();
    finds(&facts, "no_neighbor", Severity::Error, "although 5 mesh frames came in");
    (facts.air[0].incoming, facts.air[0].delivered) = (0, 0);
    facts.air[0].stations.clear();
    finds(&facts, "no_neighbor", Severity::Error, "not one mesh frame came in");
    facts.air.clear();
    finds(&facts, "no_neighbor", Severity::Error, "channel and key");
    node(&mut facts).uptime = Duration::from_secs(3);
    finds(&facts, "no_neighbor", Severity::Hint, "started 3 s ago");
    node(&mut facts).interfaces[0].1 = Some("it is down".into());
    finds(&facts, "no_usable_interface", Severity::Error, "findings about its interfaces");
}

#[test]
fn links_that_work_one_way() {
    let mut facts = healthy();
    node(&mut facts).neighbors[0].echo_count = 0;
    finds(&facts, "one_way", Severity::Error, "61 of 64 messages");
    node(&mut facts).neighbors.push(Neighbor {
        mac: mac(51),
        interface: "wlan0".into(),
        echo_count: 64,
        receive_count: 64,
    });
    finds(&facts, "one_way", Severity::Warning, "02:00:00:00:00:32");
    node(&mut facts).uptime = Duration::from_secs(5);
    assert_eq!(examine(&facts).findings, [], "too early to tell");
    // B.A.T.M.A.N. V counts no echoes.
    node(&mut facts).uptime = Duration::from_secs(500);
    node(&mut facts).five = true;
    facts.air[0].stations[0] = Station { mac: mac(50), frames: 1, five: true, ..Station::default() };
    assert_eq!(examine(&facts).findings, []);
}

#[test]
fn losses_of_the_node() {
    for (reason, n, severity) in [
        ("own_source", 1, Severity::Error),
        ("no_route", 5, Severity::Warning),
        ("too_big", 1, Severity::Warning),
        ("seqno_protected", 20, Severity::Warning),
        ("ogm_queue_full", 5, Severity::Warning),
        ("bcast_queue_full", 5, Severity::Warning),
        ("originators_full", 1, Severity::Warning),
        ("local_clients_full", 1, Severity::Warning),
        ("fragment_timeout", 5, Severity::Warning),
    ] {
        assert!(mesh_core::Drop::ALL.iter().any(|d| d.name() == reason), "{reason} is no reason of the core");
        let mut facts = healthy();
        node(&mut facts).drops.insert(reason.into(), n - 1);
        assert_eq!(examine(&facts).findings, [], "{reason}");
        node(&mut facts).drops.insert(reason.into(), n);
        finds(&facts, "drops", severity, reason);
    }
    for counter in ["rx_overrun", "tx_errors", "tx_full"] {
        let names = crate::io::PortCounters::default().named().map(|(name, _)| name);
        assert!(names.contains(&counter), "{counter} is no counter of sockets");
        let mut facts = healthy();
        node(&mut facts).sockets.push(("wlan0".into(), counter.into(), 7));
        finds(&facts, "frames_lost", Severity::Warning, "7 frames");
    }
    let mut facts = healthy();
    node(&mut facts).sockets.push(("wlan0".into(), "rx_frames".into(), 7));
    assert_eq!(examine(&facts).findings, [], "that is no loss");
    node(&mut facts).punts_lost = 3;
    finds(&facts, "overloaded", Severity::Warning, "3 frames");
}

#[test]
fn what_the_node_has_noticed() {
    let mut facts = healthy();
    node(&mut facts).events.push(("originator_new".into(), "new originator".into()));
    assert_eq!(examine(&facts).findings, []);
    node(&mut facts).events.push(("table_full".into(), "the table of clients is full".into()));
    finds(&facts, "table_full", Severity::Warning, "the table of clients is full");
    let mut facts = healthy();
    node(&mut facts).events.push(("loop_detected".into(), "a loop in VLAN 7".into()));
    finds(&facts, "loop", Severity::Error, "a loop in VLAN 7");
    let mut facts = healthy();
    node(&mut facts).clients_elsewhere.push((mac(9), mac(50)));
    finds(&facts, "client_twice", Severity::Warning, "mesh interface 02:00:00:00:00:09");
}

#[test]
fn interfaces_that_cannot_carry_the_mesh() {
    type Change = fn(&mut LinkInfo);
    let cases: [(Change, &str, &str); 5] = [
        (|l| (l.master, l.master_kind) = (Some(5), "bridge".into()), "bridge_port", "ip link set wlan0 nomaster"),
        (
            |l| (l.master, l.master_kind) = (Some(5), "batadv".into()),
            "kernel_module",
            "batctl meshif br-lan interface del wlan0",
        ),
        (|l| l.hardware = 803, "unusable_interface", "monitor mode"),
        (|l| l.up = false, "interface_down", "ip link set wlan0 up"),
        (|l| l.carrier = false, "no_carrier", "cable"),
    ];
    for (change, code, words) in cases {
        let mut facts = healthy();
        change_link(&mut facts, "wlan0", change);
        assert_eq!(finds(&facts, code, Severity::Error, words).interface.as_deref(), Some("wlan0"));
    }
    let mut facts = healthy();
    facts.wanted.push("wlan1".into());
    finds(&facts, "no_such_interface", Severity::Warning, "Is wlan0 meant? This machine has wlan0, br-lan and mesh0.");
    let mut facts = idle();
    change_link(&mut facts, "wlan0", |l| l.up = false);
    let report = examine(&facts);
    assert!(report.findings.iter().any(|f| f.code == "interface_down" && f.severity == Severity::Hint), "{report:?}");
    let mut facts = healthy();
    facts.switched_off = vec![("phy0".into(), "software")];
    finds(&facts, "radio_off", Severity::Error, "rfkill unblock wifi");
    facts.switched_off = vec![("phy0".into(), super::HARD)];
    finds(&facts, "radio_off", Severity::Error, "Use the switch");
}

#[test]
fn a_mesh_that_runs_over_itself() {
    let mut facts = healthy();
    facts.wanted = vec!["br-lan".into()];
    change_link(&mut facts, "mesh0", |l| (l.master, l.master_kind) = (Some(5), "bridge".into()));
    finds(&facts, "mesh_in_itself", Severity::Error, "ip link set mesh0 nomaster");
    // The same with a VLAN of the bridge.
    facts.wanted = vec!["br-lan.5".into()];
    let vlan = LinkInfo { below: Some(5), kind: "vlan".into(), ..link(7, "br-lan.5") };
    facts.links = facts.links.iter().cloned().chain([vlan]).collect();
    finds(&facts, "mesh_in_itself", Severity::Error, "over br-lan.5");
}

#[test]
fn packets_that_do_not_fit() {
    let mut facts = healthy();
    change_link(&mut facts, "wlan0", |l| l.mtu = 1500);
    finds(&facts, "mtu", Severity::Hint, "two fragments");
    change_link(&mut facts, "wlan0", |l| l.mtu = 1400);
    finds(&facts, "mtu", Severity::Warning, "more than 1368 bytes");
    change_link(&mut facts, "wlan0", |l| l.mtu = 1500);
    node(&mut facts).fragmentation = false;
    finds(&facts, "mesh_mtu", Severity::Error, "ip link set mesh0 mtu 1468");
    let mut facts = healthy();
    facts.wanted.push("eth0".into());
    facts.links = links().into_iter().chain([LinkInfo { mac: mac(3), ..link(4, "eth0") }]).collect::<LinkTable>();
    finds(&facts, "same_mac", Severity::Warning, "wlan0 and eth0 have the same MAC");
}

#[test]
fn nodes_that_speak_something_else() {
    let old = |v| Station { mac: mac(60), frames: 3, versions: [v].into(), ..Station::default() };
    let five = Station { mac: mac(61), frames: 3, five: true, ..Station::default() };
    let mut facts = healthy();
    facts.air[0].stations.push(old(14));
    finds(&facts, "compat_version", Severity::Warning, "02:00:00:00:00:3c speaks compat version 14");
    facts.air[0].stations = vec![old(14)];
    finds(&facts, "compat_version", Severity::Error, "this node 15");
    let mut facts = healthy();
    facts.air[0].stations.push(five.clone());
    finds(&facts, "other_algorithm", Severity::Warning, "speaks B.A.T.M.A.N. V, this node B.A.T.M.A.N. IV");
    facts.air[0].stations = vec![five.clone()];
    finds(&facts, "other_algorithm", Severity::Error, "algorithm = \"V\"");
    node(&mut facts).five = true;
    assert_eq!(examine(&facts).findings, []);
    // Without a node it is only said that there are two meshes.
    let mut facts = idle();
    facts.air[0].stations.push(five);
    let report = examine(&facts);
    assert!(report.has("two_algorithms") && !report.has("other_algorithm"), "{report:?}");
}

#[test]
fn frames_that_come_back_or_are_somebody_elses() {
    let mut facts = healthy();
    facts.air[0].own_back = 1;
    finds(&facts, "loop", Severity::Error, "there is a loop");
    let mut facts = healthy();
    facts.air[0].own_mac = 2;
    finds(&facts, "duplicate_mac", Severity::Error, "MAC of wlan0: 2 frames");
    let mut facts = healthy();
    facts.air[0].tagged = 2;
    finds(&facts, "tagged", Severity::Warning, "VLAN tag");
    let mut facts = healthy();
    facts.air[0].twins = vec![mac(50)];
    finds(&facts, "originator_twice", Severity::Warning, "02:00:00:00:00:32");
    let mut facts = healthy();
    facts.air[0].flooded = 5000;
    finds(&facts, "storm", Severity::Warning, "1000 flooded frames per second");
}

fn chain(family: &'static str, hook: &'static str, drop_policy: bool) -> Chain {
    let devices = if family == "netdev" { vec!["wlan0".into()] } else { vec![] };
    Chain { family, table: "t".into(), name: "c".into(), hook, devices, drop_policy, drops: usize::from(!drop_policy) }
}

#[test]
fn frames_that_are_stopped_inside_the_machine() {
    let mut facts = healthy();
    facts.air[0].delivered = 0;
    finds(&facts, "blocked_in", Severity::Error, "tc filter show dev wlan0");
    facts.firewall.queues = vec![("wlan0".into(), "clsact".into()), ("eth9".into(), "netem".into())];
    let finding = finds(&facts, "blocked_in", Severity::Error, "queueing discipline clsact");
    assert!(!finding.advice.contains("netem"), "{finding:?}");
    let mut facts = healthy();
    facts.air[0].outgoing = 0;
    facts.firewall.queues = vec![("wlan0".into(), "netem".into())];
    finds(&facts, "blocked_out", Severity::Error, "queueing discipline netem");
    node(&mut facts).orig_interval = Duration::from_secs(5);
    assert_eq!(examine(&facts).findings, [], "it may not have had to send yet");
    // Whoever takes the frames has a finding of its own.
    let mut facts = healthy();
    facts.air[0].delivered = 0;
    change_link(&mut facts, "wlan0", |l| (l.master, l.master_kind) = (Some(5), "bridge".into()));
    only(&facts, "bridge_port");
}

#[test]
fn packet_filters() {
    let mut facts = healthy();
    facts.firewall.chains = vec![chain("netdev", "ingress", false)];
    finds(&facts, "firewall", Severity::Warning, "nft list chain netdev t c");
    facts.firewall.chains = vec![chain("netdev", "ingress", true)];
    finds(&facts, "firewall", Severity::Error, "drops by default");
    facts.firewall.chains = vec![chain("ip", "input", true), chain("bridge", "forward", true)];
    finds(&facts, "ip_firewall", Severity::Hint, "firewall zone");
    change_link(&mut facts, "mesh0", |l| (l.master, l.master_kind) = (Some(5), "bridge".into()));
    finds(&facts, "bridge_firewall", Severity::Hint, "sits in br-lan");
    facts.firewall.chains = vec![];
    facts.switches.bridge_calls_iptables = true;
    finds(&facts, "bridge_netfilter", Severity::Hint, "bridge-nf-call-iptables=0");
    facts.firewall.chains = vec![chain("ip", "forward", true)];
    finds(&facts, "bridge_netfilter", Severity::Warning, "chain ip t c");
    let mut facts = healthy();
    facts.firewall.unread = Some("needs CAP_NET_ADMIN".into());
    assert_eq!(examine(&facts).unseen, ["packet filters: needs CAP_NET_ADMIN"]);
}

#[test]
fn rights_and_the_kernel() {
    let mut facts = idle();
    facts.rights = Rights::default();
    let report = examine(&facts);
    assert!(report.findings.iter().any(|f| f.code == "no_rights" && f.severity == Severity::Warning), "{report:?}");
    let mut facts = healthy();
    facts.rights.net_raw = false;
    facts.deaf = vec![("wlan0".into(), "needs CAP_NET_RAW".into())];
    finds(&facts, "no_rights", Severity::Hint, "lacks CAP_NET_RAW,");
    assert_eq!(examine(&facts).unseen, ["mesh frames on wlan0: needs CAP_NET_RAW"]);
    for (tun, packet, code) in [
        (Ability::Missing, Ability::Fine, "no_tun"),
        (Ability::Broken("odd".into()), Ability::Fine, "no_tun"),
        (Ability::Denied, Ability::Fine, "tun_denied"),
        (Ability::Fine, Ability::Missing, "no_packet_sockets"),
        (Ability::Fine, Ability::Broken("odd".into()), "no_packet_sockets"),
    ] {
        let mut facts = idle();
        (facts.kernel.tun, facts.kernel.packet) = (tun, packet);
        assert!(examine(&facts).has(code), "{code}");
        facts.node = healthy().node;
        facts.links = healthy().links;
        assert!(!examine(&facts).has(code), "{code}: a node that runs has it");
    }
    let mut facts = idle();
    facts.links = links().into_iter().map(|l| LinkInfo { kind: "dummy".into(), ..l }).collect();
    assert!(examine(&facts).has("mesh_name_taken"));
    let mut facts = healthy();
    facts.kernel.batman_adv = Some("2024.2".into());
    assert!(examine(&facts).fine.iter().any(|f| f.contains("2024.2 is loaded and holds no interface")));
}

#[test]
fn the_mesh_interface() {
    let mut facts = healthy();
    change_link(&mut facts, "mesh0", |l| l.up = false);
    finds(&facts, "mesh_interface_down", Severity::Warning, "ip link set mesh0 up");
    let mut facts = healthy();
    facts.addresses.clear();
    finds(&facts, "mesh_interface_unused", Severity::Hint, "ip addr add");
    facts.links = links().into_iter().filter(|l| l.name != "mesh0").collect();
    finds(&facts, "mesh_interface_gone", Severity::Error, "restart the node");
    let mut facts = healthy();
    facts.addresses.push(Address { ifindex: 3, ip: IpAddr::from([10, 0, 0, 7]), prefix: 24 });
    finds(&facts, "same_subnet", Severity::Warning, "ip addr del 10.0.0.7/24 dev wlan0");
    facts.addresses[1].ip = IpAddr::from([10, 0, 1, 7]);
    assert_eq!(examine(&facts).findings, []);
    let mut facts = healthy();
    facts.switches = Switches { ip_forward: true, rp_filter: Some(1), bridge_calls_iptables: false };
    finds(&facts, "rp_filter", Severity::Hint, "rp_filter=2");
}

#[test]
fn clock_and_memory() {
    let mut facts = healthy();
    facts.clock.jump = -3600;
    finds(&facts, "clock_jumps", Severity::Warning, "-3600 s");
    let mut facts = healthy();
    facts.clock.now = 1000;
    finds(&facts, "clock_not_set", Severity::Hint, "NTP");
    let mut facts = healthy();
    facts.memory_available = Some(3 << 20);
    finds(&facts, "little_memory", Severity::Warning, "3072 KiB");
}

/// A mesh point called "lab" on channel 1 that knows nobody, and what it heard around.
fn radio(in_reach: &[(&str, u32, bool)]) -> Radio {
    let found = |(name, freq, secured): &(&str, u32, bool)| InReach {
        name: (*name).to_owned(),
        adhoc: false,
        freq: *freq,
        secured: *secured,
    };
    Radio {
        interface: "wlan0".into(),
        kind: Kind::MeshPoint,
        name: None,
        freq: Some(2412),
        keyed: Some(false),
        busy_percent: Some(10),
        peers: Vec::new(),
        plan: Some(RadioPlan { name: "lab".into(), adhoc: false, freq: Some(2412), secured: false }),
        in_reach: Some(in_reach.iter().map(found).collect()),
    }
}

#[test]
fn why_a_radio_meets_nobody() {
    let codes = |radio: Radio| {
        let report = examine(&Facts { radio: vec![radio], ..healthy() });
        report.findings.iter().map(|f| f.code).collect::<Vec<_>>()
    };
    assert_eq!(codes(radio(&[("lab", 2412, false)])), [""; 0]);
    assert_eq!(codes(radio(&[("lab", 2437, false), ("other", 2412, false)])), ["other_channel"]);
    assert_eq!(codes(radio(&[("Lab", 2412, false)])), ["other_mesh_id"]);
    assert_eq!(codes(radio(&[("lab", 2412, true)])), ["key"]);
    assert_eq!(codes(radio(&[])), ["no_mesh_in_reach"]);
    assert_eq!(codes(Radio { kind: Kind::AdHoc, ..radio(&[("lab", 2412, false)]) }), ["other_kind"]);
    assert_eq!(codes(Radio { freq: None, ..radio(&[]) }), ["not_joined"]);
    assert_eq!(codes(Radio { kind: Kind::Station, ..radio(&[]) }), ["radio_kind"]);
    let peer = |established| Peer { mac: mac(7), established };
    assert_eq!(codes(Radio { peers: vec![peer(false)], ..radio(&[]) }), ["peering"]);
    assert_eq!(codes(Radio { peers: vec![peer(false), peer(true)], ..radio(&[]) }), [""; 0]);
    assert_eq!(codes(Radio { in_reach: None, ..radio(&[]) }), [""; 0]);
    assert_eq!(codes(Radio { busy_percent: Some(75), ..radio(&[("lab", 2412, false)]) }), ["channel_busy"]);
    // Its name is not known: only others can be named.
    assert_eq!(codes(Radio { plan: None, ..radio(&[("lab", 2437, false)]) }), ["other_mesh_id"]);
    let report = examine(&Facts { radio: vec![radio(&[("lab", 2437, false)])], ..healthy() });
    assert_eq!(report.findings[0].text, "The mesh \"lab\" is in reach on channel 6, but wlan0 is on channel 1.");
    assert!(report.fine.iter().any(|f| f == "wlan0: mesh \"lab\", on channel 1, without a key, 0 stations"));
}

#[test]
fn signs_of_lies_are_findings() {
    for (what, severity) in [
        ("address_twice", Severity::Error),
        ("metric_implausible", Severity::Warning),
        ("client_contested", Severity::Warning),
        ("address_flip", Severity::Warning),
        ("gateway_implausible", Severity::Warning),
    ] {
        let mut facts = healthy();
        node(&mut facts).events.push((what.into(), "two devices seem to be one".into()));
        let report = examine(&facts);
        assert_eq!((report.findings[0].code, report.findings[0].severity), (what, severity));
    }
}
