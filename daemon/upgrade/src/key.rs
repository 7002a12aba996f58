//! Keys of those who sign upgrades: ed25519, written as 64 hexadecimal digits.

use crate::hex;
use ed25519_compact as ed25519;
use std::fmt;

/// The public half, which nodes know.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Reads 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        hex::bytes(text).map(Self)
    }

    /// Whether `signature` over `text` is this key's. Needs some 15 ms on a MIPS router.
    pub fn verifies(&self, text: &[u8], signature: &[u8; 64]) -> bool {
        let key = ed25519::PublicKey::new(self.0);
        key.verify(text, &ed25519::Signature::new(*signature)).is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::text(&self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The private half, which stays with the signer.
#[derive(Clone)]
pub struct SecretKey(ed25519::KeyPair);

impl SecretKey {
    /// A key made of 32 unpredictable bytes; `None` for bytes that are plainly not (all zero).
    pub fn from_seed(seed: [u8; 32]) -> Option<Self> {
        let pair = ed25519::KeyPair::try_from_seed(ed25519::Seed::new(seed)).ok()?;
        Some(Self(pair))
    }

    /// Reads what [`SecretKey::to_text`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        Self::from_seed(hex::bytes(text)?)
    }

    /// The seed as 64 hexadecimal digits.
    pub fn to_text(&self) -> String {
        hex::text(&*self.0.sk.seed())
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(*self.0.pk)
    }

    /// The signature over `text`, the same each time.
    pub fn sign(&self, text: &[u8]) -> [u8; 64] {
        *self.0.sk.sign(text, None)
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey of {}", self.public())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8032, section 7.1, test 2.
    #[test]
    fn the_standards_own_example() {
        let key = SecretKey::parse("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb").unwrap();
        assert_eq!(key.public().to_string(), "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
        let signature = key.sign(&[0x72]);
        assert_eq!(
            hex::text(&signature),
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        );
        assert!(key.public().verifies(&[0x72], &signature));
        assert!(!key.public().verifies(&[0x73], &signature));
    }

    #[test]
    fn a_key_survives_its_text_and_does_not_show_itself() {
        let key = SecretKey::from_seed([7; 32]).unwrap();
        assert_eq!(SecretKey::parse(&key.to_text()).unwrap().public(), key.public());
        assert!(!format!("{key:?}").contains(&key.to_text()));
        assert_eq!(PublicKey::parse(&key.public().to_string()), Some(key.public()));
    }

    /// Keys that make a signature valid for any text are no keys.
    #[test]
    fn a_weak_key_verifies_nothing() {
        let mut neutral = [0; 32];
        neutral[0] = 1;
        let mut signature = [0; 64];
        signature[0] = 1;
        assert!(!PublicKey(neutral).verifies(b"anything", &signature));
        assert!(!PublicKey([0; 32]).verifies(b"anything", &[0; 64]));
    }
}
