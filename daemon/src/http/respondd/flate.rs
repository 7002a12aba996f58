//! Raw deflate, as respondd packs its answers. Source: RFC 1951.
//!
//! Written small on purpose: packing takes the fixed code and a short search, 1 kB of program where a general crate is
//! 30 kB on MIPS. What others packed is unpacked with every code there is, into no more bytes than allowed.

/// Bases of the length codes 257 to 284 and their extra bits. Source: RFC 1951, 3.2.5.
const LENGTHS: [(u16, u8); 29] = [
    (3, 0),
    (4, 0),
    (5, 0),
    (6, 0),
    (7, 0),
    (8, 0),
    (9, 0),
    (10, 0),
    (11, 1),
    (13, 1),
    (15, 1),
    (17, 1),
    (19, 2),
    (23, 2),
    (27, 2),
    (31, 2),
    (35, 3),
    (43, 3),
    (51, 3),
    (59, 3),
    (67, 4),
    (83, 4),
    (99, 4),
    (115, 4),
    (131, 5),
    (163, 5),
    (195, 5),
    (227, 5),
    (258, 0),
];
/// Order in which lengths of length codes come. Source: RFC 1951, 3.2.7.
const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
/// Longest code, in bits.
const MAX_BITS: usize = 15;
/// Longest match.
const MAX_MATCH: usize = 258;
/// Places that a match is looked for at.
const TRIES: usize = 32;
/// Most bytes that are packed; what is longer begins a new search there.
const WINDOW: usize = 32 * 1024;

/// Base and extra bits of a distance code, 0 to 29. Source: RFC 1951, 3.2.5.
fn distance(code: u16) -> (u16, u8) {
    if code < 4 {
        return (code + 1, 0);
    }
    let extra = code / 2 - 1;
    (((2 + code % 2) << extra) + 1, u8::try_from(extra).unwrap_or(0))
}

/// Packs `data` in one block with the fixed code.
pub(super) fn deflate(data: &[u8]) -> Vec<u8> {
    let mut to = BitWriter::default();
    // The last block, of the fixed code.
    to.bits(1, 1);
    to.bits(1, 2);
    // Newest place of three bytes with that hash, and for every place the one before with the same.
    let mut heads = vec![usize::MAX; 1 << 10];
    let mut before = vec![usize::MAX; data.len()];
    let mut at = 0;
    let mut known = 0;
    while at < data.len() {
        while known < at {
            remember(data, known, &mut heads, &mut before);
            known += 1;
        }
        match longest(data, at, &heads, &before) {
            Some((length, back)) => {
                to.length(length);
                to.distance(back);
                at += length;
            }
            None => {
                to.symbol(data.get(at).copied().map_or(0, u16::from));
                at += 1;
            }
        }
    }
    to.symbol(256);
    to.out
}

fn hash(data: &[u8], at: usize) -> Option<usize> {
    let [a, b, c] = *data.get(at..at + 3)? else { return None };
    Some((usize::from(a) ^ usize::from(b) << 3 ^ usize::from(c) << 5) & 1023)
}

fn remember(data: &[u8], at: usize, heads: &mut [usize], before: &mut [usize]) {
    let Some(head) = hash(data, at).and_then(|h| heads.get_mut(h)) else { return };
    if let Some(place) = before.get_mut(at) {
        *place = std::mem::replace(head, at);
    }
}

/// Length and distance of the longest earlier run of bytes like those at `at`.
fn longest(data: &[u8], at: usize, heads: &[usize], before: &[usize]) -> Option<(usize, usize)> {
    let here = data.get(at..)?;
    let mut place = *heads.get(hash(data, at)?)?;
    let mut best = (2, 0);
    for _ in 0..TRIES {
        if place >= at || at - place > WINDOW {
            break;
        }
        let there = data.get(place..)?;
        let same = here.iter().zip(there).take(MAX_MATCH).take_while(|(a, b)| a == b).count();
        if same > best.0 {
            best = (same, at - place);
        }
        place = *before.get(place)?;
    }
    (best.0 > 2).then_some(best)
}

#[derive(Default)]
struct BitWriter {
    out: Vec<u8>,
    /// Bits of the last byte that are taken; 0 for all.
    used: u8,
}

impl BitWriter {
    /// Lowest bit first.
    fn bits(&mut self, value: u16, count: u8) {
        for i in 0..count {
            if self.used == 0 {
                self.out.push(0);
            }
            if let Some(last) = self.out.last_mut() {
                *last |= u8::from(value >> i & 1 == 1) << self.used;
            }
            self.used = (self.used + 1) % 8;
        }
    }

    /// A code: its highest bit first.
    fn code(&mut self, code: u16, count: u8) {
        for i in (0..count).rev() {
            self.bits(code >> i & 1, 1);
        }
    }

    /// A symbol in the fixed code. Source: RFC 1951, 3.2.6.
    fn symbol(&mut self, symbol: u16) {
        match symbol {
            0..=143 => self.code(0x30 + symbol, 8),
            144..=255 => self.code(0x190 + (symbol - 144), 9),
            256..=279 => self.code(symbol - 256, 7),
            _ => self.code(0xc0 + (symbol - 280), 8),
        }
    }

    fn length(&mut self, length: usize) {
        let length = u16::try_from(length).unwrap_or(3);
        let code = LENGTHS.iter().rposition(|(base, _)| *base <= length).unwrap_or(0);
        let (base, extra) = LENGTHS.get(code).copied().unwrap_or((3, 0));
        self.symbol(257 + u16::try_from(code).unwrap_or(0));
        self.bits(length - base, extra);
    }

    fn distance(&mut self, back: usize) {
        let back = u16::try_from(back).unwrap_or(1);
        let code = (0..30).rev().find(|code| distance(*code).0 <= back).unwrap_or(0);
        let (base, extra) = distance(code);
        self.code(code, 5);
        self.bits(back - base, extra);
    }
}

/// Unpacks `data` into at most `most` bytes; `None` if it is no deflate or more than that.
pub(super) fn inflate(data: &[u8], most: usize) -> Option<Vec<u8>> {
    let mut from = BitReader { data, at: 0 };
    let mut out = Vec::new();
    loop {
        let last = from.bits(1)? == 1;
        match from.bits(2)? {
            0 => stored(&mut from, &mut out, most)?,
            1 => {
                let lengths: Vec<u8> = (0..288)
                    .map(|symbol| match symbol {
                        144..256 => 9,
                        256..280 => 7,
                        _ => 8,
                    })
                    .collect();
                coded(&mut from, &mut out, most, &Code::new(&lengths)?, &Code::new(&[5; 30])?)?;
            }
            2 => {
                let (symbols, distances) = codes(&mut from)?;
                coded(&mut from, &mut out, most, &symbols, &distances)?;
            }
            _ => return None,
        }
        if last {
            return Some(out);
        }
    }
}

struct BitReader<'a> {
    data: &'a [u8],
    /// Next bit.
    at: usize,
}

impl BitReader<'_> {
    /// At most 16 bits, the lowest first.
    fn bits(&mut self, count: u8) -> Option<u16> {
        let mut value = 0;
        for i in 0..count {
            let byte = self.data.get(self.at / 8)?;
            value |= u16::from(byte >> (self.at % 8) & 1) << i;
            self.at += 1;
        }
        Some(value)
    }
}

fn stored(from: &mut BitReader<'_>, out: &mut Vec<u8>, most: usize) -> Option<()> {
    let at = from.at.div_ceil(8);
    let [a, b, c, d] = *from.data.get(at..at + 4)? else { return None };
    let length = u16::from_le_bytes([a, b]);
    if length != !u16::from_le_bytes([c, d]) {
        return None;
    }
    let end = at + 4 + usize::from(length);
    let piece = from.data.get(at + 4..end)?;
    if out.len() + piece.len() > most {
        return None;
    }
    out.extend_from_slice(piece);
    from.at = end * 8;
    Some(())
}

/// How many codes have each length, and the symbols in order of their codes. Codes of one length follow one another.
struct Code {
    counts: [u16; MAX_BITS + 1],
    symbols: Vec<u16>,
}

impl Code {
    /// `None` if there are more codes than bits allow.
    fn new(lengths: &[u8]) -> Option<Self> {
        let mut counts = [0u16; MAX_BITS + 1];
        for length in lengths {
            *counts.get_mut(usize::from(*length))? += 1;
        }
        if let Some(unused) = counts.first_mut() {
            *unused = 0;
        }
        let mut left: i32 = 1;
        for count in counts.iter().skip(1) {
            left = left * 2 - i32::from(*count);
            if left < 0 {
                return None;
            }
        }
        let mut symbols: Vec<(u8, u16)> = lengths.iter().copied().zip(0..).filter(|(length, _)| *length > 0).collect();
        symbols.sort_unstable();
        Some(Self { counts, symbols: symbols.into_iter().map(|(_, symbol)| symbol).collect() })
    }

    fn read(&self, from: &mut BitReader<'_>) -> Option<u16> {
        let (mut code, mut first, mut index) = (0u32, 0u32, 0u32);
        for count in self.counts.iter().skip(1).copied().map(u32::from) {
            code |= u32::from(from.bits(1)?);
            // `code` is never below `first`: it was at least that plus all codes of the length before.
            let over = code.checked_sub(first)?;
            if over < count {
                return self.symbols.get(usize::try_from(index + over).ok()?).copied();
            }
            index += count;
            first = (first + count) << 1;
            code <<= 1;
        }
        None
    }
}

/// The two codes of a block that brings its own.
fn codes(from: &mut BitReader<'_>) -> Option<(Code, Code)> {
    let symbols = usize::from(from.bits(5)?) + 257;
    let distances = usize::from(from.bits(5)?) + 1;
    let count = usize::from(from.bits(4)?) + 4;
    if symbols > 286 || distances > 30 {
        return None;
    }
    let mut lengths = [0u8; 19];
    for place in ORDER.iter().take(count) {
        *lengths.get_mut(*place)? = u8::try_from(from.bits(3)?).ok()?;
    }
    let code = Code::new(&lengths)?;
    let mut all: Vec<u8> = Vec::with_capacity(symbols + distances);
    while all.len() < symbols + distances {
        let (length, times) = match code.read(from)? {
            16 => (*all.last()?, 3 + from.bits(2)?),
            17 => (0, 3 + from.bits(3)?),
            18 => (0, 11 + from.bits(7)?),
            length => (u8::try_from(length).ok()?, 1),
        };
        all.extend(std::iter::repeat_n(length, usize::from(times)));
    }
    if all.len() > symbols + distances {
        return None;
    }
    let (symbols, distances) = all.split_at_checked(symbols)?;
    Some((Code::new(symbols)?, Code::new(distances)?))
}

fn coded(from: &mut BitReader<'_>, out: &mut Vec<u8>, most: usize, symbols: &Code, distances: &Code) -> Option<()> {
    loop {
        let symbol = symbols.read(from)?;
        match symbol {
            0..256 => {
                if out.len() >= most {
                    return None;
                }
                out.push(u8::try_from(symbol).ok()?);
            }
            256 => return Some(()),
            _ => {
                let (base, extra) = *LENGTHS.get(usize::from(symbol) - 257)?;
                let length = usize::from(base + from.bits(extra)?);
                let code = distances.read(from)?;
                if code >= 30 {
                    return None;
                }
                let (base, extra) = distance(code);
                let back = usize::from(base) + usize::from(from.bits(extra)?);
                let start = out.len().checked_sub(back)?;
                if out.len() + length > most {
                    return None;
                }
                // A run may reach into what it writes.
                for i in start..start + length {
                    let byte = *out.get(i)?;
                    out.push(byte);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::read::{DeflateDecoder, DeflateEncoder};
    use proptest::prelude::*;
    use std::io::Read;

    fn theirs_unpacks(packed: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        DeflateDecoder::new(packed).read_to_end(&mut out).unwrap();
        out
    }

    fn theirs_packs(data: &[u8], level: u32) -> Vec<u8> {
        let mut out = Vec::new();
        DeflateEncoder::new(data, Compression::new(level)).read_to_end(&mut out).unwrap();
        out
    }

    fn like_json(n: usize) -> Vec<u8> {
        (0..n)
            .flat_map(|i| {
                format!("\"02:00:00:00:{:02x}:01\":{{\"tq\":{},\"lastseen\":0.5}},", i, i * 7 % 256).into_bytes()
            })
            .collect()
    }

    #[test]
    fn another_program_reads_it_and_it_is_smaller() {
        let text = like_json(40);
        let packed = deflate(&text);
        assert_eq!(theirs_unpacks(&packed), text);
        assert!(packed.len() * 3 < text.len(), "{} of {} bytes", packed.len(), text.len());
        assert_eq!(theirs_unpacks(&deflate(b"")), b"");
        let long = vec![b'x'; 100_000];
        assert_eq!(theirs_unpacks(&deflate(&long)), long);
    }

    #[test]
    fn it_reads_what_another_program_packed() {
        for n in [0, 1, 3, 40, 400] {
            let text = like_json(n);
            for level in [0, 1, 6, 9] {
                assert_eq!(inflate(&theirs_packs(&text, level), text.len()).as_deref(), Some(&text[..]), "{n} {level}");
            }
        }
    }

    #[test]
    fn no_more_than_allowed() {
        let bomb = theirs_packs(&vec![0; 10_000_000], 9);
        assert!(bomb.len() < 20_000);
        assert_eq!(inflate(&bomb, 16_384), None);
        let text = like_json(10);
        assert_eq!(inflate(&theirs_packs(&text, 9), text.len() - 1), None);
        assert_eq!(inflate(&theirs_packs(&text, 0), text.len() - 1), None);
    }

    proptest! {
        #[test]
        fn bytes_come_back(data in proptest::collection::vec(0u8..20, 0..2000)) {
            let packed = deflate(&data);
            prop_assert_eq!(&theirs_unpacks(&packed), &data);
            prop_assert_eq!(inflate(&packed, data.len()), Some(data));
        }

        #[test]
        fn any_bytes_are_survived(data in proptest::collection::vec(any::<u8>(), 0..400)) {
            prop_assert!(inflate(&data, 4096).is_none_or(|out| out.len() <= 4096));
        }

        #[test]
        fn a_broken_answer_is_survived(at in 0usize..300, bit in 0u8..8) {
            let mut packed = theirs_packs(&like_json(30), 9);
            let at = at % packed.len();
            packed[at] ^= 1 << bit;
            let _ = inflate(&packed, 4096);
        }
    }
}
