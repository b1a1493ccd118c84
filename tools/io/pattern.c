/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <string.h>

#include "pattern.h"

#define STEP 0x9e3779b97f4a7c15ull /* odd, half its bits set: no two words of a block are equal */

static uint64_t
mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

static uint64_t
start_of(uint64_t seed, uint64_t lba, uint32_t gen)
{
	return mix(mix(seed + STEP) + lba * STEP + mix(gen));
}

static uint64_t
word_of(uint64_t start, uint32_t i)
{
	uint64_t x = start + i * STEP;

	return x ^ (x >> 32);
}

void
pattern_fill(void *buf, uint32_t len, uint64_t seed, uint64_t lba, uint32_t shift, uint32_t gen)
{
	uint32_t words = 1u << (shift - 3);
	uint64_t *to = buf;

	for (; len > 0; len -= 1u << shift, lba++, to += words) {
		uint64_t start = start_of(seed, lba, gen);

		for (uint32_t i = 0; i < words; i++)
			to[i] = word_of(start, i);
	}
}

int64_t
pattern_check(const void *buf, uint32_t len, uint64_t seed, uint64_t lba, uint32_t shift, uint32_t gen)
{
	uint32_t words = 1u << (shift - 3);
	const uint64_t *from = buf;

	for (uint32_t at = 0; at < len; at += 1u << shift, lba++, from += words) {
		uint64_t start = start_of(seed, lba, gen), diff = 0;

		for (uint32_t i = 0; i < words; i++)
			diff |= from[i] ^ word_of(start, i);
		for (uint32_t i = 0; diff != 0 && i < words; i++)
			if (from[i] != word_of(start, i))
				return (int64_t)at + i * 8;
	}
	return -1;
}
