/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <emmintrin.h>

#include "kernel_sets.h"

/* Four words at a time; each addition's carry goes into the next. */
static uint64_t
generic_cksum(const void *data, size_t len, uint64_t sum)
{
	const uint8_t *p = data;

	for (; len >= 32; p += 32, len -= 32) {
		uint64_t w[4];

		memcpy(w, p, sizeof(w));
		sum = kernel_add(sum, w[0]);
		sum = kernel_add(sum, w[1]);
		sum = kernel_add(sum, w[2]);
		sum = kernel_add(sum, w[3]);
	}
	return kernel_add(sum, kernel_tail_sum(p, len));
}

/* SSE2 is part of x86-64, so even the plain set has non-temporal stores. */
static void
generic_copy_nt(void *dst, const void *src, size_t len)
{
	const uint8_t *s = src;
	uint8_t *d = dst;
	size_t head = -(uintptr_t)d & 63;

	if (len < head + 64) {
		memcpy(d, s, len);
		return;
	}
	memcpy(d, s, head);
	d += head;
	s += head;
	len -= head;
	for (; len >= 64; d += 64, s += 64, len -= 64) {
		__m128i a = _mm_loadu_si128((const __m128i *)s);
		__m128i b = _mm_loadu_si128((const __m128i *)(s + 16));
		__m128i c = _mm_loadu_si128((const __m128i *)(s + 32));
		__m128i e = _mm_loadu_si128((const __m128i *)(s + 48));

		_mm_stream_si128((__m128i *)d, a);
		_mm_stream_si128((__m128i *)(d + 16), b);
		_mm_stream_si128((__m128i *)(d + 32), c);
		_mm_stream_si128((__m128i *)(d + 48), e);
	}
	memcpy(d, s, len);
}

static uint64_t
generic_cksum_copy_nt(void *dst, const void *src, size_t len, uint64_t sum)
{
	generic_copy_nt(dst, src, len);
	return generic_cksum(src, len, sum);
}

/* A processor without AVX2 has ISA-L use the lower halves, or pays little. */
static void
generic_end_vectors(void)
{
}

const struct strake_kernels kernel_generic = {
	.isa = "generic",
	.cksum = generic_cksum,
	.copy_nt = generic_copy_nt,
	.cksum_copy_nt = generic_cksum_copy_nt,
	.crc32c = kernel_crc32c,
	.is_zero = kernel_is_zero,
	.end_vectors = generic_end_vectors,
};
