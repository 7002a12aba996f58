//! The one-line human form of a frame, whatever the frame is.
//!
//! ```text
//! SRC > DST: TYPE fields: what is inside
//! 02:e0:a1:01:02:01 > broadcast: OGM orig 02:e0:a1:01:02:01 seq 7 ttl 50 tq 255 [dat; mcast no-rtr4 no-rtr6]
//! ```
//!
//! A frame that cannot be read says what is wrong with it after `!`. Lists are cut after a few
//! entries and the line after [`LINE_MAX`] bytes; it is ASCII and never breaks.

mod client;
mod tvlv;

use crate::bcast::BcastHeader;
use crate::consts::{ETHERTYPE, THROUGHPUT_MAX, packet_type};
use crate::elp::ElpHeader;
use crate::eth::{ETHERTYPE_QINQ, ETHERTYPE_VLAN, EthHeader};
use crate::icmp::{IcmpHeader, RecordRoute, TpHeader, msg_type, tp_subtype};
use crate::ogm::{self, Ogm};
use crate::ogm2::Ogm2;
use crate::packet::{Icmp, Ogm2Aggregate, OgmAggregate, Packet, type_name};
use crate::unicast::{Unicast4Header, UnicastHeader, UnicastTvlvHeader, subtype};
use crate::{Error, MacAddr, Vid};
use core::fmt::{self, Write};
use zerocopy::IntoBytes;

/// Most bytes of a line.
pub const LINE_MAX: usize = 2048;

/// Entries of a list that are shown.
const LIST_MAX: usize = 8;

/// Displays a whole Ethernet frame on one line of at most [`LINE_MAX`] bytes of ASCII. Mesh
/// packets are shown with what is in them, one level deep; other frames as client frames.
#[derive(Clone, Copy, Debug)]
pub struct Pretty<'a>(pub &'a [u8]);

impl fmt::Display for Pretty<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        frame(&mut Line { out: f, left: LINE_MAX }, self.0)
    }
}

/// Stops writing, and says so, when the line is full.
struct Line<'f, 'o> {
    out: &'f mut fmt::Formatter<'o>,
    left: usize,
}

/// Ends a line that was cut.
const CUT: &str = " ...";

impl Write for Line<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.left == 0 {
            return Ok(());
        }
        let room = self.left.saturating_sub(CUT.len());
        if text.len() <= room {
            self.left -= text.len();
            return self.out.write_str(text);
        }
        self.left = 0;
        self.out.write_str(text.get(..room).unwrap_or_default())?;
        self.out.write_str(CUT)
    }
}

/// A destination address.
struct Dst(MacAddr);

impl fmt::Display for Dst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_broadcast() { f.write_str("broadcast") } else { self.0.fmt(f) }
    }
}

/// Writes the first few of `items` with `each`, `separator` between them, and how many more there are.
fn list<T>(
    line: &mut Line<'_, '_>,
    items: impl ExactSizeIterator<Item = T>,
    separator: &str,
    mut each: impl FnMut(&mut Line<'_, '_>, T) -> fmt::Result,
) -> fmt::Result {
    let total = items.len();
    for (i, item) in items.take(LIST_MAX).enumerate() {
        if i > 0 {
            line.write_str(separator)?;
        }
        each(line, item)?;
    }
    if total > LIST_MAX { write!(line, "{separator}and {} more", total - LIST_MAX) } else { Ok(()) }
}

/// Writes the names of the bits in `raw` that `names` knows, and the rest as a number.
fn flags(line: &mut Line<'_, '_>, raw: u8, names: &[(u8, &str)]) -> fmt::Result {
    let mut unknown = raw;
    for &(bit, name) in names {
        if raw & bit != 0 {
            unknown &= !bit;
            write!(line, " {name}")?;
        }
    }
    if unknown != 0 { write!(line, " 0x{unknown:02x}") } else { Ok(()) }
}

fn frame(line: &mut Line<'_, '_>, bytes: &[u8]) -> fmt::Result {
    let (eth, payload) = match EthHeader::parse(bytes) {
        Ok(parts) => parts,
        Err(error) => return write!(line, "! Ethernet {error}"),
    };
    write!(line, "{} > {}: ", eth.src, Dst(eth.dst))?;
    match (eth.ethertype.get(), payload) {
        (ETHERTYPE, _) => mesh(line, payload),
        // Mesh packets behind a tag are not for the mesh, but somebody may wonder why.
        (ETHERTYPE_VLAN | ETHERTYPE_QINQ, [hi, lo, t0, t1, packet @ ..])
            if u16::from_be_bytes([*t0, *t1]) == ETHERTYPE =>
        {
            write!(line, "vlan {} ", Vid::tagged(u16::from_be_bytes([*hi, *lo])))?;
            mesh(line, packet)
        }
        _ => client::behind_addresses(line, bytes),
    }
}

fn mesh(line: &mut Line<'_, '_>, bytes: &[u8]) -> fmt::Result {
    let packet = match Packet::parse(bytes) {
        Ok(packet) => packet,
        Err(error) => return refused(line, bytes, error),
    };
    match packet {
        Packet::Ogm(all) => ogms(line, all, bytes),
        Packet::Bcast(header, frame) => bcast(line, header, frame),
        Packet::Coded(bytes) => write!(line, "CODED {} bytes, not decoded", bytes.len()),
        Packet::Elp(header, rest) => elp(line, header, rest.len()),
        Packet::Ogm2(all) => ogm2s(line, all, bytes),
        Packet::Mcast { header, tvlvs, frame } => {
            write!(line, "MCAST ttl {} ", header.ttl)?;
            tvlv::all(line, tvlvs)?;
            line.write_str(": ")?;
            client::frame(line, frame)
        }
        Packet::Unicast(header, frame) => {
            unicast(line, header)?;
            line.write_str(": ")?;
            client::frame(line, frame)
        }
        Packet::Frag(header, piece) => write!(
            line,
            "FRAG to {} from {} ttl {} seq {} no {} prio {} {} of {} bytes",
            header.dest,
            header.orig,
            header.ttl,
            header.seqno,
            header.no(),
            header.priority(),
            piece.len(),
            header.total_size
        ),
        Packet::Unicast4(header, frame) => unicast4(line, header, frame),
        Packet::Icmp(message) => icmp(line, message),
        Packet::UnicastTvlv(header, tvlvs) => unicast_tvlv(line, header, tvlvs),
        Packet::Forwardable(header, rest) => write!(
            line,
            "UNKNOWN-UCAST type 0x{:02x} to {} ttl {} {} bytes",
            header.packet_type,
            header.dest,
            header.ttl,
            rest.len()
        ),
    }
}

fn refused(line: &mut Line<'_, '_>, bytes: &[u8], error: Error) -> fmt::Result {
    match (bytes.first(), error) {
        // In another version the type byte may mean something else.
        (Some(kind), Error::Version(_)) => write!(line, "type 0x{kind:02x}")?,
        (Some(&kind), _) => line.write_str(type_name(kind))?,
        (None, _) => line.write_str("mesh packet")?,
    }
    write!(line, " ! {error} ({} bytes)", bytes.len())
}

fn ogms(line: &mut Line<'_, '_>, all: OgmAggregate<'_>, bytes: &[u8]) -> fmt::Result {
    for (i, Ogm { header, tvlvs }) in all.members().enumerate() {
        let separator = if i > 0 { " | " } else { "" };
        write!(line, "{separator}OGM orig {} seq {} ttl {} tq {}", header.orig, header.seqno, header.ttl, header.tq)?;
        if header.prev_sender != header.orig {
            write!(line, " via {}", header.prev_sender)?;
        }
        flags(
            line,
            header.flags,
            &[
                (ogm::NOT_BEST_NEXT_HOP, "not-best"),
                (ogm::PRIMARIES_FIRST_HOP, "first-hop"),
                (ogm::DIRECTLINK, "direct"),
            ],
        )?;
        if !tvlvs.is_empty() {
            line.write_str(" ")?;
            tvlv::all(line, tvlvs)?;
        }
    }
    left_behind(line, bytes, all.bytes().len())
}

fn ogm2s(line: &mut Line<'_, '_>, all: Ogm2Aggregate<'_>, bytes: &[u8]) -> fmt::Result {
    for (i, Ogm2 { header, tvlvs }) in all.members().enumerate() {
        let separator = if i > 0 { " | " } else { "" };
        write!(line, "{separator}OGM2 orig {} seq {} ttl {}", header.orig, header.seqno, header.ttl)?;
        match header.throughput.get() {
            THROUGHPUT_MAX => line.write_str(" origin")?,
            units => write!(line, " {} Mbit/s", Mbit(units))?,
        }
        flags(line, header.flags, &[])?;
        if !tvlvs.is_empty() {
            line.write_str(" ")?;
            tvlv::all(line, tvlvs)?;
        }
    }
    left_behind(line, bytes, all.bytes().len())
}

/// Says that bytes behind the last member were not read, unless they are padding.
fn left_behind(line: &mut Line<'_, '_>, bytes: &[u8], read: usize) -> fmt::Result {
    match bytes.get(read..) {
        Some(rest) if rest.iter().any(|&byte| byte != 0) => write!(line, " ! {} bytes not readable", rest.len()),
        _ => Ok(()),
    }
}

/// Units of 100 kbit/s as Mbit/s.
struct Mbit(u32);

impl fmt::Display for Mbit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0 / 10, self.0 % 10)
    }
}

fn bcast(line: &mut Line<'_, '_>, header: &BcastHeader, frame: &[u8]) -> fmt::Result {
    write!(line, "BCAST orig {} seq {} ttl {}: ", header.orig, header.seqno, header.ttl)?;
    client::frame(line, frame)
}

fn elp(line: &mut Line<'_, '_>, header: &ElpHeader, rest: usize) -> fmt::Result {
    write!(line, "ELP orig {} seq {} every {} ms", header.orig, header.seqno, header.interval_ms)?;
    if ElpHeader::LEN + rest == ElpHeader::PROBE_LEN { line.write_str(" probe") } else { Ok(()) }
}

fn unicast(line: &mut Line<'_, '_>, header: &UnicastHeader) -> fmt::Result {
    write!(line, "{} to {} ttvn {} ttl {}", type_name(header.packet_type), header.dest, header.ttvn, header.ttl)
}

fn unicast4(line: &mut Line<'_, '_>, header: &Unicast4Header, frame: &[u8]) -> fmt::Result {
    unicast(line, &header.unicast)?;
    write!(line, " from {}", header.src)?;
    match header.subtype {
        subtype::DATA => line.write_str(" data: ")?,
        subtype::DAT_GET => line.write_str(" dat-get: ")?,
        subtype::DAT_PUT => line.write_str(" dat-put: ")?,
        subtype::DAT_CACHE_REPLY => line.write_str(" dat-cache-reply: ")?,
        other => write!(line, " subtype {other}: ")?,
    }
    client::frame(line, frame)
}

fn unicast_tvlv(line: &mut Line<'_, '_>, header: &UnicastTvlvHeader, tvlvs: &[u8]) -> fmt::Result {
    write!(line, "{} to {} from {} ttl {} ", type_name(packet_type::UNICAST_TVLV), header.dst, header.src, header.ttl)?;
    tvlv::all(line, tvlvs)
}

fn icmp(line: &mut Line<'_, '_>, message: Icmp<'_>) -> fmt::Result {
    let header = message.header();
    line.write_str("ICMP ")?;
    match header.msg_type {
        msg_type::ECHO_REPLY => line.write_str("echo reply")?,
        msg_type::DESTINATION_UNREACHABLE => line.write_str("destination unreachable")?,
        msg_type::ECHO_REQUEST => line.write_str("echo request")?,
        msg_type::TTL_EXCEEDED => line.write_str("ttl exceeded")?,
        msg_type::PARAMETER_PROBLEM => line.write_str("parameter problem")?,
        msg_type::TP => line.write_str("throughput meter")?,
        other => write!(line, "message {other}")?,
    }
    write!(line, " to {} from {} ttl {}", header.dst, header.orig, header.ttl)?;
    match message {
        Icmp::Plain(header) => write!(line, " id {} seq {}", header.uid, header.seqno),
        Icmp::RecordRoute(route) => record_route(line, route),
        Icmp::Tp(tp, filler) => throughput_meter(line, tp, filler.len()),
        Icmp::Other(header, rest) => write!(line, " {} bytes", header.as_bytes().len() + rest.len()),
    }
}

fn record_route(line: &mut Line<'_, '_>, route: &RecordRoute) -> fmt::Result {
    let IcmpHeader { uid, seqno, rr_cur, .. } = route.icmp;
    write!(line, " id {uid} seq {seqno} route {rr_cur} [")?;
    for (i, hop) in route.route().iter().enumerate() {
        let separator = if i > 0 { " " } else { "" };
        write!(line, "{separator}{hop}")?;
    }
    line.write_str("]")
}

fn throughput_meter(line: &mut Line<'_, '_>, tp: &TpHeader, filler: usize) -> fmt::Result {
    let IcmpHeader { uid, seqno: run, rr_cur, .. } = tp.icmp;
    match rr_cur {
        tp_subtype::MESSAGE => line.write_str(" message")?,
        tp_subtype::ACK => line.write_str(" ack")?,
        other => write!(line, " subtype {other}")?,
    }
    write!(line, " id {uid} run {:04x} seq {} time {}", run.get(), tp.seqno, tp.timestamp)?;
    if rr_cur == tp_subtype::ACK { Ok(()) } else { write!(line, " {filler} bytes") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::{String, ToString};
    use std::vec;

    fn bytes(hex: &str) -> vec::Vec<u8> {
        hex.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
    }

    fn pretty(hex: &str) -> String {
        Pretty(&bytes(hex)).to_string()
    }

    #[test]
    fn says_what_is_wrong() {
        assert_eq!(pretty("02"), "! Ethernet too short: 1 bytes, needs 14");
        let eth = "ff ff ff ff ff ff 02 00 00 00 00 01 43 05";
        let line = |rest: &str| pretty(&std::format!("{eth} {rest}"));
        let from = "02:00:00:00:00:01 > broadcast: ";
        for (rest, wanted) in [
            ("", "mesh packet ! too short: 0 bytes, needs 2 (0 bytes)"),
            ("00 0e 32", "type 0x00 ! version 14, only 15 is spoken (3 bytes)"),
            ("00 0f 32", "OGM ! too short: 3 bytes, needs 24 (3 bytes)"),
            ("44 0f 32", "TVLV ! too short: 3 bytes, needs 20 (3 bytes)"),
            ("09 0f 32", "UNKNOWN ! unknown packet type 0x09 (3 bytes)"),
            (
                "40 0f 32 07 02 00 00 00 00 09 01",
                "UCAST to 02:00:00:00:00:09 ttvn 7 ttl 50: ! Ethernet too short: 1 bytes, needs 14",
            ),
            ("50 0f 32 07 02 00 00 00 00 09 01", "UNKNOWN-UCAST type 0x50 to 02:00:00:00:00:09 ttl 50 1 bytes"),
            ("02 0f 32", "CODED 3 bytes, not decoded"),
        ] {
            assert_eq!(line(rest), std::format!("{from}{wanted}"));
        }
    }

    #[test]
    fn long_lines_are_cut() {
        let mut frame = bytes("ff ff ff ff ff ff 02 00 00 00 00 01 43 05");
        for seqno in 0..64 {
            frame.extend(ogm::OgmHeader::new(MacAddr([2, 0, 0, 0, 0, 9]), seqno, 50).as_bytes());
        }
        let line = Pretty(&frame).to_string();
        assert!(line.len() <= LINE_MAX && line.ends_with(CUT), "{} bytes: {line}", line.len());
        assert!(
            line.starts_with("02:00:00:00:00:01 > broadcast: OGM orig 02:00:00:00:00:09 seq 0 ttl 50 tq 255 | OGM")
        );
    }

    #[test]
    fn question_beyond_a_neighbour() {
        let frame = crate::verify::VerifyFrame::new(MacAddr([2; 6]), MacAddr([4; 6]), crate::meshwork::say::ASK, 0xabc);
        let line = Pretty(frame.as_bytes()).to_string();
        assert!(
            line.ends_with("Meshwork 04:04:04:04:04:04 asks whether this arrives, nonce 0000000000000abc"),
            "{line}"
        );
    }

    #[test]
    fn tagged_mesh_frame() {
        let line = pretty("ff ff ff ff ff ff 02 00 00 00 00 01 81 00 00 05 43 05 02 0f");
        assert_eq!(line, "02:00:00:00:00:01 > broadcast: vlan 5 CODED 2 bytes, not decoded");
    }
}
