//! Changing a running lab from another terminal: one JSON object per line over a unix socket in
//! the lab's folder, asked and answered.

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::io::{self, BufRead, BufReader as BlockingReader, Write};
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};

/// What can be asked of a running lab. Nodes by name; `3` means `n3`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "lowercase")]
pub enum Request {
    /// Cut a link.
    Cut {
        /// One end.
        a: String,
        /// The other.
        b: String,
    },
    /// Bring it back.
    Heal {
        /// One end.
        a: String,
        /// The other.
        b: String,
    },
    /// Add a node with a client.
    Add {
        /// Nodes in its reach; none: the last one.
        #[serde(default)]
        to: Vec<String>,
    },
    /// `kill -9` a daemon and switch its radio off.
    Kill {
        /// Its node.
        node: String,
    },
    /// Start a daemon again; one that runs is killed first.
    Restart {
        /// Its node.
        node: String,
    },
    /// Run a TCP transfer.
    Tcp {
        /// Nodes of the two clients; `None`: the two farthest apart.
        #[serde(default)]
        pair: Option<(String, String)>,
    },
    /// Tell everything, as the summary does.
    Status,
    /// End.
    Stop,
}

/// A request with the way for its answer: a value, or what was wrong.
pub(crate) type Asked = (Request, oneshot::Sender<Result<Value, String>>);

/// The answer on the wire.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Answer {
    /// What came of it.
    Done(Value),
    /// Why nothing came of it.
    Error(String),
}

/// Socket of the lab in a folder.
pub(crate) fn socket_in(dir: &Path) -> PathBuf {
    dir.join("lab.sock")
}

/// Answers whoever connects, until the task is dropped.
pub(crate) async fn serve(listener: UnixListener, lab: mpsc::Sender<Asked>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(talk(stream, lab.clone()))),
            // Out of descriptors, most likely; others may give some back.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn talk(stream: UnixStream, lab: mpsc::Sender<Asked>) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader.take(LONGEST_REQUEST)).lines();
    while let Some(line) = lines.next_line().await? {
        let answer = match serde_json::from_str(&line) {
            Ok(request) => ask(request, &lab).await,
            Err(e) => Err(format!("not a request: {e}")),
        };
        let answer = match answer {
            Ok(value) => Answer::Done(value),
            Err(text) => Answer::Error(text),
        };
        let mut text = serde_json::to_vec(&answer)?;
        text.push(b'\n');
        writer.write_all(&text).await?;
    }
    Ok(())
}

/// Has the lab do something.
///
/// # Errors
/// What was wrong.
pub(crate) async fn ask(request: Request, lab: &mpsc::Sender<Asked>) -> Result<Value, String> {
    let ended = || "the lab is ending".to_owned();
    let (sender, answer) = oneshot::channel();
    lab.send((request, sender)).await.map_err(|_| ended())?;
    answer.await.map_err(|_| ended())?
}

/// Asks the lab in a folder.
///
/// # Errors
/// No lab runs there, or it cannot do what was asked.
pub(crate) fn request(dir: &Path, request: &Request) -> Result<Value> {
    let path = socket_in(dir);
    let mut stream = match BlockingStream::connect(&path) {
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => bail!(
            "no lab runs here ({}: {e})\nStart one with: meshwork lab. One with a folder of its own is found with --dir.",
            path.display()
        ),
        other => other.with_context(|| format!("connecting to the lab at {}", path.display()))?,
    };
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut text = serde_json::to_vec(request)?;
    text.push(b'\n');
    stream.write_all(&text)?;
    let mut line = String::new();
    let mut reader = BlockingReader::new(stream);
    reader.read_line(&mut line).context("the lab does not answer")?;
    if *request == Request::Stop {
        // The connection ends with the lab, when all is cleared away.
        let _ = reader.read_line(&mut String::new());
    }
    match serde_json::from_str(&line).context("the lab ended before it answered")? {
        Answer::Done(value) => Ok(value),
        Answer::Error(text) => bail!("{text}"),
    }
}

/// More than any request needs.
const LONGEST_REQUEST: u64 = 64 * 1024;
const PATIENCE: Duration = Duration::from_secs(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_survive_the_wire() {
        for (request, text) in [
            (Request::Cut { a: "n1".into(), b: "n2".into() }, r#"{"command":"cut","a":"n1","b":"n2"}"#),
            (Request::Add { to: vec![] }, r#"{"command":"add","to":[]}"#),
            (Request::Status, r#"{"command":"status"}"#),
        ] {
            assert_eq!(serde_json::to_string(&request).unwrap(), text);
            assert_eq!(serde_json::from_str::<Request>(text).unwrap(), request);
        }
        assert_eq!(serde_json::from_str::<Request>(r#"{"command":"add"}"#).unwrap(), Request::Add { to: vec![] });
        assert!(serde_json::from_str::<Request>(r#"{"command":"explode"}"#).is_err());
    }

    #[test]
    fn a_folder_without_a_lab_is_said_to_have_none() {
        let error = format!("{:#}", request(Path::new("/nonexistent-lab"), &Request::Status).unwrap_err());
        assert!(error.contains("no lab runs here"), "{error}");
    }
}
