//! Knows the truth: follows forwarding tables hop by hop, compares routes with shortest paths,
//! and every node's view of every client with where the client is.

use crate::client::{Aim, ClientId};
use crate::node::NodeId;
use crate::topology::Graph;
use crate::world::World;
use mesh_core::fib::{LocalState, Table};
use mesh_core::{Duration, Instant, Snapshot};
use packet::consts::TTL;
use packet::{MacAddr, Vid};
use std::collections::BTreeSet;

/// Where a packet would end up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// At the client, after this many hops.
    Arrives(usize),
    /// The sender knows no originator that serves the client.
    UnknownClient,
    /// This node has no route on.
    NoRoute(NodeId),
    /// This node sends it to somebody who does not hear it.
    Lost(NodeId),
    /// It comes back to a node by the same hard interface.
    Loop(NodeId),
    /// Its TTL runs out.
    TooFar,
    /// It gets to a node that does not serve the client and knows nobody who does.
    WrongNode(NodeId),
}

impl World {
    /// Follows the forwarding tables from a client's node to another client, as a packet would
    /// right now, loss aside.
    pub fn follow(&self, from: ClientId, to: ClientId) -> Fate {
        let target = &self.clients[to];
        self.follow_address(self.clients[from].node, target.node, target.mac, target.vid)
    }

    /// The same for any address.
    pub fn follow_address(&self, start: NodeId, home: NodeId, addr: MacAddr, vid: Vid) -> Fate {
        if start == home {
            return Fate::Arrives(0);
        }
        let Some(fib) = self.nodes[start].fib() else { return Fate::NoRoute(start) };
        let Some(mut orig) = fib.client(addr, vid).map(|c| c.orig) else { return Fate::UnknownClient };
        let (mut at, mut table) = (start, Table::Host);
        let mut seen = BTreeSet::new();
        for hops in 0..usize::from(TTL) {
            let Some(fib) = self.nodes[at].fib() else { return Fate::Lost(at) };
            if fib.is_own(orig) {
                if fib.local(addr, vid) == Some(LocalState::Active) && at == home {
                    return Fate::Arrives(hops);
                }
                match fib.client(addr, vid) {
                    Some(c) if c.orig != orig => orig = c.orig,
                    _ => return Fate::WrongNode(at),
                }
            }
            if !seen.insert((at, table, orig)) {
                return Fate::Loop(at);
            }
            let Some(next) = fib.route(orig, table) else { return Fate::NoRoute(at) };
            let Some(&(node, link)) = self.by_mac.get(&next.neigh) else { return Fate::Lost(at) };
            if !self.hears(at, usize::from(next.link.0), node, usize::from(link.0)) {
                return Fate::Lost(at);
            }
            (at, table) = (node, Table::Link(link));
        }
        Fate::TooFar
    }

    fn hears(&self, from: NodeId, out: usize, to: NodeId, into: usize) -> bool {
        let (Some(p), Some(q)) = (self.nodes[from].ports.get(out), self.nodes[to].ports.get(into)) else {
            return false;
        };
        let up = p.up && q.up && p.medium == q.medium && self.nodes[to].live.is_some();
        up && self.media[p.medium].channel(p.station, q.station).is_some_and(|c| !c.cut)
    }

    /// The graph of running nodes as it is now.
    pub fn graph(&self) -> Graph {
        let mut edges = BTreeSet::new();
        for (a, node) in self.nodes.iter().enumerate() {
            for (i, port) in node.ports.iter().enumerate() {
                let medium = &self.media[port.medium];
                for station in medium.heard_by(port.station) {
                    let (b, j) = (medium.station(station).node, usize::from(medium.station(station).link.0));
                    let runs = node.live.is_some() && self.hears(a, i, b, j) && self.hears(b, j, a, i);
                    if runs && a != b {
                        edges.insert((a.min(b), a.max(b)));
                    }
                }
            }
        }
        Graph { n: self.nodes.len(), edges: edges.into_iter().collect() }
    }

    /// Share of ordered pairs of nodes whose packets would arrive and be answered, in
    /// millionths.
    pub fn reachable(&self) -> u32 {
        let n = self.nodes.len();
        let mut arrives = vec![false; n * n];
        for a in 0..n {
            for b in (0..n).filter(|b| *b != a) {
                arrives[a * n + b] = matches!(self.follow(a, b), Fate::Arrives(_));
            }
        }
        let good = (0..n)
            .flat_map(|a| (0..n).map(move |b| (a, b)))
            .filter(|(a, b)| a != b && arrives[a * n + b] && arrives[b * n + a])
            .count();
        (good * 1_000_000 / (n * (n - 1)).max(1)) as u32
    }

    /// Runs on until this share of ordered pairs is reachable, looking every `step`; `None` if it
    /// is not by `end`.
    pub fn run_until_reachable(&mut self, millionths: u32, step: Duration, end: Instant) -> Option<Instant> {
        while self.now < end {
            self.run_for(step);
            if self.reachable() >= millionths {
                return Some(self.now);
            }
        }
        None
    }

    /// Asks every node's mesh interface from every other one, and the share of ordered pairs in
    /// millionths that got an answer within `wait`.
    pub fn ping_all(&mut self, wait: Duration) -> u32 {
        let n = self.nodes.len();
        let first = self.flows.len();
        for a in 0..n {
            for b in (0..n).filter(|b| *b != a) {
                self.once(a, Aim::Ask(b), 98);
            }
        }
        self.run_for(wait);
        let answered = self.flows[first..].iter().filter(|f| !f.arrived.is_empty()).count();
        (answered * 1_000_000 / (n * (n - 1)).max(1)) as u32
    }

    /// All pairs whose packets go round in a loop right now.
    pub fn loops(&self) -> Vec<(NodeId, NodeId, Fate)> {
        let n = self.nodes.len();
        let mut out = Vec::new();
        for a in (0..n).filter(|a| self.nodes[*a].live.is_some()) {
            for b in (0..n).filter(|b| *b != a) {
                let fate = self.follow(a, b);
                if matches!(fate, Fate::Loop(_) | Fate::TooFar) {
                    out.push((a, b, fate));
                }
            }
        }
        out
    }

    /// Hops of all chosen routes together against the fewest possible, in thousandths; 1000 is
    /// ideal. Pairs that do not reach each other count on neither side.
    pub fn stretch(&self) -> u32 {
        let graph = self.graph();
        let (mut chosen, mut fewest) = (0, 0);
        for a in 0..graph.n {
            let hops = graph.hops_from(a);
            for b in (0..graph.n).filter(|b| *b != a && hops[*b] != usize::MAX) {
                if let Fate::Arrives(h) = self.follow(a, b) {
                    chosen += h;
                    fewest += hops[b];
                }
            }
        }
        (chosen * 1000 / fewest.max(1)) as u32
    }

    /// What every running node believes about every client against where it is: one line for
    /// every difference. Clients in `silent` have not sent since they moved and may be anywhere.
    pub fn client_errors(&self, silent: &[ClientId]) -> Vec<String> {
        let mut errors = Vec::new();
        let views: Vec<Option<Snapshot>> =
            self.nodes.iter().map(|n| n.live.as_ref().map(|l| l.mesh.snapshot(self.now))).collect();
        for (id, node) in self.nodes.iter().enumerate() {
            let (Some(live), Some(view)) = (&node.live, &views[id]) else { continue };
            let mut truth = BTreeSet::new();
            for (c, client) in self.clients.iter().enumerate() {
                let Some(home) = views[client.node].as_ref().map(|v| v.originator) else { continue };
                if client.node == id || silent.contains(&c) {
                    continue;
                }
                truth.insert((client.mac, client.vid));
                match live.plane.fib.client(client.mac, client.vid) {
                    None => errors.push(format!("node {id} does not know client {c} of node {}", client.node)),
                    // Any interface of the right node will do: one that named it before may still be listed.
                    Some(at) if self.by_mac.get(&at.orig).is_none_or(|(n, _)| *n != client.node) || at.roaming => {
                        errors.push(format!(
                            "node {id} believes client {c} of node {} ({}) at {}{}",
                            client.node,
                            home,
                            at.orig,
                            if at.roaming { ", roaming" } else { "" }
                        ))
                    }
                    Some(_) => {}
                }
            }
            for client in &self.clients {
                let here = client.node == id;
                let known = live.plane.fib.local(client.mac, client.vid);
                if !here && known == Some(LocalState::Active) && truth.contains(&(client.mac, client.vid)) {
                    errors.push(format!("node {id} still serves {} of node {}", client.mac, client.node));
                }
            }
            for entry in &view.global_clients {
                if entry.temporary && truth.contains(&(entry.addr, entry.vid)) {
                    errors.push(format!("node {id} holds client {} as temporary only", entry.addr));
                }
            }
            errors.extend(cap_errors(id, node, view));
        }
        errors
    }
}

fn cap_errors(id: NodeId, node: &crate::node::Node, view: &Snapshot) -> Vec<String> {
    let caps = &node.config.caps;
    let links = node.ports.len();
    [
        ("originators", view.originators.len(), caps.originators),
        ("neighbours", view.neighbors.len(), caps.neighbors * links.max(1)),
        ("clients", view.global_clients.len(), caps.clients),
        ("own clients", view.local_clients.len(), caps.local_clients),
    ]
    .into_iter()
    .filter(|(_, have, most)| have > most)
    .map(|(what, have, most)| format!("node {id} holds {have} {what}, cap {most}"))
    .collect()
}
