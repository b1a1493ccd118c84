/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "uring_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <rte_common.h>

/* One line for the operator: drive, path, what is wrong. */
#define FAIL(conf, err, errlen, ret, fmt, ...)                                                                         \
	(snprintf(err, errlen, "drive %s: %s: " fmt, (conf)->name, (conf)->path, ##__VA_ARGS__), (ret))

static int
open_fd(struct uring_file *f, const struct uring_file_conf *conf, bool *created, char *err, size_t errlen)
{
	int flags = O_RDWR | O_CLOEXEC | (conf->direct ? O_DIRECT : 0);
	struct stat st;

	*created = false;
	if (stat(conf->path, &st) == 0) {
		f->device = S_ISBLK(st.st_mode);
		if (!f->device && !S_ISREG(st.st_mode))
			return FAIL(conf, err, errlen, -EINVAL, "neither a file nor a block device");
		/* The kernel refuses a device exclusively that is mounted, or held by a RAID or a volume manager. */
		f->fd = open(conf->path, flags | (f->device ? O_EXCL : 0));
	} else if (errno == ENOENT && strncmp(conf->path, "/dev/", 5) == 0 &&
		   strncmp(conf->path, "/dev/shm/", 9) != 0) {
		/* What would be made there is a file in memory, in the place of the device that is meant. */
		return FAIL(conf, err, errlen, -ENOENT, "there is no such device");
	} else if (errno == ENOENT && conf->size > 0) {
		f->fd = open(conf->path, flags | O_CREAT | O_EXCL, 0600);
		*created = f->fd >= 0;
	} else {
		return errno == ENOENT ? FAIL(conf, err, errlen, -ENOENT, "does not exist; give `size:` to create it")
				       : FAIL(conf, err, errlen, -errno, "%s", strerror(errno));
	}
	if (f->fd >= 0)
		return 0;
	if (errno == EINVAL && conf->direct) {
		/* Linux makes the file before it finds out. */
		if (stat(conf->path, &st) == 0 && st.st_size == 0 && conf->size > 0 && !f->device)
			unlink(conf->path);
		return FAIL(conf, err, errlen, -EINVAL,
			    "no direct I/O here; put it on another file system or set "
			    "`direct: false`");
	}
	if (errno == EBUSY && f->device)
		return FAIL(conf, err, errlen, -EBUSY, "the device is mounted or used by something else");
	return FAIL(conf, err, errlen, -errno, "%s", strerror(errno));
}

/* An open-file-description lock: also two openings inside one process exclude each other. */
static int
lock(const struct uring_file *f, const struct uring_file_conf *conf, char *err, size_t errlen)
{
	struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (fcntl(f->fd, F_OFD_SETLK, &fl) == 0)
		return 0;
	if (errno == EAGAIN || errno == EACCES)
		return FAIL(conf, err, errlen, -EBUSY, "another drive or another appliance has it open");
	return FAIL(conf, err, errlen, -errno, "cannot be locked: %s", strerror(errno));
}

/* Extend from @p have to conf->size with blocks behind it, so that a full disk is met here and not by a host. */
static int
extend(const struct uring_file *f, const struct uring_file_conf *conf, uint64_t have, char *err, size_t errlen)
{
	struct statvfs vfs;
	struct rlimit lim;
	int ret;

	/* Asking first, because fallocate takes all there is before it fails, and others write here too. */
	if (fstatvfs(f->fd, &vfs) == 0 && (uint64_t)vfs.f_bavail * vfs.f_frsize < conf->size - have)
		return FAIL(conf, err, errlen, -ENOSPC, "its file system has no room for %" PRIu64 " MiB more",
			    (conf->size - have) >> 20);
	/* Beyond the limit the kernel would end the process by a signal. */
	if (getrlimit(RLIMIT_FSIZE, &lim) == 0 && lim.rlim_cur != RLIM_INFINITY && conf->size > lim.rlim_cur)
		return FAIL(conf, err, errlen, -EFBIG,
			    "%" PRIu64 " bytes are more than this process may write to a file "
			    "(ulimit -f)",
			    conf->size);
	do
		ret = fallocate(f->fd, 0, (off_t)have, (off_t)(conf->size - have));
	while (ret < 0 && errno == EINTR);
	if (ret == 0)
		return 0;
	ret = -errno;
	/* A part of it may have been taken. */
	if (ftruncate(f->fd, (off_t)have) < 0 && have > 0)
		return FAIL(conf, err, errlen, ret, "half extended to %" PRIu64 " bytes: %s", conf->size,
			    strerror(-ret));
	if (ret == -ENOSPC)
		return FAIL(conf, err, errlen, ret, "its file system has no room for %" PRIu64 " MiB more",
			    (conf->size - have) >> 20);
	if (ret == -EOPNOTSUPP)
		return FAIL(conf, err, errlen, ret, "its file system cannot reserve space (fallocate)");
	return FAIL(conf, err, errlen, ret, "cannot be extended to %" PRIu64 " bytes: %s", conf->size, strerror(-ret));
}

/* What address and length of a direct I/O must be multiples of. */
static int
alignment(struct uring_file *f, const struct uring_file_conf *conf, char *err, size_t errlen)
{
	uint32_t least = 512;
	struct statx stx;
	int sector;

	f->mem_align = f->len_align = 1;
	if (conf->direct) {
		f->mem_align = 512;
		if (statx(f->fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &stx) == 0 &&
		    (stx.stx_mask & STATX_DIOALIGN) != 0 && stx.stx_dio_offset_align != 0) {
			f->mem_align = RTE_MAX(stx.stx_dio_mem_align, 1u);
			least = RTE_MAX(stx.stx_dio_offset_align, 512u);
		} else if (f->device && ioctl(f->fd, BLKSSZGET, &sector) == 0) {
			least = (uint32_t)sector;
			f->mem_align = least;
		}
		f->len_align = least;
	}
	f->block_size = conf->block_size != 0 ? conf->block_size : least;
	if (f->block_size != 512 && f->block_size != 4096)
		return FAIL(conf, err, errlen, -EINVAL, "block size %u; expected 512 or 4096", f->block_size);
	if (f->block_size < least)
		return FAIL(conf, err, errlen, -EINVAL, "block_size %u; it takes multiples of %u", f->block_size,
			    least);
	return 0;
}

static int
measure(struct uring_file *f, const struct uring_file_conf *conf, bool created, char *err, size_t errlen)
{
	struct stat st;
	uint64_t have;
	int ret;

	if (fstat(f->fd, &st) < 0)
		return FAIL(conf, err, errlen, -errno, "%s", strerror(errno));
	have = (uint64_t)st.st_size;
	if (f->device && ioctl(f->fd, BLKGETSIZE64, &have) < 0)
		return FAIL(conf, err, errlen, -errno, "%s", strerror(errno));
	if (conf->size > have) {
		if (f->device)
			return FAIL(conf, err, errlen, -EINVAL, "`size:` is %" PRIu64 ", the device has %" PRIu64,
				    conf->size, have);
		ret = extend(f, conf, have, err, errlen);
		if (ret < 0)
			return ret;
		have = conf->size;
	}
	f->bytes = RTE_ALIGN_FLOOR(have, (uint64_t)f->block_size);
	if (f->bytes == 0)
		return FAIL(conf, err, errlen, -EINVAL, "is empty; give `size:`");
	return 0;
}

static void
serial(struct uring_file *f)
{
	static const char *const places[] = {"/sys/dev/block/%u:%u/serial", "/sys/dev/block/%u:%u/device/serial"};
	struct stat st = {0};

	fstat(f->fd, &st);
	snprintf(f->serial, sizeof(f->serial), "file-%" PRIx64 "-%" PRIu64, (uint64_t)st.st_dev, (uint64_t)st.st_ino);
	for (unsigned int i = 0; f->device && i < RTE_DIM(places); i++) {
		char path[64], line[sizeof(f->serial)];
		FILE *in;

		snprintf(path, sizeof(path), i == 0 ? places[0] : places[1], major(st.st_rdev), minor(st.st_rdev));
		in = fopen(path, "re");
		if (in == NULL)
			continue;
		if (fgets(line, sizeof(line), in) != NULL && line[0] > ' ')
			snprintf(f->serial, sizeof(f->serial), "%.*s", (int)strcspn(line, "\n"), line);
		fclose(in);
	}
}

int
uring_file_open(struct uring_file *f, const struct uring_file_conf *conf, char *err, size_t errlen)
{
	bool created;
	int ret;

	*f = (struct uring_file){.fd = -1};
	ret = open_fd(f, conf, &created, err, errlen);
	if (ret < 0)
		return ret;
	ret = lock(f, conf, err, errlen);
	if (ret < 0)
		goto err_close;
	ret = alignment(f, conf, err, errlen);
	if (ret < 0)
		goto err_unlink;
	ret = measure(f, conf, created, err, errlen);
	if (ret < 0)
		goto err_unlink;
	serial(f);
	return 0;

err_unlink:
	if (created)
		unlink(conf->path);
err_close:
	close(f->fd);
	f->fd = -1;
	return ret;
}

void
uring_file_close(struct uring_file *f)
{
	struct flock fl = {.l_type = F_UNLCK, .l_whence = SEEK_SET};

	/* A ring may hold the open file, and with it the lock, a moment longer than we do. */
	fcntl(f->fd, F_OFD_SETLK, &fl);
	close(f->fd);
	f->fd = -1;
}
