//! How it was: link quality, throughput, traffic and changes of ways over the last hour, two days and month, for the
//! node itself and for each neighbour.
//!
//! ```text
//!  every 10 s ──▶ 360 points (an hour)
//!                  │ mean of 30
//!                  └▶ 576 points of 5 min (two days)
//!                      │ mean of 12
//!                      └▶ 720 points of an hour (a month)
//! ```
//! Of fixed size: [`MOST`] series of 1656 points of 12 bytes, 497 kB at most; a neighbour's 20 kB are taken when it is
//! first heard. Pure: time and figures are arguments. Points have no time of their own, only their place before the
//! newest: a router may learn late what time it is.

mod file;
mod point;

pub use file::{MAX_FILE, Store, wall_clock, write};
pub use point::{Figures, Point};

use packet::MacAddr;
use std::time::Duration;

/// How far back points go and how far they are apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Every 10 seconds for an hour.
    Hour,
    /// Every 5 minutes for two days.
    Days,
    /// Every hour for 30 days.
    Month,
}

impl Scale {
    /// All, the finest first.
    pub const ALL: [Self; 3] = [Self::Hour, Self::Days, Self::Month];

    /// The name shown to people and programs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Days => "days",
            Self::Month => "month",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.name() == name)
    }

    /// Number of points.
    pub const fn points(self) -> usize {
        match self {
            Self::Hour => 360,
            Self::Days => 576,
            Self::Month => 720,
        }
    }

    /// Time between two points.
    pub const fn step(self) -> Duration {
        Duration::from_secs(TICK.as_secs() * self.ticks())
    }

    /// Points of the finest scale that one of this is made of.
    const fn ticks(self) -> u64 {
        match self {
            Self::Hour => 1,
            Self::Days => 30,
            Self::Month => 360,
        }
    }

    /// Where the points of this scale begin in a series.
    const fn begin(self) -> usize {
        match self {
            Self::Hour => 0,
            Self::Days => 360,
            Self::Month => 936,
        }
    }
}

/// Time between two looks.
pub const TICK: Duration = Duration::from_secs(10);
/// Points of a series.
const POINTS: usize = 1656;
/// Most series: the node and its neighbours.
pub const MOST: usize = 25;
/// Looks in a month: who was not seen for longer is forgotten.
const MONTH: u64 = 259_200;

/// What a series is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Address of the neighbour; of the node itself zero.
    pub neigh: MacAddr,
    /// Hard interface that it is heard on; empty for the node itself.
    pub link: String,
}

impl Key {
    /// The node itself.
    pub const fn node() -> Self {
        Self { neigh: MacAddr::ZERO, link: String::new() }
    }
}

/// What a look found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// About what.
    pub key: Key,
    /// Originator address of the neighbour, if known.
    pub orig: Option<MacAddr>,
    /// What was found.
    pub point: Point,
}

/// One of the series.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Series {
    key: Key,
    orig: Option<MacAddr>,
    /// Number of the look that found it last.
    last: u64,
    points: Vec<Point>,
}

/// A series as it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// About what.
    pub key: Key,
    /// Originator address of the neighbour, if known.
    pub orig: Option<MacAddr>,
    /// Time since it was there.
    pub gone: Duration,
}

/// The history of a node.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct History {
    /// Looks so far, those missed included.
    ticks: u64,
    series: Vec<Series>,
}

impl History {
    /// Takes in what a look found; one is due every [`TICK`]. Of neighbours beyond [`MOST`], those not heard for the
    /// longest time are forgotten; where all are there, newcomers have no history.
    pub fn look(&mut self, seen: &[Seen]) {
        self.ticks += 1;
        for new in seen {
            let place = match self.series.iter().position(|s| s.key == new.key) {
                Some(place) => Some(place),
                None => self.make_room(new),
            };
            let Some(series) = place.and_then(|place| self.series.get_mut(place)) else { continue };
            series.last = self.ticks;
            series.orig = new.orig.or(series.orig);
            series.put(Scale::Hour, self.ticks, new.point);
        }
        self.finish();
    }

    /// Nobody looked for so long.
    pub fn skip(&mut self, time: Duration) {
        let looks = time.as_secs() / TICK.as_secs();
        if looks >= MONTH {
            self.series.clear();
        }
        for _ in 0..looks.min(MONTH) {
            self.ticks += 1;
            self.finish();
        }
    }

    /// A place for a series that is new.
    fn make_room(&mut self, new: &Seen) -> Option<usize> {
        let series =
            Series { key: new.key.clone(), orig: new.orig, last: self.ticks, points: vec![Point::ABSENT; POINTS] };
        if self.series.len() < MOST {
            self.series.push(series);
            return Some(self.series.len() - 1);
        }
        // Who was not found by the look before is gone.
        let gone = self.series.iter().enumerate().filter(|(_, s)| s.last + 1 < self.ticks).min_by_key(|(_, s)| s.last);
        let place = gone.map(|(place, _)| place)?;
        *self.series.get_mut(place)? = series;
        Some(place)
    }

    /// Ends a look: what was not found is absent, and full steps of coarser scales are put together.
    fn finish(&mut self) {
        let now = self.ticks;
        self.series.retain(|s| now - s.last < MONTH);
        for series in &mut self.series {
            if series.last != now {
                series.put(Scale::Hour, now, Point::ABSENT);
            }
            for (fine, coarse) in [(Scale::Hour, Scale::Days), (Scale::Days, Scale::Month)] {
                if now.is_multiple_of(coarse.ticks()) {
                    let steps = usize::try_from(coarse.ticks() / fine.ticks()).unwrap_or(0);
                    let mean = Point::mean(series.newest(fine, now).take(steps));
                    series.put(coarse, now, mean);
                }
            }
        }
    }

    /// What there is a history of, the node itself first.
    pub fn list(&self) -> Vec<Told> {
        let told = |s: &Series| {
            let gone = TICK * u32::try_from(self.ticks - s.last).unwrap_or(u32::MAX);
            Told { key: s.key.clone(), orig: s.orig, gone }
        };
        let mut all: Vec<Told> = self.series.iter().map(told).collect();
        all.sort_by(|a, b| (&a.key.link, a.key.neigh).cmp(&(&b.key.link, b.key.neigh)));
        all
    }

    /// Points of a series, oldest first, from the first known one on; and how old the newest is. `of` is an address of
    /// a neighbour, its originator address also, or `None` for the node itself.
    pub fn points(&self, of: Option<MacAddr>, scale: Scale) -> Option<(&Key, Vec<Point>, Duration)> {
        let about = |s: &&Series| match of {
            None => s.key == Key::node(),
            Some(mac) => s.key.neigh == mac || (s.orig == Some(mac) && s.key != Key::node()),
        };
        // Of several links to one neighbour the one heard last.
        let series = self.series.iter().filter(about).max_by_key(|s| s.last)?;
        let mut points: Vec<Point> = series.newest(scale, self.ticks).collect();
        while points.last() == Some(&Point::ABSENT) {
            points.pop();
        }
        points.reverse();
        Some((&series.key, points, TICK * u32::try_from(self.ticks % scale.ticks()).unwrap_or(0)))
    }
}

impl Series {
    fn place(scale: Scale, ticks: u64) -> usize {
        scale.begin() + usize::try_from(ticks / scale.ticks()).unwrap_or(0) % scale.points()
    }

    fn put(&mut self, scale: Scale, ticks: u64, point: Point) {
        if let Some(room) = self.points.get_mut(Self::place(scale, ticks)) {
            *room = point;
        }
    }

    /// Points of a scale, newest first.
    fn newest(&self, scale: Scale, ticks: u64) -> impl Iterator<Item = Point> {
        let steps = 0..u64::try_from(scale.points()).unwrap_or(0).min(ticks / scale.ticks());
        steps.filter_map(move |back| self.points.get(Self::place(scale, ticks - back * scale.ticks())).copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mac(n: u8) -> MacAddr {
        MacAddr([2, 0, 0, 0, 0, n])
    }

    fn seen(n: u8, to: u8) -> Seen {
        let figures =
            Figures { to: Some(to), relay: Some(u64::from(to) * 1000), changes: Some(1), ..Figures::default() };
        let key = if n == 0 { Key::node() } else { Key { neigh: mac(n), link: "wlan0".into() } };
        Seen { key, orig: Some(mac(n | 0x80)), point: Point::new(&figures) }
    }

    fn shares(history: &History, of: Option<MacAddr>, scale: Scale) -> Vec<Option<u8>> {
        history.points(of, scale).map_or_else(Vec::new, |(_, p, _)| p.iter().map(|p| p.figures().to).collect())
    }

    #[test]
    fn an_hour_two_days_and_a_month() {
        let mut history = History::default();
        // 50 % in the first half of every hour, 100 % in the second.
        for i in 0..31 * 24 * 360u32 {
            history.look(&[seen(0, if i % 360 < 180 { 50 } else { 100 })]);
        }
        let hour = shares(&history, None, Scale::Hour);
        assert_eq!((hour.len(), hour[0], hour[359]), (360, Some(50), Some(100)));
        assert_eq!(hour.iter().filter(|s| **s == Some(50)).count(), 180);
        let days = shares(&history, None, Scale::Days);
        assert_eq!((days.len(), days[575], days[569]), (576, Some(100), Some(50)));
        assert_eq!(shares(&history, None, Scale::Month), vec![Some(75); 720]);
        let month = history.points(None, Scale::Month).unwrap().1;
        assert_eq!(month[0].figures().changes, Some(360), "changes are added up");
        assert_eq!(Scale::ALL.map(|s| s.step().as_secs()), [10, 300, 3600]);
    }

    #[test]
    fn who_is_gone_leaves_a_gap_and_is_found_by_both_addresses() {
        let mut history = History::default();
        history.look(&[seen(0, 1), seen(7, 90)]);
        history.look(&[seen(0, 1)]);
        history.look(&[seen(0, 1), seen(7, 80)]);
        let expected = [Some(90), None, Some(80)];
        assert_eq!(shares(&history, Some(mac(7)), Scale::Hour), expected);
        assert_eq!(shares(&history, Some(mac(0x87)), Scale::Hour), expected);
        assert_eq!(shares(&history, Some(mac(9)), Scale::Hour), []);
        let list = history.list();
        assert_eq!((list.len(), &list[0].key, list[1].gone), (2, &Key::node(), Duration::ZERO));
        // Nobody looked for a minute: unknown, not zero.
        history.skip(Duration::from_secs(60));
        history.look(&[seen(0, 1), seen(7, 70)]);
        let after = shares(&history, Some(mac(7)), Scale::Hour);
        assert_eq!(after, [Some(90), None, Some(80), None, None, None, None, None, None, Some(70)]);
    }

    #[test]
    fn a_crowd_takes_no_more_room_and_pushes_nobody_out_who_is_there() {
        let mut history = History::default();
        let some: Vec<Seen> = (0..25).map(|n| seen(n, 50)).collect();
        history.look(&some);
        history.look(&[some.clone(), vec![seen(99, 1)]].concat());
        assert_eq!(history.list().len(), MOST);
        assert_eq!(shares(&history, Some(mac(99)), Scale::Hour), [], "all others are there");
        // Number 3 went; the newcomer takes its place, and begins empty.
        let rest: Vec<Seen> = (0..25).filter(|n| *n != 3).map(|n| seen(n, 50)).collect();
        history.look(&rest);
        history.look(&rest);
        history.look(&[rest, vec![seen(99, 1)]].concat());
        assert_eq!(shares(&history, Some(mac(99)), Scale::Hour), [Some(1)]);
        assert_eq!(shares(&history, Some(mac(3)), Scale::Hour), []);
        let bytes: usize = history.series.iter().map(|s| s.points.capacity() * point::LEN + size_of::<Series>()).sum();
        assert!(bytes <= 512 * 1024, "{bytes}");
        assert_eq!(Scale::ALL.iter().map(|s| s.points()).sum::<usize>(), POINTS);
        let neighbours = 20;
        assert!((neighbours + 1) * (POINTS * point::LEN + size_of::<Series>()) <= 512 * 1024);
    }

    #[test]
    fn after_a_month_away_nothing_is_left() {
        let mut history = History::default();
        history.look(&[seen(0, 1), seen(7, 90)]);
        for _ in 0..MONTH {
            history.look(&[seen(0, 1)]);
        }
        assert_eq!(history.list().len(), 1);
        history.skip(Duration::from_secs(40 * 86_400));
        assert_eq!(history.list(), []);
    }
}
