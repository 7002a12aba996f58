//! One neighbour and one originator beyond it: what was asked, what was answered, and the verdict.
//! Knows no frames and no tables; time is passed in.
//!
//! ```text
//!            a question through it         so many in a row unanswered, while the same
//!            stays unanswered              destination answers another way
//!   Calm ----------------------> Inquiry ------------------------------------------> Distrusted
//!    ^  one question in 2 s        |  questions through it and another way by turns    |  one in 1 s
//!    |                             |                                                   |
//!    +-- one through it answered --+     (or no verdict: a pause, each twice as long)  |
//!    +------------------------------------- enough more answered than not -------------+
//! ```
//!
//! **How sure.** Say a path loses a share `q` of the questions through it, answers included. An
//! honest neighbour is accused when `n` in a row are lost: `q^n`. How many `n` is, depends on what
//! the same way lost before: [`EVIDENCE`] bits are wanted, and a lost question counts as many bits
//! as it is unlikely, but 1.5 at most, as losses come in bursts. While nothing is known, half are
//! taken for lost, one bit each. Two links in a row that lose 30 % each lose 51 %: 24 of 24, by
//! a chance of 0.51^24, one in ten million for each question that starts an inquiry; one that loses
//! 30 % (`n` is 24 as well) one in 3.5 * 10^12. At three quarters lost `n` is 96: one in 10^12. A way that
//! never lost anything is given 16. On top of that the destination has to answer half of the
//! questions that went another way meanwhile.

use crate::fib::NextHop;
use crate::react::{FRACTION, bits};
use crate::time::{Duration, Instant};
use alloc::collections::VecDeque;
use packet::MacAddr;

/// Bits of evidence for a verdict.
const EVIDENCE: u32 = 24 * FRACTION;
/// A lost question is worth no more, in bits ...
const WORTH_MOST: u32 = FRACTION * 3 / 2;
/// ... and no less.
const WORTH_LEAST: u32 = FRACTION / 4;
/// Time between two questions while all is well.
const CALM: Duration = Duration::from_secs(2);
/// Time between two questions of an inquiry; every other one goes through the neighbour.
const INQUIRY: Duration = Duration::from_millis(80);
/// Time between two questions to a distrusted neighbour while frames flow to the originator ...
const DISTRUSTED: Duration = Duration::from_secs(1);
/// ... and while they do not.
const DISTRUSTED_IDLE: Duration = Duration::from_secs(10);
/// A question is lost when no answer came for so long; for slow ways, three round trips.
const TIMEOUT: Duration = Duration::from_millis(400);
const TIMEOUT_MOST: Duration = Duration::from_secs(2);
/// Answers to older questions are not known any more.
const REMEMBER: Duration = Duration::from_secs(10);
/// Questions remembered.
const ASKS: usize = 128;
/// Questions another way that a verdict needs at least.
const OTHER_LEAST: u32 = 12;
/// Lost questions through the neighbour after which an inquiry ends without a verdict.
const INQUIRY_MOST: u32 = 128;
/// An inquiry without a verdict is not repeated for so long, twice as long each time ...
const PAUSE: Duration = Duration::from_secs(10);
/// ... up to this many doublings.
const PAUSES: u8 = 4;
/// Answers, less those missing, that make a distrusted neighbour trusted again; twice as many
/// each time it turned out wrong ...
const CREDIT: u8 = 5;
/// ... but no more than are collected within a minute.
const CREDIT_MOST: u8 = 40;
/// A verdict is forgotten when the neighbour was trusted for so long since.
const FORGIVEN: Duration = Duration::from_secs(600);
/// Unanswered questions after which an inquiry tries the next of the other ways.
const OTHER_TRIES: u8 = 6;

/// The last 32 outcomes, newest in bit 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Outcomes {
    bits: u32,
    known: u8,
}

impl Outcomes {
    fn push(&mut self, answered: bool) {
        self.bits = self.bits << 1 | u32::from(answered);
        self.known = (self.known + 1).min(32);
    }

    /// Questions known, at most 32.
    pub(super) const fn asked(self) -> u32 {
        self.known as u32
    }

    /// How many of them were answered.
    pub(super) const fn answered(self) -> u32 {
        self.bits.count_ones()
    }

    /// Of the last 16 questions, how many were answered.
    const fn share(self) -> u8 {
        // At most 16.
        (self.bits & 0xffff).count_ones() as u8
    }

    /// Lost questions in a row that prove something, by what was lost before.
    fn needed(self) -> u32 {
        let lost = self.asked() - self.answered().min(self.asked());
        let each = bits((self.asked() + 2) / (lost + 1));
        EVIDENCE.div_ceil(each.clamp(WORTH_LEAST, WORTH_MOST))
    }
}

/// A question on its way.
#[derive(Debug, Clone, Copy)]
struct Ask {
    nonce: u64,
    at: Instant,
    /// The other way that it went.
    other: Option<NextHop>,
    fate: Fate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Open,
    /// It counts as lost; an answer may still come.
    Lost,
    Answered,
}

#[derive(Debug, Clone, Copy)]
enum Stage {
    Calm,
    Inquiry(Inquiry),
    Distrusted(Distrust),
}

#[derive(Debug, Clone, Copy)]
struct Inquiry {
    /// Lost questions in a row that make a verdict.
    need: u32,
    /// Lost so far.
    lost: u32,
    /// What went another way.
    other: Outcomes,
    /// The next question goes another way.
    turn: bool,
    /// Which of the other ways, and how many questions it has left unanswered in a row.
    which: usize,
    silent: u8,
    /// The other way that answered last.
    verified: Option<NextHop>,
}

impl Inquiry {
    /// The destination answers those who go another way.
    const fn other_answers(&self) -> bool {
        self.other.asked() >= OTHER_LEAST && self.other.answered() * 2 >= self.other.asked()
    }

    /// The next question: through the neighbour and another way by turns.
    fn next(&mut self, others: &[NextHop]) -> Want {
        self.turn = !self.turn;
        if self.silent >= OTHER_TRIES {
            (self.which, self.silent) = (self.which.wrapping_add(1), 0);
        }
        let other = others.get(self.which.checked_rem(others.len()).unwrap_or(0)).filter(|_| !self.turn);
        other.map_or(Want::Through, |hop| Want::Other(*hop))
    }
}

/// What a neighbour is accused of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Distrust {
    /// Since when.
    pub(super) since: Instant,
    /// Questions through it up to the verdict, none answered.
    pub(super) lost: u32,
    /// Questions another way at the time.
    pub(super) other: Outcomes,
    /// The other way.
    pub(super) via: NextHop,
    /// Questions through it, before and since.
    pub(super) through: Outcomes,
    credit: u8,
    need: u8,
}

impl Distrust {
    /// What is left of the metric of its way, in sixteenths: the share of the last 16 questions
    /// that was answered.
    pub(super) const fn share(&self) -> u8 {
        self.through.share()
    }
}

/// What a case wants done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    /// Ask through the neighbour.
    Through,
    /// Ask through another one.
    Other(NextHop),
    /// The neighbour does not forward.
    Accuse,
    /// It does again.
    Trust,
}

/// A neighbour and an originator beyond it.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) hop: NextHop,
    pub(super) orig: MacAddr,
    /// Frames flow to the originator until then.
    pub(super) busy_until: Instant,
    /// When one was seen.
    pub(super) flow_at: Instant,
    /// When there is something to do.
    pub(super) next: Instant,
    stage: Stage,
    asks: VecDeque<Ask>,
    /// Questions through the neighbour while it was trusted.
    past: Outcomes,
    round_trip: Duration,
    /// When the last question left, and a random byte for the next one.
    last: Option<Instant>,
    jitter: u8,
    /// No inquiry before.
    pause_until: Instant,
    pauses: u8,
    relapses: u8,
    trusted_since: Instant,
}

impl Case {
    pub(super) fn new(hop: NextHop, orig: MacAddr, now: Instant) -> Self {
        Self {
            hop,
            orig,
            busy_until: now,
            flow_at: now,
            next: now,
            stage: Stage::Calm,
            asks: VecDeque::new(),
            past: Outcomes::default(),
            round_trip: Duration::ZERO,
            last: None,
            jitter: 0,
            pause_until: Instant::ZERO,
            pauses: 0,
            relapses: 0,
            trusted_since: now,
        }
    }

    /// A question left, through the neighbour or another way.
    pub(super) fn sent(&mut self, nonce: u64, other: Option<NextHop>, jitter: u8, now: Instant) {
        if self.asks.len() >= ASKS {
            self.asks.pop_front();
        }
        self.asks.push_back(Ask { nonce, at: now, other, fate: Fate::Open });
        (self.last, self.jitter) = (Some(now), jitter);
    }

    /// A question was answered; a second answer changes nothing. False if it is none of ours.
    pub(super) fn answered(&mut self, nonce: u64, now: Instant) -> bool {
        let Some(ask) = self.asks.iter_mut().find(|a| a.nonce == nonce) else { return false };
        if core::mem::replace(&mut ask.fate, Fate::Answered) == Fate::Answered {
            return true;
        }
        let ask = *ask;
        let took = now.since(ask.at);
        self.round_trip = took.max((self.round_trip * 7 + took) / 8);
        match (ask.other, &mut self.stage) {
            (None, _) => self.through(true, now),
            (Some(via), Stage::Inquiry(q)) => {
                q.other.push(true);
                q.silent = 0;
                q.verified = Some(via);
            }
            (Some(_), Stage::Calm | Stage::Distrusted(_)) => {}
        }
        self.next = now;
        true
    }

    /// What is left of the metric of its way, in sixteenths; `None` for all.
    pub(super) fn share(&self) -> Option<u8> {
        self.distrust().map(Distrust::share)
    }

    /// What it is accused of.
    pub(super) fn distrust(&self) -> Option<&Distrust> {
        match &self.stage {
            Stage::Distrusted(d) => Some(d),
            Stage::Calm | Stage::Inquiry(_) => None,
        }
    }

    /// True while it costs nothing to forget the case.
    pub(super) fn is_idle(&self, now: Instant) -> bool {
        matches!(self.stage, Stage::Calm) && self.busy_until <= now && self.pause_until <= now
    }

    /// Looks at the time. `others` are other ways to the originator, best first; `alive` says that
    /// the neighbour itself was heard a moment ago; `crowd` is the number of busy cases of this
    /// neighbour: many of them ask no more than a few.
    pub(super) fn step(&mut self, now: Instant, others: &[NextHop], alive: bool, crowd: u32) -> Option<Want> {
        self.settle(now);
        let busy = self.busy_until > now;
        let waiting = self.asks.iter().any(|a| a.fate == Fate::Open && a.other.is_none());
        match &self.stage {
            Stage::Inquiry(_) if others.is_empty() => self.stage = Stage::Calm,
            Stage::Inquiry(q) if q.lost >= INQUIRY_MOST => {
                self.pause_until = now + PAUSE * (1 << self.pauses);
                self.pauses = (self.pauses + 1).min(PAUSES);
                self.stage = Stage::Calm;
            }
            Stage::Inquiry(q) if q.lost >= q.need && q.other_answers() && alive => return self.accuse(others, now),
            Stage::Distrusted(d) if d.credit >= d.need => {
                self.relapses = self.relapses.saturating_add(1);
                self.trusted_since = now;
                self.stage = Stage::Calm;
                self.next = now + CALM;
                return Some(Want::Trust);
            }
            _ => {}
        }
        let (pace, wants) = match self.stage {
            Stage::Calm => (CALM.max(CALM / 2 * crowd), busy && !waiting && !others.is_empty()),
            Stage::Inquiry(_) => (INQUIRY, true),
            Stage::Distrusted(_) => (if busy { DISTRUSTED } else { DISTRUSTED_IDLE }, !waiting),
        };
        // Three quarters to five quarters of it.
        let pace = pace * 3 / 4 + pace * u32::from(self.jitter) / 512;
        let due = self.last.map_or(now, |last| last + pace);
        let timeout = self.timeout();
        let open = self.asks.iter().find(|a| a.fate == Fate::Open).map_or(Instant::FAR_FUTURE, |a| a.at + timeout);
        if !wants {
            self.next = open;
            return None;
        }
        if due > now {
            self.next = due.min(open);
            return None;
        }
        self.next = now;
        match &mut self.stage {
            Stage::Inquiry(q) => Some(q.next(others)),
            Stage::Calm | Stage::Distrusted(_) => Some(Want::Through),
        }
    }

    /// Questions that are too old are lost.
    fn settle(&mut self, now: Instant) {
        while self.asks.front().is_some_and(|a| now.since(a.at) > REMEMBER) {
            self.asks.pop_front();
        }
        let timeout = self.timeout();
        for i in 0..self.asks.len() {
            let late = |a: &&mut Ask| a.fate == Fate::Open && now.since(a.at) >= timeout;
            let Some(ask) = self.asks.get_mut(i).filter(late) else { continue };
            ask.fate = Fate::Lost;
            if ask.other.is_some() {
                if let Stage::Inquiry(q) = &mut self.stage {
                    q.other.push(false);
                    q.silent = q.silent.saturating_add(1);
                }
            } else {
                self.through(false, now);
            }
        }
    }

    /// A question through the neighbour was answered or lost.
    fn through(&mut self, answered: bool, now: Instant) {
        match &mut self.stage {
            Stage::Calm if answered || now < self.pause_until => self.past.push(answered),
            Stage::Calm => {
                self.stage = Stage::Inquiry(Inquiry {
                    need: self.past.needed(),
                    lost: 1,
                    other: Outcomes::default(),
                    turn: false,
                    which: 0,
                    silent: 0,
                    verified: None,
                });
            }
            Stage::Inquiry(q) if answered => {
                for _ in 0..q.lost.min(32) {
                    self.past.push(false);
                }
                self.past.push(true);
                self.pauses = 0;
                self.stage = Stage::Calm;
            }
            Stage::Inquiry(q) => q.lost += 1,
            Stage::Distrusted(d) => {
                d.through.push(answered);
                d.credit = if answered { d.credit.saturating_add(1) } else { d.credit.saturating_sub(1) };
            }
        }
    }

    fn accuse(&mut self, others: &[NextHop], now: Instant) -> Option<Want> {
        let Stage::Inquiry(q) = self.stage else { return None };
        let via = q.verified.filter(|v| others.contains(v)).or_else(|| others.first().copied())?;
        if now.since(self.trusted_since) >= FORGIVEN {
            self.relapses = 0;
        }
        let mut through = Outcomes::default();
        for _ in 0..q.lost.min(32) {
            through.push(false);
        }
        let need = CREDIT.saturating_mul(1 << self.relapses.min(7)).min(CREDIT_MOST);
        self.stage =
            Stage::Distrusted(Distrust { since: now, lost: q.lost, other: q.other, via, through, credit: 0, need });
        self.pauses = 0;
        self.next = now + DISTRUSTED;
        Some(Want::Accuse)
    }

    fn timeout(&self) -> Duration {
        TIMEOUT.max(self.round_trip * 3).min(TIMEOUT_MOST)
    }
}
