//! What a node remembers over a restart: its sequence numbers, so that peers do not take it for
//! a replay of itself, and the MAC of its mesh interface.
//!
//! Peers accept a number that is at most 65535 ahead of the last one; one behind makes the node
//! invisible for up to 30 s. So numbers are written now and then, and a restart resumes
//! [`RESERVE`] ahead of what was written. Source: protocol notes, pitfalls A 20 and 21.

use mesh_core::{Algorithm, Duration, Instant, Seqnos};
use packet::MacAddr;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

/// How far ahead of the file a restart resumes. The file is never further behind than half of
/// it, so the jump that peers see is between half and all of it.
pub const RESERVE: u32 = 8192;
/// The file is rewritten at least this often while numbers change, and otherwise only when they
/// have moved far: flash wears out.
const INTERVAL: Duration = Duration::from_secs(300);

/// What the file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    /// Last numbers written.
    pub seqnos: Seqnos,
    /// MAC of the mesh interface.
    pub host_mac: MacAddr,
}

impl State {
    /// Reads the text form; unknown lines are ignored, a missing or broken line makes it `None`.
    pub fn parse(text: &str) -> Option<Self> {
        let value = |key: &str| text.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix(' '));
        Some(Self {
            seqnos: Seqnos {
                ogm: value("ogm")?.parse().ok()?,
                bcast: value("bcast")?.parse().ok()?,
                algorithm: [Algorithm::Iv, Algorithm::V].into_iter().find(|a| value("algorithm") == Some(a.name())),
            },
            host_mac: value("host_mac")?.parse().ok().filter(|m: &MacAddr| m.is_unicast())?,
        })
    }

    /// The text form.
    pub fn to_text(self) -> String {
        let mut text = String::new();
        let Seqnos { ogm, bcast, algorithm } = self.seqnos;
        // Writing to a String cannot fail.
        let _ = write!(text, "ogm {ogm}\nbcast {bcast}\nhost_mac {}\n", self.host_mac);
        if let Some(a) = algorithm {
            let _ = writeln!(text, "algorithm {}", a.name());
        }
        text
    }

    /// Numbers to start with after a restart.
    pub fn resume(self) -> Seqnos {
        Seqnos {
            ogm: self.seqnos.ogm.wrapping_add(RESERVE),
            bcast: self.seqnos.bcast.wrapping_add(RESERVE),
            algorithm: self.seqnos.algorithm,
        }
    }
}

/// The file, and when it was last written.
#[derive(Debug)]
pub struct StateFile {
    path: Option<PathBuf>,
    written: Option<(State, Instant)>,
}

impl StateFile {
    /// The file `<dir>/<mesh>.state`, which need not exist; without a directory nothing is kept.
    pub fn new(dir: Option<&Path>, mesh: &str) -> Self {
        Self { path: dir.map(|d| d.join(format!("{mesh}.state"))), written: None }
    }

    /// What the last run left, if anything that can be read.
    pub fn load(&self) -> Option<State> {
        let path = self.path.as_ref()?;
        match std::fs::read_to_string(path) {
            Ok(text) => {
                let state = State::parse(&text);
                if state.is_none() {
                    tracing::warn!(path = %path.display(), "the state file is damaged, starting afresh");
                }
                state
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) => {
                tracing::warn!(path = %path.display(), error = %e, "cannot read the state file, starting afresh");
                None
            }
        }
    }

    /// Writes the file if it is time to. A place that cannot be written is told once and then
    /// left alone.
    pub fn keep(&mut self, state: State, now: Instant) {
        let due = match &self.written {
            None => true,
            Some((old, at)) => {
                let moved = |old: u32, new: u32| new.wrapping_sub(old) >= RESERVE / 4;
                moved(old.seqnos.ogm, state.seqnos.ogm)
                    || moved(old.seqnos.bcast, state.seqnos.bcast)
                    || old.host_mac != state.host_mac
                    || old.seqnos.algorithm != state.seqnos.algorithm
                    || (*old != state && now.since(*at) >= INTERVAL)
            }
        };
        if due {
            self.write(state, now);
        }
    }

    /// Writes the file now, for instance at the end.
    pub fn write(&mut self, state: State, now: Instant) {
        let Some(path) = &self.path else { return };
        match write_atomically(path, &state.to_text()) {
            Ok(()) => self.written = Some((state, now)),
            Err(e) => {
                tracing::warn!(
                    path = %path.display(), error = %e,
                    "cannot keep sequence numbers; after a restart neighbours may ignore this node for 30 s"
                );
                self.path = None;
            }
        }
    }
}

/// Writes a file so that either the old or the new text is there whatever happens.
///
/// # Errors
/// The folder or the file cannot be written.
pub(crate) fn write_atomically(path: &Path, text: &str) -> io::Result<()> {
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir)?;
    }
    let fresh = path.with_extension("new");
    std::fs::write(&fresh, text)?;
    std::fs::rename(&fresh, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(ogm: u32, bcast: u32) -> State {
        State { seqnos: Seqnos { ogm, bcast, algorithm: Some(Algorithm::V) }, host_mac: MacAddr([2, 0, 0, 0, 0, 7]) }
    }

    fn at(secs: u64) -> Instant {
        Instant::from_micros(secs * 1_000_000)
    }

    #[test]
    fn text_round_trip_and_damage() {
        let s = state(u32::MAX - 5, 77);
        assert_eq!(State::parse(&s.to_text()), Some(s));
        assert_eq!(s.resume().ogm, RESERVE - 6, "wraps");
        assert_eq!(State::parse("ogm 1\nbcast 2\n"), None);
        assert_eq!(State::parse("ogm x\nbcast 2\nhost_mac 02:00:00:00:00:07\n"), None);
        assert_eq!(State::parse(""), None);
    }

    #[test]
    fn written_when_numbers_moved_or_time_passed() {
        let dir = std::env::temp_dir().join(format!("state-{}", std::process::id()));
        let mut file = StateFile::new(Some(&dir), "mesh0");
        assert_eq!(file.load(), None);
        file.keep(state(100, 5), at(0));
        assert_eq!(file.load(), Some(state(100, 5)));
        file.keep(state(200, 5), at(10));
        assert_eq!(file.load(), Some(state(100, 5)), "too early");
        file.keep(state(200, 5 + RESERVE / 4), at(11));
        assert_eq!(file.load(), Some(state(200, 5 + RESERVE / 4)), "moved far");
        file.keep(state(500, 3000), at(400));
        assert_eq!(file.load(), Some(state(500, 3000)), "time passed");
        std::fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn works_without_a_place() {
        let mut file = StateFile::new(Some(Path::new("/proc/nowhere")), "mesh0");
        file.keep(state(1, 1), at(0));
        assert_eq!(file.path, None, "told once, then left alone");
        assert_eq!(StateFile::new(None, "mesh0").load(), None);
    }
}
