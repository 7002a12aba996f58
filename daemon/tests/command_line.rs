//! The command line: what the table promises, parser, help, manual page and completions keep.
#![allow(clippy::unwrap_used, reason = "test code")]

use config::{Config, Overrides};
use meshwork::args::table::{Command, FRAME_TYPE_NAMES, OVERRIDES, PROGRAM};
use meshwork::args::{self, Args, Id, Parsed};
use meshwork::setup;
use std::collections::BTreeSet;
use std::ffi::OsString;
#[cfg(feature = "desk")]
use std::io::Write;
#[cfg(feature = "desk")]
use std::process::{Command as Process, Stdio};

fn parse(line: &str) -> Result<Parsed, String> {
    let words = std::iter::once("meshwork").chain(line.split_whitespace());
    args::parse(words.map(OsString::from)).map_err(|e| e.to_string())
}

fn run(line: &str) -> Args {
    match parse(line) {
        Ok(Parsed::Run(args)) => args,
        other => panic!("{line}: {other:?}"),
    }
}

fn error(line: &str) -> String {
    match parse(line) {
        Err(text) => text,
        Ok(other) => panic!("{line} was taken as {other:?}"),
    }
}

/// Every command with the commands that lead to it.
fn all() -> Vec<Vec<&'static Command>> {
    let mut all = vec![vec![&PROGRAM]];
    for command in PROGRAM.commands {
        all.push(vec![&PROGRAM, command]);
        all.extend(command.commands.iter().map(|below| vec![&PROGRAM, command, below]));
    }
    all
}

fn leaf(path: &[&'static Command]) -> &'static Command {
    path[path.len() - 1]
}

#[test]
fn names_are_unique() {
    for path in all() {
        let command = leaf(&path);
        let mut words = BTreeSet::new();
        for below in command.commands {
            for word in std::iter::once(&below.name).chain(below.aliases) {
                assert!(words.insert(*word), "{word} is there twice below {}", command.name);
            }
        }
        let (mut long, mut short) = (BTreeSet::new(), BTreeSet::new());
        for flag in command.all_flags() {
            assert!(long.insert(flag.long), "--{} is there twice in {}", flag.long, command.name);
            assert!(flag.short.is_none_or(|s| short.insert(s)), "-{:?} is there twice in {}", flag.short, command.name);
        }
        assert!(long.contains("help"), "{} has no --help", command.name);
    }
}

#[test]
fn every_command_explains_itself() {
    for path in all() {
        let command = leaf(&path);
        let help = args::help::help(&path);
        for line in help.lines() {
            assert!(line.chars().count() <= 80, "{}: too long: {line}", command.name);
            assert_eq!(line.trim_end(), line, "{}: blanks at the end", command.name);
        }
        for flag in command.all_flags() {
            assert!(
                help.contains(&format!("--{}", flag.long)),
                "--{} is missing in the help of {}",
                flag.long,
                command.name
            );
        }
        for below in command.commands {
            assert!(help.contains(&format!("\n  {}", below.name)), "{} is missing in the help", below.name);
        }
        for operand in command.operands {
            assert!(help.contains(operand.name), "{} is missing in the help of {}", operand.name, command.name);
        }
        assert!(!command.summary.is_empty() && !command.summary.ends_with('.'), "{}", command.name);
    }
}

#[test]
fn help_of_a_command_to_the_letter() {
    let Ok(Parsed::Help(path)) = parse("help translate") else { panic!() };
    assert_eq!(
        args::help::help(&path),
        "\
Usage: meshwork translate [FLAGS] HOST

HOST is what \"meshwork ping\" takes.

  HOST                    the client

Flags:
  -j, --json              print one line of JSON instead
  -m, --mesh NAME         the node's mesh interface [mesh0]
      --socket PATH       the node's control socket; goes before --mesh
                          [/run/meshwork/NAME.sock]
  -h, --help              print this help

Also called: t
"
    );
}

#[test]
fn every_alias_leads_to_its_command() {
    for command in PROGRAM.commands.iter().filter(|c| c.operands.iter().all(|o| o.optional)) {
        for word in std::iter::once(&command.name).chain(command.aliases) {
            match parse(word) {
                Ok(Parsed::Run(args)) => assert_eq!(args.command.id, command.id, "{word}"),
                Ok(Parsed::Help(_)) => assert_eq!(command.id, Id::Help, "{word}"),
                other => assert_eq!(command.id, Id::Config, "{word}: {other:?}"),
            }
        }
    }
}

#[test]
fn batctls_habits_work() {
    let args = run("o -w 2 -H -n");
    assert_eq!(args.command.id, Id::Originators);
    assert_eq!((args.value("watch"), args.has("no-header"), args.has("numeric")), (Some("2"), true, true));
    assert_eq!(run("o -w0.5").seconds("watch").unwrap().unwrap().as_millis(), 500);
    assert_eq!(run("o -w").value("watch"), Some(""));
    // A flag behind -w is not its value.
    let args = run("o -w -n");
    assert_eq!((args.value("watch"), args.has("numeric")), (Some(""), true));
    assert_eq!(run("p -c 3 -i 0.2 02:00:00:00:00:01").operand(0), Some("02:00:00:00:00:01"));
    assert_eq!(run("-m bat0 n").value("mesh"), Some("bat0"));
    assert_eq!(run("td -p ogm").value("only"), Some("ogm"));
    assert_eq!(run("nj").called, "nj");
}

#[test]
fn flags_may_stand_before_the_command() {
    let args = run("--json -m bat1 --socket=/tmp/s originators");
    assert_eq!((args.has("json"), args.value("mesh"), args.value("socket")), (true, Some("bat1"), Some("/tmp/s")));
    assert_eq!(error("--json man"), "\"meshwork man\" takes no --json\nTry \"meshwork man --help\".");
}

#[test]
fn defaults_come_from_the_table() {
    let args = run("ping roof");
    assert_eq!(args.value("interval"), None);
    assert_eq!(args.value_or_default("interval"), "1");
    assert_eq!(args.seconds("timeout").unwrap().unwrap().as_secs(), 1);
    assert_eq!(args.parsed::<u64>("count", "a number").unwrap(), None);
    assert_eq!(run("ping -c 5 roof").parsed::<u64>("count", "a number").unwrap(), Some(5));
}

#[test]
fn mistakes_get_a_suggestion() {
    for (line, text) in [
        ("orignators", "unknown command \"orignators\"; did you mean \"originators\"?\nTry \"meshwork --help\"."),
        ("neighbours", "unknown command \"neighbours\"; did you mean \"neighbors\"?\nTry \"meshwork --help\"."),
        ("zzz", "unknown command \"zzz\"\nTry \"meshwork --help\"."),
        ("o --wacth", "unknown flag --wacth; did you mean --watch?\nTry \"meshwork originators --help\"."),
        ("o -Z", "unknown flag -Z\nTry \"meshwork originators --help\"."),
        (
            "run --hop_penalty 3",
            "unknown flag --hop_penalty; did you mean --hop-penalty?\nTry \"meshwork run --help\".",
        ),
        (
            "-c 3 ping x",
            "unknown flag -c; it belongs behind a command, as in \"meshwork run -c\"\nTry \"meshwork --help\".",
        ),
        ("ping", "HOST is missing: whom to ask\nTry \"meshwork ping --help\"."),
        ("ping a b", "unexpected \"b\"\nTry \"meshwork ping --help\"."),
        ("config", "what to do with the configuration? There is: check\nTry \"meshwork config --help\"."),
        ("config chekc", "unknown command \"chekc\"; did you mean \"check\"?\nTry \"meshwork config --help\"."),
        ("help pnig", "unknown command \"pnig\"; did you mean \"ping\"?\nTry \"meshwork --help\"."),
        ("run --mtu", "missing argument for option '--mtu'\nTry \"meshwork run --help\"."),
        (
            "run --no-fast-start=yes",
            "unexpected argument for option '--no-fast-start': \"yes\"\nTry \"meshwork run --help\".",
        ),
    ] {
        assert_eq!(error(line), text, "{line}");
    }
}

#[test]
fn a_service_newer_than_the_program_still_starts_it() {
    let args = run("run --uci mesh0 --news 7 --socket /tmp/s --more=1 --switch --user me");
    assert_eq!(
        (args.value("uci"), args.value("socket"), args.value("user")),
        (Some("mesh0"), Some("/tmp/s"), Some("me"))
    );
    for line in ["run --news 7", "run --news 7 --uci mesh0", "config check --uci mesh0 --news"] {
        assert!(error(line).starts_with("unknown flag --news"), "{line}");
    }
}

#[test]
fn wrong_values_say_what_is_allowed() {
    let text = |e: args::UsageError| e.to_string();
    assert_eq!(
        text(run("o -w 0").seconds("watch").unwrap_err()),
        "--watch: found \"0\", allowed: seconds above zero like 1 or 0.2, at most a day"
    );
    assert_eq!(
        text(run("ping -c many x").parsed::<u64>("count", "a whole number above 0").unwrap_err()),
        "--count: found \"many\", allowed: a whole number above 0"
    );
}

#[test]
fn flags_of_run_override_the_file() {
    let args = run(
        "run -i wlan0 --interface eth1 -m bat0 --mac 02:00:00:00:00:07 --mtu 1400 --hop-penalty 15 --orig-interval 2s \
         --no-dat --no-bla --no-fast-start --no-aggregation --no-fragmentation --portable-io --socket /tmp/s --state-dir /tmp/d --log debug",
    );
    let config = Config::parse("m.toml", "", &setup::overrides(&args)).unwrap();
    // All other settings are the defaults.
    let (usual, said) = (Config::default().to_string(), config.to_string());
    let changed: Vec<&str> = said.lines().filter(|line| !usual.lines().any(|other| other == *line)).collect();
    let link = |name| config::Link { io: config::Io::Portable, ..config::Link::new(name) };
    assert_eq!(config.links, [link("wlan0"), link("eth1")]);
    assert_eq!(
        changed.into_iter().take_while(|line| !line.contains("[link]")).collect::<Vec<_>>(),
        [
            "name = \"bat0\"",
            "mac = \"02:00:00:00:00:07\"",
            "mtu = 1400",
            "hop_penalty = 15",
            "orig_interval = \"2s\"",
            "aggregation = false",
            "fragmentation = false",
            "fast_start = false",
            "distributed_arp_table = false",
            "bridge_loop_avoidance = false",
            "state_dir = \"/tmp/d\"",
        ]
    );
    assert!(said.contains("socket = \"/tmp/s\"") && said.contains("level = \"debug\""), "{said}");
    // Nothing said, nothing changed.
    assert_eq!(setup::overrides(&run("run")), Overrides::default());
}

#[test]
fn defaults_of_run_are_those_of_the_file() {
    let command = PROGRAM.find("run").unwrap();
    let defaults = Config::default();
    for (flag, key, fixed) in OVERRIDES {
        let flag = command.all_flags().find(|f| format!("--{}", f.long) == **flag).unwrap();
        let name = key.split_once('.').unwrap().1;
        let key = config::keys::KEYS.iter().find(|k| format!("{}.{}", k.table, k.name) == *key).unwrap();
        if fixed.is_some() {
            // A switch says the opposite of the default.
            assert_ne!(key.default().unwrap().trim_matches('"'), fixed.unwrap(), "{name}");
        } else if let Some(default) = key.default() {
            assert_eq!(flag.default, default.trim_matches('"'), "{name}");
        }
    }
    assert_eq!(defaults.socket().to_str(), Some("/run/meshwork/mesh0.sock"));
}

#[test]
fn the_core_has_the_same_defaults() {
    let setup = setup::run_setup(&Config::default());
    // The core's own default is the kernel's; a daemon listens first, and tells the machine's name.
    let core = mesh_core::MeshConfig::new(packet::MacAddr::ZERO);
    let publish = setup.mesh.publish.clone();
    assert_eq!(publish.as_ref().map(|p| p.version.as_str()), Some(env!("CARGO_PKG_VERSION")));
    assert_eq!(setup.mesh, mesh_core::MeshConfig { algorithm: mesh_core::Choice::Auto, publish, ..core });
}

#[test]
fn frame_types_are_offered() {
    let only = PROGRAM.find("monitor").unwrap().all_flags().find(|f| f.long == "only").unwrap();
    let args::Value::Words(words) = only.takes.unwrap().value else { panic!() };
    let names: Vec<&str> = FRAME_TYPE_NAMES.iter().map(|(name, _)| *name).collect();
    assert_eq!(words, names);
}

#[cfg(feature = "desk")]
#[test]
fn the_manual_page_has_everything() {
    let page = args::man::page();
    let plain = page.replace("\\-", "-");
    for path in all() {
        let command = leaf(&path);
        assert!(plain.contains(command.name), "{}", command.name);
        for flag in command.all_flags() {
            assert!(plain.contains(&format!("--{}", flag.long)), "--{}", flag.long);
        }
    }
    for key in config::keys::KEYS {
        assert!(plain.contains(&format!("\\fB{}\\fR", key.name)), "{}", key.name);
    }
    // A line that begins with a dot is a request to roff; only known ones may be there.
    for line in page.lines().filter(|l| l.starts_with(['.', '\''])) {
        let known = [".TH", ".SH", ".SS", ".TP", ".PP", ".B", ".BR", ".I", ".IR"];
        assert!(known.contains(&line.split(' ').next().unwrap()), "{line}");
    }
}

/// Feeds `text` to a program; its output, or `None` where it is not installed.
#[cfg(feature = "desk")]
fn through(program: &str, flags: &[&str], text: &str) -> Option<(bool, String)> {
    let mut process = Process::new(program)
        .args(flags)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    process.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let done = process.wait_with_output().unwrap();
    let text = [done.stdout, done.stderr].concat();
    Some((done.status.success(), String::from_utf8_lossy(&text).into_owned()))
}

#[cfg(feature = "desk")]
#[test]
fn groff_reads_the_manual_page_without_complaint() {
    // Bare systems have no groff; then the checks above have to do.
    let Some((good, text)) = through("groff", &["-man", "-Tutf8", "-ww", "-z"], &args::man::page()) else { return };
    assert!(good && text.is_empty(), "{text}");
}

#[cfg(feature = "desk")]
#[test]
fn completions_cover_every_command_and_flag() {
    for shell in ["bash", "zsh", "fish"] {
        let script = args::complete::script(shell).unwrap();
        for path in all() {
            let command = leaf(&path);
            assert!(script.contains(command.name), "{shell}: {}", command.name);
            for flag in command.all_flags() {
                let spelled = if shell == "fish" { format!(" -l {}", flag.long) } else { format!("--{}", flag.long) };
                assert!(script.contains(&spelled), "{shell}: --{} of {}", flag.long, command.name);
            }
        }
    }
    assert_eq!(args::complete::script("csh"), None);
}

#[cfg(feature = "desk")]
/// What bash offers at the end of a command line.
fn bash_offers(line: &str) -> Vec<String> {
    let script = args::complete::script("bash").unwrap();
    let words: Vec<String> = line.split(' ').map(|w| format!("'{w}'")).collect();
    let last = words.len() - 1;
    let test = format!(
        "{script}\nCOMP_WORDS=({})\nCOMP_CWORD={last}\n_meshwork\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"\n",
        words.join(" ")
    );
    let (good, text) = through("bash", &["--norc", "-eu"], &test).expect("bash is part of every test machine");
    assert!(good, "{line}: {text}");
    text.lines().map(str::to_owned).collect()
}

#[cfg(feature = "desk")]
#[test]
fn bash_completes() {
    assert_eq!(bash_offers("meshwork ori"), ["originators"]);
    assert_eq!(bash_offers("meshwork o --wa"), ["--watch"]);
    assert_eq!(bash_offers("meshwork -m mesh0 neighbors --nu"), ["--numeric"]);
    assert_eq!(bash_offers("meshwork config c"), ["check"]);
    assert_eq!(bash_offers("meshwork config check --p"), ["--print"]);
    assert_eq!(bash_offers("meshwork run --log w"), ["warn"]);
    assert_eq!(bash_offers("meshwork monitor -p ic"), ["icmp"]);
    assert!(bash_offers("meshwork run -i l").contains(&"lo".to_owned()));
    assert_eq!(bash_offers("meshwork completions f"), ["fish"]);
    assert!(bash_offers("meshwork ping --count 3 --rec").contains(&"--record-route".to_owned()));
}

#[cfg(feature = "desk")]
#[test]
fn other_shells_can_read_theirs() {
    for shell in ["zsh", "fish"] {
        let script = args::complete::script(shell).unwrap();
        // Test machines need not have them; where they are, they must be content.
        if let Some((good, text)) = through(shell, &["-n"], &script) {
            assert!(good && text.is_empty(), "{shell}: {text}");
        }
    }
}

#[cfg(feature = "lab")]
#[test]
fn the_lab_takes_every_flag_of_the_table() {
    use meshwork::lab::Action;
    let lab = |line: &str| Action::parse(run(line).words()).map_err(|e| format!("{e:#}"));
    let mut line = "lab".to_owned();
    for flag in PROGRAM.find("lab").unwrap().all_flags().filter(|f| f.long != "help") {
        let value = match flag.long {
            "topology" => " ring:5",
            "for" => " 30s",
            "dir" => " /tmp/x",
            _ if flag.takes.is_some() => &format!(" {}", flag.default),
            _ => "",
        };
        line.push_str(&format!(" --{}{value}", flag.long));
    }
    let Action::Run(options) = lab(&line).unwrap() else { panic!("{line}") };
    let plain = meshwork::lab::Options::default();
    assert_eq!((options.nodes, options.clients, options.seed), (plain.nodes, plain.clients, plain.seed));
    assert_eq!((options.loss, options.rate_mbps, options.stagger), (plain.loss, plain.rate_mbps, plain.stagger));
    assert_eq!((options.medium, options.json, options.tcp), (plain.medium, true, false));
    for below in PROGRAM.find("lab").unwrap().commands {
        let names: Vec<String> = (1..=below.operands.len()).map(|i| format!("n{i}")).collect();
        let line = format!("lab {} {}", below.name, names.join(" "));
        assert!(matches!(lab(&line), Ok(Action::Ask { .. })), "{line}");
    }
    assert!(matches!(lab("lab add --to n1,n2 --dir /tmp/x"), Ok(Action::Ask { dir: Some(_), .. })));
    assert!(lab("lab --loss 2").unwrap_err().contains("from 0 to 1"));
}
