//! Counts what goes over the media, and looks at every frame: one that no node may send is a fault.

use mesh_core::Instant;
use packet::consts::{ETH_LEN, ETHERTYPE, TTL, VERSION, packet_type};
use packet::eth::EthHeader;

/// Kinds of packets that are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Kind {
    /// Originator messages.
    Ogm,
    /// Flooded client frames.
    Bcast,
    /// Client frames to one originator, with or without the sender's address.
    Unicast,
    /// Fragments.
    Frag,
    /// Mesh ICMP.
    Icmp,
    /// Table requests, answers, roaming advertisements.
    Tvlv,
    /// Anything else.
    Other,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 7] = [Self::Ogm, Self::Bcast, Self::Unicast, Self::Frag, Self::Icmp, Self::Tvlv, Self::Other];

    /// Of the packet behind an Ethernet header.
    pub fn of(frame: &[u8]) -> Self {
        match frame.get(ETH_LEN) {
            Some(&packet_type::OGM) => Self::Ogm,
            Some(&packet_type::BCAST) => Self::Bcast,
            Some(&(packet_type::UNICAST | packet_type::UNICAST_4ADDR)) => Self::Unicast,
            Some(&packet_type::FRAG) => Self::Frag,
            Some(&packet_type::ICMP) => Self::Icmp,
            Some(&packet_type::UNICAST_TVLV) => Self::Tvlv,
            _ => Self::Other,
        }
    }
}

/// Frames and bytes sent by one node, Ethernet headers included, per [`Kind`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Frames.
    pub frames: [u64; 7],
    /// Bytes.
    pub bytes: [u64; 7],
}

impl Tally {
    /// Counts one frame.
    pub fn add(&mut self, kind: Kind, bytes: usize) {
        self.frames[kind as usize] += 1;
        self.bytes[kind as usize] += bytes as u64;
    }

    /// Frames of a kind.
    pub fn frames_of(&self, kind: Kind) -> u64 {
        self.frames[kind as usize]
    }

    /// Bytes of a kind.
    pub fn bytes_of(&self, kind: Kind) -> u64 {
        self.bytes[kind as usize]
    }

    /// Bytes that keep the mesh together: OGMs and tables.
    pub fn control_bytes(&self) -> u64 {
        self.bytes_of(Kind::Ogm) + self.bytes_of(Kind::Tvlv)
    }

    /// What came on top of an earlier count.
    pub fn since(&self, earlier: &Self) -> Self {
        let mut out = *self;
        for (a, b) in out.frames.iter_mut().zip(earlier.frames).chain(out.bytes.iter_mut().zip(earlier.bytes)) {
            *a -= b;
        }
        out
    }
}

/// What is wrong with a frame that a hard interface with this MTU is asked to send, if anything.
pub fn fault(frame: &[u8], mac: packet::MacAddr, mtu: usize) -> Option<&'static str> {
    let Ok((eth, packet)) = EthHeader::parse(frame) else { return Some("no Ethernet header") };
    let &[kind, version, ttl, ..] = packet else { return Some("no packet") };
    if eth.src != mac {
        return Some("source is not the hard interface");
    }
    if eth.ethertype.get() != ETHERTYPE {
        return Some("not a mesh frame");
    }
    if packet.len() > mtu {
        return Some("longer than the hard interface carries");
    }
    if version != VERSION {
        return Some("not version 15");
    }
    if ttl == 0 || ttl > TTL {
        return Some("impossible TTL");
    }
    let flooded = kind < packet_type::UNICAST_MIN;
    if flooded != eth.dst.is_broadcast() || (!flooded && !eth.dst.is_unicast()) {
        return Some("wrong kind of Ethernet destination");
    }
    None
}

/// Running digest of everything that was sent, when, and by whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest(u64);

impl Default for Digest {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Digest {
    /// Takes one frame in.
    pub fn add(&mut self, now: Instant, node: usize, link: u8, bytes: &[u8]) {
        self.number(now.as_micros());
        self.number((node as u64) << 8 | u64::from(link));
        self.number(bytes.len() as u64);
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.number(u64::from_le_bytes(word));
        }
    }

    fn number(&mut self, n: u64) {
        self.0 = (self.0 ^ n).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23);
    }

    /// The digest so far.
    pub fn value(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use packet::MacAddr;

    #[test]
    fn faults_are_seen() {
        let mac = MacAddr([2, 0, 0, 0, 0, 1]);
        let mut ogm = [&[0xff; 6][..], &mac.0, &[0x43, 0x05, 0, 15, 50], &[0; 21]].concat();
        assert_eq!(fault(&ogm, mac, 1500), None);
        assert_eq!(fault(&ogm, MacAddr::ZERO, 1500), Some("source is not the hard interface"));
        assert_eq!(fault(&ogm, mac, 23), Some("longer than the hard interface carries"));
        ogm[16] = 51;
        assert_eq!(fault(&ogm, mac, 1500), Some("impossible TTL"));
        ogm[16] = 50;
        ogm[14] = packet_type::UNICAST;
        assert_eq!(fault(&ogm, mac, 1500), Some("wrong kind of Ethernet destination"));
    }

    #[test]
    fn a_digest_depends_on_everything() {
        let of = |t, node, link, bytes: &[u8]| {
            let mut d = Digest::default();
            d.add(Instant::from_micros(t), node, link, bytes);
            d
        };
        let all = [
            of(1, 2, 3, b"x"),
            of(2, 2, 3, b"x"),
            of(1, 3, 3, b"x"),
            of(1, 2, 4, b"x"),
            of(1, 2, 3, b"y"),
            of(1, 2, 3, b"x\0"),
        ];
        for (i, a) in all.iter().enumerate() {
            assert!(all.iter().skip(i + 1).all(|b| a != b), "{i}");
        }
    }
}
