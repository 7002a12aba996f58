//! Packs the files of the page, so that the program carries and sends them small.
#![allow(missing_docs, reason = "a build script has no readers")]

use flate2::{Compression, Crc, GzBuilder};
use std::io::Write as _;
use std::path::Path;

fn main() -> std::io::Result<()> {
    let out = std::env::var_os("OUT_DIR").unwrap_or_default();
    let mut edition = Crc::new();
    for name in ["page.js", "page.css"] {
        let path = Path::new("src/http/page").join(name);
        println!("cargo::rerun-if-changed={}", path.display());
        let text = std::fs::read(path)?;
        edition.update(&text);
        // No time and no name in it: the same text gives the same bytes.
        let mut gzip = GzBuilder::new().operating_system(255).write(Vec::new(), Compression::best());
        gzip.write_all(&text)?;
        std::fs::write(Path::new(&out).join(format!("{name}.gz")), gzip.finish()?)?;
    }
    println!("cargo::rustc-env=PAGE_EDITION={:08x}", edition.sum());
    Ok(())
}
