//! What is done from time to time: announcements, aging, loop detection, late answers.
//! Source: "Payload plane" section 7.5.

use super::{PERIOD, WAIT_PERIODS};
use crate::border::Event;
use crate::mesh::Mesh;
use crate::snapshot::{BackboneView, BlaView, ClaimView};
use crate::time::{Duration, Instant};
use packet::MacAddr;
use packet::bla::{ClaimFrame, LOOP_DETECT_MAGIC};

/// A claim that no frame used for this long is given up. Source: "Constants".
const CLAIM_TIMEOUT: Duration = Duration::from_secs(100);
/// A gateway that is silent this long is gone.
const BACKBONE_TIMEOUT: Duration = Duration::from_secs(60);
/// Loops are looked for every so many periods.
const PROBE_PERIODS: u32 = 6;

impl Mesh {
    /// When [`Mesh::run_bla_timers`] has something to do next.
    pub(crate) fn next_bla_timer(&self) -> Instant {
        if self.bla.own.is_none() {
            return Instant::FAR_FUTURE;
        }
        let answer = self.bla.claims.lans().filter_map(|(_, l)| l.answer_at).min();
        let first = [self.bla.next_held(), answer].into_iter().flatten().min();
        first.unwrap_or(Instant::FAR_FUTURE).min(self.bla.next_work)
    }

    /// Announces, ages, looks for loops.
    pub(crate) fn run_bla_timers(&mut self, now: Instant) {
        self.bla_follow(now);
        let Some(own) = self.bla.own else { return };
        if self.next_bla_timer() > now {
            return;
        }
        self.bla_release_held(now);
        for vid in self.bla.vids() {
            if self.bla.claims.lan(vid).and_then(|l| l.answer_at).is_some_and(|at| at <= now) {
                self.bla_answer(own, vid, now);
            }
        }
        if self.bla.next_work <= now {
            self.bla.next_work = now + PERIOD;
            self.bla_work(own, now);
        }
    }

    fn bla_work(&mut self, own: MacAddr, now: Instant) {
        for key in self.bla.claims.own_unused_since(now - CLAIM_TIMEOUT) {
            self.bla_unclaim(own, key);
        }
        let silent = |g: &super::table::Gateway| now.since(g.last_seen) > BACKBONE_TIMEOUT;
        let gone: alloc::vec::Vec<_> =
            self.bla.claims.gateways().filter(|(_, _, g)| silent(g)).map(|(vid, mac, _)| (vid, mac)).collect();
        for (vid, gateway) in gone {
            self.bla.claims.gateway_gone(vid, gateway);
            self.event(Event::BackboneGone { gateway, vid });
        }
        self.bla.works = self.bla.works.wrapping_add(1);
        let random = self.bla.works.is_multiple_of(PROBE_PERIODS).then(|| self.rng.next_u32().to_be_bytes());
        if let Some([a, b, c, d]) = random {
            let [m0, m1] = LOOP_DETECT_MAGIC;
            self.bla.probe = Some((MacAddr([m0, m1, a, b, c, d]), now));
        }
        for vid in self.bla.vids() {
            self.bla_announce(own, vid);
            if let Some(random) = random {
                self.bla_say(ClaimFrame::loop_detect(own, random, self.bla.group, vid));
            }
            if let Some(lan) = self.bla.claims.lan_mut(vid) {
                lan.wait = lan.wait.saturating_sub(1);
            }
            self.bla_blocks(vid, now);
        }
    }

    /// Claims and gateways, for people and programs.
    pub(crate) fn bla_view(&self, now: Instant) -> BlaView {
        let Some(own) = self.bla.own else {
            return BlaView {
                last_loop: self.bla.last_loop.map(|(at, vid)| (now.since(at), vid)),
                ..BlaView::default()
            };
        };
        let claims = &self.bla.claims;
        let crc = |vid, gateway| match claims.gateway(vid, gateway) {
            Some(g) => g.crc,
            None => claims.lan(vid).map_or(0, |l| l.crc),
        };
        let claim = |((client, vid), c): (crate::tt::Key, &super::table::Claim)| ClaimView {
            client,
            vid,
            gateway: c.gateway,
            own: c.gateway == own,
            last_used: now.since(c.last_used),
            crc: crc(vid, c.gateway),
        };
        let others = claims.gateways().map(|(vid, gateway, g)| BackboneView {
            gateway,
            vid,
            own: false,
            last_seen: now.since(g.last_seen),
            crc: g.crc,
            claims: g.claims,
            synced: !g.unsynced,
            distrusted: g.unsynced && claims.lan(vid).is_some_and(|l| l.patience.is_used_up()),
            wait: None,
        });
        let lans = claims.lans().map(|(vid, l)| BackboneView {
            gateway: own,
            vid,
            own: true,
            last_seen: Duration::ZERO,
            crc: l.crc,
            claims: l.claims,
            synced: l.wait == 0,
            distrusted: false,
            wait: (l.wait > 0)
                .then(|| self.bla.next_work.since(now) + PERIOD * u32::from(l.wait.min(WAIT_PERIODS) - 1)),
        });
        BlaView {
            active: true,
            group: self.bla.group,
            last_loop: self.bla.last_loop.map(|(at, vid)| (now.since(at), vid)),
            claims: claims.iter().map(claim).collect(),
            backbones: lans.chain(others).collect(),
        }
    }
}
