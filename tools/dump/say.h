/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef SAY_H
#define SAY_H

/**
 * @file
 * What was found: a line each for who listens, counted by how bad it is.
 */

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum say_kind {
	SAY_NOTE,     /**< as it should be after a stop without order; opening the store settles it */
	SAY_MENDABLE, /**< wrong on a drive, and had from the others */
	SAY_BROKEN,   /**< data is lost, or the store contradicts itself */
	SAY_REFUSED,  /**< a drive cannot be looked at: nothing was proved */
	SAY_KINDS,
};

/** Gets lines, without an end. */
typedef void (*say_fn)(void *arg, enum say_kind kind, const char *line);

/** Lines of each kind that are told; the rest is only counted. */
#define SAY_LINES 100

/** Begin anew; @p fn NULL: only count. */
void say_begin(say_fn fn, void *arg);
void say(enum say_kind kind, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
uint64_t say_count(enum say_kind kind);

#ifdef __cplusplus
}
#endif

#endif /* SAY_H */
