//! Where guests' packets wait for their turn, in one direction.
//!
//! They pass at a rate that is set from outside; what does not, waits in fair queues as in front of a hard
//! interface: between guests first, then between their flows.

use super::Passed;
use crate::frame::Frame;
use crate::queue::{Class, ClassCount, Place, Queue, Tag};
use crate::time::{Duration, Instant};

/// Most frames that wait.
const MOST: usize = 600;
/// What was not used of the rate is kept for so long, in microseconds: a timer is late by some of it, and TCP comes in
/// bursts. What goes towards the line is a queue there.
pub const KEPT_UP: u64 = 8_000;
/// What comes from the line is none there.
pub const KEPT_DOWN: u64 = 20_000;
/// But at least two full frames.
const KEPT_LEAST: u64 = 2 * 1514;

/// One direction.
#[derive(Debug)]
pub struct Gate {
    queue: Queue,
    /// Bytes a second; `None`: everything passes.
    rate: Option<u64>,
    kept: u64,
    /// Millionths of bytes that may pass now; negative after a frame that was longer.
    left: i64,
    at: Instant,
    came: u64,
    gone: u64,
    waited: bool,
}

impl Gate {
    /// An open one; `seed` is any unpredictable number, `kept` [`KEPT_UP`] or [`KEPT_DOWN`].
    pub fn new(seed: u64, kept: u64) -> Self {
        Self {
            queue: Queue::new(seed, MOST),
            rate: None,
            kept,
            left: 0,
            at: Instant::ZERO,
            came: 0,
            gone: 0,
            waited: false,
        }
    }

    /// Sets the rate, in bytes a second.
    pub fn set_rate(&mut self, rate: Option<u64>, now: Instant) {
        self.earn(now);
        self.rate = rate;
    }

    /// The rate, in bytes a second; `None`: everything passes.
    pub fn rate(&self) -> Option<u64> {
        self.rate
    }

    /// Takes a frame of guest `who` in, whose flow is `flow`; handed back where it need not wait. Those dropped
    /// to make room go to `recycle`.
    pub fn push(
        &mut self,
        frame: Frame,
        who: u64,
        flow: u64,
        now: Instant,
        recycle: impl FnMut(Frame),
    ) -> Option<Frame> {
        self.came += frame.len() as u64;
        if self.queue.is_empty() {
            self.earn(now);
            if self.rate.is_none() || self.left > 0 {
                self.take(frame.len());
                return Some(frame);
            }
        }
        self.waited = true;
        let place = Place { served: who, hop: 0, near: false, flow };
        self.queue.push(frame, Tag { class: Class::Guest, place }, now, recycle);
        None
    }

    /// The next frame whose turn it is. Those that waited too long go to `recycle`.
    pub fn pop(&mut self, now: Instant, recycle: impl FnMut(Frame)) -> Option<Frame> {
        if self.queue.is_empty() {
            return None;
        }
        self.earn(now);
        if self.rate.is_some() && self.left <= 0 {
            return None;
        }
        let (frame, _) = self.queue.pop(now, recycle)?;
        self.take(frame.len());
        Some(frame)
    }

    /// When the next one may pass; far in the future while none waits.
    pub fn next(&self) -> Instant {
        match self.rate {
            _ if self.queue.is_empty() => Instant::FAR_FUTURE,
            Some(rate) if self.left <= 0 => {
                let us = self.left.unsigned_abs() / rate.max(1) + 1;
                self.at + Duration::from_micros(us)
            }
            _ => self.at,
        }
    }

    /// Bytes that came and bytes that passed; and whether any waited since this was asked last.
    pub fn passed(&mut self) -> (u64, u64, bool) {
        let waited = core::mem::replace(&mut self.waited, false) || !self.queue.is_empty();
        (self.came, self.gone, waited)
    }

    /// For a line whose interface counts `all` bytes, what came here being guests' part of it.
    pub fn at_arrival(&mut self, all: u64) -> Passed {
        let (guests, _, waited) = self.passed();
        Passed { all, guests, waited }
    }

    /// As [`Gate::at_arrival`], what left here being guests' part.
    pub fn at_leave(&mut self, all: u64) -> Passed {
        let (_, guests, waited) = self.passed();
        Passed { all, guests, waited }
    }

    /// What waited, and was dropped.
    pub fn counts(&self) -> &ClassCount {
        self.queue.counts().of(Class::Guest)
    }

    /// Frames that wait.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// True when none waits.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    fn take(&mut self, len: usize) {
        self.gone += len as u64;
        if self.rate.is_some() {
            self.left -= len as i64 * 1_000_000;
        }
    }

    fn earn(&mut self, now: Instant) {
        let us = u64::try_from(now.since(self.at).as_micros()).unwrap_or(u64::MAX).min(10_000_000);
        self.at = self.at.max(now);
        let Some(rate) = self.rate else {
            self.left = 0;
            return;
        };
        let most = rate.saturating_mul(self.kept).max(KEPT_LEAST * 1_000_000);
        let earned = i64::try_from(rate.saturating_mul(us)).unwrap_or(i64::MAX);
        self.left = self.left.saturating_add(earned).min(i64::try_from(most).unwrap_or(i64::MAX));
    }
}
