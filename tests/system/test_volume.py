#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Log volumes made and deleted while the appliance runs: at once, for good, and through kill -9."""

import json
import os
import random
import struct
import subprocess
import sys
import time

from harness import NQN, STRAKECTL, check, main, until
from test_log import ALL, conf, drives, prepared


def spaces(c):
    return {n["nsid"]: n for n in json.loads(c.run("identify", "--json").stdout)["namespaces"]}


def names(a):
    return sorted(v["name"] for v in a.ctl("volume", "list"))


def case_a_volume_made_online_is_there_after_kill_9(b):
    a = prepared(b, conf(b)).start()
    c = b.client()
    c.run("verify", "--length", "8M", "--seed", "1")
    made = a.ctl("volume", "create", "new", "--group", "g0", "--size", "1GiB", "--subsystem", NQN)
    check(made["nsid"] == 2, f"{made}")
    check(names(a) == ["new", "v0"], f"{names(a)}")
    c.run("verify", "--ns", "2", "--length", "8M", "--seed", "2")
    c.run("flush", "--ns", "2")
    before = spaces(c)[2]
    check(made["uuid"].replace("-", "") == before["nguid"].replace("-", ""), f"{made} {before}")
    a.kill()
    a.start()
    after = spaces(c)[2]
    check({k: v for k, v in before.items() if k != "blocks_used"} == {k: v for k, v in after.items() if k != "blocks_used"},
          f"{before} {after}")
    for ns, seed in (("1", "1"), ("2", "2")):
        c.run("verify", "--ns", ns, "--length", "8M", "--seed", seed, "--read-only")
    # Of both all services go on: what is written again is known.
    hits = a.ctl("store", "show", "g0")["hit_blocks"]

    def shared():
        c.run("verify", "--ns", "2", "--offset", "64M", "--length", "8M", "--seed", "5")
        c.run("verify", "--ns", "1", "--offset", "64M", "--length", "8M", "--seed", "5")
        return a.ctl("store", "show", "g0")["hit_blocks"] > hits
    until(shared, 60, "equal blocks of both are shared")
    a.stop()
    b.fsck()


def case_a_deleted_volume_is_gone_and_its_space_comes_back(b):
    a = prepared(b, conf(b)).start()
    c = b.client()
    c.run("verify", "--length", "8M", "--seed", "1")
    a.ctl("volume", "create", "new", "--group", "g0", "--size", "1GiB", "--subsystem", NQN, "--domain", "other")
    c.run("verify", "--ns", "2", "--length", "64M", "--seed", "2")
    load = c.begin("bench", "--ns", "2", "--pattern", "randrw", "--size", "64M", "--time", "20s", "--depth", "32", "--json")
    until(lambda: a.ctl("volume", "show", "new")["write_ops"] > 1000, 60, "the load runs")
    other = c.begin("bench", "--pattern", "randrw", "--size", "8M", "--offset", "64M", "--time", "3s", "--json")
    a.ctl("volume", "delete", "new")
    load.communicate(timeout=120)  # each of its commands was answered, or it would hang
    out = json.loads(other.communicate(timeout=60)[0])
    check(out["error"] == "" and out["read"]["errors"] == 0 and out["write"]["errors"] == 0, f"others saw it: {out}")
    check(list(spaces(c)) == [1], f"{spaces(c)}")
    check(names(a) == ["v0"], f"{names(a)}")
    until(lambda: a.ctl("store", "show", "g0")["deleted_blocks"] == 0, 60, "its blocks are forgotten")
    s = a.ctl("store", "show", "g0")
    check(0 < s["unique_blocks"] <= s["logical_blocks"] <= 4096, f"{s}")
    c.run("verify", "--length", "8M", "--seed", "1", "--read-only")
    a.stop()
    b.fsck()


def case_deleted_through_kill_9_it_does_not_come_back_from_the_file(b):
    more = f"  - {{name: v1, group: g0, size: 256MiB, stages: {ALL}}}"
    text = conf(b, more=more)
    a = prepared(b, text).start()
    c = b.client()
    for ns in ("1", "2"):
        c.run("verify", "--ns", ns, "--length", "16M", "--seed", ns)
    a.ctl("volume", "delete", "v1")
    a.kill()
    a.start()
    check("strake.yaml:" in a.log() and "volume \"v1\" was deleted" in a.log(), a.log())
    check(names(a) == ["v0"] and list(spaces(c)) == [1], f"{names(a)} {spaces(c)}")
    until(lambda: a.ctl("store", "show", "g0")["deleted_blocks"] == 0, 60, "its blocks are forgotten")
    c.run("verify", "--length", "16M", "--seed", "1", "--read-only")
    # A new one of its name is another, and empty.
    made = a.ctl("volume", "create", "v1", "--group", "g0", "--size", "64MiB", "--subsystem", NQN)
    check(c.run("read", "--ns", "2", "--length", "1M").stdout == bytes(1 << 20), "somebody's old bytes")
    c.run("verify", "--ns", "2", "--length", "8M", "--seed", "9")
    c.run("flush", "--ns", "2")
    a.kill()
    a.start()
    check(spaces(c)[2]["nguid"].replace("-", "") == made["uuid"].replace("-", ""), f"{made} {spaces(c)}")
    c.run("verify", "--ns", "2", "--length", "8M", "--seed", "9", "--read-only")
    # The file is brought in line: nothing is left to say.
    a.ctl("config", "save", os.path.join(b.folder, "saved.yaml"))
    a.stop()
    with open(os.path.join(b.folder, "saved.yaml"), encoding="utf-8") as f:
        a = b.appliance(f.read()).start()
    check("warning" not in a.log() or "deleted" in a.log(), a.log())
    a.stop()
    b.fsck()


def case_a_deletion_that_was_only_written_down_is_ended_by_the_next_start(b):
    more = f"  - {{name: v1, group: g0, size: 256MiB, stages: {ALL}}}"
    a = prepared(b, conf(b, more=more)).start()
    c = b.client()
    for ns in ("1", "2"):
        c.run("verify", "--ns", ns, "--length", "16M", "--seed", ns)
    uuid = a.ctl("volume", "show", "v1")["uuid"]
    uuid = "-".join((uuid[:8], uuid[8:12], uuid[12:16], uuid[16:20], uuid[20:]))
    a.stop()
    os.makedirs(os.path.join(b.folder, "state"), exist_ok=True)
    b.write("state/changes.json", json.dumps({"version": 1, "deleted": {"v1": {"group": "g0", "uuid": uuid}}}), 0o600)
    a.start()
    check("volume v1 was being deleted: it is now" in a.log(), a.log())
    check(names(a) == ["v0"] and list(spaces(c)) == [1], f"{names(a)} {spaces(c)}")
    until(lambda: a.ctl("store", "show", "g0")["logical_blocks"] == 4096, 60, "its blocks are forgotten")
    c.run("verify", "--length", "16M", "--seed", "1", "--read-only")
    a.stop()
    b.fsck()
    # What cannot be read is no reason to serve what was deleted.
    b.write("state/changes.json", "{", 0o600)
    status, said = a.fails()
    check(status == 1 and "changes.json" in said, said)


def domain(name):
    """The number that a store has for it."""
    h = 2166136261
    for c in name.encode():
        h = (h ^ c) * 16777619 & 0xffffffff
    return h


def keys(b):
    """The wrapped keys that any copy of the table of keys still has, by domain."""
    found = {}
    for d in drives(b):
        at = d.find(b"STRKKEYS")
        while at >= 0:
            n = struct.unpack_from("<I", d, at + 20)[0]
            for k in range(at + 128, at + 128 + 64 * n, 64):
                of, _, state = struct.unpack_from("<IHB", d, k)
                if state == 1:
                    found.setdefault(of, set()).add(d[k + 8:k + 48])
            at = d.find(b"STRKKEYS", at + 8)
    return found


OTHER = ALL.replace("dedup", "dedup: {domain: other}")


def two_domains(b):
    """v0 of one domain, v1 of another, each with data; what they have in common is their group."""
    more = f"  - {{name: v1, group: g0, size: 256MiB, stages: {OTHER}}}"
    a = prepared(b, conf(b, size="64MiB", volume="256MiB", more=more)).start()
    c = b.client()
    for ns in ("1", "2"):
        c.run("verify", "--ns", ns, "--length", "8M", "--seed", ns)
        c.run("flush", "--ns", ns)
    return a, c


def case_deleted_with_its_keys_it_cannot_be_read_by_anybody(b):
    a, c = two_domains(b)
    made = ["volume", "create", "v2", "--group", "g0", "--size", "64MiB", "--domain", "other", "--like", "v1"]
    a.ctl(*made)
    said = a.refused("volume", "delete", "v1", "--erase-keys")
    check("v2" in said and "same keys" in said, said)
    a.ctl("volume", "create", "bare", "--group", "g0", "--size", "64MiB", "--stages", "none")
    check("no stage seal" in a.refused("volume", "delete", "bare", "--erase-keys"), "nothing to erase")
    check(names(a) == ["bare", "v0", "v1", "v2"], f"{names(a)}")
    a.ctl("volume", "delete", "v2")
    had = keys(b)
    check(len(had[domain("other")]) == 1 and len(had) == 2, f"{had}")
    a.ctl("volume", "delete", "v1", "--erase-keys")
    check(domain("other") not in keys(b), "a key is there still")
    check(not any(k in d for k in had[domain("other")] for d in drives(b)), "wherever it is")
    check(names(a) == ["bare", "v0"] and list(spaces(c)) == [1], f"{names(a)} {spaces(c)}")
    # The domain begins anew, and the others never noticed.
    a.ctl("volume", "create", "v2", "--group", "g0", "--size", "64MiB", "--like", "v0", "--domain", "other", "--subsystem", NQN)
    c.run("verify", "--ns", "2", "--length", "8M", "--seed", "2")
    for _ in range(2):
        for ns in ("1", "2"):
            c.run("verify", "--ns", ns, "--length", "8M", "--seed", ns, "--read-only")
        a.stop()
        b.fsck()
        a.start()
    a.stop()


def case_keys_go_with_a_deletion_that_was_only_written_down(b):
    for only in (False, True):  # the second time no sealed volume is left, so that no key is read
        a, c = two_domains(b)
        if only:
            a.ctl("volume", "delete", "v0")
        uuid = a.ctl("volume", "show", "v1")["uuid"]
        uuid = "-".join((uuid[:8], uuid[8:12], uuid[12:16], uuid[16:20], uuid[20:]))
        a.stop()
        path = os.path.join(b.folder, "state", "changes.json")
        state = {"version": 1}
        if os.path.exists(path):
            with open(path, encoding="utf-8") as f:
                state = json.load(f)
        state.setdefault("deleted", {})["v1"] = {"group": "g0", "uuid": uuid, "keys": domain("other")}
        os.makedirs(os.path.dirname(path), exist_ok=True)
        b.write("state/changes.json", json.dumps(state), 0o600)
        if only:
            os.unlink(os.path.join(b.folder, "v.key"))
        a.start()
        check("volume v1 was being deleted with its keys: it is now" in a.log(), a.log())
        check(names(a) == ([] if only else ["v0"]), f"{names(a)}")
        check(domain("other") not in keys(b), "a key is there still")
        if not only:
            c.run("verify", "--length", "8M", "--seed", "1", "--read-only")
            # Said once: what comes to that domain later keeps its keys, although the file has the name still.
            a.ctl("volume", "create", "v2", "--group", "g0", "--size", "64MiB", "--domain", "other", "--subsystem", NQN)
            c.run("verify", "--ns", "2", "--length", "8M", "--seed", "3")
            a.stop()
            a.start()
            c.run("verify", "--ns", "2", "--length", "8M", "--seed", "3", "--read-only")
        a.stop()
        b.fsck()
        for d in range(4):
            os.unlink(os.path.join(b.folder, f"d{d}"))
        os.unlink(path)


def case_killed_while_it_goes_with_its_keys_it_is_there_or_gone(b):
    a, c = two_domains(b)
    for _ in range(4):
        p = subprocess.Popen([STRAKECTL, "volume", "delete", "v1", "--erase-keys", "--yes", "--name", b.name, "--control",
                              f"{b.folder}/ctl.sock"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(random.random() * 0.1)
        a.kill()
        p.wait(30)
        a.start()
        if "v1" not in names(a):
            break
        check(domain("other") in keys(b), "it is there without its keys")
        c.run("verify", "--ns", "2", "--length", "8M", "--seed", "2", "--read-only")
    else:
        a.ctl("volume", "delete", "v1", "--erase-keys")
    check(names(a) == ["v0"] and domain("other") not in keys(b), f"{names(a)} with {list(keys(b))}")
    c.run("verify", "--length", "8M", "--seed", "1", "--read-only")
    a.stop()
    b.fsck()


def case_what_the_file_leaves_out_is_told_and_can_be_freed(b):
    more = f"  - {{name: v1, group: g0, size: 256MiB, stages: {ALL}}}"
    a = prepared(b, conf(b, more=more)).start()
    b.client().run("verify", "--ns", "2", "--length", "8M", "--seed", "1")
    a.stop()
    a = prepared(b, conf(b)).start()
    check("holds volume v1 with 8388608 bytes" in a.log(), a.log())
    check("from before" in a.refused("volume", "create", "v1", "--group", "g0", "--size", "1GiB"), "taken over")
    a.ctl("volume", "delete", "v1")
    until(lambda: a.ctl("store", "show", "g0")["unique_blocks"] == 0, 60, "freed")
    a.stop()
    a.start()
    check("holds volume" not in a.log(), a.log())
    a.stop()


def case_sizes_and_namespaces_outlive_kill_9_too(b):
    more = f"  - {{name: v1, group: g0, size: 64MiB, stages: {ALL}}}"
    a = prepared(b, conf(b, volume="64MiB", more=more)).start()
    c = b.client()
    a.ctl("volume", "resize", "v0", "128MiB")
    c.run("verify", "--offset", "64M", "--length", "64M", "--seed", "1")
    c.run("flush")
    a.ctl("namespace", "remove", NQN, "v1")
    a.ctl("namespace", "add", NQN, "v1", "--nsid", "9")
    a.kill()
    a.start()
    check(sorted(spaces(c)) == [1, 9], f"{spaces(c)}")
    c.run("verify", "--offset", "64M", "--length", "64M", "--seed", "1", "--read-only")
    a.stop()


def case_the_last_blocks_of_64_tebibytes(b):
    end = 64 << 40
    a = prepared(b, conf(b, volume="64TiB")).start()
    c = b.client()

    def space():
        return json.loads(c.run("identify", "--json").stdout)["namespaces"][0]
    check(space()["blocks"] == end // 4096, f"{space()}")

    def at(*args, offset, length, **kw):
        return c.run(*args, "--offset", str(end - offset), "--length", str(length), **kw)
    at("verify", offset=8 << 20, length=8 << 20)
    c.run("verify", "--length", "4M", "--seed", "2")  # what is cut off of a place must not meet it
    # One block behind the end is nobody's, also for a host that has not seen yet that there is less.
    load = c.begin("bench", "--pattern", "randread", "--offset", str(end - 4096), "--size", "4K", "--time", "5s", "--json")
    until(lambda: a.ctl("volume", "show", "v0")["read_ops"] > 4096, 30, "the load runs")
    a.ctl("volume", "resize", "v0", str(end - 4096), "--shrink", "v0")
    said = load.communicate(timeout=30)[0].decode()
    check("LBA out of range" in said, said)
    check(at("read", offset=8192, length=8192, expect=None).returncode != 0, "read over the end")
    at("read", offset=8192, length=4096)
    check("64TiB" in a.refused("volume", "resize", "v0", str(end + 4096)), "a block more than there can be")
    a.ctl("volume", "resize", "v0", "64TiB")
    check(at("read", offset=4096, length=4096).stdout == bytes(4096), "what was cut off came back")
    at("verify", "--seed", "3", offset=8 << 20, length=8 << 20)
    at("trim", offset=4 << 20, length=2 << 20)
    c.run("flush")
    a.kill()
    for _ in range(2):
        a.start()
        whole = at("read", offset=8 << 20, length=8 << 20).stdout
        check(whole[4 << 20:6 << 20] == bytes(2 << 20), "what was trimmed")
        at("verify", "--seed", "3", "--read-only", offset=8 << 20, length=4 << 20)
        at("verify", "--seed", "3", "--read-only", offset=2 << 20, length=2 << 20)
        c.run("verify", "--length", "4M", "--seed", "2", "--read-only")
        check(space()["blocks"] == end // 4096, f"{space()}")
        a.stop()
        b.fsck()


def case_what_cannot_be_is_refused_with_the_reason(b):
    a = prepared(b, conf(b, lba=512)).start()

    def no(*args, words, status=1):
        said = a.refused("volume", *args, status=status)
        check(all(w in said for w in words), f"{args}: {said}")

    new = ["create", "new", "--group", "g0", "--size", "1GiB"]
    no("create", "v0", "--group", "g0", "--size", "1GiB", words=["already"])
    no("create", "new", "--group", "g9", "--size", "1GiB", words=["no group"])
    no("create", "new", "--group", "g0", "--size", "65TiB", words=["64TiB"])
    no("create", "new", "--group", "g0", "--size", "4097", words=["whole number"])
    no("resize", "v0", "65TiB", words=["64TiB"])
    no("create", ".new", "--group", "g0", "--size", "1GiB", words=["is not a name"])
    no("create", "new", "--group", "g0", words=["--size"], status=2)
    for bytes_ in (32 << 20, 1 << 30):
        no("resize", "v0", str(bytes_ + 512), "--shrink", "v0", words=["whole number of 4-KiB"])
    no(*new, "--like", "v9", words=["go by"])
    no(*new, "--stages", "dedup,squash", words=["no stage"])
    no(*new, "--stages", "dedup", words=["shares domain", "compress"])
    no(*new, "--stages", "stripe", words=["no stage"])
    no(*new, "--stages", "none", "--domain", "x", words=["dedup"])
    no(*new, "--lba", "1024", words=["512 or 4096"])
    no(*new, "--uuid", "1", words=["UUID"])
    no(*new, "--subsystem", "nqn.2026-01.org.example:no", words=["no subsystem"])
    no(*new, "--subsystem", NQN, "--nsid", "1", words=["taken"])
    no("delete", "v9", words=["no volume"])
    no("delete", ".g0.known.00000000", words=["no volume"])
    check(names(a) == ["v0"], f"something was made: {names(a)}")
    check(spaces(b.client())[1]["blocks"] == 1 << 20, f"it has another size: {spaces(b.client())}")
    said = a.refused("volume", "delete", "v0", sure=False, status=2)
    check("--yes" in said, said)
    b.client().run("verify", "--length", "4M", "--seed", "1")
    a.stop()


if __name__ == "__main__":
    sys.exit(main(globals()))
