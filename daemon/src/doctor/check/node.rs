//! The node itself: whether it runs, what it says, what it loses.

use super::{count, list};
use crate::doctor::facts::{Config, Facts, Node, Running};
use crate::doctor::finding::{Finding, Report, Severity};
use std::time::Duration;

/// A node that runs for less than this has not heard everybody yet.
const SETTLED: Duration = Duration::from_secs(15);
/// Own OGMs heard back, of 64, from which on a link counts as used both ways.
const BOTH_WAYS: u8 = 3;

pub(super) fn check(facts: &Facts, report: &mut Report) {
    config(facts, report);
    match &facts.node {
        Node::Absent => {
            report.add(Finding::error("no_node", format!("No node runs for {}.", facts.mesh), start(facts)))
        }
        Node::Others(meshes) => {
            let named = list(meshes.iter().map(|m| format!("--mesh {m}")));
            report.add(Finding::error(
                "no_node",
                format!("No node runs for {}; nodes run for other meshes here.", facts.mesh),
                format!("To look at one of those: meshwork doctor {named}. {}", start(facts)),
            ));
        }
        Node::Denied => {
            report.unseen.push("the node: its control socket may be used by root and its group only".into())
        }
        Node::Silent(why) => report.add(Finding::error(
            "node_silent",
            format!("A node listens at its control socket, but does not answer as it should: {why}."),
            "Restart the node; if it happens again, its log says more.",
        )),
        Node::Running(node) => running(facts, node, report),
    }
}

/// How to start a node.
fn start(facts: &Facts) -> String {
    let interfaces: Vec<&str> = facts.wanted.iter().map(String::as_str).collect();
    match (&facts.config, interfaces.as_slice()) {
        (Config::Good { interfaces, .. }, _) if !interfaces.is_empty() => "Start it: meshwork run".to_owned(),
        (_, []) => "Start one: meshwork run -i INTERFACE".to_owned(),
        (_, named) => {
            let flags: Vec<String> = named.iter().map(|n| format!("-i {n}")).collect();
            format!("Start one: meshwork run {}", flags.join(" "))
        }
    }
}

fn config(facts: &Facts, report: &mut Report) {
    let running = facts.running().is_some();
    match &facts.config {
        Config::Missing => {}
        Config::Good { file, interfaces } => {
            if interfaces.is_empty() && !running && facts.wanted.is_empty() {
                report.add(Finding::warning(
                    "no_interface",
                    format!("{file} names no hard interface, so a node does not know where the mesh is."),
                    "Write a [[link]] with its interface into the file, or name one: meshwork run -i INTERFACE",
                ));
            }
            report.fine.push(format!("{file} is good"));
        }
        Config::Bad { file, errors } => {
            let severity = if running { Severity::Warning } else { Severity::Error };
            let effect = if running { "the node runs with an older one" } else { "no node starts with it" };
            report.add(Finding::new(
                severity,
                "bad_config",
                format!("The configuration {file} is wrong; {effect}:\n{errors}"),
                "Correct it; \"meshwork config check\" tells when it is good.",
            ));
        }
    }
}

fn running(facts: &Facts, node: &Running, report: &mut Report) {
    if node.elsewhere {
        report.add(Finding::error(
            "other_namespace",
            format!("The node (process {}) lives in another network namespace than this command.", node.pid),
            format!("Look at it from there: nsenter --net -t {} meshwork doctor", node.pid),
        ));
        return;
    }
    let algorithm = if node.five { "V" } else { "IV" };
    let used = node.interfaces.iter().filter(|(_, refused)| refused.is_none()).count();
    report.fine.push(format!(
        "the node runs: process {}, B.A.T.M.A.N. {algorithm}, {}, {}",
        node.pid,
        count(node.neighbors.len() as u64, "neighbor"),
        count(node.originators as u64, "originator")
    ));
    if let Some(error) = &node.reload_error {
        report.add(Finding::warning(
            "reload_refused",
            format!("The node refused its configuration at the last reload and goes on with the one before:\n{error}"),
            "Correct the file and send SIGHUP again; \"meshwork config check\" tells when it is good.",
        ));
    }
    if used == 0 {
        report.add(Finding::error(
            "no_usable_interface",
            "The node has no hard interface that it can use; it is alone.",
            if node.interfaces.is_empty() {
                "Name one: meshwork run -i INTERFACE, or a [[link]] in the configuration file."
            } else {
                "The findings about its interfaces say why."
            },
        ));
    }
    if let Some(reason) = alone(facts, node, used) {
        report.add(reason);
    }
    one_way(node, report);
    lost(node, report);
    for (client, at) in &node.clients_elsewhere {
        let whose = if *client == node.host_mac { "The MAC of this node's mesh interface" } else { "The own client" };
        report.add(Finding::warning(
            "client_twice",
            format!("{whose} {client} is announced by the node {at} at the same time."),
            "Either two devices have the same MAC (give one another), or the LANs behind both nodes are one (switch \
             bridge loop avoidance on at both, or take one of them off the LAN).",
        ));
    }
    for (what, text) in &node.events {
        match what.as_str() {
            "table_full" => report.add(Finding::warning(
                "table_full",
                format!("{text}, or was within the last quarter of an hour; newcomers are turned away."),
                "Raise the limit under [limits] in the configuration file; if the mesh is not that large, somebody \
                 floods it with invented addresses.",
            )),
            "address_twice" => report.add(Finding::error(
                "address_twice",
                format!("{text}."),
                "Two devices with one MAC cannot mesh: images copied from one device to many often carry it along. If \
                 no device of yours has it, somebody forges messages: a radio mesh with a passphrase (SAE) keeps \
                 strangers out.",
            )),
            "metric_implausible" => report.add(Finding::warning(
                "metric_implausible",
                format!("{text}."),
                "Look at that node: a hop penalty of 0 or a wrong throughput in its configuration does it, or somebody \
                 forges messages.",
            )),
            "client_contested" => report.add(Finding::warning(
                "client_contested",
                format!("{text}."),
                "If it is the site's router or another station that never moves, write it into protected_clients. Else \
                 look for a second connection between this LAN and the other node's, or for two devices with one MAC.",
            )),
            "address_flip" => report.add(Finding::warning(
                "address_flip",
                format!("{text}."),
                "Two stations use one IP address, or somebody forges ARP: look for the MAC that should not have it.",
            )),
            "gateway_implausible" => report.add(Finding::warning(
                "gateway_implausible",
                format!("{text}."),
                "Name the gateways that may be used: allowed under [gateway].",
            )),
            "loop_detected" => report.add(Finding::error(
                "loop",
                format!("The node has found a loop: {text}."),
                "Find the second connection between the LAN and the mesh and take it away, or switch bridge loop \
                 avoidance on at every node on that LAN.",
            )),
            _ => {}
        }
    }
}

/// A node without a neighbour: nothing came in at all, or nothing that it could use. What is
/// known about why has findings of its own.
fn alone(facts: &Facts, node: &Running, used: usize) -> Option<Finding> {
    if !node.neighbors.is_empty() || used == 0 {
        return None;
    }
    if node.uptime < SETTLED {
        let secs = node.uptime.as_secs();
        let text = format!("The node has no neighbor yet; it started {secs} s ago.");
        return Some(Finding::hint("no_neighbor", text, "Wait a moment and ask again."));
    }
    let heard: u64 = facts.air.iter().map(|a| a.incoming).sum();
    let listened = facts.listened.as_secs();
    let (text, advice) = if facts.air.is_empty() {
        ("The node has no neighbor.".to_owned(), SAME_AIR)
    } else if heard == 0 {
        (
            format!("The node has no neighbor: in {listened} s not one mesh frame came in on any hard interface."),
            SAME_AIR,
        )
    } else {
        (
            format!("The node has no neighbor, although {} came in within {listened} s.", count(heard, "mesh frame")),
            "The other findings say what is wrong with them.",
        )
    };
    Some(Finding::error("no_neighbor", text, advice))
}

/// What nodes need to hear each other.
const SAME_AIR: &str = "Is another node switched on and in reach? For radios: both need the same mesh id or cell, \
                        channel and key (iw dev, iw dev IF station dump). For cables: is the right port plugged in?";

/// Neighbours that are heard and do not hear us.
fn one_way(node: &Running, report: &mut Report) {
    if node.five || node.uptime < SETTLED {
        return;
    }
    for n in &node.neighbors {
        let other = node.neighbors.iter().any(|o| o.mac != n.mac && o.echo_count >= BOTH_WAYS);
        if n.echo_count < BOTH_WAYS && n.receive_count >= 10 {
            let severity = if other { Severity::Warning } else { Severity::Error };
            report.add(
                Finding::new(
                    severity,
                    "one_way",
                    format!(
                        "The neighbor {} is heard well ({} of 64 messages), but does not hear this node ({} of 64 came \
                         back).",
                        n.mac, n.receive_count, n.echo_count
                    ),
                    "Nothing can be sent over a link that works one way. On a radio: more power or a better antenna \
                     here, and the same key on both sides; also look whether a firewall or a full queue stops what \
                     this machine sends.",
                )
                .on(&n.interface),
            );
        }
    }
}

/// What a drop means to a person, worst first. Reasons that belong to everyday life are not here.
const LOSSES: &[(&str, u64, Severity, &str, &str)] = &[
    (
        "own_source",
        1,
        Severity::Error,
        "came in although this node had sent them itself",
        "The hard interface hears its own frames: a cable or bridge forms a loop, or another machine has the same MAC.",
    ),
    (
        "no_route",
        5,
        Severity::Warning,
        "were for a node to which no way leads at the moment",
        "\"meshwork originators\" shows the ways; \"meshwork explain HOST\" shows where a way is weak.",
    ),
    (
        "too_big",
        1,
        Severity::Warning,
        "were longer than the hard interface carries and could not be cut",
        "Raise the MTU of the hard interface to 1532, or allow fragmentation, or lower the MTU of the mesh interface.",
    ),
    (
        "seqno_protected",
        20,
        Severity::Warning,
        "were numbered far from what was heard before",
        "A node restarted (then it passes within 30 s), two nodes have the same address, or somebody forges messages.",
    ),
    (
        "ogm_queue_full",
        5,
        Severity::Warning,
        "were originator messages for which there was no room",
        "The mesh is larger, or this machine slower, than the node can bear: look for a storm, or raise orig_interval.",
    ),
    (
        "bcast_queue_full",
        5,
        Severity::Warning,
        "were floods for which there was no room",
        "Something floods the mesh: \"meshwork monitor --only broadcast\" shows who.",
    ),
    (
        "originators_full",
        1,
        Severity::Warning,
        "came from originators for which there was no room",
        "Raise originators under [limits].",
    ),
    (
        "local_clients_full",
        1,
        Severity::Warning,
        "came from own clients for which there was no room",
        "The protocol carries no more than 1677 clients of one node; split the LAN, or find what invents addresses.",
    ),
    (
        "fragment_timeout",
        5,
        Severity::Warning,
        "were pieces of packets whose other pieces never came",
        "Frames get lost on the way. Fewer are cut where the MTU of all hard interfaces is 1532 or more.",
    ),
];

fn lost(node: &Running, report: &mut Report) {
    for &(reason, least, severity, text, advice) in LOSSES {
        let n = node.drops.get(reason).copied().unwrap_or(0);
        if n >= least {
            let text =
                format!("While the doctor listened, the node dropped {} ({reason}) that {text}.", count(n, "frame"));
            report.add(Finding::new(severity, "drops", text, advice));
        }
    }
    for (interface, counter, n) in &node.sockets {
        let (text, advice) = match counter.as_str() {
            "rx_overrun" => (
                format!("{} were lost on the way from the kernel to the node", count(*n, "frame")),
                "This machine is too slow for what comes in, or busy with something else (top).",
            ),
            "tx_errors" | "tx_full" => (
                format!("{} could not be sent", count(*n, "frame")),
                "The queue of the interface is full or its driver refuses: ip -s link show, tc -s qdisc show.",
            ),
            _ => continue,
        };
        report
            .add(Finding::warning("frames_lost", format!("While the doctor listened, {text}."), advice).on(interface));
    }
    if node.punts_lost > 0 {
        report.add(Finding::warning(
            "overloaded",
            format!("The node could not look at {} in time.", count(node.punts_lost, "frame")),
            "Something floods it: \"meshwork monitor\" shows what.",
        ));
    }
}
