//! Package files on disk, by the name of their package.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

/// How the package manager of a release wants its packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// opkg, up to 24.10.
    Ipk,
    /// apk, from 25.12.
    Apk,
}

impl Format {
    /// End of a file's name.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Ipk => "ipk",
            Self::Apk => "apk",
        }
    }
}

/// All package files of one format below some folders. Of two with one name, the one put there last counts.
#[derive(Debug, Default)]
pub struct Shelf {
    files: BTreeMap<String, PathBuf>,
}

impl Shelf {
    /// Adds what lies in `folder` and the folders below it. Names come from the names of the files.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn add(&mut self, folder: &Path, format: Format) -> Result<()> {
        let mut folders = vec![folder.to_owned()];
        while let Some(folder) = folders.pop() {
            let entries = fs::read_dir(&folder).with_context(|| format!("{}", folder.display()))?;
            for entry in entries {
                let path = entry.with_context(|| format!("{}", folder.display()))?.path();
                if path.is_dir() {
                    folders.push(path);
                } else if let Some(name) = package(&path, format) {
                    self.files.insert(name, path);
                }
            }
        }
        Ok(())
    }

    /// The file of a package.
    pub fn get(&self, name: &str) -> Option<&Path> {
        self.files.get(name).map(PathBuf::as_path)
    }

    /// All files with the names of their packages.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Path)> {
        self.files.iter().map(|(name, path)| (name.as_str(), path.as_path()))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }
}

/// The package that a file holds, by the file's name: `NAME_VERSION_ARCH.ipk`, `NAME-VERSION.apk`. None where it is
/// no package of this format.
fn package(path: &Path, format: Format) -> Option<String> {
    let file = path.file_name()?.to_str()?;
    let stem = file.strip_suffix(format.ending())?.strip_suffix('.')?;
    let name = match format {
        Format::Ipk => stem.split_once('_')?.0,
        Format::Apk => {
            // The version begins at the last hyphen before a digit: what follows may end in -r1, no digit.
            let digit = |at: &usize| stem[at + 1..].starts_with(|c: char| c.is_ascii_digit());
            let at = stem.match_indices('-').map(|(at, _)| at).rfind(digit)?;
            &stem[..at]
        }
    };
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files() {
        for (file, format, name) in [
            ("kmod-tun_6.6.86-r1_mips_24kc.ipk", Format::Ipk, Some("kmod-tun")),
            ("wpad-mesh-mbedtls_2024.09.15~5ace39b0-r2_mips_24kc.ipk", Format::Ipk, Some("wpad-mesh-mbedtls")),
            ("kmod-tun-6.12.63-r1.apk", Format::Apk, Some("kmod-tun")),
            ("kernel-6.12.63~ab12cd-r1.apk", Format::Apk, Some("kernel")),
            ("meshwork-0.1.0-r1_mips_24kc.apk", Format::Apk, Some("meshwork")),
            ("wireless-regdb-2025.10.07-r1.apk", Format::Apk, Some("wireless-regdb")),
            ("Packages.gz", Format::Ipk, None),
            ("packages.adb", Format::Apk, None),
            ("kmod-tun-6.12.63-r1.apk", Format::Ipk, None),
            ("noversion.apk", Format::Apk, None),
        ] {
            assert_eq!(package(Path::new(file), format).as_deref(), name, "{file}");
        }
    }
}
