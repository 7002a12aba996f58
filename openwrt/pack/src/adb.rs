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
