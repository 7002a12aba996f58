//! Which algorithm a node runs when it may choose. A kernel node is played by one of ours that
//! does not choose and does not say what it is.

use mesh_core::{Algorithm, Choice, Duration, Event, LinkId};
use sim::Plan;
use sim::topology::{Graph, line};
use sim::world::{Memory, World};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Auto,
    Kernel(Algorithm),
}
use Algorithm::{Iv, V};
use Kind::{Auto, Kernel};

/// Nodes on one ether, started within 100 ms; the interfaces of `late` ones are down.
fn world(kinds: &[Kind], graph: &Graph, late: &[usize]) -> World {
    let mut world = Plan::new(5).ether(graph);
    for (node, kind) in world.nodes.iter_mut().zip(kinds) {
        match kind {
            Auto => node.config.algorithm = Choice::Auto,
            Kernel(a) => {
                node.config.algorithm = Choice::Fixed(*a);
                (node.config.extensions, node.config.fast_start) = (false, false);
            }
        }
    }
    for &node in late {
        world.nodes[node].ports[0].up = false;
    }
    world
}

fn running(world: &World) -> Vec<Algorithm> {
    world.nodes.iter().filter_map(|n| n.live.as_ref()).map(|l| l.mesh.algorithm()).collect()
}

fn told_of_others(world: &World, node: usize) -> usize {
    world.nodes[node].events.iter().filter(|(_, e)| matches!(e, Event::OtherAlgorithm { .. })).count()
}

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[test]
fn alone_they_run_v() {
    let mut w = world(&[Auto; 4], &line(4), &[]);
    w.run_for(secs(3));
    assert_eq!(running(&w), [V; 4]);
    assert_eq!(w.reachable(), 1_000_000);
    w.assert_no_faults();
}

#[test]
fn they_follow_who_is_there() {
    for a in [Iv, V] {
        let mut w = world(&[Auto, Kernel(a), Auto], &line(3), &[]);
        for node in [0, 2] {
            w.stop(node);
            w.start_at(node, w.now + secs(20), Memory::Lost);
        }
        w.run_for(secs(20));
        w.run_for(secs(3));
        assert_eq!(running(&w), [a; 3]);
        assert_eq!(told_of_others(&w, 0), 0);
    }
}

#[test]
fn after_a_power_cut_the_news_travels() {
    let mut w = world(&[Auto, Auto, Auto, Kernel(Iv)], &line(4), &[]);
    w.run_for(secs(4));
    assert_eq!(running(&w), [Iv; 4]);
    w.run_for(secs(20));
    assert_eq!(w.reachable(), 1_000_000);
    w.assert_no_faults();
}

#[test]
fn an_island_moves_together_and_not_back() {
    // 3 and 4 are kernel nodes at both ends.
    let graph = Graph { n: 5, edges: vec![(0, 1), (1, 2), (2, 3), (0, 4)] };
    let mut w = world(&[Auto, Auto, Auto, Kernel(Iv), Kernel(V)], &graph, &[3, 4]);
    w.run_for(secs(20));
    assert_eq!(running(&w)[..3], [V; 3]);
    w.carrier(3, LinkId(0), true);
    w.run_for(secs(58));
    assert_eq!(running(&w)[..3], [V; 3], "a minute is not over");
    assert_eq!(told_of_others(&w, 2), 1);
    w.run_for(secs(20));
    assert_eq!(running(&w)[..3], [Iv; 3]);
    w.run_for(secs(20));
    assert_eq!(w.reachable(), 600_000, "all but the one that is not there");
    // The reason to be here goes, and the other one calls: an hour has to pass.
    w.stop(3);
    w.carrier(4, LinkId(0), true);
    w.run_for(secs(600));
    assert_eq!(running(&w), [Iv, Iv, Iv, V]);
    w.run_for(secs(3100));
    assert_eq!(running(&w), [V; 4], "and then back to whom is there");
    w.assert_no_faults();
}

#[test]
fn an_island_with_kernel_members_stays() {
    let mut w = world(&[Kernel(Iv), Auto, Auto, Kernel(V)], &line(4), &[3]);
    w.run_for(secs(10));
    assert_eq!(running(&w)[..3], [Iv; 3]);
    w.carrier(3, LinkId(0), true);
    w.run_for(secs(200));
    assert_eq!(running(&w), [Iv, Iv, Iv, V]);
    assert_eq!(told_of_others(&w, 2), 1, "people know");
}

#[test]
fn a_node_remembers_what_it_ran() {
    let mut w = world(&[Auto, Auto, Kernel(Iv)], &line(3), &[]);
    w.run_for(secs(10));
    w.stop(0);
    w.start_at(0, w.now, Memory::Kept);
    w.run_for(Duration::from_millis(500));
    assert_eq!(running(&w), [Iv; 3], "without listening first");
    // Alone, it starts anew.
    w.stop(1);
    w.stop(2);
    w.run_for(secs(60));
    assert_eq!(running(&w), [V]);
}
