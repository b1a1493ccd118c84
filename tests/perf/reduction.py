#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Strake authors
"""How small do real trees become? Our way of storing them held against dm-vdo's, by computing both.

    tests/perf/reduction.py [--json] [--limit MiB] [--work FOLDER] [PATH ...]

Without paths: the installed documentation, the shared libraries, two versions of the same packages (by apt-get
download, if the archive has them), and an ext4 image of the last (mke2fs -d). A folder stands for its files one behind
the other in the order of their names, each in blocks of its own, the last one filled with zeroes, as a file system lays
them on a fresh device; a file, for its blocks. They are written 128 KiB at a time.

Both de-duplicate blocks of 4 KiB with an index that forgets nothing, store no zeroes, and use LZ4 at its default level.

    dm-vdo   each block by itself; up to 14 that shrank go into a block of 4 KiB, behind 36 bytes that say where they
             are; 16 such blocks are open at a time, and a block goes where it leaves least; a block alone is stored
             plain
    strake   runs of new blocks that follow each other, up to 32 KiB, compressed as one; behind a header of 64 bytes, in
             granules of 64; plain if that is smaller. Also with more header for each block (--block-header), and, as
             the worst case, with runs of one block: random writes

Parity, maps and journals are counted on neither side.
"""

import argparse
import ctypes
import ctypes.util
import glob
import hashlib
import json
import os
import subprocess
import sys
import tempfile

BLOCK = 4096
RUN = 8
WRITE = 32
ZERO = bytes(BLOCK)
VDO_SLOTS, VDO_HEADER, VDO_BINS = 14, 36, 16
HEADER = GRANULE = 64
# Two versions of each: the names change with the kernel's ABI, or the archive has an update beside the release.
PACKAGES = ["openssl", "libssl3", "libc6", "curl", "libcurl4", "git", "libxml2", "libpython3.11-stdlib", "systemd",
            "bind9-libs", "vim-runtime", "perl-modules-5.36", "imagemagick-6-common", "libmagickcore-6.q16-6"]
KERNELS = "^linux-headers-6.1.*-common$"


class Lz4:
    """The system's liblz4."""

    def __init__(self):
        self.lib = ctypes.CDLL(ctypes.util.find_library("lz4") or "liblz4.so.1")
        self.room = ctypes.create_string_buffer(2 * RUN * BLOCK)

    def size(self, data):
        """Bytes that data becomes; its own length if they are no fewer."""
        return self.lib.LZ4_compress_default(data, self.room, len(data), len(data) - 1) or len(data)


LZ4 = Lz4()


# --- what is stored ---------------------------------------------------------------------------------------------------

def files_below(path):
    if os.path.isfile(path):
        yield path
    for folder, folders, names in os.walk(path):
        folders.sort()
        for name in sorted(names):
            full = os.path.join(folder, name)
            if os.path.isfile(full) and not os.path.islink(full):
                yield full


def blocks_of(path, limit):
    for name in files_below(path):
        try:
            with open(name, "rb") as f:
                while limit > 0 and (data := f.read(min(limit, WRITE * BLOCK))):
                    limit -= len(data)
                    data += bytes(-len(data) % BLOCK)
                    for at in range(0, len(data), BLOCK):
                        yield data[at:at + BLOCK]
        except OSError:
            continue


# --- the two ways -----------------------------------------------------------------------------------------------------

class Vdo:
    """dm-vdo's packer."""

    def __init__(self):
        self.blocks = 0
        self.bins = []  # [bytes free, fragments], fullest first

    def add(self, size):
        if size > BLOCK - VDO_HEADER:
            self.blocks += 1
            return
        best = next((b for b in self.bins if b[0] >= size), None)
        if best is None:
            if len(self.bins) == VDO_BINS:
                self.write(self.bins[0])
            best = [BLOCK - VDO_HEADER, 0]
            self.bins.append(best)
        best[0] -= size
        best[1] += 1
        if best[1] == VDO_SLOTS:
            self.write(best)
        self.bins.sort(key=lambda b: b[0])

    def write(self, full):
        self.bins = [b for b in self.bins if b is not full]
        self.blocks += 1

    def bytes(self):
        while self.bins:
            self.write(self.bins[0])
        return self.blocks * BLOCK


class Runs:
    """Runs of a log volume; with so many bytes of header for each block, of each of the numbers given."""

    def __init__(self, block_headers):
        self.stored, self.open = {h: 0 for h in block_headers}, []

    def add(self, block):
        self.open.append(block)
        if len(self.open) == RUN:
            self.cut()

    def cut(self):
        """What comes next does not follow."""
        if self.open:
            data = b"".join(self.open)
            self.count(len(self.open), LZ4.size(data))
            self.open = []

    def count(self, blocks, size):
        for header in self.stored:
            self.stored[header] += -(-(HEADER + header * blocks + size) // GRANULE) * GRANULE


def reduce(path, limit, block_header):
    vdo, runs, single = Vdo(), Runs([0, block_header]), Runs([0])
    known, total, zeroes = set(), 0, 0
    for block in blocks_of(path, limit):
        total += 1
        name = hashlib.blake2b(block, digest_size=24).digest()
        if block == ZERO or name in known:
            zeroes += block == ZERO
            runs.cut()
        else:
            known.add(name)
            size = LZ4.size(block)
            vdo.add(size)
            single.count(1, size)
            runs.add(block)
        if total % WRITE == 0:
            runs.cut()
    runs.cut()
    stored = {"vdo": vdo.bytes(), "strake": runs.stored[0], f"strake, {block_header} more a block": runs.stored[block_header],
              "strake, blocks one by one": single.stored[0]}
    return {"logical": total * BLOCK, "zeroes": zeroes * BLOCK, "unique": len(known) * BLOCK, "stored": stored}


# --- trees to look at -------------------------------------------------------------------------------------------------

def run(*command, cwd=None):
    return subprocess.run(command, cwd=cwd, check=False, capture_output=True, text=True).stdout


def versions(package):
    found = []
    for line in run("apt-cache", "madison", package).splitlines():
        version = line.split("|")[1].strip()
        if "Packages" in line and version not in found:
            found.append(version)
    return [f"{package}={v}" for v in found[:2]] if len(found) > 1 else []


def packages(folder):
    """Two versions of the same packages, unpacked."""
    wanted = [v for p in PACKAGES for v in versions(p)]
    kernels = sorted(line.split()[0] for line in run("apt-cache", "search", "--names-only", KERNELS).splitlines())
    wanted += kernels[-2:] if len(kernels) > 1 else []
    debs = os.path.join(folder, "debs")
    os.makedirs(debs, exist_ok=True)
    for one in wanted:
        run("apt-get", "download", "-q", one, cwd=debs)
    out = os.path.join(folder, "packages")
    os.makedirs(out, exist_ok=True)
    for deb in sorted(glob.glob(os.path.join(debs, "*.deb"))):
        run("dpkg-deb", "-x", deb, os.path.join(out, os.path.basename(deb)[:-4]))
    return out if len(os.listdir(debs)) > 1 else None


def image_of(tree, folder):
    image = os.path.join(folder, "ext4.img")
    used = sum(os.path.getsize(f) + BLOCK for f in files_below(tree))
    with open(image, "wb") as f:
        f.truncate(used * 5 // 4 + (64 << 20))
    run("/sbin/mke2fs", "-q", "-F", "-t", "ext4", "-d", tree, image)
    return image


def own_trees(folder):
    yield "documentation", "/usr/share/doc"
    yield "shared libraries", "/usr/lib/x86_64-linux-gnu"
    two = packages(folder)
    if two is None:
        print("no two versions of any package to be had", file=sys.stderr)
        return
    yield "two versions of packages", two
    yield "ext4 image of these", image_of(two, folder)


def show(name, r):
    mib = 1 << 20
    print(f"{name}: {r['logical'] / mib:.0f} MiB, of zeroes {r['zeroes'] / mib:.0f}, unique {r['unique'] / mib:.0f}")
    vdo = r["stored"]["vdo"]
    for way, stored in r["stored"].items():
        print(f"    {way:<28}{stored / mib:9.1f} MiB  {r['logical'] / max(stored, 1):6.2f} : 1"
              f"  {100 * (vdo - stored) / max(vdo, 1):+6.1f} % less than vdo")


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("paths", nargs="*", metavar="PATH")
    ap.add_argument("--limit", type=int, default=512, help="MiB read of each tree (default 512)")
    ap.add_argument("--block-header", type=int, default=32, help="bytes of header for each block of a run")
    ap.add_argument("--work", help="folder for packages and the image (default: one that is removed)")
    ap.add_argument("--json", action="store_true")
    args = ap.parse_args()
    with tempfile.TemporaryDirectory(prefix="strake-reduction-") as tmp:
        trees = ((p, p) for p in args.paths) if args.paths else own_trees(args.work or tmp)
        for name, path in trees:
            r = reduce(path, args.limit << 20, args.block_header)
            if args.json:
                print(json.dumps({"tree": name, **r}), flush=True)
            else:
                show(name, r)


if __name__ == "__main__":
    main()
