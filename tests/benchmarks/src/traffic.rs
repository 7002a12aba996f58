//! Traffic between two namespaces: UDP at a chosen rate or as fast as it goes, and one TCP stream.
//!
//! Sinks print a line `COUNT` for every line they read, so that the caller chooses the moment.

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, sendmmsg, setsockopt, sockopt::RcvBufForce};
use std::io::{BufRead, IoSlice, IoSliceMut, Read, Write};
use std::net::{SocketAddrV4, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Datagrams per system call, both ways.
const BATCH: usize = 64;
/// Room for the largest datagram of an Ethernet frame.
const SPACE: usize = 2048;
/// Queue of the sink, so that what is lost was lost on the way.
const SINK_QUEUE_BYTES: usize = 8 << 20;

/// Sends datagrams of `payload` bytes to `to` for `time`; `rate` per second, 0 for as many as go.
/// Returns how many the system took.
pub(crate) fn udp_send(to: SocketAddrV4, payload: usize, rate: u64, time: Duration) -> Result<u64> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.connect(to)?;
    let data = vec![0x5a; payload];
    let slices: Vec<[IoSlice<'_>; 1]> = (0..BATCH).map(|_| [IoSlice::new(&data)]).collect();
    let addresses = [None::<SockaddrIn>; BATCH];
    let mut headers = MultiHeaders::<SockaddrIn>::preallocate(BATCH, None);
    let start = Instant::now();
    let mut sent = 0;
    loop {
        let elapsed = start.elapsed();
        if elapsed >= time {
            return Ok(sent);
        }
        let mut batch = BATCH;
        if rate > 0 {
            let due = elapsed.as_micros() as u64 * rate / 1_000_000;
            batch = BATCH.min(due.saturating_sub(sent) as usize);
            if batch == 0 {
                // Bursts of about 16, or 1 ms apart when the rate is low.
                std::thread::sleep(Duration::from_micros((16_000_000 / rate).min(1000)));
                continue;
            }
        }
        match sendmmsg(socket.as_raw_fd(), &mut headers, &slices[..batch], &addresses[..batch], [], MsgFlags::empty()) {
            Ok(results) => sent += results.count() as u64,
            // A full device queue or, before anybody listens, a refusal from the other side.
            Err(Errno::ENOBUFS | Errno::ECONNREFUSED | Errno::EINTR) => {}
            Err(e) => return Err(e).context("sendmmsg"),
        }
    }
}

/// Counts datagrams to `at`, for ever.
pub(crate) fn udp_sink(at: SocketAddrV4) -> Result<()> {
    let socket = UdpSocket::bind(at).with_context(|| format!("bind {at}"))?;
    setsockopt(&socket, RcvBufForce, &SINK_QUEUE_BYTES)?;
    let count = answer_on_stdin();
    let mut room = vec![[0u8; SPACE]; BATCH];
    let mut headers = MultiHeaders::<SockaddrIn>::preallocate(BATCH, None);
    loop {
        let mut slices: Vec<[IoSliceMut<'_>; 1]> = room.iter_mut().map(|r| [IoSliceMut::new(r)]).collect();
        match recvmmsg(socket.as_raw_fd(), &mut headers, slices.iter_mut(), MsgFlags::MSG_WAITFORONE, None) {
            Ok(results) => {
                count.fetch_add(results.count() as u64, Ordering::Relaxed);
            }
            Err(Errno::EINTR) => {}
            Err(e) => return Err(e).context("recvmmsg"),
        }
    }
}

/// Sends one TCP stream to `to` for `time`.
pub(crate) fn tcp_send(to: SocketAddrV4, time: Duration) -> Result<u64> {
    let mut stream = TcpStream::connect_timeout(&to.into(), Duration::from_secs(5))?;
    let data = vec![0x5a; 128 << 10];
    let start = Instant::now();
    let mut sent = 0;
    while start.elapsed() < time {
        sent += stream.write(&data)? as u64;
    }
    Ok(sent)
}

/// Counts bytes of the TCP streams to `at`, one after the other, for ever.
pub(crate) fn tcp_sink(at: SocketAddrV4) -> Result<()> {
    let listener = TcpListener::bind(at).with_context(|| format!("bind {at}"))?;
    let count = answer_on_stdin();
    let mut room = vec![0; 256 << 10];
    for stream in listener.incoming() {
        let mut stream = stream?;
        // A reset ends this stream, not the sink.
        while let Ok(n @ 1..) = stream.read(&mut room) {
            count.fetch_add(n as u64, Ordering::Relaxed);
        }
    }
    Ok(())
}

/// A counter that a thread prints for every line on standard input; the process ends with the
/// input.
fn answer_on_stdin() -> Arc<AtomicU64> {
    let count = Arc::new(AtomicU64::new(0));
    let shown = Arc::clone(&count);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            if line.is_err() {
                break;
            }
            println!("{}", shown.load(Ordering::Relaxed));
        }
        std::process::exit(0);
    });
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn a_paced_sender_keeps_its_rate() {
        let listener = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let std::net::SocketAddr::V4(to) = listener.local_addr().unwrap() else { panic!("v4") };
        let sent = udp_send(to, 58, 2000, Duration::from_millis(500)).unwrap();
        assert!((500..=1000).contains(&sent), "{sent} of 1000");
        let mut room = [0; SPACE];
        assert_eq!(listener.recv(&mut room).unwrap(), 58);
    }
}
