//! What the running node says of itself, asked with a short patience: it may be broken.

use super::Machine;
use crate::control::json;
use crate::control::protocol::{Ask, FORMAT, Request, Response};
use mesh_core::sorted::SortedMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;
use upgrade::{Role, Seen, Way};

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Sockets of all nodes of this machine.
fn sockets(machine: &Machine) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for dir in ["/run/meshwork", "/var/run/meshwork"] {
        let Ok(entries) = std::fs::read_dir(machine.at(dir)) else { continue };
        found.extend(entries.flatten().map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "sock")));
        // The second is most often the first under its old name.
        if !found.is_empty() {
            break;
        }
    }
    found.sort();
    found
}

fn ask(socket: &Path, ask: Ask) -> Option<Response> {
    let mut stream = UnixStream::connect(socket).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.set_write_timeout(Some(PATIENCE)).ok()?;
    let mut line = Request { format: FORMAT, id: 0, ask }.to_json();
    line.push(b'\n');
    stream.write_all(&line).ok()?;
    let mut answer = Vec::new();
    BufReader::new(stream).read_until(b'\n', &mut answer).ok()?;
    let mut response = Response::default();
    json::read(&mut response, &serde_json::from_slice(&answer).ok()?).ok()?;
    Some(response)
}

/// Whether the nodes of this machine run, and whether one of them sees a neighbour.
///
/// A node that was killed leaves its socket, so those that answer count.
pub fn look(machine: &Machine) -> Seen {
    let mut seen = Seen { running: None, neighbor: false };
    for socket in sockets(machine) {
        let Some(status) = ask(&socket, Ask::Status).and_then(|r| r.status) else { continue };
        let running = Duration::from_millis(status.uptime_msecs);
        seen.running = Some(seen.running.map_or(running, |d| d.min(running)));
        seen.neighbor |= status.neighbors > 0;
    }
    seen
}

/// The MAC that makes a node's moment its own, and what others have of it; in doubt a relay.
pub fn place(machine: &Machine) -> ([u8; 6], Role) {
    let mut place = ([0; 6], Role::Leaf);
    let mut answered = false;
    for socket in sockets(machine) {
        let Some(mesh) = ask(&socket, Ask::Mesh).and_then(|r| r.mesh) else { continue };
        if !answered {
            place.0 = mesh.node.mesh_address.0.0;
            answered = true;
        }
        let ways = ask(&socket, Ask::Neighbors).zip(ask(&socket, Ask::Originators)).map(|(n, o)| ways(&n, &o));
        // Who offers Internet is needed by others whatever the ways are.
        let leaf = mesh.gw_mode != "server" && ways.is_some_and(|ways| Role::of(&ways, mesh.hop_penalty) == Role::Leaf);
        if !leaf {
            place.1 = Role::Relay;
        }
    }
    if answered { place } else { (place.0, Role::Relay) }
}

/// The table of ways, with originator addresses in place of the neighbours' interfaces.
fn ways(neighbors: &Response, originators: &Response) -> Vec<Way> {
    let known: SortedMap<[u8; 6], [u8; 6]> = neighbors
        .neighbors
        .iter()
        .flatten()
        .filter_map(|n| Some((n.neigh_address.0.0, n.orig_address.as_ref()?.0.0)))
        .collect();
    let ways = originators.originators.iter().flatten().map(|o| {
        let via = o.neigh_address.0.0;
        Way {
            to: o.orig_address.0.0,
            via: known.get(&via).copied().unwrap_or(via),
            best: o.best,
            metric: o.throughput.unwrap_or_else(|| o.tq.unwrap_or(0).into()),
        }
    });
    ways.collect()
}
