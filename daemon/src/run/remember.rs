//! What the node remembers of how it was: the looks that its history is made of.

use crate::history::{Figures, History, Key, Point, Scale, Seen, Store, TICK, Told, write};
use crate::io::{Tally, Traffic};
use mesh_core::snapshot::NeighborView;
use mesh_core::{Algorithm, Duration, Instant};
use packet::MacAddr;

/// A part of the history, as somebody asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// A neighbour, by its own or its originator address; `None` for the node itself.
    pub of: Option<MacAddr>,
    /// Which points.
    pub scale: Scale,
}

/// The answer to that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// What there is a history of.
    pub series: Vec<Told>,
    /// What the points are about; `None` if nothing is known of it.
    pub of: Option<Key>,
    /// Points, oldest first.
    pub points: Vec<Point>,
    /// Age of the newest one.
    pub age: Duration,
}

/// The history, and when the next look is due.
#[derive(Debug)]
pub(super) struct Memory {
    history: History,
    store: Store,
    /// Time of the next look; `None` before the first.
    next: Option<Instant>,
    last: Instant,
}

impl Memory {
    /// Goes on where the last run ended, if it left something.
    pub(super) fn new(mut store: Store) -> Self {
        Self { history: store.load(), store, next: None, last: Instant::ZERO }
    }

    /// True if it is time to look.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        *self.next.get_or_insert(now + TICK) <= now
    }

    /// Takes in what holds now. `spare` is what the node has left, in kbit/s, if it knows.
    pub(super) fn look(
        &mut self,
        neighbors: &[NeighborView],
        algorithm: Algorithm,
        tally: &mut Tally,
        spare: Option<u64>,
        now: Instant,
    ) {
        let passed = now.since(self.last).max(Duration::from_secs(1));
        self.last = now;
        // A machine that slept, or was too busy: those looks are missed.
        let late = now.since(self.next.unwrap_or(now));
        self.history.skip(Duration::from_secs(late.as_secs() / TICK.as_secs() * TICK.as_secs()));
        self.next = Some(now + TICK - Duration::from_micros(late.as_micros() as u64 % TICK.as_micros() as u64));
        let (by, all) = tally.take();
        let node = Figures { spare, ..traffic(&all, passed) };
        let mut seen = vec![Seen { key: Key::node(), orig: None, point: Point::new(&node) }];
        for n in neighbors.iter().filter(|n| !n.dead) {
            let of = by.iter().find(|(hop, _)| hop.neigh == n.addr && hop.link == n.link);
            let figures = link(n, algorithm, traffic(&of.map(|(_, t)| *t).unwrap_or_default(), passed));
            let key = Key { neigh: n.addr, link: n.link_name.clone() };
            seen.push(Seen { key, orig: n.originator, point: Point::new(&figures) });
        }
        self.history.look(&seen);
        if let Some(file) = self.store.due(now.since(Instant::ZERO)) {
            let bytes = self.history.to_bytes(crate::history::wall_clock());
            // Flash is slow, and frames do not wait for it.
            let _ = std::thread::Builder::new().name("history".to_owned()).spawn(move || write(&file, &bytes));
        }
    }

    pub(super) fn tell(&self, wanted: Wanted) -> Remembered {
        let found = self.history.points(wanted.of, wanted.scale);
        let (of, points, age) = found.map_or((None, Vec::new(), Duration::ZERO), |(k, p, a)| (Some(k.clone()), p, a));
        Remembered { series: self.history.list(), of, points, age }
    }

    /// Keeps it over the end of the node.
    pub(super) fn stop(&mut self, now: Instant) {
        self.store.stop(&self.history, now.since(Instant::ZERO));
    }
}

fn traffic(t: &Traffic, passed: Duration) -> Figures {
    let rate = |bytes: u64| u64::try_from(u128::from(bytes) * 1_000_000 / passed.as_micros().max(1)).ok();
    Figures { owner: rate(t.owner), relay: rate(t.relay), changes: Some(t.changes), ..Figures::default() }
}

/// What is known of a link besides its traffic.
fn link(n: &NeighborView, algorithm: Algorithm, traffic: Figures) -> Figures {
    match algorithm {
        Algorithm::Iv => {
            // What it heard of ours is not said; what came back of it went both ways.
            let from = n.receive_count.min(64);
            let to = (from > 0).then(|| u32::from(n.echo_count.min(from)) * 100 / u32::from(from));
            Figures {
                to: to.and_then(|share| u8::try_from(share).ok()),
                from: u8::try_from(u32::from(from) * 100 / 64).ok(),
                ..traffic
            }
        }
        Algorithm::V => {
            let throughput = u64::from(n.throughput) * 100;
            let used = (traffic.owner.unwrap_or(0) + traffic.relay.unwrap_or(0)) * 8 / 1000;
            Figures { throughput: Some(throughput), spare: Some(throughput.saturating_sub(used)), ..traffic }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mesh_core::snapshot::RateSource;
    use mesh_core::{Frame, LinkId};

    fn neighbor(n: u8) -> NeighborView {
        NeighborView {
            link: LinkId(0),
            link_name: "wlan0".to_owned(),
            addr: MacAddr([2, 0, 0, 0, 0, n]),
            originator: None,
            last_seen: Duration::ZERO,
            echo_count: 24,
            receive_count: 48,
            tq: 100,
            throughput: 540,
            rate_source: RateSource::default(),
            elp_interval: Duration::ZERO,
            meshwork: false,
            dead: false,
            quiet: false,
            distrust: Vec::new(),
        }
    }

    fn at(secs: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(secs)
    }

    #[test]
    fn a_look_every_ten_seconds_however_late_the_loop_is() {
        let mut memory = Memory::new(Store::new(None, "mesh0", None));
        let mut tally = Tally::default();
        assert!(!memory.is_due(at(0)));
        assert!(!memory.is_due(at(9)));
        let bytes = [&[2, 0, 0, 0, 0, 7][..], &[0; 6], &[0x43, 0x05, 0x40], &[0; 999_985]].concat();
        for (now, looks) in [(10, true), (15, false), (20, true), (61, true), (69, false), (70, true)] {
            assert_eq!(memory.is_due(at(now)), looks, "{now}");
            if looks {
                tally.sent(LinkId(0), &Frame::copy_of(&bytes), MacAddr([2; 6]));
                memory.look(&[neighbor(7)], Algorithm::Iv, &mut tally, Some(7), at(now));
            }
        }
        let wanted = |of| memory.tell(Wanted { of, scale: Scale::Hour });
        let told = wanted(Some(MacAddr([2, 0, 0, 0, 0, 7])));
        let figures: Vec<Figures> = told.points.iter().map(Point::figures).collect();
        assert_eq!((figures.len(), told.series.len(), told.age), (7, 2, Duration::ZERO));
        assert_eq!((figures[0].to, figures[0].from), (Some(50), Some(75)));
        assert_eq!((figures[0].relay, figures[0].owner), (Some(99_968), Some(0)), "100 kB/s");
        assert_eq!(figures[2..5], [Figures::default(); 3], "four looks were missed, one of them is the late one");
        assert_eq!(wanted(None).points[0].figures().spare, Some(7));
        assert_eq!(wanted(Some(MacAddr([9; 6]))).of, None);
        let v = link(&neighbor(7), Algorithm::V, Figures { owner: Some(1_000_000), ..Figures::default() });
        assert_eq!((v.throughput, v.spare, v.to), (Some(54_000), Some(46_000), None));
    }
}
