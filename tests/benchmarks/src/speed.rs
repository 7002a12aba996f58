//! Frames per second, TCP and CPU per frame through A - R - B: a plain bridge and Meshwork in
//! turns, the order reversed every round. Only ratios within a round mean something; the table
//! shows their medians.

use crate::cpu;
use crate::report::{Bound, Table, Verdict, median};
use crate::world::{TCP_SINK, UDP_SINK, World};
use anyhow::{Context, Result};
use std::path::Path;
use std::time::{Duration, Instant};

/// Ethernet frames measured, in bytes without checksum.
const FRAMES: [usize; 2] = [100, 1514];
/// Ethernet, IPv4 and UDP headers.
const HEADERS: usize = 14 + 20 + 8;
/// Before a window opens: the sender starts, queues fill.
const WARM_UP: Duration = Duration::from_millis(300);
/// Rate at which CPU per frame is compared, frames per second; both ways carry it.
const PACED: f64 = 20_000.0;
/// Where the search for the peak starts at first.
const FIRST_RATE: f64 = 20_000.0;
/// Steps of that search.
const RATE_STEP: f64 = 1.25;
/// The search ends when less than this share of what was offered arrives.
const SATURATED: f64 = 0.8;

/// Frames per second against the bridge: the goal (what a bare prototype in C reached with the
/// same system calls), and the floor that holds on a busy machine.
const GOAL_FRAMES: (f64, f64) = (0.43, 0.2);
/// TCP against the bridge, in the same way.
const GOAL_TCP: (f64, f64) = (0.39, 0.15);
/// What still arrives of the peak when twice of it is offered, in percent.
const GOAL_OVERLOAD: (f64, f64) = (80.0, 60.0);

/// How long to measure.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    /// Rounds of both ways each.
    pub(crate) rounds: usize,
    /// One window.
    pub(crate) window: Duration,
}

/// Frames of one size in one round.
#[derive(Debug, Clone, Copy)]
struct Frames {
    /// Delivered per second, flooded.
    flood: Sample,
    /// Most delivered per second, whatever was offered.
    peak: f64,
    /// At [`PACED`].
    paced: Sample,
    /// Only through the mesh.
    overload: Option<Overload>,
}

#[derive(Debug, Clone, Copy)]
struct Sample {
    /// Offered per second.
    offered: f64,
    /// Delivered per second.
    delivered: f64,
    /// CPU time of everything that takes part, per delivered frame (TCP: per byte), nanoseconds.
    cpu_ns: f64,
}

/// What twice the peak does.
#[derive(Debug, Clone, Copy)]
struct Overload {
    /// The peak, measured again right before: the machine may have become slower since.
    peak: f64,
    /// With twice the peak offered, or as much as the sender manages.
    pressed: Sample,
}

#[derive(Debug, Clone, Copy)]
struct Round {
    frames: [Frames; FRAMES.len()],
    tcp: Sample,
}

/// Measures, fills the table and judges. `strict` takes the bounds of the goal, otherwise
/// those that a busy machine still meets.
pub(crate) fn run(
    bench: &Path,
    meshwork: &Path,
    logs: &Path,
    effort: Effort,
    strict: bool,
    table: &mut Table,
    verdict: &mut Verdict,
) -> Result<()> {
    let bridge = World::bridge(bench)?;
    let mesh = World::mesh(bench, meshwork, logs)?;
    let mut ways = [Way::new(bench, bridge, false), Way::new(bench, mesh, true)];
    let mut rounds: Vec<[Round; 2]> = Vec::new();
    for n in 0..effort.rounds {
        let mut results = [None; 2];
        for turn in 0..2 {
            let way = (turn + n) % 2;
            eprintln!("round {} of {}: {}", n + 1, effort.rounds, ["bridge", "meshwork"][way]);
            results[way] = Some(ways[way].round(effort.window)?);
        }
        if let [Some(bridge), Some(mesh)] = results {
            rounds.push([bridge, mesh]);
        }
    }
    report(&rounds, strict, table, verdict)?;
    let [_, mesh] = &ways;
    let largest = mesh.world.nodes.iter().filter_map(|n| cpu::resident_bytes(n.pid())).max();
    let kib = largest.context("the nodes are gone")? / 1024;
    table.row(["resident KiB after the floods, largest node".into(), String::new(), kib.to_string()]);
    verdict.figure("memory.after_floods, largest of three nodes", kib as f64, "KiB", Bound::None)
}

struct Way<'a> {
    bench: &'a Path,
    world: World,
    mesh: bool,
    soft_interrupts: Vec<u32>,
    last_peak: [f64; FRAMES.len()],
}

impl<'a> Way<'a> {
    fn new(bench: &'a Path, world: World, mesh: bool) -> Self {
        let soft_interrupts = cpu::soft_interrupt_threads();
        Self { bench, world, mesh, soft_interrupts, last_peak: [0.0; FRAMES.len()] }
    }

    fn round(&mut self, window: Duration) -> Result<Round> {
        let mut frames = Vec::new();
        for n in 0..FRAMES.len() {
            frames.push(self.frames(n, window)?);
        }
        let [Ok(small), Ok(large)] = [0, 1].map(|n| frames.get(n).copied().ok_or(())) else {
            anyhow::bail!("two frame sizes are measured");
        };
        Ok(Round { frames: [small, large], tcp: self.tcp(window * 3)? })
    }

    fn frames(&mut self, n: usize, window: Duration) -> Result<Frames> {
        let payload = FRAMES[n] - HEADERS;
        let paced = self.udp(payload, PACED, window, 1)?;
        let flood = self.udp(payload, 0.0, window, 1)?;
        if !self.mesh {
            // The bridge works in the sender's own time and on its CPU: one sender cannot overload it,
            // and two may get more through than one.
            let two = self.udp(payload, 0.0, window, 2)?;
            return Ok(Frames { flood, peak: flood.delivered.max(two.delivered), paced, overload: None });
        }
        let (mut peak, mut best_rate) = (flood.delivered, 0.0);
        let mut rate = FIRST_RATE.max(self.last_peak[n] * 0.6);
        loop {
            let sample = self.udp(payload, rate, window, 1)?;
            if sample.delivered > peak {
                (peak, best_rate) = (sample.delivered, rate);
            }
            if sample.delivered < SATURATED * rate {
                break;
            }
            rate *= RATE_STEP;
        }
        self.last_peak[n] = peak;
        let again = self.udp(payload, best_rate, window * 2, 1)?;
        let pressed = self.udp(payload, 2.0 * peak, window * 2, 1)?;
        Ok(Frames { flood, peak, paced, overload: Some(Overload { peak: again.delivered, pressed }) })
    }

    /// One window of UDP; `rate` of each sender, 0 for as much as goes.
    fn udp(&mut self, payload: usize, rate: f64, window: Duration, senders: usize) -> Result<Sample> {
        let time = WARM_UP + window + Duration::from_millis(200);
        let text =
            [UDP_SINK.to_string(), payload.to_string(), (rate as u64).to_string(), time.as_secs_f64().to_string()];
        let [to, size, whole_rate, seconds] = text.each_ref().map(String::as_str);
        let args = ["udp-send", to, size, whole_rate, seconds];
        let started: Vec<_> = (0..senders).map(|_| self.world.sender(self.bench, &args)).collect::<Result<_>>()?;
        let mut processes = self.processes();
        processes.extend(started.iter().map(|s| s.pid()));
        std::thread::sleep(WARM_UP);
        let (count, cpu, start) = (self.world.udp.count()?, self.run_time(&processes), Instant::now());
        std::thread::sleep(window);
        let (count, cpu) = (self.world.udp.count()? - count, self.run_time(&processes) - cpu);
        let took = start.elapsed().as_secs_f64();
        let mut sent = 0;
        for sender in started {
            sent += sender.result()?;
        }
        let sample = Sample {
            offered: sent as f64 / time.as_secs_f64(),
            delivered: count as f64 / took,
            cpu_ns: cpu as f64 / count as f64,
        };
        eprintln!(
            "  {payload} bytes of payload: {:.0}/s offered, {:.0}/s delivered, {:.1} us of CPU each",
            sample.offered,
            sample.delivered,
            sample.cpu_ns / 1e3
        );
        Ok(sample)
    }

    fn tcp(&mut self, window: Duration) -> Result<Sample> {
        let time = WARM_UP * 2 + window + Duration::from_millis(200);
        let sender =
            self.world.sender(self.bench, &["tcp-send", &TCP_SINK.to_string(), &time.as_secs_f64().to_string()])?;
        let mut processes = self.processes();
        processes.push(sender.pid());
        std::thread::sleep(WARM_UP * 2);
        let (count, cpu, start) = (self.world.tcp.count()?, self.run_time(&processes), Instant::now());
        std::thread::sleep(window);
        let (count, cpu) = (self.world.tcp.count()? - count, self.run_time(&processes) - cpu);
        let delivered = count as f64 / start.elapsed().as_secs_f64();
        sender.result()?;
        Ok(Sample { offered: delivered, delivered, cpu_ns: cpu as f64 / count as f64 })
    }

    fn processes(&self) -> Vec<u32> {
        let world = &self.world;
        [world.udp.pid(), world.tcp.pid()].into_iter().chain(world.nodes.iter().map(|n| n.pid())).collect()
    }

    fn run_time(&self, processes: &[u32]) -> u64 {
        cpu::run_time_ns(processes, &self.soft_interrupts)
    }
}

fn report(rounds: &[[Round; 2]], strict: bool, table: &mut Table, verdict: &mut Verdict) -> Result<()> {
    let mut line = |name: String, unit: f64, bound: Bound, pick: &dyn Fn(&Round) -> f64| -> f64 {
        let [bridge, mesh] = [0, 1].map(|way| median(rounds.iter().map(|r| pick(&r[way]))));
        let ratios: Vec<f64> = rounds.iter().map(|[bridge, mesh]| pick(mesh) / pick(bridge)).collect();
        let each: Vec<String> = ratios.iter().map(|r| format!("{r:.2}")).collect();
        let ratio = median(ratios);
        table.row([
            name,
            format!("{:.1}", bridge / unit),
            format!("{:.1}", mesh / unit),
            format!("{ratio:.2}"),
            bound.to_string(),
            each.join(" "),
        ]);
        ratio
    };
    let least = |goal, floor| Bound::Least(if strict { goal } else { floor });
    for (n, size) in FRAMES.iter().enumerate() {
        let bound = least(GOAL_FRAMES.0, GOAL_FRAMES.1);
        let ratio = line(format!("{size}-byte frames, peak, 1000/s"), 1e3, bound, &|r| r.frames[n].peak);
        verdict.figure(&format!("speed.frames, {size} bytes, ratio to a bridge"), ratio, "ratio", bound)?;
        let no = Bound::None;
        line(format!("{size}-byte frames, flood, 1000/s"), 1e3, no, &|r| r.frames[n].flood.delivered);
        line(format!("{size}-byte frames, {PACED}/s, CPU us/frame"), 1e3, no, &|r| r.frames[n].paced.cpu_ns);
        line(format!("{size}-byte frames, flood, CPU us/frame"), 1e3, no, &|r| r.frames[n].flood.cpu_ns);
    }
    let bound = least(GOAL_TCP.0, GOAL_TCP.1);
    let ratio = line("TCP, Mbit/s".into(), 1e6 / 8.0, bound, &|r| r.tcp.delivered);
    verdict.figure("speed.tcp, ratio to a bridge", ratio, "ratio", bound)?;
    line("TCP, CPU ns/byte".into(), 1.0, Bound::None, &|r| r.tcp.cpu_ns);
    for (n, size) in FRAMES.iter().enumerate() {
        let overloads: Vec<Overload> = rounds.iter().filter_map(|[_, mesh]| mesh.frames[n].overload).collect();
        let each: Vec<f64> = overloads.iter().map(|o| 100.0 * o.pressed.delivered / o.peak).collect();
        let pressed = median(overloads.iter().map(|o| o.pressed.offered / o.peak));
        let kept = median(each.iter().copied());
        let bound = least(GOAL_OVERLOAD.0, GOAL_OVERLOAD.1);
        table.row([
            format!("{size}-byte frames, {pressed:.1} times the peak offered, % of peak"),
            String::new(),
            format!("{kept:.0}"),
            String::new(),
            bound.to_string(),
            each.iter().map(|k| format!("{k:.0}")).collect::<Vec<_>>().join(" "),
        ]);
        verdict.figure(&format!("speed.offered, {size} bytes"), pressed, "times the peak", Bound::None)?;
        verdict.figure(&format!("speed.overload, {size} bytes"), kept, "% of peak", bound)?;
    }
    Ok(())
}
