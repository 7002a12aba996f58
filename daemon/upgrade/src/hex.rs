//! Bytes as lower-case hexadecimal digits, one spelling for each.

pub(crate) fn text(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|b| [b >> 4, b & 15])
        .map(|d| char::from(if d < 10 { b'0' + d } else { b'a' + d - 10 }))
        .collect()
}

/// `None` unless it is exactly `N` bytes.
pub(crate) fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut out = [0; N];
    let text = text.as_bytes();
    if text.len() != 2 * N {
        return None;
    }
    for (byte, pair) in out.iter_mut().zip(text.chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(out)
}

fn digit(c: u8) -> Option<u8> {
    match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'a'..=b'f' => Some(c - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        assert_eq!(text(&[0x00, 0x9f, 0xa0, 0xff]), "009fa0ff");
        assert_eq!(bytes("009fa0ff"), Some([0x00, 0x9f, 0xa0, 0xff]));
        for wrong in ["009fa0f", "009fa0ff0", "009FA0FF", "009fa0fg", "009fa0f\u{e9}"] {
            assert_eq!(bytes::<4>(wrong), None, "{wrong}");
        }
    }
}
