# SPDX-License-Identifier: BSD-3-Clause
"""libFuzzer harnesses with AddressSanitizer and UBSan, two at a time."""

import base64
import glob
import os
import re
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor

from build import CLANG, setup
from common import BUILD, ROOT, sh, tail

FOLDER = BUILD + "-fuzz"
# What comes from a network or an operator has the most to say; what lies on drives has checksums before it.
SECONDS = 60
SECONDS_FORMATS = 30
FORMATS = ("assemble", "expand", "index", "keytable", "log", "map", "super")
SECONDS_LONG = 1200


def names():
    return sorted(os.path.basename(f)[:-3] for f in glob.glob(os.path.join(ROOT, "tests", "fuzz", "fuzz_*.cc")))


def seconds_of(name):
    return SECONDS_FORMATS if name[len("fuzz_"):] in FORMATS else SECONDS


def what_broke_it(folder):
    """The input that libFuzzer left, for `base64 -d`: nobody else can draw it again."""
    text = ""
    for kind in ("crash", "timeout", "oom"):
        for path in glob.glob(os.path.join(folder, kind + "-*")):
            with open(path, "rb") as f:
                text += f"\n{os.path.basename(path)} in base64:\n" + base64.b64encode(f.read()).decode()
    return text


def one(name, seconds):
    corpus = tempfile.mkdtemp(prefix="strake-fuzz-")
    seeds = os.path.join(corpus, "seeds")
    sh([os.path.join(ROOT, "tests", "fuzz", "seeds.py"), name, seeds], timeout=60)
    cmd = [os.path.join(FOLDER, "tests", "fuzz", name), f"-max_total_time={seconds}", "-timeout=30",
           "-rss_limit_mb=4096", "-print_final_stats=1", "-entropic=0", f"-artifact_prefix={corpus}/", corpus]
    status, out = sh(cmd, timeout=seconds + 120, env={"ASAN_OPTIONS": "detect_leaks=0"})
    found = what_broke_it(corpus)
    shutil.rmtree(corpus, ignore_errors=True)
    runs = re.search(r"stat::number_of_executed_units: *(\d+)", out)
    count = int(runs.group(1)) if runs else 0
    ok = status == 0 and count > 1000
    said = re.sub(r"(?m)^(#\d+\t.*|\tNEW_FUNC.*)\n", "", out)
    return f"{name} ({count} inputs)", ok, "" if ok else tail(said, 40) + found


def run_for(length):
    ok, text = setup(FOLDER, ["-Dfuzz=true", "-Db_sanitize=address,undefined", "-Db_lundef=false", "-Dwerror=false"],
                     env=CLANG, target="fuzzers")
    yield "build", ok, text
    if not ok:
        return
    with ThreadPoolExecutor(2) as pool:
        yield from pool.map(lambda n: one(n, length(n)), names())


def run():
    yield from run_for(seconds_of)


def run_long():
    yield from run_for(lambda _: SECONDS_LONG)
