# SPDX-License-Identifier: BSD-3-Clause
"""What a drive with a volatile cache has on its medium when the power fails: QEMU's record of writes and flushes
(blklogwrites, in the format of Linux's dm-log-writes), some of what was not flushed left out, some of it torn."""

import os
import struct

SECTOR = 512
MAGIC = 0x6a736677736872
FLUSH, FUA, DISCARD = 1, 2, 4


def entries(log, size):
    """(offset, length, flags, bytes) of what was recorded, as far as it was recorded whole."""
    with open(log, "rb") as f:
        head = f.read(SECTOR)  # written with the first flush, and all zeroes until then
        if len(head) < SECTOR or struct.unpack_from("<QQ", head) not in ((MAGIC, 1), (0, 0)):
            return
        while True:
            head = f.read(SECTOR)
            if len(head) < SECTOR:
                return
            sector, count, flags, _ = struct.unpack_from("<QQQQ", head)
            if (count == 0 and not flags & FLUSH) or (sector + count) * SECTOR > size or flags > 15:
                return
            data = b"" if flags & DISCARD else f.read(count * SECTOR)
            if not flags & DISCARD and len(data) < count * SECTOR:
                return
            yield sector * SECTOR, count * SECTOR, flags, data


def apply(image, entry, unit=None, keep=None):
    """One write on the medium; with `keep`, only those of its units that keep() says."""
    offset, length, flags, data = entry
    if flags & DISCARD:
        data = bytes(length)
    step = unit or length
    for at in range(0, length, step or 1):
        if keep is None or keep():
            image.seek(offset + at)
            image.write(data[at:at + step])


def fail(log, path, unit, rng, fua_below=0):
    """Make the image at `path` what a drive of blocks of `unit` bytes was left with. Writes below `fua_below` were durable
    when they were answered, though the record does not say so. Returns what happened, in words."""
    size = os.path.getsize(path)
    all_entries = list(entries(log, size))
    last = max((i for i, e in enumerate(all_entries) if e[2] & FLUSH), default=-1)
    loose = [e for e in all_entries[last + 1:] if e[1] > 0 and e[0] + e[1] > fua_below and not e[2] & FUA]
    firm = [e for i, e in enumerate(all_entries) if i <= last or e[0] + e[1] <= fua_below or e[2] & FUA]
    way = rng.choice(["all lost", "torn", "some lost", "cut off", "out of order"])
    with open(path, "r+b") as image:
        for e in firm:
            apply(image, e)
        if way == "cut off":
            loose = loose[:rng.randint(0, len(loose))]
        elif way == "some lost":
            loose = [e for e in loose if rng.random() < 0.5]
        elif way == "out of order":
            rng.shuffle(loose)
            loose = loose[:rng.randint(0, len(loose))]
        for e in loose if way != "all lost" else []:
            apply(image, e, unit, (lambda: rng.random() < 0.5) if way == "torn" else None)
    return f"{len(all_entries)} written, {len(loose)} since the last flush, {way}"
