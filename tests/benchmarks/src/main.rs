//! Measures Meshwork on this machine: speed against a plain bridge in the same run, resident
//! memory next to a played mesh. Started by `tests/bench`, which makes the room for it.

mod cpu;
mod memory;
mod originators;
mod report;
mod scheduler;
mod speed;
mod traffic;
mod world;

use anyhow::{Context, Result, bail, ensure};
use lexopt::{Arg, Parser, ValueExt};
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

const HELP: &str = "\
usage: meshwork-bench [--meshwork PROGRAM] [--logs DIR] [--rounds N] [--check] [--static-kib N] [speed] [memory]
                      [scheduler]
       meshwork-bench udp-send ADDRESS:PORT PAYLOAD RATE SECONDS    RATE 0: as fast as it goes
       meshwork-bench udp-sink ADDRESS:PORT                         a line in, the count out
       meshwork-bench tcp-send ADDRESS:PORT SECONDS
       meshwork-bench tcp-sink ADDRESS:PORT
       meshwork-bench originators INTERFACE ORIGINATORS CLIENTS     plays a mesh";

/// What to measure, and how.
#[derive(Debug)]
struct Plan {
    meshwork: PathBuf,
    logs: PathBuf,
    rounds: Option<usize>,
    check: bool,
    /// Size of the static program, measured before; a row of the table.
    static_kib: Option<f64>,
    parts: Vec<String>,
}

fn main() -> ExitCode {
    match start() {
        Ok(code) => code,
        Err(e) => {
            eprintln!("meshwork-bench: {e:#}");
            ExitCode::FAILURE
        }
    }
}

fn start() -> Result<ExitCode> {
    let mut plan = Plan {
        meshwork: "meshwork".into(),
        logs: ".".into(),
        rounds: None,
        check: false,
        static_kib: None,
        parts: Vec::new(),
    };
    let mut parser = Parser::from_env();
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Long("meshwork") => plan.meshwork = parser.value()?.into(),
            Arg::Long("logs") => plan.logs = parser.value()?.into(),
            Arg::Long("rounds") => plan.rounds = Some(parser.value()?.parse()?),
            Arg::Long("static-kib") => plan.static_kib = Some(parser.value()?.parse()?),
            Arg::Long("check") => plan.check = true,
            Arg::Long("help") | Arg::Short('h') => {
                println!("{HELP}");
                return Ok(ExitCode::SUCCESS);
            }
            Arg::Value(word) => plan.parts.push(word.string()?),
            _ => return Err(arg.unexpected().into()),
        }
    }
    let words: Vec<&str> = plan.parts.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["udp-send", to, payload, rate, time] => {
            println!("{}", traffic::udp_send(number(to)?, number(payload)?, number(rate)?, seconds(time)?)?);
        }
        ["udp-sink", at] => traffic::udp_sink(number(at)?)?,
        ["tcp-send", to, time] => println!("{}", traffic::tcp_send(number(to)?, seconds(time)?)?),
        ["tcp-sink", at] => traffic::tcp_sink(number(at)?)?,
        ["originators", interface, count, clients] => {
            let count = number(count)?;
            ensure!(count > 0, "at least the neighbour itself is an originator");
            originators::play(interface, count, number(clients)?)?;
        }
        parts if parts.iter().all(|p| ["speed", "memory", "scheduler"].contains(p)) => return measure(&plan),
        _ => bail!("{HELP}"),
    }
    Ok(ExitCode::SUCCESS)
}

fn measure(plan: &Plan) -> Result<ExitCode> {
    let bench = std::env::current_exe()?;
    let has = |part| plan.parts.is_empty() || plan.parts.iter().any(|p| p == part);
    let mut verdict = report::Verdict::default();
    let mut table = report::Table::new(&["A - R - B", "bridge", "meshwork", "ratio", "wanted", "rounds"]);
    if has("speed") {
        let effort = speed::Effort {
            rounds: plan.rounds.unwrap_or(if plan.check { 3 } else { 5 }),
            window: Duration::from_millis(if plan.check { 700 } else { 1000 }),
        };
        speed::run(&bench, &plan.meshwork, &plan.logs, effort, !plan.check, &mut table, &mut verdict)?;
    }
    if has("memory") {
        memory::run(&bench, &plan.meshwork, &plan.logs, plan.check, &mut table, &mut verdict)?;
    }
    // By name only: it is about one part of the program.
    if plan.parts.iter().any(|p| p == "scheduler") {
        let rounds = plan.rounds.unwrap_or(5);
        scheduler::run(&bench, &plan.meshwork, &plan.logs, rounds, &mut table, &mut verdict)?;
    }
    if let Some(kib) = plan.static_kib {
        // Judged where it was measured.
        let bound = report::Bound::Most(2048.0);
        table.row([
            "static program without lab, KiB".into(),
            String::new(),
            kib.to_string(),
            String::new(),
            bound.to_string(),
        ]);
    }
    println!("\n{table}");
    println!("in short: {}", verdict.judged.join("; "));
    for missed in &verdict.missed {
        println!("missed: {missed}");
    }
    Ok(if verdict.missed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn number<T: FromStr>(text: &str) -> Result<T>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    text.parse().with_context(|| format!("unexpected {text:?}"))
}

fn seconds(text: &str) -> Result<Duration> {
    Ok(Duration::try_from_secs_f64(number(text)?)?)
}
