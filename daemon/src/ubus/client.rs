//! The connection to ubusd: published again for ever, whatever becomes of it.

use super::blob::{attrs, kind};
use super::message::{METHODS, Message, PAGE, add_object, attr, message, message_type, status, status_of};
use super::value::{Page, table};
use crate::control::server::Desk;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep, timeout};

/// Between two attempts to reach ubusd, at first and at most.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LAST_WAIT: Duration = Duration::from_secs(30);
/// How long ubusd may take to read an answer.
const WRITE_PATIENCE: Duration = Duration::from_secs(5);
/// Longest answer of the desk that is turned over, in bytes.
const LONGEST: u64 = 4 * 1024 * 1024;

/// Publishes the node of `mesh` at the ubusd that listens at `socket`, until it is dropped: as `meshwork.MESH`, and
/// as `meshwork` unless another mesh's node has that name.
pub async fn serve(socket: &Path, mesh: &str, desk: Desk) {
    let mut wait = FIRST_WAIT;
    loop {
        let begin = Instant::now();
        if let Err(error) = session(socket, mesh, &desk).await {
            tracing::debug!(%error, socket = %socket.display(), "ubus is not reached");
        }
        if begin.elapsed() > LAST_WAIT {
            wait = FIRST_WAIT;
        }
        sleep(wait).await;
        wait = (wait * 2).min(LAST_WAIT);
    }
}

/// A name that the node has there.
struct Object {
    path: String,
    /// ubusd's number for it, once it is published.
    id: Option<u32>,
    /// Somebody wants its events.
    active: bool,
}

/// One connection, until it breaks.
async fn session(socket: &Path, mesh: &str, desk: &Desk) -> io::Result<()> {
    let mut stream = UnixStream::connect(socket).await?;
    let mut inbox = Vec::new();
    let paths = [format!("meshwork.{mesh}"), "meshwork".to_owned()];
    let mut objects = paths.map(|path| Object { path, id: None, active: false });
    let mut events: Option<BufReader<UnixStream>> = None;
    let mut line = Vec::new();
    loop {
        while let Some(got) = Message::take(&mut inbox).map_err(|e| io::Error::new(ErrorKind::InvalidData, e))? {
            match got.kind {
                message_type::HELLO => {
                    for (seq, object) in (1..).zip(&objects) {
                        write(&mut stream, &publish(seq, &object.path)).await?;
                    }
                }
                message_type::DATA => {
                    if let (Some(object), Some(id)) = (of_seq(&mut objects, got.seq), number(&got, attr::OBJID)) {
                        object.id = Some(id);
                    }
                }
                message_type::STATUS => {
                    if let Some(object) = of_seq(&mut objects, got.seq) {
                        said(object, number(&got, attr::STATUS).unwrap_or(status::OK));
                    }
                }
                message_type::INVOKE => {
                    for answer in answer(&got, desk).await {
                        write(&mut stream, &answer).await?;
                    }
                }
                message_type::NOTIFY => {
                    let id = number(&got, attr::OBJID);
                    for object in objects.iter_mut().filter(|o| o.id.is_some() && o.id == id) {
                        object.active = number(&got, attr::ACTIVE) == Some(1);
                    }
                    let wanted = objects.iter().any(|o| o.active);
                    if !wanted {
                        events = None;
                        line.clear();
                    } else if events.is_none() {
                        events = Some(listen(desk).await?);
                    }
                }
                _ => {}
            }
        }
        // Neither read loses anything when the other is ready first.
        tokio::select! {
            read = stream.read_buf(&mut inbox) => if read? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            },
            read = next_event(events.as_mut(), &mut line) => {
                match read {
                    Ok(n) if n > 0 => {
                        for id in objects.iter().filter(|o| o.active).filter_map(|o| o.id) {
                            if let Some(notice) = notice(&line, id) {
                                write(&mut stream, &notice).await?;
                            }
                        }
                    }
                    _ => events = None,
                }
                line.clear();
            }
        }
    }
}

fn publish(seq: u16, path: &str) -> Vec<u8> {
    let methods: Vec<(&str, &[&str])> =
        METHODS.iter().map(|(name, list)| (*name, if *list { &PAGE[..] } else { &[] })).collect();
    add_object(seq, path, &methods, kind::INT32)
}

/// Objects are published under the numbers 1 and up.
fn of_seq(objects: &mut [Object], seq: u16) -> Option<&mut Object> {
    objects.get_mut(usize::from(seq).checked_sub(1)?)
}

fn number(message: &Message, id: u8) -> Option<u32> {
    message.attr(id)?.number()
}

/// What ubusd says to a name.
fn said(object: &Object, code: u32) {
    let path = &object.path;
    match code {
        status::OK => tracing::info!(path, "published at ubus"),
        status::PERMISSION_DENIED => {
            tracing::warn!(
                path,
                "ubus does not let this user publish: /usr/share/acl.d/meshwork.json is missing or not read yet"
            );
        }
        // The other node of this router has it.
        _ => tracing::debug!(path, code, "the name is not free at ubus"),
    }
}

/// The messages that answer a call.
async fn answer(call: &Message, desk: &Desk) -> Vec<Vec<u8>> {
    let object = number(call, attr::OBJID).unwrap_or(0);
    let method = call.attr(attr::METHOD).and_then(super::blob::Attr::text).unwrap_or_default();
    let done = match (method, page(call)) {
        ("reload", _) => {
            nix::sys::signal::raise(nix::sys::signal::Signal::SIGHUP).map(|()| None).map_err(|_| status::UNKNOWN_ERROR)
        }
        (_, None) => Err(status::INVALID_ARGUMENT),
        (name, Some(page)) if METHODS.iter().any(|(known, _)| *known == name) => {
            data(call, object, name, page, desk).await.map(Some)
        }
        _ => Err(status::METHOD_NOT_FOUND),
    };
    if call.attr(attr::NO_REPLY).and_then(super::blob::Attr::number).is_some_and(|n| n != 0) {
        return Vec::new();
    }
    match done {
        Ok(data) => data.into_iter().chain([status_of(call, object, status::OK)]).collect(),
        Err(code) => vec![status_of(call, object, code)],
    }
}

/// The part of a list that is asked for; `None` when that makes no sense.
fn page(call: &Message) -> Option<Page> {
    let mut page = Page::USUAL;
    let data = call.attr(attr::DATA);
    for (name, value) in attrs(data.map_or(&[], |d| d.bytes)).filter_map(super::blob::Attr::named) {
        let to = match name {
            "offset" => &mut page.offset,
            "limit" => &mut page.limit,
            _ => continue,
        };
        *to = value.number().filter(|_| value.id == kind::INT32).and_then(|n| usize::try_from(n).ok())?;
    }
    (page.limit <= Page::MOST).then_some(page)
}

async fn data(call: &Message, object: u32, ask: &str, page: Page, desk: &Desk) -> Result<Vec<u8>, u32> {
    let json = asked(ask, desk).await.map_err(|_| status::UNKNOWN_ERROR)?;
    let mut whole = None;
    let bytes = message(message_type::DATA, call.seq, call.peer, |m| {
        m.put(attr::OBJID, &object.to_be_bytes());
        let open = m.open(attr::DATA);
        whole = table(&json, m, page);
        m.end(open);
    });
    whole.map(|()| bytes).ok_or(status::UNKNOWN_ERROR)
}

fn request(ask: &str) -> String {
    format!("{{\"format\":{},\"ask\":\"{ask}\"}}\n", crate::control::FORMAT)
}

/// What the desk answers, a line of JSON.
async fn asked(ask: &str, desk: &Desk) -> io::Result<Vec<u8>> {
    let (ours, theirs) = UnixStream::pair()?;
    let answer = async {
        let (read, mut write) = ours.into_split();
        write.write_all(request(ask).as_bytes()).await?;
        let mut line = Vec::new();
        BufReader::new(read).take(LONGEST).read_until(b'\n', &mut line).await?;
        Ok(line)
    };
    tokio::select! {
        line = answer => line,
        _ = desk.clone().attend(theirs) => Err(ErrorKind::UnexpectedEof.into()),
    }
}

/// Events from now on, a line each; the first line only says so.
async fn listen(desk: &Desk) -> io::Result<BufReader<UnixStream>> {
    let (ours, theirs) = UnixStream::pair()?;
    let desk = desk.clone();
    tokio::spawn(async move {
        let _ = desk.attend(theirs).await;
    });
    let mut ours = BufReader::new(ours);
    ours.write_all(request("events").as_bytes()).await?;
    Ok(ours)
}

async fn next_event(events: Option<&mut BufReader<UnixStream>>, line: &mut Vec<u8>) -> io::Result<usize> {
    match events {
        Some(events) => events.read_until(b'\n', line).await,
        None => std::future::pending().await,
    }
}

/// A line of the desk as the news for subscribers of an object; `None` for the first line, which tells of nothing.
fn notice(line: &[u8], object: u32) -> Option<Vec<u8>> {
    let text = str::from_utf8(line).ok()?;
    let (_, event) = text.split_once("\"event\":")?;
    let (_, what) = event.split_once("\"what\":\"")?;
    let (what, _) = what.split_once('"')?;
    let mut whole = None;
    let bytes = message(message_type::NOTIFY, 0, 0, |m| {
        m.put(attr::OBJID, &object.to_be_bytes());
        m.text(attr::METHOD, what);
        m.put(attr::NO_REPLY, &[1]);
        let open = m.open(attr::DATA);
        whole = table(event.as_bytes(), m, Page::USUAL);
        m.end(open);
    });
    whole.map(|()| bytes)
}

async fn write(stream: &mut UnixStream, bytes: &[u8]) -> io::Result<()> {
    timeout(WRITE_PATIENCE, stream.write_all(bytes)).await.map_err(|_| io::Error::from(ErrorKind::TimedOut))?
}
