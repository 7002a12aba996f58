//! The tables: columns and marks as batctl prints them, so that eyes and scripts find their way.

use super::names::Names;
use crate::control::protocol::{
    BlaBackbone, BlaClaim, ClientFlags, DatEntry, Gateway, GlobalClient, Interface, LineView, LocalClient, Mac,
    McastFlags, McastOriginator, Multicast, NdEntry, Neighbor, Node, Originator, Statistics,
};
use mesh_core::{Count, Drop};
use std::fmt::Write;

/// True if the node runs B.A.T.M.A.N. V.
pub fn five(node: &Node) -> bool {
    node.algo_name == "BATMAN_V"
}

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

/// Who is heard directly. Under B.A.T.M.A.N. V the links have a throughput, under IV a quality.
pub fn neighbors(list: &[Neighbor], five: bool, names: &Names, header: bool) -> String {
    let mut out = String::new();
    if header {
        out.push_str(if five {
            "        IF Neighbor          last-seen ( throughput) Source     Originator\n"
        } else {
            "        IF Neighbor          last-seen (#/255)  EQ  RQ Originator\n"
        });
    }
    for n in list {
        let _ =
            write!(out, "{:>10} {:>17} {}", n.hard_ifname, names.show(n.neigh_address.0), last_seen(n.last_seen_msecs));
        let _ = if five {
            write!(out, " {} {:10}", mbits(n.throughput), n.throughput_source.as_deref().unwrap_or("-"))
        } else {
            write!(out, "   ({:3}) {:3} {:3}", n.tq.unwrap_or(0), n.echo_count, n.receive_count)
        };
        let originator = n.orig_address.map_or_else(|| "-".to_owned(), |m| names.show(m.0));
        let _ = writeln!(out, " {originator:>17}");
        for d in &n.distrusted {
            let _ = writeln!(
                out,
                "             does not forward what is for {} since {} s: 0 of {} probes answered, {} of {} through {}; {} of \
                 the last 16",
                names.show(d.orig_address.0),
                d.since_msecs / 1000,
                d.lost,
                d.other_answered,
                d.other_asked,
                names.show(d.other_address.0),
                d.share
            );
        }
    }
    out
}

/// All nodes and the ways there. Under B.A.T.M.A.N. V the ways have a throughput, under IV a
/// quality.
pub fn originators(list: &[Originator], five: bool, names: &Names, header: bool) -> String {
    let mut out = String::new();
    if header {
        out.push_str(if five {
            "   Originator        last-seen ( throughput) Nexthop           [outgoingIF]\n"
        } else {
            "   Originator        last-seen (#/255) Nexthop           [outgoingIF]\n"
        });
    }
    for o in list {
        let metric = if five { format!(" {}", mbits(o.throughput)) } else { format!("   ({:3})", o.tq.unwrap_or(0)) };
        let _ = writeln!(
            out,
            " {} {:>17} {}{metric} {:>17} [{:>10}]",
            star(o.best),
            names.show(o.orig_address.0),
            last_seen(o.last_seen_msecs),
            names.show(o.neigh_address.0),
            o.hard_ifname,
        );
    }
    out
}

/// Who offers Internet.
pub fn gateways(list: &[Gateway], is_v: bool, names: &Names, header: bool) -> String {
    let mut out = String::new();
    if header {
        let metric = if is_v { " throughput" } else { "#/255" };
        let _ = writeln!(out, "  Router            ({metric}) Next Hop          [outgoingIf]  Bandwidth");
    }
    for g in list {
        let metric = match (g.tq, g.throughput) {
            (Some(tq), _) => format!("{tq:5}"),
            (_, Some(t)) => format!("{:9}.{}", t / 10, t % 10),
            _ if is_v => format!("{:>11}", "-"),
            _ => "    -".to_owned(),
        };
        let marks = [(g.router.is_none(), " (no way there)"), (g.silent, " (silent)"), (g.forbidden, " (not allowed)")];
        let marks: String = marks.iter().filter(|(on, _)| *on).map(|(_, text)| *text).collect();
        let _ = writeln!(
            out,
            "{} {:>17} ({metric}) {:>17} [{:>10}]: {}{marks}",
            star(g.best),
            names.show(g.orig_address.0),
            g.router.map_or_else(|| "-".to_owned(), |m| names.show(m.0)),
            g.hard_ifname.as_deref().unwrap_or("-"),
            bandwidth(g.bandwidth_down, g.bandwidth_up),
        );
    }
    out
}

/// The line to the Internet that this node shares.
pub fn line(l: &LineView) -> String {
    let mbit = |kbits: u64| format!("{}.{}", kbits / 1000, kbits % 1000 / 100);
    let mut out = format!("Shared line {}: guests get what its owner leaves.", l.ifname);
    if let Some(kind) = &l.qdisc {
        let _ = write!(out, " Somebody else shapes it too, with {kind}.");
    }
    out.push('\n');
    for (name, way) in [("down", &l.down), ("up", &l.up)] {
        let carries = way.line_kbits.map_or_else(|| "an unknown rate".to_owned(), |k| format!("{} Mbit/s", mbit(k)));
        let state = match way.state.as_str() {
            "blind" => "nobody behind it answers".to_owned(),
            _ => way.waits_usecs.map_or_else(String::new, |us| format!("packets wait {} ms", us / 1000)),
        };
        let _ = writeln!(
            out,
            "  {name:4} carries {carries}: owner {}, guests {} of {} Mbit/s; {state}",
            way.owner_kbits.map_or_else(|| "?".to_owned(), mbit),
            mbit(way.guests_kbits),
            mbit(way.allowed_kbits),
        );
    }
    out
}

/// What this node wants of multicast, and why.
pub fn multicast(own: &Multicast) -> String {
    let p = own.mcast_flags_priv;
    let mark = |on: bool, mark: char| if p.bridged { if on { mark } else { '.' } } else { '?' };
    let mut out = format!(
        "Multicast flags (own flags: [{}])\n\
         * Bridged [U]\t\t\t\t{}\n\
         * No IGMP/MLD Querier [4/6]:\t\t{}/{}\n\
         * Shadowing IGMP/MLD Querier [4/6]:\t{}/{}\n",
        mcast_marks(own.mcast_flags),
        if p.bridged { 'U' } else { '.' },
        mark(!p.querier_ipv4_exists, '4'),
        mark(!p.querier_ipv6_exists, '6'),
        mark(p.querier_ipv4_shadowing, '4'),
        mark(p.querier_ipv6_shadowing, '6'),
    );
    if own.listeners_unknown {
        out.push_str("* Nobody can be asked who listens: everything is wanted\n");
    }
    if own.multicast_forceflood_enabled {
        out.push_str("* Frames of own clients are flooded (multicast_forceflood)\n");
    }
    out.push_str("-------------------------------------------\n");
    out
}

/// What other nodes want of multicast.
pub fn mcast_flags(list: &[McastOriginator], names: &Names, header: bool) -> String {
    let mut out = String::new();
    if header {
        out.push_str("       Originator Flags\n");
    }
    for o in list {
        let _ = match o.mcast_flags {
            Some(flags) => writeln!(out, "{:>17} [{}]", names.show(o.orig_address.0), mcast_marks(flags)),
            None => writeln!(out, "{:>17} -", names.show(o.orig_address.0)),
        };
    }
    out
}

/// A letter for whatever makes more frames go there; P stands where packets with a list of
/// receivers are not understood.
fn mcast_marks(f: McastFlags) -> String {
    let mark = |on: bool, mark: &'static str| if on { mark } else { "." };
    [
        mark(f.all_unsnoopables, "U"),
        mark(f.want_all_ipv4, "4"),
        mark(f.want_all_ipv6, "6"),
        if f.want_no_rtr_ipv4 { ". " } else { "R4" },
        if f.want_no_rtr_ipv6 { ". " } else { "R6" },
        mark(!f.have_mc_ptype_capa, "P"),
    ]
    .concat()
}

/// Down and up, given in units of 100 kbit/s, as batctl writes them.
pub fn bandwidth(down: u32, up: u32) -> String {
    format!("{}.{}/{}.{} MBit", down / 10, down % 10, up / 10, up % 10)
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

/// Addresses of clients: IPv4 as batctl prints them, then IPv6.
pub fn addresses(node: &Node, dat: &[DatEntry], nd: &[NdEntry], names: &Names, header: bool) -> String {
    let mut out = String::new();
    let line = |ip: &dyn std::fmt::Display, width: usize, mac: Mac, vid: i32, msecs: u64, mark: &str| {
        let (mins, secs) = (msecs / 60_000, msecs / 1000 % 60);
        let mac = names.show(mac.0);
        format!(" * {ip:>width$} {mac:>17} {vid:4} {mins:6}:{secs:02}{mark}\n", ip = ip.to_string())
    };
    if header {
        let _ = writeln!(out, "Distributed ARP Table ({}):", node.mesh_ifname);
        out.push_str("             IPv4               MAC  VID   last-seen\n");
    }
    for a in dat {
        let mark = if a.contested { " contested" } else { "" };
        out += &line(&a.dat_cache_ip4address, 15, a.dat_cache_hwaddress, a.dat_cache_vid, a.last_seen_msecs, mark);
    }
    if header && !nd.is_empty() {
        let _ = writeln!(out, "\nIPv6 neighbour discovery ({}):", node.mesh_ifname);
        out.push_str("                                       IPv6               MAC  VID   last-seen\n");
    }
    for a in nd {
        let mark = match (a.router, a.contested) {
            (true, true) => " router contested",
            (true, false) => " router",
            (false, true) => " contested",
            (false, false) => "",
        };
        out += &line(&a.nd_cache_ip6address, 41, a.nd_cache_hwaddress, a.nd_cache_vid, a.last_seen_msecs, mark);
    }
    out
}

/// Who handles which client.
pub fn claims(list: &[BlaClaim], names: &Names, header: bool) -> String {
    let mut out = String::new();
    if header {
        out.push_str("Client               VID      Originator        [o] (CRC   )\n");
    }
    for c in list {
        let _ = writeln!(
            out,
            "{:>17} on {:5} by {:>17} [{}] (0x{:04x})",
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
        out.push_str("Originator           VID   last seen (CRC   ) claims\n");
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
            "{:>17} on {:5} {} (0x{:04x}) {:6}{state}",
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

/// Mbit/s in batctl's eleven columns, from kbit/s.
fn mbits(kbits: Option<u64>) -> String {
    let kbits = kbits.unwrap_or(0);
    format!("({:9}.{})", kbits / 1000, kbits % 1000 / 100)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throughput_stands_where_batctl_has_it() {
        let way: Originator = crate::control::json::from_text(
            r#"{"hard_ifname":"e1-2","orig_address":"02:e0:00:03:02:01","best":true,"last_seen_msecs":640,
                "neigh_address":"02:e0:00:02:01:01","throughput":8823500,"tt_ttvn":1,"clients":1}"#,
        )
        .unwrap();
        // As `batctl originators` of 2024.2 prints the same, less one of its two blanks before the next hop.
        assert_eq!(
            originators(&[way], true, &Names::none(), false),
            " * 02:e0:00:03:02:01    0.640s (     8823.5) 02:e0:00:02:01:01 [      e1-2]\n"
        );
        let neighbor: Neighbor = crate::control::json::from_text(
            r#"{"hard_ifname":"e1-2","last_seen_msecs":320,"neigh_address":"02:e0:00:02:01:01","throughput":54000,
                "throughput_source":"bitrate","echo_count":0,"receive_count":0}"#,
        )
        .unwrap();
        assert_eq!(
            neighbors(&[neighbor], true, &Names::none(), true),
            "        IF Neighbor          last-seen ( throughput) Source     Originator\n      \
             e1-2 02:e0:00:02:01:01    0.320s (       54.0) bitrate                    -\n"
        );
    }
}
