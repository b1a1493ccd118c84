/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* What the log says after the checkpoint, in the order of its numbers; what lost its premises with power is left out.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "say.h"
#include "fsck.h"

struct item {
	uint64_t place; /* 0: only an intent has it */
	struct log_head head;
	uint8_t *bytes; /* of records: the payload */
};

struct moved {
	uint64_t was, now, lsn;
};

struct replay {
	struct store *st;
	struct item *item;
	size_t n, room;
	struct moved *moved;
	size_t n_moved;
	uint64_t newest; /* lsn */
};

static void
item_add(struct replay *r, const struct log_head *h, uint64_t place, const uint8_t *payload)
{
	if (r->n == r->room) {
		r->room = r->room > 0 ? 2 * r->room : 1024;
		r->item = realloc(r->item, r->room * sizeof(*r->item));
	}
	r->item[r->n] = (struct item){place, *h, NULL};
	if (h->kind == LOG_RECORDS) {
		r->item[r->n].bytes = malloc(h->seal.stored + 1);
		memcpy(r->item[r->n].bytes, payload, h->seal.stored);
	}
	r->n++;
}

/* --- the segments that were open, or could have been opened ------------------------------------------------------- */

/* A segment, of which as much is in memory as was looked at. */
struct window {
	struct store *st;
	uint8_t *mem, *other;
	uint32_t seg, have;
	uint32_t gen; /* of its chunks; 0: whichever it is, if it is newer than `older` */
	uint32_t older;
	bool lost; /* what lies here is neither a chunk nor zeroes, made in whatever way */
	bool zero; /* in some way it is zeroes */
};

/* Have all that a chunk at @p off can take. */
static bool
window_reach(struct window *w, uint32_t off)
{
	const struct group *g = w->st->g;

	while (w->have < g->seg_bytes && w->have < off + LOG_CHUNK_MAX) {
		if (group_read(g, w->seg, w->have, g->row_bytes, w->mem + w->have, 0) < 0)
			return false;
		w->have += g->row_bytes;
	}
	return true;
}

/* @return NULL: a chunk that counts begins at @p at, which lies at @p off. */
static const char *
ours(const struct window *w, uint32_t off, struct log_head *h, const uint8_t *at, uint32_t len)
{
	const char *why = decode_chunk(h, at, len);

	if (why != NULL)
		return why;
	if (h->seg != w->seg || h->off != off || h->store != w->st->g->short_uuid)
		return "what lies there belongs elsewhere";
	return (w->gen != 0 ? h->gen == w->gen : h->gen > w->older) ? NULL : "it is left from an earlier life";
}

/* Zeroes are the rest of a row that was closed early, or what a drive made of a write. Parity knows. */
static bool
row_ends(const struct window *w, uint32_t off)
{
	return decode_blank(w->mem + off, LOG_GRAIN) &&
	       (w->lost || group_agrees(w->st->g, w->seg, off, w->mem + off, LOG_GRAIN));
}

/* The chunk at @p off in the next way after @p way that has one. @return the drives left out; 0: there is no other. */
static uint32_t
next_way(struct window *w, uint32_t off, uint32_t left, struct log_head *h, uint32_t *way)
{
	uint32_t wrong;

	while ((wrong = group_way(w->st->g, w->seg, way)) != 0) {
		if (group_read(w->st->g, w->seg, off, left, w->other, wrong) < 0)
			continue; /* with a drive that is away it supposes more to be wrong than there is parity */
		if (ours(w, off, h, w->other, left) == NULL)
			return wrong;
		w->zero = w->zero || decode_blank(w->other, LOG_GRAIN);
	}
	return 0;
}

/* The generation is not known yet. What lies there is believed if all of the parity says so; else it is the newest that
 * can be had. */
static void
newest_at(struct window *w, uint32_t off, uint32_t left)
{
	uint32_t way = 0, newest = 0;
	struct log_head h;

	if (ours(w, off, &h, w->mem + off, left) == NULL) {
		newest = w->older = h.gen;
		if (group_agrees(w->st->g, w->seg, off, w->mem + off, LOG_GRAIN)) {
			w->gen = newest;
			return;
		}
	} else if (w->lost) {
		return;
	}
	while (next_way(w, off, left, &h, &way) != 0)
		newest = w->older = h.gen;
	w->gen = newest;
	w->lost = w->lost && newest == 0;
}

/* A chunk at @p off of a segment, as it lies or made from parity. @return false: none is there. */
static bool
chunk_at(struct window *w, uint32_t off, struct log_head *h, const uint8_t **at)
{
	uint32_t left = w->have - off < LOG_CHUNK_MAX ? w->have - off : LOG_CHUNK_MAX, wrong, way = 0;
	const char *why;

	w->zero = false;
	if (w->gen == 0)
		newest_at(w, off, left);
	why = ours(w, off, h, w->mem + off, left);
	*at = w->mem + off;
	if (why == NULL || w->lost)
		return why == NULL;
	*at = w->other;
	wrong = next_way(w, off, left, h, &way);
	if (wrong != 0)
		say(SAY_NOTE,
		    "chunk at segment %u offset %u, of the log after the checkpoint: %s; right when made from the "
		    "other "
		    "drives: wrong bytes are on %s",
		    w->seg, off, decode_blank(w->mem + off, LOG_GRAIN) ? "zeroes lie there" : why,
		    group_names(w->st->g, wrong));
	return wrong != 0;
}

/* Behind zeroes that end a row nothing is looked for: whoever lost it should hear of it. */
static void
behind(const struct window *w, uint32_t off)
{
	uint32_t end = off / w->st->g->row_bytes * w->st->g->row_bytes + w->st->g->row_bytes;
	struct log_head h;

	for (uint32_t at = off; at < end; at += LOG_GRAIN) {
		if (ours(w, at, &h, w->mem + at, w->have - at) != NULL)
			continue;
		say(SAY_NOTE,
		    "segment %u: zeroes from offset %u on end a row, though a chunk lies behind them, at %u: it is "
		    "taken for one that was never flushed",
		    w->seg, off, at);
		return;
	}
}

/* Does what lies in a listed segment count? Not if it was emptied since the checkpoint and never opened, or holds pages
 * of a checkpoint that never ended. */
static bool
counts(const struct store *st, const struct log_head *h)
{
	const struct log_segment *d = &st->seg[h->seg].d;

	return h->kind != LOG_PAGES && h->kind != LOG_TABLE && (d->state == STORE_FREE || h->gen != d->gen);
}

static void
found(struct replay *r, const struct log_head *h, const uint8_t *at)
{
	struct log_segment *d = &r->st->seg[h->seg].d;
	bool meta = h->kind == LOG_PAGES || h->kind == LOG_TABLE;

	if (h->gen != d->gen || d->state == STORE_FREE)
		*d = (struct log_segment){.gen = h->gen, .next_id = d->next_id, .stream = meta ? STORE_META : 0};
	d->state = r->st->super.clean ? STORE_CLOSED : STORE_SUSPECT;
	if (!meta && h->lsn > r->st->super.lsn)
		item_add(r, h, log_direct(h->seg, h->off, h->bytes, 0), at + h->head_bytes);
}

static void
scan(struct replay *r, uint32_t seg, uint32_t from, bool planned, bool listed)
{
	struct store *st = r->st;
	const struct log_segment was = st->seg[seg].d;
	uint32_t rb = st->g->row_bytes, blank = from / rb;
	struct window w = {
		.st = st,
		.mem = malloc(st->g->seg_bytes),
		.other = malloc(LOG_CHUNK_MAX),
		.seg = seg,
		.have = from / rb * rb,
		.gen = listed ? 0 : was.gen,
		.older = was.state == STORE_FREE || was.gen == 0 ? was.gen : was.gen - 1,
	};
	struct log_head h;
	const uint8_t *at;

	if (st->seg[seg].scan_from > from)
		st->seg[seg].scan_from = from;
	while (from < st->g->seg_bytes && from / rb < blank + 2) {
		if (!window_reach(&w, from)) {
			say(SAY_BROKEN, "segment %u, which may hold the newest of the log, cannot be read", seg);
			break;
		}
		if (row_ends(&w, from)) {
			behind(&w, from);
			from = from / rb * rb + rb;
			w.lost = false;
		} else if (chunk_at(&w, from, &h, &at)) {
			planned = planned || counts(st, &h);
			if (!planned)
				break;
			w.gen = h.gen;
			w.lost = false;
			found(r, &h, at);
			from += h.bytes;
			blank = (from - 1) / rb;
		} else if (!w.lost && (w.zero || decode_blank(w.mem + from, LOG_GRAIN))) {
			from = from / rb * rb + rb;
		} else {
			w.lost = true;
			from += LOG_GRAIN;
		}
	}
	/* As good as free: what is played takes away every entry that points there. */
	if (!planned)
		st->seg[seg].d.state = STORE_FREE;
	free(w.mem);
	free(w.other);
}

/* --- intents ----------------------------------------------------------------------------------------------------- */

/* @return whether it has something that counts. */
static bool
images(struct replay *r, const uint8_t *at, uint32_t bytes)
{
	struct log_head h;
	bool any = false;

	for (uint32_t pos = LOG_INTENT_HEAD; pos < bytes; pos += h.bytes) {
		if (decode_chunk(&h, at + pos, bytes - pos) != NULL || h.store != r->st->g->short_uuid)
			break;
		if (h.lsn <= r->st->super.lsn || (h.kind != LOG_DATA && h.kind != LOG_RECORDS))
			continue;
		any = true;
		item_add(r, &h, 0, at + pos + h.head_bytes);
	}
	return any;
}

/* The intent at @p pos, if there is one that counts. */
static bool
intent_at(const struct replay *r, const uint8_t *ring, uint32_t pos, struct log_intent *in)
{
	const struct group *g = r->st->g;

	return decode_intent(in, ring + pos, g->s.intent_bytes - pos) == NULL && in->store == g->short_uuid &&
	       in->seq >= r->st->super.intent_seq;
}

/* Each copy may be torn where another is whole: all are taken. */
static void
intents(struct replay *r)
{
	struct group *g = r->st->g;
	uint8_t *ring[4] = {NULL};
	struct log_intent in, other;

	for (unsigned int c = 0; c <= g->s.parity; c++) {
		ring[c] = malloc(g->s.intent_bytes);
		if (group_intents(g, c, ring[c]) == 0)
			continue;
		free(ring[c]);
		ring[c] = NULL;
	}
	for (uint32_t pos = 0; pos < g->s.intent_bytes; pos += LOG_BLOCK) {
		for (unsigned int c = 0; c <= g->s.parity; c++) {
			if (ring[c] == NULL || !intent_at(r, ring[c], pos, &in) || !images(r, ring[c] + pos, in.bytes))
				continue;
			for (unsigned int o = 0; o <= g->s.parity; o++) {
				if (ring[o] != NULL && !intent_at(r, ring[o], pos, &other))
					say(SAY_NOTE, "intent %" PRIu64 " is damaged on %s, and whole on %s", in.seq,
					    g->drive[o].src->name, g->drive[c].src->name);
			}
		}
	}
	for (unsigned int c = 0; c <= g->s.parity; c++)
		free(ring[c]);
}

static int
by_lsn(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	if (x->head.lsn != y->head.lsn)
		return x->head.lsn < y->head.lsn ? -1 : 1;
	return (x->place == 0) - (y->place == 0);
}

static void
move_note(struct replay *r, uint64_t was, uint64_t now, uint64_t lsn)
{
	r->moved[r->n_moved++] = (struct moved){was, now, lsn};
}

/* Each number once; those that only intents have get a place that no segment has. */
static void
sort(struct replay *r)
{
	struct store *st = r->st;
	size_t n = 0;

	if (r->n > 0)
		qsort(r->item, r->n, sizeof(*r->item), by_lsn);
	r->moved = calloc(r->n + 1, sizeof(*r->moved));
	st->intent = calloc(r->n + 1, sizeof(*st->intent));
	for (size_t i = 0; i < r->n; i++) {
		struct item *it = &r->item[i];
		uint64_t was = log_direct(it->head.seg, it->head.off, it->head.bytes, 0);

		if (n > 0 && r->item[n - 1].head.lsn == it->head.lsn) {
			/* A recovery that was cut short gave it another place. */
			if (it->place == 0 && r->item[n - 1].place != was &&
			    log_entry_seg(r->item[n - 1].place) < LOG_SEGS_MAX / 2)
				move_note(r, was, r->item[n - 1].place, it->head.lsn);
			free(it->bytes);
			continue;
		}
		if (it->place == 0) {
			uint32_t k = (uint32_t)st->n_intents;

			it->place = log_direct(LOG_SEGS_MAX - 1 - k / 1024, k % 1024 * LOG_GRAIN, it->head.bytes, 0);
			st->intent[st->n_intents++] = (struct store_intent){was, it->place, it->head};
			move_note(r, was, it->place, it->head.lsn);
		}
		r->item[n++] = *it;
	}
	r->n = n;
}

const struct store_intent *
store_intent_at(const struct store *st, uint64_t place)
{
	uint64_t k;

	if (log_entry_seg(place) < LOG_SEGS_MAX / 2)
		return NULL;
	k = (uint64_t)(LOG_SEGS_MAX - 1 - log_entry_seg(place)) * 1024 + log_entry_off(place) / LOG_GRAIN;
	return k < st->n_intents ? &st->intent[k] : NULL;
}

/* --- what it does to the map ------------------------------------------------------------------------------------- */

static void
release(struct store *st, uint64_t entry)
{
	uint64_t id = 2 * log_entry_id(entry), refs;

	if (log_entry_kind(entry) != LOG_ENTRY_SHARED)
		return;
	refs = pages_get(&st->map, STORE_SHARE, id + 1);
	if ((refs & STORE_REFS_MASK) > 1) {
		pages_set(&st->map, STORE_SHARE, id + 1, refs - 1);
		return;
	}
	pages_set(&st->map, STORE_SHARE, id, 0);
	pages_set(&st->map, STORE_SHARE, id + 1, 0);
}

static void
set(struct store *st, uint64_t vol, uint64_t lba, uint64_t value)
{
	uint64_t old = pages_get(&st->map, vol, lba);

	pages_set(&st->map, vol, lba, value);
	release(st, old);
}

static void
play_data(struct store *st, const struct item *it)
{
	for (unsigned int i = 0; i < it->head.seal.blocks; i++) {
		const struct log_owner *o = &it->head.owner[i];

		if (o->lba < store_tree_size(st, o->vol) && o->vol != LOG_OWNER_SHARE)
			set(st, o->vol, o->lba, it->place + ((uint64_t)i << 59));
	}
}

static void
play_move(struct store *st, const struct item *it)
{
	for (unsigned int i = 0; i < it->head.seal.blocks; i++) {
		const struct log_owner *o = &it->head.owner[i];
		uint64_t idx = o->vol == LOG_OWNER_SHARE ? 2 * o->lba : o->lba;

		if (o->vol == LOG_OWNER_NONE || idx >= store_tree_size(st, o->vol) ||
		    pages_get(&st->map, o->vol, idx) != it->head.from + ((uint64_t)o->blk << 59))
			continue;
		pages_set(&st->map, o->vol, idx, it->place + ((uint64_t)i << 59));
		st->moved++;
	}
}

/* @return false: what it needs was lost. */
static bool
play_hit(struct store *st, const struct log_record *rec)
{
	uint64_t id = log_entry_id(rec->n), epoch = log_share_epoch(rec->n), place, refs;

	if (rec->lba >= store_tree_size(st, rec->vol) || log_share_seg(id) >= st->super.segments)
		return false;
	place = pages_get(&st->map, STORE_SHARE, 2 * id);
	refs = pages_get(&st->map, STORE_SHARE, 2 * id + 1);
	if (place == 0 || log_share_epoch(refs) != epoch) {
		if (place != 0 || rec->owner_lba >= store_tree_size(st, rec->owner_vol) ||
		    pages_get(&st->map, rec->owner_vol, rec->owner_lba) != rec->place)
			return false;
		refs = 1 | epoch << 48;
		pages_set(&st->map, STORE_SHARE, 2 * id, rec->place);
		pages_set(&st->map, rec->owner_vol, rec->owner_lba, log_shared(id));
	}
	pages_set(&st->map, STORE_SHARE, 2 * id + 1, refs + 1);
	set(st, rec->vol, rec->lba, log_shared(id));
	return true;
}

/* A record that is older than the chunk speaks of what lay there before. */
static uint64_t
place_now(const struct replay *r, uint64_t place, uint64_t lsn)
{
	for (size_t i = 0; i < r->n_moved; i++) {
		if (r->moved[i].was == log_entry_chunk(place) && r->moved[i].lsn < lsn)
			return r->moved[i].now | (place & STORE_DIRECT_BLK);
	}
	return place;
}

static void
play_records(struct replay *r, const struct item *it)
{
	struct store *st = r->st;

	for (uint32_t i = 0; i < it->head.seal.stored / LOG_RECORD; i++) {
		struct log_record rec;
		bool done = decode_record(&rec, it->bytes + (size_t)i * LOG_RECORD) == NULL;

		rec.place = place_now(r, rec.place, it->head.lsn);
		if (done && rec.type == LOG_REC_HIT)
			done = play_hit(st, &rec);
		else if (done && (rec.n > MAP_FANOUT || rec.lba + rec.n > store_tree_size(st, rec.vol)))
			done = false;
		else
			for (uint64_t b = 0; done && b < rec.n; b++)
				set(st, rec.vol, rec.lba + b, 0);
		st->records += done;
		st->dropped += !done;
	}
}

void
store_replay(struct store *st)
{
	struct replay r = {.st = st};
	const struct log_super *s = &st->super;

	for (unsigned int i = 0; i < LOG_STREAMS; i++) {
		if (s->open[i].seg != STORE_NONE)
			scan(&r, s->open[i].seg, s->open[i].off, true, false);
	}
	for (uint32_t i = 0; i < s->n_next; i++)
		scan(&r, s->next[i], 0, i < s->n_since, true);
	intents(&r);
	sort(&r);
	if (s->clean && r.n > 0)
		say(SAY_BROKEN, "the store was closed in order, and its log goes on for %zu chunks after that", r.n);
	for (size_t i = 0; i < r.n; i++) {
		const struct item *it = &r.item[i];

		if (it->head.kind == LOG_RECORDS)
			play_records(&r, it);
		else if (it->head.kind == LOG_DATA)
			play_data(st, it);
		else
			play_move(st, it);
		free(it->bytes);
	}
	st->chunks = r.n;
	free(r.item);
	free(r.moved);
}
