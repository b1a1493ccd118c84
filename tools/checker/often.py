# SPDX-License-Identifier: BSD-3-Clause
"""The headers that nearly every test includes, compiled once for a build folder: most of what clang takes for a test.
For gcc it does not pay: what it makes of them is so large that to load it takes longer than to compile them."""

import json
import os
import shlex

from common import sh, tail

HEADERS = ["algorithm", "array", "cerrno", "cstdint", "cstdio", "cstdlib", "cstring", "deque", "fstream", "functional",
           "map", "memory", "random", "set", "string", "vector", "gtest/gtest.h"]
PACKAGES = "/var/lib/dpkg/status"  # written when a header of the system may have changed


def write(folder, options):
    """The header that all C++ in @folder begins with. All of it is compiled again when its text changes."""
    path = os.path.join(folder, "often.h")
    text = f"// {options}\n" + "".join(f"#include <{h}>\n" for h in HEADERS)
    os.makedirs(folder, exist_ok=True)
    if os.path.exists(path):
        with open(path, encoding="utf-8") as f:
            if f.read() == text:
                return path
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return path


def included(folder):
    """The options that include it. It is there from now on, for meson tries them."""
    path = os.path.join(folder, "often.h")
    if not os.path.exists(path):
        write(folder, "")
    # Tests differ in options that these headers do not look at: optimization, kind of processor.
    return f"-Xclang -fno-validate-pch -include {path}"


def options_of_tests(folder):
    with open(os.path.join(folder, "compile_commands.json"), encoding="utf-8") as f:
        test = next(c for c in json.load(f) if c["file"].endswith("tests/support/main.cc"))
    words, options = iter(shlex.split(test["command"])), []
    for word in words:
        if word in ("-include", "-MQ", "-MF", "-o", "-c"):
            next(words)
        elif word != "-MD":
            options.append(word)
    return options


def precompiled(folder):
    """Compiles it where clang looks for it; the folder is configured. Returns (ok, text)."""
    status, out = sh(["ninja", "-C", folder, "build.ninja"])  # as the meson.build files are now
    if status != 0:
        return False, tail(out)
    options = options_of_tests(folder)
    path = write(folder, shlex.join(options))
    done = path + ".pch"
    if os.path.exists(done) and os.path.getmtime(done) > max(os.path.getmtime(path), os.path.getmtime(PACKAGES)):
        return True, ""
    status, out = sh([*options, "-x", "c++-header", path, "-o", done], cwd=folder)
    return status == 0, tail(out)
