//! The originator table: who exists, through whom, and which way is best.
//!
//! One record per address that OGMs speak for, own hard interfaces of other nodes included. Each
//! record has a set of neighbours that brought its OGMs and one choice of next hop per routing
//! table ("n + 1 tables": one for packets that start here, one per receiving hard interface).
//! Source: "B.A.T.M.A.N. IV" sections 1, 9, 11.

use crate::config::LinkId;
use crate::fib::{NextHop, Table};
use crate::link::{Bucket, PURGE_AFTER};
use crate::sorted::SortedMap;
use crate::time::Instant;
use crate::verify::lessened;
use crate::window::{ResetGuard, Stream, Watch, Window};
use alloc::vec::Vec;
use packet::MacAddr;

/// Entries of the ring that smooths the transmit quality.
const RING: usize = 5;
/// Clients of others that an originator may take over at once, and per second after that: the
/// clients of an access point that breaks down all come at once. Source: "Pitfalls" B 7.
const ROAMS: (u32, u32) = (128, 16);
/// Floods of one originator that are repeated on radios at once, and per second after that. What
/// comes beyond is sent once, so that a storm takes a third of the air. Source: "Pitfalls" B 14.
pub(crate) const COPIES: (u32, u32) = (256, 100);

/// A routing table as an index: 0 for [`Table::Host`], 1 and up for the hard interfaces.
pub(crate) const fn table_index(table: Table) -> usize {
    match table {
        Table::Host => 0,
        Table::Link(id) => 1 + id.0 as usize,
    }
}

/// One originator.
#[derive(Debug)]
pub(crate) struct Originator {
    pub(crate) last_seen: Instant,
    /// Newest OGM sequence number heard.
    pub(crate) last_seqno: Option<u32>,
    /// TTL of the OGM that brought it.
    pub(crate) last_ttl: u8,
    pub(crate) guard: ResetGuard,
    /// Its messages contradict each other.
    pub(crate) doubt: crate::alarm::Doubt,
    /// How many more roaming clients of others it may take over now.
    pub(crate) roams: Bucket,
    /// How many more of its floods are sent more than once now.
    pub(crate) copies: Bucket,
    /// Those who brought its OGMs.
    pub(crate) ways: Vec<Way>,
    /// Chosen next hop per table, see [`table_index`].
    routers: Vec<Option<NextHop>>,
    /// Ways that the data plane uses in turn.
    pub(crate) bond: Option<crate::fib::Bond>,
    /// Broadcast sequence numbers.
    pub(crate) bcasts: Stream,
    /// New OGMs accepted; how much it would be missed.
    pub(crate) accepted: u32,
    /// V: what was heard, per table.
    pub(crate) v: Vec<crate::v::Heard>,
    /// What its containers say it can and wants.
    pub(crate) features: Features,
    /// When it last said that it runs Meshwork.
    pub(crate) meshwork_at: Instant,
    /// What it told of itself besides.
    pub(crate) facts: Option<alloc::boxed::Box<crate::facts::Known>>,
}

/// What an originator says of itself in the containers of its OGMs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Features {
    /// Containers were read at least once.
    pub(crate) known: bool,
    /// It takes part in the distributed ARP table.
    pub(crate) dat: bool,
    /// Bandwidth that it offers as a gateway, down and up, in units of 100 kbit/s.
    pub(crate) gateway: Option<(u32, u32)>,
    /// Multicast flags; `None` without the container.
    pub(crate) multicast: Option<u8>,
    /// It runs Meshwork, with these flags.
    pub(crate) meshwork: Option<u16>,
}

/// A neighbour that leads to an originator.
#[derive(Debug)]
pub(crate) struct Way {
    pub(crate) hop: NextHop,
    pub(crate) last_seen: Instant,
    /// OGMs of the originator heard through this neighbour.
    pub(crate) window: Window,
    /// The same with link-sensing OGMs in between; what the link's quality is computed from where
    /// the neighbour is the originator.
    pub(crate) heard: Watch,
    /// Newest link-sensing number.
    pub(crate) last_sense: Option<u32>,
    /// What the neighbour announced last: quality under IV, throughput under V.
    pub(crate) announced: u32,
    qualities: Vec<Quality>,
    /// V: what it announced, per table.
    pub(crate) offers: Vec<crate::v::Offer>,
    /// What is left of the metric of a way that does not carry what it promises, in sixteenths;
    /// `None` for all. See `verify`.
    pub(crate) share: Option<u8>,
}

/// Smoothed transmit quality in one table.
#[derive(Debug, Clone, Copy, Default)]
struct Quality {
    ring: [u8; RING],
    next: u8,
    average: u8,
    used: bool,
}

impl Quality {
    fn push(&mut self, tq: u8, rising: bool) {
        if rising && tq > self.average {
            for old in self.ring.iter_mut().filter(|old| **old != 0) {
                *old = tq;
            }
        }
        if let Some(slot) = self.ring.get_mut(usize::from(self.next)) {
            *slot = tq;
        }
        self.next = (self.next + 1) % RING as u8;
        self.used = true;
        let (sum, n) = self.ring.iter().filter(|&&t| t != 0).fold((0u32, 0u32), |(s, n), &t| (s + u32::from(t), n + 1));
        // A mean of bytes is a byte.
        self.average = sum.checked_div(n).unwrap_or(0) as u8;
    }
}

impl Way {
    fn new(hop: NextHop, now: Instant) -> Self {
        Self {
            hop,
            last_seen: now,
            window: Window::default(),
            heard: Watch::default(),
            last_sense: None,
            announced: 0,
            qualities: Vec::new(),
            offers: Vec::new(),
            share: None,
        }
    }

    /// Smoothed transmit quality in a table, 0 if unknown there.
    pub(crate) fn average(&self, table: Table) -> u8 {
        let average = self.qualities.get(table_index(table)).map_or(0, |q| q.average);
        // Not more than before.
        lessened(average.into(), self.share) as u8
    }

    /// V: throughput of the way in a table, in units of 100 kbit/s, 0 if unknown there.
    pub(crate) fn throughput(&self, table: Table) -> u32 {
        lessened(self.offers.get(table_index(table)).map_or(0, |o| o.throughput), self.share)
    }

    /// How good the way is in a table, more is better, 0 if unknown: transmit quality under IV,
    /// throughput under V. Only one of them is ever filled in.
    pub(crate) fn metric(&self, table: Table) -> u32 {
        u32::from(self.average(table)).max(self.throughput(table))
    }

    /// V: true if the way missed so many OGMs in a table that a worse one would be taken instead.
    pub(crate) fn lags(&self, table: Table, newest: Option<u32>) -> bool {
        let offer = self.offers.get(table_index(table));
        offer.zip(newest).is_none_or(|(offer, newest)| offer.lags(newest))
    }

    /// The way is dead; the next OGM over it brings it back.
    pub(crate) fn fail(&mut self) {
        for q in self.qualities.iter_mut().filter(|q| q.used) {
            *q = Quality { used: true, ..Quality::default() };
        }
        for offer in &mut self.offers {
            offer.throughput = 0;
        }
    }

    fn push(&mut self, table: Table, tq: u8, rising: bool) {
        let i = table_index(table);
        if self.qualities.len() <= i {
            self.qualities.resize(i + 1, Quality::default());
        }
        if let Some(q) = self.qualities.get_mut(i) {
            q.push(tq, rising);
        }
    }

    /// Another neighbour brought a new OGM in this table: this one did not. After three in a row
    /// on a way that never failed before, it is dead; otherwise it fades over five.
    fn missed(&mut self, table: Table) {
        let died = self.window.broke_off();
        if let Some(q) = self.qualities.get_mut(table_index(table)).filter(|q| q.used) {
            if died {
                *q = Quality { used: true, ..Quality::default() };
            } else {
                q.push(0, false);
            }
        }
    }
}

/// What an OGM says about a way beside its quality.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Note {
    /// No other way brought this OGM before: they all missed it so far.
    pub(crate) is_new: bool,
    /// The links on the way were only just found; a better value replaces older ones.
    pub(crate) rising: bool,
}

impl Originator {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            last_seen: now,
            last_seqno: None,
            last_ttl: 0,
            guard: ResetGuard::default(),
            doubt: crate::alarm::Doubt::default(),
            roams: Bucket::new(ROAMS.0, ROAMS.1, now),
            copies: Bucket::new(COPIES.0, COPIES.1, now),
            ways: Vec::new(),
            routers: Vec::new(),
            bond: None,
            bcasts: Stream::default(),
            accepted: 0,
            v: Vec::new(),
            features: Features::default(),
            meshwork_at: now,
            facts: None,
        }
    }

    /// Next hop in a table.
    pub(crate) fn router(&self, table: Table) -> Option<NextHop> {
        self.routers.get(table_index(table)).copied().flatten()
    }

    /// Chooses a next hop; returns true if it changed.
    pub(crate) fn set_router(&mut self, table: Table, hop: Option<NextHop>) -> bool {
        let i = table_index(table);
        if self.routers.len() <= i {
            if hop.is_none() {
                return false;
            }
            self.routers.resize(i + 1, None);
        }
        self.routers.get_mut(i).is_some_and(|slot| core::mem::replace(slot, hop) != hop)
    }

    /// The way through a neighbour.
    pub(crate) fn way(&self, hop: NextHop) -> Option<&Way> {
        self.ways.iter().find(|w| w.hop == hop)
    }

    /// The way through a neighbour, created if it is new. At `cap` ways the worst one gives way.
    pub(crate) fn way_mut(&mut self, hop: NextHop, cap: usize, now: Instant) -> &mut Way {
        let i = match self.ways.iter().position(|w| w.hop == hop) {
            Some(i) => i,
            None => {
                if self.ways.len() >= cap.max(1) {
                    let routers = &self.routers;
                    let worst = self
                        .ways
                        .iter()
                        .enumerate()
                        .filter(|(_, w)| !routers.contains(&Some(w.hop)))
                        .min_by_key(|(_, w)| (w.metric(Table::Host), w.last_seen))
                        .map(|(i, _)| i);
                    if let Some(i) = worst {
                        self.ways.swap_remove(i);
                    }
                }
                self.ways.push(Way::new(hop, now));
                self.ways.len() - 1
            }
        };
        &mut self.ways[i]
    }

    /// How good the chosen way in a table is, see [`Way::metric`]; 0 without one.
    pub(crate) fn metric(&self, table: Table) -> u32 {
        self.router(table).and_then(|hop| self.way(hop)).map_or(0, |w| w.metric(table))
    }

    /// Smoothed quality of the chosen way in a table, 0 without one.
    pub(crate) fn quality(&self, table: Table) -> u8 {
        self.router(table).and_then(|hop| self.way(hop)).map_or(0, |w| w.average(table))
    }

    /// Notes what an OGM said about the way through `hop` and returns the smoothed quality. Source: "B.A.T.M.A.N. IV" section 9, 1 and 2.
    pub(crate) fn note(&mut self, table: Table, hop: NextHop, tq: u8, note: Note, now: Instant) -> u8 {
        let mut average = 0;
        for way in &mut self.ways {
            if way.hop == hop {
                way.push(table, tq, note.rising);
                way.last_seen = now;
                average = way.average(table);
            } else if note.is_new {
                way.missed(table);
            }
        }
        average
    }

    /// Drops ways that are silent for 200 s or whose interface is gone. Returns the tables whose
    /// next hop went with them, and the next best one.
    pub(crate) fn purge(
        &mut self,
        now: Instant,
        alive: impl Fn(LinkId) -> bool,
        tables: &[Table],
    ) -> Vec<(Table, Option<NextHop>)> {
        let before = self.ways.len();
        self.ways.retain(|w| alive(w.hop.link) && now.since(w.last_seen) <= PURGE_AFTER);
        if self.ways.len() == before {
            return Vec::new();
        }
        let lost = |table: &&Table| self.router(**table).is_some_and(|hop| self.way(hop).is_none());
        let best = |&table: &Table| {
            let used = self.ways.iter().filter(|w| w.metric(table) > 0);
            (table, used.max_by_key(|w| w.metric(table)).map(|w| w.hop))
        };
        tables.iter().filter(lost).map(best).collect()
    }

    /// Forgets everything about the table of a hard interface that is gone.
    pub(crate) fn forget_table(&mut self, table: Table) {
        self.set_router(table, None);
        for way in &mut self.ways {
            if let Some(q) = way.qualities.get_mut(table_index(table)) {
                *q = Quality::default();
            }
            if let Some(o) = way.offers.get_mut(table_index(table)) {
                *o = crate::v::Offer::default();
            }
        }
        if let Some(h) = self.v.get_mut(table_index(table)) {
            *h = crate::v::Heard::default();
        }
    }
}

/// All originators by address.
pub(crate) type Originators = SortedMap<MacAddr, Originator>;

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: Note = Note { is_new: true, rising: false };
    const LATE: Note = Note { is_new: false, rising: false };

    fn hop(n: u8) -> NextHop {
        NextHop { link: LinkId(0), neigh: MacAddr([2, 0, 0, 0, 0, n]) }
    }

    #[test]
    fn average_is_over_what_was_heard() {
        let mut o = Originator::new(Instant::ZERO);
        for n in [1, 2] {
            o.way_mut(hop(n), 8, Instant::ZERO);
        }
        assert_eq!(o.note(Table::Host, hop(1), 200, NEW, Instant::ZERO), 200);
        assert_eq!(o.note(Table::Host, hop(1), 101, NEW, Instant::ZERO), 150);
        // The other way was never used in this table, so it did not miss anything.
        assert_eq!(o.note(Table::Host, hop(2), 90, LATE, Instant::ZERO), 90);
        for _ in 0..5 {
            o.note(Table::Host, hop(2), 90, NEW, Instant::ZERO);
        }
        assert_eq!(o.way(hop(1)).unwrap().average(Table::Host), 0, "five missed OGMs and it is out");
    }

    #[test]
    fn a_good_way_that_breaks_off_is_out_after_three() {
        let mut o = Originator::new(Instant::ZERO);
        o.way_mut(hop(1), 8, Instant::ZERO);
        o.way_mut(hop(2), 8, Instant::ZERO);
        let mut ogm = |from: u8| {
            for w in &mut o.ways {
                w.window.slide(1, w.hop == hop(from));
            }
            o.note(Table::Host, hop(from), 200, NEW, Instant::ZERO);
            o.way(hop(1)).unwrap().average(Table::Host)
        };
        for _ in 0..16 {
            assert_eq!(ogm(1), 200);
        }
        assert_eq!([ogm(2), ogm(2), ogm(2)], [200, 200, 0]);
        assert_eq!(ogm(1), 200, "and back at once");
        assert_eq!([ogm(2), ogm(2), ogm(2), ogm(2), ogm(2)], [200, 200, 200, 200, 0]);
    }

    #[test]
    fn rises_at_once_falls_slowly() {
        let mut o = Originator::new(Instant::ZERO);
        o.way_mut(hop(1), 8, Instant::ZERO);
        let rising = Note { is_new: true, rising: true };
        assert_eq!(o.note(Table::Host, hop(1), 50, rising, Instant::ZERO), 50);
        assert_eq!(o.note(Table::Host, hop(1), 150, rising, Instant::ZERO), 150);
        assert_eq!(o.note(Table::Host, hop(1), 90, rising, Instant::ZERO), 130);
    }

    #[test]
    fn loses_a_silent_way() {
        let mut o = Originator::new(Instant::ZERO);
        let later = Instant::from_micros(201_000_000);
        o.way_mut(hop(1), 8, Instant::ZERO);
        o.way_mut(hop(2), 8, later);
        o.note(Table::Host, hop(1), 200, LATE, Instant::ZERO);
        o.note(Table::Host, hop(2), 100, LATE, later);
        o.set_router(Table::Host, Some(hop(1)));
        assert_eq!(o.purge(later, |_| true, &[Table::Host]), [(Table::Host, Some(hop(2)))]);
        o.set_router(Table::Host, Some(hop(2)));
        assert_eq!(o.purge(later, |_| true, &[Table::Host]), []);
        assert_eq!(o.purge(later, |_| false, &[Table::Host]), [(Table::Host, None)]);
    }
}
