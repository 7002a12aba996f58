//! JSON, as the node's own desk writes it, in ubus's form.
//!
//! As in OpenWrt's own `blobmsg_add_json`: whole numbers take 32 bits where they fit and else 64, `null` is left out.

use super::blob::{Blob, kind};

/// Which part of each list is wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page {
    /// So many are passed over.
    pub(super) offset: usize,
    /// So many follow at most.
    pub(super) limit: usize,
}

impl Page {
    /// Most entries of an answer: a message of ubus has at most 1 MiB.
    pub(super) const MOST: usize = 1000;
    /// Without a wish.
    pub(super) const USUAL: Self = Self { offset: 0, limit: 250 };
}

/// Nothing that a node says is nested as deeply.
const DEEPEST: usize = 16;

/// Writes the fields of the object `json` to `out`. Of each list right in it the page is taken, and its whole length
/// stands beside it as `NAME_total`. `None` when it is no JSON object.
pub(super) fn table(json: &[u8], out: &mut Blob, page: Page) -> Option<()> {
    let mut reader = Reader { rest: json };
    reader.token(b'{')?;
    reader.fields(out, |reader, name, out| match reader.peek()? {
        b'[' => reader.list(name, out, page),
        _ => reader.value(name, out, 1),
    })
}

struct Reader<'j> {
    rest: &'j [u8],
}

impl Reader<'_> {
    fn peek(&mut self) -> Option<u8> {
        self.rest = self.rest.trim_ascii_start();
        self.rest.first().copied()
    }

    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn token(&mut self, expected: u8) -> Option<()> {
        (self.peek()? == expected).then(|| self.rest = self.rest.get(1..).unwrap_or_default())
    }

    /// Whether another item follows, after `first` or a comma; false at the `end`.
    fn another(&mut self, first: bool, end: u8) -> Option<bool> {
        if self.token(end).is_some() {
            return Some(false);
        }
        if !first {
            self.token(b',')?;
        }
        Some(true)
    }

    fn fields(&mut self, out: &mut Blob, mut each: impl FnMut(&mut Self, &str, &mut Blob) -> Option<()>) -> Option<()> {
        let mut first = true;
        while self.another(first, b'}')? {
            first = false;
            let name = self.string()?;
            self.token(b':')?;
            each(self, &name, out)?;
        }
        Some(())
    }

    fn list(&mut self, name: &str, out: &mut Blob, page: Page) -> Option<()> {
        self.token(b'[')?;
        let open = out.open_named(kind::ARRAY, name);
        let mut total = 0usize;
        while self.another(total == 0, b']')? {
            let before = out.len();
            self.value("", out, 2)?;
            if total < page.offset || total - page.offset >= page.limit {
                out.cut(before);
            }
            total += 1;
        }
        out.end(open);
        number(&format!("{name}_total"), i64::try_from(total).unwrap_or(i64::MAX), out);
        Some(())
    }

    fn value(&mut self, name: &str, out: &mut Blob, depth: usize) -> Option<()> {
        if depth > DEEPEST {
            return None;
        }
        match self.peek()? {
            b'{' => {
                self.token(b'{')?;
                let open = out.open_named(kind::TABLE, name);
                self.fields(out, |reader, name, out| reader.value(name, out, depth + 1))?;
                out.end(open);
            }
            b'[' => {
                self.token(b'[')?;
                let open = out.open_named(kind::ARRAY, name);
                let mut first = true;
                while self.another(first, b']')? {
                    first = false;
                    self.value("", out, depth + 1)?;
                }
                out.end(open);
            }
            b'"' => {
                let mut text = self.string()?;
                text.push('\0');
                out.put_named(kind::STRING, name, text.as_bytes());
            }
            b't' | b'f' | b'n' => match self.word() {
                b"true" => out.put_named(kind::INT8, name, &[1]),
                b"false" => out.put_named(kind::INT8, name, &[0]),
                b"null" => {}
                _ => return None,
            },
            _ => {
                let word = str::from_utf8(self.word()).ok()?;
                match word.parse::<i64>() {
                    Ok(n) => number(name, n, out),
                    // Above 2^63 the bits are the same, and ubus has no other type.
                    Err(_) => match word.parse::<u64>() {
                        Ok(n) => out.put_named(kind::INT64, name, &n.to_be_bytes()),
                        Err(_) => {
                            // By the reader that is there anyway.
                            let number = serde_json::from_str::<serde_json::Value>(word).ok()?.as_f64()?;
                            out.put_named(kind::DOUBLE, name, &number.to_bits().to_be_bytes());
                        }
                    },
                }
            }
        }
        Some(())
    }

    /// Up to the next sign that ends a word.
    fn word(&mut self) -> &[u8] {
        let end = self.rest.iter().position(|b| b",]} \t\r\n".contains(b)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    fn string(&mut self) -> Option<String> {
        self.token(b'"')?;
        let mut text = Vec::new();
        loop {
            match self.next()? {
                b'"' => return String::from_utf8(text).ok(),
                b'\\' => {
                    let c = match self.next()? {
                        b'n' => '\n',
                        b't' => '\t',
                        b'r' => '\r',
                        b'b' => '\x08',
                        b'f' => '\x0c',
                        b'u' => self.unicode()?,
                        plain => char::from(plain),
                    };
                    text.extend(c.encode_utf8(&mut [0; 4]).as_bytes());
                }
                byte => text.push(byte),
            }
        }
    }

    fn unicode(&mut self) -> Option<char> {
        let first = self.hex()?;
        if !(0xd800..0xdc00).contains(&first) {
            return char::from_u32(first);
        }
        // The other half of a pair.
        (self.next()? == b'\\' && self.next()? == b'u').then_some(())?;
        let second = self.hex()?;
        char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + second.checked_sub(0xdc00)?)
    }

    fn hex(&mut self) -> Option<u32> {
        (0..4).try_fold(0, |n, _| Some(n << 4 | char::from(self.next()?).to_digit(16)?))
    }
}

fn number(name: &str, n: i64, out: &mut Blob) {
    match i32::try_from(n) {
        Ok(n) => out.put_named(kind::INT32, name, &n.to_be_bytes()),
        Err(_) => out.put_named(kind::INT64, name, &n.to_be_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::blob::attrs;
    use super::*;

    /// The fields as text, `name:type=value`.
    fn read(bytes: &[u8]) -> Vec<String> {
        attrs(bytes)
            .map(|a| {
                let (name, value) = a.named().unwrap();
                let shown = match a.id {
                    kind::ARRAY | kind::TABLE => format!("{:?}", read(value.bytes)),
                    kind::STRING => value.text().unwrap().to_owned(),
                    _ => value.bytes.iter().map(|b| format!("{b:02x}")).collect(),
                };
                format!("{name}:{}={shown}", a.id)
            })
            .collect()
    }

    fn convert(json: &str, page: Page) -> Option<Vec<String>> {
        let mut out = Blob::default();
        table(json.as_bytes(), &mut out, page)?;
        Some(read(&out.into_bytes()))
    }

    #[test]
    fn every_type() {
        let json = r#"{"a":1,"b":-2,"c":4294967295,"d":18446744073709551615,"e":0.5,"f":true,"g":false,"h":null,
                       "i":"x\"\u00e9\ud83d\ude00\n","j":{"k":[1]}}"#;
        assert_eq!(
            convert(json, Page::USUAL).unwrap(),
            [
                "a:5=00000001",
                "b:5=fffffffe",
                "c:4=00000000ffffffff",
                "d:4=ffffffffffffffff",
                "e:8=3fe0000000000000",
                "f:7=01",
                "g:7=00",
                "i:3=x\"é😀\n",
                "j:2=[\"k:1=[\\\":5=00000001\\\"]\"]"
            ]
        );
    }

    #[test]
    fn lists_come_in_parts() {
        let json = "{\"all\":[1,2,3,4,5],\"none\":[]}";
        let page = |offset, limit| convert(json, Page { offset, limit }).unwrap().join(" ");
        assert_eq!(
            page(1, 2),
            "all:1=[\":5=00000002\", \":5=00000003\"] all_total:5=00000005 none:1=[] none_total:5=00000000"
        );
        assert_eq!(page(9, 2), "all:1=[] all_total:5=00000005 none:1=[] none_total:5=00000000");
        assert!(page(4, usize::MAX).starts_with("all:1=[\":5=00000005\"]"));
    }

    /// ubus cuts off whoever sends more than 1 MiB.
    #[test]
    fn the_largest_part_fits_a_message() {
        let way = r#"{"hard_ifname":"fifteen-letters","orig_address":"02:00:00:00:00:05","best":true,
            "last_seen_msecs":4294967296,"neigh_address":"02:00:00:00:00:05","throughput":4294967296,"tt_ttvn":255,
            "clients":4294967296,"meshwork":true,"share":16}"#;
        let json = format!("{{\"originators\":[{}]}}", vec![way; 2 * Page::MOST].join(","));
        let mut out = Blob::default();
        table(json.as_bytes(), &mut out, Page { offset: 0, limit: Page::MOST }).unwrap();
        let bytes = out.len();
        assert!((200_000..500_000).contains(&bytes), "{bytes} bytes");
    }

    #[test]
    fn what_is_no_json_is_nothing() {
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(40), "]".repeat(40));
        for bad in [
            "",
            "[1]",
            "{\"a\":}",
            "{\"a\"",
            "{\"a\":tru}",
            "{\"a\":\"x",
            "{\"a\":\"\\ud800x\"}",
            "{\"a\":[1 2]}",
            &deep,
        ] {
            assert_eq!(convert(bad, Page::USUAL), None, "{bad}");
        }
    }
}
