/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef SUBMIT_H
#define SUBMIT_H

#include "strake_req.h"

/* strake_unit::pos of a request on its way to the owner of its slab, and of a unit that has ended at home. */
#define POS_ARRIVING 0xfe
#define POS_ENDED    0xff

/** A request is on the lcore that was its slab's owner when it was sent: begin it, or send it on. */
void submit_arrive(struct strake_req *req);

/** Begin requests that may, on the lcore that wants their done(). */
void submit_enter(struct strake_req **reqs, uint16_t n);
/** End a request that was never begun: through the up list like all others, so that done() is not called from inside
 * submit. */
void submit_turn_back(struct strake_req *req, int err);
/** As strake_req_fork(); @p reserve: the child may come from the reserve. */
struct strake_req *submit_fork(struct strake_req *parent, uint64_t lba, uint32_t nlb, bool reserve);
/** All children forked so far are done: take over their payloads and free them. */
void submit_reap(struct strake_req *parent);

#endif /* SUBMIT_H */
