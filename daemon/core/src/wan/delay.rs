//! How long packets wait in the queues of a line, found with small questions to hosts behind it.
//!
//! The shortest time that a host ever took is that of the way itself; what is above it, packets waited.
//! Hosts that tell their clock also tell in which direction. The way can change: only answers that come
//! while next to nothing is sent can say that it became longer, or else a queue that somebody keeps full
//! for an hour would be taken for the way.

use crate::time::{Duration, Instant};
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// Answers of so long together decide: one late answer is chance.
const WINDOW: Duration = Duration::from_millis(120);
/// Older ones tell nothing.
const STALE: Duration = Duration::from_millis(600);
/// Most hosts that are asked.
pub const MOST_HOSTS: usize = 4;
/// Most questions that are on their way.
const MOST_ASKED: usize = 64;
/// A question is given up.
const LOST: Duration = Duration::from_secs(3);
/// An answer may be overtaken by others to questions that were asked so much later.
const DISORDER: Duration = Duration::from_millis(300);
/// So many in a row without an answer are a sign.
const SILENT: usize = 3;
/// Clocks are compared while packets wait no longer than this, in microseconds.
const NEAR: u32 = 4_000;
/// Answers of an idle line over so long can say that the way became longer ...
const LOOK: Duration = Duration::from_secs(2);
/// ... if there are so many ...
const LOOK_ANSWERS: u32 = 12;
/// ... and they are alike, in microseconds.
const ALIKE: u32 = 6_000;

/// Waiting in the queues of a line, in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Queues {
    /// There and back.
    pub both: u32,
    /// Of that, towards the Internet.
    pub up: u32,
    /// Of that, from it.
    pub down: u32,
    /// False: the two are not known apart.
    pub split: bool,
}

#[derive(Debug, Clone, Copy)]
struct Asked {
    number: u16,
    host: usize,
    at: Instant,
}

#[derive(Debug, Clone, Copy)]
struct Answer {
    at: Instant,
    host: usize,
    queues: Queues,
}

#[derive(Debug, Clone, Copy, Default)]
struct Host {
    /// The shortest way there and back, in microseconds; 0 while unknown.
    base: u32,
    /// Its clock against ours, as it shows in [`Delay::answered`]'s `skew` while nothing waits.
    skew: Option<i32>,
    /// When it answered last.
    heard: Instant,
    /// Shortest and longest of the last look.
    least: u32,
    most: u32,
    answers: u32,
}

/// Questions, answers, and what they say.
#[derive(Debug, Clone, Default)]
pub struct Delay {
    hosts: Vec<Host>,
    asked: VecDeque<Asked>,
    answers: VecDeque<Answer>,
    /// When the newest question went out that was answered.
    newest: Instant,
    look_since: Instant,
    /// What was sent since then went up and down, or was next to nothing.
    swing: bool,
    /// Questions asked, and given up.
    count: (u64, u64),
}

impl Delay {
    /// Begins anew with so many hosts.
    pub fn begin(&mut self, hosts: usize) {
        *self =
            Self { hosts: alloc::vec![Host::default(); hosts.min(MOST_HOSTS)], count: self.count, ..Self::default() };
    }

    /// A question went out.
    pub fn ask(&mut self, number: u16, host: usize, now: Instant) {
        self.count.0 += 1;
        if self.asked.len() >= MOST_ASKED {
            self.asked.pop_front();
            self.count.1 += 1;
        }
        self.asked.push_back(Asked { number, host, at: now });
    }

    /// Its answer came. `skew`, where the host told its clock: time it says there minus our time when asked,
    /// minus our time now plus the time it says it answered, in microseconds. The time it took; `None` if
    /// nobody asked.
    pub fn answered(&mut self, number: u16, skew: Option<i32>, now: Instant) -> Option<Duration> {
        let at = self.asked.iter().position(|a| a.number == number)?;
        let asked = self.asked.remove(at)?;
        // What was asked before and is not answered by now is lost; a little disorder is not.
        self.newest = self.newest.max(asked.at);
        while self.asked.front().is_some_and(|a| asked.at.since(a.at) > DISORDER) {
            self.asked.pop_front();
            self.count.1 += 1;
        }
        let took = now.since(asked.at);
        let round = u32::try_from(took.as_micros()).unwrap_or(u32::MAX).clamp(1, 60_000_000);
        let host = self.hosts.get_mut(asked.host)?;
        host.heard = now;
        (host.least, host.most) =
            if host.answers == 0 { (round, round) } else { (host.least.min(round), host.most.max(round)) };
        host.answers += 1;
        if host.base == 0 || round < host.base {
            host.base = round;
        }
        let both = round - host.base;
        let mut queues = Queues { both, up: both, down: both, split: false };
        if let Some(skew) = skew {
            let known = *host.skew.get_or_insert(skew);
            if both < NEAR {
                host.skew = Some(known.saturating_add(skew.saturating_sub(known) / 8));
            }
            let up = (i64::from(both) + i64::from(skew) - i64::from(known)) / 2;
            let up = u32::try_from(up.clamp(0, i64::from(both))).unwrap_or(0);
            queues = Queues { both, up, down: both - up, split: true };
        }
        if self.answers.len() >= MOST_ASKED {
            self.answers.pop_front();
        }
        self.answers.push_back(Answer { at: now, host: asked.host, queues });
        Some(took)
    }

    /// How long packets wait now; `None` while nobody answers.
    pub fn queues(&mut self, now: Instant) -> Option<Queues> {
        while self.asked.front().is_some_and(|a| now.since(a.at) > LOST) {
            self.asked.pop_front();
            self.count.1 += 1;
        }
        while self.answers.front().is_some_and(|a| now.since(a.at) > STALE) {
            self.answers.pop_front();
        }
        let recent = self.answers.iter().rev().take_while(|a| now.since(a.at) <= WINDOW);
        let least = recent.map(|a| a.queues).min_by_key(|q| q.both);
        let last = least.or_else(|| self.answers.back().map(|a| a.queues));
        // What is still on its way has waited so long at least.
        let mut silent = self.asked.iter().filter(|a| a.at > self.newest);
        let still = silent.next().filter(|_| silent.count() + 1 >= SILENT).and_then(|first| {
            let base = self.hosts.get(first.host)?.base;
            let waits = u32::try_from(now.since(first.at).as_micros()).unwrap_or(u32::MAX);
            (base > 0).then(|| waits.saturating_sub(base))
        });
        match (last, still) {
            (Some(q), Some(still)) if still > q.both => {
                // Where the rest waits is not known; it is where it waited before, if it did.
                let up = if q.both > 0 {
                    u64::from(still) * u64::from(q.up) / u64::from(q.both)
                } else {
                    u64::from(still) / 2
                };
                let up = u32::try_from(up).unwrap_or(still).min(still);
                Some(Queues { both: still, up, down: still - up, split: q.split && q.both > NEAR })
            }
            (Some(q), _) => Some(q),
            (None, Some(still)) => Some(Queues { both: still, up: still, down: still, split: false }),
            (None, None) => None,
        }
    }

    /// To be called now and then: `idle` says that next to nothing was sent, `swing` that it went up and down.
    /// `proven`: what seems to be a queue was seen to be none.
    pub fn look(&mut self, idle: bool, swing: bool, proven: bool, now: Instant) {
        if !idle && !proven {
            self.restart(now);
            return;
        }
        self.swing |= swing;
        if !proven && now.since(self.look_since) < LOOK {
            return;
        }
        let swing = core::mem::take(&mut self.swing);
        for host in self.hosts.iter_mut().filter(|h| h.base > 0) {
            let alike = host.answers >= LOOK_ANSWERS && host.most - host.least < ALIKE && swing;
            if (alike || (proven && host.answers > 0)) && host.least > host.base {
                host.base = host.least;
                host.skew = None;
            }
        }
        self.restart(now);
    }

    fn restart(&mut self, now: Instant) {
        self.look_since = now;
        self.swing = false;
        for host in &mut self.hosts {
            host.answers = 0;
        }
    }

    /// The shortest way there and back of a host; `None` while it has not answered.
    pub fn base(&self, host: usize) -> Option<Duration> {
        let base = self.hosts.get(host)?.base;
        (base > 0).then(|| Duration::from_micros(base.into()))
    }

    /// Hosts that told their clock or did not, and have answered within the last seconds.
    pub fn answering(&self, now: Instant) -> usize {
        self.hosts.iter().filter(|h| h.base > 0 && now.since(h.heard) < Duration::from_secs(5)).count()
    }

    /// Questions asked, and those given up.
    pub fn counts(&self) -> (u64, u64) {
        self.count
    }

    /// True once directions are told apart.
    pub fn split(&self) -> bool {
        self.answers.back().is_some_and(|a| a.queues.split)
    }

    /// The host that answered last.
    pub fn last(&self) -> Option<usize> {
        self.answers.back().map(|a| a.host)
    }
}
