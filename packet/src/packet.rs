//! One value for every packet of the wire.
//!
//! [`Packet::parse`] looks at the type byte and lays the right header over the bytes; it is for
//! those who want to see everything, like the monitor. The routing core picks its parser itself.

use crate::bcast::BcastHeader;
use crate::consts::{VERSION, packet_type};
use crate::elp::ElpHeader;
use crate::frag::FragHeader;
use crate::icmp::{IcmpHeader, RecordRoute, TpHeader, msg_type, tp_subtype};
use crate::mcast::McastHeader;
use crate::ogm::{OgmHeader, Ogms};
use crate::ogm2::{Ogm2Header, Ogm2s};
use crate::unicast::{Unicast4Header, UnicastHeader, UnicastTvlvHeader};
use crate::{Error, head};
use zerocopy::IntoBytes;

/// A mesh packet, the Ethernet header excluded and cut to the length that it declares itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// Type 0x00: one or more OGMs.
    Ogm(OgmAggregate<'a>),
    /// Type 0x01: a flooded client frame.
    Bcast(&'a BcastHeader, &'a [u8]),
    /// Type 0x02: two packets coded into one. Named, but never decoded: all its bytes.
    Coded(&'a [u8]),
    /// Type 0x03: a hello of B.A.T.M.A.N. V and the zeros behind it.
    Elp(&'a ElpHeader, &'a [u8]),
    /// Type 0x04: one or more OGM2s.
    Ogm2(Ogm2Aggregate<'a>),
    /// Type 0x05: a multicast client frame.
    Mcast {
        /// Its header.
        header: &'a McastHeader,
        /// The list of its receivers, see [`crate::tvlv::tracker`].
        tvlvs: &'a [u8],
        /// The client frame.
        frame: &'a [u8],
    },
    /// Type 0x40: a client frame.
    Unicast(&'a UnicastHeader, &'a [u8]),
    /// Type 0x41: a piece of another packet.
    Frag(&'a FragHeader, &'a [u8]),
    /// Type 0x42: a client frame whose header names the sender.
    Unicast4(&'a Unicast4Header, &'a [u8]),
    /// Type 0x43.
    Icmp(Icmp<'a>),
    /// Type 0x44: containers for one originator.
    UnicastTvlv(&'a UnicastTvlvHeader, &'a [u8]),
    /// Types 0x45 to 0x7f: not known, but their first ten bytes are.
    Forwardable(&'a UnicastHeader, &'a [u8]),
}

/// A mesh ICMP message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Icmp<'a> {
    /// Echo request or reply, TTL exceeded and other messages of 20 bytes.
    Plain(&'a IcmpHeader),
    /// Echo request or reply with room for the route, 116 bytes.
    RecordRoute(&'a RecordRoute),
    /// Throughput meter: header and filler.
    Tp(&'a TpHeader, &'a [u8]),
    /// A message type that is not known here, with all its bytes.
    Other(&'a IcmpHeader, &'a [u8]),
}

/// At least one OGM: whole members, the first at the start, the last at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OgmAggregate<'a>(&'a [u8]);

/// At least one OGM2: whole members, the first at the start, the last at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ogm2Aggregate<'a>(&'a [u8]);

impl<'a> OgmAggregate<'a> {
    /// Cuts the members out of a packet; what follows the last of them is left behind.
    ///
    /// # Errors
    /// Says why there is no first member: [`Error::Short`], [`Error::Type`], [`Error::Length`].
    pub fn parse(packet: &'a [u8]) -> Result<Self, Error> {
        let (header, rest) = OgmHeader::parse(packet)?;
        if header.packet_type != packet_type::OGM {
            return Err(Error::Type(header.packet_type));
        }
        tvlv_len(usize::from(header.tvlv_len.get()), rest)?;
        let mut ogms = Ogms::new(packet);
        let mut end = 0;
        while ogms.next().is_some() {
            end = packet.len() - ogms.rest().len();
        }
        Ok(Self(packet.get(..end).unwrap_or(packet)))
    }

    /// Walks the members.
    pub const fn members(&self) -> Ogms<'a> {
        Ogms::new(self.0)
    }

    /// The bytes of all members.
    pub const fn bytes(&self) -> &'a [u8] {
        self.0
    }
}

impl<'a> Ogm2Aggregate<'a> {
    /// Cuts the members out of a packet; what follows the last of them is left behind.
    ///
    /// # Errors
    /// Says why there is no first member: [`Error::Short`], [`Error::Type`], [`Error::Length`].
    pub fn parse(packet: &'a [u8]) -> Result<Self, Error> {
        let (header, rest) = Ogm2Header::parse(packet)?;
        if header.packet_type != packet_type::OGM2 {
            return Err(Error::Type(header.packet_type));
        }
        tvlv_len(usize::from(header.tvlv_len.get()), rest)?;
        let mut ogms = Ogm2s::new(packet);
        let mut end = 0;
        while ogms.next().is_some() {
            end = packet.len() - ogms.rest().len();
        }
        Ok(Self(packet.get(..end).unwrap_or(packet)))
    }

    /// Walks the members.
    pub const fn members(&self) -> Ogm2s<'a> {
        Ogm2s::new(self.0)
    }

    /// The bytes of all members.
    pub const fn bytes(&self) -> &'a [u8] {
        self.0
    }
}

impl<'a> Icmp<'a> {
    /// Reads a message; fixed-size messages are cut to their size.
    ///
    /// # Errors
    /// [`Error::Short`] below the 20 bytes of any message or the 28 of the throughput meter.
    pub fn parse(packet: &'a [u8]) -> Result<Self, Error> {
        let (header, rest) = IcmpHeader::parse(packet)?;
        match header.msg_type {
            msg_type::ECHO_REQUEST | msg_type::ECHO_REPLY if packet.len() >= IcmpHeader::RECORD_ROUTE_LEN => {
                RecordRoute::parse(packet).map(|(route, _)| Self::RecordRoute(route))
            }
            msg_type::TP => {
                let (tp, filler) = TpHeader::parse(packet)?;
                // An ack carries nothing, so what follows it is padding.
                Ok(Self::Tp(tp, if tp.icmp.rr_cur == tp_subtype::ACK { &[] } else { filler }))
            }
            msg_type::ECHO_REQUEST
            | msg_type::ECHO_REPLY
            | msg_type::DESTINATION_UNREACHABLE
            | msg_type::TTL_EXCEEDED
            | msg_type::PARAMETER_PROBLEM => Ok(Self::Plain(header)),
            _ => Ok(Self::Other(header, rest)),
        }
    }

    /// The 20 bytes that all messages begin with.
    pub const fn header(&self) -> &'a IcmpHeader {
        match *self {
            Self::Plain(header) | Self::Other(header, _) => header,
            Self::RecordRoute(route) => &route.icmp,
            Self::Tp(tp, _) => &tp.icmp,
        }
    }
}

impl<'a> Packet<'a> {
    /// Reads what follows the Ethernet header of a mesh frame.
    ///
    /// # Errors
    /// [`Error::Short`], [`Error::Length`] if it is cut off, [`Error::Version`] if it is not of
    /// version 15, [`Error::Type`] for types that nobody may forward.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let ([kind, version], _): (&[u8; 2], _) = head(bytes)?;
        if *version != VERSION {
            return Err(Error::Version(*version));
        }
        Ok(match *kind {
            packet_type::OGM => Self::Ogm(OgmAggregate::parse(bytes)?),
            packet_type::BCAST => both(BcastHeader::parse(bytes), Self::Bcast)?,
            packet_type::CODED => Self::Coded(bytes),
            packet_type::ELP => both(ElpHeader::parse(bytes), Self::Elp)?,
            packet_type::OGM2 => Self::Ogm2(Ogm2Aggregate::parse(bytes)?),
            packet_type::MCAST => {
                let (header, tvlvs, frame) = McastHeader::parse(bytes)?;
                Self::Mcast { header, tvlvs, frame }
            }
            packet_type::UNICAST => both(UnicastHeader::parse(bytes), Self::Unicast)?,
            packet_type::FRAG => both(FragHeader::parse(bytes), Self::Frag)?,
            packet_type::UNICAST_4ADDR => both(Unicast4Header::parse(bytes), Self::Unicast4)?,
            packet_type::ICMP => Self::Icmp(Icmp::parse(bytes)?),
            packet_type::UNICAST_TVLV => both(UnicastTvlvHeader::parse(bytes), Self::UnicastTvlv)?,
            other if is_unicast_class(other) => both(UnicastHeader::parse(bytes), Self::Forwardable)?,
            other => return Err(Error::Type(other)),
        })
    }

    /// Writes the packet and returns its length.
    ///
    /// # Errors
    /// [`Error::Short`] if it does not fit.
    pub fn emit(&self, out: &mut [u8]) -> Result<usize, Error> {
        let need = self.len();
        let have = out.len();
        let out = out.get_mut(..need).ok_or(Error::Short { need, have })?;
        out.iter_mut().zip(self.parts().into_iter().flatten()).for_each(|(to, from)| *to = *from);
        Ok(need)
    }

    /// Bytes of the packet, padding excluded.
    #[expect(clippy::len_without_is_empty, reason = "no packet is empty")]
    pub fn len(&self) -> usize {
        self.parts().into_iter().map(<[u8]>::len).sum()
    }

    /// The type byte.
    pub fn packet_type(&self) -> u8 {
        self.parts().into_iter().flatten().next().copied().unwrap_or_default()
    }

    /// The client frame inside, if this packet carries a whole one.
    pub const fn client_frame(&self) -> Option<&'a [u8]> {
        match *self {
            Self::Bcast(_, frame) | Self::Unicast(_, frame) | Self::Unicast4(_, frame) | Self::Mcast { frame, .. } => {
                Some(frame)
            }
            Self::Ogm(_)
            | Self::Coded(_)
            | Self::Elp(..)
            | Self::Ogm2(_)
            | Self::Frag(..)
            | Self::Icmp(_)
            | Self::UnicastTvlv(..)
            | Self::Forwardable(..) => None,
        }
    }

    /// Header, containers, payload: concatenated they are the packet.
    fn parts(&self) -> [&'a [u8]; 3] {
        match *self {
            Self::Ogm(all) => [all.0, &[], &[]],
            Self::Bcast(header, frame) => [header.as_bytes(), &[], frame],
            Self::Coded(bytes) => [bytes, &[], &[]],
            Self::Elp(header, rest) => [header.as_bytes(), &[], rest],
            Self::Ogm2(all) => [all.0, &[], &[]],
            Self::Mcast { header, tvlvs, frame } => [header.as_bytes(), tvlvs, frame],
            Self::Unicast(header, frame) => [header.as_bytes(), &[], frame],
            Self::Frag(header, piece) => [header.as_bytes(), &[], piece],
            Self::Unicast4(header, frame) => [header.as_bytes(), &[], frame],
            Self::Icmp(Icmp::Plain(header)) => [header.as_bytes(), &[], &[]],
            Self::Icmp(Icmp::RecordRoute(route)) => [route.as_bytes(), &[], &[]],
            Self::Icmp(Icmp::Tp(header, filler)) => [header.as_bytes(), &[], filler],
            Self::Icmp(Icmp::Other(header, rest)) => [header.as_bytes(), &[], rest],
            Self::UnicastTvlv(header, tvlvs) => [header.as_bytes(), tvlvs, &[]],
            Self::Forwardable(header, rest) => [header.as_bytes(), &[], rest],
        }
    }
}

/// The name of a packet type, for people.
pub const fn type_name(kind: u8) -> &'static str {
    match kind {
        packet_type::OGM => "OGM",
        packet_type::BCAST => "BCAST",
        packet_type::CODED => "CODED",
        packet_type::ELP => "ELP",
        packet_type::OGM2 => "OGM2",
        packet_type::MCAST => "MCAST",
        packet_type::UNICAST => "UCAST",
        packet_type::FRAG => "FRAG",
        packet_type::UNICAST_4ADDR => "4ADDR",
        packet_type::ICMP => "ICMP",
        packet_type::UNICAST_TVLV => "TVLV",
        other if is_unicast_class(other) => "UNKNOWN-UCAST",
        _ => "UNKNOWN",
    }
}

/// True for the types that a relay forwards by their first ten bytes, known or not.
pub const fn is_unicast_class(kind: u8) -> bool {
    packet_type::UNICAST_MIN <= kind && kind <= packet_type::UNICAST_MAX
}

fn both<'a, H>(
    parsed: Result<(&'a H, &'a [u8]), Error>,
    packet: impl FnOnce(&'a H, &'a [u8]) -> Packet<'a>,
) -> Result<Packet<'a>, Error> {
    parsed.map(|(header, rest)| packet(header, rest))
}

/// Checks the TVLV length of the first member of an aggregate.
fn tvlv_len(found: usize, rest: &[u8]) -> Result<(), Error> {
    let allowed = rest.len();
    if found.is_multiple_of(2) && found <= allowed { Ok(()) } else { Err(Error::Length { found, allowed }) }
}
