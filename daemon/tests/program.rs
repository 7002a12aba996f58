//! The program as a user meets it: the real binary, its output to the letter, its exit codes.
//! Nothing here needs rights; a made-up node answers where one is asked.
#![allow(clippy::unwrap_used, reason = "test code")]

mod common;

use common::{Folder, about, fake_node};
use meshwork::control::{ControlSocket, Server};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use tokio::sync::{mpsc, oneshot, watch};

/// Runs the program with these words; exit code, output, errors.
fn meshwork(words: &[&str]) -> (i32, String, String) {
    let done = Command::new(env!("CARGO_BIN_EXE_meshwork"))
        .args(words)
        .env("HOME", "/nonexistent")
        .current_dir("/")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (done.status.code().unwrap(), text(done.stdout), text(done.stderr))
}

/// A made-up node on a thread of its own.
struct Node {
    folder: Folder,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Node {
    fn new(name: &str) -> Self {
        let folder = Folder::new(name);
        let path = folder.0.join("mesh0.sock");
        let (stop, stopped) = oneshot::channel();
        let (ready, is_ready) = std::sync::mpsc::channel();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let socket = ControlSocket::bind(&path, None).unwrap();
                let (ask, asked) = mpsc::channel(8);
                let (_tell, told) = watch::channel(about());
                tokio::spawn(fake_node(asked, 0));
                tokio::spawn(Server::new(socket, ask, told).serve());
                ready.send(()).unwrap();
                let _ = stopped.await;
            });
        });
        is_ready.recv().unwrap();
        Self { folder, stop: Some(stop), thread: Some(thread) }
    }

    fn socket(&self) -> String {
        self.folder.0.join("mesh0.sock").display().to_string()
    }

    /// Output of a command that asks this node and succeeds.
    fn says(&self, words: &[&str]) -> String {
        let (code, out, err) = self.asked(words);
        assert_eq!((code, err.as_str()), (0, ""), "{words:?}: {out}");
        out
    }

    fn asked(&self, words: &[&str]) -> (i32, String, String) {
        let socket = self.socket();
        let mut all = words.to_vec();
        all.extend(["--socket", &socket]);
        meshwork(&all)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.stop.take());
        let _ = self.thread.take().unwrap().join();
    }
}

const HEAD: &str = "[Meshwork 9.9.9, MainIF/MAC: wlan0/02:00:00:00:00:01 (mesh0/02:00:00:00:00:64 BATMAN_IV)";

#[test]
fn tables() {
    let node = Node::new("tables");
    assert_eq!(
        node.says(&["n"]),
        format!(
            "{HEAD}]\n        IF Neighbor          last-seen (#/255)  EQ  RQ Originator\n     \
             wlan0 02:00:00:00:00:14    1.204s   (240)  60  62 02:00:00:00:00:02\n"
        )
    );
    assert_eq!(
        node.says(&["o"]),
        format!(
            "{HEAD}]\n   Originator        last-seen (#/255) Nexthop           [outgoingIF]\n \
             * 02:00:00:00:00:02    0.300s   (240) 02:00:00:00:00:14 [     wlan0]\n   \
             02:00:00:00:00:02    0.300s   ( 17) 02:00:00:00:00:15 [     wlan0]\n"
        )
    );
    let local = format!(
        "{HEAD}, TTVN: 9]\nClient             VID Flags    Last seen (CRC       )\n\
         02:00:00:00:00:64   -1 [.P....]   0.000   (0x000000ff)\n\
         02:00:00:00:00:65    7 [..N...]   2.500   (0x000000ff)\n"
    );
    let global = format!(
        "{HEAD}]\n   Client             VID Flags Last ttvn     Via        ttvn  (CRC       )\n \
         * 02:00:00:00:00:32   -1 [.W.T] (  3) 02:00:00:00:00:02 (  4) (0xdeadbeef)\n   \
         02:00:00:00:00:32   -1 [.W.T] (  3) 02:00:00:00:00:03 (  4) (0xdeadbeef)\n"
    );
    assert_eq!(node.says(&["tl"]), local);
    assert_eq!(node.says(&["tg"]), global);
    assert_eq!(node.says(&["clients"]), format!("{local}\n{global}"));
    assert_eq!(
        node.says(&["dat"]),
        format!(
            "{HEAD}]\nDistributed ARP Table (mesh0):\n             IPv4               MAC  VID   last-seen\n \
             *       10.0.0.50 02:00:00:00:00:32   -1      1:15\n \
             *        10.0.0.9 02:00:00:00:00:32    7      1:15 contested\n\n\
             IPv6 neighbour discovery (mesh0):\n                                       IPv6               MAC  VID   last-seen\n \
             *                                  fe80::50 02:00:00:00:00:32   -1      1:15 router\n"
        )
    );
    assert_eq!(
        node.says(&["mf"]),
        "[Meshwork 9.9.9, MainIF/MAC: wlan0/02:00:00:00:00:01 (mesh0/02:00:00:00:00:64 BATMAN_IV)]\n\
         Multicast flags (own flags: [U... . .])\n\
         * Bridged [U]\t\t\t\tU\n\
         * No IGMP/MLD Querier [4/6]:\t\t./.\n\
         * Shadowing IGMP/MLD Querier [4/6]:\t./6\n\
         -------------------------------------------\n       \
         Originator Flags\n\
         02:00:00:00:00:02 [.46. . .]\n\
         02:00:00:00:00:04 -\n"
    );
    assert_eq!(node.says(&["multicast", "-H", "-n"]).lines().count(), 2);
    assert_eq!(
        node.says(&["if"]),
        "wlan0: active 02:00:00:00:00:01 mtu 1532 hop-penalty 5 wifi primary\n\
         eth0: not used: it is a port of the bridge br-lan\neth1: not used: not there or not up\n"
    );
}

#[test]
fn less_of_a_table() {
    let node = Node::new("filters");
    assert_eq!(
        node.says(&["o", "-H", "-i", "wlan0"]),
        " * 02:00:00:00:00:02    0.300s   (240) 02:00:00:00:00:14 [     wlan0]\n   \
         02:00:00:00:00:02    0.300s   ( 17) 02:00:00:00:00:15 [     wlan0]\n"
    );
    assert_eq!(node.says(&["o", "-H", "-i", "eth0"]), "");
    assert_eq!(node.says(&["o", "-H", "-t", "0.2"]), "");
    assert_eq!(node.says(&["tl", "-H", "-M"]), "");
    assert_eq!(node.says(&["tl", "-H", "-u"]).lines().count(), 2);
    let (code, _, err) = node.asked(&["tl", "-u", "-M"]);
    assert_eq!((code, err.as_str()), (2, "meshwork: --unicast and --multicast leave nothing together\n"));
}

#[test]
fn status_on_one_page() {
    let node = Node::new("page");
    let page = node.says(&["status"]);
    // The time since the reload of 1970 goes on.
    let page: Vec<&str> = page.lines().map(|l| if l.starts_with("Last reload") { "Last reload" } else { l }).collect();
    assert_eq!(
        page.join("\n"),
        format!(
            "\
{HEAD}]
Running:         00:01:01, process 42, 4.0 KiB of memory
Configuration:   /etc/meshwork.toml
Last reload
                 m.toml:1:1: nonsense
Algorithm:       B.A.T.M.A.N. IV, as set
Mesh interface:  mesh0, MTU 1500
Hard interfaces: wlan0: active 02:00:00:00:00:01 mtu 1532 hop-penalty 5 wifi primary
                 eth0: not used: it is a port of the bridge br-lan
                 eth1: not used: not there or not up
Neighbors:       1
Originators:     1
Clients:         2 own, 1 at other nodes
Internet:        Shared line wan: guests get what its owner leaves. Somebody else shapes it too, with cake.
                 down carries 48.0 Mbit/s: owner 25.0, guests 19.0 of 20.0 Mbit/s; packets wait 4 ms
                 up   carries 48.0 Mbit/s: owner 25.0, guests 19.0 of 20.0 Mbit/s; packets wait 4 ms
Client traffic:  8 frames (0 bytes) sent, 0 frames (0 bytes) received
For others:      0 frames (0 bytes) forwarded
Routing:         0 frames (0 bytes) sent, 0 frames (0 bytes) received
Dropped:         1 ttl"
        )
    );
    assert!(node.says(&["st"]).contains(" ago, REFUSED; the node goes on as before:\n"));
}

#[test]
fn counters() {
    let node = Node::new("counters");
    let out = node.says(&["s"]);
    assert!(out.starts_with("\ttx: 8\n\ttx_bytes: 0\n\ttx_dropped: 0\n\trx: 0\n"), "{out}");
    assert!(out.ends_with("\tdrop_ttl: 1\n\twlan0.rx_frames: 12\n"), "{out}");
    let all = node.says(&["s", "--all"]);
    assert!(all.contains("\tdrop_short: 0\n") && all.contains("\tmesh0.tx_errors: 0\n"), "{all}");
}

#[test]
fn json_is_one_line_and_filtered_too() {
    let node = Node::new("json");
    let out = node.says(&["originators", "--json", "-i", "nowhere"]);
    let value: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((out.lines().count(), &value["format"], &value["originators"]), (1, &1.into(), &serde_json::json!([])));
    assert_eq!(value["node"]["mesh_ifname"], "mesh0");
    // What scripts for batctl expect: the bare list.
    let bare: serde_json::Value = serde_json::from_str(&node.says(&["nj"])).unwrap();
    assert_eq!(bare[0]["neigh_address"], "02:00:00:00:00:14");
    assert_eq!(node.says(&["json", "neighbors_json"]), node.says(&["neighbors_json"]));
    let active: serde_json::Value = serde_json::from_str(&node.says(&["hj"])).unwrap();
    assert_eq!(active.as_array().unwrap().len(), 1);
    assert!(node.says(&["mj"]).starts_with("{\"version\":\"9.9.9\",\"algo_name\":\"BATMAN_IV\","));
    // By batctl's own command line.
    assert_eq!(node.says(&["batctl", "nj"]), node.says(&["nj"]));
    assert_eq!(node.says(&["batctl", "o", "-n"]), node.says(&["o", "-n"]));
    assert_eq!(node.says(&["batctl", "hp"]), "30\n");
    assert_eq!(node.says(&["batctl", "f"]), "enabled\n");
    assert_eq!(node.says(&["batctl", "if"]).lines().next(), Some("wlan0: active"));
    let (code, _, err) = node.asked(&["batctl", "hp", "15"]);
    assert!(code == 2 && err.contains("hop_penalty in [mesh]"), "{err}");
    let (code, _, err) = node.asked(&["json", "vis_json"]);
    assert!(code == 2 && err.starts_with("meshwork: which list? There are: mesh_json"), "{err}");
}

#[test]
fn ping_and_traceroute() {
    let node = Node::new("ping");
    let host = "02:00:00:00:00:02";
    assert_eq!(
        node.says(&["p", "-c", "2", "-i", "0.01", host]),
        format!(
            "PING {host} ({host}) 20(48) bytes of data\n\
             20 bytes from {host} icmp_seq=1 ttl=49 time=1.23 ms\n20 bytes from {host} icmp_seq=2 ttl=49 time=1.23 ms\n\
             --- {host} ping statistics ---\n2 packets transmitted, 2 received, 0% packet loss\n\
             rtt min/avg/max/mdev = 1.234/1.234/1.234/0.000 ms\n"
        )
    );
    // A client leads to its node.
    let client = "02:00:00:00:00:32";
    let out = node.says(&["ping", "-c1", "-R", client]);
    assert!(out.starts_with(&format!("PING {client} ({host}) 116(144) bytes of data\n")), "{out}");
    assert!(out.contains("RR: \t02:00:00:00:00:01\n\t02:00:00:00:00:02\n\t02:00:00:00:00:02\n"), "{out}");
    assert_eq!(
        node.says(&["tr", host]),
        format!(
            "traceroute to {host} ({host}), 50 hops max, 20 byte packets\n \
             1: 02:00:00:00:00:03  1.234 ms  1.234 ms  1.234 ms\n 2: {host}  1.234 ms  1.234 ms  1.234 ms\n"
        )
    );
    let json: serde_json::Value = serde_json::from_str(&node.says(&["tr", "--json", host])).unwrap();
    assert_eq!((&json["reached"], &json["hops"][1]["orig_address"]), (&true.into(), &host.into()));
    assert_eq!(node.says(&["translate", client]), format!("{host}\n"));
}

#[test]
fn ping_without_an_answer_fails() {
    let node = Node::new("noanswer");
    // Nobody is there: translation says so, -T tries all the same.
    let nobody = "02:00:00:00:00:99";
    let (code, out, err) = node.asked(&["ping", "-c1", nobody]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert_eq!(err, format!("meshwork: no node of the mesh and none of its clients has the address {nobody}\n"));
    let (code, out, err) = node.asked(&["ping", "-c1", "-t", "0.05", "-T", nobody]);
    assert_eq!((code, err.as_str()), (1, ""));
    assert_eq!(
        out,
        format!(
            "PING {nobody} ({nobody}) 20(48) bytes of data\nReply from host {nobody} timed out\n\
             --- {nobody} ping statistics ---\n1 packets transmitted, 0 received, 100% packet loss\n\
             rtt min/avg/max/mdev = 0.000/0.000/0.000/0.000 ms\n"
        )
    );
    let (code, _, err) = node.asked(&["ping", "-c1", "02:00:00:00:00:01"]);
    assert_eq!(
        (code, err.as_str()),
        (1, "meshwork: 02:00:00:00:00:01 is this node itself, or one of its own clients\n")
    );
    let (code, _, err) = node.asked(&["ping", "-c0", nobody]);
    assert_eq!((code, err.as_str()), (2, "meshwork: --count: found 0, allowed: a whole number above 0\n"));
    let (code, _, err) = node.asked(&["ping", "no such host."]);
    assert!(code == 1 && err.contains("is no MAC address, no name of a bat-hosts file"), "{err}");
}

#[test]
fn ctrl_c_ends_a_ping_with_its_statistics() {
    let node = Node::new("interrupt");
    let child = Command::new(env!("CARGO_BIN_EXE_meshwork"))
        .args(["ping", "02:00:00:00:00:02", "--socket", &node.socket()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    thread::sleep(std::time::Duration::from_millis(500));
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    let done = child.wait_with_output().unwrap();
    let out = String::from_utf8(done.stdout).unwrap();
    assert!(done.status.success() && out.contains("1 packets transmitted, 1 received"), "{out}");
}

#[test]
fn a_closed_pipe_is_no_error() {
    let node = Node::new("pipe");
    let mut child = Command::new(env!("CARGO_BIN_EXE_meshwork"))
        .args(["o", "-w", "0.02", "--socket", &node.socket()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let done = child.wait_with_output().unwrap();
    assert_eq!((done.status.code(), done.stderr.as_slice()), (Some(0), &b""[..]));
}

#[test]
fn without_a_node_it_says_what_to_do() {
    let folder = Folder::new("nonode");
    let socket = folder.0.join("mesh0.sock").display().to_string();
    let (code, out, err) = meshwork(&["status", "--socket", &socket]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert_eq!(err, format!("meshwork: no node answers at {socket}.\nStart one with: meshwork run -i INTERFACE\n"));
    // Another one runs, and a dead one left its socket behind.
    let _other = std::os::unix::net::UnixListener::bind(folder.0.join("bat0.sock")).unwrap();
    drop(std::os::unix::net::UnixListener::bind(folder.0.join("dead.sock")).unwrap());
    let (_, _, err) = meshwork(&["status", "--socket", &socket]);
    assert_eq!(err, format!("meshwork: no node answers at {socket}.\nThere are nodes for other meshes: --mesh bat0\n"));
}

#[test]
fn config_check() {
    let folder = Folder::new("check");
    let write = |name: &str, text: &str| {
        let path = folder.0.join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let bad = write("bad.toml", "[mesh]\nmtu = 5\n[mush]\n");
    let (code, out, err) = meshwork(&["config", "check", &bad]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert_eq!(
        err,
        format!(
            "meshwork: {bad}:2:7: mesh.mtu: found 5, allowed: a whole number from 68 to 65535\n 2 | mtu = 5\n   |       ^\n\
             {bad}:3:2: mush: unknown; did you mean \"mesh\"? Tables: mesh, link, radio, gateway, limits, share, http, control, log\n 3 | [mush]\n   |  ^^^^\n"
        )
    );
    let good = write("good.toml", "[[link]]\ninterface = \"wlan0\"\n[mesh]\nhop_penalty = 15\n");
    assert_eq!(
        meshwork(&["config", "check", &good]),
        (0, format!("{good} is good, with one hard interface\n"), String::new())
    );
    let (_, printed, _) = meshwork(&["config", "check", "--print", &good]);
    assert!(printed.contains("hop_penalty = 15\n") && printed.contains("orig_interval = \"1s\"\n"));
    let again = write("again.toml", &printed);
    assert_eq!(meshwork(&["config", "check", "--print", &again]).1, printed);
    let (code, _, err) = meshwork(&["config", "check", "/nonexistent"]);
    assert_eq!(
        (code, err.as_str()),
        (2, "meshwork: /nonexistent: cannot be read: No such file or directory (os error 2)\n")
    );
    // OpenWrt's files: what is good holds, whatever else stands there.
    write("meshwork", "config mesh m\n option hop_penalty 15\n option mtu 5\n");
    let dir = folder.0.display().to_string();
    let uci = ["config", "check", "--uci", "m", "--uci-dir", &dir, "--uci-devices", &dir, "--print"];
    let (code, printed, err) = meshwork(&uci);
    assert!(code == 2 && err.contains("/etc/config/meshwork:3: meshwork.m.mtu: found 5"), "{code} {err}");
    assert!(printed.contains("hop_penalty = 15\n") && printed.contains("# mtu: chosen by the node\n"), "{printed}");
    let (code, _, err) = meshwork(&["config", "check", "--uci", "m", "file"]);
    assert!(code == 2 && err.contains("leave one out"), "{code} {err}");
}

#[test]
fn run_refuses_nonsense_before_it_starts_anything() {
    let folder = Folder::new("refuse");
    let socket = folder.0.join("run/mesh0.sock");
    let path = socket.display().to_string();
    let (code, out, err) =
        meshwork(&["run", "-c", "/dev/null", "-i", "wlan0", "--hop-penalty", "300", "--socket", &path]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert_eq!(err, "meshwork: --hop-penalty: found 300, allowed: a whole number from 0 to 255\n");
    let (code, _, err) = meshwork(&["run", "-c", "/dev/null", "--socket", &path]);
    assert_eq!(code, 2);
    assert_eq!(err, "meshwork: no hard interface: name one with -i IF, or write a [[link]] into /dev/null\n");
    assert!(!Path::new(&path).parent().unwrap().exists());
    let (code, _, err) = meshwork(&["run", "--hop-penality", "3"]);
    assert_eq!(
        (code, err.as_str()),
        (2, "meshwork: unknown flag --hop-penality; did you mean --hop-penalty?\nTry \"meshwork run --help\".\n")
    );
}

#[test]
fn frames_of_a_capture_file() {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors/iv-icmp.pcap");
    let file = file.to_str().unwrap();
    let (code, all, err) = meshwork(&["monitor", "-n", "--read", file]);
    assert_eq!((code, err.as_str()), (0, ""));
    let of = |flags: &[&str]| meshwork(&[&["td", "-n", "-r", file], flags].concat()).1;
    let echoes = of(&["-p", "icmp"]);
    assert!(echoes.lines().count() > 3 && echoes.lines().all(|l| l.contains("ICMP")), "{echoes}");
    assert_eq!(of(&["-p", "8"]), echoes);
    let others = of(&["-x", "icmp"]);
    assert_eq!(echoes.lines().count() + others.lines().count(), all.lines().count());
    assert_eq!(of(&["-c", "2"]).lines().collect::<Vec<_>>(), all.lines().take(2).collect::<Vec<_>>());
    let (code, _, err) = meshwork(&["td", "-r", "/dev/null"]);
    assert!(code == 1 && err.contains("not a pcap file"), "{err}");
    let (code, _, err) = meshwork(&["td", "-p", "ogn", "-r", file]);
    assert!(code == 2 && err.starts_with("meshwork: --only: unknown type \"ogn\"; did you mean ogm?"), "{err}");
}

#[test]
fn texts_without_a_node() {
    let (code, out, _) = meshwork(&["version"]);
    assert_eq!((code, out), (0, format!("meshwork {} (batman-adv compat 15)\n", env!("CARGO_PKG_VERSION"))));
    assert_eq!(meshwork(&["--version"]).1, meshwork(&["version"]).1);
    let (code, out, _) = meshwork(&[]);
    assert!(code == 0 && out.starts_with("Usage: meshwork [FLAGS] COMMAND\n"), "{out}");
    assert_eq!(meshwork(&["help"]).1, out);
    assert_eq!(meshwork(&["ping", "-h"]).1, meshwork(&["help", "ping"]).1);
    if cfg!(not(feature = "desk")) {
        return;
    }
    assert!(meshwork(&["man"]).1.starts_with(".TH MESHWORK 8"));
    assert!(meshwork(&["completions", "bash"]).1.contains("complete -F _meshwork meshwork"));
    let (code, _, err) = meshwork(&["completions", "csh"]);
    assert_eq!((code, err.as_str()), (2, "meshwork: found \"csh\", allowed: bash, zsh or fish\n"));
}

#[test]
fn a_fault_is_told_before_it_ends_the_program() {
    use std::os::unix::process::ExitStatusExt as _;
    // Reads until somebody writes: nobody does.
    let child = Command::new(env!("CARGO_BIN_EXE_meshwork"))
        .args(["config", "check", "/dev/stdin"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    thread::sleep(std::time::Duration::from_millis(500));
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTRAP).unwrap();
    let done = child.wait_with_output().unwrap();
    let err = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.signal(), Some(5));
    let address = err.split_once("fault at 0x").unwrap().1.split_once(", after 0x").unwrap().0;
    assert!(u64::from_str_radix(address, 16).unwrap() > 0x1000, "{err}");
    assert!(err.ends_with(" (signal 5): please report this line\n") && err.lines().count() == 1, "{err}");
}
