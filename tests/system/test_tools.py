#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The programs beside the appliance in an operator's shell and scripts: readers that go away, full disks, small screens,
JSON that parses, copies that fail half way."""

import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import termios
import threading
import time

from harness import STRAKE_FSCK, STRAKE_IO, STRAKECTL, Skip, check, main, until


def full(*cmd):
    """Exit status and stderr of a command whose output nothing takes."""
    with open("/dev/full", "wb") as out:
        r = subprocess.run(cmd, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE, timeout=30, check=False)
    return r.returncode, r.stderr.decode()


def gone(*cmd):
    """The same where the reader is gone before the first byte."""
    ours, its = os.pipe()
    os.close(ours)
    r = subprocess.run(cmd, stdin=subprocess.DEVNULL, stdout=its, stderr=subprocess.PIPE, timeout=30, check=False)
    os.close(its)
    return r.returncode, r.stderr.decode()


def case_a_full_disk_is_no_success(b):
    a = b.appliance(b.conf()).start()
    name, io = ["--name", b.name], b.client()
    for cmd in ([STRAKECTL, "status", *name], [STRAKECTL, "volume", "--json", *name], [STRAKECTL, "top", *name],
                [STRAKECTL, "--help"], io.command("identify"), io.command("discover"), [STRAKE_FSCK, "--help"],
                io.command("bench", "--time", "100ms", "--warm-up", "0", "--json")):
        status, said = full(*cmd)
        check(status == 5 and "cannot write to the standard output" in said and len(said.splitlines()) == 1,
              f"{cmd}: status {status}: {said}")
    check(full(STRAKECTL, "volume", "show", "v9", *name)[0] == 1, "a reason of its own counts more")
    a.stop()


def case_a_reader_that_closes_its_end_has_seen_enough(b):
    """As `| head` does: no line about it, no failure, and a live view ends."""
    a = b.appliance(b.conf()).start()
    name = ["--name", b.name]
    for cmd in ([STRAKECTL, "volume", *name], [STRAKECTL, "top", "--every", "100ms", *name], b.client().command("identify")):
        status, said = gone(*cmd)
        check(status == 0 and said == "", f"{cmd}: status {status}: {said}")
    a.stop()


def frame(screen, cmd):
    """The second picture of a live view on a terminal of so many rows and columns, in lines."""
    ours, its = os.openpty()
    termios.tcsetwinsize(its, screen)
    p = subprocess.Popen(cmd, stdin=its, stdout=its, stderr=its)
    seen = b""
    try:
        while seen.count(b"\x1b[H") < 3:
            check(select.select([ours], [], [], 30)[0], f"nothing more is drawn: {seen}")
            seen += os.read(ours, 65536)
        os.write(ours, b"q")
        check(p.wait(30) == 0, "its status")
    finally:
        p.kill()
        os.close(ours)
        os.close(its)
    return re.sub(r"\x1b\[[0-9?]*[a-zA-Z]", "", seen.split(b"\x1b[H")[2].decode()).replace("\r", "").split("\n")


def case_a_live_view_fits_a_small_screen(b):
    a = b.appliance(b.conf()).start()
    for rows, columns in ((50, 150), (6, 30), (2, 8), (1, 1)):
        lines = frame((rows, columns), [STRAKECTL, "top", "--every", "200ms", "--name", b.name])
        check(len(lines) <= rows and all(len(line) < columns for line in lines), f"{rows} x {columns}: {lines}")
    a.stop()


def case_a_live_view_ends_by_a_signal_without_a_complaint(b):
    a = b.appliance(b.conf()).start()
    for sig in (signal.SIGINT, signal.SIGTERM):
        p = subprocess.Popen([STRAKECTL, "top", "--every", "100ms", "--name", b.name], stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        b.procs.append(p)
        p.stdout.readline()
        a.proc.send_signal(signal.SIGSTOP)  # it waits for an answer when the signal comes
        time.sleep(0.5)
        p.send_signal(sig)
        said = p.communicate(timeout=30)[1]
        a.proc.send_signal(signal.SIGCONT)
        check(p.returncode == 0 and said == b"", f"status {p.returncode}: {said}")
    a.stop()


def case_an_appliance_that_hangs_is_not_taken_for_none(b):
    """Its control socket is not where it is by default, and it cannot say so."""
    a = b.appliance(b.conf()).start()
    a.proc.send_signal(signal.SIGSTOP)
    r = subprocess.run([STRAKECTL, "trace", "on", "--name", b.name], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, timeout=30, check=False)
    a.proc.send_signal(signal.SIGCONT)
    check(r.returncode == 3 and b"does not answer" in r.stdout, f"status {r.returncode}: {r.stdout.decode()}")
    a.stop()


class Fake:
    """Both sockets of an appliance that has what none here has: two ports, and an NVMe drive."""

    TELLS = {
        "/strake/status": {"name": "fake"},
        "/strake/port/list": ["p0", "p1"],
        "/strake/port/info,p0": {"name": "p0"},
        "/strake/port/info,p1": {"name": "p1"},
        "/strake/tcp/info,p0": {"segments_in": 1},
        "/strake/tcp/info,p1": {"segments_in": 2},
        "/strake/drive/info,n0": {"name": "n0", "celsius": 30, "read_ops": 7},
    }

    def __init__(self, folder):
        self.paths = [os.path.join(folder, name) for name in ("telemetry", "control")]
        for path, kind, serve in zip(self.paths, (socket.SOCK_SEQPACKET, socket.SOCK_STREAM), (self.tell, self.obey)):
            s = socket.socket(socket.AF_UNIX, kind)
            s.bind(path)
            s.listen()
            threading.Thread(target=self.accept, args=(s, serve), daemon=True).start()

    @staticmethod
    def accept(listening, serve):
        while True:
            serve(listening.accept()[0])

    @classmethod
    def tell(cls, s):
        with s:
            s.send(b'{"version": "fake", "pid": 1, "max_output_len": 16384}')
            while query := s.recv(1024).decode():
                s.send(json.dumps({query.split(",")[0]: cls.TELLS.get(query)}).encode())

    @staticmethod
    def obey(s):
        with s:
            s.recv(1024)
            s.send(b'{"ok":true}\n')

    def ask(self, *args):
        r = subprocess.run([STRAKECTL, *args, "--socket", self.paths[0], "--control", self.paths[1]], timeout=30,
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True)
        return r.stdout.decode()


def case_json_is_one_document(b):
    fake = Fake(b.folder)
    check(json.loads(fake.ask("tcp", "--json")) == {"p0": {"segments_in": 1}, "p1": {"segments_in": 2}}, "of two ports")
    check(json.loads(fake.ask("drive", "health", "n0", "--json")) == {"name": "n0", "celsius": 30}, "of a drive's health")
    said = fake.ask("tcp")
    check(said.index("port p0") < said.index("segments in  1") < said.index("port p1") < said.index("segments in  2"), said)


def case_who_moves_a_drive_is_told_of_the_file(b):
    fake = Fake(b.folder)
    for word in ("add", "replace"):
        said = fake.ask("drive", word, "n0", "--at", "/dev/x", "--yes")
        check("file still names the old place of drive n0" in said, said)
    check(fake.ask("drive", "add", "n0") == "", "it is where it was")


def case_a_long_path_gets_there_and_its_refusal_back(b):
    a = b.appliance(b.conf()).start()
    for length in (900, 2000, 4000):
        path = "/nowhere" + "/x" * (length // 2)
        said = a.refused("config", "save", path)
        check(path in said and "No such file" in said, said)
    a.stop()


def case_an_interrupted_copy_leaves_no_half_file(b):
    a = b.appliance(b.conf(size="160MiB", volume="256MiB")).start()
    path = os.path.join(b.folder, "copy")
    p = b.client().begin("copy-out", path, "--bs", "4K", "--depth", "1")
    until(lambda: os.path.exists(path) and os.path.getsize(path) > 0, 30, "it began")
    p.send_signal(signal.SIGINT)
    check(p.wait(30) == 130, f"status {p.returncode}")
    check(not os.path.exists(path), "half a copy is left")
    p = b.client().begin("copy-out", path, "--bs", "4K", "--depth", "1")
    until(lambda: os.path.exists(path) and os.path.getsize(path) > 0, 30, "it began")
    a.kill()
    check(p.wait(30) in (1, 3), f"status {p.returncode}")
    check(not os.path.exists(path), "half a copy is left")


def case_a_full_disk_keeps_no_half_file(b):
    small = b.small_disk(1)
    b.write("small/other", bytes(1 << 20))
    a = b.appliance(b.conf()).start()
    said = a.refused("config", "save", f"{small}/saved.yaml")
    check("saved.yaml: No space left" in said, said)
    said = b.client().run("copy-out", f"{small}/copy", expect=5).stderr.decode()
    check("copy: cannot write: No space left" in said, said)
    check(os.listdir(small) == ["other"], f"left: {os.listdir(small)}")
    a.stop()


def case_a_block_device_is_copied_whole(b):
    image = b.write("image", os.urandom(1 << 20) * 8)
    r = subprocess.run(["losetup", "--find", "--show", "--read-only", image], stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, check=False)
    if r.returncode != 0:
        raise Skip(f"no loop device here: {r.stderr.decode().strip()}")
    device = r.stdout.decode().strip()
    b.cleanups.append(lambda: subprocess.run(["losetup", "--detach", device], check=False))
    a = b.appliance(b.conf()).start()
    said = b.client().run("copy-in", device, "--json").stdout
    check(json.loads(said)["bytes"] == 8 << 20, said)
    b.client().run("verify", image)
    a.stop()


if __name__ == "__main__":
    sys.exit(main(globals()))
