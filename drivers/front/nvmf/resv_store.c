/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * A new state is written beside the old, made durable, and put in its place by rename; then the folder is made durable.
 * Whatever happens, one of the two states is there whole, and the answer to the host comes after the last step.
 */

#include "resv_store.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "resv_format.h"

#define TEMPORARY "reservation.new" /* one is enough: main alone writes */

static char folder[PATH_MAX]; /* "": nothing can persist */
static int folder_fd = -1;    /* -1: not made yet */

/* Make one folder, its name durable in the one above. */
static int
make_folder(const char *path, mode_t mode)
{
	char up[PATH_MAX];
	int fd, ret = 0;

	if (mkdir(path, mode) < 0)
		return errno == EEXIST ? 0 : -errno;
	snprintf(up, sizeof(up), "%s", path);
	fd = open(dirname(up), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		ret = -errno;
	if (fd >= 0)
		close(fd);
	return ret;
}

/* The folder, and those above it: when there is first something to keep. */
static int
make_folders(void)
{
	char path[PATH_MAX];
	int ret;

	if (folder_fd >= 0)
		return 0;
	snprintf(path, sizeof(path), "%s", folder);
	for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		ret = make_folder(path, 0755);
		if (ret < 0)
			return ret;
		*slash = '/';
	}
	ret = make_folder(path, 0700);
	if (ret < 0)
		return ret;
	folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return folder_fd < 0 ? -errno : 0;
}

/* Whether the folder can be made and written: what of its path is there already must be ours to write. */
static int
check_folder(void)
{
	char path[PATH_MAX], *up = path;
	struct stat st;

	snprintf(path, sizeof(path), "%s", folder);
	while (stat(up, &st) < 0) {
		if (errno != ENOENT || strcmp(up, "/") == 0 || strcmp(up, ".") == 0)
			return -errno;
		up = dirname(up);
	}
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	return faccessat(AT_FDCWD, up, W_OK | X_OK, AT_EACCESS) < 0 ? -errno : 0;
}

int
nvmf_store_open(const char *path)
{
	int ret;

	nvmf_store_close();
	if (path == NULL)
		return 0;
	if (snprintf(folder, sizeof(folder), "%s", path) >= (int)sizeof(folder)) {
		folder[0] = '\0';
		return -ENAMETOOLONG;
	}
	ret = check_folder();
	if (ret < 0) {
		folder[0] = '\0';
		return ret;
	}
	folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return folder_fd >= 0 || errno == ENOENT ? 0 : -errno;
}

void
nvmf_store_close(void)
{
	if (folder_fd >= 0)
		close(folder_fd);
	folder_fd = -1;
	folder[0] = '\0';
}

bool
nvmf_store_ready(void)
{
	return folder[0] != '\0';
}

static void
name_of(const uint8_t *u, char name[64])
{
	snprintf(name, 64, "reservation-%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", u[0],
		 u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13], u[14], u[15]);
}

static int
write_all(int fd, const uint8_t *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno != EINTR)
			return -errno;
		data += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

static int
replace(const char *name, const uint8_t *data, size_t len)
{
	int fd = openat(folder_fd, TEMPORARY, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	int ret;

	if (fd < 0)
		return -errno;
	ret = write_all(fd, data, len);
	if (close(fd) < 0 && ret == 0)
		ret = -errno;
	if (ret == 0 && renameat(folder_fd, TEMPORARY, folder_fd, name) < 0)
		ret = -errno;
	if (ret < 0)
		unlinkat(folder_fd, TEMPORARY, 0);
	return ret;
}

int
nvmf_store_save(const struct nvmf_resv_state *st, const uint8_t *uuid)
{
	uint8_t data[NVMF_RESV_FORMAT_MAX];
	char name[64];
	int ret;

	if (!nvmf_store_ready())
		return st->ptpl ? -EROFS : 0;
	if (!st->ptpl && folder_fd < 0)
		return 0;
	ret = make_folders();
	if (ret < 0)
		return ret;
	name_of(uuid, name);
	if (st->ptpl)
		ret = replace(name, data, nvmf_resv_encode(st, uuid, data));
	else if (unlinkat(folder_fd, name, 0) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (ret == 0 && fsync(folder_fd) < 0)
		ret = -errno;
	return ret;
}

int
nvmf_store_load(struct nvmf_resv_state *st, const uint8_t *uuid)
{
	uint8_t data[NVMF_RESV_FORMAT_MAX + 1];
	size_t len = 0;
	char name[64];
	ssize_t n;
	int fd;

	if (folder_fd < 0)
		return -ENOENT;
	name_of(uuid, name);
	fd = openat(folder_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	while (len < sizeof(data) && ((n = read(fd, data + len, sizeof(data) - len)) > 0 || (n < 0 && errno == EINTR)))
		len += n > 0 ? (size_t)n : 0;
	close(fd);
	return nvmf_resv_decode(st, uuid, data, len);
}
