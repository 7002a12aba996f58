//! Files from a folder or an address, never more of them than was promised.

use super::{Result, command, say};
use std::fs::{self, File};
use std::io::{Read, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};
use upgrade::{Image, Sha256};

/// A source that sends nothing for so long has broken off.
const SILENCE: Duration = Duration::from_secs(60);

/// Brings `name` from `source`, a folder or a web address, into the file `to`; at most `most` bytes of it.
///
/// # Errors
/// It is not there, larger, or breaks off; then `to` is gone.
pub fn fetch(source: &str, name: &str, to: &Path, most: u64) -> Result<()> {
    let done = if is_address(source) {
        download(source, name, to, most)
    } else {
        copy(&Path::new(source).join(name), to, most)
    };
    done.inspect_err(|_| drop(fs::remove_file(to)))
}

/// `http://...` or `https://...`.
pub fn is_address(source: &str) -> bool {
    source.starts_with("http://") || source.starts_with("https://")
}

fn copy(from: &Path, to: &Path, most: u64) -> Result<()> {
    let mut input = File::open(from).map_err(|e| say(from, &e))?.take(most + 1);
    let mut output = File::create(to).map_err(|e| say(to, &e))?;
    let n = std::io::copy(&mut input, &mut output).map_err(|e| say(to, &e))?;
    output.flush().map_err(|e| say(to, &e))?;
    if n > most { Err(format!("{} is larger than {most} bytes", from.display())) } else { Ok(()) }
}

/// With whatever this system fetches with: OpenWrt has uclient-fetch, others wget or curl.
fn download(source: &str, name: &str, to: &Path, most: u64) -> Result<()> {
    let address = format!("{}/{name}", source.trim_end_matches('/'));
    let file = to.to_str().ok_or("the folder's name is no text")?;
    let size = || fs::metadata(to).map_or(0, |m| m.len());
    for (program, flags) in [("uclient-fetch", ["-q", "-O"]), ("wget", ["-q", "-O"]), ("curl", ["-sfL", "-o"])] {
        let program = Path::new(program);
        let Some(mut child) = command::spawn(program, &[flags[0], flags[1], file, &address], false)? else { continue };
        let (mut seen, mut last) = (0, Instant::now());
        let ended = command::wait(program, &mut child, &mut || {
            if size() != seen {
                (seen, last) = (size(), Instant::now());
            }
            match () {
                () if seen > most => Err(format!("more than the {most} bytes promised")),
                () if last.elapsed() > SILENCE => Err(format!("nothing more comes after {seen} bytes")),
                () => Ok(()),
            }
        });
        ended.map_err(|e| format!("{address}: {e}"))?;
        return if size() > most { Err(format!("{address} is larger than {most} bytes")) } else { Ok(()) };
    }
    Err("there is no program to fetch with: uclient-fetch, wget or curl".to_owned())
}

/// Whether a file is the image that was signed.
///
/// # Errors
/// Another size or checksum, or it cannot be read.
pub fn check(path: &Path, image: &Image) -> Result<()> {
    let file = File::open(path).map_err(|e| say(path, &e))?;
    let (mut hash, mut size, mut part) = (Sha256::default(), 0, vec![0; 16_384]);
    // Not one byte more than promised is looked at, however large the file is.
    let mut file = file.take(u64::from(image.size) + 1);
    loop {
        match file.read(&mut part).map_err(|e| say(path, &e))? {
            0 => break,
            n => {
                size += n as u64;
                hash.update(part.get(..n).unwrap_or_default());
            }
        }
    }
    if size != u64::from(image.size) {
        let more = if size > u64::from(image.size) { "more than " } else { "" };
        return Err(format!(
            "{} has {more}{} bytes, and the manifest says {}",
            image.name,
            size.min(image.size.into()),
            image.size
        ));
    }
    if hash.finish() != image.sha256 {
        return Err(format!("{} is not what was signed: its SHA-256 is another one", image.name));
    }
    Ok(())
}
