//! The commands of the program.
//!
//! Every command but `run`, `lab`, `config check` and those that print a text talks to a running
//! node over its control socket; `doctor` does without one, too. Output goes to a writer that the caller gives, so that a closed
//! pipe ends a command quietly.

mod batctl;
mod doctor;
mod echo;
pub(crate) mod events;
pub(crate) mod explain;
mod history;
mod home;
mod import_uci;
mod join;
mod list;
mod monitor;
pub mod names;
mod node;
mod resolve;
mod scan;
mod setup;
pub mod share;
mod source;
pub mod status;
pub mod table;
mod throughput;
#[cfg(feature = "desk")]
mod top;
mod upgrade;

use crate::args::{self, Args, Id, Parsed, UsageError};
use crate::control::json::{self, Value};
use config::{Config, Control, LoadError, Overrides};
use std::ffi::OsString;
use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Where a command prints.
type Out<'a> = &'a mut dyn Write;

/// Runs the program; `words` is its command line, its own name first.
///
/// Exit codes: 0 done, 1 failed, 2 the command line or the configuration is wrong and nothing was
/// started. `lab` has its own; `doctor` ends with 3 for warnings and 4 for errors.
pub fn main(words: impl IntoIterator<Item = OsString>) -> ExitCode {
    crate::sys::fault::tell();
    let mut out = io::stdout().lock();
    let words = args::batctl::translate(words.into_iter().collect());
    let done = match words.and_then(args::parse) {
        Ok(Parsed::Help(path)) => print(&mut out, &args::help::help(&path)),
        Ok(Parsed::Version) => version(false, &mut out),
        Ok(Parsed::Run(args)) => return command(&args, &mut out),
        Err(error) => Err(error.into()),
    };
    exit_code(done, &mut out)
}

fn command(args: &Args, out: Out<'_>) -> ExitCode {
    #[cfg(feature = "lab")]
    if matches!(args.command.id, Id::Lab | Id::LabAsk) {
        // The lab enters namespaces, which a process may do only while it has one thread and
        // before it has a runtime.
        return lab(args, out);
    }
    let done = dispatch(args, out);
    exit_code(done, out)
}

/// 0, 1 or 2, and what went wrong on standard error.
fn exit_code(done: anyhow::Result<()>, out: Out<'_>) -> ExitCode {
    let Err(error) = done.and_then(|()| Ok(out.flush()?)) else { return ExitCode::SUCCESS };
    if error.is::<Quiet>() {
        return ExitCode::FAILURE;
    }
    if let Some(Ended(code)) = error.downcast_ref() {
        return ExitCode::from(*code);
    }
    // Whoever reads has read enough: `meshwork o | head`.
    if error.chain().any(|e| e.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == ErrorKind::BrokenPipe)) {
        return ExitCode::SUCCESS;
    }
    eprintln!("meshwork: {error:#}");
    let wrong = error.is::<UsageError>() || error.is::<LoadError>();
    if wrong { ExitCode::from(2) } else { ExitCode::FAILURE }
}

/// The command failed and has said so in its own output.
#[derive(Debug)]
struct Quiet;

impl fmt::Display for Quiet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("failed")
    }
}

impl std::error::Error for Quiet {}

/// The command did its work and ends with this code.
#[derive(Debug)]
struct Ended(u8);

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ended with {}", self.0)
    }
}

impl std::error::Error for Ended {}

fn dispatch(args: &Args, out: Out<'_>) -> anyhow::Result<()> {
    match args.command.id {
        #[cfg(feature = "desk")]
        Id::Man => print(out, &args::man::page()),
        #[cfg(feature = "desk")]
        Id::Completions => completions(args, out),
        Id::Version => version(args.has("json"), out),
        Id::ConfigCheck => config_check(args, out),
        Id::ImportUci => import_uci::run(args, out),
        Id::Scan => scan::run(args, out),
        Id::Setup => setup::run(args, out),
        Id::Upgrade
        | Id::UpgradeCheck
        | Id::UpgradeApply
        | Id::UpgradeConfirm
        | Id::UpgradeBack
        | Id::UpgradeService => upgrade::run(args, out),
        _ => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(dispatch_async(args, out))
        }
    }
}

async fn dispatch_async(args: &Args, out: Out<'_>) -> anyhow::Result<()> {
    match args.command.id {
        Id::Run => node::run(args).await,
        Id::Join => join::run(args, out).await,
        Id::Home => home::run(args, out).await,
        Id::Ping => echo::ping(args, out).await,
        Id::Traceroute => echo::traceroute(args, out).await,
        Id::Translate => echo::translate(args, out).await,
        Id::Throughput => throughput::run(args, out).await,
        Id::Monitor => monitor::run(args, out).await,
        Id::Events => events::run(args, out).await,
        Id::History => history::run(args, out).await,
        Id::Explain => explain::run(args, out).await,
        Id::Doctor => doctor::run(args, out).await,
        #[cfg(feature = "desk")]
        Id::Live => top::run(args).await,
        Id::Batctl => batctl::run(args, out).await,
        Id::Json => list::bare_json(args, out).await,
        _ => list::run(args, out).await,
    }
}

/// The control socket that the flags lead to.
fn socket(args: &Args) -> PathBuf {
    args.value("socket").map_or_else(|| Control::usual_socket(args.value_or_default("mesh")), PathBuf::from)
}

fn print(out: Out<'_>, text: &str) -> anyhow::Result<()> {
    Ok(out.write_all(text.as_bytes())?)
}

/// Prints a value as one line of JSON.
fn print_json(out: Out<'_>, value: &mut dyn Value) -> anyhow::Result<()> {
    let mut line = json::text(value);
    line.push(b'\n');
    Ok(out.write_all(&line)?)
}

fn version(json: bool, out: Out<'_>) -> anyhow::Result<()> {
    let version = env!("CARGO_PKG_VERSION");
    if !json {
        return Ok(writeln!(out, "meshwork {version} (batman-adv compat {})", packet::consts::VERSION)?);
    }
    let versions = serde_json::json!({
        "format": crate::control::FORMAT, "version": version, "compat": packet::consts::VERSION, "algo_name": "BATMAN_IV",
    });
    Ok(writeln!(out, "{versions}")?)
}

#[cfg(feature = "desk")]
fn completions(args: &Args, out: Out<'_>) -> anyhow::Result<()> {
    let shell = args.operand(0).unwrap_or_default();
    let script = args::complete::script(shell)
        .ok_or_else(|| UsageError::new(format!("found {shell:?}, allowed: bash, zsh or fish")))?;
    print(out, &script)
}

fn config_check(args: &Args, out: Out<'_>) -> anyhow::Result<()> {
    let file = args.operand(0).map(Path::new);
    if let Some(mesh) = args.value("uci") {
        return uci_check(args, mesh, out);
    }
    let config = Config::load(file, &Overrides::default())?;
    if args.has("print") {
        return print(out, &config.to_string());
    }
    let shown = file.unwrap_or(Path::new(config::DEFAULT_FILE));
    let state = match (shown.exists(), config.links.len()) {
        (false, _) => "is not there; the defaults hold, and run needs -i IF".to_owned(),
        (true, 0) => "is good; it names no hard interface, so run needs -i IF".to_owned(),
        (true, 1) => "is good, with one hard interface".to_owned(),
        (true, n) => format!("is good, with {n} hard interfaces"),
    };
    Ok(writeln!(out, "{} {state}", shown.display())?)
}

/// The same for OpenWrt's files, of which a node takes what is good.
fn uci_check(args: &Args, mesh: &str, out: Out<'_>) -> anyhow::Result<()> {
    if args.operand(0).is_some() {
        return Err(UsageError::new("--uci and FILE name two configurations: leave one out").into());
    }
    let source = source::Source::uci(args, mesh, PathBuf::new(), Overrides::default());
    let source::Loaded { config, complaints } = source.load()?;
    complaints.iter().for_each(|text| eprintln!("meshwork: {text}"));
    if args.has("print") {
        print(out, &config.to_string())?;
    } else if complaints.is_empty() {
        let links = config.links.len();
        writeln!(out, "{}: good, hard interfaces: {links}", source.shown().unwrap_or_default())?;
    }
    if complaints.is_empty() { Ok(()) } else { Err(Ended(2).into()) }
}

#[cfg(feature = "lab")]
fn lab(args: &Args, out: Out<'_>) -> ExitCode {
    // What is left to check is what only the lab knows: shapes, numbers, names of nodes.
    let action = crate::lab::Action::parse(args.words()).map_err(|e| UsageError::new(format!("{e:#}")).into());
    match action.and_then(crate::lab::main) {
        Ok(code) => code,
        Err(error) => exit_code(Err(error), out),
    }
}
