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
	uint64_t where;	    /**< the store's word for a place; 0: none is known. In: candidate. Out: where it lies. */
	uint64_t owner_lba; /**< first owner's block, in units of 4 KiB */
	uint32_t owner_vol; /**< first owner's volume, the store's number */
	uint8_t valid;	    /**< fp is set (a whole, aligned block) */
	uint8_t hit;	    /**< out: shared, not stored */
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
