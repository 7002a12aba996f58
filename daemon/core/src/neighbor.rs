//! Neighbours, originators and next hops: what both algorithms do with them alike.

use crate::border::{Event, Output};
use crate::config::Algorithm;
use crate::counters::Drop;
use crate::fib::{FibChange, NextHop, Table};
use crate::link::{Bucket, Neighbor};
use crate::mesh::Mesh;
use crate::originator::{Originator, table_index};
use crate::time::Instant;
use crate::window::{WINDOW, Watch};
use alloc::vec::Vec;
use packet::MacAddr;

/// Neighbours remembered per originator.
pub(crate) const WAYS: usize = 32;
/// Unknown originators that one neighbour may bring at once, and per second after that.
const NEW_ORIGINATORS: (u32, u32) = (512, 32);
/// Link-sensing OGMs taken from one neighbour at once, and per second after that.
const SENSES: (u32, u32) = (20, 11);
/// Messages about broken ways taken from one neighbour at once, and per second after that.
const NEWS: (u32, u32) = (64, 16);
/// Questions whether frames arrive that are answered when they come through one neighbour, at once
/// and per second after that: a node in doubt asks five in a second.
const QUESTIONS: (u32, u32) = (100, 50);
/// What losses of one neighbour may cost us at once, and per second after that; one message that
/// takes a way from us costs [`LOSS`]. Its next OGM gives the way back, so whoever lies in a
/// neighbour's name spoils one second in four.
const LOSSES: (u32, u32) = (64, 1);
/// See [`LOSSES`]: 16 at once, then one in four seconds.
pub(crate) const LOSS: u32 = 4;
/// A client table outlives the last way to its node by so many runs of the worker, one a second:
/// another way may be found.
const ORPHAN: u8 = 3;

impl Mesh {
    /// A neighbour's own OGM or hello was heard. True if it was unknown.
    pub(crate) fn note_neighbor(&mut self, hop: NextHop, now: Instant) -> Result<bool, Drop> {
        let cap = self.cfg.caps.neighbors;
        let link = self.links.get_mut(&hop.link).ok_or(Drop::LinkDown)?;
        if let Some(n) = link.neighbors.get_mut(&hop.neigh) {
            n.last_seen = now;
            return Ok(false);
        }
        if !link.newcomers.take(now) {
            return Err(Drop::OriginatorRate);
        }
        if link.neighbors.len() >= cap {
            // Whoever never echoed us (IV) or said hello (V) is missed least; then whoever was silent longest.
            let worst =
                link.neighbors.iter().min_by_key(|(_, n)| (n.echoes.count(), n.v.last_elp.is_some(), n.last_seen));
            let Some(worst) = worst.map(|(mac, _)| *mac) else { return Err(Drop::OriginatorsFull) };
            link.neighbors.remove(&worst);
        }
        let (burst, rate) = NEW_ORIGINATORS;
        link.neighbors.insert(
            hop.neigh,
            Neighbor {
                last_seen: now,
                originator: None,
                meshwork: false,
                echoes: Watch::default(),
                senses: Bucket::new(SENSES.0, SENSES.1, now),
                originators: Bucket::new(burst, rate, now),
                news: Bucket::new(NEWS.0, NEWS.1, now),
                losses: Bucket::new(LOSSES.0, LOSSES.1, now),
                doubt: crate::alarm::Doubt::default(),
                questions: Bucket::new(QUESTIONS.0, QUESTIONS.1, now),
                life: crate::react::Life { heard: now, ..Default::default() },
                v: crate::v::NeighborState::default(),
            },
        );
        self.introduce_again();
        self.event(Event::NeighborNew { link: hop.link, neigh: hop.neigh });
        Ok(true)
    }

    /// Makes sure that the originator has a record. Source: "Pitfalls" B 4.
    pub(crate) fn note_originator(
        &mut self,
        orig: MacAddr,
        hop: NextHop,
        direct: bool,
        now: Instant,
    ) -> Result<(), Drop> {
        if self.originators.contains_key(&orig) {
            return Ok(());
        }
        if !direct {
            let n = self.links.get_mut(&hop.link).and_then(|l| l.neighbors.get_mut(&hop.neigh));
            if !n.is_some_and(|n| n.originators.take(now)) {
                return Err(Drop::OriginatorRate);
            }
        }
        if self.originators.len() >= self.cfg.caps.originators {
            let Some(worst) = self.least_missed_originator() else {
                self.table_full("originators", now);
                return Err(Drop::OriginatorsFull);
            };
            self.remove_originator(worst);
        }
        self.originators.insert(orig, Originator::new(now));
        self.out.push_back(Output::Fib(FibChange::Originator { orig, ttvn: 0 }));
        Ok(())
    }

    /// The record to give up when the table is full: never a neighbour that echoes us or a next
    /// hop in use, else whoever sent the fewest OGMs.
    fn least_missed_originator(&self) -> Option<MacAddr> {
        let kept = |mac: &MacAddr| {
            let mut near = self.links.values().flat_map(|l| &l.neighbors);
            near.any(|(addr, n)| match self.algorithm {
                Algorithm::Iv => addr == mac && n.echoes.count() > 0,
                Algorithm::V => n.originator == Some(*mac),
            })
        };
        self.originators
            .iter()
            .filter(|(mac, _)| !kept(mac))
            .min_by_key(|(_, o)| (o.accepted, o.last_seen))
            .filter(|(_, o)| o.accepted < WINDOW)
            .map(|(mac, _)| *mac)
    }

    /// True if a neighbour said that it runs Meshwork: by link sensing, or in its OGMs.
    pub(crate) fn runs_meshwork(&self, hop: NextHop) -> bool {
        let Some(n) = self.links.get(&hop.link).and_then(|l| l.neighbors.get(&hop.neigh)) else { return false };
        let orig = n.originator.unwrap_or(hop.neigh);
        n.meshwork || self.originators.get(&orig).is_some_and(|o| o.features.meshwork.is_some())
    }

    /// Sets or removes a next hop and says so. Losing the way of the default table also loses the
    /// clients behind it. Source: "Translation table" section 6.
    pub(crate) fn set_route(&mut self, orig: MacAddr, table: Table, hop: Option<NextHop>) {
        let Some(o) = self.originators.get_mut(&orig) else { return };
        let had = o.router(table).is_some();
        if !o.set_router(table, hop) {
            return;
        }
        self.out.push_back(Output::Fib(FibChange::Route { orig, table, next: hop }));
        if self.cfg.bonding {
            self.refresh_bond(orig);
        }
        if let Some(hop) = hop {
            self.watch_neighbor(hop);
        }
        if table_index(table) != 0 {
            return;
        }
        match (had, hop.is_some()) {
            (false, true) if self.orphans.remove(&orig).is_none() => self.event(Event::OriginatorNew(orig)),
            // Not more than there are originators.
            (true, false) => {
                self.orphans.insert(orig, ORPHAN);
            }
            _ => {}
        }
    }

    /// Gives up the clients of originators to which no other way was found in time.
    pub(crate) fn forget_orphans(&mut self) {
        for left in self.orphans.values_mut() {
            *left = left.saturating_sub(1);
        }
        let late: Vec<MacAddr> = self.orphans.iter().filter(|(_, left)| **left == 0).map(|(orig, _)| *orig).collect();
        for orig in late {
            self.forget_orphan(orig);
        }
    }

    /// Gives up the clients of an originator without a way.
    pub(crate) fn forget_orphan(&mut self, orig: MacAddr) {
        if self.orphans.remove(&orig).is_some() {
            self.event(Event::OriginatorGone(orig));
            self.forget_clients_of(orig);
        }
    }
}
