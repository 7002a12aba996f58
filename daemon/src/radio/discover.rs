//! Which meshes are in reach, and which of them can be joined.

use super::listen::{Says, listen};
use super::plan::Wanted;
use super::up::Scene;
use crate::nl80211::channel::{Width, number};
use crate::nl80211::scan::{Authentication, Network, Way, results, scan};
use crate::nl80211::{Bss, Channel, Kind, Wiphy, network};
use config::RadioMode;
use packet::MacAddr;
use std::path::PathBuf;
use std::time::Duration;

/// A mesh in reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its name, as bytes.
    pub name: Vec<u8>,
    /// How it is built.
    pub mode: RadioMode,
    /// Where it is.
    pub channel: Channel,
    /// Strength of the strongest of its nodes in dBm.
    pub signal_dbm: Option<i32>,
    /// Senders of beacons: mesh points in reach, or the addresses of ad-hoc cells.
    pub senders: Vec<MacAddr>,
    /// How it is protected.
    pub protection: Protection,
    /// Its 802.11s code forwards by itself.
    pub forwarding: bool,
    /// What was heard of its routing.
    pub heard: Heard,
    /// Name of the radio that heard it best.
    pub phy: String,
    /// Why it cannot be joined, as a sentence; `None` if it can.
    pub obstacle: Option<String>,
}

/// How a mesh is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// Not at all.
    Open,
    /// By a passphrase (SAE).
    Sae,
    /// In a way that cannot be joined.
    Other,
}

/// What was heard of the routing of a mesh.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "several algorithms can be heard in one mesh")]
pub struct Heard {
    /// It was listened to.
    pub listened: bool,
    /// B.A.T.M.A.N. IV.
    pub iv: bool,
    /// B.A.T.M.A.N. V.
    pub v: bool,
    /// batman-adv of another version.
    pub other_version: Option<u8>,
    /// Encrypted frames.
    pub encrypted: bool,
}

impl Heard {
    fn note(&mut self, says: Says) {
        match says {
            Says::Iv => self.iv = true,
            Says::V => self.v = true,
            Says::OtherVersion(version) => self.other_version = Some(version),
            Says::Encrypted => self.encrypted = true,
        }
    }
}

/// What to look for.
#[derive(Debug, Clone, Default)]
pub struct Search {
    /// Only this radio.
    pub phy: Option<String>,
    /// Only these frequencies in MHz; none means all.
    pub freqs: Vec<u32>,
    /// Also leave a channel on which an access point is served, for a moment.
    pub disturb: bool,
    /// How long to listen for the algorithm on each channel; `None` not to.
    pub listen: Option<Duration>,
    /// Country to be set before a mesh is joined.
    pub country: Option<String>,
    /// The mesh that is looked for, to be joined; with none all are.
    pub name: Option<Vec<u8>>,
}

impl Search {
    /// What is looked for is among these; nothing is if all meshes are looked for.
    fn found_in(&self, heard: &[Bss]) -> bool {
        heard.iter().any(|bss| match (&bss.network, &self.name) {
            (Network::Mesh { id: name, .. } | Network::AdHoc { ssid: name, .. }, Some(wanted)) => name == wanted,
            _ => false,
        })
    }
}

/// What a search brought.
#[derive(Debug, Clone, Default)]
pub struct Discovery {
    /// Meshes, the strongest first.
    pub meshes: Vec<Found>,
    /// What should be known about the search, a sentence each: radios that could not look.
    pub notes: Vec<String>,
}

/// Looks for meshes with all radios, or one. Takes some seconds.
///
/// # Errors
/// When no radio could look, with the reasons.
pub fn discover(search: &Search) -> Result<Discovery, String> {
    let mut scene = Scene::look()?;
    let radios: Vec<Wiphy> =
        scene.radios.iter().filter(|r| search.phy.as_ref().is_none_or(|p| *p == r.name)).cloned().collect();
    if radios.is_empty() {
        return Err(match &search.phy {
            Some(phy) => format!("there is no radio {phy}"),
            None => "there is no radio".to_owned(),
        });
    }
    let (mut meshes, mut notes, mut looked) = (Vec::new(), Vec::new(), false);
    for radio in &radios {
        match look_around(&mut scene, radio, search, &mut notes) {
            Ok(heard) => {
                looked = true;
                let mut here = group(&heard, &radio.name);
                if let Some(time) = search.listen {
                    hear_algorithms(&mut scene, radio, &mut here, time, &mut notes);
                }
                for mut found in here {
                    found.obstacle = obstacle(&mut scene, radio, &found, search);
                    merge(&mut meshes, found);
                }
            }
            Err(why) => notes.push(format!("{}: {why}", radio.name)),
        }
    }
    if !looked {
        return Err(notes.join("; "));
    }
    meshes.sort_by_key(|m| std::cmp::Reverse(m.signal_dbm));
    Ok(Discovery { meshes, notes })
}

/// Has one radio scan, by an interface that it has or by one made for that.
fn look_around(scene: &mut Scene, radio: &Wiphy, search: &Search, notes: &mut Vec<String>) -> Result<Vec<Bss>, String> {
    let mut freqs = search.freqs.clone();
    if freqs.is_empty() {
        // The 6 GHz band and others are left out: nothing there can be joined, and they take long.
        let usable = |freq: u32| number(freq).is_some();
        let mut channels = radio.channels.iter().filter(|(freq, info)| usable(**freq) && !info.disabled);
        let joinable = |freq: u32| radio.refusal(Channel { freq, width: Width::W20 }).is_none();
        freqs = match search.name {
            Some(_) if search.country.is_none() => channels.map(|(f, _)| *f).filter(|f| joinable(*f)).collect(),
            _ => channels.by_ref().map(|(freq, _)| *freq).collect(),
        };
    }
    let others = scene.others(radio, "");
    let up = |kinds: &[Kind]| others.iter().find(|o| o.up && kinds.contains(&o.interface.kind)).map(|o| o.interface);
    let ap = up(&[Kind::AccessPoint]).filter(|i| i.freq.is_some());
    let ready = up(&[Kind::Station, Kind::MeshPoint, Kind::AdHoc]).or(ap).map(|i| i.ifindex);
    let (serving, ap_freq) = (ap.is_some(), ap.and_then(|i| i.freq));
    drop(others);
    if let Some(freq) = ap_freq.filter(|_| !search.disturb) {
        freqs = vec![freq];
        notes.push(format!(
            "{} serves an access point, so only its channel {} was looked at; --all-channels leaves it for moments",
            radio.name,
            number(freq).unwrap_or(freq)
        ));
    }
    let why = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::PermissionDenied => "a scan needs root, or CAP_NET_ADMIN".to_owned(),
        _ => format!("it cannot scan: {e}"),
    };
    let (index, made) = match ready {
        Some(index) => (index, false),
        None => {
            network::make_interface(&mut scene.nl80211, radio.index, SCANNER, Kind::Station).map_err(why)?;
            let table = crate::netlink::LinkTable::dump(&mut scene.route).map_err(why)?;
            (table.by_name(SCANNER).map(|l| l.index).ok_or("its interface has vanished")?, true)
        }
    };
    let mut all = || {
        if made {
            scene.route.set_up(index, true)?;
        }
        for way in [Way::Ask, Way::Wait] {
            scan(&mut scene.nl80211, index, &freqs, way, serving, SCAN_LIMIT)?;
            let heard = results(&mut scene.nl80211, index)?;
            if way == Way::Wait || search.found_in(&heard) {
                return Ok(heard);
            }
        }
        Ok(Vec::new())
    };
    let heard = all().map_err(why);
    if made {
        let _ = network::remove_interface(&mut scene.nl80211, index);
    }
    Ok(heard?.into_iter().filter(|b| freqs.is_empty() || freqs.contains(&b.channel.freq)).collect())
}

/// One entry for each mesh: same name, mode, channel and protection.
fn group(heard: &[Bss], phy: &str) -> Vec<Found> {
    let mut all: Vec<Found> = Vec::new();
    for bss in heard {
        let (name, mode, protection, forwarding) = match &bss.network {
            Network::Mesh { id, authentication, forwarding, usual_paths } => {
                let protection = match authentication {
                    _ if !usual_paths => Protection::Other,
                    Authentication::Open => Protection::Open,
                    Authentication::Sae => Protection::Sae,
                    Authentication::Other => Protection::Other,
                };
                (id, RadioMode::Mesh, protection, *forwarding)
            }
            Network::AdHoc { ssid, protected } => {
                (ssid, RadioMode::AdHoc, if *protected { Protection::Other } else { Protection::Open }, false)
            }
            Network::AccessPoint => continue,
        };
        merge(
            &mut all,
            Found {
                name: name.clone(),
                mode,
                channel: bss.channel,
                signal_dbm: bss.signal_dbm,
                senders: vec![bss.bssid],
                protection,
                forwarding,
                heard: Heard::default(),
                phy: phy.to_owned(),
                obstacle: None,
            },
        );
    }
    all
}

/// Adds what one radio, or one beacon, says about a mesh to what is known.
fn merge(all: &mut Vec<Found>, found: Found) {
    let same = |m: &&mut Found| {
        m.name == found.name
            && m.mode == found.mode
            && m.channel.freq == found.channel.freq
            && m.protection == found.protection
    };
    let Some(known) = all.iter_mut().find(same) else {
        all.push(found);
        return;
    };
    // The radio that can join it goes before one that only hears it better.
    let better = (found.obstacle.is_none(), found.signal_dbm) > (known.obstacle.is_none(), known.signal_dbm);
    if better {
        (known.phy, known.obstacle, known.signal_dbm) = (found.phy, found.obstacle, found.signal_dbm);
    }
    known.channel = known.channel.max(found.channel);
    known.forwarding |= found.forwarding;
    let Heard { listened, iv, v, other_version, encrypted } = found.heard;
    known.heard = Heard {
        listened: known.heard.listened || listened,
        iv: known.heard.iv || iv,
        v: known.heard.v || v,
        other_version: known.heard.other_version.or(other_version),
        encrypted: known.heard.encrypted || encrypted,
    };
    for sender in found.senders {
        if !known.senders.contains(&sender) {
            known.senders.push(sender);
        }
    }
}

fn hear_algorithms(scene: &mut Scene, radio: &Wiphy, here: &mut [Found], time: Duration, notes: &mut Vec<String>) {
    let mut channels: Vec<Channel> = here.iter().map(|m| Channel { width: Width::W20, ..m.channel }).collect();
    channels.sort();
    channels.dedup();
    // A radio that is in a network stays on its channel.
    let busy = scene.others(radio, "").iter().filter(|o| o.up).find_map(|o| o.interface.freq);
    if let Some(freq) = busy {
        channels.retain(|c| c.freq == freq);
    }
    if channels.is_empty() {
        return;
    }
    let done = listen(&mut scene.nl80211, radio.index, &channels, busy.is_some(), time, |frame| {
        let by = |m: &&mut Found| match m.mode {
            RadioMode::Mesh => m.senders.contains(&frame.transmitter),
            RadioMode::AdHoc => m.senders.contains(&frame.third),
        };
        if let Some(mesh) = here.iter_mut().find(by) {
            mesh.heard.note(frame.says);
        }
    });
    match done {
        Ok(()) => {
            for mesh in here.iter_mut().filter(|m| channels.iter().any(|c| c.freq == m.channel.freq)) {
                mesh.heard.listened = true;
            }
        }
        Err(e) => notes.push(format!("{} cannot listen for the routing of meshes: {e}", radio.name)),
    }
}

/// Why a radio cannot join a mesh that it heard.
fn obstacle(scene: &mut Scene, radio: &Wiphy, found: &Found, search: &Search) -> Option<String> {
    if std::str::from_utf8(&found.name).is_err() || found.name.is_empty() {
        return Some("its name cannot be written down".to_owned());
    }
    match found.protection {
        Protection::Open => {}
        Protection::Sae if !installed("wpa_supplicant") => {
            return Some("it is protected by SAE, and that needs wpa_supplicant, which is not installed".to_owned());
        }
        Protection::Sae => {}
        Protection::Other => {
            return Some("it is protected, or finds its paths, in a way that this program does not know".to_owned());
        }
    }
    if let (Some(version), false, false) = (found.heard.other_version, found.heard.iv, found.heard.v) {
        return Some(format!("it runs batman-adv of the older version {version}, not {}", packet::consts::VERSION));
    }
    let wanted = found.wanted(&radio.name);
    if let Some(country) = &search.country {
        // It will be set; what its rules are is known only then.
        let known = crate::nl80211::regulatory::country(&mut scene.nl80211, radio.index).ok().flatten();
        if known.as_ref() != Some(country) {
            return None;
        }
    }
    scene.refusal(&wanted, radio)
}

impl Found {
    /// What joining it with a radio would take.
    pub fn wanted(&self, phy: &str) -> Wanted {
        Wanted {
            interface: String::new(),
            phy: Some(phy.to_owned()),
            mode: self.mode,
            mesh_id: self.name(),
            channel: self.channel,
            country: None,
            passphrase_file: None,
            bssid: self.bssid(),
        }
    }

    /// Its name, for people.
    pub fn name(&self) -> String {
        String::from_utf8_lossy(&self.name).into_owned()
    }

    /// The address of an ad-hoc network, if all its cells share one.
    pub fn bssid(&self) -> Option<MacAddr> {
        match (self.mode, self.senders.as_slice()) {
            (RadioMode::AdHoc, [one]) => Some(*one),
            _ => None,
        }
    }
}

/// True if a program is in the path.
pub fn installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(usual).any(|dir| dir.join(program).is_file())
}

/// Name of the interface while it exists.
const SCANNER: &str = "mwscan0";
const SCAN_LIMIT: Duration = Duration::from_secs(20);

#[cfg(test)]
mod tests {
    use super::*;

    fn bss(mac: u8, freq: u32, signal: i32, network: Network) -> Bss {
        let channel = Channel { freq, width: Width::W20 };
        Bss { bssid: MacAddr([2, 0, 0, 0, 0, mac]), channel, signal_dbm: Some(signal), seen_ms_ago: None, network }
    }

    #[test]
    fn one_entry_for_each_mesh() {
        let mesh = |name: &str, authentication| Network::Mesh {
            id: name.as_bytes().to_vec(),
            authentication,
            forwarding: false,
            usual_paths: true,
        };
        let open = Authentication::Open;
        let heard = [
            bss(1, 2412, -80, mesh("lab", open)),
            bss(2, 2412, -50, mesh("lab", open)),
            bss(3, 2412, -60, mesh("lab", Authentication::Sae)),
            bss(4, 2437, -60, mesh("lab", open)),
            bss(5, 2437, -40, Network::AccessPoint),
            bss(6, 2437, -40, Network::AdHoc { ssid: b"lab".to_vec(), protected: false }),
        ];
        let found = group(&heard, "phy0");
        assert_eq!(found.len(), 4, "{found:?}");
        assert_eq!((found[0].signal_dbm, found[0].senders.len()), (Some(-50), 2));
        assert_eq!(found[0].bssid(), None);
        assert_eq!((found[1].protection, found[2].channel.freq), (Protection::Sae, 2437));
        assert_eq!((found[3].mode, found[3].bssid()), (RadioMode::AdHoc, Some(MacAddr([2, 0, 0, 0, 0, 6]))));
    }

    #[test]
    fn the_radio_that_can_join_wins() {
        let mut all = group(&[bss(1, 2412, -40, Network::AdHoc { ssid: b"x".to_vec(), protected: false })], "phy0");
        all[0].obstacle = Some("busy".to_owned());
        let mut other = all[0].clone();
        (other.phy, other.obstacle, other.signal_dbm) = ("phy1".to_owned(), None, Some(-70));
        other.heard.v = true;
        merge(&mut all, other);
        assert_eq!((all.len(), all[0].phy.as_str(), all[0].obstacle.clone()), (1, "phy1", None));
        assert!(all[0].heard.v && !all[0].heard.iv);
    }
}
