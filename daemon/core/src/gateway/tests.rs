use super::*;
use crate::border::{Input, Output};
use crate::client::{Arrival, Via};
use crate::config::{Algorithm, Choice, GatewayConfig, LinkConfig, LinkId};
use crate::counters::Drop;
use crate::fib::{FibChange, NextHop, Table};
use crate::frame::Frame;
use crate::originator::{Note, Originator};
use crate::time::Duration;
use packet::consts::ETH_LEN;
use packet::eth::EthHeader;
use packet::unicast::{Unicast4Header, UnicastHeader, subtype};
use packet::{Vid, tvlv};
use std::vec;

const LINK: LinkId = LinkId(0);
const CLIENT: MacAddr = MacAddr([2, 0xc1, 0, 0, 0, 1]);
const ROUTER: MacAddr = MacAddr([2, 0xc1, 0, 0, 0, 0xfe]);

struct Bench {
    mesh: Mesh,
    now: Instant,
}

fn mac(n: u8) -> MacAddr {
    MacAddr([2, 0xe0, 0, 0, 0, n])
}

fn bench(algorithm: Algorithm, tune: impl FnOnce(&mut GatewayConfig)) -> Bench {
    let now = Instant::from_micros(1_000_000);
    let mut cfg = MeshConfig::new(MacAddr([2, 0xba, 0, 0, 0, 1]));
    cfg.algorithm = Choice::Fixed(algorithm);
    cfg.gateway.mode = GatewayMode::Client;
    tune(&mut cfg.gateway);
    let mut mesh = Mesh::new(cfg, 1, None, now);
    let link = LinkConfig {
        name: "e0".into(),
        mac: mac(0),
        mtu: 1532,
        wifi: false,
        hop_penalty: 0,
        throughput: None,
        measure: crate::config::Measure::Never,
        broadcast_copies: None,
    };
    mesh.handle(Input::LinkUp(LINK, link), now);
    Bench { mesh, now }
}

impl Bench {
    /// A way of that metric leads to the originator.
    fn way(&mut self, n: u8, metric: u32) {
        let hop = NextHop { link: LINK, neigh: mac(n) };
        let now = self.now;
        let o = self.mesh.originators.entry(mac(n)).or_insert_with(|| Originator::new(now));
        o.last_seen = now;
        let way = o.way_mut(hop, 8, now);
        if self.mesh.algorithm == Algorithm::V {
            let mut offer = crate::v::Offer::default();
            offer.throughput = metric;
            way.offers = vec![offer];
        } else {
            let note = Note { is_new: true, rising: true };
            for _ in 0..5 {
                o.note(Table::Host, hop, u8::try_from(metric).unwrap(), note, now);
            }
        }
        self.mesh.set_route(mac(n), Table::Host, Some(hop));
    }

    /// The originator's OGM says that it offers this.
    fn offers(&mut self, n: u8, down: u32, up: u32) {
        let value = Gateway::new(down, up);
        let mut bytes = vec![0; 12];
        tvlv::emit(&mut bytes, tvlv::kind::GATEWAY, tvlv::gateway::VERSION, value.as_bytes()).unwrap();
        self.mesh.receive_tvlvs(mac(n), &bytes, self.now);
    }

    fn gateway(&mut self, n: u8, metric: u32, down: u32) {
        self.way(n, metric);
        self.offers(n, down, 10);
    }

    fn selected(&self) -> Option<MacAddr> {
        self.mesh.gateway_selected()
    }

    fn wait(&mut self, secs: u64) {
        for _ in 0..secs {
            self.now += Duration::from_secs(1);
            self.mesh.gateway_work(self.now);
        }
    }

    fn news(&mut self) -> Vec<GatewayNews> {
        let mut news = Vec::new();
        while let Some(output) = self.mesh.poll_output() {
            if let Output::Event(Event::Gateway(n)) = output {
                news.push(n);
            }
        }
        news
    }

    /// What leaves by the hard interface and by the mesh interface when a client sends a frame.
    fn client_sends(&mut self, frame: &[u8]) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
        self.mesh.handle(Input::HostRx(Frame::copy_of(frame)), self.now);
        self.sent()
    }

    fn sent(&mut self) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
        let (mut link, mut host) = (Vec::new(), Vec::new());
        while let Some(output) = self.mesh.poll_output() {
            match output {
                // Own OGMs leave between what is looked at here.
                Output::LinkTx(_, f) if f.bytes().get(ETH_LEN).is_some_and(|t| *t != 0 && *t < 3 || *t >= 0x40) => {
                    link.push(f.bytes().to_vec());
                }
                Output::HostTx(f) => host.push(f.bytes().to_vec()),
                _ => {}
            }
        }
        (link, host)
    }

    /// OGMs that leave, but for those that only sense the link.
    fn ogms(&mut self) -> Vec<Vec<u8>> {
        let out = std::iter::from_fn(|| self.mesh.poll_output());
        let frames = out.filter_map(|o| if let Output::LinkTx(_, f) = o { Some(f.bytes().to_vec()) } else { None });
        frames.filter(|f| f[ETH_LEN] == 0 && f[ETH_LEN + 2] == 50).collect()
    }

    fn drops(&self, why: Drop) -> u64 {
        self.mesh.counters.dropped(why)
    }

    /// An originator announces a client.
    fn serves(&mut self, n: u8, client: MacAddr) {
        let claim =
            crate::tt::global::Claim { key: (client, Vid::UNTAGGED), orig: mac(n), flags: 0, ttvn: 7, temp: false };
        let Mesh { global, out, .. } = &mut self.mesh;
        global.add(claim, &|_| 1, self.now, out).unwrap();
    }

    fn delivered(&mut self, frame: &[u8], via: Via, orig: Option<u8>) -> bool {
        let arrival = Arrival { via, orig: orig.map(mac), neigh: mac(9), link: LINK };
        let done = self.mesh.gateway_to_host(Frame::copy_of(frame), arrival, self.now);
        if let Err(why) = &done {
            assert!(matches!(why, Drop::OtherRouter | Drop::RogueServer), "{why:?}");
        }
        done.is_ok()
    }
}

fn eth(dst: [u8; 6], src: MacAddr, ethertype: u16) -> Vec<u8> {
    EthHeader { dst: MacAddr(dst), src, ethertype: ethertype.into() }.as_bytes().to_vec()
}

/// A DHCP message as a client or a server broadcasts it.
fn dhcp4(src: MacAddr, ports: (u16, u16), chaddr: MacAddr) -> Vec<u8> {
    let mut f = eth([0xff; 6], src, 0x0800);
    let mut ip = vec![0u8; 20 + 8 + 240];
    (ip[0], ip[9]) = (0x45, 17);
    ip[20..22].copy_from_slice(&ports.0.to_be_bytes());
    ip[22..24].copy_from_slice(&ports.1.to_be_bytes());
    ip[28..31].copy_from_slice(&[if ports.1 == 67 { 1 } else { 2 }, 1, 6]);
    ip[56..62].copy_from_slice(&chaddr.0);
    f.extend(ip);
    f
}

fn icmp6(src: MacAddr, kind: u8) -> Vec<u8> {
    let mut f = eth([0x33, 0x33, 0, 0, 0, if kind == 133 { 2 } else { 1 }], src, 0x86dd);
    let mut ip = vec![0u8; 40 + 16];
    (ip[0], ip[5], ip[6], ip[7], ip[40]) = (0x60, 16, 58, 255, kind);
    ip[46..48].copy_from_slice(&1800u16.to_be_bytes());
    f.extend(ip);
    f
}

#[test]
fn class_20_stays_until_another_one_is_better_by_20() {
    let mut b = bench(Algorithm::Iv, |_| {});
    b.gateway(1, 200, 100);
    assert_eq!(b.selected(), Some(mac(1)));
    b.gateway(2, 219, 1000);
    assert_eq!(b.selected(), Some(mac(1)), "19 more are not enough");
    b.way(2, 220);
    b.wait(1);
    assert_eq!(b.selected(), Some(mac(2)));
    let expected = [
        GatewayNews::New { orig: mac(1), down: 100, up: 10 },
        GatewayNews::Selected { orig: Some(mac(1)), before: None },
        GatewayNews::New { orig: mac(2), down: 1000, up: 10 },
        GatewayNews::Selected { orig: Some(mac(2)), before: Some(mac(1)) },
    ];
    assert_eq!(b.news(), expected);
}

#[test]
fn class_1_weighs_bandwidth_and_stays() {
    let mut b = bench(Algorithm::Iv, |c| c.class = 1);
    b.gateway(1, 255, 100);
    b.gateway(2, 200, 1000);
    assert_eq!(b.selected(), Some(mac(1)), "the first one stays");
    b.offers(1, 0, 0);
    assert_eq!(b.selected(), Some(mac(2)));
    b.offers(1, 100, 10);
    b.offers(2, 0, 10);
    assert_eq!(b.selected(), Some(mac(1)));
    // Both are there when a new one is looked for: 200² · 1000 beats 255² · 100.
    b.offers(2, 1000, 10);
    b.way(3, 10);
    b.offers(3, 1, 1);
    b.offers(1, 0, 0);
    assert_eq!(b.selected(), Some(mac(2)));
}

#[test]
fn class_2_stays_and_class_3_moves_to_any_better_one() {
    for (class, expected) in [(2, 1), (3, 2)] {
        let mut b = bench(Algorithm::Iv, |c| c.class = class);
        b.gateway(1, 200, 100);
        b.gateway(2, 200, 100);
        b.wait(1);
        assert_eq!(b.selected(), Some(mac(1)), "no move between equals");
        b.way(2, 201);
        b.wait(1);
        assert_eq!(b.selected(), Some(mac(expected)), "class {class}");
    }
}

#[test]
fn v_compares_what_comes_through() {
    let mut b = bench(Algorithm::V, |_| {});
    b.gateway(1, 1000, 100);
    b.gateway(2, 140, 10_000);
    assert_eq!(b.selected(), Some(mac(1)), "4 Mbit/s more are not 5");
    b.way(2, 150);
    b.wait(1);
    assert_eq!(b.selected(), Some(mac(2)));
    // Behind one slow link all look the same: then the nearer way, then the larger bandwidth.
    let mut b = bench(Algorithm::V, |_| {});
    b.way(1, 10);
    b.way(2, 11);
    b.offers(1, 10, 10);
    b.offers(2, 10, 10);
    b.offers(1, 0, 0);
    b.offers(1, 10, 10);
    b.offers(2, 0, 0);
    b.offers(2, 10, 10);
    assert_eq!(b.selected(), Some(mac(1)));
}

#[test]
fn a_gateway_that_fell_silent_is_left_if_another_one_speaks() {
    let mut b = bench(Algorithm::Iv, |_| {});
    b.gateway(1, 250, 100);
    b.gateway(2, 100, 100);
    for _ in 0..20 {
        b.wait(1);
        b.way(1, 250);
        b.way(2, 100);
    }
    assert_eq!(b.selected(), Some(mac(1)));
    let mut left = 0;
    while b.selected() == Some(mac(1)) && left < 100 {
        b.wait(1);
        b.way(2, 100);
        left += 1;
    }
    assert_eq!((b.selected(), left), (Some(mac(2)), 6));
    b.wait(100);
    assert_eq!(b.selected(), Some(mac(2)), "a silent one is better than none");
    b.way(1, 250);
    b.wait(1);
    assert_eq!(b.selected(), Some(mac(1)), "the better one is back");
}

#[test]
fn slow_rhythms_are_learned() {
    let mut b = bench(Algorithm::Iv, |_| {});
    b.gateway(1, 250, 100);
    b.gateway(2, 100, 100);
    for _ in 0..10 {
        b.way(1, 250);
        b.way(2, 100);
        b.wait(5);
    }
    b.news();
    for _ in 0..3 {
        b.way(2, 100);
        b.wait(5);
    }
    assert_eq!(b.news(), [], "three missing OGMs of a slow one are no silence");
    b.way(2, 100);
    b.wait(5);
    assert_eq!(b.selected(), Some(mac(2)));
}

#[test]
fn only_allowed_and_plausible_gateways() {
    let mut b = bench(Algorithm::Iv, |c| {
        c.allowed = vec![mac(2)];
        c.class = 1;
        c.plausible = 1000;
    });
    b.gateway(1, 255, 100);
    assert_eq!(b.selected(), None);
    b.gateway(2, 100, 100);
    assert_eq!(b.selected(), Some(mac(2)));
    b.news();
    // 100² · 1000 loses against 255² · 1000 although it promises four million times as much.
    let mut b = bench(Algorithm::Iv, |c| (c.class, c.plausible) = (1, 1000));
    b.gateway(3, 10, 10);
    b.gateway(1, 255, 1000);
    b.gateway(2, 100, u32::MAX);
    b.offers(3, 0, 0);
    assert_eq!(b.selected(), Some(mac(1)));
    assert!(b.news().contains(&GatewayNews::Implausible { orig: mac(2), down: u32::MAX, up: 10 }));
}

#[test]
fn a_gateway_without_a_way_is_none() {
    let mut b = bench(Algorithm::Iv, |_| {});
    b.gateway(1, 250, 100);
    b.mesh.set_route(mac(1), Table::Host, None);
    let (link, _) = b.client_sends(&dhcp4(CLIENT, (68, 67), CLIENT));
    assert!(link.is_empty());
    assert_eq!((b.selected(), b.drops(Drop::NoGateway)), (None, 1));
    b.way(1, 250);
    b.wait(1);
    assert_eq!(b.selected(), Some(mac(1)));
    b.mesh.remove_originator(mac(1));
    b.wait(1);
    assert_eq!(b.selected(), None);
}

#[test]
fn dhcp_goes_to_the_selected_gateway_alone() {
    let mut b = bench(Algorithm::Iv, |_| {});
    b.gateway(1, 250, 100);
    let discover = dhcp4(CLIENT, (68, 67), CLIENT);
    let (link, _) = b.client_sends(&discover);
    let [frame] = &link[..] else { panic!("{link:?}") };
    let (header, inner) = Unicast4Header::parse(&frame[ETH_LEN..]).unwrap();
    assert_eq!((header.unicast.dest, header.src, header.subtype), (mac(1), mac(0), subtype::DATA));
    assert_eq!(inner, discover);
    assert_eq!(&frame[..6], &mac(1).0);
    // The same for DHCPv6, and behind a tag.
    let mut solicit = eth([0x33, 0x33, 0, 1, 0, 2], CLIENT, 0x86dd);
    let mut ip = vec![0u8; 40 + 8];
    (ip[0], ip[6]) = (0x60, 17);
    ip[40..44].copy_from_slice(&[2, 34, 2, 35]);
    solicit.extend(&ip);
    let (link, _) = b.client_sends(&solicit);
    assert_eq!(link.len(), 1);
    assert_eq!(link[0][ETH_LEN], 0x42);
    let mut tagged = discover.clone();
    tagged.splice(12..12, [0x81, 0, 0, 7]);
    assert_eq!(b.client_sends(&tagged).0[0][ETH_LEN], 0x42);
    assert_eq!(b.mesh.counters.count(crate::counters::Count::GatewayTx), 3);
    // Other broadcasts are broadcasts: mind that nobody is a neighbour here, so nothing leaves.
    assert!(b.client_sends(&dhcp4(CLIENT, (68, 69), CLIENT)).0.is_empty());
}

#[test]
fn nobody_to_ask_is_told_once() {
    let mut b = bench(Algorithm::Iv, |_| {});
    let discover = dhcp4(CLIENT, (68, 67), CLIENT);
    for _ in 0..3 {
        b.mesh.handle(Input::HostRx(Frame::copy_of(&discover)), b.now);
    }
    assert_eq!(b.news(), [GatewayNews::Missing]);
    assert_eq!(b.drops(Drop::NoGateway), 3);
    b.gateway(1, 100, 100);
    b.offers(1, 0, 0);
    b.mesh.handle(Input::HostRx(Frame::copy_of(&discover)), b.now);
    assert_eq!(b.news().last(), Some(&GatewayNews::Missing), "and again after there was one");
}

#[test]
fn answers_go_to_where_the_client_is() {
    for mode in [GatewayMode::Client, GatewayMode::Server] {
        let mut b = bench(Algorithm::Iv, |c| c.mode = mode);
        b.way(3, 200);
        b.serves(3, CLIENT);
        let offer = dhcp4(ROUTER, (67, 68), CLIENT);
        let (link, _) = b.client_sends(&offer);
        let [frame] = &link[..] else { panic!("{link:?}") };
        let (header, inner) = UnicastHeader::parse(&frame[ETH_LEN..]).unwrap();
        assert_eq!((header.packet_type, header.dest), (0x40, mac(3)));
        assert_eq!(inner, offer);
        assert!(b.client_sends(&dhcp4(ROUTER, (67, 68), MacAddr([2, 9, 9, 9, 9, 9]))).0.is_empty());
        assert_eq!(b.drops(Drop::UnknownClient), 1, "as in the kernel");
        // Not Ethernet: an ordinary broadcast.
        let mut strange = offer;
        strange[14 + 29] = 6;
        b.client_sends(&strange);
        assert_eq!(b.drops(Drop::UnknownClient), 1);
    }
}

#[test]
fn a_server_keeps_its_own_lan_to_itself() {
    let mut b = bench(Algorithm::Iv, |c| c.mode = GatewayMode::Server);
    b.gateway(1, 250, 100);
    assert_eq!(b.selected(), None);
    assert!(b.client_sends(&dhcp4(CLIENT, (68, 67), CLIENT)).0.is_empty());
    assert_eq!(b.drops(Drop::DhcpAtServer), 1);
}

#[test]
fn off_floods_dhcp_like_everything() {
    let mut b = bench(Algorithm::Iv, |c| c.mode = GatewayMode::Off);
    b.gateway(1, 250, 100);
    let frame = Frame::copy_of(&dhcp4(CLIENT, (68, 67), CLIENT));
    assert!(b.mesh.gateway_from_host(frame, b.now).unwrap().is_some());
    let ra = icmp6(ROUTER, 134);
    assert!(b.delivered(&ra, Via::Broadcast, Some(5)));
}

#[test]
fn a_dead_connection_withdraws_the_server() {
    let mut b = bench(Algorithm::Iv, |c| (c.mode, c.down, c.up) = (GatewayMode::Server, 200, 50));
    assert_eq!(b.mesh.gateway_container().unwrap(), [0, 0, 0, 200, 0, 0, 0, 50]);
    b.mesh.handle(Input::Internet(false), b.now);
    b.mesh.handle(Input::Internet(false), b.now);
    assert_eq!(b.mesh.gateway_container(), None);
    b.mesh.handle(Input::Internet(true), b.now);
    assert!(b.mesh.gateway_container().is_some());
    assert_eq!(b.news(), [GatewayNews::Withdrawn, GatewayNews::Announced]);
}

#[test]
fn a_server_that_ends_says_so() {
    for (mode, ogms) in [(GatewayMode::Server, 2), (GatewayMode::Client, 0), (GatewayMode::Off, 0)] {
        let mut b = bench(Algorithm::Iv, |c| (c.mode, c.down, c.up) = (mode, 200, 50));
        let container = [tvlv::kind::GATEWAY, tvlv::gateway::VERSION, 0, 8];
        let offers = |frame: &Vec<u8>| frame.windows(4).any(|w| w == container);
        b.now += Duration::from_secs(2);
        b.mesh.handle(Input::Tick, b.now);
        assert_eq!(b.ogms().iter().any(offers), mode == GatewayMode::Server);
        b.mesh.handle(Input::Leave, b.now);
        let last = b.ogms();
        assert_eq!(last.len(), ogms, "{mode:?}");
        assert!(!last.iter().any(offers), "{mode:?}: what is said last offers nothing");
    }
}

#[test]
fn routers_are_heard_from_behind_the_selected_gateway_only() {
    let mut b = bench(Algorithm::Iv, |_| {});
    let ra = icmp6(ROUTER, 134);
    assert!(b.delivered(&ra, Via::Broadcast, Some(2)), "nobody to prefer");
    b.gateway(1, 250, 100);
    b.gateway(2, 240, 100);
    assert!(b.delivered(&ra, Via::Broadcast, Some(1)));
    assert!(!b.delivered(&ra, Via::Broadcast, Some(2)), "the other gateway");
    assert!(!b.delivered(&ra, Via::Broadcast, Some(5)), "no gateway, or one that withdrew");
    // A packet for us alone does not say whose it is, the table does.
    assert!(!b.delivered(&ra, Via::Unicast, None));
    b.way(3, 100);
    b.serves(2, ROUTER);
    assert!(!b.delivered(&ra, Via::Unicast, None));
    b.serves(1, ROUTER);
    assert!(b.delivered(&ra, Via::Unicast, None), "both gateways share its LAN");
    assert!(b.delivered(&ra, Via::Broadcast, Some(2)));
    // Neighbours are nobody's business.
    assert!(b.delivered(&icmp6(ROUTER, 135), Via::Broadcast, Some(5)));
    let snoop = |b: &mut Bench| {
        b.mesh.publish_snoop();
        core::iter::from_fn(|| b.mesh.poll_output())
            .filter_map(|o| if let Output::Fib(FibChange::Snoop(s)) = o { Some(s.nd) } else { None })
            .last()
    };
    assert_eq!(snoop(&mut b), Some(true), "the data plane must show them");
    b.mesh.cfg.gateway.steer_routers = false;
    assert!(b.delivered(&ra, Via::Broadcast, Some(5)));
}

#[test]
fn questions_for_a_router_go_to_the_selected_gateway() {
    let mut b = bench(Algorithm::Iv, |_| {});
    let rs = icmp6(CLIENT, 133);
    let as_ever = |b: &mut Bench| b.mesh.gateway_from_host(Frame::copy_of(&rs), b.now).unwrap().is_some();
    assert!(as_ever(&mut b), "without a gateway everybody is asked");
    b.gateway(1, 250, 100);
    let (link, _) = b.client_sends(&rs);
    assert_eq!(link.len(), 1);
    let (header, inner) = Unicast4Header::parse(&link[0][ETH_LEN..]).unwrap();
    assert_eq!((header.unicast.dest, inner), (mac(1), &rs[..]));
    b.mesh.cfg.gateway.steer_routers = false;
    assert!(as_ever(&mut b));
}

#[test]
fn clients_leave_the_router_of_the_gateway_before() {
    let mut b = bench(Algorithm::Iv, |_| {});
    b.gateway(1, 250, 100);
    b.gateway(2, 100, 100);
    assert!(b.delivered(&icmp6(ROUTER, 134), Via::Broadcast, Some(1)));
    b.sent();
    b.offers(1, 0, 0);
    assert_eq!(b.selected(), Some(mac(2)));
    let (link, host) = b.sent();
    let [bye] = &host[..] else { panic!("{host:?}") };
    assert_eq!((&bye[6..12], bye[54], &bye[60..62]), (&ROUTER.0[..], 134, &[0, 0][..]));
    let [question] = &link[..] else { panic!("{link:?}") };
    let (header, inner) = Unicast4Header::parse(&question[ETH_LEN..]).unwrap();
    assert_eq!((header.unicast.dest, inner[54]), (mac(2), 133));
    // Nothing is left to take away.
    b.offers(1, 10, 10);
    b.offers(2, 0, 0);
    assert_eq!(b.sent().1.len(), 0);
}

#[test]
fn whoever_changes_with_every_ogm_fills_no_log() {
    let mut b = bench(Algorithm::Iv, |c| c.mode = GatewayMode::Off);
    b.way(1, 100);
    for n in 0..500 {
        b.offers(1, n % 7, 10);
    }
    assert!(b.news().len() <= 2 * NEWS.0 as usize);
}

/// A router advertisement behind extension headers.
fn hidden(src: MacAddr, headers: &[u8]) -> Vec<u8> {
    let mut frame = icmp6(src, 134);
    let at = ETH_LEN + 40;
    let mut chain = Vec::new();
    for (i, kind) in headers.iter().enumerate() {
        let next = headers.get(i + 1).copied().unwrap_or(58);
        // Fragments have no length, authentication counts in words of four bytes less two.
        chain.extend([next, u8::from(*kind == 51) * 4, 0, 0]);
        chain.extend(vec![0; if *kind == 51 { 20 } else { 4 }]);
    }
    frame[ETH_LEN + 6] = headers[0];
    frame.splice(at..at, chain);
    frame
}

#[test]
fn nobody_but_gateways_configures_others() {
    let answers = || {
        let mut odd = dhcp4(ROUTER, (5000, 68), CLIENT);
        odd[0..6].copy_from_slice(&CLIENT.0);
        let mut v6 = icmp6(ROUTER, 0);
        v6[ETH_LEN + 6] = 17;
        v6[ETH_LEN + 42..ETH_LEN + 44].copy_from_slice(&546u16.to_be_bytes());
        [dhcp4(ROUTER, (67, 68), CLIENT), odd, v6]
    };
    let adverts = || {
        let chains: [&[u8]; 5] = [&[0], &[60, 43], &[44], &[51], &[0, 60, 43, 44, 60]];
        chains.into_iter().map(|c| hidden(ROUTER, c)).chain([icmp6(ROUTER, 134)])
    };
    for mode in [GatewayMode::Off, GatewayMode::Client, GatewayMode::Server] {
        let mut b = bench(Algorithm::Iv, |c| (c.mode, c.guard) = (mode, true));
        // What own clients say stays here, unless we are the gateway.
        for frame in answers().into_iter().chain(adverts()) {
            let before = b.drops(Drop::RogueServer);
            b.client_sends(&frame);
            assert_eq!(b.drops(Drop::RogueServer) - before, u64::from(mode != GatewayMode::Server), "{mode:?}");
            assert!(!b.delivered(&frame, Via::Broadcast, Some(5)), "{mode:?}: no gateway is known");
            assert!(!b.delivered(&frame, Via::Unicast, None), "{mode:?}");
        }
        b.gateway(1, 250, 100);
        b.gateway(2, 200, 100);
        b.serves(1, ROUTER);
        for frame in answers() {
            assert!(b.delivered(&frame, Via::Broadcast, Some(2)) && b.delivered(&frame, Via::Unicast, None));
        }
        for frame in adverts() {
            assert_eq!(b.delivered(&frame, Via::Broadcast, Some(1)), mode == GatewayMode::Client);
        }
        // What serves nobody passes.
        assert!(b.delivered(&dhcp4(CLIENT, (68, 67), CLIENT), Via::Broadcast, Some(5)));
        assert!(b.delivered(&icmp6(ROUTER, 135), Via::Broadcast, Some(5)));
    }
    // A chain without end, and headers that are cut off, are nothing that a host reads.
    let mut b = bench(Algorithm::Iv, |c| c.guard = true);
    assert!(b.delivered(&hidden(ROUTER, &[60; 40]), Via::Broadcast, Some(5)));
    let whole = hidden(ROUTER, &[0, 60]);
    for end in ETH_LEN + 40..ETH_LEN + 56 {
        assert!(b.delivered(&whole[..end], Via::Broadcast, Some(5)));
    }
}
