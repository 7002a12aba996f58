//! Lies about routes: rows 1 to 4 and 19.

use crate::attacker::{BOTH, EVIL, LEFT, Stage, announced, frame, ogm};
use crate::chain::host;
use mesh_core::{Algorithm, Drop, Event, Frame};
use packet::MacAddr;
use packet::bcast::BcastHeader;
use packet::consts::{ETH_LEN, packet_type};
use packet::icmp::IcmpHeader;
use packet::ogm::OgmHeader;
use packet::ogm2::Ogm2Header;
use packet::unicast::UnicastHeader;
use zerocopy::IntoBytes;

fn twice(orig: MacAddr) -> impl Fn(&Event) -> bool {
    move |e| matches!(e, Event::AddressTwice { orig: o, .. } if *o == orig)
}

/// An OGM in the name of `orig`, as good as one can be.
fn forged(algorithm: Algorithm, orig: MacAddr, seqno: u32) -> Vec<u8> {
    match algorithm {
        Algorithm::Iv => ogm(orig, seqno, &[]).as_bytes().to_vec(),
        Algorithm::V => Ogm2Header::new(orig, seqno).as_bytes().to_vec(),
    }
}

/// Next hop of node 1 to an originator, by its address.
fn hop(s: &Stage, to: MacAddr) -> Option<MacAddr> {
    let view = s.c.nodes[1].mesh.snapshot(s.now());
    let o = view.originators.iter().find(|o| o.addr == to)?;
    o.paths.first().map(|w| w.neigh)
}

/// Row 1: OGMs in the name of another node. They cannot be told from real ones, so the traffic of
/// that one node goes astray. Nobody else's does, people are told soon, and it ends with the attack.
#[test]
fn row_1_a_foreign_originator_harms_that_one_and_is_told() {
    for algorithm in BOTH {
        let mut s = Stage::new(algorithm, |_| {});
        let victim = s.orig(2);
        let start = s.c.nodes[2].mesh.seqnos().ogm;
        let mut told_after = None;
        // Step by step, so that each message is a little ahead of the real ones and of the last one.
        s.go(60, |s, second| {
            let seqno = start.wrapping_add(second + 40 * second);
            s.say(&forged(algorithm, victim, seqno));
            assert!(s.arrives(0, 1) && s.arrives(1, 0), "{algorithm:?}: others are not harmed");
            if told_after.is_none() && s.events(1, twice(victim)) > 0 {
                told_after = Some(second);
            }
        });
        assert!(told_after.is_some_and(|t| t <= 15), "{algorithm:?}: told after {told_after:?} s");
        assert_eq!(s.events(1, twice(victim)), 1, "and not again and again");
        assert_eq!(s.events(1, |e| matches!(e, Event::AddressTwice { .. })), 1, "nobody else is accused");
        let mut lost = 0;
        while lost < 40 && !s.failing().is_empty() {
            s.silence(1);
            lost += 1;
        }
        assert!(lost <= 35, "{algorithm:?}: {lost} s after the attack");
    }
}

/// Row 1, in our own name: the owner of an address notices that another one uses it, and goes on.
#[test]
fn row_1_our_own_address_in_another_mouth_is_told() {
    for algorithm in BOTH {
        let mut s = Stage::new(algorithm, |_| {});
        let own = s.orig(1);
        s.go(20, |s, second| {
            let ahead = s.c.nodes[1].mesh.seqnos().ogm.wrapping_add(1000 + second);
            s.say(&forged(algorithm, own, ahead));
        });
        assert_eq!(s.events(1, twice(own)), 1, "{algorithm:?}");
        s.works();
        // A clone of the node, with its hard interface's address.
        let mut s = Stage::new(algorithm, |_| {});
        s.go(20, |s, second| {
            let packet = forged(algorithm, own, 77_000 + second);
            s.hear(&frame(MacAddr::BROADCAST, own, &[&packet]));
        });
        assert_eq!(s.events(1, twice(own)), 1, "{algorithm:?}: a clone");
        assert!(s.dropped(1, Drop::OwnSource) >= 20);
        s.works();
    }
}

/// Row 2: a relay that says it has a perfect way. It gets traffic, but no more than its own link to
/// us carries, and people are told.
#[test]
fn row_2_an_inflated_metric_is_bounded_by_the_link_and_told() {
    let implausible = |e: &Event| matches!(e, Event::MetricImplausible { neigh, .. } if *neigh == EVIL);
    for algorithm in BOTH {
        let mut s = Stage::new(algorithm, |_| {});
        let victim = s.orig(2);
        s.go(20, |s, _| {
            let seqno = s.c.nodes[2].mesh.seqnos().ogm.wrapping_sub(1);
            match algorithm {
                Algorithm::Iv => s.say(OgmHeader { ttl: 47, ..ogm(victim, seqno, &[]) }.as_bytes()),
                Algorithm::V => s.say(Ogm2Header { ttl: 47, ..Ogm2Header::new(victim, seqno) }.as_bytes()),
            }
        });
        assert_eq!(s.events(1, implausible), 1, "{algorithm:?}");
        let view = s.c.nodes[1].mesh.snapshot(s.now());
        let metric = |orig: MacAddr, neigh: MacAddr| {
            let o = view.originators.iter().find(|o| o.addr == orig).unwrap();
            o.paths.iter().find(|w| w.neigh == neigh).map_or(0, |w| u32::from(w.tq).max(w.throughput))
        };
        let (way, link) = (metric(victim, EVIL), metric(EVIL, EVIL));
        // Both are averages over the last five.
        assert!(way <= link + 8, "{algorithm:?}: {way} by a link of {link}");
        s.silence(35);
        s.works();
    }
    // An honest relay with half our penalty is not accused.
    let mut s = Stage::new(Algorithm::Iv, |_| {});
    let victim = s.orig(2);
    s.go(60, |s, _| {
        let seqno = s.c.nodes[2].mesh.seqnos().ogm.wrapping_sub(1);
        s.say(OgmHeader { ttl: 48, tq: 255 - 15 - 15, ..ogm(victim, seqno, &[]) }.as_bytes());
    });
    assert_eq!(s.events(1, |e| matches!(e, Event::MetricImplausible { .. })), 0);
}

/// Row 3: sequence numbers far ahead or behind, for OGMs and for broadcasts. Where the real ones are
/// heard they are believed and the forged ones are not, for as long as the attack lasts.
#[test]
fn row_3_numbers_from_nowhere_lock_nobody_out() {
    for algorithm in BOTH {
        let mut s = Stage::new(algorithm, |_| {});
        let victim = s.orig(2);
        let real = s.c.nodes[2].mesh.seqnos();
        let (mut lost, mut wrong) = (0, 0);
        s.go(120, |s, second| {
            let far = [1000 + 70 * second, 1_000_000 * (second + 1), 0u32.wrapping_sub(500 * (second + 1))];
            let jump = far[second as usize % 3];
            s.say(&forged(algorithm, victim, real.ogm.wrapping_add(jump)));
            let bcast = BcastHeader::new(victim, real.bcast.wrapping_add(jump));
            let mut inner = [&[0xff; 6][..], &host(2).0, &[0x88, 0xb5]].concat();
            inner.resize(60, 0);
            s.say(&[bcast.as_bytes(), &inner].concat());
            s.c.got(1);
            s.host_sends(2, MacAddr::BROADCAST, host(2));
            s.c.run(mesh_core::Duration::from_millis(20));
            lost += usize::from(s.c.got(1).is_empty());
            wrong += usize::from(hop(s, victim) == Some(EVIL));
        });
        assert_eq!(wrong, 0, "{algorithm:?}: seconds with a wrong route");
        assert!(lost <= 4, "{algorithm:?}: {lost} of 120 broadcasts lost");
        assert!(s.dropped(1, Drop::SeqnoProtected) >= 100, "{algorithm:?}");
        assert_eq!(s.events(1, twice(victim)), 1, "{algorithm:?}");
        s.works();
    }
}

/// Row 4: invented originators, from somebody that claims to reach them and from somebody that
/// claims to be all of them. Tables keep their bounds, and those who are real keep their places.
#[test]
fn row_4_invented_originators_push_nobody_out() {
    for algorithm in BOTH {
        let mut s = Stage::new(algorithm, |config| (config.caps.originators, config.caps.neighbors) = (128, 32));
        let mut n = 0u32;
        s.go(30, |s, _| {
            for _ in 0..400 {
                n += 1;
                let [a, b, c, d] = n.to_be_bytes();
                let (relayed, direct) = (MacAddr([2, 0x77, a, b, c, d]), MacAddr([2, 0x78, a, b, c, d]));
                let mut packet = forged(algorithm, relayed, n);
                packet[2] = 49;
                s.say(&packet);
                if algorithm == Algorithm::V {
                    let hello = packet::elp::ElpHeader::new(direct, n, 1000).hello();
                    s.hear(&frame(MacAddr::BROADCAST, direct, &[&hello]));
                }
                let packet = forged(algorithm, direct, n);
                s.hear(&frame(MacAddr::BROADCAST, direct, &[&packet]));
            }
            let view = s.c.nodes[1].mesh.snapshot(s.now());
            assert!(view.originators.len() <= 128 && view.neighbors.len() <= 2 * 32);
        });
        assert!(s.dropped(1, Drop::OriginatorRate) > 1000, "{algorithm:?}");
        let view = s.c.nodes[1].mesh.snapshot(s.now());
        for i in [0, 2] {
            assert!(view.originators.iter().any(|o| o.addr == s.orig(i)), "{algorithm:?}: node {i} was pushed out");
        }
        s.works();
    }
}

/// Row 19: a TTL above what any node sends goes on as an ordinary one.
#[test]
fn row_19_no_ttl_above_fifty_goes_round() {
    let mut s = Stage::new(Algorithm::Iv, |_| {});
    let (dest, seqno) = (s.orig(2), s.c.nodes[2].mesh.seqnos().ogm);
    let mut inner = [&host(2).0[..], &host(0).0, &[0x88, 0xb5]].concat();
    inner.resize(60, 0);
    let mut bcast = [BcastHeader { ttl: 255, ..BcastHeader::new(EVIL, 5) }.as_bytes(), &inner].concat();
    bcast[20..26].copy_from_slice(&[0xff; 6]);
    let unicast = [UnicastHeader { ttl: 255, ..UnicastHeader::new(dest, 1) }.as_bytes(), &inner].concat();
    let icmp = IcmpHeader { ttl: 255, ..IcmpHeader::echo_request(dest, EVIL, 1, 1) };
    let relayed = OgmHeader { ttl: 255, ..ogm(MacAddr([2, 9, 9, 9, 9, 9]), seqno, &announced(1, &[], None, &[])) };
    let relayed = [relayed.as_bytes(), &announced(1, &[], None, &[])].concat();
    s.c.nodes[1].side.wires.tx.clear();
    s.tell(&[&unicast]);
    s.tell(&[icmp.as_bytes()]);
    s.say(&bcast);
    s.say(&relayed);
    let mut ttls = Vec::new();
    for _ in 0..30 {
        let now = s.now();
        let at = s.c.nodes[1].mesh.poll_timeout().max(now);
        s.c.now = at;
        s.c.nodes[1].input(mesh_core::Input::Tick, at);
        let tx: Vec<(_, Frame)> = std::mem::take(&mut s.c.nodes[1].side.wires.tx);
        ttls.extend(tx.iter().filter(|(l, _)| *l != LEFT).map(|(_, f)| (f.bytes()[ETH_LEN], f.bytes()[ETH_LEN + 2])));
    }
    for kind in [packet_type::UNICAST, packet_type::ICMP, packet_type::BCAST] {
        assert!(ttls.contains(&(kind, 49)), "type {kind:#x} was passed on: {ttls:?}");
    }
    assert!(ttls.iter().all(|(_, ttl)| *ttl <= 50), "{ttls:?}");
    assert!(ttls.iter().filter(|(kind, _)| *kind == packet_type::OGM).count() > 1);
    s.silence(5);
    s.works();
}
