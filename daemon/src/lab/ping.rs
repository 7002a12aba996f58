//! Real pings: ICMP echo from a raw socket inside a client's namespace. Source: RFC 792.

use super::namespace::Namespace;
use super::reach::Probe;
use crate::sys::ready::watch_read;
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{self, Read};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::Instant;
use tokio::io::Interest;
use tokio::sync::mpsc;

/// Sends echo requests of one client; the answers go to a channel.
#[derive(Debug)]
pub(crate) struct Pinger {
    socket: Arc<Socket>,
    reader: tokio::task::AbortHandle,
}

impl Pinger {
    /// Opens the socket of client number `client` inside its namespace. What comes back is a probe
    /// whose `to` is found with `client_of`.
    ///
    /// # Errors
    /// Those of the namespace and of the socket.
    pub(crate) fn open(
        client: usize,
        namespace: &Namespace,
        client_of: impl Fn(Ipv4Addr) -> Option<usize> + Send + 'static,
        answers: mpsc::UnboundedSender<(Probe, Instant)>,
    ) -> io::Result<Self> {
        let socket = namespace.within(|| Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4)))?;
        socket.set_nonblocking(true)?;
        let ready = watch_read(socket.try_clone()?.into())?;
        let socket = Arc::new(socket);
        let reader = tokio::spawn({
            let socket = Arc::clone(&socket);
            async move {
                let mut buffer = [0; 2048];
                loop {
                    let received = ready.async_io(Interest::READABLE, |_| (&*socket).read(&mut buffer)).await;
                    let now = Instant::now();
                    let answer = received.ok().and_then(|len| parse_reply(buffer.get(..len)?));
                    let Some((source, ident, seq)) = answer else { continue };
                    let Some(to) = client_of(source).filter(|_| ident == ident_of(client)) else { continue };
                    if answers.send((Probe { from: client, to, seq }, now)).is_err() {
                        return;
                    }
                }
            }
        });
        Ok(Self { socket, reader: reader.abort_handle() })
    }

    /// Sends a request. One that the kernel cannot send now is simply not answered.
    pub(crate) fn send(&self, probe: Probe, to: Ipv4Addr) {
        let request = echo_request(ident_of(probe.from), probe.seq);
        // No route, no buffer: the same as a loss on the way, and counted as that.
        let _ = self.socket.send_to(&request, &SocketAddrV4::new(to, 0).into());
    }
}

impl Drop for Pinger {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

fn ident_of(client: usize) -> u16 {
    u16::try_from(client).unwrap_or(u16::MAX)
}

/// 64 bytes like ping(8) sends.
fn echo_request(ident: u16, seq: u16) -> [u8; 64] {
    let mut bytes = [0; 64];
    bytes[0] = ECHO_REQUEST;
    bytes[4..6].copy_from_slice(&ident.to_be_bytes());
    bytes[6..8].copy_from_slice(&seq.to_be_bytes());
    for (byte, fill) in bytes[8..].iter_mut().zip(8u8..) {
        *byte = fill;
    }
    let sum = checksum(&bytes);
    bytes[2..4].copy_from_slice(&sum.to_be_bytes());
    bytes
}

/// Source, identifier and number of an echo reply, IPv4 header included.
fn parse_reply(packet: &[u8]) -> Option<(Ipv4Addr, u16, u16)> {
    let header = usize::from(packet.first()? & 0x0f) * 4;
    let source: [u8; 4] = packet.get(12..16)?.try_into().ok()?;
    let icmp = packet.get(header..)?;
    if *icmp.first()? != ECHO_REPLY || checksum(icmp) != 0 {
        return None;
    }
    let word = |at: usize| icmp.get(at..at + 2)?.try_into().ok().map(u16::from_be_bytes);
    Some((source.into(), word(4)?, word(6)?))
}

/// The Internet checksum; 0 over bytes that contain a right one. Source: RFC 1071.
fn checksum(bytes: &[u8]) -> u16 {
    let sum: u32 =
        bytes.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)]))).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !u16::try_from((folded & 0xffff) + (folded >> 16)).unwrap_or(u16::MAX)
}

const ECHO_REPLY: u8 = 0;
const ECHO_REQUEST: u8 = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_to_our_request_is_recognised() {
        let mut packet = vec![0x45, 0, 0, 84, 0, 0, 0, 0, 64, 1, 0, 0, 10, 77, 0, 3, 10, 77, 0, 1];
        let mut icmp = echo_request(5, 300);
        assert_eq!(checksum(&icmp), 0);
        packet.extend(icmp);
        assert_eq!(parse_reply(&packet), None, "a request");
        icmp[0] = ECHO_REPLY;
        icmp[2..4].fill(0);
        let sum = checksum(&icmp);
        icmp[2..4].copy_from_slice(&sum.to_be_bytes());
        packet.splice(20.., icmp);
        assert_eq!(parse_reply(&packet), Some((Ipv4Addr::new(10, 77, 0, 3), 5, 300)));
        packet[40] ^= 1;
        assert_eq!(parse_reply(&packet), None, "damaged");
        for len in 0..packet.len() {
            assert_eq!(parse_reply(&packet[..len]), None);
        }
    }
}
