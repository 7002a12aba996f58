//! Options and addresses of packet sockets.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// Binds a packet socket to one interface and one ethertype; frames arrive from then on.
///
/// # Errors
/// `ENODEV` when there is no such interface, `ENETDOWN` when it is down.
pub fn bind(socket: &impl AsFd, ifindex: u32, ethertype: u16) -> io::Result<()> {
    // SAFETY: sockaddr_ll is plain data, all zero is a valid value.
    let mut addr: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    addr.sll_family = libc::sa_family_t::try_from(libc::AF_PACKET).unwrap_or(0);
    addr.sll_protocol = ethertype.to_be();
    addr.sll_ifindex = libc::c_int::try_from(ifindex).map_err(|_| io::ErrorKind::InvalidInput)?;
    let len = libc::socklen_t::try_from(size_of_val(&addr)).unwrap_or(0);
    // SAFETY: the address lives for the whole call and `len` is its size.
    let done = unsafe { libc::bind(socket.as_fd().as_raw_fd(), (&raw const addr).cast(), len) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Asks for the receive buffer size `bytes` beyond the system's limit.
///
/// # Errors
/// `PermissionDenied` without CAP_NET_ADMIN.
pub fn force_receive_buffer(socket: &impl AsFd, bytes: usize) -> io::Result<()> {
    set_int(socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, i32::try_from(bytes).unwrap_or(i32::MAX))
}

/// Sets the priority of the frames sent from now on (SO_PRIORITY).
///
/// # Errors
/// `PermissionDenied` above 6 without CAP_NET_ADMIN.
pub fn set_priority(socket: &impl AsFd, priority: u32) -> io::Result<()> {
    set_int(socket, libc::SOL_SOCKET, libc::SO_PRIORITY, i32::try_from(priority).unwrap_or(i32::MAX))
}

/// Delivers the checksum state of every frame beside it.
///
/// # Errors
/// Not on any kernel in use.
pub fn enable_auxdata(socket: &impl AsFd) -> io::Result<()> {
    set_int(socket, libc::SOL_PACKET, libc::PACKET_AUXDATA, 1)
}

/// Every frame sent or received has the offload header of [`crate::io::vnet`] in front from now
/// on, so that a checksum can be left unfinished as for hardware that finishes it.
///
/// # Errors
/// Not on any kernel in use.
pub fn enable_offload_header(socket: &impl AsFd) -> io::Result<()> {
    set_int(socket, libc::SOL_PACKET, PACKET_VNET_HDR, 1)
}

/// Frames that leave by the interface are not handed to this socket (Linux 4.20 and later).
///
/// # Errors
/// `ENOPROTOOPT` on older kernels.
pub fn ignore_outgoing(socket: &impl AsFd) -> io::Result<()> {
    set_int(socket, libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, 1)
}

/// Frames dropped since the last call because the receive buffer was full.
///
/// # Errors
/// Not on a packet socket.
pub fn take_overrun(socket: &impl AsFd) -> io::Result<u64> {
    // SAFETY: tpacket_stats is plain data, all zero is a valid value.
    let mut stats: libc::tpacket_stats = unsafe { std::mem::zeroed() };
    let mut len = libc::socklen_t::try_from(size_of_val(&stats)).unwrap_or(0);
    // SAFETY: `stats` and `len` live for the whole call and `len` is the size of `stats`.
    let done = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_STATISTICS,
            (&raw mut stats).cast(),
            &raw mut len,
        )
    };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(u64::from(stats.tp_drops)) }
}

nix::ioctl_read_bad!(
    /// SIOCOUTQ.
    siocoutq,
    libc::TIOCOUTQ,
    libc::c_int
);

/// Bytes sent by this socket that the kernel still holds, with its own overhead.
///
/// # Errors
/// Not on a packet socket.
pub fn unsent(socket: &impl AsFd) -> io::Result<u32> {
    let mut bytes = 0;
    // SAFETY: the call writes one int, which lives for the whole call.
    unsafe { siocoutq(socket.as_fd().as_raw_fd(), &raw mut bytes) }?;
    Ok(u32::try_from(bytes).unwrap_or(0))
}

const PACKET_VNET_HDR: libc::c_int = 15; // linux/if_packet.h

fn set_int(socket: &impl AsFd, level: libc::c_int, name: libc::c_int, value: libc::c_int) -> io::Result<()> {
    let len = libc::socklen_t::try_from(size_of_val(&value)).unwrap_or(0);
    // SAFETY: `value` lives for the whole call and `len` is its size.
    let done = unsafe { libc::setsockopt(socket.as_fd().as_raw_fd(), level, name, (&raw const value).cast(), len) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
