//! The node on one page.

use super::table::head;
use crate::control::protocol::{Node, Reload, Statistics, Status};
use std::fmt::Write;

/// The page. `now` is the time in seconds since 1970.
pub fn page(node: &Node, s: &Status, header: bool, now: u64) -> String {
    let mut out = String::new();
    if header {
        out.push_str(&head(node, ""));
    }
    let memory = if s.rss_bytes > 0 { format!(", {} of memory", bytes(s.rss_bytes)) } else { String::new() };
    let _ = writeln!(out, "Running:         {}, process {}{memory}", span(s.uptime_msecs / 1000), s.pid);
    let _ = writeln!(out, "Configuration:   {}", s.config.file.as_deref().unwrap_or("command line, no file"));
    for text in &s.config.complaints {
        let _ = writeln!(out, "Passed over:     {text}");
    }
    if let Some(r) = &s.config.reload {
        let _ = writeln!(out, "Last reload:     {}", reload(r, now));
    }
    let _ = writeln!(out, "Algorithm:       {}", algorithm(node, s.algo_auto));
    let _ = writeln!(out, "Mesh interface:  {}, MTU {}", node.mesh_ifname, s.mesh_mtu);
    for (i, link) in super::table::interfaces(&s.interfaces).lines().enumerate() {
        let _ = writeln!(out, "{:17}{link}", if i == 0 { "Hard interfaces:" } else { "" });
    }
    if s.interfaces.is_empty() {
        out.push_str("Hard interfaces: none\n");
    }
    let _ = writeln!(out, "Neighbors:       {}", s.neighbors);
    let _ = writeln!(out, "Originators:     {}", s.originators);
    let _ = writeln!(out, "Clients:         {} own, {} at other nodes", s.local_clients, s.global_clients);
    for (i, text) in
        s.line.iter().flat_map(|l| super::table::line(l).lines().map(str::to_owned).collect::<Vec<_>>()).enumerate()
    {
        let _ = writeln!(out, "{:17}{}", if i == 0 { "Internet:" } else { "" }, text.trim_start());
    }
    let _ = writeln!(out, "Client traffic:  {}", frames(&s.statistics, [("tx", "sent"), ("rx", "received")]));
    let _ = writeln!(out, "For others:      {}", frames(&s.statistics, [("forward", "forwarded")]));
    let _ = writeln!(out, "Routing:         {}", frames(&s.statistics, [("mgmt_tx", "sent"), ("mgmt_rx", "received")]));
    let _ = writeln!(out, "Dropped:         {}", dropped(&s.statistics));
    out
}

/// Reasons that belong to the protocol's everyday life and say nothing about its health.
const ORDINARY: &[&str] = &[
    "duplicate",
    "own_ogm",
    "own_source",
    "own_rebroadcast",
    "not_best_next_hop",
    "not_for_us",
    "arp_duplicate",
    "arp_elsewhere",
    "backbone",
    "claimed",
    "claim_race",
];

/// `B.A.T.M.A.N. V, chosen by listening`.
fn algorithm(node: &Node, auto: bool) -> String {
    let name = node.algo_name.strip_prefix("BATMAN_").unwrap_or(&node.algo_name);
    format!("B.A.T.M.A.N. {name}, {}", if auto { "chosen by listening" } else { "as set" })
}

fn reload(r: &Reload, now: u64) -> String {
    let ago = format!("{} ago", span(now.saturating_sub(r.at)));
    match &r.error {
        Some(error) => {
            let error = error.replace('\n', "\n                 ");
            format!("{ago}, REFUSED; the node goes on as before:\n                 {error}")
        }
        None if r.changes.is_empty() => format!("{ago}, nothing changed"),
        None => format!("{ago}: {}", r.changes.join("; ")),
    }
}

fn frames<const N: usize>(s: &Statistics, kinds: [(&str, &str); N]) -> String {
    let count = |name: &str| s.counters.get(name).copied().unwrap_or(0);
    let texts =
        kinds.map(|(name, verb)| format!("{} frames ({}) {verb}", count(name), bytes(count(&format!("{name}_bytes")))));
    texts.join(", ")
}

fn dropped(s: &Statistics) -> String {
    let mut worst: Vec<(&str, u64)> = s
        .drops
        .iter()
        .filter(|(name, n)| **n > 0 && !ORDINARY.contains(&name.as_str()))
        .map(|(name, n)| (name.as_str(), *n))
        .collect();
    if worst.is_empty() {
        return "nothing out of the ordinary".to_owned();
    }
    worst.sort_by_key(|&(name, n)| (std::cmp::Reverse(n), name));
    let shown: Vec<String> = worst.iter().take(5).map(|(name, n)| format!("{n} {name}")).collect();
    let more = worst.len().saturating_sub(5);
    let more = if more > 0 { format!(", {more} more reasons in \"meshwork statistics\"") } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

/// `3d 04:05:06`.
pub(super) fn span(secs: u64) -> String {
    let (days, rest) = (secs / 86_400, secs % 86_400);
    let clock = format!("{:02}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60);
    if days > 0 { format!("{days}d {clock}") } else { clock }
}

/// `1.5 MiB`.
pub(super) fn bytes(n: u64) -> String {
    const UNITS: &[&str] = &["bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let (mut whole, mut tenth, mut unit) = (n, 0, 0);
    while whole >= 1024 && unit + 1 < UNITS.len() {
        tenth = whole % 1024 * 10 / 1024;
        whole /= 1024;
        unit += 1;
    }
    let name = UNITS.get(unit).copied().unwrap_or_default();
    if unit == 0 { format!("{whole} {name}") } else { format!("{whole}.{tenth} {name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_spans() {
        assert_eq!(bytes(0), "0 bytes");
        assert_eq!(bytes(1023), "1023 bytes");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(u64::MAX), "15.9 EiB");
        assert_eq!(span(59), "00:00:59");
        assert_eq!(span(90_061), "1d 01:01:01");
    }
}
