//! Prints the figures of the simulator.
//!
//! `sim` prints all tables, `sim NAME ...` some of them. `SIM_SEED` sets the first seed,
//! `SIM_ACCEPT=1` writes the snapshots. `sim storm [N]` plays N random stories.
#![allow(clippy::print_stdout, reason = "printing is what it is for")]

use sim::figures::{ALL, storm};
use sim::report::seed;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.first().is_some_and(|a| a == "storm") {
        return storms(args.get(1).and_then(|n| n.parse().ok()).unwrap_or(100));
    }
    if let Some(unknown) = args.iter().find(|a| ALL.iter().all(|(name, _)| name != a)) {
        let names: Vec<&str> = ALL.iter().map(|(name, _)| *name).collect();
        eprintln!("no figure is called {unknown:?}; there are {}, and storm", names.join(", "));
        return ExitCode::from(2);
    }
    for (name, make) in ALL.iter().filter(|(name, _)| args.is_empty() || args.iter().any(|a| a == name)) {
        let table = make(seed());
        println!("{}", table.text());
        if std::env::var_os("SIM_ACCEPT").is_some() {
            table.check(name);
        }
    }
    ExitCode::SUCCESS
}

fn storms(stories: u64) -> ExitCode {
    let mut failed = 0;
    for seed in seed()..seed() + stories {
        if let Err(why) = storm::play(seed) {
            failed += 1;
            println!("{why}\n");
        }
    }
    println!("{stories} stories, {failed} ended badly");
    ExitCode::from(u8::from(failed > 0))
}
