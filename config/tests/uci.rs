//! OpenWrt's configuration becomes what a TOML file becomes, and a mistake costs one option.

use config::uci::{Files, load, meshes};
use config::{Config, Overrides, keys};

fn from(meshwork: &str, network: &str, mesh: &str) -> (Config, Vec<String>) {
    let files = Files { meshwork, network, devices: Vec::new() };
    let (config, complaints) = load(&files, mesh, &Overrides::default());
    (config, complaints.iter().map(ToString::to_string).collect())
}

fn toml(text: &str) -> Config {
    Config::parse("test", text, &Overrides::default()).unwrap_or_else(|e| panic!("{e}"))
}

/// A TOML file as a person would write it in UCI: tables become sections, values words.
fn as_uci(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines().filter(|l| !l.starts_with('#') && !l.is_empty()) {
        let Some((key, value)) = line.split_once(" = ") else {
            out += &format!("config {}\n", line.trim_matches(['[', ']']));
            continue;
        };
        match value.strip_prefix('[') {
            Some(list) => {
                for item in list.trim_end_matches(']').split(", ").filter(|i| !i.is_empty()) {
                    out += &format!("\tlist {key} '{}'\n", item.trim_matches('"'));
                }
            }
            None => out += &format!("\toption {key} '{}'\n", value.trim_matches('"')),
        }
    }
    out
}

#[test]
fn every_setting_means_the_same_in_both_languages() {
    let odd = "[mesh]\nname = \"bat7\"\nmac = \"02:00:00:00:00:07\"\nmtu = 1400\nhop_penalty = 3\norig_interval = \"5s\"\n\
        aggregation = false\nalgorithm = \"V\"\nnode_name = \"roof\"\nmulticast_fanout = 3\nap_isolation = true\n\
        [[link]]\ninterface = \"eth1\"\nhop_penalty = 9\nthroughput = \"54Mbit\"\nmeasure = false\nbroadcast_copies = 2\nwifi = true\nio = \"portable\"\n\
        [[link]]\ninterface = \"eth2\"\n\
        [[radio]]\ninterface = \"m0\"\nmesh_id = \"town\"\nchannel = 36\nwidth = 80\ncountry = \"DE\"\n\
        [gateway]\nmode = \"server\"\ndownload = \"50Mbit\"\nupload = \"10Mbit\"\n[limits]\noriginators = 99\n\
        [share]\ngive = \"80%\"\ngive_hours = [\"22:00-06:00\", \"12:00-13:00\"]\ngive_budget = \"50GiB\"\n\
        [http]\nlisten = [\"br-mesh\", \"::1\"]\nport = 81\n[control]\nsocket = \"/run/x\"\n[log]\nlevel = \"info,netlink=debug\"\n";
    for wanted in [toml(""), toml(odd)] {
        let printed = wanted.to_string();
        let uci = as_uci(&printed);
        let (config, complaints) = from(&uci, "", &wanted.mesh.name);
        assert_eq!(complaints, Vec::<String>::new(), "{uci}");
        assert_eq!(config, wanted, "{uci}");
    }
}

#[test]
fn names_that_users_of_batman_adv_know() {
    let network = "config interface 'bat0'\n option proto meshwork\n option routing_algo BATMAN_V\n option aggregated_ogms 0\n\
        option ap_isolation 1\n option bonding 1\n option bridge_loop_avoidance 0\n option distributed_arp_table 0\n\
        option fragmentation 0\n option gw_mode server\n option gw_bandwidth 10MBit/2MBit\n option hop_penalty 15\n\
        option multicast_mode 0\n option multicast_fanout 4\n option orig_interval 5000\n option mtu 1400\n\
        config interface m0\n option proto meshwork_hardif\n option master bat0\n option device eth1\n option mtu 1532\n\
        option elp_interval 250\n option hop_penalty 7\n option throughput_override 100mbit\n";
    let wanted = toml(
        "[mesh]\nname = \"bat0\"\nalgorithm = \"V\"\naggregation = false\nap_isolation = true\nbonding = true\nbridge_loop_avoidance = false\n\
         distributed_arp_table = false\nfragmentation = false\nhop_penalty = 15\nmulticast_forceflood = true\nmulticast_fanout = 4\n\
         orig_interval = \"5s\"\nmtu = 1400\nelp_interval = \"250ms\"\n[gateway]\nmode = \"server\"\ndownload = \"10Mbit\"\nupload = \"2Mbit\"\n\
         [[link]]\ninterface = \"eth1\"\nhop_penalty = 7\nthroughput = \"100Mbit\"\n",
    );
    let (config, complaints) = from("", network, "bat0");
    assert_eq!(complaints, Vec::<String>::new());
    assert_eq!(config, wanted);
    let (config, complaints) =
        from("", &network.replace("gw_mode server", "gw_mode client\n option gw_sel_class 30"), "bat0");
    assert_eq!((config.gateway.class, complaints), (30, Vec::new()));
    let (config, _) = from("", &network.replace("10MBit/2MBit", "10000/2000"), "bat0");
    assert_eq!((config.gateway.download, config.gateway.upload), (wanted.gateway.download, wanted.gateway.upload));
}

/// The promise of the whole module: any nonsense in any option leaves a node that runs with all the others.
#[test]
fn a_bad_value_costs_one_option() {
    for key in keys::KEYS {
        if key.table == "mesh" && key.name == "name" || matches!(key.name, "interface" | "mesh_id" | "channel") {
            continue;
        }
        // Texts without a bound of their own take this too.
        let bad = "\u{fffd} no : such, value";
        let mut uci = "config mesh 'm'\n\toption fragmentation '0'\n".to_owned();
        match key.table {
            "mesh" => uci = format!("config mesh 'm'\n\toption {} '{bad}'\n", key.name),
            "link" => uci += &format!("config link\n\toption interface 'eth1'\n\toption {} '{bad}'\n", key.name),
            "radio" => {
                let mode = if key.name == "bssid" { "\toption mode 'adhoc'\n" } else { "" };
                let needs = format!("{mode}\toption interface 'r'\n\toption mesh_id 'x'\n\toption channel '1'\n");
                uci += &format!("config radio\n{needs}\toption {} '{bad}'\n", key.name);
            }
            table => uci += &format!("config {table}\n\toption {} '{bad}'\n", key.name),
        }
        let (config, complaints) = from(&uci, "", "m");
        assert_eq!(config.mesh.name, "m", "{uci}");
        if key.name == "phy" {
            continue; // any name is one
        }
        assert_eq!(complaints.len(), 1, "{uci}{complaints:?}");
        assert!(complaints[0].starts_with("/etc/config/meshwork:"), "{complaints:?}");
        assert!(complaints[0].contains(&format!(".{}: found", key.name)), "{complaints:?}");
        let shown = |c: &Config| c.to_string();
        let clean: String = uci.lines().filter(|l| !l.contains(bad)).map(|l| format!("{l}\n")).collect();
        assert_eq!(shown(&config), shown(&from(&clean, "", "m").0), "{uci}");
        if key.table != "radio" {
            assert_eq!(config.links.len(), usize::from(key.table == "link"));
        }
    }
}

#[test]
fn a_bad_value_of_the_known_names_costs_one_option_too() {
    let options = [
        "routing_algo",
        "aggregated_ogms",
        "ap_isolation",
        "bonding",
        "bridge_loop_avoidance",
        "distributed_arp_table",
        "fragmentation",
        "gw_mode",
        "gw_bandwidth",
        "gw_sel_class",
        "hop_penalty",
        "multicast_mode",
        "multicast_fanout",
        "orig_interval",
        "mtu",
        "macaddr",
        "hop_penalti",
    ];
    let clean = "config interface 'bat0'\n\toption proto 'meshwork'\n";
    for option in options {
        let (config, complaints) = from("", &format!("{clean}\toption {option} 'x!'\n"), "bat0");
        assert_eq!(complaints.len(), 1, "{option}: {complaints:?}");
        assert!(complaints[0].starts_with("/etc/config/network:3: network.bat0."), "{complaints:?}");
        assert!(complaints[0].contains(option), "{complaints:?}");
        assert_eq!(config, from("", clean, "bat0").0, "{option}");
    }
    for option in ["isolation_mark", "log_level", "network_coding"] {
        let (config, complaints) = from("", &format!("{clean}\toption {option} '1'\n"), "bat0");
        assert!(complaints.len() == 1 && complaints[0].contains("no effect"), "{complaints:?}");
        assert_eq!(config, from("", clean, "bat0").0);
    }
    let hardif = "config interface 'bat0'\n\toption proto 'meshwork'\nconfig interface 'm'\n\toption proto 'meshwork_hardif'\n\toption master 'bat0'\n\toption device 'eth1'\n";
    for option in ["hop_penalty", "throughput_override", "elp_interval"] {
        let (config, complaints) = from("", &format!("{hardif}\toption {option} 'x!'\n"), "bat0");
        assert!(complaints.len() == 1 && complaints[0].contains(&format!("network.m.{option}")), "{complaints:?}");
        assert_eq!(config, from("", hardif, "bat0").0);
    }
}

#[test]
fn a_typo_in_a_line_says_where() {
    let uci = "config mesh 'm'\n\toption hop_penalty 5'\n\toption mtu '1400'\nconfg link\n\toption interface 'eth0'\nconfig lnk\n";
    let (config, complaints) = from(uci, "", "m");
    assert_eq!(config.mesh.mtu, Some(1400));
    assert!(
        complaints.iter().any(|c| c.starts_with("/etc/config/meshwork:2: ") && c.contains("never closed")),
        "{complaints:?}"
    );
    assert!(
        complaints.iter().any(|c| c.starts_with("/etc/config/meshwork:4: ") && c.contains("confg")),
        "{complaints:?}"
    );
    assert!(complaints.iter().any(|c| c.contains(":6: ") && c.contains("did you mean \"link\"")), "{complaints:?}");
}

#[test]
fn the_status_endpoint_is_switched_off_by_its_section() {
    let (config, complaints) = from("config mesh 'm'\nconfig http\n\toption enabled '0'\n", "", "m");
    assert_eq!((config.http.listen, complaints), (vec![], vec![]));
    let (config, _) = from("config mesh 'm'\nconfig http\n\toption listen ''\n", "", "m");
    assert_eq!(config.http.listen, vec![]);
}

#[test]
fn several_meshes_side_by_side() {
    let meshwork = "config mesh 'a'\n option hop_penalty 1\nconfig mesh b\n option hop_penalty 2\nconfig mesh c\n option enabled 0\n\
        config link\n option mesh a\n option interface eth1\nconfig link\n option mesh b\n option interface eth2\n\
        config gateway\n option mesh b\n option mode client\n";
    let network = "config interface 'd'\n option proto meshwork\nconfig interface x\n option proto meshwork_hardif\n option master a\n option device eth3\n";
    let files = Files { meshwork, network, devices: Vec::new() };
    assert_eq!(meshes(&files), ["a", "b", "d"]);
    let links = |mesh: &str| -> Vec<String> {
        let (config, complaints) = load(&files, mesh, &Overrides::default());
        assert_eq!(complaints, [], "{mesh}");
        config.links.into_iter().map(|l| l.interface).collect()
    };
    assert_eq!(
        (links("a"), links("b"), links("d").len()),
        (vec!["eth1".into(), "eth3".into()], vec!["eth2".into()], 0)
    );
}

#[test]
fn a_radio_is_a_hard_interface_once_netifd_has_its_device() {
    let network = "config interface 'bat0'\n option proto meshwork\nconfig interface 'mesh5'\n option proto meshwork_hardif\n option master bat0\n option hop_penalty 4\n";
    assert_eq!(from("", network, "bat0").0.links.len(), 0);
    let devices = vec![("mesh5".to_owned(), "phy1-mesh0".to_owned())];
    let (config, complaints) = load(&Files { meshwork: "", network, devices }, "bat0", &Overrides::default());
    assert_eq!(complaints, []);
    assert_eq!((&*config.links[0].interface, config.links[0].hop_penalty), ("phy1-mesh0", 4));
}

#[test]
fn isolation_is_set_for_each_vlan() {
    let network = |main: &str, vlan: &str| {
        let text = format!(
            "config interface m\n option proto meshwork\n{main}config interface guests\n option proto meshwork_vlan\n option device m.7\n{vlan}"
        );
        let (config, complaints) = from("", &text, "m");
        let vlans: Vec<u16> = config.mesh.ap_isolation_vlans.iter().map(|v| v.id().unwrap_or(0)).collect();
        (config.mesh.ap_isolation, vlans, complaints.len())
    };
    let on = " option ap_isolation 1\n";
    assert_eq!(network("", ""), (false, vec![], 0));
    assert_eq!(network("", on), (true, vec![7], 0));
    assert_eq!(network(on, on), (true, vec![7, 0], 0));
    // Every word for yes counts here, too.
    assert_eq!(network(" option ap_isolation enabled\n", on), (true, vec![7, 0], 0));
    assert_eq!(network(on, ""), (true, vec![], 0));
    assert_eq!(network("", " option ap_isolation maybe\n"), (false, vec![], 1));
}

#[test]
fn what_clients_get_is_checked_too() {
    let clean = "config mesh 'm'\nconfig home 'home'\n\toption enabled 'yes'\n\toption share '1'\n\toption mesh 'm'\n\
        \toption community 'town of ours'\n\toption name 'Roof-3'\n\toption network '10.80.0.0/12'\n";
    let (config, complaints) = from(clean, "", "m");
    assert_eq!(complaints, Vec::<String>::new());
    for (option, bad, instead) in [
        ("enabled", "maybe", "until then: 1"),
        ("share", "2", "until then: 0"),
        ("mesh", "a b", "until then: mesh0"),
        ("community", "", "until then: meshwork"),
        ("name", "my roof", "until then: the router's host name"),
        ("network", "10.64.0.1/12", "until then: that of the mesh's name"),
        ("network", "8.0.0.0/8", "until then: that of the mesh's name"),
    ] {
        let (other, complaints) = from(&format!("config mesh 'm'\nconfig home\n\toption {option} '{bad}'\n"), "", "m");
        assert_eq!((other == config, complaints.len()), (true, 1), "{option} {bad}: {complaints:?}");
        assert!(complaints[0].starts_with("/etc/config/meshwork:3: "), "{complaints:?}");
        assert!(complaints[0].contains(option) && complaints[0].ends_with(instead), "{complaints:?}");
    }
    let (_, complaints) = from("config mesh 'm'\nconfig home\n\toption shares '1'\n", "", "m");
    assert!(complaints.len() == 1 && complaints[0].contains("did you mean \"share\""), "{complaints:?}");
}

#[test]
fn a_bad_limit_of_giving_costs_that_option_alone() {
    let uci = "config mesh 'm'\nconfig share\n\toption give 'half'\n\tlist give_hours '22:00-06:00'\n\toption give_budget '1GiB'\n";
    let (config, complaints) = from(uci, "", "m");
    assert_eq!(
        (config.share.give, config.share.give_hours.len(), config.share.give_budget),
        (config::Give::All, 1, Some(1 << 30))
    );
    assert!(
        complaints.len() == 1 && complaints[0].contains("found half, allowed: \"all\", \"off\" or a share"),
        "{complaints:?}"
    );
}
