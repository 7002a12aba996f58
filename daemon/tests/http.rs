//! The status endpoint from the asker's side, with a made-up node behind it.
#![allow(clippy::unwrap_used, reason = "test code")]

mod common;

use common::{Folder, about, fake_node};
use config::Listen;
use meshwork::http::{MAX_CONNECTIONS, Server, socket_path};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};

/// A made-up node with a status endpoint.
struct Node {
    folder: Folder,
    address: SocketAddr,
    server: Option<Server>,
}

impl Node {
    fn new(name: &str, clients: u32) -> Self {
        let folder = Folder::new(name);
        // A port that is free now; nobody else takes it within the test.
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        let token = folder.0.join("token");
        std::fs::write(&token, "0123456789abcdef\n").unwrap();
        let mut about = about();
        about.http.listen = vec![Listen::Address(free.ip())];
        about.http.port = free.port();
        about.http.hosts = vec!["*.mesh".into()];
        about.http.token_file = Some(token);
        let (ask, asked) = mpsc::channel(8);
        let (tell, told) = watch::channel(about);
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(fake_node(asked, clients));
            drop(tell);
        });
        let server = Server::start(&socket_path(&folder.0.join("mesh0.sock")), None, ask, told).unwrap();
        let node = Self { folder, address: free, server: Some(server) };
        let until = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(free).is_err() {
            assert!(Instant::now() < until, "nobody listens at {free}");
            thread::sleep(Duration::from_millis(20));
        }
        node
    }

    fn unix(&self) -> PathBuf {
        self.folder.0.join("mesh0.http")
    }

    /// Sends bytes over TCP and returns all that comes back.
    fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(bytes).unwrap();
        read(&mut stream)
    }

    /// Status, head and body of what is at `path`.
    fn get_as(&self, path: &str, lines: &str) -> (u16, String, String) {
        let text =
            self.raw(format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{lines}Connection: close\r\n\r\n").as_bytes());
        split(&text)
    }

    fn get(&self, path: &str) -> Value {
        let (status, head, body) = self.get_as(path, "");
        assert_eq!(status, 200, "{path}: {body}");
        assert!(head.contains("Content-Type: application/json\r\n"), "{head}");
        serde_json::from_str(&body).unwrap_or_else(|e| panic!("{path}: {e}: {body}"))
    }

    /// As somebody who may see all.
    fn all(&self, path: &str) -> Value {
        let mut stream = UnixStream::connect(self.unix()).unwrap();
        stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).unwrap();
        let (status, _, body) = split(&read(&mut stream));
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap_or_else(|e| panic!("{path}: {e}: {body}"))
    }
}

fn read(stream: &mut impl Read) -> String {
    let mut bytes = Vec::new();
    // A connection that is cut off is an end, too.
    let _ = stream.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

fn split(text: &str) -> (u16, String, String) {
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head: {text:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, format!("{head}\r\n"), body.to_owned())
}

/// Addresses of clients of the made-up node.
const CLIENTS: [&str; 3] = ["02:00:00:00:00:65", "02:00:00:00:00:32", "10.0.0.50"];

const DOCUMENTS: [&str; 8] =
    ["status", "links", "neighbors", "originators", "clients", "gateways", "statistics", "share"];

#[test]
fn everybody_sees_the_mesh_and_no_client() {
    let node = Node::new("http-public", 0);
    for name in DOCUMENTS {
        let path = format!("/api/v1/{name}");
        let shown = node.get(&path);
        assert_eq!((&shown["format"], &shown["node"]["mesh_ifname"]), (&json!(1), &json!("mesh0")), "{name}");
        for client in CLIENTS {
            assert!(!shown.to_string().contains(client), "{name} shows {client}");
        }
    }
    assert_eq!(node.get("/api/v1/neighbors")["neighbors"][0]["neigh_address"], "02:00:00:00:00:14");
    assert_eq!(node.get("/api/v1/links")["interfaces"][0]["hard_ifname"], "wlan0");
    assert_eq!(node.get("/api/v1/originators")["originators"][0]["tq"], 240);
    assert_eq!(node.get("/api/v1/gateways")["gateways"][0]["bandwidth_down"], 205);
    assert_eq!(node.get("/api/v1/clients")["count"], json!({"local": 2, "global": 1}));
    // With whom it has to do is the owner's business, too.
    assert_eq!(node.get("/api/v1/share")["share"]["nodes"], Value::Null);
    assert_eq!(node.get("/api/v1/share")["share"]["days"][0]["carried_bytes"], 5000);
    assert_eq!(node.all("/api/v1/share")["share"]["nodes"][0]["carried_bytes"], 5000);
    // Where the configuration lies is the owner's business.
    assert_eq!(node.get("/api/v1/status")["status"]["config"], json!({}));
    let (_, _, page) = node.get_as("/", "");
    for client in CLIENTS {
        assert!(!page.contains(client), "the page shows {client}");
    }
}

/// The document that describes all answers, as it stands in the sources.
fn openapi() -> Value {
    serde_json::from_str(include_str!("../src/http/page/openapi.json")).unwrap()
}

/// What in `value` is not as `schema` says, as far as the document uses schemas.
fn wrong(schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let doc = openapi();
    let schema = match schema["$ref"].as_str() {
        Some(name) => doc.pointer(name.trim_start_matches('#')).unwrap_or_else(|| panic!("{name} is missing")).clone(),
        None => schema.clone(),
    };
    let mut found = Vec::new();
    if value.is_null() && schema["nullable"] == true {
        return found;
    }
    let fits = match schema["type"].as_str().unwrap() {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{at}: type {other}"),
    };
    if !fits {
        found.push(format!("{at} is no {}: {value}", schema["type"]));
    }
    if schema["enum"].as_array().is_some_and(|all| !all.contains(value)) {
        found.push(format!("{at} is {value}, not of {}", schema["enum"]));
    }
    if let (Some(n), Some(max)) = (value.as_u64(), schema["maximum"].as_u64()) {
        found.extend((n > max).then(|| format!("{at} is {n}")));
    }
    for (i, item) in value.as_array().into_iter().flatten().enumerate() {
        found.extend(wrong(&schema["items"], item, &format!("{at}[{i}]")));
    }
    for (key, inner) in value.as_object().into_iter().flatten() {
        let at = format!("{at}.{key}");
        match (&schema["properties"][key], &schema["additionalProperties"]) {
            (Value::Null, Value::Bool(false)) => found.push(format!("{at} is not described in openapi.json")),
            (Value::Null, Value::Object(_)) => found.extend(wrong(&schema["additionalProperties"], inner, &at)),
            (Value::Null, _) => {}
            (known, _) => found.extend(wrong(known, inner, &at)),
        }
    }
    for key in schema["required"].as_array().into_iter().flatten() {
        if value.get(key.as_str().unwrap()).is_none() {
            found.push(format!("{at}.{key} is missing"));
        }
    }
    found
}

#[test]
fn every_answer_is_as_described() {
    let node = Node::new("http-openapi", 3);
    let mut checked = 0;
    for (path, what) in openapi()["paths"].as_object().unwrap() {
        let Some(schema) = what.pointer("/get/responses/200/content/application~1json/schema") else { continue };
        if path == "/openapi.json" {
            continue;
        }
        let asked = if path.ends_with("explain") || path.ends_with("ping") {
            format!("{path}?dest=02:00:00:00:00:02")
        } else {
            path.clone()
        };
        for answer in [node.get(&asked), node.all(&asked)] {
            assert_eq!(wrong(schema, &answer, path), Vec::<String>::new());
            checked += 1;
        }
        // The check itself finds what is wrong.
        assert_ne!(wrong(schema, &json!({"format": "x"}), path), Vec::<String>::new());
    }
    assert_eq!(checked, 2 * 16, "documents described");
}

#[test]
fn map_programs_get_what_they_read() {
    let node = Node::new("http-maps", 0);
    let graph = node.get("/api/v1/topology");
    assert_eq!((&graph["type"], &graph["metric"]), (&json!("NetworkGraph"), &json!("TQ")));
    assert_eq!(graph["nodes"].as_array().unwrap().len(), 3);
    assert_eq!(graph["nodes"][1]["properties"]["next_hop"], "02:00:00:00:00:02");
    let link = &graph["links"][0];
    assert_eq!((&link["source"], &link["target"]), (&json!("02:00:00:00:00:01"), &json!("02:00:00:00:00:02")));
    assert_eq!((link["cost"].as_f64(), &link["cost_text"]), (Some(1.0625), &json!("TQ 240/255")));
    let map = node.get("/meshviewer.json");
    assert_eq!(map["links"][0]["source"], "020000000001");
    assert_eq!(map["nodes"][2]["is_online"], false, "without a way");
    let vis = node.get("/vis.json");
    assert_eq!(
        vis["vis"][0]["neighbors"],
        json!([{"router": "02:00:00:00:00:01", "neighbor": "02:00:00:00:00:14", "metric": "1.062"}])
    );
    assert_eq!(vis["vis"][0]["clients"], json!([]), "not for everybody");
    assert_eq!(node.all("/vis.json")["vis"][0]["clients"].as_array().unwrap().len(), 2);
    for path in ["/api/v1/topology", "/api/v1/device", "/meshviewer.json", "/vis.json", "/metrics"] {
        let (_, _, body) = node.get_as(path, "");
        for client in CLIENTS {
            assert!(!body.contains(client), "{path} shows {client}");
        }
    }
}

#[test]
fn prometheus_gets_both_of_its_formats() {
    let node = Node::new("http-metrics", 0);
    let (_, head, text) = node.get_as("/metrics", "");
    assert!(head.contains("text/plain; version=0.0.4"), "{head}");
    for line in [
        "# TYPE meshwork_dropped_frames_total counter",
        "meshwork_dropped_frames_total{reason=\"ttl\"} 1",
        "meshwork_events_total{name=\"forward\"} 0",
        "meshwork_class_sent_bytes_total{ifname=\"wlan0\",class=\"relay\"} 1000",
        "meshwork_neighbor_tq_ratio{ifname=\"wlan0\",neigh=\"02:00:00:00:00:14\",orig=\"02:00:00:00:00:02\"} 0.941",
        "meshwork_uptime_seconds 61.500",
        "meshwork_gateway_selected{orig=\"02:00:00:00:00:05\"} 1",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is missing in\n{text}");
    }
    let (_, head, open) = node.get_as("/metrics", "Accept: application/openmetrics-text; version=1.0.0,*/*;q=0.1\r\n");
    assert!(head.contains("application/openmetrics-text; version=1.0.0"), "{head}");
    assert!(open.contains("# TYPE meshwork_dropped_frames counter\n") && open.ends_with("\n# EOF\n"), "{open}");
}

#[test]
fn what_the_owner_sends_is_for_those_who_may_know() {
    let node = Node::new("http-owners-bytes", 0);
    // The owner's, and what passes the mesh interface: beside what guests did it would tell the same.
    for what in ["class=\"owner\"", "ifname=\"mesh0\"", "name=\"tx", "name=\"rx"] {
        for accept in ["", "Accept: application/openmetrics-text; version=1.0.0\r\n"] {
            let (.., text) = node.get_as("/metrics", accept);
            let shown =
                text.lines().find(|l| l.contains(what) && !l.contains("build_info") && !l.contains("dropped\""));
            assert_eq!(shown, None, "{what} is shown to everybody");
            let (.., text) = node.get_as("/metrics", &format!("Authorization: Bearer 0123456789abcdef\r\n{accept}"));
            assert!(text.contains(what), "{what} is kept from the owner");
        }
    }
    let public = |path: &str, at: &str| node.get(path).pointer(at).cloned();
    let all = |path: &str, at: &str| node.all(path).pointer(at).cloned();
    for (path, at) in [
        ("/api/v1/links", "/interfaces/0/classes/owner"),
        ("/api/v1/status", "/status/interfaces/0/classes/owner"),
        ("/api/v1/status", "/status/statistics/counters/tx_bytes"),
        ("/api/v1/status", "/status/statistics/interfaces/mesh0"),
        ("/api/v1/status", "/status/line/down/owner_kbits"),
        ("/api/v1/gateways", "/line/up/owner_kbits"),
        ("/api/v1/statistics", "/statistics/counters/rx_bytes"),
        ("/api/v1/statistics", "/statistics/interfaces/mesh0"),
        ("/api/v1/device", "/interfaces/0/statistics"),
        ("/api/v1/share", "/share/days/0/sent_bytes"),
        ("/api/v1/share", "/share/owner"),
    ] {
        assert_eq!(public(path, at), None, "{path} shows {at} to everybody");
        assert!(all(path, at).is_some(), "{path} keeps {at} from the owner");
    }
    // What was carried is for everybody, and what interfaces sent at all.
    assert!(public("/api/v1/links", "/interfaces/0/classes/relay/bytes").is_some());
    assert!(public("/api/v1/statistics", "/statistics/counters/forward_bytes").is_some());
    assert!(public("/api/v1/device", "/interfaces/1/statistics/tx_bytes").is_some());
}

#[test]
fn the_owner_sees_all() {
    let node = Node::new("http-owner", 0);
    let local = &node.all("/api/v1/clients")["local_clients"][1]["tt_address"];
    assert_eq!(local, CLIENTS[0]);
    assert_eq!(node.all("/api/v1/status")["status"]["config"]["file"], "/etc/meshwork.toml");
    let (status, _, body) = node.get_as("/api/v1/clients", "Authorization: Bearer 0123456789abcdef\r\n");
    assert!(status == 200 && body.contains(CLIENTS[0]), "{body}");
    let (status, _, body) = node.get_as("/api/v1/clients", "Authorization: Bearer 0123456789abcdee\r\n");
    assert!(status == 401 && !body.contains(CLIENTS[0]), "{body}");
    assert_eq!(node.all("/api/v1/explain?dest=02:00:00:00:00:32")["orig_address"], "02:00:00:00:00:02");
    assert_eq!(node.get_as("/api/v1/explain?dest=02:00:00:00:00:32", "").0, 404, "where a client is");
    assert_eq!(node.get_as("/api/v1/explain?dest=02:00:00:00:00:65", "").0, 404, "who our clients are");
    assert_eq!(node.get("/api/v1/explain?dest=02%3a00:00:00:00:02")["ways"][0]["tq"], 240);
    assert_eq!(node.get_as("/api/v1/explain", "").0, 400);
    // What one may see is not handed to the next.
    assert!(!node.get("/api/v1/clients").to_string().contains(CLIENTS[0]));
}

#[test]
fn how_it_was_is_for_everybody_and_whose_traffic_for_the_owner() {
    let node = Node::new("http-history", 0);
    let link = node.get("/api/v1/history?of=02:00:00:00:00:02&scale=days");
    assert_eq!(link["history"]["to_percent"], json!([90, null]));
    assert_eq!(
        (&link["history"]["step_msecs"], &link["history"]["of"]),
        (&json!(300_000), &json!("02:00:00:00:00:14"))
    );
    for what in ["owner_bytes_per_second", "relay_bytes_per_second"] {
        assert_eq!(link["history"].get(what), None, "{what} of a neighbour");
    }
    let own = node.get("/api/v1/history");
    assert_eq!(own["history"]["relay_bytes_per_second"], json!([2000, null]), "in all");
    assert_eq!(own["history"].get("owner_bytes_per_second"), None);
    assert_eq!(node.all("/api/v1/history")["history"]["owner_bytes_per_second"], json!([1000, null]));
    let echo = node.get("/api/v1/ping?dest=02:00:00:00:00:02");
    assert_eq!((&echo["echo"]["rtt_usecs"], &echo["echo"]["route"][1]), (&json!(1234), &json!("02:00:00:00:00:02")));
    assert_eq!(node.get_as("/api/v1/ping?dest=02:00:00:00:00:65", "").0, 404, "clients are not asked");
    for (path, status) in [("?of=nobody", 400), ("?of=02:00:00:00:00:09", 404), ("?scale=year", 400)] {
        assert_eq!(node.get_as(&format!("/api/v1/history{path}"), "").0, status, "{path}");
    }
}

#[test]
fn nothing_can_be_changed_and_nobody_else_is_us() {
    let node = Node::new("http-refuse", 0);
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        let (status, head, _) = split(&node.raw(format!("{method} / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").as_bytes()));
        assert_eq!((status, head.contains("Allow: GET, HEAD\r\n")), (405, true), "{method}");
    }
    for (host, wanted) in [("evil.example", 421), ("roof.mesh:4305", 200), ("[::1]:4305", 200), ("localhost", 200)] {
        let (status, ..) =
            split(&node.raw(format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").as_bytes()));
        assert_eq!(status, wanted, "{host}");
    }
    assert_eq!(node.get_as("/api/v1/no-such", "").0, 404);
    assert_eq!(node.get_as("/../etc/passwd", "").0, 404);
}

#[test]
fn a_connection_carries_many_requests_and_heads_have_no_body() {
    let node = Node::new("http-keep", 0);
    let ask = |method: &str, close: &str| format!("{method} /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n{close}\r\n");
    // Sent in one go: none of it is lost.
    let text =
        node.raw(format!("{}{}{}", ask("GET", ""), ask("HEAD", ""), ask("GET", "Connection: close\r\n")).as_bytes());
    assert_eq!(text.matches("HTTP/1.1 200 OK\r\n").count(), 3, "{text}");
    assert_eq!(text.matches("\r\n\r\nok\n").count(), 2, "{text}");
    assert_eq!(text.matches("Content-Length: 3\r\n").count(), 3, "{text}");
}

#[test]
fn the_page_needs_no_script_and_nothing_from_elsewhere() {
    let node = Node::new("http-page", 0);
    let (status, head, page) = node.get_as("/", "Accept-Language: en\r\n");
    assert_eq!(status, 200);
    assert!(head.contains("Content-Security-Policy: default-src 'none'"), "{head}");
    for shown in ["Neighbours", "02:00:00:00:00:02", "wlan0", "it is a port of the bridge br-lan", "20.5 / 5.0 Mbit/s"]
    {
        assert!(page.contains(shown), "{shown} is missing in\n{page}");
    }
    for word in ["http://", "https://", "//cdn"] {
        assert!(!page.contains(word), "{word}");
    }
    let (.., german) = node.get_as("/", "Accept-Language: fr, de-AT;q=0.8, en;q=0.5\r\n");
    assert!(german.contains("Nachbarn") && german.contains("<html lang=de>"), "{german}");
    let script = page.split("src=\"").nth(1).unwrap().split('"').next().unwrap();
    let (status, head, _) = node.get_as(&format!("/{script}"), "");
    assert_eq!((status, head.contains("Content-Encoding: gzip\r\n")), (200, true), "{script}");
    assert!(!node.get_as("/tables", "").2.contains("<html"));
}

#[test]
fn events_come_as_they_happen_without_clients() {
    let node = Node::new("http-events", 0);
    let mut stream = TcpStream::connect(node.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(b"GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").unwrap();
    let mut text = String::new();
    let mut bytes = [0; 512];
    while !(text.contains("event: table_full\n") && text.contains("event: state\n")) {
        let n = stream.read(&mut bytes).unwrap();
        assert!(n > 0, "it ended: {text}");
        text.push_str(&String::from_utf8_lossy(&bytes[..n]));
    }
    assert!(text.contains("Content-Type: text/event-stream\r\n"), "{text}");
    assert!(text.contains("event: neighbor_new\ndata: {"), "{text}");
    assert!(!text.contains("client_roamed") && !text.contains(CLIENTS[1]), "{text}");
}

#[test]
fn slow_readers_are_few_and_hold_nobody_up() {
    // A long table: 2000 clients are half a megabyte for who may see them.
    let node = Node::new("http-slow", 2000);
    let mut slow = Vec::new();
    for i in 0..200 {
        let Ok(mut stream) = TcpStream::connect(node.address) else { continue };
        let half = if i % 2 == 0 { "GET /api/v1/originators HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" } else { "GET / HT" };
        let _ = stream.write_all(half.as_bytes());
        slow.push(stream);
    }
    thread::sleep(Duration::from_millis(300));
    // From one address come few, and the owner has a door of his own.
    let turned_away = slow.iter_mut().filter(|s| {
        s.set_nonblocking(true).unwrap();
        let mut bytes = [0; 20];
        matches!(s.peek(&mut bytes), Ok(n) if bytes[..n].starts_with(b"HTTP/1.1 503"))
    });
    let turned_away = turned_away.count();
    assert!(turned_away >= 200 - MAX_CONNECTIONS, "{turned_away} of 200 turned away");
    assert!(node.all("/api/v1/clients")["global_clients"].as_array().unwrap().len() > 2000);
    drop(slow);
    thread::sleep(Duration::from_millis(200));
    assert_eq!(node.get_as("/healthz", "").0, 200);
}

#[test]
fn rubbish_ends_a_connection_and_nothing_else() {
    let node = Node::new("http-rubbish", 0);
    let mut seed = 1_u64;
    for round in 0..200 {
        let mut bytes: Vec<u8> = Vec::new();
        if round % 2 == 0 {
            bytes.extend_from_slice(b"GET /api/v1/status HTTP/1.1\r\nHost: ");
        }
        for _ in 0..round {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            bytes.push((seed >> 56).to_le_bytes()[0]);
        }
        bytes.extend_from_slice(b"\r\n\r\n");
        let mut stream = TcpStream::connect(node.address).unwrap();
        let _ = stream.write_all(&bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = read(&mut stream);
    }
    assert_eq!(node.get("/api/v1/status")["status"]["pid"], 42);
}

#[test]
fn it_ends_with_its_node() {
    let mut node = Node::new("http-end", 0);
    let unix = node.unix();
    assert!(unix.exists());
    drop(node.server.take());
    assert!(!unix.exists(), "the unix socket is still there");
    assert!(TcpStream::connect(node.address).is_err(), "somebody still listens");
}

#[test]
fn examples_for_prometheus_and_grafana_name_figures_that_exist() {
    let node = Node::new("http-examples", 0);
    let (.., text) = node.get_as("/metrics", "");
    let mut checked = 0;
    for file in [include_str!("../../docs/monitoring/alerts.yml"), include_str!("../../docs/monitoring/grafana.json")] {
        for rest in file.split("meshwork_").skip(1) {
            let end = rest.find(|c: char| !c.is_ascii_lowercase() && c != '_').unwrap();
            assert!(text.contains(&format!("# TYPE meshwork_{} ", &rest[..end])), "meshwork_{}", &rest[..end]);
            checked += 1;
        }
    }
    assert!(checked > 15, "{checked}");
    assert!(include_str!("../../docs/monitoring/prometheus.yml").contains(":4305"));
}
