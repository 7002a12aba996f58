//! `run`: configuration, log, control socket, and the main loop between them.

use super::source::{Loaded, Source};
use crate::args::{Args, UsageError};
use crate::control::protocol::{ConfigView, Reload};
use crate::control::{About, ControlSocket, Server};
use crate::http;
use crate::run::{self, ControlRequest};
use crate::setup::{overrides, run_setup};
use crate::telemetry::Telemetry;
use anyhow::Context as _;
use config::{Config, Overrides, diff, live_part};
use std::path::PathBuf;
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
    run_source(Source::of(args, overrides(args))?).await
}

/// As [`run()`], with a file and what goes before it.
///
/// # Errors
/// As there.
pub(super) async fn run_from(file: Option<PathBuf>, overrides: Overrides) -> anyhow::Result<()> {
    run_source(Source::toml(file, overrides)).await
}

async fn run_source(source: Source) -> anyhow::Result<()> {
    let Loaded { mut config, mut complaints } = source.load()?;
    if config.links.is_empty() && !source.may_wait() {
        let text = format!("no hard interface: name one with -i IF, or write a [[link]] into {}", source.place());
        return Err(UsageError::new(text).into());
    }
    let telemetry = Telemetry::start(&config.log)?;
    // From here on signals wait for the loop instead of ending the process half-way.
    let mut hangup = signal(SignalKind::hangup()).context("SIGHUP cannot be caught")?;
    let mut shutdown = Box::pin(run::termination().context("SIGTERM cannot be caught")?);
    if config.links.is_empty() {
        tracing::info!(place = source.place(), "no hard interface yet: waiting for one");
        while config.links.is_empty() {
            tokio::select! {
                () = &mut shutdown => return Ok(()),
                _ = hangup.recv() => match source.load() {
                    Ok(loaded) => Loaded { config, complaints } = loaded,
                    Err(error) => tracing::error!(%error, "still waiting"),
                },
            }
        }
        telemetry.set(&config.log);
    }
    complain(&complaints);
    let socket = ControlSocket::bind(&config.socket(), config.control.group.as_deref())?;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        mesh = config.mesh.name,
        control = %socket.path().display(),
        "starting"
    );
    let (ask, asked) = mpsc::channel(REQUESTS);
    let about = About {
        setup: Arc::new(run_setup(&config)),
        http: config.http.clone(),
        config: ConfigView { file: source.shown(), complaints, reload: None },
    };
    let setup = about.setup.as_ref().clone();
    let (tell, told) = watch::channel(about);
    let pages = http::socket_path(socket.path());
    let pages = http::Server::start(&pages, config.control.group.as_deref(), ask.clone(), told.clone())?;
    let server = Server::new(socket, ask.clone(), told);
    #[cfg(feature = "ubus")]
    let ubus = source.ubus().map(|at| {
        let (mesh, desk) = (config.mesh.name.clone(), server.desk());
        tokio::spawn(async move { crate::ubus::serve(&at, &mesh, desk).await })
    });
    let server = tokio::spawn(server.serve());
    let reloads = Reloads { source, config, telemetry, tell, ask };
    let reloads = tokio::spawn(reloads.follow(hangup));
    let ended = run::run(setup, asked, shutdown).await;
    reloads.abort();
    #[cfg(feature = "ubus")]
    ubus.inspect(tokio::task::JoinHandle::abort);
    server.abort();
    drop(pages);
    // The socket is gone only when the server is.
    let _ = server.await;
    ended
}

/// Says what of a configuration was passed over, one line each.
fn complain(complaints: &[String]) {
    for text in complaints {
        tracing::warn!("{text}");
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
            let mut complaints = Vec::new();
            let result = self.reload(&mut complaints).await;
            complain(&complaints);
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
            let config = ConfigView { file: self.source.shown(), complaints, reload: Some(reload) };
            self.tell.send_replace(About { setup, http: self.config.http.clone(), config });
        }
    }

    /// What changed, a sentence each. On error nothing did.
    async fn reload(&mut self, complaints: &mut Vec<String>) -> anyhow::Result<Vec<String>> {
        let wanted;
        Loaded { config: wanted, complaints: *complaints } = self.source.load()?;
        anyhow::ensure!(!wanted.links.is_empty() || self.source.may_wait(), "no hard interface would be left");
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::RunSetup;

    /// A signal reaches all of the process: only one test may wait for one at a time.
    static ONE_AT_A_TIME: std::sync::Mutex<()> = std::sync::Mutex::new(());

    /// A node that was started with a file, and what its main loop was told since.
    struct World {
        file: PathBuf,
        reloads: Option<Reloads>,
        told: watch::Receiver<About>,
        asked: mpsc::Receiver<ControlRequest>,
    }

    impl World {
        fn new(name: &str, text: &str) -> Self {
            let file = std::env::temp_dir().join(format!("meshwork-{name}-{}.toml", std::process::id()));
            std::fs::write(&file, text).unwrap();
            let source = Source::toml(Some(file.clone()), Overrides::default());
            let config = source.load().unwrap().config;
            let about =
                About { setup: Arc::new(run_setup(&config)), http: config.http.clone(), config: ConfigView::default() };
            let (tell, told) = watch::channel(about);
            let (ask, asked) = mpsc::channel(4);
            // Only one test of this program may start the log; the handle works without, too.
            let telemetry = Telemetry::detached(&config.log);
            Self { file, reloads: Some(Reloads { source, config, telemetry, tell, ask }), told, asked }
        }

        /// Sends a real SIGHUP with the file changed; the main loop answers `answer`. Returns
        /// what status shows then, and what the main loop was given.
        fn reload(&mut self, text: &str, answer: Result<String, String>) -> (Reload, Option<RunSetup>) {
            let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            std::fs::write(&self.file, text).unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let hangup = signal(SignalKind::hangup()).unwrap();
                let follow = self.reloads.take().unwrap().follow(hangup);
                nix::sys::signal::raise(nix::sys::signal::Signal::SIGHUP).unwrap();
                let mut given = None;
                let told = &mut self.told;
                let asked = &mut self.asked;
                tokio::select! {
                    () = follow => panic!("signals came to an end"),
                    () = async {
                        loop {
                            tokio::select! {
                                done = told.changed() => break done.unwrap(),
                                Some(ControlRequest::Configure(setup, to)) = asked.recv() => {
                                    given = Some(*setup);
                                    to.send(answer.clone()).unwrap();
                                }
                            }
                        }
                    } => {}
                }
                let about = told.borrow().clone();
                (about.config.reload.unwrap(), given)
            })
        }
    }

    impl Drop for World {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.file);
        }
    }

    const START: &str = "[[link]]\ninterface = \"a\"\n";

    #[test]
    fn a_good_file_is_taken_in() {
        let mut world = World::new("good", START);
        let text = format!("{START}hop_penalty = 7\n[mesh]\nhop_penalty = 15\nname = \"bat0\"\n");
        let (reload, given) = world.reload(&text, Ok("new: routing".into()));
        assert_eq!(
            reload.changes,
            [
                "mesh.name: \"mesh0\" -> \"bat0\" (after a restart)",
                "mesh.hop_penalty: 30 -> 15",
                "link a hop_penalty: 0 -> 7"
            ]
        );
        assert_eq!(reload.error, None);
        let given = given.unwrap();
        assert_eq!((given.mesh_name.as_str(), given.mesh.hop_penalty, given.links[0].hop_penalty), ("mesh0", 15, 7));
        assert_eq!(*world.told.borrow().setup, given);
    }

    #[test]
    fn a_bad_file_changes_nothing_and_is_named() {
        let mut world = World::new("bad", START);
        let before = world.told.borrow().setup.clone();
        let (reload, given) = world.reload("[mesh]\nmtu = 1\n", Ok(String::new()));
        let error = reload.error.unwrap();
        assert!(error.contains(":2:7: mesh.mtu: found 1, allowed: a whole number from 68 to 65535"), "{error}");
        assert_eq!((given, reload.changes.len()), (None, 0));
        assert_eq!(world.told.borrow().setup, before);
    }

    #[test]
    fn a_file_without_hard_interfaces_is_refused() {
        let mut world = World::new("empty", START);
        let (reload, given) = world.reload("", Ok(String::new()));
        assert_eq!((reload.error.as_deref(), given), (Some("no hard interface would be left"), None));
    }

    #[test]
    fn what_the_main_loop_refuses_does_not_hold() {
        let mut world = World::new("loop", START);
        let before = world.told.borrow().setup.clone();
        let (reload, given) = world.reload(&format!("{START}[mesh]\nmtu = 9000\n"), Err("too large".into()));
        assert!(given.is_some());
        assert_eq!(reload.error.as_deref(), Some("too large"));
        assert_eq!(world.told.borrow().setup, before);
    }

    #[test]
    fn an_unchanged_file_bothers_nobody() {
        let mut world = World::new("same", START);
        let (reload, given) = world.reload(&format!("# a comment\n{START}"), Ok(String::new()));
        assert_eq!((reload.changes.len(), reload.error, given), (0, None, None));
    }
}
