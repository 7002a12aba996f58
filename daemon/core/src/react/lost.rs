//! A broken way is told to Meshwork neighbours at once, and they say whether they have another.
//!
//! B.A.T.M.A.N. cannot take back what it announced. So a node that lost its way tells those who may
//! send through it ([`say::LOST`]). A receiver drops its ways through the sender and takes another;
//! one that surely leads on it offers in return ([`say::HAVE`]), else it lost its way too and
//! passes the question on. An offer that settles a loss is passed to those who asked. What is
//! offered is what the last OGM that was heard says. All of it lives for a second or two: the next
//! OGMs say the rest.

use crate::border::Output;
use crate::config::LinkId;
use crate::counters::{Count, Drop};
use crate::fib::{NextHop, Table};
use crate::frame::Frame;
use crate::mesh::Mesh;
use crate::neighbor::LOSS;
use crate::sorted::SortedMap;
use crate::time::{Duration, Instant};
use alloc::vec::Vec;
use packet::MacAddr;
use packet::consts::{ETH_LEN, ETHERTYPE, TTL};
use packet::eth::EthHeader;
use packet::meshwork::{Entry, MessageHeader, say};
use zerocopy::IntoBytes;

/// A loss is news for so long.
const NEWS: Duration = Duration::from_millis(1500);
/// An unanswered loss is told again after this ...
const AGAIN: Duration = Duration::from_millis(40);
/// ... and so often in all. A loss that comes back as often while it is news stays as it is: the
/// originator itself is gone.
const TIMES: u8 = 3;
/// Losses remembered; beyond, they are left to the OGMs.
const MOST: usize = 1024;
/// Neighbours that wait for the same offer.
const MOST_ASKERS: usize = 16;

/// Ways that broke a moment ago.
#[derive(Debug, Default)]
pub(crate) struct Losses {
    list: SortedMap<MacAddr, Loss>,
}

#[derive(Debug)]
struct Loss {
    since: Instant,
    /// Told so often.
    told: u8,
    again: Instant,
    /// Another way was found.
    settled: bool,
    askers: Vec<NextHop>,
}

impl Losses {
    /// When the next loss is told again or forgotten.
    pub(crate) fn next(&self) -> Instant {
        let due = |l: &Loss| if l.settled || l.told >= TIMES { l.since + NEWS } else { l.again };
        self.list.values().map(due).min().unwrap_or(Instant::FAR_FUTURE)
    }
}

impl Mesh {
    /// Tells Meshwork neighbours, `but` one, that our ways to these originators broke.
    pub(crate) fn tell_lost(&mut self, origs: &[MacAddr], but: Option<NextHop>, now: Instant) {
        if !origs.is_empty() {
            self.ogm_queue.take_back(origs);
            self.take_back_ogm2s(origs);
        }
        let mut news = Vec::new();
        for &orig in origs {
            if !self.losses.list.contains_key(&orig) && self.losses.list.len() >= MOST {
                break;
            }
            let loss = self.losses.list.entry(orig).or_insert_with(|| Loss {
                since: now,
                told: 0,
                again: now,
                settled: false,
                askers: Vec::new(),
            });
            if loss.told < TIMES {
                loss.told += 1;
                loss.again = now + AGAIN;
                loss.settled = false;
                news.push((orig, 0));
            }
        }
        for hop in self.meshwork_neighbors() {
            if Some(hop) != but {
                self.say(hop, say::LOST, &news);
            }
        }
    }

    /// Tells again what nobody answered, forgets what is no news any more.
    pub(crate) fn run_losses(&mut self, now: Instant) {
        self.losses.list.retain(|_, l| now.since(l.since) < NEWS);
        let open = self.losses.list.iter().filter(|(_, l)| !l.settled && l.told < TIMES && l.again <= now);
        let open: Vec<MacAddr> = open.map(|(orig, _)| *orig).collect();
        if !open.is_empty() {
            self.tell_lost(&open, None, now);
        }
    }

    fn meshwork_neighbors(&self) -> Vec<NextHop> {
        let all =
            self.links.values().flat_map(|l| l.neighbors.keys().map(move |mac| NextHop { link: l.id, neigh: *mac }));
        all.filter(|&hop| self.runs_meshwork(hop) && !self.is_dead(hop)).collect()
    }

    /// Sends a message to a neighbour, in pieces if its list is long.
    fn say(&mut self, hop: NextHop, what: u8, list: &[(MacAddr, u32)]) {
        if list.is_empty() || !self.cfg.extensions {
            return;
        }
        let Some(link) = self.links.get(&hop.link) else { return };
        let room = link.cfg.mtu.saturating_sub(MessageHeader::LEN) / Entry::LEN;
        for part in list.chunks(room.clamp(1, 1000)) {
            self.say_one(hop, what, 0, part);
        }
    }

    /// One message with at most 1000 entries, which have to fit the link.
    pub(crate) fn say_one(&mut self, hop: NextHop, what: u8, number: u16, list: &[(MacAddr, u32)]) {
        let own = self.own_orig();
        let Some(link) = self.links.get(&hop.link) else { return };
        let eth = EthHeader { dst: hop.neigh, src: link.cfg.mac, ethertype: ETHERTYPE.into() };
        let header = MessageHeader::new(hop.neigh, own, TTL, what, number, list.len() as u16);
        let mut frame = Frame::zeroed(ETH_LEN);
        frame.bytes_mut().copy_from_slice(eth.as_bytes());
        frame.extend(header.as_bytes());
        for &(orig, metric) in list {
            frame.extend(Entry { orig, metric: metric.into() }.as_bytes());
        }
        frame.priority = 7;
        self.counters.add(Count::NewsTx, 1);
        self.out.push_back(Output::LinkTx(hop.link, frame));
    }

    /// A Meshwork message for us.
    pub(crate) fn receive_meshwork(&mut self, link: LinkId, frame: &Frame, now: Instant) -> Result<(), Drop> {
        let (eth, packet) = EthHeader::parse(frame.bytes()).map_err(|_| Drop::Short)?;
        let (header, list) = MessageHeader::parse(packet).map_err(|_| Drop::UnknownForUs)?;
        if !self.is_own(header.unicast.dest) {
            return Err(Drop::NotForUs);
        }
        // Who forwards takes one off what is at most this, so it is the neighbour's own word and
        // nobody's from further away. Source: RFC 5082.
        if header.unicast.ttl < TTL {
            return Err(Drop::Ttl);
        }
        let hop = NextHop { link, neigh: eth.src };
        if header.what() == say::YIELD && self.runs_meshwork(hop) {
            return self.receive_yield(hop, header.number.get(), now);
        }
        self.receive_news(hop, header.what(), list, now)
    }

    /// A message of a Meshwork neighbour about its ways.
    fn receive_news(&mut self, hop: NextHop, what: u8, list: &[Entry], now: Instant) -> Result<(), Drop> {
        if !self.runs_meshwork(hop) {
            return Err(Drop::NotMeshwork);
        }
        let n = self.links.get_mut(&hop.link).and_then(|l| l.neighbors.get_mut(&hop.neigh));
        if !n.is_some_and(|n| n.news.take(now)) {
            return Err(Drop::RateLimit);
        }
        self.counters.add(Count::NewsRx, 1);
        match what {
            say::LOST => self.receive_lost(hop, list, now),
            say::HAVE => {
                self.receive_have(hop, list, now);
                Ok(())
            }
            _ => Err(Drop::Unsupported),
        }
    }

    fn receive_lost(&mut self, hop: NextHop, list: &[Entry], now: Instant) -> Result<(), Drop> {
        let mut origs: Vec<MacAddr> = list.iter().map(|e| e.orig).filter(|o| !self.is_own(*o)).collect();
        origs.sort_unstable();
        origs.dedup();
        let alive = |o: &MacAddr| self.originators.get(o)?.way(hop).filter(|w| w.metric(Table::Host) > 0);
        if origs.iter().any(|o| alive(o).is_some()) {
            let n = self.links.get_mut(&hop.link).and_then(|l| l.neighbors.get_mut(&hop.neigh));
            if !n.is_some_and(|n| n.losses.take_many(LOSS, now)) {
                return Err(Drop::RateLimit);
            }
        }
        let lost = self.leave_ways(hop, &origs);
        self.tell_lost(&lost, Some(hop), now);
        let mut offers = Vec::new();
        for orig in origs {
            if let Some(loss) = self.losses.list.get_mut(&orig).filter(|l| !l.settled) {
                if loss.askers.len() < MOST_ASKERS && !loss.askers.contains(&hop) {
                    loss.askers.push(hop);
                }
                continue;
            }
            offers.extend(self.offer(orig, hop, now));
        }
        // We are the lost one, and here.
        for link in self.links.values().filter(|l| list.iter().any(|e| e.orig == l.cfg.mac)) {
            offers.push((link.cfg.mac, self.best_metric()));
        }
        self.say(hop, say::HAVE, &offers);
        Ok(())
    }

    /// What an OGM about an originator would say now if it left towards a neighbour.
    fn offer(&self, orig: MacAddr, to: NextHop, now: Instant) -> Option<(MacAddr, u32)> {
        let o = self.originators.get(&orig)?;
        let table = Table::Link(to.link);
        let via = o.router(table).filter(|&via| via != to && !self.is_dead(via))?;
        let metric = o.way(via).filter(|_| self.gives)?.metric(table);
        Some((orig, self.offered(metric, via, to.link, now))).filter(|(_, m)| *m > 0)
    }

    fn receive_have(&mut self, hop: NextHop, list: &[Entry], now: Instant) {
        for e in list {
            let orig = e.orig;
            let open = self.losses.list.get(&orig).is_some_and(|l| !l.settled);
            if !open || self.is_own(orig) || self.is_dead(hop) || e.metric.get() == 0 {
                continue;
            }
            self.take_offer(orig, hop, e.metric.get(), now);
            // It may be worse than what we guessed; then that one has to answer.
            if self.originators.get(&orig).and_then(|o| o.router(Table::Host)) != Some(hop) {
                continue;
            }
            let Some(loss) = self.losses.list.get_mut(&orig) else { continue };
            loss.settled = true;
            for asker in core::mem::take(&mut loss.askers) {
                if asker != hop {
                    let offer = self.offer(orig, asker, now);
                    self.say(asker, say::HAVE, offer.as_slice());
                }
            }
        }
    }
}
