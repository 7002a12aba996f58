//! Quick questions to a silent neighbour while frames flow to it.
//!
//! The data plane reports the first frame that it sends to a watched neighbour and is told to
//! watch again half a second later. While frames flow, a neighbour that was silent for a moment is
//! asked with mesh echoes, and left when more of them stay unanswered than its losses explain.

use super::{BELIEVED, FRACTION, bits};
use crate::border::Output;
use crate::config::LinkId;
use crate::counters::Count;
use crate::fib::{FibChange, NextHop};
use crate::frame::Frame;
use crate::mesh::Mesh;
use crate::time::{Duration, Instant};
use alloc::vec::Vec;
use packet::MacAddr;
use packet::consts::{ETH_LEN, ETHERTYPE};
use packet::eth::EthHeader;
use packet::icmp::IcmpHeader;
use zerocopy::IntoBytes;

/// A neighbour that was heard this recently needs no question.
const QUIET: Duration = Duration::from_millis(200);
/// Frames count as flowing for so long after one was seen: answers stop when questions do, and
/// both ends of a broken way want to know at once.
const FLOW: Duration = Duration::from_secs(2);
/// The data plane is told to watch again after this.
const WATCH_AGAIN: Duration = Duration::from_millis(500);
/// Least time between two questions. Two nodes in a row may have to find the same neighbour dead, the
/// second one only when the first has turned to it: both together within a second.
const SPACING: Duration = Duration::from_millis(50);
/// Names our questions among all mesh echoes of this node.
pub(crate) const PROBE_UID: u8 = 0xb7;
/// Questions whose answers are still known, per neighbour.
const REMEMBERED: usize = 16;

/// Questions to one neighbour.
#[derive(Debug, Default)]
pub(crate) struct Prober {
    /// Frames flow until then.
    flow_until: Instant,
    /// The data plane watches.
    watched: bool,
    watch_at: Instant,
    /// When there is something to do; `None` while idle.
    next: Option<Instant>,
    /// The newest question waits for its answer.
    waiting: bool,
    unanswered: u32,
    /// Ask at once, however recently it was heard.
    pressed: bool,
    /// Round trip, smoothed; zero before the first answer.
    round_trip: Duration,
    sent: Vec<(u16, Instant)>,
}

impl Prober {
    /// The neighbour was heard.
    pub(crate) fn alive(&mut self) {
        self.waiting = false;
        self.unanswered = 0;
    }

    /// The neighbour was left; no more questions before frames flow to it again.
    pub(crate) fn stop(&mut self) {
        self.alive();
        self.flow_until = Instant::ZERO;
    }

    fn spacing(&self) -> Duration {
        SPACING.max(self.round_trip * 3 / 2)
    }

    fn answered(&mut self, seqno: u16, now: Instant) {
        let Some(i) = self.sent.iter().position(|(s, _)| *s == seqno) else { return };
        let (_, at) = self.sent.swap_remove(i);
        let took = now.since(at);
        self.round_trip = took.max((self.round_trip * 7 + took) / 8);
    }
}

/// What a look at a neighbour says.
enum Look {
    Idle,
    Watch,
    Ask,
    Gone,
}

impl Mesh {
    /// The data plane sent a frame to a watched neighbour.
    pub(crate) fn note_flow(&mut self, hop: NextHop, now: Instant) {
        let Some(n) = self.links.get_mut(&hop.link).and_then(|l| l.neighbors.get_mut(&hop.neigh)) else { return };
        let p = &mut n.life.prober;
        p.watched = false;
        p.flow_until = now + FLOW;
        p.watch_at = now + WATCH_AGAIN;
        p.next = Some(now);
        self.probe_next = now;
    }

    /// A neighbour leads somewhere: the data plane shall say when frames flow to it.
    pub(crate) fn watch_neighbor(&mut self, hop: NextHop) {
        let Some(n) = self.links.get_mut(&hop.link).and_then(|l| l.neighbors.get_mut(&hop.neigh)) else { return };
        if n.life.prober.next.is_none() && !core::mem::replace(&mut n.life.prober.watched, true) {
            self.out.push_back(Output::Fib(FibChange::Watch(hop)));
        }
    }

    /// Frames to the neighbour were not acknowledged: ask it now.
    pub(crate) fn suspect(&mut self, hop: NextHop, now: Instant) {
        let Some(n) = self.links.get_mut(&hop.link).and_then(|l| l.neighbors.get_mut(&hop.neigh)) else { return };
        let p = &mut n.life.prober;
        if !n.life.dead {
            p.flow_until = p.flow_until.max(now + FLOW);
            p.pressed = true;
            p.next = Some(now);
            self.probe_next = now;
        }
    }

    /// Asks, waits, leaves.
    pub(crate) fn run_probes(&mut self, now: Instant) {
        let due: Vec<NextHop> = self
            .links
            .values()
            .flat_map(|l| l.neighbors.iter().map(move |(mac, n)| (NextHop { link: l.id, neigh: *mac }, n)))
            .filter(|(_, n)| n.life.prober.next.is_some_and(|at| at <= now))
            .map(|(hop, _)| hop)
            .collect();
        for hop in due {
            let mut look = self.look(hop, now);
            if matches!(look, Look::Watch) {
                self.out.push_back(Output::Fib(FibChange::Watch(hop)));
                look = self.look(hop, now);
            }
            match look {
                // Nobody is told to watch twice at one moment.
                Look::Idle | Look::Watch => {}
                Look::Ask => self.ask_neighbor(hop, now),
                Look::Gone => self.leave_neighbor(hop, now),
            }
        }
        let neighbors = self.links.values().flat_map(|l| l.neighbors.values());
        self.probe_next = neighbors.filter_map(|n| n.life.prober.next).min().unwrap_or(Instant::FAR_FUTURE);
    }

    fn look(&mut self, hop: NextHop, now: Instant) -> Look {
        let Some(n) = self.links.get_mut(&hop.link).and_then(|l| l.neighbors.get_mut(&hop.neigh)) else {
            return Look::Idle;
        };
        let life = &mut n.life;
        let p = &mut life.prober;
        if !p.watched && p.watch_at <= now {
            p.watched = true;
            return Look::Watch;
        }
        let watch = if p.watched { Instant::FAR_FUTURE } else { p.watch_at };
        if p.flow_until <= now || life.dead {
            p.alive();
            p.next = (!p.watched).then_some(watch);
            return Look::Idle;
        }
        let fresh = p.round_trip.is_zero() && p.sent.is_empty();
        let pressed = core::mem::take(&mut p.pressed);
        if !p.waiting && now.since(life.heard) < QUIET && !fresh && !pressed {
            p.next = Some((life.heard + QUIET).min(p.flow_until).min(watch));
            return Look::Idle;
        }
        let last = p.sent.last().map_or(Instant::ZERO, |(_, at)| *at);
        let due = last + p.spacing();
        if due > now {
            p.next = Some(due.min(watch));
            return Look::Idle;
        }
        p.unanswered += u32::from(p.waiting);
        // There and back: two chances to be lost.
        let odds = (life.rhythm.loss_odds() / 2).max(1);
        let each = bits(odds).clamp(FRACTION / 2, 5 * FRACTION);
        let mistakes = u32::from(life.mistakes.min(8)) * 2;
        if p.unanswered >= (BELIEVED / each + mistakes).max(4) {
            return Look::Gone;
        }
        p.next = Some((now + p.spacing()).min(watch));
        p.waiting = true;
        Look::Ask
    }

    /// Sends an echo request right to the neighbour, whatever the routes say.
    fn ask_neighbor(&mut self, hop: NextHop, now: Instant) {
        let own = self.own_orig();
        self.probe_seqno = self.probe_seqno.wrapping_add(1);
        let seqno = self.probe_seqno;
        let Some(link) = self.links.get_mut(&hop.link) else { return };
        let Some(n) = link.neighbors.get_mut(&hop.neigh) else { return };
        let p = &mut n.life.prober;
        if p.sent.len() >= REMEMBERED {
            p.sent.remove(0);
        }
        p.sent.push((seqno, now));
        let request = IcmpHeader::echo_request(hop.neigh, own, PROBE_UID, seqno);
        let eth = EthHeader { dst: hop.neigh, src: link.cfg.mac, ethertype: ETHERTYPE.into() };
        let mut frame = Frame::zeroed(ETH_LEN);
        frame.bytes_mut().copy_from_slice(eth.as_bytes());
        frame.extend(request.as_bytes());
        frame.priority = 7;
        self.counters.add(Count::ProbeTx, 1);
        self.out.push_back(Output::LinkTx(hop.link, frame));
    }

    /// An echo answered one of our questions: its neighbour lives, by whichever way it came.
    /// True if it was one.
    pub(crate) fn take_probe_answer(&mut self, uid: u8, seqno: u16, now: Instant) -> bool {
        if uid != PROBE_UID {
            return false;
        }
        let asked = |id: LinkId, mac: MacAddr| NextHop { link: id, neigh: mac };
        let found = self.links.values().find_map(|l| {
            let n = l.neighbors.iter().find(|(_, n)| n.life.prober.sent.iter().any(|(s, _)| *s == seqno))?;
            Some(asked(l.id, *n.0))
        });
        let Some(hop) = found else { return false };
        if let Some(n) = self.links.get_mut(&hop.link).and_then(|l| l.neighbors.get_mut(&hop.neigh)) {
            n.life.prober.answered(seqno, now);
        }
        self.heard_from(hop, now);
        true
    }
}
