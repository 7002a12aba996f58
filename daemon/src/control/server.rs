//! The node's side of the control socket.

use super::json::{self, Value};
use super::protocol::{
    Ask, ConfigView, FORMAT, MAX_ECHO_WAIT_MSECS, MAX_REQUEST, MAX_TEST_MSECS, Mac, Node, Request, Response,
};
use super::request::BadRequest;
use super::socket::ControlSocket;
use super::view;
use crate::history::Scale;
use crate::run::{ControlRequest, NodeSnapshot, RunSetup, Wanted};
use mesh_core::sorted::SortedMap;
use mesh_core::{Echo, Event, LinkId, Meter};
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Most askers at a time.
pub const MAX_ASKERS: usize = 32;
/// How long an asker may take to read what was sent to it.
const WRITE_PATIENCE: Duration = Duration::from_secs(5);
/// How long an asker may be silent.
const IDLE: Duration = Duration::from_secs(60);
/// How long the main loop may take for an answer; it never does unless it hangs.
const LOOP_PATIENCE: Duration = Duration::from_secs(5);
/// An answer is handed over in pieces of about this size, in bytes.
const PIECE: usize = 16 * 1024;
/// Reports of a throughput test that wait for a slow asker.
const REPORTS: usize = 64;
/// Events that wait for a slow asker; further ones are lost to it.
const EVENTS: usize = 256;

/// What the server knows besides what the main loop tells it.
#[derive(Debug, Clone)]
pub struct About {
    /// What the node runs with.
    pub setup: Arc<RunSetup>,
    /// The status endpoint over TCP.
    pub http: config::Http,
    /// Where that comes from.
    pub config: ConfigView,
}

/// Accepts askers and answers them, each in a task of its own.
#[derive(Debug)]
pub struct Server {
    socket: ControlSocket,
    desk: Desk,
}

/// What answering takes.
#[derive(Debug, Clone)]
pub struct Desk {
    node: mpsc::Sender<ControlRequest>,
    about: watch::Receiver<About>,
    /// Numbers throughput tests.
    tests: Arc<AtomicU32>,
}

impl Server {
    /// A server on a bound socket that asks the main loop through `node`.
    pub fn new(socket: ControlSocket, node: mpsc::Sender<ControlRequest>, about: watch::Receiver<About>) -> Self {
        Self { socket, desk: Desk { node, about, tests: Arc::default() } }
    }

    /// The desk behind it, for those who ask from inside the node.
    pub fn desk(&self) -> Desk {
        self.desk.clone()
    }

    /// Serves until it is dropped; then all askers are cut off and the socket is removed.
    pub async fn serve(self) {
        let mut askers = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.socket.listener().accept() => match accepted {
                    Ok((stream, _)) if askers.len() < MAX_ASKERS => {
                        let desk = self.desk.clone();
                        askers.spawn(async move {
                            if let Err(error) = desk.attend(stream).await {
                                tracing::debug!(%error, "an asker at the control socket was cut off");
                            }
                        });
                    }
                    Ok((stream, _)) => turn_away(&stream),
                    Err(error) => {
                        tracing::warn!(%error, "nobody can be accepted at the control socket");
                        tokio::time::sleep(Duration::from_millis(200)).await;
                    }
                },
                Some(_) = askers.join_next() => {}
            }
        }
    }
}

/// Says that too many ask already, as far as that goes without waiting.
fn turn_away(stream: &UnixStream) {
    let mut response = Response::error(format!("{MAX_ASKERS} others ask already; try again"));
    let mut line = json::text(&mut response);
    line.push(b'\n');
    let _ = stream.try_write(&line);
}

impl Desk {
    /// Answers one asker until it leaves.
    ///
    /// # Errors
    /// It does not read, or says nothing for too long.
    pub async fn attend(self, stream: UnixStream) -> io::Result<()> {
        let (read, write) = stream.into_split();
        let mut read = BufReader::with_capacity(MAX_REQUEST, read);
        let mut line = Line { to: write, buffer: Vec::new() };
        loop {
            let Some(text) = next_line(&mut read).await? else { return Ok(()) };
            let request = match Request::from_json(&text) {
                Ok(request) => request,
                Err(BadRequest::Format(format)) => {
                    line.error(0, &wrong_format(format)).await?;
                    continue;
                }
                Err(BadRequest::Text(e)) => {
                    line.error(0, &format!("the request is not understood: {e}")).await?;
                    continue;
                }
            };
            if request.format != FORMAT {
                line.error(request.id, &wrong_format(request.format)).await?;
            } else if request.ask == Ask::Events {
                return self.events(read, line, request.id).await;
            } else if let Ask::Throughput { address, test_msecs } = request.ask {
                return self.throughput(address, test_msecs, read, line, request.id).await;
            } else if let Err(refused) = self.answer(request.ask, request.id, &mut line).await? {
                line.error(request.id, &refused).await?;
            }
        }
    }

    /// Answers one request; the inner error goes to the asker.
    async fn answer(&self, ask: Ask, id: u64, line: &mut Line) -> io::Result<Result<(), String>> {
        if let Ask::Echo { address, ttl, seqno, record_route, timeout_msecs } = ask {
            let echo = Echo { dst: address.0, ttl, uid: 0, seqno, record_route };
            return self.echo(echo, Duration::from_millis(timeout_msecs), id, line).await;
        }
        if let Ask::History { of, scale } = &ask {
            return self.history(*of, scale, id, line).await;
        }
        let s = match self.snapshot().await {
            Ok(s) => s,
            Err(refused) => return Ok(Err(refused)),
        };
        let about = self.about.borrow().clone();
        let setup = &about.setup;
        line.open(id, Some(&view::node(&s)));
        match ask {
            Ask::Status => line.field("status", &mut view::status(&s, setup, about.config.clone())),
            Ask::Mesh => line.field("mesh", &mut view::mesh(&s, setup)),
            Ask::Statistics => line.field("statistics", &mut view::statistics(&s)),
            Ask::Share => line.field("share", &mut view::share(&s, true)),
            Ask::Interfaces => line.list("interfaces", &mut each(view::interfaces(&s, setup))).await?,
            Ask::Neighbors => line.list("neighbors", &mut each(view::neighbors(&s))).await?,
            Ask::Gateways => {
                line.list("gateways", &mut each(view::gateways(&s))).await?;
                if let Some(mut shared) = view::line(&s) {
                    line.field("line", &mut shared);
                }
            }
            Ask::Multicast => {
                line.field("multicast", &mut view::multicast(&s, setup));
                line.list("mcast_flags", &mut each(view::mcast_flags(&s))).await?;
            }
            Ask::Originators => line.list("originators", &mut each(view::originators(&s))).await?,
            Ask::Clients => {
                line.list("local_clients", &mut each(view::local_clients(&s))).await?;
                line.list("global_clients", &mut each(view::global_clients(&s))).await?;
            }
            Ask::Dat => {
                line.list("dat_cache", &mut each(view::dat_cache(&s))).await?;
                line.list("nd_cache", &mut each(view::nd_cache(&s))).await?;
            }
            Ask::Bla => {
                line.list("bla_claims", &mut each(view::bla_claims(&s))).await?;
                line.list("bla_backbones", &mut each(view::bla_backbones(&s))).await?;
            }
            Ask::Translate { address } => match view::translate(&s, address.0) {
                Some(mut translation) => line.field("translation", &mut translation),
                None => {
                    line.buffer.clear();
                    return Ok(Err(format!("no node of the mesh and none of its clients has the address {address}")));
                }
            },
            Ask::Echo { .. } | Ask::Events | Ask::Throughput { .. } | Ask::History { .. } => line.buffer.clear(),
        }
        line.close().await.map(Ok)
    }

    async fn history(&self, of: Option<Mac>, scale: &str, id: u64, line: &mut Line) -> io::Result<Result<(), String>> {
        let Some(scale) = Scale::named(scale) else {
            return Ok(Err(format!("found scale {scale:?}, allowed: hour, days or month")));
        };
        let wanted = Wanted { of: of.map(|mac| mac.0), scale };
        let (to, from) = oneshot::channel();
        if self.node.send(ControlRequest::History(wanted, to)).await.is_err() {
            return Ok(Err(STOPPING.to_owned()));
        }
        let Ok(Ok(told)) = timeout(LOOP_PATIENCE, from).await else { return Ok(Err(STOPPING.to_owned())) };
        let mut history = match super::history::view(&told, wanted, true) {
            Ok(history) => history,
            Err(refused) => return Ok(Err(refused)),
        };
        let s = match self.snapshot().await {
            Ok(s) => s,
            Err(refused) => return Ok(Err(refused)),
        };
        line.open(id, Some(&view::node(&s)));
        line.field("history", &mut history);
        line.close().await.map(Ok)
    }

    async fn echo(&self, echo: Echo, wait: Duration, id: u64, line: &mut Line) -> io::Result<Result<(), String>> {
        if wait > Duration::from_millis(MAX_ECHO_WAIT_MSECS) || echo.ttl == 0 {
            return Ok(Err(format!("ttl is 1 to 255 and timeout_msecs at most {MAX_ECHO_WAIT_MSECS}")));
        }
        let (answers, mut answered) = mpsc::channel(1);
        if self.node.send(ControlRequest::Echo(echo, answers)).await.is_err() {
            return Ok(Err(STOPPING.to_owned()));
        }
        let answer = timeout(wait, answered.recv()).await.ok().flatten();
        line.open(id, None);
        if let Some(answer) = answer {
            line.field("echo", &mut view::echo(&answer));
        }
        line.close().await.map(Ok)
    }

    /// A line once a second and one for the end of a throughput test.
    async fn throughput(
        &self,
        to: Mac,
        msecs: u64,
        mut read: BufReader<OwnedReadHalf>,
        mut line: Line,
        id: u64,
    ) -> io::Result<()> {
        if !(1..=MAX_TEST_MSECS).contains(&msecs) {
            return line.error(id, &format!("found test_msecs {msecs}, allowed: 1 to {MAX_TEST_MSECS}")).await;
        }
        let (reports, mut reported) = mpsc::channel(REPORTS);
        let ask = self.tests.fetch_add(1, Ordering::Relaxed);
        let start = Meter::Start { ask, dst: to.0, length: Duration::from_millis(msecs) };
        if self.node.send(ControlRequest::Meter(start, Some(reports))).await.is_err() {
            return line.error(id, STOPPING).await;
        }
        let mut byte = [0];
        let mut stopped = false;
        loop {
            let report = tokio::select! {
                report = reported.recv() => report,
                said = read.read(&mut byte), if !stopped => {
                    stopped = true;
                    let stop = ControlRequest::Meter(Meter::Stop { ask }, None);
                    if self.node.send(stop).await.is_err() || !matches!(said, Ok(1)) {
                        return Ok(());
                    }
                    continue;
                }
            };
            let Some(report) = report else { return line.error(id, STOPPING).await };
            line.open(id, None);
            line.field("throughput", &mut view::throughput(&report));
            line.close().await?;
            if report.end.is_some() {
                return Ok(());
            }
        }
    }

    /// A line for each event until the asker says anything or leaves.
    async fn events(&self, mut read: BufReader<OwnedReadHalf>, mut line: Line, id: u64) -> io::Result<()> {
        let (to, mut events) = mpsc::channel(EVENTS);
        if self.node.send(ControlRequest::Subscribe(to)).await.is_err() {
            return line.error(id, STOPPING).await;
        }
        // The first line says that events come from now on.
        let mut names = SortedMap::new();
        if let Ok(s) = self.snapshot().await {
            names = link_names(&s);
            line.open(id, Some(&view::node(&s)));
            line.close().await?;
        }
        let mut byte = [0];
        loop {
            tokio::select! {
                event = events.recv() => {
                    let Some(event) = event else { return Ok(()) };
                    if matches!(event, Event::Echo(_) | Event::Meter(_)) {
                        continue;
                    }
                    if link_of(&event).is_some_and(|id| !names.contains_key(&id))
                        && let Ok(s) = self.snapshot().await
                    {
                        names = link_names(&s);
                    }
                    line.open(id, None);
                    line.field("event", &mut view::event(&event, |id| names.get(&id).cloned()));
                    line.close().await?;
                }
                _ = read.read(&mut byte) => return Ok(()),
            }
        }
    }

    async fn snapshot(&self) -> Result<NodeSnapshot, String> {
        let (to, from) = oneshot::channel();
        self.node.send(ControlRequest::Snapshot(to)).await.map_err(|_| STOPPING.to_owned())?;
        match timeout(LOOP_PATIENCE, from).await {
            Ok(Ok(snapshot)) => Ok(snapshot),
            Ok(Err(_)) => Err(STOPPING.to_owned()),
            Err(_) => Err("the node is too busy to answer".to_owned()),
        }
    }
}

const STOPPING: &str = "the node is stopping";

fn wrong_format(found: u32) -> String {
    format!("found format {found}, allowed: {FORMAT}; node and command are of different versions")
}

fn link_names(s: &NodeSnapshot) -> SortedMap<LinkId, String> {
    s.mesh.links.iter().map(|l| (l.id, l.name.clone())).collect()
}

fn link_of(event: &Event) -> Option<LinkId> {
    match event {
        Event::NeighborNew { link, .. }
        | Event::NeighborGone { link, .. }
        | Event::NeighborSilent { link, .. }
        | Event::NeighborBack { link, .. }
        | Event::AddressTwice { link, .. }
        | Event::MetricImplausible { link, .. }
        | Event::NotForwarding { link, .. }
        | Event::ForwardsAgain { link, .. }
        | Event::OtherAlgorithm { link, .. } => Some(*link),
        Event::OriginatorNew(_)
        | Event::OriginatorGone(_)
        | Event::ClientRoamed { .. }
        | Event::AddressFlip { .. }
        | Event::Echo(_)
        | Event::Meter(_)
        | Event::Gateway(_)
        | Event::Line(_)
        | Event::TableFull(_)
        | Event::BackboneNew { .. }
        | Event::BackboneGone { .. }
        | Event::BackboneDistrusted { .. }
        | Event::LoopDetected { .. }
        | Event::ClientContested { .. }
        | Event::AlgorithmChanged { .. }
        | Event::NoLink => None,
    }
}

/// The next request, `None` when the asker is gone.
async fn next_line(read: &mut BufReader<OwnedReadHalf>) -> io::Result<Option<Vec<u8>>> {
    let mut text = Vec::new();
    let most = u64::try_from(MAX_REQUEST).unwrap_or(u64::MAX);
    let got = timeout(IDLE, (&mut *read).take(most).read_until(b'\n', &mut text)).await;
    match got.map_err(|_| io::Error::new(ErrorKind::TimedOut, "silent for too long"))?? {
        0 => Ok(None),
        _ if text.last() == Some(&b'\n') => Ok(Some(text)),
        n if n < MAX_REQUEST => Ok(None),
        _ => Err(io::Error::new(ErrorKind::InvalidData, "the request is too long")),
    }
}

/// The text of each item of a list, made when its turn comes.
fn each<T: Value>(items: impl Iterator<Item = T>) -> impl Iterator<Item = Vec<u8>> {
    items.map(|mut item| json::text(&mut item))
}

/// One line to the asker, written piece by piece so that a long list never stands in memory as a
/// whole.
struct Line {
    to: OwnedWriteHalf,
    buffer: Vec<u8>,
}

impl Line {
    /// Begins a response.
    fn open(&mut self, id: u64, node: Option<&Node>) {
        let mut head = Response { format: FORMAT, id, node: node.cloned(), ..Response::default() };
        self.buffer.clear();
        json::write(&mut head, &mut self.buffer);
        // The closing brace comes with `close`.
        self.buffer.pop();
    }

    fn field(&mut self, key: &str, value: &mut dyn Value) {
        self.buffer.extend_from_slice(format!(",\"{key}\":").as_bytes());
        json::write(value, &mut self.buffer);
    }

    async fn list(&mut self, key: &str, items: &mut (dyn Iterator<Item = Vec<u8>> + Send)) -> io::Result<()> {
        self.buffer.extend_from_slice(format!(",\"{key}\":[").as_bytes());
        for (i, item) in items.enumerate() {
            if i > 0 {
                self.buffer.push(b',');
            }
            self.buffer.extend_from_slice(&item);
            if self.buffer.len() > PIECE {
                self.flush().await?;
            }
        }
        self.buffer.push(b']');
        Ok(())
    }

    async fn close(&mut self) -> io::Result<()> {
        self.buffer.extend_from_slice(b"}\n");
        self.flush().await
    }

    async fn error(&mut self, id: u64, text: &str) -> io::Result<()> {
        self.open(id, None);
        self.field("error", &mut text.to_owned());
        self.close().await
    }

    async fn flush(&mut self) -> io::Result<()> {
        let sent = timeout(WRITE_PATIENCE, self.to.write_all(&self.buffer)).await;
        self.buffer.clear();
        sent.map_err(|_| io::Error::new(ErrorKind::TimedOut, "it does not read what it asked for"))?
    }
}
