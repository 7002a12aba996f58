//! One point of a history: what held during one step, packed small.

/// What held during one step. Every figure may be unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// Share of messages that reach the neighbour, in percent.
    to: u8,
    /// Share of its messages that reach us, in percent.
    from: u8,
    /// Ways that changed; [`NONE`] if nobody looked.
    changes: u16,
    /// Throughput of the link, in kbit/s.
    throughput: Small,
    /// Traffic of own clients, in bytes per second.
    owner: Small,
    /// Traffic carried for others, in bytes per second.
    relay: Small,
    /// What is left, in kbit/s.
    spare: Small,
}

/// A point in plain numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// Share of messages that reach the neighbour, in percent.
    pub to: Option<u8>,
    /// Share of its messages that reach us, in percent.
    pub from: Option<u8>,
    /// Throughput of the link, in kbit/s.
    pub throughput: Option<u64>,
    /// Traffic of own clients, both ways, in bytes per second.
    pub owner: Option<u64>,
    /// Traffic sent for others, in bytes per second.
    pub relay: Option<u64>,
    /// What the link has left, in kbit/s.
    pub spare: Option<u64>,
    /// Ways that changed.
    pub changes: Option<u64>,
}

/// Bytes of a point.
pub(super) const LEN: usize = 12;
const NONE: u16 = u16::MAX;
const NO_SHARE: u8 = u8::MAX;

/// A number up to 4 * 10^12 in two bytes, at most one part in 1024 too small; or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Small(u16);

impl Small {
    fn of(value: Option<u64>) -> Self {
        let Some(value) = value else { return Self(NONE) };
        let value = value.min(2046 << 31);
        let shift = (u64::BITS - value.leading_zeros()).saturating_sub(11);
        // Eleven bits and a shift of at most 31.
        Self((shift as u16) << 11 | (value >> shift) as u16)
    }

    fn value(self) -> Option<u64> {
        (self.0 != NONE).then(|| u64::from(self.0 & 0x7ff) << (self.0 >> 11))
    }
}

impl Point {
    /// Nobody looked, or there was nothing to look at.
    pub const ABSENT: Self = Self {
        to: NO_SHARE,
        from: NO_SHARE,
        changes: NONE,
        throughput: Small(NONE),
        owner: Small(NONE),
        relay: Small(NONE),
        spare: Small(NONE),
    };

    /// Packs figures.
    pub fn new(f: &Figures) -> Self {
        let share = |share: Option<u8>| share.map_or(NO_SHARE, |s| s.min(100));
        Self {
            to: share(f.to),
            from: share(f.from),
            changes: f.changes.map_or(NONE, |n| u16::try_from(n).unwrap_or(NONE).min(NONE - 1)),
            throughput: Small::of(f.throughput),
            owner: Small::of(f.owner),
            relay: Small::of(f.relay),
            spare: Small::of(f.spare),
        }
    }

    /// Unpacks it.
    pub fn figures(&self) -> Figures {
        let share = |share: u8| (share != NO_SHARE).then_some(share);
        Figures {
            to: share(self.to),
            from: share(self.from),
            throughput: self.throughput.value(),
            owner: self.owner.value(),
            relay: self.relay.value(),
            spare: self.spare.value(),
            changes: (self.changes != NONE).then_some(u64::from(self.changes)),
        }
    }

    /// What held over several steps: means of what is known, and all changes.
    pub fn mean(points: impl Iterator<Item = Self>) -> Self {
        let mut sums = [0u64; 6];
        let mut known = [0u64; 6];
        let mut changes = None;
        for point in points {
            let f = point.figures();
            let all = [f.to.map(u64::from), f.from.map(u64::from), f.throughput, f.owner, f.relay, f.spare];
            for ((sum, n), value) in sums.iter_mut().zip(&mut known).zip(all) {
                *sum += value.unwrap_or(0);
                *n += u64::from(value.is_some());
            }
            changes = f.changes.map(|n| n + changes.unwrap_or(0)).or(changes);
        }
        let [to, from, throughput, owner, relay, spare] =
            std::array::from_fn(|i| Some(sums.get(i)? / known.get(i).filter(|n| **n > 0)?));
        let share = |share: Option<u64>| share.and_then(|s| u8::try_from(s).ok());
        Self::new(&Figures { to: share(to), from: share(from), throughput, owner, relay, spare, changes })
    }

    /// As bytes, for the file.
    pub fn to_bytes(self) -> [u8; LEN] {
        let mut bytes = [self.to, self.from, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let words = [self.changes, self.throughput.0, self.owner.0, self.relay.0, self.spare.0];
        for (room, word) in bytes[2..].chunks_exact_mut(2).zip(words) {
            room.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    /// The same back; whatever the bytes are, it is a point.
    pub fn from_bytes(bytes: [u8; LEN]) -> Self {
        let [to, from, a, b, c, d, e, f, g, h, i, j] = bytes;
        let [changes, throughput, owner, relay, spare] =
            [[a, b], [c, d], [e, f], [g, h], [i, j]].map(u16::from_le_bytes);
        let share = |share: u8| if share <= 100 { share } else { NO_SHARE };
        Self {
            to: share(to),
            from: share(from),
            changes,
            throughput: Small(throughput),
            owner: Small(owner),
            relay: Small(relay),
            spare: Small(spare),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_size() {
        for value in [0, 1, 7, 2047, 2048, 54_000, 1_000_000, 123_456_789, 2046 << 31] {
            let back = Small::of(Some(value)).value().unwrap();
            assert!(back <= value && value - back <= value / 1024, "{value} {back}");
        }
        assert_eq!(Small::of(Some(u64::MAX)).value(), Some(2046 << 31), "more is that much");
        assert_eq!(Small::of(None).value(), None);
    }

    #[test]
    fn points_come_back() {
        let figures = Figures {
            to: Some(100),
            from: Some(0),
            throughput: Some(54_000),
            owner: Some(0),
            relay: None,
            spare: Some(1),
            changes: Some(70_000),
        };
        let back = Point::new(&figures).figures();
        assert_eq!(back, Figures { throughput: Some(53_984), changes: Some(65_534), ..figures });
        let point = Point::new(&figures);
        assert_eq!(Point::from_bytes(point.to_bytes()), point);
        assert_eq!(Point::from_bytes([255; LEN]), Point::ABSENT);
        assert_eq!(Point::ABSENT.figures(), Figures::default());
        assert_eq!(size_of::<Point>(), LEN);
    }

    #[test]
    fn means_are_of_what_is_known() {
        let at = |to, owner, changes| Point::new(&Figures { to, owner, changes, ..Figures::default() });
        let mean =
            Point::mean([at(Some(100), Some(10), Some(1)), Point::ABSENT, at(Some(50), None, Some(2))].into_iter());
        assert_eq!(mean.figures(), Figures { to: Some(75), owner: Some(10), changes: Some(3), ..Figures::default() });
        assert_eq!(Point::mean([Point::ABSENT; 3].into_iter()), Point::ABSENT);
    }
}
