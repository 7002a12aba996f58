//! Multicast tracker container: the originators that a multicast packet still has to reach.
//! Source: "Wire format" section 13.6.

use crate::{Error, MacAddr, head};
use zerocopy::byteorder::network_endian::U16;
use zerocopy::{FromBytes, IntoBytes};

/// Version of the layout.
pub const VERSION: u8 = 1;

/// The value of a tracker container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tracker<'a> {
    /// All slots. A slot of zeros was served already, one with a group address is ignored.
    pub slots: &'a [MacAddr],
}

impl<'a> Tracker<'a> {
    /// Reads the value of a container; bytes behind the slots (the two of padding) are ignored.
    ///
    /// # Errors
    /// [`Error::Short`] below 2 bytes, [`Error::Length`] if the slots do not fit.
    pub fn parse(value: &'a [u8]) -> Result<Self, Error> {
        let (count, rest): (&U16, _) = head(value)?;
        let found = usize::from(count.get());
        let (slots, _) = <[MacAddr]>::ref_from_prefix_with_elems(rest, found)
            .map_err(|_| Error::Length { found, allowed: rest.len() / size_of::<MacAddr>() })?;
        Ok(Self { slots })
    }

    /// The originators still to be served.
    pub fn destinations(&self) -> impl Iterator<Item = MacAddr> + use<'a> {
        self.slots.iter().copied().filter(|slot| slot.is_unicast())
    }

    /// Bytes of a value with this many slots: two of padding follow an even number of them, so
    /// that the client frame stays aligned.
    pub const fn len_of(slots: usize) -> usize {
        let padding = if slots.is_multiple_of(2) { 2 } else { 0 };
        2 + slots * size_of::<MacAddr>() + padding
    }

    /// Writes the value for `slots`, padding included, and returns its length.
    ///
    /// # Errors
    /// [`Error::Short`] if it does not fit, [`Error::Length`] above 65535 slots.
    pub fn emit(slots: &[MacAddr], out: &mut [u8]) -> Result<usize, Error> {
        let count = u16::try_from(slots.len()).map_err(|_| Error::Length { found: slots.len(), allowed: 0xffff })?;
        let need = Self::len_of(slots.len());
        let have = out.len();
        let out = out.get_mut(..need).ok_or(Error::Short { need, have })?;
        let parts = count.to_be_bytes().into_iter().chain(slots.as_bytes().iter().copied()).chain([0, 0]);
        out.iter_mut().zip(parts).for_each(|(to, from)| *to = from);
        Ok(need)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_follows_even_counts() {
        let macs = [MacAddr([2, 0, 0, 0, 0, 1]), MacAddr::ZERO, MacAddr::BROADCAST, MacAddr([2, 0, 0, 0, 0, 4])];
        for (n, len) in [(0, 4), (1, 8), (2, 16), (3, 20), (4, 28)] {
            let mut out = [0xee; 40];
            assert_eq!(Tracker::emit(&macs[..n], &mut out), Ok(len));
            assert_eq!(out[len], 0xee);
            // Header, container header and value together leave 2 modulo 4.
            assert_eq!((6 + 4 + len) % 4, 2);
            assert_eq!(Tracker::parse(&out[..len]).unwrap().slots, &macs[..n]);
        }
        let all = Tracker { slots: &macs };
        assert!(all.destinations().eq([macs[0], macs[3]]));
        assert_eq!(Tracker::parse(&[0, 2, 1, 2, 3, 4, 5, 6]), Err(Error::Length { found: 2, allowed: 1 }));
        assert_eq!(Tracker::emit(&macs, &mut [0; 27]), Err(Error::Short { need: 28, have: 27 }));
    }
}
