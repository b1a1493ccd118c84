# SPDX-License-Identifier: BSD-3-Clause
"""A throw-away Linux host under QEMU, its processor emulated, on a tap of a network namespace."""

import contextlib
import glob
import re
import os
import shutil
import subprocess
import threading
import time

from guest.image import CannotHave, copy_libraries, copy_program, must

BOOTS, BOOT_SECONDS = 3, 120
ADDRESS, ADDRESS6 = "10.99.0.1/24", "fd99::1/64"
# The far end of the tap is a packet socket: what it sees must be frames as on a wire, sums done, segments not joined.
PLAIN = ",".join(f"{o}=off" for o in ("csum", "guest_csum", "gso", "guest_tso4", "guest_tso6", "guest_ufo", "guest_ecn",
                                      "host_tso4", "host_tso6", "host_ufo", "host_ecn", "mrg_rxbuf"))


def script(*jobs):
    """These files of guest/jobs, one behind the other."""
    folder, text = os.path.join(os.path.dirname(os.path.realpath(__file__)), "jobs"), ""
    for name in jobs:
        with open(os.path.join(folder, name + ".sh"), encoding="ascii") as f:
            text += f.read()
    return text


def pmds(*names):
    """These plug-ins of DPDK, of which even its pools are one: `files` of a machine."""
    return [f for n in names for f in glob.glob(f"/usr/lib/*/dpdk/pmds-*/librte_{n}.so")]


def tsc_khz():
    """The guest's time stamp counter is this machine's: told its rate, it need not measure it on a busy machine."""
    found = re.search(r"tsc: Detected ([0-9]+)\.([0-9]{3}) MHz", subprocess.run(
        ["dmesg"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout.decode(errors="replace"))
    if found:
        return found.group(1) + found.group(2)
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as f:
        text = f.read()
    found = re.search(r"cpu MHz\s*: ([0-9]+)\.([0-9]{3})", text)
    return found.group(1) + found.group(2) if found and " hypervisor" in text else None


class Machine:
    """Without a namespace it has no network; with one, a card on each of the taps. `programs` and `files` (libraries) are
    paths of what it shall have beside the usual, with what they are linked to; `devices` more words for QEMU. Where
    `instruction_ns` (a power of two) is given each instruction takes that long by the guest's clock: what it measures of
    itself does not depend on how busy we are."""

    def __init__(self, bench, image, netns=None, taps=(), mtu=1500, cpus=2, memory=512, programs=(), files=(),
                 devices=(), instruction_ns=0):
        self.bench, self.image, self.netns, self.taps, self.mtu, self.cpus = bench, image, netns, taps, mtu, cpus
        self.instruction_ns = instruction_ns
        self.memory, self.programs, self.files, self.devices = memory, programs, files, devices
        self.lines, self.is_up = [], False

    def command(self, initramfs):
        if shutil.which("qemu-system-x86_64") is None:
            raise CannotHave("no qemu-system-x86_64")
        khz = None if self.instruction_ns else tsc_khz()
        words = ["console=ttyS0 quiet panic=-1 nokaslr mitigations=off tsc=reliable no_timer_check net.ifnames=0",
                 f"address={ADDRESS} address6={ADDRESS6} mtu={self.mtu}"]
        if khz:
            words.append(f"tsc_early_khz={khz}")
        prefix, net = [], []
        if self.netns:
            prefix = ["ip", "netns", "exec", self.netns]
            for i, tap in enumerate(self.taps):
                net += ["-netdev", f"tap,id=n{i},ifname={tap},script=no,downscript=no,vhost=off", "-device", self.nic(i)]
        return [*prefix, "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-nographic", "-no-reboot", "-machine",
                "q35,usb=off,vmport=off", *self.processor(), "-smp",
                str(self.cpus), "-m", str(self.memory), "-kernel", self.image[0], "-initrd", initramfs, "-append",
                " ".join(words), "-serial", "stdio", "-device", "virtio-rng-pci", *net, *self.devices]

    def processor(self):
        if not self.instruction_ns:
            return ["-accel", "tcg,thread=multi,tb-size=256", "-cpu", "max"]
        # Its cmpxchg16b is known to spoil the flags when instructions are counted.
        return ["-cpu", "max,-cx16", "-accel", "tcg,thread=single,tb-size=256", "-icount", f"shift={self.instruction_ns.bit_length() - 1}"]

    def nic(self, i):
        nic = f"virtio-net-pci,netdev=n{i},romfile=,mac=52:54:00:99:00:{i + 1:02x}"
        if self.mtu > 1500:
            nic += f",host_mtu={self.mtu}"
        return f"{nic},{PLAIN}"

    def with_job(self, job):
        """The initramfs followed by a second archive, which holds the job and what it wants to run."""
        folder = os.path.join(self.bench.folder, "job")
        os.makedirs(os.path.join(folder, "usr/bin"), exist_ok=True)
        shutil.copy(job, os.path.join(folder, "job"))
        for program in self.programs:
            copy_program(program, folder)
        for file in self.files:
            os.makedirs(os.path.dirname(folder + file), exist_ok=True)
            shutil.copy(file, folder + file)
            copy_libraries(file, folder)
        path = os.path.join(self.bench.folder, "initramfs")
        shutil.copy(self.image[1], path)
        must("sh", "-c", f"find . | sort | cpio -o -H newc --quiet -R 0:0 >> {path}", cwd=folder)
        return path

    def cut_after(self, seconds):
        """From show(): the guest's power fails that much later."""
        threading.Timer(seconds, self.qemu.kill).start()

    def run(self, job, outside, seconds, show, cut=False):
        """Boot, run the job, answer what it asks with `outside(words)`; returns how many of its tests failed. With `cut` the
        power fails before it ends, and what it was saying is not heard."""
        command = self.command(self.with_job(job))
        # QEMU's emulation is known to stay in its firmware for ever, once in hundreds of boots: nothing of ours ran then.
        for _ in range(BOOTS):
            self.lines, self.is_up = [], False
            failed = self.boot(command, outside, seconds, show, cut)
            if self.is_up:
                return failed
        raise AssertionError(f"{BOOTS} times the guest did not come up:\n" + "\n".join(self.lines[-40:]))

    def boot(self, command, outside, seconds, show, cut):
        qemu = self.qemu = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.bench.procs.append(qemu)
        watch = threading.Timer(seconds, qemu.kill)
        watch.start()
        stuck = threading.Timer(BOOT_SECONDS, lambda: self.is_up or qemu.kill())
        stuck.start()
        began, failed = time.monotonic(), None
        try:
            for raw in qemu.stdout:
                if cut and not raw.endswith(b"\n"):
                    break
                line = raw.decode(errors="replace").strip()
                self.lines.append(line)
                word = line[line.find("guest: ") + 7:] if "guest: " in line else None
                if word is None:
                    continue
                if word == "up":
                    self.is_up = True
                elif word.startswith("ask "):
                    outside(*word.split()[1:])
                    with contextlib.suppress(BrokenPipeError):  # it was killed meanwhile
                        qemu.stdin.write(b"done\n")
                        qemu.stdin.flush()
                elif word.startswith("job ended "):
                    failed = int(word.split()[2])
                else:
                    show(word)
        finally:
            watch.cancel()
            stuck.cancel()
            qemu.kill()
            qemu.wait()
        if failed is None and self.is_up and not cut:
            text = "\n".join(self.lines[-40:])
            raise AssertionError(f"the guest ended after {time.monotonic() - began:.0f} s without a result:\n{text}")
        return failed
