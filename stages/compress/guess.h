/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef COMPRESS_GUESS_H
#define COMPRESS_GUESS_H

/**
 * @file
 * `auto`: is it worth trying to compress these bytes? Two cheap opinions, neither of which is trusted for ever.
 *
 * The look: 512 bytes of the payload, spread over it. Where nearly every value of a byte occurs the bytes are encrypted
 * or compressed already; one in 32 of those is tried all the same, and when it shrinks the look is suspended.
 * The memory: each region of 1 MiB whose last try was in vain is left alone for 1, 3, 7, ... 63 chunks.
 *
 * One struct guess belongs to one lcore.
 */

#include <stdbool.h>
#include <stdint.h>

#include "strake_buf.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GUESS_REGIONS	   1024u
#define GUESS_REGION_SHIFT 20

struct guess {
	struct {
		uint8_t misses; /**< tries in vain, one after the other, 6 at most */
		uint8_t left;	/**< chunks to leave alone */
	} region[GUESS_REGIONS];
	uint32_t looks_random; /**< since the last one that was tried all the same */
	uint32_t suspended;    /**< chunks for which the look is not asked */
};

/** Where the memory of a place lies: @p offset in bytes in volume @p id. */
static inline uint32_t
guess_region(uint64_t id, uint64_t offset)
{
	return (uint32_t)(((id * 0x9e3779b97f4a7c15ULL) >> 40) + (offset >> GUESS_REGION_SHIFT)) % GUESS_REGIONS;
}

/** Try to compress @p len bytes of @p list? Counts down what it remembers: ask once a chunk. */
bool guess_try(struct guess *g, uint32_t region, const struct strake_buf *list, uint32_t len);
/** What came of a try. */
void guess_told(struct guess *g, uint32_t region, bool shrank);

#ifdef __cplusplus
}
#endif

#endif /* COMPRESS_GUESS_H */
