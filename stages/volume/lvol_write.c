/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * What a writing request does with its blocks: share, make holes, merge parts, or send runs down the chunk chain.
 */

#include <string.h>

#include <rte_common.h>

#include "store_job.h"
#include "strake_kernel.h"

/* Of a deallocation in a turn, a leaf of the map each: a terabyte must not hold up the others. */
#define FORGET_STEPS 8

/* Bytes of block @p b that the range covers: [*from, *to) of it. */
static void
covered(const struct store_job *job, uint64_t b, uint32_t *from, uint32_t *to)
{
	uint64_t at = b * LOG_BLOCK, first = lvol_range_first(job), end = lvol_range_end(job);

	*from = first > at ? (uint32_t)(first - at) : 0;
	*to = end < at + LOG_BLOCK ? (uint32_t)(end - at) : LOG_BLOCK;
}

static bool
whole(const struct store_job *job, uint64_t b)
{
	uint32_t from, to;

	covered(job, b, &from, &to);
	return from == 0 && to == LOG_BLOCK;
}

/* Where in the payload block @p b begins (may be before its first byte). */
static int64_t
payload_at(const struct store_job *job, uint64_t b)
{
	int64_t at = (int64_t)(b * LOG_BLOCK) - (int64_t)lvol_range_first(job);

	return job->req->u.op == STRAKE_OP_COMPARE_WRITE && job->phase == STORE_PHASE_WRITE
		       ? at + job->req->u.nbytes / 2
		       : at;
}

static bool
stable(const struct strake_buf *list)
{
	for (; list != NULL; list = list->next) {
		if (!(list->flags & STRAKE_BUF_STABLE))
			return false;
	}
	return true;
}

/* The payload of blocks [b, b + n): a window of the request's, or a copy if the peer may still change it. */
static struct strake_buf *
payload(struct store_job *job, uint64_t b, uint32_t n)
{
	uint32_t off = (uint32_t)payload_at(job, b);
	struct strake_buf *buf;

	if (stable(job->req->u.bufs))
		return strake_buf_window(job->req->u.bufs, off, n * LOG_BLOCK);
	buf = strake_buf_page(n * LOG_BLOCK);
	if (buf != NULL && strake_buf_copy_out(job->req->u.bufs, off, buf->addr, n * LOG_BLOCK) < 0) {
		strake_buf_put(buf);
		return NULL;
	}
	return buf;
}

static struct strake_advice_block *
advice_of(struct store_job *job, uint64_t b)
{
	struct strake_advice *a = job->req->advice;
	uint64_t at = b - job->first;

	return a != NULL && job->req->u.op == STRAKE_OP_WRITE && at < a->n && a->block[at].valid ? &a->block[at] : NULL;
}

/* Is block b of the payload zero? */
static bool
block_zero(struct store_job *job, uint64_t b)
{
	const struct strake_advice_block *a = advice_of(job, b);
	struct strake_buf_iter it;
	uint8_t *at;
	uint32_t n;

	/* What has a fingerprint was looked at before. */
	if (a != NULL)
		return false;
	if (strake_buf_iter_init(&it, job->req->u.bufs, (uint32_t)payload_at(job, b), LOG_BLOCK) < 0)
		return false;
	while ((n = strake_buf_iter_next(&it, &at)) > 0) {
		if (!strake_kernel->is_zero(at, n))
			return false;
	}
	return true;
}

/* A run that reads one place: its block for merging, or its whole chunk (n 0) for comparing. */
static int
place_read(struct store_job *job, uint64_t lba, uint64_t place, uint32_t n)
{
	struct store_run *run = store_run_get(job->lv->st);
	int ret;

	if (run == NULL)
		return -EBUSY;
	run->lba = lba;
	run->n = n;
	run->place = log_entry_chunk(place);
	run->first = log_entry_blk(place);
	ret = lvol_run_begin(job, run, STRAKE_OP_READ, NULL);
	if (ret < 0)
		store_run_put(job->lv->st, run);
	return ret;
}

/* The chunk that was read for an earlier block has this one too, and is still what lies there. */
static bool
candidate_has(const struct store_job *job, uint64_t place)
{
	return job->candidate != NULL && log_entry_chunk(job->candidate_place) == log_entry_chunk(place) &&
	       job->candidate_gen == job->lv->st->seg[log_entry_seg(place)].d.gen;
}

/* Bytes that block pos may be the same as. @return 1: they are at hand; 0: there are none; -EAGAIN, -EBUSY;
 * -EINPROGRESS: they are being read. */
static int
candidate_get(struct store_job *job, const struct strake_advice_block *a)
{
	struct lvol *lv = job->lv;
	uint64_t place;
	int ret;

	if (job->candidate_at == job->pos + 1)
		return job->candidate != NULL;
	ret = store_hit_place(lv->st, lv->v, a->where, a->owner_vol, a->owner_lba, &place, lvol_waiter(job));
	if (ret <= 0)
		return ret;
	if (candidate_has(job, place)) {
		job->candidate_place = place;
		return 1;
	}
	strake_buf_put_list(job->candidate);
	job->candidate = NULL;
	ret = place_read(job, job->pos, place, 0);
	if (ret < 0)
		return ret;
	job->candidate_at = job->pos + 1;
	job->candidate_place = place;
	job->candidate_gen = lv->st->seg[log_entry_seg(place)].d.gen;
	return -EINPROGRESS;
}

/* Share block pos if the advice holds. @return 1: done; 0: store it; else as candidate_get(). */
static int
try_share(struct store_job *job)
{
	struct strake_advice_block *a = advice_of(job, job->pos);
	struct lvol *lv = job->lv;
	int ret;

	if (a == NULL || a->where == 0)
		return 0;
	if (job->req->advice->compare) {
		ret = candidate_get(job, a);
		if (ret <= 0)
			return ret;
		if (strake_buf_compare(job->req->u.bufs, (uint32_t)payload_at(job, job->pos), job->candidate,
				       log_entry_blk(job->candidate_place) * LOG_BLOCK, LOG_BLOCK) != 0) {
			a->differs = 1;
			return 0;
		}
	}
	ret = store_hit(lv->st, lv->v, job->pos, a->where, a->owner_vol, a->owner_lba, lvol_waiter(job));
	if (ret > 0) {
		a->hit = 1;
		lv->st->stats.host_blocks++;
		lv->st->stats.same_blocks += ret == 2;
	}
	return ret > 0 ? 1 : ret;
}

static bool
may_share(struct store_job *job, uint64_t b)
{
	const struct strake_advice_block *a = advice_of(job, b);

	return a != NULL && a->where != 0;
}

/* Blocks from pos on that are stored as one. */
static uint32_t
run_length(struct store_job *job)
{
	uint32_t n = 1;

	while (n < LOG_RUN && job->pos + n < job->end && whole(job, job->pos + n) && !may_share(job, job->pos + n) &&
	       !block_zero(job, job->pos + n) &&
	       (advice_of(job, job->pos + n) != NULL) == (advice_of(job, job->pos) != NULL))
		n++;
	return n;
}

static int
write_run(struct store_job *job, uint32_t n, struct strake_buf *bufs)
{
	struct store_run *run = store_run_get(job->lv->st);
	int ret;

	if (run == NULL || bufs == NULL) {
		strake_buf_put_list(bufs);
		if (run != NULL)
			store_run_put(job->lv->st, run);
		return -EBUSY;
	}
	run->lba = job->pos;
	run->n = n;
	run->fp = advice_of(job, job->pos);
	ret = lvol_run_begin(job, run, STRAKE_OP_WRITE, bufs);
	if (ret < 0)
		store_run_put(job->lv->st, run);
	return ret;
}

/* Block pos is covered in part: what it holds is read first, then written with the new bytes. @return as a step. */
static int
write_part(struct store_job *job)
{
	bool zeroing = job->req->u.op == STRAKE_OP_WRITE_ZEROES;
	uint64_t entry, place;
	uint32_t from, to;
	int ret;

	covered(job, job->pos, &from, &to);
	if (job->merge == NULL) {
		ret = map_get(job->lv->st->map, job->lv->v->tree, job->pos, 1, &entry, lvol_waiter(job));
		if (ret == 0)
			ret = store_resolve(job->lv->st, entry, &place, lvol_waiter(job));
		if (ret < 0)
			return ret;
		if (place == 0 && zeroing)
			return 1;
		job->merge = strake_buf_page(LOG_BLOCK);
		if (job->merge == NULL)
			return -EBUSY;
		memset(job->merge->addr, 0, LOG_BLOCK);
		if (place != 0) {
			ret = place_read(job, job->pos, place, 1);
			if (ret == 0)
				return -EINPROGRESS;
			strake_buf_put(job->merge);
			job->merge = NULL;
			return ret;
		}
	}
	if (zeroing)
		memset(job->merge->addr + from, 0, to - from);
	else
		strake_buf_copy_out(job->req->u.bufs, (uint32_t)(payload_at(job, job->pos) + from),
				    job->merge->addr + from, to - from);
	ret = write_run(job, 1, strake_buf_get(job->merge));
	if (ret < 0)
		return ret;
	strake_buf_put(job->merge);
	job->merge = NULL;
	return 1;
}

/* Holes from pos on: as many as there are mapped within one leaf. @return blocks, -EAGAIN, -EBUSY, -errno. */
static int
write_holes(struct store_job *job, uint64_t end)
{
	struct lvol *lv = job->lv;
	struct map_entry e[1];
	uint64_t at = job->pos;
	int ret = map_iterate(lv->st->map, lv->v->tree, &at, end, e, 1, 16, lvol_waiter(job));

	if (ret < 0)
		return ret;
	if (ret == 0)
		return (int)RTE_MIN(at - job->pos, (uint64_t)INT32_MAX);
	job->pos = e[0].idx;
	return store_trim_some(lv->st, lv->v, job->pos, end, lvol_waiter(job));
}

/* One step at pos. @return blocks it has dealt with; -EINPROGRESS: a read is under way for it; else as lvol_took(). */
static int
write_step(struct store_job *job)
{
	uint8_t op = job->req->u.op;
	uint64_t b = job->pos, end;
	uint32_t n;
	int ret;

	if (!whole(job, b))
		return op == STRAKE_OP_DEALLOCATE ? 1 : write_part(job);
	if (op == STRAKE_OP_DEALLOCATE || op == STRAKE_OP_WRITE_ZEROES) {
		end = whole(job, job->end - 1) ? job->end : job->end - 1;
		return write_holes(job, end);
	}
	ret = try_share(job);
	if (ret != 0)
		return ret;
	for (n = 0; n < 64 && b + n < job->end && whole(job, b + n) && block_zero(job, b + n); n++)
		;
	if (n > 0) {
		ret = write_holes(job, b + n);
		if (ret > 0)
			job->lv->st->stats.zero_blocks += (uint32_t)ret;
		return ret;
	}
	n = run_length(job);
	ret = write_run(job, n, payload(job, b, n));
	return ret < 0 ? ret : (int)n;
}

/* Runs that were read for merging or comparing. */
void
lvol_write_take(struct store_job *job)
{
	for (struct store_run *run = job->runs; run != NULL; run = run->next) {
		if (run->bufs == NULL)
			continue;
		if (job->merge != NULL) {
			strake_buf_copy_out(run->bufs, 0, job->merge->addr, LOG_BLOCK);
		} else {
			strake_buf_put_list(job->candidate);
			job->candidate = run->bufs;
			run->bufs = NULL;
		}
	}
	lvol_runs_drop(job);
}

bool
lvol_write_pump(struct store_job *job)
{
	bool forgets = job->req->u.op == STRAKE_OP_DEALLOCATE || job->req->u.op == STRAKE_OP_WRITE_ZEROES;
	unsigned int steps = 0;

	for (;;) {
		int ret = 0;

		while (job->pos < job->end && job->status == 0 && job->inflight < 8) {
			if (forgets && steps++ == FORGET_STEPS) {
				lvol_yield(job);
				return false;
			}
			ret = write_step(job);
			if (ret < 0)
				break;
			job->pos += (uint32_t)ret;
		}
		if (ret == -EINPROGRESS)
			return false;
		if (ret < 0 && !(ret == -EBUSY && job->inflight > 0)) {
			lvol_took(job, ret);
			if (job->waiting)
				return false;
		}
		if (job->inflight > 0)
			return false;
		lvol_write_take(job);
		if (job->pos >= job->end || job->status != 0)
			break;
	}
	strake_buf_put_list(job->merge);
	strake_buf_put_list(job->candidate);
	job->merge = job->candidate = NULL;
	return true;
}
