//! One node, and everybody else made up.

use super::arp::{head, reply_frame};
use crate::border::{Event, Input, Output};
use crate::config::{LinkConfig, LinkId, MeshConfig};
use crate::counters::{Count, Drop};
use crate::fib::{NextHop, Table};
use crate::frame::Frame;
use crate::mesh::Mesh;
use crate::originator::Originator;
use crate::time::{Duration, Instant};
use crate::tt::global::Claim;
use core::net::{Ipv4Addr, Ipv6Addr};
use packet::arp::Arp;
use packet::bcast::BcastHeader;
use packet::consts::{ETH_LEN, ETHERTYPE, packet_type};
use packet::dat;
use packet::eth::{ClientFrame, ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, EthHeader};
use packet::nd::{Kind, Neighbor, solicited_node};
use packet::unicast::{Unicast4Header, UnicastHeader, subtype};
use packet::{MacAddr, Vid};
use proptest::prelude::*;
use std::string::String;
use std::vec;
use std::vec::Vec;
use zerocopy::IntoBytes;

const LINK: LinkId = LinkId(0);
const OWN: MacAddr = MacAddr([2, 0xe0, 0, 0, 0, 1]);
const HOST: MacAddr = MacAddr([2, 0xba, 0, 0, 0, 1]);
const NO: Vid = Vid::UNTAGGED;

/// Client `n`, at originator `n` if it is not ours.
fn client(n: u8) -> MacAddr {
    MacAddr([2, 0xc1, 0, 0, 0, n])
}

fn orig(n: u8) -> MacAddr {
    MacAddr([2, 0xe0, 0, 0, 1, n])
}

fn ip(n: u8) -> Ipv4Addr {
    [10, 9, 0, n].into()
}

fn ip6(n: u8) -> Ipv6Addr {
    Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0xff, 0xfe00, n.into())
}

struct Bed {
    mesh: Mesh,
    now: Instant,
    events: Vec<Event>,
}

/// What the node did.
#[derive(Default, Debug)]
struct Done {
    host: Vec<Vec<u8>>,
    again: usize,
    /// Four-address packets: to whom, subtype, client frame.
    four: Vec<(MacAddr, u8, Vec<u8>)>,
    /// Plain packets: to whom, client frame.
    plain: Vec<(MacAddr, Vec<u8>)>,
}

impl Bed {
    /// A node with originators 2 to 6, each with the client of its number.
    fn new() -> Self {
        let now = Instant::from_micros(1_000_000);
        // Solicitations that nobody answers are counted as floods here.
        let config = MeshConfig { multicast_forceflood: true, ..MeshConfig::new(HOST) };
        let mut mesh = Mesh::new(config, 7, None, now);
        let cfg = LinkConfig {
            name: String::from("e0"),
            mac: OWN,
            mtu: 1532,
            wifi: false,
            hop_penalty: 0,
            throughput: None,
            measure: crate::config::Measure::Blind,
            broadcast_copies: None,
        };
        mesh.handle(Input::LinkUp(LINK, cfg), now);
        let mut bed = Self { mesh, now, events: Vec::new() };
        (2..=6).for_each(|n| bed.originator(n));
        bed.drain();
        bed
    }

    fn originator(&mut self, n: u8) {
        let hop = NextHop { link: LINK, neigh: orig(n) };
        let mut o = Originator::new(self.now);
        o.way_mut(hop, 8, self.now);
        o.set_router(Table::Host, Some(hop));
        o.features.dat = true;
        self.mesh.originators.insert(orig(n), o);
        self.mesh.dat_changed(orig(n));
        for vid in [NO, Vid::tagged(5)] {
            let claim = Claim { key: (client(n), vid), orig: orig(n), flags: 0, ttvn: 1, temp: false };
            self.mesh.global.add(claim, &|_| 1, self.now, &mut self.mesh.out).unwrap();
        }
    }

    fn drain(&mut self) -> Done {
        let mut done = Done::default();
        while let Some(output) = self.mesh.poll_output() {
            match output {
                Output::HostTx(f) => done.host.push(f.bytes().to_vec()),
                Output::HostAgain(_) => done.again += 1,
                Output::Event(e) => self.events.push(e),
                Output::LinkTx(_, f) if f.bytes()[ETH_LEN] == packet_type::UNICAST => {
                    let (h, inner) = UnicastHeader::parse(&f.bytes()[ETH_LEN..]).unwrap();
                    done.plain.push((h.dest, inner.to_vec()));
                }
                Output::LinkTx(_, f) if f.bytes()[ETH_LEN] == packet_type::UNICAST_4ADDR => {
                    let (h, inner) = Unicast4Header::parse(&f.bytes()[ETH_LEN..]).unwrap();
                    assert_eq!(h.src, OWN);
                    done.four.push((h.unicast.dest, h.subtype, inner.to_vec()));
                }
                _ => {}
            }
        }
        assert_eq!(self.mesh.broken_invariant(), None);
        done
    }

    fn host(&mut self, frame: &[u8]) -> Done {
        self.mesh.handle(Input::HostRx(Frame::copy_of(frame)), self.now);
        self.drain()
    }

    /// A four-address packet of originator `from`.
    fn four(&mut self, from: u8, subtype: u8, inner: &[u8]) -> Done {
        let eth = EthHeader { dst: OWN, src: orig(from), ethertype: ETHERTYPE.into() };
        let header = Unicast4Header::new(OWN, orig(from), 0, subtype);
        let bytes = [eth.as_bytes(), header.as_bytes(), inner].concat();
        self.mesh.handle(Input::LinkRx(LINK, Frame::copy_of(&bytes)), self.now);
        self.drain()
    }

    /// A flooded frame that originator `from` took in.
    fn flooded(&mut self, from: u8, seqno: u32, inner: &[u8]) -> Done {
        let eth = EthHeader { dst: MacAddr::BROADCAST, src: orig(from), ethertype: ETHERTYPE.into() };
        let header = BcastHeader::new(orig(from), seqno);
        let bytes = [eth.as_bytes(), header.as_bytes(), inner].concat();
        self.mesh.handle(Input::LinkRx(LINK, Frame::copy_of(&bytes)), self.now);
        self.drain()
    }

    fn wait(&mut self, msecs: u64) -> Done {
        self.now += Duration::from_millis(msecs);
        self.mesh.handle(Input::Tick, self.now);
        self.drain()
    }

    fn count(&self, what: Count) -> u64 {
        self.mesh.counters.count(what)
    }

    /// Client frames flooded so far.
    fn floods(&self) -> u64 {
        self.count(Count::Tx)
    }

    fn flips(&self) -> usize {
        self.events.iter().filter(|e| matches!(e, Event::AddressFlip { .. })).count()
    }

    fn configure(&mut self, dat: bool) -> Done {
        let cfg = MeshConfig { dat, ..self.mesh.cfg.clone() };
        self.mesh.handle(Input::Configure(cfg), self.now);
        self.drain()
    }
}

fn arp(dst: MacAddr, vid: Vid, arp: Arp) -> Vec<u8> {
    let mut f = head(dst, arp.sender_mac, vid, ETHERTYPE_ARP);
    f.extend(arp.as_bytes());
    f.bytes().to_vec()
}

/// Client `from` asks everybody for the address of `of`.
fn who_has(from: u8, of: u8) -> Vec<u8> {
    arp(MacAddr::BROADCAST, NO, Arp::request((ip(from), client(from)), ip(of)))
}

/// Client `from` answers client `to`.
fn is_at(from: u8, to: u8) -> Vec<u8> {
    reply_frame((ip(from), client(from)), (ip(to), client(to)), NO).bytes().to_vec()
}

#[test]
fn a_question_goes_to_those_who_keep_the_answer_and_is_flooded_late() {
    let mut bed = Bed::new();
    let question = who_has(1, 9);
    let done = bed.host(&question);
    let mut all: Vec<MacAddr> = (2..=6).map(orig).collect();
    all.sort_by(|a, b| dat::candidate_order(dat::key(ip(9), NO), *a, *b));
    let asked: Vec<_> = done.four.iter().map(|(to, kind, inner)| (*to, *kind, inner.clone())).collect();
    assert_eq!(asked, all[..3].iter().map(|o| (*o, subtype::DAT_GET, question.clone())).collect::<Vec<_>>());
    assert_eq!((bed.count(Count::DatGetTx), bed.floods()), (3, 0));
    assert!(bed.mesh.poll_timeout() <= bed.now + Duration::from_millis(250));
    bed.wait(249);
    assert_eq!(bed.floods(), 0);
    bed.wait(1);
    assert_eq!((bed.floods(), bed.count(Count::DatFloodSaved)), (1, 0));
}

#[test]
fn those_without_a_route_are_left_out_not_replaced() {
    let mut bed = Bed::new();
    let first = bed.host(&who_has(1, 9)).four[0].0;
    bed.mesh.set_route(first, Table::Host, None);
    assert_eq!(bed.host(&who_has(1, 9)).four.len(), 2);
    // Nobody to ask: the question is flooded at once.
    for n in 2..=6 {
        bed.mesh.set_route(orig(n), Table::Host, None);
    }
    let before = bed.floods();
    assert_eq!((bed.host(&who_has(1, 9)).four.len(), bed.floods()), (0, before + 1));
}

#[test]
fn an_answer_in_time_stops_the_flood_and_reaches_the_client_once() {
    let mut bed = Bed::new();
    bed.host(&who_has(1, 3));
    bed.wait(10);
    assert_eq!(bed.four(2, subtype::DAT_CACHE_REPLY, &is_at(3, 1)).host, [is_at(3, 1)]);
    // The second of the three.
    assert_eq!(bed.four(4, subtype::DAT_CACHE_REPLY, &is_at(3, 1)).host.len(), 0);
    assert_eq!(bed.mesh.counters.dropped(Drop::ArpDuplicate), 1);
    let done = bed.wait(250);
    assert_eq!((done.host.len(), bed.floods(), bed.count(Count::DatFloodSaved)), (0, 0, 1));
    // From now on the node answers by itself, with the client's MAC as source.
    let done = bed.host(&who_has(1, 3));
    assert_eq!((done.host, done.four.len()), (vec![is_at(3, 1)], 0));
    assert_eq!(bed.count(Count::DatHostReply), 1);
    bed.wait(300);
    assert_eq!(bed.floods(), 0);
}

#[test]
fn a_question_that_became_answerable_is_answered() {
    let mut bed = Bed::new();
    bed.host(&who_has(1, 3));
    // Client 3 answers client 2, and we happen to keep that answer: it is not for client 1.
    assert_eq!(bed.four(3, subtype::DAT_PUT, &is_at(3, 2)).host.len(), 0);
    assert_eq!(bed.mesh.counters.dropped(Drop::ArpElsewhere), 1);
    // Then its own answer to client 1 is no duplicate.
    bed.host(&who_has(8, 3));
    assert_eq!(bed.four(3, subtype::DATA, &is_at(3, 1)).host, [is_at(3, 1)]);
    assert_eq!(bed.wait(250).host.len(), 0);
    // Without it, the wait ends with an answer.
    let mut bed = Bed::new();
    bed.host(&who_has(1, 3));
    bed.four(3, subtype::DAT_PUT, &is_at(3, 2));
    assert_eq!(bed.wait(250).host, [is_at(3, 1)]);
}

#[test]
fn an_answer_of_ours_is_given_to_those_who_keep_it() {
    let mut bed = Bed::new();
    bed.host(&who_has(1, 3));
    let done = bed.host(&is_at(1, 3));
    assert_eq!((done.again, done.four.len()), (1, 6), "it goes its way, and to three for each address");
    assert!(done.four.iter().all(|(_, kind, inner)| *kind == subtype::DAT_PUT && *inner == is_at(1, 3)));
    assert_eq!(bed.count(Count::DatPutTx), 6);
    let keepers = |n| {
        let mut all: Vec<MacAddr> = (2..=6).map(orig).collect();
        all.sort_by(|a, b| dat::candidate_order(dat::key(ip(n), NO), *a, *b));
        all[..3].to_vec()
    };
    let to: Vec<MacAddr> = done.four.iter().map(|f| f.0).collect();
    assert_eq!(to, [keepers(1), keepers(3)].concat());
}

#[test]
fn questions_of_others_are_answered_or_delivered() {
    let mut bed = Bed::new();
    let done = bed.four(2, subtype::DAT_GET, &who_has(2, 3));
    assert_eq!((done.host, done.four.len()), (vec![who_has(2, 3)], 0), "our clients may know");
    bed.four(3, subtype::DAT_PUT, &is_at(3, 4));
    let done = bed.four(2, subtype::DAT_GET, &who_has(2, 3));
    assert_eq!(done.four, [(orig(2), subtype::DAT_CACHE_REPLY, is_at(3, 2))]);
    assert_eq!((done.host.len(), bed.count(Count::DatCachedReplyTx), bed.count(Count::DatGetRx)), (0, 1, 2));
    // A flooded question is answered in a plain packet, as the kernel does.
    let done = bed.flooded(2, 7, &who_has(2, 3));
    assert_eq!((done.host.len(), done.four.len(), done.plain), (0, 0, vec![(orig(2), is_at(3, 2))]));
    // One whom the translation table does not know is answered where its question came from.
    let done = bed.four(2, subtype::DAT_GET, &who_has(99, 3));
    assert_eq!(done.four, [(orig(2), subtype::DAT_CACHE_REPLY, is_at(3, 99))]);
}

#[test]
fn vlans_do_not_mix() {
    let mut bed = Bed::new();
    let five = Vid::tagged(5);
    let tagged = reply_frame((ip(3), client(3)), (ip(4), client(4)), five);
    bed.four(3, subtype::DAT_PUT, tagged.bytes());
    assert_eq!(bed.host(&who_has(1, 3)).host.len(), 0);
    let question = arp(MacAddr::BROADCAST, five, Arp::request((ip(1), client(1)), ip(3)));
    let answer = reply_frame((ip(3), client(3)), (ip(1), client(1)), five);
    assert_eq!(bed.host(&question).host, [answer.bytes()]);
    let inner = ClientFrame::parse(answer.bytes()).unwrap();
    assert_eq!((inner.vid, inner.src, inner.dst), (five, client(3), client(1)));
}

#[test]
fn announcements_pass_and_are_not_answered() {
    let mut bed = Bed::new();
    let announcement = arp(MacAddr::BROADCAST, NO, Arp::request((ip(1), client(1)), ip(1)));
    assert_eq!((bed.host(&announcement).four.len(), bed.floods()), (0, 1));
    let other = arp(MacAddr::BROADCAST, NO, Arp::request((ip(3), client(3)), ip(3)));
    let done = bed.four(3, subtype::DATA, &other);
    assert_eq!((done.host, done.four.len()), (vec![other], 0));
    let reply = arp(MacAddr::BROADCAST, NO, Arp::reply((ip(3), client(3)), (ip(3), client(3))));
    assert_eq!(bed.four(3, subtype::DATA, &reply).host, [reply]);
    assert_eq!(bed.host(&who_has(1, 3)).host, [is_at(3, 1)], "learned all the same");
    // A probe for a free address has no sender address: the table leaves it alone.
    let probe = arp(MacAddr::BROADCAST, NO, Arp::request((Ipv4Addr::UNSPECIFIED, client(1)), ip(3)));
    let done = bed.host(&probe);
    assert_eq!((done.host.len(), done.four.len(), bed.floods()), (0, 0, 2));
}

#[test]
fn questions_to_one_station() {
    let mut bed = Bed::new();
    let question = arp(client(3), NO, Arp::request((ip(1), client(1)), ip(3)));
    let done = bed.host(&question);
    assert_eq!((done.again, done.four.len()), (1, 0), "it goes there");
    bed.four(3, subtype::DATA, &is_at(3, 1));
    assert_eq!(bed.host(&question).host, [is_at(3, 1)]);
}

#[test]
fn own_clients_answer_for_themselves() {
    let mut bed = Bed::new();
    bed.host(&who_has(8, 3));
    let floods = bed.floods();
    let done = bed.host(&who_has(1, 8));
    assert_eq!((done.host.len(), done.four.len()), (0, 0), "it heard the question on its LAN");
    bed.wait(300);
    assert_eq!(bed.floods(), floods + 1, "that of client 8 only");
}

#[test]
fn no_address_that_leads_nowhere() {
    let mut bed = Bed::new();
    bed.four(3, subtype::DAT_PUT, &is_at(77, 4));
    let done = bed.host(&who_has(1, 77));
    assert_eq!((done.host.len(), done.four.len()), (0, 3));
    bed.wait(250);
    assert_eq!(bed.floods(), 1);
}

/// Pitfalls B 10, forged answers.
#[test]
fn a_forged_put_takes_nothing_over() {
    let mut bed = Bed::new();
    bed.four(3, subtype::DATA, &is_at(3, 1));
    assert_eq!(bed.host(&who_has(1, 3)).host, [is_at(3, 1)]);
    bed.wait(5000);
    let forged = reply_frame((ip(3), client(6)), (ip(4), client(4)), NO);
    bed.four(6, subtype::DAT_PUT, forged.bytes());
    let told = Event::AddressFlip {
        ip: ip(3).into(),
        vid: NO,
        old: client(3),
        new: client(6),
        from: Some(orig(6)),
        replaced: false,
    };
    assert!(bed.events.contains(&told), "{:?}", bed.events);
    // Nobody is believed: the question goes to the mesh, where client 3 hears it.
    let done = bed.host(&who_has(1, 3));
    assert_eq!((done.host.len(), done.four.len()), (0, 3));
    bed.wait(250);
    assert_eq!(bed.floods(), 1);
    let done = bed.four(2, subtype::DAT_GET, &who_has(2, 3));
    assert_eq!((done.host.len(), done.four.len()), (1, 0), "nor is anybody else told");
    // The forger goes on, the owner too: people hear it once a minute.
    for _ in 0..20 {
        bed.wait(1000);
        bed.four(6, subtype::DAT_PUT, forged.bytes());
        bed.four(3, subtype::DATA, &is_at(3, 1));
    }
    assert_eq!(bed.flips(), 1);
    // The forger stops.
    bed.wait(31_000);
    assert_eq!(bed.host(&who_has(1, 3)).host, [is_at(3, 1)]);
}

/// Pitfalls B 10, forged ARP from a client of ours, and a cache elsewhere that was poisoned.
#[test]
fn forged_arp_and_poisoned_caches() {
    let mut bed = Bed::new();
    bed.four(3, subtype::DATA, &is_at(3, 1));
    bed.host(&arp(MacAddr::BROADCAST, NO, Arp::request((ip(3), client(8)), ip(3))));
    assert_eq!(bed.flips(), 1);
    assert_eq!(bed.host(&who_has(1, 3)).host.len(), 0);
    // A minute later the owner was not heard again, but another node's memory replaces nothing.
    let mut bed = Bed::new();
    bed.four(3, subtype::DATA, &is_at(3, 1));
    bed.wait(60_000);
    let forged = reply_frame((ip(3), client(6)), (ip(1), client(1)), NO);
    bed.four(6, subtype::DAT_CACHE_REPLY, forged.bytes());
    bed.wait(31_000);
    assert_eq!(bed.host(&who_has(1, 3)).host, [is_at(3, 1)]);
}

/// Pitfalls B 10, a forged lease: it names the client that has the address, and another MAC.
#[test]
fn a_forged_lease_takes_nothing_over() {
    for from_host in [true, false] {
        let mut bed = Bed::new();
        bed.four(3, subtype::DATA, &is_at(3, 1));
        bed.wait(5000);
        let mut forged = lease(6, 3, 5);
        // chaddr, behind Ethernet, IPv4 and UDP.
        forged[14 + 28 + 28..14 + 28 + 34].copy_from_slice(&client(6).0);
        if from_host {
            bed.host(&forged)
        } else {
            bed.four(6, subtype::DATA, &forged)
        };
        assert_eq!(bed.flips(), 1);
        assert_eq!(bed.host(&who_has(1, 3)).host.len(), 0, "nobody is believed");
        bed.four(3, subtype::DATA, &is_at(3, 1));
        bed.wait(31_000);
        assert_eq!(bed.host(&who_has(1, 3)).host, [is_at(3, 1)]);
    }
}

/// An address that really moved works at once, and is cached again when its old owner is silent.
#[test]
fn a_moved_address() {
    let mut bed = Bed::new();
    bed.four(3, subtype::DATA, &is_at(3, 1));
    let moved = arp(MacAddr::BROADCAST, NO, Arp::request((ip(3), client(4)), ip(3)));
    bed.wait(31_000);
    bed.four(4, subtype::DATA, &moved);
    let answer = reply_frame((ip(3), client(4)), (ip(1), client(1)), NO);
    assert_eq!(bed.host(&who_has(1, 3)).host, [answer.bytes()]);
    assert!(matches!(bed.events.last(), Some(Event::AddressFlip { replaced: true, .. })), "{:?}", bed.events);
}

/// Pitfalls B 10, many addresses: the events do not flood the operator, the cache does not grow.
#[test]
fn floods_of_forged_addresses() {
    let mut bed = Bed::new();
    bed.mesh.cfg.caps.addresses = 50;
    for n in 0..=200 {
        bed.four(3, subtype::DAT_PUT, reply_frame((ip(n), client(3)), (ip(2), client(2)), NO).bytes());
    }
    for n in 0..=200 {
        bed.four(4, subtype::DAT_PUT, reply_frame((ip(n), client(4)), (ip(2), client(2)), NO).bytes());
    }
    assert!(bed.flips() <= 33, "{}", bed.flips());
    assert!(bed.mesh.address_views(bed.now).len() <= 50);
}

#[test]
fn questions_wait_up_to_a_bound() {
    let mut bed = Bed::new();
    for n in 0..300u16 {
        let [hi, lo] = n.to_be_bytes();
        bed.host(&arp(MacAddr::BROADCAST, NO, Arp::request((ip(1), client(1)), [10, 8, hi, lo].into())));
    }
    assert_eq!(bed.floods(), 300 - 256);
    bed.wait(250);
    assert_eq!(bed.floods(), 300);
}

#[test]
fn switched_off_and_on_while_it_runs() {
    let mut bed = Bed::new();
    bed.four(3, subtype::DATA, &is_at(3, 1));
    bed.host(&who_has(1, 9));
    assert!(bed.mesh.dat_container().is_some());
    bed.configure(false);
    assert_eq!((bed.floods(), bed.mesh.dat_container(), bed.mesh.address_views(bed.now).len()), (1, None, 0));
    let done = bed.host(&who_has(1, 3));
    assert_eq!((done.host.len(), done.four.len(), bed.floods()), (0, 0, 2));
    assert_eq!(bed.four(3, subtype::DAT_PUT, &is_at(3, 1)).host.len(), 0);
    bed.configure(true);
    assert_eq!(bed.host(&who_has(1, 3)).four.len(), 3);
}

#[test]
fn those_who_leave_the_table_are_not_asked() {
    let mut bed = Bed::new();
    for n in 2..=4 {
        bed.mesh.originators.get_mut(&orig(n)).unwrap().features.dat = false;
        bed.mesh.dat_changed(orig(n));
    }
    bed.mesh.remove_originator(orig(5));
    let asked: Vec<MacAddr> = bed.host(&who_has(1, 9)).four.iter().map(|f| f.0).collect();
    assert_eq!(asked, [orig(6)]);
}

fn lease(server: u8, client_n: u8, kind: u8) -> Vec<u8> {
    let mut dhcp = vec![0; 240];
    (dhcp[0], dhcp[1], dhcp[2]) = (2, 1, 6);
    dhcp[16..20].copy_from_slice(&ip(client_n).octets());
    dhcp[28..34].copy_from_slice(&client(client_n).0);
    dhcp[236..].copy_from_slice(&packet::dhcp::MAGIC);
    dhcp.extend([53, 1, kind, 255]);
    let udp = dhcp.len() as u16 + 8;
    let mut f = head(client(client_n), client(server), NO, ETHERTYPE_IPV4);
    f.extend(&[0x45, 0]);
    f.extend(&(udp + 20).to_be_bytes());
    f.extend(&[0, 0, 0, 0, 64, 17, 0, 0]);
    f.extend(&ip(server).octets());
    f.extend(&ip(client_n).octets());
    f.extend(&[0, 67, 0, 68]);
    f.extend(&udp.to_be_bytes());
    f.extend(&[0, 0]);
    f.extend(&dhcp);
    f.bytes().to_vec()
}

#[test]
fn leases_are_learned_both_ways() {
    let mut bed = Bed::new();
    let done = bed.host(&lease(1, 3, 5));
    assert_eq!((done.again, done.four.len()), (1, 6), "the lease goes on, its addresses are given away");
    assert!(done.four.iter().all(|(_, kind, inner)| *kind == subtype::DAT_PUT && *inner == is_at(1, 3)));
    assert_eq!(bed.host(&who_has(1, 3)).host, [is_at(3, 1)]);
    let mut bed = Bed::new();
    let done = bed.four(3, subtype::DATA, &lease(3, 4, 5));
    assert_eq!((done.host.len(), done.four.len()), (1, 0), "delivered, and only remembered");
    assert_eq!(bed.host(&who_has(1, 4)).host, [is_at(4, 1)]);
    assert_eq!(bed.host(&who_has(1, 3)).host, [is_at(3, 1)], "the server too");
    // An offer is no lease yet.
    let mut bed = Bed::new();
    assert_eq!(bed.host(&lease(1, 3, 2)).four.len(), 0);
    assert_eq!(bed.mesh.address_views(bed.now).len(), 0);
}

// --- IPv6 ---

/// A message with a right checksum; `last` is the MAC option, if any.
fn nd(dst_mac: MacAddr, src_mac: MacAddr, kind: u8, addr: [Ipv6Addr; 3], flags: u8, mac: Option<MacAddr>) -> Vec<u8> {
    let [src, dst, target] = addr;
    let mut m = vec![kind, 0, 0, 0, flags, 0, 0, 0];
    m.extend(target.octets());
    if let Some(mac) = mac {
        m.extend([if kind == 135 { 1 } else { 2 }, 1]);
        m.extend(mac.0);
    }
    let pseudo = [0, 0, 0, m.len() as u8, 0, 0, 0, 58];
    let sum = packet::ip::checksum(&[&src.octets(), &dst.octets(), &pseudo, &m]);
    m[2..4].copy_from_slice(&sum.to_be_bytes());
    let mut f = head(dst_mac, src_mac, NO, ETHERTYPE_IPV6);
    f.extend(&[0x60, 0, 0, 0, 0, m.len() as u8, 58, 255]);
    f.extend(&src.octets());
    f.extend(&dst.octets());
    f.extend(&m);
    f.bytes().to_vec()
}

fn group_mac(n: u8) -> MacAddr {
    MacAddr([0x33, 0x33, 0xff, 0, 0, n])
}

/// Client `from` asks the group of `of`.
fn solicit(from: u8, of: u8) -> Vec<u8> {
    let addr = [ip6(from), solicited_node(ip6(of)), ip6(of)];
    nd(group_mac(of), client(from), 135, addr, 0, Some(client(from)))
}

/// Client `from` asks `of` whether it is alive.
fn probe(from: u8, of: u8) -> Vec<u8> {
    nd(client(of), client(from), 135, [ip6(from), ip6(of), ip6(of)], 0, Some(client(from)))
}

/// Client `from` tells client `to` that it is at `mac`.
fn advertise(from: u8, to: u8, flags: u8, mac: Option<MacAddr>) -> Vec<u8> {
    nd(client(to), client(from), 136, [ip6(from), ip6(to), ip6(from)], flags, mac)
}

const OVERRIDE: u8 = 0x60;
const ROUTER: u8 = 0xe0;

#[test]
fn a_neighbour_that_passed_by_is_answered_for() {
    for (flags, is_router) in [(OVERRIDE, false), (ROUTER, true)] {
        let mut bed = Bed::new();
        bed.host(&solicit(1, 3));
        assert_eq!(bed.floods(), 1);
        let advertisement = advertise(3, 1, flags, Some(client(3)));
        assert_eq!(bed.four(3, subtype::DATA, &advertisement).host, [advertisement]);
        let done = bed.host(&solicit(1, 3));
        assert_eq!((done.host.len(), done.four.len(), bed.floods(), bed.count(Count::NdHostReply)), (1, 0, 1, 1));
        let answer = ClientFrame::parse(&done.host[0]).unwrap();
        assert_eq!((answer.dst, answer.src), (client(1), client(3)));
        let n = Neighbor::parse(&done.host[0][answer.payload..]).expect("a right checksum");
        assert_eq!(n.kind, Kind::Advertisement { router: is_router, solicited: true, replaces: false });
        assert_eq!((n.src, n.dst, n.target, n.mac), (ip6(3), ip6(1), ip6(3), Some(client(3))));
    }
}

#[test]
fn what_is_never_answered() {
    let mut bed = Bed::new();
    bed.four(3, subtype::DATA, &advertise(3, 1, OVERRIDE, Some(client(3))));
    // Duplicate address detection.
    let dad = nd(group_mac(3), client(1), 135, [Ipv6Addr::UNSPECIFIED, solicited_node(ip6(3)), ip6(3)], 0, None);
    assert_eq!((bed.host(&dad).host.len(), bed.floods()), (0, 1));
    // Somebody else's question over the mesh.
    let done = bed.four(2, subtype::DATA, &solicit(2, 3));
    assert_eq!((done.host, done.four.len()), (vec![solicit(2, 3)], 0));
    // A broken checksum.
    let mut broken = solicit(1, 3);
    *broken.last_mut().unwrap() ^= 1;
    assert_eq!(bed.host(&broken).host.len(), 0);
    // A neighbour whose question passed: nobody knows whether it is a router.
    assert_eq!(bed.host(&solicit(1, 2)).host.len(), 0);
    // One without a client in the mesh.
    bed.four(3, subtype::DAT_CACHE_REPLY, &advertise(99, 1, OVERRIDE, Some(client(99))));
    assert_eq!(bed.host(&solicit(1, 99)).host.len(), 0);
    // A single station asks whether it is alive: not answered, and nobody is until it answers.
    let done = bed.host(&probe(1, 3));
    assert_eq!((done.host.len(), done.again), (0, 1));
    assert_eq!(bed.host(&solicit(1, 3)).host.len(), 0);
    // Linux answers a probe without its MAC.
    bed.four(3, subtype::DATA, &advertise(3, 1, 0x40, None));
    assert_eq!(bed.host(&solicit(1, 3)).host.len(), 1);
}

#[test]
fn neighbours_claimed_twice() {
    let mut bed = Bed::new();
    bed.four(3, subtype::DATA, &advertise(3, 1, OVERRIDE, Some(client(3))));
    bed.four(4, subtype::DATA, &advertise(3, 1, OVERRIDE, Some(client(4))));
    assert_eq!((bed.flips(), bed.host(&solicit(1, 3)).host.len()), (1, 0));
    // Without the override flag even an old entry stays.
    let mut bed = Bed::new();
    bed.four(3, subtype::DATA, &advertise(3, 1, OVERRIDE, Some(client(3))));
    bed.wait(60_000);
    bed.four(4, subtype::DATA, &advertise(3, 1, 0x40, Some(client(4))));
    bed.wait(31_000);
    let answer = bed.host(&solicit(1, 3)).host.remove(0);
    assert_eq!(ClientFrame::parse(&answer).unwrap().src, client(3));
}

proptest! {
    /// Whatever comes, the node stays up and its tables hold.
    #[test]
    fn any_bytes(frames in proptest::collection::vec((any::<bool>(), 0u8..5, 0u8..4, any::<[u8; 28]>(), 0usize..90), 1..40)) {
        let mut bed = Bed::new();
        bed.mesh.cfg.caps.addresses = 4;
        for (from_host, kind, shape, bytes, len) in frames {
            let types = [ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6];
            let ethertype = types[usize::from(shape) % types.len()];
            let vid = if shape == 3 { Vid::tagged(5) } else { NO };
            let mut f = head(MacAddr::BROADCAST, client(1), vid, ethertype);
            let mut body = bytes.repeat(4);
            if ethertype == ETHERTYPE_ARP && bytes[0] < 200 {
                body[..6].copy_from_slice(&[0, 1, 8, 0, 6, 4]);
                body[6..8].copy_from_slice(&[0, bytes[6] % 3]);
            }
            body.truncate(len);
            f.extend(&body);
            if from_host { bed.host(f.bytes()) } else { bed.four(2, kind, f.bytes()) };
            bed.wait(u64::from(bytes[1]) * 10);
        }
    }
}
