//! NetJSON, as OpenWISP and others read it. Source: the schemas `network-graph` and `device-monitoring` of
//! netjson/netjson.

use super::json::{Json, Made};
use super::site::View;
use crate::control::protocol::Mac;
use crate::control::view;
use crate::io::PortCounters;
use mesh_core::Algorithm;
use packet::MacAddr;
use packet::tvlv::facts::byte_to_rate;
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

/// `NetworkGraph`: all nodes, and the links that this node knows. Costs are 1 for a perfect link: 255/TQ under
/// B.A.T.M.A.N. IV, 1 Gbit/s by throughput under V.
pub(super) fn graph(v: &View<'_>) -> Made {
    let s = v.s;
    let own = s.mesh.originator;
    let mut json = Json::start();
    json.field("type", &mut json!("NetworkGraph"));
    json.field("protocol", &mut json!(format!("BATMAN_{}", s.mesh.algorithm.name())));
    json.field("version", &mut json!(s.version));
    json.field("metric", &mut json!(if s.mesh.algorithm == Algorithm::Iv { "TQ" } else { "throughput" }));
    json.field("router_id", &mut json!(Mac(own)));
    json.field("label", &mut json!(s.mesh_name));
    let us = json!({
        "id": Mac(own), "label": v.name(own),
        "local_addresses": s.mesh.links.iter().map(|l| Mac(l.mac)).collect::<Vec<_>>(),
        "properties": { "meshwork": true, "this_node": true, "clients": v.devices(own) },
    });
    let gateway = |addr| s.mesh.gateways.iter().any(|g| g.addr == addr);
    let others = s.mesh.originators.iter().map(|o| {
        let best = o.paths.iter().find(|p| p.best);
        let via = best.and_then(|p| s.mesh.neighbors.iter().find(|n| n.addr == p.neigh && n.link == p.link));
        json!({
            "id": Mac(o.addr), "label": v.name(o.addr),
            "properties": {
                "meshwork": o.meshwork, "version": o.facts.as_ref().map(|(f, _)| &f.version), "clients": v.devices(o.addr), "gateway": gateway(o.addr), "reachable": best.is_some(),
                "last_seen_msecs": msecs(o.last_seen), "next_hop": via.and_then(|n| n.originator).map(Mac),
                "tq": best.filter(|_| s.mesh.algorithm == Algorithm::Iv).map(|p| p.tq),
                "throughput_kbits":
                    best.filter(|_| s.mesh.algorithm == Algorithm::V).map(|p| u64::from(p.throughput) * 100),
                "respondd": v.respondd(o.addr).map(|p| &p.told).map(|t| json!({
                    "hostname": t.hostname, "firmware": t.firmware.join(" "), "model": t.model, "clients": t.clients,
                    "location": t.location.map(|(north, east)| [north, east]), "told_msecs": msecs(t.at.elapsed()),
                })),
            },
        })
    });
    json.list("nodes", std::iter::once(us).chain(others));
    json.list("links", links(v).into_iter().map(|link| link_json(&link)));
    Ok(json.close())
}

/// A link that is known, as its source sees it.
pub(super) struct Link {
    pub(super) source: Mac,
    pub(super) target: Mac,
    /// 0 to 255, IV only.
    pub(super) tq: Option<u8>,
    /// V only.
    pub(super) kbits: Option<u64>,
    pub(super) wifi: bool,
    pub(super) source_addr: Mac,
    pub(super) target_addr: Mac,
    /// Shares of messages that came through, to the target and from it; IV only.
    pub(super) counts: Option<(u8, u8)>,
    /// Another node told of it, so long ago.
    pub(super) told: Option<u64>,
    /// It told so by respondd.
    pub(super) respondd: bool,
}

/// What another node told is believed for so long; it says it once a minute.
const TOLD: mesh_core::Duration = mesh_core::Duration::from_secs(200);

/// A list of fewer neighbours is a whole one; longer ones may be cut to what fits.
const WHOLE: usize = 10;

/// The links that this node knows: its own, and those that others tell of.
pub(super) fn links(v: &View<'_>) -> Vec<Link> {
    let s = v.s;
    let own = |n: &mesh_core::snapshot::NeighborView| {
        let link = s.mesh.links.iter().find(|l| l.id == n.link);
        let iv = s.mesh.algorithm == Algorithm::Iv;
        Link {
            source: Mac(s.mesh.originator),
            target: Mac(n.originator.unwrap_or(n.addr)),
            tq: iv.then_some(n.tq),
            kbits: (!iv).then(|| u64::from(n.throughput) * 100),
            wifi: link.is_some_and(|l| l.wifi),
            source_addr: Mac(link.map_or(s.mesh.originator, |l| l.mac)),
            target_addr: Mac(n.addr),
            counts: iv.then_some((n.echo_count, n.receive_count)),
            told: None,
            respondd: false,
        }
    };
    let mut all: Vec<Link> = s.mesh.neighbors.iter().filter(|n| !n.dead && !n.quiet).map(own).collect();
    // What others tell of their neighbours. Of a link that both ends tell, the one told by the lower address stays.
    let mut seen: Vec<(MacAddr, MacAddr)> = Vec::new();
    let known = |mac: MacAddr| s.mesh.originators.iter().any(|o| o.addr == mac);
    let told = |mac: MacAddr| s.mesh.originators.iter().find(|o| o.addr == mac)?.facts.as_ref();
    for o in &s.mesh.originators {
        let Some((facts, age)) = o.facts.as_ref().filter(|(_, age)| *age < TOLD) else { continue };
        for (to, quality) in &facts.neighbors {
            let ours = o.addr == s.mesh.originator || *to == s.mesh.originator;
            // The other end says something newer.
            let denied = told(*to).is_some_and(|(theirs, later)| {
                later < age && theirs.neighbors.len() < WHOLE && theirs.neighbors.iter().all(|(mac, _)| *mac != o.addr)
            });
            if ours || denied || !known(*to) {
                continue;
            }
            let ends = (o.addr.min(*to), o.addr.max(*to));
            match seen.binary_search(&ends) {
                Ok(_) => continue,
                Err(place) => seen.insert(place, ends),
            }
            let iv = s.mesh.algorithm == Algorithm::Iv;
            all.push(Link {
                source: Mac(o.addr),
                target: Mac(*to),
                tq: iv.then_some(*quality),
                kbits: (!iv).then(|| u64::from(byte_to_rate(*quality)) * 100),
                wifi: false,
                source_addr: Mac(o.addr),
                target_addr: Mac(*to),
                counts: None,
                told: Some(msecs(*age)),
                respondd: false,
            });
        }
    }
    // What routing does not carry: links between nodes of other programs. Of both ends the first one counts.
    for p in &v.respondd {
        for link in p.links.iter().filter(|link| link.to != s.mesh.originator) {
            let ends = (p.orig.min(link.to), p.orig.max(link.to));
            let Err(place) = seen.binary_search(&ends) else { continue };
            seen.insert(place, ends);
            let iv = s.mesh.algorithm == Algorithm::Iv;
            all.push(Link {
                source: Mac(p.orig),
                target: Mac(link.to),
                tq: iv.then_some(link.tq),
                kbits: (!iv).then(|| u64::from(link.tq) * 100_000 / 255),
                wifi: link.wifi,
                source_addr: Mac(link.macs[0]),
                target_addr: Mac(link.macs[1]),
                counts: None,
                told: Some(msecs(p.told.at.elapsed())),
                respondd: true,
            });
        }
    }
    all
}

impl Link {
    /// 1 for the best link there is, more for worse ones.
    fn cost(&self) -> f64 {
        match (self.tq, self.kbits) {
            (Some(tq), _) => 255.0 / f64::from(tq.max(1)),
            (None, Some(kbits)) => 1e6 / f64::from(u32::try_from(kbits.max(1)).unwrap_or(u32::MAX)),
            (None, None) => 1.0,
        }
    }

    fn cost_text(&self) -> String {
        match (self.tq, self.kbits) {
            (Some(tq), _) => format!("TQ {tq}/255"),
            (None, Some(kbits)) => format!("{}.{} Mbit/s", kbits / 1000, kbits % 1000 / 100),
            (None, None) => String::new(),
        }
    }
}

fn link_json(link: &Link) -> Value {
    let mut properties = json!({
        "source_addr": link.source_addr, "target_addr": link.target_addr, "wifi": link.wifi,
    });
    if let Some(all) = properties.as_object_mut() {
        if let Some(tq) = link.tq {
            all.insert("tq".to_owned(), tq.into());
        }
        if let Some(kbits) = link.kbits {
            all.insert("throughput_kbits".to_owned(), kbits.into());
        }
        if let Some(age) = link.told {
            all.insert("told_msecs".to_owned(), age.into());
            all.insert("respondd".to_owned(), link.respondd.into());
        }
        if let Some((to, from)) = link.counts {
            all.insert("echo_count".to_owned(), to.into());
            all.insert("receive_count".to_owned(), from.into());
        }
    }
    json!({
        "source": link.source, "target": link.target, "cost": link.cost(), "cost_text": link.cost_text(),
        "properties": properties,
    })
}

/// `DeviceMonitoring`: the machine that the node runs on.
pub(super) fn device(v: &View<'_>) -> Made {
    let machine = Machine::look();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let mut json = Json::start();
    json.field("type", &mut json!("DeviceMonitoring"));
    json.field("general", &mut json!({ "hostname": machine.hostname, "local_time": now, "uptime": machine.uptime }));
    let m = &machine.memory;
    // The schema has whole numbers here; the exact ones stand beside them.
    let load: Vec<u64> = machine.load_centi.iter().map(|l| (l + 50) / 100).collect();
    let exact: Vec<f64> =
        machine.load_centi.iter().map(|l| f64::from(u32::try_from(*l).unwrap_or(0)) / 100.0).collect();
    json.field(
        "resources",
        &mut json!({
            "load": load, "load_average": exact,
            "memory": {
                "total": m("MemTotal"), "free": m("MemFree"), "available": m("MemAvailable"), "buffered": m("Buffers"),
                "cache": m("Cached"), "cached": m("Cached"), "shared": m("Shmem"),
            },
            "swap": { "total": m("SwapTotal"), "free": m("SwapFree") },
        }),
    );
    let port = |p: &PortCounters| {
        json!({
            "rx_bytes": p.rx_bytes, "tx_bytes": p.tx_bytes, "rx_packets": p.rx_frames, "tx_packets": p.tx_frames,
            "rx_dropped": p.rx_overrun, "tx_dropped": p.tx_full, "rx_errors": p.rx_errors, "tx_errors": p.tx_errors,
        })
    };
    let s = v.s;
    let mut mesh = json!({
        "name": s.mesh_name, "type": "virtual", "up": true, "mac": Mac(s.mesh.host_mac), "mtu": s.host_mtu,
    });
    // What passes there is the owner's and guests'.
    if let (true, Some(mesh)) = (v.full, mesh.as_object_mut()) {
        mesh.insert("statistics".to_owned(), port(&s.io.host));
    }
    let hard = s.mesh.links.iter().map(|l| {
        let counters = s.io.links.iter().find(|(name, _)| *name == l.name).map(|(_, p)| *p).unwrap_or_default();
        json!({
            "name": l.name, "type": if l.wifi { "wireless" } else { "ethernet" }, "up": true, "mac": Mac(l.mac),
            "mtu": l.mtu, "statistics": port(&counters),
        })
    });
    json.list("interfaces", std::iter::once(mesh).chain(hard));
    json.list(
        "neighbors",
        view::neighbors(s).map(|n| {
            let state = if n.last_seen_msecs < 10_000 { "REACHABLE" } else { "STALE" };
            json!({ "mac": n.neigh_address, "interface": n.hard_ifname, "state": state })
        }),
    );
    Ok(json.close())
}

/// What the system says of itself.
pub(super) struct Machine<F: Fn(&str) -> u64> {
    pub(super) hostname: String,
    /// Seconds since it was started.
    pub(super) uptime: u64,
    /// Load of 1, 5 and 15 minutes, in hundredths.
    pub(super) load_centi: [u64; 3],
    /// A line of `/proc/meminfo`, in bytes.
    pub(super) memory: F,
}

impl Machine<fn(&str) -> u64> {
    /// Reads `/proc`; what is not there is 0.
    pub(super) fn look() -> Machine<impl Fn(&str) -> u64> {
        let file = |name: &str| std::fs::read_to_string(format!("/proc/{name}")).unwrap_or_default();
        let load = file("loadavg");
        let mut words = load.split(' ').map(|word| word.replace('.', "").parse().unwrap_or(0));
        let meminfo = file("meminfo");
        Machine {
            hostname: file("sys/kernel/hostname").trim().to_owned(),
            uptime: file("uptime").split('.').next().and_then(|secs| secs.parse().ok()).unwrap_or(0),
            load_centi: std::array::from_fn(|_| words.next().unwrap_or(0)),
            memory: move |key: &str| {
                let value = meminfo.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
                let kib: u64 = value.and_then(|v| v.trim().split(' ').next()?.parse().ok()).unwrap_or(0);
                kib * 1024
            },
        }
    }
}

pub(super) fn msecs(d: mesh_core::Duration) -> u64 {
    u64::try_from(d.as_millis()).unwrap_or(u64::MAX)
}
