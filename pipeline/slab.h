/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef SLAB_H
#define SLAB_H

/**
 * @file
 * Who owns which part of a volume, and the hand-over.
 *
 * `owner` is read by every lcore that sends a request; it changes only by the old owner, after its last request of the
 * slab ended. A request that reaches an lcore that no longer owns its slab is sent on. So a slab's requests are always
 * worked on by one lcore, and none is lost on the way.
 */

#include "strake_volume.h"
#include "unit.h"

struct strake_slab {
	uint16_t owner;		/* any lcore reads; the owner writes */
	uint16_t heir;		/* owner only: to whom it goes when inflight is 0; UINT16_MAX none */
	uint32_t inflight;	/* owner only: requests begun here and not ended */
	struct unit_fifo held;	/* owner only: came while moving */
	struct slab_move *move; /* main only: the hand-over under way */
} __rte_cache_aligned;

int slab_create(struct strake_volume *vol);
/** As many slabs as @p nlb blocks need, if there is room. Main. @return 0, -E2BIG. */
int slab_extend(struct strake_volume *vol, uint64_t nlb);
void slab_destroy(struct strake_volume *vol);

/** The slab of a byte offset in the volume. */
static inline uint32_t
slab_of(const struct strake_volume *vol, uint64_t lba)
{
	return (uint32_t)((lba << vol->lba_shift) >> vol->slab_shift);
}

/** A request is at its owner. @return true: go on; false: it is held until the hand-over. */
static inline bool
slab_enter(struct strake_slab *slab, struct strake_req *req)
{
	if (unlikely(slab->heir != UINT16_MAX)) {
		unit_fifo_push(&slab->held, &req->u);
		return false;
	}
	slab->inflight++;
	return true;
}

void slab_handed_over(struct strake_slab *slab);

/** A request ended at its owner. */
static inline void
slab_leave(struct strake_slab *slab)
{
	if (--slab->inflight == 0 && unlikely(slab->heir != UINT16_MAX))
		slab_handed_over(slab);
}

#endif /* SLAB_H */
