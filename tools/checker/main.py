# SPDX-License-Identifier: BSD-3-Clause
"""Runs the schedule and counts. A step yields (name, ok, text) for each of its results."""

import argparse
import sys
import threading
import time
import traceback

import build
import fuzz
import lint
import system
import units
from common import only_idle_time

# One schedule. ALONE has the machine to itself. FIRST are one lane and BESIDE is another that takes the processors'
# idle time meanwhile: system tests mostly wait, and what computes lies in virtual time or is bounded by minutes.
# LONG runs only with --long, after all else.
ALONE, FIRST, BESIDE, LONG = range(4)
SCHEDULE = [
    # name, function, when, what it shows
    ("lint", lint.run, ALONE, "format, licence lines, headers alone, include arrows, spelling, titles"),
    ("build", build.release, ALONE, "gcc, warnings are errors"),
    ("unit", units.release, FIRST, "every unit test and simulation"),
    ("system", system.run, FIRST, "the appliance as a process, with its own client and the kernel's TCP"),
    ("sanitize", units.sanitized, BESIDE, "unit tests and simulations under AddressSanitizer and UBSan"),
    ("fuzz", fuzz.run, BESIDE, "each libFuzzer harness for 60 s, two at a time"),
    ("guest", system.guest, LONG, "file systems, bad wires and restarts under a Linux host in a guest"),
    ("soak", system.soak, LONG, "an hour of mixed verified I/O with connects and disconnects"),
    ("fuzz long", fuzz.run_long, LONG, "each harness for 20 minutes"),
]


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


class Tally:
    """What passed and what failed, of all lanes."""

    def __init__(self):
        self.passed, self.failures = 0, []
        self.lock = threading.Lock()

    def run(self, name, fn):
        began, ok_here = time.monotonic(), 0
        print(f"== {name}", flush=True)
        for what, ok, text in fn():
            if ok:
                ok_here += 1
            else:
                with self.lock:
                    self.failures.append(f"{name}: {what}")
                print(f"FAILED {name}: {what}\n{text}", flush=True)
        with self.lock:
            self.passed += ok_here
        print(f"   {name}: {ok_here} passed in {time.monotonic() - began:.0f} s", flush=True)

    def lane(self, steps, idle=False):
        """Steps one after another; a step that breaks is a failure, not the end of its lane."""
        if idle:
            only_idle_time()
        for name, fn in steps:
            try:
                self.run(name, fn)
            except Exception:  # noqa: whatever it is, it is said and counted
                with self.lock:
                    self.failures.append(f"{name}: the step itself")
                traceback.print_exc()


def main():
    args = parse()
    if args.list:
        for name, _, when, what in SCHEDULE:
            print(f"{name:10} {('', '', 'beside ', '--long ')[when]}{what}")
        return 0
    chosen = [s for s in SCHEDULE if (s[0] in args.steps if args.steps else args.long or s[2] != LONG)]
    of = {w: [(name, fn) for name, fn, when, _ in chosen if when == w] for w in (ALONE, FIRST, BESIDE, LONG)}
    tally = Tally()
    tally.lane(of[ALONE])
    if not any(f.startswith("build") for f in tally.failures):
        beside = threading.Thread(target=tally.lane, args=(of[BESIDE], bool(of[FIRST])))
        beside.start()
        tally.lane(of[FIRST])
        beside.join()
        tally.lane(of[LONG])
    for f in tally.failures:
        print(f"failed: {f}")
    print(f"{tally.passed} passed, {len(tally.failures)} failed")
    return 1 if tally.failures else 0


if __name__ == "__main__":
    sys.exit(main())
