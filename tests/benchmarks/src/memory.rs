//! Resident memory of a node next to a played mesh of 10, 100 and 500 originators.

use crate::cpu::resident_bytes;
use crate::report::{Bound, Table, Verdict};
use crate::world::{Namespace, Process, cable, node, wait_for_interface};
use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Played originators and clients.
const MESHES: [(usize, usize); 3] = [(10, 500), (100, 500), (500, 500)];
/// The mesh that the bound is for, and the bound.
const BOUND: ((usize, usize), u64) = ((100, 500), 6 << 20);
/// How long the node may take to know everybody.
const LEARN_LIMIT: Duration = Duration::from_secs(60);
/// From then on until memory is read: tables of all kinds have been asked for and given.
const SETTLE: Duration = Duration::from_secs(10);

/// Measures all meshes at once (or just the one that has a bound), fills the table and judges.
pub(crate) fn run(
    bench: &Path,
    meshwork: &Path,
    logs: &Path,
    only_bound: bool,
    table: &mut Table,
    verdict: &mut Verdict,
) -> Result<()> {
    let mut beds = Vec::new();
    for size in MESHES {
        if !only_bound || size == BOUND.0 {
            beds.push(Bed::new(bench, meshwork, logs, size)?);
        }
    }
    for bed in &mut beds {
        bed.learned(meshwork)?;
    }
    std::thread::sleep(SETTLE);
    for bed in &mut beds {
        let bytes = bed.learned(meshwork).and_then(|()| resident_bytes(bed.node.pid()).context("the node is gone"))?;
        let (originators, clients) = bed.size;
        let bound = if bed.size == BOUND.0 { Bound::Most(BOUND.1 as f64 / 1024.0) } else { Bound::None };
        let what = format!("resident KiB, {originators} originators, {clients} clients");
        table.row([what, String::new(), (bytes / 1024).to_string(), String::new(), bound.to_string()]);
        let name = format!("memory.resident, {originators} originators, {clients} clients");
        verdict.figure(&name, bytes as f64 / 1024.0, "KiB", bound)?;
    }
    Ok(())
}

/// A node and its played neighbour.
struct Bed {
    size: (usize, usize),
    node: Process,
    _player: Process,
    _spaces: [Namespace; 2],
}

impl Bed {
    fn new(bench: &Path, meshwork: &Path, logs: &Path, size: (usize, usize)) -> Result<Self> {
        let (originators, clients) = size;
        let here = Namespace::new(&format!("memory-{originators}"))?;
        let there = Namespace::new(&format!("played-{originators}"))?;
        cable((&here, "a0"), (&there, "p0"))?;
        let log = logs.join(format!("node-memory-{originators}.log"));
        let mut node = node(&here, meshwork, &["a0"], &log)?;
        wait_for_interface(&here, &mut node, "mesh0")?;
        let args = ["originators", "p0", &originators.to_string(), &clients.to_string()];
        let _player = there.spawn(bench, &args, Stdio::inherit())?;
        Ok(Self { size, node, _player, _spaces: [here, there] })
    }

    /// Waits until the node knows all originators and all clients.
    fn learned(&mut self, meshwork: &Path) -> Result<()> {
        let start = Instant::now();
        loop {
            let known = (
                self.listed(meshwork, "originators", "originators")?,
                self.listed(meshwork, "transglobal", "global_clients")?,
            );
            if known.0 >= self.size.0 && known.1 >= self.size.1 {
                return Ok(());
            }
            ensure!(self.node.is_running(), "the node ended; see its log");
            ensure!(
                start.elapsed() < LEARN_LIMIT,
                "the node knows {} of {} originators and {} of {} clients after {} s",
                known.0,
                self.size.0,
                known.1,
                self.size.1,
                LEARN_LIMIT.as_secs()
            );
            std::thread::sleep(Duration::from_millis(500));
        }
    }

    /// How many entries a listing of the node has.
    fn listed(&self, meshwork: &Path, command: &str, list: &str) -> Result<usize> {
        let output = Command::new("nsenter")
            .args(["-t", &self.node.pid().to_string(), "-m", "-n"])
            .arg(meshwork)
            .args([command, "--json"])
            .stderr(Stdio::inherit())
            .output()?;
        ensure!(output.status.success(), "meshwork {command} --json: {}", output.status);
        let value: serde_json::Value = serde_json::from_slice(&output.stdout)?;
        let entries = value.get(list).and_then(|l| l.as_array());
        Ok(entries.with_context(|| format!("meshwork {command} --json has no {list}"))?.len())
    }
}
