//! News from the drivers of radios: neighbours that come, go, or answer no more.

use super::consts::{attr, cmd, cqm};
use crate::netlink::GenericSocket;
use crate::netlink::generic::read_generic_news;
use crate::netlink::message::{attrs, u32_at};
use crate::netlink::socket::DATAGRAM;
use crate::sys::ready::watch_read;
use packet::MacAddr;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::task::{Context, Poll};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// One piece of news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct News {
    /// The radio's interface.
    pub ifindex: u32,
    /// The neighbour.
    pub mac: MacAddr,
    /// What happened.
    pub what: What,
}

/// What happened to a neighbour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// The driver keeps it from now on.
    New,
    /// The driver has forgotten it.
    Gone,
    /// So many frames in a row were not acknowledged.
    Lost(u32),
}

impl News {
    /// Reads one message. `None` when it is about something else.
    pub fn parse(command: u8, attributes: &[u8]) -> Option<Self> {
        let (mut ifindex, mut mac, mut lost) = (None, None, None);
        for (kind, value) in attrs(attributes) {
            match kind {
                attr::IFINDEX => ifindex = u32_at(value, 0),
                attr::MAC => mac = value.try_into().ok().map(MacAddr),
                attr::CQM => {
                    lost = attrs(value).find(|(kind, _)| *kind == cqm::PKT_LOSS_EVENT).and_then(|(_, v)| u32_at(v, 0));
                }
                _ => {}
            }
        }
        let what = match command {
            cmd::NEW_STATION => What::New,
            cmd::DEL_STATION => What::Gone,
            cmd::NOTIFY_CQM => What::Lost(lost?),
            _ => return None,
        };
        Some(Self { ifindex: ifindex?, mac: mac?, what })
    }
}

/// Hears the news of all radios in this network namespace.
pub struct RadioNews {
    socket: AsyncFd<OwnedFd>,
    buf: Vec<u8>,
}

impl RadioNews {
    /// Starts to listen. Needs a tokio runtime around it.
    ///
    /// # Errors
    /// What the system says; no privilege is needed.
    pub fn open(requests: &GenericSocket) -> io::Result<Self> {
        Ok(Self { socket: watch_read(requests.open_news(&["mlme"])?)?, buf: vec![0; DATAGRAM] })
    }

    /// Ready when news has been appended to `news`; the task is woken when more comes. News that
    /// was lost is not told: whoever asks for all stations now and then finds out.
    pub fn poll(&mut self, cx: &mut Context<'_>, news: &mut Vec<News>) -> Poll<()> {
        let Self { socket, buf } = self;
        loop {
            if socket.poll_read_ready(cx).is_pending() {
                return if news.is_empty() { Poll::Pending } else { Poll::Ready(()) };
            }
            let read = socket.try_io(Interest::READABLE, |socket| {
                read_generic_news(socket, buf, |command, attributes| news.extend(News::parse(command, attributes)))
            });
            if let Err(e) = read
                && !matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
            {
                tracing::debug!(error = %e, "news about stations was lost");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::message::{HEADER_LEN, Message};

    fn about(command: u8, more: impl FnOnce(Message) -> Message) -> Option<News> {
        let message = Message::new(0, 0).attr(attr::IFINDEX, &[4, 0, 0, 0]).attr(attr::MAC, &[2, 0, 0, 0, 0, 9]);
        News::parse(command, &more(message).finish(0)[HEADER_LEN..])
    }

    #[test]
    fn three_kinds_of_news() {
        let mac = MacAddr([2, 0, 0, 0, 0, 9]);
        assert_eq!(about(cmd::NEW_STATION, |m| m), Some(News { ifindex: 4, mac, what: What::New }));
        assert_eq!(about(cmd::DEL_STATION, |m| m), Some(News { ifindex: 4, mac, what: What::Gone }));
        let lost = about(cmd::NOTIFY_CQM, |m| m.nest(attr::CQM, |m| m.attr(cqm::PKT_LOSS_EVENT, &50u32.to_ne_bytes())));
        assert_eq!(lost, Some(News { ifindex: 4, mac, what: What::Lost(50) }));
        assert_eq!(about(cmd::NOTIFY_CQM, |m| m.nest(attr::CQM, |m| m.attr(3, &[0; 4]))), None, "a weak signal");
        assert_eq!(about(cmd::GET_STATION, |m| m), None);
        assert_eq!(News::parse(cmd::DEL_STATION, &[]), None);
    }
}
