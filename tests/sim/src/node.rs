//! A simulated node: the control side and the hot path of the core, and a data plane that keeps
//! what they want to send until the world takes it.

use crate::medium::StationId;
use crate::record::Recorder;
use crate::topology::port_mac;
use mesh_core::fib::NextHop;
use mesh_core::{
    Counters, DataPlane, Event, Fib, FibChange, Frame, Input, Instant, LinkConfig, LinkId, Mesh, MeshConfig, Plane,
    PlaneSink, Seqnos, drive,
};
use packet::MacAddr;
use packet::consts::{ETH_LEN, packet_type};
use packet::unicast::UnicastHeader;
use std::cell::RefCell;
use std::collections::VecDeque;

/// Number of a node.
pub type NodeId = usize;
/// Number of a medium.
pub type MediumId = usize;

/// A hard interface of a node.
#[derive(Clone, Debug)]
pub struct Port {
    /// What it is plugged into.
    pub medium: MediumId,
    /// As which station.
    pub station: StationId,
    /// What the core is told about it.
    pub config: LinkConfig,
    /// It has a carrier.
    pub up: bool,
}

/// A node, running or not.
#[derive(Debug)]
pub struct Node {
    /// Its settings.
    pub config: MeshConfig,
    /// Its hard interfaces, [`LinkId`] 0 first.
    pub ports: Vec<Port>,
    /// Times that it was started.
    pub boots: u32,
    /// Sequence numbers that it wrote down last, and when.
    pub saved: Option<(Instant, Seqnos)>,
    /// Present while it runs.
    pub live: Option<Live>,
    /// Everything that its core reported, with the time.
    pub events: Vec<(Instant, Event)>,
    /// Keep a recording from the next start on.
    pub record: bool,
    /// What it swallows of the packets of others that it ought to pass on.
    pub hole: Option<Hole>,
}

/// What a node swallows of the packets of others; its own ones and those for it pass, and so does
/// what it floods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hole {
    /// Everything.
    Everything,
    /// Client frames, whole or in pieces.
    Payload,
    /// Packets of more bytes than this.
    Longer(usize),
    /// Everything that this node sends it.
    From(NodeId),
}

impl Node {
    /// True if it swallows a frame that it hears instead of passing it on.
    pub(crate) fn swallows(&self, frame: &[u8]) -> bool {
        let Some(packet) = frame.get(ETH_LEN..) else { return false };
        let Ok((head, _)) = UnicastHeader::parse(packet) else { return false };
        let unicast = (packet_type::UNICAST_MIN..=packet_type::UNICAST_MAX).contains(&head.packet_type);
        let transit = unicast && self.ports.iter().all(|p| p.config.mac != head.dest);
        let what = match self.hole {
            None => false,
            Some(Hole::Everything) => true,
            Some(Hole::Payload) => head.packet_type <= packet_type::UNICAST_4ADDR,
            Some(Hole::Longer(bytes)) => packet.len() > bytes,
            Some(Hole::From(node)) => {
                let src = frame.get(6..ETH_LEN).and_then(|b| b.first_chunk()).map(|b| MacAddr(*b));
                (0..8).any(|port| src == Some(port_mac(node, port)))
            }
        };
        transit && what
    }
}

/// A running node.
#[derive(Debug)]
pub struct Live {
    /// Control side.
    pub mesh: Mesh,
    /// Data plane.
    pub plane: SimPlane,
    /// When it wants a tick.
    pub wake: Instant,
    /// Ticks in the current virtual second.
    pub ticks: (u64, u32),
    /// What it was told and what it did, if asked for.
    pub recorder: Option<Recorder>,
}

/// Frames that a node wants out.
#[derive(Debug, Default)]
pub struct Outbox {
    /// To send out of hard interfaces.
    pub link: Vec<(LinkId, Frame)>,
    /// To deliver to the mesh interface.
    pub host: Vec<Frame>,
    punted: VecDeque<Input>,
}

impl PlaneSink for Outbox {
    fn link_tx(&mut self, link: LinkId, frame: Frame, _: &Fib) {
        self.link.push((link, frame));
    }
    fn host_tx(&mut self, frame: Frame) {
        self.host.push(frame);
    }
    fn punt_link(&mut self, link: LinkId, frame: Frame) {
        self.punted.push_back(Input::LinkRx(link, frame));
    }
    fn punt_host(&mut self, frame: Frame) {
        self.punted.push_back(Input::HostRx(frame));
    }
    fn flow(&mut self, next: NextHop, dest: MacAddr) {
        self.punted.push_back(Input::Flow(next, dest));
    }
    fn recycle(&mut self, _frame: Frame) {}
}

/// The data plane of a simulated node: the portable hot path, and a second copy of the forwarding
/// table for the oracle to read.
#[derive(Debug)]
pub struct SimPlane {
    plane: Plane,
    /// The forwarding table as published.
    pub fib: Fib,
    /// What waits for the world.
    pub out: Outbox,
    now: Instant,
}

impl SimPlane {
    fn new(seed: u64) -> Self {
        Self { plane: Plane::new(seed), fib: Fib::new(seed), out: Outbox::default(), now: Instant::ZERO }
    }
}

impl DataPlane for SimPlane {
    fn apply(&mut self, change: &FibChange) {
        self.plane.apply(change);
        self.fib.apply(change);
    }
    fn inject_link(&mut self, link: LinkId, frame: Frame) {
        self.out.link_tx(link, frame, self.plane.fib());
    }
    fn inject_host(&mut self, frame: Frame) {
        self.out.host_tx(frame);
    }
    fn again_link(&mut self, link: LinkId, frame: Frame) {
        self.plane.link_rx(link, frame, self.now, &mut self.out);
    }
    fn again_host(&mut self, frame: Frame) {
        self.plane.host_rx(frame, true, self.now, &mut self.out);
    }
    fn counters(&self) -> Counters {
        self.plane.counters().clone()
    }
}

/// Passes everything on to the data plane and writes it down.
struct Watched<'a> {
    plane: &'a mut SimPlane,
    recorder: &'a RefCell<&'a mut Recorder>,
}

impl DataPlane for Watched<'_> {
    fn apply(&mut self, change: &FibChange) {
        self.recorder.borrow_mut().fib(change);
        self.plane.apply(change);
    }
    fn inject_link(&mut self, link: LinkId, frame: Frame) {
        self.recorder.borrow_mut().link_tx(link, &frame);
        self.plane.inject_link(link, frame);
    }
    fn inject_host(&mut self, frame: Frame) {
        self.recorder.borrow_mut().host_tx(&frame);
        self.plane.inject_host(frame);
    }
    fn again_link(&mut self, link: LinkId, frame: Frame) {
        self.recorder.borrow_mut().again(Some(link), &frame);
        self.plane.again_link(link, frame);
    }
    fn again_host(&mut self, frame: Frame) {
        self.recorder.borrow_mut().again(None, &frame);
        self.plane.again_host(frame);
    }
    fn counters(&self) -> Counters {
        self.plane.counters()
    }
}

impl Live {
    /// A core that was just started.
    pub fn new(config: &MeshConfig, seed: u64, resume: Option<Seqnos>, now: Instant, record: bool) -> Self {
        Self {
            mesh: Mesh::new(config.clone(), seed, resume, now),
            plane: SimPlane::new(seed),
            wake: Instant::FAR_FUTURE,
            ticks: (0, 0),
            recorder: record.then(|| Recorder::new(config, seed, resume, now)),
        }
    }

    /// Hands an input to the control side, and all inputs that follow from it.
    pub fn handle(&mut self, input: Input, now: Instant, events: &mut Vec<(Instant, Event)>) {
        self.plane.now = now;
        self.control(input, now, events);
        self.punted(now, events);
    }

    /// A frame was heard on a hard interface.
    pub fn link_rx(&mut self, link: LinkId, frame: Frame, now: Instant, events: &mut Vec<(Instant, Event)>) {
        self.plane.now = now;
        self.plane.plane.link_rx(link, frame, now, &mut self.plane.out);
        self.punted(now, events);
    }

    /// A client sent a frame into the mesh interface.
    pub fn host_rx(&mut self, frame: Frame, now: Instant, events: &mut Vec<(Instant, Event)>) {
        self.plane.now = now;
        self.plane.plane.host_rx(frame, false, now, &mut self.plane.out);
        self.punted(now, events);
    }

    fn punted(&mut self, now: Instant, events: &mut Vec<(Instant, Event)>) {
        while let Some(input) = self.plane.out.punted.pop_front() {
            self.control(input, now, events);
        }
    }

    fn control(&mut self, input: Input, now: Instant, events: &mut Vec<(Instant, Event)>) {
        let Some(recorder) = &mut self.recorder else {
            drive(&mut self.mesh, &mut self.plane, input, now, |event| events.push((now, event)));
            return;
        };
        recorder.input(now, &input);
        let recorder = RefCell::new(recorder);
        let mut watched = Watched { plane: &mut self.plane, recorder: &recorder };
        drive(&mut self.mesh, &mut watched, input, now, |event| {
            recorder.borrow_mut().event(&event);
            events.push((now, event));
        });
    }
}

impl Node {
    /// A node without hard interfaces that is not running.
    pub fn new(config: MeshConfig) -> Self {
        Self {
            config,
            ports: Vec::new(),
            boots: 0,
            saved: None,
            live: None,
            events: Vec::new(),
            record: false,
            hole: None,
        }
    }

    /// The forwarding table, while it runs.
    pub fn fib(&self) -> Option<&Fib> {
        self.live.as_ref().map(|live| &live.plane.fib)
    }
}
