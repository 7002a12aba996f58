//! Nodes on one radio channel, some of them on LANs with stations: a small world in virtual time.
#![allow(dead_code, reason = "each test program uses a part")]

use crate::side::Side;
use mesh_core::{Duration, Event, Frame, HostInfo, Input, Instant, LinkConfig, LinkId, Mesh, MeshConfig, drive};
use packet::MacAddr;
use std::collections::{BTreeMap, BTreeSet};

const LINK: LinkId = LinkId(0);
/// Time that a frame takes over the mesh, and over a LAN.
const MESH_TIME: Duration = Duration::from_micros(800);
const LAN_TIME: Duration = Duration::from_micros(100);

struct Node {
    mesh: Mesh,
    side: Side,
    /// The LAN that its mesh interface is bridged to.
    lan: Option<usize>,
    alive: bool,
}

/// A station on a LAN; the hosts of nodes without LAN are stations as well.
#[derive(Default)]
pub(crate) struct Station {
    /// How often it received each numbered frame.
    pub(crate) got: BTreeMap<u32, usize>,
}

enum Due {
    Mesh {
        from: usize,
        frame: Frame,
    },
    /// From a node (`Ok`) or from a station (`Err`).
    Lan {
        lan: usize,
        from: Result<usize, MacAddr>,
        frame: Frame,
    },
}

/// The world.
pub(crate) struct World {
    nodes: Vec<Node>,
    pub(crate) stations: BTreeMap<MacAddr, Station>,
    on_lan: BTreeMap<MacAddr, usize>,
    pub(crate) now: Instant,
    due: BTreeMap<(Instant, u64), Due>,
    count: u64,
    pub(crate) events: Vec<(Instant, usize, Event)>,
    /// Frames that were said on LANs.
    pub(crate) said: Vec<(Instant, usize, Vec<u8>)>,
}

/// Originator address of a node.
pub(crate) fn orig(i: usize) -> MacAddr {
    MacAddr([2, 0xe0, 0, 0, 0, i as u8])
}

/// Mesh interface of a node.
pub(crate) fn host(i: usize) -> MacAddr {
    MacAddr([2, 0xba, 0, 0, 0, i as u8])
}

/// A numbered frame.
pub(crate) fn frame(dst: MacAddr, src: MacAddr, number: u32) -> Vec<u8> {
    let mut f = [dst.0, src.0].concat();
    f.extend(0x88b5u16.to_be_bytes());
    f.extend(number.to_be_bytes());
    f.resize(60, 0);
    f
}

impl World {
    /// One node per entry: the LAN that it is bridged to, if any.
    pub(crate) fn new(lans: &[Option<usize>], tune: impl Fn(usize, &mut MeshConfig)) -> Self {
        let now = Instant::from_micros(1_000_000);
        let mut world = Self {
            nodes: Vec::new(),
            stations: BTreeMap::new(),
            on_lan: BTreeMap::new(),
            now,
            due: BTreeMap::new(),
            count: 0,
            events: Vec::new(),
            said: Vec::new(),
        };
        for (i, lan) in lans.iter().enumerate() {
            let mut config = MeshConfig::new(host(i));
            tune(i, &mut config);
            let side = Side::new(i as u64, now);
            let mesh = Mesh::new(config, i as u64 + 1, None, now);
            world.nodes.push(Node { mesh, side, lan: None, alive: true });
            let link = LinkConfig {
                name: "e0".into(),
                mac: orig(i),
                mtu: 1532,
                wifi: false,
                hop_penalty: 0,
                throughput: None,
                measure: mesh_core::Measure::Blind,
                broadcast_copies: None,
            };
            world.input(i, Input::LinkUp(LINK, link));
            world.bridge(i, *lan);
            if lan.is_none() {
                world.stations.insert(host(i), Station::default());
            }
        }
        world
    }

    /// A station on a LAN; also moves one there.
    pub(crate) fn station(&mut self, mac: MacAddr, lan: usize) {
        self.stations.entry(mac).or_default();
        self.on_lan.insert(mac, lan);
    }

    /// Bridges a node's mesh interface to a LAN, or takes it out.
    pub(crate) fn bridge(&mut self, i: usize, lan: Option<usize>) {
        self.nodes[i].lan = lan;
        self.input(i, Input::Host(HostInfo { bridged: lan.is_some(), ..HostInfo::default() }));
    }

    /// New settings of a node.
    pub(crate) fn configure(&mut self, i: usize, tune: impl Fn(&mut MeshConfig)) {
        let mut config = MeshConfig::new(host(i));
        tune(&mut config);
        self.input(i, Input::Configure(config));
    }

    pub(crate) fn kill(&mut self, i: usize) {
        self.nodes[i].alive = false;
    }

    pub(crate) fn mesh(&self, i: usize) -> &Mesh {
        &self.nodes[i].mesh
    }

    /// Frames that the data plane of a node left to its control side.
    pub(crate) fn punts(&self, i: usize) -> usize {
        self.nodes[i].side.wires.punts
    }

    /// Frames dropped by a node, by both halves.
    pub(crate) fn dropped(&self, i: usize, why: mesh_core::Drop) -> u64 {
        let control = self.nodes[i].mesh.snapshot(self.now).counters.dropped(why);
        control + self.nodes[i].side.plane.counters().dropped(why)
    }

    pub(crate) fn input(&mut self, i: usize, input: Input) {
        let now = self.now;
        let Node { mesh, side, .. } = &mut self.nodes[i];
        side.now = now;
        let events = &mut self.events;
        drive(mesh, side, input, now, |e| events.push((now, i, e)));
        while let Some(input) = side.wires.punted.pop_front() {
            drive(mesh, side, input, now, |e| events.push((now, i, e)));
        }
        assert_eq!(mesh.broken_invariant(), None);
        self.collect(i);
    }

    /// A station, or the host of a node without LAN, sends a frame.
    pub(crate) fn send(&mut self, src: MacAddr, bytes: &[u8]) {
        match self.on_lan.get(&src) {
            Some(&lan) => self.plan(LAN_TIME, Due::Lan { lan, from: Err(src), frame: Frame::copy_of(bytes) }),
            None => {
                let i = (0..self.nodes.len()).find(|i| host(*i) == src).expect("a host");
                self.host_sends(i, Frame::copy_of(bytes));
            }
        }
    }

    /// Says something on a LAN that came from no port, to see who believes it.
    pub(crate) fn forge(&mut self, lan: usize, bytes: &[u8]) {
        self.plan(LAN_TIME, Due::Lan { lan, from: Err(MacAddr::ZERO), frame: Frame::copy_of(bytes) });
    }

    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let timer = self.nodes.iter().filter(|n| n.alive).map(|n| n.mesh.poll_timeout()).min();
            let next = self.due.first_key_value().map(|(at, _)| at.0);
            let at = [timer, next].into_iter().flatten().min().unwrap_or(end).max(self.now);
            if at > end {
                self.now = end;
                return;
            }
            self.now = at;
            if next.is_some_and(|n| n <= at) {
                let (_, due) = self.due.pop_first().expect("just seen");
                self.arrive(due);
                continue;
            }
            for i in 0..self.nodes.len() {
                if self.nodes[i].alive && self.nodes[i].mesh.poll_timeout() <= at {
                    self.input(i, Input::Tick);
                    assert!(self.nodes[i].mesh.poll_timeout() > at, "a timer that is always due");
                }
            }
        }
    }

    fn plan(&mut self, after: Duration, due: Due) {
        self.count += 1;
        // Frames do not all take the same time.
        let jitter = Duration::from_micros(self.count * 7919 % 97);
        self.due.insert((self.now + after + jitter, self.count), due);
    }

    fn host_sends(&mut self, i: usize, frame: Frame) {
        let now = self.now;
        let Node { side, .. } = &mut self.nodes[i];
        side.now = now;
        side.plane.host_rx(frame, false, now, &mut side.wires);
        self.input(i, Input::Tick);
    }

    fn arrive(&mut self, due: Due) {
        match due {
            Due::Mesh { from, frame } => {
                let dst = MacAddr(frame.bytes()[..6].try_into().expect("six bytes"));
                for i in 0..self.nodes.len() {
                    if i != from && self.nodes[i].alive && (dst.is_broadcast() || dst == orig(i)) {
                        let now = self.now;
                        let Node { side, .. } = &mut self.nodes[i];
                        side.now = now;
                        side.plane.link_rx(LINK, Frame::copy_of(frame.bytes()), now, &mut side.wires);
                        self.input(i, Input::Tick);
                    }
                }
            }
            Due::Lan { lan, from, frame } => {
                self.said.push((self.now, lan, frame.bytes().to_vec()));
                self.hear(frame.bytes(), |mac, on| on.get(&mac) == Some(&lan) && from != Err(mac));
                for i in 0..self.nodes.len() {
                    if self.nodes[i].alive && self.nodes[i].lan == Some(lan) && from != Ok(i) {
                        self.host_sends(i, Frame::copy_of(frame.bytes()));
                    }
                }
            }
        }
    }

    /// Stations take what is for them.
    fn hear(&mut self, bytes: &[u8], is_there: impl Fn(MacAddr, &BTreeMap<MacAddr, usize>) -> bool) {
        if bytes[12..14] != [0x88, 0xb5] {
            return;
        }
        let dst = MacAddr(bytes[..6].try_into().expect("six bytes"));
        let number = u32::from_be_bytes(bytes[14..18].try_into().expect("four bytes"));
        for (mac, s) in &mut self.stations {
            if (dst == *mac || dst.is_multicast()) && is_there(*mac, &self.on_lan) {
                *s.got.entry(number).or_default() += 1;
            }
        }
    }

    fn collect(&mut self, i: usize) {
        let wires = &mut self.nodes[i].side.wires;
        let (tx, host_frames) = (std::mem::take(&mut wires.tx), std::mem::take(&mut wires.host));
        for (_, frame) in tx {
            self.plan(MESH_TIME, Due::Mesh { from: i, frame });
        }
        for frame in host_frames {
            match self.nodes[i].lan {
                Some(lan) => self.plan(LAN_TIME, Due::Lan { lan, from: Ok(i), frame }),
                None => self.hear(frame.bytes(), |mac, on| mac == host(i) && !on.contains_key(&mac)),
            }
        }
    }

    /// Stations that did not get a numbered broadcast exactly once, but for its sender.
    pub(crate) fn wrong(&self, number: u32, sender: MacAddr) -> BTreeSet<(MacAddr, usize)> {
        let count = |s: &Station| s.got.get(&number).copied().unwrap_or(0);
        self.stations.iter().filter(|(m, s)| **m != sender && count(s) != 1).map(|(m, s)| (*m, count(s))).collect()
    }
}
