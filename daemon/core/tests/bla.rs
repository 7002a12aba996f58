//! Bridge loop avoidance: several nodes on one LAN, in virtual time.

mod lan;
mod side;

use lan::{World, frame, host, orig};
use mesh_core::{Drop, Duration, Event, Input, MeshConfig};
use packet::bla::{ClaimFrame, Kind};
use packet::{MacAddr, Vid};

const ALL: MacAddr = MacAddr::BROADCAST;

fn station(n: u8) -> MacAddr {
    MacAddr([2, 0xaa, 0, 0, 0, n])
}

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Two LANs with two gateways each, and a node without LAN (number 4). Stations 1 and 2 are on
/// LAN 0, station 3 is on LAN 1.
fn two_lans(tune: impl Fn(usize, &mut MeshConfig)) -> World {
    let mut w = World::new(&[Some(0), Some(0), Some(1), Some(1), None], tune);
    for (n, lan) in [(1, 0), (2, 0), (3, 1)] {
        w.station(station(n), lan);
    }
    w
}

/// Everybody broadcasts once a second, in turn, for `time` seconds; returns what did not arrive
/// exactly once everywhere.
fn broadcast(w: &mut World, first: u32, time: u32) -> Vec<String> {
    let senders: Vec<MacAddr> = w.stations.keys().copied().collect();
    let mut sent = Vec::new();
    for second in 0..time {
        for (i, sender) in (0u32..).zip(&senders) {
            let number = first + second * 16 + i;
            w.send(*sender, &frame(ALL, *sender, number));
            sent.push((number, *sender));
            w.run(secs(1) / senders.len() as u32);
        }
    }
    w.run(secs(1));
    let wrong = sent.iter().flat_map(|(n, from)| {
        let at = w.wrong(*n, *from);
        at.into_iter().map(move |(to, times)| format!("frame {n} of {from} {times} times at {to}"))
    });
    wrong.collect()
}

fn said(w: &World, kind: Kind) -> Vec<ClaimFrame> {
    let parsed = w.said.iter().filter_map(|(_, _, bytes)| ClaimFrame::parse(bytes).ok());
    parsed.filter(|c| c.kind() == kind).collect()
}

/// Checksums that a node has of all gateways of its LAN, by gateway.
fn checksums(w: &World, i: usize) -> Vec<(MacAddr, u16, usize)> {
    let mut all: Vec<_> =
        w.mesh(i).snapshot(w.now).bla.backbones.iter().map(|b| (b.gateway, b.crc, b.claims)).collect();
    all.sort_unstable();
    all
}

#[test]
fn every_broadcast_arrives_once_everywhere() {
    // All tell that they are Meshwork; none does, as kernel nodes; some do.
    for silent in [&[][..], &[0, 1, 2, 3], &[1, 2]] {
        let mut w = two_lans(|i, c| c.extensions = !silent.contains(&i));
        // The first half minute is for listening.
        let early = broadcast(&mut w, 1000, 40);
        let twice: Vec<_> = early.iter().filter(|text| !text.contains(" 0 times")).collect();
        assert!(twice.is_empty(), "{silent:?}: {twice:?}");
        let wrong = broadcast(&mut w, 100_000, 150);
        assert!(wrong.is_empty(), "{silent:?}: {} wrong, such as {:?}", wrong.len(), &wrong[..wrong.len().min(5)]);
        for (a, b) in [(0, 1), (2, 3)] {
            assert_eq!(checksums(&w, a), checksums(&w, b));
            assert_eq!(checksums(&w, a).len(), 2);
            assert!(checksums(&w, a).iter().any(|c| c.2 > 0), "somebody claims something");
        }
        assert!(!said(&w, Kind::LoopDetect).is_empty(), "loops were looked for");
        assert!(!w.events.iter().any(|(_, _, e)| matches!(e, Event::LoopDetected { .. })), "and there is none");
    }
}

#[test]
fn gateways_take_turns_to_claim() {
    let mut w = two_lans(|_, _| {});
    w.run(secs(45));
    let before = said(&w, Kind::Claim).len();
    // Unheard of for a while, and flooded to all gateways at once.
    w.send(host(4), &frame(ALL, host(4), 1));
    w.run(secs(1));
    assert_eq!(w.wrong(1, host(4)).len(), 0, "{:?}", w.wrong(1, host(4)));
    let claims = &said(&w, Kind::Claim)[before..];
    assert_eq!(claims.len(), 2, "one on each LAN: {claims:?}");
    assert!(claims.iter().all(|c| c.gateway() == Some(orig(0)) || c.gateway() == Some(orig(2))));
}

#[test]
fn nothing_is_said_and_nothing_waits_without_a_bridge() {
    let mut w = World::new(&[None, None], |_, _| {});
    w.run(secs(5));
    w.send(host(0), &frame(ALL, host(0), 1));
    w.run(secs(100));
    assert!(w.wrong(1, host(0)).is_empty() && w.said.is_empty());
    // A bridge comes and goes; switched off, it does not matter.
    w.bridge(0, Some(0));
    w.station(station(1), 0);
    w.send(station(1), &frame(ALL, station(1), 2));
    w.run(secs(1));
    assert!(w.wrong(2, station(1)).contains(&(host(1), 0)), "listens first");
    assert_eq!(said(&w, Kind::Announce).len(), 1);
    w.bridge(0, None);
    let mut w = World::new(&[Some(0), None], |_, c| c.bridge_loop_avoidance = false);
    w.station(station(1), 0);
    w.run(secs(5));
    w.send(station(1), &frame(ALL, station(1), 3));
    w.run(secs(100));
    assert!(w.wrong(3, station(1)).is_empty(), "passed at once");
    assert!(said(&w, Kind::Announce).is_empty());
}

#[test]
fn a_late_gateway_learns_all_claims() {
    let mut w = World::new(&[Some(0), Some(0), None, None], |_, _| {});
    w.bridge(1, None);
    w.station(station(1), 0);
    w.run(secs(40));
    for (i, sender) in [host(2), host(3)].into_iter().enumerate() {
        w.send(sender, &frame(ALL, sender, i as u32));
    }
    w.run(secs(1));
    assert_eq!(checksums(&w, 0)[0].2, 2);
    w.bridge(1, Some(0));
    w.run(secs(15));
    assert_eq!(checksums(&w, 0), checksums(&w, 1));
    assert_eq!(said(&w, Kind::Request).len(), 1, "asked once");
    assert!(
        w.events
            .iter()
            .any(|(_, i, e)| *i == 1 && matches!(e, Event::BackboneNew { gateway, .. } if *gateway == orig(0)))
    );
    let served =
        |w: &World| w.mesh(1).snapshot(w.now).global_clients.iter().filter(|c| c.originator == orig(0)).count();
    assert_eq!(served(&w), 0, "its clients are on the LAN");
    // It dies without a word.
    w.kill(0);
    w.run(secs(75));
    assert!(w.events.iter().any(|(_, i, e)| *i == 1 && matches!(e, Event::BackboneGone { .. })));
    w.send(host(2), &frame(ALL, host(2), 9));
    w.run(secs(1));
    assert_eq!(w.stations[&station(1)].got.get(&9), Some(&1), "the other one took over");
    // Leaving in order, it gives its clients back.
    let before = said(&w, Kind::Unclaim).len();
    let claims = checksums(&w, 1)[0].2;
    w.configure(1, |c| c.bridge_loop_avoidance = false);
    w.run(secs(1));
    assert_eq!((claims, said(&w, Kind::Unclaim).len() - before), (1, 1));
}

#[test]
fn a_client_that_moves_to_the_lan_is_given_up() {
    let mut w = two_lans(|_, _| {});
    w.run(secs(45));
    let c = host(4);
    w.send(c, &frame(ALL, c, 1));
    w.run(secs(2));
    let holder = |w: &World| w.mesh(0).snapshot(w.now).bla.claims.iter().find(|k| k.client == c).map(|k| k.gateway);
    assert!(holder(&w).is_some());
    w.station(c, 0);
    w.send(c, &frame(ALL, c, 2));
    w.run(secs(2));
    w.send(c, &frame(ALL, c, 3));
    w.run(secs(3));
    assert_eq!(holder(&w), None);
    assert_eq!(w.stations[&station(3)].got.get(&3), Some(&1), "and its frames go into the mesh from there");
    assert_eq!(w.stations[&station(2)].got.get(&3), Some(&1));
}

#[test]
fn a_gateway_that_ends_gives_its_claims_back() {
    let mut w = two_lans(|_, _| {});
    w.run(secs(45));
    let c = host(4);
    w.send(c, &frame(ALL, c, 1));
    w.run(secs(2));
    let holder =
        |w: &World, i: usize| w.mesh(i).snapshot(w.now).bla.claims.iter().find(|k| k.client == c).map(|k| k.gateway);
    let (first, other) = if holder(&w, 0) == Some(orig(0)) { (0, 1) } else { (1, 0) };
    assert_eq!(holder(&w, other), Some(orig(first)));
    w.input(first, Input::Leave);
    w.run(secs(1));
    w.kill(first);
    assert_eq!(holder(&w, other), None);
    assert!(said(&w, Kind::Unclaim).iter().any(|u| u.gateway() == Some(orig(first)) && u.arp.hw_src == c));
    w.send(c, &frame(ALL, c, 2));
    w.run(secs(2));
    assert_eq!(w.stations[&station(1)].got.get(&2), Some(&1), "the other one delivers at once");
    assert_eq!(holder(&w, other), Some(orig(other)));
}

#[test]
fn a_flow_of_a_claimed_client_stays_in_the_data_plane() {
    let mut w = two_lans(|_, _| {});
    w.run(secs(45));
    for s in [station(1), station(3), host(4)] {
        w.send(s, &frame(ALL, s, 0));
    }
    w.run(secs(5));
    let before: Vec<usize> = (0..5).map(|i| w.punts(i)).collect();
    for n in 0..1000u32 {
        w.send(host(4), &frame(station(1), host(4), 10 + n));
        w.send(station(1), &frame(host(4), station(1), 10 + n));
        w.run(Duration::from_millis(2));
    }
    assert_eq!(w.stations[&station(1)].got.range(10..).filter(|(_, n)| **n == 1).count(), 1000);
    assert_eq!(w.stations[&host(4)].got.range(10..).filter(|(_, n)| **n >= 1).count(), 1000);
    // The LAN here is one that shows every frame to everybody, node 1 included, which has to look at
    // them: their source might have moved to the LAN.
    for i in [0, 4] {
        let punted = w.punts(i) - before[i];
        assert!(punted < 60, "node {i} left {punted} frames of 2000 to its control side");
    }
}

#[test]
fn forged_checksums_block_for_a_minute_only() {
    let mut w = two_lans(|_, _| {});
    w.run(secs(45));
    let (mut arrived, mut number) = (0, 1);
    for _ in 0..600 {
        w.forge(0, &emit(ClaimFrame::announce(orig(1), 0x1234, 0xffff, Vid::UNTAGGED)));
        w.run(Duration::from_millis(500));
        w.send(station(1), &frame(ALL, station(1), number));
        w.run(Duration::from_millis(500));
        arrived += w.stations[&host(4)].got.get(&number).copied().unwrap_or(0).min(1);
        number += 1;
    }
    assert!(arrived >= 400, "{arrived} of 600 frames passed");
    let alarms = w.events.iter().filter(|(_, i, e)| *i == 0 && matches!(e, Event::BackboneDistrusted { .. })).count();
    assert!((1..=10).contains(&alarms), "{alarms}");
}

#[test]
fn who_does_not_avoid_loops_is_found() {
    // Node 2 is on the LAN and knows nothing of claims.
    let mut w = World::new(&[Some(0), None, Some(0)], |i, c| c.bridge_loop_avoidance = i != 2);
    w.station(station(1), 0);
    w.run(secs(5));
    w.send(station(1), &frame(ALL, station(1), 1));
    w.run(secs(140));
    let loops = w.events.iter().filter(|(_, i, e)| *i == 0 && matches!(e, Event::LoopDetected { .. })).count();
    assert!((1..=3).contains(&loops), "{loops}");
    assert!(w.mesh(0).snapshot(w.now).bla.last_loop.is_some());
    // And no frame goes round for ever.
    w.send(host(1), &frame(ALL, host(1), 2));
    w.run(secs(2));
    let copies = w.said.iter().filter(|(_, _, f)| *f == frame(ALL, host(1), 2)).count();
    assert!(copies <= 2, "{copies} copies on the LAN");
}

#[test]
fn a_node_of_the_mesh_does_not_become_a_client_of_a_gateway() {
    // Two LANs with a gateway each; then somebody joins them. Gateway 0 has claimed the host of
    // node 2, gateway 1 as well, each for its own LAN.
    let mut w = World::new(&[Some(0), Some(1), None], |_, _| {});
    w.station(station(1), 0);
    w.run(secs(45));
    w.send(host(2), &frame(ALL, host(2), 1));
    w.run(secs(1));
    w.bridge(1, Some(0));
    for n in 0..40 {
        w.send(host(2), &frame(ALL, host(2), 10 + n));
        w.send(host(2), &frame(station(1), host(2), 100 + n));
        w.run(Duration::from_millis(500));
        let taken = w.mesh(1).snapshot(w.now).local_clients.iter().any(|c| c.addr == host(2));
        let taken = taken || w.mesh(0).snapshot(w.now).local_clients.iter().any(|c| c.addr == host(2));
        assert!(!taken, "after {n} frames");
    }
    assert_eq!(checksums(&w, 0), checksums(&w, 1));
}

#[test]
fn claims_stay_out_of_the_mesh_and_strangers_are_ignored() {
    let mut w = two_lans(|_, _| {});
    w.run(secs(45));
    let stranger = MacAddr([2, 9, 9, 9, 9, 9]);
    for claim in [
        ClaimFrame::claim(stranger, station(1), 7, Vid::UNTAGGED),
        ClaimFrame::announce(stranger, 1, 7, Vid::UNTAGGED),
        ClaimFrame::unclaim(stranger, host(4), 7, Vid::UNTAGGED),
        ClaimFrame::request(stranger, orig(0), 7, Vid::UNTAGGED),
        // Our own word comes back.
        ClaimFrame::announce(orig(0), 1, 7, Vid::UNTAGGED),
    ] {
        w.forge(0, &emit(claim));
    }
    w.run(secs(1));
    assert!(w.dropped(0, Drop::UnknownOriginator) >= 4 && w.dropped(0, Drop::OwnSource) >= 1);
    assert_eq!(checksums(&w, 0).len(), 2);
    // A node of the mesh says a claim: it reaches no LAN.
    let heard = said(&w, Kind::Claim).len();
    w.send(host(4), &emit(ClaimFrame::claim(orig(1), host(4), 7, Vid::UNTAGGED)));
    w.run(secs(1));
    assert_eq!(said(&w, Kind::Claim).len(), heard);
    assert!((0..4).all(|i| w.dropped(i, Drop::ClaimFrame) >= 1));
    assert!(!w.mesh(4).snapshot(w.now).global_clients.iter().any(|c| c.addr == orig(0) || c.addr == stranger));
}

fn emit(claim: ClaimFrame) -> Vec<u8> {
    let mut bytes = vec![0; 60];
    claim.emit(&mut bytes).expect("room enough");
    bytes
}
