//! The control socket from the asker's side, with a made-up node behind it.
#![allow(clippy::unwrap_used, reason = "test code")]

mod common;

use common::{Folder, about, fake_node, mac};
use mesh_core::Duration;
use meshwork::control::protocol::MAX_REQUEST;
use meshwork::control::server::MAX_ASKERS;
use meshwork::control::{ControlSocket, Server};
use serde_json::{Value, json};
use std::future::Future;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, watch};

/// Runs `test` against a served socket.
fn with_node<F: Future<Output = ()>>(name: &str, clients: u32, test: impl FnOnce(PathBuf) -> F) {
    let folder = Folder::new(name);
    let path = folder.0.join("mesh0.sock");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let socket = ControlSocket::bind(&path, None).unwrap();
        let (ask, asked) = mpsc::channel(8);
        let (_tell, told) = watch::channel(about());
        tokio::spawn(fake_node(asked, clients));
        let server = tokio::spawn(Server::new(socket, ask, told).serve());
        test(path.clone()).await;
        server.abort();
        let _ = server.await;
        assert!(!path.exists(), "the socket is still there");
    });
}

/// Sends lines and returns the lines that come back.
async fn talk(path: &Path, lines: &[&str]) -> Vec<Value> {
    let mut stream = BufReader::new(UnixStream::connect(path).await.unwrap());
    let mut answers = Vec::new();
    for line in lines {
        stream.write_all(format!("{line}\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_line(&mut answer).await.unwrap();
        answers.push(serde_json::from_str(&answer).unwrap_or_else(|e| panic!("{e}: {answer:?}")));
    }
    answers
}

async fn ask(path: &Path, ask: Value) -> Value {
    talk(path, &[&json!({"format": 1, "ask": ask}).to_string()]).await.remove(0)
}

#[test]
fn lists_have_batctls_keys() {
    with_node("lists", 0, async |path| {
        let node = json!({
            "version": "9.9.9", "algo_name": "BATMAN_IV", "mesh_ifname": "mesh0", "mesh_address": "02:00:00:00:00:64",
            "hard_ifname": "wlan0", "hard_address": "02:00:00:00:00:01", "tt_ttvn": 9
        });
        assert_eq!(
            ask(&path, json!("neighbors")).await,
            json!({"format": 1, "node": node, "neighbors": [{
                "hard_ifname": "wlan0", "last_seen_msecs": 1204, "neigh_address": "02:00:00:00:00:14",
                "orig_address": "02:00:00:00:00:02", "tq": 240, "echo_count": 60, "receive_count": 62, "meshwork": true
            }]})
        );
        assert_eq!(
            ask(&path, json!("originators")).await["originators"],
            json!([
                {
                    "hard_ifname": "wlan0", "orig_address": "02:00:00:00:00:02", "best": true, "last_seen_msecs": 300,
                    "neigh_address": "02:00:00:00:00:14", "tq": 240, "tt_ttvn": 4, "clients": 1, "meshwork": true
                },
                {
                    "hard_ifname": "wlan0", "orig_address": "02:00:00:00:00:02", "last_seen_msecs": 300,
                    "neigh_address": "02:00:00:00:00:15", "tq": 17, "tt_ttvn": 4, "clients": 1, "meshwork": true
                }
            ])
        );
        let clients = ask(&path, json!("clients")).await;
        let flags = |set: &[&str], raw: u32| {
            let mut flags = json!({
                "del": false, "roam": false, "wifi": false, "isolated": false, "nopurge": false, "new": false,
                "pending": false, "temp": false, "raw": raw
            });
            for name in set {
                flags[name] = json!(true);
            }
            flags
        };
        assert_eq!(
            clients["local_clients"],
            json!([
                {
                    "tt_address": "02:00:00:00:00:64", "tt_crc32": 255, "tt_vid": -1, "tt_flags": flags(&["nopurge"], 256)
                },
                {
                    "tt_address": "02:00:00:00:00:65", "tt_crc32": 255, "tt_vid": 7, "tt_flags": flags(&["new"], 512),
                    "last_seen_msecs": 2500
                }
            ])
        );
        assert_eq!(
            clients["global_clients"][0],
            json!({
                "orig_address": "02:00:00:00:00:02", "tt_address": "02:00:00:00:00:32", "tt_ttvn": 3, "tt_last_ttvn": 4,
                "tt_crc32": 0xdead_beef_u32, "tt_vid": -1, "tt_flags": flags(&["wifi", "temp"], 16 + 2048), "best": true
            })
        );
        assert_eq!(clients["global_clients"][1].get("best"), None);
        let class =
            |n: u64| json!({"frames": n, "bytes": 1000 * n, "late": 0, "marked": 0, "full": 0, "waited_us": 2000 * n});
        assert_eq!(
            ask(&path, json!("interfaces")).await["interfaces"],
            json!([
                {
                    "mesh_ifname": "mesh0", "hard_ifname": "wlan0", "hard_address": "02:00:00:00:00:01", "active": true,
                    "hop_penalty": 5, "mtu": 1532, "wifi": true, "channel_busy_percent": 35, "primary": true,
                    "waiting": 3,
                    "classes": {"control": class(0), "owner": class(0), "guest": class(0), "relay": class(1)}
                },
                {"mesh_ifname": "mesh0", "hard_ifname": "eth0", "reason": "it is a port of the bridge br-lan"},
                {"mesh_ifname": "mesh0", "hard_ifname": "eth1", "reason": "not there or not up"}
            ])
        );
        let share = ask(&path, json!("share")).await["share"].clone();
        assert_eq!(
            (&share["give"], &share["give_now"], &share["month_bytes"]),
            (&json!("all"), &json!("all"), &json!(5000))
        );
        assert_eq!(
            share["days"],
            json!([{
                "date": "2026-11-23", "carried_bytes": 5000, "guest_bytes": 0, "sent_bytes": 0, "received_bytes": 0,
                "used_sent_bytes": 70, "used_received_bytes": 0, "spare_bytes": 0, "running_secs": 60
            }])
        );
        assert_eq!(
            share["nodes"],
            json!([{
                "month": "2026-11", "orig_address": "02:00:00:00:00:02", "neighbor": true, "carried_bytes": 5000,
                "handed_bytes": 4000, "used_bytes": 70
            }])
        );
        assert_eq!(
            share["owner"],
            json!([{"hard_ifname": "wlan0", "told_sent": 600, "told_received": 500, "beside": 450}])
        );
        let dat = ask(&path, json!("dat")).await;
        assert_eq!(
            dat["dat_cache"],
            json!([
                {
                    "last_seen_msecs": 75_003, "dat_cache_ip4address": "10.0.0.50",
                    "dat_cache_hwaddress": "02:00:00:00:00:32", "dat_cache_vid": -1
                },
                {
                    "last_seen_msecs": 75_003, "dat_cache_ip4address": "10.0.0.9",
                    "dat_cache_hwaddress": "02:00:00:00:00:32", "dat_cache_vid": 7, "contested": true
                }
            ])
        );
        let bla = ask(&path, json!("bla")).await;
        assert_eq!(
            bla["bla_claims"],
            json!([
                {
                    "bla_address": "02:00:00:00:00:32", "bla_vid": -1, "bla_backbone": "02:00:00:00:00:01",
                    "bla_crc": 0x3ad8, "bla_own": true
                },
                {
                    "bla_address": "02:00:00:00:00:33", "bla_vid": 7, "bla_backbone": "02:00:00:00:00:09",
                    "bla_crc": 0x3ad8, "bla_own": false
                }
            ])
        );
        assert_eq!(
            dat["nd_cache"],
            json!([{
                "last_seen_msecs": 75_003, "nd_cache_ip6address": "fe80::50",
                "nd_cache_hwaddress": "02:00:00:00:00:32", "nd_cache_vid": -1, "router": true
            }])
        );
        assert_eq!(
            bla["bla_backbones"],
            json!([
                {
                    "bla_backbone": "02:00:00:00:00:01", "bla_vid": -1, "bla_crc": 0x3ad8, "bla_own": true,
                    "last_seen_msecs": 0, "claims": 1, "synced": false, "wait_msecs": 12_500
                },
                {
                    "bla_backbone": "02:00:00:00:00:09", "bla_vid": -1, "bla_crc": 0x3ad8, "bla_own": false,
                    "last_seen_msecs": 2003, "claims": 1, "synced": false
                }
            ])
        );
        let multicast = ask(&path, json!("multicast")).await;
        let bits = |raw: u32| {
            json!({
                "all_unsnoopables": raw & 1 != 0, "want_all_ipv4": raw & 2 != 0, "want_all_ipv6": raw & 4 != 0,
                "want_no_rtr_ipv4": raw & 8 != 0, "want_no_rtr_ipv6": raw & 16 != 0,
                "have_mc_ptype_capa": raw & 32 != 0, "raw": raw
            })
        };
        let above = json!({
            "bridged": true, "querier_ipv4_exists": true, "querier_ipv6_exists": true,
            "querier_ipv4_shadowing": false, "querier_ipv6_shadowing": true, "raw": 0b10111
        });
        assert_eq!(
            multicast["multicast"],
            json!({
                "mcast_flags": bits(0x39), "mcast_flags_priv": above,
                "multicast_forceflood_enabled": false, "multicast_fanout": 16
            })
        );
        assert_eq!(
            multicast["mcast_flags"],
            json!([
                {"orig_address": "02:00:00:00:00:02", "mcast_flags": bits(0x3e)},
                {"orig_address": "02:00:00:00:00:04"}
            ])
        );
        let mesh = ask(&path, json!("mesh")).await["mesh"].clone();
        assert_eq!((&mesh["mcast_flags"], &mesh["mcast_flags_priv"]), (&bits(0x39), &above));
        assert_eq!((&mesh["orig_interval"], &mesh["hop_penalty"]), (&json!(1000), &json!(30)));
        assert_eq!((&mesh["mesh_ifname"], &mesh["distributed_arp_table_enabled"]), (&json!("mesh0"), &json!(true)));
    });
}

#[test]
fn status_and_statistics() {
    with_node("status", 0, async |path| {
        let status = ask(&path, json!("status")).await["status"].clone();
        assert_eq!(status["uptime_msecs"], json!(61_500));
        // One of the two has no way there.
        assert_eq!((&status["originators"], &status["neighbors"]), (&json!(1), &json!(1)));
        // The client at two nodes counts once.
        assert_eq!((&status["local_clients"], &status["global_clients"]), (&json!(2), &json!(1)));
        assert_eq!(status["config"]["reload"]["error"], json!("m.toml:1:1: nonsense"));
        let statistics = ask(&path, json!("statistics")).await["statistics"].clone();
        assert_eq!(statistics["counters"]["tx"], json!(8), "control side and data plane together");
        assert_eq!((&statistics["drops"]["ttl"], &statistics["drops"]["short"]), (&json!(1), &json!(0)));
        assert_eq!(statistics["interfaces"]["wlan0"]["rx_frames"], json!(12));
        assert_eq!(statistics["interfaces"]["mesh0"]["rx_frames"], json!(0));
    });
}

#[test]
fn addresses_are_found() {
    with_node("translate", 0, async |path| {
        for (address, kind, orig) in [
            (mac(1), "own", mac(1)),
            (mac(100), "own", mac(1)),
            (mac(2), "originator", mac(2)),
            (mac(50), "client", mac(2)),
            (mac(20), "neighbor", mac(2)),
        ] {
            let answer = ask(&path, json!({"translate": {"address": address.to_string()}})).await;
            assert_eq!(
                answer["translation"],
                json!({"address": address.to_string(), "kind": kind, "orig_address": orig.to_string()})
            );
        }
        assert_eq!(
            ask(&path, json!({"translate": {"address": "02:00:00:00:00:99"}})).await,
            json!({"format": 1, "error": "no node of the mesh and none of its clients has the address 02:00:00:00:00:99"})
        );
    });
}

#[test]
fn echoes() {
    with_node("echo", 0, async |path| {
        let echo = |last: u8, ttl: u8| {
            json!({"echo": {
                "address": mac(last).to_string(), "ttl": ttl, "seqno": 3, "record_route": ttl == 50, "timeout_msecs": 50
            }})
        };
        assert_eq!(
            ask(&path, echo(2, 50)).await,
            json!({"format": 1, "echo": {
                "orig_address": "02:00:00:00:00:02", "seqno": 3, "ttl": 49, "rtt_usecs": 1234,
                "route": ["02:00:00:00:00:01", "02:00:00:00:00:02", "02:00:00:00:00:01"]
            }})
        );
        let exceeded = ask(&path, echo(2, 1)).await;
        assert_eq!(exceeded["echo"]["ttl_exceeded"], json!(true));
        assert_eq!(exceeded["echo"]["orig_address"], json!("02:00:00:00:00:03"));
        // Nobody answers: no error, no echo.
        assert_eq!(ask(&path, echo(9, 50)).await, json!({"format": 1}));
        assert!(ask(&path, echo(2, 0)).await["error"].as_str().unwrap().starts_with("ttl is 1 to 255"));
    });
}

#[test]
fn events_follow_each_other() {
    with_node("events", 0, async |path| {
        let mut stream = BufReader::new(UnixStream::connect(&path).await.unwrap());
        stream.write_all(b"{\"format\":1,\"id\":5,\"ask\":\"events\"}\n").await.unwrap();
        let mut lines = Vec::new();
        for _ in 0..5 {
            let mut line = String::new();
            stream.read_line(&mut line).await.unwrap();
            let mut value: Value = serde_json::from_str(&line).unwrap();
            assert_eq!(value["id"], json!(5));
            if let Some(event) = value.get_mut("event").and_then(Value::as_object_mut) {
                assert!(event.remove("at_msecs").is_some());
            }
            lines.push(value);
        }
        assert_eq!(lines[0]["node"]["mesh_ifname"], json!("mesh0"));
        let events: Vec<&Value> = lines[1..].iter().map(|l| &l["event"]).collect();
        assert_eq!(
            events,
            [
                &json!({"what": "neighbor_new", "hard_ifname": "wlan0", "neigh_address": "02:00:00:00:00:14"}),
                &json!({"what": "originator_new", "orig_address": "02:00:00:00:00:02"}),
                &json!({"what": "client_roamed", "tt_address": "02:00:00:00:00:32", "tt_vid": 7, "to_us": true}),
                &json!({"what": "table_full", "table": "originators"}),
            ]
        );
    });
}

#[test]
fn wrong_requests_are_named_and_the_next_one_is_answered() {
    with_node("wrong", 0, async |path| {
        let answers = talk(
            &path,
            &[
                "nonsense",
                "{\"format\":2,\"ask\":\"later_things\"}",
                "{\"format\":2,\"id\":8,\"ask\":\"mesh\"}",
                "{\"format\":1,\"ask\":\"everything\"}",
                "{\"format\":1,\"ask\":{\"translate\":{\"address\":\"roof\"}}}",
                "{\"format\":1,\"id\":9,\"ask\":\"neighbors\"}",
            ],
        )
        .await;
        let error = |i: usize| answers[i]["error"].as_str().unwrap().to_owned();
        assert!(error(0).starts_with("the request is not understood: expected"), "{}", error(0));
        assert_eq!(error(1), "found format 2, allowed: 1; node and command are of different versions");
        assert_eq!((error(2), &answers[2]["id"]), (error(1), &json!(8)));
        assert!(error(3).contains("unknown variant `everything`, expected one of `status`, `mesh`"), "{}", error(3));
        assert!(error(4).contains("not a MAC address"), "{}", error(4));
        assert_eq!((answers[5].get("error"), &answers[5]["id"]), (None, &json!(9)));
    });
}

#[test]
fn a_request_without_end_is_cut_off() {
    with_node("endless", 0, async |path| {
        let mut stream = UnixStream::connect(&path).await.unwrap();
        stream.write_all(&vec![b'x'; MAX_REQUEST]).await.unwrap();
        let mut rest = Vec::new();
        // The node closes; what is left unread on its side may turn that into a reset.
        let _ = stream.read_to_end(&mut rest).await;
        assert_eq!(rest, b"");
    });
}

#[test]
fn too_many_askers_are_turned_away_and_room_comes_back() {
    with_node("many", 0, async |path| {
        let mut held = Vec::new();
        for _ in 0..MAX_ASKERS {
            held.push(UnixStream::connect(&path).await.unwrap());
        }
        let mut late = BufReader::new(UnixStream::connect(&path).await.unwrap());
        let mut line = String::new();
        late.read_line(&mut line).await.unwrap();
        assert_eq!(
            serde_json::from_str::<Value>(&line).unwrap(),
            json!({"format": 1, "error": format!("{MAX_ASKERS} others ask already; try again")})
        );
        held.clear();
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(ask(&path, json!("neighbors")).await.get("error").is_none());
    });
}

#[test]
fn an_asker_that_does_not_read_holds_nobody_up() {
    // More than a socket's buffers take.
    with_node("slow", 20_000, async |path| {
        let mut slow = UnixStream::connect(&path).await.unwrap();
        slow.write_all(b"{\"format\":1,\"ask\":\"clients\"}\n").await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        let begun = std::time::Instant::now();
        let answer = ask(&path, json!("clients")).await;
        assert_eq!(answer["global_clients"].as_array().unwrap().len(), 20_002);
        assert!(begun.elapsed() < Duration::from_secs(3));
        // And is cut off in the end: what arrives is not a whole line.
        tokio::time::sleep(Duration::from_secs(6)).await;
        let mut got = Vec::new();
        let _ = slow.read_to_end(&mut got).await;
        assert!(!got.is_empty() && !got.ends_with(b"}\n"));
    });
}

#[test]
fn the_socket_is_for_owner_and_group_and_one_node_only() {
    let folder = Folder::new("bind");
    let path = folder.0.join("below/mesh0.sock");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let socket = ControlSocket::bind(&path, None).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
        let names: Vec<_> = std::fs::read_dir(path.parent().unwrap()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, ["mesh0.sock"]);
        let second = ControlSocket::bind(&path, None).unwrap_err().to_string();
        assert_eq!(
            second,
            format!(
                "another node already runs for this mesh: {} is in use. Choose another name with --mesh, or stop it first",
                path.display()
            )
        );
        drop(socket);
        assert!(!path.parent().unwrap().exists(), "the folder was made for the socket and goes with it");
    });
}

#[test]
fn what_a_dead_node_left_is_replaced() {
    let folder = Folder::new("stale");
    let path = folder.0.join("mesh0.sock");
    // A listener that is closed without removing its file, as after kill -9.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let socket = ControlSocket::bind(&path, None).unwrap();
        assert!(UnixStream::connect(&path).await.is_ok());
        // A later node's socket is not taken away by an earlier one that ends late.
        std::fs::remove_file(&path).unwrap();
        let later = std::os::unix::net::UnixListener::bind(&path).unwrap();
        drop(socket);
        assert!(path.exists());
        drop(later);
    });
}

#[test]
fn other_things_in_the_way_are_left_alone() {
    let folder = Folder::new("file");
    let path = folder.0.join("mesh0.sock");
    std::fs::write(&path, "precious").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let error = ControlSocket::bind(&path, None).unwrap_err().to_string();
        assert_eq!(error, format!("{} is in the way: it is no socket", path.display()));
        let error = ControlSocket::bind(&folder.0.join("s"), Some("no such group")).unwrap_err().to_string();
        assert_eq!(error, "there is no group \"no such group\" that the control socket could belong to");
    });
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
}

#[test]
fn a_throughput_test_says_how_it_goes_and_ends_when_told() {
    with_node("throughput", 0, async |path| {
        let start = |msecs: u64| {
            let ask = json!({"throughput": {"address": "02:00:00:00:00:02", "test_msecs": msecs}});
            json!({"format": 1, "id": 3, "ask": ask}).to_string() + "\n"
        };
        let mut stream = BufReader::new(UnixStream::connect(&path).await.unwrap());
        stream.write_all(start(2000).as_bytes()).await.unwrap();
        let mut lines = String::new();
        stream.read_to_string(&mut lines).await.unwrap();
        let lines: Vec<Value> = lines.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        let view = |secs: u64| json!({"orig_address": "02:00:00:00:00:02", "elapsed_msecs": 1000 * secs, "bytes": 1000 * secs, "repeated": 2});
        let mut end = view(2);
        (end["result"], end["code"]) = (json!("complete"), json!(3));
        assert_eq!(
            lines,
            [json!({"format": 1, "id": 3, "throughput": view(1)}), json!({"format": 1, "id": 3, "throughput": end})]
        );

        let mut stream = BufReader::new(UnixStream::connect(&path).await.unwrap());
        stream.write_all(start(60_000).as_bytes()).await.unwrap();
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        assert!(!line.contains("result"), "{line}");
        stream.write_all(b"\n").await.unwrap();
        line.clear();
        stream.read_line(&mut line).await.unwrap();
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap()["throughput"]["result"], json!("cancelled"));
        line.clear();
        assert_eq!(stream.read_line(&mut line).await.unwrap(), 0, "nothing follows");

        let refused = talk(&path, &[start(4_000_000).trim_end()]).await.remove(0);
        assert_eq!(refused["error"], json!("found test_msecs 4000000, allowed: 1 to 3600000"));
    });
}
