//! News of lost ways (packet type 0x4d) from those who mean no good. What can be had by it is what
//! can be had by not forwarding: nothing but ways through the liar itself, and not for long.

use crate::attacker::{BOTH, EVIL, Stage, container, frame, ogm};
use mesh_core::{Algorithm, Count, Drop, Duration, Frame};
use packet::MacAddr;
use packet::consts::{ETH_LEN, TTL, packet_type};
use packet::meshwork::{Entry, MessageHeader, say};
use packet::ogm::OgmHeader;
use packet::ogm2::Ogm2Header;
use packet::tvlv::kind;
use packet::tvlv::meshwork::Meshwork;
use zerocopy::IntoBytes;

/// A node that only the attacker leads to.
const BEYOND: MacAddr = MacAddr([2, 0x66, 0, 0, 0, 2]);

/// An OGM that the attacker sends, with what makes it a Meshwork node if `ours`.
fn announce(s: &mut Stage, orig: MacAddr, seqno: u32, ours: bool) {
    let tvlvs = if ours { container(kind::MESHWORK, Meshwork::new(0).as_bytes()) } else { Vec::new() };
    let far = orig != EVIL;
    let header = match s.c.nodes[1].mesh.algorithm() {
        Algorithm::Iv => {
            let mut h = ogm(orig, seqno, &tvlvs);
            h.ttl -= u8::from(far);
            OgmHeader { tq: if far { 200 } else { 255 }, ..h }.as_bytes().to_vec()
        }
        Algorithm::V => {
            let mut h = Ogm2Header::new(orig, seqno);
            h.ttl -= u8::from(far);
            h.tvlv_len = (tvlvs.len() as u16).into();
            h.as_bytes().to_vec()
        }
    };
    s.say(&[header, tvlvs].concat());
}

/// A stage whose attacker announced itself as Meshwork.
fn stage(algorithm: Algorithm) -> Stage {
    let mut s = Stage::new(algorithm, |_| {});
    s.go(3, |s, second| announce(s, EVIL, 50_000 + second, true));
    s
}

/// A message to node 1.
fn message(s: &Stage, what: u8, list: &[(MacAddr, u32)]) -> Vec<u8> {
    let header = MessageHeader::new(s.orig(1), EVIL, TTL, what, 0, list.len() as u16);
    let list: Vec<Entry> = list.iter().map(|&(orig, metric)| Entry { orig, metric: metric.into() }).collect();
    [header.as_bytes(), list.as_bytes()].concat()
}

fn hop(s: &Stage, from: usize, to: MacAddr) -> Option<MacAddr> {
    let view = s.c.nodes[from].mesh.snapshot(s.now());
    let o = view.originators.iter().find(|o| o.addr == to)?;
    o.paths.iter().find(|p| p.best).map(|p| p.neigh)
}

fn count(s: &Stage, i: usize, what: Count) -> u64 {
    s.c.nodes[i].mesh.snapshot(s.now()).counters.count(what)
}

/// Messages that node 1 has ready to leave: what they say, to whom, and how many entries.
fn replies(s: &mut Stage) -> Vec<(u8, MacAddr, usize)> {
    let all = std::mem::take(&mut s.c.nodes[1].side.wires.tx);
    let read = |f: &Frame| {
        let dst = MacAddr(f.bytes()[..6].try_into().unwrap());
        let (header, list) = MessageHeader::parse(&f.bytes()[ETH_LEN..]).ok()?;
        Some((header.what(), dst, list.len()))
    };
    let mine = |f: &Frame| f.bytes()[ETH_LEN] == packet_type::MESHWORK;
    all.iter().filter(|(_, f)| mine(f)).filter_map(|(_, f)| read(f)).collect()
}

#[test]
fn what_cannot_be_read_is_dropped() {
    for algorithm in BOTH {
        let mut s = stage(algorithm);
        let good = message(&s, say::LOST, &[(s.orig(2), 0)]);
        let bad = |at: usize, byte: u8| {
            let mut m = good.clone();
            m[at] = byte;
            m
        };
        let unread = s.dropped(1, Drop::UnknownForUs);
        for m in [&good[..23], &good[..33], &bad(10, b'X'), &bad(22, 0xff), &bad(23, 2)] {
            s.tell(&[m]);
        }
        assert_eq!(s.dropped(1, Drop::UnknownForUs), unread + 5, "{algorithm:?}");
        for (m, why) in [
            (&good[..9], Drop::Short),
            (&bad(1, 14), Drop::Version),
            (&bad(3, 77), Drop::Unsupported),
            (&bad(3, 0), Drop::Unsupported),
        ] {
            let before = s.dropped(1, why);
            s.tell(&[m]);
            assert_eq!(s.dropped(1, why), before + 1, "{algorithm:?} {why:?}");
        }
        // To everybody, and to an address that nobody has.
        s.say(&good);
        let stranger = bad(4, 0x77);
        s.tell(&[&stranger]);
        // Longer than any link: the rest is filler, of which the count is right.
        s.tell(&[&good, &[0; 60_000]]);
        let most = (65_000 - 24) / 10;
        let list: Vec<(MacAddr, u32)> = (0..most).map(|i: u32| (far(i), 0)).collect();
        let long = message(&s, say::LOST, &list);
        s.tell(&[&long]);
        s.works();
    }
}

fn far(i: u32) -> MacAddr {
    let [a, b, c, d] = i.to_be_bytes();
    MacAddr([2, 0x99, a, b, c, d])
}

#[test]
fn a_loss_of_ways_that_others_lead_is_none() {
    for algorithm in BOTH {
        let mut s = stage(algorithm);
        let told = [s.orig(0), s.orig(1), s.orig(2), far(1)];
        let before: Vec<_> = told.map(|o| hop(&s, 1, o)).into();
        replies(&mut s);
        let lost = message(&s, say::LOST, &told.map(|o| (o, 0)));
        s.tell(&[&lost]);
        assert_eq!(told.map(|o| hop(&s, 1, o)).to_vec(), before, "{algorithm:?}");
        let replies = replies(&mut s);
        // It is told what an OGM would say of three of them, and nobody else hears of it.
        assert_eq!(replies, [(say::HAVE, EVIL, 3)], "{algorithm:?}");
        s.works();
    }
}

#[test]
fn strangers_and_relayed_words_are_not_heard() {
    for algorithm in BOTH {
        // A neighbour that never said that it runs Meshwork.
        let mut s = Stage::new(algorithm, |_| {});
        announce(&mut s, BEYOND, 900, false);
        replies(&mut s);
        let lost = message(&s, say::LOST, &[(s.orig(0), 0), (BEYOND, 0)]);
        s.tell(&[&lost]);
        assert_eq!(s.dropped(1, Drop::NotMeshwork), 1, "{algorithm:?}");
        // Somebody never heard before.
        let (node, who) = (s.orig(1), far(7));
        s.hear(&frame(node, who, &[&lost]));
        assert_eq!(s.dropped(1, Drop::NotMeshwork), 2, "{algorithm:?}");
        assert_eq!(replies(&mut s), [], "{algorithm:?}");
        // Through node 1 to node 2, which would take it for node 1's word.
        let before = hop(&s, 2, s.orig(0));
        assert_eq!(before, Some(MacAddr([2, 0xe0, 0, 0, 1, 1])));
        let mut m = message(&s, say::LOST, &[(s.orig(0), 0), (s.orig(1), 0)]);
        m[2] = 255;
        m[4..10].copy_from_slice(&s.orig(2).0);
        s.tell(&[&m]);
        s.c.run(Duration::from_millis(1));
        assert_eq!((s.dropped(2, Drop::Ttl), hop(&s, 2, s.orig(0))), (1, before), "{algorithm:?}");
        s.works();
    }
}

#[test]
fn offers_nobody_asked_for_are_ignored() {
    for algorithm in BOTH {
        let mut s = stage(algorithm);
        // One that node 0 leads to, not too well.
        let honest = s.orig(0);
        let weak = match algorithm {
            Algorithm::Iv => OgmHeader { tq: 100, ttl: 48, ..ogm(BEYOND, 5, &[]) }.as_bytes().to_vec(),
            Algorithm::V => {
                let mut h = Ogm2Header::new(BEYOND, 5);
                (h.throughput, h.ttl) = (1.into(), 48);
                h.as_bytes().to_vec()
            }
        };
        s.hear(&frame(MacAddr::BROADCAST, honest, &[&weak]));
        assert_eq!(hop(&s, 1, BEYOND), Some(honest), "{algorithm:?}");
        let before = [0, 2].map(|i| hop(&s, 1, s.orig(i)));
        for metric in [1, 255, 256, u32::MAX] {
            let list: Vec<_> = [s.orig(0), s.orig(1), s.orig(2), BEYOND, far(1)].map(|o| (o, metric)).into();
            let have = message(&s, say::HAVE, &list);
            s.tell(&[&have]);
        }
        assert_eq!([0, 2].map(|i| hop(&s, 1, s.orig(i))), before, "{algorithm:?}");
        assert_eq!(hop(&s, 1, BEYOND), Some(honest), "{algorithm:?}");
        let known = s.c.nodes[1].mesh.snapshot(s.now()).originators.len();
        assert_eq!(hop(&s, 1, far(1)), None, "an offer makes no originator");
        assert!(known <= 7, "{known}");
        s.works();
    }
}

/// Who announces ways and says at once that they are lost, again and again, does it no more often
/// than others listen; each word costs a few, and other ways do not suffer.
#[test]
fn wolf_is_cried_in_vain() {
    for algorithm in BOTH {
        let mut s = stage(algorithm);
        let mut left = 0;
        let before = count(&s, 1, Count::NewsTx);
        s.go(30, |s, second| {
            for n in 0..50 {
                announce(s, BEYOND, 1000 + second * 50 + n, false);
                let had = hop(s, 1, BEYOND) == Some(EVIL);
                let lost = message(s, say::LOST, &[(BEYOND, 0)]);
                s.tell(&[&lost]);
                left += u32::from(had && hop(s, 1, BEYOND).is_none_or(|h| h != EVIL) || gone(s));
                s.c.run(Duration::from_millis(10));
            }
            assert!(s.arrives(0, 2) && s.arrives(2, 0), "{algorithm:?}");
        });
        // 16 at once, then one in four seconds; the stage's seconds are longer than ours.
        assert!((16..=40).contains(&left), "{algorithm:?}: {left} of 1500 losses were believed");
        let sent = count(&s, 1, Count::NewsTx) - before;
        // Each is told to two neighbours at most three times.
        assert!(sent <= 40 * 6, "{algorithm:?}: {sent} messages");
        assert!(s.dropped(1, Drop::RateLimit) > 500, "{algorithm:?}");
        s.works();
    }
}

/// The attacker's way is there and worth nothing.
fn gone(s: &Stage) -> bool {
    let view = s.c.nodes[1].mesh.snapshot(s.now());
    let o = view.originators.iter().find(|o| o.addr == BEYOND);
    o.is_some_and(|o| o.paths.iter().all(|p| p.tq == 0 && p.throughput == 0))
}

/// In an honest neighbour's name. Nothing tells it from that one's word, so the way is left; the
/// neighbour's next OGM gives it back, and the lie is believed once in four seconds.
#[test]
fn a_lie_in_a_neighbours_name_spoils_a_second_in_four() {
    for algorithm in BOTH {
        let mut s = stage(algorithm);
        let (node, victim) = (MacAddr([2, 0xe0, 0, 0, 0, 1]), s.orig(0));
        assert_eq!(s.orig(1), node);
        let (mut worked, mut tried) = (0, 0);
        s.go(60, |s, _| {
            for _ in 0..10 {
                let lost = message(s, say::LOST, &[(victim, 0), (BEYOND, 0)]);
                s.hear(&frame(node, victim, &[&lost]));
                s.c.run(Duration::from_millis(100));
                tried += 1;
                worked += u32::from(hop(s, 1, victim) == Some(victim) && !no_way(s, victim));
            }
        });
        assert!(worked * 2 > tried, "{algorithm:?}: {worked} of {tried}");
        s.silence(3);
        s.works();
    }
}

fn no_way(s: &Stage, to: MacAddr) -> bool {
    let view = s.c.nodes[1].mesh.snapshot(s.now());
    let o = view.originators.iter().find(|o| o.addr == to);
    o.is_none_or(|o| o.paths.iter().all(|p| p.tq == 0 && p.throughput == 0))
}

/// As many messages as fit on the air: few are looked at, and each is answered once.
#[test]
fn a_storm_is_answered_in_drops() {
    for algorithm in BOTH {
        let mut s = stage(algorithm);
        let (orig, before, read) = (s.orig(2), count(&s, 1, Count::NewsTx), count(&s, 1, Count::NewsRx));
        let list: Vec<_> = (0..150).map(|i| (if i % 2 == 0 { orig } else { far(i) }, 0)).collect();
        let lost = message(&s, say::LOST, &list);
        s.go(10, |s, _| {
            for _ in 0..2000 {
                s.tell(&[&lost]);
            }
        });
        // 64 at once, then 16 in a second; others are told of nothing.
        let (sent, read) = (count(&s, 1, Count::NewsTx) - before, count(&s, 1, Count::NewsRx) - read);
        assert!((64..=64 + 16 * 12).contains(&read), "{algorithm:?}: {read}");
        assert!(sent <= read, "{algorithm:?}: {sent}");
        assert!(s.dropped(1, Drop::RateLimit) >= 20_000 - read, "{algorithm:?}");
        // Each was answered with one entry, not with one for each time that it was named.
        replies(&mut s);
        s.silence(5);
        s.tell(&[&lost]);
        assert_eq!(replies(&mut s), [(say::HAVE, EVIL, 1)], "{algorithm:?}");
        s.works();
    }
}
