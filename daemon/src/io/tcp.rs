//! Frames that stand for several TCP segments: cut into single ones on their way into the mesh,
//! put together again on their way out.
//!
//! One call for dozens of segments is what makes TCP through a TAP device fast: the host's stack
//! runs once for all of them. The mesh itself only ever carries single segments, and what is put
//! together is exactly what was sent, so nobody outside can tell.

use crate::io::checksum::{complete, fold, sum};
use crate::io::vnet::{Checksum, LONGEST, Vnet};
use mesh_core::Frame;
use packet::eth::{ClientFrame, ETHERTYPE_IPV4, ETHERTYPE_IPV6};

/// Most frames put together into one.
pub const MERGE_MOST: usize = 48;

/// Where the parts of a frame with TCP in it are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Tcp {
    /// Start of the IP header.
    ip: usize,
    v6: bool,
    /// Start of the TCP header.
    tcp: usize,
    /// Start of what TCP carries.
    payload: usize,
    /// End of the IP packet; padding may follow.
    end: usize,
}

impl Tcp {
    /// Finds TCP in a frame. `None` for anything with IP options, extension headers or fragments.
    #[inline]
    fn locate(frame: &[u8]) -> Option<Self> {
        let client = ClientFrame::parse(frame).ok()?;
        let ip = client.payload;
        let (v6, tcp, len) = match client.ethertype {
            ETHERTYPE_IPV4 => {
                let (&[0x45, _, l0, l1, ..], &[f0, f1]) = (frame.get(ip..ip + 4)?, frame.get(ip + 6..ip + 8)?) else {
                    return None;
                };
                if *frame.get(ip + 9)? != TCP || u16::from_be_bytes([f0, f1]) & 0x3fff != 0 {
                    return None;
                }
                (false, ip + 20, usize::from(u16::from_be_bytes([l0, l1])))
            }
            ETHERTYPE_IPV6 => {
                let &[l0, l1, TCP] = frame.get(ip + 4..ip + 7)? else { return None };
                (true, ip + 40, 40 + usize::from(u16::from_be_bytes([l0, l1])))
            }
            _ => return None,
        };
        let payload = tcp + usize::from(frame.get(tcp + 12)? >> 4) * 4;
        let end = ip + len;
        (payload >= tcp + 20 && payload <= end).then_some(Self { ip, v6, tcp, payload, end })
    }

    fn addresses(self, frame: &[u8]) -> &[u8] {
        let at = if self.v6 { self.ip + 8..self.ip + 40 } else { self.ip + 12..self.ip + 20 };
        frame.get(at).unwrap_or_default()
    }

    /// Sum over the pseudo header of a segment of `len` bytes, TCP header included.
    fn pseudo_sum(self, frame: &[u8], len: usize) -> u64 {
        sum(self.addresses(frame)) + u64::from(TCP) + len as u64
    }

    /// Writes the length of the IP packet, and the IPv4 header checksum with it.
    fn set_len(self, frame: &mut [u8], len: usize) {
        if self.v6 {
            put(frame, self.ip + 4, u16::try_from(len - 40).unwrap_or(0));
        } else {
            put(frame, self.ip + 2, u16::try_from(len).unwrap_or(0));
            put(frame, self.ip + 10, 0);
            let header = sum(frame.get(self.ip..self.tcp).unwrap_or_default());
            put(frame, self.ip + 10, !fold(header));
        }
    }
}

fn put(frame: &mut [u8], at: usize, value: u16) {
    if let Some(to) = frame.get_mut(at..at + 2) {
        to.copy_from_slice(&value.to_be_bytes());
    }
}

fn seqno(frame: &[u8], tcp: usize) -> u32 {
    let bytes = frame.get(tcp + 4..tcp + 8).and_then(|b| b.try_into().ok());
    bytes.map_or(0, u32::from_be_bytes)
}

/// Finishes the checksum that an offload header asks for; false if it lies outside the frame.
pub fn finish_checksum(frame: &mut [u8], at: Checksum) -> bool {
    complete(frame, usize::from(at.start), usize::from(at.start) + usize::from(at.offset))
}

/// Cuts a frame that stands for several into single ones, each finished, in `fresh` buffers.
/// False if it cannot be cut; some of it may have been given out then.
///
/// Source: RFC 9293, and what the kernel does in software (`tcp_gso_segment`): every segment has
/// the options of the first, FIN and PSH are on the last.
pub fn segment(vnet: &Vnet, whole: &[u8], mut fresh: impl FnMut() -> Frame, mut each: impl FnMut(Frame)) -> bool {
    let (Some(size), Some(at)) = (vnet.segment.map(usize::from).filter(|s| *s > 0), Tcp::locate(whole)) else {
        return false;
    };
    let (Some(headers), Some(data)) = (whole.get(..at.payload), whole.get(at.payload..at.end)) else { return false };
    let first_id = whole.get(at.ip + 4..at.ip + 6).map_or(0, |b| u16::from_be_bytes([b[0], b[1]]));
    let first_seqno = seqno(whole, at.tcp);
    let pieces = data.chunks(size);
    let last = pieces.len() - usize::from(!data.is_empty());
    for (n, piece) in pieces.enumerate() {
        let mut frame = fresh();
        let len = headers.len() + piece.len();
        let Some(room) = frame.space_mut().get_mut(..len) else { return false };
        let (head, body) = room.split_at_mut(headers.len());
        head.copy_from_slice(headers);
        body.copy_from_slice(piece);
        frame.set_len(len);
        let bytes = frame.bytes_mut();
        if !at.v6 {
            put(bytes, at.ip + 4, first_id.wrapping_add(n as u16));
        }
        at.set_len(bytes, len - at.ip);
        let seqno = first_seqno.wrapping_add(u32::try_from(n * size).unwrap_or(0));
        if let Some(to) = bytes.get_mut(at.tcp + 4..at.tcp + 8) {
            to.copy_from_slice(&seqno.to_be_bytes());
        }
        if n != last
            && let Some(flags) = bytes.get_mut(at.tcp + 13)
        {
            *flags &= !(FIN | PSH);
        }
        let pseudo = fold(at.pseudo_sum(bytes, len - at.tcp));
        put(bytes, at.tcp + 16, pseudo);
        complete(bytes, at.tcp, at.tcp + 16);
        each(frame);
    }
    true
}

/// How many frames from the front can go to the host as one; 1 when the first cannot be merged.
pub fn mergeable(frames: &[Frame]) -> usize {
    let Some((first, rest)) = frames.split_first() else { return 0 };
    // Most frames end here, after a look at a few bytes.
    let Some(next) = rest.first() else { return 1 };
    let (Some(at), true) = (Tcp::locate(first.bytes()), next.len() <= first.len()) else { return 1 };
    let bytes = first.bytes();
    let size = at.end - at.payload;
    if size == 0 || flags(bytes, at) != ACK || !verifies(bytes, at) {
        return 1;
    }
    let mut total = at.end;
    let mut expected = seqno(bytes, at.tcp);
    let mut count = 1;
    for frame in rest.iter().take(MERGE_MOST - 1) {
        expected = expected.wrapping_add(u32::try_from(size).unwrap_or(0));
        let other = frame.bytes();
        let Some(its) = Tcp::locate(other) else { break };
        let piece = its.end - its.payload;
        total += piece;
        let fits = piece > 0 && piece <= size && total <= LONGEST - 18;
        if !fits || seqno(other, its.tcp) != expected || !same_stream(bytes, other, at, its, count) {
            break;
        }
        let flags = flags(other, its);
        if flags & !PSH != ACK || !verifies(other, its) {
            break;
        }
        count += 1;
        // A short one or one that pushes is the last.
        if piece < size || flags & PSH != 0 {
            break;
        }
    }
    count
}

/// Makes the first of [`mergeable`] frames stand for all of them: its lengths and checksums
/// become those of the whole. Returns the offload header and, for every frame, which part of it
/// is written one after the other.
pub fn merge(frames: &mut [Frame]) -> Option<(Vnet, [(usize, usize); MERGE_MOST])> {
    let mut parts = [(0, 0); MERGE_MOST];
    let mut total = 0;
    let mut flags = 0;
    for (part, frame) in parts.iter_mut().zip(frames.iter()) {
        let at = Tcp::locate(frame.bytes())?;
        *part = (if total == 0 { 0 } else { at.payload }, at.end);
        total += part.1 - part.0;
        flags |= self::flags(frame.bytes(), at);
    }
    let first = frames.first_mut()?.bytes_mut();
    let at = Tcp::locate(first)?;
    at.set_len(first, total - at.ip);
    if let Some(to) = first.get_mut(at.tcp + 13) {
        *to = flags;
    }
    let pseudo = fold(at.pseudo_sum(first, total - at.tcp));
    put(first, at.tcp + 16, pseudo);
    let vnet = Vnet {
        checksum: Some(Checksum { start: u16::try_from(at.tcp).ok()?, offset: 16 }),
        segment: Some(u16::try_from(at.end - at.payload).ok()?),
        v6: at.v6,
        header_len: u16::try_from(at.payload).ok()?,
    };
    Some((vnet, parts))
}

fn flags(frame: &[u8], at: Tcp) -> u8 {
    frame.get(at.tcp + 13).copied().unwrap_or(0)
}

/// Everything that must be equal in neighbouring segments of one stream. `distance` is how far
/// they are apart.
fn same_stream(a: &[u8], b: &[u8], at: Tcp, its: Tcp, distance: usize) -> bool {
    let equal = |from: usize, to: usize| a.get(from..to) == b.get(from..to);
    if (at.ip, at.v6, at.tcp, at.payload) != (its.ip, its.v6, its.tcp, its.payload) {
        return false;
    }
    let ip = at.ip;
    let same_ip = if at.v6 {
        equal(ip, ip + 4) && equal(ip + 6, ip + 40)
    } else {
        let id = |f: &[u8]| f.get(ip + 4..ip + 6).map_or(0, |b| u16::from_be_bytes([b[0], b[1]]));
        let may_not_fragment = a.get(ip + 6).is_some_and(|f| f & 0x40 != 0);
        // The numbers are made anew if the whole is cut again; without "don't fragment" they
        // must come out as they were.
        let same_id = may_not_fragment || id(b) == id(a).wrapping_add(distance as u16);
        same_id && equal(ip, ip + 2) && equal(ip + 6, ip + 10) && equal(ip + 12, ip + 20)
    };
    // Ethernet header and tag; ports; acknowledged number and length; window; options.
    let tcp = at.tcp;
    same_ip
        && equal(0, ip)
        && equal(tcp, tcp + 4)
        && equal(tcp + 8, tcp + 13)
        && equal(tcp + 14, tcp + 16)
        && equal(tcp + 18, at.payload)
}

/// True if the TCP checksum is right.
fn verifies(frame: &[u8], at: Tcp) -> bool {
    let segment = frame.get(at.tcp..at.end).unwrap_or_default();
    fold(at.pseudo_sum(frame, segment.len()) + sum(segment)) == 0xffff
}

const TCP: u8 = 6;
const FIN: u8 = 0x01;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;

#[cfg(test)]
mod tests {
    use super::*;

    /// A finished segment in IPv4 or IPv6, with a timestamp option, untagged or tagged.
    fn tcp(v6: bool, tagged: bool, seqno: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
        let mut f = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
        if tagged {
            f.extend([0x81, 0, 0, 5]);
        }
        let segment_len = 32 + payload.len();
        if v6 {
            f.extend([0x86, 0xdd, 0x60, 1, 2, 3]);
            f.extend(u16::try_from(segment_len).unwrap().to_be_bytes());
            f.extend([6, 64]);
            f.extend([0xfd; 32]);
        } else {
            f.extend([8, 0, 0x45, 0]);
            f.extend(u16::try_from(20 + segment_len).unwrap().to_be_bytes());
            f.extend([0x12, 0x34, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
        }
        f.extend([0x30, 0x39, 0, 80]);
        f.extend(seqno.to_be_bytes());
        f.extend([0, 0, 0, 9, 0x80, flags, 1, 0, 0, 0, 0, 0, 1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2]);
        f.extend(payload);
        let at = Tcp::locate(&f).unwrap();
        at.set_len(&mut f, at.end - at.ip);
        let pseudo = fold(at.pseudo_sum(&f, segment_len));
        put(&mut f, at.tcp + 16, pseudo);
        assert!(complete(&mut f, at.tcp, at.tcp + 16));
        assert!(verifies(&f, at));
        f
    }

    fn bytes(n: usize) -> Vec<u8> {
        (0..n).map(|i| (i * 31 + i / 255) as u8).collect()
    }

    /// Cuts the whole into frames.
    fn cut(whole: &[u8], v6: bool, size: u16) -> Vec<Frame> {
        let vnet = Vnet { segment: Some(size), v6, ..Vnet::default() };
        let mut out = Vec::new();
        assert!(segment(&vnet, whole, || Frame::with_space(2048), |f| out.push(f)));
        out
    }

    #[test]
    fn what_is_cut_can_be_put_together_again() {
        for (v6, tagged) in [(false, false), (false, true), (true, false), (true, true)] {
            for len in [1, 999, 1000, 1001, 5000, 30_001] {
                let payload = bytes(len);
                let whole = tcp(v6, tagged, u32::MAX - 1500, ACK | PSH, &payload);
                let mut frames = cut(&whole, v6, 1000);
                assert_eq!(frames.len(), len.div_ceil(1000));
                for (n, frame) in frames.iter().enumerate() {
                    let at = Tcp::locate(frame.bytes()).unwrap();
                    assert!(verifies(frame.bytes(), at), "segment {n}");
                    assert_eq!(frame.len(), at.end);
                    if !v6 {
                        assert_eq!(fold(sum(&frame.bytes()[at.ip..at.tcp])), 0xffff, "IPv4 checksum of {n}");
                    }
                    assert_eq!(seqno(frame.bytes(), at.tcp), (u32::MAX - 1500).wrapping_add(n as u32 * 1000));
                    let pushes = flags(frame.bytes(), at) & PSH != 0;
                    assert_eq!(pushes, n + 1 == frames.len(), "only the last pushes");
                }
                if frames.len() < 2 {
                    continue;
                }
                assert_eq!(mergeable(&frames), frames.len());
                let (vnet, parts) = merge(&mut frames).unwrap();
                assert_eq!((vnet.segment, vnet.v6), (Some(1000), v6));
                let mut again = Vec::new();
                for (frame, (from, to)) in frames.iter().zip(parts) {
                    again.extend(&frame.bytes()[from..to]);
                }
                assert!(finish_checksum(&mut again, vnet.checksum.unwrap()));
                assert_eq!(again, whole, "v6 {v6} tagged {tagged} {len} bytes");
            }
        }
    }

    #[test]
    fn strangers_are_not_merged() {
        let stream = |n: u32| tcp(false, false, 1000 + n * 500, ACK, &bytes(500));
        let pair = |a: Vec<u8>, b: Vec<u8>| mergeable(&[Frame::copy_of(&a), Frame::copy_of(&b)]);
        assert_eq!(pair(stream(0), stream(1)), 2);
        assert_eq!(pair(stream(0), stream(2)), 1, "a gap");
        assert_eq!(pair(stream(1), stream(0)), 1, "backwards");
        assert_eq!(pair(stream(0), tcp(false, false, 1500, ACK, &bytes(501))), 1, "longer than the first");
        assert_eq!(pair(stream(0), tcp(false, false, 1500, ACK, &bytes(20))), 2, "a short last one");
        assert_eq!(pair(stream(0), tcp(false, false, 1500, ACK, &[])), 1, "nothing in it");
        assert_eq!(pair(stream(0), tcp(false, false, 1500, ACK | FIN, &bytes(500))), 1, "the end of a stream");
        assert_eq!(pair(tcp(false, false, 1000, ACK | PSH, &bytes(500)), stream(1)), 1, "the first pushes");
        // Destination, tag or type of service, addresses, ports, acknowledgement, window, options.
        for at in [0, 6, 15, 26, 33, 34, 37, 45, 49, 65] {
            let mut other = stream(1);
            other[at] ^= 1;
            let tcp_at = Tcp::locate(&other).unwrap();
            put(&mut other, 50, 0);
            let pseudo = fold(tcp_at.pseudo_sum(&other, 532));
            put(&mut other, 50, pseudo);
            complete(&mut other, 34, 50);
            assert_eq!(pair(stream(0), other), 1, "byte {at} differs");
        }
        let mut damaged = stream(1);
        damaged[300] ^= 1;
        assert_eq!(pair(stream(0), damaged.clone()), 1, "wrong checksum");
        assert_eq!(pair(damaged, stream(2)), 1, "wrong checksum in front");
        assert_eq!(mergeable(&[]), 0);
        for len in 0..stream(0).len() {
            assert_eq!(mergeable(&[Frame::copy_of(&stream(0)[..len]), Frame::copy_of(&stream(1)[..len])]), 1);
        }
    }

    #[test]
    fn padding_is_not_payload() {
        let mut last = tcp(false, false, 1500, ACK, &bytes(3));
        last.resize(80, 0xee);
        let mut frames = [Frame::copy_of(&tcp(false, false, 1000, ACK, &bytes(500))), Frame::copy_of(&last)];
        assert_eq!(mergeable(&frames), 2);
        let (_, parts) = merge(&mut frames).unwrap();
        assert_eq!(parts[1], (66, 69));
    }

    #[test]
    fn long_streams_stay_within_an_ip_packet() {
        let frames: Vec<Frame> =
            (0..60).map(|n| Frame::copy_of(&tcp(false, false, n * 1448, ACK, &bytes(1448)))).collect();
        let n = mergeable(&frames);
        assert_eq!(n, 45, "45 x 1448 + 52 is the most below 65535");
        assert_eq!(mergeable(&frames[n..]), 15);
        assert!(!segment(&Vnet::default(), frames[0].bytes(), Frame::default, |_| ()), "nothing to cut");
    }
}
