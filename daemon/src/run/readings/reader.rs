//! The thread that asks the drivers.

use super::{Order, Others, Report, Target};
use crate::netlink::GenericSocket;
use crate::nl80211::air::Air;
use crate::nl80211::station::stations;
use crate::nl80211::survey::{Survey, surveys};
use crate::nl80211::{Kind, RadioInterface, StationInfo, interface, radio_below};
use crate::sys::ethtool::wire_speed;
use mesh_core::sorted::SortedMap;
use mesh_core::{Input, LinkSpeed, Station};
use packet::MacAddr;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Radios are asked this often: the usual interval of hellos (ELP).
const RADIO_EVERY: Duration = Duration::from_millis(500);
/// The share of time that a channel is busy is measured over this time.
const SURVEY_EVERY: Duration = Duration::from_secs(10);
/// What the owner does with a radio beside the mesh is looked at so often ...
const AIR_EVERY: Duration = Duration::from_secs(1);
/// ... and so often whether there are interfaces to look at.
const OTHERS_EVERY: Duration = Duration::from_secs(5);
/// Wires are asked when anything about interfaces changes, and this often besides.
const WIRE_EVERY: Duration = Duration::from_secs(10);

/// What the thread owns.
pub(super) struct Reader {
    report: mpsc::Sender<Report>,
    sources: Vec<Source>,
    others: Others,
    nl80211: Option<GenericSocket>,
    /// Only a descriptor that takes requests.
    ethtool: Option<UnixDatagram>,
}

/// A hard interface, and what was read last.
struct Source {
    target: Target,
    due: Instant,
    /// Number of the radio's interface that it is, or stands on.
    radio: Option<u32>,
    speed: Option<LinkSpeed>,
    stations: Stations,
    survey: Option<Survey>,
    survey_due: Instant,
    beside: Beside,
}

/// The other interfaces of the radio of a hard interface.
struct Beside {
    /// Numbers, and which are the owner's; empty where none is.
    interfaces: Vec<(u32, bool)>,
    air: Air,
    looked: Instant,
    search_due: Instant,
}

impl Reader {
    pub(super) fn new(report: mpsc::Sender<Report>) -> Self {
        Self {
            report,
            sources: Vec::new(),
            others: Others::default(),
            nl80211: None,
            ethtool: UnixDatagram::unbound().ok(),
        }
    }

    /// Reads until the other end of `orders` is gone.
    pub(super) fn run(mut self, orders: &Receiver<Order>) {
        loop {
            let now = Instant::now();
            let due = self.sources.iter().map(|s| s.due).min();
            let wait = due.map_or(WIRE_EVERY, |due| due.saturating_duration_since(now));
            match orders.recv_timeout(wait) {
                Ok(order) => self.obey(order),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            let now = Instant::now();
            let ours: Vec<u32> = self.sources.iter().filter_map(|s| s.radio).collect();
            for source in &mut self.sources {
                if source.due <= now {
                    source.due = now + if source.target.wifi { RADIO_EVERY } else { WIRE_EVERY };
                    let inputs = source.read(&mut self.nl80211, self.ethtool.as_ref());
                    let busy_percent = source.read_survey(&mut self.nl80211, now);
                    let air = source.read_air(&mut self.nl80211, &ours, &self.others, now);
                    let Target { id, ifindex, .. } = source.target;
                    let report = Report { id, ifindex, radio: source.radio, busy_percent, air, inputs };
                    // A full channel means a main loop that is busy; the next report is newer.
                    let _ = self.report.try_send(report);
                }
            }
        }
    }

    fn obey(&mut self, order: Order) {
        let now = Instant::now();
        match order {
            Order::Follow(targets, others) => {
                self.others = others;
                self.sources.retain(|s| targets.contains(&s.target));
                for target in targets {
                    match self.sources.iter_mut().find(|s| s.target == target) {
                        // Its speed may be what has changed.
                        Some(source) if !target.wifi => source.due = now,
                        Some(_) => {}
                        None => self.sources.push(Source {
                            target,
                            due: now,
                            radio: None,
                            speed: None,
                            stations: Stations::default(),
                            survey: None,
                            survey_due: now,
                            beside: Beside {
                                interfaces: Vec::new(),
                                air: Air::default(),
                                looked: now,
                                search_due: now,
                            },
                        }),
                    }
                }
            }
            Order::Now { radio } => {
                for source in self.sources.iter_mut().filter(|s| s.radio == Some(radio)) {
                    source.due = now;
                }
            }
            Order::Forget { radio, mac } => {
                for source in self.sources.iter_mut().filter(|s| s.radio == Some(radio)) {
                    source.stations.failed.remove(&mac);
                }
            }
        }
    }
}

impl Source {
    fn read(&mut self, nl80211: &mut Option<GenericSocket>, ethtool: Option<&UnixDatagram>) -> Vec<Input> {
        if self.target.wifi {
            return self.read_radio(nl80211);
        }
        let asked = ethtool.filter(|_| !self.target.blind);
        let told = asked.and_then(|socket| wire_speed(socket, &self.target.name).ok());
        // Who tells nothing counts as full duplex. Source: "B.A.T.M.A.N. V" section 2.
        let speed = told.map_or(LinkSpeed { throughput: None, full_duplex: true }, |told| LinkSpeed {
            throughput: told.mbit.map(|mbit| mbit.saturating_mul(10)),
            full_duplex: told.full_duplex,
        });
        if self.speed.replace(speed) == Some(speed) {
            return Vec::new();
        }
        tracing::debug!(link = self.target.name, ?speed, "speed of a hard interface");
        vec![Input::LinkSpeed(self.target.id, speed)]
    }

    fn read_radio(&mut self, nl80211: &mut Option<GenericSocket>) -> Vec<Input> {
        if nl80211.is_none() {
            *nl80211 = crate::nl80211::open().ok();
        }
        let Some(socket) = nl80211 else { return Vec::new() };
        if self.radio.is_none() {
            self.radio = radio_below(Path::new("/sys/class/net"), &self.target.name).and_then(|name| {
                let all = interface::interfaces(socket).ok()?;
                Some(all.into_iter().find(|i| i.name == name)?.ifindex)
            });
        }
        let Some(radio) = self.radio else { return Vec::new() };
        match stations(socket, radio) {
            Ok(read) => {
                self.stations.read.clone_from(&read);
                let told = self.stations.take(&read);
                told.into_iter().map(|(mac, station)| Input::Station(self.target.id, mac, station)).collect()
            }
            Err(e) => {
                tracing::trace!(link = self.target.name, error = %e, "the driver lists no stations");
                Vec::new()
            }
        }
    }
}

impl Source {
    /// For how much of the time the channel was busy since the last look, in percent.
    fn read_survey(&mut self, nl80211: &mut Option<GenericSocket>, now: Instant) -> Option<u8> {
        let (radio, socket) = (self.radio?, nl80211.as_mut()?);
        if now < self.survey_due {
            return None;
        }
        // A driver that measures nothing says so at once; asking it again now and then costs nothing.
        self.survey_due = now + SURVEY_EVERY;
        let read = surveys(socket, radio).ok()?.into_iter().find(|s| s.in_use)?;
        let before = self.survey.replace(read);
        before.map_or(read, |before| read.since(&before)).busy_percent()
    }
}

impl Source {
    /// How much of the radio's time the owner takes beside the mesh, in thousandths; `None` before it is time to look.
    /// `ours` are the radios' interfaces that carry the mesh.
    fn read_air(
        &mut self,
        nl80211: &mut Option<GenericSocket>,
        ours: &[u32],
        others: &Others,
        now: Instant,
    ) -> Option<u32> {
        let (radio, socket, beside) = (self.radio?, nl80211.as_mut()?, &mut self.beside);
        if now >= beside.search_due {
            beside.search_due = now + OTHERS_EVERY;
            beside.interfaces = others.of_radio(radio, ours, &interface::interfaces(socket).ok()?);
        }
        if beside.interfaces.is_empty() {
            beside.air.forget();
            beside.looked = now;
            return Some(0);
        }
        let elapsed = now.saturating_duration_since(beside.looked);
        if elapsed < AIR_EVERY {
            return None;
        }
        beside.looked = now;
        let mut all: Vec<(bool, StationInfo)> = self.stations.read.iter().map(|s| (false, *s)).collect();
        for (ifindex, owners) in &beside.interfaces {
            // One that just went away has none.
            all.extend(stations(socket, *ifindex).into_iter().flatten().map(|s| (*owners, s)));
        }
        let survey = || surveys(socket, radio).ok()?.into_iter().find(|s| s.in_use);
        let elapsed = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        beside.air.look(elapsed, all.iter().map(|(owners, s)| (*owners, s)), survey)
    }
}

impl Others {
    /// The other interfaces of the radio that `radio` is an interface of, and which of them are the owner's: access
    /// points, and clients of one. Empty where none is. `ours` carry the mesh.
    fn of_radio(&self, radio: u32, ours: &[u32], all: &[RadioInterface]) -> Vec<(u32, bool)> {
        let Some(wiphy) = all.iter().find(|i| i.ifindex == radio).map(|i| i.wiphy) else { return Vec::new() };
        let owners = |i: &RadioInterface| {
            let kind = match i.kind {
                Kind::AccessPoint => true,
                // By this way guests may reach the Internet.
                Kind::Station => !self.gateway,
                // Of another mesh, or one that only listens.
                _ => false,
            };
            kind && !ours.contains(&i.ifindex) && !self.not_owners.contains(&i.ifindex)
        };
        let here = all.iter().filter(|i| i.wiphy == wiphy && i.ifindex != radio);
        let here: Vec<(u32, bool)> = here.map(|i| (i.ifindex, owners(i))).collect();
        if here.iter().any(|(_, owners)| *owners) { here } else { Vec::new() }
    }
}

/// The stations of a radio, and how many frames to each were lost when it was read last.
#[derive(Debug, Default)]
struct Stations {
    read: Vec<StationInfo>,
    failed: SortedMap<MacAddr, u32>,
}

impl Stations {
    /// What is to be told after the driver listed these.
    fn take(&mut self, read: &[StationInfo]) -> Vec<(MacAddr, Station)> {
        let before = std::mem::take(&mut self.failed);
        let mut told = Vec::new();
        for station in read.iter().filter(|s| s.usable()) {
            let failed = station.tx_failed.unwrap_or(0);
            self.failed.insert(station.mac, failed);
            told.push((
                station.mac,
                Station::Rate {
                    expected: station.expected_throughput_kbit.map(|kbit| kbit / 100),
                    tx_bitrate: station.tx_bitrate_100kbit,
                },
            ));
            // A smaller count is that of a new station at the same address.
            let more = before.get(&station.mac).and_then(|old| failed.checked_sub(*old)).unwrap_or(0);
            if more > 0 {
                told.push((station.mac, Station::Failed(more)));
            }
        }
        told.extend(before.keys().filter(|mac| !self.failed.contains_key(mac)).map(|mac| (*mac, Station::Gone)));
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nl80211::PeerState;
    use mesh_core::LinkId;
    use std::sync::mpsc::channel;

    const A: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
    const B: MacAddr = MacAddr([2, 0, 0, 0, 0, 2]);

    fn station(mac: MacAddr, failed: u32, peering: Option<PeerState>) -> StationInfo {
        StationInfo {
            mac,
            expected_throughput_kbit: Some(26_550),
            tx_bitrate_100kbit: Some(540),
            tx_failed: Some(failed),
            peering,
            ..StationInfo::default()
        }
    }

    const RATE: Station = Station::Rate { expected: Some(265), tx_bitrate: Some(540) };

    #[test]
    fn rates_losses_and_ends_of_stations() {
        let mut stations = Stations::default();
        assert_eq!(stations.take(&[station(A, 70, None)]), [(A, RATE)], "old losses are no news");
        let told = stations.take(&[station(A, 73, None), station(B, 0, None)]);
        assert_eq!(told, [(A, RATE), (A, Station::Failed(3)), (B, RATE)]);
        assert_eq!(stations.take(&[station(A, 1, None)]), [(A, RATE), (B, Station::Gone)], "A is counted anew");
        assert_eq!(stations.take(&[]), [(A, Station::Gone)]);
        assert_eq!(stations.take(&[]), []);
    }

    #[test]
    fn only_an_established_peering_counts() {
        let mut stations = Stations::default();
        assert_eq!(stations.take(&[station(A, 0, Some(PeerState::Opening))]), []);
        assert_eq!(stations.take(&[station(A, 0, Some(PeerState::Established))]), [(A, RATE)]);
        assert_eq!(stations.take(&[station(A, 0, Some(PeerState::Closing))]), [(A, Station::Gone)]);
    }

    #[test]
    fn interfaces_of_the_owner_beside_the_mesh() {
        let interface = |ifindex, wiphy, kind| RadioInterface {
            ifindex,
            name: format!("wlan{ifindex}"),
            wiphy,
            kind,
            mac: A,
            freq: Some(2412),
            width: None,
            center_freq: None,
            ssid: None,
        };
        let all = [
            interface(1, 0, Kind::MeshPoint),
            interface(2, 0, Kind::AccessPoint),
            interface(3, 0, Kind::AccessPoint),
            interface(4, 0, Kind::Station),
            interface(5, 0, Kind::AdHoc),
            interface(6, 1, Kind::AccessPoint),
            interface(7, 2, Kind::MeshPoint),
        ];
        let others = |gateway| Others { not_owners: vec![3], gateway };
        let found = others(false).of_radio(1, &[1, 7], &all);
        assert_eq!(found, [(2, true), (3, false), (4, true), (5, false)], "the third is of guests");
        assert!(others(true).of_radio(1, &[1, 7], &all).contains(&(4, false)), "the line to the Internet");
        assert!(others(true).of_radio(1, &[1, 2, 7], &all).is_empty(), "the second carries the mesh");
        assert!(others(false).of_radio(7, &[1, 7], &all).is_empty(), "alone on its radio");
        assert!(others(false).of_radio(9, &[1, 7], &all).is_empty(), "gone");
    }

    #[test]
    fn a_wire_is_told_once() {
        let (report, mut reports) = mpsc::channel(8);
        let (order, orders) = channel();
        let target = Target { id: LinkId(4), ifindex: 1, name: "lo".to_owned(), wifi: false, blind: false };
        order.send(Order::Follow(vec![target.clone()], Others::default())).unwrap();
        order.send(Order::Follow(vec![target], Others::default())).unwrap();
        drop(order);
        Reader::new(report).run(&orders);
        let first = reports.try_recv().unwrap();
        assert_eq!((first.id, first.ifindex, first.inputs.len()), (LinkId(4), 1, 1));
        let silent = LinkSpeed { throughput: None, full_duplex: true };
        assert!(matches!(first.inputs[0], Input::LinkSpeed(LinkId(4), s) if s == silent), "a loopback has no speed");
        assert!(reports.try_recv().unwrap().inputs.is_empty());
    }
}
