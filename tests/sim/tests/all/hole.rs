//! A neighbour that announces ways and does not forward. A diamond: 0 and 3 reach each other
//! through 1 and through 2.

use mesh_core::fib::Table;
use mesh_core::{Algorithm, Choice, Count, Duration, Event, Instant};
use sim::channel::{Loss, Quality};
use sim::client::Aim;
use sim::node::Hole;
use sim::topology::{Graph, port_mac};
use sim::world::World;
use sim::{Plan, client::FlowId};

const ALGORITHMS: [Algorithm; 2] = [Algorithm::Iv, Algorithm::V];
/// "left within 10 s and trusted again within 60 s of its repair"
const LEFT: Duration = Duration::from_secs(10);
const TRUSTED: Duration = Duration::from_secs(60);

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn graph() -> Graph {
    Graph { n: 4, edges: vec![(0, 1), (0, 2), (1, 3), (2, 3)] }
}

fn diamond(algorithm: Algorithm, seed: u64) -> World {
    let mut plan = Plan::new(seed);
    plan.config.algorithm = Choice::Fixed(algorithm);
    let mut world = plan.wires(&graph());
    // Another phase of all rhythms for every seed.
    world.run_for(secs(20) + Duration::from_millis(seed * 377 % 2000));
    world
}

/// Which of 1 and 2 takes frames from one end of the diamond to the other.
fn relay(world: &World, from: usize, to: usize) -> usize {
    let next = world.nodes[from].fib().and_then(|f| f.route(port_mac(to, 0), Table::Host)).unwrap();
    world.by_mac[&next.neigh].0
}

fn pings(world: &mut World, size: usize, length: Duration) -> FlowId {
    let until = world.now + length;
    world.flow(0, Aim::Ask(3), size, Duration::from_millis(50), until)
}

fn accused(world: &World) -> Vec<(usize, usize, Instant)> {
    let mut all = Vec::new();
    for (id, node) in world.nodes.iter().enumerate() {
        for (at, event) in &node.events {
            if let Event::NotForwarding { neigh, .. } = event {
                all.push((id, world.by_mac[neigh].0, *at));
            }
        }
    }
    all
}

fn count(world: &World, node: usize, what: Count) -> u64 {
    world.nodes[node].live.as_ref().unwrap().mesh.snapshot(world.now).counters.count(what)
}

/// One of the relays turns into a hole while frames flow, and is repaired a minute later.
fn hole(algorithm: Algorithm, kind: Hole, seed: u64) -> (Duration, Duration) {
    let mut world = diamond(algorithm, seed);
    let flow = pings(&mut world, 1400, secs(200));
    world.run_for(secs(10));
    let bad = relay(&world, 0, 3);
    let began = world.now;
    world.nodes[bad].hole = Some(kind);
    world.run_for(secs(60));
    let gap = world.flows[flow].gap(began, world.now);
    assert_ne!(relay(&world, 0, 3), bad, "{algorithm:?} {kind:?} seed {seed}: still in use");
    let repaired = world.now;
    world.nodes[bad].hole = None;
    let live = world.nodes[0].live.as_ref().unwrap();
    let view = live.mesh.snapshot(world.now);
    let neighbor = view.neighbors.iter().find(|n| world.by_mac[&n.addr].0 == bad).unwrap();
    assert_eq!(neighbor.distrust.len(), 1, "{algorithm:?} {kind:?} seed {seed}: {neighbor:?}");
    assert_eq!(neighbor.distrust[0].orig, port_mac(3, 0));
    world.run_for(TRUSTED);
    let back = world.nodes[0].events.iter().filter(|(at, _)| *at > repaired);
    let back = back.filter(|(_, e)| matches!(e, Event::ForwardsAgain { .. })).map(|(at, _)| at.since(repaired)).next();
    let back = back.unwrap_or_else(|| panic!("{algorithm:?} {kind:?} seed {seed}: never trusted again"));
    for (who, whom, at) in accused(&world) {
        assert_eq!(whom, bad, "{algorithm:?} {kind:?} seed {seed}: {who} accuses {whom}");
        assert!(at < repaired, "{algorithm:?} {kind:?} seed {seed}: {who} accuses {whom} after its repair");
    }
    world.assert_no_faults();
    (gap, back)
}

#[test]
fn a_hole_is_left_and_trusted_again() {
    for algorithm in ALGORITHMS {
        for kind in [Hole::Everything, Hole::Payload, Hole::Longer(600)] {
            let runs: Vec<_> = (1..=5).map(|seed| hole(algorithm, kind, seed)).collect();
            let gap = runs.iter().map(|r| r.0).max().unwrap();
            let back = runs.iter().map(|r| r.1).max().unwrap();
            println!(
                "{} {kind:?}: left after at most {gap:?}, trusted again {back:?} after its repair",
                algorithm.name()
            );
            assert!(gap <= LEFT && back <= TRUSTED, "{algorithm:?} {kind:?}: {runs:?}");
        }
    }
}

/// 30 % of everything is lost in one direction of links; whoever is honest stays out of it.
#[test]
fn loss_accuses_nobody() {
    let directions: &[&[(usize, usize)]] = &[
        &[(0, 1)],
        &[(1, 0)],
        &[(1, 3)],
        &[(3, 1)],
        &[(0, 1), (1, 3)],
        &[(1, 0), (3, 1)],
        &[(0, 1), (3, 1)],
        &[(0, 1), (1, 3), (3, 2), (2, 0)],
        &[(0, 1), (0, 2), (1, 3), (2, 3)],
        &[(1, 0), (2, 0), (3, 1), (3, 2)],
    ];
    for algorithm in ALGORITHMS {
        for seed in 1..=10 {
            let lossy = directions[seed as usize - 1];
            let mut world = diamond(algorithm, seed);
            for &(a, b) in lossy {
                world.set_quality(a, b, Quality::WIRE.with_loss(Loss::percent(30)));
            }
            pings(&mut world, 1400, secs(300));
            world.run_for(secs(300));
            assert_eq!(accused(&world), [], "{algorithm:?} seed {seed}, lossy {lossy:?}");
            assert!(count(&world, 0, Count::VerifyTx) > 50, "it was looked at");
        }
    }
}

/// 2 drops what 1 sends it for 3, and lets everything else pass: the way through 1 to 3 is no good,
/// but nobody shall think less of 1 for anything else.
#[test]
fn a_hole_takes_no_other_ways_of_its_neighbour() {
    for algorithm in ALGORITHMS {
        let graph = Graph { n: 5, edges: vec![(0, 1), (0, 2), (1, 2), (2, 3), (1, 4), (2, 4)] };
        let mut plan = Plan::new(3);
        plan.config.algorithm = Choice::Fixed(algorithm);
        let mut world = plan.wires(&graph);
        // 1 would find its neighbour out by itself, and go by 0.
        world.nodes[1].config.verify_forwarding = false;
        // 0 would rather not use its link to 2.
        world.nodes[0].ports[1].config.hop_penalty = 120;
        world.run_for(secs(20));
        assert_eq!((relay(&world, 0, 3), relay(&world, 0, 4)), (1, 1), "{algorithm:?}");
        let until = world.now + secs(120);
        let every = Duration::from_millis(50);
        let [to_3, to_4] = [3, 4].map(|to| world.flow(0, Aim::To(to), 1400, every, until));
        world.run_for(secs(10));
        world.nodes[2].hole = Some(Hole::From(1));
        world.run_for(secs(109));
        assert_eq!((relay(&world, 0, 3), relay(&world, 0, 4)), (2, 1), "{algorithm:?}");
        world.run_for(secs(5));
        let missing = |flow: FlowId, to| world.flows[flow].sent.len() - world.flows[flow].delivered_to(to);
        assert!(missing(to_3, 3) <= 10 * 20, "{algorithm:?}: {}", missing(to_3, 3));
        assert_eq!(missing(to_4, 4), 0, "{algorithm:?}");
        for node in &world.nodes {
            for (_, event) in &node.events {
                if let Event::NotForwarding { orig, .. } = event {
                    assert_eq!(*orig, port_mac(3, 0), "{algorithm:?}: {event:?}");
                }
            }
        }
    }
}

/// A busy diamond loses frames in full queues, which is no reason to accuse anybody.
#[test]
fn heavy_load_accuses_nobody() {
    for algorithm in ALGORITHMS {
        for seed in 1..=3 {
            let mut world = diamond(algorithm, seed);
            let slow = Quality { bits_per_second: 2_000_000, ..Quality::WIRE };
            for (a, b) in graph().edges {
                world.set_quality(a, b, slow);
                world.set_quality(b, a, slow);
            }
            // One and a half times what the way carries: a third is lost.
            let until = world.now + secs(120);
            let flow = world.flow(0, Aim::To(3), 1400, Duration::from_micros(3733), until);
            world.run_for(secs(120));
            let (sent, got) = (world.flows[flow].sent.len(), world.flows[flow].delivered_to(3));
            assert!(got < sent * 9 / 10, "{algorithm:?} seed {seed}: {got} of {sent} arrived, that is no overload");
            assert_eq!(accused(&world), [], "{algorithm:?} seed {seed}");
        }
    }
}

/// Without frames nothing is asked; with frames it is little.
#[test]
fn costs_nothing_while_idle() {
    for algorithm in ALGORITHMS {
        let mut world = diamond(algorithm, 1);
        let before = [0, 1, 2, 3].map(|n| count(&world, n, Count::VerifyTx));
        world.run_for(secs(60));
        assert_eq!([0, 1, 2, 3].map(|n| count(&world, n, Count::VerifyTx)), before);
        pings(&mut world, 100, secs(60));
        let bytes = count(&world, 0, Count::VerifyTxBytes);
        world.run_for(secs(60));
        let spent = count(&world, 0, Count::VerifyTxBytes) - bytes;
        println!("{}: {} bit/s of questions to one busy neighbour", algorithm.name(), spent * 8 / 60);
        assert!((1..=60 * 1000).contains(&spent), "{algorithm:?}: {spent} bytes in a minute");
    }
}
