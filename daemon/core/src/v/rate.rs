//! How fast the link to a neighbour is. Source: "B.A.T.M.A.N. V" section 2.

use crate::config::{LinkConfig, LinkSpeed, Measure, Station};
use crate::time::{Duration, Instant};

/// Throughput of a link that nobody knows anything about: 1 Mbit/s.
pub(crate) const DEFAULT: u32 = 10;
/// What a driver said this long ago holds no more.
const STALE: Duration = Duration::from_secs(10);
/// Fraction bits of the average.
const FRACTION: u32 = 10;
/// A new sample weighs one eighth.
const WEIGHT: u64 = 8;

/// Where a throughput comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RateSource {
    /// Nobody knows; 1 Mbit/s is assumed.
    #[default]
    Assumed,
    /// The configuration of the hard interface.
    Configured,
    /// The driver's estimate of what payload gets through.
    Expected,
    /// A third of the rate of the last frame sent.
    Bitrate,
    /// The speed of the wire.
    Wire,
    /// Measured by us.
    Measured,
    /// The driver lost the neighbour.
    Gone,
}

impl RateSource {
    /// A word for people and programs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Assumed => "assumed",
            Self::Configured => "configured",
            Self::Expected => "expected",
            Self::Bitrate => "bitrate",
            Self::Wire => "wire",
            Self::Measured => "measured",
            Self::Gone => "gone",
        }
    }
}

/// Throughput of the link to one neighbour.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rate {
    /// Average with [`FRACTION`] fraction bits; `None` before the first sample.
    average: Option<u64>,
    pub(crate) source: RateSource,
    station: Option<(Station, Instant)>,
    /// Own measurement, in units of 100 kbit/s.
    pub(crate) measured: Option<u32>,
}

impl Rate {
    /// Average throughput in units of 100 kbit/s, 0 while unknown.
    pub(crate) fn throughput(&self) -> u32 {
        // A mean of 32-bit samples fits 32 bits.
        self.average.map_or(0, |a| (a >> FRACTION) as u32)
    }

    /// What the driver of a radio says.
    pub(crate) fn note_station(&mut self, station: Station, now: Instant) {
        if !matches!(station, Station::Failed(_)) {
            self.station = Some((station, now));
        }
    }

    /// Takes the next sample into the average.
    pub(crate) fn sample(&mut self, link: &LinkConfig, speed: LinkSpeed, now: Instant) {
        let (value, source) = self.current(link, speed, now);
        self.source = source;
        let value = u64::from(value) << FRACTION;
        self.average = Some(match self.average {
            None => value,
            Some(old) => (old * (WEIGHT - 1) + value) / WEIGHT,
        });
    }

    pub(crate) fn current(&self, link: &LinkConfig, speed: LinkSpeed, now: Instant) -> (u32, RateSource) {
        if let Some(set) = link.throughput.filter(|t| *t != 0) {
            return (set, RateSource::Configured);
        }
        let station = self.station.filter(|(_, at)| now.since(*at) < STALE).map(|(s, _)| s);
        let known = match station {
            Some(Station::Gone) => Some((0, RateSource::Gone)),
            Some(Station::Rate { expected: Some(e), .. }) if link.wifi => Some((e, RateSource::Expected)),
            Some(Station::Rate { tx_bitrate: Some(b), .. }) if link.wifi => Some((b / 3, RateSource::Bitrate)),
            _ if link.wifi => None,
            _ => speed.throughput.filter(|t| *t != 0).map(|t| (t, RateSource::Wire)),
        };
        if let Some(measured) = self.measured.filter(|_| link.measure == Measure::Always)
            && !matches!(known, Some((_, RateSource::Gone)))
        {
            return (measured, RateSource::Measured);
        }
        known.or_else(|| self.measured.map(|m| (m, RateSource::Measured))).unwrap_or((DEFAULT, RateSource::Assumed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use packet::MacAddr;

    fn link(wifi: bool, throughput: Option<u32>) -> LinkConfig {
        LinkConfig {
            name: "x".into(),
            mac: MacAddr([2; 6]),
            mtu: 1532,
            wifi,
            hop_penalty: 0,
            throughput,
            measure: Measure::Blind,
            broadcast_copies: None,
        }
    }

    const UNKNOWN: LinkSpeed = LinkSpeed { throughput: None, full_duplex: true };
    const GIGABIT: LinkSpeed = LinkSpeed { throughput: Some(10_000), full_duplex: true };

    #[test]
    fn first_source_that_knows_wins() {
        let now = Instant::ZERO;
        let mut r = Rate::default();
        assert_eq!(r.current(&link(false, None), UNKNOWN, now), (10, RateSource::Assumed));
        assert_eq!(r.current(&link(false, None), GIGABIT, now), (10_000, RateSource::Wire));
        assert_eq!(r.current(&link(false, Some(77)), GIGABIT, now), (77, RateSource::Configured));
        assert_eq!(r.current(&link(true, None), GIGABIT, now), (10, RateSource::Assumed));
        r.note_station(Station::Rate { expected: None, tx_bitrate: Some(540) }, now);
        assert_eq!(r.current(&link(true, None), UNKNOWN, now), (180, RateSource::Bitrate));
        r.note_station(Station::Rate { expected: Some(321), tx_bitrate: Some(540) }, now);
        assert_eq!(r.current(&link(true, None), UNKNOWN, now), (321, RateSource::Expected));
        r.note_station(Station::Gone, now);
        assert_eq!(r.current(&link(true, None), UNKNOWN, now), (0, RateSource::Gone));
        r.measured = Some(50);
        assert_eq!(r.current(&link(true, None), UNKNOWN, now + STALE), (50, RateSource::Measured));
    }

    #[test]
    fn average_of_eight() {
        let mut r = Rate::default();
        assert_eq!(r.throughput(), 0);
        r.sample(&link(false, Some(1000)), UNKNOWN, Instant::ZERO);
        assert_eq!(r.throughput(), 1000);
        r.sample(&link(false, Some(200)), UNKNOWN, Instant::ZERO);
        assert_eq!(r.throughput(), 900);
        r.sample(&link(false, Some(200)), UNKNOWN, Instant::ZERO);
        assert_eq!(r.throughput(), 812, "812.5, rounded down");
        r.sample(&link(false, Some(u32::MAX)), UNKNOWN, Instant::ZERO);
        assert_eq!(r.throughput(), 536_871_622, "no overflow");
    }
}
