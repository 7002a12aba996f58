//! What a bridge knows of multicast listeners, queriers and routers behind its ports.

use crate::netlink::link::link_index;
use crate::netlink::message::{IFINFO_LEN, Message, attrs, u16_at, u32_at};
use crate::netlink::socket::RouteSocket;
use packet::MacAddr;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A bridge's multicast state.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Snooping {
    /// It looks at reports of listeners at all.
    pub on: bool,
    /// IPv4 querier, `None` without one.
    pub querier4: Option<QuerierAt>,
    /// IPv6 querier, `None` without one.
    pub querier6: Option<QuerierAt>,
    /// How long listeners may take to answer a querier.
    pub response_time: std::time::Duration,
    /// Each group with the port (or the bridge itself) that a listener is behind.
    pub groups: Vec<(u32, IpAddr)>,
    /// Ports with a multicast router behind: of IPv4, of IPv6.
    pub routers: Vec<(u32, bool, bool)>,
}

/// Where a querier is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuerierAt {
    /// The bridge itself.
    Itself,
    /// Behind this port.
    Port(u32),
}

impl RouteSocket {
    /// Asks for the multicast state of a bridge.
    ///
    /// # Errors
    /// What the kernel answers: `ENODEV` when it is gone, `EOPNOTSUPP` where bridges of this
    /// kernel know nothing of multicast.
    pub fn snooping(&mut self, bridge: u32) -> io::Result<Snooping> {
        let mut state = Snooping::default();
        self.exchange(Message::link(RTM_GETLINK, ACK, bridge, 0, 0), |_, body| {
            if link_index(body) == Some(bridge) {
                state.read_link(body);
            }
        })?;
        // A kernel whose bridges know nothing of multicast refuses this, and has said "off" above.
        let header = [PF_BRIDGE, 0, 0, 0, 0, 0, 0, 0];
        let dump = Message::new(RTM_GETMDB, DUMP).raw(&header);
        let listed = self.exchange(dump, |_, body| {
            if u32_at(body, 4) == Some(bridge) {
                state.read_database(body.get(header.len()..).unwrap_or_default());
            }
        });
        if state.on {
            listed?;
        }
        Ok(state)
    }
}

impl RouteSocket {
    /// Lists which station is behind which port, for all bridges.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn stations(&mut self, mut each: impl FnMut(u32, MacAddr)) -> io::Result<()> {
        let header = [PF_BRIDGE, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        self.exchange(Message::new(RTM_GETNEIGH, DUMP).raw(&header), |_, body| {
            if let Some((port, station)) = station(body) {
                each(port, station);
            }
        })
    }
}

impl RouteSocket {
    /// Kind of the queueing discipline that decides what leaves an interface; `None` without one.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn root_qdisc(&mut self, ifindex: u32) -> io::Result<Option<String>> {
        let mut kind = None;
        let mut header = [0; TCMSG_LEN];
        header[4..8].copy_from_slice(&ifindex.to_ne_bytes());
        self.exchange(Message::new(RTM_GETQDISC, DUMP).raw(&header), |_, body| {
            // All interfaces are listed by old kernels.
            if u32_at(body, 4) == Some(ifindex) && u32_at(body, 12) == Some(TC_H_ROOT) {
                let name = attrs(body.get(TCMSG_LEN..).unwrap_or_default()).find(|a| a.0 == TCA_KIND);
                kind = name.map(|(_, text)| String::from_utf8_lossy(text).trim_end_matches('\0').to_owned());
            }
        })?;
        Ok(kind)
    }
}

/// Port and address of an entry of a bridge's forwarding table: a `struct ndmsg`, then attributes.
/// `None` for addresses of the bridge itself, and of groups.
fn station(body: &[u8]) -> Option<(u32, MacAddr)> {
    if *body.first()? != PF_BRIDGE || u16_at(body, 8)? & NUD_PERMANENT != 0 {
        return None;
    }
    let mut all = attrs(body.get(12..)?);
    let mac: [u8; 6] = all.find(|a| a.0 == NDA_LLADDR)?.1.try_into().ok()?;
    Some((u32_at(body, 4)?, MacAddr(mac))).filter(|(_, mac)| mac.is_unicast())
}

impl Snooping {
    /// Reads the link message of a bridge.
    fn read_link(&mut self, body: &[u8]) {
        let top = attrs(body.get(IFINFO_LEN..).unwrap_or_default());
        let info = top.filter(|a| a.0 == IFLA_LINKINFO).flat_map(|a| attrs(a.1));
        let mut querier = false;
        for (kind, value) in info.filter(|a| a.0 == IFLA_INFO_DATA).flat_map(|a| attrs(a.1)) {
            match kind {
                IFLA_BR_MCAST_SNOOPING => self.on = value.first().is_some_and(|b| *b != 0),
                IFLA_BR_MCAST_QUERIER => querier = value.first().is_some_and(|b| *b != 0),
                IFLA_BR_MCAST_QUERY_RESPONSE_INTVL => {
                    // In clock ticks for user space, a hundredth of a second each.
                    let ticks = value.try_into().map_or(0, u64::from_ne_bytes);
                    self.response_time = std::time::Duration::from_millis(ticks.saturating_mul(10));
                }
                IFLA_BR_MCAST_QUERIER_STATE => {
                    let (mut port, mut timer) = ([None; 2], [false; 2]);
                    for (kind, value) in attrs(value) {
                        match kind {
                            BRIDGE_QUERIER_IP_PORT => port[0] = u32_at(value, 0),
                            BRIDGE_QUERIER_IPV6_PORT => port[1] = u32_at(value, 0),
                            BRIDGE_QUERIER_IP_OTHER_TIMER => timer[0] = true,
                            BRIDGE_QUERIER_IPV6_OTHER_TIMER => timer[1] = true,
                            _ => {}
                        }
                    }
                    // Without its timer another querier has fallen silent.
                    let other = |i: usize| port.get(i).copied().flatten().filter(|_| timer.get(i) == Some(&true));
                    self.querier4 = other(0).map(QuerierAt::Port);
                    self.querier6 = other(1).map(QuerierAt::Port);
                }
                _ => {}
            }
        }
        if querier {
            self.querier4 = self.querier4.or(Some(QuerierAt::Itself));
            self.querier6 = self.querier6.or(Some(QuerierAt::Itself));
        }
    }

    /// Reads a message of the multicast database, behind its header.
    fn read_database(&mut self, bytes: &[u8]) {
        for (kind, value) in attrs(bytes) {
            match kind {
                MDBA_MDB => {
                    let entries = attrs(value).filter(|a| a.0 == MDBA_MDB_ENTRY).flat_map(|a| attrs(a.1));
                    self.groups.extend(entries.filter(|a| a.0 == MDBA_MDB_ENTRY_INFO).filter_map(|a| group(a.1)));
                }
                MDBA_ROUTER => {
                    let ports = attrs(value).filter(|a| a.0 == MDBA_ROUTER_PORT);
                    self.routers.extend(ports.filter_map(|a| router(a.1)));
                }
                _ => {}
            }
        }
    }
}

/// Port and group of a `struct br_mdb_entry`: interface, state and flags, VLAN, 16 bytes of
/// address, protocol. `None` for groups of the link layer.
fn group(entry: &[u8]) -> Option<(u32, IpAddr)> {
    let port = u32_at(entry, 0)?;
    let octets: [u8; 16] = entry.get(8..24)?.try_into().ok()?;
    let group = match u16_at(entry, 24)?.to_ne_bytes() {
        [0x08, 0x00] => {
            let [a, b, c, d, ..] = octets;
            IpAddr::V4(Ipv4Addr::new(a, b, c, d))
        }
        [0x86, 0xdd] => IpAddr::V6(Ipv6Addr::from(octets)),
        _ => return None,
    };
    Some((port, group))
}

/// A port with a router behind, of which IP version. Kernels before 5.14 do not tell them apart.
fn router(value: &[u8]) -> Option<(u32, bool, bool)> {
    let port = u32_at(value, 0)?;
    let kinds: Vec<u16> = attrs(value.get(4..)?).map(|a| a.0).collect();
    let (v4, v6) = (kinds.contains(&MDBA_ROUTER_PATTR_INET_TIMER), kinds.contains(&MDBA_ROUTER_PATTR_INET6_TIMER));
    Some(if v4 || v6 { (port, v4, v6) } else { (port, true, true) })
}

const PF_BRIDGE: u8 = 7;
// linux/rtnetlink.h, linux/netlink.h
const RTM_GETLINK: u16 = 18;
const RTM_GETNEIGH: u16 = 30;
const RTM_GETQDISC: u16 = 38;
const TCMSG_LEN: usize = 20; // struct tcmsg
const TC_H_ROOT: u32 = u32::MAX;
const TCA_KIND: u16 = 1;
const RTM_GETMDB: u16 = 86;
const ACK: u16 = 0x4;
const DUMP: u16 = 0x300;
// linux/neighbour.h
const NUD_PERMANENT: u16 = 0x80;
const NDA_LLADDR: u16 = 2;
// linux/if_link.h
const IFLA_LINKINFO: u16 = 18;
const IFLA_INFO_DATA: u16 = 2;
const IFLA_BR_MCAST_SNOOPING: u16 = 23;
const IFLA_BR_MCAST_QUERIER: u16 = 25;
const IFLA_BR_MCAST_QUERY_RESPONSE_INTVL: u16 = 34;
const IFLA_BR_MCAST_QUERIER_STATE: u16 = 47;
// linux/if_bridge.h
const BRIDGE_QUERIER_IP_PORT: u16 = 2;
const BRIDGE_QUERIER_IP_OTHER_TIMER: u16 = 3;
const BRIDGE_QUERIER_IPV6_PORT: u16 = 6;
const BRIDGE_QUERIER_IPV6_OTHER_TIMER: u16 = 7;
const MDBA_MDB: u16 = 1;
const MDBA_MDB_ENTRY: u16 = 1;
const MDBA_MDB_ENTRY_INFO: u16 = 1;
const MDBA_ROUTER: u16 = 2;
const MDBA_ROUTER_PORT: u16 = 1;
const MDBA_ROUTER_PATTR_INET_TIMER: u16 = 3;
const MDBA_ROUTER_PATTR_INET6_TIMER: u16 = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::message::HEADER_LEN;

    fn entry(port: u32, group: IpAddr) -> Vec<u8> {
        let mut e = port.to_ne_bytes().to_vec();
        e.extend([0, 0, 0, 0]);
        let (mut octets, proto) = match group {
            IpAddr::V4(a) => (a.octets().to_vec(), [8, 0, 0, 0]),
            IpAddr::V6(a) => (a.octets().to_vec(), [0x86, 0xdd, 0, 0]),
        };
        octets.resize(16, 0);
        e.extend(octets);
        e.extend(proto);
        e
    }

    fn link(on: u8, querier: u8, state: impl FnOnce(Message) -> Message) -> Snooping {
        let message = Message::link(16, 0, 5, 0, 0).nest(IFLA_LINKINFO, |m| {
            m.text(1, "bridge").nest(IFLA_INFO_DATA, |m| {
                m.attr(IFLA_BR_MCAST_SNOOPING, &[on])
                    .attr(IFLA_BR_MCAST_QUERIER, &[querier])
                    .attr(IFLA_BR_MCAST_QUERY_RESPONSE_INTVL, &1000u64.to_ne_bytes())
                    .nest(IFLA_BR_MCAST_QUERIER_STATE, state)
            })
        });
        let mut s = Snooping::default();
        s.read_link(&message.finish(0)[HEADER_LEN..]);
        s
    }

    #[test]
    fn stations_behind_ports() {
        let entry = |family: u8, state: u16, mac: [u8; 6]| {
            let mut header = vec![family, 0, 0, 0];
            header.extend(7u32.to_ne_bytes());
            header.extend(state.to_ne_bytes());
            header.extend([0, 0]);
            Message::new(28, 0).raw(&header).attr(NDA_LLADDR, &mac).finish(0)[HEADER_LEN..].to_vec()
        };
        let mac = [2, 0, 0, 0, 0, 9];
        assert_eq!(station(&entry(PF_BRIDGE, 2, mac)), Some((7, MacAddr(mac))));
        assert_eq!(station(&entry(PF_BRIDGE, NUD_PERMANENT, mac)), None, "the bridge's own");
        assert_eq!(station(&entry(2, 2, mac)), None, "no bridge");
        assert_eq!(station(&entry(PF_BRIDGE, 2, [1, 0, 0x5e, 0, 0, 9])), None, "a group");
        assert_eq!(station(&entry(PF_BRIDGE, 2, mac)[..12]), None);
    }

    #[test]
    fn queriers() {
        let s = link(1, 0, |m| m);
        assert_eq!((s.on, s.querier4, s.querier6), (true, None, None));
        assert_eq!(s.response_time.as_secs(), 10);
        let s = link(0, 1, |m| m);
        assert_eq!((s.on, s.querier4, s.querier6), (false, Some(QuerierAt::Itself), Some(QuerierAt::Itself)));
        let s = link(1, 0, |m| {
            m.attr(1, &[10, 0, 0, 1])
                .attr(BRIDGE_QUERIER_IP_PORT, &7u32.to_ne_bytes())
                .attr(BRIDGE_QUERIER_IP_OTHER_TIMER, &9u64.to_ne_bytes())
                .attr(BRIDGE_QUERIER_IPV6_PORT, &8u32.to_ne_bytes())
        });
        assert_eq!((s.querier4, s.querier6), (Some(QuerierAt::Port(7)), None), "the other one fell silent");
    }

    #[test]
    fn database() {
        let groups: [IpAddr; 2] = ["239.1.2.3".parse().unwrap(), "ff02::fb".parse().unwrap()];
        let message = Message::new(RTM_GETMDB, 0)
            .nest(MDBA_MDB, |m| {
                m.nest(MDBA_MDB_ENTRY, |m| m.attr(MDBA_MDB_ENTRY_INFO, &entry(3, groups[0])))
                    .nest(MDBA_MDB_ENTRY, |m| m.attr(MDBA_MDB_ENTRY_INFO, &entry(4, groups[1])))
                    .nest(MDBA_MDB_ENTRY, |m| m.attr(MDBA_MDB_ENTRY_INFO, &[0; 28]))
            })
            .nest(MDBA_ROUTER, |m| {
                m.nest(MDBA_ROUTER_PORT, |m| m.raw(&3u32.to_ne_bytes()).attr(MDBA_ROUTER_PATTR_INET6_TIMER, &[0; 4]))
                    .nest(MDBA_ROUTER_PORT, |m| m.raw(&4u32.to_ne_bytes()).attr(1, &[0; 4]))
            });
        let bytes = message.finish(0);
        let mut s = Snooping::default();
        s.read_database(&bytes[HEADER_LEN..]);
        assert_eq!(s.groups, [(3, groups[0]), (4, groups[1])]);
        assert_eq!(s.routers, [(3, false, true), (4, true, true)]);
        for len in HEADER_LEN..bytes.len() {
            Snooping::default().read_database(&bytes[HEADER_LEN..len]);
        }
    }
}
