//! B.A.T.M.A.N. V frame by frame: one node between neighbours whose frames are written by hand.
//! Source: protocol notes, "B.A.T.M.A.N. V".

use mesh_core::{
    Algorithm, Choice, Drop, Duration, Frame, Input, Instant, LinkConfig, LinkId, LinkSpeed, Mesh, MeshConfig, Output,
    Station,
};
use packet::MacAddr;
use packet::consts::{ETH_LEN, ETHERTYPE, packet_type};
use packet::elp::ElpHeader;
use packet::eth::EthHeader;
use packet::ogm2::{Ogm2Header, Ogm2s};
use zerocopy::IntoBytes;

const LEFT: LinkId = LinkId(0);
const RIGHT: LinkId = LinkId(1);

fn mac(n: u8) -> MacAddr {
    MacAddr([2, 0, 0, 0, 0, n])
}

/// A node with two hard interfaces of 100 Mbit/s, `wifi` or wires.
struct Node {
    mesh: Mesh,
    now: Instant,
    sent: Vec<(LinkId, Vec<u8>)>,
}

/// An OGM as it left.
#[derive(Debug, PartialEq, Eq)]
struct Left {
    link: LinkId,
    orig: MacAddr,
    seqno: u32,
    ttl: u8,
    throughput: u32,
}

impl Node {
    fn new(wifi: bool) -> Self {
        let config = MeshConfig { algorithm: Choice::Fixed(Algorithm::V), ..MeshConfig::new(mac(0xba)) };
        let now = Instant::from_micros(1_000_000);
        let mut node = Self { mesh: Mesh::new(config, 1, None, now), now, sent: Vec::new() };
        for link in [LEFT, RIGHT] {
            let cfg = LinkConfig {
                name: format!("e{}", link.0),
                mac: mac(0xe0 + link.0),
                mtu: 1500,
                wifi,
                hop_penalty: 0,
                throughput: None,
                measure: mesh_core::Measure::Blind,
                broadcast_copies: None,
            };
            node.give(Input::LinkUp(link, cfg));
            node.give(Input::LinkSpeed(link, LinkSpeed { throughput: Some(1000), full_duplex: true }));
        }
        node
    }

    fn give(&mut self, input: Input) {
        self.mesh.handle(input, self.now);
        while let Some(output) = self.mesh.poll_output() {
            if let Output::LinkTx(link, frame) = output {
                self.sent.push((link, frame.bytes().to_vec()));
            }
        }
        assert_eq!(self.mesh.broken_invariant(), None);
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.mesh.poll_timeout() <= end {
            self.now = self.mesh.poll_timeout().max(self.now);
            self.give(Input::Tick);
        }
        self.now = end;
    }

    fn hear(&mut self, link: LinkId, from: MacAddr, packet: &[u8]) {
        let eth = EthHeader { dst: MacAddr::BROADCAST, src: from, ethertype: ETHERTYPE.into() };
        let frame = [eth.as_bytes(), packet].concat();
        self.give(Input::LinkRx(link, Frame::copy_of(&frame)));
    }

    fn elp(&mut self, link: LinkId, from: u8, seqno: u32) {
        self.hear(link, mac(from), &ElpHeader::new(mac(from), seqno, 500).hello());
    }

    fn ogm(&mut self, link: LinkId, from: u8, orig: u8, seqno: u32, throughput: u32) {
        self.ogm_with(link, from, orig, seqno, throughput, 50);
    }

    fn ogm_with(&mut self, link: LinkId, from: u8, orig: u8, seqno: u32, throughput: u32, ttl: u8) {
        let mut h = Ogm2Header::new(mac(orig), seqno);
        (h.throughput, h.ttl) = (throughput.into(), ttl);
        self.hear(link, mac(from), h.as_bytes());
    }

    /// OGMs of others that left since the last call.
    fn forwarded(&mut self) -> Vec<Left> {
        self.run(Duration::from_millis(150));
        let mut out = Vec::new();
        for (link, frame) in std::mem::take(&mut self.sent) {
            if frame.get(ETH_LEN) != Some(&packet_type::OGM2) {
                continue;
            }
            for ogm in Ogm2s::new(&frame[ETH_LEN..]).filter(|o| o.header.orig != mac(0xe0)) {
                let h = ogm.header;
                let (seqno, throughput) = (h.seqno.get(), h.throughput.get());
                out.push(Left { link, orig: h.orig, seqno, ttl: h.ttl, throughput });
            }
        }
        out
    }

    fn next_hop(&self, orig: u8) -> Option<(MacAddr, u32)> {
        let s = self.mesh.snapshot(self.now);
        let o = s.originators.iter().find(|o| o.addr == mac(orig))?;
        o.paths.iter().find(|p| p.best).map(|p| (p.neigh, p.throughput))
    }

    fn drops(&self, why: Drop) -> u64 {
        self.mesh.snapshot(self.now).counters.dropped(why)
    }
}

#[test]
fn hellos_are_20_bytes_and_counted() {
    let mut n = Node::new(false);
    n.run(Duration::from_secs(5));
    let elps: Vec<_> =
        n.sent.iter().filter(|(l, f)| *l == LEFT && f[ETH_LEN] == packet_type::ELP).map(|(_, f)| f.clone()).collect();
    assert!((9..=11).contains(&elps.len()), "two a second: {}", elps.len());
    let numbers: Vec<u32> = elps.iter().map(|f| ElpHeader::parse(&f[ETH_LEN..]).unwrap().0.seqno.get()).collect();
    assert!(numbers.windows(2).all(|w| w[1] == w[0].wrapping_add(1)));
    assert!(elps.iter().all(|f| f.len() == ETH_LEN + 20 && f[..6] == [0xff; 6]));
    let ogms = n.sent.iter().filter(|(_, f)| f[ETH_LEN] == packet_type::OGM2).count();
    assert_eq!(ogms, 0, "nobody is there to hear them");
}

#[test]
fn an_ogm_without_a_hello_before_is_dropped() {
    let mut n = Node::new(false);
    n.ogm(LEFT, 1, 1, 10, u32::MAX);
    assert_eq!((n.next_hop(1), n.drops(Drop::NoHello)), (None, 1));
    n.elp(LEFT, 1, 5);
    n.ogm(LEFT, 1, 1, 11, u32::MAX);
    assert_eq!(n.next_hop(1), Some((mac(1), 1000)));
    n.ogm(LEFT, 1, 1, 12, 0);
    assert_eq!(n.drops(Drop::ZeroThroughput), 1);
}

#[test]
fn old_hellos_are_ignored_and_a_restart_is_taken() {
    let mut n = Node::new(false);
    n.elp(LEFT, 1, 1000);
    n.elp(LEFT, 1, 1000);
    n.elp(LEFT, 1, 937);
    assert_eq!(n.drops(Drop::Duplicate), 2);
    n.elp(LEFT, 1, 936);
    assert_eq!(n.drops(Drop::Duplicate), 2, "64 back is a restart");
}

#[test]
fn forwarded_once_with_the_penalty_and_only_where_it_is_news() {
    let mut n = Node::new(false);
    n.elp(LEFT, 1, 1);
    n.ogm(LEFT, 1, 1, 10, u32::MAX);
    assert_eq!(n.forwarded(), [], "the only one there sent it");
    n.elp(RIGHT, 2, 1);
    n.ogm(LEFT, 1, 1, 11, u32::MAX);
    n.ogm(LEFT, 1, 1, 11, u32::MAX);
    // 1000 * 225 / 255, as a kernel forwards it.
    let want = Left { link: RIGHT, orig: mac(1), seqno: 11, ttl: 49, throughput: 882 };
    assert_eq!(n.forwarded(), [want], "once, and not back to the only neighbour there");
    n.ogm_with(LEFT, 1, 1, 12, u32::MAX, 1);
    assert_eq!(n.forwarded(), [], "its TTL ran out");
}

#[test]
fn a_radio_halves_what_goes_out_where_it_came_in() {
    let mut n = Node::new(true);
    for (link, who) in [(LEFT, 1), (LEFT, 2), (RIGHT, 3)] {
        n.elp(link, who, 1);
        n.give(Input::Station(link, mac(who), Station::Rate { expected: Some(600), tx_bitrate: None }));
    }
    n.run(Duration::from_secs(8));
    let probes: Vec<_> = n.sent.iter().filter(|(_, f)| f[ETH_LEN] == packet_type::ELP && f[..6] != [0xff; 6]).collect();
    assert!(probes.len() > 80, "two for each of three neighbours, twice a second: {}", probes.len());
    assert!(probes.iter().all(|(_, f)| f.len() == ETH_LEN + 200));
    n.sent.clear();
    n.ogm(LEFT, 1, 1, 10, u32::MAX);
    let mut out = n.forwarded();
    out.sort_by_key(|o| o.link);
    let throughputs: Vec<u32> = out.iter().map(|o| o.throughput).collect();
    let link = n.next_hop(1).unwrap().1;
    assert!(link > 300, "the average follows the driver: {link}");
    assert_eq!(throughputs, [link / 2, link * 225 / 255]);
}

#[test]
fn the_faster_way_wins_and_a_silent_one_is_left_after_five() {
    let mut n = Node::new(false);
    n.elp(LEFT, 1, 1);
    n.elp(RIGHT, 2, 1);
    n.ogm(LEFT, 1, 9, 100, 500);
    n.ogm(RIGHT, 2, 9, 100, 400);
    assert_eq!(n.next_hop(9), Some((mac(1), 500)));
    n.ogm(RIGHT, 2, 9, 101, 501);
    assert_eq!(n.next_hop(9), Some((mac(2), 501)));
    // The other one brings OGMs that are worse, the one in use none at all.
    for seqno in 102..106 {
        n.ogm(LEFT, 1, 9, seqno, 300);
        assert_eq!(n.next_hop(9).unwrap().0, mac(2), "{seqno}");
    }
    n.ogm(LEFT, 1, 9, 106, 300);
    assert_eq!(n.next_hop(9), Some((mac(1), 300)));
}

#[test]
fn a_way_that_always_loses_some_is_given_more_time() {
    // One in `keep` OGMs does not come by the way in use.
    let missed_before_left = |keep: u32| {
        let mut n = Node::new(false);
        n.elp(LEFT, 1, 1);
        n.elp(RIGHT, 2, 1);
        n.ogm(RIGHT, 2, 9, 99, 500);
        for seqno in 100..160 {
            if seqno % keep != 1 {
                n.ogm(RIGHT, 2, 9, seqno, 500);
            }
            n.ogm(LEFT, 1, 9, seqno, 300);
            assert_eq!(n.next_hop(9).unwrap().0, mac(2), "{seqno}");
        }
        let last = (100..160).rev().find(|seqno| seqno % keep != 1).unwrap();
        for seqno in 160.. {
            n.ogm(LEFT, 1, 9, seqno, 300);
            if n.next_hop(9).unwrap().0 == mac(1) {
                return seqno - last;
            }
        }
        unreachable!("an endless range")
    };
    assert_eq!([64, 4, 2].map(missed_before_left), [5, 6, 8]);
}

#[test]
fn numbers_from_nowhere_are_believed_once_in_30_s() {
    let mut n = Node::new(false);
    n.elp(LEFT, 1, 1);
    n.ogm(LEFT, 1, 1, 1_000_000, u32::MAX);
    n.ogm(LEFT, 1, 1, 999_999, u32::MAX);
    assert_eq!(n.drops(Drop::OldOgm), 1);
    n.ogm(LEFT, 1, 1, 5, u32::MAX);
    n.ogm(LEFT, 1, 1, 2_000_000, u32::MAX);
    assert_eq!(n.drops(Drop::SeqnoProtected), 1, "the second jump");
    n.ogm(LEFT, 1, 1, 6, u32::MAX);
    assert_eq!(n.next_hop(1), Some((mac(1), 1000)));
    assert_eq!(n.drops(Drop::SeqnoProtected), 1);
}

#[test]
fn a_station_that_is_gone_carries_nothing() {
    let mut n = Node::new(true);
    n.elp(LEFT, 1, 1);
    n.give(Input::Station(LEFT, mac(1), Station::Gone));
    n.run(Duration::from_secs(9));
    let s = n.mesh.snapshot(n.now);
    assert_eq!(s.neighbors[0].rate_source.name(), "gone");
    assert!(s.neighbors[0].throughput < 10);
}

#[test]
fn our_own_ogms_and_those_of_iv_are_nothing_for_us() {
    let mut n = Node::new(false);
    n.elp(LEFT, 1, 1);
    n.ogm(LEFT, 1, 0xe0, 7, 500);
    n.ogm(LEFT, 1, 0xe1, 7, 500);
    assert_eq!(n.drops(Drop::OwnOgm), 2);
    let iv = packet::ogm::OgmHeader::new(mac(3), 1, 50);
    n.hear(LEFT, mac(3), iv.as_bytes());
    assert_eq!(n.drops(Drop::OtherAlgorithm), 1);
}
