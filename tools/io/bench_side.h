/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef BENCH_SIDE_H
#define BENCH_SIDE_H

/** @file What came of the reads, or of the writes, of a load, and how it is shown. */

#include <stdint.h>

#include <jansson.h>

#include "hist.h"

#ifdef __cplusplus
extern "C" {
#endif

struct bench_side {
	uint64_t ios, bytes, errors;
	struct hist lat; /* ticks */
};

/** @p secs: how long was measured. */
json_t *bench_side_json(const struct bench_side *s, double secs);
/** A table of both on stdout; a side without I/Os is left out. */
void bench_side_print(const struct bench_side *reads, const struct bench_side *writes, double secs);

#ifdef __cplusplus
}
#endif

#endif /* BENCH_SIDE_H */
