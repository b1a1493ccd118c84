# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Strake authors
"""What the machine itself takes to wake a process that sleeps on an idle CPU: what no program that sleeps can beat."""

import ctypes
import os
import select
import time

from appliance import favoured

EVERY_NS = 20_000_000


def pinned(cpu):
    os.sched_setaffinity(0, {cpu})
    ctypes.CDLL(None).prctl(29, 1000, 0, 0, 0)  # PR_SET_TIMERSLACK


def sleeper(cpu, wake, out):
    """Tell on @out when each wake-up arrived."""
    favoured()
    pinned(cpu)
    asleep = select.poll()
    asleep.register(wake, select.POLLIN)
    while True:
        asleep.poll()
        now = time.monotonic_ns()
        if os.eventfd_read(wake) > 1:
            os._exit(0)
        os.write(out, now.to_bytes(8, "little"))


def floor(client_cpu, data_cpu, seconds):
    """Wake a process on @data_cpu by an eventfd every 20 ms. Median and 99th percentile, ns."""
    wake, (back, out) = os.eventfd(0), os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            sleeper(data_cpu, wake, out)
        finally:
            os._exit(1)
    before, took = os.sched_getaffinity(0), []
    try:
        pinned(client_cpu)
        due = time.monotonic_ns()
        for _ in range(max(10, int(seconds * 1e9 / EVERY_NS))):
            due = max(due + EVERY_NS, time.monotonic_ns())
            time.sleep(max(0, due - time.monotonic_ns()) / 1e9)
            sent = time.monotonic_ns()
            os.eventfd_write(wake, 1)
            took.append(int.from_bytes(os.read(back, 8), "little") - sent)
    finally:
        os.eventfd_write(wake, 2)
        os.waitpid(pid, 0)
        os.sched_setaffinity(0, before)
        for fd in (wake, back, out):
            os.close(fd)
    took.sort()
    return {"p50": took[len(took) // 2], "p99": took[min(len(took) - 1, len(took) * 99 // 100)]}
