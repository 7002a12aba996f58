//! What this node says of itself when a map server asks. Sources: respondd as Gluon nodes speak it
//! (gluon-respondd, gluon-mesh-batman-adv), and what yanic reads of it (yanic, `data/`).
//!
//! Everything in here is public to whoever is in the mesh: no client's address, nothing of the owner.

use super::super::maps::id;
use super::super::netjson::Machine;
use super::super::site::View;
use crate::control::json::write_text;
use crate::control::view;
use crate::run::NodeSnapshot;
use mesh_core::snapshot::{LinkView, NeighborView};
use mesh_core::{Algorithm, Count};
use std::fmt::{Display, Write as _};
use std::net::Ipv6Addr;

/// What can be asked for, in the order of answers.
pub(super) const PARTS: [&str; 3] = ["nodeinfo", "statistics", "neighbours"];
/// Most neighbours in an answer: it has to fit what readers take, 8 kB with yanic.
const MAX_NEIGHBORS: usize = 128;

/// What somebody asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Question {
    /// Which of [`PARTS`].
    wants: [bool; 3],
    /// All of it in one object, packed; otherwise one part as it is.
    packed: bool,
}

impl Question {
    /// `GET` and names, or one name alone; `None` if it is no question that can be answered.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?.trim_end_matches(['\0', '\n', '\r']);
        let (packed, names) = match text.strip_prefix("GET ") {
            Some(names) => (true, names),
            None => (false, text),
        };
        let asked = |part: &&str| if packed { names.split(' ').any(|name| name == *part) } else { names == *part };
        let wants = std::array::from_fn(|i| PARTS.get(i).is_some_and(asked));
        wants.contains(&true).then_some(Self { wants, packed })
    }
}

/// The answer, as it goes out. `addresses`: those of the mesh interface.
pub(super) fn answer(v: &View<'_>, addresses: &[Ipv6Addr], question: Question) -> Vec<u8> {
    let mut all = Nest::default();
    let parts: [&dyn Fn(&mut Nest); 3] =
        [&|to| nodeinfo(v, addresses, to), &|to| statistics(v, to), &|to| neighbours(v.s, to)];
    for ((name, part), _) in PARTS.iter().zip(parts).zip(question.wants).filter(|(_, wanted)| *wanted) {
        all.open(if question.packed { *name } else { "" });
        all.text("node_id", &id(v.s.mesh.originator));
        part(&mut all);
        all.close();
    }
    if question.packed {
        let mut out = vec![b'{'];
        out.extend_from_slice(&all.0);
        out.push(b'}');
        return super::flate::deflate(&out);
    }
    all.0
}

fn nodeinfo(v: &View<'_>, addresses: &[Ipv6Addr], to: &mut Nest) {
    let s = v.s;
    let name = v.about.setup.mesh.publish.as_ref().map(|own| own.name.as_str()).filter(|name| !name.is_empty());
    to.text("hostname", &name.unwrap_or(&id(s.mesh.originator)));
    to.open("network");
    to.text("mac", &s.mesh.originator);
    to.list("addresses", addresses.iter().map(|a| a as &dyn Display));
    to.open("mesh");
    to.open(&s.mesh_name);
    to.open("interfaces");
    for (kind, wifi) in [("wireless", true), ("other", false)] {
        let of_kind: Vec<&LinkView> = s.mesh.links.iter().filter(|l| l.wifi == wifi).collect();
        if !of_kind.is_empty() {
            to.list(kind, of_kind.iter().map(|l| &l.mac as &dyn Display));
        }
    }
    to.close();
    to.close();
    to.close();
    to.close();
    to.open("software");
    to.open("firmware");
    to.text("base", &"Meshwork");
    to.text("release", &s.version);
    to.close();
    // The protocol is this one's; what speaks it is named above.
    to.open("batman-adv");
    to.text("version", &format_args!("meshwork-{}", s.version));
    to.figure("compat", &15);
    to.close();
    to.close();
    to.open("hardware");
    to.figure("nproc", &std::thread::available_parallelism().map_or(1, std::num::NonZero::get));
    let file = |path: &str| std::fs::read_to_string(path).ok();
    if let Some(model) = file("/tmp/sysinfo/model").or_else(|| file("/proc/device-tree/model")) {
        to.text("model", &model.trim_matches(['\0', '\n', ' ']));
    }
    to.close();
}

fn statistics(v: &View<'_>, to: &mut Nest) {
    let s = v.s;
    let clients = || s.mesh.local_clients.iter().filter(|c| !c.permanent && !c.roamed);
    to.open("clients");
    to.figure("total", &clients().count());
    to.figure("wifi", &clients().filter(|c| c.wifi).count());
    to.close();
    let machine = Machine::look();
    to.figure("uptime", &machine.uptime);
    to.figure("loadavg", &Thousandths(machine.load_centi[0] * 10));
    to.open("memory");
    for (key, line) in [
        ("total", "MemTotal"),
        ("free", "MemFree"),
        ("available", "MemAvailable"),
        ("buffers", "Buffers"),
        ("cached", "Cached"),
    ] {
        to.figure(key, &((machine.memory)(line) / 1024));
    }
    to.close();
    if let Some(gateway) = s.mesh.gateways.iter().find(|g| g.selected) {
        to.text("gateway", &gateway.addr);
        if let Some(path) = &gateway.path {
            to.text("gateway_nexthop", &path.neigh);
            if s.mesh.algorithm == Algorithm::Iv {
                to.figure("gateway_tq", &path.tq);
            }
        }
    }
    let mut all = s.mesh.counters.clone();
    all.merge(&s.plane);
    to.open("traffic");
    for (key, packets, bytes) in [
        ("tx", Count::Tx, Count::TxBytes),
        ("rx", Count::Rx, Count::RxBytes),
        ("forward", Count::Forward, Count::ForwardBytes),
        ("mgmt_tx", Count::MgmtTx, Count::MgmtTxBytes),
        ("mgmt_rx", Count::MgmtRx, Count::MgmtRxBytes),
    ] {
        to.open(key);
        to.figure("packets", &all.count(packets));
        to.figure("bytes", &all.count(bytes));
        to.close();
    }
    to.close();
}

fn neighbours(s: &NodeSnapshot, to: &mut Nest) {
    let all = || s.mesh.neighbors.iter().filter(|n| !n.dead).take(MAX_NEIGHBORS);
    for own in [false, true] {
        to.open(if own { "meshwork" } else { "batadv" });
        for link in &s.mesh.links {
            let mut here = all().filter(|n| n.link == link.id).peekable();
            if here.peek().is_none() {
                continue;
            }
            to.open(link.mac);
            to.open("neighbours");
            for n in here {
                to.open(n.addr);
                if own {
                    own_figures(s, n, to);
                } else {
                    to.figure("tq", &tq(s, n));
                    to.figure("lastseen", &Thousandths(u64::try_from(n.last_seen.as_millis()).unwrap_or(0)));
                    to.figure("best", &is_best(s, n));
                }
                to.close();
            }
            to.close();
            to.close();
        }
        to.close();
    }
}

/// What `batadv` has no word for.
fn own_figures(s: &NodeSnapshot, n: &NeighborView, to: &mut Nest) {
    if let Some(orig) = n.originator {
        to.text("orig_address", &orig);
    }
    match s.mesh.algorithm {
        Algorithm::V => to.figure("throughput_kbits", &view::kbits(n.throughput)),
        Algorithm::Iv => {
            to.figure("echo_count", &n.echo_count);
            to.figure("receive_count", &n.receive_count);
        }
    }
    to.figure("meshwork", &n.meshwork);
}

/// Quality as B.A.T.M.A.N. IV counts it. Under V 100 Mbit/s and more is all of it.
fn tq(s: &NodeSnapshot, n: &NeighborView) -> u32 {
    match s.mesh.algorithm {
        Algorithm::Iv => n.tq.into(),
        // In units of 100 kbit/s.
        Algorithm::V => (n.throughput.min(1000) * 255 / 1000).max(1),
    }
}

/// Packets to it go to it without a detour.
fn is_best(s: &NodeSnapshot, n: &NeighborView) -> bool {
    let orig = n.originator.and_then(|addr| s.mesh.originators.iter().find(|o| o.addr == addr));
    orig.is_some_and(|o| o.paths.iter().any(|p| p.best && p.neigh == n.addr && p.link == n.link))
}

/// `1234` as `1.234`.
struct Thousandths(u64);

impl Display for Thousandths {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1000, self.0 % 1000)
    }
}

/// Objects in objects, written as they come.
#[derive(Default)]
struct Nest(Vec<u8>);

impl Nest {
    fn key(&mut self, key: &dyn Display) {
        if !matches!(self.0.last(), None | Some(b'{')) {
            self.0.push(b',');
        }
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = write!(text, "{key}");
        if !text.is_empty() {
            write_text(&text, &mut self.0);
            self.0.push(b':');
        }
    }

    /// Without a key for the outermost.
    fn open(&mut self, key: impl Display) {
        self.key(&key);
        self.0.push(b'{');
    }

    fn close(&mut self) {
        self.0.push(b'}');
    }

    fn text(&mut self, key: &str, value: &dyn Display) {
        self.key(&key);
        write_text(&value.to_string(), &mut self.0);
    }

    fn figure(&mut self, key: &str, value: &dyn Display) {
        self.key(&key);
        let _ = std::io::Write::write_fmt(&mut self.0, format_args!("{value}"));
    }

    fn list<'a>(&mut self, key: &str, items: impl Iterator<Item = &'a dyn Display>) {
        self.key(&key);
        self.0.push(b'[');
        for (i, item) in items.enumerate() {
            if i > 0 {
                self.0.push(b',');
            }
            write_text(&item.to_string(), &mut self.0);
        }
        self.0.push(b']');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// What stands between backticks in a table of the manual, from one heading to the next.
    fn listed(heading: &str) -> BTreeSet<String> {
        let text = include_str!("../../../../docs/published.md");
        let part = text.split("\n## ").find(|part| part.starts_with(heading)).unwrap();
        let rows = part.lines().filter(|line| line.starts_with("| "));
        // Every other piece is between two of them; a word with a space is a setting.
        let words = rows.flat_map(|row| row.split('`').skip(1).step_by(2)).map(str::to_owned);
        words
            .filter(|word| !word.contains(' ') && !word.starts_with('[') && word != "publish" && word != "node_name")
            .collect()
    }

    #[test]
    fn the_manual_lists_what_is_told_and_nothing_else() {
        let code = include_str!("tell.rs").split("#[cfg(test)]").next().unwrap();
        let mut told: BTreeSet<String> = PARTS.iter().map(|part| (*part).to_owned()).collect();
        for start in [".text(", ".figure(", ".list(", ".open("] {
            let calls = code.split(start).skip(1).map(str::trim_start);
            told.extend(calls.filter_map(|call| call.strip_prefix('"')?.split('"').next()).map(str::to_owned));
        }
        // Keys that stand in lists: ("tx", Count::Tx, ...), and the two names of neighbours.
        told.extend(code.split("(\"").skip(1).filter_map(|call| call.split('"').next()).map(str::to_owned));
        told.extend(["meshwork".to_owned(), "batadv".to_owned()]);
        let words =
            |word: &String| word.bytes().all(|b| b.is_ascii_lowercase() || b"_-".contains(&b)) && !word.is_empty();
        let told: BTreeSet<String> = told.into_iter().filter(words).collect();
        assert_eq!(told, listed("By respondd"));
    }

    #[test]
    fn the_manual_lists_the_items_of_our_container() {
        let code = include_str!("../../../../packet/src/tvlv/facts.rs");
        let kinds = code.lines().filter_map(|line| line.strip_prefix("pub const ")?.split_once(": u8 = "));
        let kinds: BTreeSet<String> = kinds.map(|(name, _)| name.to_owned()).collect();
        assert!(kinds.len() >= 3);
        assert_eq!(kinds, listed("In routing"));
    }

    #[test]
    fn questions() {
        let all = |text: &str| Question::parse(text.as_bytes()).map(|q| (q.packed, q.wants));
        assert_eq!(all("GET nodeinfo statistics neighbours"), Some((true, [true; 3])));
        assert_eq!(all("GET neighbours"), Some((true, [false, false, true])));
        assert_eq!(all("GET statistics something\n"), Some((true, [false, true, false])));
        assert_eq!(all("nodeinfo"), Some((false, [true, false, false])));
        assert_eq!(all("neighbours\0"), Some((false, [false, false, true])));
        for other in ["", "GET ", "GET something", "nodeinfo statistics", "get nodeinfo", "GET\tnodeinfo"] {
            assert_eq!(all(other), None, "{other:?}");
        }
        assert_eq!(Question::parse(b"GET nodeinfo\xff"), None);
    }
}
