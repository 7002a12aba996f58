//! Shared air: a neighbour whose owner waits asks those around to hold back what they carry for others.
//!
//! Only Meshwork nodes ask and are asked ([`say::YIELD`]), only on radios, and only while the owner's own
//! frames wait. A request holds for a quarter of a second at most. So that nobody can silence others with
//! it, each hard interface has a stock of such time: [`STOCK`], which fills again by two fifths of the time
//! that passes, whoever asks. An owner who sends for a while has the air; one who asks for ever is granted less than half
//! of any five minutes.

use crate::border::Output;
use crate::config::LinkId;
use crate::counters::Drop;
use crate::fib::{FibChange, NextHop};
use crate::mesh::Mesh;
use crate::time::{Duration, Instant};
use alloc::vec::Vec;
use packet::meshwork::say;

/// What one request asks for.
const HOLD: Duration = Duration::from_millis(200);
/// Requests follow each other so closely at most.
const ASK_EVERY: Duration = Duration::from_millis(100);
/// The longest time that one request is granted.
const MOST: Duration = Duration::from_millis(250);
/// Time for which others are held back in a row.
const STOCK: Duration = Duration::from_secs(20);
/// Neighbours that are asked at a time.
const ASKED: usize = 16;

/// Requests of one hard interface, ours and those of others.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Courtesy {
    asked: Instant,
    stock: Duration,
    counted: Instant,
    until: Instant,
}

impl Courtesy {
    pub(crate) fn new(now: Instant) -> Self {
        Self { asked: Instant::ZERO, stock: STOCK, counted: now, until: now }
    }

    /// Until when others are held back after a request for `time`; `None` if the stock is used up.
    fn grant(&mut self, time: Duration, now: Instant) -> Option<Instant> {
        self.stock = (self.stock + now.since(self.counted) * 2 / 5).min(STOCK);
        self.counted = now;
        let until = now + time.min(MOST);
        let more = until.since(self.until.max(now));
        if more > self.stock {
            return None;
        }
        self.stock = self.stock.saturating_sub(more);
        self.until = self.until.max(until);
        Some(self.until)
    }
}

impl Mesh {
    /// Frames of the owner wait at this hard interface: Meshwork neighbours are asked for air.
    pub(crate) fn owner_waits(&mut self, id: LinkId, now: Instant) {
        let Some(link) = self.links.get_mut(&id).filter(|l| l.cfg.wifi) else { return };
        if !self.cfg.extensions || now < link.courtesy.asked + ASK_EVERY {
            return;
        }
        link.courtesy.asked = now;
        let all: Vec<NextHop> = link.neighbors.keys().map(|&neigh| NextHop { link: id, neigh }).collect();
        let hops: Vec<NextHop> = all.into_iter().filter(|hop| self.runs_meshwork(*hop)).take(ASKED).collect();
        for hop in hops {
            self.say_one(hop, say::YIELD, HOLD.as_millis() as u16, &[]);
        }
    }

    /// A neighbour asks for air, for so many milliseconds.
    pub(crate) fn receive_yield(&mut self, hop: NextHop, ms: u16, now: Instant) -> Result<(), Drop> {
        let Some(link) = self.links.get_mut(&hop.link).filter(|l| l.cfg.wifi) else { return Err(Drop::Unsupported) };
        let time = Duration::from_millis(u64::from(ms));
        let until = link.courtesy.grant(time, now).ok_or(Drop::RateLimit)?;
        self.out.push_back(Output::Fib(FibChange::Yield(hop.link, until)));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The part of `secs` for which others are held back by somebody who asks every 100 ms.
    fn held(secs: u64) -> f64 {
        let mut courtesy = Courtesy::new(Instant::ZERO);
        let mut held = 0;
        for ms in 0..secs * 1000 {
            let now = Instant::from_micros(ms * 1000);
            if ms % 100 == 0 {
                courtesy.grant(Duration::from_millis(60_000), now);
            }
            held += u64::from(courtesy.until > now);
        }
        held as f64 / (secs * 1000) as f64
    }

    #[test]
    fn a_while_is_granted_and_for_ever_is_not() {
        assert!(held(30) > 0.99);
        let (minutes, hour) = (held(300), held(3600));
        assert!((0.42..0.5).contains(&minutes), "asked for five minutes: {minutes}");
        assert!((0.38..0.42).contains(&hour), "asked for an hour: {hour}");
    }
}
