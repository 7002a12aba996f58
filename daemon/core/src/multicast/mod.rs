//! Multicast: frames for a group go only to nodes that want them.
//!
//! ```text
//!  shell: groups, querier, routers ──▶ listen ──▶ flags container, groups as own clients
//!  containers of others ─────────────▶ want ───┐
//!  groups among their clients ─────────────────┴▶ send ──▶ flood | copies | one tracked packet
//!                                                              tracked ◀──▶ the mesh
//! ```
//! [`listen`] says what we announce, [`want`] remembers what others announce, [`send`] decides
//! about a frame from the mesh interface, [`tracked`] splits, forwards and delivers packets that
//! carry the list of their receivers. Source: protocol notes, "Payload plane" section 4.

pub(crate) mod group;
pub mod listen;
mod send;
mod tracked;
mod want;

pub use listen::{Listeners, Querier, Version};

use crate::mesh::Mesh;
use crate::originator::Features;
use crate::snapshot::MulticastView;
use alloc::vec::Vec;
use listen::Announced;
use packet::MacAddr;
use packet::tvlv::mcast::{McastCapability, flags};
use want::Wants;
pub(crate) use want::effective_flags;
use zerocopy::IntoBytes;

/// Hard interfaces smaller than this cannot carry packet type 5, which is never cut.
/// Source: section 4.1; it is IPv6's smallest MTU.
const TRACKED_MTU: usize = 1280;

/// What the node knows of multicast.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// What the shell said; `None` while groups cannot be known.
    listeners: Option<Listeners>,
    announced: Announced,
    /// What others want; `None` after something changed.
    wants: Option<Wants>,
}

impl Mesh {
    /// Value of our container.
    pub(crate) fn multicast_container(&self) -> Option<Vec<u8>> {
        Some(McastCapability::new(self.multicast_flags()).as_bytes().to_vec())
    }

    /// Our flags as the next OGM announces them.
    pub(crate) fn multicast_flags(&self) -> u8 {
        let capable = !self.links.is_empty() && self.links.values().all(|l| l.cfg.mtu >= TRACKED_MTU);
        self.multicast.announced.flags | if capable { flags::HAVE_MC_PTYPE_CAPA } else { 0 }
    }

    /// An originator wants other groups than before.
    pub(crate) fn multicast_changed(&mut self, orig: MacAddr, before: Features) {
        let now = self.originators.get(&orig).map(|o| o.features);
        if now.is_none_or(|f| (f.known, f.multicast) != (before.known, before.multicast)) {
            self.multicast.wants = None;
        }
    }

    /// An originator is gone.
    pub(crate) fn multicast_gone(&mut self) {
        self.multicast.wants = None;
    }

    /// Whether what is remembered of others' wishes is what they announce.
    pub(crate) fn multicast_is_consistent(&self) -> bool {
        self.multicast.wants.as_ref().is_none_or(|wants| *wants == Wants::of(&self.originators))
    }

    /// For people: what we announce, and what we know of the bridge above.
    pub(crate) fn multicast_view(&self) -> MulticastView {
        let known = self.multicast.listeners.as_ref();
        MulticastView {
            flags: self.multicast_flags(),
            known: known.is_some(),
            bridged: known.is_some_and(|l| l.bridged),
            querier4: known.map_or(Querier::Absent, |l| l.ipv4.querier),
            querier6: known.map_or(Querier::Absent, |l| l.ipv6.querier),
        }
    }
}
