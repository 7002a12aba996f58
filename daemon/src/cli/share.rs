//! What the node gives and gets, for people.

use super::names::Names;
use super::status::bytes;
use crate::control::protocol::{ShareDay, ShareView};
use std::fmt::Write as _;

/// Days that are shown unless all are asked for.
const DAYS: usize = 7;
/// Nodes likewise.
const NODES: usize = 10;

/// The account.
pub fn page(s: &ShareView, names: &Names, header: bool, all: bool) -> String {
    let mut out = String::new();
    if header {
        let why = match s.why.as_deref() {
            Some("hours") => " now, as these are not the hours to give",
            Some("budget") => " now, as the budget of this month is used up",
            _ => "",
        };
        let _ = writeln!(out, "Others get:      {}{why}", s.give_now);
        let budget = s.budget_bytes.map_or_else(String::new, |most| format!(" of {}", bytes(most)));
        let _ = writeln!(out, "Given in month:  {}{budget}", bytes(s.month_bytes));
        for link in s.owner.iter().flatten() {
            let (told, beside) = (link.told_sent.max(link.told_received), link.beside.unwrap_or(0));
            if told == 0 && beside == 0 {
                continue;
            }
            let name = &link.hard_ifname;
            let _ = write!(out, "You keep busy:   {name} to {} %, as others are told", told.div_ceil(10));
            if beside > 0 {
                let _ = write!(out, "; {} % of its air beside the mesh", beside.div_ceil(10));
            }
            out.push('\n');
        }
        let _ = writeln!(
            out,
            "\n{:10}  {:>12}  {:>12}  {:>12}  {:>12}",
            "Day", "for others", "for guests", "from others", "spare"
        );
    }
    let skip = if all { 0 } else { s.days.len().saturating_sub(DAYS) };
    for day in s.days.iter().skip(skip) {
        let cells = [day.carried_bytes, day.guest_bytes, used(day), day.spare_bytes].map(bytes);
        let _ = write!(out, "{:10}", day.date);
        for cell in cells {
            let _ = write!(out, "  {cell:>12}");
        }
        out.push('\n');
    }
    let mut nodes: Vec<_> = s.nodes.iter().flatten().collect();
    if nodes.is_empty() {
        return out;
    }
    // The newest month first, in it those with most.
    nodes.sort_by(|a, b| {
        b.month.cmp(&a.month).then((b.carried_bytes + b.used_bytes).cmp(&(a.carried_bytes + a.used_bytes)))
    });
    if header {
        let _ = writeln!(
            out,
            "\n{:8}  {:17}  {:>12}  {:>12}  {:>12}",
            "Month", "Node", "for it", "handed by it", "by it for us"
        );
    }
    for node in nodes.iter().take(if all { usize::MAX } else { NODES }) {
        let name = node.orig_address.map_or_else(|| "others".to_owned(), |mac| names.show(mac.0));
        let cells = [node.carried_bytes, node.handed_bytes, node.used_bytes].map(bytes);
        let _ = write!(out, "{:8}  {name:17}", node.month);
        for cell in cells {
            let _ = write!(out, "  {cell:>12}");
        }
        out.push('\n');
    }
    out
}

/// What neighbours carried on for us, both ways.
fn used(day: &ShareDay) -> u64 {
    day.used_sent_bytes.unwrap_or(0).saturating_add(day.used_received_bytes.unwrap_or(0))
}
