//! Who is in reach of whom: generated shapes, and NetJSON files.
//!
//! A file is a NetJSON NetworkGraph: `nodes` with an `id`, `links` with `source` and `target`. A
//! link may carry `loss` and `rate`, among its `properties` or beside them, and `loss_back` when
//! the way from target to source differs. Without `loss` its `cost` is taken as the expected
//! number of transmissions (ETX), as OLSR and B.A.T.M.A.N. graphs have it. Source: netjson.org,
//! NetworkGraph; meshnet-lab's files (no `type`, values beside the ends) are read as well.

use anyhow::{Context, Result, bail, ensure};
use mesh_core::rng::Rng;
use serde::Deserialize;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Most nodes of a neighbourhood; each is a process with some megabytes.
pub(crate) const MAX_NODES: usize = 500;

/// Nodes by name and the links between them.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Topology {
    /// Names, unique, in order.
    pub(crate) nodes: Vec<String>,
    /// Links, each pair once, lower node first.
    pub(crate) links: Vec<Link>,
}

/// A link between two nodes, given by their places in [`Topology::nodes`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Link {
    /// The two ends, lower one first.
    pub(crate) ends: (usize, usize),
    /// Share of frames lost from first to second end and back; `None`: the lab's default.
    pub(crate) loss: [Option<f64>; 2],
    /// Unicast rate in Mbit/s; `None`: the lab's default.
    pub(crate) rate_mbps: Option<f64>,
}

impl Link {
    /// A link with the lab's default quality.
    pub(crate) fn between(a: usize, b: usize) -> Self {
        Self { ends: (a.min(b), a.max(b)), loss: [None; 2], rate_mbps: None }
    }
}

impl Topology {
    /// A generated shape (`line:6`, `grid:3x2`, see [`SHAPES`]) or a file. `seed` places the nodes
    /// of the random shapes.
    ///
    /// # Errors
    /// An unknown shape, a size out of range, a file that is not readable or not a graph.
    pub(crate) fn from_spec(spec: &str, seed: u64) -> Result<Self> {
        if spec.ends_with(".json") || spec.contains('/') {
            let text = std::fs::read_to_string(spec).with_context(|| format!("topology file {spec}"))?;
            return Self::from_netjson(&text).with_context(|| format!("topology file {spec}"));
        }
        let (shape, size) = spec
            .split_once(':')
            .with_context(|| format!("topology {spec:?}: expected {SHAPES}, or the path of a NetJSON file"))?;
        let count = || -> Result<usize> {
            let n = size.parse().ok().filter(|n| (2..=MAX_NODES).contains(n));
            n.with_context(|| format!("topology {spec:?}: expected 2 to {MAX_NODES} nodes after the colon"))
        };
        let (n, pairs) = match shape {
            "line" => (count()?, line(count()?)),
            "ring" => (count()?, ring(count()?)),
            "ladder" => (count()?, grid(count()?.div_ceil(2), 2)),
            "tree" => (count()?, tree(count()?, seed)),
            "full" => (count()?, full(count()?)),
            "random" => (count()?, random(count()?, seed)),
            "grid" => {
                let (columns, rows) = grid_size(size).with_context(|| {
                    format!("topology {spec:?}: expected columns x rows like grid:3x2, at most {MAX_NODES} nodes")
                })?;
                (columns * rows, grid(columns, rows))
            }
            _ => bail!("topology {spec:?}: no such shape; expected {SHAPES}, or the path of a NetJSON file"),
        };
        let links = pairs.into_iter().filter(|(a, b)| *a < n && *b < n).map(|(a, b)| Link::between(a, b)).collect();
        Ok(Self { nodes: (1..=n).map(|i| format!("n{i}")).collect(), links })
    }

    /// Reads a NetJSON NetworkGraph.
    ///
    /// # Errors
    /// What is wrong in it, with line and column where it is not JSON or lacks a member.
    pub(crate) fn from_netjson(text: &str) -> Result<Self> {
        let graph: Graph = serde_json::from_str(text).context("not a NetJSON NetworkGraph")?;
        if let Some(kind) = graph.kind.as_deref().filter(|kind| *kind != "NetworkGraph") {
            bail!("it is a NetJSON {kind}, expected a NetworkGraph");
        }
        let nodes: Vec<String> = graph.nodes.into_iter().map(|node| node.id).collect();
        ensure!((2..=MAX_NODES).contains(&nodes.len()), "it has {} nodes, expected 2 to {MAX_NODES}", nodes.len());
        let mut places = BTreeMap::new();
        for (place, id) in nodes.iter().enumerate() {
            check_name(id)?;
            ensure!(places.insert(id.clone(), place).is_none(), "node {id:?} is there twice");
        }
        let mut links: BTreeMap<(usize, usize), Link> = BTreeMap::new();
        for link in &graph.links {
            let place =
                |id: &str| places.get(id).copied().with_context(|| format!("a link names {id:?}, which is no node"));
            let (a, b) = (place(&link.source)?, place(&link.target)?);
            ensure!(a != b, "node {:?} has a link to itself", link.source);
            link.check().with_context(|| format!("link {} - {}", link.source, link.target))?;
            let entry = links.entry((a.min(b), a.max(b))).or_insert(Link::between(a, b));
            let [there, back] = if a < b { [0, 1] } else { [1, 0] };
            entry.loss[there] = link.loss().or(entry.loss[there]);
            // A graph that lists both directions says the way back itself.
            let back_loss = link.value(|v| v.loss_back);
            entry.loss[back] = back_loss.or(entry.loss[back]).or(link.loss());
            entry.rate_mbps = link.value(|v| v.rate).or(entry.rate_mbps);
        }
        Ok(Self { nodes, links: links.into_values().collect() })
    }

    /// Hops from a node to all others over all links, `None` where no way leads.
    pub(crate) fn distances(&self, from: usize) -> Vec<Option<usize>> {
        let mut distance = vec![None; self.nodes.len()];
        let mut queue = VecDeque::from([(from, 0)]);
        while let Some((node, hops)) = queue.pop_front() {
            match distance.get_mut(node) {
                Some(known @ None) => *known = Some(hops),
                _ => continue,
            }
            for link in &self.links {
                let (a, b) = link.ends;
                if a == node {
                    queue.push_back((b, hops + 1));
                } else if b == node {
                    queue.push_back((a, hops + 1));
                }
            }
        }
        distance
    }

    fn degree(&self, node: usize) -> usize {
        self.links.iter().filter(|link| link.ends.0 == node || link.ends.1 == node).count()
    }

    /// `count` nodes as far from each other as a greedy choice finds, the first node first.
    pub(crate) fn spread(&self, count: usize) -> Vec<usize> {
        let mut chosen: Vec<usize> = Vec::new();
        let mut nearest = vec![usize::MAX; self.nodes.len()];
        let mut next = Some(0).filter(|_| !self.nodes.is_empty());
        while let Some(node) = next.filter(|_| chosen.len() < count) {
            chosen.push(node);
            for (known, hops) in nearest.iter_mut().zip(self.distances(node)) {
                *known = (*known).min(hops.unwrap_or(self.nodes.len()));
            }
            // Of several equally far ones the one at the edge, else the last: the far end.
            let rank = |n: &usize| (nearest.get(*n).copied(), Reverse(self.degree(*n)), *n);
            next = (0..nearest.len()).filter(|n| !chosen.contains(n)).max_by_key(rank);
        }
        chosen.sort_unstable();
        chosen
    }
}

/// What `--topology` takes, for people.
pub(crate) const SHAPES: &str = "line:N, ring:N, ladder:N, grid:COLUMNSxROWS, tree:N, random:N or full:N";

/// A node's name is a word: it is typed in commands and names files.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn check_name(name: &str) -> Result<()> {
    let word = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
    let good = !name.is_empty() && name.len() <= 32 && name.chars().all(word) && !name.starts_with(['.', '-']);
    ensure!(good, "node name {name:?}: expected 1 to 32 letters, digits, or - _ . : inside");
    Ok(())
}

fn line(n: usize) -> Vec<(usize, usize)> {
    (1..n).map(|i| (i - 1, i)).collect()
}

fn ring(n: usize) -> Vec<(usize, usize)> {
    let mut links = line(n);
    if n > 2 {
        links.push((0, n - 1));
    }
    links
}

fn full(n: usize) -> Vec<(usize, usize)> {
    (0..n).flat_map(|b| (0..b).map(move |a| (a, b))).collect()
}

/// Row after row: the right and the lower neighbour.
fn grid(columns: usize, rows: usize) -> Vec<(usize, usize)> {
    let mut links = Vec::new();
    for node in 0..columns * rows {
        if node % columns + 1 < columns {
            links.push((node, node + 1));
        }
        if node / columns + 1 < rows {
            links.push((node, node + columns));
        }
    }
    links
}

/// Every node hangs on one of those before it, picked at random.
fn tree(n: usize, seed: u64) -> Vec<(usize, usize)> {
    let mut rng = Rng::new(seed);
    (1..n).map(|node| (below(&mut rng, node), node)).collect()
}

/// Nodes anywhere in a square, in reach of each other up to the distance that joins them all.
fn random(n: usize, seed: u64) -> Vec<(usize, usize)> {
    let mut rng = Rng::new(seed);
    let places: Vec<_> = (0..n).map(|_| (f64::from(rng.next_u32()), f64::from(rng.next_u32()))).collect();
    let distance = |a: usize, b: usize| {
        let (from, to) = (places[a], places[b]);
        (from.0 - to.0).hypot(from.1 - to.1)
    };
    // Grow a tree by the nearest outsider (Prim): its longest edge is the reach that is needed.
    let mut inside = BTreeSet::from([0]);
    let mut reach: f64 = 0.0;
    while inside.len() < n {
        let outside = (0..n).filter(|b| !inside.contains(b));
        let pairs = outside.flat_map(|b| inside.iter().map(move |a| (*a, b)));
        let Some((a, b)) = pairs.min_by(|x, y| distance(x.0, x.1).total_cmp(&distance(y.0, y.1))) else { break };
        reach = reach.max(distance(a, b));
        inside.insert(b);
    }
    full(n).into_iter().filter(|(a, b)| distance(*a, *b) <= reach).collect()
}

fn grid_size(text: &str) -> Option<(usize, usize)> {
    let (columns, rows) = text.split_once('x')?;
    let (columns, rows): (usize, usize) = (columns.parse().ok()?, rows.parse().ok()?);
    let nodes = columns.checked_mul(rows)?;
    (2..=MAX_NODES).contains(&nodes).then_some((columns, rows))
}

fn below(rng: &mut Rng, n: usize) -> usize {
    let n = u64::try_from(n).unwrap_or(u64::MAX).max(1);
    usize::try_from(rng.next_u64() % n).unwrap_or(0)
}

#[derive(Deserialize)]
struct Graph {
    #[serde(rename = "type")]
    kind: Option<String>,
    nodes: Vec<GraphNode>,
    links: Vec<GraphLink>,
}

#[derive(Deserialize)]
struct GraphNode {
    id: String,
}

#[derive(Deserialize)]
struct GraphLink {
    source: String,
    target: String,
    cost: Option<f64>,
    #[serde(default)]
    properties: Quality,
    #[serde(flatten)]
    beside: Quality,
}

#[derive(Default, Clone, Copy, Deserialize)]
struct Quality {
    loss: Option<f64>,
    loss_back: Option<f64>,
    rate: Option<f64>,
}

impl GraphLink {
    fn value(&self, pick: impl Fn(&Quality) -> Option<f64>) -> Option<f64> {
        pick(&self.properties).or_else(|| pick(&self.beside))
    }

    /// Loss of one direction. ETX = 1 / (there * back), both taken as equal.
    fn loss(&self) -> Option<f64> {
        self.value(|v| v.loss).or_else(|| self.cost.filter(|etx| *etx > 1.0).map(|etx| 1.0 - etx.recip().sqrt()))
    }

    fn check(&self) -> Result<()> {
        for loss in [self.value(|v| v.loss), self.value(|v| v.loss_back)].into_iter().flatten() {
            ensure!((0.0..=1.0).contains(&loss), "loss {loss}: expected 0.0 to 1.0");
        }
        if let Some(rate) = self.value(|v| v.rate) {
            ensure!((0.1..=10_000.0).contains(&rate), "rate {rate}: expected 0.1 to 10000 Mbit/s");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(spec: &str) -> Topology {
        Topology::from_spec(spec, 1).unwrap()
    }

    fn ends(topology: &Topology) -> Vec<(usize, usize)> {
        topology.links.iter().map(|link| link.ends).collect()
    }

    #[test]
    fn shapes_have_their_links() {
        assert_eq!(ends(&shape("line:4")), [(0, 1), (1, 2), (2, 3)]);
        assert_eq!(ends(&shape("ring:4")), [(0, 1), (1, 2), (2, 3), (0, 3)]);
        assert_eq!(ends(&shape("ring:2")), [(0, 1)]);
        assert_eq!(ends(&shape("grid:3x2")), [(0, 1), (0, 3), (1, 2), (1, 4), (2, 5), (3, 4), (4, 5)]);
        assert_eq!(shape("grid:7x7").links.len(), 84);
        assert_eq!(shape("full:5").links.len(), 10);
        assert_eq!(shape("line:3").nodes, ["n1", "n2", "n3"]);
    }

    #[test]
    fn every_shape_joins_all_nodes_at_any_size_and_seed() {
        for spec in ["line", "ring", "ladder", "tree", "random", "full"] {
            for n in [2, 3, 7, 24, 51] {
                for seed in 0..5 {
                    let topology = Topology::from_spec(&format!("{spec}:{n}"), seed).unwrap();
                    assert_eq!(topology.nodes.len(), n);
                    assert!(topology.distances(0).iter().all(Option::is_some), "{spec}:{n} seed {seed}");
                }
            }
        }
    }

    #[test]
    fn wrong_shapes_are_refused_with_what_is_allowed() {
        for spec in ["line", "line:1", "line:x", "line:501", "grid:4", "grid:0x5", "grid:40x40", "star:5", ""] {
            let error = format!("{:#}", Topology::from_spec(spec, 1).unwrap_err());
            assert!(error.contains("expected"), "{spec}: {error}");
        }
        let error = format!("{:#}", Topology::from_spec("no/such.json", 1).unwrap_err());
        assert!(error.contains("no/such.json"), "{error}");
    }

    #[test]
    fn a_netjson_graph_gives_loss_and_rate_per_direction() {
        let text = r#"{"type": "NetworkGraph", "protocol": "olsr", "version": "1", "metric": "ETX",
            "nodes": [{"id": "roof"}, {"id": "barn", "label": "x"}, {"id": "mill"}],
            "links": [
                {"source": "barn", "target": "roof", "cost": 1.0, "properties": {"loss": 0.25, "loss_back": 0.5, "rate": 12}},
                {"source": "barn", "target": "mill", "cost": 4.0},
                {"source": "roof", "target": "mill", "cost": 1.0, "loss": 0.1},
                {"source": "mill", "target": "roof", "cost": 1.0, "loss": 0.2}]}"#;
        let topology = Topology::from_netjson(text).unwrap();
        assert_eq!(topology.nodes, ["roof", "barn", "mill"]);
        assert_eq!(
            topology.links,
            [
                Link { ends: (0, 1), loss: [Some(0.5), Some(0.25)], rate_mbps: Some(12.0) },
                Link { ends: (0, 2), loss: [Some(0.1), Some(0.2)], rate_mbps: None },
                Link { ends: (1, 2), loss: [Some(0.5), Some(0.5)], rate_mbps: None },
            ]
        );
    }

    #[test]
    fn a_bad_graph_says_what_is_wrong() {
        let nodes = r#""nodes": [{"id": "a"}, {"id": "b"}]"#;
        for (text, part) in [
            ("{".to_string(), "line 1"),
            (format!("{{{nodes}}}"), "missing field `links`"),
            (format!(r#"{{"type": "NetworkRoutes", {nodes}, "links": []}}"#), "NetworkRoutes"),
            (format!(r#"{{{nodes}, "links": [{{"source": "a", "target": "z"}}]}}"#), "\"z\", which is no node"),
            (format!(r#"{{{nodes}, "links": [{{"source": "a", "target": "a"}}]}}"#), "itself"),
            (format!(r#"{{{nodes}, "links": [{{"source": "a", "target": "b", "loss": 1.5}}]}}"#), "0.0 to 1.0"),
            (r#"{"nodes": [{"id": "a"}, {"id": "a"}], "links": []}"#.into(), "twice"),
            (r#"{"nodes": [{"id": "a b"}, {"id": "a"}], "links": []}"#.into(), "letters"),
            (r#"{"nodes": [{"id": "a"}], "links": []}"#.into(), "expected 2"),
        ] {
            let error = format!("{:#}", Topology::from_netjson(&text).unwrap_err());
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn clients_are_spread_as_far_as_possible() {
        assert_eq!(shape("line:6").spread(2), [0, 5]);
        assert_eq!(shape("grid:3x2").spread(4), [0, 2, 3, 5]);
        assert_eq!(shape("line:3").spread(9), [0, 1, 2]);
        assert_eq!(shape("line:9").spread(3), [0, 4, 8]);
    }
}
