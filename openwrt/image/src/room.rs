//! Whether an image fits: a guess before it is made, the truth after.

use std::{fs, path::Path};

use anyhow::{Context, Result, bail, ensure};
use serde::Serialize;

use crate::{devices::Device, shelf::Shelf};

/// What an image will need, by the files that it is made of.
#[derive(Debug, Serialize)]
pub struct Estimate {
    /// Bytes of the kernel, where the builder has it ready.
    pub kernel: Option<u64>,
    /// Bytes of all packages that were found, in their files.
    pub packages: u64,
    /// Packages without a file at hand: not counted.
    pub unknown: Vec<String>,
    /// Bytes that the image will have, about.
    pub image: u64,
}

/// Squashfs packs in xz, in blocks of 256 KiB, what packages pack in gzip. Measured: this program for mips 888832 of
/// 1175596 bytes, a handful of Debian's programs 1605632 of 2124620.
const SQUASHED: (u64, u64) = (76, 100);
/// A guess is a guess: only one that is above the room by this much stops a build before it begins.
const SURE: (u64, u64) = (125, 100);

/// Sums up `manifest`, the names of all packages of the image.
pub fn estimate(manifest: &[String], shelf: &Shelf, kernel: Option<u64>) -> Estimate {
    let (mut packages, mut unknown) = (0, Vec::new());
    for name in manifest {
        match shelf.get(name).and_then(|path| fs::metadata(path).ok()) {
            // The kernel's package is empty: its bytes are the kernel's image.
            Some(file) => packages += file.len(),
            None => unknown.push(name.clone()),
        }
    }
    let image = packages * SQUASHED.0 / SQUASHED.1 + kernel.unwrap_or(0);
    Estimate { kernel, packages, unknown, image }
}

/// Stops a build that cannot end well.
///
/// # Errors
/// The estimate is above the room beyond doubt: says both numbers and what could be left out.
pub fn before(device: &Device, estimate: &Estimate) -> Result<()> {
    let Some(room) = device.room() else { return Ok(()) };
    ensure!(
        estimate.image * SURE.1 <= room * SURE.0,
        "the image will have about {}, {} has room for {} ({}). Leave packages out with --drop, or take a device \
         with more flash",
        kib(estimate.image),
        device.name,
        kib(room),
        room_in_words(device)
    );
    Ok(())
}

/// One image that the builder made.
#[derive(Debug, Serialize)]
pub struct Image {
    /// Name of the file.
    pub file: String,
    /// `sysupgrade`, `factory` or another word of the recipe.
    pub kind: String,
    /// SHA-256 in hex, as the builder says.
    pub sha256: String,
    /// Bytes.
    pub bytes: u64,
}

/// The images of `profile` in the builder's profiles.json.
///
/// # Errors
/// The file is not there or is not what builders write.
pub fn images(out: &Path, profile: &str) -> Result<Vec<Image>> {
    let path = out.join("profiles.json");
    let text = fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
    let json: serde_json::Value = serde_json::from_str(&text).with_context(|| format!("{}", path.display()))?;
    let listed = json["profiles"][profile]["images"].as_array().with_context(|| {
        format!("{} names no images of {profile}: what the builder did is in builder.log beside it", path.display())
    })?;
    let mut images = Vec::new();
    for image in listed {
        let text = |key: &str| image[key].as_str().unwrap_or_default().to_owned();
        let file = text("name");
        // profiles.json may still name an image that the recipe's own check of its size has removed.
        let Ok(meta) = fs::metadata(out.join(&file)) else { continue };
        images.push(Image { file, kind: text("type"), sha256: text("sha256"), bytes: meta.len() });
    }
    Ok(images)
}

/// Judges the images, and the builder's log for those that its own check removed.
///
/// # Errors
/// No image is left, or one that is flashed does not leave room for the settings: both numbers and what to do.
pub fn after(device: &Device, images: &[Image], log: &str) -> Result<()> {
    if let Some((size, limit)) = too_big(log) {
        bail!(
            "the image has {}, {} takes {}: {} too many. Leave packages out with --drop, or take a device with more \
             flash",
            kib(size),
            device.name,
            kib(limit),
            kib(size.saturating_sub(limit))
        );
    }
    ensure!(!images.is_empty(), "the builder made no image and does not say why: see builder.log");
    let Some(room) = device.room() else { return Ok(()) };
    // The image for the first flash has a head and padding of the maker's; the one for later is what is written.
    for image in images.iter().filter(|image| image.kind == "sysupgrade") {
        ensure!(
            image.bytes <= room,
            "{} has {}, {} has room for {} ({}): {} too many. Without room for settings a router forgets \
             everything at each start. Leave packages out with --drop",
            image.file,
            kib(image.bytes),
            device.name,
            kib(room),
            room_in_words(device),
            kib(image.bytes - room)
        );
    }
    Ok(())
}

/// What the room is made of.
pub fn room_in_words(device: &Device) -> String {
    match (device.flash_kib, device.nand) {
        (None, _) => "OpenWrt's recipe sets no bound".into(),
        (Some(flash), true) => format!("{flash} KiB of flash"),
        (Some(flash), false) => format!("{flash} KiB of flash less 320 KiB for settings"),
    }
}

/// `WARNING: Image file F is too big: SIZE > LIMIT`, as image.mk says; the first one.
fn too_big(log: &str) -> Option<(u64, u64)> {
    log.lines().find_map(|line| {
        let (_, numbers) = line.split_once(" is too big: ")?;
        let (size, limit) = numbers.split_once('>')?;
        Some((size.trim().parse().ok()?, limit.trim().parse().ok()?))
    })
}

/// Bytes for people.
pub fn kib(bytes: u64) -> String {
    format!("{} KiB", bytes.div_ceil(1024))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::devices::Source;

    fn device(flash_kib: Option<u64>, nand: bool) -> Device {
        Device {
            profile: "p".into(),
            name: "The device".into(),
            target: "a/b".into(),
            arch: "mips_24kc".into(),
            rust: "mips".into(),
            flash_kib,
            kernel_kib: None,
            nand,
            radio: true,
            ram_mib: 64,
            class: "small".into(),
            source: Source::Recipe,
            note: String::new(),
        }
    }

    fn image(kib: u64) -> Image {
        Image { file: "x.bin".into(), kind: "sysupgrade".into(), sha256: String::new(), bytes: kib * 1024 }
    }

    #[test]
    fn the_log_tells_of_images_that_were_removed() {
        let log = "a\nWARNING: Image file /b/x.bin is too big: 8000000 > 7864320\nb";
        assert_eq!(too_big(log), Some((8_000_000, 7_864_320)));
        assert_eq!(too_big("WARNING: Image file x is too big"), None);
        let error = after(&device(Some(7680), false), &[], log).unwrap_err().to_string();
        assert!(error.contains("7813 KiB") && error.contains("7680 KiB") && error.contains("133 KiB"), "{error}");
    }

    #[test]
    fn settings_need_room_behind_the_image() {
        let nor = device(Some(7680), false);
        assert!(after(&nor, &[image(7360)], "").is_ok());
        let error = after(&nor, &[image(7361)], "").unwrap_err().to_string();
        assert!(error.contains("7361 KiB") && error.contains("7360 KiB"), "{error}");
        assert!(after(&device(Some(7680), true), &[image(7680)], "").is_ok());
        assert!(after(&device(None, true), &[image(100_000)], "").is_ok());
        assert!(after(&nor, &[], "").is_err());
    }

    #[test]
    fn only_a_hopeless_guess_stops_the_build() {
        let guess = |image| Estimate { kernel: None, packages: 0, unknown: Vec::new(), image };
        let nor = device(Some(7680), false);
        assert!(before(&nor, &guess(7360 * 1024)).is_ok());
        assert!(before(&nor, &guess(9200 * 1024)).is_ok());
        assert!(before(&nor, &guess(9201 * 1024)).is_err());
        assert!(before(&device(None, true), &guess(1 << 40)).is_ok());
    }
}
