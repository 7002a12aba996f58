//! Every number of the wire, with its source in the protocol notes.

/// Ethertype of all mesh frames. Source: "Wire format" section 1.
pub const ETHERTYPE: u16 = 0x4305;
/// The compat version; byte 1 of every packet. Source: "Wire format" section 14.
pub const VERSION: u8 = 15;
/// TTL of packets that start here. Source: "Constants".
pub const TTL: u8 = 50;
/// The best transmit quality, 255. Source: "Constants".
pub const TQ_MAX: u8 = 255;
/// Throughput announced by the origin of an OGM2. Source: "B.A.T.M.A.N. V" section 3.
pub const THROUGHPUT_MAX: u32 = 0xffff_ffff;
/// Most bytes of an aggregate that we build, the Ethernet header excluded. Source: "Constants".
pub const AGGREGATE_BYTES: usize = 512;
/// Most OGMs in an aggregate that we build. Source: "Constants".
pub const AGGREGATE_OGMS: usize = 32;
/// Largest fragment with its 20-byte header. Source: "Payload plane" section 2.
pub const FRAGMENT_BYTES: usize = 1280;
/// Most fragments of one packet. Source: "Payload plane" section 2.
pub const FRAGMENTS: usize = 16;
/// Largest reassembled packet. Source: "Constants".
pub const REASSEMBLED_BYTES: usize = (FRAGMENT_BYTES - 20) * FRAGMENTS;
/// What a client frame grows by at most: 18 bytes of 4-address header, 14 of Ethernet.
pub const OVERHEAD: usize = 32;
/// Bytes of an Ethernet header without tags.
pub const ETH_LEN: usize = 14;

/// Packet types, byte 0. Source: protocol notes, README.
pub mod packet_type {
    /// B.A.T.M.A.N. IV originator message.
    pub const OGM: u8 = 0x00;
    /// Flooded client frame.
    pub const BCAST: u8 = 0x01;
    /// Network coding, removed upstream; never sent, dropped when heard.
    pub const CODED: u8 = 0x02;
    /// B.A.T.M.A.N. V neighbour hello.
    pub const ELP: u8 = 0x03;
    /// B.A.T.M.A.N. V originator message.
    pub const OGM2: u8 = 0x04;
    /// Multicast client frame with its list of receivers.
    pub const MCAST: u8 = 0x05;
    /// Client frame to one originator.
    pub const UNICAST: u8 = 0x40;
    /// Piece of a larger packet.
    pub const FRAG: u8 = 0x41;
    /// Client frame to one originator that also names the sender.
    pub const UNICAST_4ADDR: u8 = 0x42;
    /// Mesh ping, traceroute and throughput meter.
    pub const ICMP: u8 = 0x43;
    /// TVLV containers for one originator.
    pub const UNICAST_TVLV: u8 = 0x44;
    /// Our own messages, see [`crate::meshwork`]; kernel nodes pass them on unread.
    pub const MESHWORK: u8 = 0x4d;
    /// First type that relays forward without knowing it.
    pub const UNICAST_MIN: u8 = 0x40;
    /// Last type that relays forward without knowing it.
    pub const UNICAST_MAX: u8 = 0x7f;
}
