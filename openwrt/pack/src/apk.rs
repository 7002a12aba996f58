//! Packages for OpenWrt 25.12 and newer: .apk of version 3.
//!
//! Source: shared notes on OpenWrt, section 12, checked there with apk-tools 3.0.6. The test compares with a
//! package that apk reads, byte for byte.

use std::io::Write;

use anyhow::{Context, Result};
use flate2::{Compression, write::DeflateEncoder};
use sha2::{Digest, Sha256, Sha512};

use crate::{
    adb::{Adb, Value},
    openwrt,
    package::Package,
    sign::Key,
    tree::{Entry, Kind},
};

const SCHEMA: &[u8; 4] = b"pckg";
const BLOCK_ADB: u32 = 0;
const BLOCK_SIGNATURE: u32 = 1;
const BLOCK_DATA: u32 = 2;
/// What a name is worth that the package gets from its content.
const UNIQUE_ID: usize = 20;
/// Signature block: version 0, SHA-512.
const SIGNATURE_HEAD: [u8; 2] = [0, 4];

/// The file `NAME-VERSION.apk` of an OpenWrt package: with OpenWrt's own lists and scripts, compressed, and
/// signed where there is a key.
///
/// # Errors
/// A list that OpenWrt wants in the package is in it already.
pub fn write(package: &Package, key: Option<&Key>) -> Result<Vec<u8>> {
    let package = openwrt::with_lists(package)?;
    compress(&plain(&package, &openwrt::apk_scripts(&package), key)?)
}

/// Scripts by the slot that they have in a package.
pub(crate) type Slots = Vec<(usize, String)>;

/// Slot of the script that runs after installation.
pub(crate) const POST_INSTALL: usize = 3;
/// Slot of the script that runs before removal.
pub(crate) const PRE_DEINSTALL: usize = 4;
/// Slot of the script that runs after an upgrade.
pub(crate) const POST_UPGRADE: usize = 7;

/// The uncompressed file.
fn plain(package: &Package, scripts: &Slots, key: Option<&Key>) -> Result<Vec<u8>> {
    let mut adb = Adb::new();
    let mut data = Vec::new();
    let paths = paths(&mut adb, package, &mut data)?;
    let (info, id) = info(&mut adb, package);
    let mut slots = [Value::NULL; POST_UPGRADE];
    for (slot, script) in scripts {
        slots[slot - 1] = adb.text(script);
    }
    let scripts = adb.object(&slots);
    let paths = adb.array(&paths);
    let root = adb.object(&[info, paths, scripts]);

    let mut payload = adb.finish(root);
    let digest = Sha256::digest(&payload);
    payload[id..id + UNIQUE_ID].copy_from_slice(&digest[..UNIQUE_ID]);

    container(*SCHEMA, &payload, key, &data)
}

/// An uncompressed file of what `schema` says: description, signature, and data.
pub(crate) fn container(schema: [u8; 4], payload: &[u8], key: Option<&Key>, data: &Data<'_>) -> Result<Vec<u8>> {
    let mut out = b"ADB.".to_vec();
    out.extend_from_slice(&schema);
    block(&mut out, BLOCK_ADB, &[payload]);
    if let Some(key) = key {
        let mut head = SIGNATURE_HEAD.to_vec();
        head.extend_from_slice(&key.id());
        let mut signed = schema.to_vec();
        signed.extend_from_slice(&head);
        signed.extend_from_slice(&Sha512::digest(payload));
        let signature = key.sign(&signed)?;
        block(&mut out, BLOCK_SIGNATURE, &[&head, &signature]);
    }
    for (place, bytes) in data {
        block(&mut out, BLOCK_DATA, &[place, bytes]);
    }
    Ok(out)
}

fn block(out: &mut Vec<u8>, kind: u32, parts: &[&[u8]]) {
    let length: usize = 4 + parts.iter().map(|part| part.len()).sum::<usize>();
    out.extend_from_slice(&(kind << 30 | length as u32).to_le_bytes());
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out.resize(out.len().next_multiple_of(8), 0);
}

/// Where a file stands in the lists of folders and files, and its bytes.
pub(crate) type Data<'p> = [([u8; 8], &'p [u8])];

fn paths<'p>(adb: &mut Adb, package: &'p Package, data: &mut Vec<([u8; 8], &'p [u8])>) -> Result<Vec<Value>> {
    let mut folders = Vec::new();
    for folder in package.tree.folders() {
        let inside = package.tree.entries().filter_map(|(path, entry)| {
            let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
            (above == folder).then_some((name, entry))
        });
        let mut files = Vec::new();
        for (name, entry) in inside {
            files.push(file(adb, name, entry, package.mtime));
            if let Kind::File(bytes) = &entry.kind
                && !bytes.is_empty()
            {
                let mut place = [0; 8];
                let folder = u32::try_from(folders.len() + 1).context("too many folders")?;
                let file = u32::try_from(files.len()).context("too many files")?;
                place[..4].copy_from_slice(&folder.to_le_bytes());
                place[4..].copy_from_slice(&file.to_le_bytes());
                data.push((place, bytes));
            }
        }
        let name = adb.text(folder);
        let acl = acl(adb, 0o755);
        let files = adb.array(&files);
        folders.push(adb.object(&[name, acl, files]));
    }
    Ok(folders)
}

fn file(adb: &mut Adb, name: &str, entry: &Entry, mtime: u64) -> Value {
    let name = adb.text(name);
    let (size, digest, target) = match &entry.kind {
        Kind::File(bytes) => (bytes.len(), adb.blob(&Sha256::digest(bytes)), Value::NULL),
        Kind::Link(target) => {
            let mut blob = 0xa000u16.to_le_bytes().to_vec();
            blob.extend_from_slice(target.as_bytes());
            (target.len(), Value::NULL, adb.blob(&blob))
        }
    };
    let mtime = adb.int(mtime);
    let acl = acl(adb, entry.mode);
    let size = adb.int(size as u64);
    adb.object(&[name, acl, size, mtime, digest, target])
}

fn acl(adb: &mut Adb, mode: u16) -> Value {
    let user = adb.text("root");
    let group = adb.text("root");
    let mode = adb.int(mode.into());
    adb.object(&[mode, user, group])
}

/// The description of the package, and where its unique id stands in the payload.
fn info(adb: &mut Adb, package: &Package) -> (Value, usize) {
    let mut depends: Vec<&str> = package.depends.iter().map(String::as_str).collect();
    depends.sort_unstable();
    let mut all = Vec::new();
    for name in depends {
        let name = adb.text(name);
        all.push(adb.object(&[name]));
    }
    let depends = adb.array(&all);
    let id = adb.blob(&[0; UNIQUE_ID]);
    let mut slots = [Value::NULL; 15];
    slots[0] = adb.text(&package.name);
    slots[1] = adb.text(&package.version);
    slots[2] = id;
    slots[3] = adb.text(&package.summary);
    slots[4] = adb.text(&package.arch);
    slots[5] = adb.text(&package.license);
    slots[6] = adb.text(&package.name);
    slots[7] = adb.text(&package.maintainer);
    slots[8] = adb.text(&package.url);
    slots[11] = adb.int(package.tree.size());
    slots[14] = depends;
    (adb.object(&slots), Adb::bytes_of(id))
}

/// The whole file, deflated without a header of its own.
pub(crate) fn compress(plain: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = DeflateEncoder::new(b"ADBd".to_vec(), Compression::best());
    encoder.write_all(plain)?;
    Ok(encoder.finish()?)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::DeflateDecoder;

    use super::*;

    fn demo() -> Package {
        let mut demo = Package {
            name: "demo".into(),
            version: "1.0-r1".into(),
            arch: "noarch".into(),
            summary: "d".into(),
            license: "MIT".into(),
            depends: vec!["libc".into()],
            mtime: 1_700_000_000,
            ..Package::default()
        };
        demo.tree.file("/etc/x", 0o644, b"hi\n".to_vec()).unwrap();
        demo.tree.link("/etc/y", "x").unwrap();
        demo
    }

    fn scripts() -> Slots {
        vec![(POST_INSTALL, "#!/bin/sh\nexit 0\n".into())]
    }

    /// A package that apk 3.0.6 reads and lists correctly.
    #[test]
    fn the_golden_package() {
        let golden: Vec<u8> = include_str!("../tests/demo-apk.hex")
            .split_whitespace()
            .flat_map(|line| line.as_bytes().chunks(2))
            .map(|two| u8::from_str_radix(str::from_utf8(two).unwrap(), 16).unwrap())
            .collect();
        assert_eq!(golden.len(), 504);
        assert_eq!(plain(&demo(), &scripts(), None).unwrap(), golden);
    }

    #[test]
    fn compressed_and_plain_are_the_same_package() {
        let packed = write(&demo(), None).unwrap();
        assert_eq!(&packed[..4], b"ADBd");
        let mut plain = Vec::new();
        DeflateDecoder::new(&packed[4..]).read_to_end(&mut plain).unwrap();
        assert_eq!(&plain[..8], b"ADB.pckg");
        assert_eq!(packed, write(&demo(), None).unwrap());
    }

    #[test]
    fn the_signature_stands_between_description_and_files() {
        let key = Key::from_seed([7; 32]).unwrap();
        let unsigned = plain(&demo(), &scripts(), None).unwrap();
        let signed = plain(&demo(), &scripts(), Some(&key)).unwrap();
        let adb = 8 + 0x1e0;
        assert_eq!(signed[..adb], unsigned[..adb]);
        assert_eq!(signed[signed.len() - 16..], unsigned[adb..]);
        let block = &signed[adb..signed.len() - 16];
        let length = u32::from_le_bytes(block[..4].try_into().unwrap());
        assert_eq!(length >> 30, BLOCK_SIGNATURE);
        let payload = &unsigned[12..12 + 0x1d8];
        let mut text = b"pckg".to_vec();
        text.extend_from_slice(&block[4..22]);
        text.extend_from_slice(&Sha512::digest(payload));
        let end = (length & 0x3fff_ffff) as usize;
        assert!(key.verifies(&text, &block[22..end]));
        text[0] ^= 1;
        assert!(!key.verifies(&text, &block[22..end]));
    }
}
