//! The table of devices, `openwrt/devices.toml`.

use std::{collections::BTreeMap, fmt::Write, fs, path::Path};

use anyhow::{Context, Result, anyhow, ensure};
use serde::{Deserialize, Serialize};

/// The whole table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    packages: Packages,
    classes: BTreeMap<String, Class>,
    device: Vec<Device>,
}

/// What goes into images; a leading `-` leaves a package out.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Packages {
    all: Vec<String>,
    radio: Vec<String>,
}

/// Devices with alike flash and memory.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Class {
    says: String,
    packages: Vec<String>,
}

/// One device. The fields are explained at the top of the table.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// The ImageBuilder's PROFILE.
    pub profile: String,
    /// What is printed on the device.
    pub name: String,
    /// Target and subtarget, such as `ath79/generic`.
    pub target: String,
    /// Architecture in the package manager's spelling.
    pub arch: String,
    /// Target of `openwrt/build`.
    pub rust: String,
    /// Room for the image in KiB, where the recipe bounds it.
    pub flash_kib: Option<u64>,
    /// Room for the kernel alone in KiB, where the recipe bounds it.
    pub kernel_kib: Option<u64>,
    /// Settings live in a volume of their own.
    #[serde(default)]
    pub nand: bool,
    /// Has a radio.
    #[serde(default = "yes")]
    pub radio: bool,
    /// Memory in MiB.
    pub ram_mib: u64,
    /// `small` or `standard`.
    pub class: String,
    /// Where `flash_kib` was read.
    pub source: Source,
    /// What its owner should know.
    #[serde(default)]
    pub note: String,
}

/// How sure the size of the flash is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// OpenWrt's image recipe, read for this table.
    Recipe,
    /// Notes on OpenWrt's image recipes.
    Notes,
}

fn yes() -> bool {
    true
}

/// A jffs2 for the settings needs five erase blocks, of 64 KiB each on these devices.
const SETTINGS: u64 = 5 * 64 * 1024;

impl Table {
    /// Reads the table at `path`.
    ///
    /// # Errors
    /// It cannot be read, has a key that nobody knows, a class that it does not define or a profile twice.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("table of devices {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("table of devices {}", path.display()))
    }

    fn parse(text: &str) -> Result<Self> {
        let table: Self = toml::from_str(text)?;
        for (i, device) in table.device.iter().enumerate() {
            let profile = &device.profile;
            ensure!(table.classes.contains_key(&device.class), "{profile}: no class is called {:?}", device.class);
            ensure!(
                !table.device[..i].iter().any(|other| other.profile == *profile && other.target == device.target),
                "{profile} stands there twice"
            );
        }
        Ok(table)
    }

    /// The device with this profile.
    ///
    /// # Errors
    /// There is none: names the nearest.
    pub fn device(&self, profile: &str) -> Result<&Device> {
        self.device.iter().find(|device| device.profile == profile).ok_or_else(|| {
            let near = self.near(profile);
            let meant = if near.is_empty() { String::new() } else { format!("Did you mean {}? ", near.join(" or ")) };
            anyhow!(
                "no device here has the profile {profile:?}. {meant}`openwrt/firmware --list` shows all {}; a device \
                 that OpenWrt supports is added with a few lines in openwrt/devices.toml",
                self.device.len()
            )
        })
    }

    /// At most three profiles that `word` may stand for: nearly the same letters, or the word within a name.
    fn near(&self, word: &str) -> Vec<&str> {
        let bare = |text: &str| -> String {
            text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
        };
        let profiles = || self.device.iter().map(|device| device.profile.as_str());
        let mut near: Vec<&str> = config::suggest::closest(word, profiles()).into_iter().collect();
        let wanted = bare(word);
        for device in &self.device {
            let known = [bare(&device.profile), bare(&device.name)];
            let within = wanted.len() >= 3 && known.iter().any(|name| name.contains(&wanted) || wanted.contains(name));
            if within && !near.contains(&device.profile.as_str()) {
                near.push(&device.profile);
            }
        }
        near.truncate(3);
        near
    }

    /// All devices, in the table's order.
    pub fn all(&self) -> &[Device] {
        &self.device
    }

    /// What the builder is told in PACKAGES: the table's choice, then `add`, without `drop`.
    pub fn packages(&self, device: &Device, add: &[String], drop: &[String]) -> Vec<String> {
        let class = &self.classes[&device.class];
        let radio: &[String] = if device.radio { &self.packages.radio } else { &[] };
        let mut all: Vec<String> = Vec::new();
        let dropped = drop.iter().map(|name| format!("-{name}"));
        for name in self.packages.all.iter().chain(radio).chain(&class.packages).chain(add).cloned().chain(dropped) {
            // The last word on a package counts.
            let bare = name.trim_start_matches('-');
            all.retain(|other| other.trim_start_matches('-') != bare);
            all.push(name);
        }
        all
    }

    /// The table for people.
    pub fn listing(&self) -> String {
        let mut out = String::new();
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "{:<28} {:<28} {:<17} {:<8} {:>9} {:>7} {:<9} room read in",
            "profile", "device", "target", "build", "flash KiB", "RAM MiB", "class"
        );
        for d in &self.device {
            let flash = d.flash_kib.map_or("-".into(), |n| n.to_string());
            let source = match d.source {
                Source::Recipe => "OpenWrt's recipe",
                Source::Notes => "notes on it",
            };
            let _ = writeln!(
                out,
                "{:<28} {:<28} {:<17} {:<8} {flash:>9} {:>7} {:<9} {source}",
                d.profile, d.name, d.target, d.rust, d.ram_mib, d.class
            );
        }
        for (name, class) in &self.classes {
            let _ = writeln!(out, "class {name}: {}", class.says);
        }
        out.push_str("None of them was tried: no device is at hand here. Memory is from public tables, not checked.\n");
        out
    }
}

impl Device {
    /// Bytes that an image may have: the flash, less what the settings need behind it. None where nothing is known.
    pub fn room(&self) -> Option<u64> {
        let flash = self.flash_kib? * 1024;
        Some(if self.nand { flash } else { flash.saturating_sub(SETTINGS) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        Table::parse(include_str!("../../devices.toml")).unwrap()
    }

    #[test]
    fn the_table_holds_together() {
        let table = table();
        assert!(table.all().len() >= 20);
        for device in table.all() {
            assert!(device.target.split('/').count() == 2, "{}", device.profile);
            let rust = match device.arch.as_str() {
                "mips_24kc" => "mips",
                "mipsel_24kc" => "mipsel",
                "x86_64" => "x86_64",
                arch if arch.starts_with("arm_") => "armv7",
                arch if arch.starts_with("aarch64_") => "aarch64",
                arch => panic!("{}: {arch}", device.profile),
            };
            assert_eq!(device.rust, rust, "{}", device.profile);
            let small = device.flash_kib.is_some_and(|n| n <= 8192) || device.ram_mib <= 64;
            assert_eq!(device.class == "small", small, "{}", device.profile);
        }
    }

    #[test]
    fn near_names() {
        let table = table();
        for (word, near) in [
            ("tplink_cpe210v3", "tplink_cpe210-v3"),
            ("cpe210", "tplink_cpe210-v1"),
            ("Archer C7", "tplink_archer-c7-v2"),
            ("gl-mt3000", "glinet_gl-mt3000"),
        ] {
            let error = table.device(word).unwrap_err().to_string();
            assert!(error.contains(near), "{error}");
        }
        let error = table.device("nothing-like-it").unwrap_err().to_string();
        assert!(!error.contains("Did you mean") && error.contains("--list"), "{error}");
    }

    #[test]
    fn packages_by_class_and_wish() {
        let table = table();
        let small = table.packages(table.device("tplink_cpe210-v1").unwrap(), &[], &[]);
        for name in ["meshwork", "kmod-tun", "-wpad-basic-mbedtls", "wpad-mesh-mbedtls", "-ppp"] {
            assert!(small.iter().any(|n| n == name), "{small:?}");
        }
        let none = table.packages(table.device("ubnt_edgerouter-x").unwrap(), &[], &[]);
        assert!(!none.iter().any(|n| n.contains("wpad")), "{none:?}");
        let wished = table.packages(
            table.device("tplink_cpe210-v1").unwrap(),
            &["ppp".into(), "tcpdump-mini".into()],
            &["kmod-tun".into()],
        );
        assert!(wished.contains(&"ppp".into()) && !wished.contains(&"-ppp".into()));
        assert!(wished.contains(&"-kmod-tun".into()) && !wished.contains(&"kmod-tun".into()));
    }

    #[test]
    fn room_leaves_space_for_settings_on_nor_flash_only() {
        let table = table();
        assert_eq!(table.device("tplink_cpe210-v1").unwrap().room(), Some((7680 - 320) * 1024));
        assert_eq!(table.device("glinet_gl-mt3000").unwrap().room(), Some(246_272 * 1024));
        assert_eq!(table.device("openwrt_one").unwrap().room(), None);
    }

    #[test]
    fn mistakes_in_the_table_are_found() {
        let head = "[packages]\nall = []\nradio = []\n[classes.small]\nsays = \"\"\npackages = []\n";
        let row = "[[device]]\nprofile = \"a\"\nname = \"A\"\ntarget = \"x/y\"\narch = \"x86_64\"\nrust = \"x86_64\"\n\
                   ram_mib = 1\nsource = \"notes\"\n";
        for (rows, word) in [
            (format!("{row}class = \"tiny\"\n"), "tiny"),
            (format!("{row}class = \"small\"\n{row}class = \"small\"\n"), "twice"),
            (format!("{row}class = \"small\"\ncolor = 1\n"), "color"),
        ] {
            let error = format!("{:#}", Table::parse(&format!("{head}{rows}")).unwrap_err());
            assert!(error.contains(word), "{error}");
        }
    }
}
