//! Somebody sends valid OGMs of originators that do not exist.

use crate::client::Aim;
use crate::oracle::Fate;
use crate::plan::Plan;
use crate::report::{Table, percent};
use crate::topology::{grid, port_mac};
use crate::traffic::Kind;
use mesh_core::rng::Rng;
use mesh_core::{Duration, LinkId};
use packet::MacAddr;
use packet::consts::{ETHERTYPE, TQ_MAX};
use packet::ogm::{DIRECTLINK, OgmHeader};
use zerocopy::IntoBytes;

/// Originators invented.
pub const INVENTED: usize = 100_000;
const PER_FRAME: usize = 20;

/// How the flood looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// A real neighbour relays OGMs of originators behind it.
    Relayed,
    /// Every originator claims to be a neighbour.
    Neighbours,
}

/// What was left of a 3x3 grid whose middle node was flooded.
#[derive(Clone, Debug)]
pub struct Case {
    /// How the flood looked.
    pub style: Style,
    /// Most originators held by the flooded node.
    pub originators: usize,
    /// Its cap.
    pub cap: usize,
    /// Most neighbours held.
    pub neighbors: usize,
    /// Its cap.
    pub neighbor_cap: usize,
    /// Real originators that it lost at any time.
    pub lost: usize,
    /// Share of echoes in millionths that came back through it during the flood.
    pub echoed: u32,
    /// Bytes of OGMs that it sent per second during the flood.
    pub bytes_per_second: u64,
    /// Misbehaviour on the wire.
    pub faults: Vec<String>,
}

fn address(n: usize) -> MacAddr {
    let [a, b, c, d] = (n as u32).to_be_bytes();
    MacAddr([0x06, 0x66, a, b, c, d])
}

fn frame(src: MacAddr, ogms: &[OgmHeader]) -> Vec<u8> {
    let mut bytes = [&MacAddr::BROADCAST.0[..], &src.0, &ETHERTYPE.to_be_bytes()].concat();
    for ogm in ogms {
        bytes.extend(ogm.as_bytes());
    }
    bytes
}

/// Floods the middle node over 20 s.
pub fn run(style: Style, seed: u64) -> Case {
    let mut plan = Plan::new(seed);
    plan.config.caps.originators = 512;
    plan.config.caps.neighbors = 64;
    let caps = plan.config.caps;
    let mut world = plan.ether(&grid(3, 3));
    world.run_for(Duration::from_secs(30));
    let mut rng = Rng::new(seed);
    let seconds = 20;
    let steps = seconds * 100;
    let until = world.now + Duration::from_secs(seconds as u64);
    let echoes =
        [(1, 7), (3, 5), (4, 0)].map(|(a, b)| world.flow(a, Aim::Ask(b), 98, Duration::from_millis(100), until));
    let before = world.sent[4];
    let mut case = Case {
        style,
        originators: 0,
        cap: caps.originators,
        neighbors: 0,
        neighbor_cap: caps.neighbors,
        lost: 0,
        echoed: 0,
        bytes_per_second: 0,
        faults: Vec::new(),
    };
    let mut invented = 0;
    for step in 0..steps {
        while invented < INVENTED * (step + 1) / steps {
            let ogms: Vec<OgmHeader> = (0..PER_FRAME)
                .map(|i| {
                    let orig = address(invented + i);
                    let mut ogm = OgmHeader::new(orig, rng.next_u32(), 49);
                    ogm.tq = TQ_MAX;
                    ogm.prev_sender = address(invented + i + 7);
                    ogm
                })
                .collect();
            match style {
                Style::Relayed => world.inject(4, LinkId(0), &frame(port_mac(1, 0), &ogms)),
                Style::Neighbours => {
                    let newest = world.nodes[4]
                        .live
                        .as_ref()
                        .and_then(|l| l.mesh.snapshot(world.now).links.first().map(|l| l.seqno.wrapping_sub(1)))
                        .unwrap_or(0);
                    for ogm in &ogms {
                        let own = OgmHeader::new(ogm.orig, ogm.seqno.get(), 50);
                        // The answer that makes the link look as if it worked both ways.
                        let mut echo = OgmHeader::new(port_mac(4, 0), newest, 49);
                        (echo.flags, echo.prev_sender) = (DIRECTLINK, port_mac(4, 0));
                        world.inject(4, LinkId(0), &frame(ogm.orig, &[own, echo]));
                    }
                }
            }
            invented += PER_FRAME;
        }
        world.run_for(Duration::from_millis(10));
        if step % 20 == 19 {
            let Some(live) = &world.nodes[4].live else { continue };
            let view = live.mesh.snapshot(world.now);
            case.originators = case.originators.max(view.originators.len());
            case.neighbors = case.neighbors.max(view.neighbors.len());
            let lost = (0..9).filter(|b| *b != 4 && !matches!(world.follow(4, *b), Fate::Arrives(_))).count();
            case.lost = case.lost.max(lost);
        }
    }
    world.run_until(until + Duration::from_secs(1));
    let (asked, answered) = echoes.iter().fold((0, 0), |(a, b), f| {
        let flow = &world.flows[*f];
        (a + flow.sent.len(), b + flow.delivered_to(flow.from))
    });
    case.echoed = (answered * 1_000_000 / asked) as u32;
    case.bytes_per_second = world.sent[4].since(&before).bytes_of(Kind::Ogm) / seconds as u64;
    case.faults = world.faults;
    case
}

/// Both styles.
pub fn measure(first: u64) -> (Vec<Case>, Table) {
    let cases: Vec<Case> = [Style::Relayed, Style::Neighbours].map(|style| run(style, first)).into();
    let mut table = Table::new(
        "Flood: 100 000 invented originators in 20 s at the middle of a 3x3 grid",
        &[
            "they come as",
            "originators held",
            "cap",
            "neighbours held",
            "cap",
            "real ones lost",
            "echoes answered",
            "OGM B/s sent",
        ],
    );
    for case in &cases {
        table.row(&[
            match case.style {
                Style::Relayed => "relayed by a neighbour",
                Style::Neighbours => "neighbours",
            }
            .to_owned(),
            case.originators.to_string(),
            case.cap.to_string(),
            case.neighbors.to_string(),
            case.neighbor_cap.to_string(),
            case.lost.to_string(),
            percent(case.echoed),
            case.bytes_per_second.to_string(),
        ]);
    }
    (cases, table)
}
