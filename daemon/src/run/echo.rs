//! Mesh echo requests that wait for their answer.

use mesh_core::{Duration, Echo, EchoAnswer, Instant};
use std::collections::VecDeque;
use tokio::sync::mpsc;

/// Requests remembered; the oldest is forgotten for a new one.
const MOST: usize = 256;
/// An answer later than this is of no use to anybody.
const PATIENCE: Duration = Duration::from_secs(30);

/// Requests under way. Each gets a number of its own, so that any number of people can ask at
/// once whatever numbers they chose.
#[derive(Debug, Default)]
pub(super) struct Echoes {
    waiting: VecDeque<Waiting>,
    count: u32,
}

#[derive(Debug)]
struct Waiting {
    /// What travels.
    uid: u8,
    seqno: u16,
    /// What was asked for.
    asked: Echo,
    sent: Instant,
    to: mpsc::Sender<EchoAnswer>,
}

impl Echoes {
    /// Notes a request and returns it as it must be sent.
    pub(super) fn ask(&mut self, asked: Echo, to: mpsc::Sender<EchoAnswer>, now: Instant) -> Echo {
        self.count = self.count.wrapping_add(1);
        let [_, uid, high, low] = self.count.to_be_bytes();
        let seqno = u16::from_be_bytes([high, low]);
        if self.waiting.len() >= MOST {
            self.waiting.pop_front();
        }
        self.waiting.push_back(Waiting { uid, seqno, asked, sent: now, to });
        Echo { uid, seqno, ..asked }
    }

    /// Passes an answer on to whoever asked.
    pub(super) fn answer(&mut self, answer: &EchoAnswer, now: Instant) {
        let Some(at) = self.waiting.iter().position(|w| (w.uid, w.seqno) == (answer.uid, answer.seqno)) else {
            return;
        };
        let Some(waiting) = self.waiting.remove(at) else { return };
        let answer = EchoAnswer {
            uid: waiting.asked.uid,
            seqno: waiting.asked.seqno,
            rtt: Some(now.since(waiting.sent)),
            ..answer.clone()
        };
        // Whoever asked may be gone.
        let _ = waiting.to.try_send(answer);
    }

    /// Forgets requests that nobody answered.
    pub(super) fn forget_old(&mut self, now: Instant) {
        self.waiting.retain(|w| now.since(w.sent) < PATIENCE && !w.to.is_closed());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use packet::MacAddr;

    #[test]
    fn two_askers_with_the_same_numbers_get_their_own_answers() {
        let mut echoes = Echoes::default();
        let asked = Echo { dst: MacAddr([2, 0, 0, 0, 0, 1]), ttl: 50, uid: 9, seqno: 1, record_route: false };
        let (to_a, mut a) = mpsc::channel(4);
        let (to_b, mut b) = mpsc::channel(4);
        let first = echoes.ask(asked, to_a, Instant::from_micros(1000));
        let second = echoes.ask(asked, to_b, Instant::from_micros(2000));
        assert_ne!((first.uid, first.seqno), (second.uid, second.seqno));
        let answer = |e: Echo, ttl| EchoAnswer {
            from: e.dst,
            uid: e.uid,
            seqno: e.seqno,
            ttl,
            ttl_exceeded: false,
            route: Vec::new(),
            rtt: None,
        };
        echoes.answer(&answer(second, 7), Instant::from_micros(2500));
        echoes.answer(&answer(second, 8), Instant::from_micros(2600));
        assert!(a.try_recv().is_err());
        let got = b.try_recv().unwrap();
        assert_eq!((got.uid, got.seqno, got.ttl, got.rtt), (9, 1, 7, Some(Duration::from_micros(500))));
        assert!(b.try_recv().is_err(), "a second answer to one request is not passed on");
        echoes.forget_old(Instant::from_micros(40_000_000));
        echoes.answer(&answer(first, 1), Instant::from_micros(40_000_001));
        assert!(a.try_recv().is_err());
    }
}
