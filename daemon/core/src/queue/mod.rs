//! The queue in front of a hard interface: who goes first when it cannot take all at once.
//!
//! Four classes. Control messages go first, within bounds. Then the owner of this node, whose traffic is
//! treated as if nobody else were there. All that is left goes to others: guests here and those whose
//! packets this node carries, fair between those served. One part in fifty is theirs in any case, so that
//! their connections last while the owner fills the line.
//!
//! Nothing here knows rates: what the line takes decides ([`limit::Limit`]). Pure: time and frames are
//! arguments. Where the air is shared, others can be held back for a neighbour's owner too
//! ([`Queue::hold_others`]).

mod codel;
mod ecn;
mod flows;
pub(crate) mod inlet;
pub mod limit;
pub mod line;
mod tag;
#[cfg(test)]
mod tests;

pub use flows::{Gone, Place};
pub use tag::{Class, Tag, flow_hash};

use crate::frame::Frame;
use crate::time::{Duration, Instant};
use alloc::collections::VecDeque;
use flows::{Flows, Popped};

/// Most control messages that wait; they are small, and old ones are worth little.
const MOST_CONTROL: usize = 96;
/// Control messages may get so many bytes ahead of others ...
const CONTROL_AHEAD: i32 = 16 << 10;
/// ... and earn one for each four that others send.
const CONTROL_PART: i32 = 4;
/// Of the owner's bytes, one in so many is lent to others while both want to send.
const LENT_PART: i32 = 49;
/// What is lent is never more than this ahead: one full frame.
const LENT_MOST: i32 = 1600;

/// While others are held back, one frame of theirs leaves so often, so that their connections last.
const HELD_GAP: Duration = Duration::from_millis(20);
/// The owner waits when frames of his were here for so long without a break.
const OWNER_WAITS: Duration = Duration::from_millis(20);

/// Frames and time of one class.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ClassCount {
    /// Frames that left.
    pub frames: u64,
    /// Bytes that left.
    pub bytes: u64,
    /// Frames dropped since they waited too long.
    pub late: u64,
    /// Frames that waited too long and left with a mark that says so (ECN, RFC 3168).
    pub marked: u64,
    /// Frames dropped since there was no room.
    pub full: u64,
    /// Sum of the waiting of those that left, in microseconds.
    pub waited_us: u64,
}

impl ClassCount {
    /// Name and value of each, in the order people see them.
    pub fn named(&self) -> [(&'static str, u64); 6] {
        [
            ("frames", self.frames),
            ("bytes", self.bytes),
            ("late", self.late),
            ("marked", self.marked),
            ("full", self.full),
            ("waited_us", self.waited_us),
        ]
    }
}

/// What passed a queue, by class.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueCounts([ClassCount; Class::ALL.len()]);

impl QueueCounts {
    /// Those of a class.
    pub fn of(&self, class: Class) -> &ClassCount {
        self.0.get(class as usize).unwrap_or(&self.0[0])
    }

    fn of_mut(&mut self, class: Class) -> Option<&mut ClassCount> {
        self.0.get_mut(class as usize)
    }

    /// Frames that left without waiting count too.
    pub fn sent(&mut self, class: Class, len: usize, waited: Duration) {
        if let Some(count) = self.of_mut(class) {
            count.frames += 1;
            count.bytes += len as u64;
            count.waited_us += waited.as_micros() as u64;
        }
    }

    /// Takes back a frame that was counted and did not leave.
    pub fn unsent(&mut self, class: Class, len: usize) {
        if let Some(count) = self.of_mut(class) {
            count.frames = count.frames.saturating_sub(1);
            count.bytes = count.bytes.saturating_sub(len as u64);
        }
    }

    /// Adds everything of `other`.
    pub fn merge(&mut self, other: &Self) {
        for (sum, one) in self.0.iter_mut().zip(&other.0) {
            sum.frames += one.frames;
            sum.bytes += one.bytes;
            sum.late += one.late;
            sum.marked += one.marked;
            sum.full += one.full;
            sum.waited_us += one.waited_us;
        }
    }

    fn marked(&mut self, class: Class) {
        if let Some(count) = self.of_mut(class) {
            count.marked += 1;
        }
    }

    fn dropped(&mut self, class: Class, why: Gone) {
        if let Some(count) = self.of_mut(class) {
            match why {
                Gone::Late => count.late += 1,
                Gone::Full => count.full += 1,
            }
        }
    }
}

/// The queue of one hard interface.
#[derive(Debug)]
pub struct Queue {
    control: VecDeque<(Frame, Instant)>,
    owner: Flows,
    /// Guests here and those served by relaying.
    others: Flows,
    most: usize,
    /// Bytes that control messages may still take from others.
    control_left: i32,
    /// Bytes that others may take from the owner.
    lent: i32,
    /// Others have to wait, whatever the line takes.
    shut: bool,
    /// Others are held back until then, but for a frame now and then.
    held_until: Instant,
    next_held: Instant,
    /// Since when frames of the owner wait, if any do.
    owner_since: Option<Instant>,
    counts: QueueCounts,
}

impl Queue {
    /// An empty queue of up to `most` frames; `seed` is any unpredictable number.
    pub fn new(seed: u64, most: usize) -> Self {
        Self {
            control: VecDeque::new(),
            owner: Flows::new(seed),
            others: Flows::new(seed.rotate_left(21)),
            most: most.max(8),
            control_left: CONTROL_AHEAD,
            lent: 0,
            shut: false,
            held_until: Instant::ZERO,
            next_held: Instant::ZERO,
            owner_since: None,
            counts: QueueCounts::default(),
        }
    }

    /// Frames that wait.
    pub fn len(&self) -> usize {
        self.control.len() + self.owner.len() + self.others.len()
    }

    /// True when none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// True when one waits that may leave.
    pub fn is_ready(&self, now: Instant) -> bool {
        let open = !self.shut && self.yields(now).is_none();
        !self.control.is_empty() || !self.owner.is_empty() || (open && !self.others.is_empty())
    }

    /// Lets others wait, whatever the line takes, or no longer.
    pub fn shut_others(&mut self, shut: bool) {
        self.shut = shut;
    }

    /// What passed.
    pub fn counts(&self) -> &QueueCounts {
        &self.counts
    }

    /// Changes how many frames may wait.
    pub fn resize(&mut self, most: usize) {
        self.most = most.max(8);
    }

    /// Others are held back until then: a neighbour's owner waits for the same air.
    pub fn hold_others(&mut self, until: Instant) {
        self.held_until = self.held_until.max(until);
    }

    /// Others are held back no longer, for any reason.
    pub fn free_others(&mut self) {
        self.held_until = Instant::ZERO;
        self.shut = false;
    }

    /// True while others are held back.
    pub fn is_held(&self, now: Instant) -> bool {
        now < self.held_until
    }

    /// How long others have to wait for a neighbour's owner; `None` if one of their frames may leave now.
    pub fn yields(&self, now: Instant) -> Option<Duration> {
        let until = self.next_held.min(self.held_until);
        (now < until).then(|| until.since(now))
    }

    /// Frames of the owner have been waiting without a break.
    pub fn owner_waits(&self, now: Instant) -> bool {
        self.owner_since.is_some_and(|since| now.since(since) >= OWNER_WAITS)
    }

    /// Takes a frame in. Those dropped to make room go to `recycle`.
    pub fn push(&mut self, frame: Frame, tag: Tag, now: Instant, mut recycle: impl FnMut(Frame)) {
        match tag.class {
            Class::Control => {
                if self.control.len() >= MOST_CONTROL
                    && let Some((old, _)) = self.control.pop_front()
                {
                    self.counts.dropped(Class::Control, Gone::Full);
                    recycle(old);
                }
                self.control.push_back((frame, now));
            }
            Class::Owner => {
                self.owner_since.get_or_insert(now);
                self.owner.push(frame, tag.place, now);
            }
            Class::Guest | Class::Relay => self.others.push(frame, tag.place, now),
        }
        while self.owner.len() + self.others.len() > self.most {
            self.shed(&mut recycle);
        }
    }

    /// The next frame to send, with its class. Those dropped for waiting too long go to `recycle`.
    pub fn pop(&mut self, now: Instant, mut recycle: impl FnMut(Frame)) -> Option<(Frame, Class)> {
        let rest = !self.owner.is_empty() || !self.others.is_empty();
        if (self.control_left > 0 || !rest)
            && let Some((frame, at)) = self.control.pop_front()
        {
            if rest {
                self.control_left -= frame.len() as i32;
            }
            return Some(self.leave(frame, Class::Control, at, now));
        }
        let held = self.yields(now).is_some();
        let lend = self.lent >= LENT_MOST && !self.others.is_empty() && !self.shut && !held;
        let order = if lend { [Class::Relay, Class::Owner] } else { [Class::Owner, Class::Relay] };
        for class in order {
            if class == Class::Relay && (self.shut || held) {
                continue;
            }
            let contended = !self.owner.is_empty() && !self.others.is_empty();
            let Self { owner, others, counts, .. } = self;
            let flows = if class == Class::Owner { owner } else { others };
            let popped = flows.pop(now, &mut |frame: Frame, why| {
                counts.dropped(frame.class.unwrap_or(class), why);
                recycle(frame);
            });
            if self.owner.is_empty() {
                self.owner_since = None;
            }
            let Some(Popped { frame, at, marked }) = popped else { continue };
            if class == Class::Relay && self.is_held(now) {
                self.next_held = now + HELD_GAP;
            }
            let len = frame.len() as i32;
            self.control_left = (self.control_left + len / CONTROL_PART).min(CONTROL_AHEAD);
            if class == Class::Owner {
                self.lent = (self.lent + len / LENT_PART).min(LENT_MOST);
            } else if contended {
                self.lent -= len;
            }
            let class = frame.class.unwrap_or(class);
            if marked {
                self.counts.marked(class);
            }
            return Some(self.leave(frame, class, at, now));
        }
        // All that was left waited too long; control messages may still be there.
        let (frame, at) = self.control.pop_front()?;
        Some(self.leave(frame, Class::Control, at, now))
    }

    /// Gives everything back, for a link that closes.
    pub fn drain(&mut self, now: Instant, mut recycle: impl FnMut(Frame)) {
        self.free_others();
        while let Some((frame, _)) = self.pop(now, &mut recycle) {
            recycle(frame);
        }
    }

    fn leave(&mut self, frame: Frame, class: Class, at: Instant, now: Instant) -> (Frame, Class) {
        self.counts.sent(class, frame.len(), now.since(at));
        (frame, class)
    }

    /// Makes room: others give way first, unless the owner alone has most of it.
    fn shed(&mut self, recycle: &mut impl FnMut(Frame)) {
        let Self { owner, others, counts, most, .. } = self;
        let (flows, class) =
            if others.len() > *most / 4 || owner.is_empty() { (others, Class::Relay) } else { (owner, Class::Owner) };
        flows.shed(&mut |frame: Frame, why| {
            counts.dropped(frame.class.unwrap_or(class), why);
            recycle(frame);
        });
    }
}
