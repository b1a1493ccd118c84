/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* The map as it is now against the log: every block it needs is there, whole, its own, and needed once; and every row
 * agrees with its parity. */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "say.h"
#include "fsck.h"

/* --- who needs what ---------------------------------------------------------------------------------------------- */

static int
by_place(const void *a, const void *b)
{
	const struct store_ref *x = a, *y = b;
	uint64_t p = x->place & ~STORE_DIRECT_BLK, q = y->place & ~STORE_DIRECT_BLK;

	/* Segment and offset above all: the length and the block lie higher in an entry. */
	if ((p & 0xffffffffffff) != (q & 0xffffffffffff))
		return (p & 0xffffffffffff) < (q & 0xffffffffffff) ? -1 : 1;
	return x->place < y->place ? -1 : x->place > y->place;
}

static void
ref_add(struct store *st, size_t *room, uint64_t place, uint64_t tree, uint64_t idx)
{
	if (log_entry_kind(place) != LOG_ENTRY_DIRECT ||
	    (log_entry_seg(place) >= st->g->deal.segments && store_intent_at(st, place) == NULL)) {
		say(SAY_BROKEN, "%s points nowhere", store_owner_text(st, tree, idx));
		return;
	}
	if (st->n_refs == *room) {
		*room = *room > 0 ? 2 * *room : 4096;
		st->ref = realloc(st->ref, *room * sizeof(*st->ref));
	}
	st->ref[st->n_refs++] = (struct store_ref){place, tree, idx};
	if (log_entry_seg(place) < st->g->deal.segments)
		st->seg[log_entry_seg(place)].refs++;
}

void
store_count(struct store *st)
{
	const struct pages_leaf *l;
	size_t at = 0, room = 0;

	free(st->ref);
	st->ref = NULL;
	st->n_refs = 0;
	for (uint32_t i = 0; i < st->g->deal.segments; i++)
		st->seg[i].refs = 0;
	while ((l = pages_next(&st->map, &at)) != NULL) {
		for (unsigned int i = 0; i < MAP_FANOUT; i++) {
			uint64_t idx = l->index * MAP_FANOUT + i, e = l->entry[i];

			if (l->tree == STORE_SHARE ? idx % 2 == 0 && e != 0
						   : e != 0 && log_entry_kind(e) != LOG_ENTRY_SHARED)
				ref_add(st, &room, e, l->tree, l->tree == STORE_SHARE ? idx / 2 : idx);
		}
	}
	if (st->n_refs > 0)
		qsort(st->ref, st->n_refs, sizeof(*st->ref), by_place);
}

/* --- shares ------------------------------------------------------------------------------------------------------ */

static int
by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Ids that blocks of volumes hold, sorted. */
static uint64_t *
ids_held(const struct store *st, size_t *n)
{
	const struct pages_leaf *l;
	uint64_t *id = NULL;
	size_t at = 0, room = 0;

	*n = 0;
	while ((l = pages_next(&st->map, &at)) != NULL) {
		for (unsigned int i = 0; i < MAP_FANOUT && l->tree != STORE_SHARE; i++) {
			if (log_entry_kind(l->entry[i]) != LOG_ENTRY_SHARED)
				continue;
			if (*n == room) {
				room = room > 0 ? 2 * room : 4096;
				id = realloc(id, room * sizeof(*id));
			}
			id[(*n)++] = log_entry_id(l->entry[i]);
			if (pages_get(&st->map, STORE_SHARE, 2 * id[*n - 1]) == 0)
				say(SAY_BROKEN, "%s shares %" PRIx64 ", which there is not",
				    store_owner_text(st, l->tree, l->index * MAP_FANOUT + i), id[*n - 1]);
		}
	}
	if (*n > 0)
		qsort(id, *n, sizeof(*id), by_number);
	return id;
}

static size_t
count_of(const uint64_t *id, size_t n, uint64_t key)
{
	size_t lo = 0, hi = n, first;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (id[mid] < key)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (first = lo; lo < n && id[lo] == key; lo++)
		;
	return lo - first;
}

static void
share_check(const struct store *st, const uint64_t *held, size_t n, uint64_t id, uint64_t place, uint64_t refs)
{
	uint64_t got = count_of(held, n, id);

	if (place == 0)
		say(SAY_BROKEN, "share %" PRIx64 " has %" PRIu64 " references and no place", id,
		    refs & STORE_REFS_MASK);
	else if ((refs & STORE_REFS_MASK) != got)
		say(SAY_BROKEN, "share %" PRIx64 " has %" PRIu64 " references as it says, and %" PRIu64 " by the map",
		    id, refs & STORE_REFS_MASK, got);
	if (log_share_seg(id) >= st->super.segments)
		say(SAY_BROKEN, "share %" PRIx64 " is of a segment that there is not", id);
}

static void
shares_check(struct store *st)
{
	const struct pages_leaf *l;
	size_t at = 0, n;
	uint64_t *held = ids_held(st, &n);

	while ((l = pages_next(&st->map, &at)) != NULL) {
		for (unsigned int i = 0; i < MAP_FANOUT && l->tree == STORE_SHARE; i += 2) {
			if ((l->entry[i] | l->entry[i + 1]) != 0)
				share_check(st, held, n, (l->index * MAP_FANOUT + i) / 2, l->entry[i], l->entry[i + 1]);
		}
	}
	free(held);
}

/* --- blocks against their chunks --------------------------------------------------------------------------------- */

/* One that needs a block of a chunk whose head is known. */
static void
ref_check(struct store *st, const struct store_ref *r, const struct log_head *h)
{
	uint32_t blk = log_entry_blk(r->place);
	const char *who = store_owner_text(st, r->tree, r->idx);
	const struct log_volume *v = store_volume(st, r->tree);

	if (h->kind != LOG_DATA && h->kind != LOG_MOVE)
		say(SAY_BROKEN, "%s: what lies there holds no data", who);
	else if (blk >= h->seal.blocks)
		say(SAY_BROKEN, "%s: block %u of a chunk of %u", who, blk, h->seal.blocks);
	else if (r->tree != STORE_SHARE && (h->owner[blk].vol != r->tree || h->owner[blk].lba != r->idx))
		say(SAY_BROKEN, "%s: its chunk says that it holds %s", who,
		    store_owner_text(st, h->owner[blk].vol, h->owner[blk].lba));
	else if (r->tree != STORE_SHARE && v != NULL && h->seal.domain != v->domain)
		say(SAY_BROKEN, "%s: its chunk is of another domain", who);
	else if (r->tree == STORE_SHARE && h->owner[blk].vol == LOG_OWNER_SHARE && h->owner[blk].lba != r->idx)
		say(SAY_BROKEN, "%s: its chunk says that it holds %s", who,
		    store_owner_text(st, STORE_SHARE, h->owner[blk].lba));
}

/* A chunk that is needed. */
static void
chunk_count(struct store *st, const struct log_head *h)
{
	uint8_t blocks = h->seal.blocks;

	st->live_chunks++;
	st->live_bytes += h->bytes;
	st->live_moved += h->kind == LOG_MOVE;
	/* What is moved as it lies has the blocks that it had, in their order. */
	st->live_repacked += h->kind == LOG_MOVE && (h->seal.codec != 0 || h->seal.epoch != 0) && blocks > 0 &&
			     h->owner[blocks - 1].blk != blocks - 1u;
	if (h->seal.epoch == 0)
		return;
	if (st->live_sealed++ == 0 || h->seal.epoch < st->epoch_first)
		st->epoch_first = h->seal.epoch;
	if (h->seal.epoch > st->epoch_last)
		st->epoch_last = h->seal.epoch;
}

/* All who need one chunk. */
static void
chunk_check(struct store *st, const struct store_ref *r, size_t n, uint8_t *buf)
{
	const struct store_intent *in = store_intent_at(st, r->place);
	uint32_t seg = log_entry_seg(r->place);
	const char *why = NULL;
	struct log_head h;

	if (in != NULL) {
		h = in->head;
	} else if (st->seg[seg].d.state == STORE_FREE) {
		say(SAY_BROKEN, "%s lies in segment %u, which is free", store_owner_text(st, r->tree, r->idx), seg);
		return;
	} else {
		why = store_chunk(st, log_entry_chunk(r->place), &h, buf);
	}
	if (why == NULL) {
		if (in == NULL)
			store_need(st, r->place);
		chunk_count(st, &h);
	}
	for (size_t i = 0; i < n; i++) {
		if (i > 0 && r[i].place == r[i - 1].place)
			say(SAY_BROKEN, "%s and %s need the same block, and do not share it",
			    store_owner_text(st, r[i - 1].tree, r[i - 1].idx),
			    store_owner_text(st, r[i].tree, r[i].idx));
		if (why != NULL)
			say(SAY_BROKEN, "%s is lost: chunk at segment %u offset %u (on %s): %s",
			    store_owner_text(st, r[i].tree, r[i].idx), seg, log_entry_off(r->place),
			    group_names(st->g, 1u << group_member_of(st->g, seg, log_entry_off(r->place))), why);
		else
			ref_check(st, &r[i], &h);
	}
}

static void
blocks_check(struct store *st)
{
	uint8_t *buf = malloc(LOG_CHUNK_MAX);
	size_t n;

	for (size_t i = 0; i < st->n_refs; i += n) {
		for (n = 1;
		     i + n < st->n_refs && log_entry_chunk(st->ref[i + n].place) == log_entry_chunk(st->ref[i].place);
		     n++)
			;
		chunk_check(st, &st->ref[i], n, buf);
	}
	free(buf);
}

/* --- rows against their parity ----------------------------------------------------------------------------------- */

/* Bytes of a segment up to the end of its last chunk; *whole: all before is chunks and zeroes. */
static uint32_t
used(const struct store *st, uint32_t seg, const uint8_t *mem, uint8_t *damaged)
{
	uint32_t rb = st->g->row_bytes, end = 0;
	struct log_head h;

	memset(damaged, 0, st->g->rows);
	for (uint32_t at = 0; at < st->g->seg_bytes;) {
		if (decode_chunk(&h, mem + at, st->g->seg_bytes - at) == NULL && h.seg == seg && h.off == at &&
		    h.gen == st->seg[seg].d.gen && h.store == st->g->short_uuid) {
			at += h.bytes;
			end = at;
		} else if (decode_blank(mem + at, rb - at % rb)) {
			at = at / rb * rb + rb;
		} else {
			damaged[at / rb] = 1;
			at += LOG_GRAIN;
		}
	}
	return end;
}

static void
row_check(struct store *st, uint32_t seg, uint32_t row, bool damaged)
{
	const struct store_seg *s = &st->seg[seg];
	uint32_t wrong = group_row_wrong(st->g, seg, row);

	st->rows++;
	if (wrong == 0)
		return;
	/* Its last rows were being written when power went: opening the store has such segments collected first. */
	if (s->d.state == STORE_SUSPECT || s->d.state == STORE_BAD)
		say(SAY_NOTE, "row %u of segment %u does not agree with its parity; it was open when the power went",
		    row, seg);
	else if (!st->needed[(size_t)seg * st->g->rows + row])
		say(SAY_NOTE, "row %u of segment %u does not agree with its parity; nothing in it is needed", row, seg);
	else if (damaged)
		say(SAY_MENDABLE, "row %u of segment %u does not agree with its parity: bytes of its data are wrong",
		    row, seg);
	else
		say(SAY_MENDABLE, "row %u of segment %u: its data is right, and the parity on %s does not match it",
		    row, seg, group_names(st->g, wrong));
}

static void
rows_check(struct store *st)
{
	uint8_t *mem = malloc(st->g->seg_bytes), *damaged = malloc(st->g->rows);

	for (uint32_t seg = 0; seg < st->super.segments && st->g->s.parity > 0; seg++) {
		uint32_t end;

		if (st->seg[seg].d.state == STORE_FREE || group_read(st->g, seg, 0, st->g->seg_bytes, mem, 0) < 0)
			continue;
		end = used(st, seg, mem, damaged);
		for (uint32_t row = 0; row < st->g->rows; row++) {
			if (row * st->g->row_bytes < end || st->needed[(size_t)seg * st->g->rows + row])
				row_check(st, seg, row, damaged[row] != 0);
		}
	}
	free(mem);
	free(damaged);
}

/* The segment of a table that opened it is not in that table, but among those listed. */
static void
table_itself(const struct store *st)
{
	for (uint32_t i = 0; i < st->super.n_table; i++) {
		uint32_t seg = log_entry_seg(st->super.table[i]);

		if (st->seg[seg].d.state == STORE_FREE || st->seg[seg].d.stream != STORE_META)
			say(SAY_BROKEN, "segment %u, in which part %u of the segment table lies, is %s", seg, i,
			    st->seg[seg].d.state == STORE_FREE ? "free" : "not the map's own");
	}
}

void
store_prove(struct store *st)
{
	table_itself(st);
	store_count(st);
	shares_check(st);
	blocks_check(st);
	rows_check(st);
}
