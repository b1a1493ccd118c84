/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Recovery's end: power may have left data and parity of the rows that were scanned as of different times. What counts
 * of the data is right as it lies, or right by parity; each row is written as that has it (store_truth.h), where a
 * drive has something else: after what was written anew is durable, since this takes away the way to what it was made
 * from, and before anything is told that the rows are durable.
 *
 * So what is right by parity only is written where it lies, too. Recovery may be cut short after this and before its
 * checkpoint, and the next one finds only the copy otherwise: records that share the chunk speak of the place where it
 * lay. Rows of a drive that will not take it are right by parity still.
 *
 * Until then power may have left a row no parity, and a write that goes astray may come to lie in it after it was
 * scanned. What was found and is lost by that was not flushed, but what it replaced was: recovery begins anew, without
 * it.
 *
 * Rows of the map's segments stay as power left them. What it can have torn there is of a checkpoint that never
 * counted: one that counts closed its last row, and had all of its rows flushed, before its superblock was written, and
 * nothing is appended to such a segment after recovery. So no chunk that is needed lies in a torn row, or in a row
 * whose columns are made of one. Scrub and rebuild see that its columns disagree, and leave it, until the segment is
 * collected.
 */

#include <errno.h>

#include <rte_common.h>

#include "store_replay.h"

void
store_settle_add(struct store_replay *r, const struct replay_rows *rows)
{
	r->settle[r->n_settle++] = *rows;
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

static void
settled(struct strake_space_io *io)
{
	struct store_replay *r = io->arg;

	r->st->io_under_way--;
	r->waiting = false;
	store_truth_next(&r->truth);
}

/* The next row. @return whether anything was done. */
static uint32_t
row_settle(struct store_replay *r)
{
	int ret = store_truth_row(&r->truth);

	if (ret == -EAGAIN)
		return 0;
	if (ret == 0) {
		if (r->truth.chunks < r->settle[r->settle_at].chunks)
			store_replay_end(r, -ESTALE);
		r->settling = false;
		r->settle_at++;
		return 1;
	}
	/* What cannot be read just now had better stay as it is. */
	if (ret < 0 || (!r->truth.as_is && store_truth_odd(&r->truth))) {
		store_truth_next(&r->truth);
		return 1;
	}
	r->waiting = true;
	store_truth_write(&r->truth, &r->io, settled, r);
	return 1;
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
	while (!r->settling && r->settle_at < r->n_settle &&
	       r->settle[r->settle_at].row >= r->settle[r->settle_at].rows)
		r->settle_at++;
	if (r->settle_at == r->n_settle) {
		over(r);
		return 1;
	}
	if (!r->settling) {
		const struct replay_rows *s = &r->settle[r->settle_at];

		r->settling = true;
		store_truth_begin(&r->truth, r->st, s->seg, s->pos, s->row, s->rows, s->torn);
	}
	return row_settle(r);
}
