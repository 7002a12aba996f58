//! Fast reaction to a neighbour that is gone.
//!
//! Whoever is on the other side of a dead link learns of it only by silence, and the protocol
//! gives silence a long time. Here a neighbour is left as soon as what is known of its own rhythm
//! and losses makes an accident unlikely (one in a million): `rhythm` knows both, `probe` asks
//! quickly while frames flow, `lost` tells Meshwork neighbours of a broken way and takes in their
//! answers. `courtesy` asks them for air. Kernel nodes see echo requests and nothing else.
//!
//! Wakes: one timer while frames flow, the worker once a second, news of the system. Emits: echo
//! requests, Meshwork messages, forwarding table changes, events.

mod courtesy;
mod lost;
mod probe;
mod rhythm;

pub(crate) use courtesy::Courtesy;
pub(crate) use lost::Losses;
pub(crate) use probe::Prober;
pub(crate) use rhythm::Rhythm;

use crate::border::Event;
use crate::config::{Algorithm, LinkId};
use crate::fib::{NextHop, Table};
use crate::mesh::Mesh;
use crate::originator::Originator;
use crate::time::{Duration, Instant};
use alloc::vec::Vec;
use packet::MacAddr;
use packet::consts::{THROUGHPUT_MAX, TQ_MAX};

/// Evidence for death that is believed, in bits: an accident is rarer than one in 2^20.
pub(crate) const BELIEVED: u32 = 20 * FRACTION;
/// One bit of evidence.
pub(crate) const FRACTION: u32 = 16;

/// What is known of a neighbour's life.
#[derive(Debug, Default)]
pub(crate) struct Life {
    /// When the control side heard anything of it.
    pub(crate) heard: Instant,
    /// Its own OGMs or hellos.
    pub(crate) rhythm: Rhythm,
    pub(crate) prober: Prober,
    /// It was left.
    pub(crate) dead: bool,
    /// Times that it turned out to be alive.
    pub(crate) mistakes: u8,
}

impl Mesh {
    /// A frame of a neighbour reached the control side: it lives.
    pub(crate) fn heard_from(&mut self, hop: NextHop, now: Instant) {
        let Some(n) = self.links.get_mut(&hop.link).and_then(|l| l.neighbors.get_mut(&hop.neigh)) else { return };
        n.life.heard = now;
        n.life.prober.alive();
        if core::mem::take(&mut n.life.dead) {
            n.life.mistakes = n.life.mistakes.saturating_add(1);
            self.event(Event::NeighborBack { link: hop.link, neigh: hop.neigh });
        }
    }

    /// A neighbour spoke for itself; `interval` is what it says of its rhythm.
    pub(crate) fn note_beat(&mut self, hop: NextHop, seqno: u32, interval: Option<Duration>, now: Instant) {
        if let Some(n) = self.links.get_mut(&hop.link).and_then(|l| l.neighbors.get_mut(&hop.neigh)) {
            n.life.rhythm.beat(seqno, interval, now);
        }
    }

    /// A hard interface goes down: all its neighbours are left.
    pub(crate) fn leave_link(&mut self, id: LinkId, now: Instant) {
        let mut lost = self.leave_neighbors(id);
        if self.primary == Some(id) {
            // Our name goes with it; nobody shall look for us under the old one.
            lost.push(self.own_orig());
        }
        self.tell_lost(&lost, None, now);
    }

    /// The cable is out of a hard interface. Unlike one that goes down it keeps its tables, and the
    /// node its name: the next frame over it brings its sender back. The kernel module does nothing.
    pub(crate) fn carrier_lost(&mut self, id: LinkId, now: Instant) {
        let Some(link) = self.links.get(&id) else { return };
        let near: Vec<MacAddr> = link.neighbors.iter().filter(|(_, n)| !n.life.dead).map(|(mac, _)| *mac).collect();
        let lost = self.leave_neighbors(id);
        for neigh in near {
            self.event(Event::NeighborSilent { link: id, neigh });
        }
        self.tell_lost(&lost, None, now);
    }

    /// Leaves all neighbours on a hard interface. Returns the originators that got lost, each once.
    fn leave_neighbors(&mut self, id: LinkId) -> Vec<MacAddr> {
        let Some(link) = self.links.get_mut(&id) else { return Vec::new() };
        let hops: Vec<NextHop> = link.neighbors.keys().map(|mac| NextHop { link: id, neigh: *mac }).collect();
        // All first, so that none is the other way of another one.
        for n in link.neighbors.values_mut() {
            n.life.dead = true;
            n.life.prober.stop();
        }
        let origs: Vec<MacAddr> = self.originators.keys().copied().collect();
        let mut lost: Vec<MacAddr> = hops.iter().flat_map(|&hop| self.leave_ways(hop, &origs)).collect();
        lost.sort_unstable();
        lost.dedup();
        lost
    }

    /// True if a neighbour was left and not heard since.
    pub(crate) fn is_dead(&self, hop: NextHop) -> bool {
        self.links.get(&hop.link).and_then(|l| l.neighbors.get(&hop.neigh)).is_some_and(|n| n.life.dead)
    }

    /// Leaves neighbours that missed more of their own rhythm than their losses explain.
    pub(crate) fn leave_silent_neighbors(&mut self, now: Instant) {
        let silent = |n: &crate::link::Neighbor| !n.life.dead && n.life.rhythm.silence(now) >= BELIEVED;
        let gone: Vec<NextHop> = self
            .links
            .values()
            .flat_map(|l| l.neighbors.iter().map(move |(mac, n)| (NextHop { link: l.id, neigh: *mac }, n)))
            .filter(|(hop, n)| silent(n) && self.leads_somewhere(*hop))
            .map(|(hop, _)| hop)
            .collect();
        for hop in gone {
            self.leave_neighbor(hop, now);
        }
    }

    fn leads_somewhere(&self, hop: NextHop) -> bool {
        self.originators.values().any(|o| self.tables.iter().any(|&t| o.router(t) == Some(hop)))
    }

    /// A neighbour is gone: its ways are left at once and are no ways until it is heard again.
    pub(crate) fn leave_neighbor(&mut self, hop: NextHop, now: Instant) {
        let Some(n) = self.links.get_mut(&hop.link).and_then(|l| l.neighbors.get_mut(&hop.neigh)) else { return };
        if core::mem::replace(&mut n.life.dead, true) {
            return;
        }
        n.life.prober.stop();
        self.event(Event::NeighborSilent { link: hop.link, neigh: hop.neigh });
        let origs: Vec<MacAddr> = self.originators.keys().copied().collect();
        let lost = self.leave_ways(hop, &origs);
        self.tell_lost(&lost, Some(hop), now);
    }

    /// Takes the ways through `hop` to these originators for dead. Returns those whose traffic has
    /// nowhere to go from here that surely leads on.
    pub(super) fn leave_ways(&mut self, hop: NextHop, origs: &[MacAddr]) -> Vec<MacAddr> {
        let mut lost = Vec::new();
        for &orig in origs {
            let tables = self.tables.clone();
            let own = self.announced(orig);
            let Some(o) = self.originators.get_mut(&orig) else { continue };
            let Some(way) = o.ways.iter_mut().find(|w| w.hop == hop) else { continue };
            way.fail();
            let Some(o) = self.originators.get(&orig) else { continue };
            let mut moves = Vec::new();
            let mut stuck = false;
            for &table in tables.iter().filter(|&&t| o.router(t) == Some(hop)) {
                // Whoever is closer than we are does not come back through us.
                let closer = self.best_way(o, table, |announced| announced > own);
                stuck |= closer.is_none();
                if let Some(other) = closer.or_else(|| self.best_way(o, table, |_| true)) {
                    moves.push((table, other));
                }
            }
            for (table, other) in moves {
                self.set_route(orig, table, Some(other));
            }
            if stuck {
                lost.push(orig);
            }
        }
        lost
    }

    pub(crate) fn best_way(&self, o: &Originator, table: Table, fits: impl Fn(u32) -> bool) -> Option<NextHop> {
        let usable = o.ways.iter().filter(|w| w.metric(table) > 0 && fits(w.announced) && !self.is_dead(w.hop));
        usable.max_by_key(|w| w.metric(table)).map(|w| w.hop)
    }

    /// What our OGMs say of an originator, by the default table; 0 without a way.
    pub(crate) fn announced(&self, orig: MacAddr) -> u32 {
        less_penalty(self.originators.get(&orig).map_or(0, |o| o.metric(Table::Host)), self.cfg.hop_penalty)
    }

    /// What an OGM that leaves an interface says where its table has this metric.
    pub(crate) fn offered(&self, metric: u32, via: NextHop, from: LinkId, now: Instant) -> u32 {
        match self.algorithm {
            Algorithm::Iv => less_penalty(metric, self.relay_penalty(via.link, from)),
            // Our penalty is taken off already, see `v::receive`.
            Algorithm::V => self.spare_throughput(metric, via, from, now),
        }
    }

    /// What a node says of itself.
    pub(crate) const fn best_metric(&self) -> u32 {
        match self.algorithm {
            Algorithm::Iv => TQ_MAX as u32,
            Algorithm::V => THROUGHPUT_MAX,
        }
    }

    /// A Meshwork neighbour offers a way.
    pub(crate) fn take_offer(&mut self, orig: MacAddr, hop: NextHop, metric: u32, now: Instant) {
        if !self.originators.contains_key(&orig) {
            return;
        }
        match self.algorithm {
            Algorithm::Iv => self.take_offer_iv(orig, hop, metric.min(TQ_MAX.into()) as u8, now),
            Algorithm::V => self.take_offer_v(orig, hop, metric, now),
        }
    }
}

fn less_penalty(metric: u32, penalty: u8) -> u32 {
    let keep = u64::from(255 - u32::from(penalty));
    // Not more than before.
    (u64::from(metric) * keep / 255) as u32
}

/// The logarithm to base 2 of 1 in `odds`, in [`FRACTION`]s of a bit, rounded down.
pub(crate) const fn bits(odds: u32) -> u32 {
    if odds <= 1 {
        return 0;
    }
    let whole = odds.ilog2();
    // Linear between powers of two; at most a tenth of a bit below.
    whole * FRACTION + (((odds as u64 * FRACTION as u64) >> whole) as u32 - FRACTION)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms() {
        assert_eq!([1, 2, 4, 1 << 20].map(bits), [0, 16, 32, 320]);
        assert_eq!(bits(3), 24, "1.58 bits, taken as 1.5");
        assert_eq!(bits(0), 0);
    }
}
