/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef DEDUP_H
#define DEDUP_H

/**
 * @file
 * De-duplication: which store a stage advises, its figures, and its index across a restart.
 *
 * An index belongs to one (store, domain) and lives on one lcore: the store's, or the stage's own if it has one. All
 * stages of the same store and domain on that lcore share it. What it says is advice: see strake_advice.h for how the
 * volume confirms it. Two stores never share one, whatever their domains are called, because a `where` means something
 * to its own store only.
 */

#include <stddef.h>
#include <stdint.h>

#include "strake_stage.h"

#ifdef __cplusplus
extern "C" {
#endif

struct dedup_index;

/** Longest domain's name, with its end. */
#define DEDUP_DOMAIN_MAX 64

/**
 * Say which store the volume of this stage belongs to. Main, between strake_stage_create() and the lcores'
 * strake_stage_lcore_init(). A stage that was never told lets everything pass without advice.
 * @param uuid of the store, 16 bytes
 * @param lcore the store's owner
 * @return 0; -ENOMEM; -EINVAL with one line in @p err: another stage of the domain has other keys.
 */
int dedup_attach(struct strake_stage *st, const uint8_t *uuid, uint16_t lcore, char *err, size_t errlen);

/** The domain the stage's configuration names. Main, at any time. */
const char *dedup_domain_name(const struct strake_stage *st);

/** Counted on the data path by the lcore that owns the index; one writer. */
struct dedup_stats {
	uint64_t lookups;    /**< fingerprints looked up */
	uint64_t hits;	     /**< candidates given */
	uint64_t confirmed;  /**< of these: shared by the volume */
	uint64_t differing;  /**< of these: compared, and the bytes differ */
	uint64_t stale;	     /**< of these: refused for another reason, and forgotten */
	uint64_t zeroes;     /**< blocks of zeroes */
	uint64_t gathered;   /**< bytes copied because a block was spread over bufs */
	uint64_t uncovered;  /**< blocks without fingerprint: not whole, unstable, or beyond the advice */
	uint64_t starved;    /**< writes that passed because no advice was left */
	uint64_t unfit;	     /**< blocks whose owner has no room in an entry */
	uint64_t inserted;   /**< blocks that became known */
	uint64_t evictions;  /**< entries forgotten for a newer one */
	uint64_t entries;    /**< blocks known now */
	uint64_t capacity;   /**< blocks that can be known */
	uint64_t bytes;	     /**< memory of the index */
	uint64_t loaded;     /**< entries taken from saved pieces */
	uint64_t bad_pieces; /**< saved pieces that were damaged */
};

/** Figures of the stage's index; zeroes before it stands on its lcore. Any thread. */
void dedup_stats_get(const struct strake_stage *st, struct dedup_stats *out);

/** The stage's index, or NULL when it has none. On the lcore that owns it. */
struct dedup_index *dedup_index_of(const struct strake_stage *st);

/** Longest saved piece, bytes. */
#define DEDUP_PIECE_MAX 65536u

/**
 * Save, a bounded number of pieces at a time, while traffic goes on. Entries that come and go meanwhile may be saved
 * or not: each piece stands alone. Pieces tell in clear which blocks are equal to which known bytes; where the domain
 * is encrypted they must be, too. On the owner's lcore.
 * @param cursor 0 at first; kept by the caller
 * @param put is given each piece (DEDUP_PIECE_MAX bytes or less); an error of it ends the call, and the same piece is
 *        made again next time.
 * @return 1: everything saved; 0: call again; or the error of @p put.
 */
int dedup_index_save(struct dedup_index *ix, uint64_t *cursor, unsigned int pieces,
		     int (*put)(void *arg, const void *piece, uint32_t len), void *arg);

/**
 * Take in one saved piece. What is known already stays, and nothing is forgotten for it.
 *
 * Entries of a piece may be older than the store: the store must be able to tell, as for any candidate, that a place
 * was freed (generation of its segment) or never became durable (the owner's map entry says otherwise).
 * @return entries taken; -EBADMSG: damaged; -EPROTO: of another version; -EXDEV: of another store, domain or kind of
 * fingerprint. Errors change nothing. On the owner's lcore.
 */
int dedup_index_load(struct dedup_index *ix, const void *piece, uint32_t len);

/** Forget everything, at once whatever its size: the domain's keys are gone. On the owner's lcore. */
void dedup_index_clear(struct dedup_index *ix);

#ifdef __cplusplus
}
#endif

#endif /* DEDUP_H */
