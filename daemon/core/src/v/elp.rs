//! Hellos (ELP): who is near, and whether it still is. Source: "B.A.T.M.A.N. V" section 1.

use crate::border::Output;
use crate::config::LinkId;
use crate::counters::{Count, Drop};
use crate::fib::NextHop;
use crate::frame::Frame;
use crate::mesh::Mesh;
use crate::time::{Duration, Instant};
use crate::window::{WINDOW, distance};
use alloc::vec::Vec;
use packet::MacAddr;
use packet::consts::{ETH_LEN, ETHERTYPE};
use packet::elp::ElpHeader;
use packet::eth::EthHeader;
use zerocopy::IntoBytes;

/// Hellos leave up to this much earlier or later. Source: "Constants".
const JITTER: Duration = Duration::from_millis(20);
/// Unicast probes to a radio neighbour per hello, so that the driver's rate control has something
/// to learn from.
const PROBES: usize = 2;
/// A new neighbour is answered this soon, so that it need not wait for our rhythm ...
const ANSWER: Duration = Duration::from_millis(20);
/// ... and our OGM follows.
const INTRODUCE: Duration = Duration::from_millis(60);

impl Mesh {
    /// Says hello on an interface and looks at how fast the links to its neighbours are.
    pub(super) fn send_elp(&mut self, id: LinkId, now: Instant) {
        let own = self.own_orig();
        let jitter = self.rng.below(2 * JITTER);
        let interval = self.cfg.elp_interval;
        let Some(link) = self.links.get_mut(&id) else { return };
        let base = if now.since(link.v.next_elp) < interval { link.v.next_elp } else { now };
        link.v.next_elp = base + (interval + jitter).saturating_sub(JITTER);
        let interval_ms = u32::try_from(interval.as_millis()).unwrap_or(u32::MAX);
        let elp = ElpHeader::new(own, link.v.elp_seqno, interval_ms);
        link.v.elp_seqno = link.v.elp_seqno.wrapping_add(1);
        let mac = link.cfg.mac;
        let mut frames: Vec<Frame> = Vec::new();
        frames.push(elp_frame(MacAddr::BROADCAST, mac, &elp.hello()));
        for (neigh, n) in &mut link.neighbors {
            n.v.rate.sample(&link.cfg, link.v.speed, now);
            if link.cfg.wifi {
                for _ in 0..PROBES {
                    frames.push(elp_frame(*neigh, mac, &elp.probe()));
                }
            }
        }
        for frame in frames {
            self.counters.frame(Count::MgmtTx, frame.len());
            self.out.push_back(Output::LinkTx(id, frame));
        }
        self.measure_links(id, now);
    }

    /// A neighbour says hello.
    pub(crate) fn receive_elp(&mut self, link: LinkId, frame: &Frame, now: Instant) -> Result<(), Drop> {
        let (eth, packet) = EthHeader::parse(frame.bytes()).map_err(|_| Drop::Short)?;
        let (elp, _) = ElpHeader::parse(packet).map_err(|_| Drop::Short)?;
        if !eth.src.is_unicast() || !elp.orig.is_unicast() {
            return Err(Drop::BadAddress);
        }
        if self.is_own(eth.src) || self.is_own(elp.orig) {
            return Err(Drop::OwnSource);
        }
        self.counters.frame(Count::MgmtRx, frame.len());
        if !eth.dst.is_broadcast() {
            // A probe: it only keeps the driver's rate control awake. Source: "Pitfalls" A 17.
            return Ok(());
        }
        let hop = NextHop { link, neigh: eth.src };
        let (orig, seqno, interval_ms) = (elp.orig, elp.seqno.get(), elp.interval_ms.get());
        let is_new = self.note_neighbor(hop, now)?;
        let fast = self.cfg.fast_start;
        let Some(l) = self.links.get_mut(&link) else { return Err(Drop::LinkDown) };
        let Some(n) = l.neighbors.get_mut(&hop.neigh) else { return Err(Drop::UnknownOriginator) };
        let diff = n.v.last_elp.map_or(1, |last| distance(last, seqno));
        if diff < 1 && diff > -(WINDOW as i32) {
            return Err(Drop::Duplicate);
        }
        n.last_seen = now;
        n.originator = Some(orig);
        n.v.last_elp = Some(seqno);
        n.v.interval_ms = interval_ms;
        let every = Duration::from_millis(u64::from(interval_ms));
        n.life.rhythm.beat(seqno, Some(every), now);
        if is_new {
            n.v.rate.sample(&l.cfg, l.v.speed, now);
            // More hellos and OGMs than the rhythm asks for are nothing that a kernel node minds.
            if fast && l.fast.bursts.take(now) {
                l.v.next_elp = l.v.next_elp.min(now + self.rng.below(ANSWER));
                self.v.next_ogm = self.v.next_ogm.min(now + INTRODUCE);
            }
        }
        Ok(())
    }
}

fn elp_frame(dst: MacAddr, src: MacAddr, packet: &[u8]) -> Frame {
    let eth = EthHeader { dst, src, ethertype: ETHERTYPE.into() };
    let mut frame = Frame::zeroed(ETH_LEN);
    frame.bytes_mut().copy_from_slice(eth.as_bytes());
    frame.extend(packet);
    frame.priority = 7;
    frame
}
