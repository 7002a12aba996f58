//! Shapes of meshes, as plain graphs. Addresses are fixed by node and port.

use mesh_core::rng::Rng;
use packet::MacAddr;
use std::collections::VecDeque;

/// Nodes `0..n` and which of them hear each other; every edge once, smaller node first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graph {
    /// Number of nodes.
    pub n: usize,
    /// Undirected edges.
    pub edges: Vec<(usize, usize)>,
}

/// A chain.
pub fn line(n: usize) -> Graph {
    Graph { n, edges: (1..n).map(|i| (i - 1, i)).collect() }
}

/// A chain with its ends joined.
pub fn ring(n: usize) -> Graph {
    let mut graph = line(n);
    graph.edges.push((0, n - 1));
    graph
}

/// Two ways from 0 to 3, by 1 and by 2.
pub fn diamond() -> Graph {
    Graph { n: 4, edges: vec![(0, 1), (0, 2), (1, 3), (2, 3)] }
}

/// Columns times rows, joined to the four nodes around (`grid4` of meshnet-lab).
pub fn grid(columns: usize, rows: usize) -> Graph {
    let mut edges = Vec::new();
    for i in 0..columns * rows {
        if i % columns + 1 < columns {
            edges.push((i, i + 1));
        }
        if i + columns < columns * rows {
            edges.push((i, i + columns));
        }
    }
    Graph { n: columns * rows, edges }
}

/// Every node joined to one earlier node at random (`rtree` of meshnet-lab).
pub fn tree(n: usize, seed: u64) -> Graph {
    let mut rng = Rng::new(seed ^ 0x7265_6521);
    Graph { n, edges: (1..n).map(|i| (pick(&mut rng, i), i)).collect() }
}

/// A position in millimetres.
pub type Point = (i64, i64);

/// Points at random in a square with sides of `side` millimetres.
pub fn scatter(n: usize, side: u64, rng: &mut Rng) -> Vec<Point> {
    (0..n).map(|_| ((rng.next_u64() % side) as i64, (rng.next_u64() % side) as i64)).collect()
}

/// All pairs no further apart than `range` millimetres.
pub fn in_range(points: &[Point], range: u64) -> Graph {
    let edges = pairs(points).into_iter().filter(|(d, ..)| *d <= range * range).map(|(_, a, b)| (a, b)).collect();
    Graph { n: points.len(), edges }
}

/// The `links` closest pairs, as the mobility tests of meshnet-lab wire them.
pub fn closest(points: &[Point], links: usize) -> Graph {
    let mut by_distance = pairs(points);
    by_distance.sort_unstable();
    let edges = by_distance.into_iter().take(links).map(|(_, a, b)| (a, b)).collect();
    Graph { n: points.len(), edges }
}

/// Random geometric graph that is connected: `n` points in a unit square whose range grows until
/// every node is reached.
pub fn geometric(n: usize, seed: u64) -> Graph {
    let mut rng = Rng::new(seed ^ 0x6765_6f6d);
    let points = scatter(n, 1_000_000, &mut rng);
    let mut range = 150_000;
    loop {
        let graph = in_range(&points, range);
        if graph.components().len() == 1 {
            return graph;
        }
        range += 25_000;
    }
}

fn pairs(points: &[Point]) -> Vec<(u64, usize, usize)> {
    let mut out = Vec::new();
    for (a, p) in points.iter().enumerate() {
        for (b, q) in points.iter().enumerate().skip(a + 1) {
            let (x, y) = (p.0 - q.0, p.1 - q.1);
            out.push(((x * x + y * y) as u64, a, b));
        }
    }
    out
}

/// A number from 0 up to but not including `n`, which must not be 0.
pub fn pick(rng: &mut Rng, n: usize) -> usize {
    (rng.next_u64() % n as u64) as usize
}

impl Graph {
    /// Neighbours of every node.
    pub fn adjacent(&self) -> Vec<Vec<usize>> {
        let mut out = vec![Vec::new(); self.n];
        for &(a, b) in &self.edges {
            out[a].push(b);
            out[b].push(a);
        }
        out
    }

    /// Hops from one node to all others; `usize::MAX` where there is no way.
    pub fn hops_from(&self, start: usize) -> Vec<usize> {
        let adjacent = self.adjacent();
        let mut hops = vec![usize::MAX; self.n];
        hops[start] = 0;
        let mut queue = VecDeque::from([start]);
        while let Some(at) = queue.pop_front() {
            for &next in &adjacent[at] {
                if hops[next] == usize::MAX {
                    hops[next] = hops[at] + 1;
                    queue.push_back(next);
                }
            }
        }
        hops
    }

    /// Largest distance between two nodes that reach each other.
    pub fn diameter(&self) -> usize {
        (0..self.n).flat_map(|a| self.hops_from(a)).filter(|h| *h != usize::MAX).max().unwrap_or(0)
    }

    /// Sets of nodes that reach each other.
    pub fn components(&self) -> Vec<Vec<usize>> {
        let mut seen = vec![false; self.n];
        let mut out = Vec::new();
        for start in 0..self.n {
            if seen[start] {
                continue;
            }
            let hops = self.hops_from(start);
            let members: Vec<usize> = (0..self.n).filter(|i| hops[*i] != usize::MAX).collect();
            for &m in &members {
                seen[m] = true;
            }
            out.push(members);
        }
        out
    }
}

/// MAC of a node's hard interface.
pub fn port_mac(node: usize, port: usize) -> MacAddr {
    let [hi, lo] = (node as u16).to_be_bytes();
    MacAddr([0x02, 0x11, hi, lo, 0, port as u8])
}

/// MAC of a node's mesh interface.
pub fn host_mac(node: usize) -> MacAddr {
    let [hi, lo] = (node as u16).to_be_bytes();
    MacAddr([0x02, 0x22, hi, lo, 0, 0])
}

/// MAC of a client behind some node.
pub fn client_mac(client: usize) -> MacAddr {
    let [hi, lo] = (client as u16).to_be_bytes();
    MacAddr([0x02, 0x33, hi, lo, 0, 0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_those_of_meshnet_lab() {
        assert_eq!((grid(7, 7).edges.len(), grid(7, 7).diameter()), (84, 12));
        assert_eq!((line(50).edges.len(), line(50).diameter()), (49, 49));
        assert_eq!((ring(6).edges.len(), ring(6).diameter()), (6, 3));
        let tree = tree(50, 1);
        assert_eq!((tree.edges.len(), tree.components().len()), (49, 1));
        assert!((7..=16).contains(&tree.diameter()), "{}", tree.diameter());
    }

    #[test]
    fn geometric_graphs_are_connected_and_reproducible() {
        for seed in 0..20 {
            let graph = geometric(20, seed);
            assert_eq!(graph.components().len(), 1);
            assert_eq!(graph, geometric(20, seed));
        }
        let points = scatter(50, 1_000_000, &mut Rng::new(42));
        assert_eq!(closest(&points, 150).edges.len(), 150);
    }
}
