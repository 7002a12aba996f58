//! All links of a grid lose a fifth of their frames while echoes flow: how often nodes change their
//! mind. Nobody may take loss for death.

use super::seeds;
use crate::channel::{Loss, Quality};
use crate::client::Aim;
use crate::node::NodeId;
use crate::plan::Plan;
use crate::report::Table;
use crate::topology::{grid, port_mac};
use mesh_core::fib::{NextHop, Table as Routes};
use mesh_core::{Algorithm, Choice, Duration, Event, Input, LinkId, LinkSpeed};
use std::collections::BTreeMap;

/// The kernel's changes per minute under IV and V. Source: `tests/interop/scenarios/cut`, the same grid in the
/// virtual machine.
pub const KERNEL: (u64, u64) = (57, 29);
const COLUMNS: usize = 3;
const MINUTES: u64 = 5;
const LOOK: Duration = Duration::from_millis(500);

/// One algorithm.
#[derive(Clone, Debug)]
pub struct Case {
    /// Which.
    pub algorithm: Algorithm,
    /// Next hops of the default table, all nodes to all nodes, that were others than half a second
    /// before: per minute, the mean of all seeds.
    pub changes: u64,
    /// Neighbours taken for dead, all seeds.
    pub deaths: usize,
    /// Misbehaviour on the wire.
    pub faults: Vec<String>,
}

fn run(case: &mut Case, seed: u64) -> u64 {
    let mut plan = Plan::new(seed);
    plan.config.algorithm = Choice::Fixed(case.algorithm);
    plan.quality = Quality::WIRE.with_loss(Loss::percent(20));
    let mut world = plan.wires(&grid(COLUMNS, COLUMNS));
    world.run_for(Duration::from_secs(1));
    let n = world.nodes.len();
    // As the driver of a cable says; what is measured instead is lossy.
    let speed = LinkSpeed { throughput: Some(1000), full_duplex: true };
    for node in 0..n {
        for link in 0..world.nodes[node].ports.len() {
            world.tell(node, Input::LinkSpeed(LinkId(link as u8), speed));
        }
    }
    world.run_for(Duration::from_secs(89));
    let end = world.now + Duration::from_secs(60 * MINUTES);
    for (a, b) in [(0, n - 1), (COLUMNS - 1, n - COLUMNS)] {
        world.flow(a, Aim::Ask(b), 98, Duration::from_millis(200), end);
    }
    for node in &mut world.nodes {
        node.events.clear();
    }
    let (mut last, mut changes) = (BTreeMap::<(NodeId, NodeId), Option<NextHop>>::new(), 0);
    while world.now < end {
        for a in 0..n {
            for b in (0..n).filter(|b| *b != a) {
                let next = world.nodes[a].fib().and_then(|fib| fib.route(port_mac(b, 0), Routes::Host));
                changes += u64::from(last.insert((a, b), next).is_some_and(|was| was != next));
            }
        }
        world.run_for(LOOK);
    }
    let events = world.nodes.iter().flat_map(|node| &node.events);
    case.deaths += events.filter(|(_, e)| matches!(e, Event::NeighborSilent { .. })).count();
    case.faults.append(&mut world.faults);
    changes
}

/// Both algorithms.
pub fn measure(first: u64) -> (Vec<Case>, Table) {
    let mut table = Table::new(
        "Lossy: grid 3x3, all links lose 20 % while echoes flow, 5 minutes, 5 seeds",
        &["algorithm", "changed next hops per minute", "neighbours taken for dead"],
    );
    let mut cases = Vec::new();
    for algorithm in [Algorithm::Iv, Algorithm::V] {
        let mut case = Case { algorithm, changes: 0, deaths: 0, faults: Vec::new() };
        let (sum, runs) = seeds(first).map(|s| run(&mut case, s)).fold((0, 0), |(sum, n), c| (sum + c, n + 1));
        case.changes = sum / (MINUTES * runs);
        table.row(&[format!("{algorithm:?}"), case.changes.to_string(), case.deaths.to_string()]);
        cases.push(case);
    }
    (cases, table)
}
