//! Fair queueing in two steps: first between the originators that are served, then between the flows of
//! each. Who has only a little to send comes first. Source: RFC 8290 (fq_codel) for the flows; the step
//! above it works by the same rule.

use super::codel::Codel;
use super::ecn;
use super::tag::mix;
use crate::fib::Seeded;
use crate::frame::Frame;
use crate::time::Instant;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use hashbrown::HashMap;

/// Bytes of one turn: one full frame. Source: RFC 8290 section 5.2.
const QUANTUM: i32 = 1560;
/// Frames dropped at once where the queue overflows. Source: the kernel's fq_codel, 64.
const SHED: usize = 32;
/// One turn of so many goes to frames that must travel on, while others are for the next hop itself.
const ONWARD_TURN: u32 = 24;

/// Who a frame is carried for, and what it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The originator served, or another number that stands for somebody.
    pub served: u64,
    /// The next hop.
    pub hop: u64,
    /// It goes to the next hop itself and no further.
    pub near: bool,
    /// Hash of the flow.
    pub flow: u64,
}

#[derive(Debug)]
struct Queued {
    frame: Frame,
    at: Instant,
}

#[derive(Debug, Default)]
struct Flow {
    key: u64,
    group: u32,
    frames: VecDeque<Queued>,
    bytes: u32,
    deficit: i32,
    codel: Codel,
}

#[derive(Debug, Default)]
struct Group {
    key: u64,
    hop: u64,
    near: bool,
    frames: u32,
    deficit: i32,
    turns: Turns,
}

/// Whose turn it is: newcomers first, then all others in a circle.
#[derive(Debug, Default)]
struct Turns {
    new: VecDeque<u32>,
    old: VecDeque<u32>,
}

impl Turns {
    fn front(&self) -> Option<(u32, bool)> {
        self.new.front().map(|&i| (i, true)).or_else(|| self.old.front().map(|&i| (i, false)))
    }

    fn pop(&mut self, new: bool) {
        if new {
            self.new.pop_front()
        } else {
            self.old.pop_front()
        };
    }

    /// The one in front has had its share, or nothing left: to the end of the circle.
    fn rotate(&mut self, new: bool) {
        let front = if new { self.new.pop_front() } else { self.old.pop_front() };
        self.old.extend(front);
    }
}

/// A frame whose turn it is.
#[derive(Debug)]
pub(super) struct Popped {
    pub(super) frame: Frame,
    /// When it came in.
    pub(super) at: Instant,
    /// It waited too long, and says so itself.
    pub(super) marked: bool,
}

/// What became of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// It waited too long.
    Late,
    /// There was no room.
    Full,
}

/// A fair queue. Its size is bounded by whoever fills it, with [`Flows::shed`].
#[derive(Debug)]
pub(super) struct Flows {
    flows: Vec<Flow>,
    idle_flows: Vec<u32>,
    by_flow: HashMap<u64, u32, Seeded>,
    groups: Vec<Group>,
    idle_groups: Vec<u32>,
    by_group: HashMap<u64, u32, Seeded>,
    turns: Turns,
    /// For each next hop, the groups whose frames are for itself.
    near: HashMap<u64, VecDeque<u32>, Seeded>,
    /// Turns that went to a next hop in place of somebody behind it.
    near_turns: u32,
    frames: usize,
    bytes: usize,
}

impl Flows {
    /// An empty one; `seed` is any unpredictable number.
    pub(super) fn new(seed: u64) -> Self {
        Self {
            flows: Vec::new(),
            idle_flows: Vec::new(),
            by_flow: HashMap::with_hasher(Seeded::new(seed)),
            groups: Vec::new(),
            idle_groups: Vec::new(),
            by_group: HashMap::with_hasher(Seeded::new(seed)),
            turns: Turns::default(),
            near: HashMap::with_hasher(Seeded::new(seed)),
            near_turns: 0,
            frames: 0,
            bytes: 0,
        }
    }

    /// Frames that wait.
    pub(super) fn len(&self) -> usize {
        self.frames
    }

    /// True when none waits.
    pub(super) fn is_empty(&self) -> bool {
        self.frames == 0
    }

    /// Bytes that wait.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Flows with frames.
    #[cfg(test)]
    pub(super) fn flows(&self) -> usize {
        self.by_flow.len()
    }

    /// Takes a frame in.
    pub(super) fn push(&mut self, frame: Frame, place: Place, now: Instant) {
        let group = self.group_of(place);
        let flow = self.flow_of(place, group);
        let len = frame.len();
        if let Some(flow) = self.flows.get_mut(flow as usize) {
            flow.bytes += len as u32;
            flow.frames.push_back(Queued { frame, at: now });
        }
        if let Some(group) = self.groups.get_mut(group as usize) {
            group.frames += 1;
            group.hop = place.hop;
        }
        self.frames += 1;
        self.bytes += len;
    }

    /// The next frame. Those that waited too long and cannot be marked go to `gone`.
    pub(super) fn pop(&mut self, now: Instant, gone: &mut impl FnMut(Frame, Gone)) -> Option<Popped> {
        loop {
            let (chosen, new) = self.turns.front()?;
            let group = self.groups.get_mut(chosen as usize)?;
            if group.frames == 0 {
                // A newcomer that is done goes through the circle once, so that it cannot be new
                // again at once.
                if new && !self.turns.old.is_empty() {
                    self.turns.rotate(true);
                } else {
                    self.turns.pop(new);
                    self.forget_group(chosen);
                }
                continue;
            }
            if group.deficit <= 0 {
                group.deficit += QUANTUM;
                self.turns.rotate(new);
                continue;
            }
            let from = self.instead(chosen);
            if let Some(out) = self.pop_from(from, now, gone) {
                if let Some(group) = self.groups.get_mut(chosen as usize) {
                    group.deficit -= out.frame.len() as i32;
                }
                return Some(out);
            }
        }
    }

    /// Drops frames of the flow with most bytes: half of it, or so many as make a difference.
    pub(super) fn shed(&mut self, gone: &mut impl FnMut(Frame, Gone)) {
        let Some(fat) = self.flows.iter_mut().max_by_key(|f| f.bytes) else { return };
        let half = fat.bytes / 2;
        let mut shed = (0, 0);
        while fat.bytes > half && shed.0 < SHED {
            let Some(old) = fat.frames.pop_front() else { break };
            fat.bytes -= old.frame.len() as u32;
            shed = (shed.0 + 1, shed.1 + old.frame.len());
            gone(old.frame, Gone::Full);
        }
        let group = fat.group;
        self.took(group, shed.0, shed.1);
    }

    /// Where a turn of a group is used: by the next hop that it sends through, if that waits for
    /// frames of its own, but not always.
    fn instead(&mut self, chosen: u32) -> u32 {
        let Some(group) = self.groups.get(chosen as usize) else { return chosen };
        if group.near {
            return chosen;
        }
        let Some(near) = self.near.get_mut(&group.hop) else { return chosen };
        let Some(first) = near.iter().position(|i| self.groups.get(*i as usize).is_some_and(|n| n.frames > 0)) else {
            return chosen;
        };
        self.near_turns += 1;
        if self.near_turns.is_multiple_of(ONWARD_TURN) {
            return chosen;
        }
        // Those who send to it take turns in this too.
        near.rotate_left(first + 1);
        near.back().copied().unwrap_or(chosen)
    }

    /// The next frame of a group; `None` when all that was left waited too long.
    fn pop_from(&mut self, at: u32, now: Instant, gone: &mut impl FnMut(Frame, Gone)) -> Option<Popped> {
        let group = self.groups.get_mut(at as usize)?;
        let (mut frames, mut bytes, mut out) = (0, 0, None);
        while let Some((index, new)) = group.turns.front() {
            let Some(flow) = self.flows.get_mut(index as usize) else { break };
            if flow.frames.is_empty() {
                flow.codel.emptied(now);
                if new && !group.turns.old.is_empty() {
                    group.turns.rotate(true);
                } else {
                    group.turns.pop(new);
                    self.by_flow.remove(&flow.key);
                    self.idle_flows.push(index);
                }
                continue;
            }
            if flow.deficit <= 0 {
                flow.deficit += QUANTUM;
                group.turns.rotate(new);
                continue;
            }
            let Some(Queued { mut frame, at: since }) = flow.frames.pop_front() else { break };
            let len = frame.len();
            flow.bytes -= len as u32;
            (frames, bytes) = (frames + 1, bytes + len);
            let marked = flow.codel.shortens(since, flow.bytes, now);
            if marked && !ecn::mark(&mut frame) {
                gone(frame, Gone::Late);
                continue;
            }
            flow.deficit -= len as i32;
            out = Some(Popped { frame, at: since, marked });
            break;
        }
        self.took(at, frames, bytes);
        out
    }

    fn took(&mut self, group: u32, frames: usize, bytes: usize) {
        if let Some(group) = self.groups.get_mut(group as usize) {
            group.frames = group.frames.saturating_sub(frames as u32);
        }
        self.frames -= frames;
        self.bytes -= bytes;
    }

    fn group_of(&mut self, place: Place) -> u32 {
        let key = group_key(place);
        if let Some(&group) = self.by_group.get(&key) {
            return group;
        }
        let index = self.idle_groups.pop().unwrap_or_else(|| {
            self.groups.push(Group::default());
            (self.groups.len() - 1) as u32
        });
        if let Some(group) = self.groups.get_mut(index as usize) {
            (group.key, group.near) = (key, place.near);
            (group.frames, group.deficit) = (0, QUANTUM);
        }
        if place.near {
            self.near.entry(place.hop).or_default().push_back(index);
        }
        self.by_group.insert(key, index);
        self.turns.new.push_back(index);
        index
    }

    fn flow_of(&mut self, place: Place, group: u32) -> u32 {
        let key = place.flow ^ u64::from(group).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        if let Some(&flow) = self.by_flow.get(&key) {
            return flow;
        }
        let index = self.idle_flows.pop().unwrap_or_else(|| {
            self.flows.push(Flow::default());
            (self.flows.len() - 1) as u32
        });
        if let Some(flow) = self.flows.get_mut(index as usize) {
            (flow.key, flow.group, flow.deficit) = (key, group, QUANTUM);
            (flow.bytes, flow.codel) = (0, Codel::default());
        }
        self.by_flow.insert(key, index);
        if let Some(group) = self.groups.get_mut(group as usize) {
            group.turns.new.push_back(index);
        }
        index
    }

    /// A group without frames leaves; its flows have none either.
    fn forget_group(&mut self, index: u32) {
        let Some(group) = self.groups.get_mut(index as usize) else { return };
        for flow in group.turns.new.drain(..).chain(group.turns.old.drain(..)) {
            if let Some(flow) = self.flows.get(flow as usize) {
                self.by_flow.remove(&flow.key);
            }
            self.idle_flows.push(flow);
        }
        if group.near
            && let Some(near) = self.near.get_mut(&group.hop)
        {
            near.retain(|i| *i != index);
            if near.is_empty() {
                self.near.remove(&group.hop);
            }
        }
        self.by_group.remove(&group.key);
        self.idle_groups.push(index);
    }
}

/// The group of a frame: who is served by it, and whether it ends at the next hop.
const fn group_key(place: Place) -> u64 {
    // Addresses have 48 bits.
    if place.near { mix(place.served, place.hop) | 1 } else { place.served << 1 }
}

/// Bytes that a flow costs in a group of its own, its entry in both tables and room for its first frames
/// included; not the bytes of frames.
#[cfg(test)]
pub(super) const COST: usize = size_of::<Flow>() + size_of::<Group>() + 2 * 17 + 4 * size_of::<Queued>() + 2 * 4 * 8;
