#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What the README promises of tools/quickstart, by the kernel's sockets in a namespace of its own."""

import hashlib
import os
import re
import subprocess
import sys

from harness import ROOT, check, main, root_only

SAYS = ["copying", "restarting the appliance", "copying it out again", "measuring", "p50", "p99.9", "stage", "drive",
        "What to try next"]
# Its telemetry socket has a fixed name: a file system of its own keeps it from others', and shows what it leaves there.
ALONE = """mkdir -p /run/dpdk && mount -t tmpfs tmpfs /run/dpdk || exit 9
"$@"; status=$?
ls -A /run/dpdk | sed "s/^/left behind: /"
exit $status"""


def quickstart(b, ns, *args):
    # The packages are there, or this would not have been built: straight to what tools/quickstart starts.
    cmd = ["ip", "netns", "exec", ns, "unshare", "--mount", "sh", "-c", ALONE, "sh", sys.executable,
           os.path.join(ROOT, "tools", "start", "quickstart.py"), *args]
    return subprocess.run(cmd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300,
                          check=False, env={**os.environ, "TMPDIR": b.folder}, text=True, errors="replace")


def case_a_file_goes_in_and_comes_back_and_nothing_is_left(b):
    root_only()
    ns, data = b.netns("q"), os.urandom(3 << 20) + b"an end inside a block"
    out = quickstart(b, ns, "--kernel", "--time", "0.2", b.write("file", data))
    check(out.returncode == 0, out.stdout)
    missing = [word for word in SAYS if word not in out.stdout]
    check(not missing, f"it does not say {missing}:\n{out.stdout}")
    sums = set(re.findall(r"\b[0-9a-f]{64}\b", out.stdout))
    check(sums == {hashlib.sha256(data).hexdigest()}, f"it shows other sums than the file's:\n{out.stdout}")
    check("left behind" not in out.stdout, out.stdout)
    check(os.listdir(b.folder) == ["file"], f"left behind: {os.listdir(b.folder)}")
    left = subprocess.run(["ip", "netns", "pids", ns], stdout=subprocess.PIPE, check=True, text=True).stdout
    check(left == "", f"still running: {left}")


def case_what_cannot_be_copied_is_told_in_one_line(b):
    root_only()
    ns = b.netns("q")
    out = quickstart(b, ns, os.path.join(b.folder, "nothing"))
    check(out.returncode != 0 and out.stdout.count("\n") == 1 and "no such file" in out.stdout, out.stdout)


if __name__ == "__main__":
    sys.exit(main(globals()))
