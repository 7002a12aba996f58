//! The hot path: client frames and packets in transit, decided by the forwarding table alone.

use crate::config::LinkId;
use crate::counters::Counters;
use crate::fib::{Fib, FibChange};
use crate::frame::Frame;
use crate::time::Instant;

/// Where a [`Plane`] puts the frames it has decided about.
pub trait PlaneSink {
    /// Send out of a hard interface, Ethernet header included.
    fn link_tx(&mut self, link: LinkId, frame: Frame);
    /// Deliver to the mesh interface.
    fn host_tx(&mut self, frame: Frame);
    /// Give to the control side as [`crate::Input::LinkRx`].
    fn punt_link(&mut self, link: LinkId, frame: Frame);
    /// Give to the control side as [`crate::Input::HostRx`].
    fn punt_host(&mut self, frame: Frame);
    /// The frame was dropped and counted; take its buffer back.
    fn recycle(&mut self, frame: Frame);
}

/// The portable hot path: pure, no I/O of its own.
#[derive(Debug)]
pub struct Plane {
    fib: Fib,
    counters: Counters,
}

impl Plane {
    /// An empty plane; `seed` is any unpredictable number.
    pub fn new(seed: u64) -> Self {
        Self { fib: Fib::new(seed), counters: Counters::default() }
    }

    /// Takes a change of the forwarding table in.
    pub fn apply(&mut self, change: &FibChange) {
        self.fib.apply(change);
    }

    /// Decides about a frame heard on a hard interface, Ethernet header included.
    pub fn link_rx(&mut self, link: LinkId, frame: Frame, sink: &mut impl PlaneSink) {
        sink.punt_link(link, frame);
    }

    /// Decides about a client frame from the mesh interface. `known` says that the control side
    /// has seen it and knows its source.
    pub fn host_rx(&mut self, frame: Frame, known: bool, now: Instant, sink: &mut impl PlaneSink) {
        let _ = (known, now);
        sink.punt_host(frame);
    }

    /// What was counted here.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }
}
