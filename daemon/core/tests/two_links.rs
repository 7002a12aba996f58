//! Two nodes with two wires between them: bonding, AP isolation, copies of broadcasts.

mod side;

use mesh_core::queue::Class;
use mesh_core::sorted::SortedMap;
use mesh_core::{
    Algorithm, Behind, Choice, Count, Drop, Duration, Frame, HostInfo, Input, Instant, LinkConfig, LinkId, Measure,
    Mesh, MeshConfig, Station, drive,
};
use packet::{MacAddr, Vid};
use side::Side;

struct Pair {
    nodes: Vec<(Mesh, Side)>,
    now: Instant,
    /// Links that lose everything.
    cut: Vec<LinkId>,
    /// Payload frames per link, of node 0.
    sent: [usize; 2],
    broadcasts: [usize; 2],
    config: MeshConfig,
}

fn link(node: usize, id: u8) -> LinkConfig {
    LinkConfig {
        name: format!("e{id}"),
        mac: MacAddr([2, 0xe0, 0, 0, node as u8, id]),
        mtu: 1532,
        wifi: false,
        hop_penalty: 0,
        // Only V looks at it: the second wire is a fifth slower.
        throughput: Some(if id == 0 { 1000 } else { 800 }),
        measure: Measure::Blind,
        broadcast_copies: (id == 1).then_some(2),
    }
}

fn host(node: usize) -> MacAddr {
    MacAddr([2, 0xba, 0, 0, 0, node as u8])
}

impl Pair {
    fn new(algorithm: Algorithm, tune: impl Fn(&mut MeshConfig)) -> Self {
        let now = Instant::from_micros(1_000_000);
        let mut pair = Self {
            nodes: Vec::new(),
            now,
            cut: Vec::new(),
            sent: [0; 2],
            broadcasts: [0; 2],
            config: MeshConfig::new(host(0)),
        };
        for i in 0..2 {
            let mut config = MeshConfig::new(host(i));
            config.algorithm = Choice::Fixed(algorithm);
            tune(&mut config);
            if i == 0 {
                pair.config = config.clone();
            }
            let side = Side::new(i as u64, now);
            pair.nodes.push((Mesh::new(config, i as u64, None, now), side));
            for id in 0..2 {
                pair.input(i, Input::LinkUp(LinkId(id), link(i, id)));
            }
        }
        // After 24 OGMs links do not rise any more, and a way that only seemed better is left.
        pair.run(Duration::from_secs(30));
        pair
    }

    fn input(&mut self, i: usize, input: Input) {
        let (mesh, side) = &mut self.nodes[i];
        side.now = self.now;
        let mut inputs = vec![input];
        while !inputs.is_empty() {
            for input in inputs.drain(..) {
                drive(mesh, side, input, self.now, |_| {});
            }
            inputs.extend(side.wires.punted.drain(..));
        }
        assert_eq!(mesh.broken_invariant(), None);
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            while self.nodes.iter().any(|(_, side)| !side.wires.tx.is_empty()) {
                for i in 0..2 {
                    for (link, frame) in std::mem::take(&mut self.nodes[i].1.wires.tx) {
                        let count = match frame.bytes()[14] {
                            0x40 => &mut self.sent,
                            1 => &mut self.broadcasts,
                            _ => &mut [0; 2],
                        };
                        if i == 0 {
                            count[usize::from(link.0)] += 1;
                        }
                        if !self.cut.contains(&link) {
                            let (_, side) = &mut self.nodes[1 - i];
                            side.plane.link_rx(link, frame, self.now, &mut side.wires);
                            self.input(1 - i, Input::Tick);
                        }
                    }
                }
            }
            let next = self.nodes.iter().map(|(mesh, _)| mesh.poll_timeout()).min().expect("two nodes");
            if next > end {
                self.now = end;
                return;
            }
            self.now = next.max(self.now);
            for i in 0..2 {
                self.input(i, Input::Tick);
            }
        }
    }

    /// A frame from a client of node `from`; true if the other node delivers it.
    fn send(&mut self, from: usize, src: MacAddr, dst: MacAddr) -> bool {
        let mut bytes = [dst.0, src.0].concat();
        bytes.extend([0x88, 0xb5]);
        bytes.resize(114, 0x5a);
        self.nodes[1 - from].1.wires.host.clear();
        let (_, side) = &mut self.nodes[from];
        side.plane.host_rx(Frame::copy_of(&bytes), false, self.now, &mut side.wires);
        self.input(from, Input::Tick);
        self.run(Duration::from_millis(12));
        self.nodes[1 - from].1.wires.host.iter().any(|f| f.bytes() == bytes)
    }

    /// Frames per link out of 100 from node 0, and how many arrived.
    fn hundred(&mut self) -> ([usize; 2], usize) {
        self.sent = [0; 2];
        let arrived = (0..100).filter(|_| self.send(0, host(0), host(1))).count();
        (self.sent, arrived)
    }

    fn dropped(&self, i: usize, why: Drop) -> u64 {
        let (mesh, side) = &self.nodes[i];
        mesh.snapshot(self.now).counters.dropped(why) + side.plane.counters().dropped(why)
    }
}

#[test]
fn two_wires_are_used_in_turn() {
    for algorithm in [Algorithm::Iv, Algorithm::V] {
        let mut p = Pair::new(algorithm, |cfg| cfg.bonding = true);
        assert_eq!(p.hundred(), ([50, 50], 100), "{algorithm:?}");
        // A wire that loses everything takes half of it, and is left when its OGMs are missing.
        p.cut.push(LinkId(1));
        let (_, arrived) = p.hundred();
        assert!((40..=100).contains(&arrived), "{algorithm:?}: {arrived} of 100 in the first 1.2 s");
        p.run(Duration::from_secs(10));
        assert_eq!(p.hundred(), ([100, 0], 100), "{algorithm:?}");
        p.cut.clear();
        p.run(Duration::from_secs(20));
        assert_eq!(p.hundred(), ([50, 50], 100), "{algorithm:?}");
        // Told, it is left at once.
        p.input(0, Input::LinkDown(LinkId(0)));
        assert_eq!(p.hundred(), ([0, 100], 100), "{algorithm:?}");
    }
}

/// What the system knows of a dead neighbour is believed at once, and taken back by the first frame.
#[test]
fn a_pulled_cable_and_a_lost_station_are_left_at_once() {
    for algorithm in [Algorithm::Iv, Algorithm::V] {
        for carrier in [true, false] {
            let mut p = Pair::new(algorithm, |_| {});
            let (before, arrived) = p.hundred();
            assert!(before.contains(&100) && arrived == 100, "{algorithm:?} {before:?}");
            let used = LinkId(u8::from(before[1] == 100));
            let (name, far) = (p.nodes[0].0.own_orig(), link(1, used.0).mac);
            p.cut.push(used);
            p.input(
                0,
                match carrier {
                    true => Input::CarrierLost(used),
                    false => Input::Station(used, far, Station::Gone),
                },
            );
            let (now, arrived) = p.hundred();
            assert_eq!((now[1 - usize::from(used.0)], arrived), (100, 100), "{algorithm:?} {carrier}");
            assert_eq!(p.nodes[0].0.own_orig(), name, "the node keeps its name");
            p.cut.clear();
            p.run(Duration::from_secs(20));
            let silent =
                p.nodes[0].0.snapshot(p.now).neighbors.iter().filter(|n| n.last_seen > Duration::from_secs(2)).count();
            assert_eq!(silent, 0, "{algorithm:?}");
            assert_eq!(p.hundred().1, 100);
        }
    }
}

/// Frames that a radio could not deliver are no proof, but reason to ask: without them the first
/// question waits until the neighbour was silent for a while.
#[test]
fn failed_transmissions_make_a_neighbour_be_asked() {
    for algorithm in [Algorithm::Iv, Algorithm::V] {
        let mut p = Pair::new(algorithm, |_| {});
        let asked = |p: &Pair| p.nodes[0].0.snapshot(p.now).counters.count(Count::ProbeTx);
        let before = asked(&p);
        p.input(0, Input::Station(LinkId(0), link(1, 0).mac, Station::Failed(0)));
        assert_eq!(asked(&p), before, "{algorithm:?}: nothing was lost");
        p.input(0, Input::Station(LinkId(0), link(1, 0).mac, Station::Failed(3)));
        assert_eq!(asked(&p), before + 1, "{algorithm:?}");
        // It answers, and stays.
        p.run(Duration::from_secs(3));
        assert_eq!(p.hundred().1, 100, "{algorithm:?}");
        // It does not: half a second later it is left.
        p.cut.push(LinkId(0));
        p.input(0, Input::Station(LinkId(0), link(1, 0).mac, Station::Failed(3)));
        p.run(Duration::from_millis(600));
        assert_eq!(p.hundred(), ([0, 100], 100), "{algorithm:?}");
    }
}

#[test]
fn bonding_is_a_choice_that_can_be_changed() {
    for algorithm in [Algorithm::Iv, Algorithm::V] {
        let mut p = Pair::new(algorithm, |_| {});
        let (sent, arrived) = p.hundred();
        assert!(sent.contains(&100) && arrived == 100, "{algorithm:?} {sent:?}");
        for on in [true, false] {
            p.config.bonding = on;
            let config = p.config.clone();
            p.input(0, Input::Configure(config));
            let (sent, arrived) = p.hundred();
            assert_eq!((sent == [50, 50], arrived), (on, 100), "{algorithm:?} {sent:?}");
        }
    }
}

#[test]
fn clients_with_the_same_mark_are_kept_apart() {
    let (a, b) = (MacAddr([2, 0xcc, 0, 0, 0, 1]), MacAddr([2, 0xcc, 0, 0, 0, 2]));
    for isolated in [false, true] {
        let tune = |cfg: &mut MeshConfig| {
            (cfg.wifi_clients, cfg.isolated_clients) = (!isolated, isolated);
            cfg.ap_isolation = true;
        };
        let mut p = Pair::new(Algorithm::Iv, tune);
        assert!(p.send(0, a, MacAddr::BROADCAST) && p.send(1, b, MacAddr::BROADCAST), "broadcasts pass");
        p.run(Duration::from_secs(5));
        assert!(!p.send(0, a, b) && !p.send(1, b, a));
        assert_eq!((p.dropped(0, Drop::Isolated), p.dropped(1, Drop::Isolated)), (1, 1), "at the first node");
        assert!(p.send(0, a, host(1)) && p.send(1, host(1), a), "nodes themselves are not marked");
        // Where only the receiving node isolates, it is the one that drops.
        p.config.ap_isolation = false;
        let config = p.config.clone();
        p.input(0, Input::Configure(config));
        assert!(!p.send(0, a, b));
        assert_eq!((p.dropped(0, Drop::Isolated), p.dropped(1, Drop::Isolated)), (1, 2));
    }
    let mut p = Pair::new(Algorithm::Iv, |cfg| cfg.wifi_clients = true);
    assert!(p.send(0, a, MacAddr::BROADCAST) && p.send(1, b, MacAddr::BROADCAST));
    p.run(Duration::from_secs(5));
    assert!(p.send(0, a, b) && p.send(1, b, a), "off by default");
    p.config.ap_isolation = true;
    let config = p.config.clone();
    p.input(0, Input::Configure(config));
    assert!(!p.send(0, a, b), "switched on while it runs");
}

#[test]
fn isolation_may_leave_vlans_out() {
    let (a, b) = (MacAddr([2, 0xcc, 0, 0, 0, 1]), MacAddr([2, 0xcc, 0, 0, 0, 2]));
    let tune = |cfg: &mut MeshConfig| {
        (cfg.isolated_clients, cfg.ap_isolation) = (true, true);
        cfg.isolation_vlans = vec![Vid::tagged(7)];
    };
    let mut p = Pair::new(Algorithm::Iv, tune);
    assert!(p.send(0, a, MacAddr::BROADCAST) && p.send(1, b, MacAddr::BROADCAST));
    p.run(Duration::from_secs(5));
    assert!(p.send(0, a, b) && p.send(1, b, a), "only VLAN 7 counts");
    p.config.isolation_vlans = vec![Vid::UNTAGGED];
    let config = p.config.clone();
    p.input(0, Input::Configure(config));
    assert!(!p.send(0, a, b), "changed while it runs");
}

#[test]
fn the_bridge_tells_who_is_marked() {
    let (a, b) = (MacAddr([2, 0xcc, 0, 0, 0, 1]), MacAddr([2, 0xcc, 0, 0, 0, 2]));
    let mut p = Pair::new(Algorithm::Iv, |cfg| cfg.ap_isolation = true);
    assert!(p.send(0, a, MacAddr::BROADCAST) && p.send(1, b, MacAddr::BROADCAST));
    p.run(Duration::from_secs(5));
    let behind = Behind { isolated: true, ..Behind::default() };
    p.input(0, Input::Host(HostInfo { marked: [(a, behind)].into(), ..HostInfo::default() }));
    p.run(Duration::from_secs(5));
    assert!(p.send(0, a, b) && p.send(1, b, a), "one of them alone is not kept apart");
    p.input(1, Input::Host(HostInfo { marked: [(b, behind)].into(), ..HostInfo::default() }));
    p.run(Duration::from_secs(5));
    assert!(!p.send(0, a, b) && !p.send(1, b, a));
    let other = Behind { wifi: true, ..Behind::default() };
    p.input(1, Input::Host(HostInfo { marked: [(b, other)].into(), ..HostInfo::default() }));
    p.run(Duration::from_secs(5));
    assert!(p.send(0, a, b) && p.send(1, b, a), "marks of different kinds");
}

#[test]
fn the_bridge_tells_who_is_a_guest() {
    let a = MacAddr([2, 0xcc, 0, 0, 0, 1]);
    let mut p = Pair::new(Algorithm::Iv, |_| {});
    let guest = Behind { guest: true, ..Behind::default() };
    let mut told = |marked: &[(MacAddr, Behind)]| {
        let mut all = SortedMap::new();
        all.extend(marked.iter().copied());
        p.input(0, Input::Host(HostInfo { marked: all, ..HostInfo::default() }));
        p.nodes[0].1.plane.fib().class_of(a)
    };
    assert_eq!(told(&[]), Class::Owner);
    assert_eq!(told(&[(a, guest)]), Class::Guest);
    assert_eq!(told(&[(a, Behind::default())]), Class::Owner, "moved to another port");
}

#[test]
fn broadcasts_are_repeated_as_told() {
    let mut p = Pair::new(Algorithm::V, |_| {});
    p.broadcasts = [0; 2];
    assert!(p.send(0, host(0), MacAddr::BROADCAST));
    assert_eq!(p.broadcasts, [1, 2]);
}
