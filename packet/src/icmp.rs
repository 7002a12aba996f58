//! Mesh ICMP: echo, record route, TTL exceeded, throughput meter. Source: "Wire format" section 11.

use crate::consts::{TTL, VERSION, packet_type};
use crate::{Error, MacAddr, head, head_mut};
use zerocopy::byteorder::network_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Message types.
pub mod msg_type {
    /// Answer to an echo request.
    pub const ECHO_REPLY: u8 = 0;
    /// No route; defined, no longer sent by kernels.
    pub const DESTINATION_UNREACHABLE: u8 = 3;
    /// Mesh ping.
    pub const ECHO_REQUEST: u8 = 8;
    /// The TTL of an echo request ran out here.
    pub const TTL_EXCEEDED: u8 = 11;
    /// Defined, no longer sent by kernels.
    pub const PARAMETER_PROBLEM: u8 = 12;
    /// Throughput meter.
    pub const TP: u8 = 15;
}

/// Subtypes of the throughput meter, in [`IcmpHeader::rr_cur`].
pub mod tp_subtype {
    /// Carries filler bytes.
    pub const MESSAGE: u8 = 0;
    /// Acknowledges them.
    pub const ACK: u8 = 1;
}

/// Slots of a record route packet.
pub const RECORD_ROUTE_SLOTS: usize = 16;

/// The 20 bytes that all mesh ICMP messages begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct IcmpHeader {
    /// 0x43.
    pub packet_type: u8,
    /// 15.
    pub version: u8,
    /// 50, or the hop counted by traceroute.
    pub ttl: u8,
    /// See [`msg_type`].
    pub msg_type: u8,
    /// Originator asked.
    pub dst: MacAddr,
    /// Originator asking.
    pub orig: MacAddr,
    /// Chosen by the asker, copied back.
    pub uid: u8,
    /// Number of filled slots in a record route packet; reserved in others; subtype in TP.
    pub rr_cur: u8,
    /// Counts requests; in TP the number of the run.
    pub seqno: U16,
}
const _: () = assert!(size_of::<IcmpHeader>() == IcmpHeader::LEN);

impl IcmpHeader {
    /// Bytes of an echo message.
    pub const LEN: usize = 20;
    /// Bytes of an echo message with record route.
    pub const RECORD_ROUTE_LEN: usize = Self::LEN + 6 * RECORD_ROUTE_SLOTS;

    /// An echo request.
    pub fn echo_request(dst: MacAddr, orig: MacAddr, uid: u8, seqno: u16) -> Self {
        Self {
            packet_type: packet_type::ICMP,
            version: VERSION,
            ttl: TTL,
            msg_type: msg_type::ECHO_REQUEST,
            dst,
            orig,
            uid,
            rr_cur: 0,
            seqno: seqno.into(),
        }
    }

    /// True for the two messages that carry a record route when they are 116 bytes or longer.
    pub const fn is_echo(&self) -> bool {
        matches!(self.msg_type, msg_type::ECHO_REQUEST | msg_type::ECHO_REPLY)
    }

    /// Header and what follows.
    ///
    /// # Errors
    /// [`Error::Short`] below 20 bytes.
    pub fn parse(bytes: &[u8]) -> Result<(&Self, &[u8]), Error> {
        head(bytes)
    }

    /// Writable header and what follows.
    ///
    /// # Errors
    /// [`Error::Short`] below 20 bytes.
    pub fn parse_mut(bytes: &mut [u8]) -> Result<(&mut Self, &mut [u8]), Error> {
        head_mut(bytes)
    }
}

/// The slots of a record route packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct RecordRoute {
    /// Common header; `rr_cur` counts the filled slots.
    pub icmp: IcmpHeader,
    /// Receiving hard interface of each hop, in order.
    pub slots: [MacAddr; RECORD_ROUTE_SLOTS],
}
const _: () = assert!(size_of::<RecordRoute>() == IcmpHeader::RECORD_ROUTE_LEN);

impl RecordRoute {
    /// The filled slots; all of them if the counter says more than there are.
    pub fn route(&self) -> &[MacAddr] {
        self.slots.get(..usize::from(self.icmp.rr_cur)).unwrap_or(&self.slots)
    }

    /// Header with slots, and what follows.
    ///
    /// # Errors
    /// [`Error::Short`] below 116 bytes.
    pub fn parse(bytes: &[u8]) -> Result<(&Self, &[u8]), Error> {
        head(bytes)
    }

    /// Writable form of [`RecordRoute::parse`].
    ///
    /// # Errors
    /// [`Error::Short`] below 116 bytes.
    pub fn parse_mut(bytes: &mut [u8]) -> Result<(&mut Self, &mut [u8]), Error> {
        head_mut(bytes)
    }
}

/// Throughput meter message, 28 bytes and filler.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct TpHeader {
    /// Common header: `rr_cur` is the subtype (0 message, 1 ack), `seqno` the number of the run.
    pub icmp: IcmpHeader,
    /// First byte carried (message) or next byte expected (ack).
    pub seqno: U32,
    /// Opaque to the receiver, echoed in the ack.
    pub timestamp: U32,
}
const _: () = assert!(size_of::<TpHeader>() == TpHeader::LEN);

impl TpHeader {
    /// Bytes of the header.
    pub const LEN: usize = 28;
    /// First sequence number of every run. Source: "Payload plane" section 9.
    pub const FIRST_SEQNO: u32 = 0xffff_f82f;

    /// A message (filler follows) or an ack as it is sent; `subtype` from [`tp_subtype`].
    pub fn new(dst: MacAddr, orig: MacAddr, uid: u8, run: u16, subtype: u8, seqno: u32, timestamp: u32) -> Self {
        let icmp =
            IcmpHeader { msg_type: msg_type::TP, rr_cur: subtype, ..IcmpHeader::echo_request(dst, orig, uid, run) };
        Self { icmp, seqno: seqno.into(), timestamp: timestamp.into() }
    }

    /// Header and filler.
    ///
    /// # Errors
    /// [`Error::Short`] below 28 bytes.
    pub fn parse(bytes: &[u8]) -> Result<(&Self, &[u8]), Error> {
        head(bytes)
    }
}
