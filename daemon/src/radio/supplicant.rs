//! wpa_supplicant, for meshes that are protected by SAE: the kernel leaves that to it.

use super::plan::Wanted;
use crate::nl80211::channel::Width;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running wpa_supplicant of ours.
#[derive(Debug)]
pub(super) struct Supplicant {
    child: Child,
    file: PathBuf,
}

impl Supplicant {
    /// Starts it for an interface that is up. Its settings go to a file in `dir` that only root
    /// can read.
    ///
    /// # Errors
    /// A passphrase that cannot be one, no wpa_supplicant, no place for the file; in words.
    pub(super) fn start(wanted: &Wanted, passphrase_file: &Path, dir: &Path) -> Result<Self, String> {
        let passphrase = read_passphrase(passphrase_file)?;
        let file = dir.join(format!("{}.wpa", wanted.interface));
        let _ = fs::remove_file(&file);
        fs::create_dir_all(dir)
            .and_then(|()| fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file))
            .and_then(|mut f| f.write_all(settings(wanted, &passphrase).as_bytes()))
            .map_err(|e| format!("cannot write {}: {e}", file.display()))?;
        let child = Command::new("wpa_supplicant")
            .args(["-D", "nl80211", "-i", &wanted.interface, "-c"])
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        match child {
            Ok(child) => Ok(Self { child, file }),
            Err(e) => {
                let _ = fs::remove_file(&file);
                Err(match e.kind() {
                    ErrorKind::NotFound => {
                        "the mesh is protected by SAE, and that needs wpa_supplicant, which is not installed".to_owned()
                    }
                    _ => format!("wpa_supplicant cannot be started: {e}"),
                })
            }
        }
    }

    /// Its process.
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// False once it has ended.
    pub(super) fn alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Supplicant {
    fn drop(&mut self) {
        let pid = i32::try_from(self.child.id()).map(Pid::from_raw);
        let end = Instant::now() + Duration::from_secs(2);
        if let Ok(pid) = pid
            && self.alive()
            && kill(pid, Signal::SIGTERM).is_ok()
        {
            while self.alive() && Instant::now() < end {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        if self.alive() {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
        let _ = fs::remove_file(&self.file);
    }
}

/// The first line of the file.
fn read_passphrase(file: &Path) -> Result<String, String> {
    let text =
        fs::read_to_string(file).map_err(|e| format!("cannot read the passphrase in {}: {e}", file.display()))?;
    let line = text.lines().next().unwrap_or_default();
    if (8..=63).contains(&line.len()) && line.bytes().all(|b| (0x20..0x7f).contains(&b)) {
        return Ok(line.to_owned());
    }
    // What was found is not told: it may be a passphrase.
    Err(format!(
        "the first line of {} is no passphrase: it must have 8 to 63 letters, digits and signs",
        file.display()
    ))
}

fn settings(wanted: &Wanted, passphrase: &str) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    let width = match wanted.channel.width {
        Width::W20 => "disable_ht40=1\n\tdisable_vht=1",
        Width::W40 => "disable_vht=1",
        Width::W80 => "max_oper_chwidth=1",
        Width::W160 => "max_oper_chwidth=2",
    };
    // The channel is known: looking around first would only take time (ap_scan).
    format!(
        "ap_scan=2\nnetwork={{\n\tssid={}\n\tmode=5\n\tfrequency={}\n\tkey_mgmt=SAE\n\tsae_password=\"{passphrase}\"\n\
         \tieee80211w=2\n\tmesh_fwding=0\n\tbeacon_int=100\n\t{width}\n}}\n",
        hex(wanted.mesh_id.as_bytes()),
        wanted.channel.freq,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::Radio;

    #[test]
    fn settings_cannot_be_smuggled_in() {
        let radio = Radio { mesh_id: "a\"\n}\nnetwork={".to_owned(), ..Radio::new("w", "", 36) };
        let wanted = Wanted::new(&radio).unwrap();
        let text = settings(&wanted, "secret word");
        assert!(text.contains("ssid=61220a7d0a6e6574776f726b3d7b\n"), "{text}");
        assert!(text.contains("frequency=5180\n") && text.contains("\"secret word\"\n"));
        assert_eq!(text.matches("network=").count(), 1);
    }

    #[test]
    fn a_passphrase_is_one_line() {
        let file = std::env::temp_dir().join(format!("passphrase-{}", std::process::id()));
        for (text, good) in
            [("correct horse\nmore\n", true), ("short\n", false), ("", false), ("tab\there is one", false)]
        {
            fs::write(&file, text).unwrap();
            assert_eq!(read_passphrase(&file).is_ok(), good, "{text:?}");
        }
        fs::remove_file(&file).unwrap();
        assert!(read_passphrase(&file).unwrap_err().contains("cannot read"));
    }
}
