//! Client frames on a line: addresses, VLAN and what is inside, one level deep.

use super::{Dst, Line};
use crate::bla::{ClaimFrame, Kind};
use crate::eth::{ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_QINQ, ETHERTYPE_VLAN, EthHeader};
use crate::meshwork::say;
use crate::verify::VerifyFrame;
use core::fmt::{self, Write};
use core::net::{Ipv4Addr, Ipv6Addr};

/// A whole client frame.
pub(super) fn frame(line: &mut Line<'_, '_>, bytes: &[u8]) -> fmt::Result {
    match EthHeader::parse(bytes) {
        Ok((eth, _)) => {
            write!(line, "{} > {} ", eth.src, Dst(eth.dst))?;
            behind_addresses(line, bytes)
        }
        Err(error) => write!(line, "! Ethernet {error}"),
    }
}

/// What follows the addresses of a frame that is at least 14 bytes long.
pub(super) fn behind_addresses(line: &mut Line<'_, '_>, bytes: &[u8]) -> fmt::Result {
    if let Ok(claim) = ClaimFrame::parse(bytes) {
        return bla(line, &claim);
    }
    if let Ok(verify) = VerifyFrame::parse(bytes) {
        let what = match verify.what {
            say::ASK => "asks whether this arrives",
            say::ANSWER => "answers that it arrived",
            _ => "says something unknown",
        };
        return write!(line, "Meshwork {} {what}, nonce {:016x}", verify.src, verify.nonce.get());
    }
    let mut rest = bytes.get(12..).unwrap_or_default();
    // Two tags at most: more are not traffic but a puzzle.
    for _ in 0..2 {
        if let [t0, t1, hi, lo, behind @ ..] = rest
            && let ETHERTYPE_VLAN | ETHERTYPE_QINQ = u16::from_be_bytes([*t0, *t1])
        {
            let tci = u16::from_be_bytes([*hi, *lo]);
            write!(line, "vlan {} ", tci & 0x0fff)?;
            if tci >> 13 != 0 {
                write!(line, "prio {} ", tci >> 13)?;
            }
            rest = behind;
        }
    }
    let [t0, t1, payload @ ..] = rest else {
        return write!(line, "! cut off in the tag ({} bytes)", bytes.len());
    };
    match u16::from_be_bytes([*t0, *t1]) {
        ETHERTYPE_ARP => arp(line, payload),
        ETHERTYPE_IPV4 => ipv4(line, payload),
        ETHERTYPE_IPV6 => ipv6(line, payload),
        crate::consts::ETHERTYPE => line.write_str("mesh packet inside a client frame"),
        // 802.3: the field is a length.
        length @ 0..=1500 => write!(line, "802.3 {length} bytes"),
        other => write!(line, "ethertype 0x{other:04x} {} bytes", payload.len()),
    }
}

fn bla(line: &mut Line<'_, '_>, claim: &ClaimFrame) -> fmt::Result {
    match claim.kind() {
        Kind::Claim => line.write_str("BLA claim")?,
        Kind::Unclaim => line.write_str("BLA unclaim")?,
        Kind::Announce => line.write_str("BLA announce")?,
        Kind::Request => line.write_str("BLA request")?,
        Kind::LoopDetect => line.write_str("BLA loop-detect")?,
        Kind::Unknown(kind) => write!(line, "BLA kind {kind}")?,
    }
    if let Some(gateway) = claim.gateway() {
        write!(line, " by {gateway}")?;
    }
    if let Some(client) = claim.client() {
        write!(line, " client {client}")?;
    }
    if let Some(crc) = claim.crc() {
        write!(line, " crc {crc:04x}")?;
    }
    write!(line, " group {:04x}", claim.group())?;
    match claim.tci {
        Some(tci) => write!(line, " vlan {}", tci & 0x0fff),
        None => Ok(()),
    }
}

fn arp(line: &mut Line<'_, '_>, bytes: &[u8]) -> fmt::Result {
    let Some(&[_, _, p0, p1, hlen, plen, o0, o1]) = bytes.first_chunk::<8>() else {
        return cut(line, "ARP", bytes.len(), 8);
    };
    let opcode = u16::from_be_bytes([o0, o1]);
    if (u16::from_be_bytes([p0, p1]), hlen, plen) != (ETHERTYPE_IPV4, 6, 4) {
        return write!(line, "ARP opcode {opcode} of another protocol");
    }
    // Sender MAC at 8, sender IP at 14, target IP at 24.
    let (Some(sender), Some(sender_ip), Some(target_ip)) = (at::<6>(bytes, 8), ipv4_at(bytes, 14), ipv4_at(bytes, 24))
    else {
        return cut(line, "ARP", bytes.len(), 28);
    };
    match opcode {
        1 => write!(line, "ARP who-has {target_ip} tell {sender_ip}"),
        2 => write!(line, "ARP {sender_ip} is-at {} for {target_ip}", crate::MacAddr(sender)),
        other => write!(line, "ARP opcode {other} {sender_ip} > {target_ip}"),
    }
}

fn ipv4(line: &mut Line<'_, '_>, bytes: &[u8]) -> fmt::Result {
    let (Some(&[first, _, l0, l1]), Some(&[f0, f1]), Some(&protocol), Some(src), Some(dst)) =
        (bytes.first_chunk(), at::<2>(bytes, 6).as_ref(), bytes.get(9), ipv4_at(bytes, 12), ipv4_at(bytes, 16))
    else {
        return cut(line, "IPv4", bytes.len(), 20);
    };
    let header = usize::from(first & 0x0f) * 4;
    let total = usize::from(u16::from_be_bytes([l0, l1]));
    if first >> 4 != 4 || header < 20 || total < header {
        return write!(line, "IPv4 ! bad header ({} bytes)", bytes.len());
    }
    // Ethernet padding is not part of it; a fragment of the mesh may hold less than it.
    let payload = bytes.get(header..total.min(bytes.len())).unwrap_or_default();
    let fragment = u16::from_be_bytes([f0, f1]);
    let offset = usize::from(fragment & 0x1fff) * 8;
    if offset > 0 {
        return write!(line, "IPv4 {src} > {dst} proto {protocol} fragment at {offset} {} bytes", payload.len());
    }
    transport(line, protocol, payload, (&src, &dst), total)?;
    if fragment & 0x2000 != 0 { line.write_str(" first fragment") } else { Ok(()) }
}

fn ipv6(line: &mut Line<'_, '_>, bytes: &[u8]) -> fmt::Result {
    let (Some(&[first, ..]), Some([l0, l1]), Some(&next), Some(src), Some(dst)) =
        (bytes.first_chunk::<1>(), at::<2>(bytes, 4), bytes.get(6), at::<16>(bytes, 8), at::<16>(bytes, 24))
    else {
        return cut(line, "IPv6", bytes.len(), 40);
    };
    if first >> 4 != 6 {
        return write!(line, "IPv6 ! bad header ({} bytes)", bytes.len());
    }
    let length = usize::from(u16::from_be_bytes([l0, l1]));
    let mut payload = bytes.get(40..).unwrap_or_default();
    payload = payload.get(..length).unwrap_or(payload);
    let mut next = next;
    // MLD comes behind a hop-by-hop header; its length counts 8-byte units behind the first.
    if next == PROTO_HOP_BY_HOP
        && let [behind, units, ..] = payload
    {
        next = *behind;
        payload = payload.get(8 + usize::from(*units) * 8..).unwrap_or_default();
    }
    transport(line, next, payload, (&Ipv6Addr::from(src), &Ipv6Addr::from(dst)), 40 + length)
}

const PROTO_HOP_BY_HOP: u8 = 0;
const PROTO_ICMP: u8 = 1;
const PROTO_IGMP: u8 = 2;
const PROTO_TCP: u8 = 6;
const PROTO_UDP: u8 = 17;
const PROTO_ICMPV6: u8 = 58;

/// `TCP 10.0.0.1:1234 > 10.0.0.2:80 [S] 60 bytes`; `length` counts the whole IP packet.
fn transport<A: fmt::Display + Bracketed>(
    line: &mut Line<'_, '_>,
    protocol: u8,
    bytes: &[u8],
    (src, dst): (&A, &A),
    length: usize,
) -> fmt::Result {
    match (protocol, bytes) {
        (PROTO_TCP | PROTO_UDP, [s0, s1, d0, d1, ..]) => {
            let name = if protocol == PROTO_TCP { "TCP" } else { "UDP" };
            let (sport, dport) = (u16::from_be_bytes([*s0, *s1]), u16::from_be_bytes([*d0, *d1]));
            let (open, close) = A::BRACKETS;
            write!(line, "{name} {open}{src}{close}:{sport} > {open}{dst}{close}:{dport}")?;
            if protocol == PROTO_TCP {
                tcp_flags(line, bytes.get(13).copied())?;
            }
        }
        (PROTO_ICMP, [kind, code, rest @ ..]) => {
            write!(line, "ICMP {src} > {dst} ")?;
            match kind {
                0 => echo(line, "echo reply", rest)?,
                3 => write!(line, "unreachable code {code}")?,
                8 => echo(line, "echo request", rest)?,
                11 => line.write_str("time exceeded")?,
                _ => write!(line, "type {kind} code {code}")?,
            }
        }
        (PROTO_ICMPV6, [kind, code, rest @ ..]) => {
            write!(line, "ICMPv6 {src} > {dst} ")?;
            match kind {
                1 => write!(line, "unreachable code {code}")?,
                3 => line.write_str("time exceeded")?,
                128 => echo(line, "echo request", rest)?,
                129 => echo(line, "echo reply", rest)?,
                130 => line.write_str("MLD query")?,
                131 => line.write_str("MLD report")?,
                132 => line.write_str("MLD done")?,
                133 => line.write_str("router solicitation")?,
                134 => line.write_str("router advertisement")?,
                135 => target(line, "neighbor solicitation", rest)?,
                136 => target(line, "neighbor advertisement", rest)?,
                143 => line.write_str("MLDv2 report")?,
                _ => write!(line, "type {kind} code {code}")?,
            }
        }
        (PROTO_IGMP, [kind, ..]) => {
            write!(line, "IGMP {src} > {dst} ")?;
            match kind {
                0x11 => line.write_str("query")?,
                0x12 | 0x16 | 0x22 => line.write_str("report")?,
                0x17 => line.write_str("leave")?,
                _ => write!(line, "type 0x{kind:02x}")?,
            }
        }
        _ => write!(line, "{} {src} > {dst} proto {protocol}", A::NAME)?,
    }
    write!(line, " {length} bytes")
}

fn tcp_flags(line: &mut Line<'_, '_>, raw: Option<u8>) -> fmt::Result {
    let Some(raw) = raw else { return line.write_str(" ! cut off") };
    line.write_str(" [")?;
    for (bit, letter) in [(0x02, "S"), (0x01, "F"), (0x04, "R"), (0x08, "P"), (0x20, "U"), (0x10, ".")] {
        if raw & bit != 0 {
            line.write_str(letter)?;
        }
    }
    line.write_str("]")
}

/// `rest` starts behind type and code.
fn echo(line: &mut Line<'_, '_>, name: &str, rest: &[u8]) -> fmt::Result {
    line.write_str(name)?;
    match rest {
        [_, _, i0, i1, s0, s1, ..] => {
            write!(line, " id {} seq {}", u16::from_be_bytes([*i0, *i1]), u16::from_be_bytes([*s0, *s1]))
        }
        _ => line.write_str(" ! cut off"),
    }
}

/// `rest` starts behind type and code; the address comes behind checksum and flags.
fn target(line: &mut Line<'_, '_>, name: &str, rest: &[u8]) -> fmt::Result {
    line.write_str(name)?;
    match at::<16>(rest, 6) {
        Some(address) => write!(line, " {}", Ipv6Addr::from(address)),
        None => line.write_str(" ! cut off"),
    }
}

/// How the address of a protocol is set apart from a port.
trait Bracketed {
    const NAME: &'static str;
    const BRACKETS: (&'static str, &'static str);
}

impl Bracketed for Ipv4Addr {
    const NAME: &'static str = "IPv4";
    const BRACKETS: (&'static str, &'static str) = ("", "");
}

impl Bracketed for Ipv6Addr {
    const NAME: &'static str = "IPv6";
    const BRACKETS: (&'static str, &'static str) = ("[", "]");
}

fn at<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..)?.first_chunk().copied()
}

fn ipv4_at(bytes: &[u8], offset: usize) -> Option<Ipv4Addr> {
    at::<4>(bytes, offset).map(Ipv4Addr::from)
}

fn cut(line: &mut Line<'_, '_>, name: &str, have: usize, need: usize) -> fmt::Result {
    write!(line, "{name} ! too short: {have} bytes, needs {need}")
}
