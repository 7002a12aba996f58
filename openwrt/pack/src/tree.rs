//! The files of a package, in the one order that gives the same bytes every time.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, ensure};

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file and its bytes.
    File(Vec<u8>),
    /// A symbolic link and where it points.
    Link(String),
}

/// One file or link, owned by root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub kind: Kind,
    /// Permission bits, such as 0o755. Links have 0o777.
    pub mode: u16,
}

/// All files of a package by path, without a leading slash. Folders follow from the paths.
#[derive(Clone, Debug, Default)]
pub struct Tree(BTreeMap<String, Entry>);

impl Tree {
    /// Adds a regular file. `path` may begin with a slash.
    ///
    /// # Errors
    /// The path is relative in a way that leaves the package, or is taken already.
    pub fn file(&mut self, path: &str, mode: u16, bytes: Vec<u8>) -> Result<()> {
        ensure!(mode <= 0o7777, "{path}: mode {mode:o} has more than twelve bits");
        self.add(path, Entry { kind: Kind::File(bytes), mode })
    }

    /// Adds a symbolic link.
    ///
    /// # Errors
    /// As for [`Tree::file`].
    pub fn link(&mut self, path: &str, target: &str) -> Result<()> {
        self.add(path, Entry { kind: Kind::Link(target.to_owned()), mode: 0o777 })
    }

    fn add(&mut self, path: &str, entry: Entry) -> Result<()> {
        let path = path.strip_prefix('/').unwrap_or(path);
        ensure!(
            !path.is_empty() && path.split('/').all(|part| !matches!(part, "" | "." | "..")),
            "{path:?} is no path inside a package: write it as on the router, such as /usr/sbin/meshwork"
        );
        ensure!(self.0.insert(path.to_owned(), entry).is_none(), "/{path} is in the package twice");
        Ok(())
    }

    /// Files and links, sorted by path.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.0.iter().map(|(path, entry)| (path.as_str(), entry))
    }

    /// The file or link at `path`, with or without its leading slash.
    pub fn get(&self, path: &str) -> Option<&Entry> {
        self.0.get(path.strip_prefix('/').unwrap_or(path))
    }

    /// Every folder above a file, sorted, the root first as an empty name.
    pub fn folders(&self) -> BTreeSet<&str> {
        let mut folders = BTreeSet::from([""]);
        for path in self.0.keys() {
            folders.extend(path.match_indices('/').map(|(at, _)| &path[..at]));
        }
        folders
    }

    /// Bytes of all regular files together.
    pub fn size(&self) -> u64 {
        self.0
            .values()
            .map(|entry| match &entry.kind {
                Kind::File(bytes) => bytes.len() as u64,
                Kind::Link(_) => 0,
            })
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_follow_from_paths() {
        let mut tree = Tree::default();
        tree.file("/etc/init.d/x", 0o755, b"#!/bin/sh\n".to_vec()).unwrap();
        tree.link("usr/y", "/etc/x").unwrap();
        assert_eq!(tree.folders().into_iter().collect::<Vec<_>>(), ["", "etc", "etc/init.d", "usr"]);
        assert_eq!(tree.size(), 10);
    }

    #[test]
    fn nothing_leaves_the_package_or_stands_in_it_twice() {
        let mut tree = Tree::default();
        for bad in ["", "/", "../etc/passwd", "/etc//x", "/etc/./x", "/etc/x/"] {
            assert!(tree.file(bad, 0o644, Vec::new()).is_err(), "{bad:?}");
        }
        tree.file("/a", 0o644, Vec::new()).unwrap();
        assert!(tree.link("a", "b").is_err());
    }
}
