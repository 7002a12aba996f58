//! Signed offers of upgrades: whatever is edited in one, a node takes it only while what was signed is unchanged.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use std::time::Duration;
use upgrade::{Image, Kind, Manifest, PublicKey, Role, Running, SecretKey, State, manifest, moment};

/// How many have to have signed.
const NEEDED: usize = 2;

struct Good {
    text: Vec<u8>,
    signed: String,
    trusted: Vec<PublicKey>,
}

/// An offer of two images, signed by as many as it takes and by a stranger.
static GOOD: LazyLock<Good> = LazyLock::new(|| {
    let keys: Vec<SecretKey> = (1..=4).filter_map(|n| SecretKey::from_seed([n; 32])).collect();
    let image = |kind, name: &str, fits: &[&str]| Image {
        kind,
        name: name.to_owned(),
        size: 1_198_720,
        sha256: [7; 32],
        fits: fits.iter().map(|&fit| fit.to_owned()).collect(),
    };
    let images = vec![
        image(Kind::Program, "meshwork-mips", &["mips"]),
        image(Kind::Firmware, "c7-sysupgrade.bin", &["tplink,archer-c7-v2", "tplink,archer-c7-v5"]),
    ];
    let (branch, version) = ("stable".to_owned(), "0.2.0".to_owned());
    let mut offer = Manifest { serial: 17, branch, version, spread_hours: 24, images, signatures: Vec::new() };
    [0, 1, 3].into_iter().filter_map(|n: usize| keys.get(n)).for_each(|key| offer.sign(key));
    let trusted = keys.iter().take(3).map(SecretKey::public).collect();
    let good = Good { text: offer.to_text().into_bytes(), signed: offer.signed_text(), trusted };
    judge(&good, &good.text, true);
    good
});

fuzz_target!(|bytes: &[u8]| {
    let good = &*GOOD;
    judge(good, bytes, false);
    judge(good, &edited(&good.text, bytes), false);
    remembered(bytes);
});

/// Reads a text as a node does.
fn judge(good: &Good, text: &[u8], must: bool) {
    let Ok(offer) = Manifest::parse(text) else { return assert!(!must) };
    assert_eq!(offer.to_text().as_bytes(), text, "one spelling only");
    let verified = offer.verify(&good.trusted, NEEDED);
    assert!(verified.is_ok() || !must);
    if let Ok(signers) = verified {
        assert!((NEEDED..=good.trusted.len()).contains(&signers));
        assert_eq!(offer.signed_text(), good.signed, "nobody signed this");
    }
    for board in ["", "tplink,archer-c7-v2", "other"] {
        let node = Running { serial: 16, branch: "stable", version: "0.1.0", cpu: "mips", board };
        for kind in [Kind::Program, Kind::Firmware] {
            match offer.choose(kind, &node) {
                Ok(image) => assert!(offer.serial > 16 && offer.branch == "stable" && image.kind == kind),
                Err(why) => assert!(!why.to_string().is_empty()),
            }
        }
    }
    assert!(!(manifest::is_older(&offer.version, "0.2.0") && manifest::is_older("0.2.0", &offer.version)));
    let spread = Duration::from_secs(3600 * u64::from(offer.spread_hours));
    for role in [Role::Leaf, Role::Relay] {
        assert!(moment::wait([2, 0, 0, 0, 0, 1], offer.serial, spread, role) <= spread, "{spread:?}");
    }
}

/// The text after edits: each is a place, what happens there, and a byte.
fn edited(text: &[u8], edits: &[u8]) -> Vec<u8> {
    let mut out = text.to_vec();
    for edit in edits.chunks_exact(4) {
        let &[high, low, what, byte] = edit else { continue };
        if out.is_empty() {
            break;
        }
        let at = usize::from(u16::from_be_bytes([high, low])) % out.len();
        let end = (at + usize::from(byte)).min(out.len());
        match what % 6 {
            0 => out[at] = byte,
            1 => out.insert(at, byte),
            2 => drop(out.remove(at)),
            3 => drop(out.drain(at..end)),
            // A piece of the original, in another place: lines joined, repeated, in another order.
            4 => {
                let from = at.min(text.len());
                let piece = text[from..(from + usize::from(byte)).min(text.len())].to_vec();
                out.splice(at..at, piece);
            }
            _ => out.truncate(at),
        }
        out.truncate(2 * manifest::MAX_BYTES);
    }
    out
}

/// What a node remembers is read from any text, and what counts comes out again.
fn remembered(bytes: &[u8]) {
    let state = State::parse(&String::from_utf8_lossy(bytes));
    let again = State::parse(&state.to_text());
    assert_eq!((again.serial, again.failed, again.pending), (state.serial, state.failed, state.pending));
    assert_eq!(again.trial.map(|t| (t.serial, t.kind, t.starts)), state.trial.map(|t| (t.serial, t.kind, t.starts)));
}
