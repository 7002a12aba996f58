"""Nodes in network namespaces, in a line, for the checks of this folder. Needs root."""

import atexit
import ctypes
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request

BIN = os.environ["MESHWORK_BIN"]
WORK = os.environ["WORK"]

checks = [0, 0]


def check(good, what, found=""):
    """Counts a check, and says it when it fails."""
    checks[0 if good else 1] += 1
    print(f"{'ok  ' if good else 'FAIL'} {what}{f': {found}' if found != '' else ''}", flush=True)
    return good


def until(seconds, ask):
    """Asks again and again until the answer is true; the last answer."""
    end = time.time() + seconds
    while True:
        try:
            got = ask()
        except (OSError, subprocess.CalledProcessError):
            got = None
        if got or time.time() > end:
            return got
        time.sleep(0.2)


def run(*words, **more):
    return subprocess.run(words, check=True, capture_output=True, text=True, **more).stdout


class Line:
    """Namespaces w1 to wN, each joined to the next by a cable."""

    def __init__(self, name, count):
        self.name, self.count, self.processes = name, count, []
        atexit.register(self.end)
        for i in range(1, count + 1):
            run("ip", "netns", "add", self.ns(i))
            run("ip", "-n", self.ns(i), "link", "set", "lo", "up")
        for i in range(1, count):
            self.cable(i, f"r{i}", i + 1, f"l{i + 1}")

    def ns(self, i):
        return f"{self.name}{i}"

    def cable(self, a, a_name, b, b_name):
        run("ip", "link", "add", a_name, "netns", self.ns(a), "type", "veth", "peer", "name", b_name, "netns", self.ns(b))
        for i, name in [(a, a_name), (b, b_name)]:
            run("ip", "-n", self.ns(i), "link", "set", name, "up")

    def start(self, i, links=None, more_mesh="", http='listen = ["localhost", "mesh"]'):
        """Starts the node of a namespace."""
        links = links or [f"l{i}"] * (i > 1) + [f"r{i}"] * (i < self.count)
        file = f"{WORK}/{self.ns(i)}.toml"
        with open(file, "w") as f:
            f.write(f'[mesh]\nname = "mesh0"\nnode_name = "node{i}"\nstate_dir = ""\nalgorithm = "IV"\n{more_mesh}\n')
            f.write(f'[http]\n{http}\n[control]\nsocket = "{self.socket(i)}"\n')
            f.writelines(f'[[link]]\ninterface = "{link}"\n' for link in links)
        log = open(f"{WORK}/{self.ns(i)}.log", "w")
        return self.spawn(i, BIN, "run", "-c", file, log=log)

    def socket(self, i):
        return f"{WORK}/{self.ns(i)}.sock"

    def spawn(self, i, *words, log=subprocess.DEVNULL, **more):
        process = subprocess.Popen(["ip", "netns", "exec", self.ns(i), *words], stdout=log, stderr=log, **more)
        self.processes.append(process)
        return process

    def inside(self, i, *words, **more):
        return run("ip", "netns", "exec", self.ns(i), *words, **more)

    def ask(self, i, *words):
        return json.loads(run(BIN, *words, "--json", "--socket", self.socket(i)))

    def get(self, i, path, timeout=20):
        """A document, as anybody gets it over TCP on the node's own machine."""
        return in_namespace(self.ns(i), lambda: http("127.0.0.1", path, timeout))

    def originator(self, i):
        return self.ask(i, "neighbors")["node"]["hard_address"]

    def end(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
        for i in range(1, self.count + 1):
            subprocess.run(["ip", "netns", "del", self.ns(i)], capture_output=True)


def http(host, path, timeout=20):
    with urllib.request.urlopen(f"http://{host}:4305{path}", timeout=timeout) as answer:
        return answer.read()


def in_namespace(name, work):
    """Does some work in another namespace and comes back."""
    here = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{name}", os.O_RDONLY)
    try:
        enter(there)
        return work()
    finally:
        enter(here)
        os.close(here)
        os.close(there)


def enter(namespace):
    # os.setns came with Python 3.12; Debian 12 has 3.11.
    if ctypes.CDLL(None, use_errno=True).setns(namespace, 0x40000000):
        raise OSError(ctypes.get_errno(), "cannot enter a namespace")


def udp_in(name, interface=None):
    """A socket of another namespace."""

    def make():
        s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        if interface:
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, socket.if_nametoindex(interface))
        return s

    return in_namespace(name, make)


def finish():
    print(f"{checks[0]} passed, {checks[1]} failed", flush=True)
    sys.exit(1 if checks[1] or not checks[0] else 0)
