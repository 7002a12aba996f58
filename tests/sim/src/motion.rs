//! Nodes that move: random waypoint in a square, and the links that follow from where they are.

use crate::topology::{Graph, Point, closest, in_range, scatter};
use mesh_core::rng::Rng;

/// Where the nodes are and where each of them is heading.
#[derive(Clone, Debug)]
pub struct Walk {
    side: u64,
    rng: Rng,
    at: Vec<Point>,
    goal: Vec<Point>,
}

impl Walk {
    /// `n` nodes at random in a square with sides of `side` millimetres.
    pub fn new(n: usize, side: u64, seed: u64) -> Self {
        let mut rng = Rng::new(seed ^ 0x7761_6c6b);
        let at = scatter(n, side, &mut rng);
        let goal = scatter(n, side, &mut rng);
        Self { side, rng, at, goal }
    }

    /// Every node goes up to `stride` millimetres towards its goal, and takes a new goal when it
    /// is there.
    pub fn step(&mut self, stride: i64) {
        for (at, goal) in self.at.iter_mut().zip(&mut self.goal) {
            let (x, y) = (goal.0 - at.0, goal.1 - at.1);
            let distance = (x * x + y * y).isqrt();
            if distance <= stride {
                *at = *goal;
                *goal = ((self.rng.next_u64() % self.side) as i64, (self.rng.next_u64() % self.side) as i64);
            } else {
                *at = (at.0 + x * stride / distance, at.1 + y * stride / distance);
            }
        }
    }

    /// Positions in millimetres.
    pub fn points(&self) -> &[Point] {
        &self.at
    }

    /// Links between all pairs within `range` millimetres.
    pub fn in_range(&self, range: u64) -> Graph {
        in_range(&self.at, range)
    }

    /// The `links` shortest links.
    pub fn closest(&self, links: usize) -> Graph {
        closest(&self.at, links)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_runs_or_leaves() {
        let mut walk = Walk::new(30, 1_000_000, 9);
        for _ in 0..200 {
            let before = walk.points().to_vec();
            walk.step(30_000);
            for (p, q) in before.iter().zip(walk.points()) {
                let (x, y) = (p.0 - q.0, p.1 - q.1);
                assert!((x * x + y * y).isqrt() <= 30_000);
                assert!((0..1_000_000).contains(&q.0) && (0..1_000_000).contains(&q.1));
            }
        }
    }
}
