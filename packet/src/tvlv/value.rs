//! What a container means: its value, read by type and version.

use super::gateway::Gateway;
use super::mcast::McastCapability;
use super::meshwork::Meshwork;
use super::roam::Roam;
use super::tracker::Tracker;
use super::tt::Tt;
use super::{Container, dat, gateway, kind, mcast, meshwork, tracker};
use crate::Error;

/// The value of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// Bandwidth of a gateway.
    Gateway(&'a Gateway),
    /// The originator takes part in the distributed ARP table.
    Dat,
    /// The originator understands network coding; obsolete.
    NetworkCoding,
    /// Clients of an originator.
    Tt(Tt<'a>),
    /// A client has moved.
    Roam(&'a Roam),
    /// Multicast frames that the originator wants.
    McastCapability(&'a McastCapability),
    /// Receivers of a multicast packet.
    Tracker(Tracker<'a>),
    /// What only Meshwork nodes understand.
    Meshwork(&'a Meshwork),
    /// A type, or a version of a type, that is not known here.
    Unknown(Container<'a>),
}

impl<'a> Value<'a> {
    /// Reads a container. What is not known is [`Value::Unknown`], not an error.
    ///
    /// # Errors
    /// What the parser of a known type says of its value.
    pub fn parse(container: Container<'a>) -> Result<Self, Error> {
        let value = container.value;
        match (container.kind, container.version) {
            (kind::GATEWAY, gateway::VERSION) => Gateway::parse(value).map(Self::Gateway),
            (kind::DAT, dat::VERSION) => Ok(Self::Dat),
            (kind::NC, 1) => Ok(Self::NetworkCoding),
            (kind::TT, 1) => Tt::parse(value).map(Self::Tt),
            (kind::ROAM, 1) => Roam::parse(value).map(Self::Roam),
            (kind::MCAST, mcast::VERSION) => McastCapability::parse(value).map(Self::McastCapability),
            (kind::MCAST_TRACKER, tracker::VERSION) => Tracker::parse(value).map(Self::Tracker),
            (kind::MESHWORK, meshwork::VERSION) => match Meshwork::parse(value) {
                Ok(meshwork) => Ok(Self::Meshwork(meshwork)),
                // Somebody else's use of the number.
                Err(_) => Ok(Self::Unknown(container)),
            },
            _ => Ok(Self::Unknown(container)),
        }
    }
}
