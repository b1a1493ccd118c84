/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Recovery's end: power may have left data and parity of the rows that were scanned as of different times. What counts
 * of the data is right as it lies, or was written anew, so the parity follows it: after what was written anew is
 * durable, since this takes away the way to what it was made from, and before anything is told that the rows are
 * durable.
 */

#include <rte_common.h>

#include "store_replay.h"

void
store_settle_add(struct store_replay *r, uint32_t seg, uint32_t row, uint32_t rows)
{
	r->settle[r->n_settle++] = (struct replay_rows){seg, row, rows};
}

void
store_settle_not(struct store_replay *r, uint32_t seg)
{
	for (uint32_t i = 0; i < r->n_settle; i++) {
		if (r->settle[i].seg == seg)
			r->settle[i].rows = 0;
	}
}

static void
durable(struct store_barrier *b, int status)
{
	struct store_replay *r = b->arg;

	r->waiting = false;
	r->durable = true;
	if (status < 0)
		store_replay_end(r, status);
}

static void
settled(struct strake_space_io *io)
{
	struct store_replay *r = io->arg;

	r->st->io_under_way--;
	r->waiting = false;
}

static void
row_settle(struct store_replay *r, const struct replay_rows *s, uint32_t row)
{
	struct store *st = r->st;

	r->io = (struct strake_space_io){
		.op = STRAKE_SPACE_REPAIR,
		.seg = s->seg,
		.off = (uint64_t)row * store_row_bytes(st),
		.len = store_row_bytes(st),
		.done = settled,
		.arg = r,
	};
	r->waiting = true;
	st->io_under_way++;
	strake_space_submit(st->sp, &r->io);
}

static void
over(struct store_replay *r)
{
	struct store *st = r->st;

	/* Numbers that were given and lost are not given again. */
	st->lsn = r->lsn_max + (1u << 20);
	st->serial = r->serial_max + (1u << 20);
	st->stats.replayed = r->n_items;
	st->stats.replay_ns = strake_now() - r->t_begin;
	store_replay_end(r, 0);
}

uint32_t
store_settle_rows(struct store_replay *r)
{
	if (r->waiting)
		return 0;
	if (!r->durable) {
		r->barrier.done = durable;
		r->barrier.arg = r;
		r->waiting = true;
		r->settle_at = 0;
		r->st->intents_done = r->st->intent_seq; /* none is under way */
		store_sync(r->st, &r->barrier, STORE_HOST_STREAMS, false);
		return 1;
	}
	while (r->settle_at < r->n_settle) {
		struct replay_rows *s = &r->settle[r->settle_at];

		if (s->row < s->rows) {
			row_settle(r, s, s->row++);
			return 1;
		}
		r->settle_at++;
	}
	over(r);
	return 1;
}
