//! Taking turns: who claims a client that nobody claims yet.
//!
//! A flooded frame reaches all gateways of a LAN at about the same time. Those that claim its
//! source at once all deliver it, which is what kernel nodes do. So Meshwork gateways wait for each
//! other and for the kernel's: the lowest address first, 20 ms apart, after the kernel's. Whoever
//! hears a claim meanwhile drops the frame.

use super::{Bla, Fate};
use crate::client::Arrival;
use crate::counters::Drop;
use crate::frame::Frame;
use crate::mesh::Mesh;
use crate::time::{Duration, Instant};
use packet::{MacAddr, Vid};

/// Time between two gateways.
const TURN: Duration = Duration::from_millis(20);
/// Most turns waited.
const TURNS: u32 = 5;
/// Most frames that wait; more are dropped.
const MOST: usize = 128;

/// A frame for a group, from a client that nobody claims.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) at: Instant,
    pub(super) frame: Frame,
    pub(super) arrival: Arrival,
}

impl Bla {
    /// When the next frame has waited long enough.
    pub(super) fn next_held(&self) -> Option<Instant> {
        self.held.iter().map(|h| h.at).min()
    }

    /// True if no more frames wait than may.
    pub(super) fn holds_few(&self) -> bool {
        self.held.len() <= MOST
    }
}

impl Mesh {
    /// How long we let other gateways go first.
    pub(super) fn bla_turn(&self, own: MacAddr, vid: Vid) -> Duration {
        let (mut kernel, mut before) = (0, 0);
        for (gateway, _) in self.bla.claims.gateways_in(vid) {
            match self.is_meshwork(gateway) {
                false => kernel = 1,
                true => before += u32::from(gateway < own),
            }
        }
        TURN * TURNS.min(kernel + before)
    }

    /// True if an originator runs Meshwork, as far as we know.
    pub(super) fn is_meshwork(&self, orig: MacAddr) -> bool {
        let says_so = self.originators.get(&orig).is_some_and(|o| o.features.meshwork.is_some());
        says_so
            || self
                .links
                .values()
                .flat_map(|l| &l.neighbors)
                .any(|(mac, n)| n.meshwork && n.originator.unwrap_or(*mac) == orig)
    }

    pub(super) fn bla_hold(&mut self, held: Held) -> Result<(), Drop> {
        if self.bla.held.len() >= MOST {
            return Err(Drop::BcastQueueFull);
        }
        self.bla.held.push_back(held);
        Ok(())
    }

    /// Decides about frames that have waited long enough, in the order in which they came.
    pub(super) fn bla_release_held(&mut self, now: Instant) {
        let mut i = 0;
        while let Some(held) = self.bla.held.get(i) {
            if held.at > now {
                i += 1;
                continue;
            }
            let Some(Held { frame, arrival, .. }) = self.bla.held.remove(i) else { return };
            let done = match self.bla_decide(frame, arrival, false, now) {
                Ok(Fate::Pass(frame) | Fate::Hold(frame, _)) => self.hand_out(frame, arrival, now),
                Err(why) => Err(why),
            };
            if let Err(why) = done {
                self.counters.drop(why);
            }
        }
    }
}
