/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef INDEX_H
#define INDEX_H

/**
 * @file
 * Fingerprint -> place: a table of fixed size that forgets.
 *
 * Buckets of 512 bytes with thirteen entries each, so 39.4 bytes an entry, the whole fingerprint kept. The first line
 * of a bucket has sixteen bits of every entry's fingerprint: a fingerprint that is not there costs that one line. In a
 * full bucket a hand goes round (CLOCK): it passes over an entry twice after it was last confirmed, and the first it
 * finds cold makes room. What is new is considered last, and what repeats stays.
 *
 * One lcore owns an index.
 */

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_common.h>
#include <rte_prefetch.h>

#include "dedup.h"
#include "fingerprint.h"

#ifdef __cplusplus
extern "C" {
#endif

#define INDEX_WAYS 13u
/* Bits kept of an owner: 2^36 blocks of 4 KiB are 256 TiB, and a million volumes. */
#define INDEX_LBA_BITS 36u
#define INDEX_VOL_BITS 20u

struct index_slot {
	uint8_t rest[STRAKE_ADVICE_FP - 2]; /* the fingerprint without its tag */
	uint64_t where;
	uint8_t owner[7]; /* INDEX_LBA_BITS, then INDEX_VOL_BITS; little-endian */
} __rte_packed;

struct index_bucket {
	uint32_t heat; /* two bits an entry: empty, cold, warm, hot; the hand in the highest four */
	uint16_t tag[INDEX_WAYS];
	uint8_t epoch; /* other than the index's: empty, to be wiped before use */
	struct index_slot slot[INDEX_WAYS];
} __rte_packed __rte_aligned(RTE_CACHE_LINE_SIZE);
static_assert(sizeof(struct index_bucket) == 512, "a bucket is eight lines");

struct dedup_index {
	struct index_bucket *bucket;
	uint32_t buckets;
	uint8_t epoch;
	uint8_t kind; /* enum dedup_kind */
	uint8_t uuid[16];
	char domain[DEDUP_DOMAIN_MAX];
	size_t bytes;
	struct dedup_stats *stats;
	uint8_t piece[DEDUP_PIECE_MAX]; /* being saved */
};

struct index_entry {
	uint64_t where;
	uint64_t owner_lba;
	uint32_t owner_vol;
};

/** Take the memory: @p bytes rounded down to buckets, at least one. On the lcore that shall own it. @p stats gets the
 * figures of the table and outlives it. @return 0, -ENOMEM. */
int dedup_index_create(struct dedup_index **out, uint64_t bytes, enum dedup_kind kind, const uint8_t *uuid,
		       const char *domain, struct dedup_stats *stats);
void dedup_index_destroy(struct dedup_index *ix);

static inline struct index_bucket *
dedup_index_bucket(const struct dedup_index *ix, const uint8_t *fp)
{
	uint32_t word;

	__builtin_memcpy(&word, fp, sizeof(word));
	return &ix->bucket[(uint64_t)word * ix->buckets >> 32];
}

static inline void
dedup_index_prefetch(const struct dedup_index *ix, const uint8_t *fp)
{
	rte_prefetch0(dedup_index_bucket(ix, fp));
}

/** Fetch the entries whose tags match, their bucket's first line being there. */
void dedup_index_prefetch_slot(const struct dedup_index *ix, const uint8_t *fp);
/** @return false: not known. */
bool dedup_index_get(struct dedup_index *ix, const uint8_t *fp, struct index_entry *out);
/** From now on @p fp lies at @p e; @p hot: it was found equal again. An owner that does not fit is not kept. */
void dedup_index_put(struct dedup_index *ix, const uint8_t *fp, const struct index_entry *e, bool hot);
/** The same, but only where there is room and @p fp is not known. @return taken. */
bool dedup_index_add(struct dedup_index *ix, const uint8_t *fp, const struct index_entry *e, unsigned int heat);
/** Forget @p fp if it still lies at @p where. */
void dedup_index_drop(struct dedup_index *ix, const uint8_t *fp, uint64_t where);

/** Copy out the entries of bucket @p b, room for INDEX_WAYS in each. @return how many. */
unsigned int dedup_index_bucket_read(const struct dedup_index *ix, uint32_t b, uint8_t (*fp)[STRAKE_ADVICE_FP],
				     struct index_entry *e, uint8_t *heat);

#ifdef __cplusplus
}
#endif

#endif /* INDEX_H */
