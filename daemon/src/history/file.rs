//! The history over a restart. Flash wears out: the file there is written once a day at most. A node that is told to
//! end before the day is over writes to the folder of its sockets instead, which is memory; so what a restart of the
//! node loses is nothing, and what a loss of power loses is a day.
//!
//! Numbers are little-endian: `MWHIST1\n`, looks (8 bytes), seconds since 1970 (8), number of series (2); for each its
//! neighbour (6), originator (6), last look (8), length of the name of the hard interface (1) and the name; then for
//! each scale runs of points, oldest first: how many are absent (2), how many follow (2), and these (12 each), until
//! the scale is full. At the end a checksum (4).

use super::point::{LEN, Point};
use super::{History, Key, MONTH, MOST, POINTS, Scale, Series};
use packet::MacAddr;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const MAGIC: &[u8; 8] = b"MWHIST1\n";
/// Longest file in bytes, and more than any can be.
pub const MAX_FILE: usize = 512 * 1024;
/// The file is written at most so often.
const DAY: Duration = Duration::from_secs(86_400);
/// While it runs, a node that was just started waits so long.
const FIRST: Duration = Duration::from_secs(3600);
/// Names of interfaces are shorter.
const MAX_NAME: usize = 15;

impl History {
    /// As bytes; `now` are seconds since 1970.
    pub fn to_bytes(&self, now: u64) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend(self.ticks.to_le_bytes());
        out.extend(now.to_le_bytes());
        out.extend(u16::try_from(self.series.len()).unwrap_or(0).to_le_bytes());
        for s in &self.series {
            out.extend(s.key.neigh.0);
            out.extend(s.orig.unwrap_or(MacAddr::ZERO).0);
            out.extend(s.last.to_le_bytes());
            let name = s.key.link.as_bytes();
            let name = name.get(..MAX_NAME).unwrap_or(name);
            out.push(u8::try_from(name.len()).unwrap_or(0));
            out.extend(name);
            for scale in Scale::ALL {
                let mut points: Vec<Point> = s.newest(scale, self.ticks).collect();
                points.resize(scale.points(), Point::ABSENT);
                points.reverse();
                let mut rest = points.as_slice();
                while !rest.is_empty() {
                    let absent = rest.iter().take_while(|p| **p == Point::ABSENT).count();
                    let present = rest.iter().skip(absent).take_while(|p| **p != Point::ABSENT).count();
                    for n in [absent, present] {
                        out.extend(u16::try_from(n).unwrap_or(0).to_le_bytes());
                    }
                    rest.iter().skip(absent).take(present).for_each(|p| out.extend(p.to_bytes()));
                    rest = rest.get(absent + present..).unwrap_or_default();
                }
            }
        }
        out.extend(checksum(&out).to_le_bytes());
        out
    }

    /// The same back, and when it was written; `None` if it is damaged.
    pub fn from_bytes(bytes: &[u8]) -> Option<(Self, u64)> {
        let (bytes, sum) = bytes.split_last_chunk::<4>()?;
        if u32::from_le_bytes(*sum) != checksum(bytes) {
            return None;
        }
        let mut rest = bytes.strip_prefix(MAGIC)?;
        let from = &mut rest;
        let (ticks, at) = (u64::from_le_bytes(take(from)?), u64::from_le_bytes(take(from)?));
        let count = usize::from(u16::from_le_bytes(take(from)?));
        let mut history = Self { ticks, series: Vec::new() };
        for _ in 0..count.min(MOST) {
            history.series.push(series(from, ticks)?);
        }
        rest.is_empty().then_some((history, at))
    }
}

fn series(from: &mut &[u8], ticks: u64) -> Option<Series> {
    let (neigh, orig) = (MacAddr(take(from)?), MacAddr(take(from)?));
    let last = u64::from_le_bytes(take(from)?);
    let [len] = take(from)?;
    let (name, rest) = from.split_at_checked(usize::from(len))?;
    *from = rest;
    let link = std::str::from_utf8(name).ok()?.to_owned();
    if last > ticks || ticks > u64::MAX / 2 {
        return None;
    }
    let orig = Some(orig).filter(|o| *o != MacAddr::ZERO);
    let mut series = Series { key: Key { neigh, link }, orig, last, points: vec![Point::ABSENT; POINTS] };
    for scale in Scale::ALL {
        let mut left = scale.points();
        while left > 0 {
            let (absent, present) = (u16::from_le_bytes(take(from)?), u16::from_le_bytes(take(from)?));
            let (absent, present) = (usize::from(absent), usize::from(present));
            left = left.checked_sub(absent + present).filter(|_| absent + present > 0)?;
            for i in 0..present {
                let back = u64::try_from(left + present - 1 - i).ok()? * scale.ticks();
                let point = Point::from_bytes(take::<LEN>(from)?);
                if let Some(then) = ticks.checked_sub(back) {
                    series.put(scale, then, point);
                }
            }
        }
    }
    Some(series)
}

fn take<const N: usize>(from: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = from.split_first_chunk::<N>()?;
    *from = rest;
    Some(*taken)
}

/// FNV-1a.
fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |sum, b| (sum ^ u32::from(*b)).wrapping_mul(0x0100_0193))
}

/// Where the history is kept, and when it is written.
#[derive(Debug)]
pub struct Store {
    /// In the state directory, on flash; once a day.
    lasting: Option<PathBuf>,
    /// Beside the sockets, in memory.
    passing: Option<PathBuf>,
    /// Time on the clock of the loop at which the lasting one may be written again.
    next: Duration,
}

impl Store {
    /// `<dir>/<mesh>.history`; nothing is kept without a directory. `passing` is a file in memory.
    pub fn new(dir: Option<&Path>, mesh: &str, passing: Option<&Path>) -> Self {
        let lasting = dir.map(|d| d.join(format!("{mesh}.history")));
        let passing = passing.map(Path::to_owned).filter(|_| lasting.is_some());
        Self { lasting, passing, next: Duration::ZERO }
    }

    /// What the last run left, with the time since then as a gap.
    pub fn load(&mut self) -> History {
        let now = wall_clock();
        let lasting = self.lasting.as_deref().and_then(read);
        if let Some((_, at)) = &lasting {
            // A clock that went back says nothing: then a whole day.
            let age = now.checked_sub(*at).map_or(Duration::ZERO, Duration::from_secs);
            self.next = DAY.saturating_sub(age);
        }
        let passing = self.passing.as_deref().and_then(read);
        if let Some(file) = &self.passing {
            // It is not to outlive a node that did not end by itself.
            let _ = std::fs::remove_file(file);
        }
        let newest = [lasting, passing].into_iter().flatten().max_by_key(|(_, at)| *at);
        let Some((mut history, at)) = newest else { return History::default() };
        history.skip(Duration::from_secs(now.saturating_sub(at).min(MONTH * 10)));
        history
    }

    /// True if the file on flash is to be written now; the caller does that. `uptime` is the clock of the loop.
    pub fn due(&mut self, uptime: Duration) -> Option<PathBuf> {
        if uptime < self.next.max(FIRST) {
            return None;
        }
        self.next = uptime + DAY;
        self.lasting.clone()
    }

    /// Writes at the end: on flash if a day is over or nothing lies there yet, else in memory.
    pub fn stop(&mut self, history: &History, uptime: Duration) {
        let lasting = self.lasting.clone().filter(|_| uptime >= self.next);
        if let Some(file) = lasting.or_else(|| self.passing.clone()) {
            write(&file, &history.to_bytes(wall_clock()));
        }
    }
}

fn read(file: &Path) -> Option<(History, u64)> {
    let bytes = match std::fs::metadata(file) {
        Ok(about) if about.len() <= MAX_FILE as u64 => std::fs::read(file),
        Ok(_) => Err(io::Error::new(ErrorKind::FileTooLarge, "it is longer than a history can be")),
        Err(e) => Err(e),
    };
    let found = bytes.and_then(|bytes| {
        History::from_bytes(&bytes).ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "it is damaged"))
    });
    found
        .inspect_err(|e| {
            if e.kind() != ErrorKind::NotFound {
                tracing::warn!(path = %file.display(), error = %e, "the history cannot be read and begins anew");
            }
        })
        .ok()
}

/// Writes a history; one that cannot be kept is told and not missed otherwise.
pub fn write(file: &Path, bytes: &[u8]) {
    let fresh = file.with_extension("history.new");
    let done = file.parent().map_or(Ok(()), std::fs::create_dir_all);
    let done = done.and_then(|()| std::fs::write(&fresh, bytes)).and_then(|()| std::fs::rename(&fresh, file));
    if let Err(e) = done {
        let _ = std::fs::remove_file(&fresh);
        tracing::warn!(path = %file.display(), error = %e, "the history cannot be kept; it is lost with the next restart");
    }
}

/// Seconds since 1970, as far as the machine knows.
pub fn wall_clock() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())
}

#[cfg(test)]
mod tests {
    use super::super::{Figures, Seen};
    use super::*;

    fn some(looks: u32) -> History {
        let mut history = History::default();
        for i in 0..looks {
            let at = |n: u8| {
                let figures = Figures { from: Some(n), owner: Some(u64::from(i)), ..Figures::default() };
                let key = Key { neigh: MacAddr([2, 0, 0, 0, 0, n]), link: format!("w{n}") };
                Seen { key, orig: Some(MacAddr([4, 0, 0, 0, 0, n])), point: Point::new(&figures) }
            };
            // Some come and go.
            history.look(&(0..30).filter(|n| *n < 20 || i % 97 < 50).map(at).collect::<Vec<_>>());
        }
        history
    }

    #[test]
    fn what_is_written_is_read() {
        for looks in [0, 1, 400, 9000] {
            let history = some(looks);
            let bytes = history.to_bytes(77);
            assert!(bytes.len() <= MAX_FILE, "{}", bytes.len());
            let (back, at) = History::from_bytes(&bytes).unwrap();
            assert_eq!((back.list(), at), (history.list(), 77));
            for told in history.list() {
                for scale in Scale::ALL {
                    let of = Some(told.key.neigh);
                    assert_eq!(back.points(of, scale), history.points(of, scale), "{looks} {scale:?}");
                }
            }
        }
    }

    #[test]
    fn the_largest_file_is_bounded() {
        let mut history = some(400);
        let full = Point::new(&Figures { to: Some(1), ..Figures::default() });
        history.ticks = MONTH * 2;
        history.series.iter_mut().for_each(|s| s.points.fill(full));
        history.series.iter_mut().for_each(|s| s.last = MONTH * 2);
        assert_eq!(history.series.len(), MOST);
        let bytes = history.to_bytes(0).len();
        assert!((490_000..MAX_FILE).contains(&bytes), "{bytes}");
    }

    #[test]
    fn damage_is_noticed() {
        let bytes = some(50).to_bytes(1);
        for cut in 0..bytes.len().min(400) {
            assert_eq!(History::from_bytes(&bytes[..cut]), None);
        }
        let mut wrong = bytes.clone();
        wrong[40] ^= 1;
        assert_eq!(History::from_bytes(&wrong), None);
        // Whatever stands before a good checksum: no panic, no endless loop.
        for i in 0..600 {
            let mut wrong = bytes[..bytes.len() - 4].to_vec();
            wrong[i % 200] = wrong[i % 200].wrapping_add(u8::try_from(i % 255).unwrap() + 1);
            wrong.truncate(wrong.len() - i % 7);
            wrong.extend(checksum(&wrong).to_le_bytes());
            if let Some((history, _)) = History::from_bytes(&wrong) {
                history.points(None, Scale::Hour);
            }
        }
    }

    #[test]
    fn flash_is_written_once_a_day_and_a_restart_loses_nothing() {
        let dir = std::env::temp_dir().join(format!("meshwork-history-{}", std::process::id()));
        let passing = dir.join("run.history");
        let open = || Store::new(Some(&dir), "mesh0", Some(&passing));
        let mut store = open();
        assert_eq!(store.load(), History::default());
        assert_eq!(store.due(Duration::from_secs(1800)), None, "a young node waits");
        store.stop(&some(10), Duration::from_secs(1800));
        let lasting = dir.join("mesh0.history");
        let first = std::fs::read(&lasting).unwrap();
        assert!(!passing.exists());
        let mut store = open();
        assert_eq!(store.load().list(), some(10).list());
        // The day is not over.
        assert_eq!(store.due(Duration::from_secs(80_000)), None);
        store.stop(&some(20), Duration::from_secs(80_000));
        assert_eq!(std::fs::read(&lasting).unwrap(), first, "not again");
        let mut store = open();
        assert_eq!(store.load().ticks, 20, "but nothing is lost");
        assert!(!passing.exists());
        assert_eq!(store.due(Duration::from_secs(86_401)), Some(lasting.clone()));
        assert_eq!(store.due(Duration::from_secs(2 * 86_400)), None);
        assert!(store.due(Duration::from_secs(2 * 86_402)).is_some());
        std::fs::write(&lasting, "damaged").unwrap();
        assert_eq!(open().load(), History::default());
        std::fs::remove_dir_all(&dir).unwrap();
        Store::new(None, "mesh0", Some(&passing)).stop(&some(1), DAY);
        assert!(!passing.exists(), "who keeps nothing keeps nothing");
    }
}
