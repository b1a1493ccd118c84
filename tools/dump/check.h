/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef CHECK_H
#define CHECK_H

/**
 * @file
 * A store proved from its drives: what strake-fsck does, for who has drives. Findings go to say().
 */

#include <stdbool.h>
#include <stdint.h>

#include "say.h"
#include "source.h"

#ifdef __cplusplus
extern "C" {
#endif

/** What was looked at. */
struct check {
	uint64_t blocks, chunks, rows;
	bool clean; /**< the store was closed in order */
};

enum check_show {
	CHECK_SHOW_NOTHING,
	CHECK_SHOW_STORE,    /**< print what is there */
	CHECK_SHOW_SEGMENTS, /**< and every segment in use */
};

/** All of a group's drives, in any order. @return 0; -1: they make no group, and say() was told why. */
int check_drives(struct check *c, const struct source *const *drive, unsigned int n, enum check_show show);

#ifdef __cplusplus
}
#endif

#endif /* CHECK_H */
