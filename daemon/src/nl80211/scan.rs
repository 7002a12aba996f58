//! Scans: which networks are in reach.

use super::channel::{Channel, Width};
use super::consts::{attr, bss, cmd, scan_flag};
use crate::netlink::GenericSocket;
use crate::netlink::generic::read_generic_news;
use crate::netlink::message::{attrs, u16_at, u32_at};
use crate::netlink::socket::DATAGRAM;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use packet::MacAddr;
use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// A sender of beacons that a radio heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bss {
    /// Its address; in an ad-hoc network that of the whole network.
    pub bssid: MacAddr,
    /// Where it was heard. The width is what it announces itself.
    pub channel: Channel,
    /// Strength in dBm, where the driver tells dBm.
    pub signal_dbm: Option<i32>,
    /// Milliseconds since it was heard.
    pub seen_ms_ago: Option<u32>,
    /// What it is part of.
    pub network: Network,
}

/// What a sender of beacons is part of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Network {
    /// A mesh of 802.11s.
    Mesh {
        /// Its name.
        id: Vec<u8>,
        /// How its nodes make sure of each other.
        authentication: Authentication,
        /// The 802.11s code of its nodes forwards frames itself.
        forwarding: bool,
        /// It uses the path selection that everybody has (HWMP, airtime).
        usual_paths: bool,
    },
    /// An ad-hoc network, IBSS.
    AdHoc {
        /// Its name.
        ssid: Vec<u8>,
        /// Frames are encrypted.
        protected: bool,
    },
    /// An access point.
    AccessPoint,
}

/// How the nodes of an 802.11s mesh make sure of each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authentication {
    /// Not at all.
    Open,
    /// By a common passphrase.
    Sae,
    /// In another way.
    Other,
}

impl Bss {
    /// Reads the attributes of a scan result.
    pub fn parse(attributes: &[u8]) -> Option<Self> {
        let (_, bss) = attrs(attributes).find(|(kind, _)| *kind == attr::BSS)?;
        let (mut bssid, mut freq, mut capability) = (None, None, 0);
        let (mut signal_dbm, mut seen_ms_ago) = (None, None);
        let (mut elements, mut beacon) = (&[][..], &[][..]);
        for (kind, value) in attrs(bss) {
            match kind {
                bss::BSSID => bssid = value.try_into().ok().map(MacAddr),
                bss::FREQUENCY => freq = u32_at(value, 0),
                bss::CAPABILITY => capability = u16_at(value, 0)?,
                bss::SIGNAL_MBM => signal_dbm = u32_at(value, 0).map(|s| s.cast_signed() / 100),
                bss::SEEN_MS_AGO => seen_ms_ago = u32_at(value, 0),
                bss::INFORMATION_ELEMENTS => elements = value,
                bss::BEACON_IES => beacon = value,
                _ => {}
            }
        }
        let elements = if elements.is_empty() { beacon } else { elements };
        let channel = Channel { freq: freq?, width: width(elements) };
        Some(Self { bssid: bssid?, channel, signal_dbm, seen_ms_ago, network: network(capability, elements) })
    }
}

/// Number and value of every information element; ends at the first that does not fit.
fn information_elements(mut bytes: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let [number, len, rest @ ..] = bytes else { return None };
        let value = rest.get(..usize::from(*len))?;
        bytes = rest.get(usize::from(*len)..).unwrap_or_default();
        Some((*number, value))
    })
}

fn network(capability: u16, elements: &[u8]) -> Network {
    let find = |number| information_elements(elements).find(|(n, _)| *n == number).map(|(_, value)| value);
    let protected = capability & CAPABILITY_PRIVACY != 0;
    // IEEE 802.11, 9.4.2.97: path protocol, path metric, congestion, synchronization,
    // authentication, formation, capability.
    if let (Some(id), Some(&[path, metric, _, _, authentication, _, flags, ..])) = (find(MESH_ID), find(MESH_CONFIG)) {
        return Network::Mesh {
            id: id.to_vec(),
            authentication: match (authentication, protected) {
                (0, false) => Authentication::Open,
                (1, _) => Authentication::Sae,
                _ => Authentication::Other,
            },
            forwarding: flags & MESH_FORWARDING != 0,
            usual_paths: path == 1 && metric == 1,
        };
    }
    if capability & CAPABILITY_IBSS != 0 {
        return Network::AdHoc { ssid: find(SSID).unwrap_or_default().to_vec(), protected };
    }
    Network::AccessPoint
}

/// How wide a sender says that it sends.
fn width(elements: &[u8]) -> Width {
    let find = |number| information_elements(elements).find(|(n, _)| *n == number).map(|(_, value)| value);
    match find(VHT_OPERATION) {
        // One, the first middle, the second middle: 160 MHz if the two are 8 channels apart.
        Some(&[1, first, second, ..]) if second != 0 && first.abs_diff(second) == 8 => return Width::W160,
        Some(&[1, ..]) => return Width::W80,
        Some(&[2, ..]) => return Width::W160,
        _ => {}
    }
    match find(HT_OPERATION) {
        Some([_, second, ..]) if matches!(second & 3, 1 | 3) => Width::W40,
        _ => Width::W20,
    }
}

/// How to look around.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Ask on each channel, where that is allowed, and wait 30 ms for answers.
    Ask,
    /// Wait for beacons, about 110 ms on each channel: longer than between two of most senders.
    Wait,
}

/// Has the radio of an interface listen around and returns when it has, or after `limit`.
/// `freqs` in MHz; none means all. `beside_ap`: although it serves an access point.
///
/// # Errors
/// `PermissionDenied` without CAP_NET_ADMIN, `TimedOut`, or what the driver says.
pub fn scan(
    socket: &mut GenericSocket,
    ifindex: u32,
    freqs: &[u32],
    way: Way,
    beside_ap: bool,
    limit: Duration,
) -> io::Result<()> {
    let end = Instant::now() + limit;
    let news = socket.open_news(&["scan"])?;
    loop {
        let mut message = socket.message(cmd::TRIGGER_SCAN).attr(attr::IFINDEX, &ifindex.to_ne_bytes());
        if way == Way::Ask {
            // Names of no bytes ask everybody; without the second, meshes do not answer.
            message = message.nest(attr::SCAN_SSIDS, |m| m.attr(1, &[])).attr(attr::IE, &[MESH_ID, 0]);
        }
        if !freqs.is_empty() {
            message = message.nest(attr::SCAN_FREQUENCIES, |m| {
                (1u16..).zip(freqs).fold(m, |m, (i, freq)| m.attr(i, &freq.to_ne_bytes()))
            });
        }
        if beside_ap {
            message = message.attr(attr::SCAN_FLAGS, &scan_flag::AP.to_ne_bytes());
        }
        match socket.request(message) {
            Ok(()) => break,
            // Another scan is running; its results come too, but it may leave channels out.
            Err(e) if e.kind() == ErrorKind::ResourceBusy && Instant::now() < end => {
                std::thread::sleep(Duration::from_millis(200));
            }
            Err(e) => return Err(e),
        }
    }
    let mut buf = vec![0; DATAGRAM];
    loop {
        let mut ended = false;
        let read = read_generic_news(&news, &mut buf, |command, attributes| {
            let about = attrs(attributes).any(|(k, v)| k == attr::IFINDEX && u32_at(v, 0) == Some(ifindex));
            ended |= about && matches!(command, cmd::NEW_SCAN_RESULTS | cmd::SCAN_ABORTED);
        });
        if ended {
            return Ok(());
        }
        if let Err(e) = read
            && !matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
        {
            return Err(e);
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::Error::new(ErrorKind::TimedOut, "the radio did not finish its scan"));
        }
        let left = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(news.as_fd(), PollFlags::POLLIN)], left) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
}

/// What the radio of an interface heard in the last scans.
///
/// # Errors
/// What the kernel answers.
pub fn results(socket: &mut GenericSocket, ifindex: u32) -> io::Result<Vec<Bss>> {
    let mut all = Vec::new();
    let message = socket.dump_message(cmd::GET_SCAN).attr(attr::IFINDEX, &ifindex.to_ne_bytes());
    socket.ask(message, |_, attributes| all.extend(Bss::parse(attributes)))?;
    Ok(all)
}

// IEEE 802.11, 9.4.1.4 and 9.4.2.1
const CAPABILITY_IBSS: u16 = 0x2;
const CAPABILITY_PRIVACY: u16 = 0x10;
const SSID: u8 = 0;
const HT_OPERATION: u8 = 61;
const MESH_CONFIG: u8 = 113;
const MESH_ID: u8 = 114;
const VHT_OPERATION: u8 = 192;
const MESH_FORWARDING: u8 = 0x8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::message::{HEADER_LEN, Message};

    fn heard(freq: u32, capability: u16, elements: &[u8]) -> Option<Bss> {
        let bytes = Message::new(0, 0)
            .nest(attr::BSS, |m| {
                m.attr(bss::BSSID, &[2, 0, 0, 0, 0, 9])
                    .attr(bss::FREQUENCY, &freq.to_ne_bytes())
                    .attr(bss::CAPABILITY, &capability.to_ne_bytes())
                    .attr(bss::SIGNAL_MBM, &(-6150i32).to_ne_bytes())
                    .attr(bss::INFORMATION_ELEMENTS, elements)
            })
            .finish(0);
        Bss::parse(&bytes[HEADER_LEN..])
    }

    #[test]
    fn meshes_and_their_ways() {
        let open = heard(2412, 0, b"\x00\x00\x72\x03lab\x71\x07\x01\x01\x00\x01\x00\x00\x01").unwrap();
        assert_eq!((open.bssid, open.signal_dbm), (MacAddr([2, 0, 0, 0, 0, 9]), Some(-61)));
        assert_eq!(open.channel, Channel { freq: 2412, width: Width::W20 });
        let (id, usual_paths) = (b"lab".to_vec(), true);
        let authentication = Authentication::Open;
        assert_eq!(open.network, Network::Mesh { id, authentication, forwarding: false, usual_paths });
        let closed = heard(5180, 0x10, b"\x72\x01x\x71\x07\x01\x01\x00\x01\x01\x00\x09\xc0\x05\x01\x2a\x00\x00\x00");
        let closed = closed.unwrap();
        assert_eq!(closed.channel.width, Width::W80);
        let (id, authentication) = (b"x".to_vec(), Authentication::Sae);
        assert_eq!(closed.network, Network::Mesh { id, authentication, forwarding: true, usual_paths });
    }

    #[test]
    fn ad_hoc_networks_and_access_points() {
        let adhoc = heard(2437, 0x12, b"\x00\x03old\x3d\x16\x06\x05").unwrap();
        assert_eq!(adhoc.network, Network::AdHoc { ssid: Vec::new(), protected: true }.named(b"old"));
        assert_eq!(adhoc.channel.width, Width::W20, "the element is cut");
        let wide = heard(2437, 0x2, b"\x3d\x02\x06\x05\x00\x00").unwrap();
        assert_eq!(wide.channel.width, Width::W40);
        assert_eq!(heard(2437, 0x1, b"\x00\x03net").unwrap().network, Network::AccessPoint);
        assert_eq!(Bss::parse(&[]), None);
    }

    impl Network {
        fn named(self, name: &[u8]) -> Self {
            match self {
                Self::AdHoc { protected, .. } => Self::AdHoc { ssid: name.to_vec(), protected },
                other => other,
            }
        }
    }

    #[test]
    fn cut_elements_end_quietly() {
        let whole = b"\x00\x00\x72\x03lab\x71\x07\x01\x01\x00\x01\x00\x00\x01";
        for len in 0..whole.len() {
            let _ = heard(2412, 0, &whole[..len]).unwrap();
        }
    }
}
