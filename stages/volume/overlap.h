/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef OVERLAP_H
#define OVERLAP_H

/**
 * @file
 * The order of writing requests in flight on one lcore of one volume.
 *
 * A writing request that shares blocks with an earlier one, under way or itself waiting, waits for it. Requests are
 * found by the MiB they lie in; those that touch several are on a list of their own. Nothing is allocated: lists run
 * through olap_next, and those who wait for a request hang on its olap_wait, linked by u.link.
 */

#include "strake_req.h"

#define OVERLAP_REGION_SHIFT 20
#define OVERLAP_BUCKETS	     256

/** What the order keeps in a request's context, beside the two pointers in the request itself. */
struct overlap_ctx {
	uint64_t first, end; /**< bytes of the volume, end exclusive */
	uint64_t seq;	     /**< order of arrival; 0: not entered */
};

struct overlap {
	uint64_t seq;
	uint32_t entered;
	uint16_t ctx_off; /**< of struct overlap_ctx in a request's ctx */
	struct strake_req *wide;
	struct strake_req *bucket[OVERLAP_BUCKETS];
};

static inline struct overlap_ctx *
overlap_ctx(const struct overlap *ov, struct strake_req *req)
{
	return (struct overlap_ctx *)(req->ctx + ov->ctx_off);
}

/**
 * An earlier request that @p req has to wait for, or NULL. Its context's first and end are set; if it has not entered
 * yet everything entered is earlier.
 */
struct strake_req *overlap_blocker(struct overlap *ov, struct strake_req *req);
/** Enter a request as the latest; it counts from now on, also while it waits. */
void overlap_enter(struct overlap *ov, struct strake_req *req);
/** Let @p req wait until @p blocker has left. */
void overlap_wait(struct strake_req *blocker, struct strake_req *req);
/** @p req is over. @return those who waited for it, linked by u.link, in the order they began to wait: each has to ask
 * overlap_blocker() again. */
struct strake_unit *overlap_leave(struct overlap *ov, struct strake_req *req);

#endif /* OVERLAP_H */
