# SPDX-License-Identifier: BSD-3-Clause
"""What every system test uses: an appliance as a process, its client, and a report of cases.

A test is a function whose name begins with `case_`; it gets a Bench, and fails by raising. Each case has a folder, a
name and processes of its own, and whatever happened they are gone when it ends.
"""

import contextlib
import glob
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.environ.get("STRAKE_BUILD", os.path.join(ROOT, "build"))
STRAKE = os.path.join(BUILD, "app", "strake")
STRAKE_IO = os.path.join(BUILD, "tools", "io", "strake-io")
STRAKE_FSCK = os.path.join(BUILD, "tools", "dump", "strake-fsck")
STRAKECTL = os.path.join(BUILD, "tools", "ctl", "strakectl")
NQN = "nqn.2026-11.io.strake:test"


class Skip(Exception):
    """This machine cannot show it; says why."""


def check(what, text):
    if not what:
        raise AssertionError(text)


def free_port():
    """Below those that the kernel gives to connections: nobody takes it by chance while an appliance is restarted."""
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as s, contextlib.suppress(OSError):
            s.bind(("127.0.0.1", port))
            return port


def schedstats(pid):
    """ns on a processor, and ns ready to run without one, of each thread."""
    for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
        with contextlib.suppress(OSError), open(path, encoding="ascii") as f:
            yield tuple(int(n) for n in f.read().split()[:2])


def starved(pid):
    """How long the process waited for a processor that others had, in seconds: of its threads the one that waited most."""
    return max((waited for _, waited in schedstats(pid)), default=0) / 1e9


def until(fn, seconds, text, lost=lambda: 0):
    """`lost` says how many seconds there were in which it could not come about."""
    began = time.monotonic()
    while time.monotonic() - lost() < began + seconds:
        got = fn()
        if got:
            return got
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s: {text}")


class Appliance:
    """One strake process."""

    def __init__(self, bench, conf, netns=None, args=()):
        self.bench = bench
        self.conf = bench.write("strake.yaml", conf)
        self.prefix = ["ip", "netns", "exec", netns] if netns else []
        self.args = list(args)
        self.log_path = os.path.join(bench.folder, "strake.log")
        self.proc = None

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def launch(self):
        with open(self.log_path, "w", encoding="utf-8") as log:
            self.proc = subprocess.Popen([*self.prefix, STRAKE, *self.args, self.conf], stdin=subprocess.DEVNULL,
                                         stdout=log, stderr=log, cwd=self.bench.folder)
        self.bench.procs.append(self.proc)

    def start(self):
        self.launch()
        until(lambda: " serves " in self.log() or self.proc.poll() is not None, 30, "start", lambda: starved(self.proc.pid))
        check(self.proc.poll() is None, f"the appliance ended with {self.proc.returncode}:\n{self.log()}")
        return self

    def fails(self, seconds=30):
        """Start, and expect it to refuse: returns (exit status, what it said)."""
        self.launch()
        status = self.proc.wait(seconds)
        check(status != 0, "it started")
        return status, self.log()

    def stop(self):
        self.proc.terminate()
        status = self.proc.wait(30)
        check(status == 0, f"exit status {status}:\n{self.log()}")

    def kill(self):
        self.proc.kill()
        self.proc.wait(10)

    def ctl(self, *args):
        r = subprocess.run([*self.prefix, STRAKECTL, *args, "--name", self.bench.name, "--json", "--yes", "--control",
                            os.path.join(self.bench.folder, "ctl.sock")],
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30, check=False)
        check(r.returncode == 0, f"strakectl {' '.join(args)}: {r.stdout.decode()}")
        return json.loads(r.stdout) if r.stdout.strip() else None

    def refused(self, *args, sure=True, status=1):
        """strakectl's reason, for a command that must fail. sure: it need not ask. status: 2 where the words are wrong."""
        r = subprocess.run([*self.prefix, STRAKECTL, *args, *(["--yes"] if sure else []), "--name", self.bench.name, "--control",
                            os.path.join(self.bench.folder, "ctl.sock")],
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30, check=False)
        check(r.returncode == status, f"strakectl {' '.join(args)}: status {r.returncode}\n{r.stdout.decode()}")
        return r.stdout.decode()

    @contextlib.contextmanager
    def telemetry(self):
        """A function that asks DPDK's telemetry socket, whatever strakectl makes of it; None: it has no answer."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
            s.settimeout(30)
            s.connect(f"/var/run/dpdk/{self.bench.name}/dpdk_telemetry.v2")
            most = json.loads(s.recv(4096))["max_output_len"] + 1024

            def ask(query):
                s.send(query.encode())
                return next(iter(json.loads(s.recv(most)).values()))

            yield ask

    def answers_all(self):
        """Ask every command under /strake/, those of one thing with the first of their list. Returns the answers."""
        said = {}
        with self.telemetry() as ask:
            for cmd in ask("/"):
                if not cmd.startswith("/strake/"):
                    continue
                of = "/strake/port/list" if cmd == "/strake/tcp/info" else re.sub("info$", "list", cmd)
                first = ask(of) if cmd.endswith("info") else None
                if first == []:
                    continue  # there is none of that kind
                tries = [f"{cmd},{first[0]}"] if first else [cmd, f"{cmd},1"]
                said[cmd] = next((a for a in map(ask, tries) if a is not None), None)
        silent = [cmd for cmd, a in said.items() if a is None]
        check(said and not silent, f"no answer from {silent}")
        return said

    def say(self, line):
        """One line to the control socket itself."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10)
            s.connect(os.path.join(self.bench.folder, "ctl.sock"))
            s.send(line.encode() + b"\n")
            answer = json.loads(s.makefile().readline())
        check(answer["ok"], f"{line}: {answer}")
        return answer


class Client:
    """strake-io, a host."""

    def __init__(self, bench, addr, port, netns=None, nqn=NQN):
        self.bench = bench
        self.prefix = ["ip", "netns", "exec", netns] if netns else []
        self.common = ["--addr", addr, "--port", str(port), "--nqn", nqn, "--quiet"]

    def command(self, *args):
        return [*self.prefix, STRAKE_IO, *args, *self.common]

    def run(self, *args, seconds=60, expect=0, stdin=None):
        r = subprocess.run(self.command(*args), input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           timeout=seconds, check=False)
        if expect is not None:
            check(r.returncode == expect, f"strake-io {' '.join(args)}: status {r.returncode}, expected {expect}\n"
                  f"{r.stderr.decode()}{r.stdout.decode(errors='replace')[-500:]}")
        return r

    def begin(self, *args):
        p = subprocess.Popen(self.command(*args), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT)
        self.bench.procs.append(p)
        return p

    def bench_run(self, *args, seconds=60):
        out = json.loads(self.run("bench", *args, "--json", seconds=seconds).stdout)
        check(out["error"] == "" and out["read"]["errors"] == 0 and out["write"]["errors"] == 0, f"errors: {out}")
        check(out["verify"]["mismatches"] == 0, f"wrong bytes: {out['verify']}")
        return out


@contextlib.contextmanager
def stopped_readers(b, ns, client, n):
    """Hosts that ask for more than the kernel holds for them, and then read nothing: stopped processes."""
    for key, most in (("tcp_rmem", 65536), ("tcp_wmem", 262144)):
        b.sh("ip", "netns", "exec", ns, "sysctl", "-qw", f"net.ipv4.{key}=4096 16384 {most}")
    hosts = [client.begin("bench", "--pattern", "read", "--bs", "128K", "--depth", "64", "--time", "300s",
                          "--keep-alive", "0") for _ in range(n)]
    time.sleep(1)
    for p in hosts:
        check(p.poll() is None, "a host ended before it was stopped")
        p.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for p in hosts:
            p.kill()
            p.wait()


def copies(a, c, drives):
    """Read the counters of a whole appliance over writes and reads. Returns, of each: bytes hosts moved, bytes copied."""
    def now():
        volume, all_of = a.ctl("volume", "show", "v0"), [a.ctl("drive", "show", f"d{i}") for i in range(drives)]
        placed = a.answers_all()["/strake/connection/counters"]["bytes_placed"]
        return (volume["write_bytes"], volume["read_bytes"], sum(d["bytes_gathered"] for d in all_of) + placed)

    def after(pattern):
        for bs, depth in (("4K", 32), ("128K", 16)):
            c.bench_run("--pattern", pattern, "--bs", bs, "--depth", str(depth), "--size", "32M", "--time", "500ms")
        return now()

    before = now()
    wrote = after("randwrite")
    read = after("randread")
    return (wrote[0] - before[0], wrote[2] - before[2]), (read[1] - wrote[1], read[2] - wrote[2])


def io_connections(appliance):
    """Connections of I/O queues."""
    return [c for c in appliance.ctl("connection", "list") if c.get("qid", 0) != 0]


class Bench:
    """A case's folder, name, processes and namespaces."""

    def __init__(self, name):
        self.folder = tempfile.mkdtemp(prefix="strake-test-")
        self.name = f"t{os.getpid()}{name}"[:40]
        self.port = free_port()
        self.procs = []
        self.cleanups = []

    def write(self, name, text, mode=0o644):
        path = os.path.join(self.folder, name)
        data = text if isinstance(text, bytes) else text.encode()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as f:
            f.write(data)
        os.chmod(path, mode)
        return path

    def sh(self, *cmd):
        subprocess.run(cmd, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def small_disk(self, mib):
        """A file system of so many MiB, in the folder as "small"."""
        root_only()
        mount = os.path.join(self.folder, "small")
        os.mkdir(mount)
        self.sh("mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", mount)
        self.cleanups.append(lambda: subprocess.run(["umount", mount], check=False))
        return mount

    def huge_pages(self, n):
        """So many of 2 MiB more than there are, while the case runs."""
        root_only()
        path = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"
        if not os.path.exists(path):
            raise Skip("no huge pages of 2 MiB")

        def give(want):
            with open(path, "w", encoding="ascii") as f:
                f.write(str(want))

        with open(path, encoding="ascii") as f:
            before = int(f.read())
        self.cleanups.append(lambda: give(before))
        give(before + n)
        with open(path, encoding="ascii") as f:
            if int(f.read()) < before + n:
                raise Skip("no memory for huge pages")

    def netns(self, name):
        ns = f"strk{os.getpid()}{name}"
        self.sh("ip", "netns", "add", ns)
        self.cleanups.append(lambda: subprocess.run(["ip", "netns", "del", ns], check=False))
        self.sh("ip", "-n", ns, "link", "set", "lo", "up")
        return ns

    def conf(self, drives=2, raid=0, kind="mem", size="64MiB", volume="64MiB", lba=4096, stages="", hosts="any",
             data_cpus="[0]", extra="", listener=None, memory="768MiB", more_volumes=""):
        """The YAML of a small appliance; the pieces that a case cares about are arguments."""
        if "state:" not in extra:
            extra += f", state: {self.folder}/state"
        lines = [f"appliance: {{name: {self.name}, huge: false, memory: {memory}, buffers: 64MiB, main_cpu: 0, "
                 f"data_cpus: {data_cpus}, control: {self.folder}/ctl.sock{extra}}}", "drives:"]
        for i in range(drives):
            path = f", path: d{i}" if kind == "uring" else ""
            lines.append(f"  - {{name: d{i}, kind: {kind}, size: {size}{path}}}")
        names = ", ".join(f"d{i}" for i in range(drives))
        lines += ["groups:", f"  - {{name: g0, raid: {raid}, chunk: 64KiB, region: 4MiB, drives: [{names}]}}",
                  "volumes:", f"  - {{name: v0, group: g0, size: {volume}, lba: {lba}{stages}}}"]
        if more_volumes:
            lines.append(more_volumes)
        lines += ["subsystems:", f"  - nqn: \"{NQN}\"", f"    hosts: {hosts}", "    namespaces: [{volume: v0}]"]
        lines += ["listeners:", listener or f"  - {{port: kernel, address: 127.0.0.1, service: {self.port}}}"]
        return "\n".join(lines) + "\n"

    def appliance(self, conf, **kw):
        return Appliance(self, conf, **kw)

    def fsck(self, *args, drives=4, expect=0):
        """Prove the store on drives d0, d1, ... of this case; the appliance has ended. Returns what was said."""
        deadline = time.monotonic() + 30
        while True:
            r = subprocess.run([STRAKE_FSCK, *args, *[f"d{i}" for i in range(drives)]], stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd=self.folder, timeout=120,
                               check=False)
            # The kernel lets go of a killed process's drives a little after its end.
            held = r.returncode == 5 and b"has it open" in r.stdout and all(p.poll() is not None for p in self.procs)
            if not held or time.monotonic() > deadline:
                break
            time.sleep(0.05)
        check(expect is None or r.returncode == expect,
              f"strake-fsck: status {r.returncode}, expected {expect}\n{r.stdout.decode()}")
        return r.stdout.decode()

    def client(self, addr="127.0.0.1", **kw):
        return Client(self, addr, kw.pop("port", self.port), **kw)

    def close(self):
        for p in self.procs:
            if p.poll() is None:
                p.send_signal(signal.SIGKILL)
                p.wait()
            if p.stdout:
                p.stdout.close()
        for fn in reversed(self.cleanups):
            fn()
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.rmtree(os.path.join("/var/run/dpdk", self.name), ignore_errors=True)


def root_only():
    if os.geteuid() != 0:
        raise Skip("needs root")


def main(cases):
    """Run the case_ functions of a module (all, or those named on the command line)."""
    wanted = sys.argv[1:]
    failed = 0
    for name, fn in list(cases.items()):
        if not name.startswith("case_") or (wanted and name[5:] not in wanted):
            continue
        title = name[5:].replace("_", " ")
        bench = Bench(name[5:9])
        try:
            fn(bench)
            print(f"ok {title}", flush=True)
        except Skip as e:
            print(f"skipped {title}: {e}", flush=True)
        except Exception:  # noqa: a case fails by raising whatever it likes
            failed += 1
            print(traceback.format_exc(limit=-4), flush=True)
            print(f"not ok {title}", flush=True)
        finally:
            bench.close()
    return 1 if failed else 0
