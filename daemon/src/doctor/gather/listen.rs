//! Listens on hard interfaces, in two ways at once: before the kernel's packet filters and
//! bridges, and behind them, where an ordinary program sits.

use super::tally::Tally;
use crate::doctor::facts::Air;
use crate::netlink::{LinkInfo, LinkTable};
use crate::sys::packet as options;
use crate::sys::ready::watch_read;
use nix::sys::socket::{LinkAddr, recvfrom};
use packet::consts::ETHERTYPE;
use socket2::{Domain, Protocol, SockFilter, Socket, Type};
use std::future::Future;
use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;
use tokio::io::unix::AsyncFd;
use tokio::task::LocalSet;
use tokio::time::Instant;

/// Receive buffer of each socket in bytes.
const BUFFER: usize = 1 << 19;
/// What is looked at of each frame, in bytes: an aggregate of the kernel's fits.
const SNAP: u32 = 560;
/// All ethertypes: only then the kernel shows what goes out. Source: packet(7).
const ALL: u16 = 3;

/// Listens for a while on all interfaces that are there and up, while `meanwhile` runs, which
/// never ends by itself. What could not be listened on comes back with the reason. With nothing
/// to listen on it ends at once, unless `wait`.
pub(super) async fn listen(
    names: &[String],
    links: &LinkTable,
    time: Duration,
    wait: bool,
    meanwhile: impl Future<Output = ()>,
) -> (Vec<Air>, Vec<(String, String)>) {
    let mut deaf = Vec::new();
    let mut ears = Vec::new();
    for name in names {
        // Those that are missing or down have findings of their own.
        let Some(link) = links.by_name(name).filter(|l| l.up) else { continue };
        match Ear::open(link) {
            Ok(ear) => ears.push(ear),
            Err(e) if e.kind() == ErrorKind::PermissionDenied => {
                deaf.push((name.clone(), "needs CAP_NET_RAW".to_owned()));
            }
            Err(e) => deaf.push((name.clone(), e.to_string())),
        }
    }
    let until = Instant::now() + if ears.is_empty() && !wait { Duration::ZERO } else { time };
    let heard = LocalSet::new()
        .run_until(async {
            let tasks: Vec<_> = ears.into_iter().map(|ear| tokio::task::spawn_local(ear.listen(until))).collect();
            tokio::select! {
                () = meanwhile => {}
                () = tokio::time::sleep_until(until) => {}
            }
            let mut heard = Vec::new();
            for task in tasks {
                heard.extend(task.await.ok());
            }
            heard
        })
        .await;
    (heard, deaf)
}

/// Both sockets of an interface.
struct Ear {
    tap: AsyncFd<OwnedFd>,
    plain: AsyncFd<OwnedFd>,
    tally: Tally,
}

impl Ear {
    fn open(link: &LinkInfo) -> io::Result<Self> {
        Ok(Self {
            tap: open(link.index, ALL, false)?,
            plain: open(link.index, ETHERTYPE, true)?,
            tally: Tally::new(&link.name, link.mac),
        })
    }

    async fn listen(mut self, until: Instant) -> Air {
        let mut buf = [0; SNAP as usize];
        loop {
            let ready = tokio::select! {
                ready = self.tap.readable() => ready.map(|guard| (guard, true)),
                ready = self.plain.readable() => ready.map(|guard| (guard, false)),
                () = tokio::time::sleep_until(until) => break,
            };
            let Ok((mut guard, tap)) = ready else { break };
            let tally = &mut self.tally;
            let read = guard.try_io(|fd| {
                // A flooded interface must not hold the clock up.
                for _ in 0..64 {
                    let (n, from) = recvfrom::<LinkAddr>(fd.get_ref().as_raw_fd(), &mut buf)?;
                    let outgoing = from.is_some_and(|a| a.pkttype() == OUTGOING);
                    let frame = buf.get(..n).unwrap_or_default();
                    match (tap, outgoing) {
                        (true, true) => tally.sent(frame),
                        (true, false) if n == TAGGED => tally.tagged(),
                        (true, false) => tally.heard(frame),
                        (false, true) => {}
                        (false, false) => tally.delivered(),
                    }
                }
                Ok(())
            });
            match read {
                Ok(Err(e)) if !matches!(e.kind(), ErrorKind::Interrupted | ErrorKind::NetworkDown) => break,
                _ => tokio::task::yield_now().await,
            }
        }
        self.tally.finish()
    }
}

fn open(ifindex: u32, protocol: u16, plain: bool) -> io::Result<AsyncFd<OwnedFd>> {
    // Protocol 0: nothing arrives before the socket is bound.
    let socket = Socket::new(Domain::PACKET, Type::RAW.nonblocking(), None::<Protocol>)?;
    socket.attach_filter(&filter())?;
    if plain {
        let _ = options::ignore_outgoing(&socket);
    }
    // As much as is allowed.
    let _ = socket.set_recv_buffer_size(BUFFER);
    options::bind(&socket, ifindex, protocol)?;
    watch_read(socket.into())
}

/// Length of what is left of a frame that had an outer VLAN tag.
const TAGGED: usize = 14;
/// `PACKET_OUTGOING` of linux/if_packet.h.
const OUTGOING: u8 = 4;

/// Mesh frames, cut to [`SNAP`]; of those that had an outer VLAN tag only [`TAGGED`] bytes.
/// Source: linux/filter.h.
fn filter() -> [SockFilter; 7] {
    /// `SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT`.
    const TAG_PRESENT: u32 = 0xffff_f000 + 48;
    [
        SockFilter::new(0x28, 0, 0, 12),                   // load the half word at 12
        SockFilter::new(0x15, 0, 4, u32::from(ETHERTYPE)), // equal: on, else: to the end
        SockFilter::new(0x30, 0, 0, TAG_PRESENT),          // load whether there was a tag
        SockFilter::new(0x15, 1, 0, 0),                    // none: over the next
        SockFilter::new(0x06, 0, 0, TAGGED as u32),        // take its head
        SockFilter::new(0x06, 0, 0, SNAP),                 // take it
        SockFilter::new(0x06, 0, 0, 0),                    // leave it
    ]
}
