//! Namespaces A - R - B on this machine, once with a bridge at R and once with a node at each.
//!
//! Everything lives in the mount namespace that `tests/bench` makes, so that nothing is left
//! behind, however the run ends.

use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// MTU of the cables: room for the mesh header around a full client frame.
const CABLE_MTU: u32 = 1560;
/// MTU of what clients use, with or without mesh.
const CLIENT_MTU: u32 = 1500;
/// Sinks at B.
pub(crate) const UDP_SINK: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 77, 0, 2), 7001);
/// See [`UDP_SINK`].
pub(crate) const TCP_SINK: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 77, 0, 2), 7002);
/// How long a new mesh may take until A reaches B.
const MESH_LIMIT: Duration = Duration::from_secs(30);

/// A network namespace; gone when dropped.
#[derive(Debug)]
pub(crate) struct Namespace {
    name: String,
}

impl Namespace {
    /// Makes one; `name` must be free. No IPv6 in it: its own chatter would be measured along.
    pub(crate) fn new(name: &str) -> Result<Self> {
        ip(&["netns", "add", name])?;
        let this = Self { name: name.into() };
        this.ip(&["link", "set", "lo", "up"])?;
        this.run("sh", &["-c", "for f in all default; do echo 1 > /proc/sys/net/ipv6/conf/$f/disable_ipv6; done"])?;
        Ok(this)
    }

    /// Runs `ip` in it.
    pub(crate) fn ip(&self, args: &[&str]) -> Result<()> {
        ip(&[&["-n", &self.name], args].concat())
    }

    /// Runs a program in it to its end; its output.
    pub(crate) fn run(&self, program: &str, args: &[&str]) -> Result<String> {
        ip_output(&[&["netns", "exec", &self.name, program], args].concat())
    }

    /// Starts a program in it that ends with this one. It has a `/run` of its own, so that many
    /// nodes fit on one machine.
    pub(crate) fn spawn(&self, program: &Path, args: &[&str], log: Stdio) -> Result<Process> {
        let child = Command::new("ip")
            .args(["netns", "exec", &self.name, "setpriv", "--pdeathsig", "KILL", "sh", "-c"])
            .arg("mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /var/lib && exec \"$@\"")
            .arg("sh")
            .arg(program)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .with_context(|| format!("start {}", program.display()))?;
        Process::new(child)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // Best effort: it ends with the mount namespace anyway.
        let _ = ip(&["netns", "del", &self.name]);
    }
}

/// A running program; killed when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Process {
    fn new(mut child: Child) -> Result<Self> {
        let input = child.stdin.take().context("no standard input")?;
        let output = BufReader::new(child.stdout.take().context("no standard output")?);
        Ok(Self { child, input, output })
    }

    /// Its process id, the program's own.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks a sink for its count.
    pub(crate) fn count(&mut self) -> Result<u64> {
        self.input.write_all(b"\n")?;
        self.line()
    }

    /// Waits for the one number that a sender prints at its end.
    pub(crate) fn result(mut self) -> Result<u64> {
        let sent = self.line()?;
        self.child.wait()?;
        Ok(sent)
    }

    /// True while it runs.
    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    fn line(&mut self) -> Result<u64> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        line.trim().parse().with_context(|| format!("expected a number, got {line:?}"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A way from A to B that can be measured.
#[derive(Debug)]
pub(crate) struct World {
    /// Sinks at B.
    pub(crate) udp: Process,
    /// See [`World::udp`].
    pub(crate) tcp: Process,
    /// Nodes in between, if any.
    pub(crate) nodes: Vec<Process>,
    ends: [Namespace; 2],
    _middle: Namespace,
}

impl World {
    /// A and B joined by a bridge at R.
    pub(crate) fn bridge(bench: &Path) -> Result<Self> {
        let [a, r, b] = chain("bridge")?;
        r.ip(&["link", "add", "br0", "mtu", &CABLE_MTU.to_string(), "type", "bridge"])?;
        for port in ["r0", "r1"] {
            r.ip(&["link", "set", port, "master", "br0"])?;
        }
        r.ip(&["link", "set", "br0", "up"])?;
        address(&a, "a0", 1)?;
        address(&b, "b0", 2)?;
        Self::finish(bench, [a, r, b], Vec::new())
    }

    /// A, R and B each run a node; A and B use their mesh interfaces.
    pub(crate) fn mesh(bench: &Path, meshwork: &Path, logs: &Path) -> Result<Self> {
        let spaces = chain("mesh")?;
        let mut nodes = Vec::new();
        for (space, name, links) in [(0, "a", vec!["a0"]), (1, "r", vec!["r0", "r1"]), (2, "b", vec!["b0"])] {
            nodes.push(node(&spaces[space], meshwork, &links, &logs.join(format!("node-{name}.log")))?);
        }
        let [a, r, b] = spaces;
        for (space, process) in [&a, &r, &b].into_iter().zip(&mut nodes) {
            wait_for_interface(space, process, "mesh0")?;
        }
        address(&a, "mesh0", 1)?;
        address(&b, "mesh0", 2)?;
        Self::finish(bench, [a, r, b], nodes)
    }

    /// Starts a sender at A.
    pub(crate) fn sender(&self, bench: &Path, args: &[&str]) -> Result<Process> {
        self.ends[0].spawn(bench, args, Stdio::inherit())
    }

    fn finish(bench: &Path, [a, r, b]: [Namespace; 3], nodes: Vec<Process>) -> Result<Self> {
        let udp = b.spawn(bench, &["udp-sink", &UDP_SINK.to_string()], Stdio::inherit())?;
        let tcp = b.spawn(bench, &["tcp-sink", &TCP_SINK.to_string()], Stdio::inherit())?;
        let mut world = Self { udp, tcp, nodes, ends: [a, b], _middle: r };
        let start = Instant::now();
        loop {
            world.sender(bench, &["udp-send", &UDP_SINK.to_string(), "58", "100", "0.3"])?.result()?;
            if world.udp.count()? > 0 && world.tcp.count()? == 0 {
                return Ok(world);
            }
            ensure!(start.elapsed() < MESH_LIMIT, "A does not reach B after {} s", MESH_LIMIT.as_secs());
        }
    }
}

/// Starts a node on `links`, with default settings.
pub(crate) fn node(space: &Namespace, meshwork: &Path, links: &[&str], log: &Path) -> Result<Process> {
    // One algorithm, so that figures of different days can be compared.
    let mut args = vec!["run", "--algorithm", "IV"];
    for link in links {
        args.extend(["-i", link]);
    }
    let log = fs::File::create(log).with_context(|| format!("create {}", log.display()))?;
    space.spawn(meshwork, &args, log.into())
}

/// Waits until a node has made its interface.
pub(crate) fn wait_for_interface(space: &Namespace, process: &mut Process, name: &str) -> Result<()> {
    let start = Instant::now();
    while space.ip(&["link", "show", name]).is_err() {
        ensure!(process.is_running(), "the node ended; see its log");
        ensure!(start.elapsed() < MESH_LIMIT, "no {name} after {} s", MESH_LIMIT.as_secs());
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// A cable between two namespaces, both ends up, without offloads: a network card cannot segment
/// or checksum what is inside a mesh packet.
pub(crate) fn cable(one: (&Namespace, &str), other: (&Namespace, &str)) -> Result<()> {
    one.0.ip(&["link", "add", one.1, "type", "veth", "peer", "name", other.1, "netns", &other.0.name])?;
    for (space, name) in [one, other] {
        space.run("ethtool", &["-K", name, "tso", "off", "tx", "off"])?;
        space.ip(&["link", "set", name, "mtu", &CABLE_MTU.to_string(), "up"])?;
    }
    Ok(())
}

fn chain(name: &str) -> Result<[Namespace; 3]> {
    let [a, r, b] = ["a", "r", "b"].map(|part| Namespace::new(&format!("{name}-{part}")));
    let (a, r, b) = (a?, r?, b?);
    cable((&a, "a0"), (&r, "r0"))?;
    cable((&r, "r1"), (&b, "b0"))?;
    Ok([a, r, b])
}

fn address(space: &Namespace, interface: &str, host: u8) -> Result<()> {
    space.ip(&["link", "set", interface, "mtu", &CLIENT_MTU.to_string(), "up"])?;
    space.ip(&["address", "add", &format!("10.77.0.{host}/24"), "dev", interface])
}

fn ip(args: &[&str]) -> Result<()> {
    ip_output(args).map(drop)
}

fn ip_output(args: &[&str]) -> Result<String> {
    let output = Command::new("ip").args(args).stdin(Stdio::null()).output().context("start ip")?;
    if !output.status.success() {
        bail!("ip {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
