//! Hosts with a real IP stack behind the ends of a line: ARP, ping, TCP.

use super::seeds;
use crate::channel::{Loss, Quality};
use crate::medium::Air;
use crate::plan::Plan;
use crate::report::{Table, or_never};
use crate::topology::line;
use mesh_core::Duration;

/// Bytes of the transfer.
pub const BYTES: usize = 1_000_000;
/// Echo requests.
pub const PINGS: u16 = 50;
const PORT: u16 = 5001;

/// One transfer.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its seed.
    pub seed: u64,
    /// What the line is made of.
    pub medium: &'static str,
    /// Loss of every link and direction in percent.
    pub lost: u32,
    /// Echo requests answered.
    pub answered: usize,
    /// Round-trip time of the fastest.
    pub rtt: Duration,
    /// Bytes received.
    pub received: usize,
    /// Bytes received that were wrong.
    pub wrong: usize,
    /// Time from connecting to the last byte.
    pub took: Option<Duration>,
    /// Misbehaviour on the wire.
    pub faults: Vec<String>,
}

/// Five hops.
pub fn run(radio: bool, lost: u32, seed: u64) -> Run {
    let mut plan = Plan::new(seed);
    plan.quality = Quality::WIRE.with_loss(Loss::percent(lost));
    let graph = line(6);
    let mut world = if radio { plan.radio(&graph, Air::default()) } else { plan.ether(&graph) };
    let (a, b) = (world.add_host(0), world.add_host(5));
    world.run_for(Duration::from_secs(15));
    // Both hosts have said something before, as hosts do when they get an address.
    let (now, here, there) = (world.now, world.hosts[a].ip, world.hosts[b].ip);
    world.hosts[b].ping(here, 1, Duration::from_millis(100), now);
    world.wake_host(b);
    world.run_for(Duration::from_secs(5));
    let now = world.now;
    world.hosts[a].ping(there, PINGS, Duration::from_millis(100), now);
    world.wake_host(a);
    world.run_for(Duration::from_secs(10));
    let started = world.now;
    let receiver = world.hosts[b].receive(PORT, BYTES, seed);
    let sender = world.hosts[a].send(there, PORT, BYTES, seed);
    world.wake_host(a);
    world.wake_host(b);
    let end = started + Duration::from_secs(600);
    let done = |world: &crate::World| {
        world.hosts[b].progress(receiver).finished.is_some() && world.hosts[a].progress(sender).finished.is_some()
    };
    while world.now < end && !done(&world) {
        world.run_for(Duration::from_millis(100));
    }
    let progress = world.hosts[b].progress(receiver);
    let pings = world.hosts[a].pings().map(|p| p.answered.clone()).unwrap_or_default();
    Run {
        seed,
        medium: if radio { "radio" } else { "wire" },
        lost,
        answered: pings.len(),
        rtt: pings.iter().map(|p| p.1).min().unwrap_or(Duration::MAX),
        received: progress.done,
        wrong: progress.wrong,
        took: progress.finished.map(|t| t.since(started)),
        faults: world.faults.clone(),
    }
}

/// All runs.
pub fn measure(first: u64) -> (Vec<Run>, Table) {
    let mut runs = vec![run(false, 0, first), run(true, 0, first), run(true, 10, first)];
    runs.extend(seeds(first).map(|seed| run(false, 2, seed)));
    let mut table = Table::new(
        "Hosts: IP stacks behind both ends of 5 hops, 50 pings, then 1 MB by TCP",
        &["medium", "loss per link", "pings answered", "fastest", "bytes received", "wrong", "took"],
    );
    table.note("A radio repeats what is lost, a wire does not; 2 % on 5 wires are 10 % each way.");
    for run in &runs {
        table.row(&[
            run.medium.to_owned(),
            format!("{} %", run.lost),
            run.answered.to_string(),
            format!("{} us", run.rtt.as_micros()),
            run.received.to_string(),
            run.wrong.to_string(),
            or_never(run.took),
        ]);
    }
    (runs, table)
}
