//! What a person reads who wrote something wrong, to the letter.

use config::{Config, LoadError, Override, Overrides};
use std::path::Path;

/// The errors of a file called `m.toml`.
fn errors(text: &str) -> String {
    errors_with(text, &Overrides::default())
}

fn errors_with(text: &str, overrides: &Overrides) -> String {
    match Config::parse("m.toml", text, overrides) {
        Ok(config) => panic!("{text:?} was taken as {config:?}"),
        Err(errors) => errors.to_string(),
    }
}

/// Only the first line of the only error.
fn line(text: &str) -> String {
    let all = errors(text);
    assert_eq!(all.lines().count(), 3, "{all}");
    all.lines().take(1).collect()
}

/// The keys of `[mesh]` as a message lists them.
fn mesh_keys() -> String {
    config::keys::of("mesh").map(|k| k.name).collect::<Vec<_>>().join(", ")
}

#[test]
fn unknown_key_with_suggestion() {
    assert_eq!(
        errors("[mesh]\nname = \"mesh0\"\n  hop_penality = 3\n"),
        format!(
            "m.toml:3:3: mesh.hop_penality: unknown; did you mean \"hop_penalty\"? Keys of [mesh]: {}\n \
             3 |   hop_penality = 3\n   |   ^^^^^^^^^^^^",
            mesh_keys()
        )
    );
}

#[test]
fn unknown_key_without_suggestion() {
    assert_eq!(
        errors("[control]\nwave = 80\n"),
        "m.toml:2:1: control.wave: unknown. Keys of [control]: socket, group, user\n 2 | wave = 80\n   | ^^^^"
    );
}

#[test]
fn key_of_another_table() {
    assert_eq!(
        errors("[log]\nsocket = \"/x\"\n"),
        "m.toml:2:1: log.socket: unknown; it belongs into [control]. Keys of [log]: level\n 2 | socket = \"/x\"\n   | ^^^^^^"
    );
}

#[test]
fn key_above_all_tables() {
    assert_eq!(
        errors("mtu = 1500\n"),
        "m.toml:1:1: mtu: unknown; it belongs into [mesh]. Tables: mesh, link, radio, gateway, limits, share, http, control, log\n \
         1 | mtu = 1500\n   | ^^^"
    );
}

#[test]
fn unknown_table() {
    assert_eq!(
        errors("[limit]\noriginators = 5\n"),
        "m.toml:1:2: limit: unknown; did you mean \"limits\"? Tables: mesh, link, radio, gateway, limits, share, http, control, log\n \
         1 | [limit]\n   |  ^^^^^"
    );
}

#[test]
fn number_out_of_range() {
    assert_eq!(
        errors("[mesh]\nhop_penalty = 300 # too much\n"),
        "m.toml:2:15: mesh.hop_penalty: found 300, allowed: a whole number from 0 to 255\n \
         2 | hop_penalty = 300 # too much\n   |               ^^^"
    );
}

#[test]
fn every_number_has_its_range() {
    for (text, expected) in [
        ("[mesh]\nmtu = 67", "m.toml:2:7: mesh.mtu: found 67, allowed: a whole number from 68 to 65535"),
        ("[mesh]\nmtu = 65536", "m.toml:2:7: mesh.mtu: found 65536, allowed: a whole number from 68 to 65535"),
        ("[mesh]\nmtu = 1.5", "m.toml:2:7: mesh.mtu: found 1.5, allowed: a whole number from 68 to 65535"),
        ("[mesh]\nhop_penalty = -1", "m.toml:2:15: mesh.hop_penalty: found -1, allowed: a whole number from 0 to 255"),
        (
            "[mesh]\nhop_penalty = \"30\"",
            "m.toml:2:15: mesh.hop_penalty: found \"30\", allowed: a whole number from 0 to 255",
        ),
        (
            "[limits]\noriginators = 15",
            "m.toml:2:15: limits.originators: found 15, allowed: a whole number from 16 to 65536",
        ),
        ("[limits]\nneighbors = 0", "m.toml:2:13: limits.neighbors: found 0, allowed: a whole number from 4 to 4096"),
        ("[limits]\nclients = 0", "m.toml:2:11: limits.clients: found 0, allowed: a whole number from 16 to 1000000"),
        (
            "[limits]\nclients_per_originator = 99999",
            "m.toml:2:26: limits.clients_per_originator: found 99999, allowed: a whole number from 16 to 16384",
        ),
        (
            "[limits]\nlocal_clients = 1678",
            "m.toml:2:17: limits.local_clients: found 1678, allowed: a whole number from 1 to 1677",
        ),
        (
            "[limits]\naddresses = 15",
            "m.toml:2:13: limits.addresses: found 15, allowed: a whole number from 16 to 65536",
        ),
        ("[limits]\nvlans = 4096", "m.toml:2:9: limits.vlans: found 4096, allowed: a whole number from 1 to 4095"),
    ] {
        assert_eq!(line(text), expected);
    }
}

#[test]
fn time_needs_its_unit() {
    let allowed = "allowed: a time with its unit like \"500ms\" or \"1s\", from 40ms to 1min";
    for (value, column) in
        [("1000", 17), ("\"1000\"", 17), ("\"1 parsec\"", 17), ("\"39ms\"", 17), ("\"61s\"", 17), ("\"-1s\"", 17)]
    {
        assert_eq!(
            line(&format!("[mesh]\norig_interval = {value}\n")),
            format!("m.toml:2:{column}: mesh.orig_interval: found {value}, {allowed}")
        );
    }
}

#[test]
fn size_needs_its_unit() {
    let allowed = "allowed: a size with its unit like \"512KiB\", from 32KiB to 64MiB";
    for value in ["524288", "\"512\"", "\"512KB\"", "\"31KiB\"", "\"65MiB\""] {
        assert_eq!(
            line(&format!("[limits]\nfragment_memory = {value}\n")),
            format!("m.toml:2:19: limits.fragment_memory: found {value}, {allowed}")
        );
    }
}

#[test]
fn wrong_words() {
    for (text, expected) in [
        ("[mesh]\nup = \"yes\"", "m.toml:2:6: mesh.up: found \"yes\", allowed: true or false"),
        ("[mesh]\naggregation = 1", "m.toml:2:15: mesh.aggregation: found 1, allowed: true or false"),
        (
            "[gateway]\nmode = \"on\"",
            "m.toml:2:8: gateway.mode: found \"on\", allowed: \"off\", \"client\" or \"server\"",
        ),
        (
            "[gateway]\ndownload = 10",
            "m.toml:2:12: gateway.download: found 10, allowed: a rate with its unit like \"54Mbit\", from 100kbit to 400Gbit",
        ),
        (
            "[gateway]\ncheck = [\"ping:example.org\"]",
            "m.toml:2:9: gateway.check: found a list of 1, allowed: a list of at most 16 targets, each \"ping:ADDRESS\", \
             \"tcp:ADDRESS:PORT\" or \"dns:ADDRESS\", an address being a number and not a name",
        ),
        (
            "[gateway]\ncheck = [\"ping:9.9.9.9\"]\ncheck_needed = 2",
            "m.toml:3:16: gateway.check_needed: found 2, allowed: at most the number of targets in check, 1",
        ),
        ("[mesh]\nalgorithm = \"VI\"", "m.toml:2:13: mesh.algorithm: found \"VI\", allowed: \"auto\", \"IV\" or \"V\""),
        (
            "[mesh]\nmac = \"01:00:5e:00:00:01\"",
            "m.toml:2:7: mesh.mac: found \"01:00:5e:00:00:01\", allowed: the MAC address of one station, like \"02:00:00:00:00:01\"",
        ),
        (
            "[mesh]\nmac = \"02-00\"",
            "m.toml:2:7: mesh.mac: found \"02-00\", allowed: the MAC address of one station, like \"02:00:00:00:00:01\"",
        ),
        (
            "[mesh]\nname = \"a name\"",
            "m.toml:2:8: mesh.name: found \"a name\", allowed: the name of a network interface: 1 to 15 bytes, no \"/\", \":\" or blank",
        ),
        (
            "[mesh]\nstate_dir = \"var/lib\"",
            "m.toml:2:13: mesh.state_dir: found \"var/lib\", allowed: an absolute path, or \"\" to keep nothing",
        ),
        (
            "[control]\nsocket = \"mesh.sock\"",
            "m.toml:2:10: control.socket: found \"mesh.sock\", allowed: an absolute path of at most 107 bytes",
        ),
        (
            "[http]\nlisten = [\"10.0.0.1:80\"]",
            "m.toml:2:10: http.listen: found a list of 1, allowed: a list of at most 16 places, each \"localhost\", \"mesh\", an address or an interface",
        ),
        ("[http]\nport = 0", "m.toml:2:8: http.port: found 0, allowed: a whole number from 1 to 65535"),
        (
            "[http]\nhosts = [\"http://a\"]",
            "m.toml:2:9: http.hosts: found a list of 1, allowed: a list of at most 32 names of hosts, like [\"roof.example.org\", \"*.mesh\"]",
        ),
        ("[http]\ntoken_file = \"t\"", "m.toml:2:14: http.token_file: found \"t\", allowed: an absolute path"),
        ("[control]\ngroup = 5", "m.toml:2:9: control.group: found 5, allowed: the name of a group"),
        (
            "[log]\nlevel = \"loud\"",
            "m.toml:2:9: log.level: found \"loud\", allowed: error, warn, info, debug or trace, then parts with their own, like \"info,netlink=debug\"",
        ),
        (
            "[[link]]\ninterface = \"a\"\nwifi = \"maybe\"",
            "m.toml:3:8: link.wifi: found \"maybe\", allowed: true, false or \"auto\"",
        ),
        (
            "[[link]]\ninterface = \"a\"\nio = \"pcap\"",
            "m.toml:3:6: link.io: found \"pcap\", allowed: \"packet\" or \"portable\"",
        ),
        ("[mesh]\nup = [true]", "m.toml:2:6: mesh.up: found a list of 1, allowed: true or false"),
        ("[mesh]\nup = {}", "m.toml:2:6: mesh.up: found a table, allowed: true or false"),
    ] {
        assert_eq!(line(text), expected);
    }
}

#[test]
fn tables_and_lists_mixed_up() {
    for (text, expected) in [
        (
            "[link]\ninterface = \"a\"",
            "m.toml:1:2: link: found a table, allowed: [[link]] with two brackets, one for each hard interface",
        ),
        ("link = 3", "m.toml:1:1: link: found 3, allowed: [[link]] with two brackets, one for each hard interface"),
        ("link = [\"wlan0\"]", "m.toml:1:9: link: found \"wlan0\", allowed: [[link]] tables"),
        ("[[mesh]]", "m.toml:1:3: mesh: found [[mesh]], allowed: [mesh] with one bracket, there is only one"),
        ("mesh = 3", "m.toml:1:8: mesh: found 3, allowed: a table, [mesh]"),
    ] {
        assert_eq!(line(text), expected);
    }
}

#[test]
fn impossible_links() {
    for (text, expected) in [
        (
            "[[link]]\nwifi = true",
            "m.toml:1:1: link.interface: missing; a [[link]] needs interface = \"NAME\", its hard interface",
        ),
        (
            "[[link]]\ninterface = \"a\"\n[[link]]\ninterface = \"a\"",
            "m.toml:4:13: link.interface: \"a\" is already a hard interface of this node",
        ),
        ("[[link]]\ninterface = \"mesh0\"", "m.toml:2:13: link.interface: \"mesh0\" is the mesh interface itself"),
    ] {
        assert_eq!(line(text), expected);
    }
    let many: String = (0..33).map(|i| format!("[[link]]\ninterface = \"w{i}\"\n")).collect();
    assert_eq!(line(&many), "m.toml:65:1: link: found 33 hard interfaces, allowed: at most 32");
}

#[test]
fn no_toml() {
    for (text, expected) in [
        (
            "[mesh]\nname = \n",
            "m.toml:2:8: not readable as TOML: string values must be quoted, expected literal string",
        ),
        ("[mesh]\nup = true\nup = false\n", "m.toml:3:1: not readable as TOML: duplicate key"),
        ("link = [1\n", "m.toml:1:10: not readable as TOML: unclosed array, expected `]`"),
        ("[mesh]\nname = 2026-08-20\n", "m.toml:2:8: not readable as TOML: found a date, no setting is one"),
    ] {
        assert_eq!(line(text), expected);
    }
}

#[test]
fn everything_wrong_at_once_in_the_order_of_the_file() {
    assert_eq!(
        errors("[log]\nlevel = 1\n\n[mesh]\nmtu = 1\n\tnmae = \"a\"\n"),
        format!(
            "m.toml:2:9: log.level: found 1, allowed: error, warn, info, debug or trace, then parts with their own, like \"info,netlink=debug\"\n \
         2 | level = 1\n   |         ^\n\
         m.toml:5:7: mesh.mtu: found 1, allowed: a whole number from 68 to 65535\n \
         5 | mtu = 1\n   |       ^\n\
         m.toml:6:2: mesh.nmae: unknown; did you mean \"name\"? Keys of [mesh]: {}\n \
         6 | \tnmae = \"a\"\n   | \t^^^^",
            mesh_keys()
        )
    );
}

#[test]
fn columns_count_characters() {
    assert_eq!(
        errors("mesh = { name = \"ä/ö\" }\n"),
        "m.toml:1:17: mesh.name: found \"ä/ö\", allowed: the name of a network interface: 1 to 15 bytes, no \"/\", \":\" or blank\n \
         1 | mesh = { name = \"ä/ö\" }\n   |                 ^^^^^"
    );
}

#[test]
fn the_command_line_is_checked_the_same_way() {
    let overrides = Overrides {
        interfaces: vec!["wlan0".into(), "a/b".into(), "bat0".into()],
        settings: vec![
            Override { key: "mesh.hop_penalty", value: "300".into(), flag: "--hop-penalty" },
            Override { key: "mesh.name", value: "bat0".into(), flag: "--mesh" },
        ],
    };
    assert_eq!(
        errors_with("[mesh]\nmtu = 3\n", &overrides),
        "--hop-penalty: found 300, allowed: a whole number from 0 to 255\n\
         --interface: found \"a/b\": a name has no \"/\", no \":\" and no blank, and is not \".\" or \"..\"\n\
         --interface: \"bat0\" is the mesh interface itself\n\
         m.toml:2:7: mesh.mtu: found 3, allowed: a whole number from 68 to 65535\n 2 | mtu = 3\n   |       ^"
    );
}

#[test]
fn a_file_that_is_not_there() {
    let missing = Path::new("/nonexistent/meshwork.toml");
    let error = Config::load(Some(missing), &Overrides::default()).unwrap_err();
    assert!(matches!(error, LoadError::Read(..)));
    assert_eq!(error.to_string(), "/nonexistent/meshwork.toml: cannot be read: No such file or directory (os error 2)");
}
