//! A chain of nodes in one loop: the shortest proof that the two halves fit together. The real
//! simulator is in `tests/sim`.

mod chain;
mod side;

use chain::{Chain, Node, host};
use mesh_core::{Count, Duration, Event, Frame, Input, LinkId, drive};
use packet::MacAddr;

#[test]
fn five_nodes_talk_within_five_seconds() {
    let mut c = Chain::new(5, 1560, |_| {});
    c.run(Duration::from_secs(5));
    for from in 0..5 {
        for to in (0..5).filter(|&to| to != from) {
            c.send(from, host(to), 100);
            assert_eq!(c.got(to), [100], "{from} to {to}");
        }
    }
    assert!(c.nodes[2].mesh.snapshot(c.now).counters.count(Count::FastOgmTx) > 30);
    c.send(1, MacAddr::BROADCAST, 200);
    for to in [0, 2, 3, 4] {
        assert_eq!(c.got(to), [200], "broadcast to {to}");
    }
}

#[test]
fn without_fast_start_it_is_the_kernels_pace() {
    let mut c = Chain::new(5, 1560, |cfg| cfg.fast_start = false);
    c.run(Duration::from_secs(5));
    c.send(0, host(4), 100);
    assert_eq!(c.got(4), [0; 0], "five hops need ten OGMs");
    c.run(Duration::from_secs(10));
    c.send(0, host(4), 100);
    assert_eq!(c.got(4), [100]);
    assert_eq!(c.nodes[2].mesh.snapshot(c.now).counters.count(Count::FastOgmTx), 0);
}

#[test]
fn a_neighbour_with_the_other_algorithm_is_told_once() {
    let mut c = Chain::new(2, 1560, |_| {});
    let elp = [&[0xff; 6][..], &[2, 0, 0, 0, 0, 9, 0x43, 5, 3, 15, 2, 0, 0, 0, 0, 9], &[0; 10]].concat();
    let mut told = 0;
    for _ in 0..3 {
        let Node { mesh, side, .. } = &mut c.nodes[0];
        let input = Input::LinkRx(LinkId(1), Frame::copy_of(&elp));
        drive(mesh, side, input, c.now, |e| told += usize::from(matches!(e, Event::OtherAlgorithm { .. })));
    }
    assert_eq!(told, 1);
}

#[test]
fn fragments_and_large_tables() {
    let mut c = Chain::new(3, 700, |_| {});
    for k in 0..100u8 {
        let mut bytes = [MacAddr::BROADCAST.0, [2, 0xcc, 0, 0, 1, k]].concat();
        bytes.resize(60, 0);
        let now = c.now;
        c.nodes[0].host_rx(Frame::copy_of(&bytes), now);
    }
    c.run(Duration::from_secs(8));
    let at_far_end = c.nodes[2].mesh.snapshot(c.now);
    let of_first = at_far_end.global_clients.iter().filter(|g| !g.temporary).count();
    assert_eq!(of_first, 102, "100 clients and two mesh interfaces");
    c.send(2, host(0), 1400);
    assert_eq!(c.got(0), [1400]);
}
