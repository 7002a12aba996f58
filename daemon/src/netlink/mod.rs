//! The kernel's view of interfaces: what exists, what changes, what may be used.

pub mod bridge;
pub mod generic;
pub mod groups;
pub mod judge;
pub mod link;
pub mod message;
pub mod socket;
pub mod watch;

pub use generic::GenericSocket;
pub use judge::Verdict;
pub use link::{LinkInfo, LinkTable};
pub use socket::RouteSocket;
pub use watch::Watcher;
