//! Sliding windows over sequence numbers. Source: "B.A.T.M.A.N. IV" section 2.

use crate::time::{Duration, Instant};

/// Sequence numbers remembered.
pub const WINDOW: u32 = 64;
/// A jump this far ahead is a restarted peer.
const EXPECTED_RANGE: i32 = 65536;
/// A restart is believed once in this time.
const RESET_PROTECTION: Duration = Duration::from_secs(30);
/// ... and once in this time where the sender is heard best: what is late is over by then.
const RESET_AGAIN: Duration = Duration::from_secs(1);

/// The signed distance from `from` to `to`, the short way round.
pub const fn distance(from: u32, to: u32) -> i32 {
    to.wrapping_sub(from) as i32
}

/// The last 64 sequence numbers, bit 0 the newest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Window(u64);

impl Window {
    /// Moves the window by `diff` (new minus newest known); with `mark` the new number is noted.
    /// Returns true if the newest number changed.
    pub fn slide(&mut self, diff: i32, mark: bool) -> bool {
        let bit = u64::from(mark);
        if diff <= 0 && diff > -(WINDOW as i32) {
            self.0 |= bit << diff.unsigned_abs();
            return false;
        }
        let shifted = if diff > 0 && diff < WINDOW as i32 { self.0 << diff } else { 0 };
        self.0 = shifted | bit;
        true
    }

    /// Notes the number `back` places behind the newest, if it is still in the window.
    pub fn mark(&mut self, back: u32) {
        if back < WINDOW {
            self.0 |= 1 << back;
        }
    }

    /// True if the number `back` places behind the newest was noted.
    pub const fn has(self, back: u32) -> bool {
        back < WINDOW && self.0 >> back & 1 != 0
    }

    /// True if the newest three are missing after sixteen without a gap.
    pub const fn broke_off(self) -> bool {
        self.0 & 0x7_ffff == 0x7_fff8
    }

    /// True if the last but one is missing after sixteen without a gap; the newest may be on its way.
    pub const fn missed_one(self) -> bool {
        self.0 & 0x3_fffe == 0x3_fffc
    }

    /// How many numbers were noted, 0 to 64.
    pub const fn count(self) -> u8 {
        self.0.count_ones() as u8
    }
}

/// A window that knows how long it has been watching, up to its length.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Watch {
    window: Window,
    age: u8,
}

impl Watch {
    /// Numbers that count as lost before a window has watched for long: few samples prove little.
    const DOUBT: u32 = 6;
    /// Numbers that tell nothing of what is usually lost.
    const FEW: u32 = 8;

    /// See [`Window::slide`].
    pub fn slide(&mut self, diff: i32, mark: bool) {
        self.window.slide(diff, mark);
        if diff > 0 {
            // At most 64, see below.
            self.age = (u32::from(self.age) + diff.unsigned_abs().min(WINDOW)).min(WINDOW) as u8;
        }
    }

    /// See [`Window::mark`].
    pub fn mark(&mut self, back: u32) {
        self.window.mark(back);
    }

    /// How many numbers were noted, 0 to 64.
    pub const fn count(self) -> u8 {
        self.window.count()
    }

    /// One in how many numbers was missing before the newest `gap` ones, which are; `None` before
    /// a few were watched.
    pub fn loss_odds(self, gap: u32) -> Option<u32> {
        let watched = u32::from(self.age).saturating_sub(gap);
        let lost = watched.saturating_sub(u32::from(self.count()));
        (watched >= Self::FEW).then_some((watched + 2) / (lost + 1))
    }

    /// For numbers that are noted some time after they are counted, as echoes are: the newest one, if it is missing,
    /// is still on its way where the one before it came. Not in a young window, where one number is worth a lot.
    #[must_use]
    pub const fn awaiting(mut self) -> Self {
        if self.age as u32 == WINDOW {
            self.window.0 |= (self.window.0 >> 1) & 1;
        }
        self
    }

    /// How many of 64 will be noted, judged by those watched so far; [`Watch::count`] once 58 were.
    pub fn expected(self) -> u8 {
        let watched = u32::from(self.age) + Self::DOUBT;
        // At most `count` is noted of `age` watched, so this is at most 64.
        if watched >= WINDOW { self.count() } else { (u32::from(self.count()) * WINDOW / watched) as u8 }
    }
}

/// True if a number so far from the newest one can only come from a peer that started again.
pub const fn is_jump(diff: i32) -> bool {
    diff <= -(WINDOW as i32) || diff >= EXPECTED_RANGE
}

/// Protection against numbers from nowhere: a large jump is taken for a restart, once in 30 s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ResetGuard(Option<Instant>);

impl ResetGuard {
    /// True if a jump by `diff` must not be believed now. Believing one starts the protection.
    pub fn refuses(&mut self, diff: i32, now: Instant) -> bool {
        is_jump(diff) && self.refuses_for(RESET_PROTECTION, now)
    }

    /// True if the last jump was believed within this time. Believing one starts the protection.
    fn refuses_for(&mut self, time: Duration, now: Instant) -> bool {
        if self.0.is_some_and(|at| now.since(at) < time) {
            return true;
        }
        self.0 = Some(now);
        false
    }
}

/// Newest number, window and guard of one counted stream (the broadcasts of an originator).
#[derive(Debug, Clone, Copy, Default)]
pub struct Stream {
    last: u32,
    window: Window,
    guard: ResetGuard,
    trusted: ResetGuard,
}

/// What a stream says about a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Never heard.
    New,
    /// Heard before.
    Duplicate,
    /// Not believed.
    Protected,
}

impl Stream {
    /// Takes a number in. `trusted` says that it came from where the sender is heard best: there a
    /// number far away is believed again soon, so that nobody elsewhere can lock the sender out.
    pub fn take(&mut self, seqno: u32, trusted: bool, now: Instant) -> Verdict {
        let diff = distance(self.last, seqno);
        if diff <= 0 && self.window.has(diff.unsigned_abs()) {
            return Verdict::Duplicate;
        }
        // The very first number has nothing to be compared with.
        if self.window != Window::default() && diff.unsigned_abs() >= WINDOW {
            let refused = if trusted {
                self.trusted.refuses_for(RESET_AGAIN, now)
            } else {
                self.guard.refuses_for(RESET_PROTECTION, now)
            };
            if refused {
                return Verdict::Protected;
            }
        }
        if self.window.slide(diff, true) {
            self.last = seqno;
        }
        Verdict::New
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slide_as_the_kernel_does() {
        let mut w = Window::default();
        assert!(w.slide(1, true));
        assert!(w.slide(3, true));
        assert_eq!((w.count(), w.has(0), w.has(3), w.has(1)), (2, true, true, false));
        assert!(!w.slide(-1, true));
        assert!(w.has(1));
        assert!(!w.slide(0, false));
        assert!(w.slide(64, true));
        assert_eq!(w.count(), 1);
        assert!(w.slide(-64, false), "a jump back is a restart");
        assert_eq!(w.count(), 0);
    }

    #[test]
    fn a_clean_window_notices_its_first_gap() {
        let mut w = Window::default();
        let mut miss = |mark: bool| {
            w.slide(1, mark);
            (w.missed_one(), w.broke_off())
        };
        for _ in 0..17 {
            assert_eq!(miss(true), (false, false));
        }
        assert_eq!([miss(false), miss(false), miss(false)], [(false, false), (true, false), (false, true)]);
        assert_eq!([miss(true), miss(false), miss(false)], [(false, false); 3], "it failed before");
    }

    #[test]
    fn few_samples_prove_little() {
        let mut w = Watch::default();
        let mut seen = std::vec::Vec::new();
        for _ in 0..64 {
            w.slide(1, true);
            seen.push(w.expected());
        }
        assert_eq!((seen[0], seen[1], seen[9], seen[57], seen[63]), (9, 16, 40, 58, 64));
        assert!(seen.is_sorted());
        let mut half = Watch::default();
        for i in 0..200 {
            half.slide(1, i % 2 == 0);
            assert!(half.expected() <= 33);
        }
        assert_eq!(half.expected(), 32);
    }

    #[test]
    fn one_restart_in_thirty_seconds() {
        let mut s = Stream::default();
        let t = |s: u64| Instant::from_micros(s * 1_000_000);
        let mut take = |seqno, at| s.take(seqno, false, t(at));
        assert_eq!(take(5_000_000, 1), Verdict::New);
        assert_eq!(take(5_000_000, 1), Verdict::Duplicate);
        assert_eq!(take(5_000_003, 1), Verdict::New);
        assert_eq!(take(5_000_001, 1), Verdict::New, "late, not old");
        assert_eq!(take(2, 2), Verdict::New, "it started again");
        assert_eq!(take(5_000_004, 3), Verdict::Protected);
        assert_eq!(take(7_000, 4), Verdict::Protected);
        assert_eq!(take(5_000_004, 32), Verdict::New);
    }

    #[test]
    fn nobody_elsewhere_locks_a_sender_out() {
        let mut s = Stream::default();
        let mut heard = 0;
        for second in 0..300u32 {
            let now = Instant::from_micros(u64::from(second) * 1_000_000);
            s.take(second + 1000 * (second + 1), false, now);
            let own = s.take(second, true, now + Duration::from_millis(500));
            heard += u32::from(own == Verdict::New);
        }
        assert_eq!(heard, 300);
    }

    #[test]
    fn late_copies_of_a_former_life_stay_out() {
        let mut s = Stream::default();
        let t = |ms: u64| Instant::from_micros(ms * 1000);
        assert_eq!(s.take(9_000, true, t(0)), Verdict::New);
        assert_eq!(s.take(2, true, t(10)), Verdict::New);
        assert_eq!(s.take(9_001, true, t(20)), Verdict::Protected);
    }

    #[test]
    fn wraps() {
        let mut s = Stream::default();
        let now = Instant::ZERO;
        s.take(u32::MAX, true, now);
        assert_eq!(s.take(0, true, now), Verdict::New);
        assert_eq!(s.take(u32::MAX, true, now), Verdict::Duplicate);
    }

    #[test]
    fn the_newest_is_awaited_where_the_one_before_came() {
        let mut w = Watch::default();
        for _ in 0..63 {
            w.slide(1, true);
        }
        assert_eq!(w.awaiting().count(), 63, "a young window is what it is");
        w.slide(1, true);
        w.slide(1, false);
        assert_eq!((w.count(), w.awaiting().count()), (63, 64), "on its way");
        w.slide(1, false);
        assert_eq!((w.count(), w.awaiting().count()), (62, 62), "the one before was lost");
    }
}
