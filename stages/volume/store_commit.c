/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Changes of the map, and what follows from each: live blocks of segments, references of shares. Every change comes in
 * two steps: have all pages at hand (may have to wait), then change everything (cannot fail), in the same breath as the
 * log gets its record.
 *
 * An entry of the share table is a pair: the place of the block, and its references with the epoch of its id.
 */

#include <string.h>

#include <rte_common.h>

#include "store.h"

#define REFS_MASK ((1ULL << 48) - 1)

struct store_vol *
store_vol_find(struct store *st, uint32_t id)
{
	for (uint32_t i = 0; i < st->n_vol; i++) {
		if (st->vol[i]->d.id == id)
			return st->vol[i];
	}
	return NULL;
}

/* After a prepare nothing may be missing. If it is, memory and log differ, and only recovery helps. */
static void
must(struct store *st, int ret)
{
	if (unlikely(ret != 0))
		store_fail(st, -EIO);
}

static int
share_get(struct store *st, uint64_t id, uint64_t pair[2], struct map_wait *w)
{
	return map_get(st->map, st->shares, 2 * id, 2, pair, w);
}

/* --- letting go -------------------------------------------------------------------------------------------------- */

static void
release(struct store *st, struct store_vol *v, uint64_t entry)
{
	uint64_t pair[2] = {0, 0};

	if (log_entry_kind(entry) == LOG_ENTRY_DIRECT) {
		store_seg_live(st, log_entry_seg(entry), -1);
		return;
	}
	if (log_entry_kind(entry) != LOG_ENTRY_SHARED)
		return;
	v->d.shared--;
	st->n_refs--;
	must(st, share_get(st, log_entry_id(entry), pair, NULL));
	if ((pair[1] & REFS_MASK) > 1) {
		pair[1]--;
	} else {
		store_seg_live(st, log_entry_seg(pair[0]), -1);
		pair[0] = pair[1] = 0;
	}
	must(st, map_set(st->map, st->shares, 2 * log_entry_id(entry), 2, pair, NULL, NULL));
}

int
store_prepare(struct store *st, struct store_vol *v, uint64_t lba, uint32_t n, struct map_wait *w)
{
	uint64_t old[MAP_RUN_MAX];
	int ret = map_get(st->map, v->tree, lba, n, old, w);

	for (uint32_t i = 0; ret == 0 && i < n; i++) {
		if (log_entry_kind(old[i]) == LOG_ENTRY_SHARED)
			ret = map_prepare(st->map, st->shares, 2 * log_entry_id(old[i]), 2, w);
	}
	return ret == 0 ? map_prepare(st->map, v->tree, lba, n, w) : ret;
}

void
store_set(struct store *st, struct store_vol *v, uint64_t lba, uint32_t n, const uint64_t *values)
{
	uint64_t old[MAP_RUN_MAX];
	int ret = map_set(st->map, v->tree, lba, n, values, old, NULL);

	must(st, ret);
	if (ret != 0)
		return;
	for (uint32_t i = 0; i < n; i++) {
		if (values != NULL && log_entry_kind(values[i]) == LOG_ENTRY_DIRECT)
			store_seg_live(st, log_entry_seg(values[i]), 1);
		release(st, v, old[i]);
	}
}

int
store_resolve(struct store *st, uint64_t entry, uint64_t *out, struct map_wait *w)
{
	uint64_t pair[2];
	int ret;

	*out = entry;
	if (log_entry_kind(entry) != LOG_ENTRY_SHARED)
		return 0;
	ret = share_get(st, log_entry_id(entry), pair, w);
	*out = pair[0];
	if (ret == 0 && log_entry_kind(pair[0]) != LOG_ENTRY_DIRECT)
		ret = -EBADMSG;
	return ret;
}

/* --- sharing ----------------------------------------------------------------------------------------------------- */

/* A dedup index keeps a place with eleven bits of the segment's generation where an entry has the chunk's length. */
#define WHERE_GEN(gen) ((uint64_t)((gen)&0x7ff) << 48)
#define WHERE_LEN      (0x7ffULL << 48)

uint64_t
store_where(struct store *st, uint64_t entry)
{
	uint64_t pair[2];

	if (log_entry_kind(entry) == LOG_ENTRY_DIRECT)
		return (entry & ~WHERE_LEN) | WHERE_GEN(st->seg[log_entry_seg(entry)].d.gen);
	if (log_entry_kind(entry) != LOG_ENTRY_SHARED || share_get(st, log_entry_id(entry), pair, NULL) != 0)
		return 0;
	return (uint64_t)LOG_ENTRY_SHARED << 62 | log_share_tag(log_entry_id(entry), log_share_epoch(pair[1]));
}

static bool
where_is(struct store *st, uint64_t where, uint64_t place)
{
	return log_entry_kind(place) == LOG_ENTRY_DIRECT && (place & ~WHERE_LEN) == (where & ~WHERE_LEN) &&
	       (where & WHERE_LEN) == WHERE_GEN(st->seg[log_entry_seg(place)].d.gen);
}

/* What a candidate turned out to be. */
struct found {
	uint64_t place;
	uint64_t id; /* UINT64_MAX: not shared yet */
	uint64_t refs;
	struct store_vol *owner;
	uint64_t owner_lba;
};

/* @return 1: it still holds; 0; -EAGAIN, -errno. */
static int
confirm(struct store *st, const struct store_vol *v, uint64_t where, uint32_t owner_vol, uint64_t owner_lba,
	struct found *f, struct map_wait *w)
{
	uint64_t entry, pair[2];
	int ret;

	f->owner = store_vol_find(st, owner_vol);
	f->owner_lba = owner_lba;
	f->id = UINT64_MAX;
	f->place = f->refs = 0;
	if (f->owner == NULL || f->owner->d.domain != v->d.domain || f->owner->doomed)
		return 0;
	if (log_entry_kind(where) == LOG_ENTRY_SHARED) {
		f->id = log_entry_id(where);
		if (log_share_seg(f->id) >= st->n_seg)
			return 0;
		ret = share_get(st, f->id, pair, w);
		if (ret < 0)
			return ret;
		f->place = pair[0];
		f->refs = pair[1];
		return pair[0] != 0 && log_share_epoch(pair[1]) == log_share_epoch(where);
	}
	if (log_entry_kind(where) != LOG_ENTRY_DIRECT || owner_lba >= map_tree_size(f->owner->tree))
		return 0;
	ret = map_get(st->map, f->owner->tree, owner_lba, 1, &entry, w);
	if (ret < 0)
		return ret;
	f->place = entry;
	if (log_entry_kind(entry) == LOG_ENTRY_SHARED) {
		f->id = log_entry_id(entry);
		ret = share_get(st, f->id, pair, w);
		if (ret < 0)
			return ret;
		f->place = pair[0];
		f->refs = pair[1];
	}
	return where_is(st, where, f->place);
}

/* A share id of the segment that is free now. @return 0, -EAGAIN, -ENOSPC. */
static int
share_id(struct store *st, uint32_t seg, uint64_t *tag, struct map_wait *w)
{
	struct log_segment *d = &st->seg[seg].d;

	for (unsigned int i = 0; i < 8; i++, d->next_id++) {
		uint64_t id = (uint64_t)seg << LOG_SHARE_SHIFT | (d->next_id & 0xffff), pair[2];
		int ret = share_get(st, id, pair, w);

		if (ret < 0)
			return ret;
		*tag = log_share_tag(id, d->next_id >> LOG_SHARE_SHIFT);
		if (pair[0] == 0 && pair[1] == 0)
			return 0;
	}
	return -ENOSPC;
}

/* Make the owner's block a share of one reference. */
static void
share_make(struct store *st, struct store_vol *owner, uint64_t lba, uint64_t place, uint64_t tag)
{
	uint64_t id = tag & ((1ULL << LOG_SHARE_BITS) - 1), entry = log_shared(id);
	uint64_t pair[2] = {place, 1 | (uint64_t)log_share_epoch(tag) << 48};
	struct log_segment *d = &st->seg[log_share_seg(id)].d;
	uint32_t next = (log_share_epoch(tag) << LOG_SHARE_SHIFT | (id & 0xffff)) + 1;

	must(st, map_set(st->map, st->shares, 2 * id, 2, pair, NULL, NULL));
	must(st, map_set(st->map, owner->tree, lba, 1, &entry, NULL, NULL));
	owner->d.shared++;
	st->n_refs++;
	d->next_id = RTE_MAX(d->next_id, next);
}

/* One more reference, held by this block. */
static void
share_take(struct store *st, struct store_vol *v, uint64_t lba, uint64_t id)
{
	uint64_t entry = log_shared(id), old = 0, pair[2] = {0, 0};

	must(st, share_get(st, id, pair, NULL));
	pair[1]++;
	must(st, map_set(st->map, st->shares, 2 * id, 2, pair, NULL, NULL));
	must(st, map_set(st->map, v->tree, lba, 1, &entry, &old, NULL));
	v->d.shared++;
	st->n_refs++;
	release(st, v, old);
}

static void
record_append(struct store *st, const struct log_record *r)
{
	struct log_head h = {.kind = LOG_RECORDS, .seal = {.stored = LOG_RECORD}};
	uint8_t at[LOG_RECORD];

	log_record_encode(r, at);
	log_head_measure(&h);
	store_append(st, STORE_HOT, &h, NULL, at);
}

static int
record_room(struct store *st)
{
	return store_room(st, STORE_HOT, LOG_HEAD + LOG_GRAIN);
}

int
store_hit_place(struct store *st, struct store_vol *v, uint64_t where, uint32_t owner_vol, uint64_t owner_lba,
		uint64_t *place, struct map_wait *w)
{
	struct found f;
	int ret = confirm(st, v, where, owner_vol, owner_lba, &f, w);

	if (ret > 0)
		*place = f.place;
	return ret;
}

int
store_hit(struct store *st, struct store_vol *v, uint64_t lba, uint64_t where, uint32_t owner_vol, uint64_t owner_lba,
	  struct map_wait *w)
{
	struct log_record r = {.type = LOG_REC_HIT, .vol = v->d.id, .lba = lba};
	uint64_t old, tag = 0;
	struct found f;
	int ret = confirm(st, v, where, owner_vol, owner_lba, &f, w);

	if (ret <= 0)
		return ret;
	ret = map_get(st->map, v->tree, lba, 1, &old, w);
	if (ret < 0)
		return ret;
	if (old == f.place || (f.id != UINT64_MAX && old == log_shared(f.id)))
		return 2;
	/* What collection moved last may be lost with power, and then the place it came from counts again. */
	if (1u << st->seg[log_entry_seg(f.place)].d.stream & STORE_GC_STREAMS && !store_durable(st, f.place)) {
		st->stats.refused_hits++;
		return 0;
	}
	ret = record_room(st);
	if (ret < 0)
		return ret;
	if (f.id == UINT64_MAX) {
		ret = share_id(st, log_entry_seg(f.place), &tag, w);
		if (ret == -ENOSPC)
			return 0;
		if (ret == 0)
			ret = map_prepare(st->map, f.owner->tree, f.owner_lba, 1, w);
	} else {
		tag = log_share_tag(f.id, log_share_epoch(f.refs));
	}
	if (ret == 0)
		ret = map_prepare(st->map, st->shares, 2 * (tag & ((1ULL << LOG_SHARE_BITS) - 1)), 2, w);
	if (ret == 0)
		ret = store_prepare(st, v, lba, 1, w);
	if (ret < 0)
		return ret;
	r.n = tag;
	r.place = f.place;
	r.owner_vol = f.owner->d.id;
	r.owner_lba = f.owner_lba;
	record_append(st, &r);
	if (f.id == UINT64_MAX)
		share_make(st, f.owner, f.owner_lba, f.place, tag);
	share_take(st, v, lba, tag & ((1ULL << LOG_SHARE_BITS) - 1));
	st->stats.hit_blocks++;
	return 1;
}

/* --- forgetting -------------------------------------------------------------------------------------------------- */

int
store_trim(struct store *st, struct store_vol *v, uint64_t lba, uint32_t n, struct map_wait *w)
{
	struct log_record r = {.type = LOG_REC_TRIM, .vol = v->d.id, .lba = lba, .n = n};
	int ret;

	/* What frees space may use what collection keeps. */
	st->trimming = true;
	ret = record_room(st);
	st->trimming = false;
	if (ret == 0)
		ret = store_prepare(st, v, lba, n, w);
	if (ret < 0)
		return ret;
	record_append(st, &r);
	store_set(st, v, lba, n, NULL);
	return 0;
}

/* --- moving ------------------------------------------------------------------------------------------------------ */

static int
share_lies(struct store *st, uint64_t id, uint64_t at, struct map_wait *w)
{
	uint64_t pair[2];
	int ret = share_get(st, id, pair, w);

	return ret < 0 ? ret : pair[0] == at;
}

int
store_block_live(struct store *st, uint64_t from, const struct log_owner *was, uint64_t id, struct log_owner *owner,
		 struct map_wait *w)
{
	struct store_vol *v;
	uint64_t entry;
	int ret;

	*owner = *was;
	if (was->vol == LOG_OWNER_SHARE)
		return share_lies(st, was->lba, from, w);
	v = was->vol == LOG_OWNER_NONE ? NULL : store_vol_find(st, was->vol);
	if (v != NULL && was->lba < map_tree_size(v->tree)) {
		ret = map_get(st->map, v->tree, was->lba, 1, &entry, w);
		if (ret < 0 || entry == from)
			return ret < 0 ? ret : 1;
	}
	*owner = (struct log_owner){id, LOG_OWNER_SHARE};
	if (id != UINT64_MAX) {
		ret = share_lies(st, id, from, w);
		if (ret != 0)
			return ret;
	}
	*owner = (struct log_owner){0, LOG_OWNER_NONE};
	return 0;
}

int
store_move_prepare(struct store *st, const struct log_head *h, struct map_wait *w)
{
	int ret = 0;

	for (unsigned int i = 0; ret == 0 && i < h->seal.blocks; i++) {
		const struct log_owner *o = &h->owner[i];
		struct store_vol *v;

		if (o->vol == LOG_OWNER_SHARE) {
			ret = map_prepare(st->map, st->shares, 2 * o->lba, 1, w);
			continue;
		}
		v = o->vol == LOG_OWNER_NONE ? NULL : store_vol_find(st, o->vol);
		if (v != NULL && o->lba < map_tree_size(v->tree))
			ret = map_prepare(st->map, v->tree, o->lba, 1, w);
	}
	return ret;
}

void
store_move(struct store *st, const struct log_head *h, uint64_t to)
{
	for (unsigned int i = 0; i < h->seal.blocks; i++) {
		const struct log_owner *o = &h->owner[i];
		struct map_tree *t = st->shares;
		uint64_t idx = 2 * o->lba, at = h->from + ((uint64_t)o->blk << 59), now = to + ((uint64_t)i << 59),
			 entry;
		struct store_vol *v;

		if (o->vol == LOG_OWNER_NONE)
			continue;
		if (o->vol != LOG_OWNER_SHARE) {
			v = store_vol_find(st, o->vol);
			if (v == NULL || o->lba >= map_tree_size(v->tree))
				continue;
			t = v->tree;
			idx = o->lba;
		}
		must(st, map_get(st->map, t, idx, 1, &entry, NULL));
		if (entry != at)
			continue;
		must(st, map_set(st->map, t, idx, 1, &now, NULL, NULL));
		store_seg_live(st, log_entry_seg(at), -1);
		store_seg_live(st, log_entry_seg(now), 1);
		st->stats.moved_blocks++;
	}
}

void
store_move_head(struct log_head *h, const struct log_head *was, const struct log_owner *owner, uint32_t blocks)
{
	uint8_t n = 0;

	*h = (struct log_head){.kind = LOG_MOVE, .has_fp = was->has_fp, .seal = was->seal};
	h->from = log_direct(was->seg, was->off, was->bytes, 0);
	for (uint32_t i = 0; i < was->seal.blocks; i++) {
		if (!(blocks & 1u << i))
			continue;
		h->owner[n] = owner[i];
		h->owner[n].blk = i;
		memcpy(h->fp[n++], was->fp[i], STRAKE_ADVICE_FP);
	}
	h->seal.blocks = n;
}

int
store_move_append(struct store *st, struct log_head *h, struct strake_buf *list, const uint8_t *flat,
		  struct map_wait *w)
{
	unsigned int stream = store_seg_moved_stream(st, h->seal.serial);
	int ret;

	log_head_measure(h);
	ret = store_room(st, stream, h->bytes);
	if (ret == 0)
		ret = store_move_prepare(st, h, w);
	if (ret < 0)
		return ret;
	store_move(st, h, store_append(st, stream, h, list, flat));
	st->stats.moved_chunks++;
	return 0;
}

/* --- replay ------------------------------------------------------------------------------------------------------ */

static int
replay_hit(struct store *st, const struct log_record *r, struct map_wait *w)
{
	uint64_t id = r->n & ((1ULL << LOG_SHARE_BITS) - 1), pair[2], entry = 0;
	struct store_vol *v = store_vol_find(st, r->vol), *owner = store_vol_find(st, r->owner_vol);
	bool make = false;
	int ret;

	if (v == NULL || r->lba >= map_tree_size(v->tree) || log_share_seg(id) >= st->n_seg)
		return -ERANGE;
	ret = share_get(st, id, pair, w);
	if (ret < 0)
		return ret;
	if (pair[0] == 0 || log_share_epoch(pair[1]) != log_share_epoch(r->n)) {
		if (pair[0] != 0 || owner == NULL || r->owner_lba >= map_tree_size(owner->tree))
			return -ESTALE;
		ret = map_get(st->map, owner->tree, r->owner_lba, 1, &entry, w);
		if (ret == 0 && entry != r->place)
			return -ESTALE;
		if (ret == 0)
			ret = map_prepare(st->map, owner->tree, r->owner_lba, 1, w);
		make = true;
	}
	if (ret == 0)
		ret = map_prepare(st->map, st->shares, 2 * id, 2, w);
	if (ret == 0)
		ret = store_prepare(st, v, r->lba, 1, w);
	if (ret < 0)
		return ret;
	if (make)
		share_make(st, owner, r->owner_lba, r->place, r->n);
	share_take(st, v, r->lba, id);
	return 0;
}

int
store_replay_record(struct store *st, const struct log_record *r, struct map_wait *w)
{
	struct store_vol *v = store_vol_find(st, r->vol);
	int ret;

	if (r->type == LOG_REC_HIT)
		return replay_hit(st, r, w);
	if (v == NULL || r->n > MAP_RUN_MAX || r->lba + r->n > map_tree_size(v->tree))
		return -ERANGE;
	ret = store_prepare(st, v, r->lba, (uint32_t)r->n, w);
	if (ret == 0)
		store_set(st, v, r->lba, (uint32_t)r->n, NULL);
	return ret;
}
