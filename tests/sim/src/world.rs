//! The world: nodes, media and clients in virtual time. One thread, no clock; the same seed gives
//! the same bytes.

use crate::channel::Quality;
use crate::client::{Aim, Arrival, Client, ClientId, Flow, FlowId, Probe, emit, parse};
use crate::host::Host;
use crate::medium::{Bytes, Effect, Medium, Reminder, StationId};
use crate::node::{Live, MediumId, Node, NodeId, Port};
use crate::topology::{Graph, client_mac, host_mac, port_mac};
use crate::traffic::{Digest, Kind, Tally, fault};
use mesh_core::rng::Rng;
use mesh_core::{Duration, Frame, Input, Instant, LinkConfig, LinkId, Measure, MeshConfig, Seqnos};
use packet::{MacAddr, Vid};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// A node writes its sequence numbers down this often.
pub const SAVE_EVERY: Duration = Duration::from_secs(10);
/// Added to both sequence numbers when they are read back.
pub const SAVE_RESERVE: u32 = 1000;
/// More ticks of one node in one second are a fault: its timer runs in circles.
pub const TICKS_PER_SECOND: u32 = 20_000;
/// Faults remembered.
const FAULTS: usize = 20;

/// What a restarted node remembers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// The sequence numbers that it wrote down last.
    Kept,
    /// Nothing.
    Lost,
}

/// Number of a smoltcp host.
pub type HostId = usize;

#[derive(Debug)]
enum What {
    Start(NodeId, Memory),
    Deliver { node: NodeId, link: LinkId, bytes: Bytes },
    Remind(MediumId, Reminder),
    Wake(NodeId, u32),
    Emit { node: NodeId, bytes: Vec<u8> },
    Flow(FlowId),
    Host(HostId),
}

#[derive(Debug)]
struct Entry {
    at: Instant,
    serial: u64,
    what: What,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.serial == other.serial
    }
}
impl Eq for Entry {}
impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Entry {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        (self.at, self.serial).cmp(&(other.at, other.serial))
    }
}

/// Where the two ends of a connection are plugged in: medium, sending and receiving station.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// The medium.
    pub medium: MediumId,
    /// Station that sends.
    pub from: StationId,
    /// Station that hears it.
    pub to: StationId,
}

/// The world.
#[derive(Debug)]
pub struct World {
    /// Its seed.
    pub seed: u64,
    /// Current virtual time.
    pub now: Instant,
    /// Nodes.
    pub nodes: Vec<Node>,
    /// Media.
    pub media: Vec<Medium>,
    /// Light clients; the first ones are the nodes' mesh interfaces.
    pub clients: Vec<Client>,
    /// What they send and get.
    pub flows: Vec<Flow>,
    /// smoltcp hosts.
    pub hosts: Vec<Host>,
    /// Frames sent by every node.
    pub sent: Vec<Tally>,
    /// Digest of all frames sent on all media.
    pub digest: Digest,
    /// Frames that no node may send, and other misbehaviour, first ones only.
    pub faults: Vec<String>,
    /// Hard interface of every MAC.
    pub by_mac: BTreeMap<MacAddr, (NodeId, LinkId)>,
    rng: Rng,
    queue: BinaryHeap<Reverse<Entry>>,
    serial: u64,
    effects: Vec<Effect>,
}

impl World {
    /// An empty world.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            now: Instant::ZERO,
            nodes: Vec::new(),
            media: Vec::new(),
            clients: Vec::new(),
            flows: Vec::new(),
            hosts: Vec::new(),
            sent: Vec::new(),
            digest: Digest::default(),
            faults: Vec::new(),
            by_mac: BTreeMap::new(),
            rng: Rng::new(seed),
            queue: BinaryHeap::new(),
            serial: 0,
            effects: Vec::new(),
        }
    }

    /// Adds a medium.
    pub fn add_medium(&mut self, medium: Medium) -> MediumId {
        self.media.push(medium);
        self.media.len() - 1
    }

    /// Adds a node that is not running; all nodes come before the first [`World::add_client`].
    /// The MAC of its mesh interface is set here.
    pub fn add_node(&mut self, config: &MeshConfig) -> NodeId {
        let id = self.nodes.len();
        assert_eq!(id, self.clients.len(), "nodes come before other clients");
        self.nodes.push(Node::new(MeshConfig { host_mac: host_mac(id), ..config.clone() }));
        self.clients.push(Client { mac: host_mac(id), vid: Vid::UNTAGGED, node: id });
        self.sent.push(Tally::default());
        id
    }

    /// Gives a node one more hard interface on a medium.
    pub fn add_port(&mut self, node: NodeId, medium: MediumId, mtu: usize, hop_penalty: u8) -> LinkId {
        let number = self.nodes[node].ports.len();
        let link = LinkId(number as u8);
        let mac = port_mac(node, number);
        let station = self.media[medium].attach(node, link, mac);
        let wifi = self.media[medium].is_radio();
        let config = LinkConfig {
            name: format!("port{number}"),
            mac,
            mtu,
            wifi,
            hop_penalty,
            throughput: None,
            measure: Measure::Blind,
            broadcast_copies: None,
        };
        self.nodes[node].ports.push(Port { medium, station, config, up: true });
        self.by_mac.insert(mac, (node, link));
        link
    }

    /// Adds a light client behind a node. It is not known before it sends.
    pub fn add_client(&mut self, node: NodeId, vid: Vid) -> ClientId {
        let id = self.clients.len();
        self.clients.push(Client { mac: client_mac(id), vid, node });
        id
    }

    /// Adds a smoltcp host behind a node, with address 10.0.0.0/16 plus its number.
    pub fn add_host(&mut self, node: NodeId) -> HostId {
        let id = self.hosts.len();
        let seed = self.rng.next_u64();
        self.hosts.push(Host::new(client_mac(0x8000 + id), 0x0100 + id as u16, node, seed, self.now));
        id
    }

    /// Starts a node at a moment.
    pub fn start_at(&mut self, node: NodeId, at: Instant, memory: Memory) {
        self.schedule(at, What::Start(node, memory));
    }

    /// Starts all nodes, each at a random moment within `spread`.
    pub fn start_all(&mut self, spread: Duration) {
        for node in 0..self.nodes.len() {
            let at = self.now + self.rng.below(spread);
            self.start_at(node, at, Memory::Lost);
        }
    }

    /// Takes the power from a node.
    pub fn stop(&mut self, node: NodeId) {
        self.nodes[node].live = None;
        for port in &self.nodes[node].ports {
            self.media[port.medium].silence(port.station);
        }
    }

    /// Both directions between the hard interfaces of two nodes, wherever they share a medium.
    pub fn ways(&self, a: NodeId, b: NodeId) -> Vec<Way> {
        let mut out = Vec::new();
        for p in &self.nodes[a].ports {
            for q in &self.nodes[b].ports {
                let medium = &self.media[p.medium];
                if p.medium == q.medium && medium.channel(p.station, q.station).is_some() {
                    out.push(Way { medium: p.medium, from: p.station, to: q.station });
                }
            }
        }
        out
    }

    /// Cuts or heals all connections between two nodes, silently.
    pub fn set_cut(&mut self, a: NodeId, b: NodeId, cut: bool) {
        for way in [self.ways(a, b), self.ways(b, a)].concat() {
            if let Some(channel) = self.media[way.medium].channel_mut(way.from, way.to) {
                channel.cut = cut;
            }
        }
    }

    /// Cuts all connections between two nodes; nobody is told.
    pub fn cut(&mut self, a: NodeId, b: NodeId) {
        self.set_cut(a, b, true);
    }

    /// Undoes [`World::cut`].
    pub fn heal(&mut self, a: NodeId, b: NodeId) {
        self.set_cut(a, b, false);
    }

    /// Sets the quality of the direction from `a` to `b`.
    pub fn set_quality(&mut self, a: NodeId, b: NodeId, quality: Quality) {
        for way in self.ways(a, b) {
            self.media[way.medium].set_reach(way.from, way.to, Some(quality));
        }
    }

    /// Pulls or plugs the cable of a hard interface: its node is told.
    pub fn carrier(&mut self, node: NodeId, link: LinkId, up: bool) {
        let port = &mut self.nodes[node].ports[usize::from(link.0)];
        port.up = up;
        let input = if up { Input::LinkUp(link, port.config.clone()) } else { Input::LinkDown(link) };
        self.tell(node, input);
    }

    /// Pulls the cable between two nodes: frames vanish, and both see that the carrier is gone.
    pub fn unplug(&mut self, a: NodeId, b: NodeId) {
        self.cut(a, b);
        for (at, other) in [(a, b), (b, a)] {
            for way in self.ways(at, other) {
                let link = self.media[way.medium].station(way.from).link;
                self.tell(at, Input::CarrierLost(link));
            }
        }
    }

    /// Rewires a medium whose station numbers are the nodes' numbers: an edge is in reach both
    /// ways with this quality, everything else is not.
    pub fn rewire(&mut self, medium: MediumId, graph: &Graph, quality: Quality) {
        let medium = &mut self.media[medium];
        let mut wanted = vec![vec![false; graph.n]; graph.n];
        for &(a, b) in &graph.edges {
            wanted[a][b] = true;
            wanted[b][a] = true;
        }
        for (a, row) in wanted.iter().enumerate() {
            for (b, &reach) in row.iter().enumerate().filter(|(b, _)| *b != a) {
                if medium.channel(a, b).is_some() != reach {
                    medium.set_reach(a, b, reach.then_some(quality));
                }
            }
        }
    }

    /// Hands an input to a running node now.
    pub fn tell(&mut self, node: NodeId, input: Input) {
        let now = self.now;
        let Node { live, events, .. } = &mut self.nodes[node];
        if let Some(live) = live {
            live.handle(input, now, events);
            self.flush(node);
        }
    }

    /// Lets a node hear a frame now, whoever sent it.
    pub fn inject(&mut self, node: NodeId, link: LinkId, bytes: &[u8]) {
        self.deliver(node, link, bytes);
    }

    /// Moves a light client behind another node; nobody is told before it sends.
    pub fn move_client(&mut self, client: ClientId, node: NodeId) {
        self.clients[client].node = node;
    }

    /// Begins a flow now.
    pub fn flow(&mut self, from: ClientId, aim: Aim, size: usize, interval: Duration, until: Instant) -> FlowId {
        let flow = Flow { from, aim, size, interval, until, sent: Vec::new(), arrived: Vec::new(), damaged: 0 };
        self.flows.push(flow);
        let id = self.flows.len() - 1;
        self.schedule(self.now, What::Flow(id));
        id
    }

    /// Sends one frame.
    pub fn once(&mut self, from: ClientId, aim: Aim, size: usize) -> FlowId {
        self.flow(from, aim, size, Duration::from_secs(1), self.now + Duration::from_micros(1))
    }

    /// Lets the programs of a host act.
    pub fn wake_host(&mut self, host: HostId) {
        self.schedule(self.now, What::Host(host));
    }

    /// Runs for a while.
    pub fn run_for(&mut self, time: Duration) {
        self.run_until(self.now + time);
    }

    /// Runs up to and including a moment.
    pub fn run_until(&mut self, end: Instant) {
        while let Some(Reverse(next)) = self.queue.peek() {
            if next.at > end {
                break;
            }
            let Some(Reverse(entry)) = self.queue.pop() else { break };
            self.now = entry.at;
            self.happen(entry.what);
        }
        self.now = self.now.max(end);
    }

    /// Panics if any node misbehaved on the wire.
    pub fn assert_no_faults(&self) {
        assert!(self.faults.is_empty(), "faults in the world of seed {}:\n{}", self.seed, self.faults.join("\n"));
    }

    fn schedule(&mut self, at: Instant, what: What) {
        self.serial += 1;
        self.queue.push(Reverse(Entry { at, serial: self.serial, what }));
    }

    fn fault(&mut self, text: impl FnOnce() -> String) {
        if self.faults.len() < FAULTS {
            let text = format!("{:?}: {}", self.now, text());
            self.faults.push(text);
        }
    }

    fn happen(&mut self, what: What) {
        match what {
            What::Start(node, memory) => self.start(node, memory),
            What::Deliver { node, link, bytes } => self.deliver(node, link, &bytes),
            What::Remind(medium, what) => {
                let mut effects = core::mem::take(&mut self.effects);
                self.media[medium].remind(self.now, what, &mut self.rng, &mut effects);
                self.effects = effects;
                self.carry(medium);
            }
            What::Wake(node, boot) => self.wake(node, boot),
            What::Emit { node, bytes } => self.emit(node, &bytes),
            What::Flow(flow) => self.step_flow(flow),
            What::Host(host) => self.step_host(host),
        }
    }

    fn start(&mut self, id: NodeId, memory: Memory) {
        let now = self.now;
        let seed = Rng::new(self.seed ^ (id as u64) << 32 ^ u64::from(self.nodes[id].boots)).next_u64();
        let node = &mut self.nodes[id];
        let resume = match (memory, node.saved) {
            (Memory::Kept, Some((_, saved))) => Some(Seqnos {
                ogm: saved.ogm.wrapping_add(SAVE_RESERVE),
                bcast: saved.bcast.wrapping_add(SAVE_RESERVE),
                algorithm: saved.algorithm,
            }),
            _ => None,
        };
        node.boots += 1;
        node.live = Some(Live::new(&node.config, seed, resume, now, node.record));
        for (number, port) in self.nodes[id].ports.clone().into_iter().enumerate() {
            if port.up {
                self.tell(id, Input::LinkUp(LinkId(number as u8), port.config));
            }
        }
        self.flush(id);
    }

    fn wake(&mut self, id: NodeId, boot: u32) {
        let now = self.now;
        let Node { live, events, boots, saved, .. } = &mut self.nodes[id];
        let Some(live) = live.as_mut().filter(|l| *boots == boot && l.wake == now) else { return };
        live.wake = Instant::FAR_FUTURE;
        let second = now.as_micros() / 1_000_000;
        live.ticks = if live.ticks.0 == second { (second, live.ticks.1 + 1) } else { (second, 1) };
        let ticks = live.ticks.1;
        live.handle(Input::Tick, now, events);
        if saved.is_none_or(|(at, _)| now.since(at) >= SAVE_EVERY) {
            *saved = Some((now, live.mesh.seqnos()));
        }
        if ticks == TICKS_PER_SECOND {
            self.fault(|| format!("node {id} wants to be woken more than {TICKS_PER_SECOND} times a second"));
        }
        self.flush(id);
    }

    fn deliver(&mut self, id: NodeId, link: LinkId, bytes: &[u8]) {
        let now = self.now;
        if self.nodes[id].swallows(bytes) {
            return;
        }
        let Node { live, events, ports, .. } = &mut self.nodes[id];
        let Some(live) = live.as_mut().filter(|_| ports[usize::from(link.0)].up) else { return };
        live.link_rx(link, Frame::copy_of(bytes), now, events);
        self.flush(id);
    }

    /// Takes what a node wants out, and notes when it wants to be woken.
    fn flush(&mut self, id: NodeId) {
        let Some(live) = &mut self.nodes[id].live else { return };
        let frames = core::mem::take(&mut live.plane.out.link);
        let to_host = core::mem::take(&mut live.plane.out.host);
        let due = live.mesh.poll_timeout();
        if due < Instant::FAR_FUTURE {
            let due = due.max(self.now + Duration::from_micros(1));
            if due != live.wake {
                live.wake = due;
                let boot = self.nodes[id].boots;
                self.schedule(due, What::Wake(id, boot));
            }
        } else {
            live.wake = Instant::FAR_FUTURE;
        }
        for (link, frame) in frames {
            self.send(id, link, frame.bytes());
        }
        for frame in to_host {
            self.hand_out(id, frame.bytes(), None);
        }
    }

    fn send(&mut self, id: NodeId, link: LinkId, bytes: &[u8]) {
        let Some(port) = self.nodes[id].ports.get(usize::from(link.0)) else {
            self.fault(|| format!("node {id} sends out of hard interface {} that it does not have", link.0));
            return;
        };
        let (medium, station, up) = (port.medium, port.station, port.up);
        if let Some(what) = fault(bytes, port.config.mac, port.config.mtu) {
            self.fault(|| format!("node {id} port {}: {what}: {:02x?}", link.0, &bytes[..bytes.len().min(48)]));
        }
        if !up {
            self.fault(|| format!("node {id} sends out of hard interface {} that is down", link.0));
            return;
        }
        self.sent[id].add(Kind::of(bytes), bytes.len());
        self.digest.add(self.now, id, link.0, bytes);
        let mut effects = core::mem::take(&mut self.effects);
        self.media[medium].send(self.now, station, bytes.into(), &mut self.rng, &mut effects);
        self.effects = effects;
        self.carry(medium);
    }

    fn carry(&mut self, medium: MediumId) {
        let mut effects = core::mem::take(&mut self.effects);
        for effect in effects.drain(..) {
            match effect {
                Effect::Deliver(at, station, bytes) => {
                    let s = self.media[medium].station(station);
                    let (node, link) = (s.node, s.link);
                    self.schedule(at, What::Deliver { node, link, bytes });
                }
                Effect::Remind(at, what) => self.schedule(at, What::Remind(medium, what)),
            }
        }
        self.effects = effects;
    }

    /// A client behind a node sends: other clients there hear it as on a bridge, then the mesh.
    fn emit(&mut self, node: NodeId, bytes: &[u8]) {
        let dst = bytes.first_chunk().map_or(MacAddr::ZERO, |b: &[u8; 6]| MacAddr(*b));
        let src = bytes.get(6..).and_then(|b| b.first_chunk()).map_or(MacAddr::ZERO, |b: &[u8; 6]| MacAddr(*b));
        self.hand_out(node, bytes, Some(src));
        let local = self.clients.iter().any(|c| c.node == node && c.mac == dst)
            || self.hosts.iter().any(|h| h.node == node && h.mac == dst);
        if local {
            return;
        }
        let now = self.now;
        let Node { live, events, .. } = &mut self.nodes[node];
        if let Some(live) = live {
            live.host_rx(Frame::copy_of(bytes), now, events);
            self.flush(node);
        }
    }

    /// Hands a client frame to all clients behind a node that it is for, except its sender.
    fn hand_out(&mut self, node: NodeId, bytes: &[u8], sender: Option<MacAddr>) {
        let dst = bytes.first_chunk().map_or(MacAddr::ZERO, |b: &[u8; 6]| MacAddr(*b));
        for id in 0..self.hosts.len() {
            let host = &mut self.hosts[id];
            if host.node == node && Some(host.mac) != sender && (dst == host.mac || dst.is_multicast()) {
                host.take(bytes);
                self.schedule(self.now, What::Host(id));
            }
        }
        let Some((probe, whole)) = parse(bytes) else { return };
        for id in 0..self.clients.len() {
            let client = &self.clients[id];
            if client.node == node && Some(client.mac) != sender && (dst == client.mac || dst.is_multicast()) {
                self.arrive(id, probe, whole);
            }
        }
    }

    fn arrive(&mut self, client: ClientId, probe: Probe, whole: bool) {
        let now = self.now;
        let Some(flow) = self.flows.get_mut(probe.flow) else { return };
        flow.damaged += u32::from(!whole);
        let asked = flow.aim == Aim::Ask(client) && !probe.answer;
        if asked {
            let (src, dst) = (&self.clients[client], &self.clients[flow.from]);
            let bytes = emit(Probe { answer: true, ..probe }, src.mac, dst.mac, src.vid, flow.size);
            let node = src.node;
            self.schedule(now, What::Emit { node, bytes });
        } else {
            flow.arrived.push(Arrival { seq: probe.seq, client, at: now });
        }
    }

    fn step_flow(&mut self, id: FlowId) {
        let now = self.now;
        let flow = &mut self.flows[id];
        if now >= flow.until {
            return;
        }
        let src = &self.clients[flow.from];
        let dst = match flow.aim {
            Aim::To(client) | Aim::Ask(client) => self.clients[client].mac,
            Aim::All => MacAddr::BROADCAST,
        };
        let probe = Probe { flow: id, seq: flow.sent.len() as u32, answer: false };
        let bytes = emit(probe, src.mac, dst, src.vid, flow.size);
        flow.sent.push(now);
        let (node, next) = (src.node, now + flow.interval);
        if next < flow.until {
            self.schedule(next, What::Flow(id));
        }
        self.emit(node, &bytes);
    }

    fn step_host(&mut self, id: HostId) {
        let host = &mut self.hosts[id];
        let before = host.wake;
        let frames = host.poll(self.now);
        let (wake, node) = (host.wake, host.node);
        if wake < Instant::FAR_FUTURE && (wake != before || before <= self.now) {
            self.schedule(wake, What::Host(id));
        }
        for bytes in frames {
            self.schedule(self.now, What::Emit { node, bytes });
        }
    }
}
