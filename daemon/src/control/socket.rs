//! The socket file: made so that nobody reaches it before its rights are set, and taken away
//! again.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tokio::net::UnixListener;

/// Why there is no control socket.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// A node answers there.
    #[error("another node already runs for this mesh: {} is in use. Choose another name with --mesh, or stop it first", .0.display())]
    InUse(PathBuf),
    /// Something that is no socket is in the way.
    #[error("{} is in the way: it is no socket", .0.display())]
    InTheWay(PathBuf),
    /// There is no such group.
    #[error("there is no group {0:?} that the control socket could belong to")]
    Group(String),
    /// The system refused.
    #[error("the control socket {} cannot be made: {error}{}", path.display(), advice(error))]
    Io {
        /// Where it should be.
        path: PathBuf,
        /// The refusal.
        error: io::Error,
    },
}

/// What helps against the refusal that people meet most.
fn advice(error: &io::Error) -> &'static str {
    if error.kind() == ErrorKind::PermissionDenied { ". Run it as root, or choose a place with --socket" } else { "" }
}

/// A bound control socket. Dropping it removes the file, and the directory if it was made for it
/// and is empty.
#[derive(Debug)]
pub struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
    inode: u64,
    made_directory: Option<PathBuf>,
}

impl ControlSocket {
    /// Binds the socket with mode 0660. A socket that a dead node left behind is replaced.
    /// Needs a running tokio runtime.
    ///
    /// # Errors
    /// [`SocketError`]; nothing is changed then.
    pub fn bind(path: &Path, group: Option<&str>) -> Result<Self, SocketError> {
        let io = |error| SocketError::Io { path: path.to_owned(), error };
        let gid = group.map(|name| match nix::unistd::Group::from_name(name) {
            Ok(Some(group)) => Ok(group.gid.as_raw()),
            Ok(None) => Err(SocketError::Group(name.to_owned())),
            Err(e) => Err(io(e.into())),
        });
        let gid = gid.transpose()?;
        refuse_live(path)?;
        let made_directory = make_directory(path).map_err(io)?;
        // It gets its name only when its rights are right: between bind and chmod anybody could
        // connect to the final name.
        let hidden = path.with_extension(format!("new{}", std::process::id()));
        let bound = Self::place(&hidden, path, gid);
        if bound.is_err() {
            let _ = fs::remove_file(&hidden);
            if let Some(dir) = &made_directory {
                let _ = fs::remove_dir(dir);
            }
        }
        let (listener, inode) = bound.map_err(io)?;
        Ok(Self { listener, path: path.to_owned(), inode, made_directory })
    }

    fn place(hidden: &Path, path: &Path, gid: Option<u32>) -> io::Result<(UnixListener, u64)> {
        match fs::remove_file(hidden) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(e),
            Ok(()) | Err(_) => {}
        }
        let listener = UnixListener::bind(hidden)?;
        fs::set_permissions(hidden, fs::Permissions::from_mode(0o660))?;
        if gid.is_some() {
            std::os::unix::fs::chown(hidden, None, gid)?;
        }
        let inode = fs::symlink_metadata(hidden)?.ino();
        fs::rename(hidden, path)?;
        Ok((listener, inode))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn listener(&self) -> &UnixListener {
        &self.listener
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        // A later node may have put its own there.
        if fs::symlink_metadata(&self.path).is_ok_and(|m| m.ino() == self.inode) {
            let _ = fs::remove_file(&self.path);
        }
        if let Some(dir) = &self.made_directory {
            // Fails while another node's socket is in it, as it should.
            let _ = fs::remove_dir(dir);
        }
    }
}

/// Fails if a node answers at `path`, or if there is something else than a socket.
fn refuse_live(path: &Path) -> Result<(), SocketError> {
    use std::os::unix::fs::FileTypeExt;
    use std::os::unix::net::UnixStream;
    match fs::symlink_metadata(path) {
        Err(_) => return Ok(()),
        Ok(m) if !m.file_type().is_socket() => return Err(SocketError::InTheWay(path.to_owned())),
        Ok(_) => {}
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(SocketError::InUse(path.to_owned())),
        Err(e) if matches!(e.kind(), ErrorKind::ConnectionRefused | ErrorKind::NotFound) => Ok(()),
        // Its queue is full: somebody listens.
        Err(e) if e.kind() == ErrorKind::WouldBlock => Err(SocketError::InUse(path.to_owned())),
        Err(error) => Err(SocketError::Io { path: path.to_owned(), error }),
    }
}

/// Makes the directory of the socket if it is missing; returns it if so.
fn make_directory(path: &Path) -> io::Result<Option<PathBuf>> {
    let Some(dir) = path.parent().filter(|d| !d.as_os_str().is_empty() && !d.exists()) else { return Ok(None) };
    fs::DirBuilder::new().recursive(true).mode(0o755).create(dir)?;
    Ok(Some(dir.to_owned()))
}
