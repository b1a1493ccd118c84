# SPDX-License-Identifier: BSD-3-Clause
"""Runs the schedule and counts. A step yields (name, ok, text) for each of its results."""

import argparse
import sys
import time

import build
import fuzz
import lint
import system
import units

# One schedule: what runs, in this order. `long` steps run only with --long.
SCHEDULE = [
    # name, function, long, what it shows
    ("lint", lint.run, False, "format, licence lines, headers alone, include arrows, spelling, titles"),
    ("build", build.release, False, "gcc, warnings are errors"),
    ("unit", units.release, False, "every unit test and simulation"),
    ("sanitize", units.sanitized, False, "the same under AddressSanitizer and UBSan"),
    ("fuzz", fuzz.run, False, "each libFuzzer harness for 60 s, two at a time"),
    ("system", system.run, False, "the appliance as a process, with its own client and the kernel's TCP"),
    ("guest", system.guest, True, "file systems, bad wires and restarts under a Linux host in a guest"),
    ("soak", system.soak, True, "an hour of mixed verified I/O with connects and disconnects"),
    ("fuzz long", fuzz.run_long, True, "each harness for 20 minutes"),
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


def main():
    args = parse()
    if args.list:
        for name, _, is_long, what in SCHEDULE:
            print(f"{name:10} {'--long ' if is_long else ''}{what}")
        return 0
    passed, failures = 0, []
    for name, fn, is_long, _ in SCHEDULE:
        if args.steps and name not in args.steps:
            continue
        if is_long and not args.long and name not in args.steps:
            continue
        began = time.monotonic()
        ok_here = 0
        print(f"== {name}", flush=True)
        for what, ok, text in fn():
            if ok:
                ok_here += 1
            else:
                failures.append(f"{name}: {what}")
                print(f"FAILED {name}: {what}\n{text}", flush=True)
        passed += ok_here
        print(f"   {ok_here} passed in {time.monotonic() - began:.0f} s", flush=True)
        if name == "build" and any(f.startswith("build") for f in failures):
            break
    for f in failures:
        print(f"failed: {f}")
    print(f"{passed} passed, {len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
