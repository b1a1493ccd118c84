# SPDX-License-Identifier: BSD-3-Clause
"""What the compiler does not see: format, licence lines, headers alone, include arrows, spelling, commit titles."""

import os
import re
import shlex
from concurrent.futures import ThreadPoolExecutor

from common import ROOT, files, read, sh, tail

# Who may include whom: a folder sees its own files and the public headers of these rooms.
ARROWS = [
    ("config", []),
    ("pipeline", ["config"]),
    ("stages/volume", ["config", "pipeline"]),
    ("stages/stripe", ["config", "pipeline"]),
    ("stages/compress", ["config", "pipeline"]),
    ("stages/crypto", ["config", "pipeline"]),
    ("stages/dedup", ["config", "pipeline"]),
    ("drivers/drive/mem", ["config", "pipeline"]),
    ("drivers/drive/ring", ["config", "pipeline"]),
    ("drivers/drive/uring", ["config", "pipeline", "drivers/drive/ring"]),
    ("drivers/drive/nvme", ["config", "pipeline", "drivers/drive/ring"]),
    ("drivers/front/port", ["config", "pipeline"]),
    ("drivers/front/tcp", ["config", "pipeline", "drivers/front/port"]),
    ("drivers/front/sock", ["config", "pipeline"]),
    ("drivers/front/nvmf", ["config", "pipeline"]),
    ("drivers/front/nvme_tcp", ["config", "pipeline", "drivers/front/nvmf"]),
]
WIRE = ["nvme_spec.h", "nvme_tcp_spec.h"]
# Of the stages, tools see what lies on the drives.
FORMAT = re.compile(r"_format\.h$")


def room_of(path):
    best = ""
    for room, _ in ARROWS:
        if path.startswith(room + "/") and len(room) > len(best):
            best = room
    return best


def public_headers():
    table = {}
    for f in files("*.h"):
        if "/include/" in f:
            table[os.path.basename(f)] = room_of(f)
    return table


def arrows():
    public, bad = public_headers(), []
    private = {os.path.basename(h) for h in files("*.h") if room_of(h) and "/include/" not in h}
    private -= {os.path.basename(h) for h in files("tools/*.h")}
    allowed = dict(ARROWS)
    for f in files("*.c", "*.h"):
        room, is_tool = room_of(f), f.startswith("tools/")
        if not room and not is_tool:
            continue
        for inc in re.findall(r'^#include "([^"]+)"', read(f), re.M):
            owner = public.get(os.path.basename(inc))
            if is_tool and owner is None and os.path.basename(inc) in private and not FORMAT.search(inc):
                bad.append(f"{f}: tools see only headers of formats of a room, not {inc}")
            if owner is None or owner == room:
                continue
            if is_tool:
                if os.path.basename(inc) not in WIRE:
                    bad.append(f"{f}: tools see only {', '.join(WIRE)}, not {inc}")
            elif owner not in allowed[room]:
                bad.append(f"{f}: {room} may not include {inc} of {owner}")
    return bad


def licence():
    bad = []
    for f in files("*.c", "*.h", "*.cc", "*.py", "meson.build", "*/meson.build", "*.yaml", "*.def", "tools/*", ".ci/*"):
        if f.endswith((".md", ".json")):
            continue
        if "SPDX-License-Identifier: BSD-3-Clause" not in read(f)[:400]:
            bad.append(f"{f}: no SPDX line")
    return bad


def formatted():
    src = [f for f in files("*.c", "*.h", "*.cc") if not f.endswith(".def")]
    status, out = sh(["clang-format-14", "--dry-run", "-Werror", *src])
    return [] if status == 0 else sorted({line.split(":")[0] + ": not in the project's format"
                                          for line in out.splitlines() if "clang-format-violations" in line})


def include_flags(f):
    folders = {os.path.dirname(f)}
    room = room_of(f)
    for r in [room, *dict(ARROWS).get(room, [])]:
        if r:
            folders.add(os.path.join(r, "include"))
            folders.add(r)
    if f.startswith(("app/", "tests/")):
        folders |= {os.path.join(r, "include") for r, _ in ARROWS} | {".", "tests/fakes", "tests/support"}
        folders |= {os.path.dirname(h) for h in files("tools/*.h")}
    if f.startswith("tools/"):
        folders |= {"drivers/front/nvmf/include", "drivers/front/nvme_tcp/include", "pipeline/include", "config/include"}
        folders |= {os.path.dirname(h) for h in files("stages/*_format.h")}
        folders |= {os.path.dirname(h) for h in files("tools/*.h")}
    return [f"-I{os.path.join(ROOT, d)}" for d in sorted(folders)]


def alone():
    _, dpdk = sh(["pkg-config", "--cflags", "libdpdk"])
    common = ["-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter",
              "-Wno-missing-field-initializers", "-fsyntax-only", *shlex.split(dpdk)]

    def one(job):
        f, lang = job
        compiler = ["gcc", "-std=gnu11", "-x", "c"] if lang == "C" else ["g++", "-std=gnu++17", "-x", "c++"]
        # The header as its only user would see it; -include, so that "pragma once in main file" does not arise.
        status, out = sh([*compiler, *common, *include_flags(f), "-include", os.path.join(ROOT, f), "/dev/null"])
        return None if status == 0 else f"{f} does not compile alone as {lang}\n{tail(out, 4)}"

    # Private headers are C; public ones are for both; a test's are C++, and C too where a C file implements them.
    jobs = []
    for f in files("*.h"):
        of_test = f.startswith("tests/")
        if not of_test or os.path.isfile(os.path.join(ROOT, f[:-1] + "c")):
            jobs.append((f, "C"))
        if of_test or "/include/" in f:
            jobs.append((f, "C++"))
    with ThreadPoolExecutor(2) as pool:
        return [r for r in pool.map(one, jobs) if r]


def spelling():
    # Tests of the loader and of command lines are full of words spelt wrong on purpose.
    words = [f for f in files("*.c", "*.h", "*.cc", "*.md", "*.yaml", "*.py")
             if not f.startswith(("tests/unit/config/", "tests/unit/tools/"))]
    status, out = sh(["codespell", "--ignore-words-list", "ons,mut,hist,ue,nd,te,fo,ba,ot,inout,inflight,tha,addreses,adresses",
                      "--builtin", "clear,rare", *words])
    return [] if status == 0 else out.splitlines()


def titles():
    status, out = sh(["git", "log", "--format=%s", "-n", "200"])
    if status != 0:
        return []
    return [f"{t}: not \"topic: what\" in 72 columns" for t in out.splitlines()
            if len(t) > 72 or not re.match(r"^[a-z][a-z0-9_./-]*: [^ ]", t)]


def lengths():
    bad = []
    for f in files("*.c", "*.h"):
        n = read(f).count("\n")
        # Wire formats are tables: theirs may be longer.
        if n > (1000 if f.endswith("_spec.h") else 800):
            bad.append(f"{f}: {n} lines; two nouns in one room?")
    return bad


def top_level():
    allowed = {"meson.build", "meson_options.txt", "README.md", "LICENSE", "app", "pipeline", "stages", "drivers",
               "config", "tests", "tools"}
    return [f"{t}: not a name of the top level" for t in {f.split("/")[0] for f in files()}
            if t not in allowed and not t.startswith(".")]


def run():
    for name, fn in [("format", formatted), ("licence", licence), ("include arrows", arrows), ("headers alone", alone),
                     ("spelling", spelling), ("commit titles", titles), ("file lengths", lengths),
                     ("top level", top_level)]:
        bad = fn()
        yield name, not bad, "\n".join(bad[:40])
