//! From the node's snapshot to what the control socket shows.

use super::protocol::{
    AddressKind, BlaBackbone, BlaClaim, ClientFlags, ConfigView, DatEntry, Distrusted, EchoView, EventView, Gateway,
    GlobalClient, Interface, LineView, LineWay, LocalClient, Mac, McastFlags, McastFlagsPriv, McastOriginator,
    MeshView, Multicast, NdEntry, Neighbor, Node, Originator, ShareDay, ShareLink, ShareNode, ShareView, Statistics,
    Status, ThroughputView, Translation,
};
use crate::io::PortCounters;
use crate::run::{NodeSnapshot, RunSetup};
use crate::wan::DirectionView;
use mesh_core::queue::{Class, QueueCounts};
use mesh_core::snapshot::{DistrustView, MulticastView, Querier};
use mesh_core::sorted::SortedMap;
use mesh_core::{
    Algorithm, Count, Drop, Duration, EchoAnswer, Event, GatewayMode, GatewayNews, LineNews, LinkId, MeterReport,
};
use packet::{MacAddr, Vid};
use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

/// Who answers.
pub fn node(s: &NodeSnapshot) -> Node {
    let primary = s.mesh.links.iter().find(|l| l.primary);
    Node {
        version: s.version.to_owned(),
        algo_name: format!("BATMAN_{}", s.mesh.algorithm.name()),
        mesh_ifname: s.mesh_name.clone(),
        mesh_address: Mac(s.mesh.host_mac),
        hard_ifname: primary.map(|l| l.name.clone()),
        hard_address: primary.map(|l| Mac(l.mac)),
        tt_ttvn: s.mesh.ttvn,
    }
}

/// The node on one page.
pub fn status(s: &NodeSnapshot, setup: &RunSetup, config: ConfigView) -> Status {
    Status {
        pid: s.pid,
        uptime_msecs: msecs(s.mesh.uptime),
        rss_bytes: s.rss_bytes,
        mesh_mtu: s.host_mtu,
        algo_auto: s.mesh.algorithm_auto,
        neighbors: s.mesh.neighbors.len(),
        originators: s.mesh.originators.iter().filter(|o| !o.paths.is_empty()).count(),
        local_clients: s.mesh.local_clients.len(),
        global_clients: s.mesh.global_clients.iter().filter(|c| c.best).count(),
        config,
        interfaces: interfaces(s, setup).collect(),
        alarms: alarms(s),
        line: line(s),
        statistics: statistics(s),
    }
}

fn alarms(s: &NodeSnapshot) -> Vec<EventView> {
    let name = |id: LinkId| s.mesh.links.iter().find(|l| l.id == id).map(|l| l.name.clone());
    let seen = |(age, what): &(Duration, Event)| {
        let mut view = event(what, name);
        view.at_msecs = view.at_msecs.saturating_sub(msecs(*age));
        view
    };
    s.alarms.iter().map(seen).collect()
}

/// Settings of the mesh.
pub fn mesh(s: &NodeSnapshot, setup: &RunSetup) -> MeshView {
    MeshView {
        node: node(s),
        aggregated_ogms_enabled: setup.mesh.aggregation,
        ap_isolation_enabled: setup.mesh.ap_isolation,
        bonding_enabled: setup.mesh.bonding,
        distributed_arp_table_enabled: setup.mesh.dat,
        bridge_loop_avoidance_enabled: setup.mesh.bridge_loop_avoidance,
        fragmentation_enabled: setup.mesh.fragmentation,
        gw_mode: s.mesh.gateway_mode.name().to_owned(),
        gw_bandwidth_down: setup.mesh.gateway.down,
        gw_bandwidth_up: setup.mesh.gateway.up,
        gw_sel_class: match s.mesh.algorithm {
            Algorithm::Iv => u32::from(setup.mesh.gateway.class),
            Algorithm::V => setup.mesh.gateway.advantage,
        },
        gw_withdrawn: s.mesh.gateway_mode == GatewayMode::Server && s.mesh.gateway_announced.is_none(),
        hop_penalty: setup.mesh.hop_penalty,
        mcast_flags: mcast_bits(s.mesh.multicast.flags),
        mcast_flags_priv: mcast_priv(&s.mesh.multicast),
        multicast_forceflood_enabled: setup.mesh.multicast_forceflood,
        multicast_fanout: setup.mesh.multicast_fanout,
        orig_interval: u32::try_from(msecs(setup.mesh.orig_interval)).unwrap_or(u32::MAX),
        fast_start_enabled: setup.mesh.fast_start,
    }
}

/// Hard interfaces: those in use, those that cannot be used, those that are not there yet.
pub fn interfaces<'a>(s: &'a NodeSnapshot, setup: &'a RunSetup) -> impl Iterator<Item = Interface> + 'a {
    let idle = |name: &str, reason: &str| Interface {
        mesh_ifname: s.mesh_name.clone(),
        hard_ifname: name.to_owned(),
        hard_address: None,
        active: false,
        hop_penalty: None,
        mtu: None,
        wifi: false,
        channel_busy_percent: None,
        primary: false,
        waiting: 0,
        classes: SortedMap::new(),
        reason: Some(reason.to_owned()),
    };
    let used = s.mesh.links.iter().map(|l| Interface {
        mesh_ifname: s.mesh_name.clone(),
        hard_ifname: l.name.clone(),
        hard_address: Some(Mac(l.mac)),
        active: true,
        hop_penalty: setup.links.iter().find(|known| known.name == l.name).map(|known| known.hop_penalty),
        mtu: Some(l.mtu),
        wifi: l.wifi,
        channel_busy_percent: s.busy.iter().find(|(name, _)| *name == l.name).map(|(_, percent)| *percent),
        primary: l.primary,
        waiting: s.io.queues.iter().find(|(name, ..)| *name == l.name).map_or(0, |(_, _, waiting)| *waiting),
        classes: s.io.queues.iter().find(|(name, ..)| *name == l.name).map_or_else(SortedMap::new, |q| classes(&q.1)),
        reason: None,
    });
    let refused = s.refused.iter().map(move |(name, reason)| idle(name, reason));
    let awaited = setup.links.iter().filter(|l| {
        s.mesh.links.iter().all(|used| used.name != l.name) && s.refused.iter().all(|(name, _)| *name != l.name)
    });
    used.chain(refused).chain(awaited.map(move |l| idle(&l.name, "not there or not up")))
}

/// What left a hard interface, by class.
fn classes(counts: &QueueCounts) -> SortedMap<String, SortedMap<String, u64>> {
    let of = |class: Class| counts.of(class).named().map(|(name, n)| (name.to_owned(), n)).into_iter().collect();
    Class::ALL.iter().map(|&class| (class.name().to_owned(), of(class))).collect()
}

/// Who is heard directly.
pub fn neighbors(s: &NodeSnapshot) -> impl Iterator<Item = Neighbor> + '_ {
    s.mesh.neighbors.iter().map(|n| Neighbor {
        hard_ifname: n.link_name.clone(),
        last_seen_msecs: msecs(n.last_seen),
        neigh_address: Mac(n.addr),
        orig_address: n.originator.map(Mac),
        tq: (s.mesh.algorithm == Algorithm::Iv).then_some(n.tq),
        throughput: (s.mesh.algorithm == Algorithm::V).then(|| kbits(n.throughput)),
        throughput_source: (s.mesh.algorithm == Algorithm::V).then(|| n.rate_source.name().to_owned()),
        echo_count: n.echo_count,
        receive_count: n.receive_count,
        meshwork: n.meshwork,
        distrusted: n.distrust.iter().map(distrusted).collect(),
    })
}

fn distrusted(d: &DistrustView) -> Distrusted {
    Distrusted {
        orig_address: Mac(d.orig),
        since_msecs: msecs(d.since),
        lost: d.lost,
        other_address: Mac(d.other),
        other_asked: d.other_asked,
        other_answered: d.other_answered,
        share: d.share,
    }
}

/// Every way to every originator.
pub fn originators(s: &NodeSnapshot) -> impl Iterator<Item = Originator> + '_ {
    s.mesh.originators.iter().flat_map(|o| {
        o.paths.iter().map(|p| Originator {
            hard_ifname: p.link_name.clone(),
            orig_address: Mac(o.addr),
            best: p.best,
            last_seen_msecs: msecs(o.last_seen),
            neigh_address: Mac(p.neigh),
            tq: (s.mesh.algorithm == Algorithm::Iv).then_some(p.tq),
            throughput: (s.mesh.algorithm == Algorithm::V).then(|| kbits(p.throughput)),
            tt_ttvn: o.ttvn,
            clients: o.clients,
            meshwork: o.meshwork,
            share: p.share,
        })
    })
}

/// Who offers Internet.
pub fn gateways(s: &NodeSnapshot) -> impl Iterator<Item = Gateway> + '_ {
    s.mesh.gateways.iter().map(|g| {
        let path = g.path.as_ref();
        Gateway {
            hard_ifindex: path.and_then(|p| nix::net::if_::if_nametoindex(p.link_name.as_str()).ok()),
            hard_ifname: path.map(|p| p.link_name.clone()),
            orig_address: Mac(g.addr),
            best: g.selected,
            tq: path.filter(|_| s.mesh.algorithm == Algorithm::Iv).map(|p| p.tq),
            throughput: path.filter(|_| s.mesh.algorithm == Algorithm::V).map(|p| p.throughput),
            router: path.map(|p| Mac(p.neigh)),
            bandwidth_down: g.down,
            bandwidth_up: g.up,
            last_seen_msecs: msecs(g.last_seen),
            silent: !g.fresh,
            forbidden: !g.allowed,
        }
    })
}

/// What this node wants of multicast.
pub fn multicast(s: &NodeSnapshot, setup: &RunSetup) -> Multicast {
    Multicast {
        mcast_flags: mcast_bits(s.mesh.multicast.flags),
        mcast_flags_priv: mcast_priv(&s.mesh.multicast),
        listeners_unknown: !s.mesh.multicast.known,
        multicast_forceflood_enabled: setup.mesh.multicast_forceflood,
        multicast_fanout: setup.mesh.multicast_fanout,
    }
}

/// What others want of multicast.
pub fn mcast_flags(s: &NodeSnapshot) -> impl Iterator<Item = McastOriginator> + '_ {
    s.mesh
        .originators
        .iter()
        .map(|o| McastOriginator { orig_address: Mac(o.addr), mcast_flags: o.multicast.map(mcast_bits) })
}

fn mcast_bits(byte: u8) -> McastFlags {
    use packet::tvlv::mcast::flags;
    let is = |bit: u8| byte & bit != 0;
    McastFlags {
        all_unsnoopables: is(flags::WANT_ALL_UNSNOOPABLES),
        want_all_ipv4: is(flags::WANT_ALL_IPV4),
        want_all_ipv6: is(flags::WANT_ALL_IPV6),
        want_no_rtr_ipv4: is(flags::WANT_NO_RTR4),
        want_no_rtr_ipv6: is(flags::WANT_NO_RTR6),
        have_mc_ptype_capa: is(flags::HAVE_MC_PTYPE_CAPA),
        raw: byte.into(),
    }
}

fn mcast_priv(m: &MulticastView) -> McastFlagsPriv {
    let exists = |querier: Querier| m.bridged && querier != Querier::Absent;
    let shadowing = |querier: Querier| m.bridged && querier == Querier::Shadowing;
    let bits = [m.bridged, exists(m.querier4), exists(m.querier6), shadowing(m.querier4), shadowing(m.querier6)];
    McastFlagsPriv {
        bridged: m.bridged,
        querier_ipv4_exists: exists(m.querier4),
        querier_ipv6_exists: exists(m.querier6),
        querier_ipv4_shadowing: shadowing(m.querier4),
        querier_ipv6_shadowing: shadowing(m.querier6),
        raw: bits.iter().rev().fold(0, |raw, on| raw << 1 | u32::from(*on)),
    }
}

/// Own clients.
pub fn local_clients(s: &NodeSnapshot) -> impl Iterator<Item = LocalClient> + '_ {
    s.mesh.local_clients.iter().map(|c| LocalClient {
        tt_address: Mac(c.addr),
        tt_crc32: c.crc,
        tt_vid: vid(c.vid),
        tt_flags: flags(ClientFlags {
            roam: c.roamed,
            wifi: c.wifi,
            isolated: c.isolated,
            nopurge: c.permanent,
            new: c.new,
            pending: c.pending,
            ..ClientFlags::default()
        }),
        last_seen_msecs: (!c.permanent).then(|| msecs(c.last_seen)),
    })
}

/// Clients of other nodes.
pub fn global_clients(s: &NodeSnapshot) -> impl Iterator<Item = GlobalClient> + '_ {
    s.mesh.global_clients.iter().map(|c| GlobalClient {
        orig_address: Mac(c.originator),
        tt_address: Mac(c.addr),
        tt_ttvn: c.ttvn,
        tt_last_ttvn: c.last_ttvn,
        tt_crc32: c.crc,
        tt_vid: vid(c.vid),
        tt_flags: flags(ClientFlags {
            roam: c.roaming,
            wifi: c.wifi,
            isolated: c.isolated,
            temp: c.temporary,
            ..ClientFlags::default()
        }),
        best: c.best,
    })
}

/// IPv4 addresses of clients.
pub fn dat_cache(s: &NodeSnapshot) -> impl Iterator<Item = DatEntry> + '_ {
    s.mesh.addresses.iter().filter_map(|a| {
        let IpAddr::V4(ip) = a.ip else { return None };
        Some(DatEntry {
            last_seen_msecs: msecs(a.last_seen),
            dat_cache_ip4address: ip,
            dat_cache_hwaddress: Mac(a.mac),
            dat_cache_vid: vid(a.vid),
            contested: a.contested,
        })
    })
}

/// IPv6 addresses of clients.
pub fn nd_cache(s: &NodeSnapshot) -> impl Iterator<Item = NdEntry> + '_ {
    s.mesh.addresses.iter().filter_map(|a| {
        let IpAddr::V6(ip) = a.ip else { return None };
        Some(NdEntry {
            last_seen_msecs: msecs(a.last_seen),
            nd_cache_ip6address: ip,
            nd_cache_hwaddress: Mac(a.mac),
            nd_cache_vid: vid(a.vid),
            router: a.router,
            contested: a.contested,
        })
    })
}

/// Who handles which client on our LAN.
pub fn bla_claims(s: &NodeSnapshot) -> impl Iterator<Item = BlaClaim> + '_ {
    s.mesh.bla.claims.iter().map(|c| BlaClaim {
        bla_address: Mac(c.client),
        bla_vid: vid(c.vid),
        bla_backbone: Mac(c.gateway),
        bla_crc: c.crc,
        bla_own: c.own,
    })
}

/// Nodes on our LAN.
pub fn bla_backbones(s: &NodeSnapshot) -> impl Iterator<Item = BlaBackbone> + '_ {
    s.mesh.bla.backbones.iter().map(|b| BlaBackbone {
        bla_backbone: Mac(b.gateway),
        bla_vid: vid(b.vid),
        bla_crc: b.crc,
        bla_own: b.own,
        last_seen_msecs: msecs(b.last_seen),
        claims: b.claims,
        synced: b.synced,
        distrusted: b.distrusted,
        wait_msecs: b.wait.map(msecs),
    })
}

/// Counters of control side, data plane and sockets.
pub fn statistics(s: &NodeSnapshot) -> Statistics {
    let mut all = s.mesh.counters.clone();
    all.merge(&s.plane);
    let port =
        |p: &PortCounters| p.named().map(|(name, n)| (name.to_owned(), n)).into_iter().collect::<SortedMap<_, _>>();
    let host = std::iter::once((s.mesh_name.clone(), port(&s.io.host)));
    Statistics {
        counters: Count::ALL.iter().map(|&c| (c.name().to_owned(), all.count(c))).collect(),
        drops: Drop::ALL.iter().map(|&d| (d.name().to_owned(), all.dropped(d))).collect(),
        interfaces: host.chain(s.io.links.iter().map(|(name, p)| (name.clone(), port(p)))).collect(),
        punts_lost: s.io.punts_lost,
    }
}

/// What this node gives; `full`: and what its owner gets, and with whom.
pub fn share(s: &NodeSnapshot, full: bool) -> ShareView {
    let commons = &s.commons;
    let near = |orig: MacAddr| s.mesh.neighbors.iter().any(|n| n.originator == Some(orig));
    let days = commons.ledger.days().iter().map(|(date, sums)| ShareDay {
        date: date.to_string(),
        carried_bytes: sums.carried,
        guest_bytes: sums.guests,
        sent_bytes: full.then_some(sums.sent),
        received_bytes: full.then_some(sums.received),
        used_sent_bytes: full.then_some(sums.used_sent),
        used_received_bytes: full.then_some(sums.used_received),
        spare_bytes: sums.spare,
        running_secs: sums.seconds,
    });
    let with = commons.ledger.nodes().iter().map(|n| ShareNode {
        month: n.month.to_string(),
        orig_address: Some(Mac(n.orig)).filter(|_| n.orig != MacAddr::ZERO),
        neighbor: near(n.orig),
        carried_bytes: n.sums.carried,
        handed_bytes: n.sums.handed,
        used_bytes: n.sums.used,
    });
    let links = s.mesh.links.iter().map(|l| ShareLink {
        hard_ifname: l.name.clone(),
        told_sent: l.owner_load.0,
        told_received: l.owner_load.1,
        beside: commons.air.iter().find(|(id, _)| l.wifi && *id == l.id).map(|(_, air)| *air),
    });
    ShareView {
        give: commons.giving.give.to_string(),
        give_now: commons.now.unwrap_or(commons.giving.give).to_string(),
        why: commons.why.map(str::to_owned),
        budget_bytes: commons.giving.budget,
        month_bytes: commons.month,
        days: days.collect(),
        nodes: full.then(|| with.collect()),
        owner: full.then(|| links.collect()),
    }
}

/// Where an address is, `None` if nobody knows it.
pub fn translate(s: &NodeSnapshot, address: MacAddr) -> Option<Translation> {
    let at = |kind, orig| Some(Translation { address: Mac(address), kind, orig_address: Mac(orig) });
    let mesh = &s.mesh;
    let own = address == mesh.originator
        || mesh.links.iter().any(|l| l.mac == address)
        || mesh.local_clients.iter().any(|c| c.addr == address && !c.roamed && !c.pending);
    if own {
        return at(AddressKind::Own, mesh.originator);
    }
    if mesh.originators.iter().any(|o| o.addr == address) {
        return at(AddressKind::Originator, address);
    }
    // Without its VLAN a client can be in several; the untagged one comes first, as in batctl.
    let mut clients: Vec<_> = mesh.global_clients.iter().filter(|c| c.addr == address && c.best).collect();
    clients.sort_by_key(|c| c.vid);
    if let Some(client) = clients.first() {
        return at(AddressKind::Client, client.originator);
    }
    let neighbor = mesh.neighbors.iter().find(|n| n.addr == address)?;
    at(AddressKind::Neighbor, neighbor.originator?)
}

/// Answer to an echo request.
pub fn echo(answer: &EchoAnswer) -> EchoView {
    EchoView {
        orig_address: Mac(answer.from),
        seqno: answer.seqno,
        ttl: answer.ttl,
        ttl_exceeded: answer.ttl_exceeded,
        rtt_usecs: answer.rtt.map_or(0, |d| u64::try_from(d.as_micros()).unwrap_or(u64::MAX)),
        route: answer.route.iter().copied().map(Mac).collect(),
    }
}

/// How far a throughput test has come.
pub fn throughput(report: &MeterReport) -> ThroughputView {
    ThroughputView {
        orig_address: Mac(report.dst),
        elapsed_msecs: msecs(report.elapsed),
        bytes: report.bytes,
        repeated: report.repeated,
        result: report.end.map(|end| end.name().to_owned()),
        code: report.end.map(|end| end.code()),
    }
}

/// Something that happened; `name` knows hard interfaces by number.
pub fn event(event: &Event, name: impl Fn(LinkId) -> Option<String>) -> EventView {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut view = EventView {
        what: String::new(),
        at_msecs: msecs(now),
        hard_ifname: None,
        neigh_address: None,
        orig_address: None,
        tt_address: None,
        tt_vid: None,
        to_us: None,
        table: None,
        algo_name: None,
        orig_before: None,
        bandwidth_down: None,
        bandwidth_up: None,
        why: None,
        ip_address: None,
        old_tt_address: None,
        replaced: None,
        refused: None,
        lost: None,
        other_address: None,
        other_asked: None,
        other_answered: None,
    };
    let what = match event {
        Event::NeighborNew { link, neigh } => {
            (view.hard_ifname, view.neigh_address) = (name(*link), Some(Mac(*neigh)));
            "neighbor_new"
        }
        Event::NeighborGone { link, neigh } => {
            (view.hard_ifname, view.neigh_address) = (name(*link), Some(Mac(*neigh)));
            "neighbor_gone"
        }
        Event::NeighborSilent { link, neigh } => {
            (view.hard_ifname, view.neigh_address) = (name(*link), Some(Mac(*neigh)));
            "neighbor_silent"
        }
        Event::NeighborBack { link, neigh } => {
            (view.hard_ifname, view.neigh_address) = (name(*link), Some(Mac(*neigh)));
            "neighbor_back"
        }
        Event::NotForwarding { link, neigh, orig, lost, other, other_asked, other_answered } => {
            (view.hard_ifname, view.neigh_address) = (name(*link), Some(Mac(*neigh)));
            (view.orig_address, view.lost, view.other_address) = (Some(Mac(*orig)), Some(*lost), Some(Mac(*other)));
            (view.other_asked, view.other_answered) = (Some(*other_asked), Some(*other_answered));
            "not_forwarding"
        }
        Event::ForwardsAgain { link, neigh, orig } => {
            (view.hard_ifname, view.neigh_address) = (name(*link), Some(Mac(*neigh)));
            view.orig_address = Some(Mac(*orig));
            "forwards_again"
        }
        Event::OtherAlgorithm { link, neigh } => {
            (view.hard_ifname, view.neigh_address) = (name(*link), Some(Mac(*neigh)));
            "other_algorithm"
        }
        Event::OriginatorNew(orig) => {
            view.orig_address = Some(Mac(*orig));
            "originator_new"
        }
        Event::OriginatorGone(orig) => {
            view.orig_address = Some(Mac(*orig));
            "originator_gone"
        }
        Event::ClientRoamed { client, vid: vlan, to_us } => {
            view.tt_address = Some(Mac(*client));
            view.tt_vid = Some(vid(*vlan));
            view.to_us = Some(*to_us);
            "client_roamed"
        }
        Event::AddressFlip { ip, vid: vlan, old, new, from, replaced } => {
            view.ip_address = Some(*ip);
            view.tt_vid = Some(vid(*vlan));
            (view.old_tt_address, view.tt_address) = (Some(Mac(*old)), Some(Mac(*new)));
            view.orig_address = from.map(Mac);
            view.replaced = Some(*replaced);
            "address_flip"
        }
        Event::TableFull(table) => {
            view.table = Some((*table).to_owned());
            "table_full"
        }
        Event::AlgorithmChanged { to, why } => {
            view.algo_name = Some(format!("BATMAN_{}", to.name()));
            view.why = Some((*why).to_owned());
            "algorithm_changed"
        }
        Event::BackboneNew { gateway, vid: vlan } => {
            (view.orig_address, view.tt_vid) = (Some(Mac(*gateway)), Some(vid(*vlan)));
            "backbone_new"
        }
        Event::BackboneGone { gateway, vid: vlan } => {
            (view.orig_address, view.tt_vid) = (Some(Mac(*gateway)), Some(vid(*vlan)));
            "backbone_gone"
        }
        Event::BackboneDistrusted { gateway, vid: vlan } => {
            (view.orig_address, view.tt_vid) = (Some(Mac(*gateway)), Some(vid(*vlan)));
            "backbone_distrusted"
        }
        Event::LoopDetected { vid: vlan } => {
            view.tt_vid = Some(vid(*vlan));
            "loop_detected"
        }
        Event::AddressTwice { orig, link, neigh } => {
            (view.hard_ifname, view.neigh_address) = (name(*link), Some(Mac(*neigh)));
            view.orig_address = Some(Mac(*orig));
            "address_twice"
        }
        Event::MetricImplausible { orig, link, neigh } => {
            (view.hard_ifname, view.neigh_address) = (name(*link), Some(Mac(*neigh)));
            view.orig_address = Some(Mac(*orig));
            "metric_implausible"
        }
        Event::ClientContested { client, vid: vlan, orig, refused } => {
            (view.tt_address, view.tt_vid) = (Some(Mac(*client)), Some(vid(*vlan)));
            view.orig_address = Some(Mac(*orig));
            view.refused = Some(*refused);
            "client_contested"
        }
        Event::Gateway(news) => gateway_news(news, &mut view),
        Event::Line(news) => line_news(news, &mut view),
        Event::NoLink => "no_link",
        Event::Echo(_) | Event::Meter(_) => "other",
    };
    what.clone_into(&mut view.what);
    view
}

/// From the wire's units of 100 kbit/s.
pub(crate) fn kbits(throughput: u32) -> u64 {
    u64::from(throughput) * 100
}

fn line_news(news: &LineNews, view: &mut EventView) -> &'static str {
    let units = |kbit: Option<u64>| kbit.map(|k| u32::try_from(k / 100).unwrap_or(u32::MAX));
    match news {
        LineNews::Rate { down, up } => {
            (view.bandwidth_down, view.bandwidth_up) = (units(*down), units(*up));
            "line_rate"
        }
        LineNews::Silent => "line_silent",
        LineNews::Answers => "line_answers",
        LineNews::Shaper(kind) => {
            view.why = Some(kind.clone());
            "line_shaper"
        }
    }
}

/// The shared line to the Internet.
pub fn line(s: &NodeSnapshot) -> Option<LineView> {
    let way = |d: &DirectionView| LineWay {
        line_kbits: d.line,
        allowed_kbits: d.allowed,
        guests_kbits: d.guests,
        owner_kbits: Some(d.owner),
        state: d.state.to_owned(),
        waits_usecs: d.waits,
        waiting: d.waiting,
        dropped: d.dropped,
    };
    s.line.as_ref().map(|l| LineView {
        ifname: l.interface.clone(),
        down: way(&l.down),
        up: way(&l.up),
        asked: l.hosts.clone(),
        split: l.split,
        qdisc: l.qdisc.clone(),
    })
}

fn gateway_news(news: &GatewayNews, view: &mut EventView) -> &'static str {
    let mut offer = |orig: MacAddr, down: u32, up: u32, what| {
        (view.orig_address, view.bandwidth_down, view.bandwidth_up) = (Some(Mac(orig)), Some(down), Some(up));
        what
    };
    match *news {
        GatewayNews::New { orig, down, up } => offer(orig, down, up, "gateway_new"),
        GatewayNews::Changed { orig, down, up } => offer(orig, down, up, "gateway_changed"),
        GatewayNews::Implausible { orig, down, up } => offer(orig, down, up, "gateway_implausible"),
        GatewayNews::Gone { orig } => {
            view.orig_address = Some(Mac(orig));
            "gateway_gone"
        }
        GatewayNews::Selected { orig, before } => {
            (view.orig_address, view.orig_before) = (orig.map(Mac), before.map(Mac));
            "gateway_selected"
        }
        GatewayNews::Missing => "gateway_missing",
        GatewayNews::Withdrawn => "gateway_withdrawn",
        GatewayNews::Announced => "gateway_announced",
    }
}

fn msecs(d: Duration) -> u64 {
    u64::try_from(d.as_millis()).unwrap_or(u64::MAX)
}

fn vid(vid: Vid) -> i32 {
    vid.id().map_or(-1, i32::from)
}

/// Fills in the number. Source: `enum batadv_tt_client_flags`, protocol notes, "Translation
/// table" section 1.
fn flags(f: ClientFlags) -> ClientFlags {
    let bits = [
        (f.del, 0),
        (f.roam, 1),
        (f.wifi, 4),
        (f.isolated, 5),
        (f.nopurge, 8),
        (f.new, 9),
        (f.pending, 10),
        (f.temp, 11),
    ];
    ClientFlags { raw: bits.iter().filter(|(on, _)| *on).map(|(_, bit)| 1 << bit).sum(), ..f }
}
