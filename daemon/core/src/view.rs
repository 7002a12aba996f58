//! Builds the [`Snapshot`] that people and programs see.

use crate::config::{Algorithm, Choice};
use crate::fib::{NextHop, Table};
use crate::mesh::Mesh;
use crate::multicast::effective_flags;
use crate::originator::Originator;
use crate::snapshot::{
    GatewayView, GlobalClientView, LinkView, LocalClientView, NeighborView, OriginatorView, PathView, Snapshot,
};
use crate::time::{Duration, Instant};
use crate::tt::local::is_group;
use crate::window::Watch;
use alloc::string::String;
use alloc::vec::Vec;
use packet::MacAddr;
use packet::tvlv::tt::client;

impl Mesh {
    /// A read-only picture for people and programs. Not for the hot path.
    pub fn snapshot(&self, now: Instant) -> Snapshot {
        Snapshot {
            originator: self.own_orig(),
            host_mac: self.cfg.host_mac,
            algorithm: self.algorithm,
            algorithm_auto: self.cfg.algorithm == Choice::Auto,
            others: self.auto.others(now).collect(),
            ttvn: self.local.ttvn,
            uptime: now.since(self.started),
            links: self.link_views(),
            neighbors: self.neighbors(now),
            originators: self.originators.iter().map(|(addr, o)| self.originator_view(*addr, o, now)).collect(),
            local_clients: self.local_views(now),
            global_clients: self.global_views(),
            addresses: self.address_views(now),
            bla: self.bla_view(now),
            gateways: self.gateway_views(now),
            gateway_mode: self.cfg.gateway.mode,
            gateway_announced: self.gateway_announced(),
            multicast: self.multicast_view(),
            counters: self.counters.clone(),
        }
    }

    fn link_views(&self) -> Vec<LinkView> {
        let view = |l: &crate::link::Link| LinkView {
            id: l.id,
            name: l.cfg.name.clone(),
            mac: l.cfg.mac,
            mtu: l.cfg.mtu,
            wifi: l.cfg.wifi,
            primary: self.primary == Some(l.id),
            owner_load: self.owner_load(l.id),
            seqno: l.seqno,
        };
        self.links.values().map(view).collect()
    }

    /// IV: transmit quality of a link.
    pub(crate) fn iv_link_tq(&self, link: &crate::link::Link, addr: MacAddr) -> u8 {
        let hop = NextHop { link: link.id, neigh: addr };
        let way = self.originators.get(&addr).and_then(|o| o.way(hop));
        let heard = way.map_or_else(Watch::default, |w| w.heard);
        self.link_quality(hop, heard).through(u8::MAX, link.cfg.hop_penalty, None)
    }

    /// Neighbours on all hard interfaces; part of [`Mesh::snapshot`].
    pub fn neighbors(&self, now: Instant) -> Vec<NeighborView> {
        let mut views = Vec::new();
        for link in self.links.values() {
            for (addr, n) in &link.neighbors {
                let hop = NextHop { link: link.id, neigh: *addr };
                let way = self.originators.get(addr).and_then(|o| o.way(hop));
                let heard = way.map_or_else(Watch::default, |w| w.heard);
                let quality = self.link_quality(hop, heard);
                views.push(NeighborView {
                    link: link.id,
                    link_name: link.cfg.name.clone(),
                    addr: *addr,
                    originator: n.originator,
                    last_seen: now.since(n.last_seen),
                    echo_count: n.echoes.count(),
                    receive_count: heard.count(),
                    tq: quality.through(u8::MAX, link.cfg.hop_penalty, None),
                    throughput: if self.algorithm == Algorithm::V { n.v.rate.throughput() } else { 0 },
                    rate_source: n.v.rate.source,
                    elp_interval: Duration::from_millis(u64::from(n.v.interval_ms)),
                    meshwork: self.runs_meshwork(hop),
                    dead: n.life.dead,
                    quiet: n.life.rhythm.silence(now) >= crate::react::BELIEVED / 2,
                    distrust: self.distrust_views(hop, now),
                });
            }
        }
        views
    }

    fn originator_view(&self, addr: MacAddr, o: &Originator, now: Instant) -> OriginatorView {
        let best = o.router(Table::Host);
        let mut paths: Vec<PathView> = o
            .ways
            .iter()
            .map(|w| PathView {
                neigh: w.hop.neigh,
                link: w.hop.link,
                link_name: self.links.get(&w.hop.link).map_or_else(String::new, |l| l.cfg.name.clone()),
                tq: w.average(Table::Host),
                throughput: w.throughput(Table::Host),
                best: best == Some(w.hop),
                share: w.share,
            })
            .filter(|p| p.best || p.tq > 0 || p.throughput > 0)
            .collect();
        paths.sort_by_key(|p| (core::cmp::Reverse((p.best, p.tq, p.throughput)), p.neigh));
        let table = self.global.tables.get(&addr);
        OriginatorView {
            addr,
            last_seen: now.since(o.last_seen),
            paths,
            ttvn: table.map_or(0, |t| t.ttvn),
            clients: table.map_or(0, |t| t.keys.len()),
            facts: o.facts.as_deref().map(|known| (known.clone(), now.since(known.at))),
            multicast: o.features.multicast.map(|_| effective_flags(&o.features)),
            meshwork: o.features.meshwork.is_some()
                || self
                    .links
                    .values()
                    .flat_map(|l| &l.neighbors)
                    .any(|(mac, n)| n.meshwork && n.originator.unwrap_or(*mac) == addr),
        }
    }

    fn gateway_views(&self, now: Instant) -> Vec<GatewayView> {
        let view = |(addr, o): (&MacAddr, &Originator)| {
            let (down, up) = o.features.gateway?;
            Some(GatewayView {
                addr: *addr,
                selected: self.gateway_selected() == Some(*addr),
                path: self.originator_view(*addr, o, now).paths.into_iter().find(|p| p.best),
                down,
                up,
                allowed: self.gateway_is_allowed(*addr),
                fresh: self.gateway_is_fresh(*addr, now),
                last_seen: now.since(o.last_seen),
            })
        };
        self.originators.iter().filter_map(view).collect()
    }

    fn local_views(&self, now: Instant) -> Vec<LocalClientView> {
        let view = |((addr, vid), e): (&crate::tt::Key, &crate::tt::local::Entry)| LocalClientView {
            addr: *addr,
            vid: *vid,
            last_seen: if e.permanent || is_group(*addr) { Duration::ZERO } else { now.since(e.last_seen) },
            permanent: e.permanent || is_group(*addr),
            new: e.new,
            pending: e.pending,
            roamed: e.roam,
            wifi: e.sync & client::WIFI != 0,
            isolated: e.sync & client::ISOLA != 0,
            crc: self.local.crc(*vid),
        };
        self.local.entries.iter().map(view).collect()
    }

    fn global_views(&self) -> Vec<GlobalClientView> {
        let mut views = Vec::new();
        for (key, e) in &self.global.entries {
            let best = self.global.best(*key).map(|at| at.orig);
            for at in &e.at {
                let table = self.global.tables.get(&at.orig);
                views.push(GlobalClientView {
                    addr: key.0,
                    vid: key.1,
                    originator: at.orig,
                    best: best == Some(at.orig),
                    ttvn: at.ttvn,
                    last_ttvn: table.map_or(0, |t| t.ttvn),
                    crc: table.map_or(0, |t| t.crc(key.1)),
                    roaming: e.roam,
                    temporary: e.temp,
                    wifi: at.sync & client::WIFI != 0,
                    isolated: at.sync & client::ISOLA != 0,
                });
            }
        }
        views
    }
}
