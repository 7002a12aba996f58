//! A way breaks while another one stands: diamond, ring and grid, B.A.T.M.A.N. IV and V. The same
//! shapes and cuts as in the virtual machine (`tests/interop/scenarios/cut`).

use super::seeds;
use crate::client::Aim;
use crate::oracle::Fate;
use crate::plan::Plan;
use crate::report::{Table, median, seconds};
use crate::topology::{Graph, diamond, grid, port_mac, ring};
use crate::world::World;
use mesh_core::fib::Table as Routes;
use mesh_core::{Algorithm, Choice, Duration};

/// The longest that traffic may stand still. Source: issue "Whole protocol", "What it must show".
pub const BAR: Duration = Duration::from_secs(1);
const SETTLE: Duration = Duration::from_secs(30);
const WATCH: Duration = Duration::from_secs(20);
const EVERY: Duration = Duration::from_millis(50);

/// How a way breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    /// Frames between two nodes vanish, nobody is told.
    Silent,
    /// Both ends see that the carrier is gone.
    Carrier,
    /// The node after the first hop loses its power.
    Dead,
}

/// One shape, algorithm and break.
#[derive(Clone, Debug)]
pub struct Case {
    /// Shape, algorithm and break in words.
    pub name: String,
    /// Longest silence of echoes 50 ms apart, per seed.
    pub gaps: Vec<Duration>,
    /// Pairs whose packets still went round in a loop a second after the break, all seeds.
    pub loops: usize,
    /// Misbehaviour on the wire.
    pub faults: Vec<String>,
}

/// A shape, whose echoes are watched, and the hop of their way that breaks: that many hops from the
/// asker.
type Shape = (&'static str, fn() -> Graph, (usize, usize), usize);

const SHAPES: [Shape; 3] =
    [("diamond", diamond, (0, 3), 0), ("ring of 6", || ring(6), (0, 2), 1), ("grid 3x3", || grid(3, 3), (3, 5), 1)];

/// The nodes that packets from `a` to `b` pass now.
fn way(world: &World, a: usize, b: usize) -> Vec<usize> {
    let (mut at, mut table, mut way) = (a, Routes::Host, vec![a]);
    while at != b && way.len() < world.nodes.len() {
        let Some(next) = world.nodes[at].fib().and_then(|fib| fib.route(port_mac(b, 0), table)) else { break };
        let Some(&(node, link)) = world.by_mac.get(&next.neigh) else { break };
        (at, table) = (node, Routes::Link(link));
        way.push(at);
    }
    way
}

fn run(case: &mut Case, seed: u64, algorithm: Algorithm, what: Break, shape: &Shape) {
    let &(_, graph, (a, b), hop) = shape;
    let mut plan = Plan::new(seed);
    plan.config.algorithm = Choice::Fixed(algorithm);
    let mut world = plan.wires(&graph());
    // A different phase of every rhythm for every seed.
    world.run_for(SETTLE + Duration::from_millis(seed * 137 % 1000));
    let flow = world.flow(a, Aim::Ask(b), 98, EVERY, world.now + Duration::from_secs(2) + WATCH);
    world.run_for(Duration::from_secs(2));
    let broken_at = world.now;
    let way = way(&world, a, b);
    let (from, to) = (way[hop], way[hop + 1]);
    match what {
        Break::Silent => world.cut(from, to),
        Break::Carrier => world.unplug(from, to),
        Break::Dead => world.stop(way[1]),
    }
    let until = broken_at + WATCH;
    world.run_for(Duration::from_secs(1));
    let dead = (what == Break::Dead).then_some(way[1]);
    let alive = |n: &usize| Some(*n) != dead;
    let n = world.nodes.len();
    for x in (0..n).filter(alive) {
        let lost = |y: &usize| matches!(world.follow(x, *y), Fate::Loop(_) | Fate::TooFar);
        case.loops += (0..n).filter(alive).filter(|y| *y != x).filter(lost).count();
    }
    world.run_until(until);
    case.gaps.push(world.flows[flow].gap(broken_at, until));
    case.faults.append(&mut world.faults);
}

/// All cases.
pub fn measure(first: u64) -> (Vec<Case>, Table) {
    let mut table =
        Table::new("Cuts: a way breaks while another one stands", &["shape, algorithm, break", "median", "worst"]);
    table.note("Longest silence of echoes 50 ms apart, 5 seeds.");
    let mut cases = Vec::new();
    for shape in &SHAPES {
        for (algorithm, letters) in [(Algorithm::Iv, "IV"), (Algorithm::V, "V")] {
            for what in [Break::Silent, Break::Carrier, Break::Dead] {
                let words = match what {
                    Break::Silent => "silent",
                    Break::Carrier => "carrier lost",
                    Break::Dead => "node dead",
                };
                let name = format!("{}, {letters}, {words}", shape.0);
                let mut case = Case { name, gaps: Vec::new(), loops: 0, faults: Vec::new() };
                for seed in seeds(first) {
                    run(&mut case, seed, algorithm, what, shape);
                }
                let worst = case.gaps.iter().max().copied();
                let figures = [median(&case.gaps), worst].map(|d| seconds(d.unwrap_or(WATCH)));
                table.row(&[vec![case.name.clone()], figures.to_vec()].concat());
                cases.push(case);
            }
        }
    }
    (cases, table)
}
