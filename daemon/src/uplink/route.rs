//! Which interface leads to the Internet: that of the default route with the smallest metric that
//! does not lead into the mesh. Read from `/proc/net`, which everybody may, as often as it is
//! asked for: routes come and go.

use std::fs;
use std::path::Path;

/// Flags of a route. Source: `linux/route.h`.
const UP: u32 = 1;
const REJECT: u32 = 0x200;
/// How deep interfaces may be stacked.
const DEPTH: u8 = 8;

/// Name of the interface; `None` without a default route past `mesh`.
pub(super) fn default_interface(ipv6: bool, mesh: &str) -> Option<String> {
    type Parse = fn(&str) -> Option<(u32, &str)>;
    let (file, parse): (_, Parse) =
        if ipv6 { ("/proc/net/ipv6_route", ipv6_default) } else { ("/proc/net/route", ipv4_default) };
    let text = fs::read_to_string(file).ok()?;
    best(&text, parse, |name| stands_on(Path::new("/sys/class/net"), name, mesh, DEPTH))
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
