//! The mesh interface: what the host sends comes out finished, what is delivered arrives.

use crate::world::{Net, in_namespace};
use mesh_core::Frame;
use meshwork::io::Tap;
use meshwork::io::port::Gear;
use packet::MacAddr;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

const GHOST: MacAddr = MacAddr([2, 0, 0, 0, 0, 0x55]);

fn open(plain: bool, name: &str) -> (Tap, Gear) {
    let tap = if plain { Tap::plain(name) } else { Tap::open(name) }.unwrap();
    (tap, Gear::new(1518))
}

async fn recv(tap: &mut Tap, gear: &mut Gear) -> Vec<Frame> {
    let mut got = Vec::new();
    let ready =
        std::future::poll_fn(
            |cx| {
                if tap.poll_ready(cx) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
            },
        );
    if tokio::time::timeout(Duration::from_millis(300), ready).await.is_ok() {
        tap.recv(gear, &mut got);
    }
    got
}

fn carries(frame: &Frame, protocol: u8) -> bool {
    frame.bytes().get(12..14) == Some(&[8, 0]) && frame.bytes().get(23) == Some(&protocol)
}

/// The transport checksum of an IPv4 frame, summed the slow way; all ones when right.
fn transport_sum(frame: &[u8]) -> u16 {
    let ip = &frame[14..];
    let len = usize::from(u16::from_be_bytes([ip[2], ip[3]]));
    let mut bytes = ip[12..20].to_vec();
    bytes.extend([0, ip[9]]);
    bytes.extend(u16::try_from(len - 20).unwrap().to_be_bytes());
    bytes.extend(&ip[20..len]);
    let mut sum = 0u32;
    for pair in bytes.chunks(2) {
        sum += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
        sum = (sum & 0xffff) + (sum >> 16);
    }
    u16::try_from(sum).unwrap()
}

#[test]
fn checksums_of_what_the_host_sends_are_finished() {
    for plain in [false, true] {
        std::thread::spawn(move || {
            in_namespace(async || {
                let mut net = Net::new();
                let (mut tap, mut gear) = open(plain, "m");
                net.up("m", true);
                net.address("m", [10, 0, 0, 1]);
                net.neighbor("m", [10, 0, 0, 2], GHOST);
                let socket = UdpSocket::bind("10.0.0.1:0").unwrap();
                for len in [0, 1, 100, 1471, 1472] {
                    socket.send_to(&vec![7; len], "10.0.0.2:9").unwrap();
                }
                let got = recv(&mut tap, &mut gear).await;
                let udp: Vec<&Frame> = got.iter().filter(|f| carries(f, 17)).collect();
                assert_eq!(udp.len(), 5);
                for frame in udp {
                    assert_eq!(transport_sum(frame.bytes()), 0xffff, "{} bytes, plain {plain}", frame.len());
                }
            });
        })
        .join()
        .unwrap();
    }
}

/// Two mesh interfaces joined by copying frames, as a mesh of two nodes would.
#[test]
fn tcp_crosses_two_mesh_interfaces() {
    for (a_plain, b_plain) in [(false, false), (true, false), (false, true)] {
        std::thread::spawn(move || in_namespace(async || transfer(a_plain, b_plain).await)).join().unwrap();
    }
}

async fn transfer(a_plain: bool, b_plain: bool) {
    const BYTES: usize = 8 << 20;
    let mut net = Net::new();
    let (mut a, mut gear) = open(a_plain, "a");
    net.up("a", true);
    net.address("a", [10, 0, 0, 1]);
    // The other end is in a namespace of its own, or the host would talk to itself.
    let (to_main, from_other) = std::sync::mpsc::channel();
    let receiver = std::thread::spawn(move || {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _inside = runtime.enter();
        let (tap, _) = open(b_plain, "b");
        let mut net = Net::new();
        net.up("b", true);
        net.address("b", [10, 0, 0, 2]);
        let listener = TcpListener::bind("10.0.0.2:5000").unwrap();
        let mac = net.link("b").unwrap().mac;
        // The descriptor works from anywhere; the runtime that watches it must be the main one.
        to_main.send((tap.into_fd(), mac)).unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        all
    });
    let (fd, b_mac) = from_other.recv().unwrap();
    let mut b = Tap::from_fd(fd, !b_plain).unwrap();
    net.neighbor("a", [10, 0, 0, 2], b_mac);
    let pattern: Vec<u8> = (0..BYTES).map(|i| (i ^ (i >> 9)) as u8).collect();
    let to_send = pattern.clone();
    // Threads share the namespace of the one that starts them.
    let sender = std::thread::spawn(move || {
        let mut stream = TcpStream::connect("10.0.0.2:5000").unwrap();
        stream.write_all(&to_send).unwrap();
    });
    let (mut longest, mut bad) = (0, 0);
    while !receiver.is_finished() {
        let mut from_a = recv(&mut a, &mut gear).await;
        let mut from_b = Vec::new();
        b.recv(&mut gear, &mut from_b);
        for frame in from_a.iter().chain(&from_b).filter(|f| carries(f, 6)) {
            longest = longest.max(frame.len());
            bad += usize::from(transport_sum(frame.bytes()) != 0xffff);
        }
        b.send(&mut gear, &mut from_a);
        a.send(&mut gear, &mut from_b);
        tokio::task::yield_now().await;
    }
    sender.join().unwrap();
    let got = receiver.join().unwrap();
    assert_eq!(got.len(), BYTES);
    assert!(got == pattern, "what arrived is what was sent");
    assert_eq!(bad, 0, "every segment between the two is finished");
    assert_eq!(longest, 1514, "the mesh carries single segments");
}

#[test]
fn the_device_goes_with_its_owner() {
    in_namespace(async || {
        let mut net = Net::new();
        let (tap, _) = open(false, "m");
        assert!(net.link("m").is_some());
        assert_eq!(Tap::open("m").err().and_then(|e| e.raw_os_error()), Some(libc::EBUSY), "one owner only");
        drop(tap);
        assert!(net.link("m").is_none());
        assert!(Tap::open("a-name-that-is-too-long").is_err());
    });
}

#[test]
fn frames_for_an_interface_that_is_down_are_dropped_and_counted() {
    in_namespace(async || {
        let (mut tap, mut gear) = open(false, "m");
        tap.send(&mut gear, &mut vec![Frame::copy_of(&[0; 60])]);
        assert_eq!(tap.counters().tx_errors, 1);
        Net::new().up("m", true);
        tap.send(&mut gear, &mut vec![Frame::copy_of(&[0xff; 60])]);
        assert_eq!((tap.counters().tx_errors, tap.counters().tx_frames), (1, 1));
    });
}
