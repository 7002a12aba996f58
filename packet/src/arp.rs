//! ARP for IPv4 over Ethernet. Source: RFC 826.

use crate::eth::ETHERTYPE_IPV4;
use crate::{Error, MacAddr, head};
use core::net::Ipv4Addr;
use zerocopy::byteorder::network_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// What an ARP message is for.
pub mod opcode {
    /// Who has the target address?
    pub const REQUEST: u16 = 1;
    /// The sender has its address.
    pub const REPLY: u16 = 2;
}

/// An ARP message, 28 bytes behind the Ethernet header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct Arp {
    /// 1, Ethernet.
    pub hardware: U16,
    /// 0x0800, IPv4.
    pub protocol: U16,
    /// 6.
    pub hardware_len: u8,
    /// 4.
    pub protocol_len: u8,
    /// See [`opcode`].
    pub opcode: U16,
    /// Who speaks.
    pub sender_mac: MacAddr,
    /// Its address.
    pub sender_ip: [u8; 4],
    /// Who is spoken to; zero in most requests.
    pub target_mac: MacAddr,
    /// The address asked for, or that of the one spoken to.
    pub target_ip: [u8; 4],
}
const _: () = assert!(size_of::<Arp>() == Arp::LEN);

impl Arp {
    /// Bytes of the message.
    pub const LEN: usize = 28;

    /// A reply: `sender` tells `target` its address.
    pub fn reply(sender: (Ipv4Addr, MacAddr), target: (Ipv4Addr, MacAddr)) -> Self {
        Self::new(opcode::REPLY, sender, target)
    }

    /// A request: `sender` asks who has `target`.
    pub fn request(sender: (Ipv4Addr, MacAddr), target: Ipv4Addr) -> Self {
        Self::new(opcode::REQUEST, sender, (target, MacAddr::ZERO))
    }

    fn new(opcode: u16, sender: (Ipv4Addr, MacAddr), target: (Ipv4Addr, MacAddr)) -> Self {
        Self {
            hardware: 1.into(),
            protocol: ETHERTYPE_IPV4.into(),
            hardware_len: 6,
            protocol_len: 4,
            opcode: opcode.into(),
            sender_mac: sender.1,
            sender_ip: sender.0.octets(),
            target_mac: target.1,
            target_ip: target.0.octets(),
        }
    }

    /// The message as it is sent.
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        zerocopy::transmute!(*self)
    }

    /// Reads a message; padding behind it is ignored.
    ///
    /// # Errors
    /// [`Error::Short`] below 28 bytes, [`Error::Field`] if it is not about IPv4 over Ethernet.
    pub fn parse(bytes: &[u8]) -> Result<&Self, Error> {
        let (arp, _): (&Self, _) = head(bytes)?;
        if (arp.hardware.get(), arp.protocol.get(), arp.hardware_len, arp.protocol_len) != (1, ETHERTYPE_IPV4, 6, 4) {
            return Err(Error::Field("arp"));
        }
        Ok(arp)
    }

    /// Address and MAC of the one who speaks.
    pub fn sender(&self) -> (Ipv4Addr, MacAddr) {
        (self.sender_ip.into(), self.sender_mac)
    }

    /// Address and MAC of the one spoken to.
    pub fn target(&self) -> (Ipv4Addr, MacAddr) {
        (self.target_ip.into(), self.target_mac)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_and_refusals() {
        let one = (Ipv4Addr::new(10, 9, 0, 1), MacAddr([2, 0, 0, 0, 0, 1]));
        let two = (Ipv4Addr::new(10, 9, 0, 2), MacAddr([2, 0, 0, 0, 0, 2]));
        let reply = Arp::reply(one, two);
        let wanted = [0, 1, 8, 0, 6, 4, 0, 2, 2, 0, 0, 0, 0, 1, 10, 9, 0, 1, 2, 0, 0, 0, 0, 2, 10, 9, 0, 2];
        assert_eq!(reply.as_bytes(), wanted);
        assert_eq!(Arp::parse(&wanted), Ok(&reply));
        assert_eq!((reply.sender(), reply.target()), (one, two));
        assert_eq!(Arp::request(one, two.0).target(), (two.0, MacAddr::ZERO));
        assert_eq!(Arp::parse(&wanted[..27]), Err(Error::Short { need: 28, have: 27 }));
        for at in [1, 2, 4, 5] {
            let mut other = wanted;
            other[at] ^= 1;
            assert_eq!(Arp::parse(&other), Err(Error::Field("arp")), "{at}");
        }
    }
}
