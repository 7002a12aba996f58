//! Indexes of a folder of packages, from which a router's package manager installs: `Packages` for opkg,
//! `packages.adb` for apk.
//!
//! Source: shared notes on OpenWrt, sections 11 and 12.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};
use flate2::read::{DeflateDecoder, GzDecoder};
use sha2::{Digest, Sha256};

use crate::{
    adb::{Adb, Object, Value},
    apk,
    archive::gzip,
    openwrt::Hex,
    sign::Key,
    usign::FeedKey,
};

/// Slots of a package's description in an index.
const SLOT_NAME: usize = 1;
const SLOT_VERSION: usize = 2;
const SLOT_ID: usize = 3;
const SLOT_ARCH: usize = 5;
const SLOT_FILE_SIZE: usize = 13;

/// How our files are called, in apk's words: the index says so, as apk would look for names without architecture.
const FILE_NAME: &str = "${name}-${version}_${arch}.apk";

/// A file of an index: its name and its content.
pub type Part = (&'static str, Vec<u8>);

/// `Packages`, `Packages.gz` and, with a key, `Packages.sig` for all .ipk files in `folder`.
///
/// # Errors
/// There is none, or one that cannot be read.
pub fn opkg(folder: &Path, key: Option<&FeedKey>) -> Result<Vec<Part>> {
    let mut entries = Vec::new();
    for path in packages(folder, "ipk")? {
        let bytes = fs::read(&path).with_context(|| format!("{}", path.display()))?;
        let control = control(&bytes).with_context(|| format!("{} is no package for opkg", path.display()))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let ours = format!("Filename: {name}\nSize: {}\nSHA256sum: {:x}\n", bytes.len(), Hex(&Sha256::digest(&bytes)));
        // The description goes on to the end: what stands behind it would be part of it.
        let at = if control.starts_with("Description:") {
            0
        } else {
            control.find("\nDescription:").map_or(control.len(), |at| at + 1)
        };
        let (before, description) = control.split_at(at);
        entries.push(format!("{before}{ours}{}\n", description.trim_end()));
    }
    let index = entries.join("\n").into_bytes();
    let mut parts = vec![("Packages.gz", gzip(&index)?)];
    parts.extend(key.map(|key| ("Packages.sig", key.sign(&index).into_bytes())));
    parts.push(("Packages", index));
    Ok(parts)
}

/// The control file of an .ipk.
fn control(ipk: &[u8]) -> Result<String> {
    let inner = member(ipk, "control.tar.gz")?;
    Ok(String::from_utf8(member(&inner, "control")?)?)
}

/// A file of a gzipped archive.
fn member(archive: &[u8], wanted: &str) -> Result<Vec<u8>> {
    for entry in tar::Archive::new(GzDecoder::new(archive)).entries()? {
        let mut entry = entry?;
        if entry.path_bytes().strip_prefix(b"./") == Some(wanted.as_bytes()) {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes)?;
            return Ok(bytes);
        }
    }
    bail!("there is no {wanted} in it")
}

/// `packages.adb` for all .apk files in `folder`, signed where there is a key.
///
/// # Errors
/// There is none, one that cannot be read, or one that has another name than `NAME-VERSION_ARCH.apk`.
pub fn apk(folder: &Path, description: &str, key: Option<&Key>) -> Result<Vec<Part>> {
    let mut adb = Adb::new();
    let mut all = Vec::new();
    for path in packages(folder, "apk")? {
        let bytes = fs::read(&path).with_context(|| format!("{}", path.display()))?;
        let entry = entry(&mut adb, &bytes).with_context(|| format!("{} is no package for apk", path.display()))?;
        let wanted = entry.0.file_name();
        ensure!(path.ends_with(&wanted), "{}: call it {wanted}, or apk does not find it", path.display());
        all.push(entry);
    }
    all.sort_by(|a, b| a.0.cmp(&b.0));
    let all: Vec<_> = all.into_iter().map(|(_, value)| value).collect();
    let description = adb.text(description);
    let all = adb.array(&all);
    let names = adb.text(FILE_NAME);
    let root = adb.object(&[description, all, names]);
    let payload = adb.finish(root);
    Ok(vec![("packages.adb", apk::compress(&apk::container(*b"indx", &payload, key, &[])?)?)])
}

/// Name, version and architecture of a package. apk looks names up by halves, so an index is sorted.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Id([String; 3]);

impl Id {
    fn file_name(&self) -> String {
        let Self([name, version, arch]) = self;
        format!("{name}-{version}_{arch}.apk")
    }
}

/// What an index says of a package, and who that is.
fn entry(adb: &mut Adb, file: &[u8]) -> Result<(Id, Value)> {
    let mut plain = Vec::new();
    match file.split_first_chunk::<4>() {
        Some((b"ADBd", rest)) => DeflateDecoder::new(rest).read_to_end(&mut plain)?,
        Some((b"ADB.", _)) => file.take(u64::MAX).read_to_end(&mut plain)?,
        _ => bail!("it does not begin as one"),
    };
    ensure!(plain.get(4..8) == Some(b"pckg"), "it is no package");
    let head = plain.get(8..12).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes).context("it is cut short")?;
    ensure!(head >> 30 == 0, "its description does not come first");
    let payload = plain.get(12..8 + (head & 0x3fff_ffff) as usize).context("it is cut short")?;
    let root = Object::root(payload).context("it is damaged")?;
    let info = root.object(1).context("it has no description")?;
    let word = |slot| info.blob(slot).and_then(|b| str::from_utf8(b).ok()).unwrap_or_default().to_owned();
    let id = Id([word(SLOT_NAME), word(SLOT_VERSION), word(SLOT_ARCH)]);
    ensure!(id.0.iter().all(|w| !w.is_empty()), "it has no name, version and architecture");
    let mut slots = Vec::new();
    for slot in 1..=info.slots().max(SLOT_FILE_SIZE) {
        slots.push(match slot {
            SLOT_ID => adb.blob(&Sha256::digest(payload)),
            SLOT_FILE_SIZE => adb.int(file.len() as u64),
            _ => info.copy(slot, adb).context("it is damaged")?,
        });
    }
    Ok((id, adb.object(&slots)))
}

/// Packages in a folder, sorted by name.
fn packages(folder: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("{}", folder.display()))?;
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
    ensure!(!found.is_empty(), "there is no .{extension} in {}", folder.display());
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ipk, package::Package};

    fn folder(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("pack-{name}-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        dir
    }

    fn demo(name: &str) -> Package {
        let mut demo = Package {
            name: name.into(),
            version: "1.0-r1".into(),
            arch: "noarch".into(),
            summary: "does things".into(),
            description: "More.".into(),
            depends: vec!["libc".into(), "kmod-tun".into()],
            ..Package::default()
        };
        demo.tree.file("/etc/x", 0o644, vec![1; 300]).unwrap();
        demo
    }

    #[test]
    fn an_index_for_opkg() {
        let dir = folder("opkg");
        let bytes = ipk::write(&demo("demo")).unwrap();
        fs::write(dir.join("demo_1.0-r1_noarch.ipk"), &bytes).unwrap();
        let key = FeedKey::from_seed([1; 32]);
        let parts = opkg(&dir, Some(&key)).unwrap();
        fs::remove_dir_all(&dir).unwrap();
        assert_eq!(parts.iter().map(|p| p.0).collect::<Vec<_>>(), ["Packages.gz", "Packages.sig", "Packages"]);
        let text = String::from_utf8(parts[2].1.clone()).unwrap();
        let expected = format!(
            "Package: demo\nVersion: 1.0-r1\nDepends: libc, kmod-tun\nSourceName: demo\nSourceDateEpoch: 0\n\
             Architecture: noarch\nInstalled-Size: 300\nFilename: demo_1.0-r1_noarch.ipk\nSize: {}\n\
             SHA256sum: {:x}\nDescription: does things\n More.\n",
            bytes.len(),
            Hex(&Sha256::digest(&bytes))
        );
        assert_eq!(text, expected);
        assert_eq!(String::from_utf8(parts[1].1.clone()).unwrap(), key.sign(text.as_bytes()));
    }

    #[test]
    fn an_index_for_apk() {
        let dir = folder("apk");
        for name in ["b", "a"] {
            fs::write(dir.join(format!("{name}-1.0-r1_noarch.apk")), crate::apk::write(&demo(name), None).unwrap())
                .unwrap();
        }
        let size = fs::metadata(dir.join("a-1.0-r1_noarch.apk")).unwrap().len();
        let parts = apk(&dir, "mine", None).unwrap();
        fs::rename(dir.join("b-1.0-r1_noarch.apk"), dir.join("b.apk")).unwrap();
        let error = apk(&dir, "mine", None).unwrap_err().to_string();
        assert!(error.contains("call it b-1.0-r1_noarch.apk"), "{error}");
        fs::remove_dir_all(&dir).unwrap();
        let mut plain = Vec::new();
        DeflateDecoder::new(&parts[0].1[4..]).read_to_end(&mut plain).unwrap();
        assert_eq!(&plain[..8], b"ADB.indx");
        let root = Object::root(&plain[12..]).unwrap();
        assert_eq!(root.blob(1).unwrap(), b"mine");
        let all = root.object(2).unwrap();
        assert_eq!(all.slots(), 2);
        let first = all.object(1).unwrap();
        assert_eq!((first.blob(1).unwrap(), first.blob(2).unwrap()), (&b"a"[..], &b"1.0-r1"[..]));
        assert_eq!((first.blob(SLOT_ID).unwrap().len(), first.int(SLOT_FILE_SIZE)), (32, Some(size)));
        assert_eq!(first.object(15).unwrap().object(1).unwrap().blob(1).unwrap(), b"kmod-tun");
    }

    #[test]
    fn an_empty_folder_and_a_file_that_is_none_are_refused() {
        let dir = folder("none");
        assert!(opkg(&dir, None).is_err() && apk(&dir, "", None).is_err());
        fs::write(dir.join("x.ipk"), b"x").unwrap();
        fs::write(dir.join("x.apk"), b"ADB.pckg\x04").unwrap();
        assert!(opkg(&dir, None).is_err() && apk(&dir, "", None).is_err());
        fs::remove_dir_all(&dir).unwrap();
    }
}
