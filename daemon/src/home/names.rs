//! Names below `.mesh`: of nodes, and of clients that got their address by DHCP.
//!
//! ```text
//! phone ─ DNS ─▶ dnsmasq ─ "roof.mesh", not mine ─▶ we ─ multicast in the mesh: who is "roof"? ─▶ all nodes
//!                                                   we ◀─ unicast: 10.65.4.1, fd…               ─ the one called so
//! ```
//!
//! Nobody keeps a list of the whole mesh, and nothing is sent while nobody asks. The question is no DNS: it goes to
//! nodes alone, whose bridges let it in from nodes alone (`guard.nft`).
//!
//! ```text
//! off 0  4  magic "MwN1"
//! off 4  1  1 question, 2 answer
//! off 5  4  number of the question, repeated in the answer
//! off 9  1  length of the name, then the name in small letters
//! off …  16 per address, IPv4 mapped into IPv6; in answers only, at most 8
//! ```

use std::net::{IpAddr, Ipv6Addr};

const MAGIC: &[u8; 4] = b"MwN1";
const QUESTION: u8 = 1;
const ANSWER: u8 = 2;
const HEAD: usize = 10;
const MAX_ADDRESSES: usize = 8;
/// Longest message.
pub(super) const MAX: usize = HEAD + 63 + 16 * MAX_ADDRESSES;
/// The group of all nodes, on their link: "Mw".
pub(super) const GROUP: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x4d77);

/// A message between nodes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message {
    /// Number of the question.
    pub(super) id: u32,
    /// The name, without `.mesh`.
    pub(super) name: String,
    /// Whose addresses; `None` in a question.
    pub(super) addresses: Option<Vec<IpAddr>>,
}

impl Message {
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(MAGIC)?;
        let (&[kind, i0, i1, i2, i3, length], rest) = rest.split_first_chunk::<6>()?;
        let (name, rest) = rest.split_at_checked(usize::from(length))?;
        let name = std::str::from_utf8(name).ok().filter(|n| is_name(n))?.to_owned();
        let addresses = match kind {
            QUESTION if rest.is_empty() => None,
            ANSWER if rest.len() % 16 == 0 && (1..=MAX_ADDRESSES).contains(&(rest.len() / 16)) => {
                let one = |a: &[u8]| Some(Ipv6Addr::from(<[u8; 16]>::try_from(a).ok()?).to_canonical());
                Some(rest.chunks_exact(16).filter_map(one).collect())
            }
            _ => return None,
        };
        Some(Self { id: u32::from_be_bytes([i0, i1, i2, i3]), name, addresses })
    }

    pub(super) fn emit(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.push(if self.addresses.is_some() { ANSWER } else { QUESTION });
        out.extend(self.id.to_be_bytes());
        out.push(u8::try_from(self.name.len()).unwrap_or(0));
        out.extend(self.name.as_bytes());
        for address in self.addresses.iter().flatten().take(MAX_ADDRESSES) {
            let six = match address {
                IpAddr::V4(a) => a.to_ipv6_mapped(),
                IpAddr::V6(a) => *a,
            };
            out.extend(six.octets());
        }
        out
    }
}

/// True of what can be one label of a name, in small letters.
pub(super) fn is_name(name: &str) -> bool {
    (1..=63).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
}

/// Addresses of a client's name in dnsmasq's list of leases: "end MAC address name id", a line each.
pub(super) fn leased(leases: &str, name: &str) -> Vec<IpAddr> {
    let of = |line: &str| {
        let mut words = line.split_ascii_whitespace().skip(2);
        let (address, called) = (words.next()?.parse().ok()?, words.next()?);
        called.eq_ignore_ascii_case(name).then_some(address)
    };
    leases.lines().filter_map(of).take(MAX_ADDRESSES).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_there_and_back() {
        let question = Message { id: 7, name: "roof".to_owned(), addresses: None };
        let some = vec!["10.64.4.1".parse().unwrap(), "fd12::1".parse().unwrap()];
        let answer = Message { id: 7, name: "roof".to_owned(), addresses: Some(some) };
        for m in [question, answer] {
            let bytes = m.emit();
            assert!(bytes.len() <= MAX);
            assert_eq!(Message::parse(&bytes).unwrap(), m);
            for end in 0..bytes.len() {
                let cut = Message::parse(&bytes[..end]);
                // An answer that lost one address whole is still one.
                assert!(cut.is_none() || (end == bytes.len() - 16 && cut.unwrap().addresses.unwrap().len() == 1));
            }
        }
        let long = [&Message { id: 1, name: "a".into(), addresses: None }.emit()[..], &[0; 16 * 9]].concat();
        assert_eq!(Message::parse(&long), None);
        assert_eq!(Message::parse(&Message { id: 1, name: "A b".into(), addresses: None }.emit()), None);
    }

    #[test]
    fn leases_as_dnsmasq_writes_them() {
        let list = "1700000000 02:00:00:00:00:01 10.64.4.7 Phone 01:02:00:00:00:00:01\n\
                    1700000000 02:00:00:00:00:02 10.64.4.8 * *\nduid 00:01\n1700000000 77 fd00::7 phone 00\n";
        assert_eq!(leased(list, "phone").len(), 2);
        assert_eq!(leased(list, "phone")[0].to_string(), "10.64.4.7");
        assert!(leased(list, "tv").is_empty());
    }
}
