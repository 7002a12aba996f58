//! Which routing algorithm runs, and when it is changed.
//!
//! The two algorithms do not understand each other. With [`Choice::Auto`] a node listens first and
//! follows whom it hears; alone, it starts V. Once it has neighbours it stays with them: whoever
//! speaks the other algorithm is told to people. One exception: an island of Meshwork nodes alone
//! that hears a kernel mesh of the other kind moves to it, all together. It does so when it has
//! heard that mesh for a minute and knows that the mesh hears it too, and not more than once an
//! hour. Nobody decides for others: the node that hears the other mesh says in its OGMs where it
//! goes, and every node that finds only Meshwork nodes around it goes along.

use crate::border::{Event, Output};
use crate::config::{Algorithm, Choice, LinkId};
use crate::counters::{Count, Drop};
use crate::fib::Table;
use crate::frame::Frame;
use crate::mesh::Mesh;
use crate::sorted::SortedMap;
use crate::time::{Duration, Instant};
use crate::window::distance;
use alloc::vec::Vec;
use packet::MacAddr;
use packet::consts::{ETH_LEN, ETHERTYPE, packet_type};
use packet::elp::ElpHeader;
use packet::eth::EthHeader;
use packet::icmp::IcmpHeader;
use packet::ogm::{DIRECTLINK, OgmHeader, Ogms};
use packet::ogm2::{Ogm2Header, Ogm2s};
use packet::tvlv::meshwork::{AUTO, FOLLOW_IV, FOLLOW_V, Meshwork};
use packet::tvlv::{Containers, kind, meshwork};
use zerocopy::IntoBytes;

/// A node without a memory of an earlier run listens so long before it speaks.
const LISTEN: Duration = Duration::from_millis(1200);
/// Without a sign of a neighbour for so long, a node has none.
const LONELY: Duration = Duration::from_secs(10);
/// A node that ran IV before and hears nobody starts V.
const ALONE: Duration = Duration::from_secs(30);
/// The other mesh must have been heard for so long ...
const FOLLOW_AFTER: Duration = Duration::from_secs(60);
/// ... without a gap like this.
const GAP: Duration = Duration::from_secs(5);
/// An island moves not more often than this.
const FOLLOW_EVERY: Duration = Duration::from_secs(3600);
/// After an island was told to move, so that all its nodes hear of it.
const FOLLOW_DELAY: Duration = Duration::from_secs(4);
/// Neighbours of the other kind that are kept in mind. Beyond, newcomers are not.
const CAP: usize = 64;
/// The same for nodes of the other mesh.
const NODES: usize = 64;
/// A node that runs Meshwork says so within this time.
const TELLS: Duration = Duration::from_secs(40);
/// People are told of a neighbour with the other algorithm once in this time.
const TELL_EVERY: Duration = Duration::from_secs(3600);
/// Hop limit of messages that only ask a neighbour of the other kind whether it hears us.
const PROBE_TTL_IV: u8 = 2;
const PROBE_TTL_V: u8 = 1;
/// Marks mesh echoes of ours that ask the same.
const PROBE_UID: u8 = 0xa7;

/// What is known of algorithms around us.
#[derive(Debug, Default)]
pub(crate) struct Auto {
    /// Until then the node only listens.
    listen_until: Option<Instant>,
    /// Neighbours that speak the other algorithm.
    others: SortedMap<(LinkId, MacAddr), Other>,
    /// Nodes of the other mesh: since when they are heard, and whether they run Meshwork.
    nodes: SortedMap<MacAddr, (Instant, bool)>,
    told: SortedMap<(LinkId, MacAddr), Instant>,
    /// When the island moved last.
    moved_at: Option<Instant>,
    /// The island goes there then.
    moving: Option<(Algorithm, Instant)>,
    /// When a neighbour of our own kind was there last.
    company_at: Option<Instant>,
    probe_seqno: u16,
}

/// A neighbour that speaks the other algorithm.
#[derive(Debug, Clone, Copy)]
struct Other {
    first: Instant,
    last: Instant,
    /// Its originator address, as far as known.
    orig: Option<MacAddr>,
    /// It hears us.
    answered: bool,
}

impl Auto {
    /// Starts to listen, unless the algorithm of the last run is known.
    pub(crate) fn new(choice: Choice, resumed: bool, now: Instant) -> Self {
        let listens = choice == Choice::Auto && !resumed;
        Self { listen_until: listens.then(|| now + LISTEN), company_at: Some(now), ..Self::default() }
    }

    /// When listening ends.
    pub(crate) fn next(&self) -> Instant {
        self.listen_until.unwrap_or(Instant::FAR_FUTURE)
    }

    /// Neighbours of the other kind, and how long ago they were heard.
    pub(crate) fn others(&self, now: Instant) -> impl Iterator<Item = (LinkId, MacAddr, Duration)> {
        self.others.iter().map(move |((link, neigh), o)| (*link, *neigh, now.since(o.last)))
    }
}

impl Mesh {
    /// True while the node only listens.
    pub(crate) fn is_listening(&self) -> bool {
        self.auto.listen_until.is_some()
    }

    /// Ends listening when it is time.
    pub(crate) fn run_auto_timers(&mut self, now: Instant) {
        if self.auto.listen_until.is_some_and(|at| at <= now) {
            self.end_listening(now);
        }
    }

    fn end_listening(&mut self, now: Instant) {
        self.auto.listen_until = None;
        for link in self.links.values_mut() {
            link.restart(&self.cfg, &mut self.rng, now);
        }
        self.v.next_ogm = now + self.cfg.orig_interval;
    }

    /// A frame of the other algorithm.
    pub(crate) fn other_algorithm(&mut self, link: LinkId, frame: &Frame, now: Instant) -> Drop {
        let Ok((eth, packet)) = EthHeader::parse(frame.bytes()) else { return Drop::Short };
        let neigh = eth.src;
        if !neigh.is_unicast() || self.is_own(neigh) || !eth.dst.is_broadcast() {
            return Drop::OtherAlgorithm;
        }
        let heard = read(packet, neigh, |mac| self.is_own(mac));
        // One of our own kind asks a third one whether it is heard.
        if heard.orig.is_some_and(|orig| self.originators.contains_key(&orig)) {
            return Drop::OtherAlgorithm;
        }
        let known = self.auto.others.contains_key(&(link, neigh));
        if !known && self.auto.others.len() >= CAP {
            return Drop::OtherAlgorithm;
        }
        let fresh = Other { first: now, last: now, orig: None, answered: false };
        let o = self.auto.others.entry((link, neigh)).or_insert(fresh);
        if now.since(o.last) > GAP {
            *o = Other { orig: o.orig, ..fresh };
        }
        o.last = now;
        o.orig = heard.orig.or(o.orig);
        o.answered |= heard.echo;
        let real = o.orig.is_some();
        for (orig, runs_meshwork) in heard.nodes {
            if self.auto.nodes.len() < NODES || self.auto.nodes.contains_key(&orig) {
                self.auto.nodes.entry(orig).or_insert((now, false)).1 |= runs_meshwork;
            }
        }
        if self.cfg.algorithm == Choice::Auto && real && !self.has_company(now) {
            let to = self.algorithm.other();
            self.change_algorithm(to, "it is what the neighbours speak", now);
            if self.is_listening() {
                self.end_listening(now);
            }
            return Drop::OtherAlgorithm;
        }
        self.auto.told.retain(|_, at| now.since(*at) < TELL_EVERY);
        if real && self.auto.told.len() < CAP && !self.auto.told.contains_key(&(link, neigh)) {
            self.auto.told.insert((link, neigh), now);
            self.event(Event::OtherAlgorithm { link, neigh });
        }
        Drop::OtherAlgorithm
    }

    /// True if a neighbour of our own kind was heard lately.
    fn has_company(&self, now: Instant) -> bool {
        let lonely = LONELY.min(8 * self.cfg.orig_interval).max(LONELY / 2);
        self.links.values().flat_map(|l| l.neighbors.values()).any(|n| now.since(n.last_seen) < lonely)
    }

    /// Once a second: forgets, asks others whether they hear us, moves.
    pub(crate) fn auto_work(&mut self, now: Instant) {
        self.auto.others.retain(|_, o| now.since(o.last) < FOLLOW_AFTER);
        if self.auto.others.is_empty() {
            self.auto.nodes.clear();
        }
        if self.has_company(now) {
            self.auto.company_at = Some(now);
        }
        if self.cfg.algorithm != Choice::Auto || self.primary.is_none() {
            self.auto.moving = None;
            return;
        }
        let lonely = self.auto.company_at.is_none_or(|at| now.since(at) > ALONE);
        if lonely && self.algorithm == Algorithm::Iv && self.auto.others.is_empty() {
            return self.change_algorithm(Algorithm::V, "nobody is near", now);
        }
        if let Some((to, at)) = self.auto.moving {
            if at <= now {
                self.auto.moving = None;
                self.auto.moved_at = Some(now);
                self.change_algorithm(to, "the island joins a mesh that speaks it", now);
            }
            return;
        }
        let rested = self.auto.moved_at.is_none_or(|at| now.since(at) >= FOLLOW_EVERY);
        if !rested || !self.is_meshwork_island() {
            return;
        }
        let to = self.algorithm.other();
        let told = if to == Algorithm::V { FOLLOW_V } else { FOLLOW_IV };
        if self.originators.values().filter_map(|o| o.features.meshwork).any(|f| f & told != 0) {
            self.auto.moving = Some((to, now + FOLLOW_DELAY));
            return;
        }
        // A kernel mesh cannot come to us. Where all could, IV goes to V.
        let kernel = self.auto.nodes.values().any(|(since, ours)| !ours && now.since(*since) >= TELLS);
        if !kernel && to == Algorithm::Iv {
            return;
        }
        let ripe: Vec<(LinkId, MacAddr, Other)> = self
            .auto
            .others
            .iter()
            .filter(|(_, o)| now.since(o.last) <= GAP && now.since(o.first) >= FOLLOW_AFTER)
            .map(|((link, neigh), o)| (*link, *neigh, *o))
            .collect();
        if ripe.iter().any(|(_, _, o)| o.answered) {
            self.auto.moving = Some((to, now + FOLLOW_DELAY));
            return;
        }
        for (link, neigh, o) in ripe {
            self.ask_other(link, neigh, o.orig);
        }
    }

    /// True if every node of the mesh is a Meshwork node that may follow, and there is one.
    fn is_meshwork_island(&self) -> bool {
        let mut nodes = self
            .originators
            .values()
            .filter(|o| o.router(Table::Host).is_some() && o.features.known)
            .map(|o| o.features.meshwork.is_some_and(|flags| flags & AUTO != 0))
            .peekable();
        nodes.peek().is_some() && nodes.all(|fine| fine)
    }

    /// What we say of ourselves to other Meshwork nodes.
    pub(crate) fn auto_flags(&self) -> u16 {
        let may = if self.cfg.algorithm == Choice::Auto { AUTO } else { 0 };
        may | match self.auto.moving {
            Some((Algorithm::Iv, _)) => FOLLOW_IV,
            Some((Algorithm::V, _)) => FOLLOW_V,
            None => 0,
        }
    }

    /// Asks a neighbour of the other kind whether it hears us, in its own words. An IV node echoes
    /// our OGM; a V node is introduced to us and then answers a mesh echo. None of it travels
    /// further.
    fn ask_other(&mut self, id: LinkId, neigh: MacAddr, orig: Option<MacAddr>) {
        let own = self.own_orig();
        let interval_ms = u32::try_from(self.cfg.elp_interval.as_millis()).unwrap_or(u32::MAX);
        self.auto.probe_seqno = self.auto.probe_seqno.wrapping_add(1);
        let number = self.auto.probe_seqno;
        let Some(link) = self.links.get_mut(&id) else { return };
        let mac = link.cfg.mac;
        let mut say = Vec::new();
        match self.algorithm {
            Algorithm::V => {
                let ogm = OgmHeader::new(mac, link.seqno, PROBE_TTL_IV);
                link.seqno = link.seqno.wrapping_add(1);
                say.push((MacAddr::BROADCAST, ogm.as_bytes().to_vec()));
            }
            Algorithm::Iv => {
                let elp = ElpHeader::new(own, link.v.elp_seqno, interval_ms);
                link.v.elp_seqno = link.v.elp_seqno.wrapping_add(1);
                let mut ogm = Ogm2Header::new(own, self.v.seqno);
                ogm.ttl = PROBE_TTL_V;
                self.v.seqno = self.v.seqno.wrapping_add(1);
                say.push((MacAddr::BROADCAST, elp.hello().to_vec()));
                say.push((MacAddr::BROADCAST, ogm.as_bytes().to_vec()));
                let echo = IcmpHeader::echo_request(orig.unwrap_or(neigh), own, PROBE_UID, number);
                say.push((neigh, echo.as_bytes().to_vec()));
            }
        }
        for (dst, packet) in say {
            let eth = EthHeader { dst, src: mac, ethertype: ETHERTYPE.into() };
            let mut frame = Frame::zeroed(ETH_LEN);
            frame.bytes_mut().copy_from_slice(eth.as_bytes());
            frame.extend(&packet);
            self.counters.frame(Count::MgmtTx, frame.len());
            self.out.push_back(Output::LinkTx(id, frame));
        }
    }

    /// True if a mesh echo's answer was for [`Mesh::ask_other`].
    pub(crate) fn other_answered(&mut self, from: MacAddr, uid: u8) -> bool {
        if uid != PROBE_UID {
            return false;
        }
        let mut asked = false;
        for o in self.auto.others.values_mut().filter(|o| o.orig == Some(from)) {
            (o.answered, asked) = (true, true);
        }
        asked
    }

    /// Runs another algorithm from now on. Everything learned by the old one is forgotten; own
    /// clients and their table stay.
    pub(crate) fn change_algorithm(&mut self, to: Algorithm, why: &'static str, now: Instant) {
        if self.algorithm == to {
            return;
        }
        self.algorithm = to;
        self.auto.others.clear();
        self.auto.nodes.clear();
        self.auto.moving = None;
        self.auto.company_at = Some(now);
        let origs: Vec<MacAddr> = self.originators.keys().copied().collect();
        for orig in origs {
            self.remove_originator(orig);
        }
        let ids: Vec<LinkId> = self.links.keys().copied().collect();
        for id in ids {
            self.ogm_queue.forget(id);
            let Some(link) = self.links.get_mut(&id) else { continue };
            let gone = core::mem::take(&mut link.neighbors);
            link.v.pending.clear();
            link.v.flush_at = None;
            // Both algorithms count on from where the other one was.
            if distance(link.seqno, self.v.seqno) > 0 {
                link.seqno = self.v.seqno;
            } else if self.primary == Some(id) {
                self.v.seqno = link.seqno;
            }
            link.restart(&self.cfg, &mut self.rng, now);
            for neigh in gone.into_keys() {
                self.event(Event::NeighborGone { link: id, neigh });
            }
        }
        self.v.next_ogm = now + self.cfg.orig_interval;
        self.event(Event::AlgorithmChanged { to, why });
    }
}

/// What a frame of the other algorithm says.
#[derive(Debug, Default)]
struct HeardOther {
    /// The originator that sent it itself.
    orig: Option<MacAddr>,
    /// Originators of OGMs with containers, and whether ours was among those.
    nodes: Vec<(MacAddr, bool)>,
    /// It is the echo of an OGM of ours.
    echo: bool,
}

fn read(packet: &[u8], neigh: MacAddr, is_own: impl Fn(MacAddr) -> bool) -> HeardOther {
    let mut heard = HeardOther::default();
    match packet.first() {
        Some(&packet_type::OGM) => {
            for ogm in Ogms::new(packet) {
                let h = ogm.header;
                if is_own(h.orig) {
                    heard.echo |= h.flags & DIRECTLINK != 0;
                    continue;
                }
                if h.orig == neigh && h.prev_sender == h.orig {
                    heard.orig = Some(h.orig);
                }
                if !ogm.tvlvs.is_empty() {
                    heard.nodes.push((h.orig, is_meshwork(ogm.tvlvs)));
                }
            }
        }
        Some(&packet_type::ELP) => {
            heard.orig = ElpHeader::parse(packet).ok().map(|(e, _)| e.orig).filter(|o| o.is_unicast() && !is_own(*o));
        }
        Some(&packet_type::OGM2) => {
            let told = Ogm2s::new(packet).filter(|ogm| !ogm.tvlvs.is_empty());
            heard.nodes = told.map(|ogm| (ogm.header.orig, is_meshwork(ogm.tvlvs))).collect();
        }
        _ => {}
    }
    heard
}

fn is_meshwork(tvlvs: &[u8]) -> bool {
    Containers::new(tvlvs)
        .any(|c| (c.kind, c.version) == (kind::MESHWORK, meshwork::VERSION) && Meshwork::parse(c.value).is_ok())
}
