//! When a flow's frames have waited too long for too long, and which of them is dropped or marked to say so.
//! Source: RFC 8289, "Controlled Delay Active Queue Management", section 5.

use crate::time::{Duration, Instant};

/// Waiting that is accepted for good. Source: RFC 8289 section 4.2.
pub(super) const TARGET: Duration = Duration::from_millis(5);
/// Longer waiting than [`TARGET`] is accepted for so long. Source: RFC 8289 section 4.3.
pub(super) const INTERVAL: Duration = Duration::from_millis(100);
/// A queue with no more than one full frame is not shortened: nothing else would be left.
const KEEP: u32 = 1600;

/// The state of one flow.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Codel {
    /// Since when frames wait too long, plus one interval; `None` while they do not.
    above: Option<Instant>,
    /// When the next frame is dropped or marked; `None` while none has to be.
    drop_at: Option<Instant>,
    /// When dropping ended last.
    ended: Instant,
    /// Frames dropped since this began ...
    count: u32,
    /// ... and how many of them when it began.
    began: u32,
}

impl Codel {
    /// Decides about the frame at the front, which came in at `at`; `left` bytes stay behind it.
    /// True: mark it, or drop it and ask about the next one.
    pub(super) fn shortens(&mut self, at: Instant, left: u32, now: Instant) -> bool {
        let late = self.late(now.since(at), left, now);
        match self.drop_at {
            Some(_) if !late => {
                self.leave(now);
                false
            }
            Some(due) if now >= due => {
                self.count = self.count.saturating_add(1).min(MOST);
                self.drop_at = Some(due + pause(self.count));
                true
            }
            None if late => {
                // Soon after the last time it goes on where it was.
                let again = now.since(self.ended) < INTERVAL * 16;
                let before = self.count.saturating_sub(self.began);
                self.count = if again && before > 1 { before } else { 1 };
                self.began = self.count;
                self.drop_at = Some(now + pause(self.count));
                true
            }
            _ => false,
        }
    }

    /// The flow has nothing left.
    pub(super) fn emptied(&mut self, now: Instant) {
        self.above = None;
        self.leave(now);
    }

    fn leave(&mut self, now: Instant) {
        if self.drop_at.take().is_some() {
            self.ended = now;
        }
    }

    /// True once frames have waited too long for a whole interval.
    fn late(&mut self, waited: Duration, left: u32, now: Instant) -> bool {
        if waited < TARGET || left <= KEEP {
            self.above = None;
            return false;
        }
        match self.above {
            None => {
                self.above = Some(now + INTERVAL);
                false
            }
            Some(until) => now >= until,
        }
    }
}

/// Square roots are taken of 16 bits and 16 behind the point.
const MOST: u32 = 0xffff;

/// Time to the next drop: the interval over the square root of how many there were.
fn pause(count: u32) -> Duration {
    let root = (count.clamp(1, MOST) << 16).isqrt();
    INTERVAL * 256 / root.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Instant {
        Instant::from_micros(n * 1000)
    }

    #[test]
    fn pauses_shrink_by_the_square_root() {
        assert_eq!(pause(1), INTERVAL);
        assert_eq!(pause(4), INTERVAL / 2);
        assert_eq!(pause(100), INTERVAL / 10);
        assert!(pause(u32::MAX) > Duration::ZERO);
    }

    #[test]
    fn short_waits_and_short_queues_pass() {
        let mut c = Codel::default();
        for t in 0..1000 {
            assert!(!c.shortens(ms(t), 100_000, ms(t + 4)), "4 ms are fine");
        }
        for t in 1000..2000 {
            assert!(!c.shortens(ms(t), 1600, ms(t + 50)), "a single frame waits as long as it takes");
        }
    }

    #[test]
    fn long_waits_drop_faster_and_faster() {
        let mut c = Codel::default();
        let dropped =
            |c: &mut Codel, from: u64, to: u64| (from..to).filter(|&t| c.shortens(ms(t - 20), 100_000, ms(t))).count();
        assert_eq!(dropped(&mut c, 100, 200), 0, "a burst of one interval is let through");
        let first = dropped(&mut c, 200, 700);
        let second = dropped(&mut c, 700, 1200);
        assert!((5..=20).contains(&first), "{first}");
        assert!(second > first, "{first} then {second}");
        assert!(!c.shortens(ms(1200), 100_000, ms(1203)), "and stops at once");
    }
}
