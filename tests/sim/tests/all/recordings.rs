//! Recordings of single nodes play again with equal outputs.

use mesh_core::Duration;
use sim::Plan;
use sim::channel::{Loss, Quality};
use sim::client::Aim;
use sim::record::Recorder;
use sim::topology::{line, ring};
use sim::world::World;
use std::path::{Path, PathBuf};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance").join(name)
}

fn recorded(world: &World, node: usize) -> Recorder {
    world.nodes[node].live.as_ref().unwrap().recorder.clone().unwrap()
}

/// A relay in a ring of four whose neighbour vanishes silently: OGMs, tables, a change of route.
fn ring_cut() -> Recorder {
    let mut world = Plan::new(11).wires(&ring(4));
    world.nodes[0].record = true;
    world.run_for(Duration::from_secs(8));
    world.flow(0, Aim::Ask(1), 98, Duration::from_secs(1), world.now + Duration::from_secs(8));
    world.cut(0, 1);
    world.run_for(Duration::from_secs(10));
    recorded(&world, 0)
}

/// The middle of a lossy chain while a client roams past it and long frames are cut in pieces.
fn roam_fragments() -> Recorder {
    let mut plan = Plan::new(12);
    plan.mtu = 900;
    plan.quality = Quality::WIRE.with_loss(Loss::percent(2));
    let mut world = plan.ether(&line(3));
    world.nodes[1].record = true;
    let walker = world.add_client(0, packet::Vid::UNTAGGED);
    world.run_for(Duration::from_secs(6));
    let until = world.now + Duration::from_secs(9);
    world.flow(walker, Aim::Ask(1), 1400, Duration::from_millis(500), until);
    for node in [2, 1, 0] {
        world.run_for(Duration::from_secs(3));
        world.move_client(walker, node);
    }
    world.run_for(Duration::from_secs(3));
    recorded(&world, 1)
}

type Maker = fn() -> Recorder;
const ALL: [(&str, Maker); 2] = [("ring-cut", ring_cut), ("roam-fragments", roam_fragments)];

#[test]
fn committed_recordings_play_again() {
    for (name, make) in ALL {
        if std::env::var_os("SIM_ACCEPT").is_some() {
            make().save(&folder(name), 1).unwrap();
        }
        let recording = Recorder::load(&folder(name), 1).unwrap();
        let (inputs, outputs) = recording.len();
        assert!(inputs > 50 && outputs > 50, "{name}: {inputs} inputs, {outputs} outputs");
        if let Err(why) = recording.replay() {
            panic!("{name}: {why}\nif the change is meant, record anew with SIM_ACCEPT=1");
        }
    }
}

#[test]
fn a_recording_survives_its_files_and_notices_a_change() {
    let recording = ring_cut();
    recording.replay().unwrap();
    let dir = std::env::temp_dir().join(format!("meshwork-recording-{}", std::process::id()));
    recording.save(&dir, 2).unwrap();
    let loaded = Recorder::load(&dir, 2).unwrap();
    assert_eq!(loaded.len(), recording.len());
    loaded.replay().unwrap();

    let path = dir.join("02-input.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    let fewer: String = text.lines().enumerate().filter(|(i, _)| *i != 40).flat_map(|(_, l)| [l, "\n"]).collect();
    std::fs::write(&path, fewer).unwrap();
    assert!(Recorder::load(&dir, 2).unwrap().replay().is_err(), "an input is missing");
    std::fs::remove_dir_all(&dir).unwrap();
}
