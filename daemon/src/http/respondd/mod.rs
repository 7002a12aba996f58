//! respondd: how Freifunk's map servers ask nodes, and how this node asks others for its own map.
//!
//! ```text
//!   UDP 1001 at the mesh interface, or at the bridge that it is a port of
//!      │ question                                     ▲ answer: at once to one,
//!      ▼                                              │ within 5 s to all
//!   Question ──▶ tell ──▶ flate ───────────────────────┘
//!   answer of another node ──▶ ask::Book ──▶ pages and lists that draw the mesh
//! ```
//! The socket is opened while the node still has the right to; where another respondd has the port, that one answers.

mod ask;
mod flate;
mod tell;

use super::places::bridge_of;
use super::site::{Site, View};
use crate::control::About;
pub(super) use ask::{Book, Placed, Told, place};
use ask::{Due, PORT};
use nix::cmsg_space;
use nix::ifaddrs::getifaddrs;
use nix::net::if_::if_nametoindex;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrIn6, recvmsg, setsockopt, sockopt};
use socket2::{Domain, Protocol, Socket, Type};
use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSliceMut};
use std::net::{Ipv6Addr, SocketAddrV6};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tell::Question;
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::sync::watch;

/// How often interfaces, pending answers and questions are looked after.
const LOOK: Duration = Duration::from_millis(200);
/// Pause between two questions of ours.
const ASK: Duration = Duration::from_secs(1);
/// A question to all is answered within that time. Source: gluon-respondd waits up to 10 s, yanic asks again after half
/// its interval, 30 s as a rule.
const SPREAD: Duration = Duration::from_secs(5);
/// Questions that wait for their answer; further ones are passed over.
const MAX_WAITING: usize = 16;
/// Answers in a row, and then one in so long.
const BURST: u32 = 20;
const PACE: Duration = Duration::from_millis(500);
/// Longest answer of another node that is taken; yanic takes as much.
const MAX_DATAGRAM: usize = 8192;

/// Opens the socket; needs the right to low ports.
///
/// # Errors
/// No IPv6, no right, or the port is taken.
pub(super) fn open() -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV6, Type::DGRAM.nonblocking().cloexec(), Some(Protocol::UDP))?;
    socket.set_only_v6(true)?;
    socket.bind(&SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, PORT, 0, 0).into())?;
    setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?;
    // What is asked of all is not asked of ourselves.
    socket.set_multicast_loop_v6(false)?;
    socket.set_multicast_hops_v6(1)?;
    socket.set_recv_buffer_size(64 * 1024)?;
    Ok(socket)
}

/// Answers and asks until the runtime ends.
pub(super) async fn serve(socket: Socket, site: Arc<Site>, about: watch::Receiver<About>) {
    let Ok(socket) = UdpSocket::from_std(socket.into()) else { return };
    let now = Instant::now();
    let mut desk = Desk { socket, at: None, waiting: VecDeque::new(), tokens: BURST, paid: now, asked: now };
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut buffer = vec![0; MAX_DATAGRAM];
    loop {
        tokio::select! {
            heard = desk.socket.async_io(Interest::READABLE, || receive(&desk.socket, &mut buffer)) => match heard {
                Ok(heard) => desk.heard(&heard, &buffer, &site, &about),
                // An answer of somebody who is gone; or the interface went.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            _ = look.tick() => {
                desk.follow(&about);
                desk.answer_due(&site, &about).await;
                desk.ask_due(&site).await;
            }
        }
    }
}

/// Where others of the mesh are spoken to: the bridge that the mesh interface is a port of, or itself.
pub(super) fn interface(mesh: &str) -> String {
    bridge_of(mesh).unwrap_or_else(|| mesh.to_owned())
}

/// A datagram.
struct Heard {
    len: usize,
    from: SocketAddrV6,
    /// Interface it came in on.
    ifindex: u32,
    /// It was for many.
    multicast: bool,
}

fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<Heard> {
    let mut space = cmsg_space!(nix::libc::in6_pktinfo);
    let mut parts = [IoSliceMut::new(buffer)];
    let got = recvmsg::<SockaddrIn6>(socket.as_raw_fd(), &mut parts, Some(&mut space), MsgFlags::MSG_DONTWAIT)?;
    let from = got.address.ok_or(ErrorKind::InvalidData)?;
    let from = SocketAddrV6::new(from.ip(), from.port(), 0, from.scope_id());
    let mut heard = Heard { len: got.bytes, from, ifindex: 0, multicast: false };
    if got.flags.contains(MsgFlags::MSG_TRUNC) {
        heard.len = 0;
    }
    for note in got.cmsgs()? {
        if let ControlMessageOwned::Ipv6PacketInfo(info) = note {
            heard.ifindex = info.ipi6_ifindex;
            heard.multicast = Ipv6Addr::from(info.ipi6_addr.s6_addr).is_multicast();
        }
    }
    Ok(heard)
}

/// The socket and who waits at it.
struct Desk {
    socket: UdpSocket,
    /// Interface whose questions are answered, by name and number.
    at: Option<(String, u32)>,
    waiting: VecDeque<(Instant, SocketAddrV6, Question)>,
    /// Answers that may go out.
    tokens: u32,
    paid: Instant,
    /// When it was last looked whether somebody is to be asked.
    asked: Instant,
}

impl Desk {
    /// Listens where the mesh is now.
    fn follow(&mut self, about: &watch::Receiver<About>) {
        let about = about.borrow();
        let mesh = about.setup.mesh_name.as_str();
        let name = interface(mesh);
        let here = if about.http.respondd { if_nametoindex(name.as_str()).ok() } else { None };
        let now = here.map(|index| (name, index));
        if now == self.at {
            return;
        }
        for (place, join) in [(self.at.take(), false), (now, true)] {
            let Some((name, index)) = place else { continue };
            for group in [ask::ALL, ask::NEAR] {
                // An interface that is gone left its groups; one that cannot be joined is tried again with the next
                // change.
                let done = if join {
                    self.socket.join_multicast_v6(&group, index)
                } else {
                    self.socket.leave_multicast_v6(&group, index)
                };
                if let Err(error) = done
                    && join
                {
                    tracing::debug!(%group, interface = name, %error, "cannot listen to respondd questions");
                }
            }
            if join {
                self.at = Some((name, index));
            }
        }
    }

    fn heard(&mut self, heard: &Heard, buffer: &[u8], site: &Site, about: &watch::Receiver<About>) {
        let bytes = buffer.get(..heard.len).unwrap_or_default();
        if self.at.as_ref().is_none_or(|(_, index)| *index != heard.ifindex) || bytes.is_empty() {
            return;
        }
        match Question::parse(bytes) {
            Some(question) => {
                let asks =
                    |(_, from, what): &(Instant, SocketAddrV6, Question)| *from == heard.from && *what == question;
                if self.waiting.len() >= MAX_WAITING || self.waiting.iter().any(asks) {
                    return;
                }
                let late = if heard.multicast { random(SPREAD) } else { Duration::ZERO };
                self.waiting.push_back((Instant::now() + late, heard.from, question));
            }
            None if heard.from.port() == PORT && about.borrow().http.respondd => {
                site.book().heard(heard.from, bytes, Instant::now());
            }
            None => {}
        }
    }

    /// Answers whose time has come, one after the other and not too many.
    async fn answer_due(&mut self, site: &Site, about: &watch::Receiver<About>) {
        let now = Instant::now();
        while now.saturating_duration_since(self.paid) >= PACE {
            self.paid += PACE;
            self.tokens = (self.tokens + 1).min(BURST);
            if self.tokens == BURST {
                self.paid = now;
            }
        }
        while self.tokens > 0
            && let Some(place) = self.waiting.iter().position(|(at, ..)| *at <= now)
            && let Some((_, to, question)) = self.waiting.remove(place)
        {
            let Ok(picture) = site.picture().await else { return };
            let answer = {
                let about = about.borrow();
                tell::answer(&View::new(&picture, &about, false, Vec::new()), &self.addresses(), question)
            };
            self.tokens -= 1;
            if let Err(error) = self.socket.try_send_to(&answer, to.into()) {
                tracing::debug!(%to, %error, "a respondd question is not answered");
            }
        }
    }

    /// Asks others, while somebody looks.
    async fn ask_due(&mut self, site: &Site) {
        let now = Instant::now();
        if now.saturating_duration_since(self.asked) < ASK {
            return;
        }
        self.asked = now;
        let Some((_, index)) = self.at else { return };
        let [map, targets] = site.looked();
        let lately = |at: Option<Instant>, age| at.is_some_and(|at| now.saturating_duration_since(at) < age);
        // On the map, who tells by our own container needs not be asked; but that says no address.
        let wanted = lately(targets, ask::WATCHING)
            || lately(map, ask::LOOKING)
                && site.picture().await.is_ok_and(|s| s.mesh.originators.iter().any(|o| o.facts.is_none()));
        let due = site.book().due(now, wanted);
        let (to, question) = match due {
            Some(Due::All) => (SocketAddrV6::new(ask::ALL, PORT, 0, index), ask::TO_ALL),
            Some(Due::One(to)) => (to, ask::TO_ONE),
            None => return,
        };
        let _ = socket2::SockRef::from(&self.socket).set_multicast_if_v6(index);
        if let Err(error) = self.socket.try_send_to(question, to.into()) {
            tracing::debug!(%to, %error, "cannot ask by respondd");
        }
    }

    /// Addresses of this node in the mesh that anybody in it can see anyway.
    fn addresses(&self) -> Vec<Ipv6Addr> {
        let (Some((name, _)), Ok(all)) = (&self.at, getifaddrs()) else { return Vec::new() };
        let here = all.filter(|a| a.interface_name == *name).filter_map(|a| Some(a.address?.as_sockaddr_in6()?.ip()));
        here.filter(Ipv6Addr::is_unicast_link_local).collect()
    }
}

fn random(below: Duration) -> Duration {
    below * (getrandom::u32().unwrap_or_default() % 1000) / 1000
}
