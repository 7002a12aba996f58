//! The neighbourhood: nodes, the links between them, the clients behind them, and all that can be
//! done to it while it runs.

use super::air::Air;
use super::client::Client;
use super::medium::{Medium, Path, Usage};
use super::node::Node;
use super::options::{MediumKind, Options};
use super::reach::Probe;
use super::topology::{self, MAX_NODES, Topology, check_name};
use anyhow::{Context, Result, bail, ensure};
use config::Config;
use packet::MacAddr;
use std::collections::BTreeMap;
use std::path::{Path as FilePath, PathBuf};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Everything that was built.
#[derive(Debug)]
pub(crate) struct World {
    /// Nodes; everything else names them by their place here.
    pub(crate) nodes: Vec<Node>,
    /// Links, cut ones included.
    pub(crate) links: Vec<Link>,
    /// Clients by the place of their node.
    pub(crate) clients: BTreeMap<usize, Client>,
    air: Option<Air>,
    usual_path: Path,
    base: Config,
    dir: PathBuf,
    answers: mpsc::UnboundedSender<(Probe, Instant)>,
}

/// A link between two nodes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Link {
    /// The nodes it joins, lower place first.
    pub(crate) ends: (usize, usize),
    /// From first to second end, and back.
    pub(crate) paths: [Path; 2],
    /// Out of order.
    pub(crate) cut: bool,
}

impl World {
    /// Builds a neighbourhood; no daemon runs yet.
    ///
    /// # Errors
    /// The kernel cannot or will not make what it needs.
    pub(crate) fn build(
        options: &Options,
        topology: &Topology,
        dir: &FilePath,
        answers: mpsc::UnboundedSender<(Probe, Instant)>,
    ) -> Result<Self> {
        let mut base = Config::default();
        base.mesh.fast_start = options.fast_start;
        // No two nodes share a LAN here, and a client is not to wait half a minute for its first word.
        base.mesh.bridge_loop_avoidance = false;
        base.mesh.algorithm = options.algorithm;
        if let Some(penalty) = options.hop_penalty {
            base.mesh.hop_penalty = penalty;
        }
        let air = match options.medium {
            MediumKind::Radio => Some(Air::start(Medium::new(options.seed, BASIC_RATE_KBPS))?),
            MediumKind::Veth => None,
        };
        let usual_path = Path { loss: options.loss, rate_kbps: kbps(options.rate_mbps) };
        let mut world = Self {
            nodes: Vec::new(),
            links: Vec::new(),
            clients: BTreeMap::new(),
            air,
            usual_path,
            base,
            dir: dir.to_owned(),
            answers,
        };
        for name in &topology.nodes {
            world.add_node(name).with_context(|| format!("building node {name}"))?;
        }
        for link in &topology.links {
            world.add_link(link)?;
        }
        for place in topology.spread(options.clients.unwrap_or(topology.nodes.len())) {
            world.add_client(place)?;
        }
        Ok(world)
    }

    fn add_node(&mut self, name: &str) -> Result<usize> {
        let place = self.nodes.len();
        ensure!(place < MAX_NODES, "there are {MAX_NODES} nodes already, which is the most");
        let mut node = Node::new(name, place, &self.dir, &self.base)?;
        match &self.air {
            Some(air) => {
                let (mac, tap) = node.add_tap()?;
                node.radio = Some(air.add_radio(mac, tap)?);
            }
            None => node.add_home()?,
        }
        self.nodes.push(node);
        Ok(place)
    }

    fn add_link(&mut self, link: &topology::Link) -> Result<()> {
        let usual = self.usual_path;
        let rate_kbps = link.rate_mbps.map_or(usual.rate_kbps, kbps);
        let paths = link.loss.map(|loss| Path { loss: loss.unwrap_or(usual.loss), rate_kbps });
        let link = Link { ends: link.ends, paths, cut: false };
        self.links.push(link);
        if self.air.is_some() {
            self.set_air(&link);
            return Ok(());
        }
        let (a, b) = self.two(link.ends)?;
        a.join(b).with_context(|| format!("joining {} and {}", a.name, b.name))
    }

    fn add_client(&mut self, place: usize) -> Result<()> {
        let node = self.nodes.get_mut(place).context("there is no such node")?;
        let client = Client::new(place, node, self.answers.clone())
            .with_context(|| format!("building the client of {}", node.name))?;
        self.clients.insert(place, client);
        Ok(())
    }

    /// Adds a node with a client, in reach of the named ones, and starts it. Returns its place.
    ///
    /// # Errors
    /// A name is wrong, or the kernel refuses.
    pub(crate) fn add(&mut self, names: &[String]) -> Result<usize> {
        let mut near = names.iter().map(|name| self.place_of(name)).collect::<Result<Vec<_>>>()?;
        if near.is_empty() {
            near.extend(self.nodes.len().checked_sub(1));
        }
        near.sort_unstable();
        near.dedup();
        let taken = |name: &str| self.nodes.iter().any(|node| node.name == name);
        let name = (self.nodes.len() + 1..).map(|n| format!("n{n}")).find(|name| !taken(name));
        let place = self.add_node(&name.context("no name is left")?)?;
        for other in &near {
            self.add_link(&topology::Link::between(*other, place))?;
        }
        self.add_client(place)?;
        self.start(place)?;
        if self.air.is_none() {
            for other in near {
                self.nodes.get(other).map_or(Ok(()), Node::reload)?;
            }
        }
        Ok(place)
    }

    /// Cuts a link or heals it. On the air nobody is told; a wire goes down at one end, which the
    /// other end notices.
    ///
    /// # Errors
    /// There is no such link, or it is that way already.
    pub(crate) fn set_cut(&mut self, a: &str, b: &str, cut: bool) -> Result<()> {
        let (a, b) = (self.place_of(a)?, self.place_of(b)?);
        let ends = (a.min(b), a.max(b));
        let names = format!("{} and {}", self.name(a), self.name(b));
        let known = self.links.iter_mut().find(|link| link.ends == ends);
        let Some(link) = known else {
            let near: Vec<_> = self.neighbours(a).map(|n| self.name(n)).collect();
            bail!("there is no link between {names}; {} has links to {}", self.name(a), near.join(", "));
        };
        ensure!(link.cut != cut, "the link between {names} is {} already", if cut { "cut" } else { "whole" });
        link.cut = cut;
        let link = *link;
        if self.air.is_some() {
            self.set_air(&link);
            return Ok(());
        }
        let (a, b) = self.two(ends)?;
        a.set_wire(b, !cut)
    }

    /// Starts a node's daemon, and its radio if that was off. One that runs is killed first.
    ///
    /// # Errors
    /// The process cannot be started.
    pub(crate) fn start(&mut self, place: usize) -> Result<()> {
        self.kill(place);
        let node = self.nodes.get_mut(place).context("there is no such node")?;
        if let (Some(air), Some(radio)) = (&self.air, node.radio) {
            air.set_power(radio, true);
        }
        node.start()
    }

    /// Kills a node's daemon with SIGKILL and switches its radio off, as a power cut does.
    pub(crate) fn kill(&mut self, place: usize) {
        let Some(node) = self.nodes.get_mut(place) else { return };
        if let (Some(air), Some(radio)) = (&self.air, node.radio) {
            air.set_power(radio, false);
        }
        node.kill();
    }

    /// Ends all daemons in order: SIGTERM, then SIGKILL for those that take too long.
    pub(crate) async fn end(&mut self) {
        for node in &self.nodes {
            node.terminate();
        }
        let patience = Instant::now() + Duration::from_secs(2);
        while Instant::now() < patience && self.nodes.iter().any(Node::running) {
            tokio::time::sleep(Duration::from_millis(10)).await;
            for node in &mut self.nodes {
                let _ = node.ended();
            }
        }
        self.nodes.iter_mut().for_each(Node::kill);
    }

    /// The place of a node by its name; `3` means `n3`.
    ///
    /// # Errors
    /// There is none of this name.
    pub(crate) fn place_of(&self, name: &str) -> Result<usize> {
        check_name(name)?;
        let by = |name: &str| self.nodes.iter().position(|node| node.name == name);
        by(name).or_else(|| by(&format!("n{name}"))).with_context(|| {
            let names: Vec<_> = self.nodes.iter().take(8).map(|node| node.name.as_str()).collect();
            let more = if self.nodes.len() > names.len() { ", ..." } else { "" };
            format!("there is no node {name}; there are {}{more}", names.join(", "))
        })
    }

    /// Name of the node at a place.
    pub(crate) fn name(&self, place: usize) -> &str {
        self.nodes.get(place).map_or("?", |node| node.name.as_str())
    }

    /// Whose hard interfaces have which address.
    pub(crate) fn owners(&self) -> BTreeMap<MacAddr, usize> {
        let each = self.nodes.iter().enumerate();
        each.flat_map(|(place, node)| node.addresses().map(move |mac| (mac, place))).collect()
    }

    /// What a node's radio did, `None` where there is no air.
    pub(crate) fn usage(&self, place: usize) -> Option<Usage> {
        Some(self.air.as_ref()?.usage(self.nodes.get(place)?.radio?))
    }

    /// See [`Air::take_lag`].
    pub(crate) fn take_lag(&self) -> Duration {
        self.air.as_ref().map_or(Duration::ZERO, Air::take_lag)
    }

    fn neighbours(&self, place: usize) -> impl Iterator<Item = usize> {
        self.links.iter().filter_map(move |link| match link.ends {
            (a, b) if a == place => Some(b),
            (a, b) if b == place => Some(a),
            _ => None,
        })
    }

    fn set_air(&self, link: &Link) {
        let radio = |place: usize| self.nodes.get(place).and_then(|node| node.radio);
        let (Some(air), Some(a), Some(b)) = (&self.air, radio(link.ends.0), radio(link.ends.1)) else { return };
        let [there, back] = link.paths.map(|path| Some(path).filter(|_| !link.cut));
        air.set_path(a, b, there);
        air.set_path(b, a, back);
    }

    /// Two nodes at once; the lower place first.
    fn two(&mut self, (low, high): (usize, usize)) -> Result<(&mut Node, &mut Node)> {
        let (head, tail) = self.nodes.split_at_mut_checked(high).context("there is no such node")?;
        head.get_mut(low).zip(tail.first_mut()).context("there is no such node")
    }
}

fn kbps(mbps: f64) -> u32 {
    // Checked to be 0.1 to 10000 where it came in.
    (mbps * 1000.0).round() as u32
}

/// Group frames and acknowledgements: the lowest OFDM rate.
const BASIC_RATE_KBPS: u32 = 6_000;
