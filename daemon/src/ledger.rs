//! The commons ledger: what this node carried for others, and what others carried for it, by day.
//!
//! It is an account, not a currency: nothing is refused because of it. Days are those of the machine's clock and
//! place. The file is written a few times a day and at the end, since flash wears out; a power cut costs the hours
//! since. It holds [`DAYS`] days and, of this and the last month, [`NODES`] nodes each: 48 KiB if all figures were as large as can be.

use crate::sys::clock::Local;
use mesh_core::{Duration, Instant};
use packet::MacAddr;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Most days that are kept.
pub const DAYS: usize = 92;
/// Most nodes of a month that are told apart; those with least give way.
pub const NODES: usize = 128;
/// Time between two writings.
const WRITE_EVERY: Duration = Duration::from_secs(6 * 3600);
/// A clock before this year has not been set.
const FIRST_YEAR: i32 = 2025;
/// First line of the file.
const HEAD: &str = "meshwork ledger 1";

/// A day, or with day 0 a month.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    /// Year of the common era.
    pub year: i32,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
}

impl Date {
    /// The day of a moment, `None` while the clock is not set.
    pub fn of(at: Local) -> Option<Self> {
        (at.year >= FIRST_YEAR).then_some(Self { year: at.year, month: at.month, day: at.day })
    }

    /// The month it is in.
    pub fn month(self) -> Self {
        Self { day: 0, ..self }
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let year = parts.next()?.parse().ok()?;
        let month = parts.next()?.parse().ok().filter(|m| (1..=12).contains(m))?;
        let day = parts.next().map_or(Some(0), |d| d.parse().ok().filter(|d| *d <= 31))?;
        parts.next().is_none().then_some(Self { year, month, day })
    }
}

impl std::fmt::Display for Date {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)?;
        if self.day > 0 { write!(f, "-{:02}", self.day) } else { Ok(()) }
    }
}

/// Bytes of a day, as they are in mesh frames, all headers included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sums {
    /// Sent for others: what came from another node and went on to one.
    pub carried: u64,
    /// Sent for guests of this node.
    pub guests: u64,
    /// Sent for the owner.
    pub sent: u64,
    /// Came here to stay, for the owner and guests.
    pub received: u64,
    /// Of what was sent from here, what a neighbour carried on.
    pub used_sent: u64,
    /// Of what came here, what a neighbour had carried on.
    pub used_received: u64,
    /// What hard interfaces could have sent beyond all that, where it is known how fast they are.
    pub spare: u64,
    /// Seconds that the node ran.
    pub seconds: u64,
}

impl Sums {
    const NAMES: [&str; 8] =
        ["carried", "guests", "sent", "received", "used_sent", "used_received", "spare", "seconds"];

    fn parts(&mut self) -> [&mut u64; 8] {
        let Self { carried, guests, sent, received, used_sent, used_received, spare, seconds } = self;
        [carried, guests, sent, received, used_sent, used_received, spare, seconds]
    }

    /// Adds everything of `other`.
    pub fn add(&mut self, mut other: Self) {
        for (sum, one) in self.parts().into_iter().zip(other.parts()) {
            *sum = sum.saturating_add(*one);
        }
    }
}

/// Bytes of a month that have to do with one node.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NodeSums {
    /// Carried for it, wherever it is in the mesh.
    pub carried: u64,
    /// As a neighbour: it handed them to us and we carried them on.
    pub handed: u64,
    /// As a neighbour: it carried them on for us, both ways.
    pub used: u64,
}

impl NodeSums {
    const NAMES: [&str; 3] = ["carried", "handed", "used"];

    fn parts(&mut self) -> [&mut u64; 3] {
        [&mut self.carried, &mut self.handed, &mut self.used]
    }

    fn add(&mut self, mut other: Self) {
        for (sum, one) in self.parts().into_iter().zip(other.parts()) {
            *sum = sum.saturating_add(*one);
        }
    }

    fn all(&self) -> u64 {
        self.carried.saturating_add(self.handed).saturating_add(self.used)
    }
}

/// A month's account with one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeMonth {
    /// The month.
    pub month: Date,
    /// The originator; zero stands for all that are not told apart.
    pub orig: MacAddr,
    /// Bytes.
    pub sums: NodeSums,
}

/// The account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Oldest first.
    days: Vec<(Date, Sums)>,
    nodes: Vec<NodeMonth>,
    /// What happened before the clock was set.
    undated: Sums,
}

impl Ledger {
    /// Days, oldest first.
    pub fn days(&self) -> &[(Date, Sums)] {
        &self.days
    }

    /// Accounts with single nodes, of this and the last month.
    pub fn nodes(&self) -> &[NodeMonth] {
        &self.nodes
    }

    /// Bytes given in a month: carried for others and sent for guests.
    pub fn given(&self, month: Date) -> u64 {
        let days = self.days.iter().filter(|(day, _)| day.month() == month);
        days.map(|(_, sums)| sums.carried.saturating_add(sums.guests)).fold(0, u64::saturating_add)
    }

    /// Books what happened on a day; without one it waits until the clock is set.
    pub fn book(&mut self, day: Option<Date>, sums: Sums) {
        let Some(day) = day else { return self.undated.add(sums) };
        let undated = std::mem::take(&mut self.undated);
        let at = self.days.partition_point(|(known, _)| *known < day);
        if self.days.get(at).is_none_or(|(known, _)| *known != day) {
            self.days.insert(at, (day, Sums::default()));
        }
        if let Some((_, all)) = self.days.get_mut(at) {
            all.add(sums);
            all.add(undated);
        }
        while self.days.len() > DAYS {
            self.days.remove(0);
        }
    }

    /// Books what had to do with one node.
    pub fn book_node(&mut self, day: Option<Date>, orig: MacAddr, sums: NodeSums) {
        let Some(month) = day.map(Date::month) else { return };
        if sums == NodeSums::default() {
            return;
        }
        if let Some(known) = self.nodes.iter_mut().find(|n| n.month == month && n.orig == orig) {
            return known.sums.add(sums);
        }
        if self.nodes.iter().all(|n| n.month != month) {
            // A new month begins: the newest of the others stays.
            let last = self.nodes.iter().map(|n| n.month).filter(|m| *m < month).max();
            self.nodes.retain(|n| Some(n.month) == last);
        }
        if self.nodes.iter().filter(|n| n.month == month).count() >= NODES {
            self.merge_least(month);
        }
        self.nodes.push(NodeMonth { month, orig, sums });
    }

    /// Makes room: whoever has least counts among the rest from now on.
    fn merge_least(&mut self, month: Date) {
        let of_month = self.nodes.iter().enumerate().filter(|(_, n)| n.month == month && n.orig != MacAddr::ZERO);
        let Some((least, _)) = of_month.min_by_key(|(_, n)| n.sums.all()) else { return };
        let gone = self.nodes.swap_remove(least);
        match self.nodes.iter_mut().find(|n| n.month == month && n.orig == MacAddr::ZERO) {
            Some(rest) => rest.sums.add(gone.sums),
            None => {
                // Two make room for the rest and the newcomer.
                self.nodes.push(NodeMonth { orig: MacAddr::ZERO, ..gone });
                self.merge_least(month);
            }
        }
    }

    /// Reads the text form; a line that makes no sense is passed over. `None` if it is no ledger.
    pub fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        if lines.next() != Some(HEAD) {
            return None;
        }
        let mut ledger = Self::default();
        for line in lines {
            let mut words = line.split(' ');
            let (kind, date) = (words.next(), words.next().and_then(Date::parse));
            match (kind, date) {
                (Some("day"), Some(day)) if day.day > 0 => {
                    let mut sums = Sums::default();
                    fill(&Sums::NAMES, sums.parts(), words);
                    ledger.book(Some(day), sums);
                }
                (Some("node"), Some(month)) => {
                    let Some(orig) = words.next().and_then(|w| w.parse().ok()) else { continue };
                    let mut sums = NodeSums::default();
                    fill(&NodeSums::NAMES, sums.parts(), words);
                    ledger.book_node(Some(month), orig, sums);
                }
                _ => {}
            }
        }
        Some(ledger)
    }

    /// The text form.
    pub fn to_text(&self) -> String {
        let mut text = format!("{HEAD}\n");
        // Writing to a String cannot fail.
        for (day, sums) in &self.days {
            let _ = write!(text, "day {day}");
            pairs(&mut text, &Sums::NAMES, { *sums }.parts());
        }
        for node in &self.nodes {
            let _ = write!(text, "node {} {}", node.month, node.orig);
            pairs(&mut text, &NodeSums::NAMES, { node.sums }.parts());
        }
        text
    }
}

fn pairs<const N: usize>(text: &mut String, names: &[&str; N], parts: [&mut u64; N]) {
    for (name, n) in names.iter().zip(parts).filter(|(_, n)| **n > 0) {
        let _ = write!(text, " {name} {n}");
    }
    text.push('\n');
}

fn fill<'w, const N: usize>(names: &[&str; N], parts: [&mut u64; N], mut words: impl Iterator<Item = &'w str>) {
    let mut parts = parts;
    while let (Some(name), Some(n)) = (words.next(), words.next()) {
        let place = names.iter().position(|known| *known == name);
        if let (Some(part), Ok(n)) = (place.and_then(|i| parts.get_mut(i)), n.parse()) {
            **part = n;
        }
    }
}

/// The file, and when it was last written.
#[derive(Debug)]
pub struct LedgerFile {
    path: Option<PathBuf>,
    write_at: Instant,
}

impl LedgerFile {
    /// The file `<dir>/<mesh>.ledger`, which need not exist; without a directory nothing is kept.
    pub fn new(dir: Option<&Path>, mesh: &str, now: Instant) -> Self {
        Self { path: dir.map(|d| d.join(format!("{mesh}.ledger"))), write_at: now + WRITE_EVERY }
    }

    /// What the last run left.
    pub fn load(&self) -> Ledger {
        let Some(path) = &self.path else { return Ledger::default() };
        match std::fs::read_to_string(path) {
            Ok(text) => Ledger::parse(&text).unwrap_or_else(|| {
                tracing::warn!(path = %path.display(), "the ledger is damaged, a new one is begun");
                Ledger::default()
            }),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ledger::default(),
            Err(e) => {
                tracing::warn!(path = %path.display(), error = %e, "cannot read the ledger, a new one is begun");
                Ledger::default()
            }
        }
    }

    /// Writes the file if it is time to.
    pub fn keep(&mut self, ledger: &Ledger, now: Instant) {
        if now >= self.write_at {
            self.write(ledger, now);
        }
    }

    /// Writes the file now, at the end. A place that cannot be written is told once and then left alone.
    pub fn write(&mut self, ledger: &Ledger, now: Instant) {
        self.write_at = now + WRITE_EVERY;
        let Some(path) = self.path.as_ref().filter(|_| *ledger != Ledger::default()) else { return };
        if let Err(e) = crate::state::write_atomically(path, &ledger.to_text()) {
            tracing::warn!(path = %path.display(), error = %e, "cannot keep the ledger; it is lost with a restart");
            self.path = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(month: u8, day: u8) -> Date {
        Date { year: 2026, month, day }
    }

    fn node(n: u16) -> MacAddr {
        MacAddr([2, 0, 0, 0, (n >> 8) as u8, n as u8])
    }

    fn carried(carried: u64) -> Sums {
        Sums { carried, ..Sums::default() }
    }

    #[test]
    fn adds_up_by_day_and_month() {
        let mut ledger = Ledger::default();
        ledger.book(None, carried(5));
        assert!(ledger.days().is_empty(), "the clock is not set");
        ledger.book(Some(day(10, 31)), carried(10));
        ledger.book(Some(day(11, 1)), Sums { guests: 2, ..carried(20) });
        ledger.book(Some(day(11, 1)), Sums { seconds: 1, ..carried(1) });
        assert_eq!(ledger.days().iter().map(|(_, s)| s.carried).collect::<Vec<_>>(), [15, 21]);
        assert_eq!((ledger.given(day(10, 0)), ledger.given(day(11, 0)), ledger.given(day(12, 0))), (15, 23, 0));
        // A clock that was wrong and is set back.
        ledger.book(Some(day(10, 30)), carried(1));
        assert_eq!(ledger.days()[0], (day(10, 30), carried(1)));
        assert_eq!(Ledger::parse(&ledger.to_text()), Some(ledger));
    }

    #[test]
    fn stays_small() {
        let mut ledger = Ledger::default();
        for year in 2025..2028 {
            for month in 1..=12 {
                for day in 1..=31 {
                    let full = Sums {
                        carried: u64::MAX,
                        guests: u64::MAX,
                        sent: u64::MAX,
                        received: u64::MAX,
                        used_sent: u64::MAX,
                        used_received: u64::MAX,
                        spare: u64::MAX,
                        seconds: u64::MAX,
                    };
                    ledger.book(Some(Date { year, month, day }), full);
                }
                for n in 0..500 {
                    let sums = NodeSums { carried: u64::from(n) + 1, handed: 1, used: 1 };
                    ledger.book_node(Some(Date { year, month, day: 1 }), node(n), sums);
                }
            }
        }
        assert_eq!((ledger.days().len(), ledger.nodes().len()), (DAYS, 2 * NODES));
        let last = Date { year: 2027, month: 12, day: 0 };
        let all: u64 = ledger.nodes().iter().filter(|n| n.month == last).map(|n| n.sums.carried).sum();
        assert_eq!(all, (1..=500u64).sum::<u64>(), "nothing is lost in the rest");
        assert!(ledger.nodes().iter().any(|n| n.orig == node(499)), "who has most is told apart");
        let text = ledger.to_text();
        assert!(text.len() < 48 * 1024, "{} bytes", text.len());
        assert_eq!(Ledger::parse(&text).unwrap(), ledger);
    }

    #[test]
    fn damage_costs_a_line() {
        assert_eq!(Ledger::parse(""), None);
        assert_eq!(Ledger::parse("day 2026-11-23 carried 5\n"), None, "no ledger of ours");
        let text = format!(
            "{HEAD}\nday 2026-11-23 carried 5 new_thing 7\nday x\nday 2026-13-01 carried 1\nnode 2026-11 nobody carried 3\n\
             node 2026-11 02:00:00:00:00:01 used 3\nday 2026-11-24 carried"
        );
        let ledger = Ledger::parse(&text).unwrap();
        assert_eq!(ledger.days(), [(day(11, 23), carried(5)), (day(11, 24), Sums::default())]);
        assert_eq!(ledger.nodes().len(), 1);
    }

    #[test]
    fn written_seldom_and_at_the_end() {
        let dir = std::env::temp_dir().join(format!("ledger-{}", std::process::id()));
        let at = |secs: u64| Instant::from_micros(secs * 1_000_000);
        let mut file = LedgerFile::new(Some(&dir), "mesh0", at(0));
        let mut ledger = file.load();
        assert_eq!(ledger, Ledger::default());
        let mut writes = 0;
        let path = dir.join("mesh0.ledger");
        for hour in 0..24 {
            ledger.book(Some(day(11, 23)), carried(1));
            file.keep(&ledger, at(hour * 3600));
            writes += usize::from(std::fs::remove_file(&path).is_ok());
        }
        assert!((1..=4).contains(&writes), "{writes} times a day");
        file.write(&ledger, at(90_000));
        assert_eq!(LedgerFile::new(Some(&dir), "mesh0", at(0)).load(), ledger);
        std::fs::remove_dir_all(&dir).unwrap();
        let mut nowhere = LedgerFile::new(Some(Path::new("/proc/nowhere")), "mesh0", at(0));
        nowhere.write(&ledger, at(0));
        assert_eq!(nowhere.path, None, "told once, then left alone");
    }
}
