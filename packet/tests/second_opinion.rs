//! What we print of client frames, compared with what two other libraries read in them:
//! `pnet_packet` for IPv4 and ARP, smoltcp for IPv6.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails where it stands")]

mod common;

use packet::bla::ClaimFrame;
use packet::eth::ClientFrame;
use packet::{Packet, Pretty, Vid};
use pnet_packet::Packet as _;
use pnet_packet::arp::ArpPacket;
use pnet_packet::ethernet::{EtherTypes, EthernetPacket, MutableEthernetPacket};
use pnet_packet::icmp::echo_request::EchoRequestPacket;
use pnet_packet::icmp::{IcmpPacket, IcmpTypes};
use pnet_packet::ip::IpNextHeaderProtocols;
use pnet_packet::ipv4::{Ipv4Flags, Ipv4Packet, MutableIpv4Packet};
use pnet_packet::tcp::{MutableTcpPacket, TcpPacket};
use pnet_packet::udp::{MutableUdpPacket, UdpPacket};
use pnet_packet::vlan::VlanPacket;
use proptest::prelude::*;
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    Icmpv6Packet, Icmpv6Repr, IpProtocol, Ipv6ExtHeader, Ipv6HopByHopHeader, Ipv6Packet, MldRepr, NdiscRepr,
};
use std::collections::BTreeMap;

/// Our line of a client frame as pnet and smoltcp see it, and which of the cases it was.
fn expected(frame: &[u8]) -> (String, &'static str) {
    let eth = EthernetPacket::new(frame).unwrap();
    let dst = match eth.get_destination().to_string().as_str() {
        "ff:ff:ff:ff:ff:ff" => "broadcast".to_owned(),
        other => other.to_owned(),
    };
    let mut head = format!("{} > {dst}", eth.get_source());
    let (ethertype, payload) = if eth.get_ethertype() == EtherTypes::Vlan {
        let tag = VlanPacket::new(eth.payload()).unwrap();
        head += &format!(" vlan {}", tag.get_vlan_identifier());
        if tag.get_priority_code_point().0 != 0 {
            head += &format!(" prio {}", tag.get_priority_code_point().0);
        }
        (tag.get_ethertype(), tag.payload().to_vec())
    } else {
        (eth.get_ethertype(), eth.payload().to_vec())
    };
    let (inside, case) = match ethertype {
        EtherTypes::Arp => arp(&payload),
        EtherTypes::Ipv4 => ipv4(&payload),
        EtherTypes::Ipv6 => ipv6(&payload),
        other => (format!("ethertype 0x{:04x} {} bytes", other.0, payload.len()), "other"),
    };
    (format!("{head} {inside}"), case)
}

fn arp(bytes: &[u8]) -> (String, &'static str) {
    let arp = ArpPacket::new(bytes).unwrap();
    let (sender, target) = (arp.get_sender_proto_addr(), arp.get_target_proto_addr());
    match arp.get_operation().0 {
        1 => (format!("ARP who-has {target} tell {sender}"), "arp request"),
        2 => (format!("ARP {sender} is-at {} for {target}", arp.get_sender_hw_addr()), "arp reply"),
        other => panic!("opcode {other}"),
    }
}

fn ipv4(bytes: &[u8]) -> (String, &'static str) {
    let ip = Ipv4Packet::new(bytes).unwrap();
    let (src, dst, length) = (ip.get_source(), ip.get_destination(), ip.get_total_length());
    let payload = ip.payload();
    match ip.get_next_level_protocol() {
        IpNextHeaderProtocols::Udp => {
            let udp = UdpPacket::new(payload).unwrap();
            let ports = (udp.get_source(), udp.get_destination());
            (format!("UDP {src}:{} > {dst}:{} {length} bytes", ports.0, ports.1), "udp")
        }
        IpNextHeaderProtocols::Tcp => {
            let tcp = TcpPacket::new(payload).unwrap();
            let mut flags = String::new();
            for (bit, letter) in [(2, 'S'), (1, 'F'), (4, 'R'), (8, 'P'), (32, 'U'), (16, '.')] {
                if tcp.get_flags() & bit != 0 {
                    flags.push(letter);
                }
            }
            let ports = (tcp.get_source(), tcp.get_destination());
            (format!("TCP {src}:{} > {dst}:{} [{flags}] {length} bytes", ports.0, ports.1), "tcp")
        }
        IpNextHeaderProtocols::Icmp => {
            let icmp = IcmpPacket::new(payload).unwrap();
            let name = match icmp.get_icmp_type() {
                IcmpTypes::EchoRequest => "request",
                IcmpTypes::EchoReply => "reply",
                other => panic!("ICMP type {other:?}"),
            };
            // Requests and replies look alike.
            let echo = EchoRequestPacket::new(payload).unwrap();
            let (id, seq) = (echo.get_identifier(), echo.get_sequence_number());
            (format!("ICMP {src} > {dst} echo {name} id {id} seq {seq} {length} bytes"), "icmp")
        }
        IpNextHeaderProtocols::Igmp => {
            let name = match payload[0] {
                0x11 => "query",
                0x17 => "leave",
                _ => "report",
            };
            (format!("IGMP {src} > {dst} {name} {length} bytes"), "igmp")
        }
        other => panic!("protocol {other}"),
    }
}

fn ipv6(bytes: &[u8]) -> (String, &'static str) {
    let ip = Ipv6Packet::new_checked(bytes).unwrap();
    let (src, dst, length) = (ip.src_addr(), ip.dst_addr(), ip.total_len());
    let (next, payload) = match ip.next_header() {
        IpProtocol::HopByHop => {
            let ext = Ipv6ExtHeader::new_checked(ip.payload()).unwrap();
            Ipv6HopByHopHeader::new_checked(ext.payload()).unwrap();
            (ext.next_header(), &ip.payload()[8 + 8 * usize::from(ext.header_len())..])
        }
        other => (other, ip.payload()),
    };
    assert_eq!(next, IpProtocol::Icmpv6);
    let packet = Icmpv6Packet::new_checked(payload).unwrap();
    let what = match Icmpv6Repr::parse(&src, &dst, &packet, &ChecksumCapabilities::default()).unwrap() {
        Icmpv6Repr::Ndisc(NdiscRepr::RouterSolicit { .. }) => "router solicitation".to_owned(),
        Icmpv6Repr::Ndisc(NdiscRepr::NeighborSolicit { target_addr, .. }) => {
            format!("neighbor solicitation {target_addr}")
        }
        Icmpv6Repr::Ndisc(NdiscRepr::NeighborAdvert { target_addr, .. }) => {
            format!("neighbor advertisement {target_addr}")
        }
        Icmpv6Repr::Mld(MldRepr::Report { .. }) => "MLDv2 report".to_owned(),
        Icmpv6Repr::EchoRequest { ident, seq_no, .. } => format!("echo request id {ident} seq {seq_no}"),
        Icmpv6Repr::EchoReply { ident, seq_no, .. } => format!("echo reply id {ident} seq {seq_no}"),
        other => panic!("{other:?}"),
    };
    (format!("ICMPv6 {src} > {dst} {what} {length} bytes"), "icmpv6")
}

/// Our head of a client frame against pnet's.
fn heads_agree(frame: &[u8]) {
    let ours = ClientFrame::parse(frame).unwrap();
    let eth = EthernetPacket::new(frame).unwrap();
    assert_eq!((ours.dst.0, ours.src.0), (eth.get_destination().octets(), eth.get_source().octets()));
    if eth.get_ethertype() == EtherTypes::Vlan {
        let tag = VlanPacket::new(eth.payload()).unwrap();
        assert_eq!(ours.vid, Vid::tagged(tag.get_vlan_identifier()));
        assert_eq!(ours.ethertype, tag.get_ethertype().0);
        assert_eq!(ours.pcp, Some(tag.get_priority_code_point().0));
        assert_eq!(&frame[ours.payload..], tag.payload());
    } else {
        assert_eq!((ours.vid, ours.pcp), (Vid::UNTAGGED, None));
        assert_eq!(ours.ethertype, eth.get_ethertype().0);
        assert_eq!(&frame[ours.payload..], eth.payload());
        if eth.get_ethertype() == EtherTypes::Ipv4 {
            assert_eq!(ours.priority(frame), Ipv4Packet::new(eth.payload()).unwrap().get_dscp() >> 3);
        }
    }
}

#[test]
fn captured_client_frames() {
    let mut cases = BTreeMap::new();
    for (name, frames) in common::captures() {
        for frame in &frames {
            let line = Pretty(frame).to_string();
            let client = match common::mesh(frame).map(Packet::parse) {
                None => &frame[..],
                Some(packet) => match packet.unwrap().client_frame() {
                    Some(client) => client,
                    None => continue,
                },
            };
            heads_agree(client);
            if ClaimFrame::parse(client).is_ok() {
                *cases.entry("claim").or_insert(0) += 1;
                continue;
            }
            let (wanted, case) = expected(client);
            // On the LAN side the addresses are followed by a colon.
            let line = if client.len() == frame.len() { line.replacen(": ", " ", 1) } else { line };
            assert!(line.ends_with(&wanted), "{name}\n {line}\n {wanted}");
            *cases.entry(case).or_insert(0) += 1;
        }
    }
    let least = [("arp reply", 10), ("arp request", 10), ("icmp", 50), ("icmpv6", 50), ("igmp", 2), ("udp", 4)];
    for (case, least) in least {
        assert!(cases.get(case).is_some_and(|&n| n >= least), "{case}: {cases:?}");
    }
}

proptest! {
    #[test]
    fn made_up_frames(
        macs in any::<([u8; 6], [u8; 6])>(),
        ips in any::<([u8; 4], [u8; 4])>(),
        ports in any::<(u16, u16)>(),
        dscp in 0_u8..64,
        tcp_flags in 0_u8..64,
        options in 0_u8..=10,
        padding in 0_usize..30,
        tcp in any::<bool>(),
    ) {
        let header = 20 + 4 * usize::from(options);
        let transport = if tcp { 20 } else { 8 };
        let mut frame = vec![0; 14 + header + transport + padding];
        let mut eth = MutableEthernetPacket::new(&mut frame).unwrap();
        eth.set_destination(macs.0.into());
        eth.set_source(macs.1.into());
        eth.set_ethertype(EtherTypes::Ipv4);
        let mut ip = MutableIpv4Packet::new(&mut frame[14..]).unwrap();
        ip.set_version(4);
        ip.set_header_length(5 + options);
        ip.set_dscp(dscp);
        ip.set_total_length((header + transport) as u16);
        ip.set_flags(Ipv4Flags::DontFragment);
        ip.set_source(ips.0.into());
        ip.set_destination(ips.1.into());
        ip.set_next_level_protocol(if tcp { IpNextHeaderProtocols::Tcp } else { IpNextHeaderProtocols::Udp });
        if tcp {
            let mut tcp = MutableTcpPacket::new(&mut frame[14 + header..]).unwrap();
            tcp.set_source(ports.0);
            tcp.set_destination(ports.1);
            tcp.set_flags(tcp_flags);
        } else {
            let mut udp = MutableUdpPacket::new(&mut frame[14 + header..]).unwrap();
            udp.set_source(ports.0);
            udp.set_destination(ports.1);
        }
        heads_agree(&frame);
        let line = Pretty(&frame).to_string().replacen(": ", " ", 1);
        prop_assert_eq!(line, expected(&frame).0);
    }
}
