//! Own OGMs: the regular ones, and the extra ones of the fast start.
//!
//! The arithmetic of IV needs 10 OGMs heard on a link before five hops carry a metric and 26
//! before twelve. Among Meshwork nodes a new link gets up to 40 extra ones, 100 ms apart, that
//! only sense it: TTL 2, no TVLVs. A kernel neighbour would divide the echoes of its own OGMs by
//! the many it hears from us and take the link for a bad one, so nothing extra is sent where one
//! is heard, and nothing before every neighbour on the link has shown our container.

use crate::config::LinkId;
use crate::counters::Count;
use crate::frame::Frame;
use crate::mesh::Mesh;
use crate::time::{Duration, Instant};
use alloc::vec::Vec;
use packet::MacAddr;
use packet::consts::{ETH_LEN, ETHERTYPE, TTL};
use packet::eth::EthHeader;
use packet::ogm::OgmHeader;
use packet::tvlv::{self, ContainerHeader, MESHWORK_MAGIC, kind};
use zerocopy::IntoBytes;

/// Own OGMs leave up to this much earlier or later. Source: "Constants".
const JITTER: Duration = Duration::from_millis(20);
/// Extra OGMs for a new neighbour.
const FAST_OGMS: u8 = 40;
/// Time between extra OGMs.
const FAST_EVERY: Duration = Duration::from_millis(100);
/// Own OGMs carry our container this long after the start and after a neighbour appeared.
const SHOW_FOR: Duration = Duration::from_secs(5);
/// ... and then once in this many OGMs, so that its loss heals.
const SHOW_EVERY: u32 = 60;
/// TTL of OGMs that only sense a link.
const SENSE_TTL: u8 = 2;
/// Flags of a node that cannot tell which multicast groups its clients want: all of them, and no
/// multicast routers. Source: "Payload plane" section 4.1.
const MULTICAST_ALL: [u8; 4] = [0x1e, 0, 0, 0];

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
        while let Some((id, packet)) = self.ogm_queue.due(now) {
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

    fn send_own_ogm(&mut self, id: LinkId, now: Instant) {
        let primary = self.primary == Some(id);
        let tvlvs = if primary { self.own_tvlvs(now) } else { Vec::new() };
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
                self.ogm_queue.ride_along(target, &mut packet, mtu);
            }
            self.broadcast_ogms(target, &packet);
        }
    }

    fn send_fast_ogm(&mut self, id: LinkId, now: Instant) {
        let Some(link) = self.links.get_mut(&id) else { return };
        if !link.only_meshwork() {
            link.fast.remaining = 0;
            return;
        }
        link.fast.remaining -= 1;
        link.fast.next = now + FAST_EVERY;
        // A regular one that is due within the spacing does the same work.
        if link.next_ogm < now + FAST_EVERY {
            link.fast.next = link.next_ogm + FAST_EVERY;
            return;
        }
        let header = OgmHeader::new(link.cfg.mac, take_seqno(link), SENSE_TTL);
        let mut packet = header.as_bytes().to_vec();
        if self.cfg.aggregation {
            let mtu = link.cfg.mtu;
            self.ogm_queue.ride_along(id, &mut packet, mtu);
        }
        self.counters.add(Count::FastOgmTx, 1);
        self.broadcast_ogms(id, &packet);
    }

    /// A neighbour turned out to run Meshwork, or appeared: sense the link faster if that harms
    /// nobody, and show what we are.
    pub(crate) fn neighbor_appeared(&mut self, id: LinkId, now: Instant) {
        if !self.cfg.fast_start {
            return;
        }
        self.show_until = now + SHOW_FOR;
        let Some(link) = self.links.get_mut(&id) else { return };
        if link.only_meshwork() && link.fast.remaining == 0 {
            link.fast.remaining = FAST_OGMS;
            link.fast.next = link.fast.next.max(now);
        }
    }

    /// TVLVs of the next own OGM; commits changes of the local translation table.
    fn own_tvlvs(&mut self, now: Instant) -> Vec<u8> {
        let show = self.cfg.fast_start && (now < self.show_until || self.ogms_sent.is_multiple_of(SHOW_EVERY));
        self.ogms_sent = self.ogms_sent.wrapping_add(1);
        let others = 2 * ContainerHeader::LEN + MULTICAST_ALL.len() + MESHWORK_MAGIC.len();
        let mtu = self.links.values().map(|l| l.cfg.mtu).min().unwrap_or(0);
        let room = mtu.saturating_sub(OgmHeader::LEN + others + ContainerHeader::LEN);
        self.commit_local(room);
        let tt = self.local.tvlv();
        let mut out = alloc::vec![0; others + ContainerHeader::LEN + tt.len()];
        let room = tvlv::emit(&mut out, kind::TT, 1, tt)
            .and_then(|rest| tvlv::emit(rest, kind::MCAST, 2, &MULTICAST_ALL))
            .and_then(|rest| if show { tvlv::emit(rest, kind::MESHWORK, 1, &MESHWORK_MAGIC) } else { Ok(rest) })
            .map(|rest| rest.len());
        // All values are even and the buffer was sized for them.
        debug_assert!(room.is_ok());
        out.truncate(out.len() - room.unwrap_or(0));
        out
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

/// The number of an OGM that leaves now; echo windows move with it.
fn take_seqno(link: &mut crate::link::Link) -> u32 {
    let seqno = link.seqno;
    link.seqno = seqno.wrapping_add(1);
    link.slide_echoes();
    seqno
}
