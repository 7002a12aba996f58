//! Flooded client frames that several gateways of one LAN took into the mesh.
//! Source: "Payload plane" section 7.8.

use crate::time::{Duration, Instant};
use alloc::collections::VecDeque;
use packet::MacAddr;
use packet::crc::crc32c_raw;

/// Frames are remembered this long.
const MEMORY: Duration = Duration::from_millis(500);
/// Most frames remembered. The kernel has 16, which a busy LAN overruns.
const MOST: usize = 128;

/// A frame that was let through.
#[derive(Debug, Clone, Copy)]
struct Seen {
    at: Instant,
    crc: u32,
    len: usize,
    orig: MacAddr,
}

/// Client frames let through lately, newest first.
#[derive(Debug, Default)]
pub(crate) struct Duplicates(VecDeque<Seen>);

impl Duplicates {
    /// True if another originator brought the same frame just now; else it is remembered. `orig` is
    /// zero where it is not known, which is another one than everybody else. One originator may
    /// repeat itself: its station may mean it.
    pub(crate) fn is_repeated(&mut self, frame: &[u8], orig: MacAddr, now: Instant) -> bool {
        let fresh = Seen { at: now, crc: crc32c_raw(u32::MAX, frame), len: frame.len(), orig };
        self.0.retain(|s| now.since(s.at) <= MEMORY);
        if self.matches(fresh).any(|s| orig == MacAddr::ZERO || s.orig == MacAddr::ZERO || s.orig != orig) {
            return true;
        }
        self.0.truncate(MOST - 1);
        self.0.push_front(fresh);
        false
    }

    /// The originator that brought the same frame just now.
    pub(crate) fn brought_by(&self, frame: &[u8], now: Instant) -> Option<MacAddr> {
        let fresh = Seen { at: now, crc: crc32c_raw(u32::MAX, frame), len: frame.len(), orig: MacAddr::ZERO };
        self.matches(fresh).find(|s| now.since(s.at) <= MEMORY).map(|s| s.orig)
    }

    /// Remembers a frame that we flood ourselves.
    pub(crate) fn note(&mut self, frame: &[u8], orig: MacAddr, now: Instant) {
        self.0.truncate(MOST - 1);
        self.0.push_front(Seen { at: now, crc: crc32c_raw(u32::MAX, frame), len: frame.len(), orig });
    }

    /// True if no more is remembered than may be.
    pub(crate) fn is_bounded(&self) -> bool {
        self.0.len() <= MOST
    }

    fn matches(&self, fresh: Seen) -> impl Iterator<Item = &Seen> {
        self.0.iter().filter(move |s| (s.crc, s.len) == (fresh.crc, fresh.len))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
    const B: MacAddr = MacAddr([2, 0, 0, 0, 0, 2]);

    #[test]
    fn the_same_frame_by_another_way_is_a_duplicate() {
        let at = |ms: u64| Instant::from_micros(ms * 1000);
        let mut d = Duplicates::default();
        assert!(!d.is_repeated(b"hello", A, at(0)));
        assert!(!d.is_repeated(b"hello", A, at(10)), "A may say it twice");
        assert!(d.is_repeated(b"hello", B, at(20)));
        assert!(d.is_repeated(b"hello", MacAddr::ZERO, at(20)));
        assert!(!d.is_repeated(b"hallo", B, at(20)));
        assert_eq!(d.brought_by(b"hello", at(30)), Some(A));
        assert!(!d.is_repeated(b"hello", B, at(511)), "forgotten");
        assert_eq!(d.brought_by(b"hallo", at(2000)), None);
    }

    #[test]
    fn memory_is_bounded() {
        let mut d = Duplicates::default();
        for n in 0..1000u32 {
            assert!(!d.is_repeated(&n.to_be_bytes(), A, Instant::ZERO));
        }
        assert_eq!(d.0.len(), MOST);
        assert!(d.is_repeated(&999u32.to_be_bytes(), B, Instant::ZERO));
    }
}
