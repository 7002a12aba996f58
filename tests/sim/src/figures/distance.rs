//! How far the integer arithmetic of B.A.T.M.A.N. IV carries along a line.

use crate::oracle::Fate;
use crate::plan::Plan;
use crate::report::{Table, or_never, percent};
use crate::topology::line;
use mesh_core::{Duration, Instant};

const NODES: usize = 50;

/// One hop penalty.
#[derive(Clone, Debug)]
pub struct Case {
    /// Hop penalty of all nodes.
    pub hop_penalty: u8,
    /// The fast start is on.
    pub fast: bool,
    /// All pairs up to this many hops apart reach each other at the end.
    pub hops: usize,
    /// Share of ordered pairs in millionths that do.
    pub share: u32,
    /// When 99 % of ordered pairs did.
    pub until: Option<Duration>,
    /// What oracle and wire police had to say at the end.
    pub faults: Vec<String>,
}

/// Runs one line for 100 s, in which all windows fill.
pub fn run(hop_penalty: u8, fast: bool, seed: u64) -> Case {
    let mut plan = Plan::new(seed);
    plan.config.hop_penalty = hop_penalty;
    plan.config.fast_start = fast;
    let mut world = plan.ether(&line(NODES));
    let end = Instant::from_micros(100_000_000);
    let until = world.run_until_reachable(990_000, Duration::from_millis(250), end);
    world.run_until(end);
    let good = |hops: usize| {
        (0..NODES - hops).all(|a| {
            let there = world.follow(a, a + hops);
            let back = world.follow(a + hops, a);
            matches!((there, back), (Fate::Arrives(_), Fate::Arrives(_)))
        })
    };
    let hops = (1..NODES).take_while(|h| good(*h)).last().unwrap_or(0);
    Case {
        hop_penalty,
        fast,
        hops,
        share: world.reachable(),
        until: until.map(|t| t.since(Instant::ZERO)),
        faults: world.faults,
    }
}

/// All cases.
pub fn measure(first: u64) -> (Vec<Case>, Table) {
    let mut cases: Vec<Case> = [30, 20, 15, 10].map(|penalty| run(penalty, true, first)).to_vec();
    cases.push(run(10, false, first));
    let mut table = Table::new(
        "Distance: line of 50 nodes, 100 s after the start",
        &["hop penalty", "fast start", "all pairs up to", "of all pairs", "99 % after"],
    );
    for case in &cases {
        table.row(&[
            case.hop_penalty.to_string(),
            if case.fast { "on" } else { "off" }.to_owned(),
            format!("{} hops", case.hops),
            percent(case.share),
            or_never(case.until),
        ]);
    }
    (cases, table)
}
