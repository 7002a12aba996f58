//! What nodes give: one that gives nothing is no way through, and a busy home is gone round. A diamond: 0 and 3
//! reach each other through 1 and through 2.

use mesh_core::fib::Table;
use mesh_core::{Algorithm, Choice, Duration, Input, Instant, LinkId, OwnerUse};
use sim::Plan;
use sim::client::Aim;
use sim::topology::{Graph, port_mac};
use sim::world::World;

const ALGORITHMS: [Algorithm; 2] = [Algorithm::Iv, Algorithm::V];
/// The line of each link, bytes a second: 20 Mbit/s.
const LINE: u64 = 2_500_000;

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn world(edges: &[(usize, usize)], n: usize, algorithm: Algorithm, seed: u64) -> World {
    let mut plan = Plan::new(seed);
    plan.config.algorithm = Choice::Fixed(algorithm);
    let mut world = plan.wires(&Graph { n, edges: edges.to_vec() });
    world.run_for(secs(20) + Duration::from_millis(seed * 377 % 2000));
    world
}

fn diamond(algorithm: Algorithm, seed: u64) -> World {
    world(&[(0, 1), (0, 2), (1, 3), (2, 3)], 4, algorithm, seed)
}

fn next(world: &World, from: usize, to: usize) -> Option<usize> {
    let hop = world.nodes[from].fib()?.route(port_mac(to, 0), Table::Host)?;
    Some(world.by_mac[&hop.neigh].0)
}

/// Tells a node for so long how its owner uses its links, in hundredths of the line; returns when the way of 0 to 3
/// changed.
fn owner(world: &mut World, node: usize, time: u64, part: impl Fn(u64) -> u64) -> Vec<Instant> {
    let mut changes = Vec::new();
    for s in 0..time {
        for link in [0, 1] {
            let bytes = LINE * part(s) / 100;
            let used = OwnerUse { sent: bytes, received: bytes, air: 0, line: Some(LINE) };
            world.tell(node, Input::OwnerUse(LinkId(link), used));
        }
        let before = (next(world, 0, 3), next(world, 3, 0));
        for _ in 0..10 {
            world.run_for(Duration::from_millis(100));
            let now = (next(world, 0, 3), next(world, 3, 0));
            if now != before && changes.last().is_none_or(|at: &Instant| world.now.since(*at) > secs(1)) {
                changes.push(world.now);
            }
        }
    }
    changes
}

#[test]
fn who_gives_nothing_is_no_way_through() {
    for algorithm in ALGORITHMS {
        let mut plan = Plan::new(1);
        plan.config.algorithm = Choice::Fixed(algorithm);
        let mut world = plan.wires(&Graph { n: 3, edges: vec![(0, 1), (1, 2)] });
        while world.nodes[1].live.is_none() {
            world.run_for(Duration::from_millis(10));
        }
        world.tell(1, Input::Gives(false));
        world.run_for(secs(70));
        assert_eq!((next(&world, 0, 2), next(&world, 2, 0)), (None, None), "{algorithm:?}");
        // It uses the mesh, and its neighbours know the links to it for good ones.
        for (from, to) in [(0, 1), (1, 0), (1, 2), (2, 1)] {
            assert_eq!(next(&world, from, to), Some(to), "{algorithm:?}");
        }
        let view = world.nodes[0].live.as_ref().unwrap().mesh.snapshot(world.now);
        if algorithm == Algorithm::Iv {
            assert!(view.neighbors[0].echo_count > 60, "echoes still come: {}", view.neighbors[0].echo_count);
        }
        let end = world.now + secs(5);
        let floods = world.flow(0, Aim::All, 100, Duration::from_millis(100), end);
        let asks = world.flow(1, Aim::Ask(2), 100, Duration::from_millis(100), end);
        world.run_for(secs(6));
        let (floods, asks) = (&world.flows[floods], &world.flows[asks]);
        assert!(floods.delivered_to(1) > 40 && floods.delivered_to(2) == 0, "{algorithm:?}: foreign broadcasts");
        assert!(asks.delivered_to(1) > 45, "{algorithm:?}: {}", asks.delivered_to(1));
        // Once it gives, it is one; and when it stops again, only for as long as others need to look elsewhere.
        world.tell(1, Input::Gives(true));
        world.run_for(secs(15));
        assert_eq!((next(&world, 0, 2), next(&world, 2, 0)), (Some(1), Some(1)), "{algorithm:?}");
        let end = world.now + secs(60);
        let through = world.flow(0, Aim::Ask(2), 100, Duration::from_millis(100), end);
        world.run_for(secs(5));
        let before = world.flows[through].delivered_to(0);
        assert!(before > 40, "{algorithm:?}: {before}");
        world.tell(1, Input::Gives(false));
        world.run_for(secs(35));
        let late = world.flows[through].delivered_to(0);
        world.run_for(secs(15));
        assert_eq!(world.flows[through].delivered_to(0), late, "{algorithm:?}: still carried");
        world.assert_no_faults();
    }
}

#[test]
fn ways_move_off_a_node_that_stops_giving() {
    for algorithm in ALGORITHMS {
        let mut world = diamond(algorithm, 3);
        let there = next(&world, 0, 3).unwrap();
        world.tell(there, Input::Gives(false));
        world.run_for(secs(2));
        assert_eq!((next(&world, 0, 3), next(&world, 3, 0)), (Some(3 - there), Some(3 - there)), "{algorithm:?}");
        world.run_for(secs(60));
        assert_eq!(next(&world, 0, 3), Some(3 - there), "{algorithm:?}");
        assert_eq!(next(&world, 0, there), Some(there), "{algorithm:?}");
        world.assert_no_faults();
    }
}

/// "relay moves to the idle way within 10 s, no more than one change back in 5 min"
#[test]
fn a_busy_home_is_gone_round() {
    for algorithm in ALGORITHMS {
        let (mut slowest, mut back) = (Duration::ZERO, 0);
        for seed in 1..=5 {
            let mut world = diamond(algorithm, seed);
            let busy = next(&world, 0, 3).unwrap();
            let began = world.now;
            owner(&mut world, busy, 10, |_| 90);
            let both = (next(&world, 0, 3), next(&world, 3, 0));
            assert_eq!(both, (Some(3 - busy), Some(3 - busy)), "{algorithm:?} seed {seed}: still there after 10 s");
            // The first second in which neither end sends through it; the figure of the table.
            let mut again = diamond(algorithm, seed);
            while (next(&again, 0, 3), next(&again, 3, 0)) != both {
                owner(&mut again, busy, 1, |_| 90);
            }
            slowest = slowest.max(again.now.since(began));
            // An owner who pauses, and then one who is gone.
            let mut changes = owner(&mut world, busy, 150, |s| if s % 10 < 7 { 90 } else { 0 });
            changes.extend(owner(&mut world, busy, 150, |_| 0));
            back = back.max(changes.len());
            world.assert_no_faults();
        }
        println!("{}: left after at most {slowest:?}, {back} changes in the 5 minutes after", algorithm.name());
        assert!(slowest <= secs(10) && back <= 1, "{algorithm:?}: {slowest:?}, {back} changes");
    }
}
