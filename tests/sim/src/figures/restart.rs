//! A node loses power and comes back, with its sequence numbers or without.

use super::seeds;
use crate::plan::Plan;
use crate::report::{Table, median, or_never};
use crate::topology::grid;
use crate::world::Memory;
use mesh_core::{Duration, Instant};

/// One way to restart.
#[derive(Clone, Debug)]
pub struct Case {
    /// What the node remembers.
    pub memory: Memory,
    /// Restarts, 12 s apart.
    pub times: usize,
    /// Seed, and time from the last start until all pairs reach each other and all clients are known.
    pub runs: Vec<(u64, Option<Duration>)>,
    /// Misbehaviour on the wire.
    pub faults: Vec<String>,
}

/// The middle node of a 3x3 grid is without power for 2 s.
pub fn run(memory: Memory, times: usize, seed: u64) -> (Option<Duration>, Vec<String>) {
    let mut world = Plan::new(seed).ether(&grid(3, 3));
    world.run_for(Duration::from_secs(75));
    let mut started = Instant::ZERO;
    for time in 0..times {
        if time > 0 {
            world.run_for(Duration::from_secs(10));
        }
        world.stop(4);
        world.run_for(Duration::from_secs(2));
        started = world.now;
        world.start_at(4, started, memory);
    }
    let end = started + Duration::from_secs(90);
    let mut back = None;
    while world.now < end && back.is_none() {
        world.run_for(Duration::from_millis(50));
        if world.reachable() == 1_000_000 && world.client_errors(&[]).is_empty() {
            back = Some(world.now.since(started));
        }
    }
    (back, world.faults)
}

/// All cases.
pub fn measure(first: u64) -> (Vec<Case>, Table) {
    let mut cases = Vec::new();
    for (memory, times) in [(Memory::Kept, 1), (Memory::Kept, 3), (Memory::Lost, 1)] {
        let mut case = Case { memory, times, runs: Vec::new(), faults: Vec::new() };
        for seed in seeds(first) {
            let (back, faults) = run(memory, times, seed);
            case.runs.push((seed, back));
            case.faults.extend(faults);
        }
        cases.push(case);
    }
    let mut table = Table::new(
        "Restart: the middle node of a 3x3 grid, 2 s without power",
        &["sequence numbers", "restarts", "back after, median", "worst"],
    );
    table.note("Back: all pairs reach each other and every node knows every client. Restarts are 12 s apart.");
    for case in &cases {
        let times: Vec<Duration> = case.runs.iter().map(|r| r.1.unwrap_or(Duration::MAX)).collect();
        let finite = |d: Option<Duration>| or_never(d.filter(|d| *d < Duration::MAX));
        table.row(&[
            if case.memory == Memory::Kept { "kept" } else { "lost" }.to_owned(),
            case.times.to_string(),
            finite(median(&times)),
            finite(times.iter().max().copied()),
        ]);
    }
    (cases, table)
}
