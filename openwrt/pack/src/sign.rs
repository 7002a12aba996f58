//! The key that signs packages: ECDSA on P-256, as apk wants it.

use anyhow::{Context, Result};
use p256::{
    SecretKey,
    ecdsa::{
        Signature, SigningKey, VerifyingKey,
        signature::hazmat::{PrehashSigner, PrehashVerifier},
    },
    pkcs8::{DecodePrivateKey, EncodePrivateKey, EncodePublicKey, LineEnding},
};
use sha2::{Digest, Sha512};

/// A signing key. The signature of the same bytes is the same each time (RFC 6979).
pub struct Key(SigningKey);

impl Key {
    /// Reads a private key in PEM, as `openssl ecparam -name prime256v1 -genkey` and [`Key::to_pem`] write it.
    ///
    /// # Errors
    /// The text is no such key.
    pub fn from_pem(pem: &str) -> Result<Self> {
        let key = SecretKey::from_pkcs8_pem(pem)
            .or_else(|_| SecretKey::from_sec1_pem(pem))
            .ok()
            .context("no private key of the curve P-256 in PEM: make one with `meshwork-pack key FILE`")?;
        Ok(Self(key.into()))
    }

    /// A key made of 32 unpredictable bytes.
    ///
    /// # Errors
    /// The bytes make no key of this curve, by a chance of one in 2^32.
    pub fn from_seed(seed: [u8; 32]) -> Result<Self> {
        let key = SigningKey::from_slice(&seed).ok().context("these random bytes make no key: try again")?;
        Ok(Self(key))
    }

    /// The private key in PEM.
    ///
    /// # Errors
    /// None in practice: the encoder's own.
    pub fn to_pem(&self) -> Result<String> {
        let pem =
            SecretKey::from(&self.0).to_pkcs8_pem(LineEnding::LF).ok().context("the key cannot be written as PEM")?;
        Ok(pem.to_string())
    }

    /// The public key in PEM, as it lies in /etc/apk/keys.
    ///
    /// # Errors
    /// None in practice: the encoder's own.
    pub fn public_pem(&self) -> Result<String> {
        self.public().to_public_key_pem(LineEnding::LF).ok().context("the public key cannot be written as PEM")
    }

    /// What a package names its key by: the first 16 bytes of the SHA-512 of the uncompressed point.
    pub fn id(&self) -> [u8; 16] {
        let point = self.public().to_sec1_point(false);
        let digest = Sha512::digest(point.as_bytes());
        std::array::from_fn(|i| digest[i])
    }

    /// The DER signature over the SHA-512 of `text`.
    ///
    /// # Errors
    /// None in practice: the signer's own.
    pub fn sign(&self, text: &[u8]) -> Result<Vec<u8>> {
        let signature: Signature = self.0.sign_prehash(&Sha512::digest(text)).ok().context("signing failed")?;
        Ok(signature.to_der().as_bytes().to_vec())
    }

    /// Whether a DER signature over `text` is this key's.
    pub fn verifies(&self, text: &[u8], der: &[u8]) -> bool {
        Signature::from_der(der).is_ok_and(|s| self.public().verify_prehash(&Sha512::digest(text), &s).is_ok())
    }

    fn public(&self) -> &VerifyingKey {
        self.0.verifying_key()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_its_file() {
        let key = Key::from_seed([9; 32]).unwrap();
        let again = Key::from_pem(&key.to_pem().unwrap()).unwrap();
        assert_eq!(key.id(), again.id());
        assert!(again.verifies(b"x", &key.sign(b"x").unwrap()));
        assert!(Key::from_pem("nothing").is_err());
    }

    #[test]
    fn the_same_text_has_the_same_signature() {
        let key = Key::from_seed([9; 32]).unwrap();
        assert_eq!(key.sign(b"x").unwrap(), key.sign(b"x").unwrap());
        assert_ne!(key.sign(b"x").unwrap(), key.sign(b"y").unwrap());
    }
}
