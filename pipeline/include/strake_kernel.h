/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef STRAKE_KERNEL_H
#define STRAKE_KERNEL_H

/**
 * @file
 * Hot loops, compiled for each instruction set and chosen once at start-up by what the processor has.
 *
 * Every variant gives the same bytes; tests hold each that this processor can run against the plain C one.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct strake_kernels {
	const char *isa; /**< "generic", "avx2", "avx512" */
	/** One's-complement sum (RFC 1071) of @p len bytes in memory order, added to @p sum, not folded to 16 bits nor
	 * inverted. Any alignment; an odd last byte counts as if a zero followed. */
	uint64_t (*cksum)(const void *data, size_t len, uint64_t sum);
	/** Copy past the cache (non-temporal stores where the ISA has them), for bytes nobody reads soon. Not fenced,
	 * because a fence costs as much as the copy of a page: strake_kernel_fence() before another core or a device
	 * may look. This core sees its own stores at once. */
	void (*copy_nt)(void *dst, const void *src, size_t len);
	/** cksum() of @p src and copy_nt() in one: @p dst at a multiple of 64 bytes, @p len a multiple of 256. */
	uint64_t (*cksum_copy_nt)(void *dst, const void *src, size_t len, uint64_t sum);
	/** CRC32C (Castagnoli, RFC 3720): @p crc is the value so far, 0 at first; inversion is done inside. */
	uint32_t (*crc32c)(uint32_t crc, const void *data, size_t len);
	/** True when all bytes are zero. */
	bool (*is_zero)(const void *data, size_t len);
	/** To be called after code of others that leaves the upper halves of the vector registers in use, as all of
	 * ISA-L does: until then each SSE instruction, of which all else here and liblz4 are made, waits for them. */
	void (*end_vectors)(void);
};

/** The chosen set; never NULL. */
extern const struct strake_kernels *strake_kernel;

/** The @p i-th set this processor can run, plain C first, or NULL. */
const struct strake_kernels *strake_kernel_nth(unsigned int i);

/** Order everything copy_nt() stored before whatever is stored later. */
static inline void
strake_kernel_fence(void)
{
	__asm__ volatile("sfence" ::: "memory");
}

/** Fold a 64-bit one's-complement sum to the 16-bit Internet checksum, inverted, in memory order. */
static inline uint16_t
strake_cksum_fold(uint64_t sum)
{
	sum = (sum & 0xffffffffu) + (sum >> 32);
	sum = (sum & 0xffffffffu) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

#ifdef __cplusplus
}
#endif

#endif /* STRAKE_KERNEL_H */
