//! Bringing one radio into its mesh, and putting it back as it was found.

use super::owner::{netifd_owns, owner};
use super::plan::{Neighbor, Wanted, choose, refusal};
use super::supplicant::Supplicant;
use crate::netlink::{GenericSocket, LinkTable, RouteSocket};
use crate::nl80211::wiphy::wiphys;
use crate::nl80211::{Kind, RadioInterface, Wiphy, interface, network, regulatory};
use config::RadioMode;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// MTU of the interface, where its driver allows it: full frames of clients fit uncut.
const MTU: u32 = 1532;
/// A country takes effect after its rules were read from a file.
const COUNTRY_WAIT: Duration = Duration::from_secs(3);
/// wpa_supplicant sets the interface up by itself.
const SUPPLICANT_WAIT: Duration = Duration::from_secs(10);

/// A radio that is in its mesh.
#[derive(Debug)]
pub struct Up {
    wanted: Wanted,
    /// Name of the radio.
    pub phy: String,
    ifindex: u32,
    /// How the interface was found; `None` if it was made.
    found: Option<Found>,
    supplicant: Option<Supplicant>,
    note: PathBuf,
    /// How often in a row it was found outside of its mesh.
    out: u8,
}

/// How an interface was found.
#[derive(Debug, Clone, Copy)]
struct Found {
    kind: Kind,
    up: bool,
    mtu: u32,
}

/// Radios, their interfaces and all interfaces, as they are now.
pub struct Scene {
    /// Requests to drivers.
    pub nl80211: GenericSocket,
    /// Requests about interfaces.
    pub route: RouteSocket,
    /// All radios.
    pub radios: Vec<Wiphy>,
    /// All interfaces of radios.
    pub interfaces: Vec<RadioInterface>,
    /// All interfaces.
    pub links: LinkTable,
}

impl Scene {
    /// Looks around.
    ///
    /// # Errors
    /// Where the kernel has no Wi-Fi, or does not answer; in words.
    pub fn look() -> Result<Self, String> {
        let open = |e: io::Error| match e.kind() {
            ErrorKind::NotFound => "this machine has no Wi-Fi, or its driver is not loaded".to_owned(),
            _ => format!("cannot ask for radios: {e}"),
        };
        let mut nl80211 = crate::nl80211::open().map_err(open)?;
        let mut route = RouteSocket::open().map_err(|e| format!("cannot ask for interfaces: {e}"))?;
        let radios = wiphys(&mut nl80211).map_err(|e| format!("cannot list radios: {e}"))?;
        let interfaces =
            interface::interfaces(&mut nl80211).map_err(|e| format!("cannot list interfaces of radios: {e}"))?;
        let links = LinkTable::dump(&mut route).map_err(|e| format!("cannot list interfaces: {e}"))?;
        Ok(Self { nl80211, route, radios, interfaces, links })
    }

    /// Interfaces of a radio except the one of this name.
    pub fn others<'a>(&'a self, radio: &Wiphy, except: &'a str) -> Vec<Neighbor<'a>> {
        let here = self.interfaces.iter().filter(|i| i.wiphy == radio.index && i.name != except);
        here.map(|interface| Neighbor {
            interface,
            up: self.links.by_index(interface.ifindex).is_some_and(|l| l.up),
            owner: owner(Path::new("/"), &interface.name, interface.ifindex),
        })
        .collect()
    }

    /// Why the radio cannot be brought into the mesh, as a sentence; `None` if it can.
    pub fn refusal(&mut self, wanted: &Wanted, radio: &Wiphy) -> Option<String> {
        if netifd_owns(Path::new("/"), &radio.name) {
            return Some(format!(
                "OpenWrt's netifd looks after {}; configure the mesh in /etc/config/wireless and name its interface \
                 in a [[link]], or switch the radio off there",
                radio.name
            ));
        }
        let country = regulatory::country(&mut self.nl80211, radio.index).ok().flatten();
        refusal(wanted, radio, &self.others(radio, &wanted.interface), country.as_deref())
    }
}

/// Brings a radio into its mesh. Takes up to some seconds. `run` is a folder for notes, such as
/// `/run/meshwork`.
///
/// # Errors
/// Why not, as a sentence for people; then nothing is changed.
pub fn bring_up(wanted: &Wanted, run: &Path) -> Result<Up, String> {
    let note = run.join(format!("{}.radio", wanted.interface));
    clear_leftover(&note, &wanted.interface);
    let mut scene = Scene::look()?;
    if let Some(country) = &wanted.country {
        set_country(&mut scene, wanted, country)?;
    }
    let radio = choose(wanted, &scene.radios)?.clone();
    let existing = scene.interfaces.iter().find(|i| i.name == wanted.interface).cloned();
    if let Some(existing) = &existing {
        let link = scene.links.by_index(existing.ifindex);
        if existing.wiphy != radio.index {
            return Err(format!("{} belongs to another radio than {}", wanted.interface, radio.name));
        }
        if let Some(owner) = owner(Path::new("/"), &existing.name, existing.ifindex) {
            return Err(format!("{owner} owns {}; it is left alone", wanted.interface));
        }
        if link.is_some_and(|l| l.up) && (existing.freq.is_some() || existing.ssid.is_some()) {
            return Err(format!("{} is in use; it is left alone", wanted.interface));
        }
    } else if scene.links.by_name(&wanted.interface).is_some() {
        return Err(format!("there is an interface {} that belongs to no radio", wanted.interface));
    }
    if let Some(why) = scene.refusal(wanted, &radio) {
        return Err(why);
    }
    let kind = wanted.kind();
    let doing = |what: &str, e: io::Error| format!("{what}: {}", explain(&e));
    let found = match &existing {
        Some(existing) => {
            let link = scene.links.by_index(existing.ifindex);
            Some(Found { kind: existing.kind, up: link.is_some_and(|l| l.up), mtu: link.map_or(1500, |l| l.mtu) })
        }
        None => {
            network::make_interface(&mut scene.nl80211, radio.index, &wanted.interface, kind)
                .map_err(|e| doing(&format!("cannot make {}", wanted.interface), e))?;
            None
        }
    };
    let index = LinkTable::dump(&mut scene.route).ok().and_then(|t| t.by_name(&wanted.interface).map(|l| l.index));
    let Some(ifindex) = index else { return Err(format!("{} has vanished", wanted.interface)) };
    let mut up = Up { wanted: wanted.clone(), phy: radio.name, ifindex, found, supplicant: None, note, out: 0 };
    // From here on dropping `up` puts everything back.
    up.keep_note();
    up.join(&mut scene, run)?;
    Ok(up)
}

impl Up {
    fn join(&mut self, scene: &mut Scene, run: &Path) -> Result<(), String> {
        let Self { wanted, ifindex, found, .. } = self;
        let (ifindex, name) = (*ifindex, wanted.interface.as_str());
        let doing = |what: &str, e: io::Error| format!("cannot {what} {name}: {}", explain(&e));
        if let Some(found) = found {
            scene.route.set_up(ifindex, false).map_err(|e| doing("set down", e))?;
            if found.kind != wanted.kind() {
                network::set_kind(&mut scene.nl80211, ifindex, wanted.kind()).map_err(|e| doing("change", e))?;
            }
        }
        if let Err(e) = scene.route.set_mtu(ifindex, MTU) {
            tracing::debug!(interface = name, error = %e, "the driver keeps its MTU");
        }
        scene.route.set_up(ifindex, true).map_err(|e| doing("set up", e))?;
        let id = wanted.mesh_id.as_bytes();
        let what = format!("bring into {:?} on {}", wanted.mesh_id, wanted.channel);
        match (&wanted.mode, &wanted.passphrase_file) {
            (RadioMode::AdHoc, _) => {
                network::join_adhoc(&mut scene.nl80211, ifindex, id, wanted.channel, wanted.bssid)
                    .map_err(|e| doing(&what, e))?;
            }
            (RadioMode::Mesh, None) => {
                network::join_mesh(&mut scene.nl80211, ifindex, id, wanted.channel).map_err(|e| doing(&what, e))?;
            }
            (RadioMode::Mesh, Some(file)) => {
                self.supplicant = Some(Supplicant::start(wanted, file, run)?);
                self.keep_note();
                self.await_supplicant(scene)?;
            }
        }
        Ok(())
    }

    fn await_supplicant(&mut self, scene: &mut Scene) -> Result<(), String> {
        let end = Instant::now() + SUPPLICANT_WAIT;
        loop {
            // It fails while the interface is in no mesh yet.
            if network::configure_mesh(&mut scene.nl80211, self.ifindex).is_ok() {
                return Ok(());
            }
            if !self.supplicant.as_mut().is_some_and(Supplicant::alive) {
                return Err("wpa_supplicant has ended at once; it may be built without mesh or SAE".to_owned());
            }
            if Instant::now() > end {
                return Err("wpa_supplicant did not bring the radio into the mesh".to_owned());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Why the radio is not in its mesh any more, in words; `None` while it is.
    pub fn trouble(&mut self) -> Option<String> {
        if let Some(supplicant) = &mut self.supplicant
            && !supplicant.alive()
        {
            return Some("wpa_supplicant has ended".to_owned());
        }
        let mut socket = crate::nl80211::open().ok()?;
        let interfaces = interface::interfaces(&mut socket).ok()?;
        let Some(interface) = interfaces.iter().find(|i| i.ifindex == self.ifindex) else {
            return Some(format!("{} is gone", self.wanted.interface));
        };
        // Whoever sets it down means it. An ad-hoc network has no channel either while it looks
        // for its cell.
        let mut route = RouteSocket::open().ok()?;
        let up = LinkTable::dump(&mut route).ok()?.by_index(self.ifindex).is_some_and(|l| l.up);
        let out = up && interface.freq.is_none() && self.wanted.mode == RadioMode::Mesh;
        self.out = if out { self.out + 1 } else { 0 };
        (self.out >= 2).then(|| format!("{} is in no mesh any more", self.wanted.interface))
    }

    /// What it was brought into.
    pub fn wanted(&self) -> &Wanted {
        &self.wanted
    }

    /// Lets the next start of a program that was killed find what it left behind.
    fn keep_note(&self) {
        let made = if self.found.is_none() { "made" } else { "found" };
        let pid = self.supplicant.as_ref().map_or(0, Supplicant::pid);
        let text = format!("{} {made} {pid}\n", self.ifindex);
        if let Err(e) = fs::write(&self.note, text) {
            tracing::debug!(note = %self.note.display(), error = %e, "no note of the radio's interface");
        }
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        self.supplicant = None;
        let _ = fs::remove_file(&self.note);
        let (Ok(mut nl80211), Ok(mut route)) = (crate::nl80211::open(), RouteSocket::open()) else { return };
        let done = match self.found {
            None => network::remove_interface(&mut nl80211, self.ifindex),
            Some(found) => {
                let _ = match self.wanted.mode {
                    RadioMode::Mesh => network::leave_mesh(&mut nl80211, self.ifindex),
                    RadioMode::AdHoc => network::leave_adhoc(&mut nl80211, self.ifindex),
                };
                route
                    .set_up(self.ifindex, false)
                    .and_then(|()| network::set_kind(&mut nl80211, self.ifindex, found.kind))
                    .and_then(|()| route.set_mtu(self.ifindex, found.mtu))
                    .and_then(|()| route.set_up(self.ifindex, found.up))
            }
        };
        if let Err(e) = done
            && e.raw_os_error() != Some(libc::ENODEV)
        {
            tracing::warn!(interface = self.wanted.interface, error = %e, "the radio cannot be put back as it was found");
        }
    }
}

/// Takes away what a killed run of ours has made and could not take back.
fn clear_leftover(note: &Path, interface: &str) {
    let Ok(text) = fs::read_to_string(note) else { return };
    let _ = fs::remove_file(note);
    let mut words = text.split_whitespace();
    let (Some(Ok(index)), made, pid) = (words.next().map(str::parse::<u32>), words.next(), words.next()) else {
        return;
    };
    // The number may be another process's by now.
    if let Some(pid) = pid.and_then(|p| p.parse::<i32>().ok()).filter(|p| *p > 0)
        && fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|c| {
            let words: Vec<&[u8]> = c.split(|b| *b == 0).collect();
            c.starts_with(b"wpa_supplicant\0") && words.contains(&interface.as_bytes())
        })
    {
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM);
    }
    let (Ok(mut nl80211), Ok(mut route)) = (crate::nl80211::open(), RouteSocket::open()) else { return };
    let ours = interface::interfaces(&mut nl80211)
        .is_ok_and(|all| all.iter().any(|i| i.ifindex == index && i.name == interface));
    if ours {
        tracing::info!(interface, "taking away what a run that was killed has left");
        let _ = if made == Some("made") {
            network::remove_interface(&mut nl80211, index)
        } else {
            route.set_up(index, false)
        };
    }
}

fn set_country(scene: &mut Scene, wanted: &Wanted, country: &str) -> Result<(), String> {
    let phy = scene.radios.iter().find(|r| wanted.phy.as_ref().is_none_or(|p| *p == r.name)).map(|r| r.index);
    let Some(phy) = phy else { return Ok(()) };
    let now = |scene: &mut Scene| regulatory::country(&mut scene.nl80211, phy).ok().flatten();
    if now(scene).as_deref() == Some(country) {
        return Ok(());
    }
    regulatory::set_country(&mut scene.nl80211, country).map_err(|e| {
        format!(
            "cannot say that this is {country}: {}; is the regulatory database (wireless-regdb) installed?",
            explain(&e)
        )
    })?;
    let end = Instant::now() + COUNTRY_WAIT;
    while now(scene).as_deref() != Some(country) {
        if Instant::now() > end {
            return Err(format!(
                "the system does not take the country {country}; the regulatory database (wireless-regdb) may be missing, \
                 or another program insists on another country"
            ));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    scene.radios = wiphys(&mut scene.nl80211).map_err(|e| format!("cannot list radios: {e}"))?;
    Ok(())
}

/// What the kernel's answer means here.
fn explain(e: &io::Error) -> String {
    match e.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => "that needs root, or CAP_NET_ADMIN".to_owned(),
        Some(libc::EBUSY) => "the radio is busy with another interface".to_owned(),
        Some(libc::ERFKILL) => "the radio is switched off (rfkill unblock wifi)".to_owned(),
        Some(libc::EOPNOTSUPP) => "the driver cannot do that".to_owned(),
        Some(libc::EINVAL) => {
            "the driver refuses it (Invalid argument); the channel or its width may not be allowed".to_owned()
        }
        _ => e.to_string(),
    }
}
