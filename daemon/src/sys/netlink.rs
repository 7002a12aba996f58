//! Options of netlink sockets.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// News of this group arrive from then on; for groups of any number.
///
/// # Errors
/// `PermissionDenied` for groups that only administrators may hear.
pub fn join_group(socket: &impl AsFd, group: u32) -> io::Result<()> {
    let len = libc::socklen_t::try_from(size_of_val(&group)).unwrap_or(0);
    // SAFETY: `group` lives for the whole call and `len` is its size.
    let done = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_NETLINK,
            libc::NETLINK_ADD_MEMBERSHIP,
            (&raw const group).cast(),
            len,
        )
    };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
