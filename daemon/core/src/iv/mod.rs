//! B.A.T.M.A.N. IV: sends and counts originator messages, ranks next hops, forwards the best.
//!
//! Wakes: one timer per hard interface (own OGMs), the queue of OGMs to forward, received OGM
//! frames. Emits: OGM frames, forwarding table changes, events. Source: "B.A.T.M.A.N. IV".

mod emit;
mod queue;
mod receive;
pub mod tq;

pub(crate) use emit::HELLO_OGMS;
pub(crate) use queue::OgmQueue;
