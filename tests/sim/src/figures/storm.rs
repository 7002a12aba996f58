//! Random meshes, random mishaps: links cut and healed, nodes restarted, clients on the move. Once
//! it is quiet again everything must be as it should.

use crate::channel::{Loss, Quality};
use crate::client::Aim;
use crate::plan::Plan;
use crate::topology::{Graph, geometric, grid, pick, ring, tree};
use crate::world::{Memory, World};
use mesh_core::rng::Rng;
use mesh_core::{Duration, LinkId};
use packet::Vid;

/// Quiet time after the last mishap: longer than the 30 s for which a restarted node that forgot
/// its sequence numbers may be ignored.
pub const QUIET: Duration = Duration::from_secs(75);

/// Plays one story; what was wrong in the end, with the story.
///
/// # Errors
/// The story and what does not hold.
pub fn play(seed: u64) -> Result<(), String> {
    let mut rng = Rng::new(seed ^ 0x0073_746f_726d);
    let n = 4 + pick(&mut rng, 9);
    let (shape, graph) = match pick(&mut rng, 4) {
        0 => ("ring", ring(n)),
        1 => ("tree", tree(n, rng.next_u64())),
        2 => ("grid", grid(2 + pick(&mut rng, 2), 2 + pick(&mut rng, 3))),
        _ => ("geometric", geometric(n, rng.next_u64())),
    };
    let mut plan = Plan::new(rng.next_u64());
    plan.spread = Duration::from_millis(1 + rng.next_u64() % 2000);
    plan.config.aggregation = pick(&mut rng, 4) > 0;
    plan.config.fast_start = pick(&mut rng, 4) > 0;
    plan.quality = Quality::WIRE.with_loss(Loss::percent([0, 0, 2][pick(&mut rng, 3)]));
    let wires = pick(&mut rng, 2) == 0;
    let mut world = if wires { plan.wires(&graph) } else { plan.ether(&graph) };
    let mut story =
        vec![format!("seed {seed}: {shape} of {}, {} edges, wires {wires}, {plan:?}", graph.n, graph.edges.len())];
    let walkers: Vec<_> = (0..3)
        .map(|i| world.add_client(pick(&mut rng, graph.n), if i == 2 { Vid::tagged(9) } else { Vid::UNTAGGED }))
        .collect();
    world.run_for(Duration::from_secs(10));
    for walker in &walkers {
        world.once(*walker, Aim::All, 60);
    }
    for _ in 0..12 {
        world.run_for(Duration::from_millis(rng.next_u64() % 6000));
        let what = mishap(&mut world, &graph, &walkers, wires, &mut rng);
        story.push(format!("{:?} {what}", world.now));
    }
    mend(&mut world, &graph);
    // Who moved while the mesh was in parts is claimed by both sides until it speaks again.
    let quiet = world.now + QUIET;
    for walker in &walkers {
        world.flow(*walker, Aim::All, 60, Duration::from_secs(5), quiet);
    }
    world.run_until(quiet + Duration::from_secs(10));
    let errors = verdict(&mut world);
    if errors.is_empty() {
        Ok(())
    } else {
        Err(format!("{}\n-- does not hold:\n{}", story.join("\n"), errors.join("\n")))
    }
}

fn mishap(world: &mut World, graph: &Graph, walkers: &[usize], wires: bool, rng: &mut Rng) -> String {
    let (a, b) = graph.edges[pick(rng, graph.edges.len())];
    match pick(rng, 6) {
        0 | 1 => {
            world.cut(a, b);
            format!("cut {a} {b}")
        }
        2 => {
            world.heal(a, b);
            format!("heal {a} {b}")
        }
        3 => {
            let memory = if pick(rng, 4) == 0 { Memory::Lost } else { Memory::Kept };
            let back = world.now + Duration::from_millis(rng.next_u64() % 3000);
            world.stop(a);
            world.start_at(a, back, memory);
            format!("restart {a}, {memory:?}, back at {back:?}")
        }
        4 if wires => {
            let link = LinkId(pick(rng, world.nodes[a].ports.len()) as u8);
            let up = !world.nodes[a].ports[usize::from(link.0)].up;
            world.carrier(a, link, up);
            format!("carrier {up} of node {a} {link:?}")
        }
        _ => {
            let walker = walkers[pick(rng, walkers.len())];
            world.move_client(walker, b);
            world.once(walker, Aim::All, 60);
            format!("client {walker} moves to {b}")
        }
    }
}

/// Heals every link, plugs in every cable.
fn mend(world: &mut World, graph: &Graph) {
    for &(a, b) in &graph.edges {
        world.heal(a, b);
    }
    for node in 0..graph.n {
        for port in 0..world.nodes[node].ports.len() {
            if !world.nodes[node].ports[port].up {
                world.carrier(node, LinkId(port as u8), true);
            }
        }
    }
}

fn verdict(world: &mut World) -> Vec<String> {
    // One lost OGM may mend a moment later; a loop or a hole that stays is an error.
    for _ in 0..5 {
        if problems(world).is_empty() {
            break;
        }
        world.run_for(Duration::from_secs(2));
    }
    let mut errors = problems(world);
    errors.extend(world.faults.clone());
    errors
}

fn problems(world: &World) -> Vec<String> {
    let mut out = Vec::new();
    for a in 0..world.nodes.len() {
        for b in 0..world.clients.len() {
            let fate = world.follow(a, b);
            if !matches!(fate, crate::oracle::Fate::Arrives(_)) {
                out.push(format!("from node {a} to client {b} of node {}: {fate:?}", world.clients[b].node));
            }
        }
    }
    out.extend(world.client_errors(&[]));
    out
}
