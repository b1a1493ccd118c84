/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * A row that disagrees with its parity, found by scrub: only the chunks' checksums tell which side is right. All chunks
 * that touch the row are read; what was wrong of them is written again by that, and then all are read again, since a
 * drive may lose that, too, or spoil what lies beside. Once all of them are right as they lie, and only then, parity
 * that still differs is made from it: with one that is not, this would take away the way to it.
 *
 * One row at a time. Open segments are left alone. Of one that was open when power went only rows whose data is right
 * as it lies get new parity: writing one chunk again could take away what another is rebuilt from. Collection sees to
 * it.
 */

#include <errno.h>
#include <stdlib.h>

#include <rte_common.h>

#include "store_walk.h"

#define ROWS_MAX 256
#define TRIES	 4

enum mend_state { MEND_IDLE, MEND_WALK, MEND_READ, MEND_AGAIN, MEND_PARITY };

struct store_mend {
	struct {
		uint32_t seg, row;
	} queue[ROWS_MAX];
	uint32_t first, n;
	uint8_t state;
	uint8_t tries; /* to have all right as it lies */
	bool again;    /* something was not, and is written again */
	bool beyond;   /* help: something of the row cannot be had */
	uint32_t seg, row;
	struct store_walk walk;
	struct store_read read;
	struct log_head head; /* of the chunk being read */
	struct strake_space_io io;
};

int
store_mend_init(struct store *st)
{
	st->mend = calloc(1, sizeof(*st->mend));
	return st->mend != NULL ? 0 : -ENOMEM;
}

void
store_mend_fini(struct store *st)
{
	if (st->mend != NULL)
		store_walk_fini(&st->mend->walk);
	free(st->mend);
	st->mend = NULL;
}

void
store_mend(void *arg, uint32_t seg, uint32_t row)
{
	struct store *st = arg;
	struct store_mend *m = st->mend;

	/* The next scrub finds again what has no place now. */
	if (m == NULL || m->n == ROWS_MAX || st->replay != NULL)
		return;
	m->queue[(m->first + m->n++) % ROWS_MAX].seg = seg;
	m->queue[(m->first + m->n - 1) % ROWS_MAX].row = row;
}

static void
rest(struct store *st)
{
	st->seg[st->mend->seg].readers--;
	st->mend->state = MEND_IDLE;
}

static void
walk_begin(struct store *st)
{
	struct store_mend *m = st->mend;
	const struct store_seg *s = &st->seg[m->seg];

	m->again = false;
	m->tries++;
	m->state = MEND_WALK;
	store_walk_begin(&m->walk, st, m->seg, s->d.gen, 0, s->rows * store_row_bytes(st));
}

static void
begin(struct store *st)
{
	struct store_mend *m = st->mend;
	struct store_seg *s;

	m->seg = m->queue[m->first].seg;
	m->row = m->queue[m->first].row;
	m->first = (m->first + 1) % ROWS_MAX;
	m->n--;
	s = &st->seg[m->seg];
	if (m->seg >= st->n_seg || m->row >= s->rows ||
	    (s->d.state != STORE_SEG_CLOSED && s->d.state != STORE_SEG_BAD && s->d.state != STORE_SEG_SUSPECT))
		return;
	s->readers++;
	m->beyond = false;
	m->tries = 0;
	walk_begin(st);
}

static void
chunk_read(struct store_read *r, struct strake_buf *buf, int status)
{
	struct store_mend *m = r->arg;

	strake_buf_put_list(buf);
	m->again = m->again || r->io.attempt > 0;
	m->beyond = m->beyond || status < 0 || (r->st->seg[m->seg].d.state == STORE_SEG_SUSPECT && r->io.attempt > 0);
	m->state = MEND_WALK;
	store_walk_next(&m->walk, &m->head);
	m->walk.win_len = 0; /* it may have been written again */
}

static void
parity_made(struct strake_space_io *io)
{
	struct store *st = io->arg;

	st->io_under_way--;
	rest(st);
}

static void
parity(struct store *st)
{
	struct store_mend *m = st->mend;

	m->state = MEND_PARITY;
	m->io = (struct strake_space_io){
		.op = STRAKE_SPACE_REPAIR,
		.seg = m->seg,
		.off = (uint64_t)m->row * store_row_bytes(st),
		.len = store_row_bytes(st),
		.done = parity_made,
		.arg = st,
	};
	st->io_under_way++;
	strake_space_submit(st->sp, &m->io);
}

static uint32_t
walk_step(struct store *st)
{
	struct store_mend *m = st->mend;
	uint32_t from = m->row * store_row_bytes(st), end = from + store_row_bytes(st);
	const uint8_t *at;
	struct log_head h;
	int ret = store_walk_chunk(&m->walk, &h, &at);

	if (ret == -EAGAIN)
		return 0;
	if (ret <= 0 || h.off >= end) {
		if (ret < 0 || m->beyond || m->walk.lost > 0 || (m->again && m->tries == TRIES))
			rest(st);
		else if (m->again)
			m->state = MEND_AGAIN;
		else
			parity(st);
		return 1;
	}
	if (h.off + h.bytes <= from) {
		store_walk_next(&m->walk, &h);
		return 1;
	}
	m->state = MEND_READ;
	m->head = h;
	m->read.st = st;
	m->read.io.attempt = 0;
	m->read.place = log_direct(h.seg, h.off, h.bytes, 0);
	m->read.done = chunk_read;
	m->read.arg = m;
	store_chunk_read(&m->read);
	return 1;
}

uint32_t
store_mend_poll(struct store *st)
{
	struct store_mend *m = st->mend;

	if ((m->state == MEND_WALK || m->state == MEND_AGAIN) && (st->failed != 0 || st->closing)) {
		if (!m->walk.reading)
			rest(st);
		return 0;
	}
	/* What is being written again is not to be read, nor parity made of it, before that is done. */
	if (m->state == MEND_AGAIN && st->repairs_busy == 0)
		walk_begin(st);
	if (m->state == MEND_WALK)
		return walk_step(st);
	if (m->state != MEND_IDLE || m->n == 0 || st->failed != 0 || st->closing)
		return 0;
	begin(st);
	return 1;
}
