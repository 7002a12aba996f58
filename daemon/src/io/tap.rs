//! The mesh interface: a TAP device, through which the host sends into the mesh and receives
//! from it.

use crate::io::counters::PortCounters;
use crate::io::port::{BATCH, Gear};
use crate::io::tcp::{self, MERGE_MOST};
use crate::io::vnet::{LONGEST, VNET_LEN, Vnet};
use crate::sys::ready::watch_read;
use crate::sys::tun::{TapMode, open_tap, set_tap_offload};
use mesh_core::Frame;
use nix::errno::Errno;
use nix::sys::uio::{readv, writev};
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::OwnedFd;
use std::task::Context;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// The mesh interface. Closing it removes the device.
pub struct Tap {
    fd: AsyncFd<OwnedFd>,
    /// Behind the buffer of a single frame: the rest of one that stands for several. Its first
    /// part is kept free for what is in the buffer.
    long: Option<Vec<u8>>,
    counters: PortCounters,
}

impl Tap {
    /// Makes the device. Needs a tokio runtime around it.
    ///
    /// Where the kernel can, the host hands over many TCP segments in one piece, and gets them so;
    /// they are cut and put together here. Else it does all that itself. Either way everything
    /// that is given out is finished, checksums included.
    ///
    /// # Errors
    /// As [`open_tap`].
    pub fn open(name: &str) -> io::Result<Self> {
        Self::with_offload(name).or_else(|e| match e.raw_os_error() {
            Some(libc::EINVAL) => Self::plain(name),
            _ => Err(e),
        })
    }

    /// As [`Tap::open`], but the host hands over and gets single frames only.
    ///
    /// # Errors
    /// As [`open_tap`].
    pub fn plain(name: &str) -> io::Result<Self> {
        Self::from_fd(open_tap(name, TapMode::default())?, false)
    }

    fn with_offload(name: &str) -> io::Result<Self> {
        let fd = open_tap(name, TapMode { vnet_hdr: true })?;
        set_tap_offload(&fd, true, true)?;
        Self::from_fd(fd, true)
    }

    /// Takes over a device that was made elsewhere, by [`Tap::into_fd`] for instance; `offload`
    /// says whether it was made by [`Tap::open`].
    ///
    /// # Errors
    /// What the system says.
    pub fn from_fd(fd: OwnedFd, offload: bool) -> io::Result<Self> {
        let long = offload.then(|| vec![0; 2 * LONGEST]);
        Ok(Self { fd: watch_read(fd)?, long, counters: PortCounters::default() })
    }

    /// Gives the device away.
    pub fn into_fd(self) -> OwnedFd {
        self.fd.into_inner()
    }

    /// True when frames wait; otherwise the task is woken when some do.
    pub fn poll_ready(&mut self, cx: &mut Context<'_>) -> bool {
        self.fd.poll_read_ready(cx).is_ready()
    }

    /// Appends up to a batch of frames from the host. Never waits. One that stands for several
    /// counts as those, so there may be more than a batch by one such frame.
    pub fn recv(&mut self, gear: &mut Gear, into: &mut Vec<Frame>) {
        let before = into.len();
        let Self { fd, long, counters } = self;
        // `WouldBlock` ends the batch; tokio remembers it and waits for the next event.
        let _ = fd.try_io(Interest::READABLE, |fd| {
            while into.len() < before + BATCH {
                let read = match long {
                    Some(long) => read_offloaded(fd, long, gear, into, counters),
                    None => read_plain(fd, gear, into, counters),
                };
                match read {
                    Ok(()) | Err(Errno::EINTR) => {}
                    Err(e) => {
                        counters.rx_errors += u64::from(e != Errno::EAGAIN);
                        return Err(io::Error::from(e));
                    }
                }
            }
            Ok(())
        });
        let got = into.get(before..).unwrap_or_default();
        counters.rx_frames += got.len() as u64;
        counters.rx_bytes += got.iter().map(|f| f.len() as u64).sum::<u64>();
        counters.rx_batches += u64::from(!got.is_empty());
    }

    /// Delivers frames to the host and takes their buffers back. Never waits.
    pub fn send(&mut self, gear: &mut Gear, frames: &mut Vec<Frame>) {
        let mut rest = frames.as_mut_slice();
        while !rest.is_empty() {
            let count = if self.long.is_some() { tcp::mergeable(rest).max(1) } else { 1 };
            let (now, later) = rest.split_at_mut(count);
            let bytes: u64 = now.iter().map(|f| f.len() as u64).sum();
            match self.write(now) {
                Ok(_) => {
                    self.counters.tx_frames += count as u64;
                    self.counters.tx_bytes += bytes;
                }
                Err(Errno::EAGAIN | Errno::ENOBUFS | Errno::ENOMEM) => self.counters.tx_full += count as u64,
                // EIO: the interface is down, nobody there listens.
                Err(_) => self.counters.tx_errors += count as u64,
            }
            rest = later;
        }
        for frame in frames.drain(..) {
            gear.pool.put(frame);
        }
    }

    /// Writes one frame, or several that go as one.
    fn write(&self, frames: &mut [Frame]) -> nix::Result<usize> {
        let fd = self.fd.get_ref();
        if let [frame] = frames {
            if self.long.is_some() {
                frame.push_front(VNET_LEN).get_mut(..VNET_LEN).unwrap_or_default().fill(0);
            }
            return nix::unistd::write(fd, frame.bytes());
        }
        let (vnet, parts) = tcp::merge(frames).ok_or(Errno::EINVAL)?;
        let header = vnet.emit();
        let mut slices = [IoSlice::new(&[]); MERGE_MOST + 1];
        let mut used = 1;
        for ((slice, frame), (from, to)) in slices.iter_mut().skip(1).zip(frames.iter()).zip(parts) {
            *slice = IoSlice::new(frame.bytes().get(from..to).unwrap_or_default());
            used += 1;
        }
        if let Some(first) = slices.first_mut() {
            *first = IoSlice::new(&header);
        }
        writev(fd, slices.get(..used).unwrap_or_default())
    }

    /// What was counted; `rx` is what the host sent.
    pub fn counters(&self) -> PortCounters {
        self.counters
    }
}

fn read_plain(fd: &OwnedFd, gear: &mut Gear, into: &mut Vec<Frame>, counters: &mut PortCounters) -> nix::Result<()> {
    let mut frame = gear.pool.take();
    let room = frame.space_mut().len();
    match nix::unistd::read(fd, frame.space_mut()) {
        // The buffer is longer than any frame that fits the interface: this one does not.
        Ok(n) if n == room => {
            counters.rx_truncated += 1;
            gear.pool.put(frame);
            Ok(())
        }
        Ok(n) => {
            frame.set_len(n);
            into.push(frame);
            Ok(())
        }
        Err(e) => {
            gear.pool.put(frame);
            Err(e)
        }
    }
}

fn read_offloaded(
    fd: &OwnedFd,
    long: &mut [u8],
    gear: &mut Gear,
    into: &mut Vec<Frame>,
    counters: &mut PortCounters,
) -> nix::Result<()> {
    let mut frame = gear.pool.take();
    let mut header = [0; VNET_LEN];
    let room = frame.space_mut().len().min(LONGEST);
    let (front, behind) = long.split_at_mut(room);
    let read = {
        let space = frame.space_mut().get_mut(..room).unwrap_or_default();
        readv(fd, &mut [IoSliceMut::new(&mut header), IoSliceMut::new(space), IoSliceMut::new(behind)])
    };
    let len = match read {
        Ok(n) => n.saturating_sub(VNET_LEN),
        Err(e) => {
            gear.pool.put(frame);
            return Err(e);
        }
    };
    let Some(vnet) = Vnet::parse(header) else {
        counters.rx_errors += 1;
        gear.pool.put(frame);
        return Ok(());
    };
    frame.set_len(len.min(room));
    if len <= room && vnet.segment.is_none() {
        // The usual case: one frame.
        if vnet.checksum.is_none_or(|at| tcp::finish_checksum(frame.bytes_mut(), at)) {
            into.push(frame);
        } else {
            counters.rx_errors += 1;
            gear.pool.put(frame);
        }
        return Ok(());
    }
    let head = front.get_mut(room - frame.len()..).unwrap_or_default();
    head.copy_from_slice(frame.bytes());
    let start = room - frame.len();
    gear.pool.put(frame);
    let whole = long.get_mut(start..start + len).unwrap_or_default();
    let done = if vnet.segment.is_some() {
        tcp::segment(&vnet, whole, || gear.pool.take(), |frame| into.push(frame))
    } else {
        let finished = vnet.checksum.is_none_or(|at| tcp::finish_checksum(whole, at));
        into.extend(finished.then(|| Frame::copy_of(whole)));
        finished
    };
    counters.rx_errors += u64::from(!done);
    Ok(())
}
