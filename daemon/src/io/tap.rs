//! The mesh interface: a TAP device, through which the host sends into the mesh and receives
//! from it.

use crate::io::counters::PortCounters;
use crate::io::port::{BATCH, Gear};
use crate::sys::ready::watch_read;
use crate::sys::tun::{TapMode, open_tap};
use mesh_core::Frame;
use nix::errno::Errno;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::task::Context;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// The mesh interface. Closing it removes the device.
pub struct Tap {
    fd: AsyncFd<OwnedFd>,
    counters: PortCounters,
}

impl Tap {
    /// Makes the device. Needs a tokio runtime around it.
    ///
    /// The kernel finishes all checksums before it hands frames over: the device says that it
    /// can neither segment nor sum.
    ///
    /// # Errors
    /// As [`open_tap`].
    pub fn open(name: &str) -> io::Result<Self> {
        let fd = open_tap(name, TapMode::default())?;
        Ok(Self { fd: watch_read(fd)?, counters: PortCounters::default() })
    }

    /// True when frames wait; otherwise the task is woken when some do.
    pub fn poll_ready(&mut self, cx: &mut Context<'_>) -> bool {
        self.fd.poll_read_ready(cx).is_ready()
    }

    /// Appends up to a batch of frames from the host. Never waits.
    pub fn recv(&mut self, gear: &mut Gear, into: &mut Vec<Frame>) {
        let before = into.len();
        // `WouldBlock` ends the batch; tokio remembers it and waits for the next event.
        let _ = self.fd.try_io(Interest::READABLE, |fd| {
            for _ in 0..BATCH {
                let mut frame = gear.pool.take();
                match nix::unistd::read(fd, frame.space_mut()) {
                    Ok(n) if n == frame.space_mut().len() => {
                        self.counters.rx_truncated += 1;
                        gear.pool.put(frame);
                    }
                    Ok(n) => {
                        frame.set_len(n);
                        self.counters.rx_bytes += n as u64;
                        into.push(frame);
                    }
                    Err(Errno::EINTR) => gear.pool.put(frame),
                    Err(e) => {
                        gear.pool.put(frame);
                        if e != Errno::EAGAIN {
                            self.counters.rx_errors += 1;
                        }
                        return Err(io::Error::from(e));
                    }
                }
            }
            Ok(())
        });
        let got = into.len() - before;
        self.counters.rx_frames += got as u64;
        self.counters.rx_batches += u64::from(got > 0);
    }

    /// Delivers frames to the host and takes their buffers back. Never waits.
    pub fn send(&mut self, gear: &mut Gear, frames: &mut Vec<Frame>) {
        for frame in frames.drain(..) {
            match nix::unistd::write(self.fd.get_ref(), frame.bytes()) {
                Ok(n) => {
                    self.counters.tx_frames += 1;
                    self.counters.tx_bytes += n as u64;
                }
                Err(Errno::EAGAIN | Errno::ENOBUFS | Errno::ENOMEM) => self.counters.tx_full += 1,
                // EIO: the interface is down, nobody there listens.
                Err(_) => self.counters.tx_errors += 1,
            }
            gear.pool.put(frame);
        }
    }

    /// What was counted; `rx` is what the host sent.
    pub fn counters(&self) -> PortCounters {
        self.counters
    }
}

impl AsFd for Tap {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
