//! Making a TAP device.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;

nix::ioctl_write_ptr_bad!(
    /// TUNSETIFF of linux/if_tun.h.
    tun_set_iff,
    nix::request_code_write!(b'T', 202, size_of::<libc::c_int>()),
    libc::ifreq
);
nix::ioctl_write_int_bad!(
    /// TUNSETOFFLOAD of linux/if_tun.h.
    tun_set_offload,
    nix::request_code_write!(b'T', 208, size_of::<libc::c_uint>())
);
nix::ioctl_write_ptr_bad!(
    /// TUNSETVNETHDRSZ of linux/if_tun.h.
    tun_set_vnet_hdr_sz,
    nix::request_code_write!(b'T', 216, size_of::<libc::c_int>()),
    libc::c_int
);

/// How a TAP device hands frames over, besides being Ethernet without packet information.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TapMode {
    /// Every frame has a [`VNET_HDR_LEN`]-byte header in front that tells offloads.
    pub vnet_hdr: bool,
}

/// Length of the header in front of every frame with [`TapMode::vnet_hdr`].
pub const VNET_HDR_LEN: usize = 10;

/// Makes a non-blocking, non-persistent TAP device: it is gone when the descriptor is closed.
///
/// # Errors
/// `NotFound` or `PermissionDenied` from `/dev/net/tun`; `ResourceBusy` when the name is taken by
/// another device; `InvalidInput` when the name is too long or exists as something else.
pub fn open_tap(name: &str, mode: TapMode) -> io::Result<OwnedFd> {
    let file: File = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open("/dev/net/tun")?;
    // SAFETY: ifreq is plain data, all zero is a valid value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    // One byte stays zero: the kernel wants a terminated name.
    if name.is_empty() || name.len() >= request.ifr_name.len() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "interface names have 1 to 15 bytes"));
    }
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = libc::c_char::from_ne_bytes([from]);
    }
    let mut flags = libc::IFF_TAP | libc::IFF_NO_PI;
    if mode.vnet_hdr {
        flags |= libc::IFF_VNET_HDR;
    }
    request.ifr_ifru.ifru_flags = libc::c_short::try_from(flags).unwrap_or(0);
    // SAFETY: the descriptor is open and `request` is a valid ifreq for the whole call.
    unsafe { tun_set_iff(file.as_raw_fd(), &raw const request) }?;
    if mode.vnet_hdr {
        let len = libc::c_int::try_from(VNET_HDR_LEN).unwrap_or(0);
        // SAFETY: the descriptor is open and `len` lives for the whole call.
        unsafe { tun_set_vnet_hdr_sz(file.as_raw_fd(), &raw const len) }?;
    }
    Ok(file.into())
}

/// Says which offloads the reader of a TAP device with [`TapMode::vnet_hdr`] copes with:
/// unfinished checksums, and TCP segments of up to 64 KiB.
///
/// # Errors
/// `InvalidInput` when the kernel does not know one of them.
pub fn set_tap_offload(tap: &OwnedFd, checksum: bool, segmentation: bool) -> io::Result<()> {
    let mut flags = 0;
    if checksum {
        flags |= libc::TUN_F_CSUM;
    }
    if checksum && segmentation {
        flags |= libc::TUN_F_TSO4 | libc::TUN_F_TSO6;
    }
    let flags = libc::c_int::try_from(flags).unwrap_or(0);
    // SAFETY: the descriptor is open; the argument is a number, not a pointer.
    unsafe { tun_set_offload(tap.as_raw_fd(), flags) }?;
    Ok(())
}
