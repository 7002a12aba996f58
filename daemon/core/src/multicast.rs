//! Multicast: only to those who want it. Source: "Payload plane" section 4.

use crate::config::LinkId;
use crate::counters::Drop;
use crate::frame::Frame;
use crate::mesh::Mesh;
use crate::originator::Features;
use crate::time::Instant;
use alloc::vec::Vec;
use packet::MacAddr;

/// Flags of a node that cannot tell which multicast groups its clients want: all of them, and no
/// multicast routers. Source: section 4.1.
const ALL: [u8; 4] = [0x1e, 0, 0, 0];

impl Mesh {
    /// Value of our container.
    pub(crate) fn multicast_container(&self) -> Option<Vec<u8>> {
        Some(ALL.to_vec())
    }

    /// A frame for a group, not for everybody, from the mesh interface.
    pub(crate) fn multicast_from_host(&mut self, frame: Frame, now: Instant) -> Result<(), Drop> {
        self.flood_own(frame, now)
    }

    /// A multicast packet with its list of receivers.
    pub(crate) fn receive_multicast(&mut self, _link: LinkId, _frame: Frame, _now: Instant) -> Result<(), Drop> {
        Err(Drop::Unsupported)
    }

    /// An originator wants other groups than before.
    pub(crate) fn multicast_changed(&mut self, _orig: MacAddr, _before: Features) {}
}
