/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BYTES_MAX (16 << 20)

long
state_read(const char *folder, const char *name, char **out)
{
	char path[PATH_MAX];
	struct stat st;
	ssize_t n = -1;
	long ret;
	int fd;

	if (snprintf(path, sizeof(path), "%s/%s", folder, name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
	*out = NULL;
	ret = fstat(fd, &st) < 0 ? -errno : st.st_size > BYTES_MAX ? -EFBIG : 0;
	if (ret == 0) {
		*out = malloc((size_t)st.st_size + 1);
		n = *out != NULL ? read(fd, *out, (size_t)st.st_size) : -1;
		ret = n == st.st_size ? (long)n : n < 0 ? -errno : -EIO;
	}
	close(fd);
	if (ret <= 0) {
		free(*out);
		return ret == 0 ? -ENODATA : ret; /* an empty one was not written by us */
	}
	(*out)[ret] = '\0';
	return ret;
}

static int
sync_folder(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), ret;

	if (fd < 0)
		return -errno;
	ret = fsync(fd) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

/* Make one folder, its name durable in the one above. */
static int
make_one(const char *path, mode_t mode)
{
	char up[PATH_MAX];

	if (mkdir(path, mode) < 0)
		return errno == EEXIST ? 0 : -errno;
	snprintf(up, sizeof(up), "%s", path);
	return sync_folder(dirname(up));
}

static int
make_folder(const char *folder)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s", folder) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		int ret;

		*slash = '\0';
		ret = make_one(path, 0755);
		if (ret < 0)
			return ret;
		*slash = '/';
	}
	return make_one(path, 0700);
}

static int
write_new(const char *path, const char *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600), ret = 0;

	if (fd < 0)
		return -errno;
	while (ret == 0 && len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno != EINTR)
			ret = -errno;
		data += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
	if (ret == 0 && fsync(fd) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

int
state_write(const char *folder, const char *name, const char *data, size_t len)
{
	char path[PATH_MAX], fresh[PATH_MAX];
	int ret = make_folder(folder);

	if (ret < 0)
		return ret;
	if (snprintf(path, sizeof(path), "%s/%s", folder, name) >= (int)sizeof(path) ||
	    snprintf(fresh, sizeof(fresh), "%s/%s.new", folder, name) >= (int)sizeof(fresh))
		return -ENAMETOOLONG;
	ret = write_new(fresh, data, len);
	if (ret == 0 && rename(fresh, path) < 0)
		ret = -errno;
	if (ret < 0) {
		unlink(fresh);
		return ret;
	}
	return sync_folder(folder);
}
