//! The community file: what mesh a freshly flashed router joins.

use std::{fs, path::Path};

use anyhow::{Context, Result, anyhow};
use config::{COMMUNITY_FILE, Community};

/// Where the file lies in an image, without the leading slash.
pub fn place() -> &'static str {
    COMMUNITY_FILE.trim_start_matches('/')
}

/// Reads the file and checks it as the program on the router will. Returns it with its text.
///
/// # Errors
/// It cannot be read, or a router would not take it: everything that is wrong, with its line. The mistake would
/// otherwise show on a roof.
pub fn read(path: &Path) -> Result<(Community, String)> {
    let text = fs::read_to_string(path).with_context(|| format!("community file {}", path.display()))?;
    let community = Community::parse(&path.to_string_lossy(), &text).map_err(|errors| anyhow!("{errors}"))?;
    Ok((community, text))
}

/// The mesh in a few words, without its secret.
pub fn shown(mesh: &Community) -> String {
    let channels: Vec<String> = mesh.channels.iter().map(u8::to_string).collect();
    let secret = if mesh.passphrase.is_some() { "with a passphrase" } else { "open" };
    format!("mesh id {}, channels {}, {secret}", mesh.mesh_id, channels.join(" and "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_without_the_secret() {
        let mesh = Community::parse("c", "name = \"town\"\npassphrase = \"correct horse\"\n").unwrap();
        let text = shown(&mesh);
        assert!(text.contains("town") && text.contains("with a passphrase") && !text.contains("horse"), "{text}");
    }
}
