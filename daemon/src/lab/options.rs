//! What the lab can be asked, on its command line. Which flags there are and what they do is told by
//! the table of the program ([`crate::args::table`]); here their values are checked.

use super::topology::check_name;
use anyhow::{Context, Result, bail, ensure};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// How nodes are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediumKind {
    /// A simulated radio channel between TAP devices.
    Radio,
    /// A veth pair per link: as fast as the machine, without loss.
    Veth,
}

impl MediumKind {
    /// Its name on the command line and in reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Radio => "radio",
            Self::Veth => "veth",
        }
    }
}

/// A neighbourhood to build.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Shape or file, see `--topology`; `None`: a ladder of [`Options::nodes`].
    pub topology: Option<String>,
    /// Nodes of the default shape.
    pub nodes: usize,
    /// Nodes with a client behind them; `None`: all.
    pub clients: Option<usize>,
    /// How nodes are joined.
    pub medium: MediumKind,
    /// Seed of loss, back-off and random shapes.
    pub seed: u64,
    /// Share of frames lost on every link and direction that the topology says nothing about.
    pub loss: f64,
    /// Rate of unicast frames in Mbit/s where the topology says nothing.
    pub rate_mbps: f64,
    /// End by itself after this time.
    pub run_for: Option<Duration>,
    /// Print the summary as JSON on standard output.
    pub json: bool,
    /// Time between the starts of two nodes.
    pub stagger: Duration,
    /// Hop penalty of all nodes; `None`: the daemon's default.
    pub hop_penalty: Option<u8>,
    /// Routing algorithm of all nodes.
    pub algorithm: config::Algorithm,
    /// The daemon's fast start.
    pub fast_start: bool,
    /// Run TCP transfers.
    pub tcp: bool,
    /// Folder of sockets and logs; `None`: the usual one.
    pub dir: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            topology: None,
            nodes: 6,
            clients: Some(4),
            medium: MediumKind::Radio,
            seed: 1,
            loss: 0.05,
            rate_mbps: 54.0,
            run_for: None,
            json: false,
            stagger: Duration::ZERO,
            hop_penalty: None,
            algorithm: config::Algorithm::Iv,
            fast_start: true,
            tcp: true,
            dir: None,
        }
    }
}

/// What to do: build a neighbourhood, or change the one that runs.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Build and show one.
    Run(Options),
    /// Ask a running lab for something.
    Ask {
        /// Folder of the running lab; `None`: the usual one.
        dir: Option<PathBuf>,
        /// Print the answer as JSON.
        json: bool,
        /// What is asked.
        request: super::remote::Request,
    },
}

impl Action {
    /// Reads the arguments after `lab`.
    ///
    /// # Errors
    /// What is wrong with them, with what is allowed.
    pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Self> {
        use lexopt::prelude::*;
        let mut options = Options::default();
        let mut words: Vec<String> = Vec::new();
        let mut to = Vec::new();
        let mut run_flag: Option<String> = None;
        let mut parser = lexopt::Parser::from_args(args);
        while let Some(arg) = parser.next()? {
            let flag = match &arg {
                Long(name) => format!("--{name}"),
                Short(letter) => format!("-{letter}"),
                Value(_) => String::new(),
            };
            match arg {
                Value(word) => words.push(word.string()?),
                Long("dir") => options.dir = Some(parser.value()?.into()),
                Long("json") => options.json = true,
                Long("to") => to.extend(parser.value()?.string()?.split(',').map(str::to_owned)),
                _ => {
                    options.set(&flag, &mut parser)?;
                    run_flag.get_or_insert(flag);
                }
            }
        }
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let request = request(&words, to)?;
        let Some(request) = request else { return Ok(Self::Run(options)) };
        if let Some(flag) = run_flag {
            bail!("{flag} describes a new lab; it does not go with \"lab {}\"", words.join(" "));
        }
        Ok(Self::Ask { dir: options.dir, json: options.json, request })
    }
}

impl Options {
    fn set(&mut self, flag: &str, parser: &mut lexopt::Parser) -> Result<()> {
        use lexopt::ValueExt;
        match flag {
            "--topology" => self.topology = Some(parser.value()?.string()?),
            "--nodes" => self.nodes = number(parser, "--nodes", 2, super::topology::MAX_NODES)?,
            "--clients" => {
                let text = parser.value()?.string()?;
                self.clients = match text.as_str() {
                    "all" => None,
                    text => Some(in_range(text, "--clients", 2, super::topology::MAX_NODES)?),
                };
            }
            "--medium" => {
                self.medium = match parser.value()?.string()?.as_str() {
                    "radio" => MediumKind::Radio,
                    "veth" => MediumKind::Veth,
                    other => bail!("--medium {other}: expected radio or veth"),
                }
            }
            "--seed" => self.seed = number(parser, "--seed", 0, u64::MAX)?,
            "--loss" => self.loss = number(parser, "--loss", 0.0, 1.0)?,
            "--rate" => self.rate_mbps = number(parser, "--rate", 0.1, 10_000.0)?,
            "--for" => self.run_for = Some(duration(parser, "--for")?),
            "--stagger" => self.stagger = duration(parser, "--stagger")?,
            "--hop-penalty" => self.hop_penalty = Some(number(parser, "--hop-penalty", 0, 255)?),
            "--algorithm" => {
                let word = parser.value()?.string()?;
                let known = config::Algorithm::ALL.iter().copied().find(|a| a.name() == word);
                self.algorithm =
                    known.with_context(|| format!("--algorithm: found {word:?}, allowed: auto, IV or V"))?;
            }
            "--no-fast-start" => self.fast_start = false,
            "--no-tcp" => self.tcp = false,
            other => bail!("unknown flag {other}; meshwork lab --help lists what there is"),
        }
        Ok(())
    }

    /// The topology as the command line would say it.
    pub(crate) fn topology_spec(&self) -> String {
        self.topology.clone().unwrap_or_else(|| format!("ladder:{}", self.nodes))
    }
}

fn request(words: &[&str], to: Vec<String>) -> Result<Option<super::remote::Request>> {
    use super::remote::Request;
    for name in words.iter().skip(1).copied().chain(to.iter().map(String::as_str)) {
        check_name(name)?;
    }
    ensure!(to.is_empty() || words.first() == Some(&"add"), "--to goes with \"lab add\"");
    Ok(Some(match words {
        [] => return Ok(None),
        ["cut", a, b] => Request::Cut { a: (*a).into(), b: (*b).into() },
        ["heal", a, b] => Request::Heal { a: (*a).into(), b: (*b).into() },
        ["add"] => Request::Add { to },
        ["kill", node] => Request::Kill { node: (*node).into() },
        ["restart", node] => Request::Restart { node: (*node).into() },
        ["tcp"] => Request::Tcp { pair: None },
        ["tcp", from, to] => Request::Tcp { pair: Some(((*from).into(), (*to).into())) },
        ["status"] => Request::Status,
        ["stop"] => Request::Stop,
        other => bail!(
            "\"lab {}\": expected cut A B, heal A B, add, kill NODE, restart NODE, tcp [FROM TO], status or stop",
            other.join(" ")
        ),
    }))
}

fn number<T: std::str::FromStr + PartialOrd + std::fmt::Display>(
    parser: &mut lexopt::Parser,
    flag: &str,
    least: T,
    most: T,
) -> Result<T> {
    use lexopt::ValueExt;
    in_range(&parser.value()?.string()?, flag, least, most)
}

fn in_range<T: std::str::FromStr + PartialOrd + std::fmt::Display>(
    text: &str,
    flag: &str,
    least: T,
    most: T,
) -> Result<T> {
    let value = text.parse().ok().filter(|v| *v >= least && *v <= most);
    value.with_context(|| format!("{flag} {text}: expected a number from {least} to {most}"))
}

fn duration(parser: &mut lexopt::Parser, flag: &str) -> Result<Duration> {
    use lexopt::ValueExt;
    let text = parser.value()?.string()?;
    config::units::parse_duration(&text).with_context(|| format!("{flag} {text}: expected a time like 30s or 500ms"))
}

#[cfg(test)]
mod tests {
    use super::super::remote::Request;
    use super::*;

    fn parse(line: &str) -> Result<Action> {
        Action::parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn options_come_from_the_command_line() {
        let line = "--topology line:9 --clients all --medium veth --seed 7 --loss 0.2 --rate 12.5 --for 30s \
                    --json --stagger 20ms --hop-penalty 5 --algorithm V --no-fast-start --no-tcp --dir /srv/lab";
        let want = Options {
            topology: Some("line:9".into()),
            nodes: 6,
            clients: None,
            medium: MediumKind::Veth,
            seed: 7,
            loss: 0.2,
            rate_mbps: 12.5,
            run_for: Some(Duration::from_secs(30)),
            json: true,
            stagger: Duration::from_millis(20),
            hop_penalty: Some(5),
            algorithm: config::Algorithm::V,
            fast_start: false,
            tcp: false,
            dir: Some("/srv/lab".into()),
        };
        assert_eq!(parse(line).unwrap(), Action::Run(want));
        assert_eq!(parse("").unwrap(), Action::Run(Options::default()));
    }

    #[test]
    fn commands_for_the_running_lab() {
        let ask = |request| Action::Ask { dir: None, json: false, request };
        assert_eq!(parse("cut n1 n2").unwrap(), ask(Request::Cut { a: "n1".into(), b: "n2".into() }));
        assert_eq!(parse("add --to n1,n2").unwrap(), ask(Request::Add { to: vec!["n1".into(), "n2".into()] }));
        assert_eq!(parse("status --json").unwrap(), Action::Ask { dir: None, json: true, request: Request::Status });
    }

    #[test]
    fn wrong_arguments_are_refused_with_what_is_allowed() {
        for (line, part) in [
            ("--loss 2", "from 0 to 1"),
            ("--loss many", "expected a number"),
            ("--nodes 1", "from 2 to 500"),
            ("--medium air", "radio or veth"),
            ("--for ever", "30s"),
            ("--frob", "--help"),
            ("cut n1", "cut A B"),
            ("cut n1 n/2", "letters"),
            ("dance", "expected cut A B"),
            ("status --seed 3", "--seed describes a new lab"),
            ("--to n1", "lab add"),
        ] {
            let error = format!("{:#}", parse(line).unwrap_err());
            assert!(error.contains(part), "{line}: {error}");
        }
    }
}
