//! Interfaces as the kernel describes them, and what can be changed about them.

use crate::netlink::message::{IFINFO_LEN, Message, attrs, u16_at, u32_at};
use crate::netlink::socket::RouteSocket;
use mesh_core::sorted::SortedMap;
use packet::{MacAddr, Vid};
use std::io;

/// One interface.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkInfo {
    /// Its number; a new interface of the same name has another one.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Its MAC, zero if it has none of six bytes.
    pub mac: MacAddr,
    /// The MAC that its hardware was made with, where the driver tells.
    pub permanent_mac: Option<MacAddr>,
    /// Largest packet behind the Ethernet header.
    pub mtu: u32,
    /// Set up by whoever administers it.
    pub up: bool,
    /// It has a carrier.
    pub carrier: bool,
    /// Its administrator lets all multicast frames in.
    pub all_multicast: bool,
    /// It is a loopback interface.
    pub loopback: bool,
    /// ARPHRD number of its kind of hardware, 1 for Ethernet.
    pub hardware: u16,
    /// The interface that this one stands on, such as that of a VLAN.
    pub below: Option<u32>,
    /// Bridge, bond or the like that it belongs to.
    pub master: Option<u32>,
    /// Kind of a virtual interface, such as `veth`; empty for hardware.
    pub kind: String,
    /// Kind of the master, such as `bridge`.
    pub master_kind: String,
    /// It is a port of a bridge that keeps it from other such ports.
    pub isolated: bool,
    /// Its number, if it is a VLAN by 802.1Q.
    pub vlan: Option<u16>,
}

impl LinkInfo {
    /// True if the speed that it tells is that of something else: a tunnel has that of the wire it
    /// happens to leave by, a bridge that of its fastest port, a TAP device an invented one.
    pub fn speed_means_nothing(&self) -> bool {
        matches!(
            self.kind.as_str(),
            "bridge" | "openvswitch" | "tun" | "vxlan" | "geneve" | "gretap" | "ip6gretap" | "erspan" | "ip6erspan"
        )
    }

    /// Reads the body of a link message. `None` when it is about something else, such as a
    /// bridge's view of its port.
    pub fn parse(body: &[u8]) -> Option<Self> {
        if *body.first()? != AF_UNSPEC {
            return None;
        }
        let flags = u32_at(body, 8)?;
        let mut info = Self {
            index: u32_at(body, 4)?,
            name: String::new(),
            mac: MacAddr::ZERO,
            permanent_mac: None,
            mtu: 0,
            up: flags & IFF_UP != 0,
            carrier: flags & IFF_LOWER_UP != 0,
            all_multicast: flags & IFF_ALLMULTI != 0,
            loopback: flags & IFF_LOOPBACK != 0,
            hardware: u16_at(body, 2)?,
            below: None,
            master: None,
            kind: String::new(),
            master_kind: String::new(),
            isolated: false,
            vlan: None,
        };
        let mut elsewhere = false;
        let (mut data, mut port): (&[u8], &[u8]) = (&[], &[]);
        for (kind, value) in attrs(body.get(IFINFO_LEN..)?) {
            match kind {
                IFLA_IFNAME => info.name = text(value),
                IFLA_ADDRESS => info.mac = mac(value).unwrap_or_default(),
                IFLA_PERM_ADDRESS => info.permanent_mac = mac(value).filter(|m| m.is_unicast()),
                IFLA_MTU => info.mtu = u32_at(value, 0)?,
                IFLA_LINK => info.below = u32_at(value, 0).filter(|b| *b != info.index && *b != 0),
                IFLA_LINK_NETNSID => elsewhere = true,
                IFLA_MASTER => info.master = u32_at(value, 0),
                IFLA_LINKINFO => {
                    for (kind, value) in attrs(value) {
                        match kind {
                            IFLA_INFO_KIND => info.kind = text(value),
                            IFLA_INFO_DATA => data = value,
                            IFLA_INFO_SLAVE_DATA => port = value,
                            IFLA_INFO_SLAVE_KIND => info.master_kind = text(value),
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        if info.master_kind == "bridge" {
            let isolated = attrs(port).find(|a| a.0 == IFLA_BRPORT_ISOLATED);
            info.isolated = isolated.is_some_and(|(_, value)| value.first().is_some_and(|b| *b != 0));
        }
        if info.kind == "vlan" {
            info.vlan = vlan(data);
        }
        // A number of another namespace, or that of the other end, means nothing here.
        if elsewhere || info.kind == "veth" {
            info.below = None;
        }
        Some(info)
    }
}

/// Number of a VLAN from what its driver says, unless it is one of another kind than 802.1Q.
fn vlan(data: &[u8]) -> Option<u16> {
    let (mut id, mut protocol) = (None, None);
    for (kind, value) in attrs(data) {
        match kind {
            IFLA_VLAN_ID => id = u16_at(value, 0),
            IFLA_VLAN_PROTOCOL => protocol = u16_at(value, 0),
            _ => {}
        }
    }
    id.filter(|_| protocol.is_none_or(|p| p == ETH_P_8021Q.to_be()))
}

/// The interface that the body of a link message is about.
pub fn link_index(body: &[u8]) -> Option<u32> {
    u32_at(body, 4)
}

fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value.split(|b| *b == 0).next().unwrap_or_default()).into_owned()
}

fn mac(value: &[u8]) -> Option<MacAddr> {
    value.try_into().ok().map(MacAddr)
}

/// All interfaces, kept up to date by news.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkTable {
    by_index: SortedMap<u32, LinkInfo>,
}

impl LinkTable {
    /// Asks the kernel for all interfaces.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn dump(socket: &mut RouteSocket) -> io::Result<Self> {
        let mut table = Self::default();
        socket.exchange(Message::link(RTM_GETLINK, DUMP, 0, 0, 0), |kind, body| {
            table.apply(kind, body);
        })?;
        Ok(table)
    }

    /// Asks the kernel for one interface; true if that changed anything.
    pub fn refresh_one(&mut self, socket: &mut RouteSocket, index: u32) -> bool {
        let mut changed = false;
        let asked = socket.exchange(Message::link(RTM_GETLINK, ACK, index, 0, 0), |kind, body| {
            changed |= self.apply(kind, body);
        });
        match asked {
            Ok(()) => changed,
            // Gone since.
            Err(_) => self.by_index.remove(&index).is_some(),
        }
    }

    /// Takes one message in; true if it changed anything.
    pub fn apply(&mut self, kind: u16, body: &[u8]) -> bool {
        let Some(info) = LinkInfo::parse(body) else { return false };
        match kind {
            RTM_NEWLINK => {
                let changed = self.by_index.get(&info.index) != Some(&info);
                self.by_index.insert(info.index, info);
                changed
            }
            RTM_DELLINK => self.by_index.remove(&info.index).is_some(),
            _ => false,
        }
    }

    /// The interface of this name.
    pub fn by_name(&self, name: &str) -> Option<&LinkInfo> {
        self.by_index.values().find(|l| l.name == name)
    }

    /// The interface of this number.
    pub fn by_index(&self, index: u32) -> Option<&LinkInfo> {
        self.by_index.get(&index)
    }

    /// True if the interface, or another one that stands on it, is a port of a bridge.
    pub fn is_bridged(&self, index: u32) -> bool {
        let bridge = |l: &LinkInfo| l.master.is_some() && matches!(l.master_kind.as_str(), "bridge" | "openvswitch");
        let mut on = vec![index];
        let mut next = 0;
        while let Some(&index) = on.get(next) {
            next += 1;
            if self.by_index(index).is_some_and(bridge) {
                return true;
            }
            let above: Vec<u32> = self.iter().filter(|l| l.below == Some(index)).map(|l| l.index).collect();
            on.extend(above.into_iter().filter(|i| !on.contains(i)).collect::<Vec<_>>());
        }
        false
    }

    /// Address and number of the VLANs that stand on an interface. 802.1Q calls frames with the
    /// number 0 untagged.
    pub fn vlans_on(&self, index: u32) -> Vec<(MacAddr, Vid)> {
        let on = self.iter().filter(|l| l.below == Some(index));
        on.filter_map(|l| Some((l.mac, Vid::tagged(l.vlan.filter(|id| *id != 0)?)))).collect()
    }

    /// All of them, by number.
    pub fn iter(&self) -> impl Iterator<Item = &LinkInfo> {
        self.by_index.values()
    }
}

impl FromIterator<LinkInfo> for LinkTable {
    fn from_iter<I: IntoIterator<Item = LinkInfo>>(links: I) -> Self {
        Self { by_index: links.into_iter().map(|l| (l.index, l)).collect() }
    }
}

impl RouteSocket {
    /// Sets an interface up or down.
    ///
    /// # Errors
    /// `PermissionDenied` without CAP_NET_ADMIN, `ENODEV` when it is gone.
    pub fn set_up(&mut self, ifindex: u32, up: bool) -> io::Result<()> {
        self.request(Message::link(RTM_NEWLINK, ACK, ifindex, if up { IFF_UP } else { 0 }, IFF_UP))
    }

    /// Changes the MTU of an interface.
    ///
    /// # Errors
    /// As [`RouteSocket::set_up`]; `InvalidInput` outside of what it can do.
    pub fn set_mtu(&mut self, ifindex: u32, mtu: u32) -> io::Result<()> {
        self.request(Message::link(RTM_NEWLINK, ACK, ifindex, 0, 0).attr(IFLA_MTU, &mtu.to_ne_bytes()))
    }

    /// Changes the MAC of an interface.
    ///
    /// # Errors
    /// As [`RouteSocket::set_up`]; `ResourceBusy` when it must be down for that.
    pub fn set_mac(&mut self, ifindex: u32, mac: MacAddr) -> io::Result<()> {
        self.request(Message::link(RTM_NEWLINK, ACK, ifindex, 0, 0).attr(IFLA_ADDRESS, &mac.0))
    }
}

const AF_UNSPEC: u8 = 0;
// linux/rtnetlink.h, linux/netlink.h
const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
const RTM_GETLINK: u16 = 18;
const ACK: u16 = 0x4;
const DUMP: u16 = 0x300;
// linux/if.h
const IFF_UP: u32 = 0x1;
const IFF_LOOPBACK: u32 = 0x8;
const IFF_ALLMULTI: u32 = 0x200;
const IFF_LOWER_UP: u32 = 0x1_0000;
// linux/if_link.h
const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_LINK: u16 = 5;
const IFLA_MASTER: u16 = 10;
const IFLA_LINKINFO: u16 = 18;
const IFLA_LINK_NETNSID: u16 = 37;
const IFLA_PERM_ADDRESS: u16 = 54;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const IFLA_INFO_SLAVE_DATA: u16 = 5;
const IFLA_BRPORT_ISOLATED: u16 = 33;
const IFLA_VLAN_ID: u16 = 1;
const IFLA_VLAN_PROTOCOL: u16 = 5;
// linux/if_ether.h
const ETH_P_8021Q: u16 = 0x8100;
const IFLA_INFO_SLAVE_KIND: u16 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn news(family: u8, index: u32, name: &str) -> Vec<u8> {
        let message = Message::link(RTM_NEWLINK, 0, index, IFF_UP | IFF_LOWER_UP, 0)
            .text(IFLA_IFNAME, name)
            .attr(IFLA_ADDRESS, &[2, 0, 0, 0, 0, 9])
            .attr(IFLA_MTU, &1532u32.to_ne_bytes())
            .attr(IFLA_MASTER, &4u32.to_ne_bytes())
            .nest(IFLA_LINKINFO, |m| m.text(IFLA_INFO_KIND, "veth").text(IFLA_INFO_SLAVE_KIND, "bridge"));
        let mut bytes = message.finish(0)[16..].to_vec();
        bytes[0] = family;
        bytes
    }

    #[test]
    fn vlans_on_an_interface() {
        let vlan = |index, id: u16, protocol: u16| {
            let message = Message::link(RTM_NEWLINK, 0, index, IFF_UP, 0)
                .text(IFLA_IFNAME, &format!("v{id}"))
                .attr(IFLA_ADDRESS, &[2, 0, 0, 0, 0, 9])
                .attr(IFLA_LINK, &7u32.to_ne_bytes())
                .nest(IFLA_LINKINFO, |m| {
                    m.text(IFLA_INFO_KIND, "vlan").nest(IFLA_INFO_DATA, |m| {
                        m.attr(IFLA_VLAN_ID, &id.to_ne_bytes()).attr(IFLA_VLAN_PROTOCOL, &protocol.to_be_bytes())
                    })
                });
            message.finish(0)[16..].to_vec()
        };
        let mut table = LinkTable::default();
        for (index, id, protocol) in [(20, 11, ETH_P_8021Q), (21, 12, 0x88a8), (22, 0, ETH_P_8021Q)] {
            assert!(table.apply(RTM_NEWLINK, &vlan(index, id, protocol)));
        }
        assert_eq!(table.vlans_on(7), [(MacAddr([2, 0, 0, 0, 0, 9]), Vid::tagged(11))], "not the other kind, not 0");
        assert_eq!(table.vlans_on(20), []);
    }

    #[test]
    fn an_interface_is_read_and_forgotten() {
        let mut table = LinkTable::default();
        assert!(table.apply(RTM_NEWLINK, &news(0, 7, "wlan0")));
        assert!(!table.apply(RTM_NEWLINK, &news(0, 7, "wlan0")), "nothing new");
        let link = table.by_name("wlan0").unwrap();
        assert_eq!((link.index, link.mtu, link.up, link.carrier), (7, 1532, true, true));
        assert_eq!((link.mac, link.master), (MacAddr([2, 0, 0, 0, 0, 9]), Some(4)));
        assert_eq!((link.kind.as_str(), link.master_kind.as_str()), ("veth", "bridge"));
        assert!(table.apply(RTM_NEWLINK, &news(0, 7, "mesh1")), "renamed");
        assert!(table.by_name("wlan0").is_none());
        assert!(!table.apply(RTM_DELLINK, &news(7, 7, "mesh1")), "it left a bridge, it is not gone");
        assert!(table.apply(RTM_DELLINK, &news(0, 7, "mesh1")));
        assert_eq!(table, LinkTable::default());
    }
}
