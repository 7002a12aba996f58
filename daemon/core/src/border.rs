//! The border of the core: what comes in, what goes out, and what a data plane must offer.

use crate::config::{Algorithm, LinkConfig, LinkId, LinkSpeed, MeshConfig, Station};
use crate::counters::Counters;
use crate::fib::{FibChange, NextHop};
use crate::frame::Frame;
use crate::host::HostInfo;
use crate::multicast::Listeners;
use crate::share::OwnerUse;
use crate::time::Duration;
use core::net::IpAddr;
use packet::{MacAddr, Vid};

/// What the shell tells the control side.
#[derive(Debug, Clone)]
pub enum Input {
    /// A hard interface is usable, or its MAC, MTU or kind changed.
    LinkUp(LinkId, LinkConfig),
    /// A hard interface is gone.
    LinkDown(LinkId),
    /// A hard interface that stays in use lost its carrier: nobody there hears us now.
    CarrierLost(LinkId),
    /// The speed of a wired hard interface, when it is first read and when it changed.
    LinkSpeed(LinkId, LinkSpeed),
    /// How many bytes a hard interface sent and received in the last second, of whatever kind.
    LinkUse(LinkId, u64),
    /// How much the owner of this node used a hard interface in the last second. Others are told of ways that get worse
    /// by it; without this the owner counts as idle.
    OwnerUse(LinkId, OwnerUse),
    /// Whether this node carries for others at all; it does until this was said.
    Gives(bool),
    /// Frames of the owner wait at a hard interface; said every 100 ms while they do.
    OwnerWaits(LinkId),
    /// News of a neighbour from the driver of a radio. Rates are told as often as hellos are sent,
    /// also when they stay the same: a station that is told of no more is unknown again.
    Station(LinkId, MacAddr, Station),
    /// The host's side of the mesh interface, at start and when it changed.
    Host(HostInfo),
    /// A mesh frame that the data plane left to the control side, Ethernet header included.
    LinkRx(LinkId, Frame),
    /// A client frame from the mesh interface that the data plane left to the control side.
    HostRx(Frame),
    /// A frame left for a neighbour that [`FibChange::Watch`] asked to watch, on its way to this
    /// originator.
    Flow(NextHop, MacAddr),
    /// Who listens to which multicast groups on this node's side; `None` where that cannot be
    /// known. Said at start and when it changed.
    Listeners(Option<Listeners>),
    /// New settings.
    Configure(MeshConfig),
    /// Send a mesh echo request.
    Echo(Echo),
    /// Start or stop a throughput test.
    Meter(Meter),
    /// Our own way to the Internet works, or does not: only then we are a gateway for others. It
    /// counts as working until this was said.
    Internet(bool),
    /// The node is about to end. What it holds for others is given back: claims on a shared LAN, and
    /// the offer of a gateway. Nothing should follow but taking the outputs.
    Leave,
    /// Time passed; nothing else happened.
    Tick,
}

/// A mesh echo request to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Echo {
    /// Originator asked.
    pub dst: MacAddr,
    /// TTL, 50 for a ping, 1 and up for a traceroute.
    pub ttl: u8,
    /// Identifies the asker.
    pub uid: u8,
    /// Counts requests.
    pub seqno: u16,
    /// Ask every hop to write its address down.
    pub record_route: bool,
}

/// A throughput test to start or stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meter {
    /// Send as much as gets through, and say how much that was: [`Event::Meter`] once a second and
    /// at the end.
    Start {
        /// Chosen by the shell, comes back in the reports.
        ask: u32,
        /// Originator that receives.
        dst: MacAddr,
        /// How long.
        length: Duration,
    },
    /// Stop a test; its last report follows.
    Stop {
        /// As at the start.
        ask: u32,
    },
}

/// How far a throughput test has come, or how it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MeterReport {
    /// As at the start.
    pub ask: u32,
    /// Originator that receives.
    pub dst: MacAddr,
    /// Time since the start.
    pub elapsed: Duration,
    /// Bytes that the receiver acknowledged.
    pub bytes: u64,
    /// Times that something was sent again.
    pub repeated: u64,
    /// How it ended; `None` while it runs.
    pub end: Option<MeterEnd>,
}

/// How a throughput test ended. Source: "Payload plane" section 9.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MeterEnd {
    /// Its time is over.
    Complete,
    /// It was stopped.
    Cancelled,
    /// No way leads there, or nobody answers there.
    Unreachable,
    /// Another test with the same node runs.
    Ongoing,
    /// No hard interface is up.
    CannotSend,
    /// Too many tests run at this node.
    TooMany,
}

impl MeterEnd {
    /// The kernel's number for it; 131, out of memory, never happens here.
    pub const fn code(self) -> u8 {
        match self {
            Self::Complete => 3,
            Self::Cancelled => 4,
            Self::Unreachable => 128,
            Self::Ongoing => 130,
            Self::CannotSend => 132,
            Self::TooMany => 133,
        }
    }

    /// A word for programs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Cancelled => "cancelled",
            Self::Unreachable => "unreachable",
            Self::Ongoing => "already_ongoing",
            Self::CannotSend => "cannot_send",
            Self::TooMany => "too_many_sessions",
        }
    }
}

/// What the control side wants done.
#[derive(Debug)]
pub enum Output {
    /// Send a frame out of a hard interface, Ethernet header included.
    LinkTx(LinkId, Frame),
    /// Deliver a client frame to the mesh interface.
    HostTx(Frame),
    /// Let the data plane decide again about a mesh packet, as if it had come in on the link: a
    /// reassembled one.
    LinkAgain(LinkId, Frame),
    /// Let the data plane decide again about a client frame; its source is known now.
    HostAgain(Frame),
    /// Change the forwarding table.
    Fib(FibChange),
    /// Something that people or programs may want to know.
    Event(Event),
}

/// Something that people or programs may want to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A neighbour was heard for the first time.
    NeighborNew {
        /// Where it is heard.
        link: LinkId,
        /// Its hard interface address.
        neigh: MacAddr,
    },
    /// A neighbour was given up.
    NeighborGone {
        /// Where it was heard.
        link: LinkId,
        /// Its hard interface address.
        neigh: MacAddr,
    },
    /// A neighbour does not answer any more; its ways are left.
    NeighborSilent {
        /// Where it was heard.
        link: LinkId,
        /// Its hard interface address.
        neigh: MacAddr,
    },
    /// A neighbour that was silent is heard again.
    NeighborBack {
        /// Where it is heard.
        link: LinkId,
        /// Its hard interface address.
        neigh: MacAddr,
    },
    /// Frames to an originator do not arrive through a neighbour although it announces a way and the
    /// same originator is reached another way: its way is taken for worse until they do.
    NotForwarding {
        /// Where the neighbour is heard.
        link: LinkId,
        /// Its hard interface address.
        neigh: MacAddr,
        /// The originator beyond it.
        orig: MacAddr,
        /// Questions through it in a row, none of which was answered.
        lost: u32,
        /// The other way.
        other: MacAddr,
        /// Questions that went another way at the time ...
        other_asked: u32,
        /// ... and how many of them were answered.
        other_answered: u32,
    },
    /// Frames to the originator arrive through the neighbour again.
    ForwardsAgain {
        /// Where it is heard.
        link: LinkId,
        /// Its hard interface address.
        neigh: MacAddr,
        /// The originator beyond it.
        orig: MacAddr,
    },
    /// An originator got its first route.
    OriginatorNew(MacAddr),
    /// An originator lost its last route.
    OriginatorGone(MacAddr),
    /// A client moved here from another node, or away from here.
    ClientRoamed {
        /// The client.
        client: MacAddr,
        /// Its VLAN.
        vid: Vid,
        /// True if it came to us.
        to_us: bool,
    },
    /// Somebody claims an address that another MAC had; said at most once a minute per address.
    AddressFlip {
        /// The address.
        ip: IpAddr,
        /// Its VLAN.
        vid: Vid,
        /// Who had it.
        old: MacAddr,
        /// Who claims it.
        new: MacAddr,
        /// The originator that the claim came from, `None` for a client of ours.
        from: Option<MacAddr>,
        /// The old one was silent and is given up; otherwise nobody is believed for now, and
        /// questions for the address are not answered out of the cache.
        replaced: bool,
    },
    /// News of gateways.
    Gateway(GatewayNews),
    /// An answer to an echo request.
    Echo(EchoAnswer),
    /// News of a throughput test that was started here.
    Meter(MeterReport),
    /// A neighbour speaks the other routing algorithm on this link; said once per neighbour and hour.
    OtherAlgorithm {
        /// Where it is heard.
        link: LinkId,
        /// Its hard interface address.
        neigh: MacAddr,
    },
    /// The node runs another routing algorithm from now on; all routes are learned anew.
    AlgorithmChanged {
        /// The new one.
        to: Algorithm,
        /// Why.
        why: &'static str,
    },
    /// Another gateway is on the LAN behind the mesh interface.
    BackboneNew {
        /// Its originator address.
        gateway: MacAddr,
        /// The VLAN.
        vid: Vid,
    },
    /// A gateway of the LAN was silent for a minute.
    BackboneGone {
        /// Its originator address.
        gateway: MacAddr,
        /// The VLAN.
        vid: Vid,
    },
    /// A gateway's announcements do not fit what it claims. Frames for groups were blocked for a
    /// minute in all; they pass again, as if it were not there.
    BackboneDistrusted {
        /// Its originator address.
        gateway: MacAddr,
        /// The VLAN.
        vid: Vid,
    },
    /// A loop detection frame came back: LAN and mesh are joined by somebody who does not avoid
    /// loops.
    LoopDetected {
        /// The VLAN.
        vid: Vid,
    },
    /// Two devices seem to speak in the name of one hard interface, ours or another node's: its
    /// messages are numbered in two ways at once. Said at most once in five minutes.
    AddressTwice {
        /// The interface's address.
        orig: MacAddr,
        /// Where the message that does not fit was heard.
        link: LinkId,
        /// The neighbour that it came from.
        neigh: MacAddr,
    },
    /// A neighbour announces a better way than there can be. Said at most once in five minutes.
    MetricImplausible {
        /// Where the way is said to lead.
        orig: MacAddr,
        /// Where the neighbour is heard.
        link: LinkId,
        /// Its hard interface address.
        neigh: MacAddr,
    },
    /// A client that is here is announced by another node, again and again. Said at most once in
    /// five minutes.
    ClientContested {
        /// The client.
        client: MacAddr,
        /// Its VLAN.
        vid: Vid,
        /// The node that announces it.
        orig: MacAddr,
        /// The client is protected, so that nobody believed it.
        refused: bool,
    },
    /// A table is full and turns newcomers away; said at most once a minute per table.
    TableFull(&'static str),
    /// News of the line to the Internet that this node shares.
    Line(LineNews),
    /// No hard interface is left; the node is alone.
    NoLink,
}

/// News of a shared line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LineNews {
    /// It carries so many kbit/s, as far as is known.
    Rate {
        /// From the Internet.
        down: Option<u64>,
        /// Towards it.
        up: Option<u64>,
    },
    /// Nobody behind it answers: how fast it is cannot be found out.
    Silent,
    /// Somebody does again.
    Answers,
    /// Somebody else decides what goes out by its interface, with this queueing discipline.
    Shaper(alloc::string::String),
}

/// What an echo request brought back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EchoAnswer {
    /// Who answered.
    pub from: MacAddr,
    /// Copied from the request.
    pub uid: u8,
    /// Copied from the request.
    pub seqno: u16,
    /// TTL left in the answer.
    pub ttl: u8,
    /// The request's TTL ran out at `from`.
    pub ttl_exceeded: bool,
    /// Hops written down, empty without record route.
    pub route: alloc::vec::Vec<MacAddr>,
    /// Set by the shell, which knows when the request left.
    pub rtt: Option<Duration>,
}

/// News of gateways. Bandwidths in units of 100 kbit/s.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GatewayNews {
    /// An originator offers Internet.
    New {
        /// The gateway.
        orig: MacAddr,
        /// Towards the clients.
        down: u32,
        /// Towards the Internet.
        up: u32,
    },
    /// It offers another bandwidth.
    Changed {
        /// The gateway.
        orig: MacAddr,
        /// Towards the clients.
        down: u32,
        /// Towards the Internet.
        up: u32,
    },
    /// It offers nothing any more, or is gone.
    Gone {
        /// The gateway.
        orig: MacAddr,
    },
    /// It promises more than is believed.
    Implausible {
        /// The gateway.
        orig: MacAddr,
        /// Towards the clients.
        down: u32,
        /// Towards the Internet.
        up: u32,
    },
    /// DHCP of own clients goes to another gateway now.
    Selected {
        /// The gateway, `None` when none is left.
        orig: Option<MacAddr>,
        /// The one before.
        before: Option<MacAddr>,
    },
    /// An own client asked for an address and there is no gateway; said once until there is one.
    Missing,
    /// We are no gateway for others while our own Internet connection is dead.
    Withdrawn,
    /// We are a gateway for others again.
    Announced,
}

/// What stands behind the border on the packet side: the portable plane (packet sockets and a
/// TAP device) now, an in-kernel plane later. It receives, decides by the forwarding table alone,
/// and hands the control side what it cannot decide ([`Input::LinkRx`], [`Input::HostRx`]).
pub trait DataPlane {
    /// Takes a change of the forwarding table in.
    fn apply(&mut self, change: &FibChange);
    /// Sends a finished frame out of a hard interface.
    fn inject_link(&mut self, link: LinkId, frame: Frame);
    /// Delivers a client frame to the mesh interface.
    fn inject_host(&mut self, frame: Frame);
    /// Decides about a mesh packet again.
    fn again_link(&mut self, link: LinkId, frame: Frame);
    /// Decides about a client frame again; its source is known now.
    fn again_host(&mut self, frame: Frame);
    /// What the plane counted.
    fn counters(&self) -> Counters;
}
