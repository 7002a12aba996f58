use super::limit::Limit;
use super::*;
use crate::fib::{ClientAt, Fib, FibChange, LocalState};
use packet::consts::ETH_LEN;
use packet::unicast::UnicastHeader;
use packet::{MacAddr, Vid};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::vec::Vec;
use zerocopy::IntoBytes;

const LEN: usize = 1514;

fn tag(class: Class, served: u64, flow: u64) -> Tag {
    Tag { class, place: Place { served, hop: 7, near: false, flow } }
}

fn frame(len: usize) -> Frame {
    Frame::zeroed(len)
}

/// A line of `rate` bytes a second behind a queue that is kept full by `sources`; each is a tag, and how
/// many frames of it wait at any time. Returns the bytes that each got through.
fn contend(sources: &[(Tag, usize)], rate: u64, secs: u64) -> Vec<u64> {
    let mut queue = Queue::new(1, 512);
    let mut got = alloc::vec![0u64; sources.len()];
    let mut waiting = alloc::vec![0usize; sources.len()];
    let mut now = Instant::ZERO;
    let end = Instant::from_micros(secs * 1_000_000);
    while now < end {
        for (i, (tag, most)) in sources.iter().enumerate() {
            while waiting[i] < *most {
                let mut f = frame(LEN);
                f.bytes_mut()[0] = i as u8;
                let mut lost = Vec::new();
                queue.push(f, *tag, now, |f| lost.push(usize::from(f.bytes()[0])));
                waiting[i] += 1;
                lost.iter().for_each(|&l| waiting[l] -= 1);
            }
        }
        let mut lost = Vec::new();
        if let Some((f, _)) = queue.pop(now, |f| lost.push(usize::from(f.bytes()[0]))) {
            let i = usize::from(f.bytes()[0]);
            waiting[i] -= 1;
            got[i] += f.len() as u64;
        }
        lost.iter().for_each(|&l| waiting[l] -= 1);
        now += Duration::from_micros(LEN as u64 * 1_000_000 / rate);
    }
    got
}

fn share(got: &[u64], who: impl Fn(usize) -> bool) -> f64 {
    let some: u64 = got.iter().enumerate().filter(|(i, _)| who(*i)).map(|(_, n)| n).sum();
    some as f64 / got.iter().sum::<u64>() as f64
}

#[test]
fn the_owner_has_nearly_all_and_others_never_nothing() {
    let mut sources = alloc::vec![(tag(Class::Owner, 1, 1), 8)];
    sources.extend((0..8).map(|i| (tag(Class::Relay, 2, i), 16)));
    let got = contend(&sources, 2_500_000, 20);
    let owner = share(&got, |i| i == 0);
    assert!((0.975..0.985).contains(&owner), "owner has {owner}");
}

#[test]
fn originators_are_equal_however_many_flows() {
    let mut sources = alloc::vec![(tag(Class::Relay, 1, 0), 16)];
    sources.extend((0..16).map(|i| (tag(Class::Relay, 2, 100 + i), 16)));
    let got = contend(&sources, 2_500_000, 20);
    let one = share(&got, |i| i == 0);
    assert!((0.49..0.51).contains(&one), "one flow against sixteen: {one}");
    let flows: Vec<u64> = got[1..].to_vec();
    let (least, most) = (flows.iter().min().unwrap(), flows.iter().max().unwrap());
    assert!(*least as f64 > 0.9 * *most as f64, "flows of one originator: {flows:?}");
}

#[test]
fn guests_here_are_one_among_those_served() {
    let sources = [(tag(Class::Guest, 99, 0), 8), (tag(Class::Relay, 1, 1), 8), (tag(Class::Relay, 2, 2), 8)];
    let guest = share(&contend(&sources, 2_500_000, 10), |i| i == 0);
    assert!((0.32..0.35).contains(&guest), "{guest}");
}

#[test]
fn a_next_hop_comes_before_what_goes_through_it() {
    let far = tag(Class::Relay, 3, 0);
    let mut near = tag(Class::Relay, 7, 1);
    near.place.near = true;
    let mut elsewhere = tag(Class::Relay, 4, 2);
    elsewhere.place.hop = 8;
    let got = contend(&[(far, 16), (near, 16)], 2_500_000, 10);
    let part = share(&got, |i| i == 1);
    assert!(part > 0.95 && got[0] > 0, "the next hop has {part}");
    // Those who send to it are equals, however many flows.
    let mut sources = alloc::vec![(far, 16), (near, 16)];
    sources.extend((0..16).map(|i| {
        let mut other = tag(Class::Relay, 9, 10 + i);
        other.place.near = true;
        (other, 16)
    }));
    let got = contend(&sources, 2_500_000, 20);
    let one = got[1] as f64 / got[1..].iter().sum::<u64>() as f64;
    assert!((0.47..0.53).contains(&one), "one flow to the next hop against sixteen: {one}");
    // But it takes nothing from those who are reached another way.
    let got = contend(&[(far, 16), (near, 16), (elsewhere, 16)], 2_500_000, 10);
    let other = share(&got, |i| i == 2);
    assert!((0.32..0.35).contains(&other), "{other}");
}

#[test]
fn control_goes_first_but_not_for_ever() {
    let mut queue = Queue::new(1, 512);
    let now = Instant::ZERO;
    for _ in 0..4 {
        queue.push(frame(LEN), tag(Class::Owner, 1, 1), now, |_| ());
        queue.push(frame(100), tag(Class::Control, 0, 0), now, |_| ());
    }
    let order: Vec<Class> = std::iter::from_fn(|| queue.pop(now, |_| ()).map(|(_, c)| c)).collect();
    assert_eq!(order[..4], [Class::Control; 4]);
    // A flood of it leaves the others four fifths.
    let sources = [(tag(Class::Control, 0, 0), 60), (tag(Class::Relay, 1, 1), 16)];
    let control = share(&contend(&sources, 2_500_000, 10), |i| i == 0);
    assert!((0.15..0.25).contains(&control), "{control}");
}

#[test]
fn a_small_flow_does_not_wait_behind_a_big_one() {
    let mut queue = Queue::new(1, 512);
    let mut now = Instant::ZERO;
    for i in 0..200 {
        queue.push(frame(LEN), tag(Class::Owner, 1, 1), now, |_| ());
        now += Duration::from_micros(i);
    }
    for _ in 0..50 {
        queue.pop(now, |_| ());
    }
    queue.push(frame(98), tag(Class::Owner, 1, 2), now, |_| ());
    let next: Vec<usize> = (0..2).filter_map(|_| queue.pop(now, |_| ()).map(|(f, _)| f.len())).collect();
    assert!(next.contains(&98), "{next:?}");
}

#[test]
fn others_are_held_back_for_a_neighbours_owner() {
    let mut queue = Queue::new(1, 512);
    let at = |ms: u64| Instant::from_micros(1_000_000 + ms * 1000);
    for i in 0..100 {
        queue.push(frame(LEN), tag(Class::Relay, 1, i), at(0), |_| ());
    }
    queue.push(frame(LEN), tag(Class::Owner, 9, 1), at(0), |_| ());
    queue.push(frame(60), tag(Class::Control, 0, 0), at(0), |_| ());
    queue.hold_others(at(200));
    let taken = |queue: &mut Queue, ms: u64| queue.pop(at(ms), |_| ()).map(|(_, class)| class);
    assert_eq!(taken(&mut queue, 1), Some(Class::Control));
    assert_eq!(taken(&mut queue, 1), Some(Class::Owner), "our own owner is not held back");
    let relay = (1..200).filter(|ms| taken(&mut queue, *ms).is_some()).count();
    assert_eq!(relay, 10, "one every 20 ms, so that connections last");
    assert!(queue.yields(at(190)).is_some_and(|wait| at(190) + wait <= at(200)) && !queue.is_ready(at(190)));
    assert!(queue.yields(at(200)).is_none() && queue.is_ready(at(200)));
    assert_eq!(taken(&mut queue, 200), Some(Class::Relay));
    assert_eq!(taken(&mut queue, 200), Some(Class::Relay));
}

#[test]
fn an_owner_who_waits_says_so() {
    let mut queue = Queue::new(1, 512);
    let at = |ms: u64| Instant::from_micros(1_000_000 + ms * 1000);
    for ms in 0..40 {
        queue.push(frame(LEN), tag(Class::Relay, 1, 1), at(ms), |_| ());
    }
    assert!(!queue.owner_waits(at(50)), "others are no reason");
    queue.push(frame(LEN), tag(Class::Owner, 9, 1), at(50), |_| ());
    assert!(!queue.owner_waits(at(60)) && queue.owner_waits(at(70)));
    assert_eq!(queue.pop(at(70), |_| ()).map(|(_, c)| c), Some(Class::Owner));
    assert!(!queue.owner_waits(at(90)), "it has gone");
}

#[test]
fn overload_costs_those_who_cause_it() {
    let mut queue = Queue::new(1, 128);
    let now = Instant::ZERO;
    let mut lost = BTreeMap::new();
    for n in 0..2000u64 {
        queue.push(frame(LEN), tag(Class::Relay, 1, 1), now, |_| *lost.entry("flood").or_insert(0) += 1);
        if n.is_multiple_of(100) {
            queue.push(frame(LEN), tag(Class::Owner, 9, 2), now, |_| *lost.entry("others").or_insert(0) += 1);
            queue.push(frame(LEN), tag(Class::Relay, 2, 3), now, |_| *lost.entry("others").or_insert(0) += 1);
        }
    }
    assert!(queue.len() <= 128);
    // The frame that makes it overflow may be another's, what is dropped never is.
    assert_eq!(queue.counts().of(Class::Owner).full, 0);
    assert_eq!(queue.counts().of(Class::Relay).full, 2040 - queue.len() as u64);
    let mut owner = 0;
    while let Some((_, class)) = queue.pop(now, |_| ()) {
        owner += usize::from(class == Class::Owner);
    }
    assert_eq!(owner, 20, "every frame of the owner came through");
}

#[test]
fn a_thousand_flows_fit_a_megabyte() {
    let mut queue = Queue::new(1, 1024);
    for i in 0..1000 {
        queue.push(Frame::zeroed(0), tag(Class::Relay, i, i), Instant::ZERO, |_| ());
    }
    assert_eq!(queue.others.flows(), 1000);
    // What a flow and its group cost, without the bytes of frames.
    const { assert!(flows::COST <= 700) };
}

#[test]
fn tags_tell_whose_it_is() {
    let mac = |n: u8| MacAddr([2, 0, 0, 0, 0, n]);
    let (own, hop, far, gate) = (mac(1), mac(2), mac(3), mac(4));
    let mut fib = Fib::new(1);
    fib.apply(&FibChange::Own { orig: own, ttvn: 0 });
    for orig in [hop, far, gate] {
        fib.apply(&FibChange::Originator { orig, ttvn: 0 });
    }
    fib.apply(&FibChange::Gateway(gate, true));
    let (vid, client) = (Vid::UNTAGGED, |n: u8| mac(0x80 + n));
    for (n, orig) in [(2, hop), (3, far), (4, gate)] {
        let at = Some(ClientAt { orig, roaming: false });
        fib.apply(&FibChange::Client { addr: client(n), vid, at });
    }
    fib.apply(&FibChange::Local { addr: client(1), vid, state: Some(LocalState::Active) });
    let packet = |dest: MacAddr, src: MacAddr, port: u8| {
        let mut bytes = [0u8; ETH_LEN + 10 + 14 + 28];
        bytes[..6].copy_from_slice(hop.as_bytes());
        bytes[12..14].copy_from_slice(&0x4305u16.to_be_bytes());
        bytes[14..24].copy_from_slice(UnicastHeader::new(dest, 0).as_bytes());
        bytes[30..36].copy_from_slice(src.as_bytes());
        bytes[36..38].copy_from_slice(&[8, 0]);
        (bytes[38], bytes[47], bytes[59]) = (0x45, 17, port);
        Frame::copy_of(&bytes)
    };
    let of = |dest, src, port| Tag::of(&packet(dest, src, port), &fib);
    assert_eq!(of(far, client(2), 1).class, Class::Relay);
    assert_eq!(of(far, client(2), 1).place.served, hop.to_u64(), "whoever sends is served");
    assert_eq!(of(far, client(4), 1).place.served, far.to_u64(), "what a gateway sends is for the receiver");
    assert_eq!(of(gate, client(3), 1).place.served, far.to_u64());
    assert!(of(hop, client(3), 1).place.near && !of(far, client(2), 1).place.near);
    assert_eq!(of(far, client(1), 1).class, Class::Owner, "what starts here");
    let mut guest = packet(far, client(1), 1);
    guest.class = Some(Class::Guest);
    assert_eq!(Tag::of(&guest, &fib).class, Class::Guest);
    assert_ne!(of(far, client(2), 1).place.flow, of(far, client(2), 2).place.flow, "ports tell flows apart");
    fib.apply(&FibChange::Guest(client(1), true));
    assert_eq!(Tag::of(&packet(far, client(1), 1), &fib).class, Class::Guest, "known by its address");
    let mut flood = packet(far, client(1), 1);
    let inner = flood.bytes()[24..].to_vec();
    flood.bytes_mut()[..6].fill(0xff);
    flood.bytes_mut()[14] = packet::consts::packet_type::BCAST;
    flood.bytes_mut()[22..28].copy_from_slice(own.as_bytes());
    flood.bytes_mut()[28..].copy_from_slice(&inner[..inner.len() - 4]);
    assert_eq!(Tag::of(&flood, &fib).class, Class::Guest, "what the control side floods for it");
    fib.apply(&FibChange::Guest(client(1), false));
    assert_eq!(Tag::of(&flood, &fib).class, Class::Owner);
    let mut hello = packet(far, client(2), 1);
    hello.bytes_mut()[14] = packet::consts::packet_type::ELP;
    assert_eq!(Tag::of(&hello, &fib).class, Class::Control);

    // What goes straight out is counted by the same classes, without the look inside.
    let mut flood = Frame::copy_of(packet(far, client(2), 1).bytes());
    flood.bytes_mut()[14] = packet::consts::packet_type::BCAST;
    flood.bytes_mut()[22..28].copy_from_slice(far.as_bytes());
    let mut own_flood = flood.clone();
    own_flood.bytes_mut()[22..28].copy_from_slice(own.as_bytes());
    let relay = packet(far, client(2), 1);
    for (frame, class) in [
        (&relay, Class::Relay),
        (&guest, Class::Guest),
        (&hello, Class::Control),
        (&flood, Class::Relay),
        (&own_flood, Class::Owner),
    ] {
        assert_eq!((Tag::of(frame, &fib).class, Class::of(frame, &fib)), (class, class));
    }
}

#[test]
fn what_did_not_leave_is_taken_back() {
    let (mut counts, mut other) = (QueueCounts::default(), QueueCounts::default());
    counts.sent(Class::Relay, 100, Duration::ZERO);
    counts.sent(Class::Relay, 200, Duration::from_millis(1));
    counts.unsent(Class::Relay, 100);
    other.sent(Class::Relay, 5, Duration::ZERO);
    counts.merge(&other);
    let relay = ClassCount { frames: 2, bytes: 205, waited_us: 1000, ..ClassCount::default() };
    assert_eq!(counts.of(Class::Relay), &relay);
    assert_eq!(counts.of(Class::Owner), &ClassCount::default());
}

proptest! {
    /// Nothing is lost and nothing is made: what goes in comes out or is handed back, in the order of its
    /// flow, and the queue is empty afterwards.
    #[test]
    fn every_frame_comes_out_once(
        steps in proptest::collection::vec((0u8..4, 0u64..4, 0u64..5, 60usize..1514, any::<bool>(), 0u64..4000), 1..400),
        most in 8usize..64,
    ) {
        let mut queue = Queue::new(3, most);
        let mut now = Instant::ZERO;
        let (mut pushed, mut out, mut back) = (0u32, 0u32, 0u32);
        let mut last: BTreeMap<(u8, u64, u64), u32> = BTreeMap::new();
        let mut check = |f: &Frame| {
            let b = f.bytes();
            let no = u32::from_be_bytes(b[4..8].try_into().unwrap());
            let before = last.insert((b[0], u64::from(b[1]), u64::from(b[2])), no);
            assert!(before.is_none_or(|n| n < no), "flow out of order");
        };
        for (class, served, flow, len, pop, pause) in steps {
            now += Duration::from_micros(pause);
            let mut f = Frame::zeroed(len);
            (f.bytes_mut()[0], f.bytes_mut()[1], f.bytes_mut()[2]) = (class, served as u8, flow as u8);
            f.bytes_mut()[4..8].copy_from_slice(&pushed.to_be_bytes());
            pushed += 1;
            let class = Class::ALL[usize::from(class)];
            // Guests and relays share a queue, but never an originator.
            let served = if class == Class::Guest { 1000 } else { served };
            let mut t = tag(class, served, flow + 10 * served);
            t.place.near = flow == 4 && class == Class::Relay;
            if class == Class::Control { t = tag(class, 0, 0); }
            queue.push(f, t, now, |_| back += 1);
            if pop && let Some((f, c)) = queue.pop(now, |_| back += 1) {
                out += 1;
                if c != Class::Control { check(&f); }
            }
            assert_eq!(queue.len() as u32, pushed - out - back);
        }
        while let Some((f, c)) = queue.pop(now, |_| back += 1) {
            out += 1;
            if c != Class::Control { check(&f); }
        }
        assert_eq!((queue.len(), pushed), (0, out + back));
        assert_eq!((queue.owner.bytes(), queue.others.bytes()), (0, 0));
        assert_eq!((queue.owner.flows(), queue.others.flows()), (0, 0));
    }

    #[test]
    fn limits_stay_in_bounds(steps in proptest::collection::vec((0u32..1_000_000, any::<bool>(), 0u64..1_000_000), 1..200)) {
        let (mut limit, mut now) = (Limit::default(), Instant::ZERO);
        for (left, held, pause) in steps {
            now += Duration::from_micros(pause);
            limit.refill(left, held, now);
            assert!((limit::LEAST..=limit::MOST).contains(&limit.bytes()));
        }
    }
}
