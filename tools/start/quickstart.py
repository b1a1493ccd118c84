# SPDX-License-Identifier: BSD-3-Clause
"""The quickstart: one file through a volume that reduces, seals and protects it, and back, over a restart."""

import argparse
import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.path.join(ROOT, "build")
NETNS = "strake-quickstart"
NAME = "quickstart"  # `name` of the samples
NQN = "nqn.2026-11.io.strake:quickstart"
FILE_MOST = 384 << 20  # what the drives hold of bytes that neither shrink nor repeat, with room for the measurements
LEAST_BYTES = 64 << 20
MEMORY_MIB = 768  # `memory` of the samples


def say(text):
    print(text, flush=True)


def die(text):
    sys.exit(f"quickstart: {text}")


def run(cmd, **kw):
    return subprocess.run(cmd, check=True, **kw)


def build():
    say("building ...")
    log = tempfile.NamedTemporaryFile("w+", prefix="strake-build-", delete=False)
    steps = [["ninja", "-C", BUILD, "app/strake", "tools/io/strake-io", "tools/ctl/strakectl"]]
    if not os.path.isfile(os.path.join(BUILD, "build.ninja")):
        steps.insert(0, ["meson", "setup", BUILD, ROOT, "-Dtests=false"])
    for cmd in steps:
        if subprocess.run(cmd, stdout=log, stderr=subprocess.STDOUT).returncode != 0:
            die(f"the build failed; see {log.name}")
    os.unlink(log.name)


def program(name):
    for folder, _, names in os.walk(BUILD):
        if name in names and os.access(os.path.join(folder, name), os.X_OK):
            return os.path.join(folder, name)
    die(f"{name} was not built")


def meminfo():
    info = {}
    with open("/proc/meminfo", encoding="ascii") as f:
        for line in f:
            key, value = line.split(":")
            info[key] = int(value.split()[0])
    return info


class HugePages:
    """Reserves what the sample asks for, where there is too little; gives it back."""

    COUNT = "/proc/sys/vm/nr_hugepages"

    def __init__(self):
        self.before = None

    def short(self):
        info = meminfo()
        return MEMORY_MIB - info.get("HugePages_Free", 0) * info.get("Hugepagesize", 0) // 1024

    def reserve(self):
        """Returns what is missing, or None."""
        if self.short() <= 0:
            return None
        info = meminfo()
        if os.geteuid() != 0 or info.get("Hugepagesize", 0) == 0:
            return f"{MEMORY_MIB} MiB of free huge pages"
        with open(self.COUNT, encoding="ascii") as f:
            self.before = int(f.read())
        self.set(self.before + -(-self.short() * 1024 // info["Hugepagesize"]))
        if self.short() <= 0:
            say(f"reserved {MEMORY_MIB} MiB of huge pages for this run")
            return None
        self.restore()
        return f"{MEMORY_MIB} MiB of huge pages (memory is too fragmented or too small)"

    def set(self, n):
        with contextlib.suppress(OSError), open(self.COUNT, "w", encoding="ascii") as f:
            f.write(str(n))

    def restore(self):
        if self.before is not None:
            self.set(self.before)
            self.before = None


def missing_for_port():
    """What this machine lacks for a DPDK port on a veth; empty: nothing."""
    if os.geteuid() != 0:
        return ["root (start with sudo)"]
    lacks = [f"{p} (apt-get install {pkg})" for p, pkg in (("ip", "iproute2"), ("ethtool", "ethtool"))
             if shutil.which(p) is None]
    if not lacks:
        probe = subprocess.run(["ip", "link", "add", "strakeprobe0", "type", "veth", "peer", "name", "strakeprobe1"],
                               stderr=subprocess.PIPE, check=False)
        if probe.returncode != 0:
            lacks.append("veth: " + probe.stderr.decode().strip())
        subprocess.run(["ip", "link", "del", "strakeprobe0"], stderr=subprocess.DEVNULL, check=False)
    return lacks


def default_file(folder):
    """A real file of at least 64 MiB: the shared libraries of this machine, in one archive."""
    path = os.path.join(folder, "sample.tar")
    size = 0
    with open(path, "wb") as out:
        for top in ("/usr/lib/x86_64-linux-gnu", "/usr/bin", "/usr/lib"):
            for name in sorted(os.listdir(top)):
                src = os.path.join(top, name)
                if size >= LEAST_BYTES or not os.path.isfile(src) or os.path.islink(src):
                    continue
                with contextlib.suppress(OSError), open(src, "rb") as f:
                    out.write(f.read())
                    size = out.tell()
    if size < LEAST_BYTES:
        die(f"found only {size >> 20} MiB of files to copy; name a FILE")
    return path


def sha256(path):
    h = hashlib.sha256()
    with open(path, "rb") as f:
        while block := f.read(1 << 20):
            h.update(block)
    return h.hexdigest()


class Network:
    """A network namespace with a veth: strake0 is the host's end, strake1 the appliance's."""

    def __init__(self, use):
        self.use = use

    def __enter__(self):
        if not self.use:
            return self
        if os.path.exists(f"/run/netns/{NETNS}"):
            die(f"network namespace {NETNS} exists: an earlier --keep? end it with `ip netns del {NETNS}`")
        run(["ip", "netns", "add", NETNS])
        ip = ["ip", "-n", NETNS]
        run([*ip, "link", "set", "lo", "up"])
        run([*ip, "link", "add", "strake0", "type", "veth", "peer", "name", "strake1"])
        for dev in ("strake0", "strake1"):
            run([*ip, "link", "set", dev, "mtu", "9000", "up"])
            # The appliance must see frames as on a wire: whole checksums, no segments joined.
            run([*self.prefix(), "ethtool", "-K", dev, "tx", "off", "rx", "off", "tso", "off", "gso", "off", "gro",
                 "off"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        run([*ip, "addr", "add", "10.77.0.1/24", "dev", "strake0"])
        return self

    def prefix(self):
        return ["ip", "netns", "exec", NETNS] if self.use else []

    def __exit__(self, *_):
        if self.use:
            subprocess.run(["ip", "netns", "del", NETNS], stderr=subprocess.DEVNULL, check=False)


class Appliance:
    def __init__(self, net, conf, folder, no_huge):
        self.net, self.conf, self.no_huge = net, conf, no_huge
        self.log = os.path.join(folder, "strake.log")
        self.proc = None

    def start(self):
        cmd = [*self.net.prefix(), program("strake"), *(["--no-huge"] if self.no_huge else []), self.conf]
        with open(self.log, "a", encoding="utf-8") as log:
            at = log.tell()
            self.proc = subprocess.Popen(cmd, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if self.proc.poll() is not None:
                break
            with open(self.log, encoding="utf-8", errors="replace") as log:
                log.seek(at)
                if " serves " in log.read():
                    return
            time.sleep(0.05)
        with open(self.log, encoding="utf-8", errors="replace") as log:
            sys.stderr.write(log.read())
        self.stop()
        die("the appliance did not start")

    def stop(self):
        if self.proc is None:
            return
        self.proc.terminate()
        try:
            self.proc.wait(30)
        except subprocess.TimeoutExpired:
            self.proc.kill()
            self.proc.wait()
            die("the appliance did not stop within 30 s")
        finally:
            self.proc = None
            # DPDK empties its folder, but leaves it.
            run_dir = "/var/run" if os.geteuid() == 0 else os.environ.get("XDG_RUNTIME_DIR", "/tmp")
            shutil.rmtree(os.path.join(run_dir, "dpdk", NAME), ignore_errors=True)


class Client:
    def __init__(self, net, addr):
        self.net = net
        self.common = ["--addr", addr, "--nqn", NQN]

    def io(self, *args, show=False):
        cmd = [*self.net.prefix(), program("strake-io"), *args, *self.common]
        if show:
            run(cmd)
            return ""
        return run(cmd, stdout=subprocess.PIPE).stdout.decode()

    def bench(self, pattern, bs, depth, seconds, where):
        return json.loads(self.io("bench", "--pattern", pattern, "--bs", bs, "--depth", str(depth), "--time",
                                  f"{round(seconds * 1000)}ms", *where, "--quiet", "--json"))


def telemetry(net, *what):
    cmd = [*net.prefix(), program("strakectl"), *what, "--name", NAME, "--json"]
    return json.loads(run(cmd, stdout=subprocess.PIPE).stdout)


def table(head, rows):
    widths = [max(len(str(r[i])) for r in [head, *rows]) for i in range(len(head))]
    for r in [head, *rows]:
        say("  " + "  ".join(str(c).ljust(w) if i == 0 else str(c).rjust(w) for i, (c, w) in enumerate(zip(r, widths))))


def micro(ns):
    return f"{ns / 1000:.1f}"


def measure(client, size, seconds):
    """Reads are of the file. Writes are of bytes that neither repeat nor shrink (--verify makes each write's own)."""
    say(f"\nmeasuring ({seconds:g} s each): reads of the file, writes of bytes that neither repeat nor shrink ...")
    read = ["--offset", "0", "--size", str(max(size // (2 << 20), 1) * (2 << 20))]
    write = ["--offset", "512M", "--size", "64M", "--verify"]
    rows = []
    for pattern, bs, depth in [("randread", "4K", 1), ("randread", "4K", 32), ("randwrite", "4K", 32),
                               ("read", "128K", 16), ("write", "128K", 16)]:
        side = "read" if "read" in pattern else "write"
        r = client.bench(pattern, bs, depth, seconds, read if side == "read" else write)[side]
        lat = r["latency_ns"]
        rows.append([f"{pattern} {bs} depth {depth}", f"{r['iops']:.0f}", f"{r['bytes_per_second'] / 1e6:.0f}",
                     micro(lat["p50"]), micro(lat["p99"]), micro(lat["p999"])])
    say("")
    table(["", "IOPS", "MB/s", "p50 µs", "p99 µs", "p99.9 µs"], rows)


def reduction(net):
    """Where the bytes of the copy went; the store counts from its opening, so before it is opened again."""
    s = telemetry(net, "store", "show", "g0")
    g = telemetry(net, "group", "show", "g0")
    zero, known = 4096 * s["zero_blocks"], 4096 * s["hit_blocks"]
    shrunk = s["plain_bytes"] - s["stored_bytes"]
    kept = s["hot_bytes"] + s["meta_bytes"] + s["padded_bytes"]
    parity = kept * g["parity"] // g["data"]
    written = s["host_bytes"] + zero
    rows = [["written by the host", written], ["  less blocks of zeroes", zero], ["  less blocks there already", known],
            ["  less what compression saves", shrunk], ["stored, sealed", s["stored_bytes"]],
            ["  and heads, map, padding", kept - s["stored_bytes"]], [f"  and parity ({g['data']}+{g['parity']})", parity],
            ["on the drives", kept + parity]]
    say("\nwhere the bytes went")
    table(["", "MB", "of written"], [[name, f"{n / 1e6:.1f}", f"{100 * n / max(written, 1):.1f} %"] for name, n in rows])
    counted = sum(d["write_bytes"] for d in telemetry(net, "drive", "list"))
    say(f"  {written / max(kept, 1):.2f} : 1 before parity, {written / max(kept + parity, 1):.2f} : 1 with it; the drives counted {counted / 1e6:.1f} MB"
        " written, what the group writes about itself included")


def work(net):
    status = telemetry(net, "status")
    hz = status["tsc_hz"]
    rows = []
    for s in telemetry(net, "stage", "list"):
        units = max(s["down"] + s["up"], 1)
        rows.append([s["name"], s["down"], s["up"], f"{s['bytes'] / 1e6:.0f}", s["errors"],
                     f"{s['cycles'] / units * 1e9 / hz:.0f}"])
    say("")
    table(["stage", "down", "up", "MB", "errors", "ns a unit"], rows)
    rows = []
    for d in telemetry(net, "drive", "list"):
        rows.append([d["name"], d["read_ops"], f"{d['read_bytes'] / 1e6:.0f}", d["write_ops"],
                     f"{d['write_bytes'] / 1e6:.0f}", d["flush_ops"], micro(d["read_latency"]["p99"]),
                     micro(d["write_latency"]["p99"])])
    say("")
    table(["drive", "reads", "MB", "writes", "MB", "flushes", "read p99 µs", "write p99 µs"], rows)


def copy_and_compare(app, client, file, folder):
    size = os.path.getsize(file)
    if size == 0 or size > FILE_MOST:
        die(f"{file}: {size} bytes; this run takes 1 byte to {FILE_MOST >> 20} MiB")
    say(f"\ncopying {file} ({size / 1e6:.0f} MB) into the volume")
    client.io("copy-in", file, show=True)
    client.io("flush")
    reduction(app.net)
    say("\nrestarting the appliance")
    app.stop()
    app.start()
    back = os.path.join(folder, "back")
    say("copying it out again")
    client.io("copy-out", back, "--length", str(size), show=True)
    want, got = sha256(file), sha256(back)
    if want != got:
        die(f"what came back is not what was written: SHA-256 {want} before, {got} after")
    say(f"the same before and after, SHA-256 {want}")


def keep(app, net, client, folder, huge_before):
    io = " ".join([*net.prefix(), program("strake-io")])
    huge = f"; sysctl vm.nr_hugepages={huge_before}" if huge_before is not None else ""
    say(f"\nThe appliance goes on (process {app.proc.pid}, files in {folder}). Try:\n"
        f"  {io} identify {' '.join(client.common)}\n"
        f"  {' '.join(net.prefix())} {program('strakectl')} top --name {NAME}\n"
        f"End it:\n  kill {app.proc.pid}" + (f"; ip netns del {NETNS}" if net.use else "") +
        f"; rm -r {folder}{huge}")


def next_steps():
    say("\nWhat to try next:\n"
        "  sudo tools/quickstart --keep        leave it running, and look with strakectl top\n"
        "  config/samples/reference.yaml       every key, explained\n"
        "  nvme connect -t tcp -a 10.77.0.2 -n " + NQN + "   a Linux host, where the kernel has nvme-tcp\n"
        "  sudo tools/check                    build, lint and run every test")


def parse():
    p = argparse.ArgumentParser(prog="tools/quickstart", description=__doc__)
    p.add_argument("--keep", action="store_true", help="leave the appliance running")
    p.add_argument("--kernel", action="store_true", help="use the kernel's sockets, not a DPDK port")
    p.add_argument("--time", type=float, default=3, metavar="SECONDS", help="of each measurement (3)")
    p.add_argument("file", nargs="?", help="what to copy (a real file of 64 MiB made from this machine's libraries)")
    return p.parse_args()


def serve(args, own_port, huge, folder, stack):
    """Everything between a built appliance and its end."""
    sample = os.path.join(ROOT, "config", "samples", "quickstart.yaml" if own_port else "kernel.yaml")
    conf = shutil.copy(sample, os.path.join(folder, "strake.yaml"))
    with open(os.open(os.path.join(folder, "quickstart.key"), os.O_WRONLY | os.O_CREAT, 0o600), "wb") as key:
        key.write(os.urandom(32))
    net = stack.enter_context(Network(own_port))
    app = Appliance(net, conf, folder, not own_port)
    client = Client(net, "10.77.0.2" if own_port else "127.0.0.1")
    stack.callback(app.stop)
    app.start()
    file = args.file or default_file(folder)
    copy_and_compare(app, client, file, folder)
    measure(client, os.path.getsize(file), args.time)
    work(net)
    if args.keep:
        keep(app, net, client, folder, huge.before)
        stack.pop_all()
    else:
        next_steps()


def main():
    args = parse()
    if args.file and not os.path.isfile(args.file):
        die(f"{args.file}: no such file")
    build()
    with contextlib.ExitStack() as stack:
        huge = HugePages()
        lacks = []
        if not args.kernel:
            lacks = missing_for_port()
            short = None if lacks else huge.reserve()
            lacks += [short] if short else []
        stack.callback(huge.restore)
        if lacks:
            say("This machine lacks: " + "; ".join(lacks) +
                ".\nUsing the kernel's sockets and ordinary memory (--no-huge) instead of a DPDK port.")
        folder = tempfile.mkdtemp(prefix="strake-quickstart-")
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        serve(args, not args.kernel and not lacks, huge, folder, stack)


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as e:
        die(f"{' '.join(e.cmd[:6])} ... ended with status {e.returncode}")
    except KeyboardInterrupt:
        die("interrupted")
