/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef PLAIN_H
#define PLAIN_H

/**
 * @file
 * Inside of the plain volume: what its files share.
 */

#include "overlap.h"
#include "strake_stage.h"
#include "strake_volume.h"

/** Longest piece with payload, and longest without (zeroes, deallocate), bytes. */
#define PLAIN_PIECE	 STRAKE_BUF_PAGE_MAX
#define PLAIN_PIECE_LONG (64u << 20)

struct plain {
	struct strake_volume vol;
	struct strake_stage *stage;
};

/** In every request. */
struct plain_ctx {
	struct overlap_ctx ov;
	uint64_t pos;	   /**< bytes of the range handed down, in this phase */
	uint32_t inflight; /**< pieces under way */
	uint8_t phase;	   /**< of compare-and-write: 0 compares, 1 writes */
	bool entered;	   /**< takes part in the order of writers */
};

/** A volume on one lcore. */
struct plain_lcore {
	struct plain *p;
	struct strake_volume_stats *stats;
	struct strake_unit *starved; /**< requests that may go but found no chunk, oldest first */
	struct strake_unit *starved_end;
	struct strake_msg feed; /**< on its way while somebody starves */
	struct overlap ov;
};

extern const struct strake_stage_ops plain_stage_ops;

static inline struct plain_ctx *
plain_ctx(const struct plain_lcore *lc, struct strake_req *req)
{
	return strake_stage_ctx(lc->p->stage, &req->u);
}

/** A chunk for bytes [off, off + len) of the request, without payload; NULL when there is none. */
struct strake_chunk *plain_chunk(struct plain_lcore *lc, struct strake_req *req, uint8_t op, uint64_t off,
				 uint32_t len);
/** Keep a request until chunks are back. */
void plain_starve(struct plain_lcore *lc, struct strake_req *req);
/** The request is over, u.status says how. Not from inside down(). */
void plain_end(struct plain_lcore *lc, struct strake_req *req);

/** Carry on with a request of several pieces or steps. It ends by itself. Not from inside down() unless nothing of it
 * was handed down before. */
void plain_long_pump(struct plain_lcore *lc, struct strake_req *req);

#endif /* PLAIN_H */
