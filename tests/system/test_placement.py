#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Stages of log volumes inline or on data lcores of their own, as the file says, and so what lays the rows: same bytes, same
reduction."""

import json
import os
import random
import sys

from harness import check, main
from test_log import conf, prepared

MIB = 1 << 20
KEPT = ("logical_blocks", "unique_blocks", "hit_blocks", "zero_blocks", "plain_bytes", "stored_bytes")
# "rows" are the group's, with their parity and the store: data lcore 1's unless the file says another. What else has no
# lcore runs where the work is.
PLACES = ({}, {"dedup": 2}, {"compress": 2}, {"seal": 2}, {"dedup": 1, "compress": 2, "seal": 1}, {"dedup": 2, "compress": 2, "seal": 2},
          {"rows": 2}, {"rows": 2, "dedup": 1, "compress": 1, "seal": 1})


def stages(at, compress=""):
    def stage(name, keys=""):
        keys = ", ".join(k for k in (keys, f"lcore: {at[name]}" if name in at else "") if k)
        return f"{name}: {{{keys}}}" if keys else name
    return f"[{stage('dedup')}, {stage('compress', compress)}, {stage('seal', 'key_file: v.key')}]"


def mixed(c, span, area):
    """For two seconds, however much that is: reads and writes by two queues, every byte read is checked; beside them a third
    host writes, trims, zeroes, flushes and reads elsewhere. Returns what it left there."""
    load = c.begin("bench", "--pattern", "randrw", "--rwmix", "50", "--bs", "16K", "--jobs", "2", "--depth", "4", "--offset", span,
                   "--size", "2M", "--verify", "--warm-up", "0s", "--time", "2s", "--sleep", "--timeout", "60s", "--json")
    known, piece, did = bytearray(MIB), 128 << 10, []
    c.run("zero", "--offset", area, "--length", "1M")
    while load.poll() is None or len(did) < 4:
        what = ("write", "trim", "zero", "flush")[len(did)] if len(did) < 4 else random.choice(did)
        at = random.randrange(MIB // piece) * piece
        text = os.urandom(piece // 2) * 2 if what == "write" else bytes(piece)
        where = ("--offset", str((int(area[:-1]) << 20) + at), "--length", str(piece))
        c.run(what, *(where if what != "flush" else ()), stdin=text if what == "write" else None)
        if what != "flush":
            known[at:at + piece] = text
        did.append(what)
        check(c.run("read", "--offset", area, "--length", "1M").stdout == known, f"bytes after {did[-9:]}")
    out = json.loads(load.stdout.read())
    check(out["error"] == "" and out["read"]["errors"] + out["write"]["errors"] + out["verify"]["mismatches"] == 0, f"mixed: {out}")
    check(load.returncode == 0 and min(out["read"]["ios"], out["write"]["ios"]) > 0, f"mixed: {out}")
    return bytes(known)


def same_everywhere(b, compress, places=PLACES):
    """The same to drives that are new each time, by every placement."""
    # Blocks that become half as large, a quarter of which come again when the first of them are stored, and zeroes.
    half = b"".join(bytes([65 + i % 26]) * 2048 + os.urandom(2048) for i in range(1536))
    data = half + half[:2 * MIB] + bytes(MIB)
    first = None
    for at in places:
        for d in range(4):
            if os.path.exists(os.path.join(b.folder, f"d{d}")):
                os.unlink(os.path.join(b.folder, f"d{d}"))
        text = conf(b, size="128MiB", stages=stages(at, compress), data_cpus="[0, 1]")
        rows = at.get("rows", 1)
        if "rows" in at:
            text = text.replace("style: log", f"style: log, lcore: {rows}")
        a = prepared(b, text).start()
        c = b.client()
        for first_of, what in ((0, half), (len(half), data[len(half):])):
            c.run("write", "--offset", str(first_of), "--length", str(len(what)), stdin=what)
        c.run("flush")
        c.run("write", "--offset", "64M", "--length", str(len(data)), stdin=data)
        c.run("flush")
        s = a.ctl("store", "show", "g0")
        found = {k: s[k] for k in KEPT}
        first = first or found
        check(found == first and s["hit_blocks"] > 0 and s["stored_bytes"] < 0.6 * s["plain_bytes"], f"{at}: {found}, inline {first}")
        check(a.ctl("group", "show", "g0")["lcore"] == rows, f"the group's rows are not at {rows}")
        for name, lcore in at.items():
            if name == "rows":
                continue
            st = [st for st in a.ctl("stage", "list") if st["name"].endswith(f".{name}")]
            check(len(st) == 1 and st[0]["lcore"] == lcore and st[0]["down"] > 0, f"{name} is not at {lcore}: {st}")
        c.run("verify", "--offset", "128M", "--length", "2M", "--queues", "2", "--timeout", "60s")
        left = mixed(c, "144M", "160M")
        for _ in range(2):
            check(c.run("read", "--offset", "160M", "--length", "1M").stdout == left, f"{at}: bytes of the mixed load")
            for offset in ("0", "64M"):
                check(c.run("read", "--offset", offset, "--length", str(len(data))).stdout == data, f"{at}: bytes at {offset}")
            a.stop()
            b.fsck()
            a.start()
        a.stop()


def case_lz4_and_sealed(b):
    same_everywhere(b, "codec: lz4")


def case_deflate_by_a_device_and_sealed(b):
    same_everywhere(b, "codec: deflate, device: compress_isal", ({}, {"compress": 2}))


def case_rows_of_the_same_drives_by_another_lcore(b):
    """What is on the drives does not know who laid it; after a kill another replays it, too."""
    whole = b""
    for lcore in (1, 2, 1):
        text = conf(b, data_cpus="[0, 1]").replace("style: log", f"style: log, lcore: {lcore}")
        a = prepared(b, text).start()
        c = b.client()
        check(a.ctl("group", "show", "g0")["lcore"] == lcore, f"the group's rows are not at {lcore}")
        check(c.run("read", "--length", str(4 * MIB)).stdout[:len(whole)] == whole, f"bytes at {lcore}")
        more = os.urandom(MIB)
        c.run("write", "--offset", str(len(whole)), "--length", str(MIB), stdin=more)
        c.run("flush")
        whole += more
        a.kill()
    b.fsck()


if __name__ == "__main__":
    sys.exit(main(globals()))
