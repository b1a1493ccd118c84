/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef FILE_H
#define FILE_H

#include "source.h"

/** A drive that is a file or a block device. */
struct file {
	struct source s;
	int fd;
};

/** Open it to be read; never closed. @return 0; -1 after a line of say(). */
int file_open(struct file *f, const char *path);

#endif /* FILE_H */
