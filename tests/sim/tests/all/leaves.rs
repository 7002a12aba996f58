//! Which nodes take an upgrade first: those that no neighbour needs. A node tells that from its own table; here it is
//! held against the whole mesh.

use mesh_core::fib::Table;
use mesh_core::{Algorithm, Choice, Duration};
use sim::topology::{Graph, grid, line, port_mac, ring, tree};
use sim::world::World;
use sim::{Plan, topology};
use upgrade::{Role, Way, moment};

fn settled(graph: &Graph, algorithm: Algorithm, seed: u64) -> World {
    let mut plan = Plan::new(seed);
    plan.config.algorithm = Choice::Fixed(algorithm);
    let mut world = plan.wires(graph);
    world.run_for(Duration::from_secs(60));
    world
}

fn name(node: usize) -> [u8; 6] {
    port_mac(node, 0).0
}

/// What the node itself says.
fn said(world: &World, node: usize) -> Role {
    let live = world.nodes[node].live.as_ref().unwrap();
    let view = live.mesh.snapshot(world.now);
    let ways: Vec<Way> = view
        .originators
        .iter()
        .flat_map(|o| {
            o.paths.iter().map(|p| Way {
                to: o.addr.0,
                via: name(world.by_mac[&p.neigh].0),
                best: p.best,
                metric: if view.algorithm == Algorithm::V { p.throughput.into() } else { p.tq.into() },
            })
        })
        .collect();
    Role::of(&ways, 30)
}

/// What is so: without this node some others would not reach each other.
fn is_needed(graph: &Graph, node: usize) -> bool {
    let mut rest = graph.clone();
    rest.edges.retain(|&(a, b)| a != node && b != node);
    // The node itself is a part of its own then.
    rest.components().len() > 2
}

/// What is so: somebody's way to somebody else has this node as its next hop.
fn is_used(world: &World, graph: &Graph, node: usize) -> bool {
    graph.adjacent()[node].iter().any(|&neighbor| {
        (0..graph.n).filter(|&to| to != node && to != neighbor).any(|to| {
            let route = world.nodes[neighbor].fib().and_then(|f| f.route(port_mac(to, 0), Table::Host));
            route.is_some_and(|next| world.by_mac[&next.neigh].0 == node)
        })
    })
}

#[test]
fn a_node_knows_whether_others_need_it() {
    let full = |n: usize| Graph { n, edges: (0..n).flat_map(|a| (a + 1..n).map(move |b| (a, b))).collect() };
    let star = |n: usize| Graph { n, edges: (1..n).map(|a| (0, a)).collect() };
    // 3 hangs on 0, and 1 and 2 hear each other: both announce to 0 a way to 3 that leads through 0 itself.
    let paw = Graph { n: 4, edges: vec![(0, 1), (0, 2), (1, 2), (0, 3)] };
    let mut shapes = vec![
        ("line of 6", line(6)),
        ("ring of 6", ring(6)),
        ("star of 6", star(6)),
        ("a triangle with a tail", paw),
        ("all hear all, 5", full(5)),
        ("grid of 4x3", grid(4, 3)),
        ("tree of 20", tree(20, 3)),
    ];
    shapes.extend((1..=6).map(|seed| ("random, 16", topology::geometric(16, seed))));
    for algorithm in [Algorithm::Iv, Algorithm::V] {
        for (shape, graph) in &shapes {
            let world = settled(graph, algorithm, 7);
            let (mut unneeded, mut unused, mut leaves) = (0, 0, 0);
            for node in 0..graph.n {
                let leaf = said(&world, node) == Role::Leaf;
                let needed = is_needed(graph, node);
                unneeded += usize::from(!needed);
                unused += usize::from(!is_used(&world, graph, node));
                leaves += usize::from(leaf);
                assert!(!leaf || !needed, "{} {shape}: {node} is needed and says leaf", algorithm.name());
            }
            println!(
                "{} {shape}: {leaves} of {} nodes are leaves; {unused} are on nobody's way, {unneeded} could be spared",
                algorithm.name(),
                graph.n
            );
            // In doubt a node says relay; where there is only one way to anywhere there is no doubt.
            let clear = ["line", "star", "tree"].iter().any(|s| shape.starts_with(s));
            assert!(!clear || leaves == unneeded, "{} {shape}", algorithm.name());
        }
    }
}

/// The whole mesh takes one upgrade: no leaf goes after a relay, and two fifths of the time lie between the halves' ends.
#[test]
fn leaves_go_first_in_a_whole_mesh() {
    let graph = tree(40, 11);
    let world = settled(&graph, Algorithm::Iv, 11);
    let day = std::time::Duration::from_secs(86_400);
    let when = |node: usize| moment::wait(name(node), 17, day, said(&world, node));
    let (leaves, relays): (Vec<usize>, Vec<usize>) = (0..graph.n).partition(|&n| !is_needed(&graph, n));
    assert!(leaves.len() > 5 && relays.len() > 5);
    let last_leaf = leaves.iter().map(|&n| when(n)).max().unwrap();
    let first_relay = relays.iter().map(|&n| when(n)).min().unwrap();
    println!("{} leaves until {last_leaf:?}, {} relays from {first_relay:?}", leaves.len(), relays.len());
    // Nodes look for news once an hour, so their waits begin up to an hour apart.
    assert!(last_leaf + std::time::Duration::from_secs(3600) < first_relay);
}
