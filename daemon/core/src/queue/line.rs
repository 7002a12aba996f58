//! How fast a line is, seen while frames wait for it, and how much of its time others had.

use crate::time::{Duration, Instant};

/// A look that is shorter says little: frames leave the driver in bursts.
const LOOK: Duration = Duration::from_millis(20);
/// A new look weighs one in so many.
const WEIGHT: u64 = 4;
/// Others may get so much of their time ahead.
const AHEAD: Duration = Duration::from_millis(20);

/// A line behind a queue.
#[derive(Debug, Clone, Default)]
pub struct Line {
    /// Bytes a second, 0 while unknown.
    rate: u64,
    /// Since when frames wait without a pause, and the bytes sent until then.
    since: Option<(Instant, u64)>,
}

impl Line {
    /// Bytes a second that the line was seen to take; `None` while it took everything.
    pub fn rate(&self) -> Option<u64> {
        Some(self.rate).filter(|r| *r > 0)
    }

    /// Frames wait for the line, which took `bytes` in all so far.
    pub fn full(&mut self, bytes: u64, now: Instant) {
        let Some((since, before)) = self.since else {
            self.since = Some((now, bytes));
            return;
        };
        let took = now.since(since);
        if took < LOOK {
            return;
        }
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1);
        let seen = bytes.saturating_sub(before).saturating_mul(1_000_000) / micros;
        self.rate = if self.rate == 0 { seen } else { (self.rate * (WEIGHT - 1) + seen) / WEIGHT };
        self.since = Some((now, bytes));
    }

    /// Nothing waits for the line.
    pub fn idle(&mut self) {
        self.since = None;
    }
}

/// Holds others back to a part of the time that a line sends.
#[derive(Debug, Clone)]
pub struct Part {
    percent: u8,
    /// Microseconds of sending that others may still have.
    left: i64,
    at: Instant,
}

impl Part {
    /// At most so many percent, 1 to 99.
    pub fn new(percent: u8) -> Self {
        Self { percent: percent.clamp(1, 99), left: 0, at: Instant::ZERO }
    }

    /// What it is, in percent.
    pub fn percent(&self) -> u8 {
        self.percent
    }

    /// Others sent `len` bytes over a line of `rate` bytes a second. One that takes everything costs no time.
    pub fn sent(&mut self, len: usize, rate: Option<u64>) {
        self.left = self.left.saturating_sub(time_of(len, rate));
    }

    /// They did not leave after all.
    pub fn unsent(&mut self, len: usize, rate: Option<u64>) {
        self.left = self.left.saturating_add(time_of(len, rate));
    }

    /// `None` if others may send now, or how long they have to wait.
    pub fn wait(&mut self, now: Instant) -> Option<Duration> {
        let part = i64::from(self.percent);
        let gone = i64::try_from(now.since(self.at).as_micros()).unwrap_or(i64::MAX);
        self.at = now;
        let most = i64::try_from(AHEAD.as_micros()).unwrap_or(i64::MAX) * part / 100;
        self.left = self.left.saturating_add(gone.saturating_mul(part) / 100).min(most);
        // Not for the first microsecond alone, or the loop would turn for each frame.
        let need = (most / 4).saturating_sub(self.left).saturating_mul(100) / part;
        (self.left <= 0).then(|| Duration::from_micros(u64::try_from(need).unwrap_or(0).max(1)))
    }
}

/// Microseconds that a line of `rate` bytes a second takes for `len` bytes; none where it took everything so far.
fn time_of(len: usize, rate: Option<u64>) -> i64 {
    let micros = rate.map_or(0, |rate| (len as u64).saturating_mul(1_000_000) / rate.max(1));
    i64::try_from(micros).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_rate_while_frames_wait() {
        let mut line = Line::default();
        let at = |ms: u64| Instant::from_micros(ms * 1000);
        assert_eq!(line.rate(), None);
        // 2.5 MB/s = 20 Mbit/s.
        for ms in 0..200 {
            line.full(ms * 2500, at(ms));
        }
        assert_eq!(line.rate(), Some(2_500_000));
        line.idle();
        // A pause counts for nothing, and a slower line is found again.
        for ms in 0..800 {
            line.full(500_000 + ms * 500, at(10_000 + ms));
        }
        let rate = line.rate().unwrap();
        assert!((500_000..520_000).contains(&rate), "{rate}");
    }

    #[test]
    fn others_get_their_part_of_the_time_and_no_more() {
        for percent in [1, 30, 80, 99] {
            let mut part = Part::new(percent);
            let (rate, mut now, end) = (2_500_000u64, Instant::ZERO, Instant::from_micros(20_000_000));
            let mut sent = 0u64;
            while now < end {
                match part.wait(now) {
                    Some(wait) => now += wait,
                    None => {
                        part.sent(1500, Some(rate));
                        sent += 1500;
                        now += Duration::from_micros(1500 * 1_000_000 / rate);
                    }
                }
            }
            let had = sent as f64 / (rate * 20) as f64;
            let want = f64::from(percent) / 100.0;
            assert!((had - want).abs() < 0.01, "{percent} %: {had:.3}");
        }
        let mut free = Part::new(10);
        for _ in 0..1000 {
            free.sent(1500, None);
        }
        assert_eq!(free.wait(Instant::from_micros(1_000_000)), None, "a line that takes all costs nothing");
    }
}
