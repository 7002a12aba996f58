//! The lab in a browser: an overview on which links are cut and healed with a click, and the page of every node, all
//! behind one address of this machine.
//!
//! ```text
//!  /               the overview          /lab.json      what the lab knows
//!  /node/NAME/...  the page of a node    POST /lab      cut or heal a link
//! ```
//! It listens on the loopback alone, to whoever brings the token of the printed address, and is bound before the lab
//! leaves the machine's network. What a node's page asks goes to the unix socket of that node; nothing is changed there.

use super::remote::{self, Asked, Request};
use anyhow::Result;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Where people look for it.
const PORT: u16 = 8043;
/// Longest head of a request, and longest body.
const MAX_HEAD: usize = 16 * 1024;
const MAX_BODY: usize = 1024;
/// Most header lines of a request.
const MAX_LINES: usize = 64;
/// How long a request may take to come in.
const PATIENCE: Duration = Duration::from_secs(10);

/// A listener, and what one must say to be let in.
#[derive(Debug)]
pub(crate) struct Door {
    listener: TcpListener,
    token: String,
    /// What to open in a browser.
    pub(crate) address: String,
}

/// What answering takes.
struct Desk {
    token: String,
    dir: PathBuf,
    lab: mpsc::Sender<Asked>,
}

impl Door {
    /// Listens at the usual port of the loopback, or at another one if that is taken. Call it before the process has a
    /// network of its own.
    ///
    /// # Errors
    /// No port is free, or the system gives no randomness.
    pub(crate) fn open() -> Result<Self> {
        let at = |port| TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let listener = at(PORT).or_else(|_| at(0))?;
        listener.set_nonblocking(true)?;
        let token = format!("{:016x}{:016x}", getrandom::u64()?, getrandom::u64()?);
        let address = format!("http://{}/?token={token}", listener.local_addr()?);
        Ok(Self { listener, token, address })
    }

    /// Answers browsers until the task is dropped. `dir` holds the sockets of the nodes.
    pub(crate) async fn serve(self, dir: PathBuf, lab: mpsc::Sender<Asked>) -> io::Result<()> {
        let listener = tokio::net::TcpListener::from_std(self.listener)?;
        let desk = Arc::new(Desk { token: self.token, dir, lab });
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let desk = Arc::clone(&desk);
            tokio::spawn(async move {
                // Browsers open more connections than they use.
                let _ = desk.attend(stream).await;
            });
        }
    }
}

/// A request, read.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asking {
    method: String,
    path: String,
    query: String,
    host: String,
    cookie: String,
    /// Header lines that a node's page reads.
    passed: String,
    /// The page asks, not a link or a form of another site.
    from_page: bool,
    body: usize,
    /// Bytes of the head.
    head: usize,
}

impl Asking {
    /// The request that the bytes begin with; `None` while it is not all there.
    fn read(bytes: &[u8]) -> Result<Option<Self>, httparse::Error> {
        let mut lines = [httparse::EMPTY_HEADER; MAX_LINES];
        let mut head = httparse::Request::new(&mut lines);
        let httparse::Status::Complete(used) = head.parse(bytes)? else { return Ok(None) };
        let target = head.path.unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut asking = Self {
            method: head.method.unwrap_or_default().to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            head: used,
            ..Self::default()
        };
        for line in head.headers.iter() {
            let value = String::from_utf8_lossy(line.value).trim().to_owned();
            match line.name.to_ascii_lowercase().as_str() {
                "host" => asking.host = value,
                "cookie" => asking.cookie = value,
                "content-length" => asking.body = value.parse().unwrap_or(usize::MAX),
                "x-meshwork-lab" => asking.from_page = true,
                "accept" | "accept-language" => {
                    asking.passed.push_str(&format!("{}: {value}\r\n", line.name));
                }
                _ => {}
            }
        }
        Ok(Some(asking))
    }

    fn value(&self, key: &str) -> Option<&str> {
        self.query.split('&').filter_map(|pair| pair.split_once('=')).find(|(k, _)| *k == key).map(|(_, v)| v)
    }

    /// A web site can give itself a name that leads here, but not one of these.
    fn is_for_us(&self) -> bool {
        let name = self.host.rsplit_once(':').map_or(self.host.as_str(), |(name, _)| name);
        name == "127.0.0.1" || name == "localhost"
    }
}

impl Desk {
    async fn attend(&self, mut stream: TcpStream) -> io::Result<()> {
        // Room for a usual request at once: what is left unread when it is refused would take the answer with it.
        let mut bytes = Vec::with_capacity(4096);
        let asking = loop {
            match Asking::read(&bytes) {
                Ok(Some(asking)) if asking.body > MAX_BODY => {
                    return say(&mut stream, "413 Content Too Large", "").await;
                }
                Ok(Some(asking)) if bytes.len() >= asking.head + asking.body => break asking,
                Err(_) => return say(&mut stream, "400 Bad Request", "this is no HTTP request\n").await,
                Ok(_) if bytes.len() > MAX_HEAD + MAX_BODY => return Ok(()),
                Ok(_) => {}
            }
            let got = timeout(PATIENCE, stream.read_buf(&mut bytes)).await;
            if got.map_err(|_| io::ErrorKind::TimedOut)?? == 0 {
                return Ok(());
            }
        };
        if !asking.is_for_us() {
            return say(&mut stream, "421 Misdirected Request", "the lab is at 127.0.0.1\n").await;
        }
        if asking.value("token").is_some_and(|given| is_same(given, &self.token)) && asking.path == "/" {
            // From here on the browser brings it, and the address can be shown around.
            let cookie =
                format!("Location: /\r\nSet-Cookie: lab={}; HttpOnly; SameSite=Strict; Path=/\r\n", self.token);
            return answer(&mut stream, "303 See Other", "text/plain", &cookie, b"").await;
        }
        let brought = asking.cookie.split(';').filter_map(|c| c.trim().strip_prefix("lab="));
        if !brought.into_iter().any(|given| is_same(given, &self.token)) {
            let text =
                "Open the address that the lab printed, with its token. Another lab that ran before had another one.\n";
            return say(&mut stream, "401 Unauthorized", text).await;
        }
        let body = bytes.get(asking.head..asking.head + asking.body).unwrap_or_default();
        match (asking.method.as_str(), asking.path.as_str()) {
            ("POST", "/lab") if asking.from_page => self.change(&mut stream, body).await,
            ("GET", "/") => file(&mut stream, "text/html; charset=utf-8", &[OVERVIEW]).await,
            ("GET", "/lab.css") => file(&mut stream, "text/css; charset=utf-8", &[STYLE, OWN_STYLE]).await,
            ("GET", "/lab.js") => file(&mut stream, "text/javascript; charset=utf-8", &[FORCE, LAYOUT, SCRIPT]).await,
            ("GET", "/lab.json") => self.carry_out(&mut stream, Request::Status).await,
            ("GET", path) => match path.strip_prefix("/node/").and_then(|rest| rest.split_once('/')) {
                Some((name, rest)) => self.pass_on(stream, name, rest, &asking).await,
                None => say(&mut stream, "404 Not Found", "there is nothing here; / shows the lab\n").await,
            },
            _ => say(&mut stream, "405 Method Not Allowed", "links are cut and healed on the overview\n").await,
        }
    }

    /// Cuts or heals a link; nothing else is changed from a browser.
    async fn change(&self, stream: &mut TcpStream, body: &[u8]) -> io::Result<()> {
        match serde_json::from_slice(body) {
            Ok(request @ (Request::Cut { .. } | Request::Heal { .. })) => self.carry_out(stream, request).await,
            _ => say(stream, "400 Bad Request", "a link is cut or healed here\n").await,
        }
    }

    async fn carry_out(&self, stream: &mut TcpStream, request: Request) -> io::Result<()> {
        match remote::ask(request, &self.lab).await {
            Ok(value) => answer(stream, "200 OK", "application/json", "", value.to_string().as_bytes()).await,
            Err(text) => say(stream, "409 Conflict", &text).await,
        }
    }

    /// Hands a request to a node and its answer back, to the end of it.
    async fn pass_on(&self, mut stream: TcpStream, name: &str, rest: &str, asking: &Asking) -> io::Result<()> {
        if super::topology::check_name(name).is_err() {
            return say(&mut stream, "404 Not Found", "no node has this name\n").await;
        }
        let Ok(mut node) = UnixStream::connect(self.dir.join(format!("{name}.http"))).await else {
            return say(&mut stream, "503 Service Unavailable", "this node does not run\n").await;
        };
        let query = if asking.query.is_empty() { String::new() } else { format!("?{}", asking.query) };
        let head =
            format!("GET /{rest}{query} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{}\r\n", asking.passed);
        node.write_all(head.as_bytes()).await?;
        // Ends when either side does; a browser that leaves ends a stream of events.
        tokio::io::copy_bidirectional(&mut stream, &mut node).await.map(drop)
    }
}

async fn say(stream: &mut TcpStream, status: &str, text: &str) -> io::Result<()> {
    answer(stream, status, "text/plain; charset=utf-8", "", text.as_bytes()).await
}

async fn file(stream: &mut TcpStream, kind: &str, parts: &[&str]) -> io::Result<()> {
    answer(stream, "200 OK", kind, "", parts.concat().as_bytes()).await
}

async fn answer(stream: &mut TcpStream, status: &str, kind: &str, more: &str, body: &[u8]) -> io::Result<()> {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\nCache-Control: no-store\r\n\
         Content-Security-Policy: default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
         frame-ancestors 'none'\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n{more}\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body).await?;
    stream.shutdown().await
}

/// Takes as long for a wrong one as for the right one.
fn is_same(given: &str, token: &str) -> bool {
    given.len() == token.len() && given.bytes().zip(token.bytes()).fold(0, |d, (a, b)| d | (a ^ b)) == 0
}

const OVERVIEW: &str = include_str!("web/lab.html");
const OWN_STYLE: &str = include_str!("web/lab.css");
const SCRIPT: &str = include_str!("web/lab.js");
/// What the pages of nodes have too.
const STYLE: &str = include_str!("../http/page/page.css");
const FORCE: &str = include_str!("../http/page/force.js");
const LAYOUT: &str = include_str!("../http/page/layout.js");

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    /// What comes back for these bytes.
    fn ask(address: SocketAddr, text: &str) -> String {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        let mut back = String::new();
        stream.read_to_string(&mut back).unwrap();
        back
    }

    #[test]
    fn only_the_token_opens_and_only_links_are_changed() {
        let door = Door::open().unwrap();
        let (address, token) = (door.listener.local_addr().unwrap(), door.token.clone());
        assert!(address.ip().is_loopback() && door.address.ends_with(&token), "{}", door.address);
        let (lab, mut asked) = mpsc::channel::<Asked>(4);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                tokio::spawn(door.serve(std::env::temp_dir(), lab));
                while let Some((request, answer)) = asked.recv().await {
                    answer.send(Ok(serde_json::to_value(request).unwrap())).unwrap();
                }
            });
        });
        let get = |path: &str, more: &str| {
            ask(address, &format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:8043\r\n{more}\r\n"))
        };
        let cookie = format!("Cookie: a=b; lab={token}\r\n");
        assert!(get("/", "").starts_with("HTTP/1.1 401 "));
        assert!(get("/lab.json", "Cookie: lab=0123\r\n").starts_with("HTTP/1.1 401 "));
        let entered = get(&format!("/?token={token}"), "");
        assert!(entered.starts_with("HTTP/1.1 303 ") && entered.contains("HttpOnly; SameSite=Strict"), "{entered}");
        assert!(get("/", &cookie).contains("<h1>"));
        assert!(get("/lab.json", &cookie).ends_with(r#"{"command":"status"}"#));
        assert!(get("/node/n1/", &cookie).starts_with("HTTP/1.1 503 "), "it does not run");
        assert!(get("/node/..%2f/", &cookie).starts_with("HTTP/1.1 404 "));
        let rebound = ask(address, &format!("GET / HTTP/1.1\r\nHost: evil.example\r\n{cookie}\r\n"));
        assert!(rebound.starts_with("HTTP/1.1 421 "), "{rebound}");
        let post = |body: &str, more: &str| {
            let len = body.len();
            ask(
                address,
                &format!("POST /lab HTTP/1.1\r\nHost: localhost:1\r\n{more}Content-Length: {len}\r\n\r\n{body}"),
            )
        };
        let page = format!("{cookie}X-Meshwork-Lab: 1\r\n");
        let cut = r#"{"command":"cut","a":"n1","b":"n2"}"#;
        let passed = post(cut, &page);
        let body: serde_json::Value = serde_json::from_str(passed.split("\r\n\r\n").nth(1).unwrap()).unwrap();
        assert_eq!(body, serde_json::from_str::<serde_json::Value>(cut).unwrap(), "{passed}");
        assert!(post(cut, &cookie).starts_with("HTTP/1.1 405 "), "a form of another site");
        assert!(post(cut, "X-Meshwork-Lab: 1\r\n").starts_with("HTTP/1.1 401 "));
        assert!(post(r#"{"command":"stop"}"#, &page).starts_with("HTTP/1.1 400 "), "only links");
        assert!(post(&" ".repeat(2000), &page).starts_with("HTTP/1.1 413 "));
        assert!(ask(address, "nonsense\r\n\r\n").starts_with("HTTP/1.1 400 "));
    }
}
