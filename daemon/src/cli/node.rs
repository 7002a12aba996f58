//! `run`: configuration, log, control socket, and the main loop between them.

use crate::args::{Args, UsageError};
use crate::control::protocol::{ConfigView, Reload};
use crate::control::{About, ControlSocket, Server};
use crate::run::{self, ControlRequest};
use crate::setup::{overrides, run_setup};
use crate::telemetry::Telemetry;
use anyhow::Context as _;
use config::{Config, DEFAULT_FILE, Overrides, diff, live_part};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot, watch};

/// Requests that may wait for the main loop.
const REQUESTS: usize = 64;

/// Is a node until told to stop.
///
/// # Errors
/// A configuration that makes no sense, before anything is touched; a system that refuses.
pub(super) async fn run(args: &Args) -> anyhow::Result<()> {
    let source = Source { file: args.value("config").map(PathBuf::from), overrides: overrides(args) };
    let config = source.load()?;
    if config.links.is_empty() {
        let text = format!(
            "no hard interface: name one with -i IF, or write a [[link]] into {}",
            source.file.as_deref().unwrap_or(Path::new(DEFAULT_FILE)).display()
        );
        return Err(UsageError::new(text).into());
    }
    let telemetry = Telemetry::start(&config.log)?;
    let socket = ControlSocket::bind(&config.socket(), config.control.group.as_deref())?;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        mesh = config.mesh.name,
        control = %socket.path().display(),
        "starting"
    );
    let (ask, asked) = mpsc::channel(REQUESTS);
    let about =
        About { setup: Arc::new(run_setup(&config)), config: ConfigView { file: source.shown(), reload: None } };
    let setup = about.setup.as_ref().clone();
    let (tell, told) = watch::channel(about);
    let hangup = signal(SignalKind::hangup()).context("SIGHUP cannot be caught")?;
    let shutdown = run::termination().context("SIGTERM cannot be caught")?;
    let server = tokio::spawn(Server::new(socket, ask.clone(), told).serve());
    let reloads = Reloads { source, config, telemetry, tell, ask };
    let reloads = tokio::spawn(reloads.follow(hangup));
    let ended = run::run(setup, asked, shutdown).await;
    reloads.abort();
    server.abort();
    // The socket is gone only when the server is.
    let _ = server.await;
    ended
}

/// Where the configuration comes from.
#[derive(Debug)]
struct Source {
    file: Option<PathBuf>,
    overrides: Overrides,
}

impl Source {
    fn load(&self) -> Result<Config, config::LoadError> {
        Config::load(self.file.as_deref(), &self.overrides)
    }

    /// The file as people see it, `None` if there is none.
    fn shown(&self) -> Option<String> {
        let usual = Path::new(DEFAULT_FILE);
        let file = self.file.as_deref().or_else(|| usual.exists().then_some(usual))?;
        Some(file.display().to_string())
    }
}

/// Takes a changed configuration in on SIGHUP.
struct Reloads {
    source: Source,
    /// What the node runs with.
    config: Config,
    telemetry: Telemetry,
    tell: watch::Sender<About>,
    ask: mpsc::Sender<ControlRequest>,
}

impl Reloads {
    async fn follow(mut self, mut hangup: tokio::signal::unix::Signal) {
        while hangup.recv().await.is_some() {
            let result = self.reload().await;
            let at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
            let reload = match result {
                Ok(changes) => {
                    tracing::info!(changes = changes.len(), "configuration reloaded");
                    Reload { at, changes, error: None }
                }
                Err(error) => {
                    let error = format!("{error:#}");
                    tracing::error!(error, "the new configuration is refused, the node goes on as before");
                    Reload { at, changes: Vec::new(), error: Some(error) }
                }
            };
            let setup = Arc::new(run_setup(&self.config));
            let config = ConfigView { file: self.source.shown(), reload: Some(reload) };
            self.tell.send_replace(About { setup, config });
        }
    }

    /// What changed, a sentence each. On error nothing did.
    async fn reload(&mut self) -> anyhow::Result<Vec<String>> {
        let wanted = self.source.load()?;
        anyhow::ensure!(!wanted.links.is_empty(), "no hard interface would be left");
        let changes = diff(&self.config, &wanted);
        let live = live_part(&self.config, &wanted);
        if live != self.config {
            let (to, from) = oneshot::channel();
            let request = ControlRequest::Configure(Box::new(run_setup(&live)), to);
            self.ask.send(request).await.context("the node is stopping")?;
            from.await.context("the node is stopping")?.map_err(anyhow::Error::msg)?;
            self.telemetry.set(&live.log);
        }
        // Settings that wait for a restart are named again at every reload until then.
        self.config = live;
        for change in &changes {
            if change.restart {
                tracing::warn!(%change, "takes effect only after a restart");
            } else {
                tracing::info!(%change, "changed");
            }
        }
        Ok(changes.iter().map(ToString::to_string).collect())
    }
}
