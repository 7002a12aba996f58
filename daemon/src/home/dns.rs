//! As much of DNS as a name server needs that knows addresses of names and nothing else. Source: RFC 1035.

use std::net::IpAddr;

/// Longest question that is read: one name of 255 bytes.
pub(super) const MAX: usize = 512;
const HEADER: usize = 12;
const IN: u16 = 1;
const A: u16 = 1;
const AAAA: u16 = 28;
const ANY: u16 = 255;
/// Seconds for which an answer holds: who moves is found again soon.
const TTL: u32 = 30;

/// A question for the addresses of a name.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Question<'b> {
    /// The name in small letters, labels with dots between them.
    pub(super) name: String,
    kind: u16,
    /// Header and question as they came.
    bytes: &'b [u8],
}

/// Reads a question; `None` where it is none, has several, or is of another class than IN.
pub(super) fn parse(bytes: &[u8]) -> Option<Question<'_>> {
    let (&[_, _, flags, _, 0, 1, _, _, _, _, _, _], mut rest) = bytes.split_first_chunk::<HEADER>()? else {
        return None;
    };
    // A query with the standard operation.
    if flags & 0xf8 != 0 {
        return None;
    }
    let mut name = String::new();
    loop {
        let (&length, tail) = rest.split_first()?;
        if length == 0 {
            rest = tail;
            break;
        }
        // Questions have no pointers.
        let label = tail.get(..usize::from(length)).filter(|_| length < 64)?;
        if !label.iter().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(b)) {
            return None;
        }
        if !name.is_empty() {
            name.push('.');
        }
        name.extend(label.iter().map(|b| char::from(b.to_ascii_lowercase())));
        rest = tail.get(usize::from(length)..)?;
    }
    let &[k0, k1, c0, c1, ..] = rest else { return None };
    if u16::from_be_bytes([c0, c1]) != IN || name.len() > 253 {
        return None;
    }
    let used = bytes.len() - rest.len() + 4;
    Some(Question { name, kind: u16::from_be_bytes([k0, k1]), bytes: bytes.get(..used)? })
}

/// The answer to a question: these addresses, or that nobody has the name.
pub(super) fn answer(question: &Question<'_>, addresses: &[IpAddr]) -> Vec<u8> {
    let mut out = question.bytes.to_vec();
    let fits = |a: &&IpAddr| match question.kind {
        A => a.is_ipv4(),
        AAAA => a.is_ipv6(),
        kind => kind == ANY,
    };
    let found: Vec<&IpAddr> = addresses.iter().filter(fits).take(16).collect();
    // An answer with authority; its code is 3, "no such name", where nobody has it.
    let code = if addresses.is_empty() { 3 } else { 0 };
    let count = u8::try_from(found.len()).unwrap_or(0);
    let desired = out.get(2).copied().unwrap_or(0) & 1;
    let head = [0x84 | desired, code, 0, 1, 0, count, 0, 0, 0, 0];
    if let Some(place) = out.get_mut(2..HEADER) {
        place.copy_from_slice(&head);
    }
    for address in found {
        out.extend([0xc0, 12]);
        let (kind, data) = match address {
            IpAddr::V4(a) => (A, a.octets().to_vec()),
            IpAddr::V6(a) => (AAAA, a.octets().to_vec()),
        };
        out.extend(kind.to_be_bytes());
        out.extend(IN.to_be_bytes());
        out.extend(TTL.to_be_bytes());
        out.extend(u16::try_from(data.len()).unwrap_or(0).to_be_bytes());
        out.extend(data);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(kind: u16) -> Vec<u8> {
        let mut q = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1];
        q.extend(b"\x04Roof\x04mesh\0");
        q.extend(kind.to_be_bytes());
        q.extend([0, 1]);
        // What follows (EDNS) is left out of the answer.
        q.extend([0, 0, 41, 16, 0, 0, 0, 0, 0, 0, 0]);
        q
    }

    #[test]
    fn a_question_and_its_answers() {
        let bytes = question(A);
        let q = parse(&bytes).unwrap();
        assert_eq!(q.name, "roof.mesh");
        let all = ["10.64.0.1".parse().unwrap(), "fd00::1".parse().unwrap()];
        let said = answer(&q, &all);
        assert_eq!(said[..12], [0x12, 0x34, 0x85, 0, 0, 1, 0, 1, 0, 0, 0, 0]);
        assert_eq!(said[said.len() - 4..], [10, 64, 0, 1]);
        assert_eq!(said.len(), 12 + 11 + 4 + 16);
        let six = question(AAAA);
        assert_eq!(answer(&parse(&six).unwrap(), &all).len(), 12 + 11 + 4 + 28);
        assert_eq!(answer(&q, &[])[3], 3, "no such name");
        let mx = question(15);
        assert_eq!(answer(&parse(&mx).unwrap(), &all)[3..8], [0, 0, 1, 0, 0], "the name is there, but not that");
    }

    #[test]
    fn nonsense_is_no_question() {
        let good = question(A);
        for end in 0..good.len() - 11 {
            assert!(parse(&good[..end]).is_none() || end >= 27, "{end}");
        }
        let with = |at: usize, value: u8| {
            let mut bad = good.clone();
            bad[at] = value;
            parse(&bad).is_none()
        };
        assert!(with(2, 0x80), "an answer");
        assert!(with(5, 2), "two questions");
        assert!(with(12, 0xc0), "a pointer");
        assert!(with(13, b'\n'));
        assert!(with(26, 3), "another class");
    }
}
