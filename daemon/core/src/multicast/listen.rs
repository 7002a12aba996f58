//! What we announce: flags, and groups as clients.

use super::group::{Ip, Reach, ip_of, mac, reach};
use crate::mesh::Mesh;
use crate::sorted::SortedSet;
use crate::time::Instant;
use crate::tt::local::is_group;
use alloc::vec::Vec;
use core::net::IpAddr;
use packet::tvlv::mcast::flags;
use packet::{MacAddr, Vid};

/// Groups of one IP version that are announced one by one; a node that wants more says that it
/// wants them all. Keeps a host that joins at random from filling everybody's tables.
pub const MAX_GROUPS: usize = 256;

/// What the host and the network behind the mesh interface want of multicast.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listeners {
    /// The mesh interface is the port of a bridge.
    pub bridged: bool,
    /// Groups that somebody listens to: the host, and behind a bridge whoever said so there.
    pub groups: SortedSet<IpAddr>,
    /// Addresses that are let in on the link layer, whoever asked for them. Where no IP group
    /// stands behind one it is announced as it is.
    pub addresses: SortedSet<MacAddr>,
    /// What matters for IPv4.
    pub ipv4: Version,
    /// What matters for IPv6.
    pub ipv6: Version,
}

/// What matters for one IP version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Version {
    /// Who makes listeners speak up; without a bridge it does not matter.
    pub querier: Querier,
    /// The host, or somebody on the bridge, routes multicast and so wants every routable group.
    pub router: bool,
}

/// Where the node is that makes listeners speak up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Querier {
    /// There is none: nobody knows who listens behind the bridge.
    #[default]
    Absent,
    /// It is the bridge, or behind the mesh: reports come by here.
    Known,
    /// It is behind another port of our bridge, where reports go without coming by here.
    Shadowing,
}

/// What is announced now.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Announced {
    /// All flags but the capability of packet type 5.
    pub(super) flags: u8,
    /// A table had no room for a group.
    full: bool,
}

impl Default for Announced {
    /// A node that cannot tell who listens: everything, and no router, so that nothing comes
    /// twice. Source: section 4.1.
    fn default() -> Self {
        Self { flags: ALL4.0 | ALL6.0 | NO_ROUTERS, full: false }
    }
}

/// Flags of one IP version: wants all, has no router.
const ALL4: (u8, u8) = (flags::WANT_ALL_IPV4, flags::WANT_NO_RTR4);
const ALL6: (u8, u8) = (flags::WANT_ALL_IPV6, flags::WANT_NO_RTR6);
const NO_ROUTERS: u8 = flags::WANT_NO_RTR4 | flags::WANT_NO_RTR6;

impl Mesh {
    /// The shell says who listens; `None` if it cannot tell.
    pub(crate) fn set_listeners(&mut self, listeners: Option<Listeners>, now: Instant) {
        if self.multicast.listeners != listeners || self.multicast.announced.full {
            self.multicast.listeners = listeners;
            self.announce_listeners(now);
        }
    }

    /// Groups that found no room get another chance.
    pub(crate) fn multicast_work(&mut self, now: Instant) {
        if self.multicast.announced.full {
            self.announce_listeners(now);
        }
    }

    /// Brings flags and own clients in line with what the shell said.
    pub(crate) fn announce_listeners(&mut self, now: Instant) {
        let mut announced = Announced::default();
        let mut want = SortedSet::new();
        if let Some(listeners) = self.multicast.listeners.as_ref() {
            (announced.flags, want) = announcement(listeners);
        }
        let ours = |(&(addr, _), _): (&crate::tt::Key, &crate::tt::local::Entry)| is_group(addr).then_some(addr);
        let have: Vec<MacAddr> = self.local.entries.iter().filter_map(ours).collect();
        for addr in have {
            if !want.contains(&addr) {
                self.local.remove((addr, Vid::UNTAGGED), false, &mut self.out);
            }
        }
        let bounds = self.local_bounds();
        for addr in want {
            if self.local.add((addr, Vid::UNTAGGED), false, 0, bounds, now, &mut self.out).is_err() {
                // Rather everything than not what somebody listens to.
                let (all, no_router) = if ip_of(addr) == Some(Ip::V4) { ALL4 } else { ALL6 };
                announced.flags |= all | no_router;
                announced.full = true;
                self.local_full = true;
            }
        }
        self.multicast.announced = announced;
    }
}

/// Flags without the capability of packet type 5, and the addresses to announce as clients: those
/// that no flag covers. Source: section 4.1.
fn announcement(l: &Listeners) -> (u8, SortedSet<MacAddr>) {
    let mut flags = 0;
    for (ip, v, all, no_router) in [(Ip::V4, l.ipv4, ALL4.0, ALL4.1), (Ip::V6, l.ipv6, ALL6.0, ALL6.1)] {
        let unknown = l.bridged && v.querier != Querier::Known;
        let groups = l.groups.iter().filter(|g| g.is_ipv4() == (ip == Ip::V4)).count();
        let others = l.addresses.iter().filter(|a| ip_of(**a) == Some(ip)).count();
        if unknown {
            flags |= all;
        } else if groups.max(others) > MAX_GROUPS {
            flags |= all | no_router;
        } else if !v.router {
            flags |= no_router;
        }
    }
    if l.bridged {
        flags |= flags::WANT_ALL_UNSNOOPABLES;
    }
    let is = |flag: u8| flags & flag != 0;
    let mut macs = SortedSet::new();
    for &group in &l.groups {
        let (all, no_router) = if group.is_ipv4() { ALL4 } else { ALL6 };
        let covered = match reach(group) {
            _ if is(all) => true,
            None => true,
            Some(Reach::Unsnoopable) => is(flags::WANT_ALL_UNSNOOPABLES),
            Some(Reach::Link) => false,
            Some(Reach::Routable) => !is(no_router),
        };
        if !covered {
            macs.insert(mac(group));
        }
    }
    for &addr in &l.addresses {
        let covered = match ip_of(addr) {
            Some(Ip::V4) => is(ALL4.0) || !is(ALL4.1) || is(flags::WANT_ALL_UNSNOOPABLES),
            Some(Ip::V6) => is(ALL6.0) || !is(ALL6.1) || is(flags::WANT_ALL_UNSNOOPABLES),
            // Frames for other addresses are flooded.
            None => true,
        };
        if !covered {
            macs.insert(addr);
        }
    }
    (flags, macs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::MeshConfig;

    fn listeners(groups: &[&str]) -> Listeners {
        Listeners { groups: groups.iter().map(|g| g.parse().unwrap()).collect(), ..Listeners::default() }
    }

    fn announce(l: &Listeners) -> (u8, Vec<MacAddr>) {
        let (flags, macs) = announcement(l);
        (flags, macs.into_iter().collect())
    }

    const ALL_HOSTS: MacAddr = MacAddr([1, 0, 0x5e, 0, 0, 1]);
    const TV: MacAddr = MacAddr([1, 0, 0x5e, 1, 2, 3]);
    const ALL_NODES: MacAddr = MacAddr([0x33, 0x33, 0, 0, 0, 1]);
    const MDNS6: MacAddr = MacAddr([0x33, 0x33, 0, 0, 0, 0xfb]);
    const SITE6: MacAddr = MacAddr([0x33, 0x33, 0, 0, 0, 5]);
    const GROUPS: &[&str] = &["224.0.0.1", "239.1.2.3", "ff02::1", "ff02::fb", "ff05::5", "ff01::1"];

    #[test]
    fn a_host_announces_what_it_listens_to() {
        let l = listeners(GROUPS);
        assert_eq!(announce(&l), (0x18, [ALL_HOSTS, TV, ALL_NODES, SITE6, MDNS6].into()));
    }

    #[test]
    fn a_router_wants_routable_groups_anyway() {
        let mut l = listeners(GROUPS);
        l.ipv4.router = true;
        l.addresses.insert(MacAddr([1, 0, 0x5e, 7, 7, 7]));
        assert_eq!(announce(&l), (0x10, [ALL_HOSTS, ALL_NODES, SITE6, MDNS6].into()));
    }

    #[test]
    fn a_bridge_that_hears_reports_is_exact() {
        let mut l = listeners(GROUPS);
        l.bridged = true;
        (l.ipv4.querier, l.ipv6.querier) = (Querier::Known, Querier::Known);
        assert_eq!(announce(&l), (0x19, [TV, SITE6, MDNS6].into()));
        l.ipv6.querier = Querier::Shadowing;
        assert_eq!(announce(&l), (0x01 | 0x04 | 0x08, [TV].into()), "as the kernel: all of IPv6, NO_RTR6 clear");
        l.ipv4.querier = Querier::Absent;
        assert_eq!(announce(&l), (0x01 | 0x02 | 0x04, [].into()));
    }

    #[test]
    fn addresses_without_ip_group_count() {
        let mut l = listeners(&[]);
        let (v4, stp) = (MacAddr([1, 0, 0x5e, 9, 9, 9]), MacAddr([1, 0x80, 0xc2, 0, 0, 0]));
        l.addresses.extend([v4, MDNS6, stp]);
        assert_eq!(announce(&l), (0x18, [v4, MDNS6].into()));
    }

    #[test]
    fn too_many_groups_are_all_groups() {
        let mut l = listeners(GROUPS);
        l.groups.extend((0..=255u8).map(|n| IpAddr::from([239, 9, 9, n])));
        assert_eq!(announce(&l), (0x18 | 0x02, [ALL_NODES, SITE6, MDNS6].into()));
    }

    #[test]
    fn groups_come_go_and_stay() {
        let now = Instant::from_micros(1_000_000);
        let mut cfg = MeshConfig::new(MacAddr([2, 0xba, 0, 0, 0, 1]));
        // How own frames are sent has no part in what is asked for.
        cfg.multicast_forceflood = true;
        cfg.caps.local_clients = 3;
        let mut mesh = Mesh::new(cfg, 1, None, now);
        assert_eq!(mesh.multicast_flags(), 0x1e, "nobody said who listens");
        let groups = |m: &Mesh| m.local.entries.iter().filter(|(k, e)| is_group(k.0) && !e.pending).count();
        mesh.set_listeners(Some(listeners(&["239.1.2.3", "ff02::fb"])), now);
        assert_eq!((mesh.multicast_flags(), groups(&mesh)), (0x18, 2));
        mesh.commit_local(1000);
        let later = now + crate::time::Duration::from_secs(3600);
        mesh.local.age(later, &mut mesh.out);
        assert_eq!(groups(&mesh), 2, "groups do not age");

        // One too many for the cap: everything of that version is wanted instead.
        mesh.set_listeners(Some(listeners(&["239.1.2.3", "ff02::fb", "ff02::fc"])), later);
        assert_eq!((mesh.multicast_flags(), groups(&mesh)), (0x1c, 2), "{:?}", mesh.multicast);
        mesh.set_listeners(Some(listeners(&["239.1.2.3"])), later);
        assert_eq!((mesh.multicast_flags(), groups(&mesh)), (0x18, 1));
        mesh.commit_local(1000);
        assert!(mesh.local.is_consistent());
        mesh.set_listeners(None, later);
        assert_eq!((mesh.multicast_flags(), groups(&mesh)), (0x1e, 0));
        assert_eq!(mesh.broken_invariant(), None, "{:?}", mesh.local);
    }
}
