//! Multicast over a chain: who gets a frame, by what kind of packet, and what peers of bad will
//! can do with lists of receivers. Node i's hard interfaces are link 0 to the left, link 1 to the
//! right; its originator address is that of its first one.
#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

mod chain;
mod side;

use chain::{Chain, host};
use mesh_core::multicast::{Listeners, Querier, Version};
use mesh_core::{Count, Drop, Duration, Frame, Input, Instant, LinkId};
use packet::MacAddr;
use packet::consts::{ETH_LEN, packet_type};
use packet::mcast::McastHeader;
use packet::tvlv::tracker::Tracker;
use packet::tvlv::{self, Containers, kind};
use std::net::IpAddr;
use zerocopy::IntoBytes;

const TV: &str = "239.1.2.3";
const MDNS: &str = "224.0.0.251";

fn listeners(groups: &[&str]) -> Listeners {
    Listeners { groups: groups.iter().map(|g| g.parse().unwrap()).collect(), ..Listeners::default() }
}

/// A chain whose nodes know who listens: nobody yet.
fn snooping(n: usize, mtu: usize) -> Chain {
    let mut c = Chain::new(n, mtu, |config| config.multicast_forceflood = false);
    for i in 0..n {
        listen(&mut c, i, &listeners(&[]));
    }
    c.run(Duration::from_secs(10));
    c
}

fn listen(c: &mut Chain, at: usize, l: &Listeners) {
    let now = c.now;
    c.nodes[at].input(Input::Listeners(Some(l.clone())), now);
}

fn orig(c: &Chain, at: usize) -> MacAddr {
    c.nodes[at].mesh.own_orig()
}

/// A UDP packet of `len` bytes behind the IP header from a node's own host to a group.
fn datagram(from: MacAddr, group: &str, len: usize) -> Vec<u8> {
    let mut f = Vec::new();
    match group.parse().unwrap() {
        IpAddr::V4(a) => {
            let [_, b, c, d] = a.octets();
            f.extend([1, 0, 0x5e, b & 0x7f, c, d]);
            f.extend(from.0);
            f.extend([8, 0, 0x45, 0, 0, 0, 0, 0, 0, 0, 1, 17, 0, 0, 10, 0, 0, 1]);
            f.extend(a.octets());
        }
        IpAddr::V6(a) => {
            let [.., w, x, y, z] = a.octets();
            f.extend([0x33, 0x33, w, x, y, z]);
            f.extend(from.0);
            f.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, 0, 17, 1]);
            f.extend([0; 16]);
            f.extend(a.octets());
        }
    }
    f.resize(f.len() + len, 0x5a);
    f
}

/// Sends one and returns which nodes' hosts got how many copies.
fn send(c: &mut Chain, from: usize, group: &str, len: usize) -> Vec<usize> {
    let now = c.now;
    for i in 0..c.nodes.len() {
        c.got(i);
    }
    let frame = datagram(host(from), group, len);
    c.nodes[from].host_rx(Frame::copy_of(&frame), now);
    c.run(Duration::from_millis(1));
    (0..c.nodes.len())
        .map(|i| {
            let got = std::mem::take(&mut c.nodes[i].side.wires.host);
            assert!(got.iter().all(|f| f.bytes() == frame), "delivered as it was sent");
            got.len()
        })
        .collect()
}

fn count(c: &Chain, at: usize, what: Count) -> u64 {
    c.nodes[at].mesh.snapshot(c.now).counters.count(what)
}

fn dropped(c: &Chain, at: usize, why: Drop) -> u64 {
    c.nodes[at].mesh.snapshot(c.now).counters.dropped(why)
}

#[test]
fn only_listeners_get_a_group_by_one_packet() {
    let mut c = snooping(5, 1560);
    for at in [0, 3, 4] {
        listen(&mut c, at, &listeners(&[TV, "ff05::7"]));
    }
    c.run(Duration::from_secs(3));
    for group in [TV, "ff05::7"] {
        let bcasts: Vec<u64> = (0..5).map(|i| count(&c, i, Count::BcastTx)).collect();
        assert_eq!(send(&mut c, 1, group, 100), [1, 0, 0, 1, 1], "{group}");
        assert_eq!(bcasts, (0..5).map(|i| count(&c, i, Count::BcastTx)).collect::<Vec<_>>(), "nothing was flooded");
    }
    // Two frames: one packet to the left and one to the right each, which node 2 and 3 pass on.
    let tracked = |at| {
        [Count::McastTxLocal, Count::McastTx, Count::McastRx, Count::McastRxLocal, Count::McastFwd]
            .map(|w| count(&c, at, w))
    };
    assert_eq!(tracked(1), [2, 4, 0, 0, 0]);
    assert_eq!(tracked(0), [0, 0, 2, 2, 0]);
    assert_eq!(tracked(2), [0, 0, 2, 0, 2]);
    assert_eq!(tracked(3), [0, 0, 2, 2, 2]);
    assert_eq!(tracked(4), [0, 0, 2, 2, 0]);
    assert_eq!(send(&mut c, 1, "239.9.9.9", 100), [0; 5], "nobody wants that one");
    assert_eq!(dropped(&c, 1, Drop::NoListener), 1);

    listen(&mut c, 3, &listeners(&[]));
    c.run(Duration::from_secs(3));
    assert_eq!(send(&mut c, 1, TV, 100), [1, 0, 0, 0, 1], "one left the group");
}

#[test]
fn long_frames_and_old_nodes_mean_copies_then_floods() {
    let mut c = snooping(5, 1560);
    for at in [0, 3, 4] {
        listen(&mut c, at, &listeners(&[TV]));
    }
    c.run(Duration::from_secs(3));
    // 6 + 4 + 20 bytes of headers, 34 of the frame's own: the last length that fits into 1280.
    assert_eq!(send(&mut c, 1, TV, 1216), [1, 0, 0, 1, 1]);
    assert_eq!((count(&c, 1, Count::McastTxLocal), count(&c, 1, Count::McastCopies)), (1, 0));
    assert_eq!(send(&mut c, 1, TV, 1217), [1, 0, 0, 1, 1]);
    assert_eq!((count(&c, 1, Count::McastTxLocal), count(&c, 1, Count::McastCopies)), (1, 3), "one by one");
    let mut config = mesh_core::MeshConfig::new(host(1));
    config.multicast_forceflood = false;
    config.multicast_fanout = 2;
    let now = c.now;
    c.nodes[1].input(Input::Configure(config.clone()), now);
    let before = count(&c, 1, Count::BcastTx);
    // Another frame: the same one again would be taken for one that came round.
    assert_eq!(send(&mut c, 1, TV, 1218), [1, 0, 1, 1, 1], "three receivers are too many");
    assert_eq!(count(&c, 1, Count::BcastTx), before + 2);
    config.multicast_forceflood = true;
    c.nodes[1].input(Input::Configure(config), now);
    assert_eq!(send(&mut c, 1, TV, 100), [1, 0, 1, 1, 1], "as told");

    // Interfaces below 1280 bytes: no node says that it understands lists, so none are used.
    let mut c = snooping(3, 1200);
    listen(&mut c, 2, &listeners(&[TV]));
    c.run(Duration::from_secs(3));
    assert_eq!(send(&mut c, 0, TV, 100), [0, 0, 1]);
    assert_eq!((count(&c, 0, Count::McastTxLocal), count(&c, 0, Count::McastCopies)), (0, 1));
    assert_eq!(send(&mut c, 0, TV, 1300), [0, 0, 1], "copies are cut where they must be");
}

#[test]
fn bridges_get_what_nobody_can_snoop_and_routers_what_is_routable() {
    let mut c = snooping(4, 1560);
    assert_eq!(send(&mut c, 0, MDNS, 50), [0; 4], "hosts say if they listen to it");
    listen(&mut c, 3, &listeners(&[MDNS]));
    c.run(Duration::from_secs(3));
    assert_eq!(send(&mut c, 0, MDNS, 50), [0, 0, 0, 1]);

    let known = Version { querier: Querier::Known, router: false };
    let mut bridge = Listeners { bridged: true, ipv4: known, ipv6: known, ..Listeners::default() };
    listen(&mut c, 2, &bridge);
    c.run(Duration::from_secs(3));
    assert_eq!(send(&mut c, 0, MDNS, 50), [0, 1, 1, 1], "flooded");
    assert_eq!(send(&mut c, 0, TV, 50), [0; 4]);
    assert_eq!(send(&mut c, 0, "ff02::fb", 50), [0; 4]);

    bridge.ipv4.querier = Querier::Shadowing;
    listen(&mut c, 2, &bridge);
    c.run(Duration::from_secs(3));
    assert_eq!(send(&mut c, 0, TV, 50), [0, 0, 1, 0], "it cannot tell who listens behind its bridge");
    assert_eq!(send(&mut c, 0, "ff05::7", 50), [0; 4]);

    let mut router = listeners(&[TV]);
    router.ipv4.router = true;
    listen(&mut c, 2, &router);
    c.run(Duration::from_secs(3));
    assert_eq!(send(&mut c, 0, TV, 50), [0, 0, 1, 0]);
    assert_eq!(send(&mut c, 0, "239.7.7.7", 50), [0, 0, 1, 0]);
    assert_eq!(send(&mut c, 0, "224.0.0.5", 50), [0; 4], "not routable");
}

#[test]
fn a_node_that_cannot_tell_gets_everything_once() {
    let mut c = snooping(3, 1560);
    let now = c.now;
    c.nodes[2].input(Input::Listeners(None), now);
    c.run(Duration::from_secs(3));
    for group in [TV, MDNS, "ff02::fb", "ff05::7", "ff02::1"] {
        assert_eq!(send(&mut c, 0, group, 50), [0, 0, 1], "{group}");
    }
}

#[test]
fn tags_and_other_protocols_reach_everybody() {
    let mut c = snooping(3, 1560);
    let now = c.now;
    let mut tagged = datagram(host(0), TV, 50);
    tagged.splice(12..12, [0x81, 0, 0, 5]);
    let mut other = datagram(host(0), TV, 50);
    other[12..14].copy_from_slice(&[0x88, 0xb5]);
    let mut report = datagram(host(0), TV, 8);
    report[23] = 2;
    report[34] = 0x16;
    for frame in [tagged, other, report] {
        c.nodes[0].host_rx(Frame::copy_of(&frame), now);
        c.run(Duration::from_millis(1));
        assert_eq!((c.got(1).len(), c.got(2).len()), (1, 1));
    }
}

/// A tracked packet as it arrives at node 1's left interface.
fn tracked(c: &Chain, dests: &[MacAddr], ttl: u8, inner: &[u8], other: Option<(u8, &[u8])>) -> Vec<u8> {
    let mut list = vec![0; Tracker::len_of(dests.len())];
    Tracker::emit(dests, &mut list).unwrap();
    let extra = other.map_or(0, |(_, value)| 4 + value.len());
    let mut tvlvs = vec![0; 4 + list.len() + extra];
    let rest = tvlv::emit(&mut tvlvs, kind::MCAST_TRACKER, 1, &list).unwrap();
    if let Some((kind, value)) = other {
        tvlv::emit(rest, kind, 1, value).unwrap();
    }
    let header = McastHeader { ttl, ..McastHeader::new(tvlvs.len() as u16) };
    let left = [2, 0xe0, 0, 0, 1, 0];
    let mut f = [&[2, 0xe0, 0, 0, 0, 1][..], &left, &[0x43, 0x05], header.as_bytes(), &tvlvs, inner].concat();
    assert_eq!(f[..6], orig(c, 1).0);
    f.resize(f.len().max(60), 0);
    f
}

fn hear(c: &mut Chain, frame: &[u8], now: Instant) -> Vec<(LinkId, Frame)> {
    c.nodes[1].side.wires.tx.clear();
    c.nodes[1].link_rx(LinkId(0), Frame::copy_of(frame), now);
    let sent = std::mem::take(&mut c.nodes[1].side.wires.tx);
    sent.into_iter().filter(|(_, f)| f.bytes()[ETH_LEN] == packet_type::MCAST).collect()
}

#[test]
fn a_list_is_served_once_and_in_order() {
    let mut c = snooping(4, 1560);
    let now = c.now;
    let inner = datagram(host(0), TV, 60);
    let (o1, o2, o3) = (orig(&c, 1), orig(&c, 2), orig(&c, 3));
    let stranger = MacAddr([2, 9, 9, 9, 9, 9]);
    let group = MacAddr([0x33, 0x33, 0, 0, 0, 1]);
    // The other hard interface of node 1 means node 1 as well.
    let second = MacAddr([2, 0xe0, 0, 0, 1, 1]);
    let list = [o3, MacAddr::ZERO, o1, group, o2, o3, stranger, second];
    let frame = tracked(&c, &list, 200, &inner, Some((99, &[1, 2, 3, 4])));
    let sent = hear(&mut c, &frame, now);
    assert_eq!(c.got(1), [inner.len() - 14], "delivered once");
    assert_eq!(sent.len(), 1);
    let (link, out) = &sent[0];
    assert_eq!(*link, LinkId(1));
    let (header, tvlvs, client) = McastHeader::parse(&out.bytes()[ETH_LEN..]).unwrap();
    assert_eq!((header.ttl, client), (49, &inner[..]), "no TTL above 50 goes round");
    let containers: Vec<_> = Containers::new(tvlvs).collect();
    assert_eq!(containers.len(), 2);
    assert_eq!(Tracker::parse(containers[0].value).unwrap().slots, [o3, o2]);
    assert_eq!(containers[0].value.len(), 2 + 12 + 2, "padded again");
    assert_eq!((containers[1].kind, containers[1].value), (99, &[1, 2, 3, 4][..]), "carried unread");
    assert_eq!(dropped(&c, 1, Drop::NoRoute), 1);
}

/// Pitfalls, part B, row 16: a list of many receivers makes many copies of one frame.
#[test]
fn long_lists_do_not_multiply() {
    let mut c = snooping(4, 1560);
    let now = c.now;
    let inner = datagram(host(0), TV, 20);
    let (o1, o2, o3) = (orig(&c, 1), orig(&c, 2), orig(&c, 3));
    let many: Vec<MacAddr> = [o2, o3].into_iter().cycle().take(190).collect();
    let frame = tracked(&c, &many, 50, &inner, None);
    let sent = hear(&mut c, &frame, now);
    assert_eq!(sent.len(), 1, "one copy for each next hop");
    assert!(sent[0].1.len() < 120, "with each receiver once");

    let too_many: Vec<MacAddr> = [o2, o3].into_iter().cycle().take(220).collect();
    let frame = tracked(&c, &too_many, 50, &inner, None);
    assert!(frame.len() > 1280 + ETH_LEN);
    assert!(hear(&mut c, &frame, now).is_empty());
    assert_eq!(dropped(&c, 1, Drop::TooBig), 1);
    let frame = tracked(&c, &[o1], 50, &datagram(host(0), TV, 1300), None);
    hear(&mut c, &frame, now);
    assert_eq!(c.got(1), [0; 0], "nobody sends such long ones");
}

#[test]
fn bad_lists_end_here() {
    let mut c = snooping(3, 1560);
    let now = c.now;
    let inner = datagram(host(0), TV, 60);
    let (o1, o2) = (orig(&c, 1), orig(&c, 2));
    let good = tracked(&c, &[o2, o1], 50, &inner, None);
    let with = |at: usize, bytes: &[u8]| {
        let mut f = good.clone();
        f[at..at + bytes.len()].copy_from_slice(bytes);
        f
    };
    // Offsets behind 14 of Ethernet: TTL 2, length 4, container 6, its length 8, count 10.
    let cases = [
        (with(16, &[1]), Drop::Ttl),
        (with(16, &[0]), Drop::Ttl),
        (with(18, &[0, 3]), Drop::BadTvlv),
        (with(18, &[0xff, 0xfe]), Drop::BadTvlv),
        (with(20, &[8]), Drop::BadTvlv),
        (with(21, &[2]), Drop::BadTvlv),
        (with(22, &[0xff, 0xfe]), Drop::BadTvlv),
        (with(24, &[0xff, 0xff]), Drop::BadTvlv),
        (with(24, &[0, 3]), Drop::BadTvlv),
        (with(6, &[0x33]), Drop::BadAddress),
        (with(6, &o1.0), Drop::OwnSource),
        (with(0, &[0xff; 6]), Drop::BadAddress),
        (with(5, &[77]), Drop::NotForUs),
        (good[..ETH_LEN + 5].to_vec(), Drop::BadTvlv),
        (good[..ETH_LEN + 26 + 13].to_vec(), Drop::Short),
    ];
    for (i, (frame, why)) in cases.iter().enumerate() {
        let before = dropped(&c, 1, *why);
        assert!(hear(&mut c, frame, now).is_empty(), "case {i}");
        assert_eq!(c.got(1), [0; 0], "case {i}");
        assert_eq!(dropped(&c, 1, *why), before + 1, "case {i}: {why:?}");
    }
    assert_eq!(hear(&mut c, &good, now).len(), 1, "and the good one passes");
    assert_eq!(c.got(1).len(), 1);
}
