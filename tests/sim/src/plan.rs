//! Builds worlds out of graphs.

use crate::channel::Quality;
use crate::medium::{Air, Medium};
use crate::topology::Graph;
use crate::world::World;
use mesh_core::{Duration, MeshConfig};
use packet::MacAddr;

/// What all nodes of a world have in common.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Seed of the world.
    pub seed: u64,
    /// Settings of every node.
    pub config: MeshConfig,
    /// Quality of every link, both ways.
    pub quality: Quality,
    /// MTU of every hard interface.
    pub mtu: usize,
    /// Nodes start at a random moment within this time.
    pub spread: Duration,
}

impl Plan {
    /// Default settings, wires of MTU 1532, start within 100 ms.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            config: MeshConfig::new(MacAddr::ZERO),
            quality: Quality::WIRE,
            mtu: 1532,
            spread: Duration::from_millis(100),
        }
    }

    /// One hard interface per node on one medium, heard by the neighbours in the graph only: the
    /// model of meshnet-lab. Medium 0, station numbers are node numbers.
    pub fn ether(&self, graph: &Graph) -> World {
        self.shared(graph, Medium::wire())
    }

    /// The same on a radio: neighbours share the air.
    pub fn radio(&self, graph: &Graph, air: Air) -> World {
        self.shared(graph, Medium::radio(air))
    }

    /// A cable and two hard interfaces of its own for every edge.
    pub fn wires(&self, graph: &Graph) -> World {
        let mut world = self.nodes(graph);
        for &(a, b) in &graph.edges {
            let medium = world.add_medium(Medium::wire());
            for node in [a, b] {
                world.add_port(node, medium, self.mtu, 0);
            }
            world.media[medium].set_reach(0, 1, Some(self.quality));
            world.media[medium].set_reach(1, 0, Some(self.quality));
        }
        world.start_all(self.spread);
        world
    }

    fn shared(&self, graph: &Graph, medium: Medium) -> World {
        let mut world = self.nodes(graph);
        let medium = world.add_medium(medium);
        for node in 0..graph.n {
            world.add_port(node, medium, self.mtu, 0);
        }
        world.rewire(medium, graph, self.quality);
        world.start_all(self.spread);
        world
    }

    fn nodes(&self, graph: &Graph) -> World {
        let mut world = World::new(self.seed);
        for _ in 0..graph.n {
            world.add_node(&self.config);
        }
        world
    }
}
