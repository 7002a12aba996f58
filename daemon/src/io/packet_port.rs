//! The fast port: packet sockets with batched system calls.
//!
//! Two sockets share an interface, one for routing messages and one for payload ([`Lane`]). Each
//! has its own receive buffer, so routing survives a flood of payload. Sending goes through the
//! interface's queueing discipline like any other traffic.

use crate::io::checksum;
use crate::io::counters::PortCounters;
use crate::io::drain::Drain;
use crate::io::filter::{self, Lane, TAGGED_LEN};
use crate::io::port::{BATCH, Gear, Port};
use crate::sys::mmsg::RxNote;
use crate::sys::packet as options;
use crate::sys::ready::{watch_read, watch_write};
use mesh_core::Frame;
use packet::MacAddr;
use packet::consts::ETHERTYPE;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;
use std::task::Context;
use std::time::Duration;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::{Sleep, sleep};

/// Receive buffer for payload: about 3 ms of a gigabit of small frames, counted as the kernel
/// counts, with its overhead per frame.
const PAYLOAD_BUFFER: usize = 2 << 20;
/// Receive buffer for routing messages.
const ROUTING_BUFFER: usize = 512 << 10;

/// An interface that does not tell when it has room is looked at so often: the timer's finest step.
const LOOK_AFTER: Duration = Duration::from_millis(1);

/// A hard interface behind packet sockets.
pub struct PacketPort {
    routing: AsyncFd<OwnedFd>,
    payload: AsyncFd<OwnedFd>,
    /// Watches for room to send, while there is none.
    blocked: Option<AsyncFd<OwnedFd>>,
    /// For interfaces that do not tell by the socket when they have room.
    drain: Drain,
    /// Bytes that may be in such an interface.
    most: u32,
    /// When to look whether it has room.
    look: Option<Pin<Box<Sleep>>>,
    /// SO_PRIORITY as last set.
    priority: u8,
    counters: PortCounters,
}

impl PacketPort {
    /// Opens an interface by its index; `mac` is its address. Needs a tokio runtime around it.
    ///
    /// # Errors
    /// `PermissionDenied` without CAP_NET_RAW; `ENODEV`, `ENETDOWN` when the interface is gone or
    /// down.
    pub fn open(ifindex: u32, mac: MacAddr) -> io::Result<Self> {
        // The kernel asks the socket opened last first, and clones a frame for every socket that
        // takes it but the very last one asked. So payload is opened first.
        let payload = open_lane(ifindex, mac, Lane::Payload, PAYLOAD_BUFFER)?;
        let routing = open_lane(ifindex, mac, Lane::Routing, ROUTING_BUFFER)?;
        let (drain, counters) = (Drain::new(ifindex), PortCounters::default());
        Ok(Self { routing, payload, blocked: None, drain, most: u32::MAX, look: None, priority: 0, counters })
    }

    /// How many frames from the front the interface has room for; at least one if it is empty.
    fn room(&mut self, frames: &[Frame]) -> usize {
        let mut bytes = self.drain.bytes();
        let fits = |frame: &&Frame| {
            let fits = bytes == 0 || bytes < self.most;
            bytes = bytes.saturating_add(u32::try_from(frame.len()).unwrap_or(u32::MAX));
            fits
        };
        frames.iter().take_while(fits).count()
    }

    fn set_priority(&mut self, priority: u8) {
        if priority != self.priority {
            // 256 and up: an 802.1p value, as the kernel module and Wi-Fi drivers have it.
            // Without the right to set it the frames leave with the normal priority.
            let value = if priority == 0 { 0 } else { 256 + u32::from(priority) };
            if options::set_priority(self.payload.get_ref(), value).is_ok() {
                self.priority = priority;
            }
        }
    }

    /// Sends the front of `frames` up to the first change of priority; returns how many frames
    /// are done with, sent or dropped, and whether to stop here. `fresh` is true in the first call
    /// for these frames.
    fn send_run(&mut self, gear: &mut Gear, frames: &[Frame], fresh: &mut bool) -> (usize, bool) {
        let Some(first) = frames.first() else { return (0, true) };
        let run = frames.iter().take(BATCH).take_while(|f| f.priority == first.priority).count();
        let run = frames.get(..run).unwrap_or_default();
        self.set_priority(first.priority);
        match gear.tx.send(self.payload.get_ref().as_fd(), run) {
            Ok(n) => {
                self.counters.tx_frames += n as u64;
                let bytes: usize = run.iter().take(n).map(Frame::len).sum();
                self.counters.tx_bytes += bytes as u64;
                (n, false)
            }
            Err(e) if e.kind() == ErrorKind::WouldBlock => {
                self.blocked = self.payload.get_ref().try_clone().and_then(watch_write).ok();
                if self.blocked.is_none() {
                    // Nobody would tell when there is room again.
                    self.counters.tx_full += run.len() as u64;
                    return (run.len(), false);
                }
                (0, true)
            }
            Err(e) if e.kind() == ErrorKind::Interrupted => (0, false),
            // May be old news of an interface that is up again: telling it has cleared it.
            Err(e) if e.raw_os_error() == Some(libc::ENETDOWN) && std::mem::take(fresh) => (0, false),
            Err(e) => {
                if e.raw_os_error() == Some(libc::ENOBUFS) {
                    self.counters.tx_full += 1;
                } else {
                    self.counters.tx_errors += 1;
                    tracing::trace!(error = %e, "frame refused by the interface");
                }
                (1, false)
            }
        }
    }
}

impl Port for PacketPort {
    fn poll_ready(&mut self, waiting: bool, cx: &mut Context<'_>) -> bool {
        let routing = self.routing.poll_read_ready(cx).is_ready();
        let payload = self.payload.poll_read_ready(cx).is_ready();
        let write = waiting
            && match &self.blocked {
                Some(fd) => fd.poll_write_ready(cx).is_ready(),
                // A driver that lets go early does not say when it has room; it is looked at when it is time.
                None => self.look.is_none(),
            };
        if write {
            self.blocked = None;
        }
        let room = waiting && self.look.as_mut().is_some_and(|look| look.as_mut().poll(cx).is_ready());
        if room {
            self.look = None;
        }
        routing || payload || write || room
    }

    fn recv(&mut self, gear: &mut Gear, into: &mut Vec<Frame>) {
        recv_lane(&self.routing, gear, into, &mut self.counters);
        recv_lane(&self.payload, gear, into, &mut self.counters);
    }

    fn send(&mut self, gear: &mut Gear, frames: &mut Vec<Frame>) {
        (self.blocked, self.look) = (None, None);
        let room = if self.drain.is_early() { self.room(frames) } else { frames.len() };
        let (mut done, mut fresh) = (0, true);
        while let Some(rest) = frames.get(done..room).filter(|rest| !rest.is_empty()) {
            let (n, stop) = self.send_run(gear, rest, &mut fresh);
            done += n;
            if stop {
                break;
            }
        }
        let bytes = frames.iter().take(done).map(Frame::len).sum();
        self.drain.sent(done, bytes, || options::unsent(self.payload.get_ref()).ok());
        if done < frames.len() && self.blocked.is_none() {
            self.look = Some(Box::pin(sleep(LOOK_AFTER)));
        }
        for frame in frames.drain(..done) {
            gear.pool.put(frame);
        }
    }

    fn is_blocked(&self) -> bool {
        self.blocked.is_some() || self.look.is_some()
    }

    fn unsent(&mut self) -> Option<u32> {
        if self.drain.is_early() {
            return Some(self.drain.bytes());
        }
        options::unsent(self.payload.get_ref()).ok()
    }

    fn limit_unsent(&mut self, bytes: u32) {
        self.most = bytes;
        // The kernel doubles what it is given.
        let _ = SockRef::from(self.payload.get_ref()).set_send_buffer_size(bytes as usize / 2);
    }

    fn set_mac(&mut self, mac: MacAddr) {
        for (socket, lane) in [(&self.payload, Lane::Payload), (&self.routing, Lane::Routing)] {
            // The old filter stays where that fails; all it costs is the count of tagged frames.
            let _ = SockRef::from(socket.get_ref()).attach_filter(&filter::program(lane, mac));
        }
    }

    fn counters(&mut self) -> PortCounters {
        for lane in [&self.routing, &self.payload] {
            self.counters.rx_overrun += options::take_overrun(lane.get_ref()).unwrap_or(0);
        }
        self.counters
    }
}

/// A packet socket for one lane of an interface, with its filter in place before the first frame.
///
/// # Errors
/// As [`PacketPort::open`].
pub fn open_socket(ifindex: u32, mac: MacAddr, lane: Lane, buffer: usize) -> io::Result<Socket> {
    // Protocol 0: nothing arrives before the socket is bound.
    let socket = Socket::new(Domain::PACKET, Type::RAW.nonblocking(), None::<Protocol>)?;
    socket.attach_filter(&filter::program(lane, mac))?;
    // The filter drops them, too; this spares the kernel a copy of each (Linux 4.20 and later).
    let _ = options::ignore_outgoing(&socket);
    options::enable_auxdata(&socket)?;
    if options::force_receive_buffer(&socket, buffer).is_err() {
        // Not privileged over the whole system, as in a user namespace: take what is allowed.
        let _ = socket.set_recv_buffer_size(buffer);
    }
    options::bind(&socket, ifindex, ETHERTYPE)?;
    Ok(socket)
}

fn open_lane(ifindex: u32, mac: MacAddr, lane: Lane, buffer: usize) -> io::Result<AsyncFd<OwnedFd>> {
    watch_read(open_socket(ifindex, mac, lane, buffer)?.into())
}

fn recv_lane(lane: &AsyncFd<OwnedFd>, gear: &mut Gear, into: &mut Vec<Frame>, counters: &mut PortCounters) {
    let Gear { pool, rx, .. } = gear;
    let mut got = 0;
    let failed = lane.try_io(Interest::READABLE, |socket| {
        got = rx.recv(socket.as_fd(), || pool.take())?;
        // A batch that is not full has emptied the socket: wait for the next event.
        if got < BATCH { Err(ErrorKind::WouldBlock.into()) } else { Ok(()) }
    });
    if let Err(e) = failed
        && !matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
    {
        counters.rx_errors += 1;
        tracing::trace!(error = %e, "receive failed");
    }
    if got > 0 {
        counters.rx_batches += 1;
    }
    for i in 0..got {
        let Some((mut frame, note)) = rx.take(i) else { break };
        counters.rx_frames += 1;
        counters.rx_bytes += frame.len() as u64;
        match note {
            _ if frame.len() == TAGGED_LEN => counters.rx_outer_tag += 1,
            RxNote::OuterTag => counters.rx_outer_tag += 1,
            RxNote::Truncated => counters.rx_truncated += 1,
            RxNote::Plain => {
                into.push(frame);
                continue;
            }
            RxNote::ChecksumMissing => {
                counters.rx_checksum += u64::from(checksum::complete_mesh_frame(frame.bytes_mut()));
                into.push(frame);
                continue;
            }
        }
        pool.put(frame);
    }
}
