/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "bench_pick.h"

#include <stddef.h>

const char *const bench_pattern_names[BENCH_PATTERNS] = {"read", "write", "randread", "randwrite", "randrw"};

/* xorshift64* */
static uint64_t
random_next(struct bench_pick *p)
{
	uint64_t x = p->rng;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	p->rng = x;
	return x * 0x2545f4914f6cdd1dull;
}

uint64_t
bench_pick_unit(struct bench_pick *p, bool in_order)
{
	uint64_t unit;

	do {
		if (in_order || p->pattern <= BENCH_WRITE) {
			unit = p->next;
			p->next = unit + 1 < p->units ? unit + 1 : 0;
		} else {
			unit = (uint64_t)(((unsigned __int128)random_next(p) * p->units) >> 64);
		}
		/* Two commands on one unit would leave its content to chance. */
	} while (p->gen != NULL && (p->gen[unit] & BENCH_GEN_BUSY) != 0);
	return unit;
}

bool
bench_pick_write(struct bench_pick *p)
{
	switch (p->pattern) {
	case BENCH_WRITE:
	case BENCH_RANDWRITE:
		return true;
	case BENCH_RANDRW:
		return random_next(p) % 100 >= p->rwmix;
	default:
		return false;
	}
}
