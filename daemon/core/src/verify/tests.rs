//! The rules by dice, and the frames by a node whose neighbours are made up.

use super::case::{Case, Want};
use super::lessened;
use crate::border::{Event, Input, Output};
use crate::config::{LinkConfig, LinkId, MeshConfig};
use crate::counters::{Count, Drop};
use crate::fib::{NextHop, Table};
use crate::frame::Frame;
use crate::mesh::Mesh;
use crate::neighbor::WAYS;
use crate::originator::{Note, Originator};
use crate::rng::Rng;
use crate::time::{Duration, Instant};
use packet::MacAddr;
use packet::consts::{ETH_LEN, ETHERTYPE, packet_type};
use packet::eth::EthHeader;
use packet::icmp::IcmpHeader;
use packet::meshwork::say;
use packet::unicast::UnicastHeader;
use packet::verify::VerifyFrame;
use std::collections::VecDeque;
use std::string::String;
use std::vec::Vec;
use zerocopy::IntoBytes;

const LINK: LinkId = LinkId(0);
const OWN: MacAddr = MacAddr([2, 0xe0, 0, 0, 0, 1]);
const HOST: MacAddr = MacAddr([2, 0xba, 0, 0, 0, 1]);

fn node(n: u8) -> MacAddr {
    MacAddr([2, 0xe0, 0, 0, 1, n])
}

fn hop(n: u8) -> NextHop {
    NextHop { link: LINK, neigh: node(n) }
}

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// One case under busy traffic; answers come with a chance, in percent, after a while.
struct Dice {
    case: Case,
    rng: Rng,
    now: Instant,
    through: u64,
    other: u64,
    delay: Duration,
    answers: VecDeque<(Instant, u64)>,
    asked: [u32; 2],
}

impl Dice {
    fn new(seed: u64, through: u64, other: u64) -> Self {
        let now = Instant::from_micros(1_000_000);
        let case = Case::new(hop(2), node(9), now);
        let delay = Duration::from_millis(20);
        Self { case, rng: Rng::new(seed), now, through, other, delay, answers: VecDeque::new(), asked: [0; 2] }
    }

    /// Runs until the case says so, or for a time: what it wanted.
    fn run(&mut self, time: Duration) -> Option<Want> {
        let end = self.now + time;
        while self.now < end {
            self.case.busy_until = self.now + secs(6);
            let answer = self.answers.front().map_or(Instant::FAR_FUTURE, |a| a.0);
            self.now = self.case.next.min(answer).max(self.now).min(end);
            while let Some((_, nonce)) = self.answers.pop_front_if(|a| a.0 <= self.now) {
                assert!(self.case.answered(nonce, self.now));
            }
            let want = self.case.step(self.now, &[hop(3), hop(4)], true, 1);
            let (other, chance) = match want {
                None => {
                    self.now += Duration::from_micros(1);
                    continue;
                }
                Some(Want::Through) => (None, self.through),
                Some(Want::Other(via)) => (Some(via), self.other),
                Some(verdict) => return Some(verdict),
            };
            self.asked[usize::from(other.is_some())] += 1;
            let nonce = self.rng.next_u64();
            self.case.sent(nonce, other, (self.rng.next_u32() >> 24) as u8, self.now);
            if self.rng.next_u64() % 100 < chance {
                self.answers.push_back((self.now + self.delay, nonce));
            }
        }
        None
    }
}

#[test]
fn lossy_neighbours_are_not_accused() {
    // A path of one or two links that lose 30 %, and much worse ones: eight busy hours each.
    for (seed, (through, other)) in
        [(70, 100), (49, 100), (49, 49), (34, 100), (24, 49), (24, 100), (12, 80)].into_iter().enumerate()
    {
        let mut dice = Dice::new(seed as u64, through, other);
        assert_eq!(dice.run(secs(8 * 3600)), None, "{through} % arrive, {other} % another way");
        assert!(dice.asked[0] > 8000, "it was looked at: {:?}", dice.asked);
    }
}

#[test]
fn holes_are_found_in_time() {
    let (mut worst, mut long) = (Duration::ZERO, 0);
    for seed in 0..200 {
        // Three minutes of good service, then nothing; the other way may be lossy.
        let mut dice = Dice::new(seed, 100, if seed % 2 == 0 { 100 } else { 70 });
        assert_eq!(dice.run(secs(180) + Duration::from_millis(seed * 37)), None);
        dice.through = 0;
        let began = dice.now;
        assert_eq!(dice.run(secs(10)), Some(Want::Accuse), "seed {seed}");
        worst = worst.max(dice.now.since(began));
        assert_eq!(dice.case.share(), Some(0));
        // Repaired after a minute.
        assert_eq!(dice.run(secs(60)), None);
        dice.through = 100;
        let began = dice.now;
        assert_eq!(dice.run(secs(60)), Some(Want::Trust));
        long = long.max(dice.now.since(began).as_millis());
        assert_eq!(dice.case.share(), None);
    }
    assert!(worst < secs(8), "{worst:?}");
    assert!(long < 10_000, "{long} ms");
}

#[test]
fn a_hole_that_was_never_good_is_found() {
    for seed in 0..50 {
        let mut dice = Dice::new(seed, 0, 100);
        assert_eq!(dice.run(secs(10)), Some(Want::Accuse), "seed {seed}");
    }
}

#[test]
fn one_that_comes_and_goes_has_to_prove_more_each_time() {
    let mut dice = Dice::new(1, 100, 100);
    let mut last = Duration::ZERO;
    for _ in 0..5 {
        dice.through = 100;
        dice.run(secs(60));
        dice.through = 0;
        assert_eq!(dice.run(secs(20)), Some(Want::Accuse));
        dice.through = 100;
        let began = dice.now;
        assert_eq!(dice.run(secs(60)), Some(Want::Trust), "but never longer than a minute");
        assert!(dice.now.since(began) >= last);
        last = dice.now.since(began);
    }
    assert!(last > secs(30), "{last:?}");
}

#[test]
fn a_silent_destination_accuses_nobody() {
    let mut dice = Dice::new(1, 100, 100);
    dice.run(secs(60));
    (dice.through, dice.other) = (0, 0);
    assert_eq!(dice.run(secs(3600)), None);
    let asked: u32 = dice.asked.iter().sum();
    assert!(asked < 3600 * 3, "and is not asked for ever: {asked} questions in an hour");
    // Nor does one that others reach less than half of the time.
    let mut dice = Dice::new(2, 0, 20);
    assert_eq!(dice.run(secs(600)), None);
}

#[test]
fn late_answers_are_answers() {
    let mut dice = Dice::new(1, 100, 100);
    dice.run(secs(60));
    // A queue fills up within a moment: everything takes two seconds longer.
    dice.delay = secs(2);
    assert_eq!(dice.run(secs(600)), None);
}

#[test]
fn what_is_left_follows_what_is_answered() {
    assert_eq!([None, Some(16), Some(8), Some(0)].map(|s| lessened(200, s)), [200, 200, 100, 1]);
    assert_eq!(lessened(0, Some(8)), 0);
    let mut dice = Dice::new(3, 0, 100);
    assert_eq!(dice.run(secs(20)), Some(Want::Accuse));
    // One in three gets through: its way is worth about a third, for as long as that lasts.
    dice.through = 33;
    let mut shares = Vec::new();
    for _ in 0..60 {
        if dice.run(secs(1)).is_none() {
            shares.extend(dice.case.share());
        }
    }
    let mean = shares.iter().skip(20).map(|s| f64::from(*s)).sum::<f64>() / shares.len().saturating_sub(20) as f64;
    assert!((2.0..9.0).contains(&mean), "{mean} of 16: {shares:?}");
}

/// A node with neighbours 2 and 3, both of which lead to 9 (which runs Meshwork) and to 8 (which
/// does not). Frames go by 2.
struct Bed {
    mesh: Mesh,
    now: Instant,
    events: Vec<Event>,
}

impl Bed {
    fn new(tune: impl Fn(&mut MeshConfig)) -> Self {
        let now = Instant::from_micros(1_000_000);
        let mut config = MeshConfig::new(HOST);
        tune(&mut config);
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
        for n in [2, 3] {
            mesh.note_neighbor(hop(n), now).unwrap();
        }
        for n in [2, 3, 8, 9] {
            let mut o = Originator::new(now);
            for (via, tq) in [(2, 200), (3, 150)] {
                if n > 3 || n == via {
                    o.way_mut(hop(via), WAYS, now);
                    for table in [Table::Host, Table::Link(LINK)] {
                        o.note(table, hop(via), tq, Note { is_new: false, rising: true }, now);
                    }
                }
            }
            o.last_ttl = 49;
            o.features.meshwork = (n == 9).then_some(0);
            mesh.originators.insert(node(n), o);
            let via = if n == 3 { 3 } else { 2 };
            for table in [Table::Host, Table::Link(LINK)] {
                mesh.set_route(node(n), table, Some(hop(via)));
            }
        }
        let mut bed = Self { mesh, now, events: Vec::new() };
        bed.drain();
        bed
    }

    /// Packets sent to neighbours, with who got them.
    fn drain(&mut self) -> Vec<(MacAddr, Vec<u8>)> {
        let mut sent = Vec::new();
        while let Some(output) = self.mesh.poll_output() {
            match output {
                Output::LinkTx(_, f) => {
                    let (eth, packet) = EthHeader::parse(f.bytes()).unwrap();
                    let ours = matches!(packet[0], packet_type::UNICAST | packet_type::ICMP);
                    if eth.dst.is_unicast() && ours {
                        sent.push((eth.dst, packet.to_vec()));
                    }
                }
                Output::Event(e) => self.events.push(e),
                _ => {}
            }
        }
        sent
    }

    fn hear(&mut self, from: u8, packet: &[u8]) -> Vec<(MacAddr, Vec<u8>)> {
        let eth = EthHeader { dst: OWN, src: node(from), ethertype: ETHERTYPE.into() };
        let mut frame = Frame::zeroed(ETH_LEN);
        frame.bytes_mut().copy_from_slice(eth.as_bytes());
        frame.extend(packet);
        self.mesh.handle(Input::LinkRx(LINK, frame), self.now);
        self.drain()
    }

    /// Lets time pass with frames to an originator by way of a neighbour. `world` says who hears
    /// which question and answers it, and both neighbours are heard all the time.
    fn run(&mut self, time: Duration, via: u8, to: u8, world: impl Fn(MacAddr, &[u8]) -> Option<Vec<u8>>) {
        let end = self.now + time;
        let mut flow = self.now;
        while self.now < end {
            if self.now >= flow {
                flow = self.now + Duration::from_millis(500);
                for n in [2, 3] {
                    self.mesh.heard_from(hop(n), self.now);
                }
                self.mesh.handle(Input::Flow(hop(via), node(to)), self.now);
            }
            self.mesh.handle(Input::Tick, self.now);
            let mut sent: VecDeque<_> = self.drain().into();
            while let Some((at, packet)) = sent.pop_front() {
                if let Some(answer) = world(at, &packet) {
                    sent.extend(self.hear(at.0[5], &answer));
                }
            }
            self.now = self.mesh.poll_timeout().min(flow).min(end).max(self.now + Duration::from_micros(1));
        }
    }

    fn router(&self, to: u8) -> NextHop {
        self.mesh.originators.get(&node(to)).unwrap().router(Table::Host).unwrap()
    }
}

fn asked(packet: &[u8]) -> Option<u64> {
    let (head, inner) = UnicastHeader::parse(packet).ok()?;
    let said = VerifyFrame::parse(inner).ok()?;
    (head.packet_type == packet_type::UNICAST && said.what == say::ASK).then(|| said.nonce.get())
}

fn frame(what: u8, src: MacAddr, nonce: u64, size: usize) -> Vec<u8> {
    let mut packet = UnicastHeader::new(OWN, 0).as_bytes().to_vec();
    packet.extend_from_slice(VerifyFrame::new(MacAddr([2; 6]), src, what, nonce).as_bytes());
    packet.resize(packet.len().max(size), 0);
    packet
}

/// Originator 9 answers what reaches it.
fn nine(packet: &[u8]) -> Option<Vec<u8>> {
    asked(packet).map(|nonce| frame(say::ANSWER, node(9), nonce, 0))
}

#[test]
fn a_hole_is_left_and_announced_as_what_it_is() {
    let mut bed = Bed::new(|_| {});
    bed.run(secs(30), 2, 9, |_, packet| nine(packet));
    assert_eq!(bed.events.iter().filter(|e| matches!(e, Event::NotForwarding { .. })).count(), 0);
    let calm = bed.mesh.counters.count(Count::VerifyTxBytes);
    assert!((15_000..30_000).contains(&calm), "one question of 1546 bytes in two seconds: {calm} bytes in 30");
    bed.run(secs(10), 2, 9, |at, packet| nine(packet).filter(|_| at == node(3)));
    assert_eq!(bed.router(9), hop(3));
    assert_eq!(
        bed.mesh.originators.get(&node(9)).unwrap().router(Table::Link(LINK)),
        Some(hop(3)),
        "for what passes by, too"
    );
    let way = |bed: &Bed, to: u8| bed.mesh.originators.get(&node(to)).unwrap().way(hop(2)).unwrap().metric(Table::Host);
    assert_eq!((way(&bed, 9), way(&bed, 8)), (1, 200), "and its other ways are what they were");
    let said = bed.events.iter().find(|e| matches!(e, Event::NotForwarding { .. })).unwrap();
    let Event::NotForwarding { neigh, orig, other, other_answered, .. } = said else { panic!() };
    assert_eq!((*neigh, *orig, *other), (node(2), node(9), node(3)));
    assert!(*other_answered >= 12);
    let view = bed.mesh.snapshot(bed.now);
    let n = view.neighbors.iter().find(|n| n.addr == node(2)).unwrap();
    assert_eq!((n.distrust[0].orig, n.distrust[0].share), (node(9), 0));
    // Repaired, while frames go the other way.
    bed.run(secs(60), 3, 9, |_, packet| nine(packet));
    assert!(bed.events.iter().any(|e| matches!(e, Event::ForwardsAgain { .. })));
    assert_eq!(way(&bed, 9), 200);
}

#[test]
fn other_destinations_are_asked_with_echoes() {
    let mut bed = Bed::new(|_| {});
    let long = std::cell::Cell::new(0);
    let echo = |packet: &[u8]| {
        let (header, _) =
            IcmpHeader::parse(packet).ok().filter(|h| packet[0] == packet_type::ICMP && h.0.uid == 0xb8)?;
        long.set(packet.len());
        let mut reply = packet.to_vec();
        let (head, _) = IcmpHeader::parse_mut(&mut reply).unwrap();
        (head.dst, head.orig, head.msg_type) = (header.orig, header.dst, 0);
        Some(reply)
    };
    bed.run(secs(20), 2, 8, |_, packet| echo(packet));
    assert_eq!(long.get(), 1532);
    bed.run(secs(20), 2, 8, |at, packet| echo(packet).filter(|_| at == node(3)));
    assert_eq!(bed.router(8), hop(3));
    // One that may be so far away that a long echo has no room for its route.
    let mut bed = Bed::new(|_| {});
    bed.mesh.originators.get_mut(&node(8)).unwrap().last_ttl = 40;
    bed.run(secs(20), 2, 8, |_, packet| echo(packet));
    assert_eq!(long.get(), 28);
    let counters = &bed.mesh.counters;
    assert_eq!(counters.count(Count::VerifyTx), counters.count(Count::VerifyAnswerRx));
}

#[test]
fn nothing_is_asked_without_frames_or_another_way() {
    let mut bed = Bed::new(|_| {});
    bed.run(secs(30), 2, 2, |_, packet| nine(packet));
    assert_eq!(bed.mesh.counters.count(Count::VerifyTx), 0, "the neighbour itself is nothing to verify");
    let mut bed = Bed::new(|_| {});
    bed.mesh.originators.get_mut(&node(9)).unwrap().ways.retain(|w| w.hop == hop(2));
    bed.run(secs(30), 2, 9, |_, _| None);
    assert_eq!(bed.mesh.counters.count(Count::VerifyTx), 0);
    for tune in [|c: &mut MeshConfig| c.verify_forwarding = false, |c: &mut MeshConfig| c.extensions = false] {
        let mut bed = Bed::new(tune);
        bed.run(secs(30), 2, 9, |_, _| None);
        assert_eq!(bed.mesh.counters.count(Count::VerifyTx), 0);
    }
}

#[test]
fn turned_off_everybody_is_trusted() {
    let mut bed = Bed::new(|_| {});
    bed.run(secs(30), 2, 9, |at, packet| nine(packet).filter(|_| at == node(3)));
    assert_eq!(bed.router(9), hop(3));
    let config = MeshConfig { verify_forwarding: false, ..bed.mesh.cfg.clone() };
    bed.mesh.handle(Input::Configure(config), bed.now);
    assert_eq!(bed.mesh.originators.get(&node(9)).unwrap().way(hop(2)).unwrap().metric(Table::Host), 200);
}

#[test]
fn questions_are_answered_along_both_ways_and_never_with_more() {
    let mut bed = Bed::new(|_| {});
    let ask = frame(say::ASK, node(9), 77, 1532);
    let answers = bed.hear(3, &ask);
    assert_eq!(answers.iter().map(|a| a.0).collect::<Vec<_>>(), [node(3), node(2)], "back, and by our own way");
    for (_, packet) in &answers {
        let (head, inner) = UnicastHeader::parse(packet).unwrap();
        let said = VerifyFrame::parse(inner).unwrap();
        assert_eq!((head.dest, said.what, said.src, said.nonce.get()), (node(9), say::ANSWER, OWN, 77));
    }
    assert_eq!(bed.hear(2, &ask).len(), 1, "once where both are one");
    for size in 0..200 {
        let ask = frame(say::ASK, node(9), 77, size);
        let bytes: usize = bed.hear(3, &ask).iter().map(|a| a.1.len()).sum();
        assert!(bytes <= ask.len(), "{bytes} for {}", ask.len());
        bed.now += Duration::from_millis(100);
    }
    // Who asks too much is not answered, and takes nothing from those who come another way.
    bed.now += secs(10);
    let answered = (0..1000).filter(|_| !bed.hear(3, &ask).is_empty()).count();
    assert_eq!(answered, 100);
    assert!(bed.mesh.counters.dropped(Drop::RateLimit) >= 900);
    assert_eq!(bed.hear(2, &ask).len(), 1);
    // Nobody that we know.
    assert!(bed.hear(2, &frame(say::ASK, node(77), 1, 1532)).is_empty());
    // A neighbour that says nothing else is none.
    assert!(bed.hear(66, &ask).is_empty());
}

#[test]
fn nothing_reaches_the_host_and_nonsense_is_dropped() {
    let mut bed = Bed::new(|_| {});
    let host = |bed: &mut Bed, packet: &[u8]| {
        let eth = EthHeader { dst: OWN, src: node(2), ethertype: ETHERTYPE.into() };
        let mut frame = Frame::zeroed(ETH_LEN);
        frame.bytes_mut().copy_from_slice(eth.as_bytes());
        frame.extend(packet);
        bed.mesh.handle(Input::LinkRx(LINK, frame), bed.now);
        core::iter::from_fn(|| bed.mesh.poll_output()).filter(|o| matches!(o, Output::HostTx(_))).count()
    };
    for what in 0..=255 {
        assert_eq!(host(&mut bed, &frame(what, node(9), 5, 0)), 0);
    }
    assert_eq!(bed.mesh.counters.dropped(Drop::UnaskedResponse), 1, "an answer that nobody asked for");
    // Somebody else's use of the number is a client frame like any other.
    let mut other = frame(say::ASK, node(9), 5, 0);
    other[UnicastHeader::LEN + ETH_LEN] = b'X';
    assert_eq!(host(&mut bed, &other), 1);
}

#[test]
fn answers_of_others_and_of_old_count_for_nothing() {
    let mut bed = Bed::new(|_| {});
    bed.run(secs(10), 2, 9, |_, packet| nine(packet));
    // The neighbour answers in the destination's place, but with numbers of its own, or in its own name.
    bed.run(secs(15), 2, 9, |at, packet| {
        let nonce = asked(packet)?;
        Some(if at == node(3) {
            frame(say::ANSWER, node(9), nonce, 0)
        } else if nonce % 2 == 0 {
            frame(say::ANSWER, node(9), nonce ^ 1, 0)
        } else {
            frame(say::ANSWER, node(2), nonce, 0)
        })
    });
    assert_eq!(bed.router(9), hop(3), "it was found all the same");
}

/// A neighbour that answers for nodes that do not exist behind others, and drops what others send
/// it for them, takes one way of its victim each: those to the nodes that it made up.
#[test]
fn the_ways_of_an_honest_neighbour_to_others_stay() {
    let mut bed = Bed::new(|_| {});
    // 9 is a node that 3 made up; 2 passes questions for it on to 3, which drops them.
    bed.run(secs(30), 2, 9, |at, packet| nine(packet).filter(|_| at == node(3)));
    assert_eq!(bed.router(9), hop(3), "where it belongs");
    let other =
        |bed: &Bed, to: u8| bed.mesh.originators.get(&node(to)).unwrap().way(hop(2)).map(|w| w.metric(Table::Host));
    assert_eq!((other(&bed, 8), other(&bed, 2)), (Some(200), Some(200)));
    assert_eq!((bed.router(8), bed.router(2)), (hop(2), hop(2)));
}

#[test]
fn the_table_has_an_end() {
    let mut bed = Bed::new(|_| {});
    for n in 20..=255 {
        let mut o = Originator::new(bed.now);
        for via in [2, 3] {
            o.way_mut(hop(via), WAYS, bed.now);
            o.note(Table::Host, hop(via), 100, Note { is_new: false, rising: true }, bed.now);
        }
        bed.mesh.originators.insert(node(n), o);
        bed.mesh.handle(Input::Flow(hop(2), node(n)), bed.now);
        bed.drain();
        assert!(bed.mesh.verify.cases.len() <= super::MOST);
    }
    assert_eq!(bed.mesh.verify.cases.len(), super::MOST);
    // Many at once ask no more than one in a second all together, losses apart.
    let before = bed.mesh.counters.count(Count::VerifyTx);
    for _ in 0..60 {
        for n in 20..60 {
            bed.mesh.handle(Input::Flow(hop(2), node(n)), bed.now);
        }
        bed.run(secs(1), 2, 20, |at, packet| {
            let (header, _) = IcmpHeader::parse(packet).ok()?;
            let (mut reply, to) = (packet.to_vec(), header.dst);
            let (head, _) = IcmpHeader::parse_mut(&mut reply).unwrap();
            (head.dst, head.orig, head.msg_type) = (OWN, to, 0);
            assert_eq!(at, node(2));
            Some(reply)
        });
    }
    let asked = bed.mesh.counters.count(Count::VerifyTx) - before;
    assert!((30..=90).contains(&asked), "{asked} questions in a minute");
}
