//! The bytes of netlink messages: a builder, and readers that never run over the end.
//!
//! ```text
//! | length 4 | type 2 | flags 2 | sequence 4 | port 4 | family header | attributes ... |
//! attribute: | length 2 | type 2 | value | padding to 4 |
//! ```
//! All numbers are in the machine's byte order. Source: netlink(7), rtnetlink(7).

/// Length of the header of every message.
pub const HEADER_LEN: usize = 16;
/// Length of `struct ifinfomsg`, the family header of link messages.
pub const IFINFO_LEN: usize = 16;

/// A message under construction.
#[derive(Debug, Clone)]
pub struct Message {
    buf: Vec<u8>,
}

impl Message {
    /// A message of this type; `NLM_F_REQUEST` is set beside `flags`.
    pub fn new(kind: u16, flags: u16) -> Self {
        let mut buf = vec![0; HEADER_LEN];
        put(&mut buf, 4, &kind.to_ne_bytes());
        put(&mut buf, 6, &(flags | REQUEST).to_ne_bytes());
        Self { buf }
    }

    /// A link message: interface 0 means by name, or all; `change` says which bits of `flags`
    /// count.
    pub fn link(kind: u16, flags: u16, ifindex: u32, if_flags: u32, change: u32) -> Self {
        let mut message = Self::new(kind, flags);
        message.buf.extend([0; 4]); // family, padding, hardware type
        message.buf.extend(ifindex.to_ne_bytes());
        message.buf.extend(if_flags.to_ne_bytes());
        message.buf.extend(change.to_ne_bytes());
        message
    }

    /// Appends raw bytes: the family header of a message that is not about a link.
    #[must_use]
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.buf.extend(bytes);
        self
    }

    /// Appends an attribute.
    #[must_use]
    pub fn attr(mut self, kind: u16, value: &[u8]) -> Self {
        let at = self.open(kind);
        self.buf.extend(value);
        self.close(at);
        self
    }

    /// Appends a text attribute with its terminating zero.
    #[must_use]
    pub fn text(self, kind: u16, value: &str) -> Self {
        let mut bytes = value.as_bytes().to_vec();
        bytes.push(0);
        self.attr(kind, &bytes)
    }

    /// Appends an attribute that consists of what `inside` appends.
    #[must_use]
    pub fn nest(mut self, kind: u16, inside: impl FnOnce(Self) -> Self) -> Self {
        let at = self.open(kind);
        self = inside(self);
        self.close(at);
        self
    }

    /// The finished bytes.
    pub fn finish(mut self, sequence: u32) -> Vec<u8> {
        let len = u32::try_from(self.buf.len()).unwrap_or(u32::MAX);
        put(&mut self.buf, 0, &len.to_ne_bytes());
        put(&mut self.buf, 8, &sequence.to_ne_bytes());
        self.buf
    }

    fn open(&mut self, kind: u16) -> usize {
        let at = self.buf.len();
        self.buf.extend([0; 2]);
        self.buf.extend(kind.to_ne_bytes());
        at
    }

    fn close(&mut self, at: usize) {
        let len = u16::try_from(self.buf.len() - at).unwrap_or(u16::MAX);
        put(&mut self.buf, at, &len.to_ne_bytes());
        self.buf.resize(self.buf.len().next_multiple_of(4), 0);
    }
}

fn put(buf: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(to) = buf.get_mut(at..at + bytes.len()) {
        to.copy_from_slice(bytes);
    }
}

/// One message out of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received<'a> {
    /// Message type.
    pub kind: u16,
    /// Sequence number of the request it answers, 0 for news.
    pub sequence: u32,
    /// Everything behind the header.
    pub body: &'a [u8],
}

/// The messages of a datagram; ends at the first that does not fit.
pub fn messages(mut datagram: &[u8]) -> impl Iterator<Item = Received<'_>> {
    std::iter::from_fn(move || {
        let len = usize::try_from(u32_at(datagram, 0)?).ok()?;
        let message = datagram.get(..len).filter(|_| len >= HEADER_LEN)?;
        datagram = datagram.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some(Received {
            kind: u16_at(message, 4)?,
            sequence: u32_at(message, 8)?,
            body: message.get(HEADER_LEN..).unwrap_or_default(),
        })
    })
}

/// Type and value of every attribute; ends at the first that does not fit.
pub fn attrs(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let len = usize::from(u16_at(bytes, 0)?);
        let value = bytes.get(4..len)?;
        // The upper two bits say "nested" and "network order".
        let kind = u16_at(bytes, 2)? & 0x3fff;
        bytes = bytes.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// The number at an offset, `None` past the end.
pub fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

/// The number at an offset, `None` past the end.
pub fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

const REQUEST: u16 = 1; // NLM_F_REQUEST

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_reads_back() {
        let bytes = Message::link(16, 4, 7, 1, 1)
            .text(3, "mesh0")
            .nest(18, |m| m.text(1, "veth").nest(2, |m| m.attr(1, &[9; 5])))
            .attr(4, &1500u32.to_ne_bytes())
            .finish(42);
        let all: Vec<_> = messages(&bytes).collect();
        assert_eq!(all.len(), 1);
        assert_eq!((all[0].kind, all[0].sequence, u32_at(all[0].body, 4)), (16, 42, Some(7)));
        let top: Vec<_> = attrs(&all[0].body[IFINFO_LEN..]).collect();
        assert_eq!(top.iter().map(|a| a.0).collect::<Vec<_>>(), [3, 18, 4]);
        assert_eq!(top[0].1, b"mesh0\0");
        assert_eq!(u32_at(top[2].1, 0), Some(1500));
        let inner: Vec<_> = attrs(top[1].1).collect();
        assert_eq!(inner[0], (1, &b"veth\0"[..]));
        assert_eq!(attrs(inner[1].1).next(), Some((1, &[9; 5][..])));
    }

    #[test]
    fn cut_bytes_end_quietly() {
        let bytes = Message::link(16, 0, 1, 0, 0).text(3, "lo").attr(4, &[1, 2, 3, 4]).finish(1);
        for len in 0..bytes.len() {
            assert_eq!(messages(&bytes[..len]).count(), 0);
            let _ = attrs(&bytes[HEADER_LEN..len.max(HEADER_LEN)]).count();
        }
        assert_eq!(attrs(&[0, 0, 0, 0, 0, 0]).count(), 0, "length zero cannot loop");
        assert_eq!(messages(&[0; 64]).count(), 0);
    }
}
