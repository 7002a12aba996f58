//! The radios under the hard interfaces: what their drivers say, and which meshes they hear.

use crate::doctor::facts::{InReach, Peer, Radio, RadioPlan};
use crate::netlink::GenericSocket;
use crate::nl80211::scan::{Authentication, Bss, Network, Way, results, scan};
use crate::nl80211::station::stations;
use crate::nl80211::survey::surveys;
use crate::nl80211::{self, Kind, PeerState, RadioInterface, channel, interface, network, radio_below};
use config::{Config, RadioMode};
use std::path::Path;
use std::time::Duration;

/// A scan of all channels takes a radio of two bands some four seconds.
const SCAN_LIMIT: Duration = Duration::from_secs(12);

/// Looks at the radios. One that hears nobody looks around on all channels, as `meshwork scan` has
/// it do: it waits for beacons, and sends nothing. Blocks for the time that takes.
pub(super) fn read(wanted: &[String], config: Option<&Config>) -> Vec<Radio> {
    let Ok(mut socket) = nl80211::open() else { return Vec::new() };
    let Ok(all) = interface::interfaces(&mut socket) else { return Vec::new() };
    let sysfs = Path::new("/sys/class/net");
    let radio = |name: &String| {
        let below = radio_below(sysfs, name)?;
        let info = all.iter().find(|i| i.name == below)?;
        let serves = all.iter().any(|i| i.wiphy == info.wiphy && i.kind == Kind::AccessPoint);
        Some(look(&mut socket, name, info, serves, config))
    };
    wanted.iter().filter_map(radio).collect()
}

fn look(socket: &mut GenericSocket, name: &str, info: &RadioInterface, serves: bool, config: Option<&Config>) -> Radio {
    let plan = config.and_then(|c| c.radios.iter().find(|r| r.interface == info.name)).map(|r| RadioPlan {
        name: r.mesh_id.clone(),
        adhoc: r.mode == RadioMode::AdHoc,
        freq: channel::frequency(u32::from(r.channel)),
        secured: r.passphrase_file.is_some(),
    });
    let peers: Vec<Peer> = stations(socket, info.ifindex)
        .unwrap_or_default()
        .into_iter()
        .map(|s| Peer { mac: s.mac, established: s.peering.is_none_or(|p| p == PeerState::Established) })
        .collect();
    let meshes = matches!(info.kind, Kind::MeshPoint | Kind::AdHoc);
    // An access point on the same radio would be silent for its clients meanwhile.
    let alone = meshes && !serves && !peers.iter().any(|p| p.established);
    let in_reach = alone.then(|| look_around(socket, info)).flatten();
    Radio {
        interface: name.to_owned(),
        kind: info.kind,
        name: info.ssid.as_ref().map(|s| String::from_utf8_lossy(s).into_owned()),
        freq: info.freq,
        keyed: meshes.then(|| network::has_key(socket, info.ifindex)).flatten(),
        busy_percent: surveys(socket, info.ifindex).ok().and_then(|s| s.iter().find(|s| s.in_use)?.busy_percent()),
        peers,
        plan,
        in_reach,
    }
}

/// The meshes in reach, `None` where the radio could not look.
fn look_around(socket: &mut GenericSocket, info: &RadioInterface) -> Option<Vec<InReach>> {
    scan(socket, info.ifindex, &[], Way::Wait, false, SCAN_LIMIT).ok()?;
    let heard = results(socket, info.ifindex).ok()?;
    let mut found: Vec<InReach> = heard.iter().filter(|b| b.bssid != info.mac).filter_map(mesh).collect();
    found.sort_by(|a, b| (&a.name, a.freq).cmp(&(&b.name, b.freq)));
    found.dedup();
    Some(found)
}

fn mesh(bss: &Bss) -> Option<InReach> {
    let (name, adhoc, secured) = match &bss.network {
        Network::Mesh { id, authentication, .. } => (id, false, *authentication != Authentication::Open),
        Network::AdHoc { ssid, protected } => (ssid, true, *protected),
        Network::AccessPoint => return None,
    };
    Some(InReach { name: String::from_utf8_lossy(name).into_owned(), adhoc, freq: bss.channel.freq, secured })
}
