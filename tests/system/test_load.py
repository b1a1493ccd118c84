#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Programs of tests/perf that measure by virtual time still run, and what they say stays in bounds, whatever the machine."""

import os
import re
import subprocess
import sys

from harness import BUILD, check, main


def case_what_cleaning_costs(b):
    """gc-load on an eighth of its space: no operation of a host waits long, all that is written was counted."""
    r = subprocess.run([os.path.join(BUILD, "tests", "perf", "gc-load"), "2", "512"], stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300, check=False)
    text = r.stdout.decode()
    check(r.returncode == 0, text)
    rows = [[float(x.strip("* ")) for x in found] for found in
            re.findall(r"^\| time 2 \|" + r"([^|\n]+)\|" * 7, text, re.M)]
    slowest = [float(ms) for ms in re.findall(r"slowest \*\*([0-9.]+) ms", text)]
    check(len(rows) == 2 and len(slowest) == 2, text)
    for row in rows:
        check(row[0] == 1 and abs(sum(row[1:6]) - row[6]) < 0.01 and row[2] > 0.5, f"{row}\n{text}")
    # A store of this size keeps more of its segments back, so that less than the 20 % are there to be cleaned.
    check(rows[0][6] < 3.5 and rows[1][6] < 2.1, text)
    check(max(slowest) < 20, text)


if __name__ == "__main__":
    sys.exit(main(globals()))
