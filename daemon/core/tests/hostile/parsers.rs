//! Rows 15 and 20: pieces that never become a whole, and lengths that lie.

use crate::attacker::{BOTH, EVIL, Stage, announced, change, container, frame, ogm, table};
use crate::chain::host;
use mesh_core::rng::Rng;
use mesh_core::{Algorithm, Drop};
use packet::MacAddr;
use packet::bcast::BcastHeader;
use packet::consts::{ETH_LEN, packet_type};
use packet::elp::ElpHeader;
use packet::frag::FragHeader;
use packet::icmp::IcmpHeader;
use packet::mcast::McastHeader;
use packet::ogm2::Ogm2Header;
use packet::tvlv::tracker::Tracker;
use packet::tvlv::tt::flags;
use packet::tvlv::{kind, roam::Roam};
use packet::unicast::{Unicast4Header, UnicastHeader, UnicastTvlvHeader};
use zerocopy::IntoBytes;

/// Row 15: fragments that are never completed, of many senders. Memory keeps its bound, frames that
/// were cut by honest nodes still arrive, and ten seconds later nothing is left.
#[test]
fn row_15_unfinished_fragments_take_no_more_than_their_share() {
    let mut s = Stage::new(Algorithm::Iv, |config| config.caps.fragment_bytes = 64 * 1024);
    let node = s.orig(1);
    let mut rng = Rng::new(1);
    s.go(10, |s, _| {
        for n in 0..2000u32 {
            let orig = MacAddr([2, 0x55, 0, 0, (n >> 4) as u8, n as u8]);
            let head = FragHeader::new(node, orig, rng.next_u32() as u16, 3000, (n % 16) as u8, 0);
            s.tell(&[head.as_bytes(), &[0x11; 700]]);
        }
        // A frame that needs two pieces on a link of 1560 bytes: jumbo frames of a LAN.
        s.c.got(1);
        s.c.send(0, host(1), 1700);
        assert_eq!(s.c.got(1), [1700], "honest pieces are put together meanwhile");
    });
    s.silence(12);
    assert!(s.dropped(1, Drop::FragmentTimeout) > 0);
    // Pieces that contradict each other, and pieces of pieces.
    let inner = FragHeader::new(node, EVIL, 1, 100, 0, 0);
    let nested = [inner.as_bytes(), &[0; 80]].concat();
    for (no, piece) in nested.chunks(50).rev().enumerate() {
        let head = FragHeader::new(node, EVIL, 9, nested.len() as u16, no as u8, 0);
        s.tell(&[head.as_bytes(), piece]);
    }
    assert_eq!(s.dropped(1, Drop::NestedFragment), 1);
    for (seqno, total, no, len) in [(20, 0, 0, 10), (21, 65535, 0, 10), (22, 100, 0, 200), (23, 19, 15, 5)] {
        let head = FragHeader::new(node, EVIL, seqno, total, no, 0);
        s.tell(&[head.as_bytes(), &vec![0; len]]);
    }
    assert_eq!(s.dropped(1, Drop::BadFragment), 4);
    s.works();
}

/// One good packet of each kind, as node 1 may hear it on its left wire.
fn good(s: &Stage) -> Vec<Vec<u8>> {
    let (node, other) = (s.orig(1), s.orig(2));
    let mut inner = [&host(1).0[..], &host(0).0, &[0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1]].concat();
    inner.resize(60, 7);
    let full = table(flags::RESPONSE | flags::FULL, 3, &[host(7)], None, &[change(host(7), 0)]);
    let ask = table(flags::REQUEST | flags::FULL, 3, &[host(7)], None, &[]);
    let roam = Roam { client: host(8), vid: 0.into() };
    let tvlv = |dst, kind, value: &[u8]| {
        let bytes = container(kind, value);
        [UnicastTvlvHeader::new(dst, EVIL, bytes.len() as u16).as_bytes(), &bytes].concat()
    };
    let mut list = vec![0; Tracker::len_of(2)];
    Tracker::emit(&[node, other], &mut list).unwrap();
    let list = container(kind::MCAST_TRACKER, &list);
    let tt = announced(1, &[host(9)], None, &[change(host(9), 0)]);
    let ogm2 = Ogm2Header { tvlv_len: (tt.len() as u16).into(), ..Ogm2Header::new(EVIL, 70_000) };
    let mut long_echo = IcmpHeader::echo_request(other, EVIL, 1, 2).as_bytes().to_vec();
    long_echo.resize(IcmpHeader::RECORD_ROUTE_LEN, 0);
    let broadcasts = [
        [ogm(EVIL, 70_000, &tt).as_bytes(), &tt, ogm(host(3), 5, &[]).as_bytes()].concat(),
        [ogm2.as_bytes(), &tt[..]].concat(),
        ElpHeader::new(EVIL, 70_000, 1000).hello().to_vec(),
        [BcastHeader::new(EVIL, 9).as_bytes(), &inner].concat(),
    ];
    let unicasts = [
        [UnicastHeader::new(node, 1).as_bytes(), &inner[..]].concat(),
        [Unicast4Header::new(node, EVIL, 1, 2).as_bytes(), &inner[..]].concat(),
        [FragHeader::new(node, EVIL, 3, 90, 0, 0).as_bytes(), &inner[..]].concat(),
        IcmpHeader::echo_request(node, EVIL, 1, 2).as_bytes().to_vec(),
        long_echo,
        tvlv(node, kind::TT, &full),
        tvlv(node, kind::TT, &ask),
        tvlv(other, kind::TT, &ask),
        tvlv(node, kind::ROAM, roam.as_bytes()),
        [McastHeader::new(list.len() as u16).as_bytes(), &list, &inner].concat(),
        [&[packet_type::MESHWORK, 15, 1, 0][..], &[0; 40]].concat(),
        [&[0x7f, 15, 50, 0][..], &node.0, &[1; 30]].concat(),
    ];
    let broadcasts = broadcasts.iter().map(|p| frame(MacAddr::BROADCAST, EVIL, &[p]));
    broadcasts.chain(unicasts.iter().map(|p| frame(node, EVIL, &[p]))).collect()
}

/// Row 20: every packet cut at every length, with every byte changed in turn, lengths that promise
/// more than there is, and noise. The node stays up, its tables hold together (the stage checks them
/// after every frame), and it still does its work.
#[test]
fn row_20_lengths_that_lie() {
    for algorithm in BOTH {
        let mut s = Stage::new(algorithm, |_| {});
        let packets = good(&s);
        for bytes in &packets {
            for len in 0..bytes.len() {
                s.hear(&bytes[..len]);
            }
            for i in 0..bytes.len() {
                for value in [0, 1, 0x7f, 0x80, 0xff, bytes[i] ^ 1, bytes[i].wrapping_add(4)] {
                    let mut f = bytes.clone();
                    f[i] = value;
                    s.hear(&f);
                }
                // Two bytes of a length.
                if i + 1 < bytes.len() {
                    let mut f = bytes.clone();
                    f[i..i + 2].copy_from_slice(&[0xff, 0xfe]);
                    s.hear(&f);
                }
            }
            let mut long = bytes.clone();
            long.resize(9000, 0xa5);
            s.hear(&long);
        }
        let mut rng = Rng::new(20);
        for n in 0..20_000usize {
            let mut f = packets[n % packets.len()].clone();
            for _ in 0..1 + rng.next_u32() % 8 {
                let at = ETH_LEN + rng.next_u32() as usize % (f.len() - ETH_LEN);
                f[at] = rng.next_u32() as u8;
            }
            f.truncate(ETH_LEN + rng.next_u32() as usize % (f.len() - ETH_LEN + 1));
            s.hear(&f);
        }
        for why in [Drop::Short, Drop::Version, Drop::BadTvlv, Drop::NotForUs, Drop::BadAddress] {
            assert!(s.dropped(1, why) > 0, "{algorithm:?}: {}", why.name());
        }
        // What was made up is forgotten, or was never believed.
        s.silence(60);
        s.works();
    }
}
