#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Drives as version 1 of the formats wrote them open in this one, and hold what they held (tests/golden)."""

import os
import random
import sys
import tarfile

from harness import NQN, ROOT, check, main

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


def found(b, conf, parts):
    """It opens, twice, and each part is there."""
    a = b.appliance(conf)
    for _ in range(2):
        a.start()
        for ns, offset, data in parts:
            got = b.client().run("read", "--ns", str(ns), "--offset", str(offset), "--length", str(len(data))).stdout
            check(got == data, f"namespace {ns}, {len(data)} bytes at {offset} are not what was written")
        a.stop()


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


def case_version_1_raid_1(b):
    unpack(b, "raid1")
    found(b, conf_raid1(b), RAID1)


if __name__ == "__main__":
    sys.exit(main(globals()))
