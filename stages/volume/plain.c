/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * The stage that ends a plain volume's request chain. A read or write that fits one chunk becomes that chunk; all else
 * goes through plain_long.c. A request is HELD from here until its chunks are done.
 */

#include "plain.h"

static inline bool
is_short(const struct strake_req *req)
{
	return req->u.op <= STRAKE_OP_WRITE && (uint64_t)req->u.nlb << req->vol->lba_shift <= PLAIN_PIECE;
}

struct strake_chunk *
plain_chunk(struct plain_lcore *lc, struct strake_req *req, uint8_t op, uint64_t off, uint32_t len)
{
	struct strake_volume *vol = &lc->p->vol;
	struct strake_chunk *c = strake_chunk_alloc(req->u.flags & STRAKE_UNIT_INTERNAL);

	if (unlikely(c == NULL))
		return NULL;
	c->u.op = op;
	c->u.flags = req->u.flags & (STRAKE_UNIT_FUA | STRAKE_UNIT_INTERNAL | STRAKE_UNIT_TRACED |
				     STRAKE_UNIT_NO_DEALLOC | STRAKE_UNIT_TOUCHED);
	c->u.cls = req->u.cls;
	c->u.tag = req->u.tag;
	c->u.t_start = req->u.t_start;
	c->u.lba = req->u.lba + (off >> vol->lba_shift);
	c->u.nlb = len >> vol->lba_shift;
	c->u.arg = lc;
	c->vol = vol;
	c->req = req;
	c->place = vol->place + (req->u.lba << vol->lba_shift) + off;
	c->place_len = len;
	c->lba_shift = vol->lba_shift;
	req->u.flags |= STRAKE_UNIT_SUBMITTED;
	return c;
}

static void plain_feed(struct strake_msg *msg);

void
plain_starve(struct plain_lcore *lc, struct strake_req *req)
{
	lc->stats->starved++;
	req->u.link = NULL;
	if (lc->starved == NULL) {
		lc->starved = &req->u;
		lc->feed.fn = plain_feed;
		strake_msg_send(strake_self_index(), &lc->feed);
	} else {
		lc->starved_end->link = &req->u;
	}
	lc->starved_end = &req->u;
}

static void
short_done(struct strake_unit *u)
{
	struct strake_chunk *c = strake_chunk_of(u);
	struct strake_req *req = c->req;
	struct plain_lcore *lc = u->arg;

	req->u.status = u->status;
	/* A write's payload goes back to the request, whose origin puts it; so does what was read, if it is good. */
	if (likely(u->status == 0) || u->op == STRAKE_OP_WRITE) {
		req->u.bufs = u->bufs;
		req->u.last = u->last;
		u->bufs = NULL;
	}
	strake_chunk_free(c);
	plain_end(lc, req);
}

/* The one chunk of a short read or write; NULL when there is none. */
static inline struct strake_chunk *
short_chunk(struct plain_lcore *lc, struct strake_req *req)
{
	struct strake_chunk *c = plain_chunk(lc, req, req->u.op, 0, req->u.nlb << lc->p->vol.lba_shift);

	if (unlikely(c == NULL))
		return NULL;
	c->u.done = short_done;
	c->u.nbytes = c->place_len;
	if (req->u.op == STRAKE_OP_WRITE) {
		c->u.bufs = req->u.bufs;
		c->u.last = req->u.last;
		req->u.bufs = NULL;
	}
	return c;
}

/* Nothing stands in the request's way. Not from inside down(). */
static void
start(struct plain_lcore *lc, struct strake_req *req)
{
	struct strake_chunk *c;
	struct strake_unit *u;

	if (!is_short(req)) {
		plain_long_pump(lc, req);
		return;
	}
	c = short_chunk(lc, req);
	if (c == NULL) {
		plain_starve(lc, req);
		return;
	}
	u = &c->u;
	strake_chain_begin(lc->p->vol.chunks, &u, 1);
}

/* Count the request and complete it. @return those who waited for it. */
static struct strake_unit *
leave(struct plain_lcore *lc, struct strake_req *req)
{
	struct plain_ctx *ctx = plain_ctx(lc, req);
	struct strake_volume_stats *stats = lc->stats;
	struct strake_unit *waiters = NULL;
	uint64_t now = strake_now();
	uint8_t op = req->u.op;

	stats->ops[op]++;
	if (unlikely(req->u.status != 0))
		stats->errors[op]++;
	else
		stats->bytes[op] += (uint64_t)req->u.nlb << lc->p->vol.lba_shift;
	/* It may have begun on an lcore whose turn is a little later than ours. */
	if (op != STRAKE_OP_FLUSH)
		strake_hist_add(&stats->latency[strake_op_writes(op)], now > req->u.t_start ? now - req->u.t_start : 0);
	if (ctx->entered) {
		waiters = overlap_leave(&lc->ov, req);
		ctx->entered = false;
	}
	strake_unit_complete(&req->u);
	return waiters;
}

/* Start those whom a request that left kept waiting; each may find another in its way. One that was cancelled leaves at
 * once, and those who waited for it line up behind the rest: a row of any length takes no stack. */
static void
wake(struct plain_lcore *lc, struct strake_unit *waiters)
{
	while (waiters != NULL) {
		struct strake_req *req = strake_req_of(waiters), *blocker;
		struct strake_unit **end = &waiters, *more;

		waiters = waiters->link;
		blocker = overlap_blocker(&lc->ov, req);
		if (blocker != NULL) {
			overlap_wait(blocker, req);
		} else if (req->u.flags & STRAKE_UNIT_CANCELLED) {
			req->u.status = -ECANCELED;
			more = leave(lc, req);
			while (more != NULL && *end != NULL)
				end = &(*end)->link;
			if (more != NULL)
				*end = more;
		} else {
			start(lc, req);
		}
	}
}

void
plain_end(struct plain_lcore *lc, struct strake_req *req)
{
	struct strake_unit *waiters = leave(lc, req);

	if (unlikely(waiters != NULL))
		wake(lc, waiters);
}

/* True: the writing request entered the order and has to wait. */
static inline bool
must_wait(struct plain_lcore *lc, struct strake_req *req)
{
	struct plain_ctx *ctx = plain_ctx(lc, req);
	struct strake_req *blocker;

	ctx->ov.first = req->u.lba << lc->p->vol.lba_shift;
	ctx->ov.end = ctx->ov.first + ((uint64_t)req->u.nlb << lc->p->vol.lba_shift);
	blocker = overlap_blocker(&lc->ov, req);
	if (likely(blocker == NULL))
		return false;
	overlap_enter(&lc->ov, req);
	ctx->entered = true;
	overlap_wait(blocker, req);
	lc->stats->waits++;
	return true;
}

static inline void
enter(struct plain_lcore *lc, struct strake_req *req)
{
	overlap_enter(&lc->ov, req);
	plain_ctx(lc, req)->entered = true;
}

static void
down_long(struct plain_lcore *lc, struct strake_req *req)
{
	bool writes = strake_op_writes(req->u.op);

	if (req->u.nlb == 0 && req->u.op != STRAKE_OP_FLUSH) {
		req->u.verdict = STRAKE_DONE;
		return;
	}
	req->u.verdict = STRAKE_HELD;
	if (writes && must_wait(lc, req))
		return;
	if (writes)
		enter(lc, req);
	plain_long_pump(lc, req);
}

static void
plain_down(struct strake_stage *st, struct strake_unit **units, uint16_t n)
{
	struct plain_lcore *lc = strake_stage_lcore(st);
	struct strake_unit *chunks[STRAKE_BURST];
	uint16_t k = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct strake_req *req = strake_req_of(units[i]);
		struct strake_chunk *c;

		if (unlikely(req->u.flags & STRAKE_UNIT_CANCELLED)) {
			strake_unit_fail(&req->u, -ECANCELED);
			continue;
		}
		if (unlikely(!is_short(req) || req->u.nlb == 0)) {
			down_long(lc, req);
			continue;
		}
		req->u.verdict = STRAKE_HELD;
		if (req->u.op == STRAKE_OP_WRITE && must_wait(lc, req))
			continue;
		c = short_chunk(lc, req);
		if (unlikely(c == NULL)) {
			lc->stats->starved++;
			req->u.verdict = STRAKE_RETRY;
			continue;
		}
		if (req->u.op == STRAKE_OP_WRITE)
			enter(lc, req);
		chunks[k++] = &c->u;
	}
	if (k > 0)
		strake_chain_begin(lc->p->vol.chunks, chunks, k);
}

/* Try those without a chunk again. A message to oneself, not a poll(): an lcore that polls cannot sleep long. */
static void
plain_feed(struct strake_msg *msg)
{
	struct plain_lcore *lc = RTE_PTR_SUB(msg, offsetof(struct plain_lcore, feed));
	struct strake_unit *u = lc->starved;

	/* Those who starve again line up anew, so the old list ends. */
	lc->starved = NULL;
	while (u != NULL) {
		struct strake_req *req = strake_req_of(u);

		u = u->link;
		if (req->u.flags & STRAKE_UNIT_CANCELLED && !(req->u.flags & STRAKE_UNIT_SUBMITTED)) {
			req->u.status = -ECANCELED;
			plain_end(lc, req);
		} else {
			start(lc, req);
		}
	}
}

static int
plain_stage_create(struct strake_stage *st, const struct conf_values *conf, char *err, size_t errlen)
{
	return 0;
}

const struct strake_stage_ops plain_stage_ops = {
	.name = "plain",
	.unit = STRAKE_UNIT_REQ,
	.req_ctx_size = sizeof(struct plain_ctx),
	.create = plain_stage_create,
	.down = plain_down,
};
