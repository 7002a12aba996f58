//! The community file: what mesh a freshly flashed router joins.

use std::{fs, path::Path};

use anyhow::{Context, Result};

/// Where the file lies on a router, without the leading slash.
pub const PLACE: &str = "etc/meshwork/community.toml";

/// Reads the file and checks it as the program on the router would.
///
/// # Errors
/// It cannot be read or a router would not take it: a mistake would otherwise show on a roof.
pub fn read(path: &Path) -> Result<String> {
    let text = fs::read_to_string(path).with_context(|| format!("community file {}", path.display()))?;
    check(&text).with_context(|| format!("community file {}", path.display()))?;
    Ok(text)
}

fn check(text: &str) -> Result<()> {
    let _: toml::Table = toml::from_str(text)?;
    Ok(())
}
