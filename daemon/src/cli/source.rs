//! Where a node's configuration comes from: a TOML file, or OpenWrt's UCI.

use crate::args::Args;
use crate::args::UsageError;
use config::uci::{self, Files};
use config::{Config, DEFAULT_FILE, LoadError, Overrides};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Where the configuration comes from, and what goes before it.
#[derive(Debug)]
pub(super) struct Source {
    from: From,
    overrides: Overrides,
}

#[derive(Debug)]
enum From {
    /// A file, or with `None` the usual one if it exists.
    Toml(Option<PathBuf>),
    Uci(Uci),
}

/// One mesh of OpenWrt's configuration.
#[derive(Debug)]
struct Uci {
    mesh: String,
    /// Where `meshwork` and `network` lie.
    dir: PathBuf,
    /// One file for each interface that netifd set up, with the name of its device in it.
    devices: PathBuf,
    /// Where ubusd listens.
    ubus: PathBuf,
}

/// A configuration that holds, and what of it was passed over.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) config: Config,
    /// One sentence each. A TOML file has none: there, one mistake refuses the whole.
    pub(super) complaints: Vec<String>,
}

impl Source {
    pub(super) fn toml(file: Option<PathBuf>, overrides: Overrides) -> Self {
        Self { from: From::Toml(file), overrides }
    }

    /// What the flags of the command line say.
    ///
    /// # Errors
    /// Two sources at once.
    pub(super) fn of(args: &Args, overrides: Overrides) -> Result<Self, UsageError> {
        let file = args.value("config").map(PathBuf::from);
        let Some(mesh) = args.value("uci") else { return Ok(Self::toml(file, overrides)) };
        if file.is_some() {
            return Err(UsageError::new("--uci and --config name two configurations: leave one out"));
        }
        Ok(Self::uci(args, mesh, PathBuf::from(args.value_or_default("ubus")), overrides))
    }

    /// A mesh of OpenWrt's files, where the command line says they are.
    pub(super) fn uci(args: &Args, mesh: &str, ubus: PathBuf, overrides: Overrides) -> Self {
        let dir = |flag: &str| PathBuf::from(args.value_or_default(flag));
        let uci = Uci { mesh: mesh.to_owned(), dir: dir("uci-dir"), devices: dir("uci-devices"), ubus };
        Self { from: From::Uci(uci), overrides }
    }

    /// # Errors
    /// A file that cannot be read; for TOML also one that says something impossible.
    pub(super) fn load(&self) -> Result<Loaded, LoadError> {
        match &self.from {
            From::Toml(file) => {
                Ok(Loaded { config: Config::load(file.as_deref(), &self.overrides)?, complaints: Vec::new() })
            }
            From::Uci(uci) => uci.load(&self.overrides),
        }
    }

    /// The file as people see it, `None` if there is none.
    pub(super) fn shown(&self) -> Option<String> {
        match &self.from {
            From::Toml(file) => {
                let usual = Path::new(DEFAULT_FILE);
                let file = file.as_deref().or_else(|| usual.exists().then_some(usual))?;
                Some(file.display().to_string())
            }
            From::Uci(uci) => Some(format!("mesh {} of OpenWrt's files meshwork and network", uci.mesh)),
        }
    }

    /// Where the node is to be published; on a router only.
    #[cfg_attr(not(feature = "ubus"), allow(dead_code, reason = "nobody publishes then"))]
    pub(super) fn ubus(&self) -> Option<PathBuf> {
        match &self.from {
            From::Toml(_) => None,
            From::Uci(uci) => Some(uci.ubus.clone()),
        }
    }

    /// A node without a hard interface is a mistake, except on a router, where radios come up when they are ready.
    pub(super) fn may_wait(&self) -> bool {
        matches!(self.from, From::Uci(_))
    }

    /// Where a person would write a hard interface down.
    pub(super) fn place(&self) -> String {
        match &self.from {
            From::Toml(file) => file.as_deref().unwrap_or(Path::new(DEFAULT_FILE)).display().to_string(),
            From::Uci(uci) => format!("{}/meshwork", uci.dir.display()),
        }
    }
}

impl Uci {
    fn load(&self, overrides: &Overrides) -> Result<Loaded, LoadError> {
        let (meshwork, network) = (self.read("meshwork")?, self.read("network")?);
        let files = Files { meshwork: &meshwork, network: &network, devices: self.devices() };
        let (config, complaints) = uci::load(&files, &self.mesh, overrides);
        let mut complaints: Vec<String> = complaints.iter().map(ToString::to_string).collect();
        if !uci::meshes(&files).contains(&self.mesh) {
            complaints.push(format!("{} describes no mesh {}: the defaults hold", self.dir.display(), self.mesh));
        }
        Ok(Loaded { config, complaints })
    }

    /// A file that is not there says nothing.
    fn read(&self, name: &str) -> Result<String, LoadError> {
        let path = self.dir.join(name);
        match std::fs::read(&path) {
            // A byte that is no text spoils one value, not the file.
            Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(String::new()),
            Err(e) => Err(LoadError::Read(path, e)),
        }
    }

    fn devices(&self) -> Vec<(String, String)> {
        let Ok(entries) = std::fs::read_dir(&self.devices) else { return Vec::new() };
        entries
            .filter_map(Result::ok)
            .filter_map(|entry| {
                let device = std::fs::read_to_string(entry.path()).ok()?;
                Some((entry.file_name().into_string().ok()?, device.trim().to_owned()))
            })
            .filter(|(_, device)| !device.is_empty())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder that goes with the test.
    struct Dir(PathBuf);

    impl Dir {
        fn new(name: &str, files: &[(&str, &[u8])]) -> Self {
            let dir = std::env::temp_dir().join(format!("meshwork-{name}-{}", std::process::id()));
            std::fs::create_dir_all(dir.join("devices")).unwrap();
            files.iter().for_each(|(file, bytes)| std::fs::write(dir.join(file), bytes).unwrap());
            Self(dir)
        }

        fn source(&self, mesh: &str) -> Source {
            let uci =
                Uci { mesh: mesh.into(), dir: self.0.clone(), devices: self.0.join("devices"), ubus: PathBuf::new() };
            Source { from: From::Uci(uci), overrides: Overrides::default() }
        }
    }

    impl Drop for Dir {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn uci_is_read_with_the_devices_of_netifd() {
        let dir = Dir::new(
            "uci-good",
            &[
                ("meshwork", b"config mesh 'm'\n option hop_penalty 5\n"),
                ("network", b"config interface w\n option proto meshwork_hardif\n option master m\n"),
                ("devices/w", b"phy0-mesh0\n"),
            ],
        );
        let loaded = dir.source("m").load().unwrap();
        assert_eq!(loaded.complaints, Vec::<String>::new());
        assert_eq!((loaded.config.mesh.hop_penalty, &*loaded.config.links[0].interface), (5, "phy0-mesh0"));
    }

    #[test]
    fn a_node_has_a_configuration_whatever_lies_there() {
        let dir = Dir::new("uci-bad", &[("meshwork", b"config mesh 'm'\n option mac \xff\xfe'\n option mtu 1\n")]);
        let loaded = dir.source("m").load().unwrap();
        assert_eq!((&*loaded.config.mesh.name, loaded.config.mesh.mtu), ("m", None));
        assert_eq!(loaded.complaints.len(), 2, "{:?}", loaded.complaints);
        let loaded = dir.source("other").load().unwrap();
        assert!(loaded.complaints.iter().any(|c| c.contains("no mesh other")), "{:?}", loaded.complaints);
    }
}
