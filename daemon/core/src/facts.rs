//! What a node tells all others of itself besides routing: its name, version, and who its neighbours are, so that
//! everybody can draw the mesh. It rides in our own container, which kernel nodes carry unread.
//!
//! Said once a minute, and when neighbours came, went, or became much better or worse: five times in a row, then once
//! in ten seconds. All of it together stays below a twentieth of the bytes of our own OGMs, whatever happens.

use crate::config::Algorithm;
use crate::mesh::Mesh;
use crate::sorted::SortedMap;
use crate::time::{Duration, Instant};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use packet::MacAddr;
use packet::tvlv::facts::{self, Facts};
use packet::tvlv::meshwork::Meshwork;

/// Said again after so long.
const EVERY: Duration = Duration::from_secs(60);
/// News in a row ...
const BURST: u64 = 5;
/// ... and then one in so long.
const PACE: Duration = Duration::from_secs(10);
/// So many bytes of OGMs pay for one byte of facts.
const SHARE: usize = 20;
/// Most bytes that are saved up: a burst of news.
const SAVED: usize = 5 * facts::MAX_VALUE;
/// A link that became so much better or worse, of 255, is news.
const NEWS: u8 = 64;
/// Most neighbours that are remembered of a node; no container holds more.
const MAX_NEIGHBORS: usize = facts::MAX_VALUE / facts::NEIGHBOR;

/// When our own facts go out.
#[derive(Debug)]
pub(crate) struct Schedule {
    /// Bytes that may be spent, in shares.
    saved: usize,
    /// News that may be told at once, in OGM intervals.
    turns: u64,
    /// OGMs since facts went out; `None` before the first time.
    since: Option<u64>,
    /// Neighbours as last told.
    told: Vec<(MacAddr, u8)>,
}

/// Facts of another node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its name; empty if it says none.
    pub name: String,
    /// Version of its program; empty if it says none.
    pub version: String,
    /// Its neighbours, and the quality of the links: transmit quality under IV, under V a throughput as
    /// [`facts::rate_to_byte`] writes it.
    pub neighbors: Vec<(MacAddr, u8)>,
    /// When it said so.
    pub(crate) at: Instant,
}

impl Schedule {
    pub(crate) const fn new() -> Self {
        Self { saved: SAVED * SHARE, turns: u64::MAX, since: None, told: Vec::new() }
    }
}

impl Known {
    /// What a container says; `None` if it says nothing.
    pub(crate) fn read(value: &[u8], now: Instant) -> Option<Self> {
        let facts = Facts::parse(value.get(size_of::<Meshwork>()..)?);
        (!facts.is_empty()).then(|| Self {
            name: facts.name.unwrap_or_default().to_string(),
            version: facts.version.unwrap_or_default().to_string(),
            neighbors: facts.neighbors().take(MAX_NEIGHBORS).collect(),
            at: now,
        })
    }
}

impl Mesh {
    /// Facts to go with the next OGM, which is `ogm` bytes long without them; empty if there is nothing to say.
    /// `room` is what the interfaces leave.
    pub(crate) fn facts_due(&mut self, ogm: usize, room: usize) -> Vec<u8> {
        if self.cfg.publish.is_none() {
            return Vec::new();
        }
        let intervals = |d: Duration| {
            u64::try_from(d.as_millis() / self.cfg.orig_interval.as_millis().max(1)).unwrap_or(u64::MAX).max(1)
        };
        let (minute, pace) = (intervals(EVERY), intervals(PACE));
        let neighbors = self.told_neighbors();
        let s = &mut self.facts;
        s.saved = (s.saved + ogm).min(SAVED * SHARE);
        s.turns = s.turns.saturating_add(1).min(BURST * pace);
        s.since = s.since.map(|n| n.saturating_add(1));
        let due = s.since.is_none_or(|n| n >= minute);
        let news = s.turns >= pace && is_news(&s.told, &neighbors);
        if !due && !news {
            return Vec::new();
        }
        let most = facts::MAX_VALUE.min(room).saturating_sub(size_of::<Meshwork>());
        let Some(own) = &self.cfg.publish else { return Vec::new() };
        let out = write(&own.name, &own.version, &neighbors, most);
        let cost = (out.len() + size_of::<Meshwork>()) * SHARE;
        let s = &mut self.facts;
        if out.is_empty() || cost > s.saved {
            return Vec::new();
        }
        s.saved -= cost;
        if !due {
            s.turns -= pace;
        }
        s.since = Some(0);
        s.told = neighbors;
        out
    }

    /// Our neighbours by originator, each once with its best link, the best ones first.
    fn told_neighbors(&self) -> Vec<(MacAddr, u8)> {
        let mut best: SortedMap<MacAddr, u8> = SortedMap::new();
        for link in self.links.values() {
            for (addr, n) in &link.neighbors {
                let Some(orig) = n.originator.filter(|_| !n.life.dead) else { continue };
                let quality = match self.algorithm {
                    Algorithm::V => facts::rate_to_byte(n.v.rate.throughput()),
                    Algorithm::Iv => self.iv_link_tq(link, *addr),
                };
                let known = best.entry(orig).or_default();
                *known = quality.max(*known);
            }
        }
        let mut all: Vec<_> =
            best.iter().map(|(mac, quality)| (*mac, *quality)).filter(|(_, quality)| *quality > 0).collect();
        all.sort_by_key(|(mac, quality)| (core::cmp::Reverse(*quality), *mac));
        all.truncate(MAX_NEIGHBORS);
        all
    }
}

/// True if a neighbour came, went, or has another quality than was told.
fn is_news(told: &[(MacAddr, u8)], now: &[(MacAddr, u8)]) -> bool {
    told.len() != now.len()
        || now.iter().any(|(mac, quality)| {
            let before = told.iter().find(|(m, _)| m == mac);
            before.is_none_or(|(_, before)| before.abs_diff(*quality) >= NEWS)
        })
}

/// Items that fit `most` bytes, of even length in all.
fn write(name: &str, version: &str, neighbors: &[(MacAddr, u8)], most: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut item = |kind: u8, bytes: &[u8]| {
        let len = u8::try_from(bytes.len()).unwrap_or(u8::MAX);
        if !bytes.is_empty() && bytes.len() == usize::from(len) && out.len() + 2 + bytes.len() <= most {
            out.extend_from_slice(&[kind, len]);
            out.extend_from_slice(bytes);
        }
        most - out.len()
    };
    item(facts::NAME, name.as_bytes());
    let room = item(facts::VERSION, version.as_bytes());
    let fit = room.saturating_sub(2) / facts::NEIGHBOR;
    let list: Vec<u8> =
        neighbors.iter().take(fit).flat_map(|(mac, quality)| mac.0.into_iter().chain([*quality])).collect();
    item(facts::NEIGHBORS, &list);
    if out.len() % 2 == 1 {
        if out.len() < most { out.push(0) } else { out.clear() }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mac(last: u8) -> MacAddr {
        MacAddr([2, 0, 0, 0, 0, last])
    }

    #[test]
    fn what_is_written_is_read_back() {
        let neighbors: Vec<_> = (1..=30).map(|i| (mac(i), 255 - i)).collect();
        let most = facts::MAX_VALUE - size_of::<Meshwork>();
        let out = write("roof", "0.1.0", &neighbors, most);
        assert!(out.len() <= most && out.len().is_multiple_of(2), "{}", out.len());
        let facts = Facts::parse(&out);
        assert_eq!((facts.name, facts.version), (Some("roof"), Some("0.1.0")));
        let told: Vec<_> = facts.neighbors().collect();
        assert!(told.len() >= 14 && told == neighbors[..told.len()], "the best ones: {told:?}");
        for most in 0..most {
            let out = write("roof", "0.1.0", &neighbors, most);
            assert!(out.len() <= most && out.len().is_multiple_of(2), "{most}");
        }
    }

    #[test]
    fn news_are_neighbours_that_come_go_or_change_much() {
        let told = [(mac(1), 200), (mac(2), 100)];
        assert!(!is_news(&told, &told));
        assert!(!is_news(&told, &[(mac(1), 180), (mac(2), 120)]));
        assert!(is_news(&told, &[(mac(1), 136), (mac(2), 100)]));
        assert!(is_news(&told, &[(mac(1), 200)]));
        assert!(is_news(&told, &[(mac(1), 200), (mac(3), 100)]));
    }
}
