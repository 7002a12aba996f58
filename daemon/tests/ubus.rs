//! The node at ubus, next to a made-up ubusd: published, asked, watched, and back after a restart of the daemon.
//! The messages are written here once more, by hand, so that both sides cannot be wrong in the same way.
#![cfg(feature = "ubus")]
#![allow(clippy::unwrap_used, reason = "test code")]

mod common;

use common::{Folder, about, fake_node};
use meshwork::control::{ControlSocket, Server};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

const STATUS: u8 = 1;
const DATA: u8 = 2;
const INVOKE: u8 = 5;
const ADD_OBJECT: u8 = 6;
const NOTIFY: u8 = 10;

/// An attribute: head, payload, padding.
fn attr(id: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (u32::from(id) << 24 | (payload.len() as u32 + 4)).to_be_bytes().to_vec();
    bytes.extend(payload);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn message(kind: u8, seq: u16, peer: u32, attrs: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = vec![0, kind];
    bytes.extend(seq.to_be_bytes());
    bytes.extend(peer.to_be_bytes());
    bytes.extend(attr(0, &attrs.concat()));
    bytes
}

/// A whole number with a name.
fn int(name: &str, n: u32) -> Vec<u8> {
    let mut payload = (name.len() as u16).to_be_bytes().to_vec();
    payload.extend(name.as_bytes());
    payload.push(0);
    payload.resize(payload.len().next_multiple_of(4), 0);
    payload.extend(n.to_be_bytes());
    attr(0x80 | 5, &payload)
}

struct Bus(UnixStream);

impl Bus {
    /// The next connection, greeted.
    async fn accept(listener: &UnixListener) -> Self {
        let (stream, _) = timeout(Duration::from_secs(10), listener.accept()).await.unwrap().unwrap();
        let mut bus = Self(stream);
        bus.send(&message(0, 0, 77, &[])).await;
        bus
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    /// Type, number, peer and attributes of the next message.
    async fn receive(&mut self) -> (u8, u16, u32, Vec<u8>) {
        let mut head = [0; 12];
        timeout(Duration::from_secs(10), self.0.read_exact(&mut head)).await.unwrap().unwrap();
        let length = u32::from_be_bytes([0, head[9], head[10], head[11]]) as usize;
        let mut body = vec![0; length - 4];
        self.0.read_exact(&mut body).await.unwrap();
        (
            head[1],
            u16::from_be_bytes([head[2], head[3]]),
            u32::from_be_bytes([head[4], head[5], head[6], head[7]]),
            body,
        )
    }

    /// Takes both names and gives them the numbers 501 and 502.
    async fn register(&mut self) -> Vec<String> {
        let mut names = Vec::new();
        for id in [501u32, 502] {
            let (kind, seq, _, body) = self.receive().await;
            assert_eq!(kind, ADD_OBJECT);
            names.push(text(&body, 2));
            self.send(&message(DATA, seq, 77, &[attr(3, &id.to_be_bytes()), attr(5, &[0; 4])])).await;
            self.send(&message(STATUS, seq, 77, &[attr(1, &[0; 4])])).await;
        }
        names
    }

    /// A call; what came before the status, and the status.
    async fn call(&mut self, method: &str, arguments: &[Vec<u8>]) -> (Option<Vec<u8>>, u8) {
        let method = [method.as_bytes(), &[0]].concat();
        let attrs = [attr(3, &501u32.to_be_bytes()), attr(4, &method), attr(7, &arguments.concat())];
        self.send(&message(INVOKE, 9, 1234, &attrs)).await;
        let mut data = None;
        loop {
            let (kind, seq, peer, body) = self.receive().await;
            assert_eq!((seq, peer), (9, 1234), "an answer has number and peer of the call");
            match kind {
                DATA => data = Some(body),
                STATUS => return (data, find(&body, 1)[3]),
                _ => panic!("a message of type {kind}"),
            }
        }
    }
}

/// Payload of an attribute.
fn find(mut bytes: &[u8], id: u8) -> Vec<u8> {
    while bytes.len() >= 4 {
        let length = u32::from_be_bytes([0, bytes[1], bytes[2], bytes[3]]) as usize;
        if bytes[0] & 0x7f == id {
            return bytes[4..length].to_vec();
        }
        bytes = &bytes[length.next_multiple_of(4).min(bytes.len())..];
    }
    panic!("no attribute {id}")
}

fn text(bytes: &[u8], id: u8) -> String {
    String::from_utf8(find(bytes, id)).unwrap().trim_end_matches('\0').to_owned()
}

fn has(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|w| w == part)
}

#[test]
fn a_node_is_published_asked_watched_and_comes_back() {
    let folder = Folder::new("ubus");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let socket = ControlSocket::bind(&folder.0.join("c.sock"), None).unwrap();
        let (ask, asked) = mpsc::channel(8);
        let (_tell, told) = watch::channel(about());
        tokio::spawn(fake_node(asked, 0));
        let desk = Server::new(socket, ask, told).desk();
        let at = folder.0.join("ubus.sock");
        let served = at.clone();
        tokio::spawn(async move { meshwork::ubus::serve(&served, "mesh0", desk).await });
        // ubusd comes later than the node.
        tokio::time::sleep(Duration::from_millis(100)).await;
        let listener = UnixListener::bind(&at).unwrap();
        let mut bus = Bus::accept(&listener).await;
        assert_eq!(bus.register().await, ["meshwork.mesh0", "meshwork"]);

        for (method, word) in [
            ("status", "uptime_msecs"),
            ("neighbors", "neigh_address"),
            ("originators", "orig_address"),
            ("clients", "global_clients"),
            ("gateways", "gateways"),
            ("share", "carried_bytes"),
        ] {
            let (data, status) = bus.call(method, &[]).await;
            let data = data.unwrap();
            assert_eq!((status, find(&data, 3)), (0, 501u32.to_be_bytes().to_vec()), "{method}");
            assert!(has(&data, word.as_bytes()), "{method}: {}", String::from_utf8_lossy(&data));
        }
        let ways = |data: &[u8]| data.windows(16).filter(|w| *w == b"last_seen_msecs\0").count();
        let (all, _) = bus.call("originators", &[]).await;
        let (one, _) = bus.call("originators", &[int("offset", 1), int("limit", 1)]).await;
        assert_eq!((ways(&all.unwrap()), ways(one.as_ref().unwrap())), (2, 1), "a list comes in parts");
        assert!(has(&one.unwrap(), &int("originators_total", 2)), "with its whole length");
        assert_eq!(bus.call("originators", &[int("limit", 1001)]).await, (None, 2), "parts have a largest size");
        assert_eq!(bus.call("destroy", &[]).await, (None, 3));

        // Whoever watches gets events; nobody is told of anything before.
        let watched = |on| message(NOTIFY, 0, 77, &[attr(3, &502u32.to_be_bytes()), attr(9, &[on])]);
        bus.send(&watched(1)).await;
        let (kind, _, _, body) = bus.receive().await;
        assert_eq!((kind, find(&body, 3)), (NOTIFY, 502u32.to_be_bytes().to_vec()));
        assert_eq!(text(&body, 4), "neighbor_new");
        assert!(has(&body, b"neigh_address"));
        bus.send(&watched(0)).await;

        // ubusd restarts; the events that were under way go with it.
        drop(bus);
        let mut bus = Bus::accept(&listener).await;
        assert_eq!(bus.register().await.len(), 2);
        assert_eq!(bus.call("status", &[]).await.1, 0);

        // Nonsense ends the connection, and a new one follows.
        bus.send(&[0xff; 64]).await;
        let mut bus = Bus::accept(&listener).await;
        assert_eq!(bus.register().await.len(), 2);
    });
}
