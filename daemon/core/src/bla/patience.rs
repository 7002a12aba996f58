//! How long other gateways may block a VLAN.
//!
//! While a gateway's announced checksum is not ours, frames for groups are blocked. That takes
//! milliseconds among honest gateways. Somebody who forges announcements could block a LAN for
//! ever, so the total is bounded: one minute, regained at a tenth of the speed.
//! Source: "Pitfalls" B 11.

use crate::time::{Duration, Instant};

/// Most time blocked in a row.
const MOST: Duration = Duration::from_secs(60);
/// Once used up, nobody blocks until this much is regained.
const ENOUGH: Duration = Duration::from_secs(30);
/// Time without blocking that regains one part of it.
const REGAIN: u32 = 10;

/// Time that others may still block.
#[derive(Debug, Clone)]
pub(crate) struct Patience {
    left: Duration,
    at: Instant,
    blocked: bool,
    used_up: bool,
}

impl Patience {
    pub(crate) fn new(now: Instant) -> Self {
        Self { left: MOST, at: now, blocked: false, used_up: false }
    }

    /// Notes whether others ask for a block from now on. Returns true at the moment that nobody is
    /// waited for any longer.
    pub(crate) fn note(&mut self, wanted: bool, now: Instant) -> bool {
        let passed = now.since(self.at);
        self.at = now;
        self.left =
            if self.blocked { self.left.saturating_sub(passed) } else { (self.left + passed / REGAIN).min(MOST) };
        let ran_out = self.blocked && self.left.is_zero();
        self.used_up = ran_out || (self.used_up && self.left < ENOUGH);
        self.blocked = wanted && !self.used_up;
        ran_out
    }

    /// True if the block that was asked for holds.
    pub(crate) fn blocks(&self) -> bool {
        self.blocked
    }

    /// True if nobody is waited for now.
    pub(crate) fn is_used_up(&self) -> bool {
        self.used_up
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_bounded() {
        let mut p = Patience::new(Instant::ZERO);
        let (mut blocked, mut alarms) = (0, 0);
        for second in 0..3600 {
            alarms += usize::from(p.note(true, Instant::from_micros(second * 1_000_000)));
            blocked += u64::from(p.blocks());
        }
        assert!((60..=60 + 3600 / 10).contains(&blocked), "{blocked} s of an hour");
        assert!((2..=12).contains(&alarms), "{alarms}");
    }

    #[test]
    fn short_blocks_never_end_early() {
        let mut p = Patience::new(Instant::ZERO);
        for i in 0..1000u64 {
            let at = Instant::from_micros(i * 10_000_000);
            assert!(!p.note(true, at) && p.blocks(), "{i}");
            assert!(!p.note(false, at + Duration::from_millis(50)) && !p.blocks());
        }
        assert!(!p.is_used_up());
    }
}
