//! B.A.T.M.A.N. V: hellos find neighbours, OGMs are flooded along the best ways, and the metric is
//! the throughput that a way can carry.
//!
//! `elp` sends and hears hellos, `rate` knows how fast the link to a neighbour is, `emit` sends own
//! OGMs and collects those to forward, `receive` ranks and forwards. Source: protocol notes,
//! "B.A.T.M.A.N. V".

mod elp;
mod emit;
pub(crate) mod rate;
mod receive;

use crate::config::LinkSpeed;
use crate::time::Instant;
use crate::window::ResetGuard;
use alloc::vec::Vec;
use rate::Rate;

/// What one table knows of an originator's OGMs.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Heard {
    /// Newest number.
    pub(crate) last: Option<u32>,
    /// Number forwarded last out of the table's interface.
    forwarded: Option<u32>,
    guard: ResetGuard,
}

/// What a neighbour offers to an originator in one table.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Offer {
    /// Throughput of the way, in units of 100 kbit/s, our penalty taken off.
    pub(crate) throughput: u32,
    /// Number of the OGM that said it.
    seqno: u32,
}

impl Offer {
    /// True if it is behind the newest OGM by so many that a worse way would be taken instead.
    pub(crate) fn lags(&self, newest: u32) -> bool {
        crate::window::distance(self.seqno, newest) >= receive::OUTDATED
    }
}

/// A node's own OGMs.
#[derive(Debug)]
pub(crate) struct State {
    /// Number of the next own OGM.
    pub(crate) seqno: u32,
    /// When it leaves.
    pub(crate) next_ogm: Instant,
}

/// A hard interface.
#[derive(Debug)]
pub(crate) struct LinkState {
    /// Number of the next hello.
    pub(crate) elp_seqno: u32,
    /// When it leaves.
    pub(crate) next_elp: Instant,
    /// What the system says of a wire.
    pub(crate) speed: LinkSpeed,
    /// What others sent and received here in the last second.
    pub(crate) bytes_per_second: u64,
    /// OGMs that wait for company.
    pub(crate) pending: Vec<u8>,
    /// When they leave, company or not.
    pub(crate) flush_at: Option<Instant>,
}

impl LinkState {
    pub(crate) fn new(elp_seqno: u32, next_elp: Instant) -> Self {
        let speed = LinkSpeed { throughput: None, full_duplex: true };
        Self { elp_seqno, next_elp, speed, bytes_per_second: 0, pending: Vec::new(), flush_at: None }
    }
}

/// A neighbour.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct NeighborState {
    /// Number of its newest hello; `None` before the first.
    pub(crate) last_elp: Option<u32>,
    /// Time between its hellos, milliseconds, as it says.
    pub(crate) interval_ms: u32,
    /// How fast the link to it is.
    pub(crate) rate: Rate,
    /// Own measurements of that.
    pub(crate) known: crate::meter::train::Known,
}
