//! How fast the hard interfaces are, as their drivers say.
//!
//! ```text
//!  main loop ──Order──▶ reader thread ── ethtool, nl80211
//!      ▲ ▲                   │
//!      │ └──────Report───────┘
//!      └── news of stations (nl80211, group "mlme")
//! ```
//! Drivers are asked in a thread of their own: some ask their firmware or a bus before they
//! answer, or wait for a lock that a scan holds, and frames cannot wait for that.

mod reader;

use crate::nl80211::news::What;
use crate::nl80211::{News, RadioNews};
use mesh_core::sorted::SortedMap;
use mesh_core::{Input, LinkId, Station};
use packet::MacAddr;
use reader::Reader;
use std::sync::mpsc::{Sender, channel};
use std::task::{Context, Poll};
use tokio::sync::mpsc;

/// Reports that may wait for the main loop; more are not needed, the next one is newer.
const REPORTS: usize = 64;
/// The reader keeps nothing large on its stack; its buffers are on the heap.
const STACK: usize = 128 * 1024;

/// A hard interface to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) id: LinkId,
    pub(super) ifindex: u32,
    pub(super) name: String,
    pub(super) wifi: bool,
    /// Its driver cannot know how fast it is.
    pub(super) blind: bool,
}

/// What is known of interfaces that are no hard interfaces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Others {
    /// Numbers of those that are not the owner's: they are for guests, or in another mesh.
    pub(super) not_owners: Vec<u32>,
    /// This node offers a way to the Internet.
    pub(super) gateway: bool,
}

/// What the main loop tells the reader.
#[derive(Debug, PartialEq, Eq)]
enum Order {
    /// Read these from now on, and at once.
    Follow(Vec<Target>, Others),
    /// Read the stations of this radio at once.
    Now { radio: u32 },
    /// The main loop knows that this station is gone.
    Forget { radio: u32, mac: MacAddr },
}

/// What was read about one hard interface.
#[derive(Debug)]
struct Report {
    id: LinkId,
    ifindex: u32,
    /// Number of the radio's interface, which a VLAN stands on.
    radio: Option<u32>,
    /// Share of the time that the radio's channel is busy, in percent, when it was just read.
    busy_percent: Option<u8>,
    /// How much of the radio's time its owner took beside the mesh, in thousandths, when it was just looked at.
    air: Option<u32>,
    inputs: Vec<Input>,
}

/// The main loop's side.
#[derive(Default)]
pub(super) struct Readings {
    started: bool,
    targets: Vec<Target>,
    others: Others,
    orders: Option<Sender<Order>>,
    reports: Option<mpsc::Receiver<Report>>,
    news: Option<RadioNews>,
    heard: Vec<News>,
    /// Hard interfaces by the number of the radio's interface under them.
    radios: SortedMap<u32, LinkId>,
    inputs: Vec<Input>,
    /// How busy the channels of radios are, in percent.
    busy: SortedMap<LinkId, u8>,
    /// How much of their time the owner takes beside the mesh, in thousandths.
    air: SortedMap<LinkId, u32>,
}

impl Readings {
    /// Reads from now on; before, [`Self::follow`] only notes what to read. The reader inherits
    /// the rights of the caller.
    pub(super) fn start(&mut self) {
        self.started = true;
        self.order();
    }

    /// Reads these hard interfaces, at once and from now on.
    pub(super) fn follow(&mut self, targets: impl Iterator<Item = Target>, others: Others) {
        (self.targets, self.others) = (targets.collect(), others);
        self.radios.retain(|_, id| self.targets.iter().any(|t| t.id == *id));
        self.busy.retain(|id, _| self.targets.iter().any(|t| t.id == *id));
        self.air.retain(|id, _| self.targets.iter().any(|t| t.id == *id));
        self.order();
    }

    fn order(&mut self) {
        if !self.started || (self.targets.is_empty() && self.orders.is_none()) {
            return;
        }
        if self.orders.is_none() {
            let (order, orders) = channel();
            let (report, reports) = mpsc::channel(REPORTS);
            let thread = std::thread::Builder::new().name("readings".to_owned()).stack_size(STACK);
            match thread.spawn(move || Reader::new(report).run(&orders)) {
                Ok(_) => (self.orders, self.reports) = (Some(order), Some(reports)),
                Err(e) => tracing::warn!(error = %e, "no thread to read the speed of links in; it stays unknown"),
            }
        }
        if self.news.is_none() && self.targets.iter().any(|t| t.wifi) {
            // Not there: no driver for nl80211 is loaded, or none yet.
            self.news = crate::nl80211::open().and_then(|socket| RadioNews::open(&socket)).ok();
        }
        self.tell(Order::Follow(self.targets.clone(), self.others.clone()));
    }

    fn tell(&self, order: Order) {
        if let Some(orders) = &self.orders {
            // The reader ends only when this end does.
            let _ = orders.send(order);
        }
    }

    /// Ready when there is something for [`Self::take`]; the task is woken when there is.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(news) = &mut self.news
            && news.poll(cx, &mut self.heard).is_ready()
        {
            for news in std::mem::take(&mut self.heard) {
                self.hear(news);
            }
        }
        if let Some(reports) = &mut self.reports {
            while let Poll::Ready(Some(report)) = reports.poll_recv(cx) {
                // Another interface may have taken the number since.
                if !self.targets.iter().any(|t| t.id == report.id && t.ifindex == report.ifindex) {
                    continue;
                }
                if let Some(radio) = report.radio {
                    self.radios.insert(radio, report.id);
                }
                if let Some(percent) = report.busy_percent {
                    self.busy.insert(report.id, percent);
                }
                if let Some(air) = report.air {
                    self.air.insert(report.id, air);
                }
                self.inputs.extend(report.inputs);
            }
        }
        if self.inputs.is_empty() { Poll::Pending } else { Poll::Ready(()) }
    }

    fn hear(&mut self, News { ifindex: radio, mac, what }: News) {
        let Some(id) = self.radios.get(&radio) else { return };
        match what {
            What::Gone => {
                self.inputs.push(Input::Station(*id, mac, Station::Gone));
                self.tell(Order::Forget { radio, mac });
            }
            // Its rate, and how much was lost, are read now and not at the next turn.
            What::New | What::Lost(_) => self.tell(Order::Now { radio }),
        }
    }

    /// Names of radios, and for how much of the time their channels are busy, in percent.
    pub(super) fn busy(&self) -> Vec<(String, u8)> {
        let named = |t: &Target| Some((t.name.clone(), *self.busy.get(&t.id)?));
        self.targets.iter().filter_map(named).collect()
    }

    /// How much of a hard interface's time its owner takes beside the mesh, in thousandths.
    pub(super) fn air(&self, id: LinkId) -> u32 {
        self.air.get(&id).copied().unwrap_or(0)
    }

    /// What was read and heard, for the core.
    pub(super) fn take(&mut self) -> Vec<Input> {
        std::mem::take(&mut self.inputs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_station_that_leaves_is_told_at_once() {
        let mac = MacAddr([2, 0, 0, 0, 0, 9]);
        let (orders, told) = channel();
        let mut readings = Readings { orders: Some(orders), ..Readings::default() };
        readings.radios.insert(7, LinkId(3));
        readings.hear(News { ifindex: 7, mac, what: What::Gone });
        readings.hear(News { ifindex: 7, mac, what: What::Lost(50) });
        readings.hear(News { ifindex: 8, mac, what: What::Gone });
        let inputs = readings.take();
        assert_eq!(inputs.len(), 1, "{inputs:?}");
        assert!(matches!(inputs[0], Input::Station(LinkId(3), m, Station::Gone) if m == mac));
        let orders: Vec<Order> = told.try_iter().collect();
        assert_eq!(orders, [Order::Forget { radio: 7, mac }, Order::Now { radio: 7 }]);
    }

    #[test]
    fn nothing_is_read_before_the_start() {
        let mut readings = Readings::default();
        let target = Target { id: LinkId(0), ifindex: 1, name: "lo".to_owned(), wifi: false, blind: false };
        readings.follow([target].into_iter(), Others::default());
        assert!(readings.orders.is_none());
    }
}
