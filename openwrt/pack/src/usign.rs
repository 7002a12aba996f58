//! Signatures of feeds for opkg: ed25519 in the files of usign, which are those of signify.
//!
//! ```text
//! untrusted comment: any text
//! base64 of
//!   public key   "Ed" · 8 bytes that name it · 32 bytes
//!   signature    "Ed" · the same 8 bytes · 64 bytes
//!   secret key   "Ed" "BK" · u32 0, it has no passphrase · 16 bytes · 8 of its SHA-512 · the same 8 bytes · 64 bytes
//! ```
//! Source: signify's manual and usign's main.c; the tests of packages have signify read them.

use anyhow::{Context, Result, ensure};
use ed25519_compact::{KeyPair, SecretKey, Seed};
use sha2::{Digest, Sha512};

use crate::openwrt::Hex;

/// A key that signs feeds.
pub struct FeedKey {
    pair: KeyPair,
    name: [u8; 8],
}

impl FeedKey {
    /// A key made of 32 unpredictable bytes. What it is called comes from them, too.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        let pair = KeyPair::from_seed(Seed::new(seed));
        let digest = Sha512::digest(pair.pk.as_ref());
        Self { name: std::array::from_fn(|i| digest[i]), pair }
    }

    /// Reads a secret key without a passphrase, as [`FeedKey::secret_file`] and `usign -G` write it.
    ///
    /// # Errors
    /// The text is no such key.
    pub fn from_file(text: &str) -> Result<Self> {
        let line = text.lines().nth(1).unwrap_or_default();
        let bytes = decode(line).context("no key of usign: make one with `meshwork-pack feed-key FILE`")?;
        ensure!(bytes.len() == 104 && bytes.starts_with(b"EdBK"), "no secret key of usign, which has 104 bytes");
        ensure!(bytes[4..8] == [0; 4], "the key has a passphrase, which nobody could type here: make one without");
        ensure!(Sha512::digest(&bytes[40..]).starts_with(&bytes[24..32]), "the key is damaged");
        let secret = SecretKey::from_slice(&bytes[40..]).ok().context("the key is damaged")?;
        let pair = KeyPair { pk: secret.public_key(), sk: secret };
        Ok(Self { name: std::array::from_fn(|i| bytes[32 + i]), pair })
    }

    /// The secret key as a file.
    pub fn secret_file(&self) -> String {
        let secret: &[u8] = self.pair.sk.as_ref();
        let check = Sha512::digest(secret);
        let parts = [b"EdBK", &[0; 20][..], &check[..8], &self.name, secret].concat();
        format!("untrusted comment: private key {}\n{}\n", self.id(), encode(&parts))
    }

    /// The public key as a file. opkg looks for it in /etc/opkg/keys under [`FeedKey::id`].
    pub fn public_file(&self) -> String {
        let parts = [b"Ed", &self.name[..], self.pair.pk.as_ref()].concat();
        format!("untrusted comment: public key {}\n{}\n", self.id(), encode(&parts))
    }

    /// What the key is called.
    pub fn id(&self) -> String {
        format!("{:x}", Hex(&self.name))
    }

    /// The signature of `text` as a file.
    pub fn sign(&self, text: &[u8]) -> String {
        let signature = self.pair.sk.sign(text, None);
        let parts = [b"Ed", &self.name[..], signature.as_ref()].concat();
        format!("untrusted comment: signed by key {}\n{}\n", self.id(), encode(&parts))
    }
}

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Base64 with padding.
fn encode(bytes: &[u8]) -> String {
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let bits = three.iter().fold(0u32, |n, b| n << 8 | u32::from(*b)) << (8 * (3 - three.len()));
        for i in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * i)) as usize & 63];
            text.push(if i > three.len() { '=' } else { char::from(letter) });
        }
    }
    text
}

fn decode(text: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0u32, 0);
    for letter in text.trim().trim_end_matches('=').bytes() {
        let value = LETTERS.iter().position(|l| *l == letter)?;
        bits = bits << 6 | value as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_every_length() {
        // RFC 4648, section 10.
        for (plain, coded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")] {
            assert_eq!(encode(plain.as_bytes()), coded);
            assert_eq!(decode(coded).unwrap(), plain.as_bytes());
        }
        assert_eq!(decode("Z!=="), None);
    }

    #[test]
    fn a_key_survives_its_file_and_signs() {
        let key = FeedKey::from_seed([9; 32]);
        let again = FeedKey::from_file(&key.secret_file()).unwrap();
        assert_eq!((again.id(), again.public_file()), (key.id(), key.public_file()));
        assert_eq!(again.sign(b"x"), key.sign(b"x"));
        assert_ne!(key.sign(b"x"), key.sign(b"y"));
        let signature = decode(key.sign(b"x").lines().nth(1).unwrap()).unwrap();
        let signature = ed25519_compact::Signature::from_slice(&signature[10..]).unwrap();
        assert!(key.pair.pk.verify(b"x", &signature).is_ok());
        assert!(key.pair.pk.verify(b"y", &signature).is_err());
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let good = FeedKey::from_seed([9; 32]).secret_file();
        let damaged = good.replace("untrusted comment", "x").replacen('A', "B", 3);
        for text in ["", "one line", &damaged, &FeedKey::from_seed([9; 32]).public_file()] {
            assert!(FeedKey::from_file(text).is_err(), "{text}");
        }
    }
}
