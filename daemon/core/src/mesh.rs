//! The control side: owns all routing state, dispatches inputs, collects outputs.

use crate::border::{DataPlane, Event, Input, Output};
use crate::config::{MeshConfig, Seqnos};
use crate::snapshot::Snapshot;
use crate::time::Instant;

/// A node's routing state.
#[derive(Debug)]
pub struct Mesh {}

impl Mesh {
    /// A node without hard interfaces. `seed` feeds jitter and, where `resume` is `None`, the
    /// first sequence numbers.
    pub fn new(config: MeshConfig, seed: u64, resume: Option<Seqnos>, now: Instant) -> Self {
        let _ = (config, seed, resume, now);
        Self {}
    }

    /// Takes one input in. Drain [`Mesh::poll_output`] to `None` afterwards.
    pub fn handle(&mut self, input: Input, now: Instant) {
        let _ = (input, now);
    }

    /// The next thing that wants to be done.
    pub fn poll_output(&mut self) -> Option<Output> {
        None
    }

    /// When [`Input::Tick`] is due. Never in the past for long: a shell that is late just ticks.
    pub fn poll_timeout(&self) -> Instant {
        Instant::FAR_FUTURE
    }

    /// Sequence numbers to resume with after a restart; the shell persists them now and then and
    /// adds a reserve when it reads them back.
    pub fn seqnos(&self) -> Seqnos {
        Seqnos { ogm: 0, bcast: 0 }
    }

    /// A read-only picture for people and programs. Not for the hot path.
    pub fn snapshot(&self, now: Instant) -> Snapshot {
        let _ = now;
        unimplemented!()
    }
}

/// Hands one input to the control side and carries out what it wants, except for events, which
/// go to `event`.
pub fn drive(mesh: &mut Mesh, plane: &mut impl DataPlane, input: Input, now: Instant, mut event: impl FnMut(Event)) {
    mesh.handle(input, now);
    while let Some(output) = mesh.poll_output() {
        match output {
            Output::LinkTx(link, frame) => plane.inject_link(link, frame),
            Output::HostTx(frame) => plane.inject_host(frame),
            Output::LinkAgain(link, frame) => plane.again_link(link, frame),
            Output::HostAgain(frame) => plane.again_host(frame),
            Output::Fib(change) => plane.apply(&change),
            Output::Event(e) => event(e),
        }
    }
}
