"""A real Prometheus scrapes four nodes by docs/monitoring: it finds them by one of them, the rules load, every panel of
the dashboard has an answer, and a node that dies is missed."""

import json
import os
import re
import urllib.parse
import urllib.request

from world import WORK, Line, check, finish, in_namespace, run, until

DOCS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs/monitoring")
COUNT = 4
# Figures that a mesh of cables under B.A.T.M.A.N. IV has not.
EMPTY = ["meshwork_neighbor_throughput_bytes_per_second", "meshwork_channel_busy_ratio", "meshwork_dropped_frames_total"]

line = Line("mw-p", COUNT)
for i in range(1, COUNT + 1):
    node = line.start(i)
check(until(40, lambda: len({o["orig_address"] for o in line.ask(1, "originators")["originators"]}) == COUNT - 1), "the mesh stands")
dead = node

for file in ["prometheus.yml", "alerts.yml"]:
    text = open(f"{DOCS}/{file}").read()
    # As it is, but faster.
    text = text.replace("scrape_interval: 15s", "scrape_interval: 1s\n  evaluation_interval: 1s")
    text = text.replace("prometheus-sd.json\n", "prometheus-sd.json\n        refresh_interval: 2s\n")
    open(f"{WORK}/{file}", "w").write(text)
checked = run("promtool", "check", "config", f"{WORK}/prometheus.yml")
check("SUCCESS" in checked, "promtool finds the configuration and the rules good")
line.spawn(1, "prometheus", f"--config.file={WORK}/prometheus.yml", f"--storage.tsdb.path={WORK}/tsdb",
           "--web.listen-address=127.0.0.1:9090", log=open(f"{WORK}/prometheus.log", "w"))


def api(path, **more):
    def ask():
        with urllib.request.urlopen(f"http://127.0.0.1:9090/api/v1/{path}?{urllib.parse.urlencode(more)}", timeout=10) as answer:
            return json.load(answer)["data"]

    return in_namespace(line.ns(1), ask)


def query(text):
    return api("query", query=text)["result"]


ups = until(60, lambda: len(found := query('up{job="meshwork"} == 1')) == COUNT and found) or []
names = sorted(r["metric"]["instance"] for r in ups)
check(names == [f"node{i}" for i in range(1, COUNT + 1)], "all nodes are found by one of them, and scraped", names)
targets = json.loads(line.get(1, "/prometheus-sd.json"))
check(all(re.match(r"^[0-9a-f]{12}$", t["labels"]["node_id"]) for t in targets), "targets", [t["targets"][0] for t in targets])
zoned = json.loads(line.get(1, "/prometheus-sd.json?zone=br-mesh"))
check(all("%br-mesh]" in t["targets"][0] for t in zoned[1:]), "with the interface that the asker names")
until(15, lambda: len(query("rate(meshwork_interface_received_bytes_total[5s])")))

known = set(re.findall(r"^# TYPE (\S+)", line.get(1, "/metrics").decode(), re.M))
panels = json.load(open(f"{DOCS}/grafana.json"))["panels"]
shown = 0
for panel in panels:
    for target in panel.get("targets", []):
        text = target["expr"].replace("$node", ".*").replace("$__rate_interval", "10s")
        got = query(text)
        metrics = set(re.findall(r"meshwork_\w+", text))
        good = metrics <= known and (got or metrics <= set(EMPTY))
        shown += bool(got)
        check(good, f"dashboard: {panel['title']}", f"{len(got)} series")
check(shown >= 8, "panels with data", shown)
rules = [r for group in api("rules")["groups"] for r in group["rules"]]
bad = [r["name"] for r in rules if r["health"] != "ok"]
check(rules and not bad, "all alerts are evaluated", bad or len(rules))
for rule in rules:
    check(set(re.findall(r"meshwork_\w+", rule["query"])) <= known, f"alert {rule['name']} asks for figures that there are")
check(not [a for a in api("alerts")["alerts"] if a["labels"]["alertname"] == "MeshworkNodeDown"], "no node is missed")

dead.kill()
missed = until(40, lambda: [a for a in api("alerts")["alerts"] if a["labels"]["alertname"] == "MeshworkNodeDown"]) or []
check([a["labels"]["instance"] for a in missed] == [f"node{COUNT}"], "a node that died is missed", [a["state"] for a in missed])
finish()
