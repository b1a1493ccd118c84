#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Ports beside the kernel: the exception path, and two devices as one."""

import os
import shutil
import subprocess
import sys
import time

from guest.machine import Machine, pmds, script
from harness import STRAKE, STRAKE_IO, STRAKECTL, Skip, check, main, root_only, until
from test_drives import need as guest_image

OURS, HOST = "10.98.0.2", "10.98.0.1"
OURS6, HOST6 = "fd98::2", "fd98::1"

# A machine that echoes lines on TCP port 22 and UDP port 53, as the kernel's own services would.
ECHO = """
import selectors, socket
sel = selectors.DefaultSelector()
for family, any in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
    t = socket.socket(family, socket.SOCK_STREAM)
    u = socket.socket(family, socket.SOCK_DGRAM)
    if family == socket.AF_INET6:
        t.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        u.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    t.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    t.bind((any, 22)); t.listen(); u.bind((any, 53))
    sel.register(t, selectors.EVENT_READ, "listen"); sel.register(u, selectors.EVENT_READ, "udp")
print("ready", flush=True)
while True:
    for key, _ in sel.select():
        s = key.fileobj
        if key.data == "listen":
            c, _ = s.accept(); sel.register(c, selectors.EVENT_READ, "tcp")
        elif key.data == "udp":
            data, who = s.recvfrom(65536); s.sendto(data, who)
        else:
            data = s.recv(65536)
            if data: s.sendall(data)
            else: sel.unregister(s); s.close()
"""

# A person who types at it: connects, and wants every line back.
TYPE = """
import socket, sys, time
addr, seconds = sys.argv[1], float(sys.argv[2])
family = socket.AF_INET6 if ":" in addr else socket.AF_INET
s = socket.create_connection((addr, 22), 5); s.settimeout(10)
u = socket.socket(family, socket.SOCK_DGRAM); u.settimeout(2)
ends, lines, dgrams = time.monotonic() + seconds, 0, 0
while lines == 0 or time.monotonic() < ends:
    text = (b"%d " % lines) * 300
    s.sendall(text)
    got = b""
    while len(got) < len(text):
        more = s.recv(65536)
        assert more, "closed"
        got += more
    assert got == text, "wrong bytes"
    lines += 1
    u.sendto(text[:1000], (addr, 53))
    try:
        dgrams += u.recv(2000) == text[:1000]
    except TimeoutError:
        pass
    time.sleep(0.01)
print(lines, dgrams)
"""


def need(*programs):
    root_only()
    for p in programs:
        if shutil.which(p) is None:
            raise Skip(f"no {p}")
    if not os.path.exists("/dev/net/tun"):
        raise Skip("no /dev/net/tun")


def inside(ns, *cmd):
    return ["ip", "netns", "exec", ns, *cmd]


def veth(b, ns, host, ours, box=None):
    """A cable from `host` in ns to `ours` in box (the appliance's namespace; the same one without it)."""
    b.sh("ip", "-n", ns, "link", "add", host, "type", "veth", "peer", "name", ours, *(["netns", box] if box else []))
    for where, dev in ((ns, host), (box or ns, ours)):
        b.sh(*inside(where, "ethtool", "-K", dev, "tx", "off", "rx", "off", "tso", "off", "gso", "off", "gro", "off"))
        if dev == ours:
            # af_packet shows Strake the frames and leaves them to the kernel as well, which must not take them there.
            b.sh(*inside(where, "sysctl", "-qw", f"net.ipv6.conf.{dev}.disable_ipv6=1",
                         f"net.ipv4.conf.{dev}.rp_filter=1", f"net.ipv4.conf.{dev}.arp_ignore=8"))
        b.sh("ip", "-n", where, "link", "set", dev, "up")


def port_conf(b, keys, data_cpus="[0]"):
    ports = f"ports:\n  - {{name: p0, {keys}, addresses: [{OURS}/24, \"{OURS6}/64\"]}}\n"
    listeners = f"  - {{port: p0, address: {OURS}}}\n  - {{port: p0, address: \"{OURS6}\"}}"
    return b.conf(listener=listeners, data_cpus=data_cpus) + ports


def one_card(b, rate=20000, data_cpus="[0]"):
    """A machine with one card, the same addresses for Strake and the kernel, and a host at the other end."""
    need("ip", "ethtool", "ping")
    ns, box = b.netns("h"), b.netns("b")
    veth(b, ns, "va", "vb", box)
    b.sh("ip", "-n", ns, "addr", "add", f"{HOST}/24", "dev", "va")
    b.sh("ip", "-n", ns, "addr", "add", f"{HOST6}/64", "dev", "va", "nodad")
    a = b.appliance(port_conf(b, "device: \"net_af_packet0,iface=vb\", exception: nic0, "
                              f"exception_rate: {rate}", data_cpus), netns=box).start()
    b.sh("ip", "-n", box, "addr", "add", f"{OURS}/24", "dev", "nic0")
    b.sh("ip", "-n", box, "addr", "add", f"{OURS6}/64", "dev", "nic0", "nodad")
    echo = subprocess.Popen(inside(box, sys.executable, "-c", ECHO), stdout=subprocess.PIPE)
    b.procs.append(echo)
    check(echo.stdout.readline() == b"ready\n", "the echo server did not start")
    return ns, box, a, b.client(OURS, port=4420, netns=ns)


def typist(b, ns, address, seconds):
    p = subprocess.Popen(inside(ns, sys.executable, "-c", TYPE, address, str(seconds)), stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE)
    b.procs.append(p)
    return p


def typed(p):
    out, err = p.communicate(timeout=60)
    check(p.returncode == 0, err.decode())
    lines, dgrams = map(int, out.split())
    check(lines > 0 and dgrams > 0, f"{lines} lines and {dgrams} datagrams came back")


def ping(b, ns, address, count=3):
    b.sh(*inside(ns, "ping", "-c", str(count), "-i", "0.2", "-W", "2", address))


def case_machine_with_one_card_keeps_its_ssh(b):
    ns, box, a, c = one_card(b)
    typists = [typist(b, ns, OURS, 4), typist(b, ns, OURS6, 4)]
    out = c.bench_run("--pattern", "randrw", "--verify", "--size", "8M", "--time", "3s", "--depth", "16")
    check(out["verify"]["checked"] > 0, "nothing was read")
    ping(b, ns, OURS)
    ping(b, ns, OURS6)
    for t in typists:
        typed(t)
    # And the other way: the kernel behind the tap calls the host.
    ping(b, box, HOST)
    ping(b, box, HOST6)
    port = a.ctl("port", "show", "p0")
    check(port["exception_to_kernel"] > 100 and port["exception_from_kernel"] > 100, str(port))
    check(port["exception_drop_full"] == 0, str(port))
    a.stop()


def case_exception_path_on_two_lcores(b):
    ns, _, a, c = one_card(b, data_cpus="[0, 1]")
    t = typist(b, ns, OURS, 2)
    c.bench_run("--pattern", "randrw", "--verify", "--jobs", "4", "--size", "8M", "--time", "2s")
    typed(t)
    a.stop()


def case_closed_port_is_refused_by_the_kernel(b):
    ns, _, a, c = one_card(b)
    code = (f"import socket\ntry: socket.create_connection(({OURS!r}, 23), 3)\n"
            "except ConnectionRefusedError: print('no')\n")
    r = subprocess.run(inside(ns, sys.executable, "-c", code), stdout=subprocess.PIPE, timeout=20, check=True)
    check(r.stdout == b"no\n", "the closed port was not refused")
    c.run("identify")
    a.stop()


def case_flood_stops_at_the_rate_and_io_goes_on(b):
    ns, _, a, c = one_card(b, rate=500)
    code = (f"import socket, time\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\nends = time.monotonic() + 3\n"
            f"while time.monotonic() < ends:\n    for _ in range(50): s.sendto(b'x' * 100, ({OURS!r}, 9))\n"
            "    time.sleep(0.002)\n")
    flood = subprocess.Popen(inside(ns, sys.executable, "-c", code))
    b.procs.append(flood)
    c.bench_run("--pattern", "randrw", "--verify", "--size", "8M", "--time", "2s")
    flood.wait(20)
    port = a.ctl("port", "show", "p0")
    check(port["exception_drop_rate"] > 1000, str(port))
    check(port["exception_to_kernel"] < 4000, str(port))
    a.stop()


def case_tap_that_cannot_be_made_is_told(b):
    need("ip", "ethtool")
    ns = b.netns("x")
    veth(b, ns, "va", "vb")
    b.sh("ip", "-n", ns, "link", "add", "taken", "type", "veth", "peer", "name", "other")
    status, said = b.appliance(port_conf(b, "device: \"net_af_packet0,iface=vb\", exception: taken"), netns=ns).fails()
    check(status == 3 and "exception tap \"taken\"" in said, said)


BOND = ("device: \"net_bonding0,mode=1\", "
        "members: [\"net_af_packet0,iface=vb0\", \"net_af_packet1,iface=vb1\"]")


def two_cables(b):
    """A host behind a switch, and two cables from there to the appliance."""
    need("ip", "ethtool", "ping")
    ns, box = b.netns("h"), b.netns("b")
    try:
        b.sh("ip", "-n", ns, "link", "add", "br0", "type", "bridge")
    except subprocess.CalledProcessError:
        raise Skip("the kernel has no bridge") from None
    for i in "01":
        veth(b, ns, f"va{i}", f"vb{i}", box)
        b.sh("ip", "-n", ns, "link", "set", f"va{i}", "master", "br0")
    b.sh("ip", "-n", ns, "link", "set", "br0", "up")
    b.sh(*inside(ns, "ethtool", "-K", "br0", "tx", "off", "tso", "off", "gso", "off"))
    b.sh("ip", "-n", ns, "addr", "add", f"{HOST}/24", "dev", "br0")
    b.sh("ip", "-n", ns, "addr", "add", f"{HOST6}/64", "dev", "br0", "nodad")
    return ns, box


def case_bond_member_fails_and_io_goes_on(b):
    ns, box = two_cables(b)
    a = b.appliance(port_conf(b, BOND), netns=box).start()
    c = b.client(OURS, port=4420, netns=ns)
    check(a.ctl("port", "show", "p0")["active"] == "vb0", "the first member does not carry the frames")
    load = c.begin("bench", "--pattern", "randrw", "--verify", "--size", "8M", "--time", "8s", "--depth", "16")
    time.sleep(1.5)
    down = time.monotonic()
    b.sh("ip", "-n", ns, "link", "set", "va0", "down")
    until(lambda: a.ctl("port", "show", "p0")["active"] == "vb1", 5, "the other member takes over")
    b.sh(*inside(ns, "ping", "-c", "1", "-W", "3", OURS))
    took = time.monotonic() - down
    # And back: the second fails while the first is there again.
    b.sh("ip", "-n", ns, "link", "set", "va0", "up")
    time.sleep(2.5)
    b.sh("ip", "-n", ns, "link", "set", "va1", "down")
    out = load.communicate(timeout=60)[0].decode()
    check(load.returncode == 0, out)
    port = a.ctl("port", "show", "p0")
    check(port["active"] == "vb0" and port["failovers"] == 2, str(port))
    check(took < 3, f"{took:.1f} s from a dead link to an answer")
    a.stop()


def case_bond_keeps_ssh_through_a_failure(b):
    ns, box = two_cables(b)
    a = b.appliance(port_conf(b, BOND + ", exception: nic0"), netns=box).start()
    b.sh("ip", "-n", box, "addr", "add", f"{OURS}/24", "dev", "nic0")
    b.sh("ip", "-n", box, "addr", "add", f"{OURS6}/64", "dev", "nic0", "nodad")
    echo = subprocess.Popen(inside(box, sys.executable, "-c", ECHO), stdout=subprocess.PIPE)
    b.procs.append(echo)
    check(echo.stdout.readline() == b"ready\n", "the echo server did not start")
    t = typist(b, ns, OURS, 4)
    time.sleep(1)
    b.sh("ip", "-n", ns, "link", "set", "va0", "down")
    typed(t)
    a.stop()


def case_port_and_exception_path_by_vhost_net(b):
    """In a guest: most machines have no /dev/vhost-net."""
    guest = Machine(b, guest_image(), memory=1024, files=pmds("mempool_ring", "net_virtio"),
                    programs=[STRAKE, STRAKE_IO, STRAKECTL])
    failed = guest.run(b.write("job.sh", script("vhost")), None, 300, lambda line: print(line, flush=True))
    check(failed == 0, f"{failed} tests of vhost failed")


def case_bond_of_what_cannot_is_refused_before_start(b):
    root_only()
    for keys, why in (
            ("device: \"net_bonding0,mode=1\", members: [net_ring0, net_ring1]", "takes no other MAC address"),
            (BOND.replace("mode=1", "mode=4"), "LACP (mode 4) needs a device"),
            (BOND, "cannot open member \"net_af_packet0,iface=vb0\"")):
        _, said = b.appliance(port_conf(b, keys)).fails()
        check(why in said, said)


if __name__ == "__main__":
    sys.exit(main(globals()))
