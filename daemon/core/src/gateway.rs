//! Gateways: who offers Internet, which one is ours, and where DHCP goes. Source: "Payload plane"
//! section 5.

use crate::client::Arrival;
use crate::counters::Drop;
use crate::frame::Frame;
use crate::mesh::Mesh;
use crate::originator::Features;
use crate::time::Instant;
use alloc::vec::Vec;
use packet::MacAddr;

impl Mesh {
    /// Value of our container; `None` unless we are a gateway.
    pub(crate) fn gateway_container(&self) -> Option<Vec<u8>> {
        None
    }

    /// A frame for a group from the mesh interface. `None` if it was sent or dropped here: DHCP
    /// goes to one gateway.
    pub(crate) fn gateway_from_host(&mut self, frame: Frame, _now: Instant) -> Result<Option<Frame>, Drop> {
        Ok(Some(frame))
    }

    /// A client frame from the mesh before it is delivered. `None` if it is not wanted here.
    pub(crate) fn gateway_to_host(
        &mut self,
        frame: Frame,
        _arrival: Arrival,
        _now: Instant,
    ) -> Result<Option<Frame>, Drop> {
        Ok(Some(frame))
    }

    /// An originator offers another bandwidth than before.
    pub(crate) fn gateway_changed(&mut self, _orig: MacAddr, _before: Features, _now: Instant) {}

    /// Once a second.
    pub(crate) fn gateway_work(&mut self, _now: Instant) {}
}
