//! AP isolation: clients that are marked as Wi-Fi clients do not reach each other by unicast, and
//! neither do clients marked as isolated. Source: "Payload plane" sections 1.2 and 1.6,
//! "Translation table" section 1.
//!
//! Marks come from the translation table; ours are set for all own clients by configuration,
//! because a TAP device shows neither the bridge port nor the mark of a frame. For the same reason
//! broadcasts of isolated clients cannot be handed out with a mark, as the kernel does: they are
//! delivered like others.

use crate::border::Output;
use crate::fib::FibChange;
use crate::mesh::Mesh;
use crate::tt::Key;
use packet::tvlv::tt::client;

/// Marks that keep clients apart from others with the same mark.
pub(crate) const MARKS: u8 = client::WIFI | client::ISOLA;

impl Mesh {
    /// What own clients are announced with.
    pub(crate) fn own_marks(&self) -> u8 {
        let wifi = if self.cfg.wifi_clients { client::WIFI } else { 0 };
        let isolated = if self.cfg.isolated_clients { client::ISOLA } else { 0 };
        wifi | isolated
    }

    /// True if an own client and one of another node are kept apart.
    pub(crate) fn is_isolated(&self, own: Key, other: Key) -> bool {
        let own = self.local.entries.get(&own).map_or(0, |e| e.sync);
        let other = self.global.entries.get(&other).map_or(0, |e| e.marks());
        self.cfg.ap_isolation && own & other & MARKS != 0
    }

    /// Tells the data plane who is marked, or that it does not matter any more.
    pub(crate) fn publish_isolation(&mut self) {
        let on = self.cfg.ap_isolation;
        if on == self.local.isolating {
            return;
        }
        (self.local.isolating, self.global.isolating) = (on, on);
        self.out.push_back(Output::Fib(FibChange::Isolation(on)));
        if on {
            self.local.publish_marks(&mut self.out);
            self.global.publish_marks(&mut self.out);
        }
    }
}
