//! Arithmetic of the distributed ARP table: where in the ring an originator and a question live.
//! Source: protocol notes, "Payload plane" section 6.1.

use crate::{MacAddr, Vid};
use core::cmp::Ordering;
use core::net::Ipv4Addr;

/// Originators that a question or an answer is sent to.
pub const CANDIDATES: usize = 3;

/// Place of an originator in the ring, 0 to 65534.
pub const fn dat_addr(originator: MacAddr) -> u16 {
    ring(lookup3(originator))
}

/// Place of an IPv4 address in a VLAN, 0 to 65534.
pub fn key(ip: Ipv4Addr, vid: Vid) -> u16 {
    ring(one_at_a_time(ip.octets().into_iter().chain(vid.to_wire().to_be_bytes())))
}

/// How well an originator's place fits a key; larger is closer.
pub const fn closeness(dat_addr: u16, key: u16) -> u16 {
    0xffff_u16.wrapping_sub(dat_addr).wrapping_add(key)
}

/// Orders originators for a key, the best candidate first; the lower MAC wins a draw. The
/// candidates are the first [`CANDIDATES`] of all other originators that announce the capability.
pub fn candidate_order(key: u16, a: MacAddr, b: MacAddr) -> Ordering {
    let close = |mac| closeness(dat_addr(mac), key);
    close(b).cmp(&close(a)).then(a.cmp(&b))
}

/// Bob Jenkins' lookup3 (`hashlittle` with initial value 0) over the six bytes.
pub const fn lookup3(mac: MacAddr) -> u32 {
    let [m0, m1, m2, m3, m4, m5] = mac.0;
    let start = 0xdead_beef_u32.wrapping_add(6);
    let (mut a, mut b, mut c) = (start, start, start);
    a = a.wrapping_add(u32::from_le_bytes([m0, m1, m2, m3]));
    b = b.wrapping_add(u32::from_le_bytes([m4, m5, 0, 0]));
    c = (c ^ b).wrapping_sub(b.rotate_left(14));
    a = (a ^ c).wrapping_sub(c.rotate_left(11));
    b = (b ^ a).wrapping_sub(a.rotate_left(25));
    c = (c ^ b).wrapping_sub(b.rotate_left(16));
    a = (a ^ c).wrapping_sub(c.rotate_left(4));
    b = (b ^ a).wrapping_sub(a.rotate_left(14));
    (c ^ b).wrapping_sub(b.rotate_left(24))
}

/// Bob Jenkins' one-at-a-time hash.
pub fn one_at_a_time(bytes: impl IntoIterator<Item = u8>) -> u32 {
    let mut h = bytes.into_iter().fold(0_u32, |h, byte| {
        let h = h.wrapping_add(u32::from(byte));
        let h = h.wrapping_add(h << 10);
        h ^ (h >> 6)
    });
    h = h.wrapping_add(h << 3);
    h ^= h >> 11;
    h.wrapping_add(h << 15)
}

/// The ring has 65535 places, not 65536.
const fn ring(hash: u32) -> u16 {
    (hash % 0xffff) as u16
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn mac(text: &str) -> MacAddr {
        text.parse().unwrap()
    }

    #[test]
    fn originators() {
        for (text, hash, place) in [
            ("02:00:00:00:00:01", 0x3834_ef4f, 10116),
            ("02:00:00:00:00:02", 0xc58e_6c10, 12703),
            ("02:ba:de:af:fe:01", 0x0422_32c5, 14055),
            ("fe:f0:00:00:05:01", 0x7c11_cdde, 18928),
        ] {
            assert_eq!((lookup3(mac(text)), dat_addr(mac(text))), (hash, place), "{text}");
        }
        for (text, place) in [
            ("02:e0:00:01:02:01", 16440),
            ("02:e0:00:02:01:01", 55229),
            ("02:e0:00:03:02:01", 16410),
            ("02:e0:00:04:03:01", 34495),
        ] {
            assert_eq!(dat_addr(mac(text)), place, "{text}");
        }
    }

    #[test]
    fn addresses() {
        for (ip, vid, hash, place) in [
            ([10, 0, 0, 1], Vid::UNTAGGED, 0x5720_2f3a, 34394),
            ([10, 0, 0, 2], Vid::UNTAGGED, 0xa7f8_9ddb, 17876),
            ([192, 168, 1, 123], Vid::UNTAGGED, 0x32a4_0780, 14884),
            ([10, 0, 0, 1], Vid::tagged(1), 0xf806_38b1, 12472),
        ] {
            let bytes = ip.into_iter().chain(vid.to_wire().to_be_bytes());
            assert_eq!((one_at_a_time(bytes), key(ip.into(), vid)), (hash, place), "{ip:?}");
        }
    }

    #[test]
    fn candidates() {
        let order = |nodes: &[MacAddr], key| {
            let mut all: Vec<_> = (0..nodes.len()).collect();
            all.sort_by(|&x, &y| candidate_order(key, nodes[x], nodes[y]));
            all.truncate(CANDIDATES);
            all
        };
        let made_up = ["02:00:00:00:00:01", "02:00:00:00:00:02", "02:ba:de:af:fe:01", "fe:f0:00:00:05:01"].map(mac);
        assert_eq!(order(&made_up, 34394), [0, 1, 2]);
        assert_eq!(order(&made_up, 17876), [3, 0, 1]);
        assert_eq!(order(&made_up, 14884), [3, 0, 1]);
        assert_eq!(order(&made_up, 12472), [1, 2, 3]);
        assert_eq!(closeness(dat_addr(made_up[0]), 34394), 24277);
        assert_eq!(closeness(dat_addr(made_up[1]), 12472), 65304);
        // B, C, D of the kernel's nodes, in the order in which node A asked them.
        let kernel = ["02:e0:00:02:01:01", "02:e0:00:03:02:01", "02:e0:00:04:03:01"].map(mac);
        for (host, place, wanted) in
            [(99, 1469, [1, 2, 0]), (4, 60101, [1, 2, 0]), (3, 23391, [2, 0, 1]), (2, 26496, [2, 0, 1])]
        {
            let key = key([10, 9, 0, host].into(), Vid::UNTAGGED);
            assert_eq!((key, order(&kernel, key)), (place, wanted.into()));
        }
    }
}
