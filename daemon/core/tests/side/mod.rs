//! The data plane of a node in a test: the real hot path, and what it wants done kept until the
//! test takes it.
#![allow(dead_code, reason = "each test program uses a part")]
#![allow(unreachable_pub, reason = "shared by test programs")]

use mesh_core::fib::NextHop;
use mesh_core::{Counters, DataPlane, Fib, FibChange, Frame, Input, Instant, LinkId, Plane, PlaneSink};
use std::collections::VecDeque;

/// What a plane wants done, and what it left to the control side.
#[derive(Default)]
pub struct Wires {
    pub tx: Vec<(LinkId, Frame)>,
    pub host: Vec<Frame>,
    pub punted: VecDeque<Input>,
    /// Frames left to the control side so far.
    pub punts: usize,
}

impl PlaneSink for Wires {
    fn link_tx(&mut self, link: LinkId, frame: Frame, _: &Fib) {
        self.tx.push((link, frame));
    }
    fn host_tx(&mut self, frame: Frame) {
        self.host.push(frame);
    }
    fn punt_link(&mut self, link: LinkId, frame: Frame) {
        self.punts += 1;
        self.punted.push_back(Input::LinkRx(link, frame));
    }
    fn punt_host(&mut self, frame: Frame) {
        self.punts += 1;
        self.punted.push_back(Input::HostRx(frame));
    }
    fn flow(&mut self, next: NextHop, dest: packet::MacAddr) {
        self.punted.push_back(Input::Flow(next, dest));
    }
    fn recycle(&mut self, _: Frame) {}
}

pub struct Side {
    pub plane: Plane,
    pub wires: Wires,
    pub now: Instant,
    /// Requests for air that were granted: where, when, and until when.
    pub yields: Vec<(LinkId, Instant, Instant)>,
}

impl Side {
    pub fn new(seed: u64, now: Instant) -> Self {
        Self { plane: Plane::new(seed), wires: Wires::default(), now, yields: Vec::new() }
    }
}

impl DataPlane for Side {
    fn apply(&mut self, change: &FibChange) {
        if let FibChange::Yield(link, until) = *change {
            self.yields.push((link, self.now, until));
        }
        self.plane.apply(change);
    }
    fn inject_link(&mut self, link: LinkId, frame: Frame) {
        self.wires.link_tx(link, frame, self.plane.fib());
    }
    fn inject_host(&mut self, frame: Frame) {
        self.wires.host_tx(frame);
    }
    fn again_link(&mut self, link: LinkId, frame: Frame) {
        self.plane.link_rx(link, frame, self.now, &mut self.wires);
    }
    fn again_host(&mut self, frame: Frame) {
        self.plane.host_rx(frame, true, self.now, &mut self.wires);
    }
    fn counters(&self) -> Counters {
        self.plane.counters().clone()
    }
}
