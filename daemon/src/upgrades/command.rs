//! Programs of the system, with a limit on their time.

use super::Result;
use std::io::{ErrorKind, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Runs a program until it ends, and gives back what it printed.
///
/// # Errors
/// It cannot be run, ends with another status than 0, or takes longer than `limit`.
pub fn run(program: &Path, words: &[&str], limit: Duration) -> Result<String> {
    let mut child = spawn(program, words, true)?.ok_or_else(|| format!("{} is not here", program.display()))?;
    let began = Instant::now();
    wait(program, &mut child, &mut || {
        if began.elapsed() < limit { Ok(()) } else { Err(format!("it took longer than {} s", limit.as_secs())) }
    })?;
    let mut out = String::new();
    if let Some(stdout) = child.stdout.take() {
        // What is in the pipe by now is all there is, if something else still holds it open.
        let _ = stdout.take(4096).read_to_string(&mut out);
    }
    Ok(out)
}

/// Starts a program; `None` if there is none of that name.
///
/// # Errors
/// The system refuses.
pub fn spawn(program: &Path, words: &[&str], listen: bool) -> Result<Option<Child>> {
    let mut command = Command::new(program);
    command.args(words).stdin(Stdio::null()).stdout(if listen { Stdio::piped() } else { Stdio::null() });
    for _ in 0..50 {
        match command.spawn() {
            Ok(child) => return Ok(Some(child)),
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            // Just written, and something forked while it was: over in a moment.
            Err(e) if e.kind() == ErrorKind::ExecutableFileBusy => sleep(Duration::from_millis(20)),
            Err(e) => return Err(format!("{}: {e}", program.display())),
        }
    }
    Err(format!("{} is still being written", program.display()))
}

/// Waits for the end of a program as long as `go_on` does not object.
///
/// # Errors
/// What it objected, or that the program failed.
pub fn wait(program: &Path, child: &mut Child, go_on: &mut dyn FnMut() -> Result<()>) -> Result<()> {
    let mut pause = Duration::from_millis(5);
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(format!("{} failed ({status})", program.display())),
            Ok(None) => {}
            Err(e) => return Err(format!("{}: {e}", program.display())),
        }
        if let Err(objection) = go_on() {
            let _ = child.kill();
            let _ = child.wait();
            return Err(format!("{}: {objection}", program.display()));
        }
        sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(200));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_says_and_how_it_ends() {
        let sh = Path::new("/bin/sh");
        let second = Duration::from_secs(10);
        assert_eq!(run(sh, &["-c", "echo yes"], second), Ok("yes\n".to_owned()));
        assert!(run(sh, &["-c", "exit 3"], second).unwrap_err().contains("exit status: 3"));
        assert!(run(Path::new("/no/where"), &[], second).unwrap_err().contains("is not here"));
        let began = Instant::now();
        assert!(run(sh, &["-c", "exec sleep 60"], Duration::from_millis(50)).unwrap_err().contains("longer"));
        assert!(began.elapsed() < Duration::from_secs(30));
    }
}
