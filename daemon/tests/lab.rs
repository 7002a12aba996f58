//! The lab as people run it: the built binary, real namespaces, real daemons.
//!
//! Needs root, or a system that lets an ordinary user make user namespaces and open /dev/net/tun.
//! Where neither holds, the tests check that the lab says what is missing.

#![cfg(feature = "lab")]

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

#[test]
fn a_timed_lab_ends_with_a_summary_and_zero_when_all_clients_reached_each_other() {
    let _turn = turn();
    let dir = Folder::new("timed");
    let output = lab(&dir.0, &["--for", "20s", "--json", "--seed", "5"]).output().expect("the binary is built");
    let Some(report) = report_of(&output) else { return };
    assert!(output.status.success(), "{output:?}");
    assert_eq!(report["all_reachable"], true);
    assert_eq!(report["seed"], 5);
    assert_eq!(list(&report, "nodes").len(), 6);
    assert_eq!(list(&report, "links").len(), 7);
    let pairs = list(&report, "pairs");
    assert_eq!(pairs.len(), 12);
    for pair in pairs {
        let first = number(&pair["first_seconds"]);
        assert!(first > 0.0 && first < 15.0, "{pair}");
        assert!(number(&pair["answered"]) >= 5.0, "{pair}");
    }
    let hops = pairs.iter().map(|pair| number(&pair["hops"]));
    assert!(hops.reduce(f64::max) >= Some(3.0), "some pair is three hops apart");
    for link in list(&report, "links") {
        for tq in list(link, "tq") {
            assert!(number(tq) > 150.0, "5 % loss leaves a good link: {link}");
        }
    }
    let transfer = list(&report, "transfers").first().expect("there was time for a transfer");
    assert_eq!(transfer["error"], Value::Null);
    let goodput = number(&transfer["mbit_per_second"]);
    // Three hops share 54 Mbit/s of air: more is impossible, much less means a fault.
    assert!((1.0..18.0).contains(&goodput), "{transfer}");
    for node in list(&report, "nodes") {
        assert_eq!(node["starts"], 1, "no daemon died: {node}");
        assert!(number(&node["air"]["heard"]) > 20.0, "{node}");
    }
    let progress = String::from_utf8_lossy(&output.stderr);
    assert!(progress.contains("client pairs 12/12"), "{progress}");
    assert!(progress.contains("in a browser: http://127.0.0.1:"), "{progress}");
    assert!(!dir.0.join("lab.sock").exists());
    assert!(dir.0.join("n1.log").exists(), "logs stay in a folder that was named");
}

#[test]
fn wires_are_faster_than_the_air_and_can_be_cut_as_well() {
    let _turn = turn();
    let dir = Folder::new("wires");
    let args = ["--medium", "veth", "--nodes", "4", "--clients", "2", "--no-tcp"];
    let Some(mut running) = Running::start(&dir.0, &args) else { return };
    running.wait(20, "all reach each other", |report| report["all_reachable"] == true);
    running.ask(&["tcp"]).expect("two clients");
    let report = running.wait(20, "the transfer ends", |report| {
        list(report, "transfers").first().is_some_and(|transfer| transfer["running"] == false)
    });
    let transfer = list(&report, "transfers").first().expect("it ended");
    assert_eq!(transfer["error"], Value::Null);
    assert!(number(&transfer["mbit_per_second"]) > 20.0, "{transfer}");
    assert_eq!(list(&report, "nodes").first().map(|node| node["air"].is_null()), Some(true));

    running.ask(&["cut", "1", "2"]).expect("a link to cut");
    running.ask(&["add", "--to", "1,2"]).expect("room for a node");
    running.wait(40, "the new node has links to both", |report| {
        let links = list(report, "links").iter().filter(|link| link["target"] == "n5");
        let heard = links.filter(|link| list(link, "tq").iter().all(Value::is_number)).count();
        heard == 2 && report["all_reachable"] == true
    });
    running.ask(&["stop"]).expect("it ends");
    assert!(running.child.wait().expect("it was started").success());
}

#[test]
fn a_timed_lab_ends_with_one_when_a_client_cannot_be_reached() {
    let _turn = turn();
    let dir = Folder::new("apart");
    let file = dir.0.join("apart.json");
    let graph = r#"{"type": "NetworkGraph", "protocol": "none", "version": "1", "metric": "none",
        "nodes": [{"id": "here"}, {"id": "there"}, {"id": "nowhere"}],
        "links": [{"source": "here", "target": "there", "cost": 1.0}]}"#;
    fs::write(&file, graph).expect("a writable folder");
    let args = ["--for", "8s", "--json", "--topology", file.to_str().expect("UTF-8")];
    let output = lab(&dir.0, &args).output().expect("the binary is built");
    let Some(report) = report_of(&output) else { return };
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(report["all_reachable"], false);
    let reached: Vec<_> = list(&report, "pairs").iter().filter(|pair| pair["reachable"] == true).collect();
    assert_eq!(reached.len(), 2, "here and there: {reached:?}");
}

#[test]
fn a_running_lab_takes_cuts_kills_and_new_nodes_from_another_terminal() {
    let _turn = turn();
    let dir = Folder::new("running");
    let Some(mut running) = Running::start(&dir.0, &["--topology", "ring:5", "--clients", "2", "--no-tcp"]) else {
        return;
    };
    let hops = |report: &Value| list(report, "pairs").iter().find_map(|pair| pair["hops"].as_u64());
    let report =
        running.wait(20, "all reach each other", |report| report["all_reachable"] == true && hops(report) == Some(2));
    let pair = list(&report, "pairs").iter().find(|pair| pair["hops"] == 2).expect("it was just seen");
    let (from, to) = (pair["from"].as_str().expect("a name"), pair["to"].as_str().expect("a name"));

    // Two hops one way, three the other: without the short way the long one is taken.
    let middle = list(&report, "nodes")
        .iter()
        .find(|node| node["name"] == from)
        .and_then(|node| list(node, "routes").iter().find(|route| route["to"] == to))
        .map(|route| route["next"].as_str().expect("a name").to_owned())
        .expect("a route");
    running.ask(&["cut", from, &middle]).expect("a link to cut");
    assert!(running.ask(&["cut", from, &middle]).is_err(), "it is cut already");
    running.wait(40, "the long way is taken", |report| report["all_reachable"] == true && hops(report) == Some(3));

    running.ask(&["heal", from, &middle]).expect("a link to heal");
    // The way back waits until the window of 64 s has forgotten the cut; that the link is heard
    // again shows at once.
    running.wait(20, "the link is heard again", |report| {
        let joins =
            |link: &&Value| [&link["source"], &link["target"]].iter().all(|end| *end == from || *end == &middle[..]);
        let link = list(report, "links").iter().find(joins).expect("it is still there");
        report["all_reachable"] == true && list(link, "tq").iter().all(|tq| tq.as_u64() > Some(0))
    });

    running.ask(&["restart", &middle]).expect("a node to restart");
    running.wait(20, "it was started twice", |report| {
        list(report, "nodes").iter().any(|node| node["name"] == *middle && node["starts"] == 2)
    });
    let text = running.ask(&["add", "--to", &middle]).expect("room for a node");
    assert!(text.contains("n6"), "{text}");
    running.wait(40, "the new client is reached too", |report| {
        list(report, "pairs").len() == 6 && report["all_reachable"] == true
    });

    let error = running.ask(&["kill", "n77"]).expect_err("there is no such node");
    assert!(error.contains("there is no node n77"), "{error}");
    let pids = running.pids();
    running.ask(&["stop"]).expect("it ends");
    assert!(running.child.wait().expect("it was started").success());
    assert_gone(&pids);
}

#[test]
fn nothing_is_left_when_the_lab_is_killed() {
    let _turn = turn();
    let dir = Folder::new("killed");
    let Some(mut running) = Running::start(&dir.0, &["--nodes", "4"]) else { return };
    running.wait(20, "all daemons run", |report| list(report, "nodes").iter().all(|node| node["running"] == true));
    let pids = running.pids();
    assert_eq!(pids.len(), 4);
    assert!(pids.iter().all(|pid| Path::new(&format!("/proc/{pid}")).exists()));
    running.child.kill().expect("it runs");
    running.child.wait().expect("it was started");
    assert_gone(&pids);

    // What it left in its folder does not keep the next one from running there.
    let mut next = Running::start(&dir.0, &["--nodes", "2", "--clients", "2"]).expect("it worked before");
    next.wait(20, "all reach each other", |report| report["all_reachable"] == true);
    let second = lab(&dir.0, &["--nodes", "2"]).output().expect("the binary is built");
    assert_eq!(second.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&second.stderr).contains("runs already"), "{second:?}");
    next.ask(&["stop"]).expect("it ends");
    next.child.wait().expect("it was started");
}

#[test]
fn an_ordinary_user_can_run_it_in_a_user_namespace() {
    if !nix::unistd::geteuid().is_root() {
        // All other tests are this one then.
        return;
    }
    let _turn = turn();
    let dir = Folder::new("user");
    // Where everybody may read and run it, which a build folder is not always.
    let program = dir.0.join("meshwork");
    fs::copy(env!("CARGO_BIN_EXE_meshwork"), &program).expect("a readable binary");
    // A /dev/net of our own, open to all as on most systems; then give up being root.
    let script = r#"
        set -e
        mkdir "$1/dev" && mount -t tmpfs none "$1/dev" && mknod "$1/dev/tun" c 10 200 && chmod 666 "$1/dev/tun"
        mount --bind "$1/dev" /dev/net
        cd / && exec setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set -all --inh-caps -all \
            env -u XDG_RUNTIME_DIR TMPDIR="$1/tmp" "$1/meshwork" lab --for 12s --json --nodes 4 --no-tcp
    "#;
    fs::create_dir(dir.0.join("tmp")).expect("a writable folder");
    for path in [dir.0.clone(), dir.0.join("tmp")] {
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o777)).expect("our own folder");
    }
    let output = Command::new("unshare")
        .args(["--mount", "sh", "-c", script, "sh"])
        .arg(&dir.0)
        .stdin(Stdio::null())
        .output()
        .expect("util-linux is installed");
    let error = String::from_utf8_lossy(&output.stderr);
    if error.contains("Run the lab as root") {
        // This system forbids it; then the lab has to say how to allow it.
        assert!(error.contains("sysctl") || error.contains("CONFIG_") || error.contains("container"), "{error}");
        return;
    }
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {error}"));
    assert!(output.status.success(), "{error}");
    assert_eq!(report["rights"], "user namespace");
    assert_eq!(report["all_reachable"], true);
    assert_eq!(list(&report, "pairs").len(), 12);
}

/// One lab at a time, so that they do not take the processor from each other.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn lab(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_meshwork"));
    command.arg("lab").args(args).arg("--dir").arg(dir).stdin(Stdio::null());
    command
}

/// The summary, or `None` where the system does not let us run a lab and it said why.
fn report_of(output: &Output) -> Option<Value> {
    let error = String::from_utf8_lossy(&output.stderr);
    if !may_run(&error) {
        return None;
    }
    Some(serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {error}")))
}

/// False where an ordinary user is told what to do; root may always.
fn may_run(error: &str) -> bool {
    nix::unistd::geteuid().is_root() || !error.contains("Run the lab as root")
}

/// A lab in the background; it ends with the test.
struct Running {
    child: Child,
    dir: PathBuf,
}

impl Running {
    fn start(dir: &Path, args: &[&str]) -> Option<Self> {
        let errors = dir.join("errors");
        let child = lab(dir, args)
            .stdout(Stdio::null())
            .stderr(fs::File::create(&errors).expect("a writable folder"))
            .spawn()
            .expect("the binary is built");
        let mut running = Self { child, dir: dir.to_owned() };
        let end = Instant::now() + Duration::from_secs(20);
        while running.ask(&["status"]).is_err() {
            let error = fs::read_to_string(&errors).unwrap_or_default();
            if let Some(status) = running.child.try_wait().expect("it was started") {
                assert!(!may_run(&error), "{status}: {error}");
                return None;
            }
            assert!(Instant::now() < end, "it does not answer: {error}");
            std::thread::sleep(Duration::from_millis(100));
        }
        Some(running)
    }

    fn ask(&self, args: &[&str]) -> Result<String, String> {
        let output = lab(&self.dir, args).output().expect("the binary is built");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    fn report(&self) -> Value {
        let text = self.ask(&["status", "--json"]).expect("the lab runs");
        serde_json::from_str(&text).expect("a report")
    }

    fn pids(&self) -> Vec<u64> {
        list(&self.report(), "nodes").iter().filter_map(|node| node["pid"].as_u64()).collect()
    }

    /// Waits for a report of which that holds, and returns it: the next one may differ.
    fn wait(&self, seconds: u64, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + Duration::from_secs(seconds);
        loop {
            let report = self.report();
            if holds(&report) {
                return report;
            }
            assert!(Instant::now() < end, "not within {seconds} s: {what}\n{report:#}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already where the test went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// All these processes end soon, even on a busy machine.
fn assert_gone(pids: &[u64]) {
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        // A process that ended and is not waited for yet is as good as gone.
        let alive = |pid: &&u64| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            stat.rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(" Z"))
        };
        let left: Vec<_> = pids.iter().filter(alive).collect();
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < end, "still there: {left:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or_else(|| panic!("no list {key} in {value}"), Vec::as_slice)
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is not a number"))
}

/// A folder for one test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("meshwork-lab-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a writable folder for temporary files");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
