//! A node that root starts and that goes on as somebody else: its rights as the kernel shows them, and that it still
//! follows its hard interfaces and its configuration.
//!
//! Needs root.
#![allow(clippy::unwrap_used, reason = "test code")]

#[path = "io/world.rs"]
#[allow(dead_code, reason = "shared by test programs")]
mod world;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use packet::MacAddr;
use serde_json::Value;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use world::{Net, in_namespace};

const PROGRAM: &str = env!("CARGO_BIN_EXE_meshwork");
/// `nobody` of every Linux.
const NOBODY: u32 = 65534;

struct Node {
    folder: PathBuf,
    process: Child,
}

impl Node {
    fn start(name: &str, config: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("user-{name}-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("state")).unwrap();
        let node = |process| Self { folder: folder.clone(), process };
        std::fs::write(folder.join("m.toml"), config).unwrap();
        let process = Command::new(PROGRAM)
            .args(["run", "--config"])
            .arg(folder.join("m.toml"))
            .args(["--user", "nobody", "--socket"])
            .arg(folder.join("m.sock"))
            .arg("--state-dir")
            .arg(folder.join("state"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        node(process)
    }

    fn pid(&self) -> u32 {
        self.process.id()
    }

    /// A line of `/proc/PID/status`, without its name.
    fn line(&self, name: &str) -> String {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = text.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(':'));
        line.unwrap_or_else(|| panic!("{name} is not in {text}")).split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// `/proc/PID/task/*/status`.
    fn threads(&self) -> Vec<String> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.pid())).unwrap();
        tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("status")).ok()).collect()
    }

    fn status(&self) -> Value {
        let asked =
            Command::new(PROGRAM).args(["status", "--json", "--socket"]).arg(self.folder.join("m.sock")).output();
        serde_json::from_slice(&asked.unwrap().stdout).unwrap_or_default()
    }

    fn until(&self, what: &str, done: impl Fn(&Value) -> bool) {
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            let status = self.status();
            if done(&status) {
                return;
            }
            assert!(Instant::now() < end, "{what}: {status}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.pid()).unwrap()), signal).unwrap();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Whether a thread is nobody's, has no more than the two rights, and can get no more.
fn enclosed(text: &str) -> bool {
    let rights = ["CapEff:\t0000000000003000", "CapEff:\t0000000000000000"];
    rights.iter().any(|r| text.contains(r))
        && text.contains("Uid:\t65534\t65534\t65534\t65534")
        && text.contains("NoNewPrivs:\t1")
}

fn active(status: &Value, name: &str) -> bool {
    let all = status["status"]["interfaces"].as_array();
    all.is_some_and(|all| all.iter().any(|i| i["hard_ifname"] == name && i["active"] == true))
}

const CONFIG: &str = "[[link]]\ninterface = \"a\"\n[[link]]\ninterface = \"late\"\n";

#[test]
fn somebody_else_with_two_rights_is_a_whole_node() {
    in_namespace(async || {
        let mut net = Net::new();
        net.pair("a", "b");
        let mut node = Node::start("whole", CONFIG);
        node.until("the first hard interface", |s| active(s, "a"));
        for (name, expected) in [
            ("Uid", "65534 65534 65534 65534"),
            ("NoNewPrivs", "1"),
            // CAP_NET_ADMIN is bit 12, CAP_NET_RAW bit 13; what it starts gets no more.
            ("CapPrm", "0000000000003000"),
            ("CapEff", "0000000000003000"),
            ("CapInh", "0000000000003000"),
            ("CapAmb", "0000000000003000"),
            ("CapBnd", "0000000000003000"),
        ] {
            assert_eq!(node.line(name), expected, "{name}");
        }
        // Every thread has these two or, like that of the status endpoint, none.
        let end = Instant::now() + Duration::from_secs(10);
        while let Some(text) = node.threads().into_iter().find(|text| !enclosed(text)) {
            assert!(Instant::now() < end, "{text}");
            std::thread::sleep(Duration::from_millis(50));
        }

        net.pair_down("late", "peer");
        net.up("peer", true);
        node.until("an interface that comes late is set up and taken", |s| active(s, "late"));
        net.remove("late");
        node.until("and left", |s| !active(s, "late"));
        net.pair("late", "peer");
        net.set_mac("late", MacAddr([2, 0, 0, 0, 0, 0x77]));
        node.until("another one of the name", |s| active(s, "late") && s.to_string().contains("02:00:00:00:00:77"));

        std::fs::write(node.folder.join("m.toml"), format!("{CONFIG}[mesh]\nhop_penalty = 9\n")).unwrap();
        node.signal(Signal::SIGHUP);
        node.until("reloaded", |s| s["status"]["config"]["reload"].to_string().contains("hop_penalty: 30 -> 9"));

        node.signal(Signal::SIGTERM);
        assert!(node.process.wait().unwrap().success());
        let kept = std::fs::metadata(node.folder.join("state/mesh0.state")).unwrap();
        assert_eq!(kept.uid(), NOBODY, "it wrote its numbers down as itself");
        assert!(net.link("mesh0").is_none(), "nothing is left behind");
    });
}
