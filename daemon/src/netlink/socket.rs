//! Netlink sockets: those for requests, and those for news.

use crate::netlink::message::{Message, messages, u32_at};
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, send, socket,
};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

/// The kernel's dumps come in datagrams of up to 32 KiB.
pub const DATAGRAM: usize = 32 * 1024;

/// A socket for requests about interfaces.
pub struct RouteSocket(Requests);

impl RouteSocket {
    /// Opens one; it waits for the answers, which the kernel has ready at once.
    ///
    /// # Errors
    /// What the system says; no privilege is needed to open one.
    pub fn open() -> io::Result<Self> {
        Requests::open(SockProtocol::NetlinkRoute).map(Self)
    }

    /// As [`Requests::request`].
    ///
    /// # Errors
    /// As there.
    pub fn request(&mut self, message: Message) -> io::Result<()> {
        self.0.request(message)
    }

    /// As [`Requests::exchange`].
    ///
    /// # Errors
    /// As there.
    pub fn exchange(&mut self, message: Message, each: impl FnMut(u16, &[u8])) -> io::Result<()> {
        self.0.exchange(message, each)
    }
}

/// A socket for requests of one netlink protocol.
pub struct Requests {
    fd: OwnedFd,
    sequence: u32,
    buf: Vec<u8>,
}

impl Requests {
    /// Opens one; it waits for the answers.
    ///
    /// # Errors
    /// What the system says; `EPROTONOSUPPORT` where the kernel has no such protocol.
    pub fn open(protocol: SockProtocol) -> io::Result<Self> {
        let fd = open_socket(protocol, SockFlag::SOCK_CLOEXEC, 0)?;
        Ok(Self { fd, sequence: 0, buf: vec![0; DATAGRAM] })
    }

    /// Sends a request and waits until the kernel has carried it out.
    ///
    /// # Errors
    /// What the kernel answers, for instance `PermissionDenied`, `AlreadyExists` or `ENODEV`.
    pub fn request(&mut self, message: Message) -> io::Result<()> {
        self.exchange(message, |_, _| {})
    }

    /// Sends a dump request and gives type and body of every answer to `each`.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn exchange(&mut self, message: Message, mut each: impl FnMut(u16, &[u8])) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let bytes = message.finish(self.sequence);
        send(self.fd.as_raw_fd(), &bytes, MsgFlags::empty())?;
        loop {
            let n = match recv(self.fd.as_raw_fd(), &mut self.buf, MsgFlags::empty()) {
                Err(Errno::EINTR) => continue,
                other => other?,
            };
            for answer in messages(self.buf.get(..n).unwrap_or_default()) {
                if answer.sequence != self.sequence {
                    continue;
                }
                match answer.kind {
                    DONE => return Ok(()),
                    ERROR => {
                        let code = u32_at(answer.body, 0).map_or(0, u32::cast_signed);
                        return if code == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(-code)) };
                    }
                    kind => each(kind, answer.body),
                }
            }
        }
    }
}

/// A non-blocking socket that hears of every change of an interface.
///
/// # Errors
/// As [`RouteSocket::open`].
pub fn open_news() -> io::Result<OwnedFd> {
    open_socket(SockProtocol::NetlinkRoute, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK, GROUP_LINK)
}

/// Gives type and body of every piece of news that is there to `each`. `buf` is room for one
/// datagram, 32 KiB.
///
/// # Errors
/// `WouldBlock` when all was read; `ENOBUFS` when news was lost and everything has to be asked
/// for again.
pub fn read_news(fd: &OwnedFd, buf: &mut [u8], mut each: impl FnMut(u16, &[u8])) -> io::Result<()> {
    loop {
        let n = recv(fd.as_raw_fd(), buf, MsgFlags::empty())?;
        for message in messages(buf.get(..n).unwrap_or_default()) {
            each(message.kind, message.body);
        }
    }
}

pub(super) fn open_socket(protocol: SockProtocol, flags: SockFlag, groups: u32) -> io::Result<OwnedFd> {
    let fd = socket(AddressFamily::Netlink, SockType::Raw, flags, protocol)?;
    bind(fd.as_raw_fd(), &NetlinkAddr::new(0, groups))?;
    Ok(fd)
}

const GROUP_LINK: u32 = 1; // RTMGRP_LINK
const ERROR: u16 = 2; // NLMSG_ERROR, also the acknowledgement
const DONE: u16 = 3; // NLMSG_DONE
