//! Writes down everything that a node's control side is told and does, and plays it again into a
//! fresh one: a fault seen once, in a simulation or on a router, becomes a test.
//!
//! Two files of one JSON object per line: `NN-input.jsonl` begins with the [`Head`] and goes on
//! with inputs, `NN-output.jsonl` holds what each input caused, by its number.

use mesh_core::fib::NextHop;
use mesh_core::multicast::{Listeners, Querier, Version};
use mesh_core::{
    Algorithm, Behind, Caps, Choice, DataPlane, Duration, Echo, Event, FibChange, Frame, GatewayConfig, GatewayMode,
    HostInfo, Input, Instant, LinkConfig, LinkId, LinkSpeed, Measure, Mesh, MeshConfig, Meter, OwnerUse, Seqnos,
    Station, drive,
};
use packet::{MacAddr, Vid};
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::fs;
use std::net::IpAddr;
use std::path::Path;

/// How a node was started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Seed of the core.
    pub seed: u64,
    /// Start, in microseconds.
    pub at: u64,
    /// What to go on from: sequence numbers of OGMs and of broadcasts, algorithm.
    pub resume: Option<(u32, u32, Option<String>)>,
    /// Settings.
    pub config: Settings,
}

/// Settings of a node; the caps are the defaults.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    host_mac: String,
    orig_interval_ms: u64,
    algorithm: String,
    extensions: bool,
    #[serde(default = "yes")]
    verify_forwarding: bool,
    elp_interval_ms: u64,
    dat: bool,
    hop_penalty: u8,
    aggregation: bool,
    fragmentation: bool,
    fast_start: bool,
    wifi_clients: bool,
    #[serde(default = "yes")]
    bridge_loop_avoidance: bool,
    #[serde(default = "yes")]
    meter: bool,
    #[serde(default)]
    bonding: bool,
    #[serde(default)]
    ap_isolation: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    isolation_vlans: Vec<u16>,
    #[serde(default)]
    isolated_clients: bool,
    #[serde(default)]
    gateway: GatewaySettings,
    #[serde(default)]
    multicast_forceflood: bool,
    #[serde(default = "fanout")]
    multicast_fanout: usize,
}

/// What holds in recordings that are older than a setting.
const fn yes() -> bool {
    true
}

/// Numbered in recordings.
const MEASURES: [Measure; 3] = [Measure::Blind, Measure::Always, Measure::Never];

/// Settings of gateways; what only people or programs see is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct GatewaySettings {
    mode: String,
    down: u32,
    up: u32,
    class: u8,
    advantage: u32,
    allowed: Vec<String>,
    plausible: u32,
    steer_routers: bool,
    #[serde(default)]
    guard: bool,
}

/// One input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct InputLine {
    at: u64,
    #[serde(flatten)]
    what: Told,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "in", rename_all = "snake_case")]
enum Told {
    LinkUp {
        link: u8,
        name: String,
        mac: String,
        mtu: usize,
        wifi: bool,
        hop_penalty: u8,
        throughput: Option<u32>,
        #[serde(default)]
        measure: u8,
        #[serde(default)]
        broadcast_copies: Option<u8>,
    },
    LinkSpeed {
        link: u8,
        throughput: Option<u32>,
        full_duplex: bool,
    },
    StationRate {
        link: u8,
        neigh: String,
        expected: Option<u32>,
        tx_bitrate: Option<u32>,
    },
    StationGone {
        link: u8,
        neigh: String,
    },
    StationFailed {
        link: u8,
        neigh: String,
        frames: u32,
    },
    OwnerWaits {
        link: u8,
    },
    LinkUse {
        link: u8,
        bytes: u64,
    },
    OwnerUse {
        link: u8,
        sent: u64,
        received: u64,
        #[serde(default)]
        air: u32,
        line: Option<u64>,
    },
    Gives {
        gives: bool,
    },
    LinkDown {
        link: u8,
    },
    CarrierLost {
        link: u8,
    },
    Host {
        bridged: bool,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        vlans: Vec<(String, u16)>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        marked: Vec<(String, bool, bool, bool)>,
    },
    Leave,
    Internet {
        online: bool,
    },
    LinkRx {
        link: u8,
        frame: String,
    },
    HostRx {
        frame: String,
    },
    Configure {
        config: Settings,
    },
    Listeners {
        known: Option<Heard>,
    },
    Echo {
        dst: String,
        ttl: u8,
        uid: u8,
        seqno: u16,
        record_route: bool,
    },
    MeterStart {
        ask: u32,
        dst: String,
        length_us: u64,
    },
    MeterStop {
        ask: u32,
    },
    Flow {
        link: u8,
        neigh: String,
        dest: String,
    },
    Tick,
}

/// Who listens to which groups.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Heard {
    bridged: bool,
    groups: Vec<IpAddr>,
    addresses: Vec<String>,
    /// Number of the [`Querier`], and whether there is a router.
    ipv4: (u8, bool),
    ipv6: (u8, bool),
}

/// One thing done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct OutputLine {
    /// Number of the input that caused it, 0 for the first.
    n: usize,
    out: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    link: Option<u8>,
    /// Frame in hexadecimal, or words.
    what: String,
}

/// What a node was told and did.
#[derive(Clone, Debug)]
pub struct Recorder {
    head: Head,
    inputs: Vec<InputLine>,
    outputs: Vec<OutputLine>,
}

/// Why a recording could not be read or did not play the same again.
#[derive(Debug)]
pub struct Mismatch(pub String);

impl core::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for Mismatch {}

impl Recorder {
    /// Begins a recording.
    pub fn new(config: &MeshConfig, seed: u64, resume: Option<Seqnos>, now: Instant) -> Self {
        let head = Head {
            seed,
            at: now.as_micros(),
            resume: resume.map(|s| (s.ogm, s.bcast, s.algorithm.map(|a| a.name().to_owned()))),
            config: Settings::of(config),
        };
        Self { head, inputs: Vec::new(), outputs: Vec::new() }
    }

    /// An input goes in.
    pub fn input(&mut self, now: Instant, input: &Input) {
        self.inputs.push(InputLine { at: now.as_micros(), what: Told::of(input) });
    }

    /// The forwarding table changes.
    pub fn fib(&mut self, change: &FibChange) {
        self.output("fib", None, format!("{change:?}"));
    }

    /// A frame leaves by a hard interface.
    pub fn link_tx(&mut self, link: LinkId, frame: &Frame) {
        self.output("link_tx", Some(link.0), hex(frame.bytes()));
    }

    /// A frame goes to the mesh interface.
    pub fn host_tx(&mut self, frame: &Frame) {
        self.output("host_tx", None, hex(frame.bytes()));
    }

    /// A frame goes to the data plane again: a mesh packet heard on `link`, or a client frame.
    pub fn again(&mut self, link: Option<LinkId>, frame: &Frame) {
        let name = if link.is_some() { "link_again" } else { "host_again" };
        self.output(name, link.map(|l| l.0), hex(frame.bytes()));
    }

    /// The core reports something.
    pub fn event(&mut self, event: &Event) {
        self.output("event", None, format!("{event:?}"));
    }

    fn output(&mut self, out: &str, link: Option<u8>, what: String) {
        let n = self.inputs.len().saturating_sub(1);
        self.outputs.push(OutputLine { n, out: out.to_owned(), link, what });
    }

    /// Number of inputs and outputs.
    pub fn len(&self) -> (usize, usize) {
        (self.inputs.len(), self.outputs.len())
    }

    /// True when nothing was recorded.
    pub fn is_empty(&self) -> bool {
        self.inputs.is_empty()
    }

    /// Writes `NN-input.jsonl` and `NN-output.jsonl` into a directory.
    ///
    /// # Errors
    /// [`Mismatch`] when a file cannot be written.
    pub fn save(&self, dir: &Path, number: u8) -> Result<(), Mismatch> {
        let input = lines(
            core::iter::once(json(&self.head)?).chain(self.inputs.iter().map(json).collect::<Result<Vec<_>, _>>()?),
        );
        let output = lines(self.outputs.iter().map(json).collect::<Result<Vec<_>, _>>()?.into_iter());
        fs::create_dir_all(dir).map_err(|e| Mismatch(format!("{}: {e}", dir.display())))?;
        for (name, text) in [("input", input), ("output", output)] {
            let path = dir.join(format!("{number:02}-{name}.jsonl"));
            fs::write(&path, text).map_err(|e| Mismatch(format!("{}: {e}", path.display())))?;
        }
        Ok(())
    }

    /// Reads what [`Recorder::save`] wrote.
    ///
    /// # Errors
    /// [`Mismatch`] with file and line when something cannot be read.
    pub fn load(dir: &Path, number: u8) -> Result<Self, Mismatch> {
        let read = |name: &str| {
            let path = dir.join(format!("{number:02}-{name}.jsonl"));
            fs::read_to_string(&path)
                .map(|t| (path.display().to_string(), t))
                .map_err(|e| Mismatch(format!("{}: {e}", path.display())))
        };
        let (path, text) = read("input")?;
        let mut rows = text.lines();
        let head = parse(&path, 1, rows.next().unwrap_or(""))?;
        let inputs = rows.enumerate().map(|(i, row)| parse(&path, i + 2, row)).collect::<Result<_, _>>()?;
        let (path, text) = read("output")?;
        let outputs = text.lines().enumerate().map(|(i, row)| parse(&path, i + 1, row)).collect::<Result<_, _>>()?;
        Ok(Self { head, inputs, outputs })
    }

    /// Plays all inputs into a fresh core and compares what it does, byte for byte.
    ///
    /// # Errors
    /// [`Mismatch`] with the first difference.
    pub fn replay(&self) -> Result<(), Mismatch> {
        let again = self.play()?;
        for (i, (was, is)) in self.outputs.iter().zip(&again.outputs).enumerate() {
            if was != is {
                return Err(Mismatch(format!("output {i} differs\n  recorded {was:?}\n  now      {is:?}")));
            }
        }
        match self.outputs.len().cmp(&again.outputs.len()) {
            core::cmp::Ordering::Equal => Ok(()),
            _ => Err(Mismatch(format!("{} outputs recorded, {} now", self.outputs.len(), again.outputs.len()))),
        }
    }

    /// Plays all inputs into a fresh core; the new recording.
    ///
    /// # Errors
    /// [`Mismatch`] when an input cannot be read.
    pub fn play(&self) -> Result<Self, Mismatch> {
        let start = Instant::from_micros(self.head.at);
        let resume = self.head.resume.as_ref().map(|(ogm, bcast, name)| Seqnos {
            ogm: *ogm,
            bcast: *bcast,
            algorithm: [Algorithm::Iv, Algorithm::V].into_iter().find(|a| name.as_deref() == Some(a.name())),
        });
        let config = self.head.config.read()?;
        let mut mesh = Mesh::new(config.clone(), self.head.seed, resume, start);
        let mut again = Self::new(&config, self.head.seed, resume, start);
        for line in &self.inputs {
            let now = Instant::from_micros(line.at);
            let input = line.what.read()?;
            again.input(now, &input);
            let cell = RefCell::new(&mut again);
            drive(&mut mesh, &mut Listener(&cell), input, now, |event| cell.borrow_mut().event(&event));
        }
        Ok(again)
    }
}

/// A data plane that only writes down.
struct Listener<'a>(&'a RefCell<&'a mut Recorder>);

impl DataPlane for Listener<'_> {
    fn apply(&mut self, change: &FibChange) {
        self.0.borrow_mut().fib(change);
    }
    fn inject_link(&mut self, link: LinkId, frame: Frame) {
        self.0.borrow_mut().link_tx(link, &frame);
    }
    fn inject_host(&mut self, frame: Frame) {
        self.0.borrow_mut().host_tx(&frame);
    }
    fn again_link(&mut self, link: LinkId, frame: Frame) {
        self.0.borrow_mut().again(Some(link), &frame);
    }
    fn again_host(&mut self, frame: Frame) {
        self.0.borrow_mut().again(None, &frame);
    }
    fn counters(&self) -> mesh_core::Counters {
        mesh_core::Counters::default()
    }
}

impl Settings {
    fn of(config: &MeshConfig) -> Self {
        Self {
            host_mac: config.host_mac.to_string(),
            orig_interval_ms: config.orig_interval.as_millis() as u64,
            algorithm: algorithm_name(config.algorithm).to_owned(),
            extensions: config.extensions,
            verify_forwarding: config.verify_forwarding,
            elp_interval_ms: config.elp_interval.as_millis() as u64,
            dat: config.dat,
            hop_penalty: config.hop_penalty,
            aggregation: config.aggregation,
            fragmentation: config.fragmentation,
            fast_start: config.fast_start,
            wifi_clients: config.wifi_clients,
            meter: config.meter,
            bridge_loop_avoidance: config.bridge_loop_avoidance,
            bonding: config.bonding,
            ap_isolation: config.ap_isolation,
            isolation_vlans: config.isolation_vlans.iter().map(|vid| vid.to_wire()).collect(),
            isolated_clients: config.isolated_clients,
            gateway: GatewaySettings {
                mode: config.gateway.mode.name().to_owned(),
                down: config.gateway.down,
                up: config.gateway.up,
                class: config.gateway.class,
                advantage: config.gateway.advantage,
                allowed: config.gateway.allowed.iter().map(ToString::to_string).collect(),
                plausible: config.gateway.plausible,
                steer_routers: config.gateway.steer_routers,
                guard: config.gateway.guard,
            },
            multicast_forceflood: config.multicast_forceflood,
            multicast_fanout: config.multicast_fanout,
        }
    }

    fn read(&self) -> Result<MeshConfig, Mismatch> {
        Ok(MeshConfig {
            orig_interval: Duration::from_millis(self.orig_interval_ms),
            algorithm: [Choice::Auto, Choice::Fixed(Algorithm::Iv), Choice::Fixed(Algorithm::V)]
                .into_iter()
                .find(|c| algorithm_name(*c) == self.algorithm)
                .ok_or_else(|| Mismatch(format!("no algorithm: {:?}", self.algorithm)))?,
            extensions: self.extensions,
            verify_forwarding: self.verify_forwarding,
            elp_interval: Duration::from_millis(self.elp_interval_ms),
            dat: self.dat,
            hop_penalty: self.hop_penalty,
            aggregation: self.aggregation,
            fragmentation: self.fragmentation,
            fast_start: self.fast_start,
            wifi_clients: self.wifi_clients,
            meter: self.meter,
            bridge_loop_avoidance: self.bridge_loop_avoidance,
            bonding: self.bonding,
            ap_isolation: self.ap_isolation,
            isolation_vlans: self.isolation_vlans.iter().filter_map(|vid| Vid::from_wire(*vid)).collect(),
            isolated_clients: self.isolated_clients,
            gateway: self.gateway.read()?,
            multicast_forceflood: self.multicast_forceflood,
            // Recorded worlds have none.
            protected_clients: Vec::new(),
            multicast_fanout: self.multicast_fanout,
            caps: Caps::default(),
            ..MeshConfig::new(mac(&self.host_mac)?)
        })
    }
}

impl GatewaySettings {
    fn read(&self) -> Result<GatewayConfig, Mismatch> {
        let mode = match self.mode.as_str() {
            // Recordings made before there were gateways.
            "" => return Ok(GatewayConfig::default()),
            "off" => GatewayMode::Off,
            "client" => GatewayMode::Client,
            "server" => GatewayMode::Server,
            other => return Err(Mismatch(format!("no gateway mode: {other:?}"))),
        };
        Ok(GatewayConfig {
            mode,
            down: self.down,
            up: self.up,
            class: self.class,
            advantage: self.advantage,
            allowed: self.allowed.iter().map(|m| mac(m)).collect::<Result<_, _>>()?,
            plausible: self.plausible,
            steer_routers: self.steer_routers,
            guard: self.guard,
        })
    }
}

impl Told {
    fn of(input: &Input) -> Self {
        match input {
            Input::LinkUp(link, c) => Self::LinkUp {
                link: link.0,
                name: c.name.clone(),
                mac: c.mac.to_string(),
                mtu: c.mtu,
                wifi: c.wifi,
                hop_penalty: c.hop_penalty,
                throughput: c.throughput,
                measure: MEASURES.iter().position(|m| *m == c.measure).unwrap_or(0) as u8,
                broadcast_copies: c.broadcast_copies,
            },
            Input::LinkSpeed(link, s) => {
                Self::LinkSpeed { link: link.0, throughput: s.throughput, full_duplex: s.full_duplex }
            }
            Input::Station(link, neigh, station) => {
                let (link, neigh) = (link.0, neigh.to_string());
                match *station {
                    Station::Rate { expected, tx_bitrate } => Self::StationRate { link, neigh, expected, tx_bitrate },
                    Station::Gone => Self::StationGone { link, neigh },
                    Station::Failed(frames) => Self::StationFailed { link, neigh, frames },
                }
            }
            Input::OwnerWaits(link) => Self::OwnerWaits { link: link.0 },
            Input::LinkUse(link, bytes) => Self::LinkUse { link: link.0, bytes: *bytes },
            Input::OwnerUse(link, used) => {
                let OwnerUse { sent, received, air, line } = *used;
                Self::OwnerUse { link: link.0, sent, received, air, line }
            }
            Input::Gives(gives) => Self::Gives { gives: *gives },
            Input::LinkDown(link) => Self::LinkDown { link: link.0 },
            Input::CarrierLost(link) => Self::CarrierLost { link: link.0 },
            Input::Internet(online) => Self::Internet { online: *online },
            Input::Leave => Self::Leave,
            Input::Host(host) => Self::Host {
                bridged: host.bridged,
                vlans: host.vlans.iter().map(|(addr, vid)| (addr.to_string(), vid.to_wire())).collect(),
                marked: host.marked.iter().map(|(addr, b)| (addr.to_string(), b.wifi, b.isolated, b.guest)).collect(),
            },
            Input::LinkRx(link, frame) => Self::LinkRx { link: link.0, frame: hex(frame.bytes()) },
            Input::HostRx(frame) => Self::HostRx { frame: hex(frame.bytes()) },
            Input::Flow(hop, dest) => {
                Self::Flow { link: hop.link.0, neigh: hop.neigh.to_string(), dest: dest.to_string() }
            }
            Input::Configure(config) => Self::Configure { config: Settings::of(config) },
            Input::Listeners(l) => Self::Listeners { known: l.as_ref().map(Heard::of) },
            Input::Echo(e) => Self::Echo {
                dst: e.dst.to_string(),
                ttl: e.ttl,
                uid: e.uid,
                seqno: e.seqno,
                record_route: e.record_route,
            },
            Input::Meter(Meter::Start { ask, dst, length }) => {
                Self::MeterStart { ask: *ask, dst: dst.to_string(), length_us: length.as_micros() as u64 }
            }
            Input::Meter(Meter::Stop { ask }) => Self::MeterStop { ask: *ask },
            Input::Tick => Self::Tick,
        }
    }

    fn read(&self) -> Result<Input, Mismatch> {
        Ok(match self {
            Self::LinkUp { link, name, mac: addr, mtu, wifi, hop_penalty, throughput, measure, broadcast_copies } => {
                Input::LinkUp(
                    LinkId(*link),
                    LinkConfig {
                        name: name.clone(),
                        mac: mac(addr)?,
                        mtu: *mtu,
                        wifi: *wifi,
                        hop_penalty: *hop_penalty,
                        throughput: *throughput,
                        measure: MEASURES.get(usize::from(*measure)).copied().unwrap_or_default(),
                        broadcast_copies: *broadcast_copies,
                    },
                )
            }
            Self::LinkSpeed { link, throughput, full_duplex } => {
                Input::LinkSpeed(LinkId(*link), LinkSpeed { throughput: *throughput, full_duplex: *full_duplex })
            }
            Self::StationRate { link, neigh, expected, tx_bitrate } => {
                let rate = Station::Rate { expected: *expected, tx_bitrate: *tx_bitrate };
                Input::Station(LinkId(*link), mac(neigh)?, rate)
            }
            Self::StationGone { link, neigh } => Input::Station(LinkId(*link), mac(neigh)?, Station::Gone),
            Self::StationFailed { link, neigh, frames } => {
                Input::Station(LinkId(*link), mac(neigh)?, Station::Failed(*frames))
            }
            Self::OwnerWaits { link } => Input::OwnerWaits(LinkId(*link)),
            Self::LinkUse { link, bytes } => Input::LinkUse(LinkId(*link), *bytes),
            Self::OwnerUse { link, sent, received, air, line } => {
                let used = OwnerUse { sent: *sent, received: *received, air: *air, line: *line };
                Input::OwnerUse(LinkId(*link), used)
            }
            Self::Gives { gives } => Input::Gives(*gives),
            Self::LinkDown { link } => Input::LinkDown(LinkId(*link)),
            Self::CarrierLost { link } => Input::CarrierLost(LinkId(*link)),
            Self::Internet { online } => Input::Internet(*online),
            Self::Leave => Input::Leave,
            Self::Host { bridged, vlans, marked } => {
                let vlans = vlans.iter().filter_map(|(addr, vid)| Some((mac(addr).ok()?, Vid::from_wire(*vid)?)));
                let marked = marked.iter().filter_map(|(addr, wifi, isolated, guest)| {
                    Some((mac(addr).ok()?, Behind { wifi: *wifi, isolated: *isolated, guest: *guest }))
                });
                Input::Host(HostInfo { bridged: *bridged, vlans: vlans.collect(), marked: marked.collect() })
            }
            Self::LinkRx { link, frame } => Input::LinkRx(LinkId(*link), unhex(frame)?),
            Self::HostRx { frame } => Input::HostRx(unhex(frame)?),
            Self::Flow { link, neigh, dest } => {
                Input::Flow(NextHop { link: LinkId(*link), neigh: mac(neigh)? }, mac(dest)?)
            }
            Self::Configure { config } => Input::Configure(config.read()?),
            Self::Listeners { known } => Input::Listeners(known.as_ref().map(Heard::read).transpose()?),
            Self::Echo { dst, ttl, uid, seqno, record_route } => {
                Input::Echo(Echo { dst: mac(dst)?, ttl: *ttl, uid: *uid, seqno: *seqno, record_route: *record_route })
            }
            Self::MeterStart { ask, dst, length_us } => {
                Input::Meter(Meter::Start { ask: *ask, dst: mac(dst)?, length: Duration::from_micros(*length_us) })
            }
            Self::MeterStop { ask } => Input::Meter(Meter::Stop { ask: *ask }),
            Self::Tick => Input::Tick,
        })
    }
}

const QUERIERS: [Querier; 3] = [Querier::Absent, Querier::Known, Querier::Shadowing];

impl Heard {
    fn of(l: &Listeners) -> Self {
        let version = |v: Version| (v.querier as u8, v.router);
        Self {
            bridged: l.bridged,
            groups: l.groups.iter().copied().collect(),
            addresses: l.addresses.iter().map(MacAddr::to_string).collect(),
            ipv4: version(l.ipv4),
            ipv6: version(l.ipv6),
        }
    }

    fn read(&self) -> Result<Listeners, Mismatch> {
        let version = |(querier, router): (u8, bool)| {
            let known = QUERIERS.get(usize::from(querier)).copied();
            let querier = known.ok_or_else(|| Mismatch(format!("no querier: {querier}")))?;
            Ok(Version { querier, router })
        };
        Ok(Listeners {
            bridged: self.bridged,
            groups: self.groups.iter().copied().collect(),
            addresses: self.addresses.iter().map(|a| mac(a)).collect::<Result<_, _>>()?,
            ipv4: version(self.ipv4)?,
            ipv6: version(self.ipv6)?,
        })
    }
}

/// Recordings from before there was the setting.
fn fanout() -> usize {
    MeshConfig::new(MacAddr::ZERO).multicast_fanout
}

fn algorithm_name(choice: Choice) -> &'static str {
    match choice {
        Choice::Auto => "auto",
        Choice::Fixed(algorithm) => algorithm.name(),
    }
}

fn json<T: Serialize>(value: &T) -> Result<String, Mismatch> {
    serde_json::to_string(value).map_err(|e| Mismatch(e.to_string()))
}

fn parse<T: for<'a> Deserialize<'a>>(path: &str, row: usize, text: &str) -> Result<T, Mismatch> {
    serde_json::from_str(text).map_err(|e| Mismatch(format!("{path}:{row}: {e}")))
}

fn lines(rows: impl Iterator<Item = String>) -> String {
    rows.flat_map(|row| [row, "\n".to_owned()]).collect()
}

fn mac(text: &str) -> Result<MacAddr, Mismatch> {
    text.parse().map_err(|e| Mismatch(format!("{text:?}: {e}")))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn unhex(text: &str) -> Result<Frame, Mismatch> {
    let bytes: Option<Vec<u8>> = (0..text.len())
        .step_by(2)
        .map(|i| text.get(i..i + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok()))
        .collect();
    bytes.map(|b| Frame::copy_of(&b)).ok_or_else(|| Mismatch(format!("not hexadecimal: {text:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_survive_the_file() {
        let inputs = [
            Input::LinkUp(
                LinkId(3),
                LinkConfig {
                    name: "wlan0".into(),
                    mac: MacAddr([2; 6]),
                    mtu: 1500,
                    wifi: true,
                    hop_penalty: 15,
                    throughput: None,
                    measure: Measure::Blind,
                    broadcast_copies: None,
                },
            ),
            Input::LinkDown(LinkId(3)),
            Input::CarrierLost(LinkId(2)),
            Input::Host(HostInfo {
                bridged: true,
                vlans: vec![(MacAddr([2; 6]), Vid::tagged(7))],
                marked: [(MacAddr([4; 6]), Behind { wifi: true, isolated: false, guest: true })].into(),
            }),
            Input::Internet(false),
            Input::Leave,
            Input::Listeners(None),
            Input::Listeners(Some(Listeners {
                bridged: true,
                groups: ["239.1.2.3".parse().unwrap(), "ff02::fb".parse().unwrap()].into(),
                addresses: [MacAddr([1, 0, 0x5e, 1, 2, 3])].into(),
                ipv4: Version { querier: Querier::Shadowing, router: true },
                ipv6: Version { querier: Querier::Known, router: false },
            })),
            Input::LinkRx(LinkId(1), Frame::copy_of(&[0, 255, 16])),
            Input::HostRx(Frame::copy_of(&[7])),
            Input::Configure(MeshConfig::new(MacAddr([4; 6]))),
            Input::Echo(Echo { dst: MacAddr([6; 6]), ttl: 5, uid: 4, seqno: 3, record_route: true }),
            Input::Meter(Meter::Start { ask: 9, dst: MacAddr([6; 6]), length: Duration::from_millis(5) }),
            Input::Meter(Meter::Stop { ask: 9 }),
            Input::Tick,
        ];
        for input in &inputs {
            let line = InputLine { at: 5, what: Told::of(input) };
            let back: InputLine = parse("x", 1, &json(&line).unwrap()).unwrap();
            assert_eq!(back, line);
            assert_eq!(Told::of(&back.what.read().unwrap()), line.what);
        }
        assert!(parse::<InputLine>("x", 1, r#"{"at":5,"in":"nonsense"}"#).is_err());
        assert!(unhex("0g").is_err());
        assert!(unhex("abc").is_err());
    }
}
