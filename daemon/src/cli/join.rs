//! `join`: into a mesh by its name.
//!
//! ```text
//! look around ─▶ choose ─▶ write the configuration ─▶ a node runs?  yes: SIGHUP   ─▶ say who
//!                                                                   no: be the node   is there
//! ```

use super::scan::{search, strength};
use super::{Out, Quiet, node};
use crate::args::{Args, UsageError};
use crate::control::protocol::Neighbor;
use crate::control::{Ask, Client, FORMAT};
use crate::nl80211::channel::{Width, frequency, number};
use crate::nl80211::station::stations;
use crate::nl80211::{Channel, interface, regulatory};
use crate::radio::discover::{Found, Protection, Search, discover};
use anyhow::{Context as _, anyhow, bail};
use config::{Config, Control, DEFAULT_FILE, Override, Overrides, Radio, RadioMode};
use mesh_core::sorted::SortedMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::Instant;

/// How long to wait for neighbours.
const WAIT: Duration = Duration::from_secs(10);
/// When this long nobody new was heard, those heard are told as all there are.
const QUIET: Duration = Duration::from_secs(3);
const STEP: Duration = Duration::from_millis(200);

/// Joins a mesh, and unless a node runs already is the node until told to stop.
///
/// # Errors
/// No such mesh, no radio that can join it, a configuration that cannot be written.
pub(super) async fn run(args: &Args, out: Out<'_>) -> anyhow::Result<()> {
    let wish = Wish::read(args)?;
    let json = args.has("json");
    if !json {
        writeln!(out, "Looking for {:?} ...", wish.name)?;
        out.flush()?;
    }
    let (radio, found) = wish.choose()?;
    if !json {
        writeln!(out, "{}", chosen(&radio, found.as_ref()))?;
    }
    let file = args.value("config").map_or_else(|| PathBuf::from(DEFAULT_FILE), PathBuf::from);
    let before = read_if_there(&file)?;
    let text = with_radio(&before, &radio, args.value("mesh"));
    Config::parse(&file.to_string_lossy(), &text, &Overrides::default())
        .map_err(|e| anyhow!("{} cannot take the radio in:\n{e}", file.display()))?;
    write_atomically(&file, &text).with_context(|| format!("cannot write {}", file.display()))?;
    if !json {
        writeln!(out, "Written: {}", file.display())?;
        out.flush()?;
    }
    let socket =
        args.value("socket").map_or_else(|| Control::usual_socket(args.value_or_default("mesh")), PathBuf::from);
    let report = Report { radio, found, file: file.clone(), socket: socket.clone(), json, began: Instant::now() };
    if args.has("write-only") {
        return report.print(&SortedMap::new(), None, false, out);
    }
    if hand_over(&socket, &file).await? {
        return if report.follow(true, out).await? { Ok(()) } else { Err(Quiet.into()) };
    }
    let mut settings = Vec::new();
    if let Some(path) = args.value("socket") {
        settings.push(Override { key: "control.socket", value: path.to_owned(), flag: "--socket" });
    }
    let node = node::run_from(Some(file), Overrides { settings, interfaces: Vec::new() });
    let mut node = std::pin::pin!(node);
    tokio::select! {
        ended = &mut node => return ended,
        told = report.follow(false, out) => { told?; }
    }
    node.await
}

/// What the command line asks for.
struct Wish {
    name: String,
    interface: String,
    mode: Option<RadioMode>,
    channel: Option<u8>,
    width: u8,
    country: Option<String>,
    passphrase_file: Option<PathBuf>,
    search: Search,
}

impl Wish {
    fn read(args: &Args) -> Result<Self, UsageError> {
        let wrong = |flag: &str, found: &str, allowed: &str| {
            UsageError::new(format!("{flag}: found {found:?}, allowed: {allowed}"))
        };
        let name = args.operand(0).unwrap_or_default();
        if !(1..=32).contains(&name.len()) {
            return Err(UsageError::new(format!("found {name:?}, allowed: the name of a mesh, 1 to 32 bytes")));
        }
        let channel = match args.value("channel") {
            None => None,
            Some(text) => {
                let number = text.parse::<u8>().ok().filter(|n| frequency(u32::from(*n)).is_some());
                Some(number.ok_or_else(|| wrong("--channel", text, "1 to 14, 32 to 177"))?)
            }
        };
        let text = args.value_or_default("width");
        let width = text.parse().ok().filter(|w| config::radio::WIDTHS.contains(w));
        let width = width.ok_or_else(|| wrong("--width", text, "20, 40, 80 or 160"))?;
        let mode = match args.value("mode") {
            None => None,
            Some(text) => Some(RadioMode::parse(text).ok_or_else(|| wrong("--mode", text, "mesh or adhoc"))?),
        };
        let country = args.value("country").map(str::to_owned);
        if let Some(text) = country.as_deref().filter(|c| !regulatory::is_country(c)) {
            return Err(wrong("--country", text, "the two capital letters of a country, like DE"));
        }
        let passphrase_file = args.value("passphrase-file").map(PathBuf::from);
        let passphrase_file = match passphrase_file {
            Some(path) => {
                Some(std::path::absolute(&path).map_err(|e| UsageError::new(format!("--passphrase-file: {e}")))?)
            }
            None => None,
        };
        let interface = args.value_or_default("interface").to_owned();
        if let Err(why) = config::check_interface(&interface) {
            return Err(UsageError::new(format!("--interface: found {interface:?}: {why}")));
        }
        let freqs = channel.and_then(|c| frequency(u32::from(c))).into_iter().collect();
        let search = Search { freqs, country: country.clone(), name: Some(name.as_bytes().to_vec()), ..search(args) };
        Ok(Self { name: name.to_owned(), interface, mode, channel, width, country, passphrase_file, search })
    }

    /// Looks around, and says what the radio is to be brought into.
    fn choose(&self) -> anyhow::Result<(Radio, Option<Found>)> {
        let seen = discover(&self.search).map_err(anyhow::Error::msg)?;
        let same = |m: &&Found| m.name == self.name.as_bytes() && self.mode.is_none_or(|mode| mode == m.mode);
        let all: Vec<&Found> = seen.meshes.iter().filter(same).collect();
        let protected = self.passphrase_file.is_some();
        let fits = |m: &&&Found| m.obstacle.is_none() && (m.protection == Protection::Sae) == protected;
        if let Some(found) = all.iter().find(fits) {
            return Ok((self.radio_of(found), Some((*found).clone())));
        }
        match all.first() {
            Some(Found { obstacle: Some(why), .. }) => bail!("{:?} is in reach and cannot be joined: {why}", self.name),
            Some(Found { protection: Protection::Sae, .. }) => {
                bail!("{:?} is protected by a passphrase; say where it is with --passphrase-file FILE", self.name)
            }
            Some(_) => bail!("{:?} is an open mesh; join it without --passphrase-file", self.name),
            None => {}
        }
        if let Some(channel) = self.channel {
            let mut radio = Radio::new(&self.interface, &self.name, channel);
            radio.mode = self.mode.unwrap_or(RadioMode::Mesh);
            radio.width = self.width;
            return Ok((self.finish(radio), None));
        }
        let mut others: Vec<String> = seen.meshes.iter().map(|m| format!("{:?}", m.name())).collect();
        others.dedup();
        let others = if others.is_empty() {
            "No mesh at all is".to_owned()
        } else {
            format!("In reach: {}; it is", others.join(", "))
        };
        let notes: String = seen.notes.iter().map(|n| format!("\nNote: {n}")).collect();
        bail!("{others} not heard: {:?}. To found it, say where: --channel N{notes}", self.name)
    }

    fn radio_of(&self, found: &Found) -> Radio {
        let Channel { freq, width } = found.channel;
        let channel = number(freq).and_then(|n| u8::try_from(n).ok()).unwrap_or(0);
        let mut radio = Radio::new(&self.interface, &self.name, channel);
        radio.mode = found.mode;
        // 160 MHz and two times 80 look alike from afar; 80 works in both.
        radio.width = u8::try_from(width.min(Width::W80).mhz()).unwrap_or(20);
        radio.bssid = found.bssid();
        radio.phy = Some(found.phy.clone());
        self.finish(radio)
    }

    fn finish(&self, mut radio: Radio) -> Radio {
        radio.country.clone_from(&self.country);
        radio.phy = self.search.phy.clone().or(radio.phy);
        if radio.mode == RadioMode::Mesh {
            radio.passphrase_file.clone_from(&self.passphrase_file);
        }
        radio
    }
}

/// What is about to be joined, in words.
fn chosen(radio: &Radio, found: Option<&Found>) -> String {
    let kind = match radio.mode {
        RadioMode::Mesh => "a mesh of 802.11s",
        RadioMode::AdHoc => "an ad-hoc network",
    };
    let guard = if radio.passphrase_file.is_some() { ", protected by a passphrase" } else { ", open" };
    match found {
        None => format!("Nobody is heard of it; founding it: {kind} on channel {}{guard}", radio.channel),
        Some(found) => {
            let signal = found.signal_dbm.map(|dbm| format!(", {dbm} dBm ({})", strength(dbm))).unwrap_or_default();
            format!("Found: {kind} on channel {}{signal}{guard}", radio.channel)
        }
    }
}

/// The configuration with this radio in it, instead of what it said about the same radio or the
/// same interface. Everything else stays as it is, comments included.
fn with_radio(before: &str, radio: &Radio, mesh: Option<&str>) -> String {
    let mut text = String::new();
    if before.trim().is_empty() {
        text.push_str("# Written by \"meshwork join\". What else can stand here: meshwork man\n");
        if let Some(mesh) = mesh {
            text.push_str(&format!("\n[mesh]\nname = {mesh:?}\n"));
        }
    }
    // Tables of the file, each with its header and all lines up to the next one.
    let mut blocks: Vec<String> = vec![String::new()];
    for line in before.split_inclusive('\n') {
        if line.trim_start().starts_with('[') {
            blocks.push(String::new());
        }
        if let Some(block) = blocks.last_mut() {
            block.push_str(line);
        }
    }
    let interface = format!("interface={:?}", radio.interface);
    let phy = radio.phy.as_ref().map(|phy| format!("phy={phy:?}"));
    let same = |block: &String| {
        let mut lines = block.lines().map(|l| l.split('#').next().unwrap_or_default().replace([' ', '\t'], ""));
        block.trim_start().starts_with("[[radio]]") && lines.any(|l| l == interface || Some(&l) == phy.as_ref())
    };
    text.extend(blocks.into_iter().filter(|b| !same(b)));
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push('\n');
    text.push_str(&radio.to_toml());
    text
}

fn read_if_there(file: &Path) -> anyhow::Result<String> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(text),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(e) => Err(e).with_context(|| format!("cannot read {}", file.display())),
    }
}

fn write_atomically(file: &Path, text: &str) -> std::io::Result<()> {
    let fresh = file.with_extension("toml.new");
    fs::write(&fresh, text)?;
    fs::rename(&fresh, file)
}

/// Lets a node that runs read the file again. False if none runs.
async fn hand_over(socket: &Path, file: &Path) -> anyhow::Result<bool> {
    let Ok(mut client) = Client::connect(socket).await else { return Ok(false) };
    let status = client.ask(Ask::Status).await?.status.context("the node does not say how it is")?;
    let read = status.config.file.as_deref().map(Path::new);
    let same = |a: &Path, b: &Path| fs::canonicalize(a).ok().zip(fs::canonicalize(b).ok()).is_some_and(|(a, b)| a == b);
    match read {
        Some(read) if same(read, file) => {}
        _ => bail!(
            "a node runs already, with {}; stop it, or name its file with --config",
            read.map_or_else(|| "no configuration file".to_owned(), |f| f.display().to_string())
        ),
    }
    let pid = i32::try_from(status.pid).map(nix::unistd::Pid::from_raw)?;
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGHUP)
        .context("cannot tell the node to read its file again")?;
    Ok(true)
}

/// Follows the node's first seconds and says who is there.
struct Report {
    radio: Radio,
    found: Option<Found>,
    file: PathBuf,
    socket: PathBuf,
    json: bool,
    began: Instant,
}

/// A neighbour, how strong it is, and after how many seconds it was heard.
struct Heard {
    neighbor: Neighbor,
    signal_dbm: Option<i8>,
    after: f64,
}

impl Report {
    /// True if anybody was heard.
    async fn follow(&self, handed_over: bool, out: Out<'_>) -> anyhow::Result<bool> {
        let mut heard: SortedMap<String, Heard> = SortedMap::new();
        let mut last = self.began;
        let mut trouble = None;
        while self.began.elapsed() < WAIT && (heard.is_empty() || last.elapsed() < QUIET) {
            tokio::time::sleep(STEP).await;
            let Ok(mut client) = Client::connect(&self.socket).await else { continue };
            let neighbors = client.ask(Ask::Neighbors).await.ok().and_then(|a| a.neighbors).unwrap_or_default();
            for neighbor in neighbors.into_iter().filter(|n| n.hard_ifname == self.radio.interface) {
                let key = neighbor.neigh_address.to_string();
                if heard.contains_key(&key) {
                    continue;
                }
                last = Instant::now();
                let new =
                    Heard { signal_dbm: self.signal(&neighbor), neighbor, after: self.began.elapsed().as_secs_f64() };
                if !self.json {
                    writeln!(out, "{}", new.line())?;
                    out.flush()?;
                }
                heard.insert(key, new);
            }
            let interfaces = client.ask(Ask::Interfaces).await.ok().and_then(|a| a.interfaces).unwrap_or_default();
            trouble = interfaces.into_iter().find(|i| i.hard_ifname == self.radio.interface).and_then(|i| i.reason);
        }
        self.print(&heard, trouble, !handed_over, out)?;
        Ok(!heard.is_empty())
    }

    fn signal(&self, neighbor: &Neighbor) -> Option<i8> {
        let mut socket = crate::nl80211::open().ok()?;
        let all = interface::interfaces(&mut socket).ok()?;
        let index = all.iter().find(|i| i.name == self.radio.interface)?.ifindex;
        let station = stations(&mut socket, index).ok()?.into_iter().find(|s| s.mac == neighbor.neigh_address.0)?;
        station.signal_dbm
    }

    fn print(
        &self,
        heard: &SortedMap<String, Heard>,
        trouble: Option<String>,
        stays: bool,
        out: Out<'_>,
    ) -> anyhow::Result<()> {
        if self.json {
            let neighbors: Vec<_> = heard
                .values()
                .map(|h| {
                    serde_json::json!({
                        "neigh_address": h.neighbor.neigh_address, "orig_address": h.neighbor.orig_address,
                        "meshwork": h.neighbor.meshwork, "signal_dbm": h.signal_dbm, "after_secs": h.after,
                    })
                })
                .collect();
            let line = serde_json::json!({
                "format": FORMAT, "mesh_id": self.radio.mesh_id, "mode": self.radio.mode.name(),
                "channel": self.radio.channel, "phy": self.radio.phy, "hard_ifname": self.radio.interface,
                "founded": self.found.is_none(), "config": self.file, "neighbors": neighbors, "trouble": trouble,
            });
            writeln!(out, "{line}")?;
            return Ok(out.flush()?);
        }
        let number = heard.len();
        match (number, trouble) {
            _ if self.began.elapsed() < STEP => {}
            (0, Some(why)) => writeln!(out, "The radio is not in the mesh: {why}")?,
            (0, None) if self.found.is_none() => writeln!(out, "Nobody else is there yet.")?,
            (0, None) => writeln!(
                out,
                "Nobody was heard in {} s. The radio is in the mesh; perhaps its nodes run no batman-adv, or are too far \
                 away. \"meshwork doctor\" says more.",
                WAIT.as_secs()
            )?,
            (1, _) => writeln!(out, "One neighbour. \"meshwork originators\" shows the nodes behind it.")?,
            (n, _) => writeln!(out, "{n} neighbours. \"meshwork originators\" shows the nodes behind them.")?,
        }
        if stays {
            writeln!(out, "This command is the node now; it ends with Ctrl-C.")?;
        }
        Ok(out.flush()?)
    }
}

impl Heard {
    fn line(&self) -> String {
        let Self { neighbor, signal_dbm, after } = self;
        let signal = signal_dbm.map(|dbm| format!(" at {dbm} dBm ({})", strength(i32::from(dbm)))).unwrap_or_default();
        let kind = if neighbor.meshwork { ", Meshwork" } else { "" };
        format!("Neighbour {}{signal}{kind}, after {after:.1} s", neighbor.neigh_address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_keeps_what_it_had() {
        let radio = Radio::new("wmesh0", "lab", 6);
        let fresh = with_radio("", &radio, Some("bat9"));
        let config = Config::parse("t", &fresh, &Overrides::default()).unwrap();
        assert_eq!((config.mesh.name.as_str(), config.radios.len()), ("bat9", 1));
        let old = "# mine\n[mesh]\nmtu = 1400 # small\n[[radio]]\ninterface = \"wmesh0\" # old\nmesh_id = \"x\"\nchannel = 1\n\
                   [[radio]]\ninterface = \"wmesh1\"\nmesh_id = \"y\"\nchannel = 2\n[log]\nlevel = \"debug\"";
        let new = with_radio(old, &radio, None);
        assert!(new.starts_with("# mine\n[mesh]\nmtu = 1400 # small\n") && !new.contains("\"x\""), "{new}");
        let config = Config::parse("t", &new, &Overrides::default()).unwrap();
        let named: Vec<_> = config.radios.iter().map(|r| (r.interface.as_str(), r.mesh_id.as_str())).collect();
        assert_eq!(named, [("wmesh1", "y"), ("wmesh0", "lab")]);
        assert_eq!(config.mesh.mtu, Some(1400));
        let moved = Radio { phy: Some("phy0".to_owned()), ..Radio::new("wlan0", "other", 1) };
        let moved =
            with_radio(&with_radio("", &Radio { phy: Some("phy0".to_owned()), ..radio.clone() }, None), &moved, None);
        assert!(!moved.contains("lab") && moved.contains("other"), "{moved}");
        let again = with_radio(&new, &radio, None);
        assert_eq!(Config::parse("t", &again, &Overrides::default()).unwrap(), config);
    }

    #[test]
    fn what_is_chosen_in_words() {
        let radio = Radio::new("wmesh0", "lab", 6);
        assert_eq!(chosen(&radio, None), "Nobody is heard of it; founding it: a mesh of 802.11s on channel 6, open");
    }
}
