//! The running lab: one loop that starts daemons, pings, watches, listens to keys and commands,
//! and shows what it sees.

use super::client::Client;
use super::ground::Rights;
use super::node::client_mac;
use super::options::Options;
use super::picture::{Picture, Seen};
use super::reach::{Probe, Reach};
use super::remote::{Asked, Request};
use super::report::{AirReport, ClientReport, LinkReport, NodeReport, PairReport, Report, RouteReport, TransferReport};
use super::screen::{self, View};
use super::terminal::{Key, Terminal, read_keys};
use super::transfer::{Outcome, Transfer};
use super::watch;
use super::world::World;
use anyhow::{Context, Result};
use serde_json::Value;
use std::collections::{BTreeSet, VecDeque};
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

/// Everything that runs.
pub(crate) struct Live {
    options: Options,
    rights: Rights,
    world: World,
    reach: Reach,
    picture: Picture,
    begin: Instant,
    /// Nodes that wait for their first start, and when the next one is due.
    to_start: VecDeque<usize>,
    next_start: Instant,
    /// Nodes that were asked for a picture and have not answered.
    asked: BTreeSet<usize>,
    next_watch: Instant,
    running: Option<Transfer>,
    transfers: Vec<(Outcome, Option<usize>)>,
    next_transfer: Option<Instant>,
    use_of_air: Vec<(Instant, super::medium::Usage, AirReport)>,
    latest: Duration,
    notes: Vec<String>,
    chosen: usize,
    prompt: Option<Prompt>,
    page: String,
    stop: bool,
    outcomes: mpsc::UnboundedSender<Outcome>,
    sightings: mpsc::UnboundedSender<(usize, u32, Option<Seen>)>,
}

/// How the lab ended.
#[derive(Debug)]
pub(crate) struct Ending {
    /// The last state.
    pub(crate) report: Report,
    /// By a signal.
    pub(crate) interrupted: bool,
}

/// Where the answers come from that the loop waits for.
pub(crate) struct Channels {
    /// Answers to pings.
    pub(crate) answers: mpsc::UnboundedReceiver<(Probe, Instant)>,
    /// Commands from other terminals.
    pub(crate) commands: mpsc::Receiver<Asked>,
    /// Where browsers see the lab.
    pub(crate) page: String,
}

/// Something being typed.
#[derive(Debug)]
struct Prompt {
    question: &'static str,
    text: String,
    command: fn(&[&str]) -> Option<Request>,
}

impl Live {
    /// Runs until somebody or the clock ends it. All daemons have ended when it returns.
    ///
    /// # Errors
    /// A daemon cannot be started, or the terminal fails.
    pub(crate) async fn run(options: Options, rights: Rights, world: World, channels: Channels) -> Result<Ending> {
        let (outcomes, from_transfers) = mpsc::unbounded_channel();
        let (sightings, from_watch) = mpsc::unbounded_channel();
        let now = Instant::now();
        let mut live = Self {
            to_start: (0..world.nodes.len()).collect(),
            options,
            rights,
            world,
            reach: Reach::default(),
            picture: Picture::default(),
            begin: now,
            next_start: now,
            asked: BTreeSet::new(),
            next_watch: now,
            running: None,
            transfers: Vec::new(),
            next_transfer: None,
            use_of_air: Vec::new(),
            latest: Duration::ZERO,
            notes: Vec::new(),
            chosen: 0,
            prompt: None,
            page: channels.page.clone(),
            stop: false,
            outcomes,
            sightings,
        };
        live.note(format!("in a browser: {}", channels.page));
        let interrupted = live.until_stopped(channels, from_transfers, from_watch).await;
        let report = live.report();
        live.world.end().await;
        Ok(Ending { report, interrupted: interrupted? })
    }

    async fn until_stopped(
        &mut self,
        mut channels: Channels,
        mut from_transfers: mpsc::UnboundedReceiver<Outcome>,
        mut from_watch: mpsc::UnboundedReceiver<(usize, u32, Option<Seen>)>,
    ) -> Result<bool> {
        let terminal = if self.options.json { None } else { Terminal::open().context("the terminal")? };
        let (_silent, no_keys) = mpsc::unbounded_channel();
        let mut keys = if terminal.is_some() { read_keys()? } else { no_keys };
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hangup = signal(SignalKind::hangup())?;
        let mut resize = signal(SignalKind::window_change())?;
        let mut fast = tokio::time::interval(FAST);
        fast.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut slow = tokio::time::interval(SLOW);
        slow.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut lines = Lines::default();
        while !self.stop {
            tokio::select! {
                _ = fast.tick() => self.work(Instant::now())?,
                _ = slow.tick() => {
                    self.look(Instant::now());
                    match &terminal {
                        Some(terminal) => self.show(terminal)?,
                        None => lines.print(&self.report(), self.options.json),
                    }
                }
                Some((probe, at)) = channels.answers.recv() => self.answered(probe, at),
                Some(outcome) = from_transfers.recv() => self.transferred(outcome, Instant::now()),
                Some((place, starts, seen)) = from_watch.recv() => self.seen(place, starts, seen),
                Some((request, answer)) = channels.commands.recv() => {
                    // The asker may have gone; what was asked is done all the same.
                    let _ = answer.send(self.carry_out(request).map_err(|e| format!("{e:#}")));
                }
                Some(key) = keys.recv() => {
                    self.key(key);
                    if let Some(terminal) = &terminal {
                        self.show(terminal)?;
                    }
                }
                _ = resize.recv() => if let Some(terminal) = &terminal { self.show(terminal)? },
                _ = interrupt.recv() => return Ok(true),
                _ = terminate.recv() => return Ok(true),
                _ = hangup.recv() => return Ok(true),
            }
            if self.options.run_for.is_some_and(|length| self.begin.elapsed() >= length) {
                return Ok(false);
            }
        }
        Ok(false)
    }

    /// What is due every few milliseconds: starts, new mesh interfaces, pings.
    fn work(&mut self, now: Instant) -> Result<()> {
        while self.next_start <= now
            && let Some(place) = self.to_start.pop_front()
        {
            if self.world.nodes.iter().all(|node| node.starts == 0) {
                self.begin = now;
            }
            self.world.start(place)?;
            self.next_start = now + self.options.stagger;
            self.welcome(place, now);
        }
        for node in &mut self.world.nodes {
            if let Err(e) = node.attach() {
                let note = format!("{}: its mesh interface cannot be joined with its client: {e}", node.name);
                if self.notes.last() != Some(&note) {
                    self.notes.push(note);
                }
            }
        }
        for probe in self.reach.due(now) {
            if let Some(client) = self.world.clients.get(&probe.from) {
                client.ping(probe);
            }
        }
        Ok(())
    }

    /// The client of a node that was started takes part from now on.
    fn welcome(&mut self, place: usize, now: Instant) {
        if !self.world.clients.contains_key(&place) {
            return;
        }
        let known: BTreeSet<usize> =
            self.world.clients.keys().copied().filter(|n| *n != place && self.world.nodes[*n].starts > 0).collect();
        self.reach.add_client(place, known, now);
    }

    /// What is due every second: who ended, what the daemons say, transfers.
    fn look(&mut self, now: Instant) {
        self.reap();
        self.latest = self.latest.max(self.world.take_lag());
        self.measure_air(now);
        if now >= self.next_watch {
            // Every picture costs both sides some work.
            let nodes = u32::try_from(self.world.nodes.len()).unwrap_or(u32::MAX);
            self.next_watch = now + SLOW / 2 + Duration::from_millis(40) * nodes;
            self.picture.set_owners(self.world.owners());
            self.watch();
        }
        self.schedule_transfer(now);
    }

    fn reap(&mut self) {
        for place in 0..self.world.nodes.len() {
            let Some(node) = self.world.nodes.get_mut(place) else { continue };
            let Some(status) = node.ended() else { continue };
            let words = node.last_words().map_or_else(String::new, |words| format!(": {words}"));
            let note = format!("the daemon of {} ended by itself, {status}{words}", node.name);
            // As on a router, its radio stays on: other programs may use it.
            self.picture.forget(place);
            self.note(note);
        }
    }

    fn watch(&mut self) {
        for (place, node) in self.world.nodes.iter().enumerate() {
            let Some(pid) = node.pid().filter(|_| self.asked.insert(place)) else { continue };
            let (socket, starts, sightings) = (node.socket().to_owned(), node.starts, self.sightings.clone());
            tokio::spawn(async move {
                let seen = tokio::time::timeout(Duration::from_secs(5), watch::observe(&socket, pid)).await;
                // Nobody listens any more when the lab ends.
                let _ = sightings.send((place, starts, seen.ok().and_then(Result::ok)));
            });
        }
    }

    fn seen(&mut self, place: usize, starts: u32, seen: Option<Seen>) {
        self.asked.remove(&place);
        let current = self.world.nodes.get(place).is_some_and(|node| node.running() && node.starts == starts);
        if let Some(seen) = seen.filter(|_| current) {
            self.picture.update(place, seen);
        }
    }

    fn answered(&mut self, probe: Probe, at: Instant) {
        let before = self.reach.complete_after();
        if self.reach.answered(probe, at).is_none() {
            return;
        }
        if before.is_none() && self.reach.complete_after().is_some() {
            self.note("all clients have reached each other".into());
        }
    }

    fn measure_air(&mut self, now: Instant) {
        for place in 0..self.world.nodes.len() {
            let Some(usage) = self.world.usage(place) else { return };
            let mut report = AirReport {
                sending: 0.0,
                busy: 0.0,
                sent: usage.sent,
                heard: usage.heard,
                lost: usage.lost,
                retries: usage.retries,
                unacknowledged: usage.unacknowledged,
                queue_full: usage.queue_full,
            };
            match self.use_of_air.get_mut(place) {
                None => self.use_of_air.push((now, usage, report)),
                Some((then, before, last)) => {
                    let span = now.saturating_duration_since(*then).as_secs_f64().max(1e-3);
                    report.sending = (usage.sending - before.sending).as_secs_f64() / span;
                    report.busy = (usage.busy - before.busy).as_secs_f64() / span;
                    (*then, *before, *last) = (now, usage, report);
                }
            }
        }
    }

    /// A transfer between the two clients farthest apart, soon after all reach each other, then
    /// now and then; not in the last seconds of a timed run, whose pings must not suffer.
    fn schedule_transfer(&mut self, now: Instant) {
        if !self.options.tcp || self.running.is_some() {
            return;
        }
        let (reached, pairs) = self.reach.count();
        let Some(due) = self.next_transfer else {
            if pairs > 0 && reached == pairs {
                self.next_transfer = Some(now + Duration::from_secs(1));
            }
            return;
        };
        let left = self.options.run_for.map_or(Duration::MAX, |length| length.saturating_sub(self.begin.elapsed()));
        if now >= due
            && left >= TRANSFER + Duration::from_secs(3)
            && let Some((from, to)) = self.farthest()
        {
            self.transfer(from, to).unwrap_or_else(|e| self.note(format!("no transfer: {e:#}")));
        }
    }

    fn farthest(&self) -> Option<(usize, usize)> {
        let pairs = self.reach.pairs().filter(|(_, pair)| pair.reachable()).map(|(ends, _)| ends);
        let hops = |(from, to): (usize, usize)| self.picture.way(from, to).map_or(0, |way| way.len());
        pairs.min_by_key(|ends| usize::MAX - hops(*ends))
    }

    fn transfer(&mut self, from: usize, to: usize) -> Result<()> {
        let side = |place: usize| {
            let client = self.world.clients.get(&place).map(Client::side);
            client.with_context(|| format!("{} has no client", self.world.name(place)))
        };
        anyhow::ensure!(from != to, "a transfer needs two clients");
        anyhow::ensure!(self.running.is_none(), "a transfer runs already");
        self.running = Some(Transfer::start(side(from)?, side(to)?, TRANSFER, self.outcomes.clone())?);
        Ok(())
    }

    fn transferred(&mut self, outcome: Outcome, now: Instant) {
        self.running = None;
        self.next_transfer = Some(now + BETWEEN_TRANSFERS);
        let hops = self.picture.way(outcome.from, outcome.to).map(|way| way.len() - 1);
        self.transfers.push((outcome, hops));
    }

    fn carry_out(&mut self, request: Request) -> Result<Value> {
        let done = match request {
            Request::Status => return Ok(serde_json::to_value(self.report())?),
            Request::Stop => {
                self.stop = true;
                "the lab ends".to_owned()
            }
            Request::Cut { a, b } => {
                self.world.set_cut(&a, &b, true)?;
                format!("cut the link between {a} and {b}")
            }
            Request::Heal { a, b } => {
                self.world.set_cut(&a, &b, false)?;
                format!("healed the link between {a} and {b}")
            }
            Request::Add { to } => {
                let place = self.world.add(&to)?;
                self.welcome(place, Instant::now());
                let name = self.world.name(place);
                format!("added {name} with a client")
            }
            Request::Kill { node } => {
                let place = self.world.place_of(&node)?;
                anyhow::ensure!(self.world.nodes[place].running(), "the daemon of {node} does not run");
                self.world.kill(place);
                self.picture.forget(place);
                format!("killed the daemon of {}", self.world.name(place))
            }
            Request::Restart { node } => {
                let place = self.world.place_of(&node)?;
                let was = self.world.nodes[place].running();
                self.world.start(place)?;
                self.picture.forget(place);
                let how = if was { "killed the daemon of" } else { "switched on" };
                format!("{how} {}{}", self.world.name(place), if was { " and started it again" } else { "" })
            }
            Request::Tcp { pair } => {
                let (from, to) = match pair {
                    Some((from, to)) => (self.world.place_of(&from)?, self.world.place_of(&to)?),
                    None => self.farthest().context("no two clients reach each other")?,
                };
                self.transfer(from, to)?;
                format!("transfer from {} to {}", self.world.name(from), self.world.name(to))
            }
        };
        self.note(done.clone());
        Ok(Value::String(done))
    }

    fn note(&mut self, text: String) {
        self.notes.push(format!("{:.1} s: {text}", self.begin.elapsed().as_secs_f64()));
    }

    fn key(&mut self, key: Key) {
        if let Some(prompt) = &mut self.prompt {
            match key {
                Key::Char(c) if prompt.text.len() < 80 => prompt.text.push(c),
                Key::Backspace => drop(prompt.text.pop()),
                Key::Escape => self.prompt = None,
                Key::Enter => self.submit(),
                _ => {}
            }
            return;
        }
        let nodes = self.world.nodes.len().max(1);
        match key {
            Key::Next | Key::Char('n') => self.chosen = (self.chosen + 1) % nodes,
            Key::Previous | Key::Char('p') => self.chosen = (self.chosen + nodes - 1) % nodes,
            Key::Char('c') => self.ask("cut which link, like 1 2", |w| two(w).map(|(a, b)| Request::Cut { a, b })),
            Key::Char('h') => self.ask("heal which link, like 1 2", |w| two(w).map(|(a, b)| Request::Heal { a, b })),
            Key::Char('a') => self.ask("add a node in reach of (Enter: the last one)", |words| {
                Some(Request::Add { to: words.iter().map(ToString::to_string).collect() })
            }),
            Key::Char('k') => self.ask("kill which node", |w| one(w).map(|node| Request::Kill { node })),
            Key::Char('r') => self.ask("restart which node", |w| one(w).map(|node| Request::Restart { node })),
            Key::Char('t') => self.ask("transfer between, like 1 6 (Enter: the farthest)", |words| match words {
                [] => Some(Request::Tcp { pair: None }),
                words => two(words).map(|pair| Request::Tcp { pair: Some(pair) }),
            }),
            Key::Char('q') => self.stop = true,
            _ => {}
        }
    }

    fn ask(&mut self, question: &'static str, command: fn(&[&str]) -> Option<Request>) {
        self.prompt = Some(Prompt { question, text: String::new(), command });
    }

    fn submit(&mut self) {
        let Some(prompt) = self.prompt.take() else { return };
        let words: Vec<&str> = prompt.text.split([' ', ',']).filter(|word| !word.is_empty()).collect();
        let result = match (prompt.command)(&words) {
            Some(request) => self.carry_out(request).map(drop),
            // Enter alone takes back what was begun.
            None if words.is_empty() => Ok(()),
            None => Err(anyhow::anyhow!("{:?} is not what was asked for: {}", prompt.text, prompt.question)),
        };
        if let Err(e) = result {
            self.note(format!("{e:#}"));
        }
    }

    fn show(&self, terminal: &Terminal) -> Result<()> {
        let (width, height) = terminal.size();
        let footer = match &self.prompt {
            None => "c cut  h heal  a add  k kill  r restart  t tcp  arrows: other routes  q quit".to_owned(),
            Some(prompt) => format!("{}: {}_", prompt.question, prompt.text),
        };
        let view = View { width, height, colour: true, chosen: self.chosen, footer };
        terminal.show(&screen::render(&self.report(), &view)).context("writing to the terminal")
    }

    /// The state of everything now.
    fn report(&self) -> Report {
        let (reached, pairs) = self.reach.count();
        let name = |place: usize| self.world.name(place).to_owned();
        let ms = |time: Option<Duration>| time.map(|t| t.as_secs_f64() * 1000.0);
        let pair_report = |((from, to), pair): ((usize, usize), &super::reach::Pair)| PairReport {
            from: name(from),
            to: name(to),
            reachable: pair.reachable(),
            first_seconds: pair.first.map(|t| t.as_secs_f64()),
            hops: self.picture.way(from, to).map(|way| way.len() - 1),
            sent: pair.sent,
            answered: pair.answered,
            lost: pair.lost,
            rtt_ms: ms(pair.last_rtt),
            rtt_best_ms: ms(pair.best_rtt),
            rtt_mean_ms: ms(pair.mean_rtt()),
        };
        Report {
            version: env!("CARGO_PKG_VERSION").into(),
            kernel: kernel_release(),
            rights: self.rights.name().into(),
            topology: self.options.topology_spec(),
            medium: self.options.medium.name().into(),
            seed: self.options.seed,
            elapsed_seconds: self.begin.elapsed().as_secs_f64(),
            all_reachable: reached == pairs && pairs > 0,
            complete_seconds: self.reach.complete_after().map(|t| t.as_secs_f64()),
            radio_late_ms: self.latest.as_secs_f64() * 1000.0,
            page: Some(self.page.clone()),
            nodes: (0..self.world.nodes.len()).map(|place| self.node_report(place)).collect(),
            links: self.world.links.iter().map(|link| self.link_report(link)).collect(),
            pairs: self.reach.pairs().map(pair_report).collect(),
            transfers: self.transfer_reports(),
            notes: self.notes.clone(),
        }
    }

    fn node_report(&self, place: usize) -> NodeReport {
        let node = &self.world.nodes[place];
        let name = |place: usize| self.world.name(place).to_owned();
        let client = self.world.clients.get(&place).map(|client| ClientReport {
            name: client.name.clone(),
            address: client.address.to_string(),
            mac: client_mac(place).to_string(),
        });
        let routes = self.picture.routes(place).map(|(to, next, metric)| RouteReport {
            to: name(to),
            next: name(next),
            tq: metric.tq(),
            throughput: metric.kbits(),
            way: self.picture.way(place, to).map(|way| way.into_iter().map(name).collect()),
        });
        NodeReport {
            name: node.name.clone(),
            originator: node.addresses().next().map_or_else(String::new, |mac| mac.to_string()),
            running: node.running(),
            pid: node.pid(),
            starts: node.starts,
            socket: node.socket().display().to_string(),
            rss_bytes: self.picture.seen(place).map(|seen| seen.rss_bytes).filter(|rss| *rss > 0),
            client,
            routes: routes.collect(),
            air: self.use_of_air.get(place).map(|(_, _, air)| air.clone()),
        }
    }

    fn link_report(&self, link: &super::world::Link) -> LinkReport {
        let (a, b) = link.ends;
        let metric = |from: usize, to: usize| {
            let address = self.world.nodes.get(to)?.address_towards(self.world.nodes.get(from)?)?;
            self.picture.link(from, address)
        };
        let [there, back] = link.paths;
        let metrics = [metric(a, b), metric(b, a)];
        LinkReport {
            source: self.world.name(a).into(),
            target: self.world.name(b).into(),
            cut: link.cut,
            loss: self.world.usage(a).map(|_| [there.loss, back.loss]),
            tq: metrics.map(|m| m?.tq()),
            throughput: metrics.map(|m| m?.kbits()),
        }
    }

    fn transfer_reports(&self) -> Vec<TransferReport> {
        let report = |outcome: &Outcome, hops: Option<usize>, running: bool| TransferReport {
            from: self.world.name(outcome.from).into(),
            to: self.world.name(outcome.to).into(),
            hops,
            running,
            seconds: outcome.took.as_secs_f64(),
            bytes: outcome.bytes,
            mbit_per_second: outcome.mbps(),
            error: outcome.error.clone(),
        };
        let mut all: Vec<_> = self.transfers.iter().map(|(outcome, hops)| report(outcome, *hops, false)).collect();
        if let Some(now) = &self.running {
            let (from, to) = (now.from, now.to);
            let so_far = Outcome { from, to, bytes: now.bytes(), took: now.started.elapsed(), error: None };
            all.push(report(&so_far, self.picture.way(from, to).map(|way| way.len() - 1), true));
        }
        all
    }
}

/// Progress where there is no terminal: every second at first, then less often; notes at once.
#[derive(Debug, Default)]
struct Lines {
    notes: usize,
    last: f64,
}

impl Lines {
    fn print(&mut self, report: &Report, to_stderr: bool) {
        let mut text = String::new();
        for note in report.notes.iter().skip(self.notes) {
            text.push_str(note);
            text.push('\n');
        }
        self.notes = report.notes.len();
        let pause = if report.elapsed_seconds < 20.0 { 0.9 } else { 4.9 };
        if report.elapsed_seconds - self.last >= pause || !text.is_empty() {
            self.last = report.elapsed_seconds;
            text.push_str(&screen::line(report));
            text.push('\n');
        }
        // Whoever reads this may have gone; the lab goes on, its exit status still counts.
        let _ = match to_stderr {
            true => io::stderr().write_all(text.as_bytes()),
            false => io::stdout().write_all(text.as_bytes()),
        };
    }
}

/// The summary in tables, for people.
pub(crate) fn print_report(report: &Report) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let colour = out.is_terminal();
    let width = Terminal::width().unwrap_or(110);
    let view = View { width, height: 1000, colour, chosen: 0, footer: String::new() };
    for line in screen::render(report, &view) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

fn one(words: &[&str]) -> Option<String> {
    match words {
        [node] => Some((*node).to_owned()),
        _ => None,
    }
}

fn two(words: &[&str]) -> Option<(String, String)> {
    match words {
        [a, b] => Some(((*a).to_owned(), (*b).to_owned())),
        _ => None,
    }
}

fn kernel_release() -> String {
    std::fs::read_to_string("/proc/sys/kernel/osrelease").map(|text| text.trim().to_owned()).unwrap_or_default()
}

const FAST: Duration = Duration::from_millis(20);
const SLOW: Duration = Duration::from_secs(1);
const TRANSFER: Duration = Duration::from_secs(4);
const BETWEEN_TRANSFERS: Duration = Duration::from_secs(20);
