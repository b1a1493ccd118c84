/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * The work of a request of a log volume: windows of up to 32 blocks, each cut into runs that go down the chunk chain.
 * Reads of a window go side by side and are put together in order; a window ends before the next begins.
 */

#include <string.h>

#include <rte_common.h>

#include "store_job.h"

static uint8_t zeroes[LOG_RUN * LOG_BLOCK] __rte_aligned(LOG_BLOCK);
static const struct strake_backing zero_backing = {.name = "zero"};

/* --- waiting ----------------------------------------------------------------------------------------------------- */

static void
map_woke(struct map_wait *w, int status)
{
	struct store_job *job = RTE_PTR_SUB(w, offsetof(struct store_job, map_wait));

	job->waiting = false;
	if (status < 0 && job->status == 0)
		job->status = (int16_t)status;
	lvol_pump(job);
}

static void
room_woke(struct store_wait *w)
{
	struct store_job *job = RTE_PTR_SUB(w, offsetof(struct store_job, room_wait));

	job->waiting = false;
	lvol_pump(job);
}

struct map_wait *
lvol_waiter(struct store_job *job)
{
	job->map_wait.fn = map_woke;
	job->map_wait.urgent = false;
	return &job->map_wait;
}

static void
stall(struct store_job *job)
{
	job->waiting = true;
	job->room_wait.fn = room_woke;
	store_stall(job->lv->st, &job->room_wait);
}

static void
turn_came(struct strake_msg *msg)
{
	struct store_job *job = RTE_PTR_SUB(msg, offsetof(struct store_job, next_turn));

	job->waiting = false;
	lvol_pump(job);
}

void
lvol_yield(struct store_job *job)
{
	job->waiting = true;
	job->next_turn.fn = turn_came;
	strake_msg_send(strake_self_index(), &job->next_turn);
}

/* What a step said: true: go on with it. */
bool
lvol_took(struct store_job *job, int ret)
{
	if (ret == -EAGAIN) {
		job->waiting = true;
		return false;
	}
	if (ret == -EBUSY && store_stuck(job->lv->st))
		ret = -ENOSPC;
	if (ret == -EBUSY) {
		stall(job);
		return false;
	}
	if (ret < 0 && job->status == 0)
		job->status = (int16_t)ret;
	return ret >= 0;
}

/* --- runs -------------------------------------------------------------------------------------------------------- */

static void run_done(struct strake_unit *u);

/* Send a run down the chain; bufs: what it writes, taken. @return 0, -EBUSY: later. */
int
lvol_run_begin(struct store_job *job, struct store_run *run, uint8_t op, struct strake_buf *bufs)
{
	struct lvol *lv = job->lv;
	struct strake_chunk *c = strake_chunk_alloc(job->req->u.flags & STRAKE_UNIT_INTERNAL);
	struct pack_ctx *ctx;
	struct strake_unit *u;

	if (c == NULL) {
		strake_buf_put_list(bufs);
		return -EBUSY;
	}
	run->job = job;
	run->chunk = c;
	run->vol = lv->v;
	c->vol = &lv->vol;
	c->req = job->req;
	c->lba_shift = lv->vol.lba_shift;
	c->place = run->place;
	c->place_len = run->n * LOG_BLOCK;
	c->seal = (struct strake_seal){
		.serial = op == STRAKE_OP_WRITE ? lv->st->serial++ : 0,
		.domain = lv->v->d.domain,
		.plain = run->n * LOG_BLOCK,
		.stored = run->n * LOG_BLOCK,
		.blocks = (uint8_t)run->n,
	};
	c->u.op = op;
	c->u.cls = job->req->u.cls;
	c->u.tag = job->req->u.tag;
	c->u.flags = job->req->u.flags & (STRAKE_UNIT_INTERNAL | STRAKE_UNIT_TRACED);
	c->u.t_start = job->req->u.t_start;
	c->u.lba = run->lba << (12 - lv->vol.lba_shift);
	c->u.nlb = run->n << (12 - lv->vol.lba_shift);
	c->u.nbytes = run->n * LOG_BLOCK;
	c->u.done = run_done;
	c->u.arg = run;
	for (; bufs != NULL; bufs = bufs->next) {
		if (c->u.bufs == NULL)
			c->u.bufs = bufs;
		c->u.last = bufs;
	}
	ctx = strake_stage_ctx(lv->st->stage, &c->u);
	ctx->run = run;
	*job->runs_end = run;
	job->runs_end = &run->next;
	run->next = NULL;
	job->inflight++;
	job->req->u.flags |= STRAKE_UNIT_SUBMITTED;
	u = &c->u;
	strake_chain_begin(lv->vol.chunks, &u, 1);
	return 0;
}

static void
run_done(struct strake_unit *u)
{
	struct store_run *run = u->arg;
	struct store_job *job = run->job;
	struct strake_chunk *c = run->chunk;
	/* A candidate for sharing that cannot be read is none. */
	bool candidate = u->op == STRAKE_OP_READ && job->phase == STORE_PHASE_WRITE && job->merge == NULL;

	/* Sealed before, and the stage was taken out of the configuration since: those are not the host's bytes. */
	if (unlikely(u->status == 0 && u->op == STRAKE_OP_READ && c->seal.epoch != 0 && !job->lv->opens))
		u->status = -EBADMSG;
	if (u->status < 0 && job->status == 0 && !candidate)
		job->status = u->status;
	if (u->status == 0 && u->op == STRAKE_OP_READ) {
		run->bufs = run->n == 0 ? strake_buf_window(u->bufs, 0, u->nbytes)
					: strake_buf_window(u->bufs, run->first * LOG_BLOCK, run->n * LOG_BLOCK);
		if (run->bufs == NULL && job->status == 0 && !candidate)
			job->status = u->nbytes < (run->first + run->n) * LOG_BLOCK ? -EBADMSG : -ENOMEM;
	}
	if (u->status == 0 && u->op == STRAKE_OP_WRITE && job->req->advice != NULL) {
		struct strake_advice *a = job->req->advice;

		for (uint32_t i = 0; i < run->n; i++) {
			uint64_t at = run->lba + i - job->first;

			if (at >= a->n || !a->block[at].valid)
				continue;
			a->block[at].where = store_where(run->st, run->place + ((uint64_t)i << 59));
			a->block[at].owner_vol = run->vol->d.id;
			a->block[at].owner_lba = run->lba + i;
			a->block[at].hit = 0;
		}
	}
	run->over = true;
	run->chunk = NULL;
	strake_chunk_free(c);
	job->inflight--;
	lvol_pump(job);
}

void
lvol_runs_drop(struct store_job *job)
{
	struct store_run *run = job->runs, *next;

	for (; run != NULL; run = next) {
		next = run->next;
		strake_buf_put_list(run->bufs);
		store_run_put(job->lv->st, run);
	}
	job->runs = NULL;
	job->runs_end = &job->runs;
}

/* --- reading ----------------------------------------------------------------------------------------------------- */

/* Entries of the window's blocks, and the places behind them. @return 0, -EAGAIN, -errno. */
static int
look_up(struct store_job *job, uint32_t n)
{
	struct store *st = job->lv->st;
	int ret = map_get(st->map, job->lv->v->tree, job->base, n, job->entry, lvol_waiter(job));

	for (uint32_t i = 0; ret == 0 && i < n; i++)
		ret = store_resolve(st, job->entry[i], &job->place[i], lvol_waiter(job));
	return ret;
}

static int
read_hole(struct store_job *job, struct store_run *run)
{
	run->bufs = strake_buf_wrap(zeroes, run->n * LOG_BLOCK, &zero_backing, NULL, STRAKE_BUF_STABLE);
	if (run->bufs == NULL)
		return -ENOMEM;
	run->over = true;
	*job->runs_end = run;
	job->runs_end = &run->next;
	run->next = NULL;
	return 0;
}

/* Begin a run at block i of the window. @return how many blocks it has, -EBUSY, -errno. */
static int
read_run(struct store_job *job, uint32_t i, uint32_t n)
{
	uint64_t place = job->place[i];
	struct store_run *run;
	uint32_t k = 1;
	int ret;

	while (k < LOG_RUN && i + k < n &&
	       (place == 0 ? job->place[i + k] == 0 : job->place[i + k] == place + ((uint64_t)k << 59)))
		k++;
	run = store_run_get(job->lv->st);
	if (run == NULL)
		return -EBUSY;
	run->lba = job->base + i;
	run->n = k;
	run->place = log_entry_chunk(place);
	run->first = log_entry_blk(place);
	ret = place == 0 ? read_hole(job, run) : lvol_run_begin(job, run, STRAKE_OP_READ, NULL);
	if (ret < 0)
		store_run_put(job->lv->st, run);
	return ret < 0 ? ret : (int)k;
}

/* Begin what can be begun of the window. */
static void
read_window(struct store_job *job)
{
	uint32_t n = (uint32_t)RTE_MIN(job->end - job->base, (uint64_t)STORE_WINDOW);

	if (!lvol_took(job, look_up(job, n)))
		return;
	while (job->pos < job->base + n && job->status == 0) {
		int ret = read_run(job, (uint32_t)(job->pos - job->base), n);

		if (ret < 0) {
			/* Runs come back when those under way are over, or somebody else's. */
			if (ret == -EBUSY && job->inflight > 0)
				return;
			lvol_took(job, ret);
			return;
		}
		job->pos += (uint32_t)ret;
	}
}

/* The window's runs are all there: take what the range covers of each. */
static void
read_take(struct store_job *job)
{
	struct strake_req *req = job->req;

	for (struct store_run *run = job->runs; run != NULL && job->status == 0; run = run->next) {
		uint64_t begin = RTE_MAX(run->lba * LOG_BLOCK, lvol_range_first(job));
		uint64_t end = RTE_MIN((run->lba + run->n) * LOG_BLOCK, lvol_range_end(job));
		uint32_t off = (uint32_t)(begin - run->lba * LOG_BLOCK), len = (uint32_t)(end - begin);

		if (req->u.op == STRAKE_OP_READ && off == 0 && len == run->n * LOG_BLOCK) {
			strake_unit_append(&req->u, run->bufs);
			run->bufs = NULL;
		} else if (req->u.op == STRAKE_OP_READ) {
			struct strake_buf *part = strake_buf_window(run->bufs, off, len);

			if (part == NULL)
				job->status = -ENOMEM;
			else
				strake_unit_append(&req->u, part);
		} else if (req->u.op != STRAKE_OP_VERIFY) {
			job->status = (int16_t)strake_buf_compare(
				job->req->u.bufs, (uint32_t)(begin - lvol_range_first(job)), run->bufs, off, len);
		}
	}
	lvol_runs_drop(job);
}

/* @return true: the whole range was read (or something went wrong). */
static bool
read_pump(struct store_job *job)
{
	for (;;) {
		uint64_t end = RTE_MIN(job->base + STORE_WINDOW, job->end);

		if (job->pos < end && job->status == 0) {
			read_window(job);
			if (job->waiting)
				return false;
		}
		if (job->inflight > 0)
			return false;
		if (job->pos < end && job->status == 0)
			continue;
		read_take(job);
		if (job->status != 0 || end == job->end)
			return true;
		job->base = job->pos = end;
	}
}

/* --- durable ----------------------------------------------------------------------------------------------------- */

static void
synced(struct store_barrier *b, int status)
{
	struct store_job *job = b->arg;

	if (status < 0 && job->status == 0)
		job->status = (int16_t)status;
	lvol_end(job);
}

static bool
wants_sync(const struct store_job *job)
{
	const struct strake_req *req = job->req;

	if (req->u.op == STRAKE_OP_FLUSH)
		return true;
	/* Also if nothing had to be written: what made it so may not be durable yet. */
	return strake_op_writes(req->u.op) && job->status == 0 &&
	       (req->u.flags & STRAKE_UNIT_FUA || job->lv->write_through);
}

void
lvol_pump(struct store_job *job)
{
	uint8_t op = job->req->u.op;

	/* What it waits for, or what is under way before it may go on, will call again. */
	if (job->waiting || job->phase == STORE_PHASE_SYNC)
		return;
	if (job->merge != NULL || job->candidate_at == job->pos + 1) {
		if (job->inflight > 0)
			return;
		lvol_write_take(job);
	}
	if (job->phase == STORE_PHASE_COMPARE && op != STRAKE_OP_FLUSH) {
		if (!read_pump(job))
			return;
		if (op == STRAKE_OP_COMPARE_WRITE && job->status == 0) {
			job->phase = STORE_PHASE_WRITE;
			job->pos = job->first;
		}
	}
	if (job->phase == STORE_PHASE_WRITE && !lvol_write_pump(job))
		return;
	if (!wants_sync(job)) {
		lvol_end(job);
		return;
	}
	job->phase = STORE_PHASE_SYNC;
	job->barrier.done = synced;
	job->barrier.arg = job;
	store_sync(job->lv->st, &job->barrier, STORE_HOST_STREAMS, true);
}
