# SPDX-License-Identifier: BSD-3-Clause
"""Unit tests and simulations: every program that meson knows as a test, counted case by case."""

import json
import re
from concurrent.futures import ThreadPoolExecutor

import often
from build import CLANG, setup
from common import BUILD, sh, tail

ASAN_ENV = {
    "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=0:detect_stack_use_after_return=0",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
}


def programs(folder, suites):
    status, out = sh(["meson", "introspect", "--tests", folder])
    if status != 0:
        return []
    tests = [t for t in json.loads(out) if any(s.split(":")[-1] in suites for s in t["suite"])]
    # The longest first: none of them shall run on alone at the end.
    return sorted(tests, key=lambda t: -t["priority"])


def run_one(test, env):
    status, out = sh(test["cmd"], timeout=test["timeout"] * 3, env={**test["env"], **env})
    passed = sum(int(n) for n in re.findall(r"^\[  PASSED  \] (\d+) test", out, re.M))
    failed = re.findall(r"^\[  FAILED  \] (\S+)(?: \(| *$|,)", out, re.M)
    return test["name"], status, passed, sorted(set(failed) - {""}), out


def run_all(folder, env=None, suites=("unit", "sim")):
    tests = programs(folder, suites)
    if not tests:
        yield "tests found", False, f"no tests in {folder}"
        return
    with ThreadPoolExecutor(2) as pool:
        for name, status, passed, failed, out in pool.map(lambda t: run_one(t, env or {}), tests):
            for i in range(passed):
                yield f"{name} #{i}", True, ""
            for f in failed:
                yield f"{name} {f}", False, tail(out)
            if status != 0 and not failed:
                yield name, False, f"exit status {status}\n{tail(out)}"
            elif status == 0 and passed == 0:
                yield name, False, f"ran no test\n{tail(out)}"


def release():
    yield from run_all(BUILD)


def sanitized():
    folder = BUILD + "-asan"
    # Clang needs little more than half of gcc's time for this, and its sanitizers see more. C++ is tests alone, where
    # UBSan would cost a fifth of the time that they compile for; what they include of the rooms it sees in the rooms.
    ok, text = setup(folder, ["-Db_sanitize=address,undefined", "-Db_lundef=false", "-Dwerror=false",
                              "-Doptimization=1", "-Dc_args=-g1",
                              f"-Dcpp_args=-fno-sanitize=undefined {often.included(folder)}"], env=CLANG,
                     before=lambda: often.precompiled(folder))
    yield "build", ok, text
    if ok:
        yield from run_all(folder, ASAN_ENV)
