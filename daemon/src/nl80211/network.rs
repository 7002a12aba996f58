//! Making interfaces of a radio and joining networks with them.

use super::channel::Channel;
use super::consts::{attr, cmd, meshconf};
use super::interface::Kind;
use crate::netlink::GenericSocket;
use crate::netlink::message::Message;
use packet::MacAddr;
use std::io;

/// Makes an interface of a radio.
///
/// # Errors
/// `PermissionDenied` without CAP_NET_ADMIN, `ENFILE` when the name is taken, or what the driver
/// says.
pub fn make_interface(socket: &mut GenericSocket, wiphy: u32, name: &str, kind: Kind) -> io::Result<()> {
    let message = socket
        .message(cmd::NEW_INTERFACE)
        .attr(attr::WIPHY, &wiphy.to_ne_bytes())
        .text(attr::IFNAME, name)
        .attr(attr::IFTYPE, &kind.number().to_ne_bytes());
    socket.ask(message, |_, _| {})
}

/// Takes an interface of a radio away.
///
/// # Errors
/// As [`make_interface`].
pub fn remove_interface(socket: &mut GenericSocket, ifindex: u32) -> io::Result<()> {
    socket.request(about(socket, cmd::DEL_INTERFACE, ifindex))
}

/// Makes an interface, which must be down, one of another kind.
///
/// # Errors
/// As [`make_interface`]; `ResourceBusy` while it is up.
pub fn set_kind(socket: &mut GenericSocket, ifindex: u32, kind: Kind) -> io::Result<()> {
    socket.request(about(socket, cmd::SET_INTERFACE, ifindex).attr(attr::IFTYPE, &kind.number().to_ne_bytes()))
}

/// Puts a monitor on a channel.
///
/// # Errors
/// `ResourceBusy` while other interfaces of the radio hold it on another one.
pub fn set_channel(socket: &mut GenericSocket, ifindex: u32, channel: Channel) -> io::Result<()> {
    socket.request(on_channel(about(socket, cmd::SET_WIPHY, ifindex), channel))
}

/// Joins, or founds, an open mesh of 802.11s that forwards nothing by itself.
///
/// # Errors
/// `InvalidInput` when the channel is not allowed, `ResourceBusy` while other interfaces of the
/// radio hold it on another one, `ENETDOWN` while the interface is down.
pub fn join_mesh(socket: &mut GenericSocket, ifindex: u32, id: &[u8], channel: Channel) -> io::Result<()> {
    let message = about(socket, cmd::JOIN_MESH, ifindex)
        .attr(attr::MESH_ID, id)
        .attr(attr::BEACON_INTERVAL, &BEACON_INTERVAL.to_ne_bytes());
    socket.request(on_channel(message, channel).nest(attr::MESH_CONFIG, mesh_settings))
}

/// Sees to it that a mesh that somebody else joined forwards nothing by itself.
///
/// # Errors
/// `ENOTCONN` while it is in no mesh.
pub fn configure_mesh(socket: &mut GenericSocket, ifindex: u32) -> io::Result<()> {
    socket.request(about(socket, cmd::SET_MESH_CONFIG, ifindex).nest(attr::MESH_CONFIG, mesh_settings))
}

fn mesh_settings(message: Message) -> Message {
    message.attr(meshconf::FORWARDING, &[0]).attr(meshconf::PLINK_TIMEOUT, &PEERING_TIMEOUT.to_ne_bytes())
}

/// Leaves the mesh of 802.11s.
///
/// # Errors
/// `ENOTCONN` while it is in none.
pub fn leave_mesh(socket: &mut GenericSocket, ifindex: u32) -> io::Result<()> {
    socket.request(about(socket, cmd::LEAVE_MESH, ifindex))
}

/// Joins, or founds, an open ad-hoc network. A `bssid` keeps it from taking part in one of the
/// same name that has another.
///
/// # Errors
/// As [`join_mesh`].
pub fn join_adhoc(
    socket: &mut GenericSocket,
    ifindex: u32,
    ssid: &[u8],
    channel: Channel,
    bssid: Option<MacAddr>,
) -> io::Result<()> {
    let mut message = about(socket, cmd::JOIN_IBSS, ifindex)
        .attr(attr::SSID, ssid)
        .attr(attr::BEACON_INTERVAL, &BEACON_INTERVAL.to_ne_bytes())
        .attr(attr::FREQ_FIXED, &[]);
    if let Some(bssid) = bssid {
        message = message.attr(attr::MAC, &bssid.0);
    }
    socket.request(on_channel(message, channel))
}

/// Leaves the ad-hoc network.
///
/// # Errors
/// `ENOTCONN` while it is in none.
pub fn leave_adhoc(socket: &mut GenericSocket, ifindex: u32) -> io::Result<()> {
    socket.request(about(socket, cmd::LEAVE_IBSS, ifindex))
}

/// Whether an interface has a key for frames to everybody; `None` where that cannot be asked.
pub fn has_key(socket: &mut GenericSocket, ifindex: u32) -> Option<bool> {
    for number in 0..4u8 {
        let message =
            socket.message(cmd::GET_KEY).attr(attr::IFINDEX, &ifindex.to_ne_bytes()).attr(attr::KEY_IDX, &[number]);
        let mut has = false;
        match socket.ask(message, |_, _| has = true) {
            Ok(()) if has => return Some(true),
            Ok(()) => {}
            Err(e) if e.raw_os_error() == Some(ENOENT) => {}
            Err(_) => return None,
        }
    }
    Some(false)
}

/// No such key.
const ENOENT: i32 = 2;

fn about(socket: &GenericSocket, command: u8, ifindex: u32) -> Message {
    socket.message(command).attr(attr::IFINDEX, &ifindex.to_ne_bytes())
}

fn on_channel(message: Message, channel: Channel) -> Message {
    message
        .attr(attr::WIPHY_FREQ, &channel.freq.to_ne_bytes())
        .attr(attr::CHANNEL_WIDTH, &channel.width.number().to_ne_bytes())
        .attr(attr::CENTER_FREQ1, &channel.center().unwrap_or(channel.freq).to_ne_bytes())
}

/// In units of 1024 µs; the kernel's 1000 for meshes makes a newcomer wait a second.
const BEACON_INTERVAL: u32 = 100;
/// Seconds after which the 802.11 code forgets a neighbour that sends no beacon; the kernel's
/// own is half an hour.
const PEERING_TIMEOUT: u32 = 60;
