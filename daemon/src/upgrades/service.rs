//! The service: looks at a trial until it is over, then looks for upgrades now and then.

use super::settings::Settings;
use super::{CPU, Machine, Result, VERSION, command, fetch, firmware, node, program};
use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};
use upgrade::manifest::MAX_BYTES;
use upgrade::{Image, Kind, Manifest, Refusal, Role, Running, State, Trial, Verdict, moment};

/// Name of the manifest at every source.
pub const MANIFEST: &str = "meshwork.manifest";
/// Time between two looks at a new version.
const LOOK: Duration = Duration::from_secs(5);

/// An offer that this node would take.
#[derive(Debug)]
pub struct Offer {
    /// The manifest, signed by enough of those whom this node believes.
    pub manifest: Manifest,
    /// How many that are.
    pub signers: usize,
    /// What of it is for this node.
    pub image: Image,
}

/// Why there is no offer.
#[derive(Debug)]
pub enum NoOffer {
    /// Nothing newer; that is how it should be most of the time.
    UpToDate(String),
    /// It is not to be believed or not for us.
    Refused(String),
}

impl From<String> for NoOffer {
    fn from(text: String) -> Self {
        Self::Refused(text)
    }
}

/// Fetches the manifest of `source` and judges it.
///
/// # Errors
/// Why this node would not take what it offers.
pub fn look(machine: &Machine, settings: &Settings, source: &str) -> std::result::Result<Offer, NoOffer> {
    settings.believable()?;
    let path = machine.scratch()?.join(MANIFEST);
    fetch::fetch(source, MANIFEST, &path, MAX_BYTES as u64)?;
    let bytes = fs::read(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let manifest = Manifest::parse(&bytes).map_err(|e| e.to_string())?;
    let signers = manifest.verify(&settings.keys, settings.signers).map_err(|e| e.to_string())?;
    let (state, board) = (machine.state(), machine.board());
    let known = machine.known_serial(&state);
    let running = Running { serial: known, branch: &settings.branch, version: VERSION, cpu: CPU, board: &board };
    match manifest.choose(settings.kind, &running) {
        Ok(image) => {
            let image = image.clone();
            Ok(Offer { manifest, signers, image })
        }
        Err(Refusal::Serial { offered, known }) if offered == known && state.failed == known => {
            Err(NoOffer::Refused(format!("serial {offered} was tried here, and {}", state.last)))
        }
        Err(refusal @ Refusal::Serial { .. }) => Err(NoOffer::UpToDate(refusal.to_string())),
        Err(refusal) => Err(NoOffer::Refused(refusal.to_string())),
    }
}

/// Fetches the image of an offer and puts it in place. A program is on trial then; a firmware starts the machine anew.
///
/// # Errors
/// Why nothing was changed.
pub fn apply(machine: &Machine, settings: &Settings, offer: &Offer, source: &str) -> Result<()> {
    let image = &offer.image;
    let mut state = machine.state();
    let way_back = if image.kind == Kind::Firmware { firmware::way_back(machine) } else { String::new() };
    if image.kind == Kind::Firmware {
        if way_back.is_empty() && !settings.without_way_back {
            return Err("this device has no room for two firmwares, so nothing would lead back from a bad one; \
                 if somebody can get at it, say --without-way-back (option without_way_back '1')"
                .to_owned());
        }
        firmware::fits(machine, image)?;
    }
    if firmware::recover(machine, &mut state)? || program::recover(machine, &mut state)? {
        return Err("an upgrade is on trial; \"meshwork upgrade\" says which".to_owned());
    }
    // A program in a folder here is read from there, as memory is scarce, and checked again where it was written to. A
    // firmware is read a second time by others, so what was checked is a copy.
    let copied = fetch::is_address(source) || image.kind == Kind::Firmware;
    let scratch = copied.then(|| machine.scratch().map(|dir| dir.join("image"))).transpose()?;
    let fetched = scratch.clone().unwrap_or_else(|| Path::new(source).join(&image.name));
    if let Some(scratch) = &scratch {
        fetch::fetch(source, &image.name, scratch, image.size.into())?;
    }
    let trial = Trial {
        serial: offer.manifest.serial,
        kind: image.kind,
        from: VERSION.to_owned(),
        had_neighbor: node::look(machine).neighbor,
        starts: 0,
        way_back,
    };
    let done = match image.kind {
        Kind::Program => {
            let version = offer.manifest.version.as_str();
            let done = program::install(machine, (image, version, &fetched), trial, &mut state, &mut program::go_on);
            if done.is_err() {
                program::tidy(machine, &mut state)?;
            }
            done.and_then(|()| restart(machine))
        }
        Kind::Firmware => fetch::check(&fetched, image)
            .and_then(|()| firmware::test(machine, &fetched))
            .and_then(|()| firmware::install(machine, &fetched, trial, &mut state)),
    };
    if let Some(scratch) = scratch {
        let _ = fs::remove_file(scratch);
    }
    done
}

/// Starts the node anew, with whatever program is in its place now.
///
/// # Errors
/// The service cannot be restarted.
fn restart(machine: &Machine) -> Result<()> {
    let init = machine.at("/etc/init.d/meshwork");
    let limit = Duration::from_secs(60);
    if init.exists() {
        return command::run(&init, &["restart"], limit).map(|_| ());
    }
    if machine.at("/run/systemd/system").exists() {
        return command::run(Path::new("systemctl"), &["restart", "meshwork"], limit).map(|_| ());
    }
    Err("the service was not restarted: there is neither /etc/init.d/meshwork nor systemd".to_owned())
}

/// Looks at what is on trial until it has proved itself or the former version is back.
///
/// # Errors
/// The trial could not be brought to its end; the next start goes on with it.
pub fn guard(machine: &Machine, settings: &Settings, say: &mut dyn FnMut(&str)) -> Result<()> {
    let mut state = machine.state();
    let program = program::recover(machine, &mut state)?;
    if !program && !firmware::recover(machine, &mut state)? {
        return Ok(());
    }
    let Some(mut trial) = state.trial.clone() else { return Ok(()) };
    say(&format!("serial {} is on trial, start {}", trial.serial, trial.starts));
    let began = Instant::now();
    loop {
        let verdict = trial.judge(node::look(machine), began.elapsed(), settings.trial, settings.settle);
        // Somebody may have decided meanwhile.
        state = machine.state();
        match &state.trial {
            Some(now) => trial = now.clone(),
            None => break,
        }
        match verdict {
            Verdict::Wait => sleep(LOOK.min(settings.settle)),
            Verdict::Confirm(why) => {
                decide(machine, &mut state, true, why)?;
                break;
            }
            Verdict::Back(why) => {
                decide(machine, &mut state, false, why)?;
                break;
            }
        }
    }
    say(&state.last);
    Ok(())
}

/// Ends the trial of `state`, one way or the other.
///
/// # Errors
/// A file cannot be written, or the node cannot be restarted.
pub fn decide(machine: &Machine, state: &mut State, stays: bool, why: &str) -> Result<()> {
    match (state.trial.as_ref().map(|t| t.kind), stays) {
        (None, _) => Err("no upgrade is on trial".to_owned()),
        (Some(Kind::Program), true) => program::stay(machine, state, why, &mut program::go_on),
        (Some(Kind::Program), false) => {
            program::go_back(machine, state, why, &mut program::go_on)?;
            restart(machine)
        }
        (Some(Kind::Firmware), true) => {
            state.confirm(why);
            machine.keep(state)
        }
        (Some(Kind::Firmware), false) => firmware::go_back(machine, state, why),
    }
}

/// When this node takes an offer: how long it has to have waited, and as what.
pub fn moment(machine: &Machine, offer: &Manifest) -> (Duration, Role) {
    let (mac, role) = node::place(machine);
    let spread = Duration::from_secs(u64::from(offer.spread_hours) * 3600);
    (moment::wait(mac, offer.serial, spread, role), role)
}

/// Looks for upgrades for ever. Returns when a new program was put in place, or when there is nothing to look for.
///
/// # Errors
/// None that ends the service: what goes wrong is said, and tried again.
pub fn watch(machine: &Machine, settings: &Settings, say: &mut dyn FnMut(&str)) -> Result<()> {
    let Some(source) = settings.source.as_deref().filter(|_| settings.enabled) else { return Ok(()) };
    settings.believable()?;
    let (mut last, mut told) = (Instant::now(), String::new());
    loop {
        let mut pause = settings.interval;
        let text = match look(machine, settings, source) {
            Ok(offer) => {
                let serial = offer.manifest.serial;
                let mut state = machine.state();
                // The first look begins the wait, whatever passed before it.
                let passed =
                    if state.pending.is_some_and(|(of, _)| of == serial) { last.elapsed().as_secs() } else { 0 };
                let waited = Duration::from_secs(state.waited(serial, passed));
                machine.keep(&state)?;
                last = Instant::now();
                let (wait, role) = moment(machine, &offer.manifest);
                let spread = Duration::from_secs(u64::from(offer.manifest.spread_hours) * 3600);
                // Alone now: an upgrade could not prove itself. That may be over soon; it may also be what it mends.
                let alone = !node::look(machine).neighbor && waited < wait + spread;
                if waited < wait || alone {
                    pause = pause.min(wait.saturating_sub(waited).max(LOOK));
                    let alone = if alone && waited >= wait { ", and for a neighbour" } else { "" };
                    format!(
                        "serial {serial} waits: {} of {} minutes as a {}{alone}",
                        waited.as_secs() / 60,
                        wait.as_secs() / 60,
                        role.word()
                    )
                } else {
                    let done = machine.lock().and_then(|_lock| apply(machine, settings, &offer, source));
                    match done {
                        Ok(()) => return Ok(()),
                        Err(why) => format!("serial {serial} was not installed: {why}"),
                    }
                }
            }
            Err(NoOffer::UpToDate(_)) => {
                last = Instant::now();
                String::new()
            }
            Err(NoOffer::Refused(why)) => why,
        };
        // Once for each kind of news, not once an hour.
        let kind: String = text.chars().filter(|c| !c.is_ascii_digit()).collect();
        if kind != told && !text.is_empty() {
            say(&text);
        }
        told = kind;
        sleep(pause);
    }
}
