# SPDX-License-Identifier: BSD-3-Clause
"""Building with meson: the release build, with what it shows of the rooms, and variants beside it."""

import os

import circles
from common import BUILD, ROOT, sh, tail


# GNU's usual linker takes two to three times as long for each of 130 programs.
GCC = {"CC_LD": "gold", "CXX_LD": "gold"}
CLANG = {"CC": "clang-14", "CXX": "clang++-14", "CC_LD": "lld-14", "CXX_LD": "lld-14"}


def setup(folder, options, env=None, target="all", before=lambda: (True, "")):
    """Configure, do what comes @before, and compile. Returns (ok, text)."""
    there = os.path.isfile(os.path.join(folder, "build.ninja"))
    # What is there may be configured otherwise: tools/quickstart builds into the same folder, without tests.
    how = ["meson", "configure", folder] if there else ["meson", "setup", folder, ROOT]
    status, out = sh([*how, *options], env=env)
    if status != 0:
        return False, tail(out)
    ok, text = before()
    if not ok:
        return ok, text
    status, out = sh(["ninja", "-C", folder, target], timeout=1500, env=env)
    return status == 0, tail(out)


def release():
    ok, text = setup(BUILD, ["-Dtests=true"], env=GCC)
    yield "gcc", ok, text
    if ok:
        yield from circles.run()
