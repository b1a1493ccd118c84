/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Segments: which are free, which may be opened, which to collect.
 *
 * Only a segment that the durable superblock lists may be opened, so that recovery knows where to look. Some of those
 * are kept for collection, and some more for checkpoints, because these are what frees others.
 */

#include <math.h>

#include <rte_common.h>

#include "store.h"

void
store_seg_live(struct store *st, uint32_t seg, int n)
{
	struct store_seg *s = &st->seg[seg];

	s->d.live = (uint32_t)((int)s->d.live + n);
	st->live_blocks = (uint64_t)((int64_t)st->live_blocks + n);
}

/* What so many pages of the map and the segment table take. */
static uint64_t
pages_bytes(const struct store *st, uint64_t pages)
{
	return pages * (MAP_IMAGE_BYTES + LOG_GRAIN) + (uint64_t)st->n_seg * LOG_TABLE_ENTRY + LOG_CHUNK_MAX;
}

uint32_t
store_seg_pages(const struct store *st, uint64_t pages)
{
	return (uint32_t)(pages_bytes(st, pages) / (st->seg_bytes - LOG_CHUNK_MAX)) + 1;
}

static void list_in_time(struct store *st);

#define SPARE 3 /* for a checkpoint that frees nothing, and for what recovery takes out of intents */

/* Segments that a checkpoint of what is dirty now needs, and some to spare. */
uint32_t
store_seg_keep_meta(const struct store *st)
{
	return store_seg_pages(st, map_stats(st->map)->dirty) + SPARE;
}

bool
store_seg_meta_fits(const struct store *st)
{
	const struct store_out *o = &st->out[STORE_META];
	uint64_t room = (uint64_t)store_seg_ready(st) * (st->seg_bytes - LOG_CHUNK_MAX);

	return room + (o->seg != STORE_NONE ? st->seg_bytes - o->off : 0) >= pages_bytes(st, map_stats(st->map)->dirty);
}

/* Changes make pages dirty: not more than a checkpoint can write. */
bool
store_seg_meta_short(struct store *st, unsigned int stream)
{
	uint32_t need = store_seg_keep_meta(st) - (1u << stream & STORE_GC_STREAMS || st->trimming);

	if (likely(store_seg_ready(st) >= need) || st->replay != NULL)
		return false;
	/* Hosts wait while collection goes on. */
	if (1u << stream & STORE_GC_STREAMS || store_gc_rests(st))
		store_ckpt_want_starved(st);
	else
		list_in_time(st);
	return true;
}

static uint32_t
kept(const struct store *st, unsigned int stream)
{
	uint32_t meta = store_seg_keep_meta(st);

	if (stream == STORE_META)
		return 0;
	/* What recovery takes out of intents may not wait for a checkpoint: there is none before it ends. */
	if (st->replay != NULL)
		return meta - SPARE;
	if (1u << stream & STORE_GC_STREAMS)
		return meta - 1;
	return st->trimming ? meta + 1 : meta + 4;
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

int64_t
store_seg_level(const struct store *st)
{
	return store_seg_spare(st) + st->n_drained - st->n_drained_map;
}

bool
store_seg_short(const struct store *st, uint32_t n)
{
	return store_seg_ready(st) <= kept(st, STORE_HOT) + n;
}

/* Segments that collection keeps free, or empty, for hosts. */
uint32_t
store_seg_target(const struct store *st)
{
	uint32_t few = RTE_MIN(st->n_seg / 64, 8u), many = RTE_MIN(st->n_seg / 256, 64u);

	few = RTE_MAX(few, 4u);
	return RTE_MAX(few, many);
}

/*
 * While fewer are free than should be, hosts may append only some of what collection walks over: the fewer, the less.
 * So they meet at a number that lasts, and hosts are slowed down, not stopped for a segment at a time.
 */
void
store_seg_walked(struct store *st, uint32_t bytes)
{
	int64_t level = store_seg_level(st), target = store_seg_target(st);

	level = RTE_MAX(level, (int64_t)0);
	level = RTE_MIN(level, target);
	st->credit = RTE_MIN(st->credit + bytes * level / (2 * target), (int64_t)st->seg_bytes);
}

/*
 * When half of those are used up, some are listed at once: a list writes the superblock. Only if nothing goes on
 * without are rows given up half empty for it.
 */
static void
list_in_time(struct store *st)
{
	uint32_t unlisted = st->n_free - store_seg_ready(st) + st->n_drained - st->n_drained_map;
	uint32_t target = store_seg_target(st);

	if (store_seg_short(st, 0) && store_gc_rests(st))
		store_ckpt_want_starved(st);
	else if (store_seg_short(st, target / 2) && unlisted >= target / 4)
		store_ckpt_want_list(st);
}

int
store_seg_may_open(struct store *st, unsigned int stream)
{
	uint32_t keep = kept(st, stream);

	if (store_seg_ready(st) > keep && st->n_since < 2 * LOG_SUPER_NEXT)
		return 0;
	if (1u << stream & STORE_HOST_STREAMS && !st->trimming)
		list_in_time(st);
	else
		store_ckpt_want_starved(st);
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
	s->d.blocks = 0; /* live is 0, or what recovery has still to take away */
	s->rows = 0;
	s->listed = false;
	s->blank = false;
	s->keys = STORE_KEYS_NEW;
	s->record_bytes = s->empty = 0;
	s->after = 0;
	s->born = st->serial;
	s->first_row = o->given;
	o->seg = seg;
	o->off = o->safe = o->logged = 0;
	if (1u << stream & STORE_HOST_STREAMS) {
		st->fruitless = 0;
		store_look(st);
	}
	list_in_time(st);
}

void
store_seg_resealed(struct store *st, uint32_t seg)
{
	struct store_seg *s = &st->seg[seg];

	s->d.state = STORE_SEG_DRAINED;
	for (unsigned int i = 0; i < STORE_META; i++)
		s->emptied[i] = st->out[i].given + (st->out[i].row != NULL);
	st->n_drained++;
	st->n_drained_map += s->d.stream == STORE_META;
	st->ckpt.futile = false;
	st->stats.collected++;
	list_in_time(st);
}

void
store_seg_drained(struct store *st, uint32_t seg)
{
	const struct store_seg *s = &st->seg[seg];

	if (s->d.stream == STORE_HOT && s->born > 0) {
		uint64_t life = st->serial - s->born;

		st->life = st->life == 0 ? life : st->life - st->life / 16 + life / 16;
	}
	st->fruitless++;
	store_seg_resealed(st, seg);
}

/* Share of a segment that is needed. What was in it before a restart is taken to fill it. */
static double
share_live(const struct store *st, const struct store_seg *s)
{
	double u = s->d.blocks > 0 ? (double)s->d.live / s->d.blocks : 0;

	return u * (double)(st->seg_bytes - s->empty) / st->seg_bytes;
}

/* Segments that would be full if each held nothing but what is needed. */
static double
needed(const struct store *st)
{
	double sum = 0;

	for (uint32_t i = 0; i < st->n_seg; i++) {
		const struct log_segment *d = &st->seg[i].d;

		if (d->state != STORE_SEG_FREE && d->state != STORE_SEG_DRAINED && d->stream != STORE_META)
			sum += share_live(st, &st->seg[i]);
	}
	return sum;
}

/* Share of what it can hold that is needed; over 1 when it is full. */
static double
share_needed(const struct store *st)
{
	const struct map_stats *m = map_stats(st->map);
	uint64_t pages = 0;
	double room;

	for (uint32_t i = 0; i < st->n_seg; i++) {
		if (st->seg[i].d.stream == STORE_META && st->seg[i].d.state != STORE_SEG_FREE)
			pages += st->seg[i].d.live;
	}
	/* The map as it lies, and once more what of it a checkpoint may write anew; and those that are open. */
	room = (double)(st->n_seg - st->n_aside) - store_seg_pages(st, pages) -
	       store_seg_pages(st, RTE_MIN(pages + m->dirty, m->dirty_max)) - 8;
	room *= 0.94;
	return room > 0 ? needed(st) / room : 2;
}

void
store_look(struct store *st)
{
	double fill = share_needed(st);

	st->full = fill > 1;
	__atomic_store_n(&st->left, st->full ? 0 : (uint8_t)((1 - fill) * 100), __ATOMIC_RELAXED);
}

/*
 * Hot and cold. What is written over a young block will be written again soon, so it goes where all of it dies
 * together; what collection moves is young or old by when it was written. Young is against the life of segments of hot
 * writes: the factors are those that a simulation of this cleaner found best for 90 % of the writes to 10 % of the
 * blocks, and cost uniform writes nothing.
 */

#define HOT_LIVES  2
#define WARM_LIVES 4

unsigned int
store_seg_host_stream(const struct store *st, uint64_t over)
{
	const struct store_seg *s = &st->seg[log_entry_seg(over)];

	if (log_entry_kind(over) != LOG_ENTRY_DIRECT || s->d.stream == STORE_GC)
		return STORE_COLD;
	if (s->d.stream == STORE_WARM || st->life == 0)
		return STORE_HOT;
	return st->serial - s->born < HOT_LIVES * st->life ? STORE_HOT : STORE_COLD;
}

unsigned int
store_seg_moved_stream(const struct store *st, uint64_t serial)
{
	return st->serial - serial < WARM_LIVES * st->life ? STORE_WARM : STORE_GC;
}

bool
store_seg_first(const struct store_seg *s)
{
	return s->d.state == STORE_SEG_SUSPECT || (s->ails && s->unread <= strake_now() / STRAKE_NS_PER_SEC);
}

/* Nothing is appended to it any more: while it is open it cannot be collected. */
void
store_seg_ails(struct store *st, uint32_t seg)
{
	/* Collected it is already, and only has to be freed. */
	if (st->seg[seg].d.state == STORE_SEG_DRAINED) {
		store_ckpt_want(st);
		return;
	}
	st->seg[seg].ails = st->suspects = true;
	for (unsigned int i = 0; i < LOG_STREAMS; i++) {
		if (st->out[i].seg == seg && (i != STORE_META || st->ckpt.state == STORE_CKPT_IDLE))
			store_seg_close(st, i);
	}
}

/*
 * Cost and benefit: what is won, for as long as it is likely to stay won, against what is read and moved. Young
 * segments are left to die by themselves; but age counts by its root, because in full it lets old segments go before
 * emptier ones, which costs all traffic more than it wins (tests/perf/gc-load). With room to spare, those whose parity
 * may be wrong, or too little to rebuild a drive, go first; with none, the emptiest.
 */
static double
score(const struct store *st, const struct store_seg *s, bool pressed)
{
	double u = share_live(st, s);

	if (u >= 0.97 && (!store_seg_first(s) || pressed))
		return 0;
	if (pressed)
		return 1 - u;
	if (store_seg_first(s))
		return HUGE_VAL;
	return (1 - u) / (1 + u) * sqrt((double)(st->serial - s->closed + 1));
}

/* One that could not be read just now comes after all others. */
uint32_t
store_seg_victim(struct store *st)
{
	uint32_t best[2] = {STORE_NONE, STORE_NONE}, now = (uint32_t)(strake_now() / STRAKE_NS_PER_SEC);
	double best_score[2] = {0, 0};
	bool pressed = store_seg_spare(st) <= 0, room = store_room(st, STORE_GC, LOG_CHUNK_MAX) == 0;

	st->suspects = false;
	for (uint32_t i = 0; i < st->n_seg; i++) {
		const struct store_seg *s = &st->seg[i];

		st->suspects |= s->d.state == STORE_SEG_SUSPECT || s->ails;
		if ((s->d.state != STORE_SEG_CLOSED && s->d.state != STORE_SEG_SUSPECT) || s->readers > 0 ||
		    s->after > st->ckpt.ended)
			continue;
		/* Its last rows are still under way. */
		if (s->first_row + s->rows > st->out[s->d.stream].written)
			continue;
		/* Nothing can be moved just now: only what needs no moving. */
		if (!room && s->d.live > 0)
			continue;
		if (score(st, s, pressed) > best_score[s->unread > now]) {
			best_score[s->unread > now] = score(st, s, pressed);
			best[s->unread > now] = i;
		}
	}
	return best[best[0] == STORE_NONE];
}

bool
store_stuck(struct store *st)
{
	return store_seg_short(st, 0) && store_gc_rests(st) && store_gc_idle(st) && st->ckpt.state == STORE_CKPT_IDLE &&
	       st->ckpt.futile;
}
