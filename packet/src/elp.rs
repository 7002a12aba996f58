//! B.A.T.M.A.N. V neighbour hello, the echo location protocol. Source: "Wire format" section 3.

use crate::consts::{VERSION, packet_type};
use crate::{Error, MacAddr, head, head_mut};
use zerocopy::byteorder::network_endian::U32;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// ELP header, 16 bytes. It has no TTL: it never travels further than one link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct ElpHeader {
    /// 0x03.
    pub packet_type: u8,
    /// 15.
    pub version: u8,
    /// Originator address of the sender.
    pub orig: MacAddr,
    /// Counts per hard interface.
    pub seqno: U32,
    /// Time between two hellos, milliseconds.
    pub interval_ms: U32,
}
const _: () = assert!(size_of::<ElpHeader>() == ElpHeader::LEN);

impl ElpHeader {
    /// Bytes that a receiver needs.
    pub const LEN: usize = 16;
    /// Bytes that a sender sends: four zero bytes follow, reserved for TVLVs.
    pub const SENT_LEN: usize = 20;
    /// Bytes of a unicast probe, padded with zeros; receivers ignore probes.
    pub const PROBE_LEN: usize = 200;

    /// A hello as it is sent.
    pub fn new(orig: MacAddr, seqno: u32, interval_ms: u32) -> Self {
        Self {
            packet_type: packet_type::ELP,
            version: VERSION,
            orig,
            seqno: seqno.into(),
            interval_ms: interval_ms.into(),
        }
    }

    /// Header and what follows it: zeros today, to be ignored.
    ///
    /// # Errors
    /// [`Error::Short`] below 16 bytes.
    pub fn parse(bytes: &[u8]) -> Result<(&Self, &[u8]), Error> {
        head(bytes)
    }

    /// Writable header and what follows it.
    ///
    /// # Errors
    /// [`Error::Short`] below 16 bytes.
    pub fn parse_mut(bytes: &mut [u8]) -> Result<(&mut Self, &mut [u8]), Error> {
        head_mut(bytes)
    }

    /// Writes the 20 bytes of a broadcast hello.
    pub fn hello(&self) -> [u8; Self::SENT_LEN] {
        self.padded()
    }

    /// Writes the 200 bytes of a unicast probe.
    pub fn probe(&self) -> [u8; Self::PROBE_LEN] {
        self.padded()
    }

    fn padded<const N: usize>(&self) -> [u8; N] {
        let mut out = [0; N];
        out.iter_mut().zip(self.as_bytes()).for_each(|(to, from)| *to = *from);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hello_bytes() {
        let elp = ElpHeader::new(MacAddr([2, 0, 0, 0, 0, 1]), 7, 500);
        assert_eq!(elp.hello(), [3, 15, 2, 0, 0, 0, 0, 1, 0, 0, 0, 7, 0, 0, 1, 0xf4, 0, 0, 0, 0]);
        let probe = elp.probe();
        assert_eq!(ElpHeader::parse(&probe), Ok((&elp, &[0; 184][..])));
        assert_eq!(ElpHeader::parse(&probe[..15]), Err(Error::Short { need: 16, have: 15 }));
    }
}
