//! Multicast groups that programs of this machine listen to, as the kernel lists them.
//!
//! Read from `/proc`: netlink lists IPv4 groups only since Linux 6.15. The folder is the reading
//! thread's own, so it is that of its network namespace.

use mesh_core::sorted::SortedSet;
use packet::MacAddr;
use std::fs::read_to_string;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Groups of one interface. What the kernel was built without is missing.
pub fn of(ifindex: u32) -> SortedSet<IpAddr> {
    let mut groups = ipv4(&read("net/igmp"), ifindex);
    groups.extend(ipv6(&read("net/igmp6"), ifindex));
    groups
}

/// Link-layer addresses that one interface lets in, for whatever reason: groups, but also what
/// stands on the interface, such as a macvlan. `None` where the kernel lists nothing at all: then
/// nobody can know who listens.
pub fn addresses_of(ifindex: u32) -> Option<SortedSet<MacAddr>> {
    read_to_string("/proc/thread-self/net/dev_mcast").ok().map(|text| addresses(&text, ifindex))
}

/// Whether this machine routes multicast from and to an interface, for IPv4 and IPv6.
pub fn routes_multicast(interface: &str) -> (bool, bool) {
    let is_on = |ip: &str| {
        let path = format!("/proc/sys/net/{ip}/conf/{interface}/mc_forwarding");
        read_to_string(path).is_ok_and(|text| text.trim() != "0")
    };
    (is_on("ipv4"), is_on("ipv6"))
}

fn read(name: &str) -> String {
    read_to_string(format!("/proc/thread-self/{name}")).unwrap_or_default()
}

/// Number of the interface that a line is about.
fn index(line: &str) -> Option<u32> {
    line.split_whitespace().next()?.parse().ok()
}

/// `/proc/net/igmp`: lines with an interface, and indented below it those of its groups, written
/// as a number in the machine's byte order.
fn ipv4(text: &str, ifindex: u32) -> SortedSet<IpAddr> {
    let mut groups = SortedSet::new();
    let mut mine = false;
    for line in text.lines() {
        if !line.starts_with('\t') {
            mine = index(line) == Some(ifindex);
        } else if mine {
            let word = line.split_whitespace().next().unwrap_or_default();
            let number = u32::from_str_radix(word, 16).map(u32::to_ne_bytes);
            groups.extend(number.map(|octets| IpAddr::V4(Ipv4Addr::from(octets))));
        }
    }
    groups
}

/// `/proc/net/igmp6`: number, interface, group without colons, and more.
fn ipv6(text: &str, ifindex: u32) -> SortedSet<IpAddr> {
    let group = |line: &str| {
        let word = line.split_whitespace().nth(2)?;
        let number = u128::from_str_radix(word, 16).ok().filter(|_| word.len() == 32)?;
        Some(IpAddr::V6(Ipv6Addr::from(number)))
    };
    text.lines().filter(|line| index(line) == Some(ifindex)).filter_map(group).collect()
}

/// `/proc/net/dev_mcast`: number, interface, two counts, address without colons.
fn addresses(text: &str, ifindex: u32) -> SortedSet<MacAddr> {
    let address = |line: &str| {
        let word = line.split_whitespace().nth(4)?;
        let number = u64::from_str_radix(word, 16).ok().filter(|_| word.len() == 12)?;
        let [_, _, mac @ ..] = number.to_be_bytes();
        Some(MacAddr(mac))
    };
    text.lines().filter(|line| index(line) == Some(ifindex)).filter_map(address).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(groups: &[&str]) -> SortedSet<IpAddr> {
        groups.iter().map(|g| g.parse().unwrap()).collect()
    }

    #[test]
    fn igmp() {
        let number = |octets: [u8; 4]| format!("{:08X}", u32::from_ne_bytes(octets));
        let text = format!(
            "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n\
             1\tlo        :     1      V3\n\t\t\t\t{all}     1 0:00000000\t\t0\n\
             5\tbr0       :     2      V2\n\t\t\t\t{all}     1 0:00000000\t\t0\n\t\t\t\t{tv}     1 0:00000000\t\t1\n\
             51\tx         :     1      V3\n\t\t\t\t{mdns}     1 0:00000000\t\t0\n",
            all = number([224, 0, 0, 1]),
            tv = number([239, 1, 2, 3]),
            mdns = number([224, 0, 0, 251]),
        );
        assert_eq!(ipv4(&text, 5), set(&["224.0.0.1", "239.1.2.3"]));
        assert_eq!(ipv4(&text, 51), set(&["224.0.0.251"]));
        assert_eq!(ipv4(&text, 2), set(&[]));
        assert_eq!(ipv4("\t\tnonsense\n\n5\n\tzz\n", 5), set(&[]));
    }

    #[test]
    fn igmp6_and_addresses() {
        let text = "1    lo              ff020000000000000000000000000001     1 0000000C 0\n\
                    5    br0             ff0200000000000000000001ff000003     1 00000006 0\n\
                    5    br0             ff05000000000000000000000000006a     1 00000006 0\n\
                    5    br0             ff02     1 00000006 0\n";
        assert_eq!(ipv6(text, 5), set(&["ff02::1:ff00:3", "ff05::6a"]));
        let text = "3    e3-2            1     0     333300000001\n4    bat0            1     0     01005e000001\n4    bat0            1     0     33\n";
        assert_eq!(addresses(text, 4), [MacAddr([1, 0, 0x5e, 0, 0, 1])].into());
    }

    #[test]
    fn this_machine_has_them() {
        // Every Linux has a loopback interface, number 1, with the group of all hosts or nodes.
        assert!(of(1).iter().all(|g| g.is_multicast()));
        assert_eq!(of(u32::MAX), set(&[]));
        assert_eq!(routes_multicast("no such one"), (false, false));
    }
}
