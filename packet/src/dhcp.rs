//! DHCP for IPv4 as far as a mesh node reads it. Source: RFC 951, RFC 2131, RFC 2132.

use crate::{Error, MacAddr, head};
use core::net::Ipv4Addr;
use zerocopy::byteorder::network_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

/// UDP port of servers and relays.
pub const SERVER_PORT: u16 = 67;
/// UDP port of clients.
pub const CLIENT_PORT: u16 = 68;
/// In front of the options.
pub const MAGIC: [u8; 4] = [0x63, 0x82, 0x53, 0x63];

/// Option 53.
pub mod message {
    /// The server gives or confirms a lease.
    pub const ACK: u8 = 5;
}

/// Numbers of options.
mod option {
    pub(super) const PAD: u8 = 0;
    pub(super) const MESSAGE_TYPE: u8 = 53;
    pub(super) const END: u8 = 255;
}

const REPLY: u8 = 2;
const ETHERNET: u8 = 1;

/// The fixed part of a message, 240 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct Bootp {
    /// 1 from a client, 2 from a server.
    pub op: u8,
    /// 1, Ethernet.
    pub htype: u8,
    /// 6.
    pub hlen: u8,
    /// Relays passed.
    pub hops: u8,
    /// Chosen by the client.
    pub xid: U32,
    /// Seconds since the client began.
    pub secs: U16,
    /// Bit 15: answer by broadcast.
    pub flags: U16,
    /// Address that the client has.
    pub ciaddr: [u8; 4],
    /// Address that the client gets.
    pub yiaddr: [u8; 4],
    /// Server of the next step of booting.
    pub siaddr: [u8; 4],
    /// Relay.
    pub giaddr: [u8; 4],
    /// MAC of the client.
    pub chaddr: MacAddr,
    /// Rest of the field for longer hardware addresses.
    pub chaddr_rest: [u8; 10],
    /// Name of the server.
    pub sname: [u8; 64],
    /// Boot file.
    pub file: [u8; 128],
    /// [`MAGIC`].
    pub magic: [u8; 4],
}
const _: () = assert!(size_of::<Bootp>() == 240);

/// A message: its fixed part and its options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dhcp<'a> {
    /// The fixed part.
    pub bootp: &'a Bootp,
    options: &'a [u8],
}

impl<'a> Dhcp<'a> {
    /// Reads the payload of a UDP datagram.
    ///
    /// # Errors
    /// [`Error::Short`] below 240 bytes, [`Error::Field`] if it is not DHCP over Ethernet.
    pub fn parse(udp: &'a [u8]) -> Result<Self, Error> {
        let (bootp, options): (&Bootp, _) = head(udp)?;
        if bootp.magic != MAGIC {
            return Err(Error::Field("magic"));
        }
        if (bootp.htype, bootp.hlen) != (ETHERNET, 6) {
            return Err(Error::Field("htype"));
        }
        Ok(Self { bootp, options })
    }

    /// Option 53, see [`message`]; `None` without it or where the options before it are cut off.
    pub fn message_type(&self) -> Option<u8> {
        let mut rest = self.options;
        loop {
            match *rest {
                [option::PAD, ref behind @ ..] => rest = behind,
                [option::END, ..] => return None,
                [code, len, ref behind @ ..] => {
                    let value = behind.get(..usize::from(len))?;
                    if code == option::MESSAGE_TYPE {
                        return value.first().copied();
                    }
                    rest = behind.get(usize::from(len)..)?;
                }
                _ => return None,
            }
        }
    }

    /// The lease that a server confirms: the client's address and MAC.
    pub fn lease(&self) -> Option<(Ipv4Addr, MacAddr)> {
        let given = self.bootp.op == REPLY && self.message_type() == Some(message::ACK);
        given.then_some((self.bootp.yiaddr.into(), self.bootp.chaddr))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;
    use std::vec::Vec;

    fn ack(options: &[u8]) -> Vec<u8> {
        let mut m = vec![0; 240];
        (m[0], m[1], m[2]) = (2, 1, 6);
        m[16..20].copy_from_slice(&[10, 0, 0, 7]);
        m[28..34].copy_from_slice(&[2, 0, 0, 0, 0, 7]);
        m[236..].copy_from_slice(&MAGIC);
        m.extend_from_slice(options);
        m
    }

    #[test]
    fn a_lease() {
        let m = ack(&[0, 54, 4, 10, 0, 0, 1, 53, 1, 5, 255]);
        let lease = Some((Ipv4Addr::new(10, 0, 0, 7), MacAddr([2, 0, 0, 0, 0, 7])));
        assert_eq!(Dhcp::parse(&m).unwrap().lease(), lease);
        let mut question = m.clone();
        question[0] = 1;
        assert_eq!(Dhcp::parse(&question).unwrap().lease(), None);
        for at in [1, 2, 236, 239] {
            let mut other = m.clone();
            other[at] ^= 0x40;
            assert!(Dhcp::parse(&other).is_err(), "{at}");
        }
        assert!(Dhcp::parse(&m[..239]).is_err());
    }

    #[test]
    fn options_that_lie() {
        for (options, wanted) in [
            (&[53, 1, 5][..], Some(5)),
            (&[53, 1], None),
            (&[53, 0], None),
            (&[53], None),
            (&[], None),
            (&[255, 53, 1, 5], None),
            (&[54, 200, 53, 1, 5], None),
            (&[0, 0, 0], None),
            (&[12, 1, 53, 53, 1, 6], Some(6)),
        ] {
            assert_eq!(Dhcp::parse(&ack(options)).unwrap().message_type(), wanted, "{options:?}");
        }
    }
}
