//! `upgrade`: what is offered, what is on trial, and the service that looks after both.

use super::Out;
use crate::args::{Args, Id};
use crate::upgrades::service::{self, NoOffer};
use crate::upgrades::{CPU, Machine, Settings, VERSION, command, firmware, program};
use anyhow::{Context as _, anyhow};
use nix::sys::signal::{SigSet, Signal};
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::time::Duration;
use upgrade::Kind;

/// Runs one of the `upgrade` commands.
///
/// # Errors
/// What could not be done, or why an upgrade is refused.
pub(super) fn run(args: &Args, out: Out<'_>) -> anyhow::Result<()> {
    let machine = Machine::new(args.value_or_default("root"));
    let settings = settings(args, &machine)?;
    match args.command.id {
        Id::UpgradeCheck => check(args, &machine, &settings, out),
        Id::UpgradeApply => apply(args, &machine, settings, out),
        Id::UpgradeConfirm => decide(&machine, true, "somebody said so", out),
        Id::UpgradeBack => decide(&machine, false, "somebody said so", out),
        Id::UpgradeService => serve(args, &machine, &settings),
        _ => status(args, &machine, &settings, out),
    }
}

/// The settings of the file; a file that is not there says nothing.
fn settings(args: &Args, machine: &Machine) -> anyhow::Result<Settings> {
    let path = machine.at(args.value_or_default("settings"));
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(e) => return Err(e).with_context(|| format!("{}", path.display())),
    };
    let mut settings = Settings::parse(&text).map_err(|e| anyhow!("{}, {e}", path.display()))?;
    // Only one of the commands has the flag.
    settings.without_way_back |= args.command.id == Id::UpgradeApply && args.has("without-way-back");
    Ok(settings)
}

fn source<'a>(args: &'a Args, settings: &'a Settings) -> anyhow::Result<&'a str> {
    let source = args.operand(0).or(settings.source.as_deref());
    source.context("where from? Name a folder or an address, or set option source in /etc/config/meshwork-upgrade")
}

fn offer(args: &Args, machine: &Machine, settings: &Settings) -> anyhow::Result<Result<service::Offer, String>> {
    match service::look(machine, settings, source(args, settings)?) {
        Ok(offer) => Ok(Ok(offer)),
        Err(NoOffer::UpToDate(why)) => Ok(Err(why)),
        Err(NoOffer::Refused(why)) => Err(anyhow!(why)),
    }
}

fn check(args: &Args, machine: &Machine, settings: &Settings, out: Out<'_>) -> anyhow::Result<()> {
    let offer = match offer(args, machine, settings)? {
        Ok(offer) => offer,
        Err(why) if args.has("json") => {
            return Ok(writeln!(out, "{}", serde_json::json!({"offered": false, "why": why}))?);
        }
        Err(why) => return Ok(writeln!(out, "Nothing newer: {why}.")?),
    };
    let (manifest, image) = (&offer.manifest, &offer.image);
    let (wait, role) = service::moment(machine, manifest);
    let mut way_back = true;
    if image.kind == Kind::Firmware {
        firmware::fits(machine, image).map_err(|e| anyhow!(e))?;
        way_back = !firmware::way_back(machine).is_empty();
    }
    if args.has("json") {
        let answer = serde_json::json!({
            "offered": true, "serial": manifest.serial, "version": manifest.version, "kind": image.kind.word(),
            "name": image.name, "bytes": image.size, "signers": offer.signers, "role": role.word(),
            "wait_secs": wait.as_secs(), "way_back": way_back,
        });
        return Ok(writeln!(out, "{answer}")?);
    }
    writeln!(
        out,
        "Serial {}, version {}: {} {}, {} bytes",
        manifest.serial,
        manifest.version,
        image.kind.word(),
        image.name,
        image.size
    )?;
    writeln!(out, "Signed by {} signers that this node believes; {} are needed", offer.signers, settings.signers)?;
    writeln!(out, "By itself this node would wait {}, as a {}", hours(wait), role.word())?;
    if !way_back {
        writeln!(out, "This device has no room for two firmwares: nothing leads back")?;
    }
    Ok(())
}

fn apply(args: &Args, machine: &Machine, settings: Settings, out: Out<'_>) -> anyhow::Result<()> {
    let lock = machine.lock().map_err(|e| anyhow!(e))?;
    let offer = match offer(args, machine, &settings)? {
        Ok(offer) => offer,
        Err(why) => return Ok(writeln!(out, "Nothing newer: {why}.")?),
    };
    service::apply(machine, &settings, &offer, source(args, &settings)?).map_err(|e| anyhow!(e))?;
    drop(lock);
    if offer.image.kind == Kind::Firmware {
        return Ok(writeln!(out, "The firmware is being written; the machine starts anew.")?);
    }
    let minutes = settings.trial.as_secs().div_ceil(60);
    writeln!(
        out,
        "Version {} runs. It stays if it sees a neighbour within {minutes} minutes.",
        offer.manifest.version
    )?;
    out.flush()?;
    let init = machine.at("/etc/init.d/meshwork-upgrade");
    if init.exists() {
        // It looks on with the former program, also when this terminal came over the mesh and is gone.
        return command::run(&init, &["restart"], Duration::from_secs(60)).map(|_| ()).map_err(|e| anyhow!(e));
    }
    hold_on();
    guard(machine, &settings)
}

fn decide(machine: &Machine, stays: bool, why: &str, out: Out<'_>) -> anyhow::Result<()> {
    let mut state = machine.state();
    service::decide(machine, &mut state, stays, why).map_err(|e| anyhow!(e))?;
    Ok(writeln!(out, "{}", state.last)?)
}

/// The service. It ends when there is nothing on trial and nothing to look for.
fn serve(args: &Args, machine: &Machine, settings: &Settings) -> anyhow::Result<()> {
    let on_trial = machine.state().trial.is_some();
    guard(machine, settings)?;
    if !on_trial {
        service::watch(machine, settings, &mut note).map_err(|e| anyhow!(e))?;
        if machine.state().trial.is_none() {
            return Ok(());
        }
        guard(machine, settings)?;
    }
    // Whatever program holds now goes on; this process still runs the former one.
    let program = machine.at(program::PROGRAM);
    let words = ["--root", args.value_or_default("root"), "--settings", args.value_or_default("settings")];
    Err(Command::new(&program).args(["upgrade", "service"]).args(words).exec())
        .with_context(|| format!("{}", program.display()))
}

fn guard(machine: &Machine, settings: &Settings) -> anyhow::Result<()> {
    let _lock = machine.lock().map_err(|e| anyhow!(e))?;
    service::guard(machine, settings, &mut note).map_err(|e| anyhow!(e))
}

fn note(text: &str) {
    if !text.is_empty() {
        eprintln!("meshwork upgrade: {text}");
    }
}

/// Goes on when the terminal is gone, which a restart of the node may well do to it.
fn hold_on() {
    let mut hangup = SigSet::empty();
    hangup.add(Signal::SIGHUP);
    // Where the system refuses, it only ends with its terminal.
    let _ = hangup.thread_block();
}

fn status(args: &Args, machine: &Machine, settings: &Settings, out: Out<'_>) -> anyhow::Result<()> {
    let state = machine.state();
    let serial = machine.known_serial(&state);
    let believable = settings.believable();
    if args.has("json") {
        let trial = state.trial.as_ref().map(|t| {
            serde_json::json!({"serial": t.serial, "kind": t.kind.word(), "from": t.from, "starts": t.starts,
                "had_neighbor": t.had_neighbor, "way_back": t.kind == Kind::Program || !t.way_back.is_empty()})
        });
        let pending = state.pending.map(|(serial, secs)| serde_json::json!({"serial": serial, "waited_secs": secs}));
        let answer = serde_json::json!({
            "version": VERSION, "cpu": CPU, "board": machine.board(), "serial": serial, "failed": state.failed,
            "enabled": settings.enabled, "source": settings.source, "branch": settings.branch,
            "signers": settings.signers, "keys": settings.keys.len(), "kind": settings.kind.word(),
            "pending": pending, "trial": trial, "last": state.last,
        });
        return Ok(writeln!(out, "{answer}")?);
    }
    let board = machine.board();
    let board = if board.is_empty() { String::new() } else { format!(", board {board}") };
    writeln!(out, "Running:   version {VERSION} for {CPU}{board}, serial {serial}")?;
    let from = settings.source.as_deref().unwrap_or("nowhere");
    let how = if settings.enabled { "by itself" } else { "only when told" };
    writeln!(out, "Looks:     {how}, for a {} of branch {} from {from}", settings.kind.word(), settings.branch)?;
    match believable {
        Ok(()) => writeln!(out, "Believes:  {} of {} signers", settings.signers, settings.keys.len())?,
        Err(why) => writeln!(out, "Believes:  nobody. {why}")?,
    }
    if let Some((serial, secs)) = state.pending {
        writeln!(out, "Waiting:   serial {serial}, for {} so far", hours(Duration::from_secs(secs)))?;
    }
    if let Some(t) = &state.trial {
        writeln!(
            out,
            "On trial:  serial {}, a {} in place of {}, start {}",
            t.serial,
            t.kind.word(),
            t.from,
            t.starts
        )?;
    }
    if !state.last.is_empty() {
        writeln!(out, "Last:      {}", state.last)?;
    }
    Ok(())
}

/// `3 h 20 min`.
fn hours(time: Duration) -> String {
    let minutes = time.as_secs() / 60;
    if minutes < 60 { format!("{minutes} min") } else { format!("{} h {} min", minutes / 60, minutes % 60) }
}
