//! The distributed ARP table: questions for addresses are answered by nodes that know, and not
//! flooded. The same, without a word on the wire, for IPv6 neighbour discovery.
//!
//! Three originators, chosen by a hash of the address, keep each IPv4 address of the mesh. Whoever
//! sees a client ask sends them the question (GET), whoever sees a client answer sends them the
//! answer (PUT). The question itself is flooded 250 ms later, unless the answer is known by then.
//! Everybody remembers what passes for five minutes. Source: "Payload plane" section 6.
//!
//! [`cache`] says whom to believe, `ring` who keeps what, `arp`, `nd` and `dhcp` read the frames.

mod arp;
pub(crate) mod cache;
mod dhcp;
mod nd;
mod ring;
#[cfg(test)]
mod tests;

use crate::border::Event;
use crate::client::{Arrival, Via};
use crate::counters::Drop;
use crate::frame::Frame;
use crate::link::Bucket;
use crate::mesh::Mesh;
use crate::snapshot::AddressView;
use crate::time::{Duration, Instant};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use cache::{Cache, Claim, Learned};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use packet::eth::{ClientFrame, ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6};
use packet::unicast::subtype;
use packet::{MacAddr, Vid};
use ring::Ring;

/// Time that the table has for an answer before a question is flooded. Source: section 6.2.
const DELAY: Duration = Duration::from_millis(250);
/// Questions that wait; further ones are flooded at once.
const MAX_WAITING: usize = 256;
/// Old entries are looked for once in this time.
const PURGE_EVERY: Duration = Duration::from_secs(10);
/// Flips that people are told at once, and per second after that.
const TELL: (u32, u32) = (32, 1);

/// All state of the tables.
#[derive(Debug)]
pub(crate) struct State {
    arp: Cache<Ipv4Addr>,
    nd: Cache<Ipv6Addr>,
    ring: Ring,
    waiting: VecDeque<Waiting>,
    next_purge: Instant,
    tell: Bucket,
}

/// A question whose flooding waits for an answer.
#[derive(Debug)]
struct Waiting {
    at: Instant,
    key: cache::Key<Ipv4Addr>,
    /// The client got an answer.
    answered: bool,
    frame: Frame,
}

impl State {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            arp: Cache::default(),
            nd: Cache::default(),
            ring: Ring::default(),
            waiting: VecDeque::new(),
            next_purge: now + PURGE_EVERY,
            tell: Bucket::new(TELL.0, TELL.1, now),
        }
    }
}

impl Mesh {
    /// Value of our container; `None` while the table is off.
    pub(crate) fn dat_container(&self) -> Option<Vec<u8>> {
        self.cfg.dat.then(Vec::new)
    }

    /// A client frame from the mesh interface, before it is sent. `None` if it was dealt with: an
    /// answer was given, or it waits.
    pub(crate) fn dat_from_host(&mut self, frame: Frame, now: Instant) -> Result<Option<Frame>, Drop> {
        if !self.cfg.dat {
            return Ok(Some(frame));
        }
        let inner = ClientFrame::parse(frame.bytes()).map_err(|_| Drop::Short)?;
        match inner.ethertype {
            ETHERTYPE_ARP => self.arp_from_host(frame, inner, now),
            ETHERTYPE_IPV6 => Ok(self.nd_from_host(frame, inner, now)),
            _ => Ok(Some(frame)),
        }
    }

    /// A frame from the mesh interface, before anybody else can take it: leases that a server on
    /// our side confirms.
    pub(crate) fn dat_overhears_host(&mut self, frame: &Frame, now: Instant) {
        if self.cfg.dat
            && let Ok(inner) = ClientFrame::parse(frame.bytes())
            && inner.ethertype == ETHERTYPE_IPV4
        {
            self.dhcp_from_host(frame, inner, now);
        }
    }

    /// A client frame that came over the mesh, before it is delivered.
    pub(crate) fn dat_from_mesh(
        &mut self,
        frame: Frame,
        arrival: Arrival,
        now: Instant,
    ) -> Result<Option<Frame>, Drop> {
        if !self.cfg.dat {
            return Ok(Some(frame));
        }
        let inner = ClientFrame::parse(frame.bytes()).map_err(|_| Drop::Short)?;
        match inner.ethertype {
            ETHERTYPE_ARP => return self.arp_from_mesh(frame, inner, arrival, now),
            ETHERTYPE_IPV6 => self.nd_from_mesh(&frame, inner, arrival, now),
            ETHERTYPE_IPV4 => self.dhcp_from_mesh(&frame, inner, arrival, now),
            _ => {}
        }
        match arrival.via {
            // Nothing else is ever asked or kept in this way.
            Via::Unicast4(subtype::DAT_GET | subtype::DAT_PUT) => Err(Drop::BadArp),
            _ => Ok(Some(frame)),
        }
    }

    /// An originator may take part from now on, or no longer.
    pub(crate) fn dat_changed(&mut self, orig: MacAddr) {
        let takes_part = self.originators.get(&orig).is_some_and(|o| o.features.dat);
        self.dat.ring.set(orig, takes_part);
    }

    /// The settings changed: without the table nothing is remembered, and nobody waits.
    pub(crate) fn dat_configured(&mut self, now: Instant) {
        if self.cfg.dat {
            return;
        }
        self.dat.arp.clear();
        self.dat.nd.clear();
        while let Some(w) = self.dat.waiting.pop_front() {
            self.flood_question(w.frame, now);
        }
    }

    /// When [`Mesh::run_dat_timers`] has something to do next. Old entries can wait for whatever
    /// else wakes the node.
    pub(crate) fn next_dat_timer(&self) -> Instant {
        self.dat.waiting.front().map_or(Instant::FAR_FUTURE, |w| w.at)
    }

    /// Sends what waited, forgets what is old.
    pub(crate) fn run_dat_timers(&mut self, now: Instant) {
        while let Some(w) = self.dat.waiting.pop_front_if(|w| w.at <= now) {
            self.end_waiting(w, now);
        }
        if self.dat.next_purge <= now {
            self.dat.next_purge = now + PURGE_EVERY;
            self.dat.arp.purge(now);
            self.dat.nd.purge(now);
        }
    }

    /// Takes in what a message says about an IPv4 address; `from` is the originator it came from,
    /// `None` for our own side.
    fn learn_ipv4(&mut self, ip: Ipv4Addr, vid: Vid, claim: Claim, from: Option<MacAddr>, now: Instant) {
        let came = self.dat.arp.learn((ip, vid), claim, self.cfg.caps.addresses, now);
        self.note_learned(came, ip.into(), vid, claim.mac, from, now);
    }

    /// The same for IPv6.
    fn learn_ipv6(&mut self, ip: Ipv6Addr, vid: Vid, claim: Claim, from: Option<MacAddr>, now: Instant) {
        let came = self.dat.nd.learn((ip, vid), claim, self.cfg.caps.addresses, now);
        self.note_learned(came, ip.into(), vid, claim.mac, from, now);
    }

    fn note_learned(&mut self, came: Learned, ip: IpAddr, vid: Vid, new: MacAddr, from: Option<MacAddr>, now: Instant) {
        match came {
            Learned::Quietly => {}
            Learned::Full => self.table_full("addresses", now),
            Learned::Flip { old, replaced } if self.dat.tell.take(now) => {
                self.event(Event::AddressFlip { ip, vid, old, new, from, replaced });
            }
            Learned::Flip { .. } => {}
        }
    }

    /// The originator that a frame came from, as far as it can be known.
    fn said_by(&self, arrival: Arrival) -> Option<MacAddr> {
        Some(arrival.orig.unwrap_or_else(|| self.originator_of(arrival.neigh)))
    }

    /// True for our own clients that are here.
    fn is_client_here(&self, mac: MacAddr, vid: Vid) -> bool {
        self.local.entries.get(&(mac, vid)).is_some_and(|e| !e.roam && !e.pending)
    }

    /// True if frames to this MAC would arrive. Nobody is told an address that leads nowhere.
    fn is_reachable(&self, mac: MacAddr, vid: Vid) -> bool {
        self.is_client_here(mac, vid) || self.global.best((mac, vid)).is_some()
    }

    /// What people see of the tables.
    pub(crate) fn address_views(&self, now: Instant) -> Vec<AddressView> {
        let view = |ip: IpAddr, vid: Vid, e: &cache::Entry| AddressView {
            ip,
            vid,
            mac: e.mac,
            last_seen: now.since(e.confirmed),
            contested: e.is_contested(now),
            router: e.router == Some(true),
        };
        let arp = self.dat.arp.iter().map(|((ip, vid), e)| view((*ip).into(), *vid, e));
        let nd = self.dat.nd.iter().map(|((ip, vid), e)| view((*ip).into(), *vid, e));
        arp.chain(nd).collect()
    }

    /// The first thing that is wrong with the tables, if anything is.
    pub(crate) fn dat_broken_invariant(&self) -> Option<&'static str> {
        let d = &self.dat;
        let cap = self.cfg.caps.addresses.max(1);
        let members = self.originators.iter().filter(|(_, o)| o.features.dat);
        let checks = [
            (d.arp.len() <= cap && d.nd.len() <= cap, "more addresses than the cap"),
            (d.arp.is_consistent() && d.nd.is_consistent(), "unproven addresses do not fit their list"),
            (d.waiting.len() <= MAX_WAITING, "more waiting questions than the cap"),
            (members.clone().count() == d.ring.len(), "the ring has other members than take part"),
            (members.map(|(mac, _)| *mac).all(|mac| d.ring.contains(mac)), "a member is not in the ring"),
        ];
        checks.into_iter().find(|(fine, _)| !fine).map(|(_, what)| what)
    }
}
