//! A chain of three honest nodes, and somebody with a radio next to the middle one.
//!
//! ```text
//!   node 0 ──── node 1 ──── node 2
//!          ↑
//!      attacker, on node 1's left wire
//! ```

use crate::chain::{Chain, host};
use mesh_core::{Algorithm, Choice, Drop, Duration, Event, Frame, Instant, LinkId, MeshConfig};
use packet::MacAddr;
use packet::elp::ElpHeader;
use packet::ogm::{DIRECTLINK, OgmHeader};
use packet::ogm2::Ogm2Header;
use packet::tvlv::tt::{Tt, TtChange, TtHeader, TtVlan, entry_crc, flags};
use packet::tvlv::{self, kind};
use packet::{Vid, consts};
use zerocopy::IntoBytes;

/// The attacker's own address.
pub(crate) const EVIL: MacAddr = MacAddr([2, 0x66, 0, 0, 0, 1]);
/// Where node 1 hears it.
pub(crate) const LEFT: LinkId = LinkId(0);

pub(crate) struct Stage {
    pub(crate) c: Chain,
    seqno: u32,
    number: u32,
}

/// Ethernet and mesh header in front of what follows.
pub(crate) fn frame(dst: MacAddr, src: MacAddr, packet: &[&[u8]]) -> Vec<u8> {
    let mut f = [&dst.0[..], &src.0, &consts::ETHERTYPE.to_be_bytes()].concat();
    f.extend(packet.concat());
    f
}

/// An IV OGM; the attacker changes what it likes.
pub(crate) fn ogm(orig: MacAddr, seqno: u32, tvlvs: &[u8]) -> OgmHeader {
    OgmHeader { tvlv_len: (tvlvs.len() as u16).into(), ..OgmHeader::new(orig, seqno, consts::TTL) }
}

/// A container.
pub(crate) fn container(kind: u8, value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 4 + value.len()];
    tvlv::emit(&mut bytes, kind, 1, value).unwrap();
    bytes
}

/// Value of a table container: what an originator announces, or answers with. `crc` of `None` is
/// the right one for `all`.
pub(crate) fn table(what: u8, ttvn: u8, all: &[MacAddr], crc: Option<u32>, changes: &[TtChange]) -> Vec<u8> {
    let right = all.iter().fold(0, |crc, mac| crc ^ entry_crc(*mac, Vid::UNTAGGED, 0));
    let vlan = TtVlan { crc: crc.unwrap_or(right).into(), vid: Vid::UNTAGGED.to_wire().into(), reserved: 0.into() };
    let head = TtHeader { flags: what, ttvn, num_vlan: 1.into() };
    let value = [head.as_bytes(), vlan.as_bytes(), changes.as_bytes()].concat();
    assert_eq!(value.len(), Tt::len_of(1, changes.len()));
    value
}

/// A table container of an OGM.
pub(crate) fn announced(ttvn: u8, all: &[MacAddr], crc: Option<u32>, changes: &[TtChange]) -> Vec<u8> {
    container(kind::TT, &table(flags::OGM_DIFF, ttvn, all, crc, changes))
}

pub(crate) fn change(mac: MacAddr, flags: u8) -> TtChange {
    TtChange::new(mac, Vid::UNTAGGED, flags)
}

impl Stage {
    /// Three nodes that know each other, and an attacker that is a good neighbour so far.
    pub(crate) fn new(algorithm: Algorithm, tune: impl Fn(&mut MeshConfig)) -> Self {
        let c = Chain::new(3, 1560, |config| {
            config.algorithm = Choice::Fixed(algorithm);
            tune(config);
        });
        let mut stage = Self { c, seqno: 100, number: 0 };
        stage.go(40, |_, _| {});
        stage.works();
        stage
    }

    /// Lets seconds pass. Each begins with the attacker's usual messages, which make it a
    /// neighbour with a perfect link, and with what `act` does.
    pub(crate) fn go(&mut self, seconds: u32, mut act: impl FnMut(&mut Self, u32)) {
        for second in 0..seconds {
            self.behave();
            act(self, second);
            self.c.run(Duration::from_secs(1));
        }
    }

    /// Seconds in which the attacker is silent.
    pub(crate) fn silence(&mut self, seconds: u64) {
        self.c.run(Duration::from_secs(seconds));
    }

    fn behave(&mut self) {
        self.seqno += 1;
        match self.c.nodes[1].mesh.algorithm() {
            Algorithm::Iv => {
                self.say(ogm(EVIL, self.seqno, &[]).as_bytes());
                // The echo of the middle node's last message, as a neighbour owes it.
                let orig = self.orig(1);
                let last = self.c.nodes[1].mesh.seqnos().ogm.wrapping_sub(1);
                self.say(OgmHeader { flags: DIRECTLINK, ttl: 49, ..OgmHeader::new(orig, last, 49) }.as_bytes());
            }
            Algorithm::V => {
                self.say(&ElpHeader::new(EVIL, self.seqno, 1000).hello());
                self.say(Ogm2Header::new(EVIL, self.seqno).as_bytes());
            }
        }
    }

    pub(crate) fn now(&self) -> Instant {
        self.c.now
    }

    pub(crate) fn orig(&self, i: usize) -> MacAddr {
        self.c.nodes[i].mesh.own_orig()
    }

    /// Broadcasts a mesh packet on node 1's left wire.
    pub(crate) fn say(&mut self, packet: &[u8]) {
        self.hear(&frame(MacAddr::BROADCAST, EVIL, &[packet]));
    }

    /// Sends a mesh packet to node 1.
    pub(crate) fn tell(&mut self, packet: &[&[u8]]) {
        let node = self.orig(1);
        self.hear(&frame(node, EVIL, packet));
    }

    /// Node 1 hears a frame on its left wire.
    pub(crate) fn hear(&mut self, bytes: &[u8]) {
        let now = self.c.now;
        self.c.nodes[1].link_rx(LEFT, Frame::copy_of(bytes), now);
    }

    /// Node 1's host sends a frame.
    pub(crate) fn host_sends(&mut self, i: usize, dst: MacAddr, src: MacAddr) {
        self.number += 1;
        let mut f = [&dst.0[..], &src.0, &[0x88, 0xb5], &self.number.to_be_bytes()].concat();
        f.resize(60, 0);
        let now = self.c.now;
        self.c.nodes[i].host_rx(Frame::copy_of(&f), now);
    }

    pub(crate) fn dropped(&self, i: usize, why: Drop) -> u64 {
        let n = &self.c.nodes[i];
        n.mesh.snapshot(self.c.now).counters.dropped(why) + n.side.plane.counters().dropped(why)
    }

    pub(crate) fn events(&self, i: usize, like: impl Fn(&Event) -> bool) -> usize {
        self.c.nodes[i].events.iter().filter(|e| like(e)).count()
    }

    /// Frames of all pairs of hosts arrive, in both directions, and so does a broadcast.
    pub(crate) fn works(&mut self) {
        assert_eq!(self.failing(), [(0, 0); 0], "pairs of hosts that cannot talk");
    }

    /// Pairs of hosts between which a frame is lost or doubled.
    pub(crate) fn failing(&mut self) -> Vec<(usize, usize)> {
        let mut failing = Vec::new();
        for from in 0..3 {
            for to in 0..3 {
                if from != to && !self.arrives(from, to) {
                    failing.push((from, to));
                }
            }
            for i in 0..3 {
                self.c.got(i);
            }
            self.host_sends(from, MacAddr::BROADCAST, host(from));
            self.c.run(Duration::from_millis(50));
            for to in 0..3 {
                let got = self.c.got(to).len();
                if got != usize::from(to != from) {
                    failing.push((from, to));
                }
            }
        }
        failing
    }

    /// One frame from host to host.
    pub(crate) fn arrives(&mut self, from: usize, to: usize) -> bool {
        self.c.got(to);
        self.host_sends(from, host(to), host(from));
        self.c.run(Duration::from_millis(50));
        self.c.got(to).len() == 1
    }
}

/// Both routing algorithms.
pub(crate) const BOTH: [Algorithm; 2] = [Algorithm::Iv, Algorithm::V];
