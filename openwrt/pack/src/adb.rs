//! The tree of values inside an .apk of version 3: integers, blobs, arrays and objects, each written
//! once and named by its offset from then on. All little-endian.

/// A value as it stands in a slot: its type in the high four bits, a small number or an offset in the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Value(u32);

impl Value {
    /// Nothing. Null slots at the end of an object are not written.
    pub(crate) const NULL: Self = Self(0);
}

const INT: u32 = 0x1000_0000;
const INT_32: u32 = 0x2000_0000;
const INT_64: u32 = 0x3000_0000;
const BLOB_8: u32 = 0x8000_0000;
const BLOB_16: u32 = 0x9000_0000;
const BLOB_32: u32 = 0xa000_0000;
const ARRAY: u32 = 0xd000_0000;
const OBJECT: u32 = 0xe000_0000;

/// Compatibility and version bytes, padding, and the value of the root.
const HEADER: usize = 8;

/// The payload of an ADB block in the making.
pub(crate) struct Adb {
    bytes: Vec<u8>,
}

impl Adb {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self { bytes: vec![0; HEADER] }
    }

    /// A number.
    pub(crate) fn int(&mut self, n: u64) -> Value {
        match u32::try_from(n) {
            Ok(n) if n < 1 << 28 => Value(INT | n),
            Ok(n) => self.put(INT_32, 4, &n.to_le_bytes()),
            Err(_) => self.put(INT_64, 4, &n.to_le_bytes()),
        }
    }

    /// Bytes, or text.
    ///
    /// # Panics
    /// Above 4 GiB, which no package of ours reaches.
    pub(crate) fn blob(&mut self, bytes: &[u8]) -> Value {
        let (kind, align, mut whole) = match bytes.len() {
            n @ ..=0xff => (BLOB_8, 1, vec![n as u8]),
            n @ ..=0xffff => (BLOB_16, 2, (n as u16).to_le_bytes().to_vec()),
            n => {
                #[expect(clippy::expect_used, reason = "stated above")]
                let n = u32::try_from(n).expect("a blob under 4 GiB");
                (BLOB_32, 4, n.to_le_bytes().to_vec())
            }
        };
        whole.extend_from_slice(bytes);
        self.put(kind, align, &whole)
    }

    /// Text, or null where there is none.
    pub(crate) fn text(&mut self, text: &str) -> Value {
        if text.is_empty() { Value::NULL } else { self.blob(text.as_bytes()) }
    }

    /// An array of values written before; null where it is empty.
    pub(crate) fn array(&mut self, values: &[Value]) -> Value {
        self.slots(ARRAY, values)
    }

    /// An object: slot 1 is `values[0]`, and so on. Null where every slot is null.
    pub(crate) fn object(&mut self, values: &[Value]) -> Value {
        let used = values.iter().rposition(|v| *v != Value::NULL).map_or(0, |last| last + 1);
        self.slots(OBJECT, &values[..used])
    }

    fn slots(&mut self, kind: u32, values: &[Value]) -> Value {
        if values.is_empty() {
            return Value::NULL;
        }
        let mut whole = (values.len() as u32 + 1).to_le_bytes().to_vec();
        for value in values {
            whole.extend_from_slice(&value.0.to_le_bytes());
        }
        self.put(kind, 4, &whole)
    }

    fn put(&mut self, kind: u32, align: usize, bytes: &[u8]) -> Value {
        self.bytes.resize(self.bytes.len().next_multiple_of(align), 0);
        let at = self.bytes.len() as u32;
        self.bytes.extend_from_slice(bytes);
        Value(kind | at)
    }

    /// Where the bytes of a blob of less than 256 bytes begin in the payload.
    pub(crate) fn bytes_of(value: Value) -> usize {
        (value.0 & 0x0fff_ffff) as usize + 1
    }

    /// The finished payload.
    pub(crate) fn finish(mut self, root: Value) -> Vec<u8> {
        self.bytes[4..HEADER].copy_from_slice(&root.0.to_le_bytes());
        self.bytes
    }
}

/// An object or an array in a payload that was read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Object<'p> {
    payload: &'p [u8],
    at: usize,
}

impl<'p> Object<'p> {
    /// What the whole payload is.
    pub(crate) fn root(payload: &'p [u8]) -> Option<Self> {
        Self::of(payload, word(payload, 4)?)
    }

    fn of(payload: &'p [u8], value: u32) -> Option<Self> {
        let kind = value & 0xf000_0000;
        (kind == OBJECT || kind == ARRAY).then_some(Self { payload, at: offset(value) })
    }

    /// Number of its slots, or of its elements.
    pub(crate) fn slots(self) -> usize {
        word(self.payload, self.at).map_or(0, |n| n.saturating_sub(1).min(1 << 16) as usize)
    }

    fn slot(self, slot: usize) -> u32 {
        if slot > self.slots() { 0 } else { word(self.payload, self.at + 4 * slot).unwrap_or(0) }
    }

    /// What stands in a slot, if that is an object or array.
    pub(crate) fn object(self, slot: usize) -> Option<Self> {
        Self::of(self.payload, self.slot(slot))
    }

    /// Bytes in a slot.
    pub(crate) fn blob(self, slot: usize) -> Option<&'p [u8]> {
        let value = self.slot(slot);
        let at = offset(value);
        let (length, head) = match value & 0xf000_0000 {
            BLOB_8 => (usize::from(*self.payload.get(at)?), 1),
            BLOB_16 => (usize::from(self.short(at)?), 2),
            BLOB_32 => (word(self.payload, at)? as usize, 4),
            _ => return None,
        };
        self.payload.get(at + head..)?.get(..length)
    }

    fn short(self, at: usize) -> Option<u16> {
        Some(u16::from_le_bytes(self.payload.get(at..at + 2)?.try_into().ok()?))
    }

    /// Number in a slot.
    pub(crate) fn int(self, slot: usize) -> Option<u64> {
        let value = self.slot(slot);
        match value & 0xf000_0000 {
            INT => Some(u64::from(value & 0x0fff_ffff)),
            INT_32 => word(self.payload, offset(value)).map(u64::from),
            INT_64 => Some(
                u64::from(word(self.payload, offset(value))?) | u64::from(word(self.payload, offset(value) + 4)?) << 32,
            ),
            _ => None,
        }
    }

    /// Writes what stands in a slot once more, with all below it. `None` when it is damaged.
    pub(crate) fn copy(self, slot: usize, to: &mut Adb) -> Option<Value> {
        self.copy_down(slot, to, 8)
    }

    fn copy_down(self, slot: usize, to: &mut Adb, depth: usize) -> Option<Value> {
        let value = self.slot(slot);
        let kind = value & 0xf000_0000;
        match kind {
            0 => Some(Value::NULL),
            INT | INT_32 | INT_64 => self.int(slot).map(|n| to.int(n)),
            BLOB_8 | BLOB_16 | BLOB_32 => self.blob(slot).map(|bytes| to.blob(bytes)),
            ARRAY | OBJECT => {
                let inner = self.object(slot).filter(|_| depth > 0)?;
                let mut values = Vec::new();
                for slot in 1..=inner.slots() {
                    values.push(inner.copy_down(slot, to, depth - 1)?);
                }
                Some(to.slots(kind, &values))
            }
            _ => None,
        }
    }
}

fn offset(value: u32) -> usize {
    (value & 0x0fff_ffff) as usize
}

fn word(payload: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(payload.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_take_the_smallest_form() {
        let mut adb = Adb::new();
        assert_eq!(adb.int(0x0fff_ffff).0, 0x1fff_ffff);
        assert_eq!(adb.int(0x1000_0000).0, 0x2000_0008);
        assert_eq!(adb.int(1 << 40).0, 0x3000_000c);
    }

    #[test]
    fn blobs_are_aligned_to_the_size_of_their_length() {
        let mut adb = Adb::new();
        assert_eq!(adb.blob(&[1]).0, 0x8000_0008);
        assert_eq!(adb.blob(&[0; 2]).0, 0x8000_000a);
        assert_eq!(adb.blob(&[0; 256]).0, 0x9000_000e);
        assert_eq!(adb.blob(&[0; 65536]).0, 0xa000_0110);
    }

    #[test]
    fn nulls_at_the_end_are_cut_and_an_empty_object_is_null() {
        let mut adb = Adb::new();
        let one = adb.int(1);
        let cut = adb.object(&[Value::NULL, one, Value::NULL]);
        let payload = adb.finish(cut);
        assert_eq!(payload[8..], [3, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0x10]);
        let mut adb = Adb::new();
        assert_eq!(adb.object(&[Value::NULL; 3]), Value::NULL);
        assert_eq!(adb.array(&[]), Value::NULL);
    }
}
