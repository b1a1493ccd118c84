#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Strake authors
"""Map a TiB in a store, with a small cache of the map and with one that holds it all; kill it, open it again; write
TEBIBYTE.md with medians.

    tests/perf/tebibyte.py --build BUILD [--runs 3]

Runs tebibyte of the build on one CPU, before everything else on the machine. Takes 9 GiB of memory.
"""

import argparse
import collections
import os
import platform
import statistics
import sys

import log

HERE = os.path.dirname(os.path.realpath(__file__))
CASES = (("small", 1500), ("order", 1500), ("large", 5500))
RESTART, MEMORY = 5, 2.1


def verdict(name, value):
    if name.endswith(", restart"):
        return f"<= {RESTART} s: {'reached' if value <= RESTART else '**missed**'}"
    if name.endswith("for each TiB"):
        return f"<= {MEMORY} GiB: {'reached' if value <= MEMORY else '**missed**'}"
    return ""


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", default=os.path.join(HERE, "..", "..", "build"))
    p.add_argument("--runs", type=int, default=3)
    p.add_argument("--cpu", type=int, default=1)
    p.add_argument("--out", default=os.path.join(HERE, "TEBIBYTE.md"))
    o = p.parse_args()
    o.build = os.path.realpath(o.build)
    load = os.getloadavg()[0]
    got, units = collections.defaultdict(list), {}
    for case, memory in CASES:
        for _ in range(o.runs):
            for row in log.run(o, "tebibyte", memory, case, str(1 << 28), "json"):
                got[row["figure"]].append(row["value"])
                units[row["figure"]] = row["unit"]
    rows = [(name, statistics.median(values), max(values)) for name, values in got.items()]
    table = "\n".join(f"| {n} | {v:,.3f} {units[n]} | {worst:,.3f} | {verdict(n, worst)} |" for n, v, worst in rows)
    text = f"""# A TiB mapped

Written by `tests/perf/tebibyte.py --build BUILD --runs {o.runs}`: medians, and the largest, which is what is judged. One lcore on
CPU {o.cpu}. {log.cpu_model()}, {os.cpu_count()} CPUs, Linux {platform.release()}, no huge pages, load average
at the beginning {load:.1f}.

The volume has 2^28 blocks of 4 KiB, none of them shared, in segments of 64 MiB, a fifth of which are free. What lies there is
computed when it is read, on the same processor: how long that took is told. Reads take 100 us, rows 30 us, flushes 100 us, freeing
a segment 200 us, and bytes pass at 4 GB/s, as with four modest drives; 64 requests under way. Time is that of the clock.

The process is killed when a checkpoint has written its pages and is not durable yet, so that all it held counts for nothing: what is
played is the log since the one before began. A restart is from there to a volume that takes requests. The memory of the process,
{CASES[-1][1]} MiB for the large cache, is found before all that, as that of huge pages is. (Where a page
fresh from the hypervisor takes 16 us, as seen on such machines, a process without huge pages restarts in 5 to 7 s.)

| | median | largest | must reach |
|---|---|---|---|
{table}

The dedup index takes 39.4 bytes for each unique block it remembers (`stages/dedup`), of memory that the configuration bounds: 9.9 GiB
would remember every block of a TiB.
"""
    with open(o.out, "w", encoding="utf-8") as f:
        f.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
