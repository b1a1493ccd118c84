/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef PROGRESS_H
#define PROGRESS_H

/**
 * @file
 * How far a long transfer is: one line redrawn ten times a second on a terminal, a plain line every five seconds else.
 */

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct progress {
	const char *what;
	uint64_t total, begun, next;
	bool tty, quiet;
};

/** @p now in ns, any monotonic clock, here and below. Output goes to stderr. */
void progress_begin(struct progress *p, const char *what, uint64_t total, bool quiet, uint64_t now);
void progress_update(struct progress *p, uint64_t done, uint64_t now);
/** Ends the line on a terminal; says total, time and rate. */
void progress_end(struct progress *p, uint64_t done, uint64_t now);
/** The line itself, without its end: for tests. @p width columns at most. */
void progress_line(char *out, int outlen, const struct progress *p, uint64_t done, uint64_t now, int width);

#ifdef __cplusplus
}
#endif

#endif /* PROGRESS_H */
