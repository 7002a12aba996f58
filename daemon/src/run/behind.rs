//! Which stations on our bridge are behind a radio or behind an isolated port: other nodes are told,
//! for AP isolation. And which are guests: the owner goes first.
//! Source: "Translation table" sections 1 and 10.
//!
//! A TAP device does not show the port that a frame came in on, nor its firewall mark; the forwarding
//! table of the bridge has the port. It is read once a second, and not at all while no port is of
//! these kinds.

use crate::netlink::{LinkInfo, LinkTable, Watcher};
use crate::nl80211::radio_below;
use mesh_core::sorted::SortedMap;
use mesh_core::{Behind, Duration, Instant};
use packet::MacAddr;
use std::path::Path;

/// Time between two looks.
const EVERY: Duration = Duration::from_secs(1);
/// Most stations that are told of.
const MOST: usize = 8192;

/// What was found last.
#[derive(Debug)]
pub(super) struct Watch {
    next: Instant,
    told: SortedMap<MacAddr, Behind>,
}

impl Watch {
    pub(super) fn new() -> Self {
        Self { next: Instant::ZERO, told: SortedMap::new() }
    }

    /// The next look is due at once.
    pub(super) fn look_again(&mut self) {
        self.next = Instant::ZERO;
    }

    /// Looks if it is time to: all such stations if they are others than before.
    pub(super) fn look(
        &mut self,
        host: u32,
        guests: &[String],
        watcher: &mut Watcher,
        now: Instant,
    ) -> Option<SortedMap<MacAddr, Behind>> {
        if now < self.next {
            return None;
        }
        self.next = now + EVERY;
        let ports =
            ports(host, guests, watcher.table(), |port| radio_below(Path::new("/sys/class/net"), &port.name).is_some());
        let mut found = SortedMap::new();
        if !ports.is_empty() {
            let listed = watcher.requests().stations(|port, station| {
                if let Some(behind) = ports.get(&port).filter(|_| found.len() < MOST) {
                    found.insert(station, *behind);
                }
            });
            if let Err(error) = listed {
                tracing::debug!(%error, "cannot ask the bridge who is behind which port");
                return None;
            }
        }
        if found == self.told {
            return None;
        }
        tracing::debug!(?found, "stations behind radios and isolated ports");
        self.told.clone_from(&found);
        Some(found)
    }
}

/// Numbers of interfaces that are not the owner's: those for guests, and hard interfaces of the kernel's mesh.
pub(super) fn not_owners(guests: &[String], table: &LinkTable) -> Vec<u32> {
    let name = |index: u32| table.iter().find(|l| l.index == index).map(|l| &l.name);
    let guest = |l: &LinkInfo| guests.contains(&l.name) || l.master.and_then(name).is_some_and(|m| guests.contains(m));
    table.iter().filter(|l| l.master_kind == "batadv" || guest(l)).map(|l| l.index).collect()
}

/// Ports that matter, of the bridges that the mesh interface or a VLAN on it is in.
fn ports(
    host: u32,
    guests: &[String],
    table: &LinkTable,
    is_radio: impl Fn(&LinkInfo) -> bool,
) -> SortedMap<u32, Behind> {
    let ours = |l: &LinkInfo| l.index == host || l.below == Some(host);
    let bridges: Vec<u32> =
        table.iter().filter(|l| ours(l) && l.master_kind == "bridge").filter_map(|l| l.master).collect();
    let others = table.iter().filter(|l| !ours(l) && l.master.is_some_and(|m| bridges.contains(&m)));
    let name = |index: u32| table.iter().find(|l| l.index == index).map(|l| &l.name);
    let is_guest =
        |l: &LinkInfo| guests.contains(&l.name) || l.master.and_then(name).is_some_and(|m| guests.contains(m));
    let behind = others.map(|l| (l.index, Behind { wifi: is_radio(l), isolated: l.isolated, guest: is_guest(l) }));
    behind.filter(|(_, b)| *b != Behind::default()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(index: u32, name: &str, master: Option<u32>) -> LinkInfo {
        let master_kind = if master.is_some() { "bridge".into() } else { String::new() };
        LinkInfo { index, name: name.into(), master, master_kind, ..LinkInfo::default() }
    }

    #[test]
    fn ports_beside_the_mesh() {
        let links = [
            link(1, "br0", None),
            link(2, "mesh0", Some(1)),
            link(3, "wlan0", Some(1)),
            link(4, "eth0", Some(1)),
            LinkInfo { isolated: true, ..link(5, "eth1", Some(1)) },
            link(6, "br1", None),
            link(7, "wlan1", Some(6)),
            link(8, "br2", None),
            LinkInfo { below: Some(2), ..link(9, "mesh0.5", Some(8)) },
            link(10, "wlan2", Some(8)),
        ];
        let radio = |l: &LinkInfo| l.name.starts_with("wlan");
        let links = links.into_iter().collect();
        let wifi = Behind { wifi: true, ..Behind::default() };
        let isolated = Behind { isolated: true, ..Behind::default() };
        assert_eq!(ports(2, &[], &links, radio), [(3, wifi), (5, isolated), (10, wifi)].into());
        // A port, and a whole bridge, of guests; another bridge has nothing to do with the mesh.
        let guest = |b: Behind| Behind { guest: true, ..b };
        let found = ports(2, &["eth0".into(), "br2".into(), "br1".into()], &links, radio);
        assert_eq!(found, [(3, wifi), (4, guest(Behind::default())), (5, isolated), (10, guest(wifi))].into());
    }
}
