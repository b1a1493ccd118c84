/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef STRAKE_VOLUME_H
#define STRAKE_VOLUME_H

/**
 * @file
 * A volume as fronts and stages see it, and who owns which part of it.
 *
 * The LBA range is cut into slabs of 2^slab_shift bytes. A slab belongs to one data lcore: only there are its units
 * worked on, so ordering needs no lock. Owners change by hand-over: the old owner finishes what it has, then passes
 * what came meanwhile, and the slab, by ring.
 */

#include <stdbool.h>
#include <stdint.h>

#include "strake_chain.h"
#include "strake_telemetry.h"

#ifdef __cplusplus
extern "C" {
#endif

#define STRAKE_NAME_MAX 64

/** What one lcore did for a volume: counted by the volume stage when a request ends. One writer. */
struct strake_volume_stats {
	uint64_t ops[STRAKE_OP_COUNT], bytes[STRAKE_OP_COUNT], errors[STRAKE_OP_COUNT];
	uint64_t waits;		       /**< writing requests that waited for an earlier one of the same blocks */
	uint64_t starved;	       /**< times a request found the chunks' pool empty */
	struct strake_hist latency[2]; /**< reading and writing requests, ns */
};

struct strake_volume {
	char name[STRAKE_NAME_MAX];
	uint8_t uuid[16];    /**< stable over restarts; NGUID is the same bytes, EUI-64 its last eight */
	uint64_t nlb;	     /**< size in logical blocks */
	uint32_t lba_shift;  /**< 9 or 12 */
	uint32_t slab_shift; /**< log2 of the slab size, bytes */
	uint32_t slabs;
	uint32_t slabs_max; /**< as many as the volume can grow to without a restart */
	uint16_t owner;	    /**< data lcore of all slabs, for good; 0: slabs are dealt to the data lcores in turn */
	bool read_only;
	bool thin;	     /**< blocks take room only once they are written, from what it shares with others */
	uint8_t spare;	     /**< thin: percent left of that room; main's */
	uint32_t atomic;     /**< aligned runs of as many logical blocks are written whole or not at all; 0: of one */
	uint64_t used;	     /**< thin: logical blocks that hold data; main's */
	bool volatile_cache; /**< Flush and FUA mean something: a drive below has a volatile write cache */
	struct strake_chain *reqs;   /**< request stages, ending in the volume stage */
	struct strake_chain *chunks; /**< chunk stages, ending in the stripe stage */
	uint64_t place;		     /**< byte offset of the volume in its group's data area (plain volumes) */
	void *priv;		     /**< the volume stage's */
	struct strake_slab *slab;    /**< the slab layer's, one each */
	struct strake_volume *next;  /**< list of all volumes, main lcore */
	/** By lcore: requests, bytes, errors by op; latency. One writer each. */
	struct strake_volume_stats *stats[STRAKE_LCORE_MAX];
};

/** Add to the list of volumes and make its slabs, vol->owner's or dealt to the data lcores in turn. Main. @return 0,
 * -ENOMEM, -EEXIST. */
int strake_volume_add(struct strake_volume *vol);
/** Another size, while requests are under way. What lies beyond a smaller end is refused at once, but what was begun
 * before may still be under way. Main. @return 0; -E2BIG: larger than it can become without a restart. */
int strake_volume_resize(struct strake_volume *vol, uint64_t nlb);
/** Remove; no request may be under way. Main. */
void strake_volume_del(struct strake_volume *vol);
/** By name, or NULL. Main. */
struct strake_volume *strake_volume_find(const char *name);
/** First of the list (then ->next). Main; telemetry calls it by message. */
struct strake_volume *strake_volume_first(void);

/** Hand slab @p slab to data lcore @p lcore. Main; @p done runs on main when the new owner works on it.
 * @return 0, -EBUSY (a hand-over of this slab is under way), -EINVAL (no such slab or lcore, or vol->owner is set). */
int strake_slab_move(struct strake_volume *vol, uint32_t slab, uint16_t lcore,
		     void (*done)(struct strake_volume *vol, uint32_t slab, void *arg), void *arg);
/** Owner of a slab just now. Any thread. */
uint16_t strake_slab_owner(const struct strake_volume *vol, uint32_t slab);

static inline uint64_t
strake_volume_bytes(const struct strake_volume *vol)
{
	return vol->nlb << vol->lba_shift;
}

#ifdef __cplusplus
}
#endif

#endif /* STRAKE_VOLUME_H */
