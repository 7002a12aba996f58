//! The signed text that offers an upgrade.
//!
//! ```text
//! meshwork-upgrade 1
//! serial 17
//! branch stable
//! version 0.2.0
//! spread 24
//! image program meshwork-mips 1198720 <sha256> mips
//! image firmware c7-v2-sysupgrade.bin 7602176 <sha256> tplink,archer-c7-v2
//! signature <public key> <signature over all bytes above the first signature line>
//! signature <public key> <signature>
//! ```
//!
//! One spelling only: this order, single blanks, lines that end with a line feed. So what was signed is what is read,
//! and a text that was cut off or joined is none. The serial orders manifests; no date takes part, as routers have
//! no clock of their own.

use crate::hex;
use crate::key::{PublicKey, SecretKey};
use std::collections::BTreeSet;
use std::fmt;
use std::fmt::Write as _;

/// Longest text that is read, in bytes.
pub const MAX_BYTES: usize = 65_536;
/// Most images in one manifest.
pub const MAX_IMAGES: usize = 512;
/// Most signatures that are looked at: each costs a router milliseconds.
pub const MAX_SIGNATURES: usize = 32;
/// Largest image, in bytes.
pub const MAX_IMAGE: u32 = 1 << 28;
/// Longest time to spread an upgrade over: four weeks.
pub const MAX_SPREAD_HOURS: u16 = 672;

const HEAD: &str = "meshwork-upgrade 1";

/// A manifest whose signatures were not looked at yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Grows with every manifest; a node never takes one twice, nor an older one.
    pub serial: u32,
    /// Which line of releases it belongs to; a node follows one.
    pub branch: String,
    /// Version that the images hold, for people and against going back.
    pub version: String,
    /// Hours over which the nodes' upgrades are spread.
    pub spread_hours: u16,
    /// What there is to install.
    pub images: Vec<Image>,
    /// Who signed, as written.
    pub signatures: Vec<(PublicKey, [u8; 64])>,
}

/// Something to install.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// What it replaces.
    pub kind: Kind,
    /// File name beside the manifest.
    pub name: String,
    /// Size in bytes.
    pub size: u32,
    /// SHA-256 of the whole file.
    pub sha256: [u8; 32],
    /// What it fits: for a program kinds of CPU (`mips`), for a firmware names of boards (`tplink,archer-c7-v2`).
    pub fits: Vec<String>,
}

/// What an image replaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The program alone; the former one stays beside it until the new one has proved itself.
    Program,
    /// All of the router's system, through sysupgrade.
    Firmware,
}

impl Kind {
    /// Its word in the text.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Program => "program",
            Self::Firmware => "firmware",
        }
    }

    /// The kind of a word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Program, Self::Firmware].into_iter().find(|k| k.word() == word)
    }
}

/// Why a text is no manifest: the line, counted from 1, and what is wrong there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// Line, 0 for the text as a whole.
    pub line: usize,
    /// What was found, and what is allowed.
    pub what: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "this is no whole manifest: {}", self.what),
            line => write!(f, "this is no whole manifest: line {line}: {}", self.what),
        }
    }
}

impl std::error::Error for Damage {}

/// What a node knows of itself.
#[derive(Debug, Clone, Copy)]
pub struct Running<'a> {
    /// Highest serial that it ever installed or that its firmware was made with, 0 for none.
    pub serial: u32,
    /// The branch that it follows.
    pub branch: &'a str,
    /// Version of the running program.
    pub version: &'a str,
    /// Kind of CPU that the running program was built for.
    pub cpu: &'a str,
    /// Name of the board, empty where nobody knows.
    pub board: &'a str,
}

/// Why a node does not take what a manifest offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Fewer trusted signers than wanted.
    Signers {
        /// Different trusted keys whose signature is right.
        good: usize,
        /// How many there have to be.
        needed: usize,
        /// Signatures of trusted keys that are wrong.
        bad: usize,
        /// Signatures of keys that this node does not know.
        unknown: usize,
    },
    /// Not newer than what is known.
    Serial {
        /// Of the manifest.
        offered: u32,
        /// Highest known here.
        known: u32,
    },
    /// Of another line of releases.
    Branch {
        /// Of the manifest.
        offered: String,
        /// Followed here.
        wanted: String,
    },
    /// An older version under a newer serial.
    Downgrade {
        /// Of the manifest.
        offered: String,
        /// Running.
        running: String,
    },
    /// Nothing for this board or CPU.
    Board {
        /// Which kind was looked for.
        kind: Kind,
        /// What this node is.
        own: String,
        /// What there is.
        offered: Vec<String>,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signers { good, needed, bad, unknown } => {
                write!(f, "{good} of the {needed} signers needed have signed it")?;
                if *bad > 0 {
                    write!(f, "; {bad} signatures of known signers are not of this text")?;
                }
                if *unknown > 0 {
                    write!(f, "; {unknown} are of keys that this node does not know")?;
                }
                Ok(())
            }
            Self::Serial { offered, known } => {
                write!(f, "its serial is {offered}, and this node has seen {known}: only a higher one is newer")
            }
            Self::Branch { offered, wanted } => {
                write!(f, "it is of the branch {offered}, and this node follows {wanted}")
            }
            Self::Downgrade { offered, running } => {
                write!(f, "it holds version {offered}, which is older than the running {running}")
            }
            Self::Board { kind, own, offered } => {
                let what = if *kind == Kind::Program { "CPU" } else { "board" };
                let own = if own.is_empty() { "unknown" } else { own };
                write!(f, "it has no {} for this {what} ({own})", kind.word())?;
                if offered.is_empty() { Ok(()) } else { write!(f, ", only for: {}", offered.join(", ")) }
            }
        }
    }
}

impl std::error::Error for Refusal {}

impl Manifest {
    /// Reads the text.
    ///
    /// # Errors
    /// Anything that [`Manifest::to_text`] would not have written.
    pub fn parse(bytes: &[u8]) -> Result<Self, Damage> {
        let damage = |line: usize, what: &str| Damage { line, what: what.to_owned() };
        if bytes.len() > MAX_BYTES {
            return Err(damage(0, "it is longer than 64 KiB"));
        }
        if !bytes.iter().all(|&b| b == b'\n' || (b' '..=b'~').contains(&b)) {
            return Err(damage(0, "it holds bytes that are no plain text"));
        }
        let text = str::from_utf8(bytes).map_err(|_| damage(0, "it is no text"))?;
        let Some(text) = text.strip_suffix('\n') else { return Err(damage(0, "its last line does not end")) };
        let mut lines = text.split('\n').zip(1..);
        let mut next = |key: &str| {
            let (line, at) = lines.next().unwrap_or(("", 0));
            match line.split_once(' ') {
                Some((word, rest)) if word == key => Ok((rest, at)),
                _ => Err(damage(at, &format!("\"{key} ...\" belongs here"))),
            }
        };
        let (form, at) = next("meshwork-upgrade")?;
        if form != "1" {
            return Err(damage(at, &format!("it has the form {}, allowed: 1", clipped(form))));
        }
        let (text, at) = next("serial")?;
        let serial =
            number(text, u32::MAX).filter(|&n| n > 0).ok_or_else(|| damage(at, "the serial is a number above 0"))?;
        let (text, at) = next("branch")?;
        let branch = word(text).ok_or_else(|| damage(at, "the branch is a word such as stable"))?;
        let (text, at) = next("version")?;
        let version = word(text).ok_or_else(|| damage(at, "the version is a word such as 0.2.0"))?;
        let (text, at) = next("spread")?;
        let spread = number(text, MAX_SPREAD_HOURS.into()).and_then(|n| n.try_into().ok());
        let spread_hours = spread.ok_or_else(|| damage(at, "the spread is a number of hours, at most 672"))?;
        let (mut images, mut signatures) = (Vec::new(), Vec::new());
        for (line, at) in lines {
            match line.split_once(' ') {
                Some(("image", rest)) if signatures.is_empty() && images.len() < MAX_IMAGES => {
                    let image = image(rest).ok_or_else(|| {
                        damage(at, "an image is: image program|firmware NAME BYTES SHA256 CPU-or-board...")
                    })?;
                    images.push(image);
                }
                Some(("signature", rest)) if signatures.len() < MAX_SIGNATURES => {
                    let parts = rest.split_once(' ');
                    let read = parts.and_then(|(key, value)| Some((PublicKey::parse(key)?, hex::bytes(value)?)));
                    signatures.push(read.ok_or_else(|| damage(at, "a signature is: signature KEY SIGNATURE"))?);
                }
                _ => return Err(damage(at, "images belong here, then signatures, and nothing else")),
            }
        }
        let manifest = Self { serial, branch, version, spread_hours, images, signatures };
        // What was read is what was signed, byte for byte.
        if manifest.to_text().as_bytes() == bytes {
            Ok(manifest)
        } else {
            Err(damage(0, "it is spelled in another way"))
        }
    }

    /// The text that is signed.
    pub fn signed_text(&self) -> String {
        let Self { serial, branch, version, spread_hours, .. } = self;
        // Writing to a String cannot fail.
        let mut out = format!("{HEAD}\nserial {serial}\nbranch {branch}\nversion {version}\nspread {spread_hours}\n");
        for Image { kind, name, size, sha256, fits } in &self.images {
            let _ = writeln!(out, "image {} {name} {size} {} {}", kind.word(), hex::text(sha256), fits.join(" "));
        }
        out
    }

    /// The whole text.
    pub fn to_text(&self) -> String {
        let mut out = self.signed_text();
        for (key, signature) in &self.signatures {
            let _ = writeln!(out, "signature {key} {}", hex::text(signature));
        }
        out
    }

    /// Adds a signature, in place of an older one of the same key.
    pub fn sign(&mut self, key: &SecretKey) {
        let signature = key.sign(self.signed_text().as_bytes());
        self.signatures.retain(|(of, _)| *of != key.public());
        self.signatures.push((key.public(), signature));
    }

    /// Whether at least `needed` different keys of `trusted` have signed; none and 0 are never enough.
    ///
    /// # Errors
    /// [`Refusal::Signers`].
    pub fn verify(&self, trusted: &[PublicKey], needed: usize) -> Result<usize, Refusal> {
        let text = self.signed_text();
        let mut good = BTreeSet::new();
        let (mut bad, mut unknown) = (0, 0);
        for (key, signature) in &self.signatures {
            if !trusted.contains(key) {
                unknown += 1;
            } else if good.contains(key) {
                // Who signs twice is still one.
            } else if key.verifies(text.as_bytes(), signature) {
                good.insert(*key);
            } else {
                bad += 1;
            }
        }
        let good = good.len();
        if needed > 0 && good >= needed { Ok(good) } else { Err(Refusal::Signers { good, needed, bad, unknown }) }
    }

    /// The image for a node, after everything that is wrong with the offer itself. Signatures are not looked at here.
    ///
    /// # Errors
    /// Why this node does not take it.
    pub fn choose(&self, kind: Kind, node: &Running<'_>) -> Result<&Image, Refusal> {
        if self.branch != node.branch {
            return Err(Refusal::Branch { offered: self.branch.clone(), wanted: node.branch.to_owned() });
        }
        if self.serial <= node.serial {
            return Err(Refusal::Serial { offered: self.serial, known: node.serial });
        }
        // Stands when what a node remembers was lost. A firmware's version is its maker's own.
        if kind == Kind::Program && is_older(&self.version, node.version) {
            return Err(Refusal::Downgrade { offered: self.version.clone(), running: node.version.to_owned() });
        }
        let own = if kind == Kind::Program { node.cpu } else { node.board };
        let fitting = self.images.iter().find(|i| i.kind == kind && i.fits.iter().any(|f| f == own));
        fitting.ok_or_else(|| {
            let offered = self.images.iter().filter(|i| i.kind == kind).flat_map(|i| i.fits.iter().cloned());
            let offered: BTreeSet<String> = offered.collect();
            Refusal::Board { kind, own: own.to_owned(), offered: offered.into_iter().take(12).collect() }
        })
    }
}

/// Whether version `a` is older than `b`: runs of digits count as numbers, all else as text; `1.2` is older than
/// `1.2.1`, and `1.2~rc1` older than `1.2`, as in Debian.
pub fn is_older(a: &str, b: &str) -> bool {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    loop {
        let (x, y) = (run(&mut a), run(&mut b));
        // The end lies between a tilde and everything else.
        let order = match (rank(x), rank(y)) {
            (2, 2) => (x.len(), x).cmp(&(y.len(), y)),
            (p, q) if p == q => x.cmp(y),
            (p, q) => p.cmp(&q),
        };
        match order {
            std::cmp::Ordering::Equal if x.is_empty() => return false,
            std::cmp::Ordering::Equal => {}
            order => return order.is_lt(),
        }
    }
}

/// Takes the next number without its leading zeros, or the next other character.
fn run<'a>(text: &mut &'a [u8]) -> &'a [u8] {
    let digits = text.iter().take_while(|b| b.is_ascii_digit()).count();
    let (word, rest) = text.split_at(if digits > 0 { digits } else { text.len().min(1) });
    *text = rest;
    if digits == 0 {
        return word;
    }
    let zeros = word.iter().take_while(|b| **b == b'0').count().min(digits - 1);
    word.split_at(zeros).1
}

fn rank(word: &[u8]) -> u8 {
    match word.first() {
        Some(b'~') => 0,
        None => 1,
        Some(b'0'..=b'9') => 2,
        Some(_) => 3,
    }
}

fn image(rest: &str) -> Option<Image> {
    let mut words = rest.split(' ');
    let kind = Kind::parse(words.next()?)?;
    let name = words.next().and_then(word).filter(|n| !n.starts_with('.'))?;
    let size = number(words.next()?, MAX_IMAGE).filter(|&n| n > 0)?;
    let sha256 = hex::bytes(words.next()?)?;
    let fits: Option<Vec<String>> = words.map(word).collect();
    let fits = fits.filter(|f| !f.is_empty())?;
    Some(Image { kind, name, size, sha256, fits })
}

/// A number without sign and leading zeros, at most `max`.
fn number(text: &str, max: u32) -> Option<u32> {
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|&n| plain && n <= max)
}

/// A word that can stand in a path and an address as it is.
fn word(text: &str) -> Option<String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._+~,-".contains(&b);
    ((1..=100).contains(&text.len()) && text.bytes().all(plain)).then(|| text.to_owned())
}

fn clipped(text: &str) -> &str {
    text.get(..20).unwrap_or(text)
}

#[cfg(test)]
mod tests;
