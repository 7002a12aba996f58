//! What the lab needs of the system: a process inside a network namespace that dies with the lab,
//! and the size of a terminal.

use nix::sched::{CloneFlags, setns};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::getppid;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Makes the command start inside a network namespace and get SIGKILL when the thread that
/// spawns it ends: spawn from a thread that lives as long as the lab.
///
/// Spawning fails with the kernel's error when the namespace cannot be entered, and with
/// `NotFound` when the lab died meanwhile.
pub fn confine(command: &mut Command, namespace: OwnedFd) {
    let parent = nix::unistd::getpid();
    let enter = move || {
        setns(&namespace, CloneFlags::CLONE_NEWNET)?;
        prctl::set_pdeathsig(Signal::SIGKILL)?;
        // The lab may have died before the line above; then nobody would send the signal.
        if getppid() != parent {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(())
    };
    // SAFETY: between fork and exec the closure makes three plain system calls; it neither
    // allocates nor takes a lock, and the descriptor it owns stays open until exec closes it.
    unsafe { command.pre_exec(enter) };
}

mod request {
    nix::ioctl_read_bad!(
        /// Columns and rows of a terminal.
        window_size,
        libc::TIOCGWINSZ,
        libc::winsize
    );
}

/// Columns and rows of a terminal, `None` if it is none or does not tell.
pub fn terminal_size(terminal: impl AsFd) -> Option<(usize, usize)> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the descriptor is open for the call, and `size` is a winsize to write into.
    unsafe { request::window_size(terminal.as_fd().as_raw_fd(), &raw mut size) }.ok()?;
    Some((size.ws_col.into(), size.ws_row.into()))
}
