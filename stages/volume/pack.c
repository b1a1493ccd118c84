/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * The last stage of a log volume's chunk chain: appends what is written to the log, and in the same breath changes the
 * map; reads chunks and takes their payload out.
 */

#include <string.h>

#include <rte_common.h>

#include "store_job.h"

static struct store_run *
run_of(const struct strake_stage *stage, struct strake_unit *u)
{
	const struct pack_ctx *ctx = strake_stage_ctx(stage, u);

	return ctx->run;
}

static void
head_of(struct store_run *run, struct log_head *h)
{
	h->kind = LOG_DATA;
	h->lsn = 0;
	h->from = 0;
	h->seal = run->chunk->seal;
	h->has_fp = run->fp != NULL;
	for (uint32_t i = 0; i < run->n; i++) {
		h->owner[i] = (struct log_owner){run->lba + i, run->vol->d.id};
		if (run->fp != NULL)
			memcpy(h->fp[i], run->fp[i].fp, STRAKE_ADVICE_FP);
	}
	log_head_measure(h);
}

/* @return as commit(). */
static int
commit_move(struct store_run *run)
{
	struct log_head h;
	int ret;

	store_repack_head(run->repack, &h);
	h.seal = run->chunk->seal;
	ret = store_move_append(run->st, &h, run->chunk->u.bufs, NULL, &run->map_wait);
	/* Rows come back; a segment may not, while this keeps collection from another victim. */
	return ret == -EBUSY && store_seg_may_open(run->st, STORE_GC) < 0 ? -ENOSPC : ret;
}

/* @return 0: written; -EAGAIN: the map will wake the run; -EBUSY: no room; -errno. */
static int
commit(struct store_run *run)
{
	struct store *st = run->st;
	uint64_t values[LOG_RUN], at, over;
	unsigned int stream;
	struct log_head h;
	int ret;

	if (run->repack != NULL)
		return commit_move(run);
	/* Room first: preparing makes pages dirty, which a checkpoint that shall make room would write again and again.
	 */
	head_of(run, &h);
	ret = map_get(st->map, run->vol->tree, run->lba, 1, &over, &run->map_wait);
	if (ret < 0)
		return ret;
	stream = store_seg_host_stream(st, over);
	ret = store_room(st, stream, h.bytes);
	if (ret < 0)
		return ret;
	ret = store_prepare(st, run->vol, run->lba, run->n, &run->map_wait);
	if (ret < 0)
		return ret;
	at = store_append(st, stream, &h, run->chunk->u.bufs, NULL);
	for (uint32_t i = 0; i < run->n; i++)
		values[i] = at + ((uint64_t)i << 59);
	store_set(st, run->vol, run->lba, run->n, values);
	run->place = run->chunk->place = at;
	st->stats.host_blocks += run->n;
	st->stats.plain_bytes += (uint64_t)run->n * LOG_BLOCK;
	st->stats.stored_bytes += h.seal.stored;
	return 0;
}

static void write_again(struct store_run *run);

static void
map_woke(struct map_wait *w, int status)
{
	struct store_run *run = RTE_PTR_SUB(w, offsetof(struct store_run, map_wait));

	if (status == 0) {
		write_again(run);
		return;
	}
	run->chunk->u.status = (int16_t)status;
	strake_unit_complete(&run->chunk->u);
}

static void
room_woke(struct store_wait *w)
{
	write_again(RTE_PTR_SUB(w, offsetof(struct store_run, room_wait)));
}

/* @return true: it waits. */
static bool
waits(struct store_run *run, int *ret)
{
	if (*ret == -EBUSY && store_stuck(run->st))
		*ret = -ENOSPC;
	if (*ret == -EBUSY) {
		run->room_wait.fn = room_woke;
		store_stall(run->st, &run->room_wait);
	}
	return *ret == -EBUSY || *ret == -EAGAIN;
}

static void
write_again(struct store_run *run)
{
	int ret = commit(run);

	if (waits(run, &ret))
		return;
	run->chunk->u.status = (int16_t)ret;
	strake_unit_complete(&run->chunk->u);
}

static void
read_over(struct store_read *r, struct strake_buf *buf, int status)
{
	struct store_run *run = r->arg;
	struct strake_chunk *c = run->chunk;

	if (status == 0 && r->head.kind != LOG_DATA && r->head.kind != LOG_MOVE)
		status = -EBADMSG;
	if (status == 0) {
		c->seal = r->head.seal;
		c->u.bufs = strake_buf_slice(buf, r->head.head_bytes, r->head.seal.stored);
		c->u.last = c->u.bufs;
		c->u.nbytes = r->head.seal.stored;
		if (c->u.bufs == NULL)
			status = -ENOMEM;
	}
	strake_buf_put_list(buf);
	c->u.status = (int16_t)status;
	strake_unit_complete(&c->u);
}

static void
pack_down(struct strake_stage *stage, struct strake_unit **units, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		struct strake_unit *u = units[i];
		struct store_run *run = run_of(stage, u);
		int ret;

		u->verdict = STRAKE_HELD;
		if (u->op == STRAKE_OP_READ) {
			run->read.st = run->st;
			run->read.place = run->place;
			run->read.done = read_over;
			run->read.arg = run;
			if (run->repack != NULL)
				store_chunk_give(&run->read, store_repack_bytes(run->repack));
			else
				store_chunk_read(&run->read);
			continue;
		}
		run->map_wait.fn = map_woke;
		run->map_wait.urgent = run->repack != NULL;
		ret = commit(run);
		if (waits(run, &ret))
			continue;
		u->status = (int16_t)ret;
		u->verdict = STRAKE_DONE;
	}
}

static int
pack_create(struct strake_stage *st, const struct conf_values *conf, char *err, size_t errlen)
{
	return 0;
}

const struct strake_stage_ops store_pack_ops = {
	.name = "pack",
	.unit = STRAKE_UNIT_CHUNK,
	.req_ctx_size = sizeof(struct pack_ctx),
	.create = pack_create,
	.down = pack_down,
};
