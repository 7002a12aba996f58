//! `history`: how a link or the node was over the last hour, two days or month.

use super::echo::Target;
use super::names::Names;
use super::{Out, print_json};
use crate::args::Args;
use crate::control::protocol::{HistoryView, Mac};
use crate::control::{Ask, Client};
use std::fmt::Write as _;

/// Columns of a line.
const WIDTH: usize = 60;

/// Shows the history of a neighbour, or of the node.
///
/// # Errors
/// No node answers, or it has no such history.
pub(super) async fn run(args: &Args, out: Out<'_>) -> anyhow::Result<()> {
    let mut client = Client::connect(&super::socket(args)).await?;
    let of = match args.operand(0) {
        Some(_) => Some(Target::find(&mut client, args).await?).filter(|t| !t.own).map(|t| Mac(t.orig)),
        None => None,
    };
    let scale = args.value_or_default("scale").to_owned();
    let mut answer = client.ask(Ask::History { of, scale }).await?;
    if args.has("json") {
        return print_json(out, &mut answer);
    }
    let Some(history) = answer.history else { anyhow::bail!("the node sent another answer") };
    let names = if args.has("numeric") { Names::none() } else { Names::load() };
    Ok(out.write_all(page(&history, &names).as_bytes())?)
}

/// A figure: its name, its values, and how one of them is said.
type Line<'a> = (&'static str, &'a [Option<u64>], fn(u64) -> String);

/// The history for people: a line for each figure, and of what else there is one.
fn page(h: &HistoryView, names: &Names) -> String {
    let who = h.of.map_or_else(|| "this node".to_owned(), |mac| names.show(mac.0));
    let over = h.hard_ifname.as_ref().map_or_else(String::new, |name| format!(" over {name}"));
    let steps = h.route_changes.len();
    let mut text = format!("{who}{over}: {steps} points of {}, oldest first\n", span(h.step_msecs));
    let lines: [Line<'_>; 7] = [
        ("reaches it", &h.to_percent, percent),
        ("heard of it", &h.from_percent, percent),
        ("throughput", &h.throughput, kbits),
        ("own clients", &h.owner_bytes_per_second, bytes),
        ("for others", &h.relay_bytes_per_second, bytes),
        ("left", &h.spare, kbits),
        ("ways changed", &h.route_changes, |n| n.to_string()),
    ];
    // Writing to a String cannot fail.
    for (name, values, show) in lines {
        let known: Vec<u64> = values.iter().flatten().copied().collect();
        let (Some(least), Some(most)) = (known.iter().min(), known.iter().max()) else { continue };
        let last = values.last().copied().flatten().map_or_else(|| "-".to_owned(), show);
        let _ = writeln!(text, "{name:>12} {} {} to {}, now {last}", sparks(values, *most), show(*least), show(*most));
    }
    if steps == 0 {
        text.push_str("Nothing yet: the first point comes when a step is over.\n");
    }
    let others = h.series.iter().filter(|s| s.neigh_address.is_some() && s.neigh_address != h.of);
    for (i, s) in others.enumerate() {
        let Some(mac) = s.neigh_address else { continue };
        let _ = writeln!(
            text,
            "{} {} over {}, {}",
            if i == 0 { "Also of" } else { "       " },
            names.show(mac.0),
            s.hard_ifname.as_deref().unwrap_or("-"),
            if s.last_seen_msecs < 20_000 {
                "here".to_owned()
            } else {
                format!("gone for {}", span(s.last_seen_msecs))
            },
        );
    }
    text
}

/// Values as bars, the largest of each column; a gap where nothing is known.
fn sparks(values: &[Option<u64>], most: u64) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let columns = values.len().clamp(1, WIDTH);
    let column = |i: usize| {
        let part = values.get(i * values.len() / columns..(i + 1) * values.len() / columns).unwrap_or_default();
        let Some(value) = part.iter().flatten().max() else { return ' ' };
        let height = usize::try_from(value * 7 / most.max(1)).unwrap_or(7);
        BARS.get(height).copied().unwrap_or('█')
    };
    (0..columns).map(column).collect()
}

fn percent(n: u64) -> String {
    format!("{n} %")
}

fn kbits(n: u64) -> String {
    format!("{}.{} Mbit/s", n / 1000, n % 1000 / 100)
}

fn bytes(n: u64) -> String {
    match n {
        0..10_000 => format!("{n} B/s"),
        10_000..10_000_000 => format!("{} kB/s", n / 1000),
        _ => format!("{} MB/s", n / 1_000_000),
    }
}

fn span(msecs: u64) -> String {
    match msecs / 1000 {
        secs @ 0..120 => format!("{secs} s"),
        secs @ 120..7200 => format!("{} min", secs / 60),
        secs @ 7200..172_800 => format!("{} h", secs / 3600),
        secs => format!("{} days", secs / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::protocol::SeriesView;
    use packet::MacAddr;

    #[test]
    fn figures_become_lines() {
        let near = Some(Mac(MacAddr([2, 0, 0, 0, 0, 7])));
        let history = HistoryView {
            of: near,
            hard_ifname: Some("wlan0".to_owned()),
            step_msecs: 10_000,
            to_percent: (0..120).map(|n| (n != 60 && n != 61).then_some(n / 2)).collect(),
            from_percent: vec![None; 120],
            relay_bytes_per_second: vec![Some(0); 120],
            route_changes: vec![Some(0); 120],
            series: vec![SeriesView {
                neigh_address: Some(Mac(MacAddr([2, 0, 0, 0, 0, 8]))),
                orig_address: None,
                hard_ifname: Some("wlan1".to_owned()),
                last_seen_msecs: 3_600_000,
            }],
            ..HistoryView::default()
        };
        let text = page(&history, &Names::none());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "02:00:00:00:00:07 over wlan0: 120 points of 10 s, oldest first");
        assert!(lines[1].starts_with("  reaches it ▁▁▁▁▁▁▁▁▁▂"), "{}", lines[1]);
        assert!(lines[1].ends_with("█ 0 % to 59 %, now 59 %"), "{}", lines[1]);
        assert_eq!(lines[1].chars().filter(|c| *c == ' ').count(), 3 + 9 + 1, "one gap: {}", lines[1]);
        assert!(lines[2].contains("for others ▁"), "nothing is known of what it is heard: {}", lines[2]);
        assert_eq!(lines[4], "Also of 02:00:00:00:00:08 over wlan1, gone for 60 min");
        let young = page(&HistoryView::default(), &Names::none());
        assert!(young.contains("this node: 0 points") && young.contains("Nothing yet"), "{young}");
    }
}
