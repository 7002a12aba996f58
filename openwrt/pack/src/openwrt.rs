//! What both of OpenWrt's formats add to a package: its lists and its standard scripts.

use anyhow::Result;
use sha2::{Digest, Sha256};

use crate::{
    apk::{POST_INSTALL, POST_UPGRADE, PRE_DEINSTALL, Slots},
    package::Package,
    tree::Kind,
};

/// Off the router (in an image builder) the scripts do nothing: `default_postinst` is not there.
const GUARD: &str = "#!/bin/sh\n[ \"${IPKG_NO_SCRIPT}\" = \"1\" ] && exit 0\n\
                     [ -s ${IPKG_INSTROOT}/lib/functions.sh ] || exit 0\n\
                     . ${IPKG_INSTROOT}/lib/functions.sh\n";

/// The package with the lists that OpenWrt's scripts read from /lib/apk/packages.
///
/// # Errors
/// One of the lists is in the package already, or a configuration file is not in it.
pub(crate) fn with_lists(package: &Package) -> Result<Package> {
    let mut package = package.clone();
    let list = |what: &str| format!("/lib/apk/packages/{}.{what}", package.name);
    let (files, conffiles, checksums, users) =
        (list("list"), list("conffiles"), list("conffiles_static"), list("rusers"));
    if !package.conffiles.is_empty() {
        let mut sums = String::new();
        for path in &package.conffiles {
            if let Some(Kind::File(bytes)) = package.tree.get(path).map(|entry| &entry.kind) {
                sums += &format!("{path} {:x}\n", Hex(&Sha256::digest(bytes)));
            }
        }
        let names: String = package.conffiles.iter().map(|p| format!("{p}\n")).collect();
        package.tree.file(&conffiles, 0o644, names.into_bytes())?;
        package.tree.file(&checksums, 0o644, sums.into_bytes())?;
    }
    if !package.user.is_empty() {
        let users_line = format!("{}\n", package.user);
        package.tree.file(&users, 0o644, users_line.into_bytes())?;
    }
    let names: String = package.tree.entries().map(|(path, _)| format!("/{path}\n")).collect();
    package.tree.file(&files, 0o644, names.into_bytes())?;
    Ok(package)
}

/// The scripts of an .apk. Without one for upgrades, the old program would run on.
pub(crate) fn apk_scripts(package: &Package) -> Slots {
    let name = &package.name;
    let head = |before: &str| format!("{GUARD}{before}export root=\"${{IPKG_INSTROOT}}\"\nexport pkgname=\"{name}\"\n");
    let installed = format!("add_group_and_user\ndefault_postinst\n{}", own(&package.scripts.postinst));
    vec![
        (POST_INSTALL, head("") + &installed),
        (PRE_DEINSTALL, head("") + &own(&package.scripts.prerm) + "default_prerm\n"),
        (POST_UPGRADE, head("export PKG_UPGRADE=1\n") + &installed),
    ]
}

/// The scripts of an .ipk: after installation and before removal.
pub(crate) fn ipk_scripts(package: &Package) -> [(&'static str, String); 2] {
    [
        ("postinst", format!("{GUARD}default_postinst $0 $@\n{}", own(&package.scripts.postinst))),
        ("prerm", format!("{GUARD}{}default_prerm $0 $@\n", own(&package.scripts.prerm))),
    ]
}

/// A script of the package itself, with one line end.
fn own(script: &str) -> String {
    if script.is_empty() { String::new() } else { format!("{}\n", script.trim_end()) }
}

/// Bytes in hexadecimal.
pub(crate) struct Hex<'b>(pub(crate) &'b [u8]);

impl std::fmt::LowerHex for Hex<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_name_every_file_but_themselves() {
        let mut package = Package {
            name: "demo".into(),
            conffiles: vec!["/etc/config/demo".into()],
            user: "demo=:demo=".into(),
            ..Package::default()
        };
        package.tree.file("/etc/config/demo", 0o600, b"abc".to_vec()).unwrap();
        let listed = with_lists(&package).unwrap();
        let text = |path: &str| match &listed.tree.get(path).unwrap().kind {
            Kind::File(bytes) => String::from_utf8(bytes.clone()).unwrap(),
            Kind::Link(_) => panic!("{path} is a link"),
        };
        assert_eq!(
            text("/lib/apk/packages/demo.list"),
            "/etc/config/demo\n/lib/apk/packages/demo.conffiles\n\
             /lib/apk/packages/demo.conffiles_static\n/lib/apk/packages/demo.rusers\n"
        );
        // The checksum of "abc" in FIPS 180-2, B.1.
        assert_eq!(
            text("/lib/apk/packages/demo.conffiles_static"),
            "/etc/config/demo ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n"
        );
    }

    #[test]
    fn own_lines_run_after_installing_and_before_removing() {
        let package = Package {
            name: "demo".into(),
            scripts: crate::package::Scripts {
                postinst: "echo new".into(),
                prerm: "echo old".into(),
                ..Default::default()
            },
            ..Package::default()
        };
        for (slot, script) in apk_scripts(&package) {
            assert!(script.starts_with("#!/bin/sh\n"), "{script}");
            let (first, then) =
                if slot == PRE_DEINSTALL { ("echo old", "default_prerm") } else { ("default_postinst", "echo new") };
            assert!(script.find(first).unwrap() < script.find(then).unwrap());
            assert_eq!(script.contains("PKG_UPGRADE=1"), slot == POST_UPGRADE);
        }
    }
}
