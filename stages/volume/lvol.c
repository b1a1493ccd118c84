/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* The stage that ends a log volume's request chain: order of writers, one job a request. The work: lvol_run.c. */

#include <string.h>

#include <rte_common.h>

#include "store_job.h"

static struct lvol_ctx *
ctx_of(const struct lvol *lv, struct strake_req *req)
{
	return strake_stage_ctx(lv->stage, &req->u);
}

static void starve(struct lvol *lv, struct strake_req *req);

/* Whether the store takes no more; looked at again once something was given back. */
static bool
is_full(struct store *st)
{
	if (st->full && st->eased) {
		store_look(st);
		st->eased = false;
	}
	return st->full;
}

/* Nothing stands in the request's way. */
static void
start(struct lvol *lv, struct strake_req *req, bool in_down)
{
	struct store_job *job = store_job_get(lv->st);
	uint8_t op = req->u.op;

	if (job == NULL) {
		starve(lv, req);
		return;
	}
	job->lv = lv;
	job->req = req;
	job->in_down = in_down;
	if (op != STRAKE_OP_FLUSH) {
		job->first = (req->u.lba << lv->vol.lba_shift) / LOG_BLOCK;
		job->end = (((req->u.lba + req->u.nlb) << lv->vol.lba_shift) + LOG_BLOCK - 1) / LOG_BLOCK;
	}
	job->pos = job->base = job->first;
	job->phase = op == STRAKE_OP_READ || op == STRAKE_OP_COMPARE || op == STRAKE_OP_VERIFY ||
				     op == STRAKE_OP_COMPARE_WRITE
			     ? STORE_PHASE_COMPARE
			     : STORE_PHASE_WRITE;
	if (lv->v->doomed)
		job->status = -ENODEV;
	else if ((op == STRAKE_OP_WRITE || op == STRAKE_OP_COMPARE_WRITE) && is_full(lv->st))
		job->status = -ENOSPC;
	lvol_pump(job);
	/* Ended in there, the verdict says so and the job is gone. */
	if (in_down && req->u.verdict == STRAKE_HELD)
		job->in_down = false;
}

static void
feed(struct strake_msg *msg)
{
	struct lvol *lv = RTE_PTR_SUB(msg, offsetof(struct lvol, feed));
	struct strake_unit *u = lv->starved;

	lv->starved = NULL;
	while (u != NULL) {
		struct strake_req *req = strake_req_of(u);

		u = u->link;
		start(lv, req, false);
	}
}

static void
starve(struct lvol *lv, struct strake_req *req)
{
	lv->stats->starved++;
	req->u.link = NULL;
	if (lv->starved == NULL) {
		lv->starved_end = &lv->starved;
		lv->feed.fn = feed;
		strake_msg_send(strake_self_index(), &lv->feed);
	}
	*lv->starved_end = &req->u;
	lv->starved_end = &req->u.link;
}

static struct strake_unit *
leave(struct lvol *lv, struct strake_req *req, bool in_down)
{
	struct lvol_ctx *ctx = ctx_of(lv, req);
	struct strake_volume_stats *stats = lv->stats;
	struct strake_unit *waiters = NULL;
	uint64_t now = strake_now();
	uint8_t op = req->u.op;

	stats->ops[op]++;
	if (unlikely(req->u.status != 0))
		stats->errors[op]++;
	else
		stats->bytes[op] += (uint64_t)req->u.nlb << lv->vol.lba_shift;
	if (op != STRAKE_OP_FLUSH)
		strake_hist_add(&stats->latency[strake_op_writes(op)], now > req->u.t_start ? now - req->u.t_start : 0);
	if (ctx->entered) {
		waiters = overlap_leave(&lv->ov, req);
		ctx->entered = false;
	}
	if (in_down)
		req->u.verdict = STRAKE_DONE;
	else
		strake_unit_complete(&req->u);
	return waiters;
}

/* Start those whom a request that left kept waiting; each may find another in its way. */
static void
wake(struct lvol *lv, struct strake_unit *waiters)
{
	while (waiters != NULL) {
		struct strake_req *req = strake_req_of(waiters), *blocker;
		struct strake_unit **end = &waiters, *more;

		waiters = waiters->link;
		blocker = overlap_blocker(&lv->ov, req);
		if (blocker != NULL) {
			overlap_wait(blocker, req);
		} else if (req->u.flags & STRAKE_UNIT_CANCELLED) {
			req->u.status = -ECANCELED;
			more = leave(lv, req, false);
			while (more != NULL && *end != NULL)
				end = &(*end)->link;
			if (more != NULL)
				*end = more;
		} else {
			start(lv, req, false);
		}
	}
}

void
lvol_end(struct store_job *job)
{
	struct lvol *lv = job->lv;
	struct strake_req *req = job->req;
	struct strake_unit *waiters;
	bool in_down = job->in_down;

	req->u.status = job->status;
	if (job->status != 0 && req->u.op == STRAKE_OP_READ) {
		strake_buf_put_list(req->u.bufs);
		req->u.bufs = NULL;
	}
	if (req->u.op == STRAKE_OP_DEALLOCATE || req->u.op == STRAKE_OP_WRITE_ZEROES)
		store_ease(lv->st);
	store_job_put(lv->st, job);
	waiters = leave(lv, req, in_down);
	if (unlikely(waiters != NULL))
		wake(lv, waiters);
}

/* Writers are ordered by whole blocks of 4 KiB: a part of one is written by reading all of it first. */
static bool
must_wait(struct lvol *lv, struct strake_req *req)
{
	struct lvol_ctx *ctx = ctx_of(lv, req);
	uint64_t first = req->u.lba << lv->vol.lba_shift, end = first + ((uint64_t)req->u.nlb << lv->vol.lba_shift);
	struct strake_req *blocker;

	ctx->ov.first = RTE_ALIGN_FLOOR(first, (uint64_t)LOG_BLOCK);
	ctx->ov.end = RTE_ALIGN_CEIL(end, (uint64_t)LOG_BLOCK);
	blocker = overlap_blocker(&lv->ov, req);
	overlap_enter(&lv->ov, req);
	ctx->entered = true;
	if (likely(blocker == NULL))
		return false;
	overlap_wait(blocker, req);
	lv->stats->waits++;
	return true;
}

static void
lvol_down(struct strake_stage *stage, struct strake_unit **units, uint16_t n)
{
	struct lvol *lv = stage->priv;

	for (uint16_t i = 0; i < n; i++) {
		struct strake_req *req = strake_req_of(units[i]);

		if (unlikely(req->u.flags & STRAKE_UNIT_CANCELLED)) {
			strake_unit_fail(&req->u, -ECANCELED);
			continue;
		}
		if (unlikely(req->u.nlb == 0 && req->u.op != STRAKE_OP_FLUSH)) {
			req->u.verdict = STRAKE_DONE;
			continue;
		}
		req->u.verdict = STRAKE_HELD;
		if (strake_op_writes(req->u.op) && must_wait(lv, req))
			continue;
		start(lv, req, true);
	}
}

static int
lvol_create(struct strake_stage *st, const struct conf_values *conf, char *err, size_t errlen)
{
	return 0;
}

/* Requests are waited for by whoever drains; this is about what collection sends down the volume's chain. */
static bool
lvol_drain(struct strake_stage *stage)
{
	struct lvol *lv = stage->priv;

	return strake_self_index() != lv->st->sp->owner || store_repack_leave(lv->st, lv->v);
}

const struct strake_stage_ops lvol_stage_ops = {
	.name = "log",
	.unit = STRAKE_UNIT_REQ,
	.req_ctx_size = sizeof(struct lvol_ctx),
	.create = lvol_create,
	.down = lvol_down,
	.drain = lvol_drain,
};
