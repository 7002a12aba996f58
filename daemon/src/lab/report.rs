//! Everything the lab knows at one moment: what `lab status --json` and the summary print, and
//! what the tables on the screen are made of. Times in seconds or milliseconds as the names say.

use serde::{Deserialize, Serialize};

/// The whole lab.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Report {
    /// Version of the program.
    pub(crate) version: String,
    /// Release of the kernel.
    pub(crate) kernel: String,
    /// `root` or `user namespace`.
    pub(crate) rights: String,
    /// As given on the command line.
    pub(crate) topology: String,
    /// `radio` or `veth`.
    pub(crate) medium: String,
    /// Seed of loss, back-off and random shapes.
    pub(crate) seed: u64,
    /// Since the first daemon was started.
    pub(crate) elapsed_seconds: f64,
    /// Every ordered pair of clients answers now.
    pub(crate) all_reachable: bool,
    /// When the last pair answered for the first time; nothing while one never did.
    pub(crate) complete_seconds: Option<f64>,
    /// How late the simulated radio was at worst. Much more than some milliseconds means that
    /// this machine is too slow for the neighbourhood and times are not to be trusted.
    pub(crate) radio_late_ms: f64,
    /// Where browsers see it, with the token that lets them in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) page: Option<String>,
    /// Nodes in order.
    pub(crate) nodes: Vec<NodeReport>,
    /// Links, cut ones included.
    pub(crate) links: Vec<LinkReport>,
    /// Ordered pairs of clients.
    pub(crate) pairs: Vec<PairReport>,
    /// TCP transfers, oldest first.
    pub(crate) transfers: Vec<TransferReport>,
    /// What happened, oldest first.
    pub(crate) notes: Vec<String>,
}

/// A node.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct NodeReport {
    /// Its name.
    pub(crate) name: String,
    /// Its originator address.
    pub(crate) originator: String,
    /// The daemon runs.
    pub(crate) running: bool,
    /// Its process id.
    pub(crate) pid: Option<u32>,
    /// How often it was started.
    pub(crate) starts: u32,
    /// Its control socket.
    pub(crate) socket: String,
    /// Its resident memory.
    pub(crate) rss_bytes: Option<u64>,
    /// The client behind it.
    pub(crate) client: Option<ClientReport>,
    /// Its routes.
    pub(crate) routes: Vec<RouteReport>,
    /// Its radio.
    pub(crate) air: Option<AirReport>,
}

/// A client.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ClientReport {
    /// Its name.
    pub(crate) name: String,
    /// Its IPv4 address.
    pub(crate) address: String,
    /// Its MAC.
    pub(crate) mac: String,
}

/// A route of a node.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct RouteReport {
    /// Destination.
    pub(crate) to: String,
    /// Next hop.
    pub(crate) next: String,
    /// IV: quality of the way, 0 to 255.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tq: Option<u8>,
    /// V: throughput of the way in kbit/s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) throughput: Option<u64>,
    /// Nodes on the way, both ends included; nothing while routes change.
    pub(crate) way: Option<Vec<String>>,
}

/// A radio.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct AirReport {
    /// Share of the last seconds in which it sent.
    pub(crate) sending: f64,
    /// Share of the last seconds in which the air around it was taken, own sending included.
    pub(crate) busy: f64,
    /// Frames sent.
    pub(crate) sent: u64,
    /// Frames heard.
    pub(crate) heard: u64,
    /// Frames in reach that loss took.
    pub(crate) lost: u64,
    /// Unicast frames sent again.
    pub(crate) retries: u64,
    /// Unicast frames given up.
    pub(crate) unacknowledged: u64,
    /// Frames turned away at a full queue.
    pub(crate) queue_full: u64,
}

/// A link; arrays hold source to target, then target to source.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct LinkReport {
    /// One end.
    pub(crate) source: String,
    /// The other.
    pub(crate) target: String,
    /// Out of order.
    pub(crate) cut: bool,
    /// Share of frames that the air takes; nothing on a wire.
    pub(crate) loss: Option<[f64; 2]>,
    /// IV: quality that each end measured for sending to the other.
    pub(crate) tq: [Option<u8>; 2],
    /// V: throughput in kbit/s that each end expects for sending to the other.
    #[serde(default)]
    pub(crate) throughput: [Option<u64>; 2],
}

/// An ordered pair of clients, named by their nodes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct PairReport {
    /// Node of the client that pings.
    pub(crate) from: String,
    /// Node of the client that answers.
    pub(crate) to: String,
    /// Answers come now.
    pub(crate) reachable: bool,
    /// From the start of both to the first answer.
    pub(crate) first_seconds: Option<f64>,
    /// Hops between the two nodes.
    pub(crate) hops: Option<usize>,
    /// Requests sent.
    pub(crate) sent: u64,
    /// Requests answered.
    pub(crate) answered: u64,
    /// Requests without answer after the first answer.
    pub(crate) lost: u64,
    /// Time of the last answer.
    pub(crate) rtt_ms: Option<f64>,
    /// The quickest answer.
    pub(crate) rtt_best_ms: Option<f64>,
    /// Mean of all answers but the first.
    pub(crate) rtt_mean_ms: Option<f64>,
}

/// A TCP transfer between clients, named by their nodes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct TransferReport {
    /// Sender.
    pub(crate) from: String,
    /// Receiver.
    pub(crate) to: String,
    /// Hops between the two nodes.
    pub(crate) hops: Option<usize>,
    /// It still runs.
    pub(crate) running: bool,
    /// From first to last byte.
    pub(crate) seconds: f64,
    /// Bytes that arrived.
    pub(crate) bytes: u64,
    /// Goodput.
    pub(crate) mbit_per_second: f64,
    /// Why it ended early.
    pub(crate) error: Option<String>,
}

impl Report {
    /// Pairs that answer now, and all.
    pub(crate) fn reached(&self) -> (usize, usize) {
        (self.pairs.iter().filter(|pair| pair.reachable).count(), self.pairs.len())
    }

    /// Clients' nodes in order.
    pub(crate) fn clients(&self) -> impl Iterator<Item = &NodeReport> {
        self.nodes.iter().filter(|node| node.client.is_some())
    }

    /// One pair.
    pub(crate) fn pair(&self, from: &str, to: &str) -> Option<&PairReport> {
        self.pairs.iter().find(|pair| pair.from == from && pair.to == to)
    }
}
