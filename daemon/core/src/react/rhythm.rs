//! A neighbour's own rhythm: how often it speaks for itself and how much of that is lost.

use super::{FRACTION, bits};
use crate::time::{Duration, Instant};
use crate::window::{WINDOW, Window, distance};

/// Beyond its interval, a beat may come this much later: jitter, collecting, a busy machine.
const LATE: Duration = Duration::from_millis(250);
/// Beats before a rhythm says anything.
const FEW: u8 = 4;

/// The regular messages of a neighbour: OGMs under IV, hellos under V.
#[derive(Debug, Default)]
pub(crate) struct Rhythm {
    last: Option<(u32, Instant)>,
    /// Average time between beats.
    interval: Duration,
    window: Window,
    /// Beats watched, at most [`WINDOW`].
    age: u8,
}

impl Rhythm {
    /// A beat was heard. `interval` is what the message says of it, if it does.
    pub(crate) fn beat(&mut self, seqno: u32, interval: Option<Duration>, now: Instant) {
        let Some((last, at)) = self.last else {
            self.last = Some((seqno, now));
            self.interval = interval.unwrap_or_default();
            self.window.slide(1, true);
            self.age = 1;
            return;
        };
        let diff = distance(last, seqno);
        if diff <= 0 && diff > -(WINDOW as i32) {
            return;
        }
        if !(1..WINDOW as i32).contains(&diff) {
            *self = Self::default();
            return self.beat(seqno, interval, now);
        }
        self.window.slide(diff, true);
        // At most 64 plus 63.
        self.age = (u32::from(self.age) + diff.unsigned_abs()).min(WINDOW) as u8;
        let took = now.since(at).as_micros() as u64 / u64::from(diff.unsigned_abs());
        let known = self.interval.as_micros() as u64;
        let average = if known == 0 { took } else { (known * 7 + took) / 8 };
        self.interval = interval.unwrap_or(Duration::from_micros(average));
        self.last = Some((seqno, now));
    }

    /// One in how many beats is lost; few beats prove little.
    pub(crate) fn loss_odds(&self) -> u32 {
        let watched = u32::from(self.age);
        let lost = watched.saturating_sub(u32::from(self.window.count()));
        (watched + 2) / (lost + 1)
    }

    /// Evidence that the neighbour is gone: bits for every beat that is missing.
    pub(crate) fn silence(&self, now: Instant) -> u32 {
        let Some((_, at)) = self.last.filter(|_| self.age >= FEW && !self.interval.is_zero()) else { return 0 };
        let silent = now.since(at).saturating_sub(LATE).as_micros() as u64;
        let missing = silent / self.interval.as_micros().max(1) as u64;
        let missing = u32::try_from(missing).unwrap_or(u32::MAX);
        // Losses come in bursts: half a bit at least, and never more than six a beat.
        bits(self.loss_odds()).clamp(FRACTION / 2, 6 * FRACTION).saturating_mul(missing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::react::BELIEVED;

    const SECOND: Duration = Duration::from_secs(1);

    fn after(rhythm: &Rhythm, last: Instant) -> u32 {
        (1..200).find(|n| rhythm.silence(last + *n * SECOND) >= BELIEVED).unwrap_or(u32::MAX)
    }

    #[test]
    fn a_lossy_neighbour_gets_more_time() {
        let mut clean = Rhythm::default();
        let mut lossy = Rhythm::default();
        let mut now = Instant::ZERO;
        for n in 0..100 {
            now += SECOND;
            clean.beat(n, None, now);
            if n % 5 != 1 {
                lossy.beat(n, None, now);
            }
        }
        assert_eq!(after(&clean, now), 5, "four beats missing");
        assert!((10..14).contains(&after(&lossy, now)), "{}", after(&lossy, now));
    }

    #[test]
    fn knows_the_interval_and_starts_again() {
        let mut r = Rhythm::default();
        let mut now = Instant::ZERO;
        for n in 0..20 {
            now += Duration::from_millis(500);
            r.beat(1000 + n, Some(Duration::from_millis(500)), now);
        }
        assert!(r.silence(now + Duration::from_millis(2700)) >= 4 * bits(11));
        r.beat(5, None, now);
        assert_eq!(r.silence(now + 100 * SECOND), 0, "nothing is known of one that started again");
    }
}
