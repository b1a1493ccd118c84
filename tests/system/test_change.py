#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What an operator changes while hosts are connected: sizes, namespaces, paths, hosts; and what a restart finds."""

import json
import os
import sys
import time

from harness import NQN, check, main

HOST = "nqn.2014-08.org.nvmexpress:uuid:cccccccc-0000-0000-0000-00000000000"


def spaces(c):
    return json.loads(c.run("identify", "--json").stdout)["namespaces"]


def finished(load):
    """What a bench that ran meanwhile saw: no error."""
    text = load.communicate(timeout=30)[0].decode()
    check(text.startswith("{"), f"the load ended: {text}")
    out = json.loads(text)
    check(out["error"] == "" and out["read"]["errors"] == 0 and out["write"]["errors"] == 0, f"the load saw it: {out}")


def saved(b, a):
    """The configuration as the appliance would write it."""
    path = os.path.join(b.folder, f"saved{time.monotonic_ns()}.yaml")
    a.ctl("config", "save", path)
    with open(path, encoding="utf-8") as f:
        return f.read()


def case_a_volume_grows_and_shrinks_under_load(b):
    conf = b.conf(drives=2, raid=1, kind="uring", size="200MiB", volume="64MiB", extra=", slab: 16MiB")
    a = b.appliance(conf).start()
    c = b.client()
    size = spaces(c)[0]["blocks"]
    c.run("verify", "--length", "64M", "--seed", "1")
    load = c.begin("bench", "--pattern", "randread", "--size", "64M", "--time", "4s", "--json")
    a.ctl("volume", "resize", "v0", "128MiB")
    check(spaces(c)[0]["blocks"] == 2 * size, f"{spaces(c)}")
    c.run("verify", "--offset", "64M", "--length", "64M", "--seed", "2")
    check("free" in a.refused("volume", "resize", "v0", "1GiB"), "what it has no room for")
    check("would lose its last" in a.refused("volume", "resize", "v0", "96MiB"), "a smaller one needs its name")
    check("would lose its last" in a.refused("volume", "resize", "v0", "96MiB", "--shrink", "v1"), "its own name")
    check("whole number" in a.refused("volume", "resize", "v0", "134217729"), "a part of a block")
    check("no volume" in a.refused("volume", "resize", "v9", "1MiB"), "nobody's name")
    check("plain" in a.refused("volume", "create", "new", "--group", "g0", "--size", "1MiB"), "in a plain group")
    check("plain" in a.refused("volume", "delete", "v0"), "of a plain group")
    a.ctl("volume", "resize", "v0", "96MiB", "--shrink", "v0")
    check(spaces(c)[0]["blocks"] == size * 3 // 2, f"{spaces(c)}")
    check(c.run("read", "--offset", "96M", "--length", "4k", expect=None).returncode != 0, "read beyond the end")
    finished(load)
    text = saved(b, a)
    check("size: 96MiB" in text, text)
    a.stop()
    a = b.appliance(text).start()
    check(spaces(c)[0]["blocks"] == size * 3 // 2, "after a restart")
    c.run("verify", "--length", "64M", "--seed", "1", "--read-only")
    c.run("verify", "--offset", "64M", "--length", "32M", "--seed", "2", "--read-only")
    a.stop()


def case_namespaces_come_and_go_under_load(b):
    conf = b.conf(size="200MiB", more_volumes="  - {name: v1, group: g0, size: 32MiB}")
    a = b.appliance(conf).start()
    c = b.client()
    load = c.begin("bench", "--pattern", "randrw", "--size", "64M", "--time", "4s", "--json")
    for _ in range(10):
        check(a.ctl("namespace", "add", NQN, "v1")["nsid"] == 2, "the lowest free id")
        check("already" in a.refused("namespace", "add", NQN, "v1"), "twice")
        check([n["nsid"] for n in spaces(c)] == [1, 2], f"{spaces(c)}")
        a.ctl("namespace", "remove", NQN, "v1")
        check([n["nsid"] for n in spaces(c)] == [1], f"{spaces(c)}")
        check("no namespace" in a.refused("namespace", "remove", NQN, "v1"), "twice")
    finished(load)
    a.ctl("namespace", "add", NQN, "v1", "--nsid", "7")
    a.ctl("namespace", "remove", NQN, "v0")
    check([n["nsid"] for n in spaces(c)] == [7], f"{spaces(c)}")
    a = restart(b, a)
    check([n["nsid"] for n in spaces(c)] == [7], "after a restart")
    check("no subsystem" in a.refused("namespace", "add", "nqn.2026-01.org.example:no", "v0"), "nobody's name")
    a.stop()


def restart(b, a):
    text = saved(b, a)
    a.stop()
    return b.appliance(text).start()


def case_paths_and_hosts_are_opened_and_closed(b):
    a = b.appliance(b.conf(hosts=f"[\"{HOST}3\"]")).start()
    c = b.client()
    path = f"127.0.0.1:{b.port}"
    check(a.ctl("listener", "show", path)["ana"] == "optimized", "at first")
    c.run("identify", "--hostnqn", HOST + "3")
    check(c.run("identify", "--hostnqn", HOST + "4", expect=None).returncode != 0, "it is not on the list")
    a.ctl("host", "allow", NQN, HOST + "4")
    c.run("identify", "--hostnqn", HOST + "4")
    a.ctl("host", "deny", NQN, HOST + "4")
    check(c.run("identify", "--hostnqn", HOST + "4", expect=None).returncode != 0, "not any more")
    a.ctl("host", "allow", NQN, HOST + "5")
    a.ctl("listener", "ana", path, "inaccessible")
    check(f"{path} goes from optimized to inaccessible" in a.log(), a.log())
    check(c.run("read", "--length", "4k", "--hostnqn", HOST + "3", expect=None).returncode != 0, "read by a closed path")
    a = restart(b, a)
    check(a.ctl("listener", "show", path)["ana"] == "inaccessible", "after a restart")
    a.ctl("listener", "ana", path, "non_optimized")
    c.run("read", "--length", "4k", "--hostnqn", HOST + "3")
    c.run("read", "--length", "4k", "--hostnqn", HOST + "5")
    check("UUID" in a.refused("host", "allow", NQN, HOST), "a name that is none")
    check("no listener" in a.refused("listener", "ana", "127.0.0.1:1", "optimized"), "nobody's address")
    check("state is" in a.refused("listener", "ana", path, "optimised"), "a wrong word")
    a.stop()


if __name__ == "__main__":
    sys.exit(main(globals()))
