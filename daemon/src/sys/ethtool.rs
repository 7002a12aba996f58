//! What a wired interface says about its speed.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

nix::ioctl_readwrite_bad!(
    /// SIOCETHTOOL of linux/sockios.h.
    ethtool,
    0x8946,
    libc::ifreq
);

/// `struct ethtool_link_settings` of linux/ethtool.h, with room for the largest bit maps.
#[repr(C)]
struct Settings {
    cmd: u32,
    speed: u32,
    duplex: u8,
    other: [u8; 4],
    mdix: [u8; 2],
    /// Words of each bit map; the kernel answers with its own number, negative, when it differs.
    words: i8,
    rest: [u8; 4],
    reserved: [u32; 7],
    maps: [u32; 3 * 127],
}

/// Speed in Mbit/s and whether both directions work at the same time, as the driver says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WireSpeed {
    /// In Mbit/s; `None` where the driver does not know.
    pub mbit: Option<u32>,
    /// Full duplex.
    pub full_duplex: bool,
}

/// Asks the driver of an interface. Any socket will do.
///
/// # Errors
/// `Unsupported` where the driver does not tell, `ENODEV` when the interface is gone.
pub fn wire_speed(socket: &impl AsFd, name: &str) -> io::Result<WireSpeed> {
    // SAFETY: both are plain data, all zero is a valid value.
    let (mut request, mut settings): (libc::ifreq, Settings) = unsafe { (std::mem::zeroed(), std::mem::zeroed()) };
    // One byte stays zero: the kernel wants a terminated name.
    if name.is_empty() || name.len() >= request.ifr_name.len() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = libc::c_char::from_ne_bytes([from]);
    }
    settings.cmd = GLINKSETTINGS;
    for _ in 0..2 {
        request.ifr_ifru.ifru_data = (&raw mut settings).cast();
        // SAFETY: the descriptor is open, and the request points at `settings`, which is live,
        // unaliased and has room for 127 words in each of the three maps, the most the kernel
        // can have.
        unsafe { ethtool(socket.as_fd().as_raw_fd(), &raw mut request) }?;
        if settings.words > 0 {
            break;
        }
        // The first answer only says how many words there are.
        settings.words = settings.words.checked_neg().ok_or(io::ErrorKind::InvalidData)?;
        settings.cmd = GLINKSETTINGS;
    }
    let mbit = Some(settings.speed).filter(|s| *s != 0 && *s != SPEED_UNKNOWN);
    Ok(WireSpeed { mbit, full_duplex: settings.duplex == DUPLEX_FULL })
}

// linux/ethtool.h
const GLINKSETTINGS: u32 = 0x4c;
const SPEED_UNKNOWN: u32 = u32::MAX;
const DUPLEX_FULL: u8 = 1;

const _: () = assert!(std::mem::offset_of!(Settings, words) == 15 && std::mem::offset_of!(Settings, maps) == 48);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_tells_nothing_is_an_error() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        assert!(wire_speed(&socket, "lo").is_err(), "a loopback has no speed");
        assert!(wire_speed(&socket, "no-such-if").is_err());
        assert_eq!(wire_speed(&socket, "").unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}
