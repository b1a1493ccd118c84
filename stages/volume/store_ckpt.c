/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * A checkpoint: the map as it was at one lsn, and all that recovery needs to go on from there.
 *
 *     begin   the map is frozen (changes go on beside it); segment table and volumes are copied
 *     pages   of the map that changed go into the log
 *     table   the segment table goes into the log
 *     sync    all rows are written and flushed
 *     note    the superblock: from here on it counts
 *     free    segments that were empty at begin are deallocated, and may be opened, as the superblock says
 *
 * Between checkpoints only the list of segments that may be opened grows (sync, note, free): a segment that was closed
 * when the last checkpoint began and is empty now is not needed by it, once all that emptied it is durable, because
 * what is played after the checkpoint takes away every entry that points there.
 */
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>
#include <rte_malloc.h>

#include "store.h"

#define PAGES_A_TURN 16

int
store_ckpt_init(struct store *st)
{
	struct store_ckpt *c = &st->ckpt;

	c->table = calloc(st->seg_room, sizeof(*c->table));
	c->roots = calloc(STORE_VOLUMES + 1, sizeof(*c->roots));
	c->note = calloc(1, st->sp->note_bytes);
	c->super.table = calloc(st->seg_room / LOG_TABLE_ENTRIES + 1, sizeof(*c->super.table));
	c->super.next = calloc(LOG_SUPER_NEXT, sizeof(*c->super.next));
	c->super.volume = calloc(STORE_VOLUMES, sizeof(*c->super.volume));
	c->super.roots = calloc(1, map_roots_bytes(STORE_VOLUMES + 1));
	if (c->table != NULL && c->roots != NULL && c->note != NULL && c->super.table != NULL &&
	    c->super.next != NULL && c->super.volume != NULL && c->super.roots != NULL)
		return 0;
	store_ckpt_fini(st);
	return -ENOMEM;
}

void
store_ckpt_fini(struct store *st)
{
	struct store_ckpt *c = &st->ckpt;

	free(c->table);
	free(c->roots);
	free(c->note);
	log_super_free(&c->super);
	memset(c, 0, sizeof(*c));
}

void
store_ckpt_want(struct store *st)
{
	st->ckpt.wanted = true;
}

void
store_ckpt_want_list(struct store *st)
{
	st->ckpt.list_wanted = true;
}

void
store_ckpt_want_starved(struct store *st)
{
	st->ckpt.list_wanted = st->ckpt.starved = true;
}

/* --- begin ------------------------------------------------------------------------------------------------------- */

static uint64_t
log_bytes(const struct store *st)
{
	uint64_t sum = 0;

	for (unsigned int s = 0; s < LOG_STREAMS; s++)
		sum += st->stats.appended[s];
	return sum;
}

/* Segments that the space has got since, and that fit. */
static uint32_t
growth(const struct store *st)
{
	uint32_t n = RTE_MIN(st->sp->segments, st->seg_room);

	return n > st->n_seg && store_super_fits(st, n, st->n_vol) ? n - st->n_seg : 0;
}

/* They are free, and listed by this checkpoint: none is written before the superblock that counts them is durable. */
static void
grow(struct store *st)
{
	uint32_t n = growth(st);

	if (likely(n == 0))
		return;
	st->n_seg += n;
	st->n_free += n;
	store_look(st);
}

static void
begin(struct store *st, uint64_t now)
{
	struct store_ckpt *c = &st->ckpt;
	struct log_super *s = &c->super;

	if (map_checkpoint_begin(st->map) < 0)
		return;
	grow(st);
	c->wanted = c->list_wanted = c->starved = c->futile = c->list_only = false;
	c->t_begin = now;
	c->begun++;
	c->log_bytes = log_bytes(st);
	c->since_mark = st->n_since;
	c->table_at = 0;
	for (uint32_t i = 0; i < st->n_seg; i++) {
		c->table[i] = st->seg[i].d;
		st->seg[i].due = st->seg[i].d.state == STORE_SEG_DRAINED;
	}
	s->lsn = st->lsn;
	s->serial = st->serial;
	s->intent_seq = st->intent_seq;
	s->segments = st->n_seg;
	s->next_volume = st->next_vol;
	s->clean = c->clean;
	s->n_table = 0;
	s->n_volumes = st->n_vol;
	for (uint32_t i = 0; i < st->n_vol; i++)
		s->volume[i] = st->vol[i]->d;
	for (unsigned int i = 0; i < LOG_STREAMS; i++)
		s->open[i] = (struct log_open){i == STORE_META ? STORE_NONE : st->out[i].seg, st->out[i].off};
	c->state = STORE_CKPT_PAGES;
}

/* Empty now, and in no need since the last checkpoint began: nothing in it was written after that. */
static bool
list_may(const struct store *st, uint32_t i)
{
	const struct store_seg *s = &st->seg[i];
	const struct log_segment *then = &st->ckpt.table[i];

	if (s->d.state == STORE_SEG_FREE)
		return !s->listed && !s->aside;
	return s->d.state == STORE_SEG_DRAINED && s->d.stream != STORE_META && s->readers == 0 &&
	       then->gen == s->d.gen && then->state != STORE_SEG_OPEN && then->state != STORE_SEG_FREE;
}

/* All rows with what emptied it are full, and given to the space. */
static bool
ripe(const struct store *st, uint32_t i)
{
	for (unsigned int s = 0; s < STORE_META; s++) {
		if (st->seg[i].d.state == STORE_SEG_DRAINED && st->seg[i].emptied[s] > st->out[s].given)
			return false;
	}
	return true;
}

/* Which segments, and what has to be durable first. @return how many. */
static uint32_t
list_choose(struct store *st, bool push)
{
	struct store_ckpt *c = &st->ckpt;
	uint32_t n = 0;

	memset(c->barrier.row, 0, sizeof(c->barrier.row));
	for (uint32_t i = 0; i < st->n_seg; i++) {
		struct store_seg *s = &st->seg[i];

		s->due = list_may(st, i) && (push || ripe(st, i));
		n += s->due;
		for (unsigned int k = 0; s->due && k < STORE_META; k++)
			c->barrier.row[k] = RTE_MAX(c->barrier.row[k], s->emptied[k]);
	}
	for (unsigned int k = 0; k < STORE_META; k++) {
		if (c->barrier.row[k] > st->out[k].given)
			store_row_close(st, k);
	}
	return n;
}

/* Would a checkpoint leave more room than it takes? Segments of the map that are empty are worth one only if they are
 * more than checkpoints leave behind as they go. */
static bool
pays(const struct store *st)
{
	uint32_t empty = 0, map = 0;
	uint64_t pages = 0;

	for (uint32_t i = 0; i < st->n_seg; i++) {
		const struct log_segment *d = &st->seg[i].d;

		if (d->stream == STORE_META && d->state != STORE_SEG_FREE) {
			map++;
			pages += d->live;
		} else {
			empty += d->state == STORE_SEG_DRAINED;
		}
	}
	return empty > 0 || map > 2 * store_seg_pages(st, pages) + 2 ||
	       store_seg_pages(st, map_stats(st->map)->dirty) > 1;
}

static void
list_begin(struct store *st)
{
	struct store_ckpt *c = &st->ckpt;
	bool starved = c->starved;

	c->list_wanted = c->starved = false;
	if (st->n_since + store_seg_ready(st) >= LOG_SUPER_NEXT - LOG_STREAMS) {
		c->wanted = true;
		return;
	}
	if (!st->open || list_choose(st, starved || store_seg_short(st, 0)) == 0) {
		starved = starved || (st->n_drained > 0 && store_seg_short(st, 0));
		c->wanted = c->wanted || (starved && pays(st));
		c->futile = starved && !(c->wanted && store_seg_meta_fits(st));
		return;
	}
	c->futile = false;
	c->list_only = true;
	c->since_mark = 0;
	c->state = STORE_CKPT_SYNC;
}

/* --- pages and table --------------------------------------------------------------------------------------------- */

static int
page_write(struct store *st)
{
	struct store_ckpt *c = &st->ckpt;
	struct log_head h = {.kind = LOG_PAGES, .seal = {.stored = MAP_IMAGE_BYTES}};
	uint32_t page;
	int ret;

	log_head_measure(&h);
	ret = store_room(st, STORE_META, h.bytes);
	if (ret < 0)
		return ret;
	ret = map_checkpoint_next(st->map, c->image, &page);
	if (ret <= 0)
		return ret < 0 ? ret : 1;
	map_checkpoint_placed(st->map, page, store_append(st, STORE_META, &h, NULL, c->image));
	st->seg[h.seg].d.live++;
	st->seg[h.seg].d.blocks++;
	st->stats.pages++;
	return 0;
}

static uint32_t
pages_step(struct store *st)
{
	struct store_ckpt *c = &st->ckpt;
	uint32_t n = 0;
	int ret = 0;

	while (n < PAGES_A_TURN && ret == 0) {
		ret = page_write(st);
		n++;
	}
	if (ret != 1)
		return n;
	ret = map_checkpoint_end(st->map, c->roots, STORE_VOLUMES + 1);
	if (ret < 0) {
		store_fail(st, ret);
		return n;
	}
	c->super.roots_bytes = (uint32_t)map_roots_bytes((uint32_t)ret);
	map_roots_encode(c->super.roots, map_generation(st->map) - 1, c->roots, (uint32_t)ret);
	c->state = STORE_CKPT_TABLE;
	return n;
}

/* What recovery shall know of a segment: contents as they were at begin, the rest as it is now. */
static struct log_segment
table_entry(const struct store *st, uint32_t i)
{
	const struct log_segment *now = &st->seg[i].d, *then = &st->ckpt.table[i];
	struct log_segment d = *now;

	if (now->gen != then->gen && now->stream != STORE_META) {
		d.blocks = d.live = 0;
	} else if (now->stream != STORE_META) {
		d.blocks = then->blocks;
		d.live = then->live;
	}
	d.next_id = then->next_id;
	if (now->state != STORE_SEG_DRAINED)
		return d;
	if (then->state == STORE_SEG_DRAINED)
		d.state = STORE_SEG_FREE;
	else /* what power tore in it is there still */
		d.state = then->state == STORE_SEG_SUSPECT ? STORE_SEG_SUSPECT : STORE_SEG_CLOSED;
	return d;
}

static uint32_t
table_step(struct store *st)
{
	struct store_ckpt *c = &st->ckpt;
	uint32_t n = RTE_MIN(st->n_seg - c->table_at, (uint32_t)LOG_TABLE_ENTRIES);
	struct log_head h = {.kind = LOG_TABLE, .seal = {.stored = n * LOG_TABLE_ENTRY}};

	log_head_measure(&h);
	if (store_room(st, STORE_META, h.bytes) < 0)
		return 0;
	for (uint32_t i = 0; i < n; i++) {
		struct log_segment d = table_entry(st, c->table_at + i);

		log_segment_encode(&d, st->scratch + (size_t)i * LOG_TABLE_ENTRY);
	}
	c->super.table[c->super.n_table++] = store_append(st, STORE_META, &h, NULL, st->scratch);
	c->table_at += n;
	if (c->table_at == st->n_seg)
		c->state = STORE_CKPT_SYNC;
	return 1;
}

/* --- superblock -------------------------------------------------------------------------------------------------- */

static void
synced(struct store_barrier *b, int status)
{
	struct store *st = b->arg;

	if (status == 0)
		st->ckpt.sync_over = true;
}

/* Segments opened since begin, those listed before and not opened, and then as many more as there are. */
static void
list_next(struct store *st)
{
	struct store_ckpt *c = &st->ckpt;
	struct log_super *s = &c->super;

	s->n_next = 0;
	for (uint32_t i = c->since_mark; i < st->n_since; i++)
		s->next[s->n_next++] = st->since[i];
	s->n_since = s->n_next;
	for (uint32_t i = st->ready_at; i < st->n_ready && s->n_next < LOG_SUPER_NEXT; i++)
		s->next[s->n_next++] = st->ready[i];
	c->n_listed = c->freed_at = s->n_next;
	for (uint32_t i = 0; i < st->n_seg && s->n_next < LOG_SUPER_NEXT; i++) {
		const struct store_seg *seg = &st->seg[i];

		if (seg->listed || seg->aside || seg->readers > 0)
			continue;
		if (seg->d.state == STORE_SEG_FREE || (seg->d.state == STORE_SEG_DRAINED && seg->due))
			s->next[s->n_next++] = i;
	}
}

static void
note_over(void *arg, int status)
{
	struct store *st = arg;
	struct store_ckpt *c = &st->ckpt;

	st->io_under_way--;
	if (status < 0) {
		store_fail(st, status);
		return;
	}
	memmove(st->since, st->since + c->since_mark, (st->n_since - c->since_mark) * sizeof(*st->since));
	st->n_since -= c->since_mark;
	memmove(st->ready, st->ready + st->ready_at, (st->n_ready - st->ready_at) * sizeof(*st->ready));
	st->n_ready -= st->ready_at;
	st->ready_at = 0;
	if (!c->list_only) {
		c->ended = c->begun;
		map_checkpoint_durable(st->map);
		st->stats.checkpoints++;
		st->stats.checkpoint_ns = strake_now() - c->t_begin;
	}
	st->stats.lists += c->list_only;
	c->state = STORE_CKPT_FREE;
}

static uint32_t
note_step(struct store *st)
{
	struct store_ckpt *c = &st->ckpt;

	if (!c->sync_over)
		return 0;
	memcpy(c->super.uuid, st->sp->uuid, sizeof(c->super.uuid));
	c->super.seq = ++st->super_seq;
	list_next(st);
	if (log_super_bytes(&c->super) > st->sp->note_bytes) {
		store_fail(st, -E2BIG);
		return 1;
	}
	log_super_encode(&c->super, c->note);
	c->state = STORE_CKPT_NOTE;
	st->io_under_way++;
	st->sp->ops->note_write_async(st->sp, 0, c->note, (uint32_t)log_super_bytes(&c->super), note_over, st);
	return 1;
}

/* --- freeing ----------------------------------------------------------------------------------------------------- */

static void
set_free(struct store *st, struct store_seg *s)
{
	st->n_drained--;
	st->n_drained_map -= s->d.stream == STORE_META;
	st->n_free++;
	st->all_blocks -= s->d.stream == STORE_META ? 0 : s->d.blocks;
	s->d.state = STORE_SEG_FREE;
	s->d.blocks = s->d.live = 0;
	s->ails = false;
}

static void
list_seg(struct store *st, uint32_t i)
{
	struct store_seg *s = &st->seg[i];

	if (s->d.state == STORE_SEG_DRAINED)
		set_free(st, s);
	s->blank = true;
	s->listed = true;
	st->ready[st->n_ready++] = i;
}

static void
freed(struct strake_space_io *io)
{
	struct store *st = io->arg;

	st->io_under_way--;
	if (io->status < 0)
		store_fail(st, io->status);
	else
		list_seg(st, io->seg);
	io->seg = STORE_NONE;
}

/* Those that were empty when the checkpoint began, and more than a list holds, are free as well: it calls them so. */
static void
free_rest(struct store *st)
{
	for (uint32_t i = 0; !st->ckpt.list_only && i < st->n_seg; i++) {
		struct store_seg *s = &st->seg[i];

		if (s->d.state == STORE_SEG_DRAINED && s->due && s->readers == 0)
			set_free(st, s);
	}
}

/* One after the other; those that hold nothing since they were last deallocated are listed at once. */
static uint32_t
free_step(struct store *st)
{
	struct store_ckpt *c = &st->ckpt;

	if (c->freed_at > c->n_listed && c->free_io.seg != STORE_NONE)
		return 0;
	while (c->freed_at < c->super.n_next && st->seg[c->super.next[c->freed_at]].blank)
		list_seg(st, c->super.next[c->freed_at++]);
	if (c->freed_at == c->super.n_next) {
		free_rest(st);
		c->state = STORE_CKPT_IDLE;
		c->sync_over = false;
		return 1;
	}
	c->free_io = (struct strake_space_io){
		.op = STRAKE_SPACE_FREE,
		.seg = c->super.next[c->freed_at++],
		.done = freed,
		.arg = st,
	};
	st->io_under_way++;
	strake_space_submit(st->sp, &c->free_io);
	return 1;
}

uint32_t
store_ckpt_poll(struct store *st, uint64_t now)
{
	struct store_ckpt *c = &st->ckpt;

	if (st->failed != 0)
		return 0;
	switch (c->state) {
	case STORE_CKPT_IDLE:
		if (log_bytes(st) - c->log_bytes > st->conf.checkpoint_bytes)
			c->wanted = true;
		if (st->replay != NULL)
			return 0;
		if (unlikely(st->sp->segments > st->n_seg) && growth(st) > 0 && store_seg_meta_fits(st))
			c->wanted = true;
		/* One that does not fit would stand in the way of what could make room for it. */
		if (c->wanted && store_seg_meta_fits(st))
			begin(st, now);
		else if (c->wanted || c->list_wanted)
			list_begin(st);
		else
			return 0;
		return 1;
	case STORE_CKPT_PAGES:
		return pages_step(st);
	case STORE_CKPT_TABLE:
		return table_step(st);
	case STORE_CKPT_SYNC:
		if (c->barrier.arg == NULL) {
			c->barrier.arg = st;
			c->barrier.done = synced;
			if (c->list_only)
				store_sync_rows(st, &c->barrier);
			else
				store_sync(st, &c->barrier, (1u << LOG_STREAMS) - 1, false);
			return 1;
		}
		if (!c->sync_over)
			return 0;
		c->barrier.arg = NULL;
		return note_step(st);
	case STORE_CKPT_FREE:
		return free_step(st);
	default:
		return 0;
	}
}
