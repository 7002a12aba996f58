"""Documents against what reads them: meshviewer's fields, NetJSON's reader, promtool, and OpenAPI by schemathesis."""

import json
import os
import re
import subprocess

from fields import FLAG, NETJSON, NUMBER, TEXT, WHOLE, fits
from world import BIN, Line, check, finish, until

TOOLS = os.environ["TOOLS"]
# Source: yanic, output/meshviewer-ffrgb/struct.go. `network` and `vpn` are what older meshviewers read.
CLIENTS = {f"clients{kind}?": WHOLE for kind in ["_wifi24", "_wifi5", "_other", "_owe", "_owe24", "_owe5"]}
MESHVIEWER = {
    "timestamp": TEXT,
    "nodes": [{
        "firstseen": TEXT, "lastseen": TEXT, "is_online": FLAG, "is_gateway": FLAG, "clients": WHOLE, **CLIENTS,
        "rootfs_usage?": NUMBER, "loadavg?": NUMBER, "memory_usage?": NUMBER, "uptime?": TEXT, "gateway_nexthop?": TEXT,
        "gateway?": TEXT, "gateway6?": TEXT, "gateway_tq?": NUMBER, "node_id": TEXT, "mac": TEXT, "addresses": [TEXT],
        "domain?": TEXT, "hostname": TEXT, "owner?": TEXT, "location?": {"longitude": NUMBER, "latitude": NUMBER},
        "firmware?": {"base?": TEXT, "release?": TEXT, "target?": TEXT, "subtarget?": TEXT, "image_name?": TEXT},
        "autoupdater": {"enabled": FLAG, "branch?": TEXT}, "nproc": WHOLE, "model?": TEXT, "custom_fields?": {"*": TEXT},
        "network?": {"mac": TEXT, "addresses": [TEXT]}, "vpn?": FLAG,
    }],
    "links": [{
        "type": TEXT, "source": TEXT, "target": TEXT, "source_tq": NUMBER, "target_tq": NUMBER, "source_addr": TEXT,
        "target_addr": TEXT,
    }],
}
# Keys that batctl prints, and of which kind. Source: batctl, genl_json.c; which the kernel sends: batman-adv, netlink.
BATCTL = {
    "neighbors_json": {"hard_ifindex", "hard_ifname", "last_seen_msecs", "neigh_address"},
    "originators_json": {"hard_ifindex", "hard_ifname", "orig_address", "last_seen_msecs", "neigh_address", "tq"},
    "hardifs_json": {"mesh_ifindex", "mesh_ifname", "hard_ifindex", "hard_ifname", "hard_address", "active", "hop_penalty"},
    "transtable_local_json": {"tt_address", "tt_crc32", "tt_vid", "tt_flags"},
    "transtable_global_json": {"orig_address", "tt_address", "tt_ttvn", "tt_last_ttvn", "tt_crc32", "tt_vid", "tt_flags"},
}
MESH = {"version", "algo_name", "mesh_ifindex", "mesh_ifname", "mesh_address", "hard_ifindex", "hard_ifname", "hard_address",
        "tt_ttvn", "mcast_flags", "mcast_flags_priv", "aggregated_ogms_enabled", "ap_isolation_enabled", "bonding_enabled",
        "bridge_loop_avoidance_enabled", "distributed_arp_table_enabled", "fragmentation_enabled", "gw_bandwidth_down",
        "gw_bandwidth_up", "gw_mode", "gw_sel_class", "hop_penalty", "multicast_forceflood_enabled", "multicast_fanout",
        "orig_interval"}

line = Line("mw-f", 3)
for i in (1, 2, 3):
    line.start(i)
check(until(40, lambda: len({o["orig_address"] for o in line.ask(1, "originators")["originators"]}) == 2), "the mesh stands")
until(70, lambda: len(json.loads(line.get(1, "/api/v1/topology"))["links"]) >= 2)

viewer = json.loads(line.get(1, "/meshviewer.json"))
bad = fits(viewer, MESHVIEWER)
check(not bad and len(viewer["nodes"]) == 3, "meshviewer's fields and types", "; ".join(bad[:3]))
ids = {n["node_id"] for n in viewer["nodes"]}
check(all(l["source"] in ids and l["target"] in ids for l in viewer["links"]) and len(viewer["links"]) == 2, "its links join its nodes")
check(all(re.match(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+0000$", n["lastseen"]) for n in viewer["nodes"]), "dates as yanic writes them")

# netdiff is what OpenWISP reads topologies with. It asks the address itself, as OpenWISP does.
PARSE = "import sys, json; from netdiff import NetJsonParser as P; g = P(json.loads(sys.argv[1])); j = g.json(dict=True); print(len(j['nodes']), len(j['links']))"
read = subprocess.run([f"{TOOLS}/bin/python", "-c", PARSE, line.get(1, "/api/v1/topology").decode()], capture_output=True, text=True)
check(read.stdout.split() == ["3", "2"], "OpenWISP's reader takes the NetworkGraph: nodes, links", read.stdout.strip() or read.stderr[-200:])
for path, shape in NETJSON.items():
    document = json.loads(line.get(1, path))
    bad = fits(document, shape)
    check(not bad, f"{path} has what NetJSON asks for", "; ".join(bad[:3]) or document["type"])

metrics = line.get(1, "/metrics").decode()
done = subprocess.run(["promtool", "check", "metrics"], input=metrics, capture_output=True, text=True)
check(done.returncode == 0 and not done.stderr, "promtool check metrics is content", done.stderr[:300])
for file in ["alerts.yml"]:
    done = subprocess.run(["promtool", "check", "rules", f"{os.path.dirname(os.path.abspath(__file__))}/../../docs/monitoring/{file}"], capture_output=True, text=True)
    check(done.returncode == 0, "promtool check rules is content", done.stderr[:300])

for name, keys in BATCTL.items():
    listed = json.loads(subprocess.run([BIN, "batctl", name, "--socket", line.socket(1)], capture_output=True, text=True, check=True).stdout)
    # Where the node runs, interfaces have numbers.
    inside = json.loads(line.inside(1, BIN, "batctl", name, "--socket", line.socket(1)))
    check(listed and all(keys <= set(entry) for entry in inside), f"batctl {name} has batctl's keys", keys - set(inside[0]) or "")
    flags = inside[0].get("tt_flags")
    check(flags is None or {"del", "roam", "wifi", "isolated", "nopurge", "new", "pending", "temp", "raw"} == set(flags), f"{name}: flags")
mesh = json.loads(line.inside(1, BIN, "batctl", "mesh_json", "--socket", line.socket(1)))
check(MESH <= set(mesh), "batctl mesh_json has batctl's keys", MESH - set(mesh) or "")
table = line.inside(1, BIN, "batctl", "o", "-H", "--socket", line.socket(1))
row = r"^ [* ] [0-9a-f:]{17} +\d+\.\d{3}s +\( *\d+\) [0-9a-f:]{17} \[ *\w+\]$"
check(table and all(re.match(row, text) for text in table.splitlines()), "batctl o prints the table that scripts cut", table.splitlines()[:1])

done = subprocess.run(
    ["ip", "netns", "exec", line.ns(1), f"{TOOLS}/bin/schemathesis", "run", "http://127.0.0.1:4305/openapi.json", "--checks", "all",
     "--max-examples", os.environ.get("EXAMPLES", "20"), "--seed", "1", "--no-color", "--workers", "1", "--request-timeout", "20"],
    capture_output=True, text=True, cwd=os.environ["WORK"])
check(done.returncode == 0, "schemathesis finds nothing", done.stdout[done.stdout.find("FAILURES") :][:1800] if done.returncode else done.stdout.strip().splitlines()[-1])
finish()
