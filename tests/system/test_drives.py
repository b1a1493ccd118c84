#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The appliance on NVMe drives, in a guest whose drives QEMU emulates."""

import json
import os
import signal
import socket
import subprocess
import sys

from guest.image import CannotHave, image
from guest.machine import Machine, pmds, script
from harness import BUILD, ROOT, STRAKE, STRAKE_IO, STRAKECTL, Skip, check, main, root_only

DRIVE_LOAD = os.path.join(BUILD, "tests", "perf", "drive-load")
WORDS = os.path.join(BUILD, "tests", "fakes", "libnvme_words.so")

# Controllers and their namespaces, as QEMU is told of them: /dev/nvme0 with two formats, a drive of 4096-byte blocks
# that takes 16 KiB at a time, and one of namespaces that no one should take.
DRIVES = [("mdts=7", ["logical_block_size=512,physical_block_size=512", "logical_block_size=4096,physical_block_size=4096"]),
          ("", []),
          ("mdts=7", ["logical_block_size=512,ms=8", "logical_block_size=4096,physical_block_size=4096,zoned=on,zoned.zone_size=8M"])]


def need():
    root_only()
    r = subprocess.run([os.path.join(ROOT, "tools", "packages"), "guest"], stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False)
    if r.returncode != 0:
        raise Skip(f"packages are missing: {r.stdout.decode(errors='replace').strip().splitlines()[-1]}")
    try:
        return image(os.path.join(BUILD, "guest"))
    except CannotHave as e:
        raise Skip(str(e)) from e


# Each is in a slot of its own; the second can be pulled and put into another, the last.
MOVABLE = 1
MOVABLE_OPTIONS = {"driver": "nvme", "id": f"nvme{MOVABLE}", "drive": "moves", "serial": f"TESTDRIVE{MOVABLE}",
                   "max_ioqpairs": 4, "mdts": 2, "logical_block_size": 4096, "physical_block_size": 4096}


HANG = 16384 // 15  # bytes a second: after one command of 16 KiB the next takes 15 s


def movable(b, size):
    path = os.path.join(b.folder, "moves.img")
    with open(path, "wb") as f:
        f.truncate(size)
    options = ",".join(f"{k}={v}" if k != "driver" else v for k, v in MOVABLE_OPTIONS.items())
    return ["-qmp", f"unix:{os.path.join(b.folder, 'qmp')},server,nowait", "-blockdev",
            f"driver=raw,node-name=moves,discard=unmap,file.driver=file,file.filename={path}",
            "-device", f"{options},bus=slot{MOVABLE}"]


def qmp(b, command, until=None, **arguments):
    """One order for QEMU; with `until` wait for that event after it."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(60)
        s.connect(os.path.join(b.folder, "qmp"))
        f = s.makefile("rw", encoding="utf-8")
        f.readline()
        seen = set()
        for what in ({"execute": "qmp_capabilities"}, {"execute": command, "arguments": arguments}):
            f.write(json.dumps(what) + "\n")
            f.flush()
            while True:
                answer = json.loads(f.readline())
                check("error" not in answer, f"{command}: {answer}")
                if "event" not in answer:
                    break
                seen.add(answer["event"])
        while until and until not in seen:
            seen.add(json.loads(f.readline()).get("event"))


def hands(b):
    """What the job asks for outside: `unplug`, `plug SLOT`, and of the first drive `hang`, `flow`."""
    def act(what, slot=None):
        if what in ("hang", "flow"):
            limits = {k: 0 for k in ("bps_rd", "bps_wr", "iops", "iops_rd", "iops_wr")}
            qmp(b, "block_set_io_throttle", device="d0n1", bps=HANG * (what == "hang"), **limits)
        elif what == "unplug":
            qmp(b, "device_del", until="DEVICE_DELETED", id=MOVABLE_OPTIONS["id"])
        else:
            qmp(b, "device_add", bus=slot, **MOVABLE_OPTIONS)
    return act


def devices(b, size=128 << 20):
    words = ["-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off"]
    for slot in range(len(DRIVES) + 1):
        words += ["-device", f"pcie-root-port,id=slot{slot},slot={slot + 1},chassis={slot + 1}"]
    for c, (options, namespaces) in enumerate(DRIVES):
        if c == MOVABLE:
            words += movable(b, size)
            continue
        words += ["-device", f"nvme,id=nvme{c},serial=TESTDRIVE{c},max_ioqpairs=4,bus=slot{c},{options}"]
        for n, form in enumerate(namespaces, 1):
            path = os.path.join(b.folder, f"nvme{c}n{n}.img")
            with open(path, "wb") as f:
                f.truncate(size)
            words += ["-drive", f"if=none,id=d{c}n{n},file={path},format=raw,cache=writeback,discard=unmap",
                      "-device", f"nvme-ns,bus=nvme{c},drive=d{c}n{n},nsid={n},{form}"]
    return words


def paced(b, size=128 << 20):
    """Three drives, of which two give so many reads a second, one at a time."""
    words = []
    for c, pace in enumerate((0, 5000, 1000)):
        path = os.path.join(b.folder, f"pace{pace}.img")
        with open(path, "wb") as f:
            f.truncate(size)
        words += ["-drive", f"if=none,id=d{c},file={path},format=raw,cache=writeback" +
                  (f",throttling.iops-total={pace}" if pace else ""),
                  "-device", f"nvme,id=nvme{c},serial=PACE{pace},max_ioqpairs=4,mdts=7,drive=d{c}"]
    return words


def run(b, job, seconds, **machine):
    libraries = [f for f in (WORDS,) if os.path.exists(f)]
    machine["devices"] = machine.get("devices") or devices(b)
    guest = Machine(b, need(), memory=1024, files=pmds("mempool_ring") + libraries,
                    programs=[p for p in (STRAKE, STRAKE_IO, STRAKECTL, DRIVE_LOAD) if os.path.exists(p)], **machine)
    failed = guest.run(b.write("job.sh", f"WORDS={WORDS}\n" + script("drives_common", job)), hands(b), seconds,
                       lambda line: print(line, flush=True))
    check(failed == 0, f"{failed} tests of {job} failed")


def case_nvme_drives_by_every_way(b):
    run(b, "drives", 600)


def case_nvme_drives_in_trouble(b):
    run(b, "drives_trouble", 600)


def case_nvme_drives_that_warn_and_lie(b):
    if not os.path.exists(WORDS):
        raise Skip("libnvme_words is not built")
    run(b, "drives_words", 400)


def case_cost_of_passthrough_against_fio(b):
    if not os.path.exists(DRIVE_LOAD):
        raise Skip("drive-load is not built")
    run(b, "drives_load", 600, devices=paced(b), cpus=1, instruction_ns=8)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # clean up then, too
    sys.exit(main(globals()))
