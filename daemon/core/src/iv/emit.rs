//! Own OGMs: the regular ones, and the extra ones of the fast start.
//!
//! The arithmetic of IV needs 10 OGMs heard on a link before five hops carry a metric and 26
//! before twelve. Meshwork nodes therefore sense a new link with at most 40 extra OGMs, 100 ms apart:
//! TTL 2, no TVLVs, sequence numbers of their own. They carry the flag "not best next hop"
//! although they come from their originator. A kernel neighbour drops such an OGM before it counts
//! it, so it neither echoes it nor divides the echoes of its own by it (a kernel that did count
//! them would take the link for a bad one). A Meshwork neighbour knows by this OGM what we are,
//! counts it, echoes it, and senses back.

use crate::config::LinkId;
use crate::counters::Count;
use crate::frame::Frame;
use crate::link::{Link, Sent};
use crate::mesh::Mesh;
use crate::time::{Duration, Instant};
use alloc::vec::Vec;
use packet::MacAddr;
use packet::consts::{ETH_LEN, ETHERTYPE, TTL};
use packet::eth::EthHeader;
use packet::ogm::{NOT_BEST_NEXT_HOP, OgmHeader};
use zerocopy::IntoBytes;

/// Own OGMs leave up to this much earlier or later. Source: "Constants".
const JITTER: Duration = Duration::from_millis(20);
/// Extra OGMs for a new neighbour; with those of a new interface, 40.
const FAST_OGMS: u8 = 40 - HELLO_OGMS;
/// Time between extra OGMs.
const FAST_EVERY: Duration = Duration::from_millis(100);
/// Extra OGMs on a new interface, to learn whether a Meshwork node is there.
pub(crate) const HELLO_OGMS: u8 = 5;
/// TTL of OGMs that only sense a link.
pub(super) const SENSE_TTL: u8 = 2;

impl Mesh {
    /// Sends what is due: own OGMs, extra ones, collected ones.
    pub(crate) fn run_ogm_timers(&mut self, now: Instant) {
        let ids: Vec<LinkId> = self.links.keys().copied().collect();
        for id in ids {
            let Some(link) = self.links.get(&id) else { continue };
            if link.next_ogm <= now {
                self.send_own_ogm(id, now);
            } else if link.fast.remaining > 0 && link.fast.next <= now {
                self.send_fast_ogm(id, now);
            }
        }
        while let Some((id, mut packet, ogms)) = self.ogm_queue.due(now) {
            if self.cfg.aggregation
                && let Some(mtu) = self.links.get(&id).map(|l| l.cfg.mtu)
            {
                self.ogm_queue.ride_along(id, &mut packet, ogms, mtu);
            }
            self.broadcast_ogms(id, &packet);
        }
    }

    /// When [`Mesh::run_ogm_timers`] has something to do next.
    pub(crate) fn next_ogm_timer(&self) -> Instant {
        let links = self.links.values().flat_map(|l| {
            let fast = (l.fast.remaining > 0).then_some(l.fast.next);
            [Some(l.next_ogm), fast].into_iter().flatten()
        });
        links.chain(self.ogm_queue.next()).min().unwrap_or(Instant::FAR_FUTURE)
    }

    /// Sends the OGM of the primary interface at once.
    pub(crate) fn send_last_ogm(&mut self, now: Instant) {
        if let Some(id) = self.primary {
            self.send_own_ogm(id, now);
        }
    }

    fn send_own_ogm(&mut self, id: LinkId, now: Instant) {
        let primary = self.primary == Some(id);
        let tvlvs = if primary { self.own_tvlvs(OgmHeader::LEN) } else { Vec::new() };
        let jitter = self.rng.below(2 * JITTER);
        let wait = (self.cfg.orig_interval + jitter).saturating_sub(JITTER);
        let Some(link) = self.links.get_mut(&id) else { return };
        // Keep the rhythm of the timer, but never catch up after a long sleep.
        let base = if now.since(link.next_ogm) < self.cfg.orig_interval { link.next_ogm } else { now };
        link.next_ogm = base + wait;
        let mut header = OgmHeader::new(link.cfg.mac, take_seqno(link), if primary { TTL } else { SENSE_TTL });
        // The room for TVLVs is far below 64 KiB, see `own_tvlvs`.
        header.tvlv_len = (tvlvs.len() as u16).into();
        let targets: Vec<(LinkId, usize)> = if primary {
            self.links.values().map(|l| (l.id, l.cfg.mtu)).collect()
        } else {
            alloc::vec![(id, link.cfg.mtu)]
        };
        for (target, mtu) in targets {
            let mut packet = Vec::with_capacity(OgmHeader::LEN + tvlvs.len());
            packet.extend_from_slice(header.as_bytes());
            packet.extend_from_slice(&tvlvs);
            if self.cfg.aggregation {
                self.ogm_queue.ride_along(target, &mut packet, 1, mtu);
            }
            self.broadcast_ogms(target, &packet);
        }
    }

    fn send_fast_ogm(&mut self, id: LinkId, now: Instant) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.fast.remaining -= 1;
        link.fast.next = now + FAST_EVERY;
        let mut header = OgmHeader::new(link.cfg.mac, link.sense_seqno, SENSE_TTL);
        header.flags = NOT_BEST_NEXT_HOP;
        link.note_sent(Sent { seqno: link.sense_seqno, sense: true });
        link.sense_seqno = link.sense_seqno.wrapping_add(1);
        let mut packet = header.as_bytes().to_vec();
        if self.cfg.aggregation {
            let mtu = link.cfg.mtu;
            self.ogm_queue.ride_along(id, &mut packet, 1, mtu);
        }
        self.counters.add(Count::FastOgmTx, 1);
        self.broadcast_ogms(id, &packet);
    }

    /// A neighbour turned out to run Meshwork: sense the link to it.
    pub(crate) fn sense_neighbor(&mut self, id: LinkId, now: Instant) {
        let Some(link) = self.links.get_mut(&id) else { return };
        if link.fast.remaining < FAST_OGMS && link.fast.bursts.take(now) {
            link.fast.remaining = FAST_OGMS;
            link.fast.next = link.fast.next.max(now);
        }
    }

    /// Sends an OGM packet to everybody in reach of a hard interface.
    pub(crate) fn broadcast_ogms(&mut self, id: LinkId, packet: &[u8]) {
        let Some(link) = self.links.get(&id) else { return };
        let eth = EthHeader { dst: MacAddr::BROADCAST, src: link.cfg.mac, ethertype: ETHERTYPE.into() };
        let mut frame = Frame::zeroed(ETH_LEN);
        frame.bytes_mut().copy_from_slice(eth.as_bytes());
        frame.extend(packet);
        frame.priority = 7;
        self.counters.frame(Count::MgmtTx, frame.len());
        self.out.push_back(crate::Output::LinkTx(id, frame));
    }
}

/// The number of an OGM that leaves now.
fn take_seqno(link: &mut Link) -> u32 {
    let seqno = link.seqno;
    link.seqno = seqno.wrapping_add(1);
    link.note_sent(Sent { seqno, sense: false });
    seqno
}
