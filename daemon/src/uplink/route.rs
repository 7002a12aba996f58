//! Which interface leads to the Internet: that of the default route with the smallest metric that
//! does not lead into the mesh. Read from `/proc/net`, which everybody may, as often as it is
//! asked for: routes come and go.

use mesh_core::wan::reach::{MOST_NEAR, Network};
use std::fs;
use std::path::Path;

/// Flags of a route. Source: `linux/route.h`.
const UP: u32 = 1;
const REJECT: u32 = 0x200;
/// How deep interfaces may be stacked.
const DEPTH: u8 = 8;

/// Name of the interface; `None` without a default route past `mesh`.
pub(crate) fn default_interface(ipv6: bool, mesh: &str) -> Option<String> {
    type Parse = fn(&str) -> Option<(u32, &str)>;
    let (file, parse): (_, Parse) =
        if ipv6 { ("/proc/net/ipv6_route", ipv6_default) } else { ("/proc/net/route", ipv4_default) };
    let text = fs::read_to_string(file).ok()?;
    best(&text, parse, |name| stands_on(Path::new("/sys/class/net"), name, mesh, DEPTH))
}

/// Networks that are reached by other interfaces than `wan`.
pub(crate) fn near(wan: &str) -> Vec<Network> {
    let read = |file: &str| fs::read_to_string(file).unwrap_or_default();
    let (v4, v6) = (read("/proc/net/route"), read("/proc/net/ipv6_route"));
    let near = v4.lines().filter_map(|l| ipv4_network(l, wan)).chain(v6.lines().filter_map(|l| ipv6_network(l, wan)));
    near.take(MOST_NEAR).collect()
}

/// The network of a line of `/proc/net/route` that is not the default and not by `wan`.
fn ipv4_network(line: &str, wan: &str) -> Option<Network> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let (&[name, destination, _, flags, ..], mask) = (fields.as_slice(), fields.get(7)?) else { return None };
    // The kernel writes them as numbers, in its own byte order.
    let number = |hex: &str| u32::from_str_radix(hex, 16).ok().map(|n| u32::from_be_bytes(n.to_ne_bytes()));
    let (flags, mask) = (u32::from_str_radix(flags, 16).ok()?, number(mask)?);
    let used = flags & (UP | REJECT) == UP && name != wan && mask != 0;
    used.then(|| number(destination).map(|n| Network::v4(n, mask.leading_ones() as u8)))?
}

/// The same of a line of `/proc/net/ipv6_route`, which has routes to own addresses too.
fn ipv6_network(line: &str, wan: &str) -> Option<Network> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let &[destination, bits, _, _, _, _, _, _, _flags, name] = fields.as_slice() else { return None };
    let (address, bits) = (u128::from_str_radix(destination, 16).ok()?, u8::from_str_radix(bits, 16).ok()?);
    (name != wan && bits != 0).then(|| Network::new(address, bits))
}

fn best(text: &str, parse: fn(&str) -> Option<(u32, &str)>, is_mesh: impl Fn(&str) -> bool) -> Option<String> {
    let routes = text.lines().filter_map(parse).filter(|(_, name)| !is_mesh(name));
    routes.min_by_key(|(metric, _)| *metric).map(|(_, name)| name.to_owned())
}

/// Metric and interface of a line of `/proc/net/route`, if it is a default route.
fn ipv4_default(line: &str) -> Option<(u32, &str)> {
    let mut fields = line.split_ascii_whitespace();
    let (name, destination, _gateway) = (fields.next()?, fields.next()?, fields.next()?);
    let flags = u32::from_str_radix(fields.next()?, 16).ok()?;
    let metric = fields.nth(2)?.parse().ok()?;
    let mask = fields.next()?;
    let zero = |hex: &str| hex.bytes().all(|b| b == b'0');
    (zero(destination) && zero(mask) && flags & (UP | REJECT) == UP).then_some((metric, name))
}

/// The same of a line of `/proc/net/ipv6_route`.
fn ipv6_default(line: &str) -> Option<(u32, &str)> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let &[destination, "00", _, _, _, metric, _, _, flags, name] = fields.as_slice() else { return None };
    let (metric, flags) = (u32::from_str_radix(metric, 16).ok()?, u32::from_str_radix(flags, 16).ok()?);
    (destination.bytes().all(|b| b == b'0') && flags & (UP | REJECT) == UP && name != "lo").then_some((metric, name))
}

/// True if the interface is `below`, or a bridge, VLAN or bond on top of it.
fn stands_on(root: &Path, name: &str, below: &str, depth: u8) -> bool {
    if name == below {
        return true;
    }
    let Ok(entries) = fs::read_dir(root.join(name)) else { return false };
    depth > 0
        && entries.flatten().any(|entry| {
            let entry = entry.file_name();
            let lower = entry.to_str().and_then(|e| e.strip_prefix("lower_"));
            lower.is_some_and(|lower| stands_on(root, lower, below, depth - 1))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_routes_are_found_and_the_mesh_is_none() {
        let v4 = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
                  mesh0\t00000000\t0100090A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
                  wan1\t00000000\t0101A8C0\t0003\t0\t0\t200\t00000000\t0\t0\t0\n\
                  wan0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n\
                  bad0\t00000000\t00000000\t0201\t0\t0\t0\t00000000\t0\t0\t0\n\
                  half\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000080\t0\t0\t0\n\
                  lan0\t0000000A\t00000000\t0001\t0\t0\t0\t000000FF\t0\t0\t0\n";
        assert_eq!(best(v4, ipv4_default, |n| n == "mesh0").as_deref(), Some("wan0"));
        assert_eq!(best(v4, ipv4_default, |_| false).as_deref(), Some("mesh0"));
        let zero = "00000000000000000000000000000000";
        let v6 = format!(
            "{zero} 00 {zero} 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003     wan0\n\
             {zero} 00 {zero} 00 {zero} ffffffff 00000001 00000000 00200200       lo\n\
             fd000000000000000000000000000000 40 {zero} 00 {zero} 00000100 00000001 00000000 00000001     lan0\n"
        );
        assert_eq!(best(&v6, ipv6_default, |_| false).as_deref(), Some("wan0"));
        assert_eq!(best(&v6, ipv6_default, |n| n == "wan0"), None);
    }

    #[test]
    fn networks_beside_the_line() {
        let hex = |a: [u8; 4]| format!("{:08X}", u32::from_ne_bytes(a));
        let line = |name, net, mask| format!("{name}\t{}\t00000000\t0001\t0\t0\t0\t{}\t0\t0\t0", hex(net), hex(mask));
        let lan = line("br-lan", [192, 168, 1, 0], [255, 255, 255, 0]);
        assert_eq!(ipv4_network(&lan, "wan"), Some(Network::v4(0xc0a8_0100, 24)));
        assert_eq!(ipv4_network(&lan, "br-lan"), None);
        assert_eq!(ipv4_network(&line("mesh0", [0; 4], [0; 4]), "wan"), None, "a default route is not near");
        let v6 = "fd000000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 \
                  00000100 00000001 00000000 00000001     lan0";
        assert_eq!(ipv6_network(v6, "wan"), Some(Network::new(0xfd << 120, 64)));
    }

    #[test]
    fn a_bridge_above_the_mesh_is_the_mesh() {
        let root = std::env::temp_dir().join(format!("meshwork-route-{}", std::process::id()));
        for dir in ["br-lan/lower_mesh0", "br-lan/lower_eth1", "br-lan.5/lower_br-lan", "wan0", "mesh0"] {
            fs::create_dir_all(root.join(dir)).unwrap();
        }
        let found = ["br-lan", "br-lan.5", "mesh0", "wan0", "gone0"].map(|n| stands_on(&root, n, "mesh0", DEPTH));
        fs::remove_dir_all(&root).unwrap();
        assert_eq!(found, [true, true, true, false, false]);
    }
}
