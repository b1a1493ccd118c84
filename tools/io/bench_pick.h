/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef BENCH_PICK_H
#define BENCH_PICK_H

/** @file Which command of a load is next: a read or a write, and where. */

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum bench_pattern { BENCH_READ, BENCH_WRITE, BENCH_RANDREAD, BENCH_RANDWRITE, BENCH_RANDRW, BENCH_PATTERNS };

extern const char *const bench_pattern_names[BENCH_PATTERNS];

/** In the generation of a unit: a command on it is under way. */
#define BENCH_GEN_BUSY 0x80000000u

struct bench_pick {
	enum bench_pattern pattern;
	uint32_t rwmix; /**< percentage of reads in BENCH_RANDRW */
	uint64_t units; /**< pieces as long as a command, from 0 */
	uint64_t next;	/**< of those taken in order */
	uint64_t rng;	/**< not 0 */
	uint32_t *gen;	/**< how often each unit was written, 0: nothing is known of it; NULL: nobody verifies */
};

uint64_t bench_pick_unit(struct bench_pick *p, bool in_order);
bool bench_pick_write(struct bench_pick *p);

#ifdef __cplusplus
}
#endif

#endif /* BENCH_PICK_H */
