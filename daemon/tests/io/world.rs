//! Namespaces, pairs of virtual interfaces, and raw frames.

use meshwork::netlink::message::Message;
use meshwork::netlink::{LinkInfo, LinkTable, RouteSocket};
use meshwork::sys::packet::{bind, enable_offload_header};
use nix::sched::{CloneFlags, unshare};
use packet::MacAddr;
use socket2::{Domain, Protocol, Socket, Type};
use std::future::Future;
use std::time::Duration;

pub(crate) const MESH: u16 = 0x4305;
const ALL: u16 = 3;

/// Runs `test` in a new network namespace, on this test's own thread and a runtime of its own.
pub(crate) fn in_namespace<F: Future<Output = ()>>(test: impl FnOnce() -> F) {
    if !nix::unistd::geteuid().is_root() {
        assert!(std::env::var_os("CI").is_none(), "this test needs root, and CI must not skip it");
        eprintln!("skipped: network namespaces need root");
        return;
    }
    unshare(CloneFlags::CLONE_NEWNET).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        tokio::time::timeout(Duration::from_secs(60), test()).await.expect("the test hangs");
    });
}

/// Requests to the namespace the test runs in.
pub(crate) struct Net(RouteSocket);

impl Net {
    pub(crate) fn new() -> Self {
        Self(RouteSocket::open().unwrap())
    }

    /// A pair of interfaces, both up.
    pub(crate) fn pair(&mut self, a: &str, b: &str) {
        self.pair_down(a, b);
        for name in [a, b] {
            self.up(name, true);
        }
        settle(a, b);
    }

    /// A pair of interfaces, both down.
    pub(crate) fn pair_down(&mut self, a: &str, b: &str) {
        let message = Message::link(NEWLINK, ACK | CREATE, 0, 0, 0).text(IFNAME, a).nest(LINKINFO, |m| {
            m.text(INFO_KIND, "veth").nest(INFO_DATA, |m| m.nest(VETH_PEER, |m| m.raw(&[0; 16]).text(IFNAME, b)))
        });
        self.0.request(message).unwrap();
    }

    pub(crate) fn bridge(&mut self, name: &str) {
        let message = Message::link(NEWLINK, ACK | CREATE, 0, 0, 0)
            .text(IFNAME, name)
            .nest(LINKINFO, |m| m.text(INFO_KIND, "bridge"));
        self.0.request(message).unwrap();
        self.up(name, true);
    }

    /// An interface with an address of its own that stands on another one, as that of a VLAN does.
    pub(crate) fn macvlan(&mut self, on: &str, name: &str) {
        let below = self.link(on).unwrap().index;
        let message = Message::link(NEWLINK, ACK | CREATE, 0, 0, 0)
            .text(IFNAME, name)
            .attr(LINK, &below.to_ne_bytes())
            .nest(LINKINFO, |m| m.text(INFO_KIND, "macvlan"));
        self.0.request(message).unwrap();
    }

    pub(crate) fn set_master(&mut self, name: &str, master: Option<&str>) {
        let master = master.map_or(0, |m| self.link(m).unwrap().index);
        let index = self.link(name).unwrap().index;
        let message = Message::link(NEWLINK, ACK, index, 0, 0).attr(MASTER, &master.to_ne_bytes());
        self.0.request(message).unwrap();
    }

    pub(crate) fn remove(&mut self, name: &str) {
        let index = self.link(name).unwrap().index;
        self.0.request(Message::link(DELLINK, ACK, index, 0, 0)).unwrap();
    }

    pub(crate) fn rename(&mut self, name: &str, new: &str) {
        let index = self.link(name).unwrap().index;
        self.0.request(Message::link(NEWLINK, ACK, index, 0, 0).text(IFNAME, new)).unwrap();
    }

    pub(crate) fn up(&mut self, name: &str, up: bool) {
        let index = self.link(name).unwrap().index;
        self.0.set_up(index, up).unwrap();
    }

    pub(crate) fn set_mtu(&mut self, name: &str, mtu: u32) {
        let index = self.link(name).unwrap().index;
        self.0.set_mtu(index, mtu).unwrap();
    }

    pub(crate) fn set_mac(&mut self, name: &str, mac: MacAddr) {
        let index = self.link(name).unwrap().index;
        self.0.set_mac(index, mac).unwrap();
    }

    pub(crate) fn link(&mut self, name: &str) -> Option<LinkInfo> {
        LinkTable::dump(&mut self.0).unwrap().by_name(name).cloned()
    }

    pub(crate) fn address(&mut self, name: &str, ip: [u8; 4]) {
        let index = self.link(name).unwrap().index;
        let mut head = vec![AF_INET, 24, 0, 0];
        head.extend(index.to_ne_bytes());
        let message = Message::new(NEWADDR, ACK | CREATE).raw(&head).attr(IFA_LOCAL, &ip).attr(IFA_ADDRESS, &ip);
        self.0.request(message).unwrap();
    }

    /// Says which MAC an IP address has, so that no ARP is needed.
    pub(crate) fn neighbor(&mut self, name: &str, ip: [u8; 4], mac: MacAddr) {
        let index = self.link(name).unwrap().index;
        let mut head = vec![AF_INET, 0, 0, 0];
        head.extend(index.to_ne_bytes());
        head.extend(NUD_PERMANENT.to_ne_bytes());
        head.extend([0, 0]);
        let message = Message::new(NEWNEIGH, ACK | CREATE).raw(&head).attr(NDA_DST, &ip).attr(NDA_LLADDR, &mac.0);
        self.0.request(message).unwrap();
    }
}

/// A plain packet socket on an interface, as somebody else on the wire would have.
pub(crate) struct Wire(Socket);

impl Wire {
    pub(crate) fn open(name: &str) -> Self {
        let index = Net::new().link(name).unwrap().index;
        let socket = Socket::new(Domain::PACKET, Type::RAW, None::<Protocol>).unwrap();
        bind(&socket, index, ALL).unwrap();
        socket.set_nonblocking(true).unwrap();
        Self(socket)
    }

    /// Frames to send start with an offload header from now on.
    pub(crate) fn enable_offload_header(&self) {
        enable_offload_header(&self.0).unwrap();
    }

    pub(crate) fn send(&self, frame: &[u8]) {
        // A queue that is full, or not started yet, is no matter.
        let _ = self.0.send(frame);
    }

    /// True if a frame that `wanted` wants has come.
    pub(crate) fn has(&self, wanted: impl Fn(&[u8]) -> bool) -> bool {
        let mut buf = vec![0; 70_000];
        while let Ok(n) = nix::unistd::read(&self.0, &mut buf) {
            if wanted(&buf[..n]) {
                return true;
            }
        }
        false
    }
}

/// Waits until a pair that was just set up carries frames: the kernel starts its queues a little
/// later.
pub(crate) fn settle(a: &str, b: &str) {
    let (a, b) = (Wire::open(a), Wire::open(b));
    let probe = frame(MacAddr::BROADCAST, MacAddr([2, 0, 0, 0, 0, 1]), 0x88b5, &[0; 46]);
    for _ in 0..500 {
        a.send(&probe);
        if b.has(|f| f == probe) {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("the pair carries nothing within 5 s");
}

/// An Ethernet frame.
pub(crate) fn frame(dst: MacAddr, src: MacAddr, ethertype: u16, payload: &[u8]) -> Vec<u8> {
    let mut f = dst.0.to_vec();
    f.extend(src.0);
    f.extend(ethertype.to_be_bytes());
    f.extend(payload);
    f
}

/// Waits until `done` says so.
pub(crate) async fn until(what: &str, mut done: impl FnMut() -> bool) {
    for _ in 0..500 {
        if done() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not within 5 s: {what}");
}

const AF_INET: u8 = 2;
const NEWLINK: u16 = 16;
const DELLINK: u16 = 17;
const NEWADDR: u16 = 20;
const NEWNEIGH: u16 = 28;
const ACK: u16 = 4;
const CREATE: u16 = 0x400;
const IFNAME: u16 = 3;
const LINK: u16 = 5;
const MASTER: u16 = 10;
const LINKINFO: u16 = 18;
const INFO_KIND: u16 = 1;
const INFO_DATA: u16 = 2;
const VETH_PEER: u16 = 1;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const NDA_DST: u16 = 1;
const NDA_LLADDR: u16 = 2;
const NUD_PERMANENT: u16 = 0x80;
