//! A host behind a node: a smoltcp interface that does real ARP, ICMP echo and TCP in virtual time.

use crate::node::NodeId;
use mesh_core::rng::Rng;
use mesh_core::{Duration, Instant};
use packet::MacAddr;
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{ChecksumCapabilities, Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::{icmp, tcp};
use smoltcp::wire::{EthernetAddress, Icmpv4Packet, Icmpv4Repr, IpAddress, IpCidr, Ipv4Address};
use std::collections::VecDeque;

/// Frames of a host, Ethernet header included.
pub const FRAME_BYTES: usize = 1514;
const PING_IDENT: u16 = 0x4d77;

/// A host.
pub struct Host {
    /// Its MAC.
    pub mac: MacAddr,
    /// Its address, 10.0.0.0/16.
    pub ip: Ipv4Address,
    /// The node that it is behind.
    pub node: NodeId,
    /// When it wants to be polled.
    pub wake: Instant,
    device: Queues,
    iface: Interface,
    sockets: SocketSet<'static>,
    pings: Option<Pings>,
    transfers: Vec<Transfer>,
}

/// Echo requests and what came back.
#[derive(Clone, Debug)]
pub struct Pings {
    socket: SocketHandle,
    to: Ipv4Address,
    interval: Duration,
    left: u16,
    next: Instant,
    /// When each request was given to the stack.
    pub sent: Vec<Instant>,
    /// Number and round-trip time of each answer.
    pub answered: Vec<(u16, Duration)>,
}

#[derive(Debug)]
enum Role {
    Send,
    Receive,
}

/// One end of a TCP connection that carries pseudo-random bytes, the same for both ends.
#[derive(Debug)]
pub struct Transfer {
    socket: SocketHandle,
    role: Role,
    stream: Stream,
    total: usize,
    /// Bytes given to or taken from TCP.
    pub done: usize,
    /// Bytes received that differ from what was sent.
    pub wrong: usize,
    /// When the last byte was there.
    pub finished: Option<Instant>,
}

/// The bytes of a transfer.
#[derive(Clone, Debug)]
struct Stream {
    rng: Rng,
    word: [u8; 8],
    used: usize,
}

impl Stream {
    fn new(seed: u64) -> Self {
        Self { rng: Rng::new(seed), word: [0; 8], used: 8 }
    }

    fn next(&mut self) -> u8 {
        if self.used == 8 {
            self.word = self.rng.next_u64().to_le_bytes();
            self.used = 0;
        }
        self.used += 1;
        self.word[self.used - 1]
    }
}

impl core::fmt::Debug for Host {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Host({} {} behind {})", self.mac, self.ip, self.node)
    }
}

impl Host {
    /// A host whose last two address bytes are `number`.
    pub fn new(mac: MacAddr, number: u16, node: NodeId, seed: u64, now: Instant) -> Self {
        let mut device = Queues::default();
        let mut config = Config::new(EthernetAddress(mac.0).into());
        config.random_seed = seed;
        let mut iface = Interface::new(config, &mut device, stack_time(now));
        let [hi, lo] = number.to_be_bytes();
        let ip = Ipv4Address::new(10, 0, hi, lo);
        iface.update_ip_addrs(|addrs| {
            // The list starts empty and holds at least one address.
            let _ = addrs.push(IpCidr::new(IpAddress::Ipv4(ip), 16));
        });
        Self {
            mac,
            ip,
            node,
            wake: Instant::FAR_FUTURE,
            device,
            iface,
            sockets: SocketSet::new(Vec::new()),
            pings: None,
            transfers: Vec::new(),
        }
    }

    /// Sends `count` echo requests, `interval` apart.
    pub fn ping(&mut self, to: Ipv4Address, count: u16, interval: Duration, now: Instant) {
        let buffer = || icmp::PacketBuffer::new(vec![icmp::PacketMetadata::EMPTY; 16], vec![0; 4096]);
        let mut socket = icmp::Socket::new(buffer(), buffer());
        // A fresh socket takes any identifier.
        let _ = socket.bind(icmp::Endpoint::Ident(PING_IDENT));
        let socket = self.sockets.add(socket);
        self.pings =
            Some(Pings { socket, to, interval, left: count, next: now, sent: Vec::new(), answered: Vec::new() });
    }

    /// Waits for a connection that brings `total` bytes made from `seed`.
    pub fn receive(&mut self, port: u16, total: usize, seed: u64) -> usize {
        let mut socket = tcp_socket();
        // A fresh socket listens on any port but 0.
        let _ = socket.listen(port);
        self.transfer(socket, Role::Receive, total, seed)
    }

    /// Connects and sends `total` bytes made from `seed`.
    pub fn send(&mut self, to: Ipv4Address, port: u16, total: usize, seed: u64) -> usize {
        let mut socket = tcp_socket();
        // A fresh socket connects to any port but 0.
        let _ = socket.connect(self.iface.context(), (IpAddress::Ipv4(to), port), 40_000 + port);
        self.transfer(socket, Role::Send, total, seed)
    }

    fn transfer(&mut self, socket: tcp::Socket<'static>, role: Role, total: usize, seed: u64) -> usize {
        let socket = self.sockets.add(socket);
        let stream = Stream::new(seed);
        self.transfers.push(Transfer { socket, role, stream, total, done: 0, wrong: 0, finished: None });
        self.transfers.len() - 1
    }

    /// Echo requests and answers so far.
    pub fn pings(&self) -> Option<&Pings> {
        self.pings.as_ref()
    }

    /// A transfer by the number that [`Host::send`] or [`Host::receive`] gave.
    pub fn progress(&self, transfer: usize) -> &Transfer {
        &self.transfers[transfer]
    }

    /// A frame came out of the mesh.
    pub fn take(&mut self, frame: &[u8]) {
        self.device.rx.push_back(frame.to_vec());
    }

    /// Runs stack and programs; the frames that the host sends, and sets [`Host::wake`].
    pub fn poll(&mut self, now: Instant) -> Vec<Vec<u8>> {
        loop {
            let _ = self.iface.poll(stack_time(now), &mut self.device, &mut self.sockets);
            if !self.programs(now) {
                break;
            }
        }
        let stack = self.iface.poll_delay(stack_time(now), &self.sockets).map(|d| {
            // A stack that wants attention at once has just had it; it may wait for the air to move on.
            now + Duration::from_micros(d.total_micros().max(100))
        });
        let pings = self.pings.as_ref().filter(|p| p.left > 0).map(|p| p.next);
        self.wake = [stack, pings].into_iter().flatten().min().unwrap_or(Instant::FAR_FUTURE);
        self.device.tx.drain(..).collect()
    }

    /// Lets the programs act; true if one did something that the stack should see.
    fn programs(&mut self, now: Instant) -> bool {
        let mut acted = false;
        if let Some(pings) = &mut self.pings {
            acted |= pings.run(self.sockets.get_mut::<icmp::Socket<'_>>(pings.socket), now);
        }
        for transfer in &mut self.transfers {
            acted |= transfer.run(self.sockets.get_mut::<tcp::Socket<'_>>(transfer.socket), now);
        }
        acted
    }
}

impl Pings {
    fn run(&mut self, socket: &mut icmp::Socket<'_>, now: Instant) -> bool {
        let checksums = ChecksumCapabilities::default();
        while let Ok((bytes, from)) = socket.recv() {
            let Ok(packet) = Icmpv4Packet::new_checked(bytes) else { continue };
            let Ok(Icmpv4Repr::EchoReply { ident: PING_IDENT, seq_no, .. }) = Icmpv4Repr::parse(&packet, &checksums)
            else {
                continue;
            };
            if from == IpAddress::Ipv4(self.to)
                && let Some(sent) = self.sent.get(usize::from(seq_no))
            {
                self.answered.push((seq_no, now.since(*sent)));
            }
        }
        if self.left == 0 || now < self.next || !socket.can_send() {
            return false;
        }
        let seq_no = self.sent.len() as u16;
        let request = Icmpv4Repr::EchoRequest { ident: PING_IDENT, seq_no, data: &[0x5a; 56] };
        let Ok(room) = socket.send(request.buffer_len(), IpAddress::Ipv4(self.to)) else { return false };
        request.emit(&mut Icmpv4Packet::new_unchecked(room), &checksums);
        self.sent.push(now);
        self.left -= 1;
        self.next = now + self.interval;
        true
    }
}

impl Transfer {
    fn run(&mut self, socket: &mut tcp::Socket<'_>, now: Instant) -> bool {
        if self.finished.is_some() {
            return false;
        }
        let before = self.done;
        match self.role {
            Role::Send => {
                while socket.can_send() && self.done < self.total {
                    let (total, stream) = (self.total - self.done, &mut self.stream);
                    let sent = socket.send(|room| {
                        let n = room.len().min(total);
                        room[..n].fill_with(|| stream.next());
                        (n, n)
                    });
                    self.done += sent.unwrap_or(0);
                }
                if self.done == self.total && socket.send_queue() == 0 {
                    socket.close();
                    self.finished = Some(now);
                    return true;
                }
            }
            Role::Receive => {
                while socket.can_recv() {
                    let (wrong, stream) = (&mut self.wrong, &mut self.stream);
                    let got = socket.recv(|bytes| {
                        *wrong += bytes.iter().filter(|b| **b != stream.next()).count();
                        (bytes.len(), bytes.len())
                    });
                    self.done += got.unwrap_or(0);
                }
                if self.done >= self.total {
                    socket.close();
                    self.finished = Some(now);
                    return true;
                }
            }
        }
        self.done != before
    }
}

fn tcp_socket() -> tcp::Socket<'static> {
    let buffer = || tcp::SocketBuffer::new(vec![0; 65_535]);
    let mut socket = tcp::Socket::new(buffer(), buffer());
    socket.set_congestion_control(tcp::CongestionControl::Reno);
    socket
}

fn stack_time(now: Instant) -> smoltcp::time::Instant {
    smoltcp::time::Instant::from_micros(now.as_micros() as i64)
}

/// The network card of a host: one queue each way.
#[derive(Debug, Default)]
struct Queues {
    rx: VecDeque<Vec<u8>>,
    tx: VecDeque<Vec<u8>>,
}

struct Received(Vec<u8>);
struct Sending<'a>(&'a mut VecDeque<Vec<u8>>);

impl RxToken for Received {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

impl TxToken for Sending<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut frame = vec![0; len];
        let result = f(&mut frame);
        self.0.push_back(frame);
        result
    }
}

impl Device for Queues {
    type RxToken<'a> = Received;
    type TxToken<'a> = Sending<'a>;

    fn receive(&mut self, _: smoltcp::time::Instant) -> Option<(Received, Sending<'_>)> {
        let frame = self.rx.pop_front()?;
        Some((Received(frame), Sending(&mut self.tx)))
    }

    fn transmit(&mut self, _: smoltcp::time::Instant) -> Option<Sending<'_>> {
        Some(Sending(&mut self.tx))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.max_transmission_unit = FRAME_BYTES;
        capabilities.medium = Medium::Ethernet;
        capabilities
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::client_mac;

    /// Two hosts on one cable, every tenth frame lost: what the mesh has to carry works without it.
    #[test]
    fn two_hosts_on_a_cable() {
        let mut now = Instant::from_micros(1000);
        let mut a = Host::new(client_mac(1), 1, 0, 1, now);
        let mut b = Host::new(client_mac(2), 2, 0, 2, now);
        a.ping(b.ip, 5, Duration::from_millis(100), now);
        let sent = a.send(b.ip, 7, 100_000, 42);
        let got = b.receive(7, 100_000, 42);
        let mut frames = 0;
        for _ in 0..20_000 {
            for frame in a.poll(now) {
                frames += 1;
                if frames % 10 != 0 {
                    b.take(&frame);
                }
            }
            for frame in b.poll(now) {
                a.take(&frame);
            }
            now += Duration::from_millis(1);
        }
        assert_eq!(b.progress(got).done, 100_000);
        assert_eq!(b.progress(got).wrong, 0);
        assert!(a.progress(sent).finished.is_some());
        let pings = a.pings().unwrap();
        assert_eq!(pings.sent.len(), 5);
        assert!(pings.answered.len() >= 4, "{pings:?}");
    }
}
