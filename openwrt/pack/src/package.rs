//! A package before it has a format.

use crate::tree::Tree;

/// What all three formats say of a package.
#[derive(Clone, Debug, Default)]
pub struct Package {
    /// Name, such as `meshwork`.
    pub name: String,
    /// Version with the package's own revision, in the spelling of the format (`1.2.3-r1`, Debian: `1.2.3-1`).
    pub version: String,
    /// Architecture in the spelling of the format (`mips_24kc`, `noarch`, `all`, `armhf`).
    pub arch: String,
    /// One line.
    pub summary: String,
    /// More lines, or none.
    pub description: String,
    /// Licence, as SPDX writes it.
    pub license: String,
    /// Where the project lives, or empty.
    pub url: String,
    /// Who answers for it, or empty.
    pub maintainer: String,
    /// Section of the package list, such as `net`.
    pub section: String,
    /// Packages that must be there.
    pub depends: Vec<String>,
    /// Configuration files, absolute paths: an upgrade keeps what a person wrote in them.
    pub conffiles: Vec<String>,
    /// User and group that the service needs, as `name=id:group=id` or `name:group`; or empty. OpenWrt only.
    pub user: String,
    /// What it puts on the disk.
    pub tree: Tree,
    /// Seconds since 1970, for every time stamp.
    pub mtime: u64,
    /// Scripts of its own.
    pub scripts: Scripts,
}

/// Scripts that run at the target. On OpenWrt they come after the standard ones and need no first line.
#[derive(Clone, Debug, Default)]
pub struct Scripts {
    /// After installation and upgrade.
    pub postinst: String,
    /// Before removal.
    pub prerm: String,
    /// After removal. Debian only.
    pub postrm: String,
}
