//! A Wi-Fi domain: broadcasts go three times over shared air, hosts see them once.

use super::seeds;
use crate::channel::{Loss, MILLION, Quality};
use crate::client::Aim;
use crate::medium::Air;
use crate::plan::Plan;
use crate::report::{Table, percent};
use crate::topology::{Graph, line};
use crate::traffic::Kind;
use mesh_core::Duration;

/// One domain.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its shape.
    pub name: &'static str,
    /// Loss of every link in percent.
    pub lost: u32,
    /// Broadcast frames on the air per frame sent by a client and node.
    pub copies: f64,
    /// Share of broadcasts in millionths that arrived at a client.
    pub delivered: u32,
    /// Broadcasts that arrived twice.
    pub duplicates: usize,
    /// Share of echoes in millionths that came back.
    pub echoed: u32,
    /// Misbehaviour on the wire.
    pub faults: Vec<String>,
}

/// All nodes hear each other.
pub fn clique(n: usize) -> Graph {
    Graph { n, edges: (0..n).flat_map(|a| (a + 1..n).map(move |b| (a, b))).collect() }
}

/// All cases.
pub fn measure(first: u64) -> (Vec<Case>, Table) {
    let shapes = [
        ("6 in reach of each other", clique(6), 0),
        ("6 in reach of each other", clique(6), 20),
        ("chain of 5", line(5), 0),
        ("chain of 5", line(5), 10),
    ];
    let mut cases = Vec::new();
    for (name, graph, lost) in shapes {
        let mut case = Case { name, lost, copies: 0.0, delivered: 0, duplicates: 0, echoed: 0, faults: Vec::new() };
        let (mut expected, mut arrived, mut asked, mut answered) = (0_usize, 0, 0_usize, 0);
        let (mut frames, mut sent) = (0, 0);
        for seed in seeds(first) {
            let mut plan = Plan::new(seed);
            plan.quality = Quality { delay: Duration::from_micros(1), ..Quality::WIRE }.with_loss(Loss::percent(lost));
            let mut world = plan.radio(&graph, Air::default());
            world.run_for(Duration::from_secs(30));
            let before: u64 = world.sent.iter().map(|t| t.frames_of(Kind::Bcast)).sum();
            let until = world.now + Duration::from_secs(30);
            let every = Duration::from_millis(200);
            let last = graph.n - 1;
            let first_flood = world.flow(0, Aim::All, 150, every, until);
            // Not in step with each other, else the relays in the middle of a chain never hear either.
            world.run_for(every / 2);
            let floods = [first_flood, world.flow(last, Aim::All, 150, every, until)];
            let echo = world.flow(0, Aim::Ask(last), 98, every, until);
            world.run_until(until + Duration::from_secs(2));
            frames += world.sent.iter().map(|t| t.frames_of(Kind::Bcast)).sum::<u64>() - before;
            for flood in floods {
                let flow = &world.flows[flood];
                sent += flow.sent.len();
                expected += flow.sent.len() * last;
                arrived += (0..graph.n).map(|c| flow.delivered_to(c)).sum::<usize>();
                case.duplicates += flow.duplicates();
            }
            asked += world.flows[echo].sent.len();
            answered += world.flows[echo].delivered_to(0);
            case.faults.extend(world.faults);
        }
        case.copies = frames as f64 / (sent * graph.n) as f64;
        case.delivered = (arrived * MILLION as usize / expected) as u32;
        case.echoed = (answered * MILLION as usize / asked) as u32;
        cases.push(case);
    }
    let mut table = Table::new(
        "Radio: shared half-duplex air, broadcasts three times per node",
        &[
            "shape",
            "loss per link",
            "copies per node",
            "broadcasts delivered",
            "duplicates at hosts",
            "echoes answered",
        ],
    );
    table.note("Two clients flood 5 frames per second each for 30 s, one asks echoes across; 5 seeds.");
    for case in &cases {
        table.row(&[
            case.name.to_owned(),
            format!("{} %", case.lost),
            format!("{:.2}", case.copies),
            percent(case.delivered),
            case.duplicates.to_string(),
            percent(case.echoed),
        ]);
    }
    (cases, table)
}
