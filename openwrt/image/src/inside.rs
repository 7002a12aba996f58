//! What a package file says of itself.

use std::{fs, io::Read, path::Path};

use anyhow::{Context, Result, bail, ensure};
use flate2::read::{DeflateDecoder, GzDecoder};

/// The part of a package's description that an image's papers need.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inside {
    /// The package.
    pub name: String,
    /// Version with the package's revision.
    pub version: String,
    /// Architecture, `all` or `noarch` where it does not matter.
    pub arch: String,
    /// Licences in the words of the package; empty where it says none.
    pub license: String,
    /// Where OpenWrt makes it from, such as `package/network/services/dnsmasq`; empty where it does not say.
    pub source: String,
}

/// No description of a package is near this; a file that unpacks to more is none.
const LIMIT: u64 = 256 << 20;

/// Reads the description in an .ipk or .apk file; which one it is, its first bytes tell.
///
/// # Errors
/// The file cannot be read, or it is no package.
pub fn read(path: &Path) -> Result<Inside> {
    let bytes = fs::read(path).with_context(|| format!("{}", path.display()))?;
    match bytes.get(..4) {
        Some([0x1f, 0x8b, ..]) => ipk(&bytes),
        Some(b"ADB.") => apk(&bytes),
        Some(b"ADBd") => inflate(&bytes[4..]).and_then(|plain| apk(&plain)),
        Some(b"ADBc") => match bytes.get(4) {
            Some(0) => apk(bytes.get(6..).unwrap_or_default()),
            Some(1) => inflate(bytes.get(6..).unwrap_or_default()).and_then(|plain| apk(&plain)),
            _ => bail!("it is packed in a way that is not known here"),
        },
        _ => bail!("it is neither an .ipk nor an .apk of version 3"),
    }
    .with_context(|| format!("package {}", path.display()))
}

fn inflate(packed: &[u8]) -> Result<Vec<u8>> {
    let mut plain = Vec::new();
    DeflateDecoder::new(packed).take(LIMIT).read_to_end(&mut plain)?;
    Ok(plain)
}

/// A tar in gzip with a control.tar.gz in it.
fn ipk(bytes: &[u8]) -> Result<Inside> {
    let control = member(bytes, "control.tar.gz")?.context("no control.tar.gz in it")?;
    let control = member(&control, "control")?.context("no control file in it")?;
    let text = String::from_utf8_lossy(&control);
    let field = |name: &str| {
        let found = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        found.map(|value| value.trim().to_owned()).unwrap_or_default()
    };
    let inside = Inside {
        name: field("Package"),
        version: field("Version"),
        arch: field("Architecture"),
        license: field("License"),
        source: field("Source"),
    };
    ensure!(!inside.name.is_empty() && !inside.version.is_empty(), "its control file names no package and version");
    Ok(inside)
}

/// One file of a tar in gzip.
fn member(bytes: &[u8], name: &str) -> Result<Option<Vec<u8>>> {
    let mut archive = tar::Archive::new(GzDecoder::new(bytes).take(LIMIT));
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path_bytes().into_owned();
        if path.strip_prefix(b"./").unwrap_or(&path) == name.as_bytes() {
            let mut content = Vec::new();
            entry.read_to_end(&mut content)?;
            return Ok(Some(content));
        }
    }
    Ok(None)
}

/// `ADB.`, the schema, then blocks; the first one holds the tree of values. Source: apk-tools' doc/apk-v3.5.scd.
fn apk(plain: &[u8]) -> Result<Inside> {
    ensure!(plain.get(..8) == Some(b"ADB.pckg"), "its schema is no package's");
    let head = word(plain, 8)?;
    ensure!(head >> 30 == 0, "its first block is no description");
    let length = (head & 0x3fff_ffff) as usize;
    let tree = plain.get(12..8 + length).context("its description is cut short")?;
    let package = slots(tree, word(tree, 4)?)?;
    let info = slots(tree, *package.first().context("it does not say what it is")?)?;
    let text = |slot: usize| info.get(slot - 1).map_or(Ok(String::new()), |value| blob(tree, *value));
    let inside = Inside {
        name: text(1)?,
        version: text(2)?,
        arch: text(5)?,
        license: text(6)?,
        // The origin, which OpenWrt fills with the path of the recipe.
        source: text(7)?,
    };
    ensure!(!inside.name.is_empty() && !inside.version.is_empty(), "it names no package and version");
    Ok(inside)
}

fn word(bytes: &[u8], at: usize) -> Result<u32> {
    let four = bytes.get(at..at + 4).and_then(|four| four.try_into().ok());
    Ok(u32::from_le_bytes(four.context("it is cut short")?))
}

/// Where a value's content begins in the tree.
fn offset(value: u32) -> usize {
    (value & 0x0fff_ffff) as usize
}

/// The slots of an object or array, the first one as 0.
fn slots(tree: &[u8], value: u32) -> Result<Vec<u32>> {
    ensure!(matches!(value >> 28, 0xd | 0xe), "a value is no object");
    let at = offset(value);
    let count = word(tree, at)? as usize;
    ensure!((1..=tree.len() / 4).contains(&count), "an object has an impossible size");
    (1..count).map(|slot| word(tree, at + 4 * slot)).collect()
}

/// Text; empty for null.
fn blob(tree: &[u8], value: u32) -> Result<String> {
    let at = offset(value);
    let (size, length) = match value >> 28 {
        0 => return Ok(String::new()),
        0x8 => (1, tree.get(at).copied().map(usize::from)),
        0x9 => (2, tree.get(at..at + 2).map(|two| usize::from(two[0]) | usize::from(two[1]) << 8)),
        0xa => (4, Some(word(tree, at)? as usize)),
        _ => bail!("a value is no text"),
    };
    let start = at + size;
    let bytes = length.and_then(|length| tree.get(start..start.checked_add(length)?)).context("a text is cut short")?;
    Ok(String::from_utf8_lossy(bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use meshwork_pack::{apk, ipk, package::Package};

    use super::*;

    fn package() -> Package {
        let mut package = Package {
            name: "demo".into(),
            version: "1.0-r1".into(),
            arch: "mips_24kc".into(),
            summary: "a longer one".into(),
            license: "GPL-2.0-or-later".into(),
            ..Package::default()
        };
        package.tree.file("/etc/x", 0o644, vec![7; 300]).unwrap();
        package
    }

    fn check(bytes: &[u8], file: &str) -> Inside {
        let dir = std::env::temp_dir().join(format!("inside-{}-{file}", std::process::id()));
        fs::write(&dir, bytes).unwrap();
        let inside = read(&dir).unwrap();
        fs::remove_file(&dir).unwrap();
        inside
    }

    #[test]
    fn both_formats_tell_the_same() {
        let of_ipk = check(&ipk::write(&package()).unwrap(), "a");
        let of_apk = check(&apk::write(&package(), None).unwrap(), "b");
        for inside in [&of_ipk, &of_apk] {
            assert_eq!(
                (inside.name.as_str(), inside.version.as_str(), inside.arch.as_str(), inside.license.as_str()),
                ("demo", "1.0-r1", "mips_24kc", "GPL-2.0-or-later")
            );
        }
    }

    /// Any byte cut off or changed is an error or another text, never a panic.
    #[test]
    fn damaged_descriptions_are_no_surprise() {
        let packed = apk::write(&package(), None).unwrap();
        let plain = inflate(&packed[4..]).unwrap();
        for end in 0..plain.len().min(600) {
            let _ = apk_of(&plain[..end]);
        }
        for at in 0..plain.len().min(600) {
            for flip in [0x01, 0x80, 0xff] {
                let mut damaged = plain.clone();
                damaged[at] ^= flip;
                let _ = apk_of(&damaged);
            }
        }
    }

    fn apk_of(plain: &[u8]) -> Result<Inside> {
        super::apk(plain)
    }
}
