# SPDX-License-Identifier: BSD-3-Clause
"""The headers that nearly every test includes, compiled once for a build folder: a third of what clang takes for a test.
For gcc it does not pay: what it makes of them is so large that to load it takes longer than to compile them."""

import json
import os
import shlex

from common import sh, tail

HEADERS = ["algorithm", "array", "cerrno", "cstdint", "cstdio", "cstdlib", "cstring", "deque", "fstream", "functional",
           "map", "memory", "random", "set", "string", "vector", "gtest/gtest.h"]
PACKAGES = "/var/lib/dpkg/status"  # written when a header of the system may have changed


def included(folder):
    """Makes the header that all C++ in @folder begins with. Returns the options that include it."""
    path = os.path.join(folder, "often.h")
    os.makedirs(folder, exist_ok=True)
    if not os.path.exists(path):
        with open(path, "w", encoding="ascii") as f:
            f.writelines(f"#include <{h}>\n" for h in HEADERS)
    # Tests differ in options that these headers do not look at: optimization, kind of processor.
    return f"-Xclang -fno-validate-pch -include {path}"


def precompiled(folder):
    """Compiles it, with the options of some test, where clang looks for it; the folder is configured.
    Returns (ok, text)."""
    path = os.path.join(folder, "often.h")
    done = path + ".pch"
    if os.path.exists(done) and os.path.getmtime(done) > os.path.getmtime(PACKAGES):
        return True, ""
    with open(os.path.join(folder, "compile_commands.json"), encoding="utf-8") as f:
        test = next(c for c in json.load(f) if c["file"].endswith("_test.cc"))
    words, options = iter(shlex.split(test["command"])), []
    for word in words:
        if word in ("-include", "-MQ", "-MF", "-o", "-c"):
            next(words)
        elif word != "-MD":
            options.append(word)
    status, out = sh([*options, "-x", "c++-header", path, "-o", done], cwd=folder)
    return status == 0, tail(out)
