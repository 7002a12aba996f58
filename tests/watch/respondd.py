"""respondd, as a map server and as other nodes see it. Six nodes in a line: three of ours, then three that say nothing
of themselves in routing, as kernel nodes; two of those answer by respondd as Gluon nodes do."""

import json
import socket
import threading
import time
import zlib

from fields import YANIC, fits
from world import Line, check, finish, in_namespace, udp_in, until

ALL, PORT = "ff05::2:1001", 1001


def unpack(data):
    return json.loads(zlib.decompress(data, -15))


def answers(asker, to, question, seconds):
    """Answers to a question with their senders and when they came."""
    start, got = time.time(), []
    asker.sendto(question, to)
    while (left := start + seconds - time.time()) > 0:
        asker.settimeout(left)
        try:
            data, sender = asker.recvfrom(9000)
        except TimeoutError:
            break
        got.append((time.time() - start, sender[0].split("%")[0], data))
    return got


class Gluon(threading.Thread):
    """Answers as a Gluon node does: raw deflate, the interface as it is called there."""

    def __init__(self, ns, name, macs, neighbours):
        super().__init__(daemon=True)
        self.questions, self.bytes, self.name = [], 0, name
        node = macs[0].replace(":", "")
        self.parts = {
            "nodeinfo": {
                "node_id": node, "hostname": name, "hardware": {"model": "TP-Link Archer C7 v5", "nproc": 1},
                "location": {"latitude": 53.07, "longitude": 8.8},
                "software": {"firmware": {"base": "gluon-v2023.2.4", "release": "v1"}},
                "network": {"mac": "aa:bb:cc:00:00:01", "mesh": {"bat0": {"interfaces": {"other": macs}}}},
            },
            "statistics": {"node_id": node, "clients": {"total": 3, "wifi": 2}},
            "neighbours": {"node_id": node, "batadv": {own: {"neighbours": {}} for own, _, _ in neighbours}},
        }
        for own, other, tq in neighbours:
            self.parts["neighbours"]["batadv"][own]["neighbours"][other] = {"tq": tq, "lastseen": 0.3, "best": True}

        def listen():
            s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
            s.bind(("::", PORT))
            index = socket.if_nametoindex("mesh0").to_bytes(4, "little")
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, socket.inet_pton(socket.AF_INET6, ALL) + index)
            return s

        self.socket = in_namespace(ns, listen)
        self.start()

    def run(self):
        while True:
            data, sender = self.socket.recvfrom(2000)
            self.questions.append((time.time(), data))
            names = data.decode().removeprefix("GET ").split()
            text = json.dumps({name: self.parts[name] for name in names}).encode()
            packed = zlib.compressobj(9, zlib.DEFLATED, -15)
            out = packed.compress(text) + packed.flush()
            self.bytes += len(data) + len(out) + 124
            self.socket.sendto(out, sender)


line = Line("mw-r", 6)
SILENT = "publish = false\nextensions = false"
for i in range(1, 7):
    line.start(i, more_mesh=SILENT if i > 3 else "", http="listen = [\"localhost\", \"mesh\"]" if i <= 3 else "respondd = false")
check(until(40, lambda: len({o["orig_address"] for o in line.ask(1, "originators")["originators"]}) == 5), "the mesh stands")
# A client, whose address nobody may read.
CLIENT = "06:12:34:56:78:9a"
line.inside(2, "ip", "link", "add", "link", "mesh0", "name", "mv0", "address", CLIENT, "type", "macvlan")
line.inside(2, "ip", "link", "set", "mv0", "up")

# The map server's side, at node 3.
asker = udp_in("mw-r3", "mesh0")
scope = in_namespace("mw-r3", lambda: socket.if_nametoindex("mesh0"))
until(20, lambda: len(answers(asker, (ALL, PORT, 0, scope), b"GET nodeinfo", 6)) == 3)
got = answers(asker, (ALL, PORT, 0, scope), b"GET nodeinfo statistics neighbours", 7)
ids = {unpack(data)["nodeinfo"]["node_id"] for _, _, data in got}
ours = {line.originator(i).replace(":", "") for i in (1, 2, 3)}
check(ids == ours and len(got) == 3, "each of our nodes answers a question to all once", sorted(ids))
check(all(t <= 5.5 for t, _, _ in got), "within 5 s", [round(t, 1) for t, _, _ in got])
for _, _, data in got:
    answer = unpack(data)
    bad = fits(answer, YANIC)
    check(not bad, "the answer has yanic's fields and types", "; ".join(bad[:3]) or f"{len(data)} of {len(json.dumps(answer))} bytes")
    check(CLIENT not in json.dumps(answer), "no client's address")
# The links of node 2, as yanic draws them: from its interfaces to addresses that others call theirs.
parts = {unpack(data)["nodeinfo"]["hostname"]: unpack(data) for _, _, data in got}
mine = {name: {m for mesh in p["nodeinfo"]["network"]["mesh"].values() for macs in mesh["interfaces"].values() for m in macs}
        for name, p in parts.items()}
links = {(name, other) for name, p in parts.items() for own, seen in p["neighbours"]["batadv"].items() if own in mine[name]
         for mac in seen["neighbours"] for other in mine if mac in mine[other]}
check(links == {("node1", "node2"), ("node2", "node1"), ("node2", "node3"), ("node3", "node2")}, "yanic finds all links, both ways")
to_two = next(sender for _, sender, data in got if unpack(data)["nodeinfo"]["hostname"] == "node2")
single = answers(asker, (to_two, PORT, 0, scope), b"nodeinfo", 2)
check(len(single) == 1 and not fits(json.loads(single[0][2]), YANIC["nodeinfo"]), "one name alone: plain, not packed")
check(single and single[0][0] < 1, "one who is asked alone answers at once", round(single[0][0], 2) if single else "")
for i in range(300):
    asker.sendto(b"GET nodeinfo statistics neighbours", (to_two, PORT, 0, scope))
    asker.sendto(b"\xff" * (i * 4), (to_two, PORT, 0, scope))
    other = udp_in("mw-r3", "mesh0") if i % 10 == 0 else other
    other.sendto(b"GET nodeinfo", (to_two, PORT, 0, scope))
    time.sleep(0.01)
flood = answers(asker, (to_two, PORT, 0, scope), b"GET nodeinfo", 2)
check(len(flood) < 40, "not more than 20 answers in a row, and two a second", len(flood))
check(line.ask(2, "status")["status"]["neighbors"] == 2, "nonsense does not end the node")

# The asker's side: node 1. Nobody looks: nobody is asked.
five, six, four = line.originator(5), line.originator(6), line.originator(4)
mac = lambda i, name: json.loads(line.inside(i, "ip", "-j", "link", "show", name))[0]["address"]
g4 = Gluon("mw-r4", "ff-four", [mac(4, "l4"), mac(4, "r4")], [(mac(4, "r4"), mac(5, "l5"), 231)])
g5 = Gluon("mw-r5", "ff-five", [mac(5, "l5"), mac(5, "r5")], [(mac(5, "l5"), mac(4, "r4"), 230), (mac(5, "r5"), mac(6, "l6"), 120),
                                                              (mac(5, "r5"), "02:ba:d0:00:00:01", 99)])


def graph():
    return json.loads(line.get(1, "/api/v1/topology"))


def between(graph, a, b):
    return [l for l in graph["links"] if {l["source"], l["target"]} == {a, b}]


# Until all know who listens.
time.sleep(8)
check(not g4.questions and not g5.questions, "nobody is asked while nobody looks")
first = graph()
check(not between(first, five, six) and not between(first, four, five), "no link between silent nodes before one tells of it")
looked = time.time()
shown = until(25, lambda: between(g := graph(), five, six) and between(g, four, five) and g)
check(shown, "the links that respondd tells of are on the map", f"after {time.time() - looked:.1f} s")
link = between(shown or graph(), five, six)[0]
check(link["properties"].get("respondd") is True and link["properties"].get("tq") == 120, "marked as told by respondd, with its quality")
check(not between(graph(), six, six) and all("02:ba" not in json.dumps(l["source"] + l["target"]) for l in graph()["links"]),
      "no link to an address that routing does not know")
node = next(n for n in graph()["nodes"] if n["id"] == five)
check(node["label"] == "ff-five" and node["properties"]["respondd"]["model"] == "TP-Link Archer C7 v5", "the node has the name that it told", node["label"])
viewer = json.loads(line.get(1, "/meshviewer.json"))
named = next((n for n in viewer["nodes"] if n["hostname"] == "ff-five"), {})
check(named.get("firmware", {}).get("base") == "gluon-v2023.2.4" and named.get("location", {}).get("latitude") == 53.07, "meshviewer has firmware and place")
end = time.time() + 60
while time.time() < end:
    graph()
    time.sleep(2)
took = time.time() - looked
alls = [t for t, q in g5.questions if q == b"GET nodeinfo neighbours"]
check(len(alls) == 1, "one question to all in the first minute", len(alls))
check(len(g5.questions) >= 2, "and it is asked again alone", len(g5.questions))
check((g4.bytes + g5.bytes) / took < 2000, "bytes per second, two nodes", round((g4.bytes + g5.bytes) / took))
finish()
