//! Descriptors that tokio watches.

use std::io;
use std::os::fd::OwnedFd;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Watches a non-blocking descriptor for something to read. Needs a tokio runtime around it.
///
/// For reading alone: a packet socket that is also watched for room to send wakes its owner each
/// time a receiver anywhere has freed a frame.
///
/// # Errors
/// What the system says.
pub fn watch_read(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    watch(fd, Interest::READABLE)
}

/// Watches a non-blocking descriptor for room to write. Needs a tokio runtime around it.
///
/// # Errors
/// What the system says.
pub fn watch_write(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    watch(fd, Interest::WRITABLE)
}

fn watch(fd: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an OwnedFd is open, stays open and stays the same descriptor until it is dropped,
    // and the result owns it.
    Ok(unsafe { AsyncFd::register_with_interest(fd, interest) }?)
}
