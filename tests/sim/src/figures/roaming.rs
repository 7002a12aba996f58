//! A talking client moves from one node to another and back.

use super::seeds;
use crate::client::Aim;
use crate::plan::Plan;
use crate::report::{Table, median, seconds};
use crate::topology::grid;
use mesh_core::Duration;
use packet::Vid;

const EVERY: Duration = Duration::from_millis(10);

/// Longest silences in one run, one per move.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its seed.
    pub seed: u64,
    /// Frames to the client, one value per move.
    pub to_client: Vec<Duration>,
    /// Frames from the client.
    pub from_client: Vec<Duration>,
    /// Frames that arrived twice.
    pub duplicates: usize,
    /// What oracle and wire police had to say at the end.
    pub errors: Vec<String>,
}

/// A client talks with one behind the middle of a 3x3 grid and moves from corner to corner, next
/// door, and back.
pub fn run(vid: Vid, seed: u64) -> Run {
    let mut world = Plan::new(seed).ether(&grid(3, 3));
    let walker = world.add_client(0, vid);
    let friend = world.add_client(4, vid);
    world.run_for(Duration::from_secs(15));
    let moves = [8, 5, 8, 0];
    let pause = Duration::from_secs(8);
    let until = world.now + pause * (moves.len() as u32 + 1);
    let out = world.flow(walker, Aim::To(friend), 200, EVERY, until);
    let back = world.flow(friend, Aim::To(walker), 200, EVERY, until);
    world.run_for(pause);
    let (mut to_client, mut from_client) = (Vec::new(), Vec::new());
    for node in moves {
        world.move_client(walker, node);
        let moved = world.now;
        world.run_for(pause);
        to_client.push(world.flows[back].gap(moved, moved + pause - EVERY));
        from_client.push(world.flows[out].gap(moved, moved + pause - EVERY));
    }
    world.run_for(Duration::from_secs(5));
    Run {
        seed,
        to_client,
        from_client,
        duplicates: world.flows[out].duplicates() + world.flows[back].duplicates(),
        errors: [world.faults.clone(), world.client_errors(&[])].concat(),
    }
}

/// Untagged and in a VLAN.
pub fn measure(first: u64) -> (Vec<Run>, Table) {
    let mut table = Table::new(
        "Roaming: a talking client moves, 3x3 grid, 4 moves, frames 10 ms apart both ways",
        &["VLAN", "to client, median", "worst", "from client, median", "worst", "duplicates"],
    );
    let mut all = Vec::new();
    for vid in [Vid::UNTAGGED, Vid::tagged(7)] {
        let runs: Vec<Run> = seeds(first).map(|s| run(vid, s)).collect();
        let flat = |value: fn(&Run) -> &Vec<Duration>| {
            let gaps: Vec<Duration> = runs.iter().flat_map(value).copied().collect();
            [median(&gaps), gaps.iter().max().copied()].map(|d| seconds(d.unwrap_or(Duration::MAX)))
        };
        let [a, b] = flat(|r| &r.to_client);
        let [c, d] = flat(|r| &r.from_client);
        let name = vid.id().map_or_else(|| "none".to_owned(), |id| id.to_string());
        table.row(&[name, a, b, c, d, runs.iter().map(|r| r.duplicates).sum::<usize>().to_string()]);
        all.extend(runs);
    }
    (all, table)
}
