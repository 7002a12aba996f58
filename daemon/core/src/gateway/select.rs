//! Which gateway is ours. Source: "Payload plane" section 5, "B.A.T.M.A.N. V" section 6.

use crate::border::GatewayNews;
use crate::config::{Algorithm, GatewayMode};
use crate::fib::Table;
use crate::mesh::Mesh;
use crate::time::{Duration, Instant};
use core::cmp::Reverse;
use packet::MacAddr;

/// Selection class: the best product of quality and bandwidth, then never another one.
const CLASS_FAST: u8 = 1;
/// Selection class: another one as soon as it is better.
const CLASS_LATE: u8 = 3;
/// A gateway is silent after so many of its usual gaps ...
const SILENT_GAPS: u32 = 4;
/// ... and not before.
const SILENT_LEAST: Duration = Duration::from_secs(5);

/// How often a gateway is heard of. A kernel node keeps a dead gateway until its originator is
/// purged, up to 400 s; we know its rhythm and leave it when several of its OGMs in a row are
/// missing and another one is there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rhythm {
    heard: Instant,
    /// The longest gap of late; shrinks by an eighth with each gap that is shorter.
    gap: Duration,
}

impl Rhythm {
    /// Until more is known it is taken to send OGMs as often as we do.
    pub(super) const fn new(interval: Duration, now: Instant) -> Self {
        Self { heard: now, gap: interval }
    }

    pub(super) fn note(&mut self, heard: Instant) {
        if heard > self.heard {
            self.gap = heard.since(self.heard).max(self.gap - self.gap / 8);
            self.heard = heard;
        }
    }

    pub(super) fn is_silent(&self, now: Instant) -> bool {
        now.since(self.heard) > SILENT_LEAST.max(self.gap * SILENT_GAPS)
    }
}

/// A gateway that could be ours. Ordered by rank: the largest is the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    /// It is heard of as usual.
    fresh: bool,
    /// What the selection class looks at first.
    rank: u64,
    /// What decides between equals: where the kernel takes the one it heard of first, we prefer the
    /// better way, then the larger bandwidth.
    then: (u32, u32),
    /// Transmit quality (IV) or what comes through of the bandwidth (V, 100 kbit/s): what another
    /// one must have more of.
    gain: u32,
    orig: Reverse<MacAddr>,
}

impl Mesh {
    /// Chooses a gateway, if we are a client. The present one stays unless it is lost, or silent
    /// while another one is not, or beaten as far as the selection class asks for, or `anew`.
    pub(super) fn gateway_elect(&mut self, anew: bool, now: Instant) {
        if self.cfg.gateway.mode != GatewayMode::Client {
            self.select_gateway(None, now);
            return;
        }
        let candidates = || self.gateway.known.keys().filter_map(|orig| self.candidate(*orig, now));
        let best = candidates().max();
        let current = self.gateway.selected.and_then(|orig| candidates().find(|c| c.orig.0 == orig));
        let choice = match (current, best) {
            // What is known of a silent one is old, so nothing about it is a reason to move.
            (Some(c), Some(b)) if !anew && c.fresh >= b.fresh && !(b.fresh && self.is_worth_it(c, b)) => Some(c),
            (_, best) => best,
        };
        self.select_gateway(choice.map(|c| c.orig.0), now);
    }

    /// `None` if it offers nothing, if nobody allowed it, or if no way leads there.
    fn candidate(&self, orig: MacAddr, now: Instant) -> Option<Candidate> {
        let cfg = &self.cfg.gateway;
        let o = self.originators.get(&orig)?;
        let (down, _) = o.features.gateway?;
        if !self.gateway_is_allowed(orig) || o.router(Table::Host).is_none() {
            return None;
        }
        // Whoever promises the impossible gains no more than by the largest plausible promise.
        let down = down.min(cfg.plausible);
        let way = o.metric(Table::Host);
        let (rank, gain) = match self.algorithm {
            Algorithm::Iv if cfg.class == CLASS_FAST => ((u64::from(way).pow(2) * u64::from(down) * 10_000) >> 18, way),
            Algorithm::Iv => (u64::from(way), way),
            Algorithm::V => (u64::from(way.min(down)), way.min(down)),
        };
        let fresh = self.gateway_is_fresh(orig, now);
        Some(Candidate { fresh, rank, then: (way, down), gain, orig: Reverse(orig) })
    }

    /// True unless there is a list of allowed gateways without it. Source: "Pitfalls" B 18.
    pub(crate) fn gateway_is_allowed(&self, orig: MacAddr) -> bool {
        let allowed = &self.cfg.gateway.allowed;
        allowed.is_empty() || allowed.contains(&orig)
    }

    /// True if the best gateway is so much better than the current one that clients should move.
    fn is_worth_it(&self, current: Candidate, best: Candidate) -> bool {
        let more = best.gain.saturating_sub(current.gain);
        match (self.algorithm, self.cfg.gateway.class) {
            (Algorithm::Iv, 0..CLASS_LATE) => false,
            (Algorithm::Iv, CLASS_LATE) => more > 0,
            (Algorithm::Iv, class) => more >= u32::from(class),
            (Algorithm::V, _) => more >= self.cfg.gateway.advantage.max(1),
        }
    }

    fn select_gateway(&mut self, orig: Option<MacAddr>, now: Instant) {
        let before = core::mem::replace(&mut self.gateway.selected, orig);
        if before == orig {
            return;
        }
        self.gateway.told_none = false;
        self.tell_gateway(GatewayNews::Selected { orig, before }, now);
        self.hand_over_routers(orig, now);
    }
}
