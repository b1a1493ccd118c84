/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * The stage that ends a group's chunk chains: one chunk to the I/Os of its members, and back.
 *
 * Reads are cut at the chunks of the stripe and go to one half; a piece that cannot be read is tried on the others.
 * Writes go to every member in sync or stale. A chunk is HELD from here until its I/Os are done; a write that has to
 * wait (dirty mark, resync window) is on lc->held, and one that some member failed on lc->limbo (stripe_lcore.c).
 */

#include "stripe.h"

/* Times a read waits for main to mend its range, before it takes what it gets. */
#define AGAIN_MAX 4

static void io_done(struct strake_io *io);

static inline struct stripe_ctx *
ctx_of(const struct stripe_lcore *lc, struct strake_chunk *chunk)
{
	return strake_stage_ctx(lc->stage, &chunk->u);
}

uint32_t
stripe_member_of(const struct stripe_lcore *lc, const struct strake_drive *drive)
{
	uint32_t i = 0;

	while (lc->view->drive[i] != drive)
		i++;
	return i;
}

/* --- towards the drives --------------------------------------------------------------------------------------------
 */

static inline void
batch(struct stripe_lcore *lc, uint32_t member, struct strake_io *io)
{
	lc->batch[member].io[lc->batch[member].n++] = io;
	lc->batched |= 1u << member;
	if (unlikely(lc->batch[member].n == STRAKE_BURST)) {
		lc->batch[member].n = 0;
		strake_drive_submit(lc->view->drive[member], lc->batch[member].io, STRAKE_BURST);
	}
}

void
stripe_push(struct stripe_lcore *lc)
{
	while (lc->batched != 0) {
		uint32_t member = (uint32_t)__builtin_ctz(lc->batched);
		uint16_t n = lc->batch[member].n;

		lc->batched &= lc->batched - 1;
		lc->batch[member].n = 0;
		if (n > 0)
			strake_drive_submit(lc->view->drive[member], lc->batch[member].io, n);
	}
}

static inline struct strake_io *
io_get(struct stripe_ctx *ctx, uint32_t member, uint8_t op, uint64_t off, uint64_t len)
{
	struct strake_io *io = strake_io_alloc();

	if (unlikely(io == NULL))
		return NULL;
	io->drive = ctx->lc->view->drive[member];
	io->op = op;
	io->off = SUPER_DATA_OFF + off;
	io->len = (uint32_t)len;
	io->done = io_done;
	io->arg = ctx;
	if (ctx->ios == NULL)
		ctx->ios = io;
	else
		ctx->last->link = io;
	ctx->last = io;
	return io;
}

/* All I/Os of a chunk are made: count it as under way, and hand them on. Their links are the drives' from here. */
static inline void
go(struct stripe_lcore *lc, struct stripe_ctx *ctx)
{
	struct strake_io *io = ctx->ios;

	ctx->epoch = lc->epoch;
	lc->inflight[lc->epoch]++;
	ctx->ios = NULL;
	while (io != NULL) {
		struct strake_io *next = io->link;

		ctx->pending++;
		batch(lc, stripe_member_of(lc, io->drive), io);
		io = next;
	}
}

static int
give_up(struct stripe_ctx *ctx, int ret)
{
	while (ctx->ios != NULL) {
		struct strake_io *next = ctx->ios->link;

		strake_io_free(ctx->ios);
		ctx->ios = next;
	}
	return ret;
}

/* Some region of it is not resynchronised since an unclean stop. */
static bool
may_differ(const struct stripe_lcore *lc, uint64_t off, uint64_t len)
{
	const struct group_view *v = lc->view;
	uint32_t last = (uint32_t)((off + len - 1) >> lc->region_shift);

	for (uint32_t r = (uint32_t)(off >> lc->region_shift); v->unsync != NULL && r <= last; r++) {
		if (r >= v->unsync_from && bit_get(v->unsync, r))
			return true;
	}
	return false;
}

/* Which half to read: the only one; the first where halves may differ; else the least busy, by position if equal. */
static inline int
pick(const struct stripe_lcore *lc, uint32_t col, uint64_t off, uint64_t len)
{
	const struct group_view *v = lc->view;
	uint32_t mask = v->read_mask & col_mask(&lc->geo, col), best = UINT32_MAX;
	uint16_t self;
	int found = -1;

	if (unlikely(mask == 0))
		return -ENODEV;
	if ((mask & (mask - 1)) == 0)
		return __builtin_ctz(mask);
	if (unlikely(v->unsync != NULL) && may_differ(lc, off, len))
		return __builtin_ctz(mask);
	self = strake_self_index();
	for (; mask != 0; mask &= mask - 1) {
		uint32_t m = (uint32_t)__builtin_ctz(mask);
		uint32_t depth = (uint32_t)v->drive[m]->stats[self]->inflight + lc->batch[m].n;

		/* Twice the depth, and one less for the half whose turn it is here. */
		depth = depth * 2 + 1 - ((off >> 17) % lc->geo.copies == m % lc->geo.copies);
		if (depth < best) {
			best = depth;
			found = (int)m;
		}
	}
	return found;
}

static int
issue_read(struct stripe_lcore *lc, struct strake_chunk *chunk, struct stripe_ctx *ctx)
{
	uint64_t place = chunk->place, left = chunk->place_len;
	uint16_t flags = chunk->u.flags & STRAKE_UNIT_TOUCHED ? STRAKE_IO_TOUCHED : 0;

	while (left > 0) {
		struct geometry_run run;
		struct strake_io *io;
		int m;

		geometry_locate(&lc->geo, place, &run);
		run.len = RTE_MIN(run.len, left);
		run.len = RTE_MIN(run.len, (uint64_t)STRAKE_BUF_PAGE_MAX);
		m = pick(lc, run.col, run.off, run.len);
		if (unlikely(m < 0))
			return give_up(ctx, m);
		io = io_get(ctx, (uint32_t)m, STRAKE_IO_READ, run.off, run.len);
		if (unlikely(io == NULL))
			return give_up(ctx, -EAGAIN);
		io->flags = flags;
		place += run.len;
		left -= run.len;
	}
	go(lc, ctx);
	return 0;
}

static inline void
count_degraded(struct stripe_lcore *lc, uint32_t col)
{
	uint32_t members = col_mask(&lc->geo, col);

	if (unlikely(lc->view->degraded) && (lc->view->read_mask & members) != members)
		lc->degraded_writes++;
}

/* One run to all members of its column. */
static int
write_run(struct stripe_ctx *ctx, uint8_t op, const struct geometry_run *run, uint32_t buf_off)
{
	struct stripe_lcore *lc = ctx->lc;
	uint32_t members = col_mask(&lc->geo, run->col), mask = lc->view->write_mask & members;

	if (unlikely((lc->view->read_mask & members) == 0))
		return -ENODEV;
	ctx->issued |= mask;
	count_degraded(lc, run->col);
	for (; mask != 0; mask &= mask - 1) {
		struct strake_io *io = io_get(ctx, (uint32_t)__builtin_ctz(mask), op, run->off, run->len);

		if (unlikely(io == NULL))
			return -EAGAIN;
		io->flags = ctx->chunk->u.flags & STRAKE_UNIT_FUA ? STRAKE_IO_FUA : 0;
		if (op == STRAKE_IO_WRITE) {
			io->bufs = ctx->chunk->u.bufs;
			io->buf_off = buf_off;
		}
	}
	return 0;
}

/* Halves that cannot take a payload as it lies would each gather it: once is enough. Without a page just now they do.
 */
static void
gather_once(struct stripe_lcore *lc, struct strake_chunk *chunk)
{
	struct strake_io io = {.op = STRAKE_IO_WRITE, .len = chunk->place_len, .bufs = chunk->u.bufs};
	struct strake_drive *drive = NULL;
	struct geometry_run run;
	unsigned int gather = 0;
	struct strake_buf *page;

	geometry_locate(&lc->geo, chunk->place, &run);
	for (uint32_t m = lc->view->write_mask & col_mask(&lc->geo, run.col); m != 0; m &= m - 1) {
		drive = lc->view->drive[__builtin_ctz(m)];
		gather += drive->ops->lies_well != NULL && !drive->ops->lies_well(drive, &io);
	}
	page = gather > 1 && io.len <= STRAKE_BUF_PAGE_MAX ? strake_buf_page(io.len) : NULL;
	if (page == NULL)
		return;
	if (unlikely(strake_buf_copy_out(io.bufs, 0, page->addr, io.len) < 0)) {
		strake_buf_put(page);
		return;
	}
	drive->stats[strake_self_index()]->bytes_gathered += io.len;
	strake_buf_put_list(io.bufs);
	chunk->u.bufs = chunk->u.last = page;
}

static int
issue_write(struct stripe_lcore *lc, struct strake_chunk *chunk, struct stripe_ctx *ctx)
{
	uint32_t done = 0;

	if (lc->geo.copies > 1)
		gather_once(lc, chunk);
	while (done < chunk->place_len) {
		struct geometry_run run;
		int ret;

		geometry_locate(&lc->geo, chunk->place + done, &run);
		run.len = RTE_MIN(run.len, (uint64_t)(chunk->place_len - done));
		run.len = RTE_MIN(run.len, (uint64_t)STRAKE_BUF_PAGE_MAX);
		ret = write_run(ctx, STRAKE_IO_WRITE, &run, done);
		if (unlikely(ret < 0))
			return give_up(ctx, ret);
		done += (uint32_t)run.len;
	}
	go(lc, ctx);
	return 0;
}

/* A range without payload is one run on every column. */
static int
issue_range(struct stripe_lcore *lc, struct strake_chunk *chunk, struct stripe_ctx *ctx)
{
	uint8_t op = chunk->u.op == STRAKE_OP_WRITE_ZEROES ? STRAKE_IO_WRITE_ZEROES : STRAKE_IO_DEALLOCATE;

	for (uint32_t col = 0; col < lc->geo.cols; col++) {
		struct geometry_run run;
		int ret;

		geometry_on_col(&lc->geo, col, chunk->place, chunk->place_len, &run);
		if (run.len == 0)
			continue;
		ret = write_run(ctx, op, &run, 0);
		if (ret < 0)
			return give_up(ctx, ret);
	}
	go(lc, ctx);
	return 0;
}

static int
issue_flush(struct stripe_lcore *lc, struct stripe_ctx *ctx)
{
	uint32_t mask = lc->view->write_mask;

	for (uint32_t col = 0; col < lc->geo.cols; col++) {
		if ((lc->view->read_mask & col_mask(&lc->geo, col)) == 0)
			return -ENODEV;
	}
	ctx->issued = mask;
	for (; mask != 0; mask &= mask - 1) {
		if (io_get(ctx, (uint32_t)__builtin_ctz(mask), STRAKE_IO_FLUSH, 0, 0) == NULL)
			return give_up(ctx, -EAGAIN);
		ctx->last->off = 0;
	}
	go(lc, ctx);
	return 0;
}

static bool
held_out(const struct stripe_lcore *lc, const struct strake_chunk *chunk)
{
	return chunk->place < lc->view->hold_hi && lc->view->hold_lo < chunk->place + chunk->place_len;
}

int
stripe_issue(struct stripe_lcore *lc, struct strake_chunk *chunk)
{
	struct stripe_ctx *ctx = ctx_of(lc, chunk);
	uint8_t op = chunk->u.op;

	if (unlikely(lc->view == NULL)) {
		stripe_hold(lc, chunk);
		return -EINPROGRESS;
	}
	ctx->chunk = chunk;
	ctx->lc = lc;
	if (likely(op == STRAKE_OP_READ)) {
		if (unlikely(lc->view->hold_reads) && held_out(lc, chunk)) {
			stripe_hold(lc, chunk);
			return -EINPROGRESS;
		}
		return issue_read(lc, chunk, ctx);
	}
	if (op == STRAKE_OP_FLUSH)
		return issue_flush(lc, ctx);
	if (unlikely(!strake_op_writes(op) || op == STRAKE_OP_COMPARE_WRITE))
		return -EOPNOTSUPP;
	if (lc->regions > 0 && unlikely(!stripe_may_write(lc, chunk->place, chunk->place_len))) {
		stripe_hold(lc, chunk);
		return -EINPROGRESS;
	}
	return op == STRAKE_OP_WRITE ? issue_write(lc, chunk, ctx) : issue_range(lc, chunk, ctx);
}

static void
stripe_down(struct strake_stage *st, struct strake_unit **units, uint16_t n)
{
	struct stripe_lcore *lc = strake_stage_lcore(st);

	for (uint16_t i = 0; i < n; i++) {
		int ret = stripe_issue(lc, strake_chunk_of(units[i]));

		if (likely(ret == 0) || ret == -EINPROGRESS)
			units[i]->verdict = STRAKE_HELD;
		else if (ret == -EAGAIN)
			units[i]->verdict = STRAKE_RETRY;
		else
			strake_unit_fail(units[i], ret);
	}
	stripe_push(lc);
}

/* --- and back ------------------------------------------------------------------------------------------------------
 */

static inline uint64_t
piece_place(const struct stripe_lcore *lc, const struct strake_io *io)
{
	return geometry_place(&lc->geo, stripe_member_of(lc, io->drive) / lc->geo.copies, io->off - SUPER_DATA_OFF);
}

static void
read_end(struct stripe_lcore *lc, struct stripe_ctx *ctx, int status)
{
	struct strake_unit *u = &ctx->chunk->u;
	struct strake_io *io = ctx->ios;

	u->status = (int16_t)status;
	while (io != NULL) {
		struct strake_io *next = io->link;

		if (likely(status == 0))
			strake_unit_append(u, io->bufs);
		else if (io->status == 0)
			strake_buf_put_list(io->bufs);
		strake_io_free(io);
		io = next;
	}
	ctx->ios = NULL;
	stripe_leave(lc, ctx->epoch);
	strake_unit_complete(u);
}

/* Pieces come back in any order; the list is by place. */
static void
piece_insert(const struct stripe_lcore *lc, struct stripe_ctx *ctx, struct strake_io *io)
{
	struct strake_io **at = &ctx->ios;
	uint64_t place;

	if (unlikely(ctx->ios != NULL)) {
		place = piece_place(lc, io);
		while (*at != NULL && piece_place(lc, *at) < place)
			at = &(*at)->link;
	}
	io->link = *at;
	*at = io;
}

/* Try the piece `bad` on a half that has not failed it yet. @return false: there is none. */
static bool
read_other(struct stripe_lcore *lc, struct stripe_ctx *ctx)
{
	struct strake_io *io = ctx->bad, **at = &ctx->ios;
	uint32_t member = stripe_member_of(lc, io->drive), mask;

	ctx->tried |= 1u << member;
	if (io->status == -EIO)
		ctx->failed |= 1u << member;
	lc->member_errors++;
	if (io->status == -ENODEV && lc->geo.copies > 1 && lc->view->read_mask & 1u << member)
		stripe_report(lc, member);
	mask = lc->view->read_mask & col_mask(&lc->geo, member / lc->geo.copies) & ~ctx->tried;
	if (mask == 0)
		return false;
	while (*at != io)
		at = &(*at)->link;
	*at = io->link;
	io->status = 0;
	io->bufs = NULL;
	ctx->pending = 1;
	lc->degraded_reads++;
	strake_drive_submit(lc->view->drive[__builtin_ctz(mask)], &io, 1);
	return true;
}

/* The piece `bad` was read from another half in the end: those that could not shall have it written again. */
static void
read_mend(struct stripe_lcore *lc, struct stripe_ctx *ctx)
{
	const struct strake_io *io = ctx->bad;

	for (; ctx->failed != 0; ctx->failed &= ctx->failed - 1)
		stripe_mend(lc, (uint32_t)__builtin_ctz(ctx->failed), io->off - SUPER_DATA_OFF, io->len);
}

/*
 * Where halves may differ another half has other bytes for blocks that hosts may have read from this one. So main mends
 * the range block by block, and this read begins anew. @return false: not so here, or it was tried enough.
 */
static bool
read_later(struct stripe_lcore *lc, struct stripe_ctx *ctx, const struct strake_io *bad)
{
	struct strake_io *io = ctx->ios;

	if (ctx->again == AGAIN_MAX || bad->status != -EIO || lc->geo.copies == 1 ||
	    !may_differ(lc, bad->off - SUPER_DATA_OFF, bad->len) ||
	    !stripe_mend(lc, stripe_member_of(lc, bad->drive), bad->off - SUPER_DATA_OFF, bad->len))
		return false;
	ctx->again++;
	while (io != NULL) {
		struct strake_io *next = io->link;

		if (io->status == 0)
			strake_buf_put_list(io->bufs);
		strake_io_free(io);
		io = next;
	}
	ctx->ios = NULL;
	ctx->bad = NULL;
	stripe_hold(lc, ctx->chunk);
	stripe_leave(lc, ctx->epoch);
	return true;
}

/* All pieces are back. Those that failed are tried on other halves, one after the other. */
static void
read_back(struct stripe_lcore *lc, struct stripe_ctx *ctx)
{
	struct strake_io *io;

	if (unlikely(ctx->bad != NULL) && ctx->bad->status == 0)
		read_mend(lc, ctx);

	for (io = ctx->ios; io != NULL && io->status == 0; io = io->link)
		;
	if (likely(io == NULL)) {
		read_end(lc, ctx, 0);
		return;
	}
	if (ctx->bad == NULL || ctx->bad->status == 0) {
		if (read_later(lc, ctx, io))
			return;
		ctx->bad = io;
		ctx->tried = 0;
		ctx->failed = 0;
	}
	if (!read_other(lc, ctx))
		read_end(lc, ctx, ctx->bad->status);
}

static inline void
write_back(struct stripe_lcore *lc, struct stripe_ctx *ctx)
{
	if (unlikely(ctx->failed != 0)) {
		stripe_limbo(lc, ctx);
		return;
	}
	stripe_leave(lc, ctx->epoch);
	strake_unit_complete(&ctx->chunk->u);
}

static void
io_done(struct strake_io *io)
{
	struct stripe_ctx *ctx = io->arg;
	struct stripe_lcore *lc = ctx->lc;

	if (io->op == STRAKE_IO_READ) {
		piece_insert(lc, ctx, io);
		if (--ctx->pending == 0)
			read_back(lc, ctx);
		return;
	}
	if (unlikely(io->status != 0)) {
		ctx->failed |= 1u << stripe_member_of(lc, io->drive);
		ctx->err = (int16_t)io->status;
	}
	strake_io_free(io);
	if (--ctx->pending == 0)
		write_back(lc, ctx);
}

static int
stripe_create(struct strake_stage *st, const struct conf_values *conf, char *err, size_t errlen)
{
	return 0;
}

static bool
stripe_drain(struct strake_stage *st)
{
	const struct stripe_lcore *lc = strake_stage_lcore(st);

	return lc->held == NULL && lc->limbo == NULL && lc->inflight[0] + lc->inflight[1] == 0 && lc->talking == 0 &&
	       lc->view != NULL;
}

const struct strake_stage_ops stripe_stage_ops = {
	.name = "stripe",
	.unit = STRAKE_UNIT_CHUNK,
	.req_ctx_size = sizeof(struct stripe_ctx),
	.create = stripe_create,
	.down = stripe_down,
	.drain = stripe_drain,
};
