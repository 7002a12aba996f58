//! Which frames of clients go to the Internet, or come from there, by way of this machine.
//!
//! What is sent to an address of this machine's own interfaces and is for an address that is not near, it
//! hands on. Near are networks that it reaches by another interface than that towards the Internet.

use alloc::vec::Vec;
use packet::MacAddr;
use packet::eth::{ClientFrame, ETHERTYPE_IPV4, ETHERTYPE_IPV6};

/// Most networks that are told apart.
pub const MOST_NEAR: usize = 128;

/// A network; of IPv4, within `::ffff:0:0/96`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: u128,
    mask: u128,
}

impl Network {
    /// The first `bits` of `address`.
    pub const fn new(address: u128, bits: u8) -> Self {
        let mask = if bits == 0 { 0 } else { u128::MAX << (128 - if bits > 128 { 128 } else { bits }) };
        Self { address: address & mask, mask }
    }

    /// The first `bits` of an address of IPv4.
    pub const fn v4(address: u32, bits: u8) -> Self {
        Self::new(mapped(address), bits.saturating_add(96))
    }

    const fn has(&self, address: u128) -> bool {
        address & self.mask == self.address
    }
}

const fn mapped(address: u32) -> u128 {
    0xffff_0000_0000 | address as u128
}

/// Never on the Internet: loopback, link-local and groups. Sources: RFC 6890, RFC 5771, RFC 4291.
const NEVER: [Network; 8] = [
    Network::v4(0, 8),
    Network::v4(0x7f00_0000, 8),
    Network::v4(0xa9fe_0000, 16),
    Network::v4(0xe000_0000, 3),
    Network::new(0, 127),
    Network::new(0xfe80 << 112, 10),
    Network::new(0xff00 << 112, 8),
    Network::new(0xfc00 << 112, 7),
];

/// What of a frame matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guest {
    /// The MAC of the client.
    pub who: MacAddr,
    /// Hash of its flow.
    pub flow: u64,
}

/// What this machine hands on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    /// MACs of this machine in the network of the mesh.
    pub own: Vec<MacAddr>,
    /// What it reaches by other interfaces.
    pub near: Vec<Network>,
}

impl Reach {
    /// A client's frame that leaves the mesh: `Some` if it is for the Internet.
    pub fn up(&self, frame: &[u8]) -> Option<Guest> {
        let client = ClientFrame::parse(frame).ok()?;
        self.far(client.dst, frame, &client, (16, 24)).then(|| guest(client.src, frame))
    }

    /// A frame of this machine that enters the mesh: `Some` if it is from the Internet.
    pub fn down(&self, frame: &[u8]) -> Option<Guest> {
        let client = ClientFrame::parse(frame).ok()?;
        self.far(client.src, frame, &client, (12, 8)).then(|| guest(client.dst, frame))
    }

    /// `at` is where the address stands that decides, in IPv4 and in IPv6.
    fn far(&self, mac: MacAddr, frame: &[u8], client: &ClientFrame, at: (usize, usize)) -> bool {
        if !self.own.contains(&mac) {
            return false;
        }
        let ip = frame.get(client.payload..).unwrap_or_default();
        let address = match client.ethertype {
            ETHERTYPE_IPV4 => ip.get(at.0..).and_then(|b| b.first_chunk()).map(|b| mapped(u32::from_be_bytes(*b))),
            ETHERTYPE_IPV6 => ip.get(at.1..).and_then(|b| b.first_chunk()).map(|b| u128::from_be_bytes(*b)),
            _ => None,
        };
        let Some(address) = address else { return false };
        !NEVER.iter().chain(&self.near).any(|n| n.has(address))
    }
}

fn guest(who: MacAddr, frame: &[u8]) -> Guest {
    Guest { who, flow: crate::queue::flow_hash(frame) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn v4(dst: u8, src: u8, from: [u8; 4], to: [u8; 4]) -> Vec<u8> {
        let mut f = vec![2, 0, 0, 0, 0, dst, 2, 0, 0, 0, 0, src, 8, 0, 0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0];
        f.extend(from);
        f.extend(to);
        f.extend([0, 53, 0, 54, 0, 8, 0, 0]);
        f
    }

    #[test]
    fn only_what_is_handed_on_counts() {
        let mac = |n| MacAddr([2, 0, 0, 0, 0, n]);
        let reach = Reach { own: vec![mac(1)], near: vec![Network::v4(0x0a40_0000, 12)] };
        let (guest, far) = ([10, 64, 3, 4], [93, 184, 216, 34]);
        let up = reach.up(&v4(1, 9, guest, far)).unwrap();
        assert_eq!(up.who, mac(9));
        assert_ne!(up.flow, reach.up(&v4(1, 9, guest, [1, 1, 1, 1])).unwrap().flow);
        assert_eq!(reach.up(&v4(1, 9, guest, [10, 65, 0, 1])), None, "within the mesh");
        assert_eq!(reach.up(&v4(7, 9, guest, far)), None, "another gateway's");
        assert_eq!(reach.up(&v4(1, 9, guest, [224, 0, 0, 251])), None, "a group");
        assert_eq!(reach.down(&v4(9, 1, far, guest)).unwrap().who, mac(9));
        assert_eq!(reach.down(&v4(9, 1, [10, 64, 0, 1], guest)), None, "of the node itself");
        assert_eq!(reach.down(&v4(9, 7, far, guest)), None, "of another machine on the bridge");
        let mut v6 = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 0x81, 0, 0, 5, 0x86, 0xdd, 0x60, 0, 0, 0, 0, 0, 59, 64];
        v6.extend([0xfd; 16]);
        v6.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert!(reach.up(&v6).is_some(), "in a VLAN too");
        assert_eq!(reach.down(&v6), None);
        for cut in 0..v6.len() - 1 {
            let _ = (reach.up(&v6[..cut]), reach.down(&v6[..cut]));
        }
    }
}
