//! How much of what a socket sent is still in the machine, where the socket does not tell.
//!
//! Most drivers keep a frame charged to the socket that sent it until the hardware has it. Some let it go
//! at once: a TAP device, and some radios. There the socket shows nothing unsent, however long their own
//! queue is, and nothing tells when it has room. What such an interface has sent is in its counters.
//! They are asked for by netlink, and only of interfaces that were caught letting go early.

use crate::netlink::RouteSocket;
use crate::netlink::message::{Message, attrs};
use std::time::{Duration, Instant};

/// Frames that are enough to see whether the driver lets go early ...
const ENOUGH: u64 = 16;
/// ... which is looked at so often at most ...
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// ... when so many are missing: the socket has none of them, and the interface has not sent them ...
const MISSING: u64 = 4;
/// ... until it was seen so many times in a row.
const SURE: u8 = 3;
/// Answers are this fresh.
const FRESH: Duration = Duration::from_micros(250);
/// When nothing left for so long, what is missing was lost on the way, not sent.
const STUCK: Duration = Duration::from_millis(500);

const GETSTATS: u16 = 94; // RTM_GETSTATS
const ACK: u16 = 4; // NLM_F_ACK
const LINK_64: u32 = 1; // IFLA_STATS_FILTER_BIT(IFLA_STATS_LINK_64)
const STATS_LINK_64: u16 = 1; // IFLA_STATS_LINK_64
/// Length of `struct if_stats_msg`.
const HEAD: usize = 12;

/// What one interface still has of ours.
pub struct Drain {
    ifindex: u32,
    socket: Option<RouteSocket>,
    /// Frames handed to the driver since the last look; of one that lets go early, less those that left it.
    below: u64,
    /// Mean length of a frame, in bytes.
    mean: usize,
    /// Frames that the interface was rid of when it was asked last, sent or dropped; and when that was.
    gone: Option<u64>,
    asked: Instant,
    /// When the count moved last.
    moved: Instant,
    /// The driver was seen letting go early so many times.
    early: u8,
    look_at: Instant,
}

impl Drain {
    /// Of the interface with this index.
    pub fn new(ifindex: u32) -> Self {
        let now = Instant::now();
        let (below, mean, gone, early) = (0, 1514, None, 0);
        Self { ifindex, socket: None, below, mean, gone, asked: now, moved: now, early, look_at: now }
    }

    /// The driver lets frames go early: the rest here counts, not what the socket says.
    pub fn is_early(&self) -> bool {
        self.early >= SURE
    }

    /// So many frames of so many bytes went to the driver; `unsent` tells what the socket still has of them.
    pub fn sent(&mut self, frames: usize, bytes: usize, unsent: impl FnOnce() -> Option<u32>) {
        if frames == 0 {
            return;
        }
        if self.below == 0 {
            self.moved = Instant::now();
        }
        self.below += frames as u64;
        self.mean = (self.mean * 7 + bytes / frames) / 8;
        if self.is_early() {
            if unsent() != Some(0) {
                // It does keep them: what was missing got lost below us.
                (self.early, self.below) = (0, 0);
            }
        } else if self.below >= ENOUGH && Instant::now() >= self.look_at {
            self.look(unsent());
        }
    }

    /// Are there frames that the socket has no more and the interface not sent yet?
    fn look(&mut self, unsent: Option<u32>) {
        let Some(gone) = self.ask() else {
            self.look_at = Instant::now() + 100 * LOOK_EVERY;
            return;
        };
        // The first look has nothing to compare with.
        let left = self.gone.replace(gone).map_or(0, |was| self.below.saturating_sub(gone.wrapping_sub(was)));
        self.early = if unsent == Some(0) && left >= MISSING { self.early + 1 } else { 0 };
        self.below = if self.is_early() { left } else { 0 };
        (self.asked, self.moved) = (Instant::now(), Instant::now());
        self.look_at = self.asked + LOOK_EVERY;
    }

    /// Bytes that are still in the interface, about.
    pub fn bytes(&mut self) -> u32 {
        let now = Instant::now();
        if self.is_early() && self.below > 0 && now.duration_since(self.asked) >= FRESH {
            self.asked = now;
            match self.ask() {
                Some(gone) => {
                    let left = self.gone.replace(gone).map_or(0, |was| gone.wrapping_sub(was));
                    if left > 0 {
                        self.moved = now;
                    }
                    // Frames of others are counted too, so it can be more than ours.
                    self.below = self.below.saturating_sub(left);
                    if now.duration_since(self.moved) > STUCK {
                        self.below = 0;
                    }
                }
                // Without counters there is nothing to go by.
                None => self.early = 0,
            }
        }
        u32::try_from(self.below).unwrap_or(u32::MAX).saturating_mul(u32::try_from(self.mean).unwrap_or(u32::MAX))
    }

    /// Frames that the interface is rid of since it was made: sent, failed or dropped.
    fn ask(&mut self) -> Option<u64> {
        if self.socket.is_none() {
            self.socket = RouteSocket::open().ok();
        }
        let mut head = [0; HEAD];
        head[4..8].copy_from_slice(&self.ifindex.to_ne_bytes());
        head[8..12].copy_from_slice(&LINK_64.to_ne_bytes());
        let mut found = None;
        let each = |_: u16, body: &[u8]| {
            let stats = attrs(body.get(HEAD..).unwrap_or_default()).find(|(kind, _)| *kind == STATS_LINK_64);
            let at = |i: usize| Some(u64::from_ne_bytes(stats?.1.get(i * 8..i * 8 + 8)?.try_into().ok()?));
            // struct rtnl_link_stats64: packets sent, errors and drops in sending.
            found = at(1).and_then(|sent| Some(sent.wrapping_add(at(5)?).wrapping_add(at(7)?)));
        };
        self.socket.as_mut()?.exchange(Message::new(GETSTATS, ACK).raw(&head), each).ok()?;
        found
    }
}
