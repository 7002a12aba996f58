//! What other nodes' respondd tells: whom to ask when, and what is kept of the answers.
//!
//! Asked is only while somebody looks at the mesh and some node in it does not tell of itself by our own container.
//! Then one question goes to all, at most every five minutes, and between those to one node after the other, the one
//! heard of longest ago first. Bytes of questions and answers together stay below [`RATE`]: whatever a question to
//! all brought in is saved before the next goes out.
//!
//! Answers are what strangers say. Nobody is believed who was not asked; what is kept of one answer and of all is
//! bounded; and only between nodes that routing knows is a link ever shown.

use super::flate::inflate;
use crate::run::NodeSnapshot;
use mesh_core::sorted::SortedMap;
use packet::MacAddr;
use serde_json::Value;
use std::net::{Ipv6Addr, SocketAddrV6};
use std::time::{Duration, Instant};

/// UDP port of respondd.
pub(super) const PORT: u16 = 1001;
/// Where all nodes of a mesh hear. Source: gluon-respondd, init script.
pub(super) const ALL: Ipv6Addr = Ipv6Addr::new(0xff05, 0, 0, 0, 0, 0, 2, 0x1001);
/// Where those hear that are near.
pub(super) const NEAR: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 2, 0x1001);
/// Question to all, and to one node.
pub(super) const TO_ALL: &[u8] = b"GET nodeinfo neighbours";
pub(super) const TO_ONE: &[u8] = b"GET nodeinfo neighbours statistics";

/// Bytes per millisecond, with headers, in the long run.
const RATE: i64 = 2;
/// Headers of a packet: Ethernet, IPv6, UDP.
const HEADERS: i64 = 62;
/// Bytes that are saved up at most.
const SAVED: i64 = 4000;
/// What an answer may bring; one node is asked when so much is saved.
const ANSWER: i64 = 1500;
/// Between two questions to all.
const EVERY: Duration = Duration::from_secs(300);
/// Nobody is asked again before.
const FRESH: Duration = Duration::from_secs(30);
/// Answers to a question to all come late, so that they do not come together: Gluon waits up to 10 s.
const LATE: Duration = Duration::from_secs(15);
/// One node answers at once.
const SOON: Duration = Duration::from_secs(4);
/// What a node said is shown for so long ...
const SHOWN: Duration = Duration::from_secs(900);
/// ... and its address kept, so that Prometheus still misses it.
const KEPT: Duration = Duration::from_secs(86_400);
/// After somebody looked, asking goes on for so long.
pub(super) const LOOKING: Duration = Duration::from_secs(60);
/// After Prometheus asked where nodes answer; it asks once a minute, unless told otherwise.
pub(super) const WATCHING: Duration = Duration::from_secs(400);
/// Questions in a row without an answer, after which a node is not asked alone any more.
const MISSES: u8 = 3;

/// Bounds: nodes, bytes of an unpacked answer, hard interfaces and links of a node, links in all, letters of a name.
const MAX_NODES: usize = 500;
const MAX_ANSWER: usize = 24 * 1024;
const MAX_MACS: usize = 16;
const MAX_LINKS: usize = 64;
const MAX_ALL_LINKS: usize = 8192;
const MAX_TEXT: usize = 64;

/// What a node told of itself.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::http) struct Told {
    /// Its name; empty if it says none.
    pub(in crate::http) hostname: String,
    /// What it runs: name and release of its firmware.
    pub(in crate::http) firmware: [String; 2],
    /// What it runs on.
    pub(in crate::http) model: String,
    /// Where it is, degrees north and east, if it says so.
    pub(in crate::http) location: Option<(f64, f64)>,
    /// Its clients, if it says so.
    pub(in crate::http) clients: Option<u64>,
    /// Its hard interfaces, and which of them are radios.
    pub(in crate::http) macs: Vec<(MacAddr, bool)>,
    /// Its links: from its hard interface, to that of its neighbour, quality of 255.
    pub(in crate::http) links: Vec<(MacAddr, MacAddr, u8)>,
    /// When it said so last.
    pub(in crate::http) at: Instant,
    /// Where it answered from.
    pub(in crate::http) from: SocketAddrV6,
    asked: Option<Instant>,
    misses: u8,
}

/// A question that is due.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// To all nodes.
    All,
    /// To one.
    One(SocketAddrV6),
}

/// All that nodes told, by what they call themselves.
#[derive(Debug, Default)]
pub(in crate::http) struct Book {
    nodes: SortedMap<String, Told>,
    /// Bytes that may go over the air; below zero after many answers to a question to all.
    saved: i64,
    counted: Option<Instant>,
    all_asked: Option<Instant>,
}

impl Book {
    /// What is to be asked now, if anything. `wanted`: somebody looks.
    pub(super) fn due(&mut self, now: Instant, wanted: bool) -> Option<Due> {
        let gone = self.counted.map_or(Duration::from_secs(10), |at| now.saturating_duration_since(at));
        self.counted = Some(now);
        self.saved = (self.saved + i64::try_from(gone.as_millis()).unwrap_or(SAVED) * RATE).min(SAVED);
        self.nodes.retain(|_, told| now.saturating_duration_since(told.at) < KEPT);
        if !wanted || self.saved < ANSWER {
            return None;
        }
        let old = |at: Option<Instant>, age: Duration| at.is_none_or(|at| now.saturating_duration_since(at) >= age);
        if old(self.all_asked, EVERY) {
            self.all_asked = Some(now);
            self.spend(TO_ALL.len());
            return Some(Due::All);
        }
        if !old(self.all_asked, LATE) {
            return None;
        }
        let rested =
            |t: &Told| t.misses < MISSES && !old(Some(t.at), SHOWN) && old(Some(t.at), FRESH) && old(t.asked, FRESH);
        let next = self.nodes.values_mut().filter(|t| rested(t)).min_by_key(|t| t.asked.max(Some(t.at)))?;
        next.asked = Some(now);
        next.misses += 1;
        let to = next.from;
        self.spend(TO_ONE.len());
        Some(Due::One(to))
    }

    fn spend(&mut self, bytes: usize) {
        self.saved -= i64::try_from(bytes).unwrap_or(0) + HEADERS;
    }

    /// Takes an answer in. False if it was not asked for, or says nothing.
    pub(super) fn heard(&mut self, from: SocketAddrV6, packed: &[u8], now: Instant) -> bool {
        let lately = |at: Option<Instant>, age: Duration| at.is_some_and(|at| now.saturating_duration_since(at) < age);
        let alone = self.nodes.values().any(|t| t.from.ip() == from.ip() && lately(t.asked, SOON));
        if !alone && !lately(self.all_asked, LATE) {
            return false;
        }
        self.spend(packed.len());
        let Some(answer) = inflate(packed, MAX_ANSWER).and_then(|text| serde_json::from_slice::<Value>(&text).ok())
        else {
            return false;
        };
        let Some(id) = node_id(&answer) else { return false };
        // What somebody else said under this name stays until it is old.
        if let Some(known) = self.nodes.get(id) {
            if known.from.ip() != from.ip() {
                return false;
            }
        } else if self.nodes.len() >= MAX_NODES {
            // Who fell silent makes room.
            let silent = self.nodes.iter().min_by_key(|(_, t)| t.at).filter(|(_, t)| !lately(Some(t.at), SHOWN));
            let Some(silent) = silent.map(|(name, _)| name.clone()) else { return false };
            self.nodes.remove(&silent);
        }
        let mut told = read(&answer, self.nodes.get(id), from, now);
        let held: usize = self.nodes.iter().filter(|(known, _)| *known != id).map(|(_, t)| t.links.len()).sum();
        told.links.truncate(MAX_ALL_LINKS.saturating_sub(held));
        self.nodes.insert(id.to_owned(), told);
        true
    }

    /// All nodes that told of themselves within a day, by what they call themselves.
    pub(in crate::http) fn nodes(&self) -> impl Iterator<Item = (&str, &Told)> {
        self.nodes.iter().map(|(id, told)| (id.as_str(), told))
    }
}

/// What the node calls itself, the same in all parts of the answer.
fn node_id(answer: &Value) -> Option<&str> {
    let mut ids = super::tell::PARTS.iter().filter_map(|part| answer.get(part)?.get("node_id")?.as_str());
    let id = ids.next()?;
    (!id.is_empty() && id.len() <= MAX_TEXT && ids.all(|other| other == id)).then_some(id)
}

/// What an answer says. What it does not speak of stays as it was known.
fn read(answer: &Value, known: Option<&Told>, from: SocketAddrV6, now: Instant) -> Told {
    let mut told = known.cloned().unwrap_or_else(|| Told {
        hostname: String::new(),
        firmware: Default::default(),
        model: String::new(),
        location: None,
        clients: None,
        macs: Vec::new(),
        links: Vec::new(),
        at: now,
        from,
        asked: None,
        misses: 0,
    });
    (told.at, told.from, told.misses) = (now, from, 0);
    if let Some(info) = answer.get("nodeinfo") {
        told.hostname = text(&info["hostname"]);
        told.firmware = ["base", "release"].map(|key| text(&info["software"]["firmware"][key]));
        told.model = text(&info["hardware"]["model"]);
        let degrees = |key: &str, most: f64| info["location"][key].as_f64().filter(|d| d.abs() <= most);
        told.location = degrees("latitude", 90.0).zip(degrees("longitude", 180.0));
        told.macs.clear();
        for mesh in info["network"]["mesh"].as_object().into_iter().flat_map(|meshes| meshes.values()) {
            for kind in ["wireless", "other", "tunnel"] {
                let macs = mesh["interfaces"][kind].as_array().into_iter().flatten();
                told.macs.extend(macs.filter_map(|m| Some((mac(m.as_str()?)?, kind == "wireless"))));
            }
        }
        told.macs.truncate(MAX_MACS);
    }
    if let Some(clients) = answer.get("statistics").map(|s| &s["clients"]["total"]) {
        told.clients = clients.as_u64();
    }
    if let Some(near) = answer.get("neighbours").and_then(|n| n["batadv"].as_object()) {
        let radios = answer["neighbours"]["wifi"].as_object();
        told.links.clear();
        for (own, seen) in near {
            let Some(own_mac) = mac(own) else { continue };
            if told.macs.len() < MAX_MACS && told.macs.iter().all(|(m, _)| *m != own_mac) {
                told.macs.push((own_mac, radios.is_some_and(|r| r.contains_key(own))));
            }
            let links = seen["neighbours"].as_object().into_iter().flatten();
            let quality = |link: &Value| u8::try_from(link["tq"].as_u64()?.min(255)).ok();
            told.links.extend(links.filter_map(|(to, link)| Some((own_mac, mac(to)?, quality(link)?))));
        }
        told.links.truncate(MAX_LINKS);
        told.links.shrink_to_fit();
    }
    told
}

fn mac(text: &str) -> Option<MacAddr> {
    text.parse().ok().filter(|mac: &MacAddr| mac.is_unicast())
}

/// A short text that can be shown.
fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().chars().filter(|c| !c.is_control()).take(MAX_TEXT).collect()
}

/// A node that told of itself, put where routing knows it.
#[derive(Debug)]
pub(in crate::http) struct Placed {
    /// Its originator address.
    pub(in crate::http) orig: MacAddr,
    /// What it told.
    pub(in crate::http) told: Told,
    /// Its links to other originators.
    pub(in crate::http) links: Vec<Link>,
}

/// A link as one of its ends told of it.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::http) struct Link {
    /// Originator at the other end.
    pub(in crate::http) to: MacAddr,
    /// Hard interfaces, ours first.
    pub(in crate::http) macs: [MacAddr; 2],
    /// Of 255.
    pub(in crate::http) tq: u8,
    /// One end is a radio.
    pub(in crate::http) wifi: bool,
}

/// Puts what nodes told where routing knows them: a node calls itself by a name of its own, routing by the address of
/// one of its hard interfaces.
pub(in crate::http) fn place(book: &Book, s: &NodeSnapshot) -> Vec<Placed> {
    let mesh = &s.mesh;
    let mut orig_of: SortedMap<MacAddr, MacAddr> = mesh.originators.iter().map(|o| (o.addr, o.addr)).collect();
    orig_of.extend(mesh.neighbors.iter().filter_map(|n| Some((n.addr, n.originator?))));
    orig_of.extend(mesh.links.iter().map(|l| (l.mac, mesh.originator)));
    let mut placed = Vec::new();
    for (_, told) in book.nodes().filter(|(_, told)| told.at.elapsed() < SHOWN) {
        let orig = told.macs.iter().find_map(|(mac, _)| orig_of.get(mac)).copied();
        let Some(orig) = orig.filter(|orig| *orig != mesh.originator) else { continue };
        // An interface belongs to whom routing says, or else to who says so first.
        for (mac, _) in &told.macs {
            if !orig_of.contains_key(mac) {
                orig_of.insert(*mac, orig);
            }
        }
        placed.push(Placed { orig, told: told.clone(), links: Vec::new() });
    }
    let radios: Vec<MacAddr> =
        placed.iter().flat_map(|p| &p.told.macs).filter(|(_, wifi)| *wifi).map(|(mac, _)| *mac).collect();
    for p in &mut placed {
        let link = |(own, neigh, tq): &(MacAddr, MacAddr, u8)| {
            let to = orig_of.get(neigh).copied().filter(|to| *to != p.orig)?;
            let wifi = radios.iter().any(|mac| mac == own || mac == neigh);
            Some(Link { to, macs: [*own, *neigh], tq: *tq, wifi })
        };
        p.links = p.told.links.iter().filter(|(own, ..)| orig_of.get(own) == Some(&p.orig)).filter_map(link).collect();
    }
    placed.sort_by_key(|p| p.orig);
    placed
}

#[cfg(test)]
mod tests {
    use super::super::flate::deflate;
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn at(n: u16) -> SocketAddrV6 {
        SocketAddrV6::new(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, n), PORT, 0, 3)
    }

    fn like_gluon(n: u16) -> Value {
        let (id, own) = (format!("02000000{n:04x}"), format!("02:00:00:00:{:02x}:{:02x}", n >> 8, n & 255));
        json!({
            "nodeinfo": {
                "node_id": id, "hostname": format!("ff-{n}"), "hardware": { "model": "TP-Link" },
                "location": { "latitude": 53.07, "longitude": 8.8 },
                "software": { "firmware": { "base": "gluon-v2023.2", "release": "1.0" } },
                "network": { "mac": "aa:00:00:00:00:01", "mesh": { "bat0": { "interfaces": { "wireless": [own] } } } },
            },
            "neighbours": { "node_id": id, "batadv": { own: { "neighbours": {
                "02:00:00:00:00:05": { "tq": 200, "lastseen": 0.4, "best": true },
                "broken": { "tq": 3 }, "02:00:00:00:00:06": { "tq": "much" } } } } },
        })
    }

    fn pack(value: &Value) -> Vec<u8> {
        deflate(value.to_string().as_bytes())
    }

    #[test]
    fn an_answer_is_kept_with_its_links() {
        let (mut book, now) = (Book::default(), Instant::now());
        assert!(!book.heard(at(1), &pack(&like_gluon(1)), now), "nobody asked");
        assert_eq!(book.due(now, true), Some(Due::All));
        assert!(book.heard(at(1), &pack(&like_gluon(1)), now));
        let (_, told) = book.nodes().next().unwrap();
        assert_eq!((told.hostname.as_str(), told.model.as_str()), ("ff-1", "TP-Link"));
        assert_eq!(told.firmware, ["gluon-v2023.2", "1.0"]);
        assert_eq!(told.location, Some((53.07, 8.8)));
        let mac = |n| MacAddr([2, 0, 0, 0, 0, n]);
        assert_eq!(told.macs, [(mac(1), true)]);
        assert_eq!(told.links, [(mac(1), mac(5), 200)]);
        // Somebody else under the same name is not believed, and later nobody is.
        assert!(!book.heard(at(2), &pack(&like_gluon(1)), now));
        assert!(!book.heard(at(1), &pack(&like_gluon(1)), now + LATE));
    }

    #[test]
    fn one_question_to_all_in_five_minutes_and_only_while_somebody_looks() {
        let (mut book, start) = (Book::default(), Instant::now());
        let mut alls = Vec::new();
        for second in 0..1800u64 {
            let now = start + Duration::from_secs(second);
            let looked = second < 700;
            match book.due(now, looked) {
                Some(_) if !looked => panic!("asked although nobody looks"),
                Some(Due::All) => {
                    alls.push(second);
                    for n in 1..=10 {
                        book.heard(at(n), &pack(&like_gluon(n)), now);
                    }
                }
                Some(Due::One(to)) => {
                    let n = to.ip().segments()[7];
                    assert!(book.heard(to, &pack(&like_gluon(n)), now));
                }
                None => {}
            }
        }
        assert_eq!(alls, [0, 300, 600]);
        assert_eq!(book.nodes().count(), 10);
        book.due(start + KEPT + Duration::from_secs(1800), false);
        assert_eq!(book.nodes().count(), 0, "nobody looked for a day");
    }

    #[test]
    fn two_kilobytes_a_second_whatever_comes_back() {
        let (mut book, start) = (Book::default(), Instant::now());
        let mut bytes = 0;
        let seconds = 3600;
        let mut last_all = 0;
        for second in 0..seconds {
            let now = start + Duration::from_secs(second);
            let mut hear = |book: &mut Book, n: u16| {
                let answer = pack(&like_gluon(n));
                book.heard(at(n), &answer, now);
                bytes += answer.len() + 62;
            };
            match book.due(now, true) {
                Some(Due::All) => {
                    assert!(second == 0 || second - last_all >= 300);
                    last_all = second;
                    (1..=2000).for_each(|n| hear(&mut book, n));
                    bytes += TO_ALL.len() + 62;
                }
                Some(Due::One(to)) => {
                    hear(&mut book, to.ip().segments()[7]);
                    bytes += TO_ONE.len() + 62;
                }
                None => {}
            }
        }
        assert_eq!(book.nodes().count(), MAX_NODES);
        let seconds = usize::try_from(seconds).unwrap();
        assert!(bytes <= 2000 * (seconds + 600), "{} bytes per second", bytes / seconds);
        assert!(bytes >= 1000 * seconds, "{} bytes per second: hardly anybody is asked", bytes / seconds);
    }

    #[test]
    fn who_does_not_answer_is_left_alone() {
        let (mut book, start) = (Book::default(), Instant::now());
        assert_eq!(book.due(start, true), Some(Due::All));
        book.heard(at(1), &pack(&like_gluon(1)), start);
        let ones = (1..290).filter(|s| matches!(book.due(start + Duration::from_secs(*s), true), Some(Due::One(_))));
        assert_eq!(ones.count(), 3);
    }

    #[test]
    fn a_hostile_answer_takes_no_more_room() {
        let (mut book, now) = (Book::default(), Instant::now());
        book.due(now, true);
        let many: serde_json::Map<_, _> =
            (0..180).map(|n| (format!("02:00:00:00:01:{n:02x}"), json!({ "tq": 255 }))).collect();
        let mut value = like_gluon(1);
        value["neighbours"]["batadv"]["02:00:00:00:00:01"]["neighbours"] = many.into();
        value["nodeinfo"]["hostname"] = "x\u{1b}[2J".repeat(1000).into();
        assert!(book.heard(at(1), &pack(&value), now));
        let (_, told) = book.nodes().next().unwrap();
        assert_eq!(told.links.len(), MAX_LINKS);
        assert_eq!(told.hostname.chars().count(), MAX_TEXT);
        assert!(!told.hostname.contains('\u{1b}'));
        value["nodeinfo"]["hostname"] = "x".repeat(MAX_ANSWER).into();
        assert!(!book.heard(at(1), &pack(&value), now), "too long");
        let mut two = like_gluon(2);
        two["neighbours"]["node_id"] = "somebody else".into();
        assert!(!book.heard(at(2), &pack(&two), now));
        for odd in [
            json!([]),
            json!(null),
            json!({ "nodeinfo": 3 }),
            json!({ "nodeinfo": { "node_id": "a", "network": [1] } }),
        ] {
            book.heard(at(3), &pack(&odd), now);
        }
    }

    proptest! {
        #[test]
        fn any_answer_is_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let (mut book, now) = (Book::default(), Instant::now());
            book.due(now, true);
            prop_assert!(!book.heard(at(1), &bytes, now) || book.nodes().count() == 1);
        }
    }
}
