# SPDX-License-Identifier: BSD-3-Clause
"""What all steps use: running a program with a bound, and the files of the project."""

import os
import subprocess

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.path.join(ROOT, "build")


def sh(cmd, timeout=600, env=None, cwd=ROOT):
    """Run; return (exit status, output). A timeout is an exit status of 124."""
    try:
        r = subprocess.run(cmd, cwd=cwd, env={**os.environ, **(env or {})}, timeout=timeout,
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return r.returncode, r.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired as e:
        return 124, (e.stdout or b"").decode(errors="replace") + f"\nstopped after {timeout} s"


def tail(text, lines=40):
    return "\n".join(text.splitlines()[-lines:])


def files(*patterns):
    _, out = sh(["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns])
    return [f for f in out.splitlines() if os.path.isfile(os.path.join(ROOT, f))]


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        return f.read()
