//! One question to one target, out of one interface.

use config::Target;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, SocketAddr};
use tokio::net::{TcpSocket, UdpSocket};

/// Data of an echo request, as long as that of ping.
const ECHO_DATA: usize = 56;
/// ICMP types. Source: RFC 792, RFC 4443.
const ECHO: (u8, u8) = (8, 0);
const ECHO_V6: (u8, u8) = (128, 129);
/// "Who serves the root?", recursion desired, without its identifier. Source: RFC 1035.
const ROOT_SERVERS: [u8; 15] = [0x01, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1];

/// Done when the target answered. The caller limits the time.
///
/// # Errors
/// It cannot be asked, or says that something is wrong.
pub(super) async fn ask(target: Target, interface: &str) -> io::Result<()> {
    match target {
        Target::Ping(ip) => ping(ip, interface).await,
        Target::Tcp(to) => tcp(to, interface).await,
        Target::Dns(to) => dns(to, interface).await,
    }
}

async fn ping(ip: IpAddr, interface: &str) -> io::Result<()> {
    let (domain, protocol, (request, reply)) = match ip {
        IpAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4, ECHO),
        IpAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6, ECHO_V6),
    };
    let socket = Socket::new(domain, Type::RAW.nonblocking(), Some(protocol))?;
    socket.bind_device(Some(interface.as_bytes()))?;
    // Only what this target sends is read then.
    socket.connect(&SocketAddr::new(ip, 0).into())?;
    // A connected raw socket sends and receives like one of UDP.
    let socket = UdpSocket::from_std(socket.into())?;
    let mark = random()?;
    socket.send(&echo(request, mark)).await?;
    let mut buffer = [0; 256];
    loop {
        let n = socket.recv(&mut buffer).await?;
        if is_answer(buffer.get(..n).unwrap_or_default(), ip.is_ipv4(), reply, mark) {
            return Ok(());
        }
    }
}

/// An echo request. The kernel fills in the checksum of ICMPv6, not that of ICMP.
fn echo(kind: u8, mark: [u8; 4]) -> [u8; 8 + ECHO_DATA] {
    let mut message = [0; 8 + ECHO_DATA];
    let [m0, m1, m2, m3] = mark;
    if let Some(head) = message.first_chunk_mut() {
        *head = [kind, 0, 0, 0, m0, m1, m2, m3];
    }
    let mut sum = 0;
    for pair in message.chunks_exact(2) {
        sum += pair.iter().fold(0, |word, &byte| word << 8 | u32::from(byte));
    }
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    if let (Some(field), [.., hi, lo]) = (message.get_mut(2..4), (!sum).to_be_bytes()) {
        field.copy_from_slice(&[hi, lo]);
    }
    message
}

/// True if `packet` is the answer to the echo request with this mark. Of IPv4 the header comes
/// along.
fn is_answer(packet: &[u8], ipv4: bool, kind: u8, mark: [u8; 4]) -> bool {
    let skip = if ipv4 { packet.first().map_or(0, |first| usize::from(first & 0x0f) * 4) } else { 0 };
    let Some(message) = packet.get(skip..) else { return false };
    message.first() == Some(&kind) && message.get(4..8) == Some(&mark)
}

async fn tcp(to: SocketAddr, interface: &str) -> io::Result<()> {
    let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.bind_device(Some(interface.as_bytes()))?;
    socket.connect(to).await.map(drop)
}

async fn dns(to: SocketAddr, interface: &str) -> io::Result<()> {
    let socket = Socket::new(Domain::for_address(to), Type::DGRAM.nonblocking(), Some(Protocol::UDP))?;
    socket.bind_device(Some(interface.as_bytes()))?;
    socket.connect(&to.into())?;
    let socket = UdpSocket::from_std(socket.into())?;
    let [id0, id1, ..] = random()?;
    socket.send(&[&[id0, id1][..], &ROOT_SERVERS].concat()).await?;
    let mut buffer = [0; 512];
    loop {
        let n = socket.recv(&mut buffer).await?;
        let &[a, b, flags, code, ..] = buffer.get(..n).unwrap_or_default() else { continue };
        if [a, b] != [id0, id1] || flags & 0x80 == 0 {
            continue;
        }
        // A name server without Internet answers too, but not with an answer.
        return match code & 0x0f {
            0 => Ok(()),
            code => Err(io::Error::other(format!("the name server says error {code}"))),
        };
    }
}

fn random() -> io::Result<[u8; 4]> {
    getrandom::u32().map(u32::to_ne_bytes).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn echo_and_its_answer() {
        let message = echo(8, [1, 2, 3, 4]);
        let mut sum: u32 = message.chunks(2).map(|p| u32::from(p[0]) << 8 | u32::from(p[1])).sum();
        sum = (sum >> 16) + (sum & 0xffff);
        assert_eq!(sum, 0xffff);
        let mut answer = message.to_vec();
        answer[0] = 0;
        let with_header = [&[0x46; 24][..], &answer].concat();
        assert!(is_answer(&with_header, true, 0, [1, 2, 3, 4]));
        assert!(!is_answer(&with_header, true, 0, [1, 2, 3, 5]));
        assert!(!is_answer(&message, false, 0, [1, 2, 3, 4]), "our own question");
        for cut in 0..28 {
            assert!(!is_answer(&with_header[..cut], true, 0, [1, 2, 3, 4]));
        }
    }

    #[test]
    fn question_of_rfc_1035() {
        // Flags, one question and no records, the root's empty name, type NS, class IN.
        assert_eq!(ROOT_SERVERS.len() + 2, 12 + 1 + 4);
    }
}
