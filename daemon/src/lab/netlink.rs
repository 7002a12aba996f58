//! The few rtnetlink requests that build a neighbourhood: veth pairs, bridges, addresses.
//!
//! Messages are put together by hand: it is one header and nested attributes, and the nesting of a
//! veth pair (an interface message inside an attribute) is plainer this way than through a crate.
//! Source: rtnetlink(7), linux/if_link.h.

use super::namespace::Namespace;
use packet::MacAddr;
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{self, Read, Write};
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, AsRawFd};

/// A route netlink socket of one namespace.
#[derive(Debug)]
pub(crate) struct Netlink {
    socket: Socket,
    seq: u32,
}

/// One end of a veth pair.
#[derive(Debug, Clone, Copy)]
pub(crate) struct VethEnd<'a> {
    /// Interface name, at most 15 bytes.
    pub(crate) name: &'a str,
    /// Its address.
    pub(crate) mac: MacAddr,
}

impl Netlink {
    /// Opens the socket inside a namespace, where it stays.
    ///
    /// # Errors
    /// Those of entering the namespace and of the socket.
    pub(crate) fn open(namespace: &Namespace) -> io::Result<Self> {
        let route = Protocol::from(libc::NETLINK_ROUTE);
        let socket = namespace.within(|| Socket::new(Domain::from(libc::AF_NETLINK), Type::RAW, Some(route)))?;
        Ok(Self { socket, seq: 0 })
    }

    /// Makes a veth pair, one end here, the other in `peer_namespace`. Both are down.
    ///
    /// # Errors
    /// `Unsupported` when the kernel has no veth driver, `AlreadyExists` when a name is taken.
    pub(crate) fn add_veth(
        &mut self,
        end: VethEnd<'_>,
        peer: VethEnd<'_>,
        peer_namespace: impl AsFd,
    ) -> io::Result<()> {
        let fd = u32::try_from(peer_namespace.as_fd().as_raw_fd()).unwrap_or_default();
        let peer = Message::link(0, 0, 0)
            .attribute(libc::IFLA_IFNAME, &terminated(peer.name))
            .attribute(libc::IFLA_ADDRESS, &peer.mac.0)
            .attribute(libc::IFLA_NET_NS_FD, &fd.to_ne_bytes());
        let data = Message::default().attribute(VETH_INFO_PEER, &peer.body);
        let body = Message::link(0, 0, 0)
            .attribute(libc::IFLA_IFNAME, &terminated(end.name))
            .attribute(libc::IFLA_ADDRESS, &end.mac.0)
            .attribute(libc::IFLA_LINKINFO, &kind("veth").attribute(libc::IFLA_INFO_DATA, &data.body).body);
        self.request(libc::RTM_NEWLINK, libc::NLM_F_CREATE | libc::NLM_F_EXCL, &body).map(drop)
    }

    /// Makes a bridge; it is down and speaks no spanning tree.
    ///
    /// # Errors
    /// `Unsupported` when the kernel has no bridge driver, `AlreadyExists` when the name is taken.
    pub(crate) fn add_bridge(&mut self, name: &str) -> io::Result<()> {
        let body = Message::link(0, 0, 0)
            .attribute(libc::IFLA_IFNAME, &terminated(name))
            .attribute(libc::IFLA_LINKINFO, &kind("bridge").body);
        self.request(libc::RTM_NEWLINK, libc::NLM_F_CREATE | libc::NLM_F_EXCL, &body).map(drop)
    }

    /// Index of an interface, `None` when there is none of this name.
    ///
    /// # Errors
    /// Those of the socket.
    pub(crate) fn index_of(&mut self, name: &str) -> io::Result<Option<u32>> {
        let body = Message::link(0, 0, 0).attribute(libc::IFLA_IFNAME, &terminated(name));
        match self.request(libc::RTM_GETLINK, 0, &body) {
            Ok(answer) => Ok(answer.get(4..8).and_then(|b| b.try_into().ok()).map(u32::from_ne_bytes)),
            Err(e) if e.raw_os_error() == Some(libc::ENODEV) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Puts an interface into a bridge.
    ///
    /// # Errors
    /// `NotFound` when one of the two is gone.
    pub(crate) fn enslave(&mut self, port: u32, bridge: u32) -> io::Result<()> {
        let body = Message::link(port, 0, 0).attribute(libc::IFLA_MASTER, &bridge.to_ne_bytes());
        self.request(libc::RTM_NEWLINK, 0, &body).map(drop)
    }

    /// Sets an interface's address; most devices want to be down for it.
    ///
    /// # Errors
    /// `ResourceBusy` when it is up and cannot.
    pub(crate) fn set_mac(&mut self, index: u32, mac: MacAddr) -> io::Result<()> {
        let body = Message::link(index, 0, 0).attribute(libc::IFLA_ADDRESS, &mac.0);
        self.request(libc::RTM_NEWLINK, 0, &body).map(drop)
    }

    /// Sets the largest payload an interface carries, in bytes.
    ///
    /// # Errors
    /// `InvalidInput` when the device cannot.
    pub(crate) fn set_mtu(&mut self, index: u32, mtu: u32) -> io::Result<()> {
        let body = Message::link(index, 0, 0).attribute(libc::IFLA_MTU, &mtu.to_ne_bytes());
        self.request(libc::RTM_NEWLINK, 0, &body).map(drop)
    }

    /// Switches an interface on or off.
    ///
    /// # Errors
    /// `NotFound` when it is gone.
    pub(crate) fn set_up(&mut self, index: u32, up: bool) -> io::Result<()> {
        let flag = u32::try_from(libc::IFF_UP).unwrap_or_default();
        let body = Message::link(index, if up { flag } else { 0 }, flag);
        self.request(libc::RTM_NEWLINK, 0, &body).map(drop)
    }

    /// Gives an interface an IPv4 address.
    ///
    /// # Errors
    /// `AlreadyExists` when it has it.
    pub(crate) fn add_address(&mut self, index: u32, address: Ipv4Addr, prefix: u8) -> io::Result<()> {
        let mut body = Message::default();
        let family = u8::try_from(libc::AF_INET).unwrap_or_default();
        body.body.extend([family, prefix, 0, libc::RT_SCOPE_UNIVERSE]);
        body.body.extend(index.to_ne_bytes());
        let body = body.attribute(libc::IFA_LOCAL, &address.octets()).attribute(libc::IFA_ADDRESS, &address.octets());
        self.request(libc::RTM_NEWADDR, libc::NLM_F_CREATE | libc::NLM_F_EXCL, &body).map(drop)
    }

    /// Sends a request and waits for its answer: the body of a reply, empty for a mere consent.
    fn request(&mut self, kind: u16, flags: libc::c_int, body: &Message) -> io::Result<Vec<u8>> {
        self.seq = self.seq.wrapping_add(1);
        let flags = flags | libc::NLM_F_REQUEST | if kind == libc::RTM_GETLINK { 0 } else { libc::NLM_F_ACK };
        let len = u32::try_from(HEADER + body.body.len()).unwrap_or(u32::MAX);
        let mut message = Vec::with_capacity(HEADER + body.body.len());
        message.extend(len.to_ne_bytes());
        message.extend(kind.to_ne_bytes());
        message.extend(u16::try_from(flags).unwrap_or_default().to_ne_bytes());
        message.extend(self.seq.to_ne_bytes());
        message.extend([0; 4]);
        message.extend(&body.body);
        self.socket.write_all(&message)?;
        let mut answer = vec![0; 32 * 1024];
        loop {
            let len = self.socket.read(&mut answer)?;
            if let Some(done) = parse_answer(answer.get(..len).unwrap_or_default(), self.seq) {
                return done;
            }
        }
    }
}

/// The answer to request `seq`, `None` if these bytes are something else's.
fn parse_answer(bytes: &[u8], seq: u32) -> Option<io::Result<Vec<u8>>> {
    let word = |at: usize| bytes.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes);
    let kind = bytes.get(4..6)?.try_into().ok().map(u16::from_ne_bytes)?;
    let len = usize::try_from(word(0)?).ok()?;
    if word(8)? != seq {
        return None;
    }
    if i32::from(kind) == libc::NLMSG_ERROR {
        let code = i32::from_ne_bytes(bytes.get(HEADER..HEADER + 4)?.try_into().ok()?);
        return Some(match code {
            0 => Ok(Vec::new()),
            code => Err(io::Error::from_raw_os_error(-code)),
        });
    }
    Some(Ok(bytes.get(HEADER..len).unwrap_or_default().to_vec()))
}

/// A message body or attribute under construction.
#[derive(Debug, Default)]
struct Message {
    body: Vec<u8>,
}

impl Message {
    /// `struct ifinfomsg`.
    fn link(index: u32, flags: u32, change: u32) -> Self {
        let mut body = vec![0; 4];
        body.extend(index.to_ne_bytes());
        body.extend(flags.to_ne_bytes());
        body.extend(change.to_ne_bytes());
        Self { body }
    }

    fn attribute(mut self, kind: u16, value: &[u8]) -> Self {
        let len = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
        self.body.extend(len.to_ne_bytes());
        self.body.extend(kind.to_ne_bytes());
        self.body.extend(value);
        self.body.resize(self.body.len().next_multiple_of(4), 0);
        self
    }
}

fn kind(name: &str) -> Message {
    Message::default().attribute(libc::IFLA_INFO_KIND, name.as_bytes())
}

fn terminated(name: &str) -> Vec<u8> {
    let mut bytes = name.as_bytes().to_vec();
    bytes.push(0);
    bytes
}

/// `struct nlmsghdr`.
const HEADER: usize = 16;
/// linux/veth.h
const VETH_INFO_PEER: u16 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_padded_but_say_their_own_length() {
        let message = Message::default().attribute(3, b"br0\0").attribute(5, &[9]);
        let native = |n: u16| n.to_ne_bytes();
        let mut want = Vec::new();
        want.extend(native(8));
        want.extend(native(3));
        want.extend(b"br0\0");
        want.extend(native(5));
        want.extend(native(5));
        want.extend([9, 0, 0, 0]);
        assert_eq!(message.body, want);
    }

    #[test]
    fn an_error_answer_is_the_kernels_error() {
        let mut answer = Vec::new();
        answer.extend(36u32.to_ne_bytes());
        answer.extend(2u16.to_ne_bytes());
        answer.extend(0u16.to_ne_bytes());
        answer.extend(7u32.to_ne_bytes());
        answer.extend([0; 4]);
        answer.extend((-libc::EEXIST).to_ne_bytes());
        answer.extend([0; 16]);
        assert!(parse_answer(&answer, 8).is_none(), "not ours");
        let error = parse_answer(&answer, 7).unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    }
}
