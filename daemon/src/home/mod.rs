//! What clients of the mesh need besides frames: addresses that all nodes agree on without asking, and names.
//!
//! Nothing here routes. A process of its own ([`serve`]) runs beside the node, on routers only: `plan` says which
//! addresses a node takes, `claim` that nobody else has them, `names` whose they are.

mod claim;
mod dns;
mod names;
pub mod plan;
pub mod serve;
