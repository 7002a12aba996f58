//! TVLV containers on a line: `[kind fields; kind fields]`.

use super::{Line, Mbit, flags, list};
use crate::tvlv::tt::{Tt, TtChange, TtVlan, client, flags as tt_flags};
use crate::tvlv::{Containers, Value, mcast};
use crate::{MacAddr, Vid};
use core::fmt::{self, Write};

/// All containers of a packet.
pub(super) fn all(line: &mut Line<'_, '_>, tvlvs: &[u8]) -> fmt::Result {
    line.write_str("[")?;
    let mut containers = Containers::new(tvlvs);
    let mut first = true;
    for container in containers.by_ref() {
        if !first {
            line.write_str("; ")?;
        }
        first = false;
        match Value::parse(container) {
            Ok(value) => one(line, &value)?,
            Err(error) => write!(line, "type {} v{} ! {error}", container.kind, container.version)?,
        }
    }
    if !containers.rest().is_empty() {
        let separator = if first { "" } else { "; " };
        write!(line, "{separator}! {} bytes not readable", containers.rest().len())?;
    }
    line.write_str("]")
}

fn one(line: &mut Line<'_, '_>, value: &Value<'_>) -> fmt::Result {
    match value {
        Value::Gateway(gateway) => {
            write!(line, "gateway {}/{} Mbit/s", Mbit(gateway.down.get()), Mbit(gateway.up.get()))
        }
        Value::Dat => line.write_str("dat"),
        Value::NetworkCoding => line.write_str("nc"),
        Value::Tt(tt) => table(line, tt),
        Value::Roam(roam) => write!(line, "roam {}{}", roam.client, VidOf(roam.vid.get())),
        Value::McastCapability(capability) => {
            line.write_str("mcast")?;
            flags(
                line,
                capability.flags,
                &[
                    (mcast::flags::WANT_ALL_UNSNOOPABLES, "all-unsnoopables"),
                    (mcast::flags::WANT_ALL_IPV4, "all-ipv4"),
                    (mcast::flags::WANT_ALL_IPV6, "all-ipv6"),
                    (mcast::flags::WANT_NO_RTR4, "no-rtr4"),
                    (mcast::flags::WANT_NO_RTR6, "no-rtr6"),
                    (mcast::flags::HAVE_MC_PTYPE_CAPA, "ptype"),
                ],
            )
        }
        Value::Tracker(tracker) => {
            write!(line, "tracker {}: ", tracker.slots.len())?;
            list(line, tracker.slots.iter(), " ", |line, slot| match *slot {
                MacAddr::ZERO => line.write_str("served"),
                other => write!(line, "{other}"),
            })
        }
        Value::Meshwork(ours) => {
            line.write_str("meshwork")?;
            match ours.flags.get() {
                0 => Ok(()),
                unknown => write!(line, " 0x{unknown:04x}"),
            }
        }
        Value::Unknown(container) => {
            write!(line, "type {} v{} {} bytes", container.kind, container.version, container.value.len())
        }
    }
}

fn table(line: &mut Line<'_, '_>, tt: &Tt<'_>) -> fmt::Result {
    line.write_str("tt")?;
    flags(
        line,
        tt.header.flags,
        &[
            (tt_flags::OGM_DIFF, "diff"),
            (tt_flags::REQUEST, "request"),
            (tt_flags::RESPONSE, "response"),
            (tt_flags::FULL, "full"),
        ],
    )?;
    write!(line, " ttvn {}", tt.header.ttvn)?;
    if !tt.vlans.is_empty() {
        line.write_str(" crc ")?;
        list(line, tt.vlans.iter(), " ", |line, &TtVlan { crc, vid, .. }| {
            write!(line, "{:08x}{}", crc.get(), VidOf(vid.get()))
        })?;
    }
    if !tt.changes.is_empty() {
        line.write_str(" clients ")?;
        list(line, tt.changes.iter(), " ", change)?;
    }
    Ok(())
}

/// `+02:..@5(wifi)`: added or, with `-`, removed; `@` the VLAN.
fn change(line: &mut Line<'_, '_>, change: &TtChange) -> fmt::Result {
    let sign = if change.flags & client::DEL != 0 { '-' } else { '+' };
    write!(line, "{sign}{}{}", change.addr, VidOf(change.vid.get()))?;
    for (bit, name) in [(client::ROAM, "(roam)"), (client::WIFI, "(wifi)"), (client::ISOLA, "(isolated)")] {
        if change.flags & bit != 0 {
            line.write_str(name)?;
        }
    }
    match change.flags & !(client::DEL | client::ROAM | client::WIFI | client::ISOLA) {
        0 => Ok(()),
        unknown => write!(line, "(0x{unknown:02x})"),
    }
}

/// The VLAN field of the translation table: nothing when untagged, `@5` for VLAN 5.
struct VidOf(u16);

impl fmt::Display for VidOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Vid::from_wire(self.0) {
            Some(vid) => match vid.id() {
                None => Ok(()),
                Some(id) => write!(f, "@{id}"),
            },
            None => write!(f, "@!{:04x}", self.0),
        }
    }
}
