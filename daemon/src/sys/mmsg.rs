//! Batches of frames received and sent with one system call each, straight into and out of
//! [`Frame`] buffers.

use mesh_core::Frame;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// What the kernel tells beside a received frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RxNote {
    /// Nothing special.
    Plain,
    /// It had an outer VLAN tag, which the kernel took off. Only sockets bound to all ethertypes
    /// are told.
    OuterTag,
    /// It did not fit the buffer; its end is missing.
    Truncated,
    /// The sender left an inner checksum to the hardware, which did not fill it in.
    ChecksumMissing,
}

/// Room for one auxiliary message, aligned as the kernel writes it.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control([u8; CONTROL_LEN]);

// A cmsghdr and a tpacket_auxdata, padded: 36 bytes on 64-bit systems.
const CONTROL_LEN: usize = 64;
const _: () = assert!(size_of::<libc::cmsghdr>() + size_of::<libc::tpacket_auxdata>() + 8 <= CONTROL_LEN);

/// Receives up to a fixed number of frames with one system call.
pub struct RxBatch {
    heads: Box<[libc::mmsghdr]>,
    iovs: Box<[libc::iovec]>,
    control: Box<[Control]>,
    frames: Box<[Frame]>,
    /// Slots below this one need a buffer or fresh pointers before the next call.
    stale: usize,
}

impl RxBatch {
    /// For up to `size` frames per call.
    pub fn new(size: usize) -> Self {
        Self {
            heads: zeroed_heads(size),
            iovs: zeroed_iovs(size),
            control: vec![Control([0; CONTROL_LEN]); size].into_boxed_slice(),
            frames: std::iter::repeat_with(Frame::default).take(size).collect(),
            stale: size,
        }
    }

    /// Frees the buffers held for the next call, for instance because they became too short.
    pub fn forget_buffers(&mut self) {
        self.frames.fill_with(Frame::default);
        self.stale = self.frames.len();
    }

    /// Fetches what is there, without waiting, and returns the number of frames. `fresh` gives
    /// empty buffers. Take every frame with [`RxBatch::take`] before the next call; those left
    /// are lost.
    ///
    /// # Errors
    /// `WouldBlock` when nothing is there; what the interface reports, such as `ENETDOWN`.
    pub fn recv(&mut self, fd: BorrowedFd<'_>, mut fresh: impl FnMut() -> Frame) -> io::Result<usize> {
        let slots = self.heads.iter_mut().zip(&mut self.iovs).zip(&mut self.control).zip(&mut self.frames);
        for (((head, iov), control), frame) in slots.take(self.stale) {
            if frame.capacity() == 0 {
                *frame = fresh();
            }
            let space = frame.space_mut();
            *iov = libc::iovec { iov_base: space.as_mut_ptr().cast(), iov_len: space.len() };
            head.msg_hdr.msg_iov = iov;
            head.msg_hdr.msg_iovlen = 1;
            head.msg_hdr.msg_control = control.0.as_mut_ptr().cast();
            head.msg_hdr.msg_controllen = CONTROL_LEN as _;
        }
        self.stale = 0;
        let size = libc::c_uint::try_from(self.heads.len()).unwrap_or(0);
        // SAFETY: every head points to its own iovec and control buffer in this struct's boxes,
        // and every iovec to the space of its own frame; `take` and `forget_buffers` raise
        // `stale` over a slot whose frame they move out, so the loop above has refreshed it.
        let n = unsafe {
            libc::recvmmsg(fd.as_raw_fd(), self.heads.as_mut_ptr(), size, libc::MSG_DONTWAIT as _, std::ptr::null_mut())
        };
        let n = usize::try_from(n).map_err(|_| io::Error::last_os_error())?;
        self.stale = n;
        Ok(n)
    }

    /// The frame in slot `i` of the last call, and what the kernel told about it.
    pub fn take(&mut self, i: usize) -> Option<(Frame, RxNote)> {
        if i >= self.stale {
            return None;
        }
        let (head, slot) = (self.heads.get(i)?, self.frames.get_mut(i)?);
        let mut frame = std::mem::take(slot);
        frame.set_len(usize::try_from(head.msg_len).unwrap_or(0));
        let note =
            if head.msg_hdr.msg_flags & libc::MSG_TRUNC != 0 { RxNote::Truncated } else { aux_note(&head.msg_hdr) };
        Some((frame, note))
    }
}

fn aux_note(head: &libc::msghdr) -> RxNote {
    // SAFETY: the kernel filled `head`; its control pointer and length describe a buffer that
    // lives in the same batch.
    let Some(aux) = (unsafe { libc::CMSG_FIRSTHDR(head).as_ref() }) else { return RxNote::Plain };
    if (aux.cmsg_level, aux.cmsg_type) != (libc::SOL_PACKET, libc::PACKET_AUXDATA) {
        return RxNote::Plain;
    }
    // SAFETY: a message of this type carries a tpacket_auxdata; it may be unaligned.
    let aux = unsafe { libc::CMSG_DATA(aux).cast::<libc::tpacket_auxdata>().read_unaligned() };
    if aux.tp_status & libc::TP_STATUS_VLAN_VALID != 0 {
        RxNote::OuterTag
    } else if aux.tp_status & libc::TP_STATUS_CSUMNOTREADY != 0 {
        RxNote::ChecksumMissing
    } else {
        RxNote::Plain
    }
}

/// Sends up to a fixed number of frames with one system call.
pub struct TxBatch {
    heads: Box<[libc::mmsghdr]>,
    iovs: Box<[libc::iovec]>,
}

impl TxBatch {
    /// For up to `size` frames per call.
    pub fn new(size: usize) -> Self {
        Self { heads: zeroed_heads(size), iovs: zeroed_iovs(size) }
    }

    /// Sends from the front of `frames` by a bound socket, without waiting, and returns how many
    /// the kernel took.
    ///
    /// # Errors
    /// Why the first frame was not taken: `WouldBlock` when the socket's buffer is full,
    /// `ENOBUFS` when the queue of the interface dropped it, `EMSGSIZE` when it is too long,
    /// `ENETDOWN` or `ENXIO` when the interface is down or gone.
    pub fn send(&mut self, fd: BorrowedFd<'_>, frames: &[Frame]) -> io::Result<usize> {
        let count = frames.len().min(self.heads.len());
        for ((head, iov), frame) in self.heads.iter_mut().zip(&mut self.iovs).zip(frames) {
            let bytes = frame.bytes();
            // The kernel only reads what a send call points to.
            *iov = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
            head.msg_hdr.msg_iov = iov;
            head.msg_hdr.msg_iovlen = 1;
        }
        let size = libc::c_uint::try_from(count).unwrap_or(0);
        // SAFETY: the first `count` heads point to their own iovec in this struct's box, which
        // points to the bytes of a frame that is borrowed for the whole call.
        let n = unsafe { libc::sendmmsg(fd.as_raw_fd(), self.heads.as_mut_ptr(), size, libc::MSG_DONTWAIT as _) };
        usize::try_from(n).map_err(|_| io::Error::last_os_error())
    }
}

fn zeroed_heads(size: usize) -> Box<[libc::mmsghdr]> {
    // SAFETY: mmsghdr is plain data, all zero is a valid value.
    std::iter::repeat_with(|| unsafe { std::mem::zeroed() }).take(size).collect()
}

fn zeroed_iovs(size: usize) -> Box<[libc::iovec]> {
    std::iter::repeat_n(libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 }, size).collect()
}
