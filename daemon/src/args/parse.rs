//! Reads the command line by the table.

use super::table::{COMMON, Command, Flag, Id, PROGRAM};
use config::suggest;
use lexopt::Arg;
use std::ffi::OsString;
use std::fmt;
use std::str::FromStr;

/// What was asked for.
#[derive(Debug)]
pub enum Parsed {
    /// Run a command.
    Run(Args),
    /// Print the help of a command; the words that lead to it.
    Help(Vec<&'static Command>),
    /// Print the version.
    Version,
}

/// A command with its flags, all of them known to the table.
#[derive(Debug, Clone)]
pub struct Args {
    /// The command.
    pub command: &'static Command,
    /// The word it was called by, which may be an alias.
    pub called: String,
    flags: Vec<(&'static str, String)>,
    operands: Vec<String>,
}

/// The command line asks for something that does not exist. Exit code 2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageError(String);

impl UsageError {
    /// With a text that says what is wrong.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    fn of(path: &[&'static Command], text: impl fmt::Display) -> Self {
        Self(format!("{text}\nTry \"{} --help\".", words(path)))
    }
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UsageError {}

/// The words that lead to a command, `meshwork config check`.
pub(super) fn words(path: &[&'static Command]) -> String {
    path.iter().map(|c| c.name).collect::<Vec<_>>().join(" ")
}

/// Reads the command line; the first word is the program itself and is skipped.
///
/// # Errors
/// An unknown command or flag (with a suggestion), a missing or unexpected value, a missing or
/// unexpected operand.
pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Parsed, UsageError> {
    let mut parser = lexopt::Parser::from_iter(words);
    let mut path: Vec<&'static Command> = vec![&PROGRAM];
    let mut called = String::new();
    let mut flags: Vec<(&'static Flag, String)> = Vec::new();
    let mut operands: Vec<String> = Vec::new();
    loop {
        let command = *path.last().unwrap_or(&&PROGRAM);
        let Some(arg) = parser.next().map_err(|e| UsageError::of(&path, e))? else { break };
        let said = match arg {
            Arg::Long(name) => format!("--{name}"),
            Arg::Short(letter) => format!("-{letter}"),
            Arg::Value(word) => {
                let word = text(word, &path)?;
                if command.commands.is_empty() || !operands.is_empty() {
                    operands.push(word);
                } else {
                    path.push(command.find(&word).ok_or_else(|| unknown_command(&path, command, &word))?);
                    called = word;
                }
                continue;
            }
        };
        let Some(flag) = find_flag(command, &said) else {
            if !serves(command, &flags) {
                return Err(unknown_flag(&path, command, &said));
            }
            eprintln!("meshwork: unknown flag {said}, left out: the service is newer than this program");
            skip_value(&mut parser);
            continue;
        };
        let takes_one = |e: lexopt::Error| UsageError::of(&path, e);
        let value = match flag.takes {
            None => String::new(),
            Some(takes) if takes.optional => match parser.optional_value() {
                Some(value) => text(value, &path)?,
                None => number_ahead(&mut parser).unwrap_or_default(),
            },
            Some(_) => text(parser.value().map_err(takes_one)?, &path)?,
        };
        match flag.long {
            "help" => return Ok(Parsed::Help(path)),
            "version" => return Ok(Parsed::Version),
            _ => flags.push((flag, value)),
        }
    }
    finish(path, called, flags, operands)
}

/// Whether a router's service starts a node. Upgrades replace the program and not the service's script, and take it
/// back: a flag that this program does not know must not keep a node off the mesh.
fn serves(command: &Command, flags: &[(&'static Flag, String)]) -> bool {
    command.id == Id::Run && flags.iter().any(|(flag, _)| flag.long == "uci")
}

/// Passes over what looks like the value of a flag that nobody knows.
fn skip_value(parser: &mut lexopt::Parser) {
    if parser.optional_value().is_none()
        && let Some(mut raw) = parser.try_raw_args()
        && raw.peek().is_some_and(|word| !word.as_encoded_bytes().starts_with(b"-"))
    {
        raw.next();
    }
}

/// Checks what can be checked only when everything was read.
fn finish(
    path: Vec<&'static Command>,
    called: String,
    flags: Vec<(&'static Flag, String)>,
    operands: Vec<String>,
) -> Result<Parsed, UsageError> {
    let command = *path.last().unwrap_or(&&PROGRAM);
    if command.id == Id::Top {
        return Ok(Parsed::Help(path));
    }
    if command.id == Id::Help {
        return help_for(&operands);
    }
    if command.id == Id::Config {
        return Err(UsageError::of(&path, "what to do with the configuration? There is: check"));
    }
    // Flags before the command were looked up in the table of the program.
    for (flag, _) in &flags {
        if !command.all_flags().any(|f| f.long == flag.long) {
            let text = format!("{:?} takes no --{}", words(&path), flag.long);
            return Err(UsageError::of(&path, text));
        }
    }
    let needed = command.operands.iter().filter(|o| !o.optional).count();
    if let Some(missing) = command.operands.iter().filter(|o| !o.optional).nth(operands.len())
        && operands.len() < needed
    {
        return Err(UsageError::of(&path, format!("{} is missing: {}", missing.name, missing.help)));
    }
    if let Some(extra) = operands.get(command.operands.len()) {
        return Err(UsageError::of(&path, format!("unexpected {extra:?}")));
    }
    let flags = flags.into_iter().map(|(flag, value)| (flag.long, value)).collect();
    Ok(Parsed::Run(Args { command, called, flags, operands }))
}

/// `meshwork help ping`.
fn help_for(topic: &[String]) -> Result<Parsed, UsageError> {
    let mut path: Vec<&'static Command> = vec![&PROGRAM];
    for word in topic {
        let command = *path.last().unwrap_or(&&PROGRAM);
        path.push(command.find(word).ok_or_else(|| unknown_command(&path, command, word))?);
    }
    Ok(Parsed::Help(path))
}

fn find_flag(command: &'static Command, said: &str) -> Option<&'static Flag> {
    command.all_flags().find(|flag| match said.strip_prefix("--") {
        Some(long) => flag.long == long,
        None => flag.short.is_some_and(|short| said.strip_prefix('-') == Some(short.encode_utf8(&mut [0; 4]))),
    })
}

fn unknown_command(path: &[&'static Command], command: &Command, word: &str) -> UsageError {
    let known = command.commands.iter().flat_map(|c| std::iter::once(c.name).chain(c.aliases.iter().copied()));
    // Names of one or two letters are near to everything.
    let hint = suggest::closest(word, known.filter(|name| name.len() > 2))
        .map(|near| format!("; did you mean {near:?}?"))
        .unwrap_or_default();
    UsageError::of(path, format!("unknown command {word:?}{hint}"))
}

fn unknown_flag(path: &[&'static Command], command: &Command, said: &str) -> UsageError {
    let hint = match said.strip_prefix("--") {
        Some(long) => {
            suggest::closest(long, command.all_flags().map(|f| f.long)).map(|near| format!("; did you mean --{near}?"))
        }
        None => None,
    };
    // A flag of another command is a frequent slip.
    let elsewhere = || {
        let owner = PROGRAM.commands.iter().find(|c| find_flag(c, said).is_some())?;
        (command.id == Id::Top)
            .then(|| format!("; it belongs behind a command, as in \"meshwork {} {said}\"", owner.name))
    };
    let hint = hint.or_else(elsewhere).unwrap_or_default();
    UsageError::of(path, format!("unknown flag {said}{hint}"))
}

fn text(word: OsString, path: &[&'static Command]) -> Result<String, UsageError> {
    word.into_string().map_err(|word| UsageError::of(path, format!("{word:?} is not UTF-8")))
}

/// The next word if it is a number: `-w 2` as batctl takes it.
fn number_ahead(parser: &mut lexopt::Parser) -> Option<String> {
    let mut raw = parser.try_raw_args()?;
    let word = raw.peek()?.to_str()?.to_owned();
    // What it is worth is asked where it is used.
    let digits = word.strip_prefix(['-', '+']).unwrap_or(&word);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if !number(whole) || !number(fraction) || whole.len() + fraction.len() == 0 {
        return None;
    }
    raw.next();
    Some(word)
}

impl Args {
    /// The flag is there.
    pub fn has(&self, long: &str) -> bool {
        self.value(long).is_some()
    }

    /// Value of a flag if it is there (the last of several), without the default.
    pub fn value(&self, long: &str) -> Option<&str> {
        debug_assert!(
            COMMON.iter().chain(self.command.all_flags()).any(|f| f.long == long),
            "--{long} is not in the table of {}",
            self.command.name
        );
        self.flags.iter().rev().find(|(name, _)| *name == long).map(|(_, value)| value.as_str())
    }

    /// All values of a flag that may be repeated.
    pub fn values<'a>(&'a self, long: &'a str) -> impl Iterator<Item = &'a str> {
        self.flags.iter().filter(move |(name, _)| *name == long).map(|(_, value)| value.as_str())
    }

    /// Value of a flag, or its default of the table.
    pub fn value_or_default(&self, long: &str) -> &str {
        let default = self.command.all_flags().find(|f| f.long == long).map_or("", |f| f.default);
        self.value(long).unwrap_or(default)
    }

    /// Value of a flag as a number or another type, `None` if neither flag nor default is there.
    ///
    /// # Errors
    /// It cannot be read; the message says what is allowed.
    pub fn parsed<T: FromStr>(&self, long: &str, allowed: &str) -> Result<Option<T>, UsageError> {
        let text = self.value_or_default(long);
        if text.is_empty() && !self.has(long) {
            return Ok(None);
        }
        text.parse().map(Some).map_err(|_| UsageError(format!("--{long}: found {text:?}, allowed: {allowed}")))
    }

    /// Value of a flag in seconds, sub-second fractions and units allowed (`0.2`, `200ms`).
    ///
    /// # Errors
    /// It is no time, not above zero, or longer than a day.
    pub fn seconds(&self, long: &str) -> Result<Option<std::time::Duration>, UsageError> {
        let text = self.value_or_default(long);
        if text.is_empty() {
            return Ok(None);
        }
        let day = std::time::Duration::from_secs(86_400);
        config::units::parse_duration(text)
            .or_else(|| config::units::parse_duration(&format!("{text}s")))
            .filter(|d| !d.is_zero() && *d <= day)
            .map(Some)
            .ok_or_else(|| {
                UsageError(format!(
                    "--{long}: found {text:?}, allowed: seconds above zero like 1 or 0.2, at most a day"
                ))
            })
    }

    /// What followed the flags, by position.
    pub fn operand(&self, index: usize) -> Option<&str> {
        self.operands.get(index).map(String::as_str)
    }

    /// The words again that stand for this command, behind the first one: for a part of the
    /// program that reads its own.
    pub fn words(&self) -> Vec<OsString> {
        let below = Some(self.called.as_str()).filter(|_| !PROGRAM.commands.iter().any(|c| c.id == self.command.id));
        let mut words: Vec<OsString> = below.into_iter().map(OsString::from).collect();
        for (long, value) in &self.flags {
            words.push(format!("--{long}").into());
            if self.command.all_flags().any(|f| f.long == *long && f.takes.is_some()) {
                words.push(value.into());
            }
        }
        // What follows is no flag, whatever it looks like.
        words.extend(self.operands.first().map(|_| OsString::from("--")));
        words.extend(self.operands.iter().map(OsString::from));
        words
    }
}
