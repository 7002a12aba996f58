//! Frames in buffers with room in front, so that encapsulation never moves the payload.

use crate::queue::Class;
use alloc::vec::Vec;
use core::fmt;

/// Room in front of a received frame: the largest header stack that the mesh puts before a
/// client frame is 18 + 14 bytes; a restored VLAN tag takes 4 more.
pub const HEADROOM: usize = 64;

/// One Ethernet frame without its checksum. Owns its buffer; a hop hands it on, it is not copied.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Frame {
    buf: Vec<u8>,
    start: usize,
    end: usize,
    /// 802.1p priority of what is inside, 0 to 7.
    pub priority: u8,
    /// Set on what comes from clients of this node: the owner's, or a guest's.
    pub class: Option<Class>,
}

impl Frame {
    /// A frame of `len` zero bytes with [`HEADROOM`] in front.
    pub fn zeroed(len: usize) -> Self {
        Self { buf: alloc::vec![0; HEADROOM + len], start: HEADROOM, end: HEADROOM + len, priority: 0, class: None }
    }

    /// A copy of `bytes` with [`HEADROOM`] in front.
    pub fn copy_of(bytes: &[u8]) -> Self {
        let mut frame = Self::zeroed(0);
        frame.extend(bytes);
        frame
    }

    /// A buffer of `capacity` bytes in all, its frame empty and starting behind the headroom.
    /// Grow it with [`Frame::set_len`] after a receive call wrote into [`Frame::space_mut`].
    pub fn with_space(capacity: usize) -> Self {
        let capacity = capacity.max(HEADROOM);
        Self { buf: alloc::vec![0; capacity], start: HEADROOM, end: HEADROOM, priority: 0, class: None }
    }

    /// Everything behind the start of the frame, for a receive call to write into.
    pub fn space_mut(&mut self) -> &mut [u8] {
        self.buf.get_mut(self.start..).unwrap_or_default()
    }

    /// Declares the first `len` bytes of [`Frame::space_mut`] to be the frame (cut to what is there).
    pub fn set_len(&mut self, len: usize) {
        self.end = (self.start + len).min(self.buf.len());
    }

    /// Empties the frame and restores the headroom, for reuse of the buffer.
    pub fn clear(&mut self) {
        self.start = HEADROOM.min(self.buf.len());
        self.end = self.start;
        self.priority = 0;
        self.class = None;
    }

    /// Bytes of the whole buffer, headroom included.
    pub fn capacity(&self) -> usize {
        self.buf.len()
    }

    /// Bytes of the frame.
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// True when the frame has no bytes.
    pub fn is_empty(&self) -> bool {
        self.end == self.start
    }

    /// The frame.
    pub fn bytes(&self) -> &[u8] {
        self.buf.get(self.start..self.end).unwrap_or_default()
    }

    /// The frame, writable.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.buf.get_mut(self.start..self.end).unwrap_or_default()
    }

    /// Puts `n` bytes in front (old contents of the headroom) and returns the whole frame.
    /// Moves the frame only when the headroom is used up.
    pub fn push_front(&mut self, n: usize) -> &mut [u8] {
        if n > self.start {
            let mut grown = alloc::vec![0; HEADROOM + n + self.len()];
            let start = HEADROOM + n;
            if let Some(room) = grown.get_mut(start..) {
                room.copy_from_slice(self.bytes());
            }
            self.end = grown.len();
            self.start = start;
            self.buf = grown;
        }
        self.start -= n;
        self.bytes_mut()
    }

    /// Drops `n` bytes at the front (all, if there are fewer).
    pub fn pull_front(&mut self, n: usize) {
        self.start = (self.start + n).min(self.end);
    }

    /// Keeps the first `n` bytes.
    pub fn truncate(&mut self, n: usize) {
        self.end = (self.start + n).min(self.end);
    }

    /// Appends bytes at the end.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.buf.truncate(self.end);
        self.buf.extend_from_slice(bytes);
        self.end = self.buf.len();
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frame({} bytes)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_in_front_and_behind() {
        let mut f = Frame::copy_of(b"payload");
        f.push_front(4)[..4].copy_from_slice(b"head");
        assert_eq!(f.bytes(), b"headpayload");
        f.pull_front(4);
        f.extend(b"!");
        assert_eq!(f.bytes(), b"payload!");
        let whole = f.push_front(200);
        assert_eq!(whole.len(), 208);
        assert_eq!(&whole[200..], b"payload!");
        f.clear();
        assert!(f.is_empty());
    }
}
