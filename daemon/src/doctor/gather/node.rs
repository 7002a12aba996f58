//! Asks the node, once before and once after listening, so that what rose meanwhile is known.

use crate::cli::names::Names;
use crate::control::client::ClientError;
use crate::control::protocol::{EventView, Response, Statistics, Status};
use crate::control::{Ask, Client};
use crate::doctor::facts::{Neighbor, Node, Running};
use mesh_core::sorted::{SortedMap, SortedSet};
use packet::MacAddr;
use std::path::Path;
use std::time::Duration;

/// Most events that are kept.
const EVENTS: usize = 256;
/// A node that takes longer is stuck.
const PATIENCE: Duration = Duration::from_secs(8);

/// A visit to a node.
pub(super) enum Visit {
    /// There is nobody, or no answer.
    Nobody(Node),
    /// It answers.
    Node(Box<Talk>),
}

/// A node that answers.
pub(super) struct Talk {
    client: Client,
    before: Status,
    elsewhere: bool,
    /// Its events come here.
    news: Option<Client>,
    events: Vec<EventView>,
}

impl Visit {
    /// Looks whether a node is there and asks it for the first time.
    pub(super) async fn begin(socket: &Path) -> Self {
        match tokio::time::timeout(PATIENCE, Talk::begin(socket)).await {
            Ok(Ok(talk)) => Self::Node(Box::new(talk)),
            Ok(Err(error)) => Self::Nobody(why(&error, socket)),
            Err(_) => Self::Nobody(Node::Silent("it takes too long".to_owned())),
        }
    }

    /// True if a node answers.
    pub(super) fn running(&self) -> bool {
        matches!(self, Self::Node(_))
    }

    /// True if the node lives in another network namespace.
    pub(super) fn elsewhere(&self) -> bool {
        matches!(self, Self::Node(talk) if talk.elsewhere)
    }

    /// The hard interfaces of the node, used or not.
    pub(super) fn interfaces(&self) -> Option<Vec<String>> {
        let Self::Node(talk) = self else { return None };
        Some(talk.before.interfaces.iter().map(|i| i.hard_ifname.clone()).collect())
    }

    /// Collects events; never ends by itself.
    pub(super) async fn listen(&mut self) {
        if let Self::Node(talk) = self
            && let Some(news) = &mut talk.news
        {
            while talk.events.len() < EVENTS
                && let Ok(answer) = news.next().await
            {
                talk.events.extend(answer.event);
            }
        }
        std::future::pending().await
    }

    /// Asks once more and sums up.
    pub(super) async fn end(self) -> Node {
        let mut talk = match self {
            Self::Nobody(node) => return node,
            Self::Node(talk) => talk,
        };
        match tokio::time::timeout(PATIENCE, talk.end()).await {
            Ok(Ok(running)) => Node::Running(Box::new(running)),
            Ok(Err(error)) => Node::Silent(format!("while the doctor listened it stopped answering ({error})")),
            Err(_) => Node::Silent("it takes too long".to_owned()),
        }
    }
}

fn why(error: &ClientError, socket: &Path) -> Node {
    match error {
        ClientError::NoNode { .. } => match others(socket) {
            others if others.is_empty() => Node::Absent,
            others => Node::Others(others),
        },
        ClientError::Denied(_) => Node::Denied,
        other => Node::Silent(other.to_string()),
    }
}

/// Names of other meshes whose nodes answer.
fn others(socket: &Path) -> Vec<String> {
    let entries = socket.parent().and_then(|dir| std::fs::read_dir(dir).ok()).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .map(|e| e.path())
        .filter(|p| p != socket && p.extension().is_some_and(|e| e == "sock"))
        .filter(|p| std::os::unix::net::UnixStream::connect(p).is_ok())
        .filter_map(|p| p.file_stem().map(|n| n.to_string_lossy().into_owned()))
        .collect();
    names.sort();
    names
}

impl Talk {
    async fn begin(socket: &Path) -> Result<Self, ClientError> {
        let mut client = Client::connect(socket).await?;
        let status = client.ask(Ask::Status).await?.status;
        let before = status.ok_or_else(|| ClientError::Refused("it sent no status".to_owned()))?;
        let elsewhere = elsewhere(before.pid);
        // Without events the rest still holds.
        let mut news = Client::connect(socket).await.ok();
        if let Some(client) = &mut news {
            client.ask(Ask::Events).await?;
        }
        Ok(Self { client, before, elsewhere, news, events: Vec::new() })
    }

    async fn end(&mut self) -> Result<Running, ClientError> {
        let status = self.client.ask(Ask::Status).await?;
        let neighbors = self.client.ask(Ask::Neighbors).await?;
        let clients = self.client.ask(Ask::Clients).await?;
        let mesh = self.client.ask(Ask::Mesh).await?;
        Ok(self.sum_up(&status, &neighbors, &clients, &mesh))
    }

    fn sum_up(&self, status: &Response, neighbors: &Response, clients: &Response, mesh: &Response) -> Running {
        let mut running = Running { elsewhere: self.elsewhere, ..Running::default() };
        if let Some(node) = &status.node {
            running.version.clone_from(&node.version);
            running.five = node.algo_name == "BATMAN_V";
            running.originator = node.hard_address.map(|m| m.0);
            running.host_mac = node.mesh_address.0;
        }
        if let Some(mesh) = &mesh.mesh {
            running.fragmentation = mesh.fragmentation_enabled;
            running.orig_interval = Duration::from_millis(mesh.orig_interval.into());
        }
        if let Some(now) = &status.status {
            running.pid = now.pid;
            running.uptime = Duration::from_millis(now.uptime_msecs);
            running.mesh_mtu = now.mesh_mtu;
            running.originators = now.originators;
            running.interfaces = now.interfaces.iter().map(|i| (i.hard_ifname.clone(), i.reason.clone())).collect();
            running.reload_error = now.config.reload.as_ref().and_then(|r| r.error.clone());
            (running.drops, running.sockets, running.punts_lost) = rises(&self.before.statistics, &now.statistics);
        }
        running.neighbors = neighbors
            .neighbors
            .iter()
            .flatten()
            .map(|n| Neighbor {
                mac: n.neigh_address.0,
                interface: n.hard_ifname.clone(),
                echo_count: n.echo_count,
                receive_count: n.receive_count,
            })
            .collect();
        running.clients_elsewhere = elsewhere_too(clients);
        let names = Names::none();
        // What was said while we listened is among the alarms of the last quarter of an hour too.
        let alarms = status.status.iter().flat_map(|s| &s.alarms);
        for e in alarms.chain(&self.events) {
            let told = (e.what.clone(), crate::cli::events::text(e, &names));
            if !running.events.contains(&told) {
                running.events.push(told);
            }
        }
        running
    }
}

/// What rose between two looks: drops, sockets, punts.
type Rises = (SortedMap<String, u64>, Vec<(String, String, u64)>, u64);

fn rises(before: &Statistics, now: &Statistics) -> Rises {
    let drops = now.drops.iter().map(|(name, n)| (name.clone(), n - before.drops.get(name).unwrap_or(&0).min(n)));
    let mut sockets = Vec::new();
    for (interface, counters) in &now.interfaces {
        for (name, n) in counters {
            let old = before.interfaces.get(interface).and_then(|c| c.get(name)).copied().unwrap_or(0);
            if *n > old {
                sockets.push((interface.clone(), name.clone(), n - old));
            }
        }
    }
    (drops.filter(|(_, n)| *n > 0).collect(), sockets, now.punts_lost.saturating_sub(before.punts_lost))
}

/// Own clients that another node announces as well, group addresses aside.
fn elsewhere_too(clients: &Response) -> Vec<(MacAddr, MacAddr)> {
    let own: SortedSet<(MacAddr, i32)> = clients
        .local_clients
        .iter()
        .flatten()
        .filter(|c| c.tt_address.0.is_unicast() && !c.tt_flags.roam && !c.tt_flags.pending)
        .map(|c| (c.tt_address.0, c.tt_vid))
        .collect();
    let others = clients.global_clients.iter().flatten().filter(|c| !c.tt_flags.roam && !c.tt_flags.temp);
    let twice: SortedMap<MacAddr, MacAddr> = others
        .filter(|c| own.contains(&(c.tt_address.0, c.tt_vid)))
        .map(|c| (c.tt_address.0, c.orig_address.0))
        .collect();
    twice.into_iter().collect()
}

/// True if the process lives in another network namespace; false where that cannot be seen.
fn elsewhere(pid: u32) -> bool {
    let namespace = |who: &str| std::fs::read_link(format!("/proc/{who}/ns/net")).ok();
    match (namespace("self"), namespace(&pid.to_string())) {
        (Some(ours), Some(its)) => ours != its,
        _ => false,
    }
}
