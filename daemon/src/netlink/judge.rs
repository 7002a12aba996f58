//! Whether an interface can carry the mesh, and why not, in plain words.

use crate::netlink::link::{LinkInfo, LinkTable};

/// Smallest MTU of a hard interface: 68 bytes for IPv4 and 32 of mesh headers. Source: protocol
/// notes, "Payload plane" section 2.
pub const MTU_MIN: u32 = 100;
/// MTU of a hard interface that carries full frames uncut. Source: as above.
pub const MTU_RECOMMENDED: u32 = 1532;

/// What can be done with the interface of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// There is none; it may appear later.
    Absent,
    /// It exists and cannot be used; the reason is a sentence for people.
    Refused(String),
    /// It could be used and is set down.
    Down(&'a LinkInfo),
    /// It can be used.
    Usable(&'a LinkInfo),
}

/// Judges the interface `name`. `own` is the number of our mesh interface.
pub fn judge<'a>(name: &str, table: &'a LinkTable, own: Option<u32>) -> Verdict<'a> {
    let Some(link) = table.by_name(name) else { return Verdict::Absent };
    if let Some(reason) = refusal(link, table, own) {
        return Verdict::Refused(reason);
    }
    if link.up { Verdict::Usable(link) } else { Verdict::Down(link) }
}

fn refusal(link: &LinkInfo, table: &LinkTable, own: Option<u32>) -> Option<String> {
    if own == Some(link.index) {
        return Some("it is the mesh interface itself".to_owned());
    }
    if link.loopback {
        return Some("it is the loopback interface, no neighbour can be behind it".to_owned());
    }
    if link.hardware != ARPHRD_ETHER {
        let hint = match link.hardware {
            801..=803 => "; a Wi-Fi interface has to leave monitor mode",
            ARPHRD_NONE => "; it carries IP packets without addresses",
            _ => "",
        };
        return Some(format!("it is not an Ethernet interface (hardware type {}){hint}", link.hardware));
    }
    if link.kind == "batadv" {
        return Some("it is the mesh interface of the batman-adv kernel module".to_owned());
    }
    if let Some(master) = link.master {
        let name = table.by_index(master).map_or_else(|| format!("interface {master}"), |m| m.name.clone());
        match link.master_kind.as_str() {
            // A VRF leaves frames that are not IP alone.
            "vrf" => {}
            "bridge" => {
                return Some(format!(
                    "it is a port of the bridge {name}, which takes all its frames; remove it from the bridge, or \
                     use {name} itself"
                ));
            }
            "batadv" => {
                return Some(format!(
                    "the batman-adv kernel module holds it for {name}; remove it there: batctl meshif {name} \
                     interface del {}",
                    link.name
                ));
            }
            kind => {
                let kind = if kind.is_empty() { "another interface" } else { kind };
                return Some(format!("it belongs to {name} ({kind}), which takes all its frames; use {name} itself"));
            }
        }
    }
    if link.mtu < MTU_MIN {
        return Some(format!("its MTU is {}, the mesh needs at least {MTU_MIN}", link.mtu));
    }
    if !link.mac.is_unicast() {
        return Some(format!("it has no usable MAC address ({})", link.mac));
    }
    None
}

/// Largest MTU of the mesh interface that the hard interfaces carry. Source: protocol notes,
/// "Payload plane" section 2, MTU computation.
pub fn host_mtu_limit(smallest_link_mtu: u32, fragmentation: bool) -> u32 {
    let carried = if fragmentation { (smallest_link_mtu.min(1280).saturating_sub(20)) * 16 } else { smallest_link_mtu };
    carried.saturating_sub(32).min(65503)
}

const ARPHRD_ETHER: u16 = 1;
const ARPHRD_NONE: u16 = 0xfffe;

#[cfg(test)]
mod tests {
    use super::*;
    use packet::MacAddr;

    fn link(index: u32, name: &str) -> LinkInfo {
        LinkInfo {
            index,
            name: name.to_owned(),
            mac: MacAddr([2, 0, 0, 0, 0, 1]),
            permanent_mac: None,
            mtu: 1500,
            up: true,
            carrier: true,
            all_multicast: false,
            loopback: false,
            hardware: 1,
            below: None,
            master: None,
            kind: String::new(),
            master_kind: String::new(),
            isolated: false,
            vlan: None,
        }
    }

    #[test]
    fn refusals_say_why() {
        type Change = fn(&mut LinkInfo);
        let cases: [(Change, &str); 10] = [
            (|l| l.index = 99, "mesh interface itself"),
            (|l| l.loopback = true, "loopback"),
            (|l| l.hardware = 803, "monitor mode"),
            (|l| l.hardware = 0xfffe, "not an Ethernet interface"),
            (|l| l.kind = "batadv".into(), "kernel module"),
            (|l| (l.master, l.master_kind) = (Some(5), "bridge".into()), "port of the bridge br-lan"),
            (|l| (l.master, l.master_kind) = (Some(6), "batadv".into()), "interface del wlan0"),
            (|l| (l.master, l.master_kind) = (Some(5), "bond".into()), "br-lan (bond)"),
            (|l| l.mtu = 99, "at least 100"),
            (|l| l.mac = MacAddr::ZERO, "MAC"),
        ];
        for (change, words) in cases {
            let mut wlan = link(3, "wlan0");
            change(&mut wlan);
            let table: LinkTable = [wlan, link(5, "br-lan")].into_iter().collect();
            let Verdict::Refused(reason) = judge("wlan0", &table, Some(99)) else { panic!("{words}: accepted") };
            assert!(reason.contains(words), "{reason:?} should contain {words:?}");
        }
    }

    #[test]
    fn the_rest_is_used_or_waited_for() {
        let mut vrf = link(3, "wlan0");
        (vrf.master, vrf.master_kind, vrf.carrier) = (Some(5), "vrf".into(), false);
        let mut down = link(4, "eth0");
        down.up = false;
        let table: LinkTable = [vrf, down].into_iter().collect();
        assert!(matches!(judge("wlan0", &table, None), Verdict::Usable(l) if l.index == 3));
        assert!(matches!(judge("eth0", &table, None), Verdict::Down(l) if l.index == 4));
        assert_eq!(judge("eth1", &table, None), Verdict::Absent);
    }

    #[test]
    fn mtu_limits_of_the_notes() {
        assert_eq!(host_mtu_limit(1500, true), 20128);
        assert_eq!(host_mtu_limit(1500, false), 1468);
        assert_eq!(host_mtu_limit(1532, false), 1500);
        assert_eq!(host_mtu_limit(100, true), 1248);
        assert_eq!(host_mtu_limit(80_000, false), 65503);
    }
}
