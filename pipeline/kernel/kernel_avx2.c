/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <immintrin.h>

#include "kernel_sets.h"

/* 32-bit words are summed in 64-bit lanes, the even ones and the odd ones apart: no lane can overflow below 16 GiB. */
struct avx2_acc {
	__m256i even, odd;
};

static inline void
avx2_add(struct avx2_acc *acc, __m256i v)
{
	const __m256i low = _mm256_set1_epi64x(0xffffffff);

	acc->even = _mm256_add_epi64(acc->even, _mm256_and_si256(v, low));
	acc->odd = _mm256_add_epi64(acc->odd, _mm256_srli_epi64(v, 32));
}

static inline uint64_t
avx2_fold(const struct avx2_acc *a, const struct avx2_acc *b)
{
	__m256i v = _mm256_add_epi64(_mm256_add_epi64(a->even, a->odd), _mm256_add_epi64(b->even, b->odd));
	uint64_t w[4];

	_mm256_storeu_si256((__m256i *)w, v);
	return w[0] + w[1] + w[2] + w[3];
}

static uint64_t
avx2_cksum(const void *data, size_t len, uint64_t sum)
{
	struct avx2_acc a = {_mm256_setzero_si256(), _mm256_setzero_si256()}, b = a;
	const uint8_t *p = data;

	for (; len >= 128; p += 128, len -= 128) {
		avx2_add(&a, _mm256_loadu_si256((const __m256i *)p));
		avx2_add(&b, _mm256_loadu_si256((const __m256i *)(p + 32)));
		avx2_add(&a, _mm256_loadu_si256((const __m256i *)(p + 64)));
		avx2_add(&b, _mm256_loadu_si256((const __m256i *)(p + 96)));
	}
	for (; len >= 32; p += 32, len -= 32)
		avx2_add(&a, _mm256_loadu_si256((const __m256i *)p));
	sum = kernel_add(sum, avx2_fold(&a, &b));
	return kernel_add(sum, kernel_tail_sum(p, len));
}

static void
avx2_copy_nt(void *dst, const void *src, size_t len)
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
	/* Both halves of a line one after the other, so that the line leaves in one piece. */
	for (; len >= 64; d += 64, s += 64, len -= 64) {
		__m256i v = _mm256_loadu_si256((const __m256i *)s);
		__m256i w = _mm256_loadu_si256((const __m256i *)(s + 32));

		_mm256_stream_si256((__m256i *)d, v);
		_mm256_stream_si256((__m256i *)(d + 32), w);
	}
	memcpy(d, s, len);
}

static uint64_t
avx2_cksum_copy_nt(void *dst, const void *src, size_t len, uint64_t sum)
{
	avx2_copy_nt(dst, src, len);
	return avx2_cksum(src, len, sum);
}

static uint32_t
avx2_crc32c(uint32_t crc, const void *data, size_t len)
{
	crc = kernel_crc32c(crc, data, len);
	_mm256_zeroupper();
	return crc;
}

static bool
avx2_is_zero(const void *data, size_t len)
{
	bool zero = kernel_is_zero(data, len);

	_mm256_zeroupper();
	return zero;
}

static void
avx2_end_vectors(void)
{
	_mm256_zeroupper();
}

const struct strake_kernels kernel_avx2 = {
	.isa = "avx2",
	.cksum = avx2_cksum,
	.copy_nt = avx2_copy_nt,
	.cksum_copy_nt = avx2_cksum_copy_nt,
	.crc32c = avx2_crc32c,
	.is_zero = avx2_is_zero,
	.end_vectors = avx2_end_vectors,
};
