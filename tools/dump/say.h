/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef SAY_H
#define SAY_H

/**
 * @file
 * What was found: one line each on the standard output, counted by how bad it is.
 */

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum say_kind {
	SAY_NOTE,     /**< as it should be after a stop without order; opening the store settles it */
	SAY_MENDABLE, /**< wrong on a drive, and had from the others */
	SAY_BROKEN,   /**< data is lost, or the store contradicts itself */
	SAY_KINDS,
};

/** Lines of each kind that are printed; the rest is only counted. */
#define SAY_LINES 100

/** "wrong: " and the text. */
void say(enum say_kind kind, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
uint64_t say_count(enum say_kind kind);
/** Begin anew; @p quiet: only count. */
void say_reset(int quiet);
/** How many lines were left out. */
void say_end(void);

#ifdef __cplusplus
}
#endif

#endif /* SAY_H */
