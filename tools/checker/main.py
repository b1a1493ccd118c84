# SPDX-License-Identifier: BSD-3-Clause
"""Runs the schedule and counts. A step yields (name, ok, text) for each of its results."""

import argparse
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import build
import fresh
import fuzz
import lint
import system
import units

# One schedule: what runs, in this order. `long` steps run only with --long.
SCHEDULE = [
    # name, function, long, how long it takes on two cores, what it shows
    ("lint", lint.run, False, "24 s", "format, licence lines, headers alone, include arrows, spelling, titles"),
    ("build", build.release, False, "186 s", "gcc, warnings are errors; no circle of files where there is none yet"),
    ("unit", units.release, False, "250 s", "every unit test and simulation"),
    ("sanitize", units.sanitized, False, "400 s", "the same under AddressSanitizer and UBSan"),
    ("system", system.run, False, "406 s", "the appliance as a process, with its own client and the kernel's TCP"),
    ("fuzz", fuzz.run, False, "as guest", "each libFuzzer harness for 60 s, two at a time, in the time that guests leave"),
    ("guest", system.guest, False, "530 s", "a Linux host, its drives and its power losses, in a guest"),
    ("fresh", fresh.run, True, "12 min", "the README's two commands on a Debian 12 that is made for them"),
    ("guest long", system.guest_long, True, "> 1 h", "file systems, bad wires and restarts under a Linux host in a guest"),
    ("soak", system.soak, True, "140 min", "an hour of mixed verified I/O with connects and disconnects"),
    ("fuzz long", fuzz.run_long, True, "120 min", "each harness for 20 minutes"),
]

# Begins in its turn, runs beside the steps behind it, and is counted at the end. Guests are emulated and mostly leave
# one of two processors; the appliance on this machine's own drives is not to be disturbed.
ASIDE = "fuzz"


def parse():
    p = argparse.ArgumentParser(prog="tools/check", description="Build, lint and test everything.")
    p.add_argument("--long", action="store_true", help="also run what takes hours")
    p.add_argument("--list", action="store_true", help="list the steps and stop")
    p.add_argument("steps", nargs="*", help="only these steps (build runs when they need it)")
    a = p.parse_args()
    known = [s[0] for s in SCHEDULE]
    for s in a.steps:
        if s not in known:
            p.error(f"unknown step \"{s}\"; known are {', '.join(known)}")
    return a


def stand_back():
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


class Tally:
    def __init__(self):
        self.passed, self.failures = 0, []

    def add(self, step, results, began):
        """Takes the results as they come. Returns whether all were good."""
        here, failed = 0, len(self.failures)
        for what, ok, text in results:
            if ok:
                here += 1
            else:
                self.failures.append(f"{step}: {what}")
                print(f"FAILED {step}: {what}\n{text}", flush=True)
        self.passed += here
        print(f"   {here} passed in {time.monotonic() - began:.0f} s", flush=True)
        return len(self.failures) == failed


def run(steps):
    tally, aside = Tally(), None
    with ThreadPoolExecutor(1, initializer=stand_back) as pool:
        for name, fn in steps:
            began = time.monotonic()
            if name == ASIDE:
                aside = (began, pool.submit(lambda fn=fn: list(fn())))
                continue
            print(f"== {name}", flush=True)
            if not tally.add(name, fn(), began) and name == "build":
                break
        if aside is not None:
            print(f"== {ASIDE}", flush=True)
            tally.add(ASIDE, aside[1].result(), aside[0])
    return tally


def main():
    args = parse()
    if args.list:
        for name, _, is_long, takes, what in SCHEDULE:
            print(f"{name:10} {takes:>8}  {'--long ' if is_long else ''}{what}")
        return 0
    tally = run([(name, fn) for name, fn, is_long, _, _ in SCHEDULE
                 if (name in args.steps if args.steps else args.long or not is_long)])
    for f in tally.failures:
        print(f"failed: {f}")
    print(f"{tally.passed} passed, {len(tally.failures)} failed")
    return 1 if tally.failures else 0


if __name__ == "__main__":
    sys.exit(main())
