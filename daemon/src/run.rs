//! The main loop: the only owner of the routing state.

use crate::io::IoCounters;
use mesh_core::{Counters, Echo, EchoAnswer, Event, Snapshot};
use packet::MacAddr;
use std::path::PathBuf;
use tokio::sync::{mpsc, oneshot};

/// Everything a node needs to know to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunSetup {
    /// Name of the mesh and of its interface, `mesh0`.
    pub mesh_name: String,
    /// Hard interfaces; those that do not exist yet are waited for.
    pub links: Vec<LinkSetup>,
    /// Settings of the core. `host_mac` zero means: take [`RunSetup::host_mac`], or choose.
    pub mesh: mesh_core::MeshConfig,
    /// MAC of the mesh interface, `None` to derive a stable one from a hard interface.
    pub host_mac: Option<MacAddr>,
    /// MTU of the mesh interface, `None` to choose by the hard interfaces.
    pub host_mtu: Option<u32>,
    /// Set the mesh interface up.
    pub up: bool,
    /// Where sequence numbers are kept over a restart, `None` to keep none.
    pub state_dir: Option<PathBuf>,
}

/// One hard interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkSetup {
    /// Name of the interface.
    pub name: String,
    /// Extra penalty for what comes in here, of 255.
    pub hop_penalty: u8,
    /// Treat it as a radio; `None` to find out.
    pub wifi: Option<bool>,
    /// Use the portable socket layer instead of batched packet sockets.
    pub portable: bool,
}

/// What the control socket asks of the main loop.
#[derive(Debug)]
pub enum ControlRequest {
    /// A picture of the node.
    Snapshot(oneshot::Sender<NodeSnapshot>),
    /// Send an echo request; the answers go to the channel until its receiver is closed. The
    /// loop chooses `uid` itself and gives the asker's back in the answer.
    Echo(Echo, mpsc::Sender<EchoAnswer>),
    /// Take new settings in. The answer is a note on what changed, or why nothing did.
    Configure(Box<RunSetup>, oneshot::Sender<Result<String, String>>),
    /// Events from now on; a receiver that is full loses events.
    Subscribe(mpsc::Sender<Event>),
}

/// A picture of the whole node.
#[derive(Debug, Clone)]
pub struct NodeSnapshot {
    /// Name of the mesh interface.
    pub mesh_name: String,
    /// MTU of the mesh interface.
    pub host_mtu: u32,
    /// The control side.
    pub mesh: Snapshot,
    /// Counters of the data plane.
    pub plane: Counters,
    /// Counters of sockets and the mesh interface.
    pub io: IoCounters,
    /// Hard interfaces that are not used, with the reason.
    pub refused: Vec<(String, String)>,
    /// Process id.
    pub pid: u32,
    /// Program version.
    pub version: &'static str,
    /// Resident memory in bytes, 0 where the system does not tell.
    pub rss_bytes: u64,
}
