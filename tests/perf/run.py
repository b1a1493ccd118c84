#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Strake authors
"""Measure what Strake must reach, medians of five, and write RESULTS.md.

    sudo tests/perf/run.py --build BUILD [--section memif,xts,kernel,veth,copy] [--runs 5] [--time 2]

Starts the appliance on one CPU and the client on the other. Needs root: huge pages (given back at the end), network
namespaces, and a scheduling group of its own for each process, so that other work on the machine disturbs less.
"""

import argparse
import contextlib
import json
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.realpath(__file__))
NQN = "nqn.2026-11.io.strake:bench"
NAME = f"perf{os.getpid()}"
HUGE = "/proc/sys/vm/nr_hugepages"

# section, figure, what it is held against: (kind, value); kinds: cycles, us and iops and gbs are at most or at least
TARGETS = {
    ("memif", "4 KiB random read, depth 1"): ("us", 5.0),
    ("memif", "4 KiB random read, depth 128"): ("cycles", 1900),
    ("memif", "4 KiB random write, depth 128"): ("cycles", 2400),
    ("memif", "128 KiB sequential read, depth 16"): ("gbs", 6.0),
    ("memif", "128 KiB sequential write, depth 16"): ("gbs", 5.0),
    ("xts", "4 KiB random read, depth 128"): ("iops", 600e3),
    ("kernel", "4 KiB random read, depth 1"): ("us", 9.1),
    ("kernel", "4 KiB random read, depth 32"): ("iops", 702e3),
    ("kernel", "4 KiB random read, depth 127"): ("iops", 788e3),
    ("kernel", "4 KiB random write, depth 127"): ("iops", 630e3),
    ("kernel", "128 KiB sequential read, depth 16"): ("gbs", 4.36),
    ("kernel", "128 KiB sequential write, depth 16"): ("gbs", 4.47),
    ("veth", "4 KiB random read, depth 32"): ("iops", 191e3),
    ("veth", "128 KiB sequential read, depth 16"): ("gbs", 1.3),
}
LOADS = {
    "kernel": [("randread", "4K", 1), ("randread", "4K", 32), ("randread", "4K", 127), ("randwrite", "4K", 127),
               ("read", "128K", 16), ("write", "128K", 16)],
    "veth": [("randread", "4K", 32), ("randwrite", "4K", 32), ("read", "128K", 16), ("write", "128K", 16)],
}
WORDS = {"randread": "random read", "randwrite": "random write", "read": "sequential read",
         "write": "sequential write"}


def favoured():
    """A new session is a scheduling group of its own; this one goes before the others on the machine."""
    os.setsid()
    with contextlib.suppress(OSError), open("/proc/self/autogroup", "w", encoding="ascii") as f:
        f.write("-20")


def sh(*cmd, **kw):
    return subprocess.run(cmd, check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **kw).stdout


def measured(*cmd):
    """Run a client to its end; its JSON."""
    r = subprocess.run(cmd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                       preexec_fn=favoured, timeout=600, check=False)
    if r.returncode != 0:
        raise RuntimeError(f"{' '.join(cmd)}: status {r.returncode}\n{r.stderr}{r.stdout[-500:]}")
    return json.loads(r.stdout)


class Appliance:
    """Strake with a RAID-0 volume of 960 MiB on four drives in memory."""

    def __init__(self, o, folder, listener, port="", stages="", huge=True):
        self.folder, self.build = folder, o.build
        self.conf = f"""
appliance: {{name: {NAME}, huge: {str(huge).lower()}, memory: 3GiB, buffers: 256MiB, main_cpu: {o.client_cpu},
            data_cpus: [{o.data_cpu}], idle: spin, control: {folder}/ctl.sock}}
{port}
drives:
  - {{name: m0, kind: mem, size: 256MiB}}
  - {{name: m1, kind: mem, size: 256MiB}}
  - {{name: m2, kind: mem, size: 256MiB}}
  - {{name: m3, kind: mem, size: 256MiB}}
groups:
  - {{name: g0, raid: 0, chunk: 64KiB, drives: [m0, m1, m2, m3]}}
volumes:
  - {{name: v0, group: g0, size: 960MiB, lba: 4096{stages}}}
subsystems:
  - nqn: "{NQN}"
    hosts: any
    queue_depth: 256
    namespaces: [{{volume: v0}}]
listeners:
  - {listener}
"""

    def __enter__(self):
        path = os.path.join(self.folder, "strake.yaml")
        with open(path, "w", encoding="utf-8") as f:
            f.write(self.conf)
        self.log = open(os.path.join(self.folder, "log"), "w+", encoding="utf-8")
        self.proc = subprocess.Popen([f"{self.build}/app/strake", path], stdin=subprocess.DEVNULL, stdout=self.log,
                                     stderr=self.log, preexec_fn=favoured)
        for _ in range(300):
            time.sleep(0.1)
            self.log.seek(0)
            text = self.log.read()
            if " serves " in text:
                return self
            if self.proc.poll() is not None:
                raise RuntimeError(f"the appliance does not start:\n{text}")
        raise RuntimeError(f"the appliance is not ready after 30 s:\n{text}")

    def __exit__(self, *exc):
        self.proc.terminate()
        try:
            self.proc.wait(20)
        except subprocess.TimeoutExpired:
            self.proc.send_signal(signal.SIGKILL)
            self.proc.wait()
        self.log.close()


def memif_port(folder):
    return f"""ports:
  - name: p0
    device: "net_memif0,role=server,socket={folder}/memif,socket-abstract=no,bsize=9216,rsize=11"
    mtu: 9000
    addresses: [10.78.0.2/24]"""


def bench_command(o, folder, command, *args):
    device = f"net_memif0,role=client,socket={folder}/memif,socket-abstract=no,bsize=9216,rsize=8,zero-copy=yes"
    return [f"{o.build}/tools/load/strake-bench", command, *(["--huge"] if o.huge else []), "--device", device,
            "--cpu", str(o.client_cpu), "--target", NAME, *args]


def suite(o, folder, section, notes, stages=""):
    rows = []
    with Appliance(o, folder, "{port: p0, address: 10.78.0.2}", memif_port(folder), stages, o.huge):
        cmd = bench_command(o, folder, "suite", "--runs", str(o.runs), "--time", f"{o.time}s", "--warm-up", "200ms")
        for r in measured(*cmd, "--json"):
            rows.append({"section": section, "name": r["name"], "iops": r["iops"], "low": r["iops_low"],
                         "high": r["iops_high"], "bps": r["bytes_per_second"], "p50": r["p50_ns"],
                         "p99": r["p99_ns"], "cycles": r["target_cycles_per_io"],
                         "client": r["client_cycles_per_io"]})
        for pattern, size in (("randread", "960M"), ("randwrite", "960M"),
                              ("randread", "512K")) if section == "memif" else ():
            cmd = bench_command(o, folder, "breakdown", "--pattern", pattern, "--size", size, "--time", f"{o.time}s")
            r = subprocess.run(cmd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=favoured,
                               check=True, timeout=120)
            notes.append((f"Where the cycles go: {WORDS[pattern]}, 4 KiB, depth 128, {size}B", r.stdout))
    return rows


def memif(o, folder, notes):
    return suite(o, folder, "memif", notes)


def xts(o, folder, notes):
    key = os.path.join(folder, "key")
    with open(os.open(key, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as f:
        f.write(os.urandom(64))
    return suite(o, folder, "xts", notes, f", stages: [{{crypto: {{key_file: {key}}}}}]")


def io_loads(o, section, prefix, addr, port):
    rows = []
    common = [*prefix, f"{o.build}/tools/io/strake-io", "bench", "--addr", addr, "--port", str(port), "--nqn", NQN,
              "--quiet", "--cpus", str(o.client_cpu), "--json"]
    measured(*common, "--pattern", "write", "--bs", "128K", "--depth", "16", "--time", "2s")  # fills the volume
    for pattern, bs, depth in LOADS[section]:
        got = [measured(*common, "--pattern", pattern, "--bs", bs, "--depth", str(depth), "--time", f"{o.time}s",
                        "--warm-up", "200ms") for _ in range(o.runs)]
        side = [g["write" if "write" in pattern else "read"] for g in got]
        iops = [s["iops"] for s in side]
        rows.append({"section": section, "name": f"{bs.replace('K', ' KiB')} {WORDS[pattern]}, depth {depth}",
                     "iops": statistics.median(iops), "low": min(iops), "high": max(iops),
                     "bps": statistics.median(s["bytes_per_second"] for s in side),
                     "p50": statistics.median(s["latency_ns"]["p50"] for s in side),
                     "p99": statistics.median(s["latency_ns"]["p99"] for s in side),
                     "cycles": 0, "client": statistics.median(g["client"]["ticks_per_io"] for g in got)})
    return rows


def kernel(o, folder, notes):
    with Appliance(o, folder, "{port: kernel, address: 127.0.0.1, service: 14420}", huge=o.huge):
        return io_loads(o, "kernel", [], "127.0.0.1", 14420)


@contextlib.contextmanager
def veth():
    """A pair, one end in a namespace; MTU 9000, no offloads on either side."""
    ns, a, b = f"sp{os.getpid()}", f"sa{os.getpid() % 100000}", f"sb{os.getpid() % 100000}"
    sh("ip", "netns", "add", ns)
    try:
        sh("ip", "link", "add", a, "mtu", "9000", "type", "veth", "peer", "name", b, "mtu", "9000", "netns", ns)
        for where, dev in (([], a), (["ip", "netns", "exec", ns], b)):
            sh(*where, "ethtool", "-K", dev, "tx", "off", "rx", "off", "tso", "off", "gso", "off", "gro", "off")
            sh(*where, "ip", "link", "set", dev, "up")
        sh("ip", "-n", ns, "addr", "add", "10.79.0.1/24", "dev", b)
        yield ns, a
    finally:
        subprocess.run(["ip", "link", "del", a], check=False, stderr=subprocess.DEVNULL)
        subprocess.run(["ip", "netns", "del", ns], check=False)


def packet_port(dev):
    return f"""ports:
  - name: p0
    device: "net_af_packet0,iface={dev}"
    mtu: 9000
    addresses: [10.79.0.2/24]"""


def own_tcp(o, folder, notes):
    with veth() as (ns, dev), Appliance(o, folder, "{port: p0, address: 10.79.0.2}", packet_port(dev), huge=o.huge):
        return io_loads(o, "veth", ["ip", "netns", "exec", ns], "10.79.0.2", 4420)


def copy(o, folder, notes):
    """One stream Linux to Linux over the pair, to hold 128 KiB sequential reads and writes against."""
    rates = []
    with veth() as (ns, dev):
        sh("ip", "addr", "add", "10.79.0.2/24", "dev", dev)
        server = subprocess.Popen(["iperf3", "-s", "-B", "10.79.0.2", "-A", str(o.data_cpu)],
                                  stdout=subprocess.DEVNULL, preexec_fn=favoured)
        try:
            time.sleep(1)
            for _ in range(o.runs):
                j = measured("ip", "netns", "exec", ns, "iperf3", "-c", "10.79.0.2", "-t", str(max(1, round(o.time))),
                             "-A", str(o.client_cpu), "-l", "1M", "-J")
                rates.append(j["end"]["sum_received"]["bits_per_second"] / 8)
        finally:
            server.kill()
            server.wait()
    return [{"section": "copy", "name": "iperf3, one stream, Linux to Linux", "iops": 0, "low": 0, "high": 0,
             "bps": statistics.median(rates), "p50": 0, "p99": 0, "cycles": 0, "client": 0}]


SECTIONS = {"memif": (memif, "Own path: memif, client without copies"),
            "xts": (xts, "Own path with AES-256-XTS"),
            "kernel": (kernel, "Kernel-socket stream over loopback, `strake-io bench`"),
            "veth": (own_tcp, "Own TCP over veth by `net_af_packet`, MTU 9000, offloads off, `strake-io bench`"),
            "copy": (copy, "The kernel's own stream over the same veth")}


def verdict(row):
    want = TARGETS.get((row["section"], row["name"]))
    if want is None:
        return ""
    kind, value = want
    got = {"us": row["p50"] / 1e3, "cycles": row["cycles"], "iops": row["iops"], "gbs": row["bps"] / 1e9}[kind]
    at_most = kind in ("us", "cycles")
    good = got <= value if at_most else got >= value
    text = {"us": f"{value} us", "cycles": f"{value} cycles", "iops": f"{value / 1e3:.0f} K", "gbs": f"{value} GB/s"}
    return f"{'<=' if at_most else '>='} {text[kind]}: {'reached' if good else f'**missed** ({got / value:.2f})'}"


def table(rows):
    out = ["| load | IOPS (lowest to highest) | GB/s | p50 us | p99 us | target cycles | client cycles | must reach |",
           "|---|---|---|---|---|---|---|---|"]
    for r in rows:
        iops = f"{r['iops'] / 1e3:.1f} K ({r['low'] / 1e3:.1f} to {r['high'] / 1e3:.1f})" if r["iops"] else ""
        out.append(f"| {r['name']} | {iops} | {r['bps'] / 1e9:.2f} | {r['p50'] / 1e3:.1f} | {r['p99'] / 1e3:.1f} | "
                   f"{r['cycles']:.0f} | {r['client']:.0f} | {verdict(r)} |")
    return "\n".join(out)


def write_results(o, results, notes, load):
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as f:
        cpu = next((line.split(":")[1].strip() for line in f if line.startswith("model name")), "unknown")
    text = [f"""# What was measured

Medians of {o.runs} runs of {o.time} s, one data lcore on CPU {o.data_cpu}, the client on CPU {o.client_cpu}. {cpu}, {os.cpu_count()} CPUs, Linux
{platform.release()}, {'huge pages' if o.huge else 'no huge pages'}. Load average of the machine while measuring: {load[0]:.1f} at the beginning, {load[1]:.1f} at the end, for
{os.cpu_count()} CPUs; both measured processes were scheduled before everything else (autogroup -20), yet a median taken under a load
average above 2 is a lower bound.

All of it: `sudo tests/perf/run.py --build BUILD{' --huge' if o.huge else ''} --runs {o.runs} --time {o.time}`; one section: `--section NAME`. Cycles are those of the time-stamp
counter, from the telemetry of the data lcore: turns that did something, divided by I/Os. The volume is written once before it is read."""]
    for section, rows in results.items():
        text.append(f"## {SECTIONS[section][1]}\n\n`tests/perf/run.py --section {section}`\n\n{table(rows)}")
    for title, body in notes:
        text.append(f"## {title}\n\n```\n{body.rstrip()}\n```")
    with open(o.out, "w", encoding="utf-8") as f:
        f.write("\n\n".join(text) + "\n")


@contextlib.contextmanager
def huge_pages(o):
    with open(HUGE, encoding="ascii") as f:
        before = f.read().strip()
    mount = tempfile.mkdtemp(prefix="strake-huge-")
    if o.huge:
        with open(HUGE, "w", encoding="ascii") as f:
            f.write(str(int(before) + 2200))
        sh("mount", "-t", "hugetlbfs", "nodev", mount)
    try:
        yield
    finally:
        if o.huge:
            subprocess.run(["umount", mount], check=False)
            with open(HUGE, "w", encoding="ascii") as f:
                f.write(before)
        os.rmdir(mount)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", default=os.path.join(HERE, "..", "..", "build"))
    p.add_argument("--section", default=",".join(SECTIONS))
    p.add_argument("--runs", type=int, default=5)
    p.add_argument("--time", type=float, default=2)
    p.add_argument("--data-cpu", type=int, default=1)
    p.add_argument("--client-cpu", type=int, default=0)
    p.add_argument("--huge", action="store_true")
    p.add_argument("--out", default=os.path.join(HERE, "RESULTS.md"))
    o = p.parse_args()
    o.build = os.path.realpath(o.build)
    if os.geteuid() != 0:
        sys.exit("run.py: needs root")
    load, results, notes = [os.getloadavg()[0], 0], {}, []
    with huge_pages(o):
        for section in o.section.split(","):
            folder = tempfile.mkdtemp(prefix="strake-perf-")
            try:
                results[section] = SECTIONS[section][0](o, folder, notes)
                print(f"{SECTIONS[section][1]}\n{table(results[section])}\n", flush=True)
            except (RuntimeError, subprocess.SubprocessError) as e:
                print(f"{section}: {e}", file=sys.stderr, flush=True)
            finally:
                shutil.rmtree(folder, ignore_errors=True)
                shutil.rmtree(os.path.join("/var/run/dpdk", NAME), ignore_errors=True)
    load[1] = os.getloadavg()[0]
    write_results(o, results, notes, load)
    return 0 if len(results) == len(o.section.split(",")) else 1


if __name__ == "__main__":
    sys.exit(main())
