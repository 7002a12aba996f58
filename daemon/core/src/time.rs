//! Time as the core sees it: microseconds since a start that the shell chooses.

use core::fmt;
use core::ops::{Add, AddAssign, Sub};
pub use core::time::Duration;

/// A moment on the shell's monotonic clock. The core never reads a clock; it is told.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// Start of the shell's clock.
    pub const ZERO: Self = Self(0);
    /// Later than everything; used as "never".
    pub const FAR_FUTURE: Self = Self(u64::MAX / 2);

    /// Microseconds since the start of the shell's clock.
    pub const fn from_micros(us: u64) -> Self {
        Self(us)
    }

    /// Microseconds since the start of the shell's clock.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Time that passed from `earlier` to here; zero if `earlier` is later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;
    fn add(self, d: Duration) -> Self {
        Self(self.0.saturating_add(micros(d)))
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, d: Duration) {
        *self = *self + d;
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;
    fn sub(self, d: Duration) -> Self {
        Self(self.0.saturating_sub(micros(d)))
    }
}

/// A duration too long for the clock is forever.
fn micros(d: Duration) -> u64 {
    u64::try_from(d.as_micros()).unwrap_or(u64::MAX)
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}s", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}
