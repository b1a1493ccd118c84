#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Ports on PCI cards, in a guest: QEMU emulates the cards and the IOMMU, and hosts are this machine's kernel."""

import signal
import sys

from guest.machine import Machine, pmds, script
from harness import STRAKE, STRAKECTL, check, main
from test_drives import need

# Tap, and the host's address at it, queues of the card, and what QEMU shall emulate.
CARDS = [("card0", "10.96.0.1/24", 2, "virtio-net-pci,addr=0x10,disable-legacy=on,iommu_platform=on,mq=on,rss=on,vectors=8"),
         ("card1", "10.97.0.1/24", 1, "e1000e,addr=0x11")]
# Addresses of the appliance, and how many queues a host opens there.
PATHS = [("10.96.0.2", 8), ("fd96::2", 4), ("10.97.0.2", 2)]


def cards(b, ns):
    words = ["-device", "intel-iommu,intremap=on"]
    for n, (tap, address, queues, card) in enumerate(CARDS):
        b.sh("ip", "-n", ns, "tuntap", "add", tap, "mode", "tap", *["multi_queue"] * (queues > 1))
        b.sh("ip", "-n", ns, "addr", "add", address, "dev", tap)
        b.sh("ip", "-n", ns, "link", "set", tap, "up")
        words += ["-netdev", f"tap,id=c{n},ifname={tap},script=no,downscript=no,vhost=off" +
                  f",queues={queues}" * (queues > 1),
                  "-device", f"{card},netdev=c{n},romfile=,mac=52:54:00:96:00:{n + 1:02x}"]
    b.sh("ip", "-n", ns, "addr", "add", "fd96::1/64", "dev", CARDS[0][0], "nodad")
    return words


def hosts(b, ns):
    """What the job asks for: hosts write, read back and change all of the volume, by each address."""
    def io(_):
        for seed, (address, jobs) in enumerate(PATHS):
            c = b.client(address, port=4420, netns=ns)
            c.run("verify", "--length", "16M", "--seed", str(seed), seconds=120)
            c.bench_run("--pattern", "randrw", "--bs", "16K", "--verify", "--size", "16M", "--time", "3s", "--depth", "4",
                        "--jobs", str(jobs), "--sleep", seconds=120)
    return io


def case_cards_by_vfio(b):
    image = need()
    ns = b.netns("c")
    guest = Machine(b, image, netns=ns, memory=1024, programs=[STRAKE, STRAKECTL], devices=cards(b, ns),
                    files=pmds("mempool_ring", "net_virtio", "net_e1000"))
    failed = guest.run(b.write("job.sh", script("cards")), hosts(b, ns), 400, lambda line: print(line, flush=True))
    check(failed == 0, f"{failed} tests of cards failed")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # clean up then, too
    sys.exit(main(globals()))
