#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Strake authors
"""Measure what Strake must reach, medians of five, and write RESULTS.md.

    sudo tests/perf/run.py --build BUILD [--section NAME,NAME] [--runs 5] [--time 2]

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
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial

from appliance import (Appliance, NAME, among_equals, begun, bench_command, ended, favoured, io_command, measured,
                       memif_port, packet_port, server_client, sh, veth)
from floor import floor

HERE = os.path.dirname(os.path.realpath(__file__))
HUGE = "/proc/sys/vm/nr_hugepages"

KEPT_UP = "adaptive, resume_us: 0"  # sleeps, but its CPU does not halt

# section, figure, what it is held against: (kind, value); kinds: cycles, us and iops and gbs are at most or at least
TARGETS = {
    ("lent", "4 KiB random read, depth 1"): ("us", 5.0),
    ("lent", "4 KiB random read, depth 128"): ("cycles", 1900),
    ("lent", "4 KiB random write, depth 128"): ("cycles", 2400),
    ("lent", "128 KiB sequential read, depth 16"): ("gbs", 6.0),
    ("lent", "128 KiB sequential write, depth 16"): ("gbs", 5.0),
    ("memif", "4 KiB random read, depth 1"): ("us", 5.0),
    ("memif", "4 KiB random read, depth 128"): ("cycles", 1900),
    ("memif", "4 KiB random write, depth 128"): ("cycles", 2400),
    ("memif", "128 KiB sequential read, depth 16"): ("gbs", 6.0),
    ("memif", "128 KiB sequential write, depth 16"): ("gbs", 5.0),
    ("xts", "4 KiB random read, depth 128"): ("iops", 600e3),
    ("xts-kernel", "4 KiB random read, depth 127"): ("iops", 563e3),
    ("kernel", "4 KiB random read, depth 1"): ("us", 9.1),
    ("kernel", "4 KiB random read, depth 32"): ("iops", 702e3),
    ("kernel", "4 KiB random read, depth 127"): ("iops", 788e3),
    ("kernel", "4 KiB random write, depth 127"): ("iops", 630e3),
    ("kernel", "128 KiB sequential read, depth 16"): ("gbs", 4.36),
    ("kernel", "128 KiB sequential write, depth 16"): ("gbs", 4.47),
    ("veth", "4 KiB random read, depth 32"): ("iops", 191e3),
    ("veth", "128 KiB sequential read, depth 16"): ("gbs", 1.3),
    ("copy", "128 KiB sequential read, depth 16"): ("ratio", 0.9),
    ("copy", "128 KiB sequential read, depth 16, 1 MiB of the volume"): ("ratio", 0.9),
    ("uring", "4 KiB random read, depth 128"): ("ratio", 0.95),
    ("uring", "4 KiB random read, depth 32"): ("ratio", 0.95),
    ("uring", "4 KiB random read, depth 1"): ("ratio", 0.95),
    ("uring", "128 KiB sequential read, depth 16"): ("ratio", 0.95),
    ("uring", "128 KiB sequential write, depth 16"): ("ratio", 0.95),
    ("uring-alone", "4 KiB random read, depth 32"): ("ratio", 0.95),
    ("uring-alone", "4 KiB random read, depth 1"): ("ratio", 0.95),
    ("uring-alone", "4 KiB random write, depth 32"): ("ratio", 0.95),
    ("uring-alone", "4 KiB random write, depth 1"): ("ratio", 0.95),
    ("uring-alone", "128 KiB sequential read, depth 16"): ("ratio", 0.95),
    ("uring-alone", "128 KiB sequential write, depth 16"): ("ratio", 0.95),
    ("idle", "4 KiB random read, depth 32, 1000 more connections"): ("more", 1.01),
    ("wake", "one 4 KiB read every 20 ms, kernel sockets, idle: adaptive"): ("woken", 200.0),
    ("wake", "one 4 KiB read every 20 ms, veth, idle: adaptive"): ("woken", 200.0),
    ("wake", f"one 4 KiB read every 20 ms, kernel sockets, idle: {KEPT_UP}"): ("woken", 200.0),
    ("wake", f"one 4 KiB read every 20 ms, veth, idle: {KEPT_UP}"): ("woken", 200.0),
}
LOADS = {
    "kernel": [("randread", "4K", 1), ("randread", "4K", 32), ("randread", "4K", 127), ("randwrite", "4K", 127),
               ("read", "128K", 16), ("write", "128K", 16)],
    "xts-kernel": [("randread", "4K", 127), ("randwrite", "4K", 127), ("read", "128K", 16), ("write", "128K", 16)],
    "veth": [("randread", "4K", 32), ("randwrite", "4K", 32), ("read", "128K", 16), ("write", "128K", 16)],
    # 128 KiB is the longest command there is
    "uring": [("randread", "4K", 128), ("randread", "4K", 32), ("randread", "4K", 1), ("read", "128K", 16),
              ("write", "128K", 16)],
    "uring-alone": [("randread", "4K", 32), ("randread", "4K", 1), ("randwrite", "4K", 32), ("randwrite", "4K", 1),
                    ("read", "128K", 16), ("write", "128K", 16)],
}
WORDS = {"randread": "random read", "randwrite": "random write", "read": "sequential read",
         "write": "sequential write"}


def row(section, name, **figures):
    return {"section": section, "name": name, "iops": 0, "low": 0, "high": 0, "bps": 0, "p50": 0, "p99": 0, "cycles": 0,
            "client": 0, "ratio": None} | figures


def suite_rows(section, text):
    return [row(section, r["name"], iops=r["iops"], low=r["iops_low"], high=r["iops_high"], bps=r["bytes_per_second"],
                p50=r["p50_ns"], p99=r["p99_ns"], cycles=r["target_cycles_per_io"], client=r["client_cycles_per_io"])
            for r in json.loads(text)]


def suite(o, folder, section, notes, stages=""):
    """The target copies what it sends into the client's buffers, and what it receives out of them."""
    args = ["--runs", str(o.runs), "--time", f"{o.time}s", "--warm-up", "200ms", "--json"]
    with Appliance(o, folder, "{port: p0, address: 10.78.0.2}", memif_port(folder), stages):
        return suite_rows(section, ended(begun(*bench_command(o, folder, "suite", *args))))


def lent_suite(o, folder, section, notes, stages=""):
    """The target lends the client its memory: the copies are the client's, as they would be a card's."""
    where = ("{port: p0, address: 10.78.0.2}", memif_port(folder, "client"), stages)
    args = ["--runs", str(o.runs), "--time", f"{o.time}s", "--warm-up", "200ms", "--json"]
    with server_client(o, folder, "suite", *args) as client, Appliance(o, folder, *where):
        rows = suite_rows(section, ended(client))
    for pattern in ("randread", "randwrite") if section == "lent" else ():
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{folder}/memif")
        args = ["--fill", "--pattern", pattern, "--time", f"{max(o.time, 1)}s"]
        with server_client(o, folder, "breakdown", *args) as client, Appliance(o, folder, *where):
            notes.append((f"Where the cycles go: {WORDS[pattern]}, 4 KiB, depth 128, the whole volume", ended(client)))
    return rows


def key_stage(folder):
    key = os.path.join(folder, "key")
    with open(os.open(key, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as f:
        f.write(os.urandom(64))
    return f", stages: [{{crypto: {{key_file: {key}}}}}]"


def lent(o, folder, notes):
    return lent_suite(o, folder, "lent", notes)


def memif(o, folder, notes):
    return suite(o, folder, "memif", notes)


def xts(o, folder, notes):
    return lent_suite(o, folder, "xts", notes, key_stage(folder))


def load_name(pattern, bs, depth, more=""):
    return f"{bs.replace('K', ' KiB')} {WORDS[pattern]}, depth {depth}{more}"


def one_load(o, a, common, pattern, bs, depth, *more):
    """One run of strake-io bench: what the client saw, and what the target's lcore did meanwhile."""
    out = {}
    with a.telemetry.window(out):
        got = measured(*common, "--pattern", pattern, "--bs", bs, "--depth", str(depth), "--time", f"{o.time}s",
                       "--warm-up", "200ms", *more)
    side = got["write" if "write" in pattern else "read"]
    return out | {"iops": side["iops"], "bps": side["bytes_per_second"], "p50": side["latency_ns"]["p50"],
                  "p99": side["latency_ns"]["p99"], "client": got["client"]["ticks_per_io"]}


def medians(section, name, runs, **more):
    iops = [r["iops"] for r in runs]
    middle = {k: statistics.median(r[k] for r in runs) for k in runs[0]}
    return row(section, name, **(middle | {"low": min(iops), "high": max(iops)} | more))


def io_loads(o, a, section, common):
    measured(*common, "--pattern", "write", "--bs", "128K", "--depth", "16", "--time", "2s")  # fills the volume
    return [medians(section, load_name(*load), [one_load(o, a, common, *load) for _ in range(o.runs)])
            for load in LOADS[section]]


def kernel(o, folder, notes):
    with Appliance(o, folder, "{port: kernel, address: 127.0.0.1, service: 14420}") as a:
        return io_loads(o, a, "kernel", io_command(o, [], "127.0.0.1", 14420))


def xts_kernel(o, folder, notes):
    with Appliance(o, folder, "{port: kernel, address: 127.0.0.1, service: 14420}", stages=key_stage(folder)) as a:
        return io_loads(o, a, "xts-kernel", io_command(o, [], "127.0.0.1", 14420))


def own_tcp(o, folder, notes):
    with veth() as (ns, dev), Appliance(o, folder, "{port: p0, address: 10.79.0.2}", packet_port(dev)) as a:
        return io_loads(o, a, "veth", io_command(o, ["ip", "netns", "exec", ns], "10.79.0.2", 4420))


def iperf(o, ns, dev):
    """Bytes a second of one stream Linux to Linux over the pair, sent from the side where Strake would be."""
    sh("ip", "addr", "add", "10.79.0.2/24", "dev", dev)
    server = subprocess.Popen(["iperf3", "-s", "-B", "10.79.0.2", "-A", str(o.data_cpu)],
                              stdout=subprocess.DEVNULL, preexec_fn=favoured)
    try:
        time.sleep(1)
        j = measured("ip", "netns", "exec", ns, "iperf3", "-c", "10.79.0.2", "-t", str(max(1, round(o.time))), "-R",
                     "-A", str(o.client_cpu), "-l", "1M", "-C", "cubic", "-J")
        return j["end"]["sum_received"]["bits_per_second"] / 8
    finally:
        server.kill()
        server.wait()
        sh("ip", "addr", "del", "10.79.0.2/24", "dev", dev)


def copy(o, folder, notes):
    """One stream of 128 KiB reads from a volume beyond the cache, and from 1 MiB of it, which is what iperf3 sends; in
    turns with iperf3 over the same pair."""
    loads = {"": [], ", 1 MiB of the volume": ["--size", "1M"]}
    rates, runs = [], {k: [] for k in loads}
    with veth() as (ns, dev):
        common = io_command(o, ["ip", "netns", "exec", ns], "10.79.0.2", 4420)
        for _ in range(o.runs):
            rates.append(iperf(o, ns, dev))
            with Appliance(o, folder, "{port: p0, address: 10.79.0.2}", packet_port(dev)) as a:
                measured(*common, "--pattern", "write", "--bs", "128K", "--depth", "16", "--time", "1s")
                for name, args in loads.items():
                    runs[name].append(one_load(o, a, common, "read", "128K", 16, *args))
    base = statistics.median(rates)
    return [row("copy", f"iperf3, one stream, Linux to Linux ({min(rates) / 1e9:.2f} to {max(rates) / 1e9:.2f})", bps=base)] + [
        medians("copy", load_name("read", "128K", 16, name), got,
                ratio=statistics.median(g["bps"] for g in got) / base) for name, got in runs.items()]


def fio(o, path, pattern, bs, depth):
    """The same load past Strake. It keeps off the first 256 MiB of the file, and off its end."""
    j = measured("fio", "--name=f", f"--filename={path}", "--offset=256M", "--size=1G", f"--rw={pattern}",
                 f"--bs={bs}", f"--iodepth={depth}", "--ioengine=io_uring", "--direct=1", "--registerfiles",
                 "--fixedbufs", "--time_based", "--ramp_time=1", f"--runtime={max(1, round(o.time))}",
                 f"--cpus_allowed={o.data_cpu}", "--output-format=json")
    side = j["jobs"][0]["write" if "write" in pattern else "read"]
    return {"iops": side["iops"], "bps": side["bw_bytes"]}


def past_it(a, *load):
    with a.paused():
        return fio(*load)


def bench_load(o, folder, pattern, bs, depth):
    got = measured(*bench_command(o, folder, "run", "--pattern", pattern, "--bs", bs, "--depth", str(depth), "--size",
                                  "1G", "--time", f"{o.time}s", "--warm-up", "500ms", "--json"))
    side = got["write" if "write" in pattern else "read"]
    return {"iops": side["iops"], "bps": side["bytes_per_second"], "p50": side["latency_ns"]["p50"],
            "p99": side["latency_ns"]["p99"], "cycles": got["target"]["cycles_per_io"],
            "client": got["client"]["cycles_per_io"]}


def written(path):
    """Every block of the file is written: a block that is only reserved is read without asking the disk."""
    measured("fio", "--name=f", f"--filename={path}", "--offset=64M", "--size=1600M", "--rw=write", "--bs=1M",
             "--iodepth=16", "--ioengine=io_uring", "--direct=1", "--output-format=json")


def alone_load(o, path, pattern, bs, depth):
    """The drive without the rest of the appliance, on the part of the file that fio reads."""
    got = measured(f"{o.build}/tests/perf/drive-load", "kind=uring", f"path={path}", f"bytes={int(bs[:-1]) << 10}",
                   f"depth={depth}", "ramp=1", f"seconds={max(1, round(o.time))}", f"offset={256 << 20}", f"span={1 << 30}",
                   f"cpu={o.data_cpu}", f"write={int('write' in pattern)}", f"in_order={int('rand' not in pattern)}")
    return {"iops": got["iops"], "bps": got["iops"] * (int(bs[:-1]) << 10)}


def turns(i, ours, theirs):
    """One of each, by turns in the other order: a disk that slows down must not count for one of them."""
    if i % 2 == 0:
        return ours(), theirs()
    base = theirs()
    return ours(), base


def ratio_of(pairs):
    """The median of what each pair gave: what a disk did in one minute is not held against another."""
    return statistics.median(u["iops"] / t["iops"] for u, t in pairs)


@among_equals()
def uring_alone(o, folder, notes):
    """The drive alone and fio, in turns on one file and one CPU, the other CPU idle."""
    path, rows = os.path.join(tempfile.mkdtemp(prefix="strake-perf-", dir=o.disk), "drive"), []
    try:
        written(path)
        for pattern, bs, depth in LOADS["uring-alone"]:
            load = (o, path, pattern, bs, depth)
            pairs = [turns(i, partial(alone_load, *load), partial(fio, *load)) for i in range(o.runs)]
            ours, theirs = zip(*pairs)
            name = load_name(pattern, bs, depth)
            rows.append(medians("uring-alone", name, ours, ratio=ratio_of(pairs)))
            rows.append(medians("uring-alone", f"fio: {name}", theirs))
    finally:
        shutil.rmtree(os.path.dirname(path), ignore_errors=True)
    return rows


@among_equals()
def uring(o, folder, notes):
    """A RAID-0 of one drive on a file, against fio on the same file, in turns."""
    disk = tempfile.mkdtemp(prefix="strake-perf-", dir=o.disk)
    path, rows = os.path.join(disk, "drive"), []
    try:
        with Appliance(o, folder, "{port: p0, address: 10.78.0.2}", memif_port(folder), size="1536MiB",
                       drives=[f"{{name: u0, kind: uring, path: {path}, size: 2GiB}}"]) as a:
            written(path)
            for load in LOADS["uring"]:
                pairs = [turns(i, partial(bench_load, o, folder, *load), partial(past_it, a, o, path, *load))
                         for i in range(o.runs)]
                ours, theirs = zip(*pairs)
                rows.append(medians("uring", load_name(*load), ours, ratio=ratio_of(pairs)))
                rows.append(medians("uring", f"fio: {load_name(*load)}", theirs))
    finally:
        shutil.rmtree(disk, ignore_errors=True)
    return rows


@contextlib.contextmanager
def idlers(n, port):
    """Connections that said hello and then nothing."""
    hello = bytes([0, 0, 128, 0]) + (128).to_bytes(4, "little") + bytes(120)
    conns = []
    try:
        for _ in range(n):
            conns.append(socket.create_connection(("127.0.0.1", port), 5))
            conns[-1].send(hello)
        for c in conns:
            if len(c.recv(128)) != 128:
                raise RuntimeError("a connection was refused")
        yield
    finally:
        for c in conns:
            c.close()


def idle(o, folder, notes):
    """What connections that are silent cost, and an appliance that nobody asks. The cost is sought in the hundredths, by
    which one run differs from the next: three times as many runs, each held against the one beside it."""
    common, load = io_command(o, [], "127.0.0.1", 14420), ("randread", "4K", 32)
    listener = "{port: kernel, address: 127.0.0.1, service: 14420}"
    runs = {0: [], 1000: []}
    with Appliance(o, folder, listener) as a:
        for _ in range(3 * o.runs):
            for n, got in runs.items():
                with idlers(n, 14420):
                    got.append(one_load(o, a, common, *load))
                time.sleep(0.3)
    rows = [medians("idle", f"{load_name(*load)}, {n} more connections", got,
                    ratio=statistics.median(g["cycles"] / b["cycles"] for g, b in zip(got, runs[0])))
            for n, got in runs.items()]
    with Appliance(o, folder, listener, idle="adaptive") as a, idlers(1000, 14420):
        time.sleep(1)
        ids = a.telemetry.ask("/strake/connection/list,0,1")
        one = a.telemetry.ask(f"/strake/connection/info,{ids[0]}") if ids else {}
        notes.append(("Idle, with 1,000 connections",
                      f"CPU used by the whole appliance: {a.cpu_share(5):.1%} of one\n"
                      f"cycles of a turn with work: {statistics.median(g['turn'] for g in runs[0]):.0f} with 0, "
                      f"{statistics.median(g['turn'] for g in runs[1000]):.0f} with 1,000 silent connections\n"
                      f"memory of one, all layers: {one.get('memory', 0)} bytes"))
    return rows


def wake(o, folder, notes):
    """One read every 20 ms: what sleeping adds to its latency. In turns with a bare wake-up of the same CPU."""
    rows, bare = [], []
    for where in ("kernel sockets", "veth"):
        for how in ("spin", "adaptive", KEPT_UP):
            with contextlib.ExitStack() as stack:
                if where == "veth":
                    ns, dev = stack.enter_context(veth())
                    args = ("{port: p0, address: 10.79.0.2}", packet_port(dev))
                    common = io_command(o, ["ip", "netns", "exec", ns], "10.79.0.2", 4420)
                else:
                    args = ("{port: kernel, address: 127.0.0.1, service: 14420}",)
                    common = io_command(o, [], "127.0.0.1", 14420)
                a = stack.enter_context(Appliance(o, folder, *args, idle=how))
                got = []
                for _ in range(o.runs):
                    if how == "adaptive":
                        bare.append(floor(o.client_cpu, o.data_cpu, o.time))
                    got.append(one_load(o, a, common, "randread", "4K", 1, "--every", "20ms"))
            rows.append(medians("wake", f"one 4 KiB read every 20 ms, {where}, idle: {how}", got))
        for r in rows[-2:]:
            r |= {"woken": r["p99"] - rows[-3]["p50"], "woken50": r["p50"] - rows[-3]["p50"]}
    for r in rows:
        r |= {"bare": statistics.median(f["p99"] for f in bare), "bare50": statistics.median(f["p50"] for f in bare)}
    rows.append(row("wake", "no appliance: a process asleep on the data CPU, woken every 20 ms",
                    **{k: statistics.median(f[k] for f in bare) for k in ("p50", "p99")}))
    return rows


SECTIONS = {"lent": (lent, "Own path: memif, the appliance lends its memory and the client copies"),
            "memif": (memif, "Own path: memif, the client lends its memory and the appliance copies"),
            "xts": (xts, "Own path with AES-256-XTS, the appliance lends its memory"),
            "xts-kernel": (xts_kernel, "AES-256-XTS over kernel sockets on loopback, `strake-io bench`"),
            "kernel": (kernel, "Kernel-socket stream over loopback, `strake-io bench`"),
            "veth": (own_tcp, "Own TCP over veth by `net_af_packet`, MTU 9000, offloads off, `strake-io bench`"),
            "copy": (copy, "One stream of reads against the kernel's own over the same veth"),
            "uring": (uring, "A drive on io_uring over memif, against fio on the same file"),
            "uring-alone": (uring_alone, "The same drive alone, `drive-load`, against fio on the same file"),
            "idle": (idle, "Silent connections"),
            "wake": (wake, "Waking up")}
PROGRAMS = {"veth": ["ip", "ethtool"], "copy": ["ip", "ethtool", "iperf3"], "uring": ["fio"], "uring-alone": ["fio"]}


def verdict(r):
    want = TARGETS.get((r["section"], r["name"]))
    ratio = f"{r['ratio']:.3f} of it" if r["ratio"] is not None else ""
    if want is None:
        return ratio
    kind, value = want
    got = {"us": r["p50"] / 1e3, "cycles": r["cycles"], "iops": r["iops"], "gbs": r["bps"] / 1e9, "ratio": r["ratio"],
           "more": r["ratio"], "woken": r.get("woken", 0) / 1e3}[kind]
    at_most = kind in ("us", "cycles", "more", "woken")
    good = got <= value if at_most else got >= value
    text = {"us": f"{value} us", "cycles": f"{value} cycles", "iops": f"{value / 1e3:.0f} K", "gbs": f"{value} GB/s",
            "ratio": f"{value:.2f} of it", "more": f"{value:.2f} of the cycles without",
            "woken": f"{value:.0f} us more at p99 than spinning's median"}
    if kind in ("ratio", "more", "woken"):
        said = f"{got:.3f}" if kind != "woken" else (
            f"{got:.0f} us (the machine's own: {r['bare'] / 1e3:.0f}; at the median {r['woken50'] / 1e3:.0f}, the machine's "
            f"own: {r['bare50'] / 1e3:.0f})")
        return f"{'<=' if at_most else '>='} {text[kind]}: {said}, {'reached' if good else '**missed**'}"
    return f"{'<=' if at_most else '>='} {text[kind]}: {'reached' if good else f'**missed** ({got / value:.2f})'}"


def table(rows):
    out = ["| load | IOPS (lowest to highest) | GB/s | p50 us | p99 us | target cycles | client cycles | must reach |",
           "|---|---|---|---|---|---|---|---|"]
    for r in rows:
        iops = f"{r['iops'] / 1e3:.1f} K ({r['low'] / 1e3:.1f} to {r['high'] / 1e3:.1f})" if r["iops"] else ""
        p50, p99 = (f"{r[k] / 1e3:.1f}" if r[k] else "" for k in ("p50", "p99"))
        cycles, client = (f"{r[k]:.0f}" if r[k] else "" for k in ("cycles", "client"))
        out.append(f"| {r['name']} | {iops} | {r['bps'] / 1e9:.2f} | {p50} | {p99} | {cycles} | {client} | "
                   f"{verdict(r)} |")
    return "\n".join(out)


def write_results(o, results, notes, load):
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as f:
        cpu = next((line.split(":")[1].strip() for line in f if line.startswith("model name")), "unknown")
    text = [f"""# What was measured

Medians of {o.runs} runs of {o.time} s, one data lcore on CPU {o.data_cpu}, the client on CPU {o.client_cpu}. {cpu}, {os.cpu_count()} CPUs, Linux
{platform.release()}, {'huge pages' if o.huge else 'no huge pages'}. Load average of the machine while measuring: {load[0]:.1f} at the beginning, {load[1]:.1f} at the end, for
{os.cpu_count()} CPUs; both measured processes were scheduled before everything else (autogroup -20; not with a drive on a file), yet a median taken under a load
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


def stopped(*_):
    """What is under way is left in order: processes, namespaces, huge pages."""
    raise SystemExit(1)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", default=os.path.join(HERE, "..", "..", "build"))
    p.add_argument("--section", default=",".join(SECTIONS))
    p.add_argument("--runs", type=int, default=5)
    p.add_argument("--time", type=float, default=2)
    p.add_argument("--data-cpu", type=int, default=1)
    p.add_argument("--client-cpu", type=int, default=0)
    p.add_argument("--disk", default="/var/tmp", help="where uring's file goes: 2 GiB, on a disk")
    p.add_argument("--huge", action="store_true")
    p.add_argument("--out", default=os.path.join(HERE, "RESULTS.md"))
    o = p.parse_args()
    signal.signal(signal.SIGTERM, stopped)
    o.build = os.path.realpath(o.build)
    if os.geteuid() != 0:
        sys.exit("run.py: needs root")
    missing = {p for section in o.section.split(",") for p in PROGRAMS.get(section, ()) if shutil.which(p) is None}
    if missing:
        sys.exit(f"run.py: needs {', '.join(sorted(missing))}: sudo tools/packages check guest")
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
