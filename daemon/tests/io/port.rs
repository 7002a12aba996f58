//! Hard interfaces: frames in, frames out, and what stays outside.

use crate::world::{MESH, Net, Wire, frame, in_namespace, settle};
use mesh_core::Frame;
use mesh_core::frame::HEADROOM;
use meshwork::io::port::Gear;
use meshwork::io::vnet::{Checksum, Vnet};
use meshwork::io::{PacketPort, PnetPort, Port, Tap};
use packet::MacAddr;
use std::task::Poll;
use std::time::{Duration, Instant};

const STRANGER: MacAddr = MacAddr([2, 0, 0, 0, 0, 0x77]);

struct Open {
    port: Box<dyn Port>,
    gear: Gear,
    mac: MacAddr,
}

impl Open {
    fn new(name: &str, portable: bool) -> Self {
        let link = Net::new().link(name).unwrap();
        let len = usize::try_from(link.mtu).unwrap() + 18;
        let port: Box<dyn Port> = if portable {
            Box::new(PnetPort::open(name, link.index, link.mac, len).unwrap())
        } else {
            Box::new(PacketPort::open(link.index, link.mac).unwrap())
        };
        Self { port, gear: Gear::new(len), mac: link.mac }
    }

    fn send(&mut self, frames: &[Vec<u8>]) {
        let mut frames = frames.iter().map(|f| Frame::copy_of(f)).collect();
        self.port.send(&mut self.gear, &mut frames);
        assert!(frames.is_empty(), "nothing is left waiting");
    }

    /// Everything that comes until it is quiet for a while.
    async fn recv(&mut self) -> Vec<Frame> {
        let mut got = Vec::new();
        loop {
            let ready = std::future::poll_fn(|cx| {
                if self.port.poll_ready(false, cx) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
            });
            if tokio::time::timeout(Duration::from_millis(300), ready).await.is_err() {
                return got;
            }
            self.port.recv(&mut self.gear, &mut got);
        }
    }
}

fn mesh_frame(dst: MacAddr, src: MacAddr, kind: u8, len: usize) -> Vec<u8> {
    let mut payload: Vec<u8> = (0..len - 14).map(|i| i as u8).collect();
    payload[0] = kind;
    frame(dst, src, MESH, &payload)
}

#[test]
fn frames_arrive_as_they_were_sent() {
    for (a_portable, b_portable) in [(false, false), (true, false), (false, true)] {
        std::thread::spawn(move || in_namespace(async || round_trip(a_portable, b_portable).await)).join().unwrap();
    }
}

async fn round_trip(a_portable: bool, b_portable: bool) {
    let mut net = Net::new();
    net.pair("a", "b");
    net.set_mtu("a", 1532);
    net.set_mtu("b", 1532);
    let (mut a, mut b) = (Open::new("a", a_portable), Open::new("b", b_portable));
    let sent: Vec<Vec<u8>> = (0..200).map(|i| mesh_frame(b.mac, a.mac, 0x40, [60, 84, 1514, 1546][i % 4])).collect();
    a.send(&sent);
    let got = b.recv().await;
    assert_eq!(got.len(), sent.len());
    for (mut got, sent) in got.into_iter().zip(&sent) {
        assert_eq!(got.bytes(), sent);
        let before = got.bytes().as_ptr();
        got.push_front(HEADROOM);
        got.pull_front(HEADROOM);
        assert_eq!(got.bytes().as_ptr(), before, "there is headroom: nothing moved");
    }
    let bytes = sent.iter().map(|f| f.len() as u64).sum::<u64>();
    let (tx, rx) = (a.port.counters(), b.port.counters());
    assert_eq!((tx.tx_frames, tx.tx_bytes, tx.tx_full, tx.tx_errors), (200, bytes, 0, 0));
    assert_eq!((rx.rx_frames, rx.rx_bytes, rx.rx_errors, rx.rx_truncated), (200, bytes, 0, 0));
    assert!(b_portable || rx.rx_batches <= 8, "{} calls for 200 frames", rx.rx_batches);
    // Buffers come back: the second time the pool serves.
    b.send(&[mesh_frame(a.mac, b.mac, 0, 60)]);
    assert_eq!(a.recv().await.len(), 1, "routing messages come, too, and ours did not come back to us");
    assert!(b.recv().await.is_empty(), "what we send is not what we hear");
}

#[test]
fn only_our_mesh_frames_come_in() {
    for portable in [false, true] {
        std::thread::spawn(move || in_namespace(async || outsiders(portable).await)).join().unwrap();
    }
}

async fn outsiders(portable: bool) {
    let mut net = Net::new();
    net.pair("a", "b");
    let mut a = Open::new("a", portable);
    let wire = Wire::open("b");
    let ours = a.mac;
    wire.send(&frame(ours, STRANGER, 0x0800, &[0; 46]));
    wire.send(&frame(ours, STRANGER, 0x4306, &[0; 46]));
    wire.send(&mesh_frame(MacAddr([2, 0, 0, 0, 0, 0x99]), STRANGER, 0x40, 60));
    // The kernel takes the tag off and says "for another host".
    let tagged = |dst: MacAddr| {
        let mut f = frame(dst, STRANGER, 0x8100, &[0, 5, 0x43, 0x05, 0x40, 15]);
        f.extend([0; 60]);
        f
    };
    wire.send(&tagged(ours));
    wire.send(&tagged(MacAddr::BROADCAST));
    wire.send(&tagged(MacAddr([2, 0, 0, 0, 0, 0x99])));
    wire.send(&mesh_frame(MacAddr::BROADCAST, STRANGER, 0x00, 60));
    wire.send(&mesh_frame(ours, STRANGER, 0x40, 60));
    let mut got: Vec<Vec<u8>> = a.recv().await.iter().map(|f| f.bytes().to_vec()).collect();
    got.sort();
    let mut expected =
        [mesh_frame(MacAddr::BROADCAST, STRANGER, 0x00, 60), mesh_frame(ours, STRANGER, 0x40, 60)].to_vec();
    expected.sort();
    assert_eq!(got, expected);
    assert_eq!(a.port.counters().rx_outer_tag, 2, "two tagged frames were for us");

    let other = MacAddr([2, 0, 0, 0, 0, 0x99]);
    net.set_mac("a", other);
    a.port.set_mac(other);
    wire.send(&tagged(other));
    wire.send(&tagged(ours));
    wire.send(&mesh_frame(other, STRANGER, 0x40, 60));
    assert_eq!(a.recv().await.len(), 1);
    assert_eq!(a.port.counters().rx_outer_tag, 3, "counted by the new address");
}

#[test]
fn routing_survives_a_flood_of_payload() {
    in_namespace(async || {
        let mut net = Net::new();
        net.pair("a", "b");
        let mut a = Open::new("a", false);
        let wire = Wire::open("b");
        let flood = mesh_frame(a.mac, STRANGER, 0x40, 60);
        for i in 0..20_000 {
            wire.send(&flood);
            if i % 1000 == 999 {
                wire.send(&mesh_frame(MacAddr::BROADCAST, STRANGER, 0x00, 60));
            }
        }
        let got = a.recv().await;
        let routing = got.iter().filter(|f| f.bytes().get(14) == Some(&0)).count();
        assert_eq!(routing, 20, "every routing message came through");
        let counted = a.port.counters();
        assert!(counted.rx_overrun > 0, "the flood was more than the buffer holds");
        assert_eq!(counted.rx_frames + counted.rx_overrun, 20_020);
    });
}

#[test]
fn long_frames_are_counted_not_cut() {
    in_namespace(async || {
        let mut net = Net::new();
        net.pair("a", "b");
        let mut a = Open::new("a", false);
        net.set_mtu("b", 4000);
        net.set_mtu("a", 4000);
        Wire::open("b").send(&mesh_frame(a.mac, STRANGER, 0x40, 3000));
        assert!(a.recv().await.is_empty());
        assert_eq!(a.port.counters().rx_truncated, 1);
        a.gear.grow_to(4018);
        Wire::open("b").send(&mesh_frame(a.mac, STRANGER, 0x40, 3000));
        assert_eq!(a.recv().await.len(), 1);
    });
}

#[test]
fn a_checksum_left_to_hardware_is_finished() {
    in_namespace(async || {
        let mut net = Net::new();
        net.pair("a", "b");
        let mut a = Open::new("a", false);
        // A client frame with UDP inside, its checksum field as a sender leaves it: the sum over
        // the pseudo header only.
        let mut packet = vec![0x40, 15, 50, 1, 2, 0, 0, 0, 0, 1];
        packet.extend(frame(MacAddr([2, 0, 0, 0, 1, 1]), MacAddr([2, 0, 0, 0, 1, 2]), 0x0800, &[]));
        packet.extend([0x45, 0, 0, 33, 0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
        packet.extend([0x30, 0x39, 0, 53, 0, 13, 0, 0, b'h', b'e', b'l', b'l', b'o']);
        let sum = |bytes: &[u8]| {
            let mut total: u32 =
                bytes.chunks(2).map(|p| u32::from(p[0]) << 8 | u32::from(*p.get(1).unwrap_or(&0))).sum();
            while total > 0xffff {
                total = (total & 0xffff) + (total >> 16);
            }
            total
        };
        let pseudo = [&[10, 0, 0, 1, 10, 0, 0, 2, 0, 17, 0, 13][..]].concat();
        let partial = u16::try_from(sum(&pseudo)).unwrap();
        packet[50..52].copy_from_slice(&partial.to_be_bytes());
        let mesh = frame(a.mac, STRANGER, MESH, &packet);
        let checksum = Some(Checksum { start: 14 + 10 + 14 + 20, offset: 6 });
        let mut sent = Vnet { checksum, ..Vnet::default() }.emit().to_vec();
        sent.extend(&mesh);
        let wire = Wire::open("b");
        wire.enable_offload_header();
        wire.send(&sent);
        wire.send(&[&[0; 10][..], &mesh].concat());
        let got = a.recv().await;
        assert_eq!(got.len(), 2);
        let udp = &got[0].bytes()[58..];
        assert_eq!(sum(&[&pseudo[..], udp].concat()), 0xffff, "finished");
        assert_eq!(got[1].bytes(), mesh, "one that nobody called unfinished is left as it is");
        assert_eq!(a.port.counters().rx_checksum, 1);
    });
}

#[test]
fn a_dead_interface_drops_and_counts() {
    in_namespace(async || {
        let mut net = Net::new();
        net.pair("a", "b");
        let mut a = Open::new("a", false);
        let one = mesh_frame(STRANGER, a.mac, 0x40, 60);
        net.up("a", false);
        a.send(&[one.clone(), one.clone()]);
        assert_eq!(a.port.counters().tx_errors, 2);
        net.up("a", true);
        settle("a", "b");
        a.send(std::slice::from_ref(&one));
        assert_eq!(a.port.counters().tx_frames, 1, "works again when it is up again");
        let too_long = mesh_frame(STRANGER, a.mac, 0x40, 3000);
        a.send(&[too_long, one]);
        let counted = a.port.counters();
        assert_eq!((counted.tx_errors, counted.tx_frames), (3, 2), "one bad frame does not stop the next");
    });
}

#[test]
fn a_driver_that_lets_go_early_is_looked_at_now_and_then() {
    in_namespace(async || {
        // Nobody fetches what is sent here; the device takes a few hundred frames and drops the rest in silence.
        let _tap = Tap::plain("early").unwrap();
        Net::new().up("early", true);
        let mut a = Open::new("early", false);
        a.port.limit_unsent(20_000);
        let one = mesh_frame(STRANGER, a.mac, 0x40, 1500);
        let mut frames = Vec::new();
        let began = Instant::now();
        while !a.port.is_blocked() {
            assert!(began.elapsed() < Duration::from_secs(20), "never found out");
            frames = vec![Frame::copy_of(&one); 4];
            a.port.send(&mut a.gear, &mut frames);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(!frames.is_empty(), "what has no room waits");
        a.port.send(&mut a.gear, &mut frames);
        assert!(a.port.is_blocked());
        // Ready at once and for ever would keep everything else from its turn.
        let ready = std::future::poll_fn(|cx| Poll::Ready(a.port.poll_ready(true, cx))).await;
        assert!(!ready, "there is no room, and so nothing to do");
        let ready =
            std::future::poll_fn(|cx| if a.port.poll_ready(true, cx) { Poll::Ready(()) } else { Poll::Pending });
        tokio::time::timeout(Duration::from_secs(5), ready).await.expect("it is looked at again");
    });
}

#[test]
fn priority_travels_with_the_frame() {
    in_namespace(async || {
        let mut net = Net::new();
        net.pair("a", "b");
        let (mut a, mut b) = (Open::new("a", false), Open::new("b", false));
        let mut frames: Vec<Frame> = (0..30u8)
            .map(|i| {
                let mut f = Frame::copy_of(&mesh_frame(b.mac, a.mac, 0x40, 60 + usize::from(i)));
                f.priority = (i / 7) % 8;
                f
            })
            .collect();
        a.port.send(&mut a.gear, &mut frames);
        let lens: Vec<usize> = b.recv().await.iter().map(Frame::len).collect();
        assert_eq!(lens, (60..90).collect::<Vec<_>>(), "in order, whatever the priority");
    });
}

/// A TAP device lets go of frames long before they are sent, and nothing tells when it has room. The port looks by the
/// clock; a loop that was told to look at once would turn for ever, as no clock goes on while it turns.
#[test]
fn who_does_not_tell_of_room_is_looked_at_by_the_clock() {
    in_namespace(async || {
        let _tap = Tap::plain("t").unwrap();
        let mut net = Net::new();
        net.up("t", true);
        let mut a = Open::new("t", false);
        a.port.limit_unsent(4096);
        // Nobody reads: the frames stay, which is found out within some looks.
        for _ in 0..100 {
            let mut frames = (0..8).map(|_| Frame::copy_of(&mesh_frame(STRANGER, a.mac, 0x40, 1514))).collect();
            a.port.send(&mut a.gear, &mut frames);
            if a.port.is_blocked() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(a.port.is_blocked(), "the port has found out");
        let at_once = std::future::poll_fn(|cx| std::task::Poll::Ready(a.port.poll_ready(true, cx))).await;
        assert!(!at_once, "there is nothing to do yet");
        let later = std::future::poll_fn(|cx| match a.port.poll_ready(true, cx) {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        });
        tokio::time::timeout(Duration::from_secs(2), later).await.expect("it is looked at again");
    });
}
