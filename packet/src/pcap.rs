//! Reads capture files in the classic pcap format: both byte orders, microseconds and
//! nanoseconds, link type Ethernet. The newer pcapng is recognised and refused by name.
//! Source: draft-ietf-opsawg-pcap.

use core::fmt;

/// Bytes before the first record.
const FILE_HEADER: usize = 24;
/// Bytes before each frame.
const RECORD_HEADER: usize = 16;
/// The link type that we read.
const ETHERNET: u16 = 1;

/// Why a file, or the rest of it, cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PcapError {
    /// The file does not begin with the magic number of a capture.
    Magic,
    /// It is a pcapng file.
    Pcapng,
    /// The frames in it are not Ethernet; the number is the one of the pcap format.
    LinkType(u16),
    /// The file ends inside its header or inside the record that starts at `offset`.
    Cut {
        /// Where in the file the header or record starts, bytes.
        offset: usize,
    },
}

impl fmt::Display for PcapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Magic => f.write_str("not a pcap file"),
            Self::Pcapng => f.write_str("a pcapng file; convert it with: editcap -F pcap IN OUT"),
            Self::LinkType(kind) => write!(f, "link type {kind}, only Ethernet (1) can be read"),
            Self::Cut { offset } => write!(f, "the file is cut off in the record at byte {offset}"),
        }
    }
}

impl core::error::Error for PcapError {}

/// One captured frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// When it was captured, seconds since 1970.
    pub seconds: u32,
    /// Nanoseconds to add; below a second unless the file lies.
    pub nanos: u32,
    /// The bytes that were kept, Ethernet header included, checksum excluded.
    pub frame: &'a [u8],
    /// Bytes that the frame had on the wire.
    pub wire_len: u32,
}

/// Walks the frames of a capture file.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    file: &'a [u8],
    offset: usize,
    little_endian: bool,
    nanoseconds: bool,
    /// Bytes of checksum at the end of each frame.
    checksum: usize,
}

impl<'a> Reader<'a> {
    /// Starts at the first frame of a whole file.
    ///
    /// # Errors
    /// [`PcapError`] if it is not a capture of Ethernet frames that can be read here.
    pub fn new(file: &'a [u8]) -> Result<Self, PcapError> {
        let magic = file.first_chunk::<4>().ok_or(PcapError::Magic)?;
        let (little_endian, nanoseconds) = match magic {
            [0xd4, 0xc3, 0xb2, 0xa1] => (true, false),
            [0xa1, 0xb2, 0xc3, 0xd4] => (false, false),
            [0x4d, 0x3c, 0xb2, 0xa1] => (true, true),
            [0xa1, 0xb2, 0x3c, 0x4d] => (false, true),
            [0x0a, 0x0d, 0x0d, 0x0a] => return Err(PcapError::Pcapng),
            _ => return Err(PcapError::Magic),
        };
        let mut reader = Self { file, offset: FILE_HEADER, little_endian, nanoseconds, checksum: 0 };
        let link = reader.u32_at(20).ok_or(PcapError::Cut { offset: 0 })?;
        // The upper bits may say that each frame ends in a checksum, and of how many 16-bit words.
        let [.., hi, lo] = link.to_be_bytes();
        let kind = u16::from_be_bytes([hi, lo]);
        if kind != ETHERNET {
            return Err(PcapError::LinkType(kind));
        }
        if link & 0x0400_0000 != 0 {
            reader.checksum = 2 * (link >> 28) as usize;
        }
        Ok(reader)
    }

    fn u32_at(&self, offset: usize) -> Option<u32> {
        let bytes = *self.file.get(offset..)?.first_chunk()?;
        Some(if self.little_endian { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    }

    fn record(&self) -> Option<(Record<'a>, usize)> {
        let [seconds, fraction, kept, wire] = [0, 4, 8, 12].map(|at| self.u32_at(self.offset.checked_add(at)?));
        let kept = usize::try_from(kept?).ok()?;
        let start = self.offset.checked_add(RECORD_HEADER)?;
        let end = start.checked_add(kept)?;
        let bytes = self.file.get(start..end)?;
        let wire_len = wire?;
        // A frame cut short by the capture has lost its checksum already, or part of it.
        let cut = (wire_len as usize).saturating_sub(bytes.len());
        let keep = bytes.len().saturating_sub(self.checksum.saturating_sub(cut));
        let record = Record {
            seconds: seconds?,
            nanos: if self.nanoseconds { fraction? } else { fraction?.saturating_mul(1000) },
            frame: bytes.get(..keep).unwrap_or(bytes),
            wire_len,
        };
        Some((record, end))
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Result<Record<'a>, PcapError>;

    /// The next frame; after an error, the end.
    fn next(&mut self) -> Option<Self::Item> {
        if self.offset >= self.file.len() {
            return None;
        }
        match self.record() {
            Some((record, end)) => {
                self.offset = end;
                Some(Ok(record))
            }
            None => {
                let offset = self.offset;
                self.offset = self.file.len();
                Some(Err(PcapError::Cut { offset }))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn file(little: bool, nano: bool, link: u32, records: &[(u32, u32, &[u8], u32)]) -> Vec<u8> {
        let u32s = |out: &mut Vec<u8>, values: &[u32]| {
            for v in values {
                out.extend(if little { v.to_le_bytes() } else { v.to_be_bytes() });
            }
        };
        let mut out = Vec::new();
        u32s(&mut out, &[if nano { 0xa1b2_3c4d } else { 0xa1b2_c3d4 }]);
        out.extend(if little { [2, 0, 4, 0] } else { [0, 2, 0, 4] });
        u32s(&mut out, &[0, 0, 65535, link]);
        for &(seconds, fraction, frame, wire) in records {
            u32s(&mut out, &[seconds, fraction, frame.len() as u32, wire]);
            out.extend(frame);
        }
        out
    }

    #[test]
    fn both_orders_and_resolutions() {
        for (little, nano) in [(false, false), (false, true), (true, false), (true, true)] {
            let bytes = file(little, nano, 1, &[(5, 7, b"one", 3), (6, 0, b"", 0), (7, 8, b"three", 1500)]);
            let all: Vec<_> = Reader::new(&bytes).unwrap().map(Result::unwrap).collect();
            let nanos = if nano { 7 } else { 7000 };
            assert_eq!(all[0], Record { seconds: 5, nanos, frame: b"one", wire_len: 3 });
            assert_eq!((all.len(), all[2].frame, all[2].wire_len), (3, &b"three"[..], 1500));
        }
    }

    #[test]
    fn checksums_are_cut_off() {
        let frames: &[(u32, u32, &[u8], u32)] = &[(0, 0, b"frameFCS!", 9), (0, 0, b"frameF", 9), (0, 0, b"fra", 9)];
        let bytes = file(true, false, 0x2400_0001, frames);
        let all: Vec<_> = Reader::new(&bytes).unwrap().map(|r| r.unwrap().frame).collect();
        assert_eq!(all, [&b"frame"[..], b"frame", b"fra"]);
    }

    #[test]
    fn what_cannot_be_read() {
        assert_eq!(Reader::new(b"").err(), Some(PcapError::Magic));
        assert_eq!(Reader::new(b"GIF89a").err(), Some(PcapError::Magic));
        assert_eq!(Reader::new(&[0x0a, 0x0d, 0x0d, 0x0a, 0]).err(), Some(PcapError::Pcapng));
        assert_eq!(Reader::new(&file(true, false, 105, &[])).err(), Some(PcapError::LinkType(105)));
        let whole = file(true, false, 1, &[(0, 0, b"first", 5), (0, 0, b"second", 6)]);
        assert_eq!(Reader::new(&whole[..23]).err(), Some(PcapError::Cut { offset: 0 }));
        for end in 46..whole.len() {
            let mut reader = Reader::new(&whole[..end]).unwrap();
            assert!(reader.next().unwrap().is_ok());
            assert_eq!(reader.next(), Some(Err(PcapError::Cut { offset: 45 })));
            assert_eq!(reader.next(), None);
        }
    }
}
