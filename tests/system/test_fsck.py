#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""strake-fsck: a store is proved from its drives alone; what is wrong is named; what is right is not."""

import os
import re
import sys

from harness import check, main
from test_log import conf, prepared

GROUP, NOTE, CHUNK, INTENT = b"STRAKELG", b"STRAKENT", b"CHNK", b"STNT"
DATA, PAGES, TABLE = 1, 4, 5
COLUMNS, COLUMN = 3 << 20, 64 << 10  # of these drives: where they begin, and how long each is: one row


def small(b, parity=1):
    """8 MiB of bytes that do not repeat, on small drives."""
    a = prepared(b, conf(b, size="24MiB", volume="64MiB", parity=parity)).start()
    c = b.client()
    c.run("verify", "--length", "8M", "--seed", "1")
    c.run("flush")
    return a, c


def drive(b, i):
    with open(os.path.join(b.folder, f"d{i}"), "rb") as f:
        return f.read()


def flip(b, i, *places):
    """Turn one bit of drive i at each place; the same call turns them back."""
    with open(os.path.join(b.folder, f"d{i}"), "r+b") as f:
        for at in places:
            f.seek(at)
            was = f.read(1)[0]
            f.seek(at)
            f.write(bytes([was ^ 0x10]))


def find(b, magic, more=lambda data, at: True, first=0):
    """(drive, place) of all structures that begin so."""
    for i in range(4):
        data = drive(b, i)
        at = data.find(magic, first)
        while at >= 0:
            if more(data, at):
                yield i, at
            at = data.find(magic, at + 1)


def parity_of(place):
    """The drive on which the row's parity is: columns of segment s lie on drives 0 to 3 in order, and turn with it."""
    return (3 + (place - COLUMNS) // COLUMN) % 4


def chunks(b, kind, parity=1):
    """Of data: what lies on a parity drive may look like one."""
    return [(i, at) for i, at in find(b, CHUNK, lambda data, at: at % 64 == 0 and data[at + 4:at + 6] == bytes([1, kind]),
                                      COLUMNS) if parity == 0 or i != parity_of(at)]


def wrong(b, places, status, *words):
    """With one bit turned at each place the status is that, and all of the words are said; then all is well again. Returns what was said."""
    for i, at in places:
        flip(b, i, at)
    said = b.fsck(expect=status)
    for w in words:
        check(w in said, f"{w!r} is not in: {said}")
    for i, at in places:
        flip(b, i, at)
    b.fsck()
    return said


def case_a_store_closed_in_order_is_clean_and_shown(b):
    a, _ = small(b)
    check("an appliance has it open" in b.fsck(expect=5), "it was read under an appliance")
    a.stop()
    said = b.fsck("--dump", "--segments")
    for w in ("3 data + 1 parity", "closed in order", "v0", "64.0 MiB", "closed ", "nothing is wrong"):
        check(w in said, f"{w!r} is not in: {said}")


def case_what_parity_mends_is_named_with_its_drive(b):
    a, _ = small(b)
    a.stop()
    i, at = chunks(b, DATA)[0]
    wrong(b, [(i, at + 2000)], 4, "its checksum is wrong", "right when made from the other drives", f"are on d{i}")
    wrong(b, [(i, at)], 4, "no chunk begins there", f"are on d{i}")
    wrong(b, [(i, at + 30)], 4, f"are on d{i}")
    for kind in (PAGES, TABLE):
        # Most of these are of earlier checkpoints: nobody needs them.
        said = "".join(wrong(b, [(i, at + 100) for i, at in chunks(b, kind) if i == d], None) for d in range(4))
        check("its checksum is wrong; right when made from the other drives" in said and "BROKEN" not in said, said)
    i, at = chunks(b, DATA)[0]
    wrong(b, [(parity_of(at), at)], 4, f"its data is right, and the parity on d{parity_of(at)} does not match")


def case_copies_of_superblocks_and_notes_are_named(b):
    a, _ = small(b)
    a.stop()
    for i, at in ((0, 0), (2, 65536)):
        if drive(b, i)[at:at + 8] == GROUP:
            wrong(b, [(i, at + 200)], 4, f"d{i}: copy {'AB'[at >> 16]} of the group's superblock is damaged")
    notes = list(find(b, NOTE))
    check(len(notes) >= 8, f"notes at {notes}")
    seen = set()
    for i, at in notes:
        n, copy = divmod((at - (1 << 20)) >> 16, 2)
        if (n, copy) in seen:
            continue
        seen.add((n, copy))
        name = ["the store's superblock", "the table of keys"][n]
        wrong(b, [(i, at + 4096 + 60)], 4, f"d{i}: copy {'AB'[copy]} of {name} is damaged: its checksum is wrong")


def case_what_is_lost_without_parity_is_named(b):
    a, _ = small(b, parity=0)
    a.stop()
    i, at = chunks(b, DATA, 0)[0]
    wrong(b, [(i, at + 2000)], 1, 'of volume "v0" is lost', f"(on d{i})", "its checksum is wrong")
    wrong(b, [(j, p + 100) for j, p in chunks(b, PAGES, 0)], 1, "map page", "its checksum is wrong", "its root says")
    wrong(b, [(j, p + 100) for j, p in chunks(b, TABLE, 0)], 1, "part 0 of the segment table", "its checksum is wrong")


def case_a_host_gets_an_error_for_what_is_lost_and_for_nothing_else(b):
    a, c = small(b, parity=0)
    whole = c.run("read", "--length", "8M").stdout
    a.stop()
    i, at = chunks(b, DATA, 0)[3]
    flip(b, i, at + 2000)
    lost = sorted(int(n) for n in re.findall(r'block (\d+) of volume "v0" is lost', b.fsck(expect=1)))
    check(0 < len(lost) <= 8, f"{lost}")
    a.start()
    for n in lost:
        r = c.run("read", "--offset", str(n * 4096), "--length", "4K", expect=None)
        check(r.returncode != 0 and b"unrecovered read error" in r.stderr, f"block {n}: {r}")
    for first, end in zip([0, *[n + 1 for n in lost]], [*lost, 2048]):
        if first < end:
            got = c.run("read", "--offset", str(first * 4096), "--length", str((end - first) * 4096)).stdout
            check(got == whole[first * 4096:end * 4096], f"blocks {first} to {end}")
    # Written over they are whole.
    c.run("write", "--offset", str(lost[0] * 4096), "--length", str(len(lost) * 4096), stdin=bytes([7]) * len(lost) * 4096)
    check(c.run("read", "--offset", str(lost[0] * 4096), "--length", "4K").stdout == bytes([7]) * 4096, "written over")
    a.stop()


def case_kill_9_leaves_nothing_wrong_and_intents_are_compared(b):
    a, c = small(b)
    c.run("write", "--offset", "16M", "--length", "4K", stdin=os.urandom(4096))
    c.run("flush")
    a.kill()
    said = b.fsck("--dump")
    check("not closed in order" in said and "after the checkpoint: " in said, said)
    live = [(i, at) for i, at in find(b, INTENT, lambda _, at: at % 4096 == 0) if i == 0]
    check(live, "no intent was written")
    flip(b, 0, *[at + 40 for _, at in live])
    check("is damaged on d0, and whole on d1" in b.fsck(), "the copy of an intent was not missed")


def fill(b, i, at, n, data=None):
    """Write over bytes of drive i, with zeroes if not told. Returns what was there."""
    with open(os.path.join(b.folder, f"d{i}"), "r+b") as f:
        f.seek(at)
        was = f.read(n)
        f.seek(at)
        f.write(data or bytes(n))
    return was


def killed_with_a_log(b, parity=1):
    """A store that was killed a MiB after its checkpoint. Returns the chunks of that MiB which lie on one drive, which has neither
    the first nor the last bytes of their row, with their lengths."""
    a, c = small(b, parity)
    a.stop()
    a.start()
    c.run("verify", "--offset", "16M", "--length", "1M", "--seed", "2")
    c.run("flush")
    a.kill()
    newest = {int(line.split()[0]) for line in b.fsck("--segments").splitlines() if " suspect " in line and "free," not in line}
    found = []
    for i, at in chunks(b, DATA, parity):
        n = 64 * int.from_bytes(drive(b, i)[at + 36:at + 38], "little")
        seg = (at - COLUMNS) // COLUMN
        if seg in newest and (at + n - COLUMNS) // COLUMN == seg and (i - seg) % 4 == 1:
            found.append((i, at, n))
    check(len(found) >= 3, f"chunks {found} in segments {newest}")
    return found


def case_zeroes_that_a_drive_made_of_a_chunk_end_no_row(b):
    found = killed_with_a_log(b)
    all_of_it = b.fsck("--dump").splitlines()
    for i, at, n in (found[0], found[-1]):
        for place, size in ((at, n), (at - (at - COLUMNS) % COLUMN, COLUMN)):
            was = fill(b, i, place, size)
            said = b.fsck("--dump")
            check(f"zeroes lie there; right when made from the other drives: wrong bytes are on d{i}" in said, said)
            # What lies behind it is played, and proved.
            rest = [line for line in said.splitlines() if not line.startswith("note: ")]
            check(rest[:-1] == all_of_it[:-1] and rest[-1].split(";")[1:] == all_of_it[-1].split(";")[1:],
                  f"{said} is not {all_of_it}")
            fill(b, i, place, size, was)
    check(b.fsck("--dump").splitlines() == all_of_it, "it is not as before")


def case_zeroes_end_a_row_without_parity_and_what_is_behind_is_told(b):
    i, at, n = killed_with_a_log(b, parity=0)[0]
    fill(b, i, at, n)
    check("end a row, though a chunk lies behind them" in b.fsck(), "nothing was said of what is behind")


def case_a_drive_that_is_away_is_made_from_the_others(b):
    a, c = small(b)
    a.ctl("drive", "fail", "d1")
    c.run("verify", "--offset", "8M", "--length", "4M", "--seed", "2")
    a.stop()
    said = b.fsck()
    check("not in sync: what it holds does not count" in said, said)
    os.unlink(os.path.join(b.folder, "d1"))
    os.rename(os.path.join(b.folder, "d3"), os.path.join(b.folder, "d1"))
    said = b.fsck(drives=3)
    check("not here" in said and "nothing is wrong" in said, said)
    check("do not count" in b.fsck(drives=2, expect=1), "half of the drives are no store")


def case_what_is_no_member_is_refused(b):
    a, _ = small(b)
    a.stop()
    check("d4: No such file" in b.fsck(drives=5, expect=5), "what is not there was not missed")
    b.write("d3", os.urandom(24 << 20))
    check("d3: no superblock of a log group" in b.fsck(expect=5), "random bytes were taken for a member")
    b.write("d3", b"")
    check("too small" in b.fsck(expect=5), "nothing was taken for a member")


if __name__ == "__main__":
    sys.exit(main(globals()))
