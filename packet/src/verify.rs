//! A question to a Meshwork node somewhere beyond a neighbour, and its answer: whether frames
//! arrive there. It rides as a client frame in a plain unicast packet, so every relay treats it as
//! it treats payload, kernel nodes too; type 0x4d would not do, as who loses payload may well pass
//! what it does not know. A Meshwork node never hands it to its host. Where a kernel node gets one
//! (another system was installed a minute ago), it comes out of the mesh interface, to a group that
//! no bridge passes on and nobody listens to.
//!
//! ```text
//! off  0  6  01:80:c2:00:00:0b, a group of one wire; no protocol uses it
//! off  6  6  MAC of the asker's mesh interface (its own client, so nobody learns a new one)
//! off 12  2  0x88b5, for local use
//! off 14  4  magic "Mwk1"
//! off 18  1  ASK or ANSWER, see [`crate::meshwork::say`]
//! off 19  1  zero
//! off 20  6  originator that says it
//! off 26  8  nonce, repeated in the answer
//! off 34  …  filler of a question
//! ```

use crate::consts::ETH_LEN;
use crate::eth::EthHeader;
use crate::tvlv::MESHWORK_MAGIC;
use crate::{Error, MacAddr, head};
use zerocopy::byteorder::network_endian::U64;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Destination of the client frame: reserved, and kept to its wire by every bridge. Source: IEEE
/// 802.1Q, table 8-1.
pub const GROUP: MacAddr = MacAddr([0x01, 0x80, 0xc2, 0, 0, 0x0b]);
/// Ethertype of the client frame. Source: IEEE 802, "Local Experimental Ethertype 1".
pub const ETHERTYPE: u16 = 0x88b5;

/// The client frame up to its filler, 34 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct VerifyFrame {
    /// To [`GROUP`], of [`ETHERTYPE`].
    pub eth: EthHeader,
    /// [`MESHWORK_MAGIC`].
    pub magic: [u8; 4],
    /// [`crate::meshwork::say::ASK`] or [`crate::meshwork::say::ANSWER`].
    pub what: u8,
    /// Zero.
    pub reserved: u8,
    /// Originator that says it.
    pub src: MacAddr,
    /// Chosen by the asker, not to be guessed.
    pub nonce: U64,
}
const _: () = assert!(size_of::<VerifyFrame>() == VerifyFrame::LEN);

impl VerifyFrame {
    /// Bytes without filler.
    pub const LEN: usize = ETH_LEN + 20;

    /// A frame as it is sent; `client` is the MAC of the sender's mesh interface.
    pub fn new(client: MacAddr, src: MacAddr, what: u8, nonce: u64) -> Self {
        let eth = EthHeader { dst: GROUP, src: client, ethertype: ETHERTYPE.into() };
        Self { eth, magic: MESHWORK_MAGIC, what, reserved: 0, src, nonce: nonce.into() }
    }

    /// Reads a client frame.
    ///
    /// # Errors
    /// [`Error::Short`] below 34 bytes, [`Error::Field`] if it is some other client frame.
    pub fn parse(frame: &[u8]) -> Result<&Self, Error> {
        let (verify, _): (&Self, _) = head(frame)?;
        if verify.eth.dst != GROUP || verify.eth.ethertype.get() != ETHERTYPE {
            return Err(Error::Field("ethertype"));
        }
        if verify.magic == MESHWORK_MAGIC { Ok(verify) } else { Err(Error::Field("magic")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meshwork::say;

    #[test]
    fn comes_back_as_it_left() {
        let (client, src) = (MacAddr([2; 6]), MacAddr([4; 6]));
        let sent = VerifyFrame::new(client, src, say::ASK, 0x0102_0304_0506_0708);
        let mut bytes = sent.as_bytes().to_vec();
        assert_eq!(bytes[..6], [0x01, 0x80, 0xc2, 0, 0, 0x0b]);
        assert_eq!(bytes[12..20], [0x88, 0xb5, b'M', b'w', b'k', b'1', say::ASK, 0]);
        assert_eq!(bytes[26..], [1, 2, 3, 4, 5, 6, 7, 8]);
        bytes.extend([0; 100]);
        assert_eq!(VerifyFrame::parse(&bytes), Ok(&sent));
        for cut in 0..VerifyFrame::LEN {
            assert!(VerifyFrame::parse(&bytes[..cut]).is_err());
        }
        for other in [0, 12, 14] {
            let mut frame = bytes.clone();
            frame[other] ^= 0x40;
            assert!(VerifyFrame::parse(&frame).is_err(), "byte {other}");
        }
    }
}
