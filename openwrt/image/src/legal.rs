//! The papers of an image: what licences are in it, and the offer of source that goes with it.

use std::{fmt::Write, path::Path, process::Command};

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use crate::{inside, shelf::Shelf};

/// A package of OpenWrt, or a library inside the program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its licence in its own words; empty where that is not known.
    pub license: String,
    /// Where its source is.
    pub source: String,
}

/// Words in a licence's name that oblige who hands on a program to hand on its source.
const COPYLEFT: [&str; 7] = ["GPL", "MPL", "EPL", "CDDL", "EUPL", "OSL", "CPL"];

impl Part {
    /// Whether its source must be offered along. What is not known counts as yes.
    pub fn owes_source(&self) -> bool {
        let any = |text: &str| COPYLEFT.iter().any(|word| text.contains(word));
        // Of "MIT OR GPL-2.0" one may take the first.
        let free = |choice: &str| !choice.trim().is_empty() && !any(choice);
        !self.license.split(" OR ").any(free)
    }
}

/// The libraries in the program as routers get it, by cargo's own account, without the network.
///
/// # Errors
/// cargo is missing or has not all of their sources at hand.
pub fn crates(root: &Path, triple: &str) -> Result<Vec<Part>> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let done = Command::new(cargo)
        .args(["tree", "--offline", "--locked", "-p", "meshwork", "--no-default-features", "--target", triple])
        .args(["-e", "normal,no-proc-macro", "--prefix", "none", "--format", "{p}|{l}|{r}"])
        .current_dir(root)
        .output()
        .context("cargo is missing: it knows the libraries in the program and their licences")?;
    ensure!(
        done.status.success(),
        "cargo cannot list the libraries in the program without the network: run `cargo fetch --locked` once.\n{}",
        String::from_utf8_lossy(&done.stderr).trim()
    );
    let mut parts: Vec<Part> = String::from_utf8_lossy(&done.stdout).lines().filter_map(library).collect();
    parts.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
    parts.dedup();
    Ok(parts)
}

/// `name v1.2.3 (path or note)|licence|repository`, perhaps with ` (*)` behind a name told before.
fn library(line: &str) -> Option<Part> {
    let mut columns = line.split('|');
    let mut words = columns.next()?.split_whitespace();
    let (name, version) = (words.next()?, words.next()?.strip_prefix('v')?);
    let license = columns.next()?.to_owned();
    let source = columns.next().unwrap_or_default().trim_end_matches(" (*)").to_owned();
    Some(Part { name: name.into(), version: version.into(), license, source })
}

/// Lines of a manifest: `name - version` of opkg, `name version` of apk.
pub fn manifest(text: &str) -> Vec<(String, String)> {
    let line = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            [name, "-", version] | [name, version] => Some((name.to_owned(), version.to_owned())),
            _ => None,
        }
    };
    text.lines().filter_map(line).collect()
}

/// The packages of an image with their licences, out of their files where those are at hand.
pub fn packages(manifest: &[(String, String)], shelf: &Shelf) -> Vec<Part> {
    let part = |(name, version): &(String, String)| {
        let inside = shelf.get(name).and_then(|path| inside::read(path).ok()).unwrap_or_default();
        Part { name: name.clone(), version: version.clone(), license: inside.license, source: inside.source }
    };
    manifest.iter().map(part).collect()
}

/// The list of licences, for people.
pub fn licenses(image: &str, packages: &[Part], crates: &[Part]) -> String {
    let mut out = format!("Licences in {image}\n");
    let mut list = |title: &str, parts: &[Part]| {
        let _ = write!(out, "\n{title}\n\n");
        for part in parts {
            let license = if part.license.is_empty() { "not known here: see its source" } else { &part.license };
            let _ = writeln!(out, "{:<36} {:<32} {license}", part.name, part.version);
        }
    };
    list("Packages", packages);
    list("Libraries inside the package meshwork", crates);
    out.push_str("\nThe texts of the licences are in the sources; SOURCE-OFFER.txt says how to get those.\n");
    out
}

/// What the offer is about.
#[derive(Debug)]
pub struct Offer<'a> {
    /// OpenWrt's version.
    pub version: &'a str,
    /// Target and subtarget.
    pub target: &'a str,
    /// What the device is called.
    pub device: &'a str,
    /// Version of the package meshwork.
    pub meshwork: &'a str,
    /// Who answers requests; none leaves a line to fill in.
    pub contact: Option<&'a str>,
}

/// The written offer of source that whoever hands the image on must pass along (GPL 2, section 3 b).
pub fn offer(offer: &Offer<'_>, packages: &[Part], crates: &[Part]) -> String {
    let Offer { version, target, device, meshwork, contact } = offer;
    let contact = contact.unwrap_or("[FILL IN: name and address of who hands this image on]");
    let mut out = format!(
        "Offer of source code\n\n\
         This image for {device} holds OpenWrt {version} ({target}) and Meshwork {meshwork}. Parts of it are under\n\
         licences that entitle you to their source code. For at least three years from the day you got the image, and\n\
         for as long as we offer spare parts or support for it, we give anybody who asks a complete machine-readable\n\
         copy of the corresponding source code, with the scripts to build and install it, for no more than the cost\n\
         of sending it. Ask:\n\n    {contact}\n\n\
         You need not ask where this is enough for you:\n\
         - OpenWrt {version}: the tag v{version} of its repository and of its feeds; each package's recipe names the\n  \
           source archive and its checksum, and https://sources.openwrt.org keeps the archives.\n\
         - Meshwork {meshwork}: its repository, and the crates that Cargo.lock names, from https://crates.io.\n\n\
         Whoever hands the image on must keep this offer with it, make it in their own name, and be able to keep it:\n\
         so keep the sources yourself, do not rely on others keeping them.\n\n\
         Parts whose source is owed:\n\n"
    );
    for part in packages.iter().chain(crates).filter(|part| part.owes_source()) {
        let license = if part.license.is_empty() { "licence not known here" } else { &part.license };
        let _ = writeln!(
            out,
            "{} {} ({license}){}",
            part.name,
            part.version,
            match part.source.as_str() {
                "" => String::new(),
                source => format!(": {source}"),
            }
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(license: &str) -> Part {
        Part { name: "n".into(), version: "1".into(), license: license.into(), source: String::new() }
    }

    #[test]
    fn whose_source_is_owed() {
        for license in ["GPL-2.0", "LGPL-2.1-or-later", "GPL-2.0-or-later AND MIT", "MPL-2.0", ""] {
            assert!(part(license).owes_source(), "{license:?}");
        }
        for license in ["MIT", "Apache-2.0 OR MIT", "GPL-2.0 OR MIT", "BSD-3-Clause", "ISC"] {
            assert!(!part(license).owes_source(), "{license:?}");
        }
    }

    #[test]
    fn both_forms_of_a_manifest() {
        let expected = [("base-files".to_owned(), "1.0-r1".to_owned()), ("kmod-tun".into(), "6.6.86-r1".into())];
        assert_eq!(manifest("base-files - 1.0-r1\nkmod-tun - 6.6.86-r1\n"), expected);
        assert_eq!(manifest("base-files 1.0-r1\nkmod-tun 6.6.86-r1\nnot a line of one\n"), expected);
    }

    #[test]
    fn lines_of_cargo_tree() {
        let part = library("zerocopy v0.8.63|BSD-2-Clause OR MIT|https://example.org/z (*)").unwrap();
        assert_eq!((part.name.as_str(), part.version.as_str()), ("zerocopy", "0.8.63"));
        assert_eq!((part.license.as_str(), part.source.as_str()), ("BSD-2-Clause OR MIT", "https://example.org/z"));
        assert_eq!(library("meshwork v0.1.0 (/somewhere)|GPL-2.0-or-later|").unwrap().source, "");
        assert!(library("").is_none());
    }

    #[test]
    fn the_libraries_of_this_very_program() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        // A build of this crate alone has not fetched what only the program uses.
        let _ = Command::new("cargo").args(["fetch", "--quiet", "--locked"]).current_dir(&root).status();
        let parts = crates(&root, "mips-unknown-linux-musl").unwrap();
        assert!(parts.iter().any(|part| part.name == "tokio"), "{parts:?}");
        assert!(parts.iter().all(|part| !part.license.is_empty()), "{parts:?}");
        assert!(!parts.iter().any(|part| part.name == "proptest"), "what only tests use is not in the program");
        let owed: Vec<&str> = parts.iter().filter(|p| p.owes_source()).map(|p| p.name.as_str()).collect();
        assert!(owed.contains(&"mesh-core"), "{owed:?}");
    }

    #[test]
    fn the_offer_names_whom_to_ask_and_what_is_owed() {
        let about = Offer {
            version: "24.10.2",
            target: "ath79/generic",
            device: "D",
            meshwork: "0.1.0-r1",
            contact: Some("Mesh e.V., Street 1"),
        };
        let text = offer(&about, &[part("GPL-2.0"), part("MIT")], &[]);
        assert!(text.contains("Mesh e.V., Street 1") && text.contains("v24.10.2") && text.contains("three years"));
        assert!(text.contains("n 1 (GPL-2.0)") && !text.contains("n 1 (MIT)"));
        assert!(offer_without(&about).contains("FILL IN"));
    }

    fn offer_without(about: &Offer<'_>) -> String {
        offer(&Offer { contact: None, ..*about }, &[], &[])
    }
}
