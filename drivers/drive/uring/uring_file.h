/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef URING_FILE_H
#define URING_FILE_H

/**
 * @file
 * Opening what a uring drive lies on: a file or a block device, locked, of a known size and alignment.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct uring_file_conf {
	const char *name; /**< of the drive, for messages */
	const char *path;
	uint64_t size;	     /**< make or extend a file to this many bytes; 0: as it is */
	uint32_t block_size; /**< 0: what it lies on wants */
	bool direct;
};

struct uring_file {
	int fd;
	bool device;
	uint64_t bytes;
	uint32_t block_size;
	/** What address and length of each piece of an I/O must be multiples of, bytes; 1 without O_DIRECT. */
	uint32_t mem_align, len_align;
	char serial[64];
};

/** Open, lock, extend and measure. Main. @return 0, or -errno and one line in @p err; then nothing is left behind. */
int uring_file_open(struct uring_file *f, const struct uring_file_conf *conf, char *err, size_t errlen);
void uring_file_close(struct uring_file *f);

#endif /* URING_FILE_H */
