//! The machine around the node: rights, kernel, packet filters, IP, clock, memory.

use super::list;
use crate::doctor::facts::{Ability, Address, Chain, Facts, Node};
use crate::doctor::finding::{Finding, Report, Severity};
use std::net::IpAddr;

pub(super) fn check(facts: &Facts, report: &mut Report) {
    rights(facts, report);
    kernel(facts, report);
    firewall(facts, report);
    mesh_interface(facts, report);
    clock(facts, report);
    memory(facts, report);
}

fn rights(facts: &Facts, report: &mut Report) {
    let missing: Vec<&str> = [(facts.rights.net_admin, "CAP_NET_ADMIN"), (facts.rights.net_raw, "CAP_NET_RAW")]
        .iter()
        .filter(|(has, _)| !has)
        .map(|(_, name)| *name)
        .collect();
    if missing.is_empty() {
        return;
    }
    let missing = list(missing);
    if facts.running().is_some() {
        let text = format!("This command lacks {missing}, so not everything was looked at.");
        report.add(Finding::hint("no_rights", text, "Run it as root: sudo meshwork doctor"));
    } else {
        report.add(Finding::warning(
            "no_rights",
            format!("This user lacks {missing}: no node can be started so, and not everything was looked at."),
            "Start node and doctor as root: sudo meshwork run ..., sudo meshwork doctor. In a container both rights have \
             to be given to it.",
        ));
    }
}

fn kernel(facts: &Facts, report: &mut Report) {
    if let Some(version) = &facts.kernel.batman_adv {
        let held: Vec<&str> =
            facts.links.iter().filter(|l| l.master_kind == "batadv").map(|l| l.name.as_str()).collect();
        let with = if held.is_empty() { "holds no interface".to_owned() } else { format!("holds {}", list(held)) };
        report.fine.push(format!("the batman-adv kernel module {version} is loaded and {with}"));
    }
    if facts.running().is_some() {
        // It has what it needs.
        return;
    }
    match &facts.kernel.tun {
        Ability::Fine => {}
        Ability::Missing => report.add(Finding::error(
            "no_tun",
            "The kernel has no TUN/TAP, without which there can be no mesh interface.",
            "modprobe tun; OpenWrt: opkg install kmod-tun; own kernels: CONFIG_TUN. In a container /dev/net/tun has to \
             be passed through.",
        )),
        Ability::Denied if facts.rights.net_admin => report.add(Finding::error(
            "tun_denied",
            "/dev/net/tun may not be opened.",
            "ls -l /dev/net/tun; a container needs the device allowed, a service its DeviceAllow.",
        )),
        Ability::Denied => {}
        Ability::Broken(why) => report.add(Finding::error(
            "no_tun",
            format!("/dev/net/tun cannot be opened: {why}."),
            "modprobe tun; the kernel's log (dmesg) says more.",
        )),
    }
    match &facts.kernel.packet {
        Ability::Fine | Ability::Denied => {}
        Ability::Missing => report.add(Finding::error(
            "no_packet_sockets",
            "The kernel has no packet sockets, without which no mesh frame can be read or sent.",
            "modprobe af_packet; own kernels: CONFIG_PACKET.",
        )),
        Ability::Broken(why) => report.add(Finding::error(
            "no_packet_sockets",
            format!("Packet sockets cannot be opened: {why}."),
            "The kernel's log (dmesg) may say more.",
        )),
    }
    if let Some(link) = facts.links.by_name(&facts.mesh)
        && !matches!(facts.node, Node::Denied | Node::Silent(_))
        && link.kind != "tun"
    {
        let kind = if link.kind.is_empty() { "hardware" } else { &link.kind };
        report.add(
            Finding::error(
                "mesh_name_taken",
                format!(
                    "There is an interface {} already, of another kind ({kind}); a node cannot make its own.",
                    link.name
                ),
                "Name the mesh interface differently: meshwork run -m NAME",
            )
            .on(&facts.mesh),
        );
    }
}

fn firewall(facts: &Facts, report: &mut Report) {
    if let Some(why) = &facts.firewall.unread {
        report.unseen.push(format!("packet filters: {why}"));
    }
    let strict = |c: &&Chain| c.drop_policy || c.drops > 0;
    let chains = || facts.firewall.chains.iter().filter(strict);
    for chain in chains().filter(|c| c.family == "netdev") {
        for device in chain.devices.iter().filter(|d| facts.wanted.contains(d)) {
            report.add(
                Finding::new(
                    if chain.drop_policy { Severity::Error } else { Severity::Warning },
                    "firewall",
                    format!(
                        "A packet filter sits on {device} below the mesh and drops frames: nftables chain netdev {} {} \
                         ({}, {}).",
                        chain.table,
                        chain.name,
                        chain.hook,
                        drops(chain)
                    ),
                    format!("See nft list chain netdev {} {}; ethertype 0x4305 has to pass.", chain.table, chain.name),
                )
                .on(device),
            );
        }
    }
    let Some(mesh) = facts.links.by_name(&facts.mesh) else { return };
    if mesh.master_kind == "bridge" {
        let bridge = mesh.master.and_then(|m| facts.links.by_index(m)).map_or("its bridge", |b| b.name.as_str());
        for chain in chains().filter(|c| c.family == "bridge") {
            report.add(
                Finding::hint(
                    "bridge_firewall",
                    format!(
                        "A packet filter sits in {bridge}: nftables chain bridge {} {} ({}, {}). It decides what passes \
                         between {} and the LAN.",
                        chain.table,
                        chain.name,
                        chain.hook,
                        drops(chain),
                        facts.mesh
                    ),
                    format!("If some traffic does not pass: nft list chain bridge {} {}", chain.table, chain.name),
                )
                .on(&facts.mesh),
            );
        }
        if facts.switches.bridge_calls_iptables {
            let forward = chains().find(|c| matches!(c.family, "ip" | "inet") && c.hook == "forward" && c.drop_policy);
            let (severity, detail) = match forward {
                Some(c) => (
                    Severity::Warning,
                    format!("and that filter's chain {} {} {} drops what no rule allows", c.family, c.table, c.name),
                ),
                None => (Severity::Hint, "which may drop them".to_owned()),
            };
            report.add(
                Finding::new(
                    severity,
                    "bridge_netfilter",
                    format!("IP packets that pass {bridge} go through the IP packet filter too (br_netfilter), {detail}."),
                    "sysctl net.bridge.bridge-nf-call-iptables=0 and net.bridge.bridge-nf-call-ip6tables=0, unless this is \
                     meant. Docker switches it on.",
                )
                .on(&facts.mesh),
            );
        }
    } else if has_ip(facts, mesh.index)
        && let Some(c) = chains().find(|c| matches!(c.family, "ip" | "inet") && c.hook == "input" && c.drop_policy)
    {
        report.add(
            Finding::hint(
                "ip_firewall",
                format!(
                    "The IP packet filter drops what no rule allows (chain {} {} {}). If \"meshwork ping\" reaches this \
                     node and an IP ping does not, that is why.",
                    c.family, c.table, c.name
                ),
                format!("Allow {}: on OpenWrt, put it into a firewall zone.", facts.mesh),
            )
            .on(&facts.mesh),
        );
    }
}

fn drops(chain: &Chain) -> String {
    match (chain.drop_policy, chain.drops) {
        (true, 0) => "drops by default".to_owned(),
        (true, n) => format!("drops by default, {}", super::count(n as u64, "dropping rule")),
        (false, n) => super::count(n as u64, "dropping rule"),
    }
}

/// An address that somebody gave it; link-local ones come by themselves.
fn has_ip(facts: &Facts, ifindex: u32) -> bool {
    facts.addresses.iter().any(|a| a.ifindex == ifindex && !link_local(a.ip))
}

fn link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

fn mesh_interface(facts: &Facts, report: &mut Report) {
    if facts.running().is_none_or(|n| n.elsewhere) {
        return;
    }
    let Some(mesh) = facts.links.by_name(&facts.mesh) else {
        report.add(Finding::error(
            "mesh_interface_gone",
            format!("The node runs, but its mesh interface {} is gone.", facts.mesh),
            "Somebody removed or renamed it; restart the node.",
        ));
        return;
    };
    let name = &mesh.name;
    if !mesh.up {
        let text = format!(
            "The mesh interface {name} is set down: the node relays for others, but this machine has no part in it."
        );
        report.add(Finding::warning("mesh_interface_down", text, format!("ip link set {name} up")).on(name));
    } else if mesh.master.is_none()
        && !has_ip(facts, mesh.index)
        && facts.links.iter().all(|l| l.below != Some(mesh.index))
    {
        let text =
            format!("{name} has no address and is in no bridge, so nothing on this machine talks through the mesh.");
        let advice = format!(
            "ip addr add ADDRESS/LENGTH dev {name}, or a DHCP client on it, or ip link set {name} master BRIDGE. \
                              A pure relay needs neither."
        );
        report.add(Finding::hint("mesh_interface_unused", text, advice).on(name));
    }
    let top = mesh.master.unwrap_or(mesh.index);
    for (ours, other) in overlaps(&facts.addresses, top) {
        let other_name = facts.links.by_index(other.ifindex).map_or("another interface", |l| l.name.as_str());
        report.add(
            Finding::warning(
                "same_subnet",
                format!(
                    "The network of {}/{} is on {} as well as on {other_name} ({}/{}); replies may leave by the wrong one.",
                    ours.ip,
                    ours.prefix,
                    facts.links.by_index(top).map_or(name.as_str(), |l| l.name.as_str()),
                    other.ip,
                    other.prefix
                ),
                if facts.wanted.iter().any(|w| w == other_name) {
                    format!("Addresses belong on {name}, not on a hard interface: ip addr del {}/{} dev {other_name}", other.ip, other.prefix)
                } else {
                    "Use another network on one of them, or put both into one bridge.".to_owned()
                },
            )
            .on(name),
        );
    }
    if facts.switches.ip_forward && facts.switches.rp_filter == Some(1) && has_ip(facts, mesh.index) {
        let text = format!(
            "The reverse path filter of {name} is strict: packets whose answer would leave elsewhere are dropped, as with two gateways."
        );
        report.add(
            Finding::hint("rp_filter", text, format!("sysctl net.ipv4.conf.{name}.rp_filter=2, and that of \"all\""))
                .on(name),
        );
    }
}

/// Addresses of `ifindex` whose network another interface has, too.
fn overlaps(all: &[Address], ifindex: u32) -> Vec<(&Address, &Address)> {
    let mine = all.iter().filter(|a| a.ifindex == ifindex && !link_local(a.ip));
    let pairs = mine.filter_map(|a| all.iter().find(|b| b.ifindex != ifindex && same_network(a, b)).map(|b| (a, b)));
    pairs.collect()
}

fn same_network(a: &Address, b: &Address) -> bool {
    let (bits, x, y) = match (a.ip, b.ip) {
        (IpAddr::V4(x), IpAddr::V4(y)) => (32, u128::from(u32::from(x)), u128::from(u32::from(y))),
        (IpAddr::V6(x), IpAddr::V6(y)) => (128, u128::from(x), u128::from(y)),
        _ => return false,
    };
    // A network that holds everything says nothing.
    let prefix = u32::from(a.prefix.min(b.prefix));
    prefix > 0 && prefix < bits && x >> (bits - prefix) == y >> (bits - prefix)
}

/// 2024-01-01; no machine that runs this lives before it.
const PAST: u64 = 1_704_067_200;

fn clock(facts: &Facts, report: &mut Report) {
    if facts.clock.jump.abs() >= 2 {
        report.add(Finding::warning(
            "clock_jumps",
            format!("The clock jumped by {} s while the doctor listened.", facts.clock.jump),
            "The mesh does not mind, but times in the log and leases do. If it happens again and again, two services set \
             the clock.",
        ));
    } else if facts.clock.now > 0 && facts.clock.now < PAST {
        report.add(Finding::hint(
            "clock_not_set",
            "The clock of this machine is not set; times in the log are wrong, and certificates do not hold.",
            "Start an NTP client; a router without a battery needs the network for that, so it settles by itself.",
        ));
    }
}

/// Less than this, in bytes, and processes are about to be killed.
const LITTLE_MEMORY: u64 = 4 << 20;

fn memory(facts: &Facts, report: &mut Report) {
    if let Some(left) = facts.memory_available.filter(|&left| left < LITTLE_MEMORY) {
        report.add(Finding::warning(
            "little_memory",
            format!("Only {} KiB of memory are left; the kernel may end the node any moment.", left / 1024),
            "Stop what is not needed, or lower the [limits] of the configuration.",
        ));
    }
}
