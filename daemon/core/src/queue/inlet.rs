//! What comes in from a neighbour that knows no owners: carried frames are held back while the owner of
//! this node receives over the same link.
//!
//! A Meshwork neighbour sends frames for us before those that we carry on. A kernel node does not, and its
//! queue is out of reach. But TCP slows down when frames are lost behind the queue, too. So while the
//! link brings as much as it ever does, and the owner has a part of it, less and less of the rest is let
//! pass; as soon as the link is not full any more, more again. What the owner leaves is not lost, but for
//! the sixteenth part of the link that shows that he leaves it.

use crate::config::LinkId;
use crate::time::{Duration, Instant};
use alloc::vec::Vec;
use packet::MacAddr;

/// Neighbours that are watched at a time.
const MOST: usize = 16;
/// Bytes are summed up over so long.
const WINDOW: Duration = Duration::from_millis(100);
/// Whoever has less than this part of the link is no reason for anything.
const SMALL: u32 = 16;
/// The link is full when no more than this part is left: TCP does not fill it to the brim.
const SLACK: u32 = 16;
/// What is let pass sinks by this part in each window that was full ...
const SINK: u32 = 8;
/// ... rises by this part of the link in others ...
const RISE: u32 = 32;
/// ... and is at least this part of the link.
const FLOOR: u32 = 20;
/// The best that was seen fades by this part in each window: 4 % in a second.
const FADE: u32 = 256;
/// Windows after which the best is taken for what the link can: before, it may still be growing.
const STEADY: u8 = 10;
/// Below 0.5 Mbit/s nothing is judged: a few frames are all there is.
const SLOWEST: u32 = 6_000;
/// Bytes that may always come at once; a quarter of a window's if that is more.
const BURST: i32 = 4_000;

/// One neighbour. Rates in bytes per window, smoothed over four.
#[derive(Debug)]
struct Source {
    link: LinkId,
    neigh: MacAddr,
    began: Instant,
    /// In this window: for the owner, for others.
    owner: u32,
    others: u32,
    owner_rate: u32,
    others_rate: u32,
    /// The most that came in of both.
    best: u32,
    /// Windows since it was outdone.
    steady: u8,
    /// What others may send; `None`: all.
    most: Option<u32>,
    /// Bytes that others may send at once, and when they were earned.
    credit: i32,
    earned: Instant,
}

/// What comes in, by neighbour.
#[derive(Debug, Default)]
pub(crate) struct Inlet {
    sources: Vec<Source>,
    last: usize,
}

impl Inlet {
    /// A frame for the owner came in.
    #[inline]
    pub(crate) fn for_owner(&mut self, link: LinkId, neigh: MacAddr, len: usize, now: Instant) {
        let source = self.source(link, neigh, now);
        source.owner = source.owner.saturating_add(len as u32);
    }

    /// A frame for somebody else came in: true if it may pass.
    #[inline]
    pub(crate) fn lets_pass(&mut self, link: LinkId, neigh: MacAddr, len: usize, now: Instant) -> bool {
        let source = self.source(link, neigh, now);
        // It took its time on the link, whether it passes here or not.
        source.others = source.others.saturating_add(len as u32);
        if let Some(most) = source.most {
            source.earn(most, now);
            if source.credit <= 0 {
                return false;
            }
            source.credit -= len as i32;
        }
        true
    }

    #[inline]
    fn source(&mut self, link: LinkId, neigh: MacAddr, now: Instant) -> &mut Source {
        let is = |s: &Source| s.neigh == neigh && s.link == link;
        let at = match self.sources.get(self.last) {
            Some(s) if is(s) => self.last,
            _ => self.sources.iter().position(is).unwrap_or_else(|| self.make_room(link, neigh, now)),
        };
        self.last = at;
        // `at` is the place of a source that was found or just made.
        let source = &mut self.sources[at];
        if now.since(source.began) >= WINDOW {
            source.close(now);
        }
        source
    }

    /// A new neighbour takes the place of the one that was silent longest.
    fn make_room(&mut self, link: LinkId, neigh: MacAddr, now: Instant) -> usize {
        let source = Source {
            link,
            neigh,
            began: now,
            owner: 0,
            others: 0,
            owner_rate: 0,
            others_rate: 0,
            best: 0,
            steady: 0,
            most: None,
            credit: 0,
            earned: now,
        };
        if self.sources.len() < MOST {
            self.sources.push(source);
            return self.sources.len() - 1;
        }
        let silent = self.sources.iter().enumerate().min_by_key(|(_, s)| s.began).map_or(0, |(i, _)| i);
        self.sources[silent] = source;
        silent
    }
}

impl Source {
    /// A window is over: what came in, and what may come in the next one.
    fn close(&mut self, now: Instant) {
        let windows = (now.since(self.began).as_micros() / WINDOW.as_micros()).max(1);
        let windows = u32::try_from(windows).unwrap_or(u32::MAX);
        self.began = now;
        if windows > 20 {
            // It was silent: what it can do is known no more.
            (self.owner_rate, self.others_rate, self.best, self.most) = (0, 0, 0, None);
        }
        let smooth = |rate: u32, bytes: u32| rate - rate / 4 + bytes / windows / 4;
        self.owner_rate = smooth(self.owner_rate, self.owner);
        self.others_rate = smooth(self.others_rate, self.others);
        (self.owner, self.others) = (0, 0);
        let both = self.owner_rate + self.others_rate;
        // Not while we are the reason that less comes.
        let fade = if self.most.is_none() { self.best / FADE } else { 0 };
        self.steady = if both > self.best + self.best / RISE { 0 } else { self.steady.saturating_add(1) };
        self.best = (self.best - fade).max(both);
        let wanted = self.owner_rate >= self.best / SMALL && self.best >= SLOWEST;
        let full = both >= self.best - self.best / SLACK;
        self.most = match self.most {
            _ if !wanted => None,
            // The owner leaves enough for all that they want.
            Some(most) if !full && most >= self.best - self.owner_rate => None,
            None if full && self.steady >= STEADY && self.others_rate >= self.best / SMALL => Some(self.others_rate),
            None => None,
            Some(most) if full => Some((most - most / SINK).max(self.best / FLOOR)),
            // Not far above what they send, or it would take long to come down again.
            Some(most) => Some((most + self.best / RISE).min(self.others_rate + self.best / SINK)),
        };
    }

    /// Others may send as much as their rate gives since the last time.
    fn earn(&mut self, most: u32, now: Instant) {
        let since = now.since(self.earned).as_micros().min(WINDOW.as_micros());
        let earned = i32::try_from(u128::from(most) * since / WINDOW.as_micros()).unwrap_or(i32::MAX);
        if earned > 0 {
            self.earned = now;
            self.credit =
                self.credit.saturating_add(earned).min(BURST.max(i32::try_from(most / 4).unwrap_or(i32::MAX)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEN: usize = 1500;
    const NEIGH: MacAddr = MacAddr([2, 0, 0, 0, 0, 9]);

    /// A link of 20 Mbit/s for `secs`: the owner wants `owner` of a thousand parts of it, others all the
    /// rest, and slow down as TCP does when frames are lost. What both got, in parts of the second half.
    fn run(owner: f64, secs: u32) -> (f64, f64) {
        let mut inlet = Inlet::default();
        let line = 20_000_000.0 / 8.0 / LEN as f64 / 100.0; // frames in 10 ms
        let (mut mine, mut theirs) = (0.0f64, line);
        let (mut got, mut sum) = ([0.0, 0.0], 0.0);
        let (mut owes, mut owed) = (0.0f64, 0.0f64);
        for step in 0..secs * 100 {
            let now = Instant::from_micros(1_000_000 + u64::from(step) * 10_000);
            let want = owner * line;
            // Who wants more than the line has is cut in proportion; whoever is below what he wants grows.
            mine = (mine + 0.004 * line).min(want);
            theirs = (theirs + 0.01 * line).min(line);
            let scale = (line / (mine + theirs)).min(1.0);
            owes += mine * scale;
            owed += theirs * scale;
            let mut lost = 0;
            while owes >= 1.0 {
                inlet.for_owner(LinkId(0), NEIGH, LEN, now);
                owes -= 1.0;
                got[0] += f64::from(u8::from(step > secs * 50));
            }
            while owed >= 1.0 {
                let passed = inlet.lets_pass(LinkId(0), NEIGH, LEN, now);
                owed -= 1.0;
                lost += i32::from(!passed);
                got[1] += f64::from(u8::from(passed && step > secs * 50));
            }
            // The neighbour's queue drops of both alike.
            mine *= scale;
            theirs *= scale;
            // A lost frame halves one of eight flows.
            theirs *= (15.0f64 / 16.0).powi(lost);
            sum += if step > secs * 50 { line } else { 0.0 };
        }
        (got[0] / sum, got[1] / sum)
    }

    #[test]
    fn the_owner_has_most_and_others_what_is_left() {
        let (owner, others) = run(1.0, 40);
        assert!(owner > 0.8 && others > 0.02, "greedy owner {owner:.2}, others {others:.2}");
        let (owner, others) = run(0.5, 40);
        assert!(owner > 0.47 && others > 0.8 * 0.5, "half: owner {owner:.2}, others {others:.2}");
        let (_, others) = run(0.0, 40);
        assert!(others > 0.97, "nobody but others: {others:.2}");
        let (owner, others) = run(0.02, 40);
        assert!(owner > 0.015 && others > 0.93, "a trickle: owner {owner:.2}, others {others:.2}");
    }

    #[test]
    fn neighbours_take_places_in_turn() {
        let mut inlet = Inlet::default();
        for n in 0..40u8 {
            let neigh = MacAddr([2, 0, 0, 0, 1, n]);
            assert!(inlet.lets_pass(LinkId(0), neigh, LEN, Instant::from_micros(u64::from(n))));
        }
        assert_eq!(inlet.sources.len(), MOST);
    }
}
