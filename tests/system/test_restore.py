#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Drives of a log volume put back as they were at an earlier time: what was there then is there, and nothing is ever sealed twice
with the same key and nonce."""

import os
import struct
import subprocess
import sys

from harness import check, main
from test_log import SEAL, conf, drives, prepared

MIB = 1 << 20


def copy(b, to, names=tuple(f"d{i}" for i in range(4)), back=False):
    for n in names:
        pair = (f"{to}.{n}", n) if back else (n, f"{to}.{n}")
        subprocess.run(["cp", "--sparse=always", *pair], cwd=b.folder, check=True)


def openings(b):
    """The salts of the newest table of keys that any drive has, by number of the opening."""
    newest, found = -1, {}
    for d in drives(b):
        at = d.find(b"STRKKEYS")
        while at >= 0:
            keys, n = struct.unpack_from("<II", d, at + 20)
            writing = struct.unpack_from("<Q", d, at + 32)[0]
            first = at + 128 + 64 * keys
            table = {struct.unpack_from("<H", d, p)[0]: d[p + 8:p + 24] for p in range(first, first + 24 * n, 24)}
            if writing > newest:
                newest, found = writing, table
            at = d.find(b"STRKKEYS", at + 8)
    return found


def sealed(b):
    """What lies sealed on the drives: the bytes by epoch, number of the opening, and nonce."""
    found = {}
    for d in drives(b):
        at = d.find(b"CHNK")
        while at >= 0:
            version, kind, blocks, flags = d[at + 4:at + 8]
            if at % 64 == 0 and version == 1 and kind == 1 and flags & 1:
                epoch, opening = struct.unpack_from("<HH", d, at + 64)
                payload = at + 96 + blocks * (40 if flags & 2 else 16)
                stored = struct.unpack_from("<I", d, at + 40)[0]
                found[epoch, opening, d[at + 68:at + 80]] = d[payload:payload + stored]
            at = d.find(b"CHNK", at + 4)
    return found


def case_restored_drives_never_seal_twice_alike(b):
    one, two, three = (os.urandom(2 * MIB) for _ in range(3))
    # Without parity no drive holds what only looks like a chunk.
    a = prepared(b, conf(b, size="64MiB", volume="64MiB", stages=f"[dedup, {SEAL}]", parity=0)).start()
    c = b.client()

    def life(text, what, at=0):
        a.start()
        if what:
            c.run("write", "--offset", str(at), "--length", str(len(what)), stdin=what)
        c.run("flush")
        whole = c.run("read", "--length", str(len(text))).stdout
        check(whole == text, f"{sum(whole[i] != text[i] for i in range(len(text)))} of {len(text)} bytes are wrong")
        opened = a.ctl("key", "show", "g0")["openings"]
        a.stop()
        check("nothing is wrong" in b.fsck(), "fsck")
        check(opened == len(openings(b)), f"{opened} openings, and on the drives {openings(b)}")
        return openings(b), sealed(b)

    a.stop()
    first, _ = life(one, one)
    copy(b, "image")
    then, old = life(two, two)
    check(set(then) - set(first) == {max(then)} and all(then[n] == first[n] for n in first), f"{first} became {then}")
    seen, bytes_of = {then[max(then)]}, {k: {v} for k, v in old.items() if k[1] == max(then)}
    check(len(bytes_of) >= 64, f"{len(bytes_of)} chunks were sealed by the first run after the copy")
    # What was written since the image was taken is undone, and written again: to a part of the blocks, to all; and other bytes.
    half = MIB // 2
    for text, what, at in ((one[:MIB] + two[:half] + one[MIB + half:], two[:half], MIB), (two, two, 0), (three, three, 0)):
        copy(b, "image", back=True)
        now, new = life(text, what, at)
        check(max(now) == max(then) and set(now) == set(then), "the number is given once more")
        check(now[max(now)] not in seen, "the salt was used before")
        seen.add(now[max(now)])
        twice = [k for k in new if k in bytes_of]
        check(len(twice) >= 16, f"{len(twice)} chunks have the nonces of earlier ones: what follows shows nothing")
        for k in twice:
            check(new[k] not in bytes_of[k], f"{k}: sealed as before, so the key is the same")
            bytes_of[k].add(new[k])
    # Each of the drives' pasts is whole still, with its own salts.
    copy(b, "image", back=True)
    life(one, b"")


if __name__ == "__main__":
    sys.exit(main(globals()))
