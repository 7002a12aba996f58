//! Verified forwarding: a neighbour that announces ways and does not forward is found out.
//!
//! Nothing in B.A.T.M.A.N. says whether a neighbour passes payload on: a full queue, a broken
//! driver or a filter swallow it while OGMs keep coming. So while frames flow through a neighbour
//! to an originator beyond it that others lead to as well, that originator is asked a question of
//! full size *through* the neighbour, one in two seconds. An unanswered one starts an inquiry: the
//! same question by turns through it and another way (`case` holds the rules and how sure they
//! are). If the others are answered and those through it are not, its way to that originator is
//! worth what is still answered, for ranking and for what we announce alike, until it is answered
//! again. Ways to other originators are judged on their own: the fault may lie further on, and a
//! neighbour that drops what another one sends it must not be able to take that one's other ways.
//!
//! Meshwork destinations are asked in a client frame ([`packet::verify`]), which no relay can tell
//! from payload by its type. They answer along the link that it came by and along their own best
//! way, so a way back through a hole hides no good way there. Other destinations are asked with mesh
//! echoes, filled up to full size; that finds who swallows everything or what is long, but not who
//! swallows payload alone, and the answer comes by whatever way they have back to us.
//!
//! What it cannot do: nothing is signed, so a neighbour that forges answers is believed.
//!
//! Wakes: one timer while frames flow or somebody is distrusted. Emits: questions, answers,
//! forwarding table changes, events.

mod ask;
mod case;
#[cfg(test)]
mod tests;

use crate::border::Event;
use crate::counters::Count;
use crate::fib::{NextHop, Table};
use crate::mesh::Mesh;
use crate::rng::Rng;
use crate::snapshot::DistrustView;
use crate::time::{Duration, Instant};
use alloc::vec::Vec;
use case::{Case, Want};
use packet::MacAddr;

/// Neighbours with originators beyond them that are looked at, at once. When all are in use, newer
/// ones wait.
const MOST: usize = 32;
/// Frames count as flowing for so long after one was seen: where a way breaks, answers stop coming
/// and whoever sent them shall find its own half of the fault too.
const FLOW: Duration = Duration::from_secs(6);
/// Who asks us is looked at in turn if frames flowed there within this time.
const FLOW_LATELY: Duration = Duration::from_secs(30);
/// Other ways that an inquiry tries.
const OTHERS: usize = 4;
/// A neighbour that was heard this recently is alive; one that was not is no hole, it is gone.
const ALIVE: Duration = Duration::from_secs(3);

/// What is being verified.
#[derive(Debug)]
pub(crate) struct State {
    cases: Vec<Case>,
    /// Pace. Its own, so that the jitter of everything else stays as it is.
    rng: Rng,
    /// Nonces are these two around a public permutation of a counter: who sees some of them, as
    /// a neighbour sees those of the questions through it, does not know the others (Even and
    /// Mansour 1991).
    keys: (u64, u64),
    asked: u64,
}

impl State {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed ^ 0x6b8b_4567_327b_23c6);
        let keys = (rng.next_u64(), rng.next_u64());
        Self { cases: Vec::new(), rng, keys, asked: 0 }
    }

    fn nonce(&mut self) -> u64 {
        self.asked += 1;
        Rng::new(self.asked ^ self.keys.0).next_u64() ^ self.keys.1
    }

    /// When something is to be done.
    pub(crate) fn next(&self) -> Instant {
        self.cases.iter().map(|c| c.next).min().unwrap_or(Instant::FAR_FUTURE)
    }

    fn case(&mut self, hop: NextHop, orig: MacAddr) -> Option<&mut Case> {
        self.cases.iter_mut().find(|c| c.hop == hop && c.orig == orig)
    }
}

impl Mesh {
    const fn verifies(&self) -> bool {
        self.cfg.verify_forwarding && self.cfg.extensions
    }

    /// The data plane sent a frame to an originator by way of a neighbour.
    pub(crate) fn note_flow_to(&mut self, hop: NextHop, orig: MacAddr, now: Instant) {
        for case in self.verify.cases.iter_mut().filter(|c| c.orig == orig) {
            case.flow_at = now;
        }
        self.look_at(hop, orig, now, now);
    }

    /// An originator asks us whether its frames arrive. Where frames flow between us, both ways are
    /// looked at: if its half of a fault silences the other end, that one would find its own only
    /// when frames come again.
    fn note_question_of(&mut self, orig: MacAddr, now: Instant) {
        let flow_at = self.verify.cases.iter().filter(|c| c.orig == orig).map(|c| c.flow_at).max();
        let hop = self.originators.get(&orig).and_then(|o| o.router(Table::Host));
        if let (Some(flow_at), Some(hop)) = (flow_at.filter(|at| now.since(*at) < FLOW_LATELY), hop) {
            self.look_at(hop, orig, flow_at, now);
        }
    }

    /// Looks at a neighbour that frames go through, or went lately.
    fn look_at(&mut self, hop: NextHop, orig: MacAddr, flow_at: Instant, now: Instant) {
        if !self.verifies() {
            return;
        }
        let mut known = false;
        for case in self.verify.cases.iter_mut().filter(|c| c.orig == orig) {
            known |= case.hop == hop;
            if case.hop == hop || case.distrust().is_some() {
                case.busy_until = now + FLOW;
                case.next = now;
            }
        }
        // Who is the destination has nothing to forward.
        if known || self.originator_of(hop.neigh) == orig || self.other_ways(hop, orig).is_empty() {
            return;
        }
        if self.verify.cases.len() >= MOST {
            let idle = self.verify.cases.iter().enumerate().filter(|(_, c)| c.is_idle(now));
            let Some(oldest) = idle.min_by_key(|(_, c)| c.busy_until).map(|(i, _)| i) else { return };
            self.verify.cases.swap_remove(oldest);
        }
        let mut case = Case::new(hop, orig, now);
        (case.busy_until, case.flow_at) = (now + FLOW, flow_at);
        self.verify.cases.push(case);
    }

    /// Asks, waits, judges.
    pub(crate) fn run_verify(&mut self, now: Instant) {
        let due: Vec<(NextHop, MacAddr)> =
            self.verify.cases.iter().filter(|c| c.next <= now).map(|c| (c.hop, c.orig)).collect();
        for (hop, orig) in due {
            let way = self.originators.get(&orig).is_some_and(|o| o.way(hop).is_some());
            if !way || !self.verifies() {
                self.forget_case(hop, orig);
                continue;
            }
            let others = self.other_ways(hop, orig);
            let alive = self.is_alive(hop, now);
            let busy = self.verify.cases.iter().filter(|c| c.hop == hop && c.busy_until > now).count();
            // At most 32.
            let crowd = busy as u32;
            // A case asks once and then waits: the second look sets its timer.
            for _ in 0..2 {
                let Some(case) = self.verify.case(hop, orig) else { break };
                match case.step(now, &others, alive, crowd) {
                    None => break,
                    Some(Want::Through) => self.ask_beyond(hop, orig, None, now),
                    Some(Want::Other(other)) => self.ask_beyond(hop, orig, Some(other), now),
                    Some(Want::Accuse) => self.accuse(hop, orig, now),
                    Some(Want::Trust) => self.trust_again(hop, orig),
                }
            }
            self.weigh_way(hop, orig);
        }
    }

    /// Settings changed: without verification nobody stays distrusted.
    pub(crate) fn verify_configured(&mut self) {
        if !self.verifies() {
            let all: Vec<(NextHop, MacAddr)> = self.verify.cases.iter().map(|c| (c.hop, c.orig)).collect();
            for (hop, orig) in all {
                self.forget_case(hop, orig);
            }
        }
    }

    /// What neighbours are accused of, for people.
    pub(crate) fn distrust_views(&self, hop: NextHop, now: Instant) -> Vec<DistrustView> {
        let view = |case: &Case| {
            let d = case.distrust()?;
            Some(DistrustView {
                orig: case.orig,
                since: now.since(d.since),
                lost: d.lost,
                other: d.via.neigh,
                other_asked: d.other.asked(),
                other_answered: d.other.answered(),
                share: d.share(),
            })
        };
        self.verify.cases.iter().filter(|c| c.hop == hop).filter_map(view).collect()
    }

    /// Neighbours that lead to the originator as well, best first.
    fn other_ways(&self, hop: NextHop, orig: MacAddr) -> Vec<NextHop> {
        let Some(o) = self.originators.get(&orig) else { return Vec::new() };
        let node = self.originator_of(hop.neigh);
        let mut others: Vec<(u32, NextHop)> = o
            .ways
            .iter()
            .filter(|w| w.metric(Table::Host) > 0 && w.share.is_none() && !self.is_dead(w.hop))
            .filter(|w| w.hop != hop && self.originator_of(w.hop.neigh) != node)
            .map(|w| (w.metric(Table::Host), w.hop))
            .collect();
        others.sort_by_key(|(metric, hop)| (core::cmp::Reverse(*metric), hop.link, hop.neigh));
        others.into_iter().map(|(_, hop)| hop).take(OTHERS).collect()
    }

    fn is_alive(&self, hop: NextHop, now: Instant) -> bool {
        let n = self.links.get(&hop.link).and_then(|l| l.neighbors.get(&hop.neigh));
        n.is_some_and(|n| !n.life.dead && now.since(n.life.heard) < ALIVE)
    }

    fn forget_case(&mut self, hop: NextHop, orig: MacAddr) {
        self.verify.cases.retain(|c| c.hop != hop || c.orig != orig);
        self.weigh_way(hop, orig);
    }

    /// Lets the way's metric follow the verdict.
    fn weigh_way(&mut self, hop: NextHop, orig: MacAddr) {
        let share = self.verify.case(hop, orig).and_then(|c| c.share());
        let way = self.originators.get_mut(&orig).and_then(|o| o.ways.iter_mut().find(|w| w.hop == hop));
        if let Some(way) = way {
            way.share = share;
        }
    }

    /// A neighbour does not forward to an originator: its way is left where there is another.
    fn accuse(&mut self, hop: NextHop, orig: MacAddr, now: Instant) {
        self.weigh_way(hop, orig);
        let Some(d) = self.verify.case(hop, orig).and_then(|c| c.distrust().copied()) else { return };
        let Some(o) = self.originators.get(&orig) else { return };
        let mut moves = Vec::new();
        for &table in self.tables.iter().filter(|&&t| o.router(t) == Some(hop)) {
            // The one that was seen to work, if it is one for this table.
            let works = o.way(d.via).is_some_and(|w| w.metric(table) > 0);
            let next = if works { Some(d.via) } else { self.best_way(o, table, |_| true) };
            moves.extend(next.filter(|&next| next != hop).map(|next| (table, next)));
        }
        for (table, next) in moves {
            self.set_route(orig, table, Some(next));
        }
        if self.cfg.bonding {
            self.refresh_bond(orig);
        }
        self.counters.add(Count::VerifyAccused, 1);
        self.event(Event::NotForwarding {
            link: hop.link,
            neigh: hop.neigh,
            orig,
            lost: d.lost,
            other: d.via.neigh,
            other_asked: d.other.asked(),
            other_answered: d.other.answered(),
        });
        // Should the new one turn out no better, it is looked at at once.
        self.look_at(d.via, orig, now, now);
    }

    /// A neighbour forwards to an originator again: the next OGM over it may win.
    fn trust_again(&mut self, hop: NextHop, orig: MacAddr) {
        self.weigh_way(hop, orig);
        if self.cfg.bonding {
            self.refresh_bond(orig);
        }
        self.event(Event::ForwardsAgain { link: hop.link, neigh: hop.neigh, orig });
    }
}

/// A metric of which a share in sixteenths is left; what was more than nothing stays so: a way that
/// swallows what is long may be the last one there is.
pub(crate) fn lessened(metric: u32, share: Option<u8>) -> u32 {
    let Some(share) = share else { return metric };
    let kept = u64::from(metric) * u64::from(share.min(16)) / 16;
    // Not more than before.
    (kept as u32).max(metric.min(1))
}
