//! Upgrades: what the rules of the crate `upgrade` say, done with files, programs and the running node.
//!
//! A program is replaced by a rename. Until the new one has proved itself the former one lies beside it and looks on:
//!
//! ```text
//!   meshwork.new written, read back, run once    power cut here: meshwork.new is thrown away
//!   meshwork.old = the running one               power cut here: both are thrown away
//!   state: trial                                 power cut here: the trial is forgotten, both are thrown away
//!   meshwork.new -> meshwork                     power cut here: the trial goes on
//!   service restarted, neighbours looked for     power cut here: the trial begins anew, three times at most
//!   state: stays       | meshwork.old -> meshwork
//!   meshwork.old gone  | state: went back        power cut here: the program on trial is not there, so it went back
//! ```
//!
//! At every moment `meshwork` is one whole program that has run on this router, and the state file is the old or the
//! new one.

pub mod command;
pub mod fetch;
pub mod firmware;
pub mod node;
pub mod program;
pub mod service;
pub mod settings;

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use upgrade::State;

pub use settings::Settings;

/// Why something was not done, a sentence for people.
pub type Result<T> = std::result::Result<T, String>;

/// A machine's files; in tests and images not those of `/`.
#[derive(Debug, Clone)]
pub struct Machine {
    root: PathBuf,
}

impl Machine {
    /// The machine whose files lie below `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Where a file lies.
    pub fn at(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// First line of a file, empty where there is none.
    pub fn line(&self, path: &str) -> String {
        let text = fs::read_to_string(self.at(path)).unwrap_or_default();
        text.lines().next().unwrap_or_default().trim().to_owned()
    }

    /// What OpenWrt calls the board, empty elsewhere.
    pub fn board(&self) -> String {
        self.line("/tmp/sysinfo/board_name")
    }

    /// What is remembered of upgrades.
    pub fn state(&self) -> State {
        State::parse(&fs::read_to_string(self.at(STATE)).unwrap_or_default())
    }

    /// Remembers it.
    ///
    /// # Errors
    /// The file cannot be written; then it is as it was.
    pub fn keep(&self, state: &State) -> Result<()> {
        replace(&self.at(STATE), state.to_text().as_bytes())
    }

    /// The highest serial that is known here: installed once, or baked into the firmware.
    pub fn known_serial(&self, state: &State) -> u32 {
        let baked = self.line(BAKED).parse().unwrap_or(0);
        state.serial.max(baked).max(state.trial.as_ref().map_or(0, |t| t.serial))
    }

    /// The folder for what is fetched; in memory on a router.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn scratch(&self) -> Result<PathBuf> {
        let dir = self.at("/tmp/meshwork-upgrade");
        fs::create_dir_all(&dir).map_err(|e| say(&dir, &e))?;
        Ok(dir)
    }

    /// Only one process at a time installs something or looks at a trial.
    ///
    /// # Errors
    /// Another one does.
    pub fn lock(&self) -> Result<File> {
        let path = self.scratch()?.join("lock");
        let file = File::create(&path).map_err(|e| say(&path, &e))?;
        file.try_lock().map_err(|_| "another upgrade is under way; \"meshwork upgrade\" says which".to_owned())?;
        Ok(file)
    }
}

/// What is remembered lies here, where only root writes; `keep.d` takes it over a new firmware.
pub const STATE: &str = "/etc/meshwork-upgrade.state";
/// The serial that a firmware was made with. Not kept over a new firmware, which brings its own.
pub const BAKED: &str = "/usr/share/meshwork/upgrade.serial";

/// The kind of CPU that this program was built for, as `openwrt/build` calls it.
pub const CPU: &str = if cfg!(all(target_arch = "mips", target_endian = "big")) {
    "mips"
} else if cfg!(target_arch = "mips") {
    "mipsel"
} else if cfg!(target_arch = "arm") {
    "armv7"
} else if cfg!(target_arch = "aarch64") {
    "aarch64"
} else if cfg!(target_arch = "x86_64") {
    "x86_64"
} else {
    "other"
};

/// This program's version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

fn say(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}

/// Writes a file whole or not at all, also when the power fails.
fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let part = beside(path, ".part");
    let done = (|| {
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir)?;
        }
        let mut file = File::create(&part)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&part, path)?;
        settle(path)
    })();
    done.map_err(|e| say(path, &e))
}

/// Has the names in the folder of `path` written to the disk.
fn settle(path: &Path) -> std::io::Result<()> {
    path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
}

/// `PATH.old` and the like.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(say(path, &e)),
        _ => Ok(()),
    }
}
