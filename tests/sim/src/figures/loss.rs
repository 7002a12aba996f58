//! Two ways that differ in what they lose: which one is chosen.

use super::seeds;
use crate::channel::{Loss, MILLION, Quality};
use crate::oracle::Fate;
use crate::plan::Plan;
use crate::report::{Table, percent};
use crate::topology::{Graph, port_mac};
use crate::world::World;
use mesh_core::Duration;
use mesh_core::fib::Table as Routes;

/// One arrangement of four nodes: 0 and 3 have 1 and 2 between them.
#[derive(Clone, Debug)]
pub struct Case {
    /// What it shows.
    pub name: &'static str,
    /// Share of samples in millionths in which the expected way from 0 to 3 was taken, all seeds together.
    pub right: u32,
    /// Samples in which packets went round in a loop.
    pub loops: usize,
    /// Misbehaviour on the wire.
    pub faults: Vec<String>,
}

/// Loss from one node to another in percent; the way back keeps its own.
type Setting = (usize, usize, u32);

const CASES: &[(&str, bool, &[Setting], usize)] = &[
    ("10 % against 30 %", false, &both([(0, 1, 10), (1, 3, 10), (0, 2, 30), (2, 3, 30)]), 1),
    ("10 % against 20 %", false, &both([(0, 1, 10), (1, 3, 10), (0, 2, 20), (2, 3, 20)]), 1),
    ("two clean hops against one of 60 %", true, &both([(0, 3, 60), (0, 2, 40), (2, 3, 40), (0, 1, 0)]), 1),
    ("one hop of 5 % against two clean ones", true, &both([(0, 3, 5), (0, 1, 0), (1, 3, 0), (0, 2, 0)]), 3),
    // From 0 on, the way by 1 loses half there and nothing back, the way by 2 the other way round.
    ("asymmetric: 50 % there against 50 % back", false, &[(0, 1, 50), (1, 3, 50), (2, 0, 50), (3, 2, 50)], 2),
];

const fn both(links: [Setting; 4]) -> [Setting; 8] {
    let [(a, b, p), (c, d, q), (e, f, r), (g, h, s)] = links;
    [(a, b, p), (b, a, p), (c, d, q), (d, c, q), (e, f, r), (f, e, r), (g, h, s), (h, g, s)]
}

/// The neighbour that node 0 uses for node 3.
fn first_hop(world: &World) -> Option<usize> {
    let next = world.nodes[0].fib()?.route(port_mac(3, 0), Routes::Host)?;
    world.by_mac.get(&next.neigh).map(|(node, _)| *node)
}

/// All cases.
pub fn measure(first: u64) -> (Vec<Case>, Table) {
    let mut cases = Vec::new();
    for &(name, direct, settings, expected) in CASES {
        let (mut right, mut samples, mut loops, mut faults) = (0, 0, 0, Vec::new());
        for seed in seeds(first) {
            let mut edges = vec![(0, 1), (0, 2), (1, 3), (2, 3)];
            if direct {
                edges.push((0, 3));
            }
            let mut world = Plan::new(seed).ether(&Graph { n: 4, edges });
            for &(a, b, lost) in settings {
                world.set_quality(a, b, Quality::WIRE.with_loss(Loss::percent(lost)));
            }
            world.run_for(Duration::from_secs(80));
            for _ in 0..600 {
                world.run_for(Duration::from_millis(200));
                samples += 1;
                right += u32::from(first_hop(&world) == Some(expected));
                loops += (0..4).filter(|b| matches!(world.follow(0, *b), Fate::Loop(_))).count();
            }
            faults.extend(world.faults);
        }
        cases.push(Case { name, right: (u64::from(right) * u64::from(MILLION) / samples) as u32, loops, faults });
    }
    let mut table =
        Table::new("Loss: share of time on the better of two ways, 120 s, 5 seeds", &["ways", "on the better one"]);
    for case in &cases {
        table.row(&[case.name.to_owned(), percent(case.right)]);
    }
    (cases, table)
}
