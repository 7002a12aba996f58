//! The tables: columns and marks as batctl prints them, so that eyes and scripts find their way.

use super::names::Names;
use crate::control::protocol::{
    BlaBackbone, BlaClaim, ClientFlags, GlobalClient, Interface, LocalClient, Mac, Neighbor, Node, Originator,
    Statistics,
};
use mesh_core::{Count, Drop};
use std::fmt::Write;

/// The line above every table: who says this.
pub fn head(node: &Node, extra: &str) -> String {
    let main = match (&node.hard_ifname, &node.hard_address) {
        (Some(name), Some(mac)) => format!("MainIF/MAC: {name}/{mac}"),
        _ => "no hard interface".to_owned(),
    };
    format!(
        "[Meshwork {}, {main} ({}/{} {}){extra}]\n",
        node.version, node.mesh_ifname, node.mesh_address, node.algo_name
    )
}

/// Who is heard directly.
pub fn neighbors(list: &[Neighbor], names: &Names, header: bool) -> String {
    let mut out = String::new();
    if header {
        out.push_str("        IF Neighbor          last-seen (#/255)  EQ  RQ Originator\n");
    }
    for n in list {
        let _ = writeln!(
            out,
            "{:>10} {:>17} {}   ({:3}) {:3} {:3} {:>17}",
            n.hard_ifname,
            names.show(n.neigh_address.0),
            last_seen(n.last_seen_msecs),
            n.tq,
            n.echo_count,
            n.receive_count,
            n.orig_address.map_or_else(|| "-".to_owned(), |m| names.show(m.0)),
        );
    }
    out
}

/// All nodes and the ways there.
pub fn originators(list: &[Originator], names: &Names, header: bool) -> String {
    let mut out = String::new();
    if header {
        out.push_str("   Originator        last-seen (#/255) Nexthop           [outgoingIF]\n");
    }
    for o in list {
        let _ = writeln!(
            out,
            " {} {:>17} {}   ({:3}) {:>17} [{:>10}]",
            star(o.best),
            names.show(o.orig_address.0),
            last_seen(o.last_seen_msecs),
            o.tq,
            names.show(o.neigh_address.0),
            o.hard_ifname,
        );
    }
    out
}

/// Own clients.
pub fn local_clients(list: &[LocalClient], names: &Names, header: bool) -> String {
    let mut out = String::new();
    if header {
        out.push_str("Client             VID Flags    Last seen (CRC       )\n");
    }
    for c in list {
        let f = c.tt_flags;
        let marks =
            marks(&[(f.roam, 'R'), (f.nopurge, 'P'), (f.new, 'N'), (f.pending, 'X'), (f.wifi, 'W'), (f.isolated, 'I')]);
        let seen = c.last_seen_msecs.unwrap_or(0);
        let _ = writeln!(
            out,
            "{:>17} {:4} [{marks}] {:3}.{:03}   (0x{:08x})",
            names.show(c.tt_address.0),
            c.tt_vid,
            seen / 1000,
            seen % 1000,
            c.tt_crc32,
        );
    }
    out
}

/// Clients of other nodes.
pub fn global_clients(list: &[GlobalClient], names: &Names, header: bool) -> String {
    let mut out = String::new();
    if header {
        out.push_str("   Client             VID Flags Last ttvn     Via        ttvn  (CRC       )\n");
    }
    for c in list {
        let f: ClientFlags = c.tt_flags;
        let marks = marks(&[(f.roam, 'R'), (f.wifi, 'W'), (f.isolated, 'I'), (f.temp, 'T')]);
        let _ = writeln!(
            out,
            " {} {:>17} {:4} [{marks}] ({:3}) {:>17} ({:3}) (0x{:08x})",
            star(c.best),
            names.show(c.tt_address.0),
            c.tt_vid,
            c.tt_ttvn,
            names.show(c.orig_address.0),
            c.tt_last_ttvn,
            c.tt_crc32,
        );
    }
    out
}

/// Who handles which client.
pub fn claims(list: &[BlaClaim], names: &Names, header: bool) -> String {
    let mut out = String::new();
    if header {
        out.push_str("   Client               VID      Originator        [o] (CRC   )\n");
    }
    for c in list {
        let _ = writeln!(
            out,
            " * {:>17} on {:5} by {:>17} [{}] (0x{:04x})",
            names.show(c.bla_address.0),
            c.bla_vid,
            names.show(c.bla_backbone.0),
            star(c.bla_own),
            c.bla_crc,
        );
    }
    out
}

/// Nodes on our LAN.
pub fn backbones(list: &[BlaBackbone], names: &Names, header: bool) -> String {
    let mut out = String::new();
    if header {
        out.push_str("   Originator           VID   last seen (CRC   ) claims\n");
    }
    for b in list {
        let state = match (b.bla_own, b.wait_msecs, b.synced, b.distrusted) {
            (true, Some(wait), ..) => format!(" ours, waiting {} s", wait.div_ceil(1000)),
            (true, None, ..) => " ours".to_owned(),
            (false, _, _, true) => " distrusted".to_owned(),
            (false, _, false, false) => " asking".to_owned(),
            (false, _, true, false) => String::new(),
        };
        let _ = writeln!(
            out,
            " * {:>17} on {:5} {} (0x{:04x}) {:6}{state}",
            names.show(b.bla_backbone.0),
            b.bla_vid,
            last_seen(b.last_seen_msecs),
            b.bla_crc,
            b.claims,
        );
    }
    out
}

/// Hard interfaces.
pub fn interfaces(list: &[Interface]) -> String {
    let mut out = String::new();
    for i in list {
        if let Some(reason) = &i.reason {
            let _ = writeln!(out, "{}: not used: {reason}", i.hard_ifname);
            continue;
        }
        let mac = i.hard_address.unwrap_or(Mac(packet::MacAddr::ZERO));
        let _ = write!(out, "{}: active {mac} mtu {}", i.hard_ifname, i.mtu.unwrap_or(0));
        if let Some(penalty) = i.hop_penalty.filter(|p| *p > 0) {
            let _ = write!(out, " hop-penalty {penalty}");
        }
        if i.wifi {
            out.push_str(" wifi");
        }
        if i.primary {
            out.push_str(" primary");
        }
        out.push('\n');
    }
    out
}

/// Counters: batctl's first and in its order, then why frames were dropped, then the sockets.
/// Without `all` only the first group shows zeros.
pub fn statistics(s: &Statistics, all: bool) -> String {
    let mut out = String::new();
    for name in Count::ALL.iter().map(|c| c.name()) {
        let _ = writeln!(out, "\t{name}: {}", s.counters.get(name).unwrap_or(&0));
    }
    let mut rest = |name: &str, n: u64| {
        if all || n > 0 {
            let _ = writeln!(out, "\t{name}: {n}");
        }
    };
    for name in Drop::ALL.iter().map(|d| d.name()) {
        rest(&format!("drop_{name}"), s.drops.get(name).copied().unwrap_or(0));
    }
    rest("punts_lost", s.punts_lost);
    for (interface, counters) in &s.interfaces {
        for (name, n) in counters {
            rest(&format!("{interface}.{name}"), *n);
        }
    }
    out
}

fn last_seen(msecs: u64) -> String {
    format!("{:4}.{:03}s", msecs / 1000, msecs % 1000)
}

fn star(best: bool) -> char {
    if best { '*' } else { ' ' }
}

fn marks(marks: &[(bool, char)]) -> String {
    marks.iter().map(|&(on, mark)| if on { mark } else { '.' }).collect()
}
