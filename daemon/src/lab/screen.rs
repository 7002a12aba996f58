//! The tables people look at, made of a [`Report`].

use super::report::{NodeReport, Report};
use std::fmt::Write;

/// What is shown besides the report.
#[derive(Debug, Clone, Default)]
pub(crate) struct View {
    /// Columns.
    pub(crate) width: usize,
    /// Rows; more than that is cut.
    pub(crate) height: usize,
    /// Use colours.
    pub(crate) colour: bool,
    /// Place of the node whose routes are shown.
    pub(crate) chosen: usize,
    /// Last line: keys, or what is being typed.
    pub(crate) footer: String,
}

/// A piece of text with a colour; knows its width.
#[derive(Debug, Clone)]
struct Cell {
    text: String,
    tone: Tone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tone {
    Plain,
    Good,
    Fair,
    Bad,
    Dim,
    Title,
}

/// Lines that fit the view: the whole report, lists shortened where rows lack.
pub(crate) fn render(report: &Report, view: &View) -> Vec<String> {
    let head = head(report);
    let mut sections = vec![
        ("LINKS  quality there / back of 255", links(report, view)),
        ("", Vec::new()),
        ("PINGS  from row to column, ms", pings(report, view)),
        ("TCP", transfers(report)),
        ("AIR  taken (sending), % of the time", air(report, view)),
        ("NOTES", notes(report)),
    ];
    let routes_title = format!("ROUTES of {}", report.nodes.get(view.chosen).map_or("?", |node| node.name.as_str()));
    sections[1] = (routes_title.as_str(), routes(report, view));
    sections.retain(|(_, rows)| !rows.is_empty());
    let fixed = head.len() + usize::from(!view.footer.is_empty());
    let room = view.height.saturating_sub(fixed);
    // With space to spare, a blank line parts the sections; without, the longest lists are cut.
    let needed = |sections: &[(&str, Vec<Vec<Cell>>)]| sections.iter().map(|(_, rows)| rows.len() + 1).sum::<usize>();
    let airy = needed(&sections) + sections.len() <= room;
    while needed(&sections) > room {
        let longest = sections.iter_mut().map(|(_, rows)| rows).max_by_key(|rows| rows.len());
        let Some(rows) = longest.filter(|rows| rows.len() > 2) else { break };
        rows.pop();
        rows.pop();
        rows.push(vec![Cell::new("...", Tone::Dim)]);
    }
    let mut out: Vec<Vec<Cell>> = head;
    for (title, rows) in sections {
        if airy {
            out.push(Vec::new());
        }
        out.push(vec![Cell::new(title, Tone::Title)]);
        out.extend(rows);
    }
    let mut lines: Vec<String> = out.iter().map(|row| paint(row, view)).collect();
    lines.truncate(view.height.saturating_sub(usize::from(!view.footer.is_empty())));
    if !view.footer.is_empty() {
        if airy {
            lines.push(String::new());
        }
        lines.push(paint(&[Cell::new(view.footer.clone(), Tone::Plain)], view));
    }
    lines
}

/// One line for a log: where things stand.
pub(crate) fn line(report: &Report) -> String {
    let (reached, pairs) = report.reached();
    let nodes = report.nodes.iter().filter(|node| node.running).count();
    let routes: usize = report.nodes.iter().map(|node| node.routes.len()).sum();
    let all = report.nodes.len() * report.nodes.len().saturating_sub(1);
    let mut text = format!(
        "{:5.1} s  nodes {nodes}/{}  routes {routes}/{all}  client pairs {reached}/{pairs}",
        report.elapsed_seconds,
        report.nodes.len()
    );
    if let Some(rtt) = median(report.pairs.iter().filter_map(|pair| pair.rtt_ms)) {
        let _ = write!(text, "  ping {rtt:.1} ms");
    }
    if let Some(busiest) = report.nodes.iter().filter_map(|node| node.air.as_ref()).map(|air| air.busy).reduce(f64::max)
    {
        let _ = write!(text, "  air {:.0} %", busiest * 100.0);
    }
    if let Some(transfer) = report.transfers.last().filter(|transfer| transfer.running) {
        let _ = write!(text, "  tcp {:.1} Mbit/s", transfer.mbit_per_second);
    }
    text
}

fn head(report: &Report) -> Vec<Vec<Cell>> {
    let (reached, pairs) = report.reached();
    let title = format!(
        "meshwork lab  {} nodes, {}, {}, seed {}  {:.0} s",
        report.nodes.len(),
        report.topology,
        report.medium,
        report.seed,
        report.elapsed_seconds
    );
    let mut state = format!("{reached} of {pairs} pairs of clients reachable");
    if let Some(complete) = report.complete_seconds {
        let _ = write!(state, ", first all after {complete:.1} s");
    }
    let mut row = vec![Cell::new(state, if reached == pairs { Tone::Good } else { Tone::Bad })];
    if let Some(rss) = median(report.nodes.iter().filter_map(|n| n.rss_bytes.map(|b| b as f64))) {
        row.push(Cell::new(format!("   {:.1} MB per node", rss / 1e6), Tone::Dim));
    }
    if report.radio_late_ms >= LATE_MS {
        row.push(Cell::new(format!("   machine too slow: air {:.0} ms late", report.radio_late_ms), Tone::Bad));
    }
    let page = report.page.as_ref().map(|page| vec![Cell::new(format!("in a browser: {page}"), Tone::Plain)]);
    [vec![Cell::new(title, Tone::Title)], row].into_iter().chain(page).collect()
}

fn links(report: &Report, view: &View) -> Vec<Vec<Cell>> {
    let cells = report.links.iter().map(|link| {
        let names = format!("{} {}", link.source, link.target);
        if link.cut {
            return vec![Cell::plain(format!("{names} ")), Cell::new("cut", Tone::Bad)];
        }
        let [there, back] = [0, 1].map(|i| quality(link.tq[i], link.throughput[i]));
        let worst = there.1.max(back.1);
        vec![Cell::plain(format!("{names} ")), Cell::new(format!("{}/{}", there.0, back.0), worst.tone())]
    });
    columns(cells.collect(), view.width)
}

fn routes(report: &Report, view: &View) -> Vec<Vec<Cell>> {
    let Some(node) = report.nodes.get(view.chosen) else { return Vec::new() };
    if !node.running {
        return vec![vec![Cell::new("its daemon does not run", Tone::Bad)]];
    }
    if node.routes.is_empty() {
        return vec![vec![Cell::new("none yet", Tone::Dim)]];
    }
    let cells = node.routes.iter().map(|route| {
        let (text, grade) = quality(route.tq, route.throughput);
        let tq = Cell::new(format!("{text:>3}"), grade.tone());
        let way = match &route.way {
            Some(way) if node.routes.len() <= MANY => {
                let hops = way.len().saturating_sub(1);
                format!("  {hops} hop{}  {}", if hops == 1 { " " } else { "s" }, way.join(" "))
            }
            Some(way) => format!(" {} hops via {}", way.len().saturating_sub(1), route.next),
            None => format!("  via {} (changing)", route.next),
        };
        vec![Cell::plain(format!("{} ", route.to)), tq, Cell::plain(way)]
    });
    columns(cells.collect(), view.width)
}

fn pings(report: &Report, view: &View) -> Vec<Vec<Cell>> {
    let clients: Vec<&NodeReport> = report.clients().collect();
    let name = |node: &NodeReport| node.client.as_ref().map_or_else(|| node.name.clone(), |c| c.name.clone());
    let width = clients.iter().map(|node| name(node).len()).max().unwrap_or(0).max(CELL);
    if (clients.len() + 1) * (width + 1) > view.width || clients.len() > MANY {
        return pings_in_short(report);
    }
    let mut head = vec![Cell::plain(format!("{:width$}", ""))];
    head.extend(clients.iter().map(|node| Cell::new(format!(" {:>width$}", name(node)), Tone::Dim)));
    let mut rows = vec![head];
    for from in &clients {
        let mut row = vec![Cell::new(format!("{:width$}", name(from)), Tone::Dim)];
        for to in &clients {
            let (text, tone) = match report.pair(&from.name, &to.name) {
                None => ("-".to_owned(), Tone::Dim),
                Some(pair) if pair.reachable => (pair.rtt_ms.map_or("?".into(), |ms| format!("{ms:.1}")), Tone::Good),
                Some(pair) if pair.first_seconds.is_none() => ("not yet".to_owned(), Tone::Fair),
                Some(_) => ("lost".to_owned(), Tone::Bad),
            };
            row.push(Cell::new(format!(" {text:>width$}"), tone));
        }
        rows.push(row);
    }
    rows
}

/// With many clients: how many answer, and who does not.
fn pings_in_short(report: &Report) -> Vec<Vec<Cell>> {
    let (reached, pairs) = report.reached();
    let rtt = median(report.pairs.iter().filter_map(|pair| pair.rtt_ms)).unwrap_or(0.0);
    let mut rows = vec![vec![Cell::plain(format!("{reached} of {pairs} pairs answer, median {rtt:.1} ms"))]];
    let silent: Vec<_> = report.pairs.iter().filter(|p| !p.reachable).map(|p| format!("{}-{}", p.from, p.to)).collect();
    if !silent.is_empty() {
        let some = silent.get(..8).unwrap_or(&silent).join(" ");
        let more = if silent.len() > 8 { " ..." } else { "" };
        rows.push(vec![Cell::new(format!("silent: {some}{more}"), Tone::Bad)]);
    }
    rows
}

fn transfers(report: &Report) -> Vec<Vec<Cell>> {
    let newest = report.transfers.iter().rev().take(3).rev();
    let row = |transfer: &super::report::TransferReport| {
        let hops = transfer.hops.map_or(String::new(), |hops| format!(" over {hops} hops"));
        let amount = format!("{:.1} MB in {:.1} s", transfer.bytes as f64 / 1e6, transfer.seconds);
        let (tone, end) = match &transfer.error {
            Some(error) => (Tone::Bad, format!("  failed: {error}")),
            None if transfer.running => (Tone::Fair, "  running".to_owned()),
            None => (Tone::Good, String::new()),
        };
        let speed = format!("{:.1} Mbit/s", transfer.mbit_per_second);
        vec![
            Cell::plain(format!("{} to {}{hops}: ", transfer.from, transfer.to)),
            Cell::new(speed, tone),
            Cell::plain(format!("  {amount}{end}")),
        ]
    };
    newest.map(row).collect()
}

fn air(report: &Report, view: &View) -> Vec<Vec<Cell>> {
    let cells = report.nodes.iter().filter_map(|node| {
        let air = node.air.as_ref()?;
        let tone = match air.busy {
            ..0.5 => Tone::Good,
            0.5..0.85 => Tone::Fair,
            _ => Tone::Bad,
        };
        let busy = Cell::new(format!("{:3.0}", air.busy * 100.0), tone);
        Some(vec![Cell::plain(format!("{} ", node.name)), busy, Cell::plain(format!(" ({:.0})", air.sending * 100.0))])
    });
    columns(cells.collect(), view.width)
}

fn notes(report: &Report) -> Vec<Vec<Cell>> {
    report.notes.iter().rev().take(4).rev().map(|note| vec![Cell::plain(note.clone())]).collect()
}

/// Puts entries side by side, down the columns, as many columns as fit.
fn columns(entries: Vec<Vec<Cell>>, width: usize) -> Vec<Vec<Cell>> {
    let entry_width = |entry: &Vec<Cell>| entry.iter().map(|cell| cell.text.chars().count()).sum::<usize>();
    let widest = entries.iter().map(entry_width).max().unwrap_or(0) + 3;
    let fit = (width.saturating_add(3) / widest).max(1);
    let rows = entries.len().div_ceil(fit);
    let mut out = vec![Vec::new(); rows];
    for (n, mut entry) in entries.into_iter().enumerate() {
        let pad = widest - entry_width(&entry);
        entry.push(Cell::plain(" ".repeat(pad)));
        if let Some(row) = out.get_mut(n % rows.max(1)) {
            row.extend(entry);
        }
    }
    out
}

/// The row as text, cut to the width, colours around what is left.
fn paint(row: &[Cell], view: &View) -> String {
    let mut out = String::new();
    let mut room = view.width;
    for cell in row {
        let text: String = cell.text.chars().take(room).collect();
        room -= text.chars().count();
        match cell.tone.code().filter(|_| view.colour && !text.trim().is_empty()) {
            Some(code) => {
                let _ = write!(out, "\x1b[{code}m{text}\x1b[0m");
            }
            None => out.push_str(&text),
        }
    }
    out.trim_end().to_owned()
}

/// How good something is, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Grade {
    Good,
    Fair,
    Bad,
}

impl Grade {
    fn tone(self) -> Tone {
        match self {
            Self::Good => Tone::Good,
            Self::Fair => Tone::Fair,
            Self::Bad => Tone::Bad,
        }
    }
}

/// A quality (IV) or a throughput in kbit/s (V) in few characters, and what to think of it. Below
/// 1 Mbit/s hardly anything can be done, above 10 everything usual.
fn quality(tq: Option<u8>, kbits: Option<u64>) -> (String, Grade) {
    match (tq, kbits) {
        (Some(tq), _) => {
            let grade = match tq {
                0..50 => Grade::Bad,
                50..150 => Grade::Fair,
                _ => Grade::Good,
            };
            (tq.to_string(), grade)
        }
        (None, Some(kbits)) => {
            let grade = match kbits {
                0..1000 => Grade::Bad,
                1000..10_000 => Grade::Fair,
                _ => Grade::Good,
            };
            (format!("{}.{}M", kbits / 1000, kbits % 1000 / 100), grade)
        }
        (None, None) => ("-".to_owned(), Grade::Bad),
    }
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

impl Cell {
    fn new(text: impl Into<String>, tone: Tone) -> Self {
        Self { text: text.into(), tone }
    }

    fn plain(text: impl Into<String>) -> Self {
        Self::new(text, Tone::Plain)
    }
}

impl Tone {
    /// Select Graphic Rendition parameter (ECMA-48, 8.3.117).
    fn code(self) -> Option<u8> {
        match self {
            Self::Plain => None,
            Self::Good => Some(32),
            Self::Fair => Some(33),
            Self::Bad => Some(31),
            Self::Dim => Some(2),
            Self::Title => Some(1),
        }
    }
}

/// Width of a ping time.
const CELL: usize = 7;
/// Above this many, lists take their short form.
const MANY: usize = 16;
/// The air may be this late before it is said.
pub(crate) const LATE_MS: f64 = 100.0;

#[cfg(test)]
mod tests {
    use super::super::report::{AirReport, ClientReport, LinkReport, PairReport, RouteReport, TransferReport};
    use super::*;

    #[test]
    fn throughputs_are_judged_too() {
        assert_eq!(quality(Some(255), None), ("255".to_owned(), Grade::Good));
        assert_eq!(quality(None, Some(12_340)), ("12.3M".to_owned(), Grade::Good));
        assert_eq!(quality(None, Some(1000)), ("1.0M".to_owned(), Grade::Fair));
        assert_eq!(quality(None, Some(900)).1, Grade::Bad);
        assert_eq!(quality(None, None), ("-".to_owned(), Grade::Bad));
    }

    fn report(nodes: usize) -> Report {
        let name = |n: usize| format!("n{}", n + 1);
        let node = |n: usize| NodeReport {
            name: name(n),
            running: true,
            client: Some(ClientReport { name: format!("c{}", n + 1), ..Default::default() }),
            routes: (0..nodes)
                .filter(|to| *to != n)
                .map(|to| RouteReport {
                    to: name(to),
                    next: name(to),
                    tq: Some(200),
                    throughput: None,
                    way: Some(vec![name(n), name(to)]),
                })
                .collect(),
            air: Some(AirReport { sending: 0.05, busy: 0.25, ..Default::default() }),
            ..Default::default()
        };
        let pair = |from: usize, to: usize| PairReport {
            from: name(from),
            to: name(to),
            reachable: to != 1,
            first_seconds: (to != 1).then_some(1.0),
            rtt_ms: Some(2.5),
            ..Default::default()
        };
        Report {
            topology: format!("full:{nodes}"),
            medium: "radio".into(),
            seed: 7,
            nodes: (0..nodes).map(node).collect(),
            links: (1..nodes)
                .map(|n| LinkReport {
                    source: name(n - 1),
                    target: name(n),
                    cut: n == 2,
                    tq: [Some(255), None],
                    ..Default::default()
                })
                .collect(),
            pairs: (0..nodes)
                .flat_map(|a| (0..nodes).filter(move |b| *b != a).map(move |b| (a, b)))
                .map(|(a, b)| pair(a, b))
                .collect(),
            transfers: vec![TransferReport { from: "n1".into(), mbit_per_second: 8.25, ..Default::default() }],
            ..Default::default()
        }
    }

    fn view(width: usize, height: usize) -> View {
        View { width, height, footer: "q quit".into(), ..View::default() }
    }

    #[test]
    fn everything_is_on_the_screen() {
        let text = render(&report(4), &view(100, 60)).join("\n");
        for part in ["4 nodes, full:4, radio, seed 7", "n1 n2 255/-", "n2 n3 cut", "ROUTES of n1", "1 hop   n1 n2"] {
            assert!(text.contains(part), "{part} in\n{text}");
        }
        for part in ["c1            - not yet     2.5     2.5", "8.2 Mbit/s", "n4  25 (5)", "q quit"] {
            assert!(text.contains(part), "{part} in\n{text}");
        }
    }

    #[test]
    fn it_fits_any_terminal() {
        for nodes in [2, 6, 50] {
            for (width, height) in [(80, 24), (40, 10), (20, 3), (200, 60)] {
                let lines = render(&report(nodes), &view(width, height));
                assert!(lines.len() <= height, "{} lines in {height} rows", lines.len());
                assert!(lines.iter().all(|line| line.chars().count() <= width));
                assert!(lines.last().unwrap().contains("q quit"));
            }
        }
    }

    #[test]
    fn colours_take_no_room() {
        let plain = render(&report(6), &view(80, 40));
        let painted = render(&report(6), &View { colour: true, ..view(80, 40) });
        let strip = |line: &str| {
            let mut out = String::new();
            for (n, part) in line.split('\x1b').enumerate() {
                out.push_str(if n == 0 { part } else { part.split_once('m').unwrap().1 });
            }
            out.trim_end().to_owned()
        };
        assert!(painted.iter().any(|line| line.contains("\x1b[32m")));
        assert_eq!(painted.iter().map(|line| strip(line)).collect::<Vec<_>>(), plain);
    }

    #[test]
    fn the_log_line_says_where_things_stand() {
        let text = line(&report(3));
        assert_eq!(text, "  0.0 s  nodes 3/3  routes 6/6  client pairs 4/6  ping 2.5 ms  air 25 %");
    }
}
