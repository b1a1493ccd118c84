# SPDX-License-Identifier: BSD-3-Clause
"""What a guest boots: the distribution's stock kernel, unpacked and not installed, and an initramfs of this machine's programs."""

import os
import re
import shutil
import struct
import subprocess
import tempfile

HERE = os.path.dirname(os.path.realpath(__file__))
MODULES = ["virtio_pci", "virtio_net", "virtio_blk", "virtio_rng", "null_blk", "tun", "8021q", "vhost_net", "vfio_pci", "vfio_iommu_type1", "nvme", "nvme-tcp", "ext4", "xfs", "sch_netem", "sch_ingress",
           "cls_matchall", "act_mirred", "ifb", "crc32c_generic", "crc32_generic", "crc32c-intel", "crct10dif-pclmul"]
PROGRAMS = ["nvme", "fio", "mkfs.ext4", "e2fsck", "mkfs.xfs", "xfs_repair", "ip", "tc", "ping", "blkdiscard", "dmesg", "ss", "setpriv"]
PATH = "/usr/sbin:/sbin:/usr/bin:/bin"


class CannotHave(Exception):
    """The kernel package or a program is not to be had here."""


def run(*cmd, **kw):
    r = subprocess.run(cmd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, stdin=subprocess.DEVNULL,
                       env={**os.environ, "PATH": PATH}, **kw)
    return r.returncode, r.stdout.decode(errors="replace")


def must(*cmd, **kw):
    status, out = run(*cmd, **kw)
    if status != 0:
        raise CannotHave(f"{' '.join(cmd)}: {out.strip().splitlines()[-1] if out.strip() else status}")
    return out


# --- the kernel ------------------------------------------------------------------------------------------------------


def kernel_package():
    """Name of the package that the distribution's meta package asks for now, unless one is named."""
    if named := os.environ.get("STRAKE_GUEST_KERNEL"):
        return named
    _, out = run("apt-cache", "depends", "linux-image-amd64")
    found = re.search(r"Depends: (linux-image-\S+)", out)
    if not found:
        raise CannotHave("no package linux-image-amd64: no Debian, or no package lists (apt-get update)")
    return found.group(1)


def unpacked_elf(bzimage):
    """The kernel inside a bzImage: QEMU starts it as it is, where an emulated processor would unpack it for seconds."""
    with open(bzimage, "rb") as f:
        b = f.read()
    sectors = b[0x1f1] or 4  # Documentation/x86/boot.rst: setup_sects, payload_offset, payload_length
    offset, length = struct.unpack_from("<II", b, 0x248)
    start = (sectors + 1) * 512 + offset
    tool = ["zstd", "-dc"] if b[start:start + 4] == b"\x28\xb5\x2f\xfd" else ["xz", "-dc", "--single-stream"]
    # The payload's last four bytes are its unpacked size, which the tool takes for trailing rubbish.
    r = subprocess.run(tool, input=b[start:start + length], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                       check=False)
    if r.stdout[:4] != b"\x7fELF":
        raise CannotHave(f"cannot unpack {bzimage}")
    return r.stdout


def fetch_kernel(package, folder):
    release = package.removeprefix("linux-image-")
    with tempfile.TemporaryDirectory() as tmp:
        os.chmod(tmp, 0o755)  # apt-get downloads as another user
        if run("apt-get", "-q", "download", package, cwd=tmp)[0] != 0:
            must("apt-get", "-q", "update")
            must("apt-get", "-q", "download", package, cwd=tmp)
        root = os.path.join(tmp, "root")
        must("dpkg", "-x", os.path.join(tmp, next(f for f in os.listdir(tmp) if f.endswith(".deb"))), root)
        if not os.path.isdir(os.path.join(root, "lib")):
            os.symlink("usr/lib", os.path.join(root, "lib"))
        must("depmod", "-b", root, release)
        with open(os.path.join(folder, "vmlinux"), "wb") as f:
            f.write(unpacked_elf(os.path.join(root, "boot", f"vmlinuz-{release}")))
        build_initramfs(os.path.join(root, "lib", "modules", release), release, os.path.join(folder, "initramfs"))


# --- the initramfs ---------------------------------------------------------------------------------------------------


def module_name(path):
    return os.path.basename(path).split(".ko")[0].replace("-", "_")


def module_closure(tree, wanted):
    """Files of the modules and of all they depend on, softly too (ext4 and nvme-tcp find crc32c that way)."""
    deps, soft = {}, {}
    with open(os.path.join(tree, "modules.dep"), encoding="ascii") as f:
        for line in f:
            path, needs = line.rstrip("\n").split(":", 1)
            deps[module_name(path)] = (path, [module_name(n) for n in needs.split()])
    with open(os.path.join(tree, "modules.softdep"), encoding="ascii") as f:
        for line in f:
            words = line.split()
            if words and words[0] == "softdep":
                soft.setdefault(module_name(words[1]), []).extend(module_name(w) for w in words[2:] if w[-1] != ":")
    todo, seen = [module_name(m) for m in wanted], {}
    while todo:
        name = todo.pop()
        if name in deps and name not in seen:  # what is not there is built in
            seen[name] = deps[name][0]
            todo += deps[name][1] + soft.get(name, [])
    return seen.values()


def copy_modules(tree, release, root):
    target = os.path.join(root, "lib", "modules", release)
    for path in module_closure(tree, MODULES):
        os.makedirs(os.path.dirname(os.path.join(target, path)), exist_ok=True)
        shutil.copy(os.path.join(tree, path), os.path.join(target, path))
        if path.endswith(".xz"):
            must("xz", "-d", os.path.join(target, path))
    for name in ("modules.builtin", "modules.builtin.modinfo", "modules.order"):
        shutil.copy(os.path.join(tree, name), target)
    must("depmod", "-b", root, release)


def copy_program(name, root):
    """A program and the shared libraries it is linked to, at the places they have here."""
    path = shutil.which(name, path=PATH)
    if path is None:
        raise CannotHave(f"no {name}")
    shutil.copy(os.path.realpath(path), os.path.join(root, "usr/bin", os.path.basename(name)))
    copy_libraries(path, root)


def copy_libraries(path, root):
    """What a program or a library is linked to."""
    for lib in re.findall(r"(/\S+) \(0x", run("ldd", path)[1]):
        if not os.path.exists(root + lib):
            os.makedirs(os.path.dirname(root + lib), exist_ok=True)
            shutil.copy(os.path.realpath(lib), root + lib)


def build_initramfs(tree, release, out):
    busybox = shutil.which("busybox", path=PATH)
    if busybox is None or "not a dynamic" not in run("ldd", busybox)[1]:
        raise CannotHave("no static busybox")
    with tempfile.TemporaryDirectory() as root:
        for d in ("bin", "sbin", "dev", "proc", "sys", "tmp", "run", "mnt", "etc/nvme", "root", "usr/bin", "usr/lib"):
            os.makedirs(os.path.join(root, d), exist_ok=True)
        shutil.copy(busybox, os.path.join(root, "bin/busybox"))
        for applet in must(busybox, "--list").split():
            if applet not in ("busybox", "sh", "ash"):
                os.symlink("busybox", os.path.join(root, "bin", applet))
        # busybox's own shell would take its applets before the programs below: dash does not.
        copy_program("dash", root)
        os.symlink("../usr/bin/dash", os.path.join(root, "bin/sh"))
        os.symlink("../bin/busybox", os.path.join(root, "sbin/modprobe"))  # the kernel itself calls this path
        for p in PROGRAMS:
            copy_program(p, root)
        copy_modules(tree, release, root)
        shutil.copy(os.path.join(HERE, "init.sh"), os.path.join(root, "init"))
        shutil.copy(os.path.join(HERE, "lib.sh"), os.path.join(root, "lib.sh"))
        if os.path.exists("/etc/mke2fs.conf"):
            shutil.copy("/etc/mke2fs.conf", os.path.join(root, "etc"))
        for name, text in (("etc/passwd", "root:x:0:0::/root:/bin/sh\n"), ("etc/hosts", "127.0.0.1 localhost\n"),
                           ("etc/nvme/hostid", "5f1c2a90-3b1f-4a07-9c43-0c6b6f1d2e77\n"), ("etc/nvme/hostnqn",
                            "nqn.2014-08.org.nvmexpress:uuid:5f1c2a90-3b1f-4a07-9c43-0c6b6f1d2e77\n")):
            with open(os.path.join(root, name), "w", encoding="ascii") as f:
                f.write(text)
        os.chmod(os.path.join(root, "init"), 0o755)
        # Not compressed: the guest reads plain bytes faster than it unpacks packed ones.
        must("sh", "-c", f"find . | sort | cpio -o -H newc --quiet -R 0:0 > {out}", cwd=root)


def age_of(path):
    return os.path.getmtime(path)


def image(cache):
    """Returns (kernel, initramfs), made if this version of both is not in the cache folder yet."""
    package = kernel_package()
    folder = os.path.join(cache, package)
    kernel, initramfs = os.path.join(folder, "vmlinux"), os.path.join(folder, "initramfs")
    sources = [os.path.join(HERE, f) for f in ("image.py", "init.sh", "lib.sh")]
    if not os.path.exists(initramfs) or age_of(initramfs) < max(age_of(s) for s in sources):
        os.makedirs(folder, exist_ok=True)
        fetch_kernel(package, folder)
    return kernel, initramfs
