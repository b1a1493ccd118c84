# SPDX-License-Identifier: BSD-3-Clause
"""What the README promises of its two commands on a fresh Debian 12: on a base system that is made for it and removed."""

import os
import re
import shutil
import signal
import sys
import tempfile
import time

from common import ROOT, files, sh, tail

SUITE = "bookworm"
INSIDE = "/root/strake"
HUGE_PAGES = "/proc/sys/vm/nr_hugepages"

# What is mounted is seen by what runs in here alone, and both end with it, even where this program ends by kill -9.
ALONE = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--mount-proc", "--pid", "--fork", "--kill-child"]
# Its root is a mount, as everywhere: `ip netns exec` wants that. The shell stays, to be there for what others leave
# behind: in here it is process 1.
ENTER = """base=$1; shift
mount --bind "$base" "$base"
mount -t proc proc "$base/proc"
mount --rbind /sys "$base/sys"
mount --rbind /dev "$base/dev"
mount -t tmpfs tmpfs "$base/run"
chroot "$base" "$@" || exit $?"""
# Nothing of this machine's environment, such as a compiler that is named, but how it reaches others.
ENVIRONMENT = ["env", "-i", f"--chdir={INSIDE}", "HOME=/root",
               "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
               *(f"{key}={value}" for key, value in os.environ.items() if key.lower().endswith("_proxy"))]


def timed(what, cmd, timeout):
    began = time.monotonic()
    status, out = sh(cmd, timeout=timeout)
    print(f"   {time.monotonic() - began:5.0f} s {what}", flush=True)
    return status, out


def inside(base, what, cmd):
    return timed(what, [*ALONE, "sh", "-ec", ENTER, "sh", base, *ENVIRONMENT, *cmd], 3600)


def sources():
    """(where, suite) of Debian's own packages, as this machine reaches them: perhaps by a mirror."""
    _, out = sh(["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages"])
    known = [f"{SUITE}{what} main" for what in ("", "-updates", "-security")]
    found = [line.split(" ", 1) for line in out.splitlines()]
    return list(dict.fromkeys((where, rest.split()[0]) for where, rest in found if rest in known))


def write(text, *path):
    with open(os.path.join(*path), "w", encoding="utf-8") as f:
        f.write(text)


def make(base):
    """The smallest system that Debian has a name for. Returns (ok, text)."""
    status, out = sh([os.path.join(ROOT, "tools", "packages"), "fresh"])
    if status != 0:
        return False, out
    found = sources()
    mirror = [where for where, suite in found if suite == SUITE][:1]
    status, out = timed("a base system", [*ALONE, "debootstrap", "--variant=minbase", SUITE, base, *mirror], 1800)
    if status != 0:
        return False, out
    apt = os.path.join(base, "etc", "apt")
    if found:
        write("".join(f"deb {where} {suite} main\n" for where, suite in found), apt, "sources.list")
    # Of this machine's settings how to fetch, alone: others call programs that a fresh system lacks.
    status, out = sh(["apt-config", "dump", "--format", '%F "%v";%n', "Acquire"])
    write(out, apt, "apt.conf.d", "99fetch")
    for name in ("resolv.conf", "hosts"):
        shutil.copyfile(os.path.join("/etc", name), os.path.join(base, "etc", name))
    return status == 0, out


def clone(base):
    """The tree that is checked here, with what is not committed yet. Returns (ok, text)."""
    there = base + INSIDE
    status, out = sh(["git", "clone", "--quiet", "--no-checkout", ROOT, there])
    if status == 0:
        status, out = sh(["git", "-C", there, "reset", "--quiet"])
    for f in files():
        os.makedirs(os.path.dirname(os.path.join(there, f)), exist_ok=True)
        shutil.copy2(os.path.join(ROOT, f), os.path.join(there, f), follow_symlinks=False)
    return status == 0, out


def quickstart(base, what):
    """Returns (the sums it says, whether it ended well and said one, text)."""
    status, out = inside(base, what, ["tools/quickstart"])
    sums = set(re.findall(r"\b[0-9a-f]{64}\b", out))
    return sums, status == 0 and len(sums) == 1, out


def promises(base):
    for name, step in (("a base system", make), ("a clone in it", clone)):
        ok, text = step(base)
        yield name, ok, text
        if not ok:
            return
    sums, ok, text = quickstart(base, "tools/quickstart")
    yield "tools/quickstart", ok, text
    again, ok, text = quickstart(base, "tools/quickstart again")
    yield "tools/quickstart again", ok and again == sums, f"{text}\nsums {again}, {sums} at first"
    status, text = inside(base, "tools/check lint build", ["tools/check", "lint", "build"])
    last = text.splitlines()[-1:]
    yield "tools/check", status == 0 and bool(last) and re.fullmatch(r"[1-9]\d* passed, 0 failed", last[0]), text


def huge_pages():
    with open(HUGE_PAGES, encoding="ascii") as f:
        return f.read().strip()


def remove(top):
    # What was killed a moment ago may still be about to end.
    for _ in range(10):
        if sh(["rm", "-rf", "--one-file-system", top])[0] == 0:
            return
        time.sleep(1)
    print(f"   {top} is left: it cannot be removed", flush=True)


def run():
    if os.geteuid() != 0:
        print("   skipped: only root can make a system and enter it", flush=True)
        return
    before = huge_pages()
    # Told to end, it removes what it made, as it does by Ctrl-C.
    was = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    top = tempfile.mkdtemp(prefix="strake-fresh-", dir="/var/tmp")
    try:
        # In a folder below: that of the temporary one nobody else could enter, and apt fetches as somebody else.
        for name, ok, text in promises(os.path.join(top, "base")):
            yield name, ok, "" if ok else tail(text)
        left = huge_pages()
        yield "no huge page left", left == before, f"{left} are reserved, {before} were before"
    finally:
        remove(top)
        if huge_pages() != before:
            write(before, HUGE_PAGES)
        signal.signal(signal.SIGTERM, was)
