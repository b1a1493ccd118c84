/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <immintrin.h>

#include <rte_common.h>

#include "kernel_sets.h"

/*
 * The sum of 16-bit words is the sum of their low bytes plus 256 times the sum of their high bytes, and one VNNI
 * instruction adds four products of bytes to each 32-bit lane: with weights (1, 0, 1, 0) it sums the low bytes of a
 * whole register, with (0, 1, 0, 1) the high ones. Two instructions for 64 bytes, where widening takes four.
 *
 * A lane grows by at most 510 for each register, so a block of 2^22 registers keeps it below 2^31.
 */
#define BLOCK	    ((size_t)1 << 22)

#define WEIGHT_LOW  0x00010001
#define WEIGHT_HIGH 0x01000100

/* Enough independent sums to hide the instruction's latency. */
struct avx512_acc {
	__m512i low[4], high[4];
};

static inline void
avx512_zero(struct avx512_acc *acc)
{
	for (int i = 0; i < 4; i++)
		acc->low[i] = acc->high[i] = _mm512_setzero_si512();
}

static inline void
avx512_add(struct avx512_acc *acc, int i, __m512i v)
{
	acc->low[i] = _mm512_dpbusd_epi32(acc->low[i], v, _mm512_set1_epi32(WEIGHT_LOW));
	acc->high[i] = _mm512_dpbusd_epi32(acc->high[i], v, _mm512_set1_epi32(WEIGHT_HIGH));
}

/* Lanes are below 2^31, as are sums of the four accumulators of a block: widen only in the last step. */
static inline uint64_t
avx512_fold(const struct avx512_acc *acc)
{
	__m512i low = _mm512_add_epi32(_mm512_add_epi32(acc->low[0], acc->low[1]),
				       _mm512_add_epi32(acc->low[2], acc->low[3]));
	__m512i high = _mm512_add_epi32(_mm512_add_epi32(acc->high[0], acc->high[1]),
					_mm512_add_epi32(acc->high[2], acc->high[3]));
	const __m512i even = _mm512_set1_epi64(0xffffffff);
	__m512i l = _mm512_add_epi64(_mm512_and_si512(low, even), _mm512_srli_epi64(low, 32));
	__m512i h = _mm512_add_epi64(_mm512_and_si512(high, even), _mm512_srli_epi64(high, 32));

	return (uint64_t)_mm512_reduce_add_epi64(_mm512_add_epi64(l, _mm512_slli_epi64(h, 8)));
}

static inline __mmask64
avx512_mask(size_t len)
{
	return len >= 64 ? ~0ULL : (1ULL << len) - 1;
}

/* Up to BLOCK registers' worth of bytes; the last, partial register is loaded under a mask. */
static uint64_t
avx512_block(const uint8_t *p, size_t len)
{
	struct avx512_acc acc;
	int i;

	avx512_zero(&acc);
	for (; len >= 256; p += 256, len -= 256) {
#pragma GCC unroll 4
		for (i = 0; i < 4; i++)
			avx512_add(&acc, i, _mm512_loadu_si512(p + 64 * i));
	}
#pragma GCC unroll 4
	for (i = 0; i < 4; i++) {
		size_t n = len < 64 ? len : 64;

		if (n == 0)
			break;
		avx512_add(&acc, i, _mm512_maskz_loadu_epi8(avx512_mask(n), p));
		p += n;
		len -= n;
	}
	return avx512_fold(&acc);
}

static uint64_t
avx512_cksum(const void *data, size_t len, uint64_t sum)
{
	const uint8_t *p = data;

	for (; len > BLOCK * 64; p += BLOCK * 64, len -= BLOCK * 64)
		sum = kernel_add(sum, avx512_block(p, BLOCK * 64));
	return kernel_add(sum, avx512_block(p, len));
}

static void
avx512_copy_nt(void *dst, const void *src, size_t len)
{
	const uint8_t *s = src;
	uint8_t *d = dst;
	size_t head = -(uintptr_t)d & 63;

	if (len < head + 64) {
		memcpy(d, s, len);
		return;
	}
	_mm512_mask_storeu_epi8(d, avx512_mask(head), _mm512_maskz_loadu_epi8(avx512_mask(head), s));
	d += head;
	s += head;
	len -= head;
	for (; len >= 256; d += 256, s += 256, len -= 256) {
		__m512i v0 = _mm512_loadu_si512(s), v1 = _mm512_loadu_si512(s + 64);
		__m512i v2 = _mm512_loadu_si512(s + 128), v3 = _mm512_loadu_si512(s + 192);

		_mm512_stream_si512((__m512i *)d, v0);
		_mm512_stream_si512((__m512i *)(d + 64), v1);
		_mm512_stream_si512((__m512i *)(d + 128), v2);
		_mm512_stream_si512((__m512i *)(d + 192), v3);
	}
	for (; len >= 64; d += 64, s += 64, len -= 64)
		_mm512_stream_si512((__m512i *)d, _mm512_loadu_si512(s));
	_mm512_mask_storeu_epi8(d, avx512_mask(len), _mm512_maskz_loadu_epi8(avx512_mask(len), s));
}

static uint64_t
avx512_cksum_copy_nt(void *dst, const void *src, size_t len, uint64_t sum)
{
	const uint8_t *p = src, *end = p + len;
	uint8_t *d = dst;

	while (p < end) {
		const uint8_t *stop = (size_t)(end - p) > BLOCK * 64 ? p + BLOCK * 64 : end;
		struct avx512_acc acc;

		avx512_zero(&acc);
		for (; p < stop; p += 256, d += 256) {
#pragma GCC unroll 4
			for (int i = 0; i < 4; i++) {
				__m512i v = _mm512_loadu_si512(p + 64 * i);

				_mm512_stream_si512((__m512i *)(d + 64 * i), v);
				avx512_add(&acc, i, v);
			}
		}
		sum = kernel_add(sum, avx512_fold(&acc));
	}
	return sum;
}

static uint32_t
avx512_crc32c(uint32_t crc, const void *data, size_t len)
{
	crc = kernel_crc32c(crc, data, len);
	_mm256_zeroupper();
	return crc;
}

static bool
avx512_is_zero(const void *data, size_t len)
{
	bool zero = kernel_is_zero(data, len);

	_mm256_zeroupper();
	return zero;
}

static void
avx512_end_vectors(void)
{
	_mm256_zeroupper();
}

const struct strake_kernels kernel_avx512 = {
	.isa = "avx512",
	.cksum = avx512_cksum,
	.copy_nt = avx512_copy_nt,
	.cksum_copy_nt = avx512_cksum_copy_nt,
	.crc32c = avx512_crc32c,
	.is_zero = avx512_is_zero,
	.end_vectors = avx512_end_vectors,
};
