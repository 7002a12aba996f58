//! Claim frames of bridge loop avoidance: ARP replies on the LAN side by which gateways of one
//! LAN agree who handles which client. They never travel inside mesh packets' own types.
//! Source: protocol notes, "Payload plane" section 7.1.

use crate::eth::{ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_VLAN, EthHeader};
use crate::{Error, MacAddr, Vid, head};
use zerocopy::byteorder::network_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// First three bytes of the target address of every claim frame.
pub const MAGIC: [u8; 3] = [0xff, 0x43, 0x05];
/// First four bytes of the sender address of an announcement; the CRC follows.
pub const ANNOUNCE_MAGIC: [u8; 4] = [0x43, 0x05, 0x43, 0x05];
/// First two bytes of the random source address of a loop detection frame.
pub const LOOP_DETECT_MAGIC: [u8; 2] = [0xba, 0xbe];

/// What a claim frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// "I handle this client."
    Claim,
    /// "I no longer handle this client."
    Unclaim,
    /// "I am here, and this is the checksum of my claims."
    Announce,
    /// "Tell me all your claims."
    Request,
    /// Finds out whether the LAN and the mesh form a loop.
    LoopDetect,
    /// A type byte that is not known here.
    Unknown(u8),
}

impl Kind {
    /// Reads the type byte.
    pub const fn from_wire(raw: u8) -> Self {
        match raw {
            0 => Self::Claim,
            1 => Self::Unclaim,
            2 => Self::Announce,
            3 => Self::Request,
            4 => Self::LoopDetect,
            other => Self::Unknown(other),
        }
    }

    /// The type byte.
    pub const fn to_wire(self) -> u8 {
        match self {
            Self::Claim => 0,
            Self::Unclaim => 1,
            Self::Announce => 2,
            Self::Request => 3,
            Self::LoopDetect => 4,
            Self::Unknown(raw) => raw,
        }
    }
}

/// The ARP body of a claim frame, 28 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct ClaimArp {
    /// 1, Ethernet.
    pub hardware: U16,
    /// 0x0800, IPv4.
    pub protocol: U16,
    /// 6.
    pub hardware_len: u8,
    /// 4.
    pub protocol_len: u8,
    /// 2, reply; receivers do not look at it.
    pub opcode: U16,
    /// Gateway, client or checksum, depending on the kind.
    pub hw_src: MacAddr,
    /// 0.0.0.0; receivers do not look at it.
    pub ip_src: [u8; 4],
    /// [`MAGIC`].
    pub magic: [u8; 3],
    /// See [`Kind`].
    pub kind: u8,
    /// Group of gateways that share the LAN: CRC-16 of one gateway's originator address.
    pub group: U16,
    /// 0.0.0.0; receivers do not look at it.
    pub ip_dst: [u8; 4],
}
const _: () = assert!(size_of::<ClaimArp>() == 28);

/// A claim frame, Ethernet header included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClaimFrame {
    /// Ethernet destination: the asked gateway for a request, else broadcast.
    pub dst: MacAddr,
    /// Ethernet source: client, gateway or random, depending on the kind.
    pub src: MacAddr,
    /// Content of the 802.1Q tag, if there is one; its low 12 bits are the VLAN.
    pub tci: Option<u16>,
    /// The ARP body.
    pub arp: ClaimArp,
}

impl ClaimFrame {
    /// Bytes of a frame without tag.
    pub const LEN: usize = 42;
    /// Bytes of a frame with a tag.
    pub const TAGGED_LEN: usize = 46;

    /// "I, `gateway`, handle `client`."
    pub fn claim(gateway: MacAddr, client: MacAddr, group: u16, vid: Vid) -> Self {
        Self::new(Kind::Claim, MacAddr::BROADCAST, client, gateway, group, vid)
    }

    /// "I, `gateway`, no longer handle `client`."
    pub fn unclaim(gateway: MacAddr, client: MacAddr, group: u16, vid: Vid) -> Self {
        Self::new(Kind::Unclaim, MacAddr::BROADCAST, gateway, client, group, vid)
    }

    /// "I, `gateway`, am here, and `crc` is the checksum of my claims."
    pub fn announce(gateway: MacAddr, crc: u16, group: u16, vid: Vid) -> Self {
        let [m0, m1, m2, m3] = ANNOUNCE_MAGIC;
        let [hi, lo] = crc.to_be_bytes();
        let hw_src = MacAddr([m0, m1, m2, m3, hi, lo]);
        Self::new(Kind::Announce, MacAddr::BROADCAST, gateway, hw_src, group, vid)
    }

    /// "`asked`, tell me, `gateway`, all your claims."
    pub fn request(gateway: MacAddr, asked: MacAddr, group: u16, vid: Vid) -> Self {
        Self::new(Kind::Request, asked, gateway, asked, group, vid)
    }

    /// Loop detection by `gateway`, whose random address is ba:be and `random`.
    pub fn loop_detect(gateway: MacAddr, random: [u8; 4], group: u16, vid: Vid) -> Self {
        let ([m0, m1], [r0, r1, r2, r3]) = (LOOP_DETECT_MAGIC, random);
        let src = MacAddr([m0, m1, r0, r1, r2, r3]);
        Self::new(Kind::LoopDetect, MacAddr::BROADCAST, src, gateway, group, vid)
    }

    fn new(kind: Kind, dst: MacAddr, src: MacAddr, hw_src: MacAddr, group: u16, vid: Vid) -> Self {
        let arp = ClaimArp {
            hardware: 1.into(),
            protocol: ETHERTYPE_IPV4.into(),
            hardware_len: 6,
            protocol_len: 4,
            opcode: 2.into(),
            hw_src,
            ip_src: [0; 4],
            magic: MAGIC,
            kind: kind.to_wire(),
            group: group.into(),
            ip_dst: [0; 4],
        };
        Self { dst, src, tci: vid.id(), arp }
    }

    /// Reads a client frame with at most one 802.1Q tag; padding behind it is ignored.
    ///
    /// # Errors
    /// [`Error::Short`] if it is cut off; [`Error::Field`] with the first field that shows that
    /// it is no claim frame: `ethertype` (double tags too), `arp` or `magic`.
    pub fn parse(frame: &[u8]) -> Result<Self, Error> {
        let (eth, rest) = EthHeader::parse(frame)?;
        let (tci, ethertype, rest) = match eth.ethertype.get() {
            ETHERTYPE_VLAN => {
                let ([tci, ethertype], rest): (&[U16; 2], _) = head(rest)?;
                (Some(tci.get()), ethertype.get(), rest)
            }
            other => (None, other, rest),
        };
        if ethertype != ETHERTYPE_ARP {
            return Err(Error::Field("ethertype"));
        }
        let (arp, _): (&ClaimArp, _) = head(rest)?;
        if (arp.hardware.get(), arp.protocol.get(), arp.hardware_len, arp.protocol_len) != (1, ETHERTYPE_IPV4, 6, 4) {
            return Err(Error::Field("arp"));
        }
        if arp.magic != MAGIC {
            return Err(Error::Field("magic"));
        }
        Ok(Self { dst: eth.dst, src: eth.src, tci, arp: *arp })
    }

    /// Writes the frame and returns its length, 42 or 46 bytes.
    ///
    /// # Errors
    /// [`Error::Short`] if it does not fit.
    pub fn emit(&self, out: &mut [u8]) -> Result<usize, Error> {
        let need = if self.tci.is_some() { Self::TAGGED_LEN } else { Self::LEN };
        let have = out.len();
        let out = out.get_mut(..need).ok_or(Error::Short { need, have })?;
        let outer = if self.tci.is_some() { ETHERTYPE_VLAN } else { ETHERTYPE_ARP };
        let eth = EthHeader { dst: self.dst, src: self.src, ethertype: outer.into() };
        let tag = self.tci.map(|tci| [U16::new(tci), U16::new(ETHERTYPE_ARP)]);
        let parts = [eth.as_bytes(), tag.as_ref().map_or(&[], |tag| tag.as_bytes()), self.arp.as_bytes()];
        out.iter_mut().zip(parts.into_iter().flatten()).for_each(|(to, from)| *to = *from);
        Ok(need)
    }

    /// What it says.
    pub fn kind(&self) -> Kind {
        Kind::from_wire(self.arp.kind)
    }

    /// The VLAN it speaks of.
    pub fn vid(&self) -> Vid {
        self.tci.map_or(Vid::UNTAGGED, Vid::tagged)
    }

    /// The group of the gateway that sent it.
    pub fn group(&self) -> u16 {
        self.arp.group.get()
    }

    /// The gateway that sent it; `None` for unknown kinds.
    pub fn gateway(&self) -> Option<MacAddr> {
        match self.kind() {
            Kind::Claim | Kind::LoopDetect => Some(self.arp.hw_src),
            Kind::Unclaim | Kind::Announce | Kind::Request => Some(self.src),
            Kind::Unknown(_) => None,
        }
    }

    /// The client claimed or given up.
    pub fn client(&self) -> Option<MacAddr> {
        match self.kind() {
            Kind::Claim => Some(self.src),
            Kind::Unclaim => Some(self.arp.hw_src),
            Kind::Announce | Kind::Request | Kind::LoopDetect | Kind::Unknown(_) => None,
        }
    }

    /// The checksum in an announcement; `None` for other kinds and without its magic.
    pub fn crc(&self) -> Option<u16> {
        match (self.kind(), self.arp.hw_src.0) {
            (Kind::Announce, [m0, m1, m2, m3, hi, lo]) if [m0, m1, m2, m3] == ANNOUNCE_MAGIC => {
                Some(u16::from_be_bytes([hi, lo]))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crc::crc16;
    use std::vec;

    const GATEWAY: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
    const CLIENT: MacAddr = MacAddr([2, 0xaa, 0, 0, 0, 1]);

    #[test]
    fn bytes_of_a_claim() {
        let mut out = [0; 60];
        let claim = ClaimFrame::claim(GATEWAY, CLIENT, crc16(&GATEWAY.0), Vid::UNTAGGED);
        assert_eq!(claim.emit(&mut out), Ok(42));
        let wanted = [
            0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0xaa, 0, 0, 0, 1, 8, 6, 0, 1, 8, 0, 6, 4, 0, 2, 2, 0, 0, 0, 0, 1, 0,
            0, 0, 0, 0xff, 0x43, 5, 0, 0x22, 0xc0, 0, 0, 0, 0,
        ];
        assert_eq!(out[..42], wanted);
        assert_eq!(ClaimFrame::parse(&out), Ok(claim));
    }

    #[test]
    fn all_kinds_and_tags() {
        for vid in [Vid::UNTAGGED, Vid::tagged(5)] {
            let all = [
                (ClaimFrame::claim(GATEWAY, CLIENT, 7, vid), Kind::Claim, Some(CLIENT), None),
                (ClaimFrame::unclaim(GATEWAY, CLIENT, 7, vid), Kind::Unclaim, Some(CLIENT), None),
                (ClaimFrame::announce(GATEWAY, 0x3ad8, 7, vid), Kind::Announce, None, Some(0x3ad8)),
                (ClaimFrame::request(GATEWAY, CLIENT, 7, vid), Kind::Request, None, None),
                (ClaimFrame::loop_detect(GATEWAY, [1, 2, 3, 4], 7, vid), Kind::LoopDetect, None, None),
            ];
            for (frame, kind, client, crc) in all {
                let mut out = vec![0; if vid == Vid::UNTAGGED { 42 } else { 46 }];
                assert_eq!(frame.emit(&mut out), Ok(out.len()));
                assert_eq!(ClaimFrame::parse(&out), Ok(frame));
                assert_eq!((frame.kind(), frame.vid(), frame.group()), (kind, vid, 7));
                assert_eq!((frame.gateway(), frame.client(), frame.crc()), (Some(GATEWAY), client, crc));
                let short = out.len() - 1;
                assert!(ClaimFrame::parse(&out[..short]).is_err());
                assert_eq!(frame.emit(&mut out[..short]), Err(Error::Short { need: short + 1, have: short }));
            }
        }
    }

    #[test]
    fn other_frames_are_refused() {
        let mut frame = [0; 42];
        ClaimFrame::request(GATEWAY, CLIENT, 7, Vid::UNTAGGED).emit(&mut frame).unwrap();
        for (at, field) in [(13, "ethertype"), (15, "arp"), (18, "arp"), (19, "arp"), (32, "magic"), (34, "magic")] {
            let mut other = frame;
            other[at] ^= 0x10;
            assert_eq!(ClaimFrame::parse(&other), Err(Error::Field(field)), "{at}");
        }
    }
}
