//! Which clients reach each other: when to ping whom, and what came of it. Pure; the clock and
//! the answers come in as arguments.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// Ping results of all ordered pairs of clients.
#[derive(Debug, Default)]
pub(crate) struct Reach {
    pairs: BTreeMap<(usize, usize), Pair>,
}

/// An ordered pair of clients: the first asks, the second answers.
#[derive(Debug, Clone)]
pub(crate) struct Pair {
    /// Since when both exist.
    since: Instant,
    next: Instant,
    seq: u16,
    waiting: VecDeque<(u16, Instant)>,
    recent: VecDeque<bool>,
    /// Requests sent.
    pub(crate) sent: u64,
    /// Requests answered in time.
    pub(crate) answered: u64,
    /// Requests that were not answered in time after the first answer ever.
    pub(crate) lost: u64,
    /// From the pair's beginning to the first answer.
    pub(crate) first: Option<Duration>,
    /// The last answer took this long.
    pub(crate) last_rtt: Option<Duration>,
    /// The quickest answer.
    pub(crate) best_rtt: Option<Duration>,
    rtt_sum: Duration,
}

/// A ping to send now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Probe {
    /// Who asks.
    pub(crate) from: usize,
    /// Who is asked.
    pub(crate) to: usize,
    /// Number of the request.
    pub(crate) seq: u16,
}

impl Pair {
    /// Answers still come: at least one of the last [`RECENT`] requests was answered.
    pub(crate) fn reachable(&self) -> bool {
        self.recent.iter().any(|answered| *answered)
    }

    /// Mean over all answers but the first, which waited for ARP.
    pub(crate) fn mean_rtt(&self) -> Option<Duration> {
        let count = u32::try_from(self.answered.saturating_sub(1)).unwrap_or(u32::MAX);
        self.rtt_sum.checked_div(count)
    }
}

impl Reach {
    /// A new client: pairs with all others, both ways.
    pub(crate) fn add_client(&mut self, client: usize, others: impl IntoIterator<Item = usize>, now: Instant) {
        for other in others {
            for ends in [(client, other), (other, client)] {
                // Not all in the same moment.
                let place = u32::try_from(self.pairs.len() % 50).unwrap_or(0);
                self.pairs.insert(ends, Pair::new(now, Duration::from_millis(5) * place));
            }
        }
    }

    /// Pings that are due. Pairs without an answer yet are tried four times a second, others once;
    /// with many pairs less often, so that the pings themselves stay a light load.
    pub(crate) fn due(&mut self, now: Instant) -> Vec<Probe> {
        let count = u32::try_from(self.pairs.len()).unwrap_or(u32::MAX);
        let mut probes = Vec::new();
        for (&(from, to), pair) in &mut self.pairs {
            pair.expire(now);
            if now < pair.next {
                continue;
            }
            let interval = match pair.reachable() {
                true => Duration::from_secs(1).max(Duration::from_millis(20) * count),
                false => Duration::from_millis(250).max(Duration::from_millis(10) * count),
            };
            pair.next = now + interval;
            pair.seq = pair.seq.wrapping_add(1);
            pair.sent += 1;
            pair.waiting.push_back((pair.seq, now));
            probes.push(Probe { from, to, seq: pair.seq });
        }
        probes
    }

    /// An answer came in. Returns how long a pair took that answers for the first time.
    pub(crate) fn answered(&mut self, probe: Probe, now: Instant) -> Option<Duration> {
        let pair = self.pairs.get_mut(&(probe.from, probe.to))?;
        let place = pair.waiting.iter().position(|(seq, _)| *seq == probe.seq)?;
        let (_, sent) = pair.waiting.remove(place)?;
        let rtt = now.saturating_duration_since(sent);
        pair.answered += 1;
        pair.remember(true);
        pair.last_rtt = Some(rtt);
        pair.best_rtt = Some(pair.best_rtt.map_or(rtt, |best| best.min(rtt)));
        if pair.first.is_some() {
            pair.rtt_sum += rtt;
            return None;
        }
        pair.first = Some(now.saturating_duration_since(pair.since));
        // The steady pace begins now; what is still out was sent before there was a way.
        pair.waiting.clear();
        pair.next = now + Duration::from_secs(1);
        pair.first
    }

    /// All pairs in order.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = ((usize, usize), &Pair)> {
        self.pairs.iter().map(|(ends, pair)| (*ends, pair))
    }

    #[cfg(test)]
    fn pair(&self, from: usize, to: usize) -> Option<&Pair> {
        self.pairs.get(&(from, to))
    }

    /// Pairs that answer now, and all pairs.
    pub(crate) fn count(&self) -> (usize, usize) {
        (self.pairs.values().filter(|pair| pair.reachable()).count(), self.pairs.len())
    }

    /// When the last pair answered for the first time, once all have.
    pub(crate) fn complete_after(&self) -> Option<Duration> {
        self.pairs.values().map(|pair| pair.first).collect::<Option<Vec<_>>>()?.into_iter().max()
    }
}

impl Pair {
    fn new(now: Instant, wait: Duration) -> Self {
        Self {
            since: now,
            next: now + wait,
            seq: 0,
            waiting: VecDeque::new(),
            recent: VecDeque::new(),
            sent: 0,
            answered: 0,
            lost: 0,
            first: None,
            last_rtt: None,
            best_rtt: None,
            rtt_sum: Duration::ZERO,
        }
    }

    fn expire(&mut self, now: Instant) {
        while self.waiting.front().is_some_and(|(_, sent)| now.saturating_duration_since(*sent) >= PATIENCE) {
            self.waiting.pop_front();
            self.lost += u64::from(self.first.is_some());
            self.remember(false);
        }
    }

    fn remember(&mut self, answered: bool) {
        self.recent.push_back(answered);
        if self.recent.len() > RECENT {
            self.recent.pop_front();
        }
    }
}

/// A request without an answer for this long is lost.
const PATIENCE: Duration = Duration::from_secs(1);
/// Requests that say whether a pair answers now.
pub(crate) const RECENT: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(start: Instant, ms: u64) -> Instant {
        start + Duration::from_millis(ms)
    }

    #[test]
    fn a_pair_is_tried_often_until_it_answers_then_once_a_second() {
        let start = Instant::now();
        let mut reach = Reach::default();
        reach.add_client(0, [1], start);
        assert_eq!(reach.count(), (0, 2));
        let mut sent = Vec::new();
        for ms in (0..5000).step_by(50) {
            for probe in reach.due(at(start, ms)) {
                if probe.from == 0 {
                    sent.push(ms);
                    if ms >= 1000 {
                        let first = reach.answered(probe, at(start, ms + 10));
                        assert_eq!(first.is_some(), sent.iter().filter(|ms| **ms >= 1000).count() == 1);
                    }
                }
            }
        }
        assert_eq!(sent, [0, 250, 500, 750, 1000, 2050, 3050, 4050]);
        let pair = reach.pair(0, 1).unwrap();
        assert_eq!(pair.first, Some(Duration::from_millis(1010)));
        assert_eq!((pair.sent, pair.answered, pair.lost), (8, 4, 0));
        assert!(pair.reachable());
        assert!(!reach.pair(1, 0).unwrap().reachable());
        assert_eq!(reach.count(), (1, 2));
        assert_eq!(reach.complete_after(), None);
    }

    #[test]
    fn silence_makes_a_pair_unreachable_again() {
        let start = Instant::now();
        let mut reach = Reach::default();
        reach.add_client(0, [1], start);
        for probe in reach.due(at(start, 5)) {
            reach.answered(probe, at(start, 8));
        }
        assert_eq!(reach.count(), (2, 2));
        assert_eq!(reach.complete_after(), Some(Duration::from_millis(8)));
        for ms in (1000..9000).step_by(100) {
            reach.due(at(start, ms));
        }
        assert_eq!(reach.count(), (0, 2));
        assert!(reach.pair(0, 1).unwrap().lost >= 3);
    }

    #[test]
    fn late_and_foreign_answers_do_not_count() {
        let start = Instant::now();
        let mut reach = Reach::default();
        reach.add_client(0, [1], start);
        let probe = reach.due(start)[0];
        reach.due(at(start, 1500));
        assert_eq!(reach.answered(probe, at(start, 1501)), None);
        assert_eq!(reach.answered(Probe { seq: 99, ..probe }, at(start, 1501)), None);
        assert_eq!(reach.answered(Probe { from: 7, ..probe }, at(start, 1501)), None);
        assert_eq!(reach.pair(probe.from, probe.to).unwrap().answered, 0);
    }

    #[test]
    fn many_pairs_are_pinged_at_a_bounded_rate() {
        let start = Instant::now();
        let mut reach = Reach::default();
        for client in 0..50 {
            reach.add_client(client, 0..client, start);
        }
        let sent: usize = (0..100).map(|tick| reach.due(at(start, tick * 100)).len()).sum();
        assert!(sent <= 2450 + 1000, "{sent} in ten seconds");
    }
}
