//! What the queue in front of a hard interface costs: processor time per frame that passes it, beside what the node
//! spends to forward one, and memory.
//!
//! A frame meets the queue only where the line does not take all. So the dearest case is measured: every frame is
//! looked at, waits, and is chosen among a thousand flows of fifty originators.

use crate::cpu;
use crate::report::{Bound, Table, Verdict, median};
use crate::world::{UDP_SINK, World};
use anyhow::{Context, Result, ensure};
use mesh_core::fib::{ClientAt, FibChange};
use mesh_core::queue::{Queue, Tag};
use mesh_core::{Duration as Span, Fib, Frame, Instant as Moment};
use packet::consts::ETHERTYPE;
use packet::eth::EthHeader;
use packet::unicast::UnicastHeader;
use packet::{MacAddr, Vid};
use std::path::Path;
use std::time::Duration;
use zerocopy::IntoBytes;

/// Flows that wait at once, and originators they come from.
const FLOWS: usize = 1000;
const ORIGINATORS: usize = 50;
/// Length of a frame, in bytes.
const LEN: usize = 118;
/// Frames of one round.
const FRAMES: usize = 1_000_000;
/// Most of the cost of forwarding, in percent.
const GOAL_CPU: f64 = 15.0;
/// Most memory at [`FLOWS`], in KiB.
const GOAL_MEMORY: f64 = 1024.0;
/// Queues that are made to see what one takes.
const QUEUES: usize = 20;

fn mac(kind: u8, n: usize) -> MacAddr {
    let [.., a, b] = n.to_be_bytes();
    MacAddr([2, kind, 0, 0, a, b])
}

/// What a node knows that carries for [`ORIGINATORS`], each with a client.
fn fib() -> Fib {
    let mut fib = Fib::new(1);
    fib.apply(&FibChange::Own { orig: mac(1, 0), ttvn: 0 });
    for n in 0..ORIGINATORS {
        let orig = mac(2, n);
        fib.apply(&FibChange::Originator { orig, ttvn: 0 });
        let at = Some(ClientAt { orig, roaming: false });
        fib.apply(&FibChange::Client { addr: mac(3, n), vid: Vid::UNTAGGED, at });
    }
    fib
}

/// A frame of a flow that this node carries: a UDP packet in IPv4 of a client of one of the originators.
fn relayed(flow: usize) -> Vec<u8> {
    let eth = EthHeader { dst: mac(4, flow % 3), src: mac(1, 0), ethertype: ETHERTYPE.into() };
    let head = UnicastHeader::new(mac(5, 0), 0);
    let inner = EthHeader { dst: mac(6, 0), src: mac(3, flow % ORIGINATORS), ethertype: 0x0800.into() };
    let mut bytes = [eth.as_bytes(), head.as_bytes(), inner.as_bytes()].concat();
    let at = bytes.len();
    bytes.resize(LEN, 0);
    let [.., high, low] = flow.to_be_bytes();
    for (place, byte) in [(0, 0x45), (9, 17), (15, 1), (19, 2), (20, high), (21, low), (23, 53)] {
        if let Some(b) = bytes.get_mut(at + place) {
            *b = byte;
        }
    }
    bytes
}

fn own_ns() -> u64 {
    cpu::run_time_ns(&[std::process::id()], &[])
}

/// Nanoseconds of processor time per frame: looked at, queued and chosen, less what it takes to hand it from one place
/// to another without a queue.
fn queue_ns(fib: &Fib) -> Result<f64> {
    let mut queue = Queue::new(7, FLOWS);
    let mut pool: Vec<Frame> = (0..FLOWS).map(|n| Frame::copy_of(&relayed(n))).collect();
    let mut spare: Vec<Frame> = Vec::with_capacity(FLOWS);
    let mut plain = std::collections::VecDeque::with_capacity(FLOWS);
    let mut now = Moment::from_micros(1_000_000);
    for frame in pool.drain(..) {
        let tag = Tag::of(&frame, fib);
        queue.push(frame, tag, now, |old| spare.push(old));
    }
    ensure!(queue.len() == FLOWS, "{} of {FLOWS} flows wait", queue.len());
    let mut passed = 0;
    let began = own_ns();
    for _ in 0..FRAMES {
        // Never so long that frames are late.
        now += Span::from_micros(2);
        let Some((frame, _)) = queue.pop(now, |old| spare.push(old)) else { break };
        passed += 1;
        let tag = Tag::of(&frame, fib);
        queue.push(frame, tag, now, |old| spare.push(old));
    }
    let with = own_ns() - began;
    ensure!(passed == FRAMES && spare.is_empty(), "{passed} passed, {} were dropped", spare.len());
    plain.extend((0..FLOWS).map(|n| Frame::copy_of(&relayed(n))));
    let began = own_ns();
    for _ in 0..FRAMES {
        let Some(frame) = plain.pop_front() else { break };
        plain.push_back(std::hint::black_box(frame));
    }
    let without = own_ns() - began;
    Ok(with.saturating_sub(without) as f64 / FRAMES as f64)
}

/// KiB that a queue with [`FLOWS`] flows takes beside the frames in it.
fn queue_kib(fib: &Fib) -> Result<f64> {
    let frames: Vec<Vec<Frame>> =
        (0..QUEUES).map(|_| (0..FLOWS).map(|n| Frame::copy_of(&relayed(n))).collect()).collect();
    let resident = || cpu::resident_bytes(std::process::id()).context("no /proc/self/status");
    let before = resident()?;
    let mut queues = Vec::with_capacity(QUEUES);
    for (seed, frames) in frames.into_iter().enumerate() {
        let mut queue = Queue::new(seed as u64, FLOWS);
        for frame in frames {
            let tag = Tag::of(&frame, fib);
            queue.push(frame, tag, Moment::from_micros(1), drop);
        }
        ensure!(queue.len() == FLOWS, "{} of {FLOWS} flows wait", queue.len());
        queues.push(queue);
    }
    let more = resident()?.saturating_sub(before);
    Ok(more as f64 / 1024.0 / std::hint::black_box(queues).len() as f64)
}

/// Nanoseconds of processor time that the node in the middle spends per forwarded frame, flooded: the cheapest case,
/// as frames come in batches then.
fn forward_ns(bench: &Path, world: &mut World, window: Duration) -> Result<f64> {
    let payload = (LEN - 42).to_string();
    let time = (window + Duration::from_millis(600)).as_secs_f64().to_string();
    let sender = world.sender(bench, &["udp-send", &UDP_SINK.to_string(), &payload, "0", &time])?;
    let middle = world.nodes.get(1).context("a mesh of three has a middle")?.pid();
    std::thread::sleep(Duration::from_millis(300));
    let (count, cpu) = (world.udp.count()?, cpu::run_time_ns(&[middle], &[]));
    std::thread::sleep(window);
    let (count, cpu) = (world.udp.count()? - count, cpu::run_time_ns(&[middle], &[]) - cpu);
    sender.result()?;
    ensure!(count > 0, "nothing was forwarded");
    Ok(cpu as f64 / count as f64)
}

/// Measures, fills the table and judges.
///
/// # Errors
/// The mesh does not come up, or the queue does not do what is measured.
pub(crate) fn run(
    bench: &Path,
    meshwork: &Path,
    logs: &Path,
    rounds: usize,
    table: &mut Table,
    verdict: &mut Verdict,
) -> Result<()> {
    let fib = fib();
    let kib = queue_kib(&fib)?;
    let mut world = World::mesh(bench, meshwork, logs)?;
    let mut each = Vec::new();
    for n in 0..rounds {
        eprintln!("round {} of {rounds}: scheduler", n + 1);
        each.push((queue_ns(&fib)?, forward_ns(bench, &mut world, Duration::from_secs(1))?));
    }
    let ratios: Vec<f64> = each.iter().map(|(queue, forward)| 100.0 * queue / forward).collect();
    let cells = |name: &str, value: f64, bound: Bound, each: String| {
        [name.into(), String::new(), format!("{value:.0}"), String::new(), bound.to_string(), each]
    };
    let share = median(ratios.iter().copied());
    table.row(cells("forwarding, CPU ns/frame", median(each.iter().map(|e| e.1)), Bound::None, String::new()));
    table.row(cells("queue, CPU ns/frame", median(each.iter().map(|e| e.0)), Bound::None, String::new()));
    let text: Vec<String> = ratios.iter().map(|r| format!("{r:.0}")).collect();
    table.row(cells("queue, % of forwarding", share, Bound::Most(GOAL_CPU), text.join(" ")));
    table.row(cells("queue of 1000 flows, KiB", kib, Bound::Most(GOAL_MEMORY), String::new()));
    verdict.figure("scheduler.cpu, of forwarding", share, "%", Bound::Most(GOAL_CPU))?;
    verdict.figure("scheduler.memory, 1000 flows", kib, "KiB", Bound::Most(GOAL_MEMORY))
}
