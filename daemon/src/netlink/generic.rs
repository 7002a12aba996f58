//! Generic netlink: families that are found by name.
//!
//! ```text
//! | netlink header 16 | command 1 | version 1 | reserved 2 | attributes ... |
//! ```
//! Source: linux/genetlink.h.

use crate::netlink::message::{HEADER_LEN, Message, attrs, u16_at, u32_at};
use crate::netlink::socket::{Requests, open_socket, read_news};
use crate::sys::netlink::join_group;
use nix::sys::socket::{SockFlag, SockProtocol};
use std::io;
use std::os::fd::OwnedFd;

/// Length of the family header of every generic message.
pub const GENERIC_LEN: usize = 4;

/// A socket for requests to one family.
pub struct GenericSocket {
    requests: Requests,
    family: u16,
    groups: Vec<(String, u32)>,
}

impl GenericSocket {
    /// Opens one and asks for the family, such as `nl80211`.
    ///
    /// # Errors
    /// `NotFound` when the kernel has no such family, or has not loaded it yet.
    pub fn open(family: &str) -> io::Result<Self> {
        let mut requests = Requests::open(SockProtocol::NetlinkGeneric)?;
        let (mut number, mut groups) = (None, Vec::new());
        let ask =
            Message::new(GENL_ID_CTRL, ACK).raw(&[CTRL_CMD_GETFAMILY, 1, 0, 0]).text(CTRL_ATTR_FAMILY_NAME, family);
        requests.exchange(ask, |_, body| {
            for (kind, value) in attrs(body.get(GENERIC_LEN..).unwrap_or_default()) {
                match kind {
                    CTRL_ATTR_FAMILY_ID => number = u16_at(value, 0),
                    CTRL_ATTR_MCAST_GROUPS => groups.extend(attrs(value).filter_map(|(_, group)| group_of(group))),
                    _ => {}
                }
            }
        })?;
        let family = number.ok_or(io::ErrorKind::NotFound)?;
        Ok(Self { requests, family, groups })
    }

    /// A message of the family; give it to [`Self::request`] or a dump.
    pub fn message(&self, command: u8) -> Message {
        Message::new(self.family, ACK).raw(&[command, 0, 0, 0])
    }

    /// A message that asks for everything of a kind.
    pub fn dump_message(&self, command: u8) -> Message {
        Message::new(self.family, DUMP).raw(&[command, 0, 0, 0])
    }

    /// Sends a request and waits until the kernel has carried it out.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn request(&mut self, message: Message) -> io::Result<()> {
        self.requests.request(message)
    }

    /// Sends a question and gives command and attributes of every answer to `each`.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn ask(&mut self, message: Message, mut each: impl FnMut(u8, &[u8])) -> io::Result<()> {
        self.requests.exchange(message, |_, body| {
            if let Some((command, attributes)) = split(body) {
                each(command, attributes);
            }
        })
    }

    /// A non-blocking socket that hears the news of these groups; groups that the kernel does not
    /// have are left out.
    ///
    /// # Errors
    /// What the system says.
    pub fn open_news(&self, groups: &[&str]) -> io::Result<OwnedFd> {
        let fd = open_socket(SockProtocol::NetlinkGeneric, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK, 0)?;
        for (_, number) in self.groups.iter().filter(|(name, _)| groups.contains(&name.as_str())) {
            join_group(&fd, *number)?;
        }
        Ok(fd)
    }
}

/// Gives command and attributes of every piece of news that is there to `each`. `buf` is room for
/// one datagram, 32 KiB.
///
/// # Errors
/// As [`read_news`].
pub fn read_generic_news(fd: &OwnedFd, buf: &mut [u8], mut each: impl FnMut(u8, &[u8])) -> io::Result<()> {
    read_news(fd, buf, |_, body| {
        if let Some((command, attributes)) = split(body) {
            each(command, attributes);
        }
    })
}

fn split(body: &[u8]) -> Option<(u8, &[u8])> {
    Some((*body.first()?, body.get(GENERIC_LEN..)?))
}

fn group_of(group: &[u8]) -> Option<(String, u32)> {
    let (mut name, mut number) = (None, None);
    for (kind, value) in attrs(group) {
        match kind {
            CTRL_ATTR_MCAST_GRP_NAME => name = Some(text(value)),
            CTRL_ATTR_MCAST_GRP_ID => number = u32_at(value, 0),
            _ => {}
        }
    }
    Some((name?, number?))
}

/// Text up to its terminating zero.
pub fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value.split(|b| *b == 0).next().unwrap_or_default()).into_owned()
}

// linux/netlink.h, linux/genetlink.h
const ACK: u16 = 0x4;
const DUMP: u16 = 0x300;
const GENL_ID_CTRL: u16 = 0x10;
const CTRL_CMD_GETFAMILY: u8 = 3;
const CTRL_ATTR_FAMILY_ID: u16 = 1;
const CTRL_ATTR_FAMILY_NAME: u16 = 2;
const CTRL_ATTR_MCAST_GROUPS: u16 = 7;
const CTRL_ATTR_MCAST_GRP_NAME: u16 = 1;
const CTRL_ATTR_MCAST_GRP_ID: u16 = 2;

const _: () = assert!(HEADER_LEN.is_multiple_of(4), "attributes stay aligned");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells_its_own_families() {
        // The controller is a family itself and in every kernel.
        let socket = GenericSocket::open("nlctrl").unwrap();
        assert_eq!(socket.family, GENL_ID_CTRL);
        assert!(socket.groups.iter().any(|(name, _)| name == "notify"), "{:?}", socket.groups);
        let news = socket.open_news(&["notify", "no such group"]).unwrap();
        let error = read_generic_news(&news, &mut [0; 1024], |_, _| {}).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        assert_eq!(GenericSocket::open("no-such").err().unwrap().kind(), io::ErrorKind::NotFound);
    }
}
