//! The command line of `openwrt/firmware`.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, bail, ensure};
use lexopt::prelude::*;
use meshwork_firmware::{
    builder::{self, Builder},
    community,
    devices::{Device, Table},
    inside,
    legal::{self, Offer},
    room::{self, kib},
    shelf::{Format, Shelf},
};
use meshwork_pack::{apk, ipk, manifest};
use serde_json::json;

const HELP: &str = "\
Makes a firmware image with Meshwork in it, with an ImageBuilder of OpenWrt that is already on disk.

Usage:
  openwrt/firmware PROFILE --builder PATH [options]
  openwrt/firmware --list [--json]     the devices, and what was verified of them

Options:
  --builder PATH     the ImageBuilder: its .tar.zst file, or its folder, which stays as it is
  --sha256 HEX       what the file's SHA-256 must be (default: what sha256sums beside it says)
  --program FILE     the program (default: what openwrt/build made for the device)
  --package FILE     a package of ours, made before, in place of packing --program; or one more; repeatable
  --packages FOLDER  packages of OpenWrt that the builder has not; repeatable
  --add NAME         one more package in the image; repeatable
  --drop NAME        one package less; repeatable
  --luci             our pages for LuCI in the image, and with them luci-base, which must be at hand
  --serial N         the serial of upgrades that the image stands for: older ones are refused on it
  --community FILE   the mesh to join (default: openwrt/community.toml where it exists)
  --files FOLDER     further files for the image
  --contact TEXT     name and address for the offer of source that goes with the image
  --out FOLDER       where image and papers go (default: target/firmware/PROFILE)
  --online           the builder may fetch packages from its own repositories
  --dry-run          checks everything and builds nothing
  --json             the result as JSON
";

/// Our pages for LuCI, a package of its own.
const LUCI: &str = "luci-app-meshwork";

#[derive(Default)]
struct Wanted {
    profile: Option<String>,
    builder: Option<PathBuf>,
    sha256: Option<String>,
    program: Option<PathBuf>,
    ours: Vec<PathBuf>,
    theirs: Vec<PathBuf>,
    add: Vec<String>,
    drop: Vec<String>,
    luci: bool,
    serial: Option<u32>,
    community: Option<PathBuf>,
    files: Option<PathBuf>,
    contact: Option<String>,
    out: Option<PathBuf>,
    list: bool,
    online: bool,
    dry_run: bool,
    json: bool,
}

fn main() -> ExitCode {
    match read_args().and_then(|wanted| wanted.map_or(Ok(()), run)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("openwrt/firmware: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// None where help was all that was wanted.
fn read_args() -> Result<Option<Wanted>> {
    let mut parser = lexopt::Parser::from_env();
    let mut wanted = Wanted::default();
    while let Some(arg) = parser.next()? {
        match arg {
            Long("help") | Short('h') => {
                print!("{HELP}");
                return Ok(None);
            }
            Long("builder") => wanted.builder = Some(parser.value()?.into()),
            Long("sha256") => wanted.sha256 = Some(parser.value()?.string()?),
            Long("program") => wanted.program = Some(parser.value()?.into()),
            Long("package") => wanted.ours.push(parser.value()?.into()),
            Long("packages") => wanted.theirs.push(parser.value()?.into()),
            Long("add") => wanted.add.push(parser.value()?.string()?),
            Long("drop") => wanted.drop.push(parser.value()?.string()?),
            Long("luci") => wanted.luci = true,
            Long("serial") => {
                let serial: u32 = parser.value()?.parse().context("--serial takes a number from 1 to 4294967295")?;
                ensure!(serial > 0, "--serial takes a number from 1 to 4294967295");
                wanted.serial = Some(serial);
            }
            Long("community") => wanted.community = Some(parser.value()?.into()),
            Long("files") => wanted.files = Some(parser.value()?.into()),
            Long("contact") => wanted.contact = Some(parser.value()?.string()?),
            Long("out") => wanted.out = Some(parser.value()?.into()),
            Long("list") => wanted.list = true,
            Long("online") => wanted.online = true,
            Long("dry-run") => wanted.dry_run = true,
            Long("json") => wanted.json = true,
            Value(word) if wanted.profile.is_none() => wanted.profile = Some(word.string()?),
            _ => return Err(arg.unexpected().into()),
        }
    }
    Ok(Some(wanted))
}

fn run(mut wanted: Wanted) -> Result<()> {
    if wanted.luci {
        wanted.add.push(LUCI.to_owned());
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
    let table = Table::read(&root.join("openwrt/devices.toml"))?;
    if wanted.list {
        if wanted.json {
            println!("{}", serde_json::to_string_pretty(table.all())?);
        } else {
            print!("{}", table.listing());
        }
        return Ok(());
    }
    let profile = wanted.profile.as_deref().context("which device? Give its PROFILE; --list shows all")?;
    let device = table.device(profile)?;
    let from = wanted.builder.as_deref().context(
        "where is the ImageBuilder? Give --builder with its .tar.zst file or folder; OpenWrt offers it for download \
         beside the images of the device's target",
    )?;
    let report = Report { json: wanted.json };
    report.line(
        "device",
        &format!("{}: {}, {}, {} MiB of memory", device.name, device.target, device.arch, device.ram_mib),
    );
    report
        .line("", &format!("not tried on the device{}{}", if device.note.is_empty() { "" } else { "; " }, device.note));

    let community = wanted.community.clone().or_else(|| {
        let usual = root.join("openwrt/community.toml");
        usual.exists().then_some(usual)
    });
    let community = community.map(|path| community::read(&path)).transpose()?;
    let crates = legal::crates(&root, triple(&device.rust)?)?;

    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let out = wanted.out.clone().unwrap_or_else(|| target.join("firmware").join(profile));
    fs::create_dir_all(&out).with_context(|| format!("{}", out.display()))?;
    let out = out.canonicalize()?;
    let trust = match (from.is_file(), &wanted.sha256) {
        (true, given) => builder::check_sum(from, given.as_deref())?,
        (false, None) => "a folder, which has no checksum",
        (false, Some(_)) => bail!("--sha256 is for the builder's file, {} is none", from.display()),
    };
    let scratch = Scratch(out.join(".builder"));
    let mut builder = builder::open(from, &scratch.0.join("imagebuilder"))?;
    builder.suits(device)?;
    if !wanted.online {
        builder.cut_off()?;
    }
    report.line("builder", &format!("OpenWrt {} {}, {trust}", builder.version, builder.target));

    let (shelf, meshwork) = stock(&root, &target, &builder, device, &wanted)?;
    let packages = table.packages(device, &wanted.add, &wanted.drop);
    builder.has(&packages, &shelf)?;
    report.line("packages", &packages.join(" "));
    let text = community.as_ref().map(|(_, text)| text.as_str());
    let files = overlay(&scratch.0.join("files"), wanted.files.as_deref(), text, wanted.serial)?;
    if let Some(serial) = wanted.serial {
        report.line("upgrades", &format!("from serial {} on", u64::from(serial) + 1));
    }
    match &community {
        Some((mesh, _)) => {
            report.line("community", &format!("{} ({})", mesh.name, community::shown(mesh)));
            if mesh.passphrase.is_some() {
                report.line("", "the image holds its passphrase: whoever gets the image can read it");
            }
        }
        None => report.line("community", "none: the router asks its owner which mesh to join"),
    }

    let mut variables = vec![("PROFILE", profile.to_owned()), ("PACKAGES", packages.join(" "))];
    // What an earlier run left must not be taken for this one's.
    clear(&out)?;
    let log = out.join("builder.log");
    let listed = builder.make("manifest", &variables, &log)?;
    let listed = legal::manifest(&listed.out);
    ensure!(!listed.is_empty(), "the ImageBuilder's `make manifest` names no package: its output has another form");
    let names: Vec<String> = listed.iter().map(|(name, _)| name.clone()).collect();
    // What the builder fetched for the manifest lies in its download folder now.
    let mut shelf = shelf;
    let _ = shelf.add(&builder.root.join("dl"), builder.format);
    let estimate = room::estimate(&names, &shelf, builder.kernel(profile));
    let unknown = match (estimate.unknown.len(), estimate.kernel) {
        (0, Some(_)) => String::new(),
        (n, Some(_)) => format!(", {n} packages not counted"),
        (n, None) => format!(", kernel and {n} packages not counted"),
    };
    report.line(
        "estimate",
        &format!("about {}{unknown}; room: {}", kib(estimate.image), device.room().map_or("not bounded".into(), kib)),
    );
    room::before(device, &estimate)?;
    let parts = legal::packages(&listed, &shelf);
    if wanted.dry_run {
        variables.push(("FILES", files.display().to_string()));
        report.line("would run", &format!("make image {}", shown(&variables)));
        return report
            .json(&json!({"device": device, "openwrt": builder.version, "packages": packages, "estimate": estimate}));
    }

    variables.extend([
        ("FILES", files.display().to_string()),
        ("BIN_DIR", out.display().to_string()),
        ("EXTRA_IMAGE_NAME", "meshwork".to_owned()),
    ]);
    let made = builder.make("image", &variables, &log)?;
    let images = if out.join("profiles.json").exists() { room::images(&out, profile)? } else { Vec::new() };
    if let Err(error) = room::after(device, &images, &made.log) {
        // Nobody shall flash it by mistake.
        for image in &images {
            let _ = fs::remove_file(out.join(&image.file));
        }
        return Err(error);
    }
    for image in &images {
        let left = device.flash_kib.filter(|_| image.kind == "sysupgrade").map_or_else(String::new, |flash| {
            format!(" of {flash} KiB, {} KiB left", flash.saturating_sub(image.bytes.div_ceil(1024)))
        });
        report.line("image", &format!("{}: {}{left}", out.join(&image.file).display(), kib(image.bytes)));
        report.line("", &format!("SHA-256 {}", image.sha256));
    }

    let about = Offer {
        version: &builder.version,
        target: &builder.target,
        device: &device.name,
        meshwork: &meshwork,
        contact: wanted.contact.as_deref(),
    };
    let title = format!("OpenWrt {} with Meshwork {meshwork} for {}", builder.version, device.name);
    fs::write(out.join("LICENSES.txt"), legal::licenses(&title, &parts, &crates))?;
    fs::write(out.join("SOURCE-OFFER.txt"), legal::offer(&about, &parts, &crates))?;
    let unknown = parts.iter().filter(|part| part.license.is_empty()).count();
    let unsaid = if unknown == 0 { String::new() } else { format!(" ({unknown} without a licence known here)") };
    report.line("papers", &format!("LICENSES.txt: {} packages{unsaid}, {} libraries", parts.len(), crates.len()));
    report.line(
        "",
        if wanted.contact.is_some() {
            "SOURCE-OFFER.txt: hand it on with the image"
        } else {
            "SOURCE-OFFER.txt: fill in whom to ask (or give --contact) before you hand the image on"
        },
    );
    report.json(&json!({
        "device": device, "openwrt": builder.version, "meshwork": meshwork, "packages": packages,
        "estimate": estimate, "images": images, "licenses": parts, "libraries": crates,
    }))
}

/// Puts our packages into the builder, and those of OpenWrt that the caller brought. Returns all there are, and the
/// version of ours.
fn stock(root: &Path, target: &Path, builder: &Builder, device: &Device, wanted: &Wanted) -> Result<(Shelf, String)> {
    let place = builder.packages();
    fs::create_dir_all(&place)?;
    for folder in &wanted.theirs {
        let mut brought = Shelf::default();
        brought.add(folder, builder.format)?;
        ensure!(
            !brought.is_empty(),
            "{} holds no .{} files, which OpenWrt {} takes",
            folder.display(),
            builder.format.ending(),
            builder.version
        );
        for (_, path) in brought.iter() {
            copy_into(path, &place)?;
        }
    }
    let (mut meshwork, mut luci) = (None, false);
    for path in &wanted.ours {
        let inside = inside::read(path)?;
        ensure!(
            path.extension().is_some_and(|ending| ending == builder.format.ending()),
            "{} is not for OpenWrt {}, which takes .{} packages",
            path.display(),
            builder.version,
            builder.format.ending()
        );
        ensure!(
            [device.arch.as_str(), "all", "noarch"].contains(&inside.arch.as_str()),
            "{} is for {}, {} needs {}",
            path.display(),
            inside.arch,
            device.name,
            device.arch
        );
        copy_into(path, &place)?;
        if inside.name == "meshwork" {
            meshwork = Some(inside.version);
        } else if inside.name == LUCI {
            luci = true;
        }
    }
    if wanted.luci && !luci {
        write(builder, &root.join("openwrt/luci-app-meshwork/package.toml"), LUCI, None)?;
    }
    let meshwork = match (meshwork, &wanted.program) {
        (Some(_), Some(_)) => bail!("the package meshwork and --program are both given: which one is meant?"),
        (Some(version), None) => version,
        (None, program) => pack(root, target, builder, device, program.as_deref())?,
    };
    let mut shelf = Shelf::default();
    shelf.add(&place, builder.format)?;
    Ok((shelf, meshwork))
}

/// Packs the program for the builder; returns the package's version.
fn pack(root: &Path, target: &Path, builder: &Builder, device: &Device, program: Option<&Path>) -> Result<String> {
    let cross = std::env::var_os("MESHWORK_CROSS").map_or_else(|| target.join("cross"), PathBuf::from);
    let program = program.map_or_else(|| cross.join("bin").join(&device.rust).join("meshwork"), Path::to_owned);
    ensure!(
        program.exists(),
        "no program at {}: make it with `openwrt/build {}`, or say where it is with --program or --package",
        program.display(),
        device.rust
    );
    write(builder, &root.join("openwrt/meshwork.toml"), "meshwork", Some((program, &device.arch)))
}

/// Writes a package of ours for the builder, with a program for an architecture or for all of them without; returns
/// its version.
fn write(builder: &Builder, from: &Path, name: &str, program: Option<(PathBuf, &str)>) -> Result<String> {
    let version = concat!(env!("CARGO_PKG_VERSION"), "-r1").to_owned();
    let mtime = std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    let every = match builder.format {
        Format::Ipk => "all",
        Format::Apk => "noarch",
    };
    let (program, arch) = program.map_or((None, every), |(program, arch)| (Some(program), arch));
    let build = manifest::Build { version: version.clone(), arch: arch.to_owned(), program, generated: None, mtime };
    let package = manifest::read(from, &build)?;
    let (file, bytes) = match builder.format {
        Format::Ipk => (format!("{name}_{version}_{arch}.ipk"), ipk::write(&package)?),
        // Unsigned is fine here: the builder makes an index of its own.
        Format::Apk => (format!("{name}-{version}.apk"), apk::write(&package, None)?),
    };
    fs::write(builder.packages().join(file), bytes)?;
    Ok(version)
}

fn copy_into(path: &Path, folder: &Path) -> Result<()> {
    let name = path.file_name().with_context(|| format!("{} is no file", path.display()))?;
    fs::copy(path, folder.join(name)).with_context(|| format!("{}", path.display()))?;
    Ok(())
}

/// The folder whose content goes over the installed packages.
fn overlay(to: &Path, files: Option<&Path>, community: Option<&str>, serial: Option<u32>) -> Result<PathBuf> {
    fs::create_dir_all(to)?;
    if let Some(files) = files {
        ensure!(files.is_dir(), "--files: {} is no folder", files.display());
        copy_tree(files, to)?;
    }
    if let Some(text) = community {
        let place = to.join(community::place());
        fs::create_dir_all(place.parent().unwrap_or(to))?;
        fs::write(&place, text)?;
        // It may hold a passphrase, and the image takes the mode over.
        fs::set_permissions(&place, fs::Permissions::from_mode(0o600))?;
    }
    if let Some(serial) = serial {
        let place = to.join("usr/share/meshwork/upgrade.serial");
        fs::create_dir_all(place.parent().unwrap_or(to))?;
        fs::write(place, format!("{serial}\n"))?;
    }
    Ok(to.to_owned())
}

fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from).with_context(|| format!("{}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            fs::create_dir_all(&target)?;
            copy_tree(&entry.path(), &target)?;
        } else if entry.file_type()?.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(entry.path())?, &target)?;
        } else {
            fs::copy(entry.path(), &target).with_context(|| format!("{}", entry.path().display()))?;
        }
    }
    Ok(())
}

/// Removes the files, not the folders, of an earlier run.
fn clear(out: &Path) -> Result<()> {
    for entry in fs::read_dir(out)? {
        let path = entry?.path();
        if path.is_file() {
            fs::remove_file(&path).with_context(|| format!("{}", path.display()))?;
        }
    }
    Ok(())
}

fn triple(rust: &str) -> Result<&'static str> {
    Ok(match rust {
        "mips" => "mips-unknown-linux-musl",
        "mipsel" => "mipsel-unknown-linux-musl",
        "armv7" => "armv7-unknown-linux-musleabihf",
        "aarch64" => "aarch64-unknown-linux-musl",
        "x86_64" => "x86_64-unknown-linux-musl",
        other => bail!("openwrt/devices.toml: {other:?} is no target of openwrt/build"),
    })
}

/// Variables as a person would type them.
fn shown(variables: &[(&str, String)]) -> String {
    variables.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect::<Vec<_>>().join(" ")
}

/// Lines for people, or one object for programs.
struct Report {
    json: bool,
}

impl Report {
    fn line(&self, name: &str, text: &str) {
        if !self.json {
            println!("{name:<10} {text}");
        }
    }

    fn json(&self, value: &serde_json::Value) -> Result<()> {
        if self.json {
            println!("{}", serde_json::to_string_pretty(value)?);
        }
        Ok(())
    }
}

/// A folder that is gone when the run is over, however it ends.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
