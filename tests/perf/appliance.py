# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Strake authors
"""Starting an appliance and asking it, for the measurements."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import time

NQN = "nqn.2026-11.io.strake:bench"
NAME = f"perf{os.getpid()}"
MEMORY = [f"{{name: m{i}, kind: mem, size: 256MiB}}" for i in range(4)]


equals = []  # not empty: nobody is favoured


@contextlib.contextmanager
def among_equals():
    """What begins meanwhile goes before nobody. A worker of the kernel ends each write of a file, on the CPU that asked
    for it, and would wait for who is favoured there."""
    equals.append(True)
    try:
        yield
    finally:
        equals.pop()


def favoured():
    """A new session is a scheduling group of its own; this one goes before the others on the machine."""
    os.setsid()
    if equals:
        return
    with contextlib.suppress(OSError), open("/proc/self/autogroup", "w", encoding="ascii") as f:
        f.write("-20")


def sh(*cmd, **kw):
    return subprocess.run(cmd, check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **kw).stdout


def begun(*cmd):
    """A client, under way."""
    return subprocess.Popen(cmd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            preexec_fn=favoured)


def ended(client, timeout=600):
    """What a client said at its end."""
    try:
        out, err = client.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        client.kill()
        client.communicate()
        raise
    if client.returncode != 0:
        raise RuntimeError(f"{' '.join(client.args)}: status {client.returncode}\n{err}{out[-500:]}")
    return out


def measured(*cmd):
    """Run a client to its end; its JSON."""
    return json.loads(ended(begun(*cmd)))


class Telemetry:
    """DPDK's telemetry socket of the appliance."""

    def __init__(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.settimeout(10)
        self.sock.connect(f"/var/run/dpdk/{NAME}/dpdk_telemetry.v2")
        self.most = json.loads(self.sock.recv(4096))["max_output_len"] + 1024

    def ask(self, query):
        self.sock.send(query.encode())
        return next(iter(json.loads(self.sock.recv(self.most)).values()))

    def work(self):
        """Cycles the data lcore was busy and idle, its turns, and I/Os of the volume, until now."""
        lcore, volume = self.ask("/strake/lcore/list")["1"], self.ask("/strake/volume/info,v0")
        return {"busy": lcore["busy_cycles"], "idle": lcore["idle_cycles"], "turns": lcore["worked"],
                "ios": volume["read_ops"] + volume["write_ops"]}

    @contextlib.contextmanager
    def window(self, out):
        """Put into @out what was done meanwhile: cycles an I/O, cycles a turn that did something."""
        before = self.work()
        yield
        now = {k: v - before[k] for k, v in self.work().items()}
        out["cycles"] = now["busy"] / max(now["ios"], 1)
        out["turn"] = now["busy"] / max(now["turns"], 1)


class Appliance:
    """Strake with a RAID-0 volume of 960 MiB on four drives in memory, or on the drives given."""

    def __init__(self, o, folder, listener, port="", stages="", idle="spin", drives=None, size="960MiB"):
        self.folder, self.build = folder, o.build
        drives = drives or MEMORY
        names = ", ".join(d.split("name: ")[1].split(",")[0] for d in drives)
        self.conf = f"""
appliance: {{name: {NAME}, huge: {str(o.huge).lower()}, memory: 3GiB, buffers: 256MiB, main_cpu: {o.client_cpu},
            data_cpus: [{o.data_cpu}], idle: {idle}, control: {folder}/ctl.sock}}
{port}
drives:
{''.join(f"  - {d}{os.linesep}" for d in drives)}
groups:
  - {{name: g0, raid: 0, chunk: 64KiB, drives: [{names}]}}
volumes:
  - {{name: v0, group: g0, size: {size}, lba: 4096{stages}}}
subsystems:
  - nqn: "{NQN}"
    hosts: any
    queue_depth: 256
    namespaces: [{{volume: v0}}]
listeners:
  - {listener}
"""

    def __enter__(self):
        path = os.path.join(self.folder, "strake.yaml")
        with open(path, "w", encoding="utf-8") as f:
            f.write(self.conf)
        self.log = open(os.path.join(self.folder, "log"), "w+", encoding="utf-8")
        self.proc = subprocess.Popen([f"{self.build}/app/strake", path], stdin=subprocess.DEVNULL, stdout=self.log,
                                     stderr=self.log, preexec_fn=favoured)
        for _ in range(300):
            time.sleep(0.1)
            self.log.seek(0)
            text = self.log.read()
            if " serves " in text:
                self.telemetry = Telemetry()
                return self
            if self.proc.poll() is not None:
                raise RuntimeError(f"the appliance does not start:\n{text}")
        self.proc.kill()
        raise RuntimeError(f"the appliance is not ready after 30 s:\n{text}")

    def __exit__(self, *exc):
        self.proc.terminate()
        try:
            self.proc.wait(20)
        except subprocess.TimeoutExpired:
            self.proc.send_signal(signal.SIGKILL)
            self.proc.wait()
        self.log.close()

    @contextlib.contextmanager
    def paused(self):
        """Its CPU is another's meanwhile. No host may be connected."""
        self.proc.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.proc.send_signal(signal.SIGCONT)

    def cpu_share(self, seconds):
        """Of one CPU, all threads, for so long."""

        def used():
            with open(f"/proc/{self.proc.pid}/stat", encoding="ascii") as f:
                return sum(map(int, f.read().rsplit(")", 1)[1].split()[11:13])) / os.sysconf("SC_CLK_TCK")

        before, began = used(), time.monotonic()
        time.sleep(seconds)
        return (used() - before) / (time.monotonic() - began)


def memif(folder, role):
    """Devargs. The client is the side that can do without copies: what it sends and receives lies in its own memory."""
    more = "rsize=11" if role == "server" else "rsize=8,zero-copy=yes"
    return f"net_memif0,role={role},socket={folder}/memif,socket-abstract=no,bsize=9216,{more}"


def memif_port(folder, role="server"):
    return f"""ports:
  - name: p0
    device: "{memif(folder, role)}"
    mtu: 9000
    addresses: [10.78.0.2/24]"""


def packet_port(dev, more=""):
    return f"""ports:
  - name: p0
    device: "net_af_packet0,iface={dev}{more}"
    mtu: 9000
    addresses: [10.79.0.2/24]"""


@contextlib.contextmanager
def veth():
    """A pair, one end in a namespace; MTU 9000, no offloads on either side."""
    ns, a, b = f"sp{os.getpid()}", f"sa{os.getpid() % 100000}", f"sb{os.getpid() % 100000}"
    sh("ip", "netns", "add", ns)
    try:
        sh("ip", "link", "add", a, "mtu", "9000", "type", "veth", "peer", "name", b, "mtu", "9000", "netns", ns)
        for where, dev in (([], a), (["ip", "netns", "exec", ns], b)):
            sh(*where, "ethtool", "-K", dev, "tx", "off", "rx", "off", "tso", "off", "gso", "off", "gro", "off")
            sh(*where, "ip", "link", "set", dev, "up")
        sh("ip", "-n", ns, "addr", "add", "10.79.0.1/24", "dev", b)
        yield ns, a
    finally:
        subprocess.run(["ip", "link", "del", a], check=False, stderr=subprocess.DEVNULL)
        subprocess.run(["ip", "netns", "del", ns], check=False)


def bench_command(o, folder, command, *args, role="client"):
    return [f"{o.build}/tools/load/strake-bench", command, *(["--huge"] if o.huge else []), "--memory", "768M",
            "--device", memif(folder, role), "--cpu", str(o.client_cpu), "--target", NAME, *args]


@contextlib.contextmanager
def server_client(o, folder, command, *args):
    """A strake-bench that waits for a target to call it: the target is memif's client, and calls when it starts."""
    client = begun(*bench_command(o, folder, command, "--timeout", "30s", *args, role="server"))
    try:
        for _ in range(100):
            if os.path.exists(f"{folder}/memif") or client.poll() is not None:
                break
            time.sleep(0.1)
        time.sleep(0.5)
        yield client
    finally:
        if client.poll() is None:
            client.kill()
            client.communicate()


def io_command(o, prefix, addr, port):
    return [*prefix, f"{o.build}/tools/io/strake-io", "bench", "--addr", addr, "--port", str(port), "--nqn", NQN,
            "--quiet", "--cpus", str(o.client_cpu), "--json"]
