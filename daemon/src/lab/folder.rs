//! The lab's folder: sockets, configuration, state and logs of its nodes. One lab at a time.

use anyhow::{Context, Result, bail};
use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// A folder in use. Dropping it removes what the lab put there, and the folder if the lab made it.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    made: bool,
    keep_logs: bool,
    /// Held as long as the folder is in use; the kernel lets go of it however the lab ends.
    _lock: File,
}

impl Folder {
    /// Takes a folder into use, for its owner only. What a lab that was killed left there goes.
    ///
    /// # Errors
    /// Another lab runs there, or it cannot be made.
    pub(crate) fn open(path: &Path, keep_logs: bool) -> Result<Self> {
        let made = match DirBuilder::new().mode(0o700).create(path) {
            Ok(()) => true,
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => false,
            Err(e) => {
                return Err(e)
                    .with_context(|| format!("cannot make the folder {}; name one with --dir", path.display()));
            }
        };
        let context = || format!("cannot write to the folder {}; name another with --dir", path.display());
        let lock = File::create(path.join(LOCK)).with_context(context)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => bail!(
                "a lab runs already in {}\nEnd it with: meshwork lab stop. Or give this one a folder of its own with --dir.",
                path.display()
            ),
            Err(TryLockError::Error(e)) => return Err(e).with_context(context),
        }
        let folder = Self { path: path.to_owned(), made, keep_logs, _lock: lock };
        folder.clear(false);
        Ok(folder)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the lab's files and no others.
    fn clear(&self, keep_logs: bool) {
        let Ok(entries) = fs::read_dir(&self.path) else { return };
        for entry in entries.flatten() {
            let path = entry.path();
            // What cannot be removed stays; the next lab tries again.
            let _ = match path.extension().and_then(|e| e.to_str()) {
                Some("log") if keep_logs => Ok(()),
                Some("log" | "sock" | "toml" | "history") => fs::remove_file(&path),
                Some("state") => fs::remove_dir_all(&path),
                _ => Ok(()),
            };
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        self.clear(self.keep_logs);
        // The lock file last: until it is gone, another lab is kept out.
        let _ = fs::remove_file(self.path.join(LOCK));
        if self.made && !self.keep_logs {
            let _ = fs::remove_dir(&self.path);
        }
    }
}

const LOCK: &str = "lab.lock";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_used_once_at_a_time_and_left_as_it_was() {
        let path = std::env::temp_dir().join(format!("meshwork-folder-test-{}", std::process::id()));
        let folder = Folder::open(&path, false).unwrap();
        let error = format!("{:#}", Folder::open(&path, false).unwrap_err());
        assert!(error.contains("runs already"), "{error}");
        fs::write(path.join("n1.log"), "x").unwrap();
        fs::create_dir(path.join("n1.state")).unwrap();
        drop(folder);
        assert!(!path.exists());
        fs::create_dir(&path).unwrap();
        fs::write(path.join("mine.txt"), "x").unwrap();
        fs::write(path.join("n1.sock"), "left over").unwrap();
        let folder = Folder::open(&path, true).unwrap();
        assert!(!path.join("n1.sock").exists());
        fs::write(path.join("n2.log"), "x").unwrap();
        drop(folder);
        let mut left: Vec<_> = fs::read_dir(&path).unwrap().map(|e| e.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["mine.txt", "n2.log"]);
        fs::remove_dir_all(&path).unwrap();
    }
}
