//! `meshwork top`: neighbours, ways and traffic by class, live in a terminal.

use super::names::Names;
use crate::args::Args;
use crate::control::protocol::{Interface, Mac, Neighbor, Node, Originator, Status};
use crate::control::{Ask, Client};
use anyhow::bail;
use mesh_core::sorted::SortedMap;
use ratatui::Frame;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph, Row, Table};
use std::collections::VecDeque;
use std::io::IsTerminal;
use std::path::Path;
use std::time::{Duration, Instant};

/// Time between two looks at the node.
const EVERY: Duration = Duration::from_secs(1);
/// How many of them a history holds.
const HISTORY: usize = 60;
/// Classes of what leaves, in the order that they go out.
const CLASSES: [(&str, &str); 4] =
    [("control", "control"), ("owner", "owner"), ("guest", "guests"), ("relay", "for others")];

/// Shows a node until somebody has seen enough.
///
/// # Errors
/// This is no terminal, or no node answers at first. One that goes away later is waited for.
pub(super) async fn run(args: &Args) -> anyhow::Result<()> {
    if !std::io::stdout().is_terminal() {
        bail!("top needs a terminal; for a file there is: meshwork status");
    }
    let socket = super::socket(args);
    let mut top = Top::new(if args.has("numeric") { Names::none() } else { Names::load() });
    top.take(look(&socket).await?, Instant::now());
    let mut terminal = ratatui::try_init()?;
    let done = watch(&mut terminal, &mut top, &socket).await;
    ratatui::restore();
    done
}

async fn watch(terminal: &mut ratatui::DefaultTerminal, top: &mut Top, socket: &Path) -> anyhow::Result<()> {
    let mut next = Instant::now() + EVERY;
    loop {
        terminal.draw(|frame| top.draw(frame))?;
        // This command has nothing else to do meanwhile.
        if event::poll(next.saturating_duration_since(Instant::now()))? {
            if let Event::Key(key) = event::read()?
                && key.kind == KeyEventKind::Press
            {
                let ctrl_c = key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c');
                match key.code {
                    KeyCode::Char('q') | KeyCode::Esc => return Ok(()),
                    _ if ctrl_c => return Ok(()),
                    KeyCode::Down | KeyCode::Char('j') => top.scroll(1),
                    KeyCode::Up | KeyCode::Char('k') => top.scroll(-1),
                    KeyCode::PageDown | KeyCode::Char(' ') => top.scroll(10),
                    KeyCode::PageUp => top.scroll(-10),
                    KeyCode::Home => top.first = 0,
                    _ => {}
                }
            }
            continue;
        }
        next = Instant::now() + EVERY;
        match look(socket).await {
            Ok(seen) => top.take(seen, Instant::now()),
            Err(error) => top.trouble = Some(format!("{error:#}")),
        }
    }
}

/// What the node says at one moment.
struct Seen {
    node: Node,
    status: Status,
    neighbors: Vec<Neighbor>,
    originators: Vec<Originator>,
}

async fn look(socket: &Path) -> anyhow::Result<Seen> {
    let mut client = Client::connect(socket).await?;
    let other = || anyhow::anyhow!("the node sent another answer");
    let first = client.ask(Ask::Status).await?;
    let neighbors = client.ask(Ask::Neighbors).await?.neighbors.ok_or_else(other)?;
    let originators = client.ask(Ask::Originators).await?.originators.ok_or_else(other)?;
    Ok(Seen { node: first.node.ok_or_else(other)?, status: first.status.ok_or_else(other)?, neighbors, originators })
}

/// What is on the screen.
struct Top {
    names: Names,
    seen: Option<Seen>,
    at: Option<Instant>,
    /// Bytes that left by class, counted so far.
    left: [u64; 4],
    /// Bits per second by class, oldest first.
    rates: [VecDeque<u64>; 4],
    /// Quality of links in thousandths of the best, oldest first.
    quality: SortedMap<Mac, VecDeque<u64>>,
    /// First way that is shown.
    first: usize,
    trouble: Option<String>,
}

impl Top {
    fn new(names: Names) -> Self {
        Self {
            names,
            seen: None,
            at: None,
            left: [0; 4],
            rates: Default::default(),
            quality: SortedMap::new(),
            first: 0,
            trouble: None,
        }
    }

    fn take(&mut self, mut seen: Seen, now: Instant) {
        let left = CLASSES.map(|(class, _)| bytes_of(class, &seen.status.interfaces));
        if let Some(at) = self.at {
            let millis = u64::try_from(now.duration_since(at).as_millis()).unwrap_or(1).max(1);
            for ((history, now), before) in self.rates.iter_mut().zip(left).zip(self.left) {
                // An interface that went away takes its counters along.
                remember(history, now.saturating_sub(before) * 8000 / millis);
            }
        }
        (self.left, self.at, self.trouble) = (left, Some(now), None);
        for n in &seen.neighbors {
            let value = permille(n.tq, n.throughput);
            if let Some(history) = self.quality.get_mut(&n.neigh_address) {
                remember(history, value);
            } else {
                self.quality.insert(n.neigh_address, VecDeque::from([value]));
            }
        }
        self.quality.retain(|mac, _| seen.neighbors.iter().any(|n| n.neigh_address == *mac));
        seen.neighbors.sort_by_key(|n| (n.hard_ifname.clone(), n.neigh_address));
        seen.originators.retain(|o| o.best);
        seen.originators.sort_by_key(|o| (permille(o.tq, o.throughput), o.orig_address));
        self.seen = Some(seen);
        self.scroll(0);
    }

    fn scroll(&mut self, by: isize) {
        let last = self.seen.as_ref().map_or(0, |s| s.originators.len().saturating_sub(1));
        self.first = self.first.saturating_add_signed(by).min(last);
    }

    fn draw(&self, frame: &mut Frame<'_>) {
        let Some(seen) = &self.seen else { return };
        let neighbors = u16::try_from(seen.neighbors.len()).unwrap_or(u16::MAX).min(frame.area().height / 3).max(1);
        let [head, traffic, near, ways, foot] = Layout::vertical([
            Constraint::Length(2),
            Constraint::Length(6),
            Constraint::Length(neighbors.saturating_add(3)),
            Constraint::Min(3),
            Constraint::Length(1),
        ])
        .areas(frame.area());
        frame.render_widget(Paragraph::new(header(seen)), head);
        self.draw_traffic(frame, traffic);
        self.draw_neighbors(seen, frame, near);
        self.draw_ways(seen, frame, ways);
        let foot_line = match &self.trouble {
            Some(trouble) => Line::styled(trouble.clone(), Style::new().fg(Color::Red)),
            None => Line::styled(
                "q ends; arrows and page keys move through the ways",
                Style::new().add_modifier(Modifier::DIM),
            ),
        };
        frame.render_widget(Paragraph::new(foot_line), foot);
    }

    fn draw_traffic(&self, frame: &mut Frame<'_>, area: Rect) {
        let rows = CLASSES.iter().zip(&self.rates).map(|((_, shown), history)| {
            let now = history.back().copied().unwrap_or(0);
            let most = history.iter().copied().max().unwrap_or(0);
            Row::new(vec![(*shown).to_owned(), bits(now), sparkline(history, most)])
        });
        let widths = [Constraint::Length(12), Constraint::Length(14), Constraint::Min(10)];
        frame.render_widget(Table::new(rows, widths).block(Block::bordered().title("What leaves, by class")), area);
    }

    fn draw_neighbors(&self, seen: &Seen, frame: &mut Frame<'_>, area: Rect) {
        let rows = seen.neighbors.iter().map(|n| {
            let history = self.quality.get(&n.neigh_address);
            Row::new(vec![
                n.hard_ifname.clone(),
                self.names.show(n.neigh_address.0),
                seconds(n.last_seen_msecs),
                quality(n.tq, n.throughput),
                history.map(|h| sparkline(h, 1000)).unwrap_or_default(),
            ])
            .style(colour(permille(n.tq, n.throughput)))
        });
        let widths = [
            Constraint::Length(10),
            Constraint::Length(18),
            Constraint::Length(9),
            Constraint::Length(14),
            Constraint::Min(10),
        ];
        let table =
            Table::new(rows, widths).header(head_row(&["interface", "neighbour", "heard", "quality", "minute"]));
        frame.render_widget(table.block(Block::bordered().title("Neighbours")), area);
    }

    fn draw_ways(&self, seen: &Seen, frame: &mut Frame<'_>, area: Rect) {
        let rows = seen.originators.iter().skip(self.first).map(|o| {
            Row::new(vec![
                self.names.show(o.orig_address.0),
                self.names.show(o.neigh_address.0),
                o.hard_ifname.clone(),
                quality(o.tq, o.throughput),
                seconds(o.last_seen_msecs),
                o.clients.to_string(),
            ])
            .style(colour(permille(o.tq, o.throughput)))
        });
        let widths = [
            Constraint::Length(18),
            Constraint::Length(18),
            Constraint::Length(10),
            Constraint::Length(14),
            Constraint::Length(9),
            Constraint::Min(7),
        ];
        let title = format!("Ways, weakest first ({} of {})", self.first + 1, seen.originators.len());
        let table =
            Table::new(rows, widths).header(head_row(&["node", "through", "interface", "quality", "heard", "clients"]));
        frame.render_widget(table.block(Block::bordered().title(title)), area);
    }
}

fn header(seen: &Seen) -> Vec<Line<'static>> {
    let (node, status) = (&seen.node, &seen.status);
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let text = format!(
        "  {}, up {}, {} neighbours, {} nodes, {} own clients, {} in the mesh",
        node.algo_name.replace('_', " "),
        span(status.uptime_msecs / 1000),
        status.neighbors,
        status.originators + 1,
        status.local_clients,
        status.global_clients
    );
    let first =
        Line::from(vec![Span::styled(format!("{} at {}", node.mesh_ifname, node.mesh_address), bold), Span::raw(text)]);
    let idle: Vec<&str> = status.interfaces.iter().filter(|i| !i.active).map(|i| i.hard_ifname.as_str()).collect();
    let second = match (status.alarms.last(), idle.is_empty()) {
        (Some(alarm), _) => Line::styled(
            format!("look at: {} (meshwork status)", alarm.what.replace('_', " ")),
            Style::new().fg(Color::Red),
        ),
        (None, false) => Line::styled(format!("not used: {}", idle.join(", ")), Style::new().fg(Color::Yellow)),
        (None, true) => Line::raw(""),
    };
    vec![first, second]
}

fn head_row(names: &[&'static str]) -> Row<'static> {
    Row::new(names.to_vec()).style(Style::new().add_modifier(Modifier::DIM))
}

/// Bytes of a class that left by all interfaces.
fn bytes_of(class: &str, interfaces: &[Interface]) -> u64 {
    let of = |i: &Interface| i.classes.get(class)?.get("bytes").copied();
    interfaces.iter().filter_map(of).sum()
}

fn remember(history: &mut VecDeque<u64>, value: u64) {
    if history.len() >= HISTORY {
        history.pop_front();
    }
    history.push_back(value);
}

/// Quality in thousandths; under V 100 Mbit/s and more is all.
fn permille(tq: Option<u8>, kbits: Option<u64>) -> u64 {
    match (tq, kbits) {
        (Some(tq), _) => u64::from(tq) * 1000 / 255,
        (None, kbits) => kbits.unwrap_or(0).min(100_000) / 100,
    }
}

fn quality(tq: Option<u8>, kbits: Option<u64>) -> String {
    match (tq, kbits) {
        (Some(tq), _) => format!("{tq}/255"),
        (None, kbits) => bits(kbits.unwrap_or(0) * 1000),
    }
}

fn colour(permille: u64) -> Style {
    match permille {
        0..300 => Style::new().fg(Color::Red),
        300..600 => Style::new().fg(Color::Yellow),
        _ => Style::new(),
    }
}

/// Bits per second for people.
fn bits(rate: u64) -> String {
    match rate {
        0..1000 => format!("{rate} bit/s"),
        1000..1_000_000 => format!("{}.{} kbit/s", rate / 1000, rate % 1000 / 100),
        _ => format!("{}.{} Mbit/s", rate / 1_000_000, rate % 1_000_000 / 100_000),
    }
}

fn seconds(msecs: u64) -> String {
    format!("{}.{} s", msecs / 1000, msecs % 1000 / 100)
}

fn span(seconds: u64) -> String {
    match seconds {
        0..3600 => format!("{} min", seconds / 60),
        3600..172_800 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// A history as a row of bars, `most` the highest one.
fn sparkline(history: &VecDeque<u64>, most: u64) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let bar = |value: &u64| {
        let height = usize::try_from(value.saturating_mul(7) / most.max(1)).unwrap_or(7).min(7);
        BARS.get(height).copied().unwrap_or('█')
    };
    history.iter().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::json::{Value, from_text};
    use packet::MacAddr;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    fn mac(last: u8) -> Mac {
        Mac(MacAddr([2, 0, 0, 0, 0, last]))
    }

    fn seen(ways: u8, owner: u64) -> Seen {
        let node =
            r#"{"version":"9","algo_name":"BATMAN_IV","mesh_ifname":"mesh0","mesh_address":"02:00:00:00:00:64"}"#;
        let mut status = Status::blank();
        (status.uptime_msecs, status.neighbors, status.originators) = (7_260_000, 1, usize::from(ways));
        let interface = format!(
            r#"{{"hard_ifname":"wlan0","active":true,"classes":{{"owner":{{"bytes":{owner}}},"relay":{{"bytes":10}}}}}}"#
        );
        status.interfaces = vec![from_text(&interface).unwrap()];
        let mut neighbor = Neighbor::blank();
        (neighbor.hard_ifname, neighbor.neigh_address, neighbor.tq) = ("wlan0".to_owned(), mac(20), Some(200));
        neighbor.last_seen_msecs = 350;
        let way = |n: u8, best: bool| {
            let mut o = Originator::blank();
            (o.orig_address, o.neigh_address, o.best, o.tq) = (mac(n), mac(20), best, Some(255 - n));
            o
        };
        let originators = (0..ways).flat_map(|n| [way(n, true), way(n, false)]).collect();
        Seen { node: from_text(node).unwrap(), status, neighbors: vec![neighbor], originators }
    }

    fn screen(top: &Top, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| top.draw(frame)).unwrap();
        let buffer = terminal.backend().buffer();
        let cells: Vec<&str> = buffer.content().iter().map(ratatui::buffer::Cell::symbol).collect();
        cells.chunks(width.into()).map(|row| row.concat() + "\n").collect()
    }

    #[test]
    fn a_node_on_the_screen() {
        let mut names = Names::none();
        names.read("02:00:00:00:00:14 roof\n");
        let (mut top, start) = (Top::new(names), Instant::now());
        top.take(seen(5, 1000), start);
        top.take(seen(5, 251_000), start + Duration::from_secs(2));
        let shown = screen(&top, 100, 30);
        for part in [
            "mesh0 at 02:00:00:00:00:64",
            "BATMAN IV, up 2 h 1 min",
            "6 nodes",
            "1.0 Mbit/s",
            "roof",
            "200/255",
            "0.3 s",
        ] {
            assert!(shown.contains(part), "{part} is not in\n{shown}");
        }
        // The weakest way first, each node once.
        let places: Vec<usize> = (0..5)
            .map(|n| shown.find(&format!("02:00:00:00:00:0{n} ")).unwrap_or_else(|| panic!("{n}\n{shown}")))
            .collect();
        assert!(places.is_sorted_by(|a, b| a > b), "{shown}");
        assert_eq!(shown.matches("02:00:00:00:00:03 ").count(), 1, "{shown}");
    }

    #[test]
    fn moving_and_small_screens() {
        let (mut top, now) = (Top::new(Names::none()), Instant::now());
        top.take(seen(50, 0), now);
        top.scroll(1000);
        assert_eq!(top.first, 49);
        top.scroll(-2);
        assert_eq!(top.first, 47);
        top.take(seen(3, 0), now + EVERY);
        assert_eq!(top.first, 2, "fewer ways than before");
        for (width, height) in [(1, 1), (10, 3), (20, 8), (300, 100)] {
            let _ = screen(&top, width, height);
        }
        top.trouble = Some("no node answers".to_owned());
        assert!(screen(&top, 80, 24).contains("no node answers"));
    }

    #[test]
    fn histories_are_bounded() {
        let mut history = VecDeque::new();
        (0..200).for_each(|n| remember(&mut history, n));
        assert_eq!((history.len(), history.back()), (HISTORY, Some(&199)));
        assert_eq!(sparkline(&VecDeque::from([0, 500, 1000]), 1000), "▁▄█");
        assert_eq!(sparkline(&VecDeque::from([0, 0]), 0), "▁▁");
        assert_eq!(
            (bits(999).as_str(), bits(1500).as_str(), bits(2_340_000).as_str()),
            ("999 bit/s", "1.5 kbit/s", "2.3 Mbit/s")
        );
    }
}
