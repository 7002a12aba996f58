//! The distributed ARP table. Source: "Payload plane" section 6.

use crate::client::Arrival;
use crate::counters::Drop;
use crate::frame::Frame;
use crate::mesh::Mesh;
use crate::time::Instant;
use alloc::vec::Vec;

impl Mesh {
    /// Value of our container; `None` while the table is off.
    pub(crate) fn dat_container(&self) -> Option<Vec<u8>> {
        None
    }

    /// A client frame from the mesh interface, before it is sent. `None` if it was dealt with: an
    /// answer was given, or it waits.
    pub(crate) fn dat_from_host(&mut self, frame: Frame, _now: Instant) -> Result<Option<Frame>, Drop> {
        Ok(Some(frame))
    }

    /// A client frame that came over the mesh, before it is delivered.
    pub(crate) fn dat_from_mesh(
        &mut self,
        frame: Frame,
        _arrival: Arrival,
        _now: Instant,
    ) -> Result<Option<Frame>, Drop> {
        Ok(Some(frame))
    }

    /// When [`Mesh::run_dat_timers`] has something to do next.
    pub(crate) fn next_dat_timer(&self) -> Instant {
        Instant::FAR_FUTURE
    }

    /// Sends what waited, forgets what is old.
    pub(crate) fn run_dat_timers(&mut self, _now: Instant) {}
}
