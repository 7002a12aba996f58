//! From what a person calls a node or a client to an address: a MAC, a name from a bat-hosts
//! file, an IP address, a host name.

use super::names::Names;
use crate::netlink::RouteSocket;
use crate::netlink::message::{Message, attrs, u16_at};
use packet::MacAddr;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::time::{Duration, Instant};

/// The MAC that `host` stands for.
///
/// # Errors
/// It is nothing of that kind, or nobody on this machine's networks has that IP address.
pub(super) async fn mac_of(host: &str, names: &Names) -> anyhow::Result<MacAddr> {
    if let Some(mac) = host.parse().ok().or_else(|| names.mac(host)) {
        return Ok(mac);
    }
    let ips: Vec<SocketAddr> = match host.parse::<IpAddr>() {
        Ok(ip) => vec![SocketAddr::new(ip, DISCARD)],
        Err(_) => (host, DISCARD).to_socket_addrs().map(Iterator::collect).unwrap_or_default(),
    };
    anyhow::ensure!(
        !ips.is_empty(),
        "{host:?} is no MAC address, no name of a bat-hosts file, no IP address and no known host name"
    );
    let patience = Instant::now() + PATIENCE;
    loop {
        let table = neighbors()?;
        let found = ips.iter().find_map(|ip| table.iter().find(|(of, _)| *of == ip.ip()).map(|(_, mac)| *mac));
        if let Some(mac) = found {
            return Ok(mac);
        }
        anyhow::ensure!(
            Instant::now() < patience,
            "{host} answers nobody here: no neighbour of this machine has that IP address. Is the mesh interface up, \
             and does this machine have an address of that network?"
        );
        // A datagram makes the kernel ask for the address; nobody needs to answer it.
        for ip in &ips {
            poke(*ip);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The port that swallows everything. Source: RFC 863.
const DISCARD: u16 = 9;
/// How long the kernel may look for an IP address.
const PATIENCE: Duration = Duration::from_secs(2);

fn poke(to: SocketAddr) {
    let any: SocketAddr = if to.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
    if let Ok(socket) = UdpSocket::bind(any) {
        // Unreachable networks are found out by the caller's patience.
        let _ = socket.send_to(&[], to);
    }
}

/// The kernel's neighbour table: IPv4 and IPv6 addresses with a known MAC.
fn neighbors() -> io::Result<Vec<(IpAddr, MacAddr)>> {
    let mut table = Vec::new();
    let request = Message::new(RTM_GETNEIGH, NLM_F_DUMP).raw(&[0; NDMSG_LEN]);
    RouteSocket::open()?.exchange(request, |kind, body| {
        if kind == RTM_NEWNEIGH {
            table.extend(neighbor(body));
        }
    })?;
    Ok(table)
}

/// Source: linux/neighbour.h, rtnetlink(7).
fn neighbor(body: &[u8]) -> Option<(IpAddr, MacAddr)> {
    if u16_at(body, 8)? & USABLE == 0 {
        return None;
    }
    let (mut ip, mut mac) = (None, None);
    for (kind, value) in attrs(body.get(NDMSG_LEN..)?) {
        match kind {
            NDA_DST => {
                ip = <[u8; 4]>::try_from(value)
                    .map(IpAddr::from)
                    .or_else(|_| <[u8; 16]>::try_from(value).map(IpAddr::from))
                    .ok();
            }
            NDA_LLADDR => mac = value.try_into().ok().map(MacAddr).filter(|mac| mac.is_unicast()),
            _ => {}
        }
    }
    ip.zip(mac)
}

const RTM_NEWNEIGH: u16 = 28;
const RTM_GETNEIGH: u16 = 30;
const NLM_F_DUMP: u16 = 0x300;
/// `struct ndmsg`: family, padding, interface, state (at 8), flags, type.
const NDMSG_LEN: usize = 12;
const NDA_DST: u16 = 1;
const NDA_LLADDR: u16 = 2;
/// Reachable, stale, delay, probe, no-ARP, permanent.
const USABLE: u16 = 0x02 | 0x04 | 0x08 | 0x10 | 0x40 | 0x80;

#[cfg(test)]
mod tests {
    use super::*;

    /// An entry as the kernel of this machine's byte order sends it.
    fn entry(state: u16, ip: &[u8], mac: &[u8]) -> Vec<u8> {
        let mut header = vec![2, 0, 0, 0, 3, 0, 0, 0];
        header.extend(state.to_ne_bytes());
        header.extend([0, 0]);
        let message = Message::new(RTM_NEWNEIGH, 0).raw(&header).attr(NDA_DST, ip).attr(NDA_LLADDR, mac);
        message.finish(1).split_off(crate::netlink::message::HEADER_LEN)
    }

    #[test]
    fn only_entries_with_an_address_that_holds() {
        let mac = [2, 0, 0, 0, 0, 5];
        let v4 = Some((IpAddr::from([10, 0, 0, 5]), MacAddr(mac)));
        assert_eq!(neighbor(&entry(0x02, &[10, 0, 0, 5], &mac)), v4);
        assert_eq!(neighbor(&entry(0x20, &[10, 0, 0, 5], &mac)), None, "failed");
        assert_eq!(neighbor(&entry(0x40, &[10, 0, 0, 5], &[0; 6])), None, "no address");
        assert_eq!(neighbor(&entry(0x04, &[0xfe; 16], &mac)), Some((IpAddr::from([0xfe; 16]), MacAddr(mac))));
        assert_eq!(neighbor(&[]), None);
    }

    #[test]
    fn the_kernel_answers() {
        neighbors().unwrap();
    }
}
