//! Client frames that do not fit the links.

use super::seeds;
use crate::channel::{Loss, MILLION, Quality};
use crate::client::Aim;
use crate::plan::Plan;
use crate::report::{Table, percent};
use crate::topology::line;
use crate::traffic::Kind;
use mesh_core::{Duration, Input};

/// Bytes of a client frame with its Ethernet header.
pub const FRAME: usize = 1514;

/// One chain of links.
#[derive(Clone, Debug)]
pub struct Case {
    /// MTU of its links.
    pub mtus: &'static [usize],
    /// Loss of every link in percent.
    pub lost: u32,
    /// Frames sent.
    pub sent: usize,
    /// Frames that arrived.
    pub arrived: usize,
    /// Frames that arrived damaged or twice.
    pub bad: usize,
    /// Fragments sent per client frame, hops together.
    pub fragments: f64,
    /// Misbehaviour on the wire.
    pub faults: Vec<String>,
}

fn run(mtus: &'static [usize], lost: u32, first: u64) -> Case {
    let mut case = Case { mtus, lost, sent: 0, arrived: 0, bad: 0, fragments: 0.0, faults: Vec::new() };
    let mut fragments = 0;
    for seed in seeds(first) {
        let mut plan = Plan::new(seed);
        plan.quality = Quality::WIRE.with_loss(Loss::percent(lost));
        let mut world = plan.wires(&line(mtus.len() + 1));
        for (i, &mtu) in mtus.iter().enumerate() {
            for node in [i, i + 1] {
                for port in world.nodes[node].ports.iter_mut().filter(|p| p.medium == i) {
                    port.config.mtu = mtu;
                }
            }
        }
        world.run_for(Duration::from_secs(20));
        let until = world.now + Duration::from_secs(4);
        let every = Duration::from_millis(20);
        let last = mtus.len();
        let flows = [(0, last), (last, 0)].map(|(a, b)| (world.flow(a, Aim::To(b), FRAME, every, until), b));
        world.run_until(until + Duration::from_secs(1));
        for (flow, to) in flows {
            let flow = &world.flows[flow];
            case.sent += flow.sent.len();
            case.arrived += flow.delivered_to(to);
            case.bad += flow.damaged as usize + flow.duplicates();
        }
        fragments += world.sent.iter().map(|t| t.frames_of(Kind::Frag)).sum::<u64>();
        case.faults.extend(world.faults);
    }
    case.fragments = fragments as f64 / case.sent.max(1) as f64;
    case
}

/// The MTU of a link drops while traffic flows: frames delivered before and after.
pub fn shrink(seed: u64) -> (usize, usize, Vec<String>) {
    let mut world = Plan::new(seed).wires(&line(3));
    world.run_for(Duration::from_secs(20));
    let every = Duration::from_millis(20);
    let count = |world: &mut crate::World| {
        let until = world.now + Duration::from_secs(2);
        let flow = world.flow(0, Aim::To(2), FRAME, every, until);
        world.run_until(until + Duration::from_secs(1));
        world.flows[flow].delivered_to(2)
    };
    let before = count(&mut world);
    for node in [1, 2] {
        for i in 0..world.nodes[node].ports.len() {
            let port = &mut world.nodes[node].ports[i];
            if port.medium == 1 {
                port.config.mtu = 700;
                let input = Input::LinkUp(mesh_core::LinkId(i as u8), port.config.clone());
                world.tell(node, input);
            }
        }
    }
    let after = count(&mut world);
    (before, after, world.faults)
}

/// All chains.
pub fn measure(first: u64) -> (Vec<Case>, Table) {
    let chains: [(&'static [usize], u32); 5] = [
        (&[1532, 1532], 0),
        (&[1500, 1500, 1500], 0),
        (&[1500, 700, 1500], 0),
        (&[1532, 700, 1532, 1500], 0),
        (&[1500, 700, 1500], 5),
    ];
    let cases: Vec<Case> = chains.map(|(mtus, lost)| run(mtus, lost, first)).into();
    let mut table = Table::new(
        "Fragments: client frames of 1514 bytes over chains of links, both ways",
        &["MTUs", "loss per link", "arrived", "damaged or twice", "fragments per frame"],
    );
    for case in &cases {
        table.row(&[
            format!("chain {}", case.mtus.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
            format!("{} %", case.lost),
            percent((case.arrived * MILLION as usize / case.sent.max(1)) as u32),
            case.bad.to_string(),
            format!("{:.2}", case.fragments),
        ]);
    }
    (cases, table)
}
