//! The receiving side of a throughput test: what has come, and what is still missing.

use alloc::vec::Vec;

/// Most pieces that came ahead of a gap. Source: "Payload plane" section 9.
const PIECES: usize = 100;
/// A message this far ahead of what is expected belongs to no test: more than any sender's window.
const FARTHEST: i32 = 0x2000_0000;

/// What has come of a stream of bytes. Numbers wrap at 2^32 and are compared by their distance.
#[derive(Debug)]
pub(super) struct Received {
    /// The next byte expected.
    pub(super) next: u32,
    /// Pieces ahead of it, first byte and length, in order and apart from each other.
    ahead: Vec<(u32, u32)>,
}

impl Received {
    pub(super) const fn new(first: u32) -> Self {
        Self { next: first, ahead: Vec::new() }
    }

    /// Takes `len` bytes from `seqno` on; false if they cannot belong to this stream. Bytes that
    /// came before, and those for which there is no room, change nothing.
    pub(super) fn add(&mut self, seqno: u32, len: u32) -> bool {
        let distance = seqno.wrapping_sub(self.next) as i32;
        if !(-FARTHEST..=FARTHEST).contains(&distance) {
            return false;
        }
        if distance <= 0 {
            self.advance(seqno.wrapping_add(len));
        } else {
            self.keep(seqno, len);
        }
        true
    }

    /// Everything up to `end` is here, and what follows without a gap.
    fn advance(&mut self, end: u32) {
        if !is_after(end, self.next) {
            return;
        }
        self.next = end;
        let done = self.ahead.iter().take_while(|(first, len)| {
            let joined = !is_after(*first, self.next);
            if joined && is_after(first.wrapping_add(*len), self.next) {
                self.next = first.wrapping_add(*len);
            }
            joined
        });
        let done = done.count();
        self.ahead.drain(..done);
    }

    /// Keeps a piece that came too early.
    fn keep(&mut self, seqno: u32, len: u32) {
        let from_next = |n: u32| n.wrapping_sub(self.next);
        let (mut first, mut end) = (from_next(seqno), from_next(seqno).saturating_add(len));
        // Pieces that touch it become one with it.
        let touches = |&(f, l): &(u32, u32)| from_next(f) <= end && first <= from_next(f).saturating_add(l);
        let joined: Vec<(u32, u32)> = self.ahead.iter().copied().filter(touches).collect();
        if joined.is_empty() && self.ahead.len() >= PIECES {
            return;
        }
        self.ahead.retain(|piece| !joined.contains(piece));
        for (f, l) in joined {
            first = first.min(from_next(f));
            end = end.max(from_next(f).saturating_add(l));
        }
        let at = self.ahead.partition_point(|(f, _)| f.wrapping_sub(self.next) < first);
        self.ahead.insert(at, (self.next.wrapping_add(first), end - first));
    }
}

fn is_after(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) as i32) > 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn gaps_are_filled_across_the_wrap() {
        let mut r = Received::new(u32::MAX - 99);
        assert!(r.add(u32::MAX - 99, 50));
        assert!(r.add(50, 100) && r.add(200, 100));
        assert_eq!(r.next, u32::MAX - 49);
        assert!(r.add(u32::MAX - 49, 100), "this one wraps");
        assert_eq!(r.next, 150);
        assert!(r.add(0, 10), "an old one again");
        assert!(r.add(100, 120));
        assert_eq!((r.next, r.ahead.len()), (300, 0));
        assert!(!r.add(300u32.wrapping_add(0x3000_0000), 10));
    }

    #[test]
    fn no_more_than_a_hundred_pieces() {
        let mut r = Received::new(0);
        for i in 1..1000 {
            r.add(i * 20, 10);
        }
        assert_eq!(r.ahead.len(), PIECES);
        r.add(30, 10);
        assert_eq!(r.ahead.len(), PIECES - 1, "one that closes a gap still counts");
        r.add(0, 20);
        assert_eq!(r.next, 50);
    }

    #[test]
    fn any_order_leads_to_the_same_end() {
        for seed in 0..200 {
            let mut rng = Rng::new(seed);
            let first = 0u32.wrapping_sub(rng.next_u32() % 5000);
            let mut pieces: Vec<u32> = (0..60).map(|i| first.wrapping_add(i * 100)).collect();
            for i in (1..pieces.len()).rev() {
                pieces.swap(i, (rng.next_u32() as usize) % (i + 1));
            }
            let mut r = Received::new(first);
            for p in &pieces {
                r.add(*p, 100);
                r.add(pieces[(rng.next_u32() as usize) % 60], 0);
            }
            assert_eq!((r.next, r.ahead.len()), (first.wrapping_add(6000), 0), "seed {seed}");
        }
    }
}
