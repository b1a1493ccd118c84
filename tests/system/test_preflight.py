#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""strake preflight on this machine, and drives that hold somebody else's data."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys

from harness import STRAKE, Skip, check, main


def preflight(b, *args, expect=None):
    r = subprocess.run([STRAKE, "preflight", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=30,
                       cwd=b.folder, check=False)
    check(r.returncode in (0, 1), f"exit status {r.returncode}: {r.stderr.decode()}")
    if expect is not None:
        check(r.returncode == expect, f"exit status {r.returncode}, expected {expect}:\n{r.stdout.decode()}")
    return r.stdout.decode()


def rows(b, *args, **kw):
    return json.loads(preflight(b, "--json", *args, **kw))


def digest(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def somebodys(b, name):
    """An image with an ext4 file system where a drive is expected."""
    if shutil.which("mkfs.ext4") is None:
        raise Skip("no mkfs.ext4")
    path = os.path.join(b.folder, name)
    with open(path, "wb") as f:
        f.truncate(64 << 20)
    b.sh("mkfs.ext4", "-q", "-L", "payroll", path)
    return path


def case_machine_is_described_without_and_with_a_file(b):
    lines = preflight(b).splitlines()
    check(all(re.match(r"(PASS|WARN|FAIL)  \S", line) for line in lines[:-1]), "\n".join(lines))
    check(re.fullmatch(r"\d+ passed, \d+ warnings, \d+ failed", lines[-1]), lines[-1])
    conf = b.write("c.yaml", b.conf(kind="uring"))
    out = rows(b, conf, expect=0)
    check({"io_uring", "cores", "drive in use"} <= {r["check"] for r in out}, str(out))
    check(all(r["result"] != "FAIL" for r in out), str(out))


def case_wrong_file_and_wrong_words_are_told(b):
    conf = b.write("c.yaml", "drivs: []\n")
    r = subprocess.run([STRAKE, "preflight", conf], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    check(r.returncode == 1 and b'did you mean "drives"' in r.stderr, str(r))
    r = subprocess.run([STRAKE, "preflight", conf, conf], stderr=subprocess.PIPE, check=False)
    check(r.returncode == 2, str(r))


def case_somebody_elses_file_system_is_refused_until_named(b):
    path = somebodys(b, "d0")
    before = digest(path)
    conf = b.conf(kind="uring")
    bad = [r for r in rows(b, b.write("c.yaml", conf), expect=1) if r["result"] == "FAIL"]
    check(len(bad) == 1 and "ext4 file system labelled 'payroll'" in bad[0]["text"], str(bad))
    status, said = b.appliance(conf).fails()
    last = said.strip().splitlines()[-1]
    check(status == 3 and "drive d0: " in last and
          "holds other data, ext4 file system labelled 'payroll'" in last, said)
    check(digest(path) == before, "it was changed all the same")

    name = re.search(r'`overwrite: "(ext4:[0-9a-f-]{36})"`', last).group(1)
    wrong = conf.replace("name: d0, kind: uring", f"name: d0, kind: uring, overwrite: \"{name[:-1]}z\"")
    b.appliance(wrong).fails()
    check(digest(path) == before, "another name was enough")

    right = conf.replace("name: d0, kind: uring", f"name: d0, kind: uring, overwrite: \"{name}\"")
    warned = [r for r in rows(b, b.write("c.yaml", right), expect=0) if r["check"] == "drive's data"]
    check(warned[0]["result"] == "WARN" and "will be lost" in warned[0]["text"], str(warned))
    a = b.appliance(right).start()
    check("overwrote ext4 file system labelled 'payroll'" in a.log(), a.log())
    c = b.client()
    c.run("verify", "--length", "8M", "--seed", "3")
    a.stop()
    # Its own data stays from now on, whatever the key still says.
    a = b.appliance(right).start()
    c.run("verify", "--length", "8M", "--seed", "3", "--read-only")
    a.stop()


if __name__ == "__main__":
    sys.exit(main(globals()))
