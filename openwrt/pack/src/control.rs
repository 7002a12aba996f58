//! What the control archives of .ipk and .deb have in common.

use std::fmt::Write;

use anyhow::Result;

use crate::package::Package;
use crate::tree::Tree;

/// A control file in the making.
#[derive(Default)]
pub(crate) struct Fields(String);

impl Fields {
    /// Adds a field, unless there is nothing to say.
    pub(crate) fn add(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            // Writing to a string cannot fail.
            let _ = writeln!(self.0, "{name}: {value}");
        }
    }

    /// Ends with the description, its first line and the others.
    pub(crate) fn describe(mut self, package: &Package) -> String {
        self.add("Description", &package.summary);
        for line in package.description.trim().lines() {
            // A line of its own would end the field where it is empty.
            let _ = writeln!(self.0, " {}", if line.is_empty() { "." } else { line });
        }
        self.0
    }
}

/// Adds the list of configuration files, where there are any.
///
/// # Errors
/// The list is there already.
pub(crate) fn conffiles(package: &Package, control: &mut Tree) -> Result<()> {
    if package.conffiles.is_empty() {
        return Ok(());
    }
    let names: String = package.conffiles.iter().map(|path| format!("{path}\n")).collect();
    control.file("conffiles", 0o644, names.into_bytes())
}
