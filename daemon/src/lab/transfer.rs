//! A TCP transfer between two clients: the kernel's own TCP on both sides, as fast as it goes.

use super::namespace::Namespace;
use anyhow::{Context, Result};
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// How a transfer ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Outcome {
    /// Client that sent.
    pub(crate) from: usize,
    /// Client that received.
    pub(crate) to: usize,
    /// Bytes that arrived.
    pub(crate) bytes: u64,
    /// From the first to the last byte that arrived.
    pub(crate) took: Duration,
    /// Why it ended early.
    pub(crate) error: Option<String>,
}

impl Outcome {
    /// Goodput in Mbit/s.
    pub(crate) fn mbps(&self) -> f64 {
        // A float is for people; rounding of the last bytes does not matter.
        self.bytes as f64 * 8.0 / self.took.as_secs_f64().max(1e-6) / 1e6
    }
}

/// A transfer that runs.
#[derive(Debug)]
pub(crate) struct Transfer {
    /// Client that sends.
    pub(crate) from: usize,
    /// Client that receives.
    pub(crate) to: usize,
    /// When it was started.
    pub(crate) started: Instant,
    arrived: Arc<AtomicU64>,
}

/// One side of a transfer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Side<'a> {
    /// The client's number.
    pub(crate) client: usize,
    /// Where it lives.
    pub(crate) namespace: &'a Namespace,
    /// Its address.
    pub(crate) address: Ipv4Addr,
}

impl Transfer {
    /// Sends for `length`; the outcome goes to the channel, whatever happens, at most
    /// [`SILENCE`] plus [`CONNECT`] later.
    ///
    /// # Errors
    /// Sockets or threads cannot be made.
    pub(crate) fn start(
        from: Side<'_>,
        to: Side<'_>,
        length: Duration,
        outcomes: mpsc::UnboundedSender<Outcome>,
    ) -> Result<Self> {
        let listener = to
            .namespace
            .within(|| TcpListener::bind(SocketAddrV4::new(to.address, 0)))
            .context("listening inside a client's namespace")?;
        let target = listener.local_addr()?;
        let sender = from
            .namespace
            .within(|| Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)))
            .context("a TCP socket inside a client's namespace")?;
        let arrived = Arc::new(AtomicU64::new(0));
        thread::Builder::new().name("tcp-send".into()).spawn(move || {
            // The receiving side notices and reports whatever goes wrong here.
            let _ = send(sender, target, length);
        })?;
        thread::Builder::new().name("tcp-receive".into()).spawn({
            let (arrived, from, to) = (Arc::clone(&arrived), from.client, to.client);
            move || {
                let (took, result) = receive(&listener, &arrived);
                let bytes = arrived.load(Ordering::Relaxed);
                let error = result.err().map(|e| e.to_string());
                // Nobody is left to hear it when the lab ends.
                let _ = outcomes.send(Outcome { from, to, bytes, took, error });
            }
        })?;
        Ok(Self { from: from.client, to: to.client, started: Instant::now(), arrived })
    }

    /// Bytes that arrived so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.arrived.load(Ordering::Relaxed)
    }
}

fn send(socket: Socket, target: SocketAddr, length: Duration) -> io::Result<()> {
    socket.connect_timeout(&target.into(), CONNECT)?;
    let mut stream = TcpStream::from(socket);
    stream.set_write_timeout(Some(SILENCE))?;
    let block = vec![0x4d; 16 * 1024];
    let end = Instant::now() + length;
    while Instant::now() < end {
        stream.write_all(&block)?;
    }
    stream.shutdown(Shutdown::Write)
}

/// Takes everything in; the time is that between the first and the last byte.
fn receive(listener: &TcpListener, arrived: &AtomicU64) -> (Duration, io::Result<()>) {
    let mut stream = match accept(listener) {
        Ok(stream) => stream,
        Err(e) => return (Duration::ZERO, Err(e)),
    };
    let begin = Instant::now();
    let mut last = begin;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return (last - begin, Ok(())),
            Ok(len) => {
                last = Instant::now();
                arrived.fetch_add(u64::try_from(len).unwrap_or(0), Ordering::Relaxed);
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                return (last - begin, Err(io::Error::new(io::ErrorKind::TimedOut, "nothing arrived any more")));
            }
            Err(e) => return (last - begin, Err(e)),
        }
    }
}

fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
    listener.set_nonblocking(true)?;
    let end = Instant::now() + CONNECT;
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false)?;
                stream.set_read_timeout(Some(SILENCE))?;
                return Ok(stream);
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock && Instant::now() < end => {
                thread::sleep(Duration::from_millis(5));
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "no connection came"));
            }
            Err(e) => return Err(e),
        }
    }
}

/// A connection takes at most this long.
const CONNECT: Duration = Duration::from_secs(4);
/// A transfer without progress for this long has failed.
const SILENCE: Duration = Duration::from_secs(4);
