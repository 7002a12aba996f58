//! Channels: their numbers, frequencies and widths.

use std::fmt;

/// A channel of a radio.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Channel {
    /// Frequency of its first 20 MHz, in MHz.
    pub freq: u32,
    /// Its whole width.
    pub width: Width,
}

/// How wide a channel is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Width {
    /// 20 MHz, rates of 802.11n and later.
    W20,
    /// 40 MHz; in the 2.4 GHz band the second half lies above channels 1 to 7, else below.
    W40,
    /// 80 MHz.
    W80,
    /// 160 MHz.
    W160,
}

impl Width {
    /// In MHz.
    pub const fn mhz(self) -> u32 {
        match self {
            Self::W20 => 20,
            Self::W40 => 40,
            Self::W80 => 80,
            Self::W160 => 160,
        }
    }

    /// The width of so many MHz.
    pub const fn of_mhz(mhz: u32) -> Option<Self> {
        match mhz {
            20 => Some(Self::W20),
            40 => Some(Self::W40),
            80 => Some(Self::W80),
            160 => Some(Self::W160),
            _ => None,
        }
    }

    /// The number of `enum nl80211_chan_width`.
    pub const fn number(self) -> u32 {
        match self {
            Self::W20 => 1,
            Self::W40 => 2,
            Self::W80 => 3,
            Self::W160 => 5,
        }
    }
}

/// Number of the channel at a frequency in MHz, of the 2.4 and 5 GHz bands.
pub const fn number(freq: u32) -> Option<u32> {
    match freq {
        2484 => Some(14),
        2412..=2472 => Some((freq - 2407) / 5),
        5160..=5885 => Some((freq - 5000) / 5),
        _ => None,
    }
}

/// Frequency in MHz of a channel number: 1 to 14 are of the 2.4 GHz band, 32 to 177 of that of
/// 5 GHz.
pub const fn frequency(number: u32) -> Option<u32> {
    match number {
        14 => Some(2484),
        1..=13 => Some(2407 + 5 * number),
        32..=177 => Some(5000 + 5 * number),
        _ => None,
    }
}

impl Channel {
    /// Middle of the whole channel in MHz. `None` where there is no channel of that width.
    /// Source: IEEE 802.11, annex E.
    pub const fn center(self) -> Option<u32> {
        let Some(n) = number(self.freq) else { return None };
        let width = match self.width {
            Width::W20 => return Some(self.freq),
            Width::W40 => 8,
            Width::W80 => 16,
            Width::W160 => 32,
        };
        if n <= 14 {
            return match (self.width, n) {
                (Width::W40, 1..=7) => Some(self.freq + 10),
                (Width::W40, 8..=13) => Some(self.freq - 10),
                _ => None,
            };
        }
        // Blocks of the 5 GHz band begin at 36, 100 and 149; the first channel of a wide one is
        // a whole number of widths behind that.
        let (start, end) = match n {
            36..=64 => (36, 64),
            100..=144 => (100, 144),
            149..=177 => (149, 177),
            _ => return None,
        };
        let first = start + (n - start) / width * width;
        if first + width - 4 > end || !(n - first).is_multiple_of(4) {
            return None;
        }
        Some(5000 + 5 * (first + width / 2 - 2))
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match number(self.freq) {
            Some(n) => write!(f, "channel {n}")?,
            None => write!(f, "{} MHz", self.freq)?,
        }
        if self.width == Width::W20 { Ok(()) } else { write!(f, ", {} MHz wide", self.width.mhz()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_frequencies() {
        for (n, freq) in [(1, 2412), (13, 2472), (14, 2484), (36, 5180), (100, 5500), (149, 5745), (177, 5885)] {
            assert_eq!((frequency(n), number(freq)), (Some(freq), Some(n)));
        }
        assert_eq!((frequency(0), frequency(15), frequency(200), number(5955)), (None, None, None, None));
    }

    #[test]
    fn middles_of_wide_channels() {
        let center = |n, mhz| {
            let channel = Channel { freq: frequency(n).unwrap(), width: Width::of_mhz(mhz).unwrap() };
            channel.center().map(|c| (c - if n > 14 { 5000 } else { 2407 }) / 5)
        };
        assert_eq!(
            (center(36, 20), center(36, 40), center(40, 40), center(44, 40)),
            (Some(36), Some(38), Some(38), Some(46))
        );
        assert_eq!(
            (center(36, 80), center(48, 80), center(52, 80), center(161, 80)),
            (Some(42), Some(42), Some(58), Some(155))
        );
        assert_eq!(
            (center(36, 160), center(64, 160), center(100, 160), center(149, 160)),
            (Some(50), Some(50), Some(114), Some(163))
        );
        assert_eq!((center(144, 80), center(140, 160)), (Some(138), None));
        assert_eq!((center(1, 40), center(13, 40), center(6, 80), center(14, 40)), (Some(3), Some(11), None, None));
        assert_eq!(center(38, 40), None, "no channel begins there");
    }

    #[test]
    fn as_people_say_it() {
        assert_eq!(Channel { freq: 2437, width: Width::W20 }.to_string(), "channel 6");
        assert_eq!(Channel { freq: 5180, width: Width::W80 }.to_string(), "channel 36, 80 MHz wide");
        assert_eq!(Channel { freq: 5975, width: Width::W20 }.to_string(), "5975 MHz");
    }
}
