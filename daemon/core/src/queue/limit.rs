//! How many bytes may lie in the driver below the queue: as few as keep it from running dry.
//!
//! Frames below the queue can no longer be overtaken, so each of them delays the owner. What is needed
//! there depends on how fast the line is and how long it takes to be woken: both are found by watching.
//! Source: dynamic queue limits of Linux (Herbert, "Byte Queue Limits", 2011), the idea.

use crate::time::{Duration, Instant};

/// Two frames: with less the line would pause between them.
pub const LEAST: u32 = 2 * 2304;
/// Half a millisecond of ten gigabit.
pub const MOST: u32 = 640 << 10;
/// The smallest slack over so long is given back.
const LOOK: Duration = Duration::from_millis(200);

/// The limit of one hard interface, in bytes as the kernel counts them, its own overhead included.
#[derive(Debug, Clone)]
pub struct Limit {
    bytes: u32,
    /// The least that was left below when the queue could be refilled.
    slack: u32,
    look_at: Instant,
}

impl Default for Limit {
    fn default() -> Self {
        // 16 frames; halves or doubles within a few refills.
        Self { bytes: 16 * 2304, slack: u32::MAX, look_at: Instant::ZERO }
    }
}

impl Limit {
    /// The limit now.
    pub fn bytes(&self) -> u32 {
        self.bytes
    }

    /// Frames wait, and there is room below again, where `left` bytes still lie. `held` says that the
    /// limit is why there was no room before. True when the limit changed.
    pub fn refill(&mut self, left: u32, held: bool, now: Instant) -> bool {
        let before = self.bytes;
        if left == 0 && !held {
            // What is below takes more than we have.
            self.begin(now);
        } else if left == 0 {
            // It ran dry while we were on the way.
            self.bytes = (self.bytes + self.bytes / 2).min(MOST);
            self.begin(now);
        } else {
            self.slack = self.slack.min(left);
            if now >= self.look_at {
                // All but a frame of it.
                self.bytes = self.bytes.saturating_sub(self.slack.saturating_sub(LEAST / 2)).max(LEAST);
                self.begin(now);
            }
        }
        self.bytes != before
    }

    /// Nothing waits: nothing can be learned until something does.
    pub fn idle(&mut self, now: Instant) {
        self.begin(now);
    }

    fn begin(&mut self, now: Instant) {
        self.slack = u32::MAX;
        self.look_at = now + LOOK;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line of `rate` bytes a second that takes `wake` to tell that it is half empty; returns the limit
    /// after `secs`, and the share of time that the line was busy in the second half.
    fn run(rate: u64, wake: Duration, secs: u64) -> (u32, f64) {
        let mut limit = Limit::default();
        let (mut now, mut below, mut idle) = (Instant::ZERO, 0u64, 0u64);
        let end = Instant::from_micros(secs * 1_000_000);
        let half = Instant::from_micros(secs * 500_000);
        while now < end {
            below = below.max(u64::from(limit.bytes()));
            let drain = below.saturating_sub(u64::from(limit.bytes()) / 2) * 1_000_000 / rate;
            let took = drain + wake.as_micros() as u64;
            let gone = took * rate / 1_000_000;
            if now > half {
                idle += gone.saturating_sub(below) * 1_000_000 / rate;
            }
            below = below.saturating_sub(gone);
            now += Duration::from_micros(took.max(1));
            limit.refill(below as u32, true, now);
        }
        (limit.bytes(), 1.0 - idle as f64 / (secs as f64 * 500_000.0))
    }

    #[test]
    fn fits_the_line_and_keeps_it_busy() {
        for (mbit, wake) in [(1, 100), (20, 100), (20, 1000), (100, 200), (1000, 100), (1000, 500)] {
            let rate = mbit * 125_000;
            let (bytes, busy) = run(rate, Duration::from_micros(wake), 60);
            let need = (rate * wake / 1_000_000).max(u64::from(LEAST) / 2);
            assert!(busy > 0.97, "{mbit} Mbit/s, {wake} us: busy {busy:.3}, {bytes} bytes");
            assert!(u64::from(bytes) <= 8 * need + 2 * 2304, "{mbit} Mbit/s, {wake} us: {bytes} bytes, needed {need}");
        }
    }
}
