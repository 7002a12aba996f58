//! Hearing which routing algorithm a mesh runs, without joining it.
//!
//! A monitor interface hears whole frames of the air:
//! ```text
//! | radiotap | 802.11 header | mesh control (802.11s) | LLC/SNAP 8 | mesh packet ...
//! ```
//! Source: IEEE 802.11, 9.2.4.8.3 and 9.3.2.1; radiotap.org.

use crate::netlink::{GenericSocket, LinkTable, RouteSocket};
use crate::nl80211::{Channel, Kind, network};
use crate::sys::packet::bind;
use packet::MacAddr;
use packet::consts::{ETHERTYPE, VERSION};
use socket2::{Domain, Socket, Type};
use std::io::{self, ErrorKind, Read};
use std::time::{Duration, Instant};

/// A data frame off the air that says something about a mesh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AirFrame {
    /// Its sender.
    pub transmitter: MacAddr,
    /// In ad-hoc networks the address of the network, in meshes of 802.11s the source.
    pub third: MacAddr,
    /// What it says.
    pub says: Says,
}

/// What a frame says about the routing of its mesh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Says {
    /// B.A.T.M.A.N. IV: an OGM.
    Iv,
    /// B.A.T.M.A.N. V: a hello or an OGM2.
    V,
    /// batman-adv of another version, which this program does not understand.
    OtherVersion(u8),
    /// Encrypted, so nothing.
    Encrypted,
}

impl AirFrame {
    /// Reads a frame with its radiotap header. `None` if it says nothing about a mesh.
    pub fn parse(frame: &[u8]) -> Option<Self> {
        let radiotap = usize::from(u16::from_le_bytes(frame.get(2..4)?.try_into().ok()?));
        let frame = frame.get(radiotap..).filter(|_| radiotap >= 8)?;
        let [kind, flags, ..] = *frame else { return None };
        // Data, and not one of the kinds that carry none.
        if kind & 0x0c != 0x08 || kind & 0x40 != 0 {
            return None;
        }
        let (to_ds, from_ds) = (flags & 1 != 0, flags & 2 != 0);
        let qos = kind & 0x80 != 0;
        let address = |at: usize| Some(MacAddr(frame.get(at..at + 6)?.try_into().ok()?));
        let (transmitter, third) = (address(10)?, address(16)?);
        let mut at = if to_ds && from_ds { 30 } else { 24 };
        let mut mesh = false;
        if qos {
            mesh = frame.get(at + 1)? & 1 != 0;
            at += if flags & 0x80 != 0 { 6 } else { 2 };
        }
        // A mesh point, or an ad-hoc network; frames of access points are not of interest.
        let adhoc = !to_ds && !from_ds;
        let mesh_point = qos && from_ds;
        if !adhoc && !mesh_point {
            return None;
        }
        if flags & 0x40 != 0 {
            return Some(Self { transmitter, third, says: Says::Encrypted });
        }
        if mesh && !adhoc {
            at += match frame.get(at)? & 3 {
                0 => 6,
                1 => 12,
                2 => 18,
                _ => return None,
            };
        }
        let [high, low] = ETHERTYPE.to_be_bytes();
        if frame.get(at..at + 8)? != [0xaa, 0xaa, 3, 0, 0, 0, high, low] {
            return None;
        }
        let says = match (*frame.get(at + 8)?, *frame.get(at + 9)?) {
            (_, version) if version != VERSION => Says::OtherVersion(version),
            (0, _) => Says::Iv,
            (3 | 4, _) => Says::V,
            _ => return None,
        };
        Some(Self { transmitter, third, says })
    }
}

/// Listens on channels of a radio, for some time on each, and gives every frame to `each`. With
/// `stay` the radio is on the only channel already and stays there.
///
/// # Errors
/// Where the radio cannot monitor, or is busy.
pub fn listen(
    nl80211: &mut GenericSocket,
    wiphy: u32,
    channels: &[Channel],
    stay: bool,
    time: Duration,
    mut each: impl FnMut(AirFrame),
) -> io::Result<()> {
    let mut route = RouteSocket::open()?;
    network::make_interface(nl80211, wiphy, NAME, Kind::Other(MONITOR))?;
    let index = LinkTable::dump(&mut route)?.by_name(NAME).map(|l| l.index).ok_or(ErrorKind::NotFound)?;
    let mut all = || {
        route.set_up(index, true)?;
        // SOCK_RAW with all ethertypes: monitors hand over frames of none.
        let mut socket = Socket::new(Domain::PACKET, Type::RAW, None)?;
        bind(&socket, index, ALL)?;
        let mut frame = vec![0; 4096];
        for channel in channels {
            if !stay {
                network::set_channel(nl80211, index, *channel)?;
            }
            let end = Instant::now() + time;
            loop {
                let left = end.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    break;
                }
                socket.set_read_timeout(Some(left))?;
                match socket.read(&mut frame) {
                    Ok(n) => AirFrame::parse(frame.get(..n).unwrap_or_default()).into_iter().for_each(&mut each),
                    Err(e)
                        if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted) => {
                    }
                    Err(e) => return Err(e),
                }
            }
        }
        Ok(())
    };
    let done = all();
    network::remove_interface(nl80211, index)?;
    done
}

/// Name of the interface while it exists.
const NAME: &str = "mwmon0";
const MONITOR: u32 = 6;
const ALL: u16 = 3; // ETH_P_ALL

#[cfg(test)]
mod tests {
    use super::*;

    const TAP: [u8; 8] = [0, 0, 8, 0, 0, 0, 0, 0];
    const TO: [u8; 6] = [255; 6];
    const FROM: [u8; 6] = [2, 0, 0, 0, 0, 1];
    const THIRD: [u8; 6] = [2, 0xca, 0xfe, 0, 0, 1];
    const SNAP: [u8; 8] = [0xaa, 0xaa, 3, 0, 0, 0, 0x43, 0x05];

    fn frame(control: [u8; 2], between: &[u8], behind: &[u8]) -> Vec<u8> {
        let header: [&[u8]; 6] = [&control, &[0, 0], &TO, &FROM, &THIRD, &[0, 0]];
        [&TAP[..], &header.concat(), between, behind].concat()
    }

    fn says(frame: &[u8]) -> Option<Says> {
        let heard = AirFrame::parse(frame)?;
        assert_eq!((heard.transmitter, heard.third), (MacAddr(FROM), MacAddr(THIRD)));
        Some(heard.says)
    }

    #[test]
    fn ad_hoc_and_mesh_frames() {
        let packet = |kind, version| [&SNAP[..], &[kind, version, 0, 0]].concat();
        assert_eq!(says(&frame([0x08, 0], &[], &packet(0, 15))), Some(Says::Iv));
        assert_eq!(says(&frame([0x88, 0], &[0, 0], &packet(3, 15))), Some(Says::V), "with QoS");
        // Group addressed in a mesh: from DS, QoS with mesh control, its six bytes.
        let mesh = [0x00, 0x01, 0, 31, 1, 0, 0, 0];
        assert_eq!(says(&frame([0x88, 2], &mesh, &packet(4, 15))), Some(Says::V));
        assert_eq!(says(&frame([0x88, 2], &mesh, &packet(0, 14))), Some(Says::OtherVersion(14)));
        assert_eq!(says(&frame([0x88, 0x42], &mesh, &packet(0, 15))), Some(Says::Encrypted));
        assert_eq!(says(&frame([0x08, 0], &[], &packet(0x40, 15))), None, "unicast says nothing");
        assert_eq!(says(&frame([0x08, 2], &[], &packet(0, 15))), None, "an access point");
        assert_eq!(says(&frame([0x80, 0], &[], &packet(0, 15))), None, "a beacon");
        assert_eq!(says(&frame([0x48, 0], &[], &packet(0, 15))), None, "a frame without data");
    }

    #[test]
    fn cut_frames_end_quietly() {
        let whole = frame([0x88, 2], &[0x00, 0x01, 0, 31, 1, 0, 0, 0], &[&SNAP[..], &[0, 15]].concat());
        assert_eq!(AirFrame::parse(&whole).map(|f| f.says), Some(Says::Iv));
        for len in 0..whole.len() {
            assert_eq!(AirFrame::parse(&whole[..len]), None, "{len}");
        }
    }
}
