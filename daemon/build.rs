//! Packs the files of the page, so that the program carries and sends them small.
#![allow(missing_docs, reason = "a build script has no readers")]

use flate2::{Compression, Crc, GzBuilder};
use std::io::Write as _;
use std::path::Path;

fn main() -> std::io::Result<()> {
    let out = std::env::var_os("OUT_DIR").unwrap_or_default();
    let mut edition = Crc::new();
    // The script is the libraries that lay out the map and draw charts, and what we do with them.
    let files: [(&str, &[&str]); 3] = [
        ("page.js", &["force.js", "layout.js", "charts.js", "history.js", "share.js", "page.js"]),
        ("page.css", &["charts.css", "page.css"]),
        ("openapi.json", &["openapi.json"]),
    ];
    for (name, parts) in files {
        let mut text = Vec::new();
        for part in parts {
            let path = Path::new("src/http/page").join(part);
            println!("cargo::rerun-if-changed={}", path.display());
            text.extend(std::fs::read(path)?);
        }
        edition.update(&text);
        // No time and no name in it: the same text gives the same bytes.
        let mut gzip = GzBuilder::new().operating_system(255).write(Vec::new(), Compression::best());
        gzip.write_all(&text)?;
        std::fs::write(Path::new(&out).join(format!("{name}.gz")), gzip.finish()?)?;
    }
    println!("cargo::rustc-env=PAGE_EDITION={:08x}", edition.sum());
    Ok(())
}
