//! OpenWrt's ImageBuilder on disk: what it is, and how it is run.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};

use crate::{
    devices::Device,
    shelf::{Format, Shelf},
};

/// A copy of an ImageBuilder that is ours to change.
#[derive(Debug)]
pub struct Builder {
    /// Its folder.
    pub root: PathBuf,
    /// OpenWrt's version, such as `24.10.2`.
    pub version: String,
    /// Target and subtarget.
    pub target: String,
    /// Architecture in the package manager's spelling.
    pub arch: String,
    /// What packages it takes.
    pub format: Format,
    /// The profiles it can make.
    profiles: Vec<String>,
    /// Whether its packages are its own only.
    online: bool,
}

/// Releases that the packages are made for.
const RELEASES: [(&str, Format); 2] = [("24.10", Format::Ipk), ("25.12", Format::Apk)];

/// Compares a file's SHA-256 with what it should be: `given`, else what a file `sha256sums` beside it says.
///
/// # Errors
/// They differ, nothing says what it should be, or the file cannot be read.
pub fn check_sum(path: &Path, given: Option<&str>) -> Result<&'static str> {
    let (wanted, whence) = match given {
        Some(given) => (given.to_ascii_lowercase(), "as given"),
        None => {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let sums = fs::read_to_string(path.with_file_name("sha256sums")).unwrap_or_default();
            let line = sums.lines().find_map(|line| {
                let (sum, file) = line.split_once(' ')?;
                (file.trim_start_matches([' ', '*']) == name).then(|| sum.to_ascii_lowercase())
            });
            let sum = line.with_context(|| {
                format!(
                    "nothing says what the SHA-256 of {} should be: give --sha256, or put OpenWrt's file sha256sums \
                     beside it",
                    path.display()
                )
            })?;
            (sum, "as in sha256sums beside it")
        }
    };
    ensure!(
        wanted.len() == 64 && wanted.bytes().all(|b| b.is_ascii_hexdigit()),
        "{wanted:?} is no SHA-256: that is 64 digits from 0 to 9 and a to f"
    );
    let mut file = fs::File::open(path).with_context(|| format!("{}", path.display()))?;
    let (mut hash, mut part) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        let read = file.read(&mut part).with_context(|| format!("{}", path.display()))?;
        if read == 0 {
            break;
        }
        hash.update(&part[..read]);
    }
    let found: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    ensure!(
        found == wanted,
        "{} is not the file that was meant: its SHA-256 is {found}, it should be {wanted}. Fetch it again",
        path.display()
    );
    Ok(whence)
}

/// Puts a copy of the builder at `from`, a folder or an archive, into `to`. The original stays as it is.
///
/// # Errors
/// There is nothing, tar or cp fails, or it holds no ImageBuilder.
pub fn open(from: &Path, to: &Path) -> Result<Builder> {
    ensure!(from.exists(), "no ImageBuilder at {}", from.display());
    if from.is_dir() {
        // Known to be one before half a gigabyte is copied.
        facts(from)?;
    }
    if to.exists() {
        fs::remove_dir_all(to).with_context(|| format!("{}", to.display()))?;
    }
    fs::create_dir_all(to).with_context(|| format!("{}", to.display()))?;
    let mut command;
    if from.is_dir() {
        command = Command::new("cp");
        command.args(["-a", "--reflink=auto"]).arg(from.join(".")).arg(to);
    } else {
        command = Command::new("tar");
        command.args(["--strip-components=1", "-xf"]).arg(from).arg("-C").arg(to);
    }
    let name = command.get_program().to_string_lossy().into_owned();
    let done = command.stdin(Stdio::null()).output().with_context(|| format!("{name} is missing: install it"))?;
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr);
        let zstd = if said.contains("zstd") { " (a .tar.zst takes the program zstd)" } else { "" };
        bail!("{} could not be unpacked{zstd}: {}", from.display(), said.trim());
    }
    facts(to).with_context(|| format!("in {}", from.display()))
}

/// Reads what the builder says of itself.
fn facts(root: &Path) -> Result<Builder> {
    let read = |name: &str| {
        fs::read_to_string(root.join(name))
            .with_context(|| format!("{} is no ImageBuilder of OpenWrt: it lacks {name}", root.display()))
    };
    ensure!(root.join("Makefile").exists(), "{} is no ImageBuilder of OpenWrt: it lacks Makefile", root.display());
    let (config, version, targets) = (read(".config")?, read("include/version.mk")?, read(".targetinfo")?);
    let set = |name: &str| {
        let found = config.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        found.map(|value| value.trim_matches('"').to_owned()).unwrap_or_default()
    };
    // VERSION_NUMBER:=$(if $(VERSION_NUMBER),$(VERSION_NUMBER),24.10.2)
    let fallback = version.lines().find_map(|line| {
        line.strip_prefix("VERSION_NUMBER:=$(if $(VERSION_NUMBER),$(VERSION_NUMBER),")?.trim_end().strip_suffix(')')
    });
    let version = match (set("CONFIG_VERSION_NUMBER"), fallback) {
        (number, _) if !number.is_empty() => number,
        (_, Some(number)) => number.to_owned(),
        _ => bail!("{} does not say which version of OpenWrt it is (include/version.mk)", root.display()),
    };
    let profiles = targets
        .lines()
        .filter_map(|line| line.strip_prefix("Target-Profile: ")?.trim().strip_prefix("DEVICE_"))
        .map(str::to_owned)
        .collect();
    Ok(Builder {
        root: root.to_owned(),
        version,
        target: format!("{}/{}", set("CONFIG_TARGET_BOARD"), set("CONFIG_TARGET_SUBTARGET")),
        arch: set("CONFIG_TARGET_ARCH_PACKAGES"),
        format: if set("CONFIG_USE_APK") == "y" { Format::Apk } else { Format::Ipk },
        profiles,
        online: true,
    })
}

impl Builder {
    /// Whether it can make images for `device` with our packages.
    ///
    /// # Errors
    /// Another version, another target or another architecture; or the release dropped the device.
    pub fn suits(&self, device: &Device) -> Result<()> {
        let release = RELEASES.iter().find(|(release, _)| {
            self.version.strip_prefix(release).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '-']))
        });
        let Some((release, format)) = release else {
            bail!(
                "the ImageBuilder is of OpenWrt {}, packages are made for 24.10 and 25.12: take a builder of one of these",
                self.version
            );
        };
        ensure!(
            self.format == *format,
            "the ImageBuilder says OpenWrt {} but takes .{} packages, {release} takes .{}: it was changed",
            self.version,
            self.format.ending(),
            format.ending()
        );
        ensure!(
            self.target == device.target,
            "the ImageBuilder is for {}, {} needs the one for {}: openwrt-imagebuilder-{}-{}.Linux-x86_64.tar.zst",
            self.target,
            device.name,
            device.target,
            self.version,
            device.target.replace('/', "-")
        );
        ensure!(
            self.arch == device.arch,
            "the ImageBuilder takes packages for {}, openwrt/devices.toml says {} for {}: one of them is wrong",
            self.arch,
            device.arch,
            device.profile
        );
        if !self.profiles.contains(&device.profile) {
            let near = config::suggest::closest(&device.profile, self.profiles.iter().map(String::as_str));
            bail!(
                "this ImageBuilder has no profile {}{}; it has {} others (`make info` there)",
                device.profile,
                near.map(|name| format!(", the nearest is {name}")).unwrap_or_default(),
                self.profiles.len()
            );
        }
        Ok(())
    }

    /// The folder that it takes packages from.
    pub fn packages(&self) -> PathBuf {
        self.root.join("packages")
    }

    /// Leaves only the builder's own folder among the places that packages come from.
    ///
    /// # Errors
    /// Its list of repositories cannot be read or written.
    pub fn cut_off(&mut self) -> Result<()> {
        let (name, own) = match self.format {
            Format::Ipk => ("repositories.conf", "src imagebuilder file:packages".to_owned()),
            Format::Apk => ("repositories", format!("{}", self.packages().join("packages.adb").display())),
        };
        let path = self.root.join(name);
        let text = fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
        let mut kept: Vec<&str> = text.lines().filter(|line| !remote(line)).collect();
        let local = |line: &&str| !line.trim_start().starts_with('#') && line.contains("packages");
        if !kept.iter().any(local) {
            kept.push(&own);
        }
        fs::write(&path, kept.join("\n") + "\n").with_context(|| format!("{}", path.display()))?;
        self.online = false;
        Ok(())
    }

    /// Bytes of the kernel for a profile, where the builder has it ready.
    pub fn kernel(&self, profile: &str) -> Option<u64> {
        let name = format!("{profile}-kernel.bin");
        let children = |folder: PathBuf| fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        children(self.root.join("build_dir"))
            .flat_map(children)
            .find_map(|folder| fs::metadata(folder.join(&name)).ok())
            .map(|file| file.len())
    }

    /// Runs `make GOAL VARIABLE=VALUE...` there. Returns what it printed, standard output apart; all of it is kept
    /// in `log`.
    ///
    /// # Errors
    /// make is missing, or ends with an error: then with the packages that it lacked or its last lines.
    pub fn make(&self, goal: &str, variables: &[(&str, String)], log: &Path) -> Result<Output> {
        let mut command = self.command();
        command.arg(goal).args(variables.iter().map(|(name, value)| format!("{name}={value}")));
        let done = command
            .current_dir(&self.root)
            .stdin(Stdio::null())
            .env_remove("MAKEFLAGS")
            .env_remove("MAKELEVEL")
            .output()
            .context("make is missing: OpenWrt's page on the ImageBuilder lists what it needs")?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let output = Output { out: text(&done.stdout), log: text(&done.stdout) + &text(&done.stderr) };
        fs::write(log, &output.log).with_context(|| format!("{}", log.display()))?;
        if done.status.success() {
            return Ok(output);
        }
        let lacking = lacking(&output.log);
        if !lacking.is_empty() {
            bail!("{}", self.lacks(&lacking));
        }
        let lines: Vec<&str> = output.log.lines().collect();
        let last = lines[lines.len().saturating_sub(15)..].join("\n");
        bail!("`make {goal}` of the ImageBuilder failed; all that it said is in {}, at last:\n{last}", log.display())
    }

    /// Packages that must be there before the builder is asked: those named on its command line.
    ///
    /// # Errors
    /// Some are not: names them.
    pub fn has(&self, packages: &[String], shelf: &Shelf) -> Result<()> {
        if self.online {
            return Ok(());
        }
        let wanted = packages.iter().filter(|name| !name.starts_with('-') && shelf.get(name).is_none());
        let missing: Vec<String> = wanted.cloned().collect();
        ensure!(missing.is_empty(), "{}", self.lacks(&missing));
        Ok(())
    }

    fn lacks(&self, names: &[String]) -> String {
        let names = names.join(", ");
        if self.online {
            return format!("neither the ImageBuilder nor its repositories have {names} for {}", self.arch);
        }
        format!(
            "packages are missing: {names}. Put their .{} files for OpenWrt {} {} in a folder and give it with \
             --packages FOLDER; or let the ImageBuilder fetch them itself with --online",
            self.format.ending(),
            self.version,
            self.arch
        )
    }

    /// make, without a network where the system lets us take it away.
    fn command(&self) -> Command {
        let without: [&[&str]; 2] = [&["--net"], &["--user", "--map-current-user", "--net"]];
        for flags in without {
            let works = || Command::new("unshare").args(flags).arg("true").stderr(Stdio::null()).status();
            if !self.online && works().is_ok_and(|status| status.success()) {
                let mut command = Command::new("unshare");
                command.args(flags).arg("make");
                return command;
            }
        }
        Command::new("make")
    }
}

/// What a run of make printed.
#[derive(Debug)]
pub struct Output {
    /// Standard output.
    pub out: String,
    /// Standard output, then standard error.
    pub log: String,
}

/// Whether a line of a list of repositories names one on another machine.
fn remote(line: &str) -> bool {
    line.contains("://") && !line.contains("file://")
}

/// Packages that opkg or apk did not find, by their own words.
fn lacking(log: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for line in log.lines() {
        let line = line.trim();
        // opkg: "* opkg_install_cmd: Cannot install package wpad-mesh-mbedtls." and, of dependencies,
        // "* satisfy_dependencies_for: Cannot satisfy the following dependencies for x:", names on the next line.
        let found = if let Some((_, name)) = line.split_once("Cannot install package ") {
            Some(name.trim_end_matches('.'))
        } else if let Some((name, _)) = line.split_once(" (no such package)") {
            // apk: "wpad-mesh-mbedtls (no such package):"
            name.split_whitespace().last()
        } else {
            None
        };
        if let Some(name) = found.filter(|name| !name.is_empty() && !names.iter().any(|known| known == name)) {
            names.push(name.to_owned());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_package_managers_say_they_lack() {
        let opkg = "Unknown package 'wpad-mesh-mbedtls'.\nCollected errors:\n \
                    * opkg_install_cmd: Cannot install package wpad-mesh-mbedtls.\n";
        assert_eq!(lacking(opkg), ["wpad-mesh-mbedtls"]);
        let apk =
            "ERROR: unable to select packages:\n  wpad-mesh-mbedtls (no such package):\n    required by: world[x]\n";
        assert_eq!(lacking(apk), ["wpad-mesh-mbedtls"]);
        assert!(lacking("make: *** [image] Error 1").is_empty());
    }

    #[test]
    fn repositories_elsewhere() {
        assert!(remote("src/gz openwrt_core https://downloads.openwrt.org/releases/x"));
        assert!(remote("http://example.org/packages.adb"));
        assert!(!remote("src imagebuilder file:packages"));
        assert!(!remote("file:///srv/packages.adb"));
        assert!(!remote("packages/packages.adb"));
    }
}
