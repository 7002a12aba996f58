//! The thread that listens, and its connections.

use super::answer::{Answer, Body};
use super::places::Places;
use super::request::{MAX_HEAD, Parsed, parse};
use super::site::Site;
use super::{events, request, respondd};
use crate::control::{About, ControlSocket};
use crate::run::ControlRequest;
use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Most connections over TCP at a time.
pub const MAX_CONNECTIONS: usize = 64;
/// Most connections from one address.
const MAX_FROM_ONE: usize = 24;
/// Most connections at the unix socket.
const MAX_LOCAL: usize = 16;
/// Most readers of events.
const MAX_STREAMS: usize = 16;
/// How long a connection may be silent between two requests.
const IDLE: Duration = Duration::from_secs(30);
/// How long the head of a request may take.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);
/// How long a piece of an answer may take ...
const PIECE_PATIENCE: Duration = Duration::from_secs(10);
/// ... and how many bytes that is.
const PIECE: usize = 16 * 1024;
/// How often addresses to listen at are looked after.
const LOOK: Duration = Duration::from_secs(2);

/// A connection of any kind.
pub(super) type Stream = Box<dyn Wire>;

/// What a connection can do.
pub(super) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// Where the unix socket of the status endpoint is: beside the control socket.
pub fn socket_path(control: &Path) -> PathBuf {
    control.with_extension("http")
}

/// The running endpoint; it ends when this is dropped.
#[derive(Debug)]
pub struct Server {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts the thread. `socket` is the place of the unix socket, `group` who may use it besides root.
    ///
    /// # Errors
    /// No thread, or the unix socket cannot be made. Addresses that cannot be listened at are told and tried again.
    pub fn start(
        socket: &Path,
        group: Option<&str>,
        node: mpsc::Sender<ControlRequest>,
        about: watch::Receiver<About>,
    ) -> anyhow::Result<Self> {
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = std::sync::mpsc::channel();
        let (path, group) = (socket.to_owned(), group.map(str::to_owned));
        let thread = thread::Builder::new().name("http".to_owned()).spawn(move || {
            let started = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = match started {
                Ok(runtime) => runtime,
                Err(error) => {
                    let _ = tell.send(Err(anyhow::Error::from(error)));
                    return;
                }
            };
            runtime.block_on(async {
                // While there is still the right to low ports.
                let map_servers = if about.borrow().http.respondd { open_respondd() } else { None };
                match ControlSocket::bind(&path, group.as_deref()) {
                    Ok(socket) => {
                        let _ = tell.send(Ok(()));
                        // The loop answers once it has changed its user. Until then no thread may be without the
                        // right to.
                        let (to, from) = oneshot::channel();
                        if node.send(ControlRequest::Snapshot(to)).await.is_ok() {
                            let _ = from.await;
                        }
                        crate::privilege::drop_all();
                        serve(&socket, map_servers, node, about, stopped).await;
                    }
                    Err(error) => {
                        let _ = tell.send(Err(error.into()));
                    }
                }
            });
        })?;
        let server = Self { stop: Some(stop), thread: Some(thread) };
        told.recv().unwrap_or_else(|_| Err(anyhow::anyhow!("the status endpoint did not start")))?;
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Connections, counted.
#[derive(Debug, Default)]
struct Guests {
    /// Address of every connection over TCP; `None` for the unix socket.
    here: Vec<Option<IpAddr>>,
}

impl Guests {
    /// True if there is room for one more from there.
    fn room(&self, from: Option<IpAddr>) -> bool {
        let same = self.here.iter().filter(|a| **a == from).count();
        match from {
            None => same < MAX_LOCAL,
            Some(_) => same < MAX_FROM_ONE && self.here.iter().flatten().count() < MAX_CONNECTIONS,
        }
    }

    fn left(&mut self, from: Option<IpAddr>) {
        if let Some(i) = self.here.iter().position(|a| *a == from) {
            self.here.swap_remove(i);
        }
    }
}

fn open_respondd() -> Option<socket2::Socket> {
    match respondd::open() {
        Ok(socket) => Some(socket),
        Err(error) => {
            tracing::info!(%error, "respondd questions are not answered by this program: its port cannot be had");
            None
        }
    }
}

async fn serve(
    socket: &ControlSocket,
    map_servers: Option<socket2::Socket>,
    node: mpsc::Sender<ControlRequest>,
    mut about: watch::Receiver<About>,
    mut stopped: oneshot::Receiver<()>,
) {
    let site = Arc::new(Site::new(node, about.clone()));
    let asked = map_servers.map(|socket| tokio::spawn(respondd::serve(socket, Arc::clone(&site), about.clone())));
    let streams = Arc::new(AtomicUsize::new(0));
    let mut places = Places::default();
    let mut guests = Guests::default();
    let mut tasks: JoinSet<Option<IpAddr>> = JoinSet::new();
    let mut look = tokio::time::interval(LOOK);
    loop {
        let (accepted, from) = tokio::select! {
            _ = &mut stopped => {
                asked.inspect(tokio::task::JoinHandle::abort);
                return;
            }
            left = tasks.join_next(), if !tasks.is_empty() => {
                if let Some(Ok(from)) = left {
                    guests.left(from);
                }
                continue;
            }
            _ = look.tick() => {
                follow(&mut places, &about);
                site.forget_old().await;
                continue;
            }
            Ok(()) = about.changed() => {
                follow(&mut places, &about);
                continue;
            }
            accepted = std::future::poll_fn(|cx| places.poll_accept(cx)) => match accepted {
                Ok((stream, peer)) => (Ok(Box::new(stream) as Stream), Some(peer.ip())),
                Err(e) => (Err(e), None),
            },
            accepted = socket.listener().accept() => (accepted.map(|(stream, _)| Box::new(stream) as Stream), None),
        };
        match accepted {
            Ok(stream) if guests.room(from) => {
                guests.here.push(from);
                let (site, streams) = (Arc::clone(&site), Arc::clone(&streams));
                tasks.spawn(async move {
                    if let Err(error) = attend(stream, &site, &streams, from.is_none()).await {
                        tracing::debug!(%error, "a connection to the status endpoint was cut off");
                    }
                    from
                });
            }
            Ok(mut stream) => {
                let answer = Answer::text(503, "too many connections; try again\n");
                // What does not fit at once is not waited for.
                let line = answer.head(false);
                let _ = timeout(Duration::ZERO, stream.write_all(line.as_bytes())).await;
            }
            Err(error) => {
                tracing::debug!(%error, "no connection can be accepted at the status endpoint");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

fn follow(places: &mut Places, about: &watch::Receiver<About>) {
    let about = about.borrow();
    places.follow(&about.http.listen, about.http.port, &about.setup.mesh_name);
}

/// Answers one connection until it is closed.
async fn attend(mut stream: Stream, site: &Site, streams: &AtomicUsize, trusted: bool) -> io::Result<()> {
    let mut bytes = Vec::new();
    loop {
        if !head(&mut stream, &mut bytes).await? {
            return Ok(());
        }
        let (answer, used, only_head, keep, full) = match parse(&bytes) {
            Parsed::Whole(request, used) => {
                let (answer, full) = site.answer(&request, trusted).await;
                (answer, used, request.head, request.keep, full)
            }
            Parsed::Part => (Answer::text(408, "the request did not come in time\n"), 0, false, false, false),
            Parsed::Refused(answer) => (answer, 0, false, false, false),
        };
        if matches!(answer.body, Body::Events) && !only_head {
            return follow_events(stream, site, streams, full, &answer).await;
        }
        stream_answer(&mut stream, &answer, only_head, keep).await?;
        if !keep {
            return stream.shutdown().await;
        }
        bytes.drain(..used);
    }
}

async fn follow_events(
    mut stream: Stream,
    site: &Site,
    streams: &AtomicUsize,
    full: bool,
    answer: &Answer,
) -> io::Result<()> {
    if streams.fetch_add(1, Ordering::Relaxed) >= MAX_STREAMS {
        streams.fetch_sub(1, Ordering::Relaxed);
        return stream_answer(&mut stream, &Answer::text(503, "too many readers of events\n"), false, false).await;
    }
    let _leaves = Leaves(streams);
    send(&mut stream, answer.head(false).as_bytes()).await?;
    events::stream(site, full, &mut stream).await
}

/// Counts a reader of events off when it leaves, however it does.
struct Leaves<'a>(&'a AtomicUsize);

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Waits until `bytes` holds the head of a request, or something that is none. False when the asker is gone; with
/// [`Parsed::Part`] left in it when the time is over.
async fn head(stream: &mut Stream, bytes: &mut Vec<u8>) -> io::Result<bool> {
    let mut patience = if bytes.is_empty() { IDLE } else { HEAD_PATIENCE };
    let mut deadline = tokio::time::Instant::now() + patience;
    while matches!(parse(bytes), request::Parsed::Part) {
        bytes.reserve(1024);
        let most = u64::try_from(MAX_HEAD.saturating_sub(bytes.len())).unwrap_or(0);
        let got = tokio::time::timeout_at(deadline, (&mut *stream).take(most).read_buf(bytes)).await;
        match got {
            Ok(got) => {
                if got? == 0 {
                    return Ok(false);
                }
            }
            Err(_) => return Ok(!bytes.is_empty()),
        }
        if patience == IDLE {
            patience = HEAD_PATIENCE;
            deadline = tokio::time::Instant::now() + patience;
        }
    }
    Ok(true)
}

async fn stream_answer(stream: &mut Stream, answer: &Answer, only_head: bool, keep: bool) -> io::Result<()> {
    let mut first = answer.head(keep).into_bytes();
    let body = if only_head { b"" } else { answer.bytes() };
    // A short answer goes in one piece.
    let (near, rest) = body.split_at(body.len().min(1024));
    first.extend_from_slice(near);
    send(stream, &first).await?;
    for piece in rest.chunks(PIECE) {
        send(stream, piece).await?;
    }
    Ok(())
}

/// Sends some bytes, in time.
///
/// # Errors
/// The asker is gone or does not read.
pub(super) async fn send(stream: &mut Stream, bytes: &[u8]) -> io::Result<()> {
    let sent = timeout(PIECE_PATIENCE, stream.write_all(bytes)).await;
    sent.map_err(|_| io::Error::new(ErrorKind::TimedOut, "it does not read what it asked for"))?
}
