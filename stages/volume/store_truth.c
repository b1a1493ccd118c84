/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "store_truth.h"

#include <errno.h>
#include <string.h>

#include <rte_common.h>

static struct strake_buf *
row_pages(const struct store *st)
{
	struct strake_buf *list = NULL, **tail = &list;

	for (uint32_t left = store_row_bytes(st); left > 0; left -= (*tail)->len, tail = &(*tail)->next) {
		*tail = strake_buf_page(RTE_MIN(left, STRAKE_BUF_PAGE_MAX));
		if (*tail == NULL) {
			strake_buf_put_list(list);
			return NULL;
		}
	}
	return list;
}

void
store_truth_begin(struct store_truth *t, struct store *st, uint32_t seg, uint32_t pos, uint32_t row, uint32_t rows,
		  bool as_is)
{
	t->st = st;
	t->row = row;
	t->rows = rows;
	t->odd_to = t->lost = t->chunks = t->tail_end = 0;
	t->as_is = as_is;
	t->begun = t->reading = false;
	t->status = 0;
	store_walk_begin(&t->walk, st, seg, st->seg[seg].d.gen, pos, rows * store_row_bytes(st));
}

void
store_truth_fini(struct store_truth *t)
{
	store_walk_fini(&t->walk);
	strake_buf_put_list(t->bufs);
	t->bufs = NULL;
}

/* Bytes [off, end) of the segment, as far as they lie in the row. */
static void
put(struct store_truth *t, uint32_t off, uint32_t end, const uint8_t *at)
{
	uint32_t rb = store_row_bytes(t->st), from = RTE_MAX(off, t->row * rb), to = RTE_MIN(end, (t->row + 1) * rb);

	if (from < to)
		strake_buf_copy_in(t->bufs, from - t->row * rb, at + (from - off), to - from);
}

/* The chunk that began in the row before. */
static void
tail_put(struct store_truth *t)
{
	uint32_t begin = t->row * store_row_bytes(t->st);

	if (t->tail_end > begin)
		put(t, begin, t->tail_end, t->tail);
}

/* --- how a row begins -------------------------------------------------------------------------------------------- */

static void
lies_done(struct strake_space_io *io)
{
	struct store_truth *t = io->arg;
	uint32_t off = 0;

	t->st->io_under_way--;
	t->reading = false;
	t->begun = io->status == 0;
	t->status = io->status;
	for (struct strake_buf *b = io->bufs; io->status == 0 && b != NULL; off += b->len, b = b->next)
		strake_buf_copy_in(t->bufs, off, b->addr, b->len);
	strake_buf_put_list(io->bufs);
	io->bufs = NULL;
	tail_put(t);
}

static int
as_it_lies(struct store_truth *t)
{
	t->reading = true;
	t->io = (struct strake_space_io){
		.op = STRAKE_SPACE_READ,
		.seg = t->walk.seg,
		.off = (uint64_t)t->row * store_row_bytes(t->st),
		.len = store_row_bytes(t->st),
		.done = lies_done,
		.arg = t,
	};
	t->st->io_under_way++;
	strake_space_submit(t->st->sp, &t->io);
	return -EAGAIN;
}

static int
row_begin(struct store_truth *t)
{
	t->by_parity = false;
	if (t->bufs == NULL)
		t->bufs = row_pages(t->st);
	if (t->bufs == NULL)
		return -ENOMEM;
	if (t->as_is)
		return as_it_lies(t);
	for (struct strake_buf *b = t->bufs; b != NULL; b = b->next)
		memset(b->addr, 0, b->len);
	tail_put(t);
	t->begun = true;
	return 0;
}

/* --- chunks ------------------------------------------------------------------------------------------------------ */

static void
take(struct store_truth *t, const struct log_head *h, const uint8_t *at)
{
	uint32_t row_end = (t->row + 1) * store_row_bytes(t->st), end = h->off + h->bytes;

	t->chunks++;
	t->by_parity |= t->walk.attempt > 0;
	put(t, h->off, end, at);
	if (end <= row_end)
		return;
	memcpy(t->tail, at + (row_end - h->off), end - row_end);
	t->tail_end = end;
}

/* The walk is at a chunk, or at the end: what it passed may have been odd. */
static void
passed(struct store_truth *t)
{
	if (t->walk.lost > t->lost)
		t->odd_to = t->walk.pos;
	t->lost = t->walk.lost;
}

int
store_truth_row(struct store_truth *t)
{
	uint32_t end = (t->row + 1) * store_row_bytes(t->st);

	/* The walk may be reading behind the row already: whoever asks may begin it elsewhere, or let go of the
	 * segment. */
	if (t->reading || t->walk.reading)
		return -EAGAIN;
	if (t->status < 0)
		return t->status;
	if (t->row == t->rows)
		return 0;
	if (!t->begun) {
		int ret = row_begin(t);

		if (ret < 0)
			return ret;
	}
	while (t->walk.pos < end) {
		const uint8_t *at;
		struct log_head h;
		int ret = store_walk_chunk(&t->walk, &h, &at);

		passed(t);
		if (ret < 0)
			return ret;
		if (ret == 0 || h.off >= end)
			break;
		take(t, &h, at);
		store_walk_next(&t->walk, &h);
	}
	return 1;
}

bool
store_truth_odd(const struct store_truth *t)
{
	return t->odd_to > t->row * store_row_bytes(t->st);
}

void
store_truth_next(struct store_truth *t)
{
	t->row++;
	t->begun = false;
	t->status = 0;
}

void
store_truth_write(const struct store_truth *t, struct strake_space_io *io, void (*done)(struct strake_space_io *io),
		  void *arg)
{
	*io = (struct strake_space_io){
		.op = STRAKE_SPACE_REPAIR,
		.seg = t->walk.seg,
		.off = (uint64_t)t->row * store_row_bytes(t->st),
		.len = store_row_bytes(t->st),
		.bufs = t->bufs,
		.done = done,
		.arg = arg,
	};
	t->st->io_under_way++;
	strake_space_submit(t->st->sp, io);
}
