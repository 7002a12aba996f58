//! The control side: owns all routing state, dispatches inputs, collects outputs.

use crate::auto::Auto;
use crate::bla::Bla;
use crate::border::{DataPlane, Event, Input, Output};
use crate::config::{Algorithm, Choice, LinkConfig, LinkId, MAX_LINKS, MeshConfig, Seqnos, Station};
use crate::counters::{Count, Counters, Drop};
use crate::dat;
use crate::fib::{FibChange, FibLink, NextHop, Table};
use crate::flood::Flood;
use crate::fragment::{self, Reassembly};
use crate::frame::Frame;
use crate::gateway;
use crate::host::HostInfo;
use crate::iv::OgmQueue;
use crate::link::{Bucket, Link, PURGE_AFTER};
use crate::meter::Meters;
use crate::multicast;
use crate::originator::{COPIES, Originators};
use crate::queue::Class;
use crate::rng::Rng;
use crate::snoop::Snoop;
use crate::sorted::SortedMap;
use crate::time::{Duration, Instant};
use crate::tt::global::Global;
use crate::tt::local::Local;
use crate::tt::{Key, Request, RoamLimit};
use crate::tvlvs::Introduced;
use crate::v;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use packet::consts::{ETH_LEN, ETHERTYPE, TTL, packet_type};
use packet::eth::EthHeader;
use packet::tvlv::{Containers, kind, roam, tt};
use packet::unicast::{UnicastHeader, UnicastTvlvHeader};
use packet::{MacAddr, Vid};
use zerocopy::IntoBytes;

/// Purging, once per this time. Source: "B.A.T.M.A.N. IV" section 11.
const WORKER: Duration = Duration::from_secs(1);
/// An originator that is silent this long is removed.
const ORIGINATOR_TIMEOUT: Duration = Duration::from_secs(400);
/// Clients are aged every so many runs of the worker.
const CLIENT_WORKER: u32 = 5;
/// Mesh echoes answered at once, and per second after that. Source: "Pitfalls" B 17.
const ICMP_BUDGET: (u32, u32) = (200, 100);
/// Whole tables given at once, and per second after that: a request is small, an answer is not.
/// After our version wrapped, every node of the mesh asks at once.
const TABLE_BUDGET: (u32, u32) = (500, 100);
/// People are told of a full table once in this time.
const TABLE_FULL_EVERY: Duration = Duration::from_secs(60);

/// A node's routing state.
#[derive(Debug)]
pub struct Mesh {
    pub(crate) cfg: MeshConfig,
    /// The algorithm that runs.
    pub(crate) algorithm: Algorithm,
    pub(crate) started: Instant,
    pub(crate) rng: Rng,
    pub(crate) out: VecDeque<Output>,
    pub(crate) counters: Counters,
    /// The host's side of the mesh interface.
    pub(crate) host: HostInfo,
    pub(crate) links: SortedMap<LinkId, Link>,
    pub(crate) primary: Option<LinkId>,
    /// The routing tables there are: the default one and one per hard interface.
    pub(crate) tables: Vec<Table>,
    pub(crate) originators: Originators,
    pub(crate) ogm_queue: OgmQueue,
    /// What is known of algorithms around us.
    pub(crate) auto: Auto,
    /// What we say of ourselves to Meshwork nodes.
    pub(crate) introduced: Introduced,
    pub(crate) facts: crate::facts::Schedule,
    /// Own OGMs of B.A.T.M.A.N. V.
    pub(crate) v: v::State,
    pub(crate) local: Local,
    pub(crate) local_full: bool,
    pub(crate) global: Global,
    pub(crate) requests: SortedMap<MacAddr, Request>,
    pub(crate) roams: SortedMap<Key, RoamLimit>,
    /// Own clients that other nodes announce, and when people were told.
    pub(crate) contested: SortedMap<MacAddr, Instant>,
    pub(crate) flood: Flood,
    pub(crate) dat: dat::State,
    pub(crate) bla: Bla,
    pub(crate) multicast: multicast::State,
    pub(crate) bcast_seqno: u32,
    /// How many more own floods are sent more than once now.
    pub(crate) copies: Bucket,
    pub(crate) fragments: Reassembly,
    pub(crate) frag_seqno: u16,
    pub(crate) gateway: gateway::State,
    pub(crate) icmp_budget: Bucket,
    pub(crate) meters: Meters,
    pub(crate) table_budget: Bucket,
    /// Interfaces count from here; they stay close enough together for one number to be persisted.
    first_seqno: u32,
    /// Newest sequence number of interfaces that went away, so that they resume ahead of it.
    resume: SortedMap<LinkId, u32>,
    next_work: Instant,
    works: u32,
    told_full: SortedMap<&'static str, Instant>,
    /// Originators that lost their last way a moment ago, see `neighbor`.
    pub(crate) orphans: SortedMap<MacAddr, u8>,
    /// Ways that broke a moment ago.
    pub(crate) losses: crate::react::Losses,
    /// Whether neighbours forward what they announce ways for.
    pub(crate) verify: crate::verify::State,
    pub(crate) probe_seqno: u16,
    /// When a neighbour has to be looked at, see `react::probe`.
    pub(crate) probe_next: Instant,
    /// We carry for others.
    pub(crate) gives: bool,
    /// Until then packets of others pass although we give nothing any more; `None` when they are stopped.
    pub(crate) gives_until: Option<Instant>,
}

impl Mesh {
    /// A node without hard interfaces. `seed` feeds jitter and, where `resume` is `None`, the
    /// first sequence numbers.
    pub fn new(config: MeshConfig, seed: u64, resume: Option<Seqnos>, now: Instant) -> Self {
        let mut rng = Rng::new(seed);
        let first = resume.unwrap_or(Seqnos { ogm: rng.next_u32(), bcast: 1, algorithm: None });
        let mut mesh = Self {
            algorithm: match config.algorithm {
                Choice::Fixed(a) => a,
                Choice::Auto => first.algorithm.unwrap_or(Algorithm::V),
            },
            introduced: Introduced::new(),
            facts: crate::facts::Schedule::new(),
            auto: Auto::new(config.algorithm, first.algorithm.is_some(), now),
            v: v::State { seqno: first.ogm, next_ogm: now + config.orig_interval },
            started: now,
            out: VecDeque::new(),
            counters: Counters::default(),
            host: HostInfo::default(),
            links: SortedMap::new(),
            primary: None,
            tables: alloc::vec![Table::Host],
            originators: Originators::new(),
            ogm_queue: OgmQueue::default(),
            local: Local::default(),
            local_full: false,
            global: Global::new(config.caps.clients, config.caps.clients_per_originator),
            requests: SortedMap::new(),
            roams: SortedMap::new(),
            contested: SortedMap::new(),
            flood: Flood::default(),
            dat: dat::State::new(now),
            bla: Bla::default(),
            multicast: multicast::State::default(),
            bcast_seqno: first.bcast,
            copies: Bucket::new(COPIES.0, COPIES.1, now),
            fragments: Reassembly::new(config.caps.fragment_bytes),
            frag_seqno: rng.next_u32() as u16,
            meters: Meters::new(now),
            gateway: gateway::State::new(now),
            icmp_budget: Bucket::new(ICMP_BUDGET.0, ICMP_BUDGET.1, now),
            table_budget: Bucket::new(TABLE_BUDGET.0, TABLE_BUDGET.1, now),
            first_seqno: first.ogm,
            resume: SortedMap::new(),
            next_work: now + WORKER,
            works: 0,
            told_full: SortedMap::new(),
            orphans: SortedMap::new(),
            losses: crate::react::Losses::default(),
            verify: crate::verify::State::new(seed),
            probe_seqno: 0,
            probe_next: Instant::FAR_FUTURE,
            gives: true,
            gives_until: None,
            cfg: config,
            rng,
        };
        mesh.add_own_client(now);
        mesh.out.push_back(Output::Fib(FibChange::Fragmentation(mesh.cfg.fragmentation)));
        mesh.publish_snoop();
        mesh.publish_isolation();
        mesh
    }

    /// Takes one input in. Drain [`Mesh::poll_output`] to `None` afterwards.
    pub fn handle(&mut self, input: Input, now: Instant) {
        let done = match input {
            Input::LinkUp(id, cfg) => {
                self.link_up(id, cfg, now);
                Ok(())
            }
            Input::LinkDown(id) => {
                self.link_down(id, now);
                Ok(())
            }
            Input::CarrierLost(id) => {
                self.carrier_lost(id, now);
                Ok(())
            }
            Input::LinkSpeed(id, speed) => {
                if let Some(link) = self.links.get_mut(&id) {
                    link.v.speed = speed;
                }
                Ok(())
            }
            Input::LinkUse(id, bytes) => {
                if let Some(link) = self.links.get_mut(&id) {
                    link.v.bytes_per_second = bytes;
                }
                Ok(())
            }
            Input::OwnerUse(id, used) => {
                self.note_owner_use(id, used, now);
                Ok(())
            }
            Input::Gives(gives) => {
                self.set_gives(gives, now);
                Ok(())
            }
            Input::OwnerWaits(id) => {
                self.owner_waits(id, now);
                Ok(())
            }
            Input::Station(id, neigh, station) => {
                if let Some(n) = self.links.get_mut(&id).and_then(|l| l.neighbors.get_mut(&neigh)) {
                    n.v.rate.note_station(station, now);
                    match station {
                        Station::Gone => self.leave_neighbor(NextHop { link: id, neigh }, now),
                        Station::Failed(n) if n > 0 => self.suspect(NextHop { link: id, neigh }, now),
                        _ => {}
                    }
                }
                Ok(())
            }
            Input::Host(info) => {
                self.host_changed(info, now);
                Ok(())
            }
            Input::Flow(hop, dest) => {
                self.note_flow(hop, now);
                self.note_flow_to(hop, dest, now);
                Ok(())
            }
            Input::LinkRx(link, frame) => self.link_rx(link, frame, now),
            Input::HostRx(frame) => self.host_rx(frame, now),
            Input::Listeners(listeners) => {
                self.set_listeners(listeners, now);
                Ok(())
            }
            Input::Configure(cfg) => {
                self.configure(cfg, now);
                Ok(())
            }
            Input::Echo(echo) => self.send_echo(echo),
            Input::Meter(meter) => {
                self.meter(meter, now);
                Ok(())
            }
            Input::Internet(online) => {
                self.gateway_online(online);
                Ok(())
            }
            Input::Leave => {
                self.bla_leave();
                self.gateway_leave(now);
                Ok(())
            }
            Input::Tick => Ok(()),
        };
        if let Err(why) = done {
            self.counters.drop(why);
        }
        self.run_timers(now);
    }

    /// The next thing that wants to be done.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// When [`Input::Tick`] is due. A shell that is late just ticks.
    pub fn poll_timeout(&self) -> Instant {
        let flood = self.flood.next().unwrap_or(Instant::FAR_FUTURE);
        let routing = match self.algorithm {
            _ if self.is_listening() => self.auto.next(),
            Algorithm::Iv => self.next_ogm_timer(),
            Algorithm::V => self.next_v_timer(),
        };
        let services = self.next_dat_timer().min(self.next_bla_timer()).min(self.next_meter_timer());
        self.next_work
            .min(routing)
            .min(flood)
            .min(services)
            .min(self.probe_next)
            .min(self.losses.next())
            .min(self.verify.next())
    }

    /// Sequence numbers to resume with after a restart; the shell persists them now and then and
    /// adds a reserve when it reads them back.
    pub fn seqnos(&self) -> Seqnos {
        let of_primary = self.primary.and_then(|id| self.links.get(&id)).map(|l| l.seqno);
        let ogm = match self.algorithm {
            Algorithm::Iv => of_primary.unwrap_or(self.first_seqno),
            Algorithm::V => self.v.seqno,
        };
        Seqnos { ogm, bcast: self.bcast_seqno, algorithm: Some(self.algorithm) }
    }

    fn run_timers(&mut self, now: Instant) {
        self.run_auto_timers(now);
        match self.algorithm {
            _ if self.is_listening() => {}
            Algorithm::Iv if self.next_ogm_timer() <= now => self.run_ogm_timers(now),
            Algorithm::V if self.next_v_timer() <= now => self.run_v_timers(now),
            _ => {}
        }
        self.run_dat_timers(now);
        self.run_bla_timers(now);
        self.run_meter_timers(now);
        self.run_flood_timers(now);
        if self.probe_next <= now {
            self.run_probes(now);
        }
        if self.losses.next() <= now {
            self.run_losses(now);
        }
        if self.verify.next() <= now {
            self.run_verify(now);
        }
        if self.next_work <= now {
            self.next_work = now + WORKER;
            self.work(now);
        }
    }

    /// What is done once a second.
    fn work(&mut self, now: Instant) {
        self.works = self.works.wrapping_add(1);
        self.stop_carrying(now);
        for link in self.links.values_mut() {
            let id = link.id;
            let out = &mut self.out;
            link.neighbors.retain(|mac, n| {
                let stays = now.since(n.last_seen) <= PURGE_AFTER;
                if !stays {
                    out.push_back(Output::Event(Event::NeighborGone { link: id, neigh: *mac }));
                }
                stays
            });
        }
        self.purge_originators(now);
        self.leave_silent_neighbors(now);
        self.forget_orphans();
        for _ in 0..self.fragments.purge(now) {
            self.counters.drop(Drop::FragmentTimeout);
        }
        if core::mem::take(&mut self.local_full) {
            self.table_full("own clients", now);
        }
        if self.cfg.bonding {
            self.refresh_bonds();
        }
        self.choose_originators(now);
        self.gateway_work(now);
        self.auto_work(now);
        self.multicast_work(now);
        if self.works.is_multiple_of(CLIENT_WORKER) {
            self.age_clients(now);
            self.purge_requests();
            self.purge_roams(now);
        }
    }

    fn purge_originators(&mut self, now: Instant) {
        let gone: Vec<MacAddr> = self
            .originators
            .iter()
            .filter(|(_, o)| now.since(o.last_seen) > ORIGINATOR_TIMEOUT)
            .map(|(mac, _)| *mac)
            .collect();
        for orig in gone {
            self.remove_originator(orig);
        }
        let mut lost = Vec::new();
        for (orig, o) in &mut self.originators {
            let links = &self.links;
            let purged = o.purge(now, |id| links.contains_key(&id), &self.tables);
            lost.extend(purged.into_iter().map(|(table, next)| (*orig, table, next)));
        }
        for (orig, table, next) in lost {
            self.set_route(orig, table, next);
        }
    }

    pub(crate) fn remove_originator(&mut self, orig: MacAddr) {
        for i in 0..self.tables.len() {
            if let Some(&table) = self.tables.get(i) {
                self.set_route(orig, table, None);
            }
        }
        self.forget_orphan(orig);
        self.forget_clients_of(orig);
        self.global.tables.remove(&orig);
        self.requests.remove(&orig);
        self.gateway_gone(orig);
        if self.originators.remove(&orig).is_some() {
            self.multicast_gone();
            self.out.push_back(Output::Fib(FibChange::OriginatorGone(orig)));
        }
        self.dat_changed(orig);
    }

    // --- hard interfaces ---

    fn link_up(&mut self, id: LinkId, cfg: LinkConfig, now: Instant) {
        if usize::from(id.0) >= MAX_LINKS || !cfg.mac.is_unicast() {
            return;
        }
        let fib = FibLink { mac: cfg.mac, mtu: cfg.mtu };
        match self.links.get_mut(&id) {
            Some(link) if link.cfg.mac == cfg.mac => link.cfg = cfg,
            _ => {
                // A new address is a new interface to everybody else.
                if self.links.contains_key(&id) {
                    self.link_down(id, now);
                }
                let seqno = self.resume.get(&id).copied().unwrap_or(self.first_seqno);
                let link = Link::new(id, cfg, seqno, &self.cfg, &mut self.rng, now);
                self.links.insert(id, link);
                self.tables.push(Table::Link(id));
            }
        }
        self.out.push_back(Output::Fib(FibChange::Link(id, Some(fib))));
        self.choose_primary();
        self.publish_own();
    }

    fn link_down(&mut self, id: LinkId, now: Instant) {
        self.leave_link(id, now);
        let Some(link) = self.links.remove(&id) else { return };
        self.resume.insert(id, link.seqno);
        for neigh in link.neighbors.keys() {
            self.event(Event::NeighborGone { link: id, neigh: *neigh });
        }
        self.tables.retain(|&t| t != Table::Link(id));
        self.ogm_queue.forget(id);
        self.flood.forget(id);
        for o in self.originators.values_mut() {
            o.forget_table(Table::Link(id));
        }
        let origs: Vec<MacAddr> = self.originators.keys().copied().collect();
        for orig in &origs {
            let next = None;
            self.out.push_back(Output::Fib(FibChange::Route { orig: *orig, table: Table::Link(id), next }));
        }
        // Ways over the interface are gone at once, not at the next purge.
        self.purge_originators(self.next_work - WORKER);
        self.out.push_back(Output::Fib(FibChange::Link(id, None)));
        self.choose_primary();
        self.publish_own();
        if self.cfg.bonding {
            self.refresh_bonds();
        }
        if self.links.is_empty() {
            self.event(Event::NoLink);
        }
    }

    /// The primary hard interface is the first one, and stays while it lives.
    fn choose_primary(&mut self) {
        if self.primary.is_none_or(|id| !self.links.contains_key(&id)) {
            self.primary = self.links.keys().next().copied();
        }
    }

    pub(crate) fn publish_own(&mut self) {
        let change = FibChange::Own { orig: self.own_orig(), ttvn: self.local.ttvn };
        self.out.push_back(Output::Fib(change));
    }

    /// The routing algorithm that runs.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Our originator address; zero while no hard interface is up.
    pub fn own_orig(&self) -> MacAddr {
        self.primary.and_then(|id| self.links.get(&id)).map_or(MacAddr::ZERO, |l| l.cfg.mac)
    }

    pub(crate) fn is_own(&self, mac: MacAddr) -> bool {
        self.links.values().any(|l| l.cfg.mac == mac)
    }

    fn configure(&mut self, cfg: MeshConfig, now: Instant) {
        let old = core::mem::replace(&mut self.cfg, cfg);
        if old.host_mac != self.cfg.host_mac {
            self.remove_own_client((old.host_mac, Vid::UNTAGGED));
            self.add_own_client(now);
        }
        if let Choice::Fixed(to) = self.cfg.algorithm {
            self.change_algorithm(to, "it was set", now);
        }
        self.global.cap = self.cfg.caps.clients;
        self.global.cap_per_originator = self.cfg.caps.clients_per_originator;
        self.out.push_back(Output::Fib(FibChange::Fragmentation(self.cfg.fragmentation)));
        self.dat_configured(now);
        self.announce_listeners(now);
        self.publish_snoop();
        self.publish_isolation();
        if old.bonding != self.cfg.bonding {
            self.refresh_bonds();
        }
        self.gateway_configured(&old, now);
        self.verify_configured();
    }

    /// Tells the data plane which client frames our services want to see.
    pub(crate) fn publish_snoop(&mut self) {
        let snoop = Snoop {
            arp: self.cfg.dat,
            dhcp: self.cfg.dat || self.gateway_guards(),
            nd: self.cfg.dat || self.gateway_wants_nd() || self.gateway_guards(),
            extended: self.gateway_guards(),
            groups: self.cfg.bridge_loop_avoidance,
            claims: self.bla.is_active(),
        };
        self.out.push_back(Output::Fib(FibChange::Snoop(snoop)));
    }

    // --- frames ---

    fn link_rx(&mut self, link: LinkId, frame: Frame, now: Instant) -> Result<(), Drop> {
        if !self.links.contains_key(&link) {
            return Err(Drop::LinkDown);
        }
        if let Ok((eth, _)) = EthHeader::parse(frame.bytes()) {
            self.heard_from(NextHop { link, neigh: eth.src }, now);
        }
        match frame.bytes().get(ETH_LEN).copied() {
            Some(packet_type::OGM) if self.algorithm == Algorithm::Iv => self.receive_ogms(link, &frame, now),
            Some(packet_type::ELP) if self.algorithm == Algorithm::V => self.receive_elp(link, &frame, now),
            Some(packet_type::OGM2) if self.algorithm == Algorithm::V => self.receive_ogm2s(link, &frame, now),
            Some(packet_type::BCAST) => self.receive_bcast(link, frame, now),
            Some(packet_type::MCAST) => self.receive_multicast(link, frame, now),
            Some(packet_type::UNICAST) => self.receive_unicast(link, frame, now),
            Some(packet_type::ICMP) => self.receive_icmp(link, frame, now),
            Some(packet_type::UNICAST_TVLV) => self.receive_unicast_tvlv(link, frame, now),
            Some(packet_type::FRAG) => self.receive_fragment(link, &frame, now),
            Some(packet_type::UNICAST_4ADDR) => self.receive_4addr(link, frame, now),
            Some(packet_type::MESHWORK) => self.receive_meshwork(link, &frame, now),
            Some(packet_type::OGM | packet_type::ELP | packet_type::OGM2) => {
                Err(self.other_algorithm(link, &frame, now))
            }
            Some(_) => Err(Drop::Unsupported),
            None => Err(Drop::Short),
        }
    }

    fn receive_fragment(&mut self, link: LinkId, frame: &Frame, now: Instant) -> Result<(), Drop> {
        let (eth, packet) = EthHeader::parse(frame.bytes()).map_err(|_| Drop::Short)?;
        self.counters.frame(Count::FragRx, frame.len());
        let Some(whole) = self.fragments.add(packet, now)? else { return Ok(()) };
        if whole.first() == Some(&packet_type::FRAG) {
            return Err(Drop::NestedFragment);
        }
        let mut again = Frame::copy_of(&whole);
        if let Some(room) = again.push_front(ETH_LEN).get_mut(..ETH_LEN) {
            room.copy_from_slice(eth.as_bytes());
        }
        self.out.push_back(Output::LinkAgain(link, again));
        Ok(())
    }

    fn receive_unicast_tvlv(&mut self, link: LinkId, frame: Frame, now: Instant) -> Result<(), Drop> {
        let packet = frame.bytes().get(ETH_LEN..).unwrap_or_default();
        let (header, tvlvs) = UnicastTvlvHeader::parse(packet).map_err(|_| Drop::BadTvlv)?;
        let (dst, src) = (header.dst, header.src);
        let for_us = self.is_own(dst);
        if self.is_own(src) {
            return Err(Drop::OwnSource);
        }
        for c in Containers::new(tvlvs) {
            match (c.kind, c.version) {
                (kind::TT, 1) => {
                    let table = tt::Tt::parse(c.value).map_err(|_| Drop::BadTvlv)?;
                    match table.header.flags & tt::flags::KIND {
                        tt::flags::REQUEST if self.receive_tt_request(dst, src, &table, now) => return Ok(()),
                        tt::flags::RESPONSE if for_us => self.receive_tt_response(src, &table, now)?,
                        _ => {}
                    }
                }
                (kind::ROAM, 1) if for_us => {
                    let moved = roam::Roam::parse(c.value).map_err(|_| Drop::BadTvlv)?;
                    self.receive_roam(src, moved, now)?;
                }
                // Unlike the kernel we carry containers that we do not know. Source: "Pitfalls" A 23.
                _ => {}
            }
        }
        if for_us { Ok(()) } else { self.forward(link, frame) }
    }

    /// Passes a packet of the unicast class on, by the table of the interface it came in on.
    pub(crate) fn forward(&mut self, link: LinkId, mut frame: Frame) -> Result<(), Drop> {
        let packet = frame.bytes_mut().get_mut(ETH_LEN..).unwrap_or_default();
        let (header, _) = UnicastHeader::parse_mut(packet).map_err(|_| Drop::Short)?;
        let dest = header.dest;
        if !self.gives && self.gives_until.is_none() {
            return Err(Drop::NotGiven);
        }
        if header.ttl < 2 {
            return Err(Drop::Ttl);
        }
        header.ttl = header.ttl.min(TTL) - 1;
        if !self.originators.contains_key(&dest) {
            return Err(Drop::UnknownOriginator);
        }
        let len = frame.len();
        frame.pull_front(ETH_LEN);
        if !self.send_frame(dest, Table::Link(link), frame) {
            return Err(Drop::NoRoute);
        }
        self.counters.frame(Count::Forward, len);
        Ok(())
    }

    /// Sends a packet (without Ethernet header) to an originator. False without a route.
    pub(crate) fn send_to(&mut self, dest: MacAddr, table: Table, packet: &[u8]) -> bool {
        self.send_frame(dest, table, Frame::copy_of(packet))
    }

    /// Sends a packet (without Ethernet header) to an originator. False without a route.
    pub(crate) fn send_frame(&mut self, dest: MacAddr, table: Table, mut frame: Frame) -> bool {
        let Some(hop) = self.originators.get(&dest).and_then(|o| o.router(table)) else { return false };
        let Some(link) = self.links.get(&hop.link) else { return false };
        let eth = EthHeader { dst: hop.neigh, src: link.cfg.mac, ethertype: ETHERTYPE.into() };
        let client = matches!(frame.bytes().first(), Some(&packet_type::UNICAST | &packet_type::UNICAST_4ADDR));
        if table == Table::Host && client {
            // It starts here.
            frame.class.get_or_insert(Class::Owner);
        }
        if let Some(room) = frame.push_front(ETH_LEN).get_mut(..ETH_LEN) {
            room.copy_from_slice(eth.as_bytes());
        }
        if frame.len() - ETH_LEN <= link.cfg.mtu {
            self.out.push_back(Output::LinkTx(hop.link, frame));
            return true;
        }
        self.frag_seqno = self.frag_seqno.wrapping_add(1);
        let own = self.own_orig();
        let mtu = self.links.get(&hop.link).map_or(0, |l| l.cfg.mtu);
        let pieces = fragment::split(&eth, &frame, own, self.frag_seqno, mtu).filter(|_| self.cfg.fragmentation);
        let Some(pieces) = pieces else {
            self.counters.drop(Drop::TooBig);
            return true;
        };
        for piece in pieces {
            self.counters.frame(Count::FragTx, piece.len());
            self.out.push_back(Output::LinkTx(hop.link, piece));
        }
        true
    }

    // --- saying things ---

    pub(crate) fn event(&mut self, event: Event) {
        self.out.push_back(Output::Event(event));
    }

    pub(crate) fn table_full(&mut self, table: &'static str, now: Instant) {
        let told = self.told_full.get(table).is_some_and(|&at| now.since(at) < TABLE_FULL_EVERY);
        if !told {
            self.told_full.insert(table, now);
            self.event(Event::TableFull(table));
        }
    }
}

/// Hands one input to the control side and carries out what it wants, except for events, which
/// go to `event`.
pub fn drive(mesh: &mut Mesh, plane: &mut impl DataPlane, input: Input, now: Instant, mut event: impl FnMut(Event)) {
    mesh.handle(input, now);
    while let Some(output) = mesh.poll_output() {
        match output {
            Output::LinkTx(link, frame) => plane.inject_link(link, frame),
            Output::HostTx(frame) => plane.inject_host(frame),
            Output::LinkAgain(link, frame) => plane.again_link(link, frame),
            Output::HostAgain(frame) => plane.again_host(frame),
            Output::Fib(change) => plane.apply(&change),
            Output::Event(e) => event(e),
        }
    }
}
