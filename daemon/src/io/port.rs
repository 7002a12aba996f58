//! What a hard interface offers to the data plane, whatever socket is behind it.

use crate::io::counters::PortCounters;
use crate::io::pool::Pool;
use crate::sys::mmsg::{RxBatch, TxBatch};
use mesh_core::Frame;
use packet::MacAddr;
use std::task::Context;

/// Frames per receive or send call. Measured: beyond 64 nothing is gained, and a batch of 64
/// full frames still takes less than a millisecond on a slow router.
pub const BATCH: usize = 64;

/// What all ports share: buffers and the arrays of the batch calls.
pub struct Gear {
    /// Buffers.
    pub pool: Pool,
    /// Receive calls.
    pub rx: RxBatch,
    /// Send calls.
    pub tx: TxBatch,
}

impl Gear {
    /// For frames of up to `frame_len` bytes, Ethernet header included.
    pub fn new(frame_len: usize) -> Self {
        Self { pool: Pool::new(frame_len), rx: RxBatch::new(BATCH), tx: TxBatch::new(BATCH) }
    }

    /// Makes room for frames of up to `frame_len` bytes.
    pub fn grow_to(&mut self, frame_len: usize) {
        if self.pool.grow_to(frame_len) {
            self.rx.forget_buffers();
        }
    }
}

/// A hard interface opened for mesh frames.
pub trait Port {
    /// True when [`Port::recv`] or [`Port::send`] has something to do that it could not do
    /// before; otherwise the task is woken when that changes. `waiting` says that frames wait to
    /// be sent.
    fn poll_ready(&mut self, waiting: bool, cx: &mut Context<'_>) -> bool;

    /// Appends what is there to `into`, at most two batches. Never waits.
    fn recv(&mut self, gear: &mut Gear, into: &mut Vec<Frame>);

    /// Sends from the front of `frames` and removes what was sent or had to be dropped; what
    /// remains waits for [`Port::poll_ready`]. Never waits.
    fn send(&mut self, gear: &mut Gear, frames: &mut Vec<Frame>);

    /// True after [`Port::send`] left frames behind, until [`Port::poll_ready`] found room.
    fn is_blocked(&self) -> bool {
        false
    }

    /// Bytes sent that have not left the machine yet, as the kernel counts them; `None` where it does not
    /// tell.
    fn unsent(&mut self) -> Option<u32> {
        None
    }

    /// From now on [`Port::send`] takes no more once so many bytes are unsent.
    fn limit_unsent(&mut self, _bytes: u32) {}

    /// The interface has another MAC now.
    fn set_mac(&mut self, mac: MacAddr);

    /// What was counted since the port was opened.
    fn counters(&mut self) -> PortCounters;
}
