/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Recovery's end: power may have left data and parity of the rows that were scanned as of different times. What counts
 * of the data is right as it lies, or was written anew, so the parity follows it: after what was written anew is
 * durable, since this takes away the way to what it was made from, and before anything is told that the rows are
 * durable.
 *
 * Before that, what was written anew is also written again where it lay, as parity has it. Recovery may be cut short
 * after this and before its checkpoint, and the next one finds only the copy otherwise: records that share the chunk
 * speak of the place where it lay. Rows of a drive that will not take it stay as they are.
 */

#include <rte_common.h>

#include "store_replay.h"

#define TRIES 4

void
store_settle_add(struct store_replay *r, uint32_t seg, uint32_t row, uint32_t rows)
{
	r->settle[r->n_settle++] = (struct replay_rows){seg, row, rows, false};
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

/* One at a time. */
static void
submit(struct store_replay *r, struct strake_space_io io)
{
	r->io = io;
	r->io.arg = r;
	r->waiting = true;
	r->st->io_under_way++;
	strake_space_submit(r->st->sp, &r->io);
}

/* --- where it lay ------------------------------------------------------------------------------------------------ */

/* Rows of a segment that will get parity, or NULL. */
static struct replay_rows *
rows_of(struct store_replay *r, uint32_t seg)
{
	for (uint32_t i = 0; i < r->n_settle; i++) {
		if (r->settle[i].seg == seg && r->settle[i].row < r->settle[i].rows)
			return &r->settle[i];
	}
	return NULL;
}

static void
again(struct store_replay *r, const struct strake_space_io *io)
{
	rows_of(r, io->seg)->mended = true;
	r->tries++;
	r->mended = true;
	submit(r, (struct strake_space_io){
			  .op = STRAKE_SPACE_REPAIR,
			  .attempt = io->attempt,
			  .seg = io->seg,
			  .off = io->off,
			  .len = io->len,
			  .done = settled,
		  });
}

/* What was written again is read again: a drive that lost it once may do so twice. */
static void
chunk_read(struct store_read *rd, struct strake_buf *buf, int status)
{
	struct store_replay *r = rd->arg;
	bool wrong = status < 0 || rd->io.attempt > 0;

	strake_buf_put_list(buf);
	r->waiting = false;
	if (wrong && status == 0 && !r->checked && r->tries < TRIES) {
		again(r, &rd->io);
		return;
	}
	if (wrong)
		store_settle_not(r, log_entry_seg(rd->place));
	r->at++;
	r->tries = 0;
}

/* Where the chunk lies that is to be looked at at r->at, or 0. At first those that are right by parity only; then also
 * what lies as it was found, in segments where something was written again: that may have gone wrong beside it. */
static uint64_t
concerns(struct store_replay *r)
{
	const struct replay_item *it = r->at < r->n_home ? NULL : &r->item[r->at - r->n_home];
	uint64_t was = it == NULL ? r->home[r->at] : it->head == NULL ? it->was : 0;
	const struct replay_rows *rows = was != 0 ? rows_of(r, log_entry_seg(was)) : NULL;

	return rows != NULL && (!r->checked || rows->mended) ? was : 0;
}

/* @return false: all is right as it lies, or its rows will stay. */
static bool
chunk_step(struct store_replay *r)
{
	size_t end = r->n_home + (r->checked ? r->n_items : 0);
	uint64_t was = 0;

	while (r->at < end && (was = concerns(r)) == 0)
		r->at++;
	if (r->at == end && (r->checked || !r->mended))
		return false;
	if (r->at == end) {
		r->checked = true;
		r->at = 0;
		return true;
	}
	r->read.st = r->st;
	r->read.place = was;
	r->read.done = chunk_read;
	r->read.arg = r;
	r->waiting = true;
	store_chunk_read(&r->read);
	return true;
}

static void
flushed(struct strake_space_io *io)
{
	struct store_replay *r = io->arg;

	r->st->io_under_way--;
	r->waiting = r->mended = false;
	if (io->status < 0)
		store_replay_end(r, io->status);
}

/* --- parity ------------------------------------------------------------------------------------------------------ */

static void
row_settle(struct store_replay *r, const struct replay_rows *s, uint32_t row)
{
	uint32_t len = store_row_bytes(r->st);

	submit(r, (struct strake_space_io){
			  .op = STRAKE_SPACE_REPAIR,
			  .seg = s->seg,
			  .off = (uint64_t)row * len,
			  .len = len,
			  .done = settled,
		  });
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
		r->at = 0;
		r->st->intents_done = r->st->intent_seq; /* none is under way */
		store_sync(r->st, &r->barrier, STORE_HOST_STREAMS, false);
		return 1;
	}
	if (chunk_step(r))
		return 1;
	if (r->mended) {
		submit(r, (struct strake_space_io){.op = STRAKE_SPACE_FLUSH, .done = flushed});
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
