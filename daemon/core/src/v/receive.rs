//! Received OGMs: ranking and forwarding, per table. Source: "B.A.T.M.A.N. V" section 4.

use super::{Heard, Offer};
use crate::config::LinkId;
use crate::counters::{Count, Drop};
use crate::fib::{NextHop, Table};
use crate::frame::Frame;
use crate::mesh::Mesh;
use crate::neighbor::WAYS;
use crate::originator::{Way, table_index};
use crate::react::{FRACTION, bits};
use crate::time::Instant;
use crate::verify::lessened;
use crate::window::{WINDOW, distance, is_jump};
use packet::MacAddr;
use packet::consts::TTL;
use packet::eth::EthHeader;
use packet::ogm2::{Ogm2, Ogm2Header, Ogm2s};
use zerocopy::IntoBytes;

/// A way with a worse throughput is taken over one that missed so many OGMs ...
pub(super) const OUTDATED: i32 = 5;
/// ... or up to so many, where what it loses anyway makes five in a row no surprise: they have to be
/// rarer than one in 2^10.
const OUTDATED_LOSSY: i32 = 8;
const SURPRISE: u32 = 10 * FRACTION;
/// Throughputs up to this are not halved any more.
const HALVE_ABOVE: u32 = 10;
/// The largest penalty.
const PENALTY_MAX: u32 = 255;

impl Mesh {
    /// Takes a frame of OGMs in.
    pub(crate) fn receive_ogm2s(&mut self, link: LinkId, frame: &Frame, now: Instant) -> Result<(), Drop> {
        let (eth, packet) = EthHeader::parse(frame.bytes()).map_err(|_| Drop::Short)?;
        if !eth.dst.is_broadcast() || !eth.src.is_unicast() {
            return Err(Drop::BadAddress);
        }
        if packet.len() < Ogm2Header::LEN {
            return Err(Drop::Short);
        }
        let hop = NextHop { link, neigh: eth.src };
        if self.is_own(eth.src) {
            for ogm in Ogm2s::new(packet) {
                self.doubt_own_ogm2(hop, ogm.header, now);
            }
            return Err(Drop::OwnSource);
        }
        self.counters.frame(Count::MgmtRx, frame.len());
        for ogm in Ogm2s::new(packet) {
            if let Err(why) = self.receive_ogm2(hop, ogm, now) {
                self.counters.drop(why);
            }
        }
        Ok(())
    }

    fn receive_ogm2(&mut self, hop: NextHop, ogm: Ogm2<'_>, now: Instant) -> Result<(), Drop> {
        let h = ogm.header;
        if self.is_own(h.orig) {
            self.doubt_own_ogm2(hop, h, now);
            return Err(Drop::OwnOgm);
        }
        if !h.orig.is_unicast() {
            return Err(Drop::BadAddress);
        }
        if h.throughput.get() == 0 {
            return Err(Drop::ZeroThroughput);
        }
        let neighbor = self.links.get(&hop.link).and_then(|l| l.neighbors.get(&hop.neigh));
        let neighbor = neighbor.filter(|n| n.v.last_elp.is_some()).ok_or(Drop::NoHello)?;
        let sender = neighbor.originator;
        let path = neighbor.v.rate.throughput().min(h.throughput.get());
        self.note_originator(h.orig, hop, sender == Some(h.orig), now)?;
        if sender != Some(h.orig) {
            self.doubt_throughput(h.orig, hop, h.throughput.get(), now);
        }
        let steady = self.steady_hop(h.orig, now);
        for i in 0..self.tables.len() {
            let Some(&table) = self.tables.get(i) else { break };
            if let Table::Link(out) = table
                && self.is_idle_direction(out, h.orig, sender)
            {
                continue;
            }
            let done = self.process_ogm2(hop, &ogm, table, path, steady, now);
            if table == Table::Host {
                done?;
            }
        }
        Ok(())
    }

    /// An OGM in our name came from elsewhere.
    fn doubt_own_ogm2(&mut self, hop: NextHop, h: &Ogm2Header, now: Instant) {
        if h.orig == self.own_orig() {
            self.doubt_own(h.orig, self.v.seqno, h.seqno.get(), hop, now);
        }
    }

    /// True if nobody behind the interface can need the OGM.
    fn is_idle_direction(&self, out: LinkId, orig: MacAddr, sender: Option<MacAddr>) -> bool {
        let Some(link) = self.links.get(&out) else { return true };
        let mut neighbors = link.neighbors.values();
        match (neighbors.next(), neighbors.next()) {
            (None, _) => true,
            (Some(n), None) => n.originator.is_some() && (n.originator == Some(orig) || n.originator == sender),
            _ => false,
        }
    }

    fn process_ogm2(
        &mut self,
        hop: NextHop,
        ogm: &Ogm2<'_>,
        table: Table,
        path: u32,
        steady: Option<NextHop>,
        now: Instant,
    ) -> Result<(), Drop> {
        let h = ogm.header;
        let (seqno, ttl) = (h.seqno.get(), h.ttl.min(TTL));
        let throughput = self.penalized(path, hop.link, table);
        let i = table_index(table);
        let o = self.originators.get_mut(&h.orig).ok_or(Drop::UnknownOriginator)?;
        if o.v.len() <= i {
            o.v.resize(i + 1, Heard::default());
        }
        let known = o.v.get(i).copied().unwrap_or_default();
        let mut guard = known.guard;
        let newer = match known.last {
            None => true,
            Some(last) => {
                let diff = distance(last, seqno);
                // As under IV: a number far away is believed where we hear the originator best.
                let elsewhere = diff.unsigned_abs() >= WINDOW && steady.is_some_and(|s| s != hop);
                if elsewhere || guard.refuses(diff, now) {
                    if table == Table::Host {
                        self.doubt_numbers(h.orig, hop, now);
                    }
                    return Err(Drop::SeqnoProtected);
                }
                if diff < 0 && !is_jump(diff) {
                    // Late, unless it is news to this neighbour too.
                    let news = o.way(hop).and_then(|w| w.offers.get(i)).is_some_and(|f| distance(f.seqno, seqno) > 0);
                    if table == Table::Host && news && self.is_far_behind(diff) {
                        self.doubt_numbers(h.orig, hop, now);
                    }
                    return Err(Drop::OldOgm);
                }
                diff != 0
            }
        };
        if let Some(heard) = o.v.get_mut(i) {
            (heard.guard, heard.last) = (guard, Some(seqno));
        }
        o.last_seen = now;
        o.last_ttl = ttl;
        let way = o.way_mut(hop, WAYS, now);
        way.last_seen = now;
        way.announced = h.throughput.get();
        if way.offers.len() <= i {
            way.offers.resize(i + 1, Offer::default());
        }
        if let Some(offer) = way.offers.get_mut(i) {
            *offer = Offer { throughput, seqno };
        }
        if table == Table::Host {
            let diff = known.last.map_or(1, |last| distance(last, seqno));
            for way in &mut o.ways {
                way.heard.slide(diff, way.hop == hop);
            }
        }
        if table == Table::Host && newer {
            o.accepted = o.accepted.saturating_add(1);
            o.last_seqno = Some(seqno);
            self.receive_tvlvs(h.orig, ogm.tvlvs, now);
        }
        self.choose_v(h.orig, hop, table, throughput);
        if let Table::Link(out) = table {
            self.forward_ogm2(hop, ogm, out, throughput, ttl, now);
        }
        Ok(())
    }

    /// Takes an offer of a Meshwork neighbour in as if an OGM had brought it, its number the newest.
    pub(crate) fn take_offer_v(&mut self, orig: MacAddr, hop: NextHop, throughput: u32, now: Instant) {
        let neighbor = self.links.get(&hop.link).and_then(|l| l.neighbors.get(&hop.neigh));
        let Some(path) = neighbor.map(|n| n.v.rate.throughput().min(throughput)) else { return };
        for i in 0..self.tables.len() {
            let Some(&table) = self.tables.get(i) else { break };
            let throughput = self.penalized(path, hop.link, table);
            let i = table_index(table);
            let Some(o) = self.originators.get_mut(&orig) else { return };
            let Some(seqno) = o.v.get(i).and_then(|h| h.last) else { continue };
            let way = o.way_mut(hop, WAYS, now);
            if way.offers.len() <= i {
                way.offers.resize(i + 1, Offer::default());
            }
            if let Some(offer) = way.offers.get_mut(i) {
                *offer = Offer { throughput, seqno };
            }
            self.choose_v(orig, hop, table, throughput);
        }
    }

    /// Takes a way if it beats the one in use. Source: section 4, step 3.
    fn choose_v(&mut self, orig: MacAddr, hop: NextHop, table: Table, throughput: u32) {
        let Some(o) = self.originators.get(&orig) else { return };
        // The kernel takes a way that carries nothing where it knows no other one.
        if throughput == 0 {
            return;
        }
        let offer = |hop| {
            let way = o.way(hop)?;
            Some(Offer { throughput: way.throughput(table), ..*way.offers.get(table_index(table))? })
        };
        let offer = |hop| offer(hop).unwrap_or_default();
        if let Some(router) = o.router(table) {
            if router == hop {
                return;
            }
            let (new, old) = (offer(hop), offer(router));
            let missed = distance(old.seqno, new.seqno);
            let patience = o.way(router).map_or(OUTDATED, |way| self.patience(way, missed));
            if missed < patience && new.throughput <= old.throughput {
                return;
            }
        }
        self.set_route(orig, table, Some(hop));
    }

    /// OGMs that a way may miss before a worse one is taken; it has missed the newest `missed`.
    fn patience(&self, way: &Way, missed: i32) -> i32 {
        let odds = way.heard.loss_odds(missed.max(0).unsigned_abs()).filter(|_| self.cfg.fast_start);
        let Some(odds) = odds else { return OUTDATED };
        let each = bits(odds).max(1);
        i32::try_from(SURPRISE.div_ceil(each)).unwrap_or(OUTDATED_LOSSY).clamp(OUTDATED, OUTDATED_LOSSY)
    }

    fn forward_ogm2(&mut self, hop: NextHop, ogm: &Ogm2<'_>, out: LinkId, throughput: u32, ttl: u8, now: Instant) {
        let h = ogm.header;
        let table = Table::Link(out);
        let seqno = h.seqno.get();
        let Some(o) = self.originators.get_mut(&h.orig) else { return };
        let throughput = lessened(throughput, o.way(hop).and_then(|w| w.share));
        if o.router(table) != Some(hop) {
            return;
        }
        let Some(heard) = o.v.get_mut(table_index(table)) else { return };
        if heard.forwarded.replace(seqno) == Some(seqno) {
            return;
        }
        if ttl <= 1 || !self.gives {
            return;
        }
        let mut header = *h;
        header.ttl = ttl - 1;
        header.throughput = self.spare_throughput(throughput, hop, out, now).into();
        let mut bytes = header.as_bytes().to_vec();
        bytes.extend_from_slice(ogm.tvlvs);
        self.queue_ogm2(out, &bytes, now);
    }

    /// What is left of a throughput after our own hop. Source: section 4, "Penalty".
    fn penalized(&self, path: u32, from: LinkId, table: Table) -> u32 {
        let Some(link) = self.links.get(&from) else { return 0 };
        let own = keep(path, link.cfg.hop_penalty);
        match table {
            Table::Host => own,
            Table::Link(out) => {
                let half_duplex = link.cfg.wifi || !link.v.speed.full_duplex;
                if own > HALVE_ABOVE && out == from && half_duplex { own / 2 } else { keep(own, self.cfg.hop_penalty) }
            }
        }
    }
}

/// Takes a penalty of 255 off. Source: section 4; in 64 bits, the kernel's 32 wrap above
/// 1.6 Tbit/s.
fn keep(throughput: u32, penalty: u8) -> u32 {
    let kept = u64::from(throughput) * u64::from(PENALTY_MAX - u32::from(penalty)) / u64::from(PENALTY_MAX);
    // Not more than before.
    kept as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn penalty_vector() {
        // Seen on a running kernel: 100000 forwarded as 88235.
        assert_eq!(keep(100_000, 30), 88_235);
        assert_eq!(keep(u32::MAX, 0), u32::MAX);
        assert_eq!(keep(10, 255), 0);
    }
}
