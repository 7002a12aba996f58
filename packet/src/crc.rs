//! The checksums of the protocol.

/// CRC-32C (Castagnoli, reflected) with initial value `init` and no final inversion.
///
/// The translation table uses it with `init` 0 and, unlike almost everybody, without the usual
/// inversions. Source: protocol notes, "Translation table" section 3.
pub fn crc32c_raw(init: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(init, |crc, &byte| {
        let [low, ..] = crc.to_le_bytes();
        (crc >> 8) ^ CRC32C.get(usize::from(low ^ byte)).copied().unwrap_or_default()
    })
}

/// CRC-16/ARC (reflected 0x8005, initial value 0). Source: protocol notes, "Payload plane" section 7.2.
pub fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, &byte| {
        (0..8).fold(crc ^ u16::from(byte), |c, _| if c & 1 != 0 { (c >> 1) ^ 0xa001 } else { c >> 1 })
    })
}

#[expect(clippy::indexing_slicing, reason = "computed by the compiler, which would refuse a bad index")]
const CRC32C: [u32; 256] = {
    let mut table = [0u32; 256];
    let mut i = 0;
    while i < 256 {
        let mut c = i as u32;
        let mut k = 0;
        while k < 8 {
            c = if c & 1 != 0 { (c >> 1) ^ 0x82f6_3b78 } else { c >> 1 };
            k += 1;
        }
        table[i] = c;
        i += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_check_values() {
        assert_eq!(crc32c_raw(0xffff_ffff, b"123456789") ^ 0xffff_ffff, 0xe306_9283);
        assert_eq!(crc16(b"123456789"), 0xbb3d);
    }
}
