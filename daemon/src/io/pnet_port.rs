//! The portable port: `pnet_datalink`, one system call per frame and a thread that waits for it.
//!
//! For systems where batched packet sockets misbehave, and as a second implementation that tests
//! compare with. Slower by a factor, the same behaviour.

use crate::io::counters::PortCounters;
use crate::io::filter::{self, Lane, TAGGED_LEN};
use crate::io::packet_port::open_socket;
use crate::io::port::{BATCH, Gear, Port};
use mesh_core::Frame;
use packet::MacAddr;
use packet::consts::ETHERTYPE;
use pnet_datalink::{Channel, ChannelType, Config, DataLinkReceiver, DataLinkSender};
use socket2::Socket;
use std::io::{self, ErrorKind};
use std::os::fd::IntoRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::mpsc;

/// Frames on their way from the thread to the main loop.
const QUEUE: usize = 256;
/// How long the thread waits before it looks whether it should end.
const PATIENCE: Duration = Duration::from_millis(250);
/// Receive buffer of the socket.
const BUFFER: usize = 1 << 20;

/// A hard interface behind `pnet_datalink`.
pub struct PnetPort {
    sender: Box<dyn DataLinkSender>,
    socket: Socket,
    received: mpsc::Receiver<Frame>,
    /// A frame that [`Port::poll_ready`] had to take to see whether there is one.
    peeked: Option<Frame>,
    shared: Arc<Shared>,
    counters: PortCounters,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    overrun: AtomicU32,
    truncated: AtomicU32,
    outer_tag: AtomicU32,
}

impl PnetPort {
    /// Opens an interface by name and index, with its address `mac`, for frames of up to
    /// `frame_len` bytes.
    ///
    /// # Errors
    /// As [`crate::io::packet_port::PacketPort::open`], or when no thread can be started.
    pub fn open(name: &str, ifindex: u32, mac: MacAddr, frame_len: usize) -> io::Result<Self> {
        // Without a socket of its own the crate would listen to all ethertypes.
        let socket = open_socket(ifindex, mac, Lane::All, BUFFER)?;
        let same_socket = socket.try_clone()?;
        let mut interfaces = pnet_datalink::interfaces().into_iter();
        let interface = interfaces.find(|i| i.index == ifindex).ok_or(ErrorKind::NotFound)?;
        let config = Config {
            read_buffer_size: frame_len + 1,
            write_buffer_size: frame_len,
            read_timeout: Some(PATIENCE),
            write_timeout: Some(Duration::from_millis(10)),
            // The number only says what to bind to; the socket stays one with Ethernet headers.
            channel_type: ChannelType::Layer3(ETHERTYPE),
            promiscuous: false,
            socket_fd: Some(socket.into_raw_fd()),
            ..Config::default()
        };
        let Channel::Ethernet(sender, receiver) = pnet_datalink::channel(&interface, config)? else {
            return Err(ErrorKind::Unsupported.into());
        };
        let shared = Arc::new(Shared::default());
        let (to_loop, received) = mpsc::channel(QUEUE);
        // Longer frames are cut to the buffer, which is one byte longer than the longest.
        let with_thread = Arc::clone(&shared);
        std::thread::Builder::new()
            .name(format!("port-{name}"))
            .stack_size(64 * 1024)
            .spawn(move || receive(receiver, frame_len, &to_loop, &with_thread))?;
        Ok(Self { sender, socket: same_socket, received, peeked: None, shared, counters: PortCounters::default() })
    }
}

fn receive(mut from: Box<dyn DataLinkReceiver>, frame_len: usize, to: &mpsc::Sender<Frame>, shared: &Shared) {
    while !shared.stop.load(Ordering::Relaxed) {
        match from.next() {
            Ok(bytes) if bytes.len() == TAGGED_LEN => {
                shared.outer_tag.fetch_add(1, Ordering::Relaxed);
            }
            Ok(bytes) if bytes.len() > frame_len => {
                shared.truncated.fetch_add(1, Ordering::Relaxed);
            }
            Ok(bytes) => {
                let frame = Frame::copy_of(bytes);
                if to.try_send(frame).is_err() {
                    shared.overrun.fetch_add(1, Ordering::Relaxed);
                }
            }
            Err(e) if matches!(e.kind(), ErrorKind::TimedOut | ErrorKind::Interrupted) => {}
            // The interface went down or away. The main loop closes the port when it is gone.
            Err(_) => std::thread::sleep(PATIENCE),
        }
    }
}

impl Drop for PnetPort {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }
}

impl Port for PnetPort {
    fn poll_ready(&mut self, waiting: bool, cx: &mut Context<'_>) -> bool {
        if self.peeked.is_none()
            && let Poll::Ready(frame) = self.received.poll_recv(cx)
        {
            self.peeked = frame;
        }
        waiting || self.peeked.is_some()
    }

    fn recv(&mut self, _gear: &mut Gear, into: &mut Vec<Frame>) {
        let before = into.len();
        into.extend(self.peeked.take());
        while into.len() - before < BATCH
            && let Ok(frame) = self.received.try_recv()
        {
            into.push(frame);
        }
        let got = into.get(before..).unwrap_or_default();
        self.counters.rx_batches += u64::from(!got.is_empty());
        self.counters.rx_frames += got.len() as u64;
        self.counters.rx_bytes += got.iter().map(|f| f.len() as u64).sum::<u64>();
    }

    fn send(&mut self, gear: &mut Gear, frames: &mut Vec<Frame>) {
        for frame in frames.drain(..) {
            match self.sender.send_to(frame.bytes(), None) {
                Some(Ok(())) => {
                    self.counters.tx_frames += 1;
                    self.counters.tx_bytes += frame.len() as u64;
                }
                Some(Err(e)) if e.raw_os_error() == Some(libc::ENOBUFS) || e.kind() == ErrorKind::TimedOut => {
                    self.counters.tx_full += 1;
                }
                _ => self.counters.tx_errors += 1,
            }
            gear.pool.put(frame);
        }
    }

    fn set_mac(&mut self, mac: MacAddr) {
        // The old filter stays where that fails; all it costs is the count of tagged frames.
        let _ = self.socket.attach_filter(&filter::program(Lane::All, mac));
    }

    fn counters(&mut self) -> PortCounters {
        self.counters.rx_overrun = u64::from(self.shared.overrun.load(Ordering::Relaxed));
        self.counters.rx_outer_tag = u64::from(self.shared.outer_tag.load(Ordering::Relaxed));
        self.counters.rx_truncated = u64::from(self.shared.truncated.load(Ordering::Relaxed));
        self.counters
    }
}
