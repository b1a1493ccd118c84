/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Segments: which are free, which may be opened, which to collect.
 *
 * Only a segment that the durable superblock lists may be opened, so that recovery knows where to look. Some of those
 * are kept for collection, and some more for checkpoints, because these are what frees others.
 */

#include <rte_common.h>

#include "store.h"

void
store_seg_live(struct store *st, uint32_t seg, int n)
{
	struct store_seg *s = &st->seg[seg];

	s->d.live = (uint32_t)((int)s->d.live + n);
	st->live_blocks = (uint64_t)((int64_t)st->live_blocks + n);
}

/* Segments that a whole checkpoint may need. */
uint32_t
store_seg_keep_meta(const struct store *st)
{
	uint64_t bytes = map_stats(st->map)->dirty_max * (MAP_IMAGE_BYTES + LOG_GRAIN) +
			 (uint64_t)st->n_seg * LOG_TABLE_ENTRY + 2 * LOG_CHUNK_MAX;

	return (uint32_t)(bytes / (st->seg_bytes - LOG_CHUNK_MAX)) + 2;
}

static uint32_t
kept(const struct store *st, unsigned int stream)
{
	uint32_t meta = store_seg_keep_meta(st);

	if (stream == STORE_META)
		return 0;
	/* What recovery takes out of intents may not wait for a checkpoint: there is none before it ends. */
	if (stream == STORE_GC || st->replay != NULL)
		return meta - 1;
	return st->trimming ? meta + 1 : meta + 3;
}

uint32_t
store_seg_ready(const struct store *st)
{
	return st->n_ready - st->ready_at;
}

/* Free for hosts, once they are listed. */
int64_t
store_seg_spare(const struct store *st)
{
	return (int64_t)st->n_free - kept(st, STORE_HOT);
}

int
store_seg_may_open(struct store *st, unsigned int stream)
{
	uint32_t keep = kept(st, stream);

	if (store_seg_ready(st) > keep && st->n_since < 2 * LOG_SUPER_NEXT)
		return 0;
	if (st->n_free > store_seg_ready(st) || st->n_drained > 0 || st->n_since >= LOG_SUPER_NEXT)
		store_ckpt_want(st);
	return -EBUSY;
}

void
store_seg_open(struct store *st, unsigned int stream)
{
	struct store_out *o = &st->out[stream];
	uint32_t seg = st->ready[st->ready_at++];
	struct store_seg *s = &st->seg[seg];

	st->n_free--;
	st->since[st->n_since++] = seg;
	s->d.gen++;
	s->d.state = STORE_SEG_OPEN;
	s->d.stream = (uint8_t)stream;
	s->d.blocks = 0;
	s->d.live = 0;
	s->rows = 0;
	s->listed = false;
	s->blank = false;
	s->first_row = o->given;
	o->seg = seg;
	o->off = o->safe = o->logged = 0;
	if (stream == STORE_HOT)
		st->full = store_full(st);
	if (store_seg_ready(st) <= kept(st, STORE_HOT) + 2 && (st->n_drained > 0 || st->n_free > store_seg_ready(st)))
		store_ckpt_want(st);
}

void
store_seg_drained(struct store *st, uint32_t seg)
{
	st->seg[seg].d.state = STORE_SEG_DRAINED;
	st->n_drained++;
	st->stats.collected++;
	if (store_seg_ready(st) <= kept(st, STORE_HOT) + 2)
		store_ckpt_want(st);
}

/* Segments that would be full if each held nothing but what is needed. */
static double
needed(const struct store *st)
{
	double sum = 0;

	for (uint32_t i = 0; i < st->n_seg; i++) {
		const struct log_segment *d = &st->seg[i].d;

		if (d->state == STORE_SEG_FREE || d->state == STORE_SEG_DRAINED || d->stream == STORE_META)
			continue;
		sum += d->blocks > 0 ? (double)d->live / d->blocks : 0;
	}
	return sum;
}

bool
store_full(const struct store *st)
{
	double room = (double)st->n_seg - 2.0 * store_seg_keep_meta(st) - 5;

	return needed(st) > room * 0.94;
}

/* With room to spare, those whose parity may be wrong go first. */
static double
score(const struct store_seg *s, bool pressed)
{
	if (s->d.state == STORE_SEG_SUSPECT && !pressed)
		return -1;
	return s->d.blocks > 0 ? (double)s->d.live / s->d.blocks : 0;
}

uint32_t
store_seg_victim(struct store *st)
{
	uint32_t best = STORE_NONE;
	double best_score = 0.97;
	bool pressed = store_seg_spare(st) <= 0, room = store_room(st, STORE_GC, LOG_CHUNK_MAX) == 0;

	for (uint32_t i = 0; i < st->n_seg; i++) {
		const struct store_seg *s = &st->seg[i];

		if ((s->d.state != STORE_SEG_CLOSED && s->d.state != STORE_SEG_SUSPECT) || s->readers > 0)
			continue;
		/* Its last rows are still under way. */
		if (s->first_row + s->rows > st->out[s->d.stream].written)
			continue;
		/* Nothing can be moved just now: only what needs no moving. */
		if (!room && s->d.stream != STORE_META && s->d.live > 0)
			continue;
		if (score(s, pressed) < best_score) {
			best_score = score(s, pressed);
			best = i;
		}
	}
	return best;
}

bool
store_stuck(struct store *st)
{
	return store_seg_spare(st) <= 0 && st->n_drained == 0 && store_gc_idle(st) &&
	       store_seg_victim(st) == STORE_NONE && st->ckpt.state == STORE_CKPT_IDLE && !st->ckpt.wanted;
}
