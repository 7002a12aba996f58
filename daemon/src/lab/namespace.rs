//! Network namespaces without names: each lives as long as a descriptor or a process in it, so
//! nothing is left over when the lab dies, however it dies.

use anyhow::{Context, Result};
use nix::sched::{CloneFlags, setns, unshare};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::thread;

/// A network namespace, kept alive by its descriptor.
#[derive(Debug)]
pub(crate) struct Namespace {
    file: File,
}

impl Namespace {
    /// A new, empty namespace. IPv6 is off for every interface that comes into it: the lab's
    /// clients speak IPv4, and address discovery on links that carry the mesh would only take air.
    ///
    /// # Errors
    /// The kernel refuses a new namespace (right or limit).
    pub(crate) fn new() -> Result<Self> {
        let file = in_thread(|| {
            unshare(CloneFlags::CLONE_NEWNET)?;
            File::open("/proc/thread-self/ns/net")
        })
        .context("making a network namespace")?;
        let namespace = Self { file };
        match namespace.set("ipv6/conf/default/disable_ipv6", "1") {
            // A kernel without IPv6.
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            other => other.context("switching IPv6 off in a network namespace")?,
        }
        Ok(namespace)
    }

    /// Does some work inside; what it opens (sockets, devices) belongs to this namespace for good.
    ///
    /// # Errors
    /// Those of the work, or of entering the namespace.
    pub(crate) fn within<T: Send>(&self, work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
        in_thread(|| {
            setns(&self.file, CloneFlags::CLONE_NEWNET)?;
            work()
        })
    }

    /// Writes a value below `/proc/sys/net` of this namespace.
    ///
    /// # Errors
    /// `NotFound` when the kernel has no such setting.
    pub(crate) fn set(&self, key: &str, value: &str) -> io::Result<()> {
        self.within(|| std::fs::write(format!("/proc/sys/net/{key}"), value))
    }

    /// A second descriptor for it.
    ///
    /// # Errors
    /// Too many open files.
    pub(crate) fn duplicate(&self) -> io::Result<OwnedFd> {
        self.file.as_fd().try_clone_to_owned()
    }
}

impl AsFd for Namespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// A thread of its own, because the namespace is a property of the thread and there is no way back
/// for one that may not enter the old one.
fn in_thread<T: Send>(work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("namespace".into()).spawn_scoped(scope, work)?;
        thread.join().unwrap_or_else(|_| Err(io::Error::other("the work inside a namespace panicked")))
    })
}
