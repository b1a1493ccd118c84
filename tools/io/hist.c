/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <math.h>
#include <string.h>

#include "hist.h"

/* Buckets that are shown as one. */
#define STEP (1u << (HIST_SUB_SHIFT - 3))

void
hist_init(struct hist *h)
{
	memset(h, 0, sizeof(*h));
	h->min = UINT64_MAX;
}

void
hist_merge(struct hist *to, const struct hist *from)
{
	to->count += from->count;
	to->sum += from->sum;
	if (from->max > to->max)
		to->max = from->max;
	if (from->min < to->min)
		to->min = from->min;
	for (unsigned int b = 0; b < HIST_BUCKETS; b++)
		to->bucket[b] += from->bucket[b];
}

uint64_t
hist_floor(unsigned int b)
{
	unsigned int octave = b >> HIST_SUB_SHIFT;
	uint64_t sub = b & ((1u << HIST_SUB_SHIFT) - 1);

	if (octave == 0)
		return sub;
	return ((1ull << HIST_SUB_SHIFT) + sub) << (octave - 1);
}

/* The largest value of bucket @p b, if there was one as large. */
static uint64_t
upper_edge(const struct hist *h, unsigned int b)
{
	uint64_t edge = b < HIST_BUCKETS - 1 ? hist_floor(b + 1) - 1 : h->max;

	return edge < h->max ? edge : h->max;
}

uint64_t
hist_quantile(const struct hist *h, double q)
{
	uint64_t rank = (uint64_t)ceil(q * (double)h->count), seen = 0;

	if (h->count == 0)
		return 0;
	if (rank == 0)
		rank = 1;
	for (unsigned int b = 0; b < HIST_BUCKETS - 1; b++) {
		seen += h->bucket[b];
		if (seen >= rank)
			return upper_edge(h, b);
	}
	return h->max;
}

void
hist_each(const struct hist *h, void (*fn)(uint64_t upper, uint64_t count, void *arg), void *arg)
{
	for (unsigned int b = 0; b < HIST_BUCKETS; b += STEP) {
		uint64_t count = 0;

		for (unsigned int i = b; i < b + STEP; i++)
			count += h->bucket[i];
		if (count > 0)
			fn(upper_edge(h, b + STEP - 1), count, arg);
	}
}
