#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Drives as version 1 of the formats wrote them open in this one, and hold what they held (tests/golden)."""

import json
import os
import random
import struct
import sys
import tarfile

from harness import NQN, ROOT, check, main, until

KEY, RAID1_KEY = bytes(range(32)), bytes(range(64))


def blocks(seed, n):
    """Blocks of which each is its own and half of each shrinks."""
    r = random.Random(seed)
    return b"".join(r.randbytes(2048) + bytes([seed]) * 2048 for _ in range(n))


ONE = blocks(1, 8)
# Namespace, offset, bytes. The second and third share with the first, the fourth has a hole.
LOG = [(1, 0, ONE), (1, 64 << 10, ONE), (2, 4096, ONE[8192:24576]),
       (2, 128 << 10, blocks(2, 2) + bytes(8192) + blocks(3, 2)), (1, 96 << 10, random.Random(4).randbytes(4096))]
RAID1 = [(1, 0, blocks(5, 4)), (1, 1 << 20, blocks(6, 1))]


def conf_log(b):
    """Two volumes of one domain on four small drives."""
    drives = "\n".join(f"  - {{name: d{i}, kind: uring, path: d{i}, size: 8MiB}}" for i in range(4))
    stages = "[dedup, compress, seal: {key_file: v.key}]"
    return f"""appliance: {{name: {b.name}, huge: false, memory: 768MiB, buffers: 64MiB, main_cpu: 0, data_cpus: [0],
  control: {b.folder}/ctl.sock}}
drives:
{drives}
groups:
  - {{name: g0, style: log, data: 3, parity: 1, segment: 64KiB, drives: [d0, d1, d2, d3]}}
volumes:
  - {{name: v0, group: g0, size: 16MiB, stages: {stages}}}
  - {{name: v1, group: g0, size: 16MiB, lba: 512, stages: {stages}}}
subsystems:
  - {{nqn: "{NQN}", hosts: any, namespaces: [{{volume: v0}}, {{volume: v1}}]}}
listeners:
  - {{port: kernel, address: 127.0.0.1, service: {b.port}}}
"""


def conf_raid1(b):
    return b.conf(kind="uring", raid=1, size="8MiB", volume="4MiB", stages=", stages: [crypto: {key_file: x.key}]")


def conf_moved(b, volumes):
    """The smallest drives that there can be, so that little makes collection work."""
    drives = "\n".join(f"  - {{name: d{i}, kind: uring, path: d{i}, size: 5MiB}}" for i in range(4))
    stages = {"v1": "[dedup: {domain: open}, compress]", "v2": "[]"}
    lines = "\n".join(f"  - {{name: {v}, group: g0, size: 16MiB, stages: "
                      f"{stages.get(v, '[dedup, compress, seal: {key_file: v.key}]')}}}" for v in volumes)
    return f"""appliance: {{name: {b.name}, huge: false, memory: 768MiB, buffers: 64MiB, main_cpu: 0, data_cpus: [0],
  control: {b.folder}/ctl.sock, state: {b.folder}/state}}
drives:
{drives}
groups:
  - {{name: g0, style: log, data: 3, parity: 1, segment: 64KiB, unit: 16KiB, drives: [d0, d1, d2, d3]}}
volumes:
{lines}
subsystems:
  - {{nqn: "{NQN}", hosts: any, namespaces: [{", ".join(f"{{volume: {v}}}" for v in volumes)}]}}
listeners:
  - {{port: kernel, address: 127.0.0.1, service: {b.port}}}
"""


def filler(seed, n):
    """Blocks of which each is its own, and that xz makes small."""
    return b"".join(struct.pack("<QQ", seed, i) * 256 for i in range(n))


def moved():
    """What makes collection move and repack. Volumes 1 and 2 (sealed, compressed) are written between blocks that go soon,
    lose every third of theirs, are written by a second key; the third is overwritten until nothing lies where it lay."""
    for part in range(6):
        for ns in (1, 2):
            yield "write", ns, part << 15, blocks(16 * ns + part, 8)
        yield "write", 3, part << 17, filler(part, 32)
    for block in range(0, 48, 3):
        for ns in (1, 2):
            yield "write", ns, block << 12, filler(100 + block, 1)
    yield "write", 4, 0, blocks(16, 8) + blocks(60, 8)
    yield "rotate",
    for ns in (1, 2):
        yield "write", ns, 1 << 20, blocks(16 * ns, 8) + blocks(16 * ns + 9, 8)
        yield "trim", ns, 128 << 10, 48 << 10
    yield "delete", 4
    for turn in range(20):
        for part in range(8):
            yield "write", 3, part << 17, filler(1000 + 8 * turn + part, 32)
    yield "flush",


def lost():
    """After that: one drive goes, another volume is deleted, and the process ends, a log behind its checkpoint."""
    yield "lose", "d1"
    yield "delete", 5
    for ns in (1, 2):
        yield "write", ns, 2 << 20, blocks(16 * ns + 2, 8) + blocks(70 + ns, 4)
        yield "trim", ns, (1 << 20) + 8192, 8192
        yield "flush",


def left(*stories):
    """What is to be found after them: {namespace: bytes of its first 4 MiB}."""
    spaces = {ns: bytearray(4 << 20) for ns in (1, 2, 3)}
    for op, *args in (step for story in stories for step in story):
        if op in ("write", "trim") and args[0] in spaces:
            ns, at, what = args
            what = what if op == "write" else bytes(what)
            spaces[ns][at:at + len(what)] = what
    return {ns: bytes(data) for ns, data in spaces.items()}


def written(parts, at=0):
    """What is to be found: the parts, and the trim after them."""
    for ns, offset, data in parts:
        if ns == 1 and offset == 0:
            data = data[:16384] + bytes(8192) + data[24576:]
        yield ns, offset + at, data


def unpack(b, name):
    with tarfile.open(os.path.join(ROOT, "tests", "golden", name + ".tar.xz")) as tar:
        tar.extractall(b.folder)
    b.write("v.key", KEY, 0o600)
    b.write("x.key", RAID1_KEY, 0o600)


def found(b, conf, parts, rebuilt=False):
    """It opens, twice, and each part is there. Returns what was logged."""
    a = b.appliance(conf)
    for _ in range(2):
        a.start()
        if rebuilt:
            until(lambda: json.dumps(a.ctl("group", "show", "g0")).count("in_sync d") == 4, 60, "rebuild")
        for ns, offset, data in parts:
            got = b.client().run("read", "--ns", str(ns), "--offset", str(offset), "--length", str(len(data))).stdout
            check(got == data, f"namespace {ns}, {len(data)} bytes at {offset} are not what was written")
        a.stop()
    return a.log()


def case_version_1_closed_in_order(b):
    unpack(b, "log-clean")
    said = b.fsck("--dump")
    check("closed in order" in said and "v1" in said, said)
    found(b, conf_log(b), list(written(LOG)))
    b.fsck()


def case_version_1_killed(b):
    unpack(b, "log-killed")
    said = b.fsck("--dump")
    check("not closed in order" in said and " 0 of them in intents only" not in said, said)
    check("; 0 records" not in said, said)
    found(b, conf_log(b), [*written(LOG), *written(LOG, 2 << 20)])
    b.fsck()


def case_version_1_moved_by_collection(b):
    """Chunks moved as they lay and packed anew, two key epochs, shares, trims, a volume deleted."""
    unpack(b, "log-moved")
    said = b.fsck("--dump")
    check("closed in order" in said and "keys: 2," in said and "by keys of epochs 1 to 2" in said and "  v3 " not in said, said)
    check("chunks: 0 moved" not in said and " 0 of them packed anew" not in said, said)
    log = found(b, conf_moved(b, ["v0", "v1", "v2"]), [(ns, 0, data) for ns, data in left(moved()).items()])
    check("holds volume v4 with 65536 bytes in it, which nobody is offered" in log, log)
    b.fsck()


def case_version_1_with_a_drive_lost(b):
    """The same with a log to play and three drives of four; a blank one takes the place of the fourth."""
    unpack(b, "log-lost")
    said = b.fsck("--dump", "d0", "d2", "d3", drives=0)
    check("not closed in order" in said and "is not here" in said and "after the checkpoint: 0 chunks" not in said, said)
    parts = [(ns, 0, data) for ns, data in left(moved(), lost()).items()]
    found(b, conf_moved(b, ["v0", "v1", "v2"]), parts, rebuilt=True)
    b.fsck()


def case_version_1_raid_1(b):
    unpack(b, "raid1")
    found(b, conf_raid1(b), RAID1)


if __name__ == "__main__":
    sys.exit(main(globals()))
