/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef KERNEL_SETS_H
#define KERNEL_SETS_H

/** The sets, one file each, and what they share. */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "strake_kernel.h"

extern const struct strake_kernels kernel_generic, kernel_avx2, kernel_avx512;

/* ISA-L chooses by itself what the processor has. It does not end its use of wide registers: each set that may have
 * them does so after it. */
uint32_t kernel_crc32c(uint32_t crc, const void *data, size_t len);
bool kernel_is_zero(const void *data, size_t len);

/** One's-complement addition: the carry comes in again at the low end. */
static inline uint64_t
kernel_add(uint64_t a, uint64_t b)
{
	a += b;
	return a + (a < b);
}

/** Sum of the 0 to 63 bytes a vector loop leaves. */
static inline uint64_t
kernel_tail_sum(const uint8_t *p, size_t len)
{
	uint64_t sum = 0, word;

	for (; len >= 8; p += 8, len -= 8) {
		memcpy(&word, p, 8);
		sum = kernel_add(sum, word);
	}
	if (len > 0) {
		word = 0;
		memcpy(&word, p, len);
		sum = kernel_add(sum, word);
	}
	return sum;
}

#endif /* KERNEL_SETS_H */
