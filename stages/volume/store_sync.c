/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * What makes appended chunks durable. A small amount goes into the intents: images of the chunks in the row being
 * filled, written at once on m + 1 drives, void as soon as the row itself is durable. More than that: the row is given
 * to the space as it is, and a flush follows. Flushes are shared by all who wait.
 */

#include <errno.h>
#include <string.h>

#include <rte_common.h>

#include "store_job.h"

/* --- the intents' ring ------------------------------------------------------------------------------------------- */

static struct store_mark *
mark_at(struct store *st, uint64_t i)
{
	return &st->mark[i % STORE_MARKS];
}

/* Forget marks whose rows are durable, oldest first. */
static void
marks_reap(struct store *st)
{
	while (st->mark_head < st->mark_tail) {
		const struct store_mark *m = mark_at(st, st->mark_head);

		if (!m->done || st->out[m->stream].durable <= m->row)
			return;
		st->mark_head++;
	}
}

void
store_intents_reset(struct store *st)
{
	st->mark_head = st->mark_tail = 0;
	st->ring_at = 0;
}

/* Room for @p len bytes without a wrap inside. @return the position, or UINT64_MAX. */
static uint64_t
ring_take(struct store *st, uint32_t len)
{
	uint64_t size = st->sp->intent_bytes, at = st->ring_at, oldest;

	marks_reap(st);
	if (st->mark_tail - st->mark_head == STORE_MARKS)
		return UINT64_MAX;
	if (at % size + len > size)
		at += size - at % size;
	oldest = st->mark_head < st->mark_tail ? mark_at(st, st->mark_head)->pos : at;
	return at + len - oldest <= size ? at : UINT64_MAX;
}

static void
intent_done(struct strake_space_io *io)
{
	struct store_intent *in = io->arg;
	struct store *st = in->st;
	uint64_t done = st->intent_seq;

	st->io_under_way--;
	strake_buf_put(in->buf);
	in->buf = NULL;
	in->busy = false;
	if (io->status < 0) {
		store_fail(st, io->status);
		return;
	}
	for (uint64_t i = st->mark_head; i < st->mark_tail; i++) {
		struct store_mark *m = mark_at(st, i);

		if (m->seq == in->seq)
			m->done = true;
		if (!m->done)
			done = RTE_MIN(done, m->seq);
	}
	st->intents_done = done;
}

static struct store_intent *
intent_free(struct store *st)
{
	for (unsigned int i = 0; i < STORE_INTENTS; i++) {
		if (!st->intent[i].busy)
			return &st->intent[i];
	}
	return NULL;
}

/* Write what the stream has in its row and in no intent. @return 0, or -EAGAIN: the row must go instead. */
static int
intent_write(struct store *st, unsigned int stream)
{
	struct store_out *o = &st->out[stream];
	uint32_t from = RTE_MAX(o->safe, o->logged), len = o->off - from;
	uint32_t bytes = LOG_INTENT_HEAD + len, whole = RTE_ALIGN_CEIL(bytes, 4096u);
	struct store_intent *in = intent_free(st);
	struct log_intent head;
	struct strake_buf *buf;
	uint64_t at;

	if (in == NULL || whole > STORE_INTENT_MAX || whole > st->sp->intent_bytes / 4)
		return -EAGAIN;
	at = ring_take(st, whole);
	if (at == UINT64_MAX)
		return -EAGAIN;
	buf = strake_buf_page(whole);
	if (buf == NULL)
		return -EAGAIN;
	if (!store_row_read(st, o->seg, from, len, buf->addr + LOG_INTENT_HEAD)) {
		strake_buf_put(buf);
		return -EAGAIN;
	}
	memset(buf->addr + bytes, 0, whole - bytes);
	head = (struct log_intent){st->short_uuid, st->intent_seq++, bytes};
	log_intent_seal(&head, buf->addr);
	*mark_at(st, st->mark_tail++) = (struct store_mark){
		.pos = at,
		.end = at + whole,
		.stream = (uint8_t)stream,
		.row = st->seg[o->seg].first_row + (o->off - 1) / store_row_bytes(st),
		.seq = head.seq,
	};
	st->ring_at = at + whole;
	o->logged = o->off;
	in->busy = true;
	in->buf = buf;
	in->seq = head.seq;
	in->st = st;
	in->io = (struct strake_space_io){
		.op = STRAKE_SPACE_INTENT,
		.off = at % st->sp->intent_bytes,
		.len = whole,
		.bufs = buf,
		.done = intent_done,
		.arg = in,
	};
	st->stats.intents++;
	st->stats.intent_bytes += whole;
	st->io_under_way++;
	strake_space_submit(st->sp, &in->io);
	return 0;
}

/* --- barriers ---------------------------------------------------------------------------------------------------- */

void
store_sync(struct store *st, struct store_barrier *b, unsigned int mask, bool intents)
{
	b->next = NULL;
	b->intent = 0;
	for (unsigned int s = 0; s < LOG_STREAMS; s++) {
		struct store_out *o = &st->out[s];

		b->row[s] = 0;
		if (!(mask & 1u << s))
			continue;
		b->row[s] = o->given;
		if (o->row == NULL || st->failed != 0)
			continue;
		if (RTE_MAX(o->safe, o->logged) < o->off && (!intents || intent_write(st, s) < 0)) {
			store_row_close(st, s);
			b->row[s] = o->given;
		} else if (!intents) {
			store_row_close(st, s);
			b->row[s] = o->given;
		}
		b->intent = st->intent_seq;
	}
	*st->barriers_end = b;
	st->barriers_end = &b->next;
}

void
store_sync_rows(struct store *st, struct store_barrier *b)
{
	b->next = NULL;
	b->intent = 0;
	*st->barriers_end = b;
	st->barriers_end = &b->next;
}

static void
flush_done(struct strake_space_io *io)
{
	struct store *st = io->arg;

	st->io_under_way--;
	st->flushing = false;
	if (io->status < 0) {
		store_fail(st, io->status);
		return;
	}
	for (unsigned int s = 0; s < LOG_STREAMS; s++)
		st->out[s].durable = RTE_MAX(st->out[s].durable, st->flush_at[s]);
}

static void
flush_begin(struct store *st)
{
	for (unsigned int s = 0; s < LOG_STREAMS; s++)
		st->flush_at[s] = st->out[s].written;
	st->flushing = true;
	st->flush_io = (struct strake_space_io){.op = STRAKE_SPACE_FLUSH, .done = flush_done, .arg = st};
	st->stats.flushes++;
	st->io_under_way++;
	strake_space_submit(st->sp, &st->flush_io);
}

/* Durable; or only a flush is missing (*flush). */
static bool
barrier_met(const struct store *st, const struct store_barrier *b, bool *flush)
{
	bool durable = true, written = true;

	for (unsigned int s = 0; s < LOG_STREAMS; s++) {
		durable = durable && st->out[s].durable >= b->row[s];
		written = written && st->out[s].written >= b->row[s];
	}
	*flush = *flush || (written && !durable);
	return durable && st->intents_done >= b->intent;
}

uint32_t
store_sync_poll(struct store *st)
{
	struct store_barrier *b = st->barriers, *met = NULL, **end = &met, **at;
	bool flush = false;
	uint32_t work = 0;

	if (b == NULL)
		return 0;
	for (at = &st->barriers; (b = *at) != NULL;) {
		if (st->failed == 0 && !barrier_met(st, b, &flush)) {
			at = &b->next;
			continue;
		}
		*at = b->next;
		*end = b;
		end = &b->next;
	}
	*end = NULL;
	st->barriers_end = at;
	while (met != NULL) {
		b = met;
		met = b->next;
		work++;
		b->done(b, st->failed);
	}
	if (flush && !st->flushing && st->failed == 0)
		flush_begin(st);
	marks_reap(st);
	return work;
}

/* --- rebuild asks --------------------------------------------------------------------------------------------------
 */

void
store_to_rows_over(struct store *st, int status)
{
	void (*done)(void *arg, int status) = st->to_rows.done;

	st->to_rows.done = NULL;
	if (done != NULL)
		done(st->to_rows.arg, status);
}

void
store_to_rows(void *arg, void (*done)(void *arg, int status), void *done_arg)
{
	struct store *st = arg;

	if (st->failed != 0 || st->closing || st->to_rows.done != NULL) {
		done(done_arg, -EBUSY);
		return;
	}
	st->to_rows.done = done;
	st->to_rows.arg = done_arg;
	st->to_rows.ckpt = 0;
}

/* Durable rows would do for what was flushed; but a drive that was away may have an intent that recovery, without it,
 * knew nothing of. Only a checkpoint makes that void. */
uint32_t
store_to_rows_poll(struct store *st)
{
	int status = st->to_rows.done != NULL ? store_ckpt_wait(st, &st->to_rows.ckpt) : -EINPROGRESS;

	if (likely(status == -EINPROGRESS))
		return 0;
	store_to_rows_over(st, status);
	return 1;
}
