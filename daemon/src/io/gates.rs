//! Where guests of the mesh wait for the Internet behind this machine, in both directions: between the mesh
//! interface and the mesh.

use crate::io::pool::Pool;
use mesh_core::wan::gate::{Gate, KEPT_DOWN, KEPT_UP};
use mesh_core::wan::reach::{Guest, Reach};
use mesh_core::{Frame, Instant};

/// The gates of a shared line.
pub struct Gates {
    /// From the Internet into the mesh.
    pub down: Gate,
    /// From the mesh to the Internet.
    pub up: Gate,
    /// What goes through them.
    pub reach: Reach,
    /// Something did since this was taken back.
    pub used: bool,
}

impl Gates {
    /// Open ones that nothing goes through yet; `seed` is any unpredictable number.
    pub fn new(seed: u64) -> Self {
        let (down, up) = (Gate::new(seed, KEPT_DOWN), Gate::new(seed.rotate_left(17), KEPT_UP));
        Self { down, up, reach: Reach::default(), used: false }
    }

    /// A frame on its way to the host; handed back where it need not wait.
    #[inline]
    pub(super) fn push_up(&mut self, frame: Frame, pool: &mut Pool, now: Instant) -> Option<Frame> {
        match self.reach.up(frame.bytes()) {
            Some(guest) => {
                self.used = true;
                push(&mut self.up, frame, guest, pool, now)
            }
            None => Some(frame),
        }
    }

    /// A frame on its way into the mesh; handed back where it need not wait.
    #[inline]
    pub(super) fn push_down(&mut self, frame: Frame, pool: &mut Pool, now: Instant) -> Option<Frame> {
        match self.reach.down(frame.bytes()) {
            Some(guest) => {
                self.used = true;
                push(&mut self.down, frame, guest, pool, now)
            }
            None => Some(frame),
        }
    }

    /// When the next frame may pass.
    pub fn next(&self) -> Instant {
        self.down.next().min(self.up.next())
    }
}

fn push(gate: &mut Gate, frame: Frame, guest: Guest, pool: &mut Pool, now: Instant) -> Option<Frame> {
    gate.push(frame, guest.who.to_u64(), guest.flow, now, |old| pool.put(old))
}
