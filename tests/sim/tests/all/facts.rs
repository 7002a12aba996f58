//! What nodes tell of themselves: everybody knows who is linked to whom, at a small price.

use mesh_core::{Algorithm, Choice, Count, Duration, Publish};
use packet::tvlv::facts::byte_to_rate;
use sim::Plan;
use sim::topology::{line, port_mac};
use sim::world::World;

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// A line of five that runs for a while.
fn told(algorithm: Algorithm, publish: bool, length: Duration) -> World {
    let mut plan = Plan::new(5);
    plan.config.algorithm = Choice::Fixed(algorithm);
    let own = Publish { name: "a node on the roof".into(), version: "0.1.0".into() };
    plan.config.publish = publish.then(|| Box::new(own));
    let mut world = plan.wires(&line(5));
    world.run_for(length);
    world
}

#[test]
fn one_end_of_a_line_knows_the_links_of_the_other() {
    for algorithm in [Algorithm::Iv, Algorithm::V] {
        let world = told(algorithm, true, secs(30));
        let snapshot = world.nodes[0].live.as_ref().unwrap().mesh.snapshot(world.now);
        let far = snapshot.originators.iter().find(|o| o.addr == port_mac(3, 0)).unwrap();
        let (facts, age) = far.facts.as_ref().unwrap();
        assert!(*age < secs(30), "{algorithm:?}: {age:?}");
        assert_eq!((facts.name.as_str(), facts.version.as_str()), ("a node on the roof", "0.1.0"));
        let mut neighbors: Vec<_> = facts.neighbors.iter().map(|(mac, _)| *mac).collect();
        neighbors.sort();
        assert_eq!(neighbors, [port_mac(2, 0), port_mac(4, 0)], "{algorithm:?}");
        for (_, quality) in &facts.neighbors {
            match algorithm {
                Algorithm::Iv => assert!(*quality > 200, "{quality}"),
                Algorithm::V => assert!(byte_to_rate(*quality) >= 10, "{quality}"),
            }
        }
    }
}

#[test]
fn whoever_publishes_nothing_tells_nothing() {
    let world = told(Algorithm::Iv, false, secs(30));
    let snapshot = world.nodes[0].live.as_ref().unwrap().mesh.snapshot(world.now);
    assert!(!snapshot.originators.is_empty() && snapshot.originators.iter().all(|o| o.facts.is_none()));
}

/// "at most 5 % of the control traffic over ten minutes"
#[test]
fn facts_cost_a_twentieth_of_the_control_traffic_at_most() {
    for algorithm in [Algorithm::Iv, Algorithm::V] {
        let bytes = |publish: bool| -> u64 {
            let world = told(algorithm, publish, secs(600));
            let count = |node: &sim::node::Node| {
                node.live.as_ref().unwrap().mesh.snapshot(world.now).counters.count(Count::MgmtTxBytes)
            };
            world.nodes.iter().map(count).sum()
        };
        let (with, without) = (bytes(true), bytes(false));
        println!("{algorithm:?}: {without} bytes without, {with} with facts");
        assert!(with > without, "{algorithm:?}: {with} against {without}");
        assert!(with * 100 <= without * 105, "{algorithm:?}: {with} against {without}");
    }
}
