/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef STRAKE_ADVICE_H
#define STRAKE_ADVICE_H

/**
 * @file
 * What de-duplication says of a write, and what became of it.
 *
 * The dedup stage hangs it on the request on the way down, the volume decides and writes back where each block lies,
 * the dedup stage reads that on the way up and lets it go. Advice may be wrong: the volume confirms it.
 *
 * block[i] speaks of the i-th block of 4 KiB that the request touches, counted from the one its first byte lies in, so
 * that the first and the last may be touched in part (neither valid nor zero). Blocks from n on have no advice.
 */

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Bytes that de-duplication works on. */
#define STRAKE_ADVICE_BLOCK 4096u
/** Blocks of the longest request that is advised on. */
#define STRAKE_ADVICE_MAX 32u
/** Bytes of a fingerprint: SHA-256 cut to 192 bits, or a fast hash and zeroes. */
#define STRAKE_ADVICE_FP 24u

struct strake_advice_block {
	uint8_t fp[STRAKE_ADVICE_FP];
	/** The store's word for a place; 0: none is known. In: candidate. Out: where it lies, or 0 if that is not known
	 * yet or shall not be shared; left as it came with hit unset, the candidate was refused. */
	uint64_t where;
	uint64_t owner_lba; /**< first owner's block, in units of 4 KiB */
	uint32_t owner_vol; /**< first owner's volume, the store's number */
	uint8_t valid;	    /**< fp is set (a whole, aligned block) */
	uint8_t hit;	    /**< out: shared, not stored */
	uint8_t zero;	    /**< a whole, aligned block of zeroes: a hole is enough. Never with valid. */
	uint8_t differs;    /**< out: bytes were compared and are not those at the candidate; hit is unset */
};

struct strake_advice {
	struct strake_advice *next; /**< the pool's */
	uint16_t n;
	uint8_t compare; /**< fp is no proof: compare the bytes before sharing */
	struct strake_advice_block block[STRAKE_ADVICE_MAX];
};

#ifdef __cplusplus
}
#endif

#endif /* STRAKE_ADVICE_H */
