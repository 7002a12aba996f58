//! Which upgrades a node takes, when, and whether it keeps them.
//!
//! Rules only: texts, times and what was seen come in as arguments, and nothing here touches a file, a clock or the
//! network. The daemon does what the rules say; the package writer signs with the same code that checks.
//!
//! - [`manifest`]: the signed text that offers an upgrade, and which part of it is for this node.
//! - [`key`]: ed25519 keys of the signers.
//! - [`moment`]: how long a node waits, leaf nodes before those that others depend on.
//! - [`trial`]: what a node remembers of upgrades, and when it goes back.
#![forbid(unsafe_code)]

mod hex;
pub mod key;
pub mod manifest;
pub mod moment;
pub mod trial;

pub use key::{PublicKey, SecretKey};
pub use manifest::{Damage, Image, Kind, Manifest, Refusal, Running};
pub use moment::{Role, Way};
pub use trial::{Seen, State, Trial, Verdict};

/// The SHA-256 of something that comes in pieces.
#[derive(Clone, Default)]
pub struct Sha256(sha2::Sha256);

impl Sha256 {
    /// Takes the next piece.
    pub fn update(&mut self, bytes: &[u8]) {
        sha2::Digest::update(&mut self.0, bytes);
    }

    /// The digest.
    pub fn finish(self) -> [u8; 32] {
        sha2::Digest::finalize(self.0).into()
    }
}

impl std::fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sha256")
    }
}
