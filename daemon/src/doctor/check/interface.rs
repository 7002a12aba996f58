//! The hard interfaces: whether the kernel lets the mesh have them, and how much they carry.

use super::list;
use crate::doctor::facts::Facts;
use crate::doctor::finding::{Finding, Report, Severity};
use crate::netlink::judge::{MTU_RECOMMENDED, Verdict, host_mtu_limit, judge};
use crate::netlink::{LinkInfo, LinkTable};
use config::suggest;

pub(super) fn check(facts: &Facts, report: &mut Report) {
    let own = facts.links.by_name(&facts.mesh).map(|l| l.index);
    let verdicts: Vec<(&str, Verdict<'_>)> =
        facts.wanted.iter().map(|name| (name.as_str(), judge(name, &facts.links, own))).collect();
    let any_usable = verdicts.iter().any(|(_, v)| matches!(v, Verdict::Usable(_)));
    for (name, verdict) in &verdicts {
        match verdict {
            Verdict::Absent => absent(facts, name, any_usable, report),
            Verdict::Refused(reason) => refused(facts, name, reason, report),
            Verdict::Down(_) => down(facts, name, report),
            Verdict::Usable(link) => usable(facts, link, report),
        }
    }
    switched_off(facts, report);
    same_mac(facts, report);
    mesh_mtu(facts, report);
    if facts.wanted.is_empty() && facts.running().is_none() {
        let candidates = candidates(&facts.links);
        report.unseen.push(if candidates.is_empty() {
            "hard interfaces: none is named, and this machine has none that could carry the mesh".to_owned()
        } else {
            format!("hard interfaces: none is named; look at some with -i ({} could be used)", list(candidates))
        });
    }
}

/// Interfaces that could carry the mesh.
pub(crate) fn candidates(links: &LinkTable) -> Vec<&str> {
    let possible = links.iter().filter(|l| {
        let hardware = l.kind.is_empty() || l.kind == "vlan" || l.kind == "veth";
        hardware && matches!(judge(&l.name, links, None), Verdict::Usable(_) | Verdict::Down(_))
    });
    possible.map(|l| l.name.as_str()).collect()
}

fn absent(facts: &Facts, name: &str, any_usable: bool, report: &mut Report) {
    let known = facts.links.iter().map(|l| l.name.as_str());
    let near = suggest::closest(name, known).map(|n| format!(" Is {n} meant?")).unwrap_or_default();
    let severity = if any_usable { Severity::Warning } else { Severity::Error };
    let has = list(facts.links.iter().filter(|l| !l.loopback).map(|l| &l.name));
    report.add(
        Finding::new(
            severity,
            "no_such_interface",
            format!("There is no interface {name}.{near} This machine has {}.", if has.is_empty() { "none" } else { &has }),
            "Correct the name, or look whether the device is plugged in and its driver loaded (dmesg). A node waits for \
             it and takes it when it appears.",
        )
        .on(name),
    );
}

fn refused(facts: &Facts, name: &str, reason: &str, report: &mut Report) {
    let link = facts.links.by_name(name);
    let master = link.and_then(|l| l.master).and_then(|m| facts.links.by_index(m)).map_or("", |m| m.name.as_str());
    let finding = match link.map(|l| l.master_kind.as_str()) {
        Some("batadv") => Finding::error(
            "kernel_module",
            format!("The batman-adv kernel module holds {name} for {master}; a node cannot use it at the same time."),
            format!(
                "Take it from the kernel: batctl meshif {master} interface del {name}. Or leave it there and let the \
                     node have another interface."
            ),
        ),
        Some("bridge") => Finding::error(
            "bridge_port",
            format!("{name} is a port of the bridge {master}, which takes all its frames; the mesh gets none."),
            format!(
                "Take it out of the bridge: ip link set {name} nomaster. To reach the mesh from the bridge, put \
                     {} into the bridge instead.",
                facts.mesh
            ),
        ),
        _ => Finding::error(
            "unusable_interface",
            format!("{name} cannot carry the mesh: {reason}."),
            "Name another interface, or change this one as said.",
        ),
    };
    report.add(finding.on(name));
}

fn down(facts: &Facts, name: &str, report: &mut Report) {
    let advice = format!("Set it up: ip link set {name} up");
    if facts.running().is_some() {
        let text = format!("{name} is set down. The node sets an interface up once and then leaves it to you.");
        report.add(Finding::error("interface_down", text, advice).on(name));
    } else {
        let text = format!("{name} is set down, so nothing can be heard on it; a node sets it up at its start.");
        report.add(Finding::hint("interface_down", text, advice).on(name));
    }
}

fn usable(facts: &Facts, link: &LinkInfo, report: &mut Report) {
    let name = &link.name;
    let radio = facts.radios.contains(name);
    let kind = if radio { "radio" } else { "wire" };
    if link.carrier {
        report.fine.push(format!("{name} is up, a {kind}, MAC {}, MTU {}", link.mac, link.mtu));
    } else {
        let advice = if radio {
            "The radio has joined no mesh or cell: look at iw dev, and at what the service says that sets it up."
        } else {
            "Plug the cable in at both ends; is the other side switched on?"
        };
        report.add(Finding::error("no_carrier", format!("{name} is up, but has no carrier."), advice).on(name));
    }
    let bridge_of_mesh = facts.links.by_name(&facts.mesh).and_then(|m| m.master);
    if bridge_of_mesh.is_some_and(|bridge| stands_on(&facts.links, link, bridge)) {
        report.add(
            Finding::error(
                "mesh_in_itself",
                format!(
                    "The mesh runs over {name}, and {} is a port of that very bridge: every frame runs in a circle.",
                    facts.mesh
                ),
                format!(
                    "Take {} out of the bridge: ip link set {} nomaster. Or let the mesh use the interface below the \
                     bridge instead.",
                    facts.mesh, facts.mesh
                ),
            )
            .on(name),
        );
    }
    mtu(link, report);
}

/// True if an interface is `base`, or a VLAN or the like on top of it.
fn stands_on(links: &LinkTable, link: &LinkInfo, base: u32) -> bool {
    let mut at = Some(link);
    // Interfaces nest a few levels deep at most.
    for _ in 0..8 {
        match at {
            Some(l) if l.index == base => return true,
            Some(l) => at = l.below.and_then(|below| links.by_index(below)),
            None => return false,
        }
    }
    false
}

fn mtu(link: &LinkInfo, report: &mut Report) {
    let (name, mtu) = (&link.name, link.mtu);
    if mtu >= MTU_RECOMMENDED {
        return;
    }
    let advice = format!(
        "Where the hardware allows it: ip link set {name} mtu {MTU_RECOMMENDED}, on both sides of the link. Else nothing \
         is lost but speed."
    );
    let finding = if mtu >= 1500 {
        let text = format!(
            "The MTU of {name} is {mtu}; full-size client packets need {MTU_RECOMMENDED} and travel in two fragments."
        );
        Finding::hint("mtu", text, advice)
    } else {
        let text = format!(
            "The MTU of {name} is only {mtu}; every client packet of more than {} bytes travels in fragments.",
            mtu.saturating_sub(32)
        );
        Finding::warning("mtu", text, advice)
    };
    report.add(finding.on(name));
}

/// A mesh interface that takes larger packets than the hard interfaces carry.
fn mesh_mtu(facts: &Facts, report: &mut Report) {
    let Some(node) = facts.running() else { return };
    let used = node.interfaces.iter().filter(|(_, refused)| refused.is_none());
    let smallest = used.filter_map(|(name, _)| facts.links.by_name(name)).min_by_key(|l| l.mtu);
    let Some(smallest) = smallest else { return };
    let limit = host_mtu_limit(smallest.mtu, node.fragmentation);
    if node.mesh_mtu > limit {
        report.add(
            Finding::error(
                "mesh_mtu",
                format!(
                    "{} takes packets of up to {} bytes, but {} carries no more than {limit}; larger ones vanish.",
                    facts.mesh, node.mesh_mtu, smallest.name
                ),
                if node.fragmentation {
                    format!("ip link set {} mtu {limit}, or raise the MTU of {}.", facts.mesh, smallest.name)
                } else {
                    format!(
                        "Allow fragmentation, or ip link set {} mtu {limit}, or raise the MTU of {} to {MTU_RECOMMENDED}.",
                        facts.mesh, smallest.name
                    )
                },
            )
            .on(&facts.mesh),
        );
    }
}

fn switched_off(facts: &Facts, report: &mut Report) {
    for (radio, how) in &facts.switched_off {
        let advice =
            if *how == HARD { "Use the switch, or the key that turns Wi-Fi on." } else { "rfkill unblock wifi" };
        report.add(Finding::error("radio_off", format!("The radio {radio} is switched off by {how}."), advice));
    }
}

/// How a radio is called that is switched off by hand.
pub(crate) const HARD: &str = "a switch on the device";

fn same_mac(facts: &Facts, report: &mut Report) {
    let links: Vec<&LinkInfo> = facts.wanted.iter().filter_map(|n| facts.links.by_name(n)).collect();
    for (i, a) in links.iter().enumerate() {
        if let Some(b) = links.iter().skip(i + 1).find(|b| b.mac == a.mac && b.mac.is_unicast()) {
            report.add(
                Finding::warning(
                    "same_mac",
                    format!(
                        "{} and {} have the same MAC {}; neighbors take them for one interface.",
                        a.name, b.name, a.mac
                    ),
                    format!("Give one of them another: ip link set {} address XX:XX:XX:XX:XX:XX", b.name),
                )
                .on(&b.name),
            );
        }
    }
}
