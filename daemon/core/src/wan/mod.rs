//! A shared line to the Internet: its owner first, guests all that is left, and nobody types in how fast it is.
//!
//! Guests' packets pass this node, so they can be held back here ([`gate::Gate`]), before they go out and after
//! they came in; the owner's pass by and are only counted. How much guests may have is found by watching
//! ([`Control`]): a few small questions a second to somebody behind the line show how long its queues are, in
//! each direction; while a queue stands, what passes is what the line can carry ([`line::Line`]).
//!
//! ```text
//!   answers ---> Delay ---> queue of each direction ---+
//!   bytes of the interface and of guests --------------+--> Line (down), Line (up) ---> rate of each Gate
//! ```
//! Related: cake-autorate (delay of probes moves the rate of a shaper), LEDBAT (RFC 6817: the one who yields
//! to delay). Pure: time and measurements are arguments.

pub mod delay;
pub mod gate;
pub mod line;
pub mod reach;
#[cfg(test)]
mod tests;

use crate::time::{Duration, Instant};
use delay::Delay;
use line::{Line, Side};

/// Time between two looks at the counters.
pub const TICK: Duration = Duration::from_millis(50);

/// What passed in one direction, in bytes since any start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Passed {
    /// Everybody's, by the counter of the interface.
    pub all: u64,
    /// Guests' among it.
    pub guests: u64,
    /// Guests have waited for their turn since the last look.
    pub waited: bool,
}

/// Both directions of a shared line.
#[derive(Debug, Clone)]
pub struct Control {
    /// How long its queues are.
    pub delay: Delay,
    /// From the Internet.
    pub down: Line,
    /// Towards it.
    pub up: Line,
}

impl Default for Control {
    fn default() -> Self {
        Self { delay: Delay::default(), down: Line::new(Side::Down), up: Line::new(Side::Up) }
    }
}

impl Control {
    /// Takes in what passed until `now`; to be called every [`TICK`] or so. The new limits are those of the lines.
    pub fn tick(&mut self, down: Passed, up: Passed, now: Instant) {
        self.down.count(down, now);
        self.up.count(up, now);
        let queue = self.delay.queues(now);
        let (mut q_down, mut q_up) = (queue.map(|q| q.down), queue.map(|q| q.up));
        if let Some(queue) = queue.filter(|q| !q.split) {
            // Only the way there and back is known: it waits where most is going on.
            let (load_down, load_up) = (self.down.load(), self.up.load());
            let most = load_down.max(load_up);
            let here =
                |load: u64| Some(if load == most || (load >= 500 && load * 10 >= most * 7) { queue.both } else { 0 });
            (q_down, q_up) = (here(load_down), here(load_up));
        }
        self.down.decide(q_down, now);
        self.up.decide(q_up, now);
        let idle = self.down.load() < 300 && self.up.load() < 300;
        let proven = self.down.take_shifted() | self.up.take_shifted();
        self.delay.look(idle, self.down.swing() || self.up.swing(), proven, now);
    }
}
