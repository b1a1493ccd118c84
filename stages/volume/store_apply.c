/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Recovery's changes: listed segments that hold nothing are deallocated, and what was found in the log is applied in
 * lsn order, pages of the map being read ahead of it.
 */

#include <string.h>

#include <rte_common.h>

#include "store_replay.h"

#define ITEMS_A_TURN 256
#define AHEAD_MAX    512 /* items */
#define ROOM_SPARE   4	 /* segments: what intents take, and a row begun */
#define AHEAD_SHARE  16	 /* of the cache's pages: read too far ahead they would be gone again */

/* --- free -------------------------------------------------------------------------------------------------------- */

static void
freed(struct strake_space_io *io)
{
	struct store_replay *r = io->arg;
	struct store *st = r->st;

	st->io_under_way--;
	r->frees &= ~(1u << (io - r->free_io));
	if (io->status < 0) {
		store_replay_end(r, io->status);
		return;
	}
	/* All of it may be lost: a word that a dedup index keeps for that must not mean what comes there now. */
	st->seg[io->seg].d.gen += !r->super->clean;
	st->seg[io->seg].blank = true;
	st->seg[io->seg].listed = true;
	st->ready[st->n_ready++] = io->seg;
}

static void
free_begin(struct store_replay *r, uint32_t seg)
{
	unsigned int i = (unsigned int)__builtin_ctz(~r->frees);

	r->frees |= 1u << i;
	r->free_io[i] = (struct strake_space_io){.op = STRAKE_SPACE_FREE, .seg = seg, .done = freed, .arg = r};
	r->st->io_under_way++;
	strake_space_submit(r->st->sp, &r->free_io[i]);
}

uint32_t
store_apply_free(struct store_replay *r)
{
	struct store *st = r->st;
	uint32_t from = r->at;

	while (r->at < r->super->n_next && r->frees != (1u << REPLAY_FREES) - 1) {
		uint32_t seg = r->super->next[r->at++];

		if (st->seg[seg].aside)
			continue;
		if (st->seg[seg].d.state == STORE_SEG_FREE)
			free_begin(r, seg);
		else /* The superblock that ends recovery lists it again, should that be cut short. */
			st->since[st->n_since++] = seg;
	}
	if (r->at < r->super->n_next || r->frees != 0)
		return r->at - from;
	r->at = 0;
	r->image_bytes = 0;
	r->state = REPLAY_APPLY;
	return 1;
}

/* --- pages read ahead -------------------------------------------------------------------------------------------- */

static void
read_ahead(struct map_wait *w, int status)
{
	struct replay_ahead *a = (struct replay_ahead *)w;

	a->waiting = false;
	if (status < 0)
		a->tree = NULL; /* whoever needs it will be told */
}

static bool
target(struct replay_ahead *a, struct map_tree *t, uint64_t idx)
{
	if (t == NULL || idx >= map_tree_size(t))
		return false;
	a->tree = t;
	a->idx = idx;
	return true;
}

static bool
target_record(struct store_replay *r, struct replay_ahead *a, const uint8_t *bytes)
{
	struct log_record rec;
	struct store_vol *v;

	if (log_record_decode(&rec, bytes) < 0)
		return false;
	v = store_vol_find(r->st, rec.vol);
	return v != NULL && target(a, v->tree, rec.lba);
}

static bool
target_block(struct store_replay *r, struct replay_ahead *a, const struct log_owner *o)
{
	struct store_vol *v;

	if (o->vol == LOG_OWNER_NONE)
		return false;
	if (o->vol == LOG_OWNER_SHARE)
		return target(a, r->st->shares, 2 * o->lba);
	v = store_vol_find(r->st, o->vol);
	return v != NULL && target(a, v->tree, o->lba);
}

/* The next entry that will be wanted, as far ahead as makes sense. */
static bool
ahead_next(struct store_replay *r, struct replay_ahead *a)
{
	uint64_t far = RTE_MIN(map_stats(r->st->map)->frames / AHEAD_SHARE, (uint64_t)AHEAD_MAX);

	r->ahead_at = RTE_MAX(r->ahead_at, r->at);
	while (r->ahead_at < RTE_MIN(r->at + far, r->n_items)) {
		const struct replay_item *it = &r->item[r->ahead_at];
		uint32_t n = it->kind == LOG_RECORDS ? it->records : it->blocks, i = r->ahead_block++;

		if (i >= n) {
			r->ahead_at++;
			r->ahead_block = 0;
			continue;
		}
		/* Blocks of a run lie side by side. */
		if (it->kind != LOG_RECORDS && i > 0 && it->owner[i].vol == it->owner[i - 1].vol &&
		    it->owner[i].lba / MAP_FANOUT == it->owner[i - 1].lba / MAP_FANOUT)
			continue;
		if (it->kind == LOG_RECORDS ? target_record(r, a, it->bytes + (size_t)i * LOG_RECORD)
					    : target_block(r, a, &it->owner[i]))
			return true;
	}
	return false;
}

static void
ahead_run(struct store_replay *r, struct replay_ahead *a)
{
	struct store *st = r->st;

	while (a->tree != NULL || ahead_next(r, a)) {
		bool share = a->tree == st->shares;
		uint64_t entry;
		int ret;

		a->wait.fn = read_ahead;
		ret = map_get(st->map, a->tree, a->idx, 1, &entry, &a->wait);
		a->waiting = ret == -EAGAIN;
		if (a->waiting)
			return;
		a->tree = NULL;
		/* What is overwritten gives its reference back. */
		if (ret == 0 && !share && log_entry_kind(entry) == LOG_ENTRY_SHARED)
			target(a, st->shares, 2 * log_entry_id(entry));
	}
}

/* @return whether pages are still under way. */
static bool
ahead_step(struct store_replay *r)
{
	bool waiting = false;

	for (unsigned int i = 0; i < STORE_READS; i++) {
		if (!r->ahead[i].waiting)
			ahead_run(r, &r->ahead[i]);
		waiting = waiting || r->ahead[i].waiting;
	}
	return waiting;
}

/* --- apply ------------------------------------------------------------------------------------------------------- */

static void
woken(struct map_wait *w, int status)
{
	struct store_replay *r = RTE_PTR_SUB(w, offsetof(struct store_replay, wait));

	r->waiting = false;
	if (status < 0 && r->state != REPLAY_OVER)
		store_replay_end(r, status);
}

static struct map_wait *
waiter(struct store_replay *r)
{
	r->wait.fn = woken;
	r->wait.urgent = true;
	return &r->wait;
}

/* Blocks from @p i on that are one run of a volume. */
static uint32_t
run_of(const struct replay_item *it, uint32_t i)
{
	uint32_t n = 1;

	while (i + n < it->blocks && it->owner[i + n].vol == it->owner[i].vol &&
	       it->owner[i + n].lba == it->owner[i].lba + n)
		n++;
	return n;
}

/* Blocks of a chunk that a host wrote. */
static int
apply_data(struct store_replay *r, const struct replay_item *it)
{
	struct store *st = r->st;

	while (r->block < it->blocks) {
		const struct log_owner *o = &it->owner[r->block];
		struct store_vol *v = store_vol_find(st, o->vol);
		uint64_t value[LOG_RUN], size = v != NULL ? map_tree_size(v->tree) : 0;
		uint32_t n = run_of(it, r->block);
		int ret;

		for (uint32_t i = 0; i < n; i++)
			value[i] = it->place + ((uint64_t)(r->block + i) << 59);
		if (o->lba < size) {
			uint32_t in = (uint32_t)RTE_MIN((uint64_t)n, size - o->lba);

			ret = store_prepare(st, v, o->lba, in, waiter(r));
			if (ret < 0)
				return ret;
			store_set(st, v, o->lba, in, value);
		}
		r->block += n;
	}
	return 0;
}

static int
apply_records(struct store_replay *r, const struct replay_item *it)
{
	for (; r->block < it->records; r->block++) {
		struct log_record rec;
		int ret = log_record_decode(&rec, it->bytes + (size_t)r->block * LOG_RECORD);

		rec.place = store_replay_place(r, rec.place, it->lsn);
		if (ret == 0)
			ret = store_replay_record(r->st, &rec, waiter(r));
		if (ret == -EAGAIN)
			return ret;
		if (ret < 0)
			r->st->stats.dropped++;
	}
	return 0;
}

static int
apply_move(struct store_replay *r, const struct replay_item *it)
{
	struct log_head h = {.from = store_replay_place(r, it->from, it->lsn), .seal = {.blocks = it->blocks}};
	int ret;

	memcpy(h.owner, it->owner, it->blocks * sizeof(h.owner[0]));
	ret = store_move_prepare(r->st, &h, waiter(r));
	if (ret == 0)
		store_move(r->st, &h, it->place);
	return ret;
}

/* Hosts leave room for some of what is right by parity only. More than that is moved only if the checkpoint that ends
 * recovery has its room, whatever is still to come. */
static bool
stays(const struct store_replay *r, const struct replay_item *it)
{
	const struct store *st = r->st;
	uint64_t pages = map_stats(st->map)->dirty + r->n_items - r->at;

	return it->home && r->image_bytes + it->head->bytes > st->seg_bytes &&
	       store_seg_ready(st) <= store_seg_pages(st, pages) + ROOM_SPARE;
}

/* Only an intent has it, or parity: it gets a place now. */
static int
give_place(struct store_replay *r, struct replay_item *it)
{
	struct store *st = r->st;
	struct log_head h = *it->head;
	int ret;

	if (stays(r, it)) {
		it->place = it->was;
		return 0;
	}
	ret = store_room(st, STORE_HOT, h.bytes);

	if (ret < 0)
		return ret;
	it->place = store_append(st, STORE_HOT, &h, NULL, it->bytes);
	it->counted = true;
	r->image_bytes += it->home ? h.bytes : 0;
	store_replay_moved(r, it, it->place);
	return 0;
}

static int
apply(struct store_replay *r, struct replay_item *it)
{
	struct store *st = r->st;

	if (it->kind == LOG_RECORDS)
		return apply_records(r, it);
	if (it->place == 0) {
		int ret = give_place(r, it);

		if (ret < 0)
			return ret;
	}
	if (!it->counted) {
		st->seg[log_entry_seg(it->place)].d.blocks += it->blocks;
		st->all_blocks += it->blocks;
		it->counted = true;
	}
	return it->kind == LOG_DATA ? apply_data(r, it) : apply_move(r, it);
}

uint32_t
store_apply_items(struct store_replay *r)
{
	bool reading = ahead_step(r);

	if (r->waiting)
		return 0;
	for (unsigned int i = 0; i < ITEMS_A_TURN; i++) {
		int ret;

		if (r->at == r->n_items) {
			r->state = reading ? REPLAY_APPLY : REPLAY_SETTLE;
			return !reading;
		}
		ret = apply(r, &r->item[r->at]);
		r->waiting = ret == -EAGAIN;
		if (ret == -EAGAIN || ret == -EBUSY)
			return i;
		if (ret < 0) {
			store_replay_end(r, ret);
			return 1;
		}
		r->at++;
		r->block = 0;
	}
	return 1;
}
