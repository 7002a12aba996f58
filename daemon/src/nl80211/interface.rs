//! Interfaces of radios.

use super::consts::{attr, cmd};
use crate::netlink::GenericSocket;
use crate::netlink::generic::text;
use crate::netlink::message::{attrs, u32_at};
use packet::MacAddr;
use std::io;
use std::path::Path;

/// An interface of a radio; a radio can have several, on one channel or a few.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RadioInterface {
    /// Its number.
    pub ifindex: u32,
    /// Its name.
    pub name: String,
    /// Number of its radio.
    pub wiphy: u32,
    /// What it is.
    pub kind: Kind,
    /// Its address.
    pub mac: MacAddr,
    /// Frequency of its channel in MHz, while it is on one.
    pub freq: Option<u32>,
    /// `NL80211_CHAN_WIDTH_*` of its channel.
    pub width: Option<u32>,
    /// Middle of the whole channel in MHz.
    pub center_freq: Option<u32>,
    /// Name of its network, while it is in one and the driver tells.
    pub ssid: Option<Vec<u8>>,
}

/// What an interface of a radio is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Ad-hoc, IBSS.
    AdHoc,
    /// Client of an access point.
    Station,
    /// Access point.
    AccessPoint,
    /// Mesh point of 802.11s.
    MeshPoint,
    /// Something else, by its number.
    Other(u32),
}

impl Kind {
    /// Source: `enum nl80211_iftype`.
    pub const fn of(number: u32) -> Self {
        match number {
            1 => Self::AdHoc,
            2 => Self::Station,
            // An interface for one VLAN of an access point counts as one.
            3 | 4 => Self::AccessPoint,
            7 => Self::MeshPoint,
            n => Self::Other(n),
        }
    }

    /// The number of `enum nl80211_iftype`.
    pub const fn number(self) -> u32 {
        match self {
            Self::AdHoc => 1,
            Self::Station => 2,
            Self::AccessPoint => 3,
            Self::MeshPoint => 7,
            Self::Other(n) => n,
        }
    }
}

impl RadioInterface {
    /// Reads the attributes of an interface message. `None` for what has no network interface.
    pub fn parse(attributes: &[u8]) -> Option<Self> {
        let (mut ifindex, mut wiphy) = (None, None);
        let mut info = Self {
            ifindex: 0,
            name: String::new(),
            wiphy: 0,
            kind: Kind::Other(0),
            mac: MacAddr::ZERO,
            freq: None,
            width: None,
            center_freq: None,
            ssid: None,
        };
        for (kind, value) in attrs(attributes) {
            match kind {
                attr::IFINDEX => ifindex = u32_at(value, 0),
                attr::IFNAME => info.name = text(value),
                attr::WIPHY => wiphy = u32_at(value, 0),
                attr::IFTYPE => info.kind = Kind::of(u32_at(value, 0)?),
                attr::MAC => info.mac = MacAddr(value.try_into().ok()?),
                attr::WIPHY_FREQ => info.freq = u32_at(value, 0),
                attr::CHANNEL_WIDTH => info.width = u32_at(value, 0),
                attr::CENTER_FREQ1 => info.center_freq = u32_at(value, 0),
                attr::SSID => info.ssid = Some(value.to_vec()),
                _ => {}
            }
        }
        (info.ifindex, info.wiphy) = (ifindex?, wiphy?);
        Some(info)
    }
}

/// All interfaces of all radios in this network namespace.
///
/// # Errors
/// What the kernel answers.
pub fn interfaces(socket: &mut GenericSocket) -> io::Result<Vec<RadioInterface>> {
    let mut all = Vec::new();
    socket.ask(socket.dump_message(cmd::GET_INTERFACE), |_, a| all.extend(RadioInterface::parse(a)))?;
    Ok(all)
}

/// Name of the radio's interface that a hard interface is, or is a VLAN or the like on top of.
/// `sysfs` is `/sys/class/net`.
pub fn radio_below(sysfs: &Path, name: &str) -> Option<String> {
    radio_at_depth(sysfs, name, 4)
}

fn radio_at_depth(sysfs: &Path, name: &str, depth: u8) -> Option<String> {
    let dir = sysfs.join(name);
    if dir.join("phy80211").exists() || dir.join("wireless").exists() {
        return Some(name.to_owned());
    }
    let depth = depth.checked_sub(1)?;
    let entries = dir.read_dir().ok()?;
    entries.flatten().find_map(|entry| {
        let file = entry.file_name();
        radio_at_depth(sysfs, file.to_str()?.strip_prefix("lower_")?, depth)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::message::{HEADER_LEN, Message};

    #[test]
    fn an_interface_is_read() {
        let message = Message::new(0, 0)
            .attr(attr::IFINDEX, &9u32.to_ne_bytes())
            .text(attr::IFNAME, "wlan0")
            .attr(attr::WIPHY, &1u32.to_ne_bytes())
            .attr(attr::IFTYPE, &3u32.to_ne_bytes())
            .attr(attr::MAC, &[2, 0, 0, 0, 0, 1])
            .attr(attr::SSID, b"net")
            .attr(attr::WIPHY_FREQ, &5180u32.to_ne_bytes());
        let bytes = message.finish(0);
        let read = RadioInterface::parse(&bytes[HEADER_LEN..]).unwrap();
        assert_eq!((read.ifindex, read.name.as_str(), read.wiphy), (9, "wlan0", 1));
        assert_eq!((read.kind, read.freq, read.width), (Kind::AccessPoint, Some(5180), None));
        assert_eq!(read.ssid.as_deref(), Some(&b"net"[..]));
        let p2p = Message::new(0, 0).attr(attr::WIPHY, &1u32.to_ne_bytes()).finish(0);
        assert_eq!(RadioInterface::parse(&p2p[HEADER_LEN..]), None);
        for number in 0..13 {
            assert!(Kind::of(number).number() == number || number == 4);
        }
    }

    #[test]
    fn a_vlan_on_a_radio_is_a_radio() {
        let root = std::env::temp_dir().join(format!("radio-{}", std::process::id()));
        for dir in
            ["wlan0/phy80211", "wlan0.5/lower_wlan0", "br/lower_wlan0.5", "eth0/lower_eth0", "eth1", "old/wireless"]
        {
            std::fs::create_dir_all(root.join(dir)).unwrap();
        }
        let wlan0 = Some("wlan0".to_owned());
        for name in ["wlan0", "wlan0.5", "br"] {
            assert_eq!(radio_below(&root, name), wlan0, "{name}");
        }
        assert_eq!(radio_below(&root, "old"), Some("old".to_owned()));
        for name in ["eth0", "eth1", "none"] {
            assert_eq!(radio_below(&root, name), None, "{name}");
        }
        std::fs::remove_dir_all(&root).unwrap();
    }
}
