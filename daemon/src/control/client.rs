//! The asker's side of the control socket.

use super::json;
use super::protocol::{Ask, FORMAT, Request, Response};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

/// Why a node did not answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens.
    #[error("no node answers at {}{hint}", path.display())]
    NoNode {
        /// The socket.
        path: PathBuf,
        /// What to do.
        hint: String,
    },
    /// The rights of the socket.
    #[error("{} may be used by root and the group of the socket only; try sudo", .0.display())]
    Denied(PathBuf),
    /// The node closed the connection, or the system refused.
    #[error("the node does not answer")]
    Io(#[from] io::Error),
    /// What the node sent is not understood.
    #[error("the answer is not understood; node and command may be of different versions")]
    Answer(#[from] serde_json::Error),
    /// What the node sent has another shape.
    #[error("the answer is not understood ({0}); node and command may be of different versions")]
    Shape(String),
    /// The node speaks another format.
    #[error("the node speaks format {0}, this command {FORMAT}; they are of different versions")]
    Format(u32),
    /// What the node said.
    #[error("{0}")]
    Refused(String),
}

/// A connection to a node.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<UnixStream>,
    /// What is here of the next line; a wait that is given up loses nothing.
    line: Vec<u8>,
}

impl Client {
    /// Connects. Needs a running tokio runtime.
    ///
    /// # Errors
    /// Nobody listens there, or it is not allowed.
    pub async fn connect(path: &Path) -> Result<Self, ClientError> {
        match UnixStream::connect(path).await {
            Ok(stream) => Ok(Self { stream: BufReader::new(stream), line: Vec::new() }),
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {
                Err(ClientError::NoNode { path: path.to_owned(), hint: hint(path) })
            }
            Err(e) if e.kind() == ErrorKind::PermissionDenied => Err(ClientError::Denied(path.to_owned())),
            Err(e) => Err(e.into()),
        }
    }

    /// Sends a request and waits for the answer.
    ///
    /// # Errors
    /// The connection broke, or the node refused.
    pub async fn ask(&mut self, ask: Ask) -> Result<Response, ClientError> {
        self.tell(ask).await?;
        self.next().await
    }

    /// Sends a request; its answers come with [`Client::next`].
    ///
    /// # Errors
    /// The connection broke.
    pub async fn tell(&mut self, ask: Ask) -> Result<(), ClientError> {
        let mut line = Request { format: FORMAT, id: 0, ask }.to_json();
        line.push(b'\n');
        Ok(self.stream.write_all(&line).await?)
    }

    /// Ends a request that is answered in many lines; the last of them follows.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn interrupt(&mut self) -> Result<(), ClientError> {
        Ok(self.stream.write_all(b"\n").await?)
    }

    /// Waits for the next line: the first answer, or the next event.
    ///
    /// # Errors
    /// The connection broke, or the node refused.
    pub async fn next(&mut self) -> Result<Response, ClientError> {
        if self.stream.read_until(b'\n', &mut self.line).await? == 0 {
            return Err(io::Error::new(ErrorKind::UnexpectedEof, "it closed the connection").into());
        }
        let line = std::mem::take(&mut self.line);
        let tree = serde_json::from_slice(&line)?;
        let mut response = Response::default();
        json::read(&mut response, &tree).map_err(ClientError::Shape)?;
        match response.error {
            Some(text) => Err(ClientError::Refused(text)),
            None if response.format != FORMAT => Err(ClientError::Format(response.format)),
            None => Ok(response),
        }
    }
}

/// What to do when nobody listens: start a node, or name the one that runs.
fn hint(path: &Path) -> String {
    let mut others: Vec<String> = path
        .parent()
        .and_then(|dir| std::fs::read_dir(dir).ok())
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|other| other != path && other.extension().is_some_and(|e| e == "sock"))
        // A dead node may have left its socket behind.
        .filter(|other| std::os::unix::net::UnixStream::connect(other).is_ok())
        .filter_map(|other| other.file_stem().map(|name| format!("--mesh {}", name.to_string_lossy())))
        .collect();
    others.sort();
    if others.is_empty() {
        ".\nStart one with: meshwork run -i INTERFACE".to_owned()
    } else {
        format!(".\nThere are nodes for other meshes: {}", others.join(", "))
    }
}
