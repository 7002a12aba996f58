//! How much of a radio's time goes to its owner beside the mesh: to a home network that the same radio serves.
//!
//! What passes an access point or a client interface next to the mesh never comes by this program. The driver counts
//! it station by station: in some drivers the time that it took, in all of them bytes, which at the station's rate
//! make a time. Where the driver measures the channel too, the time that the radio sent is known exactly and is
//! divided by these; what others send on the channel is nobody's here.

use super::station::StationInfo;
use super::survey::Survey;
use mesh_core::sorted::SortedMap;
use packet::MacAddr;

/// Thousandths of all time.
const FULL: u64 = 1000;
/// A radio that sends all the time passes about two thirds of its bit rate as payload: preambles, acknowledgements
/// and the waiting before each turn take the rest. A microsecond of 100 kbit/s is a tenth of a bit: 80 per byte.
const PER_BYTE: u64 = 80 * 3 / 2;

/// What a station was sent and sent itself so far.
#[derive(Debug, Clone, Copy, Default)]
struct Counted {
    bytes: [u64; 2],
    micros: [u64; 2],
}

/// Keeps count of the stations of one radio, on all its interfaces.
#[derive(Debug, Default)]
pub struct Air {
    counted: SortedMap<MacAddr, Counted>,
    survey: Option<Survey>,
}

impl Air {
    /// The owner's part of the last `elapsed_us` microseconds, beside the mesh, in thousandths. Each station comes
    /// with whether it is one of the owner's; `survey` is asked for what the radio measured on the mesh's channel.
    /// `None` at the first look.
    pub fn look<'a>(
        &mut self,
        elapsed_us: u64,
        stations: impl Iterator<Item = (bool, &'a StationInfo)>,
        survey: impl FnOnce() -> Option<Survey>,
    ) -> Option<u32> {
        let before = std::mem::take(&mut self.counted);
        // Microseconds sent and received, of all stations and of the owner's.
        let (mut all, mut owner) = ([0u64; 2], [0u64; 2]);
        for (owners, station) in stations {
            let now = Counted { bytes: station.bytes, micros: station.air_us };
            // Where the same station is listed by two interfaces, it is one.
            if self.counted.insert(station.mac, now).is_some() {
                continue;
            }
            // One that came since the last look is known from now on; so is one that is counted anew.
            let Some(then) = before.get(&station.mac) else { continue };
            for (way, took) in taken(*then, now, station).into_iter().enumerate() {
                let add = |to: &mut [u64; 2]| to.get_mut(way).map(|sum| *sum = sum.saturating_add(took));
                add(&mut all);
                if owners {
                    add(&mut owner);
                }
            }
        }
        if before.is_empty() {
            return None;
        }
        let small = owner[0].saturating_add(owner[1]).saturating_mul(100) < elapsed_us;
        let measured = if small { None } else { survey() };
        let measured = std::mem::replace(&mut self.survey, measured).zip(measured);
        let air = match measured {
            Some((then, now)) => measured_part(&then, &now, all, owner),
            None => owner[0].saturating_add(owner[1]),
        };
        let part = air.saturating_mul(FULL).checked_div(elapsed_us).unwrap_or(0);
        u32::try_from(part.min(FULL)).ok()
    }

    /// What was counted says nothing about what comes.
    pub fn forget(&mut self) {
        *self = Self::default();
    }
}

/// Microseconds that a station was sent to, and that it sent itself, between two looks.
fn taken(then: Counted, now: Counted, station: &StationInfo) -> [u64; 2] {
    let gone = |now: [u64; 2], then: [u64; 2]| {
        let [sent, received] = now;
        [sent.saturating_sub(then[0]), received.saturating_sub(then[1])]
    };
    let (bytes, micros) = (gone(now.bytes, then.bytes), gone(now.micros, then.micros));
    let rate = station.tx_bitrate_100kbit;
    let at = |bytes: u64, rate: Option<u32>| match rate {
        Some(rate) if rate > 0 => bytes.saturating_mul(PER_BYTE) / u64::from(rate),
        _ => 0,
    };
    let sent = match station.expected_throughput_kbit {
        _ if micros[0] > 0 => micros[0],
        Some(kbit) if kbit > 0 => bytes[0].saturating_mul(8000) / u64::from(kbit),
        _ => at(bytes[0], rate),
    };
    let received = if micros[1] > 0 { micros[1] } else { at(bytes[1], station.rx_bitrate_100kbit.or(rate)) };
    [sent, received]
}

/// The owner's part of what the radio measured between two looks, in microseconds.
fn measured_part(then: &Survey, now: &Survey, all: [u64; 2], owner: [u64; 2]) -> u64 {
    let gone = |read: fn(&Survey) -> Option<u64>| {
        let ms = read(now)?.checked_sub(read(then)?)?;
        // Drivers that count none of it tell zeros.
        (ms > 0 && now.freq == then.freq).then(|| ms.saturating_mul(1000))
    };
    let of = |time: u64, way: usize| {
        let (owner, all) = (owner.get(way).copied().unwrap_or(0), all.get(way).copied().unwrap_or(0));
        u64::try_from(u128::from(time) * u128::from(owner) / u128::from(all.max(1))).unwrap_or(u64::MAX)
    };
    // Nobody but this radio sends what it sends.
    let sent = gone(|s| s.transmit_ms).map_or(owner[0], |time| of(time, 0));
    // What it receives can be strangers' too, unless the driver knows those of its own networks.
    let received = match (gone(|s| s.own_receive_ms), gone(|s| s.receive_ms)) {
        (Some(own), _) => of(own, 1),
        (None, Some(time)) => owner[1].min(time),
        (None, None) => owner[1],
    };
    let air = sent.saturating_add(received);
    gone(|s| s.busy_ms).map_or(air, |busy| air.min(busy))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
    const MESH: MacAddr = MacAddr([2, 0, 0, 0, 0, 2]);
    const SECOND: u64 = 1_000_000;

    /// At 60 Mbit/s; the driver says nothing else.
    fn station(mac: MacAddr, bytes: [u64; 2]) -> StationInfo {
        StationInfo { mac, bytes, tx_bitrate_100kbit: Some(600), ..StationInfo::default() }
    }

    fn survey(transmit: u64, receive: u64, busy: u64) -> Survey {
        let (receive_ms, transmit_ms) = (Some(receive), Some(transmit));
        Survey { freq: 2412, in_use: true, busy_ms: Some(busy), receive_ms, transmit_ms, ..Survey::default() }
    }

    /// A second in which the home got and sent this, and the mesh that, after a look before it.
    fn second(home: [u64; 2], mesh: [u64; 2], measured: Option<Survey>) -> u32 {
        let mut air = Air::default();
        let mut look = |home: [u64; 2], mesh: [u64; 2], survey: Option<Survey>| {
            let both = [(true, station(HOME, home)), (false, station(MESH, mesh))];
            air.look(SECOND, both.iter().map(|(o, s)| (*o, s)), || survey)
        };
        assert_eq!(look([7, 7], [7, 7], None), None, "the first look");
        let plus = |more: [u64; 2], n: u64| [7 + n * more[0], 7 + n * more[1]];
        // The survey counts from the second look on.
        look(plus(home, 1), plus(mesh, 1), measured.map(|_| survey(5000, 5000, 50_000))).unwrap();
        look(plus(home, 2), plus(mesh, 2), measured).unwrap()
    }

    #[test]
    fn bytes_at_their_rate_are_air() {
        // 20 of 60 Mbit/s, of which 40 pass.
        assert_eq!(second([2_500_000, 0], [0, 0], None), 500);
        assert_eq!(second([1_250_000, 1_250_000], [0, 0], None), 500);
        assert_eq!(second([0, 0], [2_500_000, 2_500_000], None), 0, "of the mesh");
        assert_eq!(second([100_000_000, 0], [0, 0], None), 1000, "no more than all");
        assert_eq!(second([u64::MAX / 4, 0], [0, 0], None), 1000);
    }

    #[test]
    fn measured_time_is_divided() {
        // It sent for 600 ms, a third of it for the home; it received for 300, most of it from strangers.
        let (home, mesh) = ([1_000_000, 100_000], [2_000_000, 0]);
        assert_eq!(second(home, mesh, Some(survey(5600, 5300, 50_900))), 200 + 20);
        // Less was received than the bytes at that rate say.
        assert_eq!(second(home, mesh, Some(survey(5600, 5005, 50_900))), 200 + 5);
        // What the radio received in its own networks is told apart.
        let own = |ms| Survey { own_receive_ms: Some(ms), ..survey(5600 + ms - 40, 5300, 50_900) };
        let mut air = Air::default();
        for (n, measured) in [(1, None), (2, Some(own(40))), (3, Some(own(80)))] {
            let both = [(true, station(HOME, [n, n].map(|n| n * 1_000_000))), (false, station(MESH, [n, n]))];
            let told = air.look(SECOND, both.iter().map(|(o, s)| (*o, s)), || measured);
            if n == 3 {
                assert_eq!(told, Some(40 + 40), "next to nothing was the mesh's");
            }
        }
        // The channel was not busier than that.
        assert_eq!(second(home, mesh, Some(survey(5600, 5300, 50_100))), 100);
        // A driver that counts nothing tells zeros, and one that began anew less than before.
        assert_eq!(second(home, mesh, Some(survey(5000, 5000, 50_000))), 220);
        assert_eq!(second(home, mesh, Some(survey(100, 100, 1000))), 220);
    }

    #[test]
    fn times_of_the_driver_count_before_bytes() {
        let mut air = Air::default();
        let mut look = |n: u64| {
            let mut home = station(HOME, [n * 2_500_000, 0]);
            home.air_us = [n * 100_000, n * 20_000];
            air.look(SECOND, [(true, &home)].into_iter(), || None)
        };
        assert_eq!((look(1), look(2)), (None, Some(120)));
        // So does what it expects to pass.
        let expected = |bytes: u64| StationInfo { expected_throughput_kbit: Some(25_000), ..station(HOME, [bytes, 0]) };
        let mut air = Air::default();
        air.look(SECOND, [(true, &expected(0))].into_iter(), || None);
        assert_eq!(air.look(SECOND, [(true, &expected(1_250_000))].into_iter(), || None), Some(400));
    }

    #[test]
    fn stations_come_and_go() {
        let mut air = Air::default();
        let mut look = |stations: &[StationInfo]| air.look(SECOND, stations.iter().map(|s| (true, s)), || None);
        look(&[station(MESH, [0, 0])]);
        assert_eq!(look(&[station(MESH, [0, 0]), station(HOME, [2_500_000, 0])]), Some(0), "new: not of this second");
        let twice = [station(HOME, [5_000_000, 0]), station(HOME, [5_000_000, 0])];
        assert_eq!(look(&twice), Some(500), "listed by the access point and its VLAN");
        assert_eq!(look(&[station(HOME, [1000, 0])]), Some(0), "counted anew");
        assert_eq!(look(&[]), Some(0));
        assert_eq!(look(&[station(HOME, [1000, 0])]), None);
        assert_eq!(air.look(0, std::iter::empty(), || None), Some(0), "no time passed");
    }
}
