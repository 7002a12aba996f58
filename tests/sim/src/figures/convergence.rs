//! From a cold start to a mesh in which everybody reaches everybody, and what it costs to stay so.

use super::seeds;
use crate::plan::Plan;
use crate::report::{Table, median, or_never, percent};
use crate::topology::{Graph, grid, tree};
use crate::traffic::{Kind, Tally};
use mesh_core::{Duration, Instant};

/// The moment at which the share of reachable pairs is compared with the bar.
pub const DEADLINE: Duration = Duration::from_secs(6);
const PING_WAIT: Duration = Duration::from_millis(300);
const STEP: Duration = Duration::from_millis(100);
const END: u64 = 22;
const SHARES: [u32; 3] = [500_000, 900_000, 990_000];

/// One shape, one way to start, several seeds.
#[derive(Clone, Debug)]
pub struct Case {
    /// Name of the shape.
    pub shape: &'static str,
    /// Its longest shortest path.
    pub diameter: usize,
    /// The fast start is on.
    pub fast: bool,
    /// Nodes start at a random moment within this time.
    pub spread: Duration,
    /// One run per seed.
    pub runs: Vec<Run>,
}

/// One run.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its seed.
    pub seed: u64,
    /// Time until 50, 90 and 99 % of ordered pairs reached each other by the forwarding tables.
    pub until: [Option<Duration>; 3],
    /// Share of ordered pairs in millionths that had got an answer to a real echo by [`DEADLINE`].
    pub answered: u32,
    /// Bytes per node and second in the last ten seconds, per [`Kind`].
    pub bytes: [u64; 7],
    /// Hops of all routes against the fewest, in thousandths, at the end.
    pub stretch: u32,
    /// What nodes believe wrongly about clients at the end.
    pub errors: Vec<String>,
    /// Misbehaviour on the wire.
    pub faults: Vec<String>,
}

/// Runs one world.
pub fn run(graph: &Graph, fast: bool, spread: Duration, seed: u64) -> Run {
    let mut plan = Plan::new(seed);
    plan.config.fast_start = fast;
    plan.spread = spread;
    let mut world = plan.ether(graph);
    let mut until = [None; 3];
    let mut answered = None;
    let mut before = Vec::new();
    while world.now < Instant::from_micros(END * 1_000_000) {
        if answered.is_none() && world.now + PING_WAIT >= Instant::ZERO + DEADLINE {
            answered = Some(world.ping_all(PING_WAIT));
        } else {
            world.run_for(STEP);
        }
        if before.is_empty() && world.now >= Instant::from_micros((END - 10) * 1_000_000) {
            before = world.sent.clone();
        }
        if until.iter().any(Option::is_none) {
            let share = world.reachable();
            for (slot, _) in until.iter_mut().zip(SHARES).filter(|(slot, bar)| slot.is_none() && share >= *bar) {
                *slot = Some(world.now.since(Instant::ZERO));
            }
        }
    }
    let mut bytes = [0; 7];
    for (now, then) in world.sent.iter().zip(&before) {
        let Tally { bytes: more, .. } = now.since(then);
        for (sum, n) in bytes.iter_mut().zip(more) {
            *sum += n;
        }
    }
    let nodes = graph.n as u64;
    Run {
        seed,
        until,
        answered: answered.unwrap_or(0),
        bytes: bytes.map(|n| n / (10 * nodes)),
        stretch: world.stretch(),
        errors: world.client_errors(&[]),
        faults: world.faults,
    }
}

/// All cases.
pub fn measure(first: u64) -> (Vec<Case>, Table) {
    let mut cases = Vec::new();
    for (shape, graph) in [("grid 7x7", grid(7, 7)), ("tree 50", tree(50, 2)), ("deep tree 50", tree(50, 3))] {
        for fast in [true, false] {
            for spread in [100, 1000].map(Duration::from_millis) {
                let runs = seeds(first).map(|seed| run(&graph, fast, spread, seed)).collect();
                cases.push(Case { shape, diameter: graph.diameter(), fast, spread, runs });
            }
        }
    }
    let table = tabulate(&cases);
    (cases, table)
}

fn tabulate(cases: &[Case]) -> Table {
    let mut table = Table::new(
        "Convergence: cold start, one hard interface per node",
        &[
            "shape",
            "diameter",
            "fast start",
            "start within",
            "50 %",
            "90 %",
            "99 %",
            "worst 99 %",
            "answered by 6 s, worst",
            "OGM B/s",
            "TT B/s",
            "stretch",
        ],
    );
    table.note(
        "Times until that share of ordered pairs has a way there and back: medians of 5 seeds, then the slowest.",
    );
    table.note("The tree is as deep as the one of meshnet-lab; the deep tree shows what three hops more cost.");
    table.note("Bytes are per node and second, Ethernet headers included, from 12 s to 22 s.");
    for case in cases {
        let mid = |i: usize| {
            let times: Vec<_> = case.runs.iter().map(|r| r.until[i].unwrap_or(Duration::MAX)).collect();
            or_never(median(&times).filter(|t| *t < Duration::MAX))
        };
        let worst = case.runs.iter().map(|r| r.until[2]).max_by_key(|t| t.unwrap_or(Duration::MAX)).flatten();
        let kind = |k: Kind| median(&case.runs.iter().map(|r| r.bytes[k as usize]).collect::<Vec<_>>()).unwrap_or(0);
        table.row(&[
            case.shape.to_owned(),
            case.diameter.to_string(),
            if case.fast { "on" } else { "off" }.to_owned(),
            format!("{} ms", case.spread.as_millis()),
            mid(0),
            mid(1),
            mid(2),
            or_never(worst),
            percent(case.runs.iter().map(|r| r.answered).min().unwrap_or(0)),
            kind(Kind::Ogm).to_string(),
            kind(Kind::Tvlv).to_string(),
            format!(
                "{:.2}",
                f64::from(median(&case.runs.iter().map(|r| r.stretch).collect::<Vec<_>>()).unwrap_or(0)) / 1000.0
            ),
        ]);
    }
    table
}
