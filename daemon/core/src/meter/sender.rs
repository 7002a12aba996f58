//! The sending side of a throughput test: how much may be under way, and what is sent again.
//!
//! NewReno as in TCP (RFC 5681, RFC 6582), with the numbers of "Payload plane" section 9. Nothing
//! has to be kept for repetition, as the bytes carry nothing.

use crate::time::{Duration, Instant};

/// Bytes that one message counts for: the packet without the 10 bytes of the unicast prefix.
pub(super) const PAYLOAD: u32 = 1476;
/// Window at the start and after a timeout.
const FIRST_WINDOW: u32 = 3 * PAYLOAD;
/// Largest window. The kernel allows 512 MiB and lets its queues drop what is too much; here
/// 2 MiB are 17 ms at a gigabit, which is more than any mesh link holds.
const MAX_WINDOW: u32 = 2 << 20;
/// Waiting time for the first answer.
const FIRST_RTO: Duration = Duration::from_secs(1);
/// Least waiting time: a busy machine answers in lumps.
const MIN_RTO: Duration = Duration::from_millis(100);
/// Whoever is silent for a waiting time this long is not there.
const MAX_RTO: Duration = Duration::from_secs(30);
/// Slow start ends when so many answers in a row took longer than the fastest one by more than
/// [`QUEUE`]: a queue has begun to fill, and twice the window would flood it. The kernel goes on
/// until it does, and then needs a round trip for every message lost. After RFC 9406.
const SLOWER: u32 = 8;
/// See [`SLOWER`]: half of the fastest round trip, within these bounds.
const QUEUE: (Duration, Duration) = (Duration::from_millis(4), Duration::from_millis(50));
/// Answers to the same byte that say that the next one is lost.
const DUPLICATES: u32 = 3;

/// What an answer asks for, besides more messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// Nothing.
    Fine,
    /// Send the message that begins here once more.
    Repeat(u32),
    /// The answer is to nothing that was sent.
    Nonsense,
}

/// The state of one stream.
#[derive(Debug)]
pub(super) struct Window {
    /// First byte that is not acknowledged.
    pub(super) acked: u32,
    /// Next byte to send.
    next: u32,
    /// Next byte never sent so far.
    newest: u32,
    /// Lost bytes are being repeated until this one is acknowledged.
    recovery: Option<u32>,
    window: u32,
    threshold: u32,
    duplicates: u32,
    /// Smoothed round trip time and its variation; `None` before the first answer.
    rtt: Option<(Duration, Duration)>,
    /// The fastest one.
    least: Duration,
    slower: u32,
    rto: Duration,
    /// When the waiting is over.
    pub(super) timeout: Instant,
}

impl Window {
    pub(super) fn new(first: u32, now: Instant) -> Self {
        Self {
            acked: first,
            next: first,
            newest: first,
            recovery: None,
            window: FIRST_WINDOW,
            threshold: MAX_WINDOW,
            duplicates: 0,
            rtt: None,
            least: Duration::MAX,
            slower: 0,
            rto: FIRST_RTO,
            timeout: now + FIRST_RTO,
        }
    }

    fn under_way(&self) -> u32 {
        self.next.wrapping_sub(self.acked)
    }

    /// True if the window has room for another message.
    pub(super) fn is_open(&self) -> bool {
        self.under_way() + PAYLOAD <= self.window
    }

    /// The number of the next message to send now, if the window has room.
    pub(super) fn take(&mut self) -> Option<u32> {
        if !self.is_open() {
            return None;
        }
        let seqno = self.next;
        self.next = self.next.wrapping_add(PAYLOAD);
        if (self.next.wrapping_sub(self.newest) as i32) > 0 {
            self.newest = self.next;
        }
        Some(seqno)
    }

    /// The receiver expects byte `expected` next; it took `rtt` to hear so.
    pub(super) fn answer(&mut self, expected: u32, rtt: Duration, now: Instant) -> Answer {
        let progress = expected.wrapping_sub(self.acked);
        if progress > self.newest.wrapping_sub(self.acked) {
            return Answer::Nonsense;
        }
        self.note_rtt(rtt);
        if progress == 0 {
            return self.duplicate();
        }
        self.acked = expected;
        if (self.next.wrapping_sub(expected) as i32) < 0 {
            // Sent before a timeout took us back.
            self.next = expected;
        }
        self.duplicates = 0;
        self.timeout = now + self.rto;
        match self.recovery {
            Some(until) if (until.wrapping_sub(expected) as i32) > 0 => {
                // One more was lost.
                self.grow_to(self.window.saturating_sub(progress).saturating_add(PAYLOAD).max(PAYLOAD));
                Answer::Repeat(expected)
            }
            Some(_) => {
                self.recovery = None;
                self.window = self.threshold;
                Answer::Fine
            }
            None => {
                let step = if self.window <= self.threshold {
                    PAYLOAD
                } else {
                    (PAYLOAD * PAYLOAD / self.window.max(1)).max(1)
                };
                self.grow_to(self.window + step);
                Answer::Fine
            }
        }
    }

    fn duplicate(&mut self) -> Answer {
        if self.under_way() == 0 {
            return Answer::Fine;
        }
        self.duplicates += 1;
        if self.recovery.is_some() {
            // Every one says that a message has left the network.
            self.grow_to(self.window + PAYLOAD);
            return Answer::Fine;
        }
        if self.duplicates != DUPLICATES {
            return Answer::Fine;
        }
        self.threshold = (self.window / 2).max(2 * PAYLOAD);
        self.grow_to(self.threshold + DUPLICATES * PAYLOAD);
        self.recovery = Some(self.newest);
        Answer::Repeat(self.acked)
    }

    /// Nothing came for too long: back to the last byte acknowledged. False when it is time to
    /// give up.
    pub(super) fn time_out(&mut self, now: Instant) -> bool {
        self.rto *= 2;
        if self.rto >= MAX_RTO {
            return false;
        }
        self.threshold = (self.window / 2).max(2 * PAYLOAD);
        self.window = FIRST_WINDOW;
        self.next = self.acked;
        self.recovery = None;
        self.duplicates = 0;
        self.timeout = now + self.rto;
        true
    }

    fn grow_to(&mut self, window: u32) {
        self.window = window.min(MAX_WINDOW);
    }

    /// Source: RFC 6298, weights 1/8 and 1/4.
    fn note_rtt(&mut self, rtt: Duration) {
        let (smooth, variation) = match self.rtt {
            None => (rtt, rtt / 2),
            Some((smooth, variation)) => ((smooth * 7 + rtt) / 8, (variation * 3 + smooth.abs_diff(rtt)) / 4),
        };
        self.least = self.least.min(rtt);
        let slow = rtt > self.least + (self.least / 2).clamp(QUEUE.0, QUEUE.1);
        self.slower = if slow { self.slower + 1 } else { 0 };
        if self.slower == SLOWER && self.recovery.is_none() {
            self.threshold = self.threshold.min(self.window);
        }
        self.rtt = Some((smooth, variation));
        self.rto = (smooth + variation * 4).max(MIN_RTO).min(MAX_RTO / 2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use packet::icmp::TpHeader;

    const RTT: Duration = Duration::from_millis(10);

    fn fill(w: &mut Window) -> u32 {
        let mut n = 0;
        while w.take().is_some() {
            n += 1;
        }
        n
    }

    #[test]
    fn doubles_per_round_trip_then_halves_on_loss() {
        let now = Instant::ZERO;
        let mut w = Window::new(TpHeader::FIRST_SEQNO, now);
        assert_eq!(fill(&mut w), 3);
        let mut at = TpHeader::FIRST_SEQNO;
        for round in [3u32, 6, 12] {
            for _ in 0..round {
                at = at.wrapping_add(PAYLOAD);
                assert_eq!(w.answer(at, RTT, now), Answer::Fine);
            }
            assert_eq!(fill(&mut w), 2 * round, "slow start, across the wrap");
        }
        let before = w.window;
        assert_eq!(w.answer(at, RTT, now), Answer::Fine);
        assert_eq!(w.answer(at, RTT, now), Answer::Fine);
        assert_eq!(w.answer(at, RTT, now), Answer::Repeat(at), "the third one says that it is lost");
        assert_eq!(w.threshold, before / 2);
        assert_eq!(w.answer(at, RTT, now), Answer::Fine);
        let partial = at.wrapping_add(2 * PAYLOAD);
        assert_eq!(w.answer(partial, RTT, now), Answer::Repeat(partial), "another one was lost");
        let end = w.recovery.unwrap();
        assert_eq!(w.answer(end, RTT, now), Answer::Fine);
        assert_eq!((w.window, w.recovery), (before / 2, None));
    }

    #[test]
    fn gives_up_after_half_a_minute() {
        let mut now = Instant::ZERO;
        let mut w = Window::new(0, now);
        fill(&mut w);
        let mut tries = 0;
        loop {
            now = w.timeout;
            if !w.time_out(now) {
                break;
            }
            tries += 1;
            assert_eq!(fill(&mut w), 3, "from the start again");
        }
        assert_eq!((tries, now.as_micros() / 1_000_000), (4, 31));
    }

    #[test]
    fn answers_to_nothing_change_nothing() {
        let mut w = Window::new(100, Instant::ZERO);
        fill(&mut w);
        for bad in [99, 0, 100 + 4 * PAYLOAD, u32::MAX] {
            assert_eq!(w.answer(bad, RTT, Instant::ZERO), Answer::Nonsense);
        }
        assert!(w.time_out(Instant::ZERO));
        assert_eq!(w.answer(100 + 2 * PAYLOAD, RTT, Instant::ZERO), Answer::Fine, "it was sent before");
        assert_eq!(w.take(), Some(100 + 2 * PAYLOAD));
    }
}
