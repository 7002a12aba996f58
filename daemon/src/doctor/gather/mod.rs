//! Finding things out. Nothing is changed, and not one frame is sent.

mod addresses;
mod firewall;
mod listen;
mod machine;
mod node;
mod radio;
mod tally;

use super::check;
use super::facts::{Config, Facts};
use crate::netlink::{LinkTable, RouteSocket};
use crate::nl80211::radio_below;
use anyhow::Context as _;
use config::Overrides;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What to look at.
#[derive(Debug, Clone)]
pub struct Options {
    /// The control socket.
    pub socket: PathBuf,
    /// Name of the mesh interface.
    pub mesh: String,
    /// The configuration file, `None` for the usual one.
    pub config: Option<PathBuf>,
    /// Hard interfaces; empty for those of the node, else those of the configuration.
    pub interfaces: Vec<String>,
    /// For how long to listen to the air.
    pub listen: Duration,
}

/// Finds everything out; takes as long as it is told to listen. Needs a current-thread tokio
/// runtime.
///
/// # Errors
/// The kernel does not list its interfaces.
pub async fn gather(options: &Options) -> anyhow::Result<Facts> {
    let links = LinkTable::dump(&mut RouteSocket::open()?).context("the kernel does not list its interfaces")?;
    let (config, settings) = read_config(options.config.as_deref());
    let mut visit = node::Visit::begin(&options.socket).await;
    let wanted = if !options.interfaces.is_empty() {
        options.interfaces.clone()
    } else if let Some(of_node) = visit.interfaces() {
        of_node
    } else if let Config::Good { interfaces, .. } = &config {
        interfaces.clone()
    } else {
        guess(&links)
    };
    let (clock, began) = (SystemTime::now(), Instant::now());
    let (air, deaf) = if visit.elsewhere() {
        (Vec::new(), Vec::new())
    } else {
        listen::listen(&wanted, &links, options.listen, visit.running(), visit.listen()).await
    };
    let listened = if air.is_empty() { Duration::ZERO } else { began.elapsed() };
    let radio = if visit.elsewhere() { Vec::new() } else { radio::read(&wanted, settings.as_ref()) };
    let node = visit.end().await;
    // What was there before may be gone after listening; the later look counts.
    let links = LinkTable::dump(&mut RouteSocket::open()?).unwrap_or(links);
    let sysfs = Path::new("/sys/class/net");
    Ok(Facts {
        listened,
        config,
        rights: machine::rights(),
        kernel: machine::kernel(),
        radios: wanted.iter().filter(|name| radio_below(sysfs, name).is_some()).cloned().collect(),
        switched_off: machine::switched_off(),
        radio,
        air,
        deaf,
        firewall: firewall::read(&links),
        addresses: addresses::read().unwrap_or_default(),
        switches: machine::switches(&options.mesh),
        clock: machine::clock(clock, began),
        memory_available: machine::memory_available(),
        wanted,
        mesh: options.mesh.clone(),
        node,
        links,
    })
}

/// The only interface that could be meant, if there is only one.
fn guess(links: &LinkTable) -> Vec<String> {
    match check::candidates(links).as_slice() {
        [only] => vec![(*only).to_owned()],
        _ => Vec::new(),
    }
}

fn read_config(file: Option<&Path>) -> (Config, Option<config::Config>) {
    let shown = file.unwrap_or(Path::new(config::DEFAULT_FILE));
    if file.is_none() && !shown.exists() {
        return (Config::Missing, None);
    }
    let file_name = shown.display().to_string();
    match config::Config::load(file, &Overrides::default()) {
        Ok(config) => {
            let interfaces = config.links.iter().map(|l| l.interface.clone()).collect();
            (Config::Good { file: file_name, interfaces }, Some(config))
        }
        Err(error) => (Config::Bad { file: file_name, errors: error.to_string() }, None),
    }
}

/// Seconds since 1970.
fn seconds(at: SystemTime) -> i64 {
    at.duration_since(UNIX_EPOCH).map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(i64::MAX))
}
