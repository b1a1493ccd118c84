/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <string.h>

#include "csum.h"

/* The words of 32 bits are independent, so the compiler may sum many at a time; which way is chosen at run time. */
__attribute__((target_clones("avx512f", "avx2", "default"), optimize("O3"))) static uint64_t
sum_words(const uint8_t *p, size_t words)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < words; i++) {
		uint32_t w;

		memcpy(&w, p + 4 * i, sizeof(w));
		sum += w;
	}
	return sum;
}

uint32_t
csum_of(const void *p, size_t n)
{
	const uint8_t *b = p;
	uint64_t sum = sum_words(b, n / 4);
	uint32_t last = 0;

	memcpy(&last, b + (n & ~(size_t)3), n & 3);
	return csum_fold(sum + last);
}
