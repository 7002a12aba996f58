//! A chain of nodes in one loop.
#![allow(dead_code, reason = "each test program uses a part")]
#![allow(unreachable_pub, reason = "shared by test programs")]

use crate::side::Side;
use mesh_core::{Duration, Event, Frame, Input, Instant, LinkConfig, LinkId, Measure, Mesh, MeshConfig, drive};
use packet::MacAddr;

pub struct Node {
    pub mesh: Mesh,
    pub side: Side,
    pub events: Vec<Event>,
}

impl Node {
    pub fn input(&mut self, input: Input, now: Instant) {
        self.side.now = now;
        let events = &mut self.events;
        drive(&mut self.mesh, &mut self.side, input, now, |e| events.push(e));
        while let Some(input) = self.side.wires.punted.pop_front() {
            drive(&mut self.mesh, &mut self.side, input, now, |e| events.push(e));
        }
        assert_eq!(self.mesh.broken_invariant(), None);
    }

    pub fn link_rx(&mut self, link: LinkId, frame: Frame, now: Instant) {
        self.side.now = now;
        self.side.plane.link_rx(link, frame, now, &mut self.side.wires);
        self.input(Input::Tick, now);
    }

    pub fn host_rx(&mut self, frame: Frame, now: Instant) {
        self.side.now = now;
        self.side.plane.host_rx(frame, false, now, &mut self.side.wires);
        self.input(Input::Tick, now);
    }
}

/// Node i has link 0 to the left and link 1 to the right.
pub struct Chain {
    pub nodes: Vec<Node>,
    pub now: Instant,
    pub mtu: usize,
}

pub fn host(i: usize) -> MacAddr {
    MacAddr([2, 0xba, 0, 0, 0, i as u8])
}

impl Chain {
    pub fn new(n: usize, mtu: usize, tune: impl Fn(&mut MeshConfig)) -> Self {
        let now = Instant::from_micros(1_000_000);
        let mut chain = Self { nodes: Vec::new(), now, mtu };
        for i in 0..n {
            let mut config = MeshConfig::new(host(i));
            tune(&mut config);
            let side = Side::new(i as u64, now);
            chain.nodes.push(Node { mesh: Mesh::new(config, i as u64 + 1, None, now), side, events: Vec::new() });
        }
        for i in 0..n {
            for side in 0..2 {
                if (side == 0 && i > 0) || (side == 1 && i + 1 < n) {
                    let cfg = LinkConfig {
                        name: format!("e{side}"),
                        mac: MacAddr([2, 0xe0, 0, 0, side, i as u8]),
                        mtu,
                        wifi: false,
                        hop_penalty: 0,
                        throughput: None,
                        measure: Measure::Blind,
                        broadcast_copies: None,
                    };
                    chain.nodes[i].input(Input::LinkUp(LinkId(side), cfg), now);
                }
            }
        }
        chain
    }

    /// Runs until `end`; frames take no time.
    pub fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let mut moved = true;
            while std::mem::take(&mut moved) {
                for i in 0..self.nodes.len() {
                    for (link, frame) in std::mem::take(&mut self.nodes[i].side.wires.tx) {
                        assert!(frame.len() <= self.mtu + 14);
                        let (to, side) = if link.0 == 0 { (i - 1, 1) } else { (i + 1, 0) };
                        self.nodes[to].link_rx(LinkId(side), frame, self.now);
                        moved = true;
                    }
                }
            }
            let next = self.nodes.iter().map(|n| n.mesh.poll_timeout()).min().expect("a chain has nodes");
            if next > end {
                self.now = end;
                return;
            }
            self.now = next.max(self.now);
            let now = self.now;
            for n in &mut self.nodes {
                n.input(Input::Tick, now);
            }
        }
    }

    pub fn send(&mut self, from: usize, dst: MacAddr, len: usize) {
        let mut bytes = [dst.0, host(from).0].concat();
        bytes.extend([0x88, 0xb5]);
        bytes.resize(14 + len, 0x5a);
        let now = self.now;
        self.nodes[from].host_rx(Frame::copy_of(&bytes), now);
        self.run(Duration::from_millis(1));
    }

    /// Lengths of what the mesh interface of a node got.
    pub fn got(&mut self, at: usize) -> Vec<usize> {
        std::mem::take(&mut self.nodes[at].side.wires.host).iter().map(|f| f.len() - 14).collect()
    }
}
