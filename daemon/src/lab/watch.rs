//! Asks a daemon over its control socket what it sees.

use super::picture::{Metric, Route, Seen};
use crate::control::client::{Client, ClientError};
use crate::control::protocol::Ask;
use std::path::Path;

/// Neighbours and best routes of the daemon behind a socket, and the memory of its process.
///
/// # Errors
/// It does not answer (yet).
pub(crate) async fn observe(socket: &Path, pid: u32) -> Result<Seen, ClientError> {
    let mut daemon = Client::connect(socket).await?;
    let neighbors = daemon.ask(Ask::Neighbors).await?.neighbors.unwrap_or_default();
    let originators = daemon.ask(Ask::Originators).await?.originators.unwrap_or_default();
    let best = originators.into_iter().filter(|way| way.best);
    Ok(Seen {
        neighbors: neighbors.into_iter().map(|n| (n.neigh_address.0, Metric::of(n.tq, n.throughput))).collect(),
        routes: best
            .map(|way| {
                let metric = Metric::of(way.tq, way.throughput);
                (way.orig_address.0, Route { next: way.neigh_address.0, metric })
            })
            .collect(),
        rss_bytes: resident(pid).unwrap_or(0),
    })
}

/// Resident memory of a process. Source: proc(5), `VmRSS` in KiB.
fn resident(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_memory_is_known() {
        let rss = resident(std::process::id()).unwrap();
        assert!((100_000..10_000_000_000).contains(&rss), "{rss}");
        assert_eq!(resident(u32::MAX), None);
    }
}
