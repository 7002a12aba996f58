//! A client: a host in its own namespace, joined to a node by a veth pair.

use super::namespace::Namespace;
use super::netlink::Netlink;
use super::node::{CLIENT, Node, client_mac};
use super::ping::Pinger;
use super::reach::Probe;
use super::transfer::Side;
use anyhow::{Context, Result};
use std::io;
use std::net::Ipv4Addr;
use std::time::Instant;
use tokio::sync::mpsc;

/// A client. It is known by the place of its node; a node has at most one.
#[derive(Debug)]
pub(crate) struct Client {
    place: usize,
    /// Its name, after that of its node.
    pub(crate) name: String,
    /// Its address.
    pub(crate) address: Ipv4Addr,
    namespace: Namespace,
    pinger: Pinger,
}

impl Client {
    /// Puts a client behind the node at `place`; answers to its pings go to the channel.
    ///
    /// # Errors
    /// The kernel cannot or will not make what it needs.
    pub(crate) fn new(place: usize, node: &mut Node, answers: mpsc::UnboundedSender<(Probe, Instant)>) -> Result<Self> {
        let namespace = Namespace::new()?;
        node.add_client(&namespace, client_mac(place))?;
        let address = address_of(place);
        let mut netlink = Netlink::open(&namespace).context("a netlink socket inside a namespace")?;
        let index = netlink.index_of(CLIENT)?.context("the new veth device is gone")?;
        netlink.add_address(index, address, 16).context("giving a client its address")?;
        netlink.set_up(index, true)?;
        // ARP asks once a second by default. What the lab wants to show is when a way exists, not
        // when ARP asks next.
        match namespace.set(&format!("ipv4/neigh/{CLIENT}/retrans_time_ms"), "250") {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            other => other.context("making a client's ARP ask more often")?,
        }
        let pinger = Pinger::open(place, &namespace, client_at, answers).context("a client's ICMP socket")?;
        Ok(Self { place, name: name_behind(&node.name), address, namespace, pinger })
    }

    /// Asks another client for an echo.
    pub(crate) fn ping(&self, probe: Probe) {
        self.pinger.send(probe, address_of(probe.to));
    }

    /// It as an end of a transfer.
    pub(crate) fn side(&self) -> Side<'_> {
        Side { client: self.place, namespace: &self.namespace, address: self.address }
    }
}

/// c3 behind n3, c-roof behind roof.
fn name_behind(node: &str) -> String {
    match node.strip_prefix('n').filter(|rest| rest.parse::<u16>().is_ok()) {
        Some(number) => format!("c{number}"),
        None => format!("c-{node}"),
    }
}

/// 10.77.0.1 and up.
fn address_of(place: usize) -> Ipv4Addr {
    let [high, low] = u16::try_from(place + 1).unwrap_or(u16::MAX).to_be_bytes();
    Ipv4Addr::new(10, 77, high, low)
}

fn client_at(address: Ipv4Addr) -> Option<usize> {
    let [10, 77, high, low] = address.octets() else { return None };
    usize::from(u16::from_be_bytes([high, low])).checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lead_back_to_clients() {
        for place in [0, 7, 254, 255, 499] {
            assert_eq!(client_at(address_of(place)), Some(place));
        }
        assert_eq!(client_at(Ipv4Addr::new(10, 77, 0, 0)), None);
        assert_eq!(client_at(Ipv4Addr::LOCALHOST), None);
    }

    #[test]
    fn a_client_is_called_after_its_node() {
        assert_eq!(name_behind("n12"), "c12");
        assert_eq!(name_behind("north"), "c-north");
    }
}
