//! Lies about clients: rows 5 to 9.

use crate::attacker::{BOTH, EVIL, Stage, announced, change, container, ogm, table};
use crate::chain::host;
use mesh_core::{Algorithm, Count, Drop, Event};
use packet::MacAddr;
use packet::ogm2::Ogm2Header;
use packet::tvlv::kind;
use packet::tvlv::tt::{client, flags};
use packet::unicast::UnicastTvlvHeader;
use zerocopy::IntoBytes;

/// An OGM with containers.
fn say_ogm(s: &mut Stage, orig: MacAddr, seqno: u32, tvlvs: &[u8]) {
    let head = match s.c.nodes[1].mesh.algorithm() {
        Algorithm::Iv => ogm(orig, seqno, tvlvs).as_bytes().to_vec(),
        Algorithm::V => {
            Ogm2Header { tvlv_len: (tvlvs.len() as u16).into(), ..Ogm2Header::new(orig, seqno) }.as_bytes().to_vec()
        }
    };
    s.say(&[&head, tvlvs].concat());
}

/// Tells node 1 a container in the name of `src`.
fn tell(s: &mut Stage, src: MacAddr, kind: u8, value: &[u8]) {
    let bytes = container(kind, value);
    let head = UnicastTvlvHeader::new(s.orig(1), src, bytes.len() as u16);
    s.tell(&[head.as_bytes(), &bytes]);
}

fn station(n: u32) -> MacAddr {
    let [_, b, c, d] = n.to_be_bytes();
    MacAddr([2, 0xaa, 0, b, c, d])
}

/// Where node 1 thinks a client is.
fn at(s: &Stage, client: MacAddr) -> Option<MacAddr> {
    let view = s.c.nodes[1].mesh.snapshot(s.now());
    view.global_clients.iter().find(|c| c.addr == client && c.best).map(|c| c.originator)
}

fn serves(s: &Stage, i: usize, client: MacAddr) -> bool {
    let view = s.c.nodes[i].mesh.snapshot(s.now());
    view.local_clients.iter().any(|c| c.addr == client && !c.pending && !c.roamed)
}

fn requests(s: &Stage) -> u64 {
    s.c.nodes[1].mesh.snapshot(s.now()).counters.count(Count::TtRequestTx)
}

/// Row 5: tables in the name of a victim. Answers that nobody asked for are refused; of those that
/// were asked for only the one that is the table; a forged diff is found out by its checksum.
#[test]
fn row_5_forged_tables_are_refused_or_put_right() {
    let mut s = Stage::new(Algorithm::Iv, |_| {});
    let victim = s.orig(2);
    let nothing = table(flags::RESPONSE | flags::FULL, 1, &[], None, &[]);
    tell(&mut s, victim, kind::TT, &nothing);
    assert_eq!(s.dropped(1, Drop::UnaskedResponse), 1);
    s.works();

    // A node announces a table that we have to ask for; somebody is quicker than its answer.
    let (real, forged) = ([station(1), station(2)], [station(3)]);
    let answer = |all: &[MacAddr], ttvn| {
        let changes: Vec<_> = all.iter().map(|m| change(*m, 0)).collect();
        table(flags::RESPONSE | flags::FULL, ttvn, all, None, &changes)
    };
    s.go(1, |s, _| {
        say_ogm(s, EVIL, 10_000, &announced(9, &real, None, &[]));
        tell(s, EVIL, kind::TT, &answer(&forged, 9));
        tell(s, EVIL, kind::TT, &answer(&forged, 8));
        assert_eq!(s.dropped(1, Drop::WrongTable), 2);
        assert_eq!(at(s, station(3)), None);
        tell(s, EVIL, kind::TT, &answer(&real, 9));
        assert_eq!((at(s, station(1)), at(s, station(2))), (Some(EVIL), Some(EVIL)), "the true answer still counts");
    });
    assert_eq!(s.dropped(1, Drop::WrongTable), 2);

    // A forged diff takes the victim's host away from it, again and again.
    let before = requests(&s);
    let mut astray = 0;
    let ttvn = s.c.nodes[2].mesh.snapshot(s.now()).ttvn;
    s.go(60, |s, second| {
        let seqno = s.c.nodes[2].mesh.seqnos().ogm.wrapping_add(1);
        let bad = announced(ttvn.wrapping_add(1), &[], None, &[change(host(2), client::DEL)]);
        if second % 10 == 0 {
            say_ogm(s, victim, seqno, &bad);
        }
        astray += usize::from(at(s, host(2)) != Some(victim));
    });
    assert!(requests(&s) - before <= 40, "{} requests", requests(&s) - before);
    assert!(astray <= 40, "{astray} of 60 s");
    s.silence(10);
    s.works();
}

/// Row 6: another node announces a client that is here, as it would the site's router. Without
/// protection it takes frames away, and people are told; a protected client stays.
#[test]
fn row_6_a_protected_client_stays_and_people_are_told() {
    let contested = |refused: bool| move |e: &Event| matches!(e, Event::ClientContested { refused: r, orig: EVIL, .. } if *r == refused);
    for (protect, algorithm) in [(false, Algorithm::Iv), (true, Algorithm::Iv), (true, Algorithm::V)] {
        let router = station(1);
        let mut s = Stage::new(algorithm, |config| {
            if protect {
                config.protected_clients = vec![router];
            }
        });
        s.go(5, |s, _| s.host_sends(1, MacAddr::BROADCAST, router));
        assert!(serves(&s, 1, router));
        let mut taken = 0;
        s.go(60, |s, second| {
            let ttvn = second as u8 + 1;
            let announced = announced(ttvn, &[router], None, &[change(router, 0)]);
            say_ogm(s, EVIL, 20_000 + second, &announced);
            taken += usize::from(!serves(s, 1, router));
            s.host_sends(1, MacAddr::BROADCAST, router);
        });
        if protect {
            assert_eq!((taken, at(&s, router)), (0, None), "{algorithm:?}");
            assert!(s.dropped(1, Drop::ProtectedClient) >= 60);
        }
        assert_eq!(s.events(1, contested(protect)), 1, "protected {protect}");
        // Whatever the liar says, who speaks here is here.
        assert!(s.c.nodes[1].mesh.snapshot(s.now()).local_clients.iter().any(|c| c.addr == router));
        s.silence(2);
        s.works();
    }
}

/// Row 7: roaming advertisements for clients that never moved. Our own address is not given up; a
/// client comes back when the liar's table does not show it; nobody can move many at once.
#[test]
fn row_7_a_roaming_client_that_arrived_nowhere_comes_back() {
    for algorithm in BOTH {
        let mut s = Stage::new(algorithm, |_| {});
        let printer = station(7);
        s.go(3, |s, _| s.host_sends(1, MacAddr::BROADCAST, printer));
        // It never speaks again.
        let roam = |client: MacAddr| {
            let value = packet::tvlv::roam::Roam { client, vid: 0.into() };
            value.as_bytes().to_vec()
        };
        s.go(1, |s, _| {
            tell(s, EVIL, kind::ROAM, &roam(host(1)));
            assert_eq!(s.dropped(1, Drop::BadRoam), 1);
            tell(s, EVIL, kind::ROAM, &roam(printer));
            assert!(!serves(s, 1, printer), "{algorithm:?}: it may have moved");
        });
        assert!(serves(&s, 1, host(1)));
        let mut away = 0;
        s.go(30, |s, _| {
            // To repeat it gains no time.
            if away < 8 {
                tell(s, EVIL, kind::ROAM, &roam(printer));
            }
            away += usize::from(!serves(s, 1, printer));
        });
        assert!(away <= 16, "{algorithm:?}: away for {away} s");
        assert_eq!(s.events(1, |e| matches!(e, Event::ClientContested { refused: true, .. })), 1);
        // One that does show it in its table keeps it.
        s.go(30, |s, second| {
            if second == 0 {
                tell(s, EVIL, kind::ROAM, &roam(printer));
            }
            let changes = [change(printer, 0)];
            say_ogm(s, EVIL, 30_000 + second, &announced(1, &[printer], None, &changes[..usize::from(second < 3)]));
        });
        assert_eq!((at(&s, printer), serves(&s, 1, printer)), (Some(EVIL), false), "{algorithm:?}");
        // Many at once.
        let victims: Vec<MacAddr> = (100..1100).map(station).collect();
        for v in &victims {
            tell(&mut s, EVIL, kind::ROAM, &roam(*v));
        }
        assert!(s.dropped(1, Drop::RateLimit) >= 850);
        assert!(victims.iter().filter(|v| at(&s, **v) == Some(EVIL)).count() <= 130);
        s.works();
    }
}

/// Row 8: a table whose checksum never fits. It is asked for ever more rarely.
#[test]
fn row_8_a_table_that_never_fits_makes_no_storm() {
    let mut s = Stage::new(Algorithm::Iv, |_| {});
    let before = requests(&s);
    s.go(600, |s, second| {
        say_ogm(s, EVIL, 40_000 + second, &announced(3, &[], Some(0xdead_beef), &[]));
        let answer = table(flags::RESPONSE | flags::FULL, 3, &[], Some(0xdead_beef), &[change(station(1), 0x70)]);
        tell(s, EVIL, kind::TT, &answer);
    });
    let asked = requests(&s) - before;
    assert!((5..=20).contains(&asked), "{asked} requests in 600 s");
    s.works();
}

/// Row 9: a client that speaks with a new address each time. The table keeps its bound, known
/// clients their places, people are told; soon after it there is room again.
#[test]
fn row_9_invented_clients_push_nobody_out() {
    let mut s = Stage::new(Algorithm::Iv, |config| {
        (config.caps.local_clients, config.caps.clients_per_originator) = (200, 100);
    });
    let real = station(1);
    s.go(30, |s, _| s.host_sends(1, MacAddr::BROADCAST, real));
    let mut n = 1000;
    s.go(60, |s, _| {
        for _ in 0..50 {
            n += 1;
            s.host_sends(1, host(0), station(n));
        }
        s.host_sends(1, MacAddr::BROADCAST, real);
        assert!(serves(s, 1, real));
        assert!(s.c.nodes[1].mesh.snapshot(s.now()).local_clients.len() <= 201);
    });
    assert!(s.dropped(1, Drop::LocalClientsFull) > 2000);
    assert!((1..=2).contains(&s.events(1, |e| matches!(e, Event::TableFull("own clients")))));
    // What others keep of us is bounded there too.
    for i in [0, 2] {
        assert!(s.c.nodes[i].mesh.snapshot(s.now()).global_clients.len() <= 110, "node {i}");
    }
    // A minute after the last of them, a newcomer gets in.
    s.silence(60);
    let newcomer = station(2);
    s.go(5, |s, _| s.host_sends(1, MacAddr::BROADCAST, newcomer));
    assert!(serves(&s, 1, newcomer) && serves(&s, 1, real));
    s.works();
}
