//! Throughput meter. Source: "Payload plane" section 9.

use crate::config::LinkId;
use crate::counters::Drop;
use crate::frame::Frame;
use crate::mesh::Mesh;
use crate::time::Instant;

impl Mesh {
    /// A message of the throughput meter for us, Ethernet header included.
    pub(crate) fn receive_meter(&mut self, _link: LinkId, _frame: &Frame, _now: Instant) -> Result<(), Drop> {
        Err(Drop::Unsupported)
    }

    /// When [`Mesh::run_meter_timers`] has something to do next.
    pub(crate) fn next_meter_timer(&self) -> Instant {
        Instant::FAR_FUTURE
    }

    /// Sends, repeats, gives up.
    pub(crate) fn run_meter_timers(&mut self, _now: Instant) {}
}
