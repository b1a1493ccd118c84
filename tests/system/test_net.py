#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Strake's own TCP on real devices against Linux's: a tap, and a veth pair through af_packet, in namespaces of their own."""

import ctypes
import json
import os
import random
import shutil
import socket
import struct
import subprocess
import sys
import time

from harness import BUILD, NQN, Skip, check, copies, io_connections, main, root_only, stopped_readers, until

OURS, HOST = "10.99.0.2", "10.99.0.1"
OURS6, HOST6 = "fd99::2", "fd99::1"


def need(*programs):
    root_only()
    for p in programs:
        if shutil.which(p) is None:
            raise Skip(f"no {p}")
    if not os.path.exists("/dev/net/tun"):
        raise Skip("no /dev/net/tun")


def port_conf(b, device, mtu, data_cpus="[0]", vlan=""):
    ports = (f"ports:\n  - {{name: p0, device: \"{device}\", mtu: {mtu}{vlan}, "
             f"addresses: [{OURS}/24, \"{OURS6}/64\"]}}\n")
    listeners = f"  - {{port: p0, address: {OURS}}}\n  - {{port: p0, address: \"{OURS6}\"}}"
    return b.conf(listener=listeners, data_cpus=data_cpus) + ports


def veth(b, ns, mtu, host="va", ours="vb"):
    b.sh("ip", "-n", ns, "link", "add", host, "type", "veth", "peer", "name", ours)
    for dev in (host, ours):
        b.sh("ip", "-n", ns, "link", "set", dev, "mtu", str(mtu), "up")
        # What af_packet sees must be frames as on a wire: whole checksums, no segments joined.
        b.sh("ip", "netns", "exec", ns, "ethtool", "-K", dev, "tx", "off", "rx", "off", "tso", "off", "gso", "off",
             "gro", "off")
    b.sh("ip", "-n", ns, "addr", "add", f"{HOST}/24", "dev", host)
    b.sh("ip", "-n", ns, "addr", "add", f"{HOST6}/64", "dev", host, "nodad")


AF_PACKET = "net_af_packet0,iface=vb,framesz=16384,blocksz=65536,framecnt=512"


def on_veth(b, mtu, **kw):
    need("ip", "ethtool")
    ns = b.netns("v")
    veth(b, ns, mtu)
    a = b.appliance(port_conf(b, AF_PACKET, mtu, **kw), netns=ns).start()
    return ns, a, b.client(OURS, port=4420, netns=ns)


def on_tap(b, mtu):
    need("ip")
    ns = b.netns("t")
    a = b.appliance(port_conf(b, "net_tap0,iface=tap0", mtu), netns=ns).start()
    b.sh("ip", "-n", ns, "link", "set", "tap0", "mtu", str(mtu), "up")
    b.sh("ip", "-n", ns, "addr", "replace", f"{HOST}/24", "dev", "tap0")
    b.sh("ip", "-n", ns, "addr", "replace", f"{HOST6}/64", "dev", "tap0", "nodad")
    return ns, a, b.client(OURS, port=4420, netns=ns)


def ping(b, ns, address, size):
    need("ping")
    b.sh("ip", "netns", "exec", ns, "ping", "-c", "2", "-i", "0.2", "-W", "2", "-M", "do", "-s", str(size), address)


def works(c, extra=()):
    c.run("verify", "--length", "16M", "--queues", "2", "--seed", "5", *extra)
    c.bench_run("--pattern", "randrw", "--verify", "--size", "8M", "--time", "1s", "--depth", "16", *extra)


def case_tap_answers_ping_and_serves(b):
    ns, a, c = on_tap(b, 1500)
    ping(b, ns, OURS, 56)
    ping(b, ns, OURS, 1472)
    ping(b, ns, OURS6, 1452)
    works(c)
    a.stop()


def cut_by_kernel(b, ns, a):
    """Long sends went to the kernel as one, and what it made of them was right."""
    check(a.ctl("port", "show", "p0")["tx_cut"] > 100, "the kernel was given nothing to cut")
    snmp = subprocess.run(["ip", "netns", "exec", ns, "cat", "/proc/net/snmp"], check=True, stdout=subprocess.PIPE,
                          text=True).stdout
    names, values = [line.split() for line in snmp.splitlines() if line.startswith("Tcp:")]
    errors = {k: int(v) for k, v in zip(names[1:], values[1:]) if k in ("InErrs", "InCsumErrors")}
    check(errors == {"InErrs": 0, "InCsumErrors": 0}, f"the host found segments that are wrong: {errors}")


def case_veth_mtu_1500(b):
    ns, a, c = on_veth(b, 1500)
    ping(b, ns, OURS, 1472)
    works(c)
    works(b.client(OURS6, port=4420, netns=ns), ["--hdgst", "--ddgst"])
    cut_by_kernel(b, ns, a)
    a.stop()


def case_veth_mtu_9000(b):
    ns, a, c = on_veth(b, 9000)
    ping(b, ns, OURS, 8972)
    ping(b, ns, OURS6, 8952)
    works(c)
    cut_by_kernel(b, ns, a)
    a.stop()


def case_veth_mtu_above_9000(b):
    ns, a, c = on_veth(b, 16000)
    ping(b, ns, OURS, 15972)
    works(c)
    works(b.client(OURS6, port=4420, netns=ns), ["--ddgst"])
    check(a.ctl("port", "show", "p0")["mtu"] == 16000, "the MTU is another")
    a.stop()


def case_veth_mtu_576(b):
    need("ip", "ethtool")
    ns = b.netns("m")
    veth(b, ns, 1500)
    a = b.appliance(port_conf(b, AF_PACKET, 1500), netns=ns).start()
    # The host's side says 576 in its MSS; ours keeps to it.
    b.sh("ip", "-n", ns, "route", "replace", f"{OURS}/32", "dev", "va", "advmss", "536", "mtu", "576")
    works(b.client(OURS, port=4420, netns=ns))
    a.stop()


def sleeps(a, seconds=1):
    """How often a second the data lcore went to sleep: looking for frames every 150 us would be thousands."""
    with a.telemetry() as ask:
        before = ask("/strake/lcore/list")["1"]["slept"]
        time.sleep(seconds)
        return (ask("/strake/lcore/list")["1"]["slept"] - before) / seconds


def case_idle_on_veth_sleeps_until_a_frame_comes(b):
    ns, a, c = on_veth(b, 1500)
    check(sleeps(a) < 500, "an idle lcore looks for frames instead of being woken by one")
    ping(b, ns, OURS, 56)
    # A link that goes down must not keep the lcore awake, and nobody deaf when it is back.
    b.sh("ip", "-n", ns, "link", "set", "vb", "down")
    check(sleeps(a) < 500, "a link that is down keeps the lcore awake")
    b.sh("ip", "-n", ns, "link", "set", "vb", "up")
    works(c)
    check(sleeps(a) < 500, "the lcore stays awake after work")
    a.stop()


def case_small_windows_of_the_host(b):
    ns, a, c = on_veth(b, 9000)
    for key in ("tcp_rmem", "tcp_wmem"):
        b.sh("ip", "netns", "exec", ns, "sysctl", "-qw", f"net.ipv4.{key}=4096 8192 16384")
    works(c)
    a.stop()


def case_host_without_sack_timestamps_and_scaling(b):
    ns, a, c = on_veth(b, 1500)
    for key in ("tcp_sack", "tcp_timestamps", "tcp_window_scaling"):
        b.sh("ip", "netns", "exec", ns, "sysctl", "-qw", f"net.ipv4.{key}=0")
    works(c)
    a.stop()


def case_copies_by_own_tcp_and_by_kernel_sockets(b):
    """A read is not copied, a write gathered at most once: where TCP's segments do not lie as a drive can take them."""
    need("ip", "ethtool")
    ns = b.netns("c")
    veth(b, ns, 9000)
    for raid, drives in ((0, 2), (10, 4)):
        conf = b.conf(drives=drives, raid=raid, kind="uring", listener=f"  - {{port: p0, address: {OURS}}}\n"
                      f"  - {{port: kernel, address: 127.0.0.1, service: {b.port}}}")
        a = b.appliance(conf + f"ports:\n  - {{name: p0, device: \"{AF_PACKET}\", mtu: 9000, addresses: [{OURS}/24]}}\n",
                        netns=ns).start()
        # Beside hosts' bytes: pages of the group's own records.
        for c, share in ((b.client(OURS, port=4420, netns=ns), 1), (b.client(netns=ns), 0.5)):
            (written, gathered), (read, copied) = copies(a, c, drives)
            check(gathered <= share * written + (256 << 10), f"RAID {raid}: of {written} bytes {gathered} were gathered")
            check(read > 1 << 20 and copied <= 256 << 10, f"RAID {raid}: of {read} bytes read {copied} were copied")
        a.stop()
        for i in range(drives):
            os.unlink(os.path.join(b.folder, f"d{i}"))


def case_af_xdp_copies_into_one_buffer_and_counts_it(b):
    need("ip", "ethtool")
    ns = b.netns("x")
    veth(b, ns, 3374)
    a = b.appliance(port_conf(b, "net_af_xdp0,iface=vb", 3374), netns=ns)
    a.start()
    ping(b, ns, OURS, 3374 - 28)
    works(b.client(OURS, port=4420, netns=ns))
    with a.telemetry() as ask:
        tcp = ask("/strake/tcp/info,p0")
    check(0 < tcp["linearised"] <= tcp["tx_segments"], f"copied and not counted: {tcp}")
    a.stop()


def case_flows_are_handed_to_their_owner_on_two_lcores(b):
    ns, a, c = on_veth(b, 9000, data_cpus="[0, 1]")
    out = c.bench_run("--pattern", "randrw", "--verify", "--jobs", "8", "--size", "16M", "--time", "3s")
    check(out["verify"]["checked"] > 0, "nothing was read")
    handed = a.ctl("port", "show", "p0")
    check(handed["rx_handed"] > 0 and handed["rx_drop_handover"] == 0, str(handed))
    a.stop()


def case_slow_readers_leave_others_alone(b):
    ns, a, c = on_veth(b, 9000)
    with stopped_readers(b, ns, c, 3):
        works(c)
        # They are not kept for ever: two looks, 15 s apart, that find no progress.
        until(lambda: not io_connections(a), 120, "the end of those who do not read")
    works(c)
    a.stop()


def case_telemetry_of_ports(b):
    ns, a, c = on_veth(b, 1500)
    works(c)
    said = a.answers_all()
    port, tcp = said["/strake/port/info"], said["/strake/tcp/info"]
    check(port["rx_packets"] > 0 and port["tx_packets"] > 0, str(port))
    check(tcp["accepted"] > 0 and tcp["rx_bytes"] > 16 << 20, str(tcp))
    check("/strake/sock/info" not in said, "it has no kernel sockets")
    a.stop()


def memif_conf(b):
    """An appliance that is a memif's server."""
    device = f"role=server,socket={b.folder}/memif,socket-abstract=no,bsize=9216"
    conf = b.conf(listener="  - {port: p0, address: 10.78.0.2}", data_cpus="[1]" if os.cpu_count() > 1 else "[0]")
    return conf + (f"ports:\n  - {{name: p0, device: \"net_memif0,{device}\", mtu: 9000, "
                   "addresses: [10.78.0.2/24]}\n")


def memif_command(b, *args):
    """strake-bench, whose TCP and NVMe/TCP are its own, as its client."""
    return [os.path.join(BUILD, "tools", "load", "strake-bench"), "run", "--memory", "256M", "--nqn", NQN, "--json",
            "--timeout", "60s", "--size", "16M", "--device",
            f"net_memif0,role=client,socket={b.folder}/memif,socket-abstract=no", *args]


def memif_bench(b, *args):
    """Reads and writes over shared memory."""
    a = b.appliance(memif_conf(b)).start()
    cmd = memif_command(b, "--time", "500ms", "--depth", "32", "--verify", "--check", *args)
    p = subprocess.run(cmd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=180,
                       check=False, text=True)
    check(p.returncode == 0, f"status {p.returncode}: {p.stdout}")
    out = json.loads(p.stdout[p.stdout.index("{"):])
    volume = a.ctl("volume", "show", "v0")
    check("its bsize must hold 90" in a.log(), "nobody is told that the peer needs large buffers")
    a.stop()
    return out, volume


def case_memif_serves_another_process(b):
    for args in (["--pattern", "randrw", "--conns", "2"], ["--pattern", "read", "--bs", "128K", "--hdgst", "--ddgst"]):
        out, volume = memif_bench(b, *args)
        check(volume["write_bytes"] >= 16 << 20 and volume["read_ops"] > 0 and volume["read_errors"] == 0, str(volume))
        check(out["read"]["errors"] == 0 and out["write"]["errors"] == 0, str(out))
        check(out["verify"]["checked"] > 0 and out["verify"]["mismatches"] == 0, str(out))


class Paused:
    """A thread stands still, wherever it is, while its process goes on."""

    SEIZE, INTERRUPT, DETACH, WALL = 0x4206, 0x4207, 17, 0x40000000

    def __init__(self, pid, name):
        self.tid = next(int(t) for t in os.listdir(f"/proc/{pid}/task") if name in open(f"/proc/{pid}/task/{t}/comm").read())
        self.ptrace = ctypes.CDLL(None, use_errno=True).ptrace
        self.ptrace.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]

    def do(self, request):
        if self.ptrace(request, self.tid, None, None) < 0:
            raise Skip(f"no ptrace here: {os.strerror(ctypes.get_errno())}")

    def __enter__(self):
        self.do(self.SEIZE)
        self.do(self.INTERRUPT)
        os.waitpid(self.tid, self.WALL)

    def __exit__(self, *_):
        self.do(self.DETACH)


def case_memif_peer_killed_while_its_memory_is_in_use(b):
    """What the peer had lent is unmapped when it is gone, but not under an lcore that has no CPU just then. And the
    socket that a killed appliance leaves is not in the way of the next."""
    a = b.appliance(memif_conf(b)).start()
    for _ in range(12):
        had = a.ctl("volume", "show", "v0")["read_ops"]
        peer = subprocess.Popen(memif_command(b, "--time", "30s", "--bs", "128K", "--pattern", "randread", "--depth", "16"),
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        b.procs.append(peer)
        until(lambda: a.ctl("volume", "show", "v0")["read_ops"] > had + 2000, 30, "its reads")
        with Paused(a.proc.pid, "worker"):
            peer.kill()
            peer.wait()
            shutil.rmtree(f"/var/run/dpdk/strake-bench-{peer.pid}", ignore_errors=True)
            time.sleep(0.05)
        time.sleep(0.05)
        check(a.proc.poll() is None, f"it ended with {a.proc.returncode}:\n{a.log()}")
    a.kill()
    check(os.path.exists(f"{b.folder}/memif"), "nothing is left, so this shows nothing")
    a.start()
    a.stop()


def case_virtio_user_behind_a_switch(b):
    """A vhost-user peer, as a virtual switch is one: here DPDK's testpmd, which passes frames to a veth."""
    need("ip", "ethtool", "dpdk-testpmd")
    ns, path = b.netns("u"), os.path.join(b.folder, "vhost.sock")
    veth(b, ns, 1500)
    switch = subprocess.Popen(
        ["ip", "netns", "exec", ns, "dpdk-testpmd", "--no-huge", "-m", "512", "--no-pci", "--no-telemetry", "-l", "0,1",
         "--file-prefix", f"{b.name}s", "--vdev", f"net_vhost0,iface={path},queues=1", "--vdev",
         "net_af_packet0,iface=vb", "--", "--forward-mode=io", "--auto-start", "--total-num-mbufs=8192",
         "--stats-period=60"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    b.procs.append(switch)
    b.cleanups.append(lambda: shutil.rmtree(f"/var/run/dpdk/{b.name}s", ignore_errors=True))
    until(lambda: os.path.exists(path), 20, "the switch's socket")
    a = b.appliance(port_conf(b, f"net_virtio_user0,path={path},queues=1,queue_size=256", 1500), netns=ns).start()
    ping(b, ns, OURS, 1472)
    works(b.client(OURS, port=4420, netns=ns))
    a.stop()


def connects(ns, source, seconds=2):
    """Does a plain connection from this address of the host succeed?"""
    code = ("import socket, sys\n"
            f"socket.create_connection(({OURS!r}, 4420), {seconds}, ({source!r}, 0)).close()\n")
    return subprocess.run(["ip", "netns", "exec", ns, sys.executable, "-c", code], stderr=subprocess.DEVNULL,
                          timeout=30, check=False).returncode == 0


def case_access_goes_by_address(b):
    need("ip", "ethtool")
    ns, other = b.netns("a"), "10.99.0.9"
    veth(b, ns, 1500)
    b.sh("ip", "-n", ns, "addr", "add", f"{other}/24", "dev", "va")
    conf = port_conf(b, AF_PACKET, 1500).replace("addresses:", f"access: [{{from: {other}, action: deny}}, "
                                                 "{from: 10.99.0.0/24, to: 4420, action: accept}], addresses:")
    a = b.appliance(conf, netns=ns).start()
    check(connects(ns, HOST), "the first address was refused")
    check(not connects(ns, other), "the second address was accepted")
    # No rule names IPv6, so nobody gets in by it.
    r = b.client(OURS6, port=4420, netns=ns).run("discover", "--timeout", "2s", expect=None)
    check(r.returncode != 0, "IPv6 was accepted")
    if shutil.which("dpdk-telemetry.py"):
        r = subprocess.run(["dpdk-telemetry.py", "-f", b.name], input="/strake/tcp/info,p0\n", timeout=20, check=False,
                           stdout=subprocess.PIPE, text=True)
        tcp = next(json.loads(line) for line in r.stdout.splitlines() if line.startswith("{\"/"))["/strake/tcp/info"]
        check(tcp["denied"] >= 2 and tcp["accepted"] >= 1, str(tcp))
    works(b.client(OURS, port=4420, netns=ns))
    a.stop()


def syn(src, sport, dport):
    """One SYN of a stranger, without options."""
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40, random.getrandbits(16), 0, 64, 6, 0, src, socket.inet_aton(OURS))
    tcp = struct.pack("!HHIIBBHHH", sport, dport, random.getrandbits(32), 0, 5 << 4, 2, 1024, 0, 0)
    pseudo = src + socket.inet_aton(OURS) + struct.pack("!BBH", 0, 6, 20)

    def fold(data):
        total = sum(struct.unpack(f"!{len(data) // 2}H", data))
        while total >> 16:
            total = (total & 0xffff) + (total >> 16)
        return ~total & 0xffff

    tcp = tcp[:16] + struct.pack("!H", fold(pseudo + tcp)) + tcp[18:]
    return head[:10] + struct.pack("!H", fold(head)) + head[12:] + tcp


def flood(seconds):
    """Run in the host's namespace: SYNs from ever new addresses, straight onto the wire."""
    s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    frames = [syn(bytes([10, 99, random.randrange(1, 255), random.randrange(1, 255)]), random.randrange(1024, 65535),
                  4420) for _ in range(20000)]
    ends, sent = time.monotonic() + seconds, 0
    while time.monotonic() < ends:
        for f in frames[:500]:
            try:
                s.sendto(f, (OURS, 0))
                sent += 1
            except OSError:
                pass
        random.shuffle(frames)
    print(sent)


def case_syn_flood_leaves_io_running(b):
    ns, a, c = on_veth(b, 1500)
    flooder = subprocess.Popen(["ip", "netns", "exec", ns, sys.executable, os.path.abspath(__file__), "--flood", "4"],
                               stdout=subprocess.PIPE)
    b.procs.append(flooder)
    time.sleep(0.5)
    works(c)
    sent = int(flooder.communicate(timeout=30)[0])
    check(sent > 20000, f"only {sent} SYNs were sent")
    works(c)
    a.stop()


def case_host_that_vanishes_is_forgotten(b):
    ns, a, c = on_veth(b, 1500)
    hold = c.begin("bench", "--pattern", "randrw", "--time", "60s", "--keep-alive", "2s")
    time.sleep(1)
    b.sh("ip", "-n", ns, "link", "set", "va", "down")
    time.sleep(8)
    hold.kill()
    hold.wait()
    left = a.ctl("controller", "list")
    check(not left, f"the association of a silent host is still there: {left}")
    b.sh("ip", "-n", ns, "link", "set", "va", "up")
    time.sleep(1)
    works(c)
    a.stop()


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "--flood":
        flood(float(sys.argv[2]))
        sys.exit(0)
    sys.exit(main(globals()))
