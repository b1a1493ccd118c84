#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Power loss: the guest that holds the appliance and its NVMe drives is killed under load, what its drives had not flushed
is dropped or torn, and whatever was flushed must be there when it starts again."""

import contextlib
import os
import random
import shutil
import signal
import sys
import tempfile
import time

from guest import power
from guest.machine import Machine, pmds
from harness import STRAKE, STRAKE_IO, STRAKECTL, check, main
from test_drives import need

VIRTIO = [(unit, None, f"virtio-blk-pci,drive=d{n},serial=POWER{n}", 0) for n, unit in enumerate((512, 512, 4096))]
# A mirror has an NVMe drive and a virtio disk: QEMU's NVMe forgets that a write was FUA, so what the group writes that way
# (superblocks and dirty maps, below 1 MiB) counts as durable there. The virtio disk has no FUA: the kernel flushes it
# instead, and its record tells all. A log group writes its intents that way, anywhere, so it is on two virtio disks.
# The third is the disk of the file system where the appliance keeps its state: ext4's superblock is written as a whole
# or not at all by blocks of 4096 bytes, and does not stand being torn.
DRIVES = {"mirror": [(4096, "nvme,id=nvme0,serial=POWER0,max_ioqpairs=4,mdts=7", "nvme-ns,bus=nvme0,drive=d0,nsid=1", 1 << 20),
                     *VIRTIO[1:]],
          "log": VIRTIO}
SIZE = {"mirror": [64 << 20, 64 << 20, 16 << 20], "log": [256 << 20, 256 << 20, 16 << 20]}
PLUGINS = {"mirror": ["mempool_ring"], "log": ["mempool_ring", "crypto_ipsec_mb"]}


def loads():
    with open("/proc/loadavg", encoding="ascii") as f:
        return f"load {f.read().split()[0]}"


def roomy():
    """A folder in memory, if the machine has plenty: a life writes a gigabyte of images and records, and on a busy disk
    QEMU stands still for as long as that takes, which the guest cannot tell from a drive or an appliance that hangs."""
    with contextlib.suppress(OSError):
        free = shutil.disk_usage("/dev/shm").free
        with open("/proc/meminfo", encoding="ascii") as f:
            spare = next(int(line.split()[1]) << 10 for line in f if line.startswith("MemAvailable:"))
        if min(free, spare) > 6 << 30:
            return "/dev/shm"
    return None


class Rig:
    """Two drives of a group of one kind, a disk for the appliance's state, and what is known of them."""

    def __init__(self, b, kind, seed):
        self.bench, self.kind, self.image, self.rng = b, kind, need(), random.Random(seed)
        self.drives = DRIVES[kind]
        self.kept, self.next, self.cuts = {}, 0, 0
        self.reserved = None  # (key, type) that the kernel's host was told it has; None: nobody knows
        for n in range(len(self.drives)):
            with open(self.path(n, "img"), "wb") as f:
                f.truncate(SIZE[kind][n])

    def path(self, n, suffix):
        return os.path.join(self.bench.folder, f"nvme{n}.{suffix}")

    def devices(self):
        words = []
        for n, (unit, controller, device, _) in enumerate(self.drives):
            shutil.copy(self.path(n, "img"), self.path(n, "live"))  # what is written there is not looked at again
            with open(self.path(n, "log"), "wb"):
                pass
            words += ["-blockdev", f"driver=file,node-name=f{n},filename={self.path(n, 'live')}",
                      "-blockdev", f"driver=file,node-name=l{n},filename={self.path(n, 'log')}",
                      "-blockdev", f"driver=blklogwrites,node-name=d{n},file=f{n},log=l{n},log-sector-size=512",
                      *(["-device", controller] if controller else []),
                      "-device", f"{device},logical_block_size={unit},physical_block_size={unit}"]
        return words

    def job(self):
        here = os.path.join(os.path.dirname(os.path.realpath(__file__)), "guest", "jobs", "power.sh")
        key, kind = self.reserved or ("", "")
        known = {"KIND": self.kind, "KEPT": " ".join(f"{area}:{seed}" for area, seed in sorted(self.kept.items())),
                 "NEXT": self.next, "HALVES": "yes" if self.cuts % 4 == 3 else "", "BLANK": "" if self.cuts else "yes",
                 "KEY": key, "TYPE": kind}
        with open(here, encoding="utf-8") as f:
            return self.bench.write("power.sh", "".join(f"{k}='{v}'\n" for k, v in known.items()) + f.read())

    def begin(self, what, area):
        """From here on until the guest says so nobody knows what is in an area, or what is reserved."""
        check(what == "begin", f"the guest asks for {what}")
        if area == "reservation":
            self.reserved = None
            return
        self.kept.pop(int(area), None)
        self.next += 1

    def cut(self):
        if not self.cutting:
            self.cutting = True
            self.guest.cut_after(self.rng.uniform(0.1, 3))

    def say(self, word):
        words = word.split()
        if words[0] == "whole":
            self.served = True
            if self.early:
                self.cut()
        elif words[0] == "kept":
            self.kept[int(words[1])] = int(words[2])
            self.cut()
        elif words[0] == "reserved":
            self.reserved = (words[1], words[2])
        elif words[0] == "slow:":
            print(f"{word}; the machine: {loads()}, {self.used():.0f} s of processor time for the guest", flush=True)
        else:
            self.trouble.append(word)

    def used(self):
        """Seconds of processor time that the guest has had."""
        with open(f"/proc/{self.guest.qemu.pid}/stat", encoding="ascii") as f:
            words = f.read().rsplit(")", 1)[1].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def round(self):
        """One life, from the start until the power fails."""
        # Most lives last until something was flushed, however slow the machine is.
        self.early, self.cutting = self.rng.random() < 0.2, False
        self.trouble, before, self.served = [], dict(self.kept), False
        self.guest = Machine(self.bench, self.image, memory=1024, devices=self.devices(), files=pmds(*PLUGINS[self.kind]),
                             programs=[STRAKE, STRAKE_IO, STRAKECTL])
        self.guest.run(self.job(), self.begin, 180, self.say, cut=True)
        check(self.served and not self.trouble, "\n".join(
            [f"after {self.cuts} power losses, of {before}:", *self.trouble, *self.guest.lines[-60:]]))
        self.cuts += 1
        return [power.fail(self.path(n, "log"), self.path(n, "img"), unit, self.rng, fua_below)
                for n, (unit, _, _, fua_below) in enumerate(self.drives)]


def rounds(b, kind, n):
    seed = int(os.environ.get("STRAKE_SEED", time.time_ns() % 1000000))
    print(f"STRAKE_SEED={seed}")
    rig = Rig(b, kind, seed)
    began, areas, reservations = time.monotonic(), 0, 0
    for i in range(n):
        areas += len(rig.kept)
        reservations += rig.reserved is not None
        said = rig.round()
        print(f"round {i + 1}, {time.monotonic() - began:.0f} s: {rig.next} areas written so far; {'; '.join(said)}", flush=True)
    areas += len(rig.kept)
    reservations += rig.reserved is not None
    rig.round()
    check(areas > 0 and reservations > 0,
          f"{areas} areas were flushed, {reservations} reservations answered, and found again: that shows nothing")
    print(f"{n} power losses, {areas} flushed areas and {reservations} reservations found again in "
          f"{time.monotonic() - began:.0f} s", flush=True)


def case_five_power_losses(b):
    rounds(b, "mirror", 5)


def case_five_power_losses_of_a_log_volume(b):
    rounds(b, "log", 5)


def case_a_hundred_power_losses(b):
    rounds(b, "mirror", 100)


def case_a_hundred_power_losses_of_a_log_volume(b):
    rounds(b, "log", 100)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # clean up then, too
    tempfile.tempdir = roomy()
    sys.exit(main(globals()))
