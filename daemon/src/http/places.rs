//! Where to listen: addresses come and go with their interfaces.

use config::Listen;
use mesh_core::sorted::SortedMap;
use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::task::{Context, Poll};
use tokio::net::{TcpListener, TcpStream};

/// What the system may hold of an answer that is not read, and of what is sent to us; bytes per connection.
const SEND_BUFFER: usize = 16 * 1024;
const RECEIVE_BUFFER: usize = 4 * 1024;
/// Connections that wait to be accepted.
const BACKLOG: i32 = 16;

/// Open listeners, by address.
#[derive(Debug, Default)]
pub(super) struct Places {
    open: SortedMap<SocketAddr, TcpListener>,
    /// What was refused, so that it is said once.
    refused: Vec<SocketAddr>,
}

impl Places {
    /// Opens and closes so that it listens where `listen` says at the moment.
    pub(super) fn follow(&mut self, listen: &[Listen], port: u16, mesh: &str) {
        let wanted = addresses(listen, port, mesh);
        self.open.retain(|address, _| wanted.contains(address));
        self.refused.retain(|address| wanted.contains(address));
        for address in wanted {
            if self.open.contains_key(&address) {
                continue;
            }
            match bind(address) {
                Ok(listener) => {
                    tracing::info!(%address, "status endpoint");
                    self.refused.retain(|a| *a != address);
                    self.open.insert(address, listener);
                }
                // An IPv6 address is not usable before the system knows that nobody else has it.
                Err(e) if e.kind() == ErrorKind::AddrNotAvailable => {}
                Err(error) if !self.refused.contains(&address) => {
                    tracing::warn!(%address, %error, "no status endpoint there; trying on");
                    self.refused.push(address);
                }
                Err(_) => {}
            }
        }
    }

    /// The next connection at any of them.
    pub(super) fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        self.open.values().map(|l| l.poll_accept(cx)).find(Poll::is_ready).unwrap_or(Poll::Pending)
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Accepted connections inherit these. Without, the system would keep megabytes for each slow reader.
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// The addresses that the settings mean now, each once.
fn addresses(listen: &[Listen], port: u16, mesh: &str) -> Vec<SocketAddr> {
    let mut all = Vec::new();
    for place in listen {
        match place {
            Listen::Localhost => {
                all.push(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port));
                all.push(SocketAddr::new(Ipv6Addr::LOCALHOST.into(), port));
            }
            Listen::Mesh => {
                let names = [Some(mesh.to_owned()), bridge_of(mesh)];
                for name in names.into_iter().flatten() {
                    all.extend(of_interface(&name, port).into_iter().filter(|a| is_link_local(a.ip())));
                }
            }
            Listen::Address(address) => all.push(SocketAddr::new(*address, port)),
            Listen::Interface(name) => all.extend(of_interface(name, port)),
        }
    }
    all.sort();
    all.dedup();
    all
}

fn is_link_local(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local())
}

/// Addresses of an interface that is up.
fn of_interface(name: &str, port: u16) -> Vec<SocketAddr> {
    let Ok(all) = getifaddrs() else { return Vec::new() };
    let up = all.filter(|a| a.interface_name == name && a.flags.contains(InterfaceFlags::IFF_UP));
    let address = |a: nix::ifaddrs::InterfaceAddress| {
        let address = a.address?;
        if let Some(v4) = address.as_sockaddr_in() {
            return Some(SocketAddr::new(v4.ip().into(), port));
        }
        let v6 = address.as_sockaddr_in6()?;
        Some(SocketAddrV6::new(v6.ip(), port, 0, v6.scope_id()).into())
    };
    up.filter_map(address).collect()
}

/// The bridge that an interface is a port of.
pub(super) fn bridge_of(name: &str) -> Option<String> {
    let master = std::fs::read_link(format!("/sys/class/net/{name}/master")).ok()?;
    Some(master.file_name()?.to_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_become_addresses() {
        let text = |listen: &[Listen]| {
            addresses(listen, 80, "no-such-mesh").iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(text(&[Listen::Localhost, Listen::Mesh]), ["127.0.0.1:80", "[::1]:80"]);
        let twice = [Listen::Address(Ipv4Addr::LOCALHOST.into()), Listen::Localhost];
        assert_eq!(text(&twice), ["127.0.0.1:80", "[::1]:80"]);
        assert!(text(&[Listen::Interface("lo".into())]).contains(&"127.0.0.1:80".to_owned()));
    }
}
