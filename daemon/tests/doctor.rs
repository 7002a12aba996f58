//! `meshwork doctor` as people run it: the built program in namespaces where something is wrong.
//! Each test asserts what stands first in the answer, the exit status that belongs to it, and that
//! the worst comes first.
//!
//! Needs root; what the machine cannot do (packet filters) is skipped, and said.
#![allow(clippy::unwrap_used, reason = "test code")]

#[path = "io/world.rs"]
#[allow(dead_code, reason = "shared by test programs")]
mod world;

use packet::MacAddr;
use serde_json::Value;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use world::{MESH, Net, Wire, frame, in_namespace};

const PROGRAM: &str = env!("CARGO_BIN_EXE_meshwork");

/// A namespace with a pair of wires, and nodes on them.
struct Place {
    folder: PathBuf,
    nodes: Vec<Child>,
    net: Net,
}

impl Place {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("doctor-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut net = Net::new();
        net.pair("a", "b");
        for end in ["a", "b"] {
            net.set_mtu(end, 1532);
        }
        Self { folder, nodes: Vec::new(), net }
    }

    fn socket(&self, mesh: &str) -> String {
        self.folder.join(format!("{mesh}.sock")).display().to_string()
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// Starts a node and waits until it answers.
    fn node(&mut self, mesh: &str, words: &[&str]) {
        let empty = self.file(&format!("{mesh}.toml"), "[mesh]\nstate_dir = \"\"\n");
        let child = Command::new(PROGRAM)
            .args(["run", "--config", &empty, "--mesh", mesh, "--socket", &self.socket(mesh)])
            .args(words)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.nodes.push(child);
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            let asked = Command::new(PROGRAM).args(["status", "--socket", &self.socket(mesh)]).output().unwrap();
            if asked.status.success() {
                return;
            }
            assert!(Instant::now() < end, "no node: {}", String::from_utf8_lossy(&asked.stderr));
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Two nodes of one algorithm, one at each end.
    fn two_nodes(&mut self, first: &[&str]) {
        let mut words = vec!["-i", "a", "--algorithm", "IV"];
        words.extend(first);
        self.node("mesh0", &words);
        self.node("mesh1", &["-i", "b", "--algorithm", "IV"]);
        // Until they have met.
        let end = Instant::now() + Duration::from_secs(20);
        while Instant::now() < end {
            let asked = Command::new(PROGRAM).args(["neighbors", "--json", "--socket", &self.socket("mesh0")]).output();
            let said: Value = serde_json::from_slice(&asked.unwrap().stdout).unwrap_or_default();
            let near = said["neighbors"].as_array().map_or(0, Vec::len);
            if near > 0 {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("the nodes do not meet");
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(["doctor", "--mesh", "mesh0", "--socket", &self.socket("mesh0"), "--time", "2"]).args(words);
        command.stdin(Stdio::null());
        command
    }

    /// The answer as a program reads it, and the exit status.
    fn doctor(&self, words: &[&str]) -> (i32, Value) {
        let done = self.command(words).arg("--json").output().unwrap();
        read(&done)
    }
}

fn read(done: &std::process::Output) -> (i32, Value) {
    let answer: Value = serde_json::from_slice(&done.stdout)
        .unwrap_or_else(|e| panic!("{e}: {} {}", text(&done.stdout), text(&done.stderr)));
    let rank = |f: &Value| match f["severity"].as_str().unwrap() {
        "error" => 3,
        "warning" => 2,
        _ => 1,
    };
    let ranks: Vec<i32> = answer["findings"].as_array().unwrap().iter().map(rank).collect();
    assert!(ranks.is_sorted_by(|a, b| a >= b), "worst first: {answer}");
    let code = done.status.code().unwrap();
    let right = match ranks.first() {
        Some(3) => 4,
        Some(2) => 3,
        _ => 0,
    };
    assert_eq!(code, right, "{answer}");
    for f in answer["findings"].as_array().unwrap() {
        assert!(f["advice"].as_str().is_some_and(|t| t.len() > 10), "what to do is said: {f}");
    }
    (code, answer)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn first(answer: &Value) -> &str {
    answer["findings"][0]["code"].as_str().unwrap_or("nothing")
}

fn has(answer: &Value, code: &str) -> bool {
    answer["findings"].as_array().unwrap().iter().any(|f| f["code"] == code)
}

impl Drop for Place {
    fn drop(&mut self) {
        for node in &mut self.nodes {
            let _ = node.kill();
            let _ = node.wait();
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// What cannot be the machine's fault in a test.
fn expect(answer: &Value, status: (i32, i32), code: &str) {
    assert_eq!((status.0, first(answer)), (status.1, code), "{answer}");
}

#[test]
fn nothing_runs_and_files_that_are_wrong() {
    in_namespace(async || {
        let place = Place::new("none");
        let (status, answer) = place.doctor(&["-i", "a"]);
        expect(&answer, (status, 4), "no_node");
        let advice = answer["findings"][0]["advice"].as_str().unwrap();
        assert!(advice.contains("meshwork run -i a"), "{advice}");
        assert_eq!((&answer["severity"], &answer["mesh_ifname"]), (&"error".into(), &"mesh0".into()));

        let bad = place.file("bad.toml", "[mesh]\nhop_penalty = 300\n");
        let (status, answer) = place.doctor(&["--config", &bad]);
        expect(&answer, (status, 4), "bad_config");
        assert!(answer["findings"][0]["text"].as_str().unwrap().contains("hop_penalty"), "{answer}");

        // For people, the same in words.
        let done = place.command(&["-i", "a"]).output().unwrap();
        let page = text(&done.stdout);
        assert!(page.starts_with("mesh0: ") && page.contains("\nERROR    No node runs for mesh0."), "{page}");
        assert_eq!(done.status.code(), Some(4));
    });
}

#[test]
fn a_healthy_node_and_interfaces_that_are_not() {
    in_namespace(async || {
        let mut place = Place::new("links");
        place.two_nodes(&["-i", "nope0"]);
        let (status, answer) = place.doctor(&["-i", "a"]);
        assert!(status == 0 || !has(&answer, "mtu"), "{answer}");
        assert!(!["error"].contains(&answer["severity"].as_str().unwrap()), "{answer}");
        assert!(answer["fine"].as_array().unwrap().iter().any(|f| text_of(f).contains("the node runs")), "{answer}");

        let (status, answer) = place.doctor(&[]);
        expect(&answer, (status, 3), "no_such_interface");
        assert_eq!(answer["findings"][0]["interface"], "nope0");

        place.net.set_mtu("a", 1400);
        let (status, answer) = place.doctor(&["-i", "a"]);
        expect(&answer, (status, 3), "mtu");
        assert!(answer["findings"][0]["text"].as_str().unwrap().contains("1400"), "{answer}");
        place.net.set_mtu("a", 1532);

        place.net.bridge("br");
        place.net.pair("c", "d");
        place.net.set_master("c", Some("br"));
        let (status, answer) = place.doctor(&["-i", "c"]);
        expect(&answer, (status, 4), "bridge_port");
        place.net.up("d", false);
        let (status, answer) = place.doctor(&["-i", "d"]);
        assert_eq!(status, 4, "{answer}");
        assert!(answer["findings"][0]["text"].as_str().unwrap().contains("d is"), "{answer}");
    });
}

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[test]
fn what_is_heard() {
    in_namespace(async || {
        let mut place = Place::new("air");
        place.node("mesh0", &["-i", "a", "--algorithm", "IV"]);
        let own = place.net.link("a").unwrap().mac;
        let wire = Wire::open("b");
        // While the doctor listens, somebody sends ten times a second.
        let doctor = |packet: &dyn Fn(u8) -> Vec<u8>| {
            let child = place.command(&["--json"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            for n in 0..28 {
                wire.send(&packet(n));
                std::thread::sleep(Duration::from_millis(100));
            }
            read(&child.wait_with_output().unwrap())
        };
        let ogm = |n: u8, orig: MacAddr, version: u8| {
            let mut ogm = vec![0, version, 50, 0, 0, 0, 1, n];
            ogm.extend([orig.0, orig.0].concat());
            ogm.extend([0, 255, 0, 0]);
            ogm.resize(46, 0);
            ogm
        };
        let them = MacAddr([2, 0, 0, 0, 0, 0x77]);
        let (status, answer) = doctor(&|n| frame(MacAddr::BROADCAST, own, MESH, &ogm(n, own, 15)));
        assert_eq!(status, 4);
        assert!(has(&answer, "duplicate_mac"), "{answer}");
        assert_eq!(answer["findings"][0]["severity"], "error");

        let (_, answer) = doctor(&|n| frame(MacAddr::BROADCAST, them, MESH, &ogm(n, them, 14)));
        assert!(has(&answer, "compat_version"), "{answer}");

        let elp = |n: u8| {
            let mut hello = vec![3, 15];
            hello.extend(them.0);
            hello.extend([0, 0, 0, n, 0, 0, 1, 0xf4]);
            hello.resize(46, 0);
            frame(MacAddr::BROADCAST, them, MESH, &hello)
        };
        let (status, answer) = doctor(&elp);
        assert_eq!(status, 4);
        assert!(has(&answer, "other_algorithm"), "{answer}");
    });
}

#[test]
fn a_filter_in_the_way() {
    in_namespace(async || {
        let mut place = Place::new("filter");
        place.two_nodes(&[]);
        let tc = |words: &str| Command::new("tc").args(words.split(' ')).output().is_ok_and(|o| o.status.success());
        if !tc("qdisc add dev a clsact") || !tc("filter add dev a ingress matchall action drop") {
            eprintln!("skipped: tc or its kernel side is missing here");
            return;
        }
        let (status, answer) = place.doctor(&[]);
        assert_eq!(status, 4, "{answer}");
        assert!(has(&answer, "blocked_in"), "{answer}");
        assert_eq!(answer["findings"][0]["severity"], "error");
    });
}

#[test]
fn without_rights() {
    in_namespace(async || {
        let mut place = Place::new("rights");
        place.node("mesh0", &["-i", "a", "--algorithm", "IV"]);
        let mut command = place.command(&["--json"]);
        command.uid(65534).gid(65534);
        let done = command.output();
        // The program may lie where nobody else can start it.
        let Ok(done) = done else {
            eprintln!("skipped: others cannot start the program here");
            return;
        };
        let (status, answer) = read(&done);
        expect(&answer, (status, 3), "no_rights");
        assert!(!answer["unseen"].as_array().unwrap().is_empty(), "what was not looked at is said: {answer}");
    });
}
