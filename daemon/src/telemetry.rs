//! The log: lines on standard error, values as fields, the level changeable while running.

use config::{Level, Log};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{Registry, fmt, reload};

/// Changes what is logged.
#[derive(Debug, Clone)]
pub struct Telemetry {
    filter: reload::Handle<Targets, Registry>,
}

impl Telemetry {
    /// Starts logging. Once per process.
    ///
    /// # Errors
    /// Logging was started before.
    pub fn start(log: &Log) -> Result<Self, TryInitError> {
        let (filter, handle) = reload::Layer::new(targets(log));
        let lines = fmt::layer().with_writer(std::io::stderr).with_ansi(false);
        tracing_subscriber::registry().with(filter).with(lines).try_init()?;
        Ok(Self { filter: handle })
    }

    /// Levels that nothing logs by.
    #[cfg(test)]
    pub(crate) fn detached(log: &Log) -> Self {
        Self { filter: reload::Layer::new(targets(log)).1 }
    }

    /// Logs by these levels from now on.
    pub fn set(&self, log: &Log) {
        if let Err(error) = self.filter.reload(targets(log)) {
            tracing::warn!(%error, "the level of the log stays as it was");
        }
    }
}

fn targets(log: &Log) -> Targets {
    let parts = log.parts.iter().map(|(part, level)| (target(part), filter(*level)));
    Targets::new().with_default(filter(log.level)).with_targets(parts)
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

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::Level as L;

    #[test]
    fn parts_have_their_own_level() {
        let targets = targets(&Log::parse("warn,netlink=debug,core=trace").unwrap());
        assert!(targets.would_enable("meshwork::run", &L::WARN));
        assert!(!targets.would_enable("meshwork::run", &L::INFO));
        assert!(targets.would_enable("meshwork::netlink::watch", &L::DEBUG));
        assert!(!targets.would_enable("meshwork::netlink", &L::TRACE));
        assert!(targets.would_enable("mesh_core", &L::TRACE));
    }
}
