//! Received OGMs: echoes, windows, ranking, forwarding. Source: "B.A.T.M.A.N. IV" sections 4 to 9.
//!
//! All routing tables see the same OGMs, so the sequence windows are kept once per neighbour and
//! not once per table as in the kernel; only qualities and next hops differ by table. Two checks
//! come earlier than in the kernel, so that an OGM which cannot win does not move a window either:
//! quality 0, and a relay without a route of its own.

use super::emit::SENSE_TTL;
use super::tq::{LinkQuality, apply_hop_penalty};
use crate::config::LinkId;
use crate::counters::{Count, Drop};
use crate::fib::{NextHop, Table};
use crate::frame::Frame;
use crate::mesh::Mesh;
use crate::neighbor::WAYS;
use crate::originator::{Note, Originator};
use crate::time::{Duration, Instant};
use crate::verify::lessened;
use crate::window::{WINDOW, Watch, distance};
use alloc::vec::Vec;
use packet::MacAddr;
use packet::consts::TTL;
use packet::eth::EthHeader;
use packet::ogm::{DIRECTLINK, NOT_BEST_NEXT_HOP, Ogm, OgmHeader, Ogms};
use zerocopy::IntoBytes;

/// Forwarded OGMs wait up to this long. Source: "Constants".
const FORWARD_JITTER: Duration = Duration::from_millis(10);
/// Ways that differ by no more than this are equally good: one late OGM moves a quality by as much.
const TIE: u8 = 8;

/// A way is left for one that is better by more than this. Averages over five OGMs waver by as much
/// where links lose a fifth, and each change sends frames out of order.
const STICK: u8 = 6;

/// An originator's links rise during its first OGMs.
const RISING: u32 = 24;

/// How the sequence number of an OGM relates to what was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    New,
    /// Another neighbour brought it before.
    SeenElsewhere,
    /// This neighbour brought it before.
    SeenHere,
}

/// An OGM on its way through the checks.
struct Heard<'a> {
    ogm: Ogm<'a>,
    hop: NextHop,
    direct: bool,
    status: Status,
    ttl: u8,
}

impl Mesh {
    /// Takes a frame of OGMs in.
    pub(crate) fn receive_ogms(&mut self, link: LinkId, frame: &Frame, now: Instant) -> Result<(), Drop> {
        let (eth, packet) = EthHeader::parse(frame.bytes()).map_err(|_| Drop::Short)?;
        if !eth.dst.is_broadcast() || !eth.src.is_unicast() {
            return Err(Drop::BadAddress);
        }
        if packet.len() < OgmHeader::LEN {
            return Err(Drop::Short);
        }
        let hop = NextHop { link, neigh: eth.src };
        if self.is_own(eth.src) {
            for ogm in Ogms::new(packet) {
                self.doubt_own_ogm(ogm.header.orig, ogm.header.seqno.get(), hop, now);
            }
            return Err(Drop::OwnSource);
        }
        self.counters.frame(Count::MgmtRx, frame.len());
        for ogm in Ogms::new(packet) {
            if let Err(why) = self.receive_ogm(hop, ogm, now) {
                self.counters.drop(why);
            }
        }
        Ok(())
    }

    fn receive_ogm(&mut self, hop: NextHop, ogm: Ogm<'_>, now: Instant) -> Result<(), Drop> {
        let h = ogm.header;
        if self.is_own(h.orig) {
            self.take_echo(hop, h);
            self.doubt_own_ogm(h.orig, h.seqno.get(), hop, now);
            return Err(Drop::OwnOgm);
        }
        if self.is_own(h.prev_sender) {
            return Err(Drop::OwnRebroadcast);
        }
        if !h.orig.is_unicast() {
            return Err(Drop::BadAddress);
        }
        if h.flags & NOT_BEST_NEXT_HOP != 0 {
            // Relays set it on what others sent. From its originator it marks link sensing.
            let senses = hop.neigh == h.orig && h.prev_sender == h.orig && h.ttl == SENSE_TTL;
            if senses && ogm.tvlvs.is_empty() && self.cfg.fast_start {
                return self.receive_sense(hop, ogm, now);
            }
            return Err(Drop::NotBestNextHop);
        }
        if h.tq == 0 {
            return Err(Drop::ZeroTq);
        }
        let direct = hop.neigh == h.orig;
        let ttl = h.ttl.min(TTL);
        // Fresh from its originator, by whichever of its hard interfaces.
        let fresh = ttl == TTL && h.prev_sender == h.orig;
        if direct || fresh {
            self.note_neighbor(hop, now)?;
        }
        if fresh {
            self.doubt_primary(h.orig, hop.link, hop.neigh, now);
            self.note_primary(hop, h.orig);
        }
        if !direct && !self.relay_has_route(hop.neigh, Table::Host) {
            return Err(Drop::UnknownRelay);
        }
        self.note_originator(h.orig, hop, direct, now)?;
        let status = self.note_seqno(h, hop, now)?;
        if !direct {
            self.doubt_quality(h.orig, hop, h.tq, ttl, now);
        }
        if direct {
            self.note_beat(hop, h.seqno.get(), None, now);
        }
        if direct && ttl <= SENSE_TTL && ogm.tvlvs.is_empty() {
            self.forget_clients_of_secondary(h.orig);
        }
        self.rank_and_forward(Heard { ogm, hop, direct, status, ttl }, now);
        Ok(())
    }

    /// An own OGM came back. Source: section 5.
    fn take_echo(&mut self, hop: NextHop, h: &OgmHeader) {
        let Some(link) = self.links.get_mut(&hop.link) else { return };
        if h.flags & DIRECTLINK != 0 && h.orig == link.cfg.mac {
            link.note_echo(hop.neigh, h.seqno.get());
        }
    }

    /// An extra OGM of a Meshwork neighbour: it counts for the link between us and is echoed, and
    /// that is all. See `emit`.
    fn receive_sense(&mut self, hop: NextHop, ogm: Ogm<'_>, now: Instant) -> Result<(), Drop> {
        self.note_neighbor(hop, now)?;
        let link = self.links.get_mut(&hop.link).ok_or(Drop::LinkDown)?;
        let (wifi, link_penalty) = (link.cfg.wifi, link.cfg.hop_penalty);
        let n = link.neighbors.get_mut(&hop.neigh).ok_or(Drop::UnknownOriginator)?;
        if !n.senses.take(now) {
            return Err(Drop::RateLimit);
        }
        if !core::mem::replace(&mut n.meshwork, true) {
            self.sense_neighbor(hop.link, now);
        }
        let h = ogm.header;
        self.note_originator(h.orig, hop, true, now)?;
        let o = self.originators.get_mut(&h.orig).ok_or(Drop::UnknownOriginator)?;
        o.last_seen = now;
        let way = o.way_mut(hop, WAYS, now);
        way.last_seen = now;
        let seqno = h.seqno.get();
        let diff = way.last_sense.map_or(1, |last| distance(last, seqno));
        if diff == 0 {
            return Err(Drop::Duplicate);
        }
        // A jump is a neighbour that started again.
        way.heard.slide(if (1..WINDOW as i32).contains(&diff) { diff } else { 1 }, true);
        way.last_sense = Some(seqno);
        let heard = way.heard;
        let quality = self.link_quality(hop, heard);
        for i in 0..self.tables.len() {
            let Some(&table) = self.tables.get(i) else { break };
            let same = table == Table::Link(hop.link);
            let radio = (same && wifi).then_some(self.cfg.hop_penalty);
            let tq = quality.through(h.tq, link_penalty, radio);
            if tq > 0 {
                self.choose(h.orig, hop, table, tq, false, now);
            }
            if same {
                self.forward_ogm(&ogm, hop, hop.link, tq, h.ttl, true, false, now);
            }
        }
        Ok(())
    }

    /// An originator's primary OGM was heard from the originator itself: the neighbour is it.
    fn note_primary(&mut self, hop: NextHop, orig: MacAddr) {
        if let Some(n) = self.links.get_mut(&hop.link).and_then(|l| l.neighbors.get_mut(&hop.neigh)) {
            n.originator = Some(orig);
        }
    }

    /// Moves the windows. Source: section 6, step 1.
    fn note_seqno(&mut self, h: &OgmHeader, hop: NextHop, now: Instant) -> Result<Status, Drop> {
        let seqno = h.seqno.get();
        let steady = self.steady_hop(h.orig, now);
        let o = self.originators.get_mut(&h.orig).ok_or(Drop::UnknownOriginator)?;
        // The very first OGM has nothing to be compared with.
        let diff = o.last_seqno.map_or(WINDOW as i32, |last| distance(last, seqno));
        if o.last_seqno.is_some() {
            // A number far away says that the originator started again, or lost touch: the way that
            // we use brings it too then. Source: "Pitfalls" B 3.
            let elsewhere = diff.unsigned_abs() >= WINDOW && steady.is_some_and(|s| s != hop);
            if elsewhere || o.guard.refuses(diff, now) {
                self.doubt_numbers(h.orig, hop, now);
                return Err(Drop::SeqnoProtected);
            }
        }
        let first = o.last_seqno.is_none();
        o.way_mut(hop, WAYS, now);
        let mut status = Status::New;
        let mut moved = false;
        for way in &mut o.ways {
            let here = way.hop == hop;
            let had = diff <= 0 && way.window.has(diff.unsigned_abs());
            if had && here {
                status = Status::SeenHere;
            } else if had && status == Status::New {
                status = Status::SeenElsewhere;
            }
            moved |= way.window.slide(diff, here);
            if !(had && here) {
                way.heard.slide(if first { 1 } else { diff }, here);
            }
            if here && diff >= 0 {
                way.announced = u32::from(h.tq);
            }
        }
        if moved {
            o.last_seqno = Some(seqno);
        }
        if status == Status::New {
            o.accepted = o.accepted.saturating_add(1);
        }
        o.last_seen = now;
        if status == Status::New && self.is_far_behind(diff) {
            self.doubt_numbers(h.orig, hop, now);
        }
        Ok(status)
    }

    fn rank_and_forward(&mut self, heard: Heard<'_>, now: Instant) {
        let Heard { ogm, hop, direct, status, ttl } = heard;
        let h = ogm.header;
        let Some(link) = self.links.get(&hop.link) else { return };
        let (wifi, link_penalty) = (link.cfg.wifi, link.cfg.hop_penalty);
        let heard = self
            .originators
            .get_mut(&hop.neigh)
            .and_then(|o| {
                o.last_seen = now;
                o.ways.iter_mut().find(|w| w.hop == hop)
            })
            .map_or_else(Watch::default, |w| {
                if direct {
                    w.last_seen = now;
                }
                w.heard
            });
        let quality = self.link_quality(hop, heard);
        let relay_routers: Vec<bool> = self.tables.iter().map(|&t| self.relay_has_route(hop.neigh, t)).collect();
        for i in 0..self.tables.len() {
            let Some(&table) = self.tables.get(i) else { break };
            let Some(o) = self.originators.get(&h.orig) else { return };
            let router = o.router(table);
            let was_best = router.is_some_and(|r| r.neigh == hop.neigh && o.quality(table) != 0);
            if self.looping(h, router, table) {
                self.counters.drop(Drop::LoopGuard);
                continue;
            }
            if table == Table::Host && !ogm.tvlvs.is_empty() {
                self.receive_tvlvs(h.orig, ogm.tvlvs, now);
            }
            if !direct && !relay_routers.get(i).copied().unwrap_or(false) {
                self.counters.drop(Drop::UnknownRelay);
                continue;
            }
            let radio = (table == Table::Link(hop.link) && wifi).then_some(self.cfg.hop_penalty);
            let tq = quality.through(h.tq, link_penalty, radio);
            self.rank(h, hop, table, tq, ttl, status, now);
            let Table::Link(out) = table else { continue };
            let from_best = was_best || (status == Status::New && self.became_best(h.orig, hop, table));
            let sense_only = direct && ttl <= 2 && out != hop.link;
            let carry = if direct { !sense_only } else { tq > 0 && status != Status::SeenHere };
            if carry {
                let share = self.originators.get(&h.orig).and_then(|o| o.way(hop)).and_then(|w| w.share);
                // Not more than before.
                let tq = lessened(tq.into(), share) as u8;
                self.forward_ogm(&ogm, hop, out, tq, ttl, direct, from_best, now);
            }
        }
    }

    /// True if this OGM has just made its way the best one. The kernel asks before it ranks, so
    /// that news of an originator travels one hop per OGM; asking afterwards, for the first copy
    /// of an OGM only, lets it pass at once and still sends one copy of each.
    fn became_best(&self, orig: MacAddr, hop: NextHop, table: Table) -> bool {
        self.cfg.fast_start && self.originators.get(&orig).is_some_and(|o| o.router(table) == Some(hop))
    }

    /// True if the next hop got this OGM from us in the first place. Source: section 6, step 5.
    fn looping(&self, h: &OgmHeader, router: Option<NextHop>, table: Table) -> bool {
        let Some(router) = router else { return false };
        if router.neigh != h.prev_sender || h.orig == h.prev_sender {
            return false;
        }
        let beyond = self.originators.get(&router.neigh).and_then(|o| o.router(table));
        beyond.is_some_and(|b| b.neigh == router.neigh)
    }

    fn relay_has_route(&self, neigh: MacAddr, table: Table) -> bool {
        self.originators.get(&neigh).is_some_and(|o| o.router(table).is_some())
    }

    /// What is known of the link to a neighbour. IV takes every OGM that a young link had no time
    /// to carry for lost; with the fast start we judge it by those that it could carry.
    pub(crate) fn link_quality(&self, hop: NextHop, heard: Watch) -> LinkQuality {
        let neighbor = self.links.get(&hop.link).and_then(|l| l.neighbors.get(&hop.neigh));
        let echoes = neighbor.map_or_else(Watch::default, |n| n.echoes);
        if self.cfg.fast_start {
            LinkQuality { echoes: echoes.awaiting().expected(), received: heard.expected() }
        } else {
            LinkQuality { echoes: echoes.count(), received: heard.count() }
        }
    }

    pub(crate) fn echo_count(&self, hop: NextHop) -> u8 {
        self.links.get(&hop.link).and_then(|l| l.neighbors.get(&hop.neigh)).map_or(0, |n| n.echoes.awaiting().count())
    }

    /// Source: section 9.
    #[expect(clippy::too_many_arguments, reason = "one step of the algorithm with all that it looks at")]
    fn rank(&mut self, h: &OgmHeader, hop: NextHop, table: Table, tq: u8, ttl: u8, status: Status, now: Instant) {
        let Some(o) = self.originators.get_mut(&h.orig) else { return };
        let same_seqno = o.last_seqno == Some(h.seqno.get());
        let similar_ttl = o.last_ttl.saturating_sub(3) <= ttl;
        if tq == 0 || !(status == Status::New || (same_seqno && similar_ttl)) {
            return;
        }
        if status == Status::New {
            o.last_ttl = ttl;
        }
        self.choose(h.orig, hop, table, tq, status == Status::New, now);
    }

    /// Notes the quality of a way and takes it if it is the best now.
    pub(crate) fn choose(&mut self, orig: MacAddr, hop: NextHop, table: Table, tq: u8, is_new: bool, now: Instant) {
        let Some(o) = self.originators.get_mut(&orig) else { return };
        // The links of a new originator still rise; an average would lag behind and point two
        // neighbours at each other.
        let rising = self.cfg.fast_start && o.accepted < RISING;
        let average = o.note(table, hop, tq, Note { is_new, rising }, now);
        let router = o.router(table);
        if router == Some(hop) {
            return;
        }
        if let Some(old) = router.filter(|&old| !self.beats(orig, hop, old, table, average, is_new)) {
            let Some(o) = self.originators.get(&orig) else { return };
            let old_average = o.quality(table);
            let distrusted = o.way(old).is_some_and(|w| w.share.is_some());
            if self.turns_back(table, hop) && old_average > 0 && !distrusted && self.downhill(o, old) {
                return;
            }
            if old_average > average || (old_average == average && self.echo_count(old) >= self.echo_count(hop)) {
                return;
            }
            let settled = self.cfg.fast_start && !rising;
            if settled && average - old_average <= STICK && !self.turns_back(table, old) && self.downhill(o, old) {
                return;
            }
        }
        self.set_route(orig, table, Some(hop));
    }

    /// Takes an offer of a Meshwork neighbour in as if an OGM had brought it.
    pub(crate) fn take_offer_iv(&mut self, orig: MacAddr, hop: NextHop, tq: u8, now: Instant) {
        let Some(link) = self.links.get(&hop.link) else { return };
        let (wifi, link_penalty) = (link.cfg.wifi, link.cfg.hop_penalty);
        let link_way = self.originators.get(&hop.neigh).and_then(|o| o.way(hop));
        let quality = self.link_quality(hop, link_way.map_or_else(Watch::default, |w| w.heard));
        for i in 0..self.tables.len() {
            let Some(&table) = self.tables.get(i) else { break };
            let radio = (table == Table::Link(hop.link) && wifi).then_some(self.cfg.hop_penalty);
            let tq = quality.through(tq, link_penalty, radio);
            let Some(o) = self.originators.get_mut(&orig) else { return };
            o.way_mut(hop, WAYS, now);
            if tq > 0 {
                self.choose(orig, hop, table, tq, false, now);
            }
        }
    }

    /// True if a way is better than the one in use for another reason than its quality.
    fn beats(&self, orig: MacAddr, hop: NextHop, old: NextHop, table: Table, average: u8, is_new: bool) -> bool {
        let Some(o) = self.originators.get(&orig) else { return false };
        if o.way(hop).is_some_and(|w| w.share.is_some()) {
            return false;
        }
        if self.turns_back(table, old) && !self.turns_back(table, hop) && average > 0 && self.downhill(o, hop) {
            return true;
        }
        // Of two ways equally good we take the one that still works.
        let failed = is_new && o.way(old).is_some_and(|w| w.window.missed_one());
        failed && self.cfg.fast_start && average.saturating_add(TIE) >= o.quality(table) && self.downhill(o, hop)
    }

    /// True if packets that came in on a wire would leave by it, to the only neighbour there. A
    /// way forward is preferred, and it is what that neighbour is told of: the kernel takes either
    /// of two equally good ways, and where it picked the one back, a neighbour whose own way
    /// breaks has to wait until we changed our mind.
    fn turns_back(&self, table: Table, hop: NextHop) -> bool {
        let one = |l: &crate::link::Link| !l.cfg.wifi && l.neighbors.len() == 1;
        table == Table::Link(hop.link) && self.cfg.fast_start && self.links.get(&hop.link).is_some_and(one)
    }

    /// True if the neighbour is closer to the originator than we are, by what both announce, so
    /// that its way cannot lead through us.
    fn downhill(&self, o: &Originator, hop: NextHop) -> bool {
        let own = apply_hop_penalty(o.quality(Table::Host), self.cfg.hop_penalty);
        o.way(hop).is_some_and(|w| w.announced > u32::from(own))
    }

    /// Source: section 8.
    #[expect(clippy::too_many_arguments, reason = "one step of the algorithm with all that it looks at")]
    fn forward_ogm(
        &mut self,
        ogm: &Ogm<'_>,
        hop: NextHop,
        out: LinkId,
        tq: u8,
        ttl: u8,
        direct: bool,
        from_best: bool,
        now: Instant,
    ) {
        if ttl <= 1 || !(from_best || direct) {
            return;
        }
        // Who gives nothing still echoes what a neighbour says of itself.
        let echo = direct && out == hop.link;
        if !self.gives && !echo {
            return;
        }
        let Some(link) = self.links.get(&out) else { return };
        let (mtu, wifi) = (link.cfg.mtu, link.cfg.wifi);
        let mut header = *ogm.header;
        if !from_best || !self.gives {
            header.flags |= NOT_BEST_NEXT_HOP;
        }
        if echo {
            header.flags |= DIRECTLINK;
        } else {
            header.flags &= !DIRECTLINK;
        }
        header.ttl = ttl - 1;
        header.prev_sender = hop.neigh;
        header.tq = apply_hop_penalty(tq, self.relay_penalty(hop.link, out));
        let mut bytes = header.as_bytes().to_vec();
        bytes.extend_from_slice(ogm.tvlvs);
        if bytes.len() > mtu {
            return self.counters.drop(Drop::TooBig);
        }
        // While an echo is under way, its neighbour takes the OGM for lost: a link of a kernel node is worth 251 then,
        // and 255 again, and it goes back and forth between ways that are equally good. So echoes wait for no company.
        // On a radio each frame costs air, and chance moves qualities by more.
        let collect = self.cfg.aggregation && (wifi || !echo || !self.cfg.fast_start);
        let earliest = now + self.rng.below(FORWARD_JITTER);
        if !self.ogm_queue.add(out, &bytes, mtu, earliest, collect) {
            self.counters.drop(Drop::OgmQueueFull);
        }
    }
}
