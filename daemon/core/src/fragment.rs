//! Packets that do not fit a link: cut on the way out, put together on the way in.
//! Source: protocol notes, "Payload plane" section 2.

use crate::counters::Drop;
use crate::frame::Frame;
use crate::sorted::SortedMap;
use crate::time::{Duration, Instant};
use alloc::vec::Vec;
use packet::MacAddr;
use packet::consts::{ETH_LEN, FRAGMENT_BYTES, FRAGMENTS, REASSEMBLED_BYTES, packet_type};
use packet::eth::EthHeader;
use packet::frag::FragHeader;
use packet::unicast::UnicastHeader;
use zerocopy::IntoBytes;

/// A chain that made no progress for this long is given up.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Chains kept per originator; a newer one pushes the older out of its slot.
const CHAINS: u16 = 8;
/// What a piece costs beside its bytes, so that tiny pieces cannot dodge the cap.
const PIECE_COST: usize = 128;

/// Cuts the packet in `frame` (Ethernet header in front) into frames that fit `mtu`.
///
/// The tail becomes number 0, as the kernel does it; the head goes last. `None` if the packet is
/// a fragment itself, needs more than 16 pieces, or the link is too small for any.
pub fn split(eth: &EthHeader, frame: &Frame, own: MacAddr, seqno: u16, mtu: usize) -> Option<Vec<Frame>> {
    let packet = frame.bytes().get(ETH_LEN..)?;
    let (head, _) = UnicastHeader::parse(packet).ok()?;
    let room = mtu.min(FRAGMENT_BYTES).checked_sub(FragHeader::LEN).filter(|&r| r > 0)?;
    let pieces = packet.len().div_ceil(room);
    if head.packet_type == packet_type::FRAG || pieces > FRAGMENTS {
        return None;
    }
    let total = u16::try_from(packet.len()).ok()?;
    let size = packet.len().div_ceil(pieces);
    let mut out = Vec::with_capacity(pieces);
    for (no, piece) in packet.rchunks(size).enumerate() {
        // At most 16 pieces, so the number fits.
        let frag = FragHeader::new(head.dest, own, seqno, total, no as u8, frame.priority);
        let mut f = Frame::zeroed(ETH_LEN + FragHeader::LEN);
        let (front, back) = f.bytes_mut().split_at_mut(ETH_LEN);
        front.copy_from_slice(eth.as_bytes());
        back.copy_from_slice(frag.as_bytes());
        f.extend(piece);
        (f.priority, f.class) = (frame.priority, frame.class);
        out.push(f);
    }
    Some(out)
}

/// One packet being put together.
#[derive(Debug)]
struct Chain {
    seqno: u16,
    total: usize,
    have: usize,
    touched: Instant,
    pieces: SortedMap<u8, Vec<u8>>,
}

impl Chain {
    fn cost(&self) -> usize {
        self.have + self.pieces.len() * PIECE_COST
    }
}

/// All packets being put together, within a fixed number of bytes. At the bound the chain that
/// waited longest gives way.
#[derive(Debug)]
pub struct Reassembly {
    chains: SortedMap<(MacAddr, u16), Chain>,
    bytes: usize,
    cap: usize,
}

impl Reassembly {
    /// An empty store for at most `cap` bytes.
    pub fn new(cap: usize) -> Self {
        Self { chains: SortedMap::new(), bytes: 0, cap }
    }

    /// Bytes held, bookkeeping included.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes a piece in; returns the whole packet (without Ethernet header) when it is complete.
    ///
    /// # Errors
    /// The reason why the piece, or the chain it belongs to, was dropped.
    pub fn add(&mut self, packet: &[u8], now: Instant) -> Result<Option<Vec<u8>>, Drop> {
        let (head, piece) = FragHeader::parse(packet).map_err(|_| Drop::Short)?;
        let total = usize::from(head.total_size.get());
        if total > REASSEMBLED_BYTES || piece.is_empty() || total <= FragHeader::LEN {
            return Err(Drop::BadFragment);
        }
        let seqno = head.seqno.get();
        let key = (head.orig, seqno % CHAINS);
        if self.chains.get(&key).is_some_and(|c| c.seqno != seqno) {
            self.remove(key);
        }
        let chain = self.chains.entry(key).or_insert_with(|| Chain {
            seqno,
            total,
            have: 0,
            touched: now,
            pieces: SortedMap::new(),
        });
        if chain.pieces.contains_key(&head.no()) {
            return Err(Drop::Duplicate);
        }
        if chain.total != total || chain.have + piece.len() > total {
            self.remove(key);
            return Err(Drop::BadFragment);
        }
        chain.have += piece.len();
        chain.touched = now;
        chain.pieces.insert(head.no(), piece.to_vec());
        self.bytes += piece.len() + PIECE_COST;
        if chain.have == total {
            let Some(chain) = self.remove(key) else { return Ok(None) };
            return Ok(Some(chain.pieces.into_values().rev().flatten().collect()));
        }
        while self.bytes > self.cap {
            let Some(oldest) = self.chains.iter().min_by_key(|(_, c)| c.touched).map(|(k, _)| *k) else { break };
            self.remove(oldest);
        }
        Ok(None)
    }

    /// Gives up chains that wait too long; returns how many.
    pub fn purge(&mut self, now: Instant) -> usize {
        let old: Vec<_> = self.chains.iter().filter(|(_, c)| now.since(c.touched) > TIMEOUT).map(|(k, _)| *k).collect();
        for key in &old {
            self.remove(*key);
        }
        old.len()
    }

    fn remove(&mut self, key: (MacAddr, u16)) -> Option<Chain> {
        let chain = self.chains.remove(&key)?;
        self.bytes -= chain.cost();
        Some(chain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use packet::consts::{ETHERTYPE, TTL, VERSION};

    fn whole(len: usize) -> Frame {
        let mut f = Frame::zeroed(ETH_LEN + len);
        for (i, b) in f.bytes_mut()[ETH_LEN..].iter_mut().enumerate() {
            *b = i as u8;
        }
        f.bytes_mut()[ETH_LEN..ETH_LEN + 4].copy_from_slice(&[packet_type::UNICAST, VERSION, TTL, 1]);
        f
    }

    fn eth() -> EthHeader {
        EthHeader { dst: MacAddr([2; 6]), src: MacAddr([4; 6]), ethertype: ETHERTYPE.into() }
    }

    #[test]
    fn cut_and_put_together_in_any_order() {
        let own = MacAddr([6; 6]);
        for (len, mtu, count) in [(1524, 1400, 2), (1524, 700, 3), (1281, 1500, 2), (20000, 1280, 16)] {
            let f = whole(len);
            let mut pieces = split(&eth(), &f, own, 7, mtu).unwrap();
            assert_eq!(pieces.len(), count, "{len} over {mtu}");
            assert!(pieces.iter().all(|p| p.len() <= mtu + ETH_LEN));
            for rotate in 0..count {
                pieces.rotate_left(rotate);
                let mut r = Reassembly::new(1 << 20);
                let mut done = None;
                for p in &pieces {
                    assert_eq!(done, None);
                    done = r.add(&p.bytes()[ETH_LEN..], Instant::ZERO).unwrap();
                }
                assert_eq!(done.unwrap(), &f.bytes()[ETH_LEN..]);
                assert_eq!(r.bytes(), 0);
            }
        }
        assert!(split(&eth(), &whole(20200), own, 7, 1280).is_none());
        assert!(split(&eth(), &whole(1500), own, 7, 20).is_none());
    }

    #[test]
    fn two_pieces_of_762_tail_first() {
        // Seen live: a 1524-byte packet over MTU 1400. Source: protocol notes, "Test vectors".
        let pieces = split(&eth(), &whole(1524), MacAddr([6; 6]), 0xe936, 1400).unwrap();
        let (head, tail) = FragHeader::parse(&pieces[0].bytes()[ETH_LEN..]).unwrap();
        assert_eq!((head.no(), head.total_size.get(), tail.len()), (0, 1524, 762));
        assert_eq!(tail[761], (1523 % 256) as u8);
    }

    #[test]
    fn bounds_hold() {
        let mut r = Reassembly::new(4000);
        for orig in 0..100u8 {
            for seqno in 0..20u16 {
                let head = FragHeader::new(MacAddr([2; 6]), MacAddr([orig; 6]), seqno, 3000, 0, 0);
                let mut bytes = head.as_bytes().to_vec();
                bytes.extend([0; 500]);
                r.add(&bytes, Instant::from_micros(u64::from(orig))).unwrap();
                assert!(r.bytes() <= 4000);
            }
        }
        assert!(r.purge(Instant::from_micros(60_000_000)) > 0);
        assert_eq!(r.bytes(), 0);
        assert!(r.chains.is_empty());
    }
}
