/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <string.h>

#include <rte_common.h>

#include "guess.h"

#define SPOTS	   32u
#define SPOT_BYTES 16u
#define RANDOM_FROM                                                                                                    \
	196u /* distinct values among 512: 221 are to be expected of random bytes, with a deviation of 5               \
	      */
#define TRY_EVERY  32u
#define SUSPEND	   1024u
#define MISSES_MAX 6u

struct seen {
	uint64_t bits[4];
};

static inline void
look_at(struct seen *s, const uint8_t *at, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++)
		s->bits[at[i] >> 6] |= 1ULL << (at[i] & 63);
}

/* A peer may change the bytes meanwhile: it only changes an opinion. */
static bool
looks_random(const struct strake_buf *list, uint32_t len)
{
	const uint32_t step = len / SPOTS;
	struct seen seen = {{0}};
	uint32_t begin = 0, spot = 0;
	unsigned int distinct = 0;

	if (step < SPOT_BYTES)
		return false;
	for (; list != NULL && spot < SPOTS; begin += list->len, list = list->next)
		for (; spot < SPOTS && spot * step < begin + list->len; spot++) {
			uint32_t off = spot * step - begin;

			look_at(&seen, list->addr + off, RTE_MIN(SPOT_BYTES, list->len - off));
		}
	for (unsigned int i = 0; i < RTE_DIM(seen.bits); i++)
		distinct += (unsigned int)__builtin_popcountll(seen.bits[i]);
	return distinct >= RANDOM_FROM;
}

bool
guess_try(struct guess *g, uint32_t region, const struct strake_buf *list, uint32_t len)
{
	if (g->region[region].left > 0) {
		g->region[region].left--;
		return false;
	}
	if (g->suspended > 0) {
		g->suspended--;
		return true;
	}
	return !looks_random(list, len) || ++g->looks_random % TRY_EVERY == 0;
}

void
guess_told(struct guess *g, uint32_t region, bool shrank)
{
	if (shrank) {
		g->region[region].misses = 0;
		/* It looked random and was not. */
		if (g->looks_random >= TRY_EVERY)
			g->suspended = SUSPEND;
		g->looks_random %= TRY_EVERY;
		return;
	}
	g->looks_random %= TRY_EVERY;
	if (g->region[region].misses < MISSES_MAX)
		g->region[region].misses++;
	g->region[region].left = (uint8_t)((1u << g->region[region].misses) - 1);
}
