//! Lies to the services: rows 12 to 14, 17 and 18.

use crate::attacker::{BOTH, EVIL, Stage, container, ogm};
use crate::lan::{self, World};
use mesh_core::{Algorithm, Count, Drop, Duration, Event, GatewayMode, GatewayNews, Input, LinkConfig, Measure, Meter};
use packet::MacAddr;
use packet::Vid;
use packet::bla::{ClaimFrame, Kind};
use packet::icmp::{IcmpHeader, TpHeader, tp_subtype};
use packet::ogm2::Ogm2Header;
use packet::tvlv::gateway::Gateway;
use packet::tvlv::kind;
use zerocopy::IntoBytes;

fn station(n: u32) -> MacAddr {
    let [_, b, c, d] = n.to_be_bytes();
    MacAddr([2, 0xaa, 0, b, c, d])
}

fn emit(claim: &ClaimFrame) -> Vec<u8> {
    let mut bytes = vec![0; 60];
    claim.emit(&mut bytes).unwrap();
    bytes
}

/// A LAN with two gateways, a station, and a node of the mesh (number 2).
fn shared_lan() -> World {
    let mut w = World::new(&[Some(0), Some(0), None], |_, c| c.caps.claims = 100);
    w.station(station(1), 0);
    w.run(Duration::from_secs(45));
    w
}

/// A broadcast of the station reaches the mesh, and one of the mesh the station, once each.
fn lan_works(w: &mut World, number: u32) {
    for (i, sender) in [station(1), lan::host(2)].into_iter().enumerate() {
        let n = number + i as u32;
        w.send(sender, &lan::frame(MacAddr::BROADCAST, sender, n));
        w.run(Duration::from_secs(1));
        assert!(w.wrong(n, sender).is_empty(), "{sender}: {:?}", w.wrong(n, sender));
    }
}

/// Row 12: claims in the name of a gateway of the LAN, for its real clients and for thousands of
/// invented ones, and the highest group. The table keeps its bound and half of it for others, the
/// real gateway takes back what is its own, and frames pass once each after that.
#[test]
fn row_12_forged_claims_are_bounded_and_taken_back() {
    let mut w = shared_lan();
    lan_works(&mut w, 1);
    for round in 0..20u32 {
        for n in 0..200 {
            let claim = ClaimFrame::claim(lan::orig(1), station(1000 + round * 200 + n), 0xffff, Vid::UNTAGGED);
            w.forge(0, &emit(&claim));
        }
        w.forge(0, &emit(&ClaimFrame::claim(lan::orig(1), lan::host(2), 0xffff, Vid::UNTAGGED)));
        w.run(Duration::from_millis(500));
        let claims = w.mesh(0).snapshot(w.now).bla.claims.len();
        assert!(claims <= 100, "{claims} claims");
    }
    assert!(w.events.iter().any(|(_, i, e)| *i == 0 && matches!(e, Event::TableFull("claimed clients"))));
    // The gateway's next announcement shows that it claims none of them.
    w.run(Duration::from_secs(30));
    let claims = |w: &World, i: usize| {
        let view = w.mesh(i).snapshot(w.now);
        view.bla.claims.iter().filter(|c| c.gateway == lan::orig(1)).count()
    };
    assert_eq!(claims(&w, 0), claims(&w, 1), "what is claimed is what the gateway itself claims");
    lan_works(&mut w, 100);
    // A group that is nobody's joins no LANs: gateways of another one are still strangers to it.
    let mut w = World::new(&[Some(0), Some(1), None], |_, _| {});
    w.run(Duration::from_secs(45));
    w.forge(0, &emit(&ClaimFrame::announce(lan::orig(0), 0, 0xffff, Vid::UNTAGGED)));
    w.forge(1, &emit(&ClaimFrame::claim(lan::orig(2), lan::host(2), 0xffff, Vid::UNTAGGED)));
    w.run(Duration::from_secs(2));
    assert_eq!(w.mesh(0).snapshot(w.now).bla.backbones.len(), 1);
}

/// Row 13: loop detection frames that nobody sent, or that are played back. One that is ours and
/// comes back at once shows a loop, or looks like one, so it is told; it changes nothing else.
#[test]
fn row_13_forged_loop_frames_change_nothing() {
    let mut w = shared_lan();
    for n in 0..200u8 {
        w.forge(0, &emit(&ClaimFrame::loop_detect(lan::orig(0), [1, 2, 3, n], 7, Vid::UNTAGGED)));
        w.run(Duration::from_millis(50));
    }
    let loops = |w: &World| w.events.iter().filter(|(_, _, e)| matches!(e, Event::LoopDetected { .. })).count();
    assert_eq!(loops(&w), 0, "the source of ours is drawn anew each time");
    lan_works(&mut w, 1);
    // Whatever we say is played back ten times.
    let (mut seen, mut probes) = (w.said.len(), 0);
    for _ in 0..150 {
        w.run(Duration::from_secs(1));
        let news: Vec<Vec<u8>> = w.said[seen..].iter().map(|(_, _, f)| f.clone()).collect();
        for f in news.iter().filter(|f| ClaimFrame::parse(f).is_ok_and(|c| c.kind() == Kind::LoopDetect)) {
            probes += 1;
            for _ in 0..10 {
                w.forge(0, f);
            }
        }
        w.run(Duration::from_millis(10));
        seen = w.said.len();
    }
    assert!(probes > 0 && loops(&w) <= probes, "{} alarms for {probes} frames", loops(&w));
    lan_works(&mut w, 1000);
}

/// Row 14: a storm of broadcasts. On radios, frames of a storm are sent once instead of three
/// times; those of others still three times.
#[test]
fn row_14_a_storm_is_not_repeated() {
    let mut s = Stage::new(Algorithm::Iv, |_| {});
    let radio = LinkConfig {
        name: "e1".into(),
        mac: MacAddr([2, 0xe0, 0, 0, 1, 1]),
        mtu: 1560,
        wifi: true,
        hop_penalty: 0,
        throughput: None,
        measure: Measure::Blind,
        broadcast_copies: None,
    };
    let now = s.now();
    s.c.nodes[1].input(Input::LinkUp(mesh_core::LinkId(1), radio), now);
    let sent = |s: &Stage| s.c.nodes[1].mesh.snapshot(s.now()).counters.count(Count::BcastTx);
    let before = sent(&s);
    let mut inner = [&[0xff; 6][..], &station(1).0, &[0x88, 0xb5]].concat();
    inner.resize(60, 0);
    s.go(10, |s, second| {
        for n in 0..500u32 {
            let head = packet::bcast::BcastHeader::new(EVIL, 1 + second * 500 + n);
            inner[20..24].copy_from_slice(&(second * 500 + n).to_be_bytes());
            s.say(&[head.as_bytes(), &inner].concat());
            s.c.run(Duration::from_millis(1));
        }
    });
    // Each once to the right and once to the left; 256 and 100 a second twice more.
    let copies = sent(&s) - before - 2 * 5000;
    assert!(copies <= 2 * (256 + 100 * 16), "{copies} copies beyond the first");
    assert!(copies >= 2 * 256, "{copies}");
    let before = sent(&s);
    s.host_sends(0, MacAddr::BROADCAST, crate::chain::host(0));
    s.c.run(Duration::from_millis(30));
    assert_eq!(sent(&s) - before, 4, "an honest one is sent three times to the right, and once to the left");
    s.works();
}

/// Row 17: echo requests and meter messages in the name of a victim. The victim gets no more than
/// is asked with, and no more than the budget.
#[test]
fn row_17_nobody_is_flooded_with_answers() {
    for meter in [true, false] {
        let mut s = Stage::new(Algorithm::Iv, |config| config.meter = meter);
        let (victim, node) = (s.orig(2), s.orig(1));
        let answers = |s: &Stage| s.c.nodes[1].mesh.snapshot(s.now()).counters.count(Count::IcmpTx);
        let before = answers(&s);
        s.go(10, |s, second| {
            for n in 0..1000 {
                let echo = IcmpHeader::echo_request(node, victim, 1, second as u16 * 1000 + n);
                s.tell(&[echo.as_bytes()]);
                // A TTL that ends here is answered too.
                let far = IcmpHeader { ttl: 1, ..IcmpHeader::echo_request(s.orig(0), victim, 1, n) };
                s.tell(&[far.as_bytes()]);
            }
        });
        let got = answers(&s) - before;
        assert!((200..=200 + 100 * 12).contains(&got), "{got} answers to 20000 requests");
        assert!(s.dropped(1, Drop::RateLimit) >= 15_000);

        let (before, mut bytes) = (answers(&s), 0);
        s.silence(5);
        s.go(5, |s, second| {
            for n in 0..400u16 {
                let session = second as u16 * 400 + n;
                let head = TpHeader::new(node, victim, 1, session, tp_subtype::MESSAGE, TpHeader::FIRST_SEQNO, 0);
                let packet = [head.as_bytes(), &[0; 1400]].concat();
                bytes += packet.len();
                s.tell(&[&packet]);
            }
        });
        let got = answers(&s) - before;
        if meter {
            assert!(got <= 60 && bytes > 2_000_000, "{got} answers to {bytes} bytes");
        } else {
            assert_eq!(got, 0, "tests are not answered here");
        }
        s.works();
        // Our own tests still run.
        let now = s.now();
        s.c.nodes[1].input(Input::Meter(Meter::Start { ask: 1, dst: victim, length: Duration::from_millis(100) }), now);
    }
}

/// Row 18: a gateway that promises the impossible. People are told; it wins no more than by the
/// largest plausible promise, and nothing where only others are allowed.
#[test]
fn row_18_a_gateway_with_impossible_bandwidth_is_told() {
    for (algorithm, class) in [(BOTH[0], 1), (BOTH[0], 20), (BOTH[1], 20)] {
        for only_honest in [false, true] {
            let honest = MacAddr([2, 0xe0, 0, 0, 0, 2]);
            let mut s = Stage::new(algorithm, |config| {
                config.gateway.mode = GatewayMode::Client;
                config.gateway.class = class;
                if only_honest {
                    config.gateway.allowed = vec![honest];
                }
            });
            let mut server = mesh_core::MeshConfig::new(crate::chain::host(2));
            server.algorithm = mesh_core::Choice::Fixed(algorithm);
            server.gateway.mode = GatewayMode::Server;
            let now = s.now();
            s.c.nodes[2].input(Input::Configure(server), now);
            let selected = |s: &Stage| {
                let view = s.c.nodes[1].mesh.snapshot(s.now());
                view.gateways.iter().find(|g| g.selected).map(|g| g.addr)
            };
            s.go(5, |_, _| {});
            assert_eq!(selected(&s), Some(honest));
            s.go(30, |s, second| {
                let tvlvs = container(kind::GATEWAY, Gateway::new(u32::MAX, u32::MAX - second % 3).as_bytes());
                let len = (tvlvs.len() as u16).into();
                let head = match algorithm {
                    Algorithm::Iv => ogm(EVIL, 50_000 + second, &tvlvs).as_bytes().to_vec(),
                    Algorithm::V => {
                        Ogm2Header { tvlv_len: len, ..Ogm2Header::new(EVIL, 50_000 + second) }.as_bytes().to_vec()
                    }
                };
                s.say(&[&head[..], &tvlvs].concat());
            });
            let told = s.events(1, |e| {
                matches!(e, Event::Gateway(GatewayNews::Implausible { orig: EVIL, down: u32::MAX, .. }))
            });
            assert!((1..=40).contains(&told), "{algorithm:?}: told {told} times");
            if only_honest {
                assert_eq!(selected(&s), Some(honest), "{algorithm:?} class {class}");
            }
            // Who never spoke offers nothing.
            let view = s.c.nodes[1].mesh.snapshot(s.now());
            assert!(view.gateways.len() <= 2);
            s.works();
        }
    }
}
