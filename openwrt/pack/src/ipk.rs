//! Packages for OpenWrt 24.10 and older: .ipk.
//!
//! Source: shared notes on OpenWrt, section 11, checked there with the real opkg.

use anyhow::Result;

use crate::{
    archive::{gzip, members, tar},
    control::{Fields, conffiles},
    openwrt,
    package::Package,
    tree::Tree,
};

/// The file `NAME_VERSION_ARCH.ipk`.
///
/// # Errors
/// A path is too long for an archive.
pub fn write(package: &Package) -> Result<Vec<u8>> {
    let mut control = Tree::default();
    control.file("control", 0o644, fields(package).into_bytes())?;
    for (name, script) in openwrt::ipk_scripts(package) {
        control.file(name, 0o755, script.into_bytes())?;
    }
    conffiles(package, &mut control)?;
    let data = gzip(&tar(&package.tree, package.mtime)?)?;
    let control = gzip(&tar(&control, package.mtime)?)?;
    let whole =
        members(&[("debian-binary", b"2.0\n"), ("data.tar.gz", &data), ("control.tar.gz", &control)], package.mtime)?;
    gzip(&whole)
}

/// The control file, its fields in upstream's order.
fn fields(package: &Package) -> String {
    let mut fields = Fields::default();
    let mut field = |name, value: &str| fields.add(name, value);
    field("Package", &package.name);
    field("Version", &package.version);
    field("Depends", &package.depends.join(", "));
    field("SourceName", &package.name);
    field("License", &package.license);
    field("Section", &package.section);
    field("Require-User", &package.user);
    field("SourceDateEpoch", &package.mtime.to_string());
    field("URL", &package.url);
    field("Maintainer", &package.maintainer);
    field("Architecture", &package.arch);
    field("Installed-Size", &package.tree.size().to_string());
    fields.describe(package)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;

    use super::*;

    fn demo() -> Package {
        let mut demo = Package {
            name: "demo".into(),
            version: "1.0-r1".into(),
            arch: "mips_24kc".into(),
            summary: "does things".into(),
            description: "First.\n\nThird.".into(),
            depends: vec!["libc".into(), "kmod-tun".into()],
            conffiles: vec!["/etc/config/demo".into()],
            mtime: 5,
            ..Package::default()
        };
        demo.tree.file("/etc/config/demo", 0o600, b"x".to_vec()).unwrap();
        demo
    }

    fn unpack(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
        tar::Archive::new(GzDecoder::new(bytes))
            .entries()
            .unwrap()
            .map(|entry| {
                let mut entry = entry.unwrap();
                let mut content = Vec::new();
                entry.read_to_end(&mut content).unwrap();
                (String::from_utf8(entry.path_bytes().to_vec()).unwrap(), content)
            })
            .collect()
    }

    #[test]
    fn control_fields() {
        assert_eq!(
            fields(&demo()),
            "Package: demo\nVersion: 1.0-r1\nDepends: libc, kmod-tun\nSourceName: demo\n\
             SourceDateEpoch: 5\nArchitecture: mips_24kc\nInstalled-Size: 1\n\
             Description: does things\n First.\n .\n Third.\n"
        );
    }

    #[test]
    fn the_three_members_and_what_is_in_them() {
        let bytes = write(&demo()).unwrap();
        assert_eq!(bytes, write(&demo()).unwrap());
        let whole = unpack(&bytes);
        let names: Vec<&str> = whole.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["./debian-binary", "./data.tar.gz", "./control.tar.gz"]);
        assert_eq!(whole[0].1, b"2.0\n");
        let control = unpack(&whole[2].1);
        let names: Vec<&str> = control.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["./", "./conffiles", "./control", "./postinst", "./prerm"]);
        assert_eq!(control[1].1, b"/etc/config/demo\n");
        let data = unpack(&whole[1].1);
        assert_eq!(data.last().unwrap(), &("./etc/config/demo".to_owned(), b"x".to_vec()));
    }
}
