//! The three promises of the crate, with random inputs: no panic, `parse(emit(x)) == x`, accepted
//! bytes emit back unchanged.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails where it stands")]

mod common;

use packet::bcast::BcastHeader;
use packet::bla::{ClaimArp, ClaimFrame, MAGIC};
use packet::consts::packet_type as kind;
use packet::elp::ElpHeader;
use packet::eth::EthHeader;
use packet::frag::FragHeader;
use packet::icmp::{IcmpHeader, RecordRoute, TpHeader, msg_type, tp_subtype};
use packet::mcast::McastHeader;
use packet::ogm::{OgmHeader, Ogms};
use packet::ogm2::{Ogm2Header, Ogm2s};
use packet::packet::{Icmp, Ogm2Aggregate, OgmAggregate};
use packet::pcap::Reader;
use packet::pretty::LINE_MAX;
use packet::tvlv::gateway::Gateway;
use packet::tvlv::mcast::McastCapability;
use packet::tvlv::meshwork::Meshwork;
use packet::tvlv::roam::Roam;
use packet::tvlv::tracker::Tracker;
use packet::tvlv::tt::{Tt, TtChange, TtVlan};
use packet::tvlv::{self, Container, Containers, Value};
use packet::unicast::{Unicast4Header, UnicastHeader, UnicastTvlvHeader};
use packet::{Error, MacAddr, Packet, Pretty, Vid};
use proptest::collection::vec;
use proptest::prelude::*;
use zerocopy::{FromBytes, IntoBytes};

/// A header of random bytes, of the right type and version.
fn header<T: FromBytes + IntoBytes + zerocopy::Immutable + std::fmt::Debug>(
    packet_type: u8,
) -> impl Strategy<Value = T> {
    vec(any::<u8>(), size_of::<T>()).prop_map(move |mut bytes| {
        bytes[0] = packet_type;
        bytes[1] = 15;
        T::read_from_bytes(&bytes).unwrap()
    })
}

fn raw<T: FromBytes + std::fmt::Debug>() -> impl Strategy<Value = T> {
    vec(any::<u8>(), size_of::<T>()).prop_map(|bytes| T::read_from_bytes(&bytes).unwrap())
}

fn mac() -> impl Strategy<Value = MacAddr> {
    any::<[u8; 6]>().prop_map(MacAddr)
}

/// Payload of any content.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..300)
}

/// Bytes of even length, as containers have.
fn even() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<[u8; 2]>(), 0..40).prop_map(|pairs| pairs.concat())
}

/// A chain of containers.
fn containers() -> impl Strategy<Value = Vec<(u8, u8, Vec<u8>)>> {
    vec((any::<u8>(), any::<u8>(), even()), 0..6)
}

fn emit_all(all: &[(u8, u8, Vec<u8>)]) -> Vec<u8> {
    let mut out = vec![0; all.iter().map(|(_, _, value)| 4 + value.len()).sum()];
    let mut rest = &mut out[..];
    for (kind, version, value) in all {
        rest = tvlv::emit(rest, *kind, *version, value).unwrap();
    }
    assert!(rest.is_empty());
    out
}

fn round_trip(packet: Packet<'_>) {
    let mut out = vec![0xaa; packet.len() + 3];
    assert_eq!(packet.emit(&mut out), Ok(packet.len()));
    assert_eq!(out[packet.len()..], [0xaa; 3]);
    out.truncate(packet.len());
    assert_eq!(Packet::parse(&out), Ok(packet));
    let have = out.len() - 1;
    assert_eq!(packet.emit(&mut out[..have]), Err(Error::Short { need: packet.len(), have }));
}

/// Whatever the bytes are: no panic; if accepted, they come out again; one line is printed.
fn anything(bytes: &[u8]) {
    if let Ok(packet) = Packet::parse(bytes) {
        let mut out = vec![0; bytes.len()];
        let len = packet.emit(&mut out).unwrap();
        assert_eq!(out[..len], bytes[..len]);
        assert_eq!(Packet::parse(&out[..len]), Ok(packet));
    }
    let mut frame = vec![2; 12];
    frame.extend([0x43, 0x05]);
    frame.extend(bytes);
    for frame in [&frame[..], bytes] {
        let line = Pretty(frame).to_string();
        assert!(!line.is_empty() && line.len() <= LINE_MAX && line.is_ascii() && !line.contains('\n'), "{line}");
    }
    for container in Containers::new(bytes) {
        let _ = Value::parse(container);
    }
    for kind in 0..=8 {
        let _ = Value::parse(Container { kind, version: if kind == 6 { 2 } else { 1 }, value: bytes });
    }
    if let Ok(claim) = ClaimFrame::parse(bytes) {
        let mut out = vec![0; bytes.len()];
        let len = claim.emit(&mut out).unwrap();
        assert_eq!(out[..len], bytes[..len]);
    }
    if let Ok(reader) = Reader::new(bytes) {
        assert!(reader.count() <= bytes.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn payload_packets(
        bcast in header::<BcastHeader>(kind::BCAST),
        unicast in header::<UnicastHeader>(kind::UNICAST),
        unicast4 in header::<Unicast4Header>(kind::UNICAST_4ADDR),
        frag in header::<FragHeader>(kind::FRAG),
        unknown in (0x45_u8..=0x7f).prop_flat_map(header::<UnicastHeader>),
        elp in header::<ElpHeader>(kind::ELP),
        rest in payload(),
    ) {
        round_trip(Packet::Bcast(&bcast, &rest));
        round_trip(Packet::Unicast(&unicast, &rest));
        round_trip(Packet::Unicast4(&unicast4, &rest));
        round_trip(Packet::Frag(&frag, &rest));
        round_trip(Packet::Forwardable(&unknown, &rest));
        round_trip(Packet::Elp(&elp, &rest));
        let mut coded = vec![kind::CODED, 15];
        coded.extend(&rest);
        round_trip(Packet::Coded(&coded));
        prop_assert_eq!(Packet::Bcast(&bcast, &rest).client_frame(), Some(&rest[..]));
    }

    #[test]
    fn packets_with_containers(
        mut tvlv in header::<UnicastTvlvHeader>(kind::UNICAST_TVLV),
        mut mcast in header::<McastHeader>(kind::MCAST),
        chain in containers(),
        frame in payload(),
    ) {
        let tvlvs = emit_all(&chain);
        tvlv.tvlv_len = (tvlvs.len() as u16).into();
        mcast.tvlv_len = tvlv.tvlv_len;
        round_trip(Packet::UnicastTvlv(&tvlv, &tvlvs));
        round_trip(Packet::Mcast { header: &mcast, tvlvs: &tvlvs, frame: &frame });
        let back: Vec<_> = Containers::new(&tvlvs).map(|c| (c.kind, c.version, c.value.to_vec())).collect();
        prop_assert_eq!(back, chain);
    }

    #[test]
    fn aggregates(
        iv in vec((header::<OgmHeader>(kind::OGM), containers()), 1..6),
        v in vec((header::<Ogm2Header>(kind::OGM2), containers()), 1..6),
    ) {
        let mut bytes = Vec::new();
        let mut members = Vec::new();
        for (mut header, chain) in iv {
            let tvlvs = emit_all(&chain);
            header.tvlv_len = (tvlvs.len() as u16).into();
            bytes.extend(header.as_bytes());
            bytes.extend(&tvlvs);
            members.push((header, tvlvs));
        }
        let padded = [&bytes[..], &[0; 22]].concat();
        prop_assert!(Ogms::new(&padded).map(|o| (*o.header, o.tvlvs.to_vec())).eq(members));
        prop_assert_eq!(Packet::parse(&padded), Packet::parse(&bytes));
        round_trip(Packet::Ogm(OgmAggregate::parse(&bytes).unwrap()));

        let mut bytes = Vec::new();
        let mut members = Vec::new();
        for (mut header, chain) in v {
            let tvlvs = emit_all(&chain);
            header.tvlv_len = (tvlvs.len() as u16).into();
            bytes.extend(header.as_bytes());
            bytes.extend(&tvlvs);
            members.push((header, tvlvs));
        }
        let padded = [&bytes[..], &[0; 26]].concat();
        prop_assert!(Ogm2s::new(&padded).map(|o| (*o.header, o.tvlvs.to_vec())).eq(members));
        prop_assert_eq!(Packet::parse(&padded), Packet::parse(&bytes));
        round_trip(Packet::Ogm2(Ogm2Aggregate::parse(&bytes).unwrap()));
    }

    #[test]
    fn icmp(
        mut plain in header::<IcmpHeader>(kind::ICMP),
        mut route in header::<RecordRoute>(kind::ICMP),
        mut tp in header::<TpHeader>(kind::ICMP),
        filler in payload(),
        padding in 0_usize..90,
    ) {
        for msg_type in [msg_type::ECHO_REQUEST, msg_type::ECHO_REPLY, msg_type::TTL_EXCEEDED] {
            plain.msg_type = msg_type;
            round_trip(Packet::Icmp(Icmp::Plain(&plain)));
            let mut padded = plain.as_bytes().to_vec();
            padded.resize(20 + padding, 0);
            prop_assert_eq!(Packet::parse(&padded), Ok(Packet::Icmp(Icmp::Plain(&plain))));
        }
        for msg_type in [msg_type::ECHO_REQUEST, msg_type::ECHO_REPLY] {
            route.icmp.msg_type = msg_type;
            round_trip(Packet::Icmp(Icmp::RecordRoute(&route)));
        }
        tp.icmp.msg_type = msg_type::TP;
        tp.icmp.rr_cur = tp_subtype::MESSAGE;
        round_trip(Packet::Icmp(Icmp::Tp(&tp, &filler)));
        tp.icmp.rr_cur = tp_subtype::ACK;
        round_trip(Packet::Icmp(Icmp::Tp(&tp, &[])));
        plain.msg_type = 77;
        round_trip(Packet::Icmp(Icmp::Other(&plain, &filler)));
    }

    #[test]
    fn values(
        gateway in raw::<Gateway>(),
        roam in raw::<Roam>(),
        capability in raw::<McastCapability>(),
        flags in any::<u16>(),
        slots in vec(mac(), 0..20),
        vlans in vec(raw::<TtVlan>(), 0..5),
        changes in vec(raw::<TtChange>(), 0..20),
        head in any::<[u8; 2]>(),
    ) {
        let value = |kind, version, value| Value::parse(Container { kind, version, value });
        prop_assert_eq!(value(1, 1, gateway.as_bytes()), Ok(Value::Gateway(&gateway)));
        prop_assert_eq!(value(2, 1, &[]), Ok(Value::Dat));
        prop_assert_eq!(value(5, 1, roam.as_bytes()), Ok(Value::Roam(&roam)));
        prop_assert_eq!(value(6, 2, capability.as_bytes()), Ok(Value::McastCapability(&capability)));
        let ours = Meshwork::new(flags);
        prop_assert_eq!(value(tvlv::kind::MESHWORK, 1, ours.as_bytes()), Ok(Value::Meshwork(&ours)));
        let foreign = Container { kind: tvlv::kind::MESHWORK, version: 1, value: b"Mwk2\0\0" };
        prop_assert_eq!(Value::parse(foreign), Ok(Value::Unknown(foreign)));
        // The kernel's version 1 of the capability is from another age.
        prop_assert!(matches!(value(6, 1, capability.as_bytes()), Ok(Value::Unknown(_))));

        let mut out = vec![0xff; Tracker::len_of(slots.len())];
        prop_assert_eq!(Tracker::emit(&slots, &mut out), Ok(out.len()));
        prop_assert_eq!(value(7, 1, &out), Ok(Value::Tracker(Tracker { slots: &slots })));

        let mut bytes = head.to_vec();
        bytes.extend((vlans.len() as u16).to_be_bytes());
        bytes.extend(vlans.as_bytes());
        bytes.extend(changes.as_bytes());
        prop_assert_eq!(bytes.len(), Tt::len_of(vlans.len(), changes.len()));
        let tt = Tt::parse(&bytes).unwrap();
        prop_assert_eq!([tt.header.flags, tt.header.ttvn], head);
        prop_assert_eq!((tt.vlans, tt.changes), (&vlans[..], &changes[..]));
        // Half a record at the end is ignored, a missing VLAN record is not.
        prop_assert_eq!(Tt::parse(&[&bytes[..], &[0; 11]].concat()).map(|tt| tt.changes.len()), Ok(changes.len()));
        if !vlans.is_empty() {
            prop_assert!(Tt::parse(&bytes[..4 + vlans.len() * 8 - 1]).is_err());
        }
    }

    #[test]
    fn claim_frames(dst in mac(), src in mac(), tci in any::<Option<u16>>(), mut arp in raw::<ClaimArp>()) {
        arp.hardware = 1.into();
        arp.protocol = 0x0800.into();
        (arp.hardware_len, arp.protocol_len, arp.magic) = (6, 4, MAGIC);
        let claim = ClaimFrame { dst, src, tci, arp };
        let mut out = [0; 60];
        let len = claim.emit(&mut out).unwrap();
        prop_assert_eq!(ClaimFrame::parse(&out[..len]), Ok(claim));
        prop_assert_eq!(ClaimFrame::parse(&out), Ok(claim));
        anything(&out);
    }

    #[test]
    fn text_of_addresses(mac in mac(), raw in any::<u16>()) {
        prop_assert_eq!(mac.to_string().parse(), Ok(mac));
        if let Some(vid) = Vid::from_wire(raw) {
            prop_assert_eq!(vid.to_wire(), raw);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn random_bytes(bytes in vec(any::<u8>(), 0..200)) {
        anything(&bytes);
    }

    #[test]
    fn random_packets(packet_type in prop_oneof![0_u8..8, 0x3f_u8..0x47, any::<u8>()], bytes in vec(any::<u8>(), 0..200)) {
        let mut packet = vec![packet_type, 15];
        packet.extend(&bytes);
        anything(&packet);
    }

    #[test]
    fn random_inner_packets(
        ethertype in prop_oneof![Just(0x0800_u16), Just(0x86dd), Just(0x0806), Just(0x8100), Just(0x88a8)],
        mut bytes in vec(any::<u8>(), 0..120),
        version in prop_oneof![Just(0x45_u8), Just(0x4f), Just(0x60)],
        protocol in prop_oneof![Just(0_u8), Just(1), Just(2), Just(6), Just(17), Just(58)],
    ) {
        for (at, value) in [(0, version), (2, 0), (6, protocol), (9, protocol)] {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
        }
        let eth = EthHeader { dst: MacAddr::BROADCAST, src: MacAddr([2; 6]), ethertype: ethertype.into() };
        let client = [eth.as_bytes(), &bytes].concat();
        anything(&client);
        anything(&[UnicastHeader::new(MacAddr([2; 6]), 1).as_bytes(), &client].concat());
    }
}

#[test]
fn damaged_captures() {
    // Every capture's frames with bytes changed and cut, the same each time.
    let mut random = 0x9e37_79b9_u32;
    let mut next = move || {
        random ^= random << 13;
        random ^= random >> 17;
        random ^= random << 5;
        random as usize
    };
    for (_, frames) in common::captures() {
        for frame in frames {
            let Some(packet) = common::mesh(&frame) else { continue };
            for _ in 0..20 {
                let mut damaged = packet.to_vec();
                for _ in 0..1 + next() % 4 {
                    let at = next() % damaged.len();
                    damaged[at] = next() as u8;
                }
                damaged.truncate(next() % (damaged.len() + 1));
                anything(&damaged);
            }
        }
    }
}
