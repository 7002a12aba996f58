//! Frames of a real kernel: each parses, emits back byte for byte, prints one line, and says
//! what it is known to say.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails where it stands")]

mod common;

use common::{blocks, capture, captures, mesh, packet};
use packet::bla::{ClaimFrame, Kind};
use packet::consts::packet_type as kind;
use packet::crc::crc16;
use packet::frag::FragHeader;
use packet::icmp::{TpHeader, msg_type, tp_subtype};
use packet::ogm::OgmHeader;
use packet::packet::{Icmp, type_name};
use packet::tvlv::{Containers, Value, tt};
use packet::{Error, MacAddr, Packet, Pretty, Vid};
use std::collections::{BTreeMap, BTreeSet};

fn mac(text: &str) -> MacAddr {
    text.parse().unwrap()
}

/// The packet emits back as it came, and its frame prints one line.
fn holds(what: &str, frame: &[u8]) {
    let line = Pretty(frame).to_string();
    assert!(!line.is_empty() && !line.contains(['\n', '\r', '!']) && line.is_ascii(), "{what}: {line}");
    if let Some(bytes) = mesh(frame) {
        let parsed = Packet::parse(bytes).unwrap_or_else(|error| panic!("{what}: {error}: {line}"));
        let mut out = vec![0; bytes.len()];
        assert_eq!(parsed.emit(&mut out), Ok(bytes.len()), "{what}: {line}");
        assert_eq!(out, bytes, "{what}: {line}");
        assert_eq!(parsed.packet_type(), bytes[0]);
    }
    if let Ok(claim) = ClaimFrame::parse(frame) {
        let mut out = [0; ClaimFrame::TAGGED_LEN];
        let len = claim.emit(&mut out).unwrap();
        assert_eq!(&out[..len], frame, "{what}: {line}");
    }
}

#[test]
fn every_captured_frame() {
    let mut types = BTreeMap::new();
    let mut counts = BTreeMap::new();
    for (name, frames) in captures() {
        for (i, frame) in frames.iter().enumerate() {
            holds(&format!("{name} frame {i}"), frame);
            let name = mesh(frame).map_or("LAN", |bytes| type_name(bytes[0]));
            *types.entry(name).or_insert(0) += 1;
        }
        counts.insert(name, frames.len());
    }
    // Counted by another program.
    let wanted = [
        ("4ADDR", 24),
        ("BCAST", 49),
        ("ELP", 233),
        ("FRAG", 24),
        ("ICMP", 138),
        ("LAN", 31),
        ("OGM", 1235),
        ("OGM2", 117),
        ("TVLV", 6),
        ("UCAST", 185),
    ];
    assert_eq!(types, BTreeMap::from(wanted));
    assert_eq!((counts["iv-frag"], counts["v-wifi"], counts["iv-bla-mesh"]), (49, 160, 473));
}

#[test]
fn every_single_frame() {
    for block in blocks() {
        let Some(wanted) = block.line else { continue };
        holds(&block.title, &block.bytes);
        assert_eq!(Pretty(&block.bytes).to_string(), wanted, "{}", block.title);
    }
}

#[test]
fn padding_changes_nothing() {
    // All types that know their length; the payload of the others is "the rest".
    for block in blocks().into_iter().filter(|block| block.line.is_some()) {
        let mut padded = block.bytes.clone();
        padded.resize(60.max(block.bytes.len() + 19), 0);
        let line = Pretty(&padded).to_string();
        assert_eq!(Some(line), block.line, "{}", block.title);
        let Some(bytes) = mesh(&padded) else { continue };
        let len = Packet::parse(bytes).unwrap().len();
        match bytes[0] {
            kind::OGM | kind::OGM2 | kind::ICMP | kind::UNICAST_TVLV => assert_eq!(14 + len, block.bytes.len()),
            _ => assert_eq!(14 + len, padded.len()),
        }
    }
}

#[test]
fn header_blocks() {
    let headers: Vec<_> = blocks().into_iter().filter(|block| block.line.is_none()).collect();
    let [first, second, message, ack] = &headers[..] else { panic!("four header blocks") };
    let (a, b) = (mac("02:e0:00:01:02:01"), mac("02:e0:00:02:01:01"));
    for (no, block) in [(0, first), (1, second)] {
        let (header, rest) = FragHeader::parse(&block.bytes).unwrap();
        assert_eq!(*header, FragHeader::new(b, a, 0xe936, 1524, no, 0));
        assert!(rest.is_empty());
    }
    let (header, _) = TpHeader::parse(&message.bytes).unwrap();
    let wanted = TpHeader::new(b, a, 6, 0x3cbb, tp_subtype::MESSAGE, TpHeader::FIRST_SEQNO, 0xfffd_8c10);
    assert_eq!(*header, wanted);
    let (header, _) = TpHeader::parse(&ack.bytes).unwrap();
    // The first message carries 1476 bytes.
    let next = TpHeader::FIRST_SEQNO.wrapping_add(1476);
    assert_eq!(*header, TpHeader::new(a, b, 6, 0x3cbb, tp_subtype::ACK, next, 0xfffd_8c10));
}

#[test]
fn computed_frames_are_what_we_would_send() {
    let all = blocks();
    let bytes = |start: &str| &all.iter().find(|b| b.title.starts_with(start)).unwrap().bytes;
    let one = mac("02:00:00:00:00:01");
    let change = tt::TtChange::new(mac("02:aa:00:00:00:01"), Vid::UNTAGGED, 0);
    let mut value = vec![tt::flags::OGM_DIFF, 1, 0, 1];
    let crc = tt::entry_crc(change.addr, Vid::UNTAGGED, 0);
    assert_eq!(crc, 0xe9a8_9702);
    value.extend(crc.to_be_bytes());
    value.extend([0; 4]);
    value.extend(zerocopy::IntoBytes::as_bytes(&change));
    let mut tvlvs = [0; 40];
    let rest = packet::tvlv::emit(&mut tvlvs, 6, 2, &[0x38, 0, 0, 0]).unwrap();
    let rest = packet::tvlv::emit(rest, 2, 1, &[]).unwrap();
    assert!(packet::tvlv::emit(rest, 4, 1, &value).unwrap().is_empty());
    let mut ogm = OgmHeader::new(one, 0x1122_3344, 50);
    ogm.tvlv_len = 40.into();
    let wanted = bytes("computed: IV OGM");
    assert_eq!(wanted[14..38], *zerocopy::IntoBytes::as_bytes(&ogm));
    assert_eq!(wanted[38..], tvlvs);
    let elp = packet::elp::ElpHeader::new(one, 7, 500);
    assert_eq!(bytes("computed: ELP")[14..], elp.hello());
    let mut claim = [0; 42];
    ClaimFrame::announce(one, 0x3ad8, crc16(&one.0), Vid::UNTAGGED).emit(&mut claim).unwrap();
    assert_eq!(bytes("computed: BLA ANNOUNCE")[..], claim);
}

/// Every TT value in OGMs and unicast TVLVs of a frame.
fn tables(frame: &[u8]) -> Vec<(MacAddr, tt::Tt<'_>)> {
    let tvlvs: Vec<_> = match packet(frame) {
        Packet::Ogm(all) => all.members().map(|ogm| (ogm.header.orig, ogm.tvlvs)).collect(),
        Packet::Ogm2(all) => all.members().map(|ogm| (ogm.header.orig, ogm.tvlvs)).collect(),
        Packet::UnicastTvlv(header, tvlvs) => vec![(header.src, tvlvs)],
        _ => Vec::new(),
    };
    let mut out = Vec::new();
    for (orig, bytes) in tvlvs {
        for container in Containers::new(bytes) {
            if let Value::Tt(tt) = Value::parse(container).unwrap() {
                out.push((orig, tt));
            }
        }
    }
    out
}

#[test]
fn full_tables_have_the_checksums_that_they_announce() {
    let mut checked = 0;
    for name in ["iv-tt-late", "iv-roam-21", "iv-roam-23"] {
        for frame in capture(name) {
            for (_, table) in tables(&frame) {
                if table.header.flags != tt::flags::RESPONSE | tt::flags::FULL {
                    continue;
                }
                let mut crcs = BTreeMap::new();
                for change in table.changes {
                    let vid = Vid::from_wire(change.vid.get()).unwrap();
                    *crcs.entry(vid).or_insert(0) ^= tt::entry_crc(change.addr, vid, change.flags);
                }
                let announced: BTreeMap<_, _> =
                    table.vlans.iter().map(|v| (Vid::from_wire(v.vid.get()).unwrap(), v.crc.get())).collect();
                assert_eq!(crcs, announced);
                checked += table.changes.len();
            }
        }
    }
    // The 20 clients and what n1 and n2 announce of themselves.
    assert_eq!(checked, 23);
}

#[test]
fn checksums_shown_by_the_kernel() {
    let groups = ["01:00:5e:00:00:01", "33:33:00:00:00:01"];
    let with_groups = |client| [groups[0], groups[1], client];
    let wifi = tt::client::WIFI;
    for (vid, flags, clients, wanted) in [
        (Vid::UNTAGGED, 0, &["02:ba:00:00:00:01"][..], 0x668a_f6d1),
        (Vid::UNTAGGED, 0, &["02:ba:00:00:00:01", "02:cc:00:00:00:01"], 0x33bc_dfc2),
        (Vid::tagged(1), 0, &["02:ba:00:00:00:01"], 0x89de_8e1d),
        (Vid::UNTAGGED, 0, &with_groups("02:ba:00:00:00:01"), 0x5484_8b9f),
        (Vid::UNTAGGED, 0, &with_groups("02:ba:00:00:00:02"), 0x47d4_786b),
        (Vid::UNTAGGED, 0, &with_groups("02:ba:00:00:00:03"), 0xb5bf_fb68),
        (Vid::UNTAGGED, 0, &with_groups("02:ba:00:00:00:04"), 0x6175_9f83),
        (Vid::UNTAGGED, wifi, &["02:dd:00:00:00:01"], 0x7e5e_ddca),
        (Vid::tagged(5), wifi, &["02:dd:00:00:00:01"], 0xb017_276b),
    ] {
        let crc = clients.iter().fold(0, |crc, client| crc ^ tt::entry_crc(mac(client), vid, flags));
        assert_eq!(crc, wanted, "{clients:?}");
    }
    for (address, group) in [
        ("02:e0:00:01:02:01", 0x5411),
        ("02:e0:00:02:01:01", 0xa4e1),
        ("02:e0:00:03:02:01", 0x94b0),
        ("02:e0:00:04:03:01", 0xc500),
        ("02:00:00:00:00:01", 0x22c0),
        ("02:00:00:00:00:02", 0x2380),
        ("02:ba:de:af:fe:01", 0x9053),
        ("fe:f0:00:00:05:01", 0x5b97),
    ] {
        assert_eq!(crc16(&mac(address).0), group, "{address}");
    }
    let claims = ["02:ba:00:00:00:02", "02:ba:00:00:00:03", "02:ba:00:00:00:04"];
    assert_eq!(claims.iter().fold(0, |crc, client| crc ^ crc16(&mac(client).0)), 0x3a18);
}

#[test]
fn diffs_announce_twenty_clients() {
    let mut added = BTreeSet::new();
    let mut versions = BTreeSet::new();
    for frame in capture("iv-tt").iter().filter(|frame| mesh(frame).is_some()) {
        for (orig, table) in tables(frame) {
            if orig == mac("02:e0:a1:01:02:01") {
                versions.insert(table.header.ttvn);
                added.extend(table.changes.iter().filter(|c| c.flags & tt::client::DEL == 0).map(|c| c.addr));
            }
        }
    }
    let learned = (1..=20).map(|n| MacAddr([2, 0xcc, 0xa1, 0, 1, n]));
    assert!(learned.into_iter().all(|client| added.contains(&client)), "{added:?}");
    // The first commit is version 1; each further change counts up by one.
    assert!(versions.iter().copied().eq(*versions.first().unwrap()..=*versions.last().unwrap()), "{versions:?}");
}

#[test]
fn a_client_roams() {
    let mut roams = 0;
    for name in ["iv-roam-21", "iv-roam-23"] {
        for frame in capture(name) {
            let Packet::UnicastTvlv(header, tvlvs) = packet(&frame) else { continue };
            for container in Containers::new(tvlvs) {
                if let Value::Roam(roam) = Value::parse(container).unwrap() {
                    assert_eq!((roam.client, roam.vid.get()), (mac("02:c1:a1:00:00:01"), 0));
                    assert_eq!((header.src, header.dst), (mac("02:e0:a1:03:02:01"), mac("02:e0:a1:01:02:01")));
                    roams += 1;
                }
            }
        }
    }
    assert_eq!(roams, 2);
}

#[test]
fn gateways_announce_their_bandwidth() {
    for (name, down, up) in [("iv-start", 100, 20), ("v-start", 200, 50)] {
        let mut seen = 0;
        for frame in capture(name).iter().filter(|frame| mesh(frame).is_some()) {
            let members: Vec<_> = match packet(frame) {
                Packet::Ogm(all) => all.members().map(|ogm| (ogm.header.orig, ogm.tvlvs)).collect(),
                Packet::Ogm2(all) => all.members().map(|ogm| (ogm.header.orig, ogm.tvlvs)).collect(),
                _ => continue,
            };
            for (orig, tvlvs) in members {
                for container in Containers::new(tvlvs) {
                    if let Value::Gateway(gateway) = Value::parse(container).unwrap() {
                        assert_eq!(orig, mac("02:e0:a1:03:02:01"));
                        assert_eq!((gateway.down.get(), gateway.up.get(), gateway.is_offer()), (down, up, true));
                        seen += 1;
                    }
                }
            }
        }
        assert!(seen > 0, "{name}");
    }
}

#[test]
fn fragments_make_whole_packets() {
    let mut whole = 0;
    for name in ["iv-frag", "v-data"] {
        /// Pieces by number, with the size that each says the whole has.
        type Pieces = BTreeMap<u8, (Vec<u8>, u16)>;
        let mut pieces: BTreeMap<(MacAddr, u16), Pieces> = BTreeMap::new();
        for frame in capture(name) {
            let Packet::Frag(header, piece) = packet(&frame) else { continue };
            let key = (header.orig, header.seqno.get());
            pieces.entry(key).or_default().insert(header.no(), (piece.to_vec(), header.total_size.get()));
        }
        for parts in pieces.into_values() {
            // The tail has number 0.
            let bytes: Vec<u8> = parts.values().rev().flat_map(|(piece, _)| piece.clone()).collect();
            assert!(parts.values().all(|(_, total)| usize::from(*total) == bytes.len()));
            let Ok(Packet::Unicast(header, client)) = Packet::parse(&bytes) else {
                panic!("{name}: no unicast inside")
            };
            assert!(header.ttl >= 49 && header.dest.is_unicast());
            // A ping of IPv4, whole: its length field agrees with the bytes that are there.
            assert_eq!(usize::from(u16::from_be_bytes([client[16], client[17]])), client.len() - 14);
            whole += 1;
        }
    }
    assert_eq!(whole, 10);
}

#[test]
fn mesh_icmp() {
    let frames = capture("iv-icmp");
    let (mut exceeded, mut longest, mut requests, mut replies) = (0, 0, 0, 0);
    for frame in &frames {
        let Packet::Icmp(message) = packet(frame) else { continue };
        match message.header().msg_type {
            msg_type::TTL_EXCEEDED => exceeded += 1,
            msg_type::ECHO_REQUEST => requests += 1,
            msg_type::ECHO_REPLY => replies += 1,
            other => panic!("message type {other}"),
        }
        if let Icmp::RecordRoute(route) = message {
            let filled = route.slots.iter().take_while(|&&slot| slot != MacAddr::ZERO).count();
            assert_eq!(route.route().len(), filled);
            longest = longest.max(filled);
        }
    }
    // 4 nodes: the requester itself, then each receiving interface there and back to the second.
    assert_eq!(longest, 6);
    // Traceroute asks three times per hop; two of the three hops on the way are not the target.
    assert_eq!(exceeded, 6);
    assert_eq!(requests, exceeded + replies);
}

#[test]
fn throughput_meter() {
    let mut times = BTreeSet::new();
    let (mut messages, mut acks) = (0, 0);
    let mut first = None;
    for frame in capture("iv-tp") {
        let Packet::Icmp(Icmp::Tp(tp, filler)) = packet(&frame) else { continue };
        match tp.icmp.rr_cur {
            tp_subtype::MESSAGE => {
                first.get_or_insert(tp.seqno.get());
                messages += 1;
                assert_eq!(TpHeader::LEN + filler.len(), 1486);
                times.insert(tp.timestamp.get());
            }
            tp_subtype::ACK => {
                acks += 1;
                assert!(times.contains(&tp.timestamp.get()), "an ack echoes a time that was sent");
                assert_eq!(tp.seqno.get().wrapping_sub(TpHeader::FIRST_SEQNO) % 1476, 0);
            }
            other => panic!("subtype {other}"),
        }
    }
    assert_eq!(first, Some(TpHeader::FIRST_SEQNO));
    assert!(acks > 0 && messages + acks == 106);
}

#[test]
fn claims_add_up_to_the_announced_checksum() {
    let mut claims: BTreeMap<MacAddr, BTreeSet<MacAddr>> = BTreeMap::new();
    let mut agreed = 0;
    let mut kinds = BTreeSet::new();
    let gateways = ["02:e0:a1:01:02:01", "02:e0:a1:02:01:01"].map(mac);
    // Both gateways took the larger of their two numbers.
    let group = gateways.iter().map(|gateway| crc16(&gateway.0)).max().unwrap();
    for frame in capture("iv-bla-lan") {
        let Ok(claim) = ClaimFrame::parse(&frame) else { continue };
        kinds.insert(claim.kind().to_wire());
        assert_eq!((claim.group(), claim.vid()), (group, Vid::UNTAGGED));
        let gateway = claim.gateway().unwrap();
        assert!(gateways.contains(&gateway));
        match claim.kind() {
            Kind::Claim => {
                claims.values_mut().for_each(|own| {
                    own.remove(&claim.client().unwrap());
                });
                claims.entry(gateway).or_default().insert(claim.client().unwrap());
            }
            Kind::Unclaim => {
                claims.entry(gateway).or_default().remove(&claim.client().unwrap());
            }
            Kind::Announce => {
                let own = claims.entry(gateway).or_default();
                let crc = own.iter().fold(0, |crc, client| crc ^ crc16(&client.0));
                agreed += usize::from(claim.crc() == Some(crc));
            }
            Kind::Request => assert!(claim.dst.is_unicast()),
            Kind::LoopDetect => assert_eq!(claim.src.0[..2], packet::bla::LOOP_DETECT_MAGIC),
            Kind::Unknown(other) => panic!("kind {other}"),
        }
    }
    assert!(kinds.is_superset(&BTreeSet::from([0, 2, 3])), "{kinds:?}");
    // The capture starts when claims are held already, so only later announcements agree.
    assert!(agreed >= 5, "{agreed}");
}

#[test]
fn truncated_frames_say_so() {
    for (name, frames) in captures() {
        // One frame of each type and length is enough.
        let mut seen = BTreeSet::new();
        for frame in frames.iter().filter(|frame| mesh(frame).is_some()) {
            if !seen.insert((frame[14], frame.len())) {
                continue;
            }
            for end in 0..frame.len() {
                let line = Pretty(&frame[..end]).to_string();
                assert!(!line.is_empty() && !line.contains('\n'), "{name}: {line}");
                let whole_header =
                    matches!(mesh(frame).map(|bytes| Packet::parse(&bytes[..end.saturating_sub(14)])), Some(Ok(_)));
                assert!(whole_header || line.contains('!'), "{name}: {line}");
            }
        }
    }
}

#[test]
fn other_versions_are_refused() {
    for (_, frames) in captures() {
        for frame in frames {
            let Some(bytes) = mesh(&frame) else { continue };
            let mut other = bytes.to_vec();
            other[1] = 14;
            assert_eq!(Packet::parse(&other), Err(Error::Version(14)));
        }
    }
}
