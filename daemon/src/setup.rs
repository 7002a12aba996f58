//! From the checked configuration to what the main loop takes.

use crate::args::Args;
use crate::args::table::OVERRIDES;
use crate::run::{Giving, LinkSetup, RunSetup};
use crate::uplink::UplinkSetup;
use crate::wan::WanSetup;
use config::{Config, Io, Override, Overrides, Wifi};
use mesh_core::{Algorithm, Caps, Choice, GatewayConfig, GatewayMode, Measure, MeshConfig, Publish};
use packet::MacAddr;

/// What the command line of `run` says besides the file.
pub fn overrides(args: &Args) -> Overrides {
    let mut settings = Vec::new();
    for &(flag, key, fixed) in OVERRIDES {
        if let Some(value) = args.value(flag.trim_start_matches('-')) {
            settings.push(Override { key, value: fixed.unwrap_or(value).to_owned(), flag });
        }
    }
    Overrides { settings, interfaces: args.values("interface").map(str::to_owned).collect() }
}

/// Name of the machine as far as it fits; empty where the system does not tell.
fn machine_name() -> String {
    let text = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    // What systems are called before anybody gives them a name tells nobody apart.
    if ["OpenWrt", "localhost", "(none)"].contains(&text.trim()) {
        return String::new();
    }
    text.trim().chars().filter(|c| c.is_ascii_graphic()).take(packet::tvlv::facts::MAX_NAME).collect()
}

/// What the main loop takes.
pub fn run_setup(config: &Config) -> RunSetup {
    let (mesh, limits) = (&config.mesh, &config.limits);
    RunSetup {
        mesh_name: mesh.name.clone(),
        links: config
            .links
            .iter()
            .map(|link| LinkSetup {
                name: link.interface.clone(),
                hop_penalty: link.hop_penalty,
                throughput: link.throughput,
                measure: match link.measure {
                    config::Measure::Auto => Measure::Blind,
                    config::Measure::Yes => Measure::Always,
                    config::Measure::No => Measure::Never,
                },
                broadcast_copies: link.broadcast_copies,
                wifi: match link.wifi {
                    Wifi::Auto => None,
                    Wifi::Yes => Some(true),
                    Wifi::No => Some(false),
                },
                portable: link.io == Io::Portable,
            })
            .collect(),
        mesh: MeshConfig {
            host_mac: MacAddr::ZERO,
            algorithm: match mesh.algorithm {
                config::Algorithm::Auto => Choice::Auto,
                config::Algorithm::Iv => Choice::Fixed(Algorithm::Iv),
                config::Algorithm::V => Choice::Fixed(Algorithm::V),
            },
            extensions: mesh.extensions,
            publish: mesh.publish.then(|| {
                let name = mesh.node_name.clone().unwrap_or_else(machine_name);
                Box::new(Publish { name, version: env!("CARGO_PKG_VERSION").to_owned() })
            }),
            verify_forwarding: mesh.verify_forwarding,
            bonding: mesh.bonding,
            ap_isolation: mesh.ap_isolation,
            isolation_vlans: mesh.ap_isolation_vlans.clone(),
            isolated_clients: mesh.isolated_clients,
            meter: mesh.throughput_meter,
            elp_interval: mesh.elp_interval,
            orig_interval: mesh.orig_interval,
            hop_penalty: mesh.hop_penalty,
            aggregation: mesh.aggregation,
            fragmentation: mesh.fragmentation,
            fast_start: mesh.fast_start,
            wifi_clients: mesh.wifi_clients,
            dat: mesh.distributed_arp_table,
            bridge_loop_avoidance: mesh.bridge_loop_avoidance,
            gateway: gateway(&config.gateway),
            multicast_forceflood: mesh.multicast_forceflood,
            protected_clients: mesh.protected_clients.clone(),
            multicast_fanout: mesh.multicast_fanout,
            caps: Caps {
                originators: limits.originators,
                neighbors: limits.neighbors,
                clients: limits.clients,
                clients_per_originator: limits.clients_per_originator,
                local_clients: limits.local_clients,
                vlans: limits.vlans,
                addresses: limits.addresses,
                claims: limits.claims,
                fragment_bytes: limits.fragment_memory,
            },
        },
        radios: config.radios.clone(),
        host_mac: mesh.mac,
        host_mtu: mesh.mtu,
        up: mesh.up,
        queue: config.share.queue,
        guests: config.share.guests.clone(),
        background: config.share.background,
        giving: Giving {
            give: config.share.give,
            hours: config.share.give_hours.clone(),
            budget: config.share.give_budget,
        },
        state_dir: mesh.state_dir.clone(),
        history_file: Some(config.socket().with_extension("history")),
        user: config.control.user.clone(),
        uplink: uplink(&config.gateway),
        wan: wan(&config.gateway),
    }
}

fn gateway(g: &config::Gateway) -> GatewayConfig {
    GatewayConfig {
        mode: match g.mode {
            config::GatewayMode::Off => GatewayMode::Off,
            config::GatewayMode::Client => GatewayMode::Client,
            config::GatewayMode::Server => GatewayMode::Server,
        },
        down: g.download,
        up: g.upload,
        class: g.class,
        advantage: g.advantage,
        allowed: g.allowed.clone(),
        plausible: g.plausible,
        steer_routers: g.router_advertisements,
        guard: g.guard,
    }
}

/// Only who offers Internet looks whether it has some.
fn uplink(g: &config::Gateway) -> Option<UplinkSetup> {
    (g.mode == config::GatewayMode::Server && !g.check.is_empty()).then(|| UplinkSetup {
        targets: g.check.clone(),
        interval: g.check_interval,
        needed: g.check_needed,
        rounds: g.check_rounds,
        interface: g.check_interface.clone(),
    })
}

/// Only who offers Internet shares a line.
fn wan(g: &config::Gateway) -> Option<WanSetup> {
    let interface = match &g.wan {
        config::Wan::Off => return None,
        config::Wan::Auto => g.check_interface.clone(),
        config::Wan::Interface(name) => Some(name.clone()),
    };
    let ask = g.check.iter().filter_map(|t| match t {
        config::Target::Ping(std::net::IpAddr::V4(ip)) => Some(*ip),
        _ => None,
    });
    let (down, up) = (g.wan_down, g.wan_up);
    (g.mode == config::GatewayMode::Server).then(|| WanSetup { interface, down, up, ask: ask.collect() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::uci::{Files, load};

    /// The options that others than the main loop read: the file's own table, log and sockets.
    const ELSEWHERE: [&str; 8] = [
        "meshwork.http.listen",
        "meshwork.http.port",
        "meshwork.http.hosts",
        "meshwork.http.token_file",
        "meshwork.http.respondd",
        "meshwork.control.socket",
        "meshwork.control.group",
        "meshwork.log.level",
    ];

    fn setup(meshwork: &str) -> RunSetup {
        let (config, complaints) = load(&Files { meshwork, ..Files::default() }, "mesh0", &Overrides::default());
        assert!(complaints.is_empty(), "{meshwork}: {complaints:?}");
        run_setup(&config)
    }

    /// Each option changes what the node runs with, and so it is not lost on its way.
    #[test]
    fn every_option_reaches_the_node() {
        let mut seen = 0;
        for line in include_str!("../../tests/openwrt/values").lines() {
            let mut fields = line.split('\t');
            let (Some(option), Some(value)) = (fields.next(), fields.next()) else { continue };
            let mut path = option.split('.');
            let (Some("meshwork"), Some(section), Some(name)) = (path.next(), path.next(), path.next()) else {
                continue;
            };
            if ELSEWHERE.contains(&option) {
                continue;
            }
            let others: &[(&str, &str)] = match (section, name) {
                ("link", _) => &[("interface", "eth0")],
                ("radio", "bssid") => &[("interface", "w0"), ("mesh_id", "x"), ("channel", "1"), ("mode", "adhoc")],
                ("radio", _) => &[("interface", "w0"), ("mesh_id", "x"), ("channel", "1")],
                ("gateway", "mode") => &[],
                ("gateway", name) if name.starts_with("wan") => &[("mode", "server")],
                ("gateway", "check") => &[("mode", "server")],
                ("gateway", name) if name.starts_with("check_") => {
                    &[("mode", "server"), ("check", "ping:192.0.2.1 ping:192.0.2.2")]
                }
                _ => &[],
            };
            let text = |own: &[(&str, &str)]| {
                let mesh = if section == "mesh" { "" } else { "config mesh mesh0\n" };
                let title = if section == "mesh" { "config mesh mesh0" } else { &format!("config {section}") };
                let rest = others.iter().filter(|(key, _)| own.is_empty() || *key != name);
                let lines = rest.chain(own).map(|(key, value)| match value.split_once('|') {
                    None => format!("\toption {key} '{value}'\n"),
                    Some(_) => value.split('|').map(|v| format!("\tlist {key} '{v}'\n")).collect(),
                });
                format!("{mesh}{title}\n{}", lines.collect::<String>())
            };
            // The name of a mesh says which one is asked for.
            if option != "meshwork.mesh.name" {
                assert_ne!(setup(&text(&[])), setup(&text(&[(name, value)])), "{option} {value} changes nothing");
                seen += 1;
            }
        }
        assert!(seen > 60, "only {seen} options were tried");
        for key in config::keys::KEYS {
            let row = format!("\nmeshwork.{}.{}\t", key.table, key.name);
            let there = include_str!("../../tests/openwrt/values").contains(&row);
            assert!(there, "tests/openwrt/values has no good value for {}.{}", key.table, key.name);
        }
    }
}
