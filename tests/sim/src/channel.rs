//! One direction of a link: what it loses, how long it takes, how much it carries.

use mesh_core::rng::Rng;
use mesh_core::{Duration, Instant};

/// Shares of frames are counted in millionths, so that no float decides about a frame.
pub const MILLION: u32 = 1_000_000;

/// Which frames get lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// None.
    None,
    /// Each on its own with this chance, in millionths.
    Random(u32),
    /// In bursts: a chain with a good and a bad state, stepped once per frame; all values in
    /// millionths. Source: Gilbert 1960, Elliott 1963.
    Bursts {
        /// Chance to go from good to bad.
        to_bad: u32,
        /// Chance to go from bad to good.
        to_good: u32,
        /// Chance of loss in the good state.
        good: u32,
        /// Chance of loss in the bad state.
        bad: u32,
    },
}

impl Loss {
    /// Each frame on its own with a chance of `percent` in a hundred.
    pub const fn percent(percent: u32) -> Self {
        Self::Random(percent * (MILLION / 100))
    }
}

/// Settings of one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quality {
    /// What gets lost.
    pub loss: Loss,
    /// Time from the last bit sent to the frame received.
    pub delay: Duration,
    /// Bits per second; 0 means that sending takes no time. Not used on a radio, whose air has one rate.
    pub bits_per_second: u64,
    /// A frame that would wait longer than this for the wire is dropped.
    pub queue: Duration,
}

impl Quality {
    /// A wire of 100 Mbit/s with 200 µs of delay and no loss.
    pub const WIRE: Self = Self {
        loss: Loss::None,
        delay: Duration::from_micros(200),
        bits_per_second: 100_000_000,
        queue: Duration::from_millis(50),
    };

    /// The same with this loss.
    pub const fn with_loss(mut self, loss: Loss) -> Self {
        self.loss = loss;
        self
    }
}

/// One direction with its state.
#[derive(Clone, Debug)]
pub struct Channel {
    /// Its settings.
    pub quality: Quality,
    /// Silently dead: frames vanish, nobody is told.
    pub cut: bool,
    in_bad_state: bool,
    busy_until: Instant,
}

impl Channel {
    /// An idle channel.
    pub const fn new(quality: Quality) -> Self {
        Self { quality, cut: false, in_bad_state: false, busy_until: Instant::ZERO }
    }

    /// Draws whether the next frame is lost; steps the burst state.
    pub fn loses(&mut self, rng: &mut Rng) -> bool {
        if self.cut {
            return true;
        }
        match self.quality.loss {
            Loss::None => false,
            Loss::Random(chance) => hit(rng, chance),
            Loss::Bursts { to_bad, to_good, good, bad } => {
                let flip = if self.in_bad_state { to_good } else { to_bad };
                if hit(rng, flip) {
                    self.in_bad_state = !self.in_bad_state;
                }
                hit(rng, if self.in_bad_state { bad } else { good })
            }
        }
    }

    /// Puts a frame of `bytes` on a wire: when it arrives, or `None` if it is lost or the queue
    /// is full.
    pub fn carry(&mut self, now: Instant, bytes: usize, rng: &mut Rng) -> Option<Instant> {
        let start = now.max(self.busy_until);
        if start.since(now) > self.quality.queue {
            return None;
        }
        self.busy_until = start + air_time(bytes, self.quality.bits_per_second);
        let lost = self.loses(rng);
        (!lost).then_some(self.busy_until + self.quality.delay)
    }
}

/// Time that `bytes` take at a rate; a rate of 0 means none.
pub fn air_time(bytes: usize, bits_per_second: u64) -> Duration {
    (bytes as u64 * 8_000_000_000).checked_div(bits_per_second).map_or(Duration::ZERO, Duration::from_nanos)
}

/// True with this chance in a million.
pub fn hit(rng: &mut Rng, chance: u32) -> bool {
    chance > 0 && rng.next_u64() % u64::from(MILLION) < u64::from(chance)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost(loss: Loss, frames: u32) -> Vec<bool> {
        let mut rng = Rng::new(7);
        let mut channel = Channel::new(Quality::WIRE.with_loss(loss));
        (0..frames).map(|_| channel.loses(&mut rng)).collect()
    }

    #[test]
    fn random_loss_has_its_rate() {
        let n = lost(Loss::percent(20), 50_000).iter().filter(|l| **l).count();
        assert!((9_600..10_400).contains(&n), "{n}");
        assert!(lost(Loss::None, 1000).iter().all(|l| !l));
    }

    #[test]
    fn bursts_have_their_rate_and_length() {
        // Bad a quarter of the time, 20 frames at a stretch, half of them lost.
        let loss = Loss::Bursts { to_bad: MILLION / 60, to_good: MILLION / 20, good: 0, bad: MILLION / 2 };
        let frames = lost(loss, 200_000);
        let n = frames.iter().filter(|l| **l).count();
        assert!((22_000..28_000).contains(&n), "{n}");
        let both = frames.windows(2).filter(|w| w[0] && w[1]).count();
        let alone = n * n / frames.len();
        assert!(both > 3 * alone, "losses come together: {both} pairs, {alone} if they were independent");
    }

    #[test]
    fn a_wire_serialises() {
        let mut rng = Rng::new(1);
        let mut wire = Channel::new(Quality { bits_per_second: 8_000_000, ..Quality::WIRE });
        let at: Vec<_> = (0..3).filter_map(|_| wire.carry(Instant::ZERO, 1000, &mut rng)).collect();
        assert_eq!(at.iter().map(|t| t.as_micros()).collect::<Vec<_>>(), [1200, 2200, 3200]);
        let carried = (0..100).filter(|_| wire.carry(Instant::ZERO, 1000, &mut rng).is_some()).count();
        assert_eq!(carried, 48, "queue of 50 ms");
    }
}
