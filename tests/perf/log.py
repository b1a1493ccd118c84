#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Strake authors
"""Hold the services of log volumes against their engines, medians, and write LOG.md.

    tests/perf/log.py --build BUILD [--runs 5]

Runs dedup-load and log-load of the build on one CPU. As root, before everything else on the machine.
"""

import argparse
import contextlib
import json
import os
import platform
import subprocess
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
EAL = ["--no-huge", "--no-pci", "--no-telemetry", "--log-level=critical"]
STAGE, PATH, READ_MORE = 0.85, 0.80, 4000
# The run sizes in use: what hosts write is gathered into runs of up to 32 KiB, of which compression leaves half.
AIMS = {"LZ4, runs of 32 KiB": STAGE, "deflate, compress_isal, runs of 32 KiB": STAGE,
        "AES-256-GCM, crypto_aesni_gcm, 16 KiB": STAGE,
        "AES-256-GCM, crypto_aesni_mb, 16 KiB": STAGE, "sha256, 4 x 128 KiB": STAGE, "fast, 4 x 128 KiB": STAGE,
        "fast and a look, 4 x 128 KiB": STAGE,
        "rows, gathered, 3+1, to the drives": STAGE, "write path, sha256": PATH, "write path, fast": PATH}


def favoured():
    os.setsid()
    with contextlib.suppress(OSError):
        with open("/proc/self/autogroup", "w", encoding="ascii") as f:
            f.write("-20")


def run(o, program, memory, *args):
    command = [os.path.join(o.build, "tests/perf", program), *EAL, "-m", str(memory), "-l", str(o.cpu), "--", *args]
    got = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, preexec_fn=favoured)
    return [json.loads(line) for line in got.stdout.splitlines() if line.startswith("{")]


def cpu_model():
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as f:
        return next((line.split(":")[1].strip() for line in f if line.startswith("model name")), "unknown")


def verdict(case, ratio):
    aim = AIMS.get(case)
    return "" if aim is None else f">= {aim:.2f}: {'reached' if ratio >= aim else '**missed**'}"


def cases(rows):
    out = ["| | engine alone, GB/s | in Strake, GB/s | of it | must reach |", "|---|---|---|---|---|"]
    out += [f"| {r['case']} | {r['engine_gbs']:.2f} | {r['stage_gbs']:.2f} | {r['ratio']:.2f} | "
            f"{verdict(r['case'], r['ratio'])} |" for r in rows]
    return "\n".join(out)


def terms(rows, path):
    out = [f"### {path}", "", "| kernel | share of the host's bytes | GB/s | share of the time |", "|---|---|---|---|"]
    out += [f"| {r['term']} | {r['share']:.3f} | {r['gbs']:.2f} | {r['part']:.1%} |" for r in rows if r["path"] == path]
    return "\n".join(out)


def reads(rows):
    out = ["| written in runs of | plain, cycles | compressed and sealed | expanding the run | more than both | "
           "must reach |", "|---|---|---|---|---|---|"]
    for r in rows:
        good = "reached" if r["more"] <= READ_MORE else "**missed**"
        out.append(f"| {r['read'] // 1024} KiB | {r['plain']} | {r['full']} | {r['expand']} | {r['more']} | "
                   f"<= {READ_MORE}: {good} |")
    return "\n".join(out)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", default=os.path.join(HERE, "..", "..", "build"))
    p.add_argument("--runs", type=int, default=5)
    p.add_argument("--cpu", type=int, default=1)
    p.add_argument("--out", default=os.path.join(HERE, "LOG.md"))
    o = p.parse_args()
    o.build = os.path.realpath(o.build)
    load = os.getloadavg()[0]
    dedup = run(o, "dedup-load", 1024, str(3 * o.runs), "json")
    rest = run(o, "log-load", 3000, str(o.runs), "json")
    paths = [r for r in rest if r.get("case", "").startswith("write path")]
    stages = dedup + [r for r in rest if "case" in r and r not in paths]
    kernels = [r for r in rest if "term" in r]
    text = f"""# Log volumes against their engines

Written by `tests/perf/log.py --build BUILD --runs {o.runs}`; medians. One lcore on CPU {o.cpu}. {cpu_model()}, {os.cpu_count()} CPUs, Linux
{platform.release()}, no huge pages, load average at the beginning {load:.1f}. Time is that of the thread on its processor (`dedup-load`: the
clock's), engine and ours in turns.

## Each stage alone

Engines: SHA-256 by ipsec-mb and XXH3-128 (`and a look`: and then one line of 64 MiB that the hash names, the least that any index takes;
without, the stage's index of 64 MiB is held against nothing), LZ4 by liblz4 (level 1), AES-256-GCM by the cryptodev, all over the same bytes in the same
pieces as the stage, which gets them as requests or chunks in a real chain. `rows`: CRC32C, one copy into rows, parity by ISA-L, and
the memory of four drives, one after the other; in Strake by the store and its group.

What must be reached is asked of the run sizes in use: the write path compresses runs of 32 KiB, and seals the 15.6 KiB that are left of one (its
table below says so). The hash is better than its engine alone where it fetches the whole next block beforehand (on AMD).

{cases(stages)}

## The whole write path

Requests of 128 KiB, 4 under way, in turns 32 KiB that are new and 32 KiB that were written 16 MiB before; LZ4 makes half of what is new. dedup, LZ4,
AES-256-GCM by `crypto_aesni_gcm`, 3+1 by ISA-L, drives of memory. Engine: 1 / Σ share / speed over its kernels.

{cases(paths)}

{terms(kernels, "write path, sha256")}

{terms(kernels, "write path, fast")}

## Reads of 4 KiB

At random, 16 under way, of a log volume without services and of one that compresses and seals. A sealed chunk is opened and expanded
whole; one without services is read whole too, so it reads twice the bytes.

{reads([r for r in rest if "read" in r])}
"""
    with open(o.out, "w", encoding="utf-8") as f:
        f.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
