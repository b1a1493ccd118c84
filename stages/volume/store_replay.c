/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Recovery: from the superblock's checkpoint to the map as the log has it.
 *
 *     table    the segment table, as the checkpoint left it
 *     scan     segments that were open then, or could be opened since: what of them has a later lsn. What is right by
 *              parity only is written anew, like that of intents
 *     intents  chunks whose rows never came to be written
 *     free     listed segments that hold nothing are deallocated
 *     apply    everything in lsn order; a record whose premises were lost with power is dropped
 *     settle   what was written anew is made durable; then the rows that were scanned are written as what counts in
 *              them has it, with its parity, since power may have torn it
 *
 * It writes nothing that counts until the checkpoint that ends it, so it may be cut short and begun again. There is no
 * checkpoint before: all pages that it changes stay in memory. The map sees to it that they fit (map.h), and grows if
 * it is smaller than it was.
 */

#include "store_replay.h"

#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

#define ARENA_BYTES (1u << 20)

struct replay_block {
	struct replay_block *next;
	size_t used;
	uint8_t bytes[ARENA_BYTES];
};

void
store_replay_end(struct store_replay *r, int err)
{
	r->status = err;
	r->state = REPLAY_OVER;
	map_recover(r->st->map, false);
}

/* Segments to scan. @return 0, -EINVAL. */
static int
plan(struct store_replay *r)
{
	const struct log_super *super = r->super;

	for (unsigned int i = 0; i < LOG_STREAMS; i++) {
		if (super->open[i].seg == STORE_NONE)
			continue;
		r->scan_seg[r->n_scan] = super->open[i].seg;
		r->scan_off[r->n_scan++] = super->open[i].off;
	}
	r->n_open = r->n_scan;
	r->scan_planned = r->n_scan + super->n_since;
	for (uint32_t i = 0; i < super->n_next; i++)
		r->scan_seg[r->n_scan++] = super->next[i];
	for (uint32_t i = 0; i < r->n_scan; i++) {
		if (r->scan_seg[i] >= r->st->n_seg)
			return -EINVAL;
	}
	return 0;
}

int
store_replay_begin(struct store *st, const struct log_super *super)
{
	struct store_replay *r = calloc(1, sizeof(*r));
	int ret = -ENOMEM;

	if (r == NULL)
		return ret;
	r->st = st;
	r->super = super;
	r->unread = STORE_NONE;
	r->lsn_max = super->lsn;
	r->serial_max = super->serial;
	r->t_begin = strake_now();
	r->ring = malloc(st->sp->intent_bytes);
	if (r->ring != NULL)
		ret = plan(r);
	if (ret < 0) {
		free(r->ring);
		free(r);
		return ret;
	}
	st->replay = r;
	st->no_table = true;
	map_recover(st->map, true);
	return 0;
}

void
store_replay_fini(struct store *st)
{
	struct store_replay *r = st->replay;

	if (r == NULL)
		return;
	/* A burst at a time: nobody of it shall wait there any more. */
	for (unsigned int i = 0; i < STORE_READS; i++)
		map_poll(st->map);
	while (r->arena != NULL) {
		struct replay_block *next = r->arena->next;

		free(r->arena);
		r->arena = next;
	}
	free(r->item);
	free(r->moved);
	free(r->ring);
	for (unsigned int i = 0; i < REPLAY_SCANS; i++)
		store_walk_fini(&r->scan[i].walk);
	store_truth_fini(&r->truth);
	free(r);
	st->replay = NULL;
}

bool
store_replay_over(const struct store *st, int *status)
{
	*status = st->replay->status;
	return st->replay->state == REPLAY_OVER;
}

uint32_t
store_replay_poll(struct store *st)
{
	struct store_replay *r = st->replay;

	if (r == NULL || r->state == REPLAY_OVER)
		return 0;
	if (unlikely(map_cramped(st->map)) && map_grow(st->map) < 0) {
		store_replay_end(r, -ENOBUFS);
		return 1;
	}
	switch (r->state) {
	case REPLAY_TABLE:
		return store_scan_table(r);
	case REPLAY_SCAN:
		return store_scan_segments(r);
	case REPLAY_INTENTS:
		return store_scan_intents(r);
	case REPLAY_FREE:
		return store_apply_free(r);
	case REPLAY_APPLY:
		return store_apply_items(r);
	default:
		return store_settle_rows(r);
	}
}

/* --- what is to be applied --------------------------------------------------------------------------------------- */

/* @p n at most ARENA_BYTES. */
static void *
keep(struct store_replay *r, const void *from, size_t n)
{
	size_t whole = RTE_ALIGN_CEIL(n, (size_t)8);
	struct replay_block *b = r->arena;
	void *to;

	if (b == NULL || b->used + whole > ARENA_BYTES) {
		b = malloc(sizeof(*b));
		if (b == NULL)
			return NULL;
		b->next = r->arena;
		b->used = 0;
		r->arena = b;
	}
	to = b->bytes + b->used;
	b->used += whole;
	return memcpy(to, from, n);
}

static int
item_room(struct store_replay *r)
{
	size_t max = RTE_MAX(2 * r->items_max, (size_t)1024);
	struct replay_item *more;

	if (r->n_items < r->items_max)
		return 0;
	more = realloc(r->item, max * sizeof(*more));
	if (more == NULL)
		return -ENOMEM;
	r->item = more;
	r->items_max = max;
	return 0;
}

int
store_replay_add(struct store_replay *r, const struct log_head *h, uint64_t place, const uint8_t *payload)
{
	struct replay_item *it;

	if (item_room(r) < 0)
		return -ENOMEM;
	it = &r->item[r->n_items];
	*it = (struct replay_item){
		.lsn = h->lsn,
		.place = place,
		.was = log_direct(h->seg, h->off, h->bytes, 0),
		.from = h->from,
		.kind = h->kind,
		.blocks = h->seal.blocks,
		.records = (uint16_t)(h->kind == LOG_RECORDS ? h->seal.stored / LOG_RECORD : 0),
	};
	if (h->seal.blocks > 0 && (it->owner = keep(r, h->owner, h->seal.blocks * sizeof(h->owner[0]))) == NULL)
		return -ENOMEM;
	if (payload != NULL && (it->bytes = keep(r, payload, h->seal.stored)) == NULL)
		return -ENOMEM;
	if (place == 0 && (it->head = keep(r, h, sizeof(*h))) == NULL)
		return -ENOMEM;
	r->n_images += place == 0;
	r->n_items++;
	r->lsn_max = RTE_MAX(r->lsn_max, h->lsn);
	r->serial_max = RTE_MAX(r->serial_max, h->seal.serial);
	return 0;
}

static int
by_lsn(const void *a, const void *b)
{
	const struct replay_item *x = a, *y = b;

	if (x->lsn != y->lsn)
		return x->lsn < y->lsn ? -1 : 1;
	/* What lies in a segment comes before what is right by parity only, and that before its image in an intent. */
	if ((x->place == 0) != (y->place == 0))
		return x->place != 0 ? -1 : 1;
	return y->home - x->home;
}

/* A recovery that was cut short gave the chunk a place already, or there are an image and a copy: records that speak of
 * the one that is forgotten mean the one that is kept, wherever that comes to lie. */
static void
same_chunk(struct store_replay *r, const struct replay_item *kept, const struct replay_item *it)
{
	if (it->was != kept->was)
		store_replay_moved(r, it, kept->was);
}

int
store_replay_sort(struct store_replay *r)
{
	size_t n = 0, moved = r->n_images;

	if (r->n_items > 0)
		qsort(r->item, r->n_items, sizeof(*r->item), by_lsn);
	for (size_t i = 1; i < r->n_items; i++)
		moved += r->item[i].lsn == r->item[i - 1].lsn && r->item[i].place != 0;
	r->moved_mask = rte_align64pow2(2 * moved + 1) - 1;
	r->moved = calloc(r->moved_mask + 1, sizeof(*r->moved));
	if (r->moved == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < r->n_items; i++) {
		const struct replay_item *it = &r->item[i];

		if (n == 0 || r->item[n - 1].lsn != it->lsn)
			r->item[n++] = *it;
		else
			same_chunk(r, &r->item[n - 1], it);
	}
	r->n_items = n;
	return 0;
}

static struct replay_moved *
moved_slot(const struct store_replay *r, uint64_t was)
{
	uint64_t i = was * 0x9e3779b97f4a7c15ULL >> 32;

	while (r->moved[i & r->moved_mask].was != 0 && r->moved[i & r->moved_mask].was != was)
		i++;
	return &r->moved[i & r->moved_mask];
}

void
store_replay_moved(struct store_replay *r, const struct replay_item *it, uint64_t now)
{
	struct replay_moved *m = moved_slot(r, it->was);

	if (m->was == 0)
		*m = (struct replay_moved){it->was, now, it->lsn};
}

uint64_t
store_replay_place(const struct store_replay *r, uint64_t place, uint64_t lsn)
{
	uint64_t chunk = log_entry_chunk(place);
	const struct replay_moved *m = chunk == 0 ? NULL : moved_slot(r, chunk), *next;

	if (m == NULL || m->was != chunk || m->lsn >= lsn)
		return place;
	/* Of two that were forgotten for a third, or one for one that got a place since. */
	next = moved_slot(r, m->now);
	if (next->was == m->now && next->lsn == m->lsn)
		m = next;
	return m->now | (place & ~chunk);
}
