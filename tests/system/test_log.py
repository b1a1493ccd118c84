#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Log volumes over the kernel's sockets: four files, three parts of data and one of parity, all stages."""

import ctypes
import json
import os
import subprocess
import sys
import time

from harness import NQN, STRAKE, Skip, check, main, until

KEY = os.urandom(32)
SEAL = "seal: {key_file: v.key}"
ALL = f"[dedup, compress, {SEAL}]"


def conf(b, stages=ALL, lba=4096, size="256MiB", volume="512MiB", data_cpus="[0]", more="", parity=1):
    """One log group of four files with volume v0; `more` are lines of further volumes, namespaces of which follow."""
    drives = "\n".join(f"  - {{name: d{i}, kind: uring, path: d{i}, size: {size}}}" for i in range(4))
    names = ["v0"] + [line.split("name: ")[1].split(",")[0] for line in more.splitlines()]
    spaces = ", ".join(f"{{volume: {n}}}" for n in names)
    return f"""appliance: {{name: {b.name}, huge: false, memory: 768MiB, buffers: 128MiB, main_cpu: 0, data_cpus: {data_cpus},
  control: {b.folder}/ctl.sock, state: {b.folder}/state}}
drives:
{drives}
groups:
  - {{name: g0, style: log, data: {4 - parity}, parity: {parity}, drives: [d0, d1, d2, d3]}}
volumes:
  - {{name: v0, group: g0, size: {volume}, lba: {lba}, stages: {stages}}}
{more}
subsystems:
  - {{nqn: "{NQN}", hosts: any, namespaces: [{spaces}]}}
listeners:
  - {{port: kernel, address: 127.0.0.1, service: {b.port}}}
"""


def prepared(b, text):
    b.write("v.key", KEY, 0o600)
    return b.appliance(text)


def refused(b, text, *words):
    """By --check and by a start alike: one line with the place and the reason."""
    path = b.write("refused.yaml", text)
    for args in (["--check", path], [path]):
        r = subprocess.run([STRAKE, *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30,
                           stdin=subprocess.DEVNULL, cwd=b.folder, check=False)
        said = r.stdout.decode()
        check(r.returncode == 1 and all(w in said for w in ("refused.yaml:", *words)), f"status {r.returncode}: {said}")


def drives(b):
    for i in range(4):
        with open(os.path.join(b.folder, f"d{i}"), "rb") as f:
            yield f.read()


def case_bytes_come_back_through_all_stages(b):
    a = prepared(b, conf(b)).start()
    c = b.client()
    c.run("verify", "--length", "32M", "--queues", "4", "--seed", "1")
    c.bench_run("--pattern", "randrw", "--verify", "--size", "32M", "--time", "2s", "--depth", "16")
    c.bench_run("--pattern", "randrw", "--bs", "64k", "--verify", "--size", "32M", "--time", "2s", "--depth", "8")
    a.stop()


def case_small_blocks_of_512_bytes(b):
    a = prepared(b, conf(b, lba=512)).start()
    b.client().bench_run("--pattern", "randrw", "--bs", "512", "--verify", "--size", "8M", "--time", "2s")
    b.client().bench_run("--pattern", "randrw", "--bs", "12800", "--verify", "--size", "8M", "--time", "2s")
    a.stop()


def case_every_choice_of_stages(b):
    for i, stages in enumerate(("[]", "[dedup]", "[compress]", f"[{SEAL}]", "[dedup: {fingerprint: fast}, compress]",
                                "[compress: {codec: deflate}]")):
        for d in range(4):
            if os.path.exists(os.path.join(b.folder, f"d{d}")):
                os.unlink(os.path.join(b.folder, f"d{d}"))
        a = prepared(b, conf(b, stages=stages)).start()
        c = b.client()
        c.run("verify", "--length", "8M", "--seed", str(i))
        a.stop()
        a.start()
        c.run("verify", "--length", "8M", "--seed", str(i), "--read-only")
        a.stop()


def case_an_orderly_restart_keeps_bytes_and_identity(b):
    a = prepared(b, conf(b)).start()
    c = b.client()
    c.run("verify", "--length", "32M", "--seed", "3")

    def identity():
        spaces = json.loads(c.run("identify", "--json").stdout)["namespaces"]
        return [{k: v for k, v in s.items() if k != "blocks_used"} for s in spaces]
    before = identity()
    a.stop()
    for bytes_ in drives(b):
        check(b"strake pattern" not in bytes_, "clear text on a drive")
    for _ in range(2):
        a.start()
        c.run("verify", "--length", "32M", "--seed", "3", "--read-only")
        check(before == identity(), "identity changed over a restart")
        a.stop()


def case_what_was_flushed_survives_kill_9_under_load(b):
    a = prepared(b, conf(b))
    c = b.client()
    for round_ in range(4):
        a.start()
        c.run("verify", "--length", "8M", "--seed", str(round_))
        c.run("flush")
        load = c.begin("bench", "--pattern", "randwrite", "--offset", "16M", "--size", "32M", "--time", "10s")
        time.sleep(0.5)
        a.kill()
        load.wait(30)
        b.fsck()
        a.start()
        c.run("verify", "--length", "8M", "--seed", str(round_), "--read-only")
        a.ctl("drive", "fail", f"d{round_}")
        c.run("verify", "--length", "8M", "--seed", str(round_), "--read-only")
        a.ctl("drive", "return", f"d{round_}")
        until(lambda r=round_: f"in_sync d{r}" in json.dumps(a.ctl("group", "show", "g0")), 60, "rebuild")
        a.stop()
        b.fsck()


def case_a_drive_is_taken_away_and_comes_back(b):
    a = prepared(b, conf(b)).start()
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
    c.run("verify", "--length", "16M", "--seed", "1", "--read-only")
    c.run("verify", "--length", "16M", "--seed", "2")
    said = a.refused("drive", "fail", "d0")
    check("cannot be spared" in said, said)
    a.ctl("drive", "return", "d1")
    until(lambda: "in_sync d1" in json.dumps(a.ctl("group", "show", "g0")), 60, "rebuild")
    a.ctl("drive", "fail", "d0")
    c.run("verify", "--length", "16M", "--seed", "2", "--read-only")
    a.stop()


def case_drives_are_removed_and_replaced_under_load(b):
    a = prepared(b, conf(b, parity=2)).start()
    c = b.client()
    c.run("verify", "--length", "16M", "--seed", "1")
    load = c.begin("bench", "--pattern", "randrw", "--verify", "--offset", "16M", "--size", "16M", "--time", "6s",
                   "--json")

    def whole(*drives):
        return lambda: all(f"in_sync {d}" in json.dumps(a.ctl("group", "show", "g0")) for d in drives)
    # Two of two that may be lost: out, closed and pulled; one comes back as it was, the other is a new one.
    with open(b.write("new", b""), "r+b") as f:
        f.truncate(256 << 20)
    a.ctl("drive", "remove", "d1")
    os.unlink(os.path.join(b.folder, "d1"))
    a.ctl("drive", "remove", "d2")
    said = a.refused("drive", "remove", "d0")
    check("cannot be spared" in said, said)
    a.ctl("drive", "replace", "d1", "--at", os.path.join(b.folder, "new"))
    a.ctl("drive", "add", "d2")
    until(whole("d1", "d2"), 60, "rebuild")
    check("rebuilding" not in a.ctl("group", "show", "g0")["state"], "it is over")
    # In the midst of the next rebuild one more goes, and comes back.
    a.ctl("group", "rate", "g0", "64KiB")
    a.ctl("drive", "fail", "d0")
    c.run("verify", "--offset", "200M", "--length", "1M", "--seed", "2")  # else there may be nothing to rebuild
    a.ctl("drive", "return", "d0")
    until(lambda: "rebuilding" in a.ctl("group", "show", "g0")["state"], 30, "its progress")
    a.ctl("drive", "fail", "d3")
    c.run("verify", "--length", "16M", "--seed", "1", "--read-only")
    a.ctl("drive", "return", "d3")
    saved = os.path.join(b.folder, "saved.yaml")
    a.ctl("config", "save", saved)
    a.ctl("group", "rate", "g0", "0")
    out, _ = load.communicate(timeout=60)
    result = json.loads(out)
    check(load.returncode == 0 and result["write"]["errors"] == 0 and result["read"]["errors"] == 0,
          f"the host saw an error: {out.decode()}")
    check(result["verify"]["mismatches"] == 0, f"wrong bytes: {result['verify']}")
    until(whole("d0", "d3"), 60, "rebuild")
    c.run("verify", "--length", "16M", "--seed", "1", "--read-only")
    a.stop()
    os.rename(os.path.join(b.folder, "new"), os.path.join(b.folder, "d1"))
    b.fsck()
    os.rename(os.path.join(b.folder, "d1"), os.path.join(b.folder, "new"))
    with open(saved, encoding="utf-8") as f:
        a = prepared(b, f.read()).start()
    c.run("verify", "--length", "16M", "--seed", "1", "--read-only")
    # The rate was saved; killed in the midst of a rebuild, the next start begins it anew.
    check(a.ctl("group", "show", "g0")["rebuild_rate"] == 64 << 10, "the rate")
    a.ctl("drive", "fail", "d3")
    c.run("verify", "--length", "16M", "--seed", "4")
    c.run("flush")
    a.ctl("drive", "return", "d3")
    until(lambda: "rebuilding" in a.ctl("group", "show", "g0")["state"], 30, "its progress")
    a.kill()
    a.start()
    check("in order" != a.ctl("group", "show", "g0")["state"], "it is not rebuilt yet")
    c.run("verify", "--length", "16M", "--seed", "4", "--read-only")
    a.ctl("group", "rate", "g0", "0")
    until(whole("d3"), 60, "rebuild")
    a.ctl("drive", "fail", "d0")
    a.ctl("drive", "fail", "d1")
    c.run("verify", "--length", "16M", "--seed", "4", "--read-only")
    a.stop()


def case_a_spare_takes_a_place_and_another_makes_the_group_larger(b):
    text = conf(b, size="64MiB", volume="64MiB").replace("drives: [d0, d1, d2, d3]}", "drives: [d0, d1, d2, d3], spares: [s0, s1]}")
    text = text.replace("groups:", "  - {name: s0, kind: uring, path: s0, size: 64MiB}\n"
                        "  - {name: s1, kind: uring, path: s1}\ngroups:", 1)
    a = prepared(b, text).start()
    c = b.client()
    c.run("verify", "--length", "16M", "--seed", "1")
    check(a.ctl("group", "show", "g0")["spares"] == 1, "s1 is not there yet")
    a.ctl("drive", "fail", "d2")
    until(lambda: "in_sync s0" in json.dumps(a.ctl("group", "show", "g0")), 60, "the spare")
    with open(b.write("s1", b""), "r+b") as f:
        f.truncate(64 << 20)
    a.ctl("drive", "add", "s1")
    before = a.ctl("group", "show", "g0")
    check(before["spares"] == 1 and before["state"] == "in order", f"{before}")
    a.ctl("group", "grow", "g0", "s1")
    until(lambda: a.ctl("group", "show", "g0")["segments"] == before["segments"] * 5 // 4, 60, "growth")
    # With the next checkpoint the store has the room, too.
    until(lambda: a.ctl("store", "show", "g0")["segments"] == before["segments"] * 5 // 4, 60, "room in the store")
    c.run("verify", "--offset", "16M", "--length", "8M", "--seed", "2")
    a.stop()

    def move(*pairs):
        for old, new in pairs:
            os.rename(os.path.join(b.folder, old), os.path.join(b.folder, new))
    move(("d2", "away"), ("s0", "d2"), ("s1", "d4"))
    b.fsck(drives=5)
    move(("d4", "s1"), ("d2", "s0"), ("away", "d2"))
    # The file still calls them spares, and d2, which was replaced, a member.
    a.start()
    g = a.ctl("group", "show", "g0")
    check(g["members"] == 5 and g["spares"] == 0 and g["state"] == "in order", f"{g}")
    check(a.ctl("store", "show", "g0")["bytes"] == g["bytes"], "the room is used from then on")
    a.ctl("drive", "fail", "d0")
    c.run("verify", "--length", "16M", "--seed", "1", "--read-only")
    a.stop()


def case_starts_without_a_drive_and_takes_it_back(b):
    made = conf(b)
    later = made.replace(", size: 256MiB", "")
    a = prepared(b, made).start()
    c = b.client()
    c.run("verify", "--length", "16M", "--seed", "1")
    a.stop()
    path, away = os.path.join(b.folder, "d2"), os.path.join(b.folder, "away")
    os.rename(path, away)
    a = prepared(b, later).start()
    c.run("verify", "--length", "16M", "--seed", "1", "--read-only")
    c.run("verify", "--length", "16M", "--seed", "2")
    os.rename(away, path)
    a.ctl("drive", "add", "d2")
    until(lambda: "in_sync d2" in json.dumps(a.ctl("group", "show", "g0")), 60, "rebuild")
    a.ctl("drive", "fail", "d0")
    c.run("verify", "--length", "16M", "--seed", "2", "--read-only")
    a.stop()


def case_reduction_is_told(b):
    a = prepared(b, conf(b)).start()
    c = b.client()
    one = b"".join(bytes([65 + i % 26]) * 64 + os.urandom(64) for i in range(8 << 13))
    for at in ("0", "16M", "32M"):
        c.run("write", "--offset", at, "--length", "8M", stdin=one)
    c.run("write", "--offset", "64M", "--length", "1M", "--fill", "0")
    c.run("flush")
    s = a.ctl("store", "show", "g0")
    blocks = (8 << 20) // 4096
    check(s["logical_blocks"] == 3 * blocks and s["unique_blocks"] == blocks, f"{s}")
    check(s["hit_blocks"] == 2 * blocks and s["zero_blocks"] == 256, f"{s}")
    check(s["stored_bytes"] < 0.7 * s["plain_bytes"], f"{s}")

    def used():
        return json.loads(c.run("identify", "--json").stdout)["namespaces"][0]["blocks_used"]
    until(lambda: used() == s["logical_blocks"], 10, "the host sees what is used")
    check(a.ctl("store")[0]["name"] == "g0" and a.ctl("group")[0]["name"] == "g0", "lists")
    check(a.ctl("group", "show", "g0")["parity"] == 1 and a.ctl("volume", "show", "v0")["slabs"] == 1, "shows")
    for at in ("0", "16M", "32M"):
        check(c.run("read", "--offset", at, "--length", "8M").stdout == one, f"bytes at {at}")
    a.stop()


def case_what_dedup_knows_outlives_a_restart(b):
    a = prepared(b, conf(b)).start()
    c = b.client()
    one = os.urandom(8 << 20)
    c.run("write", "--length", "8M", stdin=one)
    a.stop()
    b.fsck()
    a.start()
    # It is taken in beside the traffic: what comes before that is stored once more.
    at = 16

    def shared():
        nonlocal at
        before = a.ctl("store", "show", "g0")["hit_blocks"]
        c.run("write", "--offset", f"{at}M", "--length", "8M", stdin=one)
        at += 8
        return a.ctl("store", "show", "g0")["hit_blocks"] - before == 2048
    until(shared, 60, "the index is loaded")
    check(c.run("read", "--offset", f"{at - 8}M", "--length", "8M").stdout == one, "bytes")
    s = a.ctl("store", "show", "g0")
    check(s["own_blocks"] > 0 and s["logical_blocks"] == (at - 8) // 8 * 2048, f"{s}")
    a.stop()


def case_a_store_warns_before_it_refuses(b):
    a = prepared(b, conf(b, volume="1GiB", size="128MiB")).start()
    c = b.client()
    warned = at = 0
    while (r := c.run("verify", "--offset", f"{at}M", "--length", "8M", "--seed", "1", expect=None)).returncode == 0:
        at += 8
        time.sleep(0.3)  # it is looked at ten times a second
        warned = warned or ("of the room of its thin volumes is left" in a.log() and at)
    check(b"capacity exceeded" in r.stderr, f"{r}")
    check(warned and warned < at, f"refused at {at} MiB, warned at {warned}")
    check(a.ctl("store", "show", "g0")["full"] == 1, "it does not say that it is full")
    a.stop()


def case_a_full_store_says_so_and_gets_out_again(b):
    a = prepared(b, conf(b, volume="1GiB", size="128MiB")).start()
    c = b.client()
    for seed in (1, 2):
        r = c.run("verify", "--length", "512M", "--seed", str(seed), expect=None, seconds=120)
        check(r.returncode != 0 and b"capacity exceeded" in r.stderr, f"{r}")
        check(a.ctl("store", "show", "g0")["full"] == 1, "it does not say that it is full")
        until(lambda: "of the room of its thin volumes is left" in a.log(), 10, "the warning")
        # What it has it keeps, what it cannot take it refuses.
        c.run("verify", "--length", "4M", "--seed", str(seed), "--read-only")
        check(b"capacity exceeded" in c.run("verify", "--length", "4M", "--seed", "9", expect=None).stderr, "not refused")
        c.run("trim", "--length", "256M", seconds=60)
        if seed == 2:
            c.run("flush")
            a.kill()
            a.start()
        c.run("verify", "--length", "64M", "--seed", "3", seconds=60)
        a.stop()
        a.start()
        c.run("verify", "--length", "64M", "--seed", "3", "--read-only")
        c.run("trim", "--length", "1G", seconds=60)
        c.run("verify", "--offset", "512M", "--length", "128M", "--seed", "4", seconds=60)
        check(a.ctl("store", "show", "g0")["logical_blocks"] == 32768, "trimmed blocks count")
        c.run("trim", "--length", "1G", seconds=60)
    a.stop()


def case_two_volumes_share_one_store_on_the_second_of_two_lcores(b):
    more = f"  - {{name: v1, group: g0, size: 256MiB, stages: {ALL}}}"
    a = prepared(b, conf(b, data_cpus="[0, 1]", more=more)).start()
    c = b.client()
    one = os.urandom(4 << 20)
    c.run("write", "--length", "4M", "--ns", "1", stdin=one)
    c.run("write", "--length", "4M", "--ns", "2", stdin=one)
    c.run("flush")
    check(a.ctl("store", "show", "g0")["unique_blocks"] == 1024, f"{a.ctl('store', 'show', 'g0')}")
    for _ in range(2):
        for ns in ("1", "2"):
            check(c.run("read", "--length", "4M", "--ns", ns).stdout == one, f"bytes of {ns}")
        a.stop()
        a.start()
    a.stop()


def case_a_log_volume_grows_and_shrinks(b):
    a = prepared(b, conf(b, volume="64MiB")).start()
    c = b.client()
    c.run("verify", "--length", "64M", "--seed", "1")
    a.ctl("volume", "resize", "v0", "128MiB")
    c.run("verify", "--offset", "64M", "--length", "64M", "--seed", "2")
    a.ctl("volume", "resize", "v0", "32MiB", "--shrink", "v0")
    c.run("verify", "--length", "32M", "--seed", "1", "--read-only", expect=None)
    a.ctl("volume", "resize", "v0", "64MiB")
    check(c.run("read", "--offset", "32M", "--length", "1M").stdout == bytes(1 << 20), "not forgotten")
    a.stop()


def volumes(a):
    return {v["name"]: v["state"] for v in a.ctl("volume", "list")}


def case_another_key_leaves_the_volumes_offline_that_it_seals(b):
    plain = "  - {name: v1, group: g0, size: 64MiB, stages: [dedup: {domain: other}, compress]}"
    a = prepared(b, conf(b, size="64MiB", volume="64MiB", more=plain)).start()
    c = b.client()
    for ns in ("1", "2"):
        c.run("verify", "--ns", ns, "--length", "8M", "--seed", ns)
    a.stop()
    b.write("v.key", os.urandom(32), 0o600)
    a.start()
    said = [line for line in a.log().splitlines() if "offline" in line]
    check(len(said) == 1 and all(w in said[0] for w in ("strake.yaml:", f"{b.folder}/v.key", "not the key", "key load g0", "v0")), said)
    check(" serves 1 volumes" in a.log() and volumes(a) == {"v0": "offline: wrong key", "v1": "online"}, f"{volumes(a)}")
    check("v.key" in a.ctl("volume", "show", "v0")["why"], "why")
    check([n["nsid"] for n in json.loads(c.run("identify", "--json").stdout)["namespaces"]] == [2], "what hosts see")
    # The other goes on, and collection moves what it cannot open.
    for seed in range(100):
        c.run("verify", "--ns", "2", "--offset", "16M", "--length", "32M", "--seed", str(seed))
        if a.ctl("store", "show", "g0")["collected"] > 8:
            break
    check(a.ctl("store", "show", "g0")["collected"] > 8, "nothing was collected")
    for words in (("key", "load", "g0"), ("key", "rotate", "g0"), ("key", "erase", "v0"),
                  ("volume", "resize", "v0", "128MiB"), ("namespace", "remove", NQN, "v0")):
        said = a.refused(*words)
        check("v.key" in said, f"{words}: {said}")
    made = a.ctl("volume", "create", "v2", "--group", "g0", "--size", "64MiB", "--stages", "none", "--subsystem", NQN)
    check(made["nsid"] == 3, f"the number of a namespace that is not seen was given away: {made}")
    b.write("v.key", KEY, 0o600)
    check(a.ctl("key", "load", "g0")["volumes"] == ["v0"], "what is back")
    for _ in range(2):
        check(set(volumes(a).values()) == {"online"}, f"{volumes(a)}")
        for ns in ("1", "2"):
            c.run("verify", "--ns", ns, "--length", "8M", "--seed", ns, "--read-only")
        c.run("verify", "--offset", "16M", "--length", "8M", "--seed", "3")
        a.stop()
        b.fsck()
        a.start()
    a.stop()


def case_volumes_without_their_key_are_deleted(b):
    """All volumes of the group are offline, so its store is opened for that."""
    other = f"  - {{name: v1, group: g0, size: 64MiB, stages: {ALL.replace('dedup', 'dedup: {domain: other}')}}}"
    a = prepared(b, conf(b, size="64MiB", volume="64MiB", more=other)).start()
    c = b.client()
    for ns in ("1", "2"):
        c.run("verify", "--ns", ns, "--length", "4M", "--seed", ns)
    a.stop()
    os.unlink(os.path.join(b.folder, "v.key"))
    a.start()
    said = a.refused("volume", "delete", "v2")
    check('no volume "v2"' in said, f"a volume that there is not: {said}")
    a.ctl("volume", "delete", "v1")
    for _ in range(2):
        check(volumes(a) == {"v0": "offline: no key"}, f"{volumes(a)}")
        a.stop()
        said = b.fsck("--dump")
        check("  v0 " in said and "  v1 " not in said, said)
        a.start()
    b.write("v.key", KEY, 0o600)
    check(a.ctl("key", "load", "g0")["volumes"] == ["v0"], "what is back")
    c.run("verify", "--ns", "1", "--length", "4M", "--seed", "1", "--read-only")
    a.stop()
    b.write("v.key", os.urandom(32), 0o600)
    a.start()
    a.ctl("volume", "delete", "v0", "--erase-keys")
    check(volumes(a) == {}, f"{volumes(a)}")
    a.ctl("volume", "create", "v3", "--group", "g0", "--size", "64MiB", "--stages", "none", "--subsystem", NQN)
    c.run("verify", "--length", "4M", "--seed", "3")
    a.stop()
    said = b.fsck("--dump")
    check("  v0 " not in said and "  v3 " in said, said)
    a.start()
    c.run("verify", "--length", "4M", "--seed", "3", "--read-only")
    a.stop()


def keyring(name, key):
    """A key in a session keyring of our own, which the appliance inherits."""
    libc = ctypes.CDLL(None, use_errno=True)
    for number, *args in ((250, 1, None),  # keyctl: join a new session keyring
                          (248, b"user", name.encode(), key, ctypes.c_size_t(len(key)), -3)):  # add_key to it
        if libc.syscall(number, *args) < 0:
            raise Skip(f"no keys can be kept in this kernel: {os.strerror(ctypes.get_errno())}")


def case_the_key_lies_in_the_kernels_keyring(b):
    keyring("strake-test", KEY)
    a = b.appliance(conf(b, stages="[dedup, compress, seal: {keyring: strake-test}]")).start()
    c = b.client()
    c.run("verify", "--length", "4M", "--seed", "1")
    a.stop()
    b.fsck()
    # Beyond the superblocks, which tell who is there, all is as it was.
    def beyond():
        return [d[1 << 20:] for d in drives(b)]
    before = beyond()
    for name, key, why in (("strake-test", os.urandom(32), "wrong key"), ("another", KEY, "no key"),
                           ("strake-test", b"short", "no key")):
        keyring(name, key)
        a.start()
        check("strake.yaml:" in a.log() and volumes(a) == {"v0": f"offline: {why}"}, a.log())
        a.stop()
        check(before == beyond(), "something was written")
    keyring("strake-test", KEY)
    a.start()
    c.run("verify", "--length", "4M", "--seed", "1", "--read-only")
    a.stop()


def case_a_missing_or_open_key_file_is_put_right_while_others_are_served(b):
    text = conf(b).replace("  - {name: g0,", "  - {name: g1, raid: 0, drives: [m0]}\n  - {name: g0,").replace(
        "groups:", "  - {name: m0, kind: mem, size: 64MiB}\ngroups:").replace(
        "subsystems:", "  - {name: v1, group: g1, size: 16MiB}\nsubsystems:").replace(
        "[{volume: v0}]", "[{volume: v0}, {volume: v1}]")
    a = prepared(b, text).start()
    c = b.client()
    c.run("verify", "--length", "4M", "--seed", "1")
    a.stop()
    os.unlink(os.path.join(b.folder, "v.key"))
    before = [d[1 << 20:] for d in drives(b)]
    a.start()
    check(volumes(a) == {"v1": "online", "v0": "offline: no key"}, f"{volumes(a)}")
    c.run("verify", "--ns", "2", "--length", "4M", "--seed", "2")
    b.write("v.key", KEY, 0o644)
    for words in (("key", "load", "g0"), ("volume", "create", "v2", "--group", "g0", "--size", "64MiB")):
        said = a.refused(*words, sure=False)
        check("v.key" in said, f"{words}: {said}")
    check(before == [d[1 << 20:] for d in drives(b)], "something was written")
    b.write("v.key", KEY, 0o600)
    check(a.ctl("key", "load", "g0")["volumes"] == ["v0"], "what is back")
    c.run("verify", "--length", "4M", "--seed", "1", "--read-only")
    c.run("verify", "--offset", "8M", "--length", "4M", "--seed", "3")
    a.ctl("group", "scrub", "g0")
    a.stop()
    b.fsck()
    a.start()
    c.run("verify", "--offset", "8M", "--length", "4M", "--seed", "3", "--read-only")
    a.stop()


def case_a_stage_that_is_left_out_later_costs_errors_but_no_wrong_bytes(b):
    one = b"".join(bytes([65 + i % 26]) * 64 + os.urandom(64) for i in range(8192))
    for stages in ("[compress]", f"[{SEAL}]", f"[compress, {SEAL}]"):
        for d in range(4):
            if os.path.exists(os.path.join(b.folder, f"d{d}")):
                os.unlink(os.path.join(b.folder, f"d{d}"))
        a = prepared(b, conf(b, stages=stages)).start()
        c = b.client()
        c.run("write", "--length", "1M", stdin=one)
        a.stop()
        a = prepared(b, conf(b, stages="[]")).start()
        check(c.run("read", "--length", "1M", expect=None).returncode != 0, f"{stages}: bytes that are not the host's")
        a.stop()
        a = prepared(b, conf(b, stages=stages)).start()
        check(c.run("read", "--length", "1M").stdout == one, f"{stages}: not there any more")
        a.stop()


def case_what_does_not_fit_together_is_refused_with_its_line(b):
    b.write("v.key", KEY, 0o600)
    b.write("x.key", os.urandom(64), 0o600)
    v1 = "  - {{name: v1, group: g0, size: 64MiB, stages: {}}}"
    for stage in ("dedup", "compress", SEAL):
        refused(b, b.conf(stages=f", stages: [{stage}]"), stage.split(":")[0], "log groups")
    refused(b, conf(b, stages="[crypto: {key_file: x.key}]"), "crypto", "plain groups")
    refused(b, conf(b, more=v1.format("[dedup: {domain: b}, compress, seal: {key_file: x.key}]")), "key_file", "v0")
    refused(b, conf(b, more=v1.format("[dedup, compress]")), "shares domain", "seal")
    refused(b, conf(b, stages="[seal]"), "either key_file or keyring")
    for size in ("65TiB", "67109376"):  # 64 MiB and half a KiB
        refused(b, conf(b, lba=512, volume=size), "v0", "4-KiB" if size.isdigit() else "64TiB")
    status, said = b.appliance(conf(b, stages=f"[{SEAL}, compress]")).fails()
    check(status == 3 and "must come after" in said, said)


if __name__ == "__main__":
    sys.exit(main(globals()))
