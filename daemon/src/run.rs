//! The main loop: the only owner of the routing state.
//!
//! ```text
//!  netlink news ──┐                        ┌── packet sockets, one pair per hard interface
//!  control ───────┤   ┌──────────────┐     │
//!  timer ─────────┼──▶│ run: one task │◀────┤
//!  shutdown ──────┘   └──────────────┘     └── TAP, the mesh interface
//! ```
//! Every turn of the loop takes at most one batch of frames from every port, so neither a timer
//! nor a quiet port ever waits longer than that for a flooded one.

mod behind;
mod commons;
mod echo;
mod host;
mod links;
mod listeners;
mod readings;
mod remember;

use crate::history::Store;
use crate::io::{IoCounters, PortablePlane};
use crate::netlink::Watcher;
use crate::radio::Keeper;
use crate::state::{State, StateFile};
use crate::uplink::{Uplink, UplinkSetup};
use crate::wan::{Wan, WanSetup, WanView};
use anyhow::Context as _;
use commons::Commons;
pub use commons::{CommonsView, Giving};
use echo::Echoes;
use host::Host;
use links::{FRAME_OVERHEAD, Links};
use mesh_core::{
    Counters, DataPlane, Duration, Echo, EchoAnswer, Event, GatewayNews, Input, Instant, LineNews, Mesh, Meter,
    MeterReport, Snapshot,
};
use packet::MacAddr;
use readings::{Others, Readings};
use remember::Memory;
pub use remember::{Remembered, Wanted};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::task::Poll;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Sleep;

/// Everything a node needs to know to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunSetup {
    /// Name of the mesh and of its interface, `mesh0`.
    pub mesh_name: String,
    /// Hard interfaces; those that do not exist yet are waited for.
    pub links: Vec<LinkSetup>,
    /// Radios to bring into a mesh; their interfaces are among the links.
    pub radios: Vec<config::Radio>,
    /// Settings of the core. `host_mac` zero means: take [`RunSetup::host_mac`], or choose.
    pub mesh: mesh_core::MeshConfig,
    /// MAC of the mesh interface, `None` to derive a stable one from a hard interface.
    pub host_mac: Option<MacAddr>,
    /// MTU of the mesh interface, `None` to choose by the hard interfaces.
    pub host_mtu: Option<u32>,
    /// Set the mesh interface up.
    pub up: bool,
    /// Frames wait in order of class where an interface does not take all.
    pub queue: bool,
    /// Ports behind which are guests, or bridges of them.
    pub guests: Vec<String>,
    /// What is carried for others goes out in the background access category.
    pub background: bool,
    /// How much others get.
    pub giving: Giving,
    /// Where sequence numbers are kept over a restart, `None` to keep none.
    pub state_dir: Option<PathBuf>,
    /// A file in memory that keeps the history over a restart; `None` for none.
    pub history_file: Option<PathBuf>,
    /// User to become once the first sockets are open, `None` to stay who started it.
    pub user: Option<String>,
    /// As a gateway: how to find out whether the Internet is there; `None` to take it for granted.
    pub uplink: Option<UplinkSetup>,
    /// As a gateway: how the line to the Internet is shared; `None` for all alike.
    pub wan: Option<WanSetup>,
}

/// One hard interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkSetup {
    /// Name of the interface.
    pub name: String,
    /// Extra penalty for what comes in here, of 255.
    pub hop_penalty: u8,
    /// V: throughput of the links here, in units of 100 kbit/s; `None` to find out.
    pub throughput: Option<u32>,
    /// V: whether to measure the links here.
    pub measure: mesh_core::Measure,
    /// How often a broadcast is sent here; `None` for the usual number.
    pub broadcast_copies: Option<u8>,
    /// Treat it as a radio; `None` to find out.
    pub wifi: Option<bool>,
    /// Use the portable socket layer instead of batched packet sockets.
    pub portable: bool,
}

/// What the control socket asks of the main loop.
#[derive(Debug)]
pub enum ControlRequest {
    /// A picture of the node.
    Snapshot(oneshot::Sender<NodeSnapshot>),
    /// Send an echo request; the answers go to the channel until its receiver is closed. The
    /// loop chooses `uid` itself and gives the asker's back in the answer.
    Echo(Echo, mpsc::Sender<EchoAnswer>),
    /// Start a throughput test, with a channel for its reports, or stop one.
    Meter(Meter, Option<mpsc::Sender<MeterReport>>),
    /// Take new settings in. The answer is a note on what changed, or why nothing did.
    Configure(Box<RunSetup>, oneshot::Sender<Result<String, String>>),
    /// Events from now on; a receiver that is full loses events.
    Subscribe(mpsc::Sender<Event>),
    /// How it was.
    History(Wanted, oneshot::Sender<Remembered>),
}

/// A picture of the whole node.
#[derive(Debug, Clone)]
pub struct NodeSnapshot {
    /// Name of the mesh interface.
    pub mesh_name: String,
    /// MTU of the mesh interface.
    pub host_mtu: u32,
    /// The control side.
    pub mesh: Snapshot,
    /// Counters of the data plane.
    pub plane: Counters,
    /// Counters of sockets and the mesh interface.
    pub io: IoCounters,
    /// Hard interfaces that are not used, with the reason.
    pub refused: Vec<(String, String)>,
    /// What happened lately that somebody should look at, and how long ago, oldest first.
    pub alarms: Vec<(Duration, Event)>,
    /// The shared line to the Internet, if there is one.
    pub line: Option<WanView>,
    /// Radios, and for how much of the time their channels are busy, in percent.
    pub busy: Vec<(String, u8)>,
    /// What this node gives, and the account of it.
    pub commons: CommonsView,
    /// Process id.
    pub pid: u32,
    /// Program version.
    pub version: &'static str,
    /// Resident memory in bytes, 0 where the system does not tell.
    pub rss_bytes: u64,
}

/// Frames are at least this long, so that the usual interfaces never make buffers grow.
const FRAME_LEN: usize = 1532 + FRAME_OVERHEAD;
/// The state file is looked after this often.
const KEEP_EVERY: Duration = Duration::from_secs(1);
/// How often what the control side hands back to the data plane may come back to it in one turn.
const PUNT_PASSES: usize = 4;

/// Runs a node until `shutdown` is done, then puts the system back as it was found.
///
/// Needs a current-thread tokio runtime. Gives up all rights but those over the network once its
/// first sockets are open.
///
/// # Errors
/// When the mesh interface cannot be made or interfaces cannot be listed. Hard interfaces that
/// cannot be used are no error: they are told and waited for.
pub async fn run(
    setup: RunSetup,
    mut control: mpsc::Receiver<ControlRequest>,
    shutdown: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let mut node = Node::start(setup)?;
    let mut shutdown = pin!(shutdown);
    let mut sleep = pin!(tokio::time::sleep(Duration::ZERO));
    let mut control_open = true;
    loop {
        node.arm(sleep.as_mut());
        let turn = std::future::poll_fn(|cx| {
            if shutdown.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Turn::Stop);
            }
            if control_open && let Poll::Ready(request) = control.poll_recv(cx) {
                return Poll::Ready(request.map_or(Turn::ControlClosed, Turn::Control));
            }
            if node.watcher.poll_change(cx).is_ready() {
                return Poll::Ready(Turn::Links);
            }
            if node.readings.poll(cx).is_ready() {
                return Poll::Ready(Turn::Readings);
            }
            if node.plane.poll_ready(cx).is_ready() {
                return Poll::Ready(Turn::Frames);
            }
            let now = node.now();
            if let Some(wan) = &mut node.wan {
                wan.poll(cx, now);
            }
            if let Some(Poll::Ready(online)) = node.uplink.as_mut().map(|u| u.poll_change(cx)) {
                return Poll::Ready(Turn::Internet(online));
            }
            sleep.as_mut().poll(cx).map(|()| Turn::Tick)
        });
        // tokio would make the turn wait now and then although something is ready; the turns
        // give way themselves, below.
        match tokio::task::unconstrained(turn).await {
            Turn::Stop => break,
            Turn::ControlClosed => control_open = false,
            Turn::Control(request) => node.control(request),
            Turn::Links => node.links_changed(),
            Turn::Internet(online) => node.internet(Some(online)),
            Turn::Readings => {
                node.inputs.extend(node.readings.take());
                node.carry_out();
            }
            Turn::Frames => {
                node.frames();
                // Lets tokio look at timers and at ports that became ready meanwhile. Always, or a port that says
                // that it is ready and is not would stop all else.
                tokio::task::yield_now().await;
            }
            Turn::Tick => {}
        }
        node.tick();
    }
    node.stop();
    Ok(())
}

/// Done when the process is told to end, by SIGTERM or SIGINT.
///
/// # Errors
/// When signals cannot be caught.
pub fn termination() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut term = signal(SignalKind::terminate())?;
    let mut int = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
    })
}

/// Why the loop turns.
enum Turn {
    Stop,
    Control(ControlRequest),
    ControlClosed,
    Links,
    Internet(bool),
    Readings,
    Frames,
    Tick,
}

/// A running node.
struct Node {
    setup: RunSetup,
    started: std::time::Instant,
    mesh: Mesh,
    plane: PortablePlane,
    watcher: Watcher,
    links: Links,
    readings: Readings,
    radios: Keeper,
    host: Host,
    behind: behind::Watch,
    listeners: listeners::Watch,
    state: StateFile,
    commons: Commons,
    keep_at: Instant,
    memory: Memory,
    echoes: Echoes,
    /// Who runs throughput tests, by number.
    testers: Vec<(u32, mpsc::Sender<MeterReport>)>,
    /// Looks whether our own Internet works.
    uplink: Option<Uplink>,
    /// Holds guests to what the owner leaves of the line to the Internet.
    wan: Option<Wan>,
    /// What it found last.
    online: Option<bool>,
    /// Bytes that went through each hard interface when that was looked at last.
    used: [u64; mesh_core::config::MAX_LINKS],
    subscribers: Vec<mpsc::Sender<Event>>,
    /// When the timer goes off that was set last.
    armed: Instant,
    inputs: Vec<Input>,
    events: Vec<Event>,
    /// The newest events that somebody should look at, and when they happened.
    alarms: VecDeque<(Instant, Event)>,
}

/// So many are kept, for so long.
const ALARMS: usize = 16;
const ALARM_AGE: Duration = Duration::from_secs(900);

/// True for what somebody should look at, also later.
fn is_alarm(event: &Event) -> bool {
    matches!(
        event,
        Event::LoopDetected { .. }
            | Event::AddressTwice { .. }
            | Event::MetricImplausible { .. }
            | Event::ClientContested { .. }
            | Event::AddressFlip { .. }
            | Event::BackboneDistrusted { .. }
            | Event::TableFull(_)
            | Event::Gateway(mesh_core::GatewayNews::Implausible { .. })
    )
}

impl Node {
    fn start(mut setup: RunSetup) -> anyhow::Result<Self> {
        let seed = getrandom::u64().context("no randomness from the system")?;
        let mut watcher = Watcher::open().context("cannot list interfaces")?;
        let state = StateFile::new(setup.state_dir.as_deref(), &setup.mesh_name);
        let left = state.load();
        let store = Store::new(setup.state_dir.as_deref(), &setup.mesh_name, setup.history_file.as_deref());
        let mac = choose_mac(&setup, &watcher, left, seed);
        let (host, tap) = Host::open(&setup.mesh_name, mac, setup.host_mtu, setup.up, &mut watcher)?;
        setup.mesh.host_mac = mac;
        tracing::info!(interface = setup.mesh_name, %mac, "mesh interface made");
        let mut plane = PortablePlane::new(seed.rotate_left(32), FRAME_LEN);
        plane.set_tap(tap);
        plane.set_queue(setup.queue);
        plane.set_background(setup.background);
        let now = Instant::ZERO;
        let mut node = Self {
            mesh: Mesh::new(setup.mesh.clone(), seed, left.map(State::resume), now),
            started: std::time::Instant::now(),
            plane,
            watcher,
            links: Links::default(),
            readings: Readings::default(),
            radios: Keeper::new(&config::runtime_dir()),
            host,
            behind: behind::Watch::new(),
            listeners: listeners::Watch::new(),
            commons: Commons::new(setup.state_dir.as_deref(), &setup.mesh_name, setup.giving.clone(), now),
            state,
            keep_at: now,
            memory: Memory::new(store),
            echoes: Echoes::default(),
            testers: Vec::new(),
            uplink: None,
            wan: None,
            online: None,
            used: [0; mesh_core::config::MAX_LINKS],
            subscribers: Vec::new(),
            armed: now,
            inputs: Vec::new(),
            events: Vec::new(),
            alarms: VecDeque::new(),
            setup,
        };
        node.configure_links().map_err(anyhow::Error::msg)?;
        node.links_changed();
        node.check_uplink();
        node.share_line();
        crate::privilege::drop_all_but_network(node.setup.user.as_deref(), node.setup.state_dir.as_deref());
        node.readings.start();
        node.radios.keep(node.setup.radios.clone());
        Ok(node)
    }

    fn now(&self) -> Instant {
        Instant::from_micros(u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX / 4))
    }

    /// Sets the timer to when the core next wants to be told of the time.
    fn arm(&mut self, sleep: Pin<&mut Sleep>) {
        let wan = self.wan.as_ref().map_or(Instant::FAR_FUTURE, Wan::next);
        let at = self.mesh.poll_timeout().min(wan).min(self.plane.gates_next());
        if at != self.armed || sleep.is_elapsed() {
            self.armed = at;
            let wait = at.since(self.now());
            sleep.reset(tokio::time::Instant::now() + wait);
        }
    }

    fn tick(&mut self) {
        let now = self.now();
        if self.mesh.poll_timeout() <= now {
            self.drive(Input::Tick, now);
            self.plane.flush();
        }
        if self.plane.gates_next() <= now {
            self.frames();
        }
        self.tick_line(now);
        if let Some(marked) = self.behind.look(self.host.ifindex, &self.setup.guests, &mut self.watcher, now) {
            self.host.marked = marked;
            if let Some(info) = self.host.news(self.watcher.table()) {
                self.drive(Input::Host(info), now);
            }
        }
        if let Some(listeners) = self.listeners.look(self.host.ifindex, &mut self.watcher, now) {
            self.drive(Input::Listeners(listeners), now);
        }
        if self.keep_at <= now {
            self.keep_at = now + KEEP_EVERY;
            // Without a hard interface no number was ever sent.
            if self.links.smallest_mtu().is_some() {
                self.state.keep(State { seqnos: self.mesh.seqnos(), host_mac: self.host.mac }, now);
            }
            self.echoes.forget_old(now);
            self.tell_link_use();
            let told = self.commons.look(&mut self.plane, &self.mesh, &self.readings, now);
            self.inputs.extend(told);
            self.carry_out();
            if self.memory.is_due(now) {
                let Self { memory, mesh, plane, commons, .. } = self;
                memory.look(&mesh.neighbors(now), mesh.algorithm(), plane.tally(), commons.spare(), now);
            }
        }
    }

    /// Tells the core how busy hard interfaces were in the last second.
    fn tell_link_use(&mut self) {
        for (i, last) in self.used.iter_mut().enumerate() {
            let Ok(id) = u8::try_from(i).map(mesh_core::LinkId) else { break };
            let Some(bytes) = self.plane.link_bytes(id) else { continue };
            let gained = bytes.saturating_sub(std::mem::replace(last, bytes));
            self.inputs.push(Input::LinkUse(id, gained));
        }
        self.carry_out();
    }

    /// One batch from every port.
    fn frames(&mut self) {
        let now = self.now();
        self.plane.round(now);
        for _ in 0..PUNT_PASSES {
            let mut punted = std::mem::take(&mut self.inputs);
            self.plane.take_punted(&mut punted);
            if punted.is_empty() {
                self.inputs = punted;
                break;
            }
            for input in punted.drain(..) {
                self.drive(input, now);
            }
            self.inputs = punted;
            self.plane.flush();
        }
    }

    fn drive(&mut self, input: Input, now: Instant) {
        let Self { mesh, plane, events, .. } = self;
        mesh_core::drive(mesh, plane, input, now, |event| events.push(event));
        if !self.events.is_empty() {
            let mut events = std::mem::take(&mut self.events);
            for event in events.drain(..) {
                self.event(event, now);
            }
            self.events = events;
        }
    }

    fn event(&mut self, event: Event, now: Instant) {
        if is_alarm(&event) {
            // The same again replaces the one before.
            self.alarms.retain(|(_, old)| *old != event);
            if self.alarms.len() >= ALARMS {
                self.alarms.pop_front();
            }
            self.alarms.push_back((now, event.clone()));
        }
        match &event {
            Event::NeighborNew { neigh, .. } => tracing::info!(%neigh, "neighbor heard"),
            Event::NeighborGone { neigh, .. } => tracing::info!(%neigh, "neighbor gone"),
            Event::NeighborSilent { neigh, .. } => {
                tracing::info!(%neigh, "neighbor does not answer, other ways are used")
            }
            Event::NeighborBack { neigh, .. } => tracing::info!(%neigh, "neighbor heard again"),
            Event::NotForwarding { neigh, orig, lost, other, other_asked, other_answered, .. } => {
                tracing::warn!(
                    %neigh, %orig, lost, %other, other_asked, other_answered,
                    "neighbor does not forward what is for this node; its way there is taken for worse until it does"
                );
            }
            Event::ForwardsAgain { neigh, orig, .. } => tracing::info!(%neigh, %orig, "neighbor forwards again"),
            Event::OriginatorNew(orig) => tracing::info!(%orig, "originator reachable"),
            Event::OriginatorGone(orig) => tracing::info!(%orig, "originator unreachable"),
            Event::ClientRoamed { client, to_us, .. } => tracing::debug!(%client, to_us, "client roamed"),
            Event::AddressFlip { ip, vid, old, new, from, replaced } => {
                let from = from.map_or_else(|| "here".to_owned(), |orig| orig.to_string());
                tracing::warn!(%ip, %vid, %old, %new, %from, replaced, "another client claims an address");
            }
            Event::OtherAlgorithm { neigh, .. } => {
                let (own, other) = (self.mesh.algorithm(), self.mesh.algorithm().other());
                tracing::warn!(%neigh, "a neighbor runs B.A.T.M.A.N. {}; this mesh is {}, the two do not mix", other.name(), own.name());
            }
            Event::AlgorithmChanged { to, why } => tracing::info!(why, "B.A.T.M.A.N. {} from now on", to.name()),
            Event::TableFull(table) => tracing::warn!(table, "a table is full, newcomers are turned away"),
            Event::BackboneNew { gateway, vid } => tracing::info!(%gateway, %vid, "another gateway is on our LAN"),
            Event::BackboneGone { gateway, vid } => tracing::info!(%gateway, %vid, "a gateway of our LAN is gone"),
            Event::BackboneDistrusted { gateway, vid } => {
                tracing::warn!(%gateway, %vid, "a gateway of our LAN does not say what it claims; it blocked broadcasts for a minute in all and is not waited for any longer");
            }
            Event::LoopDetected { vid } => {
                tracing::warn!(%vid, "LAN and mesh form a loop: a node that does not avoid loops joins them a second time");
            }
            Event::AddressTwice { orig, neigh, .. } => {
                tracing::warn!(%orig, %neigh, "two devices seem to speak in the name of one address: a copied MAC, a clone of a node, or somebody who pretends to be it");
            }
            Event::MetricImplausible { orig, neigh, .. } => {
                tracing::warn!(%neigh, %orig, "a neighbor announces a better way than there can be; traffic may go to it that should not");
            }
            Event::ClientContested { client, vid, orig, refused } => {
                tracing::warn!(%client, %vid, %orig, refused, "another node announces a client that is here: a loop, a copied MAC, or somebody who pretends to be it");
            }
            Event::NoLink => tracing::warn!("no hard interface is left, the node is alone"),
            Event::Gateway(news) => gateway_news(news),
            Event::Line(news) => line_news(news),
            Event::Echo(answer) => self.echoes.answer(answer, now),
            Event::Meter(report) => {
                for (_, to) in self.testers.iter().filter(|(ask, _)| *ask == report.ask) {
                    // A slow reader misses progress. The end it must hear: the channel closes then.
                    let _ = to.try_send(*report);
                }
                if report.end.is_some() {
                    self.testers.retain(|(ask, _)| *ask != report.ask);
                }
                return;
            }
        }
        self.subscribers.retain(|to| !matches!(to.try_send(event.clone()), Err(mpsc::error::TrySendError::Closed(_))));
    }

    fn links_changed(&mut self) {
        if let Some(mac) = self.host.observe(self.watcher.table()) {
            self.setup.mesh.host_mac = mac;
            self.inputs.push(Input::Configure(self.setup.mesh.clone()));
        }
        self.inputs.extend(self.host.news(self.watcher.table()).map(Input::Host));
        self.links.sync(&mut self.watcher, &mut self.plane, Some(self.host.ifindex), &mut self.inputs);
        self.carry_out();
        let others = Others {
            not_owners: behind::not_owners(&self.setup.guests, self.watcher.table()),
            gateway: self.setup.mesh.gateway.mode == mesh_core::config::GatewayMode::Server,
        };
        self.readings.follow(self.links.open_ones(), others);
        self.host.fit_mtu(self.links.smallest_mtu(), self.setup.mesh.fragmentation, &mut self.watcher);
        self.plane.grow_to(usize::try_from(self.host.mtu).unwrap_or(0) + FRAME_OVERHEAD);
    }

    fn configure_links(&mut self) -> Result<(), String> {
        let Self { links, setup, watcher, plane, inputs, .. } = self;
        let done = links.configure(&setup.links, watcher, plane, inputs);
        self.carry_out();
        done
    }

    /// Hands the inputs that piled up to the core.
    fn carry_out(&mut self) {
        let now = self.now();
        for input in std::mem::take(&mut self.inputs) {
            self.drive(input, now);
        }
        self.plane.flush();
    }

    /// Begins to look whether our own Internet works, as the settings say. Until the first look
    /// is done it does not.
    fn check_uplink(&mut self) {
        let Self { setup, online, .. } = self;
        if setup.uplink.is_none() {
            *online = None;
        }
        self.uplink = setup.uplink.clone().map(|s| Uplink::start(s, &setup.mesh_name, *online));
        self.internet(self.online);
    }

    /// Begins to hold guests to what the owner leaves of the line, or ends it, as the settings say.
    fn share_line(&mut self) {
        let Self { setup, plane, .. } = self;
        self.wan = setup.wan.clone().map(|s| Wan::new(s, &setup.mesh_name));
        plane.set_gates(self.wan.is_some());
    }

    fn tick_line(&mut self, now: Instant) {
        let Self { wan: Some(wan), plane, watcher, host, .. } = self else { return };
        let Some(gates) = plane.gates() else { return };
        if gates.used {
            wan.wake(now);
        }
        if wan.next() > now {
            return;
        }
        wan.tick(gates, watcher, host.ifindex, now);
        for news in wan.take_news() {
            self.event(Event::Line(news), now);
        }
    }

    fn internet(&mut self, online: Option<bool>) {
        self.online = online;
        let works = online.unwrap_or(self.uplink.is_none());
        self.inputs.push(Input::Internet(works));
        self.carry_out();
    }

    fn control(&mut self, request: ControlRequest) {
        // Whoever asked may be gone; then the answer is not needed.
        match request {
            ControlRequest::Snapshot(to) => {
                let _ = to.send(self.snapshot());
            }
            ControlRequest::Subscribe(to) => self.subscribers.push(to),
            ControlRequest::History(wanted, to) => {
                let _ = to.send(self.memory.tell(wanted));
            }
            ControlRequest::Echo(echo, to) => {
                let now = self.now();
                let echo = self.echoes.ask(echo, to, now);
                self.drive(Input::Echo(echo), now);
                self.plane.flush();
            }
            ControlRequest::Meter(meter, reports) => {
                if let (Meter::Start { ask, .. }, Some(to)) = (meter, reports) {
                    self.testers.push((ask, to));
                }
                let now = self.now();
                self.drive(Input::Meter(meter), now);
                self.plane.flush();
            }
            ControlRequest::Configure(setup, to) => {
                let _ = to.send(self.configure(*setup));
            }
        }
    }

    /// Takes new settings in, all or nothing.
    fn configure(&mut self, mut new: RunSetup) -> Result<String, String> {
        if new.mesh_name != self.setup.mesh_name {
            return Err(format!(
                "the mesh is called {} while it runs; to call it {}, restart",
                self.setup.mesh_name, new.mesh_name
            ));
        }
        if new.links.len() > mesh_core::config::MAX_LINKS {
            return Err(format!("a node has at most {} hard interfaces", mesh_core::config::MAX_LINKS));
        }
        let mac = configured_mac(&new).unwrap_or(self.host.mac);
        let mut changes = Vec::new();
        if mac != self.host.mac {
            let set = self.watcher.requests().set_mac(self.host.ifindex, mac).and_then(|()| self.watcher.refresh());
            set.map_err(|e| format!("cannot set the address of {} to {mac}: {e}", new.mesh_name))?;
            self.host.mac = mac;
            changes.push("address");
        }
        new.mesh.host_mac = mac;
        if new.state_dir != self.setup.state_dir {
            self.state = StateFile::new(new.state_dir.as_deref(), &new.mesh_name);
            self.commons.move_to(new.state_dir.as_deref(), &new.mesh_name, self.now());
            changes.push("state directory");
        }
        if new.up && !self.setup.up {
            let set = self.watcher.requests().set_up(self.host.ifindex, true);
            set.map_err(|e| format!("cannot set {} up: {e}", new.mesh_name))?;
            changes.push("mesh interface up");
        }
        if new.host_mtu != self.setup.host_mtu {
            changes.push("MTU");
        }
        if new.mesh != self.setup.mesh {
            self.inputs.push(Input::Configure(new.mesh.clone()));
            changes.push("routing");
        }
        if new.guests != self.setup.guests {
            self.behind.look_again();
            changes.push("guests");
        }
        if new.background != self.setup.background {
            self.plane.set_background(new.background);
            changes.push("air");
        }
        if new.queue != self.setup.queue {
            self.plane.set_queue(new.queue);
            changes.push("queues");
        }
        if new.giving != self.setup.giving {
            self.commons.set(new.giving.clone());
            changes.push("what others get");
        }
        if new.links != self.setup.links {
            changes.push("hard interfaces");
        }
        if new.radios != self.setup.radios {
            self.radios.keep(new.radios.clone());
            changes.push("radios");
        }
        let check_again = new.uplink != self.setup.uplink;
        if check_again {
            changes.push("Internet check");
        }
        let share_again = new.wan != self.setup.wan;
        if share_again {
            changes.push("shared line");
        }
        self.host.want_mtu(new.host_mtu);
        self.setup = new;
        if share_again {
            self.share_line();
        }
        if check_again {
            self.check_uplink();
        }
        self.configure_links()?;
        self.links_changed();
        let note =
            if changes.is_empty() { "nothing changed".to_owned() } else { format!("new: {}", changes.join(", ")) };
        tracing::info!(note, "settings taken in");
        Ok(note)
    }

    fn recent_alarms(&self) -> Vec<(Duration, Event)> {
        let now = self.now();
        let aged = self.alarms.iter().map(|(at, event)| (now.since(*at), event.clone()));
        aged.filter(|(age, _)| *age <= ALARM_AGE).collect()
    }

    fn snapshot(&mut self) -> NodeSnapshot {
        NodeSnapshot {
            mesh_name: self.setup.mesh_name.clone(),
            host_mtu: self.host.mtu,
            mesh: self.mesh.snapshot(self.now()),
            plane: self.plane.counters(),
            io: self.plane.io_counters(),
            alarms: self.recent_alarms(),
            line: self.line(),
            busy: self.readings.busy(),
            commons: self.commons.view(),
            refused: self.refused(),
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION"),
            rss_bytes: resident_bytes(),
        }
    }

    fn line(&mut self) -> Option<WanView> {
        let now = self.now();
        let gates = self.plane.gates()?;
        self.wan.as_mut()?.view(gates, now)
    }

    /// Hard interfaces that are not used, with the reason; for those of radios what is wrong with
    /// the radio.
    fn refused(&self) -> Vec<(String, String)> {
        let mut refused = self.links.refused();
        for state in self.radios.states() {
            let here = refused.iter_mut().find(|(name, _)| *name == state.interface);
            if let (Some((_, why)), Some(trouble)) = (here, state.trouble) {
                *why = trouble;
            }
        }
        refused
    }

    fn stop(mut self) {
        let now = self.now();
        self.inputs.push(Input::Leave);
        self.carry_out();
        self.commons.stop(&mut self.plane, &self.mesh, &self.readings, now);
        if self.links.smallest_mtu().is_some() {
            self.state.write(State { seqnos: self.mesh.seqnos(), host_mac: self.host.mac }, now);
        }
        self.memory.stop(now);
        // Radios first: what they find set up may have been set up by the links.
        self.radios.stop();
        let _ = self.watcher.refresh();
        self.links.put_back(&mut self.watcher);
        tracing::debug!(counters = ?self.plane.io_counters(), "counted");
        tracing::info!("stopped");
    }
}

/// News of the shared line for the log.
fn line_news(news: &LineNews) {
    let mbit =
        |kbit: &Option<u64>| kbit.map_or_else(|| "unknown".to_owned(), |k| format!("{}.{}", k / 1000, k % 1000 / 100));
    match news {
        LineNews::Rate { down, up } => {
            tracing::info!(down = mbit(down), up = mbit(up), "what the line to the Internet carries, Mbit/s");
        }
        LineNews::Silent => tracing::warn!(
            "nobody behind the line to the Internet answers: how fast it is cannot be found out; name somebody who does, \
             with check, or set wan_down and wan_up"
        ),
        LineNews::Answers => tracing::info!("somebody behind the line to the Internet answers again"),
        LineNews::Shaper(kind) => tracing::warn!(
            kind,
            "somebody else decides what leaves by the line to the Internet; it is left alone, and guests are held back \
             as far as its queue can be seen"
        ),
    }
}

/// Gateway news for the log.
fn gateway_news(news: &GatewayNews) {
    let mbit = |units: &u32| f64::from(*units) / 10.0;
    match news {
        GatewayNews::New { orig, down, up } => {
            tracing::info!(%orig, down = mbit(down), up = mbit(up), "a gateway, Mbit/s");
        }
        GatewayNews::Changed { orig, down, up } => {
            tracing::info!(%orig, down = mbit(down), up = mbit(up), "a gateway offers another bandwidth, Mbit/s");
        }
        GatewayNews::Gone { orig } => tracing::info!(%orig, "a gateway is gone"),
        GatewayNews::Implausible { orig, down, up } => {
            tracing::warn!(%orig, down = mbit(down), up = mbit(up), "a gateway promises more than can be, Mbit/s");
        }
        GatewayNews::Selected { orig: Some(orig), .. } => tracing::info!(%orig, "gateway selected"),
        GatewayNews::Selected { orig: None, .. } => tracing::warn!("no gateway is left"),
        GatewayNews::Missing => {
            tracing::warn!("a client asks for an address by DHCP, but there is no gateway to send it to");
        }
        GatewayNews::Withdrawn => tracing::warn!("our own Internet does not work, we are no gateway for others"),
        GatewayNews::Announced => tracing::info!("our own Internet works, we are a gateway for others"),
    }
}

fn configured_mac(setup: &RunSetup) -> Option<MacAddr> {
    Some(setup.mesh.host_mac).filter(|m| m.is_unicast()).or(setup.host_mac)
}

/// The MAC of the mesh interface: configured, else made from hardware, else that of the last run,
/// else random.
fn choose_mac(setup: &RunSetup, watcher: &Watcher, left: Option<State>, seed: u64) -> MacAddr {
    let names: Vec<&str> = setup.links.iter().map(|l| l.name.as_str()).collect();
    let hardware = || host::stable_mac(&setup.mesh_name, &names, watcher.table(), None);
    // The interface of a radio is made later, but its radio is there.
    let radio = || {
        let phy = setup.radios.iter().find_map(|r| r.phy.clone()).unwrap_or_else(|| "phy0".to_owned());
        let mac = std::fs::read_to_string(format!("/sys/class/ieee80211/{phy}/macaddress")).ok()?;
        (!setup.radios.is_empty())
            .then(|| host::stable_mac(&setup.mesh_name, &[], watcher.table(), Some(mac.trim())))?
    };
    let machine = || {
        let id = std::fs::read_to_string("/etc/machine-id").ok()?;
        host::stable_mac(&setup.mesh_name, &[], watcher.table(), Some(id.trim()))
    };
    configured_mac(setup)
        .or_else(hardware)
        .or_else(radio)
        .or_else(|| left.map(|s| s.host_mac))
        .or_else(machine)
        .unwrap_or_else(|| host::local_mac(seed))
}

/// Resident memory of this process, 0 where the system does not tell.
fn resident_bytes() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|text| text.split_whitespace().nth(1)?.parse::<u64>().ok())
        .unwrap_or(0);
    let page = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok().flatten();
    pages * page.and_then(|p| u64::try_from(p).ok()).unwrap_or(4096)
}
