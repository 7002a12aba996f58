//! A node that lives through a story, and what must hold after every step of it.

use crate::script::Step;
use mesh_core::fib::Table;
use mesh_core::fib::NextHop;
use mesh_core::{
    Algorithm, Counters, DataPlane, Duration, Fib, FibChange, Frame, Input, Instant, LinkConfig, LinkId, Mesh, MeshConfig,
    Plane, PlaneSink, drive,
};
use packet::consts::{AGGREGATE_BYTES, ETH_LEN, ETHERTYPE, TTL};
use packet::elp::ElpHeader;
use packet::eth::{ClientFrame, EthHeader};
use packet::ogm::{DIRECTLINK, OgmHeader};
use packet::ogm2::Ogm2Header;
use packet::{MacAddr, Packet};
use std::collections::{BTreeMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use zerocopy::IntoBytes;

/// Most frames that one step may send: three copies on each interface for every neighbour and
/// originator that the small caps allow would be far below.
const FRAMES_PER_STEP: usize = 4096;
/// Most ticks at one moment until nothing is due: a timer of each interface may be one turn behind.
const CATCH_UP: usize = 8;
/// Most timer runs while time passes; a timer that is due at once for ever would pass it.
const TICKS_PER_SECOND: u64 = 2000;

/// The data plane: the real hot path, and a hash and the last few of all that was sent.
struct TestPlane {
    plane: Plane,
    now: Instant,
    sink: Sink,
}

#[derive(Default)]
struct Sink {
    links: BTreeMap<LinkId, LinkConfig>,
    /// Largest MTU that each had: an aggregate may be waiting while the MTU shrinks.
    largest: BTreeMap<LinkId, usize>,
    punted: VecDeque<Input>,
    /// Last own OGMs and where they were sent.
    ogms: VecDeque<(LinkId, Vec<u8>)>,
    frames: usize,
    digest: DefaultHasher,
}

impl Sink {
    fn sent(&mut self, link: LinkId, frame: &Frame) {
        self.frames += 1;
        frame.bytes().hash(&mut self.digest);
        let config = self.links.get(&link).expect("frames leave by interfaces that are up");
        let largest = self.largest.get(&link).copied().unwrap_or_default();
        let (eth, bytes) = EthHeader::parse(frame.bytes()).expect("an Ethernet header");
        assert_eq!(eth.ethertype.get(), ETHERTYPE);
        assert_eq!(eth.src, config.mac, "the interface's own address");
        let packet = Packet::parse(bytes).expect("a packet that we would accept");
        match packet {
            Packet::Ogm(all) => {
                assert!(eth.dst.is_broadcast());
                assert_eq!(all.bytes().len(), bytes.len(), "whole members only");
                let mut members = all.members();
                let single = members.next().is_some() && members.next().is_none();
                assert!(single || bytes.len() <= AGGREGATE_BYTES.min(largest), "an aggregate of {}", bytes.len());
                assert!(all.members().all(|ogm| ogm.header.ttl <= TTL));
                self.ogms.push_front((link, frame.bytes().to_vec()));
                self.ogms.truncate(4);
            }
            Packet::Bcast(header, _) => {
                assert!(eth.dst.is_broadcast() && header.ttl < TTL && header.orig.is_unicast());
            }
            Packet::Unicast(..)
            | Packet::Unicast4(..)
            | Packet::Frag(..)
            | Packet::UnicastTvlv(..)
            | Packet::Icmp(_)
            | Packet::Forwardable(..) => {
                assert!(eth.dst.is_unicast());
                assert!(bytes[2] <= TTL && bytes[2] > 0, "TTL {}", bytes[2]);
                if matches!(packet, Packet::Unicast(..) | Packet::Unicast4(..)) {
                    assert!(bytes.len() <= config.mtu, "{} bytes over MTU {}", bytes.len(), config.mtu);
                }
            }
            Packet::Elp(..) => {
                let (hello, probe) = (ElpHeader::SENT_LEN, ElpHeader::PROBE_LEN);
                assert_eq!(bytes.len(), if eth.dst.is_broadcast() { hello } else { probe });
            }
            Packet::Ogm2(all) => {
                assert!(eth.dst.is_broadcast());
                assert_eq!(all.bytes().len(), bytes.len(), "whole members only");
                assert!(all.members().all(|ogm| ogm.header.ttl <= TTL && ogm.header.orig.is_unicast()));
                assert!(bytes.len() <= largest);
            }
            Packet::Mcast { .. } => {
                assert!(eth.dst.is_unicast() && bytes.len() <= config.mtu);
                assert!(bytes[2] < TTL + 1 && bytes[2] > 0, "TTL {}", bytes[2]);
            }
            Packet::Coded(_) => panic!("nobody sends {packet:?}"),
        }
    }

    fn delivered(&mut self, frame: &Frame) {
        self.frames += 1;
        frame.bytes().hash(&mut self.digest);
        let inner = ClientFrame::parse(frame.bytes()).expect("a whole client frame");
        assert_ne!(inner.ethertype, ETHERTYPE, "no mesh frame reaches a client");
    }
}

impl PlaneSink for Sink {
    fn link_tx(&mut self, link: LinkId, frame: Frame, _: &Fib) {
        self.sent(link, &frame);
    }
    fn host_tx(&mut self, frame: Frame) {
        self.delivered(&frame);
    }
    fn punt_link(&mut self, link: LinkId, frame: Frame) {
        self.punted.push_back(Input::LinkRx(link, frame));
    }
    fn punt_host(&mut self, frame: Frame) {
        self.punted.push_back(Input::HostRx(frame));
    }
    fn flow(&mut self, next: NextHop, dest: MacAddr) {
        self.punted.push_back(Input::Flow(next, dest));
    }
    fn recycle(&mut self, _frame: Frame) {}
}

impl DataPlane for TestPlane {
    fn apply(&mut self, change: &FibChange) {
        self.plane.apply(change);
    }
    fn inject_link(&mut self, link: LinkId, frame: Frame) {
        self.sink.sent(link, &frame);
    }
    fn inject_host(&mut self, frame: Frame) {
        self.sink.delivered(&frame);
    }
    fn again_link(&mut self, link: LinkId, frame: Frame) {
        self.plane.link_rx(link, frame, self.now, &mut self.sink);
    }
    fn again_host(&mut self, frame: Frame) {
        self.plane.host_rx(frame, true, self.now, &mut self.sink);
    }
    fn counters(&self) -> Counters {
        self.plane.counters().clone()
    }
}

/// Tells every now and then how many frames all nodes have heard; `run` reads it.
fn count() {
    static HEARD: AtomicU64 = AtomicU64::new(0);
    let heard = HEARD.fetch_add(1, Ordering::Relaxed) + 1;
    if heard.is_multiple_of(1000) {
        eprintln!("frames: {heard}");
    }
}

/// The node under test.
pub struct Node {
    mesh: Mesh,
    plane: TestPlane,
    now: Instant,
    /// Time between own OGMs, and so between those of the others.
    interval: Duration,
    /// Last sequence number of each other node.
    seqnos: BTreeMap<MacAddr, u32>,
}

impl Node {
    /// A node without hard interfaces.
    pub fn new(config: MeshConfig, seed: u64) -> Self {
        let now = Instant::from_micros(1_000_000);
        let plane = TestPlane { plane: Plane::new(seed), now, sink: Sink::default() };
        let interval = config.orig_interval;
        let mut node = Self { mesh: Mesh::new(config, seed, None, now), plane, now, interval, seqnos: BTreeMap::new() };
        node.control(Input::Tick);
        node
    }

    /// Lives through one step and checks everything afterwards.
    ///
    /// # Panics
    /// When something does not hold that must.
    pub fn live(&mut self, step: Step) {
        self.plane.sink.frames = 0;
        match step {
            Step::LinkUp(id, config) => {
                self.plane.sink.links.insert(id, config.clone());
                let largest = self.plane.sink.largest.entry(id).or_default();
                *largest = config.mtu.max(*largest);
                self.control(Input::LinkUp(id, config));
            }
            Step::LinkDown(id) => {
                // What was under way for it may still come out while it is told.
                let was = self.plane.sink.links.clone();
                self.control(Input::LinkDown(id));
                self.plane.sink.links = was;
                self.plane.sink.links.remove(&id);
            }
            Step::LinkRx(link, bytes) => self.hear(link, &bytes),
            Step::Reflect { back, by, tq } => self.reflect(back, by, tq),
            Step::Talk { link, by, orig, tq, rounds, tvlvs } => {
                for _ in 0..rounds {
                    self.wait(self.interval);
                    if let Some(back) = self.plane.sink.ogms.iter().position(|(at, _)| *at == link) {
                        self.reflect(back, by, u8::MAX);
                    }
                    self.announce(link, by, orig, tq, &tvlvs);
                }
            }
            Step::Told(input) => self.control(input),
            Step::HostRx(bytes) => {
                count();
                self.plane.plane.host_rx(Frame::copy_of(&bytes), false, self.now, &mut self.plane.sink);
                self.punted();
            }
            Step::Echo(echo) => self.control(Input::Echo(echo)),
            Step::Configure(config) => {
                self.interval = config.orig_interval;
                self.control(Input::Configure(config));
            }
            Step::Wait(time) => self.wait(time),
            Step::Oversleep(time) => {
                self.now += time;
                self.control(Input::Tick);
            }
        }
        assert!(self.plane.sink.frames < FRAMES_PER_STEP, "{} frames in one step", self.plane.sink.frames);
        assert_eq!(self.mesh.broken_invariant(), None);
        self.fib_fits();
    }

    /// A number that stands for everything that was sent so far.
    pub fn digest(&self) -> u64 {
        self.plane.sink.digest.finish()
    }

    fn control(&mut self, input: Input) {
        self.plane.now = self.now;
        drive(&mut self.mesh, &mut self.plane, input, self.now, |_| {});
        self.punted();
    }

    fn punted(&mut self) {
        while let Some(input) = self.plane.sink.punted.pop_front() {
            drive(&mut self.mesh, &mut self.plane, input, self.now, |_| {});
            assert!(self.plane.sink.frames < FRAMES_PER_STEP, "frames without end");
        }
        // A late shell ticks until nothing is due; that must end soon.
        for _ in 0..CATCH_UP {
            if self.mesh.poll_timeout() > self.now {
                return;
            }
            drive(&mut self.mesh, &mut self.plane, Input::Tick, self.now, |_| {});
        }
        panic!("a timer that is always due");
    }

    fn hear(&mut self, link: LinkId, bytes: &[u8]) {
        count();
        // A shell hears nothing on interfaces that are not up.
        if self.plane.sink.links.contains_key(&link) {
            self.plane.plane.link_rx(link, Frame::copy_of(bytes), self.plane.now, &mut self.plane.sink);
            self.punted();
        }
    }

    fn reflect(&mut self, back: usize, by: MacAddr, tq: u8) {
        let Some((link, mut bytes)) = self.plane.sink.ogms.get(back).cloned() else { return };
        if let Ok((eth, packet)) = EthHeader::parse_mut(&mut bytes) {
            let sender = eth.src;
            eth.src = by;
            if let Ok((ogm, _)) = OgmHeader::parse_mut(packet) {
                (ogm.prev_sender, ogm.tq, ogm.ttl) = (sender, tq, ogm.ttl.saturating_sub(1));
                ogm.flags |= DIRECTLINK;
            }
        }
        self.hear(link, &bytes);
    }

    /// An OGM of `orig` arrives, from itself or by its neighbour `by`.
    fn announce(&mut self, link: LinkId, by: MacAddr, orig: MacAddr, tq: u8, tvlvs: &[u8]) {
        let seqno = self.seqnos.entry(orig).or_default();
        *seqno += 1;
        let eth = EthHeader { dst: MacAddr::BROADCAST, src: by, ethertype: ETHERTYPE.into() };
        if self.mesh.algorithm() == Algorithm::V {
            let elp = ElpHeader::new(by, *seqno, 500);
            let mut ogm = Ogm2Header::new(orig, *seqno);
            ogm.throughput = u32::from(tq).into();
            ogm.tvlv_len = (tvlvs.len() as u16).into();
            self.hear(link, &[eth.as_bytes(), &elp.hello()].concat());
            return self.hear(link, &[eth.as_bytes(), ogm.as_bytes(), tvlvs].concat());
        }
        let mut ogm = OgmHeader::new(orig, *seqno, if by == orig { TTL } else { TTL - 1 });
        ogm.tq = if by == orig { u8::MAX } else { tq };
        ogm.tvlv_len = (tvlvs.len() as u16).into();
        self.hear(link, &[eth.as_bytes(), ogm.as_bytes(), tvlvs].concat());
    }

    fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        let mut ticks = 0;
        while self.mesh.poll_timeout() <= end {
            self.now = self.mesh.poll_timeout().max(self.now);
            self.control(Input::Tick);
            self.plane.sink.frames = 0;
            ticks += 1;
            assert!(ticks <= TICKS_PER_SECOND * (1 + time.as_secs()), "{ticks} ticks in {time:?}");
        }
        self.now = end;
    }

    /// The forwarding table, built from the published changes alone, says what the control side knows.
    fn fib_fits(&self) {
        let fib = self.plane.plane.fib();
        let seen = self.mesh.snapshot(self.now);
        for (id, config) in &self.plane.sink.links {
            assert_eq!(fib.link(*id).map(|link| (link.mac, link.mtu)), Some((config.mac, config.mtu)));
        }
        assert_eq!(seen.links.len(), self.plane.sink.links.len());
        for orig in &seen.originators {
            let best = orig.paths.iter().find(|path| path.best).map(|path| (path.link, path.neigh));
            let route = fib.route(orig.addr, Table::Host).map(|next| (next.link, next.neigh));
            assert_eq!(route, best, "way to {}", orig.addr);
            for id in self.plane.sink.links.keys() {
                let next = fib.route(orig.addr, Table::Link(*id));
                assert!(next.is_none_or(|next| fib.link(next.link).is_some()), "a way over an interface that is gone");
            }
        }
        for client in seen.global_clients.iter().filter(|client| client.best) {
            assert_eq!(
                fib.client(client.addr, client.vid).map(|at| at.orig),
                Some(client.originator),
                "{}",
                client.addr
            );
        }
        for client in seen.local_clients {
            assert!(fib.local(client.addr, client.vid).is_some(), "own client {}", client.addr);
        }
        assert!(seen.links.is_empty() || seen.originator.is_unicast());
        assert!(seen.originator == MacAddr::ZERO || fib.is_own(seen.originator));
        let longest = self.plane.sink.ogms.iter().map(|(_, bytes)| bytes.len()).max();
        assert!(longest.is_none_or(|len| len <= ETH_LEN + 0xffff));
    }
}
