//! What was heard on the hard interfaces.

use super::{count, list};
use crate::doctor::facts::{Air, Facts, Station};
use crate::doctor::finding::{Finding, Report, Severity};
use crate::netlink::judge::{Verdict, judge};
use std::time::Duration;

/// Flooded client frames per second from which on they count as a storm.
const STORM: u64 = 500;

pub(super) fn check(facts: &Facts, report: &mut Report) {
    for (name, why) in &facts.deaf {
        report.unseen.push(format!("mesh frames on {name}: {why}"));
    }
    for air in &facts.air {
        strangers(facts, air, report);
        own_frames(air, report);
        stopped(facts, air, report);
        storm(facts, air, report);
        twins(air, report);
        summary(facts, air, report);
    }
}

fn summary(facts: &Facts, air: &Air, report: &mut Report) {
    let speaking = |heard: fn(&Station) -> bool| air.stations.iter().filter(|s| heard(s)).count() as u64;
    let (iv, five) = (speaking(|s| s.iv), speaking(|s| s.five));
    let secs = facts.listened.as_secs();
    let name = &air.interface;
    if air.stations.is_empty() {
        report.fine.push(format!("on {name} nobody was heard within {secs} s"));
        return;
    }
    let mut who = Vec::new();
    if iv > 0 {
        who.push(format!("{} with B.A.T.M.A.N. IV", count(iv, "neighbor")));
    }
    if five > 0 {
        who.push(format!("{} with B.A.T.M.A.N. V", count(five, "neighbor")));
    }
    if who.is_empty() {
        who.push(count(air.stations.len() as u64, "station"));
    }
    report.fine.push(format!(
        "on {name} {} came in within {secs} s, from {}",
        count(air.incoming, "mesh frame"),
        who.join(" and ")
    ));
}

/// Those that this node cannot mesh with.
fn strangers(facts: &Facts, air: &Air, report: &mut Report) {
    let name = &air.interface;
    let foreign: Vec<&Station> = air.stations.iter().filter(|s| !s.versions.is_empty() && !s.iv && !s.five).collect();
    let speaks = |five: bool| move |s: &&Station| if five { s.five && !s.iv } else { s.iv && !s.five };
    let (iv, five): (Vec<&Station>, Vec<&Station>) =
        (air.stations.iter().filter(speaks(false)).collect(), air.stations.iter().filter(speaks(true)).collect());
    if !foreign.is_empty() {
        let mut versions: Vec<u8> = foreign.iter().flat_map(|s| s.versions.iter().copied()).collect();
        versions.sort_unstable();
        versions.dedup();
        let severity = if iv.is_empty() && five.is_empty() { Severity::Error } else { Severity::Warning };
        report.add(
            Finding::new(
                severity,
                "compat_version",
                format!(
                    "{} {} compat version {}, this node 15; they do not understand each other.",
                    list(foreign.iter().map(|s| s.mac)),
                    if foreign.len() == 1 { "speaks" } else { "speak" },
                    list(versions)
                ),
                "Compat version 15 came with batman-adv 2014.0. Bring the older side up to date.",
            )
            .on(name),
        );
    }
    match facts.running().map(|n| n.five) {
        Some(ours) => {
            let (same, other) = if ours { (&five, &iv) } else { (&iv, &five) };
            if other.is_empty() {
                return;
            }
            let (mine, theirs) = if ours { ("V", "IV") } else { ("IV", "V") };
            let severity = if same.is_empty() { Severity::Error } else { Severity::Warning };
            report.add(
                Finding::new(
                    severity,
                    "other_algorithm",
                    format!(
                        "{} {} B.A.T.M.A.N. {theirs}, this node B.A.T.M.A.N. {mine}; the two do not mix.",
                        list(other.iter().map(|s| s.mac)),
                        if other.len() == 1 { "speaks" } else { "speak" }
                    ),
                    format!(
                        "One mesh needs one algorithm on all nodes. Set algorithm = \"{theirs}\" here and restart, or bring \
                         the others to {mine} (kernel: batctl routing_algo BATMAN_{mine} before bat0 is made). With \
                         algorithm = \"auto\" this node follows its neighbors by itself, within a minute or two, unless \
                         kernel nodes of its own kind are there."
                    ),
                )
                .on(name),
            );
        }
        None if !iv.is_empty() && !five.is_empty() => report.add(
            Finding::warning(
                "two_algorithms",
                format!(
                    "Two meshes are in reach that do not mix: {} B.A.T.M.A.N. IV, {} B.A.T.M.A.N. V.",
                    speakers(&iv),
                    speakers(&five)
                ),
                "Decide which one this node belongs to: algorithm in the configuration file.",
            )
            .on(name),
        ),
        None => {}
    }
}

fn speakers(stations: &[&Station]) -> String {
    let verb = if stations.len() == 1 { "speaks" } else { "speak" };
    format!("{} {verb}", list(stations.iter().map(|s| s.mac)))
}

fn own_frames(air: &Air, report: &mut Report) {
    let name = &air.interface;
    if air.own_back > 0 {
        report.add(
            Finding::error(
                "loop",
                format!("{} that {name} had sent came back to it: there is a loop.", count(air.own_back, "frame")),
                "Look for a cable from a switch to itself, two ports of one bridge on the same wire, or an access point \
                 that repeats what it hears. A bridge with spanning tree would have cut it.",
            )
            .on(name),
        );
    }
    if air.own_mac > 0 {
        report.add(
            Finding::error(
                "duplicate_mac",
                format!(
                    "Somebody else sends with the MAC of {name}: {} came in that this machine never sent.",
                    count(air.own_mac, "frame")
                ),
                format!(
                    "Two devices with one MAC cannot mesh. Give one of them another: ip link set {name} address \
                         XX:XX:XX:XX:XX:XX. Images copied from one device to many often carry its MAC along."
                ),
            )
            .on(name),
        );
    }
    if air.tagged > 0 {
        report.add(
            Finding::warning(
                "tagged",
                format!(
                    "{} with a VLAN tag came in on {name}; the mesh has none around its frames.",
                    count(air.tagged, "mesh frame")
                ),
                format!(
                    "Somewhere a switch port or an interface is tagged that should not be, or the mesh belongs on the \
                         VLAN: ip link add link {name} name {name}.ID type vlan id ID, and -i {name}.ID"
                ),
            )
            .on(name),
        );
    }
}

/// Frames that stop between the interface and programs.
fn stopped(facts: &Facts, air: &Air, report: &mut Report) {
    let name = &air.interface;
    let own = facts.links.by_name(&facts.mesh).map(|l| l.index);
    if !matches!(judge(name, &facts.links, own), Verdict::Usable(_)) {
        // Who takes them is known.
        return;
    }
    let suspects = suspects(facts, name);
    if air.incoming >= 3 && air.delivered == 0 {
        report.add(
            Finding::error(
                "blocked_in",
                format!(
                    "{} came in on {name} and none reached a program: something in this machine takes them away.",
                    count(air.incoming, "mesh frame")
                ),
                format!("{suspects} Ethertype 0x4305 has to pass."),
            )
            .on(name),
        );
    }
    let Some(node) = facts.running() else { return };
    let active = node.interfaces.iter().any(|(n, refused)| n == name && refused.is_none());
    // An interval may be stretched to its double, and the first half of one may have been missed.
    if active && air.outgoing == 0 && facts.listened > node.orig_interval * 3 + Duration::from_secs(1) {
        report.add(
            Finding::error(
                "blocked_out",
                format!("The node uses {name}, but not one of its frames left within {} s.", facts.listened.as_secs()),
                suspects,
            )
            .on(name),
        );
    }
}

/// What may stop frames on an interface.
fn suspects(facts: &Facts, name: &str) -> String {
    let chains = facts.firewall.chains.iter().filter(|c| c.family == "netdev" && c.devices.iter().any(|d| d == name));
    let mut named: Vec<String> = chains.map(|c| format!("nftables chain netdev {} {}", c.table, c.name)).collect();
    let queues = facts.firewall.queues.iter().filter(|(at, _)| at == name);
    named.extend(queues.map(|(_, kind)| format!("tc queueing discipline {kind}")));
    if named.is_empty() {
        format!(
            "Suspects: nft list ruleset, tc filter show dev {name} ingress, tc qdisc show dev {name}, ip -d link show {name} (XDP)."
        )
    } else {
        format!("Suspects here: {}.", list(named))
    }
}

fn storm(facts: &Facts, air: &Air, report: &mut Report) {
    let per_second = air.flooded / facts.listened.as_secs().max(1);
    if per_second >= STORM {
        report.add(
            Finding::warning(
                "storm",
                format!("{per_second} flooded frames per second come in on {}.", air.interface),
                "A client sends far too many broadcasts, or two nodes share a LAN without bridge loop avoidance: \
                 \"meshwork monitor --only broadcast\" shows whose.",
            )
            .on(&air.interface),
        );
    }
}

fn twins(air: &Air, report: &mut Report) {
    if air.twins.is_empty() {
        return;
    }
    report.add(
        Finding::warning(
            "originator_twice",
            format!("Two nodes seem to have the same originator address: {}. Both number their messages as if they were alone.", list(&air.twins)),
            "Give one of the two another MAC; until then neither is reached reliably.",
        )
        .on(&air.interface),
    );
}
