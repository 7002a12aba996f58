//! A chain of nodes in one loop: the shortest proof that the two halves fit together. The real
//! simulator is in `tests/sim`.

use mesh_core::fib::NextHop;
use mesh_core::{
    Count, Counters, DataPlane, Duration, Event, FibChange, Frame, Input, Instant, LinkConfig, LinkId, Measure, Mesh,
    MeshConfig, Plane, PlaneSink, drive,
};
use packet::MacAddr;
use std::collections::VecDeque;

/// What a plane wants done, and what it left to the control side.
#[derive(Default)]
struct Wires {
    tx: Vec<(LinkId, Frame)>,
    host: Vec<Frame>,
    punted: VecDeque<Input>,
}

impl PlaneSink for Wires {
    fn link_tx(&mut self, link: LinkId, frame: Frame) {
        self.tx.push((link, frame));
    }
    fn host_tx(&mut self, frame: Frame) {
        self.host.push(frame);
    }
    fn punt_link(&mut self, link: LinkId, frame: Frame) {
        self.punted.push_back(Input::LinkRx(link, frame));
    }
    fn punt_host(&mut self, frame: Frame) {
        self.punted.push_back(Input::HostRx(frame));
    }
    fn flow(&mut self, next: NextHop) {
        self.punted.push_back(Input::Flow(next));
    }
    fn recycle(&mut self, _: Frame) {}
}

struct Side {
    plane: Plane,
    wires: Wires,
    now: Instant,
}

impl DataPlane for Side {
    fn apply(&mut self, change: &FibChange) {
        self.plane.apply(change);
    }
    fn inject_link(&mut self, link: LinkId, frame: Frame) {
        self.wires.link_tx(link, frame);
    }
    fn inject_host(&mut self, frame: Frame) {
        self.wires.host_tx(frame);
    }
    fn again_link(&mut self, link: LinkId, frame: Frame) {
        self.plane.link_rx(link, frame, self.now, &mut self.wires);
    }
    fn again_host(&mut self, frame: Frame) {
        self.plane.host_rx(frame, true, self.now, &mut self.wires);
    }
    fn counters(&self) -> Counters {
        self.plane.counters().clone()
    }
}

struct Node {
    mesh: Mesh,
    side: Side,
}

impl Node {
    fn input(&mut self, input: Input, now: Instant) {
        self.side.now = now;
        drive(&mut self.mesh, &mut self.side, input, now, |_| {});
        while let Some(input) = self.side.wires.punted.pop_front() {
            drive(&mut self.mesh, &mut self.side, input, now, |_| {});
        }
        assert_eq!(self.mesh.broken_invariant(), None);
    }

    fn link_rx(&mut self, link: LinkId, frame: Frame, now: Instant) {
        self.side.now = now;
        self.side.plane.link_rx(link, frame, now, &mut self.side.wires);
        self.input(Input::Tick, now);
    }

    fn host_rx(&mut self, frame: Frame, now: Instant) {
        self.side.now = now;
        self.side.plane.host_rx(frame, false, now, &mut self.side.wires);
        self.input(Input::Tick, now);
    }
}

/// Node i has link 0 to the left and link 1 to the right.
struct Chain {
    nodes: Vec<Node>,
    now: Instant,
    mtu: usize,
}

fn host(i: usize) -> MacAddr {
    MacAddr([2, 0xba, 0, 0, 0, i as u8])
}

impl Chain {
    fn new(n: usize, mtu: usize, tune: impl Fn(&mut MeshConfig)) -> Self {
        let now = Instant::from_micros(1_000_000);
        let mut chain = Self { nodes: Vec::new(), now, mtu };
        for i in 0..n {
            let mut config = MeshConfig::new(host(i));
            tune(&mut config);
            let plane = Plane::new(i as u64);
            let side = Side { plane, wires: Wires::default(), now };
            chain.nodes.push(Node { mesh: Mesh::new(config, i as u64 + 1, None, now), side });
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
    fn run(&mut self, time: Duration) {
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

    fn send(&mut self, from: usize, dst: MacAddr, len: usize) {
        let mut bytes = [dst.0, host(from).0].concat();
        bytes.extend([0x88, 0xb5]);
        bytes.resize(14 + len, 0x5a);
        let now = self.now;
        self.nodes[from].host_rx(Frame::copy_of(&bytes), now);
        self.run(Duration::from_millis(1));
    }

    /// Lengths of what the mesh interface of a node got.
    fn got(&mut self, at: usize) -> Vec<usize> {
        std::mem::take(&mut self.nodes[at].side.wires.host).iter().map(|f| f.len() - 14).collect()
    }
}

#[test]
fn five_nodes_talk_within_five_seconds() {
    let mut c = Chain::new(5, 1560, |_| {});
    c.run(Duration::from_secs(5));
    for from in 0..5 {
        for to in (0..5).filter(|&to| to != from) {
            c.send(from, host(to), 100);
            assert_eq!(c.got(to), [100], "{from} to {to}");
        }
    }
    assert!(c.nodes[2].mesh.snapshot(c.now).counters.count(Count::FastOgmTx) > 30);
    c.send(1, MacAddr::BROADCAST, 200);
    for to in [0, 2, 3, 4] {
        assert_eq!(c.got(to), [200], "broadcast to {to}");
    }
}

#[test]
fn without_fast_start_it_is_the_kernels_pace() {
    let mut c = Chain::new(5, 1560, |cfg| cfg.fast_start = false);
    c.run(Duration::from_secs(5));
    c.send(0, host(4), 100);
    assert_eq!(c.got(4), [0; 0], "five hops need ten OGMs");
    c.run(Duration::from_secs(10));
    c.send(0, host(4), 100);
    assert_eq!(c.got(4), [100]);
    assert_eq!(c.nodes[2].mesh.snapshot(c.now).counters.count(Count::FastOgmTx), 0);
}

#[test]
fn a_neighbour_with_the_other_algorithm_is_told_once() {
    let mut c = Chain::new(2, 1560, |_| {});
    let elp = [&[0xff; 6][..], &[2, 0, 0, 0, 0, 9, 0x43, 5, 3, 15, 2, 0, 0, 0, 0, 9], &[0; 10]].concat();
    let mut told = 0;
    for _ in 0..3 {
        let Node { mesh, side } = &mut c.nodes[0];
        let input = Input::LinkRx(LinkId(1), Frame::copy_of(&elp));
        drive(mesh, side, input, c.now, |e| told += usize::from(matches!(e, Event::OtherAlgorithm { .. })));
    }
    assert_eq!(told, 1);
}

#[test]
fn fragments_and_large_tables() {
    let mut c = Chain::new(3, 700, |_| {});
    for k in 0..100u8 {
        let mut bytes = [MacAddr::BROADCAST.0, [2, 0xcc, 0, 0, 1, k]].concat();
        bytes.resize(60, 0);
        let now = c.now;
        c.nodes[0].host_rx(Frame::copy_of(&bytes), now);
    }
    c.run(Duration::from_secs(8));
    let at_far_end = c.nodes[2].mesh.snapshot(c.now);
    let of_first = at_far_end.global_clients.iter().filter(|g| !g.temporary).count();
    assert_eq!(of_first, 102, "100 clients and two mesh interfaces");
    c.send(2, host(0), 1400);
    assert_eq!(c.got(0), [1400]);
}
