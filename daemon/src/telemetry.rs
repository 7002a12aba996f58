//! The log: lines on standard error, values as fields, the level changeable while running.
//!
//! A subscriber of our own and not tracing-subscriber's, whose layers weigh 40 kB on a router; the lines are the same.

use crate::sys::clock;
use config::{Level, Log};
use std::fmt::{self, Write as _};
use std::io::Write as _;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::subscriber::SetGlobalDefaultError;
use tracing::{Event, Metadata, Subscriber, span};

/// Changes what is logged.
#[derive(Debug, Clone)]
pub struct Telemetry {
    targets: Arc<RwLock<Targets>>,
}

impl Telemetry {
    /// Starts logging. Once per process.
    ///
    /// # Errors
    /// Logging was started before.
    pub fn start(log: &Log) -> Result<Self, SetGlobalDefaultError> {
        let targets = Arc::new(RwLock::new(Targets::new(log)));
        tracing::subscriber::set_global_default(Lines { targets: targets.clone(), write })?;
        Ok(Self { targets })
    }

    /// Levels that nothing logs by.
    #[cfg(test)]
    pub(crate) fn detached(log: &Log) -> Self {
        Self { targets: Arc::new(RwLock::new(Targets::new(log))) }
    }

    /// Logs by these levels from now on.
    pub fn set(&self, log: &Log) {
        *self.targets.write().unwrap_or_else(PoisonError::into_inner) = Targets::new(log);
        // What was asked once is remembered at the place of each line.
        tracing::callsite::rebuild_interest_cache();
    }
}

/// From which level on the parts of the program are logged.
#[derive(Debug)]
struct Targets {
    level: LevelFilter,
    /// The longest names first: they say more than those that they begin with.
    parts: Vec<(String, LevelFilter)>,
}

impl Targets {
    fn new(log: &Log) -> Self {
        let mut parts: Vec<_> = log.parts.iter().map(|(part, level)| (target(part), filter(*level))).collect();
        parts.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        Self { level: filter(log.level), parts }
    }

    fn of(&self, target: &str) -> LevelFilter {
        self.parts.iter().find(|(name, _)| target.starts_with(name.as_str())).map_or(self.level, |(_, level)| *level)
    }

    fn widest(&self) -> LevelFilter {
        self.parts.iter().map(|(_, level)| *level).fold(self.level, Ord::max)
    }
}

/// Full name of a part of the program: `netlink` is `meshwork::netlink`.
fn target(part: &str) -> String {
    match part {
        "core" => "mesh_core".to_owned(),
        whole if whole == "meshwork" || whole.contains("::") => whole.to_owned(),
        module => format!("meshwork::{module}"),
    }
}

fn filter(level: Level) -> LevelFilter {
    match level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
    }
}

/// Writes a line for each event. Spans are not used.
struct Lines {
    targets: Arc<RwLock<Targets>>,
    write: fn(&str),
}

/// Nobody can be told when this fails.
fn write(line: &str) {
    let _ = std::io::stderr().write_all(line.as_bytes());
}

impl Subscriber for Lines {
    fn enabled(&self, of: &Metadata<'_>) -> bool {
        let targets = self.targets.read().unwrap_or_else(PoisonError::into_inner);
        *of.level() <= targets.of(of.target())
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.targets.read().unwrap_or_else(PoisonError::into_inner).widest())
    }

    fn event(&self, event: &Event<'_>) {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut line = Line(String::new());
        let of = event.metadata();
        let date = clock::utc(since.as_secs());
        let _ = write!(line.0, "{date}.{:06}Z {:>5} {}:", since.subsec_micros(), of.level(), of.target());
        event.record(&mut line);
        line.0.push('\n');
        (self.write)(&line.0);
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

/// The text of an event: its message, then `name=value` of each field.
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.push(' ');
        let name = field.name();
        if name != "message" {
            self.0.push_str(name.trim_start_matches("r#"));
            self.0.push('=');
        }
        let _ = write!(Plain(&mut self.0), "{value:?}");
    }
}

/// Lets nothing through that a terminal takes for a command: names come from anybody in the air.
struct Plain<'a>(&'a mut String);

impl fmt::Write for Plain<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            if c.is_control() && c != '\n' && c != '\t' {
                write!(self.0, "{}", c.escape_default())?;
            } else {
                self.0.push(c);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use tracing::Level as L;

    #[test]
    fn parts_have_their_own_level() {
        let targets = Targets::new(&Log::parse("warn,netlink=debug,netlink::watch=error,core=trace").unwrap());
        let would = |target: &str, level| level <= targets.of(target);
        assert!(would("meshwork::run", L::WARN));
        assert!(!would("meshwork::run", L::INFO));
        assert!(would("meshwork::netlink::link", L::DEBUG));
        assert!(!would("meshwork::netlink", L::TRACE));
        assert!(would("mesh_core", L::TRACE));
        assert_eq!(targets.widest(), LevelFilter::TRACE);
    }

    #[test]
    fn lines_carry_message_fields_and_no_commands() {
        thread_local!(static SEEN: RefCell<String> = const { RefCell::new(String::new()) });
        let targets = Arc::new(RwLock::new(Targets::new(&Log::parse("info").unwrap())));
        let lines = Lines { targets, write: |line| SEEN.with_borrow_mut(|seen| seen.push_str(line)) };
        tracing::subscriber::with_default(lines, || {
            tracing::warn!(name = "a\"b", wire = %"\u{1b}[31m", level = 3, "so {}", "it is");
        });
        let seen = SEEN.take();
        let rest = seen.split_once("Z  WARN meshwork::telemetry::tests:").unwrap().1;
        assert_eq!(rest, " so it is name=\"a\\\"b\" wire=\\u{1b}[31m level=3\n");
    }
}
