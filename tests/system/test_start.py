#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""How `strake` ends when it does not come to serve: each way out says why, in a line and by its exit status, and leaves
nothing behind."""

import os
import resource
import signal
import subprocess
import sys
import time

from harness import ROOT, STRAKE, Skip, check, main, root_only, starved, until


def run(*args, seconds=30, **kw):
    r = subprocess.run([STRAKE, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       timeout=seconds, check=False, **kw)
    return r.returncode, r.stdout.decode(errors="replace")


def case_wrong_command_lines_get_the_usage(b):
    conf = b.write("strake.yaml", b.conf())
    for args in ([], [conf, conf], ["--sharp", conf], ["--json", conf]):
        status, said = run(*args)
        check(status == 2 and "strake [--no-huge] FILE" in said, f"{args}: status {status}: {said}")


def case_files_that_cannot_be_read_are_named(b):
    b.write("long.yaml", "#" * (1 << 20) + "\n")
    for file, why in (("missing.yaml", "No such file"), (".", "directory"), ("long.yaml", "longer than")):
        path = os.path.join(b.folder, file)
        status, said = run(path)
        check(status == 1 and path in said and why in said and len(said.splitlines()) == 1, f"status {status}: {said}")


def refused(b, conf, words, status=3, **kw):
    """Start it, and expect one line with these words after "strake: "."""
    path = b.write("strake.yaml", conf)
    got, said = run(path, **kw)
    lines = [line for line in said.splitlines() if line.startswith("strake: ")]
    check(got == status and len(lines) == 1 and all(w in lines[0] for w in words), f"status {got}: {said}")
    return said


def case_too_little_memory_for_dpdk_is_told(b):
    def little():
        resource.setrlimit(resource.RLIMIT_AS, (512 << 20, 512 << 20))

    refused(b, b.conf(), ["DPDK: ", "did not start"], preexec_fn=little)


def case_too_little_memory_for_the_pools_is_told(b):
    refused(b, b.conf(memory="96MiB"), ["lcores and pools: ", "`memory` is too small"])


def case_a_folder_of_dpdk_that_cannot_be_made_is_told(b):
    root_only()
    folder = os.path.join("/var/run/dpdk", b.name)
    os.makedirs(os.path.dirname(folder), exist_ok=True)
    with open(folder, "w", encoding="ascii"):
        pass
    b.cleanups.append(lambda: os.unlink(folder))
    said = refused(b, b.conf(), ["DPDK: ", "did not start"])
    check(folder in said or "runtime" in said, said)


def case_cpus_that_are_not_there_are_named(b):
    refused(b, b.conf(data_cpus="[1023]"), ["DPDK: ", "CPU 1023"])


def case_control_sockets_that_cannot_be_made_are_named(b):
    b.write("file", "")
    refused(b, b.conf().replace(f"{b.folder}/ctl.sock", f"{b.folder}/file/ctl.sock"), [f"{b.folder}/file/ctl.sock", "`control:`"])


def case_samples_serve_without_root_from_where_they_lie(b):
    """Those on the kernel's sockets, by a user who may write nothing but the folder that they were copied to."""
    root_only()
    nobody = {"user": 65534, "group": 65534, "extra_groups": []}
    os.chmod(b.folder, 0o755)
    try:
        subprocess.run([STRAKE, "--version"], stdout=subprocess.DEVNULL, check=True, **nobody)
    except PermissionError as e:
        raise Skip("this build is for root's eyes only") from e
    for name, key in (("kernel", "quickstart"), ("log", "log")):
        folder = os.path.join(b.folder, name)
        os.mkdir(folder)
        with open(os.path.join(ROOT, "config", "samples", f"{name}.yaml"), encoding="utf-8") as f:
            conf = b.write(f"{name}/strake.yaml", f.read().replace("service: 4420", f"service: {b.port}"))
        for path in (folder, b.write(f"{name}/{key}.key", bytes(range(32)), 0o600)):
            os.chown(path, 65534, 65534)
        with open(os.path.join(folder, "said"), "w", encoding="utf-8") as log:
            p = subprocess.Popen([STRAKE, conf], stdin=subprocess.DEVNULL, stdout=log, stderr=log, **nobody,
                                 env={**os.environ, "XDG_RUNTIME_DIR": folder})
        b.procs.append(p)

        def said():
            with open(log.name, encoding="utf-8") as f:
                return f.read()

        until(lambda: " serves 1 volumes" in said() or p.poll() is not None, 60, "the start or its end",
              lambda: starved(p.pid))
        check(p.poll() is None and "TELEMETRY" not in said(), said())
        b.client(nqn=f"nqn.2026-11.io.strake:{key}").run("verify", "--length", "8M")
        p.terminate()
        check(p.wait(30) == 0, said())


def case_a_second_one_of_the_name_is_refused(b):
    a = b.appliance(b.conf()).start()
    refused(b, b.conf(), ["is running already"])
    other = b.conf().replace("ctl.sock", "other.sock")
    status, said = run(b.write("other.yaml", other))
    check(status == 3 and "another primary process" in said and "its own lines say why" in said, f"status {status}: {said}")
    a.stop()


def case_changes_that_cannot_be_read_are_told(b):
    os.mkdir(os.path.join(b.folder, "state"))
    b.write("state/changes.json", "{")
    status, said = run(b.write("strake.yaml", b.conf()))
    check(status == 1 and "changes.json" in said and len(said.splitlines()) == 1, f"status {status}: {said}")


def case_told_to_stop_while_it_starts_it_ends_in_order(b):
    """SIGTERM at any moment of a start: status 0 and a line, and the next start finds nothing in its way."""
    b.write("v0.key", bytes(range(32)), 0o600)
    conf = b.conf(drives=3, kind="uring", size="256MiB", volume="256MiB", data_cpus="[0, 1]",
                  stages=", stages: [dedup, compress, seal: {key_file: v0.key}]").replace(
                      "raid: 0, chunk: 64KiB, region: 4MiB", "style: log, data: 2, parity: 1")
    a = b.appliance(conf)
    began = time.monotonic()
    a.start()
    took, seen = time.monotonic() - began, set()
    a.stop()
    for i in range(24):
        a.launch()
        time.sleep(took * i / 24)
        handled = until(lambda: takes_signals(a.proc.pid), 30, "its handlers")
        check(handled and a.proc.poll() is None, a.log())
        a.proc.send_signal(signal.SIGTERM)
        status = a.proc.wait(30)
        told = [line for line in a.log().splitlines() if "told to stop before it served" in line]
        check(status == 0 and (told or " serves " in a.log()), f"status {status}:\n{a.log()}")
        check(not os.path.exists(os.path.join(b.folder, "ctl.sock")), "its control socket is left")
        seen.update(told)
    check(len(seen) >= 2, f"it was stopped in the same step always: {seen}")
    a.start().stop()
    b.fsck(drives=3)


def frozen(b):
    """A file system on which nothing grows, so that opening a drive there does not end; and the function that thaws it."""
    root_only()
    where = os.path.join(b.folder, "slow")
    os.mkdir(where)
    with open(where + ".img", "wb") as f:
        f.truncate(512 << 20)
    try:
        b.sh("mkfs.ext4", "-qF", where + ".img")
        b.sh("mount", "-o", "loop", where + ".img", where)
    except subprocess.CalledProcessError as e:
        raise Skip(f"no file system in a file here: {e.stderr.decode(errors='replace').strip()}") from e
    b.cleanups.append(lambda: subprocess.run(["umount", "-l", where], check=False))

    def thaw():
        subprocess.run(["fsfreeze", "-u", where], check=False, stderr=subprocess.DEVNULL)

    b.cleanups.append(thaw)
    return where, thaw


def slow_drive(b, where, drives, raid, slow):
    """The drive `slow` lies on that file system, and is to grow by 4 MiB the next time it is opened."""
    conf = b.conf(drives=drives, raid=raid, kind="uring", size="96MiB").replace(f"path: d{slow}}}", f"path: {where}/d}}")
    a = b.appliance(conf).start()
    b.client().run("verify", "--length", "8M", "--seed", "1")
    a.stop()
    b.sh("fsfreeze", "-f", where)
    return conf.replace(f"size: 96MiB, path: {where}", f"size: 100MiB, path: {where}")


def case_a_silent_drive_holds_up_nobody(b):
    """One half of a mirror does not come to be open: it is named, the other half serves, and has it back when it is."""
    where, thaw = frozen(b)
    a = b.appliance(slow_drive(b, where, 2, 1, 1))
    began = time.monotonic()
    a.start()
    took = time.monotonic() - began
    check(10 < took < 25, f"it began to serve after {took:.1f} s:\n{a.log()}")
    check("drive d1 has not answered for 15 s; group g0 goes on without it" in a.log(), a.log())
    check("drive d0 has not" not in a.log(), a.log())
    b.client().run("verify", "--length", "8M", "--seed", "2")
    check("another command" in a.refused("drive", "add", "d1"), "it is being opened already")
    thaw()
    until(lambda: "drive d1, which was late: its group has it back" in a.log(), 30, "it comes back")
    until(lambda: "in_sync d1" in str(a.ctl("group", "show", "g0")), 60, "it is in sync")
    a.ctl("drive", "fail", "d0")
    b.client().run("verify", "--length", "8M", "--seed", "3")
    a.stop()


def case_a_silent_drive_is_left_when_told_to_stop(b):
    """Nothing can go on without the drive, and that is said; SIGTERM ends the start once the drive lets go of it."""
    where, thaw = frozen(b)
    a = b.appliance(slow_drive(b, where, 2, 0, 1))
    a.launch()
    until(lambda: "drive d1 has not answered for 15 s; nothing goes on without it" in a.log(), 30, "it is named")
    check(a.proc.poll() is None, a.log())
    a.proc.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    thaw()
    status = a.proc.wait(30)
    check(status == 0 and "told to stop before it served (drives)" in a.log(), f"status {status}:\n{a.log()}")


def takes_signals(pid):
    """Whether a process has a handler for SIGTERM: before that, the kernel ends it, and the shell says so."""
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        caught = next(int(line.split()[1], 16) for line in f if line.startswith("SigCgt:"))
    return caught >> (signal.SIGTERM - 1) & 1


def case_closed_descriptors_are_not_taken_for_drives(b):
    """Started without any standard descriptor, what it says must not end up in the first files that it opens."""
    path = b.write("strake.yaml", b.conf(drives=2, raid=1, kind="uring", size="96MiB"))
    p = subprocess.Popen(["sh", "-c", 'exec "$0" "$@" 0<&- 1>&- 2>&-', STRAKE, path], cwd=b.folder)
    b.procs.append(p)
    until(lambda: os.path.exists(os.path.join(b.folder, "ctl.sock")) or p.poll() is not None, 30, "its control socket")
    check(p.poll() is None, f"status {p.returncode}")
    for fd in range(3):
        where = os.readlink(f"/proc/{p.pid}/fd/{fd}")
        check(where == "/dev/null", f"descriptor {fd} is {where}")
    b.client().run("verify", "--length", "8M")
    p.terminate()
    check(p.wait(30) == 0, "its end")


def case_a_reader_of_its_log_that_goes_does_not_end_it(b):
    path = b.write("strake.yaml", b.conf())
    ours, its = os.pipe()
    os.close(ours)
    p = subprocess.Popen([STRAKE, path], stdin=subprocess.DEVNULL, stdout=its, stderr=its)
    b.procs.append(p)
    os.close(its)
    until(lambda: os.path.exists(os.path.join(b.folder, "ctl.sock")) or p.poll() is not None, 30, "its control socket")
    b.client().run("verify", "--length", "8M")
    p.terminate()
    check(p.wait(30) == 0, "its end")


if __name__ == "__main__":
    sys.exit(main(globals()))
