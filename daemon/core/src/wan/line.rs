//! One direction of a shared line: what it can carry, and what guests may take of it.
//!
//! While packets wait in its queue, what passes is what it can carry, so there it is measured. While none
//! wait and guests want more, they get a little more, then faster and faster more, until some do: so a line
//! that became faster is noticed within seconds. Of what it can carry guests get what its owner leaves,
//! less a little so that no queue stands; while one stands, so much less that it empties. If it does not
//! empty, the owner fills it: guests go down to the least.

use super::Passed;
use crate::time::{Duration, Instant};
use alloc::collections::VecDeque;

/// Which direction. What goes up is counted before it waits, what comes down after it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// From the Internet.
    Down,
    /// Towards it.
    Up,
}

/// How it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nobody behind the line answers: its speed stays what it was.
    Blind,
    /// No queue.
    Free,
    /// A queue stands.
    Full,
}

impl State {
    /// The word shown to people and programs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Blind => "blind",
            Self::Free => "free",
            Self::Full => "full",
        }
    }
}

/// Bytes a second that guests get of a line nothing is known of.
const START: u64 = 250_000;
/// They get this in any case, so that their connections last: one part in so many ...
const LEAST_PART: u64 = 33;
/// ... and so many bytes a second.
const LEAST: u64 = 8_000;
/// Of a line without a queue, so many thousandths are given away.
const HEAD: u64 = 955;
/// Waiting that is none, in microseconds ...
const TARGET: u32 = 8_000;
/// ... and at most, on slow lines: two full frames are waiting that cannot be helped.
const TARGET_MOST: u32 = 50_000;
/// Looks that are kept, two seconds.
const KEEP: usize = 40;
/// Rates are those of so long.
const SPAN: Duration = Duration::from_millis(200);
/// A queue that does not empty in so long is somebody else's, step by step.
const STEP: Duration = Duration::from_millis(250);
/// After a queue, guests get no more for so long.
const PAUSE: Duration = Duration::from_millis(1500);
/// Then more, by so many millionths a second ...
const GROW: u64 = 40_000;
/// ... twice that after each of these ...
const GROW_TWICE: Duration = Duration::from_millis(500);
/// ... up to this.
const GROW_MOST: u64 = 2_000_000;
/// An unknown line is searched this fast: twice as much in 200 ms.
const GROW_NEW: u64 = 3_500_000;
/// A load so far below what the line carried is not believed to fill it for so long.
const DOUBT: Duration = Duration::from_secs(3);
/// Full for so long: perhaps it is not, and guests try.
const TRIAL_AFTER: Duration = Duration::from_secs(10);
/// How long they try.
const TRIAL: Duration = Duration::from_millis(1000);

#[derive(Debug, Clone, Copy, Default)]
struct Look {
    us: u64,
    all: u64,
    guests: u64,
    waited: bool,
    /// Waiting then, in microseconds; `None` while unknown.
    queue: Option<u32>,
}

#[derive(Debug, Clone, Copy)]
struct Trial {
    since: Instant,
    /// What passed, and how long it waited, before.
    all: u64,
    queue: u32,
}

/// One direction. All rates in bytes a second.
#[derive(Debug, Clone)]
pub struct Line {
    side: Side,
    looks: VecDeque<Look>,
    last: Option<(Passed, Instant)>,
    /// What it can carry; 0 while unknown.
    rate: u64,
    /// The rate was measured, not only searched for.
    measured: bool,
    state: State,
    /// Since when `state` is.
    since: Instant,
    /// The longest wait since the last step down, and when that was.
    step: (u32, Instant),
    steps: u64,
    /// No more is given before this.
    grow_at: Instant,
    allowed: u64,
    trial: Option<Trial>,
    next_trial: Duration,
    shifted: bool,
}

impl Line {
    /// A line nothing is known of.
    pub fn new(side: Side) -> Self {
        Self {
            side,
            looks: VecDeque::with_capacity(KEEP),
            last: None,
            rate: START,
            measured: false,
            state: State::Blind,
            since: Instant::ZERO,
            step: (0, Instant::ZERO),
            steps: 0,
            grow_at: Instant::ZERO,
            allowed: START,
            trial: None,
            next_trial: TRIAL_AFTER,
            shifted: false,
        }
    }

    /// What guests may take now.
    pub fn allowed(&self) -> u64 {
        self.allowed
    }

    /// What it can carry, `None` while no queue ever stood.
    pub fn rate(&self) -> Option<u64> {
        self.measured.then_some(self.rate)
    }

    /// How it stands.
    pub fn state(&self) -> State {
        self.state
    }

    /// What passes, of everybody and of guests.
    pub fn passing(&self) -> (u64, u64) {
        let (all, guests, _) = self.over(SPAN * 5);
        (all, guests)
    }

    /// What passes, in thousandths of what it can carry.
    pub fn load(&self) -> u64 {
        self.over(SPAN).0 * 1000 / self.rate.max(1)
    }

    /// True when what passed in the last two seconds went up and down, or was next to nothing.
    pub fn swing(&self) -> bool {
        let (mut least, mut most) = (u64::MAX, 0);
        for at in (0..self.looks.len()).step_by(4) {
            let sums = self.looks.iter().skip(at).take(4).fold((0, 0), |(us, all), l| (us + l.us, all + l.all));
            let rate = sums.1 * 1_000_000 / sums.0.max(1);
            (least, most) = (least.min(rate), most.max(rate));
        }
        most * 50 < self.rate || most * 2 > least.saturating_mul(3)
    }

    /// True once when what seemed to be a queue was seen to be none.
    pub fn take_shifted(&mut self) -> bool {
        core::mem::take(&mut self.shifted)
    }

    /// Takes in what passed.
    pub fn count(&mut self, passed: Passed, now: Instant) {
        if let Some((before, at)) = self.last.replace((passed, now)) {
            let us = u64::try_from(now.since(at).as_micros()).unwrap_or(u64::MAX).max(1);
            if self.looks.len() >= KEEP {
                self.looks.pop_front();
            }
            // Counters of an interface that went and came begin at zero.
            let all = passed.all.saturating_sub(before.all);
            let guests = passed.guests.saturating_sub(before.guests);
            self.looks.push_back(Look { us, all, guests, waited: passed.waited, queue: None });
        }
    }

    /// Decides what guests get, `queue` being how long packets wait in this direction.
    pub fn decide(&mut self, queue: Option<u32>, now: Instant) {
        if let Some(look) = self.looks.back_mut() {
            look.queue = queue;
        }
        let Some(queue) = queue else {
            self.enter(State::Blind, now);
            // It carries at least what it carried for a second.
            self.rate = self.rate.max(self.over(SPAN * 5).0);
            self.allow(HEAD, now);
            return;
        };
        if queue > self.target() {
            self.full(queue, now);
        } else {
            self.free(queue, now);
        }
    }

    fn free(&mut self, queue: u32, now: Instant) {
        if self.state != State::Free {
            self.enter(State::Free, now);
            self.grow_at = now + PAUSE;
        }
        self.trial = None;
        self.next_trial = TRIAL_AFTER;
        let (all, ..) = self.over(SPAN * 2);
        // More passes than was thought to be possible, and nothing waits.
        if all > self.rate && self.calm(SPAN * 2) {
            self.rate = all;
        }
        let us = self.looks.back().map_or(0, |l| l.us).min(200_000);
        // TCP does not want more at every moment that it wants more.
        let (much, _, waited) = self.over(SPAN * 5);
        let used = much.max(all) * 1000 >= self.rate * 750;
        if waited && used && queue < self.target() / 2 {
            let speed = if !self.measured {
                Some(GROW_NEW)
            } else if now >= self.grow_at {
                let twice = now.since(self.grow_at).as_millis() / GROW_TWICE.as_millis();
                Some((GROW << twice.min(8)).min(GROW_MOST))
            } else {
                None
            };
            if let Some(speed) = speed {
                self.rate += self.rate / 1000 * (speed * us / 1_000_000) / 1000;
            }
        } else if now >= self.grow_at && !(waited && used) {
            // Nobody wants more: it begins slowly when somebody does.
            self.grow_at = now;
        }
        self.allow(HEAD, now);
    }

    fn full(&mut self, queue: u32, now: Instant) {
        if self.state != State::Full {
            self.enter(State::Full, now);
            self.step = (queue, now);
            self.steps = 0;
        }
        let lasts = now.since(self.since);
        self.measure(queue, lasts);
        // It should have become shorter since the last step.
        if now.since(self.step.1) >= STEP {
            if u64::from(queue) * 10 > u64::from(self.step.0) * 8 {
                self.steps += 1;
            }
            self.step = (queue, now);
        }
        let gone = u64::from(queue > 4 * self.target()) * 50 + self.steps * 100;
        self.allow(900u64.saturating_sub(gone).max(300), now);
        self.try_more(queue, now);
    }

    /// What passes while a queue stands is what the line can carry.
    fn measure(&mut self, queue: u32, lasts: Duration) {
        if lasts < SPAN {
            return;
        }
        let (mut now, _, _) = self.over(SPAN);
        if self.side == Side::Up {
            // What went out and is still in the queue has not passed.
            let before = self.looks.iter().rev().nth(4).and_then(|l| l.queue);
            if let Some(before) = before {
                let us = self.looks.iter().rev().take(4).map(|l| l.us).sum::<u64>().max(1);
                let longer = i64::from(queue) - i64::from(before);
                let part = (1_000_000 + longer * 1_000_000 / i64::try_from(us).unwrap_or(i64::MAX)).max(250_000);
                now = now * 1_000_000 / part.unsigned_abs();
            }
        }
        // So little is not believed to be all: the way may have become longer, and no queue be there.
        if self.measured && now * 10 < self.rate * 3 && lasts < DOUBT {
            return;
        }
        self.rate = if self.measured { self.rate - self.rate / 2 + now / 2 } else { now };
        self.rate = self.rate.max(LEAST * 4);
        self.measured = true;
    }

    /// Full for a long time: guests take a little more for a moment. If more passes then and the queue does
    /// not grow, there is none.
    fn try_more(&mut self, queue: u32, now: Instant) {
        let (all, _, waited) = self.over(SPAN * 2);
        match self.trial {
            None if waited && now.since(self.since) >= self.next_trial => {
                self.trial = Some(Trial { since: now, all, queue });
            }
            None => {}
            Some(trial) if now.since(trial.since) < TRIAL => self.allowed = self.allowed.max(self.rate / 5),
            Some(trial) => {
                self.trial = None;
                let more = all * 100 > trial.all * 108;
                if more && queue < trial.queue + trial.queue / 10 + 3_000 {
                    self.shifted = true;
                    self.rate = self.rate.max(all);
                }
                self.next_trial = now.since(self.since) + TRIAL_AFTER.max(now.since(self.since) / 2);
            }
        }
    }

    fn enter(&mut self, state: State, now: Instant) {
        if self.state != state {
            self.state = state;
            self.since = now;
        }
    }

    /// Gives guests what the owner leaves of so many thousandths of the line.
    fn allow(&mut self, part: u64, _now: Instant) {
        let (all, guests, _) = self.over(SPAN / 2);
        let (all_slow, guests_slow, _) = self.over(SPAN * 2);
        // The owner's wish is met at once, and doubted a little when it ends. One frame more or less is chance.
        let chance = 1514 * 1_000_000 / (SPAN.as_micros() as u64 / 2);
        let owner = all.saturating_sub(guests + chance).max(all_slow.saturating_sub(guests_slow));
        let least = (self.rate / LEAST_PART).max(LEAST);
        self.allowed = (self.rate * part / 1000).saturating_sub(owner).max(least);
    }

    /// No queue over so long.
    fn calm(&self, span: Duration) -> bool {
        let target = self.target();
        let mut left = span.as_micros();
        for look in self.looks.iter().rev() {
            if look.queue.is_none_or(|q| q > target) {
                return false;
            }
            left = left.saturating_sub(look.us.into());
            if left == 0 {
                return true;
            }
        }
        false
    }

    /// Waiting beyond this is a queue, in microseconds.
    fn target(&self) -> u32 {
        let frames = u32::try_from(2 * 1514 * 1_000_000 / self.rate.max(1)).unwrap_or(TARGET_MOST);
        TARGET.saturating_add(frames).min(TARGET_MOST)
    }

    /// What passed over the last while: of everybody, of guests, and whether guests waited.
    fn over(&self, span: Duration) -> (u64, u64, bool) {
        let span = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        let (mut us, mut all, mut guests, mut waited) = (0, 0, 0, false);
        for look in self.looks.iter().rev() {
            us += look.us;
            all += look.all;
            guests += look.guests;
            waited |= look.waited;
            if us + look.us / 2 >= span {
                break;
            }
        }
        let us = us.max(1);
        (all * 1_000_000 / us, guests * 1_000_000 / us, waited)
    }
}
