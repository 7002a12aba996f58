//! A hard interface with the queue in front of it.
//!
//! While the interface takes everything, frames pass in batches and nothing is looked at. When it does
//! not, they wait here, where the order can still be chosen ([`Queue`]), and below, in the kernel, lie only
//! as many as keep the line busy ([`Limit`]).

use crate::io::counters::PortCounters;
use crate::io::port::{BATCH, Gear, Port};
use mesh_core::queue::limit::Limit;
use mesh_core::queue::line::{Line, Part};
use mesh_core::queue::{Class, Queue, QueueCounts, Tag};
use mesh_core::{Duration, Fib, Frame, Instant};
use std::pin::Pin;
use std::task::Context;
use tokio::time::{Sleep, sleep};

/// Most frames that wait for one hard interface, 0.8 MB of the usual size; 6 ms of a gigabit.
const MOST_WAITING: usize = 512;
/// What the kernel adds to a frame of a packet socket when it counts memory: head, tail and its own record.
/// Measured: 2304 for 1532 bytes, 768 for 60.
const KERNEL_PART: usize = 704;

/// 802.1D user priority of background traffic; 802.11 sends it in the access category of that name.
/// Source: IEEE 802.11-2020, table 10-1.
const BACKGROUND: u8 = 1;
/// What the system lets a socket hold unless told otherwise (net.core.wmem_default).
const USUAL_UNSENT: u32 = 212_992;

/// An open hard interface.
pub struct Outlet {
    /// Name of the interface.
    pub name: String,
    port: Box<dyn Port>,
    /// Frames on their way out; those that the port refused are first.
    batch: Vec<Frame>,
    /// `None`: what does not fit below is dropped.
    queue: Option<Queue>,
    limit: Limit,
    /// The port took no more than the limit allowed when it was last filled.
    held: bool,
    full: u64,
    /// What went straight out, and what passed queues that are gone.
    straight: QueueCounts,
    line: Line,
    /// Others get so much of the time that the line sends; `None`: all that is left.
    part: Option<Part>,
    /// Others' frames are sent with this priority: background traffic.
    background: Option<u8>,
    /// When others may send again.
    gate: Option<Pin<Box<Sleep>>>,
}

impl Outlet {
    /// An interface behind `port`. `queue` is any unpredictable number; without it frames go as they come.
    pub fn new(name: &str, port: Box<dyn Port>, queue: Option<u64>) -> Self {
        let mut new = Self {
            name: name.to_owned(),
            port,
            batch: Vec::new(),
            queue: None,
            limit: Limit::default(),
            held: false,
            full: 0,
            straight: QueueCounts::default(),
            line: Line::default(),
            part: None,
            background: None,
            gate: None,
        };
        new.begin(queue);
        new
    }

    /// As in [`Outlet::new`]; nothing that waits is lost, as far as there is room.
    pub fn set_queue(&mut self, queue: Option<u64>, gear: &mut Gear, now: Instant) {
        if self.queue.is_some() == queue.is_some() {
            return;
        }
        if let Some(mut old) = self.queue.take() {
            old.free_others();
            while let Some((frame, _)) = old.pop(now, |late| gear.pool.put(late)) {
                self.batch.push(frame);
            }
            self.straight.merge(old.counts());
        }
        self.begin(queue);
    }

    fn begin(&mut self, queue: Option<u64>) {
        self.limit = Limit::default();
        self.queue = queue.map(|seed| Queue::new(seed, MOST_WAITING));
        // Without a queue the system's usual bound.
        self.port.limit_unsent(if queue.is_some() { self.limit.bytes() } else { USUAL_UNSENT });
    }

    /// The port, to receive.
    pub fn port(&mut self) -> &mut dyn Port {
        &mut *self.port
    }

    /// True when there is something to do; otherwise the task is woken when there is. `now` is the time of the last
    /// round.
    pub fn poll_ready(&mut self, now: Instant, cx: &mut Context<'_>) -> bool {
        let waiting = !self.batch.is_empty() || self.queue.as_ref().is_some_and(|q| q.is_ready(now));
        let open = self.gate.as_mut().is_some_and(|gate| gate.as_mut().poll(cx).is_ready());
        if open {
            self.gate = None;
        }
        self.port.poll_ready(waiting || open, cx) || open
    }

    /// A neighbour's owner waits for the air: others are held back until then.
    pub fn hold_others(&mut self, until: Instant) {
        if let Some(queue) = &mut self.queue {
            queue.hold_others(until);
        }
    }

    /// Our own owner waits.
    pub fn owner_waits(&self, now: Instant) -> bool {
        self.queue.as_ref().is_some_and(|q| q.owner_waits(now))
    }

    /// Sends a frame, now or when it is its turn.
    #[inline]
    pub fn push(&mut self, mut frame: Frame, fib: &Fib, gear: &mut Gear, now: Instant) {
        if let Some(priority) = self.background
            && Class::of(&frame, fib).is_for_others()
        {
            frame.priority = priority;
        }
        match &mut self.queue {
            Some(queue) if self.port.is_blocked() || !queue.is_empty() || queue.is_held(now) => {
                let tag = Tag::of(&frame, fib);
                queue.push(frame, tag, now, |old| gear.pool.put(old));
            }
            None if self.batch.len() >= MOST_WAITING => {
                self.full += 1;
                gear.pool.put(frame);
            }
            _ => {
                let class = Class::of(&frame, fib);
                if let (Some(queue), Some(part)) = (&mut self.queue, &mut self.part)
                    && class.is_for_others()
                {
                    if part.wait(now).is_some() {
                        let tag = Tag::of(&frame, fib);
                        return queue.push(frame, tag, now, |old| gear.pool.put(old));
                    }
                    part.sent(frame.len(), self.line.rate());
                }
                self.straight.sent(class, frame.len(), Duration::ZERO);
                self.batch.push(frame);
                if self.batch.len().is_multiple_of(BATCH) {
                    self.send_batch(fib, gear, now);
                }
            }
        }
    }

    /// Sends what there is, as far as the interface takes it.
    pub fn flush(&mut self, fib: &Fib, gear: &mut Gear, now: Instant) {
        if !self.batch.is_empty() && !self.port.is_blocked() {
            self.send_batch(fib, gear, now);
        }
        self.refill(gear, now);
        if let Some(queue) = &self.queue {
            if self.port.is_blocked() && queue.is_ready(now) {
                let bytes = Class::ALL.iter().map(|&class| queue.counts().of(class).bytes).sum();
                self.line.full(bytes, now);
            } else {
                self.line.idle();
            }
        }
    }

    /// Bytes a second that the line was seen to take while frames waited for it.
    pub fn line(&self) -> Option<u64> {
        self.line.rate()
    }

    /// Others get at most this part of the time that the line sends, in percent; `None`: all that is left.
    pub fn set_part(&mut self, percent: Option<u8>) {
        if self.part.as_ref().map(Part::percent) != percent {
            self.part = percent.map(Part::new);
            // Whoever waits for nothing any more is let go at the next turn.
            self.gate = Some(Box::pin(sleep(Duration::ZERO)));
        }
    }

    /// Frames of others go out as background traffic, or as they came.
    pub fn set_background(&mut self, on: bool) {
        self.background = on.then_some(BACKGROUND);
    }

    /// Holds others back while they had their part of the time, or while a neighbour's owner waits.
    fn hold(&mut self, now: Instant) {
        let Some(queue) = &mut self.queue else { return };
        let spent = self.part.as_mut().and_then(|part| part.wait(now));
        queue.shut_others(spent.is_some());
        match spent.max(queue.yields(now)) {
            Some(wait) if !queue.is_empty() && self.gate.is_none() => self.gate = Some(Box::pin(sleep(wait))),
            Some(_) => {}
            None => self.gate = None,
        }
    }

    /// Sends the batch. What is refused gets in line, unless it was its turn already.
    fn send_batch(&mut self, fib: &Fib, gear: &mut Gear, now: Instant) {
        self.port.send(gear, &mut self.batch);
        self.held = self.port.is_blocked();
        if let Some(queue) = self.queue.as_mut().filter(|q| q.is_empty()) {
            for frame in self.batch.drain(..) {
                let class = Class::of(&frame, fib);
                self.straight.unsent(class, frame.len());
                if let Some(part) = self.part.as_mut().filter(|_| class.is_for_others()) {
                    part.unsent(frame.len(), self.line.rate());
                }
                let tag = Tag::of(&frame, fib);
                queue.push(frame, tag, now, |old| gear.pool.put(old));
            }
        }
    }

    /// Lets those go whose turn it is, as many as there is room for below.
    fn refill(&mut self, gear: &mut Gear, now: Instant) {
        if self.queue.as_ref().is_none_or(Queue::is_empty) {
            return;
        }
        self.hold(now);
        let Some(queue) = &mut self.queue else { return };
        while !self.port.is_blocked() && queue.is_ready(now) {
            let left = self.port.unsent().unwrap_or(0);
            if self.limit.refill(left, self.held, now) {
                self.port.limit_unsent(self.limit.bytes());
            }
            // At least one: whether it still fits is for the kernel to say.
            let mut room = usize::try_from(self.limit.bytes().saturating_sub(left)).unwrap_or(0).max(1);
            while room > 0 && self.batch.len() < BATCH {
                let Some((frame, class)) = queue.pop(now, |old| gear.pool.put(old)) else { break };
                if let Some(part) = self.part.as_mut().filter(|_| class.is_for_others()) {
                    part.sent(frame.len(), self.line.rate());
                    if let Some(wait) = part.wait(now) {
                        queue.shut_others(true);
                        self.gate.get_or_insert_with(|| Box::pin(sleep(wait)));
                    }
                }
                room = room.saturating_sub(frame.len() + KERNEL_PART);
                self.batch.push(frame);
            }
            if self.batch.is_empty() {
                break;
            }
            self.port.send(gear, &mut self.batch);
            self.held = self.port.is_blocked();
        }
        if queue.is_empty() {
            self.limit.idle(now);
        } else if !queue.is_ready(now) {
            self.hold(now);
        }
    }

    /// What left by class, and how many frames wait.
    pub fn classes(&self) -> (QueueCounts, usize) {
        let mut all = self.straight;
        let Some(queue) = &self.queue else { return (all, 0) };
        all.merge(queue.counts());
        (all, queue.len())
    }

    /// What was counted.
    pub fn counters(&mut self) -> PortCounters {
        let mut now = self.port.counters();
        now.tx_full += self.full;
        now
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use packet::MacAddr;
    use packet::consts::{ETH_LEN, ETHERTYPE, packet_type};
    use std::sync::{Arc, Mutex};

    /// A port that takes everything and keeps the priorities of what it took.
    struct Taken(Arc<Mutex<Vec<u8>>>);

    impl Port for Taken {
        fn poll_ready(&mut self, _: bool, _: &mut Context<'_>) -> bool {
            false
        }
        fn recv(&mut self, _: &mut Gear, _: &mut Vec<Frame>) {}
        fn send(&mut self, _: &mut Gear, frames: &mut Vec<Frame>) {
            self.0.lock().unwrap().extend(frames.drain(..).map(|f| f.priority));
        }
        fn set_mac(&mut self, _: MacAddr) {}
        fn counters(&mut self) -> PortCounters {
            PortCounters::default()
        }
    }

    fn frame(packet: &[u8], class: Option<Class>) -> Frame {
        let mut bytes = vec![0; ETH_LEN];
        bytes[12..].copy_from_slice(&ETHERTYPE.to_be_bytes());
        bytes.extend(packet);
        bytes.resize(100, 0);
        let mut frame = Frame::copy_of(&bytes);
        (frame.class, frame.priority) = (class, 5);
        frame
    }

    #[test]
    fn what_is_carried_goes_out_in_the_background_if_asked_for() {
        // Type, version, TTL, table version; to somebody else.
        let unicast = [packet_type::UNICAST, 15, 50, 0, 2, 0, 0, 0, 0, 9];
        let (fib, mut gear) = (Fib::new(1), Gear::new(1532));
        for (on, want) in [(false, [5, 5, 5, 5]), (true, [1, 1, 5, 5])] {
            let taken = Arc::new(Mutex::new(Vec::new()));
            let mut outlet = Outlet::new("a", Box::new(Taken(Arc::clone(&taken))), Some(7));
            outlet.set_background(on);
            for f in [
                frame(&unicast, None),
                frame(&unicast, Some(Class::Guest)),
                frame(&unicast, Some(Class::Owner)),
                frame(&[packet_type::OGM], None),
            ] {
                outlet.push(f, &fib, &mut gear, Instant::ZERO);
            }
            outlet.flush(&fib, &mut gear, Instant::ZERO);
            assert_eq!(*taken.lock().unwrap(), want, "{on}");
        }
    }
}
