//! Bridge loop avoidance. Source: "Payload plane" section 7.

use crate::client::Arrival;
use crate::counters::Drop;
use crate::frame::Frame;
use crate::mesh::Mesh;
use crate::time::Instant;
use packet::{MacAddr, Vid};

impl Mesh {
    /// A frame from the LAN, before anything else looks at it. `None` if it was for us.
    pub(crate) fn bla_from_lan(&mut self, frame: Frame, _now: Instant) -> Result<Option<Frame>, Drop> {
        Ok(Some(frame))
    }

    /// A client frame from the mesh, just before it goes to the LAN.
    pub(crate) fn bla_to_lan(&mut self, frame: Frame, _arrival: Arrival, _now: Instant) -> Result<Option<Frame>, Drop> {
        Ok(Some(frame))
    }

    /// True if an originator is on the same LAN as we, in this VLAN: what it sent is there already.
    pub(crate) fn is_backbone_gateway(&self, _orig: MacAddr, _vid: Vid) -> bool {
        false
    }

    /// True if another gateway of our LAN has claimed the client: it speaks for it there, we do not.
    /// Asked before we answer or deliver for a client.
    pub(crate) fn bla_claimed_by_other(&self, _client: MacAddr, _vid: Vid) -> bool {
        false
    }

    /// True if another originator just flooded the same client frame.
    pub(crate) fn bla_is_duplicate(&mut self, _inner: &[u8], _orig: MacAddr, _now: Instant) -> bool {
        false
    }

    /// When [`Mesh::run_bla_timers`] has something to do next.
    pub(crate) fn next_bla_timer(&self) -> Instant {
        Instant::FAR_FUTURE
    }

    /// Announces, ages, looks for loops.
    pub(crate) fn run_bla_timers(&mut self, _now: Instant) {}
}
