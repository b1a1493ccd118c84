/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "store_walk.h"

#include <string.h>

#include <rte_common.h>

#include "strake_kernel.h"

#define WINDOW STRAKE_BUF_PAGE_MAX

void
store_walk_begin(struct store_walk *w, struct store *st, uint32_t seg, uint32_t gen, uint32_t pos, uint32_t end)
{
	struct strake_buf *win = w->win;

	memset(w, 0, sizeof(*w));
	w->win = win;
	w->st = st;
	w->seg = seg;
	w->gen = gen;
	w->pos = pos;
	w->end = end;
	w->blank = pos / store_row_bytes(st);
}

void
store_walk_fini(struct store_walk *w)
{
	strake_buf_put_list(w->win);
	w->win = NULL;
}

static void
window_done(struct strake_space_io *io)
{
	struct store_walk *w = io->arg;

	w->st->io_under_way--;
	w->reading = false;
	w->win_len = 0;
	w->status = io->status;
	if (io->status == 0) {
		w->status = strake_buf_copy_out(io->bufs, 0, w->win->addr, io->len);
		w->win_off = (uint32_t)io->off;
		w->win_len = io->len;
	}
	strake_buf_put_list(io->bufs);
	io->bufs = NULL;
}

static void
read_submit(struct store_walk *w, uint16_t attempt, uint32_t most, void (*done)(struct strake_space_io *io))
{
	w->reading = true;
	w->io = (struct strake_space_io){
		.op = STRAKE_SPACE_READ,
		.attempt = attempt,
		.seg = w->seg,
		.off = w->pos,
		.len = RTE_MIN(w->end - w->pos, most),
		.done = done,
		.arg = w,
	};
	w->st->io_under_way++;
	strake_space_submit(w->st->sp, &w->io);
}

static void
piece_forget(struct store_walk *w)
{
	w->need = 0;
	w->whole = false;
}

static uint32_t
window_len(const struct store_walk *w)
{
	if (likely(w->pos >= w->narrow))
		return WINDOW;
	return w->need > 0 ? w->need : LOG_BLOCK - w->pos % LOG_BLOCK;
}

static int
window_read(struct store_walk *w, uint16_t attempt)
{
	if (w->win == NULL)
		w->win = strake_buf_page(WINDOW);
	if (w->win == NULL)
		return -EAGAIN;
	if (attempt != w->attempt)
		piece_forget(w);
	w->attempt = attempt;
	read_submit(w, attempt, window_len(w), window_done);
	return -EAGAIN;
}

static bool
ours(const struct store_walk *w, const struct log_head *h)
{
	if (h->seg != w->seg || h->off != w->pos || h->store != w->st->short_uuid)
		return false;
	return w->gen != 0 ? h->gen == w->gen : h->gen > w->older;
}

/* @return 0; -EAGAIN: it goes on behind the window; -EINVAL. */
static int
look(struct store_walk *w, struct log_head *h, const uint8_t *at)
{
	uint32_t left = w->win_off + w->win_len - w->pos;
	bool more = (w->pos > w->win_off || w->win_len < WINDOW) && w->win_off + w->win_len < w->end;
	int ret = log_head_decode(h, at, left);

	if (ret == 0 && !ours(w, h))
		return -EINVAL;
	if (ret == -EAGAIN || (ret == 0 && h->bytes > left)) {
		w->whole = ret == 0;
		w->need = w->whole ? h->bytes : LOG_HEAD_MAX;
		return more ? -EAGAIN : -EINVAL;
	}
	return ret == 0 && !log_chunk_checks(h, at) ? -EINVAL : ret;
}

static void
move_to(struct store_walk *w, uint32_t pos)
{
	w->pos = pos;
	w->sure = w->zero = false;
	piece_forget(w);
}

static int
row_over(struct store_walk *w)
{
	uint32_t rb = store_row_bytes(w->st);

	move_to(w, w->pos / rb * rb + rb);
	w->scan = false;
	if (w->attempt > 0)
		w->win_len = 0;
	return 0;
}

/* --- asking parity ----------------------------------------------------------------------------------------------- */

static void
probe_done(struct strake_space_io *io)
{
	struct store_walk *w = io->arg;

	w->st->io_under_way--;
	w->reading = false;
	w->status = io->status;
	if (io->status == 0)
		w->status = strake_buf_copy_out(io->bufs, 0, w->seen, sizeof(w->seen));
	strake_buf_put_list(io->bufs);
	io->bufs = NULL;
}

static int
ask(struct store_walk *w)
{
	w->probing = true;
	read_submit(w, store_probe(w->st->sp, w->pos, w->probe), w->st->sp->block, probe_done);
	return -EAGAIN;
}

/* What lies here is not believed yet. */
static int
doubt(struct store_walk *w)
{
	w->probe = 0;
	return ask(w);
}

/* Parity said something, or nothing: then as much of it is away as there is. */
static int
asked(struct store_walk *w)
{
	const uint8_t *at = w->win->addr + (w->pos - w->win_off);
	struct log_head h;

	w->probing = false;
	if (w->status < 0 && w->status != -EIO)
		return w->status;
	if (w->status == -EIO || memcmp(at, w->seen, sizeof(w->seen)) == 0) {
		w->status = 0;
		if (++w->probe < w->st->sp->parity)
			return ask(w);
		w->sure = true;
		return 0;
	}
	if (w->gen == 0 && look(w, &h, at) == 0) {
		w->older = h.gen;
		w->newer = true;
		w->scan = false; /* it can be had: every way is tried for a newer one */
	}
	return window_read(w, store_probe(w->st->sp, w->pos, 0));
}

/* --- what is there ----------------------------------------------------------------------------------------------- */

/* No chunk here: the rest of a row that was closed early, or something is wrong and may be right another way. */
static int
nothing(struct store_walk *w, const uint8_t *at)
{
	bool zero = strake_kernel->is_zero(at, LOG_GRAIN);

	/* It may be inside of a chunk, zeroes or not. */
	if (unlikely(w->blind)) {
		move_to(w, w->pos + LOG_GRAIN);
		return 0;
	}
	w->zero |= zero;
	if (zero && w->attempt == 0 && !w->scan && !w->sure && w->st->sp->parity > 0)
		return doubt(w);
	/* No column makes a chunk of what parity says of zeroes: then it is that which is wrong. */
	if (zero && w->attempt == 0)
		return row_over(w);
	if (!w->scan)
		return window_read(w, (uint16_t)(w->attempt + 1));
	w->lost++;
	move_to(w, w->pos + LOG_GRAIN);
	return 0;
}

/* A chunk, of a generation that is not known yet. @return 0: it is now. */
static int
first(struct store_walk *w, const struct log_head *h)
{
	if (w->attempt == 0 && !w->sure && w->st->sp->parity > 0)
		return doubt(w);
	if (w->attempt == 0) {
		w->gen = h->gen;
		return 0;
	}
	w->older = h->gen;
	w->newer = true;
	return window_read(w, (uint16_t)(w->attempt + 1));
}

/* Every way was tried: the newest chunk is it; or the row is over, if zeroes can be had; or there is one behind. Ways
 * that need a drive that is away suppose more to be wrong, with it, than there is parity. */
static int
exhausted(struct store_walk *w)
{
	if (!w->newer && w->zero) {
		w->status = 0;
		return row_over(w);
	}
	w->scan = !w->newer;
	w->gen = w->newer ? w->older : w->gen;
	w->newer = false;
	return window_read(w, 0);
}

/* On behind what cannot be read: a chunk, or a block of which nobody can tell what it holds. */
static int
pass_over(struct store_walk *w)
{
	w->status = 0;
	w->passed++;
	w->lost++;
	w->blind = !w->whole;
	move_to(w, w->pos + (w->whole ? w->need : LOG_BLOCK - w->pos % LOG_BLOCK));
	w->scan = false;
	return 0;
}

/* The window could not be had. @return 0: it was not needed; -EAGAIN: try again; -errno. */
static int
no_window(struct store_walk *w)
{
	if (w->status == -ERANGE && w->attempt > 0)
		return exhausted(w);
	if (w->status == -EIO && w->pos >= w->narrow) {
		w->narrow = w->pos + w->io.len;
		return window_read(w, w->attempt);
	}
	if (w->status == -EIO && w->attempt == 0 && w->passed < w->pass)
		return pass_over(w);
	/* This way needs a column that is away just now; another may not. */
	if (w->status == -EIO && w->attempt > 0)
		return window_read(w, (uint16_t)(w->attempt + 1));
	return w->status;
}

int
store_walk_chunk(struct store_walk *w, struct log_head *h, const uint8_t **at)
{
	for (;;) {
		int ret;

		if (w->reading)
			return -EAGAIN;
		if (w->probing) {
			ret = asked(w);
			if (ret < 0)
				return ret;
			continue;
		}
		if (w->status != 0) {
			ret = no_window(w);
			if (ret < 0)
				return ret;
			continue;
		}
		if (w->pos >= w->end || (w->stop_blank && w->pos / store_row_bytes(w->st) >= w->blank + 2))
			return 0;
		if (w->pos < w->win_off || w->pos >= w->win_off + w->win_len)
			return window_read(w, 0);
		*at = w->win->addr + (w->pos - w->win_off);
		ret = look(w, h, *at);
		if (ret == 0 && w->gen != 0)
			return 1;
		if (ret == 0)
			ret = first(w, h);
		else
			ret = ret == -EAGAIN ? window_read(w, w->attempt) : nothing(w, *at);
		if (ret < 0)
			return ret;
	}
}

void
store_walk_next(struct store_walk *w, const struct log_head *h)
{
	move_to(w, w->pos + h->bytes);
	w->blank = (w->pos - 1) / store_row_bytes(w->st);
	w->scan = w->blind = false;
	if (w->attempt > 0)
		w->win_len = 0; /* what is behind may be wrong this way */
}
