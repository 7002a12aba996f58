//! Values as ubus packs them: attributes with a length, nested, all numbers big-endian.
//!
//! ```text
//! attribute      u32  extended<<31 | id<<24 | length with these four bytes    payload, padded to 4
//! named value    an attribute that is extended, its id the type; payload:
//!                u16 length of the name · name · NUL · padding to 4 · value
//! ```

/// Types of named values.
pub(super) mod kind {
    pub(in crate::ubus) const ARRAY: u8 = 1;
    pub(in crate::ubus) const TABLE: u8 = 2;
    pub(in crate::ubus) const STRING: u8 = 3;
    pub(in crate::ubus) const INT64: u8 = 4;
    pub(in crate::ubus) const INT32: u8 = 5;
    pub(in crate::ubus) const INT8: u8 = 7;
    pub(in crate::ubus) const DOUBLE: u8 = 8;
}

const EXTENDED: u32 = 1 << 31;
const LENGTH: u32 = 0x00ff_ffff;

/// Attributes in the making.
#[derive(Debug, Default)]
pub(super) struct Blob(Vec<u8>);

/// Where an attribute begins that is not finished yet.
#[derive(Debug)]
#[must_use = "the attribute has no length until it ends"]
pub(super) struct Open(usize);

impl Blob {
    /// Begins an attribute; others may follow inside it until [`Blob::end`].
    pub(super) fn open(&mut self, id: u8) -> Open {
        self.begin(u32::from(id) << 24)
    }

    /// Begins a named value.
    pub(super) fn open_named(&mut self, kind: u8, name: &str) -> Open {
        let open = self.begin(EXTENDED | u32::from(kind) << 24);
        let name = name.as_bytes().get(..usize::from(u16::MAX)).unwrap_or(name.as_bytes());
        // Cut to what the field holds, above.
        self.0.extend(u16::try_from(name.len()).unwrap_or(u16::MAX).to_be_bytes());
        self.0.extend(name);
        self.0.push(0);
        self.pad();
        open
    }

    fn begin(&mut self, head: u32) -> Open {
        let open = Open(self.0.len());
        self.0.extend(head.to_be_bytes());
        open
    }

    /// Ends an attribute.
    pub(super) fn end(&mut self, open: Open) {
        let length = u32::try_from(self.0.len() - open.0).unwrap_or(LENGTH) & LENGTH;
        if let Some(head) = self.0.get_mut(open.0..open.0 + 4) {
            for (to, from) in head.iter_mut().zip(length.to_be_bytes()) {
                *to |= from;
            }
        }
        self.pad();
    }

    /// Bytes of the attribute that is open.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// A whole attribute.
    pub(super) fn put(&mut self, id: u8, bytes: &[u8]) {
        let open = self.open(id);
        self.bytes(bytes);
        self.end(open);
    }

    /// A whole attribute with a text.
    pub(super) fn text(&mut self, id: u8, text: &str) {
        let open = self.open(id);
        self.bytes(text.as_bytes());
        self.bytes(&[0]);
        self.end(open);
    }

    /// A whole named value.
    pub(super) fn put_named(&mut self, kind: u8, name: &str, bytes: &[u8]) {
        let open = self.open_named(kind, name);
        self.bytes(bytes);
        self.end(open);
    }

    fn pad(&mut self) {
        self.0.resize(self.0.len().next_multiple_of(4), 0);
    }

    /// How far it is.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Takes back what came after `len`, whole attributes.
    pub(super) fn cut(&mut self, len: usize) {
        self.0.truncate(len);
    }

    /// The finished bytes.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// An attribute that was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Attr<'b> {
    /// Its number, or the type of a named value.
    pub(super) id: u8,
    /// What it holds, without padding.
    pub(super) bytes: &'b [u8],
}

impl<'b> Attr<'b> {
    /// A number of four bytes or less.
    pub(super) fn number(self) -> Option<u32> {
        (1..=4).contains(&self.bytes.len()).then(|| self.bytes.iter().fold(0, |n, b| n << 8 | u32::from(*b)))
    }

    /// A text, without its NUL.
    pub(super) fn text(self) -> Option<&'b str> {
        str::from_utf8(self.bytes.strip_suffix(&[0])?).ok()
    }

    /// Name and value of a named value.
    pub(super) fn named(self) -> Option<(&'b str, Self)> {
        let length = usize::from(u16::from_be_bytes([*self.bytes.first()?, *self.bytes.get(1)?]));
        let name = str::from_utf8(self.bytes.get(2..2 + length)?).ok()?;
        let value = self.bytes.get((2 + length + 1).next_multiple_of(4)..)?;
        Some((name, Self { bytes: value, ..self }))
    }
}

/// The attributes in `bytes`, up to the first that is cut short.
pub(super) fn attrs(mut bytes: &[u8]) -> impl Iterator<Item = Attr<'_>> {
    std::iter::from_fn(move || {
        let head = u32::from_be_bytes(*bytes.first_chunk()?);
        let length = usize::try_from(head & LENGTH).ok()?;
        let attr = Attr { id: (head >> 24) as u8 & 0x7f, bytes: bytes.get(4..length)? };
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(attr)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut blob = Blob::default();
        blob.put(3, &7u32.to_be_bytes());
        blob.text(4, "ab");
        let open = blob.open(7);
        blob.put_named(kind::STRING, "name", b"x\0");
        blob.put_named(kind::INT32, "", &9u32.to_be_bytes());
        blob.end(open);
        let bytes = blob.into_bytes();
        let all: Vec<Attr<'_>> = attrs(&bytes).collect();
        assert_eq!((all[0].id, all[0].number()), (3, Some(7)));
        assert_eq!((all[1].id, all[1].text()), (4, Some("ab")));
        let inner: Vec<_> = attrs(all[2].bytes).map(|a| (a.id, a.named().unwrap())).collect();
        assert_eq!((inner[0].0, inner[0].1.0, inner[0].1.1.text()), (kind::STRING, "name", Some("x")));
        assert_eq!((inner[1].0, inner[1].1.0, inner[1].1.1.number()), (kind::INT32, "", Some(9)));
    }

    #[test]
    fn bytes_cut_short_end_the_list() {
        let mut blob = Blob::default();
        blob.text(2, "mesh");
        let bytes = blob.into_bytes();
        for end in 0..bytes.len() {
            let found: Vec<_> = attrs(&bytes[..end]).collect();
            // The padding alone may be missing.
            assert!(found.is_empty() || end >= 9, "{end}: {found:?}");
        }
        assert_eq!(attrs(&[0; 8]).count(), 0, "a length of nothing leads nowhere");
        assert_eq!(attrs(&[0x80, 0, 0, 3, 0]).count(), 0);
        let odd = Attr { id: 1, bytes: &[0, 200, b'a'] };
        assert_eq!((odd.named(), odd.text(), Attr { id: 1, bytes: &[] }.number()), (None, None, None));
    }
}
