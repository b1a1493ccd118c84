#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""An operator's words on log groups, over a running appliance: scrub, rates, keys, where the space went."""

import os
import subprocess
import sys
import time

from harness import NQN, STRAKECTL, check, main, until
from test_fsck import COLUMN, COLUMNS, DATA, chunks, flip, parity_of, small
from test_log import ALL, KEY, conf, prepared


def ctl(b, *args, expect=0):
    """As an operator sees it: text and the exit status."""
    r = subprocess.run([STRAKECTL, *args, "--name", b.name, "--yes", "--control", f"{b.folder}/ctl.sock"],
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False)
    check(r.returncode == expect, f"strakectl {' '.join(args)}: status {r.returncode}\n{r.stdout.decode()}")
    return r.stdout.decode()


def scrubbed(a):
    g = a.ctl("group", "show", "g0")
    return g if g["scrub_total"] == 0 and g["scrub_rows"] > 0 else None


def case_scrub_mends_what_is_wrong_in_data_and_in_parity(b):
    a, c = small(b)
    a.stop()
    # What was open at the last start is collected, not mended.
    suspect = {int(line.split()[0]) for line in b.fsck("--segments").splitlines() if " suspect " in line and "," not in line}
    rows = {(at - COLUMNS) // COLUMN: (i, at) for i, at in chunks(b, DATA)}
    one, two, three = [place for row, place in sorted(rows.items()) if row not in suspect][:3]
    flip(b, one[0], one[1] + 2000)
    flip(b, *two)
    flip(b, parity_of(three[1]), three[1] + 50)
    b.fsck(expect=4)
    a.start()
    a.ctl("group", "scrub", "g0", "--rate", "1GiB")
    g = until(lambda: scrubbed(a), 60, "scrub")
    check(g["scrub_wrong"] >= 3, f"{g}")
    g = until(lambda: (g := a.ctl("group", "show", "g0"))["scrub_last"] != "never" and g, 60, "its result")
    check(g["repaired"] >= 3 and f"{g['repaired']} columns mended" in g["scrub_last"], f"{g}")
    a.ctl("group", "scrub", "g0")
    until(lambda: scrubbed(a) and a.ctl("group", "show", "g0")["scrub_wrong"] == 0, 60, "a clean scrub")
    c.run("verify", "--length", "8M", "--seed", "1", "--read-only")

    def last():
        return a.ctl("group", "show", "g0")["scrub_last"]
    told = until(lambda: " 0 wrong, 0 columns mended" in last() and last(), 60, "the next one's result")
    a.stop()
    b.fsck()
    # The result outlives a restart, and counts for the schedule.
    a.start()
    check(last() == told and a.ctl("group", "show", "g0")["scrub_next"] == "when told", f"{last()}, not {told}")
    a.stop()
    with open(a.conf, encoding="utf-8") as f:
        text = f.read()
    a = b.appliance(text.replace("style: log", "style: log, scrub_every: 1s, scrub_rate: 1GiB")).start()
    check("UTC" in a.ctl("group", "show", "g0")["scrub_next"], "when the next one is due")
    first = until(lambda: last() > told and last(), 60, "a scrub by the clock")
    until(lambda: last() > first, 60, "another")
    a.stop()


def case_words_are_checked(b):
    a, _ = small(b)
    check("no group" in ctl(b, "group", "scrub", "g1", expect=1), "a group that there is not")
    check("did you mean" in ctl(b, "group", "scrubb", "g0", expect=2), "a word misspelt")
    check("bytes" in ctl(b, "group", "rate", "g0", expect=2), "no rate")
    ctl(b, "group", "rate", "g0", "64MiB")
    check(a.ctl("group", "show", "g0")["rebuild_rate"] == 64 << 20, "the rate")
    ctl(b, "group", "rest", "g0")
    check("no volume" in ctl(b, "key", "erase", "v9", expect=1), "a volume that there is not")
    check("namespace remove" in ctl(b, "key", "erase", "v0", expect=1), "a volume that hosts have")
    a.stop()
    b.write("x.key", os.urandom(64), 0o600)
    a = b.appliance(b.conf(raid=1, volume="32MiB")).start()
    check("plain" in ctl(b, "group", "scrub", "g0", expect=1), "a plain group")
    check("no stage seal" in ctl(b, "key", "erase", "v0", expect=1), "a volume without a key")
    a.stop()


def case_keys_are_rotated_under_load_and_over_a_restart(b):
    a = prepared(b, conf(b)).start()
    c = b.client()
    c.run("verify", "--length", "4M", "--seed", "1")
    load = c.begin("bench", "--pattern", "randrw", "--verify", "--offset", "8M", "--size", "8M", "--time", "2s")
    for _ in range(3):
        check(a.ctl("key", "rotate", "g0")["keys"] == 1, "one domain has one key")
    check(load.wait(60) == 0, f"the host saw an error: {load.stdout.read().decode()}")
    c.run("verify", "--offset", "16M", "--length", "4M", "--seed", "2")
    for _ in range(2):
        c.run("verify", "--length", "4M", "--seed", "1", "--read-only")
        c.run("verify", "--offset", "16M", "--length", "4M", "--seed", "2", "--read-only")
        a.stop()
        b.fsck()
        a.start()
    a.stop()


def keys(a):
    return a.ctl("key", "show", "g0")


def case_all_is_sealed_anew_over_kill_and_restart(b):
    text = conf(b, data_cpus="[0, 1]").replace("style: log", "style: log, reseal_rate: 2MiB")
    a = prepared(b, text).start()
    c = b.client()
    c.run("verify", "--length", "16M", "--seed", "1")
    c.run("flush")
    check(keys(a)["old_keys"] == 0 and keys(a)["reseal"] == "none", f"{keys(a)}")
    check(a.ctl("key", "rotate", "g0")["keys"] == 1, "one domain has one key")
    k = until(lambda: (k := keys(a))["reseal_chunks"] > 8 and k, 60, "chunks sealed anew")
    check(k["reseal"] == "running" and k["old_keys"] == 1 and k["reseal_rate"] == 2 << 20, f"{k}")
    check(0 < k["reseal_left"] <= k["reseal_segments"] and k["reseal_percent"] < 100, f"{k}")
    for words in (("group", "show", "g0"), ("volume", "show", "v0"), ("store", "show", "g0")):
        check(a.ctl(*words)["reseal"] == "running", f"{words}: {a.ctl(*words)}")
    check("running" in ctl(b, "key", "show", "g0"), "what an operator sees")
    # It needs no word to go on.
    a.kill()
    b.fsck(expect=None)
    a.start()
    k = until(lambda: (k := keys(a))["reseal_chunks"] > 8 and k, 60, "chunks sealed anew after the kill")
    check(k["reseal"] == "running" and k["old_keys"] == 1, f"{k}")
    ctl(b, "key", "rest", "g0")
    check(until(lambda: keys(a)["reseal"] == "paused", 30, "a pause"), "paused")
    c.run("verify", "--length", "16M", "--seed", "1", "--read-only")
    # Another rotation beside a host that writes.
    load = c.begin("bench", "--pattern", "randrw", "--verify", "--offset", "32M", "--size", "8M", "--time", "3s")
    check(a.ctl("key", "rotate", "g0")["keys"] == 1, "another key")
    check(keys(a)["old_keys"] == 2, f"{keys(a)}")
    ctl(b, "key", "reseal", "g0", "--rate", "1GiB")
    k = until(lambda: (k := keys(a))["old_keys"] == 0 and k, 120, "the older keys to go")
    check(k["reseal"] == "none" and k["reseal_rate"] == 1 << 30, f"{k}")
    check(load.wait(60) == 0, f"the host saw an error: {load.stdout.read().decode()}")
    for _ in range(2):
        c.run("verify", "--length", "16M", "--seed", "1", "--read-only")
        a.stop()
        b.fsck()
        a.start()
        check(keys(a)["old_keys"] == 0 and keys(a)["reseal"] == "none", f"{keys(a)}")
    check("no group" in ctl(b, "key", "reseal", "g9", expect=1), "a group that there is not")
    a.stop()


def two_domains(b):
    """An appliance of two volumes, each in a domain of its own, with something in it; and a host."""
    other = f"  - {{name: v1, group: g0, size: 64MiB, stages: {ALL.replace('dedup', 'dedup: {domain: other}')}}}"
    a = prepared(b, conf(b, volume="64MiB", more=other)).start()
    c = b.client()
    for ns in ("1", "2"):
        c.run("verify", "--ns", ns, "--length", "4M", "--seed", ns)
    return a, c


def case_keys_are_wrapped_anew_by_another_key(b):
    a, c = two_domains(b)
    for name in ("open.key", "new.key"):
        b.write(name, os.urandom(32), 0o644 if name == "open.key" else 0o600)
    old, new = f"{b.folder}/v.key", f"{b.folder}/new.key"
    for words, why in ((["--key-file", f"{b.folder}/no.key"], "No such file"), (["--keyring", "strake-no-such"], "strake-no-such"),
                       (["--key-file", f"{b.folder}/open.key"], "open.key"), ([], "already"),
                       (["--key-file", new, "--keyring", "x"], "not in both")):
        said = ctl(b, "key", "rewrap", "g0", *words, expect=1)
        check(why in said, f"{words}: {said}")
        check(keys(a)["key_file"] == old, f"{keys(a)}")
    # A host sees nothing of it, and no chunk is written for it.
    load = c.begin("bench", "--pattern", "randrw", "--verify", "--offset", "8M", "--size", "8M", "--time", "2s")
    check(a.ctl("key", "rewrap", "g0", "--key-file", new)["key_file"] == new, "where it is")
    check(load.wait(60) == 0, f"the host saw an error: {load.stdout.read().decode()}")
    check(keys(a)["key_file"] == new and keys(a)["old_keys"] == 0 and keys(a)["reseal"] == "none", f"{keys(a)}")
    # The old key is of no use any more, whatever the file says.
    os.unlink(old)
    a.ctl("volume", "create", "v2", "--group", "g0", "--size", "64MiB", "--like", "v0", "--subsystem", NQN)
    a.kill()
    b.fsck(expect=None)
    for _ in range(2):
        a.start()
        for ns in ("1", "2"):
            c.run("verify", "--ns", ns, "--length", "4M", "--seed", ns, "--read-only")
        a.ctl("key", "rotate", "g0")
        until(lambda: keys(a)["old_keys"] == 0, 120, "the older keys to go")
        a.stop()
        b.fsck()
    # Another key in the same place; and the file, when it is saved, says where.
    a.start()
    b.write("new.key", os.urandom(32), 0o600)
    a.ctl("key", "rewrap", "g0")
    saved = f"{b.folder}/saved.yaml"
    a.ctl("config", "save", saved)
    with open(saved, encoding="utf-8") as f:
        text = f.read()
    check(text.count(new) == 3 and old not in text, text)
    a.stop()
    b.write("v.key", KEY, 0o600)
    b.write("new.key", KEY, 0o600)
    a.start()
    check({v["state"] for v in a.ctl("volume", "list")} == {"offline: wrong key"}, "an older key opened it")
    check("before `key rewrap`" in a.log(), "where else it was looked for")
    a.stop()


def case_killed_while_keys_are_wrapped_anew_one_of_the_two_opens_them(b):
    a = prepared(b, conf(b)).start()
    c = b.client()
    c.run("verify", "--length", "4M", "--seed", "1")
    c.run("flush")
    now, at = "v.key", set()
    for i in range(16):
        name = f"k{i}.key"
        b.write(name, os.urandom(32), 0o600)
        p = subprocess.Popen([STRAKECTL, "key", "rewrap", "g0", "--key-file", f"{b.folder}/{name}", "--name", b.name,
                              "--control", f"{b.folder}/ctl.sock"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.001 * i)
        a.kill()
        p.wait(30)
        a.start()
        found = os.path.basename(keys(a)["key_file"])
        check(found in (now, name), f"round {i}: {found}, not {now} or {name}")
        at.add(found == name)
        # The other one is not needed any more.
        os.unlink(f"{b.folder}/{name if found == now else now}")
        now = found
        c.run("verify", "--length", "4M", "--seed", "1", "--read-only")
    print(f"  {sorted(at)}", flush=True)
    a.stop()
    b.fsck()


def case_an_erased_domain_is_empty_and_the_others_are_not(b):
    a, c = two_domains(b)
    a.ctl("namespace", "remove", NQN, "v0")
    check(a.ctl("key", "erase", "v0")["lost"] == ["v0"], "whom it costs")
    a.ctl("namespace", "add", NQN, "v0", "--nsid", "1")
    check(c.run("read", "--ns", "1", "--length", "4M").stdout == bytes(4 << 20), "it can still be read")
    c.run("verify", "--ns", "1", "--length", "4M", "--seed", "1")
    for _ in range(2):
        c.run("verify", "--ns", "2", "--length", "4M", "--seed", "2", "--read-only")
        a.stop()
        b.fsck()
        a.start()
        c.run("verify", "--ns", "1", "--length", "4M", "--seed", "1", "--read-only")
    a.stop()


def case_where_the_space_went_is_drawn(b):
    a = prepared(b, conf(b)).start()
    c = b.client()
    one = b"".join(bytes([65 + i % 26]) * 64 + os.urandom(64) for i in range(4 << 13))
    for at in ("0", "16M"):
        c.run("write", "--offset", at, "--length", "4M", stdin=one)
    c.run("flush")
    v = a.ctl("volume", "show", "v0")
    check(v["mapped_bytes"] == 8 << 20 and v["shared_bytes"] == 8 << 20 and v["store"] == "g0", f"{v}")
    for what in (("volume", "show", "v0"), ("store", "show", "g0")):
        said = ctl(b, *what)
        for w in ("logical", "referenced", "unique", "compressed", "stored", "free", "####", "8.00 MiB"):
            check(w in said, f"{w!r} is not in: {said}")
    check("volume v0" in ctl(b, "volume", "show", "v0") and "mapped" in ctl(b, "volume", "show", "v0"), "the volume")
    a.stop()


if __name__ == "__main__":
    sys.exit(main(globals()))
