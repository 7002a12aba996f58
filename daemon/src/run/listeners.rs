//! Who listens to which multicast groups on this node's side of the mesh interface: the host
//! itself, or the bridge that the mesh interface is a port of and everybody behind it.
//!
//! Looked at twice a second, as the kernel module does. Source: "Payload plane" section 4.1.

use crate::netlink::bridge::{QuerierAt, Snooping};
use crate::netlink::{LinkInfo, LinkTable, Watcher, groups};
use mesh_core::multicast::{Listeners, Querier, Version};
use mesh_core::{Duration, Instant};

/// Time between two looks.
const EVERY: Duration = Duration::from_millis(500);

/// What the core was told, and since when queriers are there.
#[derive(Debug)]
pub(super) struct Watch {
    next: Instant,
    told: Option<Listeners>,
    /// When the querier of IPv4 and that of IPv6 was first seen where it is.
    queriers: [Option<(QuerierAt, Instant)>; 2],
}

/// What is around the mesh interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Above<'a> {
    /// The host alone uses it.
    Host(&'a LinkInfo),
    /// It is a port of this bridge.
    Bridge(&'a LinkInfo),
    /// Something that we cannot ask who listens.
    Unknown,
}

impl Watch {
    pub(super) fn new() -> Self {
        Self { next: Instant::ZERO, told: None, queriers: [None; 2] }
    }

    /// Looks if it is time to: the news if there is any.
    pub(super) fn look(&mut self, host: u32, watcher: &mut Watcher, now: Instant) -> Option<Option<Listeners>> {
        if now < self.next {
            return None;
        }
        self.next = now + EVERY;
        let found = self.find(host, watcher, now);
        if found == self.told {
            return None;
        }
        tracing::debug!(?found, "multicast listeners");
        self.told.clone_from(&found);
        Some(found)
    }

    fn find(&mut self, host: u32, watcher: &mut Watcher, now: Instant) -> Option<Listeners> {
        let addresses = groups::addresses_of(host)?;
        match above(host, watcher.table()) {
            Above::Unknown => None,
            Above::Host(link) => {
                let (router4, router6) = groups::routes_multicast(&link.name);
                Some(Listeners {
                    bridged: false,
                    groups: groups::of(host),
                    addresses,
                    ipv4: Version { querier: Querier::Absent, router: router4 },
                    ipv6: Version { querier: Querier::Absent, router: router6 },
                })
            }
            Above::Bridge(bridge) => {
                let (index, name) = (bridge.index, bridge.name.clone());
                let snooping = match watcher.requests().snooping(index) {
                    Ok(snooping) => snooping,
                    Err(error) => {
                        tracing::debug!(bridge = name, %error, "cannot ask the bridge who listens");
                        Snooping::default()
                    }
                };
                // The addresses of the bridge are the host's.
                let mut own = groups::of(index);
                let behind = |port: &u32| *port != host;
                own.extend(snooping.groups.iter().filter(|(port, _)| behind(port)).map(|(_, group)| *group));
                let (mut router4, mut router6) = groups::routes_multicast(&name);
                for (_, v4, v6) in snooping.routers.iter().filter(|(port, ..)| behind(port)) {
                    router4 |= v4;
                    router6 |= v6;
                }
                let querier4 = self.querier(0, snooping.querier4, &snooping, host, now);
                let querier6 = self.querier(1, snooping.querier6, &snooping, host, now);
                Some(Listeners {
                    bridged: true,
                    groups: own,
                    addresses: Default::default(),
                    ipv4: Version { querier: querier4, router: router4 },
                    ipv6: Version { querier: querier6, router: router6 },
                })
            }
        }
    }

    /// Judges a querier. A new one counts once listeners had the time to answer it: until then
    /// nobody can know them all.
    fn querier(&mut self, version: usize, at: Option<QuerierAt>, s: &Snooping, host: u32, now: Instant) -> Querier {
        let Some(seen) = self.queriers.get_mut(version) else { return Querier::Absent };
        let Some(at) = at.filter(|_| s.on) else {
            *seen = None;
            return Querier::Absent;
        };
        let (before, since) = *seen.get_or_insert((at, now));
        if before != at {
            // Another querier, the same listeners.
            *seen = Some((at, since));
        }
        match at {
            QuerierAt::Port(port) if port != host => Querier::Shadowing,
            _ if now.since(since) < s.response_time => Querier::Absent,
            QuerierAt::Port(_) | QuerierAt::Itself => Querier::Known,
        }
    }
}

/// What is around the mesh interface: a master decides, as does its administrator by letting all
/// multicast in.
fn above(host: u32, table: &LinkTable) -> Above<'_> {
    let Some(link) = table.by_index(host) else { return Above::Unknown };
    if link.all_multicast {
        return Above::Unknown;
    }
    match (link.master, link.master_kind.as_str()) {
        (None, _) | (_, "vrf") => Above::Host(link),
        (Some(master), "bridge") => table.by_index(master).map_or(Above::Unknown, Above::Bridge),
        (Some(_), _) => Above::Unknown,
    }
}
