/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * A row that disagrees with its parity, found by scrub or rebuild, or of which a drive cannot read something: only the
 * chunks' checksums tell what is right.
 * All chunks that touch the row are read, in any way that is right, and the row is written as they have it, with its
 * parity, where a drive has something else (store_truth.h). With a chunk that cannot be had this would take away the
 * way to it: then the row stays as it is. If rebuild cannot read it either, the segment is collected: whether that
 * chunk is dead is found out there, and then nobody has to rebuild it any more.
 *
 * One row at a time. Of an open segment only what is written is looked at.
 */

#include <errno.h>
#include <stdlib.h>

#include <rte_common.h>

#include "store_truth.h"

#define ROWS_MAX 256
#define TRIES	 4

enum mend_state { MEND_IDLE, MEND_READ, MEND_WRITE };

struct mend_row {
	uint32_t seg, row;
	void (*done)(void *arg); /* NULL: nobody waits */
	void *arg;
};

struct store_mend {
	struct mend_row queue[ROWS_MAX]; /* the first is being looked at unless all is idle */
	uint32_t first, n;
	uint8_t state;
	uint8_t tries; /* to write it */
	struct store_truth truth;
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
	struct store_mend *m = st->mend;

	st->mend = NULL;
	if (m == NULL)
		return;
	store_truth_fini(&m->truth);
	for (; m->n > 0; m->n--, m->first = (m->first + 1) % ROWS_MAX) {
		if (m->queue[m->first].done != NULL)
			m->queue[m->first].done(m->queue[m->first].arg);
	}
	free(m);
}

/* What a drive cannot read may be read many times before it is looked at. */
static bool
waits(const struct store_mend *m, uint32_t seg, uint32_t row)
{
	for (uint32_t i = 0; i < m->n; i++) {
		const struct mend_row *r = &m->queue[(m->first + i) % ROWS_MAX];

		if (r->seg == seg && r->row == row)
			return true;
	}
	return false;
}

void
store_mend_check(void *arg, uint32_t seg, uint32_t row, void (*done)(void *arg), void *done_arg)
{
	struct store *st = arg;
	struct store_mend *m = st->mend;

	if (done == NULL && m != NULL && waits(m, seg, row))
		return;
	/* The next scrub or read finds again what has no place now. */
	if (m != NULL && m->n < ROWS_MAX && st->replay == NULL)
		m->queue[(m->first + m->n++) % ROWS_MAX] = (struct mend_row){seg, row, done, done_arg};
	else if (done != NULL)
		done(done_arg);
}

void
store_mend(void *arg, uint32_t seg, uint32_t row)
{
	store_mend_check(arg, seg, row, NULL, NULL);
}

/* The first is over. */
static void
over(struct store_mend *m)
{
	struct mend_row r = m->queue[m->first];

	m->first = (m->first + 1) % ROWS_MAX;
	m->n--;
	m->state = MEND_IDLE;
	if (r.done != NULL)
		r.done(r.arg);
}

static void
rest(struct store *st)
{
	st->seg[st->mend->truth.walk.seg].readers--;
	over(st->mend);
}

/* Is the row, and what its last chunk goes on in, on the drives? If that is being filled it is given up, for whoever
 * asks again. */
static bool
written(struct store *st, uint32_t seg, uint32_t row)
{
	uint32_t rb = store_row_bytes(st);

	for (unsigned int s = 0; s < LOG_STREAMS; s++) {
		if (st->out[s].seg == seg && st->out[s].row != NULL && st->out[s].row->row == row + 1)
			store_row_close(st, s);
	}
	return !store_row_has(st, seg, row * rb, RTE_MIN(2u, st->seg[seg].rows - row) * rb);
}

static void
begin(struct store *st)
{
	struct store_mend *m = st->mend;
	uint32_t seg = m->queue[m->first].seg, row = m->queue[m->first].row;
	struct store_seg *s = &st->seg[seg];

	if (seg >= st->n_seg || row >= s->rows || s->d.state == STORE_SEG_FREE || s->d.state == STORE_SEG_DRAINED ||
	    !written(st, seg, row)) {
		/* Who could not rebuild it waits for it to be freed. */
		if (seg < st->n_seg && s->d.state == STORE_SEG_DRAINED && m->queue[m->first].done != NULL)
			store_seg_ails(st, seg);
		over(m);
		return;
	}
	s->readers++;
	m->tries = 0;
	m->state = MEND_READ;
	store_truth_begin(&m->truth, st, seg, 0, row, s->rows, false);
}

static void wrote(struct strake_space_io *io);

static void
row_write(struct store *st)
{
	struct store_mend *m = st->mend;

	m->state = MEND_WRITE;
	m->tries++;
	store_truth_write(&m->truth, &m->io, wrote, st);
}

static void
wrote(struct strake_space_io *io)
{
	struct store *st = io->arg;

	st->io_under_way--;
	if (io->status < 0 && st->mend->tries < TRIES) {
		row_write(st);
		return;
	}
	st->stats.repaired += io->status == 0 && st->mend->truth.by_parity;
	rest(st);
}

uint32_t
store_mend_poll(struct store *st)
{
	struct store_mend *m = st->mend;
	int ret;

	if (m->state == MEND_IDLE && m->n > 0) {
		if (st->failed == 0 && !st->closing)
			begin(st);
		else
			over(m);
		return 1;
	}
	if (m->state != MEND_READ)
		return 0;
	ret = store_truth_row(&m->truth);
	if (ret == -EAGAIN)
		return 0;
	if (ret == 1 && st->failed == 0 && !st->closing && !store_truth_odd(&m->truth)) {
		row_write(st);
		return 1;
	}
	if (ret == -EIO && m->queue[m->first].done != NULL)
		store_seg_ails(st, m->truth.walk.seg);
	rest(st);
	return 1;
}
