/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef STRAKE_REQ_H
#define STRAKE_REQ_H

/**
 * @file
 * The request: what a host asked for. Lives from the front to the volume.
 *
 * Requests come from a pool with a cache per lcore. Part of it is a reserve that only requests begun inside the
 * appliance may use, so that a full pool cannot stop the work that frees it.
 */

#include "strake_unit.h"

#ifdef __cplusplus
extern "C" {
#endif

struct strake_advice;
struct strake_volume;

struct strake_req {
	struct strake_unit u; /**< first: a strake_unit pointer of kind REQ is a strake_req pointer */
	struct strake_volume *vol;
	uint32_t slab;		   /**< the slab layer's: which slab of the volume */
	uint32_t admitted;	   /**< the door's: bytes it counts for while it is in; 0: it was not asked */
	uint32_t children;	   /**< forked and not done yet, plus one until strake_req_join() */
	struct strake_req *parent; /**< set by strake_req_fork() */
	struct strake_req *kids;   /**< children in the order of forking */
	struct strake_req *last_kid;
	struct strake_req *sibling; /**< next child of the same parent */
	void (*join_end)(struct strake_req *parent);
	uint64_t cut;		      /**< first block not given to a child yet; of one that crosses slabs */
	void *front;		      /**< the front's: its command */
	struct strake_advice *advice; /**< the dedup stage's, see strake_advice.h; or NULL */
	struct strake_req *olap_next; /**< the overlap order's */
	struct strake_req *olap_wait; /**< the overlap order's */
	uint8_t ctx[STRAKE_UNIT_CTX] __rte_aligned(8);
};

static inline struct strake_req *
strake_req_of(struct strake_unit *unit)
{
	return (struct strake_req *)unit;
}

/**
 * Take a request, zeroed but for its pool's use, op READ, kind REQ. On an lcore.
 * @param internal begun inside the appliance: may use the reserve, and gets STRAKE_UNIT_INTERNAL.
 * @return NULL when the pool is empty: the caller waits for its own requests to end and tries again.
 */
struct strake_req *strake_req_alloc(bool internal);
/** Return it; puts its payload list. On any lcore. */
void strake_req_free(struct strake_req *req);

/**
 * Send a burst of requests into the pipeline, on the lcore that wants their done(). Where classes have a door
 * (strake_qos.h) some wait there first. Then: sets t_start, finds each one's slab owner (a direct call when that is
 * this lcore, a ring when not), cuts requests that cross a slab (those wait, first come first served, while requests or
 * descriptors have run out), and walks the volume's chain. done() is never called before this returns.
 *
 * Set before: vol, op, lba, nlb, nbytes and bufs (write, compare), flags, cls, done, arg.
 * A range beyond the volume's end, or an op on a volume that is read-only, ends with the status that says so.
 */
void strake_req_submit(struct strake_req **reqs, uint16_t n);

/**
 * Cancel: sets STRAKE_UNIT_CANCELLED. If no drive has the request yet it ends soon with -ECANCELED; otherwise it ends
 * as if nothing had been said. done() runs in either case. On the lcore that submitted it.
 */
void strake_req_cancel(struct strake_req *req);

/**
 * A child of @p parent for blocks [lba, lba + nlb): same volume, op, flags and class, bufs a window of the parent's
 * (write, compare), done its own (not to be changed). A parent has one payload-joining fork at a time. The parent ends
 * when all its children have: fork the children, submit them, then call strake_req_join(parent) once. The first error
 * wins; payloads of read children are joined in the order of forking.
 * @return NULL when requests or descriptors ran out.
 */
struct strake_req *strake_req_fork(struct strake_req *parent, uint64_t lba, uint32_t nlb);
/** The parent has no more children to fork. @p end is called when the last child is done, maybe at once. */
void strake_req_join(struct strake_req *parent, void (*end)(struct strake_req *parent));

#ifdef __cplusplus
}
#endif

#endif /* STRAKE_REQ_H */
