//! A neighbourhood on one machine, to look at and to break: `meshwork lab`.
//!
//! Every node is the real daemon in a network namespace of its own. Either their radios are TAP
//! devices whose other side the lab holds and joins by a simulated channel, or veth pairs join
//! them. Clients behind some nodes are namespaces too; they ping each other and run TCP.
//!
//! ```text
//!  client namespace    node namespace                           lab process
//!  eth0 ─── veth ─── client ─ br0 ─ mesh0 ─ daemon ─ wlan0 ───── TAP ─ air ─ TAP ─── ...
//! ```
//!
//! `topology` says who is in reach of whom, `medium` is the channel as a pure machine and
//! `air` its thread; `node`, `client` and `world` build and change the neighbourhood;
//! `reach`, `ping`, `transfer` and `watch` find out how it does; `live` is the loop,
//! `report` what it knows, `screen` and `terminal` what people see, `web` what their browsers see,
//! `remote` the way in from other terminals. Nothing of it needs another program; all of it ends with the process.

mod air;
mod client;
mod folder;
mod ground;
mod live;
mod medium;
mod namespace;
mod netlink;
mod node;
mod options;
mod picture;
mod ping;
mod reach;
mod remote;
mod report;
mod screen;
mod terminal;
mod topology;
mod transfer;
mod watch;
mod web;
mod world;

pub use options::{Action, MediumKind, Options};
pub use remote::Request;

use anyhow::{Context, Result};
use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tokio::net::UnixListener;
use tokio::sync::mpsc;

/// Does what was asked on the command line. Call it before any thread exists: where user
/// namespaces give the rights, only a lone thread can enter one.
///
/// Ends with 0; with 1 when a timed run leaves a pair of clients without an answer; with 130
/// when a timed run was interrupted.
///
/// # Errors
/// What is missing on this machine and how to get it, or what is wrong with the request.
pub fn main(action: Action) -> Result<ExitCode> {
    match action {
        Action::Run(options) => run(options),
        Action::Ask { dir, json, request } => ask(dir.as_deref(), json, &request).map(|()| ExitCode::SUCCESS),
    }
}

fn run(options: Options) -> Result<ExitCode> {
    let topology = topology::Topology::from_spec(&options.topology_spec(), options.seed)?;
    let dir = options.dir.clone().unwrap_or_else(ground::usual_dir);
    let dir = std::path::absolute(&dir).with_context(|| format!("folder {}", dir.display()))?;
    ground::check_clients(options.clients.unwrap_or(topology.nodes.len()).min(topology.nodes.len()))?;
    ground::raise_file_limit();
    // Afterwards this process has a network of its own, where no browser is.
    let door = web::Door::open()?;
    let rights = ground::prepare()?;
    let folder = folder::Folder::open(&dir, options.dir.is_some())?;
    let (json, timed) = (options.json, options.run_for.is_some());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ending = runtime.block_on(async {
        let (answers_in, answers) = mpsc::unbounded_channel();
        let world = world::World::build(&options, &topology, folder.path(), answers_in)?;
        let (commands_in, commands) = mpsc::channel(8);
        let listener = UnixListener::bind(remote::socket_in(folder.path())).context("the lab's socket")?;
        tokio::spawn(remote::serve(listener, commands_in.clone()));
        let page = door.address.clone();
        tokio::spawn(door.serve(folder.path().to_owned(), commands_in));
        live::Live::run(options, rights, world, live::Channels { answers, commands, page }).await
    });
    // Threads that still wait for a transfer must not hold the end up.
    runtime.shutdown_background();
    drop(folder);
    let ending = ending?;
    match json {
        true => print(&(serde_json::to_string_pretty(&ending.report)? + "\n"))?,
        false => live::print_report(&ending.report)?,
    }
    Ok(match (timed, ending.interrupted, ending.report.all_reachable) {
        (false, ..) | (true, false, true) => ExitCode::SUCCESS,
        (true, true, _) => ExitCode::from(130),
        (true, false, false) => ExitCode::FAILURE,
    })
}

fn ask(dir: Option<&Path>, json: bool, request: &Request) -> Result<()> {
    let dir = dir.map_or_else(ground::usual_dir, PathBuf::from);
    let answer = remote::request(&dir, request)?;
    match answer {
        Value::String(text) if !json => print(&(text + "\n")),
        answer if json => print(&(serde_json::to_string_pretty(&answer)? + "\n")),
        answer => {
            let report = serde_json::from_value(answer).context("the lab that runs is of another version")?;
            live::print_report(&report).context("standard output")
        }
    }
}

fn print(text: &str) -> Result<()> {
    std::io::stdout().lock().write_all(text.as_bytes()).context("standard output")
}
