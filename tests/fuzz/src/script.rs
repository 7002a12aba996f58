//! Turns bytes into steps. The frames are half plausible: few addresses, right headers, table
//! checksums that often fit, so that the fuzzer gets past the first checks.

use libfuzzer_sys::arbitrary::{Result, Unstructured};
use mesh_core::multicast::{Listeners, Querier};
use mesh_core::{
    Algorithm, Behind, Caps, Choice, Duration, Echo, GatewayConfig, GatewayMode, HostInfo, Input, LinkConfig, LinkId,
    LinkSpeed, Measure, MeshConfig, Station,
};
use packet::bla::ClaimFrame;
use packet::consts::{ETHERTYPE, TTL, VERSION, packet_type};
use packet::elp::ElpHeader;
use packet::eth::EthHeader;
use packet::frag::FragHeader;
use packet::icmp::IcmpHeader;
use packet::mcast::McastHeader;
use packet::ogm::OgmHeader;
use packet::ogm2::Ogm2Header;
use packet::tvlv::gateway::Gateway;
use packet::tvlv::meshwork::{self, Meshwork};
use packet::tvlv::roam::Roam;
use packet::tvlv::tracker::{self, Tracker};
use packet::tvlv::tt::{self, TtChange};
use packet::tvlv::{emit, kind};
use packet::unicast::{Unicast4Header, UnicastHeader, UnicastTvlvHeader};
use packet::verify::VerifyFrame;
use packet::{MacAddr, Vid, bcast::BcastHeader};
use std::net::IpAddr;
use zerocopy::IntoBytes;

/// Our own mesh interface.
pub const HOST: MacAddr = MacAddr([2, 0xba, 0, 0, 0, 1]);
/// Hard interfaces that may exist.
pub const LINKS: u8 = 3;

/// One thing that happens.
#[derive(Debug)]
pub enum Step {
    /// A hard interface comes up or changes.
    LinkUp(LinkId, LinkConfig),
    /// A hard interface goes away.
    LinkDown(LinkId),
    /// A frame is heard.
    LinkRx(LinkId, Vec<u8>),
    /// One of the last own OGMs comes back on its interface, as a neighbour repeats it.
    Reflect { back: usize, by: MacAddr, tq: u8 },
    /// A neighbour repeats our OGMs and sends its own, or those of somebody behind it, once per
    /// interval: what it takes to get a route there.
    Talk { link: LinkId, by: MacAddr, orig: MacAddr, tq: u8, rounds: u8, tvlvs: Vec<u8> },
    /// The system says how fast a wire is, what a radio's driver knows, what the mesh interface is.
    Told(Input),
    /// A client sends a frame into the mesh interface.
    HostRx(Vec<u8>),
    /// Somebody asks for a mesh echo.
    Echo(Echo),
    /// New settings.
    Configure(MeshConfig),
    /// Time passes, and all timers that are due on the way run.
    Wait(Duration),
    /// Time passes, and the shell notices late.
    Oversleep(Duration),
}

/// Settings with small caps, so that a short story reaches them.
pub fn config(u: &mut Unstructured<'_>) -> Result<MeshConfig> {
    let bits: u8 = u.arbitrary()?;
    let both = [Choice::Auto, Choice::Fixed(Algorithm::Iv), Choice::Fixed(Algorithm::V)];
    Ok(MeshConfig {
        algorithm: *u.choose(&both)?,
        extensions: bits & 32 != 0,
        dat: bits & 64 != 0,
        elp_interval: Duration::from_millis(if bits & 1 != 0 { 20 } else { 500 }),
        orig_interval: Duration::from_millis(if bits & 1 != 0 { 40 } else { 1000 }),
        hop_penalty: u.arbitrary()?,
        aggregation: bits & 2 != 0,
        fragmentation: bits & 4 != 0,
        fast_start: bits & 8 != 0,
        wifi_clients: bits & 16 != 0,
        gateway: GatewayConfig {
            mode: [GatewayMode::Off, GatewayMode::Client, GatewayMode::Server][usize::from(bits >> 6) % 3],
            ..GatewayConfig::default()
        },
        multicast_forceflood: u.ratio(1, 8)?,
        multicast_fanout: *u.choose(&[16, 2, 0])?,
        caps: Caps {
            originators: 6,
            neighbors: 3,
            clients: 12,
            clients_per_originator: 5,
            local_clients: 4,
            vlans: 2,
            addresses: 3,
            claims: 3,
            fragment_bytes: 4096,
        },
        ..MeshConfig::new(HOST)
    })
}

/// The address of an own hard interface.
pub fn link_mac(link: LinkId) -> MacAddr {
    MacAddr([2, 0xe0, 0, 0, 0, link.0])
}

/// A hard interface as the shell would describe it.
pub fn link_config(u: &mut Unstructured<'_>, link: LinkId) -> Result<LinkConfig> {
    let mtu = *u.choose(&[128, 600, 1280, 1500, 1532, 9000])?;
    Ok(LinkConfig {
        name: format!("link{}", link.0),
        mac: link_mac(link),
        mtu,
        wifi: u.arbitrary()?,
        hop_penalty: u.arbitrary()?,
        throughput: *u.choose(&[None, None, Some(1), Some(10_000), Some(u32::MAX)])?,
        measure: *u.choose(&[Measure::Blind, Measure::Always, Measure::Never])?,
        broadcast_copies: None,
    })
}

/// The next step; an error when the bytes are used up.
pub fn step(u: &mut Unstructured<'_>) -> Result<Step> {
    let link = LinkId(u.int_in_range(0..=LINKS - 1)?);
    Ok(match u.int_in_range(0..=29_u8)? {
        0 => Step::LinkUp(link, link_config(u, link)?),
        1 => Step::LinkDown(link),
        2..=4 => Step::Wait(Duration::from_millis(u64::from(u.arbitrary::<u8>()?) * 20)),
        5 => Step::Oversleep(Duration::from_millis(u64::from(u.arbitrary::<u16>()?) * 10)),
        6..=8 => Step::Reflect { back: u.int_in_range(0..=3)?, by: station(u)?, tq: u.arbitrary()? },
        9..=11 => Step::HostRx(client_frame(u)?),
        12 => Step::Echo(Echo {
            dst: station(u)?,
            ttl: u.int_in_range(1..=TTL)?,
            uid: u.arbitrary()?,
            seqno: u.arbitrary()?,
            record_route: u.arbitrary()?,
        }),
        13 => Step::Configure(config(u)?),
        14..=16 => {
            let by = neighbor(u)?;
            let orig = if u.arbitrary()? { by } else { neighbor(u)? };
            let (tq, rounds) = (*u.choose(&[255, 200, 100])?, u.int_in_range(1..=20)?);
            let mut tvlvs = Vec::new();
            table(u, tt::flags::OGM_DIFF, &mut tvlvs)?;
            features(u, &mut tvlvs)?;
            Step::Talk { link, by, orig, tq, rounds, tvlvs }
        }
        17 => Step::Told(told(u, link)?),
        _ => Step::LinkRx(link, mesh_frame(u, link)?),
    })
}

/// What only the system knows.
fn told(u: &mut Unstructured<'_>, link: LinkId) -> Result<Input> {
    let rate = *u.choose(&[None, Some(0), Some(10), Some(2000), Some(u32::MAX)])?;
    Ok(match u.int_in_range(0..=7_u8)? {
        6 | 7 => Input::Listeners(if u.ratio(1, 8)? { None } else { Some(listeners(u)?) }),
        0 => Input::LinkSpeed(link, LinkSpeed { throughput: rate, full_duplex: u.arbitrary()? }),
        1 => Input::Station(link, neighbor(u)?, Station::Gone),
        2 => Input::Station(link, neighbor(u)?, Station::Failed(u.arbitrary()?)),
        3 | 4 => Input::Station(link, neighbor(u)?, Station::Rate { expected: rate, tx_bitrate: Some(540) }),
        _ => Input::Host(HostInfo {
            bridged: u.arbitrary()?,
            vlans: vlans(u)?,
            marked: [(station(u)?, Behind { wifi: u.arbitrary()?, isolated: u.arbitrary()?, guest: u.arbitrary()? })]
                .into(),
        }),
    })
}

/// One of a few groups of every reach, addresses that are none among them.
fn group(u: &mut Unstructured<'_>) -> Result<IpAddr> {
    let last = u.int_in_range(0..=3)?;
    Ok(if u.arbitrary()? {
        let v4 = *u.choose(&[[224, 0, 0], [239, 1, 2], [239, 129, 2], [255, 255, 255], [10, 0, 0]])?;
        IpAddr::from([v4[0], v4[1], v4[2], last])
    } else {
        let scope = *u.choose(&[0xff01_u16, 0xff02, 0xff02, 0xff05, 0xff3e, 0xfe80])?;
        IpAddr::from([scope, 0, 0, 0, 0, 0, 0, u16::from(last)])
    })
}

/// Who listens behind the mesh interface; sometimes more than is announced one by one.
fn listeners(u: &mut Unstructured<'_>) -> Result<Listeners> {
    let mut l = Listeners { bridged: u.arbitrary()?, ..Listeners::default() };
    for _ in 0..u.int_in_range(0..=4)? {
        l.groups.insert(group(u)?);
        l.addresses.insert(client(u)?);
    }
    if u.ratio(1, 16)? {
        l.groups.extend((0..=u8::MAX).map(|n| IpAddr::from([239, 9, n, 1])));
        l.groups.extend((0..=u16::from(u8::MAX)).map(|n| IpAddr::from([0xff02, 0, 0, 0, 0, 0, 9, n])));
    }
    for v in [&mut l.ipv4, &mut l.ipv6] {
        v.querier = *u.choose(&[Querier::Absent, Querier::Known, Querier::Known, Querier::Shadowing])?;
        v.router = u.ratio(1, 4)?;
    }
    Ok(l)
}

/// A frame for a group, most often at the address that it has: a datagram, or what listeners and
/// queriers say, whole or not.
fn group_frame(u: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let group = group(u)?;
    let mut out = match group {
        IpAddr::V4(a) => [&[1, 0, 0x5e, a.octets()[1] & 0x7f][..], &a.octets()[2..]].concat(),
        IpAddr::V6(a) => [&[0x33, 0x33][..], &a.octets()[12..]].concat(),
    };
    out.extend(client(u)?.0);
    if let Some(id) = Vid::tagged(u.int_in_range(0..=1)?).id().filter(|_| u.ratio(1, 8).unwrap_or(false)) {
        out.extend([0x81, 0]);
        out.extend(id.to_be_bytes());
    }
    match group {
        IpAddr::V4(a) => {
            // With a router alert, as real reports have it, or without.
            let words = u.int_in_range(5..=6_u8)?;
            let protocol = *u.choose(&[17, 2, 2])?;
            out.extend([8, 0, 0x40 | words, 0, 0, 0, 0, 0, 0, 0, 1, protocol, 0, 0, 10, 0, 0, 1]);
            out.extend(a.octets());
            out.resize(out.len() + usize::from(words - 5) * 4, 0);
            out.push(*u.choose(&[0x11, 0x12, 0x16, 0x17, 0x22])?);
        }
        IpAddr::V6(a) => {
            let next = *u.choose(&[17, 58, 0, 0])?;
            out.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, 0, next, 1]);
            out.extend([0xfe; 16]);
            out.extend(a.octets());
            if next == 0 {
                let words = *u.choose(&[0, 0, 1, 255])?;
                out.extend([58, words, 5, 2, 0, 0, 0, 0]);
            }
            out.push(u.int_in_range(130..=143)?);
        }
    }
    let len = out.len() + *u.choose(&[0, 7, 60, 1200, 1300])?;
    out.resize(len, u.arbitrary()?);
    if u.ratio(1, 8)? {
        out.truncate(14 + u.int_in_range(0..=60)?);
    }
    Ok(out)
}

/// VLANs on the mesh interface, now and then with an address of somebody else.
fn vlans(u: &mut Unstructured<'_>) -> Result<Vec<(MacAddr, Vid)>> {
    let count = u.int_in_range(0..=3_u8)?;
    let addr = if u.ratio(1, 4)? { station(u)? } else { HOST };
    Ok((1..=count).map(|id| (addr, Vid::tagged(u16::from(id)))).collect())
}

/// A mesh address, our own among them.
fn station(u: &mut Unstructured<'_>) -> Result<MacAddr> {
    Ok(match u.int_in_range(0..=15_u8)? {
        0..=2 => link_mac(LinkId(0)),
        3 => link_mac(LinkId(1)),
        4 => MacAddr::BROADCAST,
        5 => MacAddr::ZERO,
        _ => neighbor(u)?,
    })
}

/// One of the eight other nodes there are; more than the caps allow.
fn neighbor(u: &mut Unstructured<'_>) -> Result<MacAddr> {
    Ok(MacAddr([2, 0xe0, 0, 0, 1, u.int_in_range(0..=7)?]))
}

/// One of a dozen clients, our own mesh interface and groups among them.
fn client(u: &mut Unstructured<'_>) -> Result<MacAddr> {
    Ok(match u.int_in_range(0..=15_u8)? {
        0 => HOST,
        1 => MacAddr::BROADCAST,
        2 => MacAddr([0x33, 0x33, 0, 0, 0, 1]),
        4 => MacAddr([1, 0, 0x5e, 1, 2, u.int_in_range(0..=3)?]),
        3 => MacAddr([0xba, 0xbe, 1, 2, 3, 4]),
        n => MacAddr([2, 0xcc, 0, 0, 0, n]),
    })
}

fn vid(u: &mut Unstructured<'_>) -> Result<Vid> {
    Ok(Vid::tagged(u.int_in_range(0..=3)?))
}

fn client_frame(u: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    match u.int_in_range(0..=11_u8)? {
        0 | 1 => return claim(u),
        2 | 3 => return group_frame(u),
        _ => {}
    }
    if u.ratio(1, 12)? {
        let asked = VerifyFrame::new(client(u)?, station(u)?, u.int_in_range(2..=5)?, u.arbitrary()?);
        return Ok(asked.as_bytes().to_vec());
    }
    out.extend(client(u)?.0);
    out.extend(client(u)?.0);
    if let Some(id) = vid(u)?.id() {
        out.extend([0x81, 0]);
        out.extend(id.to_be_bytes());
    }
    let ethertype = *u.choose(&[0x0800_u16, 0x0806, 0x0806, 0x86dd, ETHERTYPE])?;
    out.extend(ethertype.to_be_bytes());
    if ethertype == 0x0806 && u.ratio(3, 4)? {
        // ARP among three stations.
        out.extend([0, 1, 8, 0, 6, 4, 0, u.int_in_range(1..=2)?]);
        for _ in 0..2 {
            out.extend(client(u)?.0);
            out.extend([10, 0, 0, u.int_in_range(0..=3)?]);
        }
        return Ok(out);
    }
    if ethertype != 0x0806 && u.ratio(1, 2)? {
        ip(u, ethertype == 0x86dd, &mut out)?;
        return Ok(out);
    }
    let fill: u8 = u.arbitrary()?;
    let len = *u.choose(&[0, 1, 28, 46, 100, 600, 1500, 5000])?;
    out.resize(out.len() + len, fill);
    Ok(out)
}

/// The head of a datagram or message that some service reads, the rest arbitrary.
fn ip(u: &mut Unstructured<'_>, v6: bool, out: &mut Vec<u8>) -> Result<()> {
    let ports: &[[u8; 4]] = &[[0, 67, 0, 68], [0, 68, 0, 67], [2, 34, 2, 35], [2, 35, 2, 34]];
    let start = out.len();
    if v6 {
        out.resize(start + 40, 0);
        let next = *u.choose(&[58, 17, 0])?;
        (out[start], out[start + 6], out[start + 7]) = (0x60, next, 255);
        for at in [8, 24] {
            let last = u.int_in_range(0..=3)?;
            let multicast = u.arbitrary()?;
            out[start + at] = if multicast { 0xff } else { 0xfe };
            out[start + at + 1] = if multicast { 0x02 } else { 0x80 };
            out[start + at + 15] = last;
        }
        if next == 58 {
            out.push(u.int_in_range(128..=143)?);
        } else {
            out.extend(u.choose(ports)?);
        }
    } else {
        out.resize(start + 20, 0);
        (out[start], out[start + 9]) = (0x45, *u.choose(&[17, 2, 6])?);
        out[start + 16] = *u.choose(&[10, 224, 239, 255])?;
        out.extend(u.choose(ports)?);
    }
    out.extend(u.bytes(u.len().min(64))?);
    let len = out.len() + *u.choose(&[0, 300])?;
    out.resize(len, 0);
    let len = ((out.len() - start) as u16).to_be_bytes();
    let at = start + if v6 { 4 } else { 2 };
    out[at..at + 2].copy_from_slice(&len);
    Ok(())
}

/// What nodes on one LAN tell each other.
fn claim(u: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let (gateway, vid) = (station(u)?, vid(u)?);
    let group = *u.choose(&[0, 1, 0xffff])?;
    let frame = match u.int_in_range(0..=4_u8)? {
        0 => ClaimFrame::claim(gateway, client(u)?, group, vid),
        1 => ClaimFrame::unclaim(gateway, client(u)?, group, vid),
        2 => ClaimFrame::announce(gateway, u.arbitrary()?, group, vid),
        3 => ClaimFrame::request(gateway, station(u)?, group, vid),
        _ => ClaimFrame::loop_detect(gateway, u.arbitrary()?, group, vid),
    };
    let mut out = vec![0; 64];
    let len = frame.emit(&mut out).unwrap_or(0);
    out.truncate(len);
    Ok(out)
}

fn mesh_frame(u: &mut Unstructured<'_>, link: LinkId) -> Result<Vec<u8>> {
    let choice = u.int_in_range(0..=15_u8)?;
    // Floods go to everybody, the rest to us; now and then to somebody else.
    let to_us = if choice <= 6 { MacAddr::BROADCAST } else { link_mac(link) };
    let dst = if u.ratio(1, 16)? { station(u)? } else { to_us };
    let eth = EthHeader { dst, src: station(u)?, ethertype: ETHERTYPE.into() };
    let mut out = eth.as_bytes().to_vec();
    match choice {
        0 => {
            let orig = if u.ratio(7, 8)? { eth.src } else { station(u)? };
            let elp = ElpHeader::new(orig, u.arbitrary::<u8>()?.into(), 500);
            out.extend(elp.hello());
        }
        1 | 2 => {
            for _ in 0..u.int_in_range(1..=3)? {
                ogm2(u, &eth, &mut out)?;
            }
        }
        3 | 4 => {
            for _ in 0..u.int_in_range(1..=3)? {
                ogm(u, &eth, &mut out)?;
            }
        }
        5 | 6 => {
            let mut header = BcastHeader::new(station(u)?, u32::from(u.arbitrary::<u8>()?) << *u.choose(&[0, 4, 12])?);
            header.ttl = ttl(u)?;
            out.extend(header.as_bytes());
            out.extend(client_frame(u)?);
        }
        7 | 8 => {
            let mut header = UnicastHeader::new(station(u)?, u.int_in_range(0..=3)?);
            header.ttl = ttl(u)?;
            out.extend(header.as_bytes());
            out.extend(client_frame(u)?);
        }
        9 => {
            let mut header =
                Unicast4Header::new(station(u)?, station(u)?, u.int_in_range(0..=3)?, u.int_in_range(0..=5)?);
            header.unicast.ttl = ttl(u)?;
            out.extend(header.as_bytes());
            out.extend(client_frame(u)?);
        }
        10 => fragment(u, &mut out)?,
        11 => {
            let mut header = IcmpHeader::echo_request(station(u)?, station(u)?, u.arbitrary()?, u.arbitrary()?);
            header.ttl = ttl(u)?;
            header.msg_type = *u.choose(&[8, 8, 0, 3, 11, 15, 99])?;
            header.rr_cur = *u.choose(&[0, 1, 15, 16, 255])?;
            out.extend(header.as_bytes());
            let len = out.len() + *u.choose(&[0, 8, 96, 1200])?;
            out.resize(len, 0);
        }
        12 | 13 => {
            let mut tvlvs = Vec::new();
            let src = station(u)?;
            match u.int_in_range(0..=5_u8)? {
                0 => container(
                    &mut tvlvs,
                    kind::ROAM,
                    1,
                    Roam { client: client(u)?, vid: vid(u)?.to_wire().into() }.as_bytes(),
                ),
                1 => container(&mut tvlvs, u.arbitrary()?, u.arbitrary()?, &[0; 8]),
                _ => {
                    let flags = *u.choose(&[0x02, 0x12, 0x04, 0x14, 0x01, 0x17])?;
                    table(u, flags, &mut tvlvs)?;
                }
            }
            let mut header = UnicastTvlvHeader::new(station(u)?, src, tvlvs.len() as u16);
            header.ttl = ttl(u)?;
            out.extend(header.as_bytes());
            out.extend(tvlvs);
        }
        14 if u.arbitrary()? => {
            let mut slots = Vec::new();
            for _ in 0..u.int_in_range(0..=6)? {
                slots.push(station(u)?);
            }
            let mut value = vec![0; 64];
            let len = Tracker::emit(&slots, &mut value).unwrap_or(0);
            let mut tvlvs = Vec::new();
            container(&mut tvlvs, kind::MCAST_TRACKER, tracker::VERSION, &value[..len]);
            let mut header = McastHeader::new(tvlvs.len() as u16);
            header.ttl = ttl(u)?;
            out.extend(header.as_bytes());
            out.extend(tvlvs);
            out.extend(client_frame(u)?);
        }
        14 => {
            let kind = *u.choose(&[packet_type::ELP, packet_type::OGM2, packet_type::MCAST, 0x45, 0x7f, 2, 9])?;
            out.extend([kind, VERSION]);
            out.extend(u.bytes(u.len().min(40))?);
        }
        _ => out.extend(u.bytes(u.len().min(60))?),
    }
    // Damage, so that lengths do not always fit.
    if u.ratio(1, 16)? {
        let cut = u.int_in_range(0..=20_usize)?;
        out.truncate(out.len().saturating_sub(cut));
    }
    Ok(out)
}

fn ttl(u: &mut Unstructured<'_>) -> Result<u8> {
    Ok(*u.choose(&[50, 49, 2, 1, 0, 255])?)
}

fn ogm(u: &mut Unstructured<'_>, eth: &EthHeader, out: &mut Vec<u8>) -> Result<()> {
    // Neighbours speak for themselves most of the time.
    let orig = if u.ratio(1, 2)? { eth.src } else { station(u)? };
    let seqno = u32::from(u.arbitrary::<u8>()?).wrapping_add(*u.choose(&[0, 0, 0, 0x10000, 0xffff_ff80])?);
    let mut header = OgmHeader::new(orig, seqno, ttl(u)?);
    header.tq = *u.choose(&[255, 200, 100, 10, 1, 0])?;
    header.flags = *u.choose(&[0, 0, 1, 4, 5, 0xff])?;
    if orig != eth.src {
        header.prev_sender = station(u)?;
    }
    let mut tvlvs = Vec::new();
    if u.ratio(3, 4)? {
        let flags = if u.ratio(1, 16)? { u.arbitrary()? } else { tt::flags::OGM_DIFF };
        table(u, flags, &mut tvlvs)?;
        features(u, &mut tvlvs)?;
    }
    header.tvlv_len = (tvlvs.len() as u16).into();
    if u.ratio(1, 32)? {
        header.tvlv_len = u.arbitrary::<u16>()?.into();
    }
    out.extend(header.as_bytes());
    out.extend(tvlvs);
    Ok(())
}

fn ogm2(u: &mut Unstructured<'_>, eth: &EthHeader, out: &mut Vec<u8>) -> Result<()> {
    let orig = if u.ratio(1, 2)? { eth.src } else { station(u)? };
    let seqno = u32::from(u.arbitrary::<u8>()?).wrapping_add(*u.choose(&[0, 0, 0, 0x10000, 0xffff_ff80])?);
    let mut header = Ogm2Header::new(orig, seqno);
    header.ttl = ttl(u)?;
    header.throughput = u.choose(&[u32::MAX, 10_000, 100, 1, 0])?.to_owned().into();
    let mut tvlvs = Vec::new();
    if u.ratio(3, 4)? {
        table(u, tt::flags::OGM_DIFF, &mut tvlvs)?;
        features(u, &mut tvlvs)?;
    }
    header.tvlv_len = (tvlvs.len() as u16).into();
    out.extend(header.as_bytes());
    out.extend(tvlvs);
    Ok(())
}

/// Containers that say what an originator can and wants.
fn features(u: &mut Unstructured<'_>, tvlvs: &mut Vec<u8>) -> Result<()> {
    let bits: u8 = u.arbitrary()?;
    if bits & 1 != 0 {
        container(tvlvs, kind::MESHWORK, meshwork::VERSION, Meshwork::new(u.int_in_range(0..=7)?).as_bytes());
    }
    if bits & 2 != 0 {
        container(tvlvs, kind::DAT, 1, &[]);
    }
    if bits & 4 != 0 {
        let value = Gateway::new(*u.choose(&[0, 100, u32::MAX])?, 20);
        container(tvlvs, kind::GATEWAY, 1, value.as_bytes());
    }
    if bits & 8 != 0 {
        container(tvlvs, kind::MCAST, 2, &[u.arbitrary()?, 0, 0, 0]);
    }
    Ok(())
}

/// A translation table container. Its checksums are those of its own clients as often as not.
fn table(u: &mut Unstructured<'_>, flags: u8, out: &mut Vec<u8>) -> Result<()> {
    let mut changes = Vec::new();
    for _ in 0..u.int_in_range(0..=6)? {
        let flags = *u.choose(&[0, 0, 0, 1, 3, 0x10, 0x30, 0xff])?;
        changes.push(TtChange::new(client(u)?, vid(u)?, flags));
    }
    let mut vlans: Vec<(u16, u32)> = Vec::new();
    for change in &changes {
        let vid = Vid::from_wire(change.vid.get()).unwrap_or_default();
        let crc = tt::entry_crc(change.addr, vid, change.flags);
        match vlans.iter_mut().find(|(raw, _)| *raw == vid.to_wire()) {
            Some((_, sum)) => *sum ^= crc,
            None => vlans.push((vid.to_wire(), crc)),
        }
    }
    if u.ratio(1, 4)? {
        vlans.push((u.arbitrary()?, u.arbitrary()?));
    }
    let mut value = vec![flags, u.int_in_range(0..=3)?];
    value.extend((vlans.len() as u16).to_be_bytes());
    for (vid, crc) in vlans {
        value.extend(crc.to_be_bytes());
        value.extend(vid.to_be_bytes());
        value.extend([0, 0]);
    }
    // A request names no clients.
    if flags & tt::flags::REQUEST == 0 {
        value.extend(changes.as_bytes());
    }
    container(out, kind::TT, 1, &value);
    Ok(())
}

fn container(out: &mut Vec<u8>, kind: u8, version: u8, value: &[u8]) {
    let start = out.len();
    out.resize(start + 4 + value.len(), 0);
    let written = emit(&mut out[start..], kind, version, value).map(|rest| rest.len());
    assert_eq!(written, Ok(0), "values here are even");
}

/// A piece of a unicast packet, so that two of them may make a whole one.
fn fragment(u: &mut Unstructured<'_>, out: &mut Vec<u8>) -> Result<()> {
    let mut whole = UnicastHeader::new(station(u)?, u.int_in_range(0..=3)?).as_bytes().to_vec();
    whole.extend(client_frame(u)?);
    if u.ratio(1, 8)? {
        whole[0] = u.arbitrary()?;
    }
    let pieces = u.int_in_range(1..=4_usize)?;
    let no = u.int_in_range(0..=pieces - 1)?;
    let size = whole.len().div_ceil(pieces);
    // The tail has number 0.
    let end = whole.len().saturating_sub(no * size);
    let piece = &whole[end.saturating_sub(size)..end];
    let total = if u.ratio(1, 8)? { u.arbitrary()? } else { whole.len() as u16 };
    let mut header =
        FragHeader::new(station(u)?, station(u)?, u.int_in_range(0..=9)?, total, no as u8, u.int_in_range(0..=7)?);
    header.ttl = ttl(u)?;
    out.extend(header.as_bytes());
    out.extend(piece);
    Ok(())
}
