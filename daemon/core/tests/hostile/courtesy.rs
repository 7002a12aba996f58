//! Requests for air (packet type 0x4d, [`say::YIELD`]): who is asked, who is heard, and for how long.

use crate::attacker::{BOTH, EVIL, LEFT, Stage, container, frame, ogm};
use mesh_core::{Algorithm, Drop, Duration, Input, LinkConfig, LinkId, Measure};
use packet::MacAddr;
use packet::consts::{ETH_LEN, TTL, packet_type};
use packet::meshwork::{MessageHeader, say};
use packet::ogm2::Ogm2Header;
use packet::tvlv::kind;
use packet::tvlv::meshwork::Meshwork;
use zerocopy::IntoBytes;

/// What makes the attacker a Meshwork node; `number` grows.
fn announce(s: &mut Stage, number: u32) {
    let tvlvs = container(kind::MESHWORK, Meshwork::new(0).as_bytes());
    let header = match s.c.nodes[1].mesh.algorithm() {
        Algorithm::Iv => ogm(EVIL, 50_000 + number, &tvlvs).as_bytes().to_vec(),
        Algorithm::V => {
            let mut h = Ogm2Header::new(EVIL, 50_000 + number);
            h.tvlv_len = (tvlvs.len() as u16).into();
            h.as_bytes().to_vec()
        }
    };
    s.say(&[header, tvlvs].concat());
}

/// The middle node, with both wires made radios if `wifi`, in a mesh that knows itself again.
fn stage(algorithm: Algorithm, wifi: bool, ours: bool) -> Stage {
    let mut s = Stage::new(algorithm, |_| {});
    let now = s.now();
    for i in 0..2 {
        let cfg = LinkConfig {
            name: format!("e{i}"),
            mac: MacAddr([2, 0xe0, 0, 0, i, 1]),
            mtu: 1560,
            wifi,
            hop_penalty: 0,
            throughput: None,
            measure: Measure::Blind,
            broadcast_copies: None,
        };
        s.c.nodes[1].input(Input::LinkUp(LinkId(i), cfg), now);
    }
    s.go(20, |s, second| {
        if ours {
            announce(s, second);
        }
    });
    s
}

fn request(s: &Stage, ttl: u8, ms: u16) -> Vec<u8> {
    MessageHeader::new(s.orig(1), EVIL, ttl, say::YIELD, ms, 0).as_bytes().to_vec()
}

/// For how long others were held back, when the middle node was asked every 100 ms of every other second.
fn held(s: &mut Stage, times: std::ops::Range<u32>, ms: u16) -> Duration {
    s.c.nodes[1].side.yields.clear();
    s.go(times.len() as u32, |s, n| {
        announce(s, 100 + times.start + n);
        for _ in 0..10 {
            let ask = request(s, TTL, ms);
            s.tell(&[&ask]);
            s.c.run(Duration::from_millis(100));
        }
    });
    let mut sum = Duration::ZERO;
    let mut last = None;
    for &(link, at, until) in &s.c.nodes[1].side.yields {
        assert_eq!(link, LEFT);
        sum += until.since(last.map_or(at, |l: mesh_core::Instant| l.max(at)));
        last = Some(until);
    }
    sum
}

#[test]
fn only_meshwork_neighbours_on_a_radio_are_asked() {
    for algorithm in BOTH {
        for wifi in [true, false] {
            // Nodes 0 and 2 run Meshwork; the attacker passes for a kernel node.
            let mut s = stage(algorithm, wifi, false);
            let now = s.now();
            s.c.nodes[1].side.wires.tx.clear();
            s.c.nodes[1].input(Input::OwnerWaits(LEFT), now);
            s.c.nodes[1].input(Input::OwnerWaits(LEFT), now + Duration::from_millis(50));
            let asked: Vec<(MacAddr, u8, u16)> = std::mem::take(&mut s.c.nodes[1].side.wires.tx)
                .iter()
                .filter(|(_, f)| f.bytes()[ETH_LEN] == packet_type::MESHWORK)
                .filter_map(|(_, f)| {
                    let (header, list) = MessageHeader::parse(&f.bytes()[ETH_LEN..]).ok()?;
                    assert!(list.is_empty());
                    Some((MacAddr(f.bytes()[..6].try_into().unwrap()), header.what(), header.number.get()))
                })
                .collect();
            let zero = MacAddr([2, 0xe0, 0, 0, 1, 0]);
            let want = if wifi { vec![(zero, say::YIELD, 200)] } else { vec![] };
            assert_eq!(asked, want, "{algorithm:?} wifi {wifi}");
            s.works();
        }
    }
}

#[test]
fn a_request_is_granted_for_a_while_and_never_for_ever() {
    for algorithm in BOTH {
        let mut s = stage(algorithm, true, true);
        let short = held(&mut s, 0..5, 60_000);
        assert!(short > Duration::from_secs(5), "{algorithm:?}: an owner who sends for a while has the air: {short:?}");
        let long = held(&mut s, 5..150, u16::MAX);
        assert!(short + long < Duration::from_secs(150), "{algorithm:?}: {long:?} of five minutes");
        assert!(s.dropped(1, Drop::RateLimit) > 0, "{algorithm:?}");
        s.works();
    }
}

#[test]
fn strangers_wires_and_relayed_words_are_not_heard() {
    for algorithm in BOTH {
        for (wifi, ours, ttl, why) in [
            (true, false, TTL, Drop::NotMeshwork),
            (false, true, TTL, Drop::Unsupported),
            (true, true, TTL - 1, Drop::Ttl),
        ] {
            let mut s = stage(algorithm, wifi, ours);
            let before = s.dropped(1, why);
            let ask = request(&s, ttl, 200);
            s.tell(&[&ask]);
            assert_eq!(s.dropped(1, why), before + 1, "{algorithm:?} {why:?}");
            assert_eq!(s.c.nodes[1].side.yields, [], "{algorithm:?} {why:?}");
        }
        // In the name of a Meshwork neighbour's originator, from a MAC that nobody knows.
        let mut s = stage(algorithm, true, true);
        let (node, ask) = (s.orig(1), request(&s, TTL, 200));
        s.hear(&frame(node, MacAddr([2, 0x99, 0, 0, 0, 9]), &[&ask]));
        assert_eq!(s.c.nodes[1].side.yields, [], "{algorithm:?}");
    }
}
