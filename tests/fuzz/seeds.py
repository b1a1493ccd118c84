#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Seeds for a harness, always the same: seeds.py HARNESS FOLDER.

An input is a program of steps (README.md), so any bytes are one; what a fuzzer lacks at first is length. So: programs
of many lengths, each with few kinds of steps, as mixes of all say little of any. Configurations are text: the samples,
and one that the harness's own drives and stages know.
"""

import glob
import os
import random
import struct
import sys
import zlib

HERE = os.path.dirname(os.path.realpath(__file__))

CONF = """appliance: {name: a, huge: false, memory: 768MiB, buffers: 64MiB, data_cpus: [1, 2]}
ports:
  - {name: p0, device: "net_tap0,iface=x", addresses: [10.0.0.2/24, "fd00::2/64"], gateway4: 10.0.0.1,
     access: [{from: 10.0.0.0/24, action: accept}]}
drives:
  - {name: d0, kind: file, path: a, size: 64MiB, wait: 7ms, word: two}
  - {name: d1, kind: file, path: b}
  - {name: d2, kind: none}
groups: [{name: g0, raid: 1, chunk: 64KiB, region: 4MiB, drives: [d0, d1]}]
volumes: [{name: v0, group: g0, size: 32MiB, lba: 512, stages: [bare, st: {text: hello, n: 3}]}]
subsystems: [{nqn: "nqn.2026-11.io.strake:a", hosts: any, namespaces: [{volume: v0}]}]
classes: [{host: any, range: [0, 1MiB], ops: [read], dscp: 10, class: 1}]
listeners: [{port: p0, address: 10.0.0.2, service: 4420}, {port: kernel, address: "::", service: 4421}]
"""


def conf():
    for path in sorted(glob.glob(os.path.join(HERE, "..", "..", "config", "samples", "*.yaml"))):
        with open(path, "rb") as f:
            yield f.read()
    yield CONF.encode()
    yield from (CONF.replace(a, b).encode() for a, b in
                ((", ", ",  "), ("raid: 1", "raid: 10"), ("[d0, d1]", "[d0, d0]"), ("64MiB", "0x40"), ("name", "label")))


def programs(rnd, count, longest):
    for i in range(count):
        kinds = [rnd.randrange(256) for _ in range(rnd.choice((1, 2, 4, 8)))]
        out = bytearray()
        length = 8 + rnd.randrange(longest * (i + 1) // count)
        while len(out) < length:
            out.append(rnd.choice(kinds))
            out += bytes(rnd.choice((0, 1, rnd.randrange(256))) for _ in range(rnd.randrange(6)))
        yield bytes(out)


def superblocks(rnd):
    """Superblocks, dirty blocks and heads of drives, patched at each field."""
    for at in (0, 8, 12, 16, 24, 32, 48, 112, 116, 120, 124, 128, 136, 144, 152, 1024, 1104, 1112, 4096, 4176, 4184):
        for value in (b"\x00", b"\xff" * 8, b"\x01\x00\x00\x00", b"\x00\x00\x00\x00\x00\x00\x00\x80"):
            make = bytes([0, 1, 7, 1, rnd.randrange(3), 0, 1, 4, 0]) + struct.pack("<H", 9) + bytes([2, 0])
            yield make + struct.pack("<HB", at, 0) + bytes([len(value) - 1]) + value
    for off, text in ((1080, b"\x53\xef"), (0, b"XFSB"), (512, b"EFI PART"), (510, b"\x55\xaa"), (4086, b"SWAPSPACE2")):
        yield bytes([2]) + struct.pack("<I", 69000) + struct.pack("<HB", off, 0) + bytes([len(text) - 1]) + text


def payloads(rnd):
    """Payloads of compressed chunks: sound ones of both codecs, and bytes to shrink and bend."""
    for blocks in range(1, 9):
        text = (b"%d " % rnd.randrange(1000)) * 4096
        deflate = zlib.compressobj(rnd.choice((1, 6, 9)), zlib.DEFLATED, -15)
        raw = deflate.compress(text[:blocks * 4096]) + deflate.flush()
        yield bytes([1, blocks, 2, 1]) + raw
        yield bytes([1, blocks, 2, 1]) + raw[:len(raw) // 2]
        yield bytes([1, blocks, 2, 1, 1, 0, 16, 255, 239]) + text[:blocks * 4096]  # a stored block
        # One literal, then a match at offset 1 of as many bytes as it takes.
        yield bytes([1, blocks, 1, 1]) + b"\x1fA\x01\x00" + b"\xff" * (blocks * 4096 // 255) + b"\x10\x50AAAAA"
        yield bytes([0, blocks - 1, 2, 3, 0, 1, 9, 0, 2]) + text[:blocks * 1000]


def keytables(rnd):
    """Tables of keys, patched at each field."""
    for keys, openings in ((0, 0), (1, 1), (3, 2), (9, 40)):
        make = bytes([keys, openings, rnd.randrange(256)])
        yield make
        for at in (0, 8, 12, 16, 20, 24, 28, 32, 48, 64, 128, 132, 134, 136, 192, 256):
            for value in (b"\x00", b"\xff" * 8, b"\x01\x00\x00\x00"):
                yield make + bytes([0]) + struct.pack("<H", at) + bytes([len(value) - 1]) + value


def logs(rnd):
    """Each structure of a log, whole, and with one field turned."""
    for part in range(6):
        make = bytes([part]) + bytes(rnd.randrange(256) for _ in range(24))
        for at in (0, 4, 5, 6, 7, 8, 16, 24, 28, 32, 36, 40, 44, 56, 60, 64, 72, 80, 96, 112, 256):
            for value in (b"\x00", b"\xff" * 4, b"\x01\x00\x00\x00"):
                yield make + bytes(rnd.randrange(256) for _ in range(rnd.randrange(16))) + struct.pack("<H", at) + \
                    bytes([len(value) - 1]) + value


def drives(rnd):
    """Two to four drives: sound, blank, marked, and each bent in one place."""
    for raid in range(3):
        for n in (1, 2, 3):
            head = bytes([n, 20, raid, 4, 1, 1, 1, 0])
            yield head + b"\x30" * (n + 1)
            yield head + b"\x31" * (n + 1)
            yield head + b"\x00" * (n + 1)
            for what in range(18):
                bent = bytes([1, what, rnd.randrange(256)]) * 2
                yield head + b"\x02" + bent + b"\x30" * n
                yield head + b"\x30" * n + b"\x02" + bent


def seeds(name):
    rnd = random.Random(name)
    if name == "fuzz_conf":
        return list(conf())
    first = {"fuzz_super": superblocks, "fuzz_assemble": drives, "fuzz_expand": payloads,
             "fuzz_keytable": keytables, "fuzz_log": logs}.get(name, lambda _: [])
    return [*first(rnd), *programs(rnd, 60, 120 if name in ("fuzz_super", "fuzz_assemble") else 1500)]


def write(name, folder):
    os.makedirs(folder, exist_ok=True)
    for i, seed in enumerate(seeds(name)):
        with open(os.path.join(folder, f"{i:03}"), "wb") as f:
            f.write(seed)


if __name__ == "__main__":
    write(sys.argv[1], sys.argv[2])
