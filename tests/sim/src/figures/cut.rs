//! A link goes away while there is another way: how long traffic stands still.

use super::seeds;
use crate::client::Aim;
use crate::plan::Plan;
use crate::report::{Table, median, or_never, seconds};
use crate::topology::ring;
use mesh_core::{Duration, LinkId};

/// The kernel's range for a silent cut in the same ring, measured. Source: issue "First node", "What it must show".
pub const KERNEL: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(11));
const SETTLE: Duration = Duration::from_secs(75);
const WATCH: Duration = Duration::from_secs(30);

/// What happens to the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Frames vanish, nobody is told.
    Silent,
    /// Both ends lose the interface, which is not the one that names the node.
    Told,
    /// Both ends lose the interface that names the node.
    ToldPrimary,
}

/// One kind of cut.
#[derive(Clone, Debug)]
pub struct Case {
    /// What happens to the link.
    pub cut: Cut,
    /// One run per seed.
    pub runs: Vec<Run>,
}

/// One run.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its seed.
    pub seed: u64,
    /// Longest silence of echoes between the two ends of the cut link.
    pub neighbours: Duration,
    /// Longest silence of echoes between nodes two hops apart whose way used the link.
    pub beyond: Duration,
    /// Time until all pairs reached each other again.
    pub all: Option<Duration>,
    /// Misbehaviour on the wire.
    pub faults: Vec<String>,
}

/// Cuts one link of a ring of 6.
pub fn run(cut: Cut, seed: u64) -> Run {
    let mut world = Plan::new(seed).wires(&ring(6));
    // A different phase of the one-second rhythm for every seed.
    world.run_for(SETTLE + Duration::from_millis(seed * 137 % 1000));
    let cut_at = world.now;
    let until = cut_at + WATCH;
    let every = Duration::from_millis(20);
    // The first link of both nodes 0 and 1, the second of both nodes 0 and 5.
    let (a, b, link) = if cut == Cut::ToldPrimary { (0, 1, LinkId(0)) } else { (0, 5, LinkId(1)) };
    let (before_a, after_b) = if b == 1 { (5, 2) } else { (1, 4) };
    let pairs = [(a, b), (b, a), (before_a, b), (b, before_a), (a, after_b), (after_b, a)];
    let flows = pairs.map(|(a, b)| world.flow(a, Aim::Ask(b), 98, every, until));
    if cut != Cut::Silent {
        world.carrier(a, link, false);
        world.carrier(b, link, false);
    }
    world.cut(a, b);
    let all = world.run_until_reachable(1_000_000, Duration::from_millis(20), until).map(|t| t.since(cut_at));
    world.run_until(until);
    let gap = |ids: &[usize]| ids.iter().map(|f| world.flows[*f].gap(cut_at, until)).max().unwrap_or(WATCH);
    Run { seed, neighbours: gap(&flows[..2]), beyond: gap(&flows[2..]), all, faults: world.faults.clone() }
}

/// All kinds.
pub fn measure(first: u64) -> (Vec<Case>, Table) {
    let cases: Vec<Case> = [Cut::Silent, Cut::Told, Cut::ToldPrimary]
        .map(|cut| Case { cut, runs: seeds(first).map(|s| run(cut, s)).collect() })
        .into();
    let mut table = Table::new(
        "Cut: ring of 6, the link between two neighbours is cut",
        &["cut", "between them", "worst", "two hops apart", "worst", "all pairs", "worst"],
    );
    table.note("Longest silence of echoes 20 ms apart, and time until every pair has a way again: medians and worst of 5 seeds.");
    table.note("The kernel's B.A.T.M.A.N. IV took 5 to 11 s after a silent cut in the same ring.");
    for case in &cases {
        let of = |value: fn(&Run) -> Duration| {
            let all: Vec<Duration> = case.runs.iter().map(value).collect();
            [median(&all), all.iter().max().copied()].map(|d| seconds(d.unwrap_or(WATCH)))
        };
        let [a, b] = of(|r| r.neighbours);
        let [c, d] = of(|r| r.beyond);
        let all: Vec<Duration> = case.runs.iter().map(|r| r.all.unwrap_or(Duration::MAX)).collect();
        let finite = |d: Option<Duration>| or_never(d.filter(|d| *d < Duration::MAX));
        table.row(&[
            match case.cut {
                Cut::Silent => "silent",
                Cut::Told => "interface down",
                Cut::ToldPrimary => "primary interface down",
            }
            .to_owned(),
            a,
            b,
            c,
            d,
            finite(median(&all)),
            finite(all.iter().max().copied()),
        ]);
    }
    (cases, table)
}
