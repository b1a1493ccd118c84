/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef FINGERPRINT_H
#define FINGERPRINT_H

/**
 * @file
 * Fingerprints of blocks, many at a time.
 *
 * SHA-256 runs in lanes: sixteen blocks side by side in AVX-512 registers cost hardly more than one, so a full batch
 * goes there, and what is left over, too few to fill the lanes, to the SHA instructions. OpenSSL does it where
 * neither is to be had.
 */

#include <stdbool.h>
#include <stdint.h>

#include "strake_advice.h"

#ifdef __cplusplus
extern "C" {
#endif

/** How a fingerprint is made; kept on disk. */
enum dedup_kind {
	DEDUP_SHA256, /**< first 192 bits of SHA-256: equal fingerprints mean equal bytes */
	DEDUP_FAST,   /**< XXH3-128, little-endian, then zeroes: to be compared */
};

/** Blocks hashed in one call at most. */
#define DEDUP_BATCH 64u

struct dedup_job {
	const uint8_t *block; /**< STRAKE_ADVICE_BLOCK bytes */
	uint8_t *fp;	      /**< STRAKE_ADVICE_FP bytes go there */
};

struct dedup_hasher;

/** Of one lcore. @return 0, -ENOMEM. */
int dedup_hasher_create(struct dedup_hasher **out, enum dedup_kind kind, int socket);
void dedup_hasher_destroy(struct dedup_hasher *h);
/** Hash @p n blocks, up to DEDUP_BATCH; @p more jobs behind them come next, in another call. @return 0, or -EIO:
 * OpenSSL failed and no fingerprint of the @p n is to be used. */
int dedup_hasher_run(struct dedup_hasher *h, const struct dedup_job *jobs, unsigned int n, unsigned int more);
/** What does the work: "avx512 lanes", "sha-ni", "xxh3", ... For telemetry. */
const char *dedup_hasher_name(const struct dedup_hasher *h);

/** Take the engines away, for tests of what remains: ipsec-mb's lanes of 16, or all of ipsec-mb. */
void dedup_hasher_without(struct dedup_hasher *h, bool lanes, bool all);

#ifdef __cplusplus
}
#endif

#endif /* FINGERPRINT_H */
