//! A made-up node for tests of the control socket and of the commands that ask over it.
#![allow(missing_docs, unreachable_pub, dead_code, reason = "shared by test programs that each use a part")]
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "test code")]

use mesh_core::queue::{Class, QueueCounts};
use mesh_core::snapshot::{
    AddressView, BackboneView, BlaView, ClaimView, GatewayView, GlobalClientView, LinkView, LocalClientView,
    MulticastView, NeighborView, OriginatorView, PathView, Querier, Snapshot,
};
use mesh_core::{
    Count, Counters, Drop as DropReason, Duration, EchoAnswer, Event, GatewayMode, LinkId, MeshConfig, Meter, MeterEnd,
    MeterReport,
};
use meshwork::control::About;
use meshwork::control::protocol::{ConfigView, Reload};
use meshwork::history::{Figures, Key, Point, Told};
use meshwork::io::{IoCounters, PortCounters};
use meshwork::ledger::{Date, Ledger, NodeSums, Sums};
use meshwork::run::{CommonsView, ControlRequest, Giving, LinkSetup, NodeSnapshot, Remembered, RunSetup, Wanted};
use packet::{MacAddr, Vid};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::mpsc;

pub fn mac(last: u8) -> MacAddr {
    MacAddr([2, 0, 0, 0, 0, last])
}

/// A folder for sockets that is gone afterwards.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("meshwork-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub fn setup() -> RunSetup {
    let link = |name: &str, hop_penalty| LinkSetup {
        name: name.into(),
        hop_penalty,
        throughput: None,
        measure: mesh_core::Measure::Blind,
        broadcast_copies: None,
        wifi: None,
        portable: false,
    };
    RunSetup {
        mesh_name: "mesh0".into(),
        links: vec![link("wlan0", 5), link("eth0", 0), link("eth1", 0)],
        mesh: MeshConfig::new(MacAddr::ZERO),
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

pub fn snapshot(clients: u32) -> NodeSnapshot {
    let mut counters = Counters::default();
    counters.add(Count::Tx, 7);
    counters.drop(DropReason::Ttl);
    let mut plane = Counters::default();
    plane.add(Count::Tx, 1);
    let path = |neigh, tq, best| PathView {
        neigh,
        link: LinkId(0),
        link_name: "wlan0".into(),
        tq,
        throughput: 0,
        best,
        share: None,
    };
    let client = |addr, originator, best| GlobalClientView {
        addr,
        vid: Vid::UNTAGGED,
        originator,
        best,
        ttvn: 3,
        last_ttvn: 4,
        crc: 0xdead_beef,
        roaming: false,
        temporary: true,
        wifi: true,
        isolated: false,
    };
    let many = (0..clients).map(|i| client(MacAddr([6, 0, 0, (i >> 16) as u8, (i >> 8) as u8, i as u8]), mac(2), true));
    let named = [client(mac(50), mac(2), true), client(mac(50), mac(3), false)];
    let multicast = MulticastView {
        flags: 0x39,
        known: true,
        bridged: true,
        querier4: Querier::Known,
        querier6: Querier::Shadowing,
    };
    let mesh = Snapshot {
        multicast,
        originator: mac(1),
        host_mac: mac(100),
        algorithm: mesh_core::Algorithm::Iv,
        algorithm_auto: false,
        others: Vec::new(),
        ttvn: 9,
        uptime: Duration::from_millis(61_500),
        links: vec![LinkView {
            id: LinkId(0),
            name: "wlan0".into(),
            mac: mac(1),
            mtu: 1532,
            wifi: true,
            primary: true,
            owner_load: (600, 500),
            seqno: 1,
        }],
        neighbors: vec![NeighborView {
            link: LinkId(0),
            link_name: "wlan0".into(),
            addr: mac(20),
            originator: Some(mac(2)),
            last_seen: Duration::from_millis(1204),
            echo_count: 60,
            receive_count: 62,
            tq: 240,
            throughput: 0,
            rate_source: mesh_core::snapshot::RateSource::Assumed,
            elp_interval: Duration::ZERO,
            meshwork: true,
            dead: false,
            quiet: false,
            distrust: Vec::new(),
        }],
        originators: vec![
            OriginatorView {
                multicast: Some(0x3e),
                addr: mac(2),
                last_seen: Duration::from_millis(300),
                paths: vec![path(mac(20), 240, true), path(mac(21), 17, false)],
                ttvn: 4,
                clients: 1,
                meshwork: true,
                facts: None,
            },
            OriginatorView {
                multicast: None,
                addr: mac(4),
                last_seen: Duration::from_secs(150),
                paths: vec![],
                ttvn: 0,
                clients: 0,
                meshwork: false,
                facts: None,
            },
        ],
        local_clients: vec![local(mac(100), Vid::UNTAGGED, true), local(mac(101), Vid::tagged(7), false)],
        global_clients: named.into_iter().chain(many).collect(),
        addresses: vec![
            address([10, 0, 0, 50].into(), Vid::UNTAGGED, false),
            address([10, 0, 0, 9].into(), Vid::tagged(7), true),
            address("fe80::50".parse().unwrap(), Vid::UNTAGGED, false),
        ],
        bla: bla(),
        gateways: vec![
            GatewayView {
                addr: mac(5),
                selected: true,
                path: Some(path(mac(20), 240, true)),
                down: 205,
                up: 50,
                allowed: true,
                fresh: true,
                last_seen: Duration::from_millis(300),
            },
            GatewayView {
                addr: mac(6),
                selected: false,
                path: None,
                down: 100,
                up: 20,
                allowed: false,
                fresh: false,
                last_seen: Duration::from_secs(9),
            },
        ],
        gateway_mode: GatewayMode::Client,
        gateway_announced: None,
        counters,
    };
    let mut counts = QueueCounts::default();
    counts.sent(Class::Relay, 1000, Duration::from_millis(2));
    let io = IoCounters {
        queues: vec![("wlan0".into(), counts, 3)],
        links: vec![("wlan0".into(), PortCounters { rx_frames: 12, ..PortCounters::default() })],
        ..IoCounters::default()
    };
    let way = |state| meshwork::wan::DirectionView {
        line: Some(48_000),
        allowed: 20_000,
        guests: 19_000,
        owner: 25_000,
        state,
        waits: Some(4_000),
        waiting: 3,
        dropped: 7,
    };
    NodeSnapshot {
        line: Some(meshwork::wan::WanView {
            interface: "wan".into(),
            down: way("free"),
            up: way("full"),
            hosts: vec![std::net::Ipv4Addr::new(192, 0, 2, 1)],
            split: true,
            qdisc: Some("cake".into()),
        }),
        mesh_name: "mesh0".into(),
        host_mtu: 1500,
        mesh,
        plane,
        io,
        alarms: Vec::new(),
        busy: vec![("wlan0".to_owned(), 35)],
        commons: commons(),
        refused: vec![("eth0".into(), "it is a port of the bridge br-lan".into())],
        pid: 42,
        version: "9.9.9",
        rss_bytes: 4096,
    }
}

fn commons() -> CommonsView {
    let day = Some(Date { year: 2026, month: 11, day: 23 });
    let mut ledger = Ledger::default();
    ledger.book(day, Sums { carried: 5000, used_sent: 70, seconds: 60, ..Sums::default() });
    ledger.book_node(day, mac(2), NodeSums { carried: 5000, handed: 4000, used: 70 });
    CommonsView { month: 5000, ledger, air: vec![(LinkId(0), 450)], ..CommonsView::default() }
}

fn address(ip: IpAddr, vid: Vid, contested: bool) -> AddressView {
    AddressView { ip, vid, mac: mac(50), last_seen: Duration::from_millis(75_003), contested, router: ip.is_ipv6() }
}

fn bla() -> BlaView {
    let (own, other) = (mac(1), mac(9));
    let claim = |n, vid, gateway| ClaimView {
        client: mac(n),
        vid,
        gateway,
        own: gateway == own,
        last_used: Duration::from_secs(3),
        crc: 0x3ad8,
    };
    let backbone = |gateway, own, wait| BackboneView {
        gateway,
        vid: Vid::UNTAGGED,
        own,
        last_seen: Duration::from_millis(if own { 0 } else { 2003 }),
        crc: 0x3ad8,
        claims: 1,
        synced: false,
        distrusted: false,
        wait,
    };
    BlaView {
        active: true,
        group: 7,
        last_loop: None,
        claims: vec![claim(50, Vid::UNTAGGED, own), claim(51, Vid::tagged(7), other)],
        backbones: vec![backbone(own, true, Some(Duration::from_millis(12_500))), backbone(other, false, None)],
    }
}

pub fn local(addr: MacAddr, vid: Vid, permanent: bool) -> LocalClientView {
    LocalClientView {
        addr,
        vid,
        last_seen: Duration::from_millis(2500),
        permanent,
        new: !permanent,
        pending: false,
        roamed: false,
        wifi: false,
        isolated: false,
        crc: 0x0000_00ff,
    }
}

/// Answers like a main loop: echoes to `mac(2)` come back, others do not.
pub async fn fake_node(mut asked: mpsc::Receiver<ControlRequest>, clients: u32) {
    let mut meters = Vec::new();
    while let Some(request) = asked.recv().await {
        match request {
            ControlRequest::Snapshot(to) => {
                let _ = to.send(snapshot(clients));
            }
            ControlRequest::Echo(echo, to) if echo.dst == mac(2) => {
                let route = if echo.record_route { vec![mac(1), mac(2), mac(1)] } else { vec![] };
                let from = if echo.ttl == 1 { mac(3) } else { mac(2) };
                let answer = EchoAnswer {
                    from,
                    uid: echo.uid,
                    seqno: echo.seqno,
                    ttl: 49,
                    ttl_exceeded: echo.ttl == 1,
                    route,
                    rtt: Some(Duration::from_micros(1234)),
                };
                to.send(answer).await.unwrap();
            }
            // Dropping the sender is what the loop does with a request that is too old.
            ControlRequest::Echo(_, to) => {
                tokio::spawn(async move { to.closed().await });
            }
            ControlRequest::Subscribe(to) => {
                tokio::spawn(async move {
                    for event in [
                        Event::NeighborNew { link: LinkId(0), neigh: mac(20) },
                        Event::OriginatorNew(mac(2)),
                        Event::ClientRoamed { client: mac(50), vid: Vid::tagged(7), to_us: true },
                        Event::TableFull("originators"),
                    ] {
                        to.send(event).await.unwrap();
                    }
                    to.closed().await;
                });
            }
            // A test that gets 1000 bytes through per second, to whomever.
            ControlRequest::Meter(Meter::Start { ask, dst, length }, Some(to)) => {
                let report = |secs: u64, end| MeterReport {
                    ask,
                    dst,
                    elapsed: Duration::from_secs(secs),
                    bytes: 1000 * secs,
                    repeated: 2,
                    end,
                };
                to.send(report(1, None)).await.unwrap();
                if length < Duration::from_secs(5) {
                    to.send(report(2, Some(MeterEnd::Complete))).await.unwrap();
                } else {
                    meters.push((report(2, Some(MeterEnd::Cancelled)), to));
                }
            }
            ControlRequest::Meter(Meter::Stop { ask }, None) => {
                for (report, to) in meters.extract_if(.., |(report, _)| report.ask == ask) {
                    to.send(report).await.unwrap();
                }
            }
            ControlRequest::Meter(..) => panic!("a start has a channel, a stop has none"),
            ControlRequest::Configure(..) => panic!("nobody configures over the socket"),
            ControlRequest::History(wanted, to) => {
                let _ = to.send(history(wanted));
            }
        }
    }
}

/// A link of which two steps are remembered.
fn history(wanted: Wanted) -> Remembered {
    let key = Key { neigh: mac(20), link: "wlan0".into() };
    let of = match wanted.of {
        None => Some(Key::node()),
        Some(of) => (of == mac(20) || of == mac(2)).then(|| key.clone()),
    };
    let figures =
        Figures { to: Some(90), owner: Some(1000), relay: Some(2000), changes: Some(1), ..Figures::default() };
    let points = if of.is_some() { vec![Point::new(&figures), Point::ABSENT] } else { vec![] };
    let told = Told { key, orig: Some(mac(2)), gone: Duration::ZERO };
    Remembered { series: vec![told], of, points, age: Duration::ZERO }
}

pub fn about() -> About {
    let reload = Reload { at: 5, changes: vec![], error: Some("m.toml:1:1: nonsense".into()) };
    About {
        setup: Arc::new(setup()),
        http: config::Http::default(),
        config: ConfigView { file: Some("/etc/meshwork.toml".into()), complaints: Vec::new(), reload: Some(reload) },
    }
}
