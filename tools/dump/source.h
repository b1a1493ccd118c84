/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef SOURCE_H
#define SOURCE_H

/**
 * @file
 * Where the bytes of a drive come from: a file or device, or whatever a test has for one.
 */

#include <stddef.h>
#include <stdint.h>

struct source {
	const char *name; /**< as findings name it */
	uint64_t bytes;
	/** @return 0; -1: they cannot be read. */
	int (*read)(const struct source *s, uint64_t off, void *to, size_t len);
};

#endif /* SOURCE_H */
