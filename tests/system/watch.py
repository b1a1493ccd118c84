# SPDX-License-Identifier: BSD-3-Clause
"""Looks at an appliance once a second while it is under load, so that what it was doing before something went wrong can
be read afterwards: where commands waited, what its TCP and its host's saw, and how much processor everyone got."""

import collections
import contextlib
import glob
import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time

from harness import schedstats

KEEP = 40  # samples: longer than any host waits for an answer
# Commands of a connection by what they wait for, outermost first.
WAITS = ("in_capsule_coming", "r2t_waiting", "r2t_data_coming", "carried_out", "reply_room_waiting",
         "reply_memory_waiting")


class Telemetry:
    """DPDK's telemetry socket, without the script."""

    def __init__(self, name):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.settimeout(10)
        self.sock.connect(f"/var/run/dpdk/{name}/dpdk_telemetry.v2")
        self.most = json.loads(self.sock.recv(4096))["max_output_len"]

    def ask(self, what):
        self.sock.send(what.encode())
        return next(iter(json.loads(self.sock.recv(self.most)).values()))


def schedstat(pid):
    """ns on a processor, and ns ready to run without one, of all threads."""
    return tuple(map(sum, zip((0, 0), *schedstats(pid))))


def hosts():
    """Our strake-io processes."""
    found = []
    for path in glob.glob("/proc/[0-9]*/stat"):
        with contextlib.suppress(OSError, IndexError):
            with open(path, encoding="utf-8", errors="replace") as f:
                line = f.read()
            if "(strake-io)" in line and int(line.rsplit(")", 1)[1].split()[1]) == os.getpid():
                found.append(int(path.split("/")[2]))
    return found


def machine():
    with open("/proc/stat", encoding="ascii") as f:
        v = [int(x) for x in f.readline().split()[1:]]
    tick = 1000 / os.sysconf("SC_CLK_TCK")
    return {"idle_ms": (v[3] + v[4]) * tick, "iowait_ms": v[4] * tick, "steal_ms": v[7] * tick,
            "load": os.getloadavg()[0]}


class Probe(threading.Thread):
    """Writes 4 KiB durably each second beside the drives' files: a disk that stands still does so for us too."""

    def __init__(self, folder):
        super().__init__(daemon=True)
        self.path = os.path.join(folder, "probe")
        self.began = None
        self.took = collections.deque(maxlen=KEEP)
        self.over = threading.Event()

    def run(self):
        with open(self.path, "wb") as f:
            while not self.over.wait(1):
                self.began = time.monotonic()
                os.pwrite(f.fileno(), b"p" * 4096, 0)
                os.fdatasync(f.fileno())
                self.took.append(time.monotonic() - self.began)
                self.began = None

    def longest(self):
        began = self.began
        return max([0, *self.took, time.monotonic() - began if began else 0])


class Watch(threading.Thread):
    def __init__(self, appliance, drives, groups, volumes, ports):
        super().__init__(daemon=True)
        self.a = appliance
        self.pid = appliance.proc.pid
        self.things = ([f"/strake/drive/info,{d}" for d in drives] + [f"/strake/group/info,{g}" for g in groups] +
                       [f"/strake/volume/info,{v}" for v in volumes] + [f"/strake/port/info,{p}" for p in ports] +
                       ["/strake/status", "/strake/connection/counters"])
        self.samples = collections.deque(maxlen=KEEP)
        self.over = threading.Event()
        self.probe = Probe(appliance.bench.folder)
        self.probe.start()

    def stop(self):
        self.over.set()
        self.probe.over.set()
        self.join(60)
        self.probe.join(60)

    def sample(self, tel):
        s = {"at": time.monotonic(), "machine": machine(), "appliance": schedstat(self.pid),
             "hosts": {pid: schedstat(pid) for pid in hosts()}, "connections": {}, "probe": self.probe.longest()}
        for conn in tel.ask("/strake/connection/list") or []:
            info = tel.ask(f"/strake/connection/info,{conn}")
            if info and info.get("outstanding"):
                s["connections"][conn] = info
        for what in self.things:
            s[what] = tel.ask(what)
        s["took"] = time.monotonic() - s["at"]
        # What the hosts' side of each connection knows: round trips, timeouts, windows.
        ss = subprocess.run([*self.a.prefix, "ss", "-tinHO", "dport", "=", ":4420"], stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, timeout=10, check=False)
        s["host_sockets"] = ss.stdout.decode(errors="replace").splitlines()
        return s

    def run(self):
        tel = None
        while not self.over.wait(1):
            try:
                tel = tel or Telemetry(self.a.bench.name)
                self.samples.append(self.sample(tel))
            except (OSError, ValueError, KeyError, subprocess.SubprocessError) as e:
                tel = None
                self.samples.append({"at": time.monotonic(), "error": repr(e)})

    def starved(self):
        """How much processor both sides got while we looked."""
        good = [s for s in self.samples if "machine" in s]
        if len(good) < 2:
            return "nobody looked"
        a, b = good[0], good[-1]
        secs = b["at"] - a["at"]
        ran, waited = ((y - x) / 1e9 for x, y in zip(a["appliance"], b["appliance"]))
        both = [(a["hosts"][p], b["hosts"][p]) for p in b["hosts"] if p in a["hosts"]]
        host = [sum(y[i] - x[i] for x, y in both) / 1e9 for i in (0, 1)]
        stolen = (b["machine"]["steal_ms"] - a["machine"]["steal_ms"]) / 1000
        gap = max(y["at"] - x["at"] for x, y in zip(good, good[1:]))
        return (f"in the last {secs:.0f} s the appliance ran {ran:.1f} s and waited {waited:.1f} s for a processor, "
                f"hosts that lived through it {host[0]:.1f} and {host[1]:.1f} s; stolen {stolen:.1f} s, "
                f"load {b['machine']['load']:.1f}, longest between two looks {gap:.1f} s; "
                f"a durable write of 4 KiB beside the drives took up to {self.probe.longest():.1f} s")

    def waits(self):
        """Commands that were there for many looks, and where."""
        lines = []
        seen = {}
        for s in list(self.samples):
            now = s.get("connections", {})
            for conn, info in now.items():
                where = tuple((w, info[w]) for w in WAITS if info.get(w))
                key = (info["commands"], info["rx_bytes"], where)
                first = seen.get(conn, (None, None))
                seen[conn] = first if first[0] == key else (key, s["at"])
                if s["at"] - seen[conn][1] >= 5:
                    lines.append(f"connection {conn} ({info['carrier']}, {info['peer']}): nothing moved for "
                                 f"{s['at'] - seen[conn][1]:.0f} s, {dict(where)}")
            seen = {c: v for c, v in seen.items() if c in now}
        return lines[-10:]

    def dump(self, bench):
        """Keep what there is in a folder of its own, and name it."""
        folder = tempfile.mkdtemp(prefix="strake-failed-")
        with open(os.path.join(folder, "samples.json"), "w", encoding="utf-8") as f:
            json.dump(list(self.samples), f, indent=1)
        for name in os.listdir(bench.folder):
            if name.endswith((".yaml", ".log")):
                shutil.copy(os.path.join(bench.folder, name), folder)
        for args in (("status",), ("connection", "list"), ("volume", "list"), ("drive", "list"), ("group", "list"),
                     ("group", "show", "g0"), ("volume", "show", "v0")):
            try:
                said = self.a.ctl(*args)
            except Exception as e:  # noqa: whatever it is, the rest is wanted too
                said = repr(e)
            with open(os.path.join(folder, "-".join(args) + ".json"), "w", encoding="utf-8") as f:
                json.dump(said, f, indent=1)
        return "\n".join([f"kept in {folder}", self.starved(), *self.waits()])
