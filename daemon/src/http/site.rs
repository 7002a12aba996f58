//! What is where, and the picture of the node that all answers of a second are made of.

use super::answer::{self, Answer, Body, Bytes};
use super::request::Request;
use super::respondd::{self, Book, Placed};
use super::{json, maps, metrics, netjson, page, privacy};
use crate::cli::explain;
use crate::cli::names::Names;
use crate::control::protocol::AddressKind;
use crate::control::view;
use crate::control::{self, About};
use crate::history::Scale;
use crate::run::{ControlRequest, NodeSnapshot, Wanted};
use mesh_core::snapshot::OriginatorView;
use mesh_core::sorted::SortedMap;
use mesh_core::{Echo, Event};
use packet::MacAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, mpsc, oneshot, watch};
use tokio::time::timeout;

/// The main loop is asked for a picture at most this often.
const FRESH: Duration = Duration::from_secs(1);
/// Pictures are not kept for longer.
const KEPT: Duration = Duration::from_secs(5);
/// How long the main loop may take for an answer; it never does unless it hangs.
const LOOP_PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of all bodies that are here or still on their way to public readers.
const BODY_BYTES: usize = 1024 * 1024;
/// Events that wait for a slow reader; further ones are lost to it.
const EVENTS: usize = 64;

/// Time between two echoes that are asked for, ...
const ECHO_PAUSE: Duration = Duration::from_millis(250);
/// ... how long an answer may take, ...
const ECHO_WAIT: Duration = Duration::from_secs(1);
/// ... and how long whoever asks waits for those before.
const ECHO_PATIENCE: Duration = Duration::from_secs(2);

/// What answers are made of.
pub(super) struct View<'a> {
    /// The node.
    pub(super) s: &'a NodeSnapshot,
    /// Its settings.
    pub(super) about: &'a About,
    /// Names of addresses from the bat-hosts file.
    names: Names,
    /// Names that nodes told.
    told: Vec<(MacAddr, String)>,
    /// What nodes told by respondd, in order of originators.
    pub(super) respondd: Vec<Placed>,
    /// The asker may see all.
    pub(super) full: bool,
}

impl<'a> View<'a> {
    pub(super) fn new(s: &'a NodeSnapshot, about: &'a About, full: bool, respondd: Vec<Placed>) -> Self {
        let told = told_names(s, about, &respondd);
        Self { s, about, names: Names::load(), told, respondd, full }
    }

    /// What an originator told by respondd.
    pub(super) fn respondd(&self, orig: MacAddr) -> Option<&Placed> {
        self.respondd.get(self.respondd.binary_search_by_key(&orig, |p| p.orig).ok()?)
    }

    /// Devices at a node: its clients that are single stations, each once.
    pub(super) fn devices(&self, node: MacAddr) -> usize {
        let m = &self.s.mesh;
        let local = m.local_clients.iter().filter(|_| node == m.originator).map(|c| c.addr);
        let there = m.global_clients.iter().filter(|c| c.originator == node && c.best).map(|c| c.addr);
        let mut all: Vec<MacAddr> = local.chain(there).filter(|mac| !mac.is_multicast()).collect();
        all.sort_unstable();
        all.dedup();
        all.len()
    }

    /// What to call a node: its name in the bat-hosts file, the one it told of itself, or its address.
    pub(super) fn name(&self, addr: MacAddr) -> String {
        let told = || {
            let place = self.told.binary_search_by_key(&addr, |(addr, _)| *addr).ok()?;
            self.told.get(place).map(|(_, name)| name.clone())
        };
        self.names.name(addr).map(str::to_owned).or_else(told).unwrap_or_else(|| addr.to_string())
    }
}

/// Names that nodes told of themselves, by address. Where several chose the same one, the end of the address tells
/// them apart.
fn told_names(s: &NodeSnapshot, about: &About, respondd: &[Placed]) -> Vec<(MacAddr, String)> {
    let told = |o: &OriginatorView| Some((o.addr, o.facts.as_ref()?.0.name.clone()));
    let own = about.setup.mesh.publish.as_ref().map(|own| (s.mesh.originator, own.name.clone()));
    let mut all: Vec<_> = s.mesh.originators.iter().filter_map(told).chain(own).collect();
    for p in respondd {
        if all.iter().all(|(addr, _)| *addr != p.orig) {
            all.push((p.orig, p.told.hostname.clone()));
        }
    }
    all.retain(|(_, name)| !name.is_empty());
    all.sort_by(|a, b| a.1.cmp(&b.1));
    let same = |a: Option<&(MacAddr, String)>, b: &str| a.is_some_and(|(_, name)| name == b);
    let twice: Vec<bool> = (0..all.len())
        .map(|i| {
            let name = all.get(i).map_or("", |(_, name)| name);
            same(all.get(i + 1), name) || i > 0 && same(all.get(i - 1), name)
        })
        .collect();
    for ((addr, name), _) in all.iter_mut().zip(twice).filter(|(_, twice)| *twice) {
        let [.., a, b] = addr.0;
        *name = format!("{name} {a:02x}:{b:02x}");
    }
    all.sort_by_key(|(addr, _)| *addr);
    all
}

/// A table or document.
pub(super) struct Route {
    pub(super) path: &'static str,
    pub(super) kind: &'static str,
    pub(super) make: fn(&View<'_>) -> json::Made,
}

/// No path of a request: what `/metrics` is for those who ask for it.
const OPENMETRICS: &str = "metrics/open";

/// Documents that are made of a picture alone, the same for all askers of one kind.
pub(super) const ROUTES: &[Route] = &[
    Route { path: "/api/v1/status", kind: answer::JSON, make: json::status },
    Route { path: "/api/v1/links", kind: answer::JSON, make: json::links },
    Route { path: "/api/v1/neighbors", kind: answer::JSON, make: json::neighbors },
    Route { path: "/api/v1/originators", kind: answer::JSON, make: json::originators },
    Route { path: "/api/v1/clients", kind: answer::JSON, make: json::clients },
    Route { path: "/api/v1/gateways", kind: answer::JSON, make: json::gateways },
    Route { path: "/api/v1/statistics", kind: answer::JSON, make: json::statistics },
    Route { path: "/api/v1/share", kind: answer::JSON, make: json::share },
    Route { path: "/api/v1/topology", kind: answer::JSON, make: netjson::graph },
    Route { path: "/api/v1/device", kind: answer::JSON, make: netjson::device },
    Route { path: "/meshviewer.json", kind: answer::JSON, make: maps::meshviewer },
    Route { path: "/vis.json", kind: answer::JSON, make: maps::vis },
    Route { path: "/metrics", kind: metrics::TEXT, make: metrics::text },
    Route { path: OPENMETRICS, kind: metrics::OPEN, make: metrics::open },
    Route { path: "/", kind: answer::HTML, make: page::english },
    Route { path: "/de", kind: answer::HTML, make: page::german },
    Route { path: "/tables", kind: answer::HTML, make: page::english_tables },
    Route { path: "/de/tables", kind: answer::HTML, make: page::german_tables },
];

/// What draws the whole mesh: for these other nodes are asked.
const MAPS: &[&str] = &["/", "/de", "/tables", "/de/tables", "/api/v1/topology", "/meshviewer.json"];

/// Everything that there is to see.
#[derive(Debug)]
pub(super) struct Site {
    node: mpsc::Sender<ControlRequest>,
    about: watch::Receiver<About>,
    shelf: Mutex<Shelf>,
    /// When somebody was asked for an echo last.
    echo: Mutex<Option<tokio::time::Instant>>,
    /// Bytes of all bodies that anybody holds.
    held: Arc<AtomicUsize>,
    /// What other nodes tell by respondd.
    book: std::sync::Mutex<Book>,
    /// When somebody last looked at the whole mesh, and asked where nodes answer.
    looked: std::sync::Mutex<[Option<Instant>; 2]>,
}

/// The last picture, and what was made of it.
#[derive(Debug, Default)]
struct Shelf {
    picture: Option<(Instant, Arc<NodeSnapshot>)>,
    /// By place in [`ROUTES`] and by what the asker may see.
    made: SortedMap<(usize, bool), Arc<Bytes>>,
}

impl Site {
    pub(super) fn new(node: mpsc::Sender<ControlRequest>, about: watch::Receiver<About>) -> Self {
        Self {
            node,
            about,
            shelf: Mutex::default(),
            echo: Mutex::default(),
            held: Arc::default(),
            book: std::sync::Mutex::default(),
            looked: std::sync::Mutex::default(),
        }
    }

    /// The answer to a request. `trusted`: it came in where only those are that may see all.
    pub(super) async fn answer(&self, request: &Request<'_>, trusted: bool) -> (Answer, bool) {
        let about = self.about.borrow().clone();
        if !trusted && !request.host.is_none_or(|host| privacy::is_our_name(host, &about.http.hosts)) {
            let text = "this node does not go by that name; use its address, or add the name to hosts in [http]\n";
            return (Answer::text(421, text), false);
        }
        let mut full = trusted;
        if let Some(given) = request.token {
            full |= about.http.token_file.as_deref().is_some_and(|file| privacy::is_token(file, given));
            if !full {
                return (Answer::text(401, "this is not the token of this node\n"), false);
            }
        }
        if request.path == "/api/v1/events" {
            return (Answer::good("text/event-stream", Body::Events), full);
        }
        if let Some(asset) = page::asset(request.path) {
            return (asset, full);
        }
        if request.path == "/api/v1/explain" {
            let answer = self.explain(request, full).await;
            return (answer.unwrap_or_else(|(status, text)| Answer::text(status, text)), full);
        }
        if request.path == "/api/v1/ping" {
            let answer = self.ping(request).await;
            return (answer.unwrap_or_else(|(status, text)| Answer::text(status, text)), full);
        }
        if request.path == "/api/v1/history" {
            let answer = self.history(request, full).await;
            return (answer.unwrap_or_else(|(status, text)| Answer::text(status, text)), full);
        }
        if request.path == "/prometheus-sd.json" {
            self.look_now(1);
            let answer = self.targets(request).await;
            return (answer.unwrap_or_else(|text| Answer::text(503, text)), full);
        }
        let path = match request.path {
            "/" if page::wants_german(request) => "/de",
            "/metrics" if request.accept.contains("application/openmetrics-text") => OPENMETRICS,
            "/en" => "/",
            "/en/tables" => "/tables",
            path => path,
        };
        if path == "/healthz" {
            return match self.picture().await {
                Ok(_) => (Answer::text(200, "ok\n"), full),
                Err(text) => (Answer::text(503, text), full),
            };
        }
        match ROUTES.iter().position(|route| route.path == path) {
            Some(route) => (self.document(route, full).await.unwrap_or_else(|text| Answer::text(503, text)), full),
            None => (Answer::text(404, "there is nothing here; / shows the mesh\n"), full),
        }
    }

    /// What other nodes tell by respondd.
    pub(super) fn book(&self) -> MutexGuard<'_, Book> {
        // Nobody who holds it can fail half way.
        self.book.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// When somebody last looked at the whole mesh, and asked where nodes answer.
    pub(super) fn looked(&self) -> [Option<Instant>; 2] {
        *self.looked.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn look_now(&self, place: usize) {
        let mut looked = self.looked.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(at) = looked.get_mut(place) {
            *at = Some(Instant::now());
        }
    }

    /// A document of [`ROUTES`].
    async fn document(&self, index: usize, full: bool) -> Result<Answer, &'static str> {
        let route = ROUTES.get(index).ok_or("there is no such document")?;
        if MAPS.contains(&route.path) {
            self.look_now(0);
        }
        let bytes = self.bytes(index, full).await?;
        Ok(Answer::good(route.kind, Body::Made(bytes)))
    }

    /// Which way frames to `?dest=` take and what is weak about it; only those who may see all learn where a client is.
    async fn explain(&self, request: &Request<'_>, full: bool) -> Result<Answer, (u16, &'static str)> {
        let typed = request.value("dest").ok_or((400, "say whom: ?dest=ADDRESS, or a name of /etc/bat-hosts\n"))?;
        let dest = typed.parse().ok().or_else(|| Names::load().mac(&typed));
        let s = self.picture().await.map_err(|text| (503, text))?;
        let found = dest.and_then(|mac| view::translate(&s, mac));
        let found = found.filter(|t| full || t.kind != AddressKind::Client && !is_own_client(&s, t.address.0));
        let found = found.ok_or((404, "no node of the mesh has this address\n"))?;
        let about = self.about.borrow().clone();
        let ways = explain::ways_to(found.orig_address.0, view::originators(&s));
        let neighbors: Vec<_> = view::neighbors(&s).collect();
        let interfaces: Vec<_> = view::interfaces(&s, &about.setup).collect();
        let weak = ways.first().map(|way| explain::weaknesses(way, &neighbors, &interfaces)).unwrap_or_default();
        let own = found.kind == AddressKind::Own;
        let text = explain::answer(&typed, found.orig_address.0, own, &ways, &weak).to_string();
        Ok(Answer::good(answer::JSON, Body::Made(Arc::new(Bytes::new(text.into_bytes(), &self.held)))))
    }

    /// Where nodes answer Prometheus: this one where the asker found it, others at what address they told their map
    /// by respondd. An address of one link needs the asker's name of it: `?zone=`, or else the one here.
    async fn targets(&self, request: &Request<'_>) -> Result<Answer, &'static str> {
        let s = self.picture().await?;
        let about = self.about.borrow().clone();
        let respondd = respondd::place(&self.book(), &s);
        let zone = request.value("zone").unwrap_or_else(|| respondd::interface(&s.mesh_name));
        let view = View::new(&s, &about, false, respondd);
        let text = maps::targets(&view, &self.book(), request.host.unwrap_or("localhost"), &zone);
        Ok(Answer::good(answer::JSON, Body::Made(Arc::new(Bytes::new(text, &self.held)))))
    }

    /// Asks the node `?dest=` for a mesh echo that writes down its way; without `echo` in the answer none came. One at a
    /// time and four a second, for all askers together.
    async fn ping(&self, request: &Request<'_>) -> Result<Answer, (u16, &'static str)> {
        let typed = request.value("dest").ok_or((400, "say whom: ?dest=ADDRESS\n"))?;
        let dest: MacAddr = typed.parse().map_err(|_| (400, "dest is the address of a node\n"))?;
        let mut last =
            timeout(ECHO_PATIENCE, self.echo.lock()).await.map_err(|_| (503, "too many ask; try again\n"))?;
        if let Some(at) = *last {
            tokio::time::sleep_until(at + ECHO_PAUSE).await;
        }
        let s = self.picture().await.map_err(|text| (503, text))?;
        if !s.mesh.originators.iter().any(|o| o.addr == dest) {
            return Err((404, "no node of the mesh has this address\n"));
        }
        *last = Some(tokio::time::Instant::now());
        let echo = Echo { dst: dest, ttl: packet::consts::TTL, uid: 0, seqno: 1, record_route: true };
        let (to, mut from) = mpsc::channel(1);
        self.node.send(ControlRequest::Echo(echo, to)).await.map_err(|_| (503, "the node is stopping\n"))?;
        let answer = timeout(ECHO_WAIT, from.recv()).await.ok().flatten();
        let mut json = json::Json::answer_of(&s);
        if let Some(answer) = answer {
            json.field("echo", &mut view::echo(&answer));
        }
        Ok(Answer::good(answer::JSON, Body::Made(Arc::new(Bytes::new(json.close(), &self.held)))))
    }

    /// How it was: `?of=` a neighbour, or this node; `&scale=` hour, days or month.
    async fn history(&self, request: &Request<'_>, full: bool) -> Result<Answer, (u16, &'static str)> {
        let scale = request.value("scale").map_or(Some(Scale::Hour), |scale| Scale::named(&scale));
        let scale = scale.ok_or((400, "scale is hour, days or month\n"))?;
        let of = match request.value("of") {
            Some(typed) => Some(typed.parse().map_err(|_| (400, "of is the address of a neighbour\n"))?),
            None => None,
        };
        let wanted = Wanted { of, scale };
        let s = self.picture().await.map_err(|text| (503, text))?;
        let (to, from) = oneshot::channel();
        self.node.send(ControlRequest::History(wanted, to)).await.map_err(|_| (503, "the node is stopping\n"))?;
        let Ok(Ok(told)) = timeout(LOOP_PATIENCE, from).await else { return Err((503, "the node is stopping\n")) };
        let mut told =
            control::history::view(&told, wanted, full).map_err(|_| (404, "no neighbour has this address\n"))?;
        let mut json = json::Json::answer_of(&s);
        json.field("history", &mut told);
        let held = self.held.load(Ordering::Relaxed);
        if !full && held > BODY_BYTES {
            return Err((503, "too many slow readers at the moment; try again\n"));
        }
        Ok(Answer::good(answer::JSON, Body::Made(Arc::new(Bytes::new(json.close(), &self.held)))))
    }

    /// The bytes of a document, made once per picture.
    async fn bytes(&self, index: usize, full: bool) -> Result<Arc<Bytes>, &'static str> {
        let mut shelf = self.shelf.lock().await;
        let s = self.look(&mut shelf).await?;
        if let Some(made) = shelf.made.get(&(index, full)) {
            return Ok(Arc::clone(made));
        }
        let route = ROUTES.get(index).ok_or("there is no such document")?;
        let about = self.about.borrow().clone();
        let respondd = respondd::place(&self.book(), &s);
        let view = View::new(&s, &about, full, respondd);
        let data = (route.make)(&view).map_err(|_| "the answer could not be written\n")?;
        // Many that read slowly would keep one old picture's answer each.
        let held = self.held.load(Ordering::Relaxed);
        if !full && held > 0 && held + data.len() > BODY_BYTES {
            return Err("too many slow readers at the moment; try again\n");
        }
        let bytes = Arc::new(Bytes::new(data, &self.held));
        shelf.made.insert((index, full), Arc::clone(&bytes));
        Ok(bytes)
    }

    /// A picture of the node, at most a second old.
    pub(super) async fn picture(&self) -> Result<Arc<NodeSnapshot>, &'static str> {
        self.look(&mut *self.shelf.lock().await).await
    }

    async fn look(&self, shelf: &mut Shelf) -> Result<Arc<NodeSnapshot>, &'static str> {
        if let Some((at, picture)) = &shelf.picture
            && at.elapsed() < FRESH
        {
            return Ok(Arc::clone(picture));
        }
        *shelf = Shelf::default();
        let (to, from) = oneshot::channel();
        self.node.send(ControlRequest::Snapshot(to)).await.map_err(|_| "the node is stopping\n")?;
        match timeout(LOOP_PATIENCE, from).await {
            Ok(Ok(snapshot)) => {
                let picture = Arc::new(snapshot);
                shelf.picture = Some((Instant::now(), Arc::clone(&picture)));
                Ok(picture)
            }
            Ok(Err(_)) => Err("the node is stopping\n"),
            Err(_) => Err("the node is too busy to answer\n"),
        }
    }

    /// Lets a picture go that nobody asked for lately.
    pub(super) async fn forget_old(&self) {
        let mut shelf = self.shelf.lock().await;
        if shelf.picture.as_ref().is_some_and(|(at, _)| at.elapsed() > KEPT) {
            *shelf = Shelf::default();
        }
    }

    /// Events from now on.
    pub(super) async fn subscribe(&self) -> Option<mpsc::Receiver<Event>> {
        let (to, events) = mpsc::channel(EVENTS);
        self.node.send(ControlRequest::Subscribe(to)).await.ok()?;
        Some(events)
    }
}

/// True for a client of this node that is not the node itself.
fn is_own_client(s: &NodeSnapshot, address: MacAddr) -> bool {
    let ours = address == s.mesh.host_mac || s.mesh.links.iter().any(|l| l.mac == address);
    !ours && s.mesh.local_clients.iter().any(|c| c.addr == address)
}
