#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The appliance on NVMe drives, in a guest whose drives QEMU emulates."""

import glob
import os
import signal
import subprocess
import sys

from guest.image import CannotHave, image
from guest.machine import Machine
from harness import BUILD, ROOT, STRAKE, STRAKE_IO, STRAKECTL, Skip, check, main, root_only

NVME_LOAD = os.path.join(BUILD, "tests", "perf", "nvme-load")

# Controllers and their namespaces, as QEMU is told of them: /dev/nvme0 with two formats, a drive of 4096-byte blocks
# that takes 16 KiB at a time, and one of namespaces that no one should take.
DRIVES = [("mdts=7", ["logical_block_size=512,physical_block_size=512", "logical_block_size=4096,physical_block_size=4096"]),
          ("mdts=2", ["logical_block_size=4096,physical_block_size=4096"]),
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


def devices(b, size=128 << 20):
    words = []
    for c, (options, namespaces) in enumerate(DRIVES):
        words += ["-device", f"nvme,id=nvme{c},serial=TESTDRIVE{c},max_ioqpairs=4,{options}"]
        for n, form in enumerate(namespaces, 1):
            path = os.path.join(b.folder, f"nvme{c}n{n}.img")
            with open(path, "wb") as f:
                f.truncate(size)
            words += ["-drive", f"if=none,id=d{c}n{n},file={path},format=raw,cache=writeback,discard=unmap",
                      "-device", f"nvme-ns,bus=nvme{c},drive=d{c}n{n},nsid={n},{form}"]
    return words


def run(b, job, seconds):
    plugins = glob.glob("/usr/lib/*/dpdk/pmds-*/librte_mempool_ring.so*")  # DPDK's pools are a plug-in
    guest = Machine(b, need(), memory=1024, devices=devices(b), files=plugins,
                    programs=[p for p in (STRAKE, STRAKE_IO, STRAKECTL, NVME_LOAD) if os.path.exists(p)])
    folder, text = os.path.join(os.path.dirname(os.path.realpath(__file__)), "guest", "jobs"), ""
    for name in ("drives_common", job):
        with open(os.path.join(folder, name + ".sh"), encoding="ascii") as f:
            text += f.read()
    failed = guest.run(b.write("job.sh", text), lambda *_: None, seconds, lambda line: print(line, flush=True))
    check(failed == 0, f"{failed} tests of {job} failed")


def case_nvme_drives_by_every_way(b):
    run(b, "drives", 300)


def case_nvme_drives_in_trouble(b):
    run(b, "drives_trouble", 300)


def case_cost_of_passthrough_against_fio(b):
    if not os.path.exists(NVME_LOAD):
        raise Skip("nvme-load is not built")
    run(b, "drives_load", 300)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # clean up then, too
    sys.exit(main(globals()))
