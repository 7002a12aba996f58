//! Small facts of a node, behind the flags of our own container: items until the end of the value.
//!
//! ```text
//! off 0  1  kind, see below; 0 ends the list and pads it to an even length
//! off 1  1  bytes of the item
//! off 2  …  the item
//! ```
//! Kinds that are not known are skipped, and so are items that make no sense.

use crate::MacAddr;

/// Longest value of a container that carries facts, flags included; in bytes.
pub const MAX_VALUE: usize = 124;
/// Longest name in bytes.
pub const MAX_NAME: usize = 24;
/// Longest version in bytes.
pub const MAX_VERSION: usize = 12;
/// Bytes of a neighbour: address and quality.
pub const NEIGHBOR: usize = 7;

/// Name of the node, UTF-8.
pub const NAME: u8 = 1;
/// Version of its program, ASCII.
pub const VERSION: u8 = 2;
/// Neighbours, best first: originator address and quality of the link, [`NEIGHBOR`] bytes each. Quality is the
/// transmit quality under IV; under V a throughput, see [`rate_to_byte`].
pub const NEIGHBORS: u8 = 3;

/// What a node says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Facts<'a> {
    /// Its name, at most [`MAX_NAME`] bytes without control characters.
    pub name: Option<&'a str>,
    /// Version of its program, at most [`MAX_VERSION`] bytes.
    pub version: Option<&'a str>,
    neighbors: &'a [u8],
}

impl<'a> Facts<'a> {
    /// Reads what stands behind the flags.
    pub fn parse(mut rest: &'a [u8]) -> Self {
        let mut facts = Self::default();
        while let [kind, len, after @ ..] = rest {
            if *kind == 0 {
                break;
            }
            let Some((item, behind)) = after.split_at_checked(usize::from(*len)) else { break };
            match *kind {
                NAME => facts.name = facts.name.or(text(item, MAX_NAME)),
                VERSION => facts.version = facts.version.or(text(item, MAX_VERSION)),
                NEIGHBORS if facts.neighbors.is_empty() => facts.neighbors = item,
                _ => {}
            }
            rest = behind;
        }
        facts
    }

    /// Neighbours and the quality of the links to them.
    pub fn neighbors(&self) -> impl Iterator<Item = (MacAddr, u8)> + 'a {
        self.neighbors.chunks_exact(NEIGHBOR).filter_map(|n| {
            let (mac, quality) = n.split_first_chunk::<6>()?;
            Some((MacAddr(*mac), *quality.first()?)).filter(|(mac, _)| mac.is_unicast())
        })
    }

    /// True if nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Text that can be shown as it is.
fn text(item: &[u8], most: usize) -> Option<&str> {
    let text = core::str::from_utf8(item).ok()?;
    let good = !text.is_empty() && text.len() <= most && !text.chars().any(char::is_control);
    good.then_some(text)
}

/// A throughput in units of 100 kbit/s as one byte: five bits of exponent, three of mantissa, both rounded down.
/// 0 stays 0; from 8 units on the error is at most an eighth.
pub const fn rate_to_byte(units: u32) -> u8 {
    if units < 8 {
        return units as u8;
    }
    let exponent = units.ilog2() - 3;
    let mantissa = (units >> exponent) & 7;
    // Below 2^32 the exponent is at most 28.
    ((exponent + 1) * 8 + mantissa) as u8
}

/// The other way, in units of 100 kbit/s.
pub const fn byte_to_rate(byte: u8) -> u32 {
    let (exponent, mantissa) = ((byte >> 3) as u32, (byte & 7) as u32);
    if exponent == 0 {
        mantissa
    } else if exponent > 29 {
        u32::MAX
    } else {
        (8 + mantissa) << (exponent - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_read_and_unknown_ones_skipped() {
        let bytes = [
            &[9, 2, 1, 1, NAME, 4][..],
            b"roof",
            &[VERSION, 3],
            b"0.1",
            &[NEIGHBORS, 8],
            &[2, 0, 0, 0, 0, 5, 200, 1],
            &[0],
        ]
        .concat();
        let facts = Facts::parse(&bytes);
        assert_eq!((facts.name, facts.version), (Some("roof"), Some("0.1")));
        let mut neighbors = facts.neighbors();
        assert_eq!(neighbors.next(), Some((MacAddr([2, 0, 0, 0, 0, 5]), 200)));
        assert_eq!(neighbors.next(), None);
        assert!(Facts::parse(&[]).is_empty() && Facts::parse(&[0, 0]).is_empty());
    }

    #[test]
    fn nonsense_is_left_out() {
        assert_eq!(Facts::parse(&[NAME, 9, b'x']).name, None, "longer than the rest");
        assert_eq!(Facts::parse(&[NAME, 2, 0xff, 0xff]).name, None, "no text");
        assert_eq!(Facts::parse(&[NAME, 2, b'a', b'\n']).name, None, "a control character");
        let long = [&[NAME, 25][..], &[b'a'; 25]].concat();
        assert_eq!(Facts::parse(&long).name, None);
        assert_eq!(Facts::parse(&[NEIGHBORS, 7, 1, 0, 0, 0, 0, 5, 9]).neighbors().count(), 0, "a group address");
        assert_eq!(Facts::parse(&[NEIGHBORS]).neighbors().count(), 0);
    }

    #[test]
    fn rates_survive_within_an_eighth() {
        for units in (0..1000).chain([10_000, 123_456, 4_000_000, u32::MAX]) {
            let back = byte_to_rate(rate_to_byte(units));
            assert!(back <= units && units - back <= units / 8, "{units} {back}");
        }
        let mut last = 0;
        for byte in 0..=u8::MAX {
            assert!(byte_to_rate(byte) >= last, "{byte}");
            last = byte_to_rate(byte);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..130)) {
            let facts = Facts::parse(&bytes);
            proptest::prop_assert!(facts.neighbors().count() <= 18);
        }
    }
}
