#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The appliance as a process, over the kernel's sockets: serving, restarting, dying, refusing."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

from harness import NQN, STRAKE, STRAKECTL, Skip, check, io_connections, main, root_only, stopped_readers, until

KEY = os.urandom(64)
CRYPTO = ", stages: [crypto: {key_file: v0.key}]"


def case_bytes_come_back_with_and_without_digests(b):
    b.appliance(b.conf()).start()
    c = b.client()
    for digests in ([], ["--hdgst"], ["--ddgst"], ["--hdgst", "--ddgst"]):
        c.run("verify", "--length", "16M", "--queues", "4", "--seed", str(len(digests) + 7), *digests)
        c.bench_run("--pattern", "randrw", "--verify", "--size", "16M", "--time", "1s", "--depth", "16", *digests)


def case_small_blocks_of_512_bytes(b):
    b.appliance(b.conf(lba=512)).start()
    b.client().bench_run("--pattern", "randrw", "--bs", "512", "--verify", "--size", "8M", "--time", "2s")
    b.client().bench_run("--pattern", "randrw", "--bs", "12800", "--verify", "--size", "8M", "--time", "2s")


def case_raid10_of_files_encrypted_survives_an_orderly_restart(b):
    b.write("v0.key", KEY, 0o600)
    a = b.appliance(b.conf(drives=4, raid=10, kind="uring", stages=CRYPTO)).start()
    c = b.client()
    c.run("verify", "--length", "32M", "--seed", "3")
    before = json.loads(c.run("identify", "--json").stdout)
    a.stop()
    for i in range(4):
        with open(os.path.join(b.folder, f"d{i}"), "rb") as f:
            check(b"strake pattern" not in f.read(), "clear text on a drive")
    a.start()
    c.run("verify", "--length", "32M", "--seed", "3", "--read-only")
    check(before["namespaces"] == json.loads(c.run("identify", "--json").stdout)["namespaces"],
          "identity changed over a restart")
    a.stop()


def case_drives_may_be_listed_in_any_order(b):
    conf = b.conf(drives=4, raid=10, kind="uring")
    a = b.appliance(conf).start()
    c = b.client()
    c.run("verify", "--length", "16M", "--seed", "4")
    a.stop()
    a = b.appliance(conf.replace("[d0, d1, d2, d3]", "[d2, d0, d3, d1]")).start()
    c.run("verify", "--length", "16M", "--seed", "4", "--read-only")
    a.stop()


def case_what_was_flushed_survives_kill_9_under_load(b):
    b.write("v0.key", KEY, 0o600)
    a = b.appliance(b.conf(drives=4, raid=10, kind="uring", stages=CRYPTO))
    c = b.client()
    for round_ in range(3):
        a.start()
        c.run("verify", "--length", "8M", "--seed", str(round_))
        c.run("flush")
        load = c.begin("bench", "--pattern", "randwrite", "--offset", "16M", "--size", "32M", "--time", "10s")
        time.sleep(0.5)
        a.kill()
        load.wait(30)
        a.start()
        c.run("verify", "--length", "8M", "--seed", str(round_), "--read-only")
        a.stop()


def case_mirror_goes_on_without_a_half_and_takes_it_back(b):
    a = b.appliance(b.conf(drives=2, raid=1, kind="uring", size="96MiB")).start()
    c = b.client()
    c.run("verify", "--length", "16M", "--seed", "1")
    load = c.begin("bench", "--pattern", "randrw", "--verify", "--offset", "16M", "--size", "16M", "--time", "3s",
                   "--json")
    time.sleep(0.5)
    a.ctl("drive", "fail", "d1")
    out, _ = load.communicate(timeout=30)
    result = json.loads(out)
    check(load.returncode == 0 and result["write"]["errors"] == 0 and result["read"]["errors"] == 0,
          f"the host saw an error: {out.decode()}")
    c.run("verify", "--length", "16M", "--seed", "2")
    a.ctl("drive", "return", "d1")
    until(lambda: "in_sync d1" in json.dumps(a.ctl("group", "show", "g0")), 30, "resync")
    a.ctl("drive", "fail", "d0")
    c.run("verify", "--length", "16M", "--seed", "2", "--read-only")
    a.stop()


def case_stale_half_never_assembles_alone(b):
    conf = b.conf(drives=2, raid=1, kind="uring", size="96MiB")
    a = b.appliance(conf).start()
    c = b.client()
    a.ctl("drive", "fail", "d1")
    c.run("verify", "--length", "4M", "--seed", "5")
    a.stop()
    os.rename(os.path.join(b.folder, "d0"), os.path.join(b.folder, "kept"))
    status, said = b.appliance(conf).fails()
    check(status == 3 and "g0" in said, said)
    os.rename(os.path.join(b.folder, "kept"), os.path.join(b.folder, "d0"))
    a = b.appliance(conf).start()
    c.run("verify", "--length", "4M", "--seed", "5", "--read-only")
    a.stop()


def case_starts_without_a_half_and_takes_it_back(b):
    """Its file away, or held by somebody else: one line, a start, and the drive returns without a restart."""
    import fcntl
    made = b.conf(drives=2, raid=1, kind="uring", size="96MiB")
    conf = made.replace("kind: uring, size: 96MiB", "kind: uring")
    b.appliance(made).start().stop()
    c = b.client()
    path, away = os.path.join(b.folder, "d1"), os.path.join(b.folder, "away")

    def degraded(seed, why):
        a = b.appliance(conf).start()
        said = [line for line in a.log().splitlines() if "d1" in line]
        check(len(said) == 1 and why in said[0] and "goes on without it" in said[0], a.log())
        check("missing -" in json.dumps(a.ctl("group", "show", "g0")), "the group does not know")
        c.run("verify", "--length", "8M", "--seed", seed)
        return a

    def back(a, seed):
        a.ctl("drive", "return", "d1")
        until(lambda: "in_sync d1" in json.dumps(a.ctl("group", "show", "g0")), 30, "resync")
        a.ctl("drive", "fail", "d0")
        c.run("verify", "--length", "8M", "--seed", seed, "--read-only")
        a.ctl("drive", "return", "d0")
        until(lambda: "in_sync d0" in json.dumps(a.ctl("group", "show", "g0")), 30, "resync")
        a.stop()

    os.rename(path, away)
    a = degraded("1", "does not exist")
    os.rename(away, path)
    back(a, "1")
    with open(path, "r+b") as f:
        fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
        a = degraded("2", "another")
    back(a, "2")


def case_a_drive_that_takes_long_to_open_holds_nothing_up(b):
    """Its file is leased: the kernel lets nobody open it until the lease is given back. Meanwhile everything answers."""
    import fcntl
    signal.signal(signal.SIGIO, signal.SIG_IGN)
    made = b.conf(drives=2, raid=1, kind="uring", size="96MiB")
    b.appliance(made).start().stop()
    path, away = os.path.join(b.folder, "d1"), os.path.join(b.folder, "away")
    os.rename(path, away)
    a = b.appliance(made.replace("kind: uring, size: 96MiB", "kind: uring")).start()
    c = b.client()
    os.rename(away, path)
    add = ["drive", "add", "d1", "--name", b.name, "--control", os.path.join(b.folder, "ctl.sock")]

    def leased():
        fd = os.open(path, os.O_RDWR)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        p = subprocess.Popen([STRAKECTL, *add], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        b.procs.append(p)
        until(lambda: "drive-open" in threads(a.proc.pid), 10, "the drive is being opened")
        return fd, p

    def answers():
        began = time.monotonic()
        check("missing -" in json.dumps(a.ctl("group", "show", "g0")), "telemetry")
        a.say("trace every=0")
        c.run("verify", "--length", "4M")
        check(time.monotonic() - began < 8, "it stood still")
        r = subprocess.run([STRAKECTL, *add], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=8, check=False)
        check(r.returncode != 0 and b"busy" in r.stdout, r.stdout.decode())

    fd, p = leased()
    answers()
    time.sleep(11)  # as long as strakectl waits for an appliance that answers nothing
    check(p.poll() is None and "drive-open" in threads(a.proc.pid), "it did not wait")
    os.close(fd)
    check(p.wait(30) == 0, p.stdout.read().decode())
    until(lambda: "in_sync d1" in json.dumps(a.ctl("group", "show", "g0")), 30, "resync")
    a.ctl("drive", "remove", "d1")
    fd, p = leased()
    a.proc.terminate()
    until(lambda: "stopping" in a.log(), 10, "the end to begin")
    os.close(fd)
    check(a.proc.wait(30) == 0, a.log())


def threads(pid):
    """The names of a process's threads."""
    names = []
    for task in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(FileNotFoundError), open(f"/proc/{pid}/task/{task}/comm", encoding="ascii") as f:
            names.append(f.read().strip())
    return names


def case_drives_are_removed_added_and_replaced_while_serving(b):
    a = b.appliance(b.conf(drives=2, raid=1, kind="uring", size="96MiB")).start()
    c = b.client()
    new, sizes = os.path.join(b.folder, "new"), {}

    def synced():
        until(lambda: "in_sync d1" in json.dumps(a.ctl("group", "show", "g0")), 30, "resync")
        sizes[len(sizes)] = a.ctl("group", "show", "g0")["resync_bytes"]

    def refused(word, *args, status=1):
        said = a.refused(*args, sure=False, status=status)
        check(word in said, f"{args}: {said}")

    c.run("verify", "--length", "8M", "--seed", "1")
    refused("say --yes", "drive", "remove", "d1", status=2)
    refused("has no such thing", "drive", "locate", "d1")
    refused("no drive", "drive", "return", "d7")
    refused("needs --at", "drive", "replace", "d1", status=2)
    a.ctl("drive", "remove", "d1")
    refused("no drive 'd1'", "drive", "show", "d1")
    refused("is not open: it was removed", "drive", "remove", "d1", "--yes")
    refused("cannot be spared", "drive", "remove", "d0", "--yes")
    refused("cannot be spared", "drive", "fail", "d0", "--yes")
    c.run("verify", "--length", "8M", "--seed", "2")
    a.ctl("drive", "add", "d1")
    synced()
    with open(new, "wb") as f:
        f.truncate(96 << 20)
    a.ctl("drive", "replace", "d1", "--at", new)
    synced()
    check(sizes[0] < 48 << 20 <= sizes[1] - sizes[0], f"copied {sizes}")
    a.ctl("drive", "fail", "d0")
    c.run("verify", "--length", "8M", "--seed", "2", "--read-only")
    saved = os.path.join(b.folder, "saved.yaml")
    a.ctl("config", "save", saved)
    with open(saved, encoding="utf-8") as f:
        check(new in f.read(), "the new place is not saved")
    a.ctl("drive", "return", "d0")
    a.stop()


def case_start_without_what_a_group_needs_is_refused_in_one_line(b):
    for raid in (0, 1):
        conf = b.conf(drives=2, raid=raid, kind="uring", size="96MiB")
        status, said = b.appliance(conf.replace("kind: uring, size: 96MiB", "kind: uring")).fails()
        lines = [line for line in said.splitlines() if line.startswith("strake:")]
        check(status == 3 and len(lines) == 1 and "d0" in said and "does not exist" in lines[0], said)


def case_two_data_lcores_a_stage_of_its_own_and_wandering_slabs(b):
    b.write("v0.key", KEY, 0o600)
    stages = ", stages: [crypto: {key_file: v0.key, lcore: 2}]"
    a = b.appliance(b.conf(stages=stages, data_cpus="[0, 1]", extra=", slab: 16MiB")).start()
    load = b.client().begin("bench", "--pattern", "randrw", "--verify", "--jobs", "4", "--size", "32M", "--time", "4s",
                            "--json")
    for i in range(12):
        time.sleep(0.3)
        a.say(f"slab move volume=v0 slab={i % 2} lcore={1 + (i // 2) % 2}")
    out, _ = load.communicate(timeout=60)
    check(load.returncode == 0 and json.loads(out)["verify"]["mismatches"] == 0, out.decode())
    for _ in range(64):
        socket.create_connection(("127.0.0.1", b.port), 30).close()
    counted = {}

    def dealt_out():
        counted.update(a.ctl("tcp", "kernel"))
        return counted["accepts"] >= 64

    until(dealt_out, 30, "the connections")
    check(counted["accepts_lcore_1"] > 0 and counted["accepts_lcore_2"] > 0, f"one lcore got all: {counted}")
    a.stop()


def case_host_that_is_not_named_is_refused(b):
    host = "nqn.2014-08.org.nvmexpress:uuid:11111111-2222-3333-4444-555555555555"
    a = b.appliance(b.conf(hosts=f'["{host}"]')).start()
    b.client().run("identify", expect=None)
    r = b.client().run("identify", expect=None)
    check(r.returncode != 0, "a host that is not named was let in")
    b.client().run("identify", "--hostnqn", host)
    a.stop()


def case_wrong_configuration_is_told_with_lines(b):
    text = b.conf().replace("raid: 0", "riad: 0").replace("lba: 4096", "lba: 1000")
    a = b.appliance(text, args=["--check"])
    status, said = a.fails()
    check(status == 1, f"status {status}")
    check("raid" in said and "lba" in said and "strake.yaml:" in said, said)


def case_missing_and_open_key_files_are_refused_in_one_line(b):
    conf = b.conf(stages=CRYPTO)
    for make in (lambda: None, lambda: b.write("v0.key", KEY, 0o644)):
        make()
        status, said = b.appliance(conf).fails()
        check(status == 3 and "v0.key" in said, said)
        check(len([line for line in said.splitlines() if line.startswith("strake:")]) == 1, said)


def case_busy_port_is_refused(b):
    with socket.socket() as s:
        s.bind(("127.0.0.1", b.port))
        s.listen()
        status, said = b.appliance(b.conf()).fails()
    check(status == 3 and str(b.port) in said, said)


def case_too_few_huge_pages_is_told(b):
    conf = b.conf(memory="1024GiB").replace("huge: false", "huge: true")
    status, said = b.appliance(conf).fails()
    check(status == 3 and "nr_hugepages" in said, said)


def case_a_second_one_of_the_name_is_refused_on_huge_pages(b):
    """There DPDK keeps no lock of its own."""
    b.huge_pages(900)
    conf = b.conf().replace("huge: false", "huge: true")
    a = b.appliance(conf).start()
    p = subprocess.run([STRAKE, b.write("other.yaml", conf.replace("ctl.sock", "other.sock"))], stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30, check=False, text=True)
    check(p.returncode == 3 and "is running already" in p.stdout, f"status {p.returncode}: {p.stdout}")
    check(a.ctl("status")["pid"] == a.proc.pid, "telemetry is the other's")
    a.stop()


def case_full_disk_is_told(b):
    b.small_disk(16)
    conf = b.conf(kind="uring").replace("path: d", "path: small/d").replace("kind: uring,", "kind: uring, direct: false,")
    status, said = b.appliance(conf).fails()
    check(status == 3 and "d0" in said and "no room" in said, said)


def case_a_drive_that_fills_up_is_told_with_the_reason(b):
    """A file that is not as large on its disk as it says: one half of a mirror, of which hosts notice nothing."""
    b.small_disk(24)
    for seed, log in ((1, "raid: 1, chunk: 64KiB, region: 4MiB"), (2, "style: log, data: 2, parity: 1")):
        for path in ("small/d0", "d1", "d2"):
            with open(os.path.join(b.folder, path), "wb") as f:
                f.truncate(0)  # what the round before has written
                f.truncate(96 << 20)
        conf = b.conf(drives=3, raid=1, kind="uring", volume="64MiB").replace("size: 64MiB, path: d0",
                                                                      "direct: false, path: small/d0")
        conf = conf.replace("size: 64MiB, path", "path").replace("raid: 1, chunk: 64KiB, region: 4MiB", log)
        a = b.appliance(conf).start()
        b.client().run("verify", "--seed", str(seed))
        said = until(lambda: [line for line in a.log().splitlines() if "drive d0" in line and "out of service" in line], 30,
                     "it is told")
        check(re.search("last error: write of [0-9]+ bytes at [0-9]+: No space left on device", said[0]), a.log())
        check("No space left on device" in a.ctl("drive", "show", "d0")["last_error"], "it is shown")
        check(a.ctl("drive", "show", "d1")["last_error"] == "", "d1 is well")
        a.stop()


def case_foreign_drive_is_named_and_left_alone(b):
    conf = b.conf(kind="uring")
    a = b.appliance(conf).start()
    a.stop()
    other = bytearray(64 << 20)
    other[1024 + 56:1024 + 58] = b"\x53\xef"  # the mark of ext4
    b.write("d1", bytes(other))
    status, said = b.appliance(conf).fails()
    check(status == 3 and "d1" in said, said)
    with open(os.path.join(b.folder, "d1"), "rb") as f:
        check(f.read() == bytes(other), "a foreign drive was written to")


def case_slow_readers_leave_others_alone(b):
    root_only()
    ns = b.netns("s")
    a, c = b.appliance(b.conf(), netns=ns).start(), b.client(netns=ns)
    with stopped_readers(b, ns, c, 3):
        c.run("verify", "--length", "16M", "--queues", "2")
        c.bench_run("--pattern", "randrw", "--verify", "--size", "16M", "--time", "1s", "--depth", "16")
        check(io_connections(a), "nobody was kept waiting")
    c.run("verify", "--length", "4M")
    a.stop()


def case_port_scanner_and_silent_hosts_leave_others_alone(b):
    b.appliance(b.conf()).start()
    load = b.client().begin("bench", "--pattern", "randrw", "--verify", "--size", "16M", "--time", "4s", "--json")
    ends = time.monotonic() + 3
    slow = []
    while time.monotonic() < ends:
        s = socket.create_connection(("127.0.0.1", b.port), 5)
        s.send(os.urandom(200))
        s.close()
        if len(slow) < 50:
            slow.append(socket.create_connection(("127.0.0.1", b.port), 5))
        time.sleep(0.005)
    out, _ = load.communicate(timeout=30)
    check(load.returncode == 0 and json.loads(out)["verify"]["mismatches"] == 0, out.decode())
    for s in slow:
        s.settimeout(60)
        try:
            check(s.recv(100) == b"", "the target spoke first")
        except ConnectionResetError:
            pass  # as good an end: the point is that one that never speaks is not kept for ever
        s.close()


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def case_cpus_are_kept_from_deep_sleep_while_it_runs(b):
    """The kernel is asked, and released by the end of the process, even by kill -9."""
    def bound():
        with open("/dev/cpu_dma_latency", "rb") as f:
            return int.from_bytes(f.read(4), "little", signed=True)
    if not os.path.exists("/dev/cpu_dma_latency"):
        raise Skip("no /dev/cpu_dma_latency")
    a = b.appliance(b.conf(extra=", resume_us: 37"))
    a.start()
    check(bound() == 37, f"{bound()} us while it runs")
    a.kill()
    check(bound() != 37, "it outlives the appliance")


def case_congestion_control_is_what_the_file_and_the_tool_say(b):
    """And not what the host is set to: BBR, which sends at a pace, takes a third of a short way's speed."""
    def used(what):
        said = subprocess.run(["ss", "-tinH", f"{what} = :{b.port}"], stdout=subprocess.PIPE, text=True, check=True)
        return {word for word in said.stdout.split() if word in known}

    with open("/proc/sys/net/ipv4/tcp_available_congestion_control", encoding="ascii") as f:
        known = f.read().split()
    a = b.appliance(b.conf(extra=", congestion: newreno")).start()
    with a.telemetry() as ask:
        check(ask("/strake/sock/info")["congestion"] == "reno", "telemetry tells of another")
    p = b.client().begin("bench", "--time", "30s")
    until(lambda: used("dport"), 10, "its connections")
    if "cubic" in known:
        check(used("dport") == {"cubic"}, f"the tool's: {used('dport')}")
    check(used("sport") == {"reno"}, f"the appliance's: {used('sport')}")
    p.kill()
    p.wait()
    b.client().run("identify", "--congestion", "reno")
    r = b.client().run("identify", "--congestion", "nonesuch", expect=None)
    check(r.returncode != 0 and b"'nonesuch'" in r.stderr, f"{r.returncode}: {r.stderr.decode()}")
    a.stop()


def case_idle_with_a_thousand_connections_uses_little(b):
    import resource
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    a = b.appliance(b.conf()).start()
    hold = b.client().begin("bench", "--pattern", "randread", "--jobs", "16", "--time", "1s")
    hold.wait(30)
    icreq = bytes([0, 0, 128, 0]) + (128).to_bytes(4, "little") + bytes(120)
    conns = []
    for _ in range(1000):
        s = socket.create_connection(("127.0.0.1", b.port), 5)
        s.send(icreq)
        conns.append(s)
    for s in conns:
        check(len(s.recv(128)) == 128, "no ICResp")
    time.sleep(0.5)
    began, used = time.monotonic(), cpu_seconds(a.proc.pid)
    time.sleep(3)
    share = (cpu_seconds(a.proc.pid) - used) / (time.monotonic() - began)
    check(share < 0.05, f"idle, it uses {share:.1%} of a core")
    for s in conns:
        s.close()
    b.client().run("verify", "--length", "4M")
    a.stop()


def case_deep_transfers_end_with_few_pages(b):
    """What many have begun at a time needs more pages than there are: it waits, and all of it ends."""
    b.write("v0.key", KEY, 0o600)
    for stages in ("", CRYPTO):
        conf = b.conf(kind="uring", stages=stages).replace("buffers: 64MiB", "buffers: 8MiB")
        a, c = b.appliance(conf).start(), b.client()
        for pattern in ("randread", "randwrite", "randrw"):
            out = c.bench_run("--pattern", pattern, "--bs", "128K", "--depth", "32", "--jobs", "8", "--size", "32M",
                              "--time", "1s", "--timeout", "20s")
            check(out["read"]["errors"] + out["write"]["errors"] == 0, f"{pattern}: {out}")
        check(a.answers_all()["/strake/connection/counters"]["page_waits"] > 0, "there were pages enough")
        a.stop()


def case_1024_connections_do_io(b):
    """Sixteen hosts of 63 I/O queues and one for administration, on an appliance that was started as a shell does it:
    with 1,024 descriptors, which DPDK makes as many as there may be."""
    a = b.appliance(b.conf().replace("hosts: any", "hosts: any\n    max_queues: 63"))
    a.prefix = ["prlimit", "--nofile=1024:4096"]
    a.start()
    c = b.client()
    c.run("verify", "--seed", "9")
    hosts, ends = [], time.monotonic() + 60
    with a.telemetry() as ask:
        # Each reads all of it by all its queues, and begins anew, until they are all there at once.
        while ask("/strake/sock/info")["streams"] < 1024:
            check(time.monotonic() < ends, f"only {ask('/strake/sock/info')['streams']} connections")
            check(not any(p.poll() for p in hosts), "a host failed")
            hosts += [c.begin("verify", "--seed", "9", "--read-only", "--bs", "4K", "--queues", "63", "--depth", "63",
                              "--timeout", "30s") for _ in range(16 - sum(p.poll() is None for p in hosts))]
            time.sleep(0.02)
    for p in hosts:
        out, _ = p.communicate(timeout=60)
        check(p.returncode == 0, out.decode())
    c.run("verify", "--seed", "9", "--read-only")
    a.stop()


def case_telemetry_by_dpdk_s_own_script(b):
    a = b.appliance(b.conf()).start()
    b.client().run("verify", "--length", "4M")
    script = next((p for p in ("/usr/bin/dpdk-telemetry.py", "/usr/bin/dpdk-telemetry") if os.path.exists(p)), None)
    if script is None:
        raise Skip("no dpdk-telemetry.py")
    asks = ["/", "/strake/status", "/strake/volume/info,v0", "/strake/drive/info,d0", "/strake/stage/info,v0.plain",
            "/strake/group/info,g0", "/strake/connection/list", "/strake/controller/list", "/strake/lcore/list"]
    r = subprocess.run([script, "-f", b.name], input="\n".join(asks) + "\n", stdout=subprocess.PIPE, timeout=20,
                       text=True, check=False)
    answers = [json.loads(line) for line in r.stdout.splitlines() if line.startswith("{\"/")]
    check(len(answers) == len(asks), r.stdout)
    volume = answers[2]["/strake/volume/info"]
    check(volume["block_bytes"] == 4096 and answers[5]["/strake/group/info"]["chunk_bytes"] == 65536, str(answers))
    check(volume["write_bytes"] >= 4 << 20 and "write_latency_ns" in volume or "write_latency" in volume, str(volume))
    a.stop()


def case_every_telemetry_command_answers(b):
    conf = b.conf() + "classes:\n  - {class: 7, ops: [read]}\n"
    a = b.appliance(conf).start()
    a.ctl("trace", "on", "--sample", "10")
    with_load = b.client().begin("bench", "--pattern", "randrw", "--verify", "--size", "8M", "--time", "60s")
    until(lambda: a.ctl("controller", "list"), 30, "a host")
    until(lambda: a.ctl("class", "show", "7")["bytes"] > 1 << 20, 30, "its reads")
    said = a.answers_all()
    kinds = ["status", "class/info", "connection/info", "controller/info", "drive/info", "group/info", "lcore/list",
             "lcore/steps", "listener/info", "sock/info", "stage/info", "subsystem/list", "trace", "volume/info"]
    missing = [k for k in kinds if f"/strake/{k}" not in said]
    check(not missing, f"nothing tells of {missing}: {sorted(said)}")
    reads = a.ctl("class", "show", "7")
    check(reads["requests"] > 0 and reads["errors"] == 0 and reads["latency_ns"]["count"] > 0, str(reads))
    check(a.ctl("class", "show", "0")["bytes"] > 0, "writes are of no class")
    for kind in ("controller", "connection"):
        seen = [a.ctl(kind, "show", str(i["id"] if isinstance(i, dict) else i)) for i in a.ctl(kind, "list")]
        for of in ("read_latency_ns", "write_latency_ns"):
            check(any(s[of]["p50"] > 0 and s[of]["p999"] >= s[of]["p99"] >= s[of]["p50"] for s in seen), f"{of}: {seen}")
    steps = a.ctl("trace", "show")
    check(any(" down " in s and "v0.plain" in s for s in steps) and any(" end " in s for s in steps), str(steps[:20]))
    check(all("class 7" in s for s in steps if " req read " in s), str(steps[:20]))
    a.ctl("trace", "off")
    steps = a.ctl("trace", "show")
    time.sleep(0.5)
    check(a.ctl("trace", "show") == steps != [], "it goes on")
    with_load.kill()
    with_load.wait()
    a.stop()


def case_a_class_keeps_to_its_limit_and_others_do_not_wait(b):
    conf = b.conf() + ("classes:\n  - {class: 7, ops: [read]}\nservices:\n"
                       "  - {class: 7, weight: 10, iops: 400, burst_ms: 50}\n")
    a = b.appliance(conf).start()
    began = time.monotonic()
    c = b.client()
    reader = c.begin("bench", "--pattern", "randread", "--size", "8M", "--depth", "32", "--time", "60s")
    until(lambda: a.ctl("class", "show", "7")["admitted"] > 100, 30, "reads")
    c.bench_run("--pattern", "randwrite", "--verify", "--size", "8M", "--time", "1s", "--depth", "8")
    writes = a.ctl("class", "show", "0")
    reads = a.ctl("class", "show", "7")
    took = time.monotonic() - began
    check(reads["admitted"] <= 400 * (took + 0.05) + 2, f"{reads} in {took} s")
    check(reads["waited"] > 0 and reads["wait_ns"]["count"] > 0 and reads["limit_iops"] == 400, str(reads))
    check(writes["admitted"] > 0 and writes["waited"] == 0, str(writes))
    reader.kill()
    reader.wait()
    a.stop()


def case_top_draws_on_a_terminal_and_q_quits(b):
    import pty
    import select
    import termios
    a = b.appliance(b.conf()).start()
    b.client().run("verify", "--length", "4M")
    ours, its = pty.openpty()
    termios.tcsetwinsize(its, (50, 150))
    before = termios.tcgetattr(its)
    p = subprocess.Popen([STRAKECTL, "top", "--every", "200ms", "--name", b.name], stdin=its, stdout=its, stderr=its)
    b.procs.append(p)
    seen = b""
    while seen.count(b"v0.plain") < 2:  # drawn anew
        check(select.select([ours], [], [], 30)[0], f"nothing more is drawn: {seen}")
        seen += os.read(ours, 65536)
    check(all(word in seen for word in (b"v0", b"d1", b"lcore", b"under way")), f"missing in {seen}")
    os.write(ours, b"q")
    check(p.wait(30) == 0, "status of top")
    check(termios.tcgetattr(its) == before, "the terminal is not as it was")
    os.close(ours)
    os.close(its)
    a.stop()


def case_a_start_that_fails_half_way_undoes_itself(b):
    """File descriptors that run out at each step, also on a data lcore: one line and status 3, no crash, no hang."""
    conf = b.conf(drives=2, raid=1, kind="uring", size="96MiB", data_cpus="[0, 1]")
    steps = set()
    for most in range(26, 60, 2):
        a = b.appliance(conf)
        a.prefix = ["prlimit", f"--nofile={most}:{most}"]
        a.launch()
        until(lambda: " serves " in a.log() or a.proc.poll() is not None, 30, "the start or its end")
        if " serves " in a.log():
            break
        status, said = a.proc.wait(30), a.log()
        check(status == 3 and "Too many open files" in said or "too small" in said, f"status {status}:\n{said}")
        steps.add(said.split("strake: ")[-1].split(":")[0])
    check({"drives", "data lcores"} <= steps, f"it failed only in {steps}")
    a.stop()


def case_terminate_under_load_ends_in_order(b):
    """By each signal that means it: the last is a terminal that goes away. Others are nothing to die of."""
    a = b.appliance(b.conf(drives=2, raid=1, kind="uring", size="96MiB"))
    for sig in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        a.start()
        status = a.ctl("group", "show", "g0")
        check(status.get("regions_resync", 0) == 0, f"an orderly end left regions to resynchronise: {status}")
        load = b.client().begin("bench", "--pattern", "randwrite", "--time", "20s", "--jobs", "2")
        time.sleep(1)
        for other in (signal.SIGUSR1, signal.SIGUSR2):
            a.proc.send_signal(other)
        time.sleep(0.3)
        check(a.proc.poll() is None and load.poll() is None, f"it did not go on:\n{a.log()}")
        a.proc.send_signal(sig)
        check(a.proc.wait(20) == 0 and "stopping" in a.log(), f"{sig}:\n{a.log()}")
        load.wait(30)
    a.start()
    status = a.ctl("group", "show", "g0")
    check(status.get("regions_resync", 0) == 0, f"an orderly end left regions to resynchronise: {status}")
    a.stop()


def case_without_its_terminal_it_goes_on_where_it_was_told_so(b):
    a = b.appliance(b.conf())
    a.prefix = ["nohup"]
    a.start()
    a.proc.send_signal(signal.SIGHUP)
    b.client().run("verify", "--length", "4M")
    a.stop()


if __name__ == "__main__":
    sys.exit(main(globals()))
