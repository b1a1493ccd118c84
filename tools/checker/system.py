# SPDX-License-Identifier: BSD-3-Clause
"""System tests: programs under tests/system that drive a real appliance. Each prints "ok NAME" or "not ok NAME" lines."""

import os
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from common import BUILD, ROOT, files, sh, tail


def script(path, timeout, *args):
    began = time.monotonic()
    status, out = sh([sys.executable, os.path.join(ROOT, path), *args], timeout=timeout, env={"STRAKE_BUILD": BUILD})
    print(f"   {time.monotonic() - began:5.0f} s {os.path.basename(path)}", flush=True)
    cases = re.findall(r"^(ok|not ok) (.+)$", out, re.M)
    for verdict, name in cases:
        yield f"{os.path.basename(path)}: {name}", verdict == "ok", tail(out)
    if status != 0 and not any(v == "not ok" for v, _ in cases):
        yield os.path.basename(path), False, f"exit status {status}\n{tail(out)}"
    elif not cases and not re.search(r"^skipped .+: .+$", out, re.M):
        yield os.path.basename(path), False, f"ran no test\n{tail(out)}"


# A guest's processor is emulated: what it does for minutes is for --long. Of these programs, which cases are for when.
SHORT = {"tests/system/test_guest.py": ["linux_asks_everything_nvme_cli_can", "changes_and_reservations_under_a_linux_host",
                                        "paths_fail_under_a_linux_host"],
         "tests/system/test_drives.py": ["nvme_drives_by_every_way", "nvme_drives_in_trouble",
                                         "nvme_drives_that_warn_and_lie"],
         "tests/system/test_cards.py": [],
         "tests/system/test_power.py": ["five_power_losses", "five_power_losses_of_a_log_volume"]}
LONG = {"tests/system/test_guest.py": ["bytes_through_a_linux_host", "log_volumes_under_a_linux_host",
                                       "a_full_log_volume_under_a_linux_host",
                                       "a_linux_host_through_trouble", "many_linux_hosts"],
        "tests/system/test_drives.py": ["cost_of_passthrough_against_fio"],
        "tests/system/test_power.py": ["a_hundred_power_losses", "a_hundred_power_losses_of_a_log_volume"]}


# Two lanes that take about the same time. Those that mostly wait, for wires and for hosts that say nothing, run while the
# other lane looks at how much an appliance uses and how long hosts wait.
FIRST = ("tests/system/test_placement.py", "tests/system/test_volume.py",
         "tests/system/test_net.py", "tests/system/test_port.py", "tests/system/test_start.py")


def run():
    here = [path for path in sorted(files("tests/system/test_*")) if path not in SHORT]
    lanes = [FIRST, [path for path in here if path not in FIRST]]
    with ThreadPoolExecutor(len(lanes)) as pool:
        for results in pool.map(lambda lane: [r for path in lane for r in script(path, 1500)], lanes):
            yield from results


def guest():
    for path, cases in SHORT.items():
        yield from script(path, 1500, *cases)


def guest_long():
    for path, cases in LONG.items():
        for case in cases:
            yield from script(path, 3600, case)


def soak():
    yield from script("tests/system/soak", 4200, "3600", "soak")
    yield from script("tests/system/soak", 4200, "3600", "soak_of_a_log_volume")
    yield from script("tests/system/soak", 1800, "1200", "soak_of_lives_that_end_by_kill_9")
