# SPDX-License-Identifier: BSD-3-Clause
"""Files of a room that use each other in a circle, by what the compiled ones define and need."""

import glob
import os
import re

from common import BUILD, sh

# Rooms in which every file stands above all that it uses, with the library that meson makes of each. In others some
# files still lean on each other.
ROOMS = {"app": "app", "stages/crypto": "crypto_stage", "stages/dedup": "dedup", "drivers/drive/mem": "drive_mem",
         "drivers/drive/uring": "drive_uring", "tools/common": "tools_common", "tools/ctl": "tools_ctl"}


def uses(room, library):
    """{file: {another: names that it takes from it}}"""
    compiled = glob.glob(os.path.join(BUILD, room, f"lib{library}.a.p", "*.o"))
    _, out = sh(["nm", "--print-file-name", *compiled])
    symbols = re.findall(r"^\S*/(\S+)\.o:\s*[0-9a-f]*\s([A-Z]) (\S+)$", out, re.M)
    owner = {name: f for f, kind, name in symbols if kind != "U"}
    table = {f: {} for f, _, _ in symbols}
    for f, kind, name in symbols:
        if kind == "U" and owner.get(name, f) != f:
            table[f].setdefault(owner[name], []).append(name)
    return table


def circles(table):
    """What is left when all have gone that use nobody, or that nobody uses."""
    while True:
        used = {f for names in table.values() for f in names}
        left = {f: {other: names for other, names in table[f].items() if other in table} for f in table if f in used}
        left = {f: others for f, others in left.items() if others}
        if left == table:
            return [f"{f} uses {other}: {', '.join(names)}" for f in left for other, names in left[f].items()]
        table = left


def run():
    for room, library in ROOMS.items():
        table = uses(room, library)
        bad = circles(table)
        yield f"no circle in {room}", bool(table) and not bad, "\n".join(bad) or "nothing is compiled there"
