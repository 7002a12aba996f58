//! Buffers that go round, so that no frame of the hot path is allocated.

use mesh_core::Frame;
use mesh_core::frame::HEADROOM;

/// Most buffers kept, 0.4 MB of the usual size: a full batch of every kind. Under more pressure
/// than that some are made and freed again, which costs little beside the system calls.
const MOST: usize = 256;

/// Empty buffers, the last used first: it is the one the cache still knows.
#[derive(Debug)]
pub struct Pool {
    frames: Vec<Frame>,
    capacity: usize,
}

impl Pool {
    /// For frames of up to `frame_len` bytes, Ethernet header included.
    pub fn new(frame_len: usize) -> Self {
        Self { frames: Vec::new(), capacity: capacity_for(frame_len) }
    }

    /// Makes all buffers from now on long enough for `frame_len` bytes; true if that changed
    /// anything, so that buffers handed out earlier are too short.
    pub fn grow_to(&mut self, frame_len: usize) -> bool {
        let capacity = capacity_for(frame_len);
        if capacity <= self.capacity {
            return false;
        }
        self.capacity = capacity;
        self.frames.clear();
        true
    }

    /// An empty buffer.
    #[inline]
    pub fn take(&mut self) -> Frame {
        self.frames.pop().unwrap_or_else(|| Frame::with_space(self.capacity))
    }

    /// Takes a buffer back. One that came from elsewhere and has another size is freed.
    #[inline]
    pub fn put(&mut self, mut frame: Frame) {
        if frame.capacity() == self.capacity && self.frames.len() < MOST {
            frame.clear();
            self.frames.push(frame);
        }
    }
}

// One byte more than the longest frame, so that a longer one shows; rounded to whole cache lines.
const fn capacity_for(frame_len: usize) -> usize {
    (HEADROOM + frame_len + 1).next_multiple_of(64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_come_back_empty_and_long_enough() {
        let mut pool = Pool::new(1514);
        let mut frame = pool.take();
        assert!(frame.space_mut().len() > 1514);
        frame.set_len(100);
        frame.pull_front(14);
        frame.priority = 3;
        let at = frame.bytes().as_ptr();
        pool.put(frame);
        let again = pool.take();
        assert_eq!((again.len(), again.priority), (0, 0));
        assert_eq!(again.bytes().as_ptr().wrapping_add(14), at, "the same buffer, headroom restored");
        pool.put(Frame::with_space(64));
        assert!(pool.take().space_mut().len() > 1514, "a short stranger is not handed out");
    }

    #[test]
    fn growing_forgets_short_buffers() {
        let mut pool = Pool::new(1514);
        let old = pool.take();
        assert!(!pool.grow_to(1000));
        assert!(pool.grow_to(9018));
        pool.put(old);
        assert!(pool.take().space_mut().len() > 9018);
    }
}
