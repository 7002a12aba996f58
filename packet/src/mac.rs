//! Ethernet addresses and VLAN identifiers.

use core::fmt;
use core::str::FromStr;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// A 48-bit Ethernet address in transmission order.
#[derive(
    Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(transparent)]
pub struct MacAddr(pub [u8; 6]);

impl MacAddr {
    /// ff:ff:ff:ff:ff:ff.
    pub const BROADCAST: Self = Self([0xff; 6]);
    /// 00:00:00:00:00:00.
    pub const ZERO: Self = Self([0; 6]);

    /// True for group addresses, broadcast included.
    #[inline]
    pub const fn is_multicast(self) -> bool {
        self.0[0] & 1 != 0
    }

    /// True for ff:ff:ff:ff:ff:ff.
    #[inline]
    pub fn is_broadcast(self) -> bool {
        self == Self::BROADCAST
    }

    /// True for an address that one station can own: not a group and not all zero.
    #[inline]
    pub fn is_unicast(self) -> bool {
        !self.is_multicast() && self != Self::ZERO
    }

    /// The address as the low 48 bits of a number, first byte highest.
    #[inline]
    pub const fn to_u64(self) -> u64 {
        let b = self.0;
        u64::from_be_bytes([0, 0, b[0], b[1], b[2], b[3], b[4], b[5]])
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not six hexadecimal bytes separated by `:` or `-`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadMac;

impl fmt::Display for BadMac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a MAC address, expected six hexadecimal bytes like 02:00:00:00:00:01")
    }
}

impl core::error::Error for BadMac {}

impl FromStr for MacAddr {
    type Err = BadMac;

    fn from_str(text: &str) -> Result<Self, BadMac> {
        let mut out = [0; 6];
        let mut parts = text.split([':', '-']);
        for byte in &mut out {
            let part = parts.next().ok_or(BadMac)?;
            if part.is_empty() || part.len() > 2 || !part.bytes().all(|c| c.is_ascii_hexdigit()) {
                return Err(BadMac);
            }
            *byte = u8::from_str_radix(part, 16).map_err(|_| BadMac)?;
        }
        if parts.next().is_some() { Err(BadMac) } else { Ok(Self(out)) }
    }
}

/// The VLAN field of the translation table: 0 is untagged, bit 15 marks a tag, the low 12 bits
/// are its number. Source: protocol notes, "Translation table" section 1.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vid(u16);

impl Vid {
    /// No tag, or the priority tag with VLAN 0.
    pub const UNTAGGED: Self = Self(0);

    /// The VLAN `id` (only its low 12 bits count). VLAN 0 means untagged.
    pub const fn tagged(id: u16) -> Self {
        let id = id & 0x0fff;
        if id == 0 { Self::UNTAGGED } else { Self(0x8000 | id) }
    }

    /// Reads the field from the wire; `None` for values that no node may send (bits 12 to 14
    /// set, or an id without the tag bit).
    pub const fn from_wire(raw: u16) -> Option<Self> {
        match raw {
            0 | 0x8000 => Some(Self(raw)),
            _ if raw & 0xf000 == 0x8000 => Some(Self(raw)),
            _ => None,
        }
    }

    /// The 16-bit form that travels.
    pub const fn to_wire(self) -> u16 {
        self.0
    }

    /// The VLAN number, `None` when untagged.
    pub const fn id(self) -> Option<u16> {
        if self.0 & 0x8000 == 0 { None } else { Some(self.0 & 0x0fff) }
    }
}

impl fmt::Display for Vid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.id() {
            None => f.write_str("-1"),
            Some(id) => write!(f, "{id}"),
        }
    }
}

impl fmt::Debug for Vid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn text_round_trip() {
        let mac: MacAddr = "02:Ba:de-af:fe:01".parse().unwrap();
        assert_eq!(mac.to_string(), "02:ba:de:af:fe:01");
        for bad in ["", "02:00:00:00:00", "02:00:00:00:00:01:02", "2g:00:00:00:00:00", "+2:0:0:0:0:0"] {
            assert_eq!(bad.parse::<MacAddr>(), Err(BadMac), "{bad}");
        }
    }

    #[test]
    fn vlan_zero_is_untagged() {
        assert_eq!(Vid::tagged(0), Vid::UNTAGGED);
        assert_eq!(Vid::from_wire(0x8005).and_then(Vid::id), Some(5));
        assert_eq!(Vid::from_wire(0x0005), None);
        assert_eq!(Vid::from_wire(0xc005), None);
    }
}
