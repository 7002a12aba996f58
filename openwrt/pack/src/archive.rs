//! Tar and gzip with nothing in them that changes from build to build.

use std::io::Write;

use anyhow::{Result, ensure};
use flate2::{Compression, GzBuilder};
use tar::{EntryType, Header};

use crate::tree::{Kind, Tree};

/// Longest name that fits a plain header.
const NAME: usize = 100;

/// A tar archive of `tree` in GNU format, sorted, owned by root, every time stamp `mtime`; folders first above
/// their files, names beginning with `./`.
///
/// # Errors
/// A path or the target of a link is too long for a plain header.
pub(crate) fn tar(tree: &Tree, mtime: u64) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    // Folders and files together, so that each folder stands right before what it holds.
    let mut all: Vec<(String, Option<&crate::tree::Entry>)> = tree
        .folders()
        .into_iter()
        .map(|folder| (format!("{folder}{}", if folder.is_empty() { "" } else { "/" }), None))
        .chain(tree.entries().map(|(path, entry)| (path.to_owned(), Some(entry))))
        .collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    for (path, entry) in all {
        let (kind, mode, bytes, target): (_, _, &[u8], _) = match entry {
            None => (EntryType::Directory, 0o755, &[], ""),
            Some(entry) => match &entry.kind {
                Kind::File(bytes) => (EntryType::Regular, entry.mode, bytes, ""),
                Kind::Link(target) => (EntryType::Symlink, 0o777, &[], target.as_str()),
            },
        };
        append(&mut out, &path, kind, mode, bytes, target, mtime)?;
    }
    Ok(end(out))
}

/// A tar archive of a few files side by side, in the order given.
///
/// # Errors
/// A name is too long for a plain header.
pub(crate) fn members(files: &[(&str, &[u8])], mtime: u64) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    for (name, bytes) in files {
        append(&mut out, name, EntryType::Regular, 0o644, bytes, "", mtime)?;
    }
    Ok(end(out))
}

fn append(
    out: &mut Vec<u8>,
    path: &str,
    kind: EntryType,
    mode: u16,
    bytes: &[u8],
    target: &str,
    mtime: u64,
) -> Result<()> {
    let path = format!("./{path}");
    ensure!(path.len() <= NAME && target.len() <= NAME, "{path}: a path in a package has at most {} bytes", NAME - 2);
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode.into());
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(mtime);
    header.set_size(bytes.len() as u64);
    header.set_username("root")?;
    header.set_groupname("root")?;
    // Written by hand: the library would take the leading dot away.
    let old = header.as_old_mut();
    old.name[..path.len()].copy_from_slice(path.as_bytes());
    old.linkname[..target.len()].copy_from_slice(target.as_bytes());
    header.set_cksum();
    out.extend_from_slice(header.as_bytes());
    out.extend_from_slice(bytes);
    out.resize(out.len().next_multiple_of(512), 0);
    Ok(())
}

/// Two empty blocks end an archive; GNU tar fills up to 10 KiB, which nobody needs.
fn end(mut out: Vec<u8>) -> Vec<u8> {
    out.resize(out.len() + 1024, 0);
    out
}

/// `bytes` in gzip, without name and time.
///
/// # Errors
/// None in practice: memory is the only thing written to.
pub(crate) fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzBuilder::new().mtime(0).operating_system(3).write(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn what_goes_in_comes_out() {
        let mut tree = Tree::default();
        tree.file("/etc/init.d/x", 0o755, b"text".to_vec()).unwrap();
        tree.file("/etc/a", 0o600, vec![1; 513]).unwrap();
        tree.link("/etc/b", "a").unwrap();
        let bytes = gzip(&tar(&tree, 7).unwrap()).unwrap();
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(&bytes[..]));
        let mut seen = Vec::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let header = entry.header();
            assert_eq!((header.mtime().unwrap(), header.uid().unwrap()), (7, 0));
            let (path, mode) = (String::from_utf8(entry.path_bytes().to_vec()).unwrap(), header.mode().unwrap());
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            seen.push((path, mode, content.len()));
        }
        let expected = [
            ("./", 0o755, 0),
            ("./etc/", 0o755, 0),
            ("./etc/a", 0o600, 513),
            ("./etc/b", 0o777, 0),
            ("./etc/init.d/", 0o755, 0),
            ("./etc/init.d/x", 0o755, 4),
        ];
        assert_eq!(seen, expected.map(|(p, m, n)| (p.to_owned(), m, n)));
        assert_eq!(bytes[4..8], [0; 4], "no time in the gzip header");
    }

    #[test]
    fn a_path_too_long_is_refused() {
        let mut tree = Tree::default();
        tree.file(&"x".repeat(99), 0o644, Vec::new()).unwrap();
        assert!(tar(&tree, 0).is_err());
    }
}
