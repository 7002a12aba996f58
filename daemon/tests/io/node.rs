//! A whole node: two of them find each other, and the system is put back as it was found.

use crate::world::{Net, Wire, in_namespace, until};
use meshwork::run::{ControlRequest, Giving, LinkSetup, NodeSnapshot, RunSetup, run};
use packet::MacAddr;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, LocalSet};

fn setup(links: &[&str]) -> RunSetup {
    let link = |name: &&str| LinkSetup {
        name: (*name).to_owned(),
        hop_penalty: 0,
        throughput: None,
        measure: mesh_core::Measure::Blind,
        broadcast_copies: None,
        wifi: None,
        portable: false,
    };
    RunSetup {
        mesh_name: "mesh0".to_owned(),
        links: links.iter().map(link).collect(),
        mesh: mesh_core::MeshConfig::new(MacAddr::ZERO),
        radios: Vec::new(),
        host_mac: None,
        host_mtu: None,
        up: true,
        queue: true,
        guests: Vec::new(),
        background: false,
        giving: Giving::default(),
        state_dir: None,
        history_file: None,
        user: None,
        uplink: None,
        wan: None,
    }
}

struct Running {
    control: mpsc::Sender<ControlRequest>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    fn start(setup: RunSetup) -> Self {
        let (control, requests) = mpsc::channel(4);
        let (stop, stopped) = oneshot::channel();
        let task = tokio::task::spawn_local(run(setup, requests, async move {
            let _ = stopped.await;
        }));
        Self { control, stop, task }
    }

    async fn snapshot(&self) -> NodeSnapshot {
        let (to, answer) = oneshot::channel();
        self.control.send(ControlRequest::Snapshot(to)).await.unwrap();
        answer.await.unwrap()
    }

    async fn configure(&self, setup: RunSetup) -> Result<String, String> {
        let (to, answer) = oneshot::channel();
        self.control.send(ControlRequest::Configure(Box::new(setup), to)).await.unwrap();
        answer.await.unwrap()
    }

    async fn stop(self) {
        self.stop.send(()).unwrap();
        self.task.await.unwrap().unwrap();
    }

    /// Waits until `done` holds of a snapshot.
    async fn until(&self, what: &str, done: impl Fn(&NodeSnapshot) -> bool) -> NodeSnapshot {
        for _ in 0..500 {
            let snapshot = self.snapshot().await;
            if done(&snapshot) {
                return snapshot;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("not within 5 s: {what}: {:?} {:?}", self.snapshot().await.refused, self.snapshot().await.mesh.links);
    }
}

fn in_node_world<F: Future<Output = ()>>(test: impl FnOnce() -> F) {
    in_namespace(async || LocalSet::new().run_until(test()).await);
}

/// The other end of the wire says an OGM of its own: enough to be heard as a neighbour.
fn ogm(from: MacAddr, seqno: u32) -> Vec<u8> {
    let mut f = MacAddr::BROADCAST.0.to_vec();
    f.extend(from.0);
    f.extend([0x43, 0x05, 0, 15, 50, 0]);
    f.extend(seqno.to_be_bytes());
    f.extend(from.0);
    f.extend(from.0);
    f.extend([0, 255, 0, 0]);
    f.resize(60, 0);
    f
}

#[test]
fn a_link_that_comes_goes_and_changes_is_followed() {
    in_node_world(async || {
        let mut net = Net::new();
        let node = Running::start(setup(&["a"]));
        let alone = node.until("waits", |s| !s.refused.is_empty()).await;
        assert!(alone.refused[0].1.contains("no such interface"), "{:?}", alone.refused);

        net.pair_down("a", "b");
        net.up("b", true);
        let seen = node.until("taken when it appears", |s| s.mesh.links.len() == 1).await;
        assert!(net.link("a").unwrap().up, "set up, as it was down");
        assert_eq!(seen.mesh.originator, net.link("a").unwrap().mac);

        let wire = Wire::open("b");
        let peer = MacAddr([2, 0, 0, 0, 0, 0x42]);
        wire.send(&ogm(peer, 1));
        node.until("hears a neighbour", |s| s.mesh.neighbors.iter().any(|n| n.addr == peer)).await;
        until("and speaks", || wire.has(|f| f[12..15] == [0x43, 0x05, 0x00])).await;

        let mac = MacAddr([2, 0, 0, 0, 0, 0x31]);
        net.set_mac("a", mac);
        net.set_mtu("a", 1400);
        let changed = |s: &NodeSnapshot| s.mesh.links.iter().any(|l| l.mac == mac && l.mtu == 1400);
        assert_eq!(node.until("MAC and MTU", changed).await.mesh.originator, mac);

        net.remove("a");
        node.until("gone", |s| s.mesh.links.is_empty()).await;
        net.pair("a", "b");
        node.until("back under a new number", |s| s.mesh.links.len() == 1).await;
        let wire = Wire::open("b");
        wire.send(&ogm(peer, 2));
        node.until("hears again", |s| s.mesh.neighbors.iter().any(|n| n.addr == peer)).await;

        net.bridge("br");
        net.set_master("a", Some("br"));
        let refused = node.until("bridge port", |s| s.mesh.links.is_empty()).await;
        assert!(refused.refused[0].1.contains("port of the bridge br"), "{:?}", refused.refused);
        net.set_master("a", None);
        node.until("free again", |s| s.mesh.links.len() == 1).await;

        net.up("a", false);
        node.until("set down by hand", |s| s.mesh.links.is_empty()).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(!net.link("a").unwrap().up, "whoever sets it down later means it");
        node.stop().await;
    });
}

#[test]
fn renamed_interfaces_are_followed_by_name() {
    in_node_world(async || {
        let mut net = Net::new();
        net.pair("a", "b");
        net.pair("x", "y");
        let names = |s: &NodeSnapshot| s.mesh.links.iter().map(|l| l.name.clone()).collect::<Vec<_>>();
        let node = Running::start(setup(&["a", "late"]));
        node.until("the one that is there", |s| names(s) == ["a"]).await;
        net.up("x", false);
        net.rename("x", "late");
        node.until("the one that gets the name", |s| names(s) == ["a", "late"]).await;
        net.up("late", false);
        net.rename("late", "x");
        node.until("and loses it", |s| names(s) == ["a"]).await;
        node.stop().await;
    });
}

#[test]
fn the_system_is_put_back_as_it_was_found() {
    in_node_world(async || {
        let mut net = Net::new();
        net.pair_down("a", "b");
        net.pair("c", "d");
        let node = Running::start(setup(&["a", "c", "lo"]));
        let running = node.until("both in use", |s| s.mesh.links.len() == 2).await;
        assert_eq!(running.refused.len(), 1);
        assert!(running.refused[0].1.contains("loopback"));
        let mesh = net.link("mesh0").unwrap();
        assert!(mesh.up && mesh.mtu == 1500);
        assert_eq!(mesh.mac, running.mesh.host_mac);
        assert_eq!(mesh.mac.0[0] & 3, 2, "locally administered");
        node.stop().await;
        assert!(net.link("mesh0").is_none());
        assert!(!net.link("a").unwrap().up, "was down before");
        assert!(net.link("c").unwrap().up, "was up before");

        let again = Running::start(setup(&["a", "c"]));
        let running = again.until("runs again", |s| s.mesh.links.len() == 2).await;
        assert_eq!(running.mesh.host_mac, mesh.mac, "the same address after a restart");
        again.stop().await;
    });
}

#[test]
fn the_mtu_follows_the_hard_interfaces_until_somebody_sets_it() {
    in_node_world(async || {
        let mut net = Net::new();
        net.pair("a", "b");
        let mut without = setup(&["a"]);
        without.mesh.fragmentation = false;
        let node = Running::start(without.clone());
        node.until("1500 less 32", |s| s.host_mtu == 1468).await;
        assert_eq!(net.link("mesh0").unwrap().mtu, 1468);
        net.set_mtu("a", 1532);
        node.until("fits now", |s| s.host_mtu == 1500).await;
        net.set_mtu("mesh0", 1280);
        node.until("by hand", |s| s.host_mtu == 1280).await;
        net.set_mtu("a", 1500);
        node.until("the link changes", |s| s.mesh.links.iter().any(|l| l.mtu == 1500)).await;
        assert_eq!(net.link("mesh0").unwrap().mtu, 1280, "and stays as it was set");
        without.host_mtu = Some(1400);
        assert!(node.configure(without).await.unwrap().contains("MTU"));
        assert_eq!(net.link("mesh0").unwrap().mtu, 1400);
        node.stop().await;
    });
}

#[test]
fn settings_change_while_it_runs() {
    in_node_world(async || {
        let mut net = Net::new();
        net.pair("a", "b");
        net.pair("c", "d");
        let node = Running::start(setup(&["a"]));
        node.until("first link", |s| s.mesh.links.len() == 1).await;
        assert_eq!(node.configure(setup(&["a"])).await.unwrap(), "nothing changed");
        assert!(node.configure(setup(&["a", "c"])).await.unwrap().contains("hard interfaces"));
        assert_eq!(node.snapshot().await.mesh.links.len(), 2);
        let mut other_name = setup(&["a"]);
        other_name.mesh_name = "mesh1".to_owned();
        assert!(node.configure(other_name).await.unwrap_err().contains("restart"));
        assert_eq!(node.snapshot().await.mesh.links.len(), 2, "untouched");
        let mac = MacAddr([2, 0, 0, 0, 0, 0x99]);
        let mut with_mac = setup(&["c"]);
        with_mac.host_mac = Some(mac);
        node.configure(with_mac).await.unwrap();
        let now = node.snapshot().await;
        assert_eq!((now.mesh.links.len(), now.mesh.host_mac), (1, mac));
        assert_eq!(net.link("mesh0").unwrap().mac, mac);
        // By hand, too.
        let mac = MacAddr([2, 0, 0, 0, 0, 0x9a]);
        net.set_mac("mesh0", mac);
        node.until("address by hand", |s| s.mesh.host_mac == mac).await;
        node.stop().await;
    });
}

#[test]
fn sequence_numbers_outlive_a_restart() {
    in_node_world(async || {
        let mut net = Net::new();
        net.pair("a", "b");
        let dir = std::env::temp_dir().join(format!("meshwork-io-{}", std::process::id()));
        let mut kept = setup(&["a"]);
        kept.state_dir = Some(dir.clone());
        let mut last: Option<u32> = None;
        for _ in 0..3 {
            let node = Running::start(kept.clone());
            let running = node.until("runs", |s| s.mesh.links.len() == 1).await;
            let seqno = running.mesh.links[0].seqno;
            if let Some(last) = last {
                let jump = seqno.wrapping_sub(last);
                assert!(0 < jump && jump < 65536, "from {last} to {seqno}");
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
            last = Some(node.snapshot().await.mesh.links[0].seqno);
            node.stop().await;
        }
        std::fs::remove_dir_all(dir).unwrap();
        until("the interface is gone", || Net::new().link("mesh0").is_none()).await;
    });
}

#[test]
fn two_nodes_of_one_name_cannot_be() {
    in_node_world(async || {
        let node = Running::start(setup(&[]));
        node.until("runs", |s| s.mesh_name == "mesh0").await;
        let second = Running::start(setup(&[]));
        let error = format!("{:#}", second.task.await.unwrap().unwrap_err());
        assert!(error.contains("another program has it"), "{error}");
        node.stop().await;
    });
}
