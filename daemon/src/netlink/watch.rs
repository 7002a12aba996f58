//! Follows all interfaces.

use crate::netlink::link::{LinkTable, link_index};
use crate::netlink::socket::{DATAGRAM, RouteSocket, open_news, read_news};
use crate::sys::ready::watch_read;
use mesh_core::sorted::SortedSet;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::task::{Context, Poll};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// All interfaces, now and from now on.
pub struct Watcher {
    news: AsyncFd<OwnedFd>,
    buf: Vec<u8>,
    requests: RouteSocket,
    table: LinkTable,
}

impl Watcher {
    /// Starts to listen, then asks for what is there. Needs a tokio runtime around it.
    ///
    /// # Errors
    /// What the system says; no privilege is needed.
    pub fn open() -> io::Result<Self> {
        let news = watch_read(open_news()?)?;
        let mut requests = RouteSocket::open()?;
        let table = LinkTable::dump(&mut requests)?;
        Ok(Self { news, buf: vec![0; DATAGRAM], requests, table })
    }

    /// Ready when the table has changed; the task is woken when news comes.
    pub fn poll_change(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Self { news, buf, requests, table } = self;
        loop {
            if news.poll_read_ready(cx).is_pending() {
                return Poll::Pending;
            }
            // News only says where to look: it may be older than what we asked for ourselves.
            let mut where_to_look = SortedSet::new();
            let read = news.try_io(Interest::READABLE, |socket| {
                read_news(socket, buf, |_, body| where_to_look.extend(link_index(body)))
            });
            let mut changed = false;
            for index in where_to_look {
                changed |= table.refresh_one(requests, index);
            }
            if let Err(e) = read
                && !matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
            {
                // ENOBUFS: more news than the socket holds; what was lost is in a new dump.
                tracing::debug!(error = %e, "news about interfaces was lost, asking again");
                match LinkTable::dump(requests) {
                    Ok(fresh) => {
                        changed |= fresh != *table;
                        *table = fresh;
                    }
                    Err(e) => tracing::warn!(error = %e, "cannot list interfaces"),
                }
            }
            if changed {
                return Poll::Ready(());
            }
        }
    }

    /// Asks the kernel again; for changes of our own that have to show at once.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn refresh(&mut self) -> io::Result<()> {
        self.table = LinkTable::dump(&mut self.requests)?;
        Ok(())
    }

    /// All interfaces as last heard.
    pub fn table(&self) -> &LinkTable {
        &self.table
    }

    /// For changes to interfaces.
    pub fn requests(&mut self) -> &mut RouteSocket {
        &mut self.requests
    }
}
