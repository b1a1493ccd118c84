#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""An unmodified Linux kernel's NVMe/TCP host, in a guest, against the appliance on a tap. One case is one boot and one
job of guest/jobs; what the job shows is reported line by line."""

import json
import os
import re
import signal
import subprocess
import sys

from guest.image import CannotHave, image
from guest.machine import Machine, script
from harness import BUILD, NQN, ROOT, Skip, check, main, root_only, until

OURS, OURS6 = "10.99.0.2", "fd99::2"
TAPS = ("guest0", "guest1")
SECOND = "10.98.0.2"  # of the appliance, on the second tap
NOBODY = "nqn.2014-08.org.nvmexpress:uuid:eeeeeeee-0000-4000-8000-000000000000"
KEY = os.urandom(64)


def need():
    root_only()
    if not os.path.exists("/dev/net/tun"):
        raise Skip("no /dev/net/tun")
    r = subprocess.run([os.path.join(ROOT, "tools", "packages"), "guest"], stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False)
    if r.returncode != 0:
        raise Skip(f"packages are missing: {r.stdout.decode(errors='replace').strip().splitlines()[-1]}")
    try:
        return image(os.path.join(BUILD, "guest"))
    except CannotHave as e:
        raise Skip(str(e)) from e


def port(mtu, *addresses):
    """A port on each tap, with these addresses."""
    text = "ports:\n"
    for i, (tap, own) in enumerate(zip(TAPS, addresses)):
        device = f"net_af_packet{i},iface={tap},framesz=16384,blocksz=65536,framecnt=512"
        text += f"  - {{name: p{i}, device: \"{device}\", mtu: {mtu}, addresses: [{own}]}}\n"
    return text


def conf(b, mtu, kind="uring", size=352, sizes=(192, 352, 64)):
    """Two namespaces of 4096 and 512 bytes on a striped mirror, the first encrypted; and a second subsystem. Sizes in MiB."""
    b.write("v0.key", KEY, 0o600)
    text = b.conf(drives=4, raid=10, kind=kind, size=f"{size}MiB", volume=f"{sizes[0]}MiB",
                  stages=", stages: [crypto: {key_file: v0.key}]", extra=f", state: {b.folder}/state",
                  more_volumes=f"  - {{name: v1, group: g0, size: {sizes[1]}MiB, lba: 512}}\n"
                               f"  - {{name: v2, group: g0, size: {sizes[2]}MiB}}",
                  listener=f"  - {{port: p0, address: {OURS}}}\n  - {{port: p0, address: \"{OURS6}\"}}")
    text = text.replace("namespaces: [{volume: v0}]", "namespaces: [{volume: v0}, {volume: v1}]")
    text = text.replace("listeners:", f"  - nqn: \"{NQN[:-4]}second\"\n    hosts: any\n    namespaces: [{{volume: v2}}]\n"
                        f"  - nqn: \"{NQN[:-4]}listed\"\n    hosts: [\"{NOBODY}\"]\n    namespaces: [{{volume: v2}}]\n"
                        "listeners:")
    return text + port(mtu, f"{OURS}/24, \"{OURS6}/64\"")


def two_ports_conf(b, mtu):
    """The same, smaller and in memory, so that no other's I/O delays it, with a second port on a device of its own."""
    text = conf(b, mtu, "mem", 64, (32, 32, 32))
    text = text[:text.index("ports:")].replace("listeners:", f"listeners:\n  - {{port: p1, address: {SECOND}}}")
    return text + port(mtu, f"{OURS}/24, \"{OURS6}/64\"", f"{SECOND}/24")


def log_conf(b, mtu, size="352MiB"):
    """Two namespaces of 4096 and 512 bytes that share a log group of three parts of data and one of parity."""
    b.write("v.key", KEY[:32], 0o600)
    stages = "stages: [dedup, compress, seal: {key_file: v.key}]"
    text = b.conf(drives=4, kind="uring", size=size, volume="192MiB", stages=f", {stages}",
                  more_volumes=f"  - {{name: v1, group: g0, size: 352MiB, lba: 512, {stages}}}",
                  listener=f"  - {{port: p0, address: {OURS}}}")
    text = text.replace("namespaces: [{volume: v0}]", "namespaces: [{volume: v0}, {volume: v1}]")
    text, n = re.subn(r"raid: 0, chunk: \w+, region: \w+", "style: log, data: 3, parity: 1", text)
    check(n == 1, text)
    return text + port(mtu, f"{OURS}/24")


def small_log_conf(b, mtu):
    """The same on a third of the room: less than the namespaces promise."""
    return log_conf(b, mtu, "128MiB")


class Site:
    """The appliance, the wire, and what a job may ask to be done to them."""

    def __init__(self, b, mtu=1500, text=conf, taps=TAPS[:1]):
        self.bench = b
        self.image = need()
        self.mtu = mtu
        self.ns, self.taps = b.netns("g"), taps
        for tap in taps:
            b.sh("ip", "-n", self.ns, "tuntap", "add", tap, "mode", "tap")
            # The namespace's own kernel stays out of the talk.
            b.sh("ip", "netns", "exec", self.ns, "sysctl", "-qw", f"net.ipv6.conf.{tap}.disable_ipv6=1")
            b.sh("ip", "-n", self.ns, "link", "set", tap, "mtu", str(mtu), "arp", "off", "up")
        self.appliance = b.appliance(text(b, mtu), netns=self.ns).start()

    def controllers(self):
        return [c["id"] for c in self.appliance.ctl("controller")]

    def do(self, what, *args):
        """What the guest asks for."""
        if what == "rebuilt":
            until(lambda: f"in_sync {args[0]}" in json.dumps(self.appliance.ctl("group", "show", "g0")), 60, "rebuild")
        elif what == "restart":
            self.appliance.stop()
            self.appliance.start()
        elif what == "kill":
            self.appliance.kill()
            self.appliance.start()
        elif what == "down":
            self.appliance.kill()
        elif what == "up":
            self.appliance.start()
        elif what == "freeze":
            self.appliance.proc.send_signal(signal.SIGSTOP)
        elif what == "thaw":
            self.appliance.proc.send_signal(signal.SIGCONT)
        elif what == "cut":
            self.bench.sh("ip", "-n", self.ns, "link", "set", self.taps[0], "down")
        elif what == "mend":
            self.bench.sh("ip", "-n", self.ns, "link", "set", self.taps[0], "up")
        elif what == "ctl":
            self.appliance.ctl(*args)
        elif what == "drop":
            for ident in self.controllers():
                if self.appliance.ctl("controller", "show", str(ident))["peer"].startswith(args[0]):
                    self.appliance.ctl("controller", "drop", str(ident))
        elif what == "expect":
            until(lambda: len(self.controllers()) == int(args[1]), 10, f"{args[1]} controllers: {self.controllers()}")
        else:
            raise AssertionError(f"the guest asks for {what}")

    def run(self, seconds, *jobs):
        guest = Machine(self.bench, self.image, self.ns, self.taps, self.mtu)
        failed = guest.run(self.bench.write("job.sh", script(*jobs)), self.do, seconds,
                           lambda line: print(line, flush=True))
        check(failed == 0, f"{failed} tests of {jobs[-1]} failed; the appliance said:\n{self.appliance.log()}")
        self.appliance.stop()


def case_linux_asks_everything_nvme_cli_can(b):
    Site(b).run(400, "commands")


def case_changes_and_reservations_under_a_linux_host(b):
    Site(b).run(400, "change")


def case_paths_fail_under_a_linux_host(b):
    Site(b, text=two_ports_conf, taps=TAPS).run(400, "failover")


def case_many_linux_hosts(b):
    Site(b).run(400, "crowd")


def case_bytes_through_a_linux_host(b):
    Site(b, mtu=9000).run(420, "data_common", "data")


def case_log_volumes_under_a_linux_host(b):
    Site(b, text=log_conf).run(420, "data_common", "log")


def case_a_full_log_volume_under_a_linux_host(b):
    Site(b, text=small_log_conf).run(420, "full")


def case_a_linux_host_through_trouble(b):
    Site(b).run(420, "trouble")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # clean up then, too
    sys.exit(main(globals()))
