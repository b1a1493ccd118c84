/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "log_super_format.h"
#include "say.h"

static int
file_read(const struct source *s, uint64_t off, void *to, size_t len)
{
	const struct file *f = (const struct file *)s; /* s is first */

	for (size_t got = 0; got < len;) {
		ssize_t n = pread(f->fd, (uint8_t *)to + got, len - got, (off_t)(off + got));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		got += (size_t)n;
	}
	return 0;
}

static int
fail(const char *path, const char *text)
{
	say(SAY_REFUSED, "%s: %s", path, text);
	return -1;
}

/* An appliance that runs holds a lock on each of its drives. */
int
file_open(struct file *f, const char *path)
{
	struct flock fl = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
	off_t end;

	f->s.name = path;
	f->s.read = file_read;
	f->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (f->fd < 0)
		return fail(path, strerror(errno));
	if (fcntl(f->fd, F_OFD_SETLK, &fl) < 0 && (errno == EAGAIN || errno == EACCES))
		return fail(path, "an appliance has it open; stop that first");
	end = lseek(f->fd, 0, SEEK_END);
	if (end < (off_t)(LOG_INTENTS_OFF))
		return fail(path, end < 0 ? strerror(errno) : "too small to be a member of a log group");
	f->s.bytes = (uint64_t)end;
	return 0;
}
