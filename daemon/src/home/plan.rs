//! Which addresses a node takes, from the name of its mesh and its own MAC alone.
//!
//! ```text
//! IPv4   10.NET.0.0/12          one of twelve networks, by the name of the mesh
//!        │ pool 0 │ pool 1 │ …  1024 pools of 1024 addresses each
//!        first of a pool        the node itself; holding it is holding the pool
//!        the rest but the last  what the node hands out by DHCP
//! IPv6   fdXX:XXXX:XXXX::/64    a unique local prefix (RFC 4193), by the name of the mesh
//! ```
//!
//! Why no two nodes hand out the same address: a pool belongs to whoever has its first address, and that an address
//! has one owner is what ARP announcements settle on any Ethernet (RFC 5227). Every node tries the pools in an order
//! of its own, so that two which meet on one soon part. Twenty of two hundred nodes meet on their first try, and
//! none is left without a pool before there are 1024.

use packet::MacAddr;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Bits of an address that differ within a pool.
const POOL_BITS: u32 = 10;
/// 10.64.0.0/12 to 10.240.0.0/12. Homes have 10.0.0.0 and what follows it, 172.16.0.0 or 192.168.0.0.
const FIRST_NET: u64 = 4;
const NETS: u64 = 12;
const NET_BITS: u8 = 12;

/// IPv4 addresses of a whole mesh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    base: u32,
    bits: u8,
}

/// What one node takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Of the whole mesh.
    pub network: Network,
    /// The node's own address, the first of its pool.
    pub address: Ipv4Addr,
    /// Prefix of all nodes, 64 bits.
    pub prefix: Ipv6Addr,
    /// The node's own address in it.
    pub address6: Ipv6Addr,
}

impl Network {
    /// The network of a mesh of that name.
    pub fn of(mesh: &str) -> Self {
        let net = FIRST_NET + hash(b"ipv4", mesh.as_bytes()) % NETS;
        Self { base: 10 << 24 | u32::try_from(net).unwrap_or(0) << 20, bits: NET_BITS }
    }

    /// Reads `10.64.0.0/12`; at least two pools, at most all of 10.0.0.0.
    pub fn parse(text: &str) -> Option<Self> {
        let (base, bits) = text.split_once('/')?;
        let (base, bits): (Ipv4Addr, u8) = (base.parse().ok()?, bits.parse().ok()?);
        let network = Self { base: base.to_bits(), bits };
        ((8..=21).contains(&bits) && network.base & !network.mask() == 0 && base.is_private()).then_some(network)
    }

    /// Number of pools.
    pub const fn pools(self) -> u32 {
        1 << (32 - POOL_BITS - self.bits as u32)
    }

    /// As it is written, `10.64.0.0/12`.
    pub fn text(self) -> String {
        format!("{}/{}", Ipv4Addr::from_bits(self.base), self.bits)
    }

    const fn mask(self) -> u32 {
        u32::MAX << (32 - self.bits as u32)
    }

    /// The address that a node tries at its `attempt`; all pools come before one comes again.
    pub fn candidate(self, mac: MacAddr, attempt: u32) -> Ipv4Addr {
        let h = hash(b"pool", &mac.0);
        // A step without a common divisor with the number of pools, a power of two.
        let (start, step) = (h as u32, (h >> 32) as u32 | 1);
        let pool = start.wrapping_add(attempt.wrapping_mul(step)) & (self.pools() - 1);
        Ipv4Addr::from_bits(self.base | pool << POOL_BITS | 1)
    }

    /// The address after `current` in the order of this node; `None` where `current` is none of it, because a
    /// person chose it.
    pub fn after(self, mac: MacAddr, current: Ipv4Addr) -> Option<Ipv4Addr> {
        let attempt = (0..self.pools()).find(|n| self.candidate(mac, *n) == current)?;
        Some(self.candidate(mac, attempt.wrapping_add(1)))
    }
}

impl Plan {
    /// What a node takes. With `current` it keeps an address of its own network.
    pub fn new(mesh: &str, mac: MacAddr, network: Option<Network>, current: Option<Ipv4Addr>) -> Self {
        let network = network.unwrap_or_else(|| Network::of(mesh));
        let ours = |a: &Ipv4Addr| a.to_bits() & network.mask() == network.base && a.to_bits() % (1 << POOL_BITS) == 1;
        let h = hash(b"ipv6", mesh.as_bytes());
        let prefix = 0xfd << 120 | u128::from(h >> 24) << 80;
        Self {
            network,
            address: current.filter(ours).unwrap_or_else(|| network.candidate(mac, 0)),
            prefix: Ipv6Addr::from_bits(prefix),
            address6: Ipv6Addr::from_bits(prefix | u128::from(eui64(mac))),
        }
    }

    /// For a shell: `name='value'`, a line each. `start` and `limit` are those of OpenWrt's DHCP sections: the first
    /// address that is handed out, counted from that of the network, and how many there are.
    pub fn shell(&self) -> String {
        let mut out = String::new();
        let mut line = |name: &str, value: String| {
            let _ = writeln!(out, "{name}='{value}'");
        };
        line("network", self.network.text());
        line("ipaddr", self.address.to_string());
        line("netmask", Ipv4Addr::from_bits(self.network.mask()).to_string());
        line("start", (self.address.to_bits() - self.network.base + 1).to_string());
        line("limit", ((1u32 << POOL_BITS) - 3).to_string());
        line("prefix", format!("{}/64", self.prefix));
        line("ip6addr", self.address6.to_string());
        out
    }

    /// The same as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "format": crate::control::FORMAT,
            "network": self.network.text(),
            "ipaddr": self.address,
            "dhcp_first": Ipv4Addr::from_bits(self.address.to_bits() + 1),
            "dhcp_last": Ipv4Addr::from_bits(self.address.to_bits() + (1 << POOL_BITS) - 3),
            "prefix": format!("{}/64", self.prefix),
            "ip6addr": self.address6,
        })
    }
}

/// Source: RFC 4291, appendix A.
fn eui64(mac: MacAddr) -> u64 {
    let [a, b, c, d, e, f] = mac.0;
    u64::from_be_bytes([a ^ 2, b, c, 0xff, 0xfe, d, e, f])
}

/// FNV-1a, and what mixes its upper bits. It spreads and protects nothing.
fn hash(what: &[u8], bytes: &[u8]) -> u64 {
    let mut h = what
        .iter()
        .chain(bytes)
        .fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3));
    for _ in 0..2 {
        h = (h ^ h >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
    }
    h ^ h >> 32
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn mac(n: u32) -> MacAddr {
        let [_, b, c, d] = n.to_be_bytes();
        MacAddr([0xe4, 0x95, 0x6e, b, c, d])
    }

    /// These stand in every node's configuration: a change would part old nodes from new ones.
    #[test]
    fn the_plan_of_a_name_never_changes() {
        let plan = Plan::new("town", mac(7), None, None);
        let golden = "network='10.80.0.0/12'";
        assert_eq!(plan.shell().lines().next(), Some(golden), "{}", plan.shell());
        assert_eq!(plan.prefix, Plan::new("town", mac(8), None, None).prefix, "all nodes agree");
        assert_ne!(plan.prefix, Plan::new("village", mac(7), None, None).prefix);
        assert_eq!(plan.prefix.octets()[0], 0xfd);
        assert_eq!(plan.address6.segments()[4..], [0xe695, 0x6eff, 0xfe00, 0x0007]);
    }

    #[test]
    fn every_pool_is_tried_once() {
        let network = Network::of("town");
        assert_eq!(network.pools(), 1024);
        let all: BTreeSet<Ipv4Addr> = (0..1024).map(|n| network.candidate(mac(1), n)).collect();
        assert_eq!(all.len(), 1024);
        assert_eq!(network.candidate(mac(1), 1024), network.candidate(mac(1), 0));
        let second = network.candidate(mac(1), 1);
        assert_eq!(network.after(mac(1), network.candidate(mac(1), 0)), Some(second));
        assert_eq!(network.after(mac(1), Ipv4Addr::new(10, 64, 0, 77)), None);
    }

    /// Two hundred nodes of one maker, who numbers them one by one.
    #[test]
    fn few_nodes_meet_at_first_and_none_in_the_end() {
        let network = Network::of("town");
        let first: BTreeSet<Ipv4Addr> = (0..200).map(|n| network.candidate(mac(n), 0)).collect();
        assert!((165..=195).contains(&first.len()), "{} of 200; 182 would be chance", first.len());
        for nodes in [200, 1024] {
            let mut taken = BTreeSet::new();
            let mut tries = 0;
            for n in 0..nodes {
                tries += (0..1024).find(|t| taken.insert(network.candidate(mac(n), *t))).unwrap() + 1;
            }
            assert!(tries < nodes * 9, "{tries} tries of {nodes} nodes");
        }
    }

    #[test]
    fn pools_do_not_overlap_and_leave_room_for_the_node() {
        let plan = Plan::new("town", mac(1), Network::parse("10.64.0.0/21"), None);
        assert_eq!(plan.network.pools(), 2);
        let json = plan.json();
        let both: BTreeSet<Ipv4Addr> = (0..2).map(|n| plan.network.candidate(mac(1), n)).collect();
        assert_eq!(both, BTreeSet::from([Ipv4Addr::new(10, 64, 0, 1), Ipv4Addr::new(10, 64, 4, 1)]));
        let last: Ipv4Addr = json["dhcp_last"].as_str().unwrap().parse().unwrap();
        assert_eq!(last.to_bits() - plan.address.to_bits(), 1021);
        assert!(plan.shell().contains("limit='1021'"), "{}", plan.shell());
    }

    #[test]
    fn an_address_of_ones_own_stays() {
        let network = Network::of("town");
        let moved = network.candidate(mac(1), 3);
        assert_eq!(Plan::new("town", mac(1), None, Some(moved)).address, moved);
        let foreign = Some(Ipv4Addr::new(192, 168, 1, 1));
        assert_eq!(Plan::new("town", mac(1), None, foreign).address, network.candidate(mac(1), 0));
    }

    #[test]
    fn networks_as_people_write_them() {
        for bad in ["", "10.64.0.0", "10.64.0.1/12", "10.64.0.0/22", "9.0.0.0/8", "10.0.0.0/7", "x/12"] {
            assert_eq!(Network::parse(bad), None, "{bad}");
        }
        assert_eq!(Network::parse("10.80.0.0/12").unwrap().text(), "10.80.0.0/12");
    }
}
