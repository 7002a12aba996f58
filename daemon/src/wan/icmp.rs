//! Questions to hosts behind the line: ICMP echo, and timestamps where they are answered. Sources: RFC 792.

use crate::sys::ready::watch_read;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::OwnedFd;
use std::task::Context;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

const ECHO: u8 = 8;
const ECHO_REPLY: u8 = 0;
const UNREACHABLE: u8 = 3;
const EXCEEDED: u8 = 11;
const STAMP: u8 = 13;
const STAMP_REPLY: u8 = 14;
const DAY_MS: i64 = 86_400_000;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    /// To answer.
    Echo,
    /// To tell the time.
    Stamp,
}

/// What came back to which question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Heard {
    /// Who sent it.
    pub(super) from: Ipv4Addr,
    /// Number of the question.
    pub(super) number: u16,
    /// The question itself, or that it came no further.
    pub(super) what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// An answer.
    Echo,
    /// An answer with the time; as `skew` of [`mesh_core::wan::delay::Delay::answered`], `None` where the time is of
    /// another kind.
    Stamp(Option<i32>),
    /// It came no further.
    NoFurther,
}

/// A raw socket bound to the interface of the line.
pub(super) struct Icmp {
    fd: AsyncFd<OwnedFd>,
    mark: u16,
}

impl Icmp {
    /// Opens one.
    ///
    /// # Errors
    /// Without the right to, or without the interface.
    pub(super) fn open(interface: &str) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::RAW.nonblocking(), Some(Protocol::ICMPV4))?;
        socket.bind_device(Some(interface.as_bytes()))?;
        let mark = getrandom::u32().map_err(io::Error::other)? as u16;
        Ok(Self { fd: watch_read(socket.into())?, mark })
    }

    /// Sends a question that lives for `ttl` hops.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn ask(&self, what: Ask, to: Ipv4Addr, number: u16, ttl: u32) -> io::Result<()> {
        let mut message = [0; 20];
        message[0] = if what == Ask::Echo { ECHO } else { STAMP };
        message[4..6].copy_from_slice(&self.mark.to_be_bytes());
        message[6..8].copy_from_slice(&number.to_be_bytes());
        if what == Ask::Stamp {
            message[8..12].copy_from_slice(&day_ms().to_be_bytes());
        }
        let sum = checksum(&message);
        message[2..4].copy_from_slice(&sum.to_be_bytes());
        let socket = socket2::SockRef::from(self.fd.get_ref());
        socket.set_ttl_v4(ttl)?;
        socket.send_to(&message, &SocketAddrV4::new(to, 0).into()).map(drop)
    }

    /// Gives everything that has come to `each`. The task is woken when more comes.
    pub(super) fn poll(&self, cx: &mut Context<'_>, mut each: impl FnMut(Heard)) {
        let mut buffer = [0; 256];
        while self.fd.poll_read_ready(cx).is_ready() {
            let read = self.fd.try_io(Interest::READABLE, |fd| Ok(nix::unistd::read(fd, &mut buffer)?));
            match read {
                Ok(n) => {
                    if let Some(heard) = parse(buffer.get(..n).unwrap_or_default(), self.mark, day_ms()) {
                        each(heard);
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                // The interface is down: looked at again soon.
                Err(_) => return,
            }
        }
    }
}

/// Milliseconds of the day, universal time.
fn day_ms() -> u32 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (now.as_millis() % 86_400_000) as u32
}

/// Reads a packet with its IPv4 header; `None` for what is no answer to a question with this mark.
fn parse(packet: &[u8], mark: u16, now: u32) -> Option<Heard> {
    let message = packet.get(usize::from(packet.first()? & 0x0f) * 4..)?;
    let from = Ipv4Addr::from(*packet.get(12..)?.first_chunk::<4>()?);
    let kind = *message.first()?;
    let (asked, what) = match kind {
        ECHO_REPLY => (message, What::Echo),
        STAMP_REPLY => (message, What::Stamp(skew(message, now))),
        EXCEEDED | UNREACHABLE => {
            let inner = message.get(8..)?;
            (inner.get(usize::from(inner.first()? & 0x0f) * 4..)?, What::NoFurther)
        }
        _ => return None,
    };
    if what == What::NoFurther && !matches!(asked.first()?, &ECHO | &STAMP) {
        return None;
    }
    let &[m0, m1, n0, n1] = asked.get(4..)?.first_chunk()?;
    (u16::from_be_bytes([m0, m1]) == mark).then(|| Heard { from, number: u16::from_be_bytes([n0, n1]), what })
}

fn skew(message: &[u8], now: u32) -> Option<i32> {
    let time = |at: usize| message.get(at..)?.first_chunk().map(|b| u32::from_be_bytes(*b));
    let (sent, there, back) = (time(8)?, time(12)?, time(16)?);
    // With the highest bit it is no time of the day, RFC 792.
    if (there | back) >> 31 != 0 {
        return None;
    }
    let way = |to: u32, from: u32| {
        let ms = (i64::from(to) - i64::from(from)).rem_euclid(DAY_MS);
        if ms > DAY_MS / 2 { ms - DAY_MS } else { ms }
    };
    let skew = way(there, sent) - way(now, back);
    // Around midnight, and of clocks that are hours off, differences of differences fold over.
    let skew = if skew.abs() > DAY_MS / 2 { skew - skew.signum() * DAY_MS } else { skew };
    i32::try_from(((skew + 1_000_000).rem_euclid(2_000_000) - 1_000_000) * 1000).ok()
}

fn checksum(bytes: &[u8]) -> u16 {
    let mut sum = bytes.chunks(2).map(|p| p.iter().fold(0, |w, &b| w << 8 | u32::from(b))).sum::<u32>();
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut p = vec![0x46, 0, 0, 0, 0, 0, 0, 0, 64, 1, 0, 0, 192, 0, 2, 9, 10, 0, 0, 1, 0, 0, 0, 0];
        p.extend([kind, 0, 0, 0]);
        p.extend(body);
        p
    }

    fn stamp(sent: u32, there: u32, back: u32) -> Vec<u8> {
        let mut body = vec![0xab, 0xcd, 0, 7];
        for time in [sent, there, back] {
            body.extend(time.to_be_bytes());
        }
        packet(STAMP_REPLY, &body)
    }

    #[test]
    fn answers() {
        let from = Ipv4Addr::new(192, 0, 2, 9);
        let echo = packet(ECHO_REPLY, &[0xab, 0xcd, 0, 7]);
        assert_eq!(parse(&echo, 0xabcd, 0), Some(Heard { from, number: 7, what: What::Echo }));
        assert_eq!(parse(&echo, 0xabce, 0), None, "somebody else's");
        let own = packet(ECHO, &[0xab, 0xcd, 0, 7]);
        assert_eq!(parse(&own, 0xabcd, 0), None, "a question");
        let mut exceeded = packet(EXCEEDED, &[0; 4]);
        exceeded.extend(own.iter().take(32));
        assert_eq!(parse(&exceeded, 0xabcd, 0), Some(Heard { from, number: 7, what: What::NoFurther }));
        for cut in 0..exceeded.len() {
            let _ = parse(&exceeded[..cut], 0xabcd, 0);
        }
    }

    #[test]
    fn clocks() {
        let skew = |sent, there, back, now| match parse(&stamp(sent, there, back), 0xabcd, now).unwrap().what {
            What::Stamp(skew) => skew,
            other => panic!("{other:?}"),
        };
        // 8 ms there, 3 ms back, the other clock 5 ms ahead: 13 - (-2).
        assert_eq!(skew(1000, 1013, 1014, 1012), Some(15_000));
        assert_eq!(skew(86_399_999, 12, 13, 11), Some(15_000), "over midnight");
        assert_eq!(skew(1000, 1 << 31, 1 << 31, 1012), None, "not a time of the day");
        // A clock that is wrong by an hour and a half: only changes count, and they are small.
        let wrong = |late: u32| skew(1000, 5_401_013 + late, 5_401_014 + late, 1012).unwrap();
        assert_eq!(wrong(20) - wrong(0), 40_000);
    }
}
