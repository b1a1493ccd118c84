/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Requests: into the pipeline, to the owner and back; forking and joining. Those that cross slabs: cut.c. */

#include "submit.h"

#include <errno.h>

#include "chain.h"
#include "cut.h"
#include "qos.h"
#include "slab.h"
#include "strake_account.h"
#include "trace.h"

STRAKE_STEP(submit_step, STRAKE_AT_WALK, "requests submitted")

/* --- checks --------------------------------------------------------------------------------------------------------
 */

static int
check(const struct strake_req *req)
{
	const struct strake_volume *vol = req->vol;
	const struct strake_unit *u = &req->u;
	uint64_t end = __atomic_load_n(&vol->nlb, __ATOMIC_RELAXED); /* once: main may change it */

	if (u->op == STRAKE_OP_FLUSH)
		return 0;
	if (u->nlb == 0 || u->lba >= end || u->nlb > end - u->lba)
		return -ERANGE;
	if (vol->read_only && strake_op_writes(u->op))
		return -EROFS;
	return 0;
}

/* A request that never entered ends through the up list like all others, so that done() is not called from submit. */
void
submit_turn_back(struct strake_req *req, int err)
{
	req->u.status = (int16_t)err;
	req->u.pos = POS_ENDED;
	req->u.visited = 0;
	req->u.home = (uint8_t)strake_self_index();
	walk_up(walk_self(), &req->u);
}

/* --- to the owner --------------------------------------------------------------------------------------------------
 */

static bool
here(struct strake_req *req)
{
	struct strake_slab *slab = &req->vol->slab[req->slab];
	uint16_t owner = __atomic_load_n(&slab->owner, __ATOMIC_ACQUIRE);

	req->u.home = (uint8_t)owner;
	if (unlikely(owner != strake_self_index())) {
		req->u.pos = POS_ARRIVING;
		walk_send_down(owner, &req->u);
		return false;
	}
	req->u.pos = 0;
	return slab_enter(slab, req);
}

void
submit_arrive(struct strake_req *req)
{
	struct strake_unit *u = &req->u;

	if (here(req))
		walk_down(walk_self(), &u, 1);
}

static bool
crosses(const struct strake_req *req)
{
	return req->u.op != STRAKE_OP_FLUSH && slab_of(req->vol, req->u.lba + req->u.nlb - 1) != req->slab;
}

void
submit_enter(struct strake_req **reqs, uint16_t n)
{
	struct walk *w = walk_self();
	struct strake_unit *burst[STRAKE_BURST];
	uint16_t ready = 0;
	uint64_t now = strake_now();

	for (uint16_t i = 0; i < n; i++) {
		struct strake_req *req = reqs[i];
		int ret = check(req);

		req->u.origin = (uint8_t)strake_self_index();
		req->u.t_start = now;
		req->u.visited = 0;
		req->u.chain = req->vol->reqs;
		trace_begin(&req->u);
		if (unlikely(ret < 0)) {
			submit_turn_back(req, ret);
			continue;
		}
		req->slab = req->u.op == STRAKE_OP_FLUSH ? 0 : slab_of(req->vol, req->u.lba);
		if (unlikely(crosses(req))) {
			cut_begin(req);
			continue;
		}
		if (!here(req))
			continue;
		if (ready == STRAKE_BURST || (ready > 0 && burst[0]->chain != req->u.chain)) {
			walk_down(w, burst, ready);
			ready = 0;
		}
		burst[ready++] = &req->u;
	}
	if (ready > 0)
		walk_down(w, burst, ready);
}

void
strake_req_submit(struct strake_req **reqs, uint16_t n)
{
	struct walk *w = walk_self();
	uint8_t before = strake_account_enter(&submit_step);

	w->begun += n;
	if (unlikely(w->qos != NULL))
		qos_submit(w->qos, reqs, n);
	else
		submit_enter(reqs, n);
	strake_account_leave(before);
}

void
strake_req_cancel(struct strake_req *req)
{
	/* The owner may be setting SUBMITTED just now and lose our bit: then a drive has the request, and cancelling
	 * comes too late anyway. */
	__atomic_fetch_or(&req->u.flags, STRAKE_UNIT_CANCELLED, __ATOMIC_RELAXED);
	for (struct strake_req *kid = req->kids; kid != NULL; kid = kid->sibling)
		strake_req_cancel(kid);
	cut_cancelled();
	if (walk_self()->qos != NULL)
		qos_cancelled(walk_self()->qos);
}

/* --- fork and join -------------------------------------------------------------------------------------------------
 */

void
submit_reap(struct strake_req *parent)
{
	struct strake_req *kid = parent->kids, *next;

	parent->kids = NULL;
	for (; kid != NULL; kid = next) {
		next = kid->sibling;
		if (parent->u.op == STRAKE_OP_READ && parent->u.status == 0) {
			strake_unit_append(&parent->u, kid->u.bufs);
			kid->u.bufs = NULL;
		}
		strake_req_free(kid);
	}
}

static void
join_all(struct strake_req *parent)
{
	submit_reap(parent);
	parent->join_end(parent);
}

static void
kid_done(struct strake_unit *u)
{
	struct strake_req *parent = strake_req_of(u)->parent;

	if (u->status < 0 && parent->u.status == 0)
		parent->u.status = u->status;
	if (--parent->children == 0)
		join_all(parent);
}

struct strake_req *
submit_fork(struct strake_req *parent, uint64_t lba, uint32_t nlb, bool reserve)
{
	struct strake_req *kid = strake_req_alloc(reserve || (parent->u.flags & STRAKE_UNIT_INTERNAL) != 0);
	uint32_t shift = parent->vol->lba_shift;

	if (kid == NULL)
		return NULL;
	kid->u.op = parent->u.op;
	kid->u.flags = parent->u.flags & (uint16_t)~STRAKE_UNIT_SUBMITTED;
	kid->u.cls = parent->u.cls;
	kid->u.tag = parent->u.tag;
	kid->u.lba = lba;
	kid->u.nlb = nlb;
	kid->vol = parent->vol;
	kid->parent = parent;
	kid->u.done = kid_done;
	if (parent->u.nbytes > 0)
		kid->u.nbytes = nlb << shift;
	/* What a read has got of its payload is that of children before. */
	if (parent->u.bufs != NULL && parent->u.op != STRAKE_OP_READ) {
		kid->u.bufs = strake_buf_window(parent->u.bufs, (uint32_t)(lba - parent->u.lba) << shift, nlb << shift);
		if (kid->u.bufs == NULL) {
			strake_req_free(kid);
			return NULL;
		}
	}
	if (parent->kids == NULL) {
		parent->kids = kid;
		parent->children = 1;
	} else {
		parent->last_kid->sibling = kid;
	}
	parent->last_kid = kid;
	parent->children++;
	return kid;
}

struct strake_req *
strake_req_fork(struct strake_req *parent, uint64_t lba, uint32_t nlb)
{
	return submit_fork(parent, lba, nlb, false);
}

void
strake_req_join(struct strake_req *parent, void (*end)(struct strake_req *parent))
{
	parent->join_end = end;
	if (parent->kids == NULL)
		end(parent);
	else if (--parent->children == 0)
		join_all(parent);
}
