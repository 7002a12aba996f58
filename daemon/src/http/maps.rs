//! What map programs read: meshviewer's `meshviewer.json` and the document of batadv-vis. Sources: yanic,
//! `output/meshviewer-ffrgb/struct.go`; alfred, `vis/vis.c`.

use super::json::{Json, Made};
use super::netjson::{Machine, links};
use super::respondd::{Book, Told};
use super::site::View;
use crate::control::protocol::Mac;
use crate::control::view;
use mesh_core::Duration;
use packet::MacAddr;
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

/// A node that was not heard of for so long is offline.
const OFFLINE: Duration = Duration::from_secs(60);

/// meshviewer's file.
pub(super) fn meshviewer(v: &View<'_>) -> Made {
    let s = v.s;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let ago = |d: Duration| date(now.saturating_sub(d.as_secs()));
    let mut json = Json::start();
    json.field("timestamp", &mut json!(date(now)));
    let machine = Machine::look();
    let own = s.mesh.originator;
    let memory = |key| f64::from(u32::try_from((machine.memory)(key) / 1024).unwrap_or(u32::MAX));
    let (total, free) = (memory("MemTotal"), memory("MemFree") + memory("Buffers") + memory("Cached"));
    let hop = |gateway: MacAddr| {
        let o = s.mesh.originators.iter().find(|o| o.addr == gateway)?;
        let path = o.paths.iter().find(|p| p.best)?;
        s.mesh.neighbors.iter().find(|n| n.addr == path.neigh)?.originator
    };
    let chosen = s.mesh.gateways.iter().find(|g| g.selected).map(|g| g.addr);
    let mut us = node_json(own, &v.name(own), s.mesh.local_clients.len());
    if let Some(all) = us.as_object_mut() {
        all.insert("firstseen".to_owned(), ago(s.mesh.uptime).into());
        all.insert("uptime".to_owned(), date(now.saturating_sub(machine.uptime)).into());
        all.insert("lastseen".to_owned(), date(now).into());
        all.insert("is_online".to_owned(), true.into());
        all.insert("is_gateway".to_owned(), s.mesh.gateway_announced.is_some().into());
        all.insert("loadavg".to_owned(), centi(machine.load_centi).into());
        if total > 0.0 {
            all.insert("memory_usage".to_owned(), (1.0 - free / total).into());
        }
        all.insert("firmware".to_owned(), json!({ "base": "Meshwork", "release": s.version }));
        if let Some(gateway) = chosen {
            all.insert("gateway".to_owned(), id(gateway).into());
            if let Some(next) = hop(gateway) {
                all.insert("gateway_nexthop".to_owned(), id(next).into());
            }
        }
    }
    let others = s.mesh.originators.iter().map(|o| {
        let mut node = node_json(o.addr, &v.name(o.addr), o.clients);
        if let Some(all) = node.as_object_mut() {
            all.insert("firstseen".to_owned(), ago(s.mesh.uptime).into());
            all.insert("lastseen".to_owned(), ago(o.last_seen).into());
            all.insert("is_online".to_owned(), (!o.paths.is_empty() && o.last_seen < OFFLINE).into());
            all.insert("is_gateway".to_owned(), s.mesh.gateways.iter().any(|g| g.addr == o.addr).into());
            if o.meshwork {
                let release = o.facts.as_ref().map_or("", |(f, _)| f.version.as_str());
                all.insert("firmware".to_owned(), json!({ "base": "Meshwork", "release": release }));
            }
            if let Some(told) = v.respondd(o.addr).map(|p| &p.told) {
                let [base, release] = &told.firmware;
                all.insert("firmware".to_owned(), json!({ "base": base, "release": release }));
                all.insert("model".to_owned(), told.model.as_str().into());
                if let Some((north, east)) = told.location {
                    all.insert("location".to_owned(), json!({ "latitude": north, "longitude": east }));
                }
            }
        }
        node
    });
    json.list("nodes", std::iter::once(us).chain(others));
    let drawn = links(v).into_iter().map(|link| {
        // meshviewer draws shares of one. A link of throughput has its own: 100 Mbit/s and more is whole.
        let share = match (link.tq, link.kbits) {
            (Some(tq), _) => f64::from(tq) / 255.0,
            (None, kbits) => f64::from(u32::try_from(kbits.unwrap_or(0).min(100_000)).unwrap_or(0)) / 1e5,
        };
        json!({
            "type": if link.wifi { "wifi" } else { "other" }, "source": id(link.source.0), "target": id(link.target.0),
            "source_tq": share, "target_tq": share, "source_addr": link.source_addr, "target_addr": link.target_addr,
        })
    });
    json.list("links", drawn);
    Ok(json.close())
}

/// What every node of meshviewer has.
fn node_json(addr: MacAddr, name: &str, clients: usize) -> Value {
    json!({
        "node_id": id(addr), "hostname": name, "mac": Mac(addr), "addresses": [],
        "network": { "mac": Mac(addr), "addresses": [] }, "clients": clients, "clients_wifi24": 0, "clients_wifi5": 0,
        "clients_other": clients, "autoupdater": { "enabled": false }, "nproc": 0, "vpn": false,
    })
}

/// The document of batadv-vis. Clients only for those who may see them.
pub(super) fn vis(v: &View<'_>) -> Made {
    let s = v.s;
    let mut json = Json::start();
    json.field("source_version", &mut json!(s.version));
    json.field("algorithm", &mut json!(4));
    let neighbors: Vec<Value> = links(v)
        .iter()
        .map(|l| {
            let metric = match (l.tq, l.kbits) {
                (Some(tq), _) => 255.0 / f64::from(tq.max(1)),
                (None, kbits) => 1e6 / f64::from(u32::try_from(kbits.unwrap_or(1).max(1)).unwrap_or(u32::MAX)),
            };
            json!({ "router": l.source_addr, "neighbor": l.target_addr, "metric": format!("{metric:.3}") })
        })
        .collect();
    let secondary: Vec<Mac> = s.mesh.links.iter().filter(|l| !l.primary).map(|l| Mac(l.mac)).collect();
    let clients: Vec<Mac> = view::local_clients(s).filter(|_| v.full).map(|c| c.tt_address).collect();
    let mut us = json!({ "primary": Mac(s.mesh.originator), "neighbors": neighbors, "clients": clients });
    if let Some(all) = us.as_object_mut().filter(|_| !secondary.is_empty()) {
        all.insert("secondary".to_owned(), json!(secondary));
    }
    json.list("vis", std::iter::once(us));
    Ok(json.close())
}

/// Scrape targets for Prometheus' `http_sd_config`, labelled as yanic labels them (`output/prometheus-sd/output.go`):
/// all Meshwork nodes whose address was known within a day, so that one that fell silent is missed. `host` is how the
/// asker calls this one, `zone` the interface of addresses that hold on one link only.
pub(super) fn targets(v: &View<'_>, book: &Book, host: &str, zone: &str) -> Vec<u8> {
    let (s, port) = (v.s, v.about.http.port);
    let target = |host: &str, id: &str, name: &str, told: Option<&Told>| {
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let mut labels = json!({ "node_id": id, "hostname": name, "mesh": s.mesh_name });
        if let (Some(all), Some(told)) = (labels.as_object_mut(), told) {
            if !told.model.is_empty() {
                all.insert("model".to_owned(), told.model.as_str().into());
            }
            if let Some((north, east)) = told.location {
                all.insert("latitude".to_owned(), north.to_string().into());
                all.insert("longitude".to_owned(), east.to_string().into());
            }
        }
        json!({ "targets": [format!("{host}:{port}")], "labels": labels })
    };
    let own = s.mesh.originator;
    let mut all = vec![target(host, &id(own), &v.name(own), None)];
    for (id, told) in book.nodes().filter(|(_, told)| told.firmware[0] == "Meshwork") {
        let ip = told.from.ip();
        let host = if ip.is_unicast_link_local() { format!("{ip}%{zone}") } else { ip.to_string() };
        // Where routing knows it, by the name it has on the map.
        let placed = v.respondd.iter().find(|p| p.told.from == told.from);
        let name = placed.map_or_else(|| told.hostname.clone(), |p| v.name(p.orig));
        all.push(target(&host, id, &name, Some(told)));
    }
    format!("{}\n", Value::Array(all)).into_bytes()
}

/// How Freifunk calls a node: its address without colons.
pub(super) fn id(addr: MacAddr) -> String {
    addr.to_string().replace(':', "")
}

fn centi(load: [u64; 3]) -> f64 {
    f64::from(u32::try_from(load[0]).unwrap_or(0)) / 100.0
}

/// `2026-01-31T12:00:00+0000` of seconds since 1970.
fn date(secs: u64) -> String {
    format!("{}+0000", crate::sys::clock::utc(secs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        assert_eq!(date(0), "1970-01-01T00:00:00+0000");
        assert_eq!(date(951_782_400), "2000-02-29T00:00:00+0000");
        assert_eq!(date(1_735_689_599), "2024-12-31T23:59:59+0000");
        assert_eq!(date(4_107_542_400), "2100-03-01T00:00:00+0000");
    }
}
