//! The process beside a node: claims its address, answers for names, and tells a script what changed.
//!
//! It follows the node over its control socket and lives on without it. What changes on the router (addresses, which
//! DHCP server speaks) is done by the script, with the system's own tools.

use super::claim::{Claim, Verdict};
use super::names::{self, Message};
use super::{dns, plan::Network};
use crate::control::Client;
use crate::control::protocol::Ask;
use crate::sys::packet as options;
use crate::sys::ready::watch_read;
use anyhow::Context as _;
use packet::MacAddr;
use packet::arp::Arp;
use packet::consts::ETH_LEN;
use packet::eth::ETHERTYPE_ARP;
use socket2::{Domain, Protocol, Socket, Type};
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::unix::AsyncFd;
use tokio::net::UdpSocket;
use tokio::time::Instant;

/// Port of the questions between nodes, and on the loopback interface of the name server that asks them.
pub const PORT: u16 = 4306;
/// The name under which every node has itself, for people who look for its status page.
const SELF: &str = "status";
/// How long others may think about a name.
const PATIENCE: Duration = Duration::from_millis(700);
/// Names asked for at a time. The eldest is given up for a new one.
const WAITING: usize = 64;
/// Time between two looks at the node.
const LOOK: Duration = Duration::from_secs(5);
/// Time until the interface is looked for again.
const RETRY: Duration = Duration::from_secs(5);

/// What the process is told.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Interface of clients: the bridge around the mesh interface.
    pub interface: String,
    /// The node's own name, one label.
    pub name: String,
    /// Below which names are ours, `mesh`.
    pub domain: String,
    /// Addresses of the whole mesh.
    pub network: Network,
    /// Own addresses.
    pub address: Ipv4Addr,
    /// In the prefix that all nodes have.
    pub address6: Ipv6Addr,
    /// dnsmasq's list of leases.
    pub leases: PathBuf,
    /// Program told of changes: `gateway on`, `gateway off`, `address NEW`.
    pub hook: Option<PathBuf>,
    /// The node's control socket.
    pub socket: PathBuf,
}

/// Runs until it is ended.
///
/// # Errors
/// The port for names is taken.
pub async fn serve(setup: Setup) -> anyhow::Result<()> {
    let local = UdpSocket::bind((Ipv4Addr::LOCALHOST, PORT)).await;
    let local = local.with_context(|| format!("port {PORT} on 127.0.0.1 is taken: another one runs"))?;
    let mut told = Told::default();
    loop {
        match Mesh::open(&setup.interface) {
            Ok(mesh) => {
                let mut home = Home::new(setup.clone(), mesh, std::mem::take(&mut told));
                let why = home.run(&local).await;
                tracing::info!(interface = setup.interface, "lost: {why:#}");
                told = home.told;
            }
            Err(e) => tracing::debug!(interface = setup.interface, "not there yet: {e:#}"),
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// Sockets on the interface of clients.
struct Mesh {
    mac: MacAddr,
    index: u32,
    arp: AsyncFd<OwnedFd>,
    nodes: UdpSocket,
}

impl Mesh {
    fn open(interface: &str) -> anyhow::Result<Self> {
        let index = nix::net::if_::if_nametoindex(interface)?;
        let mac = std::fs::read_to_string(format!("/sys/class/net/{interface}/address"))?;
        let mac = mac.trim().parse().map_err(|_| anyhow::anyhow!("it has no MAC address"))?;
        let arp = Socket::new(Domain::PACKET, Type::RAW.nonblocking(), None::<Protocol>)?;
        let _ = options::ignore_outgoing(&arp);
        options::bind(&arp, index, ETHERTYPE_ARP)?;
        let nodes = Socket::new(Domain::IPV6, Type::DGRAM.nonblocking(), Some(Protocol::UDP))?;
        nodes.set_only_v6(true)?;
        nodes.set_multicast_if_v6(index)?;
        nodes.set_multicast_loop_v6(false)?;
        nodes.join_multicast_v6(&names::GROUP, index)?;
        nodes.bind_device(Some(interface.as_bytes()))?;
        nodes.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, PORT)).into())?;
        let nodes = UdpSocket::from_std(nodes.into())?;
        Ok(Self { mac, index, arp: watch_read(arp.into())?, nodes })
    }
}

/// What the script was told.
#[derive(Default)]
struct Told {
    gateway: Option<bool>,
    originators: usize,
}

/// Somebody waits for the addresses of a name.
struct Waiting {
    id: u32,
    name: String,
    question: Vec<u8>,
    from: SocketAddr,
    until: Instant,
}

struct Home {
    setup: Setup,
    mesh: Mesh,
    claim: Claim,
    waiting: VecDeque<Waiting>,
    told: Told,
}

/// What woke us.
enum Wake {
    Arp(Vec<u8>),
    Node(Vec<u8>, SocketAddr),
    Dns(Vec<u8>, SocketAddr),
    Look,
    Time,
}

impl Home {
    fn new(setup: Setup, mesh: Mesh, told: Told) -> Self {
        let claim = Claim::new(mesh.mac, setup.address, Instant::now().into_std());
        Self { setup, mesh, claim, waiting: VecDeque::new(), told }
    }

    /// Until the interface is gone.
    async fn run(&mut self, local: &UdpSocket) -> anyhow::Error {
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            match self.step(local, &mut look).await {
                Ok(()) => {}
                Err(e) => return e,
            }
        }
    }

    async fn step(&mut self, local: &UdpSocket, look: &mut tokio::time::Interval) -> anyhow::Result<()> {
        let mut arp = [0; 128];
        let mut node = [0; names::MAX + 1];
        let mut dns = [0; dns::MAX];
        let next = self.waiting.front().map(|w| w.until);
        let next = next.into_iter().chain([Instant::from_std(self.claim.next())]).min();
        let wake = tokio::select! {
            ready = self.mesh.arp.readable() => {
                let mut ready = ready?;
                let read = ready.try_io(|fd| Ok(nix::unistd::read(fd, &mut arp)?));
                match read {
                    Ok(n) => Wake::Arp(arp.get(..n?).unwrap_or_default().to_vec()),
                    Err(_) => return Ok(()),
                }
            }
            got = self.mesh.nodes.recv_from(&mut node) => {
                let (n, from) = got?;
                Wake::Node(node.get(..n).unwrap_or_default().to_vec(), from)
            }
            got = local.recv_from(&mut dns) => {
                let (n, from) = got?;
                Wake::Dns(dns.get(..n).unwrap_or_default().to_vec(), from)
            }
            _ = look.tick() => Wake::Look,
            () = tokio::time::sleep_until(next.unwrap_or_else(Instant::now)) => Wake::Time,
        };
        match wake {
            Wake::Arp(frame) => self.hear(&frame).await?,
            Wake::Node(bytes, from) => self.node_said(&bytes, from, local).await,
            Wake::Dns(bytes, from) => self.asked(&bytes, from, local).await,
            Wake::Look => self.look().await,
            Wake::Time => {}
        }
        self.give_up(local).await;
        if self.claim.due(Instant::now().into_std()) {
            self.announce()?;
        }
        Ok(())
    }

    // --- the address ---

    async fn hear(&mut self, frame: &[u8]) -> anyhow::Result<()> {
        let Some(arp) = frame.get(ETH_LEN..).and_then(|b| Arp::parse(b).ok()) else { return Ok(()) };
        let now = Instant::now();
        match self.claim.hear(arp, now.into_std()) {
            Verdict::Pass => {}
            Verdict::Announce => self.announce()?,
            Verdict::Yield => {
                let old = self.claim.address();
                let Some(new) = self.setup.network.after(self.mesh.mac, old) else {
                    tracing::warn!(address = %old, other = %arp.sender_mac, "somebody else has this address too; it was set by hand, change it");
                    return Ok(());
                };
                tracing::warn!(%old, %new, other = %arp.sender_mac, "somebody else has this address too and may keep it; moving");
                self.claim.moved(new, now.into_std());
                self.setup.address = new;
                self.hook(&["address", &new.to_string()]).await;
            }
            Verdict::Stuck => {
                tracing::warn!(other = %arp.sender_mac, "somebody claims every address that this node takes; staying");
            }
        }
        Ok(())
    }

    fn announce(&self) -> anyhow::Result<()> {
        let mut frame = [MacAddr::BROADCAST.0, self.mesh.mac.0].concat();
        frame.extend(ETHERTYPE_ARP.to_be_bytes());
        frame.extend(self.claim.announcement().to_bytes());
        match nix::unistd::write(&self.mesh.arp, &frame) {
            // Down for now, or a full queue: said again soon.
            Err(nix::errno::Errno::ENXIO | nix::errno::Errno::ENODEV) => anyhow::bail!("the interface is gone"),
            _ => Ok(()),
        }
    }

    // --- names ---

    /// A question of the system's name server.
    async fn asked(&mut self, bytes: &[u8], from: SocketAddr, local: &UdpSocket) {
        let Some(question) = dns::parse(bytes) else { return };
        let label = question.name.strip_suffix(&self.setup.domain).and_then(|n| n.strip_suffix('.'));
        let Some(name) = label.filter(|n| names::is_name(n)) else {
            let _ = local.send_to(&dns::answer(&question, &[]), from).await;
            return;
        };
        let mut known = self.known(name);
        if name == SELF {
            known = self.own();
        }
        if !known.is_empty() {
            let _ = local.send_to(&dns::answer(&question, &known), from).await;
            return;
        }
        let id = getrandom::u32().unwrap_or_default();
        let ask = Message { id, name: name.to_owned(), addresses: None };
        let to = SocketAddrV6::new(names::GROUP, PORT, 0, self.mesh.index);
        let _ = self.mesh.nodes.send_to(&ask.emit(), to).await;
        if self.waiting.len() >= WAITING {
            self.waiting.pop_front();
        }
        let until = Instant::now() + PATIENCE;
        self.waiting.push_back(Waiting { id, name: ask.name, question: bytes.to_vec(), from, until });
    }

    async fn node_said(&mut self, bytes: &[u8], from: SocketAddr, local: &UdpSocket) {
        // Only who is on the link itself has such an address.
        if !matches!(from.ip(), IpAddr::V6(a) if a.is_unicast_link_local()) {
            return;
        }
        let Some(message) = Message::parse(bytes) else { return };
        let Some(addresses) = message.addresses else {
            let addresses = self.known(&message.name);
            if !addresses.is_empty() {
                let answer = Message { addresses: Some(addresses), ..message };
                let _ = self.mesh.nodes.send_to(&answer.emit(), from).await;
            }
            return;
        };
        let same = |w: &Waiting| w.id == message.id && w.name == message.name;
        let Some(waiting) = self.waiting.iter().position(same).and_then(|i| self.waiting.remove(i)) else { return };
        if let Some(question) = dns::parse(&waiting.question) {
            let _ = local.send_to(&dns::answer(&question, &addresses), waiting.from).await;
        }
    }

    /// Nobody answered in time.
    async fn give_up(&mut self, local: &UdpSocket) {
        while let Some(w) = self.waiting.pop_front_if(|w| w.until <= Instant::now()) {
            if let Some(question) = dns::parse(&w.question) {
                let _ = local.send_to(&dns::answer(&question, &[]), w.from).await;
            }
        }
    }

    fn own(&self) -> Vec<IpAddr> {
        vec![self.setup.address.into(), self.setup.address6.into()]
    }

    /// Addresses of a name that is this node's, or of one of its clients.
    fn known(&self, name: &str) -> Vec<IpAddr> {
        if name == self.setup.name {
            return self.own();
        }
        match std::fs::read_to_string(&self.setup.leases) {
            Ok(text) => names::leased(&text, name),
            Err(_) => Vec::new(),
        }
    }

    // --- the node ---

    /// Looks at the node: whether clients have a gateway, and whether others came.
    async fn look(&mut self) {
        let Ok(mut client) = Client::connect(&self.setup.socket).await else { return };
        let asked = tokio::time::timeout(LOOK, async {
            let gateways = client.ask(Ask::Gateways).await?.gateways.unwrap_or_default();
            let status = client.ask(Ask::Status).await?.status;
            Ok::<_, crate::control::client::ClientError>((gateways, status))
        });
        let Ok(Ok((gateways, status))) = asked.await else { return };
        let on = gateways.iter().any(|g| g.best);
        if self.told.gateway != Some(on) {
            self.told.gateway = Some(on);
            self.hook(&["gateway", if on { "on" } else { "off" }]).await;
        }
        let originators = status.map_or(0, |s| s.originators);
        if originators > self.told.originators {
            self.claim.met(Instant::now().into_std());
        }
        self.told.originators = originators;
    }

    async fn hook(&self, words: &[&str]) {
        let Some(hook) = &self.setup.hook else { return };
        tracing::info!("{}", words.join(" "));
        let (hook, words) = (hook.clone(), words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>());
        // The script is waited for, so that two never run at once; names can wait that long.
        let done = tokio::task::spawn_blocking(move || std::process::Command::new(hook).args(words).status()).await;
        match done {
            Ok(Ok(status)) if status.success() => {}
            Ok(Ok(status)) => tracing::warn!(%status, "the script failed"),
            Ok(Err(e)) => tracing::warn!(error = %e, "the script cannot be run"),
            Err(e) => tracing::warn!(error = %e, "the script was lost"),
        }
    }
}
