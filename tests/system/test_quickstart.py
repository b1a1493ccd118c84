#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What the README promises of tools/quickstart: by the kernel's sockets in a namespace of its own, and by a DPDK port on
the veth and the huge pages that it makes and takes itself."""

import contextlib
import hashlib
import os
import re
import subprocess
import sys

from harness import ROOT, Skip, check, main, root_only, until

SAYS = ["copying", "where the bytes went", "restarting the appliance", "copying it out again", "measuring", "p50", "p99.9", "stage",
        "drive"]
PROGRAM = [sys.executable, os.path.join(ROOT, "tools", "start", "quickstart.py")]
NETNS = "strake-quickstart"
# Its telemetry socket has a fixed name: a file system of its own keeps it from others', and shows what it leaves there.
ALONE = """mkdir -p /run/dpdk && mount -t tmpfs tmpfs /run/dpdk || exit 9
"$@"; status=$?
ls -A /run/dpdk | sed "s/^/left behind: /"
exit $status"""


def quickstart(b, ns, *args):
    # The packages are there, or this would not have been built: straight to what tools/quickstart starts.
    return run(b, "ip", "netns", "exec", ns, "unshare", "--mount", "sh", "-c", ALONE, "sh", *PROGRAM, *args)


def run(b, *cmd):
    return subprocess.run(cmd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300,
                          check=False, env={**os.environ, "TMPDIR": b.folder}, text=True, errors="replace")


def went_well(out, data):
    """It said all that the README tells of, and the sum of the file before and after."""
    check(out.returncode == 0, f"{out.stdout}\nstatus {out.returncode}")
    missing = [word for word in SAYS if word not in out.stdout]
    check(not missing, f"{out.stdout}\nit does not say {missing}")
    sums = set(re.findall(r"\b[0-9a-f]{64}\b", out.stdout))
    check(sums == {hashlib.sha256(data).hexdigest()}, f"{out.stdout}\nit shows other sums than the file's: {sums}")


def megabytes(out, row):
    """What the table of the reduction says in this row."""
    return float(re.search(rf"^ *{row} +([0-9.]+) ", out.stdout, re.M).group(1))


def case_a_file_goes_in_and_comes_back_and_nothing_is_left(b):
    root_only()
    # A third are zeroes, a third repeats, and the last does not shrink. The zeroes lie between: of blocks that are on
    # their way at once none is known yet.
    ns, part = b.netns("q"), os.urandom(2 << 20)
    data = part + bytes(2 << 20) + part + b"an end inside a block"
    out = quickstart(b, ns, "--kernel", "--time", "0.2", b.write("file", data))
    went_well(out, data)
    check("What to try next" in out.stdout, out.stdout)
    told = [megabytes(out, row) for row in ("written by the host", "less blocks of zeroes", "less blocks there already")]
    check(told == [6.3, 2.1, 2.1], f"{out.stdout}\nthe reduction: {told}")
    check("left behind" not in out.stdout, out.stdout)
    check(os.listdir(b.folder) == ["file"], f"left behind: {os.listdir(b.folder)}")
    left = subprocess.run(["ip", "netns", "pids", ns], stdout=subprocess.PIPE, check=True, text=True).stdout
    check(left == "", f"still running: {left}")


def huge_pages():
    with open("/proc/sys/vm/nr_hugepages", encoding="ascii") as f:
        return int(f.read())


def case_what_is_kept_over_its_own_port_goes_as_it_says(b):
    root_only()
    if os.path.exists(f"/run/netns/{NETNS}"):
        raise Skip(f"network namespace {NETNS} is somebody's")
    before, data = huge_pages(), os.urandom(3 << 20)
    b.cleanups.append(lambda: subprocess.run(["ip", "netns", "del", NETNS], stderr=subprocess.DEVNULL, check=False))
    out = run(b, *PROGRAM, "--keep", "--time", "0.2", b.write("file", data))
    pid, end = re.search(r"process (\d+),", out.stdout), re.search(r"^End it:\n(.*)$", out.stdout, re.M)
    check(pid and end, out.stdout)
    try:
        went_well(out, data)
        lacks = "This machine lacks" in out.stdout
        check(lacks or f"ip netns exec {NETNS}" in out.stdout, f"it is not in its namespace:\n{out.stdout}")
        tried = re.search(r"Try:\n +(.*identify.*)$", out.stdout, re.M).group(1)
        b.sh("sh", "-c", tried)
    finally:
        subprocess.run(["sh", "-c", end.group(1)], stdout=subprocess.DEVNULL, check=False)
    with contextlib.suppress(FileNotFoundError):
        until(lambda: open(f"/proc/{pid.group(1)}/stat", encoding="ascii").read().split()[2] == "Z", 30, "its end")
    check(not os.path.exists(f"/run/netns/{NETNS}"), "the namespace is left")
    check(os.listdir(b.folder) == ["file"], f"left behind: {os.listdir(b.folder)}")
    check(huge_pages() == before, f"{huge_pages()} huge pages, {before} before")
    if lacks:
        raise Skip(re.search("This machine lacks.*", out.stdout).group(0) + " (the rest was shown by the kernel's sockets)")


def case_what_cannot_be_copied_is_told_in_one_line(b):
    root_only()
    ns = b.netns("q")
    out = quickstart(b, ns, os.path.join(b.folder, "nothing"))
    check(out.returncode != 0 and out.stdout.count("\n") == 1 and "no such file" in out.stdout, out.stdout)


if __name__ == "__main__":
    sys.exit(main(globals()))
