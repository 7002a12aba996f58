//! Packages for Debian and its children: .deb.
//!
//! Source: deb(5) and deb-control(5) of dpkg.

use anyhow::{Result, ensure};

use crate::{
    archive::{gzip, tar},
    control::{Fields, conffiles},
    package::Package,
    tree::Tree,
};

/// The file `NAME_VERSION_ARCH.deb`.
///
/// # Errors
/// A path is too long for an archive, or Debian wants a maintainer and there is none.
pub fn write(package: &Package) -> Result<Vec<u8>> {
    ensure!(!package.maintainer.is_empty(), "a Debian package needs `maintainer` in its description");
    let mut control = Tree::default();
    control.file("control", 0o644, fields(package).into_bytes())?;
    for (name, script) in [
        ("postinst", &package.scripts.postinst),
        ("prerm", &package.scripts.prerm),
        ("postrm", &package.scripts.postrm),
    ] {
        if !script.is_empty() {
            control.file(name, 0o755, format!("{}\n", script.trim_end()).into_bytes())?;
        }
    }
    conffiles(package, &mut control)?;
    let mut out = b"!<arch>\n".to_vec();
    member(&mut out, "debian-binary", package.mtime, b"2.0\n");
    member(&mut out, "control.tar.gz", package.mtime, &gzip(&tar(&control, package.mtime)?)?);
    member(&mut out, "data.tar.gz", package.mtime, &gzip(&tar(&package.tree, package.mtime)?)?);
    Ok(out)
}

fn fields(package: &Package) -> String {
    let mut fields = Fields::default();
    let mut field = |name, value: &str| fields.add(name, value);
    field("Package", &package.name);
    field("Version", &package.version);
    field("Architecture", &package.arch);
    field("Maintainer", &package.maintainer);
    // In units of 1024 bytes.
    field("Installed-Size", &package.tree.size().div_ceil(1024).to_string());
    field("Depends", &package.depends.join(", "));
    field("Section", &package.section);
    field("Priority", "optional");
    field("Homepage", &package.url);
    fields.describe(package)
}

fn member(out: &mut Vec<u8>, name: &str, mtime: u64, bytes: &[u8]) {
    let head = format!("{name:<16}{mtime:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 100_644, bytes.len());
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(bytes);
    out.resize(out.len().next_multiple_of(2), b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_have_headers_of_sixty_bytes_and_begin_at_even_places() {
        let mut out = Vec::new();
        member(&mut out, "debian-binary", 1_700_000_000, b"odd");
        assert_eq!(out, b"debian-binary   1700000000  0     0     100644  3         `\nodd\n");
    }

    #[test]
    fn nobody_to_answer_for_it_is_refused() {
        assert!(write(&Package::default()).is_err());
    }
}
